//! Bars from CSV.

use super::chunk::{Blob, Chunk, Found, RowNumbers, Wanted, extra_note};
use super::clock::{Clock, parse_stamp};
use super::error::{Place, RowUnit};
use super::layout::{Layout, QUOTE_NAMES, TRADE_NAMES};
use super::{DataError, layout};
use crate::market::Nanos;
use std::collections::HashMap;
use std::io::Read;
use std::sync::Arc;

/// Rows of one symbol while the file is read.
struct Builder {
    symbol: Arc<str>,
    clock: Clock,
    lines: Vec<u32>,
    time: Vec<Nanos>,
    trade: Option<[Vec<f64>; 5]>,
    quotes: Option<[Vec<f64>; 8]>,
}

/// Opens the bytes of a file, unpacked.
pub(super) fn open(blob: &Blob) -> Result<Box<dyn Read>, DataError> {
    match blob {
        Blob::Path(path) => match std::fs::File::open(path) {
            Ok(file) => {
                let file = std::io::BufReader::with_capacity(1 << 18, file);
                Ok(if blob.is_gzipped() { Box::new(flate2::read::MultiGzDecoder::new(file)) } else { Box::new(file) })
            }
            Err(error) => Err(DataError::read(path, error)),
        },
        Blob::Embedded { bytes, .. } => Ok(Box::new(*bytes)),
    }
}

/// Reads all bars of a file.
pub(super) fn read(blob: &Blob, wanted: &Wanted<'_>) -> Result<Found, DataError> {
    let file: Arc<str> = blob.name().into();
    let mut reader = csv::ReaderBuilder::new().has_headers(true).flexible(false).from_reader(open(blob)?);
    let names: Vec<String> = match reader.headers() {
        Ok(header) => header.iter().map(String::from).collect(),
        Err(error) => return Err(csv_error(&file, &error)),
    };
    if names.iter().all(|n| n.is_empty()) {
        return Err(DataError::file(&*file, "the file is empty; expected a header line"));
    }
    let layout = Layout::find(&file, &names)?;
    let sole: Arc<str> = wanted.sole_symbol.clone().unwrap_or_else(|| blob.stem()).into();
    let mut found = Found { notes: extra_note(blob, &layout).into_iter().collect(), ..Found::default() };
    let mut builders: Vec<Option<Builder>> = Vec::new();
    let mut index: HashMap<Vec<u8>, usize> = HashMap::new();
    let mut last: (Vec<u8>, usize) = (Vec::new(), usize::MAX);
    let mut record = csv::ByteRecord::new();
    loop {
        match reader.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => return Err(csv_error(&file, &error)),
        }
        let line = record.position().map_or(0, csv::Position::line);
        if line.is_multiple_of(4096) {
            wanted.patience.check()?;
        }
        let place = || Place { file: file.to_string(), unit: RowUnit::Line, number: line };
        // Rows of one symbol mostly follow each other.
        let name = layout.symbol.map_or(&b""[..], |c| record[c].trim_ascii());
        if last.1 == usize::MAX || last.0 != name {
            let at = match index.get(name) {
                Some(&at) => at,
                None => {
                    let symbol =
                        symbol_of(&layout, name, &sole).ok_or_else(|| DataError::row(place(), "symbol is empty"))?;
                    let builder = wanted.symbol(&symbol).then(|| Builder {
                        symbol: symbol.clone(),
                        clock: Clock::Utc,
                        lines: Vec::new(),
                        time: Vec::new(),
                        trade: layout.trade.map(|_| Default::default()),
                        quotes: layout.quotes.map(|_| Default::default()),
                    });
                    if builder.is_none() {
                        found.passed_over.push(symbol.to_string());
                    }
                    builders.push(builder);
                    index.insert(name.to_vec(), builders.len() - 1);
                    builders.len() - 1
                }
            };
            last = (name.to_vec(), at);
        }
        match &mut builders[last.1] {
            Some(builder) => builder.push(&record, &layout, line).map_err(|reason| DataError::row(place(), reason))?,
            None => found.not_selected += 1,
        }
    }
    for builder in builders.into_iter().flatten() {
        let rows = wanted.rows(&builder.time);
        found.not_selected += (builder.time.len() - rows.len()) as u64;
        found.chunks.push(Chunk {
            symbol: builder.symbol,
            file: file.clone(),
            unit: RowUnit::Line,
            rows: numbers(&builder.lines[rows.clone()]),
            clock: builder.clock,
            time: Arc::new(cut(builder.time, &rows)),
            trade: builder.trade.map(|t| t.map(|c| cut(c, &rows))),
            quotes: builder.quotes.map(|q| q.map(|c| if c.is_empty() { c } else { cut(c, &rows) })),
        });
    }
    Ok(found)
}

