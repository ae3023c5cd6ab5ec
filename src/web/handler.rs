//! From an HTTP request to the core and back.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, DefaultBodyLimit, MatchedPath, RawPathParams, State};
use axum::http::{HeaderMap, Method as HttpMethod, Request as HttpRequest, StatusCode, Uri, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, any, on};
use futures_util::FutureExt;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::time::timeout;

use super::browser::{self, CookieNames};
use super::client::CoreClient;
use super::headers::RequestId;
use super::look::Look;
use super::respond::Recipient;
use super::{assets, exchange, headers, respond};
use crate::runtime::protocol::{Peer, Request, Secret, Verb};
use crate::runtime::reply::Refusal;
use crate::runtime::routes::{Kind, Method, ROUTES, Route};

/// Most bytes of a URL.
const MOST_URL: usize = 8 * 1024;
/// Most bytes of the headers: of names, values, and what stands between them.
const MOST_HEADERS: usize = 32 * 1024;
/// Most bytes of a body.
const MOST_BODY: usize = 256 * 1024;
/// How long a request may take from its headers to its answer. Streams and files have a limit of their own.
const REQUEST_TIME: Duration = Duration::from_secs(30);

/// How the web is reached.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Whether this process speaks TLS.
    pub tls: bool,
    /// Whether a proxy in front does.
    pub behind_proxy: bool,
    /// Whether others than this machine can reach it.
    pub exposed: bool,
}

impl Settings {
    /// Whether browsers reach it by TLS. A proxy in front is there to speak it; were one to pass plain HTTP on all the
    /// same, browsers disregard what they are told about TLS (RFC 6797, 8.1) and keep no secure cookie.
    fn is_tls(self) -> bool {
        self.tls || self.behind_proxy
    }
}

/// What every handler has.
#[derive(Clone)]
pub(super) struct Web {
    pub(super) core: CoreClient,
    settings: Settings,
}

impl Web {
    pub(super) fn names(&self) -> CookieNames {
        CookieNames { secure: self.settings.is_tls() }
    }
}

/// The router, made from the table of routes.
pub fn router(core: CoreClient, settings: Settings) -> Router {
    let mut router = Router::new();
    for route in ROUTES {
        router = router.route(route.path, method_router(route));
    }
    let file = |State(_): State<Arc<Web>>, uri: Uri, headers: HeaderMap| async move {
        let path = uri.path().strip_prefix("/static/").unwrap_or(uri.path().trim_start_matches('/'));
        assets::get(path, &headers).unwrap_or_else(|| plain(StatusCode::NOT_FOUND))
    };
    for folder in ["/static/css/{file}", "/static/js/{file}", "/static/fnt/{file}", "/favicon.ico", "/favicon.gif"] {
        router = router.route(folder, axum::routing::get(file));
    }
    dressed(router.fallback(any(unknown)).method_not_allowed_fallback(wrong_method), core, settings)
}

/// Routes with what holds for every request.
fn dressed(routes: Router<Arc<Web>>, core: CoreClient, settings: Settings) -> Router {
    routes
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn(limits))
        .layer(middleware::from_fn(catch))
        .layer(middleware::from_fn_with_state(settings.is_tls(), headers::set))
        .with_state(Arc::new(Web { core, settings }))
}

/// Answers where a request ended in a panic, which the log has under the id of the request.
async fn catch(request: HttpRequest<Body>, next: middleware::Next) -> Response {
    let api = is_api(request.uri().path());
    let id = request.extensions().get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
    // Whatever the panic left half done is dropped with the request.
    AssertUnwindSafe(next.run(request)).catch_unwind().await.unwrap_or_else(|_| {
        let words = format!("This failed inside the program. The log says more about the request {id}.");
        respond::refusal(api, &Refusal::internal(words))
    })
}

fn method_router(route: &'static Route) -> MethodRouter<Arc<Web>> {
    let filter = match route.method {
        Method::Get => MethodFilter::GET,
        Method::Post => MethodFilter::POST,
        Method::Put => MethodFilter::PUT,
        Method::Patch => MethodFilter::PATCH,
        Method::Delete => MethodFilter::DELETE,
    };
    on(filter, move |State(web): State<Arc<Web>>, ConnectInfo(from): ConnectInfo<SocketAddr>, params, request| {
        known(web, from, route, params, request)
    })
}

