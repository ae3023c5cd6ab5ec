//! The provisioning, for whoever waits for it.

use serde_json::json;

use crate::runtime::gate::Caller;
use crate::runtime::house::House;
use crate::runtime::protocol::{PageName, Reply};
use crate::runtime::reply::Refusal;

/// `GET /wait`.
pub fn page(house: &House, caller: &Caller) -> Result<Reply, Refusal> {
    let data = json!({ "status": house.provisioning.status() });
    Ok(Reply::page(PageName::Wait, caller.context(house), data))
}

/// `GET /api/v1/provisioning/status`.
pub fn status(house: &House) -> Result<Reply, Refusal> {
    Ok(Reply::json(house.provisioning.status()))
}
