//! Finding the point that promises most.

use super::acquisition::Acquisition;
use super::encoding::{Encoding, Point};
use super::gaussian_process::Work;
use super::lbfgs::{Effort, minimise};
use super::region::Region;
use crate::optimize::Space;
use crate::optimize::draws::{Draws, Purpose};

/// Points around each of the best ones.
const NEIGHBOURS: usize = 24;
/// Points that are improved.
const STARTS: usize = 6;
/// A point nearer than this to one of the best, in length scales, is improved on its continuous axes.
const NEAR: f64 = 1.0;
/// Values of a discrete parameter that are all looked at; of more, only some.
const FLIPS: u64 = 16;

/// One search for the best point.
pub(super) struct Search<'a> {
    pub space: &'a Space,
    pub encoding: &'a Encoding,
    pub acquisition: &'a Acquisition<'a>,
    pub region: &'a Region,
    /// The best points that were tried, best first: promising points are near them more often than elsewhere.
    pub best: &'a [Point],
    /// Length scale of each parameter: a step that matters.
    pub lengths: &'a [f64],
    /// Points that fill the cube evenly.
    pub lattice: &'a [Vec<f64>],
    pub seed: u64,
    pub trial: usize,
}

impl Search<'_> {
    /// Points in the order of what they promise, the best first. All of them are allowed by the space's rules
    /// and none is `taken`; there is none only when everything that was looked at is ruled out.
    pub fn ranked(&self, taken: impl Fn(&Point) -> bool) -> Vec<(Point, f64)> {
        let mut work = Work::default();
        let mut found: Vec<(Point, f64)> = Vec::new();
        for unit in self.candidates() {
            let point = self.encoding.point(self.space, unit);
            if self.allowed(&point) && !taken(&point) {
                let value = self.acquisition.value(&point.features, &mut work);
                found.push((point, value));
            }
        }
        sort(&mut found);
        for k in self.starts(&found) {
            let (point, value) = self.improved(found[k].clone(), &taken, &mut work);
            found.push((point, value));
        }
        sort(&mut found);
        found
    }

    fn allowed(&self, point: &Point) -> bool {
        self.space.rules().is_empty() || self.space.allows(&self.space.decode(&point.unit))
    }

    fn candidates(&self) -> Vec<Vec<f64>> {
        let d = self.space.len();
        // The lattice as a whole is moved around the cube by a random step.
        let mut draws = Draws::new(self.seed, Purpose::Candidates, self.trial as u64);
        let steps: Vec<f64> = (0..d).map(|_| draws.uniform()).collect();
        let moved = |point: &Vec<f64>| {
            (0..d)
                .map(|k| {
                    let share = point[k] + steps[k];
                    self.region.at(k, share - share.floor())
                })
                .collect()
        };
        let mut candidates: Vec<Vec<f64>> = self.lattice.iter().map(moved).collect();
        let mut draws = Draws::new(self.seed, Purpose::Neighbours, self.trial as u64);
        for best in self.best {
            candidates.extend((0..NEIGHBOURS).map(|i| self.neighbour(&best.unit, i, &mut draws)));
        }
        candidates
    }

    /// A point near another: steps from a third of a length scale down to a few thousandths, on all axes or, for
    /// every other neighbour, on about three of them.
    fn neighbour(&self, centre: &[f64], i: usize, draws: &mut Draws) -> Vec<f64> {
        let size = [0.3, 0.1, 0.03, 0.003][i % 4];
        let share = if i.is_multiple_of(2) { 1.0 } else { (3.0 / centre.len() as f64).min(0.7) };
        let mut unit = centre.to_vec();
        for (k, coordinate) in unit.iter_mut().enumerate() {
            if draws.uniform() >= share {
                continue;
            }
            let moved = match self.encoding.levels(k) {
                // Most keep their value, or hardly any neighbour would be one.
                Some(levels) if levels <= FLIPS || i.is_multiple_of(4) => {
                    let anywhere = self.region.at(k, draws.uniform());
                    if draws.uniform() < 0.3 { anywhere } else { *coordinate }
                }
                levels => {
                    let least = levels.map_or(0.0, |levels| 1.0 / levels as f64);
                    *coordinate + (size * self.lengths[k].min(1.0)).max(least) * draws.normal()
                }
            };
            *coordinate = moved.clamp(self.region.low[k], self.region.high[k]);
        }
        unit
    }

    /// Which of the sorted points to improve: the best ones, but none next to a better one.
    fn starts(&self, found: &[(Point, f64)]) -> Vec<usize> {
        let weights: Vec<f64> = self.lengths.iter().map(|l| 1.0 / (l * l)).collect();
        let mut starts: Vec<usize> = Vec::new();
        for (k, (point, _)) in found.iter().enumerate() {
            let apart = |&other: &usize| {
                let other = &found[other].0;
                self.encoding.axes.distance(&point.features, &other.features, &weights) > 0.01
            };
            if starts.iter().all(apart) {
                starts.push(k);
            }
            if starts.len() == STARTS {
                break;
            }
        }
        starts
    }

    /// Whether the continuous coordinates of a point are improved: not when it is far from the best ones.
    ///
    /// What is far promises by its uncertainty alone, and that is greatest in the corners of the cube, of which
    /// there are 2^d and of which most say nothing about the inside. Left where it is, a point of the lattice
    /// explores in proportion to the volume. Before anything is feasible the way there may be far.
    fn is_climbed(&self, point: &Point) -> bool {
        let weights: Vec<f64> = self.lengths.iter().map(|l| 1.0 / (l * l)).collect();
        let is_near =
            |best: &Point| self.encoding.axes.distance(&point.features, &best.features, &weights) < NEAR * NEAR;
        self.acquisition.objective.is_none() || self.best.iter().any(is_near)
    }

    /// The best point that is reached from this one by changing the continuous coordinates together, when it is
    /// near one of the best, and the discrete ones one by one.
    fn improved(
        &self,
        (mut point, mut value): (Point, f64),
        taken: &impl Fn(&Point) -> bool,
        work: &mut Work,
    ) -> (Point, f64) {
        let is_climbed = self.is_climbed(&point);
        for _ in 0..3 {
            let before = value;
            if is_climbed && let Some(better) = self.climbed(&point, value, work) {
                (point, value) = better;
            }
            let mut flipped = false;
            for k in 0..self.space.len() {
                let Some(levels) = self.encoding.levels(k) else { continue };
                if levels < 2 || !self.encoding.counts(k, &point) {
                    continue;
                }
                for coordinate in self.alternatives(point.unit[k], levels) {
                    if coordinate < self.region.low[k] || coordinate > self.region.high[k] {
                        continue;
                    }
                    let mut unit = point.unit.clone();
                    unit[k] = coordinate;
                    let other = self.encoding.point(self.space, unit);
                    if !self.allowed(&other) || taken(&other) {
                        continue;
                    }
                    let promise = self.acquisition.value(&other.features, work);
                    if promise > value {
                        (point, value, flipped) = (other, promise, true);
                    }
                }
            }
            if !flipped || value <= before {
                break;
            }
        }
        (point, value)
    }

    /// Other coordinates to try for a discrete parameter: all when there are few, otherwise near and far ones.
    fn alternatives(&self, coordinate: f64, levels: u64) -> Vec<f64> {
        if levels <= FLIPS {
            return (0..levels).map(|level| (level as f64 + 0.5) / levels as f64).collect();
        }
        let share = 1.0 / levels as f64;
        let steps = [1.0, 2.0, 4.0, 0.03 * levels as f64, 0.1 * levels as f64, 0.3 * levels as f64];
        let steps = steps.iter().flat_map(|step| [coordinate - step * share, coordinate + step * share]);
        steps.filter(|x| (0.0..=1.0).contains(x)).collect()
    }

    /// A better point with other continuous coordinates; `None` when none is found.
    fn climbed(&self, point: &Point, value: f64, work: &mut Work) -> Option<(Point, f64)> {
        let axes: Vec<usize> = (0..self.space.len())
            .filter(|&k| self.encoding.is_continuous_at(k, point) && self.region.low[k] < self.region.high[k])
            .collect();
        if axes.is_empty() {
            return None;
        }
        // A coordinate is `low + width sin^2(t)`: every t is inside and the bounds are reached. Steps are in
        // units of the length scale, so that all axes are about equally curved.
        let width = |k: usize| self.region.high[k] - self.region.low[k];
        let scale = |k: usize| (self.lengths[k] / width(k)).clamp(0.05, 2.0);
        let start = axes
            .iter()
            .map(|&k| {
                let share = ((point.unit[k] - self.region.low[k]) / width(k)).clamp(1e-4, 1.0 - 1e-4);
                libm::asin(share.sqrt()) / scale(k)
            })
            .collect();
        let place = |at: &[f64]| {
            let mut features = point.features.clone();
            for (&k, t) in axes.iter().zip(at) {
                let sine = libm::sin(t * scale(k));
                features[self.encoding.feature(k)] = self.region.at(k, sine * sine);
            }
            features
        };
        let effort = Effort { evaluations: 40, tolerance: 1e-7 };
        let (at, negative) = minimise(start, effort, |at, gradient| {
            let (value, slopes) = self.acquisition.value_with_slope(&place(at), work);
            for ((&k, t), slope) in axes.iter().zip(at).zip(gradient) {
                let by_angle = width(k) * libm::sin(2.0 * t * scale(k)) * scale(k);
                *slope = -slopes[self.encoding.feature(k)] * by_angle;
            }
            -value
        });
        if -negative <= value {
            return None;
        }
        let features = place(&at);
        let mut unit = point.unit.clone();
        for &k in &axes {
            unit[k] = features[self.encoding.feature(k)];
        }
        let point = Point { unit, features };
        self.allowed(&point).then_some((point, -negative))
    }
}

