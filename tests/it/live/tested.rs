//! TEST_MODE through the real program, killed in the middle.

use std::time::Duration;

use serde_json::{Value, json};

use super::{ADMIN, Live, until};

#[test]
fn a_core_killed_in_a_test_has_no_flag_afterwards_and_the_next_test_runs() {
    let live = Live::registered();
    let mut admin = live.logged_in(ADMIN);
    let reply = admin.json("POST", "/api/v1/test/start", &json!({ "seconds": 600 }));
    assert_eq!(reply.status, 200, "{}", reply.text());
    let id = reply.json()["active"]["id"].as_str().unwrap().to_string();
    // Far enough that orders and a journal are there.
    until("the day to begin", || (admin.get("/api/v1/test").json()["active"]["done"].as_u64() > Some(3)).then_some(()));
    assert!(live.data().join("control/test_mode.flag").exists());
    assert_eq!(admin.json("POST", "/api/v1/test/start", &json!({})).status, 409);
    live.kill("core");
    let (_, folder) = live.ended();
    assert!(folder.path().join("control/test_mode.flag").exists(), "a kill leaves it");

    let live = Live::start_on(folder, &[]);
    assert!(!live.data().join("control/test_mode.flag").exists());
    let mut admin = live.logged_in(ADMIN);
    let body = admin.get("/api/v1/test").json();
    assert_eq!((&body["active"], &body["results"][0]["id"]), (&Value::Null, &json!(id)));
    assert_eq!(body["results"][0]["state"], "interrupted");
    let audit = admin.get("/api/v1/audit?limit=100").json().to_string();
    assert!(audit.contains("test.end") && audit.contains("interrupted"), "{audit}");

    assert_eq!(admin.json("POST", "/api/v1/test/start", &json!({ "seconds": 0 })).status, 200);
    let result = until("the end of the test", || {
        let body = admin.get("/api/v1/test").json();
        body["active"].is_null().then(|| body["results"][0].clone())
    });
    assert_eq!(result["state"], "finished", "{result}");
    assert!(result["trades"].as_u64() > Some(5), "{result}");

    // One that runs when the program is asked to end, ends with it.
    assert_eq!(admin.json("POST", "/api/v1/test/start", &json!({ "seconds": 600 })).status, 200);
    std::thread::sleep(Duration::from_millis(50));
    let folder = live.stop();
    assert!(!folder.path().join("control/test_mode.flag").exists());
    let live = Live::start_on(folder, &[]);
    let body = live.logged_in(ADMIN).get("/api/v1/test").json();
    let states: Vec<&Value> = body["results"].as_array().unwrap().iter().map(|result| &result["state"]).collect();
    assert_eq!(states, ["interrupted", "finished", "interrupted"]);
}
