//! What all trials say together: classes of values, medians and bests.

use crate::optimize::{Domain, Value};

/// Most values of an axis that are classes of their own.
const MOST_CLASSES: u64 = 40;

/// Most classes of an axis whose values are put together.
const MOST_BINS: u64 = 12;

/// Fewest of these.
const FEWEST_BINS: u64 = 5;

/// Trials of a value from which on it is a class of its own though the axis has many.
const TRIALS_A_VALUE: u64 = 10;

/// Values of an axis that are gone through for the ends of its classes.
const MOST_LEVELS: u64 = 10_000;

/// The classes that an axis is drawn in: its values where they are few, else equal parts.
pub struct Classes {
    pub labels: Vec<String>,
    /// Number of equal parts; `None` when each value is a class.
    bins: Option<u64>,
}

impl Classes {
    /// The classes of an axis in a sweep of so many trials. `grid`: every value was tried as often as the others.
    pub fn new(domain: &Domain, trials: usize, grid: bool) -> Classes {
        let trials = trials as u64;
        let dense = |levels: u64| grid || trials >= TRIALS_A_VALUE * levels;
        if let Some(levels) = domain.levels().filter(|&n| n <= MOST_BINS || (n <= MOST_CLASSES && dense(n))) {
            return Classes { labels: (0..levels).map(|level| text(&domain.value_at(level))).collect(), bins: None };
        }
        // About three trials in a cell of two such axes.
        let bins = ((trials as f64 / 3.0).sqrt() as u64).clamp(FEWEST_BINS, MOST_BINS);
        Classes { labels: ranges(domain, bins), bins: Some(bins) }
    }

    /// The class of a value; `None` for one that does not count.
    pub fn of(&self, domain: &Domain, value: Option<&Value>) -> Option<usize> {
        let value = value?;
        match self.bins {
            None => domain.level_of(value).map(|level| level as usize),
            Some(bins) => domain.encode(value).map(|unit| part(unit, bins)),
        }
    }
}

fn part(unit: f64, bins: u64) -> usize {
    ((unit * bins as f64) as usize).min(bins as usize - 1)
}

/// First and last value of each part.
fn ranges(domain: &Domain, bins: u64) -> Vec<String> {
    let at = |k: u64| domain.decode(k as f64 / bins as f64);
    let mut ends: Vec<(Value, Value)> = (0..bins).map(|k| (at(k), at(k + 1))).collect();
    if let Some(levels) = domain.levels().filter(|&levels| levels <= MOST_LEVELS) {
        let mut seen = vec![false; ends.len()];
        for value in (0..levels).map(|level| domain.value_at(level)) {
            let Some(k) = domain.encode(&value).map(|unit| part(unit, bins)) else { continue };
            if !seen[k] {
                (ends[k].0, seen[k]) = (value.clone(), true);
            }
            ends[k].1 = value;
        }
    }
    let label = |(low, high): (Value, Value)| match (text(&low), text(&high)) {
        (low, high) if low == high => low,
        (low, high) => format!("{low} to {high}"),
    };
    ends.into_iter().map(label).collect()
}

/// A value as people read it.
pub fn text(value: &Value) -> String {
    match value {
        Value::Float(v) => {
            let exact = v.to_string();
            if exact.len() <= 8 { exact } else { short(*v) }
        }
        other => other.to_string(),
    }
}

/// Three significant digits.
fn short(value: f64) -> String {
    let magnitude = if value == 0.0 { 0 } else { libm::floor(libm::log10(value.abs())) as i32 };
    if (-4..6).contains(&magnitude) {
        format!("{value:.*}", usize::try_from(2 - magnitude).unwrap_or(0))
    } else {
        format!("{value:.2e}")
    }
}

/// The median; `None` of nothing.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    let upper = *values.get(n / 2)?;
    Some(if n % 2 == 1 { upper } else { (values[n / 2 - 1] + upper) / 2.0 })
}

/// The best of some values, more or less being better.
pub fn best(values: &[f64], more: bool) -> Option<f64> {
    let better = |a: f64, b: f64| if (a > b) == more && a != b { a } else { b };
    values.iter().copied().reduce(better)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_values_are_classes_of_their_own_and_many_are_cut_in_equal_parts() {
        let few = Domain::Int { low: 5, high: 15, step: 5, log: false };
        let classes = Classes::new(&few, 3, false);
        assert_eq!(classes.labels, ["5", "10", "15"]);
        assert_eq!(classes.of(&few, Some(&Value::Int(10))), Some(1));
        assert_eq!(classes.of(&few, None), None);
        let many = Domain::Float { low: 0.0, high: 12.0, step: None, log: false };
        let classes = Classes::new(&many, 1_000, false);
        assert_eq!((classes.labels.len(), classes.labels[1].as_str()), (12, "1 to 2"));
        assert_eq!(classes.of(&many, Some(&Value::Float(12.0))), Some(11), "the upper end is in the last part");
    }

    #[test]
    fn values_that_few_trials_have_are_put_together_unless_they_form_a_grid() {
        let domain = Domain::Int { low: 1, high: 30, step: 1, log: false };
        let random = Classes::new(&domain, 100, false);
        assert_eq!(random.labels, ["1 to 6", "7 to 12", "13 to 18", "19 to 24", "25 to 30"]);
        assert_eq!(random.of(&domain, Some(&Value::Int(6))), Some(0));
        assert_eq!(random.of(&domain, Some(&Value::Int(7))), Some(1));
        assert_eq!(Classes::new(&domain, 100, true).labels.len(), 30);
        assert_eq!(Classes::new(&domain, 300, false).labels.len(), 30, "ten trials a value");
    }

    #[test]
    fn medians_and_bests() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(vec![]), None);
        assert_eq!(best(&[1.0, 3.0, 2.0], true), Some(3.0));
        assert_eq!(best(&[1.0, 3.0, 2.0], false), Some(1.0));
    }
}
