//! The configuration after the first run.

use serde_json::{Value, json};

use super::harness::{ADMIN, Bot, PASSWORD, wrong};
use crate::runtime::Op;
use crate::vault::tests::harness::NOW;
use crate::vault::{SecretFile, secrets};

fn put(bot: &Bot, category: &str, values: &Value) -> crate::runtime::protocol::Reply {
    let body = json!({ "current_password": PASSWORD, "values": values });
    bot.logged_in(ADMIN).json(Op::ConfigurationPut, &[("category", category)], &body)
}

fn stored(bot: &Bot, file: SecretFile, name: &str) -> String {
    use secrecy::ExposeSecret;
    bot.core.with(|house| {
        let fields = secrets::read_fields(&house.disk, &house.keys, file).unwrap().unwrap();
        fields.get(name).unwrap().expose_secret().to_string()
    })
}

#[test]
fn secrets_are_shown_as_set_or_not_and_never_sent() {
    let bot = Bot::registered();
    let reply = bot.logged_in(ADMIN).get(Op::Configuration);
    assert_eq!(reply.body["smtp"]["smtp_password"], json!({ "set": true }));
    assert_eq!(reply.body["broker"]["broker_api_key"], json!({ "set": false }));
    assert_eq!(reply.body["identity"]["broker_code"], "SIM");
    assert_eq!(reply.body["login"]["session_timeout"], "3000");
    let planted = stored(&bot, SecretFile::Smtp, "SMTP_PASSWORD");
    assert!(planted.contains("PLANTED-SECRET") && !reply.body.to_string().contains(&planted));
}

#[test]
fn an_absent_secret_keeps_the_old_one_and_an_empty_one_clears_it() {
    let bot = Bot::registered();
    let before = stored(&bot, SecretFile::Smtp, "SMTP_PASSWORD");
    let reply = put(&bot, "smtp", &json!({ "smtp_host": "mail.example.com", "smtp_port": 587 }));
    assert_eq!((reply.status, &reply.body["changed"]), (200, &json!(["smtp_host", "smtp_port"])));
    assert_eq!(stored(&bot, SecretFile::Smtp, "SMTP_PASSWORD"), before);
    assert_eq!(stored(&bot, SecretFile::Smtp, "SMTP_PORT"), "587");
    assert_eq!(put(&bot, "smtp", &json!({ "smtp_password": "" })).status, 200);
    assert_eq!(stored(&bot, SecretFile::Smtp, "SMTP_PASSWORD"), "");
    assert_eq!(stored(&bot, SecretFile::Smtp, "SMTP_HOST"), "mail.example.com");
    let audited = bot.audited().join("\n");
    assert!(audited.contains("config.update smtp done") && audited.contains("secret.encrypt smtp done"));
    assert!(!audited.contains("PLANTED"));
}

#[test]
fn what_is_wrong_changes_nothing() {
    let bot = Bot::registered();
    for (category, values, name) in [
        ("smtp", json!({ "smtp_port": "99999" }), "smtp_port"),
        ("smtp", json!({ "broker_host": "x" }), "broker_host"),
        ("broker", json!({ "broker_url": "http://169.254.169.254/latest" }), "broker_url"),
        ("screener", json!({ "screener_url": "file:///etc/passwd" }), "screener_url"),
        ("identity", json!({ "bot_id": "../x" }), "bot_id"),
        ("identity", json!({ "broker_code": "NOBODY" }), "broker_code"),
        ("login", json!({ "session_timeout": 1 }), "session_timeout"),
        ("alerts", json!({ "sms_to": "x\ny" }), "sms_to"),
        ("alerts", json!({ "sms_from": "x", "sms_to": ["x"] }), "values.sms_to"),
        ("network", json!({ "public_origin": "x".repeat(600) }), "public_origin"),
    ] {
        let reply = put(&bot, category, &values);
        assert_eq!((reply.status, wrong(&reply)), (422, vec![name.to_string()]), "{values}");
    }
    assert_eq!(put(&bot, "nothing", &json!({})).status, 404);
    let mut browser = bot.logged_in(ADMIN);
    let params = [("category", "smtp")];
    let without = json!({ "values": { "smtp_host": "x" } });
    assert_eq!(browser.json(Op::ConfigurationPut, &params, &without).status, 422);
    let other = json!({ "current_password": "wrong password", "values": { "smtp_host": "x" } });
    assert_eq!(browser.json(Op::ConfigurationPut, &params, &other).status, 403);
    assert_eq!(stored(&bot, SecretFile::Smtp, "SMTP_HOST"), "");
}

