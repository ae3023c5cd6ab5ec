//! The last bars of a series: a window that is always one slice, and its running maximum.

/// The last `period` values, oldest first, as one contiguous slice.
///
/// Every value is written twice, one period apart, so that some stretch of the buffer always holds the
/// window in order: two writes a bar instead of a split slice in every reader.
#[derive(Debug, Clone)]
pub(super) struct Window {
    buffer: Vec<f64>,
    period: usize,
    /// Where the next value goes; also the index of the oldest value once the window is full.
    next: usize,
    filled: usize,
}

impl Window {
    /// # Panics
    /// If `period` is 0.
    pub(super) fn new(period: usize) -> Window {
        assert!(period > 0, "a window needs at least one bar");
        Window { buffer: vec![0.0; 2 * period], period, next: 0, filled: 0 }
    }

    pub(super) fn is_full(&self) -> bool {
        self.filled == self.period
    }

    /// Adds a value and returns the one that leaves; `None` while the window is filling.
    #[inline]
    pub(super) fn push(&mut self, value: f64) -> Option<f64> {
        let leaving = if self.is_full() {
            Some(self.buffer[self.next])
        } else {
            self.filled += 1;
            None
        };
        self.buffer[self.next] = value;
        self.buffer[self.next + self.period] = value;
        self.next += 1;
        if self.next == self.period {
            self.next = 0;
        }
        leaving
    }

    /// The values, oldest first. Complete only when [`Window::is_full`].
    #[inline]
    pub(super) fn values(&self) -> &[f64] {
        &self.buffer[self.next..self.next + self.period]
    }
}

/// Sum of squared deviations from the mean of `values`, in two passes.
///
/// Everything is taken relative to the first value, so a large common offset cancels exactly before
/// anything is squared, and a constant window gives exactly 0.
#[inline]
pub(super) fn squared_deviations(values: &[f64]) -> f64 {
    let Some(&shift) = values.first() else { return 0.0 };
    let mean = sum_of(values, |value| value - shift) / values.len() as f64;
    sum_of(values, |value| {
        let deviation = (value - shift) - mean;
        deviation * deviation
    })
}

/// Sum over a window, always in the same order: four sums side by side, since one alone would make every
/// addition wait for the one before.
#[inline]
fn sum_of(values: &[f64], term: impl Fn(f64) -> f64) -> f64 {
    let (quads, rest) = values.as_chunks::<4>();
    let mut sums = [0.0; 4];
    for quad in quads {
        for (sum, &value) in sums.iter_mut().zip(quad) {
            *sum += term(value);
        }
    }
    rest.iter().fold((sums[0] + sums[1]) + (sums[2] + sums[3]), |sum, &value| sum + term(value))
}

/// Maximum of the last `period` values in O(1) amortised: a queue of the values that can still become the
/// maximum, in falling order.
#[derive(Debug, Clone)]
pub(super) struct RunningMax {
    /// (index, value), a ring of capacity `period`.
    queue: Vec<(usize, f64)>,
    head: usize,
    len: usize,
    index: usize,
}

impl RunningMax {
    /// # Panics
    /// If `period` is 0.
    pub(super) fn new(period: usize) -> RunningMax {
        assert!(period > 0, "a window needs at least one bar");
        RunningMax { queue: vec![(0, 0.0); period], head: 0, len: 0, index: 0 }
    }

    /// Adds a value; the maximum of the last `period` values, or of all values while there are fewer.
    #[inline]
    pub(super) fn push(&mut self, value: f64) -> f64 {
        let period = self.queue.len();
        // First the one that leaves the window, so that the ring never holds more than `period` entries.
        if self.len > 0 && self.queue[self.head].0 + period <= self.index {
            self.head = self.wrap(self.head + 1);
            self.len -= 1;
        }
        while self.len > 0 && self.queue[self.wrap(self.head + self.len - 1)].1 <= value {
            self.len -= 1;
        }
        let slot = self.wrap(self.head + self.len);
        self.queue[slot] = (self.index, value);
        self.len += 1;
        self.index += 1;
        self.queue[self.head].1
    }

    #[inline]
    fn wrap(&self, slot: usize) -> usize {
        if slot >= self.queue.len() { slot - self.queue.len() } else { slot }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn window_is_in_order_and_returns_what_leaves() {
        let mut window = Window::new(3);
        assert_eq!([1.0, 2.0, 3.0].map(|x| window.push(x)), [None; 3]);
        assert_eq!(window.values(), [1.0, 2.0, 3.0]);
        assert_eq!(window.push(4.0), Some(1.0));
        assert_eq!(window.push(5.0), Some(2.0));
        assert_eq!(window.values(), [3.0, 4.0, 5.0]);
    }

    #[test]
    fn deviations_survive_a_large_offset() {
        // Squares of 1, 2, 3, 4 about 2.5: 2.25 + 0.25 + 0.25 + 2.25 = 5, whatever is added to all four.
        for offset in [0.0, 1e6, 1e9, 1e15] {
            let values = [1.0, 2.0, 3.0, 4.0].map(|x| x + offset);
            assert_eq!(squared_deviations(&values), 5.0);
        }
        assert_eq!(squared_deviations(&[0.1; 7]), 0.0);
    }

    proptest! {
        #[test]
        fn running_max_is_the_maximum_of_the_window(
            values in prop::collection::vec(prop::sample::select(vec![1.0, 2.0, 2.5, 3.0, 7.0, 7.5]), 1..80),
            period in 1usize..12,
        ) {
            let mut running = RunningMax::new(period);
            for i in 0..values.len() {
                let window = &values[(i + 1).saturating_sub(period)..=i];
                let expected = window.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                prop_assert_eq!(running.push(values[i]), expected);
            }
        }
    }
}
