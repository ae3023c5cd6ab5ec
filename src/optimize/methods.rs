//! The methods by name.

use super::bayesian::Bayesian;
use super::genetic::Genetic;
use super::sequence::{Grid, Listed, RandomSearch};
use super::{Goal, Method, SearchSettings, Space};

/// Names of the methods.
pub const METHODS: [&str; 4] = ["grid", "random", "bayesian", "genetic"];

/// A method that cannot search this space.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum MethodError {
    /// No method of that name.
    #[error("no method '{name}'; expected one of {}", METHODS.join(", "))]
    Unknown { name: String },
    /// A grid over a continuous axis.
    #[error("parameter '{name}' is continuous; a grid needs a step (such as 0.1..0.5:0.1) or a list of values")]
    ContinuousGrid { name: String },
    /// Nothing to look for.
    #[error("no objective; expected at least one")]
    NoObjective,
}

/// The method of a name for a search: `grid` (every combination in order), `random` (a scrambled Sobol sequence),
/// `bayesian` (a Gaussian process and its expected improvement), `genetic` (with several objectives NSGA-II).
///
/// # Errors
/// [`MethodError`]: an unknown name, or a space or goal that the method cannot search.
pub fn method(
    name: &str,
    space: &Space,
    goal: &Goal,
    settings: &SearchSettings,
) -> Result<Box<dyn Method>, MethodError> {
    if goal.objectives.is_empty() {
        return Err(MethodError::NoObjective);
    }
    Ok(match name {
        "grid" => Box::new(Listed::new(Grid::new(space)?, settings.noisy)),
        "random" => Box::new(Listed::new(RandomSearch::new(space, settings.seed), settings.noisy)),
        "bayesian" => Box::new(Bayesian::new(space, settings)),
        "genetic" => Box::new(Genetic::new(space, goal, settings)),
        _ => return Err(MethodError::Unknown { name: name.to_string() }),
    })
}
