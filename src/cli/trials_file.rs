//! Returns of many trials from CSV or Parquet: a row a day, a column a trial.

use super::CliError;
use super::series_file::{Cells, Table, bytes_of, parquet_cells, parquet_frame, unreadable};
use crate::stats::overfit::TrialReturns;
use chrono::NaiveDate;
use std::path::Path;

/// Returns of trials over the same days, dates ascending without repeats.
#[derive(Debug)]
pub(super) struct Trials {
    pub dates: Vec<NaiveDate>,
    /// Names of the columns.
    pub names: Vec<String>,
    pub returns: TrialReturns,
}

/// Reads a matrix whose first column holds the dates, whatever it is called, and every other one the returns of a
/// trial. A cell without a number is refused.
pub(super) fn read_trials(path: &Path) -> Result<Trials, CliError> {
    let bytes = bytes_of(path)?;
    let path = path.display().to_string();
    let (dates, names, returns) =
        if bytes.starts_with(b"PAR1") { from_parquet(path.clone(), bytes)? } else { from_csv(path.clone(), &bytes)? };
    if dates.is_empty() {
        return Err(CliError::Input(format!("{path}: no rows; expected at least one day")));
    }
    let returns = TrialReturns::new(&returns).map_err(|error| CliError::Input(format!("{path}: {error}")))?;
    Ok(Trials { dates, names, returns })
}

type Columns = (Vec<NaiveDate>, Vec<String>, Vec<Vec<f64>>);

fn from_csv(path: String, bytes: &[u8]) -> Result<Columns, CliError> {
    let fail = |error: csv::Error| CliError::Input(format!("{path}: {error}"));
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes);
    let names: Vec<String> = reader.headers().map_err(fail)?.iter().skip(1).map(str::to_string).collect();
    if names.is_empty() {
        return Err(no_trial(&path));
    }
    let mut returns = vec![Vec::new(); names.len()];
    let (mut days, mut rows) = (Vec::new(), Vec::new());
    for record in reader.records() {
        let record = record.map_err(fail)?;
        let line = record.position().map_or(0, |p| p.line());
        days.push(record.get(0).unwrap_or_default().to_string());
        rows.push(line);
        // A record has as many fields as the header: the reader refuses others.
        for ((cell, name), returns) in record.iter().skip(1).zip(&names).zip(&mut returns) {
            let number = cell.parse::<f64>().ok().filter(|number| number.is_finite());
            returns.push(number.ok_or_else(|| {
                CliError::Input(format!("{path}: line {line}: column '{name}' is '{cell}'; expected a finite number"))
            })?);
        }
    }
    let table = Table { path, columns: Vec::new(), row_word: "line", rows, header: String::new() };
    let dates = table.dates(("date", &Cells::Text(days)))?;
    Ok((dates, names, returns))
}

fn from_parquet(path: String, bytes: Vec<u8>) -> Result<Columns, CliError> {
    let frame = parquet_frame(&path, bytes)?;
    let rows = (1..=frame.height() as u64).collect();
    let table = Table { path, columns: Vec::new(), row_word: "row", rows, header: String::new() };
    let cells = |column| {
        let cells = parquet_cells(column).map_err(|error| unreadable(&table.path, error))?;
        cells.ok_or_else(|| {
            let (name, kind) = (column.name(), column.dtype());
            table
                .error(&format!("column '{name}' is {kind}; expected dates in the first column, numbers in the others"))
        })
    };
    let Some((first, trials)) = frame.columns().split_first() else { return Err(no_trial(&table.path)) };
    if trials.is_empty() {
        return Err(no_trial(&table.path));
    }
    let dates = table.dates(("date", &cells(first)?))?;
    let names = trials.iter().map(|column| column.name().to_string()).collect();
    let returns = trials
        .iter()
        .map(|column| table.numbers((&format!("column '{}'", column.name()), &cells(column)?)))
        .collect::<Result<_, CliError>>()?;
    Ok((dates, names, returns))
}

fn no_trial(path: &str) -> CliError {
    CliError::Input(format!("{path}: no trial; expected dates in the first column and one column a trial"))
}
