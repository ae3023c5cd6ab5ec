//! A session fed with the bars of a market, and the backtest of the same days.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use tradebot::backtest::{AccountSpec, RunSpec, StrategyChoice, run_recorded};
use tradebot::data::{LoadOptions, Source};
use tradebot::engine::fill_line;
use tradebot::market::{Market, SECOND};
use tradebot::session::day::inputs_at;
use tradebot::session::{Command, Input, Mode, Output, Plan, Recorder, Session};
use tradebot::settings::Settings;
use tradebot::sim::SimVenue;

/// What was asked of the venue, and what it filled.
#[derive(Debug, PartialEq)]
pub struct Streams {
    pub orders: Vec<String>,
    pub fills: Vec<String>,
}

/// A specification: 100,000 dollars on margin, latency and costs, one strategy.
pub fn spec(name: &str, params: &[(&str, &str)]) -> RunSpec {
    let params: BTreeMap<String, String> = params.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    RunSpec {
        data: LoadOptions::new(Source::Named("small".to_string())),
        strategies: vec![StrategyChoice { name: name.to_string(), params }],
        settings: Settings::default(),
        cash: 100_000.0,
        seed: 7,
        fill: "path".to_string(),
        commission: "per_share:0.005:min=1:max_pct=0.5".to_string(),
        slippage: "fixed_pct:0.02".to_string(),
        latency_ms: 250,
        participation: 0.0,
        limit_penetrate: false,
        whole_shorts: false,
        account: AccountSpec {
            kind: "margin".to_string(),
            initial_margin: 0.5,
            maintenance_margin: 0.25,
            margin_rate: 0.06,
            borrow_rate: 0.003,
        },
        borrow: None,
        orders: None,
        signals: None,
    }
}

/// The backtest of the days from `first` on.
pub fn backtest(spec: &RunSpec, market: &Market, first: usize) -> Streams {
    let config = spec.config(market).unwrap();
    let strategies = spec.build_strategies().unwrap();
    let days = first..market.days.len();
    let (result, stream) = run_recorded(market, &config, strategies, days, &AtomicBool::new(false)).unwrap();
    let name = |fill: &tradebot::trading::Fill| result.instruments[fill.symbol.index()].clone();
    let mut fills: Vec<String> = result.fills.iter().map(|fill| fill_line(fill, &name(fill))).collect();
    fills.sort();
    Streams { orders: stream.lines().to_vec(), fills }
}

/// Everything that happens from day `first` on, as it arrives: bars a moment after their end, a timer after each
/// step, the end of the data.
pub fn inputs(market: &Market, first: usize) -> Vec<Input> {
    let mut inputs = vec![Input::Command { time: market.days[first].open - SECOND, command: Command::Start }];
    for day in first..market.days.len() {
        for step in market.days[day].first_step..market.days[day].end_step {
            inputs.extend(inputs_at(market, day, step));
        }
    }
    let last = market.steps.last().unwrap() + 3 * SECOND;
    inputs.push(Input::Command { time: last, command: Command::EndOfData });
    inputs
}

/// A session from day `first` on with its journal at `path`.
pub fn recorder(spec: &RunSpec, market: &Market, first: usize, path: &Path) -> Recorder<SimVenue> {
    let before = market.parts_before(first);
    let venue = |plan: &Plan, market: &Market| plan.sim_venue(market);
    let (plan, history) = Plan::new("s-1", Mode::Paper, spec.clone(), 1_000, &before).unwrap();
    Recorder::begin(path, plan, &history, venue).unwrap()
}

/// The streams of a session that took `inputs`, whose order lines are in `outputs`.
pub fn streams(session: &Session<SimVenue>, outputs: &[Output]) -> Streams {
    let mut orders = Vec::new();
    for output in outputs {
        if let Output::Order(line) = output {
            orders.push(line.clone());
        }
    }
    let named = |fill: &tradebot::trading::Fill| session.instrument_name(fill.symbol);
    let mut fills: Vec<String> = session.portfolio().fills.iter().map(|fill| fill_line(fill, &named(fill))).collect();
    fills.sort();
    Streams { orders, fills }
}

/// The same days as a session.
pub fn session(spec: &RunSpec, market: &Market, first: usize) -> Streams {
    let folder = tempfile::tempdir().unwrap();
    let mut recorder = recorder(spec, market, first, &folder.path().join("journal"));
    let mut outputs = Vec::new();
    for input in inputs(market, first) {
        outputs.extend(recorder.handle(&input).unwrap());
    }
    streams(recorder.session(), &outputs)
}
