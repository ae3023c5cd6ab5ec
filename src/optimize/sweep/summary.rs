//! The end of a sweep: `trials.parquet` and `summary.json`, made of nothing but the files of the folder.

use super::findings::{at_bounds, importance, neighbours, pareto_front};
use super::judgement::{MOST_COMPARED, judge};
use super::store::{SUMMARY_FILE, read_sweep, write_json};
use super::table::write_table;
use super::{Status, SweepError, SweepFile, for_each_trial};
use crate::optimize::{History, Merit, Outcome, Space, Trial};
use crate::stats::overfit::{neighbourhood_median, verdict};
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;
use std::path::Path;

/// Trials shown beside the best one.
const TOP: usize = 10;

/// How long a sweep took: the only part of a summary that differs between two sweeps of the same fingerprint.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct SweepElapsed {
    /// Seconds from the first file to the data in memory.
    pub load_s: f64,
    /// Seconds from the first trial to the last one, in this process.
    pub run_s: f64,
}

/// Writes `trials.parquet` and `summary.json` of a finished sweep and returns the summary.
///
/// # Errors
/// Files that cannot be read or written.
pub fn finish(dir: &Path, elapsed: SweepElapsed) -> Result<Json, SweepError> {
    let sweep = read_sweep(dir)?;
    let space = sweep.spec.space()?;
    let aim = sweep.spec.aim()?;
    let mut history = History::new(space.clone(), aim.goal());
    let mut first_failure = None;
    for_each_trial(dir, &space, |trial| {
        if trial.status == Status::Failed && first_failure.is_none() {
            first_failure = trial.reason.clone().map(|reason| (trial.id, reason));
        }
        history.trials.push(Trial { outcome: Some(trial.outcome()), params: trial.params });
        Ok(())
    })?;
    write_table(dir, &history.space, &aim)?;
    let mut summary = summarize(dir, &sweep, &history, first_failure)?;
    summary.insert("elapsed".into(), json!({ "load_s": elapsed.load_s, "run_s": elapsed.run_s }));
    let summary = Json::Object(summary);
    write_json(&dir.join(SUMMARY_FILE), &summary)?;
    Ok(summary)
}

