//! What comes out of a session.

use super::live::Request;
use crate::market::Nanos;
use serde::{Deserialize, Serialize};

/// Something to do, or to tell.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// A line of the order stream ([`crate::engine::OrderStream`]): what the core asked of its venue.
    Order(String),
    /// Something to ask of the broker.
    Request(Request),
    /// The session came to another stage.
    Stage(StageChange),
    /// A line for a log file.
    Log(LogLine),
    /// An execution for the ledger.
    Fill(LedgerFill),
}

/// A change of the stage, as the state machine of the bot takes it. `open`: whether positions or orders are open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub enum StageChange {
    /// A window began with its analysis.
    AnalysisBegan,
    /// A window began to allow entries.
    EntriesBegan,
    /// Entries ended; positions are managed.
    MonitoringBegan,
    /// Somebody stopped the session.
    Stopped { open: bool },
    /// Somebody pulled the kill switch.
    Killed { open: bool },
    /// A limit of the account was reached, and the closing orders are out.
    LimitReached { open: bool },
    /// What was to be closed is closed.
    Closed,
    /// All windows of the session are over.
    Ended { open: bool },
}

/// A line for a log file: one JSON object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// `open.log`, `mid.log`, `close.log`, one named after another strategy, or `unresolved_orders.log`.
    pub file: String,
    pub line: String,
}

/// An execution for the ledger. Booking it twice must be booking it once: the execution id tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LedgerFill {
    /// The broker's, or made from session and number of the fill.
    pub execution: String,
    pub time: Nanos,
    pub order: u32,
    pub strategy: String,
    pub instrument: String,
    /// `buy` or `sell`.
    pub side: String,
    pub qty: f64,
    /// Dollars a share.
    pub price: f64,
    /// Dollars.
    pub commission: f64,
}
