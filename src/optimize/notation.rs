//! Spaces as one writes them: flags, TOML, JSON. docs/spaces.md describes all three.

mod description;
mod file;
mod flag;

use super::{Domain, Parameter, Space, SpaceError, Value};
use serde_json::{Map, Value as Json, json};

fn notation_error(place: &str, found: impl Into<String>, expected: impl Into<String>) -> SpaceError {
    SpaceError::Notation { place: place.to_string(), found: found.into(), expected: expected.into() }
}

impl Space {
    /// The space of flags `KEY=SPEC`, in their order.
    ///
    /// # Errors
    /// A flag that cannot be read, and those of [`Space::new`].
    pub fn from_flags<T: AsRef<str>>(flags: &[T]) -> Result<Space, SpaceError> {
        Space::new(flags.iter().map(|flag| flag::parameter(flag.as_ref())).collect::<Result<_, _>>()?)
    }

    /// The space of a TOML text: one table or one SPEC a parameter, and rules under `where`.
    ///
    /// # Errors
    /// What cannot be read, with its line, and those of [`Space::new`] and [`Space::with_rules`].
    pub fn from_toml(text: &str) -> Result<Space, SpaceError> {
        file::space(text)
    }

    /// The space of a JSON array of parameters, as `tbot optimizer ask-tell` takes it.
    ///
    /// # Errors
    /// What cannot be read, and those of [`Space::new`].
    pub fn from_json(parameters: &Json) -> Result<Space, SpaceError> {
        let Json::Array(list) = parameters else {
            return Err(notation_error("space", shown(parameters), "an array of parameters"));
        };
        let mut read = Vec::with_capacity(list.len());
        for (k, parameter) in list.iter().enumerate() {
            let Json::Object(fields) = parameter else {
                return Err(notation_error(&format!("parameter {}", k + 1), shown(parameter), "an object"));
            };
            let name = match fields.get("name") {
                Some(Json::String(name)) => name.as_str(),
                Some(other) => {
                    return Err(notation_error(&format!("parameter {}: name", k + 1), shown(other), "a text"));
                }
                None => return Err(notation_error(&format!("parameter {}", k + 1), "no name", "\"name\"")),
            };
            let mut fields = fields.clone();
            fields.remove("name");
            read.push(description::parameter(&format!("parameter '{name}'"), name, &fields, &read)?);
        }
        Space::new(read)
    }

    /// The space in full, the same for equal spaces: `{"parameters": [...], "where": [...]}`, the parameters in the
    /// form that [`Space::from_json`] reads.
    pub fn describe(&self) -> Json {
        let parameters: Vec<Json> = self.parameters().iter().map(|p| describe(p, self.parameters())).collect();
        let rules: Vec<&str> = self.rules().iter().map(|rule| rule.text()).collect();
        json!({"parameters": parameters, "where": rules})
    }

    /// Hash (blake3, hexadecimal) of [`Space::describe`]: by it a search that is taken up again knows whether it
    /// is still the same space.
    pub fn hash(&self) -> String {
        blake3::hash(self.describe().to_string().as_bytes()).to_hex().to_string()
    }
}

fn describe(parameter: &Parameter, all: &[Parameter]) -> Json {
    let mut fields = Map::new();
    fields.insert("name".to_string(), parameter.name.as_str().into());
    let mut add = |key: &str, value: Json| fields.insert(key.to_string(), value);
    match &parameter.domain {
        Domain::Float { low, high, step, log } => {
            add("type", "float".into());
            add("low", (*low).into());
            add("high", (*high).into());
            if let Some(step) = step {
                add("step", (*step).into());
            }
            add("log", (*log).into());
        }
        Domain::Int { low, high, step, log } => {
            add("type", "int".into());
            add("low", (*low).into());
            add("high", (*high).into());
            add("step", (*step).into());
            add("log", (*log).into());
        }
        Domain::Categorical { choices } => {
            add("type", "categorical".into());
            add("choices", choices.clone().into());
        }
    }
    if let Some(condition) = &parameter.condition {
        let values: Vec<Json> = condition.values.iter().map(Json::from).collect();
        add("parent", json!({"name": all[condition.parent].name, "in": values}));
    }
    Json::Object(fields)
}

/// JSON for a message: what was found.
fn shown(value: &Json) -> String {
    let text = value.to_string();
    if text.chars().count() <= 40 { text } else { text.chars().take(37).chain("...".chars()).collect() }
}

/// A text as the value it looks like: a whole number, a number, or a word.
fn value_of(text: &str) -> Value {
    if let Ok(x) = text.parse::<i64>() {
        return Value::Int(x);
    }
    match text.parse::<f64>() {
        Ok(x) if x.is_finite() => Value::Float(x),
        _ => Value::Text(text.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_described_space_reads_as_the_same() {
        let space = Space::from_toml(
            "filter = \"none|ema\"\nperiod = \"int:5..50\"\nstop = \"0.1..0.5:0.1\"\nrate = \"log:1e-4..1e-1\"\n\
             [gain]\nlow = 0.0\nhigh = 1.0\nparent = { name = \"filter\", in = [\"ema\"] }\n",
        )
        .unwrap();
        let described = space.describe();
        assert_eq!(Space::from_json(&described["parameters"]).unwrap(), space);
        assert_eq!(
            described["parameters"][4].to_string(),
            r#"{"name":"gain","type":"float","low":0.0,"high":1.0,"log":false,"parent":{"name":"filter","in":["ema"]}}"#
        );
    }

    #[test]
    fn the_hash_knows_every_change() {
        let hash = |flags: &[&str], rules: &[&str]| Space::from_flags(flags).unwrap().with_rules(rules).unwrap().hash();
        let base = hash(&["a=1..9:1", "b=1..9:1"], &[]);
        assert_eq!(base, hash(&["a=1..9:1", "b=int:1..9"], &[]), "the same written otherwise");
        assert_eq!(base.len(), 64);
        for other in [
            hash(&["a=1..9:1", "b=1..8:1"], &[]),
            hash(&["b=1..9:1", "a=1..9:1"], &[]),
            hash(&["a=1..9:1", "b=1..9:1"], &["a < b"]),
            hash(&["a=1..9:1", "b=1.0..9:1"], &[]),
        ] {
            assert_ne!(base, other);
        }
    }
}
