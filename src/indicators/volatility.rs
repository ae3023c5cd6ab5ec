//! Average true range, standard deviation, Bollinger bands and the Donchian channel.

use super::averages::Sma;
use super::oscillators::WilderMean;
use super::window::{RunningMax, Window, squared_deviations};

/// Average true range of Wilder. The true range starts at bar 1 (bar 0 has no previous close); the first
/// value, at index `period`, is its simple mean, then Wilder's smoothing. J. W. Wilder (1978).
#[derive(Debug, Clone)]
pub struct Atr {
    previous: Option<f64>,
    mean: WilderMean,
}

impl Atr {
    /// # Panics
    /// If `period` is 0.
    pub fn new(period: usize) -> Atr {
        Atr { previous: None, mean: WilderMean::new(period) }
    }

    /// Takes the next bar; NaN during warm-up.
    #[inline]
    pub fn update(&mut self, high: f64, low: f64, close: f64) -> f64 {
        let Some(previous) = self.previous.replace(close) else { return f64::NAN };
        let range = (high - low).max((high - previous).abs()).max((low - previous).abs());
        self.mean.update(range)
    }
}

/// Standard deviation of the last `period` closes; first value at index `period - 1`.
///
/// Two passes over the window relative to its oldest close, so that a large price level costs no digits.
#[derive(Debug, Clone)]
pub struct StandardDeviation {
    window: Window,
}

impl StandardDeviation {
    /// # Panics
    /// If `period` is 0.
    pub fn new(period: usize) -> StandardDeviation {
        StandardDeviation { window: Window::new(period) }
    }

    /// Takes the next close: `[population, sample]` (divisor `period` and `period - 1`), NaN during warm-up.
    #[inline]
    pub fn update(&mut self, close: f64) -> [f64; 2] {
        self.window.push(close);
        if !self.window.is_full() {
            return [f64::NAN; 2];
        }
        let values = self.window.values();
        let squares = squared_deviations(values);
        let n = values.len() as f64;
        [(squares / n).sqrt(), (squares / (n - 1.0)).sqrt()]
    }
}

/// Bollinger bands: the simple average of the last `period` closes, and `width` population standard
/// deviations above and below it. First values at index `period - 1`.
/// J. Bollinger, *Bollinger on Bollinger Bands* (2001).
#[derive(Debug, Clone)]
pub struct Bollinger {
    average: Sma,
    width: f64,
}

impl Bollinger {
    /// # Panics
    /// If `period` is 0.
    pub fn new(period: usize, width: f64) -> Bollinger {
        Bollinger { average: Sma::new(period), width }
    }

    /// Takes the next close: `[upper, middle, lower]`, NaN during warm-up.
    #[inline]
    pub fn update(&mut self, close: f64) -> [f64; 3] {
        let middle = self.average.update(close);
        if middle.is_nan() {
            return [f64::NAN; 3];
        }
        let values = self.average.window();
        let band = self.width * (squared_deviations(values) / values.len() as f64).sqrt();
        [middle + band, middle, middle - band]
    }
}

/// Donchian channel: the highest high and the lowest low of the last `period` bars, this bar included, and
/// their mean. First values at index `period - 1`.
#[derive(Debug, Clone)]
pub struct Donchian {
    highs: RunningMax,
    /// Of the negated lows: the minimum is the negated maximum, exactly.
    lows: RunningMax,
    /// Bars still missing before the first value.
    missing: usize,
}

impl Donchian {
    /// # Panics
    /// If `period` is 0.
    pub fn new(period: usize) -> Donchian {
        Donchian { highs: RunningMax::new(period), lows: RunningMax::new(period), missing: period - 1 }
    }

    /// Takes the next bar: `[upper, middle, lower]`, NaN during warm-up.
    #[inline]
    pub fn update(&mut self, high: f64, low: f64) -> [f64; 3] {
        let upper = self.highs.push(high);
        let lower = -self.lows.push(-low);
        if self.missing > 0 {
            self.missing -= 1;
            return [f64::NAN; 3];
        }
        [upper, 0.5 * (upper + lower), lower]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn atr_by_hand() {
        let mut atr = Atr::new(2);
        // True ranges from bar 1: gap up 12.5 - 9.5 = 3; inside bar 1; gap down 12 - 8 = 4.
        assert!(atr.update(10.0, 9.0, 9.5).is_nan());
        assert!(atr.update(12.5, 11.5, 12.0).is_nan());
        assert_eq!(atr.update(12.5, 11.5, 12.0), 2.0);
        assert_eq!(atr.update(9.0, 8.0, 8.5), 3.0);
    }

    #[test]
    fn deviations_by_hand() {
        // Squares about the mean of 2, 4, 9 (5): 9 + 1 + 16 = 26.
        let mut deviation = StandardDeviation::new(3);
        assert!(deviation.update(2.0).iter().chain(&deviation.update(4.0)).all(|v| v.is_nan()));
        assert_eq!(deviation.update(9.0), [(26.0f64 / 3.0).sqrt(), 13.0f64.sqrt()]);
    }

    #[test]
    fn bollinger_by_hand() {
        // 1, 2, 3, 4: mean 2.5, population variance 1.25.
        let mut bands = Bollinger::new(4, 2.0);
        let out = [1.0, 2.0, 3.0, 4.0].map(|c| bands.update(c));
        assert!(out[..3].iter().flatten().all(|v| v.is_nan()));
        assert_eq!(out[3], [2.5 + 2.0 * 1.25f64.sqrt(), 2.5, 2.5 - 2.0 * 1.25f64.sqrt()]);
    }

    #[test]
    fn donchian_by_hand() {
        let mut channel = Donchian::new(2);
        assert!(channel.update(5.0, 3.0).iter().all(|v| v.is_nan()));
        assert_eq!(channel.update(4.0, 2.0), [5.0, 3.5, 2.0]);
        assert_eq!(channel.update(4.5, 3.5), [4.5, 3.25, 2.0]);
        assert_eq!(channel.update(4.0, 3.75), [4.5, 4.0, 3.5]);
    }
}
