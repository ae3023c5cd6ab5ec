//! Simple and exponential moving averages.

use super::window::Window;

/// Simple moving average of the last `period` values; first value at index `period - 1`.
///
/// A rolling sum: the first `period` values are added in order, then every bar adds `new - old` as one
/// number, so that the sum waits for a single addition a bar.
#[derive(Debug, Clone)]
pub struct Sma {
    window: Window,
    sum: f64,
    period: f64,
}

impl Sma {
    /// # Panics
    /// If `period` is 0.
    pub fn new(period: usize) -> Sma {
        Sma { window: Window::new(period), sum: 0.0, period: period as f64 }
    }

    /// Takes the next value; NaN during warm-up.
    #[inline]
    pub fn update(&mut self, value: f64) -> f64 {
        match self.window.push(value) {
            Some(old) => self.sum += value - old,
            None => self.sum += value,
        }
        if self.window.is_full() { self.sum / self.period } else { f64::NAN }
    }

    /// The values averaged, oldest first. Complete only after warm-up.
    pub(super) fn window(&self) -> &[f64] {
        self.window.values()
    }
}

/// Exponential moving average with `alpha = 2 / (period + 1)`, seeded with the simple average of the first
/// `period` values; first value at index `period - 1`.
///
/// Computed as `alpha * x + (1 - alpha) * previous`: one multiplication and one addition wait for the
/// previous value.
#[derive(Debug, Clone)]
pub struct Ema {
    seen: usize,
    period: usize,
    /// The sum of the first values, then the average.
    value: f64,
    step: EmaStep,
}

impl Ema {
    /// # Panics
    /// If `period` is 0.
    pub fn new(period: usize) -> Ema {
        assert!(period > 0, "a window needs at least one bar");
        Ema { seen: 0, period, value: 0.0, step: EmaStep::new(period) }
    }

    /// Takes the next value; NaN during warm-up.
    #[inline]
    pub fn update(&mut self, value: f64) -> f64 {
        if self.seen >= self.period {
            self.value = self.step.next(self.value, value);
            return self.value;
        }
        self.seen += 1;
        self.value += value;
        if self.seen < self.period {
            return f64::NAN;
        }
        self.value /= self.period as f64;
        self.value
    }
}

/// The recursion of the exponential average.
#[derive(Debug, Clone, Copy)]
pub(super) struct EmaStep {
    alpha: f64,
    keep: f64,
}

impl EmaStep {
    pub(super) fn new(period: usize) -> EmaStep {
        let alpha = 2.0 / (period as f64 + 1.0);
        EmaStep { alpha, keep: 1.0 - alpha }
    }

    #[inline]
    pub(super) fn next(self, previous: f64, value: f64) -> f64 {
        self.alpha * value + self.keep * previous
    }
}

/// [`Sma`] of a whole column: NaN for the first `period - 1` values.
///
/// # Panics
/// If `period` is 0.
pub fn sma_column(values: &[f64], period: usize) -> Vec<f64> {
    assert!(period > 0, "a window needs at least one bar");
    let Some((first, rest)) = values.split_at_checked(period) else { return vec![f64::NAN; values.len()] };
    let divisor = period as f64;
    let mut sum = 0.0;
    for value in first {
        sum += value;
    }
    let mut out = Vec::with_capacity(values.len());
    out.resize(period - 1, f64::NAN);
    out.push(sum / divisor);
    out.extend(rest.iter().zip(values).map(|(new, old)| {
        sum += new - old;
        sum / divisor
    }));
    out
}

/// [`Ema`] of a whole column: NaN for the first `period - 1` values.
///
/// # Panics
/// If `period` is 0.
pub fn ema_column(values: &[f64], period: usize) -> Vec<f64> {
    assert!(period > 0, "a window needs at least one bar");
    let Some((first, rest)) = values.split_at_checked(period) else { return vec![f64::NAN; values.len()] };
    let step = EmaStep::new(period);
    let mut sum = 0.0;
    for value in first {
        sum += value;
    }
    let mut average = sum / period as f64;
    let mut out = Vec::with_capacity(values.len());
    out.resize(period - 1, f64::NAN);
    out.push(average);
    out.extend(rest.iter().map(|&value| {
        average = step.next(average, value);
        average
    }));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simple_average_by_hand() {
        let out = sma_column(&[1.0, 2.0, 6.0, 4.0, 5.0], 3);
        assert!(out[0].is_nan() && out[1].is_nan());
        assert_eq!(out[2..], [3.0, 4.0, 5.0]);
    }

    #[test]
    fn exponential_average_by_hand() {
        // alpha = 2 / (3 + 1) = 0.5; seed (1 + 2 + 6) / 3 = 3; then (4 + 3) / 2 and (5 + 3.5) / 2.
        let out = ema_column(&[1.0, 2.0, 6.0, 4.0, 5.0], 3);
        assert!(out[0].is_nan() && out[1].is_nan());
        assert_eq!(out[2..], [3.0, 3.5, 4.25]);
    }

    #[test]
    fn too_few_values_stay_in_warm_up() {
        assert!(sma_column(&[1.0, 2.0], 3).iter().all(|v| v.is_nan()));
        assert!(ema_column(&[1.0, 2.0], 3).iter().all(|v| v.is_nan()));
        assert_eq!(sma_column(&[], 3).len(), 0);
    }

    #[test]
    fn period_one_is_the_series_itself() {
        let values = [3.25, 7.5, 1.0];
        assert_eq!(sma_column(&values, 1), values);
        assert_eq!(ema_column(&values, 1), values);
    }
}
