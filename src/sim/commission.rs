//! Commission models.

use super::fees::{section_31, trading_activity};
use crate::trading::Side;
use chrono::NaiveDate;
use std::fmt;
use std::str::FromStr;

/// A name of a model or rule that is not known, or parameters it cannot take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{found}' is not a {what}; expected {expected}")]
pub struct CostModelError {
    what: &'static str,
    found: String,
    expected: &'static str,
}

impl CostModelError {
    pub(super) fn new(what: &'static str, found: &str, expected: &'static str) -> CostModelError {
        CostModelError { what, found: found.to_string(), expected }
    }
}

/// What a broker charges for an order. Amounts are dollars, not rounded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Commission {
    None,
    /// Basis points of the notional.
    Bps(f64),
    /// `min(max(rate x shares, min), max_pct / 100 x notional)` over the whole order.
    PerShare {
        rate: f64,
        min: f64,
        max_pct: f64,
    },
    /// A fixed amount an order.
    PerOrder(f64),
    /// No commission; SEC and TAF fees on sales.
    Alpaca,
    /// 0.005 a share, at least 1, at most 1 % of the notional; SEC and TAF fees on sales
    /// (interactivebrokers.com, US stocks, fixed pricing).
    IbkrFixed,
    /// 0.0035 a share, at least 0.35, at most 1 % of the notional (first volume tier); 0.0002 a share for
    /// clearing, 0.003 a share for taking liquidity, NYSE and FINRA pass-through of 0.000175 and 0.00056 of the
    /// commission; SEC and TAF fees on sales (interactivebrokers.com, US stocks, tiered pricing).
    IbkrTiered,
    /// No commission; SEC and TAF fees on sales (tradier.com, US stocks and ETFs).
    Tradier,
}

impl Commission {
    /// What an order costs after `qty` shares for `notional` dollars of it are filled.
    pub fn fee(&self, side: Side, qty: f64, notional: f64, date: NaiveDate) -> f64 {
        let regulatory = || match side {
            Side::Buy => 0.0,
            Side::Sell => section_31(notional, date) + trading_activity(qty, date),
        };
        match *self {
            Commission::None => 0.0,
            Commission::Bps(bps) => notional * bps / 1e4,
            Commission::PerShare { rate, min, max_pct } => per_share(qty, notional, rate, min, max_pct),
            Commission::PerOrder(amount) => amount,
            Commission::Alpaca | Commission::Tradier => regulatory(),
            Commission::IbkrFixed => per_share(qty, notional, 0.005, 1.0, 1.0) + regulatory(),
            Commission::IbkrTiered => {
                let commission = per_share(qty, notional, 0.0035, 0.35, 1.0);
                commission * (1.0 + 0.000_175 + 0.000_56) + qty * (0.000_2 + 0.003) + regulatory()
            }
        }
    }

    /// The model of a broker named as in BROKER_NAME; `SIM` charges nothing.
    pub fn of_broker(name: &str) -> Option<Commission> {
        match name {
            "ALPACA" => Some(Commission::Alpaca),
            "IBKR" => Some(Commission::IbkrFixed),
            "TRADIER" => Some(Commission::Tradier),
            "SIM" => Some(Commission::None),
            _ => None,
        }
    }
}

fn per_share(qty: f64, notional: f64, rate: f64, min: f64, max_pct: f64) -> f64 {
    (qty * rate).max(min).min(notional * max_pct / 100.0)
}

/// The name and the values of `name:value:value`.
pub(super) fn parts(text: &str) -> (&str, Vec<&str>) {
    let mut pieces = text.split(':');
    (pieces.next().unwrap_or(""), pieces.collect())
}

/// A finite number.
pub(super) fn number(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|v| v.is_finite())
}

impl fmt::Display for Commission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Commission::None => write!(f, "none"),
            Commission::Bps(bps) => write!(f, "bps:{bps}"),
            Commission::PerShare { rate, min, max_pct } => {
                write!(f, "per_share:{rate}:min={min}")?;
                if max_pct.is_finite() { write!(f, ":max_pct={max_pct}") } else { Ok(()) }
            }
            Commission::PerOrder(amount) => write!(f, "per_order:{amount}"),
            Commission::Alpaca => write!(f, "alpaca"),
            Commission::IbkrFixed => write!(f, "ibkr_fixed"),
            Commission::IbkrTiered => write!(f, "ibkr_tiered"),
            Commission::Tradier => write!(f, "tradier"),
        }
    }
}

impl FromStr for Commission {
    type Err = CostModelError;

