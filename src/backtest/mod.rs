//! One run from data to result; the result store; verify; report.

mod marking;
pub mod report;
mod result;
mod run;
pub mod store;

pub use crate::trading::Costs;
pub use result::{Ambiguity, DailyEquity, EquityCurve, RunResult};
pub use run::{Interrupted, RunConfig, run};
