//! [`Settings`]: a checked value for every setting.

use super::parse::{self, Assignment};
use super::{Key, Percent, Place, SettingsError, Value, Warning, check};
use chrono::NaiveTime;
use serde::de::Error as _;
use serde::ser::SerializeMap;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A checked value for every setting; what a file does not set has its default.
///
/// Each setting is read by the method of its type; the wrong method panics, naming the right one: that is a
/// mistake in the program, not in its input, and a test looks for it in every source file.
///
/// ```
/// use tradebot::settings::{Key, Settings};
/// let (settings, warnings) = Settings::parse("TOTAL_ALLOCATION=0.05  # a twentieth", "my.env").unwrap();
/// assert_eq!(settings.fraction(Key::TotalAllocation), 0.05);
/// assert_eq!(settings.int(Key::MaxTrades), 4);
/// assert!(warnings.is_empty());
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// By row of the table.
    values: Vec<Value>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { values: Key::all().map(Key::default_value).collect() }
    }
}

impl Settings {
    /// Reads the text of a file. `source` names it in messages.
    ///
    /// # Errors
    /// All errors of the file at once, in the order of its lines.
    pub fn parse(text: &str, source: &str) -> Result<(Settings, Vec<Warning>), Vec<SettingsError>> {
        let (assignments, errors) = parse::file(text, source);
        Settings::default().with(assignments, errors, source)
    }

    /// Changes one setting, given as `KEY=VALUE`. On errors nothing changes.
    pub fn set(&mut self, assignment: &str) -> Result<Vec<Warning>, Vec<SettingsError>> {
        self.set_all([assignment], "setting")
    }

