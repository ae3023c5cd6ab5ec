//! What somebody reads who presses start and cannot have a session.

use serde_json::{Value, json};
use tradebot::brokers::SymbolUniverse;

use super::client::Client;
use super::traded::{Traded, put_settings, universe, write_universe};
use super::{ADMIN, PASSWORD};
use crate::local_alpaca::{Fault, KEY, SECRET};

/// Presses start; what is answered, which must be a sentence that gives nothing away.
fn refused(bot: &Traded, admin: &mut Client, body: &Value) -> (u16, String, String) {
    let reply = admin.json("POST", "/api/v1/control/start", body);
    let error = &reply.json()["error"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    let (code, message) = (text(&error["code"]), text(&error["message"]));
    let said = reply.text();
    let address = bot.server.url().trim_start_matches("http://");
    let folder = bot.live().data().to_string_lossy().into_owned();
    for secret in [KEY, SECRET, PASSWORD, "another/secret", address, folder.as_str(), "http:", "/output", ".json"] {
        assert!(!said.contains(secret), "{secret} in {said}");
    }
    assert!(message.ends_with('.') && message.len() > 20, "{said}");
    assert_eq!(bot.state(), "idle");
    assert!(!bot.live().data().join("control/control_start.flag").exists());
    (reply.status, code, message)
}

#[test]
fn what_stands_against_a_session_is_said_in_a_sentence_that_gives_nothing_away() {
    let bot = Traded::new(&["A"], 30);
    let mut admin = bot.live().logged_in(ADMIN);
    put_settings(&mut admin, json!({ "API_RETRY_LIMIT": 0 }));
    let live = json!({ "mode": "live", "confirm": "LIVE", "current_password": PASSWORD });
    let found = |(status, code, message): (u16, String, String), words: &str| {
        assert!(message.contains(words), "{message}");
        (status, code)
    };
    let is = |status: u16, code: &str| (status, code.to_string());

    // What is wrong with the question.
    for body in [json!({ "mode": "live" }), json!({ "mode": "live", "confirm": "live", "current_password": PASSWORD })]
    {
        let reply = admin.json("POST", "/api/v1/control/start", &body);
        assert_eq!(
            (reply.status, &reply.json()["error"]["fields"]["confirm"]),
            (422, &json!("Type LIVE to trade with real money."))
        );
    }
    let reply = admin.json(
        "POST",
        "/api/v1/control/start",
        &json!({ "mode": "live", "confirm": "LIVE", "current_password": "wrong" }),
    );
    assert!((400..500).contains(&reply.status), "{}", reply.text());

    // What is wrong with the bot.
    put_settings(&mut admin, json!({ "DISABLE_ALL_TRADES": true }));
    assert_eq!(found(refused(&bot, &mut admin, &live), "DISABLE_ALL_TRADES"), is(409, "trades_disabled"));
    put_settings(&mut admin, json!({ "DISABLE_ALL_TRADES": false }));
    let path = bot.live().data().join("output/cache/symbol_universe.json");
    std::fs::remove_file(&path).unwrap();
    assert_eq!(found(refused(&bot, &mut admin, &live), "no symbol universe yet"), is(409, "no_market_data"));
    std::fs::write(&path, "{").unwrap();
    assert_eq!(found(refused(&bot, &mut admin, &live), "universe cannot be read"), is(409, "no_market_data"));
    let empty = SymbolUniverse { symbols: Vec::new(), ..universe(bot.prices.keys()) };
    write_universe(bot.live(), &empty);
    assert_eq!(found(refused(&bot, &mut admin, &live), "no symbol of the universe"), is(409, "no_market_data"));
    write_universe(bot.live(), &universe(bot.prices.keys()));

    // What is wrong with the broker.
    bot.server.with(|desk| desk.trading_blocked = true);
    assert_eq!(found(refused(&bot, &mut admin, &live), "account may not trade"), is(409, "broker_refuses"));
    bot.server.with(|desk| desk.trading_blocked = false);
    let body = r#"[{"date":"2024-03-14","open":"09:30","close":"13:00","session_open":"0400","session_close":"2000"}]"#;
    bot.server.fault("GET /v2/calendar", Fault::Answer { status: 200, headers: vec![], body, done: false });
    assert_eq!(found(refused(&bot, &mut admin, &live), "the calendar of this program"), is(409, "broker_refuses"));
    bot.server.change_secret("another/secret");
    assert_eq!(found(refused(&bot, &mut admin, &live), "refuses the credentials"), is(409, "broker_refuses"));
    bot.server.change_secret(SECRET);
    bot.server.be_unreachable(true);
    assert_eq!(found(refused(&bot, &mut admin, &live), "The broker cannot be reached."), is(409, "broker_unreachable"));
    bot.server.be_unreachable(false);

    // And nothing of it is left: a session can begin.
    assert!(
        !bot.live()
            .data()
            .join("output/ACME_US_ALPACA_BOT1/sessions")
            .read_dir()
            .is_ok_and(|mut all| all.next().is_some())
    );
    let reply = admin.json("POST", "/api/v1/control/start", &live);
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(admin.json("POST", "/api/v1/control/stop", &json!({})).status, 200);
    bot.comes_to("idle");
}
