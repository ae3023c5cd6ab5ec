//! The configuration after the first run: shown without secrets, changed a category at a time.

use std::collections::BTreeMap;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use serde::de::Visitor;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use super::settings::impossible_shorts;
use crate::runtime::BotState;
use crate::runtime::clock;
use crate::runtime::configuration::{FIELDS, Field, Group, check, variable};
use crate::runtime::core::Core;
use crate::runtime::env_file::{EnvFile, LIMITS};
use crate::runtime::gate::Caller;
use crate::runtime::house::House;
use crate::runtime::input::{Input, MOST_FIELD};
use crate::runtime::protocol::{Reply, Secret};
use crate::runtime::reply::Refusal;
use crate::runtime::stored_settings::StoredSettings;
use crate::settings::Key;
use crate::vault::audit::Action;
use crate::vault::{SecretFields, SecretFile, TextFile, backups, secrets};

/// A change of a category. A secret that is not named keeps its value, like everything else.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    #[serde(default)]
    current_password: Option<Secret>,
    values: BTreeMap<String, Typed>,
}

/// What was typed into a field; numbers may come as such.
struct Typed(SecretString);

impl<'de> Deserialize<'de> for Typed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Typed, D::Error> {
        struct Value;
        impl Visitor<'_> for Value {
            type Value = Typed;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a text or a whole number")
            }

            fn visit_str<E>(self, text: &str) -> Result<Typed, E> {
                Ok(Typed(SecretString::from(Box::<str>::from(text))))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Typed, E> {
                Ok(Typed(SecretString::from(number.to_string())))
            }
        }
        deserializer.deserialize_any(Value)
    }
}

/// The configuration by field. What cannot be read counts as empty.
struct Configuration(BTreeMap<&'static str, SecretString>);

impl Configuration {
    fn read(house: &House) -> Configuration {
        let mut values = BTreeMap::new();
        let env = env(house).numbers();
        for (name, number) in LIMITS.iter().zip(env) {
            values.insert(*name, SecretString::from(number.to_string()));
        }
        for group in Group::ALL {
            let Some(fields) = group.file().and_then(|file| stored(house, file)) else { continue };
            for field in group.fields() {
                if let Some(value) = fields.get(&variable(field)) {
                    values.insert(field.name, value.clone());
                }
            }
        }
        Configuration(values)
    }

    fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", |value| value.expose_secret())
    }
}

fn stored(house: &House, file: SecretFile) -> Option<SecretFields> {
    secrets::read_fields(&house.disk, &house.keys, file).ok().flatten()
}

fn env(house: &House) -> EnvFile {
    let text = secrets::read_text(&house.disk, &house.keys, TextFile::Env).ok().flatten();
    text.and_then(|text| EnvFile::parse(text.expose_secret()).ok()).unwrap_or_default()
}

/// `GET /api/v1/configuration`.
pub fn get(house: &mut House, caller: &Caller) -> Result<Reply, Refusal> {
    let configuration = Configuration::read(house);
    let shown = |field: &Field| {
        let value = configuration.get(field.name);
        if field.secret { json!({ "set": !value.is_empty() }) } else { json!(value) }
    };
    let categories: Map<String, Value> = Group::ALL
        .into_iter()
        .map(|group| {
            let fields: Map<String, Value> =
                group.fields().map(|field| (field.name.to_string(), shown(field))).collect();
            (group.word().to_string(), Value::Object(fields))
        })
        .collect();
    let names = Group::ALL.map(Group::word);
    house.note(caller, Action::SecretDecrypt, "configuration", "shown without secrets", json!(names));
    Ok(Reply::json(categories))
}

/// `PUT /api/v1/configuration/{category}`.
pub async fn put(core: &Arc<Core>, caller: &Arc<Caller>, input: &Input) -> Result<Reply, Refusal> {
    let Change { current_password, values } = input.json()?;
    let word = input.param("category");
    let group = Group::ALL.into_iter().find(|group| group.word() == word);
    let group = group.ok_or_else(|| Refusal::not_found("There is no such category of the configuration."))?;
    core.reauthenticate(caller, current_password.as_ref()).await?;
    let by = Arc::clone(caller);
    let work = move |house: &mut House| {
        // A session that waits for its broker may wait for these; it stays in its state meanwhile.
        let are_keys = values.keys().all(|name| matches!(name.as_str(), "broker_api_key" | "broker_secret_key"));
        if are_keys && house.bot_state() != BotState::Updating && house.trading.is_recovering() {
            return change(house, &by, group, values);
        }
        house.update(&by, |house| change(house, &by, group, values))
    };
    core.work(work).await?
}

