//! Rows of one symbol as they come out of a file, and how they become whole series.

use super::clock::Clock;
use super::error::{Place, RowUnit};
use super::options::Source;
use super::{DataError, layout};
use crate::market::Nanos;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The bytes of one input file.
#[derive(Debug, Clone)]
pub(super) enum Blob {
    Path(PathBuf),
    /// A file of an embedded set.
    Embedded {
        set: &'static str,
        file: &'static str,
        bytes: &'static [u8],
    },
}

impl Blob {
    /// How messages call the file.
    pub(super) fn name(&self) -> String {
        match self {
            Blob::Path(path) => path.display().to_string(),
            Blob::Embedded { set, file, .. } => format!("{set}:{file}"),
        }
    }

    /// Whether the file is packed with gzip: a `.gz` after the suffix of its kind.
    pub(super) fn is_gzipped(&self) -> bool {
        self.name().to_ascii_lowercase().ends_with(".gz")
    }

    /// File name without suffix: the symbol of a file without a symbol column.
    pub(super) fn stem(&self) -> String {
        let file = match self {
            Blob::Path(path) => path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default(),
            Blob::Embedded { file, .. } => (*file).to_string(),
        };
        let kind = self.without_gz(&file);
        kind.rsplit_once('.').map_or(kind, |(stem, _)| stem).to_string()
    }

    /// Lower-case suffix of the file name, that of what is packed if it is packed: `csv` of `bars.csv.gz`.
    pub(super) fn suffix(&self) -> String {
        let name = self.name();
        self.without_gz(&name).rsplit_once('.').map(|(_, suffix)| suffix.to_ascii_lowercase()).unwrap_or_default()
    }

    fn without_gz<'a>(&self, name: &'a str) -> &'a str {
        if self.is_gzipped() { name.get(..name.len() - 3).unwrap_or(name) } else { name }
    }
}

/// Whether anybody still waits for the data.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Patience<'a>(pub Option<&'a AtomicBool>);

impl Patience<'_> {
    /// [`DataError::Interrupted`] once nobody waits. Asked between parts of a file that take well below a second.
    pub(super) fn check(self) -> Result<(), DataError> {
        match self.0 {
            Some(stop) if stop.load(Ordering::Relaxed) => Err(DataError::Interrupted),
            _ => Ok(()),
        }
    }
}

/// What a reader keeps of a file.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted<'a> {
    /// Only these symbols.
    pub symbols: Option<Vec<String>>,
    /// Nothing certainly before this time is needed (the exact cut is made later, when clocks are known).
    pub from: Option<Nanos>,
    /// Nothing certainly after this time is needed.
    pub to: Option<Nanos>,
    /// The symbol of files without a symbol column; else their stem.
    pub sole_symbol: Option<String>,
    pub patience: Patience<'a>,
}

impl Wanted<'_> {
    pub(super) fn symbol(&self, name: &str) -> bool {
        self.symbols.as_ref().is_none_or(|all| all.iter().any(|s| s == name))
    }

    /// The rows of ascending `times` that may be needed; everything when they do not ascend, so that the fault
    /// is found and reported.
    pub(super) fn rows(&self, times: &[Nanos]) -> std::ops::Range<usize> {
        if (self.from.is_none() && self.to.is_none()) || !times.is_sorted() {
            return 0..times.len();
        }
        let begin = self.from.map_or(0, |from| times.partition_point(|&t| t < from));
        let end = self.to.map_or(times.len(), |to| times.partition_point(|&t| t <= to));
        begin..end.max(begin)
    }
}

/// Row numbers of a chunk.
#[derive(Debug, Clone)]
pub(super) enum RowNumbers {
    /// Consecutive from this one.
    From(u64),
    /// One for each row.
    List(Vec<u32>),
}

impl RowNumbers {
    fn at(&self, i: usize) -> u64 {
        match self {
            RowNumbers::From(first) => first + i as u64,
            RowNumbers::List(rows) => u64::from(rows[i]),
        }
    }
}

/// Rows of one symbol from one file or a part of it, in the order of the file.
#[derive(Debug)]
pub(super) struct Chunk {
    pub symbol: Arc<str>,
    pub file: Arc<str>,
    pub unit: RowUnit,
    pub rows: RowNumbers,
    pub clock: Clock,
    pub time: Arc<Vec<Nanos>>,
    /// open, high, low, close, volume.
    pub trade: Option<[Vec<f64>; 5]>,
    /// Bid open to close, ask open to close; an empty vector for an absent column.
    pub quotes: Option<[Vec<f64>; 8]>,
}

