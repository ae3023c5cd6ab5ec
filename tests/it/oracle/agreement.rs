//! The engine and the plain simulator do the same, on the cases worked out by hand and on random ones.

use super::adapter::engine_run;
use super::case::Case;
use super::compare::{differences, fill_differences, order_differences};
use super::generate::{cases, cases_with_groups_across_symbols};
use super::simulator;
use super::table::hand_cases;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

/// Random cases of a usual run; `TRADEBOT_ORACLE_CASES` asks for more.
const CASES: u32 = 400;

#[test]
fn the_engine_agrees_with_the_hand() {
    let mut failures = Vec::new();
    for hand in hand_cases() {
        let outcome = engine_run(&hand.case);
        let mut differences = fill_differences(&hand.fills, &outcome.fills);
        differences.extend(order_differences(&hand.orders, &outcome.orders));
        if !differences.is_empty() {
            failures.push(format!("{}: {differences:#?}{:?}", hand.name, hand.case));
        }
    }
    assert!(failures.is_empty(), "{} cases differ:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn the_engine_agrees_with_the_plain_simulator() {
    agrees(cases());
}

#[test]
fn the_engine_agrees_with_the_plain_simulator_on_groups_across_symbols() {
    agrees(cases_with_groups_across_symbols());
}

fn agrees(strategy: impl Strategy<Value = Case>) {
    let cases = std::env::var("TRADEBOT_ORACLE_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(CASES);
    // A failing case is printed in full: no file needs to remember it.
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 20_000, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let result = runner.run(&strategy, |case| {
        let found = differences(&simulator::run(&case), &engine_run(&case));
        if found.is_empty() { Ok(()) } else { Err(TestCaseError::fail(format!("{found:#?}"))) }
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}
