//! The stream of market data: bars, corrections of bars, quotes, halts.
//!
//! One connection a key is allowed. A second one is refused with 406, also for a while after the first was lost
//! without a goodbye (alpaca-py#248).

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::Shared;
use super::http::Http;
use super::stream::{Connection, Ended};
use super::wire::{WireBar, WireQuote, WireTradingStatus};
use crate::brokers::{BarQuery, BarSize, BrokerBar, BrokerEvent, Stream, Watchlist};
use crate::market::{MINUTE, Nanos};

/// What has to be known beyond the end of a connection: the start of the last bar of each symbol.
#[derive(Debug, Default)]
pub(super) struct Memory {
    last: BTreeMap<String, Nanos>,
}

impl Memory {
    /// Whether a bar is the next of its symbol; it is remembered.
    fn is_next(&mut self, bar: &BrokerBar) -> bool {
        match self.last.get_mut(&bar.symbol) {
            Some(last) if bar.start <= *last => false,
            Some(last) => {
                *last = bar.start;
                true
            }
            None => {
                self.last.insert(bar.symbol.clone(), bar.start);
                true
            }
        }
    }
}

#[derive(Deserialize)]
struct Head {
    #[serde(rename = "T", default)]
    kind: String,
    #[serde(default)]
    msg: String,
    #[serde(default)]
    code: i64,
}

/// A message is an array of items.
fn items(text: &str) -> Result<Vec<(Head, &RawValue)>, serde_json::Error> {
    serde_json::from_str::<Vec<&RawValue>>(text)?
        .into_iter()
        .map(|item| Ok((serde_json::from_str::<Head>(item.get())?, item)))
        .collect()
}

/// What an error means for the connection.
fn on_error(head: &Head) -> Result<String, Ended> {
    let why = format!("{} (code {})", head.msg, head.code);
    match head.code {
        401 | 402 | 404 => Err(Ended::refused(format!("the broker refuses the credentials: {why}"))),
        406 => Err(Ended::refused(format!("another connection has this key: {why}"))),
        407 | 500 => Err(Ended::because(why)),
        // 400 syntax, 403 authenticated already, 405 too many symbols, 409 not in the subscription: it goes on without.
        _ => Ok(why),
    }
}

/// Waits for an item of a kind, which `is_it` recognizes.
async fn wait_for(connection: &mut Connection<'_>, what: &str, is_it: impl Fn(&Head) -> bool) -> Result<(), Ended> {
    loop {
        let text = connection.expect(what).await?;
        let Ok(items) = items(&text) else {
            return Err(Ended::because(format!("{what}: the broker's answer is not understood")));
        };
        for (head, _) in items {
            if head.kind == "error" {
                let why = on_error(&head)?;
                return Err(Ended::refused(why));
            }
            if is_it(&head) {
                return Ok(());
            }
        }
    }
}

/// Connects and authenticates.
pub(super) async fn handshake(http: &Http) -> Result<Connection<'_>, Ended> {
    let mut connection = Connection::open(http, &http.origins().data_stream).await?;
    wait_for(&mut connection, "greeting", |head| head.msg == "connected").await?;
    let hello = json!({
        "action": "auth",
        "key": http.options.key_id.expose_secret(),
        "secret": http.options.secret_key.expose_secret(),
    });
    connection.send(hello.to_string()).await?;
    wait_for(&mut connection, "answer to the authentication", |head| head.msg == "authenticated").await?;
    Ok(connection)
}

/// Channels that go together: one with a limit of symbols must not keep the others from being subscribed to.
const BARS: &[&str] = &["bars", "updatedBars", "statuses"];
const QUOTES: &[&str] = &["quotes"];

/// The message that changes what is subscribed to; `None` if there are no symbols.
fn subscription(action: &str, channels: &[&str], symbols: &BTreeSet<&String>) -> Option<String> {
    if symbols.is_empty() {
        return None;
    }
    let mut message = Map::new();
    message.insert("action".into(), json!(action));
    for channel in channels {
        message.insert((*channel).into(), json!(symbols));
    }
    Some(Value::Object(message).to_string())
}

/// Goes from one list to another; gives the number of answers that will come.
async fn resubscribe(connection: &mut Connection<'_>, old: &Watchlist, new: &Watchlist) -> Result<usize, Ended> {
    let mut sent = 0;
    for (channels, old, new) in [(BARS, &old.bars, &new.bars), (QUOTES, &old.quotes, &new.quotes)] {
        let (old, new): (BTreeSet<&String>, BTreeSet<&String>) = (old.iter().collect(), new.iter().collect());
        let gone = subscription("unsubscribe", channels, &old.difference(&new).copied().collect());
        let added = subscription("subscribe", channels, &new.difference(&old).copied().collect());
        for message in [gone, added].into_iter().flatten() {
            connection.send(message).await?;
            sent += 1;
        }
    }
    Ok(sent)
}