    /// Changes several settings together, each given as `KEY=VALUE`, so that settings that depend on each other
    /// can move together; a later one wins over an earlier one. `source` names the origin in messages (`--set`).
    /// On errors nothing changes.
    pub fn set_all<'a>(
        &mut self,
        assignments: impl IntoIterator<Item = &'a str>,
        source: &str,
    ) -> Result<Vec<Warning>, Vec<SettingsError>> {
        let mut known = Vec::new();
        let mut errors = Vec::new();
        for text in assignments {
            match parse::assignment(text, Place { source: source.to_string(), line: None }) {
                Ok(assignment) => known.push(assignment),
                Err(error) => errors.push(error),
            }
        }
        let (settings, warnings) = self.clone().with(known, errors, source)?;
        *self = settings;
        Ok(warnings)
    }

    /// Second stage: checks raw assignments and takes them over.
    fn with(
        mut self,
        assignments: Vec<Assignment>,
        mut errors: Vec<SettingsError>,
        source: &str,
    ) -> Result<(Settings, Vec<Warning>), Vec<SettingsError>> {
        let mut warnings = Vec::new();
        let mut given: BTreeMap<Key, Place> = BTreeMap::new();
        let mut refused: BTreeSet<Key> = BTreeSet::new();
        for Assignment { place, key, text } in assignments {
            let value = match key.spec().kind.parse(&text) {
                Ok(value) => value,
                Err(expected) => {
                    refused.insert(key);
                    errors.push(SettingsError::Value { place, key: key.name(), found: text, expected });
                    continue;
                }
            };
            let mut warn = |text| warnings.push(Warning { place: place.clone(), key: key.name(), text });
            if let Some(earlier) = given.get(&key)
                && self.values[key.index()] != value
            {
                warn(format!("{value} replaces {} given at {earlier}", self.values[key.index()]));
            }
            if let Some(doubt) = check::doubt(key, &value) {
                warn(doubt);
            }
            self.values[key.index()] = value;
            given.insert(key, place);
        }
        let elsewhere = Place { source: source.to_string(), line: None };
        errors.extend(check::conflicts(&self, &given, &refused, &elsewhere));
        errors.sort_by_key(|error| error.place().line.unwrap_or(usize::MAX));
        if !errors.is_empty() {
            return Err(errors);
        }
        for (key, text) in check::doubts(&self, &given) {
            let place = given.get(&key).unwrap_or(&elsewhere).clone();
            warnings.push(Warning { place, key: key.name(), text });
        }
        Ok((self, warnings))
    }

    /// The value of a setting, whatever its type.
    pub fn value(&self, key: Key) -> &Value {
        &self.values[key.index()]
    }

    /// A `bool` setting.
    #[track_caller]
    pub fn flag(&self, key: Key) -> bool {
        match self.value(key) {
            Value::Flag(flag) => *flag,
            _ => wrong_type(key, "flag"),
        }
    }

    /// An `int` setting, in its unit.
    #[track_caller]
    pub fn int(&self, key: Key) -> i64 {
        match self.value(key) {
            Value::Integer(n) => *n,
            _ => wrong_type(key, "int"),
        }
    }

    /// A `number` setting, in its unit.
    #[track_caller]
    pub fn number(&self, key: Key) -> f64 {
        match self.value(key) {
            Value::Number(x) => *x,
            _ => wrong_type(key, "number"),
        }
    }

    /// A `fraction` setting as a share of one: 0.02 for 2 %.
    #[track_caller]
    pub fn fraction(&self, key: Key) -> f64 {
        match self.value(key) {
            Value::Fraction(share) => share.get(),
            _ => wrong_type(key, "fraction"),
        }
    }

    /// A `percent` setting.
    #[track_caller]
    pub fn percent(&self, key: Key) -> Percent {
        match self.value(key) {
            Value::Percent(percent) => *percent,
            _ => wrong_type(key, "percent"),
        }
    }

    /// A `choice` in the spelling of the table (empty for none), a version, tag or path.
    #[track_caller]
    pub fn text(&self, key: Key) -> &str {
        match self.value(key) {
            Value::Choice(word) => word,
            Value::Text(text) => text,
            _ => wrong_type(key, "text"),
        }
    }

    /// A `choices` setting: words in the order given.
    #[track_caller]
    pub fn list(&self, key: Key) -> &[&'static str] {
        match self.value(key) {
            Value::Choices(words) => words,
            _ => wrong_type(key, "list"),
        }
    }

    /// A `fractions` setting: shares of one in the order given.
    #[track_caller]
    pub fn fractions(&self, key: Key) -> &[f64] {
        match self.value(key) {
            Value::Fractions(shares) => shares,
            _ => wrong_type(key, "fractions"),
        }
    }

    /// A `time` setting: time of day in UTC, see [`start_of_window`](crate::market::start_of_window).
    #[track_caller]
    pub fn time(&self, key: Key) -> NaiveTime {
        match self.value(key) {
            Value::Time(time) => *time,
            _ => wrong_type(key, "time"),
        }
    }

    /// A `duration` setting.
    #[track_caller]
    pub fn duration(&self, key: Key) -> Duration {
        match self.value(key) {
            Value::Duration(duration) => *duration,
            _ => wrong_type(key, "duration"),
        }
    }

    /// The canonical text: every setting in the order of the table, one `KEY=VALUE` a line. Equal settings have
    /// equal texts and the text parses to the same settings, so it can stand for them in a fingerprint.
    pub fn to_text(&self) -> String {
        Key::all().map(|key| format!("{}={}\n", key.name(), quoted(&self.value(key).to_string()))).collect()
    }

    /// Settings that differ from their default, in the order of the table.
    pub fn non_default(&self) -> Vec<(Key, &Value)> {
        Key::all().map(|key| (key, self.value(key))).filter(|(key, value)| **value != key.default_value()).collect()
    }
}

/// The text of a value in a file: in quotes when its blanks or `#` would be taken for something else.
fn quoted(text: &str) -> String {
    if text.contains([' ', '#']) { format!("\"{text}\"") } else { text.to_string() }
}

#[track_caller]
fn wrong_type(key: Key, asked: &str) -> ! {
    let kind = key.spec().kind;
    panic!("{} is of type {}: read it with {}(), not {asked}()", key.name(), kind.name(), kind.accessor())
}

/// A map from name to canonical text, in the order of the table.
impl serde::Serialize for Settings {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.values.len()))?;
        for key in Key::all() {
            map.serialize_entry(key.name(), &self.value(key).to_string())?;
        }
        map.end()
    }
}

