//! From rows to checked bar series: clocks, bar length, labels, sessions, faults and counts.

use super::DataError;
use super::chunk::{Patience, RawSeries, SharedTimes, change_times, distinct_times};
use super::clock::{Clock, date_of, is_midnight, midnight_of, show};
use super::options::{Label, LoadOptions, format_bar_length};
use super::time_base::{repair_clock, resolve_clocks};
use super::values::{check_quotes, check_values};
use crate::market::{
    Bars, Calendar, DAY, DataQuality, MINUTE, Nanos, Quotes, SECOND, Session, format_date, new_york_date,
    new_york_offset,
};
use chrono::NaiveDate;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// Steps at and beyond this length are days: bars span their session.
const DAILY: Nanos = 20 * 60 * MINUTE;

/// All bars of a load, checked.
#[derive(Debug)]
pub(super) struct Prepared {
    pub bar_length: Nanos,
    /// Sorted by symbol.
    pub series: Vec<(String, Bars)>,
    /// Covers the span of the bars.
    pub sessions: Vec<Session>,
    pub quality: DataQuality,
    pub notes: Vec<String>,
}

/// Turns raw rows into bars; the text of [`crate::data`] states the rules.
pub(super) fn prepare(
    mut raw: Vec<RawSeries>,
    options: &LoadOptions,
    patience: Patience<'_>,
) -> Result<Prepared, DataError> {
    resolve_clocks(&mut raw, options)?;
    let mut notes = Vec::new();
    check_orders(&raw)?;
    let bar_length = match bar_length(&raw, options) {
        Ok(length) => length,
        Err(error) => {
            // A faulty row is the better thing to hear of.
            raw.iter().try_for_each(|series| check_values(series, 0..series.time.len()))?;
            return Err(error);
        }
    };
    let sessions = sessions_of(&raw)?;
    if bar_length < DAILY {
        notes.extend(repair_clock(&mut raw, options, &sessions)?);
        if options.label == Label::End {
            change_times(&mut raw, |series| Ok(Some(end_to_start(&series.time, bar_length, &sessions))))?;
        }
    } else {
        change_times(&mut raw, |series| days_to_opens(series, options.label).map(Some))?;
    }
    let context = Context { options, bar_length, sessions: &sessions, patience };
    let distinct = distinct_times(&raw);
    let plans: Vec<Option<Plan>> = distinct.par_iter().map(|(series, _)| context.plan(series).ok()).collect();
    // By the address of the times they are for, which nobody changes any more.
    let plans: BTreeMap<usize, Plan> =
        distinct.iter().zip(plans).filter_map(|((series, _), plan)| Some((address(series), plan?))).collect();
    let done: Vec<Result<Finished, DataError>> =
        raw.into_par_iter().map(|series| context.finish(plans.get(&address(&series)), series)).collect();
    let mut quality = DataQuality::default();
    let mut series = Vec::with_capacity(done.len());
    let shared = SharedTimes::default();
    for part in done {
        let mut part = part?;
        add(&mut quality, &part.quality);
        if part.bars.is_empty() {
            continue;
        }
        shared.share(Clock::Utc, &mut part.bars.start);
        series.push((part.symbol, part.bars));
    }
    Ok(Prepared { bar_length, series, sessions, quality, notes })
}

/// Tells the times of a series from others that are alive.
fn address(series: &RawSeries) -> usize {
    Arc::as_ptr(&series.time) as usize
}

/// Adds counts.
pub(super) fn add(sum: &mut DataQuality, part: &DataQuality) {
    sum.missing_bars += part.missing_bars;
    sum.gaps += part.gaps;
    sum.missing_sessions += part.missing_sessions;
    sum.zero_volume += part.zero_volume;
    sum.jumps += part.jumps;
    sum.outside_session += part.outside_session;
    sum.not_selected += part.not_selected;
}

/// Refuses the first row of any series that does not come after the row before it.
pub(super) fn check_orders(raw: &[RawSeries]) -> Result<(), DataError> {
    let found: Vec<Result<(), DataError>> =
        distinct_times(raw).par_iter().map(|(series, _)| check_order(series)).collect();
    found.into_iter().collect()
}

/// Refuses the first row that does not come after the row before it.
fn check_order(series: &RawSeries) -> Result<(), DataError> {
    let Some(i) = (1..series.time.len()).find(|&i| series.time[i] <= series.time[i - 1]) else { return Ok(()) };
    let (time, before) = (series.time[i], series.time[i - 1]);
    let other = series.provenance.place(i - 1);
    let symbol = &series.symbol;
    let reason = if other.file != series.provenance.file(i) {
        format!(
            "{symbol} {} overlaps {}, which reaches to {}: the files of one symbol must follow each other",
            show(time),
            other.file,
            show(before)
        )
    } else if time == before {
        format!("{symbol} {} repeats the time of {} {}", show(time), other.unit, other.number)
    } else {
        format!(
            "{symbol} {} comes after the later {} of {} {}: rows of a symbol must ascend in time",
            show(time),
            show(before),
            other.unit,
            other.number
        )
    };
    Err(DataError::row(series.provenance.place(i), reason))
}

