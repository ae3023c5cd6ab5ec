//! Backups and restores.

use std::fs;

use secrecy::{ExposeSecret, SecretString};

use super::harness::{
    Fate, NOW, TestAudit, assert_readable, assert_sealed, assert_whole, fields, make_keys, open, passphrase,
    provisioned, walk_steps_after,
};
use crate::market::{DAY, SECOND};
use crate::vault::backups::{self, BackupKind, BackupName, Cost, Protection};
use crate::vault::{
    Actor, BackupError, Category, Database, DatabaseFile, Disk, Keys, SecretFile, VaultError, rotation::rotate, secrets,
};

const FULL: &str = "backup_v1_20260105T150000Z_full.enc";
const PORTABLE: &str = "backup_v1_20260105T150000Z_portable.enc";

fn portable(passphrase: &SecretString) -> Protection<'_> {
    Protection::Passphrase(passphrase, Cost::new(10).unwrap())
}

#[test]
fn backups_are_listed_by_their_names() {
    let dir = provisioned();
    let disk = open(dir.path());
    fs::write(dir.path().join("storage/backups/other.enc"), "x").unwrap();
    let list = backups::list(&disk).unwrap();
    let names: Vec<&str> = list.iter().map(|b| b.name.as_str()).collect();
    assert_eq!(names, [PORTABLE, FULL]);
    assert_eq!(list[1].created_utc, "2026-01-05T15:00:00.000000000Z");
    assert_eq!((list[1].schema, list[1].kind), (1, BackupKind::Full));
    for name in ["other.enc", "../keys/env.key", "", "backup_v1_20260105T150001Z_full.enc"] {
        let missing = backups::read(&disk, name).unwrap_err();
        assert!(matches!(missing, VaultError::Backup(BackupError::NoSuch { .. })), "{missing}");
    }
    for name in ["backup_v01_20260105T150000Z_full.enc", "backup_v1_20260105T150000Z_half.enc", "backup_v1_x_full.enc"]
    {
        assert_eq!(BackupName::parse(name), None);
    }
    let again = backups::create(&disk, &Keys::open(&disk).unwrap().0, Protection::BackupKey, NOW).unwrap_err();
    assert!(matches!(again, VaultError::Backup(BackupError::Exists { .. })));
}

#[test]
fn a_backup_holds_no_key() {
    let dir = provisioned();
    let disk = open(dir.path());
    let (keys, _) = Keys::open(&disk).unwrap();
    let content = backups::read(&disk, FULL).unwrap();
    let plain = keys.get(Category::Backup).unwrap().open(&content).unwrap();
    let text = String::from_utf8(plain.to_vec()).unwrap();
    assert!(text.contains("storage/secrets/broker_credentials.json.enc") && !text.contains("storage/keys"));
    for category in Category::ALL {
        let key = fs::read_to_string(dir.path().join(category.key_path())).unwrap();
        assert!(!text.contains(key.trim()));
    }
}

#[test]
fn a_restore_brings_back_what_was_changed_under_keys_that_are_new() {
    for (name, passphrase) in [(FULL, None), (PORTABLE, Some(passphrase()))] {
        let dir = provisioned();
        let disk = open(dir.path());
        let (mut keys, _) = Keys::open(&disk).unwrap();
        secrets::write_fields(&disk, &keys, SecretFile::Broker, &fields("changed"), NOW).unwrap();
        fs::remove_file(dir.path().join("core/databases/SYSTEM_USERS.db")).unwrap();
        fs::remove_file(dir.path().join(".env.enc")).unwrap();
        let mut audit = TestAudit::new(&disk);
        for category in Category::ALL {
            rotate(&disk, &mut keys, &mut audit, category, &Actor::core(), NOW).unwrap();
        }
        let restored = backups::restore(&disk, &keys, name, passphrase.as_ref(), NOW).unwrap();
        assert_eq!(restored.len(), 9 + 2 + 3);
        drop((disk, keys, audit));
        assert_whole(dir.path());
    }
}

#[test]
fn a_portable_backup_restores_into_another_data_folder() {
    let old = provisioned();
    let content = backups::read(&open(old.path()), PORTABLE).unwrap();
    let new = super::harness::folder();
    let disk = open(new.path());
    let (mut keys, _) = Keys::open(&disk).unwrap();
    make_keys(&mut keys).unwrap();
    disk.write(super::harness::HEAD, keys.get(Category::Audit).unwrap().seal(b"head", NOW).as_bytes()).unwrap();
    let name = import(&disk, &[&content], NOW + SECOND).unwrap().name;
    let wrong = SecretString::from("another long passphrase");
    let refused = backups::restore(&disk, &keys, &name, Some(&wrong), NOW).unwrap_err();
    assert!(matches!(refused, VaultError::Backup(BackupError::WrongPassphrase)));
    let refused = backups::restore(&disk, &keys, &name, None, NOW).unwrap_err();
    assert!(matches!(refused, VaultError::Backup(BackupError::PassphraseNeeded)));
    backups::restore(&disk, &keys, &name, Some(&passphrase()), NOW).unwrap();
    assert_readable(&disk, &keys);
    assert_sealed(new.path());
    for content in [&b""[..], b"x\n", b"tbot-portable-1 scrypt log_n=30 r=8 p=1 salt=00\nx", &content[1..]] {
        let refused = import(&disk, &[content], NOW + 2 * SECOND).unwrap_err();
        assert!(matches!(refused, VaultError::Backup(BackupError::NotPortable { .. })), "{refused}");
    }
}

