//! Streams of events to a page that looks on.
//!
//! A stream lives as long as the session that opened it, and does not keep that session alive.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::time::{Instant, interval_at};

use super::core::{Core, Event};
use super::gate::{self, Caller};
use super::input::Input;
use super::logs::{LogName, Tail};
use super::protocol::{Reply, Request};
use super::reply::Refusal;
use super::routes::Op;
use super::streams::Place;
use super::{Phase, api, test_mode};
use crate::market::Nanos;

/// How often it is asked whether the session still lives.
const ALIVE_CHECK: Duration = Duration::from_secs(1);
/// How often a followed log is looked at.
const LOG_CHECK: Duration = Duration::from_millis(300);

/// A stream that somebody may have.
pub struct Subscription {
    core: Arc<Core>,
    session: u64,
    /// Whether it may hear of tests.
    is_admin: bool,
    feed: Feed,
    /// What is sent before anything else.
    waiting: VecDeque<Event>,
    checks: tokio::time::Interval,
    /// What the answer before the events is.
    pub reply: Reply,
    _place: Place,
}

enum Feed {
    /// What happens to the bot.
    Events(broadcast::Receiver<Event>),
    /// The lines of a log.
    Log(Box<Tail>, tokio::time::Interval),
}

impl Core {
    /// Opens a stream of events.
    ///
    /// # Errors
    /// The answer to whoever may not have it.
    pub async fn subscribe(self: &Arc<Core>, request: Request) -> Result<Subscription, Box<Reply>> {
        let (caller, route, input) = self.admit(request).await?;
        let opened = self.open_stream(route.op, &caller, &input).await;
        opened.map_err(|refusal| Box::new(self.with(|house| gate::refuse(house, &caller, route, refusal))))
    }

    async fn open_stream(self: &Arc<Core>, op: Op, caller: &Caller, input: &Input) -> Result<Subscription, Refusal> {
        let user = caller.user.as_ref().ok_or_else(Refusal::not_logged_in)?;
        let place = self.streams.take(user.user_id)?;
        let (feed, waiting) = match op {
            Op::Events => {
                let events = self.events.subscribe();
                (Feed::Events(events), {
                    let now = self.now();
                    self.work(move |house| first_events(house, now)).await?
                })
            }
            Op::LogStream => {
                let log = api::logs::named(input)?;
                let from = input.optional_number("from")?;
                let disk = self.with(|house| house.disk.clone());
                let tail = tokio::task::spawn_blocking(move || Tail::new(disk, log, from)).await;
                let tail = tail.map_err(|_| unreadable(log))?.map_err(|_| unreadable(log))?;
                (Feed::Log(Box::new(tail), interval(LOG_CHECK)), VecDeque::new())
            }
            _ => return Err(Refusal::not_found("There is no such stream.")),
        };
        let reply = Reply { status: 200, cookies: gate::session_cookies(caller), ..Reply::default() };
        let (core, checks) = (Arc::clone(self), interval(ALIVE_CHECK));
        Ok(Subscription {
            core,
            session: user.session,
            is_admin: caller.is_admin(),
            feed,
            waiting,
            checks,
            reply,
            _place: place,
        })
    }
}

impl Subscription {
    /// The next event; `None` when the session has ended.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return self.is_alive().then_some(event);
            }
            tokio::select! {
                _ = self.checks.tick() => {
                    if !self.is_alive() {
                        return None;
                    }
                }
                events = self.feed.next() => match events? {
                    Some(events) => {
                        self.waiting.extend(events.into_iter().filter(|event| self.is_admin || event.event != test_mode::EVENT));
                    }
                    // Some were missed: how things are now makes up for it.
                    None => {
                        let now = self.core.now();
                        self.waiting = self.core.work(move |house| first_events(house, now)).await.ok()?;
                    }
                },
            }
        }
    }

    fn is_alive(&self) -> bool {
        let now = self.core.now();
        self.core.with(|house| {
            house.sessions.is_alive(self.session, now) && matches!(house.phase(), Phase::Main | Phase::Error)
        })
    }
}

impl Feed {
    /// What comes next; `Some(None)` if some of it was lost, `None` at its end. Can be dropped and called again.
    async fn next(&mut self) -> Option<Option<Vec<Event>>> {
        match self {
            Feed::Events(events) => match events.recv().await {
                Ok(event) => Some(Some(vec![event])),
                Err(RecvError::Lagged(_)) => Some(None),
                Err(RecvError::Closed) => None,
            },
            Feed::Log(tail, looks) => {
                looks.tick().await;
                // A local file: milliseconds at most, a few kilobytes at a time.
                let lines = tail.read().ok()?;
                Some(Some(lines.into_iter().map(|line| Event::new("line", json!({ "line": line }))).collect()))
            }
        }
    }
}

/// What a page that begins to look on must know.
fn first_events(house: &mut super::House, now: Nanos) -> VecDeque<Event> {
    let state = Event::new("bot_state", json!({ "bot_state": house.bot_state().word() }));
    VecDeque::from([state, Event::new("status", house.status_json(now))])
}

fn interval(every: Duration) -> tokio::time::Interval {
    let mut interval = interval_at(Instant::now() + every, every);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    interval
}

fn unreadable(log: LogName) -> Refusal {
    Refusal::internal(format!("{} cannot be read.", log.name()))
}
