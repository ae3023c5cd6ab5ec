//! The path against the general way: the same bits.

use super::qualifies;
use crate::backtest::general::Run;
use crate::backtest::run::sim_venue;
use crate::backtest::{RunConfig, RunResult, Runner, metrics, run_sessions};
use crate::engine::{Core, StrategySetup};
use crate::market::{
    ActionKind, Bars, CorporateAction, DAY, MINUTE, Market, MarketParts, Nanos, Quotes, SECOND, Session, SymbolId,
    new_york_date,
};
use crate::risk::Limits;
use crate::sim::SimRules;
use crate::strategies::{BuildContext, find};
use crate::trading::{AccountKind, AccountRules};
use proptest::prelude::*;
use std::ops::Range;
use std::sync::Arc;

const OPEN: Nanos = 1_711_459_800 * SECOND;
const DAYS: i64 = 4;
const MINUTES: i64 = 40;

/// One bar as the test draws it: gap, body, above and below in cents, and whether it is missing.
type Draw = (i64, i64, i64, i64, bool);

fn market(draws: &[Draw], actions: &[(i64, bool)]) -> Market {
    let mut bars = Bars::default();
    let mut start = Vec::new();
    let mut price = 2_000;
    for (k, &(gap, body, above, below, missing)) in draws.iter().enumerate() {
        let (open, close) = ((price + gap).max(500), (price + gap + body).max(500));
        price = close;
        if missing {
            continue;
        }
        let (day, minute) = (k as i64 / MINUTES, k as i64 % MINUTES);
        start.push(OPEN + day * DAY + minute * MINUTE);
        bars.open.push(open as f64 / 100.0);
        bars.high.push((open.max(close) + above) as f64 / 100.0);
        bars.low.push((open.min(close) - below) as f64 / 100.0);
        bars.close.push(close as f64 / 100.0);
        bars.volume.push(if k % 17 == 0 { 0.0 } else { 1_000.0 + k as f64 });
    }
    let shifted = |column: &[f64], by: f64| column.iter().map(|p| p + by).collect::<Vec<f64>>();
    bars.quotes = Some(Quotes {
        bid_open: shifted(&bars.open, -0.02),
        bid_high: shifted(&bars.high, -0.02),
        bid_low: shifted(&bars.low, -0.02),
        bid_close: shifted(&bars.close, -0.02),
        ask_open: shifted(&bars.open, 0.02),
        ask_high: shifted(&bars.high, 0.02),
        ask_low: shifted(&bars.low, 0.02),
        ask_close: shifted(&bars.close, 0.02),
    });
    bars.start = Arc::new(start);
    let sessions: Vec<Session> = (0..DAYS)
        .map(|day| OPEN + day * DAY)
        .map(|open| Session { date: new_york_date(open), open, close: open + MINUTES * MINUTE, early_close: false })
        .collect();
    let action = |&(day, splits): &(i64, bool)| CorporateAction {
        symbol: SymbolId(0),
        date: new_york_date(OPEN + day * DAY),
        kind: if splits { ActionKind::Split { ratio: 1.5 } } else { ActionKind::Dividend { amount: 0.37 } },
    };
    let parts = MarketParts {
        bar_length: MINUTE,
        series: vec![("AAA".into(), bars)],
        actions: actions.iter().map(action).collect(),
        ..MarketParts::default()
    };
    Market::new(parts, &sessions).expect("bars")
}

fn strategy(name: &str, params: &[(&str, String)], fractional: bool) -> Vec<StrategySetup> {
    let spec = find(name).expect("a strategy");
    let given: Vec<_> = params.iter().map(|(k, v)| (k.to_string(), v.clone())).collect();
    let context = BuildContext { fractional, ..BuildContext::default() };
    let strategy = spec.build(&spec.check(&given).expect("parameters"), &context).expect("a strategy");
    vec![StrategySetup { strategy, bound_to_position_limit: spec.bound_to_settings }]
}

fn the_general_way(
    market: &Market,
    config: &RunConfig,
    strategies: Vec<StrategySetup>,
    sessions: Range<usize>,
) -> RunResult {
    let core = Core::new(market, strategies, config.limits.clone(), config.cash, None);
    let mut run = Run::new(market, core, sim_venue(market, config), config);
    run.sessions(sessions.clone(), |_| true).expect("not interrupted");
    run.finish(config.cash, sessions).0
}

fn rules(fill: &str, commission: &str, slippage: &str, latency: Nanos) -> SimRules {
    SimRules {
        fill: fill.parse().expect("a rule"),
        latency,
        commission: commission.parse().expect("a model"),
        slippage: slippage.parse().expect("a model"),
        seed: 7,
        ..SimRules::default()
    }
}

