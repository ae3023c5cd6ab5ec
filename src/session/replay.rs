//! The journal through a session again: the same orders, byte for byte, or the program is wrong.

use super::journal::{Contents, JournalError, Record, read};
use super::live::LiveVenue;
use super::machine::{Session, SessionError, SessionVenue};
use super::plan::PlanError;
use super::{Mode, Output};
use crate::sim::SimVenue;
use std::collections::VecDeque;
use std::path::Path;

/// A replay that went wrong, as opposed to one that gave other orders.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error("record {record}: {error}")]
    Session { record: u64, error: SessionError },
    #[error("record {record}: a {kind} record is out of place")]
    OutOfPlace { record: u64, kind: &'static str },
}

/// The first difference between a journal and its replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Divergence {
    /// Number of the record at which it shows.
    pub record: u64,
    /// The order line of the journal; none: the journal has no order there.
    pub expected: Option<String>,
    /// The order line of the replay; none: the replay gives no order there.
    pub found: Option<String>,
}

/// What a replay came to.
#[derive(Debug)]
pub struct Replay {
    pub inputs: u64,
    /// The order stream as far as both agree.
    pub orders: Vec<String>,
    pub divergence: Option<Divergence>,
    /// Orders that follow from the last input and that the journal does not have, because the process died before it
    /// wrote them.
    pub unwritten: Vec<String>,
    /// Bytes of a torn record at the end.
    pub torn: u64,
}

/// Replays the journal in a file.
///
/// # Errors
/// A file that is no sound journal, or that this version cannot run.
pub fn replay(path: &Path) -> Result<Replay, ReplayError> {
    let contents = read(path)?;
    let (replay, _) = rerun(path, &contents)?;
    Ok(replay)
}

/// A session that has taken every input of a journal, whichever venue it stands on.
pub enum AnySession {
    Sim(Box<Session<SimVenue>>),
    Live(Box<Session<LiveVenue>>),
}

/// Runs everything in a journal through a new session.
///
/// # Errors
/// As [`replay`].
pub fn rerun(path: &Path, contents: &Contents) -> Result<(Replay, AnySession), ReplayError> {
    let (plan, history, first) = contents.beginning(path)?;
    let market = plan.market(&history)?;
    let failed = |error| ReplayError::Session { record: 0, error };
    match plan.mode {
        Mode::Test | Mode::Paper => {
            let venue = plan.sim_venue(&market)?;
            let mut session = Session::new(plan, market, venue).map_err(failed)?;
            let replay = run(&mut session, contents, first)?;
            Ok((replay, AnySession::Sim(Box::new(session))))
        }
        Mode::Live(_) => {
            let venue = plan.live_venue()?;
            let mut session = Session::new(plan, market, venue).map_err(failed)?;
            let replay = run(&mut session, contents, first)?;
            Ok((replay, AnySession::Live(Box::new(session))))
        }
    }
}

/// Takes the records from `first` on through `session` and compares.
fn run<V: SessionVenue>(session: &mut Session<V>, contents: &Contents, first: usize) -> Result<Replay, ReplayError> {
    let mut replay =
        Replay { inputs: 0, orders: Vec::new(), divergence: None, unwritten: Vec::new(), torn: contents.torn };
    // Orders of the replay that the journal has not confirmed yet.
    let mut due: VecDeque<String> = VecDeque::new();
    for (k, record) in contents.records.iter().enumerate().skip(first) {
        let number = k as u64;
        match record {
            Record::In(input) => {
                if let Some(found) = due.pop_front() {
                    replay.divergence = Some(Divergence { record: number, expected: None, found: Some(found) });
                    return Ok(replay);
                }
                let outputs = session.handle(input);
                let outputs = outputs.map_err(|error| ReplayError::Session { record: number, error })?;
                replay.inputs += 1;
                due.extend(outputs.into_iter().filter_map(|output| match output {
                    Output::Order(line) => Some(line),
                    _ => None,
                }));
            }
            Record::Out(expected) => {
                let found = due.pop_front();
                if found.as_ref() != Some(expected) {
                    replay.divergence = Some(Divergence { record: number, expected: Some(expected.clone()), found });
                    return Ok(replay);
                }
                replay.orders.push(expected.clone());
            }
            Record::Note(_) => {}
            Record::Plan(_) => return Err(ReplayError::OutOfPlace { record: number, kind: "plan" }),
            Record::History(_) => return Err(ReplayError::OutOfPlace { record: number, kind: "history" }),
        }
    }
    replay.unwritten = due.into();
    Ok(replay)
}
