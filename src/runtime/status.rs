//! What the bot is doing, as JSON: for the page, for those who look on, and for `output/<bot>/status.json`.
//!
//! What there is not is null, never a made-up number.

use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};

use super::House;
use super::trading::mode_word;
use crate::backtest::RunSpec;
use crate::market::{Calendar, Nanos, format_date, format_time, new_york_date, parse_time};
use crate::session::{StatusSnapshot, WindowStatus};
use crate::settings::{Key, Settings};
use crate::strategies::{self, BuildContext, DayWindow};
use crate::vault::{SecretFile, secrets};

/// How many of the newest trades the status has.
const MOST_TRADES: usize = 100;

/// The names of the identity's parts, in order.
pub const IDENTITY: [&str; 4] = ["ENTITY_CODE", "JURISDICTION_CODE", "BROKER_CODE", "BOT_ID"];

impl House {
    /// The status without the time it is of, so that two can be compared.
    pub fn status(&mut self, now: Nanos) -> Value {
        let identity = self.identity_json();
        let configured = self.broker_is_configured();
        let settings = self.settings().ok().map(|stored| stored.settings.clone());
        let (bot_state, phase) = (self.bot_state().word(), self.phase());
        let killed = self.bot_state().is_halted();
        let (coa, rebalance) = (self.coa_json(), self.rebalance_json());
        let session = self.trading.status();
        let (status, runs) =
            (session.as_ref().map(|(status, _)| status.as_ref()), session.as_ref().is_some_and(|s| s.1));
        // A session on a recorded day has a clock of its own.
        let at = status.filter(|_| runs).and_then(|s| parse_time(s.time.as_deref()?).ok()).unwrap_or(now);
        let windows = settings.as_ref().map(|settings| windows_json(settings, at));
        let target = settings.as_ref().map(|s| s.fraction(Key::TotalAllocation));
        json!({
            "identity": identity,
            "version": self.version,
            "bot_state": bot_state,
            "phase": phase,
            "mode": status.filter(|_| runs).map(|status| mode_word(status.mode)),
            "session": status.map(|status| session_json(status, runs, at)),
            "windows": windows,
            "test_mode": self.test.is_active(),
            "trades": trades_json(status, self.trading.earned()),
            "float": float_json(status.filter(|_| runs), target, rebalance),
            "broker": self.brokerage.status(settings.as_ref().map(|s| s.text(Key::BrokerName)), configured, runs),
            "risk": {
                "disable_all_trades": settings.as_ref().map(|s| s.flag(Key::DisableAllTrades)),
                "defense_mode": settings.as_ref().map(|s| s.flag(Key::DefenseModeActive)),
                "daily_loss_limit": settings.as_ref().map(|s| s.fraction(Key::DailyLossLimit)),
                "daily_loss": status.map(|s| ((s.start_equity - s.equity) / s.start_equity).max(0.0)),
                "kill_switch": killed,
            },
            "counters": {
                "errors": self.logs.errors(),
                "retries": self.brokerage.retries(),
                "unresolved_orders": self.logs.unresolved(),
                "alerts": self.alerts,
                "faults": self.faults.len(),
            },
            "coa": coa,
        })
    }

    /// The status with the time it is of.
    pub fn status_json(&mut self, now: Nanos) -> Value {
        let mut status = self.status(now);
        status["server_time_utc"] = json!(format_time(now));
        status
    }

    fn identity_json(&self) -> Value {
        let fields = secrets::read_fields(&self.disk, &self.keys, SecretFile::BotIdentity).ok().flatten();
        let Some(fields) = fields else { return Value::Null };
        let part = |name: &str| fields.get(name).map_or("", |value| value.expose_secret()).to_string();
        let mut identity: Map<String, Value> =
            IDENTITY.iter().map(|name| (name.to_ascii_lowercase(), json!(part(name)))).collect();
        identity.insert("bot_identity".to_string(), json!(IDENTITY.map(part).join("_")));
        Value::Object(identity)
    }

    /// Whether the broker has what it needs to be called; the simulated one needs nothing.
    fn broker_is_configured(&mut self) -> bool {
        let broker = self.settings().map(|stored| stored.settings.text(Key::BrokerName).to_string());
        match broker.as_deref() {
            Ok("SIM") => true,
            Ok("IBKR") => self.broker_has(&["BROKER_HOST"]) || self.broker_has(&["BROKER_URL"]),
            Ok(_) => self.broker_has(&["BROKER_API_KEY", "BROKER_URL"]),
            Err(_) => false,
        }
    }