/// Refuses what is too long, and methods that nobody needs, before anything is looked at.
async fn limits(request: HttpRequest<Body>, next: middleware::Next) -> Response {
    let api = is_api(request.uri().path());
    let method = request.method();
    let usual =
        [HttpMethod::GET, HttpMethod::HEAD, HttpMethod::POST, HttpMethod::PUT, HttpMethod::PATCH, HttpMethod::DELETE];
    if !usual.contains(method) {
        return respond::refusal(api, &Refusal::new(405, "method", "There is no such method here."));
    }
    let url = request.uri().path_and_query().map_or(0, |both| both.as_str().len());
    if url > MOST_URL {
        return respond::refusal(api, &Refusal::new(414, "url_too_long", "The address is too long."));
    }
    let headers: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if headers > MOST_HEADERS {
        return respond::refusal(api, &Refusal::new(431, "headers_too_long", "The headers are longer than 32 KiB."));
    }
    next.run(request).await
}

async fn known(
    web: Arc<Web>,
    from: SocketAddr,
    route: &'static Route,
    params: Result<RawPathParams, axum::extract::rejection::RawPathParamsRejection>,
    request: HttpRequest<Body>,
) -> Response {
    let api = route.is_api();
    let Ok(params) = params else {
        return respond::refusal(api, &Refusal::new(400, "malformed", "The address is no UTF-8 text."));
    };
    let params = params.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    let (parts, body) = request.into_parts();
    let (peer, to) = web.peer(&parts.headers, from, !api, parts.extensions.get());
    let mut call = Request {
        verb: Verb::Call,
        op: Some(route.op),
        other_method: false,
        api,
        safe: route.method.is_safe(),
        params,
        query: parts.uri.query().unwrap_or("").to_string(),
        content_type: browser::text(&parts.headers, header::CONTENT_TYPE).unwrap_or_default(),
        body: Secret::default(),
        peer,
    };
    match route.kind {
        Kind::Stream => return exchange::events(&web, call).await,
        Kind::Download => return exchange::download(&web, call).await,
        Kind::Upload => return exchange::upload(&web, call, HttpRequest::from_parts(parts, body)).await,
        Kind::Series if wants_bytes(&parts.headers) => return exchange::download(&web, call).await,
        Kind::Page | Kind::Form | Kind::Api | Kind::Series => {}
    }
    let work = async {
        call.body = match body_of(body).await {
            Ok(body) => body,
            Err(refusal) => return respond::refusal(api, &refusal),
        };
        web.ask(call, to).await
    };
    match timeout(REQUEST_TIME, work).await {
        Ok(response) => response,
        Err(_) => respond::refusal(api, &Refusal::new(408, "timeout", "The request took too long.")),
    }
}

/// A path that no route has. Whether it is open in another phase is not told.
async fn unknown(
    State(web): State<Arc<Web>>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    request: HttpRequest<Body>,
) -> Response {
    if request.uri().path().starts_with("/static/") {
        return plain(StatusCode::NOT_FOUND);
    }
    let (asked, to) = nowhere(&web, from, &request, None);
    web.ask(asked, to).await
}

/// A path that has a route, under a method that it has not. The core knows whether that may be told.
async fn wrong_method(
    State(web): State<Arc<Web>>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    request: HttpRequest<Body>,
) -> Response {
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    match ROUTES.iter().find(|route| Some(route.path) == path) {
        Some(route) => {
            let (asked, to) = nowhere(&web, from, &request, Some(route));
            web.ask(asked, to).await
        }
        None => plain(StatusCode::METHOD_NOT_ALLOWED),
    }
}

/// The question for a path that has no route, or none of this method.
fn nowhere(web: &Web, from: SocketAddr, request: &HttpRequest<Body>, near: Option<&Route>) -> (Request, Recipient) {
    let api = is_api(request.uri().path());
    let (peer, to) = web.peer(request.headers(), from, !api, request.extensions().get());
    let asked = Request {
        verb: Verb::Call,
        op: near.map(|route| route.op),
        other_method: near.is_some(),
        api,
        safe: matches!(*request.method(), HttpMethod::GET | HttpMethod::HEAD),
        params: std::collections::BTreeMap::new(),
        query: String::new(),
        content_type: String::new(),
        body: Secret::default(),
        peer,
    };
    (asked, to)
}

impl Web {
    /// Who asks, and how the answer is to reach them. A browser that has no cookie yet gets one with the first page.
    fn peer(&self, headers: &HeaderMap, from: SocketAddr, is_page: bool, id: Option<&RequestId>) -> (Peer, Recipient) {
        let names = self.names();
        let behind = self.settings.behind_proxy;
        let mut peer = browser::peer(headers, from.ip(), names, behind, self.settings.exposed);
        peer.request_id = id.map(|id| id.0.clone()).unwrap_or_default();
        let look = Look::of(headers);
        if peer.pre.is_some() || !is_page {
            return (peer, Recipient { fresh: None, look });
        }
        let fresh = respond::random_text();
        if let Some(fresh) = &fresh {
            peer.pre = Some(Secret::new(fresh.as_str()));
        }
        (peer, Recipient { fresh, look })
    }

