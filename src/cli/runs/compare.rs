//! Two runs side by side.

use crate::backtest::store::{StoreError, Summary, read_run_json, read_summary};
use crate::cli::output::aligned;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// Keys of `run.json` that name the run instead of deciding its result.
const NAMES_OF_THE_RUN: [&str; 3] = ["run_id", "fingerprint", "assumptions"];

/// What differs between two runs.
#[derive(Debug)]
pub struct Comparison {
    a: Summary,
    b: Summary,
    /// Dotted key, value in a, value in b; only where they differ.
    settings: Vec<(String, Option<Value>, Option<Value>)>,
    /// Name, value in a, value in b.
    metrics: Vec<(String, Option<f64>, Option<f64>)>,
}

impl Comparison {
    /// Reads both runs.
    pub fn read(a: &Path, b: &Path) -> Result<Comparison, StoreError> {
        let (run_a, run_b) = (read_run_json(a)?, read_run_json(b)?);
        let (a, b) = (read_summary(a)?, read_summary(b)?);
        Ok(Comparison { settings: differences(&flat(&run_a, &a), &flat(&run_b, &b)), metrics: metrics(&a, &b), a, b })
    }

    fn same_fingerprint(&self) -> bool {
        self.a.fingerprint == self.b.fingerprint
    }

    fn same_results(&self) -> bool {
        self.a.metrics == self.b.metrics && self.a.final_equity.to_bits() == self.b.final_equity.to_bits()
    }

    /// What to conclude from fingerprints and results.
    fn verdict(&self) -> &'static str {
        match (self.same_fingerprint(), self.same_results()) {
            (true, true) => "same fingerprint, same results",
            (true, false) => {
                "same fingerprint but different results: a folder was changed, or the run is not reproducible (tbot verify)"
            }
            (false, true) => "different fingerprints, same results",
            (false, false) => "different fingerprints, different results",
        }
    }

    /// One JSON document.
    pub fn to_json(&self) -> Value {
        let settings: Vec<Value> =
            self.settings.iter().map(|(key, a, b)| json!({ "key": key, "a": a, "b": b })).collect();
        let metrics: Vec<Value> = self
            .metrics
            .iter()
            .map(|(name, a, b)| json!({ "name": name, "a": a, "b": b, "difference": difference(*a, *b) }))
            .collect();
        json!({
            "a": self.a.run_id,
            "b": self.b.run_id,
            "same_fingerprint": self.same_fingerprint(),
            "same_results": self.same_results(),
            "settings": settings,
            "metrics": metrics,
        })
    }

    /// Two tables under the verdict.
    pub fn to_text(&self) -> String {
        let mut text = format!("a  {}\nb  {}\n{}\n\n", self.a.run_id, self.b.run_id, self.verdict());
        if self.settings.is_empty() {
            text.push_str("settings: no difference\n");
        } else {
            let mut rows = vec![["setting", "a", "b"].map(str::to_string).to_vec()];
            let shown = |value: &Option<Value>| match value {
                None => "-".to_string(),
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
            };
            rows.extend(self.settings.iter().map(|(key, a, b)| vec![key.clone(), shown(a), shown(b)]));
            text.push_str(&aligned(&rows, 3));
        }
        text.push('\n');
        let mut rows = vec![["metric", "a", "b", "b - a"].map(str::to_string).to_vec()];
        let shown = |value: Option<f64>| value.map_or("n/a".to_string(), |v| format!("{v:.6}"));
        rows.extend(
            self.metrics.iter().map(|(name, a, b)| vec![name.clone(), shown(*a), shown(*b), shown(difference(*a, *b))]),
        );
        text.push_str(&aligned(&rows, 1));
        text
    }
}

fn difference(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    Some(b? - a?)
}

/// Results and metrics of both, in the order of the first.
fn metrics(a: &Summary, b: &Summary) -> Vec<(String, Option<f64>, Option<f64>)> {
    let plain = |name: &str, a: f64, b: f64| (name.to_string(), Some(a), Some(b));
    let mut out = vec![plain("final_equity", a.final_equity, b.final_equity)];
    let only_b = b.metrics.keys().filter(|name| !a.metrics.contains_key(*name));
    out.extend(a.metrics.keys().chain(only_b).map(|name| (name.clone(), a.metric(name), b.metric(name))));
    for (name, a, b) in [
        ("costs.commission", a.costs.commission, b.costs.commission),
        ("costs.slippage", a.costs.slippage, b.costs.slippage),
        ("costs.borrow", a.costs.borrow, b.costs.borrow),
        ("costs.interest", a.costs.interest, b.costs.interest),
        ("ambiguity.trades", a.ambiguity.trades as f64, b.ambiguity.trades as f64),
        ("ambiguity.pnl", a.ambiguity.pnl, b.ambiguity.pnl),
    ] {
        out.push(plain(name, a, b));
    }
    out
}

/// The settings of a run by dotted key: `run.json`, and from the summary what `run.json` need not repeat.
fn flat(run: &Value, summary: &Summary) -> BTreeMap<String, Value> {
    let mut out = BTreeMap::new();
    if let Value::Object(map) = run {
        let named: Map<String, Value> = map
            .iter()
            .filter(|(key, _)| !NAMES_OF_THE_RUN.contains(&key.as_str()))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        walk("", &Value::Object(named), &mut out);
    }
    walk("params", &summary.params, &mut out);
    for (key, value) in [
        ("data_hash", json!(summary.data_hash)),
        ("from", json!(summary.from)),
        ("seed", json!(summary.seed)),
        ("strategies", json!(summary.strategies)),
        ("symbols", json!(summary.symbols)),
        ("to", json!(summary.to)),
        ("version", json!(summary.version)),
    ] {
        out.insert(key.to_string(), value);
    }
    out
}

fn walk(name: &str, value: &Value, out: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                walk(&name, value, out);
            }
        }
        other => {
            out.insert(name.to_string(), other.clone());
        }
    }
}

fn differences(
    a: &BTreeMap<String, Value>,
    b: &BTreeMap<String, Value>,
) -> Vec<(String, Option<Value>, Option<Value>)> {
    let mut keys: Vec<&String> = a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))).collect();
    keys.sort();
    keys.into_iter()
        .filter(|key| a.get(*key) != b.get(*key))
        .map(|key| (key.clone(), a.get(key).cloned(), b.get(key).cloned()))
        .collect()
}
