//! Whether the best of many trials beats a benchmark: White's reality check and Hansen's test.

use super::bootstrap::{StationaryBootstrap, optimal_block_length, stationary_variance};
use super::trials::check_finite;
use super::{OverfitError, TrialReturns};
use crate::stats::NEGLIGIBLE_DEVIATION;
use crate::stats::quantile_sorted;
use crate::stats::summation::mean;
use rayon::prelude::*;

/// Replications that one thread works on together: each row of returns is read once for all of them.
const BATCH: usize = 16;

/// Trials that are added up together, so that the sums of a batch stay in the first-level cache.
const TILE: usize = 256;

/// Mean length of a block of resampled days.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum BlockLength {
    /// The median over the trials of [`optimal_block_length`], at least 1 (our convention: the papers treat one
    /// series).
    Auto,
    /// Days, at least 1.
    Days(f64),
}

/// P-values of the hypothesis that no trial is better than the benchmark.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SuperiorAbility {
    /// Hansen's lower bound: trials worse than the benchmark count as such.
    pub spa_lower: f64,
    /// Hansen's consistent p-value: trials clearly worse than the benchmark count as such.
    pub spa_p: f64,
    /// Hansen's upper bound: every trial counts as no worse than the benchmark.
    pub spa_upper: f64,
    /// White's reality check: as the upper bound, without dividing by the standard errors.
    pub reality_check_p: f64,
    /// `max(0, max_k sqrt(n) mean(d_k) / w_k)`.
    pub statistic: f64,
    /// Mean block length in days.
    pub block_length: f64,
    /// Bootstrap replications.
    pub replications: usize,
}

/// White's reality check and Hansen's test for superior predictive ability (SPA) of the trials against `benchmark`
/// (returns of the same days), by `replications` of a stationary bootstrap under `seed`.
///
/// With d the differences to the benchmark over n days and w^2 the variance of `sqrt(n) mean(d)` under the
/// bootstrap, SPA asks how often `max_k sqrt(n) (mean(d*_k) - g_k) / w_k` of the resampled days, not below 0,
/// exceeds the same maximum of the days themselves with g = 0. The three p-values differ in g: `max(mean, 0)`
/// (lower), mean where it is at least `-sqrt(w^2 / n * 2 ln ln n)` and else 0 (consistent), mean (upper).
/// The reality check takes `max_k sqrt(n) mean(d_k)`, with g the mean.
///
/// Differences without dispersion cannot be scaled and take no part in SPA. `None` below three days, when no
/// trial has dispersion, or when no block length can be found.
///
/// H. White, *A Reality Check for Data Snooping*, Econometrica 68 (2000); P. R. Hansen, *A Test for Superior
/// Predictive Ability*, Journal of Business & Economic Statistics 23 (2005).
///
/// # Errors
/// A benchmark of another length or with a value that is not finite, a block below 1 day, or no replication.
pub fn superior_ability(
    trials: &TrialReturns,
    benchmark: &[f64],
    replications: usize,
    block: BlockLength,
    seed: u64,
) -> Result<Option<SuperiorAbility>, OverfitError> {
    if benchmark.len() != trials.days() {
        return Err(OverfitError::SeriesLength { what: "benchmark", found: benchmark.len(), expected: trials.days() });
    }
    check_finite(|| "benchmark".to_string(), benchmark)?;
    if replications == 0 || u32::try_from(replications).is_err() {
        return Err(OverfitError::Replications(replications));
    }
    if let BlockLength::Days(days) = block
        && !(days.is_finite() && days >= 1.0)
    {
        return Err(OverfitError::BlockLength(days));
    }
    let Ok(days) = u32::try_from(trials.days()) else { return Ok(None) };
    if days < 3 {
        return Ok(None);
    }
    let differences: Vec<Vec<f64>> =
        trials.iter().map(|returns| returns.iter().zip(benchmark).map(|(r, b)| r - b).collect()).collect();
    let block_length = match block {
        BlockLength::Days(days) => Some(days),
        BlockLength::Auto => median_block_length(&differences),
    };
    let Some(block_length) = block_length else { return Ok(None) };
    let Some(problem) = Problem::new(&differences, block_length) else { return Ok(None) };
    let bootstrap = StationaryBootstrap::new(seed, days, block_length);
    let counts = problem.exceedances(replications, |replication, counts| {
        for day in bootstrap.indices(replication as u32) {
            counts[day as usize] += 1.0;
        }
    });
    let share = |k: usize| counts[k] as f64 / replications as f64;
    Ok(Some(SuperiorAbility {
        spa_lower: share(0),
        spa_p: share(1),
        spa_upper: share(2),
        reality_check_p: share(3),
        statistic: problem.statistic,
        block_length,
        replications,
    }))
}

fn median_block_length(differences: &[Vec<f64>]) -> Option<f64> {
    let mut lengths: Vec<f64> = differences.par_iter().filter_map(|d| optimal_block_length(d)).collect();
    lengths.sort_by(f64::total_cmp);
    quantile_sorted(&lengths, 0.5).map(|length| length.max(1.0))
}

