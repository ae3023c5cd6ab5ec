//! How far the share that is invested is from its target, looked at now and then while a session runs.
//!
//! Every REBALANCE_CHECK_INTERVAL of the session's clock, beginning with its first instant, the share of equity that is
//! in positions, `a`, is compared with what the strategies together may invest, `t`:
//!
//! ```text
//! deviation = (a / t - 1) * 100 %
//! ```
//!
//! - beyond REBALANCE_THRESHOLD (a fraction of the target, so 0.1 is 10 %) on either side the status says `due`;
//! - at REBALANCE_TRIGGER_PCT or beyond people are told on ROUTINE_ALERT_CHANNEL: once, until a check finds the
//!   deviation below it, or on the other side.
//!
//! An account that holds nothing is `nothing_invested`, and deviates from nothing: strategies that trade within the day
//! hold nothing most of the time. The comparison trades nothing by itself.

use serde_json::{Value, json};

use super::House;
use crate::market::{Nanos, SECOND, format_time, parse_time};
use crate::notify::{Kind, Level, Notice};
use crate::session::StatusSnapshot;
use crate::settings::{Key, Settings};

/// Percentages are compared up to the rounding of the division that made them.
const ROUNDING: f64 = 1e-9;

/// What the settings say.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Rule {
    /// REBALANCE_ENABLED.
    enabled: bool,
    /// REBALANCE_THRESHOLD in percent of the target.
    threshold_pct: f64,
    /// REBALANCE_CHECK_INTERVAL.
    interval: Nanos,
    /// REBALANCE_TRIGGER_PCT, if ENABLE_REBALANCE_NOTIFIER.
    notice_pct: Option<f64>,
}

impl Rule {
    fn of(settings: &Settings) -> Rule {
        Rule {
            enabled: settings.flag(Key::RebalanceEnabled),
            threshold_pct: settings.fraction(Key::RebalanceThreshold) * 100.0,
            interval: settings.int(Key::RebalanceCheckInterval) * SECOND,
            notice_pct: settings
                .flag(Key::EnableRebalanceNotifier)
                .then(|| settings.percent(Key::RebalanceTriggerPct).get()),
        }
    }
}

/// What is compared.
#[derive(Debug, Clone, Copy)]
struct Float<'a> {
    session: &'a str,
    /// What the session's clock says.
    time: Nanos,
    /// Shares of equity.
    actual: f64,
    target: f64,
    /// Dollars.
    equity: f64,
    cash: f64,
}

impl<'a> Float<'a> {
    /// Of a session that has begun.
    fn of(status: &'a StatusSnapshot) -> Option<Float<'a>> {
        let time = parse_time(status.time.as_deref()?).ok()?;
        let StatusSnapshot { session, invested: actual, invested_target: target, equity, cash, .. } = status;
        Some(Float { session, time, actual: *actual, target: *target, equity: *equity, cash: *cash })
    }
}

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Found {
    NothingInvested,
    /// There is no target, or no equity to have a share of.
    Undefined,
    /// By so many percent.
    Balanced(f64),
    Due(f64),
}

impl Found {
    fn of(rule: &Rule, float: &Float<'_>) -> Found {
        if float.actual == 0.0 {
            return Found::NothingInvested;
        }
        if float.target <= 0.0 || float.equity <= 0.0 || !float.actual.is_finite() {
            return Found::Undefined;
        }
        let deviation = (float.actual / float.target - 1.0) * 100.0;
        if deviation.abs() > rule.threshold_pct + ROUNDING { Found::Due(deviation) } else { Found::Balanced(deviation) }
    }

    const fn word(self) -> &'static str {
        match self {
            Found::NothingInvested => "nothing_invested",
            Found::Undefined => "undefined",
            Found::Balanced(_) => "balanced",
            Found::Due(_) => "due",
        }
    }

    const fn deviation(self) -> Option<f64> {
        match self {
            Found::Balanced(deviation) | Found::Due(deviation) => Some(deviation),
            Found::NothingInvested | Found::Undefined => None,
        }
    }
}

/// The checks of the session that runs, or of the last one.
#[derive(Debug, Default)]
pub struct Rebalance {
    session: String,
    runs: bool,
    checked: Option<(Nanos, Found)>,
    /// Whether people were told of a deviation that is still there; on which side it is.
    told: Option<bool>,
    noticed: Option<Nanos>,
}

