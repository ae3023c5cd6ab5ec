//! Operators on points of the unit cube: each makes one coordinate, or one point, from parents.

use crate::optimize::draws::Draws;

/// One coordinate by simulated binary crossover within 0 to 1: near one of the parents, as far from it as the
/// parents are from each other. `eta`: greater is nearer. K. Deb, R. B. Agrawal: *Simulated binary crossover for
/// continuous search space*, Complex Systems 9 (1995), in the bounded form of Deb's NSGA-II.
pub(super) fn simulated_binary(a: f64, b: f64, eta: f64, draws: &mut Draws) -> f64 {
    let u = draws.uniform();
    let below = draws.uniform() < 0.5;
    let (low, high) = (a.min(b), a.max(b));
    if high - low < 1e-14 {
        return a;
    }
    let room = if below { low } else { 1.0 - high };
    let beta = 1.0 + 2.0 * room / (high - low);
    let alpha = 2.0 - libm::pow(beta, -(eta + 1.0));
    let spread = if u <= 1.0 / alpha {
        libm::pow(u * alpha, 1.0 / (eta + 1.0))
    } else {
        libm::pow(1.0 / (2.0 - u * alpha), 1.0 / (eta + 1.0))
    };
    let middle = 0.5 * (low + high);
    let reach = 0.5 * spread * (high - low);
    (if below { middle - reach } else { middle + reach }).clamp(0.0, 1.0)
}

/// One coordinate by polynomial mutation within 0 to 1. `eta`: greater changes less. K. Deb, M. Goyal: *A combined
/// genetic adaptive search (GeneAS) for engineering design* (1996), in the bounded form of Deb's NSGA-II.
pub(super) fn polynomial(x: f64, eta: f64, draws: &mut Draws) -> f64 {
    let u = draws.uniform();
    let power = eta + 1.0;
    let change = if u < 0.5 {
        libm::pow(2.0 * u + (1.0 - 2.0 * u) * libm::pow(1.0 - x, power), 1.0 / power) - 1.0
    } else {
        1.0 - libm::pow(2.0 * (1.0 - u) + (2.0 * u - 1.0) * libm::pow(x, power), 1.0 / power)
    };
    (x + change).clamp(0.0, 1.0)
}

/// A coordinate that left 0 to 1 comes back as a ball from a wall.
pub(super) fn reflected(x: f64) -> f64 {
    let period = x.abs() % 2.0;
    if period > 1.0 { 2.0 - period } else { period }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optimize::draws::Purpose;

    fn draws(number: u64) -> Draws {
        Draws::new(5, Purpose::Variation, number)
    }

    #[test]
    fn children_of_a_crossover_lie_around_their_parents_and_within_the_bounds() {
        let children: Vec<f64> = (0..4000).map(|k| simulated_binary(0.3, 0.5, 5.0, &mut draws(k))).collect();
        assert!(children.iter().all(|x| (0.0..=1.0).contains(x)));
        let near = |parent: f64| children.iter().filter(|x| (*x - parent).abs() < 0.05).count();
        assert!(near(0.3) > 1200 && near(0.5) > 1200, "{} {}", near(0.3), near(0.5));
        let mean = children.iter().sum::<f64>() / 4000.0;
        // The bounds are not equally far, so the mean is near the parents' but not theirs.
        assert!((mean - 0.4).abs() < 0.02, "{mean}");
        assert_eq!(simulated_binary(0.7, 0.7, 5.0, &mut draws(1)), 0.7);
    }

    #[test]
    fn mutants_of_a_bound_stay_within_it_and_are_small_for_a_great_eta() {
        for number in 0..1000 {
            for x in [0.0, 0.02, 0.5, 1.0] {
                let mutant = polynomial(x, 15.0, &mut draws(number));
                assert!((0.0..=1.0).contains(&mutant));
                assert!((polynomial(x, 1e4, &mut draws(number)) - x).abs() < 2e-3);
            }
        }
    }

    #[test]
    fn walls_reflect() {
        let close = |x: f64, expected: f64| (reflected(x) - expected).abs() < 1e-12;
        assert!(close(0.25, 0.25) && close(-0.25, 0.25) && close(1.25, 0.75) && close(2.25, 0.25) && close(-1.5, 0.5));
    }
}
