//! `rsi_reversion`, `bollinger` and `vwap_reversion`: against a move, back to a middle.

use super::hold_signal::HoldSignal;
use super::params::{ParamError, ParamKind, ParamSpec, Params};
use super::target::{DIRECTION, QTY, WEIGHT, position_size};
use crate::indicators::Indicator;
use crate::trading::{PositionSize, SignalBar};

pub(super) const RSI_PARAMS: &[ParamSpec] = &[
    ParamSpec {
        name: "period",
        kind: ParamKind::Int { min: 2, max: 100_000 },
        default: "14",
        meaning: "Bars of Wilder's RSI.",
    },
    ParamSpec {
        name: "oversold",
        kind: ParamKind::Float { min: 0.0, max: 100.0 },
        default: "30",
        meaning: "Long when the RSI is below this.",
    },
    ParamSpec {
        name: "overbought",
        kind: ParamKind::Float { min: 0.0, max: 100.0 },
        default: "70",
        meaning: "Short when the RSI is above this (long_short only).",
    },
    ParamSpec {
        name: "exit",
        kind: ParamKind::Float { min: 0.0, max: 100.0 },
        default: "50",
        meaning: "A position is closed when the RSI is back at this.",
    },
    QTY,
    WEIGHT,
    DIRECTION,
];

pub(super) const BOLLINGER_PARAMS: &[ParamSpec] = &[
    ParamSpec {
        name: "period",
        kind: ParamKind::Int { min: 2, max: 100_000 },
        default: "20",
        meaning: "Bars of the moving average and the standard deviation.",
    },
    ParamSpec {
        name: "width",
        kind: ParamKind::Float { min: 0.01, max: 20.0 },
        default: "2",
        meaning: "Distance of the bands in standard deviations.",
    },
    QTY,
    WEIGHT,
    DIRECTION,
];

pub(super) const VWAP_PARAMS: &[ParamSpec] = &[
    ParamSpec {
        name: "threshold",
        kind: ParamKind::Float { min: 1e-6, max: 1.0 },
        default: "0.005",
        meaning: "Distance from the session's VWAP at which to enter, as a fraction of it.",
    },
    QTY,
    WEIGHT,
    DIRECTION,
];

/// Where a value stands against its bands: enter long below `low`, enter short above `high`, leave at `middle`.
struct Bands {
    low: f64,
    middle: f64,
    high: f64,
    /// What is compared with the bands.
    value: f64,
}

/// Wilder's RSI against fixed levels.
pub(super) fn rsi_reversion(params: &Params, fractional: bool) -> Result<HoldSignal, ParamError> {
    let period = params.int("period").unwrap_or(14);
    let low = params.float("oversold").unwrap_or(30.0);
    let middle = params.float("exit").unwrap_or(50.0);
    let high = params.float("overbought").unwrap_or(70.0);
    if !(low <= middle && middle <= high) {
        return Err(
            params.conflict(format!("oversold={low}, exit={middle}, overbought={high} must be in ascending order"))
        );
    }
    let size = position_size(params, fractional);
    let bands = move |bar: &SignalBar<'_>| Bands { low, middle, high, value: bar.values[0] };
    Ok(reversion("rsi_reversion", size, [Indicator::Rsi { period }], false, bands))
}

/// The close against its Bollinger bands.
pub(super) fn bollinger(params: &Params, fractional: bool) -> HoldSignal {
    let period = params.int("period").unwrap_or(20);
    let width = params.float("width").unwrap_or(2.0);
    let size = position_size(params, fractional);
    // Its two parts, as the indicator combines them: runs that differ in width alone can share them.
    let parts = [Indicator::Sma { period }, Indicator::StandardDeviation { period }];
    let bands = move |bar: &SignalBar<'_>| {
        let [middle, band] = [bar.values[0], width * bar.values[1]];
        Bands { low: middle - band, middle, high: middle + band, value: bar.close }
    };
    reversion("bollinger", size, parts, false, bands)
}

/// The close against the session's VWAP; out at the session's close, since its bands start anew with every
/// session.
pub(super) fn vwap_reversion(params: &Params, fractional: bool) -> HoldSignal {
    let threshold = params.float("threshold").unwrap_or(0.005);
    let size = position_size(params, fractional);
    let bands = move |bar: &SignalBar<'_>| {
        let vwap = bar.values[0];
        Bands { low: vwap * (1.0 - threshold), middle: vwap, high: vwap * (1.0 + threshold), value: bar.close }
    };
    reversion("vwap_reversion", size, [Indicator::Vwap], true, bands)
}

/// Long below the low band, short above the high band (long_short), out at the middle, and `within_session` also
/// before the session's last bar.
fn reversion<const N: usize>(
    name: &'static str,
    size: PositionSize,
    indicators: [Indicator; N],
    within_session: bool,
    bands: impl Fn(&SignalBar<'_>) -> Bands + Copy + Send + 'static,
) -> HoldSignal {
    HoldSignal::new(name, size, move |setup, symbol| {
        let mut side = 0;
        setup.signal(symbol, &indicators, move |bar| {
            let Bands { low, middle, high, value } = bands(bar);
            if low.is_nan() || middle.is_nan() || high.is_nan() || value.is_nan() {
                return (side, "");
            }
            let mut next = side;
            if (side > 0 && value >= middle) || (side < 0 && value <= middle) {
                next = 0;
            }
            if side == 0 && value < low {
                next = 1;
            } else if side == 0 && value > high && size.long_short {
                next = -1;
            }
            let leaves = within_session && bar.before_last_bar;
            if leaves {
                next = 0;
            }
            side = next;
            let reason = if next == 0 { "back to the middle" } else { "stretched" };
            (side, if leaves { "session end" } else { reason })
        })
    })
}
