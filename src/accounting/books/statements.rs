//! Files of the broker, what was found in them, and what was done about it.

use super::super::broker_csv::{RowError, Statement, StatementRow};
use super::super::error::{BooksError, Fault};
use super::super::event::{Event, Fill, Happening, Instrument};
use super::super::matching::{Booked, DiscrepancyKind, Found, compare};
use super::super::money;
use super::events::{Outcome, STATEMENT, parse, post_one, statement_reference};
use super::{Books, Deed, charting, check_note, database, rows};
use crate::market::{Nanos, format_time, new_york_time, parse_date};
use crate::trading::Side;
use crate::vault::Storage;
use crate::vault::audit::Action;
use chrono::NaiveTime;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// When a fill of a file is booked, which tells its date only: the close of the exchange.
const CLOSE: NaiveTime = NaiveTime::from_hms_opt(16, 0, 0).unwrap();

/// A file that was taken in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UploadReceipt {
    /// Its number.
    pub upload_id: i64,
    /// How many executions it has.
    pub rows: usize,
    /// Lines that are none.
    pub errors: Vec<RowError>,
}

/// What came of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Reconciliation {
    /// Rows that agree with an entry.
    pub matched: usize,
    /// Discrepancies found, resolved ones included.
    pub mismatched: usize,
}

/// What was done about a discrepancy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// The ledger is right.
    KeepLedger,
    /// The broker is right, and an entry was made that says so.
    Corrected,
    /// The broker is right: its fill, which was missing, is booked by this.
    Book,
    /// It does not matter.
    Ignored,
}

impl Resolution {
    /// The word in files.
    pub fn word(self) -> &'static str {
        match self {
            Resolution::KeepLedger => "keep_ledger",
            Resolution::Corrected => "corrected",
            Resolution::Book => "book",
            Resolution::Ignored => "ignored",
        }
    }
}

/// A difference between broker and ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Discrepancy {
    /// Its number.
    pub id: i64,
    /// The upload it was found in.
    pub upload_id: i64,
    /// How they differ.
    pub kind: DiscrepancyKind,
    /// Line of the file.
    pub line: Option<i64>,
    /// Entry of the ledger.
    pub entry: Option<i64>,
    /// In words.
    pub detail: String,
    /// When it was found.
    pub found_utc: String,
    /// What was done about it; none: it is open.
    pub action: Option<String>,
    /// Why.
    pub note: Option<String>,
    /// By whom.
    pub resolved_by: Option<String>,
    /// When.
    pub resolved_utc: Option<String>,
}

impl Books {
    /// Takes in a CSV file of the broker. Of earlier files only rows with open discrepancies are kept.
    ///
    /// # Errors
    /// The file cannot be read or has no execution, the proof is of another deed, or it cannot be saved.
    pub fn upload_statement(
        &mut self,
        storage: Storage<'_>,
        bytes: &[u8],
        deed: Deed<'_>,
    ) -> Result<UploadReceipt, BooksError> {
        deed.require(Action::LedgerUpload)?;
        let Deed { user, now, .. } = deed;
        let Statement { rows, errors } = Statement::parse(bytes).map_err(BooksError::Statement)?;
        if rows.is_empty() {
            let first = errors.first().map_or_else(String::new, |e| format!("; line {}: {}", e.line, e.why));
            return Err(BooksError::Statement(format!("it has no execution{first}")));
        }
        let upload_id = self.change_ledger(storage, now, |tx| {
            // Of earlier files only what still has to be decided is kept: the database has a limit.
            let sql = "DELETE FROM upload_rows WHERE (upload, line) NOT IN
                (SELECT upload, line FROM discrepancies WHERE action IS NULL AND line IS NOT NULL)";
            tx.execute(sql, []).map_err(database)?;
            let sql = "INSERT INTO uploads (utc, user) VALUES (?1, ?2)";
            tx.execute(sql, params![format_time(now), user]).map_err(database)?;
            let upload = tx.last_insert_rowid();
            let sql = "INSERT INTO upload_rows (upload, line, content) VALUES (?1, ?2, ?3)";
            let mut insert = tx.prepare_cached(sql).map_err(database)?;
            for row in &rows {
                insert.execute(params![upload, row.line as i64, charting::json(row)?]).map_err(database)?;
            }
            Ok(upload)
        })?;
        Ok(UploadReceipt { upload_id, rows: rows.len(), errors })
    }

