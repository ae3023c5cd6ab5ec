//! Returns that depend on the day before.

use super::NEGLIGIBLE_DEVIATION;
use super::returns::sharpe_per_period;
use super::summation::{deviations, sum};

/// Autocorrelations `rho_1 .. rho_lags`, all with the mean and the divisor of the whole series. `None` without
/// dispersion or with fewer than `lags + 1` values.
pub fn autocorrelations(values: &[f64], lags: usize) -> Option<Vec<f64>> {
    if values.len() <= lags {
        return None;
    }
    let centred: Vec<f64> = deviations(values).collect();
    let variance = sum(centred.iter().map(|d| d * d));
    if (variance / centred.len() as f64).sqrt() < NEGLIGIBLE_DEVIATION {
        return None;
    }
    let at = |lag: usize| sum(centred.iter().zip(&centred[lag..]).map(|(a, b)| a * b)) / variance;
    Some((1..=lags).map(at).collect())
}

/// Sharpe ratio of `q` periods together (252 days: annualised), with the autocorrelation of the returns taken
/// into account: `SR q / sqrt(q + 2 sum_(k<q) (q - k) rho_k)`; `rf` per period. Without autocorrelation this is
/// `SR sqrt(q)`. `None` where the Sharpe ratio or the lags are undefined (`q` must be below the number of
/// returns), or when the sum of `q` returns has no variance left.
///
/// A. W. Lo, *The Statistics of Sharpe Ratios*, Financial Analysts Journal 58 (2002).
pub fn sharpe_adjusted_for_autocorrelation(returns: &[f64], rf: f64, q: usize) -> Option<f64> {
    let sharpe = sharpe_per_period(returns, rf)?;
    let rho = autocorrelations(returns, q.checked_sub(1)?)?;
    time_aggregation(&rho, q).map(|factor| sharpe * factor)
}

/// `q / sqrt(q + 2 sum_(k<q) (q - k) rho_k)`.
fn time_aggregation(rho: &[f64], q: usize) -> Option<f64> {
    let weighted = rho.iter().zip(1..q).map(|(rho, k)| (q - k) as f64 * rho);
    let variance = q as f64 + 2.0 * sum(weighted);
    if variance > 0.0 { Some(q as f64 / variance.sqrt()) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn autocorrelations_by_hand() {
        // Deviations of 1, 2, 6 from 3: -2, -1, 3; squares 14, lag 1: 2 - 3, lag 2: -6.
        let rho = autocorrelations(&[1.0, 2.0, 6.0], 2).unwrap();
        assert!((rho[0] + 1.0 / 14.0).abs() < 1e-15 && (rho[1] + 6.0 / 14.0).abs() < 1e-15);
        assert_eq!(autocorrelations(&[1.0, 2.0, 6.0], 3), None);
        assert_eq!(autocorrelations(&[2.0; 5], 1), None);
    }

    #[test]
    fn lo_s_closed_form_for_a_first_order_process() {
        // Equation 21 of the paper, for rho_k = rho^k.
        for rho in [-0.3f64, 0.2, 0.9] {
            let q = 12;
            let powers: Vec<f64> = (1..q).map(|k| libm::pow(rho, k as f64)).collect();
            let n = q as f64;
            let bracket = 1.0 + 2.0 * rho / (1.0 - rho) * (1.0 - (1.0 - libm::pow(rho, n)) / (n * (1.0 - rho)));
            let factor = time_aggregation(&powers, q).unwrap();
            assert!((factor - n.sqrt() / bracket.sqrt()).abs() < 1e-12, "{rho}: {factor}");
        }
        assert_eq!(time_aggregation(&[0.0; 251], 252), Some(252.0 / 252f64.sqrt()));
    }

    #[test]
    fn undefined_is_none() {
        let returns = [0.01, -0.02, 0.03, 0.0];
        assert!(sharpe_adjusted_for_autocorrelation(&returns, 0.0, 3).is_some());
        assert_eq!(sharpe_adjusted_for_autocorrelation(&returns, 0.0, 0), None);
        assert_eq!(sharpe_adjusted_for_autocorrelation(&returns, 0.0, 5), None);
        assert_eq!(sharpe_adjusted_for_autocorrelation(&[0.01; 4], 0.0, 2), None);
        assert_eq!(time_aggregation(&[-0.9], 2).map(|f| f > 2.0), Some(true));
        assert_eq!(time_aggregation(&[-1.0], 2), None);
    }
}