const STRATEGIES: [(&str, &[(&str, &str)]); 6] = [
    ("sma_cross", &[("fast", "2"), ("slow", "5")]),
    ("ema_cross", &[("fast", "2"), ("slow", "4")]),
    ("rsi_reversion", &[("period", "3")]),
    ("bollinger", &[("period", "4"), ("width", "1")]),
    ("donchian", &[("entry", "4"), ("exit", "2")]),
    ("vwap_reversion", &[("threshold", "0.002")]),
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_path_gives_the_bits_of_the_general_way(
        draws in prop::collection::vec(
            (-9..=9i64, -30..=30i64, 0..=20i64, 0..=20i64, prop::bool::weighted(0.02)),
            (DAYS * MINUTES) as usize,
        ),
        actions in prop::collection::vec((1..DAYS, any::<bool>()), 0..=2),
        (name, own) in prop::sample::select(STRATEGIES.to_vec()),
        size in prop::sample::select(vec![("qty", "100"), ("weight", "0.4"), ("weight", "1.0"), ("weight", "1.95"), ("weight", "2.1")]),
        long_short in any::<bool>(),
        fractional in any::<bool>(),
        fill in prop::sample::select(vec!["path", "pessimistic", "optimistic", "next_open", "close", "quote"]),
        commission in prop::sample::select(vec!["none", "per_share:0.005:min=1:max_pct=0.5", "alpaca", "ibkr_tiered"]),
        slippage in prop::sample::select(vec!["none", "fixed_pct:0.05", "rule_based:0.1", "normal:0.15:0.10"]),
        latency in prop::sample::select(vec![0, 1, 500_000_000, 20 * SECOND, 33_333_333_333, MINUTE, 71 * SECOND]),
        loss_limit in prop::sample::select(vec![f64::INFINITY, 0.05, 0.01, 0.002]),
        maintenance in prop::sample::select(vec![0.25, 0.49]),
        window in (0..DAYS as usize, 0..DAYS as usize),
    ) {
        let market = market(&draws, &actions);
        prop_assume!(market.days.len() == DAYS as usize);
        let config = RunConfig {
            cash: 10_000.0,
            rules: rules(fill, commission, slippage, latency),
            limits: Limits {
                daily_loss_limit: loss_limit,
                account: AccountRules {
                    maintenance_margin: maintenance,
                    margin_rate: 0.06,
                    borrow_rate: 0.003,
                    fractional,
                    ..AccountRules::default()
                },
                ..Limits::default()
            },
        };
        let direction = if long_short { "long_short" } else { "long" };
        let mut params: Vec<(&str, String)> = own.iter().map(|(k, v)| (*k, v.to_string())).collect();
        params.extend([(size.0, size.1.to_string()), ("direction", direction.to_string())]);
        let setup = || strategy(name, &params, fractional);
        let sessions = window.0.min(window.1)..window.0.max(window.1) + 1;
        let expected = the_general_way(&market, &config, setup(), sessions.clone());
        let found = run_sessions(&market, &config, setup(), sessions.clone(), |_| true).expect("not interrupted");
        // Every number in full: two results print alike only if they are alike to the last bit.
        let (found, wanted) = (format!("{found:?}"), format!("{expected:?}"));
        let differs = found.bytes().zip(wanted.bytes()).position(|(a, b)| a != b);
        let around = |text: &str| differs.map(|at| text[at.saturating_sub(400)..(at + 80).min(text.len())].to_string());
        prop_assert!(found == wanted, "found {:?}\nexpected {:?}", around(&found), around(&wanted));

        let runner = Runner::new(&market, config);
        for _ in 0..2 {
            let summary = runner.summary(setup(), sessions.clone(), |_| true).expect("not interrupted");
            prop_assert_eq!(&summary, &expected.summary());
        }
        let all = metrics(&expected.summary(), 0.0).expect("finite");
        prop_assert_eq!(all.get("trades"), Some(expected.trades.len() as f64));
    }
}

#[test]
fn what_the_path_does_not_foresee_goes_the_general_way() {
    let draws = vec![(0, 1, 1, 1, false); (DAYS * MINUTES) as usize];
    let market = market(&draws, &[]);
    let config = RunConfig { cash: 1e5, rules: SimRules::default(), limits: Limits::default() };
    assert!(qualifies(&market, &config));
    let refuses = |change: &dyn Fn(&mut RunConfig)| {
        let mut other = config.clone();
        change(&mut other);
        !qualifies(&market, &other)
    };
    assert!(refuses(&|c| c.limits.account.kind = AccountKind::Cash));
    assert!(refuses(&|c| c.limits.disable_all_trades = true));
    assert!(refuses(&|c| c.rules.participation = 0.1));
    assert!(refuses(&|c| {
        c.limits.borrow.insert(SymbolId(0), (0.01, 100.0));
    }));
}
