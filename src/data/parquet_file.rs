//! Bars from Parquet: only the needed columns, only the row groups that may hold wanted rows.
//!
//! The unit of work is the row group. Its statistics say whether it can hold a wanted symbol or date, and
//! whether all its rows are of one symbol, in which case the symbol column is not decoded at all. A group is
//! decoded on its own and turned into the final columns at once, so that never more than one group a thread is
//! in memory twice.

use super::DataError;
use super::chunk::{Blob, Chunk, Found, RowNumbers, Wanted, extra_note};
use super::clock::{Clock, epoch_unit, parse_stamp};
use super::csv_file::bad_time;
use super::error::{Place, RowUnit};
use super::layout::{Layout, QUOTE_NAMES, TRADE_NAMES};
use super::pick::Pick;
use crate::market::{DAY, Nanos};
use polars::prelude::{
    ArrowSchema, DataType, Field, FileMetadata, FileMetadataRef, ParallelStrategy, ParquetReader, SerReader, Series,
    TimeUnit, infer_schema,
};
use std::collections::HashMap;
use std::io::Cursor;
use std::sync::Arc;

/// A file whose footer has been read.
pub(super) struct ParquetFile {
    blob: Blob,
    name: Arc<str>,
    metadata: FileMetadataRef,
    schema: Arc<ArrowSchema>,
    layout: Layout,
    time_type: DataType,
    sole: Arc<str>,
}

/// One row group of a file.
pub(super) struct Group {
    file: Arc<ParquetFile>,
    /// The footer as if the file had no other group: a reader walks over all groups it is told of.
    metadata: FileMetadataRef,
    first_row: usize,
    rows: usize,
    /// The symbol of all rows, where the statistics tell.
    symbol: Option<Arc<str>>,
}

impl ParquetFile {
    /// Reads the footer and finds the columns.
    pub(super) fn open(blob: &Blob, wanted: &Wanted<'_>) -> Result<(Arc<ParquetFile>, Found), DataError> {
        let name: Arc<str> = blob.name().into();
        let bad = |error: polars::error::PolarsError| {
            DataError::file(&*name, format!("not a readable Parquet file: {error}"))
        };
        let metadata = match blob {
            Blob::Path(path) => {
                let file = std::fs::File::open(path).map_err(|e| DataError::read(path, e))?;
                ParquetReader::new(file).get_metadata().map_err(bad)?.clone()
            }
            Blob::Embedded { bytes, .. } => {
                ParquetReader::new(Cursor::new(*bytes)).get_metadata().map_err(bad)?.clone()
            }
        };
        let schema = Arc::new(infer_schema(&metadata).map_err(bad)?);
        let names: Vec<String> = schema.iter_names().map(|n| n.to_string()).collect();
        let layout = Layout::find(&name, &names)?;
        let type_of = |column: usize| {
            let (_, field) = schema.get_at_index(column)?;
            Some(Field::from(field).dtype)
        };
        let time_type = type_of(layout.time).unwrap_or(DataType::Null);
        let numbers = layout.trade.iter().flatten().chain(layout.quotes.iter().flatten().flatten());
        for &column in numbers {
            let found = type_of(column).unwrap_or(DataType::Null);
            if !is_number(&found) {
                return Err(DataError::file(
                    &*name,
                    format!("column '{}' is {found}; expected numbers", names[column]),
                ));
            }
        }
        if !is_time(&time_type) {
            return Err(DataError::file(
                &*name,
                format!(
                    "column '{}' is {time_type}; expected a timestamp, a date, an epoch number or text",
                    names[layout.time]
                ),
            ));
        }
        if let Some(column) = layout.symbol {
            let found = type_of(column).unwrap_or(DataType::Null);
            if found != DataType::String {
                return Err(DataError::file(
                    &*name,
                    format!("column '{}' is {found}; expected plain text", names[column]),
                ));
            }
        }
        let found = Found { notes: extra_note(blob, &layout).into_iter().collect(), ..Found::default() };
        let sole: Arc<str> = wanted.sole_symbol.clone().unwrap_or_else(|| blob.stem()).into();
        Ok((Arc::new(ParquetFile { blob: blob.clone(), name, metadata, schema, layout, time_type, sole }), found))
    }

