//! Indicators by description: text form, output names, columns.

use super::averages::{ema_column, sma_column};
use super::oscillators::{Macd, Rsi};
use super::session::{OpeningRange, Vwap};
use super::stream::Stream;
use super::volatility::{Atr, Bollinger, Donchian, StandardDeviation};
use std::fmt;
use std::str::FromStr;

/// Longest period that a text may ask for: ten years of minute bars.
pub const MAX_PERIOD: usize = 1_000_000;

/// An indicator with its parameters, periods in bars. Text form: the name and its parameters joined by
/// colons, as in the table; a period is a whole number from 1 (`stddev`, `bollinger`: 2) to [`MAX_PERIOD`].
///
/// | text | outputs | first value at bar (from 0) |
/// | --- | --- | --- |
/// | `sma:20` | `sma_20` | 19 |
/// | `ema:20` | `ema_20` | 19 |
/// | `rsi:14` | `rsi_14` | 14 |
/// | `atr:14` | `atr_14` | 14 |
/// | `stddev:20` | `stddev_20` (population), `stddev_20_sample` | 19 |
/// | `bollinger:20:2` | `bollinger_20_2_upper`, `_middle`, `_lower` | 19 |
/// | `donchian:20` | `donchian_20_upper`, `_middle`, `_lower` | 19 |
/// | `macd:12:26:9` | `macd_12_26_9_line`, `_signal`, `_histogram` | 33 |
/// | `macd_plain:12:26:9` | `macd_plain_12_26_9_line`, `_signal`, `_histogram` | 33 |
/// | `vwap` | `vwap` | the session's first with volume |
/// | `opening_range:20` | `opening_range_20_high`, `_low` | 19 of the session |
///
/// Formulas stand at the streaming types: [`Sma`](super::Sma), [`Ema`](super::Ema), [`Rsi`], [`Atr`],
/// [`StandardDeviation`], [`Bollinger`], [`Donchian`], [`Macd`], [`Vwap`], [`OpeningRange`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Indicator {
    Sma {
        period: usize,
    },
    Ema {
        period: usize,
    },
    Rsi {
        period: usize,
    },
    Atr {
        period: usize,
    },
    StandardDeviation {
        period: usize,
    },
    /// `width` in standard deviations.
    Bollinger {
        period: usize,
        width: f64,
    },
    Donchian {
        period: usize,
    },
    /// Both averages seeded at the slow one's first bar (TA-Lib).
    Macd {
        fast: usize,
        slow: usize,
        signal: usize,
    },
    /// Each average seeded on its own.
    MacdPlain {
        fast: usize,
        slow: usize,
        signal: usize,
    },
    Vwap,
    OpeningRange {
        bars: usize,
    },
}

/// Bar columns of one symbol, all of the same length.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    pub high: &'a [f64],
    pub low: &'a [f64],
    pub close: &'a [f64],
    pub volume: &'a [f64],
    /// Index of the first bar of each session, ascending. A session without bars repeats the index of the
    /// next one; an index past the end is ignored. Bar 0 always starts a session.
    pub session_starts: &'a [u32],
}

/// A text that is not an indicator.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum IndicatorError {
    #[error("'{text}': there is no indicator '{name}'; known: {}", NAMES.join(", "))]
    UnknownName { text: String, name: String },
    #[error("'{text}': expected the form {form}")]
    Form { text: String, form: &'static str },
    #[error("'{text}': '{found}' is not a period; expected a whole number of bars from {least} to {MAX_PERIOD}")]
    Period { text: String, found: String, least: usize },
    #[error("'{text}': '{found}' is not a width; expected a positive number of standard deviations")]
    Width { text: String, found: String },
    #[error("'{text}': the fast period must be below the slow period")]
    FastNotBelowSlow { text: String },
}

const NAMES: [&str; 11] =
    ["sma", "ema", "rsi", "atr", "stddev", "bollinger", "donchian", "macd", "macd_plain", "vwap", "opening_range"];

