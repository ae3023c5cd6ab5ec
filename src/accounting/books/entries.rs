//! Entries: pages of them, and those that users write.

use super::super::account::SystemAccount;
use super::super::chart::{Chart, is_text};
use super::super::error::{BooksError, Fault};
use super::super::event::{MOST_MEMO, check_flags};
use super::super::lines::{BalancedLines, Line};
use super::rows::{decimal, insert_lines, lines};
use super::{Books, Deed, charting, database};
use crate::market::{Nanos, format_date, format_time};
use crate::vault::Storage;
use crate::vault::audit::Action;
use chrono::{Datelike, NaiveDate};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Most entries of a page.
const MOST_OF_A_PAGE: u64 = 1_000;
/// The source of what users write.
const MANUAL: &str = "manual";

/// An entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// From 1, never used again.
    pub id: i64,
    /// Book date: the day in New York.
    pub date: String,
    /// When it happened; of an entry that a user wrote, when it was written.
    pub utc: String,
    /// For people.
    pub memo: String,
    /// `manual`, or the kind of event.
    pub source: String,
    /// What makes an event one, such as an execution id.
    pub reference: Option<String>,
    /// Words that mark it.
    pub flags: Vec<String>,
    /// Counts its versions from 1.
    pub version: i64,
    /// By whom: `core` for events.
    pub created_by: String,
    /// When it was booked.
    pub created_utc: String,
    /// When this version was booked.
    pub updated_utc: String,
    /// The lines.
    pub lines: Vec<Line>,
    /// Of a page of one account: debits less credits of that account up to and with this entry.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "rust_decimal::serde::str_option")]
    pub balance: Option<Decimal>,
}

/// What an entry was before it was edited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EarlierVersion {
    /// The entry in that version.
    pub entry: Entry,
    /// Until when.
    pub replaced_utc: String,
    /// Who edited it.
    pub replaced_by: String,
}

/// An entry that a user writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryDraft {
    /// Book date.
    pub date: NaiveDate,
    /// What it is for.
    pub memo: String,
    /// Words that mark it.
    pub flags: Vec<String>,
    /// The lines.
    pub lines: Vec<Line>,
}

/// Which entries are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EntryQuery {
    /// How many of the newest are left out.
    pub offset: u64,
    /// How many are wanted; at most 1,000 are given.
    pub limit: u64,
    /// Only those with a line of this account.
    pub account: Option<String>,
    /// Only those of this book date and later.
    pub from: Option<NaiveDate>,
    /// Only those of this book date and earlier.
    pub to: Option<NaiveDate>,
}

/// Part of the ledger, the newest book date first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EntryPage {
    /// The entries.
    pub entries: Vec<Entry>,
    /// How many there are in all.
    pub total: u64,
}

/// An entry as it goes into the database.
pub(super) struct NewEntry<'a> {
    pub date: String,
    pub utc: String,
    pub memo: &'a str,
    pub source: &'a str,
    pub reference: Option<&'a str>,
    pub event: Option<String>,
    pub flags: &'a [String],
    pub user: &'a str,
    pub lines: &'a BalancedLines,
}

impl NewEntry<'_> {
    /// Stores it and gives its id.
    pub fn insert(&self, tx: &Transaction<'_>, now: Nanos) -> Result<i64, BooksError> {
        let sql = "INSERT INTO entries
            (date, utc, memo, source, reference, event, flags, version, created_by, created_utc, updated_utc)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1, ?8, ?9, ?9)";
        let flags = self.flags.join(",");
        let values = params![
            self.date,
            self.utc,
            self.memo,
            self.source,
            self.reference,
            self.event,
            flags,
            self.user,
            format_time(now)
        ];
        tx.prepare_cached(sql).and_then(|mut insert| insert.execute(values)).map_err(database)?;
        let id = tx.last_insert_rowid();
        insert_lines(tx, id, self.lines)?;
        Ok(id)
    }
}

impl Books {
    /// One entry.
    ///
    /// # Errors
    /// The database refused.
    pub fn entry(&self, id: i64) -> Result<Option<Entry>, BooksError> {
        Ok(self.ledger.read(|db| get(db, id))?)
    }

    /// A page of entries. Of one account, each with the running balance.
    ///
    /// # Errors
    /// The database refused.
    pub fn entries(&self, query: &EntryQuery) -> Result<EntryPage, BooksError> {
        Ok(self.ledger.read(|db| page(db, query))?)
    }

