//! Rules between parameters: `--where "fast < slow"`.
//!
//! A rule is made of comparisons (`<`, `<=`, `>`, `>=`, `==`, `!=`; `5 < fast < slow` is two of them) joined by
//! `and`, `or`, `not` and parentheses. Compared are sums, differences, products and quotients of numbers and of
//! numeric parameters, or a categorical parameter with a text in quotes: `filter == 'ema'`.
//!
//! A comparison that mentions a parameter that does not count is unknown, and a combination is allowed unless
//! the rule is false for it. `and`, `or` and `not` treat the unknown as S. C. Kleene's logic does, so without
//! `not` this is the same as taking the comparison as true.

mod parse;

use super::{Parameter, Params, Value};
use std::fmt;

/// A condition that every combination to be tried must meet.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    text: String,
    condition: Condition,
}

/// A rule that cannot be read.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("rule '{rule}', column {column}: {found}; expected {expected}")]
pub struct RuleError {
    /// The rule as given.
    pub rule: String,
    /// Character of the rule, from 1.
    pub column: usize,
    pub found: String,
    pub expected: String,
}

#[derive(Debug, Clone, PartialEq)]
enum Condition {
    Compare(Comparison, Number, Number),
    /// Parameter and text; whether they must be equal.
    Text {
        parameter: usize,
        text: String,
        equal: bool,
    },
    /// Two categorical parameters; whether they must be equal.
    Texts {
        left: usize,
        right: usize,
        equal: bool,
    },
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
    Not(Box<Condition>),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
}

#[derive(Debug, Clone, PartialEq)]
enum Number {
    Constant(f64),
    Parameter(usize),
    Negative(Box<Number>),
    Arithmetic(Arithmetic, Box<Number>, Box<Number>),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
}

impl Rule {
    /// Reads a rule about these parameters.
    ///
    /// # Errors
    /// [`RuleError`]: the column and what was expected there.
    pub fn parse(text: &str, parameters: &[Parameter]) -> Result<Rule, RuleError> {
        let condition = parse::condition(text, parameters)?;
        Ok(Rule { text: text.trim().to_string(), condition })
    }

