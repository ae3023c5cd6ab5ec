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
use self::clock::Schedule;
pub use self::clock::Window;
use self::reversion::VwapDeviation;
use self::settings::{CLOSE, MID, OPEN, WindowKeys, WindowSettings, effective, trading_days};
use self::strategy::WindowStrategy;
use super::params::{ParamError, Params};
use super::registry::BuildContext;
use crate::market::{Nanos, Session};
use crate::settings::{Key, Settings};
use crate::trading::Strategy;
use chrono::Datelike;

/// A window of a strategy on one date, by the settings alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayWindow {
    /// `open`, `mid` or `close`.
    pub strategy: &'static str,
    /// Whether the settings let it run on that date.
    pub enabled: bool,
    /// Where it begins to watch.
    pub start: Nanos,
    /// Where it has watched enough.
    pub analysis_end: Nanos,
    /// Where the last entry may be decided.
    pub entry_end: Nanos,
    /// Where what is left is closed.
    pub end: Nanos,
}

/// The windows of a session, cut at its close.
pub fn day_windows(settings: &Settings, session: &Session) -> Vec<DayWindow> {
    let sequence = match settings.text(Key::StrategyOverride) {
        "" => settings.list(Key::StrategySequence).to_vec(),
        only => vec![only],
    };
    let runs = |keys: &WindowKeys| settings.flag(keys.enabled) && sequence.contains(&keys.name);
    let cut = |t: Nanos| t.min(session.close);
    let of = |keys: &WindowKeys| {
        let window = Schedule::new(keys, settings).window(session);
        DayWindow {
            strategy: keys.name,
            enabled: runs(keys) && trading_days(settings)[session.date.weekday().num_days_from_monday() as usize],
            start: cut(window.start),
            analysis_end: cut(window.analysis_end),
            entry_end: cut(window.entry_end),
            end: cut(window.end),
        }
    };
    [&OPEN, &MID, &CLOSE].map(of).to_vec()
}

/// When the strategy of that name watches, enters and manages in a session; `None` for one that has no window, is
/// switched off, or does not trade on that weekday.
///
/// # Errors
/// Parameters that contradict each other.
pub fn window(
    name: &str,
    params: &Params,
    context: &BuildContext,
    session: &Session,
) -> Result<Option<Window>, ParamError> {
    let Some(keys) = [&OPEN, &MID, &CLOSE].into_iter().find(|keys| keys.name == name) else { return Ok(None) };
    let settings = effective(params, context)?;
    let settings = WindowSettings::new(keys, &settings, params, context);
    let trades = settings.enabled && settings.trades_on(session.date);
    Ok(trades.then(|| settings.schedule.window(session)))
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
