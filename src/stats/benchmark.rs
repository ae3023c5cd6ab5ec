//! Returns against a benchmark. Both series have the same days; functions answer `None` when their lengths
//! differ or the result is undefined.

use super::summation::{cross_deviations, mean, standard_deviation};
use super::{NEGLIGIBLE_DEVIATION, PERIODS_PER_YEAR};

/// `cov(r, b) / var(b)` (empyrical, quantstats). `None` below two days or without dispersion of the benchmark.
pub fn beta(returns: &[f64], benchmark: &[f64]) -> Option<f64> {
    if returns.len() != benchmark.len() || standard_deviation(benchmark)? < NEGLIGIBLE_DEVIATION {
        return None;
    }
    let [_, covariance, variance] = cross_deviations(returns, benchmark);
    Some(covariance / variance)
}

/// `mean(r - rf) - beta * mean(b - rf)`, per day.
fn alpha_daily(returns: &[f64], benchmark: &[f64], rf: f64) -> Option<f64> {
    let beta = beta(returns, benchmark)?;
    Some((mean(returns)? - rf) - beta * (mean(benchmark)? - rf))
}

/// `(mean(r - rf) - beta * mean(b - rf)) * 252` (quantstats `greeks`, which has rf = 0); `rf` per day.
pub fn alpha_annual_arithmetic(returns: &[f64], benchmark: &[f64], rf: f64) -> Option<f64> {
    alpha_daily(returns, benchmark, rf).map(|alpha| alpha * PERIODS_PER_YEAR)
}

/// `(1 + daily alpha)^252 - 1` (empyrical `alpha`); `rf` per day.
pub fn alpha_annual_compounded(returns: &[f64], benchmark: &[f64], rf: f64) -> Option<f64> {
    let alpha = alpha_daily(returns, benchmark, rf)?;
    if alpha > -1.0 { Some(libm::expm1(PERIODS_PER_YEAR * libm::log1p(alpha))) } else { None }
}

fn differences(returns: &[f64], benchmark: &[f64]) -> Option<Vec<f64>> {
    if returns.len() != benchmark.len() {
        return None;
    }
    Some(returns.iter().zip(benchmark).map(|(r, b)| r - b).collect())
}

/// `sd(r - b) * sqrt(252)`, divisor n - 1. `None` below two days.
pub fn tracking_error_annual(returns: &[f64], benchmark: &[f64]) -> Option<f64> {
    standard_deviation(&differences(returns, benchmark)?).map(|sd| sd * PERIODS_PER_YEAR.sqrt())
}

/// `mean(r - b) / sd(r - b) * sqrt(252)` (empyrical `excess_sharpe` without the square root). `None` below
/// two days or when both series move alike.
pub fn information_ratio_annual(returns: &[f64], benchmark: &[f64]) -> Option<f64> {
    let differences = differences(returns, benchmark)?;
    let sd = standard_deviation(&differences)?;
    if sd < NEGLIGIBLE_DEVIATION {
        return None;
    }
    mean(&differences).map(|excess| excess / sd * PERIODS_PER_YEAR.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leveraged_copy_has_its_leverage_as_beta_and_no_alpha() {
        let benchmark = [0.01, -0.02, 0.03, 0.0];
        let returns = benchmark.map(|b| 2.0 * b + 0.001);
        assert!((beta(&returns, &benchmark).unwrap() - 2.0).abs() < 1e-14);
        assert!((alpha_annual_arithmetic(&returns, &benchmark, 0.0).unwrap() - 0.252).abs() < 1e-14);
        let compounded = libm::pow(1.001, 252.0) - 1.0;
        assert!((alpha_annual_compounded(&returns, &benchmark, 0.0).unwrap() - compounded).abs() < 1e-13);
    }

    #[test]
    fn tracking_by_hand() {
        // Differences 0.01, 0.03: mean 0.02, sd sqrt(2) * 0.01.
        let (returns, benchmark) = ([0.02, 0.01], [0.01, -0.02]);
        let year = 252f64.sqrt();
        assert!((tracking_error_annual(&returns, &benchmark).unwrap() - 0.01 * 2f64.sqrt() * year).abs() < 1e-15);
        assert!((information_ratio_annual(&returns, &benchmark).unwrap() - 2f64.sqrt() * year).abs() < 1e-12);
    }

    #[test]
    fn undefined_is_none() {
        assert_eq!(beta(&[0.1, 0.2], &[0.1, 0.1]), None);
        assert_eq!(beta(&[0.1, 0.2], &[0.1, 0.2, 0.3]), None);
        assert_eq!(tracking_error_annual(&[0.1], &[0.2]), None);
        assert_eq!(information_ratio_annual(&[0.1, 0.2], &[0.1, 0.2]), None);
    }
}
