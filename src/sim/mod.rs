//! The simulated venue: the path of a bar, matching, latency, slippage, commission.

mod commission;
mod fees;
mod matching;
mod orders;
mod path;
pub mod random;
mod rules;
mod slippage;
mod trailing;
mod venue;

pub use commission::{Commission, CostModelError};
pub use path::{Path, nearer_is_low};
pub use rules::{FillRule, SimRules};
pub use slippage::Slippage;
pub use venue::SimVenue;
