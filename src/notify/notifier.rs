//! Queues, limits, retries and escalation.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::channels::{Channel, Channels};
use super::{DeliveryError, Kind, Level, Notice, email, webhook};
use crate::market::{MINUTE, Nanos, SECOND};
use crate::settings::{Key, Settings};

/// How it is sent.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Tries on one channel.
    pub attempts: u32,
    /// Pause before the second try; four times as long before each further one.
    pub pause: Duration,
    /// Time of one try.
    pub limit: Duration,
    /// The same notice is sent once in this time.
    pub repeat: Nanos,
    /// Most notices of a level that wait.
    pub waiting: usize,
    /// So many notices of a level may come at once,
    pub burst: u32,
    /// and one more in this time.
    pub refill: Nanos,
    /// A channel that failed is tried once only for this time.
    pub distrust: Nanos,
    /// What is still sent when the program ends.
    pub last: Duration,
}

impl Default for Rule {
    fn default() -> Rule {
        Rule {
            attempts: 3,
            pause: Duration::from_secs(2),
            limit: Duration::from_secs(10),
            repeat: 15 * MINUTE,
            waiting: 200,
            burst: 30,
            refill: 20 * SECOND,
            distrust: MINUTE,
            last: Duration::from_secs(3),
        }
    }
}

/// What is sent where.
#[derive(Debug, Clone)]
pub struct Policy {
    /// How the channels are reached.
    pub channels: Channels,
    /// CRITICAL_ALERT_CHANNEL.
    pub critical: Channel,
    /// ROUTINE_ALERT_CHANNEL.
    pub routine: Channel,
    /// Kinds that nobody wants to hear of.
    pub unwanted: Vec<Kind>,
    /// Who tells it: the name of the bot.
    pub source: String,
}

impl Policy {
    /// What the settings say.
    pub fn of(settings: &Settings, channels: Channels, source: &str) -> Policy {
        let channel = |key: Key, default| Channel::of(settings.text(key)).unwrap_or(default);
        let flags =
            [(Key::NotifyOnFill, Kind::Fill), (Key::NotifyOnExit, Kind::Exit), (Key::NotifyOnFailure, Kind::Failure)];
        Policy {
            channels,
            critical: channel(Key::CriticalAlertChannel, Channel::PagerDuty),
            routine: channel(Key::RoutineAlertChannel, Channel::Email),
            unwanted: flags.into_iter().filter(|(key, _)| !settings.flag(*key)).map(|(_, kind)| kind).collect(),
            source: if source.is_empty() { "TradeBot".to_string() } else { source.to_string() },
        }
    }

    /// The channels that a notice is tried on, in order. A critical one goes on to every other that is configured.
    fn route(&self, level: Level) -> Vec<Channel> {
        let first = if level == Level::Critical { self.critical } else { self.routine };
        let others = Channel::ALL.into_iter().filter(|channel| *channel != first && level == Level::Critical);
        let all = std::iter::once(first).chain(others);
        all.filter(|channel| self.channels.fault(*channel).is_none()).collect()
    }
}

/// What became of a notice at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// It waits to be sent.
    Queued,
    /// The settings do not want it.
    Unwanted,
    /// The same was sent lately.
    Repeated,
    /// There are too many.
    HeldBack,
}

/// Something for the log of notices.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// When.
    pub utc: Nanos,
    /// What was to be told.
    pub notice: Notice,
    /// On which channel; none if there is none.
    pub channel: Option<Channel>,
    /// `delivered`, `retry`, `failed` or `undelivered`.
    pub outcome: &'static str,
    /// More, without secrets.
    pub detail: String,
}

/// Writes the log of notices.
pub type Journal = Arc<dyn Fn(&Attempt) + Send + Sync>;
/// The time.
type Clock = Arc<dyn Fn() -> Nanos + Send + Sync>;

/// How a channel is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelState {
    /// Which.
    pub channel: Channel,
    /// Whether it works, as far as is known; one that is not configured is well.
    pub ok: bool,
    /// In words.
    pub detail: String,
}

/// Tells people.
#[derive(Clone)]
pub struct Notifier(Arc<Shared>);

struct Shared {
    rule: Rule,
    state: Mutex<State>,
    lanes: [Lane; 2],
}