    fn broker_has(&self, names: &[&str]) -> bool {
        let fields = secrets::read_fields(&self.disk, &self.keys, SecretFile::Broker).ok().flatten();
        fields.is_some_and(|fields| names.iter().all(|name| fields.is_set(name)))
    }
}

/// The session that runs, or the last one since the start of the core. `at`: what its clock says.
fn session_json(status: &StatusSnapshot, runs: bool, at: Nanos) -> Value {
    let day = status.time.as_deref().and_then(|time| parse_time(time).ok()).map(new_york_date);
    let windows: Vec<Value> =
        status.windows.iter().map(|window| session_window_json(window, runs.then_some(at))).collect();
    let positions: Map<String, Value> = status.positions.iter().map(|(name, qty)| (name.clone(), json!(qty))).collect();
    json!({
        "id": status.session,
        "running": runs,
        "stage": if runs { status.stage } else { "over" },
        "clock_utc": status.time,
        "date": day.map(format_date),
        "windows": windows,
        "halted": status.halted,
        "equity": status.equity,
        "cash": status.cash,
        "positions": positions,
        "open_orders": status.open_orders,
        "waiting_orders": if runs { status.waiting_orders.len() } else { 0 },
        "bars": status.counters.bars,
        "rejected_orders": status.counters.rejected_orders,
        "warnings": status.warnings.len(),
    })
}

fn trades_json(status: Option<&StatusSnapshot>, earned: f64) -> Value {
    let Some(status) = status else {
        // There was no session since the start of the program: nothing was counted and nothing can be computed.
        let earned = Some(earned).filter(|earned| *earned != 0.0);
        return json!({
            "signals": 0, "entries": 0, "exits": 0, "pnl": null, "cumulative_pnl": earned, "win_rate": null, "list": [],
        });
    };
    let sum = |of: fn(&WindowStatus) -> u64| status.windows.iter().map(of).sum::<u64>();
    let newest: Vec<_> = status.trades.iter().rev().take(MOST_TRADES).collect();
    json!({
        "signals": sum(|w| w.signals), "entries": sum(|w| w.entries), "exits": sum(|w| w.exits),
        "pnl": status.pnl, "cumulative_pnl": earned, "win_rate": status.win_rate, "list": newest,
    })
}

/// What is invested as a share of equity, and how far that is from what the strategies together may invest.
fn float_json(status: Option<&StatusSnapshot>, of_one: Option<f64>, rebalance: Value) -> Value {
    let target = status.map(|status| status.invested_target).or(of_one);
    let actual = status.map(|status| status.invested);
    let deviation =
        actual.zip(target.filter(|target| *target > 0.0)).map(|(actual, target)| (actual / target - 1.0) * 100.0);
    json!({ "actual": actual, "target": target, "deviation_pct": deviation, "rebalance": rebalance })
}

/// A window of the session's day with what was done in it. `at`: the session's clock; without one it is over.
fn session_window_json(window: &WindowStatus, at: Option<Nanos>) -> Value {
    let WindowStatus { strategy, start, analysis_end, entry_end, end, entries, exits, signals } = window;
    let ends = [start, analysis_end, entry_end, end].map(|time| parse_time(time).unwrap_or(Nanos::MAX));
    json!({
        "strategy": strategy,
        "part": at.map_or("over", |at| part(at, ends)),
        "start_utc": start, "analysis_end_utc": analysis_end, "entry_end_utc": entry_end, "end_utc": end,
        "signals": signals, "entries": entries, "exits": exits,
    })
}

/// The windows of today in New York, or why there are none.
fn windows_json(settings: &Settings, now: Nanos) -> Value {
    let date = new_york_date(now);
    let calendar = Calendar::nyse();
    let next = calendar.next_session_after(date).map(|session| format_date(session.date));
    let Some(session) = calendar.session(date) else {
        return json!({ "date": format_date(date), "open": false, "next_session": next, "strategies": [] });
    };
    let context = BuildContext { settings: settings.clone(), ..BuildContext::default() };
    let chosen = RunSpec::strategies_of(settings).unwrap_or_default();
    let window = |name: &str| {
        let params = strategies::find(name)?.check(&[]).ok()?;
        let day = strategies::day_window(name, &params, &context, &session).ok().flatten()?;
        Some(DayWindow { enabled: day.enabled && chosen.iter().any(|choice| choice.name == name), ..day })
    };
    let windows = ["open", "mid", "close"].into_iter().filter_map(window);
    let windows: Vec<Value> = windows.map(|day| window_json(&day, now)).collect();
    json!({
        "date": format_date(date),
        "open": true,
        "session_open_utc": format_time(session.open),
        "session_close_utc": format_time(session.close),
        "early_close": session.early_close,
        "next_session": next,
        "strategies": windows,
    })
}

