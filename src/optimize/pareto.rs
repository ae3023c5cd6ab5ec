//! Several objectives: who beats whom, fronts, crowding, and the volume a front covers.
//!
//! K. Deb, A. Pratap, S. Agarwal, T. Meyarivan: *A fast and elitist multiobjective genetic algorithm: NSGA-II*, IEEE
//! Trans. Evol. Comput. 6 (2002).

use super::{History, Merit};

impl Merit {
    /// Constrained domination: a smaller violation beats a greater one (none beats any), and of equals the one that
    /// is nowhere worse and somewhere better.
    pub fn dominates(&self, other: &Merit) -> bool {
        if self.violation != other.violation {
            return self.violation < other.violation;
        }
        let nowhere_worse = self.losses.iter().zip(&other.losses).all(|(a, b)| a <= b);
        nowhere_worse && self.losses.iter().zip(&other.losses).any(|(a, b)| a < b)
    }
}

/// Sorts by domination: first those that nobody beats, then those beaten only by these, and so on. Each front is
/// in order of index.
pub fn fronts(merits: &[Merit]) -> Vec<Vec<usize>> {
    let mut beaten_by = vec![0_usize; merits.len()];
    let mut beats = vec![Vec::new(); merits.len()];
    for a in 0..merits.len() {
        for b in a + 1..merits.len() {
            let (winner, loser) = match (merits[a].dominates(&merits[b]), merits[b].dominates(&merits[a])) {
                (true, _) => (a, b),
                (_, true) => (b, a),
                _ => continue,
            };
            beats[winner].push(loser);
            beaten_by[loser] += 1;
        }
    }
    let mut fronts = Vec::new();
    let mut front: Vec<usize> = (0..merits.len()).filter(|&k| beaten_by[k] == 0).collect();
    while !front.is_empty() {
        let mut next = Vec::new();
        for &winner in &front {
            for &loser in &beats[winner] {
                beaten_by[loser] -= 1;
                if beaten_by[loser] == 0 {
                    next.push(loser);
                }
            }
        }
        next.sort_unstable();
        fronts.push(std::mem::replace(&mut front, next));
    }
    fronts
}

/// Crowding distance of the members of a front, in their order: the sum over objectives of the distance between
/// the neighbours on either side, relative to the front's extent; infinite for the outermost.
pub fn crowding(merits: &[Merit], front: &[usize]) -> Vec<f64> {
    let mut distance = vec![0.0; front.len()];
    let objectives = front.first().map_or(0, |&k| merits[k].losses.len());
    for objective in 0..objectives {
        let loss = |place: usize| merits[front[place]].losses[objective];
        let mut order: Vec<usize> = (0..front.len()).collect();
        order.sort_by(|&a, &b| loss(a).total_cmp(&loss(b)).then(a.cmp(&b)));
        let (first, last) = (order[0], order[order.len() - 1]);
        distance[first] = f64::INFINITY;
        distance[last] = f64::INFINITY;
        let extent = loss(last) - loss(first);
        if extent > 0.0 && extent.is_finite() {
            for window in order.windows(3) {
                distance[window[1]] += (loss(window[2]) - loss(window[0])) / extent;
            }
        }
    }
    distance
}

/// Volume that points dominate below a reference point (less is better everywhere). Points that are not better
/// than the reference in every objective add nothing; infinite when a point is infinitely good.
pub fn hypervolume(points: &[Vec<f64>], reference: &[f64]) -> f64 {
    let inside = |p: &&Vec<f64>| p.len() == reference.len() && p.iter().zip(reference).all(|(x, r)| x < r);
    let mut points: Vec<&[f64]> = points.iter().filter(inside).map(Vec::as_slice).collect();
    slice_volume(&mut points, reference)
}

