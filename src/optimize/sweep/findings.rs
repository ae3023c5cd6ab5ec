//! What the trials of a sweep say beside which one is best: which parameters matter, whether the best stands
//! alone, whether it lies at the edge of what was looked at.

use crate::optimize::{Domain, History, Outcome, Params, Space, Value};
use crate::stats::sum;

/// Most values, or classes of values, of an axis that are told apart.
const CLASSES: u64 = 10;

/// Share of the variance of the first objective that the mean by value of one parameter alone explains, for each
/// parameter: the first-order sensitivity index `Var(E[y | x]) / Var(y)` of I. M. Sobol (1993), the main effect of a
/// functional analysis of variance. An axis with more than ten values is cut into ten equal parts. The share that
/// as many random classes would explain is taken off (epsilon squared, T. L. Kelley 1935), so that a parameter
/// without effect has about 0. `None` with too few trials or without variance.
///
/// Trials of a method that looks closer where it found more are no even sample: for them the share tells about
/// where the method looked.
pub fn importance(history: &History) -> Vec<(String, Option<f64>)> {
    let parameters = history.space.parameters();
    let known: Vec<(&Params, f64)> = history
        .trials
        .iter()
        .filter_map(|trial| Some((&trial.params, first_value(trial.outcome.as_ref()?)?)))
        .collect();
    let values: Vec<f64> = known.iter().map(|(_, y)| *y).collect();
    let of = |k: usize| {
        let classes: Vec<usize> = known.iter().map(|(params, _)| class(&parameters[k].domain, &params[k])).collect();
        variance_share(&classes, &values)
    };
    parameters.iter().enumerate().map(|(k, parameter)| (parameter.name.clone(), of(k))).collect()
}

/// The first objective of a trial that has one.
fn first_value(outcome: &Outcome) -> Option<f64> {
    match outcome {
        Outcome::Complete { values, .. } => values.first().copied().filter(|v| v.is_finite()),
        _ => None,
    }
}

/// Class 0: the parameter does not count.
fn class(domain: &Domain, value: &Option<Value>) -> usize {
    let Some(value) = value else { return 0 };
    match domain.levels().filter(|levels| *levels <= CLASSES) {
        Some(_) => domain.level_of(value).map_or(0, |level| level as usize + 1),
        None => {
            let unit = domain.encode(value).unwrap_or(0.5);
            ((unit * CLASSES as f64) as u64).min(CLASSES - 1) as usize + 1
        }
    }
}

fn variance_share(classes: &[usize], values: &[f64]) -> Option<f64> {
    let n = values.len() as f64;
    let mean = sum(values.iter().copied()) / n;
    let total = sum(values.iter().map(|y| (y - mean) * (y - mean)));
    let mut groups: Vec<Vec<f64>> = vec![Vec::new(); CLASSES as usize + 1];
    for (&class, &value) in classes.iter().zip(values) {
        groups[class].push(value);
    }
    groups.retain(|group| !group.is_empty());
    let k = groups.len() as f64;
    if n <= k || total <= 0.0 || !total.is_finite() {
        return None;
    }
    let within = sum(groups.iter().map(|group| {
        let mean = sum(group.iter().copied()) / group.len() as f64;
        sum(group.iter().map(|y| (y - mean) * (y - mean)))
    }));
    Some(((total - within - (k - 1.0) * within / (n - k)) / total).clamp(0.0, 1.0))
}