/// The part of a window that is now, by its start and the ends of analysis, entries and monitoring.
fn part(now: Nanos, [start, analysis_end, entry_end, end]: [Nanos; 4]) -> &'static str {
    match now {
        now if now < start => "before",
        now if now < analysis_end => "analysis",
        now if now <= entry_end => "entries",
        now if now < end => "monitoring",
        _ => "over",
    }
}

fn window_json(day: &DayWindow, now: Nanos) -> Value {
    let window = &day.window;
    let ends = [window.start, window.analysis_end, window.entry_end, window.end];
    let part = if day.enabled { part(now, ends) } else { "disabled" };
    json!({
        "strategy": day.strategy,
        "enabled": day.enabled,
        "part": part,
        "start_utc": format_time(window.start),
        "analysis_end_utc": format_time(window.analysis_end),
        "entry_end_utc": format_time(window.entry_end),
        "end_utc": format_time(window.end),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::parse_time;

    fn at(time: &str, settings: &[&str]) -> Value {
        let mut all = Settings::default();
        all.set_all(settings.iter().copied(), "test").unwrap();
        windows_json(&all, parse_time(time).unwrap())
    }

    /// Defaults: OPEN 14:30 with 20, 10 and 30 minutes; MID 15:30 with 15, 10, 30; CLOSE 19:30 with 5, 5, 25. In summer
    /// the same New York times are an hour earlier in UTC.
    #[test]
    fn windows_are_those_of_the_settings_in_winter_and_in_summer() {
        let winter = at("2026-01-05T14:55:00Z", &[]);
        let open = &winter["strategies"][0];
        assert_eq!(open["start_utc"], "2026-01-05T14:30:00.000000000Z");
        assert_eq!(open["analysis_end_utc"], "2026-01-05T14:50:00.000000000Z");
        assert_eq!(open["entry_end_utc"], "2026-01-05T15:00:00.000000000Z");
        assert_eq!(open["end_utc"], "2026-01-05T15:30:00.000000000Z");
        assert_eq!((&open["part"], &winter["strategies"][2]["part"]), (&json!("entries"), &json!("before")));
        let summer = at("2026-07-06T12:00:00Z", &[]);
        assert_eq!(summer["strategies"][0]["start_utc"], "2026-07-06T13:30:00.000000000Z");
        let literal = at("2026-07-06T12:00:00Z", &["START_TIMES_DST_AWARE=false"]);
        assert_eq!(literal["strategies"][0]["start_utc"], "2026-07-06T14:30:00.000000000Z");
    }

    #[test]
    fn a_window_of_a_session_is_in_the_part_that_its_clock_says_and_over_without_one() {
        let time = |clock: &str| format!("2024-12-30T{clock}:00.000000000Z");
        let window = WindowStatus {
            strategy: "mid".to_string(),
            start: time("15:30"),
            analysis_end: time("15:45"),
            entry_end: time("15:55"),
            end: time("16:25"),
            entries: 1,
            exits: 0,
            signals: 2,
        };
        let part = |clock: &str| session_window_json(&window, Some(parse_time(&time(clock)).unwrap()))["part"].clone();
        let parts = ["15:29", "15:30", "15:45", "15:55", "15:56", "16:25"].map(part);
        assert_eq!(parts, ["before", "analysis", "entries", "entries", "monitoring", "over"].map(|word| json!(word)));
        let over = session_window_json(&window, None);
        assert_eq!(
            (&over["part"], &over["signals"], &over["end_utc"]),
            (&json!("over"), &json!(2), &json!(window.end))
        );
    }

    #[test]
    fn a_holiday_has_no_windows_and_an_early_close_cuts_them() {
        let holiday = at("2026-01-01T15:00:00Z", &[]);
        assert_eq!((&holiday["open"], &holiday["next_session"]), (&json!(false), &json!("2026-01-02")));
        // The day after Thanksgiving ends at 13:00 in New York, 18:00 UTC: CLOSE would begin at 19:30.
        let early = at("2026-11-27T15:00:00Z", &[]);
        assert_eq!(early["early_close"], true);
        assert_eq!(early["strategies"][2]["start_utc"], "2026-11-27T18:00:00.000000000Z");
    }

    #[test]
    fn what_the_settings_switch_off_is_disabled() {
        for settings in [["STRAT_OPEN_ENABLED=false"], ["STRATEGY_OVERRIDE=mid"], ["TRADING_DAYS=tue"]] {
            let windows = at("2026-01-05T14:55:00Z", &settings);
            assert_eq!(windows["strategies"][0]["part"], "disabled", "{settings:?}");
        }
    }
}
