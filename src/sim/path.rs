//! A bar as a path through its four prices.

use crate::market::{Bar, Nanos};

/// The path of one bar: O, one extreme, the other, C, straight between them, a third of the span each.
/// Positions on it run from 0 (open) to 3 (close).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Path {
    /// The four prices in the order in which they are met.
    pub prices: [f64; 4],
    /// Start of the bar's span.
    pub start: Nanos,
    /// End of the bar's span.
    pub end: Nanos,
}

/// Whether the path of rule `path` meets the low first: the extreme nearer to the open comes first, and
/// distances within 1e-9 of the open's price tie, which goes to the low.
pub fn nearer_is_low(bar: &Bar) -> bool {
    (bar.open - bar.low) - (bar.high - bar.open) <= 1e-9 * bar.open
}

impl Path {
    /// The path of a bar that meets its low or its high first.
    pub fn new(bar: &Bar, start: Nanos, end: Nanos, low_first: bool) -> Path {
        let prices =
            if low_first { [bar.open, bar.low, bar.high, bar.close] } else { [bar.open, bar.high, bar.low, bar.close] };
        Path { prices, start, end }
    }

    /// The position at an instant: 0 at or before the start, 3 at or after the end.
    pub fn position(&self, time: Nanos) -> f64 {
        if time <= self.start {
            0.0
        } else if time >= self.end {
            3.0
        } else {
            3.0 * ((time - self.start) as f64) / ((self.end - self.start) as f64)
        }
    }

    /// The instant of a position, floored to the nanosecond.
    pub fn time(&self, position: f64) -> Nanos {
        self.start + (position / 3.0 * ((self.end - self.start) as f64)).floor() as Nanos
    }

    /// The price at a position.
    pub fn price(&self, position: f64) -> f64 {
        let leg = (position as usize).min(2);
        let (a, b) = (self.prices[leg], self.prices[leg + 1]);
        a + (b - a) * (position - leg as f64)
    }

    /// The first position at or after `from`, where the price is `price`, at which the path is at or below
    /// `level` (`strict`: goes below it). The price at `from` must not satisfy this already.
    pub fn first_below(&self, from: f64, price: f64, level: f64, strict: bool) -> Option<f64> {
        self.first_beyond(from, price, level, strict, 1.0)
    }

    /// As [`Path::first_below`], for at or above.
    pub fn first_above(&self, from: f64, price: f64, level: f64, strict: bool) -> Option<f64> {
        self.first_beyond(from, price, level, strict, -1.0)
    }

    fn first_beyond(&self, from: f64, price: f64, level: f64, strict: bool, sign: f64) -> Option<f64> {
        let mut a = price;
        let mut leg = (from as usize).min(3);
        while leg < 3 {
            let b = self.prices[leg + 1];
            let gap = sign * (b - level);
            if gap < 0.0 || (gap == 0.0 && !strict && sign * (a - level) > 0.0) {
                return Some(self.position_of(leg, level).max(from));
            }
            a = b;
            leg += 1;
        }
        None
    }

    /// Where leg `leg`, which passes `level`, meets it.
    pub fn position_of(&self, leg: usize, level: f64) -> f64 {
        let (a, b) = (self.prices[leg], self.prices[leg + 1]);
        if a == b { leg as f64 } else { leg as f64 + ((level - a) / (b - a)).clamp(0.0, 1.0) }
    }
}
