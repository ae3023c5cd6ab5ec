//! The log has everything but secrets.

use serde_json::Value;
use tradebot::brokers::{Broker, OrderBook, Stream, Watchlist};

use super::{Session, buy, executions, run, with_log};
use crate::local_alpaca::{Fault, KEY, LocalAlpaca, SECRET, Setup};

#[test]
fn planted_secrets_never_appear_in_log_events_or_errors() {
    // A gateway that echoes what it got, in text and in JSON.
    const ECHO: &str = "<html>bad key PKLOCALKEY0123456789 localsecret/ABCDEFGHIJKLMNOPQRSTUVWXYZ+0123</html>";
    const JSON_ECHO: &str = r#"{"code":40110000,"message":"key PKLOCALKEY0123456789 is unknown","secret":"other"}"#;
    assert!(ECHO.contains(KEY) && ECHO.contains(SECRET) && JSON_ECHO.contains(KEY));
    run(async {
        let server = LocalAlpaca::start(Setup::default());
        let (options, lines) = with_log(&server);
        let said = format!("{options:?}");
        let watch = Watchlist { bars: vec!["AAPL".into()], quotes: vec!["AAPL".into()] };
        let mut session = Session::with(server, options, OrderBook::new(), watch).await;
        let mut said = vec![said];
        let echo = |status, body| Fault::Answer { status, headers: vec![], body, done: false };
        for (status, body) in [(403, ECHO), (401, ECHO), (403, JSON_ECHO), (200, ECHO), (200, JSON_ECHO)] {
            session.server.fault("GET /v2/account", echo(status, body));
            said.push(format!("{:?}", session.alpaca.get_account_info().await.unwrap_err()));
        }
        session.server.fault("POST /v2/orders", echo(500, ECHO));
        session.alpaca.submit_order(buy("c-1", "AAPL", 1.0)).await.unwrap();
        session.server.say(true, ECHO);
        session.server.say(false, ECHO);
        session.server.fill("c-1", "1", "100");
        let seen = session.until("the fill", |seen| !executions(seen, "c-1").is_empty()).await;
        said.push(format!("{seen:?}"));
        session.server.cut_streams();
        let seen = session
            .until("it is back", |seen| {
                seen.iter()
                    .any(|event| matches!(event, tradebot::brokers::BrokerEvent::StreamUp { stream: Stream::Orders }))
            })
            .await;
        said.push(format!("{seen:?}"));
        session.alpaca.get_account_info().await.unwrap();
        let lines = lines.0.lock().unwrap().clone();
        said.extend(lines.iter().cloned());
        for text in &said {
            for secret in [KEY, SECRET, "PA3PLANTED7"] {
                assert!(!text.contains(secret), "{secret} in {text}");
            }
            // Not even in parts, nor the header that carries them.
            assert!(!text.contains("localsecret") && !text.to_ascii_lowercase().contains("apca-"), "{text}");
        }
        assert!(lines.iter().any(|line| line.contains("[redacted]")));
    });
}

#[test]
fn every_request_has_its_reply_and_the_streams_are_logged_too() {
    run(async {
        let server = LocalAlpaca::start(Setup::default());
        let (options, lines) = with_log(&server);
        let session = Session::with(server, options, OrderBook::new(), Watchlist::default()).await;
        session.server.fault("POST /v2/orders", Fault::LoseAnswer);
        session.alpaca.submit_order(buy("c-1", "AAPL", 1.0)).await.unwrap();
        session.server.fault("GET /v2/clock", Fault::page(502));
        session.alpaca.get_clock().await.unwrap();
        drop(session.alpaca);
        let lines: Vec<Value> =
            lines.0.lock().unwrap().iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        let of = |what: &str| -> Vec<(String, Option<u64>, u64)> {
            lines
                .iter()
                .filter(|line| line["what"] == what)
                .map(|line| {
                    let direction = line["direction"].as_str().unwrap().to_string();
                    (direction, line["status"].as_u64(), line["attempt"].as_u64().unwrap_or(0))
                })
                .collect()
        };
        let entry = |direction: &str, status, attempt| (direction.to_string(), status, attempt);
        assert_eq!(of("POST /v2/orders"), [entry("request", None, 0), entry("failure", None, 0)]);
        assert_eq!(
            of("GET /v2/clock"),
            [
                entry("request", None, 0),
                entry("reply", Some(502), 0),
                entry("request", None, 1),
                entry("reply", Some(200), 1)
            ]
        );
        let sent: Vec<&str> = lines
            .iter()
            .filter(|line| line["what"] == "/stream" && line["direction"] == "stream_out")
            .map(|line| line["body"].as_str().unwrap())
            .collect();
        assert_eq!(
            sent,
            [
                "connect",
                r#"{"action":"authenticate","data":{"key_id":"[redacted]","secret_key":"[redacted]"}}"#,
                r#"{"action":"listen","data":{"streams":["trade_updates"]}}"#,
            ]
        );
        for line in &lines {
            if line["direction"] == "reply" {
                let requests =
                    lines.iter().filter(|other| other["direction"] == "request" && other["call"] == line["call"]);
                assert_eq!(requests.count(), 1, "{line}");
            }
        }
    });
}