impl Rebalance {
    /// Checks if it is time to. What people are to be told of it, if anything.
    fn look(&mut self, rule: &Rule, float: &Float<'_>) -> Option<Notice> {
        if self.session != float.session {
            *self = Rebalance { session: float.session.to_string(), ..Rebalance::default() };
        }
        self.runs = true;
        let is_early = self.checked.is_some_and(|(last, _)| float.time - last < rule.interval);
        if !rule.enabled || is_early {
            return None;
        }
        let found = Found::of(rule, float);
        self.checked = Some((float.time, found));
        let far = found.deviation().zip(rule.notice_pct).filter(|(by, trigger)| by.abs() >= trigger - ROUNDING);
        let side = far.map(|(by, _)| by > 0.0);
        let is_news = side.is_some() && side != self.told;
        self.told = side;
        let (by, _) = far.filter(|_| is_news)?;
        self.noticed = Some(float.time);
        let (actual, target) = (float.actual * 100.0, float.target * 100.0);
        let text = format!(
            "{actual:.1} % of the equity are invested, the target is {target:.1} %: {by:+.1} % of it. Equity {:.2} USD, \
             cash {:.2} USD. Session {}, at {}.",
            float.equity,
            float.cash,
            float.session,
            format_time(float.time)
        );
        let notice = Notice::new(Level::Routine, Kind::Rebalance, "The float is off its target", &text);
        // Each crossing is another one.
        Some(notice.keyed(&format!("{}:{}", float.session, float.time)))
    }

    /// For the status; `enabled`: whether checks are made.
    fn json(&self, enabled: bool) -> Value {
        let state = match &self.checked {
            _ if !enabled => "disabled",
            _ if !self.runs => "no_session",
            None => "not_checked",
            Some((_, found)) => found.word(),
        };
        let time = |time: Option<Nanos>| time.map(format_time);
        json!({
            "state": state,
            "deviation_pct": self.checked.and_then(|(_, found)| found.deviation()).filter(|_| enabled && self.runs),
            "checked_utc": time(self.checked.map(|(time, _)| time)),
            "noticed_utc": time(self.noticed),
        })
    }
}

impl House {
    /// Looks at the float if a session runs, and tells people if they should know.
    pub(super) fn check_float(&mut self, now: Nanos) {
        let Some((status, true)) = self.trading.status() else {
            self.rebalance.runs = false;
            return;
        };
        let Ok(rule) = self.settings().map(|stored| Rule::of(&stored.settings)) else { return };
        if let Some(notice) = Float::of(&status).and_then(|float| self.rebalance.look(&rule, &float)) {
            self.tell_people(notice, now);
        }
    }

