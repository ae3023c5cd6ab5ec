//! Methods whose trials do not depend on what came of earlier ones: the grid and random search.

use super::draws::{Draws, Purpose};
use super::recommend::best_neighbourhood;
use super::sobol::Sobol;
use super::{History, Method, MethodError, Params, Space, Value};
use std::collections::HashSet;

/// Trials that are known in advance: number k is a function of (space, seed, k), so that any part of them can be
/// evaluated anywhere (shards).
pub trait Sequence: Send {
    /// Parameters of trial `number`; `None` beyond the last one.
    fn trial(&mut self, number: usize) -> Option<Params>;
}

/// A sequence as a method: it proposes the trials after those of the history.
pub struct Listed<S> {
    sequence: S,
    noisy: bool,
}

impl<S: Sequence> Listed<S> {
    /// The method; `noisy`: whether the same parameters can give different values.
    pub fn new(sequence: S, noisy: bool) -> Listed<S> {
        Listed { sequence, noisy }
    }
}

impl<S: Sequence> Method for Listed<S> {
    fn propose(&mut self, history: &History, n: usize) -> Vec<Params> {
        let first = history.trials.len();
        (first..first + n).map_while(|number| self.sequence.trial(number)).collect()
    }

    fn recommend(&mut self, history: &History) -> Option<usize> {
        if self.noisy { best_neighbourhood(history) } else { history.best() }
    }
}

/// Every allowed combination, in the order of [`Space::combination`].
#[derive(Debug, Clone)]
pub struct Grid {
    space: Space,
    /// The combination to look at next, and how many allowed ones come before it.
    next: Option<Params>,
    passed: usize,
}

impl Grid {
    /// The grid of a space.
    ///
    /// # Errors
    /// A continuous axis.
    pub fn new(space: &Space) -> Result<Grid, MethodError> {
        for parameter in space.parameters() {
            if parameter.domain.levels().is_none() {
                return Err(MethodError::ContinuousGrid { name: parameter.name.clone() });
            }
        }
        Ok(Grid { next: space.combination(0), space: space.clone(), passed: 0 })
    }
}

impl Sequence for Grid {
    /// Without rules at once, with rules by looking at every combination up to it.
    fn trial(&mut self, number: usize) -> Option<Params> {
        if self.space.rules().is_empty() {
            return self.space.combination(number as u128);
        }
        if number < self.passed {
            (self.next, self.passed) = (self.space.combination(0), 0);
        }
        loop {
            let params = self.next.clone()?;
            self.next = self.space.combination_after(params.clone());
            if self.space.allows(&params) {
                self.passed += 1;
                if self.passed > number {
                    return Some(params);
                }
            }
        }
    }
}

/// Points of the scrambled Sobol sequence, without those that a rule forbids and, in a space without continuous
/// axes, without repetitions.
#[derive(Debug, Clone)]
pub struct RandomSearch {
    space: Space,
    sobol: Sobol,
    seed: u64,
    /// Number of the next point of the Sobol sequence.
    next: u64,
    found: Vec<Params>,
    seen: HashSet<Vec<u64>>,
    finite: bool,
    listable: bool,
    /// What was left, in random order, when new combinations had become rare.
    remainder: Option<std::vec::IntoIter<Params>>,
}

impl RandomSearch {
    /// Points in vain after which a small space is listed instead.
    const PATIENCE: usize = 1_000;
    /// Points in vain after which a space that cannot be listed counts as exhausted.
    const LAST_PATIENCE: usize = 100_000;
    /// Combinations that may be listed.
    const MOST_LISTED: u128 = 1_000_000;

    /// The random search of a seed.
    pub fn new(space: &Space, seed: u64) -> RandomSearch {
        RandomSearch {
            sobol: Sobol::new(space.len(), seed),
            seed,
            next: 0,
            found: Vec::new(),
            seen: HashSet::new(),
            finite: space.unruled_count().is_some(),
            listable: space.unruled_count().is_some_and(|count| count <= Self::MOST_LISTED),
            remainder: None,
            space: space.clone(),
        }
    }

    fn find(&mut self) -> Option<Params> {
        let mut in_vain = 0;
        while self.remainder.is_none() {
            let params = self.space.decode(&self.sobol.point(self.next));
            self.next += 1;
            if self.space.allows(&params) && (!self.finite || self.seen.insert(combination_key(&params))) {
                return Some(params);
            }
            in_vain += 1;
            if self.listable && in_vain == Self::PATIENCE {
                self.remainder = Some(self.list_remainder().into_iter());
            } else if in_vain == Self::LAST_PATIENCE {
                return None;
            }
        }
        self.remainder.as_mut()?.next()
    }

