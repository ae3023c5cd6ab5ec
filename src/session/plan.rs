//! Everything a session is made from, in a form that is written to its journal and read back to repeat it.

mod context;
mod history;

use super::live::{LiveVenue, VenueRules};
use crate::backtest::{RunConfig, RunSpec, SpecError, VERSION};
use crate::market::{CALENDAR_VERSION, Calendar, Market, MarketError, MarketParts, Nanos, new_york_date};
use crate::sim::SimVenue;
use crate::trading::AccountKind;
use context::Context;
pub use history::HistoryChunk;
use serde::{Deserialize, Serialize};

/// Longest id of a session: with the number of an order it must fit into 48 characters.
pub const MAX_SESSION_ID: usize = 32;

/// What kind of venue is behind a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// A recorded day on a fast clock, the simulated venue.
    Test,
    /// Live data, the simulated venue.
    Paper,
    /// Live data, a broker with its rules.
    Live(VenueRules),
}

/// What a session is made from, beside the bars of its history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Version of the program.
    pub version: String,
    /// Version of the exchange calendar.
    pub calendar: String,
    /// Id of the session: letters, digits and `-`.
    pub session: String,
    pub mode: Mode,
    /// Strategies with parameters, settings, account, rules of the simulated venue, seed.
    pub spec: RunSpec,
    /// How long after the end of a bar others of the same end are waited for.
    pub grace_ms: u32,
    /// Positions that are there when it begins, left by an earlier session.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub opening: Vec<OpeningPosition>,
    /// Symbols and everything that is known beside their bars.
    context: Context,
}

/// A position at the beginning of a session. Its cost is not in the cash of the specification any more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OpeningPosition {
    pub symbol: String,
    /// Index of the strategy that it belongs to, in order of decision.
    pub strategy: u16,
    /// Signed shares.
    pub qty: f64,
    /// Average price, dollars a share.
    pub price: f64,
    /// Since when.
    pub time: Nanos,
}

/// A session that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    #[error("session id '{0}': expected 1 to {MAX_SESSION_ID} letters, digits and '-'")]
    SessionId(String),
    #[error(
        "the journal is of version {found}, this program is {VERSION}; only the same version gives the same orders"
    )]
    Version { found: String },
    #[error("the journal is of exchange calendar {found}, this program has {CALENDAR_VERSION}")]
    Calendar { found: String },
    #[error("a session takes bars of regular hours only; the data were loaded with extended hours")]
    ExtendedHours,
    #[error("opening position in {symbol}: {reason}")]
    Opening { symbol: String, reason: &'static str },
    #[error("history: {0}")]
    History(String),
    #[error("context: {0}")]
    Context(String),
    #[error(transparent)]
    Spec(#[from] SpecError),
    #[error(transparent)]
    Market(#[from] MarketError),
}

impl Plan {
    /// A plan over what is known before the session, with the history for its journal.
    ///
    /// # Errors
    /// An id that is none, or data of extended hours.
    pub fn new(
        session: &str,
        mode: Mode,
        spec: RunSpec,
        grace_ms: u32,
        before: &MarketParts,
    ) -> Result<(Plan, Vec<HistoryChunk>), PlanError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if session.is_empty() || session.len() > MAX_SESSION_ID || !session.chars().all(allowed) {
            return Err(PlanError::SessionId(session.to_string()));
        }
        if before.extended_hours {
            return Err(PlanError::ExtendedHours);
        }
        let plan = Plan {
            version: VERSION.to_string(),
            calendar: CALENDAR_VERSION.to_string(),
            session: session.to_string(),
            mode,
            spec,
            grace_ms,
            opening: Vec::new(),
            context: Context::new(before),
        };
        Ok((plan, history::chunks(&before.series)))
    }

    /// The market at the start of the session, from the history that was written down.
    ///
    /// # Errors
    /// Another version of program or calendar; a history that does not fit together.
    pub fn market(&self, chunks: &[HistoryChunk]) -> Result<Market, PlanError> {
        if self.version != VERSION {
            return Err(PlanError::Version { found: self.version.clone() });
        }
        if self.calendar != CALENDAR_VERSION {
            return Err(PlanError::Calendar { found: self.calendar.clone() });
        }
        let series = history::series(self.context.symbols(), chunks).map_err(PlanError::History)?;
        let first = series.iter().filter_map(|(_, bars)| bars.start.first()).min();
        let last = series.iter().filter_map(|(_, bars)| bars.start.last()).max();
        let sessions = match (first, last) {
            (Some(&first), Some(&last)) => Calendar::nyse().sessions(new_york_date(first), new_york_date(last)),
            _ => Vec::new(),
        };
        let parts = self.context.parts(series).map_err(PlanError::Context)?;
        Ok(Market::growing(parts, &sessions)?)
    }

    /// The rules and limits of the session.
    ///
    /// # Errors
    /// As [`RunSpec::config`].
    pub fn config(&self, market: &Market) -> Result<RunConfig, PlanError> {
        Ok(self.spec.config(market)?)
    }

    /// The simulated venue of the session.
    ///
    /// # Errors
    /// As [`RunSpec::config`].
    pub fn sim_venue(&self, market: &Market) -> Result<SimVenue, PlanError> {
        let config = self.config(market)?;
        Ok(SimVenue::new(market, config.rules, config.limits.account.kind == AccountKind::Cash))
    }

    /// The venue of the session's broker.
    ///
    /// # Errors
    /// A commission model that is none.
    pub fn live_venue(&self) -> Result<LiveVenue, PlanError> {
        let rules = match self.mode {
            Mode::Live(rules) => rules,
            Mode::Test | Mode::Paper => VenueRules::default(),
        };
        let commission = self.spec.commission.parse().map_err(SpecError::Model)?;
        Ok(LiveVenue::new(&self.session, rules, commission))
    }

    /// How long after the end of a bar others of the same end are waited for.
    pub fn grace(&self) -> Nanos {
        i64::from(self.grace_ms) * crate::market::MILLI
    }

    /// Hash of the values of the history, as the loader gave it.
    pub fn data_hash(&self) -> &str {
        self.context.data_hash()
    }
}
