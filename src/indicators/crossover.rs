//! The sides of a moving-average cross in one pass, without storing the averages.

use super::Indicator;
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
    /// The indicator of the same values.
    pub fn indicator(self) -> Indicator {
        match self {
            Average::Sma(period) => Indicator::Sma { period },
            Average::Ema(period) => Indicator::Ema { period },
        }
    }

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
    if close.len() < f.max(s) {
        return Vec::new();
    }
    match (fast, slow) {
        (Average::Sma(_), Average::Sma(_)) => scan::<SimpleRun, SimpleRun>(close, f, s, tolerance),
        (Average::Sma(_), Average::Ema(_)) => scan::<SimpleRun, ExponentialRun>(close, f, s, tolerance),
        (Average::Ema(_), Average::Sma(_)) => scan::<ExponentialRun, SimpleRun>(close, f, s, tolerance),
        (Average::Ema(_), Average::Ema(_)) => scan::<ExponentialRun, ExponentialRun>(close, f, s, tolerance),
    }
}

/// As [`crossover_sides`], of averages that are there as columns, NaN before their first value.
pub fn sides_of_columns(fast: &[f64], slow: &[f64], tolerance: f64) -> Vec<(u32, i8)> {
    let Some(begin) = fast.iter().zip(slow).position(|(f, s)| !f.is_nan() && !s.is_nan()) else { return Vec::new() };
    let mut changes = Changes::new(begin, is_above(fast[begin], slow[begin], tolerance));
    let (fast_blocks, fast_rest) = fast[begin + 1..].as_chunks::<BLOCK>();
    let (slow_blocks, slow_rest) = slow[begin + 1..].as_chunks::<BLOCK>();
    for (k, (fast, slow)) in fast_blocks.iter().zip(slow_blocks).enumerate() {
        changes.record(begin + 1 + k * BLOCK, sides_of_block(fast, slow, tolerance), BLOCK);
    }
    if !fast_rest.is_empty() {
        let bits = sides_of_block(&padded(fast_rest), &padded(slow_rest), tolerance);
        changes.record(begin + 1 + fast_blocks.len() * BLOCK, bits, fast_rest.len());
    }
    changes.sides
}

#[inline]
fn sides_of_block(fast: &[f64; BLOCK], slow: &[f64; BLOCK], tolerance: f64) -> u64 {
    let mut above = [0u8; BLOCK];
    for i in 0..BLOCK {
        above[i] = u8::from(is_above(fast[i], slow[i], tolerance));
    }
    // Eight flags of one bit each, gathered from eight bytes by one multiplication.
    let mut bits = 0;
    for (k, eight) in above.as_chunks::<8>().0.iter().enumerate() {
        let gathered = u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        bits |= gathered << (8 * k);
    }
    bits
}

/// The list of sides while it is made.
struct Changes {
    above: bool,
    sides: Vec<(u32, i8)>,
}

impl Changes {
    /// The first known side, at bar `begin`.
    fn new(begin: usize, above: bool) -> Changes {
        Changes { above, sides: vec![(begin as u32, side(above))] }
    }

    /// Takes `count` bars from `first` on, the first one in the lowest bit.
    #[inline]
    fn record(&mut self, first: usize, bits: u64, count: usize) {
        // Bits that differ from the one before them are changes.
        let mut changes = (bits ^ (bits << 1 | u64::from(self.above))) & (!0 >> (BLOCK - count));
        while changes != 0 {
            self.above = !self.above;
            self.sides.push((first as u32 + changes.trailing_zeros(), side(self.above)));
            changes &= changes - 1;
        }
    }
}

/// Bars whose sides are looked through together, as one word of bits.
const BLOCK: usize = 64;

/// Bars computed together. Few enough that the processor works on the additions of the next ones while the
/// divisions and comparisons of these are under way.
const STRIDE: usize = 16;

/// An average that has its first value.
trait Run: Copy {
    /// The average at the last bar of `warm_up`, which holds at least `period` bars.
    fn new(warm_up: &[f64], period: usize) -> Self;
    /// What the next bar needs of this one. Takes the next close; `old` is the close that leaves the window.
    fn advance(&mut self, new: f64, old: f64) -> f64;
    fn state(&self) -> f64;
    /// The average, of a state.
    fn value(&self, state: f64) -> f64;
}

#[derive(Clone, Copy)]
struct SimpleRun {
    divisor: f64,
    sum: f64,
}

impl Run for SimpleRun {
    fn new(warm_up: &[f64], period: usize) -> SimpleRun {
        let mut sum = 0.0;
        for close in &warm_up[..period] {
            sum += close;
        }
        for (new, old) in warm_up[period..].iter().zip(warm_up) {
            sum += new - old;
        }
        SimpleRun { divisor: period as f64, sum }
    }

    #[inline]
    fn advance(&mut self, new: f64, old: f64) -> f64 {
        self.sum += new - old;
        self.sum
    }

    fn state(&self) -> f64 {
        self.sum
    }

