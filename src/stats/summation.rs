//! Compensated sums and two-pass moments.

/// Sum with Neumaier's compensation: the error does not grow with the number of terms.
/// A. Neumaier, *Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen* (1974).
pub fn sum(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut total = 0.0f64;
    let mut lost = 0.0f64;
    for value in values {
        let next = total + value;
        lost += if total.abs() >= value.abs() { (total - next) + value } else { (value - next) + total };
        total = next;
    }
    total + lost
}

/// Arithmetic mean; `None` without values.
pub fn mean(values: &[f64]) -> Option<f64> {
    if values.is_empty() { None } else { Some(sum(values.iter().copied()) / values.len() as f64) }
}

/// Deviations from the mean, taken relative to the first value so that a constant series gives exact zeros
/// and a large common offset costs no digits.
pub(super) fn deviations(values: &[f64]) -> impl Iterator<Item = f64> + '_ {
    let shift = values.first().copied().unwrap_or(0.0);
    let centre = sum(values.iter().map(|v| v - shift)) / values.len() as f64;
    values.iter().map(move |v| (v - shift) - centre)
}

/// Sample standard deviation (divisor `n - 1`); `None` below two values.
pub fn standard_deviation(values: &[f64]) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    Some((sum(deviations(values).map(|d| d * d)) / (values.len() - 1) as f64).sqrt())
}

/// Population central moments 2, 3 and 4; `None` without values.
pub(super) fn central_moments(values: &[f64]) -> Option<[f64; 3]> {
    if values.is_empty() {
        return None;
    }
    let n = values.len() as f64;
    let moment = |power: i32| {
        sum(deviations(values).map(|d| match power {
            2 => d * d,
            3 => d * d * d,
            _ => (d * d) * (d * d),
        })) / n
    };
    Some([moment(2), moment(3), moment(4)])
}

/// Sums of products of deviations: (x with x, x with y, y with y), for series of the same length.
pub(super) fn cross_deviations(x: &[f64], y: &[f64]) -> [f64; 3] {
    [
        sum(deviations(x).map(|d| d * d)),
        sum(deviations(x).zip(deviations(y)).map(|(a, b)| a * b)),
        sum(deviations(y).map(|d| d * d)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sum_keeps_what_a_plain_sum_loses() {
        assert_eq!(sum([1.0, 1e100, 1.0, -1e100]), 2.0);
        assert_eq!(sum(std::iter::repeat_n(0.1, 10)), 1.0);
    }

    #[test]
    fn moments_by_hand() {
        // Deviations of 2, 4, 9 from 5: -3, -1, 4.
        let values = [2.0, 4.0, 9.0];
        assert_eq!(mean(&values), Some(5.0));
        assert_eq!(standard_deviation(&values), Some(13.0f64.sqrt()));
        assert_eq!(central_moments(&values), Some([26.0 / 3.0, 36.0 / 3.0, (81.0 + 1.0 + 256.0) / 3.0]));
        assert_eq!(cross_deviations(&values, &[1.0, 2.0, 3.0]), [26.0, 7.0, 2.0]);
    }

    #[test]
    fn constant_and_offset_series_are_exact() {
        assert_eq!(standard_deviation(&[0.1; 9]), Some(0.0));
        assert_eq!(standard_deviation(&[1e15 + 1.0, 1e15 + 2.0, 1e15 + 3.0]), Some(1.0));
    }

    #[test]
    fn too_few_values_have_no_moments() {
        assert_eq!(mean(&[]), None);
        assert_eq!(standard_deviation(&[1.0]), None);
        assert_eq!(central_moments(&[]), None);
    }
}
