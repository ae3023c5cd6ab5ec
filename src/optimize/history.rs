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

/// A trial as its rivals see it: how much it violates, and what it loses by each objective. Less is better in
/// every number, and no number is NaN.
#[derive(Debug, Clone, PartialEq)]
pub struct Merit {
    /// Sum of the constraint values above 0; 0 for a feasible trial, infinite for one without values.
    pub violation: f64,
    /// The objectives, turned so that less is better; infinite where there is no value.
    pub losses: Vec<f64>,
}

impl Goal {
    /// Merit of a finished trial. One that failed, was pruned, or has an undefined (NaN) objective or constraint
    /// is worse than every other: it was tried, so it counts, but nothing speaks for it.
    pub fn merit(&self, outcome: &Outcome) -> Merit {
        if let Outcome::Complete { values, constraints } = outcome {
            let whole = values.len() == self.objectives.len() && constraints.len() == self.constraints;
            if whole && !values.iter().chain(constraints).any(|x| x.is_nan()) {
                let turned = |(value, (_, more)): (&f64, &(String, bool))| if *more { -value } else { *value };
                return Merit {
                    // From +0: a sum of nothing would be -0.
                    violation: constraints.iter().filter(|&&c| c > 0.0).fold(0.0, |sum, c| sum + c),
                    losses: values.iter().zip(&self.objectives).map(turned).collect(),
                };
            }
        }
        Merit { violation: f64::INFINITY, losses: vec![f64::INFINITY; self.objectives.len()] }
    }
}

impl Merit {
    /// Whether a value is known.
    pub fn is_known(&self) -> bool {
        self.violation < f64::INFINITY
    }

    /// Whether every constraint is met.
    pub fn is_feasible(&self) -> bool {
        self.violation == 0.0
    }

    /// Order by the first objective: feasible before infeasible, the feasible by loss, the others by violation
    /// and then loss.
    pub fn compare(&self, other: &Merit) -> std::cmp::Ordering {
        let first = |merit: &Merit| merit.losses.first().copied().unwrap_or(0.0);
        self.violation.total_cmp(&other.violation).then_with(|| first(self).total_cmp(&first(other)))
    }
}

impl History {
    /// Without a trial yet.
    pub fn new(space: Space, goal: Goal) -> History {
        History { space, goal, trials: Vec::new() }
    }

    /// Merit of a trial; `None` while it is not told.
    pub fn merit(&self, trial: usize) -> Option<Merit> {
        self.trials.get(trial)?.outcome.as_ref().map(|outcome| self.goal.merit(outcome))
    }

    /// The best feasible trial by the first objective, the earlier one on a tie. When none is feasible, the one
    /// that violates least. `None` when nothing was completed with a value.
    pub fn best(&self) -> Option<usize> {
        let merits = (0..self.trials.len()).filter_map(|k| self.merit(k).map(|merit| (k, merit)));
        let known = merits.filter(|(_, merit)| merit.is_known());
        known.min_by(|(_, a), (_, b)| a.compare(b)).map(|(k, _)| k)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Domain, Parameter};
    use super::*;

    fn goal(more: bool, constraints: usize) -> Goal {
        Goal { objectives: vec![("y".to_string(), more)], constraints }
    }

    fn history(goal: Goal, outcomes: Vec<Option<Outcome>>) -> History {
        let domain = Domain::Float { low: 0.0, high: 1.0, step: None, log: false };
        let space = Space::new(vec![Parameter { name: "x".to_string(), domain, condition: None }]).unwrap();
        let trial = |outcome| Trial { params: space.decode(&[0.5]), outcome };
        History { trials: outcomes.into_iter().map(trial).collect(), space, goal }
    }

    fn complete(value: f64, constraints: &[f64]) -> Option<Outcome> {
        Some(Outcome::Complete { values: vec![value], constraints: constraints.to_vec() })
    }

    #[test]
    fn the_best_is_the_greatest_or_the_least_as_the_goal_says() {
        let outcomes = || vec![complete(2.0, &[]), complete(5.0, &[]), complete(1.0, &[])];
        assert_eq!(history(goal(true, 0), outcomes()).best(), Some(1));
        assert_eq!(history(goal(false, 0), outcomes()).best(), Some(2));
    }

    #[test]
    fn of_equals_the_earlier_is_best() {
        assert_eq!(history(goal(true, 0), vec![complete(1.0, &[]), complete(1.0, &[])]).best(), Some(0));
    }

    #[test]
    fn a_feasible_trial_beats_every_infeasible_one() {
        let outcomes = vec![complete(9.0, &[0.1]), complete(1.0, &[0.0]), complete(2.0, &[-3.0])];
        assert_eq!(history(goal(true, 1), outcomes).best(), Some(2));
    }

    #[test]
    fn without_a_feasible_trial_the_smallest_violation_is_best() {
        let outcomes = vec![complete(9.0, &[0.5, 0.5]), complete(1.0, &[0.75, -9.0]), complete(9.0, &[0.75, 0.1])];
        assert_eq!(history(goal(true, 2), outcomes).best(), Some(1));
    }

    #[test]
    fn what_has_no_value_is_never_the_best() {
        let outcomes = vec![None, Some(Outcome::Failed), Some(Outcome::Pruned), complete(f64::NAN, &[])];
        let mut history = history(goal(true, 0), outcomes);
        assert_eq!(history.best(), None);
        history.trials[0].outcome = complete(f64::NEG_INFINITY, &[]);
        assert_eq!(history.best(), Some(0), "an infinite loss is a value all the same");
    }
}
