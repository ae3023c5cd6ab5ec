//! A genetic algorithm for any space, with one objective or several (NSGA-II).
//!
//! It is steady-state: every told trial competes for a place among the members, and every proposal is a child of
//! the members there are, so a round may be of any size and trials may be outstanding. Half of the children come of
//! two parents chosen by tournament (simulated binary crossover on numeric axes, uniform crossover on
//! categorical ones), half are drawn from the normal distribution that the better members span, which follows
//! valleys in any direction; all are mutated. A combination is never proposed twice. When nothing improves for long
//! the search begins anew with random points.

mod breeding;
mod population;
mod variation;

use super::draws::{Draws, Purpose};
use super::recommend::best_neighbourhood;
use super::sequence::{RandomSearch, Sequence, combination_key};
use super::{Goal, History, Method, Params, SearchSettings, Space};
use population::Population;
use std::collections::HashSet;

/// The method `genetic`.
pub struct Genetic {
    space: Space,
    seed: u64,
    noisy: bool,
    random: RandomSearch,
    /// What follows from the trials before the first one that is not told yet: no later telling changes it.
    settled: Population,
    /// Combinations of the first `noted` trials.
    tried: HashSet<Vec<u64>>,
    noted: usize,
    /// All random points before this one were tried.
    next_random: usize,
}

impl Genetic {
    /// Attempts at a child that is allowed and new, mutated more each time, before a random point takes its place.
    const ATTEMPTS: u64 = 32;

    /// The method for a search.
    pub fn new(space: &Space, goal: &Goal, settings: &SearchSettings) -> Genetic {
        Genetic {
            space: space.clone(),
            seed: settings.seed,
            noisy: settings.noisy,
            random: RandomSearch::new(space, settings.seed),
            settled: Population::new(space, goal, settings),
            tried: HashSet::new(),
            noted: 0,
            next_random: 0,
        }
    }

    /// The first point of the random sequence that was not tried; `None` when all were.
    fn random_point(&mut self, proposed: &HashSet<Vec<u64>>) -> Option<Params> {
        let mut number = self.next_random;
        loop {
            let params = self.random.trial(number)?;
            let key = combination_key(&params);
            if self.tried.contains(&key) {
                if number == self.next_random {
                    self.next_random += 1;
                }
            } else if !proposed.contains(&key) {
                return Some(params);
            }
            number += 1;
        }
    }

    /// A child that is allowed and new, for trial `id`.
    fn child(&self, population: &Population, id: usize, proposed: &HashSet<Vec<u64>>) -> Option<Params> {
        (0..Self::ATTEMPTS).find_map(|attempt| {
            let mut draws = Draws::new(self.seed, Purpose::Variation, id as u64 * Self::ATTEMPTS + attempt);
            let least_mutation = attempt as f64 / Self::ATTEMPTS as f64;
            let params = self.space.decode(&population.child(least_mutation, &mut draws));
            let key = combination_key(&params);
            let new = !self.tried.contains(&key) && !proposed.contains(&key);
            (new && self.space.allows(&params)).then_some(params)
        })
    }
}

impl Method for Genetic {
    fn propose(&mut self, history: &History, n: usize) -> Vec<Params> {
        for trial in &history.trials[self.noted..] {
            self.tried.insert(combination_key(&trial.params));
        }
        self.noted = history.trials.len();
        self.settled.follow_until_open(history);
        let mut population = self.settled.clone();
        population.follow(history);

        let mut proposals = Vec::with_capacity(n);
        let mut proposed = HashSet::new();
        for id in history.trials.len()..history.trials.len() + n {
            let child = if population.starts(id) { None } else { self.child(&population, id, &proposed) };
            let Some(params) = child.or_else(|| self.random_point(&proposed)) else { break };
            proposed.insert(combination_key(&params));
            proposals.push(params);
        }
        proposals
    }

