//! The broker of the bot: one adapter for everybody, made from the configuration.
//!
//! Sessions, checks and the nightly choice of symbols ask the same adapter, so that the broker's limit of calls is kept
//! by all together, and nobody opens a second stream of market data, which the broker would refuse.
//!
//! | file | subject |
//! | --- | --- |
//! | `api_log` | what is said to the broker and what it answers, in `logs/broker_api.log` |
//! | `health` | whether it answers, how fast, and how often not |
//! | `check` | its self-check |
//! | `universe` | the symbols that may be traded, chosen once a night |

mod api_log;
mod check;
mod health;
pub mod universe;

use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::clock::Clock;
use super::core::Core;
use super::reply::Refusal;
use super::{House, Phase};
use crate::brokers::alpaca::{self, Alpaca, AlpacaOptions, Now};
use crate::brokers::{ApiLine, ApiLog, Broker, Capabilities};
use crate::settings::Key;
use crate::vault::audit::{Action, Entry};
use crate::vault::{Actor, SecretFile, secrets};

pub use api_log::ApiLogFile;
pub use check::rows as self_check;
pub use health::Health;

/// How often it is looked whether there is something to do.
const LOOK: Duration = Duration::from_secs(5);
/// A broker that nobody asked for so long is asked for its time, so that the status knows whether it is there.
const PROBE: Duration = Duration::from_secs(60);

/// What a broker can do that is named by BROKER_NAME; `None` for the simulated one, which can do everything, and for
/// those that this program has no adapter for.
pub fn capabilities(name: &str) -> Option<&'static Capabilities> {
    (name == alpaca::CAPABILITIES.name).then_some(&alpaca::CAPABILITIES)
}

/// The broker of the bot, once somebody asked for it.
#[derive(Default)]
pub struct Brokerage {
    open: Option<Open>,
    health: Arc<Health>,
    checks: Arc<check::Checks>,
    nightly: universe::Nightly,
    /// The clock of the audit log.
    system: Option<Clock>,
    /// One log for all adapters of this process; its thread begins with the first of them.
    log: Option<Arc<ApiLogFile>>,
}

/// What hears everything that is said to the broker and that it answers.
struct Ears {
    health: Arc<Health>,
    file: Arc<ApiLogFile>,
}

impl ApiLog for Ears {
    fn record(&self, line: &ApiLine) {
        self.health.hear(line);
        self.file.record(line);
    }
}

impl Brokerage {
    /// How the broker is, for the status: `name` is BROKER_NAME, `runs` whether a session runs.
    pub fn status(&self, name: Option<&str>, configured: bool, runs: bool) -> Value {
        let health = match name {
            Some("SIM") if runs => "simulated",
            Some("SIM") | None => "not connected",
            Some(name) if capabilities(name).is_none() => "no adapter",
            Some(_) => self.health.word(),
        };
        let mut status = json!({ "name": name, "configured": configured, "health": health });
        if let (Value::Object(status), Value::Object(heard)) = (&mut status, self.health.json()) {
            status.extend(heard);
        }
        status["lost_log_lines"] = json!(self.log.as_ref().map_or(0, |log| log.lost()));
        status
    }

    /// Follows this clock in what is audited.
    pub fn audit_by(&mut self, system: &Clock) {
        self.system = Some(Arc::clone(system));
    }

    /// The adapter is not the broker's any more; whoever has it may use it to the end.
    fn close(&mut self) {
        if self.open.take().is_some() {
            self.health.begin_anew();
        }
    }

    /// Calls of the broker that were repeated.
    pub fn retries(&self) -> u64 {
        self.health.retries()
    }
}

struct Open {
    options: AlpacaOptions,
    broker: Arc<Alpaca>,
}

