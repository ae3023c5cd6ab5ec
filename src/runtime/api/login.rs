//! Logging in and out.

use std::sync::Arc;

use serde_json::json;

use crate::market::format_time;
use crate::runtime::Core;
use crate::runtime::gate::Caller;
use crate::runtime::house::House;
use crate::runtime::input::Input;
use crate::runtime::password_check::{Failure, WRONG};
use crate::runtime::protocol::{CookieChange, PageName, Reply, Secret};
use crate::runtime::reply::Refusal;
use crate::vault::audit::{Action, Entry};
use crate::vault::users::{Role, User};

/// `GET /login`.
pub fn page(house: &House, caller: &Caller) -> Result<Reply, Refusal> {
    if caller.user.is_some() {
        return Ok(Reply::redirect(caller.home(house)));
    }
    Ok(form_page(house, caller, "", None, None))
}

/// `POST /login`. Whatever is wrong, the answer has the same words.
pub async fn submit(core: &Arc<Core>, caller: &Arc<Caller>, input: Input) -> Result<Reply, Refusal> {
    let form = input.form_with_errors(&["username", "password"])?;
    let name = form.text("username").to_string();
    let nothing = Secret::default();
    let password = form.fields.get("password").unwrap_or(&nothing);
    let by = Arc::clone(caller);
    match core.check_password(&name, password, caller).await {
        Ok(user) => core.work(move |house| log_in(house, &by, &user)).await?,
        Err(failure) => {
            let refusal = Refusal::from(failure);
            let (status, retry_after) = (refusal.status, refusal.retry_after);
            let words = match failure {
                Failure::Wrong | Failure::Locked { .. } => WRONG.to_string(),
                Failure::Busy | Failure::Failed => refusal.message,
            };
            let page = move |house: &mut House| form_page(house, &by, &name, Some(&words), retry_after);
            Ok(Reply { status, retry_after, ..core.work(page).await? })
        }
    }
}

fn log_in(house: &mut House, caller: &Caller, user: &User) -> Result<Reply, Refusal> {
    let keys = house.session_keys().clone();
    for presented in &caller.peer.sessions {
        house.sessions.log_out(presented.expose(), &keys, caller.now);
    }
    let (ip, agent) = (&caller.peer.ip, &caller.peer.agent);
    let token = house.sessions.log_in(user.id, None, ip, agent, &keys, caller.now);
    let token = token.map_err(|error| Refusal::internal(error.to_string()))?;
    // A login is no privileged deed by itself: on a full disk somebody must be able to stop the bot.
    let mut actor = caller.actor();
    actor.user.clone_from(&user.username);
    house.audit.note(Entry::new(caller.now, &actor, Action::LoginOk, &user.username, "ok"));
    let cookies = vec![CookieChange::Session(Secret::new(token.as_str()))];
    let to = match house.phase() {
        crate::runtime::Phase::Main => "/main",
        _ => "/error",
    };
    Ok(Reply { cookies, ..Reply::redirect(to) })
}

/// `POST /logout`.
pub fn log_out(house: &mut House, caller: &Caller) -> Result<Reply, Refusal> {
    let keys = house.session_keys().clone();
    for presented in &caller.peer.sessions {
        house.sessions.log_out(presented.expose(), &keys, caller.now);
    }
    if let Some(user) = &caller.user {
        let entry = Entry::new(caller.now, &caller.actor(), Action::Logout, &user.account.username, "ok");
        house.audit.note(entry);
    }
    Ok(Reply { cookies: vec![CookieChange::LoggedOut], ..Reply::redirect("/login") })
}

/// `GET /api/v1/session`.
pub fn session(house: &House, caller: &Caller) -> Result<Reply, Refusal> {
    let user = caller.user.as_ref().ok_or_else(Refusal::not_logged_in)?;
    Ok(Reply::json(json!({
        "authenticated": true,
        "id": user.user_id,
        "username": user.account.username,
        "role": user.account.role,
        "admin": user.account.role == Role::Admin,
        "session": user.session,
        "csrf_token": house.sessions.csrf(user.session),
        "idle_expires_utc": format_time(user.idle_expires),
        "absolute_expires_utc": format_time(user.absolute_expires),
    })))
}

fn form_page(house: &House, caller: &Caller, name: &str, message: Option<&str>, retry_after: Option<u64>) -> Reply {
    let data = json!({ "values": { "username": name }, "message": message, "retry_after": retry_after });
    Reply::page(PageName::Login, caller.context(house), data)
}