    fn recommend(&mut self, history: &History) -> Option<usize> {
        if self.noisy { best_neighbourhood(history) } else { history.best() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Outcome, Trial, Value};
    use super::*;

    fn goal(objectives: usize) -> Goal {
        Goal { objectives: (0..objectives).map(|k| (format!("y{k}"), false)).collect(), constraints: 0 }
    }

    /// A search in rounds of `batch`: the history at its end.
    fn search(space: &Space, goal: Goal, settings: &SearchSettings, f: impl Fn(&Params) -> Outcome) -> History {
        let mut method = Genetic::new(space, &goal, settings);
        let mut history = History::new(space.clone(), goal);
        while history.trials.len() < settings.budget {
            let proposals = method.propose(&history, settings.batch);
            if proposals.is_empty() {
                break;
            }
            for params in proposals {
                let outcome = Some(f(&params));
                history.trials.push(Trial { params, outcome });
            }
        }
        history
    }

    fn settings(seed: u64, budget: usize, batch: usize) -> SearchSettings {
        SearchSettings { seed, budget, batch, noisy: false }
    }

    fn floats(params: &Params) -> Vec<f64> {
        let float = |value: &Option<Value>| match value {
            Some(Value::Float(x)) => *x,
            other => panic!("{other:?}"),
        };
        params.iter().map(float).collect()
    }

    fn value(values: &[f64]) -> Outcome {
        Outcome::Complete { values: values.to_vec(), constraints: vec![] }
    }

    fn rosenbrock(x: &[f64]) -> f64 {
        x.windows(2).map(|w| 100.0 * (w[1] - w[0] * w[0]).powi(2) + (1.0 - w[0]).powi(2)).sum()
    }

    fn least(history: &History) -> f64 {
        history.merit(history.best().unwrap()).unwrap().losses[0]
    }

    fn median(mut values: Vec<f64>) -> f64 {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    }

    /// The bound is the median of 20 seeds of the GA of pymoo 0.6.2 (10 individuals, its best size here) at the
    /// same 120 trials.
    #[test]
    fn the_valley_of_rosenbrock_is_followed() {
        let space = Space::from_flags(&["a=-2.0..2.0", "b=-2.0..2.0", "c=-2.0..2.0", "d=-2.0..2.0"]).unwrap();
        let found = |seed| {
            least(&search(&space, goal(1), &settings(seed, 120, 1), |params| value(&[rosenbrock(&floats(params))])))
        };
        let median = median((0..9).map(found).collect());
        assert!(median < 4.8, "{median}");
    }

    #[test]
    fn a_failed_trial_is_the_worst_and_the_search_goes_on() {
        let space = Space::from_flags(&["a=-1.0..1.0", "b=-1.0..1.0", "kind=x|y|z"]).unwrap();
        let history = search(&space, goal(1), &settings(3, 120, 4), |params| {
            let [Some(Value::Float(a)), Some(Value::Float(b)), Some(Value::Text(kind))] = &params[..] else { panic!() };
            match kind.as_str() {
                "x" => Outcome::Failed,
                "y" if *a < 0.0 => value(&[f64::NAN]),
                "y" => Outcome::Pruned,
                _ => value(&[a * a + b * b]),
            }
        });
        assert_eq!(history.trials.len(), 120);
        assert!(least(&history) < 0.01, "{}", least(&history));
    }

    #[test]
    fn nothing_is_proposed_twice_and_a_finite_space_is_exhausted() {
        let space = Space::from_flags(&["a=1..12:1", "b=1..12:1"]).unwrap().with_rules(&["a < b"]).unwrap();
        let history = search(&space, goal(1), &settings(1, 500, 5), |params| {
            let [Some(Value::Int(a)), Some(Value::Int(b))] = params[..] else { panic!() };
            assert!(a < b);
            value(&[(a * b) as f64])
        });
        assert_eq!(history.trials.len(), 66);
        let keys: HashSet<_> = history.trials.iter().map(|trial| combination_key(&trial.params)).collect();
        assert_eq!(keys.len(), 66);
    }

    #[test]
    fn proposals_are_a_function_of_the_history_alone() {
        let space = Space::from_flags(&["a=-1.0..1.0", "n=int:1..50", "kind=x|y"]).unwrap();
        let settings = settings(9, 80, 3);
        let mut whole = search(&space, goal(1), &settings, |params| value(&[format!("{params:?}").len() as f64]));
        whole.trials.truncate(60);
        whole.trials[40].outcome = None;
        let afresh = |history: &History| Genetic::new(&space, &goal(1), &settings).propose(history, 5);
        let expected = afresh(&whole);
        // One that saw the history grow, and was asked in between for trials that never came about.
        let mut method = Genetic::new(&space, &goal(1), &settings);
        for length in [0, 7, 30, 60] {
            let mut part = whole.clone();
            part.trials.truncate(length);
            method.propose(&part, 9);
        }
        assert_eq!(method.propose(&whole, 5), expected);
        assert_eq!(expected[..2], afresh(&whole)[..2]);
    }

    #[test]
    fn several_objectives_give_a_wide_front() {
        // Fonseca and Fleming: the front is where a = b between -1/sqrt 2 and 1/sqrt 2.
        let space = Space::from_flags(&["a=-4.0..4.0", "b=-4.0..4.0"]).unwrap();
        let history = search(&space, goal(2), &settings(2, 300, 10), |params| {
            let x = floats(params);
            let loss = |sign: f64| 1.0 - (-x.iter().map(|v| (v - sign * 0.5_f64.sqrt()).powi(2)).sum::<f64>()).exp();
            value(&[loss(1.0), loss(-1.0)])
        });
        // The whole front covers 0.3421 below (1, 1): the integral of 1 - y1 over y0 along it.
        let volume = history.hypervolume(&[1.0, 1.0]);
        assert!((0.32..0.3422).contains(&volume), "{volume}");
        assert!(history.pareto().len() >= 15, "{}", history.pareto().len());
    }
}
