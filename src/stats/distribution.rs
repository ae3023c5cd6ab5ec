//! Quantiles, value at risk and the shape of the return distribution.

use super::NEGLIGIBLE_DEVIATION;
use super::normal;
use super::summation::{central_moments, mean, standard_deviation};

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// Quantile `p` of ascending values with linear interpolation at `(n - 1) p` (the default of numpy).
/// `None` without values or for `p` outside [0, 1].
pub fn quantile_sorted(ascending: &[f64], p: f64) -> Option<f64> {
    if ascending.is_empty() || !(0.0..=1.0).contains(&p) {
        return None;
    }
    let position = (ascending.len() - 1) as f64 * p;
    let below = position.floor();
    let low = ascending[below as usize];
    let high = ascending[position.ceil() as usize];
    Some(low + (high - low) * (position - below))
}

/// `abs(q95) / abs(q5)` (empyrical). `None` without returns or when the 5 % quantile is 0.
pub fn tail_ratio(returns: &[f64]) -> Option<f64> {
    let ascending = sorted(returns);
    let (q95, q5) = (quantile_sorted(&ascending, 0.95)?.abs(), quantile_sorted(&ascending, 0.05)?.abs());
    if q5 > 0.0 { Some(q95 / q5) } else { None }
}

/// The 5 % quantile of the returns, negative for a loss (empyrical `value_at_risk`). `None` without returns.
pub fn var_95_historical(returns: &[f64]) -> Option<f64> {
    quantile_sorted(&sorted(returns), 0.05)
}

/// Mean of the `floor((n - 1) * 0.05) + 1` smallest returns (empyrical `conditional_value_at_risk`). `None`
/// without returns.
pub fn cvar_95_historical(returns: &[f64]) -> Option<f64> {
    let count = returns.len().checked_sub(1)? / 20 + 1;
    mean(&sorted(returns)[..count])
}

/// `mean + sd * Phi^-1(0.05)` with divisor n - 1 (quantstats `value_at_risk`). `None` below two returns.
pub fn var_95_gaussian(returns: &[f64]) -> Option<f64> {
    Some(mean(returns)? + standard_deviation(returns)? * normal::quantile(0.05))
}

/// Moments 2, 3, 4 where there is dispersion to divide by.
fn dispersed_moments(returns: &[f64]) -> Option<[f64; 3]> {
    central_moments(returns).filter(|[m2, _, _]| m2.sqrt() >= NEGLIGIBLE_DEVIATION)
}

/// `m3 / m2^1.5` with population moments (scipy `skew`; quantstats and pandas correct for bias). `None`
/// without dispersion.
pub fn skewness(returns: &[f64]) -> Option<f64> {
    dispersed_moments(returns).map(|[m2, m3, _]| m3 / (m2 * m2.sqrt()))
}

/// `m4 / m2^2 - 3` with population moments (scipy `kurtosis`; quantstats and pandas correct for bias). `None`
/// without dispersion.
pub fn kurtosis_excess(returns: &[f64]) -> Option<f64> {
    dispersed_moments(returns).map(|[m2, _, m4]| m4 / (m2 * m2) - 3.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_interpolate_as_numpy_does() {
        let values = [1.0, 2.0, 4.0, 8.0];
        assert_eq!(quantile_sorted(&values, 0.0), Some(1.0));
        assert_eq!(quantile_sorted(&values, 0.5), Some(3.0));
        assert_eq!(quantile_sorted(&values, 1.0), Some(8.0));
        assert_eq!(quantile_sorted(&values, 1.1), None);
        assert_eq!(quantile_sorted(&[], 0.5), None);
    }

    #[test]
    fn tails_by_hand() {
        // 21 returns -10..10: the 5 % quantile is the second smallest, the mean of the two smallest -9.5.
        let returns: Vec<f64> = (-10..=10).rev().map(f64::from).collect();
        assert_eq!(var_95_historical(&returns), Some(-9.0));
        assert_eq!(cvar_95_historical(&returns), Some(-9.5));
        assert_eq!(tail_ratio(&returns), Some(1.0));
        assert_eq!(cvar_95_historical(&returns[..20]), Some(-9.0));
        assert_eq!(cvar_95_historical(&[]), None);
        assert_eq!(tail_ratio(&[0.0; 3]), None);
    }

    #[test]
    fn shape_by_hand() {
        // Of 0, 0, 0, 4: deviations -1, -1, -1, 3: m2 = 3, m3 = 6, m4 = 21.
        let values = [0.0, 0.0, 0.0, 4.0];
        assert!((skewness(&values).unwrap() - 6.0 / 27f64.sqrt()).abs() < 1e-15);
        assert!((kurtosis_excess(&values).unwrap() - (21.0 / 9.0 - 3.0)).abs() < 1e-15);
        assert_eq!((skewness(&[1.5; 4]), kurtosis_excess(&[1.5; 4])), (None, None));
    }
}
