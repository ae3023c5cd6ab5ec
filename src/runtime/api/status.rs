//! How the bot is.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::runtime::brokerage;
use crate::runtime::core::Core;
use crate::runtime::gate::Caller;
use crate::runtime::house::House;
use crate::runtime::protocol::Reply;
use crate::runtime::reply::Refusal;
use crate::vault::checks;

/// From this part of its room on the ledger is reported as nearly full.
const MOST_FULL: f64 = 0.9;

/// `GET /api/v1/status`.
pub fn get(house: &mut House, caller: &Caller) -> Result<Reply, Refusal> {
    Ok(Reply::json(house.status_json(caller.now)))
}

/// `GET /api/v1/selfcheck`: every module says whether it is well. The files are read without the lock.
pub async fn self_check(core: &Arc<Core>, caller: &Arc<Caller>) -> Result<Reply, Refusal> {
    let disk = core.with(|house| house.disk.clone());
    let vault = tokio::task::spawn_blocking(move || checks::self_check(&disk)).await;
    let vault = vault.map_err(|_| Refusal::internal("The check failed."))??;
    let mut all: Vec<Value> = vault.iter().map(|check| json!(check)).collect();
    let now = caller.now;
    all.extend(core.work(move |house| house.self_checks(now)).await?);
    all.extend(brokerage::self_check(core).await);
    all.extend(
        core.work(|house| house.check_universe().into_iter().chain(house.notice_checks()).collect::<Vec<_>>()).await?,
    );
    Ok(Reply::json(all))
}

impl House {
    /// What is wrong with the books: every entry balances, positions equal their lots, and there is room for more.
    fn books_fault(&self) -> Option<String> {
        let Some(books) = &self.books else { return Some("the books are not open".to_string()) };
        let (Ok(mut faults), Ok(full)) = (books.check(), books.fullness()) else {
            return Some("the books cannot be read".to_string());
        };
        if full > MOST_FULL {
            faults.push(format!("the ledger is full to {:.0} %", full * 100.0));
        }
        (!faults.is_empty()).then(|| faults.join("; "))
    }

    /// The checks of what this process holds in memory.
    fn self_checks(&mut self, now: crate::market::Nanos) -> Vec<Value> {
        let check = |module: &str, detail: Option<String>| json!({ "module": module, "ok": detail.is_none(), "detail": detail.unwrap_or_default() });
        let audit = self.audit.settle(now).err().map(|_| "the audit log cannot be written".to_string());
        let settings = self.settings().err().map(|error| Refusal::from(error).message);
        let users = match self.user_count().unwrap_or(0) {
            0 => Some("there is no user, or they cannot be read".to_string()),
            _ => None,
        };
        let books = self.books_fault();
        let state = (!self.faults.is_empty()).then(|| self.faults.join("; "));
        vec![
            check("audit", audit),
            check("settings", settings),
            check("users", users),
            check("books", books),
            check("state", state),
        ]
    }

    /// The checks of the channels of notices.
    fn notice_checks(&self) -> Vec<Value> {
        let channels = self.notifier.self_check().into_iter().map(|state| {
            let module = format!("notify {}", state.channel.word());
            json!({ "module": module, "ok": state.ok, "detail": state.detail })
        });
        channels.collect()
    }
}
