//! Sessions of the simulated broker, from the start button to the ledger.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use serde_json::{Value, json};

use super::harness::{ADMIN, Bot, Browser};
use crate::accounting::EntryQuery;
use crate::backtest::run_recorded;
use crate::data::load;
use crate::runtime::{BotState, Exposure, Op};
use crate::session::journal::read;
use crate::session::replay::replay;

/// As fast as the machine.
const AT_ONCE: u64 = 1_000_000;
/// A minute in 20 ms: slow enough to do something in between.
const SLOWLY: u64 = 3_000;

/// A bot that plays the newest session of `generated_minutes`, and more settings.
fn bot(speed: u64, more: Value) -> Bot {
    let bot = Bot::registered();
    let mut values = json!({ "SIM_DATA": "generated_minutes", "SIM_SPEED": speed });
    for (name, value) in more.as_object().unwrap() {
        values[name] = value.clone();
    }
    put(&mut bot.logged_in(ADMIN), values);
    bot
}

fn put(browser: &mut Browser<'_>, values: Value) {
    let version = browser.get(Op::Settings).body["version"].clone();
    let reply = browser.json(Op::SettingsPut, &[], &json!({ "version": version, "values": values }));
    assert_eq!(reply.status, 200, "{}", reply.body);
}

fn start(browser: &mut Browser<'_>) {
    let reply = browser.json(Op::ControlStart, &[], &json!({ "mode": "paper" }));
    assert_eq!((reply.status, &reply.body["bot_state"]), (200, &json!("analyzing")), "{}", reply.body);
}

fn state(bot: &Bot) -> BotState {
    bot.core.with(|house| house.bot_state())
}

/// Waits for something that must happen.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..12_000 {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("{what} does not happen");
}

/// Waits until no session runs.
fn until_over(bot: &Bot) {
    until("the end of the session", || bot.core.with(|house| !house.trading.is_busy()));
}

fn is_open(bot: &Bot) -> bool {
    bot.core.with(|house| house.exposure() == Exposure::Open)
}

fn folders(bot: &Bot) -> Vec<PathBuf> {
    let folder = bot.folder.path().join("output/ACME_US_SIM_BOT1/sessions");
    let mut all: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all
}

/// The orders in the journal of the only session, which its replay has, too.
fn orders(bot: &Bot) -> Vec<String> {
    let folders = folders(bot);
    let [folder] = folders.as_slice() else { panic!("{folders:?}") };
    let replay = replay(&folder.join("journal")).unwrap();
    assert_eq!(replay.divergence, None);
    replay.orders
}

/// The orders of a backtest of the same day by the same settings.
fn backtest(bot: &Bot) -> Vec<String> {
    let path = folders(bot)[0].join("journal");
    let (plan, _, _) = read(&path).unwrap().beginning(&path).unwrap();
    let market = load(&plan.spec.data).unwrap();
    let config = plan.spec.config(&market).unwrap();
    let day = market.days.len() - 1;
    let strategies = plan.spec.build_strategies().unwrap();
    let (_, stream) = run_recorded(&market, &config, strategies, day..day + 1, &AtomicBool::new(false)).unwrap();
    stream.lines().to_vec()
}

/// References of the fills in the ledger.
fn booked(bot: &Bot) -> Vec<String> {
    let query = EntryQuery { limit: 1_000, ..EntryQuery::default() };
    let page = bot.core.with(|house| house.books.as_ref().unwrap().entries(&query).unwrap());
    page.entries.into_iter().filter(|entry| entry.source == "fill").filter_map(|entry| entry.reference).collect()
}

fn log(bot: &Bot, name: &str) -> String {
    std::fs::read_to_string(bot.folder.path().join("logs").join(name)).unwrap_or_default()
}

