//! A space as a TOML file.

use super::{description, flag, notation_error};
use crate::optimize::{Parameter, Space, SpaceError};
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;
use toml::Spanned;

/// Reads the text of a file.
pub(super) fn space(text: &str) -> Result<Space, SpaceError> {
    let entries: BTreeMap<Spanned<String>, toml::Value> = toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_of(text, span.start));
        notation_error(&format!("line {line}"), error.message(), "TOML with one table or SPEC a parameter")
    })?;
    let mut entries: Vec<_> = entries.into_iter().collect();
    // A map of TOML is sorted by name; the order of the axes is that of the file.
    entries.sort_by_key(|(key, _)| key.span().start);
    let mut parameters: Vec<Parameter> = Vec::with_capacity(entries.len());
    let mut rules = Vec::new();
    for (key, value) in entries {
        let name = key.get_ref().as_str();
        let place = format!("line {}, parameter '{name}'", line_of(text, key.span().start));
        if name == "where" {
            rules = read_rules(&format!("line {}, where", line_of(text, key.span().start)), value)?;
            continue;
        }
        let parameter = match value {
            toml::Value::String(spec) => {
                Parameter { name: name.to_string(), domain: flag::domain(&place, &spec)?, condition: None }
            }
            toml::Value::Table(table) => {
                let mut fields = Map::new();
                for (field, value) in table {
                    let value = json_of(value).map_err(|found| {
                        notation_error(&format!("{place}: {field}"), found, "numbers, texts, true or false")
                    })?;
                    fields.insert(field, value);
                }
                description::parameter(&place, name, &fields, &parameters)?
            }
            other => {
                let expected = format!("a table [{name}] or a text such as \"5..50:5\"; a fixed one is \"{other}\"");
                return Err(notation_error(&place, format!("{other}"), expected));
            }
        };
        parameters.push(parameter);
    }
    Space::new(parameters)?.with_rules(&rules)
}

fn read_rules(place: &str, value: toml::Value) -> Result<Vec<String>, SpaceError> {
    let expected = "a rule such as \"fast < slow\", or a list of rules";
    match value {
        toml::Value::String(rule) => Ok(vec![rule]),
        toml::Value::Array(list) => {
            let rule = |value| match value {
                toml::Value::String(rule) => Ok(rule),
                other => Err(notation_error(place, other.to_string(), expected)),
            };
            list.into_iter().map(rule).collect()
        }
        _ => Err(notation_error(place, value.type_str(), expected)),
    }
}

/// The same value as JSON; what JSON cannot say as text.
fn json_of(value: toml::Value) -> Result<Json, String> {
    Ok(match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(x) => x.into(),
        toml::Value::Float(x) if x.is_finite() => x.into(),
        toml::Value::Boolean(x) => x.into(),
        toml::Value::Array(list) => Json::Array(list.into_iter().map(json_of).collect::<Result<_, _>>()?),
        toml::Value::Table(table) => {
            Json::Object(table.into_iter().map(|(key, v)| Ok((key, json_of(v)?))).collect::<Result<_, String>>()?)
        }
        other => return Err(other.to_string()),
    })
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|&b| b == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optimize::{Condition, Domain, Value};

    const EXAMPLE: &str = r#"
where = ["fast < slow"]
slow = "20..200:10"
fast = "5..50:5"

[filter]
choices = ["none", "ema", "kalman"]

[smoothing]
type = "float"
low = 0.05
high = 0.95
step = 0.05
parent = { name = "filter", in = ["ema", "kalman"] }

[stop]
low = 1e-3
high = 1e-1
log = true

[weight]
value = 0.5
"#;

    #[test]
    fn a_file_is_read_in_its_order() {
        let space = Space::from_toml(EXAMPLE).unwrap();
        let names: Vec<&str> = space.parameters().iter().map(|p| p.name.as_str()).collect();
        assert_eq!(names, ["slow", "fast", "filter", "smoothing", "stop", "weight"]);
        assert_eq!(space.rules()[0].text(), "fast < slow");
        let domain = |k: usize| &space.parameters()[k].domain;
        assert_eq!(domain(1), &Domain::Int { low: 5, high: 50, step: 5, log: false });
        assert_eq!(domain(4), &Domain::Float { low: 1e-3, high: 1e-1, step: None, log: true });
        assert_eq!(domain(5), &Domain::fixed(Value::Float(0.5)));
        let text = |s: &str| Value::Text(s.to_string());
        let condition = Condition { parent: 2, values: vec![text("ema"), text("kalman")] };
        assert_eq!(space.parameters()[3].condition, Some(condition));
    }

    #[test]
    fn errors_name_the_line() {
        let refused = |text: &str| Space::from_toml(text).unwrap_err().to_string();
        assert_eq!(
            refused("a = \"1..9:1\"\n[b]\ntype = \"int\"\nlow = \"x\"\nhigh = 5\n"),
            "line 2, parameter 'b': low: \"x\"; expected a whole number"
        );
        assert!(refused("a = \"1..9:1\"\nb = = 5\n").starts_with("line 2: "));
        assert_eq!(
            refused("a = 5"),
            "line 1, parameter 'a': 5; expected a table [a] or a text such as \"5..50:5\"; a fixed one is \"5\""
        );
        assert_eq!(
            refused("a = \"1..9:1\"\nwhere = 5"),
            "line 2, where: integer; expected a rule such as \"fast < slow\", or a list of rules"
        );
        assert!(refused("a = \"1..9:1\"\nwhere = \"a < b\"").contains("no parameter 'b'"));
        assert_eq!(
            refused("[a]\nlow = 1\nhigh = 9\n"),
            "line 1, parameter 'a': no type; expected type = \"int\" or \"float\""
        );
        assert!(refused("[a]\nlow = 0.0\nhigh = inf\n").contains("parameter 'a': high: inf"));
    }
}
