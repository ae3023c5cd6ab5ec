//! The first user, and everybody's own name, address and password.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use crate::runtime::gate::Caller;
use crate::runtime::house::House;
use crate::runtime::input::{Form, Input};
use crate::runtime::password_check::throttle;
use crate::runtime::protocol::{CookieChange, PageName, Reply, Secret};
use crate::runtime::reply::Refusal;
use crate::runtime::{Core, Phase};
use crate::vault::audit::{Action, Entry};
use crate::vault::users::{Email, NewPassword, NewUser, Storage, UserChange, UserError, Username};

const FIELDS: [&str; 6] = ["username", "email", "password", "password_confirm", "setup_token", "current_password"];

/// `GET /register`.
pub fn page(house: &House, caller: &Caller) -> Result<Reply, Refusal> {
    if house.phase() != Phase::Registration && caller.user.is_none() {
        return Ok(Reply::redirect("/login"));
    }
    Ok(form_page(house, caller, &Form::default(), None))
}

/// `POST /register`.
pub async fn submit(core: &Arc<Core>, caller: &Arc<Caller>, input: Input) -> Result<Reply, Refusal> {
    let by = Arc::clone(caller);
    let first = core.work(move |house| throttle(house, &by).map(|()| house.phase() == Phase::Registration)).await??;
    let form = input.form_with_errors(&FIELDS)?;
    match (first, &caller.user) {
        (true, _) => create_first(core, caller, form).await,
        (false, Some(_)) => change_own(core, caller, form).await,
        (false, None) => Err(Refusal::forbidden("There is a user already. Log in; an admin makes further users.")),
    }
}

async fn create_first(core: &Arc<Core>, caller: &Arc<Caller>, mut form: Form) -> Result<Reply, Refusal> {
    let by = Arc::clone(caller);
    let (form, allowed) = core
        .work(move |house| {
            let allowed = may_set_up(house, &by, &form);
            if !allowed {
                let why = "Enter the setup token. The core has printed it, and it is in control/setup_token.";
                form.errors.insert("setup_token".to_string(), why.to_string());
                let entry = Entry::new(by.now, &by.actor(), Action::UserCreate, "first user", "denied");
                house.audit.note(entry.detail("no ticket and no valid setup token"));
            }
            (form, allowed)
        })
        .await?;
    if !allowed {
        return refused(core, caller, form, 403).await;
    }
    let checked = match check_new(&form) {
        Ok(checked) => checked,
        Err(errors) => return refused(core, caller, with_errors(form, errors), 422).await,
    };
    let hash = core.hasher.hash(checked.password).await?;
    let new = NewUser { username: checked.username, email: checked.email, hash };
    let by = Arc::clone(caller);
    core.work(move |house| store_first(house, &by, &new)).await?
}

/// Whether the browser that configured asks, or somebody who has the setup token.
fn may_set_up(house: &House, caller: &Caller, form: &Form) -> bool {
    let ticket = caller.peer.setup.as_ref().is_some_and(|cookie| house.setup.is_ticket(cookie.expose()));
    ticket || house.setup.is_token(form.text("setup_token"))
}

/// One transaction decides: of two who try at once, the second finds a user.
fn store_first(house: &mut House, caller: &Caller, new: &NewUser) -> Result<Reply, Refusal> {
    let late = || Refusal::conflict("user_exists", "There is a user already. Log in.");
    if house.phase() != Phase::Registration {
        return Err(late());
    }
    let entry = Entry::new(caller.now, &caller.actor(), Action::UserCreate, new.username.as_str(), "ok");
    let recorded = house.audit.record(entry.detail(json!({ "role": "admin", "first": true })));
    let recorded = recorded.map_err(|_| Refusal::audit_unavailable())?;
    let (storage, users) = house.users_to_change();
    let users = users.ok_or_else(|| Refusal::internal("The users cannot be read."))?;
    match users.create_first(storage, new, recorded, caller.now) {
        Ok(_) => {
            // What cannot be removed now is worthless already, and the next start removes it.
            let _ = house.setup.end(&house.disk);
            Ok(Reply::redirect("/login"))
        }
        Err(error) => {
            failed(house, caller, Action::UserCreate, new.username.as_str());
            Err(match error {
                UserError::NotTheFirst => late(),
                other => refusal(&other),
            })
        }
    }
}

/// What of one's own is to be changed.
struct OwnChange {
    username: Option<Username>,
    email: Option<Email>,
    password: Option<NewPassword>,
}

