//! What a process before this one has left: sessions that are not over, executions that are not booked, flags.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;
use serde_json::{Value, json};

use super::begin::begin;
use super::clerk::{alert, apply, events, lower_flags, rest, status_summary, summarize};
use super::prepare::{Prepared, Venue, link};
use super::{JOURNAL, SUMMARY, ledger, mode_word, sessions_folder};
use crate::accounting;
use crate::brokers::{BrokerError, OrderBook};
use crate::data::load;
use crate::live::{BrokerFeed, Inbox, Line, LineError, PlayedDay, is_command, words};
use crate::market::{Calendar, Nanos, new_york_date};
use crate::runtime::core::Core;
use crate::runtime::flags::{self, Flag, Found};
use crate::runtime::logs::{Level, LogName, Record as LogRecord};
use crate::runtime::{BotState, Event as StateEvent, Exposure};
use crate::session::journal::{Record, read};
use crate::session::live::LiveVenue;
use crate::session::replay::{AnySession, rerun};
use crate::session::{Command, LedgerFill, Mode, Output, Recorder, Session, SessionVenue, StageChange, StatusSnapshot};
use crate::settings::Key;
use crate::sim::SimVenue;
use crate::vault::Actor;
use crate::vault::audit::{Action, Entry};

/// Most bytes of a summary.
const MOST_SUMMARY: usize = 1 << 20;
/// How long until a broker that cannot be reached is tried again: after each failure so much longer.
const RETRY: Duration = Duration::from_secs(2);
const LONGEST_RETRY: Duration = Duration::from_secs(30);

/// Books what sessions before have left unbooked, and goes on with the one that was under way: inside its window it
/// trades on, and what was being closed is closed. Afterwards the bot is in a state that its session is in. Reads
/// journals, so it takes its time.
pub fn recover(core: &Arc<Core>) {
    let Some(work) = core.with(|house| {
        let identity = house.identity();
        let wanted = !identity.is_empty() && house.keys.is_complete() && house.trading.running.is_none();
        (house.trading.recovering, house.trading.earned) = (wanted, 0.0);
        wanted.then(|| (identity, house.disk.clone(), house.bot_state()))
    }) else {
        return;
    };
    let (identity, disk, state) = work;
    let folder = sessions_folder(&identity);
    let mut sessions = disk.list_folders(&folder).unwrap_or_default();
    sessions.sort();
    let mut resumed = false;
    let goes_on = state.in_session() || state.is_closing();
    let newest = sessions.last().cloned();
    for id in sessions {
        let folder = format!("{folder}/{id}");
        match disk.read(&format!("{folder}/{SUMMARY}"), MOST_SUMMARY) {
            Ok(Some(summary)) => {
                let summary: Value = serde_json::from_slice(&summary).unwrap_or_default();
                core.with(|house| house.trading.earned += summary["pnl"].as_f64().unwrap_or(0.0));
                continue;
            }
            Ok(None) => {}
            Err(error) => tracing::warn!("{error}"),
        }
        let path = disk.path().join(&folder).join(JOURNAL);
        let is_last = newest.as_ref() == Some(&id);
        let done = if is_last && goes_on { resume(core, &id, &folder, &path) } else { catch_up(core, &folder, &path) };
        match done {
            Ok(goes_on) => resumed |= goes_on,
            Err(why) => {
                let record = LogRecord::new(core.now(), Level::Error, "session", format!("session {id}: {why}"));
                core.logs.write(LogName::ErrorTracebacks, &record);
                alert(core, &format!("Session {id} cannot be taken up again. The log says why."));
                if is_last && goes_on {
                    core.with(|house| {
                        house.faults.push("a session could not be taken up again".to_string());
                        apply(house, StateEvent::Fault(Exposure::Flat), core.now());
                    });
                }
            }
        }
    }
    core.with(|house| {
        let now = core.now();
        house.trading.recovering = false;
        if resumed {
            obey(house);
            return;
        }
        if let Ok(Found::Request(request)) = flags::read(&house.disk, Flag::Start) {
            let entry = Entry::new(now, &Actor::core(), Action::ControlStart, &request.id, "dropped");
            house.audit.note(entry.detail("the core ended before the session began"));
        }
        if let Some(event) = rest(house) {
            apply(house, event, now);
        }
        lower_flags(house);
    });
}

