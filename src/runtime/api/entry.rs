//! What is open in every phase.

use serde_json::json;

use crate::runtime::house::House;
use crate::runtime::protocol::Reply;
use crate::runtime::reply::Refusal;

/// `GET /api/v1/phase`.
pub fn phase(house: &House) -> Result<Reply, Refusal> {
    Ok(Reply::json(json!({ "phase": house.phase(), "bot_state": house.bot_state().word() })))
}
