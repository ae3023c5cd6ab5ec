//! The clocks of the core. Sessions, locks, audit and certificates follow the system's clock ([`Clock`]); trading, that
//! is schedule, strategies, orders, journal and ledger, follows a [`TradingClock`], which may be that of the feed.
//!
//! The clock of the feed (`--clock feed`) says the latest time that the broker told: at its clock endpoint, or with its
//! market data. With it a recorded day is played against a broker on this machine at any speed. A broker elsewhere
//! could set it at will, and a real market does not wait for its data, so it is refused unless every broker that is
//! configured is on this machine: when the core starts, and before the configuration becomes another.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use reqwest::Url;
use secrecy::ExposeSecret;

use super::house::House;
use super::reply::Refusal;
use crate::market::Nanos;
use crate::vault::{SecretFields, SecretFile, secrets};

/// The clock of sessions, locks, audit and files.
pub type Clock = Arc<dyn Fn() -> Nanos + Send + Sync>;

/// Which clock trading follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClockSource {
    /// That of the system.
    #[default]
    System,
    /// That of the broker and its market data.
    Feed,
}

/// The clock of trading. Its clones are one clock.
#[derive(Clone)]
pub enum TradingClock {
    /// The system's.
    System(Clock),
    /// The feed's.
    Feed(Arc<FeedClock>),
}

impl TradingClock {
    /// The clock of this kind; that of the feed is unset.
    pub fn new(source: ClockSource, system: &Clock) -> TradingClock {
        match source {
            ClockSource::System => TradingClock::System(Arc::clone(system)),
            ClockSource::Feed => TradingClock::Feed(Arc::default()),
        }
    }

    /// The time; `None` as long as the feed told nothing.
    pub fn now(&self) -> Option<Nanos> {
        match self {
            TradingClock::System(clock) => Some(clock()),
            TradingClock::Feed(feed) => feed.now(),
        }
    }

    /// Takes a time that the broker told: of its clock, or at which something of its market data was complete (for a
    /// bar its end). The system's clock does not care.
    pub fn tell(&self, time: Nanos) {
        if let TradingClock::Feed(feed) = self {
            feed.tell(time);
        }
    }

    /// Waits on this thread until it is `due`, but not longer than `at_most`, and returns the time then. Whoever waits
    /// for the feed's clock to move at all waits for the nanosecond after what it says.
    pub fn wait_until(&self, due: Nanos, at_most: Duration) -> Option<Nanos> {
        match self {
            TradingClock::System(clock) => {
                let left = u64::try_from(due.saturating_sub(clock())).unwrap_or(0);
                std::thread::sleep(Duration::from_nanos(left).min(at_most));
                Some(clock())
            }
            TradingClock::Feed(feed) => feed.wait_until(due, at_most),
        }
    }
}

/// The latest of all times that the broker told. It never goes back.
#[derive(Debug, Default)]
pub struct FeedClock {
    told: Mutex<Option<Nanos>>,
    moved: Condvar,
}

impl FeedClock {
    /// The time; `None` as long as nothing was told.
    pub fn now(&self) -> Option<Nanos> {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a time that the broker told. An earlier one than before changes nothing.
    pub fn tell(&self, time: Nanos) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        // Nothing told is less than anything told.
        if *told < Some(time) {
            *told = Some(time);
            self.moved.notify_all();
        }
    }

    /// As [`TradingClock::wait_until`].
    pub fn wait_until(&self, due: Nanos, at_most: Duration) -> Option<Nanos> {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let is_early = |told: &mut Option<Nanos>| *told < Some(due);
        let waited = self.moved.wait_timeout_while(told, at_most, is_early);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// A broker that is not on this machine stands against the clock of the feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "--clock feed: {field} does not lead to this machine; start without --clock feed, or configure SIM or a loopback address"
)]
pub struct NeedsLoopback {
    /// The field of the configuration that does not lead to this machine.
    pub field: &'static str,
}

impl From<NeedsLoopback> for Refusal {
    fn from(NeedsLoopback { field }: NeedsLoopback) -> Refusal {
        let fields = BTreeMap::from([(field.to_string(), NeedsLoopback::EXPECTED.to_string())]);
        Refusal { fields, ..Refusal::new(422, NeedsLoopback::CODE, NeedsLoopback::MESSAGE) }
    }
}