    /// The rule as it was given.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the rule allows the combination. A comparison with a result that is not a number (0 / 0) is
    /// false, but for `!=`.
    pub fn holds(&self, params: &Params) -> bool {
        self.condition.value(params) != Some(false)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Condition {
    /// `None`: unknown, because a parameter does not count.
    fn value(&self, params: &Params) -> Option<bool> {
        match self {
            Condition::Compare(comparison, left, right) => {
                Some(comparison.holds(left.value(params)?, right.value(params)?))
            }
            Condition::Text { parameter, text, equal } => {
                Some((text_of(params, *parameter)? == text.as_str()) == *equal)
            }
            Condition::Texts { left, right, equal } => {
                Some((text_of(params, *left)? == text_of(params, *right)?) == *equal)
            }
            Condition::Not(inner) => inner.value(params).map(|value| !value),
            Condition::And(left, right) => match (left.value(params), right.value(params)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            Condition::Or(left, right) => match (left.value(params), right.value(params)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
        }
    }
}

fn text_of(params: &Params, parameter: usize) -> Option<&str> {
    match params.get(parameter)? {
        Some(Value::Text(text)) => Some(text),
        _ => None,
    }
}

impl Number {
    fn value(&self, params: &Params) -> Option<f64> {
        match self {
            Number::Constant(x) => Some(*x),
            Number::Parameter(k) => match params.get(*k)? {
                Some(Value::Float(x)) => Some(*x),
                Some(Value::Int(x)) => Some(*x as f64),
                _ => None,
            },
            Number::Negative(inner) => inner.value(params).map(|x| -x),
            Number::Arithmetic(kind, left, right) => {
                let (a, b) = (left.value(params)?, right.value(params)?);
                Some(match kind {
                    Arithmetic::Add => a + b,
                    Arithmetic::Subtract => a - b,
                    Arithmetic::Multiply => a * b,
                    Arithmetic::Divide => a / b,
                })
            }
        }
    }
}

impl Comparison {
    fn holds(self, a: f64, b: f64) -> bool {
        match self {
            Comparison::Less => a < b,
            Comparison::LessOrEqual => a <= b,
            Comparison::Greater => a > b,
            Comparison::GreaterOrEqual => a >= b,
            Comparison::Equal => a == b,
            Comparison::NotEqual => a != b,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Domain;
    use super::*;
    use proptest::prelude::*;

    fn parameters() -> Vec<Parameter> {
        let number = |name: &str| Parameter {
            name: name.to_string(),
            domain: Domain::Int { low: 1, high: 200, step: 1, log: false },
            condition: None,
        };
        let word = |name: &str| Parameter {
            name: name.to_string(),
            domain: Domain::Categorical { choices: vec!["none".to_string(), "ema".to_string()] },
            condition: None,
        };
        vec![number("fast"), number("slow"), word("filter"), word("exit"), number("sma_cross.gap")]
    }

    /// Whether the rule allows fast, slow, filter = ema, exit = none, gap.
    fn allowed(rule: &str, fast: i64, slow: i64, gap: Option<i64>) -> bool {
        let text = |text: &str| Some(Value::Text(text.to_string()));
        let params =
            vec![Some(Value::Int(fast)), Some(Value::Int(slow)), text("ema"), text("none"), gap.map(Value::Int)];
        Rule::parse(rule, &parameters()).unwrap_or_else(|error| panic!("{error}")).holds(&params)
    }

    #[test]
    fn comparisons() {
        assert!(allowed("fast < slow", 5, 6, None) && !allowed("fast < slow", 6, 6, None));
        assert!(allowed("fast <= slow", 6, 6, None) && !allowed("fast > slow", 6, 6, None));
        assert!(allowed("fast == slow", 6, 6, None) && !allowed("fast != slow", 6, 6, None));
        assert!(allowed("5 < fast <= slow", 6, 6, None) && !allowed("5 < fast <= slow", 5, 6, None));
        assert!(allowed("filter == 'ema'", 1, 1, None) && !allowed("filter != \"ema\"", 1, 1, None));
        assert!(allowed("filter != exit", 1, 1, None) && !allowed("filter == exit", 1, 1, None));
    }

    #[test]
    fn arithmetic_binds_as_in_school() {
        assert!(allowed("fast + 2 * slow == 20", 10, 5, None));
        assert!(allowed("(fast + 2) * slow == 60", 10, 5, None));
        assert!(allowed("fast - slow - 1 == 4", 10, 5, None), "from the left");
        assert!(allowed("-fast / -slow == 2.0e0", 10, 5, None));
        assert!(allowed("slow / fast >= .5", 10, 5, None));
    }

    #[test]
    fn and_binds_closer_than_or_and_not_closest() {
        assert!(allowed("fast == 1 or fast == 2 and slow == 9", 1, 1, None));
        assert!(!allowed("(fast == 1 or fast == 2) and slow == 9", 1, 1, None));
        assert!(allowed("not fast == 2 and slow == 1", 1, 1, None));
        assert!(!allowed("not (fast == 1 or slow == 9)", 1, 1, None));
        assert!(allowed("((fast)) < ((slow + 1))", 1, 1, None));
    }

    #[test]
    fn what_does_not_count_forbids_nothing() {
        assert!(!allowed("sma_cross.gap < fast", 5, 9, Some(7)));
        assert!(allowed("sma_cross.gap < fast", 5, 9, None));
        assert!(allowed("not sma_cross.gap < fast", 5, 9, None), "unknown either way");
        assert!(!allowed("sma_cross.gap < fast and fast > slow", 5, 9, None), "the other comparison still binds");
        assert!(allowed("sma_cross.gap < fast or fast > slow", 5, 9, None));
    }

    #[test]
    fn errors_name_the_column_and_what_is_right() {
        let refused = |rule: &str| Rule::parse(rule, &parameters()).unwrap_err().to_string();
        assert_eq!(
            refused("fast < slwo"),
            "rule 'fast < slwo', column 8: no parameter 'slwo'; expected one of fast, slow, filter, exit, \
             sma_cross.gap, or a text in quotes"
        );
        assert_eq!(refused("fast <"), "rule 'fast <', column 7: the end; expected a number or a parameter");
        assert_eq!(
            refused("fast + slow"),
            "rule 'fast + slow', column 12: the end; expected a comparison, such as fast < slow"
        );
        assert_eq!(refused("fast = slow"), "rule 'fast = slow', column 6: '='; expected '=='");
        assert_eq!(refused("(fast < slow"), "rule '(fast < slow', column 13: the end; expected ')'");
        assert_eq!(
            refused("fast < slow slow"),
            "rule 'fast < slow slow', column 13: 'slow'; expected 'and', 'or' or the end"
        );
        assert_eq!(
            refused("filter == 'emma'"),
            "rule 'filter == 'emma'', column 11: 'emma'; expected one of none, ema, as 'filter' is"
        );
        assert_eq!(refused("filter < 'ema'"), "rule 'filter < 'ema'', column 8: '<'; expected '==' or '!=' for texts");
        assert_eq!(
            refused("filter == 5"),
            "rule 'filter == 5', column 11: a number; expected a text, to compare with the text before it"
        );
        assert_eq!(
            refused("fast + filter > 1"),
            "rule 'fast + filter > 1', column 8: a text; expected a number or a numeric parameter"
        );
        assert_eq!(
            refused("(fast < slow) + 1 > 2"),
            "rule '(fast < slow) + 1 > 2', column 1: a comparison; expected a number or a numeric parameter"
        );
        assert_eq!(refused("fast < 1 § 2"), "rule 'fast < 1 § 2', column 10: '§'; expected 'and', 'or' or the end");
        assert_eq!(refused("filter == 'em"), "rule 'filter == 'em', column 11: a text without an end; expected '''");
        assert!(refused(&format!("{}fast < 1", "(".repeat(500))).contains("nested too deeply"));
    }

    proptest! {
        #[test]
        fn whatever_is_given_is_read_or_refused_at_a_column_of_it(
            words in proptest::collection::vec(
                proptest::sample::select(vec![
                    "fast", "slow", "filter", "'ema'", "'", "5", "1e", "<", "<=", "==", "!=", "=", "+", "-", "*", "/", "(",
                    ")", "and", "or", "not", "\u{e9}", "\u{1F600}", ".", "\"x\"",
                ]),
                0..9,
            ),
        ) {
            let text = words.join(" ");
            if let Err(error) = Rule::parse(&text, &parameters()) {
                prop_assert!((1..=text.chars().count() + 1).contains(&error.column), "{}", error);
            }
        }
    }
}
