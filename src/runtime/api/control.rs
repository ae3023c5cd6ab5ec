//! Start, stop, kill, acknowledge.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;

use crate::live::MarketClock;
use crate::market::format_time;
use crate::runtime::core::Core;
use crate::runtime::flags::{self, Flag, Request};
use crate::runtime::gate::Caller;
use crate::runtime::house::House;
use crate::runtime::input::Input;
use crate::runtime::protocol::{Reply, Secret};
use crate::runtime::reply::Refusal;
use crate::runtime::trading::{self, Wanted};
use crate::runtime::{Event, Exposure, StateError, recovery};
use crate::session::Command;
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
    let (by, clock) = (Arc::clone(caller), core.market_clock());
    let wanted = core.work(move |house| judge(house, &by, &mode, clock)).await??;
    let word = if wanted.live { "live" } else { "paper" };
    let prepared = tokio::task::spawn_blocking(move || trading::prepare(wanted));
    let prepared = prepared.await.map_err(|_| Refusal::internal("This failed inside the program. The log says more."));
    let (by, weak) = (Arc::clone(caller), Arc::downgrade(core));
    core.work(move |house| {
        let begun = prepared.and_then(|prepared| prepared).and_then(|prepared| {
            let id = prepared.id.clone();
            if house.trading.is_busy() {
                return Err(busy());
            }
            // One may have begun while the data were read.
            house.refuse_in_test()?;
            house.state.apply(Event::Start, &by.actor(), &mut house.audit, by.now).map_err(Refusal::from)?;
            let begun = trading::begin(weak, house, prepared, Vec::new(), Vec::new());
            if begun.is_err() {
                // It was declared and is not there.
                let ended = Event::SessionEnded(Exposure::Flat);
                let _ = house.state.apply(ended, &by.actor(), &mut house.audit, by.now);
            }
            begun.map(|()| id)
        });
        let _ = flags::lower(&house.disk, Flag::Start);
        match begun {
            Ok(id) => {
                house.note(&by, Action::ControlStart, word, "done", json!({ "session": id }));
                Ok(Reply::json(json!({ "bot_state": house.bot_state().word(), "session": id })))
            }
            Err(refusal) => {
                house.note(&by, Action::ControlStart, word, "failed", refusal.message.clone());
                Err(refusal)
            }
        }
    })
    .await?
}

/// Whether a session may begin; if so, it is written down that it was asked for.
fn judge(house: &mut House, caller: &Caller, mode: &str, clock: MarketClock) -> Result<Wanted, Refusal> {
    house.refuse_in_test()?;
    // The table knows where a session may begin; nothing is changed yet.
    house.bot_state().next(Event::Start).map_err(|error| Refusal::from(StateError::from(error)))?;
    if house.trading.is_busy() {
        return Err(busy());
    }
    let settings = house.settings()?.settings.clone();
    if settings.flag(Key::DisableAllTrades) {
        return Err(Refusal::conflict("trades_disabled", "DISABLE_ALL_TRADES is set."));
    }
    let broker = settings.text(Key::BrokerName);
    if broker == "SIM" && mode == "live" {
        return Err(Refusal::invalid_field("mode", "The simulated broker trades on paper only."));
    }
    let connection = match broker {
        "SIM" if settings.text(Key::SimData).is_empty() => {
            let why = "There are no market data to trade on: SIM_DATA names no data set.";
            Err(Refusal::conflict("no_market_data", why))
        }
        "SIM" => Ok(None),
        _ => house.broker(Arc::clone(&clock.now)).map(|broker| Some((broker, clock))),
    };
    let broker = match connection {
        Ok(broker) => broker,
        Err(refusal) => {
            house.note(caller, Action::ControlStart, mode, "refused", refusal.message.clone());
            return Err(refusal);
        }
    };
    let id = trading::next_id(house, mode, caller.now)?;
    let _recorded = house.record(caller, Action::ControlStart, mode, "begun", json!({ "session": id }))?;
    let (user, utc) = (caller.actor().user, format_time(caller.now));
    let request = Request { id: request_id(caller), utc, user, sha256: None };
    flags::raise(&house.disk, Flag::Start, &request).map_err(crate::vault::VaultError::from)?;
    let live = mode == "live";
    Ok(Wanted { disk: house.disk.clone(), identity: house.identity(), id, settings, live, broker })
}

