//! Sobol's sequence with Owen's scrambling: points that fill the unit cube more evenly than random ones.
//!
//! I. M. Sobol: *The distribution of points in a cube and the approximate evaluation of integrals*, USSR Comput.
//! Math. Math. Phys. 7 (1967); order of I. A. Antonov and V. M. Saleev (1979), in which consecutive points differ by
//! one direction number; scrambling of A. B. Owen: *Randomly permuted (t,m,s)-nets and (t,s)-sequences* (1995),
//! which keeps the evenness and makes every point uniform by itself.

mod table;

use super::draws::{Draws, Purpose, halves};
use crate::stats::philox4x32;
use table::DIRECTIONS;

/// Dimensions of the sequence. Further coordinates are independent uniform draws: that many axes cannot be
/// filled evenly by as few points as a search has.
pub const SOBOL_DIMENSIONS: usize = DIRECTIONS.len() + 1;

const BITS: usize = 32;

/// Points of a scrambled Sobol sequence. Each is a function of (dimensions, seed, number), and the leading
/// coordinates do not depend on how many follow.
#[derive(Debug, Clone)]
pub struct Sobol {
    seed: u64,
    dimensions: usize,
    directions: Vec<[u32; BITS]>,
}

impl Sobol {
    /// The sequence of a seed.
    pub fn new(dimensions: usize, seed: u64) -> Sobol {
        let directions = (0..dimensions.min(SOBOL_DIMENSIONS)).map(direction_numbers).collect();
        Sobol { seed, dimensions, directions }
    }

    /// Point number `number`: every coordinate above 0 and below 1. The sequence has 2^32 points; numbers beyond
    /// begin again.
    pub fn point(&self, number: u64) -> Vec<f64> {
        let scale = 1.0 / 4_294_967_296.0;
        let even = self.directions.iter().enumerate().map(|(dimension, directions)| {
            let bits = scrambled(raw(directions, number as u32), dimension as u32, self.seed);
            (f64::from(bits) + 0.5) * scale
        });
        let mut point: Vec<f64> = even.collect();
        if self.dimensions > point.len() {
            let mut draws = Draws::new(self.seed, Purpose::Coordinate, number);
            point.resize_with(self.dimensions, || draws.uniform());
        }
        point
    }
}

/// Direction numbers of a dimension, as binary fractions of 32 bits: the recurrence of P. Bratley and B. L. Fox,
/// Algorithm 659, ACM Trans. Math. Softw. 14 (1988).
fn direction_numbers(dimension: usize) -> [u32; BITS] {
    let mut numbers = [0; BITS];
    let Some((polynomial, initial)) = dimension.checked_sub(1).and_then(|k| DIRECTIONS.get(k)) else {
        for (k, number) in numbers.iter_mut().enumerate() {
            *number = 1 << (BITS - 1 - k);
        }
        return numbers;
    };
    let degree = initial.len();
    for k in 0..BITS {
        numbers[k] = if k < degree {
            initial[k] << (BITS - 1 - k)
        } else {
            let mut number = numbers[k - degree] ^ (numbers[k - degree] >> degree);
            for j in 1..degree {
                if polynomial >> (degree - j) & 1 == 1 {
                    number ^= numbers[k - j];
                }
            }
            number
        };
    }
    numbers
}

/// A coordinate before scrambling, as a binary fraction.
fn raw(directions: &[u32; BITS], number: u32) -> u32 {
    let gray = number ^ (number >> 1);
    (0..BITS).filter(|k| gray >> k & 1 == 1).fold(0, |bits, k| bits ^ directions[k])
}

