//! Objectives and constraints as one writes them.

use std::fmt;
use std::str::FromStr;

/// An objective or a constraint that cannot be read.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{what} '{text}': {found}; expected {expected}")]
pub struct GoalError {
    what: &'static str,
    text: String,
    found: String,
    expected: &'static str,
}

/// Reads objectives: `sharpe` is maximised, `-annual_volatility` minimised, and a comma separates several. Each is
/// the name and whether more is better, as [`Goal`](super::Goal) holds them.
///
/// # Errors
/// An empty or repeated name, or one of other characters than letters, digits and `_`.
pub fn parse_objectives(text: &str) -> Result<Vec<(String, bool)>, GoalError> {
    let error = |found: String, expected| GoalError { what: "objective", text: text.to_string(), found, expected };
    let mut objectives: Vec<(String, bool)> = Vec::new();
    for part in text.split(',').map(str::trim) {
        let (name, more) = match part.strip_prefix('-') {
            Some(name) => (name.trim_start(), false),
            None => (part, true),
        };
        if !is_name(name) {
            return Err(error(format!("'{part}'"), "the name of a metric, such as sharpe, or -annual_volatility"));
        }
        if objectives.iter().any(|(other, _)| other == name) {
            return Err(error(format!("'{name}' twice"), "different metrics"));
        }
        objectives.push((name.to_string(), more));
    }
    Ok(objectives)
}

/// A bound that a metric must keep: `trades >= 30`, `max_drawdown >= -0.2`, `annual_volatility <= 0.3`.
#[derive(Debug, Clone, PartialEq)]
pub struct Constraint {
    pub metric: String,
    /// Whether the metric must be at least the bound; otherwise at most.
    pub at_least: bool,
    /// In the metric's unit.
    pub bound: f64,
}

impl Constraint {
    /// How much the bound is missed: met at 0 and below, infinite for an undefined metric, which cannot be shown
    /// to keep it.
    pub fn violation(&self, measured: Option<f64>) -> f64 {
        match measured {
            Some(x) if !x.is_nan() => {
                let missed = if self.at_least { self.bound - x } else { x - self.bound };
                // Of an infinite metric and an infinite bound.
                if missed.is_nan() { 0.0 } else { missed }
            }
            _ => f64::INFINITY,
        }
    }
}

impl FromStr for Constraint {
    type Err = GoalError;

    fn from_str(text: &str) -> Result<Constraint, GoalError> {
        let form = "NAME >= NUMBER or NAME <= NUMBER, such as trades >= 30";
        let error = |found: String| GoalError { what: "constraint", text: text.to_string(), found, expected: form };
        let (left, at_least, right) = match (text.split_once(">="), text.split_once("<=")) {
            (Some((left, right)), None) => (left.trim(), true, right.trim()),
            (None, Some((left, right))) => (left.trim(), false, right.trim()),
            _ => return Err(error("not one comparison by >= or <=".to_string())),
        };
        if !is_name(left) {
            return Err(error(format!("'{left}' is no name")));
        }
        match right.parse::<f64>() {
            Ok(bound) if bound.is_finite() => Ok(Constraint { metric: left.to_string(), at_least, bound }),
            _ => Err(error(format!("'{right}' is no finite number"))),
        }
    }
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.metric, if self.at_least { ">=" } else { "<=" }, self.bound)
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objectives_are_maximised_unless_a_minus_turns_them() {
        assert_eq!(parse_objectives("sharpe").unwrap(), [("sharpe".to_string(), true)]);
        let two = parse_objectives("sharpe, -annual_volatility").unwrap();
        assert_eq!(two, [("sharpe".to_string(), true), ("annual_volatility".to_string(), false)]);
    }

    #[test]
    fn objectives_that_are_no_names_are_refused() {
        let refused = |text| parse_objectives(text).unwrap_err().to_string();
        assert_eq!(
            refused("sharpe,"),
            "objective 'sharpe,': ''; expected the name of a metric, such as sharpe, or -annual_volatility"
        );
        assert_eq!(refused("a,-a"), "objective 'a,-a': 'a' twice; expected different metrics");
        assert!(refused("--a").contains("'--a'") && refused("2x").contains("'2x'"));
    }

    #[test]
    fn a_constraint_is_met_at_zero_and_below() {
        let trades: Constraint = "trades >= 30".parse().unwrap();
        assert_eq!([31.0, 30.0, 28.0].map(|x| trades.violation(Some(x))), [-1.0, 0.0, 2.0]);
        let drawdown: Constraint = "max_drawdown>=-0.25".parse().unwrap();
        assert_eq!([-0.5, -0.125].map(|x| drawdown.violation(Some(x))), [0.25, -0.125]);
        let volatility: Constraint = "annual_volatility <= 0.25".parse().unwrap();
        assert_eq!([0.5, 0.125].map(|x| volatility.violation(Some(x))), [0.25, -0.125]);
        assert_eq!(volatility.to_string(), "annual_volatility <= 0.25");
    }

    #[test]
    fn an_undefined_metric_keeps_no_bound() {
        let trades: Constraint = "trades >= 30".parse().unwrap();
        assert_eq!(trades.violation(None), f64::INFINITY);
        assert_eq!(trades.violation(Some(f64::NAN)), f64::INFINITY);
    }

    #[test]
    fn constraints_of_another_form_are_refused() {
        let refused = |text: &str| text.parse::<Constraint>().unwrap_err().to_string();
        assert_eq!(
            refused("trades > 30"),
            "constraint 'trades > 30': not one comparison by >= or <=; expected NAME >= NUMBER or NAME <= NUMBER, \
             such as trades >= 30"
        );
        assert!(refused("1 <= trades <= 3").contains("is no name") || refused("1 <= trades <= 3").contains("'1'"));
        assert!(refused("trades >= many").contains("'many' is no finite number"));
    }
}