fn busy() -> Refusal {
    Refusal::conflict("busy", "A session is just beginning or ending. Try again in a moment.").retry_after(2)
}

/// `GET /api/v1/orders/pending`.
pub fn pending(house: &House) -> Result<Reply, Refusal> {
    let running = house.trading.status().filter(|(_, runs)| *runs);
    let waiting = running.map(|(status, _)| status.waiting_orders.clone()).unwrap_or_default();
    Ok(Reply::json(json!({ "orders": waiting })))
}

/// `POST /api/v1/orders/pending/{id}/confirm` and `.../reject`.
pub async fn decide(core: &Arc<Core>, caller: &Arc<Caller>, input: &Input, confirmed: bool) -> Result<Reply, Refusal> {
    let Nothing {} = input.json()?;
    let none = || Refusal::not_found("No such order waits for confirmation.");
    let order: u32 = input.param("id").parse().map_err(|_| none())?;
    let (command, word) = match confirmed {
        true => (Command::Confirm { order }, "confirmed"),
        false => (Command::Decline { order }, "rejected"),
    };
    let by = Arc::clone(caller);
    let answer = core.work(move |house| -> Result<_, Refusal> {
        if !house.trading.is_busy() {
            return Ok(None);
        }
        // What enters the market by somebody's hand is audited first.
        let _recorded = house.record(&by, Action::OrderDecide, &order.to_string(), word, serde_json::Value::Null)?;
        Ok(house.trading.ask(command))
    });
    let answer = answer.await??.ok_or_else(none)?;
    match answer.await {
        Ok(true) => Ok(Reply::json(json!({ "id": order, "state": word }))),
        Ok(false) | Err(_) => Err(none()),
    }
}

/// `POST /api/v1/control/stop`.
pub fn stop(house: &mut House, caller: &Caller, input: &Input) -> Result<Reply, Refusal> {
    let Nothing {} = input.json()?;
    take_risk_away(house, caller, Flag::Stop, Action::ControlStop, Event::Stop, Command::Stop)
}

/// `POST /api/v1/control/kill`.
pub fn kill(house: &mut House, caller: &Caller, input: &Input) -> Result<Reply, Refusal> {
    let Nothing {} = input.json()?;
    take_risk_away(house, caller, Flag::Kill, Action::ControlKill, Event::Kill, Command::Kill)
}

/// What takes risk away is done even if it can be neither written nor audited.
fn take_risk_away(
    house: &mut House,
    caller: &Caller,
    flag: Flag,
    action: Action,
    event: fn(Exposure) -> Event,
    command: Command,
) -> Result<Reply, Refusal> {
    let from = house.bot_state();
    let event = event(house.exposure());
    from.next(event).map_err(|error| Refusal::from(StateError::from(error)))?;
    let (user, utc) = (caller.actor().user, format_time(caller.now));
    // Without the flag the deed would be forgotten in a crash, and nothing else.
    let _ = flags::raise(&house.disk, flag, &Request { id: request_id(caller), utc, user, sha256: None });
    // First of all; what the session says to it changes the state once more, if need be.
    house.trading.command(command);
    let change = house.state.apply(event, &caller.actor(), &mut house.audit, caller.now)?;
    let detail = json!({ "from": change.from.word(), "to": change.to.word() });
    house.note(caller, action, change.to.word(), "done", detail);
    if !house.trading.is_busy() {
        // Nothing is left to be closed; else whoever ends the session lowers it.
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
    /// Whether positions or orders may be open. Orders come from the session only.
    pub fn exposure(&self) -> Exposure {
        self.trading.exposure(self.bot_state())
    }
}

fn request_id(caller: &Caller) -> String {
    match caller.peer.request_id.as_str() {
        "" => format!("{:x}", caller.now),
        id => id.to_string(),
    }
}
