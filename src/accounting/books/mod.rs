//! `COA.db` and `LEDGER.db`.

mod balances;
mod charting;
mod entries;
mod events;
mod reports;
mod rows;
mod statements;

use super::chart::{Chart, is_text};
use super::error::{BooksError, Fault};
use crate::market::Nanos;
use crate::vault::audit::{Action, Recorded};
use crate::vault::{Category, Database, DatabaseFile, Storage, VaultError};
use rusqlite::Transaction;
use serde::{Deserialize, Serialize};

pub use balances::{AccountBalance, Holding, TrialBalance};
pub use charting::ChartVersion;
pub use entries::{EarlierVersion, Entry, EntryDraft, EntryPage, EntryQuery};
pub use events::{Outcome, Posted};
pub use reports::{Activity, LedgerFormat, RealisedGain, Term};
pub use statements::{Discrepancy, Reconciliation, Resolution, UploadReceipt};

/// A chart is stored as a whole, one row a version.
const COA_SCHEMA: &str = "
CREATE TABLE identity (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    entity TEXT NOT NULL,
    jurisdiction TEXT NOT NULL,
    currency_code TEXT NOT NULL
) STRICT;
CREATE TABLE versions (
    version INTEGER PRIMARY KEY,
    utc TEXT NOT NULL,
    user TEXT NOT NULL,
    reason TEXT NOT NULL,
    accounts TEXT NOT NULL,
    diff TEXT NOT NULL
) STRICT;
PRAGMA user_version = 1;
";

/// Ids are never used again: an entry is referred to outside the ledger, too. Money is decimal text.
const LEDGER_SCHEMA: &str = "
CREATE TABLE entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    date TEXT NOT NULL,
    utc TEXT NOT NULL,
    memo TEXT NOT NULL,
    source TEXT NOT NULL,
    reference TEXT UNIQUE,
    event TEXT,
    flags TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    created_utc TEXT NOT NULL,
    updated_utc TEXT NOT NULL
) STRICT;
CREATE INDEX entries_by_date ON entries (date, id);
CREATE TABLE lines (
    entry INTEGER NOT NULL REFERENCES entries (id),
    number INTEGER NOT NULL,
    account TEXT NOT NULL,
    debit TEXT NOT NULL,
    credit TEXT NOT NULL,
    PRIMARY KEY (entry, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX lines_by_account ON lines (account, entry);
CREATE TABLE history (
    entry INTEGER NOT NULL REFERENCES entries (id),
    version INTEGER NOT NULL,
    replaced_utc TEXT NOT NULL,
    replaced_by TEXT NOT NULL,
    content TEXT NOT NULL,
    PRIMARY KEY (entry, version)
) STRICT, WITHOUT ROWID;
CREATE TABLE lots (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    entry INTEGER NOT NULL REFERENCES entries (id),
    instrument TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('share', 'option')),
    direction TEXT NOT NULL CHECK (direction IN ('long', 'short')),
    opened_ns INTEGER NOT NULL,
    quantity TEXT NOT NULL,
    amount TEXT NOT NULL,
    fees TEXT NOT NULL
) STRICT;
CREATE INDEX lots_by_instrument ON lots (instrument, kind, id);
CREATE TABLE closings (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    entry INTEGER NOT NULL REFERENCES entries (id),
    closed_date TEXT NOT NULL,
    instrument TEXT NOT NULL,
    kind TEXT NOT NULL,
    direction TEXT NOT NULL,
    quantity TEXT NOT NULL,
    opened_ns INTEGER NOT NULL,
    closed_ns INTEGER NOT NULL,
    proceeds TEXT NOT NULL,
    cost TEXT NOT NULL,
    opening_fees TEXT NOT NULL,
    closing_fees TEXT NOT NULL
) STRICT;
CREATE INDEX closings_by_date ON closings (closed_date, id);
CREATE TABLE uploads (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    utc TEXT NOT NULL,
    user TEXT NOT NULL
) STRICT;
CREATE TABLE upload_rows (
    upload INTEGER NOT NULL REFERENCES uploads (id),
    line INTEGER NOT NULL,
    content TEXT NOT NULL,
    entry INTEGER REFERENCES entries (id),
    PRIMARY KEY (upload, line)
) STRICT, WITHOUT ROWID;
CREATE TABLE discrepancies (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    upload INTEGER NOT NULL REFERENCES uploads (id),
    kind TEXT NOT NULL,
    line INTEGER,
    entry INTEGER REFERENCES entries (id),
    detail TEXT NOT NULL,
    found_utc TEXT NOT NULL,
    action TEXT,
    note TEXT,
    resolved_by TEXT,
    resolved_utc TEXT
) STRICT;
PRAGMA user_version = 1;
";

/// Whose books they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Entity code.
    pub entity: String,
    /// Jurisdiction code.
    pub jurisdiction: String,
    /// ISO 4217; the books have one currency.
    pub currency_code: String,
}

/// What a user does to the books: it is audited before it is done.
#[derive(Debug)]
pub struct Deed<'a> {
    /// Who does it.
    pub user: &'a str,
    /// That it is in the audit log.
    pub recorded: Recorded,
    /// When.
    pub now: Nanos,
}

/// The chart of accounts and the ledger of a data folder. Reads are from memory; every change is one transaction that
/// has happened when its image is on the disk.
#[derive(Debug)]
pub struct Books {
    coa: Database,
    ledger: Database,
    identity: Identity,
    version: ChartVersion,
    chart: Chart,
}

