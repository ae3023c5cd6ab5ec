//! The general strategies are of one kind: hold the side that a signal says.

use super::target::move_to;
use crate::market::SymbolId;
use crate::risk::signed_shares;
use crate::trading::{Holding, Orders, PositionSize, Setup, SignalId, Strategy, View, Wake};

/// Makes the signal of a symbol.
type MakeSignal = Box<dyn Fn(&mut Setup<'_>, SymbolId) -> SignalId + Send>;

/// One market order brings the position to the side of the signal whenever that changes.
pub(super) struct HoldSignal {
    name: &'static str,
    size: PositionSize,
    make: MakeSignal,
    symbols: Vec<(SymbolId, SignalId, i8)>,
}

impl HoldSignal {
    pub fn new(
        name: &'static str,
        size: PositionSize,
        make: impl Fn(&mut Setup<'_>, SymbolId) -> SignalId + Send + 'static,
    ) -> HoldSignal {
        HoldSignal { name, size, make: Box::new(make), symbols: Vec::new() }
    }
}

impl Strategy for HoldSignal {
    fn name(&self) -> &str {
        self.name
    }

    fn start(&mut self, setup: &mut Setup<'_>) -> Wake {
        for symbol in setup.symbols() {
            let signal = (self.make)(setup, symbol);
            self.symbols.push((symbol, signal, 0));
        }
        Wake::SIGNAL
    }

    fn decide(&mut self, view: &View<'_>, orders: &mut Orders<'_>) -> Wake {
        for (symbol, signal, last) in &mut self.symbols {
            let (side, reason) = view.signal(*signal);
            if side != *last {
                *last = side;
                let wanted = signed_shares(&self.size, side, view.equity(), view.price(*symbol));
                move_to(wanted, *symbol, view, orders, reason);
            }
        }
        Wake::SIGNAL
    }

    fn holding(&self) -> Option<Holding> {
        match self.symbols.as_slice() {
            [(_, signal, _)] => Some(Holding { signal: *signal, size: self.size }),
            _ => None,
        }
    }
}
