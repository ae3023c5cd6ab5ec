//! The rules of the order-state machine, as examples and as properties.

use proptest::prelude::*;

use super::*;
use crate::trading::OrderState::*;

fn decimal(n: i64) -> Decimal {
    Decimal::from(n)
}

fn report(status: Status, filled: i64, source: Source) -> OrderReport {
    OrderReport {
        client_id: "c-1".into(),
        broker_id: "b-1".into(),
        symbol: "AAPL".into(),
        side: Side::Buy,
        qty: Some(decimal(10)),
        status,
        filled: decimal(filled),
        average_price: None,
        execution: None,
        submitted: 0,
        time: 0,
        reason: None,
        replaced_by: None,
        replaces: None,
        source,
    }
}

fn stream(state: OrderState, filled: i64) -> OrderReport {
    report(Status::State(state), filled, Source::Stream)
}

fn records(state: OrderState, filled: i64) -> OrderReport {
    report(Status::State(state), filled, Source::Records)
}

/// An execution of `qty` shares after which `cumulative` are filled.
fn execution(id: &str, qty: i64, cumulative: i64) -> ExecutionReport {
    ExecutionReport {
        id: id.into(),
        time: 0,
        qty: decimal(qty),
        price: decimal(100 + cumulative),
        cumulative: Some(decimal(cumulative)),
    }
}

fn fill(id: &str, qty: i64, cumulative: i64) -> OrderReport {
    let state = if cumulative == 10 { Filled } else { PartiallyFilled };
    OrderReport { execution: Some(execution(id, qty, cumulative)), ..stream(state, cumulative) }
}

fn book_of(reports: &[OrderReport]) -> OrderBook {
    let mut book = OrderBook::new();
    for report in reports {
        book.apply(report);
    }
    book
}

fn state_after(reports: &[OrderReport]) -> OrderState {
    book_of(reports).get("c-1").unwrap().state
}

#[test]
fn a_stream_moves_the_state_forward_only() {
    assert_eq!(state_after(&[stream(Working, 0), stream(Accepted, 0)]), Working);
    assert_eq!(state_after(&[fill("e1", 4, 4), stream(Working, 0)]), PartiallyFilled);
    assert_eq!(state_after(&[fill("e1", 10, 10), stream(Working, 0)]), Filled, "a fill may precede `new`");
}

#[test]
fn records_win_over_what_a_stream_said() {
    assert_eq!(state_after(&[stream(Working, 0), records(Accepted, 0)]), Accepted);
    let mut book = book_of(&[stream(Working, 0), report(Status::Overlay(Overlay::PendingCancel), 0, Source::Stream)]);
    assert_eq!(book.get("c-1").unwrap().overlay, Some(Overlay::PendingCancel));
    book.apply(&records(Working, 0));
    assert_eq!(book.get("c-1").unwrap().overlay, None, "the records know of no pending cancel");
}

#[test]
fn records_do_not_take_back_fills_or_ends() {
    assert_eq!(state_after(&[fill("e1", 4, 4), records(Working, 0)]), PartiallyFilled);
    assert_eq!(state_after(&[fill("e1", 10, 10), records(Working, 0)]), Filled);
    assert_eq!(state_after(&[stream(Canceled, 0), records(Filled, 10)]), Canceled);
}

#[test]
fn an_execution_after_the_end_is_booked_and_leaves_the_end() {
    let mut book = book_of(&[stream(Working, 0), stream(Canceled, 0)]);
    let applied = book.apply(&fill("late", 4, 4));
    assert_eq!(applied.execution, Some(execution("late", 4, 4)));
    let order = book.get("c-1").unwrap();
    assert_eq!((order.state, order.filled, order.booked()), (Canceled, decimal(4), decimal(4)));
}

#[test]
fn the_same_execution_under_another_number_is_known_by_the_quantity_it_led_to() {
    let mut book = book_of(&[fill("stream-1", 4, 4)]);
    assert_eq!(book.apply(&fill("records-1", 4, 4)).execution, None);
    assert!(book.apply(&fill("records-2", 6, 10)).execution.is_some());
    assert_eq!(book.get("c-1").unwrap().booked(), decimal(10));
}

