//! What one parameter may be, and its share of the unit interval.

use super::decimal::Decimal;
use super::{Domain, Value};

/// Most values of a discrete domain: beyond it the unit interval cannot tell neighbours apart for sure.
pub const MAX_LEVELS: u64 = 1 << 40;

/// A domain without a value to search. The name of the parameter is said by the caller.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DomainError {
    /// A bound is NaN or infinite, or the width overflows.
    #[error("from {low} to {high}; expected finite numbers")]
    NotFinite { low: f64, high: f64 },
    /// The lower bound is above the upper one.
    #[error("from {low} to {high}; expected the lower bound first")]
    Reversed { low: String, high: String },
    /// A step that is not positive.
    #[error("a step of {step}; expected a positive number")]
    Step { step: String },
    /// The logarithm of a bound that is not positive.
    #[error("logarithmic from {low}; expected a lower bound above 0")]
    Log { low: String },
    /// More values than can be told apart.
    #[error("more than {MAX_LEVELS} values; expected a greater step or a smaller range")]
    TooMany,
    /// A categorical without choices.
    #[error("no choices; expected at least one")]
    NoChoice,
    /// A choice twice.
    #[error("the choice '{choice}' twice; expected different ones")]
    RepeatedChoice { choice: String },
}

impl Domain {
    /// A domain of one value.
    pub fn fixed(value: Value) -> Domain {
        match value {
            Value::Float(x) => Domain::Float { low: x, high: x, step: None, log: false },
            Value::Int(x) => Domain::Int { low: x, high: x, step: 1, log: false },
            Value::Text(x) => Domain::Categorical { choices: vec![x] },
        }
    }

    /// Whether there is a value and every value can be told from its neighbours.
    ///
    /// # Errors
    /// [`DomainError`]: what is wrong and what would be right.
    pub fn check(&self) -> Result<(), DomainError> {
        match *self {
            Domain::Float { low, high, step, log } => {
                if !low.is_finite() || !high.is_finite() || !(high - low).is_finite() {
                    return Err(DomainError::NotFinite { low, high });
                }
                if low > high {
                    return Err(DomainError::Reversed { low: low.to_string(), high: high.to_string() });
                }
                if log && low <= 0.0 {
                    return Err(DomainError::Log { low: low.to_string() });
                }
                if let Some(step) = step {
                    if !(step > 0.0 && step.is_finite()) {
                        return Err(DomainError::Step { step: step.to_string() });
                    }
                    let widest = if log { high } else { high - low };
                    if widest / step >= MAX_LEVELS as f64 {
                        return Err(DomainError::TooMany);
                    }
                }
            }
            Domain::Int { low, high, step, log } => {
                if low > high {
                    return Err(DomainError::Reversed { low: low.to_string(), high: high.to_string() });
                }
                if log && low <= 0 {
                    return Err(DomainError::Log { low: low.to_string() });
                }
                if step <= 0 {
                    return Err(DomainError::Step { step: step.to_string() });
                }
                let widest = if log { i128::from(high) } else { i128::from(high) - i128::from(low) };
                if widest / i128::from(step) >= i128::from(MAX_LEVELS) {
                    return Err(DomainError::TooMany);
                }
            }
            Domain::Categorical { ref choices } => {
                if choices.is_empty() {
                    return Err(DomainError::NoChoice);
                }
                for (k, choice) in choices.iter().enumerate() {
                    if choices[..k].contains(choice) {
                        return Err(DomainError::RepeatedChoice { choice: choice.clone() });
                    }
                }
            }
        }
        Ok(())
    }

    /// Number of values; `None` for a continuous domain.
    pub fn levels(&self) -> Option<u64> {
        match *self {
            Domain::Float { low, high, .. } if low == high => Some(1),
            Domain::Float { low, high, step: Some(step), .. } => Some(Decimal::levels(low, high, step)),
            Domain::Float { step: None, .. } => None,
            Domain::Int { low, high, step, .. } => Some(high.abs_diff(low) / step.unsigned_abs() + 1),
            Domain::Categorical { ref choices } => Some(choices.len() as u64),
        }
    }

