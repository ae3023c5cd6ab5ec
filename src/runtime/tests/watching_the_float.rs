//! A session whose float is off its target: the status says so, and people are told.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::harness::{ADMIN, Bot};
use crate::runtime::{Op, run_in_background};

#[test]
fn a_float_off_its_target_is_in_the_status_and_told_of_and_over_with_the_session() {
    let bot = Bot::registered();
    let mut browser = bot.logged_in(ADMIN);
    let version = browser.get(Op::Settings).body["version"].clone();
    // A minute in 20 ms. Whatever is invested is 0.1 % off at least.
    let values = json!({ "SIM_DATA": "generated_minutes", "SIM_SPEED": 3_000, "REBALANCE_CHECK_INTERVAL": 1,
        "REBALANCE_THRESHOLD": 0.001, "REBALANCE_TRIGGER_PCT": 0.1 });
    let reply = browser.json(Op::SettingsPut, &[], &json!({ "version": version, "values": values }));
    assert_eq!(reply.status, 200, "{}", reply.body);
    let rebalance = |bot: &Bot| {
        bot.core.with(|house| {
            house.check_float(0);
            house.status(0)["float"]["rebalance"].clone()
        })
    };
    assert_eq!(rebalance(&bot)["state"], "no_session");
    let reply = browser.json(Op::ControlStart, &[], &json!({ "mode": "paper" }));
    assert_eq!(reply.status, 200, "{}", reply.body);
    let notices = bot.folder.path().join("logs/notifications.log");
    let mut seen: Vec<Value> = Vec::new();
    bot.block_on(run_in_background(Arc::clone(&bot.core), async {
        // The core looks by itself, too; here it is looked more often, so that no position is missed.
        while bot.core.with(|house| house.trading.is_busy()) {
            seen.push(rebalance(&bot));
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }));
    assert!(seen.iter().any(|one| one["state"] == "nothing_invested" && one["deviation_pct"].is_null()));
    let due = seen.iter().find(|one| one["state"] == "due").expect("something was invested");
    assert!(due["deviation_pct"].as_f64().unwrap().abs() > 0.1, "{due}");
    assert!(due["checked_utc"].is_string() && due["noticed_utc"].is_string(), "{due}");
    let told = std::fs::read_to_string(notices).unwrap();
    assert!(told.contains("\"event\":\"rebalance\"") && told.contains("The float is off its target"), "{told}");
    let after = rebalance(&bot);
    assert_eq!((&after["state"], &after["deviation_pct"]), (&json!("no_session"), &Value::Null));
    assert!(after["noticed_utc"].is_string());
}
