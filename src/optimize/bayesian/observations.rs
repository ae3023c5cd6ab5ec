//! What the models are fitted to.

use super::draws::Draws;
use super::encoding::{Encoding, Point};
use super::transform::Transform;
use crate::optimize::History;

/// The trials that were told.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Observations {
    pub points: Vec<Point>,
    /// Transformed: less is better, mean 0, deviation 1.
    pub losses: Vec<f64>,
}

impl Observations {
    pub fn new(history: &History, encoding: &Encoding, _draws: Draws) -> Observations {
        let mut points = Vec::new();
        let mut raw = Vec::new();
        for (k, trial) in history.trials.iter().enumerate() {
            let Some(merit) = history.merit(k) else { continue };
            points.push(encoding.point_of(&history.space, &trial.params));
            raw.push(merit.losses[0]);
        }
        let finite: Vec<f64> = raw.iter().copied().filter(|x| x.is_finite()).collect();
        let worst = finite.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let filled: Vec<f64> = raw.iter().map(|x| if x.is_finite() { *x } else { worst }).collect();
        let losses = match Transform::fit(&finite) {
            Some(t) => filled.iter().map(|x| t.apply(*x)).collect(),
            None => vec![0.0; filled.len()],
        };
        Observations { points, losses }
    }
}
