//! Cases worked out by hand, with the arithmetic beside them.
//!
//! One symbol, minute bars, one or two sessions. Bar `i` of a day runs from minute `i` to minute `i + 1`, its
//! legs last 20 seconds each; `t(1, 30.0)` is half past minute 1. Bar 0 is quiet, so that lines of minute 1 act
//! at its end and first meet bar 1. A path is written `20.00 > 19.90 > 20.60 > 20.20`.

mod family;
mod life;
mod prices;
mod words;

use super::case::{Case, FillRow, FinalOrder};
use super::compare::{fill_differences, order_differences};
use super::simulator;

/// A case with its expected fills and final orders.
pub struct HandCase {
    pub name: &'static str,
    pub case: Case,
    pub fills: Vec<FillRow>,
    pub orders: Vec<FinalOrder>,
}

/// All cases.
pub fn hand_cases() -> Vec<HandCase> {
    [prices::cases(), life::cases(), family::cases()].into_iter().flatten().collect()
}

#[test]
fn the_plain_simulator_agrees_with_the_hand() {
    for hand in hand_cases() {
        let outcome = simulator::run(&hand.case);
        let mut differences = fill_differences(&hand.fills, &outcome.fills);
        differences.extend(order_differences(&hand.orders, &outcome.orders));
        assert!(differences.is_empty(), "{}: {differences:#?}{:?}", hand.name, hand.case);
    }
}
