//! What may be searched: parameters, their domains and conditions.

use super::{DomainError, Rule, RuleError};
use std::fmt;

/// A value of a parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Float(f64),
    Int(i64),
    Text(String),
}

/// As one writes it: the shortest text that reads as the same value.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Float(x) => write!(f, "{x}"),
            Value::Int(x) => write!(f, "{x}"),
            Value::Text(x) => f.write_str(x),
        }
    }
}

impl From<&Value> for serde_json::Value {
    fn from(value: &Value) -> serde_json::Value {
        match value {
            Value::Float(x) => (*x).into(),
            Value::Int(x) => (*x).into(),
            Value::Text(x) => x.as_str().into(),
        }
    }
}

/// What a parameter may be. Bounds are inclusive.
#[derive(Debug, Clone, PartialEq)]
pub enum Domain {
    /// `step`: only `low + k * step`. `log`: uniform in the logarithm; `low` must be positive then.
    Float { low: f64, high: f64, step: Option<f64>, log: bool },
    /// Only `low + k * step`. `log`: as for floats.
    Int { low: i64, high: i64, step: i64, log: bool },
    /// One of several words without an order.
    Categorical { choices: Vec<String> },
}

/// A parameter counts only while another one has one of these values.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// Index of the other parameter: always a smaller one.
    pub parent: usize,
    pub values: Vec<Value>,
}

/// One axis of a search.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    pub name: String,
    pub domain: Domain,
    pub condition: Option<Condition>,
}

/// Values by parameter; `None` while a parameter's condition is not met.
pub type Params = Vec<Option<Value>>;

/// The parameters of a search in order of declaration, and rules that rule combinations out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Space {
    parameters: Vec<Parameter>,
    rules: Vec<Rule>,
}

/// A space that cannot be searched.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SpaceError {
    /// No parameter at all.
    #[error("the space has no parameter; expected at least one")]
    Empty,
    /// A parameter without a name.
    #[error("parameter {position} has no name; expected one")]
    Unnamed { position: usize },
    /// Two parameters of one name.
    #[error("parameter '{name}' is declared twice; expected different names")]
    Repeated { name: String },
    /// A domain without a sensible value.
    #[error("parameter '{name}': {problem}")]
    Domain { name: String, problem: DomainError },
    /// A condition on what is not an earlier parameter.
    #[error("parameter '{name}': its parent '{parent}' is not declared before it; expected the parent first")]
    Parent { name: String, parent: String },
    /// A condition on a continuous parameter.
    #[error("parameter '{name}': its parent '{parent}' is continuous; expected one with a list of values or a step")]
    ContinuousParent { name: String, parent: String },
    /// A condition that no value is named for.
    #[error("parameter '{name}': no value of its parent '{parent}' is named; expected at least one")]
    NoParentValue { name: String, parent: String },
    /// A condition that names what the parent never is.
    #[error("parameter '{name}': its parent '{parent}' is never {value}; expected values of '{parent}'")]
    ParentValue { name: String, parent: String, value: String },
    /// A rule that cannot be read.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// A parameter given as text, TOML or JSON that cannot be read.
    #[error("{place}: {found}; expected {expected}")]
    Notation { place: String, found: String, expected: String },
}

impl Space {
    /// A space of these parameters.
    ///
    /// # Errors
    /// No parameter, a repeated name, an empty domain, or a condition that can never be met.
    pub fn new(mut parameters: Vec<Parameter>) -> Result<Space, SpaceError> {
        if parameters.is_empty() {
            return Err(SpaceError::Empty);
        }
        for k in 0..parameters.len() {
            let (before, rest) = parameters.split_at_mut(k);
            let parameter = &mut rest[0];
            let name = parameter.name.clone();
            if name.trim().is_empty() {
                return Err(SpaceError::Unnamed { position: k + 1 });
            }
            if before.iter().any(|other| other.name == name) {
                return Err(SpaceError::Repeated { name });
            }
            parameter.domain.check().map_err(|problem| SpaceError::Domain { name: name.clone(), problem })?;
            if let Some(condition) = &mut parameter.condition {
                check_condition(&name, condition, before)?;
            }
        }
        Ok(Space { parameters, rules: Vec::new() })
    }

    /// The same space without the combinations for which one of the rules is false, such as `fast < slow`.
    ///
    /// # Errors
    /// A rule that cannot be read or that names what is not a parameter.
    pub fn with_rules<T: AsRef<str>>(mut self, rules: &[T]) -> Result<Space, SpaceError> {
        for text in rules {
            let rule = Rule::parse(text.as_ref(), &self.parameters)?;
            self.rules.push(rule);
        }
        Ok(self)
    }

