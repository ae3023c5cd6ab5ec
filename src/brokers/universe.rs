//! The symbols that may be traded, chosen once a night.
//!
//! The list of stocks, their last close and their volume come from the broker, the market capitalization from somewhere
//! else, since no broker's list of stocks has it: a screener, or a file. The result is a file that every broker
//! shares; during a session only its symbols are asked for.

mod file;
mod finnhub;

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::number::to_decimal;
use super::{Answer, BarQuery, BarSize, Broker, BrokerError};
use crate::market::{Calendar, MINUTE, Nanos, Session, format_time, new_york_date};
use crate::settings::{Key, Settings};

pub use file::FileFundamentals;
pub use finnhub::Finnhub;

/// What is known of a company.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Company {
    /// Market capitalization in dollars.
    pub market_cap: Option<Decimal>,
    /// Price by earnings of the last twelve months.
    pub pe_ratio: Option<Decimal>,
    /// All debt by equity.
    pub debt_equity: Option<Decimal>,
}

/// Where it comes from.
pub trait Fundamentals: Send + Sync {
    /// What is known of the company of a stock.
    fn company<'a>(&'a self, symbol: &'a str) -> Answer<'a, Company>;
}

/// What a symbol has to be. All bounds are included.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UniverseRules {
    /// The broker's names of exchanges.
    pub exchanges: BTreeSet<String>,
    /// Dollars.
    pub lowest_market_cap: Decimal,
    pub highest_market_cap: Decimal,
    /// Last close, dollars a share.
    pub lowest_price: Decimal,
    pub highest_price: Decimal,
    /// Shares in the last session.
    pub lowest_volume: Decimal,
    /// Symbols that are never traded.
    pub blocklist: BTreeSet<String>,
}

impl UniverseRules {
    /// NYSE and NASDAQ with the bounds of the settings; of the three strategies' market capitalizations the widest,
    /// since each of them filters for itself. `blocklist` has symbols divided by spaces, commas or line ends; what
    /// follows a `#` on its line is a remark.
    pub fn new(settings: &Settings, blocklist: &str) -> UniverseRules {
        let number = |key| to_decimal(settings.number(key)).unwrap_or_default();
        let lowest = [Key::MinMarketCapOpen, Key::MinMarketCapMid, Key::MinMarketCapClose].map(number);
        let highest = [Key::MaxMarketCapOpen, Key::MaxMarketCapMid, Key::MaxMarketCapClose].map(number);
        UniverseRules {
            exchanges: ["NYSE", "NASDAQ"].map(String::from).into(),
            lowest_market_cap: lowest.into_iter().min().unwrap_or_default(),
            highest_market_cap: highest.into_iter().max().unwrap_or_default(),
            lowest_price: number(Key::MinPrice),
            highest_price: number(Key::MaxPrice),
            lowest_volume: Decimal::from(settings.int(Key::MinVolumeThreshold)),
            blocklist: symbols_of(blocklist),
        }
    }
}

fn symbols_of(text: &str) -> BTreeSet<String> {
    text.lines()
        .map(|line| line.split('#').next().unwrap_or_default())
        .flat_map(|line| line.split([' ', ',', ';', '\t', '\r']))
        .filter(|symbol| !symbol.is_empty())
        .map(str::to_ascii_uppercase)
        .collect()
}

/// One symbol that may be traded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UniverseEntry {
    pub symbol: String,
    pub exchange: String,
    /// Dollars.
    pub market_cap: Decimal,
    /// Price by earnings, where it is known.
    #[serde(default)]
    pub pe_ratio: Option<Decimal>,
    /// All debt by equity, where it is known.
    #[serde(default)]
    pub debt_equity: Option<Decimal>,
    /// Dollars a share.
    pub last_close: Decimal,
    /// Shares in the last session.
    pub volume: Decimal,
    pub fractionable: bool,
    /// Whether it can be sold short.
    pub shortable: bool,
}

/// The content of `symbol_universe.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SymbolUniverse {
    pub v: u32,
    /// When it was built, UTC.
    pub built: String,
    /// The session whose close and volume counted.
    pub session: NaiveDate,
    pub rules: UniverseRules,
    /// How many stocks were left out, by the first rule that they missed.
    pub excluded: BTreeMap<String, usize>,
    /// By symbol.
    pub symbols: Vec<UniverseEntry>,
}

/// Why there is no new universe. The old one stays.
#[derive(Debug, thiserror::Error)]
pub enum UniverseError {
    /// Thousands of stocks are asked for, which is not done while they are traded.
    #[error("the exchange is open until {0}; the universe is built when it is closed")]
    TradingHours(String),
    /// Before the calendar's first session.
    #[error("there is no session before {0}")]
    NoSession(String),
    /// A question was not answered.
    #[error("the universe was not built: {0}")]
    Broker(#[from] BrokerError),
    /// The rules, or an answer, must be wrong.
    #[error("no stock meets all rules; left out: {0}")]
    Empty(String),
    /// Not a universe.
    #[error("symbol_universe.json: {0}; it is built again in the night")]
    Content(String),
}

/// Version of the file.
const VERSION: u32 = 1;

impl SymbolUniverse {
    /// Path in the data folder.
    pub const PATH: &'static str = "output/cache/symbol_universe.json";

    /// The session that a universe built at `now` is of: the last one that ended at or before it.
    ///
    /// # Errors
    /// The exchange is open, or the calendar knows no session before.
    pub fn last_session(now: Nanos) -> Result<Session, UniverseError> {
        let calendar = Calendar::nyse();
        let today = new_york_date(now);
        if let Some(session) = calendar.session(today)
            && (session.open..session.close).contains(&now)
        {
            return Err(UniverseError::TradingHours(format_time(session.close)));
        }
        let first = today - chrono::Days::new(14);
        let before = calendar.sessions(first, today).into_iter().rfind(|session| session.close <= now);
        before.ok_or_else(|| UniverseError::NoSession(format_time(now)))
    }