    /// What the checks found.
    pub(super) fn rebalance_json(&mut self) -> Value {
        let enabled = self.settings().is_ok_and(|stored| stored.settings.flag(Key::RebalanceEnabled));
        self.rebalance.json(enabled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Nanos = 1_767_625_200_000_000_000;
    const MINUTES: Nanos = 60 * SECOND;

    fn rule(settings: &[&str]) -> Rule {
        let mut all = Settings::default();
        all.set_all(settings.iter().copied(), "test").unwrap();
        Rule::of(&all)
    }

    /// `actual` and `target` of an equity of 100,000 dollars, so many minutes after the start.
    fn float(minutes: Nanos, actual: f64, target: f64) -> Float<'static> {
        let cash = 100_000.0 * (1.0 - actual);
        Float { session: "s1", time: T0 + minutes * MINUTES, actual, target, equity: 100_000.0, cash }
    }

    /// By default: 10 % of the target, every hour, and a notice from 10 % on.
    #[test]
    fn the_deviation_is_the_share_that_the_target_is_missed_by() {
        let rule = rule(&[]);
        for (actual, target, found) in [
            // 0.05 / 0.2 = 0.25, which is 75 % too little; 0.3 / 0.2 = 1.5, 50 % too much.
            (0.05, 0.2, ("due", -75.0)),
            (0.3, 0.2, ("due", 50.0)),
            // Exactly 10 % on either side are not beyond 10 %; 11 % and 10.5 % are.
            (0.22, 0.2, ("balanced", 10.0)),
            (0.18, 0.2, ("balanced", -10.0)),
            (0.222, 0.2, ("due", 11.0)),
            (0.179, 0.2, ("due", -10.5)),
            (0.2, 0.2, ("balanced", 0.0)),
            // Leverage: twice the equity where 1.6 of it may be invested is 25 % too much.
            (2.0, 1.6, ("due", 25.0)),
        ] {
            let is = Found::of(&rule, &float(0, actual, target));
            assert_eq!(is.word(), found.0, "{actual} of {target}");
            assert!((is.deviation().unwrap() - found.1).abs() < 1e-9, "{actual} of {target}: {is:?}");
        }
        assert_eq!(Found::of(&rule, &float(0, 0.0, 0.2)), Found::NothingInvested);
        assert_eq!(Found::of(&rule, &float(0, 0.1, 0.0)), Found::Undefined);
        assert_eq!(Found::of(&rule, &Float { equity: -1.0, ..float(0, 0.1, 0.2) }), Found::Undefined);
        assert_eq!(Found::of(&rule, &float(0, f64::NAN, 0.2)), Found::Undefined);
    }

    #[test]
    fn a_check_is_made_at_the_start_and_once_in_each_interval() {
        let rule = rule(&["REBALANCE_CHECK_INTERVAL=600"]);
        let mut rebalance = Rebalance::default();
        let mut checks = Vec::new();
        for minute in [0, 1, 9, 10, 11, 19, 25, 35] {
            rebalance.look(&rule, &float(minute, 0.2, 0.2));
            let (checked, _) = rebalance.checked.unwrap();
            checks.push((checked - T0) / MINUTES);
        }
        // The next one is ten minutes after the last one at the earliest.
        assert_eq!(checks, [0, 0, 0, 10, 10, 10, 25, 35]);
    }

    #[test]
    fn people_are_told_once_for_each_crossing() {
        let rule = rule(&["REBALANCE_CHECK_INTERVAL=60", "REBALANCE_TRIGGER_PCT=20", "REBALANCE_THRESHOLD=0.1"]);
        let mut rebalance = Rebalance::default();
        let days = [
            (0.0, false),  // nothing is invested
            (0.05, true),  // -75 %
            (0.10, false), // -50 %: still beyond
            (0.17, false), // -15 %: due, and below 20 %
            (0.16, true),  // -20 %: at it is beyond it
            (0.24, true),  // +20 %: the other side
            (0.30, false), // +50 %
            (0.0, false),  // nothing
            (0.30, true),  // again
        ];
        for (minute, (actual, told)) in days.into_iter().enumerate() {
            let notice = rebalance.look(&rule, &float(minute as Nanos, actual, 0.2));
            assert_eq!(notice.is_some(), told, "minute {minute}");
        }
        let other = Float { session: "s2", ..float(9, 0.30, 0.2) };
        let notice = rebalance.look(&rule, &other).expect("another session");
        assert_eq!((notice.level, notice.kind), (Level::Routine, Kind::Rebalance));
        assert_eq!(
            notice.text,
            "30.0 % of the equity are invested, the target is 20.0 %: +50.0 % of it. Equity 100000.00 USD, cash \
             70000.00 USD. Session s2, at 2026-01-05T15:09:00.000000000Z."
        );
    }

    #[test]
    fn what_is_switched_off_is_neither_checked_nor_told_and_told_once_it_is_on() {
        let off = rule(&["REBALANCE_ENABLED=false"]);
        let silent = rule(&["ENABLE_REBALANCE_NOTIFIER=false", "REBALANCE_CHECK_INTERVAL=60"]);
        let mut rebalance = Rebalance::default();
        assert_eq!(rebalance.look(&off, &float(0, 0.3, 0.2)), None);
        assert_eq!((rebalance.checked, &rebalance.json(false)["state"]), (None, &json!("disabled")));
        assert_eq!(rebalance.look(&silent, &float(0, 0.3, 0.2)), None);
        let status = rebalance.json(true);
        assert_eq!((&status["state"], &status["noticed_utc"]), (&json!("due"), &Value::Null));
        assert!((status["deviation_pct"].as_f64().unwrap() - 50.0).abs() < 1e-9);
        assert!(rebalance.look(&rule(&["REBALANCE_CHECK_INTERVAL=60"]), &float(1, 0.3, 0.2)).is_some());
        assert_eq!(rebalance.json(true)["noticed_utc"], "2026-01-05T15:01:00.000000000Z");
        rebalance.runs = false;
        let status = rebalance.json(true);
        assert_eq!((&status["state"], &status["deviation_pct"]), (&json!("no_session"), &Value::Null));
    }
}
