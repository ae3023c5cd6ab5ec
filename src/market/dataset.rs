//! All data of a run, in memory, read-only and shared: series, trading days and the timeline.

use super::{ActionKind, Bars, CorporateAction, Fundamentals, InverseMap, Nanos, OptionQuote, Session, SymbolId, Vix};
use chrono::NaiveDate;
use serde::Serialize;
use std::collections::BTreeMap;

/// Counts of what is suspicious but legal in the data of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct DataQuality {
    /// Minutes (bars) of a session in which a symbol has no bar although it has bars in that session.
    pub missing_bars: u64,
    /// Runs of missing bars.
    pub gaps: u64,
    /// Symbol-sessions without any bar inside the symbol's span.
    pub missing_sessions: u64,
    /// Bars without volume.
    pub zero_volume: u64,
    /// Closes that moved by more than 25 % against the previous bar of the symbol.
    pub jumps: u64,
    /// Bars outside the regular session (dropped unless extended hours are on).
    pub outside_session: u64,
    /// Rows of the files that were not used because of the symbol, date or bar selection.
    pub not_selected: u64,
}

/// One day with bars: steps `first_step..end_step` of the timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TradingDay {
    /// New York date.
    pub date: NaiveDate,
    /// Start of regular trading.
    pub open: Nanos,
    /// End of regular trading.
    pub close: Nanos,
    /// Whether the session ends before its usual time.
    pub early_close: bool,
    /// End of the day's last bar or `close`, whichever is later: day orders expire here.
    pub end: Nanos,
    /// First step of the day.
    pub first_step: usize,
    /// One past the last step of the day.
    pub end_step: usize,
    /// The first step, when bars follow each other without gap: then no step has to be looked up.
    pub even_from: Option<Nanos>,
}

/// What a loader hands over. Every series must be validated: ascending, finite, positive.
#[derive(Debug, Clone, Default)]
pub struct MarketParts {
    pub name: String,
    /// Nominal length of a bar; one day or more for daily bars.
    pub bar_length: Nanos,
    /// (symbol, bars), sorted by symbol name, each name once.
    pub series: Vec<(String, Bars)>,
    /// Keep bars outside the regular session.
    pub extended_hours: bool,
    pub actions: Vec<CorporateAction>,
    pub vix: Option<Vix>,
    pub fundamentals: Option<Fundamentals>,
    pub inverse: Option<InverseMap>,
    pub options: Vec<OptionQuote>,
    pub quality: DataQuality,
    /// Hash of the values used, hexadecimal.
    pub data_hash: String,
    /// Notes of the loader for the report ("minute bars are generated").
    pub notes: Vec<String>,
}

/// A dataset that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MarketError {
    /// No bar is left.
    #[error("no bars: the selection of symbols, dates and sessions leaves nothing to run on")]
    Empty,
    /// Bars that a market cannot be extended behind.
    #[error("the history has bars after the last of its sessions")]
    Uncovered,
}

/// All data of a run. Steps are the distinct bar ends in ascending order: the decision times.
#[derive(Debug, Clone)]
pub struct Market {
    pub name: String,
    pub bar_length: Nanos,
    /// Names by id, sorted.
    pub symbols: Vec<String>,
    /// Series by id.
    pub series: Vec<Bars>,
    pub days: Vec<TradingDay>,
    /// Distinct bar ends.
    pub steps: Vec<Nanos>,
    pub actions: Vec<CorporateAction>,
    pub vix: Option<Vix>,
    pub fundamentals: Option<Fundamentals>,
    pub inverse: Option<InverseMap>,
    pub options: Vec<OptionQuote>,
    pub quality: DataQuality,
    pub data_hash: String,
    pub extended_hours: bool,
    pub notes: Vec<String>,
    /// By symbol: index of the first bar of each day, and the number of bars at the end.
    pub(super) day_offsets: Vec<Vec<u32>>,
}

impl Market {
    /// Builds the timeline. `sessions` must cover the span of the bars.
    pub fn new(parts: MarketParts, sessions: &[Session]) -> Result<Market, MarketError> {
        let market = Market::build(parts, sessions)?;
        if market.days.is_empty() { Err(MarketError::Empty) } else { Ok(market) }
    }

