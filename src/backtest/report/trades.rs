//! Trades by strategy, symbol, side, reason and hour; the best and the worst.

use super::format::{count, money, percent, plural, price, ratio, shares, signed_money, tone};
use crate::backtest::store::TradeRow;
use crate::market::{DAY, Nanos, SECOND, new_york_offset};
use chrono::DateTime;
use std::collections::BTreeMap;

/// Rows of a table at most; the rest is summed in one last row.
const MOST_ROWS: usize = 100;
/// Best and worst trades shown.
const EXTREMES: usize = 8;

/// A table of trades in groups.
#[derive(Debug)]
pub struct GroupTable {
    pub title: &'static str,
    /// What the first column holds.
    pub head: &'static str,
    pub rows: Vec<GroupRow>,
}

/// One group as shown.
#[derive(Debug)]
pub struct GroupRow {
    pub label: String,
    pub trades: String,
    pub win_rate: String,
    pub net: String,
    pub net_tone: &'static str,
    pub profit_factor: String,
    pub average: String,
    pub best: String,
    pub worst: String,
    pub costs: String,
    pub bars_held: String,
}

/// One trade as shown.
#[derive(Debug)]
pub struct TradeView {
    pub symbol: String,
    pub strategy: String,
    pub side: &'static str,
    pub qty: String,
    pub entry: String,
    pub entry_price: String,
    pub exit: String,
    pub exit_price: String,
    pub pnl: String,
    pub pnl_tone: &'static str,
    pub mae: String,
    pub mfe: String,
    pub bars_held: String,
    pub reason: String,
    /// Key of the day in the price panel.
    pub day: String,
}

/// Sums of one group.
#[derive(Debug, Default)]
struct Tally {
    trades: u64,
    wins: u64,
    net: f64,
    gains: f64,
    losses: f64,
    best: f64,
    worst: f64,
    costs: f64,
    bars_held: u64,
}

impl Tally {
    fn add(&mut self, trade: &TradeRow) {
        if self.trades == 0 {
            (self.best, self.worst) = (trade.pnl, trade.pnl);
        }
        self.trades += 1;
        self.net += trade.pnl;
        if trade.pnl > 0.0 {
            self.wins += 1;
            self.gains += trade.pnl;
        } else {
            self.losses -= trade.pnl;
        }
        self.best = self.best.max(trade.pnl);
        self.worst = self.worst.min(trade.pnl);
        self.costs += trade.commission + trade.slippage;
        self.bars_held += u64::from(trade.bars_held);
    }

    fn merge(&mut self, other: &Tally) {
        if self.trades == 0 {
            (self.best, self.worst) = (other.best, other.worst);
        }
        self.trades += other.trades;
        self.wins += other.wins;
        self.net += other.net;
        self.gains += other.gains;
        self.losses += other.losses;
        self.best = self.best.max(other.best);
        self.worst = self.worst.min(other.worst);
        self.costs += other.costs;
        self.bars_held += other.bars_held;
    }

    fn row(&self, label: String) -> GroupRow {
        let n = self.trades as f64;
        GroupRow {
            label,
            trades: count(self.trades),
            win_rate: percent(self.wins as f64 / n),
            net: signed_money(self.net),
            net_tone: tone(self.net),
            profit_factor: ratio((self.losses > 0.0).then(|| self.gains / self.losses), 2),
            average: signed_money(self.net / n),
            best: signed_money(self.best),
            worst: signed_money(self.worst),
            costs: money(self.costs),
            bars_held: ratio(self.bars_held as f64 / n, 1),
        }
    }
}

/// Every table of groups, in the order of the page.
pub fn group_tables(trades: &[TradeRow]) -> Vec<GroupTable> {
    if trades.is_empty() {
        return Vec::new();
    }
    vec![
        group("By strategy", "Strategy", trades, Order::Net, |t| t.strategy.clone()),
        group("By symbol", "Symbol", trades, Order::Net, |t| t.symbol.clone()),
        group("By side", "Side", trades, Order::Name, |t| side(t).to_string()),
        group("By exit reason", "Reason", trades, Order::Net, |t| t.reason.clone()),
        group("By hour of entry", "New York time", trades, Order::Name, |t| {
            let hour = (t.entry_ts.0 + new_york_offset(t.entry_ts.0)).rem_euclid(DAY) / (3600 * SECOND);
            format!("{hour:02}:00 to {hour:02}:59")
        }),
    ]
}

/// How the rows of a table follow each other.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    /// Largest net result first.
    Net,
    Name,
}

fn group(
    title: &'static str,
    head: &'static str,
    trades: &[TradeRow],
    order: Order,
    key: impl Fn(&TradeRow) -> String,
) -> GroupTable {
    let mut groups: BTreeMap<String, Tally> = BTreeMap::new();
    for trade in trades {
        groups.entry(key(trade)).or_default().add(trade);
    }
    let mut groups: Vec<(String, Tally)> = groups.into_iter().collect();
    if order == Order::Net {
        groups.sort_by(|a, b| b.1.net.total_cmp(&a.1.net));
    }
    // Both ends of a long table matter: what is summed up is its middle.
    let mut rest = Tally::default();
    let rest_count = groups.len().saturating_sub(MOST_ROWS);
    if rest_count > 0 {
        for (_, tally) in groups.drain(MOST_ROWS / 2..MOST_ROWS / 2 + rest_count) {
            rest.merge(&tally);
        }
    }
    let mut rows: Vec<GroupRow> = groups.into_iter().map(|(label, tally)| tally.row(label)).collect();
    if rest_count > 0 {
        let label = format!("({} between, together)", plural(rest_count as u64, "row"));
        rows.insert(MOST_ROWS / 2, rest.row(label));
    }
    GroupTable { title, head, rows }
}

/// The best and the worst trades, most extreme first.
pub fn extremes(trades: &[TradeRow]) -> (Vec<TradeView>, Vec<TradeView>) {
    let mut order: Vec<&TradeRow> = trades.iter().collect();
    order.sort_by(|a, b| b.pnl.total_cmp(&a.pnl));
    let best = order.iter().filter(|t| t.pnl > 0.0).take(EXTREMES).map(|t| view(t)).collect();
    let worst = order.iter().rev().filter(|t| t.pnl < 0.0).take(EXTREMES).map(|t| view(t)).collect();
    (best, worst)
}

fn view(t: &TradeRow) -> TradeView {
    TradeView {
        symbol: t.symbol.clone(),
        strategy: t.strategy.clone(),
        side: side(t),
        qty: shares(t.qty),
        entry: clock(t.entry_ts.0),
        entry_price: price(t.entry_price),
        exit: clock(t.exit_ts.0),
        exit_price: price(t.exit_price),
        pnl: signed_money(t.pnl),
        pnl_tone: tone(t.pnl),
        mae: money(t.mae),
        mfe: money(t.mfe),
        bars_held: count(u64::from(t.bars_held)),
        reason: t.reason.clone(),
        day: crate::market::format_date(crate::market::new_york_date(t.entry_ts.0)),
    }
}

/// `long` or `short`.
pub fn side(trade: &TradeRow) -> &'static str {
    if trade.side == "buy" { "long" } else { "short" }
}

/// `2024-03-26 13:30`, UTC; with seconds where they are not zero.
fn clock(t: Nanos) -> String {
    let format = if t.rem_euclid(60 * SECOND) < SECOND { "%Y-%m-%d %H:%M" } else { "%Y-%m-%d %H:%M:%S" };
    DateTime::from_timestamp_nanos(t).format(format).to_string()
}
