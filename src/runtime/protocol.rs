//! What the web process and the core say to each other over `control/core.sock`.
//!
//! A message is a frame: four bytes of length, big-endian, and so many bytes. A connection carries one exchange:
//!
//! | verb | the web sends | the core sends |
//! | --- | --- | --- |
//! | `call` | a [`Request`] | a [`Reply`] |
//! | `subscribe` | a [`Request`] | a [`Reply`], and while it is a success a frame for every event |
//! | `transfer` | a [`Request`], data frames, an empty frame | a [`Reply`], data frames, an empty frame |
//!
//! Who gets a [`Reply`] before having sent everything need not send the rest: it is a refusal.
//!
//! The core decides everything: whether a route is open, who asks, and what is answered. The web tells it what the
//! browser sent and gives back what the core says.

use std::collections::BTreeMap;
use std::io;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use zeroize::Zeroizing;

use super::Phase;
use super::routes::Op;

/// Most bytes of a frame with JSON.
pub const MOST_JSON: usize = 1024 * 1024;
/// Most bytes of a data frame.
pub const MOST_DATA: usize = 256 * 1024;

/// The kind of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// One request, one answer.
    Call,
    /// One request, events until one side goes away.
    Subscribe,
    /// Data in both directions.
    Transfer,
}

/// A request of a browser as the web passes it on.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The kind of exchange.
    pub verb: Verb,
    /// What is asked for; `None`: a path that no route has.
    pub op: Option<Op>,
    /// Whether the path is that of `op`, but its routes have other methods.
    #[serde(default)]
    pub other_method: bool,
    /// Whether the path is one of the API, so that the answer is JSON.
    pub api: bool,
    /// Whether the method changes nothing.
    pub safe: bool,
    /// Parameters in the path.
    #[serde(default)]
    pub params: BTreeMap<String, String>,
    /// The query, as it was sent.
    #[serde(default)]
    pub query: String,
    /// The content type, as it was sent.
    #[serde(default)]
    pub content_type: String,
    /// The body, as it was sent.
    #[serde(default)]
    pub body: Secret,
    /// From where, and with which cookies and headers.
    pub peer: Peer,
}

/// Where a request comes from, and the headers that decide about it.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// Address of the browser.
    pub ip: String,
    /// `User-Agent`.
    pub agent: String,
    /// Values of all session cookies that were sent.
    pub sessions: Vec<Secret>,
    /// The cookie before a login.
    pub pre: Option<Secret>,
    /// The cookie of the browser that configured.
    pub setup: Option<Secret>,
    /// `X-CSRF-Token`.
    pub csrf: Option<Secret>,
    /// `Sec-Fetch-Site`.
    pub fetch_site: Option<String>,
    /// `Origin`.
    pub origin: Option<String>,
    /// `Host`.
    pub host: String,
    /// Whether the web listens beyond this machine, or says it does for a proxy.
    pub exposed: bool,
    /// `X-Request-Id` of the answer, to find the request in a log.
    #[serde(default)]
    pub request_id: String,
}

/// The core's answer.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// The JSON of an answer of the API.
    #[serde(default)]
    pub body: Value,
    /// The page to show.
    #[serde(default)]
    pub page: Option<Page>,
    /// Where to go instead.
    #[serde(default)]
    pub location: Option<String>,
    /// Cookies to set or to clear.
    #[serde(default)]
    pub cookies: Vec<CookieChange>,
    /// Seconds after which to try again.
    #[serde(default)]
    pub retry_after: Option<u64>,
    /// What the data frames of a transfer are.
    #[serde(default)]
    pub download: Option<Download>,
}

/// A cookie that the answer sets. The web chooses its name by the scheme.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CookieChange {
    /// A new session token.
    Session(Secret),
    /// Nobody is logged in any more: all cookies are to be cleared.
    LoggedOut,
    /// The mark of the browser that configured.
    Setup(Secret),
}

/// A file that is sent.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Download {
    /// The name under which the browser keeps it.
    pub filename: String,
    /// Its content type.
    pub content_type: String,
    /// How many bytes follow, if that is known beforehand.
    #[serde(default)]
    pub bytes: Option<u64>,
}

/// A page: which one, and what it shows.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    /// The template.
    pub name: PageName,
    /// What every page knows.
    pub context: Context,
    /// What this page shows.
    #[serde(default)]
    pub data: Value,
}

/// The pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PageName {
    Configuration,
    Wait,
    Register,
    Login,
    Main,
    Status,
    Settings,
    Logs,
    Ledger,
    Coa,
    Test,
    Account,
    Backtest,
    Sweep,
    Audit,
    Keys,
    Backups,
    Error,
    /// A refusal in words: not found, not allowed, too much.
    Refused,
}

