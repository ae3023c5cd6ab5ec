//! The channels, as the configuration has them.

use std::net::IpAddr;

use lettre::message::Mailbox;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

use crate::vault::SecretFields;

/// Where PagerDuty takes events (Events API v2).
const PAGERDUTY: &str = "https://events.pagerduty.com/v2/enqueue";

/// A way to reach people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Channel {
    PagerDuty,
    Sms,
    Slack,
    Email,
}

impl Channel {
    /// All, in the order in which a critical notice goes on.
    pub const ALL: [Channel; 4] = [Channel::PagerDuty, Channel::Sms, Channel::Slack, Channel::Email];

    /// Its word in the settings.
    pub const fn word(self) -> &'static str {
        match self {
            Channel::PagerDuty => "pagerduty",
            Channel::Sms => "sms",
            Channel::Slack => "slack",
            Channel::Email => "email",
        }
    }

    /// The channel of that word.
    pub fn of(word: &str) -> Option<Channel> {
        Channel::ALL.into_iter().find(|channel| channel.word() == word)
    }
}

/// A mail server and who writes to whom.
#[derive(Debug, Clone)]
pub(super) struct Email {
    pub host: String,
    pub port: u16,
    /// Without encryption: the server is on this machine.
    pub plain: bool,
    pub login: Option<(String, SecretString)>,
    pub from: Mailbox,
    pub to: Vec<Mailbox>,
}

/// A gateway for short messages.
#[derive(Debug, Clone)]
pub(super) struct Sms {
    pub url: SecretUrl,
    pub token: SecretString,
    pub from: String,
    pub to: String,
}

/// PagerDuty.
#[derive(Debug, Clone)]
pub(super) struct PagerDuty {
    pub url: SecretUrl,
    pub key: SecretString,
}

/// An address that may be called; it can be a secret by itself, so it is not printed.
#[derive(Clone)]
pub(super) struct SecretUrl(Url);

impl std::fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[REDACTED]")
    }
}

impl SecretUrl {
    fn parse(text: &str) -> Result<SecretUrl, String> {
        let wrong = || "the address must begin with https:// or lead to this machine".to_string();
        let url = Url::parse(text).map_err(|_| wrong())?;
        let host = url.host_str().unwrap_or("");
        let is_allowed = url.scheme() == "https" || (url.scheme() == "http" && is_local(host));
        let is_plain = !host.is_empty() && url.username().is_empty() && url.password().is_none();
        if is_allowed && is_plain { Ok(SecretUrl(url)) } else { Err(wrong()) }
    }

    pub fn expose(&self) -> &Url {
        &self.0
    }
}

/// Whether a host is this machine.
fn is_local(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|ip| ip.is_loopback())
}

/// Every channel: how it is reached, or why it is not.
#[derive(Debug, Clone)]
pub struct Channels {
    pub(super) email: Result<Email, String>,
    pub(super) slack: Result<SecretUrl, String>,
    pub(super) sms: Result<Sms, String>,
    pub(super) pagerduty: Result<PagerDuty, String>,
}

/// The words of a channel of which nothing is configured.
pub(super) const ABSENT: &str = "not configured";

impl Default for Channels {
    fn default() -> Channels {
        Channels::of(&SecretFields::new(), &SecretFields::new())
    }
}

impl Channels {
    /// From the fields of the categories `smtp` and `alerts`.
    pub fn of(smtp: &SecretFields, alerts: &SecretFields) -> Channels {
        Channels { email: email(smtp), slack: slack(alerts), sms: sms(alerts), pagerduty: pagerduty(alerts) }
    }

    /// Sends the events of PagerDuty to another address, such as a gateway of this machine.
    ///
    /// # Errors
    /// It is neither `https` nor on this machine.
    pub fn with_pagerduty_at(mut self, url: &str) -> Result<Channels, String> {
        let url = SecretUrl::parse(url)?;
        self.pagerduty = self.pagerduty.map(|pagerduty| PagerDuty { url, ..pagerduty });
        Ok(self)
    }

    /// Why a channel cannot be used; `None` if it can.
    pub fn fault(&self, channel: Channel) -> Option<&str> {
        match channel {
            Channel::Email => self.email.as_ref().err(),
            Channel::Slack => self.slack.as_ref().err(),
            Channel::Sms => self.sms.as_ref().err(),
            Channel::PagerDuty => self.pagerduty.as_ref().err(),
        }
        .map(String::as_str)
    }
}

fn text<'a>(fields: &'a SecretFields, name: &str) -> &'a str {
    fields.get(name).map_or("", |value| value.expose_secret().trim())
}

fn email(fields: &SecretFields) -> Result<Email, String> {
    let (host, from, to) = (text(fields, "SMTP_HOST"), text(fields, "SMTP_FROM"), text(fields, "SMTP_TO"));
    if host.is_empty() {
        return Err(ABSENT.to_string());
    }
    if from.is_empty() || to.is_empty() {
        return Err("smtp_from and smtp_to are needed".to_string());
    }
    let (host, beside) = match host.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') || name.ends_with(']') => (name, port.parse().ok()),
        _ => (host, None),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']').to_string();
    let plain = is_local(&host);
    let port = text(fields, "SMTP_PORT").parse().ok().or(beside).unwrap_or(if plain { 25 } else { 587 });
    let mailbox = |address: &str| address.trim().parse::<Mailbox>().map_err(|_| "an address is malformed".to_string());
    let user = text(fields, "SMTP_USERNAME").to_string();
    let password = fields.get("SMTP_PASSWORD").cloned().unwrap_or_else(|| SecretString::from(String::new()));
    Ok(Email {
        host,
        port,
        plain,
        login: (!user.is_empty()).then_some((user, password)),
        from: mailbox(from)?,
        to: to.split(',').map(mailbox).collect::<Result<_, _>>()?,
    })
}

fn slack(fields: &SecretFields) -> Result<SecretUrl, String> {
    match text(fields, "SLACK_WEBHOOK_URL") {
        "" => Err(ABSENT.to_string()),
        url => SecretUrl::parse(url),
    }
}

fn sms(fields: &SecretFields) -> Result<Sms, String> {
    let [url, to] = ["SMS_URL", "SMS_TO"].map(|name| text(fields, name));
    if url.is_empty() {
        return Err(ABSENT.to_string());
    }
    if to.is_empty() {
        return Err("sms_to is needed".to_string());
    }
    let (from, to) = (text(fields, "SMS_FROM").to_string(), to.to_string());
    Ok(Sms { url: SecretUrl::parse(url)?, token: SecretString::from(text(fields, "SMS_TOKEN")), from, to })
}

fn pagerduty(fields: &SecretFields) -> Result<PagerDuty, String> {
    match text(fields, "PAGERDUTY_KEY") {
        "" => Err(ABSENT.to_string()),
        key => Ok(PagerDuty { url: SecretUrl::parse(PAGERDUTY)?, key: SecretString::from(key) }),
    }
}