/// Owen's scrambling: each bit is turned or not by a coin that depends on all bits above it. Four bits at a
/// time: the tree of coins below one prefix has 1 + 2 + 4 + 8 of them, one block of random words.
fn scrambled(bits: u32, dimension: u32, seed: u64) -> u32 {
    let mut result = 0;
    for level in 0..BITS as u32 / 4 {
        let shift = 28 - 4 * level;
        let prefix = if level == 0 { 0 } else { bits >> (shift + 4) };
        let coins = philox4x32([prefix, level, dimension, Purpose::Scramble as u32], halves(seed))[0];
        let digit = bits >> shift & 15;
        let mut turned = 0;
        for k in 0..4 {
            // Coin number 2^k - 1 + (the k bits of the digit above this one).
            let coin = coins >> ((1 << k) - 1 + (digit >> (4 - k))) & 1;
            turned |= coin << (3 - k);
        }
        result |= (digit ^ turned) << shift;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From `scipy.stats.qmc.Sobol(64, scramble=False, bits=32)` of scipy 1.17.1, times 2^32.
    #[test]
    fn unscrambled_points_agree_with_scipy() {
        let directions: Vec<_> = (0..SOBOL_DIMENSIONS).map(direction_numbers).collect();
        let shown = |number| [0, 1, 2, 5, 20, 63].map(|k| raw(&directions[k], number));
        assert_eq!(shown(1), [1 << 31; 6]);
        assert_eq!(shown(2), [3221225472, 1073741824, 1073741824, 3221225472, 1073741824, 3221225472]);
        assert_eq!(shown(7), [536870912, 2684354560, 1610612736, 1610612736, 3758096384, 1610612736]);
        assert_eq!(shown(100), [1778384896, 1107296256, 3321888768, 3187671040, 3254779904, 2785017856]);
        assert_eq!(shown(1023), [4194304, 3233808384, 2629828608, 1883242496, 3720347648, 171966464]);
        // All 1024 x 64 of them, by the FNV-1a hash of their little-endian bytes, row by row.
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for number in 0..1024 {
            for byte in directions.iter().flat_map(|d| raw(d, number).to_le_bytes()) {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        assert_eq!(hash, 0x6f54_81e8_6a7e_c425);
    }

    #[test]
    fn scrambling_keeps_one_point_in_each_part_of_every_axis() {
        for seed in 0..3 {
            let sobol = Sobol::new(SOBOL_DIMENSIONS, seed);
            let points: Vec<_> = (0..256).map(|k| sobol.point(k)).collect();
            for dimension in 0..SOBOL_DIMENSIONS {
                let mut seen = [false; 256];
                points.iter().for_each(|point| seen[(point[dimension] * 256.0) as usize] = true);
                assert!(seen.iter().all(|&s| s), "seed {seed}, dimension {dimension}");
            }
        }
    }

    #[test]
    fn scrambling_keeps_the_net_of_two_axes() {
        let sobol = Sobol::new(2, 11);
        let points: Vec<_> = (0..64).map(|k| sobol.point(k)).collect();
        for (rows, columns) in [(1, 64), (2, 32), (4, 16), (8, 8), (16, 4), (32, 2), (64, 1)] {
            let mut seen = vec![0; 64];
            for point in &points {
                seen[(point[0] * rows as f64) as usize * columns + (point[1] * columns as f64) as usize] += 1;
            }
            assert!(seen.iter().all(|&count| count == 1), "{rows} x {columns}");
        }
    }

    #[test]
    fn seeds_give_other_points_each_uniform_by_itself() {
        assert_ne!(Sobol::new(3, 1).point(0), Sobol::new(3, 2).point(0));
        assert_eq!(Sobol::new(3, 1).point(5), Sobol::new(3, 1).point(5));
        // The first point over seeds: mean 1/2 within five standard errors on each axis.
        let seeds = 2000;
        let mut sums = [0.0; 3];
        for seed in 0..seeds {
            sums.iter_mut().zip(Sobol::new(3, seed).point(0)).for_each(|(sum, x)| *sum += x);
        }
        let bound = 5.0 * (1.0_f64 / 12.0 / seeds as f64).sqrt();
        assert!(sums.iter().all(|sum| (sum / seeds as f64 - 0.5).abs() < bound), "{sums:?}");
    }

    #[test]
    fn axes_beyond_the_table_are_independent_draws() {
        let sobol = Sobol::new(SOBOL_DIMENSIONS + 2, 3);
        let point = sobol.point(9);
        assert_eq!(point.len(), SOBOL_DIMENSIONS + 2);
        assert_eq!(point[..SOBOL_DIMENSIONS], Sobol::new(SOBOL_DIMENSIONS, 3).point(9));
        assert!(point.iter().all(|x| 0.0 < *x && *x < 1.0));
        assert_ne!(sobol.point(10)[SOBOL_DIMENSIONS], point[SOBOL_DIMENSIONS]);
    }
}
