//! Writing logs.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value, json};

use super::{LogName, redacted};
use crate::market::{Nanos, format_time};
use crate::settings::{Key, Settings};

/// A log of so many bytes is set aside.
pub const MOST_BYTES: u64 = 8 * 1024 * 1024;
/// How many logs that were set aside are kept of each.
const KEPT: u32 = 5;
/// The first line of a CSV log.
const CSV_HEADER: &str = "utc,level,strategy,event,message,detail\n";

/// How much a record matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

impl Level {
    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        }
    }
}

/// What is logged, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogRule {
    /// Whether anything is written (`ENABLE_LOGGING`).
    pub enabled: bool,
    /// The least level that is written (`DEBUG_LOG_LEVEL`: quiet writes warnings and errors, verbose everything).
    pub least: Level,
    /// Whether lines are CSV instead of JSON (`LOG_FORMAT`).
    pub csv: bool,
}

impl LogRule {
    /// What the settings say.
    pub fn of(settings: &Settings) -> LogRule {
        LogRule {
            enabled: settings.flag(Key::EnableLogging),
            least: match settings.text(Key::DebugLogLevel) {
                "quiet" => Level::Warn,
                "info" => Level::Info,
                _ => Level::Debug,
            },
            csv: settings.text(Key::LogFormat) == "csv",
        }
    }
}

/// One line of a log.
#[derive(Debug, Clone)]
pub struct Record {
    /// When.
    pub utc: Nanos,
    /// How much it matters.
    pub level: Level,
    /// Which strategy; empty for none.
    pub strategy: &'static str,
    /// Which kind of event, such as `order.rejected`.
    pub event: String,
    /// A sentence.
    pub message: String,
    /// More, by name.
    pub detail: Map<String, Value>,
}

impl Record {
    /// A record without strategy and details.
    pub fn new(utc: Nanos, level: Level, event: &str, message: impl Into<String>) -> Record {
        let (event, message) = (event.to_string(), message.into());
        Record { utc, level, strategy: "", event, message, detail: Map::new() }
    }

    /// The line, with what looks like a secret masked.
    pub(super) fn line(&self, csv: bool) -> String {
        let utc = format_time(self.utc);
        let (level, message) = (self.level.word(), redacted(&self.message));
        let detail: Map<String, Value> =
            self.detail.iter().map(|(name, value)| (name.clone(), redact_value(name, value))).collect();
        if !csv {
            let mut line = json!({ "utc": utc, "level": level, "strategy": self.strategy, "event": self.event });
            line["message"] = json!(message);
            line["detail"] = Value::Object(detail);
            return format!("{line}\n");
        }
        let detail = Value::Object(detail).to_string();
        let cells = [utc.as_str(), level, self.strategy, &self.event, &message, &detail];
        format!("{}\n", cells.map(cell).join(","))
    }
}

fn redact_value(name: &str, value: &Value) -> Value {
    match value {
        Value::String(text) => {
            // The name decides, too: `password=...` in a text is masked, and so is a field of that name.
            let marked = redacted(&format!("{name}={text}"));
            if marked.ends_with("[REDACTED]") && !redacted(text).ends_with("[REDACTED]") {
                Value::String("[REDACTED]".to_string())
            } else {
                Value::String(redacted(text))
            }
        }
        Value::Array(values) => Value::Array(values.iter().map(|value| redact_value("", value)).collect()),
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(name, value)| (name.clone(), redact_value(name, value))).collect())
        }
        other => other.clone(),
    }
}

/// A cell of CSV on one line, that no spreadsheet takes for a formula.
fn cell(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let guard = if text.starts_with(['=', '+', '-', '@']) && text.parse::<f64>().is_err() { "'" } else { "" };
    if text.contains([',', '"']) {
        format!("\"{guard}{}\"", text.replace('"', "\"\""))
    } else {
        format!("{guard}{text}")
    }
}

/// Writes all logs of a data folder. A line is one write, so that lines of two threads never mix; a line that cannot be
/// written is lost, and nothing waits for the disk.
#[derive(Debug)]
pub struct LogBook {
    folder: PathBuf,
    rule: Mutex<LogRule>,
    /// Held while a line is written, so that a log is set aside once.
    writing: Mutex<()>,
    errors: AtomicU64,
    unresolved: AtomicU64,
}