    /// In order of declaration.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// What rules combinations out, in order of declaration.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Number of parameters.
    pub fn len(&self) -> usize {
        self.parameters.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.parameters.is_empty()
    }

    /// Whether no rule forbids the combination. A comparison that mentions a parameter that does not count is
    /// true.
    pub fn allows(&self, params: &Params) -> bool {
        self.rules.iter().all(|rule| rule.holds(params))
    }

    /// Whether every value is one of its parameter's, and exactly the parameters that count have one. Rules are
    /// not asked: [`Space::allows`].
    pub fn contains(&self, params: &Params) -> bool {
        params.len() == self.len()
            && self.parameters.iter().zip(params).enumerate().all(|(k, (parameter, value))| match value {
                Some(value) => self.counts(k, params) && parameter.domain.contains(value),
                None => !self.counts(k, params),
            })
    }

    /// Whether the condition of a parameter is met by the values of the parameters before it.
    pub fn counts(&self, parameter: usize, params: &[Option<Value>]) -> bool {
        match &self.parameters[parameter].condition {
            None => true,
            Some(condition) => params[condition.parent].as_ref().is_some_and(|value| condition.values.contains(value)),
        }
    }

    /// The parameters at a point of the unit cube (one coordinate a parameter, 0 to 1): every value of a
    /// discrete domain has an equal share of its axis, of a logarithmic one a share that is equal in the
    /// logarithm (see [`Domain::decode`]). Coordinates of parameters that do not count are ignored; one that is
    /// missing is taken as 0.
    pub fn decode(&self, unit: &[f64]) -> Params {
        let mut params: Params = Vec::with_capacity(self.len());
        for (k, parameter) in self.parameters.iter().enumerate() {
            let value = self.counts(k, &params).then(|| parameter.domain.decode(unit.get(k).copied().unwrap_or(0.0)));
            params.push(value);
        }
        params
    }

    /// The point of the unit cube of these parameters: for a discrete value the middle of its share, for a
    /// parameter that does not count, or whose value is not in its domain, 0.5.
    pub fn encode(&self, params: &Params) -> Vec<f64> {
        let place = |(k, parameter): (usize, &Parameter)| {
            params.get(k).and_then(Option::as_ref).and_then(|value| parameter.domain.encode(value)).unwrap_or(0.5)
        };
        self.parameters.iter().enumerate().map(place).collect()
    }

    /// Names and values of the parameters that count, in order of declaration.
    pub fn pairs<'a>(&'a self, params: &'a Params) -> impl Iterator<Item = (&'a str, &'a Value)> {
        self.parameters.iter().zip(params).filter_map(|(p, value)| Some((p.name.as_str(), value.as_ref()?)))
    }

    /// The parameters that count as a JSON object, in order of declaration.
    pub fn to_json(&self, params: &Params) -> serde_json::Value {
        let pairs = self.pairs(params).map(|(name, value)| (name.to_string(), value.into()));
        serde_json::Value::Object(pairs.collect())
    }
}