    /// Earlier versions of an entry, the newest first.
    ///
    /// # Errors
    /// There is no such entry, or the database refused.
    pub fn entry_history(&self, id: i64) -> Result<Vec<EarlierVersion>, BooksError> {
        self.entry(id)?.ok_or(BooksError::UnknownEntry(id))?;
        let sql = "SELECT content, replaced_utc, replaced_by FROM history WHERE entry = ?1 ORDER BY version DESC";
        let read = |db: &Connection| {
            let mut statement = db.prepare(sql)?;
            let rows = statement.query_map([id], |row| {
                let content: String = row.get(0)?;
                let entry = serde_json::from_str(&content).map_err(|error| super::rows::bad(0, error))?;
                Ok(EarlierVersion { entry, replaced_utc: row.get(1)?, replaced_by: row.get(2)? })
            })?;
            rows.collect()
        };
        Ok(self.ledger.read(read)?)
    }

    /// Whether an entry could be added: what [`Books::create_entry`] checks.
    ///
    /// # Errors
    /// A field is wrong, or debits are not credits.
    pub fn check_entry(&self, draft: &EntryDraft) -> Result<(), BooksError> {
        draft.check(&self.chart).map(drop)
    }

    /// Adds an entry that a user wrote, and gives its id.
    ///
    /// # Errors
    /// A field is wrong, debits are not credits, the proof is of another deed, or it cannot be saved.
    pub fn create_entry(
        &mut self,
        storage: Storage<'_>,
        draft: &EntryDraft,
        deed: Deed<'_>,
    ) -> Result<i64, BooksError> {
        deed.require(Action::LedgerCreate)?;
        let Deed { user, now, .. } = deed;
        let lines = draft.check(&self.chart)?;
        let new = NewEntry {
            date: format_date(draft.date),
            utc: format_time(now),
            memo: &draft.memo,
            source: MANUAL,
            reference: None,
            event: None,
            flags: &draft.flags,
            user,
            lines: &lines,
        };
        self.change_ledger(storage, now, |tx| new.insert(tx, now))
    }

    /// Replaces `version` of an entry by a next one, and keeps the earlier. Of an automatic entry memo and flags can
    /// change; date and lines must be as they are.
    ///
    /// # Errors
    /// There is no such entry, somebody was faster, a field is wrong, debits are not credits, nothing would change, the
    /// proof is of another deed, or it cannot be saved.
    pub fn update_entry(
        &mut self,
        storage: Storage<'_>,
        id: i64,
        version: i64,
        draft: &EntryDraft,
        deed: Deed<'_>,
    ) -> Result<Entry, BooksError> {
        deed.require(Action::LedgerUpdate)?;
        let Deed { user, now, .. } = deed;
        let before = self.entry(id)?.ok_or(BooksError::UnknownEntry(id))?;
        if before.version != version {
            let (found, current) = (version.to_string(), before.version.to_string());
            return Err(BooksError::Stale { what: "the entry", found, current });
        }
        let same_figures = format_date(draft.date) == before.date && draft.lines == before.lines;
        let lines = match before.source.as_str() {
            MANUAL => Some(draft.check(&self.chart)?),
            _ if !same_figures => return Err(BooksError::Automatic(id)),
            _ => {
                draft.check_words()?;
                None
            }
        };
        if same_figures && draft.memo == before.memo && draft.flags == before.flags {
            return Err(BooksError::NoChange);
        }
        let content = charting::json(&before)?;
        self.change_ledger(storage, now, |tx| {
            let sql = "INSERT INTO history (entry, version, replaced_utc, replaced_by, content)
                VALUES (?1, ?2, ?3, ?4, ?5)";
            tx.execute(sql, params![id, version, format_time(now), user, content]).map_err(database)?;
            let sql = "UPDATE entries SET date = ?2, memo = ?3, flags = ?4, version = version + 1, updated_utc = ?5
                WHERE id = ?1";
            let values = params![id, format_date(draft.date), draft.memo, draft.flags.join(","), format_time(now)];
            tx.execute(sql, values).map_err(database)?;
            if let Some(lines) = &lines {
                tx.execute("DELETE FROM lines WHERE entry = ?1", [id]).map_err(database)?;
                insert_lines(tx, id, lines)?;
            }
            get(tx, id).map_err(database)?.ok_or(BooksError::UnknownEntry(id))
        })
    }
}

impl EntryDraft {
    /// The lines, if they can be booked by hand: on active accounts that are no headings and are not kept by lots.
    fn check(&self, chart: &Chart) -> Result<BalancedLines, BooksError> {
        self.check_words()?;
        let mut faults = Vec::new();
        for (k, line) in self.lines.iter().enumerate() {
            let code = &line.account;
            let why = match chart.get(code) {
                None => "there is no such account",
                Some(account) if !account.active => "the account is not active",
                Some(_) if chart.is_heading(code) => "the account is a heading and takes no entries",
                Some(_) if SystemAccount::of(code).is_some_and(SystemAccount::is_inventory) => {
                    "the account equals the lots of positions and is moved by events only"
                }
                Some(_) => continue,
            };
            faults.push(Fault::new(format!("lines[{k}].account"), why));
        }
        if self.lines.len() < 2 {
            faults.push(Fault::new("lines", "an entry has at least two lines"));
        }
        if !faults.is_empty() {
            return Err(BooksError::Invalid(faults));
        }
        Ok(BalancedLines::new(self.lines.clone())?)
    }

