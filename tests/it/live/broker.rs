//! The real program with a broker: what it says of the broker, and what it asks of it.

use std::time::Instant;

use serde_json::{Value, json};

use super::{ADMIN, Client, Live, PASSWORD, until};
use crate::local_alpaca::{KEY, LocalAlpaca, SECRET, Setup};

/// The program on a broker of this machine.
fn on(server: &LocalAlpaca) -> Live {
    let live = Live::registered();
    let values = json!({ "broker_code": "ALPACA", "broker_api_key": KEY, "broker_secret_key": SECRET,
        "broker_url": server.url() });
    configure(&mut live.logged_in(ADMIN), "identity", &values);
    live
}

fn configure(admin: &mut Client, category: &str, values: &Value) {
    let body = json!({ "current_password": PASSWORD, "values": values });
    let reply = admin.json("PUT", &format!("/api/v1/configuration/{category}"), &body);
    assert_eq!(reply.status, 200, "{}", reply.text());
}

fn row(checks: &Value, module: &str) -> (bool, String) {
    let row = checks.as_array().unwrap().iter().find(|row| row["module"] == module);
    let row = row.unwrap_or_else(|| panic!("no row {module}: {checks}"));
    (row["ok"] == true, row["detail"].as_str().unwrap().to_string())
}

#[test]
fn the_status_knows_whether_the_broker_is_there_and_a_crowd_of_checks_asks_it_once() {
    let server = LocalAlpaca::start(Setup::default());
    let live = on(&server);
    let mut admin = live.logged_in(ADMIN);
    // Nobody asked for anything.
    let status = until("a broker that was heard", || {
        let status = admin.get("/api/v1/status").json();
        (status["broker"]["health"] == "connected").then_some(status)
    });
    let broker = &status["broker"];
    assert_eq!(
        (&broker["name"], &broker["configured"], &broker["errors"]),
        (&json!("ALPACA"), &json!(true), &json!(0))
    );
    assert!(broker["latency_ms"].is_number() && broker["since_utc"].is_string(), "{broker}");
    assert_eq!(server.count("GET /v2/account"), 0, "nothing but the time was asked for");

    let began = Instant::now();
    std::thread::scope(|crowd| {
        for _ in 0..4 {
            let mut client = live.logged_in(ADMIN);
            crowd.spawn(move || {
                for _ in 0..5 {
                    assert_eq!(client.get("/api/v1/selfcheck").status, 200);
                }
            });
        }
    });
    let most = 1 + began.elapsed().as_secs() / 30;
    assert!(server.count("GET /v2/account") as u64 <= most, "{} checks", server.count("GET /v2/account"));
    let checks = admin.get("/api/v1/selfcheck").json();
    assert_eq!(row(&checks, "broker credentials"), (true, "accepted".to_string()));
    let (passed, found) = row(&checks, "broker account");
    assert!(passed && found.starts_with("ACTIVE, equity 100000 USD"), "{found}");
    assert!(row(&checks, "broker market data stream").0, "{checks}");
    // The server's clock is in 2024.
    let (passed, found) = row(&checks, "broker");
    assert!(!passed && found.starts_with("ALPACA: not well: clock"), "{found}");

    configure(&mut admin, "broker", &json!({ "broker_secret_key": "not the secret" }));
    let checks = admin.get("/api/v1/selfcheck").json();
    let (passed, found) = row(&checks, "broker credentials");
    assert!(!passed && found.contains("refuses the credentials"), "{found}");
    let status = admin.get("/api/v1/status").json();
    assert_eq!(status["broker"]["health"], "refused", "{status}");
    assert!(status["broker"]["errors"].as_u64().unwrap() > 0);
    let folder = live.stop();
    let log = std::fs::read_to_string(folder.path().join("logs/broker_api.log")).unwrap();
    assert!(log.contains("GET /v2/clock") && !log.contains(SECRET) && !log.contains("not the secret"), "{log}");
}
