//! WebSockets: connect, speak, notice silence, come back.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::config::backoff;
use super::http::Http;
use super::{Shared, data_stream, order_stream};
use crate::brokers::{BrokerEvent, Direction, Stream};

/// Why a connection ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) why: String,
    /// Coming back at once would not help: the broker refuses us.
    pub(super) refused: bool,
}

impl Ended {
    pub(super) fn because(why: impl Into<String>) -> Ended {
        Ended { why: why.into(), refused: false }
    }

    pub(super) fn refused(why: impl Into<String>) -> Ended {
        Ended { why: why.into(), refused: true }
    }
}

/// A connection.
pub(super) struct Connection<'a> {
    http: &'a Http,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    call: u64,
    path: String,
    heard: Instant,
    pings: tokio::time::Interval,
}

impl<'a> Connection<'a> {
    /// Connects, within the time limit of a call.
    pub(super) async fn open(http: &'a Http, url: &str) -> Result<Connection<'a>, Ended> {
        let call = http.next_call();
        let path = url.splitn(4, '/').nth(3).map_or_else(|| "/".to_string(), |path| format!("/{path}"));
        http.log(Direction::StreamOut, call, &path, "connect");
        let limit = http.options.timeout;
        let connected = match tokio::time::timeout(limit, connect_async(url)).await {
            Ok(connected) => connected.map_err(|error| error.to_string()),
            Err(_) => Err(format!("no connection within {} s", limit.as_secs_f64())),
        };
        match connected {
            Ok((socket, _)) => {
                let mut pings = interval(http.options.timing.ping);
                pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
                Ok(Connection { http, socket, call, path, heard: Instant::now(), pings })
            }
            Err(why) => {
                let why = http.redactor.text(&why);
                http.log(Direction::Failure, call, &path, &why);
                Err(Ended::because(why))
            }
        }
    }

    /// Sends a message.
    pub(super) async fn send(&mut self, text: String) -> Result<(), Ended> {
        self.http.log(Direction::StreamOut, self.call, &self.path, &text);
        self.write(Message::text(text)).await
    }

    async fn write(&mut self, message: Message) -> Result<(), Ended> {
        // A peer that is gone without a word leaves a full buffer behind.
        match tokio::time::timeout(self.http.options.timeout, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.ended(error.to_string())),
            Err(_) => Err(self.ended("nothing can be sent any more".to_string())),
        }
    }

    fn ended(&self, why: String) -> Ended {
        let why = self.http.redactor.text(&why);
        self.http.log(Direction::Failure, self.call, &self.path, &why);
        Ended::because(why)
    }

    /// The next message, of a text or a binary frame; pings meanwhile. Cancelling loses nothing.
    pub(super) async fn receive(&mut self) -> Result<String, Ended> {
        loop {
            // What has arrived is looked at first: a machine that slept was not silent to.
            let frame = tokio::select! {
                biased;
                frame = self.socket.next() => frame,
                _ = self.pings.tick() => {
                    let silent = self.heard.elapsed();
                    if silent > self.http.options.timing.silence {
                        return Err(self.ended(format!("silent for {:.1} s", silent.as_secs_f64())));
                    }
                    self.write(Message::Ping(Bytes::new())).await?;
                    continue;
                }
            };
            self.heard = Instant::now();
            let text = match frame {
                Some(Ok(Message::Text(text))) => text.as_str().to_string(),
                Some(Ok(Message::Binary(bytes))) => String::from_utf8_lossy(&bytes).into_owned(),
                Some(Ok(Message::Close(frame))) => {
                    let reason = frame.map(|frame| format!(" ({} {})", u16::from(frame.code), frame.reason));
                    return Err(self.ended(format!("closed by the broker{}", reason.unwrap_or_default())));
                }
                Some(Ok(_)) => continue,
                Some(Err(error)) => return Err(self.ended(error.to_string())),
                None => return Err(self.ended("the connection ended".to_string())),
            };
            return Ok(text);
        }
    }

    /// The next message, within the time limit of a call: part of a handshake.
    pub(super) async fn expect(&mut self, what: &str) -> Result<String, Ended> {
        match tokio::time::timeout(self.http.options.timeout, self.receive()).await {
            Ok(Ok(text)) => {
                self.note(&text);
                Ok(text)
            }
            Ok(Err(ended)) => Err(ended),
            Err(_) => Err(self.ended(format!("no {what} within {} s", self.http.options.timeout.as_secs_f64()))),
        }
    }

    /// Writes a message that came in into the log. Prices are left out: there are too many of them.
    pub(super) fn note(&self, text: &str) {
        self.http.log(Direction::StreamIn, self.call, &self.path, text);
    }

    /// Ends it.
    pub(super) async fn close(mut self) {
        let _ = tokio::time::timeout(Duration::from_secs(1), self.socket.close(None)).await;
    }
}

/// Keeps a stream up until nobody listens any more.
pub(super) async fn run(shared: Arc<Shared>, stream: Stream) {
    let timing = shared.http.options.timing;
    let mut memory = data_stream::Memory::default();
    let mut attempt = 0;
    let mut told: Option<String> = None;
    loop {
        let mut has_data = false;
        let began = Instant::now();
        let ended: Result<Infallible, Ended> = match stream {
            Stream::Orders => order_stream::session(&shared, &mut has_data).await,
            Stream::MarketData => data_stream::session(&shared, &mut memory, &mut has_data).await,
        };
        let Err(ended) = ended;
        let was_up = shared.is_up(stream);
        shared.set_up(stream, false);
        if was_up || told.as_ref() != Some(&ended.why) {
            shared.send(BrokerEvent::StreamDown { stream, why: ended.why.clone() });
        }
        told = (!was_up).then(|| ended.why.clone());
        // A broker that takes every connection and drops it at once must not be asked every second.
        if has_data || (was_up && began.elapsed() > timing.reconnect_longest) {
            attempt = 0;
        }
        let wait = if ended.refused {
            timing.reconnect_longest
        } else {
            backoff(timing.reconnect_first, timing.reconnect_longest, attempt, stream.name())
        };
        attempt = attempt.saturating_add(1);
        tokio::time::sleep(wait).await;
    }
}
