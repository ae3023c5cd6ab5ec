//! The stationary bootstrap: resampling days so that they keep the company they came in.

use crate::stats::summation::{mean, sum};
use crate::stats::{NEGLIGIBLE_DEVIATION, philox4x32};

/// Third word of the counter of every draw here: other purposes under the same seed see other numbers.
const PURPOSE: u32 = 0x5742_5354;

/// Resamples the days of a series in blocks of random length: geometric with a mean of `block_length` days, each
/// starting at any day alike, the series closed to a ring.
///
/// D. N. Politis & J. P. Romano, *The Stationary Bootstrap*, Journal of the American Statistical Association 89
/// (1994).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StationaryBootstrap {
    seed: u64,
    days: u32,
    /// A block ends where 32 random bits are below this.
    ends_below: u64,
}

impl StationaryBootstrap {
    /// A bootstrap of `days` days; a mean block length below 1 counts as 1 (independent days).
    pub fn new(seed: u64, days: u32, block_length: f64) -> StationaryBootstrap {
        let probability = 1.0 / block_length.max(1.0);
        StationaryBootstrap { seed, days, ends_below: (probability * 4_294_967_296.0) as u64 }
    }

    /// The days of one replication, in order of the resampled series: a function of the seed and `replication`
    /// alone. The start of a block misses uniformity by `days / 2^32` at most.
    pub fn indices(&self, replication: u32) -> impl Iterator<Item = u32> + '_ {
        let key = [self.seed as u32, (self.seed >> 32) as u32];
        let mut words = [0; 4];
        let mut day = 0;
        (0..self.days).map(move |t| {
            if t % 2 == 0 {
                words = philox4x32([t / 2, replication, PURPOSE, 0], key);
            }
            let (end, start) = if t % 2 == 0 { (words[0], words[1]) } else { (words[2], words[3]) };
            day = if t == 0 || u64::from(end) < self.ends_below {
                ((u64::from(start) * u64::from(self.days)) >> 32) as u32
            } else if day + 1 == self.days {
                0
            } else {
                day + 1
            };
            day
        })
    }
}

/// Variance of `sqrt(n)` times the mean of a stationary bootstrap of `values` with mean block length
/// `block_length`, exactly: `gamma_0 + 2 sum_(i=1..n-1) k_i gamma_i` with the autocovariances gamma and
/// `k_i = (1 - i/n) q^i + (i/n) q^(n-i)`, `q = 1 - 1/block_length` (P. R. Hansen, *A Test for Superior Predictive
/// Ability*, Journal of Business & Economic Statistics 23, 2005; Politis & Romano 1994, lemma 1).
///
/// On the ring of days the second term of `k_i` is the first one the other way round, so the sum goes over all
/// days before each day with the weight `(1 - m/n) q^m`, m the days between. Both `q^m` and `m q^m` follow from
/// one day to the next, which takes n steps in place of n^2.
pub(super) fn stationary_variance(values: &[f64], block_length: f64) -> f64 {
    let Some(centre) = mean(values) else { return 0.0 };
    let n = values.len();
    let d: Vec<f64> = values.iter().map(|v| v - centre).collect();
    let q = 1.0 - 1.0 / block_length.max(1.0);
    // before = sum of q^m d[t - m], weighted = sum of m q^m d[t - m], over m = 1 .. n - 1 round the ring.
    let (mut before, mut weighted, mut power) = (0.0, 0.0, 1.0);
    for m in 1..n {
        power *= q;
        before += power * d[n - m];
        weighted += m as f64 * power * d[n - m];
    }
    let last = power * q;
    let mut cross = 0.0;
    for t in 0..n {
        cross += d[t] * (before - weighted / n as f64);
        if let Some(next) = d.get(t + 1) {
            // The day itself comes in at distance 1; the next one, at distance n, goes out.
            weighted = q * (d[t] + before + weighted) - n as f64 * last * next;
            before = q * (d[t] + before) - last * next;
        }
    }
    (sum(d.iter().map(|d| d * d)) + 2.0 * cross) / n as f64
}

/// Mean block length in days that a stationary bootstrap of the mean of `values` needs, from the decay of their
/// autocorrelation; at most `ceil(min(3 sqrt n, n / 3))`. Below 1 the days are as good as independent. `None`
/// without dispersion or below 11 days, where the lags looked at do not fit.
///
/// D. N. Politis & H. White, *Automatic Block-Length Selection for the Dependent Bootstrap*, Econometric Reviews
/// 23 (2004), with the correction by A. Patton, D. N. Politis & H. White, Econometric Reviews 28 (2009). The
/// constants and the correlation of a lag (over the days that a lag one longer leaves) are those of
/// `optimal_block_length` of the Python package arch.
pub fn optimal_block_length(values: &[f64]) -> Option<f64> {
    let n = values.len();
    let size = n as f64;
    let most = (3.0 * size.sqrt()).min(size / 3.0).ceil();
    let run = (libm::log10(size.max(1.0)) as usize).max(5);
    let last_lag = size.sqrt().ceil() as usize + run;
    if last_lag + 1 >= n {
        return None;
    }
    let centre = mean(values)?;
    let d: Vec<f64> = values.iter().map(|v| v - centre).collect();
    let band = 2.0 * (libm::log10(size) / size).sqrt();
    let mut covariance = vec![0.0; last_lag + 1];
    let mut correlation = vec![0.0; last_lag + 1];
    let mut first_quiet = None;
    for lag in 0..=last_lag {
        let products = sum(d[lag..].iter().zip(&d).map(|(a, b)| a * b));
        let later = sum(d[lag + 1..].iter().map(|d| d * d));
        let earlier = sum(d[..n - lag - 1].iter().map(|d| d * d));
        covariance[lag] = products / size;
        correlation[lag] = products.abs() / (later * earlier).sqrt();
        if lag >= run && first_quiet.is_none() && correlation[lag - run..lag].iter().all(|r| *r < band) {
            first_quiet = Some(lag - run);
        }
    }
    if covariance[0].sqrt() < NEGLIGIBLE_DEVIATION {
        return None;
    }
    let bandwidth = first_quiet.map_or(last_lag, |lag| 2 * lag.max(1)).min(last_lag);
    let (mut slope, mut spectrum) = (0.0, covariance[0]);
    for (k, covariance) in covariance.iter().enumerate().skip(1).take(bandwidth) {
        let share = k as f64 / bandwidth as f64;
        let window = if share <= 0.5 { 1.0 } else { 2.0 * (1.0 - share) };
        slope += 2.0 * window * k as f64 * covariance;
        spectrum += 2.0 * window * covariance;
    }
    let third = 1.0 / 3.0;
    let length = libm::pow(2.0 * slope * slope / (2.0 * spectrum * spectrum), third) * libm::pow(size, third);
    Some(length.min(most)).filter(|length| length.is_finite())
}

