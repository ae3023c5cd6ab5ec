//! P-values of many tests at once.

use super::OverfitError;

/// What is kept under control.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Correction {
    /// Probability of any false discovery: `m p`.
    Bonferroni,
    /// Probability of any false discovery, never weaker than Bonferroni: step-down `(m - i + 1) p_(i)`. S. Holm,
    /// Scandinavian Journal of Statistics 6 (1979).
    Holm,
    /// Share of false discoveries, for independent tests: step-up `m / i p_(i)`. Y. Benjamini & Y. Hochberg, Journal
    /// of the Royal Statistical Society B 57 (1995).
    BenjaminiHochberg,
    /// Share of false discoveries, for any dependence: that of Benjamini and Hochberg times `sum_(i<=m) 1/i`. Y.
    /// Benjamini & D. Yekutieli, Annals of Statistics 29 (2001).
    BenjaminiYekutieli,
}

/// Adjusted p-values in the order of `p_values`, monotone in them and at most 1: a test is significant at a level
/// when its adjusted p-value does not exceed it.
///
/// # Errors
/// A p-value that is not within 0 and 1.
pub fn adjusted_p_values(p_values: &[f64], correction: Correction) -> Result<Vec<f64>, OverfitError> {
    if let Some(i) = p_values.iter().position(|p| !(0.0..=1.0).contains(p)) {
        return Err(OverfitError::PValue { index: i + 1, value: p_values[i] });
    }
    let m = p_values.len() as f64;
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut adjusted = vec![0.0; p_values.len()];
    match correction {
        Correction::Bonferroni => {
            for (adjusted, p) in adjusted.iter_mut().zip(p_values) {
                *adjusted = (m * p).min(1.0);
            }
        }
        Correction::Holm => {
            let mut largest = 0.0f64;
            for (i, &k) in order.iter().enumerate() {
                largest = largest.max(((m - i as f64) * p_values[k]).min(1.0));
                adjusted[k] = largest;
            }
        }
        Correction::BenjaminiHochberg | Correction::BenjaminiYekutieli => {
            let harmonic: f64 = (1..=p_values.len()).map(|i| 1.0 / i as f64).sum();
            let factor = if correction == Correction::BenjaminiYekutieli { harmonic } else { 1.0 };
            let mut smallest = 1.0f64;
            for (i, &k) in order.iter().enumerate().rev() {
                smallest = smallest.min(factor * m / (i + 1) as f64 * p_values[k]);
                adjusted[k] = smallest;
            }
        }
    }
    Ok(adjusted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn assert_close(correction: Correction, expected: [f64; 5]) {
        let found = adjusted_p_values(&[0.01, 0.04, 0.03, 0.005, 0.55], correction).unwrap();
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-12, "{correction:?}: {found} is not {expected}");
        }
    }

    #[test]
    fn by_hand() {
        assert_close(Correction::Bonferroni, [0.05, 0.2, 0.15, 0.025, 1.0]);
        // Sorted 0.005, 0.01, 0.03, 0.04, 0.55: times 5, 4, 3, 2, 1, never falling.
        assert_close(Correction::Holm, [0.04, 0.09, 0.09, 0.025, 0.55]);
        // Times 5, 5/2, 5/3, 5/4, 1, never rising from the last one down.
        assert_close(Correction::BenjaminiHochberg, [0.025, 0.05, 0.05, 0.025, 0.55]);
        let harmonic = 1.0 + 0.5 + 1.0 / 3.0 + 0.25 + 0.2;
        assert_close(
            Correction::BenjaminiYekutieli,
            [0.025 * harmonic, 0.05 * harmonic, 0.05 * harmonic, 0.025 * harmonic, 1.0],
        );
    }

    #[test]
    fn what_is_no_p_value_is_refused() {
        let refused = |p: f64| adjusted_p_values(&[0.5, p], Correction::Holm).is_err();
        assert!(refused(-0.1) && refused(1.1) && refused(f64::NAN));
        assert_eq!(adjusted_p_values(&[], Correction::BenjaminiYekutieli), Ok(vec![]));
        assert_eq!(adjusted_p_values(&[0.3], Correction::BenjaminiYekutieli), Ok(vec![0.3]));
    }

    proptest! {
        #[test]
        fn corrections_are_ordered_by_strictness(p in prop::collection::vec(0.0..=1.0f64, 1..20)) {
            let of = |correction| adjusted_p_values(&p, correction).unwrap();
            let (bonferroni, holm) = (of(Correction::Bonferroni), of(Correction::Holm));
            let (hochberg, yekutieli) = (of(Correction::BenjaminiHochberg), of(Correction::BenjaminiYekutieli));
            for i in 0..p.len() {
                prop_assert!(p[i] <= hochberg[i] + 1e-15 && hochberg[i] <= holm[i] + 1e-15);
                prop_assert!(holm[i] <= bonferroni[i] && hochberg[i] <= yekutieli[i] && yekutieli[i] <= 1.0);
            }
        }
    }
}
