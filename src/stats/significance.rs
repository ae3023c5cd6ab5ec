//! How far a Sharpe ratio can be trusted. Sharpe ratios here are per period, not annualised.

use super::distribution::{kurtosis_excess, skewness};
use super::normal;
use super::returns::sharpe_per_period;

/// `1 - s SR + (k - 1)/4 SR^2`: the variance of the estimated Sharpe ratio times n - 1, for returns with
/// skewness s and kurtosis k (Mertens 2002).
fn variance_factor(returns: &[f64], sharpe: f64) -> Option<f64> {
    let kurtosis = kurtosis_excess(returns)? + 3.0;
    Some(1.0 - skewness(returns)? * sharpe + (kurtosis - 1.0) / 4.0 * sharpe * sharpe)
}

/// Probabilistic Sharpe ratio: the probability that the true Sharpe ratio exceeds `benchmark` (per period),
/// `Phi((SR - SR*) sqrt(n - 1) / sqrt(1 - s SR + (k - 1)/4 SR^2))`; `rf` per day. `None` where the Sharpe
/// ratio is undefined.
///
/// D. H. Bailey & M. Lopez de Prado, *The Sharpe Ratio Efficient Frontier*, Journal of Risk 15 (2012).
pub fn probabilistic_sharpe_ratio(returns: &[f64], rf: f64, benchmark: f64) -> Option<f64> {
    let sharpe = sharpe_per_period(returns, rf)?;
    let factor = variance_factor(returns, sharpe)?;
    if factor <= 0.0 {
        return None;
    }
    let n = returns.len() as f64;
    Some(normal::cumulative((sharpe - benchmark) * (n - 1.0).sqrt() / factor.sqrt()))
}

/// Minimum track record length: the number of periods after which a Sharpe ratio like this one exceeds
/// `benchmark` (per period) with `confidence`, `1 + (1 - s SR + (k - 1)/4 SR^2) (Phi^-1(c) / (SR - SR*))^2`;
/// `rf` per day. `None` unless the Sharpe ratio is above `benchmark` and `confidence` within (0, 1).
///
/// D. H. Bailey & M. Lopez de Prado, *The Sharpe Ratio Efficient Frontier*, Journal of Risk 15 (2012).
pub fn min_track_record_length(returns: &[f64], rf: f64, benchmark: f64, confidence: f64) -> Option<f64> {
    let sharpe = sharpe_per_period(returns, rf)?;
    if sharpe <= benchmark || !(confidence > 0.0 && confidence < 1.0) {
        return None;
    }
    let distance = normal::quantile(confidence) / (sharpe - benchmark);
    Some(1.0 + variance_factor(returns, sharpe)? * distance * distance)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean 0.01, sample sd 0.02 * sqrt(4/3), symmetric with kurtosis 1: SR^2 = 3/16, factor 1.
    const RETURNS: [f64; 4] = [-0.01, 0.03, -0.01, 0.03];

    #[test]
    fn by_hand() {
        let sharpe = (3.0f64 / 16.0).sqrt();
        let psr = probabilistic_sharpe_ratio(&RETURNS, 0.0, 0.0).unwrap();
        assert!((psr - normal::cumulative(sharpe * 3f64.sqrt())).abs() < 1e-14);
        let z = normal::quantile(0.95);
        let length = min_track_record_length(&RETURNS, 0.0, 0.0, 0.95).unwrap();
        assert!((length - (1.0 + z * z / (3.0 / 16.0))).abs() < 1e-11);
    }

    #[test]
    fn the_two_agree() {
        // A track record of exactly the minimum length has a PSR of exactly the confidence asked for.
        let returns = [0.02, -0.01, 0.03, 0.005, -0.02, 0.04, 0.01];
        let psr = probabilistic_sharpe_ratio(&returns, 0.001, 0.0).unwrap();
        let length = min_track_record_length(&returns, 0.001, 0.0, psr).unwrap();
        assert!((length - returns.len() as f64).abs() < 1e-11);
    }

    #[test]
    fn undefined_is_none() {
        assert_eq!(probabilistic_sharpe_ratio(&[0.01; 5], 0.0, 0.0), None);
        assert_eq!(min_track_record_length(&RETURNS, 0.02, 0.0, 0.95), None);
        assert_eq!(min_track_record_length(&RETURNS, 0.0, 0.0, 1.0), None);
    }
}
