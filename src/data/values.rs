//! What a bar and a quote may not be.

use super::DataError;
use super::chunk::{Provenance, RawSeries};
use super::clock::show;
use std::ops::Range;

/// One bar's fault, if any. The first comparison covers them all: with 0 < low <= open, close <= high < inf
/// nothing is NaN, infinite or without order.
#[inline]
#[expect(clippy::manual_range_contains, reason = "one comparison a line, without short circuit")]
fn is_sound(open: f64, high: f64, low: f64, close: f64, volume: f64) -> bool {
    // No short circuit, so that the compiler can take several bars at a time.
    (low > 0.0)
        & (low <= open)
        & (low <= close)
        & (high >= open)
        & (high >= close)
        & (high < f64::INFINITY)
        & (volume >= 0.0)
        & (volume < f64::INFINITY)
}

/// Refuses the first faulty bar of `rows`.
pub(super) fn check_values(series: &RawSeries, rows: Range<usize>) -> Result<(), DataError> {
    let [open, high, low, close, volume] = series.trade.each_ref().map(|c| &c[rows.clone()]);
    const BLOCK: usize = 1024;
    let blocks = open.chunks(BLOCK).zip(high.chunks(BLOCK)).zip(low.chunks(BLOCK)).zip(close.chunks(BLOCK));
    for (k, ((((o, h), l), c), v)) in blocks.zip(volume.chunks(BLOCK)).enumerate() {
        let mut sound = true;
        for i in 0..o.len() {
            sound &= is_sound(o[i], h[i], l[i], c[i], v[i]);
        }
        if sound {
            continue;
        }
        for i in 0..o.len() {
            if let Some(reason) = fault(o[i], h[i], l[i], c[i], v[i]) {
                let row = rows.start + k * BLOCK + i;
                return Err(DataError::row(
                    series.provenance.place(row),
                    format!("{} {}: {reason}", series.symbol, show(series.time[row])),
                ));
            }
        }
    }
    Ok(())
}

/// What is wrong with a bar.
fn fault(open: f64, high: f64, low: f64, close: f64, volume: f64) -> Option<String> {
    for (name, price) in [("open", open), ("high", high), ("low", low), ("close", close)] {
        if !price.is_finite() {
            return Some(format!("{name} is {price}; expected a finite price"));
        }
        if price <= 0.0 {
            return Some(format!("{name} is {price}; prices must be positive"));
        }
    }
    if high < low {
        return Some(format!("high {high} is below low {low}"));
    }
    for (name, price) in [("open", open), ("close", close)] {
        if price > high || price < low {
            return Some(format!("{name} {price} is outside low {low} to high {high}"));
        }
    }
    if !volume.is_finite() || volume < 0.0 {
        return Some(format!("volume is {volume}; expected a number not below 0"));
    }
    None
}

/// Quotes may lack a side (NaN), but what is there must be a price. Crossed quotes occur in real markets.
pub(super) fn check_quotes(
    symbol: &str,
    provenance: &Provenance,
    quotes: &mut [Vec<f64>; 8],
    rows: Range<usize>,
) -> Result<(), DataError> {
    for (k, column) in quotes.iter_mut().enumerate() {
        for (i, value) in column.iter_mut().enumerate() {
            if value.is_nan() {
                // One bit pattern, so that equal data hash equally.
                *value = f64::NAN;
            } else if rows.contains(&i) && !(*value > 0.0 && *value < f64::INFINITY) {
                let name = super::layout::QUOTE_NAMES[k];
                return Err(DataError::row(
                    provenance.place(i),
                    format!("{symbol}: {name} is {value}; expected a positive price or an empty field"),
                ));
            }
        }
    }
    Ok(())
}
