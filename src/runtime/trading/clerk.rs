//! What follows from the outputs of a session: the bot's state, logs, ledger and events. None of it is waited for.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Weak};
use std::time::Duration;

use serde_json::{Value, json};

use super::{SUMMARY, exposure, ledger, mode_word, side};
use crate::accounting;
use crate::live::priority::{BESIDE_TRADING, give_way};
use crate::live::{Ending, Shown, Told};
use crate::market::{Nanos, format_time};
use crate::notify::{Kind, Level as NoticeLevel, Notice};
use crate::runtime::core::{Core, Event};
use crate::runtime::flags::{self, Flag};
use crate::runtime::house::House;
use crate::runtime::logs::{Level, LogName, Record};
use crate::runtime::{Event as StateEvent, Exposure};
use crate::session::{LedgerFill, LogEntry, LogEvent, OrderLog, Output, StageChange};
use crate::vault::Actor;

/// After this long what could not be booked is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// The clerk of a session.
pub struct Clerk {
    pub core: Weak<Core>,
    pub told: Receiver<Told>,
    pub shown: Arc<Shown>,
    pub id: String,
    /// The folder of the session, relative to the data folder.
    pub folder: String,
    pub broker: String,
    /// What is to be booked.
    pub due: Vec<accounting::Event>,
    /// Signed shares by instrument: whether an execution enters or exits.
    pub held: BTreeMap<String, f64>,
}

impl Clerk {
    /// Runs until the session has ended and everything is booked, or the core is gone.
    pub fn run(mut self) {
        give_way(BESIDE_TRADING);
        loop {
            let ending = match self.told.recv_timeout(RETRY) {
                Ok(Told::Outputs(outputs)) => {
                    self.take(outputs);
                    None
                }
                Ok(Told::Note(urgent, text)) => {
                    self.note(urgent, &text);
                    None
                }
                Ok(Told::Ended(ending)) => Some(ending),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => {
                    Some(Ending::Failed("the trading thread ended inside the program".to_string()))
                }
            };
            let Some(core) = self.core.upgrade() else { return };
            self.book(&core);
            match ending {
                None => {}
                Some(Ending::Left) => return,
                Some(ending) => {
                    drop(core);
                    return self.end(&ending);
                }
            }
        }
    }

    fn take(&mut self, outputs: Vec<Output>) {
        let Some(core) = self.core.upgrade() else { return };
        let mut changes = Vec::new();
        for output in outputs {
            match output {
                Output::Fill(fill) => {
                    self.due_fill(&core, &fill);
                    self.tell_of_fill(&core, &fill);
                    core.tell(Event::new("fill", fill_json(&fill)));
                }
                Output::Log(entry) => write(&core, &entry),
                Output::Stage(change) => changes.push(change),
                // The venue of this session is in the session; the order stream is in its journal.
                Output::Order(_) | Output::Request(_) => {}
            }
        }
        self.book(&core);
        if !changes.is_empty() {
            let now = core.now();
            core.with(|house| {
                if house.trading.runs(&self.id) {
                    changes.iter().flat_map(|change| events(*change)).for_each(|event| apply(house, event, now));
                }
            });
        }
    }

    /// Words about the connection to the broker.
    fn note(&self, urgent: bool, text: &str) {
        let Some(core) = self.core.upgrade() else { return };
        let level = if urgent { Level::Warn } else { Level::Info };
        core.logs.write(LogName::Core, &Record::new(core.now(), level, "broker", text));
        if urgent {
            alert(&core, &format!("Broker: {text}."));
        }
    }

    fn due_fill(&mut self, core: &Core, fill: &LedgerFill) {
        let flag = Some(mode_word(self.shown.status().mode)).filter(|mode| *mode != "live");
        match ledger::event(&self.broker, flag, fill) {
            Ok(event) => self.due.push(event),
            Err(error) => alert(core, &format!("Execution {} cannot be booked: {error}.", fill.execution)),
        }
    }

