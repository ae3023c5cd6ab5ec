//! A core that comes back and does not find what it left: the broker is away, takes other credentials, another day has
//! begun, or what was decided last has not been told to anybody.

use std::io::Write;

use serde_json::json;
use tradebot::market::MINUTE;
use tradebot::session::journal::{Record, read};

use super::traded::{Traded, day, put_settings};
use super::{ADMIN, PASSWORD};

/// A bot that holds shares of A, with an order for the close at the broker.
fn holding() -> Traded {
    let mut bot = Traded::new(&["A", "B"], 30);
    // Who cannot be reached is not asked so often.
    put_settings(&mut bot.live().logged_in(ADMIN), json!({ "API_RETRY_LIMIT": 0, "DAILY_LOSS_LIMIT": 0.0003 }));
    bot.begin();
    bot.minute();
    bot.raise(&["A"]);
    bot.minute();
    bot.fill("A", 0, None);
    bot.knows_executions("A");
    bot.is_covered("A");
    bot
}

#[test]
fn a_session_waits_for_a_broker_that_is_away_and_obeys_the_kill_switch_when_it_is_back() {
    let mut bot = holding();
    bot.kill();
    // A record that was being written.
    let text = std::fs::read_to_string(bot.journal()).unwrap();
    let torn = &text.lines().last().unwrap()[..20];
    std::fs::File::options().append(true).open(bot.journal()).unwrap().write_all(torn.as_bytes()).unwrap();
    bot.server.be_unreachable(true);
    let ups = bot.ups();
    bot.start();
    bot.is_told("its broker cannot be reached");
    assert_eq!(bot.state(), "trading");
    let mut admin = bot.live().logged_in(ADMIN);
    assert_eq!(admin.get("/api/v1/status").json()["counters"]["alerts"], 1);
    assert_eq!(admin.json("POST", "/api/v1/control/start", &json!({ "mode": "paper" })).status, 409);
    bot.server.be_unreachable(false);
    bot.goes_on(ups);
    let cut = |record: &Record| matches!(record, Record::Note(note) if note.contains("torn"));
    assert_eq!(read(&bot.journal()).unwrap().records.iter().filter(|record| cut(record)).count(), 1);
    assert_eq!(bot.state(), "trading");
    bot.minute();
    // Once more, and somebody does not want to wait.
    bot.kill();
    bot.server.be_unreachable(true);
    let ups = bot.ups();
    bot.start();
    bot.is_told("its broker cannot be reached");
    let reply = bot.live().logged_in(ADMIN).json("POST", "/api/v1/control/kill", &json!({}));
    assert_eq!(reply.json(), json!({ "bot_state": "emergency_closing_positions" }));
    bot.fill_at_once(true);
    bot.server.be_unreachable(false);
    bot.goes_on(ups);
    bot.is_over("shutdown");
    assert!(bot.server.with(|desk| desk.positions.is_empty()));
}

#[test]
fn a_session_takes_new_credentials_and_closes_the_next_morning_what_was_open_over_night() {
    let mut bot = holding();
    bot.kill();
    bot.server.change_secret("another/secret");
    let ups = bot.ups();
    bot.start();
    bot.is_told("its broker refuses the credentials");
    assert_eq!(bot.state(), "trading");
    let mut admin = bot.live().logged_in(ADMIN);
    let put = |values| json!({ "current_password": PASSWORD, "values": values });
    let elsewhere = put(json!({ "broker_secret_key": "another/secret", "broker_url": "http://127.0.0.1:9" }));
    let reply = admin.json("PUT", "/api/v1/configuration/broker", &elsewhere);
    assert_eq!(reply.status, 409, "the session has its positions where it has them");
    let key = put(json!({ "broker_secret_key": "another/secret" }));
    let reply = admin.json("PUT", "/api/v1/configuration/broker", &key);
    assert_eq!(reply.status, 200, "{}", reply.text());
    bot.goes_on(ups);
    assert_eq!(bot.state(), "trading");
    bot.minute();
    bot.kill();
    // The closing auction does not take the shares.
    let (today, tomorrow) = (day("2024-03-14"), day("2024-03-15"));
    bot.server.advance_to(today.close + MINUTE);
    assert_eq!(bot.order("A", 1).status, "expired");
    bot.next = tomorrow.open;
    bot.server.advance_to(tomorrow.open - 5 * MINUTE);
    bot.start_again();
    bot.comes_to("graceful_closing_positions");
    let exit = bot.order("A", 2);
    assert_eq!((exit.side.as_str(), exit.tif.as_str(), exit.status.as_str()), ("sell", "day", "accepted"));
    bot.fill_at_once(true);
    bot.minute_unseen();
    bot.is_over("idle");
    assert!(bot.server.with(|desk| desk.positions.is_empty()));
    assert_eq!(bot.orders("A").len(), 3);
}

#[test]
fn a_loss_limit_that_the_bot_had_not_heard_of_ends_in_shutdown() {
    let mut bot = holding();
    assert_eq!(bot.state(), "trading");
    // 38 shares that were bought at 103 are worth 38 dollars less.
    bot.prices.insert("A".to_string(), 102);
    bot.minute();
    let exit = bot.order("A", 2);
    assert_eq!((exit.side.as_str(), exit.tif.as_str()), ("sell", "day"));
    bot.comes_to("emergency_closing_positions");
    bot.kill();
    bot.left_in("trading");
    bot.start_again();
    bot.comes_to("emergency_closing_positions");
    bot.fill("A", 2, None);
    bot.is_over("shutdown");
    assert_eq!(bot.orders("A").len(), 3);
}

#[test]
fn a_session_whose_end_was_not_written_down_ends_and_one_that_is_over_needs_no_broker() {
    let mut bot = Traded::new(&["A", "B"], 1);
    bot.begin();
    (0..3).for_each(|_| bot.minute());
    bot.minute_unseen();
    bot.is_over("idle");
    bot.kill();
    // The last record is that nothing more comes.
    let text = std::fs::read_to_string(bot.journal()).unwrap();
    let (before, last) = text.trim_end().rsplit_once('\n').unwrap();
    assert!(last.contains("end_of_data"), "{last}");
    std::fs::write(bot.journal(), format!("{before}\n")).unwrap();
    std::fs::remove_file(bot.session().join("session.json")).unwrap();
    bot.left_in("monitoring");
    bot.start();
    bot.is_over("idle");
    let again = std::fs::read_to_string(bot.journal()).unwrap();
    assert!(again.starts_with(before) && again.trim_end().ends_with(r#""command":"end_of_data"}}}"#), "{again}");
    // Only the summary is missing.
    bot.kill();
    std::fs::remove_file(bot.session().join("session.json")).unwrap();
    bot.left_in("monitoring");
    bot.server.be_unreachable(true);
    bot.start();
    bot.is_over("idle");
}
