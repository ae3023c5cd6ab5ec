//! What a browser asks of the trials of a sweep, finished or not: a page of the table, a heat map, slices, importance,
//! the front. A sweep of a million trials gives answers of a few hundred kilobytes.

use super::aggregate::Classes;
use super::payload::{Curves, Payload, Row, heat_map, ranking};
use super::{closes, curves, ids};
use crate::optimize::sweep::store::{read_summary, read_sweep};
use crate::optimize::sweep::{Aim, SweepError, SweepFile, TrialRecord, for_each_trial_with, importance, pareto_front};
use crate::optimize::{Goal, History, Space, Trial, Value};
use serde_json::{Map, Value as Json, json};
use std::cmp::Ordering;
use std::path::{Path, PathBuf};

/// Metrics that a page of trials always has.
const USUAL_METRICS: [&str; 4] = ["sharpe", "total_return", "max_drawdown", "trades"];
/// Most points of the front that are answered.
const MOST_FRONT: usize = 1_000;
/// Equity curves of the best trials.
const MOST_CURVES: usize = 5;

/// What a heat map shows of the trials of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statistic {
    /// Of all with a value.
    Median,
    /// Of those that meet the constraints.
    Best,
    /// How many have a value.
    Count,
}

impl Statistic {
    /// From its word.
    pub fn from_word(word: &str) -> Option<Statistic> {
        match word {
            "median" => Some(Statistic::Median),
            "best" => Some(Statistic::Best),
            "count" => Some(Statistic::Count),
            _ => None,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Statistic::Median => "median",
            Statistic::Best => "best",
            Statistic::Count => "count",
        }
    }
}

/// Which trials of the table, and in which order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// `rank` (the order of the summary), `id`, `status`, a parameter, an objective or a metric; with a leading `-`
    /// the other way round. What is undefined comes last.
    pub sort: String,
    /// Conditions that all hold, separated by commas: `status=ok`, `fast>=10`, `sharpe>1`, `filter!=ema`.
    pub filter: String,
    /// Trials passed over.
    pub offset: usize,
    /// Trials answered at most.
    pub limit: usize,
}

/// The trials of a sweep in memory, without their metrics.
pub struct Browser {
    dir: PathBuf,
    sweep: SweepFile,
    summary: Option<Json>,
    space: Space,
    aim: Aim,
    rows: Vec<Row>,
    /// Metrics that were asked for: name, and its value by row.
    metrics: Vec<(String, Vec<Option<f64>>)>,
}

impl Browser {
    /// Reads the trials of a sweep's folder.
    ///
    /// # Errors
    /// Files that cannot be read.
    pub fn open(dir: &Path) -> Result<Browser, SweepError> {
        Browser::with_metrics(dir, &[])
    }

    fn with_metrics(dir: &Path, names: &[String]) -> Result<Browser, SweepError> {
        let sweep = read_sweep(dir)?;
        let (space, aim) = (sweep.spec.space()?, sweep.spec.aim()?);
        let goal = aim.goal();
        let mut rows = Vec::new();
        let mut metrics: Vec<(String, Vec<Option<f64>>)> =
            names.iter().map(|name| (name.clone(), Vec::new())).collect();
        for_each_trial_with(dir, &space, &aim, names, |trial: TrialRecord| {
            for (name, column) in &mut metrics {
                column.push(trial.metric(name));
            }
            rows.push(Row::new(trial, &goal));
            Ok(())
        })?;
        let summary = read_summary(dir)?;
        Ok(Browser { dir: dir.to_path_buf(), sweep, summary, space, aim, rows, metrics })
    }