#[test]
fn another_broker_changes_the_settings_in_the_same_step() {
    let bot = Bot::registered();
    let reply = put(&bot, "identity", &json!({ "broker_code": "IBKR" }));
    assert_eq!(reply.status, 200, "{}", reply.body);
    let bot = bot.restart();
    let settings = bot.logged_in(ADMIN).get(Op::Settings).body;
    assert_eq!(settings["values"]["BROKER_NAME"], "IBKR");
    assert_eq!(settings["version"], reply.body["settings_version"]);
    assert_eq!(bot.core.with(|house| house.faults.clone()), [""; 0]);
    // The new broker's credentials may come along; a URL of another broker may not stay.
    let values = json!({ "broker_code": "ALPACA", "broker_api_key": "PLANTED-SECRET key",
        "broker_url": "https://paper-api.alpaca.markets" });
    assert_eq!(put(&bot, "identity", &values).status, 200);
    let reply = put(&bot, "identity", &json!({ "broker_code": "TRADIER" }));
    assert_eq!((reply.status, wrong(&reply)), (422, vec!["broker_url".to_string()]));
}

#[test]
fn puts_that_the_new_broker_lacks_stop_the_change() {
    let bot = Bot::registered();
    let mut browser = bot.logged_in(ADMIN);
    let version = browser.get(Op::Settings).body["version"].clone();
    let body = json!({ "version": version, "values": { "SHORT_TYPE_MID": "LongPut" } });
    assert_eq!(browser.json(Op::SettingsPut, &[], &body).status, 200);
    let reply = put(&bot, "identity", &json!({ "broker_code": "ALPACA" }));
    assert_eq!((reply.status, wrong(&reply)), (422, vec!["broker_code".to_string()]));
    assert_eq!(stored(&bot, SecretFile::BotIdentity, "BROKER_CODE"), "SIM");
}

#[test]
fn limits_of_sessions_and_logins_hold_at_once() {
    let bot = Bot::registered();
    assert_eq!(put(&bot, "login", &json!({ "session_timeout": "60", "login_attempt_limit": "1" })).status, 200);
    let mut browser = bot.logged_in(ADMIN);
    bot.wait(61 * crate::market::SECOND);
    assert_eq!(browser.get(Op::Status).status, 401, "the session was idle for longer than 60 s");
    let mut guesser = bot.browser();
    let wrong = [("username", ADMIN), ("password", "not the password")];
    assert_eq!(guesser.form(Op::Login, &wrong).status, 401);
    assert_eq!(guesser.form(Op::Login, &wrong).status, 429);
}

