//! Calls: headers, time limits, repetition, log.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Client, Method, redirect};
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;

use super::config::{AlpacaOptions, ConfigError, Origins, backoff};
use super::limiter::{Limiter, Urgency};
use super::refusal;
use crate::brokers::api_log::Redactor;
use crate::brokers::{ApiLine, BrokerError, Direction};
use crate::market::{Nanos, SECOND, format_time};

/// Longest answer that is read, in bytes. The list of all assets is the longest by far.
const LONGEST_ANSWER: usize = 64 << 20;
/// Longest time that a refusal for too many calls is believed to last.
const LONGEST_BLOCK: Duration = Duration::from_secs(120);

/// Which of the two interfaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Base {
    Trading,
    Data,
}

/// A call.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) base: Base,
    /// With its query.
    pub(super) path: String,
    pub(super) body: Option<Value>,
    pub(super) urgency: Urgency,
}

impl Call {
    /// A question to the trading interface.
    pub(super) fn get(path: impl Into<String>) -> Call {
        Call { method: Method::GET, base: Base::Trading, path: path.into(), body: None, urgency: Urgency::Other }
    }

    /// A question to the data interface.
    pub(super) fn data(path: impl Into<String>) -> Call {
        Call { base: Base::Data, ..Call::get(path) }
    }

    /// Something about an order.
    pub(super) fn order(method: Method, path: impl Into<String>, body: Option<Value>) -> Call {
        Call { method, base: Base::Trading, path: path.into(), body, urgency: Urgency::Order }
    }

    /// The call in messages and logs.
    pub(super) fn what(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// An answer of any status, read to its end.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: String,
    /// How long not to ask again, if the broker said so.
    pub(super) wait: Option<Duration>,
}

impl Reply {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Refused as one call too many; nothing was done.
    pub(super) fn is_rate_limited(&self) -> bool {
        self.status == 429
    }

    /// The server, or something before it, is out of order; the call may have been carried out.
    pub(super) fn is_outage(&self) -> bool {
        self.status >= 500 || self.status == 408
    }
}

/// No answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// The call never left.
    NotSent(String),
    /// The call was not made, since no more are allowed for so long.
    Held(Duration),
    /// It may have arrived.
    Lost(String),
}

/// The client.
pub(super) struct Http {
    client: Client,
    origins: Origins,
    pub(super) options: AlpacaOptions,
    limiter: Limiter,
    pub(super) redactor: Arc<Redactor>,
    calls: AtomicU64,
    /// Called when the broker refuses calls for a while.
    on_limit: Box<dyn Fn(Duration) + Send + Sync>,
}

