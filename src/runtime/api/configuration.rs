//! The configuration: entered once by whoever installs the bot, changed later by admins.

use serde_json::json;

use crate::runtime::Phase;
use crate::runtime::gate::Caller;
use crate::runtime::house::House;
use crate::runtime::protocol::{PageName, Reply};
use crate::runtime::reply::Refusal;

/// `GET /configuration`.
pub fn page(house: &House, caller: &Caller) -> Result<Reply, Refusal> {
    if house.phase() != Phase::Configuration && !caller.is_admin() {
        return match caller.user {
            None => Ok(Reply::redirect("/login")),
            Some(_) => Err(Refusal::forbidden("This is for admins only.")),
        };
    }
    Ok(Reply::page(PageName::Configuration, caller.context(house), json!({})))
}
