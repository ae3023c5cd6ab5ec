//! Types of settings: what is accepted, how it reads, how it is described.

use super::value::{DURATION_UNITS, Fraction, Percent, Value, duration_text};
use chrono::NaiveTime;
use std::fmt;
use std::time::Duration;

/// Accepted numbers: from `min` (or above it, when excluded) to `max`.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Range {
    /// Smallest accepted number, or the bound below it.
    pub min: f64,
    /// Largest accepted number.
    pub max: f64,
    /// Whether `min` itself is refused.
    pub min_excluded: bool,
}

impl Range {
    /// From `min` to `max`, both accepted.
    pub const fn new(min: f64, max: f64) -> Range {
        Range { min, max, min_excluded: false }
    }

    /// Above `min`, to `max`.
    pub const fn above(min: f64, max: f64) -> Range {
        Range { min, max, min_excluded: true }
    }

    /// Whether `x` is accepted; NaN never is.
    pub fn contains(self, x: f64) -> bool {
        x <= self.max && if self.min_excluded { x > self.min } else { x >= self.min }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.min_excluded {
            write!(f, "above {} up to {}", self.min, self.max)
        } else {
            write!(f, "from {} to {}", self.min, self.max)
        }
    }
}

/// The type of a setting with its unit and range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Integer { min: i64, max: i64, unit: &'static str },
    /// A number.
    Number { range: Range, unit: &'static str },
    /// A share of one: 0.02 is 2 %.
    Fraction(Range),
    /// A percentage: 2 is 2 %. `suspect_below_one`: a share of one written by mistake is likely, so that a
    /// value up to 1 is warned about.
    Percent { range: Range, suspect_below_one: bool },
    /// One of these words, in any case; empty when `optional`.
    Choice { choices: &'static [&'static str], optional: bool },
    /// One or more of these words, each at most once, separated by commas; the order counts.
    Choices(&'static [&'static str]),
    /// Shares of one from 0 to 1, separated by commas.
    Fractions,
    /// A time of day HH:MM in UTC.
    Time,
    /// A whole number with one of the units ms, s, m, h; the bounds are in milliseconds.
    Duration { min_ms: u64, max_ms: u64 },
    /// A semantic version, with or without a leading `v`.
    Version,
    /// Letters, digits, `_`, `-` and `.`.
    Tag,
    /// The name of a data set: as a tag, or empty for none.
    DataSet,
    /// A relative path that does not leave its folder.
    Path,
}

impl Kind {
    /// Turns the text of a file into a checked value; the error says what is expected instead.
    pub fn parse(&self, text: &str) -> Result<Value, String> {
        self.read(text).ok_or_else(|| self.expected())
    }

    fn read(&self, text: &str) -> Option<Value> {
        match *self {
            Kind::Flag => match text.to_ascii_lowercase().as_str() {
                "true" => Some(Value::Flag(true)),
                "false" => Some(Value::Flag(false)),
                _ => None,
            },
            Kind::Integer { min, max, .. } => text.parse().ok().filter(|n| (min..=max).contains(n)).map(Value::Integer),
            Kind::Number { range, .. } => number(text, range).map(Value::Number),
            Kind::Fraction(range) => number(text, range).map(|x| Value::Fraction(Fraction::new(x))),
            Kind::Percent { range, .. } => number(text, range).map(|x| Value::Percent(Percent::new(x))),
            Kind::Choice { optional: true, .. } if text.is_empty() => Some(Value::Choice("")),
            Kind::Choice { choices, .. } => choice(text, choices).map(Value::Choice),
            Kind::Choices(choices) => {
                let words: Vec<&'static str> =
                    text.split(',').map(|word| choice(word.trim(), choices)).collect::<Option<_>>()?;
                let distinct = words.iter().enumerate().all(|(i, word)| !words[..i].contains(word));
                distinct.then_some(Value::Choices(words))
            }
            Kind::Fractions => {
                let shares = text.split(',').map(|word| number(word.trim(), Range::new(0.0, 1.0)));
                shares.collect::<Option<_>>().map(Value::Fractions)
            }
            Kind::Time => time(text).map(Value::Time),
            Kind::Duration { min_ms, max_ms } => {
                let millis = milliseconds(text)?;
                (min_ms..=max_ms).contains(&millis).then(|| Value::Duration(Duration::from_millis(millis)))
            }
            Kind::Version => is_version(text).then(|| Value::Text(text.to_string())),
            Kind::Tag => is_tag(text).then(|| Value::Text(text.to_string())),
            Kind::DataSet => (text.is_empty() || is_tag(text)).then(|| Value::Text(text.to_string())),
            Kind::Path => is_inner_path(text).then(|| Value::Text(text.to_string())),
        }
    }

