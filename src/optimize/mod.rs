//! Finding parameters: spaces, methods that propose, and the record of what was tried.
//!
//! An optimiser here is a function of (space, settings, history): the history of trials is the only state, so a
//! search that is stopped and taken up again proposes what it would have proposed. Nothing in this room knows
//! how a trial is evaluated; a sweep over backtests and `tbot optimizer ask-tell` use it alike.
//!
//! - [`Space`]: parameters, conditions and rules; read from flags, TOML or JSON; its codec to the unit cube, its
//!   count and its combinations by number.
//! - [`Goal`], [`History`]: what is looked for, what was tried, the best, the Pareto front and its volume.
//! - [`method`]: the methods by name, each a [`Method`]; those whose trials are known in advance are a [`Sequence`].
//! - [`Study`]: ask and tell, with every misuse named.

mod bayesian;
mod count;
mod decimal;
mod domain;
mod draws;
mod genetic;
mod goal_text;
mod history;
mod methods;
mod notation;
mod pareto;
mod recommend;
pub mod report;
mod rule;
mod sequence;
mod sobol;
mod space;
mod study;
pub mod sweep;
pub mod walk_forward;

pub use bayesian::Bayesian;
pub use count::Count;
pub use domain::{DomainError, MAX_LEVELS};
pub use genetic::Genetic;
pub use goal_text::{Constraint, GoalError, parse_objectives};
pub use history::{Goal, History, Merit, Outcome, Trial};
pub use methods::{METHODS, MethodError, method};
pub use pareto::{crowding, fronts, hypervolume};
pub use rule::{Rule, RuleError};
pub use sequence::{Grid, Listed, RandomSearch, Sequence};
pub use sobol::{SOBOL_DIMENSIONS, Sobol};
pub use space::{Condition, Domain, Parameter, Params, Space, SpaceError, Value};
pub use study::{Study, StudyError};

/// What every method is told beside the history.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchSettings {
    /// Seed of every draw: a proposal is a function of (space, settings, history).
    pub seed: u64,
    /// Trials in all.
    pub budget: usize,
    /// Trials of one round: they are proposed together, before any of them is evaluated.
    pub batch: usize,
    /// Whether the same parameters can give different values.
    pub noisy: bool,
}

/// A method of search.
///
/// The proposals must be a function of (space, settings, history) alone: an implementation may keep what it
/// computed from an earlier, shorter history of the same search (factorisations, populations), but only to save
/// time, never to change an answer.
pub trait Method: Send {
    /// Parameters of the next `n` trials; fewer, or none, when the method has nothing left to propose.
    fn propose(&mut self, history: &History, n: usize) -> Vec<Params>;

    /// The recommendation; `None` when nothing was evaluated. The default is the best feasible observation.
    fn recommend(&mut self, history: &History) -> Option<usize> {
        history.best()
    }
}
