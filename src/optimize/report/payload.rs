//! The block of data that the scripts of the page draw from.

use super::MOST_TRIALS;
use super::aggregate::{Classes, best, median};
use super::halves::Halves;
use crate::optimize::sweep::{Status, TrialRecord};
use crate::optimize::{Domain, Goal, Merit, Outcome, Params, Space, Value};
use serde::Serialize;
use serde_json::{Value as Json, json};

/// Parameters that heat maps are made of, the most important ones.
const MOST_AXES: usize = 6;

/// What is kept of a trial.
pub struct Row {
    id: u64,
    status: Status,
    params: Params,
    values: Vec<Option<f64>>,
    merit: Merit,
    /// Why it has no value.
    reason: Option<String>,
}

/// Characters of a reason that are part of the page.
const MOST_REASON: usize = 160;

impl Row {
    pub fn new(trial: TrialRecord, goal: &Goal) -> Row {
        Row {
            merit: goal.merit(&trial.outcome()),
            id: trial.id,
            status: trial.status,
            params: trial.params,
            values: trial.values,
            reason: trial.reason.map(|reason| reason.chars().take(MOST_REASON).collect()),
        }
    }

    pub fn id(&self) -> u64 {
        self.id
    }

    pub fn params(&self) -> &Params {
        &self.params
    }

    /// By objective, as measured; nothing of a trial that did not finish.
    pub fn values(&self) -> &[Option<f64>] {
        &self.values
    }

    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// What a method of search is told of it, with the constraints as one: their sum above 0.
    pub fn outcome(&self) -> Outcome {
        match self.status {
            Status::Ok => Outcome::Complete {
                values: self.values.iter().map(|v| v.unwrap_or(f64::NAN)).collect(),
                constraints: vec![self.merit.violation],
            },
            Status::Failed => Outcome::Failed,
            Status::Pruned => Outcome::Pruned,
        }
    }

    /// The first objective, of a finished trial that meets the constraints.
    fn feasible_value(&self) -> Option<f64> {
        self.value().filter(|_| self.merit.is_feasible())
    }

    /// The word of the page: that of the log, or `infeasible` for a finished trial that misses a constraint.
    pub fn word(&self) -> &'static str {
        if self.status == Status::Ok && !self.merit.is_feasible() { "infeasible" } else { self.status.name() }
    }

    /// The first objective, of a finished trial.
    fn value(&self) -> Option<f64> {
        self.values.first().copied().flatten().filter(|_| self.status == Status::Ok)
    }
}

/// Places of the trials with a value, in the order of the summary: those that meet the constraints first, then by the
/// first objective, then by number.
pub fn ranking(rows: &[Row]) -> Vec<usize> {
    let mut ranked: Vec<usize> = (0..rows.len()).filter(|&k| rows[k].merit.is_known()).collect();
    ranked.sort_by(|&a, &b| rows[a].merit.compare(&rows[b].merit));
    ranked
}

/// See `web/static/js/sweep_figures.js`, which reads it.
#[derive(Serialize)]
pub struct Payload {
    objectives: Vec<String>,
    /// Whether more is better, by objective.
    more: Vec<bool>,
    parameters: Vec<Axis>,
    trials: Vec<Json>,
    heat: Vec<Json>,
    best_so_far: Vec<(u64, f64)>,
    importance: Vec<(String, Option<f64>)>,
    curves: Curves,
    halves: Option<Halves>,
    winner: Option<u64>,
    front: Vec<u64>,
    #[serde(skip)]
    names: Vec<String>,
}

/// Growth of one dollar in some trials.
#[derive(Serialize)]
pub struct Curves {
    /// By trial.
    pub growth: Vec<(u64, Vec<f64>)>,
    /// Close of each session, UTC seconds; empty when the calendar does not tell.
    pub closes: Vec<i64>,
}

