//! What is on the disk, and what a stop leaves of it.

use super::harness::{House, T0, d, day, fill, identity};
use crate::accounting::{Books, BooksError, EntryQuery, Event, Happening, Identity};
use crate::vault::tests::harness::{Fate, open, open_doomed};
use crate::vault::{Category, Database, DatabaseFile, Disk, Keys, Storage, VaultError};

fn memos(books: &Books) -> Vec<String> {
    let page = books.entries(&EntryQuery { limit: 100, ..EntryQuery::default() }).unwrap();
    page.entries.into_iter().map(|entry| entry.memo).collect()
}

#[test]
fn nothing_of_the_books_is_plain_on_the_disk() {
    let mut house = House::new();
    let event =
        Event { memo: "PLANTED memo".into(), ..Event::new("PLANTED-ID", T0, fill("buy 1 PLANTED at 10", "0", "0")) };
    let storage = Storage { disk: &house.disk, keys: &house.keys };
    assert_eq!(house.books.post(storage, &[event], T0).unwrap()[0].entry, 1);
    for file in [DatabaseFile::Ledger, DatabaseFile::Coa] {
        let bytes = std::fs::read(house.folder.path().join(file.path())).unwrap();
        assert!(bytes.starts_with(b"gAAAA"), "a Fernet token");
        for plain in ["PLANTED", "SQLite", "Commissions"] {
            assert!(!bytes.windows(plain.len()).any(|window| window == plain.as_bytes()), "{plain}");
        }
    }
}

#[test]
fn creating_again_goes_on_after_a_stop_and_replaces_nothing_that_was_lost() {
    let mut house = House::new();
    let lost = |created: Result<Books, BooksError>| {
        matches!(created.unwrap_err(), BooksError::Vault(VaultError::Missing { category: Category::Env }))
    };
    let path = |house: &House, file: DatabaseFile| house.folder.path().join(file.path());
    let other = Identity { entity: "OTHER".into(), ..identity() };
    // An empty ledger without a chart is what a stop leaves.
    std::fs::remove_file(path(&house, DatabaseFile::Coa)).unwrap();
    let storage = Storage { disk: &house.disk, keys: &house.keys };
    assert!(lost(Books::open(storage).map(Option::unwrap)));
    assert_eq!(Books::open_or_create(storage, &other, T0).unwrap().identity(), &other);
    // What is there stays.
    assert_eq!(Books::create(storage, &identity(), T0).unwrap().identity(), &other);

    house.post(Happening::Deposit { amount: d("100") });
    let storage = Storage { disk: &house.disk, keys: &house.keys };
    assert_eq!(Books::open_or_create(storage, &identity(), T0).unwrap().cash().unwrap(), d("100"));
    let chart = std::fs::read(path(&house, DatabaseFile::Coa)).unwrap();
    std::fs::remove_file(path(&house, DatabaseFile::Coa)).unwrap();
    assert!(lost(Books::open_or_create(storage, &identity(), T0)), "a ledger with entries has lost its chart");
    std::fs::write(path(&house, DatabaseFile::Coa), chart).unwrap();
    std::fs::remove_file(path(&house, DatabaseFile::Ledger)).unwrap();
    assert!(lost(Books::open_or_create(storage, &identity(), T0)), "a chart has lost its ledger");
}

#[test]
fn an_identity_is_checked_and_cannot_break_out() {
    let house = House::new();
    let storage = Storage { disk: &house.disk, keys: &house.keys };
    for bad in [
        Identity { entity: "a'); DROP TABLE versions; --".into(), ..identity() },
        Identity { jurisdiction: "".into(), ..identity() },
        Identity { currency_code: "usd".into(), ..identity() },
    ] {
        assert!(matches!(Books::create(storage, &bad, T0), Err(BooksError::Invalid(_))));
    }
}

#[test]
fn a_database_of_something_else_is_refused() {
    let house = House::new();
    let storage = Storage { disk: &house.disk, keys: &house.keys };
    Database::create(&house.disk, &house.keys, DatabaseFile::Ledger, "PRAGMA user_version = 2;", T0).unwrap();
    assert!(matches!(Books::open(storage), Err(BooksError::Vault(VaultError::Content { .. }))));
}

#[test]
fn a_stop_or_a_full_disk_at_any_step_leaves_all_of_a_batch_or_nothing() {
    let mut house = House::new();
    house.post(Happening::Deposit { amount: d("1000") });
    let path = DatabaseFile::Ledger.path();
    let saved = std::fs::read(house.folder.path().join(path)).unwrap();
    let root = house.folder.path().to_path_buf();
    let House { folder: _folder, disk, keys, audit, books, .. } = house;
    drop((disk, keys, audit, books));
    let batch = [
        Event::new("A:1", day(0), fill("buy 10 AAPL at 10", "0", "0")),
        Event::new("A:2", day(0), fill("sell 15 AAPL at 11", "0", "0")),
    ];
    for fate in [Fate::Stop, Fate::Full, Fate::FullOnce] {
        let mut outcomes = [0, 0];
        for at in 0.. {
            std::fs::write(root.join(path), &saved).unwrap();
            let (disk, _) = open_doomed(&root, at, fate);
            let (keys, _) = Keys::open(&disk).unwrap();
            let storage = Storage { disk: &disk, keys: &keys };
            let Ok(Some(mut books)) = Books::open(storage) else { continue };
            let done = books.post(storage, &batch, T0).is_ok();
            drop((keys, disk));
            let disk: Disk = open(&root);
            let (keys, _) = Keys::open(&disk).unwrap();
            let storage = Storage { disk: &disk, keys: &keys };
            let mut books = Books::open(storage).unwrap().unwrap();
            let count = memos(&books).len();
            assert!(count == 1 || count == 3, "{fate:?} at {at}: {count}");
            assert!(!done || count == 3, "{fate:?} at {at}: told to be booked");
            outcomes[usize::from(count == 3)] += 1;
            // Asked again, it is booked once.
            assert_eq!(books.post(storage, &batch, T0).unwrap().len(), 2);
            assert_eq!(memos(&books).len(), 3);
            assert_eq!(books.cash().unwrap(), d("1065"));
            assert_eq!(books.check().unwrap(), [] as [&str; 0]);
            if done {
                break;
            }
        }
        assert!(outcomes[0] > 0 && outcomes[1] > 0, "{fate:?}: {outcomes:?}");
    }
}

#[test]
fn the_ledger_tells_how_full_it_is() {
    let mut house = House::new();
    let empty = house.books.fullness().unwrap();
    assert!(empty > 0.0 && empty < 0.01, "{empty}");
    let event = |k| Event::new(format!("A:{k}"), day(0), fill("buy 1 AAPL at 10", "1", "0"));
    let events: Vec<Event> = (0..200).map(event).collect();
    let storage = Storage { disk: &house.disk, keys: &house.keys };
    assert_eq!(house.books.post(storage, &events, T0).unwrap().len(), 200);
    let bytes = (house.books.fullness().unwrap() - empty) * 64.0 * 1024.0 * 1024.0 / 200.0;
    assert!((400.0..1200.0).contains(&bytes), "{bytes} bytes a fill");
}
