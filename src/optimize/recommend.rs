//! Which trial to recommend when values are noisy: the one in the best neighbourhood, not the luckiest.

use super::{Domain, History, Space};

/// Feasible trials looked at, best first: beyond them no neighbourhood is the best.
const MOST_LOOKED_AT: usize = 1_000;

/// The feasible trial whose nearest feasible trials, itself among them, have the best mean rank by the first
/// objective; the earlier one on a tie. How many neighbours are averaged is what predicts the rank of a trial best
/// from its neighbours without itself (cross-validation): few where values are clear, many where they are noisy.
/// Ranks, because a mean of values would be ruled by the worst. Without a feasible trial as [`History::best`].
pub(super) fn best_neighbourhood(history: &History) -> Option<usize> {
    let mut looked_at: Vec<Observation> = (0..history.trials.len())
        .filter_map(|id| {
            let merit = history.merit(id).filter(|merit| merit.is_known() && merit.is_feasible())?;
            let params = &history.trials[id].params;
            let counts = params.iter().map(Option::is_some).collect();
            Some(Observation { id, loss: *merit.losses.first()?, point: history.space.encode(params), counts })
        })
        .collect();
    looked_at.sort_by(|a, b| a.loss.total_cmp(&b.loss).then(a.id.cmp(&b.id)));
    looked_at.truncate(MOST_LOOKED_AT);
    // The sum of the ranks of the nearest 0, 1, 2, .. others, for each trial.
    let sums: Vec<Vec<f64>> =
        (0..looked_at.len()).map(|rank| sums_of_neighbours(&history.space, &looked_at, rank)).collect();
    let neighbours = best_number_of_neighbours(&sums);
    let mean = |rank: usize| (rank as f64 + sums[rank][neighbours]) / (neighbours as f64 + 1.0);
    let least =
        (0..looked_at.len()).min_by(|&a, &b| mean(a).total_cmp(&mean(b)).then(looked_at[a].id.cmp(&looked_at[b].id)));
    least.map_or_else(|| history.best(), |rank| Some(looked_at[rank].id))
}

/// Neighbours whose ranks are summed, at most.
const MOST_NEIGHBOURS: usize = 64;

/// Sums of the ranks of the nearest 0, 1, 2, .. other trials.
fn sums_of_neighbours(space: &Space, ranked: &[Observation], rank: usize) -> Vec<f64> {
    let others = (0..ranked.len()).filter(|&other| other != rank);
    let mut near: Vec<(f64, usize)> =
        others.map(|other| (distance(space, &ranked[rank], &ranked[other]), other)).collect();
    near.sort_by(|(a, x), (b, y)| a.total_cmp(b).then(ranked[*x].id.cmp(&ranked[*y].id)));
    let mut sums = vec![0.0];
    for (_, other) in near.into_iter().take(MOST_NEIGHBOURS) {
        sums.push(sums[sums.len() - 1] + other as f64);
    }
    sums
}

/// Number of neighbours whose mean rank is nearest to a trial's own, over all trials.
fn best_number_of_neighbours(sums: &[Vec<f64>]) -> usize {
    let most = sums.first().map_or(0, |sums| sums.len() - 1);
    let error = |n: usize| -> f64 {
        let errors = sums.iter().enumerate().map(|(rank, sums)| rank as f64 - sums[n] / n as f64);
        errors.map(|error| error * error).sum()
    };
    (1..=most).map(|n| (error(n), n)).min_by(|(a, _), (b, _)| a.total_cmp(b)).map_or(0, |(_, n)| n)
}

struct Observation {
    id: usize,
    loss: f64,
    point: Vec<f64>,
    counts: Vec<bool>,
}

/// Squared distance in the unit cube; different words, or counting or not, are a whole axis apart.
fn distance(space: &Space, a: &Observation, b: &Observation) -> f64 {
    let along = |(k, parameter): (usize, &super::Parameter)| {
        if a.counts[k] != b.counts[k] {
            return 1.0;
        }
        match parameter.domain {
            Domain::Categorical { .. } => f64::from(u8::from(a.point[k] != b.point[k])),
            _ => (a.point[k] - b.point[k]) * (a.point[k] - b.point[k]),
        }
    };
    space.parameters().iter().enumerate().map(along).sum()
}

#[cfg(test)]
mod tests {
    use super::super::draws::{Draws, Purpose};
    use super::super::{Goal, Outcome, Params, RandomSearch, Sequence, Space, Trial, Value};
    use super::*;

    fn truth(params: &Params) -> f64 {
        match params[..] {
            [Some(Value::Float(a)), Some(Value::Float(b))] => (a - 0.3).powi(2) + (b - 0.6).powi(2),
            _ => panic!("{params:?}"),
        }
    }

    fn history(seed: u64, noise: f64) -> History {
        let space = Space::from_flags(&["a=0.0..1.0", "b=0.0..1.0"]).unwrap();
        let mut random = RandomSearch::new(&space, seed);
        let mut draws = Draws::new(seed, Purpose::Variation, 0);
        let goal = Goal { objectives: vec![("y".to_string(), false)], constraints: 0 };
        let mut history = History::new(space, goal);
        for k in 0..100 {
            let params = random.trial(k).unwrap();
            let values = vec![truth(&params) + noise * draws.normal()];
            history.trials.push(Trial { params, outcome: Some(Outcome::Complete { values, constraints: vec![] }) });
        }
        history
    }

    #[test]
    fn under_noise_the_neighbourhood_is_nearer_to_the_truth_than_the_luckiest_trial() {
        let (mut lucky, mut neighbourhood) = (0.0, 0.0);
        for seed in 0..40 {
            let history = history(seed, 0.3);
            let true_loss = |id: Option<usize>| truth(&history.trials[id.unwrap()].params);
            lucky += true_loss(history.best()) / 40.0;
            neighbourhood += true_loss(best_neighbourhood(&history)) / 40.0;
        }
        assert!(neighbourhood < 0.85 * lucky, "{neighbourhood} against {lucky}");
    }

    #[test]
    fn without_a_value_there_is_nothing_to_recommend() {
        let mut history = history(1, 0.0);
        history.trials.iter_mut().for_each(|trial| trial.outcome = Some(Outcome::Failed));
        assert_eq!(best_neighbourhood(&history), None);
    }
}
