//! Starts on a data folder with something wrong in it.

use serde_json::json;

use super::{ADMIN, CONFIGURATION, Live, PASSWORD};

#[test]
fn a_damaged_secret_halts_the_bot_until_it_is_put_right_and_acknowledged() {
    let folder = Live::registered().stop();
    let file = folder.path().join("storage/secrets/smtp_credentials.json.enc");
    let kept = std::fs::read(&file).unwrap();
    std::fs::write(&file, b"damaged").unwrap();
    let live = Live::start_on(folder, &[]);
    let mut stranger = live.client();
    assert_eq!(stranger.get("/api/v1/phase").json(), json!({ "phase": "error", "bot_state": "error" }));
    assert_eq!(stranger.get("/main").location(), Some("/error"));
    let page = stranger.get("/error");
    assert_eq!(page.status, 200);
    assert!(!page.text().contains("smtp"), "strangers are told nothing");
    assert_eq!(stranger.json("PUT", "/api/v1/users/1", &json!({})).json()["error"]["code"], "halted");
    let mut admin = live.client();
    let reply = admin.form("/login", &[("username", ADMIN), ("password", PASSWORD)]);
    assert_eq!(reply.location(), Some("/error"));
    assert!(admin.get("/error").text().contains("smtp"), "an admin is told which category");
    let reply = admin.json("POST", "/api/v1/control/acknowledge", &json!({}));
    assert_eq!((reply.status, &reply.json()["error"]["code"]), (409, &json!("checks_failed")));
    std::fs::write(&file, kept).unwrap();
    let reply = admin.json("POST", "/api/v1/control/acknowledge", &json!({}));
    assert_eq!((reply.status, reply.json()), (200, json!({ "bot_state": "idle" })));
    assert_eq!(admin.get("/main").status, 200);
}

#[test]
fn with_the_users_lost_the_setup_token_opens_a_new_beginning() {
    let folder = Live::registered().stop();
    std::fs::remove_file(folder.path().join("storage/keys/login.key")).unwrap();
    let live = Live::start_on(folder, &[]);
    let stderr = live.stderr();
    let token =
        stderr.lines().find_map(|line| line.split_once("setup token: ")).expect("the token is told").1.to_string();
    let mut browser = live.client();
    assert_eq!(browser.form("/error/reset", &[("setup_token", "wrong"), ("action", "reset")]).status, 403);
    let reply = browser.form("/error/reset", &[("setup_token", &token), ("action", "reset")]);
    assert_eq!(reply.location(), Some("/configuration"));
    assert_eq!(browser.form("/configuration", &CONFIGURATION).location(), Some("/wait"));
    assert_eq!(live.settle(), "registration");
    live.register(&mut browser, &[]);
}
