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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optimize::{Condition, Parameter, Value};

    #[test]
    fn discrete_and_inactive_coordinates_are_in_the_middle_and_flags_tell_who_counts() {
        let words = |choices: &[&str]| Domain::Categorical { choices: choices.iter().map(|c| c.to_string()).collect() };
        let continuous = Domain::Float { low: 2.0, high: 4.0, step: None, log: false };
        let condition = Some(Condition { parent: 0, values: vec![Value::Text("b".to_string())] });
        let space = Space::new(vec![
            Parameter { name: "kind".to_string(), domain: words(&["a", "b"]), condition: None },
            Parameter { name: "x".to_string(), domain: continuous, condition },
            Parameter {
                name: "n".to_string(),
                domain: Domain::Int { low: 1, high: 5, step: 1, log: false },
                condition: None,
            },
        ])
        .unwrap();
        let encoding = Encoding::new(&space);
        let with = encoding.point(&space, vec![0.9, 0.123, 0.35]);
        assert_eq!((&with.unit, &with.features), (&vec![0.75, 0.123, 0.3], &vec![0.75, 0.123, 0.0, 0.3]));
        let without = encoding.point(&space, vec![0.1, 0.123, 0.35]);
        assert_eq!((&without.unit, &without.features), (&vec![0.25, 0.5, 0.3], &vec![0.25, 0.5, FLAG, 0.3]));
        assert!(encoding.is_continuous_at(1, &with) && !encoding.is_continuous_at(1, &without));
        assert!(!encoding.is_ordered(0) && encoding.is_ordered(1) && encoding.feature(2) == 3);
        assert_eq!(encoding.point_of(&space, &space.decode(&without.unit)), without);
        // Apart by the category and by the parameter that only one of them has.
        let distance = encoding.axes.distance(&with.features, &without.features, &[1.0; 3]);
        assert!((distance - (1.0 + 0.377 * 0.377 + FLAG * FLAG)).abs() < 1e-12);
    }
}
