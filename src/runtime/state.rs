//! The bot's 13 states and the one table of transitions between them.
//!
//! The table is pure: it knows no file, clock or broker. What decides between two targets is in the event, above all
//! whether anything is [`Exposure::Open`]. Two rules shape it: no event leaves open positions in a state that does
//! nothing about them, and no state is without a way back to `idle`.

use std::fmt;
use std::str::FromStr;

/// What the bot is doing: the word in `control/bot_state.txt`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BotState {
    /// Nothing is configured.
    Initialize,
    /// Keys, secrets and databases are being made.
    Provisioning,
    /// Provisioned; the first start checks are under way.
    Bootstrapping,
    /// Ready, not trading.
    Idle,
    /// A session runs and watches; no entries.
    Analyzing,
    /// A session runs and may enter positions.
    Trading,
    /// A session runs and manages what it holds; no entries.
    Monitoring,
    /// Configuration or keys are being changed; writes wait.
    Updating,
    /// Stopped for good after a kill or a limit, flat; waits for somebody to acknowledge it.
    Shutdown,
    /// Positions are being closed in an orderly way.
    GracefulClosingPositions,
    /// Positions are being closed at once.
    EmergencyClosingPositions,
    /// A limit or failure demands closing; the closing has not begun.
    ShutdownTriggered,
    /// Something is wrong that a person must look at; nothing is traded.
    Error,
}

use BotState::{
    Analyzing, Bootstrapping, EmergencyClosingPositions, Error, GracefulClosingPositions, Idle, Initialize, Monitoring,
    Provisioning, Shutdown, ShutdownTriggered, Trading, Updating,
};

impl BotState {
    /// All states, in the order of the specification.
    pub const ALL: [BotState; 13] = [
        Initialize,
        Provisioning,
        Bootstrapping,
        Idle,
        Analyzing,
        Trading,
        Monitoring,
        Updating,
        Shutdown,
        GracefulClosingPositions,
        EmergencyClosingPositions,
        ShutdownTriggered,
        Error,
    ];

    /// The word of the state.
    pub const fn word(self) -> &'static str {
        match self {
            Initialize => "initialize",
            Provisioning => "provisioning",
            Bootstrapping => "bootstrapping",
            Idle => "idle",
            Analyzing => "analyzing",
            Trading => "trading",
            Monitoring => "monitoring",
            Updating => "updating",
            Shutdown => "shutdown",
            GracefulClosingPositions => "graceful_closing_positions",
            EmergencyClosingPositions => "emergency_closing_positions",
            ShutdownTriggered => "shutdown_triggered",
            Error => "error",
        }
    }

    /// The only state in which a position may be entered.
    pub const fn may_enter_positions(self) -> bool {
        matches!(self, Trading)
    }

    /// Whether a trading session runs.
    pub const fn in_session(self) -> bool {
        matches!(self, Analyzing | Trading | Monitoring)
    }

    /// Whether positions are being closed, or are about to be.
    pub const fn is_closing(self) -> bool {
        matches!(self, GracefulClosingPositions | EmergencyClosingPositions | ShutdownTriggered)
    }

    /// Whether trading was stopped for good: it goes on only after somebody has acknowledged that.
    pub const fn is_halted(self) -> bool {
        matches!(self, Shutdown | ShutdownTriggered | EmergencyClosingPositions | Error)
    }

    /// Whether the bot is not set up yet, so that it cannot have positions.
    pub const fn before_first_idle(self) -> bool {
        matches!(self, Initialize | Provisioning | Bootstrapping)
    }

    /// The state after `event`.
    ///
    /// # Errors
    /// [`IllegalTransition`] where the table has no row.
    pub fn next(self, event: Event) -> Result<BotState, IllegalTransition> {
        TRANSITIONS
            .iter()
            .find(|rule| rule.event == event && rule.from.contains(&self))
            .map(|rule| match rule.to {
                Some(to) => to,
                None => self,
            })
            .ok_or(IllegalTransition { from: self, event })
    }
}

impl fmt::Display for BotState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A text that is none of the 13 words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("found {found:?}, expected one of the 13 state words such as idle")]
pub struct UnknownState {
    /// The text, cut to 40 characters.
    pub found: String,
}