    /// Compares the latest upload with the ledger. What it finds about a fill replaces what was found before and was not
    /// resolved.
    ///
    /// # Errors
    /// There is no such upload or it is not the latest, the proof is of another deed, or it cannot be saved.
    pub fn reconcile(
        &mut self,
        storage: Storage<'_>,
        upload: i64,
        deed: Deed<'_>,
    ) -> Result<Reconciliation, BooksError> {
        deed.require(Action::LedgerReconcile)?;
        let now = deed.now;
        let latest: Option<i64> =
            self.ledger.read(|db| db.query_row("SELECT MAX(id) FROM uploads", [], |row| row.get(0)))?;
        if latest.is_some_and(|latest| (1..latest).contains(&upload)) {
            return Err(BooksError::Superseded(upload));
        }
        let rows = self.ledger.read(|db| upload_rows(db, upload))?;
        if rows.is_empty() {
            return Err(BooksError::UnknownUpload(upload));
        }
        let (matched, found) = compare(&rows, self.booked_fills()?);
        let result = Reconciliation { matched: matched.len(), mismatched: found.len() };
        self.change_ledger(storage, now, |tx| {
            tx.execute("UPDATE upload_rows SET entry = NULL WHERE upload = ?1", [upload]).map_err(database)?;
            for (line, entry) in &matched {
                let sql = "UPDATE upload_rows SET entry = ?3 WHERE upload = ?1 AND line = ?2";
                tx.prepare_cached(sql)
                    .and_then(|mut update| update.execute(params![upload, line, entry]))
                    .map_err(database)?;
            }
            replace_open(tx, upload, &matched, &found, now).map_err(database)?;
            Ok(result)
        })
    }

    /// Discrepancies, the newest first; only open ones, or all.
    ///
    /// # Errors
    /// The database refused.
    pub fn discrepancies(&self, open_only: bool) -> Result<Vec<Discrepancy>, BooksError> {
        let sql = format!("{DISCREPANCY} WHERE action IS NULL OR NOT ?1 ORDER BY id DESC");
        Ok(self.ledger.read(|db| db.prepare(&sql)?.query_map([open_only], discrepancy)?.collect())?)
    }

    /// One discrepancy.
    ///
    /// # Errors
    /// The database refused.
    pub fn discrepancy(&self, id: i64) -> Result<Option<Discrepancy>, BooksError> {
        let sql = format!("{DISCREPANCY} WHERE id = ?1");
        Ok(self.ledger.read(|db| db.query_row(&sql, [id], discrepancy).optional())?)
    }

    /// Notes what was done about a discrepancy, once; [`Resolution::Book`] does it.
    ///
    /// # Errors
    /// There is none, it is resolved already, the note is empty or too long, the fill cannot be booked or is not
    /// missing, the proof is of another deed, or it cannot be saved.
    pub fn resolve_discrepancy(
        &mut self,
        storage: Storage<'_>,
        id: i64,
        action: Resolution,
        note: &str,
        deed: Deed<'_>,
    ) -> Result<(), BooksError> {
        deed.require(Action::LedgerResolve)?;
        let Deed { user, now, .. } = deed;
        check_note("note", note)?;
        self.change_ledger(storage, now, |tx| {
            let found = tx.query_row(&format!("{DISCREPANCY} WHERE id = ?1"), [id], discrepancy).optional();
            let found = found.map_err(database)?.ok_or(BooksError::UnknownDiscrepancy(id))?;
            if found.action.is_some() {
                return Err(BooksError::AlreadyResolved(id));
            }
            let entry = if action == Resolution::Book { Some(book_missing(tx, &found, now)?) } else { found.entry };
            let sql = "UPDATE discrepancies SET action = ?2, note = ?3, resolved_by = ?4, resolved_utc = ?5, entry = ?6
                WHERE id = ?1";
            let values = params![id, action.word(), note, user, format_time(now), entry];
            tx.execute(sql, values).map(drop).map_err(database)
        })
    }

    fn booked_fills(&self) -> Result<Vec<Booked>, BooksError> {
        let read = |db: &Connection| {
            let sql = "SELECT id, date, reference, event FROM entries WHERE source = 'fill' ORDER BY id";
            let mut statement = db.prepare(sql)?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
            rows.collect::<rusqlite::Result<Vec<(i64, String, String, String)>>>()
        };
        let mut fills = Vec::new();
        for (entry, date, reference, event) in self.ledger.read(read)? {
            if let Happening::Fill(fill) = parse(entry, &event)? {
                fills.push(Booked { entry, date, reference, fill });
            }
        }
        Ok(fills)
    }
}

fn upload_rows(db: &Connection, upload: i64) -> rusqlite::Result<Vec<StatementRow>> {
    let mut statement = db.prepare("SELECT content FROM upload_rows WHERE upload = ?1 ORDER BY line")?;
    let rows = statement.query_map([upload], |row| {
        let content: String = row.get(0)?;
        serde_json::from_str(&content).map_err(|error| rows::bad(0, error))
    })?;
    rows.collect()
}

