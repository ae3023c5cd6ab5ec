//! The settings of `.env_bot` as the core keeps them: with a number that grows with every change.
//!
//! The number is a comment in the encrypted text, so that settings and number change together.

use std::collections::BTreeMap;

use secrecy::ExposeSecret;
use serde_json::{Map, Value};

use crate::market::Nanos;
use crate::settings::{Key, Kind, Settings, Value as Setting, Warning};
use crate::vault::{Disk, Keys, TextFile, VaultError, secrets};

/// How the line with the number begins.
const VERSION: &str = "# version ";

/// Settings that can be used.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredSettings {
    /// Grows with every change.
    pub version: u64,
    /// The values.
    pub settings: Settings,
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum StoredSettingsError {
    /// They cannot be read or written.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// Nothing was provisioned.
    #[error("there are no settings yet")]
    Missing,
    /// They hold something that is not allowed.
    #[error("{0}")]
    Invalid(String),
}

impl StoredSettings {
    /// Reads them.
    ///
    /// # Errors
    /// They are missing, cannot be decrypted, or hold something that is not allowed.
    pub fn read(disk: &Disk, keys: &Keys) -> Result<StoredSettings, StoredSettingsError> {
        let text = secrets::read_text(disk, keys, TextFile::EnvBot)?.ok_or(StoredSettingsError::Missing)?;
        let text = text.expose_secret();
        let number = text.lines().next().and_then(|line| line.strip_prefix(VERSION)?.parse().ok());
        match Settings::parse(text, ".env_bot") {
            Ok((settings, _)) => Ok(StoredSettings { version: number.unwrap_or(1), settings }),
            Err(errors) => {
                let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
                Err(StoredSettingsError::Invalid(lines.join("; ")))
            }
        }
    }

    /// Writes them.
    ///
    /// # Errors
    /// The key is not usable, or the disk refused.
    pub fn write(&self, disk: &Disk, keys: &Keys, now: Nanos) -> Result<(), VaultError> {
        secrets::write_text(disk, keys, TextFile::EnvBot, &self.to_text(), now)
    }

    /// The text of the file.
    pub fn to_text(&self) -> String {
        format!("{VERSION}{}\n{}", self.version, self.settings.to_text())
    }

    /// The values as JSON: flags, numbers, lists and texts.
    pub fn values(&self) -> Map<String, Value> {
        Key::all().map(|key| (key.name().to_string(), serde_json::json!(self.settings.value(key)))).collect()
    }
}

