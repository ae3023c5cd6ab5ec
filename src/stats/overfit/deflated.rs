//! The Sharpe ratio of the best of many trials.

use super::TrialReturns;
use crate::stats::returns::sharpe_per_period;
use crate::stats::summation::{deviations, standard_deviation, sum};
use crate::stats::{NEGLIGIBLE_DEVIATION, SharpeEstimate, normal};
use std::f64::consts::E;

/// The Euler-Mascheroni constant.
const EULER_GAMMA: f64 = 0.577_215_664_901_532_9;

/// Expected maximum of `n` independent standard normal numbers,
/// `(1 - g) Phi^-1(1 - 1/n) + g Phi^-1(1 - 1/(n e))`, g the Euler-Mascheroni constant; 0 for `n` = 1.
///
/// `n` need not be whole. Just above 1, where the approximation turns negative, it is 0: nobody is unluckier for
/// having tried more. `None` below 1.
///
/// D. H. Bailey & M. Lopez de Prado, *The Deflated Sharpe Ratio*, Journal of Portfolio Management 40 (2014).
pub fn expected_maximum(n: f64) -> Option<f64> {
    if !(n >= 1.0 && n.is_finite()) {
        return None;
    }
    if n == 1.0 {
        return Some(0.0);
    }
    // The lower tail keeps its digits where 1 - 1/n would round: Phi^-1(1 - p) = -Phi^-1(p).
    let maximum = -(1.0 - EULER_GAMMA) * normal::quantile(1.0 / n) - EULER_GAMMA * normal::quantile(1.0 / (n * E));
    Some(maximum.max(0.0))
}

/// Deflated Sharpe ratio: the probability that the true Sharpe ratio exceeds `SR0 = sqrt(V) E[max of N]`, the
/// Sharpe ratio that the luckiest of N worthless trials is expected to show. `variance` is that of the trials'
/// Sharpe ratios per period (divisor n - 1), `trials` every trial ever made on these data, failed and stopped
/// ones too. With one trial it is the probability that the Sharpe ratio is above 0, whatever the variance.
/// `None` where the estimate has no variance, for `trials` below 1, and without a variance of several trials.
///
/// D. H. Bailey & M. Lopez de Prado, *The Deflated Sharpe Ratio*, Journal of Portfolio Management 40 (2014).
pub fn deflated_sharpe_ratio(estimate: &SharpeEstimate, variance: Option<f64>, trials: f64) -> Option<f64> {
    let maximum = expected_maximum(trials)?;
    if maximum == 0.0 {
        return estimate.probability_above(0.0);
    }
    let deviation = variance.filter(|v| *v >= 0.0)?.sqrt();
    estimate.probability_above(deviation * maximum)
}

/// Sharpe ratio per period of every trial over `rf` per day; `None` for one without dispersion.
pub fn sharpe_ratios(trials: &TrialReturns, rf: f64) -> Vec<Option<f64>> {
    trials.iter().map(|returns| sharpe_per_period(returns, rf)).collect()
}

/// The trial with the highest Sharpe ratio over `rf` per day, the first one on ties; `None` when none has one.
pub fn best_by_sharpe(trials: &TrialReturns, rf: f64) -> Option<usize> {
    let mut best: Option<(usize, f64)> = None;
    for (k, sharpe) in sharpe_ratios(trials, rf).into_iter().enumerate() {
        if let Some(sharpe) = sharpe
            && best.is_none_or(|(_, highest)| sharpe > highest)
        {
            best = Some((k, sharpe));
        }
    }
    best.map(|(k, _)| k)
}

/// Variance (divisor n - 1) of those Sharpe ratios that are defined; `None` below two. A trial that never traded
/// has none: it counts as a trial, but not here.
pub fn variance_of(sharpe_ratios: &[Option<f64>]) -> Option<f64> {
    let defined: Vec<f64> = sharpe_ratios.iter().copied().flatten().collect();
    standard_deviation(&defined).map(|sd| sd * sd)
}

