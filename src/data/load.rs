//! The whole way from options to a market.

use super::adjust::ActionBook;
use super::chunk::{Blob, Chunk, Found, Patience, SharedTimes, Wanted, join, source_name};
use super::context::{Symbols, read_fundamentals, read_inverse, read_options, read_vix};
use super::options::{Adjust, LoadOptions};
use super::parquet_file::{Group, ParquetFile};
use super::quotes::{join_quotes, prepare_quotes};
use super::series::{Prepared, prepare};
use super::source::Inputs;
use super::{DataError, csv_file, error, hash};
use crate::market::{CorporateAction, DAY, Market, MarketParts, SymbolId, format_date, new_york_date};
use chrono::NaiveDate;
use rayon::prelude::*;
use std::sync::atomic::AtomicBool;

/// Loads, checks and fingerprints a data set.
///
/// # Errors
/// [`DataError`]: names the file, the row and what would be right, or what of the selection cannot be met.
pub fn load(options: &LoadOptions) -> Result<Market, DataError> {
    load_patiently(options, Patience::default())
}

/// [`load`] until `stop` is set: then it gives up within a fraction of a second.
///
/// # Errors
/// [`DataError`]; [`DataError::Interrupted`] when `stop` was set.
pub fn load_until(options: &LoadOptions, stop: &AtomicBool) -> Result<Market, DataError> {
    load_patiently(options, Patience(Some(stop)))
}

fn load_patiently(options: &LoadOptions, patience: Patience<'_>) -> Result<Market, DataError> {
    let inputs = Inputs::find(options)?;
    let wanted = wanted(options, &inputs, patience);
    let mut options = options.clone();
    let mut found = match &inputs.lean {
        Some(lean) => {
            let (found, length) = lean.read(&options, &wanted)?;
            options.bar = Some(length);
            found
        }
        None => read_all(&inputs.bars, &wanted)?,
    };
    let mut notes = inputs.notes.clone();
    notes.append(&mut found.notes);
    let (trades, mut quotes): (Vec<Chunk>, Vec<Chunk>) = found.chunks.into_iter().partition(|c| c.trade.is_some());
    if !inputs.quotes.is_empty() {
        let more = read_all(&inputs.quotes, &wanted)?;
        notes.extend(more.notes);
        quotes.extend(more.chunks.into_iter().map(|chunk| Chunk { trade: None, ..chunk }));
    }
    let mut raw = join(trades)?;
    check_selection(&options, raw.iter().map(|s| s.symbol.as_str()), &found.passed_over)?;
    if !quotes.is_empty() {
        let quotes = prepare_quotes(join(quotes)?, &options)?;
        notes.extend(join_quotes(&mut raw, quotes));
    }
    let prepared = prepare(raw, &options, patience)?;
    if prepared.series.is_empty() {
        return Err(nothing_left(&options, &prepared));
    }
    patience.check()?;
    assemble(&options, &inputs, prepared, notes, found.not_selected)
}

/// What the readers may pass over. Exact dates are cut later, when clocks and labels are known: two days cover
/// every time zone and a daily bar's label.
fn wanted<'a>(options: &LoadOptions, inputs: &Inputs, patience: Patience<'a>) -> Wanted<'a> {
    let midnight = |date: NaiveDate| super::clock::midnight_of(date);
    let symbols = options.symbols.as_ref().map(|all| {
        let mut all = all.clone();
        all.sort();
        all.dedup();
        all
    });
    let sole_symbol = match &symbols {
        Some(all) if all.len() == 1 && inputs.bars.len() == 1 => all.first().cloned(),
        _ => None,
    };
    Wanted {
        from: options.from.and_then(midnight).map(|t| t - 2 * DAY),
        to: options.to.and_then(midnight).map(|t| t + 3 * DAY),
        symbols,
        sole_symbol,
        patience,
    }
}

/// One thing to read.
enum Job {
    Csv(Blob),
    Group(Group),
}

/// Reads all files, their parts in parallel; the result does not depend on the number of threads.
fn read_all(blobs: &[Blob], wanted: &Wanted<'_>) -> Result<Found, DataError> {
    let opened: Vec<Result<(Vec<Job>, Found), DataError>> = blobs
        .par_iter()
        .map(|blob| {
            wanted.patience.check()?;
            if blob.suffix() != "parquet" {
                return Ok((vec![Job::Csv(blob.clone())], Found::default()));
            }
            let (file, mut found) = ParquetFile::open(blob, wanted)?;
            let groups = file.groups(wanted, &mut found);
            Ok((groups.into_iter().map(Job::Group).collect(), found))
        })
        .collect();
    let mut found = Found::default();
    let mut jobs = Vec::new();
    for part in opened {
        let (more, notes) = part?;
        jobs.extend(more);
        found.append(notes);
    }
    let shared = SharedTimes::default();
    let read: Vec<Result<Found, DataError>> = jobs
        .into_par_iter()
        .map(|job| {
            let mut found = match job {
                Job::Csv(blob) => csv_file::read(&blob, wanted),
                Job::Group(group) => group.read(wanted),
            }?;
            found.chunks.iter_mut().for_each(|chunk| shared.share(chunk.clock, &mut chunk.time));
            Ok(found)
        })
        .collect();
    for part in read {
        found.append(part?);
    }
    found.notes.sort();
    Ok(found)
}