async fn change_own(core: &Arc<Core>, caller: &Arc<Caller>, form: Form) -> Result<Reply, Refusal> {
    let Some(user) = &caller.user else { return Err(Refusal::not_logged_in()) };
    let id = user.user_id;
    let known = core.work(move |house| house.users.as_ref().and_then(|users| users.get(id).ok().flatten())).await?;
    let known = known.ok_or_else(Refusal::not_logged_in)?;
    let change = match check_change(&form, &known.username, &known.email) {
        Ok(change) => change,
        Err(errors) => return refused(core, caller, with_errors(form, errors), 422).await,
    };
    match core.reauthenticate(caller, form.secret("current_password")).await {
        Ok(()) => {}
        Err(wrong) if wrong.status == 429 => return Err(wrong),
        Err(wrong) => {
            let why = wrong.fields.get("current_password").unwrap_or(&wrong.message).clone();
            let errors = BTreeMap::from([("current_password".to_string(), why)]);
            return refused(core, caller, with_errors(form, errors), wrong.status).await;
        }
    }
    let hash = match change.password {
        Some(password) => Some(core.hasher.hash(password).await?),
        None => None,
    };
    let change = UserChange { username: change.username, email: change.email, hash, ..UserChange::default() };
    let by = Arc::clone(caller);
    match core.work(move |house| store_own(house, &by, id, &change)).await? {
        Err(taken) if taken.status == 422 => {
            let errors = taken.fields.clone();
            refused(core, caller, with_errors(form, errors), 422).await
        }
        other => other,
    }
}

fn store_own(house: &mut House, caller: &Caller, id: i64, change: &UserChange) -> Result<Reply, Refusal> {
    let Some(session) = caller.user.as_ref().map(|user| user.session) else { return Err(Refusal::not_logged_in()) };
    let changed: Vec<&str> = [
        change.username.as_ref().map(|_| "username"),
        change.email.as_ref().map(|_| "email"),
        change.hash.as_ref().map(|_| "password"),
    ]
    .into_iter()
    .flatten()
    .collect();
    update(house, caller, id, change, json!({ "changed": changed }))?;
    house.sessions.revoke_user(id, Some(session));
    let keys = house.session_keys().clone();
    let token = house.sessions.renew(session, &keys, caller.now).map_err(|_| Refusal::not_logged_in())?;
    house.audit.note(Entry::new(caller.now, &caller.actor(), Action::SessionRotate, &id.to_string(), "ok"));
    let cookies = vec![CookieChange::Session(Secret::new(token.as_str()))];
    Ok(Reply { cookies, ..Reply::redirect("/account") })
}

/// Changes a user after the audit log has taken the entry.
///
/// # Errors
/// The entry or the change was refused.
pub fn update(
    house: &mut House,
    caller: &Caller,
    id: i64,
    change: &UserChange,
    detail: serde_json::Value,
) -> Result<crate::vault::users::User, Refusal> {
    let target = id.to_string();
    let entry = Entry::new(caller.now, &caller.actor(), Action::UserUpdate, &target, "ok").detail(detail);
    let recorded = house.audit.record(entry).map_err(|_| Refusal::audit_unavailable())?;
    let storage = Storage { disk: &house.disk, keys: &house.keys };
    let users = house.users.as_mut().ok_or_else(|| Refusal::internal("The users cannot be read."))?;
    users.update(storage, id, change, recorded, caller.now).map_err(|error| {
        failed(house, caller, Action::UserUpdate, &target);
        refusal(&error)
    })
}

/// Notes that what was recorded as done was not.
pub fn failed(house: &mut House, caller: &Caller, action: Action, target: &str) {
    house.audit.note(Entry::new(caller.now, &caller.actor(), action, target, "failed"));
}

/// What somebody is told whose change of users was refused.
pub fn refusal(error: &UserError) -> Refusal {
    let words = format!("{error}.");
    match error {
        UserError::NameTaken => Refusal::invalid_field("username", words),
        UserError::Unknown(_) => Refusal::not_found("There is no such user."),
        UserError::LastAdmin => Refusal::conflict("last_admin", words),
        UserError::NotTheFirst | UserError::TooMany => Refusal::conflict("too_many", words),
        UserError::NotRecorded(_) | UserError::Vault(_) => {
            Refusal::new(503, "not_stored", "The change could not be stored; nothing was changed.")
        }
    }
}

