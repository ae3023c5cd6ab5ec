//! `buy_and_hold`: buys every symbol at its first bar and keeps it.

use super::params::{ParamError, ParamSpec, Params};
use super::target::{QTY, Target, WEIGHT};
use crate::trading::{Orders, Setup, Strategy, View, Wake};

pub(super) const PARAMS: &[ParamSpec] = &[QTY, WEIGHT];

/// The benchmark of every other strategy.
pub(super) struct BuyAndHold {
    target: Target,
    bought: Vec<bool>,
}

impl BuyAndHold {
    pub fn new(params: &Params, fractional: bool) -> Result<BuyAndHold, ParamError> {
        Ok(BuyAndHold { target: Target::new(params, fractional)?, bought: Vec::new() })
    }
}

impl Strategy for BuyAndHold {
    fn name(&self) -> &str {
        "buy_and_hold"
    }

    fn start(&mut self, setup: &mut Setup<'_>) -> Wake {
        self.bought = vec![false; setup.symbols().count()];
        Wake::NEXT_BAR
    }

    fn decide(&mut self, view: &View<'_>, orders: &mut Orders<'_>) -> Wake {
        for symbol in view.symbols() {
            if !self.bought[symbol.index()] && view.has_bar(symbol) {
                self.bought[symbol.index()] = true;
                self.target.go(1, symbol, view, orders, "buy and hold");
            }
        }
        if self.bought.iter().all(|b| *b) { Wake::NEVER } else { Wake::NEXT_BAR }
    }
}
