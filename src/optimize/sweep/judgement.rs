//! Whether the best trial of a sweep is more than luck: the overfitting figures of `stats`, from the files of the
//! sweep's folder.

use super::{Rows, SweepError, SweepFile};
use crate::optimize::{History, Outcome};
use crate::settings::Key;
use crate::stats::overfit::{
    Evidence, Overfit, OverfitOptions, TrialReturns, deflated_sharpe_ratio, expected_maximum, overfit, variance_of,
};
use crate::stats::{PERIODS_PER_YEAR, SharpeEstimate, daily_risk_free, sharpe_per_period};
use serde_json::{Map, Value as Json, json};
use std::path::Path;

/// Most trials whose returns are compared with each other (PBO, SPA, correlation): the best by the first objective.
/// Every trial counts in the deflated Sharpe ratio.
pub const MOST_COMPARED: usize = 2_000;

/// The figures and what they mean.
pub(super) struct Judgement {
    pub figures: Map<String, Json>,
    pub evidence: Option<Evidence>,
}

/// Judges the best trial. `ranked`: trials with a value, the best one first.
pub(super) fn judge(
    dir: &Path,
    sweep: &SweepFile,
    history: &History,
    ranked: &[usize],
) -> Result<Judgement, SweepError> {
    let own = history.trials.len();
    let attempted = own.saturating_add(usize::try_from(sweep.earlier_trials).unwrap_or(usize::MAX));
    let counts = json!({
        "trials": attempted,
        "own_trials": own,
        "earlier_trials": sweep.earlier_trials,
        "earlier_sweeps": sweep.earlier_sweeps,
        "compared_trials": ranked.len().min(MOST_COMPARED),
    });
    let Some(&best) = ranked.first() else {
        let mut figures = Map::new();
        for name in ["deflated_sharpe", "psr", "pbo", "min_track_record_length", "spa_p"] {
            figures.insert(name.to_string(), Json::Null);
        }
        figures.extend(counts.as_object().cloned().unwrap_or_default());
        return Ok(Judgement { figures, evidence: None });
    };
    let rate = sweep.spec.run.settings.number(Key::RiskFreeRate);
    let rf = daily_risk_free(rate).ok_or_else(|| SweepError::Input(format!("RISK_FREE_RATE {rate} is unusable")))?;

    let mut compared: Vec<usize> = ranked.iter().copied().take(MOST_COMPARED).collect();
    compared.sort_unstable();
    let mut rows = Rows::of_sweep(dir, sweep)?;
    let (mut returns, mut selected, mut ratios, mut id) = (Vec::new(), Vec::new(), Vec::new(), 0);
    while let Some(row) = rows.next()? {
        if matches!(history.trials.get(id).and_then(|t| t.outcome.as_ref()), Some(Outcome::Complete { .. })) {
            ratios.push(sharpe_per_period(&row, rf));
            if id == best {
                selected.clone_from(&row);
            }
            if compared.binary_search(&id).is_ok() {
                returns.push(row);
            }
        }
        id += 1;
    }
    let wrong = |error: &dyn std::fmt::Display| SweepError::File {
        path: dir.join(super::RETURNS_FILE),
        reason: error.to_string(),
    };
    let trials = TrialReturns::new(&returns).map_err(|error| wrong(&error))?;
    drop(returns);
    let options = OverfitOptions {
        risk_free_rate: rate,
        replications: usize::try_from(sweep.spec.bootstrap).unwrap_or(usize::MAX),
        seed: sweep.spec.run.seed,
        ..OverfitOptions::new(attempted)
    };
    let mut judged = overfit(&trials, &selected, None, &options).map_err(|error| wrong(&error))?;
    if ratios.len() > trials.len() {
        deflate_by_all(&mut judged, &selected, &ratios, rf);
    }
    let mut figures = match serde_json::to_value(&judged) {
        Ok(Json::Object(map)) => map,
        other => return Err(SweepError::Internal(format!("figures are no object: {other:?}"))),
    };
    // The verdict stands beside the figures, and knows the neighbourhood too.
    figures.remove("verdict");
    figures.extend(counts.as_object().cloned().unwrap_or_default());
    Ok(Judgement { figures, evidence: Some(judged.evidence()) })
}

/// The deflated Sharpe ratio from the dispersion of all trials, not only of the compared ones, which are the best
/// and so lie closer together.
fn deflate_by_all(judged: &mut Overfit, selected: &[f64], ratios: &[Option<f64>], rf: f64) {
    let variance = variance_of(ratios);
    let trials = judged.trials as f64;
    let estimate = SharpeEstimate::of(selected, rf);
    let deflated = |trials: f64| deflated_sharpe_ratio(&estimate?, variance, trials);
    judged.deflated_sharpe = deflated(trials);
    judged.deflated_sharpe_neff = judged.effective_trials.and_then(|effective| deflated(effective.max(1.0)));
    judged.expected_max_sharpe = expected_maximum(trials)
        .zip(variance)
        .map(|(maximum, variance)| maximum * variance.sqrt() * PERIODS_PER_YEAR.sqrt());
}
