//! The built-in strategies and their registry.

mod averages;
mod buy_and_hold;
mod channels;
mod hold_signal;
mod order_lines;
mod params;
mod registry;
mod reversion;
mod signal_lines;
mod target;
mod windows;

pub use order_lines::{LineAction, LineError, OrderLine, OrdersFromFile, parse_order_lines};
pub use params::{ParamError, ParamKind, ParamSpec, Params};
pub use registry::{BuildContext, StrategySpec, all, find};
pub use signal_lines::{SignalLine, SignalsFromFile, parse_signal_lines};
pub use windows::{DayWindow, Window, day_window};
