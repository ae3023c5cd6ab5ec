//! The first configuration and the provisioning.

use serde_json::json;

use super::harness::{ADMIN, Bot, CONFIGURATION, shown, wrong};
use crate::runtime::{BotState, Op, Phase};
use crate::vault::tests::harness::assert_sealed;
use crate::vault::{Category, SecretFile, TextFile, checks, secrets};
use secrecy::ExposeSecret;

fn with<'a>(name: &'a str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    let mut form: Vec<_> = CONFIGURATION.into_iter().filter(|(known, _)| *known != name).collect();
    form.push((name, value));
    form
}

#[test]
fn an_accepted_configuration_leads_to_an_idle_bot_that_waits_for_its_first_user() {
    let bot = Bot::fresh();
    let mut browser = bot.browser();
    let page = browser.get(Op::ConfigurationPage);
    assert_eq!(
        *shown(&page),
        json!({ "values": {}, "set": [], "errors": {}, "message": null, "setup_token_needed": false, "initial": true })
    );
    let reply = browser.form(Op::ConfigurationSubmit, &CONFIGURATION);
    assert_eq!((reply.status, reply.location.as_deref()), (303, Some("/wait")));
    assert!(browser.setup.is_some(), "a ticket");
    bot.provision();
    assert_eq!(bot.core.with(|house| house.phase()), Phase::Registration);
    bot.core.with(|house| {
        for check in checks::build_check(&house.disk, "v1.0.0").unwrap() {
            assert!(check.ok, "{check:?}");
        }
        let read = |file| secrets::read_fields(&house.disk, &house.keys, file).unwrap();
        let smtp = read(SecretFile::Smtp).unwrap();
        assert_eq!(smtp.get("SMTP_PASSWORD").unwrap().expose_secret(), " PLANTED-SECRET ", "as it was typed");
        assert_eq!(smtp.get("SMTP_HOST").unwrap().expose_secret(), "", "empty fields are there");
        assert!(read(SecretFile::Staged).is_none());
        assert_eq!(house.identity(), "ACME_US_SIM_BOT1");
        let text = |file| secrets::read_text(&house.disk, &house.keys, file).unwrap().unwrap();
        assert!(text(TextFile::EnvBot).expose_secret().contains("BROKER_NAME=SIM\n"));
        assert!(text(TextFile::Env).expose_secret().contains("SESSION_TIMEOUT=3000\n"));
    });
    let root = bot.folder.path();
    assert_eq!(std::fs::read_to_string(root.join("control/bot_state.txt")).unwrap(), "idle\n");
    assert!(!root.join("control/provision.flag").exists());
    for folder in ["output/bootstrapping", "output/ACME_US_SIM_BOT1/bootstrapping"] {
        let text = std::fs::read_to_string(root.join(folder).join("provisioning_status.json")).unwrap();
        let status: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((status["state"].as_str(), status["steps_done"].as_u64()), (Some("done"), Some(6)), "{text}");
    }
    assert_sealed(root);
}

#[test]
fn every_step_and_every_key_is_audited() {
    let bot = Bot::provisioned();
    let audited = bot.audited();
    let at = |words: &str| audited.iter().position(|entry| entry == words).unwrap_or_else(|| panic!("no {words}"));
    assert_eq!(audited[0], "config.submit configuration accepted");
    let mut last = 0;
    for step in ["keys", "config", "secrets", "databases", "verify", "launch"] {
        let (begun, done) = (at(&format!("provision.step {step} begun")), at(&format!("provision.step {step} done")));
        assert!(last < begun && begun < done, "{step}");
        last = done;
    }
    for category in Category::ALL {
        at(&format!("key.create {category} done"));
    }
    at("secret.encrypt storage/secrets/staged.enc done");
    at("state.change idle begun");
}

#[test]
fn of_two_configurations_at_once_exactly_one_is_used_as_a_whole() {
    for _ in 0..5 {
        let bot = Bot::fresh();
        let browser = bot.browser();
        let form = |bot_id, host| [&with("bot_id", bot_id)[..], &[("smtp_host", host)]].concat();
        let requests = ["ONE", "TWO", "THREE"].map(|id| browser.form_request(Op::ConfigurationSubmit, &form(id, id)));
        let replies = bot.answer_at_once(requests.into());
        let tickets: Vec<_> = replies.iter().map(|reply| reply.cookies.len()).collect();
        assert_eq!(tickets.iter().sum::<usize>(), 1, "{tickets:?}");
        assert!(replies.iter().all(|reply| reply.status == 303));
        bot.provision();
        let winner = tickets.iter().position(|tickets| *tickets == 1).unwrap();
        let id = ["ONE", "TWO", "THREE"][winner];
        bot.core.with(|house| {
            assert_eq!(house.identity(), format!("ACME_US_SIM_{id}"));
            let smtp = secrets::read_fields(&house.disk, &house.keys, SecretFile::Smtp).unwrap().unwrap();
            assert_eq!(smtp.get("SMTP_HOST").unwrap().expose_secret(), id);
        });
    }
}

