//! Events and their postings, with figures worked out by hand.

use super::harness::{House, d, day, fill};
use crate::accounting::{
    BooksError, Direction, Event, Happening, Instrument, Line, Lot, Outcome, PostingError, Term, post,
};
use crate::market::Nanos;
use crate::trading::{self, OrderId, Side};
use crate::vault::Storage;

/// The lines of an entry: `1100 -1001 1210 1000 5100 1`, debits positive.
fn lines(house: &House, entry: i64) -> String {
    let text = |line: &Line| format!("{} {}", line.account, line.amount().normalize());
    house.books.entry(entry).unwrap().unwrap().lines.iter().map(text).collect::<Vec<_>>().join(", ")
}

/// The lots of an instrument: `long 50 for 500 fees 0.5`.
fn lots(house: &House, name: &str) -> Vec<String> {
    let holdings = house.books.holdings().unwrap();
    let lots = holdings.iter().filter(|holding| holding.instrument.name == name).flat_map(|holding| &holding.lots);
    lots.map(|lot| format!("{} {} for {} fees {}", lot.direction.word(), lot.quantity, lot.amount, lot.fees)).collect()
}

#[test]
fn a_long_trip_worked_out_by_hand() {
    let mut house = House::new();
    house.post(Happening::Deposit { amount: d("10000") });
    let opened = house.post(fill("buy 100 AAPL at 10", "1", "0"));
    assert_eq!(lines(&house, opened), "1100 -1001, 1210 1000, 5100 1");
    let added = house.post(fill("buy 50 AAPL at 12", "1", "0"));
    assert_eq!(lines(&house, added), "1100 -601, 1210 600, 5100 1");
    assert_eq!(lots(&house, "AAPL"), ["long 100 for 1000 fees 1", "long 50 for 600 fees 1"]);

    // 120 x 15 = 1800. First in, first out: all of 100 for 1000, and 20 of 50 for 600, which is 240. 560 is won.
    let reduced = house.post(fill("sell 120 AAPL at 15", "1.2", "0.06"));
    assert_eq!(lines(&house, reduced), "1100 1798.74, 1210 -1240, 4100 -560, 5100 1.2, 5200 0.06");
    assert_eq!(lots(&house, "AAPL"), ["long 30 for 360 fees 0.6"]);

    // 30 x 11 = 330 for 360: 30 is lost.
    let closed = house.post(fill("sell 30 AAPL at 11", "0", "0"));
    assert_eq!(lines(&house, closed), "1100 330, 1210 -360, 4100 30");
    assert_eq!(lots(&house, "AAPL"), [] as [&str; 0]);
    // 10000 - 1001 - 601 + 1798.74 + 330
    assert_eq!(house.balance("1100"), "10526.74");
    assert_eq!(house.balance("4100"), "-530");
    assert!(house.books.trial_balance(None).unwrap().sum.is_zero());

    // Form 8949. 1.26 of fees of the sale of 120: 1.05 for 100, 0.21 for 20; of the second purchase 0.40 for 20.
    let gains = house.books.realised_gains(2026).unwrap();
    let told: Vec<String> =
        gains.iter().map(|g| format!("{} {} {} {} {:?}", g.quantity, g.proceeds, g.basis, g.gain, g.term)).collect();
    assert_eq!(
        told,
        ["100 1498.95 1001.00 497.95 Short", "20 299.79 240.40 59.39 Short", "30 330.00 360.60 -30.60 Short"]
    );
}

#[test]
fn a_short_trip_and_a_crossing_worked_out_by_hand() {
    let mut house = House::new();
    let opened = house.post(fill("sell 10 SPY at 500", "0", "0.14"));
    assert_eq!(lines(&house, opened), "1100 4999.86, 2110 -5000, 5200 0.14");
    assert_eq!(house.books.position(&Instrument::share("SPY")).unwrap(), d("-10"));

    // Covers 4 at 490: 2000 were received for them, 1960 are paid.
    let covered = house.post(fill("buy 4 SPY at 490", "0", "0"));
    assert_eq!(lines(&house, covered), "1100 -1960, 2110 2000, 4100 -40");

    // Covers 6 for 3060 that brought 3000, and opens 9 for 4590; commission of 3 is 1.2 and 1.8.
    let crossed = house.post(fill("buy 15 SPY at 510", "3", "0"));
    assert_eq!(lines(&house, crossed), "1100 -7653, 1210 4590, 2110 3000, 4100 60, 5100 3");
    assert_eq!(lots(&house, "SPY"), ["long 9 for 4590 fees 1.8"]);

    // And back through zero: 9 for 4590 sold for 4680, 1 opened short at 520.
    let back = house.post(fill("sell 10 SPY at 520", "0", "0"));
    assert_eq!(lines(&house, back), "1100 5200, 2110 -520, 1210 -4590, 4100 -90");
    assert_eq!(lots(&house, "SPY"), ["short 1 for 520 fees 0"]);
    assert_eq!(house.balance("4100"), "-70");
    assert_eq!(house.books.check().unwrap(), [] as [&str; 0]);
    let first = &house.books.realised_gains(2026).unwrap()[0];
    // The fee of 0.14 for ten was one of selling: 0.056 of it belong to these four.
    assert_eq!((first.direction, first.proceeds, first.basis), (Direction::Short, d("1999.94"), d("1960")));
}

