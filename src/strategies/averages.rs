//! `sma_cross` and `ema_cross`: the side of a fast moving average against a slow one.

use super::hold_signal::HoldSignal;
use super::params::{ParamError, ParamKind, ParamSpec, Params};
use super::target::{DIRECTION, QTY, WEIGHT, position_size};
use crate::indicators::Average;

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
pub(super) fn average_cross(
    name: &'static str,
    params: &Params,
    fractional: bool,
    average: fn(usize) -> Average,
) -> Result<HoldSignal, ParamError> {
    let (fast, slow) = (params.int("fast").unwrap_or(20), params.int("slow").unwrap_or(50));
    if fast >= slow {
        return Err(params.conflict(format!("fast={fast} must be less than slow={slow}")));
    }
    let averages = [average(fast), average(slow)];
    Ok(HoldSignal::new(name, position_size(params, fractional), move |setup, symbol| {
        setup.crossover(symbol, averages, TOLERANCE, ["cross above", "cross below"])
    }))
}
