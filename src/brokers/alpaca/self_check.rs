//! Whether everything is fit for trading.

use super::Shared;
use super::stream::{Connection, Ended};
use super::{data_stream, order_stream};
use crate::brokers::{AccountInfo, BrokerError, CheckItem, SelfCheck, Stream};
use crate::market::{Nanos, SECOND};

/// Most that the clocks may be apart.
const LARGEST_DRIFT: Nanos = 2 * SECOND;
/// A symbol that always has a quote.
const QUOTED: &str = "SPY";

fn item(name: &'static str, result: Result<String, String>) -> CheckItem {
    let (passed, found) = match result {
        Ok(found) => (true, found),
        Err(found) => (false, found),
    };
    CheckItem { name, passed, found }
}

impl Shared {
    pub(super) async fn self_check(&self) -> SelfCheck {
        let account = self.account().await;
        let mut items = vec![item("credentials", credentials(&account)), item("account", tradable(&account))];
        items.push(item("clock", self.check_clock().await));
        for (name, stream) in [("order stream", Stream::Orders), ("market data stream", Stream::MarketData)] {
            items.push(item(name, self.check_stream(stream).await));
        }
        items.push(item("quote", self.check_quote().await));
        SelfCheck { items }
    }

    async fn check_clock(&self) -> Result<String, String> {
        let before = self.http.now();
        let clock = self.clock().await.map_err(|error| error.to_string())?;
        let after = self.http.now();
        // The answer was made somewhere between question and arrival.
        let drift = if clock.time < before { before - clock.time } else { (clock.time - after).max(0) };
        let seconds = drift as f64 / SECOND as f64;
        if drift < LARGEST_DRIFT {
            Ok(format!("at most {seconds:.1} s from the broker's"))
        } else {
            Err(format!("{seconds:.1} s from the broker's; less than 2 s are needed: set the system clock"))
        }
    }

    /// A stream that is up was shaken hands on. A second connection for market data would be refused.
    async fn check_stream(&self, stream: Stream) -> Result<String, String> {
        if self.is_up(stream) {
            return Ok("connected".to_string());
        }
        let result: Result<Connection<'_>, Ended> = match stream {
            Stream::Orders => order_stream::handshake(&self.http).await,
            Stream::MarketData => data_stream::handshake(&self.http).await,
        };
        match result {
            Ok(connection) => {
                connection.close().await;
                Ok("connects and authenticates".to_string())
            }
            Err(ended) => Err(ended.why),
        }
    }

    async fn check_quote(&self) -> Result<String, String> {
        let quotes = self.latest_quotes(&[QUOTED.to_string()]).await.map_err(|error| error.to_string())?;
        match quotes.first() {
            Some(quote) => Ok(format!("{} {} to {}", quote.symbol, quote.bid, quote.ask)),
            None => Err(format!("there is no quote of {QUOTED}")),
        }
    }
}

fn credentials(account: &Result<AccountInfo, BrokerError>) -> Result<String, String> {
    match account {
        Ok(_) => Ok("accepted".to_string()),
        Err(error @ BrokerError::Auth { .. }) => Err(format!(
            "{error}; enter BROKER_API_KEY and BROKER_SECRET_KEY again, and see that they belong to BROKER_URL: paper and live have keys of their own"
        )),
        Err(error) => Err(format!("not tested, the broker cannot be reached: {error}")),
    }
}

fn tradable(account: &Result<AccountInfo, BrokerError>) -> Result<String, String> {
    match account {
        Ok(account) if account.is_tradable() => {
            Ok(format!("{}, equity {} USD, buying power {} USD", account.status, account.equity, account.buying_power))
        }
        Ok(account) => Err(account.restrictions.join("; ")),
        Err(_) => Err("not known".to_string()),
    }
}
