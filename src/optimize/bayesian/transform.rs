//! From values as measured to values that a Gaussian process can model: near normal, mean 0, deviation 1.

/// Range of the exponent that is searched.
const EXPONENTS: (f64, f64) = (-3.0, 1.0);

/// Which of two transforms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Shape {
    /// A tail of bad values is drawn in.
    Drawn,
    /// Only standardised.
    Plain,
}

/// A monotone map of losses: increasing, so the least stays the least.
///
/// Losses are counted from the least one in units of their median distance to it, raised by the power transform
/// of I.-K. Yeo and R. A. Johnson (*A new family of power transformations to improve normality or symmetry*,
/// Biometrika 87 (2000), 954-959), and standardised. What is counted that way does not depend on where the
/// objective has its zero or on its unit. The exponent is that of highest likelihood, but never above 1: a long
/// tail of bad values is drawn in, the distances between good ones are never.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Transform {
    origin: f64,
    unit: f64,
    exponent: f64,
    mean: f64,
    deviation: f64,
}

impl Transform {
    /// The transform of a shape fitted to finite values; `None` without any.
    pub fn fit(values: &[f64], shape: Shape) -> Option<Transform> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (&origin, &largest) = (sorted.first()?, sorted.last()?);
        // Half of them may be equal to the least; then the largest distance serves.
        let distances = [sorted[sorted.len() / 2] - origin, largest - origin, 1.0];
        let unit = distances.into_iter().find(|distance| *distance > 0.0)?;
        let counted: Vec<f64> = values.iter().map(|value| (value - origin) / unit).collect();
        let exponent = match shape {
            Shape::Drawn => likeliest_exponent(&counted),
            Shape::Plain => 1.0,
        };
        let powers: Vec<f64> = counted.iter().map(|x| yeo_johnson(*x, exponent)).collect();
        let (mean, deviation) = moments(&powers);
        let deviation = if deviation > 0.0 { deviation } else { 1.0 };
        Some(Transform { origin, unit, exponent, mean, deviation })
    }

    /// Logarithm of the derivative of the transform at a value, in units that all shapes share.
    pub fn log_slope(&self, value: f64) -> f64 {
        let x = (value - self.origin) / self.unit;
        (self.exponent - 1.0) * libm::log1p(x.abs()) - libm::log(self.deviation)
    }

    /// The transformed value; infinite values stay infinite.
    pub fn apply(&self, value: f64) -> f64 {
        (yeo_johnson((value - self.origin) / self.unit, self.exponent) - self.mean) / self.deviation
    }
}

/// The power transform with an exponent of at most 1 or so; below 0 the mirrored branch of the family.
fn yeo_johnson(x: f64, exponent: f64) -> f64 {
    if x >= 0.0 { power(x, exponent) } else { -power(-x, 2.0 - exponent) }
}

/// `((1 + x)^p - 1) / p`, the logarithm where `p` is 0.
fn power(x: f64, p: f64) -> f64 {
    let logarithm = libm::log1p(x);
    if p.abs() < 1e-9 { logarithm } else { libm::expm1(p * logarithm) / p }
}

/// The exponent under which the values are likeliest normal, by golden sections.
fn likeliest_exponent(values: &[f64]) -> f64 {
    let jacobian: f64 = values.iter().map(|x| libm::log1p(*x)).sum();
    let likelihood = |exponent: f64| {
        let powers: Vec<f64> = values.iter().map(|x| power(*x, exponent)).collect();
        let (_, deviation) = moments(&powers);
        (exponent - 1.0) * jacobian - values.len() as f64 * libm::log(deviation.max(1e-300))
    };
    let ratio = 0.5 * (5.0_f64.sqrt() - 1.0);
    let (mut low, mut high) = EXPONENTS;
    let (mut left, mut right) = (high - ratio * (high - low), low + ratio * (high - low));
    let (mut at_left, mut at_right) = (likelihood(left), likelihood(right));
    for _ in 0..24 {
        if at_left > at_right {
            (high, right, at_right) = (right, left, at_left);
            left = high - ratio * (high - low);
            at_left = likelihood(left);
        } else {
            (low, left, at_left) = (left, right, at_right);
            right = low + ratio * (high - low);
            at_right = likelihood(right);
        }
    }
    0.5 * (low + high)
}

/// Mean and standard deviation (of the population).
fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (mean, (values.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_close(found: f64, expected: f64, tolerance: f64) {
        assert!((found - expected).abs() <= tolerance, "{found} is not {expected}");
    }

    /// Figures of scipy's `yeojohnson`, standardised.
    #[test]
    fn a_tail_is_drawn_in_as_the_likelihood_asks() {
        let values = [3.0, 3.5, 5.0, 4.0, 30.0, 120.0, 6.0];
        let expected = [
            -1.278738529205194,
            -0.8792143871157465,
            -0.19507281493533596,
            -0.5905264180207698,
            1.257722882033204,
            1.6182074733830398,
            0.06762179386080343,
        ];
        let transform = Transform::fit(&values, Shape::Drawn).unwrap();
        assert_close(transform.exponent, -0.6048960909086609, 1e-4);
        for (value, expected) in values.iter().zip(expected) {
            assert_close(transform.apply(*value), expected, 1e-4);
        }
    }

    #[test]
    fn neither_the_zero_nor_the_unit_of_an_objective_matters() {
        let values = [3.0, 3.5, 5.0, 4.0, 30.0, 120.0, 6.0];
        let moved = values.map(|value| 1000.0 * value - 70.0);
        let (one, other) =
            (Transform::fit(&values, Shape::Drawn).unwrap(), Transform::fit(&moved, Shape::Drawn).unwrap());
        for (value, moved) in values.iter().zip(moved) {
            assert_close(one.apply(*value), other.apply(moved), 1e-9);
        }
    }

    #[test]
    fn the_order_of_values_is_kept_and_slopes_are_those_of_small_differences() {
        let values = [-2.0, -1.9, 0.0, 0.5, 7.0, 900.0];
        for shape in [Shape::Drawn, Shape::Plain] {
            let transform = Transform::fit(&values, shape).unwrap();
            let transformed = values.map(|value| transform.apply(value));
            assert!(transformed.is_sorted(), "{transformed:?}");
            // Slopes are by the distance in units of the median's.
            let difference = (transform.apply(0.5 + 1e-5) - transform.apply(0.5 - 1e-5)) / 2e-5 * transform.unit;
            assert_close(transform.log_slope(0.5), libm::log(difference), 1e-6);
        }
    }

    #[test]
    fn values_without_spread_are_no_trouble() {
        assert_eq!(Transform::fit(&[], Shape::Drawn), None);
        for values in [&[4.0][..], &[4.0, 4.0, 4.0], &[4.0, 4.0, 4.0, 5.0]] {
            let transform = Transform::fit(values, Shape::Drawn).unwrap();
            assert!(values.iter().all(|value| transform.apply(*value).is_finite()), "{values:?}");
        }
    }
}
