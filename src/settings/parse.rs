//! First stage: a file or option becomes raw assignments with their places.

use super::table::TABLE;
use super::{Key, Place, SettingsError};

/// One `KEY=VALUE` of a known setting, not yet checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Assignment {
    pub place: Place,
    pub key: Key,
    pub text: String,
}

/// Reads a file: blank lines, `#` comments and `KEY=VALUE`. All errors are returned beside what was understood.
pub(super) fn file(text: &str, source: &str) -> (Vec<Assignment>, Vec<SettingsError>) {
    let mut assignments = Vec::new();
    let mut errors = Vec::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (i, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match assignment(line, Place { source: source.to_string(), line: Some(i + 1) }) {
            Ok(assignment) => assignments.push(assignment),
            Err(error) => errors.push(error),
        }
    }
    (assignments, errors)
}

/// Reads one `KEY=VALUE`.
pub(super) fn assignment(line: &str, place: Place) -> Result<Assignment, SettingsError> {
    let syntax = |place, expected| Err(SettingsError::Syntax { place, found: line.to_string(), expected });
    let Some((name, rest)) = line.split_once('=') else {
        let expected = if place.line.is_some() { "KEY=VALUE or a comment that begins with #" } else { "KEY=VALUE" };
        return syntax(place, expected);
    };
    let name = name.trim();
    if name.strip_prefix("export").is_some_and(|rest| rest.starts_with(char::is_whitespace)) {
        return syntax(place, "KEY=VALUE without export");
    }
    if name.is_empty() || name.contains(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
        return syntax(place, "KEY=VALUE with a key of letters, digits and _");
    }
    let Some(text) = value_text(rest) else {
        return syntax(place, "a value that ends with the quote it begins with");
    };
    match Key::from_name(name) {
        Some(key) => Ok(Assignment { place, key, text: text.to_string() }),
        None => Err(SettingsError::Unknown { place, key: name.to_string(), hint: hint(name) }),
    }
}

/// The value without quotes, blanks around it and a comment behind it; `None` when quotes do not match.
fn value_text(rest: &str) -> Option<&str> {
    let text = rest.trim();
    if let Some(quote) = text.chars().next().filter(|c| matches!(c, '"' | '\'')) {
        let (value, tail) = text[1..].split_once(quote)?;
        let tail_is_comment =
            tail.is_empty() || (tail.starts_with(char::is_whitespace) && tail.trim().starts_with('#'));
        return tail_is_comment.then_some(value);
    }
    // A # is a comment when a blank stands before it: `KEY=a#b` is the value a#b, `KEY= # none` is empty.
    let is_comment = |&(i, _): &(usize, &str)| rest[..i].ends_with(char::is_whitespace);
    let end = rest.match_indices('#').find(is_comment).map_or(rest.len(), |(i, _)| i);
    Some(rest[..end].trim())
}

/// What the writer of an unknown name may have meant.
fn hint(name: &str) -> String {
    let name = name.to_ascii_uppercase();
    if matches!(name.as_str(), "ALPACA_ENABLED" | "IBKR_ENABLED" | "TRADIER_ENABLED") {
        return "; the broker is chosen by BROKER_NAME".to_string();
    }
    let nearest = TABLE.iter().map(|spec| (distance(&name, spec.name), spec.name)).min();
    match nearest {
        Some((steps, known)) if steps <= name.len() / 2 => format!("; the nearest known one is {known}"),
        _ => String::new(),
    }
}

/// Levenshtein distance: the fewest insertions, deletions and replacements of bytes that turn `a` into `b`.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_lose_blanks_quotes_and_comments() {
        for (rest, value) in [
            (" InverseETF     ", "InverseETF"),
            ("5   # cap", "5"),
            ("5\t#cap", "5"),
            ("a#b", "a#b"),
            ("", ""),
            ("   # nothing", ""),
            ("\"ALPACA\"  ", "ALPACA"),
            ("'a # b' # c", "a # b"),
            ("\"\"", ""),
            ("it's", "it's"),
        ] {
            assert_eq!(value_text(rest), Some(value), "{rest:?}");
        }
        for rest in ["\"ALPACA", "'a\"", "\"a\" b", "\"a\"#b", "\""] {
            assert_eq!(value_text(rest), None, "{rest:?}");
        }
    }

    #[test]
    fn distances() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("MAX_TRADE", "MAX_TRADES"), 1);
    }

    #[test]
    fn a_byte_order_mark_and_windows_line_ends_are_ignored() {
        let (assignments, errors) = file("\u{feff}MAX_TRADES=3\r\n\r\nMIN_PRICE=6\r\n", "f");
        assert_eq!(errors, vec![]);
        assert_eq!(assignments.iter().map(|a| a.text.as_str()).collect::<Vec<_>>(), ["3", "6"]);
        assert_eq!(assignments[1].place.to_string(), "f:3");
    }
}