/// Mean correlation over all pairs of trials, in one pass over the returns: with every trial scaled to mean 0 and
/// length 1, the square of their sum is the sum of all correlations, so
/// `(|sum of all|^2 - sum of |each|^2) / (N (N - 1))`. Trials without dispersion have no correlation and are left
/// out. `None` below two others.
pub fn mean_pairwise_correlation(trials: &TrialReturns) -> Option<f64> {
    let mut total = vec![0.0; trials.days()];
    let mut own = 0.0;
    let mut count = 0.0;
    for returns in trials.iter() {
        let centred: Vec<f64> = deviations(returns).collect();
        let length = sum(centred.iter().map(|d| d * d)).sqrt();
        if returns.len() < 2 || length / ((returns.len() - 1) as f64).sqrt() < NEGLIGIBLE_DEVIATION {
            continue;
        }
        for (total, d) in total.iter_mut().zip(&centred) {
            *total += d / length;
        }
        own += sum(centred.iter().map(|d| (d / length) * (d / length)));
        count += 1.0;
    }
    if count < 2.0 {
        return None;
    }
    Some((sum(total.iter().map(|t| t * t)) - own) / (count * (count - 1.0)))
}

/// Number of independent trials that `trials` with a mean pairwise correlation of `correlation` amount to:
/// `rho + (1 - rho) M`.
///
/// D. H. Bailey & M. Lopez de Prado, *The Deflated Sharpe Ratio*, Journal of Portfolio Management 40 (2014).
pub fn effective_trials(correlation: f64, trials: f64) -> f64 {
    correlation + (1.0 - correlation) * trials
}

