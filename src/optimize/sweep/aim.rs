//! Objectives and constraints of a sweep: metrics of a run.

use crate::optimize::{Constraint, Goal, GoalError, parse_objectives};
use crate::stats::{METRICS, Metrics};

/// What is looked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Aim {
    /// Metrics, and whether more is better.
    objectives: Vec<(String, bool)>,
    constraints: Vec<Constraint>,
}

/// An objective or a constraint that cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AimError {
    #[error(transparent)]
    Text(#[from] GoalError),
    #[error("{option}: there is no metric '{name}'; expected one of {}", known())]
    Metric { option: &'static str, name: String },
    #[error("--objective: '{0}' twice; expected different metrics")]
    Twice(String),
    #[error("no objective; expected at least one")]
    None,
}

fn known() -> String {
    let names: Vec<&str> = METRICS.iter().map(|metric| metric.name).filter(|name| !needs_benchmark(name)).collect();
    names.join(", ")
}

/// Metrics against a benchmark, which a sweep does not have.
pub(super) fn needs_benchmark(name: &str) -> bool {
    ["beta", "alpha_annual_arithmetic", "alpha_annual_compounded", "tracking_error_annual", "information_ratio_annual"]
        .contains(&name)
}

fn check(option: &'static str, name: &str) -> Result<(), AimError> {
    let found = METRICS.iter().any(|metric| metric.name == name && !needs_benchmark(name));
    if found { Ok(()) } else { Err(AimError::Metric { option, name: name.to_string() }) }
}

impl Aim {
    /// Reads objectives such as `sharpe` or `-annual_volatility` (several in one text, separated by commas, or in
    /// several texts) and constraints such as `trades >= 30`.
    ///
    /// # Errors
    /// An unknown metric, a constraint that is no comparison with a number.
    pub fn parse(objectives: &[String], constraints: &[String]) -> Result<Aim, AimError> {
        let mut aim = Aim { objectives: Vec::new(), constraints: Vec::new() };
        for text in objectives {
            for (name, more) in parse_objectives(text)? {
                check("--objective", &name)?;
                if aim.objectives.iter().any(|(other, _)| *other == name) {
                    return Err(AimError::Twice(name));
                }
                aim.objectives.push((name, more));
            }
        }
        if aim.objectives.is_empty() {
            return Err(AimError::None);
        }
        for text in constraints {
            let constraint: Constraint = text.parse()?;
            check("--constraint", &constraint.metric)?;
            aim.constraints.push(constraint);
        }
        Ok(aim)
    }

    /// The same as methods of search see it.
    pub fn goal(&self) -> Goal {
        Goal { objectives: self.objectives.clone(), constraints: self.constraints.len() }
    }

    /// Metrics of the objectives, and whether more is better.
    pub fn objectives(&self) -> &[(String, bool)] {
        &self.objectives
    }

    /// Bounds that metrics must keep.
    pub fn constraints(&self) -> &[Constraint] {
        &self.constraints
    }

    /// Values of the objectives, `None` where undefined.
    pub fn values_of(&self, metrics: &Metrics) -> Vec<Option<f64>> {
        self.objectives.iter().map(|(name, _)| metrics.get(name)).collect()
    }

    /// Values of the constraints: met at or below 0, `None` where the metric is undefined.
    pub fn violations_of(&self, metrics: &Metrics) -> Vec<Option<f64>> {
        let value = |c: &Constraint| metrics.get(&c.metric).map(|value| c.violation(Some(value)));
        self.constraints.iter().map(value).collect()
    }

    /// What is undefined in these values, if anything.
    pub fn undefined(&self, values: &[Option<f64>], violations: &[Option<f64>]) -> Option<String> {
        let objectives = self.objectives.iter().map(|(name, _)| name).zip(values);
        let constraints = self.constraints.iter().map(|c| &c.metric).zip(violations);
        let missing = objectives.chain(constraints).find(|(_, value)| value.is_none());
        missing.map(|(name, _)| format!("{name} is undefined"))
    }
}