/// Checks a condition against the parameters before it, and turns whole numbers into floats where the parent
/// has floats, so that values can be compared as they are.
fn check_condition(name: &str, condition: &mut Condition, before: &[Parameter]) -> Result<(), SpaceError> {
    let name = name.to_string();
    let Some(parent) = before.get(condition.parent) else {
        let parent = format!("number {}", condition.parent + 1);
        return Err(SpaceError::Parent { name, parent });
    };
    if parent.domain.levels().is_none() {
        return Err(SpaceError::ContinuousParent { name, parent: parent.name.clone() });
    }
    if condition.values.is_empty() {
        return Err(SpaceError::NoParentValue { name, parent: parent.name.clone() });
    }
    for value in &mut condition.values {
        if let (Domain::Float { .. }, Value::Int(x)) = (&parent.domain, &value) {
            *value = Value::Float(*x as f64);
        }
        if !parent.domain.contains(value) {
            return Err(SpaceError::ParentValue { name, parent: parent.name.clone(), value: value.to_string() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parameter(name: &str, domain: Domain, condition: Option<(usize, &[&str])>) -> Parameter {
        let condition = condition.map(|(parent, values)| Condition {
            parent,
            values: values.iter().map(|v| Value::Text(v.to_string())).collect(),
        });
        Parameter { name: name.to_string(), domain, condition }
    }

    fn words(choices: &[&str]) -> Domain {
        Domain::Categorical { choices: choices.iter().map(|c| c.to_string()).collect() }
    }

    /// A chain of conditions: `smoothing` counts for the filters `ema` and `kalman`, `gain` only for `kalman`
    /// with an adaptive smoothing.
    fn chain() -> Space {
        Space::new(vec![
            parameter("filter", words(&["none", "ema", "kalman"]), None),
            parameter("smoothing", words(&["fixed", "adaptive"]), Some((0, &["ema", "kalman"]))),
            parameter("gain", Domain::Float { low: 1e-3, high: 1.0, step: None, log: true }, Some((1, &["adaptive"]))),
            parameter("period", Domain::Int { low: 5, high: 50, step: 5, log: false }, None),
        ])
        .unwrap()
    }

    #[test]
    fn a_parameter_counts_only_while_its_whole_chain_of_conditions_is_met() {
        let space = chain();
        let names = |unit: &[f64]| {
            let params = space.decode(unit);
            assert!(space.contains(&params));
            space.pairs(&params).map(|(name, _)| name.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(names(&[0.0, 0.9, 0.5, 0.5]), ["filter", "period"]);
        assert_eq!(names(&[0.5, 0.1, 0.5, 0.5]), ["filter", "smoothing", "period"]);
        assert_eq!(names(&[0.9, 0.9, 0.5, 0.5]), ["filter", "smoothing", "gain", "period"]);
    }

    #[test]
    fn parameters_that_do_not_count_are_in_the_middle_of_the_cube() {
        let space = chain();
        let unit = space.encode(&space.decode(&[0.0, 0.9, 0.9, 0.0]));
        assert_eq!(unit, [1.0 / 6.0, 0.5, 0.5, 0.05]);
    }

    #[test]
    fn values_are_shown_by_name_in_order() {
        let space = chain();
        let params = space.decode(&[0.5, 0.1, 0.5, 0.5]);
        assert_eq!(space.to_json(&params).to_string(), r#"{"filter":"ema","smoothing":"fixed","period":30}"#);
    }

    #[test]
    fn what_cannot_be_searched_is_refused_with_its_name() {
        let refused = |parameters| Space::new(parameters).unwrap_err().to_string();
        let int = || Domain::Int { low: 1, high: 3, step: 1, log: false };
        assert_eq!(refused(vec![]), "the space has no parameter; expected at least one");
        assert_eq!(
            refused(vec![parameter("a", int(), None), parameter("a", int(), None)]),
            "parameter 'a' is declared twice; expected different names"
        );
        assert_eq!(
            refused(vec![parameter("a", Domain::Int { low: 3, high: 1, step: 1, log: false }, None)]),
            "parameter 'a': from 3 to 1; expected the lower bound first"
        );
        assert_eq!(
            refused(vec![parameter("a", words(&["x"]), Some((1, &["y"]))), parameter("b", words(&["y"]), None)]),
            "parameter 'a': its parent 'number 2' is not declared before it; expected the parent first"
        );
        assert_eq!(
            refused(vec![parameter("a", words(&["x"]), None), parameter("b", int(), Some((0, &["y"])))]),
            "parameter 'b': its parent 'a' is never y; expected values of 'a'"
        );
        let continuous = Domain::Float { low: 0.0, high: 1.0, step: None, log: false };
        assert!(
            refused(vec![parameter("a", continuous, None), parameter("b", int(), Some((0, &["0.5"])))])
                .contains("is continuous")
        );
    }

    #[test]
    fn a_value_too_many_or_too_few_is_not_in_the_space() {
        let space = chain();
        let mut params = space.decode(&[0.0, 0.0, 0.0, 0.0]);
        assert!(space.contains(&params));
        params[1] = Some(Value::Text("fixed".to_string()));
        assert!(!space.contains(&params), "smoothing does not count");
        params[0] = Some(Value::Text("ema".to_string()));
        assert!(space.contains(&params));
        params[3] = None;
        assert!(!space.contains(&params), "period counts");
        params[3] = Some(Value::Int(7));
        assert!(!space.contains(&params), "7 is not a step");
    }

    proptest! {
        #[test]
        fn a_point_that_was_decoded_comes_back(unit in proptest::collection::vec(0.0..=1.0, 4)) {
            let space = chain();
            let params = space.decode(&unit);
            prop_assert!(space.contains(&params));
            let back = space.decode(&space.encode(&params));
            for (value, back) in params.iter().zip(&back) {
                match (value, back) {
                    (Some(Value::Float(a)), Some(Value::Float(b))) => prop_assert!((a / b - 1.0).abs() < 1e-12),
                    (a, b) => prop_assert_eq!(a, b),
                }
            }
        }
    }
}
