//! The two streams: who is connected, what they listen to, and what is said to them.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::desk::Push;
use super::faults::{Faults, StreamFault};
use super::lock;
use super::server::Shared;

/// Most symbols with quotes on one connection.
const MOST_QUOTES: usize = 30;

/// What goes to a connection.
enum Out {
    Text(String),
    /// The end, without a goodbye.
    Cut,
}

struct Client {
    sender: mpsc::UnboundedSender<Out>,
    /// Listens to trade updates.
    listens: bool,
    /// Symbols by channel of market data.
    channels: BTreeMap<String, BTreeSet<String>>,
}

/// Everyone who is connected.
pub struct Hub {
    binary: bool,
    clients: BTreeMap<u64, Client>,
    next: u64,
    /// A message that waits for the next one to go before it.
    held: Option<String>,
    muted: tokio::sync::watch::Sender<bool>,
    pub refuse_data: usize,
    pub refuse_all: bool,
    pub order_connections: usize,
    pub data_connections: usize,
    has_data: Option<u64>,
}

impl Hub {
    pub fn new(binary: bool) -> Hub {
        Hub {
            binary,
            clients: BTreeMap::new(),
            next: 0,
            held: None,
            muted: tokio::sync::watch::Sender::new(false),
            refuse_data: 0,
            refuse_all: false,
            order_connections: 0,
            data_connections: 0,
            has_data: None,
        }
    }

    fn enter(&mut self) -> (u64, mpsc::UnboundedReceiver<Out>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.next += 1;
        self.clients.insert(self.next, Client { sender, listens: false, channels: BTreeMap::new() });
        (self.next, receiver)
    }

    fn leave(&mut self, id: u64) {
        self.clients.remove(&id);
        if self.has_data == Some(id) {
            self.has_data = None;
        }
    }

    pub fn cut(&mut self) {
        for client in self.clients.values() {
            let _ = client.sender.send(Out::Cut);
        }
    }

    pub fn mute(&mut self, muted: bool) {
        self.muted.send_replace(muted);
    }

    pub fn watched(&self, channel: &str) -> Vec<String> {
        let all: BTreeSet<&String> =
            self.clients.values().filter_map(|client| client.channels.get(channel)).flatten().collect();
        all.into_iter().cloned().collect()
    }

    pub fn say(&mut self, to_orders: bool, text: &str) {
        for client in self.clients.values().filter(|client| client.listens == to_orders) {
            let _ = client.sender.send(Out::Text(text.to_string()));
        }
    }

    /// Says something to whom it concerns.
    pub fn push(&mut self, push: Push, faults: &mut Faults) {
        match push {
            Push::Order(data) => {
                let text = json!({"stream": "trade_updates", "data": data}).to_string();
                let held = self.held.take();
                match faults.of_message(&text) {
                    None => self.say(true, &text),
                    Some(StreamFault::Drop) => {}
                    Some(StreamFault::Duplicate) => {
                        self.say(true, &text);
                        self.say(true, &text);
                    }
                    Some(StreamFault::Reorder) => self.held = Some(text),
                    Some(StreamFault::Cut) => self.cut(),
                }
                if let Some(held) = held {
                    self.say(true, &held);
                }
            }
            Push::Data { channel, symbol, item } => {
                let text = json!([item]).to_string();
                for client in self.clients.values() {
                    let symbols = client.channels.get(channel);
                    if symbols.is_some_and(|symbols| symbols.contains(&symbol) || symbols.contains("*")) {
                        let _ = client.sender.send(Out::Text(text.clone()));
                    }
                }
            }
        }
    }
}

fn is_refused(shared: &Shared) -> bool {
    lock(&shared.world).hub.refuse_all
}

