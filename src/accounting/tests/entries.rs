//! Entries of users, and pages of the ledger.

use super::harness::{House, T0, d, day, fill};
use crate::accounting::{BooksError, EarlierVersion, Entry, EntryDraft, EntryQuery, Happening, Line};
use crate::vault::audit::Action;
use chrono::NaiveDate;

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// Debits of `1100 5`, credits of `4300 -5`.
fn draft(memo: &str, lines: &[&str]) -> EntryDraft {
    let line = |text: &&str| {
        let (account, amount) = text.split_once(' ').unwrap();
        let (debit, credit) = match amount.strip_prefix('-') {
            None => (d(amount), d("0")),
            Some(credit) => (d("0"), d(credit)),
        };
        Line { account: account.to_string(), debit, credit }
    };
    EntryDraft {
        date: date("2026-03-02"),
        memo: memo.to_string(),
        flags: Vec::new(),
        lines: lines.iter().map(line).collect(),
    }
}

impl House {
    fn create(&mut self, draft: &EntryDraft) -> Result<i64, BooksError> {
        let (storage, books, deed) = self.deed("alice", Action::LedgerCreate, T0);
        books.create_entry(storage, draft, deed)
    }

    fn update(&mut self, id: i64, version: i64, draft: &EntryDraft) -> Result<Entry, BooksError> {
        let (storage, books, deed) = self.deed("bob", Action::LedgerUpdate, day(1));
        books.update_entry(storage, id, version, draft, deed)
    }
}

#[test]
fn an_entry_that_does_not_balance_is_refused() {
    let mut house = House::new();
    let refused = house.create(&draft("x", &["1100 5", "4300 -4.99999999"])).unwrap_err();
    assert_eq!(refused.to_string(), "debits of 5 are not credits of 4.99999999");
    assert_eq!(house.books.entries(&EntryQuery { limit: 10, ..EntryQuery::default() }).unwrap().total, 0);
    let id = house.create(&draft("interest", &["1100 5", "4300 -4.99999999", "4200 -0.00000001"])).unwrap();
    assert_eq!(house.balance("4200"), "-0.00000001");
    let entry = house.books.entry(id).unwrap().unwrap();
    assert_eq!((entry.source.as_str(), entry.created_by.as_str(), entry.version), ("manual", "alice", 1));
}

#[test]
fn what_cannot_be_booked_by_hand_is_told_by_field() {
    let mut house = House::new();
    for (lines, why) in [
        (vec!["1100 5", "7777 -5"], "lines[1].account: there is no such account"),
        (vec!["1000 5", "4300 -5"], "lines[0].account: the account is a heading and takes no entries"),
        (
            vec!["1210 5", "1100 -5"],
            "lines[0].account: the account equals the lots of positions and is moved by events only",
        ),
        (vec!["1100 5"], "lines: an entry has at least two lines"),
        (vec![], "lines: an entry has at least two lines"),
        (vec!["1100 0", "4300 0"], "lines[0]: expected either a debit or a credit, and above 0"),
        (vec!["1100 0.000000001", "4300 -0.000000001"], "lines[0]: 0.000000001 has more than 8 decimals"),
        (
            vec!["1100 1000000000001", "4300 -1000000000001"],
            "lines[0]: 1000000000001 cannot be booked; expected a number between -1000000000000 and 1000000000000",
        ),
    ] {
        assert_eq!(house.create(&draft("x", &lines)).unwrap_err().to_string(), why);
    }
    for memo in ["", "  ", "a\nb", &"x".repeat(513)] {
        let refused = house.create(&draft(memo, &["1100 5", "4300 -5"])).unwrap_err();
        assert!(refused.to_string().starts_with("memo: must be 1 to 512 characters"), "{refused}");
    }
    let flagged = EntryDraft { flags: vec!["two words".into()], ..draft("x", &["1100 5", "4300 -5"]) };
    assert!(house.create(&flagged).unwrap_err().to_string().starts_with("flags: "));
    let early = EntryDraft { date: date("0900-01-01"), ..draft("x", &["1100 5", "4300 -5"]) };
    assert!(house.create(&early).unwrap_err().to_string().starts_with("date: "));
    assert_eq!(house.books.trial_balance(None).unwrap().accounts, []);
}