/// Passes on what arrives until the connection ends.
pub(super) async fn session(shared: &Shared, memory: &mut Memory, has_data: &mut bool) -> Result<Infallible, Ended> {
    let mut changes = shared.watch.subscribe();
    let mut watched = changes.borrow_and_update().clone();
    let mut connection = handshake(&shared.http).await?;
    for _ in 0..resubscribe(&mut connection, &Watchlist::default(), &watched).await? {
        let text = connection.expect("confirmation of the subscription").await?;
        take(shared, memory, &connection, &text, has_data)?;
    }
    fill_gap(shared, memory, &watched).await?;
    shared.set_up(Stream::MarketData, true);
    shared.send(BrokerEvent::StreamUp { stream: Stream::MarketData });
    loop {
        tokio::select! {
            text = connection.receive() => take(shared, memory, &connection, &text?, has_data)?,
            changed = changes.changed() => {
                if changed.is_err() {
                    return Err(Ended::because("the adapter has ended"));
                }
                let wanted = changes.borrow_and_update().clone();
                resubscribe(&mut connection, &watched, &wanted).await?;
                watched = wanted;
            }
        }
    }
}

/// Asks for the bars that an interruption swallowed. What the stream says meanwhile waits in the socket, and bars that
/// are in both come once.
async fn fill_gap(shared: &Shared, memory: &mut Memory, watched: &Watchlist) -> Result<(), Ended> {
    let symbols: Vec<String> =
        watched.bars.iter().filter(|symbol| memory.last.contains_key(*symbol)).cloned().collect();
    let Some(from) = symbols.iter().filter_map(|symbol| memory.last.get(symbol)).min() else { return Ok(()) };
    let query = BarQuery {
        size: BarSize::Minute,
        from: from.saturating_add(MINUTE),
        to: shared.http.now().saturating_sub(MINUTE),
        symbols,
    };
    if query.from > query.to {
        return Ok(());
    }
    let mut bars = shared
        .bars(&query)
        .await
        .map_err(|error| Ended::because(format!("cannot get the bars of the interruption: {error}")))?;
    bars.sort_by(|a, b| (a.start, &a.symbol).cmp(&(b.start, &b.symbol)));
    for bar in bars {
        if memory.is_next(&bar) {
            shared.send(BrokerEvent::Bar(bar));
        }
    }
    Ok(())
}

/// Takes a message. An item that cannot be read is reported and left out.
fn take(
    shared: &Shared,
    memory: &mut Memory,
    connection: &Connection<'_>,
    text: &str,
    has_data: &mut bool,
) -> Result<(), Ended> {
    let warn = |why: String| shared.send(BrokerEvent::StreamWarning { stream: Stream::MarketData, why });
    let items = match items(text) {
        Ok(items) => items,
        Err(error) => {
            connection.note(text);
            warn(format!("a message is not understood: {error}"));
            return Ok(());
        }
    };
    for (head, item) in items {
        let event = match head.kind.as_str() {
            "b" | "u" => read::<WireBar>(item)
                .and_then(|wire| {
                    let symbol = wire.symbol.clone();
                    wire.bar(&symbol)
                })
                .map(|bar| match head.kind.as_str() {
                    "u" => Some(BrokerEvent::UpdatedBar(bar)),
                    _ => memory.is_next(&bar).then_some(BrokerEvent::Bar(bar)),
                }),
            "q" => read::<WireQuote>(item)
                .and_then(|wire| {
                    let symbol = wire.symbol.clone();
                    wire.quote(&symbol)
                })
                .map(|quote| Some(BrokerEvent::Quote(quote))),
            "s" => read::<WireTradingStatus>(item).map(|wire| Some(BrokerEvent::TradingStatus(wire.trading_status()))),
            "error" => {
                connection.note(text);
                warn(on_error(&head)?);
                continue;
            }
            _ => continue,
        };
        match event {
            Ok(Some(event)) => {
                *has_data = true;
                shared.send(event);
            }
            Ok(None) => {}
            Err(why) => warn(format!("a message of type {} is not understood: {why}", head.kind)),
        }
    }
    Ok(())
}

fn read<'a, T: Deserialize<'a>>(item: &'a RawValue) -> Result<T, String> {
    serde_json::from_str(item.get()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscription_names_its_channels_and_is_not_sent_without_symbols() {
        let (a, b) = ("A".to_string(), "B".to_string());
        assert_eq!(
            subscription("subscribe", BARS, &[&b, &a].into()).unwrap(),
            r#"{"action":"subscribe","bars":["A","B"],"updatedBars":["A","B"],"statuses":["A","B"]}"#
        );
        assert_eq!(
            subscription("unsubscribe", QUOTES, &[&a].into()).unwrap(),
            r#"{"action":"unsubscribe","quotes":["A"]}"#
        );
        assert_eq!(subscription("subscribe", BARS, &BTreeSet::new()), None);
    }

    #[test]
    fn errors_end_the_connection_only_where_it_is_of_no_use() {
        let error = |code| on_error(&Head { kind: "error".into(), msg: "m".into(), code });
        for code in [401, 402, 404, 406] {
            assert!(error(code).unwrap_err().refused, "{code}");
        }
        for code in [407, 500] {
            assert!(!error(code).unwrap_err().refused, "{code}");
        }
        for code in [400, 403, 405, 409, 499] {
            assert!(error(code).is_ok(), "{code}");
        }
    }
}