    /// A page of the trials of a sweep's folder.
    ///
    /// # Errors
    /// A column that there is not, a condition that is none, files that cannot be read.
    pub fn page(dir: &Path, page: &Page) -> Result<Json, SweepError> {
        let conditions = page.filter.split(',').map(str::trim).filter(|text| !text.is_empty());
        let conditions = conditions.map(Condition::parse).collect::<Result<Vec<_>, _>>()?;
        let (key, down) = match page.sort.strip_prefix('-') {
            Some(key) => (key, true),
            None => (page.sort.as_str(), false),
        };
        // Which names are metrics is known when the sweep is: parameters and objectives go before them.
        let mut names: Vec<String> = USUAL_METRICS.map(str::to_string).to_vec();
        let asked = conditions.iter().map(|condition| condition.column.as_str()).chain([key]);
        for name in asked.filter(|name| crate::stats::METRICS.iter().any(|metric| metric.name == *name)) {
            if !names.iter().any(|known| known == name) {
                names.push(name.to_string());
            }
        }
        let browser = Browser::with_metrics(dir, &names)?;
        let columns: Vec<Column> =
            conditions.iter().map(|condition| browser.column(&condition.column)).collect::<Result<_, _>>()?;
        let holds = |k: &usize| {
            conditions.iter().zip(&columns).all(|(condition, column)| condition.holds(&browser.cell(column, *k)))
        };
        let mut chosen: Vec<usize> = if key == "rank" {
            let mut ranked = ranking(&browser.rows);
            let mut seen = vec![false; browser.rows.len()];
            ranked.iter().for_each(|&k| seen[k] = true);
            if down {
                ranked.reverse();
            }
            ranked.extend((0..browser.rows.len()).filter(|&k| !seen[k]));
            ranked
        } else {
            let column = browser.column(key)?;
            let mut keyed: Vec<(Cell, usize)> =
                (0..browser.rows.len()).map(|k| (browser.cell(&column, k), k)).collect();
            keyed.sort_by(|(a, i), (b, j)| a.order(b, down).then(i.cmp(j)));
            keyed.into_iter().map(|(_, k)| k).collect()
        };
        chosen.retain(holds);
        let matching = chosen.len();
        let trials: Vec<Json> =
            chosen.into_iter().skip(page.offset).take(page.limit).map(|k| browser.trial(k)).collect();
        Ok(json!({
            "total": browser.rows.len(), "matching": matching, "offset": page.offset, "trials": trials,
            "parameters": browser.space.parameters().iter().map(|p| &p.name).collect::<Vec<_>>(),
            "objectives": browser.aim.objectives().iter().map(|(name, _)| name).collect::<Vec<_>>(),
            "metrics": names,
        }))
    }

    fn trial(&self, k: usize) -> Json {
        let row = &self.rows[k];
        let metrics: Map<String, Json> =
            self.metrics.iter().map(|(name, column)| (name.clone(), json!(column[k]))).collect();
        json!({
            "id": row.id(),
            "status": row.word(),
            "params": self.space.to_json(row.params()),
            "values": (0..self.aim.objectives().len()).map(|o| row.values().get(o).copied().flatten()).collect::<Vec<_>>(),
            "metrics": metrics,
            "reason": row.reason(),
        })
    }

    fn column(&self, name: &str) -> Result<Column, SweepError> {
        let parameter = self.space.parameters().iter().position(|p| p.name == name);
        let objective = self.aim.objectives().iter().position(|(objective, _)| objective == name);
        let metric = self.metrics.iter().position(|(metric, _)| metric == name);
        match (name, parameter, objective, metric) {
            ("id", ..) => Ok(Column::Id),
            ("status", ..) => Ok(Column::Status),
            (_, Some(k), ..) => Ok(Column::Parameter(k)),
            (_, None, Some(k), _) => Ok(Column::Objective(k)),
            (_, None, None, Some(k)) => Ok(Column::Metric(k)),
            _ => Err(SweepError::Input(format!(
                "there is no column '{name}'; expected rank (to sort), id, status, a parameter, an objective or a metric"
            ))),
        }
    }

    fn cell(&self, column: &Column, k: usize) -> Cell {
        let row = &self.rows[k];
        let number = |value: Option<f64>| value.filter(|v| !v.is_nan()).map_or(Cell::Nothing, Cell::Number);
        match column {
            Column::Id => Cell::Number(row.id() as f64),
            Column::Status => Cell::Word(row.word().to_string()),
            Column::Parameter(p) => match &row.params()[*p] {
                None => Cell::Nothing,
                Some(Value::Float(v)) => number(Some(*v)),
                Some(Value::Int(v)) => Cell::Number(*v as f64),
                Some(Value::Text(word)) => Cell::Word(word.clone()),
            },
            Column::Objective(o) => number(row.values().get(*o).copied().flatten()),
            Column::Metric(m) => number(self.metrics[*m].1[k]),
        }
    }

    fn winner(&self) -> Option<u64> {
        ranking(&self.rows).first().map(|&k| self.rows[k].id())
    }