impl Builder {
    fn push(&mut self, record: &csv::ByteRecord, layout: &Layout, line: u64) -> Result<(), String> {
        let text = &record[layout.time];
        let (time, clock) = parse_stamp(text).ok_or_else(|| bad_time(text))?;
        if self.time.is_empty() {
            self.clock = clock;
        } else if clock != self.clock {
            return Err(format!(
                "'{}' is another kind of time than in the rows before: dates, times with and times without an offset do not mix",
                show(text)
            ));
        }
        self.time.push(time);
        self.lines.push(u32::try_from(line).unwrap_or(u32::MAX));
        if let (Some(columns), Some(out)) = (&layout.trade, &mut self.trade) {
            for k in 0..5 {
                out[k].push(number(&record[columns[k]], TRADE_NAMES[k])?);
            }
        }
        if let (Some(columns), Some(out)) = (&layout.quotes, &mut self.quotes) {
            for k in 0..8 {
                let Some(column) = columns[k] else { continue };
                // An absent side of the book is an empty field.
                let field = &record[column];
                let value = if field.trim_ascii().is_empty() { f64::NAN } else { number(field, QUOTE_NAMES[k])? };
                out[k].push(value);
            }
        }
        Ok(())
    }
}

/// What is wrong with a time field.
pub(super) fn bad_time(text: &[u8]) -> String {
    if text.trim_ascii().is_empty() {
        return "the time is empty".to_string();
    }
    format!(
        "'{}' is not a time; expected such as 2024-03-26T13:30:00Z, 2024-03-26 09:30:00-04:00, 2024-03-26 or an epoch number",
        show(text)
    )
}

fn symbol_of(layout: &layout::Layout, name: &[u8], sole: &Arc<str>) -> Option<Arc<str>> {
    if layout.symbol.is_none() {
        return Some(sole.clone());
    }
    let text = std::str::from_utf8(name).ok()?;
    if text.is_empty() { None } else { Some(text.into()) }
}

/// A number field.
pub(super) fn number(field: &[u8], name: &str) -> Result<f64, String> {
    let field = field.trim_ascii();
    if field.is_empty() {
        return Err(format!("{name} is empty"));
    }
    let parsed = std::str::from_utf8(field).ok().and_then(|text| text.parse().ok());
    parsed.ok_or_else(|| format!("{name} '{}' is not a number", show(field)))
}

fn show(field: &[u8]) -> String {
    String::from_utf8_lossy(field).trim().chars().take(40).collect()
}

fn cut<T: Copy>(mut column: Vec<T>, rows: &std::ops::Range<usize>) -> Vec<T> {
    if rows.len() < column.len() {
        column.truncate(rows.end);
        column.drain(..rows.start);
    }
    column.shrink_to_fit();
    column
}

fn numbers(lines: &[u32]) -> RowNumbers {
    let consecutive = lines.windows(2).all(|w| w[1] == w[0] + 1);
    match lines.first() {
        Some(&first) if consecutive => RowNumbers::From(u64::from(first)),
        _ => RowNumbers::List(lines.to_vec()),
    }
}

/// A fault of the text itself.
pub(super) fn csv_error(file: &str, error: &csv::Error) -> DataError {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { pos: Some(pos), expected_len, len } => DataError::row(
            Place { file: file.to_string(), unit: RowUnit::Line, number: pos.line() },
            format!("{len} fields where the header has {expected_len}"),
        ),
        csv::ErrorKind::Utf8 { .. } => DataError::file(file, "the header is not UTF-8 text"),
        csv::ErrorKind::Io(io) => DataError::file(file, format!("cannot be read: {io}")),
        _ => DataError::file(file, error.to_string()),
    }
}
