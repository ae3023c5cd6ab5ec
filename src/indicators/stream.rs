//! Any indicator, one bar at a time.

use super::averages::{Ema, Sma};
use super::oscillators::{Macd, Rsi};
use super::session::{OpeningRange, Vwap};
use super::spec::Indicator;
use super::volatility::{Atr, Bollinger, Donchian, StandardDeviation};
use crate::market::Bar;

/// The streaming form of an [`Indicator`]; allocates only when it is made.
#[derive(Debug, Clone)]
pub struct Stream {
    state: State,
    values: [f64; 3],
    outputs: usize,
}

#[derive(Debug, Clone)]
enum State {
    Sma(Sma),
    Ema(Ema),
    Rsi(Rsi),
    Atr(Atr),
    StandardDeviation(StandardDeviation),
    Bollinger(Bollinger),
    Donchian(Donchian),
    Macd(Macd),
    Vwap(Vwap),
    OpeningRange(OpeningRange),
}

impl Stream {
    pub(super) fn new(indicator: &Indicator) -> Stream {
        let state = match *indicator {
            Indicator::Sma { period } => State::Sma(Sma::new(period)),
            Indicator::Ema { period } => State::Ema(Ema::new(period)),
            Indicator::Rsi { period } => State::Rsi(Rsi::new(period)),
            Indicator::Atr { period } => State::Atr(Atr::new(period)),
            Indicator::StandardDeviation { period } => State::StandardDeviation(StandardDeviation::new(period)),
            Indicator::Bollinger { period, width } => State::Bollinger(Bollinger::new(period, width)),
            Indicator::Donchian { period } => State::Donchian(Donchian::new(period)),
            Indicator::Macd { fast, slow, signal } => State::Macd(Macd::talib(fast, slow, signal)),
            Indicator::MacdPlain { fast, slow, signal } => State::Macd(Macd::plain(fast, slow, signal)),
            Indicator::Vwap => State::Vwap(Vwap::new()),
            Indicator::OpeningRange { bars } => State::OpeningRange(OpeningRange::new(bars)),
        };
        Stream { state, values: [f64::NAN; 3], outputs: indicator.output_suffixes().len() }
    }

    /// Takes the next bar and returns one value an output, in the order of [`Indicator::output_names`]; NaN
    /// during warm-up. `new_session`: the bar is the first of its session (the very first bar always is).
    #[inline]
    pub fn update(&mut self, bar: &Bar, new_session: bool) -> &[f64] {
        match &mut self.state {
            State::Sma(s) => self.values[0] = s.update(bar.close),
            State::Ema(s) => self.values[0] = s.update(bar.close),
            State::Rsi(s) => self.values[0] = s.update(bar.close),
            State::Atr(s) => self.values[0] = s.update(bar.high, bar.low, bar.close),
            State::StandardDeviation(s) => self.values[..2].copy_from_slice(&s.update(bar.close)),
            State::Bollinger(s) => self.values = s.update(bar.close),
            State::Donchian(s) => self.values = s.update(bar.high, bar.low),
            State::Macd(s) => self.values = s.update(bar.close),
            State::Vwap(s) => self.values[0] = s.update(bar.high, bar.low, bar.close, bar.volume, new_session),
            State::OpeningRange(s) => self.values[..2].copy_from_slice(&s.update(bar.high, bar.low, new_session)),
        }
        &self.values[..self.outputs]
    }
}