impl LogBook {
    /// For the data folder at `root`.
    pub fn new(root: &Path) -> LogBook {
        let rule = LogRule::of(&Settings::default());
        LogBook {
            folder: root.join("logs"),
            rule: Mutex::new(rule),
            writing: Mutex::new(()),
            errors: AtomicU64::new(0),
            unresolved: AtomicU64::new(0),
        }
    }

    /// Follows other settings from now on.
    pub fn set_rule(&self, rule: LogRule) {
        *self.rule.lock().unwrap_or_else(PoisonError::into_inner) = rule;
    }

    /// The rule that is followed.
    pub fn rule(&self) -> LogRule {
        *self.rule.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many errors were to be logged since the start.
    pub fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }

    /// How many orders were to be logged as unresolved since the start.
    pub fn unresolved(&self) -> u64 {
        self.unresolved.load(Ordering::Relaxed)
    }

    /// Writes a line, if the rule asks for it.
    pub fn write(&self, log: LogName, record: &Record) {
        if record.level == Level::Error {
            self.errors.fetch_add(1, Ordering::Relaxed);
        }
        if log == LogName::UnresolvedOrders {
            self.unresolved.fetch_add(1, Ordering::Relaxed);
        }
        let rule = self.rule();
        if rule.enabled && record.level >= rule.least {
            let _one = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
            // A full disk must not stop what is logged about.
            let _ = self.append(log, &record.line(rule.csv), rule.csv);
        }
    }

    /// Writes whole lines of JSON, without secrets, that have a form of their own, if anything is to be logged at all.
    /// Whether they are not lost.
    pub fn write_lines(&self, log: LogName, lines: &str) -> bool {
        if !self.rule().enabled {
            return true;
        }
        let _one = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        self.append(log, lines, false).is_ok()
    }

    fn append(&self, log: LogName, line: &str, csv: bool) -> io::Result<()> {
        let path = self.folder.join(log.name());
        let mut file = open(&path)?;
        let length = file.metadata()?.len();
        if length >= MOST_BYTES || (length > 0 && is_csv(&path)? != csv) {
            drop(file);
            self.set_aside(&path)?;
            file = open(&path)?;
        }
        if csv && file.metadata()?.len() == 0 {
            file.write_all(CSV_HEADER.as_bytes())?;
        }
        file.write_all(line.as_bytes())
    }

    /// `x.log` becomes `x.log.1`, that one `x.log.2`, and so on; the oldest goes.
    fn set_aside(&self, path: &Path) -> io::Result<()> {
        let numbered = |n: u32| PathBuf::from(format!("{}.{n}", path.display()));
        for n in (1..KEPT).rev() {
            match std::fs::rename(numbered(n), numbered(n + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        std::fs::rename(path, numbered(1))
    }
}

/// Opens a log to append to; a new one is its owner's only, and a link is not followed.
fn open(path: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NOFOLLOW.bits();
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o600).custom_flags(i32::try_from(flags).unwrap_or(0));
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let folder = path.parent().unwrap_or(path);
            std::fs::DirBuilder::new().mode(0o700).recursive(true).create(folder)?;
            options.open(path)
        }
        other => other,
    }
}