/// The differences, ready to be resampled. Only trials with dispersion are in it.
struct Problem {
    days: usize,
    /// Number of trials.
    width: usize,
    /// `(d - mean(d)) / w` by day and then trial.
    scaled: Vec<f64>,
    /// What is added to a resampled scaled mean, by trial: `(mean - g) / w` of the lower and the consistent test.
    shift: Vec<[f64; 2]>,
    /// w by trial.
    deviation: Vec<f64>,
    /// `max(0, max_k sqrt(n) mean(d_k) / w_k)`.
    statistic: f64,
    /// `max_k sqrt(n) mean(d_k)`, those without dispersion included.
    largest_mean: f64,
    /// Resampled, the mean of a trial without dispersion is the mean again: its part in the reality check is 0.
    has_constant: bool,
}

impl Problem {
    fn new(differences: &[Vec<f64>], block_length: f64) -> Option<Problem> {
        let days = differences.first()?.len();
        let root = (days as f64).sqrt();
        let spread: Vec<[f64; 2]> = differences
            .par_iter()
            .map(|d| [mean(d).unwrap_or(0.0), stationary_variance(d, block_length).max(0.0).sqrt()])
            .collect();
        let varied: Vec<usize> = (0..spread.len()).filter(|&k| spread[k][1] >= NEGLIGIBLE_DEVIATION).collect();
        if varied.is_empty() {
            return None;
        }
        let mut scaled = vec![0.0; days * varied.len()];
        for (column, &k) in varied.iter().enumerate() {
            let [mean, w] = spread[k];
            for (t, d) in differences[k].iter().enumerate() {
                scaled[t * varied.len() + column] = (d - mean) / w;
            }
        }
        // sqrt(w^2 / n * 2 ln ln n) / w
        let tolerance = (2.0 * libm::log(libm::log(days as f64)) / days as f64).sqrt();
        let shift = |&k: &usize| {
            let ratio = spread[k][0] / spread[k][1];
            [ratio.min(0.0), if ratio >= -tolerance { 0.0 } else { ratio }]
        };
        Some(Problem {
            days,
            width: varied.len(),
            scaled,
            shift: varied.iter().map(shift).collect(),
            deviation: varied.iter().map(|&k| spread[k][1]).collect(),
            statistic: varied.iter().map(|&k| root * (spread[k][0] / spread[k][1])).fold(0.0, f64::max),
            largest_mean: spread.iter().map(|[mean, _]| root * mean).fold(f64::NEG_INFINITY, f64::max),
            has_constant: varied.len() < differences.len(),
        })
    }

    /// In how many replications the resampled maximum exceeds the observed one: lower, consistent, upper, reality
    /// check. `draw` adds to each day how often a replication has it: a resampled mean is a sum over the days with
    /// these weights.
    fn exceedances(&self, replications: usize, draw: impl Fn(usize, &mut [f64]) + Sync) -> [u64; 4] {
        (0..replications.div_ceil(BATCH))
            .into_par_iter()
            .map(|batch| self.batch(batch * BATCH..replications.min((batch + 1) * BATCH), &draw))
            .reduce(|| [0; 4], |a, b| std::array::from_fn(|k| a[k] + b[k]))
    }

    fn batch(&self, replications: std::ops::Range<usize>, draw: &impl Fn(usize, &mut [f64])) -> [u64; 4] {
        let size = replications.len();
        let mut weights = vec![0.0; size * self.days];
        for (replication, weights) in replications.zip(weights.chunks_exact_mut(self.days)) {
            draw(replication, weights);
        }
        let mut maxima = vec![[f64::NEG_INFINITY; 4]; size];
        if self.has_constant {
            maxima.iter_mut().for_each(|maxima| maxima[3] = 0.0);
        }
        let mut totals = vec![0.0; size * TILE];
        for tile in (0..self.width).step_by(TILE) {
            let width = TILE.min(self.width - tile);
            totals.fill(0.0);
            for (day, row) in self.scaled.chunks_exact(self.width).enumerate() {
                let row = &row[tile..tile + width];
                for (totals, weights) in totals.chunks_exact_mut(TILE).zip(weights.chunks_exact(self.days)) {
                    let weight = weights[day];
                    if weight != 0.0 {
                        for (total, value) in totals.iter_mut().zip(row) {
                            *total += weight * value;
                        }
                    }
                }
            }
            for (totals, maxima) in totals.chunks_exact(TILE).zip(&mut maxima) {
                self.raise(maxima, tile, &totals[..width]);
            }
        }
        maxima.iter().fold([0; 4], |counts, maxima| {
            let root = (self.days as f64).sqrt();
            let exceeds = |k: usize| match k {
                3 => root * maxima[3] > self.largest_mean,
                _ => (root * maxima[k]).max(0.0) > self.statistic,
            };
            std::array::from_fn(|k| counts[k] + u64::from(exceeds(k)))
        })
    }

    /// Raises the maxima to the resampled means of the trials from `tile` on.
    fn raise(&self, maxima: &mut [f64; 4], tile: usize, totals: &[f64]) {
        let n = self.days as f64;
        for (k, total) in (tile..).zip(totals) {
            let mean = total / n;
            let [lower, consistent] = self.shift[k];
            let values = [mean + lower, mean + consistent, mean, mean * self.deviation[k]];
            for (maximum, value) in maxima.iter_mut().zip(values) {
                *maximum = if value > *maximum { value } else { *maximum };
            }
        }
    }
}
