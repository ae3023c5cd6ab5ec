//! Small tables beside the bars: a handful of named columns from CSV or Parquet, cell by cell.

use super::DataError;
use super::chunk::Blob;
use super::clock::{Clock, Localiser, date_of, is_midnight, parse_stamp};
use super::csv_file::{bad_time, csv_error, open};
use super::error::{Place, RowUnit};
use crate::market::{Nanos, new_york_date};
use chrono::NaiveDate;
use polars::prelude::{AnyValue, DataFrame, ParquetReader, SerReader, TimeUnit};
use std::io::Cursor;

/// A table in memory, all cells as text; empty is missing.
#[derive(Debug)]
pub(super) struct Table {
    file: String,
    unit: RowUnit,
    names: Vec<String>,
    rows: Vec<(u64, Vec<String>)>,
}

/// One row of a table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    table: &'a Table,
    number: u64,
    cells: &'a [String],
}

/// A column of a table, found by name.
#[derive(Debug, Clone, Copy)]
pub(super) struct ColumnName(usize, &'static str);

impl Table {
    /// Reads CSV or Parquet by the suffix of the file.
    pub(super) fn read(blob: &Blob) -> Result<Table, DataError> {
        if blob.suffix() == "parquet" { Table::read_parquet(blob) } else { Table::read_csv(blob) }
    }

    fn read_csv(blob: &Blob) -> Result<Table, DataError> {
        let file = blob.name();
        let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).trim(csv::Trim::All).from_reader(open(blob)?);
        let names = reader.headers().map_err(|e| csv_error(&file, &e))?.iter().map(clean).collect();
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record.map_err(|e| csv_error(&file, &e))?;
            let line = record.position().map_or(0, csv::Position::line);
            rows.push((line, record.iter().map(String::from).collect()));
        }
        Ok(Table { file, unit: RowUnit::Line, names, rows })
    }

    fn read_parquet(blob: &Blob) -> Result<Table, DataError> {
        let file = blob.name();
        let frame: Result<DataFrame, _> = match blob {
            Blob::Path(path) => {
                ParquetReader::new(std::fs::File::open(path).map_err(|e| DataError::read(path, e))?).finish()
            }
            Blob::Embedded { bytes, .. } => ParquetReader::new(Cursor::new(*bytes)).finish(),
        };
        let bad = |e: polars::error::PolarsError| DataError::file(&file, format!("not a readable Parquet file: {e}"));
        let frame = frame.map_err(bad)?;
        let names = frame.get_column_names().iter().map(|n| clean(n.as_str())).collect();
        let mut rows = Vec::with_capacity(frame.height());
        for row in 0..frame.height() {
            let mut cells = Vec::with_capacity(frame.width());
            for column in frame.columns() {
                cells.push(cell_text(&column.get(row).map_err(bad)?));
            }
            rows.push((row as u64 + 1, cells));
        }
        Ok(Table { file, unit: RowUnit::Row, names, rows })
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|(number, cells)| Row { table: self, number: *number, cells })
    }

    /// The column with one of these names, if there.
    pub(super) fn optional(&self, names: &[&'static str]) -> Option<ColumnName> {
        names.iter().find_map(|name| self.names.iter().position(|n| n == name).map(|i| ColumnName(i, name)))
    }

    /// The column with one of these names.
    pub(super) fn column(&self, names: &[&'static str]) -> Result<ColumnName, DataError> {
        self.optional(names).ok_or_else(|| {
            DataError::file(&self.file, format!("no column '{}' among [{}]", names[0], self.names.join(", ")))
        })
    }
}

impl<'a> Row<'a> {
    /// A fault of this row.
    pub(super) fn fault(&self, reason: impl Into<String>) -> DataError {
        let place = Place { file: self.table.file.clone(), unit: self.table.unit, number: self.number };
        DataError::row(place, reason)
    }

    /// The text of a cell; `None` when empty.
    pub(super) fn text(&self, column: ColumnName) -> Option<&'a str> {
        self.cells.get(column.0).map(String::as_str).filter(|t| !t.is_empty())
    }

    /// The text of a cell that must not be empty.
    pub(super) fn need(&self, column: ColumnName) -> Result<&'a str, DataError> {
        self.text(column).ok_or_else(|| self.fault(format!("{} is empty", column.1)))
    }

    /// A finite number; `None` when empty.
    pub(super) fn number(&self, column: ColumnName) -> Result<Option<f64>, DataError> {
        let Some(text) = self.text(column) else { return Ok(None) };
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Some(value)),
            _ => Err(self.fault(format!("{} '{text}' is not a finite number", column.1))),
        }
    }

    /// A number above zero.
    pub(super) fn positive(&self, column: ColumnName) -> Result<f64, DataError> {
        self.need(column)?;
        match self.number(column)? {
            Some(value) if value > 0.0 => Ok(value),
            found => Err(self.fault(format!("{} is {}; expected above 0", column.1, found.unwrap_or(f64::NAN)))),
        }
    }

    /// A date: `YYYY-MM-DD`, or the New York date of a time.
    pub(super) fn date(&self, column: ColumnName) -> Result<NaiveDate, DataError> {
        let text = self.need(column)?;
        match parse_stamp(text.as_bytes()) {
            Some((t, Clock::Utc)) if !is_midnight(t) => Ok(new_york_date(t)),
            Some((t, _)) => Ok(date_of(t)),
            None => Err(self.fault(format!("{} '{text}' is not a date; expected YYYY-MM-DD", column.1))),
        }
    }

    /// An instant, or a date as its midnight.
    pub(super) fn stamp(&self, column: ColumnName, zone: Option<chrono_tz::Tz>) -> Result<(Nanos, Clock), DataError> {
        let text = self.need(column)?;
        let Some((t, clock)) = parse_stamp(text.as_bytes()) else {
            return Err(self.fault(bad_time(text.as_bytes())));
        };
        match (clock, zone) {
            (Clock::Wall, _) if is_midnight(t) => Ok((t, Clock::Date)),
            (Clock::Wall, Some(zone)) => match Localiser::new(zone).instant(t) {
                Some(t) => Ok((t, Clock::Utc)),
                None => Err(self.fault(format!("{text} does not exist in {zone}: the clocks go forward over it"))),
            },
            (Clock::Wall, None) => {
                Err(self.fault(format!("{text} has no offset: --tz says whose clock it is (--tz America/New_York)")))
            }
            _ => Ok((t, clock)),
        }
    }
}

