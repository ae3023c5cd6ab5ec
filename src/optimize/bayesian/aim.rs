//! Where a trial looks and what it has to beat.

use super::encoding::{Encoding, Point};
use super::gaussian_process::{GaussianProcess, Work};
use super::observations::Observations;
use super::region::{Region, edge};
use super::valleys::valleys;

/// More axes than this are searched in a trust region from the start.
const AXES_FOR_REGION: usize = 20;
/// After more trials than this every space is.
const TRIALS_FOR_REGION: usize = 300;
/// A fall of the least loss that counts as progress, in units of the deviation of the losses.
const PROGRESS: f64 = 0.01;
/// Trials without progress after which other valleys get their share.
const PATIENCE: usize = 6;
/// Which of the other valleys has its turn: mostly the deepest.
const TURNS: [usize; 4] = [0, 1, 0, 2];
/// Edge of the box around the lowest point of such a valley.
const VALLEY_EDGE: f64 = 0.4;
/// Of the best points, so many are searched around.
const BEST: usize = 5;

/// What is known when a trial is aimed.
pub(super) struct Scene<'a> {
    pub encoding: &'a Encoding,
    pub told: &'a Observations,
    /// Transformed, by place.
    pub losses: &'a [f64],
    /// Places by merit, the best first.
    pub order: &'a [usize],
    pub model: &'a GaussianProcess,
    pub noisy: bool,
    /// Trials that were spread evenly at first.
    pub spread: usize,
    pub trial: usize,
}

/// One place to look.
#[derive(Debug)]
pub(super) struct Aim {
    pub region: Region,
    /// Loss to be improved on; `None` while nothing feasible is known.
    pub incumbent: Option<f64>,
    /// Points to look around, best first.
    pub best: Vec<Point>,
}

/// Where to look, in this order until a point is found that was not tried: around another valley when it is its
/// turn, in the trust region when there are many axes or trials, and everywhere.
pub(super) fn aims(scene: &Scene) -> Vec<Aim> {
    let Scene { encoding, told, losses, order, model, .. } = *scene;
    let axes = encoding.axes.len();
    let mut work = Work::default();
    // The luckiest of noisy losses would be hard to beat: what counts is what the model makes of them.
    let mut loss = |k: usize| {
        if scene.noisy { model.predict(&told.points[k].features, &mut work).0 } else { losses[k] }
    };
    let feasible: Vec<usize> = order.iter().copied().filter(|&k| told.is_feasible(k)).collect();
    let incumbent = feasible.iter().map(|&k| loss(k)).reduce(f64::min);
    let lengths = model.length_scales();
    let around = |place: usize, edge: f64| {
        Region::around(&told.points[place].unit, edge, &lengths, |parameter| encoding.is_ordered(parameter))
    };
    let best: Vec<Point> = order.iter().take(BEST).map(|&k| told.points[k].clone()).collect();

    let mut aims = Vec::new();
    if axes > AXES_FOR_REGION || told.len() > TRIALS_FOR_REGION {
        let region = order.first().map(|&centre| around(centre, edge(losses, scene.spread, axes)));
        aims.extend(region.map(|region| Aim { region, incumbent, best: best.clone() }));
    } else if is_turn_of_other_valleys(scene.trial, trials_without_progress(losses, PROGRESS)) {
        let features: Vec<&[f64]> = told.points.iter().map(|point| point.features.as_slice()).collect();
        let valleys = valleys(model, &features, &feasible, 2 + TURNS[3]);
        let others = valleys.get(1..).unwrap_or_default();
        let turn = TURNS[scene.trial / 3 % TURNS.len()];
        aims.extend(others.get(turn).or(others.first()).map(|&lowest| Aim {
            region: around(lowest, VALLEY_EDGE),
            incumbent: Some(loss(lowest)),
            best: vec![told.points[lowest].clone()],
        }));
    }
    aims.push(Aim { region: Region::whole(axes), incumbent, best });
    aims
}

/// Whether a trial goes down another valley than the best: every third one does while there is no progress,
/// because then the best valley is well known, or the model is sure of it by mistake.
fn is_turn_of_other_valleys(trial: usize, without_progress: usize) -> bool {
    without_progress >= PATIENCE && trial % 3 == 2
}

/// Places of the trials, the feasible ones first, each kind by loss.
pub(super) fn by_merit(told: &Observations, losses: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..told.len()).collect();
    order.sort_by(|&a, &b| {
        let infeasible = |k| !told.is_feasible(k);
        infeasible(a).cmp(&infeasible(b)).then(losses[a].total_cmp(&losses[b]))
    });
    order
}

/// Trials since the best of these losses, in order, fell by more than `step`.
fn trials_without_progress(losses: &[f64], step: f64) -> usize {
    let (mut least, mut since) = (f64::INFINITY, 0);
    for &loss in losses {
        since = if loss < least - step { 0 } else { since + 1 };
        least = least.min(loss);
    }
    since
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_counted_from_the_last_step_down() {
        assert_eq!(trials_without_progress(&[3.0, 2.0, 2.5, 1.999, 1.5], 0.01), 0);
        assert_eq!(trials_without_progress(&[3.0, 2.0, 2.5, 1.999, 1.998], 0.01), 3);
        assert_eq!(trials_without_progress(&[], 0.01), 0);
    }

    #[test]
    fn other_valleys_have_their_turn_when_there_is_no_progress() {
        let turns = |without| (0..30).filter(|&trial| is_turn_of_other_valleys(trial, without)).count();
        assert_eq!([0, PATIENCE - 1, PATIENCE, 3 * PATIENCE].map(turns), [0, 0, 10, 10]);
    }
}
