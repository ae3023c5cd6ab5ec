//! Sockets and HTTP: hyper under an axum router, so that a connection can be cut in place of an answer.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::get;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::sync::oneshot;
use tower::ServiceExt;

use tradebot::market::{Nanos, SECOND};

use super::faults::Fault;
use super::rest::{self, Gate};
use super::{Arrival, SharedWorld, lock, sockets};

/// Marks an answer that is not to be given.
#[derive(Clone)]
struct Cut;

/// What handlers share.
#[derive(Clone)]
pub struct Shared {
    pub world: SharedWorld,
    pub gate: Arc<std::sync::Mutex<Gate>>,
}

/// Serves until told to stop. Connections end with the runtime.
pub async fn serve(
    listener: std::net::TcpListener,
    world: SharedWorld,
    gate: Arc<std::sync::Mutex<Gate>>,
    mut stopped: oneshot::Receiver<()>,
) {
    let shared = Shared { world, gate };
    let router = Router::new()
        .route("/stream", get(sockets::orders))
        .route("/v2/iex", get(sockets::data))
        .route("/v2/sip", get(sockets::data))
        .fallback(answer)
        .with_state(shared);
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    loop {
        let socket = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((socket, _)) => socket,
                Err(_) => continue,
            },
            _ = &mut stopped => return,
        };
        let _ = socket.set_nodelay(true);
        let router = router.clone();
        tokio::spawn(async move {
            let service = hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
                let router = router.clone();
                async move {
                    let response = router.oneshot(request.map(Body::new)).await.unwrap();
                    match response.extensions().get::<Cut>() {
                        Some(Cut) => Err(std::io::Error::other("cut")),
                        None => Ok(response),
                    }
                }
            });
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(socket), service)
                .with_upgrades()
                .await;
        });
    }
}

/// Longest time that a request is on its way.
const LONGEST_WAY: Nanos = 15 * SECOND;

fn cut() -> Response {
    let mut response = Response::new(Body::empty());
    response.extensions_mut().insert(Cut);
    response
}

fn response(status: u16, headers: &[(&'static str, String)], body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    for (name, value) in headers {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    response
}

/// Every request that is no WebSocket.
async fn answer(State(shared): State<Shared>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = match axum::body::to_bytes(body, 1 << 20).await {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(_) => return response(413, &[], String::new()),
    };
    let path = parts.uri.path().to_string();
    let query = parts.uri.query().unwrap_or_default().to_string();
    let what = format!("{} {path}", parts.method);
    let (fault, mut headers, refusal) = {
        let mut world = lock(&shared.world);
        world.arrivals.push(Arrival { what: what.clone(), query: query.clone(), body: body.clone() });
        let (headers, is_over) = shared.gate.lock().unwrap().count(world.desk.now());
        let refusal = shared
            .gate
            .lock()
            .unwrap()
            .admit(&parts.headers)
            .err()
            .or_else(|| is_over.then(|| super::checks::refuse(429, 42_910_000, "rate limit exceeded")));
        let fault = world.faults.of_request(&what, &format!("{query} {body}"));
        world.deeds += u64::from(parts.method != "GET");
        if fault.is_none() && what == "GET /v2/orders" && query.contains("status=open") {
            world.comparisons += 1;
        }
        (fault, headers, refusal)
    };
    let execute = || {
        let mut world = lock(&shared.world);
        let answer = rest::route(&mut world.desk, &parts.method, &path, &query, &body);
        let now = world.desk.now();
        let (late, rest): (Vec<_>, Vec<_>) = world.late.drain(..).partition(|(_, arrival)| arrival.what == what);
        world.late = rest;
        for (_, Arrival { query, body, .. }) in late.into_iter().filter(|(sent, _)| now - sent <= LONGEST_WAY) {
            rest::route(&mut world.desk, &parts.method, &path, &query, &body);
        }
        world.flush();
        answer
    };
    if let Some((status, body)) = refusal {
        return response(status, &headers, body.to_string());
    }
    let (status, body): (u16, Value) = match fault {
        None => execute(),
        Some(Fault::LoseRequest) => return cut(),
        Some(Fault::LoseAnswer) => {
            execute();
            return cut();
        }
        Some(Fault::Answer { status, headers: more, body, done }) => {
            if done {
                execute();
            }
            headers.retain(|(name, _)| !more.iter().any(|(other, _)| other == name) && status != 429);
            headers.extend(more);
            return response(status, &headers, body.to_string());
        }
        Some(Fault::Slow(wait)) => {
            let answer = execute();
            tokio::time::sleep(wait).await;
            answer
        }
        Some(Fault::AfterNext) => {
            let mut world = lock(&shared.world);
            let now = world.desk.now();
            world.late.push((now, Arrival { what, query, body }));
            return cut();
        }
    };
    response(status, &headers, if body.is_null() { String::new() } else { body.to_string() })
}
