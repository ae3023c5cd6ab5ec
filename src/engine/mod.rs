//! The trading core: strategies, risk desk and portfolio, without I/O.
//!
//! The core is driven step by step and gives its orders to a [`Venue`](crate::risk::Venue). It cannot tell
//! whether the venue is simulated. A [`Trader`] is a core with its venue, led through the days of a market.

mod core;
mod limit;
mod order_stream;
mod trader;

pub use core::{Core, StrategySetup};
pub(crate) use limit::{LOSS_LIMIT, Limit, MARGIN_CALL};
pub use order_stream::{OrderStream, Recorded, fill_line};
pub use trader::Trader;
pub(crate) use trader::mark_all;
