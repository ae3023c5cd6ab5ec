//! The trading core: strategies, risk desk and portfolio, without I/O.
//!
//! The core is driven step by step and gives its orders to a [`Venue`](crate::risk::Venue). It cannot tell
//! whether the venue is simulated.

mod core;

pub use core::{Core, StrategySetup};
