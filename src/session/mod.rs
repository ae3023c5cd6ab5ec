//! Live trading without I/O: a session takes what happens, one input after the other, and gives back what to do.
//!
//! The same strategies, core and simulated venue as in a backtest run over bars that arrive. A [`Session`] is a
//! state machine: bars, timers, order updates and commands go in; orders to the venue, stages of the session, log
//! lines and fills come out. It has no clock, file or socket, so that the same inputs give the same outputs: what a
//! [`Journal`] wrote down can be [replayed](replay::replay), and a process that was killed goes on where it was.
//!
//! | file | subject |
//! | --- | --- |
//! | `input`, `output` | what goes in and what comes out |
//! | `plan` | everything a session is made from; the first record of its journal |
//! | `steps` | single bars to steps: when everything that ends at an instant is there |
//! | `machine` | the state machine |
//! | `schedule` | the stage of a session at an instant |
//! | `gate` | orders that wait for somebody's confirmation |
//! | `status` | the snapshot for the dashboard |
//! | `journal` | the append-only file: framing, checksums, writing, reading |
//! | `recorder` | a session with its journal: written down, then acted on |
//! | `replay` | the journal through a session again |
//! | `live` | the venue of a real broker: client order ids, updates, reconciliation |
//! | `day` | a recorded day through a session on a fast clock: TEST_MODE |

pub mod day;
mod gate;
mod input;
pub mod journal;
pub mod live;
mod machine;
mod output;
mod plan;
mod recorder;
pub mod replay;
mod schedule;
mod status;
mod steps;

pub use input::{BarInput, Command, Input};
pub use journal::{Journal, JournalError};
pub use machine::{Session, SessionError, SessionVenue};
pub use output::{LedgerFill, LogEntry, LogEvent, OrderLog, Output, StageChange, UNRESOLVED_LOG};
pub use plan::{HistoryChunk, Mode, OpeningPosition, Plan, PlanError};
pub use recorder::{Recorder, RecorderError};
pub use status::{StatusSnapshot, TradeStatus, WaitingOrder, WindowStatus};