/// Refuses symbols that are not in the data.
fn check_selection<'a>(
    options: &LoadOptions,
    present: impl Iterator<Item = &'a str>,
    passed_over: &'a [String],
) -> Result<(), DataError> {
    let present: Vec<&str> = present.collect();
    let Some(wanted) = &options.symbols else { return Ok(()) };
    let Some(absent) = wanted.iter().find(|s| !present.contains(&s.as_str())) else { return Ok(()) };
    let known = present.iter().copied().chain(passed_over.iter().map(String::as_str));
    let dates = selected_dates(options);
    let hint = match error::nearest(absent, known) {
        // Bars outside the dates may not even have been read: the name itself can be right.
        _ if !dates.is_empty() => "; give other dates or another symbol (tbot data check shows both)".to_string(),
        Some(name) if name != absent => format!("; did you mean {name}?"),
        _ => String::new(),
    };
    let source = source_name(&options.source);
    Err(DataError::Selection(format!("{source} holds no bars of symbol {absent}{dates}{hint}")))
}

/// The selected dates as words after a noun; empty when all are selected.
fn selected_dates(options: &LoadOptions) -> String {
    match (options.from, options.to) {
        (None, None) => String::new(),
        (from, to) => {
            let text = |date: Option<NaiveDate>, open: &str| date.map_or(open.to_string(), format_date);
            format!(" from {} to {}", text(from, "its start"), text(to, "its end"))
        }
    }
}

/// Says why no bar is left.
fn nothing_left(options: &LoadOptions, prepared: &Prepared) -> DataError {
    let source = source_name(&options.source);
    let dates = selected_dates(options);
    let outside = prepared.quality.outside_session;
    DataError::Selection(if outside > 0 && !options.extended_hours {
        format!("{source}: all {outside} bars{dates} lie outside the regular session; --extended-hours keeps them")
    } else {
        format!("{source} holds no bars{dates}")
    })
}

/// Puts bars and the inputs beside them together.
fn assemble(
    options: &LoadOptions,
    inputs: &Inputs,
    prepared: Prepared,
    mut notes: Vec<String>,
    not_selected: u64,
) -> Result<Market, DataError> {
    let Prepared { bar_length, mut series, sessions, mut quality, notes: more } = prepared;
    notes.extend(more);
    quality.not_selected += not_selected;
    let names: Vec<String> = series.iter().map(|(name, _)| name.clone()).collect();
    let symbols = Symbols(&names);
    let book = action_book(inputs, &names)?;
    if options.adjust != Adjust::Raw {
        let unknown = book.unknown(&names);
        if !unknown.is_empty() {
            notes.push(format!(
                "no splits or dividends are given of {}: prices stay as they are (--corporate-actions FILE)",
                unknown.join(", ")
            ));
        }
    }
    let applied: Vec<_> = series.par_iter_mut().map(|(name, bars)| book.apply(name, bars, options.adjust)).collect();
    let mut actions: Vec<CorporateAction> = Vec::new();
    for (k, left) in applied.into_iter().enumerate() {
        let symbol = SymbolId(k as u32);
        // Only what can happen to a position in the data, so that the same bars have the same hash whatever
        // else a file of actions holds.
        let start = &series[k].1.start;
        let (Some(&first), Some(&last)) = (start.first(), start.last()) else { continue };
        let (first, last) = (new_york_date(first), new_york_date(last));
        let happens = left.into_iter().filter(|a| a.date > first && a.date <= last);
        actions.extend(happens.map(|a| CorporateAction { date: a.date, symbol, kind: a.kind }));
    }
    actions.sort_by_key(|a| (a.date, a.symbol));
    let vix = inputs.vix.as_ref().map(|blob| read_vix(blob, options.tz)).transpose()?;
    let fundamentals = inputs.fundamentals.as_ref().map(|blob| read_fundamentals(blob, &symbols)).transpose()?;
    let mut inverse = None;
    if let Some(blob) = &inputs.inverse {
        let (map, without_bars) = read_inverse(blob, &symbols)?;
        if !without_bars.is_empty() {
            notes.push(format!("inverse ETFs without bars in the selection: {}", without_bars.join(", ")));
        }
        inverse = Some(map);
    }
    let option_quotes =
        inputs.options.as_ref().map(|blob| read_options(blob, &symbols, options.tz)).transpose()?.unwrap_or_default();
    let mut parts = MarketParts {
        name: options.source.title(),
        bar_length,
        series,
        extended_hours: options.extended_hours,
        actions,
        vix,
        fundamentals,
        inverse,
        options: option_quotes,
        quality,
        data_hash: String::new(),
        notes,
    };
    parts.data_hash = hash::data_hash(&parts);
    Market::new(parts, &sessions).map_err(|e| DataError::Selection(format!("{}: {e}", source_name(&options.source))))
}

/// Splits and dividends of the symbols: the given file, else what a Lean folder has.
fn action_book(inputs: &Inputs, names: &[String]) -> Result<ActionBook, DataError> {
    if let Some(blob) = &inputs.actions {
        return ActionBook::read(blob);
    }
    let mut book = ActionBook::default();
    if let Some(lean) = &inputs.lean {
        for name in names {
            if let Some(blob) = lean.factor_file(name) {
                book.factors.insert(name.clone(), super::adjust::read_factors(&blob)?);
            }
        }
    }
    Ok(book)
}
