//! Secret files: what can be read, and what is refused.

use std::fs;

use secrecy::{ExposeSecret, SecretString};

use super::harness::{Fate, NOW, PLANTED, assert_sealed, assert_whole, fields, open, provisioned, walk_steps};
use crate::vault::{Category, Keys, SecretFields, SecretFile, TextFile, VaultError, secrets};

#[test]
fn a_provisioned_folder_is_whole_and_nothing_in_it_is_plain() {
    let dir = provisioned();
    assert_whole(dir.path());
}

#[test]
fn the_plain_content_is_the_envelope_of_the_contract() {
    let dir = provisioned();
    let disk = open(dir.path());
    let (keys, _) = Keys::open(&disk).unwrap();
    let mut fields = SecretFields::new();
    fields.set("B", SecretString::from("2"));
    fields.set("A", SecretString::from("é\""));
    secrets::write_fields(&disk, &keys, SecretFile::Smtp, &fields, NOW).unwrap();
    let token = fs::read(dir.path().join("storage/secrets/smtp_credentials.json.enc")).unwrap();
    let plain = keys.get(Category::Smtp).unwrap().open(&token).unwrap();
    // printf '%s' '{"A":"é\"","B":"2"}' | sha256sum
    let sum = "798825bb18d455d1b227f643ab62d11de51e59d1d4b1b04568bf2545a056e4b9";
    let expected =
        format!("{{\"v\":1,\"category\":\"smtp\",\"sha256\":\"{sum}\",\"data\":{{\"A\":\"é\\\"\",\"B\":\"2\"}}}}");
    assert_eq!(String::from_utf8(plain.to_vec()).unwrap(), expected);
}

#[test]
fn exchanged_files_are_refused() {
    for first in SecretFile::ALL.into_iter().filter(|file| file.is_required()) {
        for second in SecretFile::ALL.into_iter().filter(|file| file.is_required() && *file != first) {
            let dir = provisioned();
            fs::copy(dir.path().join(first.path()), dir.path().join(second.path())).unwrap();
            let disk = open(dir.path());
            let (keys, _) = Keys::open(&disk).unwrap();
            let error = secrets::read_fields(&disk, &keys, second).unwrap_err();
            let category = second.category();
            assert_eq!(error.to_string(), format!("a file of the category '{category}' cannot be decrypted"));
            let findings = secrets::validate(&disk, &keys, true);
            assert_eq!(findings.iter().map(|f| f.category).collect::<Vec<_>>(), [category]);
            if second != SecretFile::BotIdentity && first != SecretFile::BotIdentity {
                // Every pair would be ninety folders; every file is exchanged with its neighbours.
                break;
            }
        }
    }
}

#[test]
fn of_two_files_under_one_key_the_second_cannot_take_the_place_of_the_first() {
    for (first, second) in [(SecretFile::Broker, SecretFile::BrokerFailover), (SecretFile::Env, SecretFile::Staged)] {
        assert_eq!(first.category(), second.category());
        let dir = provisioned();
        let disk = open(dir.path());
        let (keys, _) = Keys::open(&disk).unwrap();
        secrets::write_fields(&disk, &keys, second, &fields("second"), NOW).unwrap();
        let found = secrets::read_fields(&disk, &keys, second).unwrap().unwrap();
        assert_eq!(found.names().collect::<Vec<_>>(), fields("second").names().collect::<Vec<_>>());
        let [old, new] = [first, second].map(|file| fs::read(dir.path().join(file.path())).unwrap());
        fs::write(dir.path().join(first.path()), &new).unwrap();
        fs::write(dir.path().join(second.path()), &old).unwrap();
        let error = secrets::read_fields(&disk, &keys, first).unwrap_err();
        assert!(matches!(error, VaultError::Decrypt { category } if category == first.category()), "{error}");
        let findings = secrets::validate(&disk, &keys, true);
        assert_eq!(findings.iter().map(|finding| finding.path).collect::<Vec<_>>(), [first.path()]);
    }
}

/// As one is that was written before they had one.
#[test]
fn a_second_file_without_its_path_is_read_in_its_place() {
    let dir = provisioned();
    let disk = open(dir.path());
    let (keys, _) = Keys::open(&disk).unwrap();
    fs::copy(dir.path().join(SecretFile::Broker.path()), dir.path().join(SecretFile::BrokerFailover.path())).unwrap();
    assert!(secrets::read_fields(&disk, &keys, SecretFile::BrokerFailover).unwrap().is_some());
}

