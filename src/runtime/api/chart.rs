//! The chart of accounts: shown, edited as a whole, exported.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;

use super::ledger::file_name;
use super::paging;
use crate::accounting::{Account, BooksError, ChartFormat, SystemAccount};
use crate::runtime::core::Core;
use crate::runtime::gate::Caller;
use crate::runtime::house::House;
use crate::runtime::input::Input;
use crate::runtime::logs::{Level, LogName, Record};
use crate::runtime::protocol::Reply;
use crate::runtime::reply::Refusal;
use crate::runtime::start;
use crate::runtime::transfer::Sending;
use crate::vault::DiskError;
use crate::vault::audit::Action;

/// Every edit with its whole diff, one line of JSON each.
const EDIT_LOG: &str = "logs/web/coa_edit.log";
const EDIT_LOG_FOLDER: &str = "logs/web";

/// A whole new chart.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Edit {
    /// The version that was edited.
    coa_version: String,
    accounts: Vec<Account>,
    reason: String,
}

/// `GET /api/v1/coa`: the chart in force, with the accounts that postings need and those that have entries.
pub fn get(house: &House) -> Result<Reply, Refusal> {
    let books = house.books()?;
    let version = books.chart_version();
    let mut body = json!(books.chart_document());
    body["updated_by"] = json!(version.user);
    body["reason"] = json!(version.reason);
    body["system_accounts"] = json!(SystemAccount::ALL.iter().map(|account| account.code()).collect::<Vec<_>>());
    body["used_accounts"] = json!(books.used_accounts()?);
    Ok(Reply::json(body))
}

/// `PUT /api/v1/coa`.
pub fn put(house: &mut House, caller: &Caller, input: &Input) -> Result<Reply, Refusal> {
    let Edit { coa_version, accounts, reason } = input.json()?;
    let books = house.books()?;
    let current = books.chart_version().coa_version.clone();
    if coa_version != current {
        let found = coa_version.chars().take(32).collect();
        return Err(BooksError::Stale { what: "the chart of accounts", found, current }.into());
    }
    let (_, diff) = books.preview_chart(accounts.clone())?;
    let detail = json!({ "coa_version": current, "reason": reason, "diff": diff });
    let recorded = house.record(caller, Action::CoaUpdate, "coa", "begun", detail)?;
    let updated = house.change_books(caller, recorded, |storage, books, deed| {
        books.update_chart(storage, &coa_version, accounts, &reason, deed).cloned()
    });
    let version = match updated {
        Ok(version) => version,
        Err(refusal) => {
            house.note(caller, Action::CoaUpdate, "coa", "failed", refusal.code);
            return Err(refusal);
        }
    };
    house.note(caller, Action::CoaUpdate, "coa", "done", json!({ "coa_version": version.coa_version }));
    let identity = house.books()?.identity();
    let line = json!({
        "utc": version.utc, "user": version.user, "ip": caller.peer.ip,
        "entity": identity.entity, "jurisdiction": identity.jurisdiction, "currency_code": identity.currency_code,
        "from_version": current, "coa_version": version.coa_version, "reason": version.reason, "diff": version.diff,
    });
    if let Err(error) = append(house, &format!("{line}\n")) {
        // The history of the chart has it all the same.
        let words = start::safe_disk(&error);
        let message = format!("version {} of the chart could not be logged: {words}", version.coa_version);
        let time = caller.now;
        house.logs.write(LogName::ErrorTracebacks, &Record::new(time, Level::Error, "coa.edit_log", message));
    }
    Ok(Reply::json(version))
}

fn append(house: &House, line: &str) -> Result<(), DiskError> {
    house.disk.make_folder(EDIT_LOG_FOLDER)?;
    house.disk.append(EDIT_LOG, line.as_bytes())
}

/// `GET /api/v1/coa/history`: the newest version first.
pub fn history(house: &House, input: &Input) -> Result<Reply, Refusal> {
    let offset = input.number("offset", 0, 0, u64::MAX)?;
    let limit = input.number("limit", 50, 1, 1_000)?;
    let versions = house.books()?.chart_history()?;
    let total = versions.len();
    let page = paging::page(versions, offset, limit);
    Ok(Reply::json(json!({ "versions": page, "total": total, "offset": offset })))
}

/// `GET /api/v1/coa/export`.
pub async fn export(core: &Arc<Core>, caller: &Arc<Caller>, input: &Input) -> Result<Sending, Refusal> {
    let extension = input.query("format").unwrap_or_else(|| "md".to_string());
    let now = caller.now;
    core.work(move |house| {
        let (format, content_type) = match extension.as_str() {
            "md" => (ChartFormat::Markdown, "text/markdown; charset=utf-8"),
            "csv" => (ChartFormat::Csv, "text/csv; charset=utf-8"),
            "json" => (ChartFormat::Json, "application/json"),
            _ => return Err(Refusal::invalid_field("format", "Expected md, csv or json.")),
        };
        let text = house.books()?.export_chart(format)?;
        Ok(Sending::bytes(text.into_bytes(), &file_name(house, "coa", &extension, now), content_type))
    })
    .await?
}

impl House {
    /// What the status tells of the chart of accounts; null without books.
    pub fn coa_json(&self) -> serde_json::Value {
        let Some(books) = &self.books else { return serde_json::Value::Null };
        let document = books.chart_document();
        json!({
            "coa_version": document.coa_version,
            "entity": document.entity,
            "jurisdiction": document.jurisdiction,
            "currency_code": document.currency_code,
            "last_updated_utc": document.last_updated_utc,
            "accounts": document.accounts.accounts().len(),
        })
    }
}