#[test]
fn income_and_costs_have_their_accounts() {
    let mut house = House::new();
    let aapl = || Instrument::share("AAPL");
    for (what, expected) in [
        (Happening::OpeningCash { amount: d("-50") }, "1100 -50, 3900 50"),
        (Happening::Deposit { amount: d("100") }, "1100 100, 3100 -100"),
        (Happening::Withdrawal { amount: d("40") }, "3100 40, 1100 -40"),
        (Happening::Dividend { instrument: aapl(), amount: d("2.5") }, "1100 2.5, 4200 -2.5"),
        (Happening::Dividend { instrument: aapl(), amount: d("-2.5") }, "5500 2.5, 1100 -2.5"),
        (Happening::BorrowFee { amount: d("0.12345678") }, "5300 0.12345678, 1100 -0.12345678"),
        (Happening::MarginInterest { amount: d("3") }, "5400 3, 1100 -3"),
        (Happening::InterestEarned { amount: d("4") }, "1100 4, 4300 -4"),
        (Happening::OtherFee { amount: d("5") }, "5900 5, 1100 -5"),
    ] {
        let entry = house.post(what.clone());
        assert_eq!(lines(&house, entry), expected, "{what:?}");
    }
    assert_eq!(house.books.check().unwrap(), [] as [&str; 0]);
}

#[test]
fn an_option_contract_is_a_hundred_shares() {
    let mut house = House::new();
    let bought = house.post(fill("buy 2 SPY-P-500 at 3.5", "1.3", "0"));
    assert_eq!(lines(&house, bought), "1100 -701.3, 1220 700, 5100 1.3");
    // It expires worthless: sold for nothing.
    let expired = house.post(fill("sell 2 SPY-P-500 at 0", "0", "0"));
    assert_eq!(lines(&house, expired), "1220 -700, 4100 700");
    let written = house.post(fill("sell 1 SPY-P-500 at 2", "0", "0"));
    assert_eq!(lines(&house, written), "1100 200, 2120 -200");
    assert_eq!(house.books.check().unwrap(), [] as [&str; 0]);
}

#[test]
fn a_fill_of_the_core_becomes_decimals_and_contracts() {
    let core = trading::Fill {
        order: OrderId(0),
        time: 0,
        symbol: crate::market::SymbolId(0),
        side: Side::Sell,
        qty: 200.0,
        price: 3.3000000000000003,
        commission: 1.27,
        slippage: 0.0,
    };
    let put = crate::accounting::Fill::from_core(&core, Instrument::option("P"), 0.02).unwrap();
    assert_eq!((put.quantity, put.price), (d("2"), d("3.3")));
    assert_eq!((put.commission, put.regulatory_fees), (d("1.25"), d("0.02")));
    assert_eq!((put.notional().unwrap(), put.cash().unwrap()), (d("660"), d("658.73")));
    let share = crate::accounting::Fill::from_core(&core, Instrument::share("S"), 0.0).unwrap();
    assert_eq!((share.quantity, share.notional().unwrap()), (d("200"), d("660")));
    let bad = trading::Fill { price: f64::NAN, ..core };
    assert!(crate::accounting::Fill::from_core(&bad, Instrument::share("S"), 0.0).is_err());
}

#[test]
fn a_split_changes_units_and_no_money() {
    let mut house = House::new();
    house.post(fill("buy 10 NVDA at 1200", "0", "0"));
    let split = house.post(Happening::Split { instrument: Instrument::share("NVDA"), new: d("10"), old: d("1") });
    assert_eq!(lines(&house, split), "");
    assert_eq!(lots(&house, "NVDA"), ["long 100 for 12000 fees 0"]);
    let sold = house.post(fill("sell 40 NVDA at 130", "0", "0"));
    // 40 of 100 for 12000 is 4800; 5200 are received.
    assert_eq!(lines(&house, sold), "1100 5200, 1210 -4800, 4100 -400");
    house.post(Happening::Split { instrument: Instrument::share("NVDA"), new: d("1"), old: d("3") });
    assert_eq!(lots(&house, "NVDA"), ["long 20 for 7200 fees 0"]);
}

