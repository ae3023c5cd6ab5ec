//! Keys: what may be told of them, and giving a category a new one.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::runtime::core::Core;
use crate::runtime::gate::Caller;
use crate::runtime::house::House;
use crate::runtime::input::Input;
use crate::runtime::protocol::{CookieChange, Reply, Secret};
use crate::runtime::provisioning;
use crate::runtime::reply::Refusal;
use crate::vault::audit::Action;
use crate::vault::{AuditSink, Category, Keys, rotation};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rotate {
    current_password: Option<Secret>,
}

/// `GET /api/v1/keys`.
pub fn list(house: &House) -> Result<Reply, Refusal> {
    Ok(Reply::json(house.keys.list()))
}

/// `POST /api/v1/keys/{category}/rotate`. A key that is lost or foreign is replaced in the same way.
pub async fn rotate(core: &Arc<Core>, caller: &Arc<Caller>, input: &Input) -> Result<Reply, Refusal> {
    let Rotate { current_password } = input.json()?;
    let category: Category =
        input.param("category").parse().map_err(|_| Refusal::not_found("There is no such category of keys."))?;
    core.reauthenticate(caller, current_password.as_ref()).await?;
    let _alone = core.upkeep_alone()?;
    let caller = Arc::clone(caller);
    core.work(move |house| house.update(&caller, |house| rotated(house, &caller, category))).await?
}

fn rotated(house: &mut House, caller: &Caller, category: Category) -> Result<Reply, Refusal> {
    if category == Category::Audit && house.keys.get(category).is_ok() {
        let broken = "The audit log is broken or cannot be read; it keeps its key.";
        house.audit.check_rekey().map_err(|_| Refusal::conflict("audit_broken", broken))?;
    }
    let (disk, actor, now) = (house.disk.clone(), caller.actor(), caller.now);
    // The keys in memory may be older than what is wrong on the disk: a lost key must be seen as lost.
    let (keys, _) = Keys::open(&disk)?;
    house.take_keys(keys);
    let rotated = rotation::rotate(&disk, &mut house.keys, &mut house.audit, category, &actor, now)?;
    house.forget_settings();
    provisioning::refill(house, category, now)
        .map_err(|error| Refusal::new(503, "not_stored", format!("The key is new, but not all is well: {error}.")))?;
    let mut reply = Reply::json(json!({ "fingerprint": rotated.fingerprint, "set_aside": rotated.set_aside }));
    if category == Category::Session {
        let ended = house.sessions.revoke_all();
        house.note(caller, Action::SessionRevoke, "all", "done", json!({ "sessions": ended }));
        reply.cookies.push(CookieChange::LoggedOut);
    }
    if !rotated.set_aside.is_empty() {
        let detail = Value::from(rotated.set_aside);
        house.note(caller, Action::DecryptFail, category.name(), "set aside", detail);
    }
    Ok(reply)
}
