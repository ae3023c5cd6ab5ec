//! The block of JSON that the charts draw from.

use super::ReportSource;
use super::decimate::{buckets, curve_rows};
use super::histogram::{Histogram, histogram, quantile};
use super::prices::PricePanel;
use super::sessions::{SessionClose, offsets};
use crate::backtest::store::{TradeRow, drawdowns};
use crate::market::{Nanos, SECOND, format_date};
use serde::Serialize;
use std::collections::BTreeMap;

/// Points of the equity chart at most.
const CURVE_POINTS: usize = 4_000;
/// Sessions in the chart of strategies at most.
const STRATEGY_POINTS: usize = 1_500;
/// Strategies in one chart at most: more lines cannot be told apart.
const MOST_STRATEGIES: usize = 6;
/// Trades marked on prices at most: those with the largest results.
const MOST_MARKS: usize = 6_000;

/// Everything that is drawn.
#[derive(Debug, Serialize)]
pub struct Payload {
    /// Offsets of New York from UTC: [from, offset], seconds.
    zone: Vec<(i64, i64)>,
    equity: Curve,
    sessions: Sessions,
    strategies: Option<Lines>,
    daily_returns: Option<Distribution>,
    trade_results: Option<Distribution>,
    costs: Vec<(&'static str, f64)>,
    prices: Option<PricePanel>,
    trades: Marks,
    /// Trades that are not among the marks.
    #[serde(skip)]
    pub unmarked: usize,
}

/// The account over time, decimated.
#[derive(Debug, Serialize)]
struct Curve {
    start: f64,
    /// Number of the step, as difference to the one before.
    step: Vec<i64>,
    /// Seconds UTC, as difference to the one before.
    time: Vec<i64>,
    equity: Vec<f64>,
    drawdown: Vec<f64>,
    exposure: Vec<f64>,
}

/// The account at the close of each session.
#[derive(Debug, Serialize)]
struct Sessions {
    date: Vec<String>,
    equity: Vec<f64>,
    change: Vec<Option<f64>>,
}

/// Lines over sessions.
#[derive(Debug, Serialize)]
struct Lines {
    names: Vec<String>,
    time: Vec<i64>,
    values: Vec<Vec<f64>>,
}

/// A histogram with the values worth a line in it.
#[derive(Debug, Serialize)]
struct Distribution {
    #[serde(flatten)]
    histogram: Histogram,
    mean: f64,
    low: f64,
}

/// Trades as columns; texts are numbers into lists.
#[derive(Debug, Default, Serialize)]
struct Marks {
    symbols: Vec<String>,
    strategies: Vec<String>,
    reasons: Vec<String>,
    symbol: Vec<usize>,
    strategy: Vec<usize>,
    reason: Vec<usize>,
    /// 1 long, -1 short.
    side: Vec<i8>,
    qty: Vec<f64>,
    /// Seconds UTC.
    entry: Vec<f64>,
    entry_price: Vec<f64>,
    exit: Vec<f64>,
    exit_price: Vec<f64>,
    pnl: Vec<f64>,
}

impl Payload {
    /// Collects what is drawn.
    pub fn new(source: &ReportSource, closes: &[SessionClose], prices: Option<PricePanel>) -> Payload {
        let summary = source.summary;
        let returns: Vec<f64> = closes.iter().filter_map(|c| c.change).collect();
        let results: Vec<f64> = source.trades.iter().map(|t| t.pnl).collect();
        let (marks, unmarked) = marks(source.trades);
        let costs = &summary.costs;
        Payload {
            zone: zone(source),
            equity: curve(source),
            sessions: Sessions {
                date: closes.iter().map(|c| format_date(c.date)).collect(),
                equity: closes.iter().map(|c| cents(c.equity)).collect(),
                change: closes.iter().map(|c| c.change.map(|x| rounded(x, 1e6))).collect(),
            },
            strategies: strategy_lines(source.trades, closes),
            daily_returns: distribution(returns),
            trade_results: distribution(results),
            costs: vec![
                ("Commission", cents(costs.commission)),
                ("Slippage", cents(costs.slippage)),
                ("Borrow", cents(costs.borrow)),
                ("Interest", cents(costs.interest)),
            ],
            prices,
            trades: marks,
            unmarked,
        }
    }

    /// Whether prices are part of the page.
    pub fn prices(&self) -> Option<&PricePanel> {
        self.prices.as_ref()
    }

