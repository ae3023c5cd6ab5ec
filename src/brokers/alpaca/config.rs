//! Where Alpaca is, and how it is spoken to.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use secrecy::SecretString;

use crate::brokers::{ApiLog, NoApiLog};
use crate::market::Nanos;
use crate::settings::{Key, Settings};
use crate::stats::philox4x32;

/// Hosts of the trading interface: real money and paper.
const TRADING_HOSTS: [&str; 2] = ["api.alpaca.markets", "paper-api.alpaca.markets"];

/// Configuration that cannot work.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Nothing works without it.
    #[error("{0} is not set")]
    Missing(&'static str),
    /// Credentials are sent in headers.
    #[error("{0} has characters that no header can carry; enter it again, without spaces or line breaks")]
    NotAHeader(&'static str),
    /// Not an address of the broker.
    #[error(
        "BROKER_URL '{url}': {reason}; expected https://api.alpaca.markets, https://paper-api.alpaca.markets or an address of this machine such as http://127.0.0.1:8080"
    )]
    Url { url: String, reason: &'static str },
    /// The TLS library could not be set up.
    #[error("cannot set up connections: {0}")]
    Client(String),
}

/// Source of market data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Feed {
    /// One exchange, free of charge.
    #[default]
    Iex,
    /// All exchanges; needs a subscription.
    Sip,
}

impl Feed {
    /// The name in requests.
    pub fn name(self) -> &'static str {
        match self {
            Feed::Iex => "iex",
            Feed::Sip => "sip",
        }
    }
}

/// Waiting times. Tests have shorter ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// Before the first repetition of a call; doubled for each further one.
    pub retry_first: Duration,
    pub retry_longest: Duration,
    /// Before a lost stream is connected again; doubled each time until data have arrived.
    pub reconnect_first: Duration,
    pub reconnect_longest: Duration,
    /// Between two pings on a stream.
    pub ping: Duration,
    /// A stream on which nothing has arrived for so long, not even the answer to a ping, is down.
    pub silence: Duration,
    /// Between two comparisons with the broker's records while orders are pending.
    pub poll: Duration,
    /// After this time without a trace of an order, it can be taken as never received.
    pub lost_after: Duration,
}

impl Default for Timing {
    fn default() -> Timing {
        Timing {
            retry_first: Duration::from_millis(500),
            retry_longest: Duration::from_secs(8),
            reconnect_first: Duration::from_secs(1),
            reconnect_longest: Duration::from_secs(30),
            ping: Duration::from_secs(10),
            silence: Duration::from_secs(25),
            poll: Duration::from_secs(15),
            lost_after: Duration::from_secs(90),
        }
    }
}

/// The current time, UTC nanoseconds. The library has no clock of its own.
pub type Now = Arc<dyn Fn() -> Nanos + Send + Sync>;

/// Everything that an [`super::Alpaca`] needs.
#[derive(Clone)]
pub struct AlpacaOptions {
    /// BROKER_URL: base of the trading interface, with or without `/v2`.
    pub url: String,
    /// BROKER_API_KEY.
    pub key_id: SecretString,
    /// BROKER_SECRET_KEY.
    pub secret_key: SecretString,
    pub feed: Feed,
    /// API_RETRY_LIMIT: repetitions of a failed call.
    pub retry_limit: u32,
    /// API_TIMEOUT of one call.
    pub timeout: Duration,
    /// Calls a minute that the broker allows, until it says otherwise.
    pub calls_per_minute: u32,
    pub timing: Timing,
    pub now: Now,
    pub log: Arc<dyn ApiLog>,
}

impl fmt::Debug for AlpacaOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AlpacaOptions").field("url", &self.url).field("feed", &self.feed).finish_non_exhaustive()
    }
}

impl AlpacaOptions {
    /// Options with the default waiting times.
    pub fn new(url: &str, key_id: SecretString, secret_key: SecretString, now: Now) -> AlpacaOptions {
        AlpacaOptions {
            url: url.to_string(),
            key_id,
            secret_key,
            feed: Feed::default(),
            retry_limit: 3,
            timeout: Duration::from_secs(30),
            calls_per_minute: 200,
            timing: Timing::default(),
            now,
            log: Arc::new(NoApiLog),
        }
    }

    /// The same with API_RETRY_LIMIT and API_TIMEOUT as they are set.
    #[must_use]
    pub fn with_settings(mut self, settings: &Settings) -> AlpacaOptions {
        // The table of settings keeps both within small positive ranges.
        self.retry_limit = u32::try_from(settings.int(Key::ApiRetryLimit)).unwrap_or(0);
        self.timeout = Duration::from_secs(settings.int(Key::ApiTimeout).unsigned_abs());
        self
    }
}

/// The four addresses that follow from BROKER_URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origins {
    /// Without a slash at the end, as all of them.
    pub(super) trading: String,
    pub(super) data: String,
    pub(super) order_stream: String,
    pub(super) data_stream: String,
}

