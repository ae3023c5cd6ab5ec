//! What a strategy asks for before the first bar: indicators, and signals made of them.
//!
//! Both are computed column by column when the run starts. That is no look into the future: a value at bar i is
//! computed from bars up to i only, and the [`View`](super::View) shows values of bars that have ended. Over a market
//! that grows ([`Work::Growing`]) the same values, to the last bit, come from the streaming form of each indicator,
//! one bar after the other: what a bar costs does not depend on how many there were before it.

mod growing;

use crate::indicators::{Average, Indicator, Input, crossover_sides, sides_of_columns};
use crate::market::{Market, SymbolId};
use growing::Growing;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// A column of indicator values asked for in [`Strategy::start`](super::Strategy::start).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndicatorId(usize);

/// A signal asked for in [`Strategy::start`](super::Strategy::start).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignalId(usize);

/// From bar `bar` on a signal says `side`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SignalChange {
    pub bar: u32,
    /// +1 long, 0 flat, -1 short.
    pub side: i8,
    /// Index of [`Signal::reasons`].
    pub reason: u8,
}

/// The side that a rule wants of one symbol, over time. Only changes are kept.
#[derive(Debug, Clone)]
pub(crate) struct Signal {
    pub symbol: SymbolId,
    /// Ascending; before the first one the side is 0.
    pub changes: Vec<SignalChange>,
    pub reasons: Vec<&'static str>,
}

impl Signal {
    fn push(&mut self, bar: u32, side: i8, reason: &'static str) {
        let known = self.reasons.iter().position(|r| *r == reason);
        let reason = known.unwrap_or_else(|| {
            self.reasons.push(reason);
            self.reasons.len() - 1
        });
        self.changes.push(SignalChange { bar, side, reason: reason as u8 });
    }

    /// The reason of a change.
    pub fn reason(&self, change: SignalChange) -> &'static str {
        self.reasons[usize::from(change.reason)]
    }
}

/// One ended bar as the rule of a signal sees it.
#[derive(Debug, Clone, Copy)]
pub struct SignalBar<'a> {
    /// Outputs of the indicators that were asked for, one after the other; NaN during warm-up.
    pub values: &'a [f64],
    /// The close in the prices that indicators see.
    pub close: f64,
    /// Whether the session has at most one more bar: what is held after it is held overnight.
    pub before_last_bar: bool,
}

/// Outputs of one indicator.
type Columns = Arc<Vec<Vec<f64>>>;

/// Indicator columns that many runs over the same market share, so that each is computed once.
#[derive(Debug, Default)]
pub struct ColumnCache {
    columns: Mutex<CachedColumns>,
}

#[derive(Debug, Default)]
struct CachedColumns {
    by_indicator: BTreeMap<(SymbolId, String), Columns>,
    bytes: usize,
}

/// Most bytes that a [`ColumnCache`] keeps. What does not fit is computed where it is needed.
const MOST_CACHED_BYTES: usize = 512 << 20;

impl ColumnCache {
    /// Poisoning is ignored: the map is changed in one step, so that it is whole at any time.
    fn get(&self, key: &(SymbolId, String)) -> Option<Columns> {
        self.columns.lock().unwrap_or_else(PoisonError::into_inner).by_indicator.get(key).cloned()
    }

    fn keep(&self, key: (SymbolId, String), columns: &Columns) {
        let bytes = columns.iter().map(|column| column.len() * size_of::<f64>()).sum::<usize>();
        let mut cached = self.columns.lock().unwrap_or_else(PoisonError::into_inner);
        if cached.bytes + bytes <= MOST_CACHED_BYTES && !cached.by_indicator.contains_key(&key) {
            cached.bytes += bytes;
            cached.by_indicator.insert(key, columns.clone());
        }
    }
}

/// What there is of the market when a strategy starts, and so how its columns are computed.
#[derive(Debug, Clone, Copy)]
pub enum Work<'a> {
    /// All of it: whole columns, which runs may share.
    Whole(Option<&'a ColumnCache>),
    /// What has been so far: bar by bar, to be gone on with as the market grows.
    Growing,
}

