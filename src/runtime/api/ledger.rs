//! The ledger: pages of entries, what users enter, and exports.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::{Number, Value, json};

use super::paging;
use crate::accounting::money::{self, AMOUNT_DECIMALS};
use crate::accounting::{BooksError, Entry, EntryDraft, EntryQuery, LedgerFormat, Line};
use crate::market::{Nanos, format_time, parse_date};
use crate::runtime::core::Core;
use crate::runtime::gate::Caller;
use crate::runtime::house::House;
use crate::runtime::input::Input;
use crate::runtime::protocol::Reply;
use crate::runtime::reply::Refusal;
use crate::runtime::transfer::Sending;
use crate::vault::audit::Action;

/// An entry as it is sent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Draft {
    date: String,
    memo: String,
    #[serde(default)]
    flags: Vec<String>,
    lines: Vec<DraftLine>,
    /// The version that is replaced; a new entry has none.
    #[serde(default)]
    version: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DraftLine {
    account: String,
    #[serde(default)]
    debit: Option<Amount>,
    #[serde(default)]
    credit: Option<Amount>,
}

/// Money as it is sent: a decimal string, or a number as it stands there.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected an amount such as 12.50")]
enum Amount {
    Text(String),
    Number(Number),
}

impl Draft {
    /// As the books take it.
    ///
    /// # Errors
    /// By field, what is no date and no amount.
    fn read(self) -> Result<EntryDraft, Refusal> {
        let mut wrong = BTreeMap::new();
        let date = parse_date(&self.date).unwrap_or_else(|_| {
            wrong.insert("date".to_string(), "Expected a date such as 2026-01-31.".to_string());
            NaiveDate::default()
        });
        let mut lines = Vec::with_capacity(self.lines.len());
        for (k, line) in self.lines.into_iter().enumerate() {
            let mut amount = |side: &str, amount: Option<Amount>| {
                read_amount(amount).unwrap_or_else(|why| {
                    wrong.insert(format!("lines[{k}].{side}"), why);
                    Decimal::ZERO
                })
            };
            let (debit, credit) = (amount("debit", line.debit), amount("credit", line.credit));
            lines.push(Line { account: line.account, debit, credit });
        }
        if !wrong.is_empty() {
            return Err(Refusal::invalid(wrong));
        }
        Ok(EntryDraft { date, memo: self.memo, flags: self.flags, lines })
    }
}

fn read_amount(amount: Option<Amount>) -> Result<Decimal, String> {
    let text = match amount {
        None => return Ok(Decimal::ZERO),
        Some(Amount::Text(text)) => text,
        Some(Amount::Number(number)) => number.to_string(),
    };
    if text.trim().is_empty() {
        return Ok(Decimal::ZERO);
    }
    money::parse(&text, AMOUNT_DECIMALS).map_err(|error| format!("{error}."))
}

/// `GET /api/v1/ledger`: the newest book date first; of one account with its running balance.
pub fn page(house: &House, input: &Input) -> Result<Reply, Refusal> {
    let query = EntryQuery {
        offset: input.number("offset", 0, 0, u64::MAX)?,
        limit: input.number("limit", 100, 1, 1_000)?,
        account: input.query("account").filter(|account| !account.is_empty()),
        from: date(input, "from")?,
        to: date(input, "to")?,
    };
    let mut page = house.books()?.entries(&query)?;
    paging::fit(&mut page.entries);
    Ok(Reply::json(json!({ "entries": page.entries, "total": page.total, "offset": query.offset })))
}

fn date(input: &Input, name: &str) -> Result<Option<NaiveDate>, Refusal> {
    let text = input.query(name).filter(|text| !text.is_empty());
    let date = text.map(|text| parse_date(&text)).transpose();
    date.map_err(|_| Refusal::invalid_field(name, "Expected a date such as 2026-01-31."))
}

/// `GET /api/v1/ledger/entries/{id}`: an entry with its earlier versions, the newest first.
pub fn entry(house: &House, input: &Input) -> Result<Reply, Refusal> {
    let id = entry_id(input)?;
    let books = house.books()?;
    let entry = books.entry(id)?.ok_or(BooksError::UnknownEntry(id))?;
    let mut history = books.entry_history(id)?;
    paging::fit(&mut history);
    Ok(Reply::json(json!({ "entry": entry, "history": history })))
}

