//! Backups: list, make, download, upload, restore.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::AsyncRead;

use crate::runtime::clock;
use crate::runtime::core::Core;
use crate::runtime::gate::Caller;
use crate::runtime::house::House;
use crate::runtime::input::Input;
use crate::runtime::protocol::{CookieChange, Reply, Secret};
use crate::runtime::reply::Refusal;
use crate::runtime::start;
use crate::runtime::transfer::{Receiving, Sending};
use crate::settings::Key;
use crate::vault::audit::Action;
use crate::vault::backups::{BackupInfo, BackupKind, Cost, Import, Protection};
use crate::vault::{Keys, VaultError, backups};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Create {
    kind: String,
    #[serde(default)]
    passphrase: Option<Secret>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Restore {
    #[serde(default)]
    current_password: Option<Secret>,
    #[serde(default)]
    passphrase: Option<Secret>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Upload {
    #[serde(default)]
    current_password: Option<Secret>,
}

/// `GET /api/v1/backups`.
pub fn list(house: &House) -> Result<Reply, Refusal> {
    Ok(Reply::json(json!({ "backups": backups::list(&house.disk)? })))
}

/// `POST /api/v1/backups`. Reading and encrypting happen without the lock.
pub async fn create(core: &Arc<Core>, caller: &Arc<Caller>, input: &Input) -> Result<Reply, Refusal> {
    let Create { kind, passphrase } = input.json()?;
    let kind = match kind.as_str() {
        "full" => BackupKind::Full,
        "portable" => BackupKind::Portable,
        _ => return Err(Refusal::invalid_field("kind", "Expected full or portable.")),
    };
    let passphrase = passphrase.filter(|text| !text.expose().is_empty());
    if kind == BackupKind::Portable && passphrase.is_none() {
        return Err(Refusal::invalid_field("passphrase", "A portable backup needs one of at least 12 bytes."));
    }
    if passphrase.as_ref().is_some_and(|text| !(12..=1024).contains(&text.expose().len())) {
        return Err(Refusal::invalid_field("passphrase", "12 to 1024 bytes."));
    }
    let _alone = core.upkeep_alone()?;
    let info = make(core, caller, kind, passphrase).await?;
    Ok(Reply::with_status(201, info))
}

/// Makes a backup, and removes full ones beyond those that are to be kept.
///
/// # Errors
/// It could not be audited, made or written.
pub async fn make(
    core: &Arc<Core>,
    caller: &Arc<Caller>,
    kind: BackupKind,
    passphrase: Option<Secret>,
) -> Result<BackupInfo, Refusal> {
    let (by, now) = (Arc::clone(caller), caller.now);
    let disk = core
        .work(move |house| {
            let _recorded = house.record(&by, Action::BackupCreate, kind.name(), "begun", Value::Null)?;
            Ok::<_, Refusal>(house.disk.clone())
        })
        .await??;
    let made = tokio::task::spawn_blocking(move || {
        let (keys, _) = Keys::open(&disk)?;
        let passphrase = passphrase.map(Secret::into_inner);
        let protection = match &passphrase {
            Some(passphrase) => Protection::Passphrase(passphrase, Cost::STANDARD),
            None => Protection::BackupKey,
        };
        backups::create(&disk, &keys, protection, now)
    });
    let made: Result<BackupInfo, VaultError> =
        made.await.map_err(|_| Refusal::internal("The backup failed inside the program."))?;
    let by = Arc::clone(caller);
    core.work(move |house| match made {
        Ok(info) => {
            house.note(&by, Action::BackupCreate, &info.name, "done", json!({ "bytes": info.bytes }));
            prune(house, &by);
            Ok(info)
        }
        Err(error) => {
            house.note(&by, Action::BackupCreate, kind.name(), "failed", Value::Null);
            Err(error.into())
        }
    })
    .await?
}

/// Removes full backups beyond `BACKUP_KEEP`.
fn prune(house: &mut House, caller: &Caller) {
    let Ok(stored) = house.settings() else { return };
    let keep = usize::try_from(stored.settings.int(Key::BackupKeep)).unwrap_or(usize::MAX);
    // What cannot be removed now is removed with the next backup.
    if let Ok(removed) = backups::prune(&house.disk, BackupKind::Full, keep)
        && !removed.is_empty()
    {
        house.note(caller, Action::BackupCreate, "full", "pruned", json!(removed));
    }
}

/// `GET /api/v1/backups/{name}`: the file, encrypted as it is.
pub async fn download(core: &Arc<Core>, caller: &Arc<Caller>, input: &Input) -> Result<Sending, Refusal> {
    let (name, by) = (input.param("name").to_string(), Arc::clone(caller));
    core.work(move |house| {
        let file = backups::open(&house.disk, &name)?;
        house.note(&by, Action::BackupCreate, &name, "downloaded", Value::Null);
        Sending::file(file, &name, "application/octet-stream")
    })
    .await?
}

/// `POST /api/v1/backups/upload`.
pub async fn upload(
    core: &Arc<Core>,
    caller: &Arc<Caller>,
    input: &Input,
    from: &mut (impl AsyncRead + Unpin),
) -> Result<Reply, Refusal> {
    let Upload { current_password } = input.json()?;
    core.reauthenticate(caller, current_password.as_ref()).await?;
    let import = match arrive(core, from).await {
        Ok(import) => import,
        Err(refusal) => {
            let (by, code) = (Arc::clone(caller), refusal.code);
            core.work(move |house| house.note(&by, Action::BackupCreate, "portable", "upload failed", code)).await?;
            return Err(refusal);
        }
    };
    let _alone = core.upkeep_alone()?;
    let by = Arc::clone(caller);
    core.work(move |house| {
        let detail = json!({ "bytes": import.bytes() });
        let _recorded = house.record(&by, Action::BackupCreate, "portable", "upload begun", detail)?;
        match import.adopt(by.now) {
            Ok(info) => {
                house.note(&by, Action::BackupCreate, &info.name, "uploaded", Value::Null);
                Ok(Reply::with_status(201, info))
            }
            Err(error) => {
                house.note(&by, Action::BackupCreate, "portable", "upload failed", Value::Null);
                Err(error.into())
            }
        }
    })
    .await?
}

/// Takes in a file while it arrives, onto the disk and away from the event loop. One at a time, so that no more than one
/// such file takes the room of a backup.
async fn arrive(core: &Arc<Core>, from: &mut (impl AsyncRead + Unpin)) -> Result<Import, Refusal> {
    let busy = || Refusal::conflict("busy", "Another backup is being uploaded. Try again in a moment.").retry_after(2);
    let _alone = core.uploading.try_lock().map_err(|_| busy())?;
    let disk = core.with(|house| house.disk.clone());
    let mut import = on_disk(move || Import::begin(&disk)).await?;
    let mut receiving = Receiving::new(from, backups::MOST_BYTES);
    while let Some(part) = receiving.next().await? {
        import = on_disk(move || import.append(&part).map(|()| import)).await?;
    }
    Ok(import)
}

async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, VaultError> + Send + 'static,
) -> Result<T, Refusal> {
    let done = tokio::task::spawn_blocking(work).await;
    Ok(done.map_err(|_| Refusal::internal("The upload failed inside the program."))??)
}

/// `POST /api/v1/backups/{name}/restore`. The passphrase is worked on without the lock. All sessions end: users and
/// passwords are those of the backup.
pub async fn restore(core: &Arc<Core>, caller: &Arc<Caller>, input: &Input) -> Result<Reply, Refusal> {
    let Restore { current_password, passphrase } = input.json()?;
    let name = input.param("name").to_string();
    core.reauthenticate(caller, current_password.as_ref()).await?;
    let _alone = core.upkeep_alone()?;
    let (by, target) = (Arc::clone(caller), name.clone());
    let disk = core
        .work(move |house| {
            let _recorded = house.record(&by, Action::BackupRestore, &target, "begun", Value::Null)?;
            Ok::<_, Refusal>(house.disk.clone())
        })
        .await??;
    let opened = {
        let (disk, name) = (disk.clone(), name.clone());
        tokio::task::spawn_blocking(move || {
            let (keys, _) = Keys::open(&disk)?;
            let passphrase = passphrase.map(Secret::into_inner);
            backups::unlock(&disk, &keys, &name, passphrase.as_ref())
        })
    };
    let opened = opened.await.map_err(|_| Refusal::internal("The restore failed inside the program."))?;
    let by = Arc::clone(caller);
    core.work(move |house| match opened.map_err(Refusal::from).and_then(|opened| put_in_place(house, &by, &opened)) {
        Ok(files) => {
            house.note(&by, Action::BackupRestore, &name, "done", json!({ "files": files }));
            let cookies = vec![CookieChange::LoggedOut];
            Ok(Reply { cookies, ..Reply::json(json!({ "restored": files.len() })) })
        }
        Err(refusal) => {
            house.note(&by, Action::BackupRestore, &name, "failed", refusal.code);
            Err(refusal)
        }
    })
    .await?
}

fn put_in_place(house: &mut House, caller: &Caller, opened: &backups::Unlocked) -> Result<Vec<String>, Refusal> {
    house.update(caller, |house| {
        let restored = |file| opened.fields(file).or_else(|| clock::stored(house, file));
        clock::check_files(house, restored)?;
        let files = backups::put(&house.disk, &house.keys, opened, caller.now)?;
        let ended = house.sessions.revoke_all();
        house.note(caller, Action::SessionRevoke, "all", "done", json!({ "sessions": ended }));
        house.forget_settings();
        // Users, limits and faults are what the restored files say.
        house.faults = start::checks(house, caller.now);
        Ok(files)
    })
}
