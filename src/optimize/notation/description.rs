//! A parameter as an object of fields, from JSON or TOML.

use super::{notation_error, shown};
use crate::optimize::{Condition, Domain, Parameter, SpaceError, Value};
use serde_json::{Map, Value as Json};

const FIELDS: &str = "type, low, high, step, log, choices, value, parent";

/// Reads a parameter. `before`: those its parent can be.
pub(super) fn parameter(
    place: &str,
    name: &str,
    fields: &Map<String, Json>,
    before: &[Parameter],
) -> Result<Parameter, SpaceError> {
    if let Some(key) = fields.keys().find(|key| !FIELDS.split(", ").any(|known| known == key.as_str())) {
        return Err(notation_error(place, format!("unknown key '{key}'"), format!("keys out of {FIELDS}")));
    }
    let reader = Reader { place, fields };
    let domain = reader.domain()?;
    let condition = reader.condition(before)?;
    Ok(Parameter { name: name.to_string(), domain, condition })
}

struct Reader<'a> {
    place: &'a str,
    fields: &'a Map<String, Json>,
}

impl Reader<'_> {
    /// A field that is there and not null.
    fn field(&self, key: &str) -> Option<&Json> {
        self.fields.get(key).filter(|value| !value.is_null())
    }

    fn error(&self, key: &str, found: &Json, expected: &str) -> SpaceError {
        notation_error(&format!("{}: {key}", self.place), shown(found), expected)
    }

    fn domain(&self) -> Result<Domain, SpaceError> {
        if let Some(value) = self.field("value") {
            self.only("value", &["parent"])?;
            let value = scalar(value).ok_or_else(|| self.error("value", value, "a number or a text"))?;
            return Ok(Domain::fixed(value));
        }
        let kind = match self.field("type") {
            Some(Json::String(kind)) => kind.as_str(),
            Some(other) => return Err(self.error("type", other, "\"float\", \"int\" or \"categorical\"")),
            None if self.field("choices").is_some() => "categorical",
            None if self.whole("low").is_some() && self.whole("high").is_some() && self.field("step").is_none() => {
                // 1 to 9 may be meant either way; 0.0 to 1.0 may not.
                return Err(notation_error(self.place, "no type", "type = \"int\" or \"float\""));
            }
            None if self.field("low").is_some() && self.whole_or_absent("step") && self.whole("low").is_some() => "int",
            None if self.field("low").is_some() => "float",
            None => return Err(notation_error(self.place, "no type", "\"float\", \"int\" or \"categorical\"")),
        };
        match kind {
            "float" => {
                self.only("float", &["type", "low", "high", "step", "log", "parent"])?;
                let step = self.field("step").map(|_| self.number("step")).transpose()?;
                Ok(Domain::Float { low: self.number("low")?, high: self.number("high")?, step, log: self.log()? })
            }
            "int" => {
                self.only("int", &["type", "low", "high", "step", "log", "parent"])?;
                let step = self.field("step").map_or(Ok(1), |_| self.integer("step"))?;
                Ok(Domain::Int { low: self.integer("low")?, high: self.integer("high")?, step, log: self.log()? })
            }
            "categorical" => {
                self.only("categorical", &["type", "choices", "parent"])?;
                let expected = "a list of words";
                let choices =
                    self.field("choices").ok_or_else(|| notation_error(self.place, "no choices", expected))?;
                let Json::Array(list) = choices else { return Err(self.error("choices", choices, expected)) };
                let word =
                    |choice| word(choice).ok_or_else(|| self.error("choices", choice, "words, numbers or booleans"));
                Ok(Domain::Categorical { choices: list.iter().map(word).collect::<Result<_, _>>()? })
            }
            other => Err(self.error("type", &Json::from(other), "\"float\", \"int\" or \"categorical\"")),
        }
    }

    /// Refuses fields that have no meaning beside `what`.
    fn only(&self, what: &str, known: &[&str]) -> Result<(), SpaceError> {
        match self.fields.keys().find(|key| key.as_str() != what && !known.contains(&key.as_str())) {
            // `step: null` says nothing.
            Some(key) if self.field(key).is_some() && !self.says_nothing(key) => {
                let found = format!("'{key}' beside {what}");
                Err(notation_error(self.place, found, format!("only {}", known.join(", "))))
            }
            _ => Ok(()),
        }
    }

    fn says_nothing(&self, key: &str) -> bool {
        key == "log" && self.fields.get(key) == Some(&Json::Bool(false))
    }

    fn whole(&self, key: &str) -> Option<i64> {
        self.fields.get(key).and_then(Json::as_i64)
    }

    fn whole_or_absent(&self, key: &str) -> bool {
        self.field(key).is_none_or(|value| value.as_i64().is_some())
    }

    fn number(&self, key: &str) -> Result<f64, SpaceError> {
        let value = self.field(key).ok_or_else(|| notation_error(self.place, format!("no {key}"), "a number"))?;
        value.as_f64().ok_or_else(|| self.error(key, value, "a number"))
    }

    fn integer(&self, key: &str) -> Result<i64, SpaceError> {
        let value = self.field(key).ok_or_else(|| notation_error(self.place, format!("no {key}"), "a whole number"))?;
        // 5.0 is a whole number too; beyond 2^53 a float no longer says which one.
        let float = value.as_f64().filter(|x| x.fract() == 0.0 && x.abs() <= 9_007_199_254_740_992.0);
        value.as_i64().or(float.map(|x| x as i64)).ok_or_else(|| self.error(key, value, "a whole number"))
    }

    fn log(&self) -> Result<bool, SpaceError> {
        match self.field("log") {
            None => Ok(false),
            Some(Json::Bool(log)) => Ok(*log),
            Some(other) => Err(self.error("log", other, "true or false")),
        }
    }

    fn condition(&self, before: &[Parameter]) -> Result<Option<Condition>, SpaceError> {
        let Some(parent) = self.field("parent") else { return Ok(None) };
        let form = "an object such as {\"name\": \"filter\", \"in\": [\"ema\"]}";
        let fields = parent.as_object().filter(|fields| fields.len() == 2);
        let (Some(Json::String(name)), Some(Json::Array(values))) =
            (fields.and_then(|f| f.get("name")), fields.and_then(|f| f.get("in")))
        else {
            return Err(self.error("parent", parent, form));
        };
        let Some(index) = before.iter().position(|other| other.name == *name) else {
            let found = format!("no parameter '{name}' before it");
            return Err(notation_error(&format!("{}: parent", self.place), found, "a parent that is declared first"));
        };
        let categorical = matches!(before[index].domain, Domain::Categorical { .. });
        let value = |value| {
            let read = if categorical { word(value).map(Value::Text) } else { scalar(value) };
            read.ok_or_else(|| self.error("parent", value, "a value of the parent"))
        };
        Ok(Some(Condition { parent: index, values: values.iter().map(value).collect::<Result<_, _>>()? }))
    }
}