#[test]
fn executions_never_add_up_to_more_than_is_reported_as_filled() {
    let unnumbered = |id: &str| OrderReport {
        execution: Some(ExecutionReport { cumulative: None, ..execution(id, 4, 4) }),
        ..stream(PartiallyFilled, 4)
    };
    let mut book = book_of(&[unnumbered("a")]);
    let applied = book.apply(&unnumbered("b"));
    assert_eq!((applied.execution, applied.changed), (None, false));
}

#[test]
fn what_is_filled_without_an_execution_is_missing() {
    let mut book = book_of(&[records(PartiallyFilled, 7)]);
    assert_eq!(book.get("c-1").unwrap().missing(), decimal(7));
    assert_eq!(book.apply(&fill("e1", 3, 3)).missing, decimal(4));
    assert_eq!(book.apply(&fill("e2", 4, 7)).missing, decimal(0));
    assert_eq!(book.pending().count(), 1);
    book.apply(&records(Canceled, 8));
    assert_eq!(book.pending().count(), 1, "ended, and one execution still to come");
    book.apply(&fill("e3", 1, 8));
    assert_eq!(book.pending().count(), 0);
}

#[test]
fn a_refused_request_ends_its_overlay_and_a_fill_does_not() {
    let pending = report(Status::Overlay(Overlay::PendingCancel), 0, Source::Stream);
    let mut book = book_of(&[stream(Working, 0), pending, fill("e1", 4, 4)]);
    let order = |book: &OrderBook| (book.get("c-1").unwrap().state, book.get("c-1").unwrap().overlay);
    assert_eq!(order(&book), (PartiallyFilled, Some(Overlay::PendingCancel)));
    book.apply(&report(Status::RequestRefused, 4, Source::Stream));
    assert_eq!(order(&book), (PartiallyFilled, None));
}

#[test]
fn an_unknown_word_changes_nothing_but_that_the_broker_has_the_order() {
    let word = report(Status::Unknown("pondering".into()), 0, Source::Stream);
    assert_eq!(state_after(std::slice::from_ref(&word)), Accepted);
    assert_eq!(state_after(&[stream(Working, 0), word.clone()]), Working);
    assert_eq!(state_after(&[stream(Canceled, 0), word]), Canceled);
}

#[test]
fn nothing_more_than_the_whole_quantity_is_left_to_fill() {
    assert_eq!(state_after(&[stream(PartiallyFilled, 10)]), Filled);
}

#[test]
fn orders_of_others_without_client_id_are_kept_by_the_brokers_number() {
    let foreign = OrderReport { client_id: String::new(), ..stream(Working, 0) };
    let book = book_of(&[foreign.clone(), foreign]);
    assert_eq!(book.iter().count(), 1);
    assert_eq!(book.by_broker_id("b-1").unwrap().state, Working);
}

#[test]
fn a_book_survives_being_written_down() {
    let book = book_of(&[stream(Working, 0), fill("e1", 4, 4)]);
    let text = serde_json::to_string(&book).unwrap();
    assert_eq!(serde_json::from_str::<OrderBook>(&text).unwrap(), book);
}

/// An order of 10 shares: cuts of its executions, how it ends, and what a bad connection makes of it.
#[derive(Debug, Clone)]
struct Life {
    /// (quantity, cumulative) of each execution.
    executions: Vec<(i64, i64)>,
    end: OrderState,
    /// Which report arrives, in this order; some twice, some never.
    arrivals: Vec<prop::sample::Index>,
}

fn life() -> impl Strategy<Value = Life> {
    (
        prop::collection::btree_set(1_i64..=10, 0..6),
        any::<bool>(),
        prop::collection::vec(any::<prop::sample::Index>(), 0..40),
    )
        .prop_map(|(cuts, expires, arrivals)| {
            let mut executions = Vec::new();
            let mut before = 0;
            for cumulative in cuts {
                executions.push((cumulative - before, cumulative));
                before = cumulative;
            }
            let end = match before {
                10 => Filled,
                _ if expires => Expired,
                _ => Canceled,
            };
            Life { executions, end, arrivals }
        })
}