    /// The row groups that may hold wanted rows; the others are counted in `found`.
    pub(super) fn groups(self: &Arc<ParquetFile>, wanted: &Wanted<'_>, found: &mut Found) -> Vec<Group> {
        let mut out = Vec::new();
        let mut first_row = 0;
        for k in 0..self.metadata.row_groups.len() {
            let rows = self.metadata.row_groups[k].num_rows();
            let range = self.symbol_range(k);
            let symbol: Option<Arc<str>> = match (&range, self.layout.symbol) {
                (_, None) => Some(self.sole.clone()),
                (Some((low, high)), _) if low == high && !low.is_empty() => Some(low.as_str().into()),
                _ => None,
            };
            let named = match (&symbol, &range, &wanted.symbols) {
                (_, _, None) => true,
                (Some(symbol), _, Some(_)) => wanted.symbol(symbol),
                (None, Some((low, high)), Some(all)) => all.iter().any(|s| s >= low && s <= high),
                (None, None, Some(_)) => true,
            };
            if rows == 0 || !named || !self.may_hold(k, wanted) {
                found.not_selected += rows as u64;
                if let (false, Some((low, high))) = (named, range) {
                    found.passed_over.extend([low, high]);
                }
                if let (false, Some(symbol)) = (named, symbol) {
                    found.passed_over.push(symbol.to_string());
                }
            } else {
                let mut metadata = FileMetadata::clone(&self.metadata);
                metadata.row_groups = vec![self.metadata.row_groups[k].clone()];
                metadata.num_rows = rows;
                out.push(Group { file: self.clone(), metadata: Arc::new(metadata), first_row, rows, symbol });
            }
            first_row += rows;
        }
        found.passed_over.sort();
        found.passed_over.dedup();
        out
    }

    /// Least and greatest symbol of a row group, where its statistics are exact and it has no null.
    fn symbol_range(&self, group: usize) -> Option<(String, String)> {
        let (name, _) = self.schema.get_at_index(self.layout.symbol?)?;
        let chunk = self.metadata.row_groups[group].columns_under_root_iter(name)?.next()?;
        let statistics = chunk.statistics(&self.metadata.footer_buf)?.ok()?;
        let found = statistics.as_binary().filter(|s| s.null_count == Some(0))?;
        // Long values may be cut off in statistics of older writers that do not say so.
        let text = |bytes: &Option<Vec<u8>>| {
            bytes.clone().filter(|b| b.len() < 32).and_then(|bytes| String::from_utf8(bytes).ok())
        };
        Some((text(&found.min_value)?, text(&found.max_value)?))
    }

    /// Whether the time statistics allow a row in the wanted span.
    fn may_hold(&self, group: usize, wanted: &Wanted<'_>) -> bool {
        let Some((name, _)) = self.schema.get_at_index(self.layout.time) else { return true };
        let chunk = self.metadata.row_groups[group].columns_under_root_iter(name).and_then(|mut c| c.next());
        let Some(Ok(statistics)) = chunk.and_then(|c| c.statistics(&self.metadata.footer_buf)) else { return true };
        let (low, high) = if let Some(s) = statistics.as_int64() {
            (s.min_value, s.max_value)
        } else if let Some(s) = statistics.as_int32() {
            (s.min_value.map(i64::from), s.max_value.map(i64::from))
        } else {
            return true;
        };
        let unit = |value: i64| match &self.time_type {
            DataType::Date => Some(DAY),
            DataType::Datetime(unit, _) => Some(nanos_per(*unit)),
            _ => epoch_unit(value),
        };
        let nanos = |value: Option<i64>| value.and_then(|v| unit(v).and_then(|u| v.checked_mul(u)));
        let (low, high) = (nanos(low), nanos(high));
        let before = matches!((high, wanted.from), (Some(high), Some(from)) if high < from);
        let after = matches!((low, wanted.to), (Some(low), Some(to)) if low > to);
        !before && !after
    }
}

