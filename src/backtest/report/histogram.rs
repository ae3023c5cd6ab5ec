//! Histograms with round bins that meet at zero.

use serde::Serialize;

/// Counts of values in equal bins.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Histogram {
    /// Lower edge of the first bin.
    pub from: f64,
    pub width: f64,
    pub counts: Vec<u64>,
}

/// Never more bins than this: beyond, bars get thinner than a finger.
const MOST_BINS: f64 = 60.0;

/// Bins of the width of Freedman and Diaconis (1981), 2 IQR / n^(1/3), rounded down to 1, 2 or 5 times a
/// power of ten (but never more than [`MOST_BINS`]). Edges are multiples of the width, so no bin mixes gains and losses. `None` without a
/// value.
pub fn histogram(values: &[f64]) -> Option<Histogram> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let (&low, &high) = (sorted.first()?, sorted.last()?);
    let spread = quantile(&sorted, 0.75) - quantile(&sorted, 0.25);
    let mut width = 2.0 * spread / libm::cbrt(sorted.len() as f64);
    let range = high - low;
    // Few distinct values have no quartile range; a constant has no range at all.
    if width <= 0.0 || width.is_nan() {
        width = range / 10.0;
    }
    if width <= 0.0 {
        width = if low == 0.0 { 1.0 } else { low.abs() / 10.0 };
    }
    width = step_below(width);
    while range / width > MOST_BINS - 2.0 {
        width = step_below(width * 2.5);
    }
    let first = (low / width).floor();
    let bins = ((high / width).floor() - first) as usize + 1;
    let mut counts = vec![0; bins];
    for value in sorted {
        let bin = ((value / width).floor() - first) as usize;
        counts[bin.min(bins - 1)] += 1;
    }
    Some(Histogram { from: first * width, width, counts })
}

/// The largest of 1, 2, 5 times a power of ten that is not above `width` (positive). From one of them,
/// 2.5 times as much gives the next.
fn step_below(width: f64) -> f64 {
    let power = libm::pow(10.0, libm::floor(libm::log10(width * (1.0 + 1e-9))));
    let fits = |step: &&f64| **step * power <= width * (1.0 + 1e-9);
    [5.0, 2.0].iter().find(fits).map_or(power, |step| step * power)
}

/// Quantile with linear interpolation at (n-1)p, of ascending values (numpy's default). NaN without one.
pub fn quantile(sorted: &[f64], p: f64) -> f64 {
    if sorted.is_empty() {
        return f64::NAN;
    }
    let h = (sorted.len() - 1) as f64 * p;
    let below = h.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (h - below as f64) * (sorted[above] - sorted[below])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_counted_and_no_bin_straddles_zero() {
        let values: Vec<f64> = (0..500).map(|i| ((i * 7919) % 1000) as f64 / 37.0 - 11.0).collect();
        let h = histogram(&values).unwrap();
        assert_eq!(h.counts.iter().sum::<u64>(), 500);
        assert!(h.counts.len() <= 60);
        let zero = -h.from / h.width;
        assert!((zero - zero.round()).abs() < 1e-9, "zero is an edge: {zero}");
    }

    #[test]
    fn constants_and_nothing() {
        assert_eq!(histogram(&[]), None);
        assert_eq!(histogram(&[0.0, 0.0]).unwrap().counts, [2]);
        assert_eq!(histogram(&[3.0; 4]).unwrap().counts.iter().sum::<u64>(), 4);
    }

    #[test]
    fn one_far_value_does_not_make_thousands_of_bins() {
        let mut values: Vec<f64> = (0..1000).map(|i| f64::from(i) / 1e5).collect();
        values.push(1e6);
        assert!(histogram(&values).unwrap().counts.len() <= 60);
    }

    #[test]
    fn quantiles_interpolate() {
        assert_eq!(quantile(&[0.0, 10.0], 0.25), 2.5);
        assert!(quantile(&[], 0.5).is_nan());
    }
}
