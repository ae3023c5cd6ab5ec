//! Trading sessions in the core process.
//!
//! A session has two threads. The `host` has the session with its journal, its clock and its venue, and waits for
//! nobody: not for the lock of the [`House`](super::House), nor for any file but the journal. The `clerk` does what
//! follows from it: the bot's state, logs, ledger, events. What the clerk has not done when the process dies follows
//! from the journal at the next start ([`recover()`]).
//!
//! A session is a folder `output/<bot>/sessions/<id>` with its `journal`. The file `session.json` in it says that all
//! is done: the session is over, and every execution is in the ledger.
//!
//! | file | subject |
//! | --- | --- |
//! | `begin` | from the settings to a session that runs |
//! | `played` | the newest session of a recorded data set, at any speed: what arrives, and when |
//! | `host` | the trading thread |
//! | `clerk` | what follows from the outputs of a session |
//! | `ledger` | executions into the books, once |
//! | `recover` | what a process before this one has left |

mod begin;
mod clerk;
mod host;
mod ledger;
mod played;
mod recover;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use super::{BotState, Exposure};
use crate::session::{Command, StatusSnapshot};
use crate::settings::{Key, Settings};
use crate::trading;

pub use begin::{Prepared, begin, next_id, played};
pub use ledger::event as execution_event;
pub use recover::recover;

/// The folder of all sessions of a bot, relative to the data folder.
pub fn sessions_folder(identity: &str) -> String {
    format!("output/{identity}/sessions")
}

/// The journal in the folder of a session.
const JOURNAL: &str = "journal";
/// What says that a session is over and booked.
const SUMMARY: &str = "session.json";

/// Something that is asked of a session that runs.
struct Ask {
    command: Command,
    /// Whether there was something to do.
    answer: Option<oneshot::Sender<bool>>,
}

/// What the trading thread lets others see.
struct Shared {
    open: AtomicBool,
    status: Mutex<Arc<StatusSnapshot>>,
}

impl Shared {
    fn new(status: StatusSnapshot, open: bool) -> Arc<Shared> {
        Arc::new(Shared { open: AtomicBool::new(open), status: Mutex::new(Arc::new(status)) })
    }

    fn show(&self, status: StatusSnapshot, open: bool) {
        self.open.store(open, Ordering::Release);
        *self.status.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(status);
    }

    fn status(&self) -> Arc<StatusSnapshot> {
        Arc::clone(&self.status.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn exposure(&self) -> Exposure {
        if self.open.load(Ordering::Acquire) { Exposure::Open } else { Exposure::Flat }
    }
}

/// A session that runs, from outside.
struct Running {
    id: String,
    shared: Arc<Shared>,
    asks: Sender<Ask>,
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

    /// Whether a session runs, or may run in a moment.
    pub fn is_busy(&self) -> bool {
        self.running.is_some() || self.recovering
    }

    /// The session that runs, or else the last one, and whether it runs.
    pub fn status(&self) -> Option<(Arc<StatusSnapshot>, bool)> {
        let running = self.running.as_ref().map(|running| (running.shared.status(), true));
        running.or_else(|| self.last.clone().map(|last| (last, false)))
    }

    /// Dollars that all sessions of the bot made, this one included.
    pub fn earned(&self) -> f64 {
        self.earned + self.running.as_ref().map_or(0.0, |running| running.shared.status().pnl)
    }

    /// Whether positions or orders may be open; while it is being found out, everything may.
    pub fn exposure(&self, state: BotState) -> Exposure {
        match &self.running {
            Some(running) => running.shared.exposure(),
            None if self.recovering && (state.in_session() || state.is_closing()) => Exposure::Open,
            None => Exposure::Flat,
        }
    }

    /// Asks something of the session that runs, if one does.
    pub fn command(&self, command: Command) {
        if let Some(running) = &self.running {
            // A session that has just ended needs no command.
            let _ = running.asks.send(Ask { command, answer: None });
        }
    }

    /// Asks something of the session that runs; the answer is whether there was something to do.
    pub fn ask(&self, command: Command) -> Option<oneshot::Receiver<bool>> {
        let (answer, answered) = oneshot::channel();
        self.running.as_ref()?.asks.send(Ask { command, answer: Some(answer) }).ok()?;
        Some(answered)
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
            let status = running.shared.status();
            self.earned += status.pnl;
            self.last = Some(status);
        }
    }
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
