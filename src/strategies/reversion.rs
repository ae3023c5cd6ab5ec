//! `rsi_reversion`, `bollinger` and `vwap_reversion`: against a move, back to a middle.

use super::params::{ParamError, ParamKind, ParamSpec, Params};
use super::target::{DIRECTION, QTY, Target, WEIGHT};
use crate::indicators::Indicator;
use crate::market::SymbolId;
use crate::trading::{IndicatorId, Orders, Setup, Strategy, View, Wake};

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

/// Where a close stands against its bands: enter long below `low`, enter short above `high`, leave at `middle`.
struct Bands {
    low: f64,
    middle: f64,
    high: f64,
    /// What is compared with the bands.
    value: f64,
}

/// Which bands.
enum Rule {
    Rsi { period: usize, oversold: f64, overbought: f64, exit: f64 },
    Bollinger { period: usize, width: f64 },
    Vwap { threshold: f64 },
}

/// Long below the low band, short above the high band (long_short), out at the middle. `vwap_reversion` is
/// also out at the session's close, since its bands start anew with every session.
pub(super) struct Reversion {
    name: &'static str,
    rule: Rule,
    target: Target,
    symbols: Vec<(SymbolId, IndicatorId, i8)>,
}

impl Reversion {
    pub fn rsi(params: &Params, fractional: bool) -> Result<Reversion, ParamError> {
        let rule = Rule::Rsi {
            period: params.int("period").unwrap_or(14),
            oversold: params.float("oversold").unwrap_or(30.0),
            overbought: params.float("overbought").unwrap_or(70.0),
            exit: params.float("exit").unwrap_or(50.0),
        };
        if let Rule::Rsi { oversold, overbought, exit, .. } = rule
            && !(oversold <= exit && exit <= overbought)
        {
            return Err(params.conflict(format!(
                "oversold={oversold}, exit={exit}, overbought={overbought} must be in ascending order"
            )));
        }
        Reversion::new("rsi_reversion", rule, params, fractional)
    }

    pub fn bollinger(params: &Params, fractional: bool) -> Result<Reversion, ParamError> {
        let rule =
            Rule::Bollinger { period: params.int("period").unwrap_or(20), width: params.float("width").unwrap_or(2.0) };
        Reversion::new("bollinger", rule, params, fractional)
    }

    pub fn vwap(params: &Params, fractional: bool) -> Result<Reversion, ParamError> {
        let rule = Rule::Vwap { threshold: params.float("threshold").unwrap_or(0.005) };
        Reversion::new("vwap_reversion", rule, params, fractional)
    }

    fn new(name: &'static str, rule: Rule, params: &Params, fractional: bool) -> Result<Reversion, ParamError> {
        Ok(Reversion { name, rule, target: Target::new(params, fractional)?, symbols: Vec::new() })
    }

    fn bands(&self, id: IndicatorId, symbol: SymbolId, view: &View<'_>) -> Option<Bands> {
        match self.rule {
            Rule::Rsi { oversold, overbought, exit, .. } => {
                Some(Bands { low: oversold, middle: exit, high: overbought, value: view.indicator(id)? })
            }
            Rule::Bollinger { .. } => Some(Bands {
                high: view.indicator_output(id, 0)?,
                middle: view.indicator_output(id, 1)?,
                low: view.indicator_output(id, 2)?,
                value: view.signal_close(symbol)?,
            }),
            Rule::Vwap { threshold } => {
                let vwap = view.indicator(id)?;
                Some(Bands {
                    low: vwap * (1.0 - threshold),
                    middle: vwap,
                    high: vwap * (1.0 + threshold),
                    value: view.signal_close(symbol)?,
                })
            }
        }
    }
}

impl Strategy for Reversion {
    fn name(&self) -> &str {
        self.name
    }

    fn start(&mut self, setup: &mut Setup<'_>) -> Wake {
        let indicator = match self.rule {
            Rule::Rsi { period, .. } => Indicator::Rsi { period },
            Rule::Bollinger { period, width } => Indicator::Bollinger { period, width },
            Rule::Vwap { .. } => Indicator::Vwap,
        };
        for symbol in setup.symbols() {
            let id = setup.indicator(symbol, indicator);
            self.symbols.push((symbol, id, 0));
        }
        Wake::NEXT_BAR
    }

    fn decide(&mut self, view: &View<'_>, orders: &mut Orders<'_>) -> Wake {
        let leaves = matches!(self.rule, Rule::Vwap { .. }) && view.now() + view.bar_length() >= view.session().close;
        for k in 0..self.symbols.len() {
            let (symbol, id, side) = self.symbols[k];
            if !view.has_bar(symbol) {
                continue;
            }
            let Some(bands) = self.bands(id, symbol, view) else { continue };
            let mut next = side;
            if (side > 0 && bands.value >= bands.middle) || (side < 0 && bands.value <= bands.middle) {
                next = 0;
            }
            if side == 0 && bands.value < bands.low {
                next = 1;
            } else if side == 0 && bands.value > bands.high && self.target.long_short() {
                next = -1;
            }
            if leaves {
                next = 0;
            }
            if next != side {
                self.symbols[k].2 = next;
                let reason = if next == 0 { "back to the middle" } else { "stretched" };
                self.target.go(next, symbol, view, orders, if leaves { "session end" } else { reason });
            }
        }
        Wake::NEXT_BAR
    }
}
