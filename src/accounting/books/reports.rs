//! What a year brought, and the whole ledger for other programs.

use super::super::account::SystemAccount;
use super::super::error::BooksError;
use super::super::event::{Happening, Instrument};
use super::super::export;
use super::super::lots::{Closing, Direction};
use super::super::money::cents;
use super::super::ofx::{self, OfxAccount};
use super::events::parse;
use super::{Books, entries, rows};
use crate::market::{Nanos, format_date, new_york_date};
use chrono::Months;
use rusqlite::Connection;
use rust_decimal::Decimal;
use serde::Serialize;
use std::collections::HashMap;

/// How long something was held, as the tax of the United States asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Term {
    /// Up to one year, and short sales.
    Short,
    /// More than one year.
    Long,
}

/// What was closed of one lot: a line of IRS form 8949. Amounts are in cents; wash sales are not looked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RealisedGain {
    /// What.
    pub instrument: Instrument,
    /// Whether it was held or sold short.
    pub direction: Direction,
    /// Shares or contracts.
    #[serde(with = "rust_decimal::serde::str")]
    pub quantity: Decimal,
    /// Trade date on which the lot was opened.
    pub opened: String,
    /// Trade date on which this was closed.
    pub closed: String,
    /// Dollars it was sold for, less the fees of selling.
    #[serde(with = "rust_decimal::serde::str")]
    pub proceeds: Decimal,
    /// Dollars it was bought for, with the fees of buying.
    #[serde(with = "rust_decimal::serde::str")]
    pub basis: Decimal,
    /// Proceeds less basis.
    #[serde(with = "rust_decimal::serde::str")]
    pub gain: Decimal,
    /// How long it was held.
    pub term: Term,
    /// The entry that closed it.
    pub entry: i64,
}

impl RealisedGain {
    fn new(entry: i64, closing: Closing) -> RealisedGain {
        let (selling, buying) = match closing.direction {
            Direction::Long => (closing.closing_fees, closing.opening_fees),
            Direction::Short => (closing.opening_fees, closing.closing_fees),
        };
        let (proceeds, basis) = (cents(closing.proceeds - selling), cents(closing.cost + buying));
        let (opened, closed) = (new_york_date(closing.opened), new_york_date(closing.closed));
        // The holding time begins on the day after the purchase (IRS publication 550); a short sale is closed with
        // shares bought on the day.
        let year_is_over = opened.checked_add_months(Months::new(12)).is_some_and(|end| closed > end);
        let term = if closing.direction == Direction::Long && year_is_over { Term::Long } else { Term::Short };
        RealisedGain {
            instrument: closing.instrument,
            direction: closing.direction,
            quantity: closing.quantity,
            opened: format_date(opened),
            closed: format_date(closed),
            proceeds,
            basis,
            gain: proceeds - basis,
            term,
            entry,
        }
    }
}

/// One entry as a line of the account's activity. Amounts of dollars are in cents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Activity {
    /// Book date.
    pub date: String,
    /// When it happened.
    pub utc: String,
    /// `manual`, or the kind of event.
    pub source: String,
    /// What was traded, if something was.
    pub instrument: Option<Instrument>,
    /// `buy` or `sell`.
    pub side: Option<&'static str>,
    /// Shares or contracts.
    #[serde(with = "rust_decimal::serde::str_option")]
    pub quantity: Option<Decimal>,
    /// Dollars a share.
    #[serde(with = "rust_decimal::serde::str_option")]
    pub price: Option<Decimal>,
    /// Dollars.
    #[serde(with = "rust_decimal::serde::str_option")]
    pub commission: Option<Decimal>,
    /// Dollars.
    #[serde(with = "rust_decimal::serde::str_option")]
    pub regulatory_fees: Option<Decimal>,
    /// What it did to cash, dollars.
    #[serde(with = "rust_decimal::serde::str")]
    pub cash: Decimal,
    /// What makes it one event.
    pub reference: Option<String>,
    /// For people.
    pub memo: String,
    /// The entry.
    pub entry: i64,
}

/// A form of export of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerFormat {
    /// One row a line, amounts with all decimals.
    Csv,
    /// Entries with their lines, amounts with all decimals.
    Json,
    /// An investment statement in OFX 2.2, amounts in cents.
    Ofx(OfxAccount),
}

impl Books {
    /// What was closed in a calendar year of New York, by trade date, in order of closing.
    ///
    /// # Errors
    /// The database refused.
    pub fn realised_gains(&self, year: u16) -> Result<Vec<RealisedGain>, BooksError> {
        let (from, to) = bounds(year);
        let closings = self.ledger.read(|db| rows::closings(db, &from, &to))?;
        Ok(closings.into_iter().map(|(entry, closing)| RealisedGain::new(entry, closing)).collect())
    }

