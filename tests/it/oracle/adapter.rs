//! The engine run on a case: a real market, the strategy `orders`, a run, and its result in the words of the
//! plain simulator.

use super::case::{Case, Commission, FillRow, FillRule, FinalOrder, Line, Outcome, Reason, Slippage, Submission};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tradebot::backtest::{RunConfig, RunResult, run};
use tradebot::engine::StrategySetup;
use tradebot::market::{Bars, MINUTE, Market, MarketParts, Quotes, Session, new_york_date};
use tradebot::risk::Limits;
use tradebot::sim::{self, SimRules};
use tradebot::strategies::{LineAction, OrderLine, OrdersFromFile};
use tradebot::trading::{AccountKind, AccountRules, OrderKind, OrderState, TimeInForce};

/// What the engine makes of a case.
pub fn engine_run(case: &Case) -> Outcome {
    let result = engine_result(case, AccountKind::Margin, case.rules.cash);
    outcome(case, &market(case), &result)
}

/// The result of the engine with another account.
pub fn engine_result(case: &Case, kind: AccountKind, cash: f64) -> RunResult {
    let strategy = Box::new(OrdersFromFile::new(order_lines(case)));
    let mut config = config(case);
    config.cash = cash;
    config.limits.account.kind = kind;
    let strategies = vec![StrategySetup { strategy, bound_to_position_limit: false }];
    run(&market(case), &config, strategies, &AtomicBool::new(false)).expect("nobody interrupts")
}

/// The market of a case.
pub fn market(case: &Case) -> Market {
    let sessions: Vec<Session> = case
        .days
        .iter()
        .map(|d| Session { date: new_york_date(d.open), open: d.open, close: d.close, early_close: false })
        .collect();
    let series = case.series.iter().map(|series| {
        let column = |value: fn(&tradebot::market::Bar) -> f64| series.bars.iter().map(|b| value(&b.prices)).collect();
        let quote = |value: fn(&tradebot::market::QuoteBar) -> f64| {
            series.bars.iter().filter_map(|b| b.quotes.as_ref()).map(value).collect::<Vec<f64>>()
        };
        let quoted = series.bars.iter().any(|b| b.quotes.is_some());
        let bars = Bars {
            start: Arc::new(series.bars.iter().map(|b| b.start).collect()),
            open: column(|b| b.open),
            high: column(|b| b.high),
            low: column(|b| b.low),
            close: column(|b| b.close),
            volume: column(|b| b.volume),
            quotes: quoted.then(|| Quotes {
                bid_open: quote(|q| q.bid_open),
                bid_high: quote(|q| q.bid_high),
                bid_low: quote(|q| q.bid_low),
                bid_close: quote(|q| q.bid_close),
                ask_open: quote(|q| q.ask_open),
                ask_high: quote(|q| q.ask_high),
                ask_low: quote(|q| q.ask_low),
                ask_close: quote(|q| q.ask_close),
            }),
        };
        (series.name.clone(), bars)
    });
    let parts = MarketParts {
        name: "case".to_string(),
        bar_length: MINUTE,
        series: series.collect(),
        ..MarketParts::default()
    };
    Market::new(parts, &sessions).expect("a case has bars")
}

/// Limits that never bind, so that fill rules alone decide.
fn config(case: &Case) -> RunConfig {
    let rules = &case.rules;
    RunConfig {
        cash: rules.cash,
        rules: SimRules {
            fill: match rules.fill {
                FillRule::Path => sim::FillRule::Path,
                FillRule::Pessimistic => sim::FillRule::Pessimistic,
                FillRule::Optimistic => sim::FillRule::Optimistic,
                FillRule::NextOpen => sim::FillRule::NextOpen,
                FillRule::Close => sim::FillRule::Close,
                FillRule::Quote => sim::FillRule::Quote,
            },
            latency: rules.latency,
            commission: match rules.commission {
                Commission::None => sim::Commission::None,
                Commission::Bps(bps) => sim::Commission::Bps(bps),
                Commission::PerShare { rate, min, max_pct } => sim::Commission::PerShare { rate, min, max_pct },
                Commission::PerOrder(fee) => sim::Commission::PerOrder(fee),
            },
            slippage: match rules.slippage {
                Slippage::None => sim::Slippage::None,
                Slippage::FixedPct(percent) => sim::Slippage::FixedPct(percent),
                Slippage::RuleBased { k } => sim::Slippage::RuleBased(k),
            },
            participation: rules.participation,
            limit_penetrate: rules.limit_penetrate,
            fractional: rules.fractional,
            seed: 1,
        },
        limits: Limits {
            disable_all_trades: false,
            daily_loss_limit: f64::INFINITY,
            max_open_positions: usize::MAX,
            defense: None,
            account: AccountRules {
                kind: AccountKind::Margin,
                initial_margin: 0.0,
                maintenance_margin: 0.0,
                margin_rate: 0.0,
                borrow_rate: 0.0,
                fractional: rules.fractional,
            },
            borrow: BTreeMap::new(),
        },
    }
}

