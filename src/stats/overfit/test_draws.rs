//! Draws for tests that other programs can repeat: D. E. Knuth's linear congruential generator (MMIX).

use super::TrialReturns;

pub(super) struct Lcg(pub u64);

impl Lcg {
    /// The upper 31 bits of the next state.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    /// -1 to 1 in steps of a thousandth.
    pub fn thousandths(&mut self) -> f64 {
        (self.next() % 2001) as f64 / 1000.0 - 1.0
    }
}

/// Trials without skill that have nothing to do with each other: up to 1 % a day.
pub(super) fn noise(trials: usize, days: usize, seed: u64) -> TrialReturns {
    let mut draws = Lcg(seed);
    let returns: Vec<Vec<f64>> =
        (0..trials).map(|_| (0..days).map(|_| draws.thousandths() / 100.0).collect()).collect();
    TrialReturns::new(&returns).unwrap()
}

/// `work` on 1, 2 and 7 threads.
pub(super) fn on_threads<T: Send>(work: impl Fn() -> T + Sync) -> [T; 3] {
    [1, 2, 7].map(|threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(&work))
}
