//! Keys, backups, and the audit log.

use serde_json::{Value, json};

use super::harness::{ADMIN, Bot, PASSWORD, wrong};
use crate::market::SECOND;
use crate::runtime::protocol::Reply;
use crate::runtime::{BotState, Op};
use crate::vault::Category;

fn rotate(bot: &Bot, category: &str) -> Reply {
    let body = json!({ "current_password": PASSWORD });
    bot.logged_in(ADMIN).json(Op::KeyRotate, &[("category", category)], &body)
}

fn fingerprint(bot: &Bot, category: &str) -> String {
    let keys = bot.logged_in(ADMIN).get(Op::Keys).body;
    let of = |key: &&Value| key["category"] == category;
    keys.as_array().unwrap().iter().find(of).unwrap()["fingerprint"].as_str().unwrap().to_string()
}

#[test]
fn every_key_can_be_replaced_and_everything_is_readable_afterwards() {
    let mut bot = Bot::registered();
    for category in Category::ALL {
        let before = fingerprint(&bot, category.name());
        let reply = rotate(&bot, category.name());
        assert_eq!(reply.status, 200, "{category}: {}", reply.body);
        let after = fingerprint(&bot, category.name());
        assert!(after != before && reply.body["fingerprint"] == after.as_str(), "{category}");
        let key = std::fs::read_to_string(bot.folder.path().join(category.key_path())).unwrap();
        assert_eq!(key.lines().count(), 1, "{category}");
    }
    bot = bot.restart();
    assert_eq!(bot.core.with(|house| (house.faults.clone(), house.bot_state())), (Vec::new(), BotState::Idle));
    let verified = bot.logged_in(ADMIN).get(Op::AuditVerify).body;
    assert_eq!((&verified["ok"], &verified["first_bad_seq"]), (&json!(true), &Value::Null));
    assert_eq!(rotate(&bot, "no_such").status, 404);
}

#[test]
fn a_new_session_key_ends_all_sessions() {
    let bot = Bot::registered();
    let mut other = bot.logged_in(ADMIN);
    let mut browser = bot.logged_in(ADMIN);
    let body = json!({ "current_password": PASSWORD });
    assert_eq!(browser.json(Op::KeyRotate, &[("category", "session")], &body).status, 200);
    assert_eq!((browser.session.clone(), other.get(Op::Status).status), (None, 401));
    assert_eq!(bot.logged_in(ADMIN).get(Op::Status).status, 200);
}

#[test]
fn one_works_on_keys_or_backups_at_a_time() {
    let bot = Bot::registered();
    let mut browser = bot.logged_in(ADMIN);
    let alone = bot.core.upkeep_alone().unwrap();
    let password = json!({ "current_password": PASSWORD });
    let reply = browser.json(Op::KeyRotate, &[("category", "smtp")], &password);
    assert_eq!((reply.status, reply.retry_after), (409, Some(2)));
    assert_eq!(browser.json(Op::BackupCreate, &[], &json!({ "kind": "full" })).status, 409);
    drop(alone);
    assert_eq!(browser.json(Op::KeyRotate, &[("category", "smtp")], &password).status, 200);
}

#[test]
fn an_audit_log_that_is_broken_keeps_its_key() {
    let bot = Bot::registered();
    let log = bot.folder.path().join("storage/audit/audit.log");
    let text = std::fs::read_to_string(&log).unwrap();
    std::fs::write(&log, text.replacen("\"user\":\"core\"", "\"user\":\"evil\"", 1)).unwrap();
    let bot = bot.restart();
    let reply = rotate(&bot, "audit");
    assert_eq!((reply.status, &reply.body["error"]["code"]), (409, &json!("audit_broken")));
    let verified = bot.logged_in(ADMIN).get(Op::AuditVerify).body;
    assert_eq!(verified["ok"], false);
    assert!(verified["first_bad_seq"].as_u64().is_some());
}

#[test]
fn backups_are_made_listed_and_restored_and_end_all_sessions() {
    let bot = Bot::registered();
    let mut browser = bot.logged_in(ADMIN);
    assert_eq!(wrong(&browser.json(Op::BackupCreate, &[], &json!({ "kind": "other" }))), ["kind"]);
    assert_eq!(wrong(&browser.json(Op::BackupCreate, &[], &json!({ "kind": "portable" }))), ["passphrase"]);
    let made = browser.json(Op::BackupCreate, &[], &json!({ "kind": "full" }));
    assert_eq!(made.status, 201, "{}", made.body);
    let name = made.body["name"].as_str().unwrap().to_string();
    assert_eq!(browser.get(Op::Backups).body["backups"][0]["name"], name.as_str());
    let version = browser.get(Op::Settings).body["version"].clone();
    let body = json!({ "version": version, "values": { "MAX_TRADES": 2 } });
    assert_eq!(browser.json(Op::SettingsPut, &[], &body).status, 200);
    let params = [("name", name.as_str())];
    assert_eq!(browser.json(Op::BackupRestore, &params, &json!({})).status, 422);
    let reply = browser.json(Op::BackupRestore, &params, &json!({ "current_password": PASSWORD }));
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(browser.get(Op::Status).status, 401);
    let settings = bot.logged_in(ADMIN).get(Op::Settings).body;
    assert_eq!(settings["values"]["MAX_TRADES"], 4);
    let audited = bot.audited().join("\n");
    for entry in ["backup.create full begun", "backup.restore ", "session.revoke all done"] {
        assert!(audited.contains(entry), "{entry}");
    }
    let missing = [("name", "../../storage/keys/env.key")];
    let body = json!({ "current_password": PASSWORD });
    assert_eq!(bot.logged_in(ADMIN).json(Op::BackupRestore, &missing, &body).status, 404);
}

