//! Every figure on the best of many trials, by name.

use super::trials::check_finite;
use super::{
    BacktestOverfitting, BlockLength, Evidence, OverfitError, SuperiorAbility, TrialReturns, Verdict,
    backtest_overfitting, deflated_sharpe_ratio, effective_trials, expected_maximum, mean_pairwise_correlation,
    min_backtest_length_years, sharpe_ratios, superior_ability, variance_of, verdict,
};
use crate::stats::catalog::metric;
use crate::stats::{MetricInfo, PERIODS_PER_YEAR, SharpeEstimate, Unit, daily_risk_free};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// Every figure of [`Overfit`], in the order of every table.
pub const OVERFIT_METRICS: &[MetricInfo] = &[
    metric("psr", Unit::Fraction, "probability that the true Sharpe ratio is above 0, had there been one trial"),
    metric("min_track_record_length", Unit::Days, "days needed for a psr of 0.95"),
    metric("trials", Unit::Count, "trials made on these days, failed and stopped ones too"),
    metric(
        "expected_max_sharpe",
        Unit::Ratio,
        "annual Sharpe ratio that the luckiest of as many worthless trials shows",
    ),
    metric("deflated_sharpe", Unit::Fraction, "probability that the true Sharpe ratio is above that"),
    metric("mean_correlation", Unit::Ratio, "mean correlation over all pairs of trials"),
    metric("effective_trials", Unit::Ratio, "independent trials that they amount to, rho + (1-rho) * trials"),
    metric("deflated_sharpe_neff", Unit::Fraction, "deflated_sharpe with the effective number of trials"),
    metric(
        "min_backtest_length_years",
        Unit::Ratio,
        "years below which luck among as many trials shows this Sharpe ratio",
    ),
    metric("pbo", Unit::Fraction, "how often the best of one half of the days is at or below the median in the other"),
    metric("pbo_loss_probability", Unit::Fraction, "how often the best of one half of the days loses in the other"),
    metric("pbo_degradation_slope", Unit::Ratio, "slope of the Sharpe ratio in the other half on that in the first"),
    metric("spa_lower", Unit::Fraction, "lower bound of spa_p"),
    metric("spa_p", Unit::Fraction, "how often the best looks this good if no trial beats the benchmark (Hansen)"),
    metric("spa_upper", Unit::Fraction, "upper bound of spa_p"),
    metric("reality_check_p", Unit::Fraction, "the same without scaling by the standard errors (White)"),
    metric("bootstrap_block_length", Unit::Days, "mean length of the blocks of resampled days"),
];

/// How the best is judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OverfitOptions {
    /// Annual: 0.045 is 4.5 % a year.
    pub risk_free_rate: f64,
    /// Every trial made on these days; failed and stopped ones count though they have no returns.
    pub attempted: usize,
    /// Blocks of the cross-validation behind PBO: even, from 2 to [`MAX_BLOCKS`](super::MAX_BLOCKS).
    pub blocks: usize,
    /// Bootstrap replications of SPA and the reality check.
    pub replications: usize,
    /// Mean length of their blocks.
    pub block_length: BlockLength,
    /// Seed of their draws.
    pub seed: u64,
}

impl OverfitOptions {
    /// The usual choice for `attempted` trials: no risk-free rate, 16 blocks, 10,000 replications, seed 0.
    pub fn new(attempted: usize) -> OverfitOptions {
        OverfitOptions {
            risk_free_rate: 0.0,
            attempted,
            blocks: 16,
            replications: 10_000,
            block_length: BlockLength::Auto,
            seed: 0,
        }
    }
}

/// What speaks for luck and for skill; undefined figures are `None`. Serialises as one map under the names of
/// [`OVERFIT_METRICS`] and `verdict`.
#[derive(Debug, Clone, PartialEq)]
pub struct Overfit {
    /// Days of the returns.
    pub days: usize,
    /// Every trial made.
    pub trials: usize,
    /// Sharpe ratio of the judged returns, annualised.
    pub sharpe: Option<f64>,
    /// Probability that the true Sharpe ratio is above 0.
    pub psr: Option<f64>,
    /// Days needed for a psr of 0.95.
    pub min_track_record_length: Option<f64>,
    /// Annual Sharpe ratio that the luckiest of as many worthless trials shows.
    pub expected_max_sharpe: Option<f64>,
    /// Probability that the true Sharpe ratio is above that.
    pub deflated_sharpe: Option<f64>,
    /// Mean correlation over all pairs of trials.
    pub mean_correlation: Option<f64>,
    /// Independent trials that they amount to.
    pub effective_trials: Option<f64>,
    /// Deflated Sharpe ratio with that number of trials.
    pub deflated_sharpe_neff: Option<f64>,
    /// Years below which luck among as many trials shows this Sharpe ratio.
    pub min_backtest_length_years: Option<f64>,
    /// Cross-validation of the choice of the best.
    pub pbo: Option<BacktestOverfitting>,
    /// Test against the benchmark.
    pub spa: Option<SuperiorAbility>,
}

