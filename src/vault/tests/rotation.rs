//! Rotation stopped, failing and repeated.

use std::fs;

use proptest::prelude::*;

use super::harness::{
    Fate, HEAD, NOW, TestAudit, assert_readable, assert_sealed, assert_whole, open, open_doomed, provisioned,
    walk_steps,
};
use crate::vault::rotation::{resume, rotate};
use crate::vault::{
    Actor, Category, Disk, Fingerprint, Key, KeyFinding, KeyLines, Keys, SecretFile, VaultError, secrets,
};

fn rotate_on(disk: &Disk, category: Category) -> Result<Fingerprint, VaultError> {
    let (mut keys, _) = Keys::open(disk)?;
    let mut audit = TestAudit::new(disk);
    Ok(rotate(disk, &mut keys, &mut audit, category, &Actor::core(), NOW)?.fingerprint)
}

fn fingerprint(root: &std::path::Path, category: Category) -> Fingerprint {
    let (keys, _) = Keys::open(&open(root)).unwrap();
    keys.list().into_iter().find(|info| info.category == category).unwrap().fingerprint
}

#[test]
fn a_rotation_changes_the_key_and_nothing_that_is_read_with_it() {
    let dir = provisioned();
    for category in Category::ALL {
        let disk = open(dir.path());
        let (mut keys, _) = Keys::open(&disk).unwrap();
        let old = keys.get(category).unwrap().first().clone();
        let before = keys.list();
        let mut audit = TestAudit::new(&disk);
        let done = rotate(&disk, &mut keys, &mut audit, category, &Actor::core(), NOW).unwrap();
        assert_eq!(done.set_aside, [""; 0]);
        assert_ne!(done.fingerprint, old.fingerprint());
        assert_readable(&disk, &keys);
        let changed: Vec<Category> =
            before.iter().zip(keys.list()).filter(|(a, b)| **a != *b).map(|(a, _)| a.category).collect();
        assert_eq!(changed, [category]);
        assert_eq!(audit.entries, [format!("key.rotate {category} begun"), format!("key.rotate {category} done")]);
        // Nothing is left under the old key.
        for path in super::harness::tree(dir.path()).into_iter().filter(|path| path.is_file()) {
            assert!(old.open(&fs::read(&path).unwrap()).is_none(), "{}", path.display());
        }
        drop((disk, keys, audit));
        assert_whole(dir.path());
    }
}

#[test]
fn a_rotation_stopped_at_any_step_is_ended_by_the_next_start() {
    for category in Category::ALL {
        let steps = walk_steps(Fate::Stop, |disk| rotate_on(disk, category).map(drop), |root, _| assert_whole(root));
        // Manifest, key file, key file, manifest, and at least nothing in between.
        assert!(steps >= 20, "{category}: {steps}");
    }
}

#[test]
fn a_rotation_on_a_failing_disk_loses_nothing_and_can_be_repeated() {
    for (category, fate) in
        [(Category::Broker, Fate::Full), (Category::Env, Fate::ReadOnly), (Category::Login, Fate::Denied)]
    {
        walk_steps(
            fate,
            |disk| rotate_on(disk, category).map(drop),
            |root, error| {
                assert!(matches!(error, VaultError::Disk(_)), "{error}");
                // Even before anything is resumed, every secret can be read.
                let disk = open(root);
                let (keys, findings) = Keys::open(&disk).unwrap();
                assert_eq!(findings, []);
                assert_readable(&disk, &keys);
                rotate_on(&disk, category).unwrap();
                drop((disk, keys));
                assert_whole(root);
            },
        );
    }
}

#[test]
fn memory_can_read_everything_after_a_failed_rotation() {
    for at in 0..30 {
        let dir = provisioned();
        let (disk, _) = open_doomed(dir.path(), at, Fate::Full);
        let (mut keys, _) = Keys::open(&disk).unwrap();
        let mut audit = TestAudit::new(&disk);
        if rotate(&disk, &mut keys, &mut audit, Category::Env, &Actor::core(), NOW).is_err() {
            assert_readable(&disk, &keys);
        }
    }
}

#[test]
fn without_an_audit_entry_nothing_is_rotated() {
    let dir = provisioned();
    let before = fingerprint(dir.path(), Category::Broker);
    let disk = open(dir.path());
    let (mut keys, _) = Keys::open(&disk).unwrap();
    let mut audit = TestAudit::new(&disk);
    audit.room = 0;
    let refused = rotate(&disk, &mut keys, &mut audit, Category::Broker, &Actor::core(), NOW).unwrap_err();
    assert_eq!(refused.to_string(), "the audit log cannot be written: refused by the test");
    assert_eq!(keys.rotating(), None);
    drop((disk, keys, audit));
    assert_eq!(fingerprint(dir.path(), Category::Broker), before);
    assert_whole(dir.path());
}

#[test]
fn a_rotation_whose_last_entry_is_refused_is_ended_by_the_next_call() {
    let dir = provisioned();
    let disk = open(dir.path());
    let (mut keys, _) = Keys::open(&disk).unwrap();
    let mut audit = TestAudit::new(&disk);
    audit.room = 1;
    let refused = rotate(&disk, &mut keys, &mut audit, Category::Env, &Actor::core(), NOW).unwrap_err();
    assert!(matches!(refused, VaultError::Audit(_)));
    assert_eq!(keys.rotating(), Some(Category::Env));
    assert_readable(&disk, &keys);
    audit.room = usize::MAX;
    let done = rotate(&disk, &mut keys, &mut audit, Category::Env, &Actor::core(), NOW).unwrap();
    assert_eq!(keys.get(Category::Env).unwrap().first().fingerprint(), done.fingerprint);
    assert_eq!(audit.entries, ["key.rotate env begun", "key.rotate env done"], "ended, not done twice");
    drop((disk, keys, audit));
    assert_whole(dir.path());
}