/// The settings after a change, in JSON as a form sends it. What is not named keeps its value.
///
/// # Errors
/// By setting, what is wrong.
pub fn changed(
    settings: &Settings,
    values: &Map<String, Value>,
) -> Result<(Settings, Vec<Warning>), BTreeMap<String, String>> {
    let mut wrong = BTreeMap::new();
    let mut assignments = Vec::new();
    for (name, value) in values {
        let shown: String = name.chars().take(64).collect();
        match Key::from_name(name) {
            None => {
                wrong.insert(shown, "There is no such setting.".to_string());
            }
            Some(key) => match parsed(key, value) {
                // Its canonical text, so that nothing of what was sent is taken for a quote or a comment.
                Ok(value) => assignments.push(format!("{}={}", key.name(), quoted(&value.to_string()))),
                Err(expected) => {
                    wrong.insert(shown, format!("Expected {expected}."));
                }
            },
        }
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let mut changed = settings.clone();
    match changed.set_all(assignments.iter().map(String::as_str), "settings") {
        Ok(warnings) => Ok((changed, warnings)),
        Err(errors) => Err(errors
            .iter()
            .map(|error| {
                let text = error.to_string();
                let text = text.strip_prefix("settings: ").unwrap_or(&text).to_string();
                (error.key().unwrap_or("values").to_string(), text)
            })
            .collect()),
    }
}

fn parsed(key: Key, value: &Value) -> Result<Setting, String> {
    let kind = key.spec().kind;
    let text = match value {
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().to_string(),
        Value::Array(items) if matches!(kind, Kind::Choices(_) | Kind::Fractions) => {
            let texts = items.iter().map(|item| match item {
                Value::String(text) => Some(text.clone()),
                Value::Number(number) => Some(number.to_string()),
                _ => None,
            });
            texts.collect::<Option<Vec<_>>>().ok_or_else(|| kind.expected())?.join(",")
        }
        _ => return Err(kind.expected()),
    };
    kind.parse(&text)
}

fn quoted(text: &str) -> String {
    if text.contains([' ', '#']) { format!("\"{text}\"") } else { text.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn change(values: Value) -> Result<Settings, BTreeMap<String, String>> {
        let Value::Object(values) = values else { panic!("an object") };
        changed(&Settings::default(), &values).map(|(settings, _)| settings)
    }

    #[test]
    fn values_come_as_their_types_or_as_texts() {
        let settings = change(json!({
            "MAX_TRADES": 3, "FRACTIONAL": false, "WEIGHTS": [0.5, 0.25, 0.25], "TRADING_DAYS": ["mon", "fri"],
            "SLEEP_TIME": "2s", "START_TIME_OPEN": "14:45", "MIN_PRICE": "7.5"
        }))
        .unwrap();
        assert_eq!(settings.int(Key::MaxTrades), 3);
        assert_eq!(settings.fractions(Key::Weights), [0.5, 0.25, 0.25]);
        assert_eq!(settings.list(Key::TradingDays), ["mon", "fri"]);
        let stored = StoredSettings { version: 7, settings };
        let values = stored.values();
        assert_eq!(values["MAX_TRADES"], json!(3));
        assert_eq!(values["FRACTIONAL"], json!(false));
        assert_eq!(values["WEIGHTS"], json!([0.5, 0.25, 0.25]));
        assert_eq!(values["TRADING_DAYS"], json!(["mon", "fri"]));
        assert_eq!((&values["SLEEP_TIME"], &values["START_TIME_OPEN"]), (&json!("2s"), &json!("14:45")));
        assert_eq!(values.len(), Key::all().len());
        // What is shown can be sent back.
        assert_eq!(change(Value::Object(values)).unwrap(), stored.settings);
    }

    #[test]
    fn what_is_wrong_is_said_by_setting_and_all_at_once() {
        let wrong = change(json!({
            "MAX_TRADES": 0, "NO_SUCH": 1, "FRACTIONAL": 1, "WEIGHTS": [true], "SLEEP_TIME": ["1s"],
            "MIN_PRICE": "5 # x", "OPTIMIZER_OUTPUT_DIR": "a\"\nMAX_TRADES=9", "FAILOVER_LOG_TAG": null
        }))
        .unwrap_err();
        let names: Vec<&str> = wrong.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            [
                "FAILOVER_LOG_TAG",
                "FRACTIONAL",
                "MAX_TRADES",
                "MIN_PRICE",
                "NO_SUCH",
                "OPTIMIZER_OUTPUT_DIR",
                "SLEEP_TIME",
                "WEIGHTS"
            ]
        );
        assert_eq!(wrong["MAX_TRADES"], "Expected a whole number of trades from 1 to 100.");
        let wrong = change(json!({ "MIN_PRICE": 200 })).unwrap_err();
        assert_eq!(wrong["MIN_PRICE"], "MIN_PRICE: found 200, expected less than MAX_PRICE = 100");
    }

    #[test]
    fn the_number_is_kept_with_the_text() {
        let folder = crate::vault::tests::harness::folder();
        let (disk, _) = Disk::open(folder.path()).unwrap();
        let (mut keys, _) = Keys::open(&disk).unwrap();
        crate::vault::tests::harness::make_keys(&mut keys).unwrap();
        assert!(matches!(StoredSettings::read(&disk, &keys), Err(StoredSettingsError::Missing)));
        let mut settings = Settings::default();
        settings.set("OPTIMIZER_OUTPUT_DIR=\"a b/#1\"").unwrap();
        let stored = StoredSettings { version: 41, settings };
        stored.write(&disk, &keys, 0).unwrap();
        assert_eq!(StoredSettings::read(&disk, &keys).unwrap(), stored);
        secrets::write_text(&disk, &keys, TextFile::EnvBot, "MAX_TRADES=2\nWEIGHTS=0.5,0.5\n", 0).unwrap();
        assert_eq!(StoredSettings::read(&disk, &keys).unwrap().version, 1);
    }
}
