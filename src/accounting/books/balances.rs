//! What the ledger adds up to.

use super::super::account::{AccountType, SystemAccount};
use super::super::error::BooksError;
use super::super::event::{Instrument, InstrumentKind};
use super::super::lots::{Direction, Lot};
use super::super::posting::{inventory, position};
use super::Books;
use super::rows::{all_lots, decimal, lots_of};
use crate::market::format_date;
use chrono::NaiveDate;
use rusqlite::Connection;
use rust_decimal::Decimal;
use serde::Serialize;
use std::collections::BTreeMap;

/// Debits and credits of one account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccountBalance {
    /// Code.
    pub account: String,
    /// Name in the chart in force.
    pub name: String,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: AccountType,
    /// Sum of its debits.
    #[serde(with = "rust_decimal::serde::str")]
    pub debits: Decimal,
    /// Sum of its credits.
    #[serde(with = "rust_decimal::serde::str")]
    pub credits: Decimal,
    /// Debits less credits.
    #[serde(with = "rust_decimal::serde::str")]
    pub balance: Decimal,
}

/// All accounts with entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TrialBalance {
    /// By code.
    pub accounts: Vec<AccountBalance>,
    /// Sum of all balances: zero.
    #[serde(with = "rust_decimal::serde::str")]
    pub sum: Decimal,
}

/// A position: all lots of an instrument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    /// What.
    pub instrument: Instrument,
    /// Units, negative when short.
    pub quantity: Decimal,
    /// Dollars paid for it, or received if it is short.
    pub amount: Decimal,
    /// Its lots, first in first.
    pub lots: Vec<Lot>,
}

impl Books {
    /// Debits and credits of every account with entries, up to the end of a book date or of all.
    ///
    /// # Errors
    /// The database refused, or the ledger has an account that the chart has not.
    pub fn trial_balance(&self, until: Option<NaiveDate>) -> Result<TrialBalance, BooksError> {
        let sums = self.ledger.read(|db| sums(db, until.map(format_date)))?;
        let mut accounts = Vec::with_capacity(sums.len());
        for (code, (debits, credits)) in sums {
            let missing = || BooksError::Damaged(format!("the chart has no account {code}, which has entries"));
            let account = self.chart.get(&code).ok_or_else(missing)?;
            accounts.push(AccountBalance {
                account: code.clone(),
                name: account.name.clone(),
                kind: account.kind,
                debits,
                credits,
                balance: debits - credits,
            });
        }
        let sum = accounts.iter().map(|account| account.balance).sum();
        Ok(TrialBalance { accounts, sum })
    }

    /// Debits less credits of an account.
    ///
    /// # Errors
    /// The database refused.
    pub fn balance(&self, account: &str) -> Result<Decimal, BooksError> {
        let sum = |db: &Connection| {
            let mut statement = db.prepare_cached("SELECT debit, credit FROM lines WHERE account = ?1")?;
            let mut rows = statement.query([account])?;
            let mut balance = Decimal::ZERO;
            while let Some(row) = rows.next()? {
                balance += decimal(row, 0)? - decimal(row, 1)?;
            }
            Ok(balance)
        };
        Ok(self.ledger.read(sum)?)
    }

    /// Cash at the broker, dollars.
    ///
    /// # Errors
    /// The database refused.
    pub fn cash(&self) -> Result<Decimal, BooksError> {
        self.balance(SystemAccount::Cash.code())
    }

    /// Units held of an instrument, negative when short.
    ///
    /// # Errors
    /// The database refused.
    pub fn position(&self, instrument: &Instrument) -> Result<Decimal, BooksError> {
        Ok(position(&self.ledger.read(|db| lots_of(db, instrument))?))
    }

    /// All positions by instrument.
    ///
    /// # Errors
    /// The database refused.
    pub fn holdings(&self) -> Result<Vec<Holding>, BooksError> {
        let lots = self.ledger.read(all_lots)?;
        let holdings = lots.chunk_by(|a, b| a.instrument == b.instrument).map(|lots| Holding {
            instrument: lots[0].instrument.clone(),
            quantity: position(lots),
            amount: lots.iter().map(|lot| lot.amount).sum(),
            lots: lots.to_vec(),
        });
        Ok(holdings.collect())
    }

    /// Checks the ledger against itself: every entry balances, and the position accounts equal the lots. Gives what is
    /// wrong; nothing, if all is right.
    ///
    /// # Errors
    /// The database refused.
    pub fn check(&self) -> Result<Vec<String>, BooksError> {
        let mut faults = Vec::new();
        for (entry, sum) in self.ledger.read(entry_sums)? {
            if !sum.is_zero() {
                faults.push(format!("debits and credits of entry {entry} differ by {sum}"));
            }
        }
        let mut held: BTreeMap<SystemAccount, Decimal> = BTreeMap::new();
        for lot in self.ledger.read(all_lots)? {
            let signed = if lot.direction == Direction::Short { -lot.amount } else { lot.amount };
            *held.entry(inventory(lot.instrument.kind, lot.direction)).or_default() += signed;
        }
        for kind in [InstrumentKind::Share, InstrumentKind::Option] {
            for direction in [Direction::Long, Direction::Short] {
                let account = inventory(kind, direction);
                let (lots, balance) = (held.remove(&account).unwrap_or_default(), self.balance(account.code())?);
                if lots != balance {
                    faults.push(format!("account {} has {balance}, its lots {lots}", account.code()));
                }
            }
        }
        Ok(faults)
    }
}

type Sums = BTreeMap<String, (Decimal, Decimal)>;

fn sums(db: &Connection, until: Option<String>) -> rusqlite::Result<Sums> {
    let sql = "SELECT account, debit, credit FROM lines
        WHERE ?1 IS NULL OR entry IN (SELECT id FROM entries WHERE date <= ?1)";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([until])?;
    let mut sums = Sums::new();
    while let Some(row) = rows.next()? {
        let (debits, credits) = sums.entry(row.get(0)?).or_default();
        *debits += decimal(row, 1)?;
        *credits += decimal(row, 2)?;
    }
    Ok(sums)
}

fn entry_sums(db: &Connection) -> rusqlite::Result<Vec<(i64, Decimal)>> {
    let mut statement = db.prepare_cached("SELECT entry, debit, credit FROM lines ORDER BY entry")?;
    let mut rows = statement.query([])?;
    let mut sums: Vec<(i64, Decimal)> = Vec::new();
    while let Some(row) = rows.next()? {
        let (entry, amount) = (row.get(0)?, decimal(row, 1)? - decimal(row, 2)?);
        match sums.last_mut() {
            Some(last) if last.0 == entry => last.1 += amount,
            _ => sums.push((entry, amount)),
        }
    }
    Ok(sums)
}
