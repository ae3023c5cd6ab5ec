//! A session with its journal: every input is written down, then acted on; every order is written down, then sent.

use super::input::Input;
use super::journal::{Journal, JournalError, Record};
use super::live::{BrokerEvent, LiveVenue};
use super::machine::{Session, SessionError, SessionVenue};
use super::output::Output;
use super::plan::{HistoryChunk, Plan, PlanError};
use super::replay::{AnySession, Divergence, ReplayError, rerun};
use crate::market::Market;
use crate::sim::SimVenue;
use std::path::Path;

/// A session that cannot be begun, or cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum RecorderError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(transparent)]
    Session(#[from] SessionError),
    #[error(transparent)]
    Replay(#[from] ReplayError),
    #[error("the journal is not of a session on {expected}")]
    OtherVenue { expected: &'static str },
    #[error("the journal does not lead to the orders in it: {0}")]
    Diverged(Divergence),
}

/// A session with its journal.
pub struct Recorder<V> {
    session: Session<V>,
    journal: Journal,
}

impl<V: SessionVenue> Recorder<V> {
    /// A new session with a venue that `venue` makes for it, and a new journal at `path`. Plan and history are those
    /// of [`Plan::new`].
    ///
    /// # Errors
    /// A plan that cannot be run, a file that cannot be made.
    pub fn begin(
        path: &Path,
        plan: Plan,
        history: &[HistoryChunk],
        venue: impl FnOnce(&Plan, &Market) -> Result<V, PlanError>,
    ) -> Result<Recorder<V>, RecorderError> {
        // From what is written down, so that a replay begins with the same bits.
        let market = plan.market(history)?;
        let venue = venue(&plan, &market)?;
        let session = Session::new(plan, market, venue)?;
        let journal = Journal::create(path, session.plan(), history)?;
        Ok(Recorder { session, journal })
    }

    /// Writes an input down and takes it. The outputs are to be carried out in their order.
    ///
    /// # Errors
    /// When the input could not be written down, nothing was done. When an order could not be, the session has
    /// taken the input, but nothing of it may be carried out.
    pub fn handle(&mut self, input: &Input) -> Result<Vec<Output>, RecorderError> {
        self.journal.input(input)?;
        let outputs = self.session.handle(input)?;
        let orders = outputs.iter().filter_map(|output| match output {
            Output::Order(line) => Some(Record::Out(line.clone())),
            _ => None,
        });
        let orders: Vec<Record> = orders.collect();
        if !orders.is_empty() {
            self.journal.append_all(&orders)?;
        }
        Ok(outputs)
    }

    /// Takes an input without writing it down: to close what is open when nothing can be written any more. The journal
    /// ends before it.
    ///
    /// # Errors
    /// A mistake of the program.
    pub fn handle_unwritten(&mut self, input: &Input) -> Result<Vec<Output>, RecorderError> {
        Ok(self.session.handle(input)?)
    }

    /// The session.
    pub fn session(&self) -> &Session<V> {
        &self.session
    }

    /// The journal.
    pub fn journal(&mut self) -> &mut Journal {
        &mut self.journal
    }
}

impl Recorder<SimVenue> {
    /// Goes on with a session on the simulated venue whose process ended. What its journal has not got, though it
    /// follows from the last input, is written now and given back.
    ///
    /// # Errors
    /// A journal that is not sound, that leads to other orders than it has, or of a session on a broker.
    pub fn resume(path: &Path) -> Result<(Recorder<SimVenue>, Vec<String>), RecorderError> {
        match reopen(path)? {
            (AnySession::Sim(session), journal, unwritten) => Ok((Recorder { session: *session, journal }, unwritten)),
            (AnySession::Live(_), ..) => Err(RecorderError::OtherVenue { expected: "the simulated venue" }),
        }
    }
}

impl Recorder<LiveVenue> {
    /// Goes on with a session on a broker whose process ended. The outputs are to be carried out: they ask the
    /// broker for everything whose state is not certain.
    ///
    /// # Errors
    /// A journal that is not sound, that leads to other orders than it has, or of a session on the simulated venue.
    pub fn resume(path: &Path) -> Result<(Recorder<LiveVenue>, Vec<Output>), RecorderError> {
        match reopen(path)? {
            (AnySession::Live(session), journal, _) => {
                let mut recorder = Recorder { session: *session, journal };
                // An input like any other: what follows from it must follow again.
                let restarted = Input::Broker { time: recorder.session.now(), broker: BrokerEvent::Restarted };
                let outputs = recorder.handle(&restarted)?;
                Ok((recorder, outputs))
            }
            (AnySession::Sim(_), ..) => Err(RecorderError::OtherVenue { expected: "a broker" }),
        }
    }
}

/// Reads a journal, takes its inputs again, and writes down what is missing in it.
fn reopen(path: &Path) -> Result<(AnySession, Journal, Vec<String>), RecorderError> {
    let (mut journal, contents) = Journal::open(path)?;
    let (replay, session) = rerun(path, &contents)?;
    if let Some(divergence) = replay.divergence {
        return Err(RecorderError::Diverged(divergence));
    }
    for line in &replay.unwritten {
        journal.append(&Record::Out(line.clone()))?;
    }
    Ok((session, journal, replay.unwritten))
}

impl std::fmt::Display for Divergence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = |line: &Option<String>| line.clone().unwrap_or_else(|| "no order".to_string());
        write!(f, "record {}: expected {}, found {}", self.record, text(&self.expected), text(&self.found))
    }
}
