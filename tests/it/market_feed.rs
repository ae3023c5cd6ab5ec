//! A market for the local Alpaca: its bars, the days before one, and the symbols that a session may trade.

use chrono::NaiveDate;
use rust_decimal::Decimal;
use tradebot::brokers::{SymbolUniverse, UniverseEntry, UniverseRules, to_decimal};
use tradebot::market::{Market, NewBar, SECOND};
use tradebot::settings::Settings;

use crate::local_alpaca::{AssetRow, FeedBar, LocalAlpaca, Setup};

/// The bars that end at a step of a day.
pub fn bars(market: &Market, day: usize, step: usize) -> Vec<FeedBar> {
    let decimal = |value: f64| to_decimal(value).unwrap();
    let bar = |bar: &NewBar| FeedBar {
        symbol: market.symbols[bar.symbol.index()].clone(),
        start: bar.start,
        open: decimal(bar.bar.open),
        high: decimal(bar.bar.high),
        low: decimal(bar.bar.low),
        close: decimal(bar.bar.close),
        volume: bar.bar.volume as u64,
    };
    market.bars_at(day, step).iter().map(bar).collect()
}

/// A server on which half a minute is left until a day opens, and which has the bars of the two days before it.
pub fn before_the_open(market: &Market, day: usize, setup: Setup) -> LocalAlpaca {
    let server = LocalAlpaca::start(Setup {
        now: market.days[day - 2].open - 60 * SECOND,
        symbols: market.symbols.iter().map(|symbol| AssetRow::new(symbol)).collect(),
        ..setup
    });
    for earlier in day - 2..day {
        let steps = market.days[earlier].first_step..market.days[earlier].end_step;
        server.feed(steps.flat_map(|step| bars(market, earlier, step)));
    }
    server.advance_to(market.days[day].open - 30 * SECOND);
    server
}

/// A universe of these symbols, as chosen after a session: large companies that can be traded in every way.
pub fn universe<'a>(session: NaiveDate, symbols: impl IntoIterator<Item = &'a String>) -> SymbolUniverse {
    let entry = |symbol: &String| UniverseEntry {
        symbol: symbol.clone(),
        exchange: "NYSE".to_string(),
        market_cap: Decimal::from(5_000_000_000_u64),
        pe_ratio: None,
        debt_equity: None,
        last_close: Decimal::TEN,
        volume: Decimal::from(1_000_000),
        fractionable: true,
        shortable: true,
    };
    SymbolUniverse {
        v: 1,
        built: "2024-01-01T00:00:00Z".to_string(),
        session,
        rules: UniverseRules::new(&Settings::default(), ""),
        excluded: Default::default(),
        symbols: symbols.into_iter().map(entry).collect(),
    }
}
