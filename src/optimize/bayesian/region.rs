//! Where to look: everywhere, or in a trust region around the best point.
//!
//! After D. Eriksson, M. Pearce, J. R. Gardner, R. Turner, M. Poloczek, *Scalable global optimization via local
//! Bayesian optimization*, NeurIPS 2019 (TuRBO-1).

/// A box of the unit cube.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Region {
    pub low: Vec<f64>,
    pub high: Vec<f64>,
}

/// Edge of the trust region at first, at most, and where it starts anew.
const FIRST: f64 = 0.8;
const LARGEST: f64 = 1.6;
const SMALLEST: f64 = 1.0 / 128.0;
/// Improvements in a row that double the edge.
const SUCCESSES: usize = 3;
/// Improvement that counts, in units of the deviation of the losses.
const IMPROVEMENT: f64 = 1e-3;

impl Region {
    /// The whole cube.
    pub fn whole(axes: usize) -> Region {
        Region { low: vec![0.0; axes], high: vec![1.0; axes] }
    }

    /// Around a point: `edge` long on average (geometric mean), longer where the length scale is longer. An
    /// unordered axis is never cut.
    pub fn around(centre: &[f64], edge: f64, lengths: &[f64], is_cut: impl Fn(usize) -> bool) -> Region {
        let cut: Vec<usize> = (0..centre.len()).filter(|&k| is_cut(k)).collect();
        let logarithms: f64 = cut.iter().map(|&k| libm::log(lengths[k])).sum();
        let mean = libm::exp(logarithms / cut.len().max(1) as f64);
        let mut region = Region::whole(centre.len());
        for k in cut {
            let half = 0.5 * edge * lengths[k] / mean;
            region.low[k] = (centre[k] - half).max(0.0);
            region.high[k] = (centre[k] + half).min(1.0);
        }
        region
    }

    /// The point at a share of the way from the lower to the upper bound of an axis.
    pub fn at(&self, k: usize, share: f64) -> f64 {
        self.low[k] + share * (self.high[k] - self.low[k])
    }
}

/// The edge after trials with these losses, in order, the first `spread` of which do not count as attempts. It
/// doubles after improvements in a row and halves after as many failures as there are axes (20 at most); below
/// the smallest it starts anew. The history is played back, so nothing needs to be kept.
pub(super) fn edge(losses: &[f64], spread: usize, axes: usize) -> f64 {
    let patience = axes.clamp(4, 20);
    let (mut edge, mut successes, mut failures) = (FIRST, 0, 0);
    let mut best = losses.iter().take(spread).copied().fold(f64::INFINITY, f64::min);
    for &loss in losses.iter().skip(spread) {
        if loss < best - IMPROVEMENT {
            (successes, failures) = (successes + 1, 0);
        } else {
            (successes, failures) = (0, failures + 1);
        }
        best = best.min(loss);
        if successes == SUCCESSES {
            (edge, successes) = (LARGEST.min(2.0 * edge), 0);
        } else if failures == patience {
            (edge, failures) = (0.5 * edge, 0);
        }
        if edge < SMALLEST {
            (edge, successes, failures) = (FIRST, 0, 0);
        }
    }
    edge
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edge_follows_success_and_failure() {
        let falling: Vec<f64> = (0..10).map(|i| -f64::from(i)).collect();
        assert_eq!(edge(&falling[..4], 4, 2), 0.8);
        assert_eq!(edge(&falling[..7], 4, 2), 1.6, "three improvements");
        assert_eq!(edge(&falling, 4, 2), 1.6, "no longer than that");
        assert_eq!(edge(&[0.0; 8], 4, 2), 0.4, "four failures");
        assert_eq!(edge(&[0.0; 4 + 4 * 6], 4, 2), 0.8 / 64.0);
        assert_eq!(edge(&[0.0; 4 + 4 * 7], 4, 2), 0.8, "anew");
        assert_eq!(edge(&[0.0; 4 + 19], 4, 30), 0.8, "more patience with more axes");
    }

    #[test]
    fn a_region_stays_in_the_cube_and_is_longer_where_little_changes() {
        let region = Region::around(&[0.5, 0.9, 0.5], 0.2, &[0.25, 1.0, 9.0], |k| k < 2);
        assert!((region.low[0] - 0.45).abs() < 1e-12 && (region.high[0] - 0.55).abs() < 1e-12);
        assert!((region.low[1] - 0.7).abs() < 1e-12);
        assert_eq!((region.high[1], region.low[2], region.high[2]), (1.0, 0.0, 1.0));
    }
}
