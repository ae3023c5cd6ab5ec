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
