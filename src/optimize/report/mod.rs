//! `report.html` of a sweep or a walk-forward analysis: one self-contained page, made of nothing but the files of
//! its folder.
//!
//! The page opens from a file, asks the network for nothing and runs only the scripts of this project. What can be
//! said without a script is in the HTML. Aggregates (heat maps, slices, best so far) are made here of all trials;
//! of the trials themselves at most [`MOST_TRIALS`] are part of the page, the best ones first, so that a sweep of a
//! million trials gives a page of a few megabytes. The same folder gives the same bytes.

mod aggregate;
mod browse;
mod halves;
mod payload;
mod walk_forward;

pub use browse::{Browser, Page as TrialPage, Statistic};

use super::sweep::store::{SUMMARY_FILE, read_summary, read_sweep};
use super::sweep::{SweepError, SweepFile, for_each_trial, returns_of};
use crate::backtest::report::embed::{SHARED_SCRIPTS, STYLE, to_script};
use crate::market::{Calendar, SECOND, parse_date};
use askama::Template;
use halves::Halves;
use payload::{Curves, Payload};
use serde_json::Value as Json;
use std::fs;
use std::path::{Path, PathBuf};

/// The name of the page.
pub const REPORT_FILE: &str = "report.html";

/// Most trials that are part of a page.
pub const MOST_TRIALS: usize = 3_000;

/// Equity curves shown.
const CURVES: usize = 5;

