//! `open` and `close`: the close of a bar beyond the range of the bars before.

use super::super::params::{ParamError, Params};
use super::clock::Window;
use super::rule::{Rule, Signal};
use crate::market::Nanos;
use crate::settings::{Key, Settings};
use crate::trading::{Columns, Orders, Side, View};

/// Highest high and lowest low of the analysis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Range {
    high: f64,
    low: f64,
}

impl Range {
    /// The range of the bars that lie wholly within the analysis; `None` when there is no such bar.
    fn of(bars: &Columns<'_>, window: &Window, bar_length: Nanos) -> Option<Range> {
        let from = bars.start.partition_point(|&t| t < window.start);
        let to = bars.start.partition_point(|&t| t + bar_length <= window.analysis_end);
        if from >= to {
            return None;
        }
        let high = bars.high[from..to].iter().fold(f64::NEG_INFINITY, |m, &v| if v > m { v } else { m });
        let low = bars.low[from..to].iter().fold(f64::INFINITY, |m, &v| if v < m { v } else { m });
        Some(Range { high, low })
    }

    fn middle(&self) -> f64 {
        (self.high + self.low) / 2.0
    }

    /// The side on which a close is beyond the range widened by `buffer`, and by how much.
    fn broken(&self, close: f64, buffer: f64) -> Option<(Side, f64)> {
        let (above, below) = (self.high * (1.0 + buffer), self.low * (1.0 - buffer));
        if close > above {
            Some((Side::Buy, close / above - 1.0))
        } else if close < below {
            Some((Side::Sell, below / close - 1.0))
        } else {
            None
        }
    }
}

/// Where a breakout is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StopRule {
    None,
    /// The opposite side of the range.
    Range,
    /// The middle of the range.
    Midpoint,
}

/// Stop and target of a breakout.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Protection {
    stop: StopRule,
    /// Distance of the target in multiples of the distance of the stop.
    target_r: Option<f64>,
}

impl Protection {
    fn read(params: &Params) -> Result<Protection, ParamError> {
        let stop = match params.text("stop") {
            "range" => StopRule::Range,
            "midpoint" => StopRule::Midpoint,
            _ => StopRule::None,
        };
        let target_r = params.float("target_r");
        if target_r.is_some() && stop == StopRule::None {
            return Err(params.conflict("target_r is a multiple of the stop's distance: set stop=range or midpoint"));
        }
        Ok(Protection { stop, target_r })
    }

    /// Stop and target for an entry near `close`, when the stop of a position in the direction of the
    /// breakout is at `level(range)`, and of one against it as far beyond the entry.
    fn prices(&self, range: &Range, close: f64, side: Side, fades: bool) -> (Option<f64>, Option<f64>) {
        let sign = side.sign();
        let stop = match (self.stop, fades) {
            (StopRule::None, _) => return (None, None),
            (StopRule::Range, false) => {
                if side == Side::Buy {
                    range.low
                } else {
                    range.high
                }
            }
            (StopRule::Midpoint, false) => range.middle(),
            (StopRule::Range, true) => close - sign * (range.high - range.low),
            (StopRule::Midpoint, true) => close - sign * (range.high - range.low) / 2.0,
        };
        let risk = sign * (close - stop);
        if risk <= 0.0 {
            return (None, None);
        }
        let target = self.target_r.map(|multiple| close + sign * multiple * risk);
        (positive(stop), target.and_then(positive))
    }
}

fn positive(price: f64) -> Option<f64> {
    if price > 0.0 { Some(price) } else { None }
}

/// `open`: long above the range by more than a share of it, short below.
#[derive(Debug)]
pub(super) struct OpeningBreakout {
    buffer: f64,
    protection: Protection,
}

impl OpeningBreakout {
    pub fn new(params: &Params, settings: &Settings) -> Result<OpeningBreakout, ParamError> {
        Ok(OpeningBreakout { buffer: settings.fraction(Key::StratOpenBuffer), protection: Protection::read(params)? })
    }
}

impl Rule for OpeningBreakout {
    type Track = Range;
    const EXITS_WITH_WINDOW: bool = true;

    fn begin(&self, bars: &Columns<'_>, window: &Window, bar_length: Nanos) -> Option<Range> {
        Range::of(bars, window, bar_length)
    }

    fn signal(&self, range: &mut Range, bars: &Columns<'_>) -> Option<Signal> {
        let close = *bars.close.last()?;
        let (side, strength) = range.broken(close, self.buffer)?;
        let (stop, target) = self.protection.prices(range, close, side, false);
        Some(Signal { side, strength, stop, target, reason: "range breakout" })
    }
}

/// `close`: with or against a break of the detection range, while volatility is high enough.
#[derive(Debug)]
pub(super) struct LateBreakout {
    buffer: f64,
    fades: bool,
    /// Entries only on the side on which the session stands against its open.
    with_session: bool,
    vix_threshold: f64,
    protection: Protection,
}

/// Sessions after which a close of the volatility index is too old.
const MAX_VIX_AGE: usize = 5;

impl LateBreakout {
    pub fn new(params: &Params, settings: &Settings) -> Result<LateBreakout, ParamError> {
        Ok(LateBreakout {
            buffer: params.float("buffer").unwrap_or(0.0),
            fades: params.text("mode") == "fade",
            with_session: params.text("trend") == "session",
            vix_threshold: settings.number(Key::StratCloseVixThreshold),
            protection: Protection::read(params)?,
        })
    }
}

impl Rule for LateBreakout {
    type Track = Range;
    const EXITS_WITH_WINDOW: bool = false;

    fn is_allowed(&mut self, view: &View<'_>, orders: &mut Orders<'_>) -> bool {
        match view.vix(MAX_VIX_AGE) {
            Some(vix) => vix >= self.vix_threshold,
            None => {
                orders.warn(if view.has_vix() {
                    format!(
                        "close: in some sessions there was no VIX value at most {MAX_VIX_AGE} sessions old, so it made \
                         no entries in them"
                    )
                } else {
                    "close: no VIX is given, so there are no entries (--vix FILE)".to_string()
                });
                false
            }
        }
    }

    fn begin(&self, bars: &Columns<'_>, window: &Window, bar_length: Nanos) -> Option<Range> {
        Range::of(bars, window, bar_length)
    }

    fn signal(&self, range: &mut Range, bars: &Columns<'_>) -> Option<Signal> {
        let close = *bars.close.last()?;
        let (broken, strength) = range.broken(close, self.buffer)?;
        let side = if self.fades { broken.opposite() } else { broken };
        let session_move = close - *bars.open.first()?;
        if self.with_session && side.sign() * session_move <= 0.0 {
            return None;
        }
        let (stop, target) = self.protection.prices(range, close, side, self.fades);
        let reason = if self.fades { "late fade" } else { "late momentum" };
        Some(Signal { side, strength, stop, target, reason })
    }
}
