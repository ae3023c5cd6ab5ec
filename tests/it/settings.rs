//! The committed files made from the table of settings, its command, and the program's use of it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tradebot::settings::{Key, Settings, reference_page, sample_file};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn tbot(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tbot")).args(args).output().unwrap()
}

/// Compares a committed file with what the table gives; `UPDATE_GOLDEN=1` rewrites it.
fn golden(name: &str, text: &str) {
    let path = root().join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == text, "{name} is not what the table of settings gives: run the test with UPDATE_GOLDEN=1");
}

#[test]
fn the_sample_file_is_up_to_date_and_holds_every_default() {
    golden(".env_bot.test", &sample_file());
    let (settings, warnings) = Settings::parse(&sample_file(), ".env_bot.test").unwrap();
    assert_eq!(settings, Settings::default());
    assert!(warnings.is_empty(), "{warnings:?}");
    for key in Key::all() {
        assert!(sample_file().contains(&format!("\n{}=", key.name())), "{}", key.name());
    }
}

#[test]
fn the_reference_page_is_up_to_date() {
    golden("docs/settings.md", &reference_page());
}

/// A file as people keep it: blanks at the end, quotes, keys given twice, indented comments.
#[test]
fn a_handwritten_file_of_all_defaults_is_accepted_as_it_is() {
    let text = include_str!("fixtures/handwritten.env_bot");
    let (settings, warnings) = Settings::parse(text, "handwritten.env_bot").unwrap();
    assert_eq!(settings, Settings::default());
    assert!(warnings.is_empty(), "{warnings:?}");
    let given = |key: Key| text.lines().any(|line| line.starts_with(&format!("{}=", key.name())));
    let absent: Vec<&str> = Key::all().filter(|key| !given(*key)).map(Key::name).collect();
    let younger =
        ["SIM_DATA", "SIM_SPEED", "SIM_CASH", "START_TIMES_DST_AWARE", "BACKUP_INTERVAL_HOURS", "BACKUP_KEEP"];
    assert_eq!(absent, younger, "younger than the file");
}

#[test]
fn the_program_reads_every_setting_with_the_accessor_of_its_type() {
    let mut files = Vec::new();
    rust_files(&root().join("src"), &mut files);
    assert!(files.len() > 20);
    let mut calls = 0;
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        for (at, _) in text.match_indices("(Key::") {
            let name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let head = &text[..at];
            let accessor = &head[head.rfind(|c| !name(c)).map_or(0, |i| i + 1)..];
            let tail = &text[at + "(Key::".len()..];
            let variant = &tail[..tail.find(|c| !name(c)).unwrap_or(tail.len())];
            let Some(key) = Key::all().find(|key| format!("{key:?}") == variant) else { continue };
            if ACCESSORS.contains(&accessor) {
                calls += 1;
                let right = key.spec().kind.accessor();
                assert_eq!(accessor, right, "{}: {accessor}(Key::{variant})", file.display());
            }
        }
    }
    assert!(calls > 5, "the scan finds calls");
}

const ACCESSORS: [&str; 10] =
    ["flag", "int", "number", "fraction", "percent", "text", "list", "fractions", "time", "duration"];

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            files.push(path);
        }
    }
}

#[test]
fn the_command_lists_every_setting() {
    let text = String::from_utf8(tbot(&["settings"]).stdout).unwrap();
    let json = tbot(&["settings", "--json"]);
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(rows.len(), Key::all().len());
    for (row, key) in rows.iter().zip(Key::all()) {
        assert_eq!(row["name"], key.name());
        assert!(text.contains(&format!("  {}={}\n", key.name(), key.spec().default)), "{}", key.name());
    }
    let allocation = rows.iter().find(|row| row["name"] == "TOTAL_ALLOCATION").unwrap();
    assert_eq!(
        allocation.to_string(),
        r#"{"name":"TOTAL_ALLOCATION","type":"fraction","unit":"1 = 100 %","range":{"min":0.0,"max":1.0,"min_excluded":true},"choices":null,"default":"0.02","group":"Trade execution and risk","meaning":"Share of the account's equity that one strategy may invest in one session.","aliases":[]}"#
    );
}

#[test]
fn the_command_checks_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let good = folder.path().join("good.env");
    std::fs::write(&good, "MAX_TRADES=3\nDEFENSE_MODE_TRADE_LIMIT_PCT=0.5\n").unwrap();
    let output = tbot(&["settings", "--check", good.to_str().unwrap()]);
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{words}");
    assert!(words.contains("good.env:2: DEFENSE_MODE_TRADE_LIMIT_PCT: 0.5 is read as 0.5 %"), "{words}");
    assert!(words.contains("good.env: ok (2 of "), "{words}");

    let bad = folder.path().join("bad.env");
    std::fs::write(&bad, "MAX_TRADES=0\n\nMIN_PRIZE=3\n").unwrap();
    let output = tbot(&["settings", "--check", bad.to_str().unwrap()]);
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(words.contains("bad.env:1: MAX_TRADES: found '0', expected a whole number of trades"), "{words}");
    assert!(words.contains("bad.env:3: unknown setting MIN_PRIZE; the nearest known one is MIN_PRICE"), "{words}");

    let output = tbot(&["settings", "--check", folder.path().join("absent.env").to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("absent.env: "));
}