/// A session that goes on is told what was asked of it: its journal may not have it yet.
fn obey(house: &mut crate::runtime::House) {
    let raised = |flag: Flag| !matches!(flags::read(&house.disk, flag), Ok(Found::Nothing));
    let state = house.bot_state();
    let is_emergency = matches!(state, BotState::EmergencyClosingPositions | BotState::ShutdownTriggered);
    if is_emergency || raised(Flag::Kill) {
        house.trading.command(Command::Kill);
    } else if state == BotState::GracefulClosingPositions || raised(Flag::Stop) {
        house.trading.command(Command::Stop);
    }
    // What the settings say now; they may have changed since the journal was begun.
    if let Ok(settings) = house.settings().map(|stored| stored.settings.clone()) {
        let (disable_all_trades, defense_mode) =
            (settings.flag(Key::DisableAllTrades), settings.flag(Key::DefenseModeActive));
        house.trading.command(Command::Controls { disable_all_trades, defense_mode });
    }
}

/// Books what a session has done that does not go on.
fn catch_up(core: &Arc<Core>, folder: &str, path: &Path) -> Result<bool, String> {
    if !path.exists() {
        // The process ended before the journal was begun.
        core.with(|house| summarize(house, folder, &json!({ "pnl": 0.0, "trades": 0 }), core.now()));
        return Ok(false);
    }
    let contents = read(path).map_err(|error| error.to_string())?;
    let (_, session) = rerun(path, &contents).map_err(|error| error.to_string())?;
    let left = match &session {
        AnySession::Sim(session) => Left::by(session),
        AnySession::Live(session) => Left::by(session),
    };
    conclude(core, folder, &left)
}

/// Books what a session has done, and writes down that it is over.
fn conclude(core: &Arc<Core>, folder: &str, left: &Left) -> Result<bool, String> {
    let events = events_of(core, left.status.mode, &left.fills)?;
    core.with(|house| {
        let now = core.now();
        for what in ledger::book(house, &events, now)? {
            house.logs.write(LogName::UnresolvedOrders, &LogRecord::new(now, Level::Error, "ledger", what));
        }
        summarize(house, folder, &status_summary(&left.status), now);
        house.trading.earned += left.status.pnl;
        Ok(false)
    })
}

/// What a session was when its process ended.
struct Left {
    status: StatusSnapshot,
    fills: Vec<LedgerFill>,
    standing: Option<StageChange>,
    is_over: bool,
    traded: Option<NaiveDate>,
}

impl Left {
    fn by<V: SessionVenue>(session: &Session<V>) -> Left {
        Left {
            status: session.status(),
            fills: session.fills_from(0),
            standing: session.standing(),
            is_over: session.is_over(),
            traded: session.trading_date(),
        }
    }
}

fn events_of(core: &Arc<Core>, mode: Mode, fills: &[LedgerFill]) -> Result<Vec<accounting::Event>, String> {
    let broker = core.with(|house| house.settings().map(|stored| stored.settings.text(Key::BrokerName).to_string()));
    let broker = broker.map_err(|error| error.to_string())?;
    let flag = Some(mode_word(mode)).filter(|mode| *mode != "live");
    let events = fills.iter().map(|fill| ledger::event(&broker, flag, fill));
    events.collect::<Result<_, _>>().map_err(|error| error.to_string())
}

/// Goes on with a session where its journal ends.
fn resume(core: &Arc<Core>, id: &str, folder: &str, path: &Path) -> Result<bool, String> {
    if !path.exists() {
        return catch_up(core, folder, path);
    }
    let contents = read(path).map_err(|error| error.to_string())?;
    let (plan, ..) = contents.beginning(path).map_err(|error| error.to_string())?;
    let taken = contents.records.iter().filter(|record| matches!(record, Record::In(input) if !is_command(input)));
    let taken = taken.count();
    drop(contents);
    let inbox = Inbox::new();
    let (venue, left) = match plan.mode {
        Mode::Live(_) => {
            let (recorder, requests) = Recorder::<LiveVenue>::resume(path).map_err(|error| error.to_string())?;
            let left = Left::by(recorder.session());
            if left.is_over {
                return end(core, folder, &left);
            }
            let session = recorder.session();
            let known = words::order_book(session.venue(), &session.market().symbols);
            let link = reconnect(core, session, Some(known), &inbox.0)?;
            (Venue::Live(Box::new(recorder), link, requests), left)
        }
        Mode::Paper | Mode::Test => {
            let (recorder, _) = Recorder::<SimVenue>::resume(path).map_err(|error| error.to_string())?;
            let left = Left::by(recorder.session());
            if left.is_over {
                return end(core, folder, &left);
            }
            if plan.spec.settings.text(Key::BrokerName) == "SIM" {
                let day = played_again(core, recorder.session(), taken)?;
                (Venue::Played(Box::new(recorder), Box::new(day)), Left { traded: None, ..left })
            } else {
                let link = reconnect(core, recorder.session(), None, &inbox.0)?;
                (Venue::Paper(Box::new(recorder), link), left)
            }
        }
    };
    let Left { fills, standing, traded, .. } = left;
    // What is open from another day is no strategy's any more. The clock is asked now: it may not have been set before,
    // and the broker may have been away for long.
    let of_today = traded.is_none_or(|date| date == new_york_date((core.market_clock().now)()));
    let due = events_of(core, plan.mode, &fills)?;
    // The clerk before may not have heard the last words.
    let first = standing.map(Output::Stage).into_iter().collect();
    let prepared = Prepared { id: id.to_string(), folder: folder.to_string(), venue, inbox };
    tracing::info!("session {id} goes on after {taken} inputs");
    let weak = Arc::downgrade(core);
    core.with(|house| {
        begin(weak, house, prepared, due, first).map_err(|refusal| refusal.message)?;
        if !of_today {
            house.trading.command(Command::Stop);
        }
        Ok(true)
    })
}

