//! Random histories against a second bookkeeping, written without looking at the first: cash as an integer, and every
//! hundredth of a unit a lot of its own.

use super::harness::{House, T0, day};
use crate::accounting::{
    AccountType, Direction, Event, Fill, Happening, Instrument, InstrumentKind, Lot, Outcome, Statement, SystemAccount,
    post,
};
use crate::market::SECOND;
use crate::trading::{self, OrderId, Side};
use crate::vault::Storage;
use proptest::prelude::*;
use rust_decimal::Decimal;
use std::collections::VecDeque;

const SYMBOLS: [&str; 3] = ["AAPL", "SPY", "P 500"];

#[derive(Debug, Clone)]
enum Step {
    /// Symbol, hundredths of a unit (negative: sold), price in cents, commission in cents, fees in cents.
    Fill(usize, i64, i64, i64, i64),
    /// Symbol, cents a unit.
    Dividend(usize, i64),
    /// Symbol, new units for one.
    Split(usize, i64),
    /// Account number in a table, cents.
    Money(usize, i64),
    /// An event that was booked before, by its number.
    Again(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..3_usize, -3_000..3_000_i64, 1..100_000_i64, -20..500_i64, 0..20_i64)
            .prop_filter("a fill has a quantity", |fill| fill.1 != 0)
            .prop_map(|(s, q, p, c, f)| Step::Fill(s, q, p, c, f)),
        1 => (0..3_usize, 1..500_i64).prop_map(|(s, a)| Step::Dividend(s, a)),
        1 => (0..3_usize, 2..4_i64).prop_map(|(s, n)| Step::Split(s, n)),
        1 => (0..6_usize, 1..1_000_000_i64).prop_map(|(k, a)| Step::Money(k, a)),
        1 => any::<usize>().prop_map(Step::Again),
    ]
}

/// The second bookkeeping: each hundredth of a unit is a lot of its own, with the dollars it was traded for.
#[derive(Default)]
struct Plain {
    /// 1e-4 dollars.
    cash: i64,
    /// +1 for a hundredth that is held, -1 for one that is short.
    held: [VecDeque<(i64, Decimal)>; 3],
    /// Hundredths.
    position: [i64; 3],
}

impl Plain {
    fn multiplier(symbol: usize) -> i64 {
        if symbol == 2 { 100 } else { 1 }
    }
}

fn instrument(symbol: usize) -> Instrument {
    if symbol == 2 { Instrument::option(SYMBOLS[2]) } else { Instrument::share(SYMBOLS[symbol]) }
}

