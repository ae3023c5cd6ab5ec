//! The method as a whole: what it proposes, and that nothing but the history matters.

use super::*;
use crate::optimize::{Condition, Domain, Goal, Outcome, Parameter, Trial, Value};

fn float(name: &str) -> Parameter {
    let domain = Domain::Float { low: -1.0, high: 1.0, step: None, log: false };
    Parameter { name: name.to_string(), domain, condition: None }
}

fn int(name: &str, high: i64) -> Parameter {
    Parameter { name: name.to_string(), domain: Domain::Int { low: 1, high, step: 1, log: false }, condition: None }
}

fn words(name: &str, choices: &[&str]) -> Parameter {
    let choices = choices.iter().map(|choice| choice.to_string()).collect();
    Parameter { name: name.to_string(), domain: Domain::Categorical { choices }, condition: None }
}

fn settings(noisy: bool) -> SearchSettings {
    SearchSettings { seed: 11, budget: 100, batch: 1, noisy }
}

fn least(objectives: usize, constraints: usize) -> Goal {
    Goal { objectives: (0..objectives).map(|j| (format!("y{j}"), false)).collect(), constraints }
}

fn number(value: &Option<Value>) -> f64 {
    match value {
        Some(Value::Float(x)) => *x,
        Some(Value::Int(x)) => *x as f64,
        _ => 0.0,
    }
}

fn complete(value: f64) -> Outcome {
    Outcome::Complete { values: vec![value], constraints: Vec::new() }
}

/// Searches until there are `trials`, or nothing is left, in rounds of `batch`.
fn run(
    space: Space,
    goal: Goal,
    settings: &SearchSettings,
    trials: usize,
    batch: usize,
    evaluate: impl Fn(&Params) -> Outcome,
) -> History {
    let mut method = Bayesian::new(&space, settings);
    let mut history = History::new(space, goal);
    while history.trials.len() < trials {
        let proposed = method.propose(&history, batch);
        if proposed.is_empty() {
            break;
        }
        history.trials.extend(proposed.into_iter().map(|params| Trial { outcome: Some(evaluate(&params)), params }));
    }
    history
}

/// A period that counts only with a filter, and a rule.
fn mixed() -> Space {
    let condition = Some(Condition { parent: 0, values: vec![Value::Text("ema".to_string())] });
    let parameters =
        vec![words("filter", &["none", "ema"]), Parameter { condition, ..int("period", 9) }, float("x"), int("n", 40)];
    Space::new(parameters).unwrap().with_rules(&["n > 3", "period != 5"]).unwrap()
}

fn mixed_loss(params: &Params) -> Outcome {
    let without = if params[1].is_none() { 0.7 } else { 0.0 };
    let (x, period, n) = (number(&params[2]), number(&params[1]), number(&params[3]));
    complete(without + (x - 0.2).powi(2) + 0.01 * (period - 6.0).powi(2) + 0.001 * (n - 30.0).powi(2))
}

#[test]
fn what_is_proposed_is_in_the_space_and_allowed() {
    let history = run(mixed(), least(1, 0), &settings(false), 14, 1, mixed_loss);
    assert_eq!(history.trials.len(), 14);
    for trial in &history.trials {
        assert!(history.space.contains(&trial.params) && history.space.allows(&trial.params), "{:?}", trial.params);
    }
}

#[test]
fn the_same_history_gives_the_same_proposals_from_a_fresh_object_and_whatever_was_asked_before() {
    let history = run(mixed(), least(1, 0), &settings(false), 13, 1, mixed_loss);
    let mut used = Bayesian::new(&history.space, &settings(false));
    let shorter = History { trials: history.trials[..11].to_vec(), ..history.clone() };
    used.propose(&shorter, 2);
    used.recommend(&shorter);
    let fresh = Bayesian::new(&history.space, &settings(false)).propose(&history, 3);
    assert_eq!(fresh, used.propose(&history, 3));
    // One by one, each still waiting for its result, is the same as together.
    let mut waiting = history.clone();
    for params in &fresh {
        assert_eq!(&used.propose(&waiting, 1)[0], params);
        waiting.trials.push(Trial { params: params.clone(), outcome: None });
    }
    // The search itself proposed what a fresh object does.
    let twelve = History { trials: history.trials[..12].to_vec(), ..history.clone() };
    assert_eq!(Bayesian::new(&history.space, &settings(false)).propose(&twelve, 1)[0], history.trials[12].params);
    let none = History { trials: Vec::new(), ..history.clone() };
    let other = SearchSettings { seed: 12, ..settings(false) };
    assert_ne!(
        Bayesian::new(&history.space, &other).propose(&none, 3),
        history.trials[..3].iter().map(|t| t.params.clone()).collect::<Vec<_>>()
    );
}

#[test]
fn a_valley_is_found_in_few_trials() {
    let space = Space::new(vec![float("x"), float("y")]).unwrap();
    let bowl = |params: &Params| {
        let (x, y) = (number(&params[0]), number(&params[1]));
        complete((x - 0.3).powi(2) + 3.0 * (y + 0.4 * x).powi(2))
    };
    let history = run(space, least(1, 0), &settings(false), 18, 1, bowl);
    let best = history.merit(history.best().unwrap()).unwrap().losses[0];
    // 18 even points leave about 0.05.
    assert!(best < 2e-3, "{best}");
}