    pub(super) fn build(parts: MarketParts, sessions: &[Session]) -> Result<Market, MarketError> {
        let windows = day_windows(&parts, sessions);
        let mut days = Vec::new();
        let mut steps: Vec<Nanos> = Vec::new();
        let mut day_offsets: Vec<Vec<u32>> = vec![Vec::new(); parts.series.len()];
        let mut cursor = vec![0usize; parts.series.len()];
        let mut scratch: Vec<Nanos> = Vec::new();
        for (session, from, to) in windows {
            let mut any = false;
            let mut ranges = Vec::with_capacity(parts.series.len());
            for (k, (_, bars)) in parts.series.iter().enumerate() {
                let begin = cursor[k] + bars.start[cursor[k]..].partition_point(|&t| t < from);
                let end = begin + bars.start[begin..].partition_point(|&t| t < to);
                cursor[k] = end;
                any |= end > begin;
                ranges.push((begin, end));
            }
            if !any {
                continue;
            }
            let day_ends = union_of_starts(&parts.series, &ranges, &mut scratch);
            let first_step = steps.len();
            steps.extend(day_ends.iter().map(|&t| bar_end(t, parts.bar_length, session.close)));
            for (k, (begin, _)) in ranges.iter().enumerate() {
                day_offsets[k].push(*begin as u32);
            }
            let last = steps[steps.len() - 1];
            let evenly = |times: &[Nanos]| times.is_sorted_by(|a, b| b - a == parts.bar_length);
            let even = evenly(day_ends) && evenly(&steps[first_step..]);
            days.push(TradingDay {
                date: session.date,
                open: session.open,
                close: session.close,
                early_close: session.early_close,
                end: last.max(session.close),
                first_step,
                end_step: steps.len(),
                even_from: even.then_some(steps[first_step]),
            });
        }
        let mut symbols = Vec::with_capacity(parts.series.len());
        let mut series = Vec::with_capacity(parts.series.len());
        for (k, (name, bars)) in parts.series.into_iter().enumerate() {
            day_offsets[k].push(cursor[k] as u32);
            symbols.push(name);
            series.push(bars);
        }
        let mut actions = parts.actions;
        actions.sort_by(|a, b| a.date.cmp(&b.date).then(a.symbol.cmp(&b.symbol)));
        Ok(Market {
            name: parts.name,
            bar_length: parts.bar_length,
            symbols,
            series,
            days,
            steps,
            actions,
            vix: parts.vix,
            fundamentals: parts.fundamentals,
            inverse: parts.inverse,
            options: parts.options,
            quality: parts.quality,
            data_hash: parts.data_hash,
            extended_hours: parts.extended_hours,
            notes: parts.notes,
            day_offsets,
        })
    }

    /// The id of a symbol.
    pub fn symbol(&self, name: &str) -> Option<SymbolId> {
        self.symbols.binary_search_by(|s| s.as_str().cmp(name)).ok().map(|i| SymbolId(i as u32))
    }

    /// Ids of all symbols in order of name.
    pub fn symbol_ids(&self) -> impl Iterator<Item = SymbolId> + use<> {
        (0..self.symbols.len() as u32).map(SymbolId)
    }

    /// Number of bars of all symbols.
    pub fn bar_count(&self) -> u64 {
        self.series.iter().map(|s| s.len() as u64).sum()
    }

    /// Range of bar indices of `symbol` on day `day`.
    #[inline]
    pub fn day_range(&self, symbol: SymbolId, day: usize) -> std::ops::Range<usize> {
        let offsets = &self.day_offsets[symbol.index()];
        offsets[day] as usize..offsets[day + 1] as usize
    }

    /// Whether `symbol` has a bar for every step of the day, so that bar and step advance together.
    #[inline]
    pub fn is_complete(&self, symbol: SymbolId, day: usize) -> bool {
        let range = self.day_range(symbol, day);
        range.len() == self.days[day].end_step - self.days[day].first_step
    }

    /// End of bar `i` of `symbol`, which lies on day `day`.
    #[inline]
    pub fn end_of(&self, symbol: SymbolId, i: usize, day: usize) -> Nanos {
        bar_end(self.series[symbol.index()].start[i], self.bar_length, self.days[day].close)
    }

    /// The instant of `step`, which lies on day `day`.
    #[inline]
    pub fn time_of(&self, day: usize, step: usize) -> Nanos {
        let d = &self.days[day];
        match d.even_from {
            Some(first) => first + (step - d.first_step) as Nanos * self.bar_length,
            None => self.steps[step],
        }
    }

    /// Number of bars of `symbol` that have ended at `step` of `day`, from the start of the data.
    #[inline]
    pub fn ended(&self, symbol: SymbolId, day: usize, step: usize) -> usize {
        let range = self.day_range(symbol, day);
        let d = &self.days[day];
        if range.len() == d.end_step - d.first_step {
            return range.start + (step - d.first_step) + 1;
        }
        let now = self.steps[step];
        let starts = &self.series[symbol.index()].start[range.clone()];
        range.start + starts.partition_point(|&t| bar_end(t, self.bar_length, d.close) <= now)
    }

