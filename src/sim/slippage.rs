//! Slippage models: how far from the path's price a market or stop order fills.

use super::CostModelError;
use super::commission::{number, parts};
use super::random::{Purpose, standard_normal};
use std::fmt;
use std::str::FromStr;

/// A slippage model. Limit fills never slip.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Slippage {
    None,
    /// Percent of the price (0.05: five basis points).
    FixedPct(f64),
    /// Half the spread plus price x k x sqrt(quantity / bar volume). The square-root law of market impact is
    /// the standard first approximation (Torre 1997, BARRA Market Impact Model Handbook; Almgren et al. 2005,
    /// "Direct estimation of equity market impact").
    RuleBased(f64),
    /// Percent drawn once an order from a normal distribution with this mean and standard deviation, neither
    /// truncated nor clamped to the bar.
    Normal {
        mean_pct: f64,
        stddev_pct: f64,
    },
}

impl Slippage {
    /// The percentage of one order, drawn by its number among the orders of its symbol; 0 for the models that
    /// depend on the fill.
    pub fn draw(&self, symbol_key: u64, order_number: u32) -> f64 {
        match *self {
            Slippage::None | Slippage::RuleBased(_) => 0.0,
            Slippage::FixedPct(pct) => pct,
            Slippage::Normal { mean_pct, stddev_pct } => {
                mean_pct + stddev_pct * standard_normal(symbol_key, u64::from(order_number), Purpose::Slippage)
            }
        }
    }

    /// The price of a fill: `side` is +1 for a buy, `pct` the order's draw, `spread` ask - bid where quotes
    /// exist, `volume` the bar's. Without quotes the spread counts as one basis point of the price; in a bar
    /// without volume there is no impact to measure, so none is charged.
    pub fn price(&self, price: f64, side: f64, pct: f64, qty: f64, spread: Option<f64>, volume: f64) -> f64 {
        match *self {
            Slippage::None => price,
            Slippage::RuleBased(k) => {
                let spread = spread.unwrap_or(price * 1e-4);
                let impact = if volume > 0.0 { price * k * (qty / volume).sqrt() } else { 0.0 };
                price + side * (spread / 2.0 + impact)
            }
            _ => price * (1.0 + side * pct / 100.0),
        }
    }
}

impl fmt::Display for Slippage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Slippage::None => write!(f, "none"),
            Slippage::FixedPct(pct) => write!(f, "fixed_pct:{pct}"),
            Slippage::RuleBased(k) => write!(f, "rule_based:{k}"),
            Slippage::Normal { mean_pct, stddev_pct } => write!(f, "normal:{mean_pct}:{stddev_pct}"),
        }
    }
}

impl FromStr for Slippage {
    type Err = CostModelError;

    fn from_str(text: &str) -> Result<Slippage, CostModelError> {
        let error = || {
            CostModelError::new(
                "slippage model",
                text,
                "none, fixed_pct:PCT, rule_based[:K] or normal:MEAN_PCT:STDDEV_PCT",
            )
        };
        let (name, values) = parts(text);
        match (name, values.as_slice()) {
            ("none", []) => Ok(Slippage::None),
            ("fixed_pct", [pct]) => Ok(Slippage::FixedPct(number(pct).ok_or_else(error)?)),
            ("rule_based", []) => Ok(Slippage::RuleBased(0.1)),
            ("rule_based", [k]) => Ok(Slippage::RuleBased(number(k).filter(|k| *k >= 0.0).ok_or_else(error)?)),
            ("normal", [mean, stddev]) => Ok(Slippage::Normal {
                mean_pct: number(mean).ok_or_else(error)?,
                stddev_pct: number(stddev).filter(|s| *s >= 0.0).ok_or_else(error)?,
            }),
            _ => Err(error()),
        }
    }
}
