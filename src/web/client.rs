//! The web's side of the socket.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::runtime::protocol::{Reply, Request, read_json, write_json};

/// How long the core may take to answer: a little more than it gives itself.
const ANSWER_TIME: Duration = Duration::from_secs(32);

/// Asks the core.
#[derive(Debug, Clone)]
pub struct CoreClient {
    socket: Arc<PathBuf>,
}

impl CoreClient {
    /// For the socket at this path.
    pub fn new(socket: PathBuf) -> CoreClient {
        CoreClient { socket: Arc::new(socket) }
    }

    /// One request, one answer.
    ///
    /// # Errors
    /// The core is away.
    pub async fn call(&self, request: &Request) -> io::Result<Reply> {
        let exchange = async {
            let mut stream = UnixStream::connect(self.socket.as_path()).await?;
            write_json(&mut stream, request).await?;
            let away = || io::Error::new(io::ErrorKind::UnexpectedEof, "the core ended the connection");
            read_json(&mut stream).await?.ok_or_else(away)
        };
        timeout(ANSWER_TIME, exchange).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }
}
