//! Gaussian process regression: Matern 5/2 kernel, one length scale an axis, hyper-parameters of highest
//! posterior density.
//!
//! Rasmussen & Williams, *Gaussian Processes for Machine Learning* (2006), chapters 2 and 5. Every loop runs in
//! a fixed order and no product goes through a processor-dependent kernel, so results are the same bits anywhere.

use nalgebra::{Cholesky, DMatrix};

use super::kernel::{Axes, Kind, matern};
use super::lbfgs::{Effort, minimise};

/// Logarithms of the hyper-parameters are kept within plus and minus this: beyond it nothing changes any more,
/// but numbers overflow.
const LIMIT: f64 = 30.0;

/// Standard deviation of the logarithm of a length scale: two thirds are within a factor of 1.8 of the mean. Chosen
/// by measurement (see `benches/optimizer/README.md`).
const LENGTH_DEVIATION: f64 = 0.6;

/// What is believed of the hyper-parameters before any value is seen: normal distributions of logarithms.
#[derive(Debug, Clone, Copy)]
pub(super) struct Prior {
    /// Of a length scale, in units of the axis: mean and standard deviation.
    pub length: (f64, f64),
    /// Of the length scale of an unordered axis, which says how alike any two of its values are.
    pub unordered_length: (f64, f64),
    /// Of the variance of the function; values are standardised.
    pub signal: (f64, f64),
    /// Of the variance of the noise above `noise_floor`.
    pub noise: (f64, f64),
    /// Variance that is always added: it keeps the matrix regular.
    pub noise_floor: f64,
}

impl Prior {
    /// For this many axes. The mean length scale grows with the square root of their number, so that the model
    /// does not take a space of many axes for hopelessly rough (C. Hvarfner, E. O. Hellsten, L. Nardi, *Vanilla
    /// Bayesian optimization performs great in high dimensions*, ICML 2024).
    pub fn new(axes: usize, noisy: bool) -> Prior {
        // Mode of the log-normal density with mean sqrt 2 + log(d) / 2 and deviation sqrt 3 of the logarithm. With
        // that deviation the mode of the posterior of few observations takes some axes for flat and others for
        // noise. Categories keep it: they may well be all alike or have nothing in common.
        let length = 2.0_f64.sqrt() - 3.0 + 0.5 * libm::log(axes.max(1) as f64);
        let (noise, noise_floor) = if noisy { ((-3.0, 1.5), 1e-4) } else { ((-18.0, 2.0), 1e-10) };
        let unordered_length = (length, 3.0_f64.sqrt());
        Prior { length: (length, LENGTH_DEVIATION), unordered_length, signal: (0.0, 3.0), noise, noise_floor }
    }
}

/// Logarithms of length scales by axis, then of the variances of the function and of the noise above the floor.
pub(super) type Hyperparameters = Vec<f64>;

/// A process conditioned on observations of standardised values.
#[derive(Debug, Clone)]
pub(super) struct GaussianProcess {
    axes: Axes,
    points: Vec<Vec<f64>>,
    values: Vec<f64>,
    hyperparameters: Hyperparameters,
    /// 1 / length scale^2 by axis.
    weights: Vec<f64>,
    signal: f64,
    noise: f64,
    /// Columns of the inverse of the lower Cholesky factor, each from its diagonal element down.
    inverse_factor: Vec<Vec<f64>>,
    /// Inverse of the covariance times the values.
    dual: Vec<f64>,
    /// Logarithm of the marginal likelihood and of the prior density at the hyper-parameters.
    evidence: f64,
}

impl GaussianProcess {
    /// Fits the hyper-parameters from each of `starts` and keeps the best. `None` when no start gives a
    /// covariance that can be factorised, or when there is no observation.
    pub fn fit(
        axes: &Axes,
        points: Vec<Vec<f64>>,
        values: Vec<f64>,
        prior: &Prior,
        starts: &[Hyperparameters],
        effort: Effort,
    ) -> Option<GaussianProcess> {
        if points.is_empty() {
            return None;
        }
        let posterior = Posterior::new(axes, &points, &values, prior);
        let mut best: Option<(Hyperparameters, f64)> = None;
        for start in starts {
            let found = minimise(start.clone(), effort, |at, gradient| posterior.negative(at, gradient));
            if found.1.is_finite() && best.as_ref().is_none_or(|best| found.1 < best.1) {
                best = Some(found);
            }
        }
        let (hyperparameters, value) = best?;
        let mut process = GaussianProcess::with(axes, points, values, prior, hyperparameters)?;
        process.evidence = -value;
        Some(process)
    }

