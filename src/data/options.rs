//! What to load, in a form that is written to `run.json` and read back to repeat a run.

use super::DataError;
use crate::market::{DAY, MILLI, MINUTE, Nanos, SECOND};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Where bars come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A file, a folder of files, or a Lean data folder; canonical and absolute.
    Path(PathBuf),
    /// A data set that is part of the program.
    Named(String),
}

impl Source {
    /// Reads `--data`: a path that exists, else the name of an embedded set.
    ///
    /// # Errors
    /// Neither of the two; the message names the sets there are.
    pub fn find(text: &str) -> Result<Source, DataError> {
        if let Ok(path) = Path::new(text).canonicalize() {
            return Ok(Source::Path(path));
        }
        super::named(text).map(|set| Source::Named(set.name.to_string())).ok_or_else(|| {
            let known: Vec<&str> = super::NAMED_SETS.iter().map(|set| set.name).collect();
            let hint = match super::error::nearest(text, known.iter().copied()) {
                Some(name) => format!("; did you mean {name}?"),
                None => String::new(),
            };
            DataError::UnknownSource { name: text.to_string(), known: known.join(", "), hint }
        })
    }

    /// The name of the data in reports: the set, or the file or folder without its path and suffix.
    pub fn title(&self) -> String {
        match self {
            Source::Named(name) => name.clone(),
            Source::Path(path) => match path.file_stem() {
                Some(stem) => stem.to_string_lossy().into_owned(),
                None => path.display().to_string(),
            },
        }
    }
}

/// Which end of its span a bar's time names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Label {
    #[default]
    Start,
    End,
}

/// What is done to prices over splits and dividends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Adjust {
    /// Prices as traded; splits and dividends happen in the account.
    #[default]
    Raw,
    /// Prices and volumes in shares of the last day; dividends are still paid, in those shares.
    Split,
    /// Prices that include reinvested dividends; nothing happens in the account.
    Total,
}

/// What to load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoadOptions {
    pub source: Source,
    /// Only these symbols; `None`: all.
    #[serde(default)]
    pub symbols: Option<Vec<String>>,
    /// First session date.
    #[serde(default, with = "date_text")]
    pub from: Option<NaiveDate>,
    /// Last session date.
    #[serde(default, with = "date_text")]
    pub to: Option<NaiveDate>,
    /// Only the first so many bars of each symbol, counted after every other selection.
    #[serde(default)]
    pub bars: Option<usize>,
    /// Clock of times without an offset. Where times labelled UTC are in truth this zone's wall clock (which
    /// shows as bars outside the sessions by a constant 4 or 5 hours), they are read as such.
    #[serde(default, with = "zone_text")]
    pub tz: Option<chrono_tz::Tz>,
    #[serde(default)]
    pub label: Label,
    /// Bar length in nanoseconds; `None`: the most frequent step between bars.
    #[serde(default)]
    pub bar: Option<Nanos>,
    #[serde(default)]
    pub adjust: Adjust,
    /// Keep bars outside the regular session.
    #[serde(default)]
    pub extended_hours: bool,
    #[serde(default)]
    pub corporate_actions: Option<PathBuf>,
    #[serde(default)]
    pub fundamentals: Option<PathBuf>,
    #[serde(default)]
    pub vix: Option<PathBuf>,
    #[serde(default)]
    pub inverse: Option<PathBuf>,
    #[serde(default)]
    pub options: Option<PathBuf>,
    /// Quote bars of their own, joined to the trade bars by symbol and time.
    #[serde(default)]
    pub quotes: Option<PathBuf>,
}

impl LoadOptions {
    /// Everything of `source`, as it is.
    pub fn new(source: Source) -> LoadOptions {
        LoadOptions {
            source,
            symbols: None,
            from: None,
            to: None,
            bars: None,
            tz: None,
            label: Label::Start,
            bar: None,
            adjust: Adjust::Raw,
            extended_hours: false,
            corporate_actions: None,
            fundamentals: None,
            vix: None,
            inverse: None,
            options: None,
            quotes: None,
        }
    }
}

/// Reads a bar length: a number and `ms`, `s`, `m`, `h` or `d`, such as `1m`.
///
/// # Errors
/// Anything else, or a length that is not positive.
pub fn parse_bar_length(text: &str) -> Result<Nanos, DataError> {
    let error = || DataError::Selection(format!("'{text}' is not a bar length; expected such as 30s, 1m, 1h or 1d"));
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(error)?;
    let unit = match &text[digits..] {
        "ms" => MILLI,
        "s" => SECOND,
        "m" | "min" => MINUTE,
        "h" => 60 * MINUTE,
        "d" => DAY,
        _ => return Err(error()),
    };
    let count: Nanos = text[..digits].parse().map_err(|_| error())?;
    match count.checked_mul(unit) {
        Some(length) if length > 0 => Ok(length),
        _ => Err(error()),
    }
}

/// A bar length as [`parse_bar_length`] reads it.
pub fn format_bar_length(length: Nanos) -> String {
    let units = [(DAY, "d"), (60 * MINUTE, "h"), (MINUTE, "m"), (SECOND, "s"), (MILLI, "ms")];
    match units.iter().find(|(unit, _)| length >= *unit && length % unit == 0) {
        Some((unit, name)) => format!("{}{name}", length / unit),
        None => format!("{length}ns"),
    }
}

mod date_text {
    use crate::market::{format_date, parse_date};
    use chrono::NaiveDate;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(date: &Option<NaiveDate>, serializer: S) -> Result<S::Ok, S::Error> {
        match date {
            Some(date) => serializer.serialize_some(&format_date(*date)),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<NaiveDate>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| parse_date(&text).map_err(D::Error::custom)).transpose()
    }
}

mod zone_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(zone: &Option<chrono_tz::Tz>, serializer: S) -> Result<S::Ok, S::Error> {
        match zone {
            Some(zone) => serializer.serialize_some(zone.name()),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<chrono_tz::Tz>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| text.parse().map_err(|_| D::Error::custom(format!("'{text}' is not a time zone")))).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_survive_the_way_through_json() {
        let mut options = LoadOptions::new(Source::Named("wiki_daily".into()));
        options.symbols = Some(vec!["AAPL".into()]);
        options.from = NaiveDate::from_ymd_opt(2004, 1, 2);
        options.tz = Some(chrono_tz::America::New_York);
        options.label = Label::End;
        options.bar = Some(MINUTE);
        options.adjust = Adjust::Total;
        options.vix = Some("/data/vix.csv".into());
        let text = serde_json::to_string(&options).expect("serialises");
        assert_eq!(serde_json::from_str::<LoadOptions>(&text).expect("reads back"), options);
    }

    #[test]
    fn bar_lengths_are_read_and_written() {
        for text in ["250ms", "1s", "1m", "5m", "1h", "1d"] {
            assert_eq!(format_bar_length(parse_bar_length(text).expect(text)), text);
        }
        for text in ["", "m", "0m", "1", "1y", "-5m", "99999999999999999999d"] {
            assert!(parse_bar_length(text).is_err(), "{text}");
        }
    }
}
