//! Booking events.

use super::super::error::BooksError;
use super::super::event::{Event, Happening};
use super::super::matching::execution_id;
use super::super::posting;
use super::entries::NewEntry;
use super::rows::{book_date, insert_closing, lots_of, store_lots};
use super::{Books, charting, database};
use crate::market::{Nanos, format_time};
use crate::vault::Storage;
use rusqlite::{OptionalExtension, Transaction, params};

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is a new entry.
    Booked,
    /// It was booked before; nothing changed.
    Already,
    /// Another event was booked under its reference; nothing changed. Somebody has to look at it.
    Conflict,
}

/// An event and its entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a conflict has to be looked at"]
pub struct Posted {
    /// The entry with the event's reference.
    pub entry: i64,
    /// What became of the event.
    pub outcome: Outcome,
}

impl Books {
    /// Books events in their order, in one transaction and one save: encrypting the image costs in proportion to the
    /// whole ledger, so what is there together is booked together. An event under a reference that was booked before
    /// changes nothing; whether it is the same is told by what happened, not by time, memo or flags, which brokers
    /// report differently from one interface to another. Lots are first in, first out in the order of booking.
    ///
    /// # Errors
    /// One of them cannot be booked, and is named; or they cannot be saved. Then none is booked.
    pub fn post(&mut self, storage: Storage<'_>, events: &[Event], now: Nanos) -> Result<Vec<Posted>, BooksError> {
        // What is wholly known needs no save.
        let known =
            events.iter().map(|event| self.known(event)).collect::<Result<Option<Vec<Posted>>, BooksError>>()?;
        if let Some(known) = known {
            return Ok(known);
        }
        self.change_ledger(storage, now, |tx| events.iter().map(|event| post_one(tx, event, now)).collect())
    }

    fn known(&self, event: &Event) -> Result<Option<Posted>, BooksError> {
        let found = self.ledger.read(|db| find(db, event))?;
        found.map(|found| compare(found, event)).transpose()
    }
}

/// What the reference of a fill begins with that was booked from a broker's file.
pub(super) const STATEMENT: &str = "statement:";

/// The reference of a fill of a broker's file, of which only the execution id is known.
pub(super) fn statement_reference(execution: &str) -> String {
    format!("{STATEMENT}{execution}")
}

/// The entry of an event: of its reference, or, of a fill, of its execution id if that was booked from a broker's file,
/// so that what arrives late is not booked twice.
fn find(db: &rusqlite::Connection, event: &Event) -> rusqlite::Result<Option<(i64, String)>> {
    let reference = event.reference.as_str();
    let is_fill = matches!(event.what, Happening::Fill(_));
    let from_file = |id: &str| is_fill.then(|| statement_reference(id));
    let references = params![reference, from_file(reference), from_file(execution_id(reference))];
    let mut statement =
        db.prepare_cached("SELECT id, event FROM entries WHERE reference IN (?1, ?2, ?3) ORDER BY id")?;
    statement.query_row(references, |row| Ok((row.get(0)?, row.get(1)?))).optional()
}

fn compare((entry, stored): (i64, String), event: &Event) -> Result<Posted, BooksError> {
    let outcome = if parse(entry, &stored)? == event.what { Outcome::Already } else { Outcome::Conflict };
    Ok(Posted { entry, outcome })
}

/// The happening that an entry was booked from.
pub(super) fn parse(entry: i64, stored: &str) -> Result<Happening, BooksError> {
    serde_json::from_str(stored).map_err(|error| BooksError::Damaged(format!("event of entry {entry}: {error}")))
}

pub(super) fn post_one(tx: &Transaction<'_>, event: &Event, now: Nanos) -> Result<Posted, BooksError> {
    if let Some(found) = find(tx, event).map_err(database)? {
        return compare(found, event);
    }
    let open = match event.what.instrument() {
        Some(instrument) => lots_of(tx, instrument).map_err(database)?,
        None => Vec::new(),
    };
    let posting = posting::post(event, &open)
        .map_err(|why| BooksError::Event { reference: event.reference.chars().take(128).collect(), why })?;
    let described = event.what.describe();
    let new = NewEntry {
        date: book_date(event.time),
        utc: format_time(event.time),
        memo: if event.memo.trim().is_empty() { &described } else { &event.memo },
        source: event.what.word(),
        reference: Some(&event.reference),
        event: Some(charting::json(&event.what)?),
        flags: &event.flags,
        user: "core",
        lines: &posting.lines,
    };
    let entry = new.insert(tx, now)?;
    store_lots(tx, entry, &open, &posting.lots).map_err(database)?;
    for closing in &posting.closings {
        insert_closing(tx, entry, closing).map_err(database)?;
    }
    Ok(Posted { entry, outcome: Outcome::Booked })
}
