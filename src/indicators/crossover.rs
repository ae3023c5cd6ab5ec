//! The sides of a moving-average cross in one pass, without storing the averages.

use super::averages::{Ema, EmaStep};

/// A moving average of closes and its period in bars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Average {
    /// As [`Sma`](super::Sma).
    Sma(usize),
    /// As [`Ema`](super::Ema).
    Ema(usize),
}

impl Average {
    fn period(self) -> usize {
        match self {
            Average::Sma(period) | Average::Ema(period) => period,
        }
    }
}

/// Which side the fast average is on, at every bar where that changes.
///
/// From the first bar with both averages on (bar `longer period - 1`) the side is `+1` where
/// `fast - slow > tolerance * slow` and `-1` elsewhere. The answer lists (bar, side) of the first known side
/// and of every change after it; it is empty when there are fewer bars than the longer period. The decision
/// is the one that [`sma_column`](super::sma_column) and [`ema_column`](super::ema_column) give, to the last
/// bit.
///
/// # Panics
/// If a period is 0.
pub fn crossover_sides(close: &[f64], fast: Average, slow: Average, tolerance: f64) -> Vec<(u32, i8)> {
    let (f, s) = (fast.period(), slow.period());
    assert!(f > 0 && s > 0, "a window needs at least one bar");
    let Some(warm_up) = close.get(..f.max(s)) else { return Vec::new() };
    match (fast, slow) {
        (Average::Sma(_), Average::Sma(_)) => {
            scan(close, SimpleRun::new(warm_up, f), SimpleRun::new(warm_up, s), tolerance)
        }
        (Average::Sma(_), Average::Ema(_)) => {
            scan(close, SimpleRun::new(warm_up, f), ExponentialRun::new(warm_up, s), tolerance)
        }
        (Average::Ema(_), Average::Sma(_)) => {
            scan(close, ExponentialRun::new(warm_up, f), SimpleRun::new(warm_up, s), tolerance)
        }
        (Average::Ema(_), Average::Ema(_)) => {
            scan(close, ExponentialRun::new(warm_up, f), ExponentialRun::new(warm_up, s), tolerance)
        }
    }
}

/// An average that has its first value.
trait Run {
    fn period(&self) -> usize;
    fn value(&self) -> f64;
    /// Takes the next close; `old` is the close that leaves the window.
    fn step(&mut self, new: f64, old: f64) -> f64;
}

struct SimpleRun {
    period: usize,
    divisor: f64,
    sum: f64,
}

impl SimpleRun {
    /// The average at the last bar of `warm_up`, which holds at least `period` bars.
    fn new(warm_up: &[f64], period: usize) -> SimpleRun {
        let mut sum = 0.0;
        for close in &warm_up[..period] {
            sum += close;
        }
        for (new, old) in warm_up[period..].iter().zip(warm_up) {
            sum += new - old;
        }
        SimpleRun { period, divisor: period as f64, sum }
    }
}

impl Run for SimpleRun {
    fn period(&self) -> usize {
        self.period
    }

    #[inline]
    fn value(&self) -> f64 {
        self.sum / self.divisor
    }

    #[inline]
    fn step(&mut self, new: f64, old: f64) -> f64 {
        self.sum += new - old;
        self.value()
    }
}

struct ExponentialRun {
    period: usize,
    value: f64,
    step: EmaStep,
}

impl ExponentialRun {
    /// The average at the last bar of `warm_up`, which holds at least `period` bars.
    fn new(warm_up: &[f64], period: usize) -> ExponentialRun {
        let mut average = Ema::new(period);
        let mut value = f64::NAN;
        for &close in warm_up {
            value = average.update(close);
        }
        ExponentialRun { period, value, step: EmaStep::new(period) }
    }
}

impl Run for ExponentialRun {
    fn period(&self) -> usize {
        self.period
    }

    #[inline]
    fn value(&self) -> f64 {
        self.value
    }