/// Everything a reader found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub chunks: Vec<Chunk>,
    /// Rows that were passed over because of the selection.
    pub not_selected: u64,
    /// Symbols that were seen and not wanted, for the message that names the nearest.
    pub passed_over: Vec<String>,
    pub notes: Vec<String>,
}

impl Found {
    pub(super) fn append(&mut self, mut other: Found) {
        self.chunks.append(&mut other.chunks);
        self.not_selected += other.not_selected;
        for name in other.passed_over {
            if !self.passed_over.contains(&name) {
                self.passed_over.push(name);
            }
        }
        for note in other.notes {
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
    }
}

/// Where the rows of a series came from, so that a fault found late still names its row.
#[derive(Debug, Default)]
pub(super) struct Provenance {
    /// (first index, file, unit, numbers) of each part, ascending.
    parts: Vec<(usize, Arc<str>, RowUnit, RowNumbers)>,
}

impl Provenance {
    /// The place of row `i`.
    pub(super) fn place(&self, i: usize) -> Place {
        let part = self.parts.partition_point(|p| p.0 <= i).saturating_sub(1);
        match self.parts.get(part) {
            Some((first, file, unit, rows)) => {
                Place { file: file.to_string(), unit: *unit, number: rows.at(i - first) }
            }
            None => Place { file: String::new(), unit: RowUnit::Row, number: i as u64 + 1 },
        }
    }

