//! Bayesian optimisation: a model of the objective from all trials so far, and the point that promises most.
//!
//! The first trials are spread evenly. Then a Gaussian process is fitted to the transformed losses
//! ([`transform`], [`gaussian_process`], [`models`]), and the point of greatest expected improvement is proposed
//! ([`acquisition`], [`search`]), in a trust region when there are many axes or trials ([`region`]), now and then
//! in another valley than the best one ([`aim`], [`valleys`]). Several objectives are made one by weights that
//! change with every trial; constraints have a model each; trials of a batch are told the model's own mean until
//! they are told theirs (D. Ginsbourger, R. Le Riche, L. Carraro, *Kriging is well-suited to parallelize
//! optimization*, 2010: the kriging believer).

mod acquisition;
mod aim;
mod encoding;
mod gaussian_process;
mod kernel;
mod lbfgs;
mod models;
mod observations;
mod region;
mod search;
#[cfg(test)]
mod tests;
mod transform;
mod valleys;

use self::acquisition::Acquisition;
use self::aim::{Scene, aims, by_merit};
use self::encoding::Encoding;
use self::gaussian_process::{GaussianProcess, Prior, Work};
use self::models::{Fits, LARGEST_MODEL, Sample};
use self::observations::Observations;
use self::search::Search;
use self::transform::Shape;
use super::draws::{Draws, Purpose};
use super::{History, Method, Params, RandomSearch, SearchSettings, Sequence, Sobol, Space};

/// Points spread over the region in which the most promising is looked for.
const LATTICE: u64 = 512;
/// Bayesian optimisation over any space.
///
/// A proposal is a function of the space, the seed, whether the objective is noisy, and the history. What is
/// kept between calls only saves time.
#[derive(Debug, Clone)]
pub struct Bayesian {
    settings: SearchSettings,
    encoding: Encoding,
    /// What is tried when no model can say anything.
    spread: RandomSearch,
    /// Points that fill the cube evenly, moved for every trial.
    lattice: Vec<Vec<f64>>,
    objective: Fits,
    constraints: Vec<Fits>,
}

impl Bayesian {
    /// Over a space, with the seed and the noise of these settings.
    pub fn new(space: &Space, settings: &SearchSettings) -> Bayesian {
        let sobol = Sobol::new(space.len(), settings.seed);
        Bayesian {
            settings: settings.clone(),
            encoding: Encoding::new(space),
            spread: RandomSearch::new(space, settings.seed),
            lattice: (0..LATTICE).map(|number| sobol.point(number)).collect(),
            objective: Fits::default(),
            constraints: Vec::new(),
        }
    }
}

impl Method for Bayesian {
    /// The next trials; fewer when a discrete space has no point left that was not tried.
    fn propose(&mut self, history: &History, n: usize) -> Vec<Params> {
        let mut proposed: Vec<Params> = Vec::new();
        for _ in 0..n {
            let Some(params) = self.next(history, &proposed) else { break };
            proposed.push(params);
        }
        proposed
    }

    /// Under noise the feasible trial whose modelled loss is least: the best observation is mostly the luckiest.
    /// Otherwise, or with several objectives, the best observation.
    fn recommend(&mut self, history: &History) -> Option<usize> {
        if !self.settings.noisy || history.goal.objectives.len() > 1 {
            return history.best();
        }
        self.best_by_model(history).or_else(|| history.best())
    }
}

impl Bayesian {
    /// The next trial after those of the history and of this batch.
    fn next(&mut self, history: &History, batch: &[Params]) -> Option<Params> {
        let trial = history.trials.len() + batch.len();
        let taken = |params: &Params| history.trials.iter().any(|t| t.params == *params) || batch.contains(params);
        if trial >= initial(history.space.len()) {
            let promising = self.promising(history, batch, trial, &taken);
            if promising.is_some() {
                return promising;
            }
        }
        if trial < initial(history.space.len()) {
            let params = history.space.decode(&evenly_spread(history.space.len(), self.settings.seed, trial));
            if history.space.allows(&params) && !taken(&params) {
                return Some(params);
            }
        }
        // Of the points of the spread, as many were proposed as there are trials at most.
        (0..).map_while(|number| self.spread.trial(number)).find(|params| !taken(params))
    }