    /// The value number `level` of a discrete domain, from the lowest; beyond the last one the last one. The
    /// lower bound of a continuous domain.
    ///
    /// Steps do not drift: `0.1..0.5:0.1` has the value 0.3 as one writes it, not the sum 0.30000000000000004.
    pub fn value_at(&self, level: u64) -> Value {
        let level = level.min(self.levels().unwrap_or(1) - 1);
        match *self {
            // Rounding must not leave the domain.
            Domain::Float { low, high, step: Some(step), .. } => Value::Float(Decimal::at(low, step, level).min(high)),
            Domain::Float { low, .. } => Value::Float(low),
            Domain::Int { low, step, .. } => Value::Int(low.saturating_add_unsigned(level * step.unsigned_abs())),
            Domain::Categorical { ref choices } => Value::Text(choices[level as usize].clone()),
        }
    }

    /// Which of the values of a discrete domain this is; `None` when it is none of them, or the domain is
    /// continuous.
    pub fn level_of(&self, value: &Value) -> Option<u64> {
        let levels = self.levels()?;
        let guess = match (self, value) {
            (&Domain::Float { low, step, .. }, &Value::Float(x)) => {
                let steps = (x - low) / step.unwrap_or(1.0);
                if steps.is_nan() || steps < -0.5 || steps > levels as f64 {
                    return None;
                }
                (steps + 0.5) as u64
            }
            (&Domain::Int { low, high, step, .. }, &Value::Int(x)) if low <= x && x <= high => {
                x.abs_diff(low) / step.unsigned_abs()
            }
            (Domain::Categorical { choices }, Value::Text(x)) => choices.iter().position(|c| c == x)? as u64,
            _ => return None,
        };
        (guess < levels && self.value_at(guess) == *value).then_some(guess)
    }

    /// Whether this is a value of the domain.
    pub fn contains(&self, value: &Value) -> bool {
        match (self, value) {
            (&Domain::Float { low, high, step: None, .. }, &Value::Float(x)) => low <= x && x <= high,
            _ => self.level_of(value).is_some(),
        }
    }

    /// The value at `unit`, 0 to 1. A continuous domain is stretched over the interval (its logarithm when it
    /// is logarithmic); a discrete one has an equal share for every value, a logarithmic one shares that meet
    /// at the geometric means of neighbours.
    pub fn decode(&self, unit: f64) -> Value {
        // Also what is not a number starts at the bottom.
        let unit = if unit > 0.0 { unit.min(1.0) } else { 0.0 };
        match (self, self.levels()) {
            (&Domain::Float { low, high, log, .. }, None) => {
                let x = if log {
                    let (bottom, top) = (libm::log(low), libm::log(high));
                    libm::exp(bottom + unit * (top - bottom))
                } else {
                    low + unit * (high - low)
                };
                // The ends are met exactly; rounding must not leave the domain.
                Value::Float(if unit >= 1.0 { high } else { x.clamp(low, high) })
            }
            (_, levels) => {
                let levels = levels.unwrap_or(1);
                let level = match self.log_shares() {
                    Some(shares) => shares.level(unit, levels),
                    None => (unit * levels as f64) as u64,
                };
                self.value_at(level.min(levels - 1))
            }
        }
    }

    /// Where a value lies in the unit interval: for a value of a discrete domain the middle of its share. `None`
    /// for what is not in the domain.
    pub fn encode(&self, value: &Value) -> Option<f64> {
        match (self, self.levels(), value) {
            (&Domain::Float { low, high, log, .. }, None, &Value::Float(x)) if low <= x && x <= high => {
                let unit = if log {
                    let (bottom, top) = (libm::log(low), libm::log(high));
                    (libm::log(x) - bottom) / (top - bottom)
                } else {
                    (x - low) / (high - low)
                };
                Some(unit.clamp(0.0, 1.0))
            }
            (_, Some(levels), _) => {
                let level = self.level_of(value)?;
                Some(match self.log_shares() {
                    Some(shares) => shares.middle(level),
                    None => (level as f64 + 0.5) / levels as f64,
                })
            }
            _ => None,
        }
    }

    fn log_shares(&self) -> Option<LogShares> {
        let levels = self.levels().filter(|&levels| levels > 1)?;
        match *self {
            Domain::Int { low, step, log: true, .. } => Some(LogShares::new(low as f64, step as f64, levels)),
            Domain::Float { low, step: Some(step), log: true, .. } => Some(LogShares::new(low, step, levels)),
            _ => None,
        }
    }
}

/// Shares of a discrete logarithmic axis: neighbours meet at their geometric mean, and the two outermost
/// values reach as far outwards as inwards.
struct LogShares {
    low: f64,
    step: f64,
    bottom: f64,
    top: f64,
}

