//! Notices to people: by e-mail, Slack, SMS and PagerDuty.
//!
//! ```text
//! Notifier::tell ──> wanted? seen lately? too many? ──> queue of its level ──> channel of its level
//!                                                                                │ not delivered, critical
//!                                                                                v
//!                                                                      the next channel that is configured
//! ```
//!
//! - **Nobody waits.** [`Notifier::tell`] puts a notice into a bounded queue and returns. Critical and routine notices
//!   have a queue each, so that a mail server that is down does not hold up an alarm.
//! - **Not too often.** The same notice (by its key) is sent once in a while, with the number of those held back; and
//!   there is a rate for all of a level.
//! - **Only where it was told to.** `https`, or services of this machine; no redirect is followed; no proxy is taken
//!   from the environment. E-mail is encrypted unless the server is on this machine.
//! - **No secret leaves.** Errors are words of this room: addresses of hooks are secrets, and what a server says may
//!   repeat one.

mod channels;
mod email;
mod notice;
mod notifier;
mod webhook;

pub use channels::{Channel, Channels};
pub use notice::{Kind, Level, Notice};
pub use notifier::{Attempt, ChannelState, Journal, Notifier, Policy, Rule, Told};

/// Why a notice was not delivered; words without secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeliveryError {
    /// The channel is not configured, or not as it must be.
    #[error("{0}")]
    NotConfigured(String),
    /// It was refused, and would be again.
    #[error("{0}")]
    Refused(String),
    /// It could not be delivered now.
    #[error("{0}")]
    Failed(String),
}

#[cfg(test)]
mod tests;