    /// The process with these hyper-parameters; `None` when its covariance cannot be factorised.
    pub fn with(
        axes: &Axes,
        points: Vec<Vec<f64>>,
        values: Vec<f64>,
        prior: &Prior,
        hyperparameters: Hyperparameters,
    ) -> Option<GaussianProcess> {
        let (weights, signal, noise) = natural(&hyperparameters, prior, axes.len());
        let n = points.len();
        let mut covariance = DMatrix::zeros(n, n);
        for i in 0..n {
            covariance[(i, i)] = signal + noise;
            for j in 0..i {
                covariance[(i, j)] = signal * matern(axes.distance(&points[i], &points[j], &weights)).0;
            }
        }
        let (inverse_factor, _) = invert(covariance)?;
        let mut process = GaussianProcess {
            axes: axes.clone(),
            points,
            values,
            hyperparameters,
            weights,
            signal,
            noise,
            inverse_factor,
            dual: Vec::new(),
            evidence: f64::NAN,
        };
        process.dual = process.solve(&process.values);
        Some(process)
    }

    /// The same process that has also seen `values` at `points`, its hyper-parameters unchanged.
    pub fn and(&self, points: &[Vec<f64>], values: &[f64], prior: &Prior) -> Option<GaussianProcess> {
        let points = self.points.iter().chain(points).cloned().collect();
        let values = self.values.iter().chain(values).copied().collect();
        GaussianProcess::with(&self.axes, points, values, prior, self.hyperparameters.clone())
    }

    /// Where the fit ended.
    pub fn hyperparameters(&self) -> &Hyperparameters {
        &self.hyperparameters
    }

    /// Logarithm of marginal likelihood times prior where the fit ended; NaN without a fit.
    pub fn evidence(&self) -> f64 {
        self.evidence
    }

    /// How a feature of a point enters.
    pub fn kind(&self, feature: usize) -> Kind {
        self.axes.kind(feature)
    }

    /// Length scale of each axis.
    pub fn length_scales(&self) -> Vec<f64> {
        self.weights.iter().map(|weight| 1.0 / weight.sqrt()).collect()
    }

    /// Mean and standard deviation of the function (without noise) at a point.
    pub fn predict(&self, point: &[f64], work: &mut Work) -> (f64, f64) {
        work.covariances.clear();
        work.slopes.clear();
        for other in &self.points {
            let (value, slope) = matern(self.axes.distance(point, other, &self.weights));
            work.covariances.push(self.signal * value);
            work.slopes.push(self.signal * slope);
        }
        let mean = dot(&work.covariances, &self.dual);
        self.whiten(work);
        (mean, self.deviation(dot(&work.white, &work.white)))
    }

    /// As [`GaussianProcess::predict`], with the derivatives of mean and standard deviation by the features of
    /// the point, which must not be of an unordered kind for their derivative to mean anything.
    pub fn predict_with_slopes(&self, point: &[f64], work: &mut Work) -> (f64, f64, Vec<f64>, Vec<f64>) {
        let (mean, deviation) = self.predict(point, work);
        let mut mean_slope = vec![0.0; point.len()];
        let mut deviation_slope = vec![0.0; point.len()];
        for (j, other) in self.points.iter().enumerate() {
            // Covariance with observation j of all: column j of the inverse factor times the whitened vector.
            let weight = dot(&self.inverse_factor[j], &work.white[j..]);
            let slope = work.slopes[j];
            for (f, difference) in self.axes.differences(point, other) {
                let step = 2.0 * slope * self.weights[self.axes.axis(f)] * difference;
                mean_slope[f] += step * self.dual[j];
                deviation_slope[f] -= step * weight / deviation;
            }
        }
        (mean, deviation, mean_slope, deviation_slope)
    }

    /// Standard deviation where this much of the variance is explained; never 0, so that it can be divided by.
    fn deviation(&self, explained: f64) -> f64 {
        (self.signal - explained).max(1e-12 * (self.signal + self.noise)).sqrt()
    }

    /// Inverse factor times the covariances of `work`.
    fn whiten(&self, work: &mut Work) {
        work.white.clear();
        work.white.resize(self.points.len(), 0.0);
        for (j, (column, covariance)) in self.inverse_factor.iter().zip(&work.covariances).enumerate() {
            for (sum, element) in work.white[j..].iter_mut().zip(column) {
                *sum += covariance * element;
            }
        }
    }

    /// Inverse covariance times a vector.
    fn solve(&self, vector: &[f64]) -> Vec<f64> {
        let mut work = Work { covariances: vector.to_vec(), ..Work::default() };
        self.whiten(&mut work);
        self.inverse_factor.iter().enumerate().map(|(j, column)| dot(column, &work.white[j..])).collect()
    }
}