/// Judges `selected` (daily returns of the trial that was chosen) among `trials` over the same days. SPA compares
/// with `benchmark`, without one with the risk-free rate: doing nothing.
///
/// # Errors
/// A series of another length or with a value that is not finite, a risk-free rate of -1 or less, or fewer
/// attempts than trials; also as [`backtest_overfitting`] and [`superior_ability`].
pub fn overfit(
    trials: &TrialReturns,
    selected: &[f64],
    benchmark: Option<&[f64]>,
    options: &OverfitOptions,
) -> Result<Overfit, OverfitError> {
    let rate = options.risk_free_rate;
    let rf = daily_risk_free(rate).ok_or(OverfitError::RiskFreeRate(rate))?;
    if selected.len() != trials.days() {
        let (found, expected) = (selected.len(), trials.days());
        return Err(OverfitError::SeriesLength { what: "selected trial", found, expected });
    }
    check_finite(|| "selected trial".to_string(), selected)?;
    if options.attempted < trials.len() {
        return Err(OverfitError::Attempted { attempted: options.attempted, trials: trials.len() });
    }
    let nothing = vec![rf; trials.days()];
    let spa = superior_ability(
        trials,
        benchmark.unwrap_or(&nothing),
        options.replications,
        options.block_length,
        options.seed,
    )?;
    let pbo = backtest_overfitting(trials, options.blocks, rf)?;

    let year = PERIODS_PER_YEAR.sqrt();
    let n = options.attempted as f64;
    let estimate = SharpeEstimate::of(selected, rf);
    let variance = variance_of(&sharpe_ratios(trials, rf));
    let deflated = |n: f64| deflated_sharpe_ratio(&estimate?, variance, n);
    let luckiest = match expected_maximum(n) {
        Some(0.0) => Some(0.0),
        maximum => maximum.zip(variance).map(|(maximum, variance)| maximum * variance.sqrt() * year),
    };
    let correlation = mean_pairwise_correlation(trials);
    let effective = correlation.map(|rho| effective_trials(rho, n));
    let sharpe = estimate.map(|estimate| estimate.sharpe * year);
    Ok(Overfit {
        days: trials.days(),
        trials: options.attempted,
        sharpe,
        psr: estimate.and_then(|e| e.probability_above(0.0)),
        min_track_record_length: estimate.and_then(|e| e.min_track_record_length(0.0, 0.95)),
        expected_max_sharpe: luckiest,
        deflated_sharpe: deflated(n),
        mean_correlation: correlation,
        effective_trials: effective,
        // Copies of one trial can round to just below one.
        deflated_sharpe_neff: effective.and_then(|effective| deflated(effective.max(1.0))),
        min_backtest_length_years: sharpe.and_then(|sharpe| min_backtest_length_years(sharpe, n)),
        pbo,
        spa,
    })
}

impl Overfit {
    /// The figures in the order of [`OVERFIT_METRICS`], undefined ones included.
    pub fn iter(&self) -> impl Iterator<Item = (&'static MetricInfo, Option<f64>)> + '_ {
        let pbo = self.pbo.as_ref();
        let spa = self.spa.as_ref();
        let values = [
            self.psr,
            self.min_track_record_length,
            Some(self.trials as f64),
            self.expected_max_sharpe,
            self.deflated_sharpe,
            self.mean_correlation,
            self.effective_trials,
            self.deflated_sharpe_neff,
            self.min_backtest_length_years,
            pbo.map(|pbo| pbo.pbo),
            pbo.map(|pbo| pbo.loss_probability),
            pbo.and_then(|pbo| pbo.degradation_slope),
            spa.map(|spa| spa.spa_lower),
            spa.map(|spa| spa.spa_p),
            spa.map(|spa| spa.spa_upper),
            spa.map(|spa| spa.reality_check_p),
            spa.map(|spa| spa.block_length),
        ];
        // A result beyond the range of f64 is undefined.
        OVERFIT_METRICS.iter().zip(values.map(|value| value.filter(|v| v.is_finite())))
    }

    /// The figure called `name`; `None` when it is undefined or there is none.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.iter().find(|(info, _)| info.name == name).and_then(|(_, value)| value)
    }

    /// What the verdict is based on; a neighbourhood can be added.
    pub fn evidence(&self) -> Evidence {
        Evidence {
            trials: self.trials,
            days: self.days,
            sharpe: self.sharpe,
            expected_max_sharpe: self.expected_max_sharpe,
            deflated_sharpe: self.deflated_sharpe,
            deflated_sharpe_neff: self.deflated_sharpe_neff,
            min_track_record_length: self.min_track_record_length,
            pbo: self.get("pbo"),
            spa_p: self.get("spa_p"),
            neighbourhood: None,
        }
    }

    /// The figures in plain words.
    pub fn verdict(&self) -> Verdict {
        verdict(&self.evidence())
    }
}