impl NeedsLoopback {
    /// The word for programs.
    pub const CODE: &str = "clock_feed_needs_loopback";
    /// The sentence for people.
    pub const MESSAGE: &str =
        "The core was started with --clock feed, which needs a broker on this machine (clock_feed_needs_loopback).";
    /// What the field should hold.
    pub const EXPECTED: &str = "Expected an address of this machine, such as http://127.0.0.1:8080.";
}

/// Judges a configuration before it is stored: `value` gives what a field holds, empty if nothing. A broker to fail
/// over to is as it is stored.
///
/// # Errors
/// Trading follows the clock of the feed, and a broker is elsewhere.
pub fn check<'a>(house: &House, value: impl Fn(&str) -> &'a str) -> Result<(), NeedsLoopback> {
    if house.clock_source == ClockSource::System {
        return Ok(());
    }
    check_broker(value)?;
    check_failover(stored(house, SecretFile::BrokerFailover))
}

/// As [`check`], of files: `read` gives what one holds, or will hold. A staged configuration counts. What cannot be
/// decrypted is nothing that could be traded with; once it can, this is asked again.
///
/// # Errors
/// As [`check`].
pub fn check_files(house: &House, read: impl Fn(SecretFile) -> Option<SecretFields>) -> Result<(), NeedsLoopback> {
    if house.clock_source == ClockSource::System {
        return Ok(());
    }
    let identity = read(SecretFile::BotIdentity).unwrap_or_default();
    for fields in [SecretFile::Broker, SecretFile::Staged].into_iter().filter_map(&read) {
        // A staged configuration has the code of its broker in itself.
        check_broker(|name| {
            let name = name.to_ascii_uppercase();
            text(if fields.get(&name).is_some() { &fields } else { &identity }, &name)
        })?;
    }
    check_failover(read(SecretFile::BrokerFailover))
}

/// As [`check_files`], of what is on the disk.
///
/// # Errors
/// As [`check`].
pub fn check_stored(house: &House) -> Result<(), NeedsLoopback> {
    check_files(house, |file| stored(house, file))
}

/// The fields of a file; what cannot be read is not there.
pub fn stored(house: &House, file: SecretFile) -> Option<SecretFields> {
    secrets::read_fields(&house.disk, &house.keys, file).ok().flatten()
}

fn check_broker<'a>(value: impl Fn(&str) -> &'a str) -> Result<(), NeedsLoopback> {
    let is_simulated = matches!(value("broker_code"), "SIM" | "");
    check_origin(value("broker_url"), value("broker_host"), is_simulated)
}

fn check_failover(fields: Option<SecretFields>) -> Result<(), NeedsLoopback> {
    let Some(fields) = fields else { return Ok(()) };
    let is_empty = !fields.names().any(|name| fields.is_set(name));
    check_origin(text(&fields, "BROKER_URL"), text(&fields, "BROKER_HOST"), is_empty)
        .map_err(|_| NeedsLoopback { field: "broker_failover_credentials" })
}

fn text<'a>(fields: &'a SecretFields, name: &str) -> &'a str {
    fields.get(name).map_or("", |value| value.expose_secret())
}

/// Where a broker is reached: at its URL or, without one, at its host. Without either only one that is simulated may be.
fn check_origin(url: &str, host: &str, may_be_nowhere: bool) -> Result<(), NeedsLoopback> {
    let (field, origin) = match (url, host) {
        ("", "") if may_be_nowhere => return Ok(()),
        ("", "") => ("broker_url", String::new()),
        ("", host) => ("broker_host", format!("tws://{host}")),
        (url, _) => ("broker_url", url.to_string()),
    };
    if leads_here(&origin) { Ok(()) } else { Err(NeedsLoopback { field }) }
}