#[derive(Serialize)]
struct Axis {
    name: String,
    /// Words of an axis without an order; else numbers.
    words: Option<Vec<String>>,
    log: bool,
    /// (value or index of the word, median of the first objective) by class.
    medians: Vec<(f64, f64)>,
}

impl Payload {
    pub fn new(
        space: &Space,
        summary: &Json,
        more: &[bool],
        rows: &[Row],
        grid: bool,
        curves: Curves,
        halves: Option<Halves>,
    ) -> Payload {
        let parameters = space.parameters();
        let importance: Vec<(String, Option<f64>)> = parameters
            .iter()
            .map(|parameter| (parameter.name.clone(), summary["importance"][&parameter.name].as_f64()))
            .collect();
        let objectives: Vec<String> = summary["objectives"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Json::as_str)
            .map(|text| text.trim_start_matches('-').to_string())
            .collect();
        let winner = summary["best"]["id"].as_u64();
        let more_first = more.first().copied().unwrap_or(true);
        let classes: Vec<Classes> =
            parameters.iter().map(|parameter| Classes::new(&parameter.domain, rows.len(), grid)).collect();
        let front = super::ids(&summary["pareto"]);
        let axis = |k: usize| {
            let domain = &parameters[k].domain;
            Axis {
                name: parameters[k].name.clone(),
                words: match domain {
                    Domain::Categorical { choices } => Some(choices.clone()),
                    _ => None,
                },
                log: matches!(domain, Domain::Float { log: true, .. } | Domain::Int { log: true, .. }),
                medians: medians(domain, &classes[k], k, rows),
            }
        };
        Payload {
            more: more.to_vec(),
            parameters: (0..parameters.len()).map(axis).collect(),
            trials: shown(rows, &front).into_iter().map(|row| trial(space, row)).collect(),
            heat: heat_maps(space, &classes, &importance, rows, winner, more_first),
            best_so_far: best_so_far(rows, more_first),
            importance,
            curves,
            halves,
            winner,
            front,
            names: parameters.iter().map(|parameter| parameter.name.clone()).collect(),
            objectives,
        }
    }

    pub fn objectives(&self) -> &[String] {
        &self.objectives
    }

    pub fn parameters(&self) -> &[String] {
        &self.names
    }

    pub fn has_heat(&self) -> bool {
        !self.heat.is_empty()
    }

    pub fn has_curves(&self) -> bool {
        !self.curves.growth.is_empty()
    }

    /// The picture behind PBO.
    pub fn halves(&self) -> Option<&Halves> {
        self.halves.as_ref()
    }

    /// What the charts over single parameters draw; `total` trials are behind it.
    pub fn slices(&self, total: usize) -> Json {
        json!({
            "objectives": self.objectives,
            "more": self.more,
            "parameters": self.parameters,
            "trials": self.trials,
            "best_so_far": self.best_so_far,
            "winner": self.winner,
            "total": total,
        })
    }

    /// Number of trials that are part of the page.
    pub fn shown(&self) -> usize {
        self.trials.len()
    }
}

/// The trials that are part of the page, by number: all, or the best and the front in a third of the room each at
/// most, and others evenly.
fn shown<'a>(rows: &'a [Row], front: &[u64]) -> Vec<&'a Row> {
    if rows.len() <= MOST_TRIALS {
        return rows.iter().collect();
    }
    let mut kept: Vec<usize> = ranking(rows).into_iter().take(MOST_TRIALS / 3).collect();
    kept.extend((0..rows.len()).filter(|&k| front.contains(&rows[k].id)).take(MOST_TRIALS / 3));
    let even = MOST_TRIALS - kept.len();
    kept.extend((0..even).map(|k| k * rows.len() / even));
    kept.sort_unstable();
    kept.dedup();
    kept.into_iter().map(|k| &rows[k]).collect()
}