/// A backup from elsewhere that arrives in these parts.
fn import(disk: &Disk, parts: &[&[u8]], now: crate::market::Nanos) -> Result<backups::BackupInfo, VaultError> {
    let mut import = backups::Import::begin(disk)?;
    parts.iter().try_for_each(|part| import.append(part))?;
    import.adopt(now)
}

/// The names in the folder of backups, temporary ones included.
fn left(root: &std::path::Path) -> Vec<String> {
    let names = fs::read_dir(root.join("storage/backups")).unwrap();
    names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

const HEADER: &[u8] = b"tbot-portable-1 scrypt log_n=10 r=8 p=1 salt=00112233445566778899aabbccddeeff\n";

#[test]
fn a_backup_from_elsewhere_is_the_same_however_its_parts_are_cut() {
    let dir = super::harness::folder();
    let disk = open(dir.path());
    let content = [HEADER, b"gAAAA-_=\n"].concat();
    for (at, now) in (0..=content.len()).zip(1..) {
        let (first, second) = content.split_at(at);
        let name = import(&disk, &[first, second], now * SECOND).unwrap().name;
        assert_eq!(backups::read(&disk, &name).unwrap().as_slice(), content, "cut at {at}");
    }
    let bytes: Vec<&[u8]> = content.chunks(1).collect();
    let info = import(&disk, &bytes, NOW).unwrap();
    assert_eq!(info.bytes, content.len() as u64);
}

#[test]
fn nothing_is_left_of_what_is_no_backup_and_it_is_refused_as_soon_as_it_shows() {
    let dir = super::harness::folder();
    let disk = open(dir.path());
    let long = [b'a'; 128];
    for parts in [&[b"MZ\n".as_slice()][..], &[&long[..100], &long[..28]], &[HEADER, b"gAAAA", b"<html>"], &[HEADER]] {
        let mut import = backups::Import::begin(&disk).unwrap();
        let (last, before) = parts.split_last().unwrap();
        before.iter().for_each(|part| import.append(part).unwrap());
        let refused = import.append(last).and_then(|()| import.adopt(NOW).map(drop)).unwrap_err();
        assert!(matches!(refused, VaultError::Backup(BackupError::NotPortable { .. })), "{refused}");
        assert_eq!(left(dir.path()), [""; 0]);
    }
    let begun = backups::Import::begin(&disk).unwrap();
    assert_eq!(left(dir.path()).len(), 1);
    drop(begun);
    assert_eq!(left(dir.path()), [""; 0], "whoever sent it went away");
}

#[test]
fn a_backup_from_elsewhere_replaces_none_of_the_same_second() {
    let dir = super::harness::folder();
    let disk = open(dir.path());
    let name = import(&disk, &[HEADER, b"first"], NOW).unwrap().name;
    let refused = import(&disk, &[HEADER, b"second"], NOW).unwrap_err();
    assert!(matches!(refused, VaultError::Backup(BackupError::Exists { .. })), "{refused}");
    assert!(backups::read(&disk, &name).unwrap().ends_with(b"first"));
    assert_eq!(left(dir.path()), [name]);
}

#[test]
fn a_backup_from_elsewhere_that_stops_at_any_step_is_there_as_a_whole_or_not_at_all() {
    for fate in [Fate::Stop, Fate::Full, Fate::Denied] {
        for at in 0.. {
            let dir = super::harness::folder();
            let (disk, taken) = super::harness::open_doomed(dir.path(), at, fate);
            let result = import(&disk, &[HEADER, b"gAAAA"], NOW);
            let met = taken.load(std::sync::atomic::Ordering::Relaxed) > at;
            drop(disk);
            let disk = open(dir.path());
            let found = backups::list(&disk).unwrap();
            assert_eq!(left(dir.path()).len(), found.len(), "{fate:?} at {at}: nothing temporary");
            assert!(found.iter().all(|info| backups::read(&disk, &info.name).unwrap().ends_with(b"\ngAAAA")));
            if !met {
                assert_eq!(at, 6, "create, two parts, synchronise, rename, synchronise the folder");
                assert_eq!((result.unwrap().bytes, found.len()), (HEADER.len() as u64 + 5, 1));
                break;
            }
            // Only the last step comes after the rename.
            assert_eq!((result.is_err(), found.len()), (true, usize::from(at == 5)), "{fate:?} at {at}");
        }
    }
}

#[test]
fn a_restore_stopped_at_any_step_is_all_or_nothing_after_the_next_start() {
    // The first and the last file that a restore writes differ from the backup.
    let prepare = |disk: &Disk| {
        let (keys, _) = Keys::open(disk).unwrap();
        secrets::write_fields(disk, &keys, SecretFile::Env, &fields("changed"), NOW).unwrap();
        let mut coa = Database::open(disk, &keys, DatabaseFile::Coa).unwrap().unwrap();
        let change = |t: &rusqlite::Transaction<'_>| {
            t.execute("UPDATE t SET v = 'changed'", []).unwrap();
            Ok::<(), VaultError>(())
        };
        coa.change(disk, &keys, NOW, change).unwrap();
    };
    for fate in [Fate::Stop, Fate::Full] {
        let steps = walk_steps_after(
            prepare,
            fate,
            |disk| {
                let (keys, _) = Keys::open(disk)?;
                backups::restore(disk, &keys, FULL, None, NOW).map(drop)
            },
            |root, _| {
                let disk = open(root);
                let (keys, _) = Keys::open(&disk).unwrap();
                let pending = disk.exists("storage/secrets/restore.enc").unwrap();
                assert_eq!(backups::resume(&disk, &keys, NOW).unwrap().is_some(), pending);
                assert!(!disk.exists("storage/secrets/restore.enc").unwrap());
                let env = secrets::read_fields(&disk, &keys, SecretFile::Env).unwrap().unwrap();
                let coa = Database::open(&disk, &keys, DatabaseFile::Coa).unwrap().unwrap();
                let coa: String = coa.read(|c| c.query_row("SELECT v FROM t", [], |row| row.get(0))).unwrap();
                assert_eq!(env.get("VALUE").unwrap().expose_secret() == "changed", coa == "changed");
                if coa != "changed" {
                    assert_readable(&disk, &keys);
                }
                assert_sealed(root);
            },
        );
        assert_eq!(steps, 15 * 5 + 2, "the whole content, fourteen files, and its removal");
    }
}

