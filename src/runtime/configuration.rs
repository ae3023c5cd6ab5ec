//! The fields of the configuration: where each is kept, whether it is secret, and what it may hold.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use reqwest::Url;

use super::env_file::{EnvFile, LIMITS};
use crate::vault::SecretFile;
use crate::vault::users::Email;

/// Brokers.
pub const BROKERS: [&str; 4] = ["ALPACA", "IBKR", "TRADIER", "SIM"];

/// A part of the configuration that is changed as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    Identity,
    Broker,
    Smtp,
    Screener,
    Accounting,
    Alerts,
    Network,
    Login,
}

impl Group {
    /// All of them.
    pub const ALL: [Group; 8] = [
        Group::Identity,
        Group::Broker,
        Group::Smtp,
        Group::Screener,
        Group::Accounting,
        Group::Alerts,
        Group::Network,
        Group::Login,
    ];

    /// The word in the API.
    pub const fn word(self) -> &'static str {
        match self {
            Group::Identity => "identity",
            Group::Broker => "broker",
            Group::Smtp => "smtp",
            Group::Screener => "screener",
            Group::Accounting => "accounting",
            Group::Alerts => "alerts",
            Group::Network => "network",
            Group::Login => "login",
        }
    }

    /// Where its fields are kept; `None`: in the text `.env`.
    pub const fn file(self) -> Option<SecretFile> {
        match self {
            Group::Identity => Some(SecretFile::BotIdentity),
            Group::Broker => Some(SecretFile::Broker),
            Group::Smtp => Some(SecretFile::Smtp),
            Group::Screener => Some(SecretFile::ScreenerApi),
            Group::Accounting => Some(SecretFile::AcctApi),
            Group::Alerts => Some(SecretFile::AlertChannels),
            Group::Network => Some(SecretFile::NetworkConfig),
            Group::Login => None,
        }
    }

    /// Its fields.
    pub fn fields(self) -> impl Iterator<Item = &'static Field> {
        FIELDS.iter().filter(move |field| field.group == self)
    }
}

/// A field of the form.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its name in the form; in its file it has the same name in capitals.
    pub name: &'static str,
    /// What it belongs to.
    pub group: Group,
    /// Whether it is never sent back.
    pub secret: bool,
    kind: Kind,
}

/// What a field may hold; every one but an identity may also be empty.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// `[A-Z0-9]{1,16}`.
    Code,
    /// Anything.
    Text,
    /// A host, perhaps with a port.
    Host,
    /// A port.
    Port,
    /// An e-mail address.
    Email,
    /// E-mail addresses, divided by commas.
    Emails,
    /// A URL of the broker; judged together with the broker.
    BrokerUrl,
    /// `https`, or a service of this machine.
    Url,
    /// An address, perhaps with a port.
    Address,
    /// Scheme, host and port of a page.
    Origin,
    /// A number of [`EnvFile`], which judges it.
    Limit,
}

const fn field(group: Group, name: &'static str, kind: Kind) -> Field {
    Field { name, group, secret: false, kind }
}

const fn secret(group: Group, name: &'static str, kind: Kind) -> Field {
    Field { name, group, secret: true, kind }
}

