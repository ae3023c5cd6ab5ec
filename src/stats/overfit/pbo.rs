//! Probability of backtest overfitting by combinatorially symmetric cross-validation.

use super::{OverfitError, TrialReturns};
use crate::stats::NEGLIGIBLE_DEVIATION;
use crate::stats::summation::cross_deviations;
use rayon::prelude::*;

/// Most blocks that days may be cut into: 184,756 combinations.
pub const MAX_BLOCKS: usize = 20;

/// Variance below this share of the mean square is rounding: no dispersion.
const ROUNDING: f64 = 1e-12;

/// One way of halving the days.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Combination {
    /// The trial with the highest Sharpe ratio in sample, the first one on ties.
    pub chosen: usize,
    /// Its Sharpe ratio per period in sample.
    pub in_sample: f64,
    /// Its Sharpe ratio per period out of sample.
    pub out_of_sample: f64,
    /// Its rank out of sample over the number of trials + 1: towards 0 it was the worst, towards 1 the best.
    pub relative_rank: f64,
    /// `ln(w / (1 - w))` of the relative rank: 0 at the median.
    pub logit: f64,
}

/// What became, out of sample, of the trial that was best in sample.
#[derive(Debug, Clone, PartialEq)]
pub struct BacktestOverfitting {
    /// Share of the combinations in which the best in sample was at or below the median out of sample.
    pub pbo: f64,
    /// Share of the combinations in which the best in sample lost money out of sample (Sharpe ratio below 0).
    pub loss_probability: f64,
    /// Slope of the Sharpe ratio out of sample on that in sample; below 0, the better the worse.
    pub degradation_slope: Option<f64>,
    /// Every combination, in lexicographic order of its blocks in sample.
    pub combinations: Vec<Combination>,
}

/// Probability of backtest overfitting (PBO). The oldest `days mod blocks` days are dropped, the rest is cut into
/// `blocks` equal blocks; each of the C(S, S/2) choices of half of them is in sample once, the others out of
/// sample. `rf` per day. A trial without dispersion in a half (it did not trade) has a Sharpe ratio of 0 there.
/// `None` below two trials or two days a half.
///
/// A half needs only the sums and sums of squares of its blocks, so a combination costs a few operations a trial
/// and block however long the series is; a combination and its opposite share them.
///
/// D. H. Bailey, J. M. Borwein, M. Lopez de Prado, Q. J. Zhu, *The Probability of Backtest Overfitting*, Journal of
/// Computational Finance 20 (2016).
///
/// # Errors
/// A number of blocks that is odd, 0, or above [`MAX_BLOCKS`].
pub fn backtest_overfitting(
    trials: &TrialReturns,
    blocks: usize,
    rf: f64,
) -> Result<Option<BacktestOverfitting>, OverfitError> {
    if blocks == 0 || !blocks.is_multiple_of(2) || blocks > MAX_BLOCKS {
        return Err(OverfitError::Blocks(blocks));
    }
    let rows = trials.days() / blocks;
    if trials.len() < 2 || rows * blocks / 2 < 2 {
        return Ok(None);
    }
    let sums = BlockSums::of(trials, blocks, rows);
    let halves = first_halves(blocks);
    let scratch = || [Half::new(trials.len()), Half::new(trials.len())];
    let pairs: Vec<[Combination; 2]> = halves
        .par_iter()
        .map_init(scratch, |[first, second], &mask| {
            sums.judge(mask, rf, first);
            sums.judge(!mask, rf, second);
            [judged(&first.sharpe, &second.sharpe), judged(&second.sharpe, &first.sharpe)]
        })
        .collect();
    // In lexicographic order, the opposite of the i-th combination is the i-th from the end.
    let opposites = pairs.iter().rev().map(|pair| pair[1]);
    let combinations: Vec<Combination> = pairs.iter().map(|pair| pair[0]).chain(opposites).collect();
    Ok(Some(summary(combinations)))
}

fn summary(combinations: Vec<Combination>) -> BacktestOverfitting {
    let share = |count: usize| count as f64 / combinations.len() as f64;
    let overfitted = combinations.iter().filter(|c| c.logit <= 0.0).count();
    let lost = combinations.iter().filter(|c| c.out_of_sample < 0.0).count();
    let inside: Vec<f64> = combinations.iter().map(|c| c.in_sample).collect();
    let outside: Vec<f64> = combinations.iter().map(|c| c.out_of_sample).collect();
    let [xx, xy, _] = cross_deviations(&inside, &outside);
    let dispersed = (xx / combinations.len() as f64).sqrt() >= NEGLIGIBLE_DEVIATION;
    BacktestOverfitting {
        pbo: share(overfitted),
        loss_probability: share(lost),
        degradation_slope: dispersed.then(|| xy / xx),
        combinations,
    }
}

/// Sum and sum of squares of each trial's returns, by block and then trial.
struct BlockSums {
    trials: usize,
    blocks: usize,
    /// Days of half of the blocks.
    half: f64,
    sums: Vec<[f64; 2]>,
}