    /// Everything that was booked in a calendar year of New York, by book date.
    ///
    /// # Errors
    /// The database refused.
    pub fn activity(&self, year: u16) -> Result<Vec<Activity>, BooksError> {
        let (from, to) = bounds(year);
        let found = self.ledger.read(|db| booked(db, &from, &to))?;
        found.into_iter().map(|(entry, event)| activity(entry, event)).collect()
    }

    /// [`Books::realised_gains`] as CSV.
    ///
    /// # Errors
    /// The database refused.
    pub fn export_gains(&self, year: u16) -> Result<String, BooksError> {
        Ok(export::gains(&self.realised_gains(year)?))
    }

    /// [`Books::activity`] as CSV.
    ///
    /// # Errors
    /// The database refused.
    pub fn export_activity(&self, year: u16) -> Result<String, BooksError> {
        Ok(export::activity(&self.activity(year)?))
    }

    /// The whole ledger.
    ///
    /// # Errors
    /// The database refused.
    pub fn export_ledger(&self, format: &LedgerFormat, now: Nanos) -> Result<String, BooksError> {
        match format {
            LedgerFormat::Csv => Ok(export::ledger_csv(&self.ledger.read(entries::all)?, &self.chart)),
            LedgerFormat::Json => export::ledger_json(&self.ledger.read(entries::all)?, &self.identity, &self.version),
            LedgerFormat::Ofx(account) => {
                let found = self.ledger.read(|db| booked(db, "", "9999-99-99"))?;
                let mut closed: HashMap<i64, Decimal> = HashMap::new();
                for (entry, closing) in self.ledger.read(|db| rows::closings(db, "", "9999-99-99"))? {
                    *closed.entry(entry).or_default() += closing.quantity;
                }
                let mut booked = Vec::with_capacity(found.len());
                for (entry, event) in found {
                    let event = event.map(|stored| parse(entry.id, &stored)).transpose()?;
                    let closed = closed.get(&entry.id).copied().unwrap_or_default();
                    booked.push(ofx::Booked { cash: cash(&entry), entry, event, closed });
                }
                ofx::statement(&booked, self.cash()?, &self.identity.currency_code, account, now)
            }
        }
    }
}

fn bounds(year: u16) -> (String, String) {
    (format!("{year:04}-01-01"), format!("{year:04}-12-31"))
}

/// What an entry did to cash.
fn cash(entry: &entries::Entry) -> Decimal {
    entry.lines.iter().filter(|line| line.account == SystemAccount::Cash.code()).map(|line| line.amount()).sum()
}

/// Entries of some book dates with the events they were booked from.
fn booked(db: &Connection, from: &str, to: &str) -> rusqlite::Result<Vec<(entries::Entry, Option<String>)>> {
    let mut statement = db.prepare("SELECT id, event FROM entries WHERE date BETWEEN ?1 AND ?2 ORDER BY date, id")?;
    let ids = statement.query_map([from, to], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let ids = ids.collect::<rusqlite::Result<Vec<(i64, Option<String>)>>>()?;
    let entry = |(id, event)| entries::get(db, id).map(|entry| entry.map(|entry| (entry, event)));
    ids.into_iter().filter_map(|row| entry(row).transpose()).collect()
}

fn activity(entry: entries::Entry, event: Option<String>) -> Result<Activity, BooksError> {
    let event = event.map(|stored| parse(entry.id, &stored)).transpose()?;
    let mut activity = Activity {
        cash: cents(cash(&entry)),
        date: entry.date,
        utc: entry.utc,
        source: entry.source,
        instrument: event.as_ref().and_then(|event| event.instrument().cloned()),
        side: None,
        quantity: None,
        price: None,
        commission: None,
        regulatory_fees: None,
        reference: entry.reference,
        memo: entry.memo,
        entry: entry.id,
    };
    match event {
        Some(Happening::Fill(fill)) => {
            activity.side = Some(fill.side.name());
            activity.quantity = Some(fill.quantity);
            activity.price = Some(fill.price);
            activity.commission = Some(cents(fill.commission));
            activity.regulatory_fees = Some(cents(fill.regulatory_fees));
        }
        Some(Happening::OpeningPosition { side, quantity, .. }) => {
            activity.side = Some(side.name());
            activity.quantity = Some(quantity);
        }
        _ => {}
    }
    Ok(activity)
}