fn is_csv(path: &Path) -> io::Result<bool> {
    use std::io::Read;
    let mut first = [0];
    File::open(path)?.read_exact(&mut first)?;
    Ok(first[0] != b'{')
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const T0: Nanos = 1_767_625_200_000_000_000;

    fn book(settings: &[&str]) -> (tempfile::TempDir, LogBook) {
        let folder = tempfile::tempdir().unwrap();
        let book = LogBook::new(folder.path());
        let mut all = Settings::default();
        all.set_all(settings.iter().copied(), "test").unwrap();
        book.set_rule(LogRule::of(&all));
        (folder, book)
    }

    fn read(folder: &tempfile::TempDir, name: &str) -> String {
        std::fs::read_to_string(folder.path().join("logs").join(name)).unwrap_or_default()
    }

    #[test]
    fn a_line_is_json_with_time_level_and_strategy() {
        let (folder, book) = book(&[]);
        let mut record = Record { strategy: "open", ..Record::new(T0, Level::Info, "entry", "bought\n10") };
        record.detail.insert("symbol".into(), json!("AAA"));
        book.write(LogName::Open, &record);
        assert_eq!(
            read(&folder, "open.log"),
            "{\"utc\":\"2026-01-05T15:00:00.000000000Z\",\"level\":\"info\",\"strategy\":\"open\",\"event\":\"entry\",\
             \"message\":\"bought\\n10\",\"detail\":{\"symbol\":\"AAA\"}}\n"
        );
        let mode = std::fs::metadata(folder.path().join("logs/open.log")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn csv_has_a_header_stays_on_one_line_and_is_no_formula() {
        let (folder, book) = book(&["LOG_FORMAT=csv"]);
        book.write(LogName::Mid, &Record::new(T0, Level::Warn, "x", "=cmd|' /C'!A0\n\"a\",b"));
        book.write(LogName::Mid, &Record::new(T0, Level::Warn, "x", "-5"));
        assert_eq!(
            read(&folder, "mid.log"),
            "utc,level,strategy,event,message,detail\n\
             2026-01-05T15:00:00.000000000Z,warn,,x,\"'=cmd|' /C'!A0 \"\"a\"\",b\",{}\n\
             2026-01-05T15:00:00.000000000Z,warn,,x,-5,{}\n"
        );
    }

    #[test]
    fn the_settings_decide_what_is_written() {
        for (settings, expected) in [
            (&[][..], 3),
            (&["DEBUG_LOG_LEVEL=info"], 2),
            (&["DEBUG_LOG_LEVEL=quiet"], 1),
            (&["ENABLE_LOGGING=false"], 0),
        ] {
            let (folder, book) = book(settings);
            for level in [Level::Debug, Level::Info, Level::Error] {
                book.write(LogName::Close, &Record::new(T0, level, "x", "y"));
            }
            assert_eq!(read(&folder, "close.log").lines().count(), expected, "{settings:?}");
            assert_eq!(book.errors(), 1, "an error counts whether it is written or not");
        }
    }

    #[test]
    fn secrets_are_masked_by_their_form_and_by_their_name() {
        let (folder, book) = book(&[]);
        let mut record = Record::new(T0, Level::Info, "call", "Authorization: Bearer abcdef123");
        record.detail.insert("broker_secret_key".into(), json!("hunter2"));
        record.detail.insert("order".into(), json!({ "api_key": "hunter2", "id": "7" }));
        book.write(LogName::Open, &record);
        let text = read(&folder, "open.log");
        assert!(!text.contains("hunter2") && !text.contains("abcdef123"), "{text}");
        assert!(text.contains("\"id\":\"7\""));
    }

    #[test]
    fn a_large_log_and_one_of_another_form_are_set_aside() {
        let (folder, book) = book(&[]);
        let path = folder.path().join("logs/open.log");
        book.write(LogName::Open, &Record::new(T0, Level::Info, "x", "one"));
        File::options().write(true).open(&path).unwrap().set_len(MOST_BYTES).unwrap();
        book.write(LogName::Open, &Record::new(T0, Level::Info, "x", "two"));
        assert!(read(&folder, "open.log").contains("two") && read(&folder, "open.log.1").contains("one"));
        book.set_rule(LogRule { csv: true, ..book.rule() });
        book.write(LogName::Open, &Record::new(T0, Level::Info, "x", "three"));
        assert!(read(&folder, "open.log").starts_with("utc,"));
        assert!(read(&folder, "open.log.1").contains("two") && read(&folder, "open.log.2").contains("one"));
    }

    #[test]
    fn a_link_is_not_followed() {
        let (folder, book) = book(&[]);
        std::fs::create_dir(folder.path().join("logs")).unwrap();
        std::os::unix::fs::symlink(folder.path().join("elsewhere"), folder.path().join("logs/open.log")).unwrap();
        book.write(LogName::Open, &Record::new(T0, Level::Info, "x", "y"));
        assert!(!folder.path().join("elsewhere").exists());
    }
}
