//! Logs: list, read in pages, download. Following one is a stream.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::runtime::core::Core;
use crate::runtime::input::Input;
use crate::runtime::logs::{LogName, page};
use crate::runtime::protocol::Reply;
use crate::runtime::reply::Refusal;
use crate::runtime::transfer::Sending;
use crate::vault::{Disk, DiskError, VaultError};

/// The log that the path names.
///
/// # Errors
/// There is none of that name: 404.
pub fn named(input: &Input) -> Result<LogName, Refusal> {
    LogName::shown(input.param("name")).ok_or_else(|| Refusal::not_found("There is no such log."))
}

/// `GET /api/v1/logs`.
pub async fn list(core: &Arc<Core>) -> Result<Reply, Refusal> {
    let logs = away(core, |disk| {
        let entry = |log: LogName| {
            let bytes = disk.length(&log.path())?.unwrap_or(0);
            Ok(json!({ "name": log.name(), "bytes": bytes }))
        };
        LogName::SHOWN.into_iter().map(entry).collect::<Result<Vec<Value>, DiskError>>()
    });
    Ok(Reply::json(json!({ "logs": logs.await? })))
}

/// `GET /api/v1/logs/{name}`: lines from `offset` on, or the last ones.
pub async fn lines(core: &Arc<Core>, input: &Input) -> Result<Reply, Refusal> {
    let log = named(input)?;
    let offset = input.optional_number("offset")?;
    let limit = input.number("limit", 100, 1, 1_000)?;
    let limit = usize::try_from(limit).unwrap_or(1);
    Ok(Reply::json(away(core, move |disk| page(disk, log, offset, limit)).await?))
}

/// `GET /api/v1/logs/{name}/download`: the log as it is now.
pub async fn download(core: &Arc<Core>, input: &Input) -> Result<Sending, Refusal> {
    let log = named(input)?;
    match away(core, move |disk| disk.open_to_read(&log.path())).await? {
        Some(file) => Sending::file(file, log.name(), "text/plain; charset=utf-8"),
        None => Ok(Sending::bytes(Vec::new(), log.name(), "text/plain; charset=utf-8")),
    }
}

/// Reads without the lock: a log may be long.
async fn away<T: Send + 'static>(
    core: &Arc<Core>,
    read: impl FnOnce(&Disk) -> Result<T, DiskError> + Send + 'static,
) -> Result<T, Refusal> {
    let disk = core.with(|house| house.disk.clone());
    let read = tokio::task::spawn_blocking(move || read(&disk)).await;
    read.map_err(|_| Refusal::internal("The log cannot be read."))?.map_err(|error| VaultError::from(error).into())
}
