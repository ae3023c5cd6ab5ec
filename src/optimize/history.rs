//! What was tried and what came of it.

use super::{Params, Space};

/// What is looked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Goal {
    /// Name and whether more is better, for each objective.
    pub objectives: Vec<(String, bool)>,
    /// Number of constraint values of a trial; one is met at or below 0.
    pub constraints: usize,
}

/// What came of a trial.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// `values` by objective as measured (not turned), `constraints` met at or below 0.
    Complete { values: Vec<f64>, constraints: Vec<f64> },
    /// No value: the evaluation failed.
    Failed,
    /// Stopped early, because it was clearly worse than the best.
    Pruned,
}

/// One trial; its id is its place in the history.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    pub params: Params,
    /// `None`: proposed and not yet told.
    pub outcome: Option<Outcome>,
}

/// All trials of a search in order of id.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    pub space: Space,
    pub goal: Goal,
    pub trials: Vec<Trial>,
}

impl History {
    /// The best feasible trial by the first objective, the earlier one on a tie. When none is feasible, the one
    /// that violates least. `None` when nothing was completed.
    pub fn best(&self) -> Option<usize> {
        todo!()
    }
}
