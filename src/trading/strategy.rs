//! What is asked of a strategy, and what it may ask for.

use super::{OrderChange, OrderId, OrderRequest, PutContract, View};
use crate::indicators::{Average, Indicator, Input, crossover_sides};
use crate::market::{Market, Nanos, SymbolId};

/// A trading strategy. It sees the past and its account through a [`View`] and nothing else: no clock, no
/// random source, no file, no venue. It decides at bar ends only.
pub trait Strategy: Send {
    /// Name in files and parameters.
    fn name(&self) -> &str;

    /// Called once before the first bar: asks for indicators and says when to be woken first.
    fn start(&mut self, setup: &mut Setup<'_>) -> Wake;

    /// Called at the bar ends it asked for. Returns when to be woken next.
    fn decide(&mut self, view: &View<'_>, orders: &mut Orders<'_>) -> Wake;

    /// The name in files of an order that the strategy took from a file.
    fn label(&self, _id: OrderId) -> Option<&str> {
        None
    }
}

/// When a strategy wants to be woken: at the first bar end that satisfies any of the conditions. The cost of
/// a run grows with the number of times a strategy is woken, not with the number of bars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wake {
    /// At the first bar end at or after this instant.
    pub at: Nanos,
    /// When one of its crossovers changes sides.
    pub on_crossover: bool,
    /// When one of its orders was filled or ended.
    pub on_update: bool,
}

impl Wake {
    /// Not again.
    pub const NEVER: Wake = Wake { at: Nanos::MAX, on_crossover: false, on_update: false };
    /// At the next bar end.
    pub const NEXT_BAR: Wake = Wake { at: Nanos::MIN, on_crossover: false, on_update: false };
    /// When a crossover changes sides.
    pub const CROSSOVER: Wake = Wake { at: Nanos::MAX, on_crossover: true, on_update: false };

    /// At the first bar end at or after `time`.
    pub fn at(time: Nanos) -> Wake {
        Wake { at: time, ..Wake::NEVER }
    }

    /// Also when one of its orders was filled or ended.
    pub fn or_update(self) -> Wake {
        Wake { on_update: true, ..self }
    }
}

/// A column of indicator values asked for in [`Strategy::start`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndicatorId(usize);

/// A crossover asked for in [`Strategy::start`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CrossoverId(usize);

/// The side of a fast average against a slow one: +1 above, -1 not above. Only changes are kept.
#[derive(Debug, Clone)]
pub(crate) struct Crossover {
    pub symbol: SymbolId,
    /// (bar, side), ascending; the first entry is the first bar at which both averages are defined.
    pub changes: Vec<(u32, i8)>,
}

/// Indicator columns of one strategy. A value at bar i depends on bars up to i only; the [`View`] shows
/// values of bars that have ended.
#[derive(Debug, Clone, Default)]
pub struct Signals {
    /// (symbol, outputs by index).
    columns: Vec<(SymbolId, Vec<Vec<f64>>)>,
    crossovers: Vec<Crossover>,
}

impl Signals {
    /// Value of an output at bar `i`; `None` while undefined.
    pub(crate) fn value(&self, id: IndicatorId, output: usize, ended: impl Fn(SymbolId) -> usize) -> Option<f64> {
        let (symbol, outputs) = &self.columns[id.0];
        let count = ended(*symbol);
        let value = *outputs[output].get(count.checked_sub(1)?)?;
        if value.is_nan() { None } else { Some(value) }
    }

    pub(crate) fn crossover(&self, id: CrossoverId) -> &Crossover {
        &self.crossovers[id.0]
    }

    pub(crate) fn crossovers(&self) -> &[Crossover] {
        &self.crossovers
    }
}

/// What a strategy may learn and ask for before the first bar.
#[derive(Debug)]
pub struct Setup<'a> {
    market: &'a Market,
    signals: Signals,
}

impl<'a> Setup<'a> {
    pub(crate) fn new(market: &'a Market) -> Setup<'a> {
        Setup { market, signals: Signals::default() }
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
        let prices = SignalPrices::new(self.market, symbol);
        let outputs = indicator.columns(&prices.input());
        self.signals.columns.push((symbol, outputs));
        IndicatorId(self.signals.columns.len() - 1)
    }

    /// Asks for the side of `fast` against `slow`: +1 while fast - slow > tolerance x slow, else -1.
    pub fn crossover(&mut self, symbol: SymbolId, fast: Average, slow: Average, tolerance: f64) -> CrossoverId {
        let prices = SignalPrices::new(self.market, symbol);
        let changes = crossover_sides(prices.input().close, fast, slow, tolerance);
        self.signals.crossovers.push(Crossover { symbol, changes });
        CrossoverId(self.signals.crossovers.len() - 1)
    }
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

/// Something a strategy asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Command {
    Submit(OrderRequest),
    Cancel(OrderId),
    Replace(OrderId, OrderChange),
}

/// Where a strategy puts its orders. Ids are given at once, in order of submission.
#[derive(Debug)]
pub struct Orders<'a> {
    commands: &'a mut Vec<(u16, Command)>,
    puts: &'a mut Vec<PutContract>,
    warnings: &'a mut Vec<String>,
    strategy: u16,
    next_order: u32,
    next_instrument: u32,
}

impl<'a> Orders<'a> {
    pub(crate) fn new(
        commands: &'a mut Vec<(u16, Command)>,
        puts: &'a mut Vec<PutContract>,
        warnings: &'a mut Vec<String>,
        strategy: u16,
        next_order: u32,
        next_instrument: u32,
    ) -> Orders<'a> {
        Orders { commands, puts, warnings, strategy, next_order, next_instrument }
    }

    /// Asks for an order. Whether it is approved is seen from its state at the next decision.
    pub fn submit(&mut self, request: OrderRequest) -> OrderId {
        let id = OrderId(self.next_order);
        self.next_order += 1;
        self.commands.push((self.strategy, Command::Submit(request)));
        id
    }

    /// Asks to cancel an order.
    pub fn cancel(&mut self, id: OrderId) {
        self.commands.push((self.strategy, Command::Cancel(id)));
    }

    /// Asks to change a working order.
    pub fn replace(&mut self, id: OrderId, change: OrderChange) {
        self.commands.push((self.strategy, Command::Replace(id, change)));
    }

    /// Makes a put option that can be traded from now on.
    pub fn put(&mut self, contract: PutContract) -> SymbolId {
        self.puts.push(contract);
        let id = SymbolId(self.next_instrument);
        self.next_instrument += 1;
        id
    }

    /// A sentence for the summary and the report. Repeats are shown once.
    pub fn warn(&mut self, text: String) {
        if !self.warnings.contains(&text) {
            self.warnings.push(text);
        }
    }
}
