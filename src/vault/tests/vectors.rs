//! Fernet against its specification and against another implementation.

use serde::Deserialize;

use super::harness::NOW;
use crate::market::parse_time;
use crate::vault::Key;

/// `generate.json` of <https://github.com/fernet/spec> at 20dead475f53f11d20592baf29ad697163afc0cd.
const GENERATE: &str = include_str!("vectors/generate.json");
/// `verify.json` of the same.
const VERIFY: &str = include_str!("vectors/verify.json");
/// `invalid.json` of the same.
const INVALID: &str = include_str!("vectors/invalid.json");
/// Tokens made by the package `cryptography` 48.0.0 of Python.
const PYTHON: &str = include_str!("vectors/python.json");

#[derive(Deserialize)]
struct Vector {
    #[serde(default)]
    desc: String,
    token: String,
    #[serde(default)]
    now: String,
    #[serde(default)]
    ttl_sec: u64,
    #[serde(default)]
    iv: Vec<u8>,
    #[serde(default)]
    src: String,
    secret: String,
}

fn vectors(json: &str) -> Vec<Vector> {
    serde_json::from_str(json).unwrap()
}

fn key(vector: &Vector) -> Key {
    Key::parse(vector.secret.as_bytes()).unwrap()
}

/// The check with an age, which is the crate's and which the vault does not use.
fn open_with_age(vector: &Vector) -> bool {
    let now = u64::try_from(parse_time(&vector.now).unwrap() / crate::market::SECOND).unwrap();
    let fernet = fernet::Fernet::new(&vector.secret).unwrap();
    fernet.decrypt_at_time(&vector.token, Some(vector.ttl_sec), now).is_ok()
}

#[test]
fn tokens_of_the_specification_and_of_python_open() {
    for vector in [GENERATE, VERIFY, PYTHON].into_iter().flat_map(vectors) {
        let opened = key(&vector).open(vector.token.as_bytes()).unwrap();
        assert_eq!(String::from_utf8(opened.to_vec()).unwrap(), vector.src, "{}", vector.desc);
    }
    assert!(vectors(VERIFY).iter().all(open_with_age));
}

#[test]
fn a_made_token_has_the_bytes_of_the_specification_around_its_random_iv() {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE;
    for vector in vectors(GENERATE) {
        let made = key(&vector).seal(vector.src.as_bytes(), parse_time(&vector.now).unwrap());
        let (made, expected) = (URL_SAFE.decode(made).unwrap(), URL_SAFE.decode(&vector.token).unwrap());
        assert_eq!(made.len(), expected.len());
        assert_eq!(made[..9], expected[..9], "version and time");
        assert_eq!(expected[9..25], vector.iv);
        assert_ne!(made[9..25], expected[9..25], "the IV is random");
    }
}

#[test]
fn tokens_that_the_specification_refuses_do_not_open() {
    let all = vectors(INVALID);
    assert_eq!(all.len(), 8);
    for vector in &all {
        assert!(!open_with_age(vector), "{}", vector.desc);
        // What is wrong with these two is their age alone. Data at rest have none: after the clock was set back they
        // must still open.
        let by_age = ["far-future TS (unacceptable clock skew)", "expired TTL"].contains(&vector.desc.as_str());
        assert_eq!(key(vector).open(vector.token.as_bytes()).is_some(), by_age, "{}", vector.desc);
    }
}

#[test]
fn a_token_of_any_time_opens_and_none_panics() {
    let key = Key::generate().unwrap();
    for now in [i64::MIN, -1, 0, NOW, i64::MAX] {
        assert_eq!(key.open(key.seal(b"x", now).as_bytes()).unwrap().as_slice(), b"x");
    }
    // Forged time stamps at both ends, whose age cannot be computed without an overflow.
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE;
    for byte in [0x00, 0xff] {
        let mut token = URL_SAFE.decode(key.seal(b"x", NOW)).unwrap();
        token[1..9].fill(byte);
        assert!(key.open(URL_SAFE.encode(token).as_bytes()).is_none());
    }
    for garbage in [&b""[..], b"\n", b"gAAA", b"\xff\xfe", b"=", &[b'A'; 4096]] {
        assert!(key.open(garbage).is_none());
    }
}

#[test]
fn every_changed_byte_of_a_token_is_noticed() {
    let key = Key::generate().unwrap();
    let token = key.seal(b"twelve bytes", NOW);
    for i in 0..token.trim_end_matches('=').len() {
        let mut changed = token.clone().into_bytes();
        changed[i] = if changed[i] == b'A' { b'B' } else { b'A' };
        assert!(key.open(&changed).is_none(), "byte {i}");
    }
}

#[test]
fn a_key_is_44_characters_of_the_url_safe_alphabet() {
    let text = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
    assert_eq!(Key::parse(text.as_bytes()).unwrap().fingerprint().as_str(), "cbeb362f1fa69a66");
    let wrong =
        ["", "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4", "cw/0x689RpI+jtRR7oE8h/eQsKImvJapLeSbXpwF4e4=", &text[4..]];
    for wrong in wrong {
        assert!(Key::parse(wrong.as_bytes()).is_none(), "{wrong}");
    }
    assert_eq!(format!("{:?}", Key::parse(text.as_bytes()).unwrap()), "Key([REDACTED])");
}
