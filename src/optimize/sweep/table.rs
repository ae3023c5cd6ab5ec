//! `trials.parquet`: the trials of a log as a table.

use super::store::{TRIALS_TABLE, write_whole};
use super::{Aim, SweepError, TrialRecord, for_each_trial};
use crate::optimize::{Domain, Space, Value};
use crate::stats::METRICS;
use polars::prelude::*;
use std::path::Path;

/// Rows of a row group: what is in memory at a time.
const ROWS: usize = 16_384;

/// Writes `trials.parquet` from the log of a folder: id, status, `param.*` (empty where a parameter does not
/// count), `value.*` of objectives as measured, `constraint.*` numbered from 1 (met at or below 0), `metric.*`.
pub(super) fn write_table(dir: &Path, space: &Space, aim: &Aim) -> Result<(), SweepError> {
    let path = dir.join(TRIALS_TABLE);
    let failed = |error: PolarsError| std::io::Error::other(error.to_string());
    let mut inner: Option<SweepError> = None;
    let written = write_whole(&path, |file| {
        let empty = frame(&[], space, aim).map_err(failed)?;
        // One thread and fixed row groups: the same trials give the same bytes everywhere.
        let mut writer = ParquetWriter::new(file).set_parallel(false).batched(empty.schema()).map_err(failed)?;
        let mut rows: Vec<TrialRecord> = Vec::new();
        let mut flush = |rows: &mut Vec<TrialRecord>| -> Result<(), PolarsError> {
            let table = frame(rows, space, aim)?;
            rows.clear();
            writer.write_batch(&table)
        };
        let read = for_each_trial(dir, space, |trial| {
            rows.push(trial);
            if rows.len() < ROWS {
                return Ok(());
            }
            flush(&mut rows).map_err(|error| SweepError::Internal(error.to_string()))
        });
        if let Err(error) = read {
            let text = error.to_string();
            inner = Some(error);
            return Err(std::io::Error::other(text));
        }
        if !rows.is_empty() {
            flush(&mut rows).map_err(failed)?;
        }
        writer.finish().map(drop).map_err(failed)
    });
    match inner {
        Some(error) => Err(error),
        None => written,
    }
}

fn frame(trials: &[TrialRecord], space: &Space, aim: &Aim) -> PolarsResult<DataFrame> {
    let mut columns = vec![
        Column::new("id".into(), trials.iter().map(|t| t.id).collect::<Vec<u64>>()),
        Column::new("status".into(), trials.iter().map(|t| t.status.name()).collect::<Vec<&str>>()),
    ];
    for (k, parameter) in space.parameters().iter().enumerate() {
        let name: PlSmallStr = format!("param.{}", parameter.name).into();
        let values = trials.iter().map(|t| t.params.get(k).and_then(Option::as_ref));
        columns.push(match parameter.domain {
            Domain::Float { .. } => {
                let value = |v: Option<&Value>| v.and_then(|v| if let Value::Float(x) = v { Some(*x) } else { None });
                Column::new(name, values.map(value).collect::<Vec<Option<f64>>>())
            }
            Domain::Int { .. } => {
                let value = |v: Option<&Value>| v.and_then(|v| if let Value::Int(n) = v { Some(*n) } else { None });
                Column::new(name, values.map(value).collect::<Vec<Option<i64>>>())
            }
            Domain::Categorical { .. } => {
                let value = |v: Option<&Value>| v.map(ToString::to_string);
                Column::new(name, values.map(value).collect::<Vec<Option<String>>>())
            }
        });
    }
    for (k, (name, _)) in aim.objectives().iter().enumerate() {
        let values: Vec<Option<f64>> = trials.iter().map(|t| t.values.get(k).copied().flatten()).collect();
        columns.push(Column::new(format!("value.{name}").into(), values));
    }
    for k in 0..aim.constraints().len() {
        let values: Vec<Option<f64>> = trials.iter().map(|t| t.constraints.get(k).copied().flatten()).collect();
        columns.push(Column::new(format!("constraint.{}", k + 1).into(), values));
    }
    for metric in METRICS {
        if !super::aim::needs_benchmark(metric.name) {
            let values: Vec<Option<f64>> = trials.iter().map(|t| t.metric(metric.name)).collect();
            columns.push(Column::new(format!("metric.{}", metric.name).into(), values));
        }
    }
    DataFrame::new(trials.len(), columns)
}
