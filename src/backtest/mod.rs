//! One run from data to result; the result store; verify; report.

pub mod report;
mod result;
pub mod store;

pub use result::{Ambiguity, Costs, DailyEquity, EquityCurve, RunResult};
