//! What all trials say together: classes of values, medians and bests.

use crate::optimize::{Domain, Value};

/// Most classes of one axis.
const MOST_CLASSES: u64 = 40;

/// Classes of an axis that is not made of a few values.
const BINS: u64 = 12;

/// The classes that an axis is drawn in: its values where they are few, else equal parts.
pub struct Classes {
    pub labels: Vec<String>,
    discrete: bool,
}

impl Classes {
    pub fn new(domain: &Domain) -> Classes {
        match domain.levels().filter(|levels| *levels <= MOST_CLASSES) {
            Some(levels) => {
                let labels = (0..levels).map(|level| domain.value_at(level).to_string()).collect();
                Classes { labels, discrete: true }
            }
            None => {
                let middle = |k: u64| domain.decode((k as f64 + 0.5) / BINS as f64);
                let label = |value: Value| match value {
                    Value::Float(v) => short(v),
                    other => other.to_string(),
                };
                Classes { labels: (0..BINS).map(|k| label(middle(k))).collect(), discrete: false }
            }
        }
    }

    /// The class of a value; `None` for one that does not count.
    pub fn of(&self, domain: &Domain, value: Option<&Value>) -> Option<usize> {
        let value = value?;
        if self.discrete {
            return domain.level_of(value).map(|level| level as usize);
        }
        let unit = domain.encode(value)?;
        Some(((unit * BINS as f64) as usize).min(BINS as usize - 1))
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
        let classes = Classes::new(&few);
        assert_eq!(classes.labels, ["5", "10", "15"]);
        assert_eq!(classes.of(&few, Some(&Value::Int(10))), Some(1));
        assert_eq!(classes.of(&few, None), None);
        let many = Domain::Float { low: 0.0, high: 12.0, step: None, log: false };
        let classes = Classes::new(&many);
        assert_eq!((classes.labels.len(), classes.labels[0].as_str()), (12, "0.500"));
        assert_eq!(classes.of(&many, Some(&Value::Float(12.0))), Some(11), "the upper end is in the last part");
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
