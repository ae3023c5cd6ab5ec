//! Making keys, and noticing keys that do not belong.

use std::fs;
use std::path::Path;
use std::sync::atomic::Ordering;

use super::harness::{Fate, NOW, assert_sealed, make_keys, open, open_doomed, provision, provisioned};
use crate::vault::{Category, Disk, Fingerprint, Key, KeyFinding, KeyLines, Keys, VaultError};

fn findings(root: &Path) -> Vec<KeyFinding> {
    Keys::open(&open(root)).unwrap().1
}

fn key_file(root: &Path, category: Category) -> std::path::PathBuf {
    root.join(category.key_path())
}

fn foreign_key() -> String {
    KeyLines::one(Key::generate().unwrap()).content().to_string()
}

#[test]
fn the_provisioning_makes_fourteen_different_keys() {
    let dir = super::harness::folder();
    let disk = open(dir.path());
    let keys = provision(&disk).unwrap();
    let mut fingerprints: Vec<Fingerprint> = keys.list().into_iter().map(|info| info.fingerprint).collect();
    fingerprints.sort();
    fingerprints.dedup();
    assert_eq!(fingerprints.len(), 14);
    for category in Category::ALL {
        let content = fs::read_to_string(key_file(dir.path(), category)).unwrap();
        assert_eq!(content.len(), 45, "44 characters and a newline");
        assert_eq!(category.name().parse(), Ok(category));
    }
    assert_eq!(Keys::open(&disk).unwrap().1, []);
    assert_sealed(dir.path());
}

#[test]
fn keys_are_made_in_their_order_and_once() {
    let dir = super::harness::folder();
    let disk = open(dir.path());
    let (mut keys, _) = Keys::open(&disk).unwrap();
    let early = keys.provision(Category::Broker, NOW).unwrap_err();
    assert!(matches!(early, VaultError::EnvKeyFirst { category: Category::Broker }));
    let audit = keys.provision(Category::Audit, NOW).unwrap();
    assert_eq!(Keys::open(&disk).unwrap().1, [], "the audit key may stand alone");
    make_keys(&mut keys).unwrap();
    assert_eq!(keys.provision(Category::Audit, NOW).unwrap(), audit, "a second call changes nothing");
    keys.finish_provisioning(NOW).unwrap();
    fs::remove_file(key_file(dir.path(), Category::Smtp)).unwrap();
    let (mut keys, _) = Keys::open(&disk).unwrap();
    let lost = keys.provision(Category::Smtp, NOW).unwrap_err();
    assert!(matches!(lost, VaultError::KeyUnavailable { category: Category::Smtp }), "nothing is made anew");
}

#[test]
fn a_provisioning_stopped_anywhere_goes_on_or_rolls_back() {
    for roll_back in [false, true] {
        for at in 0.. {
            let dir = super::harness::folder();
            drop(open(dir.path()));
            let (disk, taken) = open_doomed(dir.path(), at, Fate::Stop);
            let result = make_keys(&mut Keys::open(&disk).unwrap().0);
            let met = taken.load(Ordering::Relaxed) > at;
            drop(disk);
            assert_eq!(result.is_err(), met);
            if !met {
                break;
            }
            let disk = open(dir.path());
            let (mut keys, findings) = Keys::open(&disk).unwrap();
            assert_eq!(findings, [], "stopped at {at}");
            if roll_back && !keys.is_complete() {
                keys.withdraw().unwrap();
                let left = disk.list("storage/keys").unwrap();
                assert!(left.is_empty() || left == ["audit.key"], "{left:?}");
            }
            make_keys(&mut keys).unwrap();
            let (keys, findings) = Keys::open(&disk).unwrap();
            assert_eq!((keys.list().len(), findings), (14, vec![]));
            assert_sealed(dir.path());
        }
    }
}

#[test]
fn a_stopped_roll_back_can_be_repeated() {
    for at in 0.. {
        let dir = super::harness::folder();
        let disk = open(dir.path());
        let (mut keys, _) = Keys::open(&disk).unwrap();
        for category in [Category::Audit, Category::Env, Category::Broker, Category::Smtp] {
            keys.provision(category, NOW).unwrap();
        }
        drop((disk, keys));
        let (disk, taken) = open_doomed(dir.path(), at, Fate::Stop);
        let result = Keys::open(&disk).unwrap().0.withdraw();
        let met = taken.load(Ordering::Relaxed) > at;
        drop(disk);
        assert_eq!(result.is_err(), met);
        let disk = open(dir.path());
        Keys::open(&disk).unwrap().0.withdraw().unwrap();
        assert_eq!(disk.list("storage/keys").unwrap(), ["audit.key"]);
        assert_eq!(Keys::open(&disk).unwrap().1, []);
        if !met {
            break;
        }
    }
}

