//! Speed of the engine: bars a second with the full order path, data in memory, one core.
//!
//! `cargo bench --bench engine`. Figures of one machine: docs/performance.md.

use chrono::NaiveDate;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tradebot::backtest::{RunConfig, RunResult, run};
use tradebot::engine::StrategySetup;
use tradebot::market::{Bars, Calendar, Fundamental, MINUTE, Market, MarketParts, Vix};
use tradebot::risk::Limits;
use tradebot::sim::SimRules;
use tradebot::strategies::{BuildContext, find};
use tradebot::trading::{AccountKind, AccountRules};

/// A random walk on cents over `sessions` full sessions from 2014 on.
fn random_walk(symbol: &str, sessions: usize, seed: u64) -> (String, Bars) {
    let from = NaiveDate::from_ymd_opt(2014, 1, 2).expect("a date");
    let to = NaiveDate::from_ymd_opt(2026, 12, 31).expect("a date");
    let mut state = seed;
    let mut random = move || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((state >> 33) as f64) / f64::from(1u32 << 31) - 0.5
    };
    let mut bars = Bars::default();
    let mut start = Vec::new();
    let mut price = 100.0f64;
    for session in Calendar.sessions(from, to).iter().filter(|s| !s.early_close).take(sessions) {
        for minute in 0..390 {
            let open = price;
            let close = (open * (1.0 + 0.0016 * random()) * 100.0).round() / 100.0;
            let high = ((open.max(close) + 0.05 * (random() + 0.5)) * 100.0).round() / 100.0;
            let low = ((open.min(close) - 0.05 * (random() + 0.5)) * 100.0).round() / 100.0;
            start.push(session.open + minute * MINUTE);
            bars.open.push(open);
            bars.high.push(high.max(open).max(close));
            bars.low.push(low.min(open).min(close));
            bars.close.push(close);
            bars.volume.push(1_000.0 + (50_000.0 * (random() + 0.5)).round());
            price = close.max(1.0);
        }
    }
    bars.start = Arc::new(start);
    (symbol.to_string(), bars)
}

fn market(series: Vec<(String, Bars)>) -> Market {
    let from = NaiveDate::from_ymd_opt(2014, 1, 2).expect("a date");
    let to = NaiveDate::from_ymd_opt(2026, 12, 31).expect("a date");
    let parts = MarketParts { name: "bench".into(), bar_length: MINUTE, series, ..MarketParts::default() };
    Market::new(parts, &Calendar.sessions(from, to)).expect("bars")
}

fn config() -> RunConfig {
    RunConfig {
        cash: 10_000_000.0,
        rules: SimRules {
            fill: "path".parse().expect("a rule"),
            latency: 500_000_000,
            commission: "per_share:0.005:min=1:max_pct=0.5".parse().expect("a model"),
            slippage: "normal:0.15:0.10".parse().expect("a model"),
            participation: 0.0,
            limit_penetrate: false,
            fractional: false,
            seed: 1,
        },
        limits: Limits {
            disable_all_trades: false,
            daily_loss_limit: 0.05,
            max_open_positions: 5,
            defense: None,
            account: AccountRules {
                kind: AccountKind::Margin,
                initial_margin: 0.5,
                maintenance_margin: 0.25,
                margin_rate: 0.06,
                borrow_rate: 0.003,
                fractional: false,
            },
            borrow: BTreeMap::new(),
        },
    }
}

fn run_named(market: &Market, config: &RunConfig, names: &[(&str, &[(&str, &str)])]) -> RunResult {
    let strategies = names
        .iter()
        .map(|(name, given)| {
            let spec = find(name).expect("a strategy");
            let given: Vec<_> = given.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
            let params = spec.check(&given).expect("parameters");
            let strategy = spec.build(&params, &BuildContext::default()).expect("a strategy");
            StrategySetup { strategy, bound_to_position_limit: spec.bound_to_settings }
        })
        .collect();
    run(market, config, strategies, &AtomicBool::new(false)).expect("not interrupted")
}

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn engine(c: &mut Criterion) {
    let single = market(vec![random_walk("WALK", 2_564, 7)]);
    let bars = single.bar_count();
    let config = config();
    let result = run_named(&single, &config, &[("sma_cross", &[("qty", "100")])]);
    eprintln!("{bars} bars, {} fills", result.fills.len());
    let mut group = c.benchmark_group("one symbol, one million bars");
    group.throughput(Throughput::Elements(bars));
    group.sample_size(20);
    for name in ["sma_cross", "ema_cross", "bollinger"] {
        group.bench_function(name, |b| b.iter(|| run_named(&single, &config, &[(name, &[("qty", "100")])])));
    }
    group.bench_function("buy_and_hold", |b| {
        b.iter(|| run_named(&single, &config, &[("buy_and_hold", &[("qty", "100")])]))
    });
    group.finish();
}

/// `open`, `mid` and `close` over a hundred symbols: they look at few of the bars.
fn windows(c: &mut Criterion) {
    let mut series: Vec<(String, Bars)> = (0..100).map(|k| random_walk(&format!("S{k:02}"), 250, 7 + k)).collect();
    let start = series[0].1.start.clone();
    series.iter_mut().for_each(|(_, bars)| bars.start = start.clone());
    let mut market = market(series);
    let passes =
        Fundamental { market_cap: Some(5e9), pe_ratio: Some(20.0), debt_equity: Some(1.0), ..Fundamental::default() };
    market.fundamentals = Some(market.symbol_ids().map(|symbol| (symbol, vec![passes.clone()])).collect());
    let daily = market.days.iter().map(|day| (day.date, 20.0)).collect();
    market.vix = Some(Vix { daily, intraday: Vec::new() });
    let (bars, config) = (market.bar_count(), config());
    let given = |own: &[(&'static str, &'static str)]| [&[("MAX_PRICE", "10000")], own].concat();
    let (open, mid, close) = (
        given(&[("STRAT_OPEN_BUFFER", "0.001"), ("SHORT_TYPE_OPEN", "ShortSell")]),
        given(&[("STRAT_MID_VWAP_THRESHOLD", "0.005"), ("SHORT_TYPE_MID", "ShortSell")]),
        given(&[("SHORT_TYPE_CLOSE", "ShortSell")]),
    );
    let all: [(&str, &[(&str, &str)]); 3] = [("open", &open), ("mid", &mid), ("close", &close)];
    eprintln!("{bars} bars, {} fills", run_named(&market, &config, &all).fills.len());
    let mut group = c.benchmark_group("a hundred symbols, 250 sessions");
    group.throughput(Throughput::Elements(bars));
    group.sample_size(10);
    group.bench_function("open, mid, close", |b| b.iter(|| run_named(&market, &config, &all)));
    group.finish();
}

criterion_group!(benches, engine, windows);
criterion_main!(benches);
