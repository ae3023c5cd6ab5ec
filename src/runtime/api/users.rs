//! Users and their sessions, for admins; everybody's own sessions.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;

use super::register::{check_fields, failed, refusal, update};
use crate::market::format_time;
use crate::runtime::Core;
use crate::runtime::gate::Caller;
use crate::runtime::house::House;
use crate::runtime::input::Input;
use crate::runtime::protocol::{CookieChange, PageName, Reply, Secret};
use crate::runtime::reply::Refusal;
use crate::settings::Key;
use crate::vault::audit::{Action, Entry};
use crate::vault::users::{Email, NewPassword, NewUser, Role, User, UserChange, Username};

/// `GET /account`.
pub fn page(house: &House, caller: &Caller) -> Result<Reply, Refusal> {
    Ok(Reply::page(PageName::Account, caller.context(house), json!({})))
}

/// `GET /api/v1/users`.
pub fn list(house: &House) -> Result<Reply, Refusal> {
    let users = house.users.as_ref().and_then(|users| users.list().ok());
    users.map(Reply::json).ok_or_else(|| Refusal::internal("The users cannot be read."))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Create {
    username: String,
    email: String,
    #[serde(default)]
    role: Option<Role>,
    password: Secret,
    #[serde(default)]
    current_password: Option<Secret>,
}

/// `POST /api/v1/users`.
pub async fn create(core: &Arc<Core>, caller: &Arc<Caller>, input: Input) -> Result<Reply, Refusal> {
    let body: Create = input.json()?;
    let checked = check_fields(&body.username, &body.email, &body.password).map_err(Refusal::invalid)?;
    core.reauthenticate(caller, body.current_password.as_ref()).await?;
    let role = core.work(move |house| role_of_new(house, body.role)).await??;
    let hash = core.hasher.hash(checked.password).await?;
    let new = NewUser { username: checked.username, email: checked.email, hash };
    let by = Arc::clone(caller);
    core.work(move |house| store(house, &by, &new, role)).await?
}

/// The role of a new user: what is asked for, or DEFAULT_USER_ROLE. With RBAC_ENABLED=false the one admin stays alone.
fn role_of_new(house: &mut House, asked: Option<Role>) -> Result<Role, Refusal> {
    let settings = &house.settings()?.settings;
    if !settings.flag(Key::RbacEnabled) {
        let why = "RBAC_ENABLED is false: there is one admin and no further user.";
        return Err(Refusal::conflict("single_admin", why));
    }
    let default = if settings.text(Key::DefaultUserRole) == Role::Admin.word() { Role::Admin } else { Role::Viewer };
    Ok(asked.unwrap_or(default))
}

fn store(house: &mut House, caller: &Caller, new: &NewUser, role: Role) -> Result<Reply, Refusal> {
    still_admin(house, caller)?;
    let target = new.username.as_str();
    let entry = Entry::new(caller.now, &caller.actor(), Action::UserCreate, target, "ok");
    let recorded = house.audit.record(entry.detail(json!({ "role": role })));
    let recorded = recorded.map_err(|_| Refusal::audit_unavailable())?;
    let (storage, users) = house.users_to_change();
    let users = users.ok_or_else(|| Refusal::internal("The users cannot be read."))?;
    match users.create(storage, new, role, recorded, caller.now) {
        Ok(id) => Ok(Reply::with_status(201, json!({ "id": id }))),
        Err(error) => {
            failed(house, caller, Action::UserCreate, target);
            Err(refusal(&error))
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    #[serde(default)]
    username: Option<String>,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    role: Option<Role>,
    #[serde(default)]
    disabled: Option<bool>,
    #[serde(default)]
    password: Option<Secret>,
    #[serde(default)]
    current_password: Option<Secret>,
}

/// `PATCH /api/v1/users/{id}`.
pub async fn change(core: &Arc<Core>, caller: &Arc<Caller>, input: Input) -> Result<Reply, Refusal> {
    let body: Change = input.json()?;
    let id = user_id(&input)?;
    let known = core.work(move |house| find(house, id)).await??;
    let invalid = |name: &str, why: String| Refusal::invalid_field(name, format!("{why}."));
    let username = body.username.as_deref().map(Username::new).transpose();
    let username = username.map_err(|error| invalid("username", error.to_string()))?;
    let email = body.email.as_deref().map(Email::new).transpose();
    let email = email.map_err(|error| invalid("email", error.to_string()))?;
    let password = body.password.map(|password| {
        let name = body.username.as_deref().unwrap_or(&known.username);
        NewPassword::new(password.into_inner(), name, body.email.as_deref().unwrap_or(&known.email))
    });
    let password = password.transpose().map_err(|error| invalid("password", error.to_string()))?;
    // A role that somebody has already is no change.
    let role = body.role.filter(|role| *role != known.role);
    if password.is_some() || role.is_some() {
        core.reauthenticate(caller, body.current_password.as_ref()).await?;
    }
    let hash = match password {
        Some(password) => Some(core.hasher.hash(password).await?),
        None => None,
    };
    let change = UserChange { username, email, role, disabled: body.disabled, hash };
    let by = Arc::clone(caller);
    core.work(move |house| store_change(house, &by, id, &change)).await?
}

fn store_change(house: &mut House, caller: &Caller, id: i64, change: &UserChange) -> Result<Reply, Refusal> {
    still_admin(house, caller)?;
    let detail = json!({
        "username": change.username.as_ref().map(Username::as_str),
        "email": change.email.as_ref().map(Email::as_str),
        "role": change.role,
        "disabled": change.disabled,
        "password": change.hash.is_some(),
    });
    let user = update(house, caller, id, change, detail)?;
    let mut cookies = Vec::new();
    let own = caller.user.as_ref().filter(|user| user.user_id == id).map(|user| user.session);
    if user.disabled || change.hash.is_some() {
        house.sessions.revoke_user(id, own.filter(|_| !user.disabled));
    }
    // Whose rights or password changed gets a new token: with this answer, others with their next one.
    if change.role.is_some() {
        house.sessions.renew_user(id);
    }
    let keys = house.session_keys().clone();
    if let (Some(session), true) = (own, change.hash.is_some() || change.role.is_some())
        && let Ok(token) = house.sessions.renew(session, &keys, caller.now)
    {
        cookies.push(CookieChange::Session(Secret::new(token.as_str())));
    }
    Ok(Reply { cookies, ..Reply::json(user) })
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Delete {
    #[serde(default)]
    current_password: Option<Secret>,
}

/// `DELETE /api/v1/users/{id}`.
pub async fn delete(core: &Arc<Core>, caller: &Arc<Caller>, input: Input) -> Result<Reply, Refusal> {
    let body = if input.is_empty() { Delete::default() } else { input.json()? };
    let id = user_id(&input)?;
    core.reauthenticate(caller, body.current_password.as_ref()).await?;
    let by = Arc::clone(caller);
    core.work(move |house| remove(house, &by, id)).await?
}

fn remove(house: &mut House, caller: &Caller, id: i64) -> Result<Reply, Refusal> {
    still_admin(house, caller)?;
    let user = find(house, id)?;
    let target = id.to_string();
    let entry = Entry::new(caller.now, &caller.actor(), Action::UserDelete, &target, "ok");
    let recorded = house.audit.record(entry.detail(json!({ "username": user.username })));
    let recorded = recorded.map_err(|_| Refusal::audit_unavailable())?;
    let (storage, users) = house.users_to_change();
    let users = users.ok_or_else(|| Refusal::internal("The users cannot be read."))?;
    if let Err(error) = users.delete(storage, id, recorded, caller.now) {
        failed(house, caller, Action::UserDelete, &target);
        return Err(refusal(&error));
    }
    house.sessions.revoke_user(id, None);
    Ok(Reply::with_status(204, serde_json::Value::Null))
}

/// `GET /api/v1/users/{id}/sessions`.
pub fn sessions(house: &House, caller: &Caller, input: &Input) -> Result<Reply, Refusal> {
    let id = user_id(input)?;
    own_or_admin(caller, id)?;
    find(house, id)?;
    let current = caller.user.as_ref().map(|user| user.session);
    let rows = house.sessions.of_user(id, caller.now).into_iter().map(|info| {
        json!({
            "session": info.session,
            "created_utc": format_time(info.created),
            "last_seen_utc": format_time(info.last_seen),
            "ip": info.ip,
            "agent": info.agent,
            "current": Some(info.session) == current,
        })
    });
    Ok(Reply::json(rows.collect::<Vec<_>>()))
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Revoke {
    /// The number of one session; without it, all.
    #[serde(default)]
    session: Option<u64>,
    /// Says so in words.
    #[serde(default)]
    all: bool,
}

/// `POST /api/v1/users/{id}/sessions/revoke`.
pub fn revoke(house: &mut House, caller: &Caller, input: &Input) -> Result<Reply, Refusal> {
    let id = user_id(input)?;
    own_or_admin(caller, id)?;
    let body = if input.is_empty() { Revoke::default() } else { input.json()? };
    find(house, id)?;
    if body.session.is_some() && body.all {
        return Err(Refusal::invalid_field("session", "Name one session, or all, not both."));
    }
    let target = format!("{id}/{}", body.session.map_or("all".to_string(), |session| session.to_string()));
    let entry = Entry::new(caller.now, &caller.actor(), Action::SessionRevoke, &target, "ok");
    let _recorded = house.audit.record(entry).map_err(|_| Refusal::audit_unavailable())?;
    let revoked = match body.session {
        Some(session) if house.sessions.revoke(id, session) => 1,
        Some(_) => return Err(Refusal::not_found("There is no such session.")),
        None => house.sessions.revoke_user(id, None),
    };
    Ok(Reply::json(json!({ "revoked": revoked })))
}

fn user_id(input: &Input) -> Result<i64, Refusal> {
    let id = input.param("id").parse().ok().filter(|id| *id > 0);
    id.ok_or_else(|| Refusal::not_found("There is no such user."))
}

fn find(house: &House, id: i64) -> Result<User, Refusal> {
    let users = house.users.as_ref().ok_or_else(|| Refusal::internal("The users cannot be read."))?;
    let found = users.get(id).map_err(|_| Refusal::internal("The users cannot be read."))?;
    found.ok_or_else(|| Refusal::not_found("There is no such user."))
}

fn own_or_admin(caller: &Caller, id: i64) -> Result<(), Refusal> {
    let own = caller.user.as_ref().is_some_and(|user| user.user_id == id);
    if own || caller.is_admin() { Ok(()) } else { Err(Refusal::forbidden("These are somebody else's sessions.")) }
}

/// While a password was hashed, whoever asked may have lost the right to it.
fn still_admin(house: &House, caller: &Caller) -> Result<(), Refusal> {
    let user = caller.user.as_ref().and_then(|user| find(house, user.user_id).ok());
    let alive = caller.user.as_ref().is_some_and(|user| house.sessions.is_alive(user.session, caller.now));
    match user {
        Some(user) if alive && user.role == Role::Admin && !user.disabled => Ok(()),
        _ => Err(Refusal::forbidden("This is for admins only.")),
    }
}
