//! Quote bars in files of their own.

use super::DataError;
use super::chunk::RawSeries;
use super::options::LoadOptions;
use super::series::check_orders;
use super::time_base::resolve_clocks;

/// Quote bars by symbol, joined to trade bars of the same start.
pub(super) fn join_quotes(raw: &mut [RawSeries], mut quotes: Vec<RawSeries>) -> Option<String> {
    let mut unmatched = 0u64;
    for series in raw.iter_mut() {
        let Some(at) = quotes.iter().position(|q| q.symbol == series.symbol) else { continue };
        let source = quotes.swap_remove(at);
        let Some(columns) = source.quotes else { continue };
        let mut rows: Vec<Option<usize>> = Vec::with_capacity(series.time.len());
        let mut next = 0;
        for &t in series.time.iter() {
            while next < source.time.len() && source.time[next] < t {
                next += 1;
                unmatched += 1;
            }
            let hit = next < source.time.len() && source.time[next] == t;
            rows.push(hit.then_some(next));
            next += usize::from(hit);
        }
        unmatched += (source.time.len() - next) as u64;
        series.quotes = Some(columns.map(|column| {
            if column.is_empty() {
                return column;
            }
            rows.iter().map(|row| row.map_or(f64::NAN, |i| column[i])).collect()
        }));
    }
    (unmatched > 0).then(|| format!("{unmatched} quote bars have no trade bar and are not used"))
}

/// Quote series checked for order, on their own clock.
pub(super) fn prepare_quotes(mut quotes: Vec<RawSeries>, options: &LoadOptions) -> Result<Vec<RawSeries>, DataError> {
    resolve_clocks(&mut quotes, options)?;
    check_orders(&quotes)?;
    Ok(quotes)
}