/// Half of the days, by trial.
struct Half {
    /// Sum and sum of squares of the returns.
    sums: Vec<[f64; 2]>,
    /// Sharpe ratio per period.
    sharpe: Vec<f64>,
}

impl Half {
    fn new(trials: usize) -> Half {
        Half { sums: vec![[0.0; 2]; trials], sharpe: vec![0.0; trials] }
    }
}

impl BlockSums {
    fn of(trials: &TrialReturns, blocks: usize, rows: usize) -> BlockSums {
        let mut sums = vec![[0.0; 2]; blocks * trials.len()];
        for (k, returns) in trials.iter().enumerate() {
            let kept = &returns[returns.len() - rows * blocks..];
            for (b, block) in kept.chunks_exact(rows).enumerate() {
                let add = |[s, q]: [f64; 2], r: &f64| [s + r, q + r * r];
                sums[b * trials.len() + k] = block.iter().fold([0.0; 2], add);
            }
        }
        BlockSums { trials: trials.len(), blocks, half: (rows * blocks / 2) as f64, sums }
    }

    /// Sharpe ratio of every trial over the blocks of `mask`, added up in order of time.
    fn judge(&self, mask: u32, rf: f64, out: &mut Half) {
        out.sums.fill([0.0; 2]);
        for b in (0..self.blocks).filter(|b| mask >> b & 1 == 1) {
            let row = &self.sums[b * self.trials..(b + 1) * self.trials];
            for (total, block) in out.sums.as_flattened_mut().iter_mut().zip(row.as_flattened()) {
                *total += block;
            }
        }
        let n = self.half;
        for (sharpe, [sum, squares]) in out.sharpe.iter_mut().zip(&out.sums) {
            let mean = sum / n;
            let dispersion = squares - sum * mean;
            let ratio = (mean - rf) / (dispersion / (n - 1.0)).sqrt();
            *sharpe = if dispersion > ROUNDING * squares { ratio } else { 0.0 };
        }
    }
}

/// Every choice of half of the blocks that has the first block in it, as bits, in lexicographic order.
fn first_halves(blocks: usize) -> Vec<u32> {
    fn extend(mask: u32, next: usize, missing: usize, blocks: usize, out: &mut Vec<u32>) {
        if missing == 0 {
            out.push(mask);
            return;
        }
        for b in next..=blocks - missing {
            extend(mask | 1 << b, b + 1, missing - 1, blocks, out);
        }
    }
    let mut out = Vec::new();
    extend(1, 1, blocks / 2 - 1, blocks, &mut out);
    out
}