/// What every page knows.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Context {
    /// The phase.
    pub phase: Phase,
    /// The word of the bot's state.
    pub bot_state: String,
    /// Entity, jurisdiction, broker and bot joined by `_`; empty before the configuration.
    pub identity: String,
    /// The version of the program.
    pub version: String,
    /// Who is logged in.
    pub user: Option<PageUser>,
    /// The CSRF token of the session; `None` before a login, where it follows from the cookie.
    pub csrf: Option<Secret>,
}

/// Who looks at a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageUser {
    /// From 1.
    pub id: i64,
    /// Name.
    pub username: String,
    /// Whether the user may change things.
    pub admin: bool,
}

/// A text that may hold a secret: overwritten when dropped, never printed. It crosses the socket in plain, which only
/// the owner of the core can open.
#[derive(Clone, Default)]
pub struct Secret(SecretString);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<Box<str>>) -> Secret {
        Secret(SecretString::from(text.into()))
    }

    /// The text.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// As the vault takes it.
    pub fn into_inner(self) -> SecretString {
        self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[REDACTED]")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.expose())
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
        String::deserialize(deserializer).map(Secret::new)
    }
}

/// Writes a frame of bytes; an empty one ends a transfer.
///
/// # Errors
/// The connection is gone, or there are more than [`MOST_JSON`] bytes.
pub async fn write_frame(to: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    let too_long = || io::Error::new(io::ErrorKind::InvalidInput, "a message longer than 1 MiB");
    let length = u32::try_from(bytes.len()).ok().filter(|_| bytes.len() <= MOST_JSON).ok_or_else(too_long)?;
    to.write_all(&length.to_be_bytes()).await?;
    to.write_all(bytes).await?;
    to.flush().await
}

/// Reads a frame of at most `most` bytes; `None` when the other side has ended the connection.
///
/// # Errors
/// The connection broke in the middle of a frame, or the frame is longer.
pub async fn read_frame(from: &mut (impl AsyncRead + Unpin), most: usize) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let mut length = [0; 4];
    match from.read_exact(&mut length).await {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    };
    let length = u32::from_be_bytes(length) as usize;
    if length > most {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a message of {length} bytes; at most {most}")));
    }
    let mut bytes = Zeroizing::new(vec![0; length]);
    from.read_exact(&mut bytes).await?;
    Ok(Some(bytes))
}

/// Writes a message as JSON.
///
/// # Errors
/// As [`write_frame`].
pub async fn write_json(to: &mut (impl AsyncWrite + Unpin), message: &impl Serialize) -> io::Result<()> {
    let bytes = Zeroizing::new(serde_json::to_vec(message)?);
    write_frame(to, &bytes).await
}

/// Reads a message of JSON; `None` when the other side has ended the connection.
///
/// # Errors
/// As [`read_frame`], or it is no such message.
pub async fn read_json<T: for<'de> Deserialize<'de>>(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<T>> {
    let Some(bytes) = read_frame(from, MOST_JSON).await? else { return Ok(None) };
    serde_json::from_slice(&bytes).map(Some).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    #[test]
    fn frames_come_back_and_an_end_is_no_error() {
        block_on(async {
            let (mut a, mut b) = tokio::io::duplex(64);
            let sender = tokio::spawn(async move {
                write_frame(&mut a, b"one").await.unwrap();
                write_frame(&mut a, b"").await.unwrap();
            });
            assert_eq!(**read_frame(&mut b, 16).await.unwrap().unwrap(), *b"one");
            assert!(read_frame(&mut b, 16).await.unwrap().unwrap().is_empty());
            sender.await.unwrap();
            assert!(read_frame(&mut b, 16).await.unwrap().is_none());
        });
    }

    #[test]
    fn a_frame_that_is_too_long_or_torn_is_refused() {
        block_on(async {
            let mut huge: &[u8] = &[0xff, 0xff, 0xff, 0xff, 0, 0];
            assert!(read_frame(&mut huge, MOST_JSON).await.is_err());
            let mut torn: &[u8] = &[0, 0, 0, 9, b'x'];
            assert!(read_frame(&mut torn, MOST_JSON).await.is_err());
            let mut sink = Vec::new();
            assert!(write_frame(&mut sink, &vec![0; MOST_JSON + 1]).await.is_err());
            assert!(sink.is_empty());
        });
    }

    #[test]
    fn a_secret_crosses_the_socket_and_is_never_printed() {
        let peer = Peer { csrf: Some(Secret::new("hunter2")), ..Peer::default() };
        assert!(!format!("{peer:?}").contains("hunter2"));
        let back: Peer = serde_json::from_str(&serde_json::to_string(&peer).unwrap()).unwrap();
        assert_eq!(back.csrf.unwrap().expose(), "hunter2");
    }
}
