//! Starts on a data folder with something wrong in it, and the ways out.

use std::fs;

use super::harness::{ADMIN, Bot, PASSWORD, shown};
use crate::runtime::{BotState, Op, Phase, recovery};
use crate::vault::backups::{Cost, Protection};
use crate::vault::tests::harness::{NOW, PASSPHRASE, assert_sealed, passphrase};
use crate::vault::{Actor, backups};

/// What `spoil` makes of a registered bot at the next start.
fn spoiled(spoil: impl Fn(&std::path::Path)) -> Bot {
    let folder = Bot::registered().stop();
    spoil(folder.path());
    Bot::on(folder, NOW)
}

#[test]
fn a_key_or_secret_that_is_not_what_it_was_halts_the_bot_and_only_its_category_is_named() {
    let cases: [(&str, &str); 6] = [
        ("storage/keys/broker.key", "broker"),
        ("storage/keys/session.key", "session"),
        ("storage/secrets/smtp_credentials.json.enc", "smtp"),
        ("storage/secrets/.env_bot.enc", "env_bot"),
        (".env.enc", "env_enc"),
        ("core/databases/SYSTEM_USERS.db", "login"),
    ];
    for (file, category) in cases {
        for damage in [true, false] {
            let bot = spoiled(|root| {
                if damage {
                    fs::write(root.join(file), "damaged").unwrap();
                } else {
                    fs::remove_file(root.join(file)).unwrap();
                }
            });
            bot.core.with(|house| {
                assert_eq!((house.bot_state(), house.phase()), (BotState::Error, Phase::Error), "{file}");
                assert!(
                    house.faults.iter().any(|fault| fault.contains(&format!("'{category}'"))),
                    "{:?}",
                    house.faults
                );
                assert!(house.faults.iter().all(|fault| !fault.contains('/')), "{:?}", house.faults);
            });
            let page = bot.browser().get(Op::ErrorPage);
            assert_eq!((page.status, &shown(&page)["faults"]), (200, &serde_json::json!([])));
            assert!(!shown(&page).to_string().contains(category), "strangers are told nothing");
            let audited = bot.audited();
            let expected = if file.contains("keys/") { "key.violation" } else { "decrypt.fail" };
            assert!(audited.iter().any(|entry| entry.starts_with(&format!("{expected} {category}"))), "{audited:?}");
        }
    }
}

#[test]
fn a_foreign_key_halts_the_bot_and_nothing_is_made_anew() {
    let bot = spoiled(|root| {
        fs::copy(root.join("storage/keys/smtp.key"), root.join("storage/keys/mine.key")).map(drop).unwrap()
    });
    assert_eq!(bot.core.with(|house| house.bot_state()), BotState::Error);
    fs::remove_file(bot.folder.path().join("storage/keys/mine.key")).unwrap();
    let bot = bot.restart();
    assert_eq!(
        bot.core.with(|house| (house.bot_state(), house.faults.len())),
        (BotState::Error, 0),
        "until acknowledged"
    );
    let actor = Actor::core();
    assert_eq!(bot.core.with(|house| recovery::acknowledge(house, &actor, NOW)), Ok(()));
    bot.logged_in(ADMIN);
}

#[test]
fn a_halt_is_acknowledged_only_when_nothing_is_wrong_any_more() {
    let file = "storage/secrets/smtp_credentials.json.enc";
    let folder = Bot::registered().stop();
    let kept = fs::read(folder.path().join(file)).unwrap();
    fs::write(folder.path().join(file), "damaged").unwrap();
    let bot = Bot::on(folder, NOW);
    let actor = Actor::core();
    let refused = bot.core.with(|house| recovery::acknowledge(house, &actor, NOW)).unwrap_err();
    assert_eq!(refused, ["a file of the category 'smtp' cannot be decrypted"]);
    let mut admin = bot.browser();
    let reply = admin.form(Op::Login, &[("username", ADMIN), ("password", PASSWORD)]);
    assert_eq!((reply.status, reply.location.as_deref()), (303, Some("/error")));
    let page = admin.get(Op::ErrorPage);
    assert_eq!(shown(&page)["faults"][0], refused[0]);
    assert_eq!(shown(&page)["reset_open"], false);
    fs::write(bot.folder.path().join(file), kept).unwrap();
    bot.core.with(|house| recovery::acknowledge(house, &actor, NOW)).unwrap();
    assert_eq!(bot.core.with(|house| house.bot_state()), BotState::Idle);
}

