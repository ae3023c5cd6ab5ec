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
pub use self::clock::Window;
use self::reversion::VwapDeviation;
use self::settings::{CLOSE, MID, OPEN, WindowSettings, effective};
use self::strategy::WindowStrategy;
use super::params::{ParamError, Params};
use super::registry::BuildContext;
use crate::market::Session;
use crate::trading::Strategy;

/// The window of a strategy on one date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayWindow {
    /// `open`, `mid` or `close`.
    pub strategy: &'static str,
    /// Whether it is switched on and trades on that day of the week.
    pub enabled: bool,
    /// Cut at the close of the exchange.
    pub window: Window,
}

/// The window of the strategy of that name in a session; `None` for one that has none.
///
/// # Errors
/// Parameters that contradict each other.
pub fn day_window(
    name: &str,
    params: &Params,
    context: &BuildContext,
    session: &Session,
) -> Result<Option<DayWindow>, ParamError> {
    let Some(keys) = [&OPEN, &MID, &CLOSE].into_iter().find(|keys| keys.name == name) else { return Ok(None) };
    let settings = effective(params, context)?;
    let settings = WindowSettings::new(keys, &settings, params, context);
    let enabled = settings.enabled && settings.trades_on(session.date);
    let window = settings.schedule.window(session).cut(session.close);
    Ok(Some(DayWindow { strategy: keys.name, enabled, window }))
}

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
