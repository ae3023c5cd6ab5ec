//! TEST_MODE: start, watch, stop, remove.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::harness::{ADMIN, Bot, Browser};
use crate::backtest::{RunSpec, run_recorded};
use crate::data::{LoadOptions, Source, load};
use crate::market::parse_date;
use crate::runtime::flags::{Flag, Request, raise};
use crate::runtime::{BotState, Op, test_mode};
use crate::session::replay::replay;
use crate::settings::Settings;

/// Every file below a folder with its content.
fn files(root: &Path, below: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
    for entry in std::fs::read_dir(below).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            files(root, &path, found);
        } else if path.is_file() {
            let name = path.strip_prefix(root).unwrap().display().to_string();
            found.insert(name, std::fs::read(&path).unwrap());
        }
    }
}

fn all_files(bot: &Bot) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    files(bot.folder.path(), bot.folder.path(), &mut found);
    found
}

fn start(browser: &mut Browser<'_>, body: Value) -> (u16, Value) {
    let reply = browser.json(Op::TestStart, &[], &body);
    (reply.status, reply.body)
}

fn refused(browser: &mut Browser<'_>, op: Op, body: Value) -> (u16, String) {
    let reply = browser.json(op, &[], &body);
    (reply.status, reply.body["error"]["code"].as_str().unwrap_or("").to_string())
}

/// Waits for the end of the test and gives its result.
fn ended(bot: &Bot, browser: &mut Browser<'_>) -> Value {
    let test = bot.core.with(|house| house.test.clone());
    assert!(test.wait_for_end(std::time::Duration::from_secs(120)), "the test does not end");
    let body = browser.get(Op::Test).body;
    assert_eq!(body["active"], Value::Null);
    body["results"][0].clone()
}

fn flag(bot: &Bot) -> bool {
    bot.folder.path().join("control/test_mode.flag").exists()
}

