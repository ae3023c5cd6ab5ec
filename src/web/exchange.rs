//! Requests that are more than one question and one answer: streams of events, files to the browser, files from it.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{FromRequest, Multipart};
use axum::http::{HeaderValue, Request as HttpRequest, header};
use axum::response::sse::{Event as Sent, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::unfold;
use tokio::net::UnixStream;
use tokio::time::{Instant, timeout_at};

use super::client::data;
use super::handler::{Web, core_away};
use super::look::Look;
use super::respond::{self, Recipient};
use crate::runtime::RuntimeEvent;
use crate::runtime::protocol::{Request, Secret, Verb, read_json};
use crate::runtime::reply::Refusal;
use crate::runtime::transfer::IDLE_TIME;

/// How often a stream shows that it lives.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Most fields beside the file, and most bytes of one.
const MOST_FIELDS: usize = 16;
const MOST_FIELD: usize = 4 * 1024;

/// Server-sent events, until the core ends them or the browser goes.
pub(super) async fn events(web: &Web, mut call: Request) -> Response {
    call.verb = Verb::Subscribe;
    let (reply, stream) = match web.core.open(&call).await {
        Ok(opened) => opened,
        Err(_) => return core_away(call.api, Look::default()),
    };
    if reply.status != 200 {
        return respond::response(reply, &call.peer, web.names(), Recipient::default());
    }
    let events = unfold(stream, |mut stream: UnixStream| async move {
        let event: RuntimeEvent = read_json(&mut stream).await.ok()??;
        let sent = Sent::default().event(event.event).data(event.data.to_string());
        Some((Ok::<_, io::Error>(sent), stream))
    });
    let mut response = Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response();
    respond::finish(&mut response, &reply, web.names(), None);
    response
}

/// A file to the browser. It is sent as fast as the browser takes it.
pub(super) async fn download(web: &Web, mut call: Request) -> Response {
    call.verb = Verb::Transfer;
    let (mut reply, stream) = match web.core.open(&call).await {
        Ok(opened) => opened,
        Err(_) => return core_away(call.api, Look::default()),
    };
    let Some(file) = reply.download.take() else {
        return respond::response(reply, &call.peer, web.names(), Recipient::default());
    };
    let mut response = Body::from_stream(data(stream)).into_response();
    let headers = response.headers_mut();
    let disposition = format!("attachment; filename=\"{}\"", file.filename);
    for (name, value) in [(header::CONTENT_DISPOSITION, disposition), (header::CONTENT_TYPE, file.content_type)] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    if let Some(bytes) = file.bytes {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes));
    }
    respond::finish(&mut response, &reply, web.names(), None);
    response
}

/// A form with a file. The fields before the file go with the request, as JSON; the file follows as it comes.
pub(super) async fn upload(web: &Web, mut call: Request, request: HttpRequest<Body>) -> Response {
    let api = call.api;
    match passed_on(web, &mut call, request).await {
        Ok(response) => response,
        Err(refusal) => respond::refusal(api, &refusal),
    }
}

async fn passed_on(web: &Web, call: &mut Request, request: HttpRequest<Body>) -> Result<Response, Refusal> {
    if !call.content_type.to_ascii_lowercase().starts_with("multipart/form-data") {
        return Err(Refusal::new(415, "content_type", "Send multipart/form-data."));
    }
    let mut form = Multipart::from_request(request, &()).await.map_err(|_| malformed())?;
    let mut fields: BTreeMap<String, Secret> = BTreeMap::new();
    // Nobody is known to be logged in before the core has seen the fields: they come in one time together.
    let deadline = Instant::now() + IDLE_TIME;
    let file = loop {
        let Some(field) = by(deadline, form.next_field()).await?? else {
            return Err(Refusal::invalid_field("file", "The form has no file."));
        };
        if field.file_name().is_some() {
            break field;
        }
        let name = field.name().unwrap_or_default().to_string();
        let value = text_of(field, deadline).await?;
        if fields.len() >= MOST_FIELDS || fields.insert(name, value).is_some() {
            return Err(malformed());
        }
    };
    if let Some(token) = fields.remove("csrf_token") {
        call.peer.csrf = Some(token);
    }
    call.verb = Verb::Transfer;
    call.content_type = "application/json".to_string();
    call.body = Secret::new(serde_json::to_string(&fields).map_err(|_| malformed())?);
    let parts = unfold(Some(file), |file| async move {
        let mut file = file?;
        match by(Instant::now() + IDLE_TIME, file.chunk()).await {
            Ok(Ok(Some(bytes))) => Some((Ok::<Bytes, Refusal>(bytes), Some(file))),
            Ok(Ok(None)) => None,
            Ok(Err(refusal)) | Err(refusal) => Some((Err(refusal), None)),
        }
    });
    match web.core.send(call, parts).await {
        Ok(Ok(reply)) => Ok(respond::response(reply, &call.peer, web.names(), Recipient::default())),
        Ok(Err(refusal)) => Err(refusal),
        Err(_) => Ok(core_away(call.api, Look::default())),
    }
}

async fn text_of(mut field: Field<'_>, deadline: Instant) -> Result<Secret, Refusal> {
    let mut text = zeroize::Zeroizing::new(Vec::new());
    while let Some(bytes) = by(deadline, field.chunk()).await?? {
        if text.len() + bytes.len() > MOST_FIELD {
            return Err(Refusal::new(413, "too_large", "A field before the file is too long."));
        }
        text.extend_from_slice(&bytes);
    }
    std::str::from_utf8(&text).map(Secret::new).map_err(|_| malformed())
}

/// What comes of reading until `deadline`.
async fn by<T>(
    deadline: Instant,
    reading: impl Future<Output = Result<T, MultipartError>>,
) -> Result<Result<T, Refusal>, Refusal> {
    let read = timeout_at(deadline, reading).await;
    let read = read.map_err(|_| Refusal::new(408, "timeout", "The file stopped arriving."))?;
    Ok(read.map_err(|_| malformed()))
}

fn malformed() -> Refusal {
    Refusal::new(400, "malformed", "The form could not be read. Fields come first, the file last.")
}
