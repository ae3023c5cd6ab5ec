//! The socket that the web reaches the core by.
//!
//! `control/core.sock` is made with mode 0600 in a folder of mode 0700, by the process that holds the lock of the data
//! folder, and only processes of the same user are answered.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use super::core::Core;
use super::protocol::{MOST_DATA, Reply, Request, Verb, read_json, write_frame, write_json};
use super::reply::Refusal;
use super::transfer::IDLE_TIME;
use crate::vault::Actor;
use crate::vault::audit::{Action, Entry};

/// The socket, relative to the data folder.
pub const SOCKET: &str = "control/core.sock";
/// Longest path of a socket that the system takes.
const MOST_PATH: usize = 107;
/// Exchanges at once; more wait.
const MOST_EXCHANGES: usize = 512;
/// How long a call may take, from its first byte to its last.
pub const CALL_TIME: Duration = Duration::from_secs(30);

/// The socket cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// The path is too long for the system.
    #[error(
        "the path {path} has {bytes} bytes; a socket may have {MOST_PATH}: choose a data folder with a shorter path"
    )]
    PathTooLong { path: String, bytes: usize },
    /// The system refused.
    #[error("the socket {path}: {source}")]
    Io { path: String, source: io::Error },
}

/// Makes the socket. One that is left over from a process that was killed is replaced: whoever calls this holds the
/// lock of the data folder.
///
/// # Errors
/// Its path is too long, or the system refused.
pub fn listen(root: &Path) -> Result<UnixListener, SocketError> {
    let path = socket_path(root)?;
    let failed = |source| SocketError::Io { path: path.display().to_string(), source };
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    // umask 077 makes it 0600 from the first moment on.
    UnixListener::bind(&path).map_err(failed)
}

/// Where the socket of a data folder is.
///
/// # Errors
/// The path is too long.
pub fn socket_path(root: &Path) -> Result<PathBuf, SocketError> {
    let path = root.join(SOCKET);
    let bytes = path.as_os_str().len();
    if bytes > MOST_PATH {
        return Err(SocketError::PathTooLong { path: path.display().to_string(), bytes });
    }
    Ok(path)
}

/// Answers until `stop` is ready, then ends the streams and lets the other exchanges that are under way end.
pub async fn serve(core: Arc<Core>, listener: UnixListener, stop: impl Future<Output = ()>) {
    let places = Arc::new(Semaphore::new(MOST_EXCHANGES));
    let (ending, ended) = watch::channel(false);
    let mut stop = std::pin::pin!(stop);
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => accepted,
        };
        // What fails here is the one connection; a lack of descriptors passes.
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let (core, ended) = (Arc::clone(&core), ended.clone());
        tokio::spawn(async move {
            let _place = place;
            if is_own(&stream) {
                // A connection that breaks is the web's loss only.
                let _ = exchange(&core, stream, ended).await;
            } else {
                refuse_stranger(&core).await;
            }
        });
    }
    let _ = ending.send(true);
    let all = u32::try_from(MOST_EXCHANGES).unwrap_or(u32::MAX);
    let _ = timeout(Duration::from_secs(5), places.acquire_many(all)).await;
}

fn is_own(stream: &UnixStream) -> bool {
    stream.peer_cred().is_ok_and(|peer| peer.uid() == rustix::process::geteuid().as_raw())
}

async fn refuse_stranger(core: &Arc<Core>) {
    let now = core.now();
    let work = move |house: &mut super::house::House| {
        house.audit.note(Entry::new(now, &Actor::core(), Action::AuthzDeny, super::server::SOCKET, "foreign user"));
    };
    let _ = core.work(work).await;
}

async fn exchange(core: &Arc<Core>, mut stream: UnixStream, ended: watch::Receiver<bool>) -> io::Result<()> {
    let request: Request = match timeout(CALL_TIME, read_json(&mut stream)).await {
        Ok(Ok(Some(request))) => request,
        Ok(Ok(None)) | Err(_) => return Ok(()),
        Ok(Err(error)) => {
            let reply: Reply = Refusal::new(400, "malformed", "The message is no request.").into();
            write_json(&mut stream, &reply).await?;
            return Err(error);
        }
    };
    match request.verb {
        Verb::Call => {
            let reply = match timeout(CALL_TIME, core.answer(request)).await {
                Ok(reply) => reply,
                Err(_) => Refusal::new(503, "timeout", "The core took too long.").retry_after(2).into(),
            };
            tell(&mut stream, &reply).await
        }
        Verb::Subscribe => {
            let (from, to) = stream.into_split();
            subscription(core, request, from, to, ended).await
        }
        Verb::Transfer => {
            let (mut from, to) = stream.into_split();
            let sending = core.transfer(request, &mut from).await;
            send(sending, to).await
        }
    }
}

/// Sends an answer; instead of one that is longer than a message may be, that it is.
async fn tell(to: &mut (impl AsyncWrite + Unpin), reply: &Reply) -> io::Result<()> {
    match write_json(to, reply).await {
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
            let why = "The answer is longer than 1 MiB. Ask for less of it.";
            write_json(to, &Reply::from(Refusal::new(413, "answer_too_long", why))).await
        }
        told => told,
    }
}

/// Sends events until the session ends, the browser goes, or the core stops.
async fn subscription(
    core: &Arc<Core>,
    request: Request,
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut ended: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut subscription = match core.subscribe(request).await {
        Ok(subscription) => subscription,
        Err(reply) => return write_json(&mut to, &*reply).await,
    };
    write_json(&mut to, &subscription.reply).await?;
    loop {
        let mut byte = [0];
        let event = tokio::select! {
            // The other side sends nothing more: whatever is read here is its end.
            _ = from.read(&mut byte) => return Ok(()),
            _ = ended.wait_for(|ended| *ended) => return Ok(()),
            event = subscription.next() => event,
        };
        let Some(event) = event else { return Ok(()) };
        in_time(write_json(&mut to, &event)).await?;
    }
}

/// Sends an answer and the data that belong to it. Who does not take them in time does not get the rest.
async fn send(sending: super::transfer::Sending, mut to: impl AsyncWrite + Unpin) -> io::Result<()> {
    in_time(write_json(&mut to, &sending.reply)).await?;
    let Some(mut data) = sending.data else { return Ok(()) };
    let mut buffer = vec![0; MOST_DATA];
    loop {
        // Nothing is read ahead of what was taken.
        let count = data.read(&mut buffer).await?;
        in_time(write_frame(&mut to, &buffer[..count])).await?;
        if count == 0 {
            return Ok(());
        }
    }
}

async fn in_time(writing: impl Future<Output = io::Result<()>>) -> io::Result<()> {
    timeout(IDLE_TIME, writing).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::protocol::MOST_JSON;

    #[tokio::test]
    async fn an_answer_that_is_too_long_is_told_to_be_so_and_no_broken_connection() {
        let mut wire = Vec::new();
        tell(&mut wire, &Reply::json("x".repeat(MOST_JSON))).await.unwrap();
        let told: Reply = read_json(&mut wire.as_slice()).await.unwrap().unwrap();
        assert_eq!((told.status, told.body["error"]["code"].as_str()), (413, Some("answer_too_long")));
        let mut wire = Vec::new();
        tell(&mut wire, &Reply::json("x")).await.unwrap();
        assert_eq!(read_json::<Reply>(&mut wire.as_slice()).await.unwrap().unwrap().body, "x");
    }
}
