//! Growth, volatility and ratios of daily returns.

use super::summation::{cross_deviations, mean, standard_deviation, sum};
use super::{NEGLIGIBLE_DEVIATION, PERIODS_PER_YEAR};

/// The daily rate that compounds to `annual` over a year: `(1 + annual)^(1/252) - 1`.
/// `None` unless `annual` is finite and above -1.
pub fn daily_risk_free(annual: f64) -> Option<f64> {
    if annual.is_finite() && annual > -1.0 { Some(libm::expm1(libm::log1p(annual) / PERIODS_PER_YEAR)) } else { None }
}

/// Simple returns `E_t / E_(t-1) - 1` of closing equities, `start` being `E_0`.
///
/// An account whose equity is no longer positive has nothing left to earn a return on: the fall into ruin is
/// the last return that counts, later days are 0. `None` unless `start` is positive.
pub fn returns_from_equity(start: f64, equity: &[f64]) -> Option<Vec<f64>> {
    if start.is_nan() || start <= 0.0 {
        return None;
    }
    let mut previous = start;
    let next = |&equity: &f64| {
        if previous <= 0.0 {
            return 0.0;
        }
        let change = equity / previous - 1.0;
        previous = equity;
        change
    };
    Some(equity.iter().map(next).collect())
}

/// Equity `E_t = prod(1 + r)` after each day, from a starting capital of 1.
pub(super) fn equity_path(returns: &[f64]) -> impl Iterator<Item = f64> + '_ {
    returns.iter().scan(1.0, |equity, r| {
        *equity *= 1.0 + r;
        Some(*equity)
    })
}

/// `prod(1 + r) - 1` (empyrical `cum_returns_final`); `None` without returns.
pub fn total_return(returns: &[f64]) -> Option<f64> {
    equity_path(returns).last().map(|equity| equity - 1.0)
}

/// Compound annual growth rate `prod(1 + r)^(252/n) - 1`; -1 once equity was 0 or less
/// (empyrical `annual_return`; quantstats `cagr`, years = n/252). `None` without returns.
pub fn cagr(returns: &[f64]) -> Option<f64> {
    let last = equity_path(returns).last()?;
    if equity_path(returns).any(|equity| equity <= 0.0) {
        return Some(-1.0);
    }
    Some(libm::pow(last, PERIODS_PER_YEAR / returns.len() as f64) - 1.0)
}

/// `sd(r) * sqrt(252)` with divisor n - 1 (empyrical, quantstats); `None` below two returns.
pub fn annual_volatility(returns: &[f64]) -> Option<f64> {
    standard_deviation(returns).map(|sd| sd * PERIODS_PER_YEAR.sqrt())
}

/// Sharpe ratio per period, `mean(r - rf) / sd(r)` with divisor n - 1; `rf` per day. `None` below two returns
/// or without dispersion.
pub fn sharpe_per_period(returns: &[f64], rf: f64) -> Option<f64> {
    let sd = standard_deviation(returns)?;
    if sd < NEGLIGIBLE_DEVIATION {
        return None;
    }
    mean_excess(returns, rf).map(|excess| excess / sd)
}

/// Annualised Sharpe ratio, `mean(r - rf) / sd(r) * sqrt(252)` with divisor n - 1 (empyrical, quantstats,
/// ffn); `rf` per day. `None` below two returns or without dispersion.
pub fn sharpe(returns: &[f64], rf: f64) -> Option<f64> {
    sharpe_per_period(returns, rf).map(|ratio| ratio * PERIODS_PER_YEAR.sqrt())
}

/// `sqrt(sum(min(r - rf, 0)^2) / n) * sqrt(252)`, all n days in the divisor (empyrical `downside_risk`);
/// `rf` per day. `None` without returns.
pub fn downside_deviation(returns: &[f64], rf: f64) -> Option<f64> {
    if returns.is_empty() {
        return None;
    }
    let shortfall = |r: &f64| {
        let below = (r - rf).min(0.0);
        below * below
    };
    Some((sum(returns.iter().map(shortfall)) / returns.len() as f64).sqrt() * PERIODS_PER_YEAR.sqrt())
}

/// `mean(r - rf) * 252 / downside_deviation` (empyrical, quantstats); `rf` per day. `None` when no day is
/// below `rf`.
pub fn sortino(returns: &[f64], rf: f64) -> Option<f64> {
    let downside = downside_deviation(returns, rf)?;
    if downside == 0.0 {
        return None;
    }
    mean_excess(returns, rf).map(|excess| excess * PERIODS_PER_YEAR / downside)
}

/// Omega ratio at the threshold `rf` (per day): `sum(max(r - rf, 0)) / sum(max(rf - r, 0))`
/// (empyrical `omega_ratio`, quantstats). `None` without a loss.
pub fn omega(returns: &[f64], rf: f64) -> Option<f64> {
    let losses = sum(returns.iter().map(|r| (rf - r).max(0.0)));
    if losses > 0.0 { Some(sum(returns.iter().map(|r| (r - rf).max(0.0))) / losses) } else { None }
}