fn trial(space: &Space, row: &Row) -> Json {
    let place = |(parameter, value): (&crate::optimize::Parameter, &Option<Value>)| match value {
        None => Json::Null,
        Some(Value::Float(v)) => json!(v),
        Some(Value::Int(v)) => json!(v),
        Some(text) => json!(parameter.domain.level_of(text)),
    };
    let params: Vec<Json> = space.parameters().iter().zip(&row.params).map(place).collect();
    json!([row.id, row.word(), params, row.values, row.reason])
}

/// Median of the first objective by class of a parameter.
fn medians(domain: &Domain, classes: &Classes, axis: usize, rows: &[Row]) -> Vec<(f64, f64)> {
    let mut groups: Vec<Vec<f64>> = vec![Vec::new(); classes.labels.len()];
    for row in rows {
        if let (Some(value), Some(class)) = (row.value(), classes.of(domain, row.params[axis].as_ref())) {
            groups[class].push(value);
        }
    }
    let count = groups.len() as f64;
    let middle = |class: usize| match domain.decode((class as f64 + 0.5) / count) {
        Value::Float(v) => v,
        Value::Int(v) => v as f64,
        Value::Text(_) => class as f64,
    };
    let groups = groups.into_iter().enumerate();
    groups.filter_map(|(class, group)| Some((middle(class), median(group)?))).collect()
}

/// A heat map for each pair of the most important parameters that have more than one value.
fn heat_maps(
    space: &Space,
    classes: &[Classes],
    importance: &[(String, Option<f64>)],
    rows: &[Row],
    winner: Option<u64>,
    more: bool,
) -> Vec<Json> {
    let parameters = space.parameters();
    let mut axes: Vec<usize> =
        (0..parameters.len()).filter(|&k| parameters[k].domain.levels().is_none_or(|levels| levels > 1)).collect();
    axes.sort_by(|&a, &b| {
        let share = |k: usize| importance[k].1.unwrap_or(0.0);
        share(b).total_cmp(&share(a)).then(a.cmp(&b))
    });
    axes.truncate(MOST_AXES);
    let mut maps = Vec::new();
    for (i, &x) in axes.iter().enumerate() {
        for &y in &axes[i + 1..] {
            maps.push(heat_map(space, (x, &classes[x]), (y, &classes[y]), rows, winner, more));
        }
    }
    maps
}

/// A heat map over two parameters, each with its classes.
pub fn heat_map(
    space: &Space,
    (x, across): (usize, &Classes),
    (y, down): (usize, &Classes),
    rows: &[Row],
    winner: Option<u64>,
    more: bool,
) -> Json {
    let parameters = space.parameters();
    let class = |row: &Row, k: usize, classes: &Classes| classes.of(&parameters[k].domain, row.params[k].as_ref());
    let (columns, lines) = (across.labels.len(), down.labels.len());
    let mut cells: Vec<Vec<f64>> = vec![Vec::new(); columns * lines];
    let mut feasible: Vec<Vec<f64>> = vec![Vec::new(); columns * lines];
    let mut place = None;
    for row in rows {
        let (Some(a), Some(b)) = (class(row, x, across), class(row, y, down)) else { continue };
        if Some(row.id) == winner {
            place = Some((a, b));
        }
        cells[b * columns + a].extend(row.value());
        feasible[b * columns + a].extend(row.feasible_value());
    }
    json!({
        "x": x, "y": y, "columns": across.labels, "lines": down.labels, "winner": place,
        "count": cells.iter().map(Vec::len).collect::<Vec<_>>(),
        "best": feasible.iter().map(|cell| best(cell, more)).collect::<Vec<_>>(),
        "median": cells.into_iter().map(median).collect::<Vec<_>>(),
    })
}

/// (trial, value) wherever the best so far improves, of the trials that meet the constraints.
fn best_so_far(rows: &[Row], more: bool) -> Vec<(u64, f64)> {
    let mut steps: Vec<(u64, f64)> = Vec::new();
    for row in rows {
        let Some(value) = row.feasible_value() else { continue };
        if steps.last().is_none_or(|(_, last)| if more { value > *last } else { value < *last }) {
            steps.push((row.id, value));
        }
    }
    steps
}