    /// The bar of `symbol` that ends exactly at `step`.
    #[inline]
    pub fn bar_at(&self, symbol: SymbolId, day: usize, step: usize) -> Option<usize> {
        let ended = self.ended(symbol, day, step);
        let range = self.day_range(symbol, day);
        if ended > range.start && self.end_of(symbol, ended - 1, day) == self.steps[step] {
            Some(ended - 1)
        } else {
            None
        }
    }

    /// The step at which bar `i` of `symbol`, which lies on day `day`, ends.
    #[inline]
    pub fn step_of_bar(&self, symbol: SymbolId, day: usize, i: usize) -> usize {
        let d = &self.days[day];
        if self.is_complete(symbol, day) {
            return d.first_step + (i - self.day_range(symbol, day).start);
        }
        let end = self.end_of(symbol, i, day);
        d.first_step + self.steps[d.first_step..d.end_step].partition_point(|&t| t < end)
    }

    /// Factors that make the prices of a symbol continuous over splits and dividends without using the
    /// future: price x factor, where the factor of a bar is the product over all actions up to its day.
    /// `None` when the symbol has no action within the data.
    pub fn signal_factors(&self, symbol: SymbolId) -> Option<Vec<(usize, f64)>> {
        let series = &self.series[symbol.index()];
        let mut out: Vec<(usize, f64)> = Vec::new();
        let mut factor = 1.0;
        for action in self.actions.iter().filter(|a| a.symbol == symbol) {
            let day = self.days.partition_point(|d| d.date < action.date);
            if day == self.days.len() {
                continue;
            }
            let first = self.day_range(symbol, day).start;
            if first == 0 || first >= series.len() {
                continue;
            }
            match action.kind {
                ActionKind::Split { ratio } => factor *= ratio,
                ActionKind::Dividend { amount } => {
                    let before = series.close[first - 1];
                    if amount < before {
                        factor *= before / (before - amount);
                    }
                }
            }
            match out.last_mut() {
                Some(last) if last.0 == first => last.1 = factor,
                _ => out.push((first, factor)),
            }
        }
        if out.is_empty() { None } else { Some(out) }
    }
}

/// End of a bar's span: clipped at the session's close when the bar starts before it.
#[inline]
pub(super) fn bar_end(start: Nanos, length: Nanos, close: Nanos) -> Nanos {
    if start < close { (start + length).min(close) } else { start + length }
}

/// Distinct bar starts of one day over all series.
fn union_of_starts<'a>(
    series: &'a [(String, Bars)],
    ranges: &[(usize, usize)],
    scratch: &'a mut Vec<Nanos>,
) -> &'a [Nanos] {
    let longest = (0..ranges.len()).max_by_key(|&k| (ranges[k].1 - ranges[k].0, usize::MAX - k)).unwrap_or(0);
    let slice = |k: usize| &series[k].1.start[ranges[k].0..ranges[k].1];
    let first = slice(longest);
    if (0..ranges.len()).all(|k| slice(k).is_empty() || slice(k) == first) {
        return first;
    }
    scratch.clear();
    for k in 0..ranges.len() {
        scratch.extend_from_slice(slice(k));
    }
    scratch.sort_unstable();
    scratch.dedup();
    scratch
}

/// (session, first instant, end instant) of every day that may hold bars.
fn day_windows(parts: &MarketParts, sessions: &[Session]) -> Vec<(Session, Nanos, Nanos)> {
    if !parts.extended_hours {
        return sessions.iter().map(|s| (*s, s.open, s.close)).collect();
    }
    let by_date: BTreeMap<NaiveDate, Session> = sessions.iter().map(|s| (s.date, *s)).collect();
    let mut spans: BTreeMap<NaiveDate, (Nanos, Nanos)> = BTreeMap::new();
    for (_, bars) in &parts.series {
        let mut i = 0;
        while i < bars.len() {
            let date = super::new_york_date(bars.start[i]);
            let j = i + bars.start[i..].partition_point(|&t| super::new_york_date(t) <= date);
            let span = spans.entry(date).or_insert((bars.start[i], bars.start[j - 1] + 1));
            span.0 = span.0.min(bars.start[i]);
            span.1 = span.1.max(bars.start[j - 1] + 1);
            i = j;
        }
    }
    spans
        .into_iter()
        .map(|(date, (from, to))| {
            let session = by_date.get(&date).copied().unwrap_or(Session {
                date,
                open: from,
                close: to - 1 + parts.bar_length,
                early_close: false,
            });
            (session, from, to)
        })
        .collect()
}