    /// The allowed combinations not found yet, in an order of the seed.
    fn list_remainder(&self) -> Vec<Params> {
        let all =
            std::iter::successors(self.space.combination(0), |params| self.space.combination_after(params.clone()));
        let new = |params: &Params| self.space.allows(params) && !self.seen.contains(&combination_key(params));
        let mut left: Vec<Params> = all.filter(new).collect();
        let mut draws = Draws::new(self.seed, Purpose::Remainder, 0);
        // Fisher and Yates.
        for k in (1..left.len()).rev() {
            left.swap(k, draws.below(k + 1));
        }
        left
    }
}

impl Sequence for RandomSearch {
    fn trial(&mut self, number: usize) -> Option<Params> {
        while self.found.len() <= number {
            let params = self.find()?;
            self.found.push(params);
        }
        Some(self.found[number].clone())
    }
}

/// The same for equal combinations of a space, and only for them.
pub(crate) fn combination_key(params: &Params) -> Vec<u64> {
    let mut key = Vec::with_capacity(params.len() + 1);
    for value in params {
        match value {
            None => key.push(0),
            // Zero has two signs but is one value.
            Some(Value::Float(x)) => key.extend([1, (x + 0.0).to_bits()]),
            Some(Value::Int(x)) => key.extend([2, *x as u64]),
            Some(Value::Text(text)) => {
                key.extend([3, text.len() as u64]);
                key.extend(text.bytes().map(u64::from));
            }
        }
    }
    key
}

#[cfg(test)]
mod tests {
    use super::super::{Domain, Parameter};
    use super::*;

    fn int(name: &str, low: i64, high: i64) -> Parameter {
        Parameter { name: name.to_string(), domain: Domain::Int { low, high, step: 1, log: false }, condition: None }
    }

    fn continuous(name: &str) -> Parameter {
        let domain = Domain::Float { low: 0.0, high: 1.0, step: None, log: false };
        Parameter { name: name.to_string(), domain, condition: None }
    }

    fn pairs(sequence: &mut impl Sequence, n: usize) -> Vec<(i64, i64)> {
        let int = |value: &Option<Value>| match value {
            Some(Value::Int(x)) => *x,
            other => panic!("{other:?}"),
        };
        (0..n).map_while(|k| sequence.trial(k)).map(|params| (int(&params[0]), int(&params[1]))).collect()
    }

    #[test]
    fn the_grid_leaves_out_what_a_rule_forbids() {
        let space = Space::new(vec![int("fast", 1, 3), int("slow", 1, 3)]).unwrap();
        let mut grid = Grid::new(&space.with_rules(&["fast < slow"]).unwrap()).unwrap();
        assert_eq!(pairs(&mut grid, 9), [(1, 2), (1, 3), (2, 3)]);
        let again = |k| grid.clone().trial(k);
        assert_eq!((again(1).is_some(), again(2).is_some(), again(3)), (true, true, None), "in any order");
    }

    #[test]
    fn a_continuous_axis_has_no_grid() {
        let space = Space::new(vec![int("a", 1, 2), continuous("x")]).unwrap();
        let refused = Grid::new(&space).unwrap_err().to_string();
        assert!(refused.contains("'x'") && refused.contains("step"), "{refused}");
    }

    #[test]
    fn random_search_of_a_finite_space_tries_everything_once() {
        let space = Space::new(vec![int("fast", 1, 40), int("slow", 1, 40)]).unwrap();
        let space = space.with_rules(&["fast < slow"]).unwrap();
        let mut found = pairs(&mut RandomSearch::new(&space, 3), 2000);
        assert_eq!(found.len(), 780);
        found.sort_unstable();
        found.dedup();
        assert_eq!(found.len(), 780);
        assert!(found.iter().all(|(fast, slow)| fast < slow));
    }

    #[test]
    fn trial_k_does_not_depend_on_what_was_asked_before() {
        let space = Space::new(vec![int("a", 1, 9), continuous("x")]).unwrap();
        let mut whole = RandomSearch::new(&space, 5);
        let mut part = RandomSearch::new(&space, 5);
        assert_eq!(part.trial(17), whole.trial(17));
        assert_eq!(part.trial(3), whole.trial(3));
        assert_ne!(RandomSearch::new(&space, 6).trial(3), whole.trial(3));
    }

    #[test]
    fn a_rule_that_nothing_meets_ends_the_search() {
        let space = Space::new(vec![continuous("x")]).unwrap().with_rules(&["x > 2"]).unwrap();
        assert_eq!(RandomSearch::new(&space, 1).trial(0), None);
    }

    #[test]
    fn random_search_fills_the_axes_evenly() {
        let space = Space::new(vec![continuous("x"), int("a", 0, 7)]).unwrap();
        let mut search = RandomSearch::new(&space, 8);
        let mut seen = [[0; 8]; 2];
        for k in 0..64 {
            let params = search.trial(k).unwrap();
            if let [Some(Value::Float(x)), Some(Value::Int(a))] = params[..] {
                seen[0][(x * 8.0) as usize] += 1;
                seen[1][a as usize] += 1;
            }
        }
        assert_eq!(seen, [[8; 8]; 2]);
    }
}