/// Every field of the form but `setup_token`.
pub const FIELDS: [Field; 34] = [
    field(Group::Identity, "entity_code", Kind::Code),
    field(Group::Identity, "jurisdiction_code", Kind::Code),
    field(Group::Identity, "broker_code", Kind::Code),
    field(Group::Identity, "bot_id", Kind::Code),
    field(Group::Broker, "broker_host", Kind::Host),
    field(Group::Broker, "broker_username", Kind::Text),
    secret(Group::Broker, "broker_password", Kind::Text),
    field(Group::Broker, "broker_account_number", Kind::Text),
    secret(Group::Broker, "broker_api_key", Kind::Text),
    secret(Group::Broker, "broker_secret_key", Kind::Text),
    field(Group::Broker, "broker_url", Kind::BrokerUrl),
    field(Group::Smtp, "smtp_host", Kind::Host),
    field(Group::Smtp, "smtp_port", Kind::Port),
    field(Group::Smtp, "smtp_username", Kind::Text),
    secret(Group::Smtp, "smtp_password", Kind::Text),
    field(Group::Smtp, "smtp_from", Kind::Email),
    field(Group::Smtp, "smtp_to", Kind::Emails),
    field(Group::Screener, "screener_name", Kind::Text),
    secret(Group::Screener, "screener_api_key", Kind::Text),
    field(Group::Screener, "screener_url", Kind::Url),
    field(Group::Accounting, "acct_api_url", Kind::Url),
    secret(Group::Accounting, "acct_api_key", Kind::Text),
    secret(Group::Alerts, "slack_webhook_url", Kind::Url),
    secret(Group::Alerts, "pagerduty_key", Kind::Text),
    secret(Group::Alerts, "sms_token", Kind::Text),
    field(Group::Alerts, "sms_url", Kind::Url),
    field(Group::Alerts, "sms_from", Kind::Text),
    field(Group::Alerts, "sms_to", Kind::Text),
    field(Group::Network, "bind_address", Kind::Address),
    field(Group::Network, "public_origin", Kind::Origin),
    field(Group::Login, LIMITS[0], Kind::Limit),
    field(Group::Login, LIMITS[1], Kind::Limit),
    field(Group::Login, LIMITS[2], Kind::Limit),
    field(Group::Login, LIMITS[3], Kind::Limit),
];

/// The name of a field in its file.
pub fn variable(field: &Field) -> String {
    field.name.to_ascii_uppercase()
}

/// Judges a whole configuration: `value` gives what a field holds, empty if nothing.
///
/// # Errors
/// By field, what is wrong.
pub fn check<'a>(value: impl Fn(&str) -> &'a str) -> Result<EnvFile, BTreeMap<String, String>> {
    let mut errors = BTreeMap::new();
    let mut wrong = |name: &str, why: &str| {
        errors.entry(name.to_string()).or_insert_with(|| why.to_string());
    };
    for field in &FIELDS {
        if let Some(why) = fault(field.kind, value(field.name)) {
            wrong(field.name, why);
        }
    }
    let broker = value("broker_code");
    if !BROKERS.contains(&broker) {
        wrong("broker_code", "Expected ALPACA, IBKR, TRADIER or SIM.");
    }
    if matches!(broker, "ALPACA" | "TRADIER") {
        for name in ["broker_api_key", "broker_url"] {
            if value(name).is_empty() {
                wrong(name, "This broker needs it.");
            }
        }
    }
    let url = value("broker_url");
    if !url.is_empty() && BROKERS.contains(&broker) && !is_broker_url(broker, url) {
        let why = match broker {
            "ALPACA" => {
                "Expected https://api.alpaca.markets, https://paper-api.alpaca.markets, or a URL of this machine."
            }
            "TRADIER" => "Expected https://api.tradier.com, https://sandbox.tradier.com, or a URL of this machine.",
            "IBKR" => "Expected tws://host:port?client_id=number, or a URL of this machine.",
            _ => "Expected a URL of this machine, or nothing.",
        };
        wrong("broker_url", why);
    }
    let env = EnvFile::of_form(|name| Some(value(name)));
    match env {
        Ok(env) if errors.is_empty() => Ok(env),
        Ok(_) => Err(errors),
        Err(limits) => {
            errors.extend(limits);
            Err(errors)
        }
    }
}