#[test]
fn a_configuration_that_comes_too_late_changes_nothing() {
    let bot = Bot::provisioned();
    let reply = bot.browser().form(Op::ConfigurationSubmit, &with("bot_id", "LATE"));
    assert_eq!((reply.status, reply.location.as_deref(), reply.cookies.len()), (303, Some("/register"), 0));
    assert_eq!(bot.core.with(|house| house.identity()), "ACME_US_SIM_BOT1");
    let bot = Bot::registered();
    let reply = bot.logged_in(ADMIN).form(Op::ConfigurationSubmit, &with("bot_id", "LATE"));
    assert_eq!((reply.status, reply.location.as_deref()), (303, Some("/main")));
}

#[test]
fn a_form_with_errors_keeps_what_was_typed_but_no_secret() {
    let bot = Bot::fresh();
    let mut form = with("bot_id", "not a code");
    form.push(("broker_api_key", "PLANTED-SECRET"));
    form.push(("admin", "1"));
    let reply = bot.browser().form(Op::ConfigurationSubmit, &form);
    assert_eq!(reply.status, 422);
    assert_eq!(wrong(&reply), ["admin", "bot_id"]);
    assert_eq!(shown(&reply)["values"]["bot_id"], "not a code");
    assert_eq!(shown(&reply)["values"]["entity_code"], "ACME");
    let text = shown(&reply).to_string();
    assert!(!text.contains("broker_api_key") && !text.contains("smtp_password\""), "{text}");
    for (name, value) in [("smtp_host", "x\0y"), ("smtp_username", "a\nb"), ("broker_username", &"x".repeat(513))] {
        let reply = bot.browser().form(Op::ConfigurationSubmit, &with(name, value));
        assert_eq!((reply.status, wrong(&reply)), (422, vec![name.to_string()]));
    }
    assert_eq!(bot.core.with(|house| (house.bot_state(), house.keys.list().len())), (BotState::Initialize, 0));
}

#[test]
fn from_beyond_this_machine_the_setup_token_is_needed() {
    let bot = Bot::fresh();
    let mut browser = bot.browser();
    browser.exposed = true;
    assert_eq!(shown(&browser.get(Op::ConfigurationPage))["setup_token_needed"], true);
    for token in ["", "wrong"] {
        let reply = browser.form(Op::ConfigurationSubmit, &with("setup_token", token));
        assert_eq!((reply.status, wrong(&reply)), (403, vec!["setup_token".to_string()]));
    }
    let token = std::fs::read_to_string(bot.folder.path().join("control/setup_token")).unwrap();
    let reply = browser.form(Op::ConfigurationSubmit, &with("setup_token", token.trim()));
    assert_eq!(reply.location.as_deref(), Some("/wait"));
    bot.provision();
    bot.core.with(|house| {
        let network = secrets::read_fields(&house.disk, &house.keys, SecretFile::NetworkConfig).unwrap().unwrap();
        assert!(network.names().all(|name| !name.contains("TOKEN")));
    });
}

#[test]
fn without_the_token_of_the_page_nothing_is_accepted() {
    let bot = Bot::fresh();
    let mut browser = bot.browser();
    let mut request = browser.form_request(Op::ConfigurationSubmit, &CONFIGURATION);
    request.peer.csrf = None;
    assert_eq!(browser.send(request).status, 403);
    let mut request = browser.form_request(Op::ConfigurationSubmit, &CONFIGURATION);
    request.peer.fetch_site = Some("cross-site".to_string());
    assert_eq!(browser.send(request).status, 403);
    assert_eq!(bot.core.with(|house| house.bot_state()), BotState::Initialize);
}

/// What happened before the audit key existed is in the log all the same, before everything else.
#[test]
fn what_happened_before_the_first_key_is_audited_first() {
    let bot = Bot::fresh();
    let mut browser = bot.browser();
    let mut request = browser.form_request(Op::ConfigurationSubmit, &CONFIGURATION);
    request.peer.csrf = None;
    browser.send(request);
    assert_eq!(bot.core.with(|house| house.audit.waiting()), 1);
    browser.form(Op::ConfigurationSubmit, &CONFIGURATION);
    bot.provision();
    assert_eq!(bot.audited()[0], "csrf.deny post /configuration denied");
}