/// `first_failure`: number and reason of the first trial that failed.
fn summarize(
    dir: &Path,
    sweep: &SweepFile,
    history: &History,
    first_failure: Option<(u64, String)>,
) -> Result<Map<String, Json>, SweepError> {
    let spec = &sweep.spec;
    let count = |status: fn(&Outcome) -> bool| {
        history.trials.iter().filter(|trial| trial.outcome.as_ref().is_some_and(status)).count()
    };
    let ranked = ranking(history);
    let judgement = judge(dir, sweep, history, &ranked)?;
    let top = &ranked[..ranked.len().min(TOP)];
    let best = top.first().copied();
    let metrics = metrics_of(dir, &history.space, top)?;
    let describe = |k: usize| -> Json {
        let trial = &history.trials[k];
        let values = match &trial.outcome {
            Some(Outcome::Complete { values, .. }) => values.as_slice(),
            _ => &[],
        };
        json!({ "id": k, "params": history.space.to_json(&trial.params), "values": values })
    };
    let shown = |k: usize| {
        let mut json = describe(k);
        json["metrics"] = metrics.get(&k).cloned().map_or(Json::Null, Json::Object);
        json
    };
    let mut bounds = Vec::new();
    if let Some(best) = best {
        for (name, value, end) in at_bounds(&history.space, &history.trials[best].params) {
            bounds.push(json!({ "param": name, "value": Json::from(&value), "end": end }));
        }
    }
    let front: Vec<Json> = pareto_front(history).into_iter().map(describe).collect();
    let importance: Map<String, Json> = importance(history).into_iter().map(|(name, s)| (name, json!(s))).collect();
    let mut warnings: Vec<String> = Vec::new();
    for bound in &bounds {
        warnings.push(format!(
            "the best trial has {} = {}, at the {} end of its range: a better value may lie beyond",
            bound["param"].as_str().unwrap_or(""),
            bound["value"].as_str().map_or_else(|| bound["value"].to_string(), str::to_string),
            if bound["end"] == "low" { "lower" } else { "upper" },
        ));
    }
    let feasible = best.and_then(|k| history.merit(k)).is_none_or(|merit| merit.is_feasible());
    if best.is_none() {
        warnings.push("no trial has a value".to_string());
    } else if !feasible {
        warnings.push("no trial meets the constraints: the best is the one that violates them least".to_string());
    }
    if let Some((id, reason)) = first_failure {
        let failed = count(|o| matches!(o, Outcome::Failed));
        let which = if failed == 1 {
            format!("trial {id} failed")
        } else {
            format!("{failed} trials failed, the first is {id}")
        };
        warnings.push(format!("{which}: {reason}"));
    }
    let stability = best.map(|k| Stability::of(history, k));
    let verdict = judgement.evidence.map(|mut evidence| {
        evidence.neighbourhood = stability.as_ref().and_then(|stability| stability.turned(history));
        verdict(&evidence)
    });
    if ranked.len() > MOST_COMPARED {
        warnings.push(format!(
            "PBO, SPA and correlation compare the best {MOST_COMPARED} of {} trials, which makes PBO too high rather than \
             too low; the deflated Sharpe ratio counts all",
            ranked.len()
        ));
    }
    let document = json!({
        "version": sweep.version,
        "fingerprint": sweep.fingerprint,
        "data_hash": sweep.data_hash,
        "seed": spec.run.seed,
        "method": spec.method,
        "strategies": spec.run.strategies.iter().map(|choice| &choice.name).collect::<Vec<_>>(),
        "symbols": sweep.symbols,
        "from": sweep.from,
        "to": sweep.to,
        "sessions": sweep.sessions,
        "bars": sweep.bars,
        "objectives": spec.objectives,
        "constraints": spec.constraints,
        "trials": {
            "planned": spec.trials,
            "finished": history.trials.len(),
            Status::Ok.name(): count(|o| matches!(o, Outcome::Complete { .. })),
            Status::Failed.name(): count(|o| matches!(o, Outcome::Failed)),
            Status::Pruned.name(): count(|o| matches!(o, Outcome::Pruned)),
        },
        "best": best.map(shown),
        "feasible": best.map(|_| feasible),
        "top": top.iter().map(|&k| shown(k)).collect::<Vec<_>>(),
        "pareto": front,
        "importance": importance,
        "stability": stability.as_ref().map(Stability::to_json),
        "bounds": bounds,
        "overfit": judgement.figures,
        "verdict": verdict.map(|verdict| json!({
            "grade": verdict.grade, "words": verdict.grade.words(), "reasons": verdict.reasons,
        })),
        "warnings": warnings,
    });
    match document {
        Json::Object(map) => Ok(map),
        other => Err(SweepError::Internal(format!("a summary that is {other}"))),
    }
}

/// Trials with a value, the best by the first objective first: feasible ones before others, the earlier of equals
/// before the later.
fn ranking(history: &History) -> Vec<usize> {
    let mut ranked: Vec<(usize, Merit)> = (0..history.trials.len())
        .filter_map(|k| history.merit(k).filter(|merit| merit.is_known()).map(|merit| (k, merit)))
        .collect();
    ranked.sort_by(|(_, a), (_, b)| a.compare(b));
    ranked.into_iter().map(|(k, _)| k).collect()
}

/// All metrics of some trials.
fn metrics_of(dir: &Path, space: &Space, trials: &[usize]) -> Result<BTreeMap<usize, Map<String, Json>>, SweepError> {
    let mut found = BTreeMap::new();
    for_each_trial(dir, space, |trial| {
        let id = usize::try_from(trial.id).unwrap_or(usize::MAX);
        if trials.contains(&id) {
            found.insert(id, trial.metrics);
        }
        Ok(())
    })?;
    Ok(found)
}

/// The first objective of the best trial, and around it.
struct Stability {
    best: Option<f64>,
    neighbours: Vec<usize>,
    median: Option<f64>,
}

impl Stability {
    fn of(history: &History, best: usize) -> Stability {
        let value = |trial: &Trial| match &trial.outcome {
            Some(Outcome::Complete { values, .. }) => values.first().copied().filter(|v| v.is_finite()),
            _ => None,
        };
        let values: Vec<Option<f64>> = history.trials.iter().map(value).collect();
        let neighbours = neighbours(history, best);
        Stability { best: values[best], median: neighbourhood_median(&values, &neighbours), neighbours }
    }

    fn to_json(&self) -> Json {
        json!({ "best": self.best, "neighbours": self.neighbours, "neighbour_median": self.median })
    }

    /// Both figures, turned so that more is better.
    fn turned(&self, history: &History) -> Option<(f64, f64)> {
        let more = history.goal.objectives.first().is_none_or(|(_, more)| *more);
        let turn = |value: f64| if more { value } else { -value };
        self.best.map(turn).zip(self.median.map(turn))
    }
}
