//! What the broker says against what the ledger says.
//!
//! | the broker's file | the ledger | then |
//! | --- | --- | --- |
//! | a row | the fill with its execution id, agreeing | matched |
//! | a row | the fill with its execution id, not agreeing | `differs` |
//! | a row without a known id | a fill of that day, symbol and side that agrees | matched |
//! | a row without a known id | a fill of that day, symbol and side that does not | `differs` |
//! | a row | nothing | `missing_in_ledger` |
//! | nothing | a fill of the days of the file | `missing_at_broker` |
//!
//! They agree if the quantities are equal, and value and (where the file has them) charges are equal to the cent: they
//! differ by at most half a cent.

use super::super::broker_csv::{RowError, Statement, StatementRow};
use super::super::error::BooksError;
use super::super::event::{Fill, Happening};
use super::events::parse;
use super::{Books, Deed, charting, check_note, database, rows};
use crate::market::format_time;
use crate::vault::Storage;
use crate::vault::audit::Action;
use rusqlite::{Connection, OptionalExtension, Row, params};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};

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

/// How broker and ledger differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DiscrepancyKind {
    /// The broker tells of a fill that the ledger has not.
    MissingInLedger,
    /// The ledger has a fill that the broker does not tell of.
    MissingAtBroker,
    /// Both have it, with other numbers.
    Differs,
}

impl DiscrepancyKind {
    /// The word in files.
    pub fn word(self) -> &'static str {
        match self {
            DiscrepancyKind::MissingInLedger => "missing_in_ledger",
            DiscrepancyKind::MissingAtBroker => "missing_at_broker",
            DiscrepancyKind::Differs => "differs",
        }
    }

    fn of(word: &str) -> Option<DiscrepancyKind> {
        use DiscrepancyKind::*;
        [MissingInLedger, MissingAtBroker, Differs].into_iter().find(|kind| kind.word() == word)
    }
}

/// What was done about a discrepancy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// The ledger is right.
    KeepLedger,
    /// The broker is right, and an entry was made that says so.
    Corrected,
    /// It does not matter.
    Ignored,
}

impl Resolution {
    /// The word in files.
    pub fn word(self) -> &'static str {
        match self {
            Resolution::KeepLedger => "keep_ledger",
            Resolution::Corrected => "corrected",
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

/// A fill of the ledger.
struct Booked {
    entry: i64,
    date: String,
    reference: String,
    fill: Fill,
}

/// A difference before it has a number.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Found {
    line: Option<i64>,
    entry: Option<i64>,
    kind: DiscrepancyKind,
    detail: String,
}

impl Books {
    /// Takes in a CSV file of the broker.
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

    /// Compares an upload with the ledger. Repeated, it replaces what it found and was not resolved.
    ///
    /// # Errors
    /// There is no such upload, the proof is of another deed, or it cannot be saved.
    pub fn reconcile(
        &mut self,
        storage: Storage<'_>,
        upload: i64,
        deed: Deed<'_>,
    ) -> Result<Reconciliation, BooksError> {
        deed.require(Action::LedgerReconcile)?;
        let now = deed.now;
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
                tx.execute(sql, params![upload, line, entry]).map_err(database)?;
            }
            tx.execute("DELETE FROM discrepancies WHERE upload = ?1 AND action IS NULL", [upload]).map_err(database)?;
            for Found { line, entry, kind, detail } in &found {
                let sql = "INSERT INTO discrepancies (upload, kind, line, entry, detail, found_utc)
                    SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE NOT EXISTS (SELECT 1 FROM discrepancies
                    WHERE upload = ?1 AND kind = ?2 AND line IS ?3 AND entry IS ?4 AND detail = ?5)";
                let values = params![upload, kind.word(), line, entry, detail, format_time(now)];
                tx.execute(sql, values).map_err(database)?;
            }
            Ok(result)
        })
    }

    /// Discrepancies, the newest first; only open ones, or all.
    ///
    /// # Errors
    /// The database refused.
    pub fn discrepancies(&self, open_only: bool) -> Result<Vec<Discrepancy>, BooksError> {
        let sql = "SELECT id, upload, kind, line, entry, detail, found_utc, action, note, resolved_by, resolved_utc
            FROM discrepancies WHERE action IS NULL OR NOT ?1 ORDER BY id DESC";
        Ok(self.ledger.read(|db| db.prepare(sql)?.query_map([open_only], discrepancy)?.collect())?)
    }

    /// Notes what was done about a discrepancy, once.
    ///
    /// # Errors
    /// There is none, it is resolved already, the note is empty or too long, the proof is of another deed, or it cannot
    /// be saved.
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
            let sql = "SELECT action IS NOT NULL FROM discrepancies WHERE id = ?1";
            match tx.query_row(sql, [id], |row| row.get::<_, bool>(0)).optional().map_err(database)? {
                None => return Err(BooksError::UnknownDiscrepancy(id)),
                Some(true) => return Err(BooksError::AlreadyResolved(id)),
                Some(false) => {}
            }
            let sql = "UPDATE discrepancies SET action = ?2, note = ?3, resolved_by = ?4, resolved_utc = ?5
                WHERE id = ?1";
            tx.execute(sql, params![id, action.word(), note, user, format_time(now)]).map(drop).map_err(database)
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

