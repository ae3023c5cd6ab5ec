//! A finished sweep as people read it.

use crate::cli::output::aligned;
use serde_json::Value as Json;
use std::fmt::Write;
use std::path::Path;

/// Metrics shown beside the objectives.
const SHOWN: [&str; 4] = ["sharpe", "total_return", "max_drawdown", "trades"];

/// The best trials in a table, and what there is to say about the best one.
pub(super) fn describe(summary: &Json, dir: &Path) -> String {
    let mut out = String::new();
    let trials = &summary["trials"];
    let _ = writeln!(
        out,
        "{} over {} symbols, {} to {}: {} trials ({} ok, {} failed, {} pruned)\n",
        words(&summary["strategies"]),
        summary["symbols"].as_array().map_or(0, Vec::len),
        word(&summary["from"]),
        word(&summary["to"]),
        trials["finished"],
        trials["ok"],
        trials["failed"],
        trials["pruned"],
    );
    out.push_str(&table(&summary["top"], &summary["objectives"]));
    let verdict = &summary["verdict"];
    if let Some(words) = verdict["words"].as_str() {
        let _ =
            writeln!(out, "\n{words}: trial {} among {} trials", summary["best"]["id"], summary["overfit"]["trials"]);
        for reason in verdict["reasons"].as_array().into_iter().flatten() {
            let _ = writeln!(out, "  {}", word(reason));
        }
    }
    for (k, warning) in summary["warnings"].as_array().into_iter().flatten().enumerate() {
        let first = k == 0;
        let _ = writeln!(out, "{}warning: {}", if first { "\n" } else { "" }, word(warning));
    }
    let _ = writeln!(
        out,
        "\n{:.3} s to load, {:.3} s to run\n{}",
        summary["elapsed"]["load_s"].as_f64().unwrap_or(0.0),
        summary["elapsed"]["run_s"].as_f64().unwrap_or(0.0),
        dir.display()
    );
    out
}

/// The best trials: parameters, objectives, a few metrics.
fn table(top: &Json, objectives: &Json) -> String {
    let Some(top) = top.as_array().filter(|top| !top.is_empty()) else { return String::new() };
    let mut params: Vec<String> = Vec::new();
    for key in top.iter().filter_map(|trial| trial["params"].as_object()).flat_map(|map| map.keys()) {
        if !params.contains(key) {
            params.push(key.clone());
        }
    }
    let values: Vec<String> = objectives.as_array().into_iter().flatten().map(cell).collect();
    let values: Vec<String> = values.iter().map(|name| name.trim_start_matches('-').to_string()).collect();
    let metrics: Vec<&str> = SHOWN.into_iter().filter(|name| !values.iter().any(|value| value == name)).collect();
    let mut head = vec!["trial".to_string()];
    head.extend(params.iter().chain(&values).cloned().chain(metrics.iter().map(ToString::to_string)));
    let mut rows = vec![head];
    for trial in top {
        let mut row = vec![trial["id"].to_string()];
        row.extend(params.iter().map(|key| cell(&trial["params"][key])));
        row.extend((0..values.len()).map(|k| number(&trial["values"][k])));
        row.extend(metrics.iter().map(|key| number(&trial["metrics"][*key])));
        rows.push(row);
    }
    aligned(&rows, 0)
}

fn words(list: &Json) -> String {
    let words: Vec<&str> = list.as_array().into_iter().flatten().filter_map(Json::as_str).collect();
    words.join(", ")
}

fn word(value: &Json) -> &str {
    value.as_str().unwrap_or("")
}

/// A parameter as it was given.
fn cell(value: &Json) -> String {
    match value {
        Json::Null => "-".to_string(),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn number(value: &Json) -> String {
    match value.as_f64() {
        None => "n/a".to_string(),
        Some(_) if value.is_u64() => value.to_string(),
        Some(x) => format!("{x:.4}"),
    }
}
