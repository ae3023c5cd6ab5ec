//! What a sweep is made of, in a form that is written to `sweep.json` and read back to take it up again.

use super::{Aim, Binding, Shard, SweepError};
use crate::backtest::{RunSpec, VERSION};
use crate::market::{CALENDAR_VERSION, Market, format_date};
use crate::optimize::Space;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

/// Everything that decides the trials of a sweep and what comes of them. The seed is that of the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SweepSpec {
    /// `grid`, `random`, `bayesian` or `genetic`.
    pub method: String,
    /// Parameters in the notation of `tbot optimizer ask-tell`.
    pub space: Vec<Json>,
    /// Combinations for which one of these is false are ruled out.
    #[serde(rename = "where")]
    pub rules: Vec<String>,
    pub objectives: Vec<String>,
    pub constraints: Vec<String>,
    /// Trials in all.
    pub trials: u64,
    /// Trials of a round.
    pub batch: u64,
    pub prune: bool,
    /// Resampled histories behind the p-value of the test for superior ability.
    pub bootstrap: u64,
    /// The run that the parameters of a trial are merged into.
    pub run: RunSpec,
}

/// The content of `sweep.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SweepFile {
    pub version: String,
    pub calendar: String,
    /// Hash of everything the result depends on; the shards of a sweep have that of the sweep.
    pub fingerprint: String,
    pub data_hash: String,
    /// What the user typed.
    pub command: Vec<String>,
    pub shard: Option<Shard>,
    /// Trials of earlier sweeps over the same data, in the same folder: they count in the deflated Sharpe ratio.
    pub earlier_trials: u64,
    /// How many sweeps these are.
    pub earlier_sweeps: u64,
    pub symbols: Vec<String>,
    /// First session.
    pub from: String,
    /// Last session.
    pub to: String,
    pub sessions: u64,
    pub bars: u64,
    pub spec: SweepSpec,
}

/// A checked sweep.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    pub space: Space,
    pub aim: Aim,
    pub binding: Binding,
}

impl SweepSpec {
    /// The parts of the sweep, checked against each other.
    ///
    /// # Errors
    /// What cannot be used, naming the option.
    pub fn plan(&self) -> Result<Plan, SweepError> {
        let space = self.space()?;
        let aim = self.aim()?;
        let binding = Binding::new(&space, &self.run).map_err(|error| SweepError::Input(error.to_string()))?;
        Ok(Plan { space, aim, binding })
    }

    /// The space with its rules.
    pub fn space(&self) -> Result<Space, SweepError> {
        let wrong = |error: &dyn std::fmt::Display| SweepError::Input(format!("space: {error}"));
        let space = Space::from_json(&Json::Array(self.space.clone()));
        space.and_then(|space| space.with_rules(&self.rules)).map_err(|error| wrong(&error))
    }

    /// Objectives and constraints.
    pub fn aim(&self) -> Result<Aim, SweepError> {
        Aim::parse(&self.objectives, &self.constraints).map_err(|error| SweepError::Input(error.to_string()))
    }

    /// Hash of everything the result depends on.
    pub fn fingerprint(&self, data_hash: &str) -> Result<String, SweepError> {
        let run = self.run.fingerprint(data_hash).map_err(|error| SweepError::Input(error.to_string()))?;
        let body = json!([
            "sweep",
            run,
            self.method,
            self.space,
            self.rules,
            self.objectives,
            self.constraints,
            self.trials,
            self.batch,
            self.prune,
            self.bootstrap,
        ]);
        Ok(blake3::hash(body.to_string().as_bytes()).to_hex().to_string())
    }
}

impl SweepFile {
    /// `sweep.json` of a sweep over a market.
    pub fn new(spec: SweepSpec, market: &Market, shard: Option<Shard>, command: &[String]) -> Result<Self, SweepError> {
        Ok(SweepFile {
            version: VERSION.to_string(),
            calendar: CALENDAR_VERSION.to_string(),
            fingerprint: spec.fingerprint(&market.data_hash)?,
            data_hash: market.data_hash.clone(),
            command: command.to_vec(),
            shard,
            earlier_trials: 0,
            earlier_sweeps: 0,
            symbols: market.symbols.clone(),
            from: market.days.first().map(|d| format_date(d.date)).unwrap_or_default(),
            to: market.days.last().map(|d| format_date(d.date)).unwrap_or_default(),
            sessions: market.days.len() as u64,
            bars: market.bar_count(),
            spec,
        })
    }

    /// What decides the result and differs between two sweeps, in words: `this` is the stored one. Where the data
    /// come from does not count, only what they are.
    pub fn differences(&self, now: &SweepFile) -> Vec<String> {
        let (this, now) = (self.facts(), now.facts());
        let none = Json::from("nothing");
        let keys: Vec<&String> = this.keys().chain(now.keys().filter(|key| !this.contains_key(*key))).collect();
        let text = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_string);
        keys.into_iter()
            .map(|key| (key, this.get(key).unwrap_or(&none), now.get(key).unwrap_or(&none)))
            .filter(|(_, a, b)| a != b)
            .map(|(key, a, b)| format!("{key} was {} and is {} now", text(a), text(b)))
            .collect()
    }

    /// What decides the result, by dotted name.
    fn facts(&self) -> BTreeMap<String, Json> {
        let mut facts = BTreeMap::new();
        let mut spec = serde_json::to_value(&self.spec).unwrap_or_default();
        if let Some(run) = spec["run"].as_object_mut() {
            run.remove("data");
        }
        flatten("", &spec, &mut facts);
        for (name, value) in [
            ("version", json!(self.version)),
            ("calendar", json!(self.calendar)),
            ("data_hash", json!(self.data_hash)),
            ("shard", json!(self.shard)),
            // Named beside the hash, so that one sees what changed in the data.
            ("symbols", json!(self.symbols)),
            ("from", json!(self.from)),
            ("to", json!(self.to)),
            ("bars", json!(self.bars)),
        ] {
            facts.insert(name.to_string(), value);
        }
        facts
    }
}

fn flatten(name: &str, value: &Json, facts: &mut BTreeMap<String, Json>) {
    match value {
        Json::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                let inner = if name.is_empty() || name == "run" { key.clone() } else { format!("{name}.{key}") };
                flatten(&inner, value, facts);
            }
        }
        // Parameters of the space are told apart by name, not by place.
        Json::Array(list) if name == "space" => {
            for value in list {
                facts.insert(format!("space.{}", value["name"].as_str().unwrap_or("")), value.clone());
            }
        }
        other => {
            facts.insert(name.to_string(), other.clone());
        }
    }
}
