//! The covariance of two points of a mixed space.

/// How a feature of a point enters the distance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    /// By its difference.
    Ordered,
    /// By being the same or not (Hamming distance).
    Unordered,
}

/// The features of points and the axes they belong to: an axis that may be inactive has a second feature, its
/// flag, which shares the axis' length scale.
#[derive(Debug, Clone, Default)]
pub(super) struct Axes {
    features: Vec<(usize, Kind)>,
    count: usize,
}

impl Axes {
    /// Features in order, each with its axis; axes are numbered from 0 and each has a feature.
    pub fn new(features: Vec<(usize, Kind)>) -> Axes {
        let count = features.iter().map(|(axis, _)| axis + 1).max().unwrap_or(0);
        Axes { features, count }
    }

    /// Number of axes.
    pub fn len(&self) -> usize {
        self.count
    }

    /// The axis of a feature.
    pub fn axis(&self, feature: usize) -> usize {
        self.features[feature].0
    }

    /// Whether an axis is that of an unordered parameter.
    pub fn is_unordered(&self, axis: usize) -> bool {
        self.features.contains(&(axis, Kind::Unordered))
    }

    /// How a feature enters the distance.
    pub fn kind(&self, feature: usize) -> Kind {
        self.features[feature].1
    }

    /// Squared distance, each axis weighted.
    pub fn distance(&self, a: &[f64], b: &[f64], weights: &[f64]) -> f64 {
        let mut sum = 0.0;
        for ((&(axis, kind), x), y) in self.features.iter().zip(a).zip(b) {
            sum += weights[axis] * square(kind, x - y);
        }
        sum
    }

    /// Appends the squared difference on every axis.
    pub fn squared_differences(&self, a: &[f64], b: &[f64], onto: &mut Vec<f64>) {
        let first = onto.len();
        onto.resize(first + self.count, 0.0);
        for ((&(axis, kind), x), y) in self.features.iter().zip(a).zip(b) {
            onto[first + axis] += square(kind, x - y);
        }
    }

    /// The differences `a - b` of ordered features, each with its feature.
    pub fn differences<'a>(&'a self, a: &'a [f64], b: &'a [f64]) -> impl Iterator<Item = (usize, f64)> + 'a {
        let ordered = self.features.iter().enumerate().filter(|(_, (_, kind))| *kind == Kind::Ordered);
        ordered.map(move |(f, _)| (f, a[f] - b[f]))
    }
}

fn square(kind: Kind, difference: f64) -> f64 {
    match kind {
        Kind::Ordered => difference * difference,
        Kind::Unordered if difference == 0.0 => 0.0,
        Kind::Unordered => 1.0,
    }
}

/// The Matern kernel of smoothness 5/2 at a squared distance (Rasmussen & Williams 2006, equation 4.17), and its
/// derivative by the squared distance.
pub(super) fn matern(squared: f64) -> (f64, f64) {
    let q = (5.0 * squared).sqrt();
    let decay = libm::exp(-q);
    ((1.0 + q + 5.0 / 3.0 * squared) * decay, -5.0 / 6.0 * (1.0 + q) * decay)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_of_the_kernel_is_that_of_small_differences() {
        assert_eq!(matern(0.0), (1.0, -5.0 / 6.0));
        // At distance 1: (1 + sqrt 5 + 5/3) exp(-sqrt 5).
        assert!((matern(1.0).0 - 0.5239941088318203).abs() < 1e-15);
        for squared in [0.01, 0.5, 3.0, 40.0] {
            let difference = (matern(squared + 1e-6).0 - matern(squared - 1e-6).0) / 2e-6;
            assert!((matern(squared).1 - difference).abs() < 1e-8, "{squared}");
        }
    }

    #[test]
    fn categories_are_the_same_or_not() {
        let axes = Axes::new(vec![(0, Kind::Unordered), (1, Kind::Ordered)]);
        let mut squares = Vec::new();
        axes.squared_differences(&[0.1, 0.5], &[0.9, 0.2], &mut squares);
        assert!(squares[0] == 1.0 && (squares[1] - 0.09).abs() < 1e-12);
        let distance = axes.distance(&[0.1, 0.5], &[0.9, 0.2], &[2.0, 10.0]);
        assert!((distance - 2.9).abs() < 1e-12);
        assert_eq!(axes.distance(&[0.1, 0.5], &[0.1, 0.5], &[2.0, 10.0]), 0.0);
        assert_eq!(axes.differences(&[0.1, 0.5], &[0.9, 0.0]).collect::<Vec<_>>(), [(1, 0.5)]);
    }
}