    /// The point that the models promise most of; `None` without anything to model, or when everything that was
    /// looked at was tried.
    fn promising(
        &mut self,
        history: &History,
        batch: &[Params],
        trial: usize,
        taken: &impl Fn(&Params) -> bool,
    ) -> Option<Params> {
        let space = &history.space;
        let encoding = &self.encoding.clone();
        let told = Observations::new(history, encoding);
        let weights = weights(history.goal.objectives.len(), self.settings.seed, trial);
        let order = by_merit(&told, &plain(&told.scalar_losses(&weights, Shape::Plain)));
        let prior = Prior::new(space.len(), self.settings.noisy);

        let (mut model, shape) = self.objective_model(encoding, &prior, &told, &weights)?;
        let all_losses = plain(&told.scalar_losses(&weights, shape));
        let limits: Vec<(GaussianProcess, f64)> = self.constraint_models(encoding, &prior, &told)?;

        // Waiting trials are believed to turn out as expected: the variance around them is gone.
        let mut work = Work::default();
        let waiting = history.trials.iter().filter(|t| t.outcome.is_none()).map(|t| &t.params).chain(batch);
        let waiting: Vec<Vec<f64>> = waiting.map(|params| encoding.point_of(space, params).features).collect();
        if !waiting.is_empty() {
            let means: Vec<f64> = waiting.iter().map(|features| model.predict(features, &mut work).0).collect();
            model = model.and(&waiting, &means, &prior)?;
        }

        let aims = aims(&Scene {
            encoding,
            told: &told,
            losses: &all_losses,
            order: &order,
            model: &model,
            noisy: self.settings.noisy,
            spread: initial(space.len()),
            trial,
        });
        let lengths = model.length_scales();
        let discrete = encoding.is_discrete();
        aims.iter().find_map(|aim| {
            let acquisition = Acquisition {
                objective: aim.incumbent.map(|incumbent| (&model, incumbent)),
                constraints: limits.iter().map(|(model, limit)| (model, *limit)).collect(),
            };
            // While nothing feasible is known only the constraints count. Without constraints everything failed
            // so far, and there is nothing to go by.
            if acquisition.objective.is_none() && acquisition.constraints.is_empty() {
                return None;
            }
            let search = Search {
                space,
                encoding,
                acquisition: &acquisition,
                region: &aim.region,
                best: &aim.best,
                lengths: &lengths,
                lattice: &self.lattice,
                seed: self.settings.seed,
                trial,
            };
            let ranked = search.ranked(|point| discrete && taken(&space.decode(&point.unit)));
            ranked.into_iter().map(|(point, _)| space.decode(&point.unit)).find(|params| !taken(params))
        })
    }

    /// The model of the weighted losses and the shape they were transformed to.
    fn objective_model(
        &mut self,
        encoding: &Encoding,
        prior: &Prior,
        told: &Observations,
        weights: &[f64],
    ) -> Option<(GaussianProcess, Shape)> {
        self.objective.model(encoding, prior, &[Shape::Drawn, Shape::Plain], told.len(), |n, shape| {
            let told = told.only(&(0..n).collect::<Vec<_>>());
            let losses = told.scalar_losses(weights, shape);
            selected(&told, &losses)
        })
    }

    fn constraint_models(
        &mut self,
        encoding: &Encoding,
        prior: &Prior,
        told: &Observations,
    ) -> Option<Vec<(GaussianProcess, f64)>> {
        let count = told.constraints();
        self.constraints.resize_with(count, Fits::default);
        let models = self.constraints.iter_mut().enumerate().map(|(which, fits)| {
            let (points, _, limit) = told.constraint(which);
            let (model, _) = fits.model(encoding, prior, &[Shape::Plain], points.len(), |n, _| {
                let (mut points, mut values, _) = told.constraint(which);
                let from = n.saturating_sub(LARGEST_MODEL);
                let (points, values) = (points.drain(from..n).collect(), values.drain(from..n).collect());
                Sample { points, values, log_slope: 0.0 }
            })?;
            Some((model, limit))
        });
        models.collect()
    }

