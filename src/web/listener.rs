//! Sockets: TCP, TLS, and the limits of HTTP that lie below a request.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

/// Connections at once; more wait in the system's queue.
const MOST_CONNECTIONS: usize = 2_048;
/// How long the headers of a request may take, and a TLS handshake.
const HEADER_TIME: Duration = Duration::from_secs(10);
/// Most bytes of the headers of a request with its URL.
const MOST_HEADERS: usize = 40 * 1024;
/// How long connections may take to end when the process is stopped.
const END_TIME: Duration = Duration::from_secs(5);

/// A certificate and its key.
#[derive(Debug, Clone)]
pub struct Tls {
    /// PEM file of the certificate chain.
    pub certificate: PathBuf,
    /// PEM file of the private key.
    pub key: PathBuf,
}

/// The web cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// A PEM file cannot be used.
    #[error("{path}: {what}")]
    Pem { path: String, what: String },
    /// Certificate and key do not go together.
    #[error("certificate and key cannot be used together: {0}")]
    Tls(#[from] rustls::Error),
}

impl Tls {
    /// Reads both files.
    ///
    /// # Errors
    /// One cannot be read, or they do not go together.
    pub fn acceptor(&self) -> Result<TlsAcceptor, ListenError> {
        let pem = |path: &PathBuf, what: String| ListenError::Pem { path: path.display().to_string(), what };
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&self.certificate)
            .and_then(Iterator::collect)
            .map_err(|error| pem(&self.certificate, error.to_string()))?;
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(|error| pem(&self.key, error.to_string()))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

/// Serves until `stop` is ready, then lets the requests that are under way end.
pub async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, router: Router, stop: impl Future<Output = ()>) {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let (ending, ended) = watch::channel(false);
    let mut stop = std::pin::pin!(stop);
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, from)) = accepted else {
            // A lack of descriptors passes.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let (router, tls, ended) = (router.clone(), tls.clone(), ended.clone());
        tokio::spawn(async move {
            let _place = place;
            // What goes wrong here is the one connection.
            let _ = match tls {
                None => connection(stream, from, router, ended).await,
                Some(acceptor) => match timeout(HEADER_TIME, acceptor.accept(stream)).await {
                    Ok(Ok(stream)) => connection(stream, from, router, ended).await,
                    Ok(Err(_)) | Err(_) => Ok(()),
                },
            };
        });
    }
    let _ = ending.send(true);
    let all = u32::try_from(MOST_CONNECTIONS).unwrap_or(u32::MAX);
    let _ = timeout(END_TIME, places.acquire_many(all)).await;
}

async fn connection<S>(stream: S, from: SocketAddr, router: Router, mut ended: watch::Receiver<bool>) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = router.map_request(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(ConnectInfo(from));
        request.map(axum::body::Body::new)
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .max_buf_size(MOST_HEADERS)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    let mut served = std::pin::pin!(served);
    let ending = async {
        let _ = ended.wait_for(|ended| *ended).await;
    };
    tokio::select! {
        result = served.as_mut() => return result.map_err(io::Error::other),
        () = ending => {}
    }
    served.as_mut().graceful_shutdown();
    served.await.map_err(io::Error::other)
}
