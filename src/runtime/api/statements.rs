//! Files of the broker: taken in, compared with the ledger, and what was done about the differences.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::AsyncRead;

use super::paging;
use crate::accounting::{BooksError, MOST_UPLOAD_BYTES, Resolution};
use crate::runtime::core::Core;
use crate::runtime::gate::Caller;
use crate::runtime::house::House;
use crate::runtime::input::Input;
use crate::runtime::protocol::Reply;
use crate::runtime::reply::Refusal;
use crate::runtime::transfer::receive;
use crate::vault::audit::Action;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reconcile {
    upload_id: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Resolve {
    action: String,
    note: String,
}

/// `POST /api/v1/ledger/upload`.
pub async fn upload(
    core: &Arc<Core>,
    caller: &Arc<Caller>,
    input: &Input,
    from: &mut (impl AsyncRead + Unpin),
) -> Result<Reply, Refusal> {
    let Nothing {} = input.json()?;
    let content = receive(from, MOST_UPLOAD_BYTES).await?;
    let by = Arc::clone(caller);
    core.work(move |house| {
        let detail = json!({ "bytes": content.len() });
        let recorded = house.record(&by, Action::LedgerUpload, "statement", "begun", detail)?;
        let taken =
            house.change_books(&by, recorded, |storage, books, deed| books.upload_statement(storage, &content, deed));
        match taken {
            Ok(receipt) => {
                let detail = json!({ "rows": receipt.rows, "errors": receipt.errors.len() });
                house.note(&by, Action::LedgerUpload, &receipt.upload_id.to_string(), "done", detail);
                Ok(Reply::json(receipt))
            }
            Err(refusal) => {
                house.note(&by, Action::LedgerUpload, "statement", "failed", refusal.code);
                Err(refusal)
            }
        }
    })
    .await?
}

/// `POST /api/v1/ledger/reconcile`.
pub fn reconcile(house: &mut House, caller: &Caller, input: &Input) -> Result<Reply, Refusal> {
    let Reconcile { upload_id } = input.json()?;
    let target = upload_id.to_string();
    let recorded = house.record(caller, Action::LedgerReconcile, &target, "begun", Value::Null)?;
    let compared =
        house.change_books(caller, recorded, |storage, books, deed| books.reconcile(storage, upload_id, deed));
    match compared {
        Ok(result) => {
            house.note(caller, Action::LedgerReconcile, &target, "done", json!(result));
            Ok(Reply::json(result))
        }
        Err(refusal) => {
            house.note(caller, Action::LedgerReconcile, &target, "failed", refusal.code);
            Err(refusal)
        }
    }
}

/// `GET /api/v1/ledger/discrepancies`: the newest first; all, or open ones only.
pub fn discrepancies(house: &House, input: &Input) -> Result<Reply, Refusal> {
    let offset = input.number("offset", 0, 0, u64::MAX)?;
    let limit = input.number("limit", 100, 1, 1_000)?;
    let open_only = match input.query("open").as_deref() {
        None | Some("" | "false") => false,
        Some("true") => true,
        Some(_) => return Err(Refusal::invalid_field("open", "Expected true or false.")),
    };
    let found = house.books()?.discrepancies(open_only)?;
    let open = found.iter().filter(|one| one.action.is_none()).count();
    let total = found.len();
    let page = paging::page(found, offset, limit);
    Ok(Reply::json(json!({ "discrepancies": page, "total": total, "open": open, "offset": offset })))
}

/// `POST /api/v1/ledger/discrepancies/{id}/resolve`.
pub fn resolve(house: &mut House, caller: &Caller, input: &Input) -> Result<Reply, Refusal> {
    let Resolve { action, note } = input.json()?;
    let resolution: Resolution = serde_json::from_value(Value::from(action))
        .map_err(|_| Refusal::invalid_field("action", "Expected keep_ledger, corrected, book or ignored."))?;
    let id = input.param("id").parse().ok().filter(|id| *id > 0);
    let id: i64 = id.ok_or_else(|| Refusal::not_found("There is no such discrepancy."))?;
    let before = house.books()?.discrepancy(id)?.ok_or(BooksError::UnknownDiscrepancy(id))?;
    let target = id.to_string();
    let detail = json!({ "action": resolution, "note": note, "detail": before.detail });
    let recorded = house.record(caller, Action::LedgerResolve, &target, "begun", detail)?;
    let resolved = house.change_books(caller, recorded, |storage, books, deed| {
        books.resolve_discrepancy(storage, id, resolution, &note, deed)?;
        books.discrepancy(id)?.ok_or(BooksError::UnknownDiscrepancy(id))
    });
    match resolved {
        Ok(resolved) => {
            house.note(caller, Action::LedgerResolve, &target, "done", json!({ "entry": resolved.entry }));
            if resolution == Resolution::Book {
                house.export_ledger_if_wanted(caller.now);
            }
            Ok(Reply::json(resolved))
        }
        Err(refusal) => {
            house.note(caller, Action::LedgerResolve, &target, "failed", refusal.code);
            Err(refusal)
        }
    }
}
