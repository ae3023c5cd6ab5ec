//! Sweeps and walk-forward analyses in the list of runs.

use super::some;
use crate::cli::CliError;
use crate::cli::output::aligned;
use crate::cli::sweep::sweep_error;
use crate::optimize::sweep::store::{self, SweepEntry};
use crate::optimize::walk_forward::store::{is_walk_forward, read_summary};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// A walk-forward analysis: name, folder, summary.
pub(in crate::cli) type Walk = (String, PathBuf, Value);

/// The walk-forward analyses of a result folder, newest first; one that cannot be read is named on stderr.
pub(super) fn walks(out: &Path) -> Result<Vec<Walk>, CliError> {
    let mut walks = Vec::new();
    for (name, path) in store::list(out, is_walk_forward).map_err(sweep_error)? {
        match read_summary(&path) {
            Ok(summary) => walks.push((name, path, summary)),
            Err(error) => eprintln!("{name}: {error}"),
        }
    }
    Ok(walks)
}

/// A walk-forward analysis as an entry of the list.
pub(in crate::cli) fn walk_json((name, path, summary): &Walk) -> Value {
    let mut entry = json!({ "kind": "walk_forward", "run_id": name, "path": path.to_string_lossy() });
    for key in [
        "version",
        "fingerprint",
        "method",
        "strategies",
        "symbols",
        "from",
        "to",
        "objectives",
        "windows",
        "trials",
        "efficiency",
    ] {
        entry[key] = summary[key].clone();
    }
    for key in ["total_return", "sharpe", "max_drawdown"] {
        entry[key] = summary["metrics"][key].clone();
    }
    entry
}

/// The walk-forward analyses as a table; empty without any.
pub(super) fn walk_table(walks: &[Walk], below_others: bool) -> String {
    if walks.is_empty() {
        return String::new();
    }
    let head = ["walk-forward", "version", "method", "strategies", "span", "windows", "return", "sharpe", "efficiency"];
    let mut rows = vec![head.map(str::to_string).to_vec()];
    for (name, _, summary) in walks {
        let word = |key: &str| summary[key].as_str().unwrap_or("").to_string();
        let strategies: Vec<String> = summary["strategies"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(String::from)
            .collect();
        rows.push(vec![
            name.clone(),
            word("version"),
            word("method"),
            some(&strategies, 4),
            format!("{}..{}", word("from"), word("to")),
            summary["windows"].to_string(),
            super::percent(summary["metrics"]["total_return"].as_f64()),
            super::ratio(summary["metrics"]["sharpe"].as_f64()),
            super::percent(summary["efficiency"].as_f64()),
        ]);
    }
    format!("{}{}", if below_others { "\n" } else { "" }, aligned(&rows, 5))
}

/// A sweep as an entry of the list.
pub(in crate::cli) fn entry_json(entry: &SweepEntry) -> Value {
    let path = entry.path.to_string_lossy();
    match &entry.sweep {
        Ok(sweep) => json!({
            "kind": "sweep",
            "run_id": entry.name,
            "version": sweep.version,
            "path": path,
            "fingerprint": sweep.fingerprint,
            "method": sweep.spec.method,
            "strategies": names(entry),
            "symbols": sweep.symbols,
            "from": sweep.from,
            "to": sweep.to,
            "objectives": sweep.spec.objectives,
            "trials": entry.trials,
            "planned": sweep.spec.trials,
            "shard": sweep.shard,
            "finished": entry.summary.is_some(),
            "best": entry.summary.as_ref().map(|summary| {
                let best = &summary["best"];
                json!({ "id": best["id"], "params": best["params"], "values": best["values"] })
            }),
        }),
        Err(error) => json!({ "kind": "sweep", "run_id": entry.name, "path": path, "error": error.to_string() }),
    }
}

fn names(entry: &SweepEntry) -> Vec<String> {
    let strategies = entry.sweep.as_ref().map(|sweep| sweep.spec.run.strategies.as_slice()).unwrap_or_default();
    strategies.iter().map(|choice| choice.name.clone()).collect()
}

/// The sweeps as a table; empty without any.
pub(super) fn table(sweeps: &[SweepEntry], below_others: bool) -> String {
    let head = ["sweep", "version", "method", "strategies", "symbols", "span", "objective", "best", "trials"];
    let mut rows = vec![head.map(str::to_string).to_vec()];
    for entry in sweeps {
        let sweep = match &entry.sweep {
            Ok(sweep) => sweep,
            Err(error) => {
                eprintln!("{}: {error}", entry.name);
                continue;
            }
        };
        let best = entry.summary.as_ref().and_then(|summary| summary["best"]["values"][0].as_f64());
        let state = match (sweep.shard, entry.summary.is_some()) {
            (Some(shard), _) => format!("{} (shard {}/{})", entry.trials, shard.index, shard.count),
            (None, true) => entry.trials.to_string(),
            (None, false) => format!("{} of {}", entry.trials, sweep.spec.trials),
        };
        rows.push(vec![
            entry.name.clone(),
            sweep.version.clone(),
            sweep.spec.method.clone(),
            some(&names(entry), 4),
            some(&sweep.symbols, 4),
            format!("{}..{}", sweep.from, sweep.to),
            sweep.spec.objectives.join(","),
            best.map_or("n/a".to_string(), |value| format!("{value:.4}")),
            state,
        ]);
    }
    match rows.len() {
        1 => String::new(),
        _ => format!("{}{}", if below_others { "\n" } else { "" }, aligned(&rows, 7)),
    }
}
