//! What is known of companies, from Finnhub or from anything that speaks like it.
//!
//! `GET /stock/metric?symbol=AAPL&metric=all` with the header `X-Finnhub-Token` gives
//! `{"metric": {"marketCapitalization": 2650000.5, "peTTM": 28.1, "totalDebt/totalEquityQuarterly": 1.8, ...}}`, the first
//! in millions of dollars; any of them may be missing or null.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Client, Url, redirect};
use rust_decimal::Decimal;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Company, Fundamentals};
use crate::brokers::api_log::Redactor;
use crate::brokers::{Answer, BrokerError};

/// Repetitions of a call that failed.
const REPETITIONS: u32 = 3;
/// Longest time that a refusal for too many calls is waited out.
const LONGEST_WAIT: Duration = Duration::from_secs(120);
const TIMEOUT: Duration = Duration::from_secs(30);

/// The client.
pub struct Finnhub {
    client: Client,
    base: String,
    /// Between two calls. 60 a minute are free.
    pub pause: Duration,
    redactor: Redactor,
}

#[derive(Deserialize)]
struct Metrics {
    #[serde(default)]
    metric: Option<Metric>,
}

#[derive(Deserialize)]
struct Metric {
    /// Millions of dollars; all of them are read from their digits.
    #[serde(default, rename = "marketCapitalization")]
    market_cap: Option<Box<RawValue>>,
    #[serde(default, rename = "peTTM")]
    pe: Option<Box<RawValue>>,
    #[serde(default, rename = "totalDebt/totalEquityQuarterly")]
    debt_of_quarter: Option<Box<RawValue>>,
    #[serde(default, rename = "totalDebt/totalEquityAnnual")]
    debt_of_year: Option<Box<RawValue>>,
}

impl Finnhub {
    /// A client of `url`, which is https or on this machine, such as `https://finnhub.io/api/v1`.
    ///
    /// # Errors
    /// The address or the key cannot be used.
    pub fn new(url: &str, key: &SecretString) -> Result<Finnhub, BrokerError> {
        let refuse = |why: &str| BrokerError::Unsupported(format!("screener: {why}"));
        let parsed = Url::parse(url.trim()).map_err(|_| refuse("its URL is none"))?;
        let is_local = match parsed.host() {
            Some(host) => {
                let host = host.to_string();
                let bare = host.trim_start_matches('[').trim_end_matches(']');
                host == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
            }
            None => return Err(refuse("its URL has no host")),
        };
        if !(parsed.scheme() == "https" || (parsed.scheme() == "http" && is_local)) {
            return Err(refuse("its URL must be https, or on this machine"));
        }
        if !parsed.username().is_empty() || parsed.query().is_some() {
            return Err(refuse("its URL must not hold a user or a query"));
        }
        let mut value =
            HeaderValue::from_str(key.expose_secret()).map_err(|_| refuse("its key fits into no header"))?;
        value.set_sensitive(true);
        let headers = HeaderMap::from_iter([(reqwest::header::HeaderName::from_static("x-finnhub-token"), value)]);
        // The first provider that is installed stays.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .default_headers(headers)
            .redirect(redirect::Policy::none())
            .timeout(TIMEOUT)
            .no_proxy()
            .build()
            .map_err(|error| refuse(&error.to_string()))?;
        let base = parsed.as_str().trim_end_matches('/').to_string();
        Ok(Finnhub { client, base, pause: Duration::from_millis(1050), redactor: Redactor::new([key.clone()]) })
    }

    async fn ask(&self, symbol: &str) -> Result<Company, BrokerError> {
        let what = format!("fundamentals of {symbol}");
        let network = |why: String| BrokerError::Network { what: what.clone(), why: self.redactor.text(&why) };
        let mut attempt = 0;
        loop {
            tokio::time::sleep(self.pause).await;
            let answer = self
                .client
                .get(format!("{}/stock/metric", self.base))
                .query(&[("symbol", symbol), ("metric", "all")])
                .send()
                .await;
            let (error, wait) = match answer {
                Err(error) => (network(error.to_string()), self.pause),
                Ok(response) => {
                    let status = response.status().as_u16();
                    let after = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
                    let after = after.and_then(|text| text.parse().ok()).map(Duration::from_secs);
                    match (status, response.text().await) {
                        (200, Ok(body)) => return self.read(&what, &body),
                        (401 | 403, _) => {
                            let message = "see SCREENER_API_KEY".to_string();
                            return Err(BrokerError::Auth { status, message });
                        }
                        (429, _) => {
                            let wait = after.unwrap_or(Duration::from_secs(60)).min(LONGEST_WAIT);
                            (BrokerError::RateLimited { retry_after: wait }, wait)
                        }
                        (500.., _) => (network(format!("status {status}")), self.pause),
                        (200, Err(error)) => (network(error.to_string()), self.pause),
                        _ => return Err(network(format!("status {status}"))),
                    }
                }
            };
            if attempt == REPETITIONS {
                return Err(error);
            }
            tokio::time::sleep(wait).await;
            attempt += 1;
        }
    }

    fn read(&self, what: &str, body: &str) -> Result<Company, BrokerError> {
        let wrong = |why: String| BrokerError::Protocol { what: what.to_string(), why: self.redactor.text(&why) };
        let metrics: Metrics = serde_json::from_str(body).map_err(|error| wrong(error.to_string()))?;
        let Some(metric) = metrics.metric else { return Ok(Company::default()) };
        let number = |raw: Option<Box<RawValue>>| {
            let Some(raw) = raw.filter(|raw| raw.get() != "null") else { return Ok(None) };
            let read = raw.get().parse::<Decimal>().or_else(|_| Decimal::from_scientific(raw.get()));
            read.map(Some).map_err(|_| wrong(format!("{} is not a number", raw.get())))
        };
        let millions = number(metric.market_cap)?;
        let dollars = millions.map(|millions| millions.checked_mul(Decimal::from(1_000_000)));
        let too_large = || wrong("the market capitalization is not a number of millions".to_string());
        Ok(Company {
            market_cap: dollars.map(|dollars| dollars.ok_or_else(too_large)).transpose()?.map(|cap| cap.normalize()),
            pe_ratio: number(metric.pe)?,
            debt_equity: number(metric.debt_of_quarter.or(metric.debt_of_year))?,
        })
    }
}

impl Fundamentals for Finnhub {
    fn company<'a>(&'a self, symbol: &'a str) -> Answer<'a, Company> {
        Box::pin(self.ask(symbol))
    }
}