/// Puts what was found in place of what is open about the same fills. What was resolved in this upload stays so.
fn replace_open(
    tx: &Transaction<'_>,
    upload: i64,
    matched: &[(i64, i64)],
    found: &[Found],
    now: Nanos,
) -> rusqlite::Result<()> {
    let entries: HashSet<i64> =
        matched.iter().map(|pair| pair.1).chain(found.iter().filter_map(|found| found.entry)).collect();
    let details: HashSet<&str> = found.iter().map(|found| found.detail.as_str()).collect();
    let known: Vec<Discrepancy> =
        tx.prepare(&format!("{DISCREPANCY} ORDER BY id"))?.query_map([], discrepancy)?.collect::<Result<_, _>>()?;
    let (open, resolved): (Vec<_>, Vec<_>) = known.iter().partition(|known| known.action.is_none());
    for old in open {
        let is_same_fill = old.entry.is_some_and(|entry| entries.contains(&entry));
        if is_same_fill || old.upload_id == upload || details.contains(old.detail.as_str()) {
            tx.prepare_cached("DELETE FROM discrepancies WHERE id = ?1")?.execute([old.id])?;
        }
    }
    let resolved: HashSet<(Option<i64>, &str)> =
        resolved.iter().filter(|old| old.upload_id == upload).map(|old| (old.line, old.detail.as_str())).collect();
    let sql =
        "INSERT INTO discrepancies (upload, kind, line, entry, detail, found_utc) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let mut insert = tx.prepare_cached(sql)?;
    for Found { line, entry, kind, detail } in found {
        if !resolved.contains(&(*line, detail.as_str())) {
            insert.execute(params![upload, kind.word(), line, entry, detail, format_time(now)])?;
        }
    }
    Ok(())
}

/// Books the fill of a row that the ledger has not, at the close of its trade date.
fn book_missing(tx: &Transaction<'_>, found: &Discrepancy, now: Nanos) -> Result<i64, BooksError> {
    let refused = |why: &str| BooksError::Invalid(vec![Fault::new("action", why)]);
    let (DiscrepancyKind::MissingInLedger, Some(line)) = (found.kind, found.line) else {
        return Err(refused("only a fill that is missing in the ledger can be booked"));
    };
    let sql = "SELECT content FROM upload_rows WHERE upload = ?1 AND line = ?2";
    let content: String = tx.query_row(sql, params![found.upload_id, line], |row| row.get(0)).map_err(database)?;
    let damaged = |why: String| BooksError::Damaged(format!("line {line} of upload {}: {why}", found.upload_id));
    let row: StatementRow = serde_json::from_str(&content).map_err(|error| damaged(error.to_string()))?;
    let date = parse_date(&row.date).map_err(|error| damaged(error.to_string()))?;
    let fill = Fill {
        instrument: Instrument::of_symbol(&row.symbol),
        side: if row.side == Side::Buy.name() { Side::Buy } else { Side::Sell },
        quantity: row.quantity,
        price: row.price,
        commission: money::round(row.fees.unwrap_or_default()),
        regulatory_fees: Decimal::ZERO,
    };
    let reference = match &row.execution {
        Some(execution) => statement_reference(execution),
        None => format!("{STATEMENT}upload-{}-line-{line}", found.upload_id),
    };
    let memo = format!("{} (from the broker's file)", Happening::Fill(fill.clone()).describe());
    let event = Event {
        memo,
        flags: vec!["reconciled".to_string()],
        ..Event::new(reference, new_york_time(date, CLOSE), Happening::Fill(fill))
    };
    let posted = post_one(tx, &event, now)?;
    if posted.outcome == Outcome::Booked {
        Ok(posted.entry)
    } else {
        Err(refused("an execution with this id is booked already"))
    }
}

const DISCREPANCY: &str = "SELECT id, upload, kind, line, entry, detail, found_utc, action, note, resolved_by, \
                           resolved_utc FROM discrepancies";

fn discrepancy(row: &Row<'_>) -> rusqlite::Result<Discrepancy> {
    let kind: String = row.get(2)?;
    Ok(Discrepancy {
        id: row.get(0)?,
        upload_id: row.get(1)?,
        kind: DiscrepancyKind::of(&kind).ok_or_else(|| rows::bad(2, kind))?,
        line: row.get(3)?,
        entry: row.get(4)?,
        detail: row.get(5)?,
        found_utc: row.get(6)?,
        action: row.get(7)?,
        note: row.get(8)?,
        resolved_by: row.get(9)?,
        resolved_utc: row.get(10)?,
    })
}
