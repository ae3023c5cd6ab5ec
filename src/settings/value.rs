//! Checked values and their canonical text.

use chrono::NaiveTime;
use std::fmt;
use std::time::Duration;

/// A share of one: 0.02 is 2 %.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Fraction(f64);

impl Fraction {
    /// A share of one.
    pub const fn new(share: f64) -> Fraction {
        Fraction(share)
    }

    /// The share: 0.02 for 2 %.
    pub const fn get(self) -> f64 {
        self.0
    }
}

/// A percentage: 2 is 2 %.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Percent(f64);

impl Percent {
    /// A percentage.
    pub const fn new(percent: f64) -> Percent {
        Percent(percent)
    }

    /// The number of hundredths: 2 for 2 %.
    pub const fn get(self) -> f64 {
        self.0
    }

    /// The same share of one: 0.02 for 2 %.
    pub fn fraction(self) -> Fraction {
        Fraction(self.0 / 100.0)
    }
}

/// The checked value of one setting. `Display` is its canonical text, which parses to the same value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// True or false.
    Flag(bool),
    /// A whole number in the unit of the setting.
    Integer(i64),
    /// A number in the unit of the setting.
    Number(f64),
    /// A share of one.
    Fraction(Fraction),
    /// A percentage.
    Percent(Percent),
    /// One of a fixed set of words, in the spelling of the table; empty when the setting allows none.
    Choice(&'static str),
    /// Words of a fixed set in the order given, each once.
    Choices(Vec<&'static str>),
    /// Shares of one in the order given.
    Fractions(Vec<f64>),
    /// A time of day in UTC.
    Time(NaiveTime),
    /// A duration, in whole milliseconds.
    Duration(Duration),
    /// A version, tag or path.
    Text(String),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Flag(flag) => write!(f, "{flag}"),
            Value::Integer(n) => write!(f, "{n}"),
            // The shortest text that reads back as the same number.
            Value::Number(x) | Value::Fraction(Fraction(x)) | Value::Percent(Percent(x)) => write!(f, "{x}"),
            Value::Choice(word) => f.write_str(word),
            Value::Choices(words) => f.write_str(&words.join(",")),
            Value::Fractions(shares) => {
                let words: Vec<String> = shares.iter().map(f64::to_string).collect();
                f.write_str(&words.join(","))
            }
            Value::Time(time) => write!(f, "{}", time.format("%H:%M")),
            Value::Duration(duration) => f.write_str(&duration_text(*duration)),
            Value::Text(text) => f.write_str(text),
        }
    }
}

/// As JSON has it: a flag, a number, a list, or the text of a file.
impl serde::Serialize for Value {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Flag(flag) => flag.serialize(serializer),
            Value::Integer(n) => n.serialize(serializer),
            Value::Number(x) | Value::Fraction(Fraction(x)) | Value::Percent(Percent(x)) => x.serialize(serializer),
            Value::Choices(words) => words.serialize(serializer),
            Value::Fractions(shares) => shares.serialize(serializer),
            Value::Choice(_) | Value::Time(_) | Value::Duration(_) | Value::Text(_) => serializer.collect_str(self),
        }
    }
}

/// Units of a duration in milliseconds, largest first.
pub(super) const DURATION_UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// A duration in the largest unit that gives a whole number.
pub(super) fn duration_text(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let (unit, size) = DURATION_UNITS.into_iter().find(|(_, size)| millis.is_multiple_of(*size)).unwrap_or(("ms", 1));
    format!("{}{unit}", millis / size)
}