/// From a map of strings; missing settings have their default, every check of a file applies.
impl<'de> serde::Deserialize<'de> for Settings {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Settings, D::Error> {
        let map = BTreeMap::<String, String>::deserialize(deserializer)?;
        let lines: Vec<String> = map.iter().map(|(name, text)| format!("{name}={}", quoted(text))).collect();
        let mut settings = Settings::default();
        match settings.set_all(lines.iter().map(String::as_str), "settings") {
            Ok(_) => Ok(settings),
            Err(errors) => {
                let messages: Vec<String> = errors.iter().map(SettingsError::to_string).collect();
                Err(D::Error::custom(messages.join("; ")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Kind;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    /// Errors of a file, one a line.
    fn errors(text: &str) -> String {
        let errors = Settings::parse(text, "my.env").expect_err("refused");
        errors.iter().map(|error| format!("{error}\n")).collect()
    }

    /// Warnings of a file, one a line.
    fn warnings(text: &str) -> String {
        let (_, warnings) = Settings::parse(text, "my.env").expect("accepted");
        warnings.iter().map(|warning| format!("{warning}\n")).collect()
    }

    #[test]
    fn the_defaults_pass_their_own_checks() {
        let (settings, warnings) = Settings::parse("", "empty").unwrap();
        assert_eq!(settings, Settings::default());
        assert_eq!(warnings, vec![]);
        assert_eq!(settings.non_default(), vec![]);
    }

    #[test]
    fn every_setting_answers_to_the_accessor_of_its_type_and_to_no_other() {
        let settings = Settings::default();
        for key in Key::all() {
            let asked: [(&str, &dyn Fn()); 10] = [
                ("flag", &|| _ = settings.flag(key)),
                ("int", &|| _ = settings.int(key)),
                ("number", &|| _ = settings.number(key)),
                ("fraction", &|| _ = settings.fraction(key)),
                ("percent", &|| _ = settings.percent(key)),
                ("text", &|| _ = settings.text(key)),
                ("list", &|| _ = settings.list(key)),
                ("fractions", &|| _ = settings.fractions(key)),
                ("time", &|| _ = settings.time(key)),
                ("duration", &|| _ = settings.duration(key)),
            ];
            for (accessor, ask) in asked {
                let answered = catch_unwind(AssertUnwindSafe(ask)).is_ok();
                assert_eq!(answered, accessor == key.spec().kind.accessor(), "{}.{accessor}()", key.name());
            }
        }
    }

    #[test]
    fn all_errors_of_a_file_are_reported_at_once() {
        insta::assert_snapshot!(errors(
            "TOTAL_ALLOCATION=2\n\
             MAX_TRADE=3\n\
             export API_TIMEOUT=5\n\
             MIN_PRICE=200\n\
             FRACTIONAL=\n\
             BROKER_NAME=\"ALPACA\n\
             ALPACA_ENABLED=true\n\
             just words\n\
             START_TIME_OPEN=9:30\n\
             WEIGHTS=0.5,0.5\n\
             SHORT_TYPE_MID=Short\n\
             SLEEP_TIME=1\n\
             QQ=1\n"
        ), @r#"
        my.env:1: TOTAL_ALLOCATION: found '2', expected a fraction above 0 up to 1 (0.02 means 2 %)
        my.env:2: unknown setting MAX_TRADE; the nearest known one is MAX_TRADES
        my.env:3: found 'export API_TIMEOUT=5', expected KEY=VALUE without export
        my.env:4: MIN_PRICE: found 200, expected less than MAX_PRICE = 100
        my.env:5: FRACTIONAL: found '', expected true or false
        my.env:6: found 'BROKER_NAME="ALPACA', expected a value that ends with the quote it begins with
        my.env:7: unknown setting ALPACA_ENABLED; the broker is chosen by BROKER_NAME
        my.env:8: found 'just words', expected KEY=VALUE or a comment that begins with #
        my.env:9: START_TIME_OPEN: found '9:30', expected a time of day HH:MM
        my.env:10: WEIGHTS: found 2 entries, expected at least MAX_TRADES = 4
        my.env:11: SHORT_TYPE_MID: found 'Short', expected one of InverseETF, ShortSell, LongPut, disabled
        my.env:12: SLEEP_TIME: found '1', expected a duration from 10ms to 1h such as 500ms, 1s, 2m or 1h
        my.env:13: unknown setting QQ
        "#);
    }

    #[test]
    fn weights_must_do_for_all_trades() {
        insta::assert_snapshot!(errors("WEIGHTS=0.5,0.5\n\nMAX_TRADES=3"), @"my.env:1: WEIGHTS: found 2 entries, expected at least MAX_TRADES = 3");
        insta::assert_snapshot!(errors("MAX_TRADES=5"), @"my.env:1: MAX_TRADES: found 5, expected at most the 4 entries of WEIGHTS");
        insta::assert_snapshot!(errors("WEIGHTS=0.4,0.4,0.2,0.1"), @"my.env:1: WEIGHTS: found a sum of 1.1 over the first 4 entries, expected at most 1");
        assert_eq!(warnings("MAX_TRADES=2\nWEIGHTS=0.5,0.5,0.5"), "", "entries beyond MAX_TRADES are unused");
        assert_eq!(warnings("MAX_TRADES=10\nWEIGHTS=.1,.1,.1,.1,.1,.1,.1,.1,.1,.1"), "", "rounding of the sum");
        assert_eq!(warnings("WEIGHTS=0.1,0.1,0.1,0.1"), "", "part of the allocation may stay unused");
    }

    #[test]
    fn lower_bounds_must_lie_below_upper_bounds() {
        insta::assert_snapshot!(errors("MAX_PRICE=5\nMAX_MARKET_CAP_MID=1e6\nMIN_MARKET_CAP_CLOSE=2e10"), @r"
        my.env:1: MAX_PRICE: found 5, expected more than MIN_PRICE = 5
        my.env:2: MAX_MARKET_CAP_MID: found 1000000, expected more than MIN_MARKET_CAP_MID = 2000000000
        my.env:3: MIN_MARKET_CAP_CLOSE: found 20000000000, expected less than MAX_MARKET_CAP_CLOSE = 10000000000
        ");
    }

    #[test]
    fn a_rule_is_not_tested_on_a_refused_value() {
        insta::assert_snapshot!(errors("MIN_PRICE=500\nMAX_PRICE=lots"), @"my.env:2: MAX_PRICE: found 'lots', expected a number from 0 to 10000000 (USD)");
    }

    #[test]
    fn duplicates_that_differ_are_warned_about_and_the_last_wins() {
        assert_eq!(warnings("NOTIFY_ON_FILL=true\nNOTIFY_ON_FILL=TRUE"), "");
        let text = "ENABLE_FUNNHUB_FUNDAMENTALS_FILTER=true\nENABLE_FINNHUB_FUNDAMENTALS_FILTER=false";
        insta::assert_snapshot!(warnings(text), @"my.env:2: ENABLE_FUNNHUB_FUNDAMENTALS_FILTER: false replaces true given at my.env:1");
        let (settings, _) = Settings::parse(text, "my.env").unwrap();
        assert!(!settings.flag(Key::EnableFundamentalsFilter));
    }

    #[test]
    fn probable_mistakes_are_warned_about() {
        insta::assert_snapshot!(warnings("DEFENSE_MODE_TRADE_LIMIT_PCT=0.66\nREBALANCE_TRIGGER_PCT=0.1"), @r"
        my.env:1: DEFENSE_MODE_TRADE_LIMIT_PCT: 0.66 is read as 0.66 %; if a fraction was meant, write 66
        my.env:2: REBALANCE_TRIGGER_PCT: 0.1 is read as 0.1 %; if a fraction was meant, write 10
        ");
        insta::assert_snapshot!(warnings("START_TIME_OPEN=09:30"), @"my.env:1: START_TIME_OPEN: 09:30 UTC is 04:30 in New York in winter, outside regular trading from 09:30 to 16:00");
        assert_eq!(warnings("SLIPPAGE_MEAN_PCT=0.15\nDEFENSE_MODE_TRADE_LIMIT_PCT=0"), "");
        assert_eq!(warnings("START_TIME_OPEN=13:30\nSTART_TIMES_DST_AWARE=false"), "");
        assert_eq!(warnings("START_TIME_OPEN=09:30\nSTRAT_OPEN_ENABLED=false"), "");
    }

    #[test]
    fn percentages_and_fractions_do_not_mix() {
        let (settings, _) = Settings::parse("SLIPPAGE_MEAN_PCT=0.15\nMAX_GAP_PCT_OPEN=0.15", "my.env").unwrap();
        assert_eq!(settings.percent(Key::SlippageMeanPct).get(), 0.15);
        assert_eq!(settings.percent(Key::SlippageMeanPct).fraction().get(), 0.0015);
        assert_eq!(settings.fraction(Key::MaxGapPctOpen), 0.15);
    }

    #[test]
    fn single_settings_can_be_set_and_a_refused_one_changes_nothing() {
        let mut settings = Settings::default();
        assert_eq!(settings.set("MAX_TRADES = 2").unwrap(), vec![]);
        assert_eq!(settings.int(Key::MaxTrades), 2);
        let before = settings.clone();
        let refused = settings.set("MIN_PRICE=200").unwrap_err();
        insta::assert_snapshot!(refused[0].to_string(), @"setting: MIN_PRICE: found 200, expected less than MAX_PRICE = 100");
        assert_eq!(settings, before);
        settings.set_all(["MIN_PRICE=200", "MAX_PRICE=300"], "--set").unwrap();
        let changed: Vec<String> =
            settings.non_default().into_iter().map(|(key, value)| format!("{}={value}", key.name())).collect();
        assert_eq!(changed, ["MAX_TRADES=2", "MIN_PRICE=200", "MAX_PRICE=300"]);
        insta::assert_snapshot!(settings.set_all(["MAX_TRADES"], "--set").unwrap_err()[0].to_string(), @"--set: found 'MAX_TRADES', expected KEY=VALUE");
    }

    #[test]
    fn settings_are_a_map_of_strings_in_json() {
        let mut settings = Settings::default();
        settings.set("OPTIMIZER_OUTPUT_DIR=\"my runs/#1\"").unwrap();
        let json = serde_json::to_string(&settings).unwrap();
        assert!(json.starts_with(r#"{"VERSION_TAG":"v1.0.0","BUILD_MODE":"release","#), "{json}");
        assert_eq!(serde_json::from_str::<Settings>(&json).unwrap(), settings);
        let sparse: Settings = serde_json::from_str(r#"{"MAX_TRADES":"2"}"#).unwrap();
        assert_eq!(sparse.int(Key::MaxTrades), 2);
        let refused = serde_json::from_str::<Settings>(r#"{"MAX_TRADES":"0","X_Y":"1"}"#).unwrap_err();
        insta::assert_snapshot!(refused.to_string(), @"settings: unknown setting X_Y; settings: MAX_TRADES: found '0', expected a whole number of trades from 1 to 100");
    }

    #[test]
    fn equal_settings_have_equal_texts() {
        let texts = ["WEIGHTS=0.40, 0.2,0.2,0.2", "SLEEP_TIME=1000ms", "BROKER_NAME=alpaca", "MIN_PRICE=5.0"];
        for text in texts {
            assert_eq!(Settings::parse(text, "f").unwrap().0.to_text(), Settings::default().to_text(), "{text}");
        }
    }

    mod property {
        use super::*;
        use proptest::prelude::*;

        /// Text of an accepted value of any type, by its seed.
        fn any_text(kind: Kind, seed: u64) -> String {
            let share = (seed % 1_000_003) as f64 / 1_000_003.0;
            match kind {
                Kind::Flag => seed.is_multiple_of(2).to_string(),
                Kind::Integer { min, max, .. } => (min + (share * (max - min) as f64) as i64).to_string(),
                Kind::Number { range, .. } | Kind::Fraction(range) | Kind::Percent { range, .. } => {
                    (range.max - share * (range.max - range.min)).to_string()
                }
                Kind::Choice { choices, .. } => choices[seed as usize % choices.len()].to_string(),
                Kind::Choices(choices) => choices[seed as usize % choices.len()..].join(" , "),
                Kind::Fractions => vec![(share / 100.0).to_string(); 100].join(","),
                Kind::Time => format!("{:02}:{:02}", seed % 24, seed / 24 % 60),
                Kind::Duration { min_ms, max_ms } => format!("{}ms", min_ms + seed % (max_ms - min_ms)),
                Kind::Version => format!("{}.{}.0-rc.{seed}", seed % 7, seed % 11),
                Kind::Tag | Kind::DataSet => format!("tag-{seed}"),
                Kind::Path => format!("\"some dir/#{seed}\""),
            }
        }

        proptest! {
            #[test]
            fn the_text_of_settings_parses_to_the_same_settings(
                seeds in proptest::collection::vec(any::<Option<u64>>(), Key::all().len())
            ) {
                let mut settings = Settings::default();
                let mut taken = 0;
                for (key, seed) in Key::all().zip(seeds) {
                    let Some(seed) = seed else { continue };
                    // Values that break a rule with those set before are left out.
                    let assignment = format!("{}={}", key.name(), any_text(key.spec().kind, seed));
                    taken += usize::from(settings.set(&assignment).is_ok());
                }
                prop_assert!(taken > 10);
                let (again, _) = Settings::parse(&settings.to_text(), "text").unwrap();
                prop_assert_eq!(again.to_text(), settings.to_text());
                prop_assert_eq!(again, settings);
            }

            #[test]
            fn no_text_makes_the_parser_panic(text in "[A-Z_=#\"' \n,.0-9a-z\u{e9}]{0,200}") {
                let _ = Settings::parse(&text, "text");
                let _ = Settings::parse(&format!("OPTIMIZER_OUTPUT_DIR={text}"), "text");
            }
        }
    }
}