fn ten_thousandths(value: i64) -> Decimal {
    Decimal::new(value, 4)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_history_balances_and_agrees_with_plain_arithmetic(steps in prop::collection::vec(step(), 1..40)) {
        let mut house = House::new();
        let mut plain = Plain::default();
        // Gains by hundredths, in dollars.
        let mut gains = Decimal::ZERO;
        let mut booked: Vec<Event> = Vec::new();
        for (k, step) in steps.into_iter().enumerate() {
            let what = match step {
                Step::Fill(symbol, hundredths, cents, commission, fees) => {
                    let multiplier = Plain::multiplier(symbol);
                    plain.cash -= hundredths * cents * multiplier + (commission + fees) * 100;
                    // A hundredth of a unit at a price in cents is worth 1e-4 dollars times both, times 100 for options.
                    let price = Decimal::new(cents * multiplier, 4);
                    for _ in 0..hundredths.abs() {
                        let sign = hundredths.signum();
                        match plain.held[symbol].front() {
                            Some(&(side, entry)) if side != sign => {
                                gains += (price - entry) * Decimal::from(side);
                                plain.held[symbol].pop_front();
                            }
                            _ => plain.held[symbol].push_back((sign, price)),
                        }
                    }
                    plain.position[symbol] += hundredths;
                    Happening::Fill(Fill {
                        instrument: instrument(symbol),
                        side: if hundredths > 0 { Side::Buy } else { Side::Sell },
                        quantity: Decimal::new(hundredths.abs(), 2),
                        price: Decimal::new(cents, 2),
                        commission: Decimal::new(commission, 2),
                        regulatory_fees: Decimal::new(fees, 2),
                    })
                }
                Step::Dividend(symbol, cents) => {
                    let amount = plain.position[symbol] * cents;
                    if amount == 0 {
                        continue;
                    }
                    plain.cash += amount;
                    Happening::Dividend { instrument: instrument(symbol), amount: ten_thousandths(amount) }
                }
                Step::Split(symbol, new) => {
                    if plain.held[symbol].len() > 5_000 {
                        continue;
                    }
                    let lots = std::mem::take(&mut plain.held[symbol]);
                    let ratio = Decimal::from(new);
                    for (side, price) in lots {
                        plain.held[symbol].extend((0..new).map(|_| (side, price / ratio)));
                    }
                    plain.position[symbol] *= new;
                    Happening::Split { instrument: instrument(symbol), new: ratio, old: Decimal::ONE }
                }
                Step::Money(kind, cents) => {
                    let amount = Decimal::new(cents, 2);
                    let (sign, what) = match kind {
                        0 => (1, Happening::Deposit { amount }),
                        1 => (-1, Happening::Withdrawal { amount }),
                        2 => (-1, Happening::BorrowFee { amount }),
                        3 => (-1, Happening::MarginInterest { amount }),
                        4 => (1, Happening::InterestEarned { amount }),
                        _ => (-1, Happening::OtherFee { amount }),
                    };
                    plain.cash += sign * cents * 100;
                    what
                }
                Step::Again(number) => {
                    if booked.is_empty() {
                        continue;
                    }
                    let event = booked[number % booked.len()].clone();
                    let storage = Storage { disk: &house.disk, keys: &house.keys };
                    let before = house.books.trial_balance(None).unwrap();
                    let posted = house.books.post(storage, &[event], T0).unwrap();
                    prop_assert_eq!(posted[0].outcome, Outcome::Already);
                    prop_assert_eq!(house.books.trial_balance(None).unwrap(), before);
                    continue;
                }
            };
            let event = Event::new(format!("E:{k}"), T0 + k as i64 * SECOND, what);
            booked.push(event.clone());
            let storage = Storage { disk: &house.disk, keys: &house.keys };
            let posted = house.books.post(storage, &[event], T0).unwrap();
            prop_assert_eq!(posted[0].outcome, Outcome::Booked);

            prop_assert!(house.books.trial_balance(None).unwrap().sum.is_zero());
            prop_assert_eq!(house.books.check().unwrap(), Vec::<String>::new());
            prop_assert_eq!(house.books.cash().unwrap(), ten_thousandths(plain.cash));
            for symbol in 0..3 {
                let position = house.books.position(&instrument(symbol)).unwrap();
                prop_assert_eq!(position, Decimal::new(plain.position[symbol], 2));
            }
            let realised = -house.books.balance(SystemAccount::RealisedGains.code()).unwrap();
            // Costs of pieces are rounded to 8 decimals, once a piece and never more than forty of them.
            prop_assert!((realised - gains).abs() < Decimal::new(1, 6), "{} instead of {}", realised, gains);
        }

        // Nothing is lost by a restart, and a batch gives what single events gave.
        let trial = house.books.trial_balance(None).unwrap();
        prop_assert_eq!(&house.reopened().trial_balance(None).unwrap(), &trial);
        prop_assert_eq!(house.reopened().holdings().unwrap(), house.books.holdings().unwrap());
        let mut other = House::new();
        let storage = Storage { disk: &other.disk, keys: &other.keys };
        prop_assert_eq!(other.books.post(storage, &booked, T0).unwrap().len(), booked.len());
        prop_assert_eq!(&other.books.trial_balance(None).unwrap(), &trial);
        prop_assert_eq!(other.books.realised_gains(2026).unwrap(), house.books.realised_gains(2026).unwrap());
    }

    /// The account of the core adds `f64`; the books agree with its cash to the cent and with its positions to dust.
    #[test]
    fn the_books_agree_with_the_account_of_the_core(
        fills in prop::collection::vec((0..2_u32, any::<bool>(), 0.001..500.0_f64, 0.01..900.0_f64, 0.0..2.0_f64, any::<bool>()), 1..60),
    ) {
        let mut house = House::new();
        let mut account = trading::Account::new(0.0, 2);
        let mut events = Vec::new();
        for (k, (symbol, buys, qty, price, commission, closes)) in fills.into_iter().enumerate() {
            let symbol = crate::market::SymbolId(symbol);
            let held = account.position(symbol);
            let (side, qty) = match (closes && held != 0.0, buys) {
                (true, _) => (if held > 0.0 { Side::Sell } else { Side::Buy }, held.abs()),
                (false, true) => (Side::Buy, qty),
                (false, false) => (Side::Sell, qty),
            };
            account.cash -= side.sign() * qty * price + commission;
            account.add(symbol, side.sign() * qty);
            let core = trading::Fill {
                order: OrderId(k as u32), time: day(0), symbol, side, qty, price, commission, slippage: 0.0,
            };
            let fill = Fill::from_core(&core, instrument(symbol.index()), 0.0).unwrap();
            events.push(Event::new(format!("F:{k}"), day(0), Happening::Fill(fill)));
        }
        let storage = Storage { disk: &house.disk, keys: &house.keys };
        prop_assert_eq!(house.books.post(storage, &events, T0).unwrap().len(), events.len());
        let cash: f64 = house.books.cash().unwrap().to_string().parse().unwrap();
        prop_assert!((cash - account.cash).abs() < 0.005, "{} and {}", cash, account.cash);
        for k in 0..2_u32 {
            let symbol = crate::market::SymbolId(k);
            let position: f64 = house.books.position(&instrument(k as usize)).unwrap().to_string().parse().unwrap();
            prop_assert!((position - account.position(symbol)).abs() < 1e-9);
            prop_assert_eq!(position == 0.0, account.position(symbol) == 0.0);
        }
        prop_assert_eq!(house.books.check().unwrap(), Vec::<String>::new());
    }
}

