//! Logins, the lock, sessions.

use super::harness::{ADMIN, Bot, PASSWORD, shown};
use crate::market::{MINUTE, SECOND};
use crate::runtime::Op;
use crate::runtime::password_check::WRONG;

fn login(bot: &Bot, name: &str, password: &str) -> (u16, Option<u64>, String) {
    let reply = bot.browser().form(Op::Login, &[("username", name), ("password", password)]);
    let words = reply.page.as_ref().map_or(String::new(), |page| page.data["message"].as_str().unwrap().to_string());
    (reply.status, reply.retry_after, words)
}

#[test]
fn whatever_is_wrong_the_answer_is_the_same() {
    let bot = Bot::registered();
    let id = bot.add_viewer("victor");
    let mut admin = bot.logged_in(ADMIN);
    let reply = admin.json(Op::UserChange, &[("id", &id.to_string())], &serde_json::json!({ "disabled": true }));
    assert_eq!(reply.status, 200);
    let too_long = "x".repeat(600);
    let cases = [
        (ADMIN, "a wrong password"),
        ("nobody", PASSWORD),
        ("victor", PASSWORD),
        ("", ""),
        (ADMIN, "x\0"),
        (ADMIN, &too_long),
    ];
    for (name, password) in cases {
        assert_eq!(login(&bot, name, password), (401, None, WRONG.to_string()), "{name} {password:.10}");
    }
    let mut browser = bot.browser();
    let reply = browser.form(Op::Login, &[("username", ADMIN), ("password", "wrong password")]);
    assert_eq!(shown(&reply)["values"]["username"], ADMIN);
    assert!(browser.session.is_none());
}

#[test]
fn a_name_is_locked_after_ten_failures_whether_it_exists_or_not_and_over_a_restart() {
    let mut bot = Bot::registered();
    for name in [ADMIN, "nobody"] {
        for k in 0..10 {
            assert_eq!(login(&bot, name, "a wrong password").0, 401, "{name} {k}");
        }
        let (status, retry_after, words) = login(&bot, name, PASSWORD);
        assert_eq!((status, retry_after, words.as_str()), (429, Some(900), WRONG), "even with the right password");
    }
    bot = bot.restart();
    assert_eq!(login(&bot, ADMIN, PASSWORD).0, 429);
    assert_eq!(login(&bot, "ALICE", PASSWORD).0, 429, "without regard to case");
    bot.wait(15 * MINUTE);
    assert_eq!(login(&bot, ADMIN, PASSWORD).0, 303);
    assert_eq!(login(&bot, ADMIN, "a wrong password").0, 401, "counted anew");
    let audited = bot.audited();
    for words in ["login.fail alice failed", "login.locked nobody locked", "login.ok alice ok"] {
        assert!(audited.iter().any(|entry| entry == words), "{words}");
    }
}

#[test]
fn parallel_guesses_are_counted_before_they_are_looked_at() {
    let bot = Bot::registered();
    let browser = bot.browser();
    let guess = || browser.form_request(Op::Login, &[("username", ADMIN), ("password", "a wrong password")]);
    // No more than may wait for a hash at the same time.
    let mut refused = 0;
    for _ in 0..4 {
        let replies = bot.answer_at_once((0..5).map(|_| guess()).collect());
        refused += replies.iter().filter(|reply| reply.status == 401).count();
        assert!(replies.iter().all(|reply| matches!(reply.status, 401 | 429)));
    }
    assert_eq!(refused, 10);
}

#[test]
fn an_address_is_slowed_down() {
    let bot = Bot::registered();
    let mut answers = Vec::new();
    for k in 0..121 {
        answers.push(login(&bot, &format!("nobody{k}"), "").0);
    }
    assert!(answers[..120].iter().all(|status| *status == 401));
    assert_eq!(answers[120], 429);
    bot.wait(SECOND);
    assert_eq!(login(&bot, ADMIN, PASSWORD).0, 303);
}

#[test]
fn a_session_lasts_while_it_is_used_and_ends_with_the_logout() {
    let bot = Bot::registered();
    let mut browser = bot.logged_in(ADMIN);
    let session = browser.get(Op::Session);
    assert_eq!((session.body["username"].as_str(), session.body["role"].as_str()), (Some(ADMIN), Some("admin")));
    assert_eq!(session.body["authenticated"], true);
    bot.wait(49 * MINUTE);
    assert_eq!(browser.get(Op::Session).status, 200);
    bot.wait(2 * MINUTE);
    assert_eq!(browser.get(Op::Session).status, 401, "polling did not keep it alive");
    let mut browser = bot.logged_in(ADMIN);
    let (kept, reply) = (browser.session.clone(), browser.form(Op::Logout, &[]));
    assert_eq!((reply.status, reply.location.as_deref()), (303, Some("/login")));
    browser.session = kept;
    assert_eq!(browser.get(Op::Session).status, 401, "the row is gone, whatever the cookie says");
}

#[test]
fn a_login_ends_the_session_that_the_browser_brought() {
    let bot = Bot::registered();
    let mut browser = bot.logged_in(ADMIN);
    let first = browser.session.clone();
    let reply = browser.form(Op::Login, &[("username", ADMIN), ("password", PASSWORD)]);
    assert_eq!(reply.status, 303);
    assert_ne!(browser.session, first);
    browser.session = first;
    assert_eq!(browser.get(Op::Session).status, 401);
}

#[test]
fn a_password_typed_into_the_field_of_the_name_is_kept_nowhere() {
    let bot = Bot::registered();
    assert_eq!(login(&bot, "PLANTED-SECRET password!", "x").0, 401);
    let audited = bot.audited();
    assert!(audited.last().unwrap().starts_with("login.fail #"), "{:?}", audited.last());
    crate::vault::tests::harness::assert_sealed(bot.folder.path());
}
