//! From the core's reply to an HTTP response.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::browser::CookieNames;
use super::look::Look;
use super::pages;
use crate::runtime::gate::csrf_before_login;
use crate::runtime::protocol::{CookieChange, Peer, Reply};
use crate::runtime::reply::Refusal;

/// The browser that an answer goes to.
#[derive(Debug, Default)]
pub struct Recipient {
    /// The cookie that it gets now, if it has none.
    pub fresh: Option<String>,
    /// How it wants a page.
    pub look: Look,
}

/// The response of a reply.
pub fn response(reply: Reply, peer: &Peer, names: CookieNames, to: Recipient) -> Response {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = if let Some(location) = &reply.location {
        match HeaderValue::from_str(location) {
            Ok(location) => (status, [(header::LOCATION, location)]).into_response(),
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    } else if let Some(page) = &reply.page {
        let csrf = match &page.context.csrf {
            Some(token) => token.expose().to_string(),
            None => peer.pre.as_ref().map_or(String::new(), |pre| csrf_before_login(pre.expose())),
        };
        match pages::render(page, &csrf, to.look) {
            Ok(html) => (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response(),
            Err(_) => refusal(false, &Refusal::internal("This page cannot be shown. The log says more.")),
        }
    } else if status == StatusCode::NO_CONTENT {
        status.into_response()
    } else {
        json(status, &reply.body)
    };
    finish(&mut response, &reply, names, to.fresh);
    response
}

/// What an answer has besides its content: cookies, and when to come again.
pub fn finish(response: &mut Response, reply: &Reply, names: CookieNames, fresh: Option<String>) {
    let mut cookies = Vec::new();
    if let Some(fresh) = fresh {
        cookies.push(names.set(names.pre(), &fresh));
    }
    for change in &reply.cookies {
        match change {
            CookieChange::Session(token) => cookies.push(names.set(names.session(), token.expose())),
            CookieChange::Setup(token) => cookies.push(names.set(names.setup(), token.expose())),
            CookieChange::LoggedOut => {
                cookies.push(format!("{}; Max-Age=0", names.set(names.session(), "")));
                let clear = HeaderValue::from_static("\"cookies\"");
                response.headers_mut().insert(header::HeaderName::from_static("clear-site-data"), clear);
            }
        }
    }
    for cookie in cookies {
        if let Ok(value) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    }
    retry_after(response, reply.retry_after);
}

/// A refusal of the web's own, as JSON or as a plain page in the system's theme.
pub fn refusal(api: bool, refusal: &Refusal) -> Response {
    refusal_in(api, refusal, Look::default())
}

/// A refusal of the web's own, as JSON or as a plain page.
pub fn refusal_in(api: bool, refusal: &Refusal, look: Look) -> Response {
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = if api {
        json(status, &Reply::from(refusal.clone()).body)
    } else {
        let html = pages::plain(refusal.status, &refusal.message, look);
        (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response()
    };
    retry_after(&mut response, refusal.retry_after);
    response
}

fn retry_after(response: &mut Response, seconds: Option<u64>) {
    if let Some(seconds) = seconds {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
}

fn json(status: StatusCode, body: &serde_json::Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

/// 256 random bits as text; `None` if the system has none.
pub fn random_text() -> Option<String> {
    let mut bytes = [0u8; 32];
    getrandom::fill(&mut bytes).ok()?;
    Some(URL_SAFE_NO_PAD.encode(bytes))
}