impl Group {
    /// Decodes one column; columns are decoded one at a time, so that a large group is never held twice.
    fn decode(&self, column: usize) -> Result<Series, DataError> {
        let file = &self.file;
        let result = match &file.blob {
            Blob::Path(path) => {
                // A mapping of its own: pages of the file leave memory with it.
                let bytes = std::fs::File::open(path).map_err(|e| DataError::read(path, e))?;
                let mut reader = ParquetReader::new(bytes);
                reader.set_metadata(self.metadata.clone());
                reader.with_projection(Some(vec![column])).read_parallel(ParallelStrategy::None).finish()
            }
            Blob::Embedded { bytes, .. } => {
                let mut reader = ParquetReader::new(Cursor::new(*bytes));
                reader.set_metadata(self.metadata.clone());
                reader.with_projection(Some(vec![column])).read_parallel(ParallelStrategy::None).finish()
            }
        };
        let bad = |error| DataError::file(&*file.name, format!("cannot be decoded: {error}"));
        let frame = result.map_err(bad)?;
        let series = frame.columns().first().map(|c| c.as_materialized_series().rechunk());
        series.filter(|s| s.len() == self.rows).ok_or_else(|| {
            DataError::file(&*file.name, "cannot be decoded: a row group holds fewer rows than its footer says")
        })
    }

    fn place(&self, row: usize) -> Place {
        Place { file: self.file.name.to_string(), unit: RowUnit::Row, number: (self.first_row + row) as u64 + 1 }
    }

    /// Decodes the group into one chunk for each wanted symbol.
    pub(super) fn read(&self, wanted: &Wanted<'_>) -> Result<Found, DataError> {
        wanted.patience.check()?;
        let file = &self.file;
        let layout = &file.layout;
        let mut found = Found::default();
        let mut by_symbol: Vec<(Arc<str>, Pick)> = Vec::new();
        match &self.symbol {
            Some(symbol) => by_symbol.push((symbol.clone(), Pick::Range(0..self.rows))),
            None => {
                let column = layout.symbol.unwrap_or_default();
                self.split(&self.decode(column)?, wanted, &mut by_symbol, &mut found)?;
            }
        }
        if by_symbol.is_empty() {
            return Ok(found);
        }
        let (times, clock) = self.times(&self.decode(layout.time)?)?;
        // The usual case: all rows of one symbol become its columns without a further copy.
        if let [(symbol, Pick::Range(range))] = by_symbol.as_slice()
            && range.len() == self.rows
        {
            let rows = wanted.rows(&times);
            found.not_selected += (self.rows - rows.len()) as u64;
            let cut = |mut column: Vec<f64>| {
                if rows.len() < column.len() {
                    column = column[rows.clone()].to_vec();
                }
                column
            };
            let mut trade = None;
            if let Some(indices) = layout.trade {
                let mut out: [Vec<f64>; 5] = Default::default();
                for k in 0..5 {
                    wanted.patience.check()?;
                    out[k] = cut(self.numbers(indices[k], TRADE_NAMES[k], false)?);
                }
                trade = Some(out);
            }
            let mut quotes = None;
            if let Some(indices) = layout.quotes {
                let mut out: [Vec<f64>; 8] = Default::default();
                for k in 0..8 {
                    if let Some(index) = indices[k] {
                        out[k] = cut(self.numbers(index, QUOTE_NAMES[k], true)?);
                    }
                }
                quotes = Some(out);
            }
            let first = (self.first_row + rows.start) as u64 + 1;
            let time = Arc::new(if rows.len() < times.len() { times[rows].to_vec() } else { times });
            found.chunks.push(Chunk {
                symbol: symbol.clone(),
                file: file.name.clone(),
                unit: RowUnit::Row,
                rows: RowNumbers::From(first),
                clock,
                time,
                trade,
                quotes,
            });
            return Ok(found);
        }
        self.chunks(wanted, by_symbol, &times, clock, &mut found)?;
        Ok(found)
    }

