//! What brings the market and the time to a session.

use std::time::Duration;

use crate::brokers::BrokerEvent;
use crate::market::Nanos;
use crate::session::Input;

/// What brings the market and the time to a session.
pub trait Feed: Send {
    /// How long until something is due by the clock.
    fn wait(&mut self) -> Duration;

    /// What is due by the clock.
    fn take(&mut self) -> Vec<Input>;

    /// What the clock of the session says.
    fn now(&self) -> Nanos;

    /// Whether the market goes on after the session, so that what is open then can still be closed.
    fn goes_on(&self) -> bool;

    /// A broker said something.
    fn hear(&mut self, event: BrokerEvent) -> Heard;
}

/// What a session has to learn of something that a broker said, and what people may want to know.
#[derive(Debug, Default, PartialEq)]
pub struct Heard {
    pub input: Option<Input>,
    /// Words for the log; `true`: somebody must look.
    pub note: Option<(bool, String)>,
}

impl From<Input> for Heard {
    fn from(input: Input) -> Heard {
        Heard { input: Some(input), note: None }
    }
}
