//! Our books against the broker's.

use std::collections::{BTreeMap, BTreeSet};

use tradebot::brokers::to_f64;
use tradebot::market::{new_york_date, parse_time};
use tradebot::session::journal::read;
use tradebot::session::replay::{AnySession, rerun};
use tradebot::sim::Commission;
use tradebot::trading::Side;

use super::monitor::Monitor;
use super::rig::{Rig, SESSION};

/// The order of the core that a client order id belongs to.
fn core_order(client_id: &str) -> u32 {
    let rest = client_id.strip_prefix(SESSION).and_then(|rest| rest.strip_prefix('-'));
    let rest = rest.unwrap_or_else(|| panic!("{client_id} is not of this session"));
    rest.split('-').next().unwrap().parse().unwrap()
}

/// Compares everything, from the journal. The number of executions.
pub fn compare(rig: &Rig, what: &str) -> usize {
    let contents = read(&rig.path).unwrap();
    let (replay, session) = rerun(&rig.path, &contents).unwrap();
    assert_eq!(replay.divergence, None, "{what}: the journal does not lead to its orders");
    let AnySession::Live(session) = session else { panic!("{what}: not a live session") };
    let portfolio = session.portfolio();
    let commission: Commission = session.plan().spec.commission.parse().unwrap();
    rig.server.with(|desk| {
        // The broker's side, by order of the core.
        let mut filled: BTreeMap<u32, f64> = BTreeMap::new();
        let (mut ids, mut fees, mut by_wire) = (BTreeSet::new(), 0.0, BTreeMap::new());
        for order in &desk.orders {
            assert!(ids.insert(order.client_id.clone()), "{what}: {} exists twice", order.client_id);
            *filled.entry(core_order(&order.client_id)).or_default() += to_f64(order.filled);
            by_wire.insert(order.client_id.clone(), to_f64(order.filled));
            if !order.filled.is_zero() {
                let side = if order.is_buy() { Side::Buy } else { Side::Sell };
                let date = new_york_date(order.submitted);
                fees += commission.fee(side, to_f64(order.filled), to_f64(order.value), date);
            }
        }
        // Each execution once.
        assert_eq!(portfolio.fills.len(), desk.activities.len(), "{what}: executions");
        let mut executions: BTreeMap<(u32, i64), Vec<(f64, f64)>> = BTreeMap::new();
        let mut theirs = executions.clone();
        for fill in &portfolio.fills {
            executions.entry((fill.order.0, fill.time)).or_default().push((fill.qty, fill.price));
        }
        for activity in &desk.activities {
            let text = |name: &str| activity[name].as_str().unwrap();
            let order = desk.orders.iter().find(|order| order.id == text("order_id")).unwrap();
            let key = (core_order(&order.client_id), parse_time(text("transaction_time")).unwrap());
            let number = |name: &str| text(name).parse::<f64>().unwrap();
            theirs.entry(key).or_default().push((number("qty"), number("price")));
        }
        for list in executions.values_mut().chain(theirs.values_mut()) {
            list.sort_by(|a, b| a.partial_cmp(b).unwrap());
        }
        assert_eq!(executions, theirs, "{what}: executions by order and time");
        for record in &portfolio.orders {
            let theirs = filled.get(&record.order.id.0).copied().unwrap_or(0.0);
            assert!((record.filled - theirs).abs() < 1e-6, "{what}: {theirs} at the broker of {record:?}");
            let wanted = record.order.request.qty;
            assert!(record.filled <= wanted + 1e-6, "{what}: more than wanted: {record:?}");
            if let Some(parent) = record.order.request.parent {
                let opened = portfolio.order(parent).filled;
                assert!(record.filled <= opened + 1e-6, "{what}: more than its parent's {opened}: {record:?}");
            }
        }
        for wire in session.venue().wires() {
            let theirs = by_wire.get(wire.client_id).copied().unwrap_or(0.0);
            assert!((wire.filled - theirs).abs() < 1e-6, "{what}: {theirs} at the broker of {wire:?}");
        }
        for symbol in session.market().symbol_ids() {
            let name = &session.market().symbols[symbol.index()];
            let (ours, theirs) = (portfolio.account.position(symbol), to_f64(desk.position(name)));
            assert!((ours - theirs).abs() < 1e-6, "{what}: position in {name}: {ours}, at the broker {theirs}");
        }
        let (ours, theirs) = (portfolio.account.cash, to_f64(desk.cash) - fees);
        assert!((ours - theirs).abs() < 1e-4, "{what}: cash {ours}, at the broker {theirs}");
        assert!(!desk.is_open() || Monitor::is_covered(desk), "{what}: unprotected: {:?}", desk.positions);
    });
    portfolio.fills.len()
}