#[derive(Default)]
struct Lane {
    queue: Mutex<VecDeque<Notice>>,
    wake: Notify,
}

struct State {
    policy: Arc<Policy>,
    /// By key: when it was told last, and how often it was held back since.
    told: BTreeMap<String, (Nanos, u32)>,
    /// By level: tokens, when they were counted, and how many notices were held back.
    rates: [(u32, Nanos, u32); 2],
    /// By channel: when it failed last, and why.
    failed: BTreeMap<Channel, (Nanos, String)>,
}

/// Most keys that are remembered.
const MOST_KEYS: usize = 1_000;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Default for Notifier {
    fn default() -> Notifier {
        Notifier::new(Rule::default())
    }
}

impl Notifier {
    /// Without a channel until [`Notifier::set_policy`].
    pub fn new(rule: Rule) -> Notifier {
        let state = State {
            policy: Arc::new(Policy::of(&Settings::default(), Channels::default(), "")),
            told: BTreeMap::new(),
            rates: [(rule.burst, Nanos::MIN, 0); 2],
            failed: BTreeMap::new(),
        };
        Notifier(Arc::new(Shared { rule, state: Mutex::new(state), lanes: Default::default() }))
    }

    /// Follows another policy from the next notice on.
    pub fn set_policy(&self, policy: Policy) {
        let mut state = lock(&self.0.state);
        state.policy = Arc::new(policy);
        state.failed.clear();
    }

    /// Takes a notice and returns at once.
    pub fn tell(&self, mut notice: Notice, now: Nanos) -> Told {
        let rule = &self.0.rule;
        let mut state = lock(&self.0.state);
        if state.policy.unwanted.contains(&notice.kind) {
            return Told::Unwanted;
        }
        if let Some((last, held)) = state.told.get_mut(&notice.key)
            && now.saturating_sub(*last) < rule.repeat
        {
            *held += 1;
            return Told::Repeated;
        }
        let (tokens, counted, dropped) = &mut state.rates[notice.level as usize];
        let more = u32::try_from(now.saturating_sub(*counted) / rule.refill.max(1)).unwrap_or(u32::MAX);
        if more > 0 {
            (*tokens, *counted) = (tokens.saturating_add(more).min(rule.burst), now);
        }
        let lane = &self.0.lanes[notice.level as usize];
        if *tokens == 0 || lock(&lane.queue).len() >= rule.waiting {
            *dropped += 1;
            return Told::HeldBack;
        }
        *tokens -= 1;
        let others = std::mem::take(dropped);
        if state.told.len() >= MOST_KEYS {
            state.told.retain(|_, (last, _)| now.saturating_sub(*last) < rule.repeat);
            if state.told.len() >= MOST_KEYS {
                state.told.clear();
            }
        }
        let held = state.told.insert(notice.key.clone(), (now, 0)).map_or(0, |(_, held)| held);
        drop(state);
        if held > 0 {
            notice.text += &format!("\nThe same was held back {held} times since the last notice.");
        }
        if others > 0 {
            notice.text += &format!("\n{others} other notices were held back, because there were too many.");
        }
        lock(&lane.queue).push_back(notice);
        lane.wake.notify_one();
        Told::Queued
    }

    /// Sends what is told until `stop` is ready, and then what still waits, for a moment.
    pub async fn run(&self, clock: Clock, journal: Journal, stop: impl Future<Output = ()>) {
        let [critical, routine] =
            [Level::Critical, Level::Routine].map(|level| self.work(level, &clock, &journal, true));
        tokio::select! {
            () = stop => {}
            _ = async { tokio::join!(critical, routine) } => {}
        }
        let [critical, routine] =
            [Level::Critical, Level::Routine].map(|level| self.work(level, &clock, &journal, false));
        let _ = timeout(self.0.rule.last, async { tokio::join!(critical, routine) }).await;
    }

    /// Sends one notice after the other. A notice leaves the queue when it has been dealt with, so that one that is
    /// interrupted is sent again.
    async fn work(&self, level: Level, clock: &Clock, journal: &Journal, waits: bool) {
        let lane = &self.0.lanes[level as usize];
        loop {
            let next = lock(&lane.queue).front().cloned();
            match next {
                Some(notice) => {
                    self.deliver(&notice, clock, journal).await;
                    lock(&lane.queue).pop_front();
                }
                None if waits => lane.wake.notified().await,
                None => return,
            }
        }
    }

