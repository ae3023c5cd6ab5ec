//! What is asked of a strategy, and what it may ask for.

use super::{OrderChange, OrderId, OrderRequest, PutContract, Setup, SignalId, View};
use crate::market::{Nanos, SymbolId};

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

    /// For a strategy whose whole rule is to hold, in one symbol, the side that a signal says, by one market order
    /// whenever it changes: which signal, and how large a position. A run may then do without [`Strategy::decide`]
    /// and compute the same orders faster. Asked once, after [`Strategy::start`].
    fn holding(&self) -> Option<Holding> {
        None
    }
}

/// How large a position is, and whether it may be short.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PositionSize {
    /// Shares of a position; `None`: by `weight`.
    pub shares: Option<f64>,
    /// Share of equity at the decision.
    pub weight: f64,
    /// Whether side -1 means short; else it means flat.
    pub long_short: bool,
    /// Whether a quantity by weight may be a fraction of a share.
    pub fractional: bool,
}

/// See [`Strategy::holding`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Holding {
    pub signal: SignalId,
    pub size: PositionSize,
}

/// When a strategy wants to be woken: at the first bar end that satisfies any of the conditions. The cost of
/// a run grows with the number of times a strategy is woken, not with the number of bars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wake {
    /// At the first bar end at or after this instant.
    pub at: Nanos,
    /// When one of its signals changes.
    pub on_signal: bool,
    /// When one of its orders was filled or ended.
    pub on_update: bool,
}

impl Wake {
    /// Not again.
    pub const NEVER: Wake = Wake { at: Nanos::MAX, on_signal: false, on_update: false };
    /// At the next bar end.
    pub const NEXT_BAR: Wake = Wake { at: Nanos::MIN, on_signal: false, on_update: false };
    /// When a signal changes.
    pub const SIGNAL: Wake = Wake { at: Nanos::MAX, on_signal: true, on_update: false };

    /// At the first bar end at or after `time`.
    pub fn at(time: Nanos) -> Wake {
        Wake { at: time, ..Wake::NEVER }
    }

    /// Also when one of its orders was filled or ended.
    pub fn or_update(self) -> Wake {
        Wake { on_update: true, ..self }
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
