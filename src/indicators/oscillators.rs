//! RSI and MACD.

use super::averages::Ema;

/// Wilder's mean: the simple mean of the first `period` values, then `(previous * (period - 1) + x) / period`.
/// J. W. Wilder, *New Concepts in Technical Trading Systems* (1978).
#[derive(Debug, Clone)]
pub(super) struct WilderMean {
    seen: usize,
    period: usize,
    /// The sum of the first values, then the mean.
    value: f64,
}

impl WilderMean {
    /// # Panics
    /// If `period` is 0.
    pub(super) fn new(period: usize) -> WilderMean {
        assert!(period > 0, "a window needs at least one bar");
        WilderMean { seen: 0, period, value: 0.0 }
    }

    /// Takes the next value; NaN until `period` values were seen.
    #[inline]
    pub(super) fn update(&mut self, value: f64) -> f64 {
        let period = self.period as f64;
        if self.seen == self.period {
            self.value = (self.value * (period - 1.0) + value) / period;
            return self.value;
        }
        self.seen += 1;
        self.value += value;
        if self.seen < self.period {
            return f64::NAN;
        }
        self.value /= period;
        self.value
    }
}

/// Relative strength index of Wilder, 0 to 100: `100 * U / (U + D)` with Wilder means of the rises and falls
/// of the close; 50 when nothing has changed at all. First value at index `period`.
#[derive(Debug, Clone)]
pub struct Rsi {
    previous: Option<f64>,
    rises: WilderMean,
    falls: WilderMean,
}

impl Rsi {
    /// # Panics
    /// If `period` is 0.
    pub fn new(period: usize) -> Rsi {
        Rsi { previous: None, rises: WilderMean::new(period), falls: WilderMean::new(period) }
    }

    /// Takes the next close; NaN during warm-up.
    #[inline]
    pub fn update(&mut self, close: f64) -> f64 {
        let Some(previous) = self.previous.replace(close) else { return f64::NAN };
        let change = close - previous;
        let rise = self.rises.update(change.max(0.0));
        let fall = self.falls.update((-change).max(0.0));
        // The quotient first: it never exceeds 1, so the index never exceeds 100 by a rounding.
        if rise + fall == 0.0 { 50.0 } else { 100.0 * (rise / (rise + fall)) }
    }
}

/// Moving average convergence divergence: line = EMA(fast) - EMA(slow), signal = EMA of the line,
/// histogram = line - signal. First values at index `slow + signal - 2`, all three together.
///
/// Two variants differ in the seed of the fast average: [`Macd::talib`] seeds it with the bars
/// `slow - fast .. slow`, so that both averages start at bar `slow - 1` (TA-Lib); [`Macd::plain`] seeds each
/// average with its own first bars.
#[derive(Debug, Clone)]
pub struct Macd {
    fast: Ema,
    slow: Ema,
    signal: Ema,
    /// Bars that the fast average still leaves out.
    skip: usize,
}

impl Macd {
    /// Both averages start at the slow one's first bar.
    ///
    /// # Panics
    /// If a period is 0 or `fast >= slow`.
    pub fn talib(fast: usize, slow: usize, signal: usize) -> Macd {
        Macd { skip: slow.saturating_sub(fast), ..Macd::plain(fast, slow, signal) }
    }

    /// Each average starts on its own.
    ///
    /// # Panics
    /// If a period is 0 or `fast >= slow`.
    pub fn plain(fast: usize, slow: usize, signal: usize) -> Macd {
        assert!(fast < slow, "the fast period of a MACD must be below its slow period");
        Macd { fast: Ema::new(fast), slow: Ema::new(slow), signal: Ema::new(signal), skip: 0 }
    }

    /// Takes the next close: `[line, signal, histogram]`, NaN during warm-up.
    #[inline]
    pub fn update(&mut self, close: f64) -> [f64; 3] {
        let fast = if self.skip > 0 {
            self.skip -= 1;
            f64::NAN
        } else {
            self.fast.update(close)
        };
        let line = fast - self.slow.update(close);
        if line.is_nan() {
            return [f64::NAN; 3];
        }
        let signal = self.signal.update(line);
        if signal.is_nan() { [f64::NAN; 3] } else { [line, signal, line - signal] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<T>(values: &[f64], mut update: impl FnMut(f64) -> T) -> Vec<T> {
        values.iter().map(|&v| update(v)).collect()
    }

    #[test]
    fn rsi_by_hand() {
        let mut rsi = Rsi::new(2);
        let out = run(&[10.0, 11.0, 10.5, 10.5, 12.5], |c| rsi.update(c));
        // U, D after two changes (+1, -0.5): 0.5, 0.25. Then a 0 halves both. Then U = (0.25 + 2) / 2, D = 0.0625.
        assert!(out[0].is_nan() && out[1].is_nan());
        assert_eq!(out[2], 100.0 * (0.5 / 0.75));
        assert_eq!(out[3], 100.0 * (0.25 / 0.375));
        assert_eq!(out[4], 100.0 * (1.125 / (1.125 + 0.0625)));
    }

    #[test]
    fn rsi_at_its_ends() {
        let mut rsi = Rsi::new(3);
        assert_eq!(run(&[5.0; 6], |c| rsi.update(c))[3..], [50.0; 3]);
        let mut rsi = Rsi::new(3);
        assert_eq!(run(&[1.0, 1.1, 1.3, 1.7, 1.9], |c| rsi.update(c))[3..], [100.0; 2]);
        let mut rsi = Rsi::new(3);
        assert_eq!(run(&[1.9, 1.7, 1.3, 1.1, 1.0], |c| rsi.update(c))[3..], [0.0; 2]);
    }

    #[test]
    fn macd_variants_differ_only_in_the_seed_of_the_fast_average() {
        let closes = [8.0, 4.0, 6.0, 12.0, 2.0, 3.0];
        // Fast EMA(1) is the close itself: its seed does not matter. Slow EMA(3): alpha 0.5, seed 6 at bar 2,
        // then 9, 5.5, 4.25. Line from bar 2: 0, 3, -3.5, -1.25. Signal EMA(2), alpha 2/3: 1.5, ...
        let mut talib = Macd::talib(1, 3, 2);
        let mut plain = Macd::plain(1, 3, 2);
        let a = run(&closes, |c| talib.update(c));
        let b = run(&closes, |c| plain.update(c));
        assert!(a[..3].iter().flatten().all(|v| v.is_nan()));
        assert_eq!(a[3], [3.0, 1.5, 1.5]);
        assert_eq!(a[3..], b[3..]);
        // Fast EMA(2): TA-Lib seeds it at bars 1 and 2 with (4 + 6) / 2 = 5, then alpha 2/3: 29/3, 41/9.
        // On its own the seed is 6 at bar 1, then 6, 10.
        let mut talib = Macd::talib(2, 3, 1);
        let mut plain = Macd::plain(2, 3, 1);
        let a = run(&closes, |c| talib.update(c));
        let b = run(&closes, |c| plain.update(c));
        assert_eq!(a[2], [5.0 - 6.0, -1.0, 0.0]);
        assert!((a[3][0] - (29.0 / 3.0 - 9.0)).abs() < 1e-14);
        assert!((b[2][0] - 0.0).abs() < 1e-14 && (b[3][0] - 1.0).abs() < 1e-14);
    }
}
