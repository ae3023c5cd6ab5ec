//! Admins and users; everybody and their sessions.

use serde_json::{Value, json};

use super::harness::{ADMIN, Bot, PASSWORD, wrong};
use crate::runtime::Op;
use crate::runtime::routes::{Access, ROUTES};
use crate::vault::{TextFile, secrets};

fn create(bot: &Bot, body: &Value) -> (u16, Value) {
    let reply = bot.logged_in(ADMIN).json(Op::UserCreate, &[], body);
    (reply.status, reply.body)
}

#[test]
fn a_new_user_has_the_default_role_and_needs_the_password_of_the_admin() {
    let bot = Bot::registered();
    let mut body = json!({ "username": "victor", "email": "v@example.com", "password": PASSWORD });
    assert_eq!(create(&bot, &body).0, 422);
    body["current_password"] = "a wrong password".into();
    assert_eq!(create(&bot, &body).0, 403);
    body["current_password"] = PASSWORD.into();
    assert_eq!(create(&bot, &body), (201, json!({ "id": 2 })));
    assert_eq!(create(&bot, &body).0, 422, "the name is taken");
    let users = bot.logged_in(ADMIN).get(Op::UserList).body;
    let victor =
        json!({ "id": 2, "username": "victor", "email": "v@example.com", "role": "viewer", "disabled": false });
    assert_eq!(users[1], victor);
    body["role"] = "owner".into();
    assert_eq!(create(&bot, &body).0, 422, "no such role");
    body["role"] = "admin".into();
    body["id"] = 7.into();
    assert_eq!(create(&bot, &body).0, 422, "no such field");
}

#[test]
fn rbac_switched_off_means_one_admin_and_nobody_else() {
    let bot = Bot::registered();
    bot.core.with(|house| {
        let text = "RBAC_ENABLED=false\nBROKER_NAME=SIM\n";
        secrets::write_text(&house.disk, &house.keys, TextFile::EnvBot, text, 0).unwrap();
    });
    let body =
        json!({ "username": "victor", "email": "v@example.com", "password": PASSWORD, "current_password": PASSWORD });
    let (status, body) = create(&bot, &body);
    assert_eq!((status, body["error"]["code"].as_str()), (409, Some("single_admin")));
}

#[test]
fn a_viewer_reaches_nothing_that_is_for_admins() {
    let bot = Bot::registered();
    bot.add_viewer("victor");
    let mut viewer = bot.logged_in("victor");
    for route in ROUTES.iter().filter(|route| route.access == Access::Admin) {
        let request = viewer.request(route.op, &[("id", "1")], "application/json", "{}".to_string());
        assert_eq!(viewer.send(request).status, 403, "{}", route.path);
        let mut nobody = bot.browser();
        let request = nobody.request(route.op, &[("id", "1")], "application/json", "{}".to_string());
        let expected = if route.is_api() { 401 } else { 303 };
        assert_eq!(nobody.send(request).status, expected, "{}", route.path);
    }
}

#[test]
fn a_role_that_is_taken_away_is_gone_with_the_next_request() {
    let bot = Bot::registered();
    let id = bot.add_viewer("victor").to_string();
    let mut admin = bot.logged_in(ADMIN);
    let role = |role: &str| json!({ "role": role, "current_password": PASSWORD });
    assert_eq!(admin.json(Op::UserChange, &[("id", &id)], &json!({ "role": "admin" })).status, 422, "re-authenticate");
    assert_eq!(admin.json(Op::UserChange, &[("id", &id)], &role("admin")).status, 200);
    let mut victor = bot.logged_in("victor");
    assert_eq!(victor.get(Op::UserList).status, 200);
    assert_eq!(admin.json(Op::UserChange, &[("id", &id)], &role("viewer")).status, 200);
    let before = victor.session.clone();
    assert_eq!(victor.get(Op::UserList).status, 403);
    assert_ne!(victor.session, before, "another role, another token, with a refusal too");
    assert_eq!(admin.json(Op::UserChange, &[("id", &id)], &json!({ "disabled": true })).status, 200);
    assert_eq!(victor.get(Op::Session).status, 401);
}

