//! The core is killed at the steps of an order's life: before and after it reached the broker, between its executions,
//! between entry and exit, between exit and ledger, and while everything is being closed. While it is away, the broker
//! goes on. What the next process makes of it is compared with the broker in [`Traded::is_over`].

use std::time::Duration;

use rust_decimal::Decimal;
use serde_json::json;

use super::traded::Traded;
use super::{ADMIN, until};
use crate::local_alpaca::{Fault, Outcome};

/// The answer does not come before the process ends.
const NEVER: Fault = Fault::Slow(Duration::from_secs(600));

fn cancel(order: String) -> Outcome {
    Outcome::Cancel { order }
}

fn expire(order: String) -> Outcome {
    Outcome::Expire { order }
}

/// The broker takes a request to cancel, and has not acted on it.
fn pending() -> Fault {
    Fault::Answer { status: 204, headers: vec![], body: "", done: false }
}

/// Requests of these words are lost from now on.
fn lose(bot: &Traded, words: &str) {
    bot.server.faults(words, Fault::LoseRequest, usize::MAX);
}

#[test]
fn a_core_killed_at_every_step_of_its_orders_ends_the_day_with_the_books_of_the_broker() {
    let entries = ["NEVER", "AFTER", "LATE", "SLOW", "WAITS", "PART", "CANC", "EXPD", "HALF"];
    let exits = ["FILLED", "CHILD", "RACE"];
    let mut bot = Traded::new(&[&entries[..], &exits[..]].concat(), 3);
    bot.begin();
    bot.minute();

    // Entries: not at the broker, at the broker without an answer, without an execution, between two executions.
    for symbol in ["NEVER", "AFTER", "LATE"] {
        lose(&bot, &format!(r#"POST /v2/orders "{symbol}""#));
    }
    bot.server.fault(r#"POST /v2/orders "SLOW""#, NEVER);
    bot.raise(&entries);
    bot.minute();
    let lost = ["NEVER", "AFTER", "LATE"].map(|symbol| bot.sent(symbol, "buy"));
    for symbol in ["WAITS", "PART", "CANC", "EXPD", "HALF"] {
        bot.hears_of(symbol, 0);
    }
    bot.order("SLOW", 0);
    bot.fill("PART", 0, Some(10));
    bot.knows_executions("PART");
    assert_eq!(bot.state(), "trading");
    bot.kill();
    assert_eq!(bot.state(), "trading", "the file is as it was");
    // Meanwhile the broker fills, cancels, lets expire, and receives what was still on its way.
    bot.fill("SLOW", 0, None);
    bot.fill("WAITS", 0, Some(7));
    bot.fill("PART", 0, None);
    bot.end("CANC", 0, cancel);
    bot.end("EXPD", 0, expire);
    bot.fill("HALF", 0, Some(5));
    bot.end("HALF", 0, cancel);
    assert_eq!(bot.server.with(|desk| desk.post_order(&lost[1]).0), 200);
    bot.start_again();
    assert_eq!(bot.state(), "trading");
    for symbol in ["SLOW", "WAITS", "PART", "HALF"] {
        bot.knows_executions(symbol);
    }
    // One arrives even later.
    assert_eq!(bot.server.with(|desk| desk.post_order(&lost[2]).0), 200);
    bot.fill("LATE", 0, None);
    bot.fill("AFTER", 0, None);
    bot.fill("WAITS", 0, None);
    for symbol in ["SLOW", "WAITS", "PART", "HALF", "LATE", "AFTER"] {
        bot.knows_executions(symbol);
        bot.is_covered(symbol);
    }
    assert!(bot.orders("NEVER").is_empty());
    bot.sends_nothing_again();

    // Between entry and exit: filled and the exit not sent, the exit just accepted, filled and not heard of.
    lose(&bot, r#"POST /v2/orders "FILLED" "sell""#);
    bot.server.fault(r#"POST /v2/orders "CHILD" "sell""#, NEVER);
    bot.raise(&exits);
    bot.minute();
    for symbol in ["FILLED", "CHILD"] {
        bot.fill(symbol, 0, None);
        bot.knows_executions(symbol);
    }
    bot.sent("FILLED", "sell");
    bot.order("CHILD", 1);
    bot.fill("RACE", 0, None);
    bot.kill();
    bot.start_again();
    bot.knows_executions("RACE");
    bot.is_covered("RACE");
    bot.is_covered("CHILD");
    // The broker does not know the exit: it is sent again, under its id.
    bot.order("FILLED", 1);
    bot.sends_nothing_again();

    // Exits, at the end of the window.
    let ids = |symbol: &str| -> Vec<String> {
        bot.orders(symbol).into_iter().filter(|order| !order.is_final()).map(|order| order.id).collect()
    };
    for id in [ids("SLOW"), ids("WAITS")].concat() {
        bot.server.fault(&format!("DELETE {id}"), pending());
    }
    lose(&bot, &format!("DELETE {}", ids("PART")[0]));
    bot.server.fault(r#"POST /v2/orders "HALF" "market" "day""#, NEVER);
    lose(&bot, r#"POST /v2/orders "RACE" "day""#);
    bot.minute();
    bot.minute();
    bot.minute();
    for symbol in ["SLOW", "WAITS", "PART"] {
        bot.cancel_sent(symbol, 1);
    }
    bot.order("HALF", 2);
    bot.hears_of("AFTER", 2);
    bot.fill("LATE", 2, Some(11));
    bot.knows_executions("LATE");
    bot.fill("CHILD", 2, None);
    bot.kill();
    bot.end("SLOW", 1, cancel);
    bot.fill("WAITS", 1, None);
    bot.fill("HALF", 2, None);
    bot.fill("AFTER", 2, Some(15));
    bot.fill("LATE", 2, None);
    bot.fill("FILLED", 2, None);
    // Two minutes without anybody.
    bot.minute();
    bot.minute();
    bot.fill_at_once(true);
    bot.start_again();
    bot.fill("AFTER", 2, None);
    bot.is_over("idle");
    assert!(bot.server.with(|desk| desk.positions.is_empty()));
    assert!(bot.orders("NEVER").is_empty());
    let bought = |symbol: &str| bot.orders(symbol).iter().filter(|order| order.is_buy()).count();
    for symbol in entries.iter().chain(&exits).filter(|symbol| **symbol != "NEVER") {
        assert_eq!(bought(symbol), 1, "{symbol}");
    }
    assert_eq!(bot.refused_orders(), [""; 0]);
}

/// Everything is being closed when the core is killed, after `how`.
fn closing(bot: &mut Traded, symbols: [&str; 4], how: &str, word: &str, end: &str) {
    let [pends, lost, open, part] = symbols;
    bot.fill_at_once(false);
    bot.begin();
    bot.minute();
    bot.raise(&symbols);
    bot.minute();
    for symbol in [pends, lost, part] {
        bot.fill(symbol, 0, None);
        bot.knows_executions(symbol);
        bot.is_covered(symbol);
    }
    bot.hears_of(open, 0);
    bot.server.fault(&format!("DELETE {}", bot.order(pends, 1).id), pending());
    lose(bot, &format!(r#"POST /v2/orders "{lost}" "day""#));
    lose(bot, &format!("DELETE {}", bot.order(open, 0).id));
    let reply = bot.live().logged_in(ADMIN).json("POST", &format!("/api/v1/control/{how}"), &json!({}));
    assert_eq!((reply.status, &reply.json()["bot_state"]), (200, &json!(word)), "{}", reply.text());
    bot.cancel_sent(pends, 1);
    bot.cancel_sent(open, 0);
    bot.fill(part, 2, Some(5));
    bot.knows_executions(part);
    bot.kill();
    assert_eq!(bot.state(), word);
    // What was on its way fills all the same.
    bot.fill(open, 0, Some(3));
    bot.fill(part, 2, Some(6));
    bot.minute();
    bot.minute();
    bot.start_again();
    bot.knows_executions(open);
    assert_eq!(bot.state(), word, "there is something to close");
    until("the exit of what has filled late", || {
        bot.seconds(1);
        std::thread::sleep(Duration::from_millis(200));
        (bot.orders(open).len() > 1).then_some(())
    });
    bot.end(pends, 1, cancel);
    bot.fill(pends, 2, None);
    bot.fill(lost, 2, None);
    bot.fill(open, 1, None);
    bot.fill(part, 2, None);
    bot.is_over(end);
    assert!(bot.server.with(|desk| desk.positions.is_empty()));
    assert_eq!(bot.refused_orders(), [""; 0]);
    let left: Decimal = bot.server.with(|desk| desk.orders.iter().map(|order| order.left()).sum());
    assert_eq!(left, Decimal::ZERO);
}

#[test]
fn a_core_killed_while_it_closes_everything_goes_on_closing() {
    let mut bot = Traded::new(&["A", "B", "C", "D", "E", "F", "G", "H"], 30);
    closing(&mut bot, ["A", "B", "C", "D"], "stop", "graceful_closing_positions", "idle");
    bot.prices.values_mut().for_each(|price| *price = 100);
    bot.minute_unseen();
    closing(&mut bot, ["E", "F", "G", "H"], "kill", "emergency_closing_positions", "shutdown");
    assert_eq!(bot.state(), "idle", "somebody has acknowledged it");
}

#[test]
fn a_core_killed_whenever_the_broker_hears_from_it_ends_the_day_with_the_books_of_the_broker() {
    let symbols = ["A", "B", "C", "D"];
    let mut bot = Traded::new(&symbols, 5);
    bot.fill_at_once(true);
    bot.begin();
    // Each trade is four requests: entry, order for the close, its cancel, exit.
    let mut at = [1, 2, 4, 7, 9, 11, 14].into_iter();
    let mut next = at.next();
    bot.minute();
    for minute in 0..8 {
        bot.raise(&symbols[minute.min(3)..=minute.min(3)]);
        bot.minute_unseen();
        while bot.comes_to_request(next) {
            bot.kill();
            bot.start_again();
            next = at.next();
        }
    }
    until("the end of the session", || {
        bot.seconds(10);
        std::thread::sleep(Duration::from_millis(100));
        bot.session().join("session.json").exists().then_some(())
    });
    bot.is_over("idle");
    assert_eq!(next, None, "it was killed each time");
    assert!(bot.server.with(|desk| desk.positions.is_empty()));
    for symbol in symbols {
        assert_eq!(bot.orders(symbol).iter().filter(|order| order.is_buy()).count(), 1, "{symbol}");
    }
}