    /// Whether there is a chart of several strategies.
    pub fn has_strategy_chart(&self) -> bool {
        self.strategies.is_some()
    }
}

fn rounded(value: f64, scale: f64) -> f64 {
    (value * scale).round() / scale
}

fn cents(value: f64) -> f64 {
    rounded(value, 100.0)
}

fn seconds(t: Nanos) -> i64 {
    t.div_euclid(SECOND)
}

/// Differences to the value before, the first one to zero.
fn differences(values: impl Iterator<Item = i64>) -> Vec<i64> {
    let mut last = 0;
    values.map(|v| v - std::mem::replace(&mut last, v)).collect()
}

fn zone(source: &ReportSource) -> Vec<(i64, i64)> {
    let trades = source.trades.iter();
    // Trades may begin before the first bar ends.
    let first = trades.map(|t| t.entry_ts.0).chain(source.equity.time.first().copied()).min();
    offsets(first.into_iter().chain(source.equity.time.iter().copied()))
}

fn curve(source: &ReportSource) -> Curve {
    let equity = source.equity;
    let drawdown = drawdowns(&equity.equity, source.summary.start_equity);
    let rows = curve_rows(&equity.equity, &drawdown, &equity.exposure, CURVE_POINTS);
    Curve {
        start: cents(source.summary.start_equity),
        step: differences(rows.iter().map(|&i| i as i64)),
        time: differences(rows.iter().map(|&i| seconds(equity.time[i]))),
        equity: rows.iter().map(|&i| cents(equity.equity[i])).collect(),
        drawdown: rows.iter().map(|&i| rounded(drawdown[i], 1e6)).collect(),
        exposure: rows.iter().map(|&i| rounded(equity.exposure[i], 1e4)).collect(),
    }
}

/// Running sum of the closed trades of each strategy at the close of each session.
fn strategy_lines(trades: &[TradeRow], closes: &[SessionClose]) -> Option<Lines> {
    let mut names: Vec<String> = trades.iter().map(|t| t.strategy.clone()).collect();
    names.sort();
    names.dedup();
    if !(2..=MOST_STRATEGIES).contains(&names.len()) {
        return None;
    }
    let mut sums: Vec<f64> = vec![0.0; names.len()];
    let mut values: Vec<Vec<f64>> = vec![Vec::with_capacity(closes.len()); names.len()];
    let mut order: Vec<&TradeRow> = trades.iter().collect();
    order.sort_by_key(|t| t.exit_ts);
    let mut next = order.into_iter().peekable();
    for (i, close) in closes.iter().enumerate() {
        let last = i + 1 == closes.len();
        while let Some(trade) = next.next_if(|t| last || t.exit_ts.0 <= close.time) {
            if let Ok(k) = names.binary_search(&trade.strategy) {
                sums[k] += trade.pnl;
            }
        }
        for (column, sum) in values.iter_mut().zip(&sums) {
            column.push(cents(*sum));
        }
    }
    // The last session of each bucket: a running sum needs no extremes to be read right.
    let rows: Vec<usize> = buckets(closes.len(), STRATEGY_POINTS).map(|range| range.end - 1).collect();
    Some(Lines {
        names,
        time: differences(rows.iter().map(|&i| seconds(closes[i].time))),
        values: values.into_iter().map(|column| rows.iter().map(|&i| column[i]).collect()).collect(),
    })
}

fn distribution(mut values: Vec<f64>) -> Option<Distribution> {
    let histogram = histogram(&values)?;
    values.sort_by(f64::total_cmp);
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    Some(Distribution { histogram, mean, low: quantile(&values, 0.05) })
}

fn marks(trades: &[TradeRow]) -> (Marks, usize) {
    let mut kept: Vec<&TradeRow> = trades.iter().collect();
    if kept.len() > MOST_MARKS {
        kept.sort_by(|a, b| b.pnl.abs().total_cmp(&a.pnl.abs()));
        kept.truncate(MOST_MARKS);
        kept.sort_by_key(|t| t.exit_ts);
    }
    let unmarked = trades.len() - kept.len();
    let exact = |t: Nanos| t as f64 / SECOND as f64;
    let (symbols, symbol) = numbered(kept.iter().map(|t| t.symbol.as_str()));
    let (strategies, strategy) = numbered(kept.iter().map(|t| t.strategy.as_str()));
    let (reasons, reason) = numbered(kept.iter().map(|t| t.reason.as_str()));
    let marks = Marks {
        symbols,
        strategies,
        reasons,
        symbol,
        strategy,
        reason,
        side: kept.iter().map(|t| if t.side == "buy" { 1 } else { -1 }).collect(),
        qty: kept.iter().map(|t| rounded(t.qty, 1e4)).collect(),
        entry: kept.iter().map(|t| exact(t.entry_ts.0)).collect(),
        entry_price: kept.iter().map(|t| rounded(t.entry_price, 1e4)).collect(),
        exit: kept.iter().map(|t| exact(t.exit_ts.0)).collect(),
        exit_price: kept.iter().map(|t| rounded(t.exit_price, 1e4)).collect(),
        pnl: kept.iter().map(|t| cents(t.pnl)).collect(),
    };
    (marks, unmarked)
}

/// The distinct texts in order of name, and for each text its number among them.
fn numbered<'a>(texts: impl Iterator<Item = &'a str> + Clone) -> (Vec<String>, Vec<usize>) {
    let mut numbers: BTreeMap<&str, usize> = texts.clone().map(|text| (text, 0)).collect();
    for (number, slot) in numbers.values_mut().enumerate() {
        *slot = number;
    }
    let of = texts.map(|text| numbers[text]).collect();
    (numbers.into_keys().map(str::to_string).collect(), of)
}
