//! Whose clock the times of a file are: wall clocks, and wall times that claim to be UTC.

use super::DataError;
use super::chunk::{RawSeries, change_times, distinct_times};
use super::clock::{Clock, Localiser, is_midnight, show};
use super::options::LoadOptions;
use super::series::check_orders;
use crate::market::{MINUTE, Nanos, Session, new_york_offset};
use rayon::prelude::*;

/// Wall clocks become instants; wall clocks that only show midnights are dates.
pub(super) fn resolve_clocks(raw: &mut [RawSeries], options: &LoadOptions) -> Result<(), DataError> {
    let all_midnight = distinct_times(raw).par_iter().all(|(s, _)| s.time.iter().all(|&t| is_midnight(t)));
    if all_midnight {
        raw.iter_mut().filter(|s| s.clock == Clock::Wall).for_each(|series| series.clock = Clock::Date);
        return Ok(());
    }
    change_times(raw, |series| {
        if series.clock != Clock::Wall {
            return Ok(None);
        }
        let Some(zone) = options.tz else {
            return Err(DataError::file(
                series.provenance.file(0),
                format!(
                    "the times of {} have no offset: --tz says whose clock they are (for example --tz America/New_York, or --tz UTC)",
                    series.symbol
                ),
            ));
        };
        localise(series, zone).map(Some)
    })?;
    raw.iter_mut().filter(|s| s.clock == Clock::Wall).for_each(|series| series.clock = Clock::Utc);
    Ok(())
}

/// The times of a series, read as the wall clock of `zone`.
fn localise(series: &RawSeries, zone: chrono_tz::Tz) -> Result<Vec<Nanos>, DataError> {
    let mut localiser = Localiser::new(zone);
    let instant = |(i, &t): (usize, &Nanos)| {
        localiser.instant(t).ok_or_else(|| {
            let wall = show(t);
            DataError::row(
                series.provenance.place(i),
                format!("{} does not exist in {zone}: the clocks go forward over it", &wall[..19]),
            )
        })
    };
    series.time.iter().enumerate().map(instant).collect()
}

/// Finds times that are off by the whole New York offset: wall times labelled UTC, or times converted twice.
///
/// With a time zone given, wall times labelled UTC are read in it; else they are refused with the hint.
pub(super) fn repair_clock(
    raw: &mut [RawSeries],
    options: &LoadOptions,
    sessions: &[Session],
) -> Result<Option<String>, DataError> {
    let mut as_is = Share::default();
    let mut wall = Share::default();
    let mut twice = Share::default();
    for series in raw.iter() {
        // Two hundred bars a symbol, spread over its span, show where the clock is.
        let step = (series.time.len() / 200).max(1);
        for &t in series.time.iter().step_by(step) {
            let offset = new_york_offset(t);
            as_is.count(t, sessions);
            wall.count(t - offset, sessions);
            twice.count(t + offset, sessions);
        }
    }
    let Some(series) = raw.iter().find(|s| !s.time.is_empty()) else { return Ok(None) };
    if !as_is.is_doubtful() {
        return Ok(None);
    }
    if wall.explains(&as_is, options) {
        let Some(zone) = options.tz else {
            return Err(DataError::row(
                series.provenance.place(0),
                format!(
                    "the bars lie outside the exchange's sessions by a constant 4 or 5 hours: times such as {} look like New York wall time labelled UTC; read them with --tz America/New_York",
                    show(series.time[0])
                ),
            ));
        };
        change_times(raw, |series| localise(series, zone).map(Some))?;
        check_orders(raw)?;
        return Ok(Some(format!("times labelled UTC are read as wall time of {zone}")));
    }
    if twice.explains(&as_is, options) {
        return Err(DataError::row(
            series.provenance.place(0),
            format!(
                "the bars lie outside the exchange's sessions by a constant 4 or 5 hours: times such as {} look as if converted from New York time to UTC twice; if the file holds New York wall time, read that with --tz America/New_York",
                show(series.time[0])
            ),
        ));
    }
    Ok(None)
}

/// How many of some bars lie in regular sessions and in the hours that have any trading.
#[derive(Debug, Default)]
struct Share {
    bars: u64,
    regular: u64,
    /// 4:00 to 20:00 New York on session days.
    extended: u64,
}

impl Share {
    fn count(&mut self, t: Nanos, sessions: &[Session]) {
        self.bars += 1;
        let next = sessions.partition_point(|s| s.open <= t);
        if next > 0 && t < sessions[next - 1].close {
            self.regular += 1;
        }
        // Sessions open 5.5 hours after the first and 10.5 hours before the last trade of their day.
        let near = |s: &Session| t >= s.open - 330 * MINUTE && t < s.open + 630 * MINUTE;
        if sessions.get(next).is_some_and(near) || (next > 0 && near(&sessions[next - 1])) {
            self.extended += 1;
        }
    }

    /// Bars at hours without trading, or most bars outside the sessions.
    fn is_doubtful(&self) -> bool {
        self.extended * 100 < self.bars * 98 || self.regular * 2 < self.bars
    }

    /// Whether this reading of the times puts (nearly) all bars where trading is and more of them into sessions.
    fn explains(&self, as_is: &Share, options: &LoadOptions) -> bool {
        let fits = self.extended * 1000 >= self.bars * 995 && self.regular > as_is.regular;
        // Who asks for extended hours may well have a file of nothing but those.
        let regular = !options.extended_hours && self.regular * 100 >= self.bars * 95;
        fits && (as_is.extended * 100 < as_is.bars * 98 || regular)
    }
}