impl LogShares {
    fn new(low: f64, step: f64, levels: u64) -> LogShares {
        let mut shares = LogShares { low, step, bottom: 0.0, top: 0.0 };
        let last = levels - 1;
        shares.bottom = 1.5 * libm::log(low) - 0.5 * libm::log(shares.value(1));
        shares.top = 1.5 * libm::log(shares.value(last)) - 0.5 * libm::log(shares.value(last - 1));
        shares
    }

    fn value(&self, level: u64) -> f64 {
        self.low + level as f64 * self.step
    }

    /// Logarithm of the border between `level` and the one above.
    fn border(&self, level: u64) -> f64 {
        0.5 * (libm::log(self.value(level)) + libm::log(self.value(level + 1)))
    }

    fn level(&self, unit: f64, levels: u64) -> u64 {
        let x = self.bottom + unit * (self.top - self.bottom);
        // Near the value itself, so that the right level is this one or the next above or below.
        let mut level = (((libm::exp(x) - self.low) / self.step).max(0.0) as u64).min(levels - 1);
        while level + 1 < levels && x >= self.border(level) {
            level += 1;
        }
        while level > 0 && x < self.border(level - 1) {
            level -= 1;
        }
        level
    }

    fn middle(&self, level: u64) -> f64 {
        let from = if level == 0 { self.bottom } else { self.border(level - 1) };
        let to = self.border(level).min(self.top);
        (0.5 * (from + to) - self.bottom) / (self.top - self.bottom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn floats(low: f64, high: f64, step: f64) -> Vec<f64> {
        let domain = Domain::Float { low, high, step: Some(step), log: false };
        let value = |k| match domain.value_at(k) {
            Value::Float(x) => x,
            other => panic!("{other:?}"),
        };
        (0..domain.levels().unwrap()).map(value).collect()
    }

    #[test]
    fn stepped_values_are_what_a_person_writes() {
        assert_eq!(floats(0.1, 0.5, 0.1), [0.1, 0.2, 0.3, 0.4, 0.5]);
        assert_eq!(floats(-0.3, 0.3, 0.15), [-0.3, -0.15, 0.0, 0.15, 0.3]);
        assert_eq!(floats(1.05, 1.2, 0.05), [1.05, 1.1, 1.15, 1.2]);
        assert_eq!(floats(1e-4, 4e-4, 1e-4), [0.0001, 0.0002, 0.0003, 0.0004]);
    }

    #[test]
    fn the_last_value_is_the_last_step_within_the_bounds() {
        assert_eq!(floats(0.0, 1.0, 0.3), [0.0, 0.3, 0.6, 0.9]);
        let domain = Domain::Int { low: 5, high: 50, step: 10, log: false };
        assert_eq!(domain.levels(), Some(5));
        assert_eq!(domain.value_at(4), Value::Int(45));
        assert!(!domain.contains(&Value::Int(50)) && !domain.contains(&Value::Int(12)));
    }

    #[test]
    fn values_that_are_no_short_decimals_are_stepped_in_binary() {
        let third = 1.0 / 3.0;
        assert_eq!(floats(0.0, 1.0, third), [0.0, third, 2.0 * third, 1.0]);
    }

    #[test]
    fn every_value_of_a_plain_axis_has_an_equal_share() {
        let domain = Domain::Int { low: 1, high: 4, step: 1, log: false };
        let value = |unit| domain.decode(unit);
        assert_eq!([value(0.0), value(0.2499)], [Value::Int(1), Value::Int(1)]);
        assert_eq!([value(0.25), value(0.7499)], [Value::Int(2), Value::Int(3)]);
        assert_eq!([value(0.75), value(1.0)], [Value::Int(4), Value::Int(4)]);
        assert_eq!(domain.encode(&Value::Int(2)), Some(0.375));
    }

    #[test]
    fn shares_of_a_logarithmic_axis_meet_at_geometric_means() {
        // 1, 2, 3: from 1/sqrt 2 to 3 sqrt(3/2), borders at sqrt 2 and sqrt 6.
        let domain = Domain::Int { low: 1, high: 3, step: 1, log: true };
        let (bottom, top) = (0.5_f64.sqrt().ln(), (3.0 * 1.5_f64.sqrt()).ln());
        let unit = |x: f64| (x.ln() - bottom) / (top - bottom);
        assert_eq!(domain.decode(unit(2.0_f64.sqrt()) - 1e-9), Value::Int(1));
        assert_eq!(domain.decode(unit(2.0_f64.sqrt()) + 1e-9), Value::Int(2));
        assert_eq!(domain.decode(unit(6.0_f64.sqrt()) + 1e-9), Value::Int(3));
        assert_eq!([domain.decode(0.0), domain.decode(1.0)], [Value::Int(1), Value::Int(3)]);
    }

    #[test]
    fn a_logarithmic_axis_gives_each_decade_the_same_room() {
        let domain = Domain::Float { low: 1e-4, high: 1.0, step: None, log: true };
        for (unit, expected) in [(0.0, 1e-4), (0.25, 1e-3), (0.5, 1e-2), (1.0, 1.0)] {
            let Value::Float(x) = domain.decode(unit) else { panic!() };
            assert!((x / expected - 1.0).abs() < 1e-12, "{x} at {unit}");
        }
    }

    #[test]
    fn domains_without_a_sensible_value_are_refused() {
        let float = |low, high, step, log| Domain::Float { low, high, step, log }.check().unwrap_err().to_string();
        assert_eq!(float(2.0, 1.0, None, false), "from 2 to 1; expected the lower bound first");
        assert_eq!(float(0.0, 1.0, None, true), "logarithmic from 0; expected a lower bound above 0");
        assert_eq!(float(0.0, 1.0, Some(0.0), false), "a step of 0; expected a positive number");
        assert!(float(0.0, f64::NAN, None, false).contains("expected finite numbers"));
        assert!(float(0.0, 1.0, Some(1e-13), false).contains("more than"));
        let int = |low, high, step, log| Domain::Int { low, high, step, log }.check().unwrap_err().to_string();
        assert_eq!(int(0, 5, 1, true), "logarithmic from 0; expected a lower bound above 0");
        assert!(int(i64::MIN, i64::MAX, 1, false).contains("more than"));
        let twice = Domain::Categorical { choices: vec!["a".into(), "a".into()] };
        assert_eq!(twice.check().unwrap_err().to_string(), "the choice 'a' twice; expected different ones");
    }

    fn domains() -> impl Strategy<Value = Domain> {
        let decimal = |m: i64| m as f64 / 1000.0;
        prop_oneof![
            (-1000_i64..1000, 0_i64..5000, 1_i64..90, any::<bool>()).prop_map(|(low, width, step, log)| {
                let low = if log { low.abs() + 1 } else { low };
                Domain::Int { low, high: low + width, step, log }
            }),
            (-99_999_i64..99_999, 0_i64..99_999, 1_i64..999, any::<bool>()).prop_map(move |(low, width, step, log)| {
                let low = if log { low.abs() + 1 } else { low };
                Domain::Float { low: decimal(low), high: decimal(low + width), step: Some(decimal(step)), log }
            }),
            (1_i64..99_999, 1_i64..99_999, any::<bool>()).prop_map(move |(low, width, log)| Domain::Float {
                low: decimal(low),
                high: decimal(low + width),
                step: None,
                log
            }),
            (1_usize..9).prop_map(|n| Domain::Categorical { choices: (0..n).map(|k| format!("c{k}")).collect() }),
        ]
    }

    proptest! {
        #[test]
        fn what_is_decoded_is_in_the_domain_and_comes_back(domain in domains(), unit in 0.0..=1.0) {
            prop_assert_eq!(domain.check(), Ok(()));
            let value = domain.decode(unit);
            prop_assert!(domain.contains(&value), "{:?}", value);
            let back = domain.encode(&value).unwrap();
            prop_assert!((0.0..=1.0).contains(&back));
            if domain.levels().is_some() {
                prop_assert_eq!(domain.decode(back), value);
            } else {
                prop_assert!((back - unit).abs() < 1e-9, "{} for {}", back, unit);
            }
        }

        #[test]
        fn levels_are_numbered_from_the_lowest_and_come_back(domain in domains(), place in 0.0..1.0) {
            if let Some(levels) = domain.levels() {
                let level = (place * levels as f64) as u64;
                prop_assert_eq!(domain.level_of(&domain.value_at(level)), Some(level));
                prop_assert_eq!(domain.decode(domain.encode(&domain.value_at(level)).unwrap()), domain.value_at(level));
            }
        }
    }
}
