//! What a browser sends besides the body: cookies, headers, address.

use std::net::IpAddr;

use axum::http::{HeaderMap, header};

use crate::runtime::protocol::{Peer, Secret};

/// Longest cookie value that is looked at.
const MOST_COOKIE: usize = 512;
/// Most session cookies that are looked at: a browser sends one, or a few under different paths.
const MOST_COOKIES: usize = 4;

/// Names of our cookies. Under TLS they have the prefix that binds them to this host.
#[derive(Debug, Clone, Copy)]
pub struct CookieNames {
    /// Whether browsers reach us by TLS.
    pub secure: bool,
}

impl CookieNames {
    /// The session.
    pub fn session(self) -> &'static str {
        if self.secure { "__Host-tbot_session" } else { "tbot_session" }
    }

    /// The browser before a login.
    pub fn pre(self) -> &'static str {
        if self.secure { "__Host-tbot_pre" } else { "tbot_pre" }
    }

    /// The browser that configured.
    pub fn setup(self) -> &'static str {
        if self.secure { "__Host-tbot_setup" } else { "tbot_setup" }
    }

    /// A `Set-Cookie` header.
    pub fn set(self, name: &str, value: &str) -> String {
        let secure = if self.secure { "; Secure" } else { "" };
        format!("{name}={value}; HttpOnly; SameSite=Strict; Path=/{secure}")
    }
}

/// The values of a cookie, in the order they were sent. A value in quotes is taken without them.
pub fn cookies<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let values = pairs.filter(move |(key, _)| *key == name).map(|(_, value)| value);
    values
        .map(|value| value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value))
        .filter(|value| value.len() <= MOST_COOKIE)
        .take(MOST_COOKIES)
}

/// A header as text; empty if it is missing or no text.
pub fn text(headers: &HeaderMap, name: impl header::AsHeaderName) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_string)
}

/// A header by which a request may be refused: one that is no text must not count as missing.
fn lossy(headers: &HeaderMap, name: impl header::AsHeaderName) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// What decides about a request. `behind_proxy`: the last address of `X-Forwarded-For` is believed, if a proxy on this
/// machine sent it.
pub fn peer(headers: &HeaderMap, address: IpAddr, names: CookieNames, behind_proxy: bool, exposed: bool) -> Peer {
    let forwarded = || {
        let line = headers.get_all("x-forwarded-for").into_iter().next_back()?.to_str().ok()?;
        line.rsplit(',').next()?.trim().parse::<IpAddr>().ok()
    };
    let address = address.to_canonical();
    let address = if behind_proxy && address.is_loopback() { forwarded().unwrap_or(address) } else { address };
    Peer {
        ip: address.to_string(),
        agent: text(headers, header::USER_AGENT).unwrap_or_default(),
        sessions: cookies(headers, names.session()).map(Secret::new).collect(),
        pre: cookies(headers, names.pre()).next().map(Secret::new),
        setup: cookies(headers, names.setup()).next().map(Secret::new),
        csrf: text(headers, "x-csrf-token").map(Secret::new),
        fetch_site: lossy(headers, "sec-fetch-site"),
        origin: lossy(headers, header::ORIGIN),
        host: text(headers, header::HOST).unwrap_or_default(),
        exposed,
        request_id: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect::<HeaderMap>()
    }

    #[test]
    fn cookies_are_found_among_others_in_quotes_and_in_several_headers() {
        let headers = headers(&[("cookie", "a=1; tbot_session=\"gAAA==\"; b=2"), ("cookie", "tbot_session=x")]);
        assert_eq!(cookies(&headers, "tbot_session").collect::<Vec<_>>(), ["gAAA==", "x"]);
        let long = "x".repeat(MOST_COOKIE + 1);
        let headers = self::headers(&[("cookie", &format!("tbot_session={long}; tbot_session=ok"))]);
        assert_eq!(cookies(&headers, "tbot_session").collect::<Vec<_>>(), ["ok"]);
    }

    #[test]
    fn an_origin_that_is_no_text_is_not_a_missing_one() {
        let mut headers = HeaderMap::new();
        headers.insert("origin", axum::http::HeaderValue::from_bytes(b"http://evil\xff").unwrap());
        headers.insert("sec-fetch-site", axum::http::HeaderValue::from_bytes(b"cross-site\xff").unwrap());
        let peer = peer(&headers, IpAddr::from([127, 0, 0, 1]), CookieNames { secure: false }, false, false);
        assert_eq!(peer.origin.as_deref(), Some("http://evil\u{fffd}"));
        assert_eq!(peer.fetch_site.as_deref(), Some("cross-site\u{fffd}"));
    }

    #[test]
    fn a_forwarded_address_is_believed_from_a_proxy_on_this_machine_only() {
        let names = CookieNames { secure: true };
        let headers = headers(&[("x-forwarded-for", "203.0.113.9, 198.51.100.7")]);
        let ip = |address: &str, behind_proxy| peer(&headers, address.parse().unwrap(), names, behind_proxy, true).ip;
        assert_eq!(ip("127.0.0.1", true), "198.51.100.7");
        assert_eq!(ip("127.0.0.1", false), "127.0.0.1");
        assert_eq!(ip("192.0.2.4", true), "192.0.2.4");
    }
}
