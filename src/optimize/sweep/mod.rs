//! Sweeps: many backtests over one market in memory.
//!
//! ```text
//! method ──propose──> a round of trials ──Evaluate──> Record (trials.jsonl, returns.f64) ──> History
//!    ^                                                                                         │
//!    └─────────────────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! [`Search`] runs rounds. [`Log`] is the record in a folder, the only state of a sweep: everything else there is
//! derived from it.

mod aim;
mod binding;
mod error;
mod evaluate;
mod findings;
mod judgement;
mod log;
mod merge;
mod prune;
mod run;
mod search;
mod spec;
pub mod store;
mod summary;
mod table;
mod trial;

pub use aim::{Aim, AimError};
pub use binding::{Binding, BindingError};
pub use error::SweepError;
pub use evaluate::{EngineEvaluator, Evaluate, Evaluated, Evaluation, Gate};
pub use findings::{at_bounds, importance, neighbours, pareto_front};
pub use judgement::MOST_COMPARED;
pub use log::{Log, Memory, RETURNS_FILE, Record, Rows, TRIALS_LOG, for_each_trial, returns_of};
pub use merge::merge;
pub use prune::{PRUNE_LEVEL, wilcoxon_less};
pub use run::run;
pub use search::{Search, Shard};
pub use spec::{Plan, SweepFile, SweepSpec};
pub use summary::{SweepElapsed, finish};
pub use table::for_each_trial_with;
pub use trial::{Status, TrialRecord};
