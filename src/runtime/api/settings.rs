//! The settings of strategies, risk and run time.

use std::collections::BTreeMap;

use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::runtime::brokerage::capabilities;
use crate::runtime::gate::Caller;
use crate::runtime::house::House;
use crate::runtime::input::Input;
use crate::runtime::protocol::Reply;
use crate::runtime::reply::Refusal;
use crate::runtime::stored_settings::{StoredSettings, StoredSettingsError, changed};
use crate::settings::{Key, Kind, Settings, Warning};
use crate::vault::audit::Action;
use crate::vault::{SecretFile, TextFile, secrets};

/// Ways to trade a falling price.
const SHORT_TYPES: [Key; 3] = [Key::ShortTypeOpen, Key::ShortTypeMid, Key::ShortTypeClose];

/// The values that are to change.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Validated {
    values: Map<String, Value>,
}

/// The values that are to change, and the version that whoever changes them has seen.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Changed {
    version: u64,
    values: Map<String, Value>,
}

/// `GET /api/v1/settings`.
pub fn get(house: &mut House) -> Result<Reply, Refusal> {
    let stored = house.settings()?;
    let mut schema: Map<String, Value> = Key::all().map(|key| (key.name().to_string(), json!(key.spec()))).collect();
    // What the broker cannot do is not offered.
    for key in SHORT_TYPES {
        schema[key.name()]["choices"] = json!(possible_shorts(&stored.settings, key));
    }
    Ok(Reply::json(json!({ "version": stored.version, "values": stored.values(), "schema": schema })))
}

/// `POST /api/v1/settings/validate`.
pub fn validate(house: &mut House, input: &Input) -> Result<Reply, Refusal> {
    let Validated { values } = input.json()?;
    let (_, warnings) = judged(house, &values)?;
    Ok(Reply::json(json!({ "ok": true, "warnings": warnings_json(&warnings) })))
}

/// `PUT /api/v1/settings`.
pub fn put(house: &mut House, caller: &Caller, input: &Input) -> Result<Reply, Refusal> {
    let Changed { version, values } = input.json()?;
    house.update_in_session(caller, |house| {
        let before = house.settings()?.clone();
        if version != before.version {
            let why = format!("The settings were changed meanwhile; they have version {} now.", before.version);
            return Err(Refusal::conflict("stale", why));
        }
        let (settings, warnings) = judged(house, &values)?;
        let after = StoredSettings { version: before.version + 1, settings };
        let names: Vec<&str> =
            Key::all().filter(|key| before.settings.value(*key) != after.settings.value(*key)).map(Key::name).collect();
        // Settings are no secrets: the log says from what to what.
        let changes: Map<String, Value> = names
            .iter()
            .filter_map(|name| Key::from_name(name))
            .map(|key| {
                let change = json!([before.settings.value(key), after.settings.value(key)]);
                (key.name().to_string(), change)
            })
            .collect();
        let detail = json!({ "version": after.version, "changes": changes });
        let recorded = house.record(caller, Action::SettingsUpdate, "env_bot", "begun", detail)?;
        store(house, caller, after, recorded)?;
        house.note(caller, Action::SettingsUpdate, "env_bot", "done", json!({ "version": before.version + 1 }));
        let version = before.version + 1;
        Ok(Reply::json(json!({ "version": version, "changed": names, "warnings": warnings_json(&warnings) })))
    })
}

/// Writes the settings and follows them.
///
/// # Errors
/// They could not be written; those before hold on.
pub fn store(
    house: &mut House,
    caller: &Caller,
    settings: StoredSettings,
    _recorded: crate::vault::audit::Recorded,
) -> Result<(), Refusal> {
    if let Err(error) = settings.write(&house.disk, &house.keys, caller.now) {
        house.forget_settings();
        house.note(caller, Action::SettingsUpdate, "env_bot", "failed", Value::Null);
        return Err(error.into());
    }
    house.note(caller, Action::SecretEncrypt, TextFile::EnvBot.category().name(), "done", Value::Null);
    house.take_settings(settings);
    Ok(())
}

/// The settings after a change, judged by themselves and by the configuration.
fn judged(house: &mut House, values: &Map<String, Value>) -> Result<(Settings, Vec<Warning>), Refusal> {
    let (settings, warnings) = changed(&house.settings()?.settings.clone(), values).map_err(Refusal::invalid)?;
    let mut wrong = BTreeMap::new();
    let broker = settings.text(Key::BrokerName);
    let code = broker_code(house);
    if code.as_deref().is_some_and(|code| code != broker) {
        let code = code.unwrap_or_default();
        wrong.insert(Key::BrokerName.name().to_string(), format!("The configuration says {code}; change it there."));
    }
    if settings.text(Key::VersionTag) != house.version {
        wrong.insert(Key::VersionTag.name().to_string(), format!("This program is {}.", house.version));
    }
    wrong.extend(impossible_shorts(&settings));
    if wrong.is_empty() { Ok((settings, warnings)) } else { Err(Refusal::invalid(wrong)) }
}

/// Ways to trade a falling price that the broker does not have, by setting.
pub fn impossible_shorts(settings: &Settings) -> BTreeMap<String, String> {
    let broker = settings.text(Key::BrokerName);
    let wrong = SHORT_TYPES.into_iter().filter_map(|key| {
        let (chosen, possible) = (settings.text(key), possible_shorts(settings, key));
        let why = format!("{broker} cannot do {chosen}; possible: {}.", possible.join(", "));
        (!possible.contains(&chosen)).then(|| (key.name().to_string(), why))
    });
    wrong.collect()
}

/// The values of SHORT_TYPE_* that the broker has. Of a broker without an adapter nothing is known, and nothing can be
/// traded there; the simulated one has all.
fn possible_shorts(settings: &Settings, key: Key) -> Vec<&'static str> {
    let broker = capabilities(settings.text(Key::BrokerName));
    let Kind::Choice { choices, .. } = key.spec().kind else { return Vec::new() };
    choices.iter().copied().filter(|choice| broker.is_none_or(|broker| broker.supports_short_type(choice))).collect()
}

fn broker_code(house: &House) -> Option<String> {
    let identity = secrets::read_fields(&house.disk, &house.keys, SecretFile::BotIdentity).ok().flatten()?;
    identity.get("BROKER_CODE").map(|code| code.expose_secret().to_string())
}

fn warnings_json(warnings: &[Warning]) -> Vec<Value> {
    warnings.iter().map(|warning| json!({ "name": warning.key, "message": warning.text })).collect()
}

impl From<StoredSettingsError> for Refusal {
    fn from(error: StoredSettingsError) -> Refusal {
        match error {
            StoredSettingsError::Vault(error) => error.into(),
            StoredSettingsError::Missing => Refusal::conflict("no_settings", "There are no settings yet."),
            StoredSettingsError::Invalid(why) => Refusal::conflict("bad_settings", why),
        }
    }
}
