//! Whether a peak stands alone.

use crate::stats::quantile_sorted;

/// Median objective of the neighbours of a trial, the trial itself left out: far from the trial's own value, the
/// peak is a needle rather than a plateau. `values` by trial, `None` for one without a value; `neighbours` are
/// places in `values`. `None` when no neighbour has a finite value.
pub fn neighbourhood_median(values: &[Option<f64>], neighbours: &[usize]) -> Option<f64> {
    let value = |&k: &usize| values.get(k).copied().flatten().filter(|v| v.is_finite());
    let mut around: Vec<f64> = neighbours.iter().filter_map(value).collect();
    around.sort_by(f64::total_cmp);
    quantile_sorted(&around, 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_those_that_have_a_value() {
        let values = [Some(1.0), None, Some(5.0), Some(2.0), Some(f64::NAN)];
        assert_eq!(neighbourhood_median(&values, &[0, 1, 2, 3]), Some(2.0));
        assert_eq!(neighbourhood_median(&values, &[0, 3]), Some(1.5));
        assert_eq!(neighbourhood_median(&values, &[1, 4, 99]), None);
        assert_eq!(neighbourhood_median(&values, &[]), None);
    }
}