impl FromStr for BotState {
    type Err = UnknownState;

    fn from_str(word: &str) -> Result<BotState, UnknownState> {
        BotState::ALL
            .into_iter()
            .find(|state| state.word() == word)
            .ok_or_else(|| UnknownState { found: word.chars().take(40).collect() })
    }
}

/// Whether positions or orders are open. What is not known counts as open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Exposure {
    /// No position and no working order.
    Flat,
    /// A position, a working order, or no knowledge of either.
    Open,
}

use Exposure::{Flat, Open};

/// What can happen to the bot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Event {
    /// The core started and read the state.
    CoreStarted,
    /// A configuration was accepted.
    Configured,
    /// Keys, secrets and databases are there.
    Provisioned,
    /// Provisioning failed and what it made was removed.
    RolledBack,
    /// The first start checks passed.
    Launched,
    /// Somebody started a session.
    Start,
    /// A strategy window began with its analysis.
    AnalysisBegan,
    /// A strategy window began to allow entries.
    EntriesBegan,
    /// Entries ended; positions are managed.
    MonitoringBegan,
    /// All windows of the day are over.
    SessionEnded(Exposure),
    /// Somebody stopped the session.
    Stop(Exposure),
    /// A risk limit was reached, or the broker is lost for good.
    LimitReached(Exposure),
    /// Somebody pulled the kill switch.
    Kill(Exposure),
    /// Closing orders of a triggered shutdown are going out.
    ClosingBegan,
    /// The broker confirms: no position and no order is left.
    Closed,
    /// A change of configuration or keys began.
    UpdateBegan,
    /// The change is complete.
    UpdateEnded,
    /// A check failed, or something broke that a person must look at.
    Fault(Exposure),
    /// An admin acknowledged, and every start check passed.
    Acknowledged,
    /// Everything was reset with the setup token; there is no user.
    Reset,
}

impl Event {
    /// Every event with every exposure.
    pub const ALL: [Event; 25] = [
        Event::CoreStarted,
        Event::Configured,
        Event::Provisioned,
        Event::RolledBack,
        Event::Launched,
        Event::Start,
        Event::AnalysisBegan,
        Event::EntriesBegan,
        Event::MonitoringBegan,
        Event::SessionEnded(Flat),
        Event::SessionEnded(Open),
        Event::Stop(Flat),
        Event::Stop(Open),
        Event::LimitReached(Flat),
        Event::LimitReached(Open),
        Event::Kill(Flat),
        Event::Kill(Open),
        Event::ClosingBegan,
        Event::Closed,
        Event::UpdateBegan,
        Event::UpdateEnded,
        Event::Fault(Flat),
        Event::Fault(Open),
        Event::Acknowledged,
        Event::Reset,
    ];

    /// Whether the event takes risk away: it is carried out even if it can be neither audited nor written down.
    pub const fn reduces_risk(self) -> bool {
        matches!(
            self,
            Event::SessionEnded(_)
                | Event::Stop(_)
                | Event::LimitReached(_)
                | Event::Kill(_)
                | Event::ClosingBegan
                | Event::Closed
                | Event::Fault(_)
                | Event::MonitoringBegan
        )
    }
}

/// A transition that the table does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{event:?} is not possible in state {from}")]
pub struct IllegalTransition {
    /// The state.
    pub from: BotState,
    /// The event.
    pub event: Event,
}

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// The event.
    pub event: Event,
    /// The states in which it may happen.
    pub from: &'static [BotState],
    /// The state afterwards; `None`: unchanged.
    pub to: Option<BotState>,
}

const fn rule(event: Event, from: &'static [BotState], to: BotState) -> Rule {
    Rule { event, from, to: Some(to) }
}

const fn stay(event: Event, from: &'static [BotState]) -> Rule {
    Rule { event, from, to: None }
}

const SESSION: &[BotState] = &[Analyzing, Trading, Monitoring];

