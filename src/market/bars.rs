//! Columnar bar series of one symbol.

use super::Nanos;
use std::sync::Arc;

/// One bar: prices in dollars, volume in shares.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bar {
    pub open: f64,
    pub high: f64,
    pub low: f64,
    pub close: f64,
    pub volume: f64,
}

/// Quote prices of one bar: open, high, low, close of each side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QuoteBar {
    pub bid_open: f64,
    pub bid_high: f64,
    pub bid_low: f64,
    pub bid_close: f64,
    pub ask_open: f64,
    pub ask_high: f64,
    pub ask_low: f64,
    pub ask_close: f64,
}

/// Quote columns, parallel to the bars; NaN where a side is absent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Quotes {
    pub bid_open: Vec<f64>,
    pub bid_high: Vec<f64>,
    pub bid_low: Vec<f64>,
    pub bid_close: Vec<f64>,
    pub ask_open: Vec<f64>,
    pub ask_high: Vec<f64>,
    pub ask_low: Vec<f64>,
    pub ask_close: Vec<f64>,
}

/// Columns of one symbol, ascending in time. All columns have the same length.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Bars {
    /// Start of the bar's span (a daily bar starts at its session's open). Shared by series with the same
    /// times, since minute bars of many symbols repeat them. The end of a span is
    /// [`Market::end_of`](super::Market::end_of).
    pub start: Arc<Vec<Nanos>>,
    pub open: Vec<f64>,
    pub high: Vec<f64>,
    pub low: Vec<f64>,
    pub close: Vec<f64>,
    /// Shares.
    pub volume: Vec<f64>,
    /// Quotes, where the data has them.
    pub quotes: Option<Quotes>,
}

impl Bars {
    /// Number of bars.
    #[inline]
    pub fn len(&self) -> usize {
        self.start.len()
    }

    /// Whether there is no bar.
    pub fn is_empty(&self) -> bool {
        self.start.is_empty()
    }

    /// Bar `i`.
    #[inline]
    pub fn bar(&self, i: usize) -> Bar {
        Bar { open: self.open[i], high: self.high[i], low: self.low[i], close: self.close[i], volume: self.volume[i] }
    }
}

impl Quotes {
    /// Ask - bid at the close of bar `i`, where both sides are present.
    #[inline]
    pub fn spread(&self, i: usize) -> Option<f64> {
        Some(self.ask_close[i] - self.bid_close[i]).filter(|spread| spread.is_finite())
    }

    /// Quote prices of bar `i`.
    #[inline]
    pub fn bar(&self, i: usize) -> QuoteBar {
        QuoteBar {
            bid_open: self.bid_open[i],
            bid_high: self.bid_high[i],
            bid_low: self.bid_low[i],
            bid_close: self.bid_close[i],
            ask_open: self.ask_open[i],
            ask_high: self.ask_high[i],
            ask_low: self.ask_low[i],
            ask_close: self.ask_close[i],
        }
    }
}
