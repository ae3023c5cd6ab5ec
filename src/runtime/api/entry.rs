//! What is open in every phase.

use serde_json::json;

use crate::runtime::gate::Caller;
use crate::runtime::house::House;
use crate::runtime::protocol::{PageName, Reply};
use crate::runtime::reply::Refusal;

/// `GET /api/v1/phase`.
pub fn phase(house: &House) -> Result<Reply, Refusal> {
    Ok(Reply::json(json!({ "phase": house.phase(), "bot_state": house.bot_state().word() })))
}

/// `GET /error`.
pub fn error_page(house: &House, caller: &Caller) -> Result<Reply, Refusal> {
    let faults: &[String] = if caller.is_admin() { &house.faults } else { &[] };
    Ok(Reply::page(PageName::Error, caller.context(house), json!({ "faults": faults })))
}
