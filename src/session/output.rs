//! What comes out of a session.

use super::live::Request;
use crate::market::{Nanos, format_time};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Something to do, or to tell.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// A line of the order stream ([`crate::engine::OrderStream`]): what the core asked of its venue.
    Order(String),
    /// Something to ask of the broker.
    Request(Request),
    /// The session came to another stage.
    Stage(StageChange),
    /// Something for the logs.
    Log(LogEntry),
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

/// The log of what somebody may have to look at.
pub const UNRESOLVED_LOG: &str = "unresolved_orders.log";

/// Something for the logs. Nothing is made into text before somebody writes it: the orders come first.
#[derive(Debug, Clone, PartialEq)]
pub struct LogEntry {
    pub time: Nanos,
    /// Whose it is; none: the session's.
    pub strategy: Option<String>,
    pub event: LogEvent,
}

/// What there is to log.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum LogEvent {
    /// An order came to another state.
    Order(OrderLog),
    /// The core warns.
    Warning { warning: String },
    /// Somebody may have to look.
    Note { note: String },
}

/// The new state of an order.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OrderLog {
    pub order: u32,
    pub instrument: String,
    /// `buy` or `sell`.
    pub side: &'static str,
    #[serde(rename = "type")]
    pub order_type: &'static str,
    pub qty: f64,
    /// By name: `Filled`.
    pub state: &'static str,
    pub filled: f64,
    pub reason: &'static str,
    /// It was refused, or nobody knows what became of it.
    #[serde(skip)]
    pub is_unresolved: bool,
}

impl LogEntry {
    /// Whether it belongs in [`UNRESOLVED_LOG`], too.
    pub fn is_unresolved(&self) -> bool {
        match &self.event {
            LogEvent::Order(order) => order.is_unresolved,
            LogEvent::Warning { .. } => false,
            LogEvent::Note { .. } => true,
        }
    }

    /// The names of its log files: [`UNRESOLVED_LOG`], and one named after the strategy.
    pub fn files(&self) -> Vec<String> {
        let unresolved = self.is_unresolved().then(|| UNRESOLVED_LOG.to_string());
        unresolved.into_iter().chain(self.strategy.as_ref().map(|strategy| format!("{strategy}.log"))).collect()
    }

    /// All of it by name.
    pub fn fields(&self) -> Map<String, Value> {
        let mut fields = Map::from_iter([("time".to_string(), json!(format_time(self.time)))]);
        fields.extend(self.strategy.iter().map(|strategy| ("strategy".to_string(), json!(strategy))));
        // A struct of texts and numbers: nothing in it has no JSON.
        if let Ok(Value::Object(event)) = serde_json::to_value(&self.event) {
            fields.extend(event);
        }
        fields
    }

    /// The line for a file: one JSON object.
    pub fn line(&self) -> String {
        Value::Object(self.fields()).to_string()
    }
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