impl Life {
    fn filled(&self) -> i64 {
        self.executions.last().map_or(0, |last| last.1)
    }

    fn stream(&self) -> Vec<OrderReport> {
        let mut all = vec![stream(Accepted, 0), stream(Working, 0)];
        for (n, &(qty, cumulative)) in self.executions.iter().enumerate() {
            all.push(fill(&format!("stream-{n}"), qty, cumulative));
        }
        all.push(report(Status::Overlay(Overlay::PendingCancel), self.filled(), Source::Stream));
        all.push(stream(self.end, self.filled()));
        all
    }

    /// What the records say in the end: the executions in any order, under numbers of their own or of the stream.
    fn records(&self, rotate: usize, same_numbers: bool) -> Vec<OrderReport> {
        let mut all: Vec<OrderReport> = Vec::new();
        for (n, &(qty, cumulative)) in self.executions.iter().enumerate() {
            let id = if same_numbers { format!("stream-{n}") } else { format!("records-{n}") };
            let end = records(self.end, self.filled());
            all.push(OrderReport { execution: Some(execution(&id, qty, cumulative)), ..end });
        }
        let rotate = rotate % all.len().max(1);
        all.rotate_left(rotate);
        all.push(records(self.end, self.filled()));
        all
    }
}

proptest! {
    /// Rules 1 to 4 along the way, and 5 at its end.
    #[test]
    fn whatever_arrives_of_a_stream_the_records_complete_it_and_nothing_is_booked_twice(
        life in life(),
        rotate in 0_usize..6,
        same_numbers: bool,
    ) {
        let said = life.stream();
        let mut book = OrderBook::new();
        let mut booked: Vec<ExecutionReport> = Vec::new();
        let mut last: Option<(OrderState, Decimal)> = None;
        let arrived = life.arrivals.iter().map(|at| at.get(&said).clone());
        for report in arrived.chain(life.records(rotate, same_numbers)) {
            let applied = book.apply(&report);
            booked.extend(applied.execution.clone());
            let order = book.get("c-1").unwrap();
            if let Some((state, filled)) = last {
                prop_assert!(order.filled >= filled, "filled quantity fell");
                prop_assert!(!state.is_final() || order.state == state, "{state:?} was left for {:?}", order.state);
            }
            prop_assert!(order.booked() <= order.filled);
            prop_assert_eq!(order.booked(), booked.iter().map(|e| e.qty).sum::<Decimal>());
            last = Some((order.state, order.filled));
        }
        let order = book.get("c-1").unwrap();
        prop_assert_eq!(order.state, life.end);
        prop_assert_eq!(order.overlay, None);
        prop_assert_eq!(order.missing(), Decimal::ZERO);
        let mut once: Vec<(Decimal, Decimal)> = booked.iter().map(|e| (e.cumulative.unwrap(), e.qty)).collect();
        once.sort();
        let truth: Vec<(Decimal, Decimal)> = life.executions.iter().map(|&(q, c)| (decimal(c), decimal(q))).collect();
        prop_assert_eq!(once, truth);
    }

    /// Saying everything again changes nothing.
    #[test]
    fn reports_are_idempotent(life in life()) {
        let said = life.stream();
        let mut book = book_of(&said);
        let before = book.clone();
        for report in &said {
            let applied = book.apply(report);
            prop_assert!(!applied.changed && applied.execution.is_none());
        }
        prop_assert_eq!(book, before);
    }

    /// With all of a stream, its order does not matter.
    #[test]
    fn the_order_of_arrival_does_not_matter_for_what_is_booked(life in life(), seed in any::<prop::sample::Index>()) {
        let mut said = life.stream();
        let at = seed.index(said.len());
        said.rotate_left(at);
        said.reverse();
        let book = book_of(&said);
        let order = book.get("c-1").unwrap();
        prop_assert_eq!(order.state, life.end);
        prop_assert_eq!(order.booked(), decimal(life.filled()));
    }
}
