//! Falls from the highest equity so far. The starting capital is a peak: a loss on the first day counts.

use super::returns::{cagr, equity_path};
use super::summation::sum;

/// Equity this close below a peak (relative) has reached it: a product of rounded returns does not come
/// back to the very same bits.
const RECOVERED: f64 = 1.0 - 1e-12;

/// `E_t / max(1, E_1..E_t) - 1` of every day, with `E_0 = 1`: 0 at a peak, negative below it.
pub fn drawdowns(returns: &[f64]) -> Vec<f64> {
    let mut peak = 1.0f64;
    let below = |equity: f64| {
        peak = peak.max(equity);
        equity / peak - 1.0
    };
    equity_path(returns).map(below).collect()
}

/// The deepest of the [`drawdowns`], 0 or negative (empyrical, quantstats). `None` without returns.
pub fn max_drawdown(returns: &[f64]) -> Option<f64> {
    drawdowns(returns).into_iter().reduce(f64::min)
}

/// Longest number of days from a peak until equity is back at or above it, or until the series ends; 0 when
/// equity was never below a peak. The starting capital is the day before the first.
pub fn max_drawdown_duration_periods(returns: &[f64]) -> Option<u64> {
    if returns.is_empty() {
        return None;
    }
    let mut peak = 1.0f64;
    // Days are counted from 1, so that the starting capital is day 0.
    let mut peak_day = 0u64;
    let mut longest = 0;
    let mut under_water = false;
    for (day, equity) in (1u64..).zip(equity_path(returns)) {
        let recovered = equity >= peak * RECOVERED;
        if under_water || !recovered {
            longest = longest.max(day - peak_day);
        }
        under_water = !recovered;
        if recovered {
            peak = peak.max(equity);
            peak_day = day;
        }
    }
    Some(longest)
}

/// [`cagr`] over the absolute [`max_drawdown`] (empyrical). `None` without a drawdown.
pub fn calmar(returns: &[f64]) -> Option<f64> {
    let depth = max_drawdown(returns)?.abs();
    if depth > 0.0 { cagr(returns).map(|growth| growth / depth) } else { None }
}

/// `sqrt(mean(drawdown^2))`, divisor n, as a fraction: P. Martin & B. McCann, *The Investor's Guide to
/// Fidelity Funds* (1989). quantstats divides by n - 1. `None` without returns.
pub fn ulcer_index(returns: &[f64]) -> Option<f64> {
    if returns.is_empty() {
        return None;
    }
    Some((sum(drawdowns(returns).into_iter().map(|d| d * d)) / returns.len() as f64).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_on_the_first_day_counts() {
        assert_eq!(max_drawdown(&[-0.5, 0.5]), Some(-0.5));
        assert_eq!(drawdowns(&[-0.5, 0.5, 1.0]), [-0.5, -0.25, 0.0]);
        assert_eq!(ulcer_index(&[-0.5, 0.5]), Some((0.3125f64 / 2.0).sqrt()));
    }

    #[test]
    fn durations_by_hand() {
        assert_eq!(max_drawdown_duration_periods(&[]), None);
        assert_eq!(max_drawdown_duration_periods(&[0.1, 0.0, 0.2]), Some(0));
        // From the start to the end of the series, never recovered.
        assert_eq!(max_drawdown_duration_periods(&[-0.1, 0.01, 0.01]), Some(3));
        // Peak after day 1 (2.0), below it on days 2 and 3, back on day 4.
        assert_eq!(max_drawdown_duration_periods(&[1.0, -0.5, 0.5, 1.0, 0.5]), Some(3));
        // The later fall is longer although shallower.
        assert_eq!(max_drawdown_duration_periods(&[-0.5, 1.0, -0.01, 0.0, 0.0]), Some(3));
    }

    #[test]
    fn a_rounded_product_still_recovers() {
        // 1 -> 0.9 -> 1 in exact arithmetic; the second return is rounded, and so is the product.
        let back = 1.0 / 0.9 - 1.0;
        let returns: Vec<f64> = (0..200).map(|i| if i % 2 == 0 { -0.1 } else { back }).collect();
        assert_eq!(max_drawdown_duration_periods(&returns), Some(2));
    }

    #[test]
    fn calmar_needs_a_drawdown() {
        assert_eq!(calmar(&[0.1, 0.0]), None);
        let mut year = vec![0.0; 252];
        year[0] = -0.5;
        year[1] = 1.5;
        assert_eq!(calmar(&year), Some(0.25 / 0.5));
    }
}
