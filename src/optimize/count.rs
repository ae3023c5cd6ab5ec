//! How many combinations a space has, and which is number k.

use super::{Params, Space, Value};

/// Combinations looked at, at most, to count those that rules allow.
const MOST_ENUMERATED: u128 = 4_000_000;

/// Number of combinations of a space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// Exactly this many; [`u128::MAX`] stands for that many or more.
    Exact(u128),
    /// At most this many: there are rules, and too many combinations to look at each.
    AtMost(u128),
    /// An axis is continuous.
    Continuous,
}

impl Space {
    /// Number of different combinations that can be tried: only the values of parameters that count make a
    /// difference.
    pub fn count(&self) -> Count {
        let Some(all) = self.unruled_count() else { return Count::Continuous };
        if self.rules().is_empty() {
            return Count::Exact(all);
        }
        if all > MOST_ENUMERATED {
            return Count::AtMost(all);
        }
        let mut allowed = 0;
        let mut next = self.combination(0);
        while let Some(params) = next {
            allowed += u128::from(self.allows(&params));
            next = self.combination_after(params);
        }
        Count::Exact(allowed)
    }

    /// Number of combinations when rules are not asked; `None` with a continuous axis. [`u128::MAX`] stands for
    /// that many or more.
    pub fn unruled_count(&self) -> Option<u128> {
        Some(self.count_below(&self.subtree_counts()?, &[]))
    }

    /// Combination number `index` when rules are not asked, in the order of nested loops: the first parameter is
    /// the outermost, the last one changes fastest. `None` beyond the last one or with a continuous axis.
    pub fn combination(&self, index: u128) -> Option<Params> {
        let subtrees = self.subtree_counts()?;
        let mut params = Vec::with_capacity(self.len());
        if index >= self.count_below(&subtrees, &params) {
            return None;
        }
        let mut left = index;
        for (k, parameter) in self.parameters().iter().enumerate() {
            if !self.counts(k, &params) {
                params.push(None);
                continue;
            }
            // Values that make the same parameters count have as many combinations below them.
            for block in self.blocks(k)? {
                params.push(Some(parameter.domain.value_at(block.first)));
                let below = self.count_below(&subtrees, &params);
                params.pop();
                let inside = u128::from(block.length).saturating_mul(below);
                if left < inside {
                    let level = block.first + u64::try_from(left / below).ok()?;
                    left %= below;
                    params.push(Some(parameter.domain.value_at(level)));
                    break;
                }
                left -= inside;
            }
        }
        Some(params)
    }

    /// The combination after this one in the same order, found without counting; `None` after the last one.
    pub(crate) fn combination_after(&self, mut params: Params) -> Option<Params> {
        for k in (0..self.len()).rev() {
            let domain = &self.parameters()[k].domain;
            let Some(level) = params[k].as_ref().and_then(|value| domain.level_of(value)) else { continue };
            if level + 1 == domain.levels()? {
                continue;
            }
            params[k] = Some(domain.value_at(level + 1));
            // All after it begin again; which of them count may have changed.
            for after in k + 1..self.len() {
                params[after] = None;
                if self.counts(after, &params) {
                    params[after] = Some(self.parameters()[after].domain.value_at(0));
                }
            }
            return Some(params);
        }
        None
    }

    /// For each parameter, the combinations of it and all that depends on it while it counts. Every parameter
    /// depends on one other at most, so these are trees, and the whole space is their product.
    fn subtree_counts(&self) -> Option<Vec<u128>> {
        let mut counts = vec![1_u128; self.len()];
        // Those that depend on a parameter come after it.
        for k in (0..self.len()).rev() {
            let mut sum = 0_u128;
            for block in self.blocks(k)? {
                let value = self.parameters()[k].domain.value_at(block.first);
                let met = |j: &usize| {
                    let condition = self.parameters()[*j].condition.as_ref();
                    condition.is_some_and(|c| c.parent == k && c.values.contains(&value))
                };
                let below = (k + 1..self.len()).filter(met).fold(1, |n: u128, j| n.saturating_mul(counts[j]));
                sum = sum.saturating_add(below.saturating_mul(u128::from(block.length)));
            }
            counts[k] = sum;
        }
        Some(counts)
    }

