//! Versions of the chart of accounts.

use super::super::account::Account;
use super::super::chart::{Chart, ChartDiff};
use super::super::chart_export::{ChartDocument, ChartFormat, export};
use super::super::error::BooksError;
use super::{Books, COA_SCHEMA, Deed, Identity, check_note, database, rows};
use crate::market::{Nanos, format_time};
use crate::vault::audit::Action;
use crate::vault::{Database, Storage};
use rusqlite::{Connection, Row, params};
use serde::Serialize;
use std::collections::BTreeSet;

/// Who made a version of the chart, when, why, and what changed by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChartVersion {
    /// Counts up: `1`, `2`, ...
    pub coa_version: String,
    /// When it was made.
    pub utc: String,
    /// By whom.
    pub user: String,
    /// Why.
    pub reason: String,
    /// What changed.
    pub diff: ChartDiff,
}

/// The schema, and version 1 with the standard accounts.
pub(super) fn first_version(identity: &Identity, now: Nanos) -> Result<String, BooksError> {
    // Codes are letters and digits; a quote inside JSON is doubled as SQL wants it.
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let accounts = json(&Chart::standard(&identity.currency_code))?;
    let Identity { entity, jurisdiction, currency_code } = identity;
    let unchanged = json(&ChartDiff::default())?;
    Ok(format!(
        "{COA_SCHEMA}
        INSERT INTO identity VALUES (1, {}, {}, {});
        INSERT INTO versions VALUES (1, {}, 'core', 'standard chart', {}, {});",
        quoted(entity),
        quoted(jurisdiction),
        quoted(currency_code),
        quoted(&format_time(now)),
        quoted(&accounts),
        quoted(&unchanged),
    ))
}

/// Identity, version and chart of a database.
pub(super) fn load(coa: &Database) -> Result<(Identity, ChartVersion, Chart), BooksError> {
    let identity = coa.read(|db| {
        db.query_row("SELECT entity, jurisdiction, currency_code FROM identity", [], |row| {
            Ok(Identity { entity: row.get(0)?, jurisdiction: row.get(1)?, currency_code: row.get(2)? })
        })
    })?;
    let sql = "SELECT version, utc, user, reason, diff, accounts FROM versions ORDER BY version DESC LIMIT 1";
    let (version, accounts): (ChartVersion, String) =
        coa.read(|db| db.query_row(sql, [], |row| Ok((version(row)?, row.get(5)?))))?;
    let damaged = |why: String| BooksError::Damaged(format!("version {} of the chart: {why}", version.coa_version));
    let accounts: Vec<Account> = serde_json::from_str(&accounts).map_err(|e| damaged(e.to_string()))?;
    let chart = Chart::new(accounts, &identity.currency_code)
        .map_err(|faults| damaged(BooksError::Invalid(faults).to_string()))?;
    Ok((identity, version, chart))
}

impl Books {
    /// Who made the chart in force, when and why.
    pub fn chart_version(&self) -> &ChartVersion {
        &self.version
    }

    /// All versions, the newest first.
    ///
    /// # Errors
    /// The database refused.
    pub fn chart_history(&self) -> Result<Vec<ChartVersion>, BooksError> {
        let sql = "SELECT version, utc, user, reason, diff FROM versions ORDER BY version DESC";
        Ok(self.coa.read(|db| db.prepare(sql)?.query_map([], version)?.collect())?)
    }

    /// What would change with these accounts: the preview of [`Books::update_chart`].
    ///
    /// # Errors
    /// They break a rule of [`Chart::new`], an account with entries would go, change its type or become a heading, or
    /// nothing would change.
    pub fn preview_chart(&self, accounts: Vec<Account>) -> Result<(Chart, ChartDiff), BooksError> {
        let next = Chart::new(accounts, &self.identity.currency_code).map_err(BooksError::Invalid)?;
        self.chart.check_used(&next, &self.used_accounts()?).map_err(BooksError::Invalid)?;
        let diff = self.chart.diff(&next);
        if diff.is_empty() { Err(BooksError::NoChange) } else { Ok((next, diff)) }
    }

    /// Puts a whole new chart in force as the next version, if `based_on` is still the version in force.
    ///
    /// # Errors
    /// Somebody was faster, the accounts are refused as by [`Books::preview_chart`], the reason is empty or too long,
    /// the proof is of another deed, or it cannot be saved.
    pub fn update_chart(
        &mut self,
        storage: Storage<'_>,
        based_on: &str,
        accounts: Vec<Account>,
        reason: &str,
        deed: Deed<'_>,
    ) -> Result<&ChartVersion, BooksError> {
        deed.require(Action::CoaUpdate)?;
        let Deed { user, now, .. } = deed;
        let current = &self.version.coa_version;
        if based_on != current {
            let (found, current) = (based_on.chars().take(32).collect(), current.clone());
            return Err(BooksError::Stale { what: "the chart of accounts", found, current });
        }
        check_note("reason", reason)?;
        let (next, diff) = self.preview_chart(accounts)?;
        let saved = self.coa.change(storage.disk, storage.keys, now, |tx| -> Result<(), BooksError> {
            let sql = "INSERT INTO versions (version, utc, user, reason, accounts, diff)
                SELECT MAX(version) + 1, ?1, ?2, ?3, ?4, ?5 FROM versions";
            let values = params![format_time(now), user, reason, json(&next)?, json(&diff)?];
            tx.execute(sql, values).map(drop).map_err(database)
        });
        // Memory is what the disk has, which a failed save may have changed all the same.
        (self.identity, self.version, self.chart) = load(&self.coa)?;
        saved?;
        Ok(&self.version)
    }

    /// The chart in force with its metadata.
    pub fn chart_document(&self) -> ChartDocument<'_> {
        ChartDocument {
            coa_version: &self.version.coa_version,
            entity: &self.identity.entity,
            jurisdiction: &self.identity.jurisdiction,
            currency_code: &self.identity.currency_code,
            last_updated_utc: &self.version.utc,
            accounts: &self.chart,
        }
    }

    /// The chart for documents and spreadsheets.
    ///
    /// # Errors
    /// The JSON could not be written.
    pub fn export_chart(&self, format: ChartFormat) -> Result<String, BooksError> {
        export(&self.chart_document(), format)
    }

    /// Accounts that have entries.
    ///
    /// # Errors
    /// The database refused.
    pub fn used_accounts(&self) -> Result<BTreeSet<String>, BooksError> {
        let used = |db: &Connection| {
            let mut statement = db.prepare("SELECT DISTINCT account FROM lines")?;
            statement.query_map([], |row| row.get(0))?.collect()
        };
        Ok(self.ledger.read(used)?)
    }
}

fn version(row: &Row<'_>) -> rusqlite::Result<ChartVersion> {
    let number: i64 = row.get(0)?;
    let diff: String = row.get(4)?;
    Ok(ChartVersion {
        coa_version: number.to_string(),
        utc: row.get(1)?,
        user: row.get(2)?,
        reason: row.get(3)?,
        diff: serde_json::from_str(&diff).map_err(|error| rows::bad(4, error))?,
    })
}

/// JSON of texts, numbers and lists.
pub(super) fn json(value: &impl Serialize) -> Result<String, BooksError> {
    serde_json::to_string(value).map_err(|error| BooksError::Damaged(error.to_string()))
}
