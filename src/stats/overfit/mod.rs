//! Whether the best of many trials is more than luck. No I/O.
//!
//! Whoever tries many parameters and keeps the best has chosen luck together with skill. Each part here asks the
//! same question in another way; [`overfit`] asks all of them, [`verdict`] says in words what came out.
//!
//! - [`expected_maximum`], [`deflated_sharpe_ratio`]: the Sharpe ratio against what the luckiest of N worthless
//!   trials would show.
//! - [`backtest_overfitting`]: how often the best of one half of the days is below the median of the other half.
//! - [`superior_ability`]: whether the best beats a benchmark by more than the best of resampled noise does.
//! - [`walk_forward_windows`], [`CombinatorialSplits`]: days to fit on and days to judge on, kept apart.
//! - [`adjusted_p_values`]: many tests at once. [`neighbourhood_median`]: whether a peak stands alone.
//!
//! Sharpe ratios are per period unless a name says otherwise. Results do not depend on the number of threads:
//! work is shared out by index, and what is added up across threads are whole numbers.

mod bootstrap;
mod cpcv;
mod deflated;
mod multiple_testing;
mod neighbourhood;
mod pbo;
mod report;
mod spa;
#[cfg(test)]
mod test_draws;
mod trials;
mod verdict;
mod walk_forward;

pub use bootstrap::{StationaryBootstrap, optimal_block_length};
pub use cpcv::{CombinatorialSplits, Split};
pub use deflated::{
    best_by_sharpe, deflated_sharpe_ratio, effective_trials, expected_maximum, mean_pairwise_correlation,
    min_backtest_length_years, sharpe_ratios, variance_of,
};
pub use multiple_testing::{Correction, adjusted_p_values};
pub use neighbourhood::neighbourhood_median;
pub use pbo::{BacktestOverfitting, Combination, MAX_BLOCKS, backtest_overfitting};
pub use report::{OVERFIT_METRICS, Overfit, OverfitOptions, overfit};
pub use spa::{BlockLength, SuperiorAbility, superior_ability};
pub use trials::TrialReturns;
pub use verdict::{Evidence, Grade, Verdict, verdict};
pub use walk_forward::{WalkForward, Window, walk_forward_efficiency, walk_forward_windows};

/// Input that trials cannot be judged from.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum OverfitError {
    /// No trial at all.
    #[error("there is no trial to judge; expected at least one")]
    NoTrials,
    /// Trials over different days.
    #[error("trial number {trial} (from 1) has {found} returns; expected {expected}, as many as the first")]
    Length { trial: usize, found: usize, expected: usize },
    /// Another series over different days.
    #[error("the {what} has {found} returns for {expected} days; expected one for each day")]
    SeriesLength { what: &'static str, found: usize, expected: usize },
    /// A return that is not a finite number.
    #[error("return number {day} (from 1) of the {what} is {value}; expected a finite number")]
    NotFinite { what: String, day: usize, value: f64 },
    /// Blocks that cannot be halved, or more than can be combined.
    #[error("{0} blocks; expected an even number from 2 to {MAX_BLOCKS}")]
    Blocks(usize),
    /// A bootstrap without replications.
    #[error("{0} bootstrap replications; expected 1 to 4294967295")]
    Replications(usize),
    /// A mean block length below one day.
    #[error("a block of {0} days; expected at least 1")]
    BlockLength(f64),
    /// Fewer attempts than trials.
    #[error("{attempted} trials attempted, but returns of {trials} are given; expected at least as many")]
    Attempted { attempted: usize, trials: usize },
    /// The annual risk-free rate does not compound.
    #[error("risk-free rate {0} is not usable; expected an annual rate above -1, such as 0.045")]
    RiskFreeRate(f64),
    /// Groups that cannot be split.
    #[error("{groups} groups of which {test_groups} test, over {rows} rows; expected 0 < test < groups <= rows")]
    Groups { rows: usize, groups: usize, test_groups: usize },
    /// More combinations than can be listed.
    #[error("{groups} groups of which {test_groups} test make more than {limit} splits")]
    TooManySplits { groups: usize, test_groups: usize, limit: usize },
    /// A window without rows or that does not move.
    #[error("{what} is 0; expected at least 1")]
    EmptyWindow { what: &'static str },
    /// A p-value outside [0, 1].
    #[error("p-value number {index} (from 1) is {value}; expected a number from 0 to 1")]
    PValue { index: usize, value: f64 },
}