impl Origins {
    /// Derives them: the broker's hosts have a data host and a data stream of their own, any other address serves
    /// everything itself.
    pub(super) fn derive(url: &str, feed: Feed) -> Result<Origins, ConfigError> {
        let refuse = |reason| ConfigError::Url { url: without_user(url), reason };
        let parsed = Url::parse(url.trim()).map_err(|_| refuse("not a URL"))?;
        let host = parsed.host_str().ok_or_else(|| refuse("no host"))?;
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(refuse("a URL must not hold credentials"));
        }
        if !matches!(parsed.path().trim_end_matches('/'), "" | "/v2")
            || parsed.query().is_some()
            || parsed.fragment().is_some()
        {
            return Err(refuse("nothing but /v2 may follow the host"));
        }
        let feed = feed.name();
        if TRADING_HOSTS.contains(&host) {
            if parsed.scheme() != "https" || parsed.port().is_some() {
                return Err(refuse("the broker is reached by https, on its usual port"));
            }
            return Ok(Origins {
                trading: format!("https://{host}"),
                data: "https://data.alpaca.markets".to_string(),
                order_stream: format!("wss://{host}/stream"),
                data_stream: format!("wss://stream.data.alpaca.markets/v2/{feed}"),
            });
        }
        if !is_loopback(host) {
            return Err(refuse("a host of somebody else"));
        }
        let ws = match parsed.scheme() {
            "http" => "ws",
            "https" => "wss",
            _ => return Err(refuse("neither http nor https")),
        };
        let authority = match parsed.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_string(),
        };
        let http = format!("{}://{authority}", parsed.scheme());
        Ok(Origins {
            trading: http.clone(),
            data: http,
            order_stream: format!("{ws}://{authority}/stream"),
            data_stream: format!("{ws}://{authority}/v2/{feed}"),
        })
    }
}

/// A URL for an error message: what comes before an `@` may be a password.
fn without_user(url: &str) -> String {
    match url.rsplit_once('@') {
        Some((_, rest)) => format!("...@{rest}"),
        None => url.to_string(),
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Waits that double, with a jitter that is the same in every run: half of the wait is fixed, half is drawn from the
/// number of the attempt and `key`, so that two clients that lost the same server do not come back together.
pub(super) fn backoff(first: Duration, longest: Duration, attempt: u32, key: &str) -> Duration {
    let full = first.saturating_mul(1_u32.checked_shl(attempt.min(31)).unwrap_or(u32::MAX)).min(longest);
    // FNV-1a: the hasher of the standard library may differ between versions.
    let hash = key
        .bytes()
        .fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3));
    let draw = philox4x32([attempt, 0, 0, 0], [hash as u32, (hash >> 32) as u32])[0];
    full.mul_f64(0.5 + 0.5 * f64::from(draw) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_brokers_hosts_have_a_data_host_of_their_own() {
        for url in [
            "https://paper-api.alpaca.markets",
            "https://paper-api.alpaca.markets/v2/",
            " https://PAPER-API.alpaca.markets/ ",
        ] {
            let origins = Origins::derive(url, Feed::Iex).unwrap();
            assert_eq!(origins.trading, "https://paper-api.alpaca.markets");
            assert_eq!(origins.data, "https://data.alpaca.markets");
            assert_eq!(origins.order_stream, "wss://paper-api.alpaca.markets/stream");
            assert_eq!(origins.data_stream, "wss://stream.data.alpaca.markets/v2/iex");
        }
        assert_eq!(
            Origins::derive("https://api.alpaca.markets", Feed::Sip).unwrap().data_stream,
            "wss://stream.data.alpaca.markets/v2/sip"
        );
    }

    #[test]
    fn an_address_of_this_machine_serves_everything() {
        for (url, http, ws) in [
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080", "ws://127.0.0.1:8080"),
            ("https://localhost:1", "https://localhost:1", "wss://localhost:1"),
            ("http://[::1]:9/v2", "http://[::1]:9", "ws://[::1]:9"),
            ("http://127.8.9.1", "http://127.8.9.1", "ws://127.8.9.1"),
        ] {
            let origins = Origins::derive(url, Feed::Iex).unwrap();
            assert_eq!((origins.trading.as_str(), origins.data.as_str()), (http, http));
            assert_eq!(origins.order_stream, format!("{ws}/stream"));
            assert_eq!(origins.data_stream, format!("{ws}/v2/iex"));
        }
    }

    #[test]
    fn other_hosts_and_plain_http_to_the_broker_are_refused() {
        for url in [
            "http://api.alpaca.markets",
            "https://api.alpaca.markets:8443",
            "https://api.alpaca.markets.evil.example",
            "https://evil.example/api.alpaca.markets",
            "https://user:pass@api.alpaca.markets",
            "https://api.alpaca.markets@evil.example",
            "https://api.alpaca.markets/v1",
            "https://api.alpaca.markets/?x=1",
            "https://data.alpaca.markets",
            "ftp://127.0.0.1",
            "http://10.0.0.1",
            "http://127.0.0.1.evil.example",
            "127.0.0.1:80",
            "",
        ] {
            let refused = Origins::derive(url, Feed::Iex).unwrap_err();
            assert!(!refused.to_string().contains("user:pass"), "{refused}");
        }
    }

    #[test]
    fn waits_double_up_to_the_longest_with_the_same_jitter_in_every_run() {
        let wait = |attempt, key| backoff(Duration::from_secs(1), Duration::from_secs(30), attempt, key);
        for attempt in 0..40 {
            let full = Duration::from_secs(1 << attempt.min(5)).min(Duration::from_secs(30));
            assert!(wait(attempt, "x") >= full / 2 && wait(attempt, "x") <= full, "{attempt}");
            assert_eq!(wait(attempt, "x"), wait(attempt, "x"));
        }
        assert_ne!(wait(3, "x"), wait(3, "y"));
    }
}