    /// Combinations of the parameters after those that have a value or are known not to count.
    fn count_below(&self, subtrees: &[u128], params: &[Option<Value>]) -> u128 {
        let known = params.len();
        let open = |k: &usize| match &self.parameters()[*k].condition {
            None => true,
            Some(condition) => condition.parent < known && self.counts(*k, params),
        };
        (known..self.len()).filter(open).fold(1, |n: u128, k| n.saturating_mul(subtrees[k]))
    }

    /// The values of a parameter in order, in runs of values that no condition names and single ones that a
    /// condition names. `None` for a continuous domain.
    fn blocks(&self, k: usize) -> Option<Vec<Block>> {
        let domain = &self.parameters()[k].domain;
        let levels = domain.levels()?;
        let named = |value: &Value| domain.level_of(value);
        let conditions = self.parameters().iter().filter_map(|p| p.condition.as_ref()).filter(|c| c.parent == k);
        let mut levels_named: Vec<u64> = conditions.flat_map(|c| c.values.iter().filter_map(named)).collect();
        levels_named.sort_unstable();
        levels_named.dedup();
        let mut blocks = Vec::new();
        let mut next = 0;
        for level in levels_named {
            if level > next {
                blocks.push(Block { first: next, length: level - next });
            }
            blocks.push(Block { first: level, length: 1 });
            next = level + 1;
        }
        if levels > next {
            blocks.push(Block { first: next, length: levels - next });
        }
        Some(blocks)
    }
}

/// Consecutive values of a parameter.
struct Block {
    first: u64,
    length: u64,
}

#[cfg(test)]
mod tests {
    use super::super::{Condition, Domain, Parameter};
    use super::*;
    use proptest::prelude::*;

    fn int(name: &str, low: i64, high: i64) -> Parameter {
        Parameter { name: name.to_string(), domain: Domain::Int { low, high, step: 1, log: false }, condition: None }
    }

    fn word(name: &str, choices: &[&str]) -> Parameter {
        let choices = choices.iter().map(|c| c.to_string()).collect();
        Parameter { name: name.to_string(), domain: Domain::Categorical { choices }, condition: None }
    }

    fn when(mut parameter: Parameter, parent: usize, values: Vec<Value>) -> Parameter {
        parameter.condition = Some(Condition { parent, values });
        parameter
    }

    fn shown(space: &Space, params: &Params) -> String {
        space.pairs(params).map(|(_, value)| value.to_string()).collect::<Vec<_>>().join(" ")
    }

    fn all(space: &Space) -> Vec<String> {
        let count = space.unruled_count().unwrap();
        assert_eq!(space.combination(count), None);
        (0..count).map(|k| shown(space, &space.combination(k).unwrap())).collect()
    }

    #[test]
    fn combinations_come_in_the_order_of_nested_loops() {
        let space = Space::new(vec![int("a", 1, 2), word("b", &["x", "y", "z"])]).unwrap();
        assert_eq!(all(&space), ["1 x", "1 y", "1 z", "2 x", "2 y", "2 z"]);
    }

    #[test]
    fn parameters_that_do_not_count_multiply_nothing() {
        let text = |s: &str| Value::Text(s.to_string());
        let space = Space::new(vec![
            word("filter", &["none", "ema", "kalman"]),
            when(int("period", 1, 2), 0, vec![text("ema"), text("kalman")]),
            int("stop", 8, 9),
            when(word("gain", &["low", "high"]), 1, vec![Value::Int(2)]),
        ])
        .unwrap();
        // none: 2; ema: period 1: 2, period 2: 2 x 2; kalman the same.
        assert_eq!(space.count(), Count::Exact(14));
        assert_eq!(
            all(&space)[..8],
            ["none 8", "none 9", "ema 1 8", "ema 1 9", "ema 2 8 low", "ema 2 8 high", "ema 2 9 low", "ema 2 9 high"]
        );
    }

