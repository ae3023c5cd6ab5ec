//! `--clock feed`: trading follows the times that the broker tells, and every broker is on this machine.

use secrecy::SecretString;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::harness::{ADMIN, Bot, CONFIGURATION, PASSWORD, VERSION, shown, wrong};
use crate::market::SECOND;
use crate::runtime::protocol::Reply;
use crate::runtime::{BotState, ClockSource, House, NeedsLoopback, Op, StartError};
use crate::vault::tests::harness::{NOW, copy, folder, open};
use crate::vault::{SecretFields, SecretFile, secrets};

/// Alpaca at a URL.
fn alpaca(url: &str) -> Value {
    json!({ "broker_code": "ALPACA", "broker_api_key": "PLANTED-SECRET key", "broker_url": url })
}

const ELSEWHERE: &str = "https://paper-api.alpaca.markets";
const HERE: &str = "http://127.0.0.1:8080";

/// The same core again, whose trading follows the feed.
fn fed(bot: Bot) -> Bot {
    Bot::on_clock(bot.stop(), NOW, ClockSource::Feed)
}

fn put(bot: &Bot, category: &str, values: &Value) -> Reply {
    let body = json!({ "current_password": PASSWORD, "values": values });
    bot.logged_in(ADMIN).json(Op::ConfigurationPut, &[("category", category)], &body)
}

/// Why a core does not start on a folder.
fn refusal(folder: &TempDir) -> Option<NeedsLoopback> {
    match House::open_on(open(folder.path()), &[], VERSION, ClockSource::Feed, NOW) {
        Ok(_) => None,
        Err(StartError::Clock(why)) => Some(why),
        Err(error) => panic!("{error}"),
    }
}

fn assert_refused(reply: &Reply, field: &str) {
    let error = &reply.body["error"];
    assert_eq!((reply.status, error["code"].as_str()), (422, Some("clock_feed_needs_loopback")), "{}", reply.body);
    assert_eq!(wrong(reply), [field]);
}

/// What a folder has in its files of the broker and of the identity.
fn files(bot: &Bot) -> Vec<Vec<u8>> {
    let files = [SecretFile::BotIdentity, SecretFile::Broker];
    files.map(|file| std::fs::read(bot.folder.path().join(file.path())).unwrap()).to_vec()
}

fn store_failover(bot: &Bot, url: &str) {
    let mut fields = SecretFields::new();
    fields.set("BROKER_API_KEY", SecretString::from("PLANTED-SECRET"));
    fields.set("BROKER_URL", SecretString::from(url));
    bot.core.with(|house| {
        secrets::write_fields(&house.disk, &house.keys, SecretFile::BrokerFailover, &fields, NOW).unwrap();
    });
}

#[test]
fn trading_follows_the_feed_and_everything_else_the_system() {
    let bot = fed(Bot::registered());
    assert_eq!(bot.core.trading_now(), None);
    let told = NOW - 1_000 * SECOND;
    bot.core.trading_clock.tell(told);
    assert_eq!((bot.core.trading_now(), bot.core.now()), (Some(told), NOW));
    bot.wait(SECOND);
    assert_eq!((bot.core.trading_now(), bot.core.now()), (Some(told), NOW + SECOND));
    bot.core.trading_clock.tell(NOW + 86_400 * SECOND);
    assert_eq!(bot.logged_in(ADMIN).get(Op::Status).status, 200, "no session has expired");
}

#[test]
fn without_the_option_trading_follows_the_system() {
    let bot = Bot::registered();
    bot.core.trading_clock.tell(NOW + SECOND);
    assert_eq!(bot.core.trading_now(), Some(NOW));
    assert_eq!(put(&bot, "identity", &alpaca(ELSEWHERE)).status, 200);
}

#[test]
fn a_core_does_not_start_with_a_broker_elsewhere_and_changes_nothing() {
    let bot = Bot::registered();
    assert_eq!(put(&bot, "identity", &alpaca(ELSEWHERE)).status, 200);
    let audited = bot.audited();
    let folder = bot.stop();
    let why = refusal(&folder).unwrap();
    assert_eq!(
        why.to_string(),
        "--clock feed: broker_url does not lead to this machine; start without --clock feed, or configure SIM or a \
         loopback address"
    );
    assert_eq!(Bot::on(folder, NOW).audited()[..audited.len()], audited[..]);
}

#[test]
fn a_core_starts_with_a_simulated_broker_or_one_on_this_machine() {
    let bot = Bot::registered();
    assert_eq!(put(&bot, "identity", &alpaca(HERE)).status, 200);
    assert_eq!(refusal(&bot.stop()), None);
    let bot = Bot::registered();
    let gateway = json!({ "broker_code": "IBKR", "broker_url": "tws://127.0.0.1:4002?client_id=7" });
    assert_eq!(put(&bot, "identity", &gateway).status, 200);
    assert_eq!(refusal(&bot.stop()), None);
    assert_eq!(refusal(&Bot::registered().stop()), None);
    assert_eq!(refusal(&folder()), None, "nothing is configured yet");
}

#[test]
fn a_core_does_not_start_with_a_broker_that_has_no_address() {
    let bot = Bot::registered();
    assert_eq!(put(&bot, "identity", &json!({ "broker_code": "IBKR" })).status, 200);
    assert_eq!(refusal(&bot.stop()), Some(NeedsLoopback { field: "broker_url" }));
}