/// A new user whose fields keep the rules.
pub struct Checked {
    pub username: Username,
    pub email: Email,
    pub password: NewPassword,
}

/// Checks the fields of a new user.
fn check_new(form: &Form) -> Result<Checked, BTreeMap<String, String>> {
    let nothing = Secret::default();
    let password = form.fields.get("password").unwrap_or(&nothing);
    let checked = check_fields(form.text("username"), form.text("email"), password);
    let mut errors = form.errors.clone();
    if password.expose() != form.fields.get("password_confirm").unwrap_or(&nothing).expose() {
        errors.insert("password_confirm".to_string(), "Enter the same password twice.".to_string());
    }
    match checked {
        Ok(checked) if errors.is_empty() => Ok(checked),
        Ok(_) => Err(errors),
        Err(more) => {
            errors.extend(more);
            Err(errors)
        }
    }
}

/// Checks name, address and password of a new user.
///
/// # Errors
/// By field, what is wrong.
pub fn check_fields(username: &str, email: &str, password: &Secret) -> Result<Checked, BTreeMap<String, String>> {
    let mut errors = BTreeMap::new();
    let mut wrong = |name: &str, why: String| {
        errors.insert(name.to_string(), format!("{why}."));
    };
    let name = Username::new(username).map_err(|error| wrong("username", error.to_string()));
    let address = Email::new(email).map_err(|error| wrong("email", error.to_string()));
    let password = NewPassword::new(password.clone().into_inner(), username, email)
        .map_err(|error| wrong("password", error.to_string()));
    match (name, address, password) {
        (Ok(username), Ok(email), Ok(password)) => Ok(Checked { username, email, password }),
        _ => Err(errors),
    }
}

fn check_change(form: &Form, username: &str, email: &str) -> Result<OwnChange, BTreeMap<String, String>> {
    let mut errors = form.errors.clone();
    let given =
        |name: &str, now: &str| Some(form.text(name).to_string()).filter(|text| !text.is_empty() && text != now);
    let (new_name, new_email) = (given("username", username), given("email", email));
    let mut wrong = |name: &str, why: String| {
        errors.insert(name.to_string(), format!("{why}."));
    };
    let name = new_name.as_deref().map(Username::new).transpose();
    let name = name.map_err(|error| wrong("username", error.to_string())).ok().flatten();
    let address = new_email.as_deref().map(Email::new).transpose();
    let address = address.map_err(|error| wrong("email", error.to_string())).ok().flatten();
    let password = form.secret("password").map(|password| {
        let (name, email) = (new_name.as_deref().unwrap_or(username), new_email.as_deref().unwrap_or(email));
        NewPassword::new(password.clone().into_inner(), name, email)
    });
    let password = password.transpose().map_err(|error| wrong("password", error.to_string())).ok().flatten();
    let (typed, again) = (form.fields.get("password"), form.fields.get("password_confirm"));
    if typed.map_or("", Secret::expose) != again.map_or("", Secret::expose) {
        wrong("password_confirm", "Enter the same password twice".to_string());
    }
    if form.secret("current_password").is_none() {
        wrong("current_password", "Enter your current password".to_string());
    }
    if errors.is_empty() && name.is_none() && address.is_none() && password.is_none() {
        errors.insert("username".to_string(), "Nothing is to be changed.".to_string());
    }
    if errors.is_empty() { Ok(OwnChange { username: name, email: address, password }) } else { Err(errors) }
}

fn with_errors(form: Form, errors: BTreeMap<String, String>) -> Form {
    Form { errors, ..form }
}

async fn refused(core: &Arc<Core>, caller: &Arc<Caller>, form: Form, status: u16) -> Result<Reply, Refusal> {
    let by = Arc::clone(caller);
    let page = core.work(move |house| form_page(house, &by, &form, Some("Some fields are not as they must be.")));
    Ok(Reply { status, ..page.await? })
}

/// The form with what was entered, but no password.
fn form_page(house: &House, caller: &Caller, form: &Form, message: Option<&str>) -> Reply {
    let first = house.phase() == Phase::Registration;
    let known = caller.peer.setup.as_ref().is_some_and(|cookie| house.setup.is_ticket(cookie.expose()));
    let data = json!({
        "values": { "username": form.text("username"), "email": form.text("email") },
        "errors": form.errors,
        "message": message,
        "setup_token_needed": first && !known,
        "first": first,
    });
    Reply::page(PageName::Register, caller.context(house), data)
}
