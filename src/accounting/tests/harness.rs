//! Books in a data folder of their own.

use crate::accounting::{Books, Deed, Event, Fill, Happening, Identity, Instrument, Outcome};
use crate::market::{DAY, Nanos, SECOND};
use crate::trading::Side;
use crate::vault::audit::{Action, Audit, Entry};
use crate::vault::tests::harness::folder;
use crate::vault::{Actor, Category, Disk, Keys, Storage};
use rust_decimal::Decimal;

/// 2026-03-02T15:00:00Z, a Monday; ten in the morning in New York.
pub(super) const T0: Nanos = 1_772_463_600 * SECOND;

pub(super) struct House {
    pub folder: tempfile::TempDir,
    pub disk: Disk,
    pub keys: Keys,
    pub audit: Audit,
    pub books: Books,
    /// References that were given.
    pub count: usize,
}

impl House {
    pub fn new() -> House {
        let folder = folder();
        let (disk, _) = Disk::open(folder.path()).unwrap();
        let (mut keys, _) = Keys::open(&disk).unwrap();
        for category in [Category::Env, Category::Audit] {
            keys.provision(category, T0).unwrap();
        }
        let audit = Audit::open(disk.clone(), keys.get(Category::Audit).unwrap(), false);
        let books = Books::create(Storage { disk: &disk, keys: &keys }, &identity(), T0).unwrap();
        House { folder, disk, keys, audit, books, count: 0 }
    }

    pub fn reopened(&self) -> Books {
        Books::open(Storage { disk: &self.disk, keys: &self.keys }).unwrap().unwrap()
    }

    /// The proof that `user` did something, and the books.
    pub fn deed(&mut self, user: &'static str, action: Action, now: Nanos) -> (Storage<'_>, &mut Books, Deed<'static>) {
        let recorded = self.audit.record(Entry::new(T0, &Actor::core(), action, "books", "begun")).unwrap();
        (Storage { disk: &self.disk, keys: &self.keys }, &mut self.books, Deed { user, recorded, now })
    }

    /// Books what happened now, under a reference of its own, and gives its entry.
    pub fn post(&mut self, what: Happening) -> i64 {
        self.post_at(T0 + self.count as Nanos * SECOND, what)
    }

    pub fn post_at(&mut self, time: Nanos, what: Happening) -> i64 {
        self.count += 1;
        let event = Event::new(format!("SIM:{}", self.count), time, what);
        let posted = self.books.post(Storage { disk: &self.disk, keys: &self.keys }, &[event], T0).unwrap();
        assert_eq!(posted[0].outcome, Outcome::Booked);
        posted[0].entry
    }

    /// The balance of an account.
    pub fn balance(&self, code: &str) -> String {
        self.books.balance(code).unwrap().normalize().to_string()
    }
}

pub(super) fn identity() -> Identity {
    Identity { entity: "ACME".into(), jurisdiction: "US".into(), currency_code: "USD".into() }
}

pub(super) fn d(text: &str) -> Decimal {
    Decimal::from_str_exact(text).unwrap()
}

/// `buy 100 AAPL at 10.5`, with commission and regulatory fees.
pub(crate) fn fill(text: &str, commission: &str, fees: &str) -> Happening {
    let words: Vec<&str> = text.split(' ').collect();
    let [side, quantity, symbol, "at", price] = words[..] else { panic!("{text}") };
    let instrument = if symbol.contains('-') { Instrument::option(symbol) } else { Instrument::share(symbol) };
    Happening::Fill(Fill {
        instrument,
        side: if side == "buy" { Side::Buy } else { Side::Sell },
        quantity: d(quantity),
        price: d(price),
        commission: d(commission),
        regulatory_fees: d(fees),
    })
}

/// The instant at ten in the morning in New York winter time, some days from 2026-03-02.
pub(super) fn day(days: i64) -> Nanos {
    T0 + days * DAY
}