    /// Builds it anew. Stocks are asked for from cheap to dear: the capitalization only of those that meet every other
    /// rule, in the order of their names.
    ///
    /// # Errors
    /// The exchange is open, a question was not answered, or no stock is left.
    pub async fn build(
        broker: &dyn Broker,
        fundamentals: &dyn Fundamentals,
        rules: UniverseRules,
        now: Nanos,
    ) -> Result<SymbolUniverse, UniverseError> {
        let session = SymbolUniverse::last_session(now)?;
        let mut excluded: BTreeMap<String, usize> = BTreeMap::new();
        let mut exclude = |why: &str| *excluded.entry(why.to_string()).or_default() += 1;
        let mut assets = BTreeMap::new();
        for asset in broker.get_assets().await? {
            if !rules.exchanges.contains(&asset.exchange) {
                exclude("exchange");
            } else if !asset.tradable {
                exclude("not tradable");
            } else if rules.blocklist.contains(&asset.symbol) {
                exclude("blocklist");
            } else {
                assets.insert(asset.symbol.clone(), asset);
            }
        }
        // A daily bar starts at midnight in New York, which is less than twelve hours before the open.
        let query = BarQuery {
            symbols: assets.keys().cloned().collect(),
            size: BarSize::Day,
            from: session.open - 12 * 60 * MINUTE,
            to: session.open,
        };
        let bars: BTreeMap<String, (Decimal, Decimal)> =
            broker.get_bars(query).await?.into_iter().map(|bar| (bar.symbol, (bar.close, bar.volume))).collect();
        let mut symbols = Vec::new();
        for (symbol, asset) in assets {
            let Some(&(last_close, volume)) = bars.get(&symbol) else {
                exclude("no bar in the last session");
                continue;
            };
            if !(rules.lowest_price..=rules.highest_price).contains(&last_close) {
                exclude("price");
                continue;
            }
            if volume < rules.lowest_volume {
                exclude("volume");
                continue;
            }
            let company = fundamentals.company(&symbol).await?;
            match company.market_cap {
                None => exclude("market capitalization not known"),
                Some(market_cap) if !(rules.lowest_market_cap..=rules.highest_market_cap).contains(&market_cap) => {
                    exclude("market capitalization");
                }
                Some(market_cap) => symbols.push(UniverseEntry {
                    symbol,
                    exchange: asset.exchange,
                    market_cap,
                    pe_ratio: company.pe_ratio,
                    debt_equity: company.debt_equity,
                    last_close,
                    volume,
                    fractionable: asset.fractionable,
                    shortable: asset.shortable && asset.easy_to_borrow,
                }),
            }
        }
        if symbols.is_empty() {
            let counts: Vec<String> = excluded.iter().map(|(why, count)| format!("{count} for {why}")).collect();
            return Err(UniverseError::Empty(counts.join(", ")));
        }
        let built = format_time(now);
        Ok(SymbolUniverse { v: VERSION, built, session: session.date, rules, excluded, symbols })
    }

    /// The content of the file.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Reads the content of the file.
    ///
    /// # Errors
    /// It is no universe, or of another version.
    pub fn from_json(text: &str) -> Result<SymbolUniverse, UniverseError> {
        let universe: SymbolUniverse =
            serde_json::from_str(text).map_err(|error| UniverseError::Content(error.to_string()))?;
        match universe.v {
            VERSION => Ok(universe),
            other => Err(UniverseError::Content(format!("version {other}, expected {VERSION}"))),
        }
    }

    /// Whether a symbol may be traded.
    pub fn contains(&self, symbol: &str) -> bool {
        self.symbols.binary_search_by(|entry| entry.symbol.as_str().cmp(symbol)).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::parse_time;

    #[test]
    fn the_bounds_are_those_of_the_settings_and_the_widest_of_the_strategies() {
        let (settings, _) =
            Settings::parse("MIN_MARKET_CAP_MID=1000000000\nMAX_MARKET_CAP_CLOSE=20000000000\n", "t").unwrap();
        let rules = UniverseRules::new(&settings, "TSLA, gme # too wild\n\nAMC;BB\n# XYZ");
        let decimal = |text: &str| text.parse::<Decimal>().unwrap();
        assert_eq!(
            (rules.lowest_market_cap, rules.highest_market_cap),
            (decimal("1e9".replace("e9", "000000000").as_str()), decimal("20000000000"))
        );
        assert_eq!((rules.lowest_price, rules.highest_price), (decimal("5"), decimal("100")));
        assert_eq!(rules.lowest_volume, decimal("1000000"));
        assert_eq!(rules.blocklist.iter().collect::<Vec<_>>(), ["AMC", "BB", "GME", "TSLA"]);
    }

    #[test]
    fn the_last_session_is_the_one_that_has_ended() {
        let date =
            |now: &str| SymbolUniverse::last_session(parse_time(now).unwrap()).map(|session| session.date.to_string());
        assert_eq!(date("2024-03-26T20:00:00Z").unwrap(), "2024-03-26");
        assert_eq!(date("2024-03-26T13:29:59Z").unwrap(), "2024-03-25");
        assert_eq!(date("2024-04-01T03:00:00Z").unwrap(), "2024-03-28", "Good Friday and a weekend");
        assert!(matches!(date("2024-03-26T13:30:00Z"), Err(UniverseError::TradingHours(_))));
        assert!(matches!(date("1980-01-01T00:00:00Z"), Err(UniverseError::NoSession(_))));
    }
}