#[test]
fn the_last_admin_stays() {
    let bot = Bot::registered();
    let mut admin = bot.logged_in(ADMIN);
    let own = [("id", "1")];
    let changes = [json!({ "role": "viewer", "current_password": PASSWORD }), json!({ "disabled": true })];
    for change in changes {
        let reply = admin.json(Op::UserChange, &own, &change);
        assert_eq!((reply.status, reply.body["error"]["code"].as_str()), (409, Some("last_admin")), "{change}");
    }
    let reply = admin.json(Op::UserDelete, &own, &json!({ "current_password": PASSWORD }));
    assert_eq!(reply.status, 409);
    assert_eq!(admin.get(Op::Session).body["role"], "admin");
    let log = bot.audited();
    assert_eq!(log.last().map(String::as_str), Some("user.delete 1 failed"));
}

#[test]
fn a_deleted_user_is_gone_at_once() {
    let bot = Bot::registered();
    let id = bot.add_viewer("victor").to_string();
    let mut victor = bot.logged_in("victor");
    let mut admin = bot.logged_in(ADMIN);
    let request = admin.request(Op::UserDelete, &[("id", &id)], "", String::new());
    let reply = admin.send(request);
    assert_eq!((reply.status, wrong(&reply)), (422, vec!["current_password".to_string()]));
    let body = json!({ "current_password": PASSWORD });
    assert_eq!(admin.json(Op::UserDelete, &[("id", &id)], &body).status, 204);
    assert_eq!(victor.get(Op::Session).status, 401);
    for id in [id.as_str(), "0", "-1", "x", "99999999999999999999"] {
        assert_eq!(admin.json(Op::UserDelete, &[("id", id)], &body).status, 404, "{id}");
    }
    assert_eq!(bot.add_viewer("walter"), 3, "ids are not used again");
}

#[test]
fn an_admin_sets_a_new_password_and_its_user_logs_in_anew() {
    let bot = Bot::registered();
    let id = bot.add_viewer("victor").to_string();
    let mut victor = bot.logged_in("victor");
    let mut admin = bot.logged_in(ADMIN);
    let change = json!({ "password": "another password", "current_password": PASSWORD });
    let reply = admin.json(Op::UserChange, &[("id", &id)], &change);
    assert_eq!(reply.status, 200);
    assert!(!reply.body.to_string().contains("hash"));
    assert_eq!(victor.get(Op::Session).status, 401);
}

#[test]
fn sessions_are_listed_and_ended_by_their_user_or_an_admin() {
    let bot = Bot::registered();
    let id = bot.add_viewer("victor").to_string();
    let (mut here, mut there) = (bot.logged_in("victor"), bot.logged_in("victor"));
    let sessions = here.get_with(Op::UserSessions, &[("id", &id)]).body;
    assert_eq!(sessions.as_array().unwrap().len(), 2);
    let other = sessions.as_array().unwrap().iter().find(|row| row["current"] == false).unwrap();
    let reply = here.json(Op::UserSessionsRevoke, &[("id", &id)], &json!({ "session": other["session"] }));
    assert_eq!((reply.status, &reply.body["revoked"]), (200, &json!(1)));
    assert_eq!((there.get(Op::Session).status, here.get(Op::Session).status), (401, 200));
    assert_eq!(here.get_with(Op::UserSessions, &[("id", "1")]).status, 403);
    assert_eq!(here.json(Op::UserSessionsRevoke, &[("id", "1")], &json!({})).status, 403);
    let mut admin = bot.logged_in(ADMIN);
    let reply = admin.json(Op::UserSessionsRevoke, &[("id", &id)], &json!({ "session": 9999 }));
    assert_eq!(reply.status, 404);
    assert_eq!(admin.json(Op::UserSessionsRevoke, &[("id", &id)], &json!({ "all": true })).body["revoked"], 1);
    assert_eq!(here.get(Op::Session).status, 401);
}