    /// What is accepted, in words that follow "expected".
    pub fn expected(&self) -> String {
        match *self {
            Kind::Flag => "true or false".to_string(),
            Kind::Integer { min, max, unit } => format!("a whole number of {unit} from {min} to {max}"),
            Kind::Number { range, unit: "" } => format!("a number {range}"),
            Kind::Number { range, unit } => format!("a number {range} ({unit})"),
            Kind::Fraction(range) => format!("a fraction {range} (0.02 means 2 %)"),
            Kind::Percent { range, .. } => format!("a percentage {range} (2 means 2 %)"),
            Kind::Choice { choices, optional } => {
                let empty = if optional { ", or nothing" } else { "" };
                format!("one of {}{empty}", choices.join(", "))
            }
            Kind::Choices(choices) => format!("one or more of {}, each once, separated by commas", choices.join(", ")),
            Kind::Fractions => "fractions from 0 to 1, separated by commas (0.02 means 2 %)".to_string(),
            Kind::Time => "a time of day HH:MM".to_string(),
            Kind::Duration { min_ms, max_ms } => format!(
                "a duration from {} to {} such as 500ms, 1s, 2m or 1h",
                duration_text(Duration::from_millis(min_ms)),
                duration_text(Duration::from_millis(max_ms))
            ),
            Kind::Version => "a semantic version such as v1.0.0".to_string(),
            Kind::Tag => "letters, digits, '_', '-' or '.'".to_string(),
            Kind::DataSet => "the name of a data set (letters, digits, '_', '-' or '.'), or nothing".to_string(),
            Kind::Path => "a relative path without '..'".to_string(),
        }
    }

    /// One word for the type.
    pub fn name(&self) -> &'static str {
        match self {
            Kind::Flag => "bool",
            Kind::Integer { .. } => "int",
            Kind::Number { .. } => "number",
            Kind::Fraction(_) => "fraction",
            Kind::Percent { .. } => "percent",
            Kind::Choice { .. } => "choice",
            Kind::Choices(_) => "choices",
            Kind::Fractions => "fractions",
            Kind::Time => "time",
            Kind::Duration { .. } => "duration",
            Kind::Version => "version",
            Kind::Tag => "tag",
            Kind::DataSet => "dataset",
            Kind::Path => "path",
        }
    }

    /// The unit of the value; empty when it has none.
    pub fn unit(&self) -> &'static str {
        match self {
            Kind::Integer { unit, .. } | Kind::Number { unit, .. } => unit,
            Kind::Fraction(_) | Kind::Fractions => "1 = 100 %",
            Kind::Percent { .. } => "%",
            Kind::Time => "UTC",
            Kind::Duration { .. } => "ms, s, m or h",
            _ => "",
        }
    }

    /// The accepted numbers; for a duration in milliseconds.
    pub fn range(&self) -> Option<Range> {
        match *self {
            Kind::Integer { min, max, .. } => Some(Range::new(min as f64, max as f64)),
            Kind::Number { range, .. } | Kind::Fraction(range) | Kind::Percent { range, .. } => Some(range),
            Kind::Fractions => Some(Range::new(0.0, 1.0)),
            Kind::Duration { min_ms, max_ms } => Some(Range::new(min_ms as f64, max_ms as f64)),
            _ => None,
        }
    }

    /// The accepted words.
    pub fn choices(&self) -> Option<&'static [&'static str]> {
        match *self {
            Kind::Flag => Some(&["true", "false"]),
            Kind::Choice { choices, .. } | Kind::Choices(choices) => Some(choices),
            _ => None,
        }
    }

    /// The method of [`Settings`](super::Settings) that reads a setting of this type.
    pub fn accessor(&self) -> &'static str {
        match self {
            Kind::Flag => "flag",
            Kind::Integer { .. } => "int",
            Kind::Number { .. } => "number",
            Kind::Fraction(_) => "fraction",
            Kind::Percent { .. } => "percent",
            Kind::Choice { .. } | Kind::Version | Kind::Tag | Kind::DataSet | Kind::Path => "text",
            Kind::Choices(_) => "list",
            Kind::Fractions => "fractions",
            Kind::Time => "time",
            Kind::Duration { .. } => "duration",
        }
    }
}

fn number(text: &str, range: Range) -> Option<f64> {
    let x: f64 = text.parse().ok()?;
    // Minus zero would have a text of its own; infinities and NaN lie outside every range.
    range.contains(x).then_some(if x == 0.0 { 0.0 } else { x })
}

fn choice(text: &str, choices: &'static [&'static str]) -> Option<&'static str> {
    choices.iter().copied().find(|choice| choice.eq_ignore_ascii_case(text))
}

fn time(text: &str) -> Option<NaiveTime> {
    let digits = text.len() == 5 && text.bytes().enumerate().all(|(i, b)| (i == 2) == (b == b':') && b != b' ');
    if digits { NaiveTime::parse_from_str(text, "%H:%M").ok() } else { None }
}

fn milliseconds(text: &str) -> Option<u64> {
    let split = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(split);
    let (_, size) = DURATION_UNITS.into_iter().find(|(name, _)| *name == unit.trim_start())?;
    number.parse::<u64>().ok()?.checked_mul(size)
}

