//! The symbol universe: once a night the core chooses the symbols that may be traded, for all brokers.
//!
//! A universe is of the session whose close and volume count. It is due
//! - an hour after a session, when bars of the day are final, if there is none of that session;
//! - whenever the exchange is closed, if there is none at all;
//!
//! and after a failure not before half an hour has passed. Thousands of stocks are asked for, so it never begins while
//! the exchange is open, and one that is not done when it opens is given up. Whatever fails leaves the old file.
//!
//! What is known of companies comes from the screener of the configuration, or else from `context/fundamentals.csv` of the
//! data folder; without either nothing is chosen. `context/blocklist.txt` has symbols that are never traded.

use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::capabilities;
use crate::brokers::{FileFundamentals, Finnhub, Fundamentals, SymbolUniverse, UniverseError, UniverseRules};
use crate::market::{MINUTE, Nanos, format_date};
use crate::notify::{self, Kind, Notice};
use crate::runtime::core::Core;
use crate::runtime::logs::{Level, LogName, Record};
use crate::runtime::{House, Phase, start};
use crate::settings::Key;
use crate::vault::audit::{Action, Entry};
use crate::vault::{Actor, Disk, SecretFile, secrets};

/// The folder of the universe.
const FOLDER: &str = "output/cache";
/// What is known of companies, if somebody has put it there.
pub const FUNDAMENTALS: &str = "context/fundamentals.csv";
/// Symbols that are never traded, if somebody has put them there.
pub const BLOCKLIST: &str = "context/blocklist.txt";
/// Longest of these files, in bytes.
const MOST_BYTES: usize = 16 << 20;
/// After a close, until bars of the day are taken to be final.
const SETTLED: Nanos = 60 * MINUTE;
/// Between two tries.
const PAUSE: Nanos = 30 * MINUTE;
/// The screener when the configuration names a key but no address.
const FINNHUB: &str = "https://finnhub.io/api/v1";

/// What is known of the universe.
#[derive(Debug, Default)]
pub struct Nightly {
    /// Session and number of symbols of the file, once it was read.
    have: Option<(NaiveDate, usize)>,
    tried: Option<Nanos>,
    /// Why the last try failed.
    fault: Option<String>,
    /// The session whose failure people were told of.
    told: Option<NaiveDate>,
}

/// What a universe is built from.
struct Sources {
    fundamentals: Box<dyn Fundamentals>,
    rules: UniverseRules,
}

/// The universe on the disk; `None` if there is none.
///
/// # Errors
/// It cannot be read, in words without a path.
pub fn stored(disk: &Disk) -> Result<Option<SymbolUniverse>, String> {
    let Some(text) = text(disk, SymbolUniverse::PATH)? else { return Ok(None) };
    SymbolUniverse::from_json(&text).map(Some).map_err(|error| error.to_string())
}

fn text(disk: &Disk, path: &str) -> Result<Option<String>, String> {
    let bytes = disk.read(path, MOST_BYTES).map_err(|error| start::safe_disk(&error))?;
    let name = path.rsplit('/').next().unwrap_or(path);
    let text = bytes.map(|bytes| String::from_utf8(bytes.to_vec()).map_err(|_| format!("{name} is no text in UTF-8")));
    text.transpose()
}

/// Whether a universe is due at `now`. `have`: the session of the one that is there. `tried`: when one was begun.
fn is_due(have: Option<NaiveDate>, tried: Option<Nanos>, now: Nanos) -> bool {
    // While the exchange is open there is nothing to be done.
    let Ok(last) = SymbolUniverse::last_session(now) else { return false };
    let wanted = match have {
        None => true,
        Some(have) => have < last.date && now >= last.close + SETTLED,
    };
    // A try of the future, from a clock that was ahead, does not hold up the next.
    wanted && tried.is_none_or(|tried| now - tried >= PAUSE || tried > now)
}

