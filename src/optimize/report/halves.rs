//! What the best of one half of the sessions was worth in the other half: the picture behind PBO.

use super::payload::{Row, ranking};
use crate::backtest::report::histogram::{Histogram, histogram};
use crate::optimize::sweep::{MOST_COMPARED, RETURNS_FILE, SweepError, SweepFile, returns_of};
use crate::settings::Key;
use crate::stats::overfit::{OverfitOptions, TrialReturns, backtest_overfitting};
use crate::stats::{PERIODS_PER_YEAR, daily_risk_free};
use serde::Serialize;
use std::path::Path;

/// Points of the picture at most.
const MOST_POINTS: usize = 1_500;

/// Combinatorially symmetric cross-validation of the choice of the best, over the same trials as the PBO of the
/// summary.
#[derive(Serialize)]
pub struct Halves {
    /// Ways to halve the sessions.
    combinations: usize,
    trials: usize,
    pbo: f64,
    loss: f64,
    slope: Option<f64>,
    /// (in sample, out of sample): annual Sharpe ratios of the trial chosen in sample, of an even choice of the ways.
    points: Vec<(f64, f64)>,
    /// Logit of its rank out of sample, of all ways.
    logits: Option<Histogram>,
}

impl Halves {
    /// `None` with too few trials or sessions.
    ///
    /// # Errors
    /// Returns that cannot be read.
    pub fn of(dir: &Path, sweep: &SweepFile, rows: &[Row]) -> Result<Option<Halves>, SweepError> {
        let Some(rf) = daily_risk_free(sweep.spec.run.settings.number(Key::RiskFreeRate)) else { return Ok(None) };
        let compared: Vec<u64> = ranking(rows).into_iter().take(MOST_COMPARED).map(|k| rows[k].id()).collect();
        let returns: Vec<Vec<f64>> = returns_of(dir, sweep, &compared)?.into_iter().map(|(_, row)| row).collect();
        if returns.is_empty() {
            return Ok(None);
        }
        let wrong = |error: &dyn std::fmt::Display| SweepError::File {
            path: dir.join(RETURNS_FILE),
            reason: error.to_string(),
        };
        let trials = TrialReturns::new(&returns).map_err(|error| wrong(&error))?;
        drop(returns);
        let blocks = OverfitOptions::new(trials.len()).blocks;
        let Some(found) = backtest_overfitting(&trials, blocks, rf).map_err(|error| wrong(&error))? else {
            return Ok(None);
        };
        let year = PERIODS_PER_YEAR.sqrt();
        let every = found.combinations.len().div_ceil(MOST_POINTS).max(1);
        let rounded = |x: f64| (x * year * 1e4).round() / 1e4;
        let points = found.combinations.iter().step_by(every);
        let logits: Vec<f64> = found.combinations.iter().map(|c| c.logit).collect();
        Ok(Some(Halves {
            combinations: found.combinations.len(),
            trials: trials.len(),
            pbo: found.pbo,
            loss: found.loss_probability,
            slope: found.degradation_slope,
            points: points.map(|c| (rounded(c.in_sample), rounded(c.out_of_sample))).collect(),
            logits: histogram(&logits),
        }))
    }

    /// What the picture shows, in words.
    pub fn sentences(&self) -> Vec<String> {
        let percent = |share: f64| format!("{:.1} %", 100.0 * share);
        let mut found = vec![format!(
            "The sessions are halved in {} ways. Each time the trial that was best in one half (in sample) is looked at \
             in the other (out of sample), among {} trials.",
            self.combinations, self.trials
        )];
        found.push(format!(
            "In {} of the ways it was at or below the median out of sample (PBO), in {} its Sharpe ratio was below 0 \
             there.",
            percent(self.pbo),
            percent(self.loss)
        ));
        if let Some(slope) = self.slope {
            let meaning = if slope < 0.0 {
                "the better in sample, the worse out of sample"
            } else {
                "better in sample meant better out of sample"
            };
            found.push(format!(
                "For each 1.0 more in sample the Sharpe ratio out of sample changed by {slope:+.2}: {meaning}. The two \
                 halves share a fixed whole, which alone pulls the slope below 0."
            ));
        }
        found
    }
}
