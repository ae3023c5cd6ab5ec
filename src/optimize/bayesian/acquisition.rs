//! What a point promises: the logarithm of its expected improvement and of its probability to be feasible.

use super::gaussian_process::{GaussianProcess, Work};
use crate::stats::normal;

/// Below this the expected improvement is taken from its asymptotic series.
const SERIES_BELOW: f64 = -50.0;

/// What is maximised to find the next point.
pub(super) struct Acquisition<'a> {
    /// Model of the loss and the loss to be improved on, in its units; `None` while nothing is feasible.
    pub objective: Option<(&'a GaussianProcess, f64)>,
    /// Model of each constraint value and the level it must not exceed, in its units.
    pub constraints: Vec<(&'a GaussianProcess, f64)>,
}

impl Acquisition<'_> {
    /// Logarithm of expected improvement times probability of feasibility at a point.
    pub fn value(&self, point: &[f64], work: &mut Work) -> f64 {
        let mut total = 0.0;
        if let Some((model, incumbent)) = self.objective {
            let (mean, deviation) = model.predict(point, work);
            total += log_improvement((incumbent - mean) / deviation).0 + libm::log(deviation);
        }
        for (model, limit) in &self.constraints {
            let (mean, deviation) = model.predict(point, work);
            total += log_cumulative((limit - mean) / deviation).0;
        }
        total
    }

    /// As [`Acquisition::value`], with its derivatives by the features of the point.
    pub fn value_with_slope(&self, point: &[f64], work: &mut Work) -> (f64, Vec<f64>) {
        let mut total = 0.0;
        let mut slopes = vec![0.0; point.len()];
        if let Some((model, incumbent)) = self.objective {
            let (mean, deviation, by_mean, by_deviation) = model.predict_with_slopes(point, work);
            let z = (incumbent - mean) / deviation;
            let (value, slope) = log_improvement(z);
            total += value + libm::log(deviation);
            for f in 0..point.len() {
                slopes[f] += (-slope * by_mean[f] + (1.0 - slope * z) * by_deviation[f]) / deviation;
            }
        }
        for (model, limit) in &self.constraints {
            let (mean, deviation, by_mean, by_deviation) = model.predict_with_slopes(point, work);
            let z = (limit - mean) / deviation;
            let (value, slope) = log_cumulative(z);
            total += value;
            for f in 0..point.len() {
                slopes[f] -= slope * (by_mean[f] + z * by_deviation[f]) / deviation;
            }
        }
        (total, slopes)
    }
}

/// `log(density(z) + z Phi(z))`, the logarithm of the expected improvement of a standard normal variable over
/// `-z`, and its derivative. Nothing underflows: the tail is taken relative to the density (S. Ament, S.
/// Daulton, D. Eriksson, M. Balandat, E. Bakshy, *Unexpected improvements to expected improvement for Bayesian
/// optimization*, NeurIPS 2023, equation 9).
pub(super) fn log_improvement(z: f64) -> (f64, f64) {
    if z > -1.0 {
        let below = normal::cumulative(z);
        let improvement = normal::density(z) + z * below;
        return (libm::log(improvement), below / improvement);
    }
    let (ratio, tail) = if z > SERIES_BELOW {
        let ratio = normal::cumulative_over_density(z);
        (ratio, 1.0 + z * ratio)
    } else {
        // Mills' ratio for large -z (Abramowitz & Stegun 26.2.12), of which 1 cancels.
        let w = 1.0 / (z * z);
        let tail = w * (1.0 - 3.0 * w * (1.0 - 5.0 * w * (1.0 - 7.0 * w * (1.0 - 9.0 * w))));
        ((tail - 1.0) / z, tail)
    };
    (-0.5 * z * z - HALF_LOG_2_PI + libm::log(tail), ratio / tail)
}

/// Logarithm of the normal distribution function and its derivative, without underflow.
pub(super) fn log_cumulative(z: f64) -> (f64, f64) {
    if z > -1.0 {
        let below = normal::cumulative(z);
        return (libm::log(below), normal::density(z) / below);
    }
    let ratio = normal::cumulative_over_density(z);
    (-0.5 * z * z - HALF_LOG_2_PI + libm::log(ratio), 1.0 / ratio)
}