/// Ends a session that has done everything: its clerk may not have heard of it. There is nothing to ask a broker.
fn end(core: &Arc<Core>, folder: &str, left: &Left) -> Result<bool, String> {
    core.with(|house| {
        let now = core.now();
        let standing = left.standing.filter(|change| change.reduces_risk());
        standing.into_iter().flat_map(events).for_each(|event| apply(house, event, now));
    });
    conclude(core, folder, left)
}

/// The recorded day of a session, from where it was left.
fn played_again(core: &Arc<Core>, session: &Session<SimVenue>, taken: usize) -> Result<PlayedDay, String> {
    let source = load(&session.plan().spec.data).map_err(|error| format!("the data of the session: {error}"))?;
    if source.data_hash != session.plan().data_hash() {
        return Err("the data of the session have changed since it began".to_string());
    }
    let settings = core.with(|house| house.settings().map(|stored| stored.settings.clone()));
    let speed = settings.map_err(|error| error.to_string())?.int(Key::SimSpeed);
    Ok(PlayedDay::new(source, speed as f64, taken))
}

/// Connects a session to its broker again. Tries until it succeeds: there may be positions, and nobody else looks after
/// them. `known`: what it knows of its orders, if they lie at the broker.
fn reconnect<V: SessionVenue>(
    core: &Arc<Core>,
    session: &Session<V>,
    known: Option<OrderBook>,
    inbox: &Inbox,
) -> Result<Box<(Line, BrokerFeed)>, String> {
    let (symbols, settings) = (&session.market().symbols, &session.plan().spec.settings);
    let mut failures = 0_u32;
    let mut told = "";
    loop {
        let clock = core.market_clock();
        let broker = core.with(|house| house.broker(Arc::clone(&clock.now)));
        let broker = broker.map_err(|refusal| (refusal.message, "its broker is not configured as it must be"));
        let linked = broker.and_then(|broker| {
            let line = Line::new(broker, clock.clone()).map_err(why_not)?;
            line.set_clock().map_err(why_not)?;
            let since = bars_since(session, (clock.now)());
            link(line, known.clone(), symbols, since, settings, inbox).map_err(why_not)
        });
        match linked {
            Ok(link) => return Ok(link),
            Err((why, words)) => {
                tracing::warn!("session {} waits, for {words}: {why}", session.plan().session);
                if told != words {
                    alert(core, &format!("A session cannot go on: {words}. It is tried again."));
                    told = words;
                }
                failures += 1;
                std::thread::sleep(RETRY.saturating_mul(failures).min(LONGEST_RETRY));
            }
        }
    }
}

/// Why there is no connection: for the log, and for people.
fn why_not(error: LineError) -> (String, &'static str) {
    let words = match &error {
        LineError::Broker(BrokerError::Auth { .. }) => {
            "its broker refuses the credentials; new ones can be entered in the configuration"
        }
        _ => "its broker cannot be reached",
    };
    (error.to_string(), words)
}

/// From when on a session lacks bars of the day.
fn bars_since<V: SessionVenue>(session: &Session<V>, now: Nanos) -> Nanos {
    let open = Calendar::nyse().session(new_york_date(now)).map_or(now, |session| session.open);
    session.market().steps.last().map_or(open, |last| open.max(*last))
}
