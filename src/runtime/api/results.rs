//! What is read of results: by short-lived children of low priority, so that the core opens no table itself.

use std::sync::Arc;

use serde_json::{Value, json};

use super::jobs::{List, find_stored, json_of};
use crate::data::NAMED_SETS;
use crate::runtime::core::Core;
use crate::runtime::input::Input;
use crate::runtime::jobs::results;
use crate::runtime::protocol::Reply;
use crate::runtime::reply::Refusal;

/// Rows of a page when nothing is said.
const USUAL_PAGE: u64 = 100;
/// Most rows of a page.
const MOST_OF_A_PAGE: u64 = 500;
/// Most bytes of a parameter of the query.
const MOST_TEXT: usize = 1_000;

/// `GET /api/v1/backtests/{id}/series/{name}`, the same for walk-forward analyses.
pub async fn series(core: &Arc<Core>, list: List, input: &Input) -> Result<Reply, Refusal> {
    let stored = find_stored(core, list, input.param("id")).await?;
    let name = input.param("name");
    if !["equity", "drawdown", "exposure", "bars"].contains(&name) {
        return Err(Refusal::not_found("There is no such series."));
    }
    let mut arguments = vec!["series".to_string(), stored.path, format!("--name={name}")];
    arguments.extend(texts(input, &["from", "to", "symbol"])?);
    if input.query("px").is_some() {
        arguments.push(format!("--px={}", input.number("px", 0, 1, 100_000)?));
    }
    Ok(Reply::json(json_of(core, &arguments).await?))
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
