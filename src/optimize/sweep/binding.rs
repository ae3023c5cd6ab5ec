//! What the parameters of a space stand for in a run.

use crate::backtest::RunSpec;
use crate::optimize::{Domain, Params, Space, Value};
use crate::settings::Key;
use crate::strategies::{self, ParamSpec};

/// Settings of the account's limits that can be searched beside the parameters of strategies.
const SETTINGS: [Key; 5] = [
    Key::MaxOpenPositions,
    Key::DailyLossLimit,
    Key::DefenseModeActive,
    Key::DefenseModeTradeLimitPct,
    Key::DefenseModeTotalAllocation,
];

/// Where a value goes.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// A parameter of the strategy at this place in the run.
    Strategy(usize),
    /// A setting of the run.
    Setting,
}

/// Where the values of every parameter of a space go. `KEY` addresses the parameter of every strategy of the run
/// that has it, else a setting; `NAME.KEY` that of one strategy.
#[derive(Debug, Clone, PartialEq)]
pub struct Binding {
    /// By parameter: the key and the places.
    places: Vec<(String, Vec<Place>)>,
}

/// A parameter of a space that has no place in the run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BindingError {
    #[error("--space {name}: no strategy of the run has '{key}'; there are {known}")]
    Unknown { name: String, key: String, known: String },
    #[error("--space {name}: the run has no strategy '{strategy}'; there are {known}")]
    Strategy { name: String, strategy: String, known: String },
    #[error("--space {name}: also given as --param; expected one of them")]
    Twice { name: String },
    #[error("--space {name}: {reason}{hint}")]
    Value { name: String, reason: String, hint: &'static str },
}

impl Binding {
    /// Finds the place of every parameter and checks the ends of its domain there.
    ///
    /// # Errors
    /// A name that the run does not know, a value that the parameter cannot take.
    pub fn new(space: &Space, run: &RunSpec) -> Result<Binding, BindingError> {
        let mut places = Vec::with_capacity(space.len());
        for parameter in space.parameters() {
            let (key, found) = find(&parameter.name, run)?;
            for place in &found {
                for value in ends(&parameter.domain) {
                    check(run, place, &key, &value).map_err(|reason| BindingError::Value {
                        name: parameter.name.clone(),
                        reason,
                        hint: match parameter.domain {
                            Domain::Float { step: None, .. } => "; int:A..B is a range of whole numbers",
                            _ => "",
                        },
                    })?;
                }
            }
            places.push((key, found));
        }
        Ok(Binding { places })
    }

    /// Whether every parameter is one of a strategy, so that trials differ in their strategies alone.
    pub fn is_of_strategies(&self) -> bool {
        self.places.iter().all(|(_, places)| !places.contains(&Place::Setting))
    }

    /// The run of a trial: `run` with the trial's parameters.
    ///
    /// # Errors
    /// Settings that do not go together.
    pub fn apply(&self, run: &RunSpec, params: &Params) -> Result<RunSpec, String> {
        let mut run = run.clone();
        let mut settings = Vec::new();
        for ((key, places), value) in self.places.iter().zip(params) {
            let Some(value) = value else { continue };
            for place in places {
                match place {
                    Place::Strategy(k) => {
                        run.strategies[*k].params.insert(key.clone(), value.to_string());
                    }
                    Place::Setting => settings.push(format!("{key}={value}")),
                }
            }
        }
        if !settings.is_empty() {
            run.settings
                .set_all(settings.iter().map(String::as_str), "parameters")
                .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))?;
        }
        Ok(run)
    }
}

fn params_of(name: &str) -> &'static [ParamSpec] {
    strategies::find(name).map_or(&[], |spec| spec.params)
}

/// The key and the places of a parameter's name.
fn find(name: &str, run: &RunSpec) -> Result<(String, Vec<Place>), BindingError> {
    let has = |strategy: &str, key: &str| params_of(strategy).iter().any(|p| p.name == key);
    let unknown = |key: &str, known: Vec<&str>| BindingError::Unknown {
        name: name.to_string(),
        key: key.to_string(),
        known: known.join(", "),
    };
    let (key, places) = match name.split_once('.') {
        Some((strategy, key)) => {
            let Some(k) = run.strategies.iter().position(|choice| choice.name == strategy) else {
                let known: Vec<&str> = run.strategies.iter().map(|choice| choice.name.as_str()).collect();
                return Err(BindingError::Strategy {
                    name: name.to_string(),
                    strategy: strategy.to_string(),
                    known: known.join(", "),
                });
            };
            if !has(strategy, key) {
                return Err(unknown(key, params_of(strategy).iter().map(|p| p.name).collect()));
            }
            (key, vec![Place::Strategy(k)])
        }
        None => {
            let of = |k: &usize| has(&run.strategies[*k].name, name);
            let places: Vec<Place> = (0..run.strategies.len()).filter(of).map(Place::Strategy).collect();
            if !places.is_empty() {
                (name, places)
            } else if SETTINGS.iter().any(|key| key.name() == name) {
                (name, vec![Place::Setting])
            } else {
                let mut known: Vec<&str> = Vec::new();
                for choice in &run.strategies {
                    for param in params_of(&choice.name) {
                        if !known.contains(&param.name) {
                            known.push(param.name);
                        }
                    }
                }
                known.extend(SETTINGS.iter().map(|key| key.name()));
                return Err(unknown(name, known));
            }
        }
    };
    let given = |place: &Place| matches!(place, Place::Strategy(k) if run.strategies[*k].params.contains_key(key));
    if places.iter().any(given) {
        return Err(BindingError::Twice { name: name.to_string() });
    }
    Ok((key.to_string(), places))
}

/// Values that show whether a domain fits its parameter: all words; of a range both ends, and a point between
/// them that is no whole number unless the range is one of whole numbers.
fn ends(domain: &Domain) -> Vec<Value> {
    match domain {
        Domain::Float { low, high, step: None, .. } => {
            vec![Value::Float(*low), Value::Float(*high), Value::Float(low + (high - low) * 0.381_966_011)]
        }
        Domain::Float { low, high, step: Some(step), .. } => {
            vec![Value::Float(*low), Value::Float(*high), Value::Float(low + step)]
        }
        Domain::Int { low, high, .. } => vec![Value::Int(*low), Value::Int(*high)],
        Domain::Categorical { choices } => choices.iter().cloned().map(Value::Text).collect(),
    }
}

/// Whether a value alone can be taken: how it goes with others is seen when it is tried.
fn check(run: &RunSpec, place: &Place, key: &str, value: &Value) -> Result<(), String> {
    let text = value.to_string();
    match place {
        Place::Strategy(k) => match strategies::find(&run.strategies[*k].name) {
            Some(spec) => spec.check(&[(key.to_string(), text)]).map(drop).map_err(|error| error.to_string()),
            None => Ok(()),
        },
        Place::Setting => match Key::from_name(key) {
            Some(setting) => setting
                .spec()
                .kind
                .parse(&text)
                .map(drop)
                .map_err(|expected| format!("{key}: found '{text}', expected {expected}")),
            None => Ok(()),
        },
    }
}
