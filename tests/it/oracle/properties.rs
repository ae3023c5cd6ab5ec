//! What must hold for every random case, whatever the readings chosen.

use super::case::{Case, FillRow, FillRule, FinalOrder, Line, Outcome, Slippage, Submission};
use super::generate::{cases, cases_with_groups_across_symbols};
use super::simulator::run;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use std::collections::BTreeSet;
use tradebot::market::Nanos;
use tradebot::trading::{OrderKind, OrderState, Side, TimeInForce};

fn submission(case: &Case, id: u32) -> &Submission {
    case.lines
        .iter()
        .find_map(|line| match line {
            Line::Submit(s) if s.id == id => Some(s),
            _ => None,
        })
        .expect("every fill and order belongs to a line")
}

fn fills_of(outcome: &Outcome, id: u32) -> Vec<&FillRow> {
    outcome.fills.iter().filter(|f| f.order == id).collect()
}

/// The instant a line acts at.
fn decided(case: &Case, line: &Submission) -> Nanos {
    *case.decision_times().iter().find(|&&t| t >= line.ts).expect("the line acted")
}

/// Lowest and highest price that a fill at `time` may have: those of the bar that runs, starts or ends then, or
/// of the last one before (market orders under `close`, fills at a session's close).
fn price_range(case: &Case, symbol: usize, time: Nanos) -> (f64, f64) {
    let bars = &case.series[symbol].bars;
    let last = bars.iter().rposition(|b| b.end <= time);
    let touching = bars.iter().enumerate().filter(|(i, b)| Some(*i) == last || (b.start <= time && time <= b.end));
    touching.fold((f64::INFINITY, 0.0), |(low, high), (_, b)| (low.min(b.prices.low), high.max(b.prices.high)))
}

