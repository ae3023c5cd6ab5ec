//! Rules between settings.

use super::{Key, Kind, Place, Settings, SettingsError, Value};
use chrono::{NaiveTime, Timelike};
use std::collections::{BTreeMap, BTreeSet};

/// Room for rounding when weights such as 0.1 are added up.
const WEIGHT_TOLERANCE: f64 = 1e-9;

/// Rules that a complete set of values must keep. `given` says where a setting was given; an error is placed at
/// the one of its settings that was, or else at `elsewhere`. A rule that touches a `refused` setting is not
/// tested.
pub(super) fn conflicts(
    settings: &Settings,
    given: &BTreeMap<Key, Place>,
    refused: &BTreeSet<Key>,
    elsewhere: &Place,
) -> Vec<SettingsError> {
    let mut errors = Vec::new();
    let testable = |keys: [Key; 2]| keys.iter().all(|key| !refused.contains(key));
    let conflict = |key: Key, found, expected| {
        let place = given.get(&key).unwrap_or(elsewhere).clone();
        SettingsError::Conflict { place, key: key.name(), found, expected }
    };
    if testable([Key::MaxTrades, Key::Weights]) {
        let trades = settings.int(Key::MaxTrades);
        let weights = settings.fractions(Key::Weights);
        let entries = weights.len();
        if (entries as i64) < trades {
            errors.push(if given.contains_key(&Key::Weights) {
                conflict(Key::Weights, format!("{entries} entries"), format!("at least MAX_TRADES = {trades}"))
            } else {
                conflict(Key::MaxTrades, trades.to_string(), format!("at most the {entries} entries of WEIGHTS"))
            });
        }
        // Entries beyond MAX_TRADES are never used.
        let used = usize::try_from(trades).unwrap_or(0).min(entries);
        let sum: f64 = weights[..used].iter().sum();
        if sum > 1.0 + WEIGHT_TOLERANCE {
            let found = format!("a sum of {sum} over the first {used} entries");
            errors.push(conflict(Key::Weights, found, "at most 1".to_string()));
        }
    }
    for (low, high) in [
        (Key::MinPrice, Key::MaxPrice),
        (Key::MinMarketCapOpen, Key::MaxMarketCapOpen),
        (Key::MinMarketCapMid, Key::MaxMarketCapMid),
        (Key::MinMarketCapClose, Key::MaxMarketCapClose),
    ] {
        let (min, max) = (settings.number(low), settings.number(high));
        if testable([low, high]) && min >= max {
            errors.push(if given.contains_key(&low) {
                conflict(low, min.to_string(), format!("less than {} = {max}", high.name()))
            } else {
                conflict(high, max.to_string(), format!("more than {} = {min}", low.name()))
            });
        }
    }
    errors
}

/// What is doubtful about a single value.
pub(super) fn doubt(key: Key, value: &Value) -> Option<String> {
    match (key.spec().kind, value) {
        (Kind::Percent { suspect_below_one: true, .. }, Value::Percent(percent)) => {
            let p = percent.get();
            let percent = libm::round(p * 1e4) / 1e2;
            (p > 0.0 && p <= 1.0).then(|| format!("{p} is read as {p} %; if a fraction was meant, write {percent}"))
        }
        _ => None,
    }
}

/// What is doubtful about values together, where one of them is `given` now.
pub(super) fn doubts(settings: &Settings, given: &BTreeMap<Key, Place>) -> Vec<(Key, String)> {
    let mut doubts = Vec::new();
    let dst_aware = settings.flag(Key::StartTimesDstAware);
    for (enabled, key) in [
        (Key::StratOpenEnabled, Key::StartTimeOpen),
        (Key::StratMidEnabled, Key::StartTimeMid),
        (Key::StratCloseEnabled, Key::StartTimeClose),
    ] {
        // UTC minutes of 9:30 and 16:00 in New York; taken to the letter, summer's open is an hour earlier.
        let first = if dst_aware { 14 * 60 + 30 } else { 13 * 60 + 30 };
        let start = minute_of_day(settings.time(key));
        let is_new = [enabled, key, Key::StartTimesDstAware].iter().any(|key| given.contains_key(key));
        if is_new && settings.flag(enabled) && !(first..21 * 60).contains(&start) {
            let new_york = (start + 24 * 60 - 5 * 60) % (24 * 60);
            doubts.push((
                key,
                format!(
                    "{} UTC is {:02}:{:02} in New York in winter, outside regular trading from 09:30 to 16:00",
                    settings.time(key).format("%H:%M"),
                    new_york / 60,
                    new_york % 60
                ),
            ));
        }
    }
    doubts
}

fn minute_of_day(time: NaiveTime) -> u32 {
    time.num_seconds_from_midnight() / 60
}
