//! `report.html` of a walk-forward analysis, made of nothing but the files of its folder.

use super::{Table, Tile, figure, percent};
use crate::backtest::report::embed::{SHARED_SCRIPTS, STYLE, to_script};
use crate::market::{DAY, SECOND};
use crate::optimize::sweep::SweepError;
use crate::optimize::walk_forward::StitchedEquity;
use crate::optimize::walk_forward::store::{EQUITY_FILE, WINDOWS_FILE, read_equity, read_summary};
use crate::stats::overfit::walk_forward_efficiency;
use askama::Template;
use serde_json::{Value as Json, json};
use std::path::Path;

#[derive(Template)]
#[template(path = "walk_forward.html")]
struct Page {
    style: &'static str,
    charts: &'static str,
    script: &'static str,
    data: String,
    title: String,
    subtitle: String,
    run_id: String,
    tiles: Vec<Tile>,
    sentences: Vec<String>,
    windows: Table,
    facts: Vec<(&'static str, String)>,
}

/// The page as HTML.
///
/// # Errors
/// Files that cannot be read.
pub fn render_walk_forward(dir: &Path) -> Result<String, SweepError> {
    let summary = read_summary(dir)?;
    let (windows, growth) = read_windows(&dir.join(WINDOWS_FILE))?;
    let curve = session_ends(&read_equity(&dir.join(EQUITY_FILE))?);
    let metrics = &summary["metrics"];
    let text = |key: &str| summary[key].as_str().map_or_else(String::new, str::to_string);
    let list = |key: &str| {
        let items = summary[key].as_array().into_iter().flatten().filter_map(Json::as_str);
        items.collect::<Vec<_>>().join(", ")
    };
    let tile = |label, value, detail: String| Tile { label, value, detail };
    let tiles = vec![
        tile(
            "Return out of sample",
            percent(&metrics["total_return"]),
            format!("{} a year", percent(&metrics["cagr"])),
        ),
        tile("Return in sample, a year", percent(&summary["in_sample_cagr"]), "mean of the winners".to_string()),
        tile("Efficiency", percent(&summary["efficiency"]), "yearly return out of sample over in sample".to_string()),
        tile(
            "Sharpe out of sample",
            figure(&metrics["sharpe"], 2),
            format!("probability above 0: {}", figure(&metrics["psr"], 3)),
        ),
        tile(
            "Windows with gain",
            format!("{} of {}", summary["windows_with_gain"], summary["windows"]),
            format!("max drawdown {}", percent(&metrics["max_drawdown"])),
        ),
    ];
    let failed = |error: serde_json::Error| SweepError::Internal(error.to_string());
    let data = json!({ "time": curve.time, "equity": curve.equity, "window": curve.window, "start": summary["start_equity"], "growth": growth });
    let page = Page {
        style: STYLE,
        charts: SHARED_SCRIPTS,
        script: include_str!("../../../web/walk_forward.js"),
        data: to_script(&data).map_err(failed)?,
        title: list("strategies"),
        subtitle: format!(
            "{} · {} to {} · {} sessions · {} windows: {} sessions to fit{}, {} to test, embargo {} · {} search, objective {}",
            list("symbols"),
            text("from"),
            text("to"),
            summary["sessions"],
            summary["windows"],
            summary["train"],
            if summary["anchored"] == true { " (anchored: and all before)" } else { "" },
            summary["test"],
            summary["embargo"],
            text("method"),
            list("objectives")
        ),
        run_id: dir.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
        sentences: sentences(&summary),
        tiles,
        windows,
        facts: vec![
            ("Fingerprint", text("fingerprint")),
            ("Data hash", text("data_hash")),
            ("Version", text("version")),
            ("Seed", summary["seed"].to_string()),
            ("Trials in all", summary["trials"].to_string()),
        ],
    };
    page.render().map_err(|error| SweepError::Internal(error.to_string()))
}

/// What the figures say in words.
fn sentences(summary: &Json) -> Vec<String> {
    let mut found = vec![
        "Each window fits the parameters on its training sessions alone and trades the winner on the sessions after \
         them; the curve below is made of these tests only."
            .to_string(),
    ];
    match summary["efficiency"].as_f64() {
        Some(e) if e >= 0.5 => found.push(format!(
            "{:.0} % of the yearly return in sample was kept out of sample. Pardo (2008) takes 50 % and more for a sign that a rule is robust.",
            100.0 * e
        )),
        Some(e) if e < 0.0 => found.push(
            "The winners gained in sample and lost out of sample: what the search found did not last.".to_string(),
        ),
        Some(e) => found.push(format!(
            "Only {:.0} % of the yearly return in sample was kept out of sample; Pardo (2008) asks for 50 %. What the search found was mostly particular to the sessions it looked at.",
            100.0 * e
        )),
        None => found.push("The winners earned nothing in sample, so there is no efficiency to speak of.".to_string()),
    }
    if summary["windows_without_winner"].as_u64().is_some_and(|n| n > 0) {
        found.push(format!("{} windows had no winner: nothing was traded in them.", summary["windows_without_winner"]));
    }
    found
}

/// Yearly growth of a window's winner in sample and out of sample; `None` where nothing was traded.
type Growth = (Option<f64>, Option<f64>);

/// The table of windows with the efficiency of each, and the growth that it is made of.
fn read_windows(path: &Path) -> Result<(Table, Vec<Growth>), SweepError> {
    let wrong = |error: csv::Error| SweepError::File { path: path.to_path_buf(), reason: error.to_string() };
    let mut file = csv::Reader::from_path(path).map_err(wrong)?;
    let mut head: Vec<String> = file.headers().map_err(wrong)?.iter().map(str::to_string).collect();
    let (mut rows, mut growths) = (Vec::new(), Vec::new());
    for record in file.records() {
        let record = record.map_err(wrong)?;
        let cell = |(name, text): (&String, &str)| match text.parse::<f64>() {
            Ok(v) if name.ends_with("return") || name.ends_with("cagr") || name.ends_with("drawdown") => {
                percent(&json!(v))
            }
            Ok(v) if v.fract() != 0.0 => figure(&json!(v), 4),
            _ => text.to_string(),
        };
        let number = |name: &str| record.get(head.iter().position(|h| h == name)?)?.parse::<f64>().ok();
        let inside = number("train.cagr");
        // Without a winner nothing was traded: its test says nothing.
        let outside = inside.and_then(|_| number("test.cagr"));
        let efficiency = inside.zip(outside).and_then(|(inside, outside)| walk_forward_efficiency(inside, outside));
        let mut row: Vec<String> = head.iter().zip(record.iter()).map(cell).collect();
        row.push(percent(&json!(efficiency)));
        rows.push(row);
        growths.push((inside, outside));
    }
    head.push("efficiency".to_string());
    Ok((Table { head, rows }, growths))
}

/// The last row of each day; times in UTC seconds.
fn session_ends(curve: &StitchedEquity) -> StitchedEquity {
    let mut ends = StitchedEquity::default();
    for (k, &t) in curve.time.iter().enumerate() {
        if curve.time.get(k + 1).is_none_or(|next| next / DAY != t / DAY) {
            ends.time.push(t / SECOND);
            ends.equity.push(curve.equity[k]);
            ends.window.push(curve.window[k]);
        }
    }
    ends
}