/// Minimum backtest length in years: below it, the best of `trials` worthless trials is expected to show an
/// annual Sharpe ratio like this one, `(E[max of N] / SR)^2`. `None` unless the Sharpe ratio is positive.
///
/// D. H. Bailey, J. M. Borwein, M. Lopez de Prado, Q. J. Zhu, *Pseudo-Mathematics and Financial Charlatanism*,
/// Notices of the AMS 61 (2014).
pub fn min_backtest_length_years(annual_sharpe: f64, trials: f64) -> Option<f64> {
    if annual_sharpe.is_nan() || annual_sharpe <= 0.0 {
        return None;
    }
    let ratio = expected_maximum(trials)? / annual_sharpe;
    Some(ratio * ratio)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The worked example of *The Deflated Sharpe Ratio*: the best of 100 trials has a Sharpe ratio of 2.5 a year
    /// over 1,250 days of 250 a year, skewness -3, kurtosis 10; the trials' Sharpe ratios vary by 1/2 a year. SR0
    /// is 0.1132 a day, DSR 0.9004; it would be 0.9505 after 46 trials, or after 88 with normal returns.
    #[test]
    fn the_paper_s_example() {
        let best =
            |skewness, kurtosis| SharpeEstimate { sharpe: 2.5 / 250f64.sqrt(), periods: 1250.0, skewness, kurtosis };
        let variance = Some(0.5 / 250.0);
        let threshold = (0.5f64 / 250.0).sqrt() * expected_maximum(100.0).unwrap();
        assert!((threshold - 0.113172001865).abs() < 1e-12, "{threshold}");
        let dsr = |estimate, n| deflated_sharpe_ratio(&estimate, variance, n).unwrap();
        assert!((dsr(best(-3.0, 10.0), 100.0) - 0.900396834449).abs() < 1e-11);
        assert!((dsr(best(-3.0, 10.0), 46.0) - 0.9505).abs() < 5e-5);
        assert!((dsr(best(0.0, 3.0), 88.0) - 0.9505).abs() < 5e-5);
        // Excess kurtosis where the formula wants kurtosis would have said 0.9018.
        assert!((dsr(best(-3.0, 7.0), 100.0) - 0.9018).abs() < 5e-5);
    }

    /// *Pseudo-Mathematics and Financial Charlatanism*: the best of 10 worthless trials is expected to show 1.57,
    /// and five years of data allow no more than 45 trials before a Sharpe ratio of 1 a year means nothing.
    #[test]
    fn expected_maximum_and_minimum_length_of_the_paper() {
        assert!((expected_maximum(10.0).unwrap() - 1.57).abs() < 5e-3);
        assert!(min_backtest_length_years(1.0, 45.0).unwrap() < 5.0);
        assert!(min_backtest_length_years(1.0, 46.0).unwrap() > 5.0);
        let quarter = min_backtest_length_years(2.0, 45.0).unwrap();
        assert!((4.0 * quarter - min_backtest_length_years(1.0, 45.0).unwrap()).abs() < 1e-12);
    }

    #[test]
    fn the_expected_maximum_grows_from_zero() {
        assert_eq!(expected_maximum(1.0), Some(0.0));
        assert_eq!(expected_maximum(1.05), Some(0.0));
        let values: Vec<f64> = [1.0, 2.0, 10.0, 1e3, 1e6, 1e15].map(|n| expected_maximum(n).unwrap()).to_vec();
        assert!(values.windows(2).all(|pair| pair[0] < pair[1]), "{values:?}");
        assert_eq!([0.0, 0.9, f64::NAN, f64::INFINITY].map(expected_maximum), [None; 4]);
    }

    #[test]
    fn one_trial_needs_no_deflation() {
        let estimate = SharpeEstimate::of(&[0.02, -0.01, 0.03, 0.005], 0.0).unwrap();
        let psr = estimate.probability_above(0.0);
        assert_eq!(deflated_sharpe_ratio(&estimate, None, 1.0), psr);
        assert_eq!(deflated_sharpe_ratio(&estimate, None, 2.0), None);
        assert!(deflated_sharpe_ratio(&estimate, Some(0.01), 2.0) < psr);
    }

    #[test]
    fn the_mean_correlation_is_that_of_all_pairs() {
        let trials = [
            vec![0.01, -0.02, 0.03, 0.00, 0.01],
            vec![0.02, -0.01, 0.01, 0.01, -0.03],
            vec![-0.01, 0.02, 0.00, 0.02, 0.01],
            vec![0.0; 5],
        ];
        let correlation = |a: &[f64], b: &[f64]| {
            let [aa, ab, bb] = crate::stats::summation::cross_deviations(a, b);
            ab / (aa * bb).sqrt()
        };
        let pairs = [(0, 1), (0, 2), (1, 2)].map(|(a, b)| correlation(&trials[a], &trials[b]));
        let expected = pairs.iter().sum::<f64>() / 3.0;
        let found = mean_pairwise_correlation(&TrialReturns::new(&trials).unwrap()).unwrap();
        assert!((found - expected).abs() < 1e-15, "{found} is not {expected}");
        let alone = TrialReturns::new(&[trials[0].clone(), trials[3].clone()]).unwrap();
        assert_eq!(mean_pairwise_correlation(&alone), None);
    }

    #[test]
    fn alike_trials_count_once_unlike_ones_all() {
        assert_eq!(effective_trials(1.0, 500.0), 1.0);
        assert_eq!(effective_trials(0.0, 500.0), 500.0);
        assert_eq!(effective_trials(0.5, 9.0), 5.0);
        let returns = [0.01, -0.02, 0.03, 0.00, 0.01];
        let copies = TrialReturns::new(&[returns, returns, returns]).unwrap();
        assert!((mean_pairwise_correlation(&copies).unwrap() - 1.0).abs() < 1e-14);
    }

    #[test]
    fn the_best_is_the_first_of_the_highest() {
        let trials = [[0.0, 0.0, 0.0], [0.01, -0.01, 0.0], [0.02, 0.01, 0.03], [0.02, 0.01, 0.03]];
        assert_eq!(best_by_sharpe(&TrialReturns::new(&trials).unwrap(), 0.0), Some(2));
        assert_eq!(best_by_sharpe(&TrialReturns::new(&trials[..1]).unwrap(), 0.0), None);
    }

    #[test]
    fn the_variance_leaves_out_trials_without_a_sharpe_ratio() {
        assert_eq!(variance_of(&[Some(1.0), None, Some(3.0)]), Some(2.0000000000000004));
        assert_eq!(variance_of(&[Some(1.0), None]), None);
    }
}
