//! The web's side of the socket.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use futures_util::{Stream, StreamExt};
use tokio::net::UnixStream;
use tokio::net::unix::OwnedReadHalf;
use tokio::time::timeout;

use crate::runtime::protocol::{MOST_DATA, Reply, Request, read_frame, read_json, write_frame, write_json};

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
            read_json(&mut stream).await?.ok_or_else(away)
        };
        timeout(ANSWER_TIME, exchange).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }

    /// A request whose answer is followed by more: events, or the data of a file. What follows is read from the second.
    ///
    /// # Errors
    /// The core is away.
    pub async fn open(&self, request: &Request) -> io::Result<(Reply, UnixStream)> {
        let exchange = async {
            let mut stream = UnixStream::connect(self.socket.as_path()).await?;
            write_json(&mut stream, request).await?;
            let reply = read_json(&mut stream).await?.ok_or_else(away)?;
            Ok((reply, stream))
        };
        timeout(ANSWER_TIME, exchange).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }

    /// A request that brings a file. It is passed on as it comes; nothing of it is kept here. When the core refuses it,
    /// the rest is not asked for.
    ///
    /// # Errors
    /// The core is away, or the file cannot be read: `Err` of the inner result.
    pub async fn send<E>(
        &self,
        request: &Request,
        file: impl Stream<Item = Result<Bytes, E>>,
    ) -> io::Result<Result<Reply, E>> {
        let mut stream = UnixStream::connect(self.socket.as_path()).await?;
        write_json(&mut stream, request).await?;
        let (mut from, mut to) = stream.into_split();
        let mut file = std::pin::pin!(file);
        let reply = answer(&mut from);
        let mut reply = std::pin::pin!(reply);
        loop {
            let part = tokio::select! {
                reply = &mut reply => return reply.map(Ok),
                part = file.next() => part,
            };
            let bytes = match part {
                None => break,
                Some(Ok(bytes)) => bytes,
                Some(Err(error)) => return Ok(Err(error)),
            };
            for frame in bytes.chunks(MOST_DATA) {
                tokio::select! {
                    reply = &mut reply => return reply.map(Ok),
                    written = write_frame(&mut to, frame) => if written.is_err() {
                        // The core has answered and gone.
                        return reply.await.map(Ok);
                    },
                }
            }
        }
        // If this fails the core has answered already.
        let _ = write_frame(&mut to, &[]).await;
        timeout(ANSWER_TIME, reply).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?.map(Ok)
    }
}

async fn answer(from: &mut OwnedReadHalf) -> io::Result<Reply> {
    read_json(from).await?.ok_or_else(away)
}

/// The data of a file that the core sends, until its end. A core that stops in the middle is an error, so that nobody
/// takes a part for the whole.
pub fn data(stream: UnixStream) -> impl Stream<Item = io::Result<Bytes>> {
    futures_util::stream::unfold(Some(stream), |stream| async move {
        let mut stream = stream?;
        match read_frame(&mut stream, MOST_DATA).await {
            Ok(Some(frame)) if frame.is_empty() => None,
            Ok(Some(frame)) => Some((Ok(Bytes::copy_from_slice(&frame)), Some(stream))),
            Ok(None) => Some((Err(away()), None)),
            Err(error) => Some((Err(error), None)),
        }
    })
}

fn away() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the core ended the connection")
}
