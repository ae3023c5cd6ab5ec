//! Fewer points with the same picture: extremes always survive.

use std::ops::Range;

/// Splits `0..len` into at most `buckets` ranges of nearly equal length, none empty.
pub fn buckets(len: usize, buckets: usize) -> impl Iterator<Item = Range<usize>> {
    let count = buckets.min(len);
    (0..count).map(move |k| k * len / count..(k + 1) * len / count)
}

/// Rows of a curve to draw, ascending, at most `limit` (from 8 on): of every bucket the first row and the
/// rows with the lowest and highest equity, the deepest drawdown and the largest exposure; and the very
/// last row. All rows when there are no more than `limit`.
pub fn curve_rows(equity: &[f64], drawdown: &[f64], exposure: &[f64], limit: usize) -> Vec<usize> {
    let len = equity.len();
    if len <= limit {
        return (0..len).collect();
    }
    let mut rows = Vec::with_capacity(limit);
    for range in buckets(len, (limit - 1) / 5) {
        let mut kept = [range.start; 5];
        for i in range {
            if equity[i] < equity[kept[1]] {
                kept[1] = i;
            }
            if equity[i] > equity[kept[2]] {
                kept[2] = i;
            }
            if drawdown[i] < drawdown[kept[3]] {
                kept[3] = i;
            }
            if exposure[i] > exposure[kept[4]] {
                kept[4] = i;
            }
        }
        kept.sort_unstable();
        rows.extend(kept);
    }
    rows.push(len - 1);
    rows.dedup();
    rows
}

/// Rows of a line to draw in so many columns of pixels, ascending: of each the first, the lowest, the highest and the
/// last. All rows when there are no more than columns.
pub fn extreme_rows(values: &[f64], columns: usize) -> Vec<usize> {
    if values.len() <= columns {
        return (0..values.len()).collect();
    }
    let mut rows = Vec::with_capacity(columns.saturating_mul(4).min(values.len()));
    for range in buckets(values.len(), columns) {
        let mut kept = [range.start, range.start, range.start, range.end - 1];
        for i in range {
            if values[i] < values[kept[1]] {
                kept[1] = i;
            }
            if values[i] > values[kept[2]] {
                kept[2] = i;
            }
        }
        kept.sort_unstable();
        rows.extend(kept);
    }
    rows.dedup();
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_curves_stay_whole() {
        let values = [1.0, 2.0, 3.0];
        assert_eq!(curve_rows(&values, &[0.0; 3], &[0.0; 3], 8), [0, 1, 2]);
    }

    #[test]
    fn buckets_cover_everything_once() {
        for (len, count) in [(10, 3), (3, 10), (0, 4), (1000, 7)] {
            let rows: Vec<usize> = buckets(len, count).flatten().collect();
            assert_eq!(rows, (0..len).collect::<Vec<_>>());
            assert!(buckets(len, count).all(|r| !r.is_empty()));
        }
    }

    #[test]
    fn single_spikes_survive() {
        let len = 100_000;
        let mut equity = vec![100.0; len];
        let mut drawdown = vec![0.0; len];
        let mut exposure = vec![0.0; len];
        equity[12_345] = 250.0;
        equity[54_321] = 1.0;
        drawdown[77_777] = -0.5;
        exposure[88_888] = 3.0;
        let rows = curve_rows(&equity, &drawdown, &exposure, 4000);
        assert!(rows.len() <= 4000);
        assert!(rows.windows(2).all(|w| w[0] < w[1]), "ascending without repeats");
        for kept in [0, 12_345, 54_321, 77_777, 88_888, len - 1] {
            assert!(rows.binary_search(&kept).is_ok(), "row {kept}");
        }
    }
}