/// Semantic Versioning 2.0.0, with an optional leading `v`.
fn is_version(text: &str) -> bool {
    let text = text.strip_prefix('v').unwrap_or(text);
    let (text, build) = text.split_once('+').map_or((text, None), |(head, tail)| (head, Some(tail)));
    let (core, pre) = text.split_once('-').map_or((text, None), |(head, tail)| (head, Some(tail)));
    let is_identifier = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let is_digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    let is_number = |s: &str| is_digits(s) && (s == "0" || !s.starts_with('0'));
    core.split('.').count() == 3
        && core.split('.').all(is_number)
        && pre.is_none_or(|pre| pre.split('.').all(|s| is_identifier(s) && (!is_digits(s) || is_number(s))))
        && build.is_none_or(|build| build.split('.').all(is_identifier))
}

fn is_tag(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
}

/// Whether a path stays below the folder it is joined to. Quotes cannot be written in a file, and a backslash
/// or colon would mean another path on another system.
fn is_inner_path(text: &str) -> bool {
    let allowed = |c: char| !c.is_control() && !matches!(c, '"' | '\'' | '\\' | ':');
    !text.is_empty()
        && text.trim() == text
        && !text.starts_with(['/', '~'])
        && text.chars().all(allowed)
        && text.split('/').all(|part| part != "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The canonical text of an accepted value, or what is expected instead.
    fn read(kind: Kind, text: &str) -> String {
        kind.parse(text).map_or_else(|expected| format!("expected {expected}"), |value| value.to_string())
    }

    #[test]
    fn numbers_outside_their_range_are_refused() {
        let fraction = Kind::Fraction(Range::above(0.0, 1.0));
        assert_eq!(read(fraction, "1"), "1");
        assert_eq!(read(fraction, "0.10"), "0.1");
        for wrong in ["0", "-0", "1.01", "2%", "nan", "inf", "", "0,5"] {
            assert_eq!(read(fraction, wrong), "expected a fraction above 0 up to 1 (0.02 means 2 %)", "{wrong}");
        }
        let seconds = Kind::Integer { min: 1, max: 300, unit: "seconds" };
        assert_eq!(read(seconds, "300"), "300");
        for wrong in ["0", "301", "1.5", "1e2", "99999999999999999999"] {
            assert_eq!(read(seconds, wrong), "expected a whole number of seconds from 1 to 300", "{wrong}");
        }
        assert_eq!(read(Kind::Number { range: Range::new(0.0, 1e12), unit: "USD" }, "2e9"), "2000000000");
        assert_eq!(read(Kind::Number { range: Range::new(0.0, 1.0), unit: "" }, "-0.0"), "0");
    }

    #[test]
    fn words_take_the_spelling_of_the_table() {
        let short = Kind::Choice { choices: &["InverseETF", "disabled"], optional: false };
        assert_eq!(read(short, "inverseetf"), "InverseETF");
        assert_eq!(read(short, ""), "expected one of InverseETF, disabled");
        assert_eq!(read(Kind::Choice { choices: &["open"], optional: true }, ""), "");
        let order = Kind::Choices(&["open", "mid", "close"]);
        assert_eq!(read(order, "close , Open"), "close,open");
        for wrong in ["", "open,open", "open,", "noon"] {
            assert!(read(order, wrong).starts_with("expected"), "{wrong}");
        }
        assert_eq!(read(Kind::Flag, "TRUE"), "true");
        assert_eq!(read(Kind::Flag, "1"), "expected true or false");
    }

    #[test]
    fn times_have_two_digits_each() {
        assert_eq!(read(Kind::Time, "09:05"), "09:05");
        for wrong in ["9:05", "24:00", "12:60", "12.30", "12:3", "+1:30", " 1:30", "12:30:00"] {
            assert_eq!(read(Kind::Time, wrong), "expected a time of day HH:MM", "{wrong}");
        }
    }

    #[test]
    fn durations_have_a_unit() {
        let kind = Kind::Duration { min_ms: 10, max_ms: 3_600_000 };
        assert_eq!(read(kind, "1s"), "1s");
        assert_eq!(read(kind, "1500ms"), "1500ms");
        assert_eq!(read(kind, "120 s"), "2m");
        for wrong in ["1", "s", "1.5s", "2h", "9ms", "1S", "99999999999999999999h"] {
            let expected = "expected a duration from 10ms to 1h such as 500ms, 1s, 2m or 1h";
            assert_eq!(read(kind, wrong), expected, "{wrong}");
        }
    }

    #[test]
    fn versions_are_semantic() {
        for right in ["v1.0.0", "0.1.0", "v1.2.3-rc.1", "1.0.0+build.05", "1.0.0--x"] {
            assert!(is_version(right), "{right}");
        }
        for wrong in ["", "v", "1.0", "1.0.0.0", "01.0.0", "1.0.0-", "1.0.0-01", "vv1.0.0", "1.0.x"] {
            assert!(!is_version(wrong), "{wrong}");
        }
    }

    #[test]
    fn paths_stay_below_their_folder() {
        assert!(is_inner_path("backtest_results/strategy_tuning/"));
        assert!(is_inner_path("a b/#c..d"));
        for wrong in ["", "/etc", "~/x", "a/../b", "..", "c:\\x", "a\"b", "a\nb", " a"] {
            assert!(!is_inner_path(wrong), "{wrong:?}");
        }
    }
}