#[cfg(test)]
mod tests {
    use super::super::test_draws::Lcg;
    use super::*;

    #[test]
    fn blocks_have_the_length_asked_for_and_start_anywhere() {
        let bootstrap = StationaryBootstrap::new(7, 50, 5.0);
        let (mut starts, mut days, mut seen) = (0, 0, [0u32; 50]);
        for replication in 0..400 {
            let drawn: Vec<u32> = bootstrap.indices(replication).collect();
            assert_eq!(drawn.len(), 50);
            starts += drawn.windows(2).filter(|pair| pair[1] != (pair[0] + 1) % 50).count();
            days += 49;
            drawn.iter().for_each(|day| seen[*day as usize] += 1);
        }
        // A start next to the end of the block before does not show: 49/50 of 1/5. Standard error 0.003.
        let share = starts as f64 / days as f64;
        assert!((share - 0.2 * 49.0 / 50.0).abs() < 0.012, "{share}");
        // 400 expected; the blocks make the deviation about 3 times that of a Poisson number.
        assert!(seen.iter().all(|count| (400 - 5 * 60..=400 + 5 * 60).contains(count)), "{seen:?}");
    }

    #[test]
    fn a_replication_is_a_function_of_seed_and_number() {
        let of = |seed, replication| StationaryBootstrap::new(seed, 9, 3.0).indices(replication).collect::<Vec<_>>();
        assert_eq!(of(1, 5), of(1, 5));
        assert_ne!(of(1, 5), of(1, 6));
        assert_ne!(of(1, 5), of(1 << 32, 5));
        assert!(StationaryBootstrap::new(1, 1, 9.0).indices(0).eq([0]));
    }

    /// The sum of the definition, lag by lag.
    fn variance_by_lags(values: &[f64], block_length: f64) -> f64 {
        let n = values.len();
        let centre = values.iter().sum::<f64>() / n as f64;
        let d: Vec<f64> = values.iter().map(|v| v - centre).collect();
        let q = 1.0 - 1.0 / block_length;
        let power = |k: usize| libm::pow(q, k as f64);
        let mut total = d.iter().map(|d| d * d).sum::<f64>() / n as f64;
        for i in 1..n {
            let share = i as f64 / n as f64;
            let kernel = (1.0 - share) * power(i) + share * power(n - i);
            total += 2.0 * kernel * (i..n).map(|t| d[t] * d[t - i]).sum::<f64>() / n as f64;
        }
        total
    }

    #[test]
    fn the_variance_in_one_pass_is_that_of_all_lags() {
        let values: Vec<f64> = (0..60).map(|i| f64::from((i * 73) % 101 - 48) / 100.0).collect();
        for (length, block) in [(1, 3.0), (2, 3.0), (3, 1.0), (17, 2.5), (60, 1.0), (60, 8.0), (60, 500.0)] {
            let (found, expected) =
                (stationary_variance(&values[..length], block), variance_by_lags(&values[..length], block));
            assert!((found - expected).abs() < 1e-14, "{length}, {block}: {found} is not {expected}");
        }
    }

    /// `arch.bootstrap.optimal_block_length` 8.0.0 of an autoregressive series with 0.6, of parts of it, and of
    /// noise.
    #[test]
    fn block_lengths_are_those_of_arch() {
        let mut draws = Lcg(99);
        let mut value = 0.0;
        let series: Vec<f64> = (0..300)
            .map(|_| {
                value = 0.6 * value + draws.thousandths();
                value
            })
            .collect();
        let mut draws = Lcg(5);
        let noise: Vec<f64> = (0..250).map(|_| draws.thousandths()).collect();
        for (values, expected) in [
            (&series[..], 7.246242753609586),
            (&series[..120], 4.191712225507569),
            (&series[..37], 0.29071161143181123),
            (&series[..11], 4.0),
            (&noise[..], 1.0606097760767124),
        ] {
            let found = optimal_block_length(values).unwrap();
            assert!((found - expected).abs() < 1e-11 * expected, "{}: {found} is not {expected}", values.len());
        }
    }

    #[test]
    fn block_lengths_need_days_and_dispersion() {
        let values: Vec<f64> = (0..11).map(|i| f64::from((i * 73) % 101)).collect();
        assert!(optimal_block_length(&values).is_some());
        assert_eq!(optimal_block_length(&values[..10]), None);
        assert_eq!(optimal_block_length(&[0.01; 40]), None);
        assert_eq!(optimal_block_length(&[]), None);
    }
}
