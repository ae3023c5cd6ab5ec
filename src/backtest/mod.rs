//! One run from data to result; the result store; verify; report.

mod assumptions;
mod execute;
mod marking;
pub mod report;
mod result;
mod run;
mod signal_path;
mod spec;
pub mod store;

pub use crate::trading::Costs;
pub use execute::{ExecuteError, Execution, execute, execute_on, metrics, prices_of_trades};
pub use result::{Ambiguity, DailyEquity, EquityCurve, RunResult, RunSummary, daily_returns};
pub use run::{Interrupted, RunConfig, Runner, run, run_sessions};
pub use spec::{AccountSpec, InputFile, RunSpec, SpecError, StrategyChoice, VERSION, defense};
