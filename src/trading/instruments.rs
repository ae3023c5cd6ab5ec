//! What can be held: the market's symbols, and put options made during a run.

use crate::market::{ActionKind, Bar, Market, Nanos, SymbolId, new_york_time};
use crate::stats::black_scholes;
use chrono::NaiveTime;

/// Shares under one option contract. Quantities of puts are counted in shares (100 = one contract), so that
/// price times quantity is dollars for every instrument.
pub const CONTRACT_SIZE: f64 = 100.0;

/// Nanoseconds in a year of 365 days, the year of option pricing.
const YEAR: f64 = 365.0 * 86_400.0 * 1e9;

/// A European put priced by Black-Scholes-Merton at a constant volatility.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PutContract {
    pub underlying: SymbolId,
    pub strike: f64,
    /// The instant of expiry.
    pub expiry: Nanos,
    /// Annual volatility (0.2 is 20 %).
    pub volatility: f64,
    /// Continuous annual rate.
    pub rate: f64,
}

impl PutContract {
    /// Years of 365 days from an instant to expiry, 0 after it.
    pub fn years(&self, time: Nanos) -> f64 {
        (self.expiry - time).max(0) as f64 / YEAR
    }

    /// Price per share at an underlying price and instant; intrinsic value at and after expiry.
    pub fn price(&self, underlying: f64, time: Nanos) -> f64 {
        black_scholes::put_price(underlying, self.strike, self.years(time), self.rate, self.volatility)
    }
}

/// What the instruments of a run are made of beside the market: the puts made so far, and when prices change over
/// to new shares. With the market of the moment it gives [`Instruments`], so that a market may grow between two
/// looks at it.
#[derive(Debug, Clone)]
pub struct Contracts {
    pub puts: Vec<PutContract>,
    /// By symbol: the instants from which prices are in new shares, ascending, with the new shares for one old.
    splits: Vec<Vec<(Nanos, f64)>>,
}

impl Contracts {
    /// No puts.
    pub fn new(market: &Market) -> Contracts {
        Contracts::with_puts(market, Vec::new())
    }

    /// With puts that are there already.
    pub fn with_puts(market: &Market, puts: Vec<PutContract>) -> Contracts {
        let mut splits = vec![Vec::new(); market.symbols.len()];
        for action in &market.actions {
            if let ActionKind::Split { ratio } = action.kind {
                // Midnight of a session's date: clocks change on Sundays.
                splits[action.symbol.index()].push((new_york_time(action.date, NaiveTime::MIN), ratio));
            }
        }
        Contracts { puts, splits }
    }

    /// Whether an id is that of a put.
    pub fn is_put(&self, symbol: SymbolId) -> bool {
        symbol.index() >= self.splits.len()
    }

    /// The instruments, over a market.
    #[inline]
    pub fn on<'m>(&'m self, market: &'m Market) -> Instruments<'m> {
        Instruments { market, puts: &self.puts, splits: &self.splits }
    }
}

/// The instruments of a run: ids below the number of symbols are symbols, the rest are puts.
#[derive(Debug, Clone, Copy)]
pub struct Instruments<'m> {
    pub market: &'m Market,
    puts: &'m [PutContract],
    splits: &'m [Vec<(Nanos, f64)>],
}

impl<'m> Instruments<'m> {
    /// Number of instruments.
    pub fn len(&self) -> usize {
        self.market.symbols.len() + self.puts.len()
    }

    /// Whether there is no instrument.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The put behind an id, if it is one.
    #[inline]
    pub fn put(&self, symbol: SymbolId) -> Option<&PutContract> {
        symbol.index().checked_sub(self.market.symbols.len()).map(|i| &self.puts[i])
    }

    /// The symbol whose bars drive the instrument: itself, or the underlying of a put.
    #[inline]
    pub fn driver(&self, symbol: SymbolId) -> SymbolId {
        self.put(symbol).map_or(symbol, |p| p.underlying)
    }

    /// Bar `i` of the instrument, whose span is `start..end`. A put falls when its underlying rises, so its
    /// high is its price at the underlying's low; it has no volume of its own.
    pub fn bar(&self, symbol: SymbolId, i: usize, start: Nanos, end: Nanos) -> Bar {
        match self.put(symbol) {
            None => self.market.series[symbol.index()].bar(i),
            Some(put) => {
                let bar = self.market.series[put.underlying.index()].bar(i);
                Bar {
                    open: put.price(bar.open, start),
                    high: put.price(bar.low, start),
                    low: put.price(bar.high, end),
                    close: put.price(bar.close, end),
                    volume: f64::INFINITY,
                }
            }
        }
    }

    /// Value of the instrument at the close of bar `i` of its driver, which ends at `end`, in shares of that bar.
    #[inline]
    pub fn close(&self, symbol: SymbolId, i: usize, end: Nanos) -> f64 {
        match self.put(symbol) {
            None => self.market.series[symbol.index()].close[i],
            Some(put) => put.price(self.market.series[put.underlying.index()].close[i], end),
        }
    }

    /// Value of the instrument at `time`, told by the close of bar `i` of its driver: as [`Instruments::close`],
    /// but where a split lies between the bar and `time`, in the shares of `time`.
    #[inline]
    pub fn old_close(&self, symbol: SymbolId, i: usize, time: Nanos) -> f64 {
        let driver = self.driver(symbol);
        let series = &self.market.series[driver.index()];
        let close = series.close[i] / self.split_ratio(driver, series.start[i], time);
        self.put(symbol).map_or(close, |put| put.price(close, time))
    }

    /// Value of the instrument at the last close known at `step` of `day`, in shares of that day; `None` before
    /// the first bar of its driver.
    #[inline]
    pub fn last_close(&self, symbol: SymbolId, day: usize, step: usize) -> Option<f64> {
        let last = self.market.ended(self.driver(symbol), day, step).checked_sub(1)?;
        Some(self.old_close(symbol, last, self.market.steps[step]))
    }

    /// Shares at `to` for one share at `from`: 1 without a split between them.
    #[inline]
    pub fn split_ratio(&self, symbol: SymbolId, from: Nanos, to: Nanos) -> f64 {
        let splits = &self.splits[symbol.index()];
        splits.iter().filter(|(at, _)| from < *at && *at <= to).fold(1.0, |product, (_, ratio)| product * ratio)
    }

    /// Whether a symbol has a split in the data.
    #[inline]
    pub fn has_splits(&self, symbol: SymbolId) -> bool {
        !self.splits[symbol.index()].is_empty()
    }

    /// The first instant after `time` from which prices of a symbol are in new shares; `Nanos::MAX`: none.
    #[inline]
    pub fn next_split(&self, symbol: SymbolId, time: Nanos) -> Nanos {
        self.splits[symbol.index()].iter().map(|split| split.0).find(|&at| at > time).unwrap_or(Nanos::MAX)
    }

    /// Name in files: the symbol, or `AAPL 2024-01-19 P 150`.
    pub fn name(&self, symbol: SymbolId) -> String {
        match self.put(symbol) {
            None => self.market.symbols[symbol.index()].clone(),
            Some(put) => format!(
                "{} {} P {}",
                self.market.symbols[put.underlying.index()],
                crate::market::format_date(crate::market::new_york_date(put.expiry)),
                put.strike
            ),
        }
    }
}