const HALF_LOG_2_PI: f64 = 0.918_938_533_204_672_7;

#[cfg(test)]
#[allow(clippy::excessive_precision)] // Reference values keep the digits they were computed with.
mod tests {
    use super::super::gaussian_process::Prior;
    use super::super::kernel::{Axes, Kind};
    use super::*;

    fn assert_close(found: f64, expected: f64, relative: f64) {
        assert!((found - expected).abs() <= relative * expected.abs(), "{found:e} is not {expected:e}");
    }

    /// z, logarithm of the improvement and derivative, logarithm of the distribution function and derivative;
    /// mpmath with 60 digits.
    #[test]
    fn logarithms_are_exact_deep_in_the_tail() {
        for (z, improvement, slope, cumulative, cumulative_slope) in [
            (-1e4, -50000019.3396193072, 10000.000199999994, -50000010.1292789152, 10000.000099999998),
            (-300.0, -45012.3265368145542, 300.006666444461727, -45006.6227321186634, 300.003333259263374),
            (-60.0, -1809.10846018227218, 60.0333056094205102, -1805.01356068056714, 60.0166574202411249),
            (-49.0, -1209.20382679237715, 49.0407654754503607, -1205.31117489166526, 49.0203911988384561),
            (-30.0, -457.724653760598004, 30.0664461541624189, -454.321243956343197, 30.033259667433677),
            (-10.0, -55.5531220361223559, 10.1943830334125533, -53.2312851505124706, 10.098093233962512),
            (-3.0, -7.86968605960302852, 3.53233751762516052, -6.60772622151034954, 3.28309865493043651),
            (-1.0, -2.48512102571264134, 1.90427123332969182, -1.84102164500926351, 1.52513527616098121),
            (-0.5, -1.62051626438731992, 1.55987314834807967, -1.17591176159361861, 1.14107777036806448),
            (0.0, -0.918938533204672742, 1.25331413731550025, -std::f64::consts::LN_2, 0.797884560802865356),
            (3.0, 1.09873966532770777, 0.332840968451795236, -0.0013508099647481938, 0.00443783904212566379),
            (8.0, 2.07944154167983594, 0.124999999999999921, -6.22096057427178606e-16, 5.05227108353689543e-15),
        ] {
            assert_close(log_improvement(z).0, improvement, 1e-12);
            assert_close(log_improvement(z).1, slope, 3e-11);
            assert_close(log_cumulative(z).1, cumulative_slope, 1e-12);
            // Above 0 the distribution function itself is rounded next to 1.
            assert!((log_cumulative(z).0 - cumulative).abs() <= 1e-12 * cumulative.abs() + 2e-16);
        }
    }

    #[test]
    fn slopes_are_those_of_small_differences() {
        let axes = Axes::new(vec![(0, Kind::Ordered), (1, Kind::Ordered)]);
        let points = vec![vec![0.1, 0.2], vec![0.5, 0.9], vec![0.9, 0.4], vec![0.4, 0.3]];
        let prior = Prior::new(2, false);
        let model = |values: [f64; 4]| {
            let lengths = vec![libm::log(0.4), libm::log(0.7), 0.0, -8.0];
            GaussianProcess::with(&axes, points.clone(), values.to_vec(), &prior, lengths).unwrap()
        };
        let (loss, limit) = (model([0.5, -1.0, 0.8, 0.1]), model([1.0, 0.2, -1.0, 0.5]));
        let acquisition = Acquisition { objective: Some((&loss, -1.0)), constraints: vec![(&limit, -0.1)] };
        let mut work = Work::default();
        for point in [[0.3, 0.5], [0.05, 0.95], [0.41, 0.31]] {
            let (value, slopes) = acquisition.value_with_slope(&point, &mut work);
            assert_eq!(value, acquisition.value(&point, &mut work));
            for f in 0..2 {
                let mut at = |step: f64| {
                    let mut shifted = point;
                    shifted[f] += step;
                    acquisition.value(&shifted, &mut work)
                };
                let difference = (at(1e-6) - at(-1e-6)) / 2e-6;
                assert!((slopes[f] - difference).abs() < 1e-5 * difference.abs().max(1.0), "{slopes:?} {difference}");
            }
        }
    }
}
