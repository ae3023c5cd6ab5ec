//! What the three strategies differ in.

use super::clock::Window;
use crate::market::Nanos;
use crate::trading::{Columns, Orders, Side, View};

/// A reason to enter at a bar end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Signal {
    pub side: Side,
    /// How far the close is beyond what it had to pass, as a fraction: the key of `rank=strength`.
    pub strength: f64,
    /// Prices of the signal symbol at which the position is given up, or its aim is reached.
    pub stop: Option<f64>,
    pub target: Option<f64>,
    pub reason: &'static str,
}

/// A rule that turns the bars of a session into signals.
pub(super) trait Rule: Send {
    /// What is kept of one symbol through a window.
    type Track: Copy + Send;

    /// Whether positions are closed at the window's end, rather than a time after their entry.
    const EXITS_WITH_WINDOW: bool;

    /// Whether entries are allowed at all now.
    fn is_allowed(&mut self, _view: &View<'_>, _orders: &mut Orders<'_>) -> bool {
        true
    }

    /// Called after the analysis with the bars since the session's open; `None`: no signal can come.
    fn begin(&self, bars: &Columns<'_>, window: &Window, bar_length: Nanos) -> Option<Self::Track>;

    /// Judges the newest of the bars since the session's open.
    fn signal(&self, track: &mut Self::Track, bars: &Columns<'_>) -> Option<Signal>;
}
