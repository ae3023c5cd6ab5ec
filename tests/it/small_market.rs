//! Small markets of minute bars, made in the test that needs them, and runs over them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tradebot::backtest::{RunConfig, RunResult, run};
use tradebot::engine::StrategySetup;
use tradebot::market::{
    Bar, Bars, Calendar, Fundamental, InverseMap, MINUTE, Market, MarketParts, Nanos, Quotes, Session, SymbolId, Vix,
    format_time, parse_date,
};
use tradebot::risk::Limits;
use tradebot::sim::SimRules;
use tradebot::strategies::{BuildContext, find};

/// A bar whose four prices are one.
pub fn flat(price: f64) -> Bar {
    Bar { open: price, high: price, low: price, close: price, volume: 10_000.0 }
}

/// A bar from one price to another.
pub fn step(open: f64, close: f64) -> Bar {
    Bar { open, high: open.max(close), low: open.min(close), close, volume: 10_000.0 }
}

/// Prices of a random walk in cents, the same for the same seed, with a bar missing here and there.
pub fn walk(seed: u64, sessions: usize) -> impl Fn(usize, usize) -> Option<Bar> {
    let mut state = seed;
    let mut next = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / f64::from(1u32 << 31)
    };
    let mut bars = Vec::new();
    let mut price: f64 = 50.0;
    for _ in 0..sessions * 390 {
        let open = price;
        price = ((open * (1.0 + (next() - 0.5) * 0.02)) * 100.0).round() / 100.0;
        let (high, low) = (open.max(price) + 0.05, open.min(price) - 0.05);
        let missing = next() < 0.05;
        let volume = (next() * 1e5).floor();
        bars.push(if missing { None } else { Some(Bar { open, high, low, close: price, volume }) });
    }
    move |day, minute| bars[day * 390 + minute]
}

/// What a market is made from. Symbols are sorted by name when it is built.
pub struct SmallMarket {
    pub sessions: Vec<Session>,
    series: BTreeMap<String, Bars>,
    pub parts: MarketParts,
}

impl SmallMarket {
    /// Minute bars on the sessions from one date to another.
    pub fn new(from: &str, to: &str) -> SmallMarket {
        let sessions = Calendar::nyse().sessions(parse_date(from).unwrap(), parse_date(to).unwrap());
        let parts = MarketParts { name: "small".to_string(), bar_length: MINUTE, ..MarketParts::default() };
        SmallMarket { sessions, series: BTreeMap::new(), parts }
    }

    /// Adds a symbol: its bar in minute `m` (from 0) of session `day` (from 0), if it has one.
    pub fn symbol(mut self, name: &str, bar: impl Fn(usize, usize) -> Option<Bar>) -> SmallMarket {
        let mut bars = Bars::default();
        let mut start: Vec<Nanos> = Vec::new();
        for (day, session) in self.sessions.iter().enumerate() {
            for minute in 0..((session.close - session.open) / MINUTE) as usize {
                let Some(b) = bar(day, minute) else { continue };
                start.push(session.open + minute as Nanos * MINUTE);
                bars.open.push(b.open);
                bars.high.push(b.high);
                bars.low.push(b.low);
                bars.close.push(b.close);
                bars.volume.push(b.volume);
            }
        }
        bars.start = Arc::new(start);
        self.series.insert(name.to_string(), bars);
        self
    }

    /// Gives a symbol quotes `half` a spread below and above its trades.
    pub fn quoted(mut self, name: &str, half: f64) -> SmallMarket {
        let bars = self.series.get_mut(name).unwrap();
        let by = |column: &[f64], by: f64| column.iter().map(|price| price + by).collect::<Vec<f64>>();
        bars.quotes = Some(Quotes {
            bid_open: by(&bars.open, -half),
            bid_high: by(&bars.high, -half),
            bid_low: by(&bars.low, -half),
            bid_close: by(&bars.close, -half),
            ask_open: by(&bars.open, half),
            ask_high: by(&bars.high, half),
            ask_low: by(&bars.low, half),
            ask_close: by(&bars.close, half),
        });
        self
    }

    /// The id that a symbol will have.
    pub fn id(&self, name: &str) -> SymbolId {
        SymbolId(self.series.keys().position(|s| s == name).unwrap() as u32)
    }

    /// Gives every symbol fundamentals that pass the default filters.
    pub fn healthy(mut self) -> SmallMarket {
        let row = Fundamental {
            market_cap: Some(5e9),
            pe_ratio: Some(20.0),
            debt_equity: Some(1.0),
            ..Fundamental::default()
        };
        let rows = (0..self.series.len() as u32).map(|id| (SymbolId(id), vec![row.clone()])).collect();
        self.parts.fundamentals = Some(rows);
        self
    }

    /// Makes an ETF stand for short positions in every symbol.
    pub fn inverse(mut self, etf: &str, leverage: f64) -> SmallMarket {
        let default = Some((self.id(etf), leverage));
        self.parts.inverse = Some(InverseMap { by_symbol: BTreeMap::new(), default });
        self
    }

    /// Closes of the volatility index by date.
    pub fn vix(mut self, daily: &[(&str, f64)]) -> SmallMarket {
        let daily = daily.iter().map(|(date, close)| (parse_date(date).unwrap(), *close)).collect();
        self.parts.vix = Some(Vix { daily, intraday: Vec::new() });
        self
    }

    /// The market.
    pub fn build(self) -> Market {
        let SmallMarket { sessions, series, mut parts } = self;
        parts.series = series.into_iter().collect();
        Market::new(parts, &sessions).unwrap()
    }
}

/// 100,000 dollars on margin, no latency, no costs, no limits.
pub fn plain_run() -> RunConfig {
    RunConfig { cash: 100_000.0, rules: SimRules::default(), limits: Limits::default() }
}

/// A built-in strategy with parameters, whole shares unless `fractional`.
pub fn strategy(name: &str, params: &[(&str, &str)], fractional: bool) -> StrategySetup {
    let spec = find(name).unwrap();
    let given: Vec<(String, String)> = params.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    let context = BuildContext { fractional, ..BuildContext::default() };
    let strategy = spec.build(&spec.check(&given).unwrap(), &context).unwrap();
    StrategySetup { strategy, bound_to_position_limit: spec.bound_to_settings }
}

/// Runs one strategy with [`plain_run`].
pub fn run_one(market: &Market, name: &str, params: &[(&str, &str)]) -> RunResult {
    run_with(market, &plain_run(), vec![strategy(name, params, true)])
}

/// Runs strategies.
pub fn run_with(market: &Market, config: &RunConfig, strategies: Vec<StrategySetup>) -> RunResult {
    run(market, config, strategies, &AtomicBool::new(false)).unwrap()
}

/// The fills as `2024-03-11T13:55 buy A 7.6923 @ 104 (reason)`.
pub fn fills(result: &RunResult) -> Vec<String> {
    let text = |f: &tradebot::trading::Fill| {
        let order = &result.orders[f.order.0 as usize].order;
        format!(
            "{} {} {} {:.4} @ {} ({})",
            &format_time(f.time)[..16],
            f.side.name(),
            result.instruments[f.symbol.index()],
            f.qty,
            (f.price * 1e6).round() / 1e6,
            order.request.reason
        )
    };
    result.fills.iter().map(text).collect()
}
