//! One calm day, worked out by hand.

use rust_decimal::Decimal;
use tradebot::backtest::InputFile;
use tradebot::live::Ending;
use tradebot::market::{MINUTE, Nanos, SECOND, format_time, parse_time};
use tradebot::session::Command;

use super::books;
use super::rig::Rig;
use crate::local_alpaca::{FeedBar, LocalAlpaca, Setup};
use crate::session::drive::spec;

fn bar(symbol: &str, start: Nanos, price: i64) -> FeedBar {
    let price = Decimal::from(price);
    FeedBar { symbol: symbol.into(), start, open: price, high: price, low: price, close: price, volume: 1_000 }
}

/// Waits until the broker has these orders: id, side, type, status, filled of ordered.
fn until_orders(rig: &mut Rig, expected: &[&str]) {
    let orders = |rig: &Rig| -> Vec<String> {
        rig.server.with(|desk| {
            let line = |order: &crate::local_alpaca::Order| {
                let (id, side) = (&order.client_id, &order.side);
                format!("{id} {side} {} {} {}/{}", order.kind, order.status, order.filled, order.qty)
            };
            desk.orders.iter().map(line).collect()
        })
    };
    rig.until(&format!("{expected:#?}"), |rig| orders(rig) == expected);
}

/// The clock goes on without a bar.
fn wait(rig: &mut Rig, seconds: i64) {
    let now = rig.server.with(|desk| desk.now());
    rig.server.advance_to(now + seconds * SECOND);
}

#[test]
fn each_filled_part_of_an_entry_gets_its_stop_and_the_process_may_end_meanwhile() {
    let open = parse_time("2024-03-26T13:30:00Z").unwrap();
    let server = LocalAlpaca::start(Setup { now: open - 24 * 60 * MINUTE, ..Setup::default() });
    for symbol in ["AAPL", "MSFT", "SPY", "TSLA"] {
        server.feed([bar(symbol, open - 24 * 60 * MINUTE, 100)]);
        server.feed((0..30).map(|k| bar(symbol, open + k * MINUTE, 100)));
    }
    server.advance_to(open - SECOND);
    let at = format_time(open + 2 * MINUTE);
    let orders = format!(
        "ts,id,symbol,side,type,qty,limit,stop,oco,parent\n\
         {at},a,AAPL,buy,market,10,,,,\n\
         {at},as,AAPL,sell,stop,10,,98,a,a\n\
         {at},at,AAPL,sell,limit,10,103,,a,a\n\
         {at},m,MSFT,buy,market,7.5,,,,\n\
         {at},ms,MSFT,sell,stop,7.5,,97,m,m\n"
    );
    let mut rig = Rig::begin("calm", server, |cash| {
        assert_eq!(cash, 100_000.0);
        let mut spec = spec("orders", &[]);
        spec.orders = Some(InputFile { name: "orders.csv".to_string(), text: orders });
        spec
    });
    rig.until("both streams are up", Rig::is_settled);
    rig.server.step();
    rig.server.step();
    until_orders(&mut rig, &["faults-1-0 buy market new 0/10", "faults-1-3 buy market new 0/7.5"]);
    // The rest of an entry may just be filling; the broker takes no order on the other side beside it.
    rig.server.fill("faults-1-0", "4", "100.01");
    rig.server.fill("faults-1-3", "2.5", "100.01");
    rig.server.fill("faults-1-3", "5", "100.02");
    let msft = ["faults-1-3 buy market filled 7.5/7.5", "faults-1-4 sell stop new 0/7.5"];
    until_orders(&mut rig, &["faults-1-0 buy market partially_filled 4/10", msft[0], msft[1]]);
    // After a moment it is called back, and the stop is for what filled.
    wait(&mut rig, 6);
    let entry = "faults-1-0 buy market canceled 4/10";
    until_orders(&mut rig, &[entry, msft[0], msft[1], "faults-1-1 sell stop new 0/4"]);
    rig.until("both agree", Rig::is_settled);
    // The process ends; while there is none, a part of the stop fills.
    rig.end_process();
    rig.server.fill("faults-1-1", "1", "97.99");
    rig.server.step();
    rig.begin_process();
    rig.until("both agree again", Rig::is_settled);
    assert_eq!(rig.status().positions, [("AAPL".to_string(), 3.0), ("MSFT".to_string(), 7.5)]);
    rig.server.fill("faults-1-1", "3", "97.98");
    until_orders(&mut rig, &[entry, msft[0], msft[1], "faults-1-1 sell stop filled 4/4"]);
    rig.until("the stop is booked", Rig::is_settled);
    // A stop by hand: what protects comes back first, then the position is closed.
    rig.command(Command::Stop);
    let stop = "faults-1-4 sell stop canceled 0/7.5";
    let [entry, filled] = [entry, "faults-1-1 sell stop filled 4/4"];
    until_orders(&mut rig, &[entry, msft[0], stop, filled, "faults-1-5 sell market new 0/7.5"]);
    rig.server.fill("faults-1-5", "7.5", "99.5");
    rig.until("the session is over", |rig| !rig.is_running());
    assert!(matches!(rig.said.ended, Some(Ending::Over)));
    rig.end_process();
    assert_eq!(books::compare(&rig, "calm"), 6);
    assert!(rig.monitor.faults.is_empty(), "{:?}", rig.monitor.faults);
}