    fn check_words(&self) -> Result<(), BooksError> {
        let mut faults = Vec::new();
        if self.memo.trim().is_empty() || !is_text(&self.memo, MOST_MEMO) {
            let why = format!("must be 1 to {MOST_MEMO} characters without control characters");
            faults.push(Fault::new("memo", why));
        }
        if let Err(why) = check_flags(&self.flags) {
            faults.push(Fault::new("flags", why));
        }
        // Dates are compared as text.
        if !(1900..=9999).contains(&self.date.year()) {
            faults.push(Fault::new("date", "must be of the years 1900 to 9999"));
        }
        if faults.is_empty() { Ok(()) } else { Err(BooksError::Invalid(faults)) }
    }
}

const ENTRY: &str =
    "SELECT id, date, utc, memo, source, reference, flags, version, created_by, created_utc, updated_utc
    FROM entries";

fn entry(db: &Connection, row: &Row<'_>) -> rusqlite::Result<Entry> {
    let flags: String = row.get(6)?;
    let id = row.get(0)?;
    Ok(Entry {
        id,
        date: row.get(1)?,
        utc: row.get(2)?,
        memo: row.get(3)?,
        source: row.get(4)?,
        reference: row.get(5)?,
        flags: flags.split(',').filter(|flag| !flag.is_empty()).map(str::to_string).collect(),
        version: row.get(7)?,
        created_by: row.get(8)?,
        created_utc: row.get(9)?,
        updated_utc: row.get(10)?,
        lines: lines(db, id)?,
        balance: None,
    })
}

pub(super) fn get(db: &Connection, id: i64) -> rusqlite::Result<Option<Entry>> {
    db.query_row(&format!("{ENTRY} WHERE id = ?1"), [id], |row| entry(db, row)).optional()
}

/// Whether there is an entry.
pub(super) fn any(db: &Connection) -> rusqlite::Result<bool> {
    db.query_row("SELECT EXISTS (SELECT 1 FROM entries)", [], |row| row.get(0))
}

/// Every entry, the oldest book date first.
pub(super) fn all(db: &Connection) -> rusqlite::Result<Vec<Entry>> {
    let mut statement = db.prepare(&format!("{ENTRY} ORDER BY date, id"))?;
    statement.query_map([], |row| entry(db, row))?.collect()
}

fn page(db: &Connection, query: &EntryQuery) -> rusqlite::Result<EntryPage> {
    let which = "WHERE (?1 IS NULL OR id IN (SELECT entry FROM lines WHERE account = ?1))
        AND (?2 IS NULL OR date >= ?2) AND (?3 IS NULL OR date <= ?3)";
    let (from, to) = (query.from.map(format_date), query.to.map(format_date));
    let total: i64 =
        db.query_row(&format!("SELECT COUNT(*) FROM entries {which}"), params![query.account, from, to], |row| {
            row.get(0)
        })?;
    let limit = query.limit.min(MOST_OF_A_PAGE) as i64;
    let offset = i64::try_from(query.offset).unwrap_or(i64::MAX);
    let mut statement = db.prepare(&format!("{ENTRY} {which} ORDER BY date DESC, id DESC LIMIT ?4 OFFSET ?5"))?;
    let rows = statement.query_map(params![query.account, from, to, limit, offset], |row| entry(db, row))?;
    let mut entries = rows.collect::<rusqlite::Result<Vec<Entry>>>()?;
    if let Some(account) = &query.account {
        let balances = running_balances(db, account)?;
        for entry in &mut entries {
            entry.balance = balances.get(&entry.id).copied();
        }
    }
    Ok(EntryPage { entries, total: total.unsigned_abs() })
}

/// The balance of an account after each of its entries.
fn running_balances(db: &Connection, account: &str) -> rusqlite::Result<HashMap<i64, Decimal>> {
    let sql = "SELECT lines.entry, debit, credit FROM lines JOIN entries ON entries.id = lines.entry
        WHERE account = ?1 ORDER BY date, lines.entry, number";
    let mut statement = db.prepare(sql)?;
    let mut rows = statement.query([account])?;
    let mut balances = HashMap::new();
    let mut balance = Decimal::ZERO;
    while let Some(row) = rows.next()? {
        balance += decimal(row, 1)? - decimal(row, 2)?;
        balances.insert(row.get(0)?, balance);
    }
    Ok(balances)
}