/// What no form could bring back is there again with its defaults; the rest is entered again.
#[test]
fn a_lost_key_is_replaced_and_the_bot_acknowledged() {
    for category in ["env_bot", "env_enc", "env", "session", "backup"] {
        let bot = spoiled(|root| fs::remove_file(root.join(format!("storage/keys/{category}.key"))).unwrap());
        assert_eq!(bot.core.with(|house| house.bot_state()), BotState::Error);
        let mut admin = bot.browser();
        let log_in = [("username", ADMIN), ("password", PASSWORD)];
        assert_eq!(admin.form(Op::Login, &log_in).status, 303, "{category}");
        let body = serde_json::json!({ "current_password": PASSWORD });
        let reply = admin.json(Op::KeyRotate, &[("category", category)], &body);
        assert_eq!(reply.status, 200, "{category}: {}", reply.body);
        // A new session key ends the sessions under the old one.
        admin.form(Op::Login, &log_in);
        let reply = admin.json(Op::ControlAcknowledge, &[], &serde_json::json!({}));
        assert_eq!((reply.status, &reply.body["bot_state"]), (200, &"idle".into()), "{category}: {}", reply.body);
        bot.logged_in(ADMIN);
        assert_sealed(bot.folder.path());
    }
}

#[test]
fn with_users_the_setup_token_opens_nothing() {
    let bot = spoiled(|root| fs::write(root.join(".env.enc"), "damaged").unwrap());
    let form = [("setup_token", ""), ("action", "reset")];
    assert_eq!(bot.browser().form(Op::ErrorReset, &form).status, 403);
    assert!(!bot.folder.path().join("control/setup_token").exists());
}

#[test]
fn with_unreadable_users_the_setup_token_resets_everything_but_the_audit_log() {
    let bot = spoiled(|root| fs::remove_file(root.join("storage/keys/login.key")).unwrap());
    assert_eq!(shown(&bot.browser().get(Op::ErrorPage))["reset_open"], true);
    let reset = |token: &str| bot.browser().form(Op::ErrorReset, &[("setup_token", token), ("action", "reset")]);
    assert_eq!(reset("wrong").status, 403);
    let token = fs::read_to_string(bot.folder.path().join("control/setup_token")).unwrap();
    let reply = reset(token.trim());
    assert_eq!((reply.status, reply.location.as_deref()), (303, Some("/configuration")));
    let keys: Vec<_> =
        fs::read_dir(bot.folder.path().join("storage/keys")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(keys, ["audit.key"]);
    assert!(bot.audited().iter().any(|entry| entry == "user.create alice ok"), "the log goes on");
    assert_eq!(
        bot.browser().form(Op::ConfigurationSubmit, &super::harness::CONFIGURATION).location.as_deref(),
        Some("/wait")
    );
    bot.provision();
    bot.register();
    assert_sealed(bot.folder.path());
}

#[test]
fn with_all_keys_lost_a_portable_backup_brings_everything_back() {
    let bot = Bot::registered();
    let name = bot.core.with(|house| {
        let protection = Protection::Passphrase(&passphrase(), Cost::new(10).unwrap());
        backups::create(&house.disk, &house.keys, protection, NOW).unwrap().name
    });
    let folder = bot.stop();
    for file in fs::read_dir(folder.path().join("storage/keys")).unwrap() {
        fs::remove_file(file.unwrap().path()).unwrap();
    }
    let bot = Bot::on(folder, NOW);
    assert_eq!(bot.core.with(|house| house.phase()), Phase::Error);
    let token = fs::read_to_string(bot.folder.path().join("control/setup_token")).unwrap();
    let restore = |passphrase: &str| {
        let form =
            [("setup_token", token.trim()), ("action", "restore"), ("backup", &name), ("passphrase", passphrase)];
        bot.browser().form(Op::ErrorReset, &form)
    };
    assert_eq!(restore("a wrong passphrase").status, 422);
    assert!(bot.folder.path().join(".env.enc").exists(), "nothing was removed");
    let reply = restore(PASSPHRASE);
    assert_eq!((reply.status, reply.location.as_deref()), (303, Some("/login")));
    bot.logged_in(ADMIN);
    assert_eq!(bot.core.with(|house| house.identity()), "ACME_US_SIM_BOT1");
    assert!(!bot.folder.path().join("control/setup_token").exists());
}

#[test]
fn a_state_that_does_not_fit_the_folder_opens_nothing() {
    for word in ["initialize\n", "nonsense\n"] {
        let bot = spoiled(|root| fs::write(root.join("control/bot_state.txt"), word).unwrap());
        assert_eq!(bot.core.with(|house| house.phase()), Phase::Error, "{word}");
        let reply = bot.browser().get(Op::ConfigurationPage);
        assert_eq!((reply.status, reply.location.as_deref()), (303, Some("/error")));
    }
    for (word, state) in [("idle", BotState::Idle), ("shutdown", BotState::Idle), ("updating", BotState::Idle)] {
        let bot = spoiled(|root| fs::write(root.join("control/bot_state.txt"), format!("{word}\n")).unwrap());
        assert_eq!(bot.core.with(|house| house.bot_state()), state);
    }
    for word in ["trading", "monitoring", "graceful_closing_positions", "emergency_closing_positions"] {
        let bot = spoiled(|root| fs::write(root.join("control/bot_state.txt"), format!("{word}\n")).unwrap());
        assert_eq!(bot.core.with(|house| house.bot_state().word()), word, "the runtime reconciles");
    }
}