    /// Chunks of a group with several symbols.
    fn chunks(
        &self,
        wanted: &Wanted<'_>,
        by_symbol: Vec<(Arc<str>, Pick)>,
        times: &[Nanos],
        clock: Clock,
        found: &mut Found,
    ) -> Result<(), DataError> {
        let layout = &self.file.layout;
        let first = found.chunks.len();
        let mut picks = Vec::with_capacity(by_symbol.len());
        for (symbol, pick) in by_symbol {
            let time = pick.take(times);
            let rows = wanted.rows(&time);
            found.not_selected += (time.len() - rows.len()) as u64;
            let pick = pick.part(rows.clone());
            if pick.len() == 0 {
                continue;
            }
            found.chunks.push(Chunk {
                symbol,
                file: self.file.name.clone(),
                unit: RowUnit::Row,
                rows: pick.numbers(self.first_row),
                clock,
                time: Arc::new(if rows.len() < time.len() { time[rows].to_vec() } else { time }),
                trade: layout.trade.map(|_| Default::default()),
                quotes: layout.quotes.map(|_| Default::default()),
            });
            picks.push(pick);
        }
        if let Some(indices) = layout.trade {
            for k in 0..5 {
                wanted.patience.check()?;
                let whole = self.numbers(indices[k], TRADE_NAMES[k], false)?;
                for (chunk, pick) in found.chunks[first..].iter_mut().zip(&picks) {
                    if let Some(trade) = &mut chunk.trade {
                        trade[k] = pick.take(&whole);
                    }
                }
            }
        }
        if let Some(indices) = layout.quotes {
            for k in 0..8 {
                let Some(index) = indices[k] else { continue };
                let whole = self.numbers(index, QUOTE_NAMES[k], true)?;
                for (chunk, pick) in found.chunks[first..].iter_mut().zip(&picks) {
                    if let Some(quotes) = &mut chunk.quotes {
                        quotes[k] = pick.take(&whole);
                    }
                }
            }
        }
        Ok(())
    }

    /// The rows of each wanted symbol, in order of first occurrence.
    fn split(
        &self,
        series: &Series,
        wanted: &Wanted<'_>,
        out: &mut Vec<(Arc<str>, Pick)>,
        found: &mut Found,
    ) -> Result<(), DataError> {
        let text = series.str().map_err(|e| DataError::file(&*self.file.name, e.to_string()))?;
        let mut index: HashMap<&str, Option<usize>> = HashMap::new();
        let mut names: Vec<Arc<str>> = Vec::new();
        // (wanted symbol, first row) of each run of rows of one symbol.
        let mut runs: Vec<(Option<usize>, usize)> = Vec::new();
        let mut last = "";
        for (row, value) in text.iter().enumerate() {
            let name = match value {
                Some(name) if !name.is_empty() => name,
                _ => return Err(DataError::row(self.place(row), "symbol is null")),
            };
            if name == last {
                continue;
            }
            last = name;
            let at = *index.entry(name).or_insert_with(|| {
                if wanted.symbol(name) {
                    names.push(name.into());
                    Some(names.len() - 1)
                } else {
                    found.passed_over.push(name.to_string());
                    None
                }
            });
            runs.push((at, row));
        }
        out.extend(names.into_iter().map(|name| (name, Pick::Range(0..0))));
        for k in 0..runs.len() {
            let (at, begin) = runs[k];
            let end = runs.get(k + 1).map_or(self.rows, |next| next.1);
            match at {
                Some(at) => out[at].1.extend(begin..end),
                None => found.not_selected += (end - begin) as u64,
            }
        }
        Ok(())
    }