#[test]
fn a_finished_provisioning_cannot_be_rolled_back() {
    for lost in ["", "storage/keys/env.key", "storage/keys/manifest.json.enc"] {
        let dir = provisioned();
        if !lost.is_empty() {
            fs::remove_file(dir.path().join(lost)).unwrap();
        }
        let (mut keys, _) = Keys::open(&open(dir.path())).unwrap();
        assert!(matches!(keys.withdraw(), Err(VaultError::Manifest)));
        assert_eq!(keys.provision(Category::Env, NOW).is_ok(), lost.is_empty());
        assert!(key_file(dir.path(), Category::Login).exists());
        assert_eq!(key_file(dir.path(), Category::Env).exists(), lost != "storage/keys/env.key", "not made anew");
    }
}

#[test]
fn a_changed_missing_malformed_or_unknown_key_is_found() {
    for category in Category::ALL.into_iter().filter(|category| *category != Category::Env) {
        let dir = provisioned();
        fs::write(key_file(dir.path(), category), foreign_key()).unwrap();
        assert_eq!(findings(dir.path()), [KeyFinding::Changed { category }]);
        fs::write(key_file(dir.path(), category), "no key").unwrap();
        assert_eq!(findings(dir.path()), [KeyFinding::Malformed { category }]);
        fs::remove_file(key_file(dir.path(), category)).unwrap();
        assert_eq!(findings(dir.path()), [KeyFinding::Missing { category }]);
        let (keys, _) = Keys::open(&open(dir.path())).unwrap();
        let refused = keys.get(category).unwrap_err().to_string();
        assert_eq!(refused, format!("the key of the category '{category}' is not usable"));
        assert!(!key_file(dir.path(), category).exists(), "it is not made anew");
    }
    let dir = provisioned();
    fs::write(dir.path().join("storage/keys/mine.key"), foreign_key()).unwrap();
    assert_eq!(findings(dir.path()), [KeyFinding::Unknown { name: "mine.key".to_string() }]);
}

#[test]
fn a_second_line_is_foreign_unless_a_rotation_announced_it() {
    let dir = provisioned();
    let path = key_file(dir.path(), Category::Broker);
    let own = fs::read_to_string(&path).unwrap();
    for content in [format!("{}{own}", foreign_key()), format!("{own}{}", foreign_key()), format!("{own}{own}")] {
        fs::write(&path, content).unwrap();
        assert_eq!(findings(dir.path()), [KeyFinding::Changed { category: Category::Broker }]);
    }
    fs::write(&path, own.repeat(3)).unwrap();
    assert_eq!(findings(dir.path()), [KeyFinding::Malformed { category: Category::Broker }]);
}

#[test]
fn a_lost_env_key_or_manifest_is_found() {
    let env = |root: &Path| key_file(root, Category::Env);
    let manifest = |root: &Path| root.join("storage/keys/manifest.json.enc");
    let dir = provisioned();
    fs::remove_file(env(dir.path())).unwrap();
    assert_eq!(findings(dir.path()), [KeyFinding::Missing { category: Category::Env }]);
    fs::write(env(dir.path()), foreign_key()).unwrap();
    assert_eq!(findings(dir.path()), [KeyFinding::ManifestUnreadable]);
    assert!(Keys::open(&open(dir.path())).unwrap().0.get(Category::Env).is_err());
    fs::remove_file(manifest(dir.path())).unwrap();
    assert_eq!(findings(dir.path()), [KeyFinding::ManifestMissing]);
    let dir = provisioned();
    fs::copy(dir.path().join("storage/secrets/env.json.enc"), manifest(dir.path())).unwrap();
    assert_eq!(findings(dir.path()), [KeyFinding::ManifestUnreadable], "another file of the same key");
}

#[test]
fn a_key_planted_during_the_provisioning_is_not_used() {
    let dir = super::harness::folder();
    let disk = open(dir.path());
    let (mut keys, _) = Keys::open(&disk).unwrap();
    keys.provision(Category::Env, NOW).unwrap();
    fs::write(key_file(dir.path(), Category::Broker), foreign_key()).unwrap();
    let (mut keys, findings) = Keys::open(&disk).unwrap();
    assert_eq!(findings, [KeyFinding::Foreign { category: Category::Broker }]);
    let refused = keys.provision(Category::Broker, NOW).unwrap_err();
    assert!(matches!(refused, VaultError::ForeignKey { category: Category::Broker }));
}

#[test]
fn keys_can_be_examined_beside_the_owner() {
    let dir = provisioned();
    let _owner = open(dir.path());
    let (keys, findings) = Keys::open(&Disk::read_only(dir.path()).unwrap()).unwrap();
    assert_eq!((keys.list().len(), findings), (14, vec![]));
}
