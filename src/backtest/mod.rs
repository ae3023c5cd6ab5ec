//! One run from data to result; the result store; verify; report.

mod result;

pub use result::{Ambiguity, Costs, DailyEquity, EquityCurve, RunResult};