/// The nearest finished trials around one, along each axis: of the trials that differ from it most along that
/// axis, the nearest one upwards and the nearest one downwards (of words: the nearest one for each other word).
/// On a grid these are the trials one step away. Distances are those of the unit cube.
pub fn neighbours(history: &History, trial: usize) -> Vec<usize> {
    let space = &history.space;
    let Some(center) = history.trials.get(trial).map(|trial| &trial.params) else { return Vec::new() };
    let steps = steps(space);
    let at = space.encode(center);
    // By axis: the nearest in each direction, with its distance.
    let mut nearest: Vec<Vec<Option<(f64, usize)>>> =
        space.parameters().iter().map(|p| directions(&p.domain)).collect();
    for (k, other) in history.trials.iter().enumerate() {
        if k == trial || other.outcome.as_ref().is_none_or(|outcome| first_value(outcome).is_none()) {
            continue;
        }
        let place = space.encode(&other.params);
        // In steps of each axis, so that one step is one step whatever the number of values.
        let mut distance = 0.0;
        let (mut axis, mut most) = (0, 0.0);
        for (j, parameter) in space.parameters().iter().enumerate() {
            let apart = match (&parameter.domain, center[j] == other.params[j]) {
                (_, true) => 0.0,
                (Domain::Categorical { .. }, false) => 1.0,
                (_, false) => (place[j] - at[j]).abs() / steps[j],
            };
            distance += apart * apart;
            if apart > most {
                (axis, most) = (j, apart);
            }
        }
        if most == 0.0 {
            continue;
        }
        let domain = &space.parameters()[axis].domain;
        let direction = match (domain, &other.params[axis]) {
            (Domain::Categorical { .. }, Some(value)) => domain.level_of(value).unwrap_or(0) as usize,
            _ => usize::from(place[axis] > at[axis]),
        };
        if let Some(slot) = nearest[axis].get_mut(direction)
            && slot.is_none_or(|(least, _)| distance < least)
        {
            *slot = Some((distance, k));
        }
    }
    let mut found: Vec<usize> = nearest.into_iter().flatten().flatten().map(|(_, k)| k).collect();
    found.sort_unstable();
    found
}

/// Length of one step of each axis in the unit cube; a tenth for a continuous one.
fn steps(space: &Space) -> Vec<f64> {
    let step = |domain: &Domain| domain.levels().map_or(0.1, |levels| 1.0 / levels.max(1) as f64);
    space.parameters().iter().map(|p| step(&p.domain)).collect()
}

fn directions(domain: &Domain) -> Vec<Option<(f64, usize)>> {
    match domain {
        Domain::Categorical { choices } => vec![None; choices.len()],
        _ => vec![None; 2],
    }
}

/// Share of a continuous axis that counts as its end: a search seldom meets the very last value.
const EDGE: f64 = 0.01;

/// Parameters whose value lies at an end of its domain (of a continuous one: within a hundredth of its length, of a
/// logarithmic one that of the logarithm), and which end. Not of words, nor of a domain with fewer than three
/// values, which has nothing else.
pub fn at_bounds(space: &Space, params: &Params) -> Vec<(String, Value, &'static str)> {
    let mut found = Vec::new();
    for (parameter, value) in space.parameters().iter().zip(params) {
        let Some(value) = value else { continue };
        let domain = &parameter.domain;
        let (low, high) = match (domain, domain.levels()) {
            (Domain::Categorical { .. }, _) => continue,
            (_, Some(levels)) if levels < 3 => continue,
            (_, Some(levels)) => (*value == domain.value_at(0), *value == domain.value_at(levels - 1)),
            (_, None) => match domain.encode(value) {
                Some(unit) => (unit <= EDGE, unit >= 1.0 - EDGE),
                None => continue,
            },
        };
        if low {
            found.push((parameter.name.clone(), value.clone(), "low"));
        } else if high {
            found.push((parameter.name.clone(), value.clone(), "high"));
        }
    }
    found
}

