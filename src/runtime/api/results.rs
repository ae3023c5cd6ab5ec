//! What is read of results: by short-lived children of low priority, so that the core opens no table itself.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use super::jobs::{List, find_stored, invalid, json_of};
use crate::accounting::safe_cell;
use crate::data::NAMED_SETS;
use crate::runtime::core::Core;
use crate::runtime::input::Input;
use crate::runtime::jobs::results;
use crate::runtime::protocol::{MOST_DATA, Reply};
use crate::runtime::reply::Refusal;
use crate::runtime::transfer::Sending;

/// The columns over time that there are.
pub const SERIES: [&str; 6] = ["equity", "drawdown", "exposure", "account", "sessions", "bars"];
/// Rows of a page when nothing is said.
const USUAL_PAGE: u64 = 100;
/// Most rows of a page.
const MOST_OF_A_PAGE: u64 = 500;
/// Most bytes of a parameter of the query.
const MOST_TEXT: usize = 1_000;

/// `GET /api/v1/backtests/{id}/series/{name}`, the same for walk-forward analyses.
pub async fn series(core: &Arc<Core>, list: List, input: &Input) -> Result<Reply, Refusal> {
    let arguments = series_arguments(core, list, input).await?;
    Ok(Reply::json(json_of(core, &arguments).await?))
}

/// The same as columns of little-endian `f64`, one after the other, the time first.
pub async fn columns(core: &Arc<Core>, list: List, input: &Input) -> Result<Sending, Refusal> {
    let mut arguments = series_arguments(core, list, input).await?;
    arguments.push("--binary".to_string());
    let bytes = core.jobs.query(&arguments).await.map_err(|error| invalid(&error))?;
    let filename = format!("{}.f64", input.param("name"));
    Ok(Sending::bytes(bytes, &filename, "application/octet-stream"))
}

async fn series_arguments(core: &Arc<Core>, list: List, input: &Input) -> Result<Vec<String>, Refusal> {
    let stored = find_stored(core, list, input.param("id")).await?;
    let name = input.param("name");
    if !SERIES.contains(&name) || (list == List::Sweeps && name == "bars") {
        return Err(Refusal::not_found("There is no such series."));
    }
    let mut arguments = vec!["series".to_string(), stored.path, format!("--name={name}")];
    arguments.extend(texts(input, &["from", "to", "symbol"])?);
    if input.query("px").is_some() {
        arguments.push(format!("--px={}", input.number("px", 0, 1, 100_000)?));
    }
    Ok(arguments)
}

/// `GET /api/v1/backtests/{id}/files/{name}`, the same for sweeps.
pub async fn file(core: &Arc<Core>, list: List, input: &Input) -> Result<Sending, Refusal> {
    let stored = find_stored(core, list, input.param("id")).await?;
    let none = || Refusal::not_found("It has no such file.");
    let name = *stored.kind.files().iter().find(|name| **name == input.param("name")).ok_or_else(none)?;
    let (disk, path) = (core.with(|house| house.disk.clone()), format!("{}/{name}", stored.path));
    let opened = tokio::task::spawn_blocking(move || disk.open_to_read(&path)).await;
    let opened = opened.ok().and_then(Result::ok).flatten().ok_or_else(none)?;
    let filename = format!("{}-{name}", stored.name);
    let content_type = match name.rsplit('.').next() {
        Some("json") => "application/json",
        Some("jsonl") => "application/jsonl",
        Some("csv") => "text/csv; charset=utf-8",
        Some("html") => "text/html; charset=utf-8",
        _ => "application/octet-stream",
    };
    if name.ends_with(".csv") {
        return Ok(Sending::stream(Box::new(without_formulas(opened)), &filename, content_type));
    }
    Sending::file(opened, &filename, content_type)
}

/// A CSV file as it is read, without cells that a spreadsheet takes for formulas.
fn without_formulas(file: std::fs::File) -> tokio::io::DuplexStream {
    let (mut into, from) = tokio::io::duplex(MOST_DATA);
    let work = move || {
        let handle = tokio::runtime::Handle::current();
        let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(file);
        let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
        for record in reader.byte_records() {
            let Ok(record) = record else { return };
            let safe = record.iter().map(|cell| safe_cell(&String::from_utf8_lossy(cell)).into_owned().into_bytes());
            if writer.write_record(safe).and_then(|()| Ok(writer.flush()?)).is_err() {
                return;
            }
            let lines =
                std::mem::replace(&mut writer, csv::WriterBuilder::new().flexible(true).from_writer(Vec::new()));
            let Ok(lines) = lines.into_inner() else { return };
            // A browser that has gone away wants no more.
            if handle.block_on(into.write_all(&lines)).is_err() {
                return;
            }
        }
    };
    tokio::task::spawn_blocking(work);
    from
}

