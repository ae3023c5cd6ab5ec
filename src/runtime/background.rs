//! What the core does by itself, beside answering: tells of changes, keeps `status.json`, makes backups, ends what was
//! left open by a disk that refused, attends to the broker, looks at the
//! float.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::core::{Core, Event};
use super::gate::Caller;
use super::house::House;
use super::logs::{Level, LogName, Record};
use super::protocol::Peer;
use super::{BotState, Event as StateEvent, Phase, api, brokerage};
use crate::market::{Nanos, format_time, parse_time};
use crate::notify::{self, Kind, Notice};
use crate::settings::Key;
use crate::vault::backups::BackupKind;
use crate::vault::{Actor, backups};

/// How often it is looked whether something changed.
const LOOK: Duration = Duration::from_secs(1);
/// How often it is asked whether a backup is due.
const BACKUP_CHECK: Nanos = 60 * crate::market::SECOND;
/// `status.json` is written at most so often.
const STATUS_PAUSE: Nanos = 2 * crate::market::SECOND;

/// What is remembered from one look to the next.
#[derive(Default)]
struct Seen {
    status: Value,
    state: Option<BotState>,
    written: Option<(Nanos, Value)>,
    backup_check: Option<Nanos>,
}

/// Runs until `stop` is ready.
pub async fn run(core: Arc<Core>, stop: impl Future<Output = ()>) {
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let notices = tokio::spawn(Arc::clone(&core).send_notices(async {
        let _ = ended.await;
    }));
    let attending = tokio::spawn(brokerage::attend(Arc::clone(&core)));
    look_on(core, stop).await;
    attending.abort();
    // What still waits to be told is told, for a moment.
    let _ = end.send(());
    let _ = notices.await;
}

async fn look_on(core: Arc<Core>, stop: impl Future<Output = ()>) {
    let mut stop = std::pin::pin!(stop);
    let mut seen = Seen::default();
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = &mut stop => return,
            _ = looks.tick() => look(&core, &mut seen).await,
        }
    }
}

async fn look(core: &Arc<Core>, seen: &mut Seen) {
    let now = core.now();
    let mut taken = std::mem::take(seen);
    let back = core.work(move |house| {
        let events = house.look(&mut taken, now);
        (taken, events)
    });
    // After a panic everything is looked at anew.
    let Ok((back, events)) = back.await else { return };
    *seen = back;
    events.into_iter().for_each(|event| core.tell(event));
    if seen.backup_check.is_none_or(|last| now - last >= BACKUP_CHECK) {
        seen.backup_check = Some(now);
        back_up_if_due(core, now).await;
    }
}

impl House {
    fn look(&mut self, seen: &mut Seen, now: Nanos) -> Vec<Event> {
        self.finish_what_was_left(now);
        self.tell_of_audit(now);
        self.check_float(now);
        let mut events = Vec::new();
        let state = self.bot_state();
        if seen.state.is_some_and(|before| before != state) && state.is_halted() {
            self.alerts += 1;
            let message = format!("The bot is in the state {state}.");
            self.logs.write(LogName::Core, &Record::new(now, Level::Warn, "alert", message.clone()));
            events
                .push(Event::new("alert", json!({ "level": "critical", "message": message, "utc": format_time(now) })));
        }
        seen.state = Some(state);
        if !matches!(self.phase(), Phase::Main | Phase::Error) {
            return events;
        }
        let status = self.status(now);
        if status != seen.status {
            let mut told = status.clone();
            told["server_time_utc"] = json!(format_time(now));
            events.push(Event::new("status", told));
            seen.status = status;
        }
        self.write_status(seen, now);
        events
    }

    /// A state whose end could not be audited or written.
    fn finish_what_was_left(&mut self, now: Nanos) {
        if self.bot_state() == BotState::Updating {
            // Updates begin and end under the lock, so none is under way here.
            let _ = self.state.apply(StateEvent::UpdateEnded, &Actor::core(), &mut self.audit, now);
        }
        let _ = self.state.catch_up();
        self.sessions.sweep(now);
    }

    /// Writes `output/<bot>/status.json` if it changed.
    fn write_status(&mut self, seen: &mut Seen, now: Nanos) {
        if seen.written.as_ref().is_some_and(|(when, what)| *what == seen.status || now - when < STATUS_PAUSE) {
            return;
        }
        let Some(identity) = seen.status["identity"]["bot_identity"].as_str().filter(|text| is_plain(text)) else {
            return;
        };
        let folder = format!("output/{identity}");
        let mut text = seen.status.clone();
        text["updated_utc"] = json!(format_time(now));
        let written = self
            .disk
            .make_folder(&folder)
            .and_then(|()| self.disk.write(&format!("{folder}/status.json"), format!("{text:#}\n").as_bytes()));
        // What could not be written is written at the next look after the pause.
        let what = if written.is_ok() { seen.status.clone() } else { Value::Null };
        seen.written = Some((now, what));
    }

    /// Whether the newest full backup is older than the settings want.
    fn backup_is_due(&mut self, now: Nanos) -> bool {
        if self.phase() != Phase::Main {
            return false;
        }
        let Ok(stored) = self.settings() else { return false };
        let interval = stored.settings.int(Key::BackupIntervalHours) * 60 * crate::market::MINUTE;
        let Ok(all) = backups::list(&self.disk) else { return false };
        let newest = all.iter().filter(|backup| backup.kind == BackupKind::Full);
        let newest = newest.filter_map(|backup| parse_time(&backup.created_utc).ok()).max();
        // One of the future, from a clock that was ahead, does not hold up the next.
        newest.is_none_or(|newest| now - newest >= interval || newest > now)
    }
}

fn is_plain(identity: &str) -> bool {
    !identity.is_empty() && identity.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

async fn back_up_if_due(core: &Arc<Core>, now: Nanos) {
    if !core.work(move |house| house.backup_is_due(now)).await.unwrap_or(false) {
        return;
    }
    let Ok(_alone) = core.upkeep_alone() else { return };
    let by = Arc::new(Caller { user: None, peer: Peer::default(), now });
    if let Err(refusal) = api::backups::make(core, &by, BackupKind::Full, None).await {
        core.work(move |house| {
            house.alerts += 1;
            let message = format!("The automatic backup failed: {}", refusal.message);
            let notice = Notice::new(notify::Level::Critical, Kind::Backup, "The automatic backup failed", &message);
            house.tell_people(notice.keyed("automatic"), now);
            house.logs.write(LogName::ErrorTracebacks, &Record::new(now, Level::Error, "backup", message));
        })
        .await
        .ok();
    }
}
