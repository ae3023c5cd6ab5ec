//! Points of a space as the models see them.

use super::kernel::{Axes, Kind};
use crate::optimize::{Domain, Params, Space};

/// Offset of the flag of a parameter that does not count.
const FLAG: f64 = 0.5;

/// A point that can be proposed: discrete coordinates are those of a value, coordinates of parameters that do
/// not count are in the middle.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Point {
    /// In the unit cube, one coordinate a parameter.
    pub unit: Vec<f64>,
    /// What the kernel compares.
    pub features: Vec<f64>,
}

/// How the points of a space are seen by a kernel.
///
/// Every parameter is an axis. Discrete numbers enter by the middle of their share, so the model knows that
/// nothing happens between two values; categories by being equal or not. A parameter that does not always count
/// has a flag beside its coordinate: two points of which only one has the parameter are apart on its axis.
#[derive(Debug, Clone)]
pub(super) struct Encoding {
    pub axes: Axes,
    /// Number of values by parameter; `None` where there is a continuum.
    levels: Vec<Option<u64>>,
    conditional: Vec<bool>,
    /// Whether a coordinate is what it is: nothing discrete or conditional.
    plain: bool,
}

impl Encoding {
    pub fn new(space: &Space) -> Encoding {
        let levels: Vec<_> = space.parameters().iter().map(|p| p.domain.levels()).collect();
        let conditional: Vec<_> = space.parameters().iter().map(|p| p.condition.is_some()).collect();
        let mut features = Vec::new();
        for (axis, parameter) in space.parameters().iter().enumerate() {
            let unordered = matches!(parameter.domain, Domain::Categorical { .. });
            features.push((axis, if unordered { Kind::Unordered } else { Kind::Ordered }));
            if conditional[axis] {
                features.push((axis, Kind::Ordered));
            }
        }
        let plain = levels.iter().all(Option::is_none) && !conditional.contains(&true);
        Encoding { axes: Axes::new(features), levels, conditional, plain }
    }

    /// The point nearest to these coordinates that can be proposed.
    pub fn point(&self, space: &Space, mut unit: Vec<f64>) -> Point {
        if self.plain {
            return Point { features: unit.clone(), unit };
        }
        let params = space.decode(&unit);
        for (k, middle) in space.encode(&params).into_iter().enumerate() {
            // A continuous coordinate keeps what coding would round.
            if params[k].is_none() || self.levels[k].is_some() {
                unit[k] = middle;
            }
        }
        self.marked(&params, unit)
    }

    /// The point of parameters that were tried.
    pub fn point_of(&self, space: &Space, params: &Params) -> Point {
        let unit = space.encode(params);
        self.marked(params, unit)
    }

    fn marked(&self, params: &Params, unit: Vec<f64>) -> Point {
        let mut features = Vec::with_capacity(2 * unit.len());
        for (k, coordinate) in unit.iter().enumerate() {
            features.push(*coordinate);
            if self.conditional[k] {
                features.push(if params[k].is_some() { 0.0 } else { FLAG });
            }
        }
        Point { unit, features }
    }

    /// Number of values of a parameter; `None` where there is a continuum.
    pub fn levels(&self, parameter: usize) -> Option<u64> {
        self.levels[parameter]
    }

    /// The feature that holds the coordinate of a parameter.
    pub fn feature(&self, parameter: usize) -> usize {
        parameter + self.conditional[..parameter].iter().filter(|conditional| **conditional).count()
    }

    /// Whether the parameter counts at a point.
    pub fn counts(&self, parameter: usize, point: &Point) -> bool {
        !self.conditional[parameter] || point.features[self.feature(parameter) + 1] == 0.0
    }

    /// Whether the parameter is a continuum and counts at a point.
    pub fn is_continuous_at(&self, parameter: usize, point: &Point) -> bool {
        self.levels[parameter].is_none() && self.counts(parameter, point)
    }

    /// Whether the values of a parameter have an order.
    pub fn is_ordered(&self, parameter: usize) -> bool {
        self.axes.kind(self.feature(parameter)) == Kind::Ordered
    }

    /// Whether a space has nothing continuous, so that a point can come twice.
    pub fn is_discrete(&self) -> bool {
        self.levels.iter().all(Option::is_some)
    }
}
