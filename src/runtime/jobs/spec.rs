//! From what a browser posts to the arguments of a child process, by one table.
//!
//! Every argument is `--name=value` or a plain `--name`, so that no value can become an option. No option of the table
//! reads or writes a file of the caller's choice: data are named, never given by path, and are looked up in a list.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::Kind;

/// What the JSON of a key looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A text or a number: one argument.
    One,
    /// `true` or `false`: the option alone, or nothing.
    Flag,
    /// A list of texts (or one text): an argument for each.
    Many,
    /// A list of texts (or one text): one argument, joined by commas.
    Joined,
    /// An object: an argument `key=value` for each of its members.
    Pairs,
    /// The name of a data set.
    Data,
    /// A trial of a sweep: `ID/NUMBER`.
    Trial,
}

/// A key of a posted specification.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// In JSON.
    pub key: &'static str,
    /// On the command line, without dashes.
    pub option: &'static str,
    /// What its JSON looks like.
    pub shape: Shape,
    /// For which kinds of job.
    pub kinds: &'static [Kind],
}

const ALL: &[Kind] = &[Kind::Backtest, Kind::Sweep, Kind::WalkForward];
const BACKTESTS: &[Kind] = &[Kind::Backtest];
const SEARCHES: &[Kind] = &[Kind::Sweep, Kind::WalkForward];
const WALKS: &[Kind] = &[Kind::WalkForward];

macro_rules! fields {
    ($($key:literal = $option:literal $shape:ident $kinds:ident,)*) => {
        &[$(Field { key: $key, option: $option, shape: Shape::$shape, kinds: $kinds },)*]
    };
}

/// Every key.
pub const FIELDS: &[Field] = fields! {
    "data" = "data" Data ALL,
    "symbols" = "symbols" Joined ALL,
    "from" = "from" One ALL,
    "to" = "to" One ALL,
    "bars" = "bars" One ALL,
    "tz" = "tz" One ALL,
    "label" = "label" One ALL,
    "bar" = "bar" One ALL,
    "adjust" = "adjust" One ALL,
    "extended_hours" = "extended-hours" Flag ALL,
    "strategy" = "strategy" Many ALL,
    "param" = "param" Pairs ALL,
    "set" = "set" Pairs ALL,
    "seed" = "seed" One ALL,
    "fill" = "fill" One ALL,
    "commission" = "commission" One ALL,
    "slippage" = "slippage" One ALL,
    "latency_ms" = "latency-ms" One ALL,
    "participation" = "participation" One ALL,
    "limit_penetrate" = "limit-penetrate" Flag ALL,
    "whole_shorts" = "whole-shorts" Flag ALL,
    "cash" = "cash" One ALL,
    "account" = "account" One ALL,
    "initial_margin" = "initial-margin" One ALL,
    "maintenance_margin" = "maintenance-margin" One ALL,
    "margin_rate" = "margin-rate" One ALL,
    "borrow_rate" = "borrow-rate" One ALL,
    "from_trial" = "from-trial" Trial BACKTESTS,
    "csv" = "csv" Flag BACKTESTS,
    "method" = "method" One SEARCHES,
    "space" = "space" Pairs SEARCHES,
    "where" = "where" Many SEARCHES,
    "objective" = "objective" Many SEARCHES,
    "constraint" = "constraint" Many SEARCHES,
    "trials" = "trials" One SEARCHES,
    "batch" = "batch" One SEARCHES,
    "prune" = "prune" Flag SEARCHES,
    "bootstrap" = "bootstrap" One SEARCHES,
    "train" = "train" One WALKS,
    "test" = "test" One WALKS,
    "step" = "step" One WALKS,
    "embargo" = "embargo" One WALKS,
    "anchored" = "anchored" Flag WALKS,
};

/// Most values of a list or an object.
const MOST_VALUES: usize = 1_000;
/// Most bytes of a value.
const MOST_BYTES: usize = 4_096;
/// Most bytes of all arguments: less than any system takes.
const MOST_ARGUMENTS: usize = 64 * 1024;

/// What is wrong with a specification, by key.
pub type Wrong = BTreeMap<String, String>;