/// Feasible trials that no other one beats in one objective without losing in another, in order of id. Of equal
/// trials all stay. Empty without a feasible trial.
pub fn pareto_front(history: &History) -> Vec<usize> {
    let mut front = history.pareto();
    front.retain(|&k| history.merit(k).is_some_and(|merit| merit.is_feasible()));
    front
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optimize::{Goal, Parameter, Trial};

    fn int(name: &str, low: i64, high: i64) -> Parameter {
        Parameter { name: name.into(), domain: Domain::Int { low, high, step: 1, log: false }, condition: None }
    }

    /// A full grid of two axes with a value for each point.
    fn grid(objectives: usize, value: impl Fn(i64, i64) -> Vec<f64>) -> History {
        let space = Space::new(vec![int("a", 0, 4), int("b", 0, 9)]).unwrap();
        let goal = Goal { objectives: vec![("y".to_string(), true); objectives], constraints: 0 };
        let mut history = History::new(space, goal);
        for a in 0..5 {
            for b in 0..10 {
                let outcome = Some(Outcome::Complete { values: value(a, b), constraints: vec![] });
                history.trials.push(Trial { params: vec![Some(Value::Int(a)), Some(Value::Int(b))], outcome });
            }
        }
        history
    }

    #[test]
    fn importance_is_the_share_of_variance() {
        // Var(a) = 2, Var(2 b) = 33: a explains 2/35 of y = a + 2 b, b the rest, in the limit of many trials.
        let shares = importance(&grid(1, |a, b| vec![(a + 2 * b) as f64]));
        let share = |k: usize| shares[k].1.unwrap();
        assert_eq!((shares[0].0.as_str(), shares[1].0.as_str()), ("a", "b"));
        assert!(share(0) < 0.06 && (share(1) - 33.0 / 35.0).abs() < 0.02, "{shares:?}");
        let shares = importance(&grid(1, |a, _| vec![a as f64]));
        assert_eq!((shares[0].1, shares[1].1), (Some(1.0), Some(0.0)));
        assert_eq!(importance(&grid(1, |_, _| vec![1.0]))[0].1, None, "nothing varies");
    }

    #[test]
    fn neighbours_on_a_grid_are_one_step_away() {
        let history = grid(1, |a, b| vec![(a * b) as f64]);
        // (2, 5) is trial 25.
        assert_eq!(neighbours(&history, 25), [15, 24, 26, 35]);
        assert_eq!(neighbours(&history, 0), [1, 10], "a corner has two");
    }

    #[test]
    fn bounds_are_ends_of_ranges_with_something_between() {
        let space = Space::new(vec![int("a", 0, 4), int("b", 0, 1)]).unwrap();
        let at = |a, b| at_bounds(&space, &vec![Some(Value::Int(a)), Some(Value::Int(b))]);
        assert_eq!(at(0, 0), [("a".to_string(), Value::Int(0), "low")]);
        assert_eq!(at(4, 1), [("a".to_string(), Value::Int(4), "high")]);
        assert!(at(2, 1).is_empty());
        let continuous = |low, high, log| {
            let domain = Domain::Float { low, high, step: None, log };
            Space::new(vec![Parameter { name: "x".into(), domain, condition: None }]).unwrap()
        };
        let end = |space: &Space, x| at_bounds(space, &vec![Some(Value::Float(x))]).first().map(|(_, _, end)| *end);
        let plain = continuous(0.0, 10.0, false);
        assert_eq!(
            [0.0, 0.09, 0.2, 9.8, 9.95].map(|x| end(&plain, x)),
            [Some("low"), Some("low"), None, None, Some("high")]
        );
        // A hundredth of four decades is a factor of 1.096.
        let log = continuous(1e-4, 1.0, true);
        assert_eq!([1.09e-4, 1.2e-4, 0.9, 0.92].map(|x| end(&log, x)), [Some("low"), None, None, Some("high")]);
    }

    #[test]
    fn the_front_has_what_nothing_beats() {
        let history = grid(2, |a, b| vec![a as f64, -(a * b) as f64]);
        // At b = 0 the second objective is 0 whatever a is: the greatest a beats all.
        assert_eq!(pareto_front(&history), [40]);
        let history = grid(2, |a, b| vec![a as f64, -(a + b) as f64]);
        assert_eq!(pareto_front(&history), [0, 10, 20, 30, 40]);
    }
}