    /// Tells people of an execution.
    fn tell_of_fill(&mut self, core: &Core, fill: &LedgerFill) {
        let held = self.held.entry(fill.instrument.clone()).or_default();
        let before = *held;
        *held += side(&fill.side).sign() * fill.qty;
        let (kind, word) = if held.abs() < before.abs() { (Kind::Exit, "Exit") } else { (Kind::Fill, "Entry") };
        let title = format!("{word}: {} {} {}", fill.side, fill.qty, fill.instrument);
        let text = format!("By {} at {} on {}.", fill.strategy, fill.price, format_time(fill.time));
        let now = core.now();
        core.with(|house| house.tell_people(Notice::new(NoticeLevel::Routine, kind, &title, &text), now));
    }

    /// Books what is due, if the books can be written.
    fn book(&mut self, core: &Core) {
        if self.due.is_empty() {
            return;
        }
        let now = core.now();
        match core.with(|house| ledger::book(house, &self.due, now)) {
            Ok(strange) => {
                self.due.clear();
                for what in strange {
                    let record = Record::new(now, Level::Error, "ledger", what.clone());
                    core.logs.write(LogName::UnresolvedOrders, &record);
                    alert(core, &format!("The ledger and the session differ: {what}."));
                }
            }
            Err(why) => tracing::warn!("{} executions wait for the ledger: {why}", self.due.len()),
        }
    }

    fn end(mut self, ending: &Ending) {
        while let Some(core) = self.core.upgrade()
            && !self.due.is_empty()
        {
            self.book(&core);
            drop(core);
            if !self.due.is_empty() {
                std::thread::sleep(RETRY);
            }
        }
        let Some(core) = self.core.upgrade() else { return };
        let (now, status) = (core.now(), self.shown.status());
        match ending {
            Ending::Failed(why) => {
                core.logs.write(LogName::ErrorTracebacks, &Record::new(now, Level::Error, "session", why.clone()));
                alert(&core, "The session cannot go on. The log says why.");
            }
            Ending::Over if exposure(&self.shown) == Exposure::Open => {
                alert(&core, "The data ended before everything was closed; what is left is of no market any more.");
            }
            Ending::Over | Ending::Left => {}
        }
        core.with(|house| {
            if matches!(ending, Ending::Over) {
                let mut summary = status_summary(&status);
                summary["latency"] = json!(self.shown.latency());
                summarize(house, &self.folder, &summary, now);
            }
            house.trading.end(&self.id);
            let event = match ending {
                Ending::Failed(_) => {
                    house.faults.push("a session could not go on".to_string());
                    Some(StateEvent::Fault(exposure(&self.shown)))
                }
                _ => rest(house),
            };
            if let Some(event) = event {
                apply(house, event, now);
            }
            lower_flags(house);
        });
        core.tell(Event::new("session", json!({ "id": self.id, "over": matches!(ending, Ending::Over) })));
    }
}

/// What brings the bot from a session that is not there any more to rest.
pub fn rest(house: &House) -> Option<StateEvent> {
    match house.bot_state() {
        state if state.in_session() => Some(StateEvent::SessionEnded(Exposure::Flat)),
        state if state.is_closing() => Some(StateEvent::Closed),
        _ => None,
    }
}

/// Removes the flags of what is done.
pub fn lower_flags(house: &House) {
    for flag in [Flag::Start, Flag::Stop, Flag::Kill] {
        // One that stays is looked at when the core starts.
        let _ = flags::lower(&house.disk, flag);
    }
}

/// Carries out an event of the state machine. One that the state does not have any more came too late and is left out:
/// a stage of a session that was stopped meanwhile.
pub fn apply(house: &mut House, event: StateEvent, now: Nanos) {
    match house.state.apply(event, &Actor::core(), &mut house.audit, now) {
        Ok(_) => {}
        Err(error) => tracing::warn!("the bot stays in the state {}: {error}", house.bot_state()),
    }
}