#[test]
fn a_damaged_or_strange_backup_changes_nothing() {
    let dir = provisioned();
    let disk = open(dir.path());
    let (keys, _) = Keys::open(&disk).unwrap();
    let lines = keys.get(Category::Backup).unwrap();
    let plain = lines.open(&backups::read(&disk, FULL).unwrap()).unwrap();
    let text = String::from_utf8(plain.to_vec()).unwrap();
    let strange = [
        text.replace("\"schema\":1", "\"schema\":2"),
        text.replace("storage/secrets/env.json.enc", "../env.json.enc"),
        text.replace("storage/secrets/env.json.enc", "storage/keys/env.key"),
        text.replace("\"category\":\"smtp\"", "\"category\":\"broker\""),
        text.replacen("\"sha256\":\"", "\"sha256\":\"0", 1),
        text.replace("storage/secrets/smtp_credentials.json.enc", "storage/secrets/screener_api.json.enc"),
        text[..text.len() / 2].to_string(),
    ];
    for strange in strange {
        assert_ne!(strange, text);
        disk.write(&format!("storage/backups/{FULL}"), lines.seal(strange.as_bytes(), NOW).as_bytes()).unwrap();
        let refused = backups::restore(&disk, &keys, FULL, None, NOW).unwrap_err();
        assert!(matches!(refused, VaultError::Backup(_)), "{refused}");
        assert!(!disk.exists("storage/secrets/restore.enc").unwrap());
    }
    disk.write(&format!("storage/backups/{FULL}"), b"gAAAAA").unwrap();
    let refused = backups::restore(&disk, &keys, FULL, None, NOW).unwrap_err();
    assert!(matches!(refused, VaultError::Decrypt { category: Category::Backup }));
    assert!(secrets::validate(&disk, &keys, true).is_empty());
}

#[test]
fn the_newest_backups_of_a_kind_are_kept() {
    let dir = provisioned();
    let disk = open(dir.path());
    let (keys, _) = Keys::open(&disk).unwrap();
    for day in 1..=3 {
        backups::create(&disk, &keys, Protection::BackupKey, NOW + day * DAY).unwrap();
    }
    let removed = backups::prune(&disk, BackupKind::Full, 2).unwrap();
    assert_eq!(removed, ["backup_v1_20260106T150000Z_full.enc", FULL]);
    let left: Vec<String> = backups::list(&disk).unwrap().into_iter().map(|b| b.name).collect();
    let expected = ["backup_v1_20260108T150000Z_full.enc", "backup_v1_20260107T150000Z_full.enc", PORTABLE];
    assert_eq!(left, expected);
}

#[test]
fn a_short_passphrase_and_a_broken_vault_make_no_backup() {
    let dir = provisioned();
    let disk = open(dir.path());
    let (keys, _) = Keys::open(&disk).unwrap();
    let short = SecretString::from("elevenchars");
    let refused = backups::create(&disk, &keys, portable(&short), NOW + SECOND).unwrap_err();
    assert_eq!(refused.to_string(), "a passphrase of 11 bytes; expected 12 to 1024");
    fs::write(dir.path().join(SecretFile::Smtp.path()), "damaged").unwrap();
    let refused = backups::create(&disk, &keys, portable(&passphrase()), NOW + SECOND).unwrap_err();
    assert!(matches!(refused, VaultError::Decrypt { category: Category::Smtp }));
    assert_eq!(backups::list(&disk).unwrap().len(), 2);
}
