//! TEST_MODE: starting a test, watching it, stopping it, removing results.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::backtest::RunSpec;
use crate::data::{LoadOptions, Source, named};
use crate::market::{format_date, format_time, parse_date};
use crate::runtime::core::Core;
use crate::runtime::flags::{self, Flag, Request};
use crate::runtime::gate::Caller;
use crate::runtime::house::House;
use crate::runtime::input::Input;
use crate::runtime::jobs::results;
use crate::runtime::protocol::Reply;
use crate::runtime::reply::Refusal;
use crate::runtime::test_mode::{self, Record, State, Task};
use crate::runtime::{BotState, start};
use crate::vault::audit::Action;

/// How long a stop waits for the end of the test before it answers.
const STOP_TIME: Duration = Duration::from_secs(5);

/// What is tested.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Start {
    data: Option<String>,
    date: Option<String>,
    seconds: Option<u32>,
}

/// What is reset; nothing: what there is.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reset {
    only: Option<Only>,
}

/// One of the two things that can be reset.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Only {
    /// The test that runs is stopped.
    Stop,
    /// The results are removed.
    Results,
}

impl House {
    /// Nothing is traded while a test runs.
    ///
    /// # Errors
    /// One runs: 409.
    pub fn refuse_in_test(&self) -> Result<(), Refusal> {
        if !self.test.is_active() {
            return Ok(());
        }
        let why = "A test runs: the controls of live trading are disabled until it is over or stopped.";
        Err(Refusal::conflict("test_mode", why))
    }
}

/// `GET /api/v1/test`: the test that runs, the results, and with `id` what a page draws of one.
pub async fn get(core: &Arc<Core>, input: &Input) -> Result<Reply, Refusal> {
    let id = input.query("id");
    let (root, identity, test) =
        core.work(|house| (house.disk.path().to_path_buf(), house.identity(), Arc::clone(&house.test))).await?;
    let read = tokio::task::spawn_blocking(move || {
        // Asked first: a test that ends meanwhile is then among the results or the next question's.
        let active = test.active();
        let records = test_mode::list(&root, &identity).map_err(|_| unreadable())?;
        let results = test_mode::ended(records, active.as_ref().map(|active| active.record.id.as_str()));
        let mut body = json!({ "active": active, "results": results });
        if let Some(id) = id {
            let none = || Refusal::not_found("There is no chart of a test of that id.");
            body["shown"] = test_mode::chart(&root, &identity, &id).ok_or_else(none)?;
        }
        Ok(Reply::json(body))
    });
    read.await.map_err(|_| unreadable())?
}

/// `POST /api/v1/test/start`.
pub async fn start(core: &Arc<Core>, caller: &Arc<Caller>, input: &Input) -> Result<Reply, Refusal> {
    let Start { data, date, seconds } = if input.is_empty() { Start::default() } else { input.json()? };
    let data = data.unwrap_or_else(|| test_mode::USUAL_DATA.to_string());
    let seconds = seconds.unwrap_or(test_mode::USUAL_SECONDS);
    if seconds > test_mode::MOST_SECONDS {
        let most = test_mode::MOST_SECONDS;
        return Err(Refusal::invalid_field("seconds", format!("Expected a whole number from 0 to {most}.")));
    }
    let root = core.with(|house| house.disk.path().to_path_buf());
    let name = data.clone();
    let source = tokio::task::spawn_blocking(move || source_of(&root, &name)).await;
    let source = source.map_err(|_| Refusal::internal("The data sets could not be listed."))??;
    let date = date_of(&data, date.as_deref())?;
    let by = Arc::clone(caller);
    let task = core.work(move |house| prepare(house, &by, source, data, date, seconds)).await??;
    test_mode::spawn(core, task);
    get(core, input).await
}

/// `POST /api/v1/test/reset`: stops the test that runs; if none does, removes all results.
pub async fn reset(core: &Arc<Core>, caller: &Arc<Caller>, input: &Input) -> Result<Reply, Refusal> {
    let Reset { only } = if input.is_empty() { Reset::default() } else { input.json()? };
    let test = core.with(|house| Arc::clone(&house.test));
    let stops = match only {
        Some(Only::Stop) if !test.is_active() => return Err(Refusal::conflict("not_running", "No test runs.")),
        Some(only) => only == Only::Stop,
        None => test.is_active(),
    };
    let by = Arc::clone(caller);
    if stops {
        // Its end is audited by the test itself.
        test.stop(State::Cancelled);
        let ended = tokio::task::spawn_blocking(move || test.wait_for_end(STOP_TIME)).await;
        ended.map_err(|_| Refusal::internal("What became of the test is not known."))?;
    } else {
        core.work(move |house| remove(house, &by)).await??;
    }
    get(core, input).await
}

