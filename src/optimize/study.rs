//! A search from outside: ask for parameters, tell what came of them.

use super::{Goal, History, Method, MethodError, Outcome, Params, SearchSettings, Space, Trial, method};

/// A search that is asked and told. The history is all it knows: the same space, goal, settings and outcomes give
/// the same proposals, in whatever order the outcomes of outstanding trials are told.
pub struct Study {
    history: History,
    method: Box<dyn Method>,
    budget: usize,
}

/// A question or an answer that does not fit the search.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum StudyError {
    /// A method that cannot search this space.
    #[error(transparent)]
    Method(#[from] MethodError),
    /// More trials than the budget.
    #[error("{asked} trials asked of a budget of {budget}, and {more} more; expected at most {} more", budget - asked)]
    BeyondBudget { asked: usize, budget: usize, more: usize },
    /// Every combination was proposed.
    #[error("nothing left to propose after {asked} trials")]
    Exhausted { asked: usize },
    /// A trial that was never asked for.
    #[error("no trial {id} was asked for; expected {}", if *asked == 0 { "an ask first".to_string() } else { format!("0 to {}", asked - 1) })]
    UnknownTrial { id: u64, asked: usize },
    /// A trial whose outcome is known.
    #[error("trial {id} is told twice; expected one outcome a trial")]
    ToldTwice { id: u64 },
    /// As many values as there are no objectives.
    #[error("trial {id}: {found} values; expected {expected}, one an objective")]
    Values { id: u64, found: usize, expected: usize },
    /// As many values as there are no constraints.
    #[error("trial {id}: {found} constraint values; expected {expected}")]
    Constraints { id: u64, found: usize, expected: usize },
}

impl Study {
    /// A search by the method of a name.
    ///
    /// # Errors
    /// An unknown method, or one that cannot search this space.
    pub fn new(name: &str, space: Space, goal: Goal, settings: &SearchSettings) -> Result<Study, StudyError> {
        let method = method(name, &space, &goal, settings)?;
        Ok(Study { history: History::new(space, goal), method, budget: settings.budget })
    }

    /// What was asked and told so far.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Proposes up to `n` trials: ids and parameters. Trials not told yet do not stand in the way.
    ///
    /// # Errors
    /// Beyond the budget, or nothing left to propose.
    pub fn ask(&mut self, n: usize) -> Result<Vec<(usize, Params)>, StudyError> {
        let asked = self.history.trials.len();
        if n > self.budget - asked {
            return Err(StudyError::BeyondBudget { asked, budget: self.budget, more: n });
        }
        let mut proposed = self.method.propose(&self.history, n);
        proposed.truncate(n);
        if proposed.is_empty() && n > 0 {
            return Err(StudyError::Exhausted { asked });
        }
        let trials = proposed.iter().map(|params| Trial { params: params.clone(), outcome: None });
        self.history.trials.extend(trials);
        Ok((asked..).zip(proposed).collect())
    }

    /// Takes outcomes, all or, when one does not fit, none.
    ///
    /// # Errors
    /// A trial that was not asked for or is told twice, or a wrong number of values.
    pub fn tell(&mut self, results: Vec<(u64, Outcome)>) -> Result<(), StudyError> {
        let Goal { objectives, constraints } = &self.history.goal;
        let mut places = Vec::with_capacity(results.len());
        for (id, outcome) in &results {
            let (id, asked) = (*id, self.history.trials.len());
            let place = usize::try_from(id).ok().filter(|&place| place < asked);
            let place = place.ok_or(StudyError::UnknownTrial { id, asked })?;
            if self.history.trials[place].outcome.is_some() || places.contains(&place) {
                return Err(StudyError::ToldTwice { id });
            }
            if let Outcome::Complete { values, constraints: found } = outcome {
                if values.len() != objectives.len() {
                    return Err(StudyError::Values { id, found: values.len(), expected: objectives.len() });
                }
                if found.len() != *constraints {
                    return Err(StudyError::Constraints { id, found: found.len(), expected: *constraints });
                }
            }
            places.push(place);
        }
        for (place, (_, outcome)) in places.into_iter().zip(results) {
            self.history.trials[place].outcome = Some(outcome);
        }
        Ok(())
    }