#[test]
fn a_portable_backup_leaves_and_comes_back() {
    let bot = Bot::registered();
    let mut browser = bot.logged_in(ADMIN);
    let body = json!({ "kind": "portable", "passphrase": "correct horse battery" });
    let name = browser.json(Op::BackupCreate, &[], &body).body["name"].as_str().unwrap().to_string();
    let request = browser.request(Op::BackupDownload, &[("name", &name)], "", String::new());
    let (reply, content) = bot.transfer(request, &[]);
    let download = reply.download.unwrap();
    assert_eq!((download.filename.as_str(), download.bytes), (name.as_str(), Some(content.len() as u64)));
    assert!(content.starts_with(b"tbot-portable-1 scrypt"));
    let (reply, _) = bot.transfer(browser.request(Op::BackupDownload, &[("name", "x")], "", String::new()), &[]);
    assert_eq!(reply.status, 404);
    bot.wait(2 * SECOND);
    let upload = |body: Value| browser.request(Op::BackupUpload, &[], "application/json", body.to_string());
    let (first, second) = content.split_at(1000);
    let password = json!({ "current_password": PASSWORD });
    let (reply, _) = bot.transfer(upload(password.clone()), &[first, second, b""]);
    assert_eq!((reply.status, &reply.body["kind"]), (201, &json!("portable")), "{}", reply.body);
    assert_eq!(bot.transfer(upload(json!({})), &[first, second, b""]).0.status, 422, "no password");
    assert_eq!(wrong(&bot.transfer(upload(password.clone()), &[b"nonsense", b""]).0), ["file"]);
    assert_eq!(bot.transfer(upload(password), &[first]).0.status, 400, "the browser went away");
    assert_eq!(bot.logged_in(ADMIN).get(Op::Backups).body["backups"].as_array().unwrap().len(), 2);
}

/// Of a backup that is still arriving, nothing is in anybody's way but another one.
#[test]
fn while_a_backup_arrives_keys_and_backups_can_be_worked_on() {
    use crate::runtime::protocol::{Verb, write_frame};
    let bot = Bot::registered();
    let mut browser = bot.logged_in(ADMIN);
    let password = json!({ "current_password": PASSWORD });
    let request = || {
        let request = browser.request(Op::BackupUpload, &[], "application/json", password.to_string());
        crate::runtime::protocol::Request { verb: Verb::Transfer, ..request }
    };
    let (uploading, other) = (request(), request());
    let (mut ours, mut theirs) = tokio::io::duplex(1 << 20);
    let core = std::sync::Arc::clone(&bot.core);
    let mut upload = None;
    bot.block_on(async {
        upload = Some(tokio::spawn(async move { core.transfer(uploading, &mut theirs).await.reply }));
        let first = b"tbot-portable-1 scrypt log_n=10 r=8 p=1 salt=00112233445566778899aabbccddeeff\ngAA";
        write_frame(&mut ours, first).await.unwrap();
    });
    let upload = upload.unwrap();
    let drafts = || {
        let names = std::fs::read_dir(bot.folder.path().join("storage/backups")).unwrap();
        names.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().ends_with(".tmp")).count()
    };
    while drafts() == 0 {
        assert!(!upload.is_finished(), "it was refused");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let refused = bot.transfer(other, &[b"x", b""]).0;
    assert_eq!((refused.status, &refused.body["error"]["code"]), (409, &json!("busy")));
    assert_eq!(browser.json(Op::BackupCreate, &[], &json!({ "kind": "full" })).status, 201);
    assert_eq!(browser.get(Op::Backups).body["backups"].as_array().unwrap().len(), 1, "it is no backup yet");
    bot.block_on(async {
        write_frame(&mut ours, b"AAA").await.unwrap();
        write_frame(&mut ours, b"").await.unwrap();
    });
    let reply = bot.block_on(upload).unwrap();
    assert_eq!((reply.status, &reply.body["bytes"]), (201, &json!(84)), "{}", reply.body);
    assert_eq!(drafts(), 0);
}

#[test]
fn a_wrong_passphrase_restores_nothing() {
    let bot = Bot::registered();
    let mut browser = bot.logged_in(ADMIN);
    let body = json!({ "kind": "portable", "passphrase": "correct horse battery" });
    let name = browser.json(Op::BackupCreate, &[], &body).body["name"].as_str().unwrap().to_string();
    let body = json!({ "current_password": PASSWORD, "passphrase": "wrong horse battery" });
    let reply = browser.json(Op::BackupRestore, &[("name", &name)], &body);
    assert_eq!((reply.status, wrong(&reply)), (422, vec!["passphrase".to_string()]));
    assert_eq!(browser.get(Op::Status).status, 200, "the session goes on");
    assert_eq!(bot.core.with(|house| house.bot_state()), BotState::Idle);
}

#[test]
fn the_audit_log_is_read_in_pages_from_its_newest_entry() {
    let bot = Bot::registered();
    let browser = bot.logged_in(ADMIN);
    let page = |query: &str| {
        let mut request = browser.request(Op::Audit, &[], "", String::new());
        request.query = query.to_string();
        bot.answer(request)
    };
    let newest = page("limit=2").body;
    let total = newest["total"].as_u64().unwrap();
    assert_eq!(newest["entries"][0]["seq"], total);
    let older = page("limit=2&offset=1").body;
    assert_eq!(older["entries"][0], newest["entries"][1]);
    for query in ["limit=0", "limit=1001", "offset=-1", "limit=x"] {
        assert_eq!(page(query).status, 422, "{query}");
    }
}
