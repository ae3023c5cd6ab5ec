//! The configuration of the first run.

use serde_json::{Value, json};

use crate::runtime::Phase;
use crate::runtime::clock::{self, NeedsLoopback};
use crate::runtime::configuration::{FIELDS, check};
use crate::runtime::gate::Caller;
use crate::runtime::house::House;
use crate::runtime::input::{Form, Input};
use crate::runtime::password_check::throttle;
use crate::runtime::protocol::{CookieChange, PageName, Reply};
use crate::runtime::provisioning::{self, ProvisioningError};
use crate::runtime::reply::Refusal;
use crate::vault::audit::{Action, Entry};

/// `GET /configuration`.
pub fn page(house: &House, caller: &Caller) -> Result<Reply, Refusal> {
    if house.phase() != Phase::Configuration && !caller.is_admin() {
        return match caller.user {
            None => Ok(Reply::redirect("/login")),
            Some(_) => Err(Refusal::forbidden("This is for admins only.")),
        };
    }
    let message = house.provisioning.failure().map(|why| format!("The last attempt was undone. {why}"));
    Ok(form_page(house, caller, &Form::default(), message.as_deref()))
}

/// `POST /configuration`. The lock of the house decides between posts at the same time: whoever comes first moves the
/// phase on.
pub fn submit(house: &mut House, caller: &Caller, input: &Input) -> Result<Reply, Refusal> {
    if house.phase() != Phase::Configuration {
        return Ok(Reply::redirect(caller.home(house)));
    }
    throttle(house, caller)?;
    let mut known: Vec<&str> = FIELDS.iter().map(|field| field.name).collect();
    known.push("setup_token");
    let mut form = input.form_with_errors(&known)?;
    if caller.peer.exposed && !house.setup.is_token(form.text("setup_token")) {
        let entry = Entry::new(caller.now, &caller.actor(), Action::ConfigSubmit, "configuration", "denied");
        house.audit.note(entry.detail("no valid setup token"));
        let why = "Enter the setup token. The core has printed it, and it is in control/setup_token.";
        form.errors.insert("setup_token".to_string(), why.to_string());
        return Ok(refused(house, caller, &form, 403, None));
    }
    let errors = check(|name| form.text(name)).err().unwrap_or_default();
    // What is wrong with a field as it was sent comes first.
    let errors = errors.into_iter().filter(|(name, _)| !form.errors.contains_key(name)).collect::<Vec<_>>();
    form.errors.extend(errors);
    if !form.errors.is_empty() {
        return Ok(refused(house, caller, &form, 422, Some("Some fields are not as they must be.")));
    }
    if let Err(NeedsLoopback { field }) = clock::check(house, |name| form.text(name)) {
        form.errors.insert(field.to_string(), NeedsLoopback::EXPECTED.to_string());
        return Ok(refused(house, caller, &form, 422, Some(NeedsLoopback::MESSAGE)));
    }
    match provisioning::accept(house, &form, &caller.actor(), caller.now) {
        Ok(ticket) => {
            let cookies = vec![CookieChange::Setup(ticket)];
            Ok(Reply { cookies, ..Reply::redirect("/wait") })
        }
        Err(ProvisioningError::Audit(_)) => Err(Refusal::audit_unavailable()),
        Err(error) => Err(Refusal::new(503, "not_stored", format!("Nothing was changed: {error}."))),
    }
}

fn refused(house: &House, caller: &Caller, form: &Form, status: u16, message: Option<&str>) -> Reply {
    Reply { status, ..form_page(house, caller, form, message) }
}

/// The form with what was entered, but no secret.
fn form_page(house: &House, caller: &Caller, form: &Form, message: Option<&str>) -> Reply {
    let plain = FIELDS.iter().filter(|field| !field.secret && form.fields.contains_key(field.name));
    let values: serde_json::Map<String, Value> =
        plain.map(|field| (field.name.to_string(), json!(form.text(field.name)))).collect();
    let initial = house.phase() == Phase::Configuration;
    let data = json!({
        "values": values,
        "set": [],
        "errors": form.errors,
        "message": message,
        "setup_token_needed": initial && caller.peer.exposed,
        "initial": initial,
    });
    Reply::page(PageName::Configuration, caller.context(house), data)
}
