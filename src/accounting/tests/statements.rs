//! Files of brokers against the ledger.

use super::harness::{House, T0, d, day, fill};
use crate::accounting::{
    BooksError, DiscrepancyKind, Event, Happening, Instrument, InstrumentKind, Outcome, Reconciliation, Resolution,
    UploadReceipt,
};
use crate::vault::Storage;
use crate::vault::audit::Action;

impl House {
    fn upload(&mut self, file: &str) -> Result<UploadReceipt, BooksError> {
        let (storage, books, deed) = self.deed("alice", Action::LedgerUpload, T0);
        books.upload_statement(storage, file.as_bytes(), deed)
    }

    fn reconcile(&mut self, upload: i64) -> Result<(usize, usize), BooksError> {
        let (storage, books, deed) = self.deed("alice", Action::LedgerReconcile, T0);
        let Reconciliation { matched, mismatched } = books.reconcile(storage, upload, deed)?;
        Ok((matched, mismatched))
    }

    fn resolve(&mut self, id: i64, action: Resolution, note: &str) -> Result<(), BooksError> {
        let (storage, books, deed) = self.deed("bob", Action::LedgerResolve, day(1));
        books.resolve_discrepancy(storage, id, action, note, deed)
    }

    /// Open discrepancies: `line entry kind detail`.
    fn open(&self) -> Vec<String> {
        let mut open = self.books.discrepancies(true).unwrap();
        open.reverse();
        open.iter().map(|d| format!("{:?} {:?} {}: {}", d.line, d.entry, d.kind.word(), d.detail)).collect()
    }
}

/// Entries 1 to 5.
fn house() -> House {
    let mut house = House::new();
    house.post(fill("buy 100 AAPL at 10", "1", "0"));
    house.post(fill("buy 100 AAPL at 10.5", "1", "0"));
    house.post(fill("sell 50 AAPL at 11.00001", "1", "0.02"));
    house.post(fill("sell 1 SPY at 500", "0", "0"));
    house.post_at(day(1), fill("buy 1 SPY at 499", "0", "0"));
    house
}

#[test]
fn every_way_to_differ_is_found_and_all_else_matches() {
    let mut house = house();
    let receipt = house
        .upload(
            "date,symbol,side,qty,price,fees,execution_id\n\
             2026-03-02,AAPL,buy,100,10,1,1\n\
             2026-03-02,AAPL,buy,100,10.6,1,SIM:2\n\
             2026-03-02,AAPL,sell,50,11,1.02,\n\
             2026-03-02,SPY,sell,2,500,0,\n\
             2026-03-02,MSFT,buy,7,400,0,77\n\
             2026-03-02,MSFT,buy,many,400,0,78\n",
        )
        .unwrap();
    assert_eq!((receipt.upload_id, receipt.rows, receipt.errors.len()), (1, 5, 1));
    // Line 2 by its execution id, line 4 by its day, symbol and numbers: 50 x 0.00001 is less than half a cent.
    assert_eq!(house.reconcile(1).unwrap(), (2, 3));
    let expected = [
        "Some(3) Some(2) differs: price: broker 10.6, ledger 10.5",
        "Some(5) Some(4) differs: quantity: broker 2, ledger 1",
        "Some(6) None missing_in_ledger: the broker tells of 2026-03-02 buy 7 MSFT at 400",
    ];
    assert_eq!(house.open(), expected);
    // Repeated it finds the same and nothing twice.
    assert_eq!(house.reconcile(1).unwrap(), (2, 3));
    assert_eq!(house.open(), expected);

    // A file of both days lacks what it does not tell of.
    house.upload("date,symbol,side,qty,price\n2026-03-03,SPY,buy,1,499\n2026-03-02,SPY,sell,1,500\n").unwrap();
    assert_eq!(house.reconcile(2).unwrap(), (2, 3));
    assert!(house.open()[3..].iter().all(|line| line.contains("missing_at_broker: the ledger has 2026-03-02")));
}

#[test]
fn a_row_that_agrees_is_not_given_to_one_that_does_not() {
    let mut house = house();
    // The first row fits neither purchase; the second fits the first of them, and must get it.
    house.upload("date,symbol,side,qty,price\n2026-03-02,AAPL,buy,100,9\n2026-03-02,AAPL,buy,100,10\n").unwrap();
    house.reconcile(1).unwrap();
    assert!(house.open().contains(&"Some(2) Some(2) differs: price: broker 9, ledger 10.5".to_string()));
}