fn change(house: &mut House, caller: &Caller, group: Group, values: BTreeMap<String, Typed>) -> Result<Reply, Refusal> {
    let before = Configuration::read(house);
    let given = given(group, values).map_err(Refusal::invalid)?;
    let after = Configuration(
        FIELDS
            .iter()
            .map(|field| {
                let value = given.get(field.name).cloned();
                (field.name, value.unwrap_or_else(|| SecretString::from(before.get(field.name).to_string())))
            })
            .collect(),
    );
    let mut wrong = BTreeMap::new();
    let env = match check(|name| after.get(name)) {
        Ok(env) => env,
        Err(errors) => {
            // What other categories lack is not the fault of this change; a URL that belongs to another broker is.
            wrong.extend(errors.into_iter().filter(|(name, _)| {
                given.contains_key(name.as_str())
                    || group.fields().any(|field| field.name == name)
                    || (name == "broker_url" && group == Group::Identity && !after.get(name).is_empty())
            }));
            EnvFile::of_form(|name| Some(after.get(name))).unwrap_or_default()
        }
    };
    let settings = settings_for(house, &before, &after, &mut wrong)?;
    if !wrong.is_empty() {
        return Err(Refusal::invalid(wrong));
    }
    if matches!(group, Group::Identity | Group::Broker) {
        clock::check(house, |name| after.get(name))?;
    }
    let names: Vec<&str> = given.keys().copied().filter(|name| before.get(name) != after.get(name)).collect();
    let detail = json!({ "fields": names });
    let _recorded = house.record(caller, Action::ConfigUpdate, group.word(), "begun", detail.clone())?;
    match write(house, caller, &given, &after, env, settings.as_ref()) {
        Ok(()) => house.note(caller, Action::ConfigUpdate, group.word(), "done", detail),
        Err(refusal) => {
            house.forget_settings();
            house.note(caller, Action::ConfigUpdate, group.word(), "failed", refusal.code);
            return Err(refusal);
        }
    }
    if group == Group::Login {
        // Both were judged above.
        house.sessions.set_rule(env.session_rule().unwrap_or_default());
        house.lockout.set_rule(env.lockout_rule().unwrap_or_default());
    }
    let version = settings.as_ref().map(|settings| settings.version);
    if let Some(settings) = settings {
        house.take_settings(settings);
    }
    house.refresh_notices();
    Ok(Reply::json(json!({ "category": group.word(), "changed": names, "settings_version": version })))
}

/// The fields that were sent, by the name of the table. A change of the identity may bring the credentials of the new
/// broker along.
fn given(
    group: Group,
    values: BTreeMap<String, Typed>,
) -> Result<BTreeMap<&'static str, SecretString>, BTreeMap<String, String>> {
    let mut given = BTreeMap::new();
    let mut wrong = BTreeMap::new();
    for (name, Typed(text)) in values {
        let belongs = |field: &&Field| {
            field.name == name && (field.group == group || (group == Group::Identity && field.group == Group::Broker))
        };
        let value = text.expose_secret();
        let fault = match FIELDS.iter().find(belongs) {
            None => "There is no such field in this category.".to_string(),
            Some(_) if value.len() > MOST_FIELD => format!("At most {MOST_FIELD} bytes."),
            Some(_) if value.chars().any(char::is_control) => "No control characters.".to_string(),
            Some(field) => {
                // As the form of the first run takes it: blanks around a value are no part of it.
                let value = if field.secret { value } else { value.trim() };
                given.insert(field.name, SecretString::from(value.to_string()));
                continue;
            }
        };
        wrong.insert(name.chars().take(64).collect(), fault);
    }
    if wrong.is_empty() { Ok(given) } else { Err(wrong) }
}

/// The settings that go with another broker: `BROKER_NAME` is always the broker of the configuration.
fn settings_for(
    house: &mut House,
    before: &Configuration,
    after: &Configuration,
    wrong: &mut BTreeMap<String, String>,
) -> Result<Option<StoredSettings>, Refusal> {
    let broker = after.get("broker_code");
    if broker == before.get("broker_code") || wrong.contains_key("broker_code") {
        return Ok(None);
    }
    let StoredSettings { version, mut settings } = house.settings()?.clone();
    if let Err(errors) = settings.set(&format!("{}={broker}", Key::BrokerName.name())) {
        let why: Vec<String> = errors.iter().map(ToString::to_string).collect();
        wrong.insert("broker_code".to_string(), why.join("; "));
        return Ok(None);
    }
    let impossible = impossible_shorts(&settings);
    if !impossible.is_empty() {
        let why: Vec<String> = impossible.iter().map(|(name, why)| format!("{name}: {why}")).collect();
        wrong.insert("broker_code".to_string(), why.join(" "));
    }
    Ok(Some(StoredSettings { version: version + 1, settings }))
}

/// Writes every file that a change touches, all of them or none: a stop in between is made good at the next start.
fn write(
    house: &mut House,
    caller: &Caller,
    given: &BTreeMap<&'static str, SecretString>,
    after: &Configuration,
    env: EnvFile,
    settings: Option<&StoredSettings>,
) -> Result<(), Refusal> {
    let mut fields: Vec<(SecretFile, SecretFields)> = Vec::new();
    let mut texts: Vec<(TextFile, String)> = Vec::new();
    for group in Group::ALL {
        if !group.fields().any(|field| given.contains_key(field.name)) {
            continue;
        }
        let Some(file) = group.file() else {
            texts.push((TextFile::Env, env.to_text()));
            continue;
        };
        let mut all = stored(house, file).unwrap_or_default();
        for field in group.fields() {
            all.set(&variable(field), SecretString::from(after.get(field.name).to_string()));
        }
        fields.push((file, all));
    }
    if let Some(settings) = settings {
        texts.push((TextFile::EnvBot, settings.to_text()));
    }
    backups::replace(&house.disk, &house.keys, &fields, &texts, caller.now)?;
    let categories =
        fields.iter().map(|(file, _)| file.category()).chain(texts.iter().map(|(file, _)| file.category()));
    for category in categories {
        house.note(caller, Action::SecretEncrypt, category.name(), "done", Value::Null);
    }
    Ok(())
}
