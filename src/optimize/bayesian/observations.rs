//! What the models are fitted to.

use super::encoding::{Encoding, Point};
use super::transform::{Shape, Transform};
use crate::optimize::{History, Outcome};

/// Share of the plain sum in a weighted maximum of several objectives.
const SUM_SHARE: f64 = 0.05;

/// The trials that were told, in order of id.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Observations {
    /// Number of the trial.
    pub trials: Vec<usize>,
    pub points: Vec<Point>,
    /// Losses by objective, turned so that less is better.
    losses: Vec<Loss>,
    /// Constraint values; `None` where the evaluation gave none.
    constraints: Vec<Option<Vec<f64>>>,
}

/// What is known of the losses of a trial.
#[derive(Debug, Clone, PartialEq)]
enum Loss {
    Measured(Vec<f64>),
    /// Stopped early: worse than most.
    Pruned,
    /// Nothing that could be modelled.
    Failed,
}

impl Observations {
    /// Those of a history.
    pub fn new(history: &History, encoding: &Encoding) -> Observations {
        let mut told = Observations::default();
        for (number, trial) in history.trials.iter().enumerate() {
            let Some(outcome) = &trial.outcome else { continue };
            let merit = history.goal.merit(outcome);
            let (loss, constraints) = match outcome {
                Outcome::Pruned => (Loss::Pruned, None),
                Outcome::Complete { constraints, .. } if merit.is_known() => {
                    let finite = merit.losses.iter().all(|loss| loss.is_finite());
                    let loss = if finite { Loss::Measured(merit.losses) } else { Loss::Failed };
                    (loss, constraints.iter().all(|c| c.is_finite()).then(|| constraints.clone()))
                }
                _ => (Loss::Failed, None),
            };
            told.trials.push(number);
            told.points.push(encoding.point_of(&history.space, &trial.params));
            told.losses.push(loss);
            told.constraints.push(constraints);
        }
        told
    }

    /// Number of trials that were told.
    pub fn len(&self) -> usize {
        self.points.len()
    }

    /// Those at these places, in this order.
    pub fn only(&self, places: &[usize]) -> Observations {
        Observations {
            trials: places.iter().map(|&k| self.trials[k]).collect(),
            points: places.iter().map(|&k| self.points[k].clone()).collect(),
            losses: places.iter().map(|&k| self.losses[k].clone()).collect(),
            constraints: places.iter().map(|&k| self.constraints[k].clone()).collect(),
        }
    }

    /// One loss for each: transformed for a model, mean about 0 and deviation about 1. Several objectives are
    /// made one by `weights`: the largest weighted loss counts, and a little of the others (augmented
    /// Tchebycheff; J. Knowles, *ParEGO*, IEEE Trans. Evol. Comput. 10 (2006), equation 2). A trial that failed
    /// counts as the worst that was measured, a pruned one as the upper quartile.
    ///
    /// Beside each loss the logarithm of the derivative of its transform, by which the evidence for models of
    /// different shapes can be compared.
    pub fn scalar_losses(&self, weights: &[f64], shape: Shape) -> Vec<(f64, f64)> {
        let measured: Vec<&Vec<f64>> = self
            .losses
            .iter()
            .filter_map(|loss| if let Loss::Measured(losses) = loss { Some(losses) } else { None })
            .collect();
        let scaled: Vec<f64> = match weights.len() {
            1 => measured.iter().map(|losses| losses[0]).collect(),
            _ => {
                let columns: Vec<Vec<f64>> = (0..weights.len())
                    .map(|j| {
                        let column = measured.iter().map(|losses| losses[j]).collect();
                        to_unit(
                            &transformed(column, Shape::Drawn).into_iter().map(|(loss, _)| loss).collect::<Vec<_>>(),
                        )
                    })
                    .collect();
                (0..measured.len())
                    .map(|i| {
                        let weighted = columns.iter().zip(weights).map(|(column, weight)| weight * column[i]);
                        weighted.clone().fold(0.0, f64::max) + SUM_SHARE * weighted.sum::<f64>()
                    })
                    .collect()
            }
        };
        let scaled = transformed(scaled, shape);
        let mut sorted: Vec<f64> = scaled.iter().map(|(loss, _)| *loss).collect();
        sorted.sort_by(f64::total_cmp);
        let worst = sorted.last().copied().unwrap_or(0.0);
        let upper = sorted.get(sorted.len() * 3 / 4).copied().unwrap_or(0.0);
        let mut values = scaled.into_iter();
        let value = |loss: &Loss| match loss {
            Loss::Measured(_) => values.next().unwrap_or((worst, 0.0)),
            Loss::Pruned => (upper, 0.0),
            Loss::Failed => (worst, 0.0),
        };
        self.losses.iter().map(value).collect()
    }

    /// Number of constraints that have been seen.
    pub fn constraints(&self) -> usize {
        self.constraints.iter().flatten().map(Vec::len).next().unwrap_or(0)
    }

    /// The trials with a value of this constraint, the values in units of their deviation around their mean, and
    /// the level that must not be exceeded, in the same units.
    pub fn constraint(&self, which: usize) -> (Vec<Point>, Vec<f64>, f64) {
        let known = self.points.iter().zip(&self.constraints);
        let (points, values): (Vec<Point>, Vec<f64>) =
            known.filter_map(|(point, values)| Some((point.clone(), *values.as_ref()?.get(which)?))).unzip();
        let n = values.len().max(1) as f64;
        let mean = values.iter().sum::<f64>() / n;
        let deviation = (values.iter().map(|c| (c - mean) * (c - mean)).sum::<f64>() / n).sqrt();
        let deviation = if deviation > 0.0 { deviation } else { 1.0 };
        let standardised = values.iter().map(|c| (c - mean) / deviation).collect();
        (points, standardised, -mean / deviation)
    }

    /// Whether a trial was measured and met every constraint.
    pub fn is_feasible(&self, place: usize) -> bool {
        let met = |values: &Vec<f64>| values.iter().all(|c| *c <= 0.0);
        matches!(self.losses[place], Loss::Measured(_)) && self.constraints[place].as_ref().is_some_and(met)
    }
}

/// Transformed values and the logarithms of the derivatives.
fn transformed(values: Vec<f64>, shape: Shape) -> Vec<(f64, f64)> {
    let Some(transform) = Transform::fit(&values, shape) else { return Vec::new() };
    values.into_iter().map(|value| (transform.apply(value), transform.log_slope(value))).collect()
}

/// Stretched so that the least is 0 and the largest 1.
fn to_unit(values: &[f64]) -> Vec<f64> {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let range = if high > low { high - low } else { 1.0 };
    values.iter().map(|value| (value - low) / range).collect()
}