#[test]
fn one_fill_is_matched_by_one_row() {
    let mut house = house();
    house
        .upload("date,symbol,side,qty,price,execution_id\n2026-03-03,SPY,buy,1,499,5\n2026-03-03,SPY,buy,1,499,5\n")
        .unwrap();
    assert_eq!(house.reconcile(1).unwrap(), (1, 1));
    assert_eq!(house.open(), ["Some(3) None missing_in_ledger: the broker tells of 2026-03-03 buy 1 SPY at 499"]);
}

#[test]
fn a_missing_fill_is_booked_and_then_matches() {
    let mut house = house();
    house
        .upload("date,symbol,side,qty,price,execution_id\n2026-03-03,SPY,buy,1,499,5\n2026-03-03,MSFT,buy,7,400,77\n")
        .unwrap();
    assert_eq!(house.reconcile(1).unwrap(), (1, 1));
    let event = Event::new("ALPACA:77", day(1), fill("buy 7 MSFT at 400", "0", "0"));
    let storage = Storage { disk: &house.disk, keys: &house.keys };
    assert_eq!(house.books.post(storage, &[event], day(1)).unwrap()[0].entry, 6);
    assert_eq!(house.reconcile(1).unwrap(), (2, 0));
    assert_eq!(house.open(), [] as [&str; 0]);
}

#[test]
fn a_discrepancy_is_resolved_once_with_a_note_and_stays_resolved() {
    let mut house = house();
    house.upload("date,symbol,side,qty,price\n2026-03-03,SPY,buy,2,499\n2026-03-03,MSFT,buy,7,400\n").unwrap();
    house.reconcile(1).unwrap();
    let all = house.books.discrepancies(true).unwrap();
    assert_eq!(
        all.iter().map(|d| d.kind).collect::<Vec<_>>(),
        [DiscrepancyKind::MissingInLedger, DiscrepancyKind::Differs]
    );
    let id = all[0].id;
    assert!(matches!(house.resolve(id, Resolution::Ignored, ""), Err(BooksError::Invalid(_))));
    house.resolve(id, Resolution::KeepLedger, "another account's trade").unwrap();
    assert!(matches!(house.resolve(id, Resolution::Ignored, "x"), Err(BooksError::AlreadyResolved(_))));
    assert!(matches!(house.resolve(99, Resolution::Ignored, "x"), Err(BooksError::UnknownDiscrepancy(99))));
    assert_eq!(house.open().len(), 1);
    // Found again it is known to be resolved.
    assert_eq!(house.reconcile(1).unwrap(), (0, 2));
    assert_eq!(house.open().len(), 1);
    let resolved = house.reopened().discrepancies(false).unwrap().into_iter().find(|d| d.id == id).unwrap();
    assert_eq!(resolved.action.as_deref(), Some("keep_ledger"));
    assert_eq!(resolved.note.as_deref(), Some("another account's trade"));
    assert_eq!((resolved.resolved_by.as_deref(), &resolved.resolved_utc.unwrap()[..10]), (Some("bob"), "2026-03-03"));
}

#[test]
fn a_later_file_replaces_what_an_earlier_one_left_open() {
    let mut house = house();
    let part = "date,symbol,side,qty,price,execution_id\n2026-03-03,MSFT,buy,7,400,77\n2026-03-02,SPY,sell,1,500,4\n";
    house.upload(part).unwrap();
    // MSFT is missing in the ledger, the three trades in AAPL and the purchase of SPY at the broker.
    assert_eq!(house.reconcile(1).unwrap(), (1, 5));
    let whole = format!(
        "{part}2026-03-02,AAPL,buy,100,10,1\n2026-03-02,AAPL,buy,100,10.5,2\n2026-03-02,AAPL,sell,49,11,3\n\
         2026-03-03,SPY,buy,1,499,5\n"
    );
    house.upload(&whole).unwrap();
    let superseded = house.reconcile(1).unwrap_err();
    assert_eq!(superseded.to_string(), "a file was uploaded after upload 1; compare that one");
    // The row that is still open can be decided about, with what the first file said.
    assert_eq!(house.open().len(), 5);
    assert_eq!(house.reconcile(2).unwrap(), (4, 2));
    assert_eq!(
        house.open(),
        [
            "Some(2) None missing_in_ledger: the broker tells of 2026-03-03 buy 7 MSFT at 400",
            "Some(6) Some(3) differs: quantity: broker 49, ledger 50",
        ]
    );
    assert!(house.books.discrepancies(true).unwrap().iter().all(|d| d.upload_id == 2));
}

