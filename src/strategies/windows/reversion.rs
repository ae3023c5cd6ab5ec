//! `mid`: back to the session's volume-weighted average price.

use super::super::params::{ParamError, Params};
use super::clock::Window;
use super::rule::{Rule, Signal};
use crate::market::Nanos;
use crate::settings::{Key, Settings};
use crate::trading::{Columns, Side};

/// Running sums of the VWAP since the session's open.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Sums {
    value: f64,
    volume: f64,
    /// Bars taken in so far.
    bars: usize,
}

impl Sums {
    /// Takes in the bars that are new. The terms and their order are those of the indicator `vwap`.
    fn update(&mut self, bars: &Columns<'_>) {
        let from = self.bars;
        let columns =
            bars.high[from..].iter().zip(&bars.low[from..]).zip(&bars.close[from..]).zip(&bars.volume[from..]);
        for (((high, low), close), volume) in columns {
            self.value += (high + low + close) / 3.0 * volume;
            self.volume += volume;
        }
        self.bars = bars.len();
    }

    /// `None` before the session has volume.
    fn vwap(&self) -> Option<f64> {
        if self.volume > 0.0 { Some(self.value / self.volume) } else { None }
    }
}

/// Long when a close is below the VWAP by a share of it, short when it is above.
#[derive(Debug)]
pub(super) struct VwapDeviation {
    threshold: f64,
    /// Give up when the deviation has doubled.
    mirror_stop: bool,
    /// Take profit at the VWAP of the entry.
    vwap_target: bool,
}

impl VwapDeviation {
    pub fn new(params: &Params, settings: &Settings) -> Result<VwapDeviation, ParamError> {
        Ok(VwapDeviation {
            threshold: settings.fraction(Key::StratMidVwapThreshold),
            mirror_stop: params.text("stop") == "mirror",
            vwap_target: params.text("target") == "vwap",
        })
    }
}

impl Rule for VwapDeviation {
    type Track = Sums;
    const EXITS_WITH_WINDOW: bool = false;

    fn begin(&self, _: &Columns<'_>, _: &Window, _: Nanos) -> Option<Sums> {
        Some(Sums::default())
    }

    fn signal(&self, sums: &mut Sums, bars: &Columns<'_>) -> Option<Signal> {
        sums.update(bars);
        let (vwap, close) = (sums.vwap()?, *bars.close.last()?);
        let deviation = close / vwap - 1.0;
        if deviation == 0.0 || deviation.abs() < self.threshold {
            return None;
        }
        let side = if deviation < 0.0 { Side::Buy } else { Side::Sell };
        let stop = Some(2.0 * close - vwap).filter(|price| self.mirror_stop && *price > 0.0);
        let target = Some(vwap).filter(|_| self.vwap_target);
        Some(Signal { side, strength: deviation.abs(), stop, target, reason: "vwap deviation" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::indicators::Vwap;

    #[test]
    fn the_sums_are_those_of_the_indicator_to_the_last_bit() {
        let high = [10.1, 10.3, 10.7, 10.2];
        let low = [9.9, 10.0, 10.1, 9.7];
        let close = [10.0, 10.2, 10.15, 9.8];
        let volume = [300.0, 0.0, 71.0, 1234.0];
        let mut indicator = Vwap::new();
        let mut sums = Sums::default();
        for n in 1..=4 {
            let bars = Columns {
                start: &[0, 1, 2, 3][..n],
                open: &close[..n],
                high: &high[..n],
                low: &low[..n],
                close: &close[..n],
                volume: &volume[..n],
            };
            sums.update(&bars);
            let expected = indicator.update(high[n - 1], low[n - 1], close[n - 1], volume[n - 1], n == 1);
            assert_eq!(sums.vwap(), Some(expected));
        }
    }
}