/// Indicators and signals of one strategy.
#[derive(Debug, Default)]
pub struct Signals {
    columns: Vec<(SymbolId, Columns)>,
    signals: Vec<Signal>,
    /// How columns and signals go on, parallel to both; empty where the market does not grow.
    growing: Growing,
}

impl Signals {
    /// Value of an output at the last ended bar; `None` while undefined.
    pub(crate) fn value(&self, id: IndicatorId, output: usize, ended: impl Fn(SymbolId) -> usize) -> Option<f64> {
        let (symbol, outputs) = &self.columns[id.0];
        let count = ended(*symbol);
        let value = *outputs[output].get(count.checked_sub(1)?)?;
        if value.is_nan() { None } else { Some(value) }
    }

    pub(crate) fn signal(&self, id: SignalId) -> &Signal {
        &self.signals[id.0]
    }

    pub(crate) fn all(&self) -> &[Signal] {
        &self.signals
    }
}

/// What a strategy may learn and ask for before the first bar.
#[derive(Debug)]
pub struct Setup<'a> {
    market: &'a Market,
    work: Work<'a>,
    signals: Signals,
}

impl<'a> Setup<'a> {
    pub(crate) fn new(market: &'a Market, work: Work<'a>) -> Setup<'a> {
        Setup { market, work, signals: Signals::default() }
    }

    pub(crate) fn into_signals(self) -> Signals {
        self.signals
    }

    /// The symbols of the run in order of name.
    pub fn symbols(&self) -> impl Iterator<Item = SymbolId> + use<> {
        self.market.symbol_ids()
    }

    /// The name of a symbol.
    pub fn symbol_name(&self, symbol: SymbolId) -> &str {
        &self.market.symbols[symbol.index()]
    }

    /// The id of a symbol of the run.
    pub fn symbol(&self, name: &str) -> Option<SymbolId> {
        self.market.symbol(name)
    }

    /// Asks for an indicator of a symbol. Prices are continuous over splits and dividends, in dollars of the
    /// first bar's shares.
    pub fn indicator(&mut self, symbol: SymbolId, indicator: Indicator) -> IndicatorId {
        if let Work::Growing = self.work {
            return self.growing_indicator(symbol, indicator);
        }
        let columns = self.columns(&SignalPrices::new(self.market, symbol), indicator);
        self.signals.columns.push((symbol, columns));
        IndicatorId(self.signals.columns.len() - 1)
    }

    /// Asks for the signal of a crossover: +1 from where fast - slow > tolerance x slow, -1 from where it is not;
    /// 0 before both averages are defined. Its reasons are `above` and `below`.
    pub fn crossover(
        &mut self,
        symbol: SymbolId,
        averages: [Average; 2],
        tolerance: f64,
        [above, below]: [&'static str; 2],
    ) -> SignalId {
        if let Work::Growing = self.work {
            return self.growing_crossover(symbol, averages, tolerance, [above, below]);
        }
        let prices = SignalPrices::new(self.market, symbol);
        let [fast, slow] = averages;
        let sides = if let Work::Whole(Some(_)) = self.work {
            let column = |average: Average| self.columns(&prices, average.indicator());
            let (fast, slow) = (column(fast), column(slow));
            sides_of_columns(&fast[0], &slow[0], tolerance)
        } else {
            crossover_sides(prices.input().close, fast, slow, tolerance)
        };
        let change = |(bar, side): (u32, i8)| SignalChange { bar, side, reason: u8::from(side < 0) };
        let changes = sides.into_iter().map(change).collect();
        self.add(Signal { symbol, changes, reasons: vec![above, below] })
    }

    /// Asks for a signal made by a rule of one's own. The rule is called once for every bar of the symbol, in
    /// order, with the values of some indicators there, and answers the side it wants from the end of that bar on
    /// (+1 long, 0 flat, -1 short) and why. What it must remember it keeps itself.
    pub fn signal(
        &mut self,
        symbol: SymbolId,
        indicators: &[Indicator],
        mut rule: impl FnMut(&SignalBar<'_>) -> (i8, &'static str) + Send + 'static,
    ) -> SignalId {
        if let Work::Growing = self.work {
            return self.growing_signal(symbol, indicators, Box::new(rule));
        }
        let prices = SignalPrices::new(self.market, symbol);
        let columns: Vec<Columns> = indicators.iter().map(|indicator| self.columns(&prices, *indicator)).collect();
        let outputs: Vec<&[f64]> = columns.iter().flat_map(|columns| columns.iter().map(Vec::as_slice)).collect();
        let close = prices.input().close;
        let mut values = vec![f64::NAN; outputs.len()];
        let mut signal = Signal { symbol, changes: Vec::new(), reasons: Vec::new() };
        let mut last = 0;
        for day in 0..self.market.days.len() {
            for i in self.market.day_range(symbol, day) {
                for (value, column) in values.iter_mut().zip(&outputs) {
                    *value = column[i];
                }
                let before_last_bar = is_before_last(self.market, symbol, i, day);
                let (side, reason) = rule(&SignalBar { values: &values, close: close[i], before_last_bar });
                if side != last {
                    last = side;
                    signal.push(i as u32, side, reason);
                }
            }
        }
        self.add(signal)
    }

    fn add(&mut self, signal: Signal) -> SignalId {
        self.signals.signals.push(signal);
        SignalId(self.signals.signals.len() - 1)
    }

    fn columns(&self, prices: &SignalPrices<'_>, indicator: Indicator) -> Columns {
        let Work::Whole(Some(cache)) = self.work else { return Arc::new(indicator.columns(&prices.input())) };
        let key = (prices.symbol, indicator.to_string());
        if let Some(columns) = cache.get(&key) {
            return columns;
        }
        let columns = Arc::new(indicator.columns(&prices.input()));
        cache.keep(key, &columns);
        columns
    }
}