    /// The file of row `i`.
    pub(super) fn file(&self, i: usize) -> String {
        self.place(i).file
    }
}

/// All rows of one symbol, before any check.
#[derive(Debug)]
pub(super) struct RawSeries {
    pub symbol: String,
    pub provenance: Provenance,
    pub clock: Clock,
    pub time: Arc<Vec<Nanos>>,
    pub trade: [Vec<f64>; 5],
    pub quotes: Option<[Vec<f64>; 8]>,
}

/// Equal times are held once, and what is asked of times is asked once: most sets have the same minutes for every
/// symbol, a sixth of their memory.
#[derive(Debug, Default)]
pub(super) struct SharedTimes {
    known: Mutex<BTreeMap<TimesKey, Vec<Arc<Vec<Nanos>>>>>,
}

/// Clock, length, first and last of some times: hardly ever are two with one key different.
type TimesKey = (Clock, usize, Nanos, Nanos);

impl SharedTimes {
    /// Replaces `times` by equal ones that are known, or makes them known.
    pub(super) fn share(&self, clock: Clock, times: &mut Arc<Vec<Nanos>>) {
        let (Some(&first), Some(&last)) = (times.first(), times.last()) else { return };
        let key = (clock, times.len(), first, last);
        let lock = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // Compared outside the lock. Two threads may both find theirs new, which costs memory and nothing else.
        let candidates = lock().get(&key).cloned().unwrap_or_default();
        match candidates.into_iter().find(|known| *known == *times) {
            Some(known) => *times = known,
            None => lock().entry(key).or_default().push(times.clone()),
        }
    }
}

/// The series by the times they share: of each distinct vector the first series, and how many have it.
pub(super) fn distinct_times(raw: &[RawSeries]) -> Vec<(&RawSeries, u64)> {
    let mut at: BTreeMap<*const Vec<Nanos>, usize> = BTreeMap::new();
    let mut out: Vec<(&RawSeries, u64)> = Vec::new();
    for series in raw {
        let k = *at.entry(Arc::as_ptr(&series.time)).or_insert(out.len());
        match out.get_mut(k) {
            Some(known) => known.1 += 1,
            None => out.push((series, 1)),
        }
    }
    out
}

/// Gives series new times, those that share theirs the same. `change` is asked once for each distinct vector, with
/// the first series that has it; `None` leaves it as it is.
pub(super) fn change_times(
    raw: &mut [RawSeries],
    change: impl Fn(&RawSeries) -> Result<Option<Vec<Nanos>>, DataError> + Sync,
) -> Result<(), DataError> {
    use rayon::prelude::*;
    let distinct = distinct_times(raw);
    let changed: Vec<Result<Option<Vec<Nanos>>, DataError>> = distinct.par_iter().map(|(s, _)| change(s)).collect();
    let mut new: BTreeMap<*const Vec<Nanos>, Arc<Vec<Nanos>>> = BTreeMap::new();
    for ((series, _), times) in distinct.iter().zip(changed) {
        if let Some(times) = times? {
            new.insert(Arc::as_ptr(&series.time), Arc::new(times));
        }
    }
    for series in raw {
        if let Some(times) = new.get(&Arc::as_ptr(&series.time)) {
            series.time = times.clone();
        }
    }
    Ok(())
}

/// Chunks joined by symbol: the parts of one file in their order, files by their first time.
///
/// # Errors
/// Files of one symbol whose times are of different kinds.
pub(super) fn join(chunks: Vec<Chunk>) -> Result<Vec<RawSeries>, DataError> {
    use rayon::prelude::*;
    let mut by_symbol: BTreeMap<Arc<str>, Vec<Chunk>> = BTreeMap::new();
    for chunk in chunks {
        by_symbol.entry(chunk.symbol.clone()).or_default().push(chunk);
    }
    let groups: Vec<(Arc<str>, Vec<Chunk>)> = by_symbol.into_iter().collect();
    let shared = SharedTimes::default();
    let joined: Vec<Result<RawSeries, DataError>> =
        groups.into_par_iter().map(|(symbol, chunks)| join_one(&symbol, chunks, &shared)).collect();
    joined.into_iter().collect()
}

fn join_one(symbol: &str, mut chunks: Vec<Chunk>, shared: &SharedTimes) -> Result<RawSeries, DataError> {
    let clock = chunks.first().map_or(Clock::Utc, |c| c.clock);
    if let Some(other) = chunks.iter().find(|c| c.clock != clock) {
        return Err(DataError::file(
            &*other.file,
            format!(
                "the times of {symbol} are of another kind than in {}: dates, times with and times without an offset do not mix",
                chunks[0].file
            ),
        ));
    }
    let mut first_time: BTreeMap<Arc<str>, Nanos> = BTreeMap::new();
    for chunk in &chunks {
        if let Some(&t) = chunk.time.first() {
            first_time.entry(chunk.file.clone()).or_insert(t);
        }
    }
    if first_time.len() > 1 {
        // Stable: the parts of one file keep their order.
        chunks.sort_by(|a, b| (first_time.get(&a.file), &a.file).cmp(&(first_time.get(&b.file), &b.file)));
    }
    let mut provenance = Provenance::default();
    let mut at = 0;
    for chunk in &mut chunks {
        let rows = std::mem::replace(&mut chunk.rows, RowNumbers::From(0));
        provenance.parts.push((at, chunk.file.clone(), chunk.unit, rows));
        at += chunk.time.len();
    }
    // Column by column, so that no more than one column is held twice.
    let time = match chunks.as_slice() {
        [only] => only.time.clone(),
        parts => {
            let mut whole = Vec::with_capacity(at);
            parts.iter().for_each(|part| whole.extend_from_slice(&part.time));
            let mut whole = Arc::new(whole);
            shared.share(clock, &mut whole);
            whole
        }
    };
    let mut trade: [Vec<f64>; 5] = Default::default();
    for (k, column) in trade.iter_mut().enumerate() {
        let parts = chunks.iter_mut().map(|c| c.trade.as_mut().map(|t| std::mem::take(&mut t[k])).unwrap_or_default());
        *column = concatenate(parts.collect(), at);
    }
    let quotes = chunks.iter().any(|c| c.quotes.is_some()).then(|| {
        let mut quotes: [Vec<f64>; 8] = Default::default();
        let lengths: Vec<usize> = provenance
            .parts
            .iter()
            .map(|p| p.0)
            .chain([at])
            .collect::<Vec<_>>()
            .windows(2)
            .map(|w| w[1] - w[0])
            .collect();
        for (k, column) in quotes.iter_mut().enumerate() {
            let parts = chunks.iter_mut().zip(&lengths).map(|(c, &n)| {
                let part = c.quotes.as_mut().map(|q| std::mem::take(&mut q[k])).unwrap_or_default();
                if part.len() == n { part } else { vec![f64::NAN; n] }
            });
            *column = concatenate(parts.collect(), at);
        }
        quotes
    });
    Ok(RawSeries { symbol: symbol.to_string(), provenance, clock, time, trade, quotes })
}

/// One vector of all parts, without a copy when there is one.
fn concatenate<T: Copy>(mut parts: Vec<Vec<T>>, length: usize) -> Vec<T> {
    if parts.len() == 1 {
        return parts.swap_remove(0);
    }
    let mut whole = Vec::with_capacity(length);
    for part in parts {
        whole.extend_from_slice(&part);
    }
    whole
}

/// The file of an extra column, for the note about it.
pub(super) fn extra_note(blob: &Blob, layout: &layout::Layout) -> Option<String> {
    if layout.extra.is_empty() {
        return None;
    }
    let file = match blob {
        Blob::Path(path) => path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default(),
        Blob::Embedded { file, .. } => (*file).to_string(),
    };
    Some(format!("{file}: columns not used: {}", layout.extra.join(", ")))
}

/// Used by messages about a selection that leaves nothing.
pub(super) fn source_name(source: &Source) -> String {
    match source {
        Source::Path(path) => path.display().to_string(),
        Source::Named(name) => name.clone(),
    }
}
