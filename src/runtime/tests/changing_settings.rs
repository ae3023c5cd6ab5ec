//! The settings through the API.

use serde_json::{Value, json};

use super::harness::{ADMIN, Bot, CONFIGURATION, wrong};
use crate::runtime::{BotState, Event, Exposure, Op};
use crate::settings::{Key, Settings};
use crate::vault::Actor;

fn put(bot: &Bot, version: u64, values: Value) -> (u16, Value) {
    let reply = bot.logged_in(ADMIN).json(Op::SettingsPut, &[], &json!({ "version": version, "values": values }));
    (reply.status, reply.body)
}

fn get(bot: &Bot) -> Value {
    bot.logged_in(ADMIN).get(Op::Settings).body
}

#[test]
fn the_schema_describes_every_setting_and_values_have_their_types() {
    let bot = Bot::registered();
    let all = get(&bot);
    let (values, schema) = (all["values"].as_object().unwrap(), all["schema"].as_object().unwrap());
    assert_eq!((values.len(), schema.len()), (Key::all().len(), Key::all().len()));
    assert_eq!(values["BROKER_NAME"], "SIM");
    assert_eq!((&values["MAX_TRADES"], &values["NOTIFY_ON_FILL"]), (&json!(4), &json!(true)));
    assert_eq!(values["WEIGHTS"], json!([0.4, 0.2, 0.2, 0.2]));
    for field in ["type", "unit", "range", "default", "meaning", "group", "choices"] {
        assert!(schema.values().all(|row| row.get(field).is_some()), "{field}");
    }
    assert_eq!(schema["MAX_TRADES"]["range"], json!({ "min": 1.0, "max": 100.0, "min_excluded": false }));
}

#[test]
fn a_change_keeps_what_is_not_named_survives_a_restart_and_makes_older_versions_stale() {
    let bot = Bot::registered();
    let version = get(&bot)["version"].as_u64().unwrap();
    let (status, body) = put(&bot, version, json!({ "MAX_TRADES": 2, "TRADING_DAYS": ["mon"] }));
    assert_eq!((status, &body["changed"]), (200, &json!(["MAX_TRADES", "TRADING_DAYS"])));
    assert_eq!(body["version"], version + 1);
    let (status, body) = put(&bot, version, json!({ "MAX_TRADES": 3 }));
    assert_eq!((status, &body["error"]["code"]), (409, &json!("stale")));
    let bot = bot.restart();
    let all = get(&bot);
    assert_eq!((&all["version"], &all["values"]["MAX_TRADES"]), (&json!(version + 1), &json!(2)));
    assert_eq!(all["values"]["MAX_PRICE"], 100.0);
    let audited = bot.audited();
    for entry in ["settings.update env_bot begun", "settings.update env_bot done", "secret.encrypt env_bot done"] {
        assert!(audited.iter().any(|found| found == entry), "{entry}");
    }
    assert_eq!(bot.core.with(|house| house.bot_state()), BotState::Idle);
}

#[test]
fn what_is_wrong_changes_nothing_and_names_the_setting() {
    let bot = Bot::registered();
    let before = get(&bot);
    let version = before["version"].as_u64().unwrap();
    for (values, name) in [
        (json!({ "NO_SUCH": 1 }), "NO_SUCH"),
        (json!({ "MAX_TRADES": 0 }), "MAX_TRADES"),
        (json!({ "BROKER_NAME": "ALPACA" }), "BROKER_NAME"),
        (json!({ "VERSION_TAG": "v9.9.9" }), "VERSION_TAG"),
        (json!({ "MIN_PRICE": 500 }), "MIN_PRICE"),
        (json!({ "MAX_TRADES": { "x": 1 } }), "MAX_TRADES"),
    ] {
        let mut browser = bot.logged_in(ADMIN);
        let reply = browser.json(Op::SettingsPut, &[], &json!({ "version": version, "values": values }));
        assert_eq!((reply.status, wrong(&reply)), (422, vec![name.to_string()]));
        let reply = browser.json(Op::SettingsValidate, &[], &json!({ "values": values }));
        assert_eq!((reply.status, wrong(&reply)), (422, vec![name.to_string()]));
    }
    assert_eq!(get(&bot), before);
    let reply = bot.logged_in(ADMIN).json(Op::SettingsValidate, &[], &json!({ "values": { "MAX_TRADES": 2 } }));
    assert_eq!((reply.status, &reply.body["ok"]), (200, &json!(true)));
    assert_eq!(get(&bot), before, "validating changes nothing");
}