/// What is wrong with one value by itself.
fn fault(kind: Kind, text: &str) -> Option<&'static str> {
    if text.is_empty() {
        return matches!(kind, Kind::Code).then_some("Expected 1 to 16 capital letters and digits.");
    }
    let fits = match kind {
        Kind::Text | Kind::BrokerUrl | Kind::Limit => true,
        Kind::Code => text.len() <= 16 && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()),
        Kind::Host => text.bytes().all(|b| b.is_ascii_alphanumeric() || b".:-_[]".contains(&b)),
        Kind::Port => text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|port| port > 0),
        Kind::Email => Email::new(text).is_ok(),
        Kind::Emails => text.split(',').all(|one| Email::new(one.trim()).is_ok()),
        Kind::Url => Url::parse(text).is_ok_and(|url| is_plain(&url) && (url.scheme() == "https" || is_local(&url))),
        Kind::Address => text.parse::<SocketAddr>().is_ok() || text.parse::<IpAddr>().is_ok(),
        Kind::Origin => Url::parse(text)
            .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.origin().ascii_serialization() == text),
    };
    let why = match kind {
        Kind::Text | Kind::BrokerUrl | Kind::Limit => "",
        Kind::Code => "Expected 1 to 16 capital letters and digits.",
        Kind::Host => "Expected a host name or an address, perhaps with a port.",
        Kind::Port => "Expected a port from 1 to 65535.",
        Kind::Email => "Expected an e-mail address such as name@example.com.",
        Kind::Emails => "Expected e-mail addresses, divided by commas.",
        Kind::Url => "Expected a URL that begins with https://, or one of this machine.",
        Kind::Address => "Expected an address such as 127.0.0.1:6900.",
        Kind::Origin => "Expected scheme and host such as https://bot.example.com, in lower case and without a path.",
    };
    (!fits).then_some(why)
}

/// Whether requests may be sent to this URL in the name of a broker: to its own hosts, to this machine, or, for IBKR,
/// to a gateway.
fn is_broker_url(broker: &str, text: &str) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    if !is_plain(&url) || url.fragment().is_some() {
        return false;
    }
    if url.scheme() == "tws" {
        let mut query = url.query_pairs();
        let client = query.next().filter(|(name, _)| name == "client_id");
        let number = client.is_some_and(|(_, id)| id.bytes().all(|b| b.is_ascii_digit()) && id.parse::<i32>().is_ok());
        return broker == "IBKR" && number && query.next().is_none() && url.port().is_some() && url.path().is_empty();
    }
    if url.query().is_some() {
        return false;
    }
    let hosts: &[&str] = match broker {
        "ALPACA" => &["api.alpaca.markets", "paper-api.alpaca.markets"],
        "TRADIER" => &["api.tradier.com", "sandbox.tradier.com"],
        _ => &[],
    };
    let own = url.host_str().is_some_and(|host| hosts.contains(&host)) && url.scheme() == "https";
    is_local(&url) || (own && url.port().is_none())
}

/// A URL with a host and without a name or password in it.
fn is_plain(url: &Url) -> bool {
    url.host_str().is_some_and(|host| !host.is_empty()) && url.username().is_empty() && url.password().is_none()
}