impl House {
    /// The broker that the configuration and the settings name. It is made without a word to the broker; `now` is the
    /// clock of whatever has to do with it. As long as both say the same, and while a session runs, it stays the
    /// one that was made before.
    ///
    /// # Errors
    /// 409 `no_market_data`: this broker has no adapter. 409 `broker_not_configured`: something is missing or wrong.
    /// Settings or credentials cannot be read.
    pub fn broker(&mut self, now: Now) -> Result<Arc<dyn Broker>, Refusal> {
        if let Some(open) = self.brokerage.open.as_ref().filter(|_| self.trading.runs_any()) {
            return Ok(Arc::clone(&open.broker) as Arc<dyn Broker>);
        }
        let settings = self.settings()?.settings.clone();
        let name = settings.text(Key::BrokerName);
        if capabilities(name).is_none() {
            self.brokerage.close();
            let why = match name {
                "SIM" => "There is no broker to ask: SIM plays the recorded sessions of SIM_DATA.".to_string(),
                name => format!("There are no market data to trade on: this program has no adapter for {name} yet."),
            };
            return Err(Refusal::conflict("no_market_data", why));
        }
        let fields = secrets::read_fields(&self.disk, &self.keys, SecretFile::Broker)?.unwrap_or_default();
        let field = |name: &str| fields.get(name).cloned().unwrap_or_default();
        let (key_id, secret_key) = (field("BROKER_API_KEY"), field("BROKER_SECRET_KEY"));
        let clock = Arc::clone(&now);
        let options = AlpacaOptions::new(field("BROKER_URL").expose_secret(), key_id, secret_key, now);
        let options = options.with_settings(&settings);
        if let Some(open) = self.brokerage.open.as_ref().filter(|open| is_same(&open.options, &options)) {
            return Ok(Arc::clone(&open.broker) as Arc<dyn Broker>);
        }
        let file = match &self.brokerage.log {
            Some(file) => Arc::clone(file),
            None => {
                let file = ApiLogFile::begin(Arc::clone(&self.logs));
                Arc::new(file.map_err(|_| Refusal::internal("The system gives no thread."))?)
            }
        };
        self.brokerage.log = Some(Arc::clone(&file));
        let health = Arc::clone(&self.brokerage.health);
        let options = AlpacaOptions { log: Arc::new(Ears { health, file }), ..options };
        let broker = Arc::new(Alpaca::new(options.clone()).map_err(|error| {
            Refusal::conflict("broker_not_configured", format!("The broker is not configured as it must be: {error}."))
        })?);
        let category = SecretFile::Broker.category().name();
        let now = self.brokerage.system.as_ref().map_or_else(|| clock(), |system| system());
        let entry = Entry::new(now, &Actor::core(), Action::SecretDecrypt, category, "done");
        self.audit.note(entry.detail(Value::from("credentials of the broker")));
        self.brokerage.health.begin_anew();
        self.brokerage.open = Some(Open { options, broker: Arc::clone(&broker) });
        Ok(broker)
    }
}

/// Whether two adapters made from these would be the same to the broker.
fn is_same(a: &AlpacaOptions, b: &AlpacaOptions) -> bool {
    let same = |a: &SecretString, b: &SecretString| a.expose_secret() == b.expose_secret();
    a.url == b.url
        && same(&a.key_id, &b.key_id)
        && same(&a.secret_key, &b.secret_key)
        && (a.timeout, a.retry_limit) == (b.timeout, b.retry_limit)
}

impl Core {
    /// As [`House::broker`], on the clock of trading and away from the event loop.
    ///
    /// # Errors
    /// As [`House::broker`].
    pub async fn broker(self: &Arc<Core>) -> Result<Arc<dyn Broker>, Refusal> {
        let now = self.market_clock().now;
        self.work(move |house| house.broker(now)).await?
    }
}

/// What the core does about the broker by itself, for ever.
pub async fn attend(core: Arc<Core>) {
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        probe(&core).await;
        universe::build_if_due(&core).await;
    }
}

/// Asks a broker that was not heard for a while for its time. What comes of it is heard by [`Health`], and by the clock
/// of trading, if that follows the broker.
async fn probe(core: &Arc<Core>) {
    let is_due = core.work(|house| {
        matches!(house.phase(), Phase::Main | Phase::Error) && house.brokerage.health.is_silent_for(PROBE)
    });
    if is_due.await.unwrap_or(false)
        && let Ok(broker) = core.broker().await
    {
        // Not longer, for there is more to attend to than a broker that says nothing.
        if let Ok(Ok(told)) = timeout(PROBE, broker.get_clock()).await {
            core.trading_clock.tell(told.time);
        }
    }
}