#[derive(Template)]
#[template(path = "sweep.html")]
struct Page {
    style: &'static str,
    charts: &'static str,
    script: &'static str,
    data: String,
    title: String,
    subtitle: String,
    run_id: String,
    verdict: Option<(String, Vec<String>)>,
    tiles: Vec<Tile>,
    warnings: Vec<String>,
    winner: Vec<(String, String)>,
    figures: Vec<Figure>,
    importance: Vec<(String, String)>,
    top: Table,
    front: Option<Table>,
    has_heat: bool,
    has_curves: bool,
    halves: Option<Vec<String>>,
    best_id: String,
    facts: Vec<(&'static str, String)>,
    left_out: Option<String>,
    sweep_json: String,
}

struct Tile {
    label: &'static str,
    value: String,
    detail: String,
}

/// A figure with what it says.
struct Figure {
    name: &'static str,
    value: String,
    meaning: &'static str,
}

struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// Writes the page of a finished sweep and returns its path.
///
/// # Errors
/// A folder that is not a finished sweep, files that cannot be read or written.
pub fn write_report(dir: &Path) -> Result<PathBuf, SweepError> {
    write_page(dir, &render(dir)?)
}

/// Writes the page of a walk-forward analysis and returns its path.
///
/// # Errors
/// Files that cannot be read or written.
pub fn write_walk_forward_report(dir: &Path) -> Result<PathBuf, SweepError> {
    write_page(dir, &walk_forward::render_walk_forward(dir)?)
}

fn write_page(dir: &Path, page: &str) -> Result<PathBuf, SweepError> {
    let path = dir.join(REPORT_FILE);
    let partial = dir.join(".report.html.partial");
    fs::write(&partial, page)
        .and_then(|()| fs::rename(&partial, &path))
        .map_err(|source| SweepError::Write { path: path.clone(), source })?;
    Ok(path)
}

/// The page as HTML.
///
/// # Errors
/// As [`write_report`].
pub fn render(dir: &Path) -> Result<String, SweepError> {
    let sweep = read_sweep(dir)?;
    let summary = read_summary(dir)?
        .ok_or_else(|| SweepError::Input(format!("{} is not finished: it has no {SUMMARY_FILE}", dir.display())))?;
    let space = sweep.spec.space()?;
    let aim = sweep.spec.aim()?;
    let goal = aim.goal();
    let mut trials = Vec::new();
    for_each_trial(dir, &space, |trial| {
        trials.push(payload::Row::new(trial, &goal));
        Ok(())
    })?;
    let more = aim.objectives().iter().map(|(_, more)| *more).collect::<Vec<bool>>();
    let top_ids: Vec<u64> = ids(&summary["top"]).into_iter().take(CURVES).collect();
    let curves = Curves { growth: curves(dir, &sweep, &top_ids)?, closes: closes(&sweep) };
    let halves = Halves::of(dir, &sweep, &trials)?;
    let payload = Payload::new(&space, &summary, &more, &trials, sweep.spec.method == "grid", curves, halves);
    let failed = |error: askama::Error| SweepError::Internal(error.to_string());
    page(dir, &sweep, &summary, &payload, trials.len())?.render().map_err(failed)
}

/// Growth of one dollar in the best trials, session by session.
fn curves(dir: &Path, sweep: &SweepFile, wanted: &[u64]) -> Result<Vec<(u64, Vec<f64>)>, SweepError> {
    let growth = |returns: Vec<f64>| {
        let mut dollar = 1.0;
        let grow = |r: f64| {
            dollar *= 1.0 + r;
            dollar
        };
        returns.into_iter().take_while(|r| r.is_finite()).map(grow).collect()
    };
    let returns = returns_of(dir, sweep, wanted)?;
    let mut found: Vec<(u64, Vec<f64>)> = returns.into_iter().map(|(id, returns)| (id, growth(returns))).collect();
    found.sort_by_key(|(id, _)| wanted.iter().position(|w| w == id));
    Ok(found)
}

/// Close of each session of the sweep, UTC seconds; nothing where the exchange had other sessions than the data.
fn closes(sweep: &SweepFile) -> Vec<i64> {
    let date = |text: &str| parse_date(text).ok();
    let Some((from, to)) = date(&sweep.from).zip(date(&sweep.to)) else { return Vec::new() };
    let closes: Vec<i64> = Calendar.sessions(from, to).iter().map(|session| session.close / SECOND).collect();
    if closes.len() as u64 == sweep.sessions { closes } else { Vec::new() }
}

fn ids(list: &Json) -> Vec<u64> {
    list.as_array().into_iter().flatten().filter_map(|trial| trial["id"].as_u64()).collect()
}

fn page(dir: &Path, sweep: &SweepFile, summary: &Json, payload: &Payload, all: usize) -> Result<Page, SweepError> {
    let internal = |error: serde_json::Error| SweepError::Internal(error.to_string());
    let counts = &summary["trials"];
    let best = &summary["best"];
    let objective = payload.objectives()[0].clone();
    let text = |value: &Json| value.as_str().map_or_else(String::new, str::to_string);
    let list = |value: &Json| value.as_array().into_iter().flatten().map(text).collect::<Vec<String>>();
    let overfit = &summary["overfit"];
    let tiles = vec![
        Tile {
            label: "Best trial",
            value: best["id"].as_u64().map_or_else(|| "none".to_string(), |id| id.to_string()),
            detail: format!("{objective} {}", figure(&best["values"][0], 4)),
        },
        Tile {
            label: "Trials",
            value: figure(&counts["finished"], 0),
            detail: format!("{} failed, {} pruned", figure(&counts["failed"], 0), figure(&counts["pruned"], 0)),
        },
        Tile {
            label: "Deflated Sharpe",
            value: figure(&overfit["deflated_sharpe"], 3),
            detail: "probability of skill after all trials".to_string(),
        },
        Tile {
            label: "PBO",
            value: percent(&overfit["pbo"]),
            detail: "the best is below the median out of sample".to_string(),
        },
        Tile {
            label: "SPA p-value",
            value: figure(&overfit["spa_p"], 3),
            detail: "chance to look this good without skill".to_string(),
        },
    ];
    let symbols = match sweep.symbols.as_slice() {
        symbols if symbols.len() <= 6 => symbols.join(", "),
        symbols => format!("{} symbols", symbols.len()),
    };
    let verdict = summary["verdict"].as_object().map(|v| (text(&v["words"]), list(&v["reasons"])));
    let mut warnings = list(&summary["warnings"]);
    if best.is_null() {
        warnings.push("there is no best trial, so most of this page is empty".to_string());
    }
    let winner = best["params"].as_object().into_iter().flatten().map(|(k, v)| (k.clone(), plain(v))).collect();
    let importance = summary["importance"].as_object().into_iter().flatten();
    Ok(Page {
        style: STYLE,
        charts: SHARED_SCRIPTS,
        script: concat!(
            include_str!("../../../web/static/js/figures.js"),
            include_str!("../../../web/static/js/sweep_figures.js")
        ),
        data: to_script(payload).map_err(internal)?,
        title: list(&summary["strategies"]).join(", "),
        subtitle: format!(
            "{symbols} · {} to {} · {} sessions · {} of {} trials by {} search, objective {objective}",
            sweep.from, sweep.to, sweep.sessions, counts["finished"], counts["planned"], sweep.spec.method
        ),
        run_id: dir.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
        verdict,
        tiles,
        warnings,
        winner,
        figures: figures(overfit),
        importance: importance.map(|(name, share)| (name.clone(), percent(share))).collect(),
        top: table(&summary["top"], payload.parameters(), payload.objectives(), true),
        front: (payload.objectives().len() > 1)
            .then(|| table(&summary["pareto"], payload.parameters(), payload.objectives(), false)),
        has_heat: payload.has_heat(),
        has_curves: payload.has_curves(),
        halves: payload.halves().map(Halves::sentences),
        best_id: best["id"].as_u64().map_or_else(|| "ID".to_string(), |id| id.to_string()),
        facts: vec![
            ("Fingerprint", sweep.fingerprint.clone()),
            ("Data hash", sweep.data_hash.clone()),
            ("Version", sweep.version.clone()),
            ("Seed", sweep.spec.run.seed.to_string()),
            (
                "Constraints",
                Some(list(&summary["constraints"]).join(", ")).filter(|t| !t.is_empty()).unwrap_or("none".into()),
            ),
            ("Command", sweep.command.join(" ")),
        ],
        left_out: (all > payload.shown()).then(|| {
            format!(
                "Of {all} trials this page holds {}: the best ones, and others evenly by number. Heat maps, medians \
                 and the best so far are of all trials; trials.parquet has every one.",
                payload.shown()
            )
        }),
        sweep_json: serde_json::to_string_pretty(sweep).map_err(internal)?,
    })
}

fn figures(overfit: &Json) -> Vec<Figure> {
    let figure_of = |name, key: &str, digits, meaning| Figure { name, value: figure(&overfit[key], digits), meaning };
    vec![
        figure_of(
            "Trials counted",
            "trials",
            0,
            "All trials on these data, of this sweep and of earlier ones in the same folder",
        ),
        figure_of(
            "Probabilistic Sharpe ratio",
            "psr",
            3,
            "Probability that the true Sharpe ratio is above 0, if this had been the only trial",
        ),
        figure_of(
            "Deflated Sharpe ratio",
            "deflated_sharpe",
            3,
            "The same against the Sharpe ratio that the luckiest of so many worthless trials would show",
        ),
        figure_of(
            "Deflated, effective trials",
            "deflated_sharpe_neff",
            3,
            "As above, with correlated trials counted as fewer",
        ),
        figure_of("Effective trials", "effective_trials", 1, "Independent trials that the correlated ones are worth"),
        figure_of(
            "Expected best Sharpe by luck",
            "expected_max_sharpe",
            3,
            "What the luckiest of so many worthless trials is expected to show, a year",
        ),
        figure_of(
            "Probability of backtest overfitting",
            "pbo",
            3,
            "Share of the ways to halve the days in which the best in one half is no better than the median in the other",
        ),
        figure_of(
            "SPA p-value",
            "spa_p",
            3,
            "How often the best would look this good if none were better than the benchmark",
        ),
        figure_of(
            "Minimum track record, sessions",
            "min_track_record_length",
            0,
            "Sessions after which a Sharpe ratio like this is above 0 with 95 % confidence",
        ),
    ]
}

/// A number as text; `n/a` where it is undefined.
fn figure(value: &Json, digits: usize) -> String {
    match value.as_f64() {
        None => "n/a".to_string(),
        Some(v) if digits > 0 && v != 0.0 && v.abs() < 0.5 * 0.1f64.powi(digits as i32) => format!("{v:.1e}"),
        Some(v) => format!("{v:.digits$}"),
    }
}

fn percent(value: &Json) -> String {
    value.as_f64().map_or_else(|| "n/a".to_string(), |v| format!("{:.1} %", 100.0 * v))
}

/// A value of a parameter, shortened where it is a long decimal.
fn readable(value: &Json) -> String {
    match value.as_f64().filter(|_| value.is_f64()) {
        Some(v) => aggregate::text(&crate::optimize::Value::Float(v)),
        None => plain(value),
    }
}

fn plain(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_string)
}