    #[inline]
    fn value(&self, state: f64) -> f64 {
        state / self.divisor
    }
}

#[derive(Clone, Copy)]
struct ExponentialRun {
    average: f64,
    step: EmaStep,
}

impl Run for ExponentialRun {
    fn new(warm_up: &[f64], period: usize) -> ExponentialRun {
        let mut stream = Ema::new(period);
        let mut average = f64::NAN;
        for &close in warm_up {
            average = stream.update(close);
        }
        ExponentialRun { average, step: EmaStep::new(period) }
    }

    #[inline]
    fn advance(&mut self, new: f64, _old: f64) -> f64 {
        self.average = self.step.next(self.average, new);
        self.average
    }

    fn state(&self) -> f64 {
        self.average
    }

    #[inline]
    fn value(&self, state: f64) -> f64 {
        state
    }
}

/// `close` has at least as many bars as the longer period.
fn scan<F: Run, S: Run>(close: &[f64], fast_period: usize, slow_period: usize, tolerance: f64) -> Vec<(u32, i8)> {
    let begin = fast_period.max(slow_period);
    let mut fast = F::new(&close[..begin], fast_period);
    let mut slow = S::new(&close[..begin], slow_period);
    let mut changes = Changes::new(begin - 1, is_above(fast.value(fast.state()), slow.value(slow.state()), tolerance));
    let (blocks, rest) = close[begin..].as_chunks::<BLOCK>();
    let (leaving_fast, rest_fast) = close[begin - fast_period..close.len() - fast_period].as_chunks::<BLOCK>();
    let (leaving_slow, rest_slow) = close[begin - slow_period..close.len() - slow_period].as_chunks::<BLOCK>();
    for (k, ((new, old_fast), old_slow)) in blocks.iter().zip(leaving_fast).zip(leaving_slow).enumerate() {
        let bits;
        (fast, slow, bits) = decide(fast, slow, new, old_fast, old_slow, tolerance);
        changes.record(begin + k * BLOCK, bits, BLOCK);
    }
    if !rest.is_empty() {
        let (_, _, bits) = decide(fast, slow, &padded(rest), &padded(rest_fast), &padded(rest_slow), tolerance);
        changes.record(begin + blocks.len() * BLOCK, bits, rest.len());
    }
    changes.sides
}

#[inline(always)]
fn is_above(fast: f64, slow: f64, tolerance: f64) -> bool {
    fast - slow > tolerance * slow
}

/// The averages after one block, and its sides as bits, the first bar lowest.
#[inline(always)]
fn decide<F: Run, S: Run>(
    mut fast: F,
    mut slow: S,
    new: &[f64; BLOCK],
    old_fast: &[f64; BLOCK],
    old_slow: &[f64; BLOCK],
    tolerance: f64,
) -> (F, S, u64) {
    let mut bits = 0u64;
    let strides = new.as_chunks::<STRIDE>().0.iter().zip(old_fast.as_chunks::<STRIDE>().0);
    for (k, ((new, old_fast), old_slow)) in strides.zip(old_slow.as_chunks::<STRIDE>().0).enumerate() {
        let (mut fast_states, mut slow_states) = ([0.0; STRIDE], [0.0; STRIDE]);
        for i in 0..STRIDE {
            fast_states[i] = fast.advance(new[i], old_fast[i]);
            slow_states[i] = slow.advance(new[i], old_slow[i]);
        }
        let mut sides = 0u64;
        for i in 0..STRIDE {
            sides |= u64::from(is_above(fast.value(fast_states[i]), slow.value(slow_states[i]), tolerance)) << i;
        }
        bits |= sides << (k * STRIDE);
    }
    (fast, slow, bits)
}

/// A block of less than [`BLOCK`] bars, filled up with zeros.
fn padded(bars: &[f64]) -> [f64; BLOCK] {
    let mut block = [0.0; BLOCK];
    block[..bars.len()].copy_from_slice(bars);
    block
}

fn side(above: bool) -> i8 {
    if above { 1 } else { -1 }
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
            steps in prop::collection::vec(-3i32..=3, 1..300),
            fast in 1usize..9,
            slow in 1usize..20,
            tolerance in prop::sample::select(vec![0.0, 1e-9, 1e-3]),
        ) {
            let mut cents = 10_000;
            let close: Vec<f64> = steps.iter().map(|s| { cents += s; f64::from(cents) / 100.0 }).collect();
            for f in [Average::Sma(fast), Average::Ema(fast)] {
                for s in [Average::Sma(slow), Average::Ema(slow)] {
                    let fused = crossover_sides(&close, f, s, tolerance);
                    prop_assert_eq!(&fused, &from_columns(&close, f, s, tolerance));
                    let column = |average| match average {
                        Average::Sma(period) => sma_column(&close, period),
                        Average::Ema(period) => ema_column(&close, period),
                    };
                    prop_assert_eq!(&fused, &sides_of_columns(&column(f), &column(s), tolerance));
                }
            }
        }
    }
}