/// A choice: a word, or a number or a boolean as a word.
fn word(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.clone()),
        Json::Number(_) | Json::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

fn scalar(value: &Json) -> Option<Value> {
    match value {
        Json::String(text) => Some(Value::Text(text.clone())),
        Json::Bool(_) => Some(Value::Text(value.to_string())),
        Json::Number(number) => number.as_i64().map(Value::Int).or(number.as_f64().map(Value::Float)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optimize::Space;
    use serde_json::json;

    fn read(parameter: Json) -> Parameter {
        Space::from_json(&json!([parameter])).unwrap().parameters()[0].clone()
    }

    #[test]
    fn parameters_of_each_type() {
        let float = read(json!({"name": "x0", "type": "float", "low": 0, "high": 1, "log": false}));
        assert_eq!(float.domain, Domain::Float { low: 0.0, high: 1.0, step: None, log: false });
        let int = read(json!({"name": "n", "type": "int", "low": 1.0, "high": 64, "step": null, "log": true}));
        assert_eq!(int.domain, Domain::Int { low: 1, high: 64, step: 1, log: true });
        let words = read(json!({"name": "f", "type": "categorical", "choices": ["a", 5, true]}));
        assert_eq!(words.domain, Domain::Categorical { choices: vec!["a".into(), "5".into(), "true".into()] });
        assert_eq!(read(json!({"name": "q", "value": 100})).domain, Domain::fixed(Value::Int(100)));
    }

    #[test]
    fn a_parent_is_named_with_the_values_it_must_have() {
        let space = Space::from_json(&json!([
            {"name": "filter", "type": "categorical", "choices": ["none", "ema"]},
            {"name": "n", "type": "int", "low": 1, "high": 9, "parent": {"name": "filter", "in": ["ema"]}},
        ]));
        let condition = space.unwrap().parameters()[1].condition.clone();
        assert_eq!(condition, Some(Condition { parent: 0, values: vec![Value::Text("ema".to_string())] }));
    }

    #[test]
    fn errors_name_the_parameter_and_the_key() {
        let refused = |parameter: Json| Space::from_json(&json!([parameter])).unwrap_err().to_string();
        assert_eq!(
            refused(json!({"name": "x", "type": "float", "low": "a", "high": 1})),
            "parameter 'x': low: \"a\"; expected a number"
        );
        assert_eq!(
            refused(json!({"name": "x", "type": "float", "low": 0})),
            "parameter 'x': no high; expected a number"
        );
        assert_eq!(
            refused(json!({"name": "x", "type": "int", "low": 0, "high": 1.5})),
            "parameter 'x': high: 1.5; expected a whole number"
        );
        assert_eq!(
            refused(json!({"name": "x", "type": "real", "low": 0, "high": 1})),
            "parameter 'x': type: \"real\"; expected \"float\", \"int\" or \"categorical\""
        );
        assert_eq!(
            refused(json!({"name": "x", "type": "float", "low": 0, "high": 1, "lgo": true})),
            "parameter 'x': unknown key 'lgo'; expected keys out of type, low, high, step, log, choices, value, parent"
        );
        assert_eq!(
            refused(json!({"name": "x", "type": "float", "low": 0, "high": 1, "choices": ["a"]})),
            "parameter 'x': 'choices' beside float; expected only type, low, high, step, log, parent"
        );
        assert_eq!(
            refused(json!({"name": "x", "value": 1, "parent": {"name": "y", "in": [1]}})),
            "parameter 'x': parent: no parameter 'y' before it; expected a parent that is declared first"
        );
        assert_eq!(refused(json!({"low": 1})), "parameter 1: no name; expected \"name\"");
        assert_eq!(Space::from_json(&json!({})).unwrap_err().to_string(), "space: {}; expected an array of parameters");
    }
}