/// The most frequent step between bars, unless given.
fn bar_length(raw: &[RawSeries], options: &LoadOptions) -> Result<Nanos, DataError> {
    if let Some(length) = options.bar {
        return Ok(length);
    }
    let count = |(series, sharers): &(&RawSeries, u64)| {
        let mut steps: BTreeMap<Nanos, u64> = BTreeMap::new();
        let mut run = (0, 0);
        for pair in series.time.windows(2) {
            let step = pair[1] - pair[0];
            if step == run.0 {
                run.1 += 1;
            } else {
                *steps.entry(run.0).or_default() += run.1;
                run = (step, 1);
            }
        }
        *steps.entry(run.0).or_default() += run.1;
        steps.values_mut().for_each(|n| *n *= sharers);
        steps
    };
    let steps = distinct_times(raw).par_iter().map(count).reduce(BTreeMap::new, |mut sum, part| {
        for (step, n) in part {
            *sum.entry(step).or_default() += n;
        }
        sum
    });
    let most = steps.into_iter().filter(|(step, n)| *step > 0 && *n > 0).max_by_key(|&(step, n)| (n, -step));
    match most {
        Some((step, _)) => Ok(step),
        None if raw.iter().all(|s| s.time.iter().all(|&t| is_midnight(t))) => Ok(DAY),
        None => Err(DataError::Selection(
            "the bar length cannot be told from one bar a symbol: give it with --bar, such as --bar 1m".to_string(),
        )),
    }
}

/// The sessions from before the first to after the last bar.
fn sessions_of(raw: &[RawSeries]) -> Result<Vec<Session>, DataError> {
    let first = raw.iter().filter_map(|s| Some((*s.time.first()?, s))).min_by_key(|(t, _)| *t);
    let last = raw.iter().filter_map(|s| Some((*s.time.last()?, s))).max_by_key(|(t, _)| *t);
    let (Some((first, a)), Some((last, b))) = (first, last) else { return Ok(Vec::new()) };
    let margin = chrono::Days::new(5);
    let (from, to) = (date_of(first), date_of(last));
    for (date, series, row) in [(from, a, 0), (to, b, b.time.len() - 1)] {
        if !Calendar.is_covered(date) {
            return Err(DataError::row(
                series.provenance.place(row),
                format!(
                    "{} is outside the exchange calendar, which covers {} to {}",
                    format_date(date),
                    format_date(Calendar::FIRST),
                    format_date(Calendar::LAST)
                ),
            ));
        }
    }
    let from = from.checked_sub_days(margin).unwrap_or(from);
    let to = to.checked_add_days(margin).unwrap_or(to);
    Ok(Calendar.sessions(from, to))
}

/// Bars labelled by their end become bars labelled by their start. The last bar of a session may be shorter
/// than the others: it does not begin before the bar before it has ended.
fn end_to_start(ends: &[Nanos], length: Nanos, sessions: &[Session]) -> Vec<Nanos> {
    let mut before = Nanos::MIN;
    let start = |&end: &Nanos| {
        let mut start = end - length;
        if before > start && before < end {
            let next = sessions.partition_point(|s| s.close < end);
            if sessions.get(next).is_some_and(|s| s.close == end) {
                start = before;
            }
        }
        before = end;
        start
    };
    ends.iter().map(start).collect()
}

/// Daily bars begin at the open of their session; those of days without one keep 9:30.
fn days_to_opens(series: &RawSeries, label: Label) -> Result<Vec<Nanos>, DataError> {
    let mut last: Option<NaiveDate> = None;
    let mut out = Vec::with_capacity(series.time.len());
    for (i, &t) in series.time.iter().enumerate() {
        let date = match (is_midnight(t), label) {
            (true, _) => date_of(t),
            (false, Label::Start) => new_york_date(t),
            (false, Label::End) => new_york_date(t - 1),
        };
        if last == Some(date) {
            return Err(DataError::row(
                series.provenance.place(i),
                format!("{} has a second daily bar on {}", series.symbol, format_date(date)),
            ));
        }
        last = Some(date);
        out.push(match Calendar.session(date) {
            Some(session) => session.open,
            None => {
                let noon = midnight_of(date).map_or(t, |m| m + DAY / 2);
                noon - DAY / 2 + 570 * MINUTE - new_york_offset(noon)
            }
        });
    }
    Ok(out)
}

/// One series, done.
struct Finished {
    symbol: String,
    bars: Bars,
    quality: DataQuality,
}

