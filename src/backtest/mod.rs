//! One run from data to result; the result store; verify; report.

mod assumptions;
mod execute;
mod marking;
pub mod report;
mod result;
mod run;
mod spec;
pub mod store;

pub use crate::trading::Costs;
pub use execute::{ExecuteError, Execution, daily_returns, execute, execute_on, metrics, prices_of_trades};
pub use result::{Ambiguity, DailyEquity, EquityCurve, RunResult};
pub use run::{Interrupted, RunConfig, run, run_sessions};
pub use spec::{AccountSpec, InputFile, RunSpec, SpecError, StrategyChoice, VERSION, defense};
