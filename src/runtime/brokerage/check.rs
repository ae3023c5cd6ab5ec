//! The self-check of the broker, for all who ask at once, and not more often than the broker should hear it.

use std::sync::{Arc, Weak};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::brokers::{Broker, SelfCheck};
use crate::runtime::core::Core;
use crate::settings::Key;

/// How long things take at most.
struct Limits {
    /// A result is given again for so long.
    kept: Duration,
    /// How long the broker has.
    check: Duration,
    /// How long somebody waits, also for a check that another one began: less than a call over the socket may take.
    patience: Duration,
}

/// The last check. Who asks while one is under way waits for it.
pub struct Checks {
    limits: Limits,
    last: Mutex<Option<Done>>,
}

struct Done {
    /// Which adapter was checked.
    of: Weak<dyn Broker>,
    at: Instant,
    found: Result<SelfCheck, String>,
}

impl Default for Checks {
    fn default() -> Checks {
        let [kept, check, patience] = [30, 20, 25].map(Duration::from_secs);
        Checks { limits: Limits { kept, check, patience }, last: Mutex::default() }
    }
}

impl Checks {
    /// The check of this adapter; what it found, or that it did not end in time.
    async fn of(&self, broker: Arc<dyn Broker>) -> Result<SelfCheck, String> {
        let Limits { kept, check, patience } = self.limits;
        let late = |limit: Duration| format!("not done within {} s", limit.as_secs_f64());
        let of = Arc::downgrade(&broker);
        let looking = async {
            let mut last = self.last.lock().await;
            if let Some(done) = last.as_ref().filter(|done| done.of.ptr_eq(&of) && done.at.elapsed() < kept) {
                return done.found.clone();
            }
            let found = timeout(check, broker.self_check()).await.map_err(|_| late(check));
            *last = Some(Done { of, at: Instant::now(), found: found.clone() });
            found
        };
        timeout(patience, looking).await.unwrap_or_else(|_| Err(late(patience)))
    }
}

/// The rows of the self-check that are about the broker. The lock of the house is not held meanwhile.
pub async fn rows(core: &Arc<Core>) -> Vec<Value> {
    let row = |module: &str, ok: bool, detail: String| json!({ "module": module, "ok": ok, "detail": detail });
    let how = core.work(|house| {
        let stored = house.settings();
        let simulated = stored.is_ok_and(|stored| stored.settings.text(Key::BrokerName) == "SIM");
        (simulated, house.trading.status().is_some_and(|(_, runs)| runs), Arc::clone(&house.brokerage.checks))
    });
    let (simulated, runs, checks) = match how.await {
        Ok(how) => how,
        Err(refusal) => return vec![row("broker", false, refusal.message)],
    };
    if simulated {
        let detail =
            if runs { "simulated: a recorded session is played" } else { "not connected: there is no session" };
        return vec![row("broker", true, detail.to_string())];
    }
    let broker = match core.broker().await {
        Ok(broker) => broker,
        Err(refusal) => return vec![row("broker", false, refusal.message)],
    };
    let name = broker.capabilities().name;
    match checks.of(broker).await {
        Ok(check) => {
            let failed: Vec<&str> = check.items.iter().filter(|item| !item.passed).map(|item| item.name).collect();
            let detail = match failed.as_slice() {
                [] => format!("{name}: fit for trading"),
                failed => format!("{name}: not well: {}", failed.join(", ")),
            };
            let items = check.items.iter();
            let items = items.map(|item| row(&format!("broker {}", item.name), item.passed, item.found.clone()));
            std::iter::once(row("broker", failed.is_empty(), detail)).chain(items).collect()
        }
        Err(why) => vec![row("broker", false, format!("{name}: the check was {why}"))],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::brokers::alpaca::{Alpaca, AlpacaOptions};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::net::TcpListener;

    /// A broker whose server takes connections and says nothing, and how many it took.
    async fn silent() -> (Arc<dyn Broker>, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let taken = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&taken);
        tokio::spawn(async move {
            let mut held = Vec::new();
            while let Ok((socket, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                held.push(socket);
            }
        });
        let options = AlpacaOptions::new(&url, "key".into(), "secret".into(), Arc::new(|| 0));
        (Arc::new(Alpaca::new(options).unwrap()), taken)
    }

    #[tokio::test]
    async fn a_broker_that_says_nothing_is_waited_for_once_and_for_a_while_only() {
        let (broker, taken) = silent().await;
        let limits = Limits {
            kept: Duration::from_secs(3_600),
            check: Duration::from_millis(300),
            patience: Duration::from_secs(60),
        };
        let checks = Arc::new(Checks { limits, last: Mutex::default() });
        let crowd = (0..50).map(|_| {
            let (checks, broker) = (Arc::clone(&checks), Arc::clone(&broker));
            tokio::spawn(async move { checks.of(broker).await })
        });
        for one in crowd.collect::<Vec<_>>() {
            assert_eq!(one.await.unwrap(), Err("not done within 0.3 s".to_string()));
        }
        assert_eq!(taken.load(Ordering::SeqCst), 1, "one call for all");
        // Another adapter is another broker.
        let (other, taken) = silent().await;
        assert!(checks.of(other).await.is_err());
        assert_eq!(taken.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn nobody_waits_for_ever_for_a_check_of_somebody_else() {
        let (broker, _) = silent().await;
        let limits =
            Limits { kept: Duration::ZERO, check: Duration::from_secs(3_600), patience: Duration::from_millis(50) };
        let checks = Checks { limits, last: Mutex::default() };
        let _held = checks.last.lock().await;
        assert_eq!(checks.of(broker).await, Err("not done within 0.05 s".to_string()));
    }
}