/// By falling promise; what was found earlier comes first among equals.
fn sort(found: &mut [(Point, f64)]) {
    found.sort_by(|(_, a), (_, b)| b.total_cmp(a));
}

#[cfg(test)]
mod tests {
    use super::super::gaussian_process::{GaussianProcess, Prior};
    use super::*;
    use crate::optimize::{Domain, Parameter, Sobol};

    #[test]
    fn near_the_best_the_point_that_promises_most_is_climbed_to_and_far_from_it_the_lattice_stays() {
        let domain = Domain::Float { low: 0.0, high: 1.0, step: None, log: false };
        let axis = |name: &str| Parameter { name: name.to_string(), domain: domain.clone(), condition: None };
        let space = Space::new(vec![axis("x"), axis("y"), axis("z")]).unwrap();
        let encoding = Encoding::new(&space);
        // A valley at the centre, lower on the side of the second point.
        let points = vec![vec![0.5; 3], vec![0.55, 0.5, 0.5], vec![0.4, 0.5, 0.5], vec![0.5, 0.6, 0.4]];
        let hyperparameters = vec![libm::log(0.2), libm::log(0.2), libm::log(0.2), 0.0, -20.0];
        let prior = Prior::new(3, false);
        let values = vec![-1.0, -1.1, 0.5, 0.5];
        let model = GaussianProcess::with(&encoding.axes, points.clone(), values, &prior, hyperparameters).unwrap();
        let best = [Point { unit: points[1].clone(), features: points[1].clone() }];
        let sobol = Sobol::new(3, 5);
        let lattice: Vec<Vec<f64>> = (0..64).map(|number| sobol.point(number)).collect();
        // Against the best loss the valley promises more; against a loss out of its reach, the uncertain rest.
        for (incumbent, is_near) in [(-1.1, true), (-2.5, false)] {
            let acquisition = Acquisition { objective: Some((&model, incumbent)), constraints: Vec::new() };
            let search = Search {
                space: &space,
                encoding: &encoding,
                acquisition: &acquisition,
                region: &Region::whole(3),
                best: &best,
                lengths: &[0.2; 3],
                lattice: &lattice,
                seed: 5,
                trial: 9,
            };
            let (first, promise) = search.ranked(|_| false).remove(0);
            assert_eq!(search.is_climbed(&first), is_near, "{first:?}");
            let candidates = search.candidates();
            assert_eq!(candidates[..64].contains(&first.unit), !is_near, "{first:?}");
            // Nothing that was not climbed promises more.
            let mut work = Work::default();
            for unit in candidates {
                assert!(acquisition.value(&encoding.point(&space, unit).features, &mut work) <= promise);
            }
        }
    }
}
