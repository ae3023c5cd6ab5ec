//! Which symbols a window strategy may trade. All filters look at the symbol of the signal, never at what is
//! bought in its place.

use crate::market::Fundamental;
use crate::trading::Columns;

/// Bounds of the filters; bounds themselves pass.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Filters {
    /// MIN_PRICE and MAX_PRICE of the close at the decision.
    pub price: (f64, f64),
    /// MIN_VOLUME_THRESHOLD of the previous session's volume.
    pub min_volume: f64,
    /// MAX_GAP_PCT_*.
    pub max_gap: f64,
    /// MIN_MARKET_CAP_* and MAX_MARKET_CAP_*.
    pub market_cap: (f64, f64),
    /// MAX_PE_RATIO; `None`: not filtered.
    pub max_pe_ratio: Option<f64>,
    /// MAX_DEBT_EQUITY; `None`: not filtered.
    pub max_debt_equity: Option<f64>,
    /// Do not apply the three above in a run without any fundamentals.
    pub ignore_absent_fundamentals: bool,
}

impl Filters {
    /// Market capitalisation, P/E and D/E. A missing row or value fails its filter.
    pub fn passes_fundamentals(&self, row: Option<&Fundamental>) -> bool {
        let Some(row) = row else { return false };
        let cap = row.market_cap.is_some_and(|v| v >= self.market_cap.0 && v <= self.market_cap.1);
        let at_most = |value: Option<f64>, max: Option<f64>| max.is_none_or(|max| value.is_some_and(|v| v <= max));
        cap && at_most(row.pe_ratio, self.max_pe_ratio) && at_most(row.debt_equity, self.max_debt_equity)
    }

    /// The price at the decision, and how far it is from the session's open: |price / open - 1|.
    pub fn passes_price(&self, price: f64, session_open: f64) -> bool {
        price >= self.price.0 && price <= self.price.1 && (price / session_open - 1.0).abs() <= self.max_gap
    }

    /// The volume of the whole previous session; without one it fails.
    pub fn passes_volume(&self, previous: Option<Columns<'_>>) -> bool {
        previous.is_some_and(|bars| total(bars.volume) >= self.min_volume)
    }
}

/// Sum in a fixed order of eight running sums, which the compiler can keep in vector registers.
pub(super) fn total(values: &[f64]) -> f64 {
    let mut lanes = [0.0; 8];
    let chunks = values.chunks_exact(8);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane += value;
        }
    }
    lanes.iter().chain(rest).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filters() -> Filters {
        Filters {
            price: (5.0, 100.0),
            min_volume: 1_000.0,
            max_gap: 0.1,
            market_cap: (2e9, 1e10),
            max_pe_ratio: Some(50.0),
            max_debt_equity: Some(2.5),
            ignore_absent_fundamentals: false,
        }
    }

    fn company(market_cap: f64, pe_ratio: f64, debt_equity: f64) -> Fundamental {
        Fundamental {
            market_cap: Some(market_cap),
            pe_ratio: Some(pe_ratio),
            debt_equity: Some(debt_equity),
            ..Fundamental::default()
        }
    }

    #[test]
    fn bounds_pass_and_missing_values_fail() {
        let f = filters();
        assert!(f.passes_fundamentals(Some(&company(2e9, 50.0, 2.5))));
        assert!(f.passes_fundamentals(Some(&company(1e10, 50.0, 2.5))));
        assert!(!f.passes_fundamentals(Some(&company(1.99e9, 20.0, 1.0))));
        assert!(!f.passes_fundamentals(Some(&company(1.01e10, 20.0, 1.0))));
        assert!(!f.passes_fundamentals(Some(&company(5e9, 50.1, 1.0))));
        assert!(!f.passes_fundamentals(Some(&company(5e9, 20.0, 2.6))));
        assert!(!f.passes_fundamentals(None));
        let no_pe = Fundamental { pe_ratio: None, ..company(5e9, 0.0, 1.0) };
        assert!(!f.passes_fundamentals(Some(&no_pe)));
        let off = Filters { max_pe_ratio: None, max_debt_equity: None, ..f };
        assert!(off.passes_fundamentals(Some(&no_pe)), "P/E and D/E are not filtered when switched off");
        let no_cap = Fundamental { market_cap: None, ..no_pe };
        assert!(!off.passes_fundamentals(Some(&no_cap)), "the market capitalisation always is");
    }

    #[test]
    fn the_gap_is_measured_from_the_session_open_to_the_decision_price() {
        let f = filters();
        assert!(f.passes_price(55.0, 51.0) && !f.passes_price(55.0, 49.9));
        assert!(f.passes_price(45.1, 50.0) && !f.passes_price(44.9, 50.0));
        assert!(f.passes_price(5.0, 5.0) && !f.passes_price(4.99, 5.0));
        assert!(f.passes_price(100.0, 100.0) && !f.passes_price(100.01, 100.0));
    }

    #[test]
    fn volumes_add_up_across_the_lanes() {
        let volumes: Vec<f64> = (1..=19).map(f64::from).collect();
        assert_eq!(total(&volumes), 190.0);
        assert_eq!(total(&volumes[..3]), 6.0);
        let f = filters();
        let bars = |volume: &'static [f64]| Columns { start: &[], open: &[], high: &[], low: &[], close: &[], volume };
        assert!(f.passes_volume(Some(bars(&[400.0, 600.0]))));
        assert!(!f.passes_volume(Some(bars(&[400.0, 599.0]))));
        assert!(!f.passes_volume(None), "no previous session in the data");
    }
}