/// Builds the universe if it is due.
pub async fn build_if_due(core: &Arc<Core>) {
    let (now, utc) = ((core.market_clock().now)(), core.now());
    let sources = match core.work(move |house| house.universe_sources(now, utc)).await {
        Ok(Ok(Some(sources))) => sources,
        Ok(Ok(None)) | Err(_) => return,
        Ok(Err(why)) => return failed(core, why).await,
    };
    let broker = match core.broker().await {
        Ok(broker) => broker,
        Err(refusal) => return failed(core, refusal.message).await,
    };
    let building = SymbolUniverse::build(broker.as_ref(), sources.fundamentals.as_ref(), sources.rules, now);
    let built = tokio::select! {
        built = building => built.map_err(|error| error.to_string()),
        () = opened(core) => Err("the exchange opened before it was done".to_string()),
    };
    let taken = match built {
        Ok(universe) => core.work(move |house| house.take_universe(&universe)).await,
        Err(why) => Ok(Err(why)),
    };
    match taken {
        Ok(Ok(())) => {}
        Ok(Err(why)) => failed(core, why).await,
        Err(refusal) => failed(core, refusal.message).await,
    }
}

/// Ready when the exchange is open.
async fn opened(core: &Arc<Core>) {
    let clock = core.market_clock().now;
    while !matches!(SymbolUniverse::last_session(clock()), Err(UniverseError::TradingHours(_))) {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn failed(core: &Arc<Core>, why: String) {
    let (now, utc) = ((core.market_clock().now)(), core.now());
    // Nothing is left to be told if that fails, too.
    let _ = core.work(move |house| house.note_failed_universe(why, now, utc)).await;
}

impl House {
    /// What a universe is to be built from, if one is due at `now` on the clock of trading, and there is something to
    /// build it from. `utc`: the time of the audit.
    fn universe_sources(&mut self, now: Nanos, utc: Nanos) -> Result<Option<Sources>, String> {
        if self.phase() != Phase::Main {
            return Ok(None);
        }
        let Ok(settings) = self.settings().map(|stored| stored.settings.clone()) else { return Ok(None) };
        let nightly = &mut self.brokerage.nightly;
        if capabilities(settings.text(Key::BrokerName)).is_none() {
            return Ok(None);
        }
        if !self.disk.exists(SymbolUniverse::PATH).unwrap_or(false) {
            nightly.have = None;
        } else if nightly.have.is_none() {
            // One that cannot be read is none.
            let universe = stored(&self.disk).ok().flatten();
            nightly.have = universe.map(|universe| (universe.session, universe.symbols.len()));
        }
        if !is_due(nightly.have.map(|(session, _)| session), nightly.tried, now) {
            return Ok(None);
        }
        let Some(fundamentals) = self.fundamentals().transpose() else { return Ok(None) };
        self.brokerage.nightly.tried = Some(now);
        let category = SecretFile::ScreenerApi.category().name();
        let entry = Entry::new(utc, &Actor::core(), Action::SecretDecrypt, category, "done");
        self.audit.note(entry.detail(Value::from("for the symbol universe")));
        let blocklist = text(&self.disk, BLOCKLIST)?.unwrap_or_default();
        Ok(Some(Sources { fundamentals: fundamentals?, rules: UniverseRules::new(&settings, &blocklist) }))
    }

    /// Where market capitalizations come from; `None` if from nowhere.
    fn fundamentals(&self) -> Result<Option<Box<dyn Fundamentals>>, String> {
        let fields = secrets::read_fields(&self.disk, &self.keys, SecretFile::ScreenerApi);
        let fields = fields.map_err(|error| error.to_string())?.unwrap_or_default();
        let Some(key) = fields.get("SCREENER_API_KEY").filter(|key| !key.expose_secret().is_empty()) else {
            let Some(table) = text(&self.disk, FUNDAMENTALS)? else { return Ok(None) };
            let table = FileFundamentals::from_csv(&table).map_err(|error| error.to_string())?;
            return Ok(Some(Box::new(table)));
        };
        let field = |name: &str| fields.get(name).map_or("", |value| value.expose_secret());
        let (name, url) = (field("SCREENER_NAME"), field("SCREENER_URL"));
        let url = match url {
            "" if name.is_empty() || name.eq_ignore_ascii_case("finnhub") => FINNHUB,
            "" => return Err(format!("the screener {name} needs SCREENER_URL, which must answer as Finnhub does")),
            url => url,
        };
        Ok(Some(Box::new(Finnhub::new(url, key).map_err(|error| error.to_string())?)))
    }

    /// Puts a universe in the place of the one before.
    fn take_universe(&mut self, universe: &SymbolUniverse) -> Result<(), String> {
        let safe = |error| start::safe_disk(&error);
        self.disk.make_folder(FOLDER).map_err(safe)?;
        self.disk.write(SymbolUniverse::PATH, universe.to_json().as_bytes()).map_err(safe)?;
        let (session, count) = (universe.session, universe.symbols.len());
        tracing::info!("the symbol universe of {} has {count} symbols", format_date(session));
        let nightly = &mut self.brokerage.nightly;
        (nightly.have, nightly.fault) = (Some((session, count)), None);
        Ok(())
    }

    /// Logs why there is no new universe, and tells people, once for a session.
    fn note_failed_universe(&mut self, why: String, now: Nanos, utc: Nanos) {
        self.logs.write(LogName::ErrorTracebacks, &Record::new(utc, Level::Error, "universe", why.clone()));
        let session = SymbolUniverse::last_session(now).ok().map(|session| session.date);
        let nightly = &mut self.brokerage.nightly;
        let is_news = nightly.told.is_none() || (session.is_some() && session != nightly.told);
        nightly.told = session.or(nightly.told);
        nightly.fault = Some(why.clone());
        if is_news {
            let text = format!("{why}. The one before stays; it is tried again in half an hour.");
            let title = "The symbol universe was not built";
            self.tell_people(Notice::new(notify::Level::Routine, Kind::Failure, title, &text), utc);
        }
    }

    /// The row of the self-check about it; none if the broker has no symbols to choose from.
    pub fn check_universe(&mut self) -> Option<Value> {
        let settings = &self.settings().ok()?.settings;
        capabilities(settings.text(Key::BrokerName))?;
        let Nightly { have, fault, .. } = &self.brokerage.nightly;
        let (mut detail, ok) = match have {
            Some((session, count)) => (format!("{count} symbols of the session {}", format_date(*session)), true),
            None => ("there is none".to_string(), true),
        };
        match fault {
            Some(why) => detail += &format!("; the last try failed: {why}"),
            None if have.is_none() && matches!(self.fundamentals(), Ok(None)) => {
                detail += ": no screener is configured, and there is no fundamentals.csv in the folder context";
            }
            None => {}
        }
        Some(json!({ "module": "symbol universe", "ok": ok && fault.is_none(), "detail": detail }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::parse_time;

    fn due(have: &str, tried: &str, now: &str) -> bool {
        let date = (!have.is_empty()).then(|| have.parse().unwrap());
        let time = |text: &str| parse_time(text).unwrap();
        is_due(date, (!tried.is_empty()).then(|| time(tried)), time(now))
    }

    /// 26 March 2024 is a Tuesday in summer time: 13:30 to 20:00 UTC. 29 March is Good Friday.
    #[test]
    fn a_universe_is_due_an_hour_after_each_session_and_never_while_the_exchange_is_open() {
        for (have, now, expected) in [
            ("2024-03-25", "2024-03-26T13:29:59Z", false),
            ("2024-03-22", "2024-03-26T13:29:59Z", true),
            ("2024-03-22", "2024-03-26T13:30:00Z", false),
            ("2024-03-22", "2024-03-26T19:59:59Z", false),
            ("2024-03-25", "2024-03-26T20:59:59Z", false),
            ("2024-03-25", "2024-03-26T21:00:00Z", true),
            ("2024-03-26", "2024-03-26T21:00:00Z", false),
            ("2024-03-28", "2024-03-31T12:00:00Z", false),
            // Without any, at once, but not while the exchange is open.
            ("", "2024-03-26T20:00:00Z", true),
            ("", "2024-03-26T14:00:00Z", false),
            ("", "2024-03-30T12:00:00Z", true),
        ] {
            assert_eq!(due(have, "", now), expected, "{have} at {now}");
        }
    }

    #[test]
    fn after_a_failure_half_an_hour_passes() {
        assert!(!due("", "2024-03-26T22:00:00Z", "2024-03-26T22:29:59Z"));
        assert!(due("", "2024-03-26T22:00:00Z", "2024-03-26T22:30:00Z"));
        assert!(due("", "2034-03-26T22:00:00Z", "2024-03-26T22:30:00Z"), "a clock that was ahead");
    }
}