/// `POST /api/v1/ledger/entries`.
pub fn create(house: &mut House, caller: &Caller, input: &Input) -> Result<Reply, Refusal> {
    let draft = input.json::<Draft>()?.read()?;
    house.books()?.check_entry(&draft)?;
    let detail = json!({ "after": shown(&draft) });
    let recorded = house.record(caller, Action::LedgerCreate, "entries", "begun", detail)?;
    let created = house.change_books(caller, recorded, |storage, books, deed| {
        let id = books.create_entry(storage, &draft, deed)?;
        books.entry(id)?.ok_or(BooksError::UnknownEntry(id))
    });
    let entry = done(house, caller, Action::LedgerCreate, "entries", created)?;
    Ok(Reply::with_status(201, entry))
}

/// `PUT /api/v1/ledger/entries/{id}`.
pub fn update(house: &mut House, caller: &Caller, input: &Input) -> Result<Reply, Refusal> {
    let draft: Draft = input.json()?;
    let id = entry_id(input)?;
    let version = draft.version.ok_or_else(|| Refusal::invalid_field("version", "The version that you have seen."))?;
    let draft = draft.read()?;
    let before = house.books()?.entry(id)?.ok_or(BooksError::UnknownEntry(id))?;
    let target = id.to_string();
    let was = json!({ "date": before.date, "memo": before.memo, "flags": before.flags, "lines": before.lines });
    let detail = json!({ "version": version, "before": was, "after": shown(&draft) });
    let recorded = house.record(caller, Action::LedgerUpdate, &target, "begun", detail)?;
    let updated = house
        .change_books(caller, recorded, |storage, books, deed| books.update_entry(storage, id, version, &draft, deed));
    let entry = done(house, caller, Action::LedgerUpdate, &target, updated)?;
    Ok(Reply::json(entry))
}

/// Audits how a change of an entry ended, and lets those outside see it.
fn done(
    house: &mut House,
    caller: &Caller,
    action: Action,
    target: &str,
    changed: Result<Entry, Refusal>,
) -> Result<Entry, Refusal> {
    match changed {
        Ok(entry) => {
            let detail = json!({ "entry": entry.id, "version": entry.version });
            house.note(caller, action, &entry.id.to_string(), "done", detail);
            house.export_ledger_if_wanted(caller.now);
            Ok(entry)
        }
        Err(refusal) => {
            house.note(caller, action, target, "failed", refusal.code);
            Err(refusal)
        }
    }
}

fn shown(draft: &EntryDraft) -> Value {
    let EntryDraft { date, memo, flags, lines } = draft;
    json!({ "date": date.to_string(), "memo": memo, "flags": flags, "lines": lines })
}

fn entry_id(input: &Input) -> Result<i64, Refusal> {
    let id = input.param("id").parse().ok().filter(|id| *id > 0);
    id.ok_or_else(|| Refusal::not_found("There is no such ledger entry."))
}

/// `GET /api/v1/ledger/export`.
pub async fn export(core: &Arc<Core>, caller: &Arc<Caller>, input: &Input) -> Result<Sending, Refusal> {
    let format = input.query("format").unwrap_or_else(|| "csv".to_string());
    let now = caller.now;
    core.work(move |house| {
        let (form, content_type) = match format.as_str() {
            "csv" => (LedgerFormat::Csv, "text/csv; charset=utf-8"),
            "json" => (LedgerFormat::Json, "application/json"),
            "ofx" => (LedgerFormat::Ofx(house.ofx_account()), "application/x-ofx"),
            _ => return Err(Refusal::invalid_field("format", "Expected csv, json or ofx.")),
        };
        let text = house.books()?.export_ledger(&form, now)?;
        Ok(Sending::bytes(text.into_bytes(), &file_name(house, "ledger", &format, now), content_type))
    })
    .await?
}

/// `ledger_ACME_US_SIM_BOT1_20260105T150000Z.csv`.
pub fn file_name(house: &House, what: &str, extension: &str, now: Nanos) -> String {
    let time: String = format_time(now).chars().take(19).filter(|c| !matches!(c, '-' | ':')).collect();
    format!("{what}_{}_{time}Z.{extension}", house.identity())
}
