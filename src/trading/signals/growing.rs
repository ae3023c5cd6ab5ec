//! Indicators and signals over a market that grows.

use super::{IndicatorId, Setup, Signal, SignalBar, SignalId, Signals, is_before_last};
use crate::indicators::{Average, Indicator, Stream};
use crate::market::{Bar, Market, SymbolId};
use std::fmt;
use std::sync::Arc;

/// See [`Setup::signal`].
type Rule = Box<dyn FnMut(&SignalBar<'_>) -> (i8, &'static str) + Send>;

/// See [`Market::signal_factors`].
type Factors = Option<Vec<(usize, f64)>>;

/// How the columns and signals of a strategy go on.
#[derive(Debug, Default)]
pub(super) struct Growing {
    streams: Vec<Stream>,
    makers: Vec<Maker>,
}

/// How one signal goes on.
struct Maker {
    streams: Vec<Stream>,
    values: Vec<f64>,
    rule: Rule,
    /// The side after the last bar.
    last: i8,
}

impl fmt::Debug for Maker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Maker").field("streams", &self.streams).field("last", &self.last).finish_non_exhaustive()
    }
}

impl Maker {
    fn take(&mut self, bar: &NewBar, signal: &mut Signal) {
        self.values.clear();
        for stream in &mut self.streams {
            self.values.extend_from_slice(stream.update(&bar.prices, bar.begins_session));
        }
        let seen = SignalBar { values: &self.values, close: bar.prices.close, before_last_bar: bar.is_before_last };
        let (side, reason) = (self.rule)(&seen);
        if side != self.last {
            self.last = side;
            signal.push(bar.index as u32, side, reason);
        }
    }
}

/// A bar in the prices that indicators see.
struct NewBar {
    prices: Bar,
    index: usize,
    begins_session: bool,
    is_before_last: bool,
}

impl NewBar {
    /// Bar `i` of `symbol`, which lies on `day`.
    fn new(market: &Market, symbol: SymbolId, factors: &Factors, day: usize, i: usize) -> NewBar {
        let mut prices = market.series[symbol.index()].bar(i);
        if let Some(factors) = factors
            && let Some(known) = factors.partition_point(|f| f.0 <= i).checked_sub(1)
        {
            let factor = factors[known].1;
            prices.high *= factor;
            prices.low *= factor;
            prices.close *= factor;
            prices.volume /= factor;
        }
        NewBar {
            prices,
            index: i,
            begins_session: i == market.day_range(symbol, day).start,
            is_before_last: is_before_last(market, symbol, i, day),
        }
    }
}

/// The bars of a symbol so far, in order.
fn bars_so_far(market: &Market, symbol: SymbolId) -> impl Iterator<Item = NewBar> {
    let factors = market.signal_factors(symbol);
    let bars = (0..market.days.len()).flat_map(move |day| market.day_range(symbol, day).map(move |i| (day, i)));
    bars.map(move |(day, i)| NewBar::new(market, symbol, &factors, day, i))
}

fn push_outputs(stream: &mut Stream, columns: &mut [Vec<f64>], bar: &NewBar) {
    let outputs = stream.update(&bar.prices, bar.begins_session);
    for (column, value) in columns.iter_mut().zip(outputs) {
        column.push(*value);
    }
}

impl Setup<'_> {
    pub(super) fn growing_indicator(&mut self, symbol: SymbolId, indicator: Indicator) -> IndicatorId {
        let mut stream = indicator.stream();
        let mut columns = vec![Vec::new(); indicator.output_names().len()];
        for bar in bars_so_far(self.market, symbol) {
            push_outputs(&mut stream, &mut columns, &bar);
        }
        self.signals.columns.push((symbol, Arc::new(columns)));
        self.signals.growing.streams.push(stream);
        IndicatorId(self.signals.columns.len() - 1)
    }

    pub(super) fn growing_crossover(
        &mut self,
        symbol: SymbolId,
        averages: [Average; 2],
        tolerance: f64,
        [above, below]: [&'static str; 2],
    ) -> SignalId {
        // The terms of [`crossover_sides`](crate::indicators::crossover_sides).
        let rule = move |bar: &SignalBar<'_>| {
            let (fast, slow) = (bar.values[0], bar.values[1]);
            if fast.is_nan() || slow.is_nan() {
                (0, "")
            } else if fast - slow > tolerance * slow {
                (1, above)
            } else {
                (-1, below)
            }
        };
        self.growing_signal(symbol, &averages.map(Average::indicator), Box::new(rule))
    }

    pub(super) fn growing_signal(&mut self, symbol: SymbolId, indicators: &[Indicator], rule: Rule) -> SignalId {
        let streams: Vec<Stream> = indicators.iter().map(Indicator::stream).collect();
        let mut maker = Maker { streams, values: Vec::new(), rule, last: 0 };
        let mut signal = Signal { symbol, changes: Vec::new(), reasons: Vec::new() };
        for bar in bars_so_far(self.market, symbol) {
            maker.take(&bar, &mut signal);
        }
        self.signals.growing.makers.push(maker);
        self.add(signal)
    }
}

impl Signals {
    /// Takes in the bars that end at `step`, by which the market has grown. `factors` by symbol.
    pub(crate) fn extend(&mut self, market: &Market, factors: &[Factors], day: usize, step: usize) {
        let new_bar = |symbol: SymbolId| {
            let i = market.bar_at(symbol, day, step)?;
            Some(NewBar::new(market, symbol, &factors[symbol.index()], day, i))
        };
        for ((symbol, columns), stream) in self.columns.iter_mut().zip(&mut self.growing.streams) {
            if let Some(bar) = new_bar(*symbol) {
                let columns: &mut Vec<Vec<f64>> = Arc::make_mut(columns);
                push_outputs(stream, columns, &bar);
            }
        }
        for (signal, maker) in self.signals.iter_mut().zip(&mut self.growing.makers) {
            if let Some(bar) = new_bar(signal.symbol) {
                maker.take(&bar, signal);
            }
        }
    }
}