pub async fn orders(State(shared): State<Shared>, upgrade: WebSocketUpgrade) -> Response {
    if is_refused(&shared) {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    lock(&shared.world).hub.order_connections += 1;
    upgrade.on_upgrade(move |socket| talk(shared, socket, Kind::Orders))
}

pub async fn data(State(shared): State<Shared>, upgrade: WebSocketUpgrade) -> Response {
    if is_refused(&shared) {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    lock(&shared.world).hub.data_connections += 1;
    upgrade.on_upgrade(move |socket| talk(shared, socket, Kind::Data))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Orders,
    Data,
}

/// One connection, until either side ends it.
async fn talk(shared: Shared, mut socket: WebSocket, kind: Kind) {
    let (id, mut outbox) = lock(&shared.world).hub.enter();
    let (binary, mut muted) = {
        let world = lock(&shared.world);
        (world.hub.binary && kind == Kind::Orders, world.hub.muted.subscribe())
    };
    let frame = |text: String| if binary { Message::Binary(text.into_bytes().into()) } else { Message::text(text) };
    let mut is_known = false;
    if kind == Kind::Data && socket.send(frame(r#"[{"T":"success","msg":"connected"}]"#.into())).await.is_err() {
        lock(&shared.world).hub.leave(id);
        return;
    }
    loop {
        // A mute server reads nothing, either, so that it does not even answer pings.
        if *muted.borrow_and_update() {
            if muted.changed().await.is_err() {
                break;
            }
            continue;
        }
        let answers = tokio::select! {
            _ = muted.changed() => continue,
            out = outbox.recv() => match out {
                Some(Out::Text(text)) => vec![text],
                Some(Out::Cut) | None => break,
            },
            message = socket.recv() => match message {
                Some(Ok(Message::Text(text))) => reply(&shared, id, kind, &mut is_known, &text),
                Some(Ok(Message::Binary(bytes))) => {
                    reply(&shared, id, kind, &mut is_known, &String::from_utf8_lossy(&bytes))
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                Some(Ok(Message::Close(_)) | Err(_)) | None => break,
            },
        };
        let mut is_broken = false;
        for text in answers {
            is_broken |= socket.send(frame(text)).await.is_err();
        }
        if is_broken {
            break;
        }
    }
    lock(&shared.world).hub.leave(id);
}

fn reply(shared: &Shared, id: u64, kind: Kind, is_known: &mut bool, text: &str) -> Vec<String> {
    let message: Value = serde_json::from_str(text).unwrap_or_default();
    let (key, secret) = {
        let gate = shared.gate.lock().unwrap();
        (gate.key.clone(), gate.secret.clone())
    };
    let mut world = lock(&shared.world);
    let hub = &mut world.hub;
    let action = message["action"].as_str().unwrap_or_default();
    let answer = match kind {
        Kind::Orders => match action {
            "authenticate" => {
                let data = &message["data"];
                *is_known = data["key_id"] == key && data["secret_key"] == secret;
                let status = if *is_known { "authorized" } else { "unauthorized" };
                json!({"stream": "authorization", "data": {"status": status, "action": "authenticate"}})
            }
            "listen" if *is_known => {
                let streams = message["data"]["streams"].clone();
                if let Some(client) = hub.clients.get_mut(&id) {
                    // It replaces what was listened to.
                    client.listens = streams.as_array().is_some_and(|names| names.contains(&json!("trade_updates")));
                }
                json!({"stream": "listening", "data": {"streams": streams}})
            }
            _ => {
                json!({"stream": "listening", "data": {"streams": [], "error": "required arguments are missing or you are not authorized"}})
            }
        },
        Kind::Data => match action {
            "auth" if message["key"] != key || message["secret"] != secret => {
                json!([{"T": "error", "code": 402, "msg": "auth failed"}])
            }
            "auth" if hub.refuse_data > 0 || hub.has_data.is_some_and(|other| other != id) => {
                hub.refuse_data = hub.refuse_data.saturating_sub(1);
                json!([{"T": "error", "code": 406, "msg": "connection limit exceeded"}])
            }
            "auth" => {
                *is_known = true;
                hub.has_data = Some(id);
                json!([{"T": "success", "msg": "authenticated"}])
            }
            _ if !*is_known => json!([{"T": "error", "code": 401, "msg": "not authenticated"}]),
            "subscribe" if message["quotes"].as_array().is_some_and(|symbols| symbols.len() > MOST_QUOTES) => {
                json!([{"T": "error", "code": 405, "msg": "symbol limit exceeded"}])
            }
            "subscribe" | "unsubscribe" => {
                let Some(client) = hub.clients.get_mut(&id) else { return Vec::new() };
                for (channel, symbols) in message.as_object().into_iter().flatten() {
                    let set = client.channels.entry(channel.clone()).or_default();
                    for symbol in symbols.as_array().into_iter().flatten().filter_map(Value::as_str) {
                        if action == "subscribe" {
                            set.insert(symbol.to_string());
                        } else {
                            set.remove(symbol);
                        }
                    }
                }
                client.channels.remove("action");
                let mut all = json!({"T": "subscription"});
                for channel in ["trades", "quotes", "bars", "updatedBars", "dailyBars", "statuses", "lulds"] {
                    all[channel] = json!(client.channels.get(channel).cloned().unwrap_or_default());
                }
                json!([all])
            }
            _ => json!([{"T": "error", "code": 400, "msg": "invalid syntax"}]),
        },
    };
    vec![answer.to_string()]
}
