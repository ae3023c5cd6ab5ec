//! Random numbers by what they are for: a function of seed, trial, purpose and number, without any state.

use crate::stats::{normal, philox4x32};

/// The draws of one trial.
#[derive(Debug, Clone, Copy)]
pub(super) struct Draws {
    pub seed: u64,
    pub trial: usize,
}

/// What a number is drawn for. Each has its own sequence.
#[derive(Debug, Clone, Copy)]
#[repr(u32)]
pub(super) enum Purpose {
    /// Tag of this method, so that another one with the same seed draws other numbers.
    Candidates = 0x4241_5900,
    Neighbours,
    Weights,
    Initial,
    Fallback,
    Estimator,
}

impl Draws {
    /// Uniform in the open interval (0, 1).
    pub fn uniform(&self, purpose: Purpose, number: usize) -> f64 {
        let counter = [number as u32, (number as u64 >> 32) as u32, self.trial as u32, purpose as u32];
        let words = philox4x32(counter, [self.seed as u32, (self.seed >> 32) as u32]);
        let bits = u64::from(words[0]) << 32 | u64::from(words[1]);
        ((bits >> 12) as f64 + 0.5) / (1u64 << 52) as f64
    }

    /// Standard normal.
    pub fn normal(&self, purpose: Purpose, number: usize) -> f64 {
        normal::quantile(self.uniform(purpose, number))
    }
}
