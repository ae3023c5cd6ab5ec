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
