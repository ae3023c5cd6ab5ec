//! The broker of the bot: one adapter for everybody, made from the configuration.
//!
//! Sessions, checks and the nightly choice of symbols ask the same adapter, so that the broker's limit of calls is kept
//! by all together, and nobody opens a second stream of market data, which the broker would refuse.
//!
//! | file | subject |
//! | --- | --- |
//! | `api_log` | what is said to the broker and what it answers, in `logs/broker_api.log` |

mod api_log;

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::House;
use super::core::Core;
use super::reply::Refusal;
use crate::brokers::alpaca::{self, Alpaca, AlpacaOptions, Now};
use crate::brokers::{Broker, Capabilities};
use crate::settings::Key;
use crate::vault::audit::{Action, Entry};
use crate::vault::{Actor, SecretFile, secrets};

pub use api_log::ApiLogFile;

/// What a broker can do that is named by BROKER_NAME; `None` for the simulated one, which can do everything, and for
/// those that this program has no adapter for.
pub fn capabilities(name: &str) -> Option<&'static Capabilities> {
    (name == alpaca::CAPABILITIES.name).then_some(&alpaca::CAPABILITIES)
}

/// The broker of the bot, once somebody asked for it.
#[derive(Default)]
pub struct Brokerage {
    open: Option<Open>,
    /// One log for all adapters of this process; its thread begins with the first of them.
    log: Option<Arc<ApiLogFile>>,
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
        match settings.text(Key::BrokerName) {
            "ALPACA" => {}
            "SIM" => {
                let why = "There is no broker to ask: SIM plays the recorded sessions of SIM_DATA.";
                return Err(Refusal::conflict("no_market_data", why));
            }
            name => {
                let why = format!("There are no market data to trade on: this program has no adapter for {name} yet.");
                return Err(Refusal::conflict("no_market_data", why));
            }
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
        let log = match &self.brokerage.log {
            Some(log) => Arc::clone(log),
            None => {
                let log = ApiLogFile::begin(Arc::clone(&self.logs));
                Arc::new(log.map_err(|_| Refusal::internal("The system gives no thread."))?)
            }
        };
        self.brokerage.log = Some(Arc::clone(&log));
        let options = AlpacaOptions { log, ..options };
        let broker = Arc::new(Alpaca::new(options.clone()).map_err(|error| {
            Refusal::conflict("broker_not_configured", format!("The broker is not configured as it must be: {error}."))
        })?);
        let category = SecretFile::Broker.category().name();
        let entry = Entry::new(clock(), &Actor::core(), Action::SecretDecrypt, category, "done");
        self.audit.note(entry.detail(Value::from("credentials of the broker")));
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