    #[test]
    fn great_counts_are_exact_and_addressed_at_once() {
        let mut parameters: Vec<Parameter> = (0..6).map(|k| int(&format!("p{k}"), 1, 1000)).collect();
        parameters.push(when(word("w", &["a", "b", "c"]), 0, vec![Value::Int(500)]));
        let space = Space::new(parameters).unwrap();
        let per_value = 1000_u128.pow(5);
        assert_eq!(space.count(), Count::Exact(999 * per_value + 3 * per_value));
        assert_eq!(shown(&space, &space.combination(499 * per_value).unwrap()), "500 1 1 1 1 1 a");
        assert_eq!(shown(&space, &space.combination(502 * per_value + 1).unwrap()), "501 1 1 1 1 2");
        let last = space.combination(1002 * per_value - 1).unwrap();
        assert_eq!(shown(&space, &last), "1000 1000 1000 1000 1000 1000");
    }

    #[test]
    fn many_conditions_are_counted_without_trying_their_combinations() {
        let mut parameters: Vec<Parameter> = (0..40).map(|k| word(&format!("p{k}"), &["no", "yes"])).collect();
        for k in 0..40 {
            parameters.push(when(int(&format!("q{k}"), 1, 2), k, vec![Value::Text("yes".to_string())]));
        }
        let space = Space::new(parameters).unwrap();
        // Each pair is no, yes 1 or yes 2.
        assert_eq!(space.count(), Count::Exact(3_u128.pow(40)));
        assert!(space.combination(3_u128.pow(40) - 1).is_some_and(|params| space.contains(&params)));
    }

    #[test]
    fn rules_are_counted_by_looking_as_long_as_that_is_possible() {
        let space = |high| Space::new(vec![int("fast", 1, high), int("slow", 1, high)]).unwrap();
        assert_eq!(space(10).with_rules(&["fast < slow"]).unwrap().count(), Count::Exact(45));
        let wide = space(5000).with_rules(&["fast < slow"]).unwrap();
        assert_eq!(wide.count(), Count::AtMost(25_000_000));
    }

    #[test]
    fn a_continuous_axis_cannot_be_counted() {
        let domain = Domain::Float { low: 0.0, high: 1.0, step: None, log: false };
        let space = Space::new(vec![int("a", 1, 2), Parameter { name: "x".to_string(), domain, condition: None }]);
        let space = space.unwrap();
        assert_eq!((space.count(), space.combination(0)), (Count::Continuous, None));
    }

    proptest! {
        /// Words and numbers, each of which may depend on any earlier parameter.
        #[test]
        fn every_combination_is_different_and_in_the_space(
            shapes in proptest::collection::vec((1_i64..5, 0_usize..6, 0_i64..5, 0_i64..5), 1..6),
        ) {
            let mut parameters: Vec<Parameter> = Vec::new();
            for (k, (levels, parent, one, other)) in shapes.into_iter().enumerate() {
                let mut parameter = int(&format!("p{k}"), 1, levels);
                if let Some(named) = parameters.get(parent) {
                    let most = named.domain.levels().unwrap() as i64;
                    let values = vec![Value::Int(1 + one % most), Value::Int(1 + other % most)];
                    parameter.condition = Some(Condition { parent, values });
                }
                parameters.push(parameter);
            }
            let space = Space::new(parameters).unwrap();
            let listed = all(&space);
            let mut found = std::collections::BTreeSet::new();
            for k in 0..listed.len() {
                let params = space.combination(k as u128).unwrap();
                prop_assert!(space.contains(&params));
                prop_assert_eq!(space.combination_after(params.clone()), space.combination(k as u128 + 1));
                let new = found.insert(format!("{params:?}"));
                prop_assert!(new);
            }
            // Every point of the cube is one of them.
            for number in 0..64 {
                let params = space.decode(&crate::optimize::Sobol::new(space.len(), 1).point(number));
                let known = found.contains(&format!("{params:?}"));
                prop_assert!(known);
            }
        }
    }
}
