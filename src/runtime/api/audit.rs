//! The audit log.

use std::sync::Arc;

use serde_json::json;

use crate::runtime::core::Core;
use crate::runtime::gate::Caller;
use crate::runtime::house::House;
use crate::runtime::input::Input;
use crate::runtime::protocol::Reply;
use crate::runtime::reply::{Refusal, cut_to_fit};

/// `GET /api/v1/audit`: the newest entries first.
pub fn page(house: &mut House, caller: &Caller, input: &Input) -> Result<Reply, Refusal> {
    let offset = input.number("offset", 0, 0, u64::MAX)?;
    let limit = input.number("limit", 50, 1, 1_000)?;
    let mut page = house.audit.page(offset, limit, caller.now)?;
    cut_to_fit(&mut page.entries);
    Ok(Reply::json(json!({ "entries": page.entries, "total": page.total, "offset": offset })))
}

/// `GET /api/v1/audit/verify`: reads the whole log, without the lock.
pub async fn verify(core: &Arc<Core>, caller: &Arc<Caller>) -> Result<Reply, Refusal> {
    let now = caller.now;
    let verifier = core.work(move |house| house.audit.verifier(now)).await??;
    let verified = tokio::task::spawn_blocking(move || verifier.verify()).await;
    let verified = verified.map_err(|_| Refusal::internal("The audit log could not be checked."))??;
    Ok(Reply::json(json!({
        "ok": verified.ok,
        "entries": verified.entries,
        "first_bad_seq": verified.first_bad_seq,
        "reason": verified.reason,
    })))
}