/// Every legal transition. A pair of state and event that is in no row is illegal.
pub const TRANSITIONS: &[Rule] = &[
    // The first run.
    rule(Event::Configured, &[Initialize], Provisioning),
    rule(Event::Provisioned, &[Provisioning], Bootstrapping),
    rule(Event::RolledBack, &[Provisioning, Bootstrapping], Initialize),
    rule(Event::Launched, &[Bootstrapping], Idle),
    // A start of the core. Session and closing states stay: the runtime reconciles and sends what follows from it.
    rule(Event::CoreStarted, &[Shutdown, Updating, Idle], Idle),
    stay(
        Event::CoreStarted,
        &[
            Initialize,
            Provisioning,
            Bootstrapping,
            Analyzing,
            Trading,
            Monitoring,
            GracefulClosingPositions,
            EmergencyClosingPositions,
            ShutdownTriggered,
            Error,
        ],
    ),
    // A session.
    rule(Event::Start, &[Idle], Analyzing),
    rule(Event::AnalysisBegan, SESSION, Analyzing),
    rule(Event::EntriesBegan, SESSION, Trading),
    rule(Event::MonitoringBegan, SESSION, Monitoring),
    rule(Event::SessionEnded(Flat), SESSION, Idle),
    rule(Event::SessionEnded(Open), SESSION, GracefulClosingPositions),
    // Somebody stops it. In `idle` there may be positions of an earlier session.
    rule(Event::Stop(Flat), SESSION, Idle),
    rule(Event::Stop(Open), &[Idle, Analyzing, Trading, Monitoring], GracefulClosingPositions),
    stay(Event::Stop(Open), &[GracefulClosingPositions]),
    rule(Event::Stop(Flat), &[GracefulClosingPositions], Idle),
    // A limit stops it. Closing goes on if it is already under way.
    rule(Event::LimitReached(Flat), &[Idle, Analyzing, Trading, Monitoring], Shutdown),
    rule(
        Event::LimitReached(Open),
        &[Idle, Analyzing, Trading, Monitoring, Updating, GracefulClosingPositions],
        ShutdownTriggered,
    ),
    rule(Event::LimitReached(Flat), &[GracefulClosingPositions], Shutdown),
    stay(Event::LimitReached(Open), &[ShutdownTriggered, EmergencyClosingPositions]),
    // The kill switch works wherever something can be open; flat, it stops the session for good.
    rule(
        Event::Kill(Open),
        &[
            Idle,
            Analyzing,
            Trading,
            Monitoring,
            Updating,
            Shutdown,
            GracefulClosingPositions,
            EmergencyClosingPositions,
            ShutdownTriggered,
            Error,
        ],
        EmergencyClosingPositions,
    ),
    rule(
        Event::Kill(Flat),
        &[
            Idle,
            Analyzing,
            Trading,
            Monitoring,
            Updating,
            Shutdown,
            GracefulClosingPositions,
            EmergencyClosingPositions,
            ShutdownTriggered,
        ],
        Shutdown,
    ),
    stay(Event::Kill(Flat), &[Error]),
    // Closing.
    rule(Event::ClosingBegan, &[ShutdownTriggered], EmergencyClosingPositions),
    rule(Event::Closed, &[GracefulClosingPositions], Idle),
    rule(Event::Closed, &[EmergencyClosingPositions, ShutdownTriggered], Shutdown),
    // Changes of configuration and keys.
    rule(Event::UpdateBegan, &[Idle], Updating),
    rule(Event::UpdateEnded, &[Updating], Idle),
    // Faults. Nobody rests in `error` with positions open: they are closed first.
    rule(
        Event::Fault(Flat),
        &[
            Initialize,
            Provisioning,
            Bootstrapping,
            Idle,
            Analyzing,
            Trading,
            Monitoring,
            Updating,
            Shutdown,
            GracefulClosingPositions,
            EmergencyClosingPositions,
            ShutdownTriggered,
            Error,
        ],
        Error,
    ),
    rule(Event::Fault(Open), &[Idle, Analyzing, Trading, Monitoring, Updating, Shutdown], ShutdownTriggered),
    rule(Event::Fault(Open), &[GracefulClosingPositions, EmergencyClosingPositions], EmergencyClosingPositions),
    stay(Event::Fault(Open), &[ShutdownTriggered, Error]),
    // Back to work.
    rule(Event::Acknowledged, &[Error, Shutdown], Idle),
    rule(Event::Reset, &[Error], Initialize),
];

#[cfg(test)]
mod tests;