    #[inline]
    fn step(&mut self, new: f64, _old: f64) -> f64 {
        self.value = self.step.next(self.value, new);
        self.value
    }
}

#[inline]
fn scan(close: &[f64], mut fast: impl Run, mut slow: impl Run, tolerance: f64) -> Vec<(u32, i8)> {
    let above = |fast: f64, slow: f64| fast - slow > tolerance * slow;
    let side = |above: bool| if above { 1 } else { -1 };
    let begin = fast.period().max(slow.period());
    let mut is_above = above(fast.value(), slow.value());
    let mut sides = vec![((begin - 1) as u32, side(is_above))];
    let leaving_fast = &close[begin - fast.period()..];
    let leaving_slow = &close[begin - slow.period()..];
    let bars = close[begin..].iter().zip(leaving_fast).zip(leaving_slow);
    for (i, ((&new, &old_fast), &old_slow)) in bars.enumerate() {
        let now = above(fast.step(new, old_fast), slow.step(new, old_slow));
        if now != is_above {
            is_above = now;
            sides.push(((begin + i) as u32, side(now)));
        }
    }
    sides
}

#[cfg(test)]
mod tests {
    use super::super::{ema_column, sma_column};
    use super::*;
    use proptest::prelude::*;

    fn from_columns(close: &[f64], fast: Average, slow: Average, tolerance: f64) -> Vec<(u32, i8)> {
        let column = |average: Average| match average {
            Average::Sma(period) => sma_column(close, period),
            Average::Ema(period) => ema_column(close, period),
        };
        let mut sides: Vec<(u32, i8)> = Vec::new();
        for (i, (f, s)) in column(fast).into_iter().zip(column(slow)).enumerate() {
            if f.is_nan() || s.is_nan() {
                continue;
            }
            let side = if f - s > tolerance * s { 1 } else { -1 };
            if sides.last().is_none_or(|&(_, last)| last != side) {
                sides.push((i as u32, side));
            }
        }
        sides
    }

    #[test]
    fn sides_by_hand() {
        // SMA(1) against SMA(2): up when the close rose.
        let close = [2.0, 3.0, 4.0, 3.0, 3.0, 5.0];
        let sides = crossover_sides(&close, Average::Sma(1), Average::Sma(2), 1e-9);
        assert_eq!(sides, [(1, 1), (3, -1), (5, 1)]);
    }

    #[test]
    fn an_exact_tie_is_not_above() {
        // Cent prices whose two averages are equal in exact arithmetic but not always in rounded sums.
        let close: Vec<f64> = (0..400).map(|i| [10.1, 10.2, 10.3, 10.2][i % 4]).collect();
        let sides = crossover_sides(&close, Average::Sma(4), Average::Sma(8), 1e-9);
        assert_eq!(sides, [(7, -1)]);
    }

    #[test]
    fn too_few_bars_have_no_side() {
        assert!(crossover_sides(&[1.0, 2.0], Average::Sma(1), Average::Ema(3), 0.0).is_empty());
        assert_eq!(crossover_sides(&[1.0, 2.0, 3.0], Average::Sma(1), Average::Ema(3), 0.0), [(2, 1)]);
    }

    proptest! {
        #[test]
        fn the_fused_pass_decides_as_the_columns_do(
            steps in prop::collection::vec(-3i32..=3, 1..200),
            fast in 1usize..9,
            slow in 1usize..20,
            tolerance in prop::sample::select(vec![0.0, 1e-9, 1e-3]),
        ) {
            let mut cents = 10_000;
            let close: Vec<f64> = steps.iter().map(|s| { cents += s; f64::from(cents) / 100.0 }).collect();
            for f in [Average::Sma(fast), Average::Ema(fast)] {
                for s in [Average::Sma(slow), Average::Ema(slow)] {
                    prop_assert_eq!(crossover_sides(&close, f, s, tolerance), from_columns(&close, f, s, tolerance));
                }
            }
        }
    }
}