/// A lot of ten units and two of the smallest quantity there is.
fn three_lots() -> Vec<Lot> {
    let lot = |id| Lot {
        id,
        instrument: Instrument::share("X"),
        direction: Direction::Long,
        opened: 0,
        quantity: d("0.000000000001"),
        amount: d("10"),
        fees: d("1"),
    };
    vec![Lot { quantity: d("10"), ..lot(1) }, lot(2), lot(3)]
}

#[test]
fn lots_of_a_reverse_split_add_up_and_none_is_lost() {
    let open = three_lots();
    let split = Happening::Split { instrument: Instrument::share("X"), new: d("1"), old: d("3") };
    let posting = post(&Event::new("s", 0, split), &open).unwrap();
    let units: Vec<String> = posting.lots.iter().map(|lot| lot.quantity.to_string()).collect();
    // 10/3, (10 + 1e-12)/3 and (10 + 2e-12)/3 to twelve decimals: the lots are the steps between.
    assert_eq!(units, ["3.333333333333", "0.000000000001", "0"]);
    // The lot without units goes with the last that has some: its cost is realised, not forgotten.
    let sale = post(&Event::new("x", 0, fill("sell 3.333333333334 X at 1", "0", "0")), &posting.lots).unwrap();
    assert_eq!(sale.lots, []);
    assert_eq!(sale.closings.len(), 3);
    assert_eq!(sale.lines.net("1210"), d("-30"));

    let vanishing = Happening::Split { instrument: Instrument::share("X"), new: d("0.000000001"), old: d("1000") };
    assert!(matches!(post(&Event::new("v", 0, vanishing), &open), Err(PostingError::Vanishes(_))));
    let huge = Happening::Split { instrument: Instrument::share("X"), new: d("1000000000000"), old: d("0.000000001") };
    assert!(matches!(post(&Event::new("h", 0, huge), &open), Err(PostingError::Large(_))));
}

#[test]
fn what_rounding_left_of_a_position_is_closed_with_it() {
    let mut house = House::new();
    house.post(fill("buy 33.333333333333 AAPL at 3", "0", "0"));
    house.post(fill("buy 33.333333333333 AAPL at 3", "0", "0"));
    house.post(fill("sell 66.666666666667 AAPL at 4", "0", "0"));
    assert_eq!(lots(&house, "AAPL"), [] as [&str; 0]);
    house.post(fill("buy 0.000000001 AAPL at 3", "0", "0"));
    assert_eq!(lots(&house, "AAPL"), ["long 0.000000001 for 0 fees 0"]);
}

#[test]
fn an_opening_position_has_a_cost_and_keeps_to_its_side() {
    let mut house = House::new();
    let position = |side, quantity: &str, amount: &str| Happening::OpeningPosition {
        instrument: Instrument::share("IBM"),
        side,
        quantity: d(quantity),
        amount: d(amount),
    };
    let entry = house.post(position(Side::Sell, "5", "1000"));
    assert_eq!(lines(&house, entry), "2110 -1000, 3900 1000");
    let storage = Storage { disk: &house.disk, keys: &house.keys };
    let event = Event::new("o", day(0), position(Side::Buy, "1", "200"));
    let refused = house.books.post(storage, &[event], day(0)).unwrap_err();
    assert!(refused.to_string().contains("IBM has a position on the other side"), "{refused}");
}

#[test]
fn the_same_event_twice_is_one_entry_and_says_so() {
    let mut house = House::new();
    let storage = Storage { disk: &house.disk, keys: &house.keys };
    let event = |reference: &str, text: &str| Event::new(reference, day(0), fill(text, "0", "0"));
    let events = [event("A:1", "buy 1 AAPL at 10"), event("A:1", "buy 1 AAPL at 10"), event("A:2", "buy 2 AAPL at 11")];
    let posted = house.books.post(storage, &events, day(0)).unwrap();
    let outcomes: Vec<(i64, Outcome)> = posted.iter().map(|p| (p.entry, p.outcome)).collect();
    assert_eq!(outcomes, [(1, Outcome::Booked), (1, Outcome::Already), (2, Outcome::Booked)]);

    // The broker reports it again, an hour later by its clock and with trailing zeros.
    let mut again = event("A:2", "buy 2.00 AAPL at 11.0");
    again.time += 3_600_000_000_000;
    let other = event("A:1", "buy 1 AAPL at 10.01");
    let posted = house.books.post(storage, &[again, other.clone()], day(1)).unwrap();
    let outcomes: Vec<(i64, Outcome)> = posted.iter().map(|p| (p.entry, p.outcome)).collect();
    assert_eq!(outcomes, [(2, Outcome::Already), (1, Outcome::Conflict)]);
    // Likewise among events that are new.
    let posted = house.books.post(storage, &[other, event("A:3", "sell 1 AAPL at 12")], day(1)).unwrap();
    let outcomes: Vec<(i64, Outcome)> = posted.iter().map(|p| (p.entry, p.outcome)).collect();
    assert_eq!(outcomes, [(1, Outcome::Conflict), (3, Outcome::Booked)]);
    assert_eq!(lots(&house, "AAPL"), ["long 2 for 22 fees 0"]);
}