impl Books {
    /// Makes the chart with the standard accounts and an empty ledger. What is there stays, so that an interrupted
    /// creation can be repeated: the ledger is made first, so an empty one without a chart is what a stop leaves.
    ///
    /// # Errors
    /// A code or the currency is malformed, a database can be neither saved nor opened, or one was lost: there is a
    /// chart without a ledger, or a ledger with entries without a chart.
    pub fn create(storage: Storage<'_>, identity: &Identity, now: Nanos) -> Result<Books, BooksError> {
        check_identity(identity)?;
        let Storage { disk, keys } = storage;
        let lost = || BooksError::Vault(VaultError::Missing { category: Category::Env });
        let has_chart = Database::open(disk, keys, DatabaseFile::Coa)?.is_some();
        match Database::open(disk, keys, DatabaseFile::Ledger)? {
            None if has_chart => return Err(lost()),
            None => drop(Database::create(disk, keys, DatabaseFile::Ledger, LEDGER_SCHEMA, now)?),
            Some(ledger) if !has_chart && ledger.read(entries::any)? => return Err(lost()),
            Some(_) => {}
        }
        // The first version goes in with the schema: there is no chart without accounts, not even for a moment.
        if !has_chart {
            Database::create(disk, keys, DatabaseFile::Coa, &charting::first_version(identity, now)?, now)?;
        }
        Books::open(storage)?.ok_or_else(|| BooksError::Vault(VaultError::Missing { category: Category::Env }))
    }

    /// Opens both databases; `None` if neither is there.
    ///
    /// # Errors
    /// One is missing, cannot be decrypted, or is not what belongs there.
    pub fn open(storage: Storage<'_>) -> Result<Option<Books>, BooksError> {
        let coa = Database::open(storage.disk, storage.keys, DatabaseFile::Coa)?;
        let ledger = Database::open(storage.disk, storage.keys, DatabaseFile::Ledger)?;
        let (coa, ledger) = match (coa, ledger) {
            (Some(coa), Some(ledger)) => (coa, ledger),
            (None, None) => return Ok(None),
            _ => return Err(VaultError::Missing { category: Category::Env }.into()),
        };
        for database in [&coa, &ledger] {
            let version: i64 = database.read(|db| db.query_row("PRAGMA user_version", [], |row| row.get(0)))?;
            if version != 1 {
                let what = "books of another version";
                return Err(VaultError::Content { category: Category::Env, what }.into());
            }
        }
        let (identity, version, chart) = charting::load(&coa)?;
        Ok(Some(Books { coa, ledger, identity, version, chart }))
    }

    /// Whose books they are.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// How much of the ledger's database is used: at 1 it takes no more. A fill takes about 700 bytes of 64 MiB.
    ///
    /// # Errors
    /// The database is closed.
    pub fn fullness(&self) -> Result<f64, BooksError> {
        Ok(self.ledger.fullness()?)
    }

    /// The chart in force.
    pub fn chart(&self) -> &Chart {
        &self.chart
    }

    /// Opens both databases, or makes them where there never were any.
    ///
    /// # Errors
    /// As [`Books::open`] and [`Books::create`].
    pub fn open_or_create(storage: Storage<'_>, identity: &Identity, now: Nanos) -> Result<Books, BooksError> {
        match Books::open(storage) {
            Ok(Some(books)) => Ok(books),
            Ok(None) | Err(BooksError::Vault(VaultError::Missing { .. })) => Books::create(storage, identity, now),
            Err(error) => Err(error),
        }
    }

    fn change_ledger<T>(
        &mut self,
        storage: Storage<'_>,
        now: Nanos,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, BooksError>,
    ) -> Result<T, BooksError> {
        self.ledger.change(storage.disk, storage.keys, now, change)
    }
}

fn check_identity(identity: &Identity) -> Result<(), BooksError> {
    let is_code = |text: &str, length: std::ops::RangeInclusive<usize>| {
        length.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
    };
    let mut faults = Vec::new();
    for (field, code) in [("entity", &identity.entity), ("jurisdiction", &identity.jurisdiction)] {
        if !is_code(code, 1..=16) {
            faults.push(Fault::new(field, "must be 1 to 16 characters of A-Z and 0-9"));
        }
    }
    if !is_code(&identity.currency_code, 3..=3) {
        faults.push(Fault::new("currency_code", "must be three letters of ISO 4217 such as USD"));
    }
    if faults.is_empty() { Ok(()) } else { Err(BooksError::Invalid(faults)) }
}

impl Deed<'_> {
    fn require(&self, action: Action) -> Result<(), BooksError> {
        if self.recorded.is(action) { Ok(()) } else { Err(BooksError::NotRecorded(action)) }
    }
}

/// A text of a user: a note, a reason.
fn check_note(field: &str, text: &str) -> Result<(), BooksError> {
    if text.trim().is_empty() || !is_text(text, super::event::MOST_MEMO) {
        let why = format!("must be 1 to {} characters without control characters", super::event::MOST_MEMO);
        return Err(BooksError::Invalid(vec![Fault::new(field, why)]));
    }
    Ok(())
}

fn database(source: rusqlite::Error) -> BooksError {
    VaultError::Database { category: Category::Env, source }.into()
}
