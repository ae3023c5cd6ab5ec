//! `donchian`: breakouts of the highest high and the lowest low of the bars before.

use super::params::{ParamError, ParamKind, ParamSpec, Params};
use super::target::{DIRECTION, QTY, Target, WEIGHT};
use crate::indicators::Indicator;
use crate::market::SymbolId;
use crate::trading::{IndicatorId, Orders, Setup, Strategy, View, Wake};

pub(super) const PARAMS: &[ParamSpec] = &[
    ParamSpec {
        name: "entry",
        kind: ParamKind::Int { min: 1, max: 100_000 },
        default: "20",
        meaning: "Enter when a close is beyond the extreme of this many bars before it.",
    },
    ParamSpec {
        name: "exit",
        kind: ParamKind::Int { min: 1, max: 100_000 },
        default: "10",
        meaning: "Leave when a close is beyond the opposite extreme of this many bars before it.",
    },
    QTY,
    WEIGHT,
    DIRECTION,
];

/// The breakout rule of Donchian and the Turtles (Faith 2007, "Way of the Turtle"): the channel of the bars
/// before the current one, so that a bar can break it.
pub(super) struct DonchianBreakout {
    entry: usize,
    exit: usize,
    target: Target,
    symbols: Vec<Channel>,
}

struct Channel {
    symbol: SymbolId,
    entry: IndicatorId,
    exit: IndicatorId,
    side: i8,
    /// (high, low) of both channels at the bar before.
    before: Option<[f64; 4]>,
}

impl DonchianBreakout {
    pub fn new(params: &Params, fractional: bool) -> Result<DonchianBreakout, ParamError> {
        Ok(DonchianBreakout {
            entry: params.int("entry").unwrap_or(20),
            exit: params.int("exit").unwrap_or(10),
            target: Target::new(params, fractional)?,
            symbols: Vec::new(),
        })
    }
}

impl Strategy for DonchianBreakout {
    fn name(&self) -> &str {
        "donchian"
    }

    fn start(&mut self, setup: &mut Setup<'_>) -> Wake {
        for symbol in setup.symbols() {
            let entry = setup.indicator(symbol, Indicator::Donchian { period: self.entry });
            let exit = setup.indicator(symbol, Indicator::Donchian { period: self.exit });
            self.symbols.push(Channel { symbol, entry, exit, side: 0, before: None });
        }
        Wake::NEXT_BAR
    }

    fn decide(&mut self, view: &View<'_>, orders: &mut Orders<'_>) -> Wake {
        for channel in &mut self.symbols {
            if !view.has_bar(channel.symbol) {
                continue;
            }
            let output = |id, k| view.indicator_output(id, k);
            let now =
                [output(channel.entry, 0), output(channel.entry, 2), output(channel.exit, 0), output(channel.exit, 2)];
            let before = channel.before;
            channel.before = match now {
                [Some(a), Some(b), Some(c), Some(d)] => Some([a, b, c, d]),
                _ => None,
            };
            let (Some([high, low, exit_high, exit_low]), Some(close)) = (before, view.signal_close(channel.symbol))
            else {
                continue;
            };
            let mut next = channel.side;
            if (next > 0 && close < exit_low) || (next < 0 && close > exit_high) {
                next = 0;
            }
            if close > high {
                next = 1;
            } else if close < low && self.target.long_short() {
                next = -1;
            }
            if next != channel.side {
                channel.side = next;
                let reason = if next == 0 { "channel exit" } else { "channel breakout" };
                self.target.go(next, channel.symbol, view, orders, reason);
            }
        }
        Wake::NEXT_BAR
    }
}