/// The day of a test.
fn date_of(data: &str, date: Option<&str>) -> Result<NaiveDate, Refusal> {
    let text = match date {
        Some(text) => text,
        None if data == test_mode::USUAL_DATA => test_mode::USUAL_DATE,
        None => return Err(Refusal::invalid_field("date", "Say which day of the data set, as YYYY-MM-DD.")),
    };
    parse_date(text).map_err(|_| Refusal::invalid_field("date", "Expected a day as YYYY-MM-DD."))
}

/// A data set by its name in the list; no path is made from a request.
fn source_of(root: &Path, name: &str) -> Result<Source, Refusal> {
    let listed = results::datasets(root).map_err(|_| Refusal::internal("The data sets could not be listed."))?;
    let known = listed.into_iter().find(|(known, _)| known == name);
    let (_, data) = known.ok_or_else(|| Refusal::invalid_field("data", "There is no data set of that name."))?;
    Ok(match named(&data) {
        Some(set) => Source::Named(set.name.to_string()),
        None => Source::Path(root.join(data)),
    })
}

/// Judges a test, audits it, raises the flag, and takes it in.
fn prepare(
    house: &mut House,
    caller: &Caller,
    source: Source,
    data: String,
    date: NaiveDate,
    seconds: u32,
) -> Result<Task, Refusal> {
    house.refuse_in_test()?;
    if house.trading.is_busy() {
        return Err(Refusal::conflict("wrong_state", "A session runs or is being closed; a test begins without one."));
    }
    if house.bot_state() != BotState::Idle {
        let why = format!("A test begins while the bot is idle; it is in the state {}.", house.bot_state());
        return Err(Refusal::conflict("wrong_state", why));
    }
    let mut settings = house.settings()?.settings.clone();
    // Nobody could answer in the time of a test.
    let unasked = settings.set_all(["TRADE_CONFIRMATION_REQUIRED=false"], "test");
    unasked.map_err(|_| Refusal::internal("The settings cannot be used."))?;
    let unusable = |error| Refusal::conflict("bad_settings", format!("The settings cannot be tested: {error}."));
    let spec = RunSpec::of_settings(settings, LoadOptions::new(source), test_mode::CASH).map_err(unusable)?;
    spec.check().map_err(unusable)?;
    let identity = house.identity();
    let folder = test_mode::folder(&identity);
    let id = new_id(house, &folder, caller);
    let record = Record {
        state: State::Running,
        user: caller.actor().user,
        data,
        date: format_date(date),
        seconds,
        started_utc: format_time(caller.now),
        ended_utc: None,
        message: None,
        folder: format!("{folder}/{id}"),
        done: 0,
        of: 0,
        clock_utc: None,
        strategies: test_mode::waiting(&spec),
        trades: 0,
        fills: 0,
        pnl: 0.0,
        win_rate: None,
        equity: None,
        orders: 0,
        orders_sha256: None,
        ledger_entries: 0,
        ledger_cash: None,
        warnings: Vec::new(),
        id,
    };
    let detail = json!({ "data": record.data, "date": record.date, "seconds": seconds });
    let _recorded = house.record(caller, Action::TestStart, &record.id, "begun", detail)?;
    let flag = Request { id: record.id.clone(), utc: format_time(caller.now), user: record.user.clone(), sha256: None };
    let begun = flags::raise(&house.disk, Flag::TestMode, &flag).and_then(|()| record.write(&house.disk));
    if let Err(error) = begun {
        let _ = flags::lower(&house.disk, Flag::TestMode);
        house.note(caller, Action::TestEnd, &record.id, "failed", start::safe_disk(&error));
        return Err(Refusal::internal("The disk refused to take the test."));
    }
    house.test.begin(record.clone());
    Ok(Task { record, spec, date, by: caller.actor() })
}

/// `YYYYMMDDTHHMMSSZ`, with a number if there is one of that name.
fn new_id(house: &House, folder: &str, caller: &Caller) -> String {
    let time: String = format_time(caller.now).chars().take(19).filter(char::is_ascii_alphanumeric).collect();
    let taken = |id: &String| house.disk.path().join(folder).join(id).exists();
    let more = (2..u64::MAX).map(|k| format!("{time}Z-{k}"));
    std::iter::once(format!("{time}Z")).chain(more).find(|id| !taken(id)).unwrap_or(time)
}

fn remove(house: &mut House, caller: &Caller) -> Result<(), Refusal> {
    house.refuse_in_test()?;
    let identity = house.identity();
    let _recorded = house.record(caller, Action::TestReset, "results", "begun", Value::Null)?;
    let removed = test_mode::remove_all(house.disk.path(), &identity);
    let (status, count) = removed.as_ref().map_or(("failed", 0), |count| ("done", *count));
    house.note(caller, Action::TestReset, "results", status, json!({ "tests": count }));
    removed.map(drop).map_err(|_| Refusal::internal("The disk refused to remove all results."))
}

fn unreadable() -> Refusal {
    Refusal::internal("The results could not be read.")
}
