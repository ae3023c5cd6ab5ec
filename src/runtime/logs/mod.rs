//! Logs under `logs/`: what the bot did, one line an event, as JSON or CSV, in UTC. No line holds a secret.
//!
//! | file | content |
//! | --- | --- |
//! | `open.log`, `mid.log`, `close.log` | what each strategy did |
//! | `unresolved_orders.log` | orders that were rejected or whose end is not known |
//! | `error_tracebacks.log` | failures inside the program, with the id of the request |
//! | `core.log` | messages of the core process |
//! | `notifications.log` | notices to people, and what became of each |
//! | `broker_api.log` | what is said to the broker and what it answers; always JSON |
//!
//! A log that has grown to [`MOST_BYTES`] is set aside as `....log.1` and begun anew.

mod book;
mod messages;
mod page;
mod redact;
mod tail;

use serde::{Deserialize, Serialize};

pub use book::{Level, LogBook, LogRule, MOST_BYTES, Record};
pub use messages::{Messages, panic_hook};
pub use page::{LogPage, page};
pub use redact::redacted;
pub use tail::Tail;

/// A log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum LogName {
    /// Of the strategy OPEN.
    #[serde(rename = "open.log")]
    Open,
    /// Of the strategy MID.
    #[serde(rename = "mid.log")]
    Mid,
    /// Of the strategy CLOSE.
    #[serde(rename = "close.log")]
    Close,
    /// Orders that somebody must look at.
    #[serde(rename = "unresolved_orders.log")]
    UnresolvedOrders,
    /// Failures inside the program.
    #[serde(rename = "error_tracebacks.log")]
    ErrorTracebacks,
    /// Messages of the core process; not shown in pages.
    #[serde(rename = "core.log")]
    Core,
    /// Notices to people; not shown in pages.
    #[serde(rename = "notifications.log")]
    Notifications,
    /// What is said to the broker and what it answers; not shown in pages.
    #[serde(rename = "broker_api.log")]
    BrokerApi,
}

impl LogName {
    /// Every log that pages show.
    pub const SHOWN: [LogName; 5] =
        [LogName::Open, LogName::Mid, LogName::Close, LogName::UnresolvedOrders, LogName::ErrorTracebacks];

    /// The name of its file.
    pub const fn name(self) -> &'static str {
        match self {
            LogName::Open => "open.log",
            LogName::Mid => "mid.log",
            LogName::Close => "close.log",
            LogName::UnresolvedOrders => "unresolved_orders.log",
            LogName::ErrorTracebacks => "error_tracebacks.log",
            LogName::Core => "core.log",
            LogName::Notifications => "notifications.log",
            LogName::BrokerApi => "broker_api.log",
        }
    }

    /// Relative to the data folder.
    pub fn path(self) -> String {
        format!("logs/{}", self.name())
    }

    /// The shown log of that name.
    pub fn shown(name: &str) -> Option<LogName> {
        LogName::SHOWN.into_iter().find(|log| log.name() == name)
    }
}
