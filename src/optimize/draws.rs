//! Random numbers of a search: Philox blocks keyed by the seed and what they are for.

use crate::stats::philox4x32;

/// What a random number is for: numbers for different purposes have nothing in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Scrambling of the Sobol sequence.
    Scramble = 1,
    /// Coordinates beyond the dimensions of the Sobol table.
    Coordinate = 2,
    /// Order of what is left of a nearly exhausted space.
    Remainder = 3,
    /// Selection and variation in genetic methods.
    Variation = 4,
    /// Where a Bayesian search looks: an even spread, moved.
    Candidates = 5,
    /// Where a Bayesian search looks near the best points.
    Neighbours = 6,
    /// Weights of several objectives.
    Weights = 7,
    /// The first trials of a Bayesian search.
    Spread = 8,
}

/// A stream of random numbers that is a function of its name: no state outlives it, so it does not matter what
/// was drawn before it, or where.
#[derive(Debug, Clone)]
pub(crate) struct Draws {
    key: [u32; 2],
    purpose: u32,
    name: [u32; 2],
    next: u32,
    block: [u32; 4],
}

impl Draws {
    /// The stream of a purpose and a number, such as that of a trial.
    pub(crate) fn new(seed: u64, purpose: Purpose, number: u64) -> Draws {
        Draws { key: halves(seed), purpose: purpose as u32, name: halves(number), next: 0, block: [0; 4] }
    }

    /// Uniform over all words.
    pub(crate) fn word(&mut self) -> u32 {
        let place = (self.next % 4) as usize;
        if place == 0 {
            self.block = philox4x32([self.next / 4, self.name[0], self.name[1], self.purpose], self.key);
        }
        self.next = self.next.wrapping_add(1);
        self.block[place]
    }

    /// Uniform between 0 and 1, both excluded: the middle of one of 2^52 equal parts.
    pub(crate) fn uniform(&mut self) -> f64 {
        let (high, low) = (u64::from(self.word()), u64::from(self.word()));
        (((high << 32 | low) >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
    }

    /// Uniform below `n`, which must not be 0.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        ((self.uniform() * n as f64) as usize).min(n - 1)
    }

    /// Standard normal.
    pub(crate) fn normal(&mut self) -> f64 {
        // Box and Muller (1958), one of the two: the other would be state.
        let radius = (-2.0 * libm::log(self.uniform())).sqrt();
        radius * libm::cos(std::f64::consts::TAU * self.uniform())
    }
}

/// A word pair of a number, low half first.
pub(crate) fn halves(number: u64) -> [u32; 2] {
    [number as u32, (number >> 32) as u32]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_a_function_of_seed_purpose_and_number() {
        let first = |seed, purpose, number| Draws::new(seed, purpose, number).uniform();
        let one = first(1, Purpose::Variation, 5);
        assert_eq!(one, first(1, Purpose::Variation, 5));
        for other in
            [first(2, Purpose::Variation, 5), first(1, Purpose::Remainder, 5), first(1, Purpose::Variation, 1 << 33)]
        {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn moments_are_those_of_the_distributions() {
        let mut draws = Draws::new(7, Purpose::Variation, 0);
        let n = 20_000;
        let uniforms: Vec<f64> = (0..n).map(|_| draws.uniform()).collect();
        let normals: Vec<f64> = (0..n).map(|_| draws.normal()).collect();
        let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
        let square = |x: &[f64]| x.iter().map(|v| v * v).sum::<f64>() / x.len() as f64;
        // Five standard errors.
        assert!((mean(&uniforms) - 0.5).abs() < 5.0 * (1.0_f64 / 12.0 / n as f64).sqrt());
        assert!(mean(&normals).abs() < 5.0 / (n as f64).sqrt());
        assert!((square(&normals) - 1.0).abs() < 5.0 * (2.0 / n as f64).sqrt());
        let mut counts = [0; 3];
        (0..3000).for_each(|_| counts[draws.below(3)] += 1);
        assert!(counts.iter().all(|c| (850..1150).contains(c)), "{counts:?}");
    }
}
