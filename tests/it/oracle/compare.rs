//! The differences between two outcomes, in words.

use super::case::{FillRow, FinalOrder, Outcome};
use tradebot::market::format_time;

/// Two instants of one fill may differ by this much: positions are floating point numbers.
const SAME_INSTANT: i64 = 1;
/// Prices, quantities and commissions agree within this part of their size.
const SAME_NUMBER: f64 = 1e-9;
/// Dollars: cash and equity are sums of many terms in an order of their own.
const SAME_MONEY: f64 = 1e-4;

/// Everything in which `actual` differs from `expected`; empty if they agree. Fills are compared in order of
/// time and order id, since fills of different symbols at one instant have no order of their own.
pub fn differences(expected: &Outcome, actual: &Outcome) -> Vec<String> {
    let mut out = fill_differences(&expected.fills, &actual.fills);
    out.extend(order_differences(&expected.orders, &actual.orders));
    if (expected.cash - actual.cash).abs() > SAME_MONEY {
        out.push(format!("cash: expected {}, found {}", expected.cash, actual.cash));
    }
    if expected.positions.len() != actual.positions.len()
        || expected.positions.iter().zip(&actual.positions).any(|(a, b)| !same(*a, *b))
    {
        out.push(format!("positions: expected {:?}, found {:?}", expected.positions, actual.positions));
    }
    if (expected.equity - actual.equity).abs() > SAME_MONEY {
        out.push(format!("equity: expected {}, found {}", expected.equity, actual.equity));
    }
    out
}

/// The differences between two lists of fills.
pub fn fill_differences(expected: &[FillRow], actual: &[FillRow]) -> Vec<String> {
    let (expected, actual) = (sorted(expected), sorted(actual));
    let mut out = Vec::new();
    for i in 0..expected.len().max(actual.len()) {
        match (expected.get(i), actual.get(i)) {
            (Some(a), Some(b)) if same_fill(a, b) => {}
            (a, b) => out.push(format!("fill {i}: expected {}, found {}", fill_text(a), fill_text(b))),
        }
    }
    out
}

/// The differences between two lists of orders, compared in order of id.
pub fn order_differences(expected: &[FinalOrder], actual: &[FinalOrder]) -> Vec<String> {
    let (mut expected, mut actual) = (expected.to_vec(), actual.to_vec());
    expected.sort_by_key(|o| o.id);
    actual.sort_by_key(|o| o.id);
    let mut out = Vec::new();
    for i in 0..expected.len().max(actual.len()) {
        match (expected.get(i), actual.get(i)) {
            (Some(a), Some(b))
                if (a.id, a.state, a.reason) == (b.id, b.state, b.reason) && same(a.filled, b.filled) => {}
            (a, b) => out.push(format!("order {i}: expected {a:?}, found {b:?}")),
        }
    }
    out
}

fn sorted(fills: &[FillRow]) -> Vec<FillRow> {
    let mut fills = fills.to_vec();
    fills.sort_by_key(|f| (f.time, f.order));
    fills
}

fn same(a: f64, b: f64) -> bool {
    (a - b).abs() <= SAME_NUMBER * a.abs().max(1.0)
}

fn same_fill(a: &FillRow, b: &FillRow) -> bool {
    a.order == b.order
        && (a.time - b.time).abs() <= SAME_INSTANT
        && same(a.qty, b.qty)
        && same(a.price, b.price)
        && same(a.commission, b.commission)
}

fn fill_text(fill: Option<&FillRow>) -> String {
    fill.map_or("none".to_string(), |f| {
        format!("order {} {} {} @ {} commission {}", f.order, format_time(f.time), f.qty, f.price, f.commission)
    })
}

#[cfg(test)]
mod tests {
    use super::super::case::Reason;
    use super::*;
    use tradebot::trading::OrderState;

    fn outcome() -> Outcome {
        Outcome {
            fills: vec![FillRow { order: 1, time: 60_000_000_000, qty: 100.0, price: 20.25, commission: 1.0 }],
            orders: vec![FinalOrder { id: 1, state: OrderState::Filled, filled: 100.0, reason: Reason::Complete }],
            cash: 7_974.0,
            positions: vec![100.0],
            equity: 9_999.0,
        }
    }

    #[test]
    fn rounding_is_no_difference() {
        let mut other = outcome();
        other.fills[0].time += 1;
        other.fills[0].price += 1e-12;
        other.cash += 1e-9;
        assert_eq!(differences(&outcome(), &other), Vec::<String>::new());
    }

    #[test]
    fn every_field_counts() {
        let changes: [fn(&mut Outcome); 13] = [
            |o| o.fills[0].order = 2,
            |o| o.fills[0].time += 2,
            |o| o.fills[0].qty += 1e-6,
            |o| o.fills[0].price -= 1e-6,
            |o| o.fills[0].commission += 1e-6,
            |o| o.fills.clear(),
            |o| o.orders[0].id = 2,
            |o| o.orders[0].state = OrderState::Canceled,
            |o| o.orders[0].filled = 99.0,
            |o| o.orders[0].reason = Reason::Group,
            |o| o.cash += 0.01,
            |o| o.positions.push(0.0),
            |o| o.equity -= 0.01,
        ];
        for (i, change) in changes.iter().enumerate() {
            let mut other = outcome();
            change(&mut other);
            assert_eq!(differences(&outcome(), &other).len(), 1, "change {i}");
        }
    }
}
