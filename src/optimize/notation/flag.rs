//! `KEY=SPEC`.

use super::{notation_error, value_of};
use crate::optimize::{Domain, Parameter, SpaceError};

const FORMS: &str = "5..50:5, 0.001..0.05, int:5..200, log:1e-4..1e-1, log:int:1..1000, a|b|c or a single value";

/// Reads `KEY=SPEC`.
pub(super) fn parameter(flag: &str) -> Result<Parameter, SpaceError> {
    let Some((name, spec)) = flag.split_once('=') else {
        return Err(notation_error(&format!("space '{flag}'"), "no '='", "KEY=SPEC, such as fast=5..50:5"));
    };
    let name = name.trim();
    let domain = domain(&format!("parameter '{name}'"), spec)?;
    Ok(Parameter { name: name.to_string(), domain, condition: None })
}

/// Reads SPEC.
pub(super) fn domain(place: &str, spec: &str) -> Result<Domain, SpaceError> {
    let spec = spec.trim();
    if spec.contains('|') {
        let choices: Vec<String> = spec.split('|').map(|choice| choice.trim().to_string()).collect();
        if choices.iter().any(String::is_empty) {
            return Err(notation_error(place, format!("'{spec}' with an empty choice"), "words such as a|b|c"));
        }
        return Ok(Domain::Categorical { choices });
    }
    let (mut log, mut int) = (false, false);
    let mut rest = spec;
    loop {
        if let Some(after) = rest.strip_prefix("log:").filter(|_| !log) {
            (log, rest) = (true, after);
        } else if let Some(after) = rest.strip_prefix("int:").filter(|_| !int) {
            (int, rest) = (true, after);
        } else {
            break;
        }
    }
    let Some((low, end)) = rest.split_once("..") else {
        if log || int || rest.is_empty() {
            return Err(notation_error(place, format!("'{spec}'"), FORMS));
        }
        return Ok(Domain::fixed(value_of(rest)));
    };
    let (high, step) = match end.split_once(':') {
        Some((high, step)) => (high, Some(step.trim())),
        None => (end, None),
    };
    let (low, high) = (low.trim(), high.trim());
    let whole = |text: &str| text.parse::<i64>().ok();
    // A grid of whole numbers is one of integers: 5..50:5. Without a step it would be no grid.
    let wholes = whole(low).zip(whole(high)).zip(step.map_or(Some(1), whole));
    match wholes {
        Some(((low, high), step)) if int || end.contains(':') => return Ok(Domain::Int { low, high, step, log }),
        None if int => return Err(notation_error(place, format!("'{spec}'"), "whole numbers, such as int:5..200")),
        _ => {}
    }
    let number = |text: &str| {
        text.parse::<f64>()
            .map_err(|_| notation_error(place, format!("'{text}' in '{spec}'"), format!("a number, as in {FORMS}")))
    };
    Ok(Domain::Float { low: number(low)?, high: number(high)?, step: step.map(number).transpose()?, log })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optimize::{Space, Value};

    fn read(spec: &str) -> Domain {
        parameter(&format!("x={spec}")).unwrap().domain
    }

    #[test]
    fn every_form() {
        assert_eq!(read("5..50:5"), Domain::Int { low: 5, high: 50, step: 5, log: false });
        assert_eq!(read("0.1..0.5:0.1"), Domain::Float { low: 0.1, high: 0.5, step: Some(0.1), log: false });
        assert_eq!(read("1..2:0.25"), Domain::Float { low: 1.0, high: 2.0, step: Some(0.25), log: false });
        assert_eq!(read("0.001..0.05"), Domain::Float { low: 0.001, high: 0.05, step: None, log: false });
        assert_eq!(read("1..9"), Domain::Float { low: 1.0, high: 9.0, step: None, log: false });
        assert_eq!(read("-3..3:1"), Domain::Int { low: -3, high: 3, step: 1, log: false });
        assert_eq!(read("log:1e-4..1e-1"), Domain::Float { low: 1e-4, high: 1e-1, step: None, log: true });
        assert_eq!(read("int:5..200"), Domain::Int { low: 5, high: 200, step: 1, log: false });
        assert_eq!(read("log:int:1..1000"), Domain::Int { low: 1, high: 1000, step: 1, log: true });
        assert_eq!(read("int:log:1..1000"), read("log:int:1..1000"));
        assert_eq!(read(" a | b|c "), Domain::Categorical { choices: vec!["a".into(), "b".into(), "c".into()] });
        assert_eq!(read("20"), Domain::fixed(Value::Int(20)));
        assert_eq!(read("0.5"), Domain::fixed(Value::Float(0.5)));
        assert_eq!(read("long"), Domain::fixed(Value::Text("long".to_string())));
    }

    #[test]
    fn errors_name_the_key_and_what_is_right() {
        let refused = |flag: &str| Space::from_flags(&[flag]).unwrap_err().to_string();
        assert_eq!(refused("fast"), "space 'fast': no '='; expected KEY=SPEC, such as fast=5..50:5");
        assert_eq!(
            refused("fast=5..x:5"),
            "parameter 'fast': 'x' in '5..x:5'; expected a number, as in 5..50:5, 0.001..0.05, int:5..200, \
             log:1e-4..1e-1, log:int:1..1000, a|b|c or a single value"
        );
        assert_eq!(
            refused("fast=int:1..2.5"),
            "parameter 'fast': 'int:1..2.5'; expected whole numbers, such as int:5..200"
        );
        assert_eq!(refused("fast=50..5:5"), "parameter 'fast': from 50 to 5; expected the lower bound first");
        assert_eq!(refused("fast=5..50:0"), "parameter 'fast': a step of 0; expected a positive number");
        assert_eq!(refused("f=a||b"), "parameter 'f': 'a||b' with an empty choice; expected words such as a|b|c");
        assert!(refused("f=").starts_with("parameter 'f': ''; expected 5..50:5"));
        assert_eq!(refused("=1..2"), "parameter 1 has no name; expected one");
    }
}