proptest! {
    #![proptest_config(Config { cases: 200, ..Config::default() })]

    #[test]
    fn every_order_ends_and_its_quantities_add_up(case in cases()) {
        let outcome = run(&case);
        for FinalOrder { id, state, filled, .. } in &outcome.orders {
            let line = submission(&case, *id);
            let fills = fills_of(&outcome, *id);
            let sum: f64 = fills.iter().map(|f| f.qty).sum();
            prop_assert!(state.is_final());
            prop_assert!((sum - filled).abs() < 1e-9);
            prop_assert!(*filled <= line.qty + 1e-9);
            prop_assert!(fills.iter().all(|f| f.qty > 0.0 && (case.rules.fractional || f.qty.fract() == 0.0)));
            prop_assert!(*state != OrderState::Filled || *filled > 0.0);
            // What its group has taken is not asked for any more; the rest comes at once or not at all.
            prop_assert!(line.tif != TimeInForce::Fok || (fills.len() <= 1 && (*filled == 0.0 || *state == OrderState::Filled)));
        }
    }

    #[test]
    fn nothing_fills_before_it_has_arrived_nor_after_its_session(case in cases()) {
        let outcome = run(&case);
        for fill in &outcome.fills {
            let line = submission(&case, fill.order);
            let decided = decided(&case, line);
            let at_once = line.kind == OrderKind::Market
                && matches!(case.rules.fill, FillRule::NextOpen | FillRule::Close | FillRule::Quote);
            let latency = if at_once { 0 } else { case.rules.latency };
            prop_assert!(fill.time >= decided + latency);
            let on_auction = matches!(line.kind, OrderKind::MarketOnOpen | OrderKind::MarketOnClose);
            if line.tif == TimeInForce::Day && !on_auction && !(at_once && case.rules.fill != FillRule::NextOpen) {
                let session = case.days.iter().find(|d| d.close > decided).expect("a session is left");
                prop_assert!(fill.time <= session.close);
            }
            prop_assert!(case.days.iter().any(|d| d.open <= fill.time && fill.time <= d.close));
        }
    }

    #[test]
    fn prices_are_of_the_market_and_limits_are_kept(case in cases()) {
        let rules = super::case::Rules { slippage: Slippage::None, ..case.rules };
        let case = Case { rules, ..case };
        for fill in &run(&case).fills {
            let line = submission(&case, fill.order);
            match (line.kind.limit(), line.side) {
                (Some(limit), Side::Buy) => prop_assert!(fill.price <= limit),
                (Some(limit), Side::Sell) => prop_assert!(fill.price >= limit),
                _ => {}
            }
            if case.rules.fill != FillRule::Quote {
                let (low, high) = price_range(&case, line.symbol, fill.time);
                prop_assert!(low - 1e-9 <= fill.price && fill.price <= high + 1e-9);
            }
        }
    }

    #[test]
    fn a_group_sent_together_fills_no_more_than_its_largest_member(case in cases_with_groups_across_symbols()) {
        let outcome = run(&case);
        let labels: BTreeSet<u32> = outcome.orders.iter().filter_map(|o| submission(&case, o.id).oco).collect();
        for label in labels {
            let members = outcome.orders.iter().filter(|o| submission(&case, o.id).oco == Some(label));
            let (filled, largest) = members.fold((0.0, 0.0f64), |(filled, largest), o| {
                (filled + o.filled, largest.max(submission(&case, o.id).qty))
            });
            prop_assert!(filled <= largest + 1e-9);
        }
    }

    #[test]
    fn children_never_undo_more_than_their_parent_did(case in cases()) {
        let outcome = run(&case);
        for order in &outcome.orders {
            let Some(parent) = submission(&case, order.id).parent else { continue };
            // At every fill of the child, the parent had filled at least as much.
            let mut child_filled = 0.0;
            let mut parent_filled = 0.0;
            for fill in &outcome.fills {
                parent_filled += if fill.order == parent { fill.qty } else { 0.0 };
                child_filled += if fill.order == order.id { fill.qty } else { 0.0 };
                prop_assert!(child_filled <= parent_filled + 1e-9);
            }
        }
    }

    #[test]
    fn no_bar_gives_more_than_its_share(case in cases()) {
        let outcome = run(&case);
        for (symbol, series) in case.series.iter().enumerate().filter(|_| case.rules.participation > 0.0) {
            let in_symbol = |f: &&FillRow| submission(&case, f.order).symbol == symbol;
            for bar in &series.bars {
                let inside = outcome.fills.iter().filter(in_symbol).filter(|f| bar.start < f.time && f.time < bar.end);
                prop_assert!(inside.map(|f| f.qty).sum::<f64>() <= case.rules.participation * bar.prices.volume + 1e-9);
            }
            let all: f64 = series.bars.iter().map(|b| case.rules.participation * b.prices.volume).sum();
            prop_assert!(outcome.fills.iter().filter(in_symbol).map(|f| f.qty).sum::<f64>() <= all + 1e-9);
        }
    }

    #[test]
    fn the_account_is_the_sum_of_the_fills(case in cases()) {
        let outcome = run(&case);
        let mut cash = case.rules.cash;
        let mut positions = vec![0.0; case.series.len()];
        for fill in &outcome.fills {
            let line = submission(&case, fill.order);
            cash -= line.side.sign() * fill.qty * fill.price + fill.commission;
            positions[line.symbol] += line.side.sign() * fill.qty;
        }
        let values = case.series.iter().zip(&positions);
        let worth: f64 = values.map(|(s, p)| s.bars.last().map_or(0.0, |b| p * b.prices.close)).sum();
        prop_assert!((outcome.cash - cash).abs() < 1e-5);
        prop_assert!(outcome.positions == positions);
        prop_assert!((outcome.equity - cash - worth).abs() < 1e-5);
    }

    /// Prices and volumes after an instant change nothing of what happened before it.
    #[test]
    fn the_future_does_not_reach_back(case in cases(), at in 0..24usize) {
        let steps = case.decision_times();
        let until = steps[at % steps.len()];
        let mut changed = case.clone();
        for bar in changed.series.iter_mut().flat_map(|s| &mut s.bars).filter(|b| b.start >= until) {
            let p = &mut bar.prices;
            (p.open, p.high, p.low, p.close) = (1.25 * p.open, 1.25 * p.high, 1.25 * p.low, 1.25 * p.close);
            p.volume += 500.0;
        }
        let before = |case| run(case).fills.into_iter().filter(|f| f.time < until).collect::<Vec<_>>();
        prop_assert_eq!(before(&case), before(&changed));
    }

    /// Orders in one symbol do not notice those in another.
    #[test]
    fn symbols_do_not_disturb_each_other(case in cases()) {
        let whole = run(&case);
        for symbol in 0..case.series.len() {
            let ids: BTreeSet<u32> =
                whole.orders.iter().map(|o| o.id).filter(|&id| submission(&case, id).symbol == symbol).collect();
            let mut alone = case.clone();
            alone.lines.retain(|line| match line {
                Line::Submit(s) => ids.contains(&s.id),
                Line::Cancel { target, .. } => ids.contains(target),
            });
            let alone = run(&alone);
            let fills: Vec<FillRow> = whole.fills.iter().filter(|f| ids.contains(&f.order)).copied().collect();
            let orders: Vec<FinalOrder> = whole.orders.iter().filter(|o| ids.contains(&o.id)).copied().collect();
            prop_assert_eq!(fills, alone.fills);
            prop_assert_eq!(orders, alone.orders);
        }
    }
}