    /// The time column in nanoseconds.
    fn times(&self, series: &Series) -> Result<(Vec<Nanos>, Clock), DataError> {
        let fail = |e: polars::error::PolarsError| DataError::file(&*self.file.name, e.to_string());
        if series.null_count() > 0 {
            let row = first_null(series);
            return Err(DataError::row(self.place(row), format!("{} is null", series.name())));
        }
        let overflow = |row: usize| DataError::row(self.place(row), "the time is beyond the years 1678 to 2262");
        let scaled = |values: &[i64], unit: Nanos| -> Result<Vec<Nanos>, DataError> {
            let limit = Nanos::MAX / unit;
            match values.iter().position(|&v| v > limit || v < -limit) {
                Some(row) => Err(overflow(row)),
                None => Ok(values.iter().map(|&v| v * unit).collect()),
            }
        };
        match series.dtype() {
            DataType::Datetime(unit, zone) => {
                let physical = series.to_physical_repr();
                let values = physical.i64().map_err(fail)?.cont_slice().map_err(fail)?;
                let clock = if zone.is_some() { Clock::Utc } else { Clock::Wall };
                Ok((scaled(values, nanos_per(*unit))?, clock))
            }
            DataType::Date => {
                let physical = series.to_physical_repr();
                let values = physical.i32().map_err(fail)?.cont_slice().map_err(fail)?;
                let wide: Vec<i64> = values.iter().map(|&v| i64::from(v)).collect();
                Ok((scaled(&wide, DAY)?, Clock::Date))
            }
            DataType::String => {
                let text = series.str().map_err(fail)?;
                let mut clock = None;
                let mut out = Vec::with_capacity(series.len());
                for (row, value) in text.iter().enumerate() {
                    let value = value.unwrap_or_default().as_bytes();
                    let Some((time, kind)) = parse_stamp(value) else {
                        return Err(DataError::row(self.place(row), bad_time(value)));
                    };
                    if *clock.get_or_insert(kind) != kind {
                        return Err(DataError::row(
                            self.place(row),
                            "another kind of time than in the rows before: dates, times with and times without an offset do not mix",
                        ));
                    }
                    out.push(time);
                }
                Ok((out, clock.unwrap_or(Clock::Utc)))
            }
            _ => {
                let wide = series.cast(&DataType::Int64).map_err(fail)?;
                let values = wide.i64().map_err(fail)?.cont_slice().map_err(fail)?;
                let unit = match values.first() {
                    Some(&first) => epoch_unit(first).ok_or_else(|| {
                        DataError::row(self.place(0), format!("{first} is not an epoch time in s, ms, us or ns"))
                    })?,
                    None => 1,
                };
                if let Some(row) = values.iter().position(|&v| epoch_unit(v) != Some(unit)) {
                    let reason = format!("{} is not in the unit of the rows before", values[row]);
                    return Err(DataError::row(self.place(row), reason));
                }
                Ok((scaled(values, unit)?, Clock::Utc))
            }
        }
    }

    /// Decodes a numeric column as f64.
    fn numbers(&self, column: usize, name: &str, null_is_nan: bool) -> Result<Vec<f64>, DataError> {
        let series = self.decode(column)?;
        let fail = |e: polars::error::PolarsError| DataError::file(&*self.file.name, e.to_string());
        if series.null_count() > 0 {
            if null_is_nan {
                let wide = series.cast(&DataType::Float64).map_err(fail)?;
                return Ok(wide.f64().map_err(fail)?.iter().map(|v| v.unwrap_or(f64::NAN)).collect());
            }
            let (row, nulls) = (first_null(&series), series.null_count());
            let more =
                if nulls > 1 { format!(" (and in {} further rows of this part)", nulls - 1) } else { String::new() };
            return Err(DataError::row(self.place(row), format!("{name} is null{more}")));
        }
        if let DataType::Int64 = series.dtype() {
            let whole = series.i64().map_err(fail)?;
            let mut out = Vec::with_capacity(series.len());
            whole.downcast_iter().for_each(|a| out.extend(a.values().iter().map(|&v| v as f64)));
            return Ok(out);
        }
        let wide = match series.dtype() {
            DataType::Float64 => series,
            _ => series.cast(&DataType::Float64).map_err(fail)?,
        };
        let column = wide.f64().map_err(fail)?.clone();
        // The column is now the only owner of its values, which become the vector without a copy.
        drop(wide);
        let mut out: Vec<f64> = Vec::new();
        for array in column.downcast_into_iter() {
            let values = array.into_inner().1.to_vec();
            if out.is_empty() {
                out = values;
            } else {
                out.extend_from_slice(&values);
            }
        }
        out.shrink_to_fit();
        Ok(out)
    }
}

fn first_null(series: &Series) -> usize {
    series.is_null().iter().position(|v| v == Some(true)).unwrap_or(0)
}

fn nanos_per(unit: TimeUnit) -> Nanos {
    match unit {
        TimeUnit::Nanoseconds => 1,
        TimeUnit::Microseconds => 1_000,
        TimeUnit::Milliseconds => 1_000_000,
    }
}

fn is_number(found: &DataType) -> bool {
    matches!(
        found,
        DataType::Float64
            | DataType::Float32
            | DataType::Int64
            | DataType::Int32
            | DataType::UInt64
            | DataType::UInt32
            | DataType::Null
    )
}

fn is_time(found: &DataType) -> bool {
    matches!(found, DataType::Datetime(..) | DataType::Date | DataType::String | DataType::Int64 | DataType::UInt64)
}