#[test]
fn a_test_sends_the_orders_of_the_backtest_and_touches_nothing_but_its_folder() {
    let bot = Bot::registered();
    let mut browser = bot.logged_in(ADMIN);
    let before = all_files(&bot);
    let mut events = bot.core.events.subscribe();
    let (status, body) = start(&mut browser, json!({ "seconds": 0 }));
    assert_eq!(status, 200, "{body}");
    let result = ended(&bot, &mut browser);
    assert_eq!((&result["state"], &result["message"]), (&json!("finished"), &Value::Null));

    // The day alone, with the days before it as history.
    let mut data = LoadOptions::new(Source::Named("generated_minutes".to_string()));
    let date = parse_date(test_mode::USUAL_DATE).unwrap();
    data.to = Some(date);
    let market = load(&data).unwrap();
    // As it is in the settings of a bot with the simulated broker.
    let mut settings = Settings::default();
    settings.set_all(["BROKER_NAME=SIM"], "test").unwrap();
    let spec = RunSpec::of_settings(settings, data, test_mode::CASH).unwrap();
    let (config, strategies) = (spec.config(&market).unwrap(), spec.build_strategies().unwrap());
    let day = market.days.len() - 1;
    assert_eq!(market.session_of(day).date, date);
    let run = run_recorded(&market, &config, strategies, day..day + 1, &AtomicBool::new(false));
    let (backtest, stream) = run.unwrap();
    let expected: String = stream.lines().iter().map(|line| format!("{line}\n")).collect();

    let folder = result["folder"].as_str().unwrap();
    assert_eq!(folder, format!("output/ACME_US_SIM_BOT1/test/{}", result["id"].as_str().unwrap()));
    let own = bot.folder.path().join(folder);
    let orders = std::fs::read_to_string(own.join("day/orders.txt")).unwrap();
    assert!(orders.lines().count() > 10);
    assert_eq!(orders, expected);
    let hash: String = Sha256::digest(expected.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!((&result["orders_sha256"], &result["orders"]), (&json!(hash), &json!(stream.lines().len())));
    assert_eq!(replay(&own.join("day/journal")).unwrap().divergence, None);

    // Trades, fills and P&L are those of the backtest, strategy by strategy.
    let (trades, fills) = (backtest.trades.len(), backtest.fills.len());
    assert_eq!((&result["trades"], &result["fills"]), (&json!(trades), &json!(fills)));
    let strategies = result["strategies"].as_array().unwrap();
    let names: Vec<&str> = strategies.iter().map(|one| one["strategy"].as_str().unwrap()).collect();
    assert_eq!(names, ["open", "mid", "close"]);
    let sum = |key: &str| strategies.iter().map(|one| one[key].as_u64().unwrap()).sum::<u64>();
    assert_eq!((sum("trades"), sum("fills")), (trades as u64, fills as u64));
    assert!(strategies.iter().all(|one| one["trades"].as_u64() > Some(0) && one["stage"] == "over"), "{result}");

    // The ledger of the test holds the opening and each fill, and comes to the cash of the account.
    let ledger = std::fs::read_to_string(own.join("ledger.jsonl")).unwrap();
    assert_eq!(ledger.lines().count(), fills + 1);
    let cash: f64 = result["ledger_cash"].as_str().unwrap().parse().unwrap();
    assert!((cash - result["equity"].as_f64().unwrap()).abs() < 1e-6, "all is sold: {result}");

    // What a page draws.
    let mut request = browser.request(Op::Test, &[], "", String::new());
    request.query = format!("id={}", result["id"].as_str().unwrap());
    let shown = browser.send(request).body["shown"].clone();
    assert_eq!(shown["trades"].as_array().unwrap().len(), trades);
    assert!(shown["bars"].as_object().unwrap().values().all(|bars| bars["t"].as_array().unwrap().len() == 390));

    let mut after = all_files(&bot);
    after.retain(|name, _| !name.starts_with(folder));
    let changed: Vec<&String> =
        after.iter().filter(|(name, text)| before.get(*name) != Some(text)).map(|f| f.0).collect();
    assert_eq!(changed, ["storage/audit/audit.log", "storage/audit/head.enc"]);
    assert!(before.keys().all(|name| after.contains_key(name)), "nothing is removed");
    let audited = bot.audited();
    let words = |action: &str, status: &str| format!("{action} {} {status}", result["id"].as_str().unwrap());
    assert!(audited.contains(&words("test.start", "begun")) && audited.contains(&words("test.end", "finished")));
    let mut told = 0;
    while let Ok(event) = events.try_recv() {
        told += usize::from(event.event == test_mode::EVENT);
    }
    assert!(told >= 2);
    assert_eq!(bot.core.with(|house| house.bot_state()), BotState::Idle);
}

#[test]
fn one_runs_at_a_time_and_nothing_is_started_meanwhile() {
    let bot = Bot::registered();
    let mut browser = bot.logged_in(ADMIN);
    assert_eq!(start(&mut browser, json!({ "seconds": 3600 })).0, 200);
    assert!(flag(&bot));
    assert_eq!(refused(&mut browser, Op::TestStart, json!({})), (409, "test_mode".into()));
    assert_eq!(refused(&mut browser, Op::ControlStart, json!({ "mode": "paper" })), (409, "test_mode".into()));
    assert_eq!(refused(&mut browser, Op::TestReset, json!({ "only": "results" })), (409, "test_mode".into()));
    assert_eq!(browser.get(Op::Status).body["test_mode"], true);
    let body = browser.get(Op::Test).body;
    assert_eq!((&body["active"]["state"], &body["active"]["user"]), (&json!("running"), &json!(ADMIN)));
    assert_eq!(body["results"], json!([]), "one that runs is no result");
    let reply = browser.json(Op::TestReset, &[], &json!({}));
    assert_eq!((reply.status, &reply.body["active"]), (200, &Value::Null));
    assert_eq!(reply.body["results"][0]["state"], "cancelled");
    assert!(!flag(&bot));
    assert_eq!(browser.get(Op::Status).body["test_mode"], false);
    let id = reply.body["results"][0]["id"].as_str().unwrap().to_string();
    assert!(bot.audited().contains(&format!("test.end {id} cancelled")));
    // The next one gets a name of its own, though the clock stands still.
    assert_eq!(start(&mut browser, json!({ "seconds": 3600 })).1["active"]["id"], format!("{id}-2"));
    assert_eq!(browser.json(Op::TestReset, &[], &json!({ "only": "stop" })).status, 200);
    assert_eq!(refused(&mut browser, Op::TestReset, json!({ "only": "stop" })), (409, "not_running".into()));
    let removed = browser.json(Op::TestReset, &[], &json!({}));
    assert_eq!((removed.status, &removed.body["results"]), (200, &json!([])));
    let folder = bot.folder.path().join("output/ACME_US_SIM_BOT1/test");
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0);
    assert!(bot.audited().contains(&"test.reset results done".to_string()));
}

#[test]
fn of_two_starts_at_once_one_is_taken() {
    let bot = Bot::registered();
    let browser = bot.logged_in(ADMIN);
    let body = json!({ "seconds": 3600 }).to_string();
    let request = || browser.request(Op::TestStart, &[], "application/json", body.clone());
    let replies = bot.answer_at_once((0..4).map(|_| request()).collect());
    let mut statuses: Vec<u16> = replies.iter().map(|reply| reply.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409, 409, 409]);
    bot.core.with(|house| house.test.clone()).stop(test_mode::State::Cancelled);
}

