//! The core process: what state the bot is in, what that allows, and what was asked of it.
//!
//! [`BotState`] and [`Event`] with one table of transitions say what may happen; [`StateFile`] keeps
//! `control/bot_state.txt` in step; [`phase`] derives what the web may show; [`flags`] are requests that survive a
//! crash.

pub mod api;
mod background;
mod bookkeeping;
pub mod brokerage;
mod clock;
pub mod configuration;
mod core;
mod deed;
pub mod env_file;
pub mod flags;
pub mod gate;
mod house;
pub mod input;
pub mod jobs;
mod json_fault;
pub mod logs;
mod notices;
pub mod openapi;
pub mod password_check;
mod phase;
pub mod protocol;
pub mod provisioning;
mod rebalance;
pub mod recovery;
pub mod reply;
pub mod routes;
pub mod server;
pub mod setup;
pub mod start;
mod state;
mod state_file;
pub mod status;
pub mod stored_settings;
pub mod streams;
mod subscribe;
pub mod test_mode;
pub mod trading;
pub mod transfer;

pub use self::core::{Core, Event as RuntimeEvent};
pub use background::run as run_in_background;
pub use clock::{Clock, ClockSource, FeedClock, NeedsLoopback, TradingClock};
pub use house::{House, StartError};
pub use phase::{Phase, phase};
pub use routes::{Op, Route};
pub use state::{BotState, Event, Exposure, IllegalTransition, Rule, TRANSITIONS, UnknownState};
pub use state_file::{Change, StateError, StateFile};

#[cfg(test)]
pub(crate) mod tests;
