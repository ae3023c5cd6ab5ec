//! One run from data to result; the result store; verify; report.

mod assumptions;
mod config;
mod execute;
mod general;
mod marking;
pub mod report;
mod result;
mod run;
mod signal_path;
mod spec;
pub mod store;

pub use crate::trading::Costs;
pub use config::{Interrupted, RunConfig};
pub use execute::{ExecuteError, Execution, execute, execute_on, metrics, prices_of_trades, run_id};
pub use result::{Ambiguity, DailyEquity, EquityCurve, RunResult, RunSummary, daily_returns};
pub use run::{Runner, run, run_recorded, run_sessions};
pub use spec::{AccountSpec, InputFile, RunSpec, SpecError, StrategyChoice, VERSION, defense};