#[test]
fn a_core_does_not_start_with_a_failover_elsewhere() {
    for (url, field) in [(ELSEWHERE, Some("broker_failover_credentials")), (HERE, None)] {
        let bot = Bot::registered();
        store_failover(&bot, url);
        assert_eq!(refusal(&bot.stop()).map(|why| why.field), field, "{url}");
    }
}

#[test]
fn a_core_does_not_start_while_a_broker_elsewhere_is_being_provisioned() {
    let bot = Bot::fresh();
    let staged = bot.core.with(|house| {
        let mut fields = crate::runtime::input::Form::default();
        for (name, value) in alpaca(ELSEWHERE).as_object().unwrap() {
            fields.fields.insert(name.clone(), crate::runtime::protocol::Secret::new(value.as_str().unwrap()));
        }
        crate::runtime::provisioning::accept(house, &fields, &crate::vault::Actor::core(), NOW)
    });
    assert!(staged.is_ok());
    let folder = folder();
    copy(bot.folder.path(), folder.path());
    assert_eq!(refusal(&folder), Some(NeedsLoopback { field: "broker_url" }));
}

#[test]
fn the_first_configuration_may_not_name_a_broker_elsewhere() {
    let bot = fed(Bot::fresh());
    let form = |url: &'static str| {
        let mut form = CONFIGURATION.to_vec();
        form.retain(|(name, _)| *name != "broker_code");
        form.extend([("broker_code", "ALPACA"), ("broker_api_key", "PLANTED-SECRET"), ("broker_url", url)]);
        form
    };
    let mut browser = bot.browser();
    let reply = browser.form(Op::ConfigurationSubmit, &form(ELSEWHERE));
    assert_eq!((reply.status, wrong(&reply)), (422, vec!["broker_url".to_string()]));
    assert!(shown(&reply)["message"].as_str().unwrap().contains("clock_feed_needs_loopback"));
    assert_eq!(shown(&reply)["values"]["broker_url"], ELSEWHERE, "what was entered is kept");
    assert_eq!(bot.core.with(|house| house.bot_state()), BotState::Initialize);
    assert!(!bot.folder.path().join(SecretFile::Staged.path()).exists());
    assert_eq!(browser.form(Op::ConfigurationSubmit, &form(HERE)).status, 303);
    bot.provision();
}

#[test]
fn a_change_may_not_lead_to_a_broker_elsewhere() {
    let bot = fed(Bot::registered());
    let before = files(&bot);
    assert_refused(&put(&bot, "identity", &alpaca(ELSEWHERE)), "broker_url");
    assert_refused(&put(&bot, "identity", &json!({ "broker_code": "IBKR" })), "broker_url");
    let gateway = json!({ "broker_code": "IBKR", "broker_host": "gateway.example.com:4002" });
    assert_refused(&put(&bot, "identity", &gateway), "broker_host");
    assert_eq!(files(&bot), before);
    assert_eq!(put(&bot, "identity", &alpaca(HERE)).status, 200);
    let before = files(&bot);
    assert_refused(&put(&bot, "broker", &json!({ "broker_url": ELSEWHERE })), "broker_url");
    assert_eq!(files(&bot), before);
    assert_eq!(put(&bot, "broker", &json!({ "broker_url": "http://[::1]:9" })).status, 200);
}

#[test]
fn a_change_beside_a_failover_elsewhere_is_refused() {
    let bot = fed(Bot::registered());
    store_failover(&bot, ELSEWHERE);
    assert_refused(&put(&bot, "identity", &alpaca(HERE)), "broker_failover_credentials");
    assert_eq!(put(&bot, "smtp", &json!({ "smtp_host": "mail.example.com" })).status, 200, "it is no broker");
}

#[test]
fn a_restore_may_not_bring_a_broker_elsewhere() {
    let bot = Bot::registered();
    assert_eq!(put(&bot, "identity", &alpaca(ELSEWHERE)).status, 200);
    let reply = bot.logged_in(ADMIN).json(Op::BackupCreate, &[], &json!({ "kind": "full" }));
    let name = reply.body["name"].as_str().unwrap().to_string();
    assert_eq!(put(&bot, "broker", &json!({ "broker_url": HERE })).status, 200);
    let bot = fed(bot);
    let before = files(&bot);
    let body = json!({ "current_password": PASSWORD });
    let mut browser = bot.logged_in(ADMIN);
    assert_refused(&browser.json(Op::BackupRestore, &[("name", &name)], &body), "broker_url");
    assert_eq!(files(&bot), before);
    assert_eq!(browser.get(Op::Status).status, 200, "the sessions go on");
}

/// Files that came back by hand: a halt is not acknowledged with them.
#[test]
fn the_checks_of_a_halted_bot_find_a_broker_elsewhere() {
    let bot = fed(Bot::registered());
    store_failover(&bot, ELSEWHERE);
    let faults = bot.core.with(|house| crate::runtime::start::checks(house, NOW));
    assert_eq!(faults.len(), 1);
    assert!(faults[0].starts_with("--clock feed: broker_failover_credentials does not lead to this machine"));
}