fn table(trials: &Json, parameters: &[String], objectives: &[String], metrics: bool) -> Table {
    const METRICS: [(&str, &str); 4] =
        [("sharpe", "Sharpe"), ("total_return", "Return"), ("max_drawdown", "Max drawdown"), ("trades", "Trades")];
    let extra: Vec<&(&str, &str)> =
        METRICS.iter().filter(|(key, _)| metrics && !objectives.iter().any(|o| o == key)).collect();
    let mut head = vec!["Trial".to_string()];
    head.extend(parameters.iter().cloned());
    head.extend(objectives.iter().cloned());
    head.extend(extra.iter().map(|(_, label)| label.to_string()));
    let row = |trial: &Json| {
        let mut row = vec![trial["id"].to_string()];
        row.extend(parameters.iter().map(|name| trial["params"].get(name).map_or_else(String::new, readable)));
        row.extend((0..objectives.len()).map(|k| figure(&trial["values"][k], 4)));
        row.extend(extra.iter().map(|(key, _)| {
            let value = &trial["metrics"][*key];
            if matches!(*key, "total_return" | "max_drawdown") {
                percent(value)
            } else {
                figure(value, if *key == "trades" { 0 } else { 4 })
            }
        }));
        row
    };
    Table { head, rows: trials.as_array().into_iter().flatten().map(row).collect() }
}