    /// The first objective over two parameters; without names, over the two that explain most.
    ///
    /// # Errors
    /// A parameter that there is not.
    pub fn heat_map(&self, x: Option<&str>, y: Option<&str>, statistic: Statistic) -> Result<Json, SweepError> {
        let parameters = self.space.parameters();
        let by_importance = {
            let shares = self.shares();
            let mut axes: Vec<usize> = (0..parameters.len()).collect();
            axes.sort_by(|&a, &b| shares[b].1.unwrap_or(0.0).total_cmp(&shares[a].1.unwrap_or(0.0)).then(a.cmp(&b)));
            axes
        };
        let axis = |name: Option<&str>, other: Option<usize>| match name {
            Some(name) => parameters.iter().position(|p| p.name == name).ok_or_else(|| {
                let known: Vec<&str> = parameters.iter().map(|p| p.name.as_str()).collect();
                SweepError::Input(format!("there is no parameter '{name}'; expected one of {}", known.join(", ")))
            }),
            None => {
                let free = by_importance.iter().copied().find(|&k| Some(k) != other);
                free.ok_or_else(|| SweepError::Input("the space has one parameter only".to_string()))
            }
        };
        let named = |name: Option<&str>| name.and_then(|name| parameters.iter().position(|p| p.name == name));
        let x = axis(x, named(y))?;
        let y = axis(y, Some(x))?;
        if x == y {
            return Err(SweepError::Input("x and y are the same parameter; expected two".to_string()));
        }
        let grid = self.sweep.spec.method == "grid";
        let classes = |k: usize| Classes::new(&parameters[k].domain, self.rows.len(), grid);
        let more = self.aim.objectives().first().is_none_or(|(_, more)| *more);
        let map = heat_map(&self.space, (x, &classes(x)), (y, &classes(y)), &self.rows, self.winner(), more);
        let objective = self.aim.objectives().first().map(|(name, _)| name.as_str()).unwrap_or_default();
        Ok(json!({
            "x": { "name": parameters[x].name, "labels": map["columns"] },
            "y": { "name": parameters[y].name, "labels": map["lines"] },
            "objective": objective,
            "more_is_better": more,
            "stat": statistic.word(),
            "cells": map[statistic.word()],
            "count": map["count"],
            "winner": map["winner"],
        }))
    }

    fn history(&self) -> History {
        // A row keeps the sum of its violations only.
        let goal = Goal { constraints: 1, ..self.aim.goal() };
        let mut history = History::new(self.space.clone(), goal);
        history.trials =
            self.rows.iter().map(|row| Trial { params: row.params().clone(), outcome: Some(row.outcome()) }).collect();
        history
    }

    fn shares(&self) -> Vec<(String, Option<f64>)> {
        match &self.summary {
            Some(summary) => {
                let of = |name: &String| summary["importance"][name].as_f64();
                self.space.parameters().iter().map(|p| (p.name.clone(), of(&p.name))).collect()
            }
            None => importance(&self.history()),
        }
    }

    /// How much of the variance of the first objective each parameter explains.
    pub fn importance(&self) -> Json {
        let shares = self.shares().into_iter().map(|(name, share)| json!({ "parameter": name, "share": share }));
        json!({ "importance": shares.collect::<Vec<_>>(), "trials": self.rows.len() })
    }

    /// The Pareto front.
    pub fn front(&self) -> Json {
        let front = pareto_front(&self.history());
        let trials: Vec<Json> = front.iter().take(MOST_FRONT).map(|&k| self.trial(k)).collect();
        let objectives = self.aim.objectives().iter();
        json!({
            "objectives": objectives.map(|(name, more)| json!({ "name": name, "more_is_better": more })).collect::<Vec<_>>(),
            "total": front.len(),
            "trials": trials,
        })
    }

    /// The first objective over each parameter: trials, the best ones and others evenly, and medians of all; with the
    /// best so far by number of trial.
    pub fn slices(&self) -> Json {
        let more: Vec<bool> = self.aim.objectives().iter().map(|(_, more)| *more).collect();
        let summary = json!({
            "objectives": self.sweep.spec.objectives,
            "importance": self.shares().into_iter().collect::<std::collections::BTreeMap<_, _>>(),
            "best": { "id": self.winner() },
            "pareto": [],
        });
        let none = Curves { growth: Vec::new(), closes: Vec::new() };
        let grid = self.sweep.spec.method == "grid";
        Payload::new(&self.space, &summary, &more, &self.rows, grid, none, None).slices(self.rows.len())
    }

