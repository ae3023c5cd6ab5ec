//! Rows of the ledger as values.

use super::super::error::BooksError;
use super::super::event::{Instrument, InstrumentKind};
use super::super::lines::{BalancedLines, Line};
use super::super::lots::{Closing, Direction, Lot};
use super::database;
use crate::market::{Nanos, format_date, new_york_date};
use rusqlite::types::Type;
use rusqlite::{Connection, Row, Transaction, params};
use rust_decimal::Decimal;

/// A decimal of a column.
pub(super) fn decimal(row: &Row<'_>, column: usize) -> rusqlite::Result<Decimal> {
    let text: String = row.get(column)?;
    Decimal::from_str_exact(&text).map_err(|error| bad(column, error))
}

/// A column with what this program did not write.
pub(super) fn bad(
    column: usize,
    error: impl Into<Box<dyn std::error::Error + Send + Sync + 'static>>,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into())
}

fn kind(row: &Row<'_>, column: usize) -> rusqlite::Result<InstrumentKind> {
    let word: String = row.get(column)?;
    Ok(if word == InstrumentKind::Option.word() { InstrumentKind::Option } else { InstrumentKind::Share })
}

fn direction(row: &Row<'_>, column: usize) -> rusqlite::Result<Direction> {
    let word: String = row.get(column)?;
    Ok(if word == Direction::Short.word() { Direction::Short } else { Direction::Long })
}

/// The book date of an instant: the day in New York.
pub(super) fn book_date(time: Nanos) -> String {
    format_date(new_york_date(time))
}

/// The only statement that stores lines: it takes none that do not balance.
pub(super) fn insert_lines(tx: &Transaction<'_>, entry: i64, lines: &BalancedLines) -> Result<(), BooksError> {
    let sql = "INSERT INTO lines (entry, number, account, debit, credit) VALUES (?1, ?2, ?3, ?4, ?5)";
    let mut statement = tx.prepare_cached(sql).map_err(database)?;
    for (number, line) in (0_i64..).zip(lines.lines()) {
        let (debit, credit) = (line.debit.to_string(), line.credit.to_string());
        statement.execute(params![entry, number, line.account, debit, credit]).map_err(database)?;
    }
    Ok(())
}

/// The lines of an entry.
pub(super) fn lines(db: &Connection, entry: i64) -> rusqlite::Result<Vec<Line>> {
    let sql = "SELECT account, debit, credit FROM lines WHERE entry = ?1 ORDER BY number";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map([entry], |row| {
        Ok(Line { account: row.get(0)?, debit: decimal(row, 1)?, credit: decimal(row, 2)? })
    })?;
    rows.collect()
}

const LOT: &str = "SELECT id, instrument, kind, direction, opened_ns, quantity, amount, fees FROM lots";

fn lot(row: &Row<'_>) -> rusqlite::Result<Lot> {
    Ok(Lot {
        id: row.get(0)?,
        instrument: Instrument { name: row.get(1)?, kind: kind(row, 2)? },
        direction: direction(row, 3)?,
        opened: row.get(4)?,
        quantity: decimal(row, 5)?,
        amount: decimal(row, 6)?,
        fees: decimal(row, 7)?,
    })
}

/// Open lots of an instrument, first in first.
pub(super) fn lots_of(db: &Connection, instrument: &Instrument) -> rusqlite::Result<Vec<Lot>> {
    let mut statement = db.prepare_cached(&format!("{LOT} WHERE instrument = ?1 AND kind = ?2 ORDER BY id"))?;
    statement.query_map(params![instrument.name, instrument.kind.word()], lot)?.collect()
}

/// All open lots by instrument, first in first.
pub(super) fn all_lots(db: &Connection) -> rusqlite::Result<Vec<Lot>> {
    let mut statement = db.prepare_cached(&format!("{LOT} ORDER BY instrument, kind, id"))?;
    statement.query_map([], lot)?.collect()
}

/// Makes the lots of an instrument what they are after an event.
pub(super) fn store_lots(tx: &Transaction<'_>, entry: i64, before: &[Lot], after: &[Lot]) -> rusqlite::Result<()> {
    for old in before.iter().filter(|old| !after.iter().any(|new| new.id == old.id)) {
        tx.prepare_cached("DELETE FROM lots WHERE id = ?1")?.execute([old.id])?;
    }
    for new in after {
        let (quantity, amount, fees) = (new.quantity.to_string(), new.amount.to_string(), new.fees.to_string());
        if new.id == 0 {
            let sql = "INSERT INTO lots (entry, instrument, kind, direction, opened_ns, quantity, amount, fees)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
            let Instrument { name, kind } = &new.instrument;
            let direction = new.direction.word();
            let values = params![entry, name, kind.word(), direction, new.opened, quantity, amount, fees];
            tx.prepare_cached(sql)?.execute(values)?;
        } else if !before.contains(new) {
            let sql = "UPDATE lots SET quantity = ?2, amount = ?3, fees = ?4 WHERE id = ?1";
            tx.prepare_cached(sql)?.execute(params![new.id, quantity, amount, fees])?;
        }
    }
    Ok(())
}

/// Keeps what was closed.
pub(super) fn insert_closing(tx: &Transaction<'_>, entry: i64, closing: &Closing) -> rusqlite::Result<()> {
    let sql = "INSERT INTO closings (entry, closed_date, instrument, kind, direction, quantity, opened_ns, closed_ns,
        proceeds, cost, opening_fees, closing_fees) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
    let values = params![
        entry,
        book_date(closing.closed),
        closing.instrument.name,
        closing.instrument.kind.word(),
        closing.direction.word(),
        closing.quantity.to_string(),
        closing.opened,
        closing.closed,
        closing.proceeds.to_string(),
        closing.cost.to_string(),
        closing.opening_fees.to_string(),
        closing.closing_fees.to_string(),
    ];
    tx.prepare_cached(sql)?.execute(values).map(drop)
}

/// What was closed from one book date to another, with its entry.
pub(super) fn closings(db: &Connection, from: &str, to: &str) -> rusqlite::Result<Vec<(i64, Closing)>> {
    let sql = "SELECT entry, instrument, kind, direction, quantity, opened_ns, closed_ns, proceeds, cost, opening_fees,
        closing_fees FROM closings WHERE closed_date BETWEEN ?1 AND ?2 ORDER BY closed_date, id";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map([from, to], |row| {
        let closing = Closing {
            instrument: Instrument { name: row.get(1)?, kind: kind(row, 2)? },
            direction: direction(row, 3)?,
            quantity: decimal(row, 4)?,
            opened: row.get(5)?,
            closed: row.get(6)?,
            proceeds: decimal(row, 7)?,
            cost: decimal(row, 8)?,
            opening_fees: decimal(row, 9)?,
            closing_fees: decimal(row, 10)?,
        };
        Ok((row.get(0)?, closing))
    })?;
    rows.collect()
}
