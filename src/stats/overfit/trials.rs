//! Returns of trials over the same days.

use super::OverfitError;

/// Daily returns of trials over the same days, oldest first: finite numbers, at least one trial.
#[derive(Debug, Clone, PartialEq)]
pub struct TrialReturns {
    days: usize,
    /// Trial after trial.
    values: Vec<f64>,
    trials: usize,
}

impl TrialReturns {
    /// One series a trial.
    ///
    /// # Errors
    /// No trial, trials of different length, or a return that is not finite.
    pub fn new<T: AsRef<[f64]>>(trials: &[T]) -> Result<TrialReturns, OverfitError> {
        let days = trials.first().ok_or(OverfitError::NoTrials)?.as_ref().len();
        let mut values = Vec::with_capacity(days * trials.len());
        for (k, trial) in trials.iter().enumerate() {
            let trial = trial.as_ref();
            if trial.len() != days {
                return Err(OverfitError::Length { trial: k + 1, found: trial.len(), expected: days });
            }
            check_finite(|| format!("trial number {}", k + 1), trial)?;
            values.extend_from_slice(trial);
        }
        Ok(TrialReturns { days, values, trials: trials.len() })
    }

    /// Number of trials, at least 1.
    pub fn len(&self) -> usize {
        self.trials
    }

    /// Never: there is at least one trial.
    pub fn is_empty(&self) -> bool {
        self.trials == 0
    }

    /// Number of days.
    pub fn days(&self) -> usize {
        self.days
    }

    /// Returns of a trial, oldest first.
    ///
    /// # Panics
    /// When there is no such trial.
    pub fn trial(&self, index: usize) -> &[f64] {
        &self.values[index * self.days..(index + 1) * self.days]
    }

    /// The trials in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[f64]> + '_ {
        (0..self.trials).map(|k| self.trial(k))
    }
}

/// That every value is a finite number.
pub(super) fn check_finite(what: impl Fn() -> String, values: &[f64]) -> Result<(), OverfitError> {
    match values.iter().position(|v| !v.is_finite()) {
        Some(i) => Err(OverfitError::NotFinite { what: what(), day: i + 1, value: values[i] }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trials_are_kept_by_trial() {
        let trials = TrialReturns::new(&[[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]]).unwrap();
        assert_eq!((trials.len(), trials.days()), (2, 3));
        assert_eq!(trials.trial(1), [0.4, 0.5, 0.6]);
        assert_eq!(trials.iter().map(|t| t[0]).collect::<Vec<_>>(), [0.1, 0.4]);
    }

    #[test]
    fn unusable_trials_are_named() {
        assert_eq!(TrialReturns::new::<[f64; 1]>(&[]), Err(OverfitError::NoTrials));
        let short = TrialReturns::new(&[vec![0.1, 0.2], vec![0.1]]).unwrap_err();
        assert_eq!(short, OverfitError::Length { trial: 2, found: 1, expected: 2 });
        let infinite = TrialReturns::new(&[[0.1, 0.2], [0.1, f64::INFINITY]]).unwrap_err().to_string();
        assert_eq!(infinite, "return number 2 (from 1) of the trial number 2 is inf; expected a finite number");
    }
}