impl Indicator {
    /// Names of the outputs, in the order of the columns.
    pub fn output_names(&self) -> Vec<String> {
        let base = self.to_string().replace(':', "_");
        self.output_suffixes().iter().map(|suffix| format!("{base}{suffix}")).collect()
    }

    pub(super) fn output_suffixes(&self) -> &'static [&'static str] {
        match self {
            Indicator::Sma { .. }
            | Indicator::Ema { .. }
            | Indicator::Rsi { .. }
            | Indicator::Atr { .. }
            | Indicator::Vwap => &[""],
            Indicator::StandardDeviation { .. } => &["", "_sample"],
            Indicator::Bollinger { .. } | Indicator::Donchian { .. } => &["_upper", "_middle", "_lower"],
            Indicator::Macd { .. } | Indicator::MacdPlain { .. } => &["_line", "_signal", "_histogram"],
            Indicator::OpeningRange { .. } => &["_high", "_low"],
        }
    }

    /// The streaming form, before its first bar.
    ///
    /// # Panics
    /// If a period is 0 or a MACD's fast period is not below its slow one; text never leads there.
    pub fn stream(&self) -> Stream {
        Stream::new(self)
    }

    /// One column an output, as long as the input; NaN during warm-up. Equal to [`Stream`] to the last bit.
    ///
    /// # Panics
    /// As [`Indicator::stream`], and if the columns differ in length.
    pub fn columns(&self, input: &Input) -> Vec<Vec<f64>> {
        let n = input.close.len();
        assert!(
            input.high.len() == n && input.low.len() == n && input.volume.len() == n,
            "bar columns differ in length"
        );
        match *self {
            Indicator::Sma { period } => vec![sma_column(input.close, period)],
            Indicator::Ema { period } => vec![ema_column(input.close, period)],
            Indicator::Rsi { period } => {
                let mut rsi = Rsi::new(period);
                fill(n, |i| [rsi.update(input.close[i])])
            }
            Indicator::Atr { period } => {
                let mut atr = Atr::new(period);
                fill(n, |i| [atr.update(input.high[i], input.low[i], input.close[i])])
            }
            Indicator::StandardDeviation { period } => {
                let mut deviation = StandardDeviation::new(period);
                fill(n, |i| deviation.update(input.close[i]))
            }
            Indicator::Bollinger { period, width } => {
                let mut bands = Bollinger::new(period, width);
                fill(n, |i| bands.update(input.close[i]))
            }
            Indicator::Donchian { period } => {
                let mut channel = Donchian::new(period);
                fill(n, |i| channel.update(input.high[i], input.low[i]))
            }
            Indicator::Macd { fast, slow, signal } => {
                let mut macd = Macd::talib(fast, slow, signal);
                fill(n, |i| macd.update(input.close[i]))
            }
            Indicator::MacdPlain { fast, slow, signal } => {
                let mut macd = Macd::plain(fast, slow, signal);
                fill(n, |i| macd.update(input.close[i]))
            }
            Indicator::Vwap => {
                let mut vwap = Vwap::new();
                let mut sessions = SessionStarts::new(input.session_starts);
                fill(n, |i| {
                    let new_session = sessions.begins_at(i);
                    [vwap.update(input.high[i], input.low[i], input.close[i], input.volume[i], new_session)]
                })
            }
            Indicator::OpeningRange { bars } => {
                let mut range = OpeningRange::new(bars);
                let mut sessions = SessionStarts::new(input.session_starts);
                fill(n, |i| range.update(input.high[i], input.low[i], sessions.begins_at(i)))
            }
        }
    }
}

/// Columns of an indicator with `K` outputs.
#[inline]
fn fill<const K: usize>(n: usize, mut at: impl FnMut(usize) -> [f64; K]) -> Vec<Vec<f64>> {
    let mut columns: [Vec<f64>; K] = std::array::from_fn(|_| Vec::with_capacity(n));
    for i in 0..n {
        for (column, value) in columns.iter_mut().zip(at(i)) {
            column.push(value);
        }
    }
    columns.into()
}

