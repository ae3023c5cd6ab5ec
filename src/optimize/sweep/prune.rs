//! Giving up trials that are clearly worse than the best so far on the same days.

use crate::stats::normal;

/// Shares of the sessions after which a trial is looked at.
const RUNGS: [f64; 3] = [0.25, 0.5, 0.75];
/// A trial goes when the probability of differences as low as these, were it as good as the incumbent, is below
/// this.
pub const PRUNE_LEVEL: f64 = 0.05;
/// Fewer days on which the two differ decide nothing: the normal approximation needs them.
const MIN_DIFFERENCES: usize = 10;

/// Numbers of sessions, whole ones and ascending, after which a trial over `sessions` is looked at.
pub fn rungs(sessions: usize) -> Vec<usize> {
    let mut rungs: Vec<usize> = RUNGS.iter().map(|share| (sessions as f64 * share) as usize).collect();
    rungs.retain(|&rung| rung >= MIN_DIFFERENCES && rung < sessions);
    rungs.dedup();
    rungs
}

/// Whether a trial with these daily returns so far is clearly worse than the incumbent on the same days.
pub fn is_clearly_worse(returns: &[f64], incumbent: &[f64]) -> bool {
    let differences: Vec<f64> = returns.iter().zip(incumbent).map(|(a, b)| a - b).collect();
    wilcoxon_less(&differences).is_some_and(|p| p < PRUNE_LEVEL)
}

/// One-sided p-value of the Wilcoxon signed-rank test that differences lie below 0: F. Wilcoxon, *Individual
/// comparisons by ranking methods*, Biometrics Bulletin 1 (1945). Zeros are dropped, ties share their mean rank;
/// normal approximation with the correction for ties, without one for continuity (as scipy's `wilcoxon` with
/// `method="approx", alternative="less"`). `None` with fewer than 10 differences that are not zero.
pub fn wilcoxon_less(differences: &[f64]) -> Option<f64> {
    let mut sorted: Vec<f64> = differences.iter().copied().filter(|d| *d != 0.0).collect();
    let n = sorted.len();
    if n < MIN_DIFFERENCES || sorted.iter().any(|d| d.is_nan()) {
        return None;
    }
    sorted.sort_by(|a, b| a.abs().total_cmp(&b.abs()).then(a.total_cmp(b)));
    let (mut positive, mut ties, mut from) = (0.0, 0.0, 0);
    while from < n {
        let size = sorted[from..].iter().take_while(|d| d.abs() == sorted[from].abs()).count();
        let rank = (2 * from + size + 1) as f64 / 2.0;
        positive += rank * sorted[from..from + size].iter().filter(|d| **d > 0.0).count() as f64;
        let t = size as f64;
        ties += t * t * t - t;
        from += size;
    }
    let n = n as f64;
    let mean = n * (n + 1.0) / 4.0;
    let variance = (n * (n + 1.0) * (2.0 * n + 1.0) - ties / 2.0) / 24.0;
    if variance <= 0.0 { None } else { Some(normal::cumulative((positive - mean) / variance.sqrt())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rungs_are_whole_sessions() {
        assert_eq!(rungs(100), [25, 50, 75]);
        assert_eq!(rungs(42), [10, 21, 31]);
        assert_eq!(rungs(30), [15, 22], "too few days decide nothing");
        assert!(rungs(8).is_empty());
    }

    #[test]
    fn the_test_by_hand() {
        // 1 to 12 with signs - but for 3 and 5: W+ = 8, mean 39, variance 12 x 13 x 25 / 24 = 162.5.
        let differences: Vec<f64> =
            (1..=12).map(|k| if k == 3 || k == 5 { f64::from(k) } else { -f64::from(k) }).collect();
        let expected = normal::cumulative(-31.0 / 162.5_f64.sqrt());
        assert!((wilcoxon_less(&differences).unwrap() - expected).abs() < 1e-15);
        // All alike: every rank 5.5, W+ = 0; variance 10 x 11 x 21 / 24 less 990 / 48.
        let expected = normal::cumulative(-27.5 / (96.25_f64 - 20.625).sqrt());
        assert!((wilcoxon_less(&[-1.0; 10]).unwrap() - expected).abs() < 1e-15);
        assert_eq!(wilcoxon_less(&[-1.0; 9]), None);
        assert_eq!(wilcoxon_less(&[0.0; 50]), None);
    }

    #[test]
    fn only_the_worse_goes() {
        let incumbent: Vec<f64> = (0..40).map(|k| 0.001 * f64::from(k % 7)).collect();
        let worse: Vec<f64> = incumbent.iter().map(|r| r - 0.001).collect();
        let better: Vec<f64> = incumbent.iter().map(|r| r + 0.001).collect();
        assert!(is_clearly_worse(&worse, &incumbent));
        assert!(!is_clearly_worse(&better, &incumbent) && !is_clearly_worse(&incumbent, &incumbent));
    }
}