/// By slices along the last objective (J. Knowles, 2002): between two neighbouring values of it, the area of the
/// others that the points so far dominate.
fn slice_volume(points: &mut [&[f64]], reference: &[f64]) -> f64 {
    let Some((&bound, rest)) = reference.split_last() else { return 0.0 };
    let Some(last) = reference.len().checked_sub(1) else { return 0.0 };
    if rest.is_empty() {
        return points.iter().map(|p| bound - p[0]).fold(0.0, f64::max);
    }
    points.sort_by(|a, b| a[last].total_cmp(&b[last]));
    let mut volume = 0.0;
    for k in 0..points.len() {
        let top = points.get(k + 1).map_or(bound, |next| next[last]);
        let thickness = top - points[k][last];
        if thickness > 0.0 {
            let mut below: Vec<&[f64]> = points[..=k].iter().map(|p| &p[..last]).collect();
            volume += thickness * slice_volume(&mut below, rest);
        }
    }
    volume
}

impl History {
    /// The trials that no other beats, in order of id: the Pareto front of the feasible ones or, without any, those
    /// that violate least.
    pub fn pareto(&self) -> Vec<usize> {
        let known: Vec<(usize, Merit)> = (0..self.trials.len())
            .filter_map(|k| self.merit(k).map(|merit| (k, merit)))
            .filter(|(_, merit)| merit.is_known())
            .collect();
        // By merit, so that many equal trials cost no more than one: none of them beats another.
        let mut front: Vec<(Merit, Vec<usize>)> = Vec::new();
        for (k, merit) in known {
            if let Some((_, equal)) = front.iter_mut().find(|(other, _)| *other == merit) {
                equal.push(k);
            } else if !front.iter().any(|(other, _)| other.dominates(&merit)) {
                front.retain(|(other, _)| !merit.dominates(other));
                front.push((merit, vec![k]));
            }
        }
        let mut found: Vec<usize> = front.into_iter().flat_map(|(_, equal)| equal).collect();
        found.sort_unstable();
        found
    }

    /// Volume that the feasible trials dominate against a reference point, given as values of the objectives as
    /// measured: an upper bound where less is better, a lower one where more is.
    pub fn hypervolume(&self, reference: &[f64]) -> f64 {
        let turned = reference.iter().zip(&self.goal.objectives).map(|(x, (_, more))| if *more { -x } else { *x });
        let turned: Vec<f64> = turned.collect();
        let merits = self.pareto().into_iter().filter_map(|k| self.merit(k));
        let points: Vec<Vec<f64>> = merits.filter(Merit::is_feasible).map(|merit| merit.losses).collect();
        hypervolume(&points, &turned)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Domain, Goal, Outcome, Parameter, Space, Trial};
    use super::*;

    fn merits(losses: &[[f64; 2]]) -> Vec<Merit> {
        losses.iter().map(|l| Merit { violation: 0.0, losses: l.to_vec() }).collect()
    }

    /// Drawn on paper: 0, 1 and 2 are a staircase; 3 is beaten by 1, 4 by 0 and 1 and 3, 5 by 2.
    #[test]
    fn fronts_are_those_of_a_case_sorted_by_hand() {
        let merits = merits(&[[1.0, 5.0], [2.0, 3.0], [4.0, 1.0], [3.0, 4.0], [3.0, 5.0], [5.0, 1.0]]);
        assert_eq!(fronts(&merits), [vec![0, 1, 2], vec![3, 5], vec![4]]);
    }

    #[test]
    fn feasible_come_first_then_the_smaller_violation() {
        let merit = |violation, a, b| Merit { violation, losses: vec![a, b] };
        let merits = [merit(2.0, 0.0, 0.0), merit(0.0, 9.0, 9.0), merit(1.0, 5.0, 5.0), merit(f64::INFINITY, 0.0, 0.0)];
        assert_eq!(fronts(&merits), [vec![1], vec![2], vec![0], vec![3]]);
    }

