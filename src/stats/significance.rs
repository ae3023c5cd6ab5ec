//! How far a Sharpe ratio can be trusted. Sharpe ratios here are per period, not annualised.

use super::distribution::{kurtosis_excess, skewness};
use super::normal;
use super::returns::sharpe_per_period;

/// An estimated Sharpe ratio with what its uncertainty depends on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SharpeEstimate {
    /// Per period.
    pub sharpe: f64,
    /// Number of returns it was estimated from.
    pub periods: f64,
    /// Population skewness of the returns.
    pub skewness: f64,
    /// Population kurtosis of the returns: 3 for a normal distribution, not 0.
    pub kurtosis: f64,
}

impl SharpeEstimate {
    /// The estimate from `returns` over `rf` per day; `None` where the Sharpe ratio is undefined.
    pub fn of(returns: &[f64], rf: f64) -> Option<SharpeEstimate> {
        Some(SharpeEstimate {
            sharpe: sharpe_per_period(returns, rf)?,
            periods: returns.len() as f64,
            skewness: skewness(returns)?,
            kurtosis: kurtosis_excess(returns)? + 3.0,
        })
    }

    /// `1 - s SR + (k - 1)/4 SR^2`: the variance of the estimate times n - 1 (Mertens 2002; Lo 2002 for s = 0,
    /// k = 3).
    fn variance_factor(&self) -> f64 {
        1.0 - self.skewness * self.sharpe + (self.kurtosis - 1.0) / 4.0 * self.sharpe * self.sharpe
    }

    /// Probabilistic Sharpe ratio: the probability that the true Sharpe ratio exceeds `benchmark` (per period),
    /// `Phi((SR - SR*) sqrt(n - 1) / sqrt(1 - s SR + (k - 1)/4 SR^2))`. `None` where the estimate has no variance.
    ///
    /// D. H. Bailey & M. Lopez de Prado, *The Sharpe Ratio Efficient Frontier*, Journal of Risk 15 (2012).
    pub fn probability_above(&self, benchmark: f64) -> Option<f64> {
        let factor = self.variance_factor();
        if factor <= 0.0 || self.periods < 2.0 {
            return None;
        }
        let z = (self.sharpe - benchmark) * (self.periods - 1.0).sqrt() / factor.sqrt();
        Some(normal::cumulative(z)).filter(|p| p.is_finite())
    }

    /// Minimum track record length: the number of periods after which a Sharpe ratio like this one exceeds
    /// `benchmark` (per period) with `confidence`, `1 + (1 - s SR + (k - 1)/4 SR^2) (Phi^-1(c) / (SR - SR*))^2`.
    /// `None` unless the Sharpe ratio is above `benchmark` and `confidence` within (0, 1).
    ///
    /// D. H. Bailey & M. Lopez de Prado, *The Sharpe Ratio Efficient Frontier*, Journal of Risk 15 (2012).
    pub fn min_track_record_length(&self, benchmark: f64, confidence: f64) -> Option<f64> {
        if self.sharpe <= benchmark || !(confidence > 0.0 && confidence < 1.0) {
            return None;
        }
        let distance = normal::quantile(confidence) / (self.sharpe - benchmark);
        Some(1.0 + self.variance_factor() * distance * distance)
    }
}

/// [`SharpeEstimate::probability_above`] `benchmark` (per period) of the Sharpe ratio of `returns` over `rf` per
/// day.
pub fn probabilistic_sharpe_ratio(returns: &[f64], rf: f64, benchmark: f64) -> Option<f64> {
    SharpeEstimate::of(returns, rf)?.probability_above(benchmark)
}

/// [`SharpeEstimate::min_track_record_length`] of the Sharpe ratio of `returns` over `rf` per day.
pub fn min_track_record_length(returns: &[f64], rf: f64, benchmark: f64, confidence: f64) -> Option<f64> {
    SharpeEstimate::of(returns, rf)?.min_track_record_length(benchmark, confidence)
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

    /// The worked examples of *The Sharpe Ratio Efficient Frontier*: a Sharpe ratio of 0.458 over 24 months of a
    /// hedge fund (PSR 0.982 if the returns were normal, 0.913 with their skewness and kurtosis), and the years
    /// until a Sharpe ratio of 2 a year is above 1 with 95 % (2.73 by day, 2.83 by week, 3.24 by month; 4.99 by
    /// month with the moments of hedge funds).
    #[test]
    fn the_paper_s_examples() {
        let fund = |skewness, kurtosis| SharpeEstimate { sharpe: 0.458, periods: 24.0, skewness, kurtosis };
        assert!((fund(0.0, 3.0).probability_above(0.0).unwrap() - 0.982).abs() < 5e-4);
        assert!((fund(-2.448, 10.164).probability_above(0.0).unwrap() - 0.913).abs() < 5e-4);
        for (a_year, skewness, kurtosis, years) in
            [(252.0, 0.0, 3.0, 2.73), (52.0, 0.0, 3.0, 2.83), (12.0, 0.0, 3.0, 3.24), (12.0, -0.72, 5.78, 4.99)]
        {
            let root = f64::sqrt(a_year);
            let estimate = SharpeEstimate { sharpe: 2.0 / root, periods: a_year, skewness, kurtosis };
            let length = estimate.min_track_record_length(1.0 / root, 0.95).unwrap();
            assert!((length / a_year - years).abs() < 5e-3, "{length}");
        }
    }

    #[test]
    fn undefined_is_none() {
        assert_eq!(probabilistic_sharpe_ratio(&[0.01; 5], 0.0, 0.0), None);
        assert_eq!(min_track_record_length(&RETURNS, 0.02, 0.0, 0.95), None);
        assert_eq!(min_track_record_length(&RETURNS, 0.0, 0.0, 1.0), None);
    }
}
