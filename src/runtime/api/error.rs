//! The error page: what is wrong, and the ways out of it.

use std::sync::Arc;

use serde_json::json;

use crate::runtime::gate::Caller;
use crate::runtime::house::House;
use crate::runtime::input::{Form, Input};
use crate::runtime::password_check::throttle;
use crate::runtime::protocol::{PageName, Reply};
use crate::runtime::reply::Refusal;
use crate::runtime::{BotState, Core, Phase, recovery};
use crate::vault::{Category, backups};

/// `GET /error`.
pub fn page(house: &House, caller: &Caller) -> Result<Reply, Refusal> {
    Ok(error_page(house, caller, &Form::default(), None))
}

fn error_page(house: &House, caller: &Caller, form: &Form, message: Option<&str>) -> Reply {
    let known = if caller.is_admin() { Some(recovery(house)) } else { None };
    let faults: &[String] = if caller.is_admin() { &house.faults } else { &[] };
    let data = json!({
        "faults": faults,
        "reason": reason(house),
        "recovery": known,
        "reset_open": is_open_to_reset(house),
        "errors": form.errors,
        "message": message,
    });
    Reply::page(PageName::Error, caller.context(house), data)
}

/// A sentence that may be told to everybody.
fn reason(house: &House) -> &'static str {
    match house.bot_state() {
        _ if house.phase() != Phase::Error => "Nothing is wrong.",
        BotState::Error if house.faults.is_empty() => "Something went wrong. An admin must look at it.",
        BotState::Error => "The start checks found something wrong. An admin must look at it.",
        BotState::Shutdown => "The bot was stopped for good and holds no position. An admin must acknowledge it.",
        BotState::GracefulClosingPositions => "Positions are being closed.",
        BotState::EmergencyClosingPositions | BotState::ShutdownTriggered => "Positions are being closed at once.",
        _ => "The bot's state does not fit the data folder. An admin must look at it.",
    }
}

/// For admins: the keys with what is known of each, and the backups.
fn recovery(house: &House) -> serde_json::Value {
    let listed = house.keys.list();
    let keys = Category::ALL.map(|category| {
        let state = match house.keys.get(category) {
            Ok(_) => "ok",
            Err(_) if listed.iter().any(|info| info.category == category) => "unusable",
            Err(_) => "missing",
        };
        json!({ "category": category, "state": state })
    });
    let backups = backups::list(&house.disk).unwrap_or_default();
    let backups: Vec<String> = backups.into_iter().map(|backup| backup.name).collect();
    json!({ "keys": keys, "backups": backups })
}

/// Whether the setup token may be used: nobody can log in.
fn is_open_to_reset(house: &House) -> bool {
    house.phase() == Phase::Error && house.user_count().is_none_or(|users| users == 0)
}

/// `POST /error/reset`: `setup_token`, `action` (`reset` or `restore`), and for a restore `backup` and `passphrase`.
pub async fn reset(core: &Arc<Core>, caller: &Arc<Caller>, input: Input) -> Result<Reply, Refusal> {
    let form = input.form_with_errors(&["setup_token", "action", "backup", "passphrase"])?;
    let by = Arc::clone(caller);
    let form = core.work(move |house| may_reset(house, &by, form)).await??;
    if !form.errors.is_empty() {
        return refused(core, caller, form, 422).await;
    }
    let by = Arc::clone(caller);
    let actor = caller.actor();
    let done = match form.text("action") {
        "reset" => core.work(move |house| recovery::reset(house, &actor, by.now)).await?,
        _ => {
            let (name, phrase) = (form.text("backup").to_string(), form.fields.get("passphrase").cloned());
            let passphrase = phrase.unwrap_or_default().into_inner();
            core.work(move |house| recovery::restore(house, &name, &passphrase, &actor, by.now)).await?
        }
    };
    match done {
        Ok(()) => core.work(|house| Ok(Reply::redirect(house.phase().page(false)))).await?,
        Err(why) => {
            let by = Arc::clone(caller);
            let page = core.work(move |house| error_page(house, &by, &Form::default(), Some(&why))).await?;
            Ok(Reply { status: 422, ..page })
        }
    }
}

fn may_reset(house: &mut House, caller: &Caller, mut form: Form) -> Result<Form, Refusal> {
    throttle(house, caller)?;
    if !is_open_to_reset(house) {
        return Err(Refusal::forbidden("There are users: log in as an admin."));
    }
    if !house.setup.is_token(form.text("setup_token")) {
        return Err(Refusal::forbidden("This is not the setup token. It is in control/setup_token."));
    }
    if !matches!(form.text("action"), "reset" | "restore") {
        form.errors.insert("action".to_string(), "Expected reset or restore.".to_string());
    }
    Ok(form)
}

async fn refused(core: &Arc<Core>, caller: &Arc<Caller>, form: Form, status: u16) -> Result<Reply, Refusal> {
    let by = Arc::clone(caller);
    let page = core.work(move |house| error_page(house, &by, &form, None)).await?;
    Ok(Reply { status, ..page })
}
