//! Random numbers that do not depend on the order in which they are asked for.
//!
//! Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011) turns a
//! counter and a key into four random words. The key is the seed; the counter is (draw, purpose, symbol,
//! session). So the path of a symbol is the same whatever other symbols, sessions or threads there are.

const ROUNDS: usize = 10;
const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];

/// The Philox4x32-10 function.
fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for round in 0..ROUNDS {
        if round > 0 {
            key[0] = key[0].wrapping_add(WEYL[0]);
            key[1] = key[1].wrapping_add(WEYL[1]);
        }
        let a = u64::from(MULTIPLIERS[0]) * u64::from(counter[0]);
        let b = u64::from(MULTIPLIERS[1]) * u64::from(counter[2]);
        counter = [(b >> 32) as u32 ^ counter[1] ^ key[0], b as u32, (a >> 32) as u32 ^ counter[3] ^ key[1], a as u32];
    }
    counter
}

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
            self.words = philox(self.counter, self.key);
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

    /// Known answers of the reference implementation (Random123, kat_vectors).
    #[test]
    fn philox_gives_the_published_answers() {
        assert_eq!(philox([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(philox([u32::MAX; 4], [u32::MAX; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        assert_eq!(
            philox([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

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