/// Whether the host of a URL is this machine, whatever its scheme.
fn leads_here(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    let host = url.host_str().unwrap_or("");
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};
    use std::sync::mpsc;

    use super::*;

    /// Nobody waits for this long.
    const LONG: Duration = Duration::from_secs(3600);

    fn feed() -> TradingClock {
        let system: Clock = Arc::new(|| -> Nanos { unreachable!("the clock of the system") });
        TradingClock::new(ClockSource::Feed, &system)
    }

    #[test]
    fn the_clock_of_the_feed_is_unset_until_something_was_told() {
        let clock = feed();
        assert_eq!(clock.now(), None);
        assert_eq!(clock.wait_until(i64::MIN, Duration::ZERO), None);
        clock.tell(-5);
        assert_eq!(clock.now(), Some(-5), "a time before 1970 is one, too");
    }

    #[test]
    fn the_clock_of_the_feed_says_the_latest_time_told_and_never_goes_back() {
        let clock = feed();
        for (told, says) in [(10, 10), (7, 10), (10, 10), (12, 12), (i64::MIN, 12)] {
            clock.tell(told);
            assert_eq!(clock.now(), Some(says));
        }
    }

    #[test]
    fn of_many_who_tell_at_once_the_latest_time_stays() {
        let clock = feed();
        std::thread::scope(|scope| {
            for first in 0..4_i64 {
                let clock = clock.clone();
                scope.spawn(move || {
                    let mut before = None;
                    for step in 0..1_000 {
                        clock.tell(first + 4 * step);
                        let now = clock.now();
                        assert!(now >= before && now >= Some(first + 4 * step));
                        before = now;
                    }
                });
            }
        });
        assert_eq!(clock.now(), Some(3 + 4 * 999));
    }

    #[test]
    fn who_waits_for_a_time_is_woken_when_the_feed_has_come_to_it() {
        let clock = feed();
        clock.tell(1);
        let (tell, told) = mpsc::channel();
        let waiting = clock.clone();
        let thread = std::thread::spawn(move || tell.send(waiting.wait_until(100, LONG)));
        clock.tell(99);
        assert!(told.try_recv().is_err(), "99 is not 100");
        clock.tell(101);
        assert_eq!(told.recv_timeout(LONG), Ok(Some(101)));
        thread.join().unwrap().unwrap();
        assert_eq!(clock.wait_until(100, LONG), Some(101), "what is past is not waited for");
        assert_eq!(clock.wait_until(102, Duration::from_millis(1)), Some(101), "the feed stands still");
    }

    #[test]
    fn the_clock_of_the_system_is_told_nothing() {
        let time = Arc::new(AtomicI64::new(50));
        let shown = Arc::clone(&time);
        let system: Clock = Arc::new(move || shown.load(Ordering::Relaxed));
        let clock = TradingClock::new(ClockSource::System, &system);
        clock.tell(100);
        assert_eq!(clock.now(), Some(50));
        time.store(20, Ordering::Relaxed);
        assert_eq!(clock.wait_until(20, LONG), Some(20));
    }

    #[test]
    fn a_broker_is_on_this_machine_if_its_url_or_else_its_host_is() {
        let here = [
            ("http://127.0.0.1:8080", "", false),
            ("https://localhost/v2", "gateway", false),
            ("http://[::1]:80", "", false),
            ("tws://127.0.0.1:4002?client_id=7", "", false),
            ("tws://[::1]:4002?client_id=7", "", false),
            ("", "127.8.0.1:4002", false),
            ("", "localhost", false),
            ("", "", true),
            ("http://127.0.0.1:1", "", true),
        ];
        for (url, host, may_be_nowhere) in here {
            assert_eq!(check_origin(url, host, may_be_nowhere), Ok(()), "{url} {host}");
        }
        let elsewhere = [
            ("https://paper-api.alpaca.markets", "127.0.0.1", "broker_url"),
            ("http://127.0.0.1.evil.example", "", "broker_url"),
            ("http://evil.example@127.0.0.1.evil.example", "", "broker_url"),
            ("http://0.0.0.0:1", "", "broker_url"),
            ("http://10.0.0.1:1", "", "broker_url"),
            ("tws://gateway:4002?client_id=7", "", "broker_url"),
            ("", "gateway:4002", "broker_host"),
            ("", "127.0.0.1.evil.example", "broker_host"),
            ("", "", "broker_url"),
        ];
        for (url, host, field) in elsewhere {
            assert_eq!(check_origin(url, host, false), Err(NeedsLoopback { field }), "{url} {host}");
        }
    }
}
