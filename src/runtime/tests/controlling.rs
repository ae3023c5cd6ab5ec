//! Start, stop, kill, acknowledge.

use serde_json::json;

use super::harness::{ADMIN, Bot, PASSWORD, wrong};
use crate::runtime::{BotState, Event, Exposure, Op};
use crate::vault::Actor;

fn state(bot: &Bot) -> BotState {
    bot.core.with(|house| house.bot_state())
}

fn apply(bot: &Bot, events: &[Event]) {
    bot.core.with(|house| {
        for event in events {
            house.state.apply(*event, &Actor::core(), &mut house.audit, 0).unwrap();
        }
    });
}

#[test]
fn a_start_is_judged_before_it_is_refused_for_want_of_data() {
    let bot = Bot::registered();
    let mut browser = bot.logged_in(ADMIN);
    let mut start = |body| {
        let reply = browser.json(Op::ControlStart, &[], &body);
        (reply.status, reply.body["error"]["code"].as_str().unwrap_or("").to_string(), wrong(&reply))
    };
    assert_eq!(start(json!({ "mode": "paper" })), (409, "no_market_data".into(), vec![]));
    assert_eq!(start(json!({ "mode": "fast" })).2, ["mode"]);
    assert_eq!(start(json!({ "mode": "live" })).2, ["confirm"]);
    assert_eq!(start(json!({ "mode": "live", "confirm": "live" })).2, ["confirm"]);
    assert_eq!(start(json!({ "mode": "live", "confirm": "LIVE" })).2, ["current_password"]);
    let wrong_one = json!({ "mode": "live", "confirm": "LIVE", "current_password": "not the password" });
    assert_eq!(start(wrong_one).0, 403);
    let right = json!({ "mode": "live", "confirm": "LIVE", "current_password": PASSWORD });
    assert_eq!(start(right).2, ["mode"], "the simulated broker has no real money");
    assert_eq!(start(json!({})).0, 422);
    assert_eq!(state(&bot), BotState::Idle);
}

#[test]
fn a_stop_ends_a_session_and_there_must_be_one() {
    let bot = Bot::registered();
    let mut browser = bot.logged_in(ADMIN);
    assert_eq!(browser.json(Op::ControlStop, &[], &json!({})).status, 409);
    apply(&bot, &[Event::Start]);
    let reply = browser.json(Op::ControlStop, &[], &json!({}));
    assert_eq!((reply.status, reply.body), (200, json!({ "bot_state": "idle" })));
    assert!(bot.audited().contains(&"control.stop idle done".to_string()));
    assert!(!bot.folder.path().join("control/control_stop.flag").exists());
}

#[test]
fn a_kill_works_in_every_state_in_which_a_bot_can_be_and_needs_no_audit() {
    for events in [&[][..], &[Event::Start], &[Event::Fault(Exposure::Flat)], &[Event::LimitReached(Exposure::Flat)]] {
        let bot = Bot::registered();
        let mut browser = bot.logged_in(ADMIN);
        apply(&bot, events);
        let before = state(&bot);
        let audit = bot.folder.path().join("storage/audit");
        std::fs::remove_dir_all(&audit).unwrap();
        std::fs::write(&audit, "no folder").unwrap();
        let reply = browser.json(Op::ControlKill, &[], &json!({}));
        let after = if before == BotState::Error { BotState::Error } else { BotState::Shutdown };
        assert_eq!((reply.status, state(&bot)), (200, after), "{before}: {}", reply.body);
    }
}

#[test]
fn a_killed_bot_is_halted_until_it_is_acknowledged() {
    let bot = Bot::registered();
    let mut browser = bot.logged_in(ADMIN);
    assert_eq!(browser.json(Op::ControlAcknowledge, &[], &json!({})).status, 409, "there is nothing to acknowledge");
    assert_eq!(browser.json(Op::ControlKill, &[], &json!({})).body["bot_state"], "shutdown");
    assert_eq!(browser.get(Op::Status).body["risk"]["kill_switch"], true);
    let put = browser.json(Op::SettingsPut, &[], &json!({ "version": 1, "values": {} }));
    assert_eq!((put.status, &put.body["error"]["code"]), (409, &json!("halted")));
    for op in [Op::Status, Op::Logs, Op::Audit, Op::StatusPage, Op::LogsPage, Op::AuditPage] {
        assert_eq!(browser.get(op).status, 200, "{op:?}");
    }
    let reply = browser.json(Op::ControlAcknowledge, &[], &json!({}));
    assert_eq!((reply.status, reply.body), (200, json!({ "bot_state": "idle" })));
}

#[test]
fn a_fault_that_is_still_there_is_named_and_not_acknowledged() {
    let bot = Bot::registered();
    let mut browser = bot.logged_in(ADMIN);
    apply(&bot, &[Event::Fault(Exposure::Flat)]);
    std::fs::remove_file(bot.folder.path().join("storage/keys/smtp.key")).unwrap();
    let reply = browser.json(Op::ControlAcknowledge, &[], &json!({}));
    assert_eq!((reply.status, &reply.body["error"]["code"]), (409, &json!("checks_failed")));
    let text = reply.body.to_string();
    assert!(text.contains("'smtp' is missing") && !text.contains("storage/"), "{text}");
    assert_eq!(state(&bot), BotState::Error);
    // A new key is the remedy: what it cannot decrypt counts as not set.
    let rotate = json!({ "current_password": PASSWORD });
    let reply = browser.json(Op::KeyRotate, &[("category", "smtp")], &rotate);
    assert_eq!(reply.status, 200, "{}", reply.body);
    let values = json!({ "current_password": PASSWORD, "values": { "smtp_host": "mail.example.com" } });
    assert_eq!(browser.json(Op::ConfigurationPut, &[("category", "smtp")], &values).status, 200);
    let reply = browser.json(Op::ControlAcknowledge, &[], &json!({}));
    assert_eq!(reply.body, json!({ "bot_state": "idle" }));
}