#[test]
fn a_lost_or_foreign_key_is_replaced_and_what_it_protected_is_set_aside() {
    for lose in [true, false] {
        for category in [Category::Broker, Category::Login, Category::Env, Category::Audit, Category::Session] {
            let dir = provisioned();
            let path = dir.path().join(category.key_path());
            if lose {
                fs::remove_file(&path).unwrap();
            } else {
                fs::write(&path, KeyLines::one(Key::generate().unwrap()).content().as_bytes()).unwrap();
            }
            let disk = open(dir.path());
            let (mut keys, findings) = Keys::open(&disk).unwrap();
            assert_eq!(findings.len(), 1);
            assert!(keys.get(category).is_err());
            let mut audit = TestAudit::new(&disk);
            let done = rotate(&disk, &mut keys, &mut audit, category, &Actor::core(), NOW).unwrap();
            let expected = match category {
                Category::Broker => 2,
                Category::Login => 1,
                Category::Env => 3,
                _ => 0,
            };
            assert_eq!(done.set_aside.len(), expected, "{:?}", done.set_aside);
            let (keys, findings) = Keys::open(&disk).unwrap();
            assert_eq!(findings, []);
            let unset: Vec<Category> = secrets::validate(&disk, &keys, true).iter().map(|f| f.category).collect();
            let required = matches!(category, Category::Broker | Category::Login | Category::Env);
            assert_eq!(unset, if required { vec![category] } else { vec![] }, "not set, and not unreadable");
            let head = disk.read(HEAD, 4096).unwrap().unwrap();
            assert!(keys.get(Category::Audit).unwrap().open(&head).is_some());
            assert_sealed(dir.path());
        }
    }
}

#[test]
fn a_replacement_stopped_anywhere_ends_or_can_be_repeated() {
    for category in [Category::Broker, Category::Env] {
        let replace = |disk: &Disk| {
            disk.write(&category.key_path(), KeyLines::one(Key::generate()?).content().as_bytes())?;
            rotate_on(disk, category).map(drop)
        };
        walk_steps(Fate::Stop, replace, |root, _| {
            let disk = open(root);
            let (mut keys, findings) = Keys::open(&disk).unwrap();
            resume(&disk, &mut keys, &mut TestAudit::new(&disk), &Actor::core(), NOW).unwrap();
            let (keys, after) = Keys::open(&disk).unwrap();
            if !findings.is_empty() || !secrets::validate(&disk, &keys, false).is_empty() {
                let known = [KeyFinding::Changed { category }, KeyFinding::ManifestUnreadable];
                assert!(after.iter().all(|finding| known.contains(finding)), "{after:?}");
                rotate_on(&disk, category).unwrap();
            }
            let (keys, findings) = Keys::open(&disk).unwrap();
            assert_eq!(findings, []);
            let findings = secrets::validate(&disk, &keys, false);
            assert!(findings.is_empty(), "{findings:?}");
            assert_sealed(root);
        });
    }
}

#[test]
fn with_a_lost_manifest_only_env_can_be_rotated() {
    let dir = provisioned();
    fs::remove_file(dir.path().join("storage/keys/manifest.json.enc")).unwrap();
    let disk = open(dir.path());
    assert!(matches!(rotate_on(&disk, Category::Broker), Err(VaultError::Manifest)));
    rotate_on(&disk, Category::Env).unwrap();
    rotate_on(&disk, Category::Broker).unwrap();
    drop(disk);
    let disk = open(dir.path());
    assert_eq!(Keys::open(&disk).unwrap().1, []);
}

#[test]
fn a_file_that_was_damaged_before_is_set_aside_and_the_others_are_rotated() {
    let dir = provisioned();
    fs::write(dir.path().join(SecretFile::BrokerFailover.path()), "damaged").unwrap();
    let disk = open(dir.path());
    let (mut keys, _) = Keys::open(&disk).unwrap();
    let mut audit = TestAudit::new(&disk);
    let done = rotate(&disk, &mut keys, &mut audit, Category::Broker, &Actor::core(), NOW).unwrap();
    let aside = "storage/secrets/broker_failover_credentials.json.enc.unreadable-20260105T150000Z";
    assert_eq!(done.set_aside, [aside]);
    assert_eq!(fs::read(dir.path().join(aside)).unwrap(), b"damaged");
    assert!(secrets::validate(&disk, &keys, true).is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever is rotated, and wherever each attempt and each restart is stopped, the next undisturbed start finds
    /// everything.
    #[test]
    fn any_sequence_of_stopped_rotations_loses_nothing(
        attempts in prop::collection::vec((0usize..14, 0usize..60, any::<bool>()), 1..6),
    ) {
        let dir = provisioned();
        for (category, at, only_resume) in attempts {
            let (disk, _) = open_doomed(dir.path(), at, Fate::Stop);
            let (mut keys, findings) = Keys::open(&disk).unwrap();
            prop_assert_eq!(findings, []);
            let mut audit = TestAudit::new(&disk);
            // Stopped or not, the outcome shows on the disk.
            if only_resume {
                let _ = resume(&disk, &mut keys, &mut audit, &Actor::core(), NOW);
            } else {
                let _ = rotate(&disk, &mut keys, &mut audit, Category::ALL[category], &Actor::core(), NOW);
            }
        }
        assert_whole(dir.path());
    }
}