/// Answers, for rising bar indices, whether a session begins there.
struct SessionStarts<'a> {
    rest: &'a [u32],
}

impl<'a> SessionStarts<'a> {
    fn new(starts: &'a [u32]) -> SessionStarts<'a> {
        SessionStarts { rest: starts }
    }

    #[inline]
    fn begins_at(&mut self, i: usize) -> bool {
        let mut begins = i == 0;
        while let Some((&start, rest)) = self.rest.split_first()
            && start as usize <= i
        {
            begins |= start as usize == i;
            self.rest = rest;
        }
        begins
    }
}

impl fmt::Display for Indicator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Indicator::Sma { period } => write!(f, "sma:{period}"),
            Indicator::Ema { period } => write!(f, "ema:{period}"),
            Indicator::Rsi { period } => write!(f, "rsi:{period}"),
            Indicator::Atr { period } => write!(f, "atr:{period}"),
            Indicator::StandardDeviation { period } => write!(f, "stddev:{period}"),
            Indicator::Bollinger { period, width } => write!(f, "bollinger:{period}:{width}"),
            Indicator::Donchian { period } => write!(f, "donchian:{period}"),
            Indicator::Macd { fast, slow, signal } => write!(f, "macd:{fast}:{slow}:{signal}"),
            Indicator::MacdPlain { fast, slow, signal } => write!(f, "macd_plain:{fast}:{slow}:{signal}"),
            Indicator::Vwap => write!(f, "vwap"),
            Indicator::OpeningRange { bars } => write!(f, "opening_range:{bars}"),
        }
    }
}

impl FromStr for Indicator {
    type Err = IndicatorError;