    /// The recommendation: a trial's id; `None` before a value was told.
    pub fn best(&mut self) -> Option<usize> {
        self.method.recommend(&self.history)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn study(name: &str, budget: usize) -> Study {
        let space = Space::from_flags(&["a=1..9:1", "b=0.0..1.0"]).unwrap();
        let goal = Goal { objectives: vec![("y".to_string(), false)], constraints: 1 };
        Study::new(name, space, goal, &SearchSettings { seed: 4, budget, batch: 2, noisy: false }).unwrap()
    }

    fn complete(value: f64) -> Outcome {
        Outcome::Complete { values: vec![value], constraints: vec![0.0] }
    }

    #[test]
    fn outcomes_of_a_batch_may_come_in_any_order() {
        for name in ["random", "genetic"] {
            let (mut a, mut b) = (study(name, 60), study(name, 60));
            for round in 0..15 {
                let asked = a.ask(4).unwrap();
                assert_eq!(asked, b.ask(4).unwrap(), "{name}, round {round}");
                let mut results: Vec<_> =
                    asked.iter().map(|(id, _)| (*id as u64, complete(((id * 7) % 5) as f64))).collect();
                a.tell(results.clone()).unwrap();
                results.reverse();
                results.into_iter().for_each(|result| b.tell(vec![result]).unwrap());
            }
        }
    }

    #[test]
    fn asking_goes_on_while_outcomes_are_outstanding() {
        let mut study = study("genetic", 40);
        let first: Vec<_> = (0..40).flat_map(|_| study.ask(1).unwrap()).collect();
        let ids: Vec<usize> = first.iter().map(|(id, _)| *id).collect();
        assert_eq!(ids, (0..40).collect::<Vec<_>>());
        assert_eq!(study.best(), None);
        study.tell(vec![(39, complete(2.0)), (3, Outcome::Failed)]).unwrap();
        assert_eq!(study.best(), Some(39));
    }

    #[test]
    fn what_does_not_fit_is_refused_and_changes_nothing() {
        let mut study = study("random", 3);
        let refused = |result: Result<_, StudyError>| result.unwrap_err().to_string();
        assert_eq!(refused(study.tell(vec![(0, complete(1.0))])), "no trial 0 was asked for; expected an ask first");
        study.ask(2).unwrap();
        assert_eq!(
            refused(study.ask(2).map(|_| ())),
            "2 trials asked of a budget of 3, and 2 more; expected at most 1 more"
        );
        assert_eq!(
            refused(study.tell(vec![(0, complete(1.0)), (2, complete(1.0))])),
            "no trial 2 was asked for; expected 0 to 1"
        );
        assert_eq!(
            refused(study.tell(vec![(0, complete(1.0)), (0, complete(1.0))])),
            "trial 0 is told twice; expected one outcome a trial"
        );
        assert_eq!(study.best(), None, "the first of the two was not taken either");
        let short = Outcome::Complete { values: vec![], constraints: vec![0.0] };
        assert_eq!(refused(study.tell(vec![(1, short)])), "trial 1: 0 values; expected 1, one an objective");
        let short = Outcome::Complete { values: vec![1.0], constraints: vec![] };
        assert_eq!(refused(study.tell(vec![(1, short)])), "trial 1: 0 constraint values; expected 1");
        study.tell(vec![(1, complete(1.0))]).unwrap();
        assert_eq!(
            refused(study.tell(vec![(1, complete(1.0))])),
            "trial 1 is told twice; expected one outcome a trial"
        );
    }

    #[test]
    fn an_exhausted_grid_says_so() {
        let goal = Goal { objectives: vec![("y".to_string(), false)], constraints: 0 };
        let settings = SearchSettings { seed: 1, budget: 10, batch: 1, noisy: false };
        let space = Space::from_flags(&["a=1..3:1"]).unwrap();
        let mut study = Study::new("grid", space, goal, &settings).unwrap();
        assert_eq!(study.ask(10).unwrap().len(), 3);
        assert_eq!(study.ask(1).unwrap_err().to_string(), "nothing left to propose after 3 trials");
    }
}