    async fn ask(&self, request: Request, to: Recipient) -> Response {
        let api = request.api;
        match self.core.call(&request).await {
            Ok(reply) => respond::response(reply, &request.peer, self.names(), to),
            Err(_) => core_away(api, to.look),
        }
    }
}

/// The answer while the core is away.
pub(super) fn core_away(api: bool, look: Look) -> Response {
    let away = Refusal::new(503, "core_away", "The core does not answer. It may be starting.").retry_after(2);
    respond::refusal_in(api, &away, look)
}

/// Whether a browser takes columns of numbers rather than JSON.
fn wants_bytes(headers: &HeaderMap) -> bool {
    let accepted = browser::text(headers, header::ACCEPT).unwrap_or_default();
    accepted.split([',', ';']).any(|kind| kind.trim().eq_ignore_ascii_case("application/octet-stream"))
}

async fn body_of(body: Body) -> Result<Secret, Refusal> {
    let bytes: Bytes = match Limited::new(body, MOST_BODY).collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            return Err(Refusal::new(413, "too_large", "The body is larger than 256 KiB."));
        }
        Err(_) => return Err(Refusal::new(400, "malformed", "The body could not be read.")),
    };
    let malformed = |why| Refusal::new(400, "malformed", why);
    let text = std::str::from_utf8(&bytes).map_err(|_| malformed("The body is no UTF-8 text."))?;
    // Neither JSON nor a form has them, and each would take six bytes in the message to the core.
    if text.bytes().any(|byte| byte < b' ' && !b"\t\r\n".contains(&byte)) {
        return Err(malformed("The body has control characters."));
    }
    Ok(Secret::new(text))
}

fn is_api(path: &str) -> bool {
    path.starts_with("/api/") || path == "/healthz"
}

fn plain(status: StatusCode) -> Response {
    (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], status.canonical_reason().unwrap_or(""))
        .into_response()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tower::ServiceExt;
    use tracing::instrument::WithSubscriber;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;
    use crate::runtime::logs::Messages;

    const LOOPBACK: Settings = Settings { tls: false, behind_proxy: false, exposed: false };

    /// Nobody listens there.
    fn no_core() -> CoreClient {
        CoreClient::new("/nonexistent/core.sock".into())
    }

    async fn get(router: Router, path: &str) -> (StatusCode, HeaderMap, String) {
        let mut request = HttpRequest::get(path).body(Body::empty()).unwrap();
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 1))));
        let (parts, body) = router.oneshot(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (parts.status, parts.headers, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn browsers_are_told_to_stay_with_tls_where_they_reach_us_by_it() {
        for (tls, behind_proxy) in [(false, false), (true, false), (false, true), (true, true)] {
            let router = router(no_core(), Settings { tls, behind_proxy, exposed: tls || behind_proxy });
            for path in ["/login", "/static/css/tokens.css", "/healthz"] {
                let (_, headers, _) = get(router.clone(), path).await;
                let told = headers.get("strict-transport-security").map(|value| value.to_str().unwrap());
                let expected = (tls || behind_proxy).then_some("max-age=31536000; includeSubDomains");
                assert_eq!(told, expected, "{path}");
            }
        }
    }

    #[tokio::test]
    async fn a_request_that_ends_in_a_panic_is_answered_and_named_in_the_log() {
        // What the hook of the process does at a panic.
        let panics = || async {
            tracing::error!(target: "panic", "broke");
            std::panic::resume_unwind(Box::new("broke"));
            #[allow(unreachable_code)]
            StatusCode::OK
        };
        let routes = Router::new()
            .route("/api/v1/panics", axum::routing::get(panics))
            .route("/panics", axum::routing::get(panics));
        for (path, beginning) in [("/api/v1/panics", "{\"error\":{\"code\":\"internal\""), ("/panics", "<!")] {
            let lines = Arc::new(Mutex::new(String::new()));
            let heard = Arc::clone(&lines);
            let messages = Messages::as_lines(move |line| heard.lock().unwrap().push_str(line), Arc::new(|| 0));
            let router = dressed(routes.clone(), no_core(), LOOPBACK);
            let answered = get(router, path).with_subscriber(tracing_subscriber::registry().with(messages));
            let (status, headers, body) = answered.await;
            assert_eq!(status, 500);
            let id = headers["x-request-id"].to_str().unwrap();
            assert!(body.starts_with(beginning) && body.contains(id), "{body}");
            assert!(headers.contains_key("content-security-policy"));
            let lines = lines.lock().unwrap();
            assert!(lines.contains("\"broke\"") && lines.contains(&format!("\"request_id\":\"{id}\"")), "{lines}");
        }
    }
}
