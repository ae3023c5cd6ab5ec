//! Small tables of other programs: daily returns, equities and trades from CSV or Parquet.

use super::CliError;
use crate::market::{format_date, parse_date, parse_time};
use crate::stats::returns_from_equity;
use chrono::{DateTime, NaiveDate};
use chrono_tz::Tz;
use polars::prelude::{Column, DataFrame, DataType, ParquetReader, SerReader, TimeUnit};
use std::path::Path;

/// Returns by day, dates ascending without repeats.
#[derive(Debug)]
pub(super) struct DailyReturns {
    pub dates: Vec<NaiveDate>,
    pub returns: Vec<f64>,
}

/// Reads `date, return`, or `date, equity` with the starting capital in the first row.
pub(super) fn read_daily_returns(path: &Path) -> Result<DailyReturns, CliError> {
    let table = Table::read(path, &["date", "return", "equity"])?;
    let dates = table.dates(table.required("date")?)?;
    let (dates, returns) = if let Some(column) = table.column("return") {
        if table.column("equity").is_some() {
            eprintln!("{}: has 'return' and 'equity'; 'return' is used", path.display());
        }
        (dates, table.numbers(column)?)
    } else if let Some(column) = table.column("equity") {
        let equity = table.numbers(column)?;
        let (Some((&start, rest)), Some((_, days))) = (equity.split_first(), dates.split_first()) else {
            return Err(table.error("no rows; expected a starting capital and one equity a day"));
        };
        let returns = returns_from_equity(start, rest).ok_or_else(|| {
            table.row_error(0, format!("the starting capital is {start}; expected a positive number"))
        })?;
        let ruin = rest.iter().position(|&equity| equity <= 0.0);
        if let Some(ruin) = ruin.filter(|ruin| ruin + 1 < rest.len()) {
            let place = format!("{}: {} {}", path.display(), table.row_word, table.rows[ruin + 1]);
            eprintln!("{place}: equity is {}; returns after it have no meaning and count as 0", rest[ruin]);
        }
        (days.to_vec(), returns)
    } else {
        return Err(table.error("no column 'return' or 'equity'; expected the columns date, return or date, equity"));
    };
    if returns.is_empty() {
        return Err(table.error("no returns; expected at least one day"));
    }
    Ok(DailyReturns { dates, returns })
}

/// Reads the column `pnl`, in the order of the file.
pub(super) fn read_pnl(path: &Path) -> Result<Vec<f64>, CliError> {
    let table = Table::read(path, &["pnl"])?;
    table.numbers(table.required("pnl")?)
}

/// One column as the file has it.
pub(super) enum Cells {
    Text(Vec<String>),
    Numbers(Vec<Option<f64>>),
    Dates(Vec<Option<NaiveDate>>),
}

