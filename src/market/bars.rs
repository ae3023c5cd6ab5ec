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

    /// The first `count` bars.
    pub fn prefix(&self, count: usize) -> Bars {
        let cut = |column: &[f64]| column[..count].to_vec();
        Bars {
            start: Arc::new(self.start[..count].to_vec()),
            open: cut(&self.open),
            high: cut(&self.high),
            low: cut(&self.low),
            close: cut(&self.close),
            volume: cut(&self.volume),
            quotes: self.quotes.as_ref().map(|quotes| Quotes {
                bid_open: cut(&quotes.bid_open),
                bid_high: cut(&quotes.bid_high),
                bid_low: cut(&quotes.bid_low),
                bid_close: cut(&quotes.bid_close),
                ask_open: cut(&quotes.ask_open),
                ask_high: cut(&quotes.ask_high),
                ask_low: cut(&quotes.ask_low),
                ask_close: cut(&quotes.ask_close),
            }),
        }
    }

    /// Appends a bar. Quotes that are missing are NaN, also those before the first bar that has some.
    pub fn push(&mut self, start: Nanos, bar: Bar, quote: Option<&QuoteBar>) {
        let before = self.len();
        Arc::make_mut(&mut self.start).push(start);
        self.open.push(bar.open);
        self.high.push(bar.high);
        self.low.push(bar.low);
        self.close.push(bar.close);
        self.volume.push(bar.volume);
        if quote.is_some() && self.quotes.is_none() {
            self.quotes = Some(Quotes::missing(before));
        }
        if let Some(quotes) = &mut self.quotes {
            quotes.push(quote.unwrap_or(&QuoteBar::MISSING));
        }
    }

    /// Bar `i`.
    #[inline]
    pub fn bar(&self, i: usize) -> Bar {
        Bar { open: self.open[i], high: self.high[i], low: self.low[i], close: self.close[i], volume: self.volume[i] }
    }
}

impl QuoteBar {
    /// No side is known.
    pub const MISSING: QuoteBar = QuoteBar {
        bid_open: f64::NAN,
        bid_high: f64::NAN,
        bid_low: f64::NAN,
        bid_close: f64::NAN,
        ask_open: f64::NAN,
        ask_high: f64::NAN,
        ask_low: f64::NAN,
        ask_close: f64::NAN,
    };
}

impl Quotes {
    /// Quotes of `bars` bars that have none.
    fn missing(bars: usize) -> Quotes {
        let column = || vec![f64::NAN; bars];
        Quotes {
            bid_open: column(),
            bid_high: column(),
            bid_low: column(),
            bid_close: column(),
            ask_open: column(),
            ask_high: column(),
            ask_low: column(),
            ask_close: column(),
        }
    }

    fn push(&mut self, quote: &QuoteBar) {
        self.bid_open.push(quote.bid_open);
        self.bid_high.push(quote.bid_high);
        self.bid_low.push(quote.bid_low);
        self.bid_close.push(quote.bid_close);
        self.ask_open.push(quote.ask_open);
        self.ask_high.push(quote.ask_high);
        self.ask_low.push(quote.ask_low);
        self.ask_close.push(quote.ask_close);
    }

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