/// Room for intermediate results of a prediction.
#[derive(Debug, Default)]
pub(super) struct Work {
    covariances: Vec<f64>,
    slopes: Vec<f64>,
    white: Vec<f64>,
}

/// Weights by axis, variance of the function, variance of the noise.
fn natural(hyperparameters: &[f64], prior: &Prior, axes: usize) -> (Vec<f64>, f64, f64) {
    let clamped = |i: usize| hyperparameters[i].clamp(-LIMIT, LIMIT);
    let weights = (0..axes).map(|i| libm::exp(-2.0 * clamped(i))).collect();
    (weights, libm::exp(clamped(axes)), prior.noise_floor + libm::exp(clamped(axes + 1)))
}

/// Columns of the inverse of the Cholesky factor of a matrix given by its lower triangle, each from the diagonal
/// down, and the sum of the logarithms of the factor's diagonal. When rounding makes the matrix indefinite, as
/// little as helps is added to its diagonal.
fn invert(matrix: DMatrix<f64>) -> Option<(Vec<Vec<f64>>, f64)> {
    let n = matrix.nrows();
    let largest = (0..n).fold(0.0, |largest: f64, i| largest.max(matrix[(i, i)]));
    let factor = [0.0, 1e-10, 1e-8, 1e-6, 1e-4].into_iter().find_map(|jitter| {
        let mut shifted = matrix.clone();
        for i in 0..n {
            shifted[(i, i)] += jitter * largest;
        }
        Cholesky::new(shifted)
    })?;
    let factor = factor.l_dirty();
    // By row, so that the inner loop below is a product of neighbours in memory.
    let rows: Vec<Vec<f64>> = (0..n).map(|i| (0..=i).map(|j| factor[(i, j)]).collect()).collect();
    let columns = (0..n)
        .map(|j| {
            let mut column = Vec::with_capacity(n - j);
            column.push(1.0 / rows[j][j]);
            for i in j + 1..n {
                column.push(-dot(&rows[i][j..i], &column) / rows[i][i]);
            }
            column
        })
        .collect();
    let logarithm = rows.iter().enumerate().map(|(i, row)| libm::log(row[i])).sum();
    Some((columns, logarithm))
}

/// Scalar product in four interleaved sums: an order that is fixed and that a compiler can do two at a time.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 4];
    let (a4, b4) = (a.chunks_exact(4), b.chunks_exact(4));
    let rest: f64 = a4.remainder().iter().zip(&b[a.len() - a4.remainder().len()..]).map(|(x, y)| x * y).sum();
    for (x, y) in a4.zip(b4) {
        for lane in 0..4 {
            sums[lane] += x[lane] * y[lane];
        }
    }
    ((sums[0] + sums[2]) + (sums[1] + sums[3])) + rest
}

/// Density of the hyper-parameters given the observations.
struct Posterior<'a> {
    /// Mean and deviation of the logarithm of the length scale of each axis.
    lengths: Vec<(f64, f64)>,
    values: &'a [f64],
    prior: &'a Prior,
    /// For each pair `i > j` in order of rows, the squared difference by axis.
    differences: Vec<f64>,
}

