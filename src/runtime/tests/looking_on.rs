//! Status, logs, and streams of events.

use std::io::Write;
use std::time::Duration;

use serde_json::{Value, json};

use super::harness::{ADMIN, Bot};
use crate::market::SECOND;
use crate::runtime::Op;
use crate::runtime::protocol::{Request, Verb};
use crate::runtime::streams::MOST_OF_A_USER;

fn subscribe(request: Request) -> Request {
    Request { verb: Verb::Subscribe, ..request }
}

fn add(bot: &Bot, log: &str, text: &str) {
    let path = bot.folder.path().join("logs").join(log);
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// What comes next, within a time in which it must come.
macro_rules! next {
    ($stream:expr) => {
        tokio::time::timeout(Duration::from_secs(20), $stream.next()).await.expect("in time")
    };
}

#[test]
fn the_status_makes_nothing_up() {
    let bot = Bot::registered();
    let status = bot.logged_in(ADMIN).get(Op::Status).body;
    assert_eq!(status["identity"]["bot_identity"], "ACME_US_SIM_BOT1");
    assert_eq!((&status["bot_state"], &status["phase"]), (&json!("idle"), &json!("main")));
    for path in ["/session", "/mode", "/trades/pnl", "/trades/win_rate", "/float/actual", "/risk/daily_loss"] {
        assert_eq!(status.pointer(path), Some(&Value::Null), "{path}");
    }
    let silent = json!({ "name": "SIM", "configured": true, "health": "not connected", "since_utc": null,
        "latency_ms": null, "calls": 0, "retries": 0, "errors": 0, "last_error": null, "lost_log_lines": 0 });
    assert_eq!(status["broker"], silent);
    assert_eq!((&status["coa"]["coa_version"], &status["coa"]["entity"]), (&json!("1"), &json!("ACME")));
    // 2026-01-05 is a Monday.
    assert_eq!(status["windows"]["strategies"][0]["start_utc"], "2026-01-05T14:30:00.000000000Z");
}

#[test]
fn the_self_check_names_every_module() {
    let bot = Bot::registered();
    let checks = bot.logged_in(ADMIN).get(Op::SelfCheck).body;
    let checks = checks.as_array().unwrap();
    assert!(checks.iter().all(|check| check["ok"] == true), "{checks:?}");
    let modules: Vec<&str> = checks.iter().map(|check| check["module"].as_str().unwrap()).collect();
    assert_eq!(
        modules,
        [
            "keys",
            "files",
            "secrets",
            "audit",
            "settings",
            "users",
            "books",
            "state",
            "broker",
            "notify pagerduty",
            "notify sms",
            "notify slack",
            "notify email"
        ]
    );
    std::fs::write(bot.folder.path().join("storage/secrets/smtp_credentials.json.enc"), "x").unwrap();
    let checks = bot.logged_in(ADMIN).get(Op::SelfCheck).body;
    assert!(checks.to_string().contains("'smtp' cannot be decrypted"), "{checks}");
}

#[test]
fn five_logs_are_shown_in_pages_and_nothing_else_is() {
    let bot = Bot::registered();
    let mut browser = bot.logged_in(ADMIN);
    add(&bot, "open.log", "one\ntwo\nthree\n");
    let logs = browser.get(Op::Logs).body;
    assert_eq!(logs["logs"][0], json!({ "name": "open.log", "bytes": 14 }));
    assert_eq!(logs["logs"].as_array().unwrap().len(), 5);
    let lines = |name: &str, query: &str| {
        let mut request = browser.request(Op::LogLines, &[("name", name)], "", String::new());
        request.query = query.to_string();
        bot.answer(request)
    };
    assert_eq!(lines("open.log", "offset=1&limit=1").body["lines"], json!(["two"]));
    let last = lines("open.log", "limit=2").body;
    assert_eq!((&last["lines"], &last["offset"], &last["total"]), (&json!(["two", "three"]), &json!(1), &json!(3)));
    for name in ["core.log", "../control/setup_token", "open.log.1", "", "OPEN.LOG"] {
        assert_eq!(lines(name, "").status, 404, "{name}");
    }
    for query in ["limit=0", "limit=1001", "offset=x"] {
        assert_eq!(lines("open.log", query).status, 422, "{query}");
    }
}

#[test]
fn a_stream_begins_with_how_things_are_and_tells_of_changes() {
    let bot = Bot::registered();
    let mut browser = bot.logged_in(ADMIN);
    let request = subscribe(browser.request(Op::Events, &[], "", String::new()));
    let mut stream = bot.block_on(bot.core.subscribe(request)).unwrap_or_else(|reply| panic!("{}", reply.body));
    bot.block_on(async {
        assert_eq!(next!(stream).unwrap().data, json!({ "bot_state": "idle" }));
        assert_eq!(next!(stream).unwrap().event, "status");
    });
    assert_eq!(browser.json(Op::ControlKill, &[], &json!({})).status, 200);
    bot.block_on(async {
        let event = next!(stream).unwrap();
        assert_eq!((event.event.as_str(), event.data), ("bot_state", json!({ "bot_state": "shutdown" })));
    });
}

#[test]
fn a_stream_ends_with_its_session_and_does_not_keep_it_alive() {
    let bot = Bot::registered();
    for log_out in [true, false] {
        let mut browser = bot.logged_in(ADMIN);
        let request = subscribe(browser.request(Op::LogStream, &[("name", "open.log")], "", String::new()));
        let mut stream = bot.block_on(bot.core.subscribe(request)).unwrap_or_else(|reply| panic!("{}", reply.body));
        add(&bot, "open.log", "hello\n");
        bot.block_on(async { assert_eq!(next!(stream).unwrap().data, json!({ "line": "hello" })) });
        if log_out {
            assert_eq!(browser.form(Op::Logout, &[]).status, 303);
        } else {
            bot.wait(3001 * SECOND);
        }
        add(&bot, "open.log", "unseen\n");
        bot.block_on(async { assert!(next!(stream).is_none(), "log out: {log_out}") });
    }
}

#[test]
fn streams_are_for_who_is_logged_in_and_there_are_only_so_many() {
    let bot = Bot::registered();
    let request = subscribe(bot.browser().request(Op::Events, &[], "", String::new()));
    assert_eq!(bot.block_on(bot.core.subscribe(request)).err().unwrap().status, 401);
    let browser = bot.logged_in(ADMIN);
    let open = || bot.block_on(bot.core.subscribe(subscribe(browser.request(Op::Events, &[], "", String::new()))));
    let mut streams: Vec<_> = (0..MOST_OF_A_USER).map(|_| open().ok().unwrap()).collect();
    assert_eq!(open().err().unwrap().status, 429);
    streams.pop();
    assert!(open().is_ok());
    // A question with one answer is no stream, and the other way round.
    let request = subscribe(browser.request(Op::Status, &[], "", String::new()));
    assert_eq!(bot.block_on(bot.core.subscribe(request)).err().unwrap().status, 404);
    assert_eq!(bot.answer(browser.request(Op::Events, &[], "", String::new())).status, 404);
}

#[test]
fn the_core_writes_its_status_and_makes_backups_when_they_are_due() {
    let bot = Bot::registered();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let background = crate::runtime::run_in_background(std::sync::Arc::clone(&bot.core), async {
        let _ = stopped.await;
    });
    let path = bot.folder.path().join("output/ACME_US_SIM_BOT1/status.json");
    let backups = |bot: &Bot| crate::vault::backups::list(&bot.core.with(|house| house.disk.clone())).unwrap().len();
    bot.block_on(async {
        let waiting = async {
            while !path.exists() || backups(&bot) == 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            let _ = stop.send(());
        };
        let waiting = tokio::time::timeout(Duration::from_secs(30), waiting);
        let (_, done) = tokio::join!(background, waiting);
        done.expect("in time");
    });
    let status: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(status["bot_state"], "idle");
    assert_eq!(backups(&bot), 1);
    assert!(bot.audited().contains(&"backup.create full begun".to_string()));
}
