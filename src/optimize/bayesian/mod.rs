//! Bayesian optimisation: a model of the objective from all trials so far, and the point that promises most.
//!
//! The first trials are spread evenly. Then a Gaussian process is fitted to the transformed losses
//! ([`transform`], [`gaussian_process`]), and the point of greatest expected improvement is proposed
//! ([`acquisition`], [`search`]). Several objectives are made one by weights that change with every trial;
//! constraints have a model each; trials of a batch are told the model's own mean until they are told theirs.

mod acquisition;
mod draws;
mod encoding;
mod gaussian_process;
mod kernel;
mod lbfgs;
mod observations;
mod search;
mod transform;

use self::acquisition::Acquisition;
use self::draws::{Draws, Purpose};
use self::encoding::{Encoding, Point};
use self::gaussian_process::{GaussianProcess, Prior, Work};
use self::lbfgs::Effort;
use self::observations::Observations;
use self::search::{Region, Search};
use super::{History, Method, Params, SearchSettings};

/// Bayesian optimisation over any space.
#[derive(Debug, Clone)]
pub struct Bayesian {
    settings: SearchSettings,
    /// The last fit that later ones start from: what it was fitted to, and what it found.
    fitted: Option<(Observations, Vec<f64>)>,
}

impl Bayesian {
    /// With the seed and the noise of these settings.
    pub fn new(settings: SearchSettings) -> Bayesian {
        Bayesian { settings, fitted: None }
    }

    /// Trials that are spread evenly before the first model.
    fn initial(parameters: usize) -> usize {
        (2 * parameters + 2).max(8)
    }
}

impl Method for Bayesian {
    fn propose(&mut self, history: &History, n: usize) -> Vec<Params> {
        let encoding = Encoding::new(&history.space);
        let mut proposed: Vec<Params> = Vec::new();
        for _ in 0..n {
            let Some(params) = self.next(history, &encoding, &proposed) else { break };
            proposed.push(params);
        }
        proposed
    }
}

impl Bayesian {
    /// The next trial after those of the history and of this batch.
    fn next(&mut self, history: &History, encoding: &Encoding, batch: &[Params]) -> Option<Params> {
        let space = &history.space;
        let trial = history.trials.len() + batch.len();
        let draws = Draws { seed: self.settings.seed, trial };
        let taken = |params: &Params| history.trials.iter().any(|t| t.params == *params) || batch.contains(params);
        if trial < Bayesian::initial(space.len()) {
            return self.spread(history, draws, taken);
        }
        let observations = Observations::new(history, encoding, draws);
        let waiting: Vec<Point> = history
            .trials
            .iter()
            .filter(|t| t.outcome.is_none())
            .map(|t| &t.params)
            .chain(batch)
            .map(|params| encoding.point_of(space, params))
            .collect();
        self.promising(history, encoding, &observations, &waiting, draws, &taken)
            .or_else(|| self.spread(history, draws, taken))
    }

    /// A point of an even spread over the space.
    fn spread(&self, history: &History, draws: Draws, taken: impl Fn(&Params) -> bool) -> Option<Params> {
        let space = &history.space;
        let d = space.len();
        (0..1000).find_map(|attempt| {
            let unit: Vec<f64> = if attempt == 0 {
                // TEMPORARY: additive recurrence until Sobol
                let shift = Draws { seed: self.settings.seed, trial: 0 };
                let mut g: f64 = 2.0;
                for _ in 0..60 {
                    g = libm::pow(1.0 + g, 1.0 / (d as f64 + 1.0));
                }
                (0..d)
                    .map(|k| {
                        let x = shift.uniform(Purpose::Initial, k)
                            + draws.trial as f64 * libm::pow(1.0 / g, k as f64 + 1.0);
                        x - x.floor()
                    })
                    .collect()
            } else {
                (0..d).map(|k| draws.uniform(Purpose::Fallback, attempt * d + k)).collect()
            };
            let params = space.decode(&unit);
            (space.allows(&params) && !taken(&params)).then_some(params)
        })
    }

    fn promising(
        &mut self,
        history: &History,
        encoding: &Encoding,
        observations: &Observations,
        waiting: &[Point],
        draws: Draws,
        taken: &impl Fn(&Params) -> bool,
    ) -> Option<Params> {
        let space = &history.space;
        let prior = Prior::new(space.len(), self.settings.noisy);
        let features: Vec<Vec<f64>> = observations.points.iter().map(|p| p.features.clone()).collect();
        let start = |length: f64| {
            let mut start = vec![prior.length.0 + libm::log(length); space.len()];
            start.extend([0.0, prior.noise.0]);
            start
        };
        let effort = Effort { evaluations: 60, tolerance: 1e-4 };
        let starts = [start(1.0), start(0.4)];
        let mut model = GaussianProcess::fit(
            &encoding.axes,
            features,
            observations.losses.clone(),
            &prior,
            &starts,
            effort,
        )?;
        let mut work = Work::default();
        let mut order: Vec<usize> = (0..observations.points.len()).collect();
        order.sort_by(|&a, &b| observations.losses[a].total_cmp(&observations.losses[b]));
        let incumbent = observations.losses[order[0]];
        if !waiting.is_empty() {
            let points: Vec<Vec<f64>> = waiting.iter().map(|p| p.features.clone()).collect();
            let means: Vec<f64> = points.iter().map(|p| model.predict(p, &mut work).0).collect();
            model = model.and(&points, &means, &prior)?;
        }
        let best: Vec<Point> = order.iter().take(5).map(|&k| observations.points[k].clone()).collect();
        let acquisition = Acquisition { objective: Some((&model, incumbent)), constraints: Vec::new() };
        let region = Region::whole(space.len());
        let lengths = model.length_scales();
        let search =
            Search { space, encoding, acquisition: &acquisition, region: &region, best: &best, lengths: &lengths, draws };
        let discrete = encoding.is_discrete();
        let ranked = search.ranked(|point| discrete && taken(&space.decode(&point.unit)));
        ranked.into_iter().map(|(point, _)| space.decode(&point.unit)).find(|params| !taken(params))
    }
}
