//! From the settings to a session that runs.

use std::path::Path;
use std::sync::mpsc::channel;
use std::sync::{Arc, Weak};

use super::clerk::Clerk;
use super::host::{Host, Told};
use super::played::PlayedDay;
use super::{JOURNAL, Running, Shared, sessions_folder};
use crate::accounting;
use crate::backtest::RunSpec;
use crate::data::{LoadOptions, Source, load};
use crate::market::{Nanos, format_time};
use crate::runtime::core::Core;
use crate::runtime::house::House;
use crate::runtime::jobs::results;
use crate::runtime::reply::Refusal;
use crate::session::{Mode, Plan, Recorder};
use crate::settings::{Key, Settings};
use crate::sim::SimVenue;

/// Longest wait for other bars of a bar end that was played.
const GRACE_MS: u32 = 1_000;

/// A session that is written down and may begin.
pub struct Prepared {
    pub id: String,
    /// Its folder, relative to the data folder.
    pub folder: String,
    pub recorder: Recorder<SimVenue>,
    pub day: PlayedDay,
}

/// An id that no session has: its start in UTC and how it trades.
///
/// # Errors
/// The folder cannot be read or made.
pub fn next_id(house: &House, mode: &str, now: Nanos) -> Result<String, Refusal> {
    let folder = sessions_folder(&house.identity());
    let time: String = format_time(now).chars().take(19).filter(|c| c.is_ascii_alphanumeric()).collect();
    let there = house.disk.list_folders(&folder).map_err(crate::vault::VaultError::from)?;
    let id = format!("{time}Z-{mode}");
    let numbered = (2..100).map(|n| format!("{id}-{n}"));
    let free = std::iter::once(id.clone()).chain(numbered).find(|id| !there.contains(id));
    free.ok_or_else(|| Refusal::conflict("busy", "Too many sessions began in this second.").retry_after(1))
}

/// The newest session of the data set in SIM_DATA, ready to be played; its journal is begun. Takes seconds for large
/// sets.
///
/// # Errors
/// There is no such data set, or the settings do not lead to a session on it.
pub fn played(disk: &crate::vault::Disk, identity: &str, id: &str, settings: &Settings) -> Result<Prepared, Refusal> {
    let market = market(disk.path(), settings.text(Key::SimData))?;
    let spec = RunSpec::of_settings(settings.clone(), market.1, settings.number(Key::SimCash)).map_err(unusable)?;
    let day = PlayedDay::new(market.0, settings.int(Key::SimSpeed) as f64, 0);
    let (source, newest) = day.source();
    let folder = format!("{}/{id}", sessions_folder(identity));
    let (plan, history) = Plan::new(id, Mode::Paper, spec, GRACE_MS, &source.parts_before(newest)).map_err(unusable)?;
    disk.make_folder(&folder).map_err(crate::vault::VaultError::from)?;
    let path = disk.path().join(&folder).join(JOURNAL);
    let recorder = Recorder::begin(&path, plan, &history, |plan, market| plan.sim_venue(market)).map_err(|error| {
        tracing::warn!("a session cannot begin: {error}");
        unusable("its journal could not be begun; the log says why")
    })?;
    Ok(Prepared { id: id.to_string(), folder, recorder, day })
}

/// The data set of that name, and what was loaded.
fn market(root: &Path, name: &str) -> Result<(crate::market::Market, LoadOptions), Refusal> {
    let sets = results::datasets(root).map_err(|_| Refusal::internal("The data sets could not be listed."))?;
    let no_data = |why: String| Refusal::conflict("no_market_data", why);
    let Some((_, data)) = sets.into_iter().find(|(known, _)| known == name) else {
        return Err(no_data(format!("There is no data set {name} (SIM_DATA).")));
    };
    let source = match crate::data::named(&data) {
        Some(set) => Source::Named(set.name.to_string()),
        None => Source::Path(root.join(data)),
    };
    let options = LoadOptions::new(source);
    let market = load(&options).map_err(|error| {
        tracing::warn!("SIM_DATA {name}: {error}");
        no_data(format!("The data set {name} cannot be played. The log says why."))
    })?;
    if market.days.is_empty() {
        return Err(no_data(format!("The data set {name} holds no session.")));
    }
    Ok((market, options))
}

fn unusable(why: impl std::fmt::Display) -> Refusal {
    Refusal::conflict("unusable", format!("This is no session: {why}."))
}

/// Lets a session run: from here on it trades. `due`: executions of it that may not be booked yet.
///
/// # Errors
/// The system gives no thread.
pub fn begin(
    core: Weak<Core>,
    house: &mut House,
    prepared: Prepared,
    due: Vec<accounting::Event>,
    first: Vec<Told>,
) -> Result<(), Refusal> {
    let Prepared { id, folder, recorder, day } = prepared;
    let settings = house.settings()?.settings.clone();
    let broker = settings.text(Key::BrokerName).to_string();
    let session = recorder.session();
    let shared = Shared::new(session.status(), session.is_open());
    let (asks, asked) = channel();
    let (told, heard) = channel();
    for what in first {
        // The receiver is here.
        let _ = told.send(what);
    }
    let host = Host { recorder, day, asks: asked, told, shared: Arc::clone(&shared) };
    let held = shared.status().positions.iter().cloned().collect();
    let clerk = Clerk { core, told: heard, shared: Arc::clone(&shared), id: id.clone(), folder, broker, due, held };
    let thread = |name: &str| std::thread::Builder::new().name(name.to_string());
    let no_thread = |_| Refusal::internal("The system gives no thread.");
    thread("clerk").spawn(move || clerk.run()).map_err(no_thread)?;
    house.trading.run(Running { id, shared, asks }, &settings);
    if let Err(error) = thread("trading").spawn(move || host.run()) {
        // The clerk hears that nobody speaks, and ends the session.
        return Err(no_thread(error));
    }
    Ok(())
}