#[test]
fn an_envelope_of_another_category_is_refused_under_the_right_key() {
    let dir = provisioned();
    let disk = open(dir.path());
    let (keys, _) = Keys::open(&disk).unwrap();
    let token = disk.read(SecretFile::Broker.path(), 10_000).unwrap().unwrap();
    let plain = keys.get(Category::Broker).unwrap().open(&token).unwrap();
    let broker = String::from_utf8(plain.to_vec()).unwrap();
    let write = |content: &str| {
        let token = keys.get(Category::Smtp).unwrap().seal(content.as_bytes(), NOW);
        disk.write(SecretFile::Smtp.path(), token.as_bytes()).unwrap();
        secrets::read_fields(&disk, &keys, SecretFile::Smtp).unwrap_err()
    };
    assert!(matches!(write(&broker), VaultError::Decrypt { category: Category::Smtp }));
    let smtp = broker.replace("\"broker\"", "\"smtp\"");
    let damaged = [
        smtp.replace("PLANTED", "CHANGED"),
        smtp.replace("\"v\":1", "\"v\":2"),
        smtp.replace("\"v\":1", "\"v\":1,\"extra\":1"),
        smtp.replace("\"VALUE\":", "\"VALUE\":\"x\",\"VALUE\":"),
        smtp[..smtp.len() - 1].to_string(),
        String::new(),
    ];
    for content in damaged {
        let error = write(&content);
        assert!(matches!(error, VaultError::Content { category: Category::Smtp, .. }), "{error}");
        assert!(!error.to_string().contains(PLANTED));
    }
}

#[test]
fn every_missing_file_of_a_provisioned_folder_is_reported() {
    let dir = provisioned();
    let required = SecretFile::ALL.into_iter().filter(|file| file.is_required()).map(|file| file.path());
    let required = required.chain(TextFile::ALL.into_iter().map(|file| file.path()));
    let mut expected: Vec<&str> = required.chain(["core/databases/SYSTEM_USERS.db"]).collect();
    for path in &expected {
        fs::remove_file(dir.path().join(path)).unwrap();
    }
    let disk = open(dir.path());
    let (keys, _) = Keys::open(&disk).unwrap();
    assert!(secrets::validate(&disk, &keys, false).is_empty(), "before the provisioning has ended nothing is missing");
    let mut found: Vec<&str> = secrets::validate(&disk, &keys, true).into_iter().map(|f| f.path).collect();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
}

#[test]
fn printing_fields_shows_names_only() {
    let mut fields = fields("hidden");
    assert_eq!(format!("{fields:?}"), "{\"VALUE\": \"[REDACTED]\"}");
    fields.set("EMPTY", SecretString::from(""));
    assert!(fields.is_set("VALUE") && !fields.is_set("EMPTY") && !fields.is_set("NONE"));
    assert_eq!(fields.names().collect::<Vec<_>>(), ["EMPTY", "VALUE"]);
}

#[test]
fn a_write_that_stops_or_fails_anywhere_keeps_the_old_secret_or_has_the_new() {
    for fate in [Fate::Stop, Fate::Full, Fate::ReadOnly, Fate::Denied] {
        let steps = walk_steps(
            fate,
            |disk| {
                let (keys, _) = Keys::open(disk)?;
                secrets::write_fields(disk, &keys, SecretFile::Broker, &fields("PLANTED-SECRET new"), NOW)
            },
            |root, error| {
                let disk = open(root);
                let (keys, _) = Keys::open(&disk).unwrap();
                let read = secrets::read_fields(&disk, &keys, SecretFile::Broker).unwrap().unwrap();
                assert!(read.get("VALUE").unwrap().expose_secret().starts_with(PLANTED));
                assert!(matches!(error, VaultError::Disk(_)), "{error}");
                assert_sealed(root);
            },
        );
        assert_eq!(steps, 5);
    }
}

#[test]
fn secrets_beyond_the_limit_are_refused() {
    let dir = provisioned();
    let disk = open(dir.path());
    let (keys, _) = Keys::open(&disk).unwrap();
    let large = fields(&"x".repeat(1024 * 1024));
    let error = secrets::write_fields(&disk, &keys, SecretFile::Broker, &large, NOW).unwrap_err();
    assert!(matches!(error, VaultError::TooLarge { category: Category::Broker, .. }));
    assert_whole({
        drop((disk, keys));
        dir.path()
    });
}