fn order_lines(case: &Case) -> Vec<OrderLine> {
    let action = |line: &Line| match line {
        Line::Cancel { target, .. } => LineAction::Cancel { id: target.to_string() },
        Line::Submit(s) => LineAction::Submit {
            id: s.id.to_string(),
            symbol: case.series[s.symbol].name.clone(),
            side: s.side,
            qty: s.qty,
            kind: s.kind,
            tif: s.tif,
            oco: s.oco.map(|label| label.to_string()),
            parent: s.parent.map(|id| id.to_string()),
        },
    };
    case.lines.iter().map(|line| OrderLine { time: line.ts(), action: action(line) }).collect()
}

fn outcome(case: &Case, market: &Market, result: &RunResult) -> Outcome {
    let id = |order: tradebot::trading::OrderId| {
        result.labels[order.0 as usize].parse::<u32>().expect("labels are the ids of the lines")
    };
    let submission = |id: u32| {
        case.lines
            .iter()
            .find_map(|line| match line {
                Line::Submit(s) if s.id == id => Some(s),
                _ => None,
            })
            .expect("orders come from lines")
    };
    let fills = result.fills.iter().map(|f| FillRow {
        order: id(f.order),
        time: f.time,
        qty: f.qty,
        price: f.price,
        commission: f.commission,
    });
    let orders = result.orders.iter().map(|record| {
        let id = id(record.order.id);
        let last = result.order_events.iter().rfind(|e| e.id == record.order.id).expect("every order has an event");
        assert_eq!(last.state, record.state, "order {id}");
        assert_eq!(last.filled, record.filled, "order {id}");
        FinalOrder {
            id,
            state: record.state,
            filled: record.filled,
            reason: reason(record.state, last.reason, submission(id)),
        }
    });
    let mut positions = vec![0.0; case.series.len()];
    for fill in &result.fills {
        positions[fill.symbol.index()] += fill.side.sign() * fill.qty;
    }
    let curve = result.equity_curve(market);
    Outcome {
        fills: fills.collect(),
        orders: orders.collect(),
        cash: *curve.cash.last().expect("a run has steps"),
        positions,
        equity: *result.equity.last().expect("a run has steps"),
    }
}

/// The class of the engine's wording.
fn reason(state: OrderState, text: &str, line: &Submission) -> Reason {
    let for_auction = matches!(line.kind, OrderKind::MarketOnOpen | OrderKind::MarketOnClose)
        || matches!(line.tif, TimeInForce::Opg | TimeInForce::Cls);
    match (state, text) {
        (OrderState::Filled, _) => Reason::Complete,
        (OrderState::Rejected, _) => Reason::Invalid,
        (OrderState::Expired, "end of session") => Reason::SessionClose,
        (OrderState::Canceled, "canceled") => Reason::Request,
        (OrderState::Canceled, "oco") => Reason::Group,
        (OrderState::Canceled, "parent ended") => Reason::Parent,
        (OrderState::Canceled, "end_of_data") => Reason::EndOfData,
        (OrderState::Canceled, "not fillable" | "volume cap" | "cannot fill at once") if for_auction => Reason::Auction,
        (OrderState::Canceled, "not fillable" | "volume cap" | "cannot fill at once") => Reason::NotAtOnce,
        other => panic!("order {} ended as {other:?}", line.id),
    }
}
