//! Backtests and sweeps that are started from the browser.

mod progress;

pub use progress::{Best, Phase, Progress, Report, Unit};