    /// The feasible trial with the least modelled loss.
    fn best_by_model(&mut self, history: &History) -> Option<usize> {
        let encoding = self.encoding.clone();
        let told = Observations::new(history, &encoding);
        let prior = Prior::new(history.space.len(), self.settings.noisy);
        let (model, _) = self.objective_model(&encoding, &prior, &told, &[1.0])?;
        let mut work = Work::default();
        let means = (0..told.len())
            .filter(|&k| told.is_feasible(k))
            .map(|k| (told.trials[k], model.predict(&told.points[k].features, &mut work).0));
        means.min_by(|(_, a), (_, b)| a.total_cmp(b)).map(|(trial, _)| trial)
    }
}

/// A point of an additive recurrence, moved by the seed: after each number of points the gaps are about equal,
/// which with as few points as a search begins with is more even than Sobol's sequence (H. Weyl 1916; the
/// steps, powers of the root of x^(d+1) = x + 1, are those of M. Roberts, *The unreasonable effectiveness of
/// quasirandom sequences*, 2018).
fn evenly_spread(axes: usize, seed: u64, trial: usize) -> Vec<f64> {
    let mut draws = Draws::new(seed, Purpose::Spread, 0);
    let power = 1.0 / (axes as f64 + 1.0);
    let root = (0..64).fold(2.0, |root: f64, _| libm::pow(1.0 + root, power));
    let mut step = 1.0;
    let mut coordinate = || {
        step /= root;
        let at = draws.uniform() + trial as f64 * step;
        at - at.floor()
    };
    (0..axes).map(|_| coordinate()).collect()
}

/// Trials that are spread evenly before the first model.
fn initial(parameters: usize) -> usize {
    (parameters + 2).max(8)
}

/// Weights of the objectives for a trial: uniform among those that sum to 1.
fn weights(objectives: usize, seed: u64, trial: usize) -> Vec<f64> {
    let mut draws = Draws::new(seed, Purpose::Weights, trial as u64);
    let parts: Vec<f64> = (0..objectives).map(|_| -libm::log(draws.uniform())).collect();
    let sum: f64 = parts.iter().sum();
    parts.iter().map(|part| if objectives == 1 { 1.0 } else { part / sum }).collect()
}

/// What the model of the losses is fitted to: all trials while they are few, later the best ones and those
/// nearest to the very best, in order of id.
fn selected(told: &Observations, losses: &[(f64, f64)]) -> Sample {
    let mut chosen: Vec<usize> = (0..told.len()).collect();
    if chosen.len() > LARGEST_MODEL {
        let order = by_merit(told, &plain(losses));
        let centre = &told.points[order[0]].features;
        let distance =
            |k: usize| -> f64 { told.points[k].features.iter().zip(centre).map(|(a, b)| (a - b) * (a - b)).sum() };
        let (best, mut others) = (order[..LARGEST_MODEL / 4].to_vec(), order[LARGEST_MODEL / 4..].to_vec());
        others.sort_by(|&a, &b| distance(a).total_cmp(&distance(b)));
        chosen = best.into_iter().chain(others).take(LARGEST_MODEL).collect();
        chosen.sort_unstable();
    }
    Sample {
        points: chosen.iter().map(|&k| told.points[k].clone()).collect(),
        values: chosen.iter().map(|&k| losses[k].0).collect(),
        log_slope: chosen.iter().map(|&k| losses[k].1).sum(),
    }
}

/// The losses without the derivatives beside them.
fn plain(losses: &[(f64, f64)]) -> Vec<f64> {
    losses.iter().map(|(loss, _)| *loss).collect()
}