    /// Growth of one dollar in the best trials, session by session.
    ///
    /// # Errors
    /// Returns that cannot be read.
    pub fn curves(&self) -> Result<Json, SweepError> {
        let best: Vec<u64> = match &self.summary {
            Some(summary) => ids(&summary["top"]),
            None => ranking(&self.rows).into_iter().map(|k| self.rows[k].id()).collect(),
        };
        let best: Vec<u64> = best.into_iter().take(MOST_CURVES).collect();
        let found = curves(&self.dir, &self.sweep, &best)?;
        let curves: Vec<Json> = found.iter().map(|(id, growth)| json!({ "trial": id, "growth": growth })).collect();
        Ok(json!({ "closes": closes(&self.sweep), "curves": curves }))
    }
}

#[derive(Debug, Clone, Copy)]
enum Column {
    Id,
    Status,
    Parameter(usize),
    Objective(usize),
    Metric(usize),
}

#[derive(Debug, Clone, PartialEq)]
enum Cell {
    Nothing,
    Number(f64),
    Word(String),
}

impl Cell {
    /// Numbers before words; nothing last, whichever way.
    fn order(&self, other: &Cell, down: bool) -> Ordering {
        let turn = |order: Ordering| if down { order.reverse() } else { order };
        match (self, other) {
            (Cell::Nothing, Cell::Nothing) => Ordering::Equal,
            (Cell::Nothing, _) => Ordering::Greater,
            (_, Cell::Nothing) => Ordering::Less,
            (Cell::Number(a), Cell::Number(b)) => turn(a.total_cmp(b)),
            (Cell::Word(a), Cell::Word(b)) => turn(a.cmp(b)),
            (Cell::Number(_), Cell::Word(_)) => Ordering::Less,
            (Cell::Word(_), Cell::Number(_)) => Ordering::Greater,
        }
    }
}

/// A condition of a filter.
#[derive(Debug, Clone, PartialEq)]
struct Condition {
    column: String,
    comparison: &'static str,
    value: String,
}

impl Condition {
    fn parse(text: &str) -> Result<Condition, SweepError> {
        // The longer ones first: `>=` begins as `>`.
        for comparison in [">=", "<=", "!=", "=", ">", "<"] {
            if let Some((column, value)) = text.split_once(comparison) {
                let (column, value) = (column.trim(), value.trim());
                let is_number = value.parse::<f64>().is_ok_and(f64::is_finite);
                if !column.is_empty() && !value.is_empty() && (is_number || matches!(comparison, "=" | "!=")) {
                    return Ok(Condition { column: column.to_string(), comparison, value: value.to_string() });
                }
                break;
            }
        }
        Err(SweepError::Input(format!(
            "'{text}' is no condition; expected such as fast>=10, sharpe>1, status=ok or filter!=ema"
        )))
    }

    /// Nothing is neither equal nor unequal to anything.
    fn holds(&self, cell: &Cell) -> bool {
        match cell {
            Cell::Nothing => false,
            Cell::Word(word) => match self.comparison {
                "=" => *word == self.value,
                "!=" => *word != self.value,
                _ => false,
            },
            Cell::Number(number) => {
                let Ok(value) = self.value.parse::<f64>() else { return self.comparison == "!=" };
                match self.comparison {
                    ">=" => *number >= value,
                    "<=" => *number <= value,
                    "!=" => *number != value,
                    "=" => *number == value,
                    ">" => *number > value,
                    _ => *number < value,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_read_and_hold() {
        let holds = |text: &str, cell: Cell| Condition::parse(text).unwrap().holds(&cell);
        assert!(holds("fast >= 10", Cell::Number(10.0)) && !holds("fast>10", Cell::Number(10.0)));
        assert!(holds("x<=-1e-3", Cell::Number(-0.001)) && holds("x!=2", Cell::Number(3.0)));
        assert!(
            holds("filter=ema", Cell::Word("ema".to_string())) && !holds("filter!=ema", Cell::Word("ema".to_string()))
        );
        for text in ["x=1", "x!=1", "x<1"] {
            assert!(!holds(text, Cell::Nothing), "{text}: undefined");
        }
        for text in ["", "fast", "fast>", ">=3", "fast>ema", "fast>nan", "x=="] {
            let read = Condition::parse(text);
            assert!(read.is_err() || text == "x==", "{text}");
        }
    }

    #[test]
    fn what_is_undefined_comes_last_whichever_way() {
        let mut cells = vec![Cell::Nothing, Cell::Number(2.0), Cell::Number(1.0)];
        cells.sort_by(|a, b| a.order(b, false));
        assert_eq!(cells, [Cell::Number(1.0), Cell::Number(2.0), Cell::Nothing]);
        cells.sort_by(|a, b| a.order(b, true));
        assert_eq!(cells, [Cell::Number(2.0), Cell::Number(1.0), Cell::Nothing]);
    }
}
