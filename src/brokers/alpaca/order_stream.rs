//! The stream `trade_updates`: what becomes of orders.

use std::convert::Infallible;

use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::Shared;
use super::http::Http;
use super::stream::{Connection, Ended};
use super::wire::WireUpdate;
use super::words;
use crate::brokers::{BrokerEvent, Stream};

#[derive(Deserialize)]
struct Envelope<'a> {
    stream: String,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
struct Answer {
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    streams: Vec<String>,
    #[serde(default)]
    error: Option<String>,
}

/// The name of the stream and its data as `T`; what is not understood is left out.
fn read<T: for<'de> Deserialize<'de> + Default>(text: &str) -> (String, T) {
    match serde_json::from_str::<Envelope>(text) {
        Ok(Envelope { stream, data }) => {
            let data = data.and_then(|data| serde_json::from_str(data.get()).ok()).unwrap_or_default();
            (stream, data)
        }
        Err(_) => (String::new(), T::default()),
    }
}

/// Connects and authenticates.
pub(super) async fn handshake(http: &Http) -> Result<Connection<'_>, Ended> {
    let mut connection = Connection::open(http, &http.origins().order_stream).await?;
    let hello = json!({
        "action": "authenticate",
        "data": {
            "key_id": http.options.key_id.expose_secret(),
            "secret_key": http.options.secret_key.expose_secret(),
        },
    });
    connection.send(hello.to_string()).await?;
    loop {
        let text = connection.expect("answer to the authentication").await?;
        let (stream, answer) = read::<Answer>(&text);
        if stream == "authorization" {
            match answer.status.as_deref() {
                Some("authorized") => return Ok(connection),
                _ => return Err(Ended::refused("the broker refuses the credentials")),
            }
        }
    }
}

/// Listens until the connection ends. First it listens and then it compares with the records, so that nothing falls
/// between the two.
pub(super) async fn session(shared: &Shared, has_data: &mut bool) -> Result<Infallible, Ended> {
    let mut connection = handshake(&shared.http).await?;
    connection.send(json!({"action": "listen", "data": {"streams": ["trade_updates"]}}).to_string()).await?;
    loop {
        let text = connection.expect("answer to the request to listen").await?;
        match read::<Answer>(&text) {
            (stream, answer) if stream == "listening" => {
                if answer.streams.iter().any(|name| name == "trade_updates") {
                    break;
                }
                let why = answer.error.unwrap_or_else(|| "it does not listen to trade_updates".to_string());
                return Err(Ended::refused(why));
            }
            (stream, _) if stream == "trade_updates" => take(shared, &text, has_data),
            _ => {}
        }
    }
    shared.compare(true).await.map_err(|error| Ended::because(format!("cannot compare with the records: {error}")))?;
    shared.set_up(Stream::Orders, true);
    shared.send(BrokerEvent::StreamUp { stream: Stream::Orders });
    loop {
        let text = connection.receive().await?;
        connection.note(&text);
        take(shared, &text, has_data);
    }
}

/// Takes a message. One that cannot be read is reported, and the records have what it said.
fn take(shared: &Shared, text: &str, has_data: &mut bool) {
    let warn = |why: String| shared.send(BrokerEvent::StreamWarning { stream: Stream::Orders, why });
    let envelope = match serde_json::from_str::<Envelope>(text) {
        Ok(envelope) => envelope,
        Err(error) => return warn(format!("a message is not understood: {error}")),
    };
    let Some(data) = envelope.data.filter(|_| envelope.stream == "trade_updates") else { return };
    match serde_json::from_str::<WireUpdate>(data.get()) {
        Ok(update) => {
            *has_data = true;
            if words::is_correction(&update.event) {
                warn(format!("the broker took back or corrected an execution ({}): compare the books", update.event));
            }
            shared.take(&update.report());
        }
        Err(error) => warn(format!("a trade update is not understood: {error}")),
    }
}