    async fn deliver(&self, notice: &Notice, clock: &Clock, journal: &Journal) {
        let policy = Arc::clone(&lock(&self.0.state).policy);
        let note = |channel, outcome, detail: &str| {
            let (notice, detail) = (notice.clone(), detail.to_string());
            journal(&Attempt { utc: clock(), notice, channel, outcome, detail });
        };
        let route = policy.route(notice.level);
        for channel in &route {
            let rule = &self.0.rule;
            let distrusted = {
                let state = lock(&self.0.state);
                let failed = state.failed.get(channel);
                failed.is_some_and(|(when, _)| clock().saturating_sub(*when) < rule.distrust)
            };
            let attempts = if distrusted { 1 } else { rule.attempts };
            let mut pause = rule.pause;
            for attempt in 1..=attempts {
                match self.send(&policy, *channel, notice).await {
                    Ok(()) => {
                        lock(&self.0.state).failed.remove(channel);
                        return note(Some(*channel), "delivered", "");
                    }
                    Err(DeliveryError::Failed(why)) if attempt < attempts => {
                        note(Some(*channel), "retry", &why);
                        sleep(pause).await;
                        pause *= 4;
                    }
                    Err(error) => {
                        let why = error.to_string();
                        note(Some(*channel), "failed", &why);
                        lock(&self.0.state).failed.insert(*channel, (clock(), why));
                        break;
                    }
                }
            }
        }
        let why = if route.is_empty() { "no channel is configured for it" } else { "no channel could deliver it" };
        note(None, "undelivered", why);
    }

    async fn send(&self, policy: &Policy, channel: Channel, notice: &Notice) -> Result<(), DeliveryError> {
        let (channels, source, limit) = (&policy.channels, policy.source.as_str(), self.0.rule.limit);
        let absent = |why: &String| DeliveryError::NotConfigured(why.clone());
        match channel {
            Channel::Email => email::send(channels.email.as_ref().map_err(absent)?, notice, source, limit).await,
            Channel::Slack => {
                let url = channels.slack.as_ref().map_err(absent)?;
                webhook::slack(&webhook::client()?, url, notice, source, limit).await
            }
            Channel::Sms => {
                let sms = channels.sms.as_ref().map_err(absent)?;
                webhook::sms(&webhook::client()?, sms, notice, source, limit).await
            }
            Channel::PagerDuty => {
                let pagerduty = channels.pagerduty.as_ref().map_err(absent)?;
                webhook::pagerduty(&webhook::client()?, pagerduty, notice, source, limit).await
            }
        }
    }

    /// Sends a test on one channel, once, and says what came of it.
    ///
    /// # Errors
    /// Why it was not delivered.
    pub async fn test(&self, channel: Channel) -> Result<(), DeliveryError> {
        let policy = Arc::clone(&lock(&self.0.state).policy);
        let text = "Somebody has asked for this in the configuration. Nothing has happened.";
        let notice = Notice::new(Level::Routine, Kind::Test, "This is a test", text);
        self.send(&policy, channel, &notice).await
    }

    /// How the channels are: what is known without sending anything.
    pub fn self_check(&self) -> Vec<ChannelState> {
        let state = lock(&self.0.state);
        let policy = &state.policy;
        let check = |channel: Channel| {
            let uses = [(policy.critical, "critical"), (policy.routine, "routine")];
            let used: Vec<&str> = uses.into_iter().filter(|(used, _)| *used == channel).map(|(_, word)| word).collect();
            let (ok, mut detail) = match (policy.channels.fault(channel), state.failed.get(&channel)) {
                (Some(super::channels::ABSENT), _) => (true, "not configured".to_string()),
                (Some(why), _) => (false, why.to_string()),
                (None, Some((_, why))) => (false, format!("the last notice was not delivered: {why}")),
                (None, None) => (true, "configured".to_string()),
            };
            if !used.is_empty() {
                detail += &format!("; for {} notices", used.join(" and "));
            }
            ChannelState { channel, ok, detail }
        };
        Channel::ALL.map(check).to_vec()
    }
}