/// Whether a URL leads to this machine.
pub fn is_local(url: &Url) -> bool {
    let host = url.host_str().unwrap_or("");
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    matches!(url.scheme(), "http" | "https") && (host == "localhost" || address.is_ok_and(|ip| ip.is_loopback()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIM: [(&str, &str); 4] =
        [("entity_code", "ACME"), ("jurisdiction_code", "US"), ("broker_code", "SIM"), ("bot_id", "BOT1")];

    fn errors(change: &[(&str, &str)]) -> Vec<String> {
        let value = |name: &str| {
            let given = change.iter().chain(&SIM).find(|(known, _)| *known == name);
            given.map_or("", |(_, value)| *value)
        };
        match check(value) {
            Ok(_) => Vec::new(),
            Err(errors) => errors.into_keys().collect(),
        }
    }

    #[test]
    fn a_simulated_broker_needs_the_identity_and_nothing_else() {
        assert_eq!(errors(&[]), [""; 0]);
        for (name, _) in SIM {
            for wrong in ["", "a", "A-B", "../X", "ABCDEFGHIJKLMNOPQ", "\u{c4}"] {
                assert_eq!(errors(&[(name, wrong)]), [name], "{wrong}");
            }
        }
        assert_eq!(errors(&[("broker_code", "NOBODY")]), ["broker_code"]);
    }

    #[test]
    fn alpaca_and_tradier_need_key_and_url() {
        for broker in ["ALPACA", "TRADIER"] {
            assert_eq!(errors(&[("broker_code", broker)]), ["broker_api_key", "broker_url"]);
        }
        assert_eq!(errors(&[("broker_code", "IBKR")]), [""; 0]);
    }

    /// Requests with credentials go to these URLs, so they are a list and not whatever is typed.
    #[test]
    fn a_broker_is_reached_at_its_own_hosts_or_on_this_machine() {
        let good = [
            ("ALPACA", "https://api.alpaca.markets"),
            ("ALPACA", "https://paper-api.alpaca.markets/"),
            ("ALPACA", "http://127.0.0.1:8080"),
            ("TRADIER", "https://sandbox.tradier.com/v1"),
            ("TRADIER", "http://localhost:9"),
            ("SIM", "http://[::1]:80"),
            ("IBKR", "tws://gateway:4002?client_id=7"),
            ("IBKR", "http://127.0.0.1:1"),
        ];
        for (broker, url) in good {
            assert_eq!(
                errors(&[("broker_code", broker), ("broker_api_key", "k"), ("broker_url", url)]),
                [""; 0],
                "{url}"
            );
        }
        let bad = [
            ("ALPACA", "http://api.alpaca.markets"),
            ("ALPACA", "https://api.tradier.com"),
            ("ALPACA", "https://api.alpaca.markets:8443"),
            ("ALPACA", "https://api.alpaca.markets.evil.example"),
            ("ALPACA", "https://api.alpaca.markets@evil.example"),
            ("ALPACA", "https://user:pass@api.alpaca.markets"),
            ("ALPACA", "https://evil.example/?x=api.alpaca.markets"),
            ("ALPACA", "https://api.alpaca.markets/#x"),
            ("ALPACA", "https://169.254.169.254"),
            ("ALPACA", "http://127.0.0.1.evil.example"),
            ("ALPACA", "http://127.0.0.1@evil.example"),
            ("ALPACA", "file:///etc/passwd"),
            ("ALPACA", "tws://127.0.0.1:4002?client_id=7"),
            ("SIM", "https://api.alpaca.markets"),
            ("IBKR", "tws://gateway:4002"),
            ("IBKR", "tws://gateway?client_id=7"),
            ("IBKR", "tws://gateway:4002?client_id=x"),
            ("IBKR", "tws://gateway:4002?client_id=7&x=1"),
            ("IBKR", "javascript:alert(1)"),
        ];
        for (broker, url) in bad {
            let found = errors(&[("broker_code", broker), ("broker_api_key", "k"), ("broker_url", url)]);
            assert_eq!(found, ["broker_url"], "{broker} {url}");
        }
    }

    #[test]
    fn other_fields_have_their_forms() {
        let bad = [
            ("smtp_port", "0"),
            ("smtp_port", "65536"),
            ("smtp_port", "25x"),
            ("smtp_from", "nobody"),
            ("smtp_to", "a@b.c, nobody"),
            ("screener_url", "http://example.com"),
            ("slack_webhook_url", "ftp://example.com"),
            ("sms_url", "https://user@example.com"),
            ("bind_address", "localhost"),
            ("public_origin", "https://bot.example.com/"),
            ("public_origin", "https://Bot.example.com"),
            ("public_origin", "bot.example.com"),
            ("session_timeout", "1"),
            ("login_attempt_limit", "x"),
        ];
        for (name, value) in bad {
            assert_eq!(errors(&[(name, value)]), [name], "{value}");
        }
        let good = [
            ("smtp_port", "587"),
            ("smtp_to", "a@b.c, d@e.f"),
            ("screener_url", "https://finnhub.io/api/v1"),
            ("slack_webhook_url", "http://127.0.0.1:1/x"),
            ("bind_address", "0.0.0.0:6900"),
            ("bind_address", "::1"),
            ("public_origin", "https://bot.example.com"),
            ("public_origin", "http://127.0.0.1:6900"),
        ];
        for (name, value) in good {
            assert_eq!(errors(&[(name, value)]), [""; 0], "{name} {value}");
        }
    }

    #[test]
    fn a_field_has_one_row_and_secrets_are_those_of_the_contract() {
        let mut names: Vec<_> = FIELDS.iter().map(|field| field.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), FIELDS.len());
        let secret: Vec<_> = FIELDS.iter().filter(|field| field.secret).map(|field| field.name).collect();
        let contract = [
            "broker_password",
            "broker_api_key",
            "broker_secret_key",
            "smtp_password",
            "screener_api_key",
            "acct_api_key",
            "slack_webhook_url",
            "pagerduty_key",
            "sms_token",
        ];
        assert_eq!(secret, contract);
    }
}