/// The random cases reach every type, every time in force, every end of an order and partial fills under every
/// fill rule: a comparison over them leaves nothing out.
#[test]
fn the_random_cases_reach_everything() {
    let mut runner = TestRunner::deterministic();
    let mut reached: BTreeSet<String> = BTreeSet::new();
    let strategy = cases();
    for _ in 0..1000 {
        let case = strategy.new_tree(&mut runner).expect("the strategy rejects nothing").current();
        let outcome = run(&case);
        let rule = case.rules.fill;
        for order in &outcome.orders {
            let line = submission(&case, order.id);
            let parts = fills_of(&outcome, order.id).len();
            let kind = line.kind.order_type().name();
            reached.insert(format!("{:?} {:?}", order.state, order.reason));
            if order.filled > 0.0 {
                reached.insert(format!("{rule:?} fills {kind}"));
                reached.insert(format!("fills {}", line.tif.name()));
                if line.parent.is_some() {
                    reached.insert(format!("{rule:?} fills child"));
                }
            }
            if parts > 1 {
                reached.insert(format!("{rule:?} fills in parts"));
            }
            if order.filled > 0.0 && order.state != OrderState::Filled {
                reached.insert(format!("{:?} {:?} with a part filled", order.state, order.reason));
            }
        }
    }
    let mut wanted: Vec<String> = Vec::new();
    for rule in ["Path", "Pessimistic", "Optimistic", "NextOpen", "Close", "Quote"] {
        for what in ["child", "in parts"] {
            wanted.push(format!("{rule} fills {what}"));
        }
        for kind in tradebot::trading::OrderType::ALL {
            wanted.push(format!("{rule} fills {}", kind.name()));
        }
    }
    wanted.extend(TimeInForce::ALL.iter().map(|tif| format!("fills {}", tif.name())));
    for end in [
        "Filled Complete",
        "Canceled Request",
        "Canceled Group",
        "Canceled Parent",
        "Canceled NotAtOnce",
        "Canceled Auction",
        "Canceled EndOfData",
        "Expired SessionClose",
        "Canceled Request with a part filled",
        "Canceled Group with a part filled",
        "Canceled NotAtOnce with a part filled",
        "Canceled Auction with a part filled",
        "Canceled EndOfData with a part filled",
        "Expired SessionClose with a part filled",
    ] {
        wanted.push(end.to_string());
    }
    let missing: Vec<String> = wanted.into_iter().filter(|w| !reached.contains(w)).collect();
    assert!(missing.is_empty(), "never reached: {missing:#?}");
}
