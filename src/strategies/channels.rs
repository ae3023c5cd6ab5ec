//! `donchian`: breakouts of the highest high and the lowest low of the bars before.

use super::hold_signal::HoldSignal;
use super::params::{ParamKind, ParamSpec, Params};
use super::target::{DIRECTION, QTY, WEIGHT, position_size};
use crate::indicators::Indicator;

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
pub(super) fn donchian_breakout(params: &Params, fractional: bool) -> HoldSignal {
    let channel = |name: &str, default| Indicator::Donchian { period: params.int(name).unwrap_or(default) };
    let channels = [channel("entry", 20), channel("exit", 10)];
    let size = position_size(params, fractional);
    HoldSignal::new("donchian", size, move |setup, symbol| {
        let mut side = 0;
        // (high, low) of the entry's and of the exit's channel at the bar before.
        let mut before = [f64::NAN; 4];
        setup.signal(symbol, &channels, move |bar| {
            let [high, low, exit_high, exit_low] = before;
            // Outputs of a channel: high, middle, low.
            before = [bar.values[0], bar.values[2], bar.values[3], bar.values[5]];
            if high.is_nan() || exit_high.is_nan() {
                return (side, "");
            }
            if (side > 0 && bar.close < exit_low) || (side < 0 && bar.close > exit_high) {
                side = 0;
            }
            if bar.close > high {
                side = 1;
            } else if bar.close < low && size.long_short {
                side = -1;
            }
            (side, if side == 0 { "channel exit" } else { "channel breakout" })
        })
    })
}