/// `GET /api/v1/backtests/{id}/trades`.
pub async fn trades(core: &Arc<Core>, input: &Input) -> Result<Reply, Refusal> {
    let stored = find_stored(core, List::Backtests, input.param("id")).await?;
    let mut arguments = vec!["trades".to_string(), stored.path];
    arguments.extend(texts(input, &["sort", "symbol", "strategy"])?);
    arguments.extend(page(input)?);
    Ok(Reply::json(json_of(core, &arguments).await?))
}

/// `GET /api/v1/sweeps/{id}/` and then `question`.
pub async fn of_sweep(core: &Arc<Core>, question: &str, input: &Input) -> Result<Reply, Refusal> {
    let stored = find_stored(core, List::Sweeps, input.param("id")).await?;
    if stored.kind != results::StoredKind::Sweep {
        return Err(Refusal::not_found("A walk-forward analysis has no trials of its own."));
    }
    let mut arguments = vec![question.to_string(), stored.path];
    match question {
        "trials" => {
            arguments.extend(texts(input, &["sort", "filter"])?);
            arguments.extend(page(input)?);
        }
        "heatmap" => arguments.extend(texts(input, &["x", "y", "stat"])?),
        _ => {}
    }
    Ok(Reply::json(json_of(core, &arguments).await?))
}

/// `GET /api/v1/datasets`.
pub async fn datasets(core: &Arc<Core>) -> Result<Reply, Refusal> {
    let all = known_datasets(core).await?;
    let entry = |(name, _): &(String, String)| match NAMED_SETS.iter().find(|set| set.name == name) {
        Some(set) => {
            json!({ "name": name, "description": set.description, "generated": set.generated, "embedded": true })
        }
        None => json!({ "name": name, "description": null, "generated": null, "embedded": false }),
    };
    Ok(Reply::json(json!({ "datasets": all.iter().map(entry).collect::<Vec<_>>() })))
}

/// `GET /api/v1/datasets/{name}`.
pub async fn dataset(core: &Arc<Core>, input: &Input) -> Result<Reply, Refusal> {
    let name = input.param("name");
    let found = known_datasets(core).await?.into_iter().find(|(known, _)| known == name);
    let (name, data) = found.ok_or_else(|| Refusal::not_found("There is no data set of that name."))?;
    let mut body = json_of(core, &["dataset".to_string(), format!("--data={data}")]).await?;
    body["name"] = Value::from(name);
    Ok(Reply::json(body))
}

/// `GET /api/v1/strategies`.
pub fn strategies() -> Reply {
    let all: Vec<Value> = crate::strategies::all().iter().map(|spec| spec.to_json()).collect();
    Reply::json(json!({ "strategies": all }))
}

async fn known_datasets(core: &Arc<Core>) -> Result<Vec<(String, String)>, Refusal> {
    let root = core.jobs.root().to_path_buf();
    let listed = tokio::task::spawn_blocking(move || results::datasets(&root)).await;
    let failed = || Refusal::internal("The data sets could not be listed.");
    listed.map_err(|_| failed())?.map_err(|_| failed())
}

/// Parameters of the query as arguments.
fn texts(input: &Input, names: &[&str]) -> Result<Vec<String>, Refusal> {
    let mut arguments = Vec::new();
    for name in names {
        let Some(text) = input.query(name) else { continue };
        if text.len() > MOST_TEXT || text.chars().any(char::is_control) {
            return Err(Refusal::invalid_field(name, format!("At most {MOST_TEXT} bytes, no control characters.")));
        }
        arguments.push(format!("--{name}={text}"));
    }
    Ok(arguments)
}

fn page(input: &Input) -> Result<[String; 2], Refusal> {
    let offset = input.number("offset", 0, 0, u64::from(u32::MAX))?;
    let limit = input.number("limit", USUAL_PAGE, 1, MOST_OF_A_PAGE)?;
    Ok([format!("--offset={offset}"), format!("--limit={limit}")])
}