/// The execution id as brokers tell it: what follows the last colon of a reference such as `ALPACA:id`.
fn execution_id(reference: &str) -> &str {
    reference.rsplit(':').next().unwrap_or(reference)
}

/// Pairs (line, entry) that agree, and everything else.
fn compare(rows: &[StatementRow], booked: Vec<Booked>) -> (Vec<(i64, i64)>, Vec<Found>) {
    let dates: BTreeSet<&str> = rows.iter().map(|row| row.date.as_str()).collect();
    let (first, last) = (dates.first().copied().unwrap_or(""), dates.last().copied().unwrap_or(""));
    let mut by_id: HashMap<&str, usize> = HashMap::new();
    for (k, fill) in booked.iter().enumerate() {
        by_id.insert(fill.reference.as_str(), k);
        by_id.entry(execution_id(&fill.reference)).or_insert(k);
    }
    let mut taken = vec![false; booked.len()];
    let (mut matched, mut found, mut rest) = (Vec::new(), Vec::new(), Vec::new());
    let mut pair = |row: &StatementRow, k: usize, taken: &mut Vec<bool>, found: &mut Vec<Found>| {
        taken[k] = true;
        let (line, entry) = (row.line as i64, booked[k].entry);
        match difference(row, &booked[k]) {
            None => matched.push((line, entry)),
            Some(detail) => {
                found.push(Found { line: Some(line), entry: Some(entry), kind: DiscrepancyKind::Differs, detail })
            }
        }
    };
    for row in rows {
        match row.execution.as_deref().and_then(|id| by_id.get(id)) {
            Some(&k) if !taken[k] => pair(row, k, &mut taken, &mut found),
            _ => rest.push(row),
        }
    }
    // Of what has no known id, first those that agree, so that none of them is taken by a row that does not.
    let mut by_day: BTreeMap<(&str, &str, &str), Vec<usize>> = BTreeMap::new();
    for (k, fill) in booked.iter().enumerate() {
        let key = (fill.date.as_str(), fill.fill.instrument.name.as_str(), fill.fill.side.name());
        by_day.entry(key).or_default().push(k);
    }
    for must_agree in [true, false] {
        rest.retain(|row| {
            let key = (row.date.as_str(), row.symbol.as_str(), row.side.as_str());
            let mut candidates = by_day.get(&key).into_iter().flatten();
            let fits = |k: &&usize| !taken[**k] && (!must_agree || difference(row, &booked[**k]).is_none());
            let Some(&k) = candidates.find(fits) else { return true };
            pair(row, k, &mut taken, &mut found);
            false
        });
    }
    for row in rest {
        let StatementRow { date, symbol, side, quantity, price, .. } = row;
        let detail = format!("the broker tells of {date} {side} {quantity} {symbol} at {price}");
        let kind = DiscrepancyKind::MissingInLedger;
        found.push(Found { line: Some(row.line as i64), entry: None, kind, detail });
    }
    for (fill, _) in booked.iter().zip(&taken).filter(|(_, taken)| !**taken) {
        if (first..=last).contains(&fill.date.as_str()) {
            let Fill { side, quantity, instrument, price, .. } = &fill.fill;
            let (date, side, symbol) = (&fill.date, side.name(), &instrument.name);
            let detail = format!("the ledger has {date} {side} {quantity} {symbol} at {price}");
            found.push(Found { line: None, entry: Some(fill.entry), kind: DiscrepancyKind::MissingAtBroker, detail });
        }
    }
    found.sort();
    (matched, found)
}

/// What differs, in words.
fn difference(row: &StatementRow, booked: &Booked) -> Option<String> {
    let half_a_cent = Decimal::new(5, 3);
    let fill = &booked.fill;
    let mut parts = Vec::new();
    let mut part = |what: &str, broker: &dyn std::fmt::Display, ledger: &dyn std::fmt::Display| {
        parts.push(format!("{what}: broker {broker}, ledger {ledger}"));
    };
    if row.date != booked.date {
        part("date", &row.date, &booked.date);
    }
    if row.symbol != fill.instrument.name {
        part("symbol", &row.symbol, &fill.instrument.name);
    }
    if row.side != fill.side.name() {
        part("side", &row.side, &fill.side.name());
    }
    if row.quantity != fill.quantity {
        part("quantity", &row.quantity, &fill.quantity);
    }
    let units = fill.quantity * fill.instrument.kind.multiplier();
    // Both prices are within the limits of money, so that their difference times the units can only be too large.
    let value = (row.price - fill.price).abs().checked_mul(units);
    if value.is_none_or(|value| value > half_a_cent) {
        part("price", &row.price, &fill.price);
    }
    if let Some(fees) = row.fees
        && (fees - fill.charges()).abs() > half_a_cent
    {
        part("fees", &fees, &fill.charges());
    }
    if parts.is_empty() { None } else { Some(parts.join("; ")) }
}