/// The arguments of a posted specification, without the command itself. `data`: from a name to what `--data` takes, if
/// there is a data set of that name. `sweep`: from an id to the folder of a sweep, if there is one.
///
/// # Errors
/// By key, what is wrong with it.
pub fn arguments(
    kind: Kind,
    spec: &Map<String, Value>,
    data: impl Fn(&str) -> Option<String>,
    sweep: impl Fn(&str) -> Option<String>,
) -> Result<Vec<String>, Wrong> {
    let mut wrong = Wrong::new();
    for key in spec.keys() {
        let known = FIELDS.iter().find(|field| field.key == key);
        let why = match known {
            None => "There is no such key.",
            Some(field) if !field.kinds.contains(&kind) => "This does not belong to such a job.",
            Some(_) => continue,
        };
        wrong.insert(key.chars().take(64).collect(), why.to_string());
    }
    let mut arguments = Vec::new();
    for field in FIELDS {
        let Some(value) = spec.get(field.key).filter(|value| !value.is_null()) else { continue };
        match values(field, value, &data, &sweep) {
            Ok(values) => arguments.extend(values.into_iter().map(|value| match value {
                Some(value) => format!("--{}={value}", field.option),
                None => format!("--{}", field.option),
            })),
            Err(why) => {
                wrong.insert(field.key.to_string(), why);
            }
        }
    }
    if arguments.iter().map(String::len).sum::<usize>() > MOST_ARGUMENTS {
        wrong.insert("spec".to_string(), format!("The specification is longer than {MOST_ARGUMENTS} bytes."));
    }
    if wrong.is_empty() { Ok(arguments) } else { Err(wrong) }
}

/// The values of one key; `None`: the option has no value.
fn values(
    field: &Field,
    value: &Value,
    data: &impl Fn(&str) -> Option<String>,
    sweep: &impl Fn(&str) -> Option<String>,
) -> Result<Vec<Option<String>>, String> {
    let list = |value: &Value| match value {
        Value::Array(all) if all.len() > MOST_VALUES => Err(format!("At most {MOST_VALUES} values.")),
        Value::Array(all) => all.iter().map(text).collect(),
        one => text(one).map(|one| vec![one]),
    };
    match field.shape {
        Shape::One => text(value).map(|text| vec![Some(text)]),
        Shape::Flag => match value {
            Value::Bool(true) => Ok(vec![None]),
            Value::Bool(false) => Ok(Vec::new()),
            _ => Err("Expected true or false.".to_string()),
        },
        Shape::Many => Ok(list(value)?.into_iter().map(Some).collect()),
        Shape::Joined => {
            let all = list(value)?;
            if all.is_empty() { Ok(Vec::new()) } else { Ok(vec![Some(all.join(","))]) }
        }
        Shape::Pairs => {
            let Value::Object(map) = value else { return Err("Expected an object of names and values.".to_string()) };
            if map.len() > MOST_VALUES {
                return Err(format!("At most {MOST_VALUES} values."));
            }
            let pair = |(name, value): (&String, &Value)| {
                let name = checked(name)?;
                if name.contains('=') {
                    return Err(format!("'{name}' is no name."));
                }
                Ok(Some(format!("{name}={}", text(value)?)))
            };
            map.iter().map(pair).collect()
        }
        Shape::Data => {
            let name = text(value)?;
            let unknown = || "There is no data set of that name.".to_string();
            data(&name).map(|found| vec![Some(found)]).ok_or_else(unknown)
        }
        Shape::Trial => {
            let trial = text(value)?;
            let fits = |(id, number): &(&str, &str)| {
                super::is_id(id) && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
            };
            let unknown = || "Expected the id of a sweep, '/', and the number of a trial.".to_string();
            let (id, number) = trial.split_once('/').filter(fits).ok_or_else(unknown)?;
            let folder = sweep(id).ok_or_else(|| "There is no sweep of that id.".to_string())?;
            Ok(vec![Some(format!("{folder}/{number}"))])
        }
    }
}

/// The text of a value that is a text, a number or a truth value.
fn text(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => checked(text),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(flag.to_string()),
        // A list as the value of a setting, such as WEIGHTS.
        Value::Array(all) if all.len() <= MOST_VALUES && all.iter().all(|one| !one.is_array()) => {
            Ok(all.iter().map(text).collect::<Result<Vec<_>, _>>()?.join(","))
        }
        _ => Err("Expected a text or a number.".to_string()),
    }
}

