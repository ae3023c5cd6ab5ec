//! One run from data to result; the result store; verify; report.

mod marking;
mod result;
mod run;

pub use result::{Ambiguity, DailyEquity, EquityCurve, RunResult};
pub use run::{Interrupted, RunConfig, run};
