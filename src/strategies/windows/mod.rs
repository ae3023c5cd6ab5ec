//! `open`, `mid` and `close`: one window of the session each, many symbols, at most a few trades.
//!
//! All three share the frame in [`strategy`]: a window of the session, candidates under the filters, trades
//! in order of trigger, short positions in one of three ways, and exits that never leave a position over
//! night. What a signal is differs: [`breakout`] holds the rules of `open` and `close`, [`reversion`] the one
//! of `mid`. The exact rules, with what the specification leaves open, are in `docs/strategies.md`.

mod breakout;
mod clock;
mod filters;
mod params;
mod puts;
mod reversion;
mod rule;
mod settings;
mod shorts;
mod strategy;
mod trade;

pub(super) use params::{CLOSE_PARAMS, MID_PARAMS, OPEN_PARAMS};

use self::breakout::{LateBreakout, OpeningBreakout};
use self::reversion::VwapDeviation;
use self::settings::{CLOSE, MID, OPEN, WindowSettings, effective};
use self::strategy::WindowStrategy;
use super::params::{ParamError, Params};
use super::registry::BuildContext;
use crate::trading::Strategy;

/// The strategy `open`.
pub(super) fn open(params: &Params, context: &BuildContext) -> Result<Box<dyn Strategy>, ParamError> {
    let settings = effective(params, context)?;
    let rule = OpeningBreakout::new(params, &settings)?;
    Ok(Box::new(WindowStrategy::new(WindowSettings::new(&OPEN, &settings, params, context), rule)))
}

/// The strategy `mid`.
pub(super) fn mid(params: &Params, context: &BuildContext) -> Result<Box<dyn Strategy>, ParamError> {
    let settings = effective(params, context)?;
    let rule = VwapDeviation::new(params, &settings)?;
    Ok(Box::new(WindowStrategy::new(WindowSettings::new(&MID, &settings, params, context), rule)))
}

/// The strategy `close`.
pub(super) fn close(params: &Params, context: &BuildContext) -> Result<Box<dyn Strategy>, ParamError> {
    let settings = effective(params, context)?;
    let rule = LateBreakout::new(params, &settings)?;
    Ok(Box::new(WindowStrategy::new(WindowSettings::new(&CLOSE, &settings, params, context), rule)))
}
