//! Random numbers that do not depend on the order in which they are asked for.
//!
//! Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011) turns a
//! counter and a key into four random words. The key is the seed; the counter is (draw, purpose, symbol,
//! session). So the path of a symbol is the same whatever other symbols, sessions or threads there are.

use crate::stats::philox4x32;

/// What a sequence of numbers is for; sequences of different purposes are independent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Purpose {
    Index = 1,
    Sector = 2,
    Profile = 3,
    Day = 4,
    Path = 5,
    Volume = 6,
    VolatilityIndex = 7,
}

/// One sequence of random numbers.
#[derive(Debug, Clone)]
pub(super) struct Draws {
    key: [u32; 2],
    counter: [u32; 4],
    /// A normal number left over from the pair before.
    spare: Option<f64>,
    words: [u32; 4],
    used: usize,
}

impl Draws {
    pub(super) fn new(seed: u64, purpose: Purpose, symbol: u32, session: u32) -> Draws {
        Draws {
            key: [seed as u32, (seed >> 32) as u32],
            counter: [0, purpose as u32, symbol, session],
            spare: None,
            words: [0; 4],
            used: 4,
        }
    }

    /// Uniform in (0, 1): 52 random bits, shifted by half a step so that neither end occurs.
    pub(super) fn uniform(&mut self) -> f64 {
        if self.used == 4 {
            self.words = philox4x32(self.counter, self.key);
            self.counter[0] = self.counter[0].wrapping_add(1);
            self.used = 0;
        }
        let word = u64::from(self.words[self.used]) << 32 | u64::from(self.words[self.used + 1]);
        self.used += 2;
        ((word >> 12) as f64 + 0.5) * (1.0 / (1u64 << 52) as f64)
    }

    /// Uniform between two bounds.
    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// Standard normal (Box and Muller 1958).
    pub(super) fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let radius = (-2.0 * libm::log(self.uniform())).sqrt();
        let angle = 2.0 * std::f64::consts::PI * self.uniform();
        self.spare = Some(radius * libm::sin(angle));
        radius * libm::cos(angle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_numbers_have_mean_zero_and_variance_one() {
        let mut draws = Draws::new(7, Purpose::Path, 3, 5);
        let n = 100_000;
        let (mut sum, mut squares, mut fourth) = (0.0, 0.0, 0.0);
        for _ in 0..n {
            let z = draws.normal();
            sum += z;
            squares += z * z;
            fourth += z * z * z * z;
        }
        let n = f64::from(n);
        assert!((sum / n).abs() < 0.01, "mean {}", sum / n);
        assert!((squares / n - 1.0).abs() < 0.02, "variance {}", squares / n);
        assert!((fourth / n - 3.0).abs() < 0.15, "fourth moment {}", fourth / n);
    }

    #[test]
    fn sequences_differ_by_every_part_of_their_name() {
        let first = |seed, purpose, symbol, session| Draws::new(seed, purpose, symbol, session).uniform();
        let base = first(1, Purpose::Path, 1, 1);
        assert_eq!(base, first(1, Purpose::Path, 1, 1));
        for other in [
            first(2, Purpose::Path, 1, 1),
            first(1, Purpose::Day, 1, 1),
            first(1, Purpose::Path, 2, 1),
            first(1, Purpose::Path, 1, 2),
        ] {
            assert_ne!(base, other);
        }
    }
}
