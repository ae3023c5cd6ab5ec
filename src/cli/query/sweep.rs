//! Questions about a sweep or a walk-forward analysis.

use super::TrialPage;
use crate::cli::CliError;
use crate::cli::sweep::sweep_error;
use crate::optimize::report::Browser;
use crate::optimize::sweep::store::{count_trials, read_sweep};
use crate::optimize::walk_forward::store::WINDOWS_FILE;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// Trials of a sweep.
#[derive(Debug, clap::Args)]
pub struct TrialsArgs {
    dir: PathBuf,
    #[arg(long, default_value = "rank", allow_hyphen_values = true)]
    sort: String,
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    filter: String,
    #[arg(long, default_value_t = 0)]
    offset: usize,
    #[arg(long, default_value_t = 100)]
    limit: usize,
}

impl TrialsArgs {
    /// The answer.
    pub fn answer(&self) -> Result<Value, CliError> {
        let page =
            TrialPage { sort: self.sort.clone(), filter: self.filter.clone(), offset: self.offset, limit: self.limit };
        Browser::page(&self.dir, &page).map_err(sweep_error)
    }
}

/// Trials that a sweep has: by its summary, or by the lines of its log, which may be very many.
pub fn trials(dir: &Path, summary: Option<&Value>) -> Result<u64, CliError> {
    let finished = summary.and_then(|summary| summary["trials"]["finished"].as_u64());
    finished.map_or_else(|| count_trials(dir).map_err(sweep_error), Ok)
}

/// What a sweep is made of, without paths of this machine.
pub fn described(dir: &Path, summary: Option<&Value>) -> Result<Value, CliError> {
    let sweep = read_sweep(dir).map_err(sweep_error)?;
    let spec = &sweep.spec;
    Ok(json!({
        "fingerprint": sweep.fingerprint,
        "data_hash": sweep.data_hash,
        "version": sweep.version,
        "seed": spec.run.seed,
        "data": spec.run.data.source.title(),
        "symbols": sweep.symbols,
        "from": sweep.from,
        "to": sweep.to,
        "sessions": sweep.sessions,
        "bars": sweep.bars,
        "method": spec.method,
        "space": spec.space,
        "where": spec.rules,
        "objectives": spec.objectives,
        "constraints": spec.constraints,
        "batch": spec.batch,
        "prune": spec.prune,
        "planned": spec.trials,
        "trials": trials(dir, summary)?,
        "strategies": spec.run.strategies,
    }))
}

/// The rows of the windows, by column; numbers are numbers, what is empty is `null`.
pub fn windows(dir: &Path) -> Result<Value, CliError> {
    let path = dir.join(WINDOWS_FILE);
    let wrong = |error: csv::Error| CliError::Input(format!("{WINDOWS_FILE}: {error}"));
    let mut reader = csv::Reader::from_path(&path).map_err(wrong)?;
    let head = reader.headers().map_err(wrong)?.clone();
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(wrong)?;
        let cell = |text: &str| match text.parse::<f64>() {
            Ok(number) if number.is_finite() => json!(number),
            _ if text.is_empty() => Value::Null,
            _ => json!(text),
        };
        let row: Map<String, Value> =
            head.iter().zip(&record).map(|(name, text)| (name.to_string(), cell(text))).collect();
        rows.push(Value::Object(row));
    }
    Ok(Value::Array(rows))
}
