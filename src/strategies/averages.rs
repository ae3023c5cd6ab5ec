//! `sma_cross` and `ema_cross`: the side of a fast moving average against a slow one.

use super::params::{ParamError, ParamKind, ParamSpec, Params};
use super::target::{DIRECTION, QTY, Target, WEIGHT};
use crate::indicators::Average;
use crate::market::SymbolId;
use crate::trading::{CrossoverId, Orders, Setup, Strategy, View, Wake};

/// Exact ties of cent prices must not depend on rounding: the fast average counts as above the slow one
/// only when it is so by more than this share of it.
const TOLERANCE: f64 = 1e-9;

/// Parameters of both.
pub(super) const PARAMS: &[ParamSpec] = &[
    ParamSpec {
        name: "fast",
        kind: ParamKind::Int { min: 1, max: 100_000 },
        default: "20",
        meaning: "Bars of the fast average.",
    },
    ParamSpec {
        name: "slow",
        kind: ParamKind::Int { min: 2, max: 100_000 },
        default: "50",
        meaning: "Bars of the slow average; more than fast.",
    },
    QTY,
    WEIGHT,
    DIRECTION,
];

/// At the end of a bar: long while fast - slow > 1e-9 x slow, else flat (or short). Nothing before the slow
/// average is complete; an order only when the wanted side changes.
pub(super) struct AverageCross {
    name: &'static str,
    fast: Average,
    slow: Average,
    target: Target,
    symbols: Vec<(SymbolId, CrossoverId, i8)>,
}

impl AverageCross {
    pub fn new(
        name: &'static str,
        params: &Params,
        fractional: bool,
        average: fn(usize) -> Average,
    ) -> Result<AverageCross, ParamError> {
        let (fast, slow) = (params.int("fast").unwrap_or(20), params.int("slow").unwrap_or(50));
        if fast >= slow {
            return Err(params.conflict(format!("fast={fast} must be less than slow={slow}")));
        }
        let target = Target::new(params, fractional)?;
        Ok(AverageCross { name, fast: average(fast), slow: average(slow), target, symbols: Vec::new() })
    }
}

impl Strategy for AverageCross {
    fn name(&self) -> &str {
        self.name
    }

    fn start(&mut self, setup: &mut Setup<'_>) -> Wake {
        for symbol in setup.symbols() {
            let crossover = setup.crossover(symbol, self.fast, self.slow, TOLERANCE);
            self.symbols.push((symbol, crossover, 0));
        }
        Wake::CROSSOVER
    }

    fn decide(&mut self, view: &View<'_>, orders: &mut Orders<'_>) -> Wake {
        for (symbol, crossover, last) in &mut self.symbols {
            let side = view.crossover(*crossover);
            if side != *last {
                *last = side;
                let reason = if side > 0 { "cross above" } else { "cross below" };
                self.target.go(side, *symbol, view, orders, reason);
            }
        }
        Wake::CROSSOVER
    }
}
