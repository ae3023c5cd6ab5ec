//! The broker of the core: made from the configuration, the same for everybody, and logged without secrets.

use std::sync::Arc;

use axum::Router;
use axum::http::HeaderMap;
use serde_json::{Value, json};

use super::harness::{ADMIN, Bot, PASSWORD};
use crate::brokers::Broker;
use crate::market::Nanos;
use crate::runtime::Op;
use crate::runtime::reply::Refusal;
use crate::vault::tests::harness::assert_sealed;

/// A server of this machine that answers everything with the credentials that it was sent.
fn parrot(bot: &Bot) -> String {
    bot.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let handler = |headers: HeaderMap| async move {
            let said: Vec<&str> = headers.values().filter_map(|value| value.to_str().ok()).collect();
            json!({ "status": "ACTIVE", "account_number": "PLANTED-SECRET", "note": said.join(" ") }).to_string()
        };
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(handler)).await });
        url
    })
}

fn configure(bot: &Bot, category: &str, values: &Value) {
    let body = json!({ "current_password": PASSWORD, "values": values });
    let reply = bot.logged_in(ADMIN).json(Op::ConfigurationPut, &[("category", category)], &body);
    assert_eq!(reply.status, 200, "{}", reply.body);
}

fn alpaca(bot: &Bot, url: &str) {
    let values = json!({ "broker_code": "ALPACA", "broker_api_key": "PLANTED-SECRET key",
        "broker_secret_key": "PLANTED-SECRET secret", "broker_url": url });
    configure(bot, "identity", &values);
}

fn set(bot: &Bot, values: &Value) {
    let mut browser = bot.logged_in(ADMIN);
    let version = browser.get(Op::Settings).body["version"].clone();
    let reply = browser.json(Op::SettingsPut, &[], &json!({ "version": version, "values": values }));
    assert_eq!(reply.status, 200, "{}", reply.body);
}

fn broker(bot: &Bot) -> Result<Arc<dyn Broker>, Refusal> {
    let clock: Arc<dyn Fn() -> Nanos + Send + Sync> = Arc::clone(&bot.core.clock);
    bot.core.with(|house| house.broker(clock))
}

#[test]
fn a_broker_without_an_adapter_is_refused_and_says_what_is_not_there() {
    let bot = Bot::registered();
    let refused = broker(&bot).err().unwrap();
    assert_eq!((refused.status, refused.code), (409, "no_market_data"));
    assert_eq!(refused.message, "There is no broker to ask: SIM plays the recorded sessions of SIM_DATA.");
    configure(&bot, "identity", &json!({ "broker_code": "IBKR" }));
    let refused = broker(&bot).err().unwrap();
    assert_eq!((refused.status, refused.code), (409, "no_market_data"));
    assert!(refused.message.ends_with("this program has no adapter for IBKR yet."), "{}", refused.message);
    alpaca(&bot, "http://127.0.0.1:1");
    configure(&bot, "broker", &json!({ "broker_secret_key": "" }));
    let refused = broker(&bot).err().unwrap();
    assert_eq!((refused.status, refused.code), (409, "broker_not_configured"));
    assert!(refused.message.contains("BROKER_SECRET_KEY is not set"), "{}", refused.message);
    assert!(!bot.audited().iter().any(|entry| entry == "secret.decrypt broker done"));
}

#[test]
fn everybody_gets_the_same_adapter_until_settings_or_credentials_are_others() {
    let bot = Bot::registered();
    alpaca(&bot, "http://127.0.0.1:1");
    let first = broker(&bot).unwrap();
    assert_eq!(first.capabilities().name, "ALPACA");
    set(&bot, &json!({ "MAX_TRADES": 2 }));
    let again = bot.block_on(bot.core.broker()).unwrap();
    assert!(Arc::ptr_eq(&first, &again), "a setting that is none of its business");
    set(&bot, &json!({ "API_TIMEOUT": 7 }));
    let second = broker(&bot).unwrap();
    assert!(!Arc::ptr_eq(&first, &second), "another time limit");
    configure(&bot, "broker", &json!({ "broker_api_key": "PLANTED-SECRET other" }));
    let third = broker(&bot).unwrap();
    assert!(!Arc::ptr_eq(&second, &third), "another key");
    let gone = Arc::downgrade(&third);
    drop(third);
    configure(&bot, "identity", &json!({ "broker_code": "SIM", "broker_url": "" }));
    assert!(broker(&bot).is_err() && gone.upgrade().is_none(), "nobody needs it any more");
    let decrypted = bot.audited().into_iter().filter(|entry| entry == "secret.decrypt broker done").count();
    assert_eq!(decrypted, 3, "once for each adapter");
}

#[test]
fn every_call_is_in_the_log_of_the_broker_and_no_secret_is() {
    let bot = Bot::registered();
    let url = parrot(&bot);
    alpaca(&bot, &url);
    set(&bot, &json!({ "DEBUG_LOG_LEVEL": "quiet", "LOG_FORMAT": "csv" }));
    let broker = broker(&bot).unwrap();
    assert!(bot.block_on(broker.get_positions()).is_err(), "that is no list of positions");
    let path = bot.folder.path().join("logs/broker_api.log");
    let lines: Vec<Value> = bot.block_on(async {
        loop {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            if text.lines().count() >= 2 {
                return text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    });
    let said: Vec<_> = lines.iter().map(|line| (&line["direction"], &line["what"], &line["status"])).collect();
    let what = json!("GET /v2/positions");
    assert_eq!(said, [(&json!("request"), &what, &Value::Null), (&json!("reply"), &what, &json!(200))]);
    assert!(lines[1]["body"].as_str().unwrap().contains("[redacted]"), "{}", lines[1]);
    assert_sealed(bot.folder.path());
}