#[test]
fn a_doubtful_value_is_taken_and_warned_about() {
    let bot = Bot::registered();
    let version = get(&bot)["version"].as_u64().unwrap();
    let (status, body) = put(&bot, version, json!({ "REBALANCE_TRIGGER_PCT": 0.1 }));
    assert_eq!((status, &body["warnings"][0]["name"]), (200, &json!("REBALANCE_TRIGGER_PCT")));
}

#[test]
fn a_broker_without_puts_refuses_them() {
    let bot = Bot::fresh();
    let form: Vec<(&str, &str)> = CONFIGURATION
        .into_iter()
        .map(|(name, value)| (name, if name == "broker_code" { "ALPACA" } else { value }))
        .chain([("broker_api_key", "PLANTED-SECRET"), ("broker_url", "https://paper-api.alpaca.markets")])
        .collect();
    assert_eq!(bot.browser().form(Op::ConfigurationSubmit, &form).status, 303);
    bot.provision();
    bot.register();
    let all = get(&bot);
    let version = all["version"].as_u64().unwrap();
    assert_eq!(all["schema"]["SHORT_TYPE_MID"]["choices"], json!(["InverseETF", "ShortSell", "disabled"]), "offered");
    let (status, body) = put(&bot, version, json!({ "SHORT_TYPE_MID": "LongPut" }));
    assert_eq!(status, 422);
    assert!(body["error"]["fields"]["SHORT_TYPE_MID"].as_str().unwrap().starts_with("ALPACA cannot do LongPut"));
    assert_eq!(put(&bot, version, json!({ "SHORT_TYPE_MID": "ShortSell" })).0, 200);
}

#[test]
fn while_an_update_is_under_way_or_positions_are_closed_nothing_is_changed_but_while_the_bot_trades() {
    let bot = Bot::registered();
    let version = get(&bot)["version"].as_u64().unwrap();
    let apply = |event| {
        bot.core.with(|house| house.state.apply(event, &Actor::core(), &mut house.audit, 0).unwrap());
    };
    apply(Event::UpdateBegan);
    let mut browser = bot.logged_in(ADMIN);
    let body = json!({ "version": version, "values": { "MAX_TRADES": 2 } });
    let reply = browser.json(Op::SettingsPut, &[], &body);
    assert_eq!((reply.status, reply.retry_after), (409, Some(2)));
    assert_eq!(browser.get(Op::Settings).status, 200, "reading goes on");
    apply(Event::UpdateEnded);
    assert_eq!(get(&bot)["version"], version);
    apply(Event::Start);
    assert_eq!(browser.json(Op::SettingsPut, &[], &body).status, 200);
    assert_eq!(bot.core.with(|house| house.bot_state()), BotState::Analyzing);
    apply(Event::Stop(Exposure::Open));
    let body = json!({ "version": version + 1, "values": { "MAX_TRADES": 3 } });
    assert_eq!(browser.json(Op::SettingsPut, &[], &body).status, 409);
    assert_eq!(bot.core.with(|house| house.settings().unwrap().version), version + 1);
}

#[test]
fn nothing_is_changed_that_cannot_be_audited() {
    let bot = Bot::registered();
    let mut browser = bot.logged_in(ADMIN);
    let before = browser.get(Op::Settings).body;
    let audit = bot.folder.path().join("storage/audit");
    std::fs::remove_dir_all(&audit).unwrap();
    std::fs::write(&audit, "no folder").unwrap();
    let body = json!({ "version": before["version"], "values": { "MAX_TRADES": 2 } });
    let reply = browser.json(Op::SettingsPut, &[], &body);
    assert_eq!((reply.status, &reply.body["error"]["code"]), (503, &json!("audit_unavailable")));
    assert_eq!(browser.get(Op::Settings).body, before);
}

#[test]
fn the_logs_follow_the_settings() {
    let bot = Bot::registered();
    let version = get(&bot)["version"].as_u64().unwrap();
    assert_eq!(put(&bot, version, json!({ "LOG_FORMAT": "csv", "DEBUG_LOG_LEVEL": "quiet" })).0, 200);
    let mut settings = Settings::default();
    settings.set_all(["LOG_FORMAT=csv", "DEBUG_LOG_LEVEL=quiet"], "test").unwrap();
    assert_eq!(bot.core.logs.rule(), crate::runtime::logs::LogRule::of(&settings));
}