fn clean(name: &str) -> String {
    name.trim().trim_start_matches('\u{feff}').to_ascii_lowercase()
}

/// A cell as CSV would have it.
fn cell_text(value: &AnyValue<'_>) -> String {
    match value {
        AnyValue::Null => String::new(),
        AnyValue::String(text) => (*text).trim().to_string(),
        AnyValue::StringOwned(text) => text.trim().to_string(),
        AnyValue::Date(days) => {
            let date = chrono::DateTime::from_timestamp(i64::from(*days) * 86_400, 0);
            date.map(|d| d.format("%Y-%m-%d").to_string()).unwrap_or_default()
        }
        AnyValue::Datetime(t, unit, zone) => instant_text(*t, *unit, zone.is_some()),
        AnyValue::DatetimeOwned(t, unit, zone) => instant_text(*t, *unit, zone.is_some()),
        AnyValue::Float64(v) => v.to_string(),
        AnyValue::Float32(v) => v.to_string(),
        other => other.to_string(),
    }
}

fn instant_text(t: i64, unit: TimeUnit, utc: bool) -> String {
    let scale = match unit {
        TimeUnit::Nanoseconds => 1,
        TimeUnit::Microseconds => 1_000,
        TimeUnit::Milliseconds => 1_000_000,
    };
    let time = chrono::DateTime::from_timestamp_nanos(t.saturating_mul(scale));
    let text = time.format("%Y-%m-%dT%H:%M:%S%.9f").to_string();
    if utc { text + "Z" } else { text }
}