impl Http {
    pub(super) fn new(
        options: AlpacaOptions,
        on_limit: Box<dyn Fn(Duration) + Send + Sync>,
    ) -> Result<Http, ConfigError> {
        let origins = Origins::derive(&options.url, options.feed)?;
        let mut headers = HeaderMap::new();
        for (header, field, secret) in [
            ("apca-api-key-id", "BROKER_API_KEY", &options.key_id),
            ("apca-api-secret-key", "BROKER_SECRET_KEY", &options.secret_key),
        ] {
            if secret.expose_secret().is_empty() {
                return Err(ConfigError::Missing(field));
            }
            let mut value =
                HeaderValue::from_str(secret.expose_secret()).map_err(|_| ConfigError::NotAHeader(field))?;
            value.set_sensitive(true);
            headers.insert(header, value);
        }
        // The first provider that is installed stays; another room may have been earlier.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .default_headers(headers)
            .user_agent(concat!("tradebot/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .timeout(options.timeout)
            // A connection that the broker has closed meanwhile would lose the order that is sent on it.
            .pool_idle_timeout(Duration::from_secs(30))
            .no_proxy()
            .build()
            .map_err(|error| ConfigError::Client(error.to_string()))?;
        Ok(Http {
            client,
            origins,
            limiter: Limiter::new(options.calls_per_minute),
            redactor: Arc::new(Redactor::new([options.key_id.clone(), options.secret_key.clone()])),
            calls: AtomicU64::new(1),
            on_limit,
            options,
        })
    }

    pub(super) fn origins(&self) -> &Origins {
        &self.origins
    }

    pub(super) fn now(&self) -> Nanos {
        (self.options.now)()
    }

    /// A number for the log.
    pub(super) fn next_call(&self) -> u64 {
        self.calls.fetch_add(1, Ordering::Relaxed)
    }

    /// Writes a line of the log.
    pub(super) fn log(&self, direction: Direction, call: u64, what: &str, body: &str) {
        self.options.log.record(&self.line(direction, call, what, body));
    }

    fn line(&self, direction: Direction, call: u64, what: &str, body: &str) -> ApiLine {
        ApiLine {
            time: format_time(self.now()),
            broker: "ALPACA",
            direction,
            call,
            attempt: 0,
            what: self.redactor.text(what),
            status: None,
            took_ms: None,
            body: self.redactor.later(body),
        }
    }

    /// The wait before repetition number `attempt`, counted from 0.
    pub(super) fn pause(&self, attempt: u32, key: &str) -> Duration {
        let timing = &self.options.timing;
        backoff(timing.retry_first, timing.retry_longest, attempt, key)
    }

    /// One try.
    pub(super) async fn once(&self, call: &Call, attempt: u32) -> Result<Reply, Failure> {
        // What was decided for now must not be done much later.
        self.limiter.admit(call.urgency, self.options.timeout).await.map_err(Failure::Held)?;
        let number = self.next_call();
        let what = call.what();
        let body = call.body.as_ref().map(Value::to_string).unwrap_or_default();
        let base = match call.base {
            Base::Trading => &self.origins.trading,
            Base::Data => &self.origins.data,
        };
        let mut request = self.client.request(call.method.clone(), format!("{base}{}", call.path));
        if !body.is_empty() {
            request = request.header("content-type", "application/json").body(body.clone());
        }
        self.options.log.record(&ApiLine { attempt, ..self.line(Direction::Request, number, &what, &body) });
        let started = Instant::now();
        let result = self.exchange(request).await;
        let took_ms = Some(u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX));
        let line = match &result {
            Ok(reply) => {
                ApiLine { status: Some(reply.status), ..self.line(Direction::Reply, number, &what, &reply.body) }
            }
            Err(Failure::NotSent(why) | Failure::Lost(why)) => self.line(Direction::Failure, number, &what, why),
            Err(Failure::Held(_)) => self.line(Direction::Failure, number, &what, "held"),
        };
        self.options.log.record(&ApiLine { attempt, took_ms, ..line });
        if let Ok(reply) = &result
            && reply.is_rate_limited()
        {
            let wait = reply.wait.unwrap_or_else(|| self.pause(attempt, "rate limit"));
            self.limiter.block(wait);
            (self.on_limit)(wait);
        }
        result
    }

    async fn exchange(&self, request: reqwest::RequestBuilder) -> Result<Reply, Failure> {
        let mut response = request.send().await.map_err(|error| self.failure(&error))?;
        let status = response.status().as_u16();
        let wait = self.wait_of(status, response.headers());
        if let Some(left) = number_of(response.headers(), "x-ratelimit-remaining") {
            self.limiter.learn(number_of(response.headers(), "x-ratelimit-limit"), left);
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.failure(&error))? {
            if bytes.len() + chunk.len() > LONGEST_ANSWER {
                return Err(Failure::Lost(format!("the answer is longer than {LONGEST_ANSWER} bytes")));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Reply { status, body: String::from_utf8_lossy(&bytes).into_owned(), wait })
    }

    fn failure(&self, error: &reqwest::Error) -> Failure {
        let mut why = error.to_string();
        let mut source = std::error::Error::source(error);
        while let Some(error) = source {
            why = format!("{why}: {error}");
            source = error.source();
        }
        let why = self.redactor.text(&why);
        if error.is_connect() || error.is_builder() { Failure::NotSent(why) } else { Failure::Lost(why) }
    }

    /// `Retry-After` in seconds, else until `X-RateLimit-Reset`, which is a time in Unix seconds.
    fn wait_of(&self, status: u16, headers: &HeaderMap) -> Option<Duration> {
        if status != 429 && status != 503 {
            return None;
        }
        let seconds = number_of(headers, "retry-after").or_else(|| {
            let reset = number_of(headers, "x-ratelimit-reset")?;
            let now = u64::try_from(self.now() / SECOND).unwrap_or(0);
            Some(reset.saturating_sub(now))
        })?;
        Some(Duration::from_secs(seconds).min(LONGEST_BLOCK))
    }

    /// A call that may be repeated: every question, and every request that is the same done twice. Gives the answer
    /// unless it is an outage or a refusal for too many calls, which are repeated up to the retry limit.
    pub(super) async fn call(&self, call: &Call) -> Result<Reply, BrokerError> {
        let mut attempt = 0;
        loop {
            let (error, wait) = match self.once(call, attempt).await {
                Ok(reply) if reply.is_rate_limited() => {
                    let wait = reply.wait.unwrap_or_else(|| self.pause(attempt, &call.path));
                    (BrokerError::RateLimited { retry_after: wait }, wait)
                }
                Ok(reply) if reply.is_outage() => {
                    let why = format!("the broker answers with status {}", reply.status);
                    let wait = reply.wait.unwrap_or_else(|| self.pause(attempt, &call.path));
                    (BrokerError::Network { what: call.what(), why }, wait)
                }
                Ok(reply) => return Ok(reply),
                Err(Failure::Held(wait)) => return Err(BrokerError::RateLimited { retry_after: wait }),
                Err(Failure::NotSent(why) | Failure::Lost(why)) => {
                    (BrokerError::Network { what: call.what(), why }, self.pause(attempt, &call.path))
                }
            };
            if attempt >= self.options.retry_limit {
                return Err(error);
            }
            tokio::time::sleep(wait).await;
            attempt += 1;
        }
    }

    /// The answer to a question as `T`.
    pub(super) async fn ask<T: DeserializeOwned>(&self, call: &Call) -> Result<T, BrokerError> {
        self.ask_for(call).await?.ok_or_else(|| BrokerError::NotFound(call.path.clone()))
    }

    /// As [`Http::ask`]; `None` if what is asked for does not exist.
    pub(super) async fn ask_for<T: DeserializeOwned>(&self, call: &Call) -> Result<Option<T>, BrokerError> {
        let reply = self.call(call).await?;
        if reply.is_success() {
            return self.parse(&call.what(), &reply.body).map(Some);
        }
        match refusal::of(&call.what(), &reply, &self.redactor) {
            BrokerError::NotFound(_) => Ok(None),
            error => Err(error),
        }
    }

    /// Reads an answer.
    pub(super) fn parse<T: DeserializeOwned>(&self, what: &str, body: &str) -> Result<T, BrokerError> {
        serde_json::from_str(body).map_err(|error| BrokerError::Protocol {
            what: what.to_string(),
            why: self.redactor.text(&format!("{error} in '{}'", refusal::excerpt(body))),
        })
    }
}

fn number_of(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}