impl<'a> Posterior<'a> {
    fn new(axes: &Axes, points: &[Vec<f64>], values: &'a [f64], prior: &'a Prior) -> Posterior<'a> {
        let mut differences = Vec::with_capacity(points.len() * points.len() / 2 * axes.len());
        for i in 0..points.len() {
            for j in 0..i {
                axes.squared_differences(&points[i], &points[j], &mut differences);
            }
        }
        let length = |axis| if axes.is_unordered(axis) { prior.unordered_length } else { prior.length };
        Posterior { lengths: (0..axes.len()).map(length).collect(), values, prior, differences }
    }

    /// Minus the logarithm of the density (up to the prior's constants) and its gradient.
    fn negative(&self, at: &[f64], gradient: &mut [f64]) -> f64 {
        let (d, n) = (self.lengths.len(), self.values.len());
        let (weights, signal, noise) = natural(at, self.prior, d);
        let mut covariance = DMatrix::zeros(n, n);
        // For each pair, minus the slope of the kernel by the squared distance.
        let mut slopes = Vec::with_capacity(n * (n - 1) / 2);
        let mut pairs = self.differences.chunks_exact(d);
        for i in 0..n {
            covariance[(i, i)] = signal + noise;
            for (j, squares) in (0..i).zip(&mut pairs) {
                let mut distance = 0.0;
                for (weight, square) in weights.iter().zip(squares) {
                    distance += weight * square;
                }
                let (value, slope) = matern(distance);
                covariance[(i, j)] = signal * value;
                slopes.push(-signal * slope);
            }
        }
        let kernel = covariance.clone();
        gradient.fill(0.0);
        let Some((inverse_factor, half_log_determinant)) = invert(covariance) else { return f64::INFINITY };
        let mut white = vec![0.0; n];
        for (j, column) in inverse_factor.iter().enumerate() {
            for (sum, element) in white[j..].iter_mut().zip(column) {
                *sum += self.values[j] * element;
            }
        }
        let dual: Vec<f64> = inverse_factor.iter().enumerate().map(|(j, column)| dot(column, &white[j..])).collect();

        // d/dt = tr((C^-1 - a a') dC/dt) / 2 with a = C^-1 y; pairs off the diagonal count twice.
        let (mut by_signal, mut by_noise) = (0.0, 0.0);
        let mut by_weight = vec![0.0; d];
        let mut pairs = self.differences.chunks_exact(d).zip(&slopes);
        for i in 0..n {
            let inverse = dot(&inverse_factor[i], &inverse_factor[i]);
            let own = 0.5 * (inverse - dual[i] * dual[i]);
            by_signal += own * signal;
            by_noise += own;
            for (j, (squares, slope)) in (0..i).zip(&mut pairs) {
                let inverse = dot(&inverse_factor[j][i - j..], &inverse_factor[i]);
                let both = inverse - dual[i] * dual[j];
                by_signal += both * kernel[(i, j)];
                let step = both * slope;
                for (sum, square) in by_weight.iter_mut().zip(squares) {
                    *sum += step * square;
                }
            }
        }
        let mut total = 0.5 * dot(&white, &white) + half_log_determinant + 0.5 * n as f64 * LOG_2_PI;
        for i in 0..d + 2 {
            let (mean, deviation) = match i {
                _ if i < d => self.lengths[i],
                _ if i == d => self.prior.signal,
                _ => self.prior.noise,
            };
            let offset = (at[i] - mean) / deviation;
            total += 0.5 * offset * offset;
            let inside = if at[i].abs() < LIMIT { 1.0 } else { 0.0 };
            // The derivative by a logarithm: of the length, -2 weight times that by the weight.
            let likelihood = match i {
                _ if i < d => 2.0 * weights[i] * by_weight[i],
                _ if i == d => by_signal,
                _ => by_noise * (noise - self.prior.noise_floor),
            };
            gradient[i] = inside * likelihood + offset / deviation;
        }
        total
    }
}

const LOG_2_PI: f64 = 1.837_877_066_409_345_5;

#[cfg(test)]
#[allow(clippy::excessive_precision)] // Reference values keep the digits they were computed with.
mod tests {
    use super::*;

    /// Two ordered axes and one of categories; the figures below are of a few lines of numpy.
    fn example() -> (Axes, Vec<Vec<f64>>, Vec<f64>, Prior, Hyperparameters) {
        let axes = Axes::new(vec![(0, Kind::Ordered), (1, Kind::Ordered), (2, Kind::Unordered)]);
        let points = [[0.1, 0.2, 0.0], [0.4, 0.9, 1.0], [0.8, 0.3, 1.0], [0.6, 0.6, 0.0], [0.95, 0.05, 2.0]];
        let points = points.iter().map(|point| point.to_vec()).collect();
        let prior = Prior { noise_floor: 1e-4, ..Prior::new(3, true) };
        let hyperparameters = [0.5, 0.8, 1.5, 1.3, 0.01].iter().map(|x| libm::log(*x)).collect();
        (axes, points, vec![0.5, -1.2, 0.3, -0.4, 1.1], prior, hyperparameters)
    }

    fn assert_close(found: f64, expected: f64, relative: f64) {
        assert!((found - expected).abs() <= relative * expected.abs().max(1e-3), "{found:e} is not {expected:e}");
    }

    #[test]
    fn predictions_are_those_of_the_textbook() {
        let (axes, points, values, prior, hyperparameters) = example();
        let process = GaussianProcess::with(&axes, points, values, &prior, hyperparameters).unwrap();
        let mut work = Work::default();
        for (point, mean, deviation) in [
            ([0.5, 0.5, 1.0], -0.5334612286868776, 0.46275033868726545),
            ([0.1, 0.2, 0.0], 0.49126484916028024, 0.09999525533609906),
            ([0.3, 0.7, 2.0], -0.4545342795527037, 0.7497694006801956),
        ] {
            let found = process.predict(&point, &mut work);
            assert_close(found.0, mean, 1e-12);
            assert_close(found.1, deviation, 1e-12);
        }
    }

