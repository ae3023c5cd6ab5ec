//! Sweeps in the list of runs.

use super::some;
use crate::cli::output::aligned;
use crate::optimize::sweep::store::SweepEntry;
use serde_json::{Value, json};

/// A sweep as an entry of the list.
pub(super) fn entry_json(entry: &SweepEntry) -> Value {
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
