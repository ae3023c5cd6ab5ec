//! How long it takes from what arrives to the order.

use std::time::Duration;

use serde::Serialize;

/// Classes of equal width on a logarithmic scale: eight to a doubling, so that a quantile is known to 9 %.
const TO_A_DOUBLING: u32 = 8;
/// From 1 microsecond to more than a minute.
const CLASSES: usize = 26 * TO_A_DOUBLING as usize;

/// A histogram of times.
#[derive(Debug, Clone)]
pub struct Latency {
    counts: Vec<u64>,
    slow: u64,
    longest: Duration,
}

/// What is more than this is counted as slow.
const SLOW: Duration = Duration::from_millis(1);

/// What a histogram comes to. Microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct LatencySummary {
    pub count: u64,
    /// Those of more than a millisecond.
    pub slow: u64,
    pub p50_us: f64,
    pub p99_us: f64,
    pub max_us: f64,
}

impl Default for Latency {
    fn default() -> Latency {
        Latency { counts: vec![0; CLASSES], slow: 0, longest: Duration::ZERO }
    }
}

impl Latency {
    /// Counts a time.
    pub fn record(&mut self, time: Duration) {
        let micros = time.as_secs_f64() * 1e6;
        let class = (micros.max(1.0).log2() * f64::from(TO_A_DOUBLING)) as usize;
        self.counts[class.min(CLASSES - 1)] += 1;
        self.slow += u64::from(time > SLOW);
        self.longest = self.longest.max(time);
    }

    /// Number, median, 99th percentile, longest.
    pub fn summary(&self) -> LatencySummary {
        let count: u64 = self.counts.iter().sum();
        LatencySummary {
            count,
            slow: self.slow,
            p50_us: self.quantile(count, 0.5),
            p99_us: self.quantile(count, 0.99),
            max_us: self.longest.as_secs_f64() * 1e6,
        }
    }

    /// The upper end of the class that the quantile is in, but not more than the longest.
    fn quantile(&self, count: u64, q: f64) -> f64 {
        let rank = (q * count as f64).ceil() as u64;
        let mut seen = 0;
        for (class, n) in self.counts.iter().enumerate() {
            seen += n;
            if count > 0 && seen >= rank {
                let end = ((class + 1) as f64 / f64::from(TO_A_DOUBLING)).exp2();
                return end.min(self.longest.as_secs_f64() * 1e6);
            }
        }
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_known_to_a_class_and_the_longest_exactly() {
        let mut latency = Latency::default();
        assert_eq!(latency.summary(), LatencySummary::default());
        for micros in 1..=1000 {
            latency.record(Duration::from_micros(micros));
        }
        let summary = latency.summary();
        assert_eq!((summary.count, summary.max_us), (1000, 1000.0));
        assert!((500.0..550.0).contains(&summary.p50_us), "{summary:?}");
        assert!((990.0..=1000.0).contains(&summary.p99_us), "{summary:?}");
        latency.record(Duration::from_secs(3600));
        assert_eq!((latency.summary().slow, latency.summary().max_us), (1, 3.6e9));
    }
}