#[test]
fn tests_are_for_admins() {
    let bot = Bot::registered();
    bot.add_viewer("victor");
    let mut viewer = bot.logged_in("victor");
    assert_eq!(viewer.get(Op::Test).status, 403);
    assert_eq!(viewer.get(Op::TestPage).status, 403);
    assert_eq!(refused(&mut viewer, Op::TestStart, json!({})).0, 403);
    assert_eq!(refused(&mut viewer, Op::TestReset, json!({})).0, 403);
    let request = viewer.request(Op::Events, &[], "", String::new());
    let core = bot.core.clone();
    let heard = bot.block_on(async move {
        let Ok(mut stream) = core.subscribe(request).await else { panic!("no stream") };
        core.tell(crate::runtime::RuntimeEvent::new(test_mode::EVENT, json!({})));
        core.tell(crate::runtime::RuntimeEvent::new("alert", json!({})));
        let mut heard = Vec::new();
        while heard.last().is_none_or(|last| last != "alert") {
            heard.push(stream.next().await.unwrap().event);
        }
        heard
    });
    assert!(!heard.contains(&test_mode::EVENT.to_string()), "{heard:?}");
}

#[test]
fn what_cannot_be_tested_is_refused_or_fails_with_its_reason() {
    let bot = Bot::registered();
    let mut browser = bot.logged_in(ADMIN);
    for (body, field) in [
        (json!({ "data": "no_such" }), "data"),
        (json!({ "data": "../secrets", "date": "2024-12-02" }), "data"),
        (json!({ "data": "wiki_daily" }), "date"),
        (json!({ "date": "2024-13-01" }), "date"),
        (json!({ "seconds": 3_601 }), "seconds"),
    ] {
        let reply = browser.json(Op::TestStart, &[], &body);
        assert_eq!((reply.status, super::harness::wrong(&reply)), (422, vec![field.to_string()]), "{body}");
    }
    assert_eq!(start(&mut browser, json!({ "speed": 1 })).0, 422);
    assert_eq!(
        start(&mut browser, json!({ "date": "2024-12-01", "seconds": 0 })).0,
        200,
        "a Sunday is found out later"
    );
    let result = ended(&bot, &mut browser);
    let why = "There is no session of 2024-12-01 in the data; the last one before it is 2024-11-29.";
    assert_eq!((&result["state"], &result["message"]), (&json!("failed"), &json!(why)));
    assert!(!flag(&bot));
}

#[test]
fn what_cannot_be_audited_is_not_begun() {
    let bot = Bot::registered();
    let mut browser = bot.logged_in(ADMIN);
    let audit = bot.folder.path().join("storage/audit");
    std::fs::remove_dir_all(&audit).unwrap();
    std::fs::write(&audit, "no folder").unwrap();
    assert_eq!(refused(&mut browser, Op::TestStart, json!({})), (503, "audit_unavailable".into()));
    assert!(!flag(&bot) && !bot.folder.path().join("output/ACME_US_SIM_BOT1/test").exists());
}

#[test]
fn a_test_that_a_killed_core_has_left_is_ended_by_the_next_start() {
    let bot = Bot::registered();
    let mut browser = bot.logged_in(ADMIN);
    assert_eq!(start(&mut browser, json!({ "seconds": 3600 })).0, 200);
    let body = browser.get(Op::Test).body;
    let running = body["active"]["folder"].as_str().unwrap().to_string();
    let record = bot.folder.path().join(&running).join("result.json");
    let as_left = std::fs::read(&record).unwrap();
    let id = body["active"]["id"].as_str().unwrap().to_string();
    browser.json(Op::TestReset, &[], &json!({ "only": "stop" }));
    // As a kill would have left it.
    std::fs::write(&record, as_left).unwrap();
    bot.core.with(|house| {
        let request = Request { id: id.clone(), utc: "2026-01-02T03:04:05Z".into(), user: ADMIN.into(), sha256: None };
        raise(&house.disk, Flag::TestMode, &request).unwrap();
    });
    let bot = bot.restart();
    assert!(!flag(&bot));
    assert!(bot.audited().contains(&format!("test.end {id} interrupted")));
    let mut browser = bot.logged_in(ADMIN);
    let body = browser.get(Op::Test).body;
    assert_eq!((&body["active"], &body["results"][0]["state"]), (&Value::Null, &json!("interrupted")));
    let stored: Value =
        serde_json::from_slice(&std::fs::read(bot.folder.path().join(&running).join("result.json")).unwrap()).unwrap();
    assert_eq!(stored["state"], "interrupted");
    // A flag that is none is removed too.
    std::fs::write(bot.folder.path().join("control/test_mode.flag"), "{").unwrap();
    let bot = bot.restart();
    assert!(!flag(&bot) && bot.audited().contains(&"test.end unknown interrupted".to_string()));
}
