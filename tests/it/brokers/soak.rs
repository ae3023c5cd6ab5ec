//! Many orders through faults drawn from seeds: one order each, each execution once, positions agree.

use std::collections::BTreeMap;
use std::time::Duration;

use rust_decimal::Decimal;
use tradebot::brokers::{Broker, BrokerError, BrokerEvent, OrderBook};
use tradebot::stats::philox4x32;
use tradebot::trading::{OrderState, Side};

use super::{Session, executions, id, limit, orders, run};
use crate::local_alpaca::{RandomFaults, Setup};

const SEEDS: u32 = 12;
const ORDERS: u32 = 10;

#[test]
fn whatever_goes_wrong_there_is_one_order_for_each_id_and_each_execution_comes_once() {
    for seed in 0..SEEDS {
        run(soak(seed));
    }
}

async fn soak(seed: u32) {
    let mut session = Session::start(Setup::default()).await;
    session.server.random_faults(Some(RandomFaults { seed, requests_per_mille: 300, messages_per_mille: 300 }));
    let mut refused = Vec::new();
    let mut seen = Vec::new();
    for n in 0..ORDERS {
        let name = format!("s-{seed}-{n}");
        match session.alpaca.submit_order(limit(&name, "AAPL", Side::Buy, 10.0, 100.0)).await {
            Ok(_) | Err(BrokerError::Unknown { .. }) => {}
            Err(error) => {
                assert!(error.is_definite(), "{error:?}");
                refused.push(name.clone());
            }
        }
        // Some fill whole, some in parts, some in part and then end.
        let [first, second, cancel, _] = philox4x32([n, 0, 0, 0], [seed, 1]);
        if session.server.with(|desk| desk.order_by_client_id(&name).is_some()) {
            for qty in [first % 6, second % 5].into_iter().filter(|qty| *qty > 0) {
                session.server.fill(&name, &qty.to_string(), &format!("{}.{n}", 90 + qty));
            }
            if cancel % 2 == 0 {
                let _ = session.alpaca.cancel_order(id(&name)).await;
            }
        }
        while let Some(event) = session.events.try_next() {
            seen.push(event);
        }
    }
    session.server.random_faults(None);
    // The calm after: everything ends, and every end is heard of.
    session.server.with(|desk| {
        let open: Vec<String> =
            desk.orders.iter().filter(|order| !order.is_final()).map(|order| order.id.clone()).collect();
        open.into_iter().for_each(|order| desk.cancel(&order).unwrap());
    });
    let truth: BTreeMap<String, (Decimal, usize)> = session.server.with(|desk| {
        desk.orders
            .iter()
            .map(|order| {
                let fills = desk.activities.iter().filter(|activity| activity["order_id"] == order.id.as_str()).count();
                (order.client_id.clone(), (order.filled, fills))
            })
            .collect()
    });
    assert_eq!(truth.len(), session.server.with(|desk| desk.orders.len()), "seed {seed}: an id has two orders");
    for name in &refused {
        assert!(!truth.contains_key(name), "seed {seed}: {name} was told to be refused and exists");
    }
    let complete = |seen: &[BrokerEvent]| {
        let mut book = OrderBook::new();
        orders(seen).for_each(|report| drop(book.apply(report)));
        truth.iter().all(|(name, (filled, _))| {
            book.get(name).is_some_and(|order| order.state.is_final() && order.booked() == *filled)
        })
    };
    while !complete(&seen) {
        match session.events.next_within(Duration::from_secs(20)).await {
            Some(event) => seen.push(event),
            None => panic!("seed {seed}: not complete: {truth:#?} {seen:#?}"),
        }
    }
    let mut total = Decimal::ZERO;
    for (name, (filled, fills)) in &truth {
        let booked = executions(&seen, name);
        assert_eq!(booked.len(), *fills, "seed {seed}, {name}: {booked:#?}");
        assert_eq!(booked.iter().map(|execution| execution.qty).sum::<Decimal>(), *filled, "seed {seed}, {name}");
        total += *filled;
    }
    let position = session.alpaca.get_positions().await.unwrap().first().map_or(Decimal::ZERO, |held| held.qty);
    assert_eq!(position, total, "seed {seed}");
    // Ends stay ends.
    let mut ends: BTreeMap<&str, OrderState> = BTreeMap::new();
    let mut book = OrderBook::new();
    for report in orders(&seen) {
        book.apply(report);
        let state = book.get(&report.client_id).unwrap().state;
        if let Some(end) = ends.get(report.client_id.as_str()) {
            assert_eq!(*end, state, "seed {seed}");
        } else if state.is_final() {
            ends.insert(&report.client_id, state);
        }
    }
}