/// What a stage of the session is to the bot.
pub fn events(change: StageChange) -> Vec<StateEvent> {
    let exposure = |open: bool| if open { Exposure::Open } else { Exposure::Flat };
    match change {
        StageChange::AnalysisBegan => vec![StateEvent::AnalysisBegan],
        StageChange::EntriesBegan => vec![StateEvent::EntriesBegan],
        StageChange::MonitoringBegan => vec![StateEvent::MonitoringBegan],
        StageChange::Stopped { open } => vec![StateEvent::Stop(exposure(open))],
        StageChange::Killed { open } => vec![StateEvent::Kill(exposure(open))],
        // The closing orders are out when the session says so.
        StageChange::LimitReached { open: true } => {
            vec![StateEvent::LimitReached(Exposure::Open), StateEvent::ClosingBegan]
        }
        StageChange::LimitReached { open: false } => vec![StateEvent::LimitReached(Exposure::Flat)],
        StageChange::Closed => vec![StateEvent::Closed],
        StageChange::Ended { open } => vec![StateEvent::SessionEnded(exposure(open))],
    }
}

/// Writes the file that says that a session is over and booked.
pub fn summarize(house: &House, folder: &str, summary: &Value, now: Nanos) {
    let mut summary = summary.clone();
    summary["ended_utc"] = json!(format_time(now));
    let written = house.disk.write(&format!("{folder}/{SUMMARY}"), format!("{summary:#}\n").as_bytes());
    if let Err(error) = written {
        // Then the next start reads the journal again and finds everything booked.
        tracing::warn!("a session is over, but {error}");
    }
}

/// What is kept of a session.
pub fn status_summary(status: &crate::session::StatusSnapshot) -> Value {
    json!({
        "session": status.session,
        "mode": mode_word(status.mode),
        "pnl": status.pnl,
        "trades": status.trades.len(),
        "equity": status.equity,
        "positions": status.positions,
        "warnings": status.warnings,
    })
}

fn fill_json(fill: &LedgerFill) -> Value {
    let mut json = json!(fill);
    json["time"] = json!(format_time(fill.time));
    json
}

/// Tells somebody who must look.
pub fn alert(core: &Core, message: &str) {
    let now = core.now();
    core.with(|house| {
        house.alerts += 1;
        house.tell_people(Notice::new(NoticeLevel::Critical, Kind::Failure, "Trading needs somebody", message), now);
    });
    core.logs.write(LogName::Core, &Record::new(now, Level::Warn, "alert", message));
    core.tell(Event::new("alert", json!({ "level": "critical", "message": message, "utc": format_time(now) })));
}

/// `PartiallyFilled` as `partially_filled`.
fn snake(word: &str) -> String {
    let mut snake = String::new();
    for letter in word.chars() {
        if letter.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// Writes an entry of the session to the logs that it belongs to.
fn write(core: &Core, entry: &LogEntry) {
    let (log, strategy) = match entry.strategy.as_deref() {
        Some("open") => (Some(LogName::Open), "open"),
        Some("mid") => (Some(LogName::Mid), "mid"),
        Some("close") => (Some(LogName::Close), "close"),
        Some(_) => (Some(LogName::Core), ""),
        None => (None, ""),
    };
    let mut detail = entry.fields();
    detail.remove("time");
    let (level, event, message) = match &entry.event {
        LogEvent::Warning { warning: text } | LogEvent::Note { note: text } => {
            detail.retain(|name, _| name == "strategy");
            (Level::Warn, "warning".to_string(), text.clone())
        }
        LogEvent::Order(OrderLog { side, qty, instrument, order_type, state, reason, is_unresolved, .. }) => {
            let state = snake(state);
            let reason = if reason.is_empty() { String::new() } else { format!(", {reason}") };
            let level = if *is_unresolved { Level::Warn } else { Level::Info };
            (level, format!("order.{state}"), format!("{side} {qty} {instrument} {order_type}: {state}{reason}"))
        }
    };
    let record = Record { strategy, detail, ..Record::new(entry.time, level, &event, message) };
    let unresolved = entry.is_unresolved().then_some(LogName::UnresolvedOrders);
    for log in unresolved.into_iter().chain(log) {
        core.logs.write(log, &record);
    }
}
