//! `buy_and_hold`: buys every symbol at its first bar and keeps it.

use super::hold_signal::HoldSignal;
use super::params::{ParamSpec, Params};
use super::target::{QTY, WEIGHT, position_size};

pub(super) const PARAMS: &[ParamSpec] = &[QTY, WEIGHT];

/// The benchmark of every other strategy: long from the first bar on.
pub(super) fn buy_and_hold(params: &Params, fractional: bool) -> HoldSignal {
    HoldSignal::new("buy_and_hold", position_size(params, fractional), |setup, symbol| {
        setup.signal(symbol, &[], |_| (1, "buy and hold"))
    })
}