#[test]
fn an_edit_keeps_the_earlier_version_and_refuses_a_stale_one() {
    let mut house = House::new();
    let first = draft("interest", &["1100 5", "4300 -5"]);
    let id = house.create(&first).unwrap();
    let next = EntryDraft { flags: vec!["checked".into()], ..draft("interest of March", &["1100 6", "4300 -6"]) };
    let entry = house.update(id, 1, &next).unwrap();
    assert_eq!((entry.version, entry.memo.as_str(), entry.flags.len()), (2, "interest of March", 1));
    assert_eq!((house.balance("1100"), house.balance("4300")), ("6".into(), "-6".into()));

    let stale = house.update(id, 1, &first);
    assert!(matches!(stale, Err(BooksError::Stale { ref current, .. }) if current == "2"), "{stale:?}");
    assert!(matches!(house.update(id, 2, &next), Err(BooksError::NoChange)));
    assert!(matches!(house.update(99, 1, &next), Err(BooksError::UnknownEntry(99))));
    assert!(matches!(house.update(id, 2, &draft("x", &["1100 6", "4300 -5"])), Err(BooksError::Unbalanced { .. })));
    let later = EntryDraft { date: date("2026-03-05"), ..next.clone() };
    assert_eq!(house.update(id, 2, &later).unwrap().date, "2026-03-05");

    let reopened = house.reopened();
    let history = reopened.entry_history(id).unwrap();
    let told = history.iter().map(|EarlierVersion { entry, replaced_utc, replaced_by }| {
        format!("{} {} {} {} {replaced_by}", entry.version, entry.memo, entry.date, &replaced_utc[..10])
    });
    let told: Vec<String> = told.collect();
    assert_eq!(told, ["2 interest of March 2026-03-02 2026-03-03 bob", "1 interest 2026-03-02 2026-03-03 bob"]);
    assert_eq!(history[1].entry.lines, first.lines);
    assert!(matches!(reopened.entry_history(99), Err(BooksError::UnknownEntry(99))));
}

#[test]
fn an_automatic_entry_keeps_its_figures_and_takes_words() {
    let mut house = House::new();
    let id = house.post(fill("buy 1 AAPL at 10", "0", "0"));
    let entry = house.books.entry(id).unwrap().unwrap();
    let same =
        EntryDraft { date: date(&entry.date), memo: "checked".into(), flags: vec!["ok".into()], lines: entry.lines };
    let other = EntryDraft { lines: draft("", &["5900 10", "1100 -10"]).lines, ..same.clone() };
    assert!(matches!(house.update(id, 1, &other), Err(BooksError::Automatic(_))));
    let moved = EntryDraft { date: date("2026-03-01"), ..same.clone() };
    assert!(matches!(house.update(id, 1, &moved), Err(BooksError::Automatic(_))));
    assert_eq!(house.update(id, 1, &same).unwrap().memo, "checked");
    assert_eq!(house.books.check().unwrap(), [] as [&str; 0]);
}

#[test]
fn a_proof_of_another_deed_does_nothing() {
    let mut house = House::new();
    let entry = draft("x", &["1100 5", "4300 -5"]);
    let (storage, books, deed) = house.deed("alice", Action::LedgerUpdate, T0);
    let refused = books.create_entry(storage, &entry, deed);
    assert!(matches!(refused, Err(BooksError::NotRecorded(Action::LedgerCreate))));
    let id = house.create(&entry).unwrap();
    let (storage, books, deed) = house.deed("alice", Action::LedgerCreate, T0);
    let refused = books.update_entry(storage, id, 1, &draft("y", &["1100 5", "4300 -5"]), deed);
    assert!(matches!(refused, Err(BooksError::NotRecorded(Action::LedgerUpdate))));
}

#[test]
fn pages_give_the_newest_first_and_one_account_its_running_balance() {
    let mut house = House::new();
    for days in 0..4 {
        house.post_at(day(days), Happening::Deposit { amount: d("100") });
        house.post_at(day(days), Happening::BorrowFee { amount: d("1") });
    }
    // Booked last, of an earlier day.
    house.post_at(day(1), Happening::Withdrawal { amount: d("50") });
    let page = |query: EntryQuery| {
        let page = house.books.entries(&query).unwrap();
        let told = page.entries.iter().map(|e| match e.balance {
            Some(balance) => format!("{}:{balance}", e.id),
            None => e.id.to_string(),
        });
        (told.collect::<Vec<_>>().join(" "), page.total)
    };
    let all = EntryQuery { limit: 100, ..EntryQuery::default() };
    assert_eq!(page(all.clone()), ("8 7 6 5 9 4 3 2 1".into(), 9));
    assert_eq!(page(EntryQuery { offset: 3, limit: 2, ..all.clone() }), ("5 9".into(), 9));
    assert_eq!(page(EntryQuery { offset: u64::MAX, ..all.clone() }), ("".into(), 9));
    assert_eq!(page(EntryQuery { limit: 0, ..all.clone() }), ("".into(), 9));
    let fees = EntryQuery { account: Some("5300".into()), ..all.clone() };
    assert_eq!(page(fees.clone()), ("8:4 6:3 4:2 2:1".into(), 4));
    // The balance counts what the page leaves out.
    assert_eq!(page(EntryQuery { offset: 1, limit: 1, ..fees }), ("6:3".into(), 4));
    let cash = EntryQuery {
        account: Some("1100".into()),
        from: Some(date("2026-03-03")),
        to: Some(date("2026-03-03")),
        ..all.clone()
    };
    assert_eq!(page(cash), ("9:148 4:198 3:199".into(), 3));
    assert_eq!(page(EntryQuery { account: Some("' OR 1=1 --".into()), ..all }), ("".into(), 0));
    assert_eq!(house.books.trial_balance(Some(date("2026-03-02"))).unwrap().accounts[0].balance, d("99"));
}