#[test]
fn one_bad_event_is_named_and_none_is_booked() {
    let mut house = House::new();
    let storage = Storage { disk: &house.disk, keys: &house.keys };
    let good = Event::new("A:1", day(0), fill("buy 1 AAPL at 10", "0", "0"));
    for (bad, why) in [
        (fill("buy -1 AAPL at 10", "0", "0"), "quantity of -1 must be at least 0.000000001"),
        (fill("buy 1 AAPL at -1", "0", "0"), "price of -1 must be at least 0"),
        (fill("buy 1 AAPL at 1", "0.000000001", "0"), "commission of 0.000000001 has more than 8 decimals"),
        (fill("buy 1000001 AAPL at 1000000", "0", "0"), "1000001 x 1000000 cannot be booked"),
        (Happening::Deposit { amount: d("0") }, "amount of 0 must be at least 0.00000001"),
        (Happening::Dividend { instrument: Instrument::share(""), amount: d("1") }, "instrument must be 1 to 64"),
        (Happening::OpeningCash { amount: d("0") }, "amount must not be 0"),
    ] {
        let error = house.books.post(storage, &[good.clone(), Event::new("A:2", day(0), bad)], day(0)).unwrap_err();
        assert!(matches!(&error, BooksError::Event { reference, .. } if reference == "A:2"), "{error}");
        assert!(error.to_string().contains(why), "{error}");
    }
    let nameless = Event::new("", day(0), fill("buy 1 AAPL at 10", "0", "0"));
    assert!(house.books.post(storage, &[nameless], day(0)).is_err());
    let flagged = Event { flags: vec!["a,b".to_string()], ..good };
    assert!(house.books.post(storage, &[flagged], day(0)).is_err());
    assert_eq!(house.books.entries(&Default::default()).unwrap().total, 0);
    assert_eq!(house.books.holdings().unwrap(), []);
}

#[test]
fn an_event_of_the_evening_in_greenwich_belongs_to_the_day_in_new_york() {
    let mut house = House::new();
    let time: Nanos = crate::market::parse_time("2026-01-01T01:00:00Z").unwrap();
    let entry = house.post_at(time, fill("buy 1 AAPL at 10", "0", "0"));
    assert_eq!(house.books.entry(entry).unwrap().unwrap().date, "2025-12-31");
    assert_eq!(house.books.activity(2025).unwrap().len(), 1);
    assert_eq!(house.books.activity(2026).unwrap().len(), 0);
}

#[test]
fn what_is_held_for_more_than_a_year_is_long_term() {
    let mut house = House::new();
    let at = |date: &str| crate::market::parse_time(&format!("{date}T15:00:00Z")).unwrap();
    house.post_at(at("2024-01-03"), fill("buy 3 AAPL at 10", "0", "0"));
    house.post_at(at("2024-02-29"), fill("buy 2 AAPL at 10", "0", "0"));
    house.post_at(at("2024-03-01"), fill("sell 1 SPY at 10", "0", "0"));
    for (date, text) in [
        ("2025-01-03", "sell 1 AAPL at 10"),
        ("2025-01-06", "sell 2 AAPL at 10"),
        ("2025-02-28", "sell 1 AAPL at 10"),
        ("2025-03-03", "sell 1 AAPL at 10"),
        ("2025-06-02", "buy 1 SPY at 10"),
    ] {
        house.post_at(at(date), fill(text, "0", "0"));
    }
    let terms: Vec<Term> = house.books.realised_gains(2025).unwrap().iter().map(|gain| gain.term).collect();
    assert_eq!(terms, [Term::Short, Term::Long, Term::Short, Term::Long, Term::Short]);
    assert_eq!(house.books.realised_gains(2024).unwrap(), []);
}

#[test]
fn a_rerouted_trade_bears_its_flag() {
    let mut house = House::new();
    let storage = Storage { disk: &house.disk, keys: &house.keys };
    let flags = vec!["FAILOVER_ACTIVE".to_string(), "open".to_string()];
    let event = Event { flags: flags.clone(), ..Event::new("T:1", day(0), fill("buy 1 AAPL at 10", "0", "0")) };
    let entry = house.books.post(storage, &[event], day(0)).unwrap()[0].entry;
    let entry = house.books.entry(entry).unwrap().unwrap();
    assert_eq!(entry.flags, flags);
    assert_eq!((entry.source.as_str(), entry.memo.as_str()), ("fill", "buy 1 AAPL at 10"));
    assert_eq!((entry.reference.as_deref(), entry.created_by.as_str()), (Some("T:1"), "core"));
}