/// R^2 of a straight line through log equity after each day (empyrical `stability_of_timeseries`). `None`
/// below two returns, for constant equity, and when equity was 0 or less.
pub fn stability_r2(returns: &[f64]) -> Option<f64> {
    if returns.len() < 2 || equity_path(returns).any(|equity| equity <= 0.0) {
        return None;
    }
    let day: Vec<f64> = (0..returns.len()).map(|t| t as f64).collect();
    let log_equity: Vec<f64> = returns
        .iter()
        .scan(0.0, |total, r| {
            *total += libm::log1p(*r);
            Some(*total)
        })
        .collect();
    let [xx, xy, yy] = cross_deviations(&day, &log_equity);
    let dispersion = (yy / (returns.len() - 1) as f64).sqrt();
    if dispersion < NEGLIGIBLE_DEVIATION { None } else { Some((xy * xy / (xx * yy)).min(1.0)) }
}

/// Share of days with a gain among the days with any change (quantstats `win_rate`). `None` when no day
/// changed anything.
pub fn win_rate_nonzero_periods(returns: &[f64]) -> Option<f64> {
    let changed = returns.iter().filter(|&&r| r != 0.0).count();
    let gained = returns.iter().filter(|&&r| r > 0.0).count();
    if changed == 0 { None } else { Some(gained as f64 / changed as f64) }
}

/// Sum of the gains over the absolute sum of the losses (quantstats `profit_factor`). `None` without a loss.
pub fn profit_factor_periods(returns: &[f64]) -> Option<f64> {
    omega(returns, 0.0)
}

fn mean_excess(returns: &[f64], rf: f64) -> Option<f64> {
    let excess: Vec<f64> = returns.iter().map(|r| r - rf).collect();
    mean(&excess)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_close(found: Option<f64>, expected: f64) {
        let found = found.expect("defined");
        assert!((found - expected).abs() <= 1e-13 * expected.abs().max(1e-3), "{found} is not {expected}");
    }

    #[test]
    fn growth_by_hand() {
        assert_close(total_return(&[0.5, -0.5]), -0.25);
        // Half a year at 21 %: (1.21)^2 - 1.
        let mut half_year = vec![0.0; 126];
        half_year[3] = 0.21;
        assert_close(cagr(&half_year), 0.4641);
        assert_eq!(cagr(&[0.1, -1.0, 0.0]), Some(-1.0));
        assert_eq!(cagr(&[-1.5, -3.0]), Some(-1.0));
    }

    #[test]
    fn ratios_by_hand() {
        // Mean 0.01, deviations -0.02, 0, 0.02: sd 0.02. Excess over rf 0.005: 0.005.
        let r = [-0.01, 0.01, 0.03];
        let year = 252.0f64.sqrt();
        assert_close(annual_volatility(&r), 0.02 * year);
        assert_close(sharpe_per_period(&r, 0.005), 0.25);
        assert_close(sharpe(&r, 0.005), 0.25 * year);
        // Below rf: -0.015 only.
        let downside = (0.015f64 * 0.015 / 3.0).sqrt() * year;
        assert_close(downside_deviation(&r, 0.005), downside);
        assert_close(sortino(&r, 0.005), 0.005 * 252.0 / downside);
        assert_close(omega(&r, 0.005), 0.03 / 0.015);
        assert_close(profit_factor_periods(&r), 4.0);
        assert_close(win_rate_nonzero_periods(&[0.0, 0.1, -0.1, 0.2, 0.0]), 2.0 / 3.0);
    }

    #[test]
    fn undefined_is_none_not_a_number() {
        assert_eq!(total_return(&[]), None);
        assert_eq!(cagr(&[]), None);
        assert_eq!(annual_volatility(&[0.1]), None);
        assert_eq!(sharpe(&[0.1], 0.0), None);
        assert_eq!(sharpe(&[0.1; 9], 0.0), None);
        assert_eq!(sortino(&[0.1, 0.0], 0.0), None);
        assert_eq!(omega(&[0.1, 0.0], 0.0), None);
        assert_eq!(win_rate_nonzero_periods(&[0.0, 0.0]), None);
        assert_eq!(stability_r2(&[0.0; 5]), None);
        assert_eq!(stability_r2(&[0.1, -1.0, 0.1]), None);
    }

    #[test]
    fn risk_free_rate_compounds_to_the_year() {
        let daily = daily_risk_free(0.045).unwrap();
        assert_close(Some(libm::pow(1.0 + daily, 252.0) - 1.0), 0.045);
        assert_eq!(daily_risk_free(0.0), Some(0.0));
        assert_eq!([-1.0, f64::NAN, f64::INFINITY].map(daily_risk_free), [None; 3]);
    }

    #[test]
    fn equity_becomes_returns_until_ruin() {
        assert_eq!(returns_from_equity(100.0, &[150.0, 75.0]), Some(vec![0.5, -0.5]));
        assert_eq!(returns_from_equity(100.0, &[50.0, -25.0, 10.0]), Some(vec![-0.5, -1.5, 0.0]));
        assert_eq!(returns_from_equity(0.0, &[1.0]), None);
        assert_eq!(returns_from_equity(f64::NAN, &[1.0]), None);
    }

    #[test]
    fn steady_growth_is_perfectly_stable() {
        assert_close(stability_r2(&[0.01; 20]), 1.0);
    }
}