    #[test]
    fn the_likelihood_is_that_of_a_multivariate_normal() {
        let (axes, points, values, prior, hyperparameters) = example();
        let penalty: f64 = (0..5)
            .map(|i| {
                let length = if i == 2 { prior.unordered_length } else { prior.length };
                let (mean, deviation) = [length, length, length, prior.signal, prior.noise][i];
                let offset = (hyperparameters[i] - mean) / deviation;
                0.5 * offset * offset
            })
            .sum();
        let posterior = Posterior::new(&axes, &points, &values, &prior);
        let found = posterior.negative(&hyperparameters, &mut [0.0; 5]);
        assert_close(found, 6.0936049374862264 + penalty, 1e-12);
    }

    #[test]
    fn gradients_are_those_of_small_differences() {
        let (axes, points, values, prior, hyperparameters) = example();
        let posterior = Posterior::new(&axes, &points, &values, &prior);
        let mut gradient = vec![0.0; 5];
        posterior.negative(&hyperparameters, &mut gradient);
        for i in 0..5 {
            let at = |step: f64| {
                let mut shifted = hyperparameters.clone();
                shifted[i] += step;
                posterior.negative(&shifted, &mut [0.0; 5])
            };
            assert_close(gradient[i], (at(1e-5) - at(-1e-5)) / 2e-5, 1e-7);
        }

        let process = GaussianProcess::with(&axes, points, values, &prior, hyperparameters).unwrap();
        let mut work = Work::default();
        let point = [0.35, 0.55, 1.0];
        let (_, _, mean_slope, deviation_slope) = process.predict_with_slopes(&point, &mut work);
        for f in 0..2 {
            let mut at = |step: f64| {
                let mut shifted = point;
                shifted[f] += step;
                process.predict(&shifted, &mut work)
            };
            let (above, below) = (at(1e-5), at(-1e-5));
            assert_close(mean_slope[f], (above.0 - below.0) / 2e-5, 1e-7);
            assert_close(deviation_slope[f], (above.1 - below.1) / 2e-5, 1e-7);
        }
        assert_eq!((mean_slope[2], deviation_slope[2]), (0.0, 0.0), "categories have no slope");
    }

    #[test]
    fn a_fit_is_at_least_as_likely_as_where_it_began() {
        let (axes, points, values, prior, start) = example();
        let begin = -Posterior::new(&axes, &points, &values, &prior).negative(&start, &mut [0.0; 5]);
        let effort = Effort { evaluations: 50, tolerance: 1e-8 };
        let fitted = GaussianProcess::fit(&axes, points.clone(), values.clone(), &prior, &[start], effort).unwrap();
        let mut gradient = vec![0.0; 5];
        Posterior::new(&axes, &points, &values, &prior).negative(fitted.hyperparameters(), &mut gradient);
        assert!(fitted.evidence() > begin);
        assert!(gradient.iter().all(|g| g.abs() < 1e-2), "{gradient:?}");
    }

    #[test]
    fn points_that_coincide_do_not_break_the_factorisation() {
        let (axes, _, _, _, hyperparameters) = example();
        let prior = Prior { noise_floor: 0.0, ..Prior::new(3, false) };
        let mut certain = hyperparameters.clone();
        certain[4] = -LIMIT * 10.0;
        let points = vec![vec![0.5; 3]; 6];
        let process = GaussianProcess::with(&axes, points, vec![1.0; 6], &prior, certain).unwrap();
        let (mean, deviation) = process.predict(&[0.5; 3], &mut Work::default());
        assert!((mean - 1.0).abs() < 1e-4 && deviation < 0.02, "{mean} {deviation}");
    }

    #[test]
    fn what_is_believed_of_a_waiting_point_leaves_the_mean_and_takes_the_doubt() {
        let (axes, points, values, prior, hyperparameters) = example();
        let process = GaussianProcess::with(&axes, points, values, &prior, hyperparameters).unwrap();
        let (mut work, waiting, other) = (Work::default(), vec![0.3, 0.7, 2.0], [0.35, 0.6, 2.0]);
        let believed = process.predict(&waiting, &mut work).0;
        let after = process.and(std::slice::from_ref(&waiting), &[believed], &prior).unwrap();
        assert_close(after.predict(&other, &mut work).0, process.predict(&other, &mut work).0, 1e-9);
        assert!(after.predict(&waiting, &mut work).1 < 0.2 * process.predict(&waiting, &mut work).1);
    }
}