    fn from_str(text: &str) -> Result<Indicator, IndicatorError> {
        let (name, rest) = text.split_once(':').map_or((text, None), |(name, rest)| (name, Some(rest)));
        let parameters: Vec<&str> = rest.map(|rest| rest.split(':').collect()).unwrap_or_default();
        let form = |form: &'static str| IndicatorError::Form { text: text.to_string(), form };
        let period = |found: &str, least: usize| match found.parse::<usize>() {
            Ok(period) if (least..=MAX_PERIOD).contains(&period) => Ok(period),
            _ => Err(IndicatorError::Period { text: text.to_string(), found: found.to_string(), least }),
        };
        let one = |shape: &'static str, least: usize| match parameters[..] {
            [p] => period(p, least),
            _ => Err(form(shape)),
        };
        let macd = |shape: &'static str| {
            let [fast, slow, signal] = parameters[..] else { return Err(form(shape)) };
            let (fast, slow, signal) = (period(fast, 1)?, period(slow, 1)?, period(signal, 1)?);
            if fast >= slow {
                return Err(IndicatorError::FastNotBelowSlow { text: text.to_string() });
            }
            Ok((fast, slow, signal))
        };
        Ok(match name {
            "sma" => Indicator::Sma { period: one("sma:PERIOD, such as sma:20", 1)? },
            "ema" => Indicator::Ema { period: one("ema:PERIOD, such as ema:20", 1)? },
            "rsi" => Indicator::Rsi { period: one("rsi:PERIOD, such as rsi:14", 1)? },
            "atr" => Indicator::Atr { period: one("atr:PERIOD, such as atr:14", 1)? },
            "stddev" => Indicator::StandardDeviation { period: one("stddev:PERIOD, such as stddev:20", 2)? },
            "donchian" => Indicator::Donchian { period: one("donchian:PERIOD, such as donchian:20", 1)? },
            "opening_range" => {
                Indicator::OpeningRange { bars: one("opening_range:BARS, such as opening_range:20", 1)? }
            }
            "bollinger" => {
                let [p, w] = parameters[..] else { return Err(form("bollinger:PERIOD:WIDTH, such as bollinger:20:2")) };
                let width = w.parse::<f64>().ok().filter(|w| w.is_finite() && *w > 0.0);
                let width =
                    width.ok_or_else(|| IndicatorError::Width { text: text.to_string(), found: w.to_string() })?;
                Indicator::Bollinger { period: period(p, 2)?, width }
            }
            "macd" => {
                let (fast, slow, signal) = macd("macd:FAST:SLOW:SIGNAL, such as macd:12:26:9")?;
                Indicator::Macd { fast, slow, signal }
            }
            "macd_plain" => {
                let (fast, slow, signal) = macd("macd_plain:FAST:SLOW:SIGNAL, such as macd_plain:12:26:9")?;
                Indicator::MacdPlain { fast, slow, signal }
            }
            "vwap" if parameters.is_empty() => Indicator::Vwap,
            "vwap" => return Err(form("vwap, without parameters")),
            _ => return Err(IndicatorError::UnknownName { text: text.to_string(), name: name.to_string() }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::Bar;
    use proptest::prelude::*;

    fn parse(text: &str) -> Indicator {
        text.parse().unwrap_or_else(|e| panic!("{e}"))
    }

    #[test]
    fn text_forms_round_trip_and_name_their_outputs() {
        for text in ["sma:20", "ema:3", "rsi:14", "atr:14", "donchian:20", "macd:12:26:9", "vwap", "opening_range:20"] {
            assert_eq!(parse(text).to_string(), text);
        }
        assert_eq!(parse("sma:20").output_names(), ["sma_20"]);
        assert_eq!(parse("vwap").output_names(), ["vwap"]);
        assert_eq!(parse("stddev:20").output_names(), ["stddev_20", "stddev_20_sample"]);
        let names = ["bollinger_20_2_upper", "bollinger_20_2_middle", "bollinger_20_2_lower"];
        assert_eq!(parse("bollinger:20:2").output_names(), names);
        assert_eq!(parse("bollinger:20:2.0").output_names(), names);
        assert_eq!(parse("bollinger:20:2.5").output_names()[0], "bollinger_20_2.5_upper");
        assert_eq!(parse("opening_range:5").output_names(), ["opening_range_5_high", "opening_range_5_low"]);
        assert_eq!(parse("macd_plain:3:6:2").output_names()[1], "macd_plain_3_6_2_signal");
    }

    #[test]
    fn errors_say_what_is_right() {
        let error = |text: &str| text.parse::<Indicator>().map(|i| i.to_string()).unwrap_err().to_string();
        assert!(error("smma:20").contains("no indicator 'smma'; known: sma, ema"));
        assert_eq!(error("sma"), "'sma': expected the form sma:PERIOD, such as sma:20");
        assert_eq!(error("sma:20:3"), "'sma:20:3': expected the form sma:PERIOD, such as sma:20");
        assert!(error("sma:0").ends_with("'0' is not a period; expected a whole number of bars from 1 to 1000000"));
        assert!(error("sma:-3").contains("'-3' is not a period"));
        assert!(error("rsi:99999999999999999999").contains("is not a period"));
        assert!(error("stddev:1").contains("from 2 to"));
        assert!(error("bollinger:20").contains("bollinger:PERIOD:WIDTH"));
        assert!(error("bollinger:20:nan").contains("'nan' is not a width"));
        assert!(error("bollinger:20:-1").contains("'-1' is not a width"));
        assert!(error("macd:26:12:9").contains("fast period must be below"));
        assert!(error("vwap:3").contains("without parameters"));
        assert!(error("").contains("no indicator ''"));
    }

    #[test]
    fn first_values_stand_where_the_definition_says() {
        let close: Vec<f64> = (0..60).map(|i| 100.0 + f64::from(i * i % 17)).collect();
        let high: Vec<f64> = close.iter().map(|c| c + 1.0).collect();
        let low: Vec<f64> = close.iter().map(|c| c - 1.0).collect();
        let volume = vec![10.0; 60];
        let input = Input { high: &high, low: &low, close: &close, volume: &volume, session_starts: &[0, 30] };
        for (text, first) in [
            ("sma:7", 6),
            ("ema:7", 6),
            ("rsi:7", 7),
            ("atr:7", 7),
            ("stddev:7", 6),
            ("bollinger:7:2", 6),
            ("donchian:7", 6),
            ("macd:3:8:4", 10),
            ("macd_plain:3:8:4", 10),
            ("vwap", 0),
            ("opening_range:7", 6),
        ] {
            for column in parse(text).columns(&input) {
                assert_eq!(column.len(), 60);
                assert_eq!(column.iter().position(|v| !v.is_nan()), Some(first), "{text}");
            }
        }
        let range = &parse("opening_range:7").columns(&input)[0];
        assert!(range[30..36].iter().all(|v| v.is_nan()) && range[36..].iter().all(|v| !v.is_nan()));
    }

    const ALL: [&str; 14] = [
        "sma:1",
        "sma:5",
        "ema:1",
        "ema:5",
        "rsi:4",
        "atr:4",
        "stddev:5",
        "bollinger:5:2",
        "donchian:1",
        "donchian:5",
        "macd:3:6:4",
        "macd_plain:3:6:4",
        "vwap",
        "opening_range:3",
    ];

    fn bars() -> impl Strategy<Value = Vec<(Bar, bool)>> {
        let price = prop_oneof![1.0..2.0f64, 100.0..101.0f64, 1e6..1.1e6f64];
        let volume = prop_oneof![Just(0.0), 1.0..1e6f64];
        let bar = (price, 0.0..0.5f64, 0.0..0.5f64, volume, prop::bool::weighted(0.15)).prop_map(
            |(close, up, down, volume, new)| {
                (Bar { open: close, high: close + up, low: close - down, close, volume }, new)
            },
        );
        prop::collection::vec(bar, 0..60)
    }

    proptest! {
        #[test]
        fn streams_and_columns_agree_to_the_last_bit(bars in bars()) {
            let column = |f: fn(&Bar) -> f64| bars.iter().map(|(b, _)| f(b)).collect::<Vec<f64>>();
            let (high, low) = (column(|b| b.high), column(|b| b.low));
            let (close, volume) = (column(|b| b.close), column(|b| b.volume));
            let starts: Vec<u32> = (0..bars.len() as u32).filter(|&i| bars[i as usize].1).collect();
            let input = Input { high: &high, low: &low, close: &close, volume: &volume, session_starts: &starts };
            for text in ALL {
                let indicator = parse(text);
                let columns = indicator.columns(&input);
                prop_assert_eq!(columns.len(), indicator.output_names().len());
                let mut stream = indicator.stream();
                for (i, (bar, new_session)) in bars.iter().enumerate() {
                    let values = stream.update(bar, *new_session);
                    prop_assert_eq!(values.len(), columns.len());
                    for (value, column) in values.iter().zip(&columns) {
                        prop_assert_eq!(value.to_bits(), column[i].to_bits(), "{} at bar {}", text, i);
                    }
                }
            }
        }

        #[test]
        fn no_value_depends_on_a_later_bar(bars in bars(), cut in 0usize..60) {
            let cut = cut.min(bars.len());
            let column = |f: fn(&Bar) -> f64| bars.iter().map(|(b, _)| f(b)).collect::<Vec<f64>>();
            let (high, low) = (column(|b| b.high), column(|b| b.low));
            let (close, volume) = (column(|b| b.close), column(|b| b.volume));
            let starts: Vec<u32> = (0..bars.len() as u32).filter(|&i| bars[i as usize].1).collect();
            let whole = Input { high: &high, low: &low, close: &close, volume: &volume, session_starts: &starts };
            let past = Input {
                high: &high[..cut], low: &low[..cut], close: &close[..cut], volume: &volume[..cut],
                session_starts: &starts,
            };
            for text in ALL {
                for (known, all) in parse(text).columns(&past).iter().zip(parse(text).columns(&whole)) {
                    let bits = |values: &[f64]| values.iter().map(|v| v.to_bits()).collect::<Vec<u64>>();
                    prop_assert_eq!(bits(known), bits(&all[..cut]), "{}", text);
                }
            }
        }
    }
}
