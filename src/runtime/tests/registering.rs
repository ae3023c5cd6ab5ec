//! The first user, and changes of one's own credentials.

use super::harness::{ADMIN, Bot, CONFIGURATION, PASSWORD, shown, wrong};
use crate::runtime::{Op, Phase};
use crate::vault::users::Role;

const FORM: [(&str, &str); 4] =
    [("username", "alice"), ("email", "alice@example.com"), ("password", PASSWORD), ("password_confirm", PASSWORD)];

fn form<'a>(change: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let kept = FORM.into_iter().filter(|(name, _)| change.iter().all(|(other, _)| other != name));
    kept.chain(change.iter().copied()).collect()
}

#[test]
fn the_browser_that_configured_registers_the_first_admin_even_after_a_restart() {
    let bot = Bot::fresh();
    let mut browser = bot.browser();
    browser.form(Op::ConfigurationSubmit, &CONFIGURATION);
    let ticket = browser.setup.clone();
    bot.provision();
    let bot = bot.restart();
    let mut browser = bot.browser();
    browser.setup = ticket;
    assert_eq!(shown(&browser.get(Op::RegisterPage))["setup_token_needed"], false);
    let reply = browser.form(Op::Register, &FORM);
    assert_eq!((reply.status, reply.location.as_deref()), (303, Some("/login")));
    bot.core.with(|house| {
        assert_eq!(house.phase(), Phase::Main);
        let users = house.users.as_ref().unwrap().list().unwrap();
        assert_eq!((users.len(), users[0].id, users[0].role), (1, 1, Role::Admin));
    });
    for file in ["control/setup_token", "control/setup_ticket"] {
        assert!(!bot.folder.path().join(file).exists(), "{file}");
    }
}

#[test]
fn without_ticket_and_token_nobody_registers() {
    let bot = Bot::provisioned();
    for token in ["", "wrong", "x\u{e9}"] {
        let mut browser = bot.browser();
        browser.setup = Some("a forged ticket".to_string());
        let reply = browser.form(Op::Register, &form(&[("setup_token", token)]));
        assert_eq!((reply.status, wrong(&reply)), (403, vec!["setup_token".to_string()]));
    }
    assert_eq!(bot.core.with(|house| house.user_count()), Some(0));
}

#[test]
fn of_two_first_users_exactly_one_is_made() {
    let bot = Bot::provisioned();
    let token = std::fs::read_to_string(bot.folder.path().join("control/setup_token")).unwrap();
    let browser = bot.browser();
    let names = ["alice", "bob", "carol"];
    let requests = names.map(|name| {
        let form = form(&[("username", name), ("setup_token", token.trim())]);
        browser.form_request(Op::Register, &form)
    });
    let replies = bot.answer_at_once(requests.into());
    let won: Vec<_> = replies.iter().map(|reply| reply.status == 303).collect();
    assert_eq!(won.iter().filter(|won| **won).count(), 1, "{replies:?}");
    assert!(replies.iter().all(|reply| matches!(reply.status, 303 | 403 | 409)));
    let winner = names[won.iter().position(|won| *won).unwrap()];
    bot.core.with(|house| {
        let users = house.users.as_ref().unwrap().list().unwrap();
        assert_eq!(users.iter().map(|user| user.username.as_str()).collect::<Vec<_>>(), [winner]);
    });
}

#[test]
fn what_is_wrong_is_named_and_no_password_is_shown_again() {
    let bot = Bot::provisioned();
    let token = std::fs::read_to_string(bot.folder.path().join("control/setup_token")).unwrap();
    let token = ("setup_token", token.trim());
    type Fields<'a> = &'a [(&'a str, &'a str)];
    let cases: [(Fields<'_>, &[&str]); 8] = [
        (&[("username", "al")], &["username"]),
        (&[("email", "nobody")], &["email"]),
        (&[("password", "short"), ("password_confirm", "short")], &["password"]),
        (&[("password_confirm", "another password")], &["password_confirm"]),
        (&[("password", "alice@example.com"), ("password_confirm", "alice@example.com")], &["password"]),
        (&[("password", "password1234"), ("password_confirm", "password1234")], &["password"]),
        (&[("password", "twelve\0chars"), ("password_confirm", "twelve\0chars")], &["password"]),
        (&[("role", "admin")], &["role"]),
    ];
    for (change, fields) in cases {
        let reply = bot.browser().form(Op::Register, &form(&[change, &[token]].concat()));
        assert_eq!((reply.status, wrong(&reply)), (422, fields.iter().map(ToString::to_string).collect()));
        assert!(!shown(&reply).to_string().contains(PASSWORD));
    }
    let reply = bot.browser().form(Op::Register, &form(&[("email", "x"), token]));
    assert_eq!(shown(&reply)["values"]["username"], "alice", "kept");
    let long = "x".repeat(65);
    let change = [("password", long.as_str()), ("password_confirm", long.as_str()), token];
    assert_eq!(wrong(&bot.browser().form(Op::Register, &form(&change))), ["password"]);
}

#[test]
fn a_second_anonymous_registration_is_impossible() {
    let bot = Bot::registered();
    let reply = bot.browser().get(Op::RegisterPage);
    assert_eq!((reply.status, reply.location.as_deref()), (303, Some("/login")));
    let reply = bot.browser().form(Op::Register, &form(&[("username", "eve")]));
    assert_eq!(reply.status, 403);
    assert_eq!(bot.core.with(|house| house.user_count()), Some(1));
}

#[test]
fn a_new_password_needs_the_old_one_and_ends_other_sessions() {
    let bot = Bot::registered();
    let (mut here, mut there) = (bot.logged_in(ADMIN), bot.logged_in(ADMIN));
    let new = "a newer password";
    let change = |current| vec![("password", new), ("password_confirm", new), ("current_password", current)];
    let reply = here.form(Op::Register, &change(""));
    assert_eq!((reply.status, wrong(&reply)), (422, vec!["current_password".to_string()]));
    let reply = here.form(Op::Register, &change("a wrong password"));
    assert_eq!((reply.status, wrong(&reply)), (403, vec!["current_password".to_string()]));
    let old = here.session.clone();
    let reply = here.form(Op::Register, &change(PASSWORD));
    assert_eq!((reply.status, reply.location.as_deref()), (303, Some("/account")));
    assert_ne!(here.session, old, "a new token");
    assert_eq!(here.get(Op::Session).status, 200);
    assert_eq!(there.get(Op::Session).status, 401, "the other session has ended");
    here.session = old;
    assert_eq!(here.get(Op::Session).status, 401, "the old token is worthless");
    let login = |password| bot.browser().form(Op::Login, &[("username", ADMIN), ("password", password)]).status;
    assert_eq!((login(PASSWORD), login(new)), (401, 303));
}

#[test]
fn name_and_address_can_be_changed_but_not_to_those_of_somebody_else() {
    let bot = Bot::registered();
    bot.add_viewer("victor");
    let mut browser = bot.logged_in(ADMIN);
    let reply = browser.form(Op::Register, &[("username", "VICTOR"), ("current_password", PASSWORD)]);
    assert_eq!((reply.status, wrong(&reply)), (422, vec!["username".to_string()]));
    let reply = browser.form(Op::Register, &[("current_password", PASSWORD)]);
    assert_eq!(reply.status, 422, "nothing to change");
    let change = [("username", "alicia"), ("email", "new@example.com"), ("current_password", PASSWORD)];
    assert_eq!(browser.form(Op::Register, &change).status, 303);
    assert_eq!(browser.get(Op::Session).body["username"], "alicia");
    assert!(bot.audited().contains(&"user.update 1 ok".to_string()));
}
