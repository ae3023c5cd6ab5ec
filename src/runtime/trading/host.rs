//! The trading thread: it gives a session what arrives and what is asked, and passes on what comes out.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};

use super::played::PlayedDay;
use super::{Ask, Shared};
use crate::session::{Command, Input, Output, Recorder, RecorderError, StageChange};
use crate::sim::SimVenue;

/// What the trading thread says.
pub enum Told {
    /// What came out of the session.
    Outputs(Vec<Output>),
    /// Nothing more comes.
    Ended(Ending),
}

/// Why nothing more comes.
pub enum Ending {
    /// The session is over.
    Over,
    /// It cannot go on.
    Failed(String),
    /// The process ends; the session goes on in the next one.
    Left,
}

/// The thread's state.
pub struct Host {
    pub recorder: Recorder<SimVenue>,
    pub day: PlayedDay,
    pub asks: Receiver<Ask>,
    pub told: Sender<Told>,
    pub shared: Arc<Shared>,
}

impl Host {
    /// Runs until the session is over, or nobody can ask anything any more.
    pub fn run(mut self) {
        let ending = self.play().unwrap_or_else(|error| Ending::Failed(error.to_string()));
        // What is not on the disk yet is brought there by the journal's own thread, too.
        let _ = self.recorder.journal().sync();
        let _ = self.told.send(Told::Ended(ending));
    }

    fn play(&mut self) -> Result<Ending, RecorderError> {
        while !self.recorder.session().is_over() {
            match self.asks.recv_timeout(self.day.wait()) {
                Ok(ask) => self.ask(ask)?,
                Err(RecvTimeoutError::Timeout) => {
                    for input in self.day.take() {
                        self.take(&input)?;
                    }
                    self.show();
                }
                Err(RecvTimeoutError::Disconnected) => return Ok(Ending::Left),
            }
        }
        self.show();
        Ok(Ending::Over)
    }

    fn ask(&mut self, ask: Ask) -> Result<(), RecorderError> {
        let session = self.recorder.session();
        let is_something = match ask.command {
            Command::Confirm { order } | Command::Decline { order } => session.is_waiting(order),
            _ => true,
        };
        if is_something {
            let time = self.day.now().max(session.now());
            self.take(&Input::Command { time, command: ask.command })?;
            self.show();
        }
        if let Some(answer) = ask.answer {
            // Whoever asked may have gone.
            let _ = answer.send(is_something);
        }
        Ok(())
    }

    fn take(&mut self, input: &Input) -> Result<(), RecorderError> {
        if self.recorder.session().is_over() {
            return Ok(());
        }
        let outputs = self.recorder.handle(input)?;
        let is_last = outputs.iter().any(|output| matches!(output, Output::Stage(change) if ends(*change)));
        if !outputs.is_empty() {
            let _ = self.told.send(Told::Outputs(outputs));
        }
        let session = self.recorder.session();
        if is_last && !session.is_over() {
            let end = Input::Command { time: session.now(), command: Command::EndOfData };
            return self.take(&end);
        }
        Ok(())
    }

    fn show(&self) {
        let session = self.recorder.session();
        self.shared.show(session.status(), session.is_open());
    }
}

/// Whether nothing is left to do in the session after this change.
fn ends(change: StageChange) -> bool {
    match change {
        StageChange::Closed => true,
        StageChange::Stopped { open }
        | StageChange::Killed { open }
        | StageChange::LimitReached { open }
        | StageChange::Ended { open } => !open,
        StageChange::AnalysisBegan | StageChange::EntriesBegan | StageChange::MonitoringBegan => false,
    }
}
