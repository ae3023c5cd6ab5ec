//! A child of the members.

use super::variation::{polynomial, reflected, simulated_binary};
use crate::optimize::Merit;
use crate::optimize::draws::Draws;

/// A trial that may breed.
#[derive(Debug, Clone)]
pub(super) struct Member {
    /// Its trial.
    pub(super) id: usize,
    /// Where it lies in the unit cube.
    pub(super) point: Vec<f64>,
    /// Which of its parameters count; the other coordinates mean nothing.
    pub(super) counts: Vec<bool>,
    pub(super) merit: Merit,
}

/// Share of the children that are drawn from the distribution of the better members.
const SAMPLED: f64 = 0.5;
/// Widening of that distribution: that of the best of a sample is narrower than the sample.
const WIDENING: f64 = 1.2;
/// How near children stay to their parents, and mutants to what they were.
const CROSSOVER_ETA: f64 = 5.0;
const MUTATION_ETA: f64 = 15.0;

/// A point of the unit cube bred from members, best first, of which there must be at least three.
pub(super) fn child(members: &[Member], categorical: &[bool], least_mutation: f64, draws: &mut Draws) -> Vec<f64> {
    let mut point = if draws.uniform() < SAMPLED {
        sampled(members, categorical, draws)
    } else {
        crossed(members, categorical, draws)
    };
    let chance = (1.0 / point.len() as f64).max(least_mutation);
    for (x, &categorical) in point.iter_mut().zip(categorical) {
        if draws.uniform() < chance {
            *x = if categorical { draws.uniform() } else { polynomial(*x, MUTATION_ETA, draws) };
        }
    }
    point
}

/// Index of the better of two members drawn at random.
fn tournament(members: &[Member], draws: &mut Draws) -> usize {
    draws.below(members.len()).min(draws.below(members.len()))
}

/// A child of two parents.
fn crossed(members: &[Member], categorical: &[bool], draws: &mut Draws) -> Vec<f64> {
    let first = tournament(members, draws);
    let second = tournament(members, draws);
    // Nobody breeds alone.
    let second = if second == first { (first + 1 + draws.below(members.len() - 1)) % members.len() } else { second };
    let (a, b) = (&members[first], &members[second]);
    let coordinate = |(k, &categorical): (usize, &bool)| match (a.counts[k], b.counts[k]) {
        (false, false) => draws.uniform(),
        (true, false) => a.point[k],
        (false, true) => b.point[k],
        _ if categorical => [a, b][draws.below(2)].point[k],
        _ => simulated_binary(a.point[k], b.point[k], CROSSOVER_ETA, draws),
    };
    categorical.iter().enumerate().map(coordinate).collect()
}

/// A draw from the normal distribution of the better half around its mean, with the weights of the CMA evolution
/// strategy (N. Hansen, 2016: arXiv:1604.00772). Spread is taken from the mean of all members, as there from the
/// mean before: so it reaches further in the direction in which the better ones lie. The sum over members of
/// normal draws times deviations has that covariance without ever forming it. Categorical coordinates are those
/// of a member chosen by tournament.
fn sampled(members: &[Member], categorical: &[bool], draws: &mut Draws) -> Vec<f64> {
    let better = (members.len() / 2).max(2);
    let weight = |rank: usize| libm::log(better as f64 + 0.5) - libm::log(rank as f64 + 1.0);
    let total: f64 = (0..better).map(weight).sum();
    let weights: Vec<f64> = (0..better).map(|rank| weight(rank) / total).collect();
    let normals: Vec<f64> = (0..better).map(|_| draws.normal()).collect();
    let model = tournament(members, draws);
    let coordinate = |(k, &categorical): (usize, &bool)| {
        let counting = || members.iter().filter(|member| member.counts[k]);
        let number = counting().count();
        if number == 0 || (categorical && !members[model].counts[k]) {
            return draws.uniform();
        }
        if categorical {
            return members[model].point[k];
        }
        let mean = counting().map(|member| member.point[k]).sum::<f64>() / number as f64;
        let (mut centre, mut weight, mut step) = (0.0, 0.0, 0.0);
        for (rank, member) in members[..better].iter().enumerate().filter(|(_, member)| member.counts[k]) {
            centre += weights[rank] * member.point[k];
            weight += weights[rank];
            step += weights[rank].sqrt() * normals[rank] * (member.point[k] - mean);
        }
        let centre = if weight > 0.0 { centre / weight } else { mean };
        reflected(centre + WIDENING * step)
    };
    categorical.iter().enumerate().map(coordinate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optimize::draws::Purpose;

    fn member(id: usize, point: &[f64], counts: &[bool]) -> Member {
        let merit = Merit { violation: 0.0, losses: vec![id as f64] };
        Member { id, point: point.to_vec(), counts: counts.to_vec(), merit }
    }

    fn draws(number: u64) -> Draws {
        Draws::new(1, Purpose::Variation, number)
    }

    #[test]
    fn children_stay_in_the_cube() {
        let members: Vec<Member> =
            (0..8).map(|k| member(k, &[k as f64 / 7.0, 1.0 - k as f64 / 7.0, 0.999], &[true; 3])).collect();
        for number in 0..2000 {
            let point = child(&members, &[false, false, true], 0.0, &mut draws(number));
            assert!(point.iter().all(|x| (0.0..=1.0).contains(x)), "{point:?}");
        }
    }

    #[test]
    fn the_sampled_ones_follow_the_direction_of_the_better_members() {
        // On the line y = x, the better ones further up.
        let members: Vec<Member> =
            (0..10).map(|k| member(k, &[0.6 - 0.02 * k as f64, 0.6 - 0.02 * k as f64], &[true; 2])).collect();
        let mut mean = 0.0;
        for number in 0..500 {
            let point = sampled(&members, &[false, false], &mut draws(number));
            assert!((point[0] - point[1]).abs() < 1e-12, "on the line: {point:?}");
            mean += point[0] / 500.0;
        }
        assert!(mean > 0.55, "{mean}");
    }

    #[test]
    fn coordinates_that_do_not_count_are_not_inherited() {
        let members = [
            member(0, &[0.2, 0.5], &[true, false]),
            member(1, &[0.3, 0.9], &[true, true]),
            member(2, &[0.4, 0.5], &[true, false]),
        ];
        for number in 0..200 {
            let crossed = crossed(&members, &[false, true], &mut draws(number));
            assert!(crossed[1] != 0.5, "0.5 is the mark of a parameter that does not count");
            assert!(sampled(&members, &[false, true], &mut draws(number))[1] != 0.5);
        }
    }
}
