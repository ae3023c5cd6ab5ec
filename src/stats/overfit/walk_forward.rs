//! Windows that walk forward: fit on the past, judge on what follows.

use super::OverfitError;
use std::ops::Range;

/// How the windows of a walk-forward analysis lie, in rows (sessions).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WalkForward {
    /// Rows to fit on (the first window's, when anchored).
    pub train: usize,
    /// Rows to judge on.
    pub test: usize,
    /// Rows from one window to the next.
    pub step: usize,
    /// Rows left out between fitting and judging.
    pub embargo: usize,
    /// Whether every window is fitted on all rows from the first on.
    pub anchored: bool,
}

/// One window, half-open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Rows to fit on.
    pub train: Range<usize>,
    /// Rows to judge on.
    pub test: Range<usize>,
}

/// Windows over `rows` rows: train `[a, a + L)` (anchored: `[0, a + L)`), test `[a + L + gap, a + L + gap + M)`,
/// `a` growing by the step from 0. A last window that is not complete is dropped; there may be none.
///
/// R. Pardo, *The Evaluation and Optimization of Trading Strategies* (2008), chapter 11.
///
/// # Errors
/// A train, test or step of 0.
pub fn walk_forward_windows(rows: usize, plan: &WalkForward) -> Result<Vec<Window>, OverfitError> {
    for (what, length) in [("train", plan.train), ("test", plan.test), ("step", plan.step)] {
        if length == 0 {
            return Err(OverfitError::EmptyWindow { what });
        }
    }
    let window = |a: usize| {
        let train_end = a.checked_add(plan.train)?;
        let test_start = train_end.checked_add(plan.embargo)?;
        let test_end = test_start.checked_add(plan.test).filter(|end| *end <= rows)?;
        let train_start = if plan.anchored { 0 } else { a };
        Some(Window { train: train_start..train_end, test: test_start..test_end })
    };
    Ok((0..rows).step_by(plan.step).map_while(window).collect())
}

/// Walk-forward efficiency: what was earned out of sample as a share of what was earned in sample, both a year.
/// `None` unless the latter is positive.
///
/// R. Pardo, *The Evaluation and Optimization of Trading Strategies* (2008), chapter 11.
pub fn walk_forward_efficiency(in_sample_annual: f64, out_of_sample_annual: f64) -> Option<f64> {
    let positive = in_sample_annual > 0.0;
    positive.then(|| out_of_sample_annual / in_sample_annual).filter(|ratio| ratio.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PLAN: WalkForward = WalkForward { train: 4, test: 2, step: 2, embargo: 1, anchored: false };

    #[test]
    fn rolling_and_anchored_by_hand() {
        let rolling = walk_forward_windows(12, &PLAN).unwrap();
        let of = |train: Range<usize>, test: Range<usize>| Window { train, test };
        assert_eq!(rolling, [of(0..4, 5..7), of(2..6, 7..9), of(4..8, 9..11)]);
        let anchored = walk_forward_windows(13, &WalkForward { anchored: true, ..PLAN }).unwrap();
        assert_eq!(anchored, [of(0..4, 5..7), of(0..6, 7..9), of(0..8, 9..11), of(0..10, 11..13)]);
        assert_eq!(walk_forward_windows(6, &PLAN), Ok(vec![]));
        assert_eq!(walk_forward_windows(0, &PLAN), Ok(vec![]));
        let huge = WalkForward { train: usize::MAX, ..PLAN };
        assert_eq!(walk_forward_windows(100, &huge), Ok(vec![]));
    }

    #[test]
    fn windows_need_rows() {
        for (what, plan) in [
            ("train", WalkForward { train: 0, ..PLAN }),
            ("test", WalkForward { test: 0, ..PLAN }),
            ("step", WalkForward { step: 0, ..PLAN }),
        ] {
            assert_eq!(walk_forward_windows(10, &plan), Err(OverfitError::EmptyWindow { what }));
        }
    }

    #[test]
    fn efficiency_is_a_share_of_a_gain() {
        assert_eq!(walk_forward_efficiency(0.2, 0.1), Some(0.5));
        assert_eq!(walk_forward_efficiency(0.2, -0.1), Some(-0.5));
        assert_eq!(walk_forward_efficiency(0.0, 0.1), None);
        assert_eq!(walk_forward_efficiency(-0.1, 0.1), None);
        assert_eq!(walk_forward_efficiency(f64::NAN, 0.1), None);
    }

    proptest! {
        #[test]
        fn nothing_is_judged_on_what_it_was_fitted_on(
            rows in 0usize..200, train in 1usize..40, test in 1usize..40, step in 1usize..40,
            embargo in 0usize..10, anchored: bool,
        ) {
            let plan = WalkForward { train, test, step, embargo, anchored };
            let windows = walk_forward_windows(rows, &plan).unwrap();
            for window in &windows {
                prop_assert_eq!(window.train.end + embargo, window.test.start);
                prop_assert_eq!(window.test.len(), test);
                prop_assert!(window.test.end <= rows && (anchored || window.train.len() == train));
            }
            // One more would not fit.
            let next = windows.len() * step + train + embargo + test;
            prop_assert!(next > rows);
        }
    }
}