/// Which rows of series with the same times are kept.
struct Plan {
    /// The rows whose date is selected.
    dates: Range<usize>,
    /// The rows to keep, ascending; empty when all are.
    keep: Vec<Range<usize>>,
    /// Their times.
    time: Arc<Vec<Nanos>>,
    /// What the times alone tell.
    quality: DataQuality,
}

struct Context<'a> {
    options: &'a LoadOptions,
    bar_length: Nanos,
    sessions: &'a [Session],
    patience: Patience<'a>,
}

impl Context<'_> {
    /// Selects by date and session, and counts what is missing.
    fn plan(&self, series: &RawSeries) -> Result<Plan, DataError> {
        let mut quality = DataQuality::default();
        let mut time = series.time.clone();
        let all = time.len();
        let dates = self.selected(&time);
        quality.not_selected += (all - dates.len()) as u64;
        let mut keep = self.keep(series, &mut time, dates.clone(), &mut quality)?;
        if keep.iter().map(Range::len).sum::<usize>() == all {
            keep = Vec::new();
        } else {
            compact(Arc::make_mut(&mut time), &keep);
        }
        Ok(Plan { dates, keep, time, quality })
    }

    /// Checks every value, drops the rows that are not kept, counts. Without a plan the times are at fault, which
    /// is told after the values.
    fn finish(&self, plan: Option<&Plan>, mut series: RawSeries) -> Result<Finished, DataError> {
        self.patience.check()?;
        let dates = plan.map_or_else(|| self.selected(&series.time), |plan| plan.dates.clone());
        check_values(&series, dates.clone())?;
        if let Some(quotes) = &mut series.quotes {
            check_quotes(&series.symbol, &series.provenance, quotes, dates)?;
        }
        let own;
        let plan = match plan {
            Some(plan) => plan,
            None => {
                own = self.plan(&series)?;
                &own
            }
        };
        let mut quality = plan.quality.clone();
        let all = series.time.len();
        series.time = plan.time.clone();
        let compact = |column: &mut Vec<f64>| {
            if series.time.len() != all && !column.is_empty() {
                compact(column, &plan.keep);
            }
        };
        series.trade.iter_mut().for_each(compact);
        if let Some(quotes) = &mut series.quotes {
            quotes.iter_mut().for_each(compact);
        }
        let [open, high, low, close, volume] = series.trade;
        quality.zero_volume = volume.iter().filter(|&&v| v == 0.0).count() as u64;
        quality.jumps = close.windows(2).filter(|w| (w[1] - w[0]).abs() > 0.25 * w[0]).count() as u64;
        let quotes = series.quotes.map(|q| {
            let n = series.time.len();
            let [a, b, c, d, e, f, g, h] = q.map(|column| if column.is_empty() { vec![f64::NAN; n] } else { column });
            Quotes {
                bid_open: a,
                bid_high: b,
                bid_low: c,
                bid_close: d,
                ask_open: e,
                ask_high: f,
                ask_low: g,
                ask_close: h,
            }
        });
        let bars = Bars { start: series.time, open, high, low, close, volume, quotes };
        Ok(Finished { symbol: series.symbol, bars, quality })
    }

    /// The rows whose New York date is selected.
    fn selected(&self, times: &[Nanos]) -> Range<usize> {
        let midnight = |date: NaiveDate| {
            let noon = midnight_of(date)? + DAY / 2;
            Some(noon - DAY / 2 - new_york_offset(noon - DAY / 2 + 5 * 3600 * SECOND))
        };
        let begin = self.options.from.and_then(midnight).map_or(0, |from| times.partition_point(|&t| t < from));
        let after = self.options.to.and_then(|d| d.succ_opt()).and_then(midnight);
        let end = after.map_or(times.len(), |to| times.partition_point(|&t| t < to));
        begin..end.max(begin)
    }

    /// The rows to keep, as ascending ranges: those in sessions (or all, with extended hours), up to the
    /// wanted number of bars. Counts gaps and refuses steps that are no multiple of the bar length.
    fn keep(
        &self,
        series: &RawSeries,
        time: &mut Arc<Vec<Nanos>>,
        dates: Range<usize>,
        quality: &mut DataQuality,
    ) -> Result<Vec<Range<usize>>, DataError> {
        let limit = self.options.bars.unwrap_or(usize::MAX);
        let daily = self.bar_length >= DAILY;
        let mut keep: Vec<Range<usize>> = Vec::new();
        let mut kept = 0usize;
        let mut at = dates.start;
        let mut session = self.sessions.partition_point(|s| time.get(at).is_some_and(|&t| s.close <= t));
        let mut last_with_bars: Option<usize> = None;
        while at < dates.end && kept < limit && session < self.sessions.len() {
            let s = self.sessions[session];
            let times = &time[at..dates.end];
            let mut begin = at + times.partition_point(|&t| t < s.open);
            let end = at + times.partition_point(|&t| t < s.close);
            // Bars of a regular-hours file on the clock's grid: the first one holds the open (9:00 to 10:00) and
            // begins with it.
            let mut grid = None;
            if !daily && begin > at && self.straddles(time, begin, at, s.open) {
                begin -= 1;
                grid = Some(time[begin]);
                Arc::make_mut(time)[begin] = s.open;
            }
            let early = begin - at;
            quality.outside_session += early as u64;
            let range = if self.options.extended_hours { at..end } else { begin..end };
            let range = range.start..range.end.min(range.start.saturating_add(limit - kept));
            if !range.is_empty() {
                self.check_steps(series, time, range.clone(), grid)?;
                kept += range.len();
                match keep.last_mut() {
                    Some(last) if last.end == range.start => last.end = range.end,
                    _ => keep.push(range.clone()),
                }
            }
            let inside = begin..range.end.max(begin);
            if !inside.is_empty() {
                if let Some(last) = last_with_bars {
                    quality.missing_sessions += (session - last - 1) as u64;
                }
                last_with_bars = Some(session);
                if !daily {
                    // A session cut by the wanted number of bars is not full of gaps.
                    let until = if kept >= limit { time[inside.end - 1] + self.bar_length } else { s.close };
                    count_gaps(&time[inside], s.open, until.min(s.close), self.bar_length, quality);
                }
            }
            at = if kept >= limit { range.end } else { end };
            session += 1;
        }
        if at < dates.end && kept < limit {
            quality.outside_session += (dates.end - at) as u64;
            if self.options.extended_hours {
                let end = dates.end.min(at.saturating_add(limit - kept));
                kept += end - at;
                keep.push(at..end);
                at = end;
            } else {
                at = dates.end;
            }
        }
        quality.not_selected += (dates.end - at) as u64;
        debug_assert_eq!(kept, keep.iter().map(Range::len).sum::<usize>());
        Ok(keep)
    }

    /// Whether bar `begin - 1` starts before and ends after the open and nothing else of its symbol precedes
    /// the open by less than a night.
    fn straddles(&self, times: &[Nanos], begin: usize, at: usize, open: Nanos) -> bool {
        let start = times[begin - 1];
        let alone = begin < 2 || begin - 2 < at || times[begin - 2] < open - 6 * 60 * MINUTE;
        alone && start + self.bar_length > open && times.get(begin) != Some(&open)
    }

    /// Steps within a session are multiples of the bar length. `grid` is where the first bar of the range would
    /// have begun, had it not been moved to the open.
    fn check_steps(
        &self,
        series: &RawSeries,
        time: &[Nanos],
        range: Range<usize>,
        grid: Option<Nanos>,
    ) -> Result<(), DataError> {
        if self.bar_length >= DAILY {
            return Ok(());
        }
        let mut before = grid.unwrap_or(time[range.start]);
        for (k, &t) in time[range.start + 1..range.end].iter().enumerate() {
            let (i, step) = (range.start + 1 + k, t - before);
            before = t;
            // Nights occur in a range of extended hours.
            if step == self.bar_length || step % self.bar_length == 0 || step > 6 * 60 * MINUTE {
                continue;
            }
            return Err(DataError::row(
                series.provenance.place(i),
                format!(
                    "mixed bar lengths: {} {} is {} after the bar before it, where the bars are {} long (--bar gives their length)",
                    series.symbol,
                    show(time[i]),
                    format_bar_length(step),
                    format_bar_length(self.bar_length)
                ),
            ));
        }
        Ok(())
    }
}

/// Counts the bars and runs of bars that are missing between `open` and `until`.
fn count_gaps(times: &[Nanos], open: Nanos, until: Nanos, length: Nanos, quality: &mut DataQuality) {
    // Bars of a step, rounded up: the last bar of a session may be shorter.
    let bars = |span: Nanos| (span.max(0) + length - 1) / length;
    let mut gap = |missing: i64| {
        if missing > 0 {
            quality.missing_bars += missing as u64;
            quality.gaps += 1;
        }
    };
    gap(bars(times[0] - open));
    for pair in times.windows(2) {
        if pair[1] - pair[0] != length {
            gap(bars(pair[1] - pair[0]) - 1);
        }
    }
    gap(bars(until - times[times.len() - 1]) - 1);
}

/// Keeps only the rows of `ranges`.
fn compact<T: Copy>(column: &mut Vec<T>, ranges: &[Range<usize>]) {
    let mut to = 0;
    for range in ranges {
        column.copy_within(range.clone(), to);
        to += range.len();
    }
    column.truncate(to);
    column.shrink_to_fit();
}