/// The best of `inside` and what it was worth in `outside`, Sharpe ratios by trial.
fn judged(inside: &[f64], outside: &[f64]) -> Combination {
    let first_best = |best: usize, k: usize| if inside[k] > inside[best] { k } else { best };
    let chosen = (1..inside.len()).fold(0, first_best);
    let reached = outside[chosen];
    let below = outside.iter().filter(|sharpe| **sharpe < reached).count();
    let equal = outside.iter().filter(|sharpe| **sharpe == reached).count();
    // 1 is the worst; equals share the mean of their ranks.
    let rank = below as f64 + (equal + 1) as f64 / 2.0;
    let ranks = (outside.len() + 1) as f64;
    Combination {
        chosen,
        in_sample: inside[chosen],
        out_of_sample: reached,
        relative_rank: rank / ranks,
        // w / (1 - w) with an exact difference: the logit of the median is exactly 0.
        logit: libm::log(rank / (ranks - rank)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_draws::{noise, on_threads};
    use super::*;
    use proptest::prelude::*;

    /// Five trials of 35 days without a pattern, a copy of the fourth and one that never trades.
    fn small() -> TrialReturns {
        let value = |t: i32, k: i32| f64::from((t * 73 + k * 29 + t * t * k * 7) % 101 - 50 + k) / 2500.0;
        let mut trials: Vec<Vec<f64>> = (0..5).map(|k| (0..35).map(|t| value(t, k)).collect()).collect();
        trials.push(trials[3].clone());
        trials.push(vec![0.0; 35]);
        TrialReturns::new(&trials).unwrap()
    }

    fn judged_in(trials: &TrialReturns, blocks: usize) -> BacktestOverfitting {
        backtest_overfitting(trials, blocks, 0.0).unwrap().unwrap()
    }

    /// Numbers of a script that follows the paper: every half put together row by row with numpy, ranks from
    /// scipy's `rankdata` (ties averaged), the slope from `polyfit`. Five of 35 rows are dropped.
    #[test]
    fn a_small_matrix_is_what_numpy_makes_of_it() {
        let found = judged_in(&small(), 6);
        let chosen: Vec<usize> = found.combinations.iter().map(|c| c.chosen).collect();
        assert_eq!(chosen, [4, 3, 1, 3, 2, 4, 4, 3, 3, 1, 3, 1, 4, 3, 3, 1, 4, 4, 4, 3]);
        let ranks: Vec<f64> = found.combinations.iter().map(|c| c.relative_rank * 8.0).collect();
        let expected =
            [3.0, 4.5, 3.0, 4.5, 1.0, 4.0, 4.0, 4.5, 4.5, 4.0, 4.5, 3.0, 4.0, 4.5, 4.5, 3.0, 4.0, 4.0, 3.0, 5.5];
        assert_eq!(ranks, expected);
        assert_eq!((found.pbo, found.loss_probability), (0.6, 0.05));
        let (first, last) = (found.combinations[0], found.combinations[19]);
        let logits: f64 = found.combinations.iter().map(|c| c.logit).sum();
        for (found, expected) in [
            (found.degradation_slope.unwrap(), -1.0828681719307587),
            (first.in_sample, 0.49170515840695195),
            (first.out_of_sample, 0.05681870887320321),
            (first.logit, -0.5108256237659907),
            (last.in_sample, 0.3121440775919618),
            (logits, -1.9523799095546535),
        ] {
            assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
        }
    }

    #[test]
    fn every_half_comes_once_in_lexicographic_order() {
        assert_eq!(first_halves(4), [0b0011, 0b0101, 0b1001]);
        assert_eq!(first_halves(2), [0b01]);
        let halves = first_halves(16);
        assert_eq!(halves.len() * 2, 12_870);
        assert!(halves.iter().all(|mask| mask.count_ones() == 8 && mask & 1 == 1));
        // Reversed bits of masks in lexicographic order fall.
        assert!(halves.windows(2).all(|pair| pair[0].reverse_bits() > pair[1].reverse_bits()));
    }

    #[test]
    fn a_trial_that_is_always_best_is_no_overfitting_and_opposites_are() {
        // The first trial is better on every day; the others are noise without its gain.
        let others = noise(9, 64, 3);
        let mut trials: Vec<Vec<f64>> = others.iter().map(<[f64]>::to_vec).collect();
        trials.push(others.trial(0).iter().map(|r| r + 0.02).collect());
        let found = judged_in(&TrialReturns::new(&trials).unwrap(), 8);
        assert_eq!((found.pbo, found.loss_probability), (0.0, 0.0));
        assert!(found.combinations.iter().all(|c| c.chosen == 9));
        // Each gains on one day what it loses on another one: what was best must be worst in the other half.
        let one = [0.02, 0.01, -0.02, -0.01];
        let found = judged_in(&TrialReturns::new(&[one, one.map(|r| -r)]).unwrap(), 2);
        assert_eq!((found.pbo, found.loss_probability), (1.0, 1.0));
    }

    /// The mean of 60 PBOs of noise: one of them has a standard deviation of about 0.25 (the halves of a matrix
    /// overlap), their mean one of 0.032; the tolerance is three of these.
    #[test]
    fn noise_has_a_probability_of_one_half() {
        let mean = (0..60).map(|seed| judged_in(&noise(10, 64, seed), 8).pbo).sum::<f64>() / 60.0;
        assert!((mean - 0.5).abs() < 0.1, "{mean}");
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        let trials = noise(13, 50, 11);
        let [one, two, seven] = on_threads(|| judged_in(&trials, 10));
        assert_eq!(one.combinations.len(), 252);
        assert!(one == two && two == seven);
    }

    #[test]
    fn what_cannot_be_halved_is_refused_or_undefined() {
        for blocks in [0, 3, 22] {
            assert_eq!(backtest_overfitting(&noise(2, 50, 1), blocks, 0.0), Err(OverfitError::Blocks(blocks)));
        }
        assert_eq!(backtest_overfitting(&noise(1, 50, 1), 4, 0.0), Ok(None));
        assert_eq!(backtest_overfitting(&noise(2, 3, 1), 4, 0.0), Ok(None));
        assert_eq!(backtest_overfitting(&noise(2, 2, 1), 2, 0.0), Ok(None));
        assert!(backtest_overfitting(&noise(2, 4, 1), 4, 0.0).unwrap().is_some());
        let idle = judged_in(&TrialReturns::new(&[[0.0; 8], [0.0; 8]]).unwrap(), 4);
        assert_eq!((idle.pbo, idle.degradation_slope), (1.0, None));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn the_order_of_trials_does_not_matter(seed in 0u64..1_000_000, turn in 0usize..7) {
            let trials = noise(7, 24, seed);
            let mut turned: Vec<Vec<f64>> = trials.iter().map(<[f64]>::to_vec).collect();
            turned.rotate_left(turn);
            turned.swap(0, 3);
            let (a, b) = (judged_in(&trials, 6), judged_in(&TrialReturns::new(&turned).unwrap(), 6));
            prop_assert_eq!((a.pbo, a.degradation_slope), (b.pbo, b.degradation_slope));
            let logits = |found: &BacktestOverfitting| found.combinations.iter().map(|c| c.logit).collect::<Vec<_>>();
            prop_assert_eq!(logits(&a), logits(&b));
        }
    }
}
