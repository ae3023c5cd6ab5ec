//! `trials.parquet`: the trials of a log as a table.

use super::store::{TRIALS_TABLE, write_whole};
use super::{Aim, Status, SweepError, TRIALS_LOG, TrialRecord, for_each_trial};
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

/// Calls `each` with every trial of a folder, in order of id, with no metrics but those of `names`: from
/// `trials.parquet` where it is there, of which only those columns are read and which has no reasons, else from the
/// log.
pub fn for_each_trial_with(
    dir: &Path,
    space: &Space,
    aim: &Aim,
    names: &[String],
    mut each: impl FnMut(TrialRecord) -> Result<(), SweepError>,
) -> Result<(), SweepError> {
    let path = dir.join(TRIALS_TABLE);
    if !path.is_file() {
        if !dir.join(TRIALS_LOG).is_file() {
            return Ok(());
        }
        return for_each_trial(dir, space, |mut trial| {
            trial.metrics.retain(|name, _| names.contains(name));
            each(trial)
        });
    }
    let wrong = |error: PolarsError| SweepError::File { path: path.clone(), reason: error.to_string() };
    let parameters = space.parameters();
    let params: Vec<String> = parameters.iter().map(|p| format!("param.{}", p.name)).collect();
    let values: Vec<String> = aim.objectives().iter().map(|(name, _)| format!("value.{name}")).collect();
    let constraints: Vec<String> = (1..=aim.constraints().len()).map(|k| format!("constraint.{k}")).collect();
    let metrics: Vec<String> = names.iter().map(|name| format!("metric.{name}")).collect();
    let columns = [&params[..], &values, &constraints, &metrics].concat();
    let columns = ["id", "status"].into_iter().map(str::to_string).chain(columns).collect();
    let file = std::fs::File::open(&path).map_err(SweepError::reading(&path))?;
    let table = ParquetReader::new(file).with_columns(Some(columns)).finish().map_err(wrong)?;
    let numbers = |names: &[String]| -> Result<Vec<Vec<Option<f64>>>, PolarsError> {
        names.iter().map(|name| Ok(table.column(name)?.f64()?.iter().collect())).collect()
    };
    let (values, constraints) = (numbers(&values).map_err(wrong)?, numbers(&constraints).map_err(wrong)?);
    let metrics = numbers(&metrics).map_err(wrong)?;
    let typed = |(name, domain): (&String, &Domain)| -> Result<Vec<Option<Value>>, PolarsError> {
        let column = table.column(name)?;
        Ok(match domain {
            Domain::Float { .. } => column.f64()?.iter().map(|v| v.map(Value::Float)).collect(),
            Domain::Int { .. } => column.i64()?.iter().map(|v| v.map(Value::Int)).collect(),
            Domain::Categorical { .. } => column.str()?.iter().map(|v| v.map(|v| Value::Text(v.to_string()))).collect(),
        })
    };
    let mut params: Vec<_> = params
        .iter()
        .zip(parameters.iter().map(|p| &p.domain))
        .map(|pair| typed(pair).map(Vec::into_iter))
        .collect::<Result<_, _>>()
        .map_err(wrong)?;
    let ids = table.column("id").and_then(|c| c.u64().cloned()).map_err(wrong)?;
    let words = table.column("status").and_then(|c| c.str().cloned()).map_err(wrong)?;
    for (row, (id, word)) in ids.iter().zip(words.iter()).enumerate() {
        let status = word.and_then(Status::from_name);
        let (Some(id), Some(status)) = (id, status) else {
            return Err(SweepError::File { path, reason: format!("row {row} has no id or no status that is known") });
        };
        let of = |columns: &[Vec<Option<f64>>]| columns.iter().map(|column| column[row]).collect();
        let finished = |columns| if status == Status::Pruned { Vec::new() } else { of(columns) };
        let pairs = names.iter().zip(&metrics).map(|(name, column)| (name.clone(), serde_json::json!(column[row])));
        each(TrialRecord {
            id,
            status,
            params: params.iter_mut().map(|column| column.next().flatten()).collect(),
            values: finished(&values),
            constraints: finished(&constraints),
            metrics: pairs.collect(),
            reason: None,
        })?;
    }
    Ok(())
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
