//! What the bot is doing, as JSON: for the page, for those who look on, and for `output/<bot>/status.json`.
//!
//! What there is not is null, never a made-up number.

use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};

use super::House;
use crate::market::{Calendar, Nanos, format_date, format_time, new_york_date};
use crate::settings::{Key, Settings};
use crate::strategies::{DayWindow, day_windows};
use crate::vault::{SecretFile, secrets};

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
        let coa = self.coa_json();
        let windows = settings.as_ref().map(|settings| windows_json(settings, now));
        json!({
            "identity": identity,
            "version": self.version,
            "bot_state": bot_state,
            "phase": phase,
            "mode": null,
            "session": null,
            "windows": windows,
            "test_mode": self.test.is_active(),
            // There was no session since the start of the program: nothing was counted and nothing can be computed.
            "trades": {
                "signals": 0, "entries": 0, "exits": 0, "pnl": null, "cumulative_pnl": null, "win_rate": null,
            },
            "float": {
                "actual": null,
                "target": settings.as_ref().map(|s| s.fraction(Key::TotalAllocation)),
                "deviation_pct": null,
                "rebalance": null,
            },
            "broker": {
                "name": settings.as_ref().map(|s| s.text(Key::BrokerName)),
                "configured": configured,
                "health": "not connected",
            },
            "risk": {
                "disable_all_trades": settings.as_ref().map(|s| s.flag(Key::DisableAllTrades)),
                "defense_mode": settings.as_ref().map(|s| s.flag(Key::DefenseModeActive)),
                "daily_loss_limit": settings.as_ref().map(|s| s.fraction(Key::DailyLossLimit)),
                "daily_loss": null,
                "kill_switch": killed,
            },
            "counters": {
                "errors": self.logs.errors(),
                "retries": 0,
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

/// The windows of today in New York, or why there are none.
fn windows_json(settings: &Settings, now: Nanos) -> Value {
    let date = new_york_date(now);
    let calendar = Calendar::nyse();
    let next = calendar.next_session_after(date).map(|session| format_date(session.date));
    let Some(session) = calendar.session(date) else {
        return json!({ "date": format_date(date), "open": false, "next_session": next, "strategies": [] });
    };
    let windows: Vec<Value> = day_windows(settings, &session).iter().map(|window| window_json(window, now)).collect();
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

fn window_json(window: &DayWindow, now: Nanos) -> Value {
    let part = match now {
        _ if !window.enabled => "disabled",
        now if now < window.start => "before",
        now if now < window.analysis_end => "analysis",
        now if now <= window.entry_end => "entries",
        now if now < window.end => "monitoring",
        _ => "over",
    };
    json!({
        "strategy": window.strategy,
        "enabled": window.enabled,
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