#[test]
fn accounts_of_the_trial_balance_have_their_types() {
    let mut house = House::new();
    house.post(Happening::Deposit { amount: Decimal::ONE });
    let kinds: Vec<AccountType> = house.books.trial_balance(None).unwrap().accounts.iter().map(|a| a.kind).collect();
    assert_eq!(kinds, [AccountType::Asset, AccountType::Equity]);
}

/// Numbers at the edges of what is taken, and a little beyond.
fn extreme() -> impl Strategy<Value = Decimal> {
    let digits = prop_oneof![Just(0_i64), Just(1), Just(5), Just(999_999_999_999), 1..i64::MAX];
    (digits, 0..14_u32, any::<bool>()).prop_map(|(digits, scale, negative)| {
        let value = Decimal::new(digits, scale);
        if negative { -value } else { value }
    })
}

fn extreme_event() -> impl Strategy<Value = Happening> {
    let instrument = || any::<bool>().prop_map(|option| instrument(if option { 2 } else { 0 }));
    let side = || any::<bool>().prop_map(|buys| if buys { Side::Buy } else { Side::Sell });
    prop_oneof![
        4 => (instrument(), side(), extreme(), extreme(), extreme(), extreme()).prop_map(
            |(instrument, side, quantity, price, commission, regulatory_fees)| {
                let (quantity, price) = (quantity.abs(), price.abs());
                Happening::Fill(Fill { instrument, side, quantity, price, commission, regulatory_fees })
            }
        ),
        1 => (instrument(), extreme(), extreme())
            .prop_map(|(instrument, new, old)| Happening::Split { instrument, new: new.abs(), old: old.abs() }),
        1 => (instrument(), side(), extreme(), extreme()).prop_map(|(instrument, side, quantity, amount)| {
            Happening::OpeningPosition { instrument, side, quantity: quantity.abs(), amount }
        }),
        1 => (instrument(), extreme()).prop_map(|(instrument, amount)| Happening::Dividend { instrument, amount }),
        1 => extreme().prop_map(|amount| Happening::OtherFee { amount }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the numbers, an event is refused or leaves lots whose amounts are the balances of their accounts.
    #[test]
    fn no_number_is_too_large_or_too_small_to_be_told(events in prop::collection::vec(extreme_event(), 1..30)) {
        let mut lots = [Vec::new(), Vec::new()];
        let mut balances = [Decimal::ZERO; 2];
        for (k, what) in events.into_iter().enumerate() {
            let side = what.instrument().map_or(0, |i| usize::from(i.kind == InstrumentKind::Option));
            let Ok(posting) = post(&Event::new(format!("{k}"), 0, what), &lots[side]) else { continue };
            for line in posting.lines.lines() {
                match line.account.as_str() {
                    "1210" | "2110" => balances[0] += line.amount(),
                    "1220" | "2120" => balances[1] += line.amount(),
                    _ => {}
                }
            }
            lots[side] = posting.lots;
            for (lots, balance) in lots.iter().zip(balances) {
                let sign = if lots.first().is_some_and(|lot: &Lot| lot.direction == Direction::Short) { -1 } else { 1 };
                let amount: Decimal = lots.iter().map(|lot| lot.amount).sum();
                prop_assert_eq!(amount * Decimal::from(sign), balance);
                prop_assert!(lots.iter().all(|lot| lot.quantity >= Decimal::ZERO));
            }
        }
    }

    #[test]
    fn no_file_of_a_broker_is_a_reason_to_panic(
        header in "(date|symbol|side|qty|price|fees|id|,|\"|é|\r|\n){0,12}",
        body in "[0-9a-zé,.\"$\\-\r\n;:TZ/ ]{0,200}",
    ) {
        let _ = Statement::parse(format!("{header}\n{body}").as_bytes());
        let named = Statement::parse(format!("date,symbol,side,qty,price,fees,id\n{body}").as_bytes()).unwrap();
        prop_assert!(named.rows.len() + named.errors.len() <= body.len() + 1);
    }
}