    fn from_str(text: &str) -> Result<Commission, CostModelError> {
        let error = || {
            CostModelError::new(
                "commission model",
                text,
                "none, bps:N, per_share:RATE[:min=N][:max_pct=N], per_order:N, alpaca, ibkr_fixed, ibkr_tiered or \
                 tradier, with amounts that are not negative",
            )
        };
        let amount = |text: &str| number(text).filter(|v| *v >= 0.0).ok_or_else(error);
        let (name, values) = parts(text);
        match (name, values.as_slice()) {
            ("none", []) => Ok(Commission::None),
            ("bps", [bps]) => Ok(Commission::Bps(amount(bps)?)),
            ("per_order", [value]) => Ok(Commission::PerOrder(amount(value)?)),
            ("per_share", [rate, options @ ..]) => {
                let (mut min, mut max_pct) = (0.0, f64::INFINITY);
                for option in options {
                    match option.split_once('=') {
                        Some(("min", value)) => min = amount(value)?,
                        Some(("max_pct", value)) => max_pct = amount(value)?,
                        _ => return Err(error()),
                    }
                }
                Ok(Commission::PerShare { rate: amount(rate)?, min, max_pct })
            }
            ("alpaca", []) => Ok(Commission::Alpaca),
            ("ibkr_fixed", []) => Ok(Commission::IbkrFixed),
            ("ibkr_tiered", []) => Ok(Commission::IbkrTiered),
            ("tradier", []) => Ok(Commission::Tradier),
            _ => Err(error()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(y: i32, m: u32, d: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(y, m, d).unwrap()
    }

    #[test]
    fn fees_are_as_computed_by_hand() {
        let date = day(2024, 6, 3);
        let cases = [
            ("none", Side::Sell, 100.0, 10_000.0, 0.0),
            ("bps:10", Side::Buy, 100.0, 10_000.0, 10.0),
            ("per_order:1.5", Side::Buy, 100.0, 10_000.0, 1.5),
            // 100 x 0.005 = 0.50, below the minimum of 1.
            ("per_share:0.005:min=1:max_pct=0.5", Side::Buy, 100.0, 10_000.0, 1.0),
            // 1,000 x 0.005 = 5.
            ("per_share:0.005:min=1:max_pct=0.5", Side::Buy, 1_000.0, 100_000.0, 5.0),
            // 0.5 % of 100 dollars is 0.50, which caps the minimum of 1.
            ("per_share:0.005:min=1:max_pct=0.5", Side::Buy, 1.0, 100.0, 0.5),
            ("alpaca", Side::Buy, 100.0, 10_000.0, 0.0),
            // 10,000 x 27.80 / 1e6 = 0.278 and 100 x 0.000166 = 0.0166.
            ("alpaca", Side::Sell, 100.0, 10_000.0, 0.2946),
            ("ibkr_fixed", Side::Buy, 1_000.0, 50_000.0, 5.0),
            // 0.0035 x 1,000 = 3.50; x 1.000735 = 3.5025725; + 1,000 x 0.0032 = 3.20.
            ("ibkr_tiered", Side::Buy, 1_000.0, 50_000.0, 6.7025725),
        ];
        for (model, side, qty, notional, expected) in cases {
            let fee = model.parse::<Commission>().unwrap().fee(side, qty, notional, date);
            assert!((fee - expected).abs() < 1e-12, "{model}: {fee} instead of {expected}");
        }
    }

    #[test]
    fn regulatory_fees_follow_the_date_and_the_cap() {
        assert_eq!(section_31(1e6, day(2013, 5, 24)), 22.4);
        assert_eq!(section_31(1e6, day(2013, 5, 25)), 17.4);
        assert_eq!(section_31(1e6, day(2025, 6, 2)), 0.0);
        assert_eq!(section_31(1e6, day(1999, 1, 4)), 15.3);
        assert_eq!(trading_activity(1e6, day(2023, 12, 29)), 7.27);
        assert_eq!(trading_activity(1_000.0, day(2024, 1, 2)), 0.166);
    }

    #[test]
    fn models_print_as_they_are_parsed() {
        for text in [
            "none",
            "bps:10",
            "per_share:0.005:min=1:max_pct=0.5",
            "per_share:0.01:min=0",
            "per_order:1",
            "ibkr_tiered",
        ] {
            assert_eq!(text.parse::<Commission>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_not_a_model_is_refused() {
        for text in ["", "bps", "bps:-1", "bps:NaN", "per_share", "per_share:1:most=2", "per_order:x", "alpacas"] {
            assert!(text.parse::<Commission>().is_err(), "{text}");
        }
    }
}