#[test]
fn a_discrete_space_is_exhausted_without_repetition() {
    let space = Space::new(vec![int("a", 4), words("b", &["x", "y", "z"])]).unwrap();
    let loss = |params: &Params| complete(number(&params[0]));
    let history = run(space, least(1, 0), &settings(false), 50, 5, loss);
    assert_eq!(history.trials.len(), 12, "every combination");
    for (k, trial) in history.trials.iter().enumerate() {
        assert!(history.trials[..k].iter().all(|other| other.params != trial.params), "trial {k}");
    }
}

#[test]
fn the_best_at_the_bound_of_a_constraint_is_found() {
    let space = Space::new(vec![float("x"), float("y")]).unwrap();
    // The least is 0 at the edge of what is allowed.
    let evaluate = |params: &Params| {
        let (x, y) = (number(&params[0]), number(&params[1]));
        Outcome::Complete { values: vec![x + y * y], constraints: vec![0.2 - x] }
    };
    let history = run(space, least(1, 1), &settings(false), 20, 1, evaluate);
    let best = history.merit(history.best().unwrap()).unwrap();
    assert!(best.is_feasible() && best.losses[0] < 0.23, "{best:?}");
    // They gather at the bound, on both sides of it.
    let near = history.trials[12..].iter().filter(|t| (0.1..0.4).contains(&number(&t.params[0]))).count();
    assert!(near >= 5, "{near} of 8");
}

#[test]
fn several_objectives_are_traded_off() {
    let space = Space::new(vec![float("x"), float("y")]).unwrap();
    let evaluate = |params: &Params| {
        let (x, y) = (number(&params[0]), number(&params[1]));
        Outcome::Complete { values: vec![(x - 0.5).powi(2) + y * y, (x + 0.5).powi(2) + y * y], constraints: vec![] }
    };
    let history = run(space, least(2, 0), &settings(false), 22, 1, evaluate);
    // The front is the line between the two minima.
    let near = history.trials[10..].iter().filter(|t| number(&t.params[1]).abs() < 0.1);
    let on: Vec<f64> = near.map(|t| number(&t.params[0])).filter(|x| x.abs() < 0.6).collect();
    assert!(on.len() >= 5, "{on:?}");
    assert!(on.iter().any(|x| *x > 0.1) && on.iter().any(|x| *x < -0.1), "{on:?}");
}

#[test]
fn trials_without_a_value_neither_stop_the_search_nor_attract_it() {
    let space = Space::new(vec![float("x"), float("y")]).unwrap();
    let evaluate = |params: &Params| match number(&params[0]) {
        x if x > 0.5 => Outcome::Failed,
        x if x > 0.3 => complete(f64::NAN),
        x if x < -0.8 => Outcome::Pruned,
        x if x < -0.7 => complete(f64::INFINITY),
        x => complete((x + 0.2).powi(2) + number(&params[1]).powi(2)),
    };
    let history = run(space.clone(), least(1, 0), &settings(false), 20, 1, evaluate);
    let valued = (12..20).filter(|&k| history.merit(k).unwrap().losses[0].is_finite()).count();
    assert!(valued >= 5, "{valued} of 8");
    // Nothing but failures: the space is still covered.
    let history = run(space, least(1, 0), &settings(false), 12, 1, |_| Outcome::Failed);
    assert_eq!(history.trials.len(), 12);
    assert_eq!(Bayesian::new(&history.space, &settings(false)).recommend(&history), None);
}

#[test]
fn under_noise_the_recommendation_is_not_the_luckiest_trial() {
    let space = Space::new(vec![float("x")]).unwrap();
    let mut history = History::new(space, least(1, 0));
    // A valley at 0 and one lucky result far up its side.
    for k in 0..21 {
        let x = f64::from(k) / 10.0 - 1.0;
        let noise = if k % 2 == 0 { 0.1 } else { -0.1 };
        let value = if k == 19 { -0.15 } else { x * x + noise };
        history.trials.push(Trial { params: vec![Some(Value::Float(x))], outcome: Some(complete(value)) });
    }
    assert_eq!(history.best(), Some(19));
    let chosen = Bayesian::new(&history.space, &settings(true)).recommend(&history).unwrap();
    assert!((7..=13).contains(&chosen), "trial {chosen}");
    assert_eq!(Bayesian::new(&history.space, &settings(false)).recommend(&history), Some(19));
}

#[test]
fn many_axes_are_searched_around_the_best_point() {
    let space = Space::new((0..22).map(|k| float(&format!("x{k}"))).collect()).unwrap();
    let loss = |params: &Params| complete(params.iter().map(|x| number(x).powi(2)).sum());
    let history = run(space, least(1, 0), &settings(false), 27, 1, loss);
    let losses: Vec<f64> = (0..27).map(|k| history.merit(k).unwrap().losses[0]).collect();
    let best = |losses: &[f64]| losses.iter().copied().fold(f64::INFINITY, f64::min);
    assert!(best(&losses[24..]) < best(&losses[..24]), "{losses:?}");
}