#[test]
fn a_missing_fill_is_booked_from_the_file_and_not_again_when_it_arrives() {
    let mut house = house();
    house
        .upload("date,symbol,side,qty,price,fees,execution_id\n2026-03-03,MSFT,buy,7,400,0.35,2026::77\n2026-03-03,SPY,buy,2,499,0,\n")
        .unwrap();
    house.reconcile(1).unwrap();
    let all = house.books.discrepancies(true).unwrap();
    let (missing, differs) = (all[1].id, all[0].id);
    let refused = house.resolve(differs, Resolution::Book, "x").unwrap_err();
    assert_eq!(refused.to_string(), "action: only a fill that is missing in the ledger can be booked");
    house.resolve(missing, Resolution::Book, "lost in the outage").unwrap();
    let entry = house.books.entry(6).unwrap().unwrap();
    assert_eq!((entry.date.as_str(), entry.utc.as_str()), ("2026-03-03", "2026-03-03T21:00:00.000000000Z"));
    assert_eq!(
        (entry.reference.as_deref(), &entry.flags[..]),
        (Some("statement:2026::77"), &["reconciled".to_string()][..])
    );
    assert_eq!(house.books.position(&Instrument::share("MSFT")).unwrap(), d("7"));
    assert_eq!(house.books.discrepancies(false).unwrap()[1].entry, Some(6));
    // The row now has its entry, and the broker's late report of it is known.
    assert_eq!(house.reconcile(1).unwrap(), (1, 1));
    let storage = Storage { disk: &house.disk, keys: &house.keys };
    let late = |fees: &str| Event::new("ALPACA:2026::77", day(1), fill("buy 7 MSFT at 400", fees, "0"));
    assert_eq!(house.books.post(storage, &[late("0.35")], day(1)).unwrap()[0].outcome, Outcome::Already);
    assert_eq!(house.books.post(storage, &[late("0.36")], day(1)).unwrap()[0].outcome, Outcome::Conflict);
    assert_eq!(house.books.position(&Instrument::share("MSFT")).unwrap(), d("7"));
}

#[test]
fn symbols_of_brokers_are_shares_or_options() {
    for (symbol, kind) in [
        ("AAPL", InstrumentKind::Share),
        ("BRK B", InstrumentKind::Share),
        ("AAPL240119P00150000", InstrumentKind::Option),
        ("SPXW  240119C04500000", InstrumentKind::Option),
        ("AAPL 2024-01-19 P 150", InstrumentKind::Option),
        ("240119P00150000", InstrumentKind::Share),
        ("AAPL240119X00150000", InstrumentKind::Share),
        ("é40119P001500000é", InstrumentKind::Share),
        ("", InstrumentKind::Share),
    ] {
        assert_eq!(Instrument::of_symbol(symbol).kind, kind, "{symbol}");
    }
}

#[test]
fn what_is_no_statement_is_refused_and_nothing_is_kept() {
    let mut house = house();
    assert!(matches!(house.upload("a,b\n1,2\n"), Err(BooksError::Statement(_))));
    let empty = house.upload("date,symbol,side,qty,price\n2026-03-02,AAPL,hold,1,1\n").unwrap_err();
    assert_eq!(
        empty.to_string(),
        "the file cannot be read: it has no execution; line 2: side: 'hold' is neither buy nor sell"
    );
    assert!(matches!(house.reconcile(1), Err(BooksError::UnknownUpload(1))));
    let (storage, books, deed) = house.deed("alice", Action::LedgerUpload, T0);
    assert!(matches!(books.reconcile(storage, 1, deed), Err(BooksError::NotRecorded(_))));
    assert_eq!(house.post(Happening::Deposit { amount: d("1") }), 6);
}
