//! The models of one proposal, and how they are fitted.

use super::encoding::{Encoding, Point};
use super::gaussian_process::{GaussianProcess, Hyperparameters, Prior};
use super::lbfgs::Effort;
use super::transform::Shape;

/// Observations that a model is fitted to at most: its cost grows with their cube.
pub(super) const LARGEST_MODEL: usize = 128;

/// What a model is fitted to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sample {
    pub points: Vec<Point>,
    /// About mean 0 and deviation 1.
    pub values: Vec<f64>,
    /// Logarithm of the derivative of the values by what was measured, in sum.
    pub log_slope: f64,
}

/// A thorough fit and what it was made to.
#[derive(Debug, Clone, PartialEq)]
struct Anchor {
    sample: Sample,
    /// Which of the shapes had the most evidence for it.
    shape: Shape,
    found: Hyperparameters,
}

/// Fits of one model to a growing history.
///
/// A thorough fit from several starts is made only at certain numbers of observations (the anchors); in between,
/// a few steps are made from the last anchor's hyper-parameters. The anchor is a function of the observations,
/// and is kept only to save time.
#[derive(Debug, Clone, Default)]
pub(super) struct Fits {
    anchor: Option<Anchor>,
}

impl Fits {
    /// The model of all observations and its shape: `observed(n, shape)` gives those of the first `n`. `None`
    /// when nothing can be fitted.
    pub fn model(
        &mut self,
        encoding: &Encoding,
        prior: &Prior,
        shapes: &[Shape],
        count: usize,
        observed: impl Fn(usize, Shape) -> Sample,
    ) -> Option<(GaussianProcess, Shape)> {
        let fit = |sample: Sample, starts: &[Hyperparameters], effort| {
            let features = sample.points.into_iter().map(|point| point.features).collect();
            GaussianProcess::fit(&encoding.axes, features, sample.values, prior, starts, effort)
        };
        let first = anchor(count);
        let head = observed(first, *shapes.first()?);
        let kept = self.anchor.take().filter(|kept| kept.sample == head);
        let kept = match kept {
            Some(kept) => kept,
            None => {
                // Starts: the mode of the prior, and a rougher function.
                let start = |length: f64| {
                    let mut start = vec![prior.length.0 + libm::log(length); encoding.axes.len()];
                    start.extend([prior.signal.0, prior.noise.0]);
                    start
                };
                let effort = Effort { evaluations: (4000 / first.max(1)).clamp(25, 60), tolerance: 1e-4 };
                let mut best: Option<(f64, Shape, Hyperparameters)> = None;
                for &shape in shapes {
                    let sample = observed(first, shape);
                    let log_slope = sample.log_slope;
                    let Some(model) = fit(sample, &[start(1.0), start(0.4)], effort) else { continue };
                    let evidence = model.evidence() + log_slope;
                    if best.as_ref().is_none_or(|(most, _, _)| evidence > *most) {
                        best = Some((evidence, shape, model.hyperparameters().clone()));
                    }
                }
                let (_, shape, found) = best?;
                Anchor { sample: head, shape, found }
            }
        };
        let effort = Effort { evaluations: (1000 / count.max(1)).clamp(8, 20), tolerance: 1e-4 };
        let model = fit(observed(count, kept.shape), std::slice::from_ref(&kept.found), effort);
        let shape = kept.shape;
        self.anchor = Some(kept);
        Some((model?, shape))
    }
}

/// How many of the first observations the last thorough fit was made to: all while there are few, then steps of
/// an eighth to a sixteenth.
fn anchor(observations: usize) -> usize {
    let step = ((observations / 8).max(1) + 1).next_power_of_two() / 2;
    observations / step * step
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_grow_with_the_history() {
        let anchors: Vec<usize> = [1, 5, 15, 16, 17, 24, 30, 59, 60, 64, 119, 120].map(anchor).to_vec();
        assert_eq!(anchors, [1, 5, 15, 16, 16, 24, 30, 56, 60, 64, 112, 120]);
    }
}