#[test]
fn a_session_goes_from_the_start_to_the_ledger_with_the_orders_of_its_backtest() {
    let bot = bot(AT_ONCE, json!({}));
    let mut browser = bot.logged_in(ADMIN);
    start(&mut browser);
    until_over(&bot);
    assert_eq!(state(&bot), BotState::Idle);
    let orders = orders(&bot);
    assert!(!orders.is_empty());
    assert_eq!(orders, backtest(&bot));
    let status = browser.get(Op::Status).body;
    let trades = status["trades"]["list"].as_array().unwrap().len();
    assert!(trades > 0 && status["trades"]["exits"] == trades && status["mode"].is_null(), "{status}");
    assert_eq!((&status["session"]["running"], &status["session"]["date"]), (&json!(false), &json!("2024-12-30")));
    let windows = status["session"]["windows"].as_array().unwrap();
    assert_eq!(windows.len(), 3);
    assert!(windows.iter().all(|window| window["part"] == "over"), "{windows:?}");
    assert_eq!(windows.iter().filter_map(|window| window["exits"].as_u64()).sum::<u64>(), trades as u64);
    let booked = booked(&bot);
    assert_eq!(booked.len(), 2 * trades, "an entry and an exit of each trade");
    assert_eq!(booked.iter().collect::<BTreeSet<_>>().len(), booked.len());
    assert!(booked.iter().all(|reference| reference.starts_with("SIM:")));
    let log = log(&bot, "close.log");
    assert!(log.contains("\"event\":\"order.filled\""), "{log}");
    let summary = std::fs::read_to_string(folders(&bot)[0].join("session.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&summary).unwrap()["trades"], trades);
    assert!(!bot.folder.path().join("control/control_start.flag").exists());
    for entry in ["control.start paper begun", "control.start paper done", "state.change analyzing begun"] {
        assert!(bot.audited().iter().any(|found| found == entry), "{entry}");
    }
    // Another one may begin.
    start(&mut browser);
    until_over(&bot);
    assert_eq!(folders(&bot).len(), 2);
}

#[test]
fn without_a_data_set_there_is_nothing_to_trade_on() {
    for data in ["", "no_such_set"] {
        let bot = bot(AT_ONCE, json!({ "SIM_DATA": data }));
        let reply = bot.logged_in(ADMIN).json(Op::ControlStart, &[], &json!({ "mode": "paper" }));
        assert_eq!((reply.status, &reply.body["error"]["code"]), (409, &json!("no_market_data")), "{data}");
        assert_eq!(state(&bot), BotState::Idle);
        assert!(!bot.folder.path().join("control/control_start.flag").exists());
    }
}

#[test]
fn a_stop_closes_what_is_open_and_ends_idle_and_a_kill_ends_in_shutdown() {
    for (op, end) in [(Op::ControlStop, BotState::Idle), (Op::ControlKill, BotState::Shutdown)] {
        let bot = bot(SLOWLY, json!({}));
        let mut browser = bot.logged_in(ADMIN);
        start(&mut browser);
        let second = browser.json(Op::ControlStart, &[], &json!({ "mode": "paper" }));
        assert_eq!(second.status, 409);
        until("a position", || is_open(&bot));
        assert_eq!(browser.get(Op::Status).body["mode"], "paper");
        let reply = browser.json(op, &[], &json!({}));
        assert_eq!(reply.status, 200, "{}", reply.body);
        until_over(&bot);
        assert_eq!((state(&bot), is_open(&bot)), (end, false));
        let booked = booked(&bot);
        assert!(!booked.is_empty() && booked.len().is_multiple_of(2), "{booked:?}");
        let holdings = bot.core.with(|house| house.books.as_ref().unwrap().holdings().unwrap());
        assert_eq!(holdings.len(), 0, "nothing is held");
        orders(&bot);
        for flag in ["control_stop.flag", "control_kill.flag"] {
            assert!(!bot.folder.path().join("control").join(flag).exists(), "{flag}");
        }
    }
}

#[test]
fn a_session_whose_process_ends_goes_on_in_the_next_one_as_if_nothing_had_happened() {
    let mut bot = bot(SLOWLY, json!({}));
    start(&mut bot.logged_in(ADMIN));
    for _ in 0..2 {
        until("a position", || is_open(&bot));
        let before = state(&bot);
        bot = bot.restart();
        assert_eq!(state(&bot), before, "a start leaves the state until it is known how things are");
        let core = std::sync::Arc::clone(&bot.core);
        crate::runtime::trading::recover(&core);
        drop(core);
        assert!(state(&bot).in_session());
    }
    put(&mut bot.logged_in(ADMIN), json!({ "MAX_TRADES": 3 }));
    until_over(&bot);
    assert_eq!(state(&bot), BotState::Idle);
    assert_eq!(orders(&bot), backtest(&bot));
    let trades = bot.core.with(|house| house.trading.status().unwrap().0.trades.len());
    assert_eq!(booked(&bot).len(), 2 * trades);
}

#[test]
fn what_was_asked_of_a_process_that_ended_is_done_by_the_next_one() {
    let mut bot = bot(SLOWLY, json!({}));
    start(&mut bot.logged_in(ADMIN));
    until("a position", || is_open(&bot));
    // The state is the last thing that the process before has written.
    bot.core.with(|house| {
        let open = crate::runtime::Event::Kill(Exposure::Open);
        house.state.apply(open, &crate::vault::Actor::core(), &mut house.audit, 0).unwrap();
    });
    bot = bot.restart();
    crate::runtime::trading::recover(&bot.core);
    until_over(&bot);
    assert_eq!((state(&bot), is_open(&bot)), (BotState::Shutdown, false));
}

#[test]
fn a_session_of_which_the_ledger_knows_nothing_is_booked_at_the_next_start_once() {
    let mut bot = bot(AT_ONCE, json!({}));
    let empty = std::fs::read(bot.folder.path().join("core/databases/LEDGER.db")).unwrap();
    start(&mut bot.logged_in(ADMIN));
    until_over(&bot);
    let all = booked(&bot);
    let folder = bot.stop();
    std::fs::write(folder.path().join("core/databases/LEDGER.db"), empty).unwrap();
    bot = Bot::on(folder, crate::vault::tests::harness::NOW);
    std::fs::remove_file(folders(&bot)[0].join("session.json")).unwrap();
    assert_eq!(booked(&bot), [""; 0]);
    for _ in 0..2 {
        crate::runtime::trading::recover(&bot.core);
        assert_eq!(booked(&bot), all);
    }
    assert!(folders(&bot)[0].join("session.json").exists());
}

#[test]
fn trades_disabled_in_the_settings_reach_the_session_that_runs() {
    let bot = bot(SLOWLY, json!({}));
    let mut browser = bot.logged_in(ADMIN);
    start(&mut browser);
    put(&mut browser, json!({ "DISABLE_ALL_TRADES": true, "DEFENSE_MODE_ACTIVE": true }));
    until("the session hears of it", || {
        let (status, _) = bot.core.with(|house| house.trading.status().unwrap());
        status.trades_disabled && status.defense_mode
    });
    put(&mut browser, json!({ "SIM_SPEED": AT_ONCE }));
    assert!(state(&bot).in_session(), "the state of a session is not that of an update");
    assert_eq!(browser.json(Op::ControlStop, &[], &json!({})).body["bot_state"], "idle");
    until_over(&bot);
    assert_eq!(booked(&bot), [""; 0]);
}

#[test]
fn an_order_waits_for_its_confirmation() {
    let bot = bot(
        SLOWLY,
        json!({ "TRADE_CONFIRMATION_REQUIRED": true, "STRATEGY_SEQUENCE": ["close"],
        "CLOSE_BREAKOUT_TIME": 20 }),
    );
    let mut browser = bot.logged_in(ADMIN);
    start(&mut browser);
    let mut waiting = Vec::new();
    until("orders wait", || {
        waiting = browser.get(Op::OrdersPending).body["orders"].as_array().unwrap().clone();
        waiting.len() >= 2
    });
    assert!(waiting[0]["instrument"].is_string() && waiting[0]["lapses"].is_string(), "{waiting:?}");
    let mut decide = |op, id: &Value| browser.json(op, &[("id", &id.to_string())], &json!({})).status;
    assert_eq!(decide(Op::OrderConfirm, &waiting[0]["id"]), 200);
    assert_eq!(decide(Op::OrderReject, &waiting[1]["id"]), 200);
    assert_eq!(decide(Op::OrderConfirm, &waiting[1]["id"]), 404, "it does not wait any more");
    assert_eq!(decide(Op::OrderConfirm, &json!(9_999)), 404);
    until_over(&bot);
    assert_eq!(booked(&bot).len(), 2, "only the confirmed one was traded");
    assert!(bot.audited().contains(&format!("order.decide {} confirmed", waiting[0]["id"])));
}

/// Three dollars of 100,000 are the limit. Without it, MID enters at 15:53, holds until 16:23 and loses 4.93 dollars, and
/// CLOSE enters four positions after that.
#[test]
fn a_loss_at_its_limit_closes_everything_enters_nothing_more_and_is_told() {
    let bot = bot(AT_ONCE, json!({ "DAILY_LOSS_LIMIT": 0.000_03 }));
    let (url, told) = super::telling_people::gateway(&bot);
    super::telling_people::configure(&bot, &url);
    let mut browser = bot.logged_in(ADMIN);
    let before = bot.audited().len();
    start(&mut browser);
    until_over(&bot);
    assert_eq!((state(&bot), is_open(&bot)), (BotState::Shutdown, false));
    let audited = bot.audited();
    let words = audited[before..].iter().filter_map(|entry| entry.strip_prefix("state.change "));
    let words: Vec<&str> = words.filter_map(|entry| entry.strip_suffix(" begun")).collect();
    let closing = ["shutdown_triggered", "emergency_closing_positions", "shutdown"];
    let (session, end) = words.split_at(words.len() - closing.len());
    assert_eq!(end, closing);
    assert_eq!(session, ["analyzing", "trading", "monitoring", "analyzing", "trading", "monitoring"]);

    let orders = orders(&bot);
    let entries: Vec<&String> = orders.iter().filter(|order| order.contains("side=buy")).collect();
    assert!(matches!(entries.as_slice(), [entry] if entry.contains("strategy=mid")), "{entries:?}");
    assert!(orders.last().unwrap().ends_with("reason=daily_loss_limit"), "{orders:?}");
    assert_eq!(orders, backtest(&bot), "the backtest of the day has the same limit");
    let status = browser.get(Op::Status).body;
    assert_eq!(status["session"]["halted"], "DAILY_LOSS_LIMIT");
    let trades = status["trades"]["list"].as_array().unwrap();
    assert_eq!(trades.len(), 1);
    assert_eq!(trades[0]["reason"], "daily loss limit");
    let times = ["entry_time", "exit_time"].map(|name| trades[0][name].as_str().unwrap().to_string());
    assert!(times[0] < times[1] && times[1].as_str() < "2024-12-30T16:23:00", "before its holding time: {times:?}");
    assert_eq!(booked(&bot).len(), 2, "one entry, one exit");
    assert_eq!(bot.core.with(|house| house.books.as_ref().unwrap().holdings().unwrap().len()), 0);

    let refused = browser.json(Op::ControlStart, &[], &json!({ "mode": "paper" }));
    assert_eq!(refused.status, 409, "nothing begins before somebody has acknowledged it");
    let sent = ["critical: All positions are being closed at once", "critical: The bot was stopped for good"];
    let all_sent = || sent.iter().all(|title| told.lock().unwrap().iter().any(|text| text.contains(title)));
    bot.block_on(async {
        let waiting = async {
            while !all_sent() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(30), waiting);
        let background = crate::runtime::run_in_background(std::sync::Arc::clone(&bot.core), async {
            in_time.await.expect("both notices");
        });
        background.await;
    });
}