/// A stop between the files of one change: the next start ends it, whichever step it was.
#[test]
fn a_change_of_several_files_is_whole_after_a_stop_at_any_step() {
    use crate::vault::tests::harness::{Fate, folder, open, open_doomed};
    use crate::vault::{Keys, SecretFields, TextFile, backups};
    use secrecy::SecretString;
    let one = |name: &str, value: &str| {
        let mut fields = SecretFields::new();
        fields.set(name, SecretString::from(value.to_string()));
        fields
    };
    let write = |disk: &crate::vault::Disk, value: &str| {
        let (keys, _) = Keys::open(disk)?;
        let fields = [(SecretFile::BotIdentity, one("BROKER_CODE", value)), (SecretFile::Broker, one("X", value))];
        backups::replace(disk, &keys, &fields, &[(TextFile::EnvBot, format!("BROKER_NAME={value}\n"))], 0)
    };
    let read = |disk: &crate::vault::Disk| {
        use secrecy::ExposeSecret;
        let (keys, _) = Keys::open(disk).unwrap();
        backups::resume(disk, &keys, 0).unwrap();
        let code = secrets::read_fields(disk, &keys, SecretFile::BotIdentity).unwrap().unwrap();
        let x = secrets::read_fields(disk, &keys, SecretFile::Broker).unwrap().unwrap();
        let text = secrets::read_text(disk, &keys, TextFile::EnvBot).unwrap().unwrap();
        let code = code.get("BROKER_CODE").unwrap().expose_secret().to_string();
        assert_eq!(x.get("X").unwrap().expose_secret(), code);
        assert_eq!(text.expose_secret(), format!("BROKER_NAME={code}\n"));
        code
    };
    for at in 0.. {
        let folder = folder();
        let disk = open(folder.path());
        let (mut keys, _) = Keys::open(&disk).unwrap();
        crate::vault::tests::harness::make_keys(&mut keys).unwrap();
        write(&disk, "SIM").unwrap();
        drop((disk, keys));
        let (disk, _) = open_doomed(folder.path(), at, Fate::Stop);
        let done = write(&disk, "IBKR").is_ok();
        drop(disk);
        let code = read(&open(folder.path()));
        if done {
            assert_eq!(code, "IBKR");
            assert!(at > 10);
            break;
        }
    }
}

/// Every request asks who the bot is and how it is reached; the files are not decrypted for each.
#[test]
fn identity_and_public_origin_are_read_once_and_again_when_they_may_be_others() {
    let bot = Bot::fresh();
    let names = |bot: &Bot| bot.core.with(|house| (house.identity(), house.public_origin()));
    assert_eq!(names(&bot), (String::new(), None));
    bot.browser().form(Op::ConfigurationSubmit, &super::harness::CONFIGURATION);
    bot.provision();
    bot.register();
    assert_eq!(names(&bot), ("ACME_US_SIM_BOT1".to_string(), None));
    assert_eq!(put(&bot, "network", &json!({ "public_origin": "https://bot.example.com" })).status, 200);
    assert_eq!(names(&bot).1.as_deref(), Some("https://bot.example.com"));
    let backup = bot.logged_in(ADMIN).json(Op::BackupCreate, &[], &json!({ "kind": "full" })).body["name"].clone();
    assert_eq!(put(&bot, "identity", &json!({ "bot_id": "BOT2" })).status, 200);
    assert_eq!(put(&bot, "network", &json!({ "public_origin": "" })).status, 200);
    assert_eq!(names(&bot), ("ACME_US_SIM_BOT2".to_string(), None));
    let restore = json!({ "current_password": PASSWORD });
    let params = [("name", backup.as_str().unwrap())];
    assert_eq!(bot.logged_in(ADMIN).json(Op::BackupRestore, &params, &restore).status, 200);
    let restored = ("ACME_US_SIM_BOT1".to_string(), Some("https://bot.example.com".to_string()));
    assert_eq!(names(&bot), restored);
    let rotate = json!({ "current_password": PASSWORD });
    let params = [("category", "network")];
    assert_eq!(bot.logged_in(ADMIN).json(Op::KeyRotate, &params, &rotate).status, 200);
    assert_eq!(names(&bot), restored);
    // What is changed by hand is not looked at for every request, but when everything is checked.
    std::fs::write(bot.folder.path().join(SecretFile::NetworkConfig.path()), "x").unwrap();
    assert_eq!(names(&bot), restored);
    assert_eq!(bot.core.with(|house| crate::runtime::start::checks(house, NOW)).len(), 1);
    assert_eq!(names(&bot), ("ACME_US_SIM_BOT1".to_string(), None));
}