/// The wanted columns of a file.
pub(super) struct Table {
    pub path: String,
    pub columns: Vec<(&'static str, Cells)>,
    /// What [`Table::rows`] count.
    pub row_word: &'static str,
    /// Number of each row as a user finds it: the line of a CSV file, the row (from 1) of a Parquet file.
    pub rows: Vec<u64>,
    /// All column names, for messages.
    pub header: String,
}

impl Table {
    /// Reads those of the `wanted` columns that the file has. Parquet is known by its first bytes.
    fn read(path: &Path, wanted: &[&'static str]) -> Result<Table, CliError> {
        let bytes = bytes_of(path)?;
        if bytes.starts_with(b"PAR1") {
            Table::from_parquet(path, bytes, wanted)
        } else {
            Table::from_csv(path, &bytes, wanted)
        }
    }

    fn from_csv(path: &Path, bytes: &[u8], wanted: &[&'static str]) -> Result<Table, CliError> {
        let path = path.display().to_string();
        let fail = |error: csv::Error| CliError::Input(format!("{path}: {error}"));
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes);
        let header: Vec<String> = reader.headers().map_err(fail)?.iter().map(str::to_ascii_lowercase).collect();
        let mut found: Vec<(&'static str, usize, Vec<String>)> = Vec::new();
        for (index, name) in header.iter().enumerate() {
            let Some(&key) = wanted.iter().find(|key| *key == name) else { continue };
            if found.iter().any(|(known, _, _)| *known == key) {
                return Err(CliError::Input(format!("{path}: two columns are called '{key}'; expected one")));
            }
            found.push((key, index, Vec::new()));
        }
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record.map_err(fail)?;
            rows.push(record.position().map_or(0, |p| p.line()));
            for (_, index, cells) in &mut found {
                cells.push(record.get(*index).unwrap_or_default().to_string());
            }
        }
        let columns = found.into_iter().map(|(key, _, cells)| (key, Cells::Text(cells))).collect();
        Ok(Table { path, columns, row_word: "line", rows, header: header.join(", ") })
    }

    fn from_parquet(path: &Path, bytes: Vec<u8>, wanted: &[&'static str]) -> Result<Table, CliError> {
        let path = path.display().to_string();
        let fail = |error| unreadable(&path, error);
        let frame = parquet_frame(&path, bytes)?;
        let mut columns: Vec<(&'static str, Cells)> = Vec::new();
        for column in frame.columns() {
            let name = column.name().to_ascii_lowercase();
            let Some(&key) = wanted.iter().find(|key| **key == name) else { continue };
            if columns.iter().any(|(known, _)| *known == key) {
                return Err(CliError::Input(format!("{path}: two columns are called '{key}'; expected one")));
            }
            let cells = parquet_cells(column).map_err(fail)?.ok_or_else(|| {
                CliError::Input(format!(
                    "{path}: column '{key}' is {}; expected dates, numbers or text",
                    column.dtype()
                ))
            })?;
            columns.push((key, cells));
        }
        let names: Vec<String> = frame.columns().iter().map(|c| c.name().to_string()).collect();
        let rows = (1..=frame.height() as u64).collect();
        Ok(Table { path, columns, row_word: "row", rows, header: names.join(", ") })
    }

    fn column(&self, key: &str) -> Option<(&'static str, &Cells)> {
        self.columns.iter().find(|(known, _)| *known == key).map(|(key, cells)| (*key, cells))
    }

    fn required(&self, key: &str) -> Result<(&'static str, &Cells), CliError> {
        self.column(key).ok_or_else(|| self.error(&format!("no column '{key}'; it has: {}", self.header)))
    }

    pub(super) fn error(&self, reason: &str) -> CliError {
        CliError::Input(format!("{}: {reason}", self.path))
    }

    fn row_error(&self, index: usize, reason: String) -> CliError {
        CliError::Input(format!("{}: {} {}: {reason}", self.path, self.row_word, self.rows[index]))
    }

    /// Finite numbers, one a row.
    pub(super) fn numbers(&self, (key, cells): (&str, &Cells)) -> Result<Vec<f64>, CliError> {
        let number = |i: usize| match cells {
            Cells::Numbers(values) => values[i].ok_or_else(|| "nothing".to_string()),
            Cells::Text(values) => values[i].parse::<f64>().map_err(|_| format!("'{}'", values[i])),
            Cells::Dates(_) => Err("a date".to_string()),
        };
        let checked = |i: usize| {
            let value = number(i).and_then(|v| if v.is_finite() { Ok(v) } else { Err(format!("'{v}'")) });
            value.map_err(|found| self.row_error(i, format!("{key} is {found}; expected a finite number")))
        };
        (0..self.rows.len()).map(checked).collect()
    }

    /// Ascending dates, one a row.
    pub(super) fn dates(&self, (key, cells): (&str, &Cells)) -> Result<Vec<NaiveDate>, CliError> {
        let date = |i: usize| match cells {
            Cells::Dates(values) => values[i].ok_or_else(|| "nothing".to_string()),
            Cells::Text(values) => day_of(&values[i]).ok_or_else(|| format!("'{}'", values[i])),
            Cells::Numbers(_) => Err("a number".to_string()),
        };
        let mut dates: Vec<NaiveDate> = Vec::with_capacity(self.rows.len());
        for i in 0..self.rows.len() {
            let date = date(i)
                .map_err(|found| self.row_error(i, format!("{key} is {found}; expected a date as YYYY-MM-DD")))?;
            if let Some(&last) = dates.last()
                && date <= last
            {
                return Err(self.row_error(
                    i,
                    format!(
                        "{key} {} after {}; expected one row a day, oldest first",
                        format_date(date),
                        format_date(last)
                    ),
                ));
            }
            dates.push(date);
        }
        Ok(dates)
    }
}

/// The bytes of a file.
pub(super) fn bytes_of(path: &Path) -> Result<Vec<u8>, CliError> {
    std::fs::read(path).map_err(|error| CliError::Input(format!("{}: {error}", path.display())))
}

/// The table of a Parquet file called `path`.
pub(super) fn parquet_frame(path: &str, bytes: Vec<u8>) -> Result<DataFrame, CliError> {
    ParquetReader::new(std::io::Cursor::new(bytes)).finish().map_err(|error| unreadable(path, error))
}

/// A Parquet file that cannot be read.
pub(super) fn unreadable(path: &str, error: polars::error::PolarsError) -> CliError {
    CliError::Input(format!("{path}: not a readable Parquet file: {error}"))
}

/// The day that a text names: a date, or the date part of a time as it is written.
fn day_of(text: &str) -> Option<NaiveDate> {
    if let Ok(date) = parse_date(text) {
        return Some(date);
    }
    let (date, _) = text.split_at_checked(10)?;
    let is_time = parse_time(text).is_ok() || parse_time(&format!("{text}Z")).is_ok();
    if is_time { parse_date(date).ok() } else { None }
}

/// The cells of a Parquet column; `None` for a type that holds neither dates nor numbers nor text.
pub(super) fn parquet_cells(column: &Column) -> Result<Option<Cells>, polars::error::PolarsError> {
    Ok(match column.dtype() {
        DataType::String => {
            let texts = column.str()?.iter().map(|text| text.unwrap_or_default().to_string()).collect();
            Some(Cells::Text(texts))
        }
        DataType::Date => {
            let days = column.cast(&DataType::Int32)?;
            let day = |day: i32| DateTime::from_timestamp(i64::from(day) * 86_400, 0).map(|t| t.date_naive());
            Some(Cells::Dates(days.i32()?.iter().map(|value| value.and_then(day)).collect()))
        }
        DataType::Datetime(_, zone) => {
            // Programs write a day as its midnight, in the zone of the column.
            let zone: Tz = zone.as_ref().and_then(|zone| zone.as_str().parse().ok()).unwrap_or(Tz::UTC);
            let instants = column.cast(&DataType::Datetime(TimeUnit::Milliseconds, None))?.cast(&DataType::Int64)?;
            let day =
                |millis: i64| DateTime::from_timestamp_millis(millis).map(|t| t.with_timezone(&zone).date_naive());
            Some(Cells::Dates(instants.i64()?.iter().map(|value| value.and_then(day)).collect()))
        }
        dtype if dtype.is_primitive_numeric() => {
            let numbers = column.cast(&DataType::Float64)?;
            Some(Cells::Numbers(numbers.f64()?.iter().collect()))
        }
        _ => None,
    })
}