impl Serialize for Overfit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(OVERFIT_METRICS.len() + 1))?;
        for (info, value) in self.iter() {
            match value {
                Some(value) if info.unit == Unit::Count => map.serialize_entry(info.name, &(value as u64))?,
                value => map.serialize_entry(info.name, &value)?,
            }
        }
        map.serialize_entry("verdict", &self.verdict())?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_draws::noise;
    use super::super::{Grade, best_by_sharpe};
    use super::*;
    use crate::stats::metric_info;

    fn quick(attempted: usize) -> OverfitOptions {
        OverfitOptions { blocks: 4, replications: 20, ..OverfitOptions::new(attempted) }
    }

    fn best_judged(trials: &TrialReturns, options: &OverfitOptions) -> Overfit {
        let best = best_by_sharpe(trials, 0.0).unwrap();
        overfit(trials, trials.trial(best), None, options).unwrap()
    }

    #[test]
    fn what_the_metrics_have_too_is_the_same() {
        let trials = noise(4, 40, 1);
        let judged = best_judged(&trials, &quick(4));
        let best = best_by_sharpe(&trials, 0.0).unwrap();
        let metrics = crate::stats::performance(trials.trial(best), 0.0, None, None).unwrap();
        for name in ["psr", "min_track_record_length"] {
            assert!(metric_info(name).is_some() && judged.get(name) == metrics.get(name), "{name}");
        }
        assert_eq!(judged.sharpe, metrics.get("sharpe"));
        let json = serde_json::to_value(&judged).unwrap();
        let keys: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
        let table: Vec<&str> = OVERFIT_METRICS.iter().map(|info| info.name).chain(["verdict"]).collect();
        assert_eq!(keys, table);
        assert!(json["trials"].is_u64());
    }

    #[test]
    fn doing_nothing_earns_the_risk_free_rate() {
        let trials = noise(4, 40, 1);
        let options = OverfitOptions { risk_free_rate: 0.5, ..quick(4) };
        let rf = vec![daily_risk_free(0.5).unwrap(); 40];
        let of = |benchmark| overfit(&trials, trials.trial(0), benchmark, &options).unwrap();
        assert_eq!(of(None), of(Some(&rf)));
        assert!(of(None).get("spa_p") >= overfit(&trials, trials.trial(0), None, &quick(4)).unwrap().get("spa_p"));
    }

    #[test]
    fn failed_trials_count_though_they_have_no_returns() {
        let trials = noise(6, 60, 5);
        let (few, many) = (best_judged(&trials, &quick(6)), best_judged(&trials, &quick(600)));
        assert!(many.deflated_sharpe < few.deflated_sharpe && many.deflated_sharpe < Some(0.5));
        assert_eq!((many.trials, many.psr), (600, few.psr));
        assert!(many.min_backtest_length_years > few.min_backtest_length_years);
    }

    /// Of 60 best of 20 worthless trials at most 3 may pass for skill at 95 %; none was graded as evidence.
    #[test]
    fn the_best_of_noise_is_not_skill() {
        let judged: Vec<Overfit> = (0..60).map(|seed| best_judged(&noise(20, 60, 900 + seed), &quick(20))).collect();
        let passed = judged.iter().filter(|found| found.deflated_sharpe > Some(0.95)).count();
        assert!(passed <= 3, "{passed}");
        let single = judged.iter().filter(|found| found.psr > Some(0.95)).count();
        assert!(single > 30, "{single}: without deflation most would pass");
        assert!(judged.iter().all(|found| found.verdict().grade <= Grade::NotDistinguishable));
    }

    #[test]
    fn unusable_input_is_refused() {
        let trials = noise(3, 20, 1);
        let ask = |selected: &[f64], options: OverfitOptions| overfit(&trials, selected, None, &options).unwrap_err();
        let own = trials.trial(0);
        assert_eq!(ask(own, quick(2)), OverfitError::Attempted { attempted: 2, trials: 3 });
        let rate = OverfitOptions { risk_free_rate: -1.0, ..quick(3) };
        assert_eq!(ask(own, rate), OverfitError::RiskFreeRate(-1.0));
        assert!(matches!(ask(&own[1..], quick(3)), OverfitError::SeriesLength { found: 19, expected: 20, .. }));
        assert!(matches!(ask(&[f64::NAN; 20], quick(3)), OverfitError::NotFinite { day: 1, .. }));
        assert_eq!(ask(own, OverfitOptions { blocks: 5, ..quick(3) }), OverfitError::Blocks(5));
    }

    #[test]
    fn what_does_not_vary_cannot_be_judged() {
        let idle = TrialReturns::new(&[[0.0; 20], [0.0; 20]]).unwrap();
        let found = overfit(&idle, idle.trial(0), None, &quick(2)).unwrap();
        assert_eq!((found.sharpe, found.deflated_sharpe, found.get("spa_p")), (None, None, None));
        assert_eq!(found.verdict().grade, Grade::CannotBeJudged);
    }
}