fn checked(text: &str) -> Result<String, String> {
    if text.len() > MOST_BYTES {
        Err(format!("At most {MOST_BYTES} bytes."))
    } else if text.chars().any(char::is_control) {
        Err("No control characters.".to_string())
    } else {
        Ok(text.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn given(kind: Kind, spec: Value) -> Result<Vec<String>, Wrong> {
        let data = |name: &str| (name == "wiki_daily").then(|| name.to_string());
        let sweep = |id: &str| (id == "a-1").then(|| format!("backtest_results/{id}"));
        arguments(kind, spec.as_object().unwrap(), data, sweep)
    }

    #[test]
    fn a_specification_becomes_arguments_in_the_order_of_the_table() {
        let spec = json!({
            "strategy": "sma_cross", "param": {"fast": 5, "slow": 20, "weight": 0.5}, "cash": 1e5, "seed": 7,
            "symbols": ["AAPL", "MSFT"], "data": "wiki_daily", "limit_penetrate": true, "extended_hours": false,
            "set": {"WEIGHTS": [0.5, 0.5], "FRACTIONAL": true}, "from": null,
        });
        let expected = [
            "--data=wiki_daily",
            "--symbols=AAPL,MSFT",
            "--strategy=sma_cross",
            "--param=fast=5",
            "--param=slow=20",
            "--param=weight=0.5",
            "--set=WEIGHTS=0.5,0.5",
            "--set=FRACTIONAL=true",
            "--seed=7",
            "--limit-penetrate",
            "--cash=100000.0",
        ];
        assert_eq!(given(Kind::Backtest, spec).unwrap(), expected);
    }

    #[test]
    fn what_the_table_does_not_have_is_refused_by_name() {
        for key in
            ["out", "--out", "config", "orders", "signals", "borrow", "vix", "space_file", "jobs", "resume", "job"]
        {
            let wrong = given(Kind::Sweep, json!({ key: "x" })).unwrap_err();
            assert_eq!(wrong.keys().collect::<Vec<_>>(), [key]);
        }
        let wrong = given(Kind::Backtest, json!({"space": {"fast": "5..10"}, "train": 60})).unwrap_err();
        assert_eq!(wrong.len(), 2);
        assert!(given(Kind::Sweep, json!({"train": 60})).is_err());
        assert!(given(Kind::WalkForward, json!({"train": 60})).is_ok());
    }

    #[test]
    fn a_value_stays_a_value_and_a_path_is_no_data_set() {
        let one = given(Kind::Backtest, json!({"strategy": "--out=/tmp/x"})).unwrap();
        assert_eq!(one, ["--strategy=--out=/tmp/x"]);
        for data in ["../secrets", "/etc/passwd", "datasets/x", "", "wiki_daily/../..", "WIKI_DAILY"] {
            assert!(given(Kind::Backtest, json!({"data": data})).unwrap_err().contains_key("data"), "{data}");
        }
        for text in ["a\nb", "a\0b", "\u{1b}[31m", "a\u{7f}"] {
            assert!(given(Kind::Backtest, json!({"strategy": text})).is_err(), "{text:?}");
            assert!(given(Kind::Backtest, json!({"param": {text: 1}})).is_err(), "{text:?}");
            assert!(given(Kind::Backtest, json!({"param": {"fast": text}})).is_err(), "{text:?}");
        }
        for trial in ["b-1/1", "../x/1", "a/b/1", "a/-1", "a/", "/1", "a", "a/1x"] {
            assert!(given(Kind::Backtest, json!({"from_trial": trial})).is_err(), "{trial}");
        }
        assert_eq!(
            given(Kind::Backtest, json!({"from_trial": "a-1/17"})).unwrap(),
            ["--from-trial=backtest_results/a-1/17"]
        );
    }

    #[test]
    fn values_of_another_form_and_too_many_are_refused() {
        for spec in [
            json!({"prune": "yes"}),
            json!({"param": ["fast=5"]}),
            json!({"seed": {"a": 1}}),
            json!({"where": [["a"], [["b"]]]}),
            json!({"strategy": vec!["x"; 1_001]}),
            json!({"strategy": "x".repeat(4_097)}),
            json!({"where": vec!["x".repeat(4_000); 20]}),
            json!({"param": {"a=b": 1}}),
        ] {
            assert!(given(Kind::Sweep, spec.clone()).is_err(), "{spec}");
        }
    }
}