    /// Losses 0, 1, 4, 10 and 10, 6, 3, 0: for the second (4 - 0)/10 + (10 - 3)/10, for the third (10 - 1)/10 +
    /// (6 - 0)/10.
    #[test]
    fn crowding_is_that_of_a_case_computed_by_hand() {
        let merits = merits(&[[4.0, 3.0], [0.0, 10.0], [10.0, 0.0], [1.0, 6.0]]);
        let distance = crowding(&merits, &[0, 1, 2, 3]);
        assert!((distance[0] - 1.5).abs() < 1e-15 && (distance[3] - 1.1).abs() < 1e-15, "{distance:?}");
        assert_eq!(distance[1..3], [f64::INFINITY; 2]);
    }

    #[test]
    fn hypervolumes_by_hand() {
        let points = |list: &[[f64; 2]]| list.iter().map(|p| p.to_vec()).collect::<Vec<_>>();
        // Three steps below (5, 5): 4 x 1 + 3 x 2 + 1 x 1; one outside adds nothing.
        assert_eq!(hypervolume(&points(&[[1.0, 4.0], [2.0, 2.0], [4.0, 1.0], [6.0, 0.0]]), &[5.0, 5.0]), 11.0);
        assert_eq!(hypervolume(&points(&[[2.0, 2.0], [2.0, 2.0], [3.0, 3.0]]), &[5.0, 5.0]), 9.0);
        assert_eq!(hypervolume(&[], &[5.0, 5.0]), 0.0);
        // Two boxes 2 x 2 x 1 and 1 x 1 x 3 below (3, 3, 3) that share 1 x 1 x 1.
        let cubes = [vec![1.0, 1.0, 2.0], vec![2.0, 2.0, 0.0]];
        assert_eq!(hypervolume(&cubes, &[3.0, 3.0, 3.0]), 4.0 + 3.0 - 1.0);
        assert_eq!(hypervolume(&[vec![1.0], vec![0.5]], &[2.0]), 1.5);
    }

    #[test]
    fn the_front_of_a_history_is_of_feasible_trials_and_keeps_directions() {
        let domain = Domain::Int { low: 0, high: 9, step: 1, log: false };
        let space = Space::new(vec![Parameter { name: "x".to_string(), domain, condition: None }]).unwrap();
        // Sharpe up, volatility down.
        let objectives = vec![("sharpe".to_string(), true), ("volatility".to_string(), false)];
        let mut history = History::new(space.clone(), Goal { objectives, constraints: 1 });
        for (sharpe, volatility, constraint) in
            [(1.0, 0.5, 0.0), (2.0, 1.0, -1.0), (0.5, 0.75, -1.0), (9.0, 0.0, 0.25), (f64::NAN, 0.0, -1.0)]
        {
            let outcome = Outcome::Complete { values: vec![sharpe, volatility], constraints: vec![constraint] };
            history.trials.push(Trial { params: space.decode(&[0.5]), outcome: Some(outcome) });
        }
        history.trials.push(Trial { params: space.decode(&[0.5]), outcome: Some(Outcome::Failed) });
        assert_eq!(history.pareto(), [0, 1]);
        // Above sharpe 0 and below volatility 2: 1 x 1.5 + (2 - 1) x 1.
        assert_eq!(history.hypervolume(&[0.0, 2.0]), 2.5);
    }

    /// Twenty thousand trials that did nothing tie for the shallowest drawdown: all stay, at the cost of one.
    #[test]
    fn many_equal_trials_are_all_on_the_front_and_cost_little() {
        let domain = Domain::Int { low: 0, high: 9, step: 1, log: false };
        let space = Space::new(vec![Parameter { name: "x".to_string(), domain, condition: None }]).unwrap();
        let goal = Goal { objectives: vec![("max_drawdown".to_string(), true)], constraints: 0 };
        let mut history = History::new(space.clone(), goal);
        for k in 0..20_000 {
            let values = vec![if k % 100 == 0 { -0.5 } else { 0.0 }];
            let outcome = Some(Outcome::Complete { values, constraints: vec![] });
            history.trials.push(Trial { params: space.decode(&[0.5]), outcome });
        }
        let front = history.pareto();
        assert_eq!((front.len(), front[0]), (19_800, 1));
        assert!(front.is_sorted());
    }
}
