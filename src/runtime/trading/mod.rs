//! Trading sessions in the core process.
//!
//! A session has two threads. The trading thread ([`crate::live::Host`]) has the session with its journal, its feed and
//! its venue, and waits for nobody. The `clerk` does what follows from it: the bot's state, logs, ledger, events. What the
//! clerk has not done when the process dies follows from the journal at the next start ([`recover()`]).
//!
//! A session is a folder `output/<bot>/sessions/<id>` with its `journal`. The file `session.json` in it says that all
//! is done: the session is over, and every execution is in the ledger.
//!
//! | file | subject |
//! | --- | --- |
//! | `begin` | from a session that is prepared to one that runs |
//! | `prepare` | from the settings to a session that is prepared |
//! | `clerk` | what follows from the outputs of a session |
//! | `ledger` | executions into the books, once |
//! | `recover` | what a process before this one has left |

mod begin;
mod clerk;
mod ledger;
mod prepare;
mod recover;

use std::sync::Arc;

use tokio::sync::oneshot;

use super::{BotState, Exposure};
use crate::live::{Arrival, Ask, Inbox, LatencySummary, Shown};
use crate::session::{Command, StatusSnapshot};
use crate::settings::{Key, Settings};
use crate::trading;

pub use begin::begin;
pub use ledger::event as execution_event;
pub use prepare::{Prepared, Wanted, next_id, prepare};
pub use recover::recover;

/// The folder of all sessions of a bot, relative to the data folder.
pub fn sessions_folder(identity: &str) -> String {
    format!("output/{identity}/sessions")
}

/// The journal in the folder of a session.
const JOURNAL: &str = "journal";
/// What says that a session is over and booked.
const SUMMARY: &str = "session.json";

/// A session that runs, from outside.
struct Running {
    id: String,
    shown: Arc<Shown>,
    inbox: Inbox,
}

impl Drop for Running {
    fn drop(&mut self) {
        // A thread that is still there when nobody can ask anything of it leaves: the process ends.
        self.inbox.send(Arrival::Leave);
    }
}

/// The session of the bot: one that runs, or the last one.
#[derive(Default)]
pub struct Trading {
    running: Option<Running>,
    /// It is being found out what a process before this one has left.
    recovering: bool,
    last: Option<Arc<StatusSnapshot>>,
    /// Dollars that all sessions made that are over.
    earned: f64,
    /// DISABLE_ALL_TRADES and DEFENSE_MODE_ACTIVE as the session was told.
    controls: Option<(bool, bool)>,
}

impl Trading {
    /// A process before this one was in `state`: whatever it had open is not known until [`recover()`] has looked.
    pub fn left_in(state: BotState) -> Trading {
        Trading { recovering: state.in_session() || state.is_closing(), ..Trading::default() }
    }

    /// Whether a session runs.
    pub fn runs_any(&self) -> bool {
        self.running.is_some()
    }

    /// Whether one of a process before this one is being taken up: it may be waiting for its broker.
    pub fn is_recovering(&self) -> bool {
        self.recovering && self.running.is_none()
    }

    /// Whether a session runs, or may run in a moment.
    pub fn is_busy(&self) -> bool {
        self.running.is_some() || self.recovering
    }

    /// The session that runs, or else the last one, and whether it runs.
    pub fn status(&self) -> Option<(Arc<StatusSnapshot>, bool)> {
        let running = self.running.as_ref().map(|running| (running.shown.status(), true));
        running.or_else(|| self.last.clone().map(|last| (last, false)))
    }

    /// How fast orders follow in the session that runs.
    pub fn latency(&self) -> Option<LatencySummary> {
        self.running.as_ref().map(|running| running.shown.latency())
    }

    /// Dollars that all sessions of the bot made, this one included.
    pub fn earned(&self) -> f64 {
        self.earned + self.running.as_ref().map_or(0.0, |running| running.shown.status().pnl)
    }

    /// Whether positions or orders may be open; while it is being found out, everything may.
    pub fn exposure(&self, state: BotState) -> Exposure {
        match &self.running {
            Some(running) => exposure(&running.shown),
            None if self.recovering && (state.in_session() || state.is_closing()) => Exposure::Open,
            None => Exposure::Flat,
        }
    }

    /// Asks something of the session that runs, if one does.
    pub fn command(&self, command: Command) {
        if let Some(running) = &self.running {
            // A session that has just ended needs no command.
            running.inbox.send(Arrival::Ask(Ask { command, answer: None }));
        }
    }

    /// Asks something of the session that runs; the answer is whether there was something to do.
    pub fn ask(&self, command: Command) -> Option<oneshot::Receiver<bool>> {
        let (answer, answered) = oneshot::channel();
        let ask = Ask { command, answer: Some(answer) };
        self.running.as_ref()?.inbox.send(Arrival::Ask(ask)).then_some(answered)
    }

    /// Passes on what the settings say about a session that runs.
    pub fn follow(&mut self, settings: &Settings) {
        let controls = (settings.flag(Key::DisableAllTrades), settings.flag(Key::DefenseModeActive));
        if self.running.is_some() && self.controls != Some(controls) {
            self.controls = Some(controls);
            let (disable_all_trades, defense_mode) = controls;
            self.command(Command::Controls { disable_all_trades, defense_mode });
        }
    }

    fn runs(&self, id: &str) -> bool {
        self.running.as_ref().is_some_and(|running| running.id == id)
    }

    fn run(&mut self, running: Running, settings: &Settings) {
        self.controls = Some((settings.flag(Key::DisableAllTrades), settings.flag(Key::DefenseModeActive)));
        self.running = Some(running);
        self.recovering = false;
    }

    fn end(&mut self, id: &str) {
        if let Some(running) = self.running.take_if(|running| running.id == id) {
            let status = running.shown.status();
            self.earned += status.pnl;
            self.last = Some(status);
        }
    }
}

fn exposure(shown: &Shown) -> Exposure {
    if shown.is_open() { Exposure::Open } else { Exposure::Flat }
}

/// The word for how a session trades.
pub fn mode_word(mode: crate::session::Mode) -> &'static str {
    match mode {
        crate::session::Mode::Test => "test",
        crate::session::Mode::Paper => "paper",
        crate::session::Mode::Live(_) => "live",
    }
}

/// The side of a word of an execution.
fn side(word: &str) -> trading::Side {
    if word == trading::Side::Sell.name() { trading::Side::Sell } else { trading::Side::Buy }
}
