//! One finished trial, and its line in the log.

use crate::optimize::{Domain, Outcome, Params, Space, Value};
use serde_json::{Map, Value as Json, json};
use std::fmt;

/// How a trial ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It has values.
    Ok,
    /// The strategy refused the parameters, or an objective is undefined.
    Failed,
    /// Given up on a prefix of the sessions.
    Pruned,
}

impl Status {
    /// The word in files.
    pub fn name(self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::Failed => "failed",
            Status::Pruned => "pruned",
        }
    }

    /// From the word in files.
    pub(super) fn from_name(name: &str) -> Option<Status> {
        [Status::Ok, Status::Failed, Status::Pruned].into_iter().find(|status| status.name() == name)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One finished trial: a line of `trials.jsonl`.
#[derive(Debug, Clone, PartialEq)]
pub struct TrialRecord {
    pub id: u64,
    pub status: Status,
    pub params: Params,
    /// By objective, as measured; `None` where undefined. Empty when the run did not finish.
    pub values: Vec<Option<f64>>,
    /// Met at or below 0; `None` where undefined. Empty when the run did not finish.
    pub constraints: Vec<Option<f64>>,
    /// Metrics by name, in the order of their table. Empty when the run did not finish.
    pub metrics: Map<String, Json>,
    /// Why it failed, or where it was given up.
    pub reason: Option<String>,
}

impl TrialRecord {
    /// What a method of search is told of it.
    pub fn outcome(&self) -> Outcome {
        let number = |values: &[Option<f64>]| values.iter().map(|v| v.unwrap_or(f64::NAN)).collect();
        match self.status {
            Status::Ok => Outcome::Complete { values: number(&self.values), constraints: number(&self.constraints) },
            Status::Failed => Outcome::Failed,
            Status::Pruned => Outcome::Pruned,
        }
    }

    /// A metric by its name; `None` when it is undefined or not there.
    pub fn metric(&self, name: &str) -> Option<f64> {
        self.metrics.get(name).and_then(Json::as_f64)
    }

    /// One line of JSON, with its end.
    pub fn to_line(&self, space: &Space) -> String {
        let mut line = json!({
            "id": self.id,
            "status": self.status.name(),
            "params": space.to_json(&self.params),
        });
        if let Some(map) = line.as_object_mut() {
            if self.status != Status::Pruned {
                map.insert("values".into(), json!(self.values));
                map.insert("constraints".into(), json!(self.constraints));
                map.insert("metrics".into(), Json::Object(self.metrics.clone()));
            }
            if let Some(reason) = &self.reason {
                map.insert("reason".into(), json!(reason));
            }
        }
        line.to_string() + "\n"
    }

    /// Reads a line.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_line(line: &str, space: &Space) -> Result<TrialRecord, String> {
        let json: Json = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let id = json["id"].as_u64().ok_or("'id' is not a whole number")?;
        let word = json["status"].as_str().unwrap_or("");
        let status = Status::from_name(word).ok_or_else(|| format!("status '{word}' is not ok, failed or pruned"))?;
        let params = params_from_json(space, &json["params"])?;
        let numbers = |name: &str| -> Result<Vec<Option<f64>>, String> {
            let Some(values) = json.get(name) else { return Ok(Vec::new()) };
            serde_json::from_value(values.clone()).map_err(|error| format!("'{name}': {error}"))
        };
        let metrics = match json.get("metrics") {
            None => Map::new(),
            Some(Json::Object(map)) => map.clone(),
            Some(other) => return Err(format!("'metrics' is {other}, expected an object")),
        };
        Ok(TrialRecord {
            id,
            status,
            params,
            values: numbers("values")?,
            constraints: numbers("constraints")?,
            metrics,
            reason: json.get("reason").and_then(Json::as_str).map(str::to_string),
        })
    }
}

/// The reverse of [`Space::to_json`].
fn params_from_json(space: &Space, json: &Json) -> Result<Params, String> {
    let Some(map) = json.as_object() else { return Err(format!("'params' is {json}, expected an object")) };
    if let Some(name) = map.keys().find(|name| space.parameters().iter().all(|p| p.name != **name)) {
        return Err(format!("the space has no parameter '{name}'"));
    }
    let value = |name: &str, domain: &Domain| {
        let Some(json) = map.get(name) else { return Ok(None) };
        let value = match domain {
            Domain::Float { .. } => json.as_f64().map(Value::Float),
            Domain::Int { .. } => json.as_i64().map(Value::Int),
            Domain::Categorical { .. } => json.as_str().map(|text| Value::Text(text.to_string())),
        };
        value.map(Some).ok_or_else(|| format!("parameter '{name}' is {json}, which is not of its kind"))
    };
    space.parameters().iter().map(|parameter| value(&parameter.name, &parameter.domain)).collect()
}
