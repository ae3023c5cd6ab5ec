//! Notices: who is told of what, and that nothing secret is told or logged.

use std::sync::{Arc, Mutex};

use axum::Router;
use serde_json::{Value, json};

use super::harness::{ADMIN, Bot, PASSWORD, wrong};
use crate::runtime::Op;
use crate::vault::tests::harness::assert_sealed;

/// A gateway of this machine that keeps what it is sent.
pub(super) fn gateway(bot: &Bot) -> (String, Arc<Mutex<Vec<String>>>) {
    let taken = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&taken);
    let url = bot.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/PLANTED-SECRET", listener.local_addr().unwrap());
        let handler = move |body: String| {
            seen.lock().unwrap().push(body);
            async { "ok" }
        };
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(handler)).await });
        url
    });
    (url, taken)
}

pub(super) fn configure(bot: &Bot, url: &str) {
    let mut browser = bot.logged_in(ADMIN);
    let body = json!({ "current_password": PASSWORD, "values": { "slack_webhook_url": url } });
    let reply = browser.json(Op::ConfigurationPut, &[("category", "alerts")], &body);
    assert_eq!(reply.status, 200, "{}", reply.body);
    let version = browser.get(Op::Settings).body["version"].clone();
    let values = json!({ "CRITICAL_ALERT_CHANNEL": "slack", "ROUTINE_ALERT_CHANNEL": "slack" });
    let reply = browser.json(Op::SettingsPut, &[], &json!({ "version": version, "values": values }));
    assert_eq!(reply.status, 200, "{}", reply.body);
}

#[test]
fn a_channel_is_tried_by_an_admin_and_shown_in_the_self_check() {
    let bot = Bot::registered();
    let (url, taken) = gateway(&bot);
    configure(&bot, &url);
    bot.add_viewer("victor");
    let mut browser = bot.logged_in(ADMIN);
    let sent = browser.json(Op::NotifyTest, &[], &json!({ "channel": "slack" }));
    assert_eq!(sent.body, json!({ "channel": "slack", "ok": true, "detail": "" }));
    assert!(taken.lock().unwrap()[0].contains("[ACME_US_SIM_BOT1] routine: This is a test"));
    let absent = browser.json(Op::NotifyTest, &[], &json!({ "channel": "sms" })).body;
    assert_eq!(absent, json!({ "channel": "sms", "ok": false, "detail": "not configured" }));
    assert_eq!(wrong(&browser.json(Op::NotifyTest, &[], &json!({ "channel": "pigeon" }))), ["channel"]);
    let test = json!({ "channel": "slack" });
    assert_eq!(bot.logged_in("victor").json(Op::NotifyTest, &[], &test).status, 403);
    let checks = browser.get(Op::SelfCheck).body;
    let slack = checks.as_array().unwrap().iter().find(|check| check["module"] == "notify slack").unwrap();
    assert_eq!(slack["detail"], "configured; for critical and routine notices");
    assert!(bot.audited().contains(&"notify.test slack done".to_string()));
    assert!(!checks.to_string().contains("PLANTED"));
    assert_sealed(bot.folder.path());
}

#[test]
fn a_kill_and_a_locked_login_are_told_and_logged_without_secrets() {
    let bot = Bot::registered();
    let (url, taken) = gateway(&bot);
    configure(&bot, &url);
    let mut browser = bot.logged_in(ADMIN);
    let mut guesser = bot.browser();
    for _ in 0..13 {
        guesser.form(Op::Login, &[("username", "mallory"), ("password", "PLANTED-SECRET guess")]);
    }
    assert_eq!(browser.json(Op::ControlKill, &[], &json!({})).status, 200);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let background = crate::runtime::run_in_background(Arc::clone(&bot.core), async {
        let _ = stopped.await;
    });
    bot.block_on(async {
        let waiting = async {
            while taken.lock().unwrap().len() < 2 {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
            let _ = stop.send(());
        };
        let waiting = tokio::time::timeout(std::time::Duration::from_secs(30), waiting);
        let (_, done) = tokio::join!(background, waiting);
        done.expect("in time");
    });
    let told = taken.lock().unwrap().join("\n");
    assert!(told.contains("critical: The bot was stopped for good"), "{told}");
    assert!(told.contains("routine: A login is locked") && told.contains("127.0.0.1"), "{told}");
    assert!(!told.contains("PLANTED") && !told.contains("mallory"));
    let log = std::fs::read_to_string(bot.folder.path().join("logs/notifications.log")).unwrap();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().all(|line| line["detail"]["outcome"] == "delivered" && line["detail"]["channel"] == "slack"));
    assert_sealed(bot.folder.path());
}
