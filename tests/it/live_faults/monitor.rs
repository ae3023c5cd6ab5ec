//! Looks at the broker's desk, under its lock, for positions that nothing protects.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rust_decimal::Decimal;
use tradebot::market::{Nanos, SECOND};

use crate::local_alpaca::{Desk, Order, Watched};

/// Comparisons with the records, each undisturbed, within which a position has its stop: one that shows it, one that
/// may have been under way before, one whose time is the interval, and two for a machine with other things to do: here
/// an interval has 50 ms.
const COMPARISONS: u64 = 5;

/// And by the clock, as the session has heard it: what was turned down is tried again after a second, two, four.
const PAUSES: Nanos = 10 * SECOND;

/// A position without protection, since something was last disturbed.
struct Episode {
    faults: u64,
    clock: Nanos,
    /// Comparisons so far when the pauses were over.
    comparisons: Option<u64>,
    since: Instant,
}

#[derive(Default)]
pub struct Monitor {
    open: BTreeMap<String, Episode>,
    /// The longest time, undisturbed, in which something was unprotected.
    pub longest: Duration,
    pub episodes: u64,
    pub faults: Vec<String>,
    /// For each symbol the side that is entered.
    pub sides: BTreeMap<String, Decimal>,
}

/// Signed shares that open exits of a symbol do not cover.
fn uncovered(desk: &Desk, symbol: &str) -> Decimal {
    let position = desk.position(symbol);
    let covers = |order: &&Order| {
        order.symbol == symbol
            && order.is_buy() == position.is_sign_negative()
            && matches!(order.kind.as_str(), "stop" | "stop_limit" | "trailing_stop" | "market")
    };
    position.abs() - desk.orders.iter().filter(covers).map(Order::left).sum::<Decimal>()
}

/// Whether the rest of an entry that is just filling is in the way.
fn is_filling(desk: &Desk, symbol: &str, patience: Nanos) -> bool {
    let position = desk.position(symbol);
    let mut entries = desk
        .orders
        .iter()
        .filter(|order| order.symbol == symbol && !order.is_final() && order.is_buy() != position.is_sign_negative());
    entries.any(|order| {
        let first = desk.activities.iter().find(|activity| activity["order_id"] == order.id.as_str());
        let first = first.and_then(|activity| activity["transaction_time"].as_str());
        first.is_some_and(|time| desk.now() < tradebot::market::parse_time(time).unwrap() + patience)
    })
}

impl Monitor {
    /// `is_on`: the process runs and the broker takes requests; `heard`: the clock of the session.
    pub fn look(&mut self, desk: &Desk, watched: Watched, is_on: bool, heard: Nanos, patience: Nanos) {
        for (symbol, side) in &self.sides {
            if desk.position(symbol) * side < Decimal::ZERO && self.faults.is_empty() {
                self.faults
                    .push(format!("{symbol}: {} shares, against the side of every entry", desk.position(symbol)));
            }
        }
        if !is_on || !desk.is_open() {
            self.open.clear();
            return;
        }
        self.open.retain(|symbol, _| desk.positions.contains_key(symbol));
        for symbol in desk.positions.keys() {
            let missing = uncovered(desk, symbol);
            if missing <= Decimal::ZERO || is_filling(desk, symbol, patience) {
                self.open.remove(symbol);
                continue;
            }
            let fresh =
                || Episode { faults: watched.faults, clock: desk.now(), comparisons: None, since: Instant::now() };
            let is_new = !self.open.contains_key(symbol);
            self.episodes += u64::from(is_new);
            let episode = self.open.entry(symbol.clone()).or_insert_with(fresh);
            if episode.faults != watched.faults {
                *episode = fresh();
            }
            self.longest = self.longest.max(episode.since.elapsed());
            if heard < episode.clock + PAUSES {
                continue;
            }
            let seen = watched.comparisons - *episode.comparisons.get_or_insert(watched.comparisons);
            if seen > COMPARISONS && self.faults.is_empty() {
                let orders: Vec<&Order> = desk.orders.iter().filter(|order| order.symbol == *symbol).collect();
                self.faults.push(format!(
                    "{symbol}: {missing} of {} shares unprotected through {seen} comparisons: {orders:#?}",
                    desk.position(symbol)
                ));
            }
        }
    }

    /// Whether nothing is unprotected.
    pub fn is_covered(desk: &Desk) -> bool {
        desk.positions.keys().all(|symbol| uncovered(desk, symbol) <= Decimal::ZERO)
    }
}
