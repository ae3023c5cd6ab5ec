//! The checks before a session.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::harness::{NOW, PLANTED, TestAudit, fields, open, provisioned};
use crate::settings::sample_file;
use crate::vault::checks::{Check, build_check, self_check};
use crate::vault::{Category, Disk, Key, KeyLines, Keys, SecretFile, TextFile, secrets};

fn faults(checks: Vec<Check>) -> Vec<(&'static str, String)> {
    checks.into_iter().filter(|check| !check.ok).map(|check| (check.module, check.detail)).collect()
}

/// A provisioned folder with settings that can be read.
fn ready() -> tempfile::TempDir {
    let dir = provisioned();
    let disk = open(dir.path());
    let (keys, _) = Keys::open(&disk).unwrap();
    secrets::write_text(&disk, &keys, TextFile::EnvBot, &sample_file(), NOW).unwrap();
    dir
}

#[test]
fn a_provisioned_folder_passes_beside_its_owner_and_is_not_changed() {
    let dir = ready();
    let _owner = open(dir.path());
    let disk = Disk::read_only(dir.path()).unwrap();
    let checks = build_check(&disk, "v1.0.0").unwrap();
    assert_eq!(faults(checks.clone()), []);
    let modules: Vec<&str> = checks.iter().map(|check| check.module).collect();
    assert_eq!(modules, ["keys", "files", "secrets", "provisioning", "plain texts", "settings", "variables"]);
}

#[test]
fn every_fault_is_named_without_secrets() {
    let dir = ready();
    let disk = open(dir.path());
    let (keys, _) = Keys::open(&disk).unwrap();
    let mut broker = fields(PLANTED);
    broker.set("ALPACA_API_KEY", secrecy::SecretString::from(PLANTED));
    secrets::write_fields(&disk, &keys, SecretFile::Broker, &broker, NOW).unwrap();
    secrets::write_fields(&disk, &keys, SecretFile::Staged, &fields(PLANTED), NOW).unwrap();
    let foreign = KeyLines::one(Key::generate().unwrap()).content();
    fs::write(dir.path().join(Category::Smtp.key_path()), foreign.as_bytes()).unwrap();
    fs::write(dir.path().join(".env"), "PATH=x").unwrap();
    fs::set_permissions(dir.path().join(".env"), fs::Permissions::from_mode(0o640)).unwrap();
    let found = faults(build_check(&Disk::read_only(dir.path()).unwrap(), "v1.1.0").unwrap());
    let expected = [
        ("keys", "the key of the category 'smtp' was changed"),
        ("files", ".env has the mode 0640, which lets others in"),
        ("secrets", "the key of the category 'smtp' is not usable"),
        ("provisioning", "a configuration waits to be provisioned"),
        ("plain texts", ".env exists in plain"),
        ("settings", "VERSION_TAG is v1.0.0; this program is v1.1.0"),
        ("variables", "'ALPACA_API_KEY' belongs to one broker; use the BROKER_ variables"),
    ];
    let found: Vec<(&str, &str)> = found.iter().map(|(module, detail)| (*module, detail.as_str())).collect();
    assert_eq!(found, expected);
}

#[test]
fn a_rotation_under_way_is_reported() {
    let dir = provisioned();
    let (disk, _) = super::harness::open_doomed(dir.path(), 12, super::harness::Fate::Stop);
    let (mut keys, _) = Keys::open(&disk).unwrap();
    let mut audit = TestAudit::new(&disk);
    let actor = crate::vault::Actor::core();
    crate::vault::rotation::rotate(&disk, &mut keys, &mut audit, Category::Broker, &actor, NOW).unwrap_err();
    let found = faults(self_check(&Disk::read_only(dir.path()).unwrap()).unwrap());
    assert_eq!(found, [("keys", "the rotation of the category 'broker' has not ended".to_string())]);
}

#[test]
fn an_empty_folder_is_sound_but_not_ready() {
    let dir = super::harness::folder();
    let disk = open(dir.path());
    assert_eq!(faults(self_check(&disk).unwrap()), []);
    let found: Vec<&str> = faults(build_check(&disk, "v1.0.0").unwrap()).iter().map(|(module, _)| *module).collect();
    assert_eq!(found, ["provisioning", "settings"]);
}