/// See [`SignalBar::before_last_bar`].
fn is_before_last(market: &Market, symbol: SymbolId, i: usize, day: usize) -> bool {
    market.end_of(symbol, i, day) + market.bar_length >= market.days[day].close
}

/// The price columns that indicators see: the market's own where nothing happened to the shares, else
/// columns made continuous by [`Market::signal_factors`].
struct SignalPrices<'a> {
    market: &'a Market,
    symbol: SymbolId,
    session_starts: Vec<u32>,
    adjusted: Option<[Vec<f64>; 4]>,
}

impl<'a> SignalPrices<'a> {
    fn new(market: &'a Market, symbol: SymbolId) -> SignalPrices<'a> {
        let series = &market.series[symbol.index()];
        let mut session_starts = Vec::with_capacity(market.days.len());
        for day in 0..market.days.len() {
            let range = market.day_range(symbol, day);
            if !range.is_empty() {
                session_starts.push(range.start as u32);
            }
        }
        let adjusted = market.signal_factors(symbol).map(|factors| {
            let mut columns = [series.high.clone(), series.low.clone(), series.close.clone(), series.volume.clone()];
            for (k, &(from, factor)) in factors.iter().enumerate() {
                let to = factors.get(k + 1).map_or(series.len(), |next| next.0);
                for column in &mut columns[..3] {
                    column[from..to].iter_mut().for_each(|v| *v *= factor);
                }
                columns[3][from..to].iter_mut().for_each(|v| *v /= factor);
            }
            columns
        });
        SignalPrices { market, symbol, session_starts, adjusted }
    }

    fn input(&self) -> Input<'_> {
        let series = &self.market.series[self.symbol.index()];
        match &self.adjusted {
            None => Input {
                high: &series.high,
                low: &series.low,
                close: &series.close,
                volume: &series.volume,
                session_starts: &self.session_starts,
            },
            Some([high, low, close, volume]) => {
                Input { high, low, close, volume, session_starts: &self.session_starts }
            }
        }
    }
}
