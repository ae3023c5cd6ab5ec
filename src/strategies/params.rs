//! Strategy parameters: their specification, and checked values.

use crate::settings::Key;
use std::collections::BTreeMap;

/// What a parameter may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ParamKind {
    /// A whole number in an inclusive range.
    Int { min: i64, max: i64 },
    /// A number in an inclusive range.
    Float { min: f64, max: f64 },
    /// One of some words.
    Choice(&'static [&'static str]),
    /// A setting: given as a parameter, it holds for this strategy in place of the run's.
    Setting(Key),
}

/// One parameter of a strategy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ParamSpec {
    pub name: &'static str,
    pub kind: ParamKind,
    /// As it would be written on the command line; empty: not set. For a setting, what holds when the run's
    /// settings do not say otherwise.
    pub default: &'static str,
    /// One sentence.
    pub meaning: &'static str,
}

impl ParamSpec {
    /// A setting of the run that can be given for one strategy alone.
    pub const fn setting(key: Key) -> ParamSpec {
        let spec = key.spec();
        ParamSpec { name: spec.name, kind: ParamKind::Setting(key), default: spec.default, meaning: spec.meaning }
    }
}

impl ParamKind {
    /// `int`, `float`, `choice`, or the type of the setting.
    pub fn name(&self) -> &'static str {
        match self {
            ParamKind::Int { .. } => "int",
            ParamKind::Float { .. } => "float",
            ParamKind::Choice(_) => "choice",
            ParamKind::Setting(key) => key.spec().kind.name(),
        }
    }

    /// The range or the words, for people.
    pub fn range(&self) -> String {
        match self {
            ParamKind::Int { min, max } => format!("{min} to {max}"),
            ParamKind::Float { min, max } => format!("{min} to {max}"),
            ParamKind::Choice(words) => words.join(", "),
            ParamKind::Setting(key) => {
                let kind = key.spec().kind;
                match (kind.range(), kind.choices()) {
                    (Some(range), _) => range.to_string(),
                    (None, Some(words)) => words.join(", "),
                    (None, None) => kind.expected(),
                }
            }
        }
    }

    /// Smallest and largest number; `None` of what is no number.
    pub fn bounds(&self) -> Option<(f64, f64)> {
        match self {
            ParamKind::Int { min, max } => Some((*min as f64, *max as f64)),
            ParamKind::Float { min, max } => Some((*min, *max)),
            ParamKind::Choice(_) => None,
            ParamKind::Setting(key) => key.spec().kind.range().map(|range| (range.min, range.max)),
        }
    }

    /// The words to choose from; `None` where it is no choice.
    pub fn choices(&self) -> Option<&'static [&'static str]> {
        match self {
            ParamKind::Choice(words) => Some(words),
            ParamKind::Setting(key) => key.spec().kind.choices(),
            ParamKind::Int { .. } | ParamKind::Float { .. } => None,
        }
    }

    fn check(&self, text: &str) -> bool {
        match self {
            ParamKind::Int { min, max } => text.parse::<i64>().is_ok_and(|v| (*min..=*max).contains(&v)),
            ParamKind::Float { min, max } => text.parse::<f64>().is_ok_and(|v| v >= *min && v <= *max),
            ParamKind::Choice(words) => words.contains(&text),
            ParamKind::Setting(key) => key.spec().kind.parse(text).is_ok(),
        }
    }
}

/// A parameter that a strategy does not have or cannot take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParamError {
    #[error("strategy '{strategy}' has no parameter '{name}'; it has {known}")]
    Unknown { strategy: String, name: String, known: String },
    #[error("parameter {name} of strategy '{strategy}': '{found}' is not {expected}")]
    Value { strategy: String, name: String, found: String, expected: String },
    #[error("strategy '{strategy}': {reason}")]
    Combination { strategy: String, reason: String },
}

/// Checked parameter values of one strategy, defaults included.
#[derive(Debug, Clone, PartialEq)]
pub struct Params {
    strategy: &'static str,
    values: BTreeMap<&'static str, String>,
}

impl Params {
    /// Checks given values against a specification and fills in the defaults.
    pub fn check(
        strategy: &'static str,
        specs: &'static [ParamSpec],
        given: &[(String, String)],
    ) -> Result<Params, ParamError> {
        let mut values: BTreeMap<&'static str, String> = BTreeMap::new();
        for spec in specs {
            // A setting that is not given stays with the run's settings.
            let is_setting = matches!(spec.kind, ParamKind::Setting(_));
            values.insert(spec.name, if is_setting { String::new() } else { spec.default.to_string() });
        }
        for (name, text) in given {
            let Some(spec) = specs.iter().find(|s| s.name == name) else {
                let known: Vec<&str> = specs.iter().map(|s| s.name).collect();
                let known = if known.is_empty() { "none".to_string() } else { known.join(", ") };
                return Err(ParamError::Unknown { strategy: strategy.to_string(), name: name.clone(), known });
            };
            if !text.is_empty() && !spec.kind.check(text) {
                return Err(ParamError::Value {
                    strategy: strategy.to_string(),
                    name: name.clone(),
                    found: text.clone(),
                    expected: match spec.kind {
                        ParamKind::Setting(key) => key.spec().kind.expected(),
                        ParamKind::Int { .. } => format!("a whole number from {}", spec.kind.range()),
                        ParamKind::Float { .. } => format!("a number from {}", spec.kind.range()),
                        ParamKind::Choice(_) => format!("one of {}", spec.kind.range()),
                    },
                });
            }
            values.insert(spec.name, text.clone());
        }
        Ok(Params { strategy, values })
    }

    /// All values in order of name, as text; parameters that are not set are left out.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.values.iter().filter(|(_, v)| !v.is_empty()).map(|(k, v)| (*k, v.as_str()))
    }

    /// A parameter as text; empty when it is not set. Asking for one that is not specified gives an empty text.
    pub fn text(&self, name: &str) -> &str {
        self.values.get(name).map_or("", String::as_str)
    }

    /// A whole number; `None` when it is not set.
    pub fn int(&self, name: &str) -> Option<usize> {
        self.text(name).parse().ok()
    }

    /// A number; `None` when it is not set.
    pub fn float(&self, name: &str) -> Option<f64> {
        self.text(name).parse().ok()
    }

    /// An error about a combination of values.
    pub fn conflict(&self, reason: impl Into<String>) -> ParamError {
        ParamError::Combination { strategy: self.strategy.to_string(), reason: reason.into() }
    }
}
