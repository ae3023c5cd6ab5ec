//! Indicators that start anew with every session: VWAP and the opening range.

/// Volume-weighted average price of the session so far: `sum(tp * v) / sum(v)` with the typical price
/// `tp = (high + low + close) / 3`. Bars without volume change nothing; NaN until the session has volume.
#[derive(Debug, Clone, Default)]
pub struct Vwap {
    value: f64,
    volume: f64,
}

impl Vwap {
    /// Before the first bar.
    pub fn new() -> Vwap {
        Vwap::default()
    }

    /// Takes the next bar; `new_session`: it is the first of its session.
    #[inline]
    pub fn update(&mut self, high: f64, low: f64, close: f64, volume: f64, new_session: bool) -> f64 {
        if new_session {
            *self = Vwap::default();
        }
        self.value += (high + low + close) / 3.0 * volume;
        self.volume += volume;
        if self.volume > 0.0 { self.value / self.volume } else { f64::NAN }
    }
}

/// High and low of the session's first `bars` bars, known from the close of the last of them to the end of
/// the session; NaN before.
#[derive(Debug, Clone)]
pub struct OpeningRange {
    bars: usize,
    seen: usize,
    high: f64,
    low: f64,
}

impl OpeningRange {
    /// # Panics
    /// If `bars` is 0.
    pub fn new(bars: usize) -> OpeningRange {
        assert!(bars > 0, "an opening range needs at least one bar");
        OpeningRange { bars, seen: 0, high: f64::NEG_INFINITY, low: f64::INFINITY }
    }

    /// Takes the next bar: `[high, low]`; `new_session`: it is the first of its session.
    #[inline]
    pub fn update(&mut self, high: f64, low: f64, new_session: bool) -> [f64; 2] {
        if new_session {
            *self = OpeningRange::new(self.bars);
        }
        if self.seen < self.bars {
            self.seen += 1;
            self.high = self.high.max(high);
            self.low = self.low.min(low);
        }
        if self.seen == self.bars { [self.high, self.low] } else { [f64::NAN; 2] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vwap_is_anchored_to_the_session() {
        let mut vwap = Vwap::new();
        assert!(vwap.update(3.0, 3.0, 3.0, 0.0, true).is_nan());
        assert_eq!(vwap.update(12.0, 9.0, 9.0, 100.0, false), 10.0);
        assert_eq!(vwap.update(99.0, 98.0, 97.0, 0.0, false), 10.0);
        assert_eq!(vwap.update(14.0, 14.0, 14.0, 300.0, false), 13.0);
        assert_eq!(vwap.update(7.0, 5.0, 6.0, 1.0, true), 6.0);
    }

    #[test]
    fn opening_range_is_known_from_its_last_bar_on() {
        let mut range = OpeningRange::new(2);
        assert!(range.update(5.0, 4.0, true).iter().all(|v| v.is_nan()));
        assert_eq!(range.update(6.0, 4.5, false), [6.0, 4.0]);
        assert_eq!(range.update(9.0, 1.0, false), [6.0, 4.0]);
        assert!(range.update(8.0, 7.0, true).iter().all(|v| v.is_nan()));
        assert_eq!(range.update(7.5, 6.0, false), [8.0, 6.0]);
    }
}
