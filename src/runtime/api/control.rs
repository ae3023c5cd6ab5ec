//! Start, stop, kill, acknowledge.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;

use crate::market::format_time;
use crate::runtime::core::Core;
use crate::runtime::flags::{self, Flag, Request};
use crate::runtime::gate::Caller;
use crate::runtime::house::House;
use crate::runtime::input::Input;
use crate::runtime::protocol::{Reply, Secret};
use crate::runtime::reply::Refusal;
use crate::runtime::{Event, Exposure, StateError, recovery};
use crate::settings::Key;
use crate::vault::audit::Action;

/// How a session is started.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Start {
    mode: String,
    #[serde(default)]
    confirm: Option<String>,
    #[serde(default)]
    current_password: Option<Secret>,
}

/// Nothing is to be said.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// `POST /api/v1/control/start`.
pub async fn start(core: &Arc<Core>, caller: &Arc<Caller>, input: &Input) -> Result<Reply, Refusal> {
    let Start { mode, confirm, current_password } = input.json()?;
    match mode.as_str() {
        "paper" => {}
        "live" => {
            if confirm.as_deref() != Some("LIVE") {
                return Err(Refusal::invalid_field("confirm", "Type LIVE to trade with real money."));
            }
            core.reauthenticate(caller, current_password.as_ref()).await?;
        }
        _ => return Err(Refusal::invalid_field("mode", "Expected paper or live.")),
    }
    let caller = Arc::clone(caller);
    core.work(move |house| {
        house.refuse_in_test()?;
        // The table knows where a session may begin; nothing is changed yet.
        house.bot_state().next(Event::Start).map_err(|error| Refusal::from(StateError::from(error)))?;
        let settings = &house.settings()?.settings;
        if settings.flag(Key::DisableAllTrades) {
            return Err(Refusal::conflict("trades_disabled", "DISABLE_ALL_TRADES is set."));
        }
        let broker = settings.text(Key::BrokerName).to_string();
        if broker == "SIM" && mode == "live" {
            return Err(Refusal::invalid_field("mode", "The simulated broker trades on paper only."));
        }
        let why = format!("There are no market data to trade on: nothing is connected to {broker} yet.");
        house.note(&caller, Action::ControlStart, &mode, "refused", why.clone());
        Err(Refusal::conflict("no_market_data", why))
    })
    .await?
}

/// `POST /api/v1/control/stop`.
pub fn stop(house: &mut House, caller: &Caller, input: &Input) -> Result<Reply, Refusal> {
    let Nothing {} = input.json()?;
    take_risk_away(house, caller, Flag::Stop, Action::ControlStop, Event::Stop)
}

/// `POST /api/v1/control/kill`.
pub fn kill(house: &mut House, caller: &Caller, input: &Input) -> Result<Reply, Refusal> {
    let Nothing {} = input.json()?;
    take_risk_away(house, caller, Flag::Kill, Action::ControlKill, Event::Kill)
}

/// What takes risk away is done even if it can be neither written nor audited.
fn take_risk_away(
    house: &mut House,
    caller: &Caller,
    flag: Flag,
    action: Action,
    event: fn(Exposure) -> Event,
) -> Result<Reply, Refusal> {
    let from = house.bot_state();
    let event = event(house.exposure());
    from.next(event).map_err(|error| Refusal::from(StateError::from(error)))?;
    let (user, utc) = (caller.actor().user, format_time(caller.now));
    // Without the flag the deed would be forgotten in a crash, and nothing else.
    let _ = flags::raise(&house.disk, flag, &Request { id: request_id(caller), utc, user, sha256: None });
    let change = house.state.apply(event, &caller.actor(), &mut house.audit, caller.now)?;
    let detail = json!({ "from": change.from.word(), "to": change.to.word() });
    house.note(caller, action, change.to.word(), "done", detail);
    if house.exposure() == Exposure::Flat {
        // Nothing is left to be closed.
        let _ = flags::lower(&house.disk, flag);
    }
    Ok(Reply::json(json!({ "bot_state": change.to.word() })))
}

/// `POST /api/v1/control/acknowledge`: back to work after a halt, if every start check passes.
pub fn acknowledge(house: &mut House, caller: &Caller, input: &Input) -> Result<Reply, Refusal> {
    let Nothing {} = input.json()?;
    let from = house.bot_state();
    from.next(Event::Acknowledged).map_err(|error| Refusal::from(StateError::from(error)))?;
    let acknowledged = recovery::acknowledge(house, &caller.actor(), caller.now);
    house.forget_settings();
    if let Err(faults) = acknowledged {
        let refused = json!({ "faults": faults });
        house.note(caller, Action::ControlAcknowledge, from.word(), "refused", refused);
        let why = format!("Not everything is well yet: {}.", faults.join("; "));
        let list = faults.into_iter().enumerate().map(|(k, fault)| (format!("{}", k + 1), fault));
        return Err(Refusal { fields: list.collect(), ..Refusal::conflict("checks_failed", why) });
    }
    for flag in [Flag::Stop, Flag::Kill, Flag::Start] {
        let _ = flags::lower(&house.disk, flag);
    }
    Ok(Reply::json(json!({ "bot_state": house.bot_state().word() })))
}

impl House {
    /// Whether positions or orders may be open. Orders come from a session only, and there is none that this program
    /// could have begun.
    pub fn exposure(&self) -> Exposure {
        Exposure::Flat
    }
}

fn request_id(caller: &Caller) -> String {
    match caller.peer.request_id.as_str() {
        "" => format!("{:x}", caller.now),
        id => id.to_string(),
    }
}
