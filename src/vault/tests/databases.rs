//! Databases that exist on the disk as encrypted images.

use std::fs;

use super::harness::{Fate, NOW, PLANTED, assert_sealed, assert_whole, open, open_doomed, provisioned, walk_steps};
use crate::vault::{Category, Database, DatabaseFile, Disk, Keys, VaultError, secrets};

fn values(database: &Database) -> Vec<String> {
    database
        .read(|connection| {
            let mut statement = connection.prepare("SELECT v FROM t ORDER BY rowid")?;
            statement.query_map([], |row| row.get(0))?.collect()
        })
        .unwrap()
}

fn add(database: &mut Database, disk: &Disk, keys: &Keys, value: &str) -> Result<(), VaultError> {
    database.change(disk, keys, NOW, |transaction| {
        let failed = |source| VaultError::Database { category: Category::Login, source };
        transaction.execute("INSERT INTO t VALUES (?1)", [value]).map_err(failed).map(drop)
    })
}

#[test]
fn a_change_is_on_the_disk_when_it_returns() {
    let dir = provisioned();
    let disk = open(dir.path());
    let (keys, _) = Keys::open(&disk).unwrap();
    let mut database = Database::open(&disk, &keys, DatabaseFile::Users).unwrap().unwrap();
    add(&mut database, &disk, &keys, "PLANTED-SECRET second").unwrap();
    let again = Database::open(&disk, &keys, DatabaseFile::Users).unwrap().unwrap();
    assert_eq!(values(&again), ["PLANTED-SECRET Users", "PLANTED-SECRET second"]);
    assert_sealed(dir.path());
}

#[test]
fn a_change_that_fails_changes_nothing() {
    let dir = provisioned();
    let disk = open(dir.path());
    let (keys, _) = Keys::open(&disk).unwrap();
    let mut database = Database::open(&disk, &keys, DatabaseFile::Users).unwrap().unwrap();
    let before = fs::read(dir.path().join(DatabaseFile::Users.path())).unwrap();
    let refused: Result<(), VaultError> = database.change(&disk, &keys, NOW, |transaction| {
        transaction.execute("DELETE FROM t", []).unwrap();
        Err(VaultError::Manifest)
    });
    assert!(matches!(refused, Err(VaultError::Manifest)));
    assert_eq!(values(&database), ["PLANTED-SECRET Users"]);
    assert_eq!(fs::read(dir.path().join(DatabaseFile::Users.path())).unwrap(), before);
}

#[test]
fn memory_and_disk_agree_after_a_save_that_failed() {
    for at in 0..5 {
        let dir = provisioned();
        let (disk, _) = open_doomed(dir.path(), at, Fate::Full);
        let (keys, _) = Keys::open(&disk).unwrap();
        let mut database = Database::open(&disk, &keys, DatabaseFile::Users).unwrap().unwrap();
        let error = add(&mut database, &disk, &keys, "second").unwrap_err();
        assert!(matches!(&error, VaultError::Disk(e) if e.is_full()), "{error}");
        let on_disk = Database::open(&disk, &keys, DatabaseFile::Users).unwrap().unwrap();
        assert_eq!(values(&database), values(&on_disk));
        assert_eq!(values(&database).len(), if at == 4 { 2 } else { 1 });
    }
}

#[test]
fn a_change_stopped_anywhere_leaves_a_sound_image() {
    let steps = walk_steps(
        Fate::Stop,
        |disk| {
            let (keys, _) = Keys::open(disk)?;
            let mut database = Database::open(disk, &keys, DatabaseFile::Ledger)?.unwrap();
            add(&mut database, disk, &keys, "PLANTED-SECRET second")
        },
        |root, _| {
            let disk = open(root);
            let (keys, _) = Keys::open(&disk).unwrap();
            let database = Database::open(&disk, &keys, DatabaseFile::Ledger).unwrap().unwrap();
            assert!(values(&database)[0].starts_with(PLANTED));
            assert_sealed(root);
        },
    );
    assert_eq!(steps, 5);
}

#[test]
fn what_is_not_the_image_of_this_database_is_refused() {
    let dir = provisioned();
    let disk = open(dir.path());
    let (keys, _) = Keys::open(&disk).unwrap();
    let token = disk.read(DatabaseFile::Ledger.path(), 1_000_000).unwrap().unwrap();
    let image = keys.get(Category::Env).unwrap().open(&token).unwrap();
    let changed = |at: usize, byte: u8| {
        let mut image = image.to_vec();
        image[at] = byte;
        image
    };
    let mut torn = image.to_vec();
    torn[1024..].fill(0x55);
    let wrong = [
        (b"no database".to_vec(), "no SQLite image"),
        (Vec::new(), "no SQLite image"),
        (image[..50].to_vec(), "no SQLite image"),
        (changed(18, 2), "a SQLite image with a write-ahead log, which has no place here"),
        (changed(71, 0), "the image of another database"),
        (torn, "a damaged SQLite image"),
    ];
    for (image, expected) in wrong {
        let token = keys.get(Category::Env).unwrap().seal(&image, NOW);
        disk.write(DatabaseFile::Ledger.path(), token.as_bytes()).unwrap();
        match Database::open(&disk, &keys, DatabaseFile::Ledger).unwrap_err() {
            VaultError::Content { category: Category::Env, what } => assert_eq!(what, expected),
            other => panic!("expected '{expected}', got {other}"),
        }
        assert_eq!(secrets::validate(&disk, &keys, true).len(), 1);
    }
}

#[test]
fn databases_under_the_same_key_cannot_be_exchanged() {
    let dir = provisioned();
    fs::copy(dir.path().join(DatabaseFile::Ledger.path()), dir.path().join(DatabaseFile::Coa.path())).unwrap();
    let disk = open(dir.path());
    let (keys, _) = Keys::open(&disk).unwrap();
    let error = Database::open(&disk, &keys, DatabaseFile::Coa).unwrap_err();
    assert!(matches!(error, VaultError::Content { what: "the image of another database", .. }), "{error}");
}

#[test]
fn a_database_can_empty_and_fill_itself_without_a_file() {
    let dir = provisioned();
    let disk = open(dir.path());
    let (keys, _) = Keys::open(&disk).unwrap();
    let mut database = Database::open(&disk, &keys, DatabaseFile::Users).unwrap().unwrap();
    for round in 0..3 {
        database
            .change::<(), VaultError>(&disk, &keys, NOW, |transaction| {
                transaction.execute("DELETE FROM t", []).unwrap();
                for i in 0..200 {
                    let value = format!("{PLANTED} {} {i}", "x".repeat(100));
                    transaction.execute("INSERT INTO t VALUES (?1)", [value]).unwrap();
                }
                transaction
                    .query_row("SELECT count(*) FROM (SELECT v FROM t ORDER BY v DESC)", [], |_| Ok(()))
                    .unwrap();
                Ok(())
            })
            .unwrap();
        assert_eq!(values(&database).len(), 200, "round {round}");
    }
    assert_sealed(dir.path());
    database
        .change::<(), VaultError>(&disk, &keys, NOW, |t| {
            t.execute_batch("DELETE FROM t; INSERT INTO t VALUES ('PLANTED-SECRET Users');").unwrap();
            Ok(())
        })
        .unwrap();
    drop((database, disk, keys));
    assert_whole(dir.path());
}
