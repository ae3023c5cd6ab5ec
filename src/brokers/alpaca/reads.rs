//! Questions: orders, executions, positions, account, exchange, prices.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use chrono::{NaiveDate, NaiveTime};

use super::Shared;
use super::http::Call;
use super::wire::{
    WireAccount, WireActivity, WireAsset, WireBars, WireClock, WireDay, WireOrder, WirePosition, WireQuotes,
};
use crate::brokers::{
    AccountInfo, Asset, BarQuery, BarSize, BrokerBar, BrokerClock, BrokerError, ExecutionReport, OrderReport, Position,
    Quote, SessionHours,
};
use crate::market::{Nanos, SECOND, format_date, format_time, new_york_time, parse_date, parse_time};

/// Orders in one answer.
const ORDERS_PER_PAGE: usize = 500;
/// Activities in one answer.
const ACTIVITIES_PER_PAGE: usize = 100;
/// Symbols in one question, so that no address gets too long.
const SYMBOLS_PER_CALL: usize = 100;
/// Most pages of one answer. A server that never comes to an end is not believed.
const MOST_PAGES: usize = 10_000;

/// A text as part of an address.
pub(super) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// RFC 3339 without fraction, which not every route takes.
fn whole_seconds(time: Nanos) -> String {
    format!("{}Z", &format_time(time.max(0))[..19])
}

fn endless(what: &str) -> BrokerError {
    BrokerError::Protocol { what: what.to_string(), why: "the pages do not come to an end".to_string() }
}

/// An order and the legs of its bracket.
fn with_legs(order: WireOrder, found: &mut Vec<OrderReport>) {
    found.push(order.report());
    for leg in order.legs.into_iter().flatten() {
        with_legs(leg, found);
    }
}

impl Shared {
    pub(super) async fn order(&self, client_id: &str) -> Result<Option<OrderReport>, BrokerError> {
        let call = Call::get(format!("/v2/orders:by_client_order_id?client_order_id={}", encode(client_id)));
        Ok(self.http.ask_for::<WireOrder>(&call).await?.map(|order| order.report()))
    }

    pub(super) async fn open_orders(&self) -> Result<Vec<OrderReport>, BrokerError> {
        self.orders("open", None).await
    }

    pub(super) async fn orders_since(&self, since: Nanos) -> Result<Vec<OrderReport>, BrokerError> {
        self.orders("all", Some(since)).await
    }

    /// Pages go by the time of submission, which is exclusive: each page asks from just before the last order of the
    /// one before, and what it repeats is left out.
    async fn orders(&self, status: &str, since: Option<Nanos>) -> Result<Vec<OrderReport>, BrokerError> {
        let mut found = Vec::new();
        let mut seen = BTreeSet::new();
        let mut after = since.map(|time| time.saturating_sub(1));
        for _ in 0..MOST_PAGES {
            let from = after.map(|time| format!("&after={}", encode(&format_time(time)))).unwrap_or_default();
            let path = format!("/v2/orders?status={status}&limit={ORDERS_PER_PAGE}&direction=asc&nested=true{from}");
            let page: Vec<WireOrder> = self.http.ask(&Call::get(path)).await?;
            let is_last = page.len() < ORDERS_PER_PAGE;
            let latest = page.iter().map(WireOrder::submitted).max();
            let before = seen.len();
            for order in page {
                if seen.insert(order.id.clone()) {
                    with_legs(order, &mut found);
                }
            }
            if is_last || seen.len() == before {
                return Ok(found);
            }
            after = latest.map(|time| time.saturating_sub(1));
        }
        Err(endless("GET /v2/orders"))
    }

    pub(super) async fn executions_since(&self, since: Nanos) -> Result<Vec<(String, ExecutionReport)>, BrokerError> {
        let mut found = Vec::new();
        let mut token = String::new();
        for _ in 0..MOST_PAGES {
            let path = format!(
                "/v2/account/activities?activity_types=FILL&page_size={ACTIVITIES_PER_PAGE}{}",
                if token.is_empty() { String::new() } else { format!("&page_token={}", encode(&token)) }
            );
            let page: Vec<WireActivity> = self.http.ask(&Call::get(path)).await?;
            let is_last = page.len() < ACTIVITIES_PER_PAGE;
            let next = page.last().map(|activity| activity.id.clone()).unwrap_or_default();
            let mut is_older = false;
            for activity in page {
                let execution = activity.execution();
                is_older |= execution.time < since;
                if execution.time >= since {
                    found.push((activity.order_id, execution));
                }
            }
            if is_last || is_older || next == token {
                // Newest first, and within a millisecond in no order at all (alpacahq/Alpaca-API#170).
                found.reverse();
                found.sort_by_key(|(_, execution)| (execution.time, execution.cumulative));
                return Ok(found);
            }
            token = next;
        }
        Err(endless("GET /v2/account/activities"))
    }

    pub(super) async fn positions(&self) -> Result<Vec<Position>, BrokerError> {
        let positions: Vec<WirePosition> = self.http.ask(&Call::get("/v2/positions")).await?;
        Ok(positions.into_iter().map(WirePosition::position).collect())
    }

    pub(super) async fn account(&self) -> Result<AccountInfo, BrokerError> {
        Ok(self.http.ask::<WireAccount>(&Call::get("/v2/account")).await?.info())
    }

    pub(super) async fn clock(&self) -> Result<BrokerClock, BrokerError> {
        let call = Call::get("/v2/clock");
        let clock: WireClock = self.http.ask(&call).await?;
        let time = |text: &str| {
            parse_time(text).map_err(|error| BrokerError::Protocol { what: call.what(), why: error.to_string() })
        };
        Ok(BrokerClock {
            time: time(&clock.timestamp)?,
            is_open: clock.is_open,
            next_open: time(&clock.next_open)?,
            next_close: time(&clock.next_close)?,
        })
    }

    pub(super) async fn calendar(&self, from: NaiveDate, to: NaiveDate) -> Result<Vec<SessionHours>, BrokerError> {
        let path = format!("/v2/calendar?start={}&end={}", format_date(from), format_date(to));
        let call = Call::get(path);
        let days: Vec<WireDay> = self.http.ask(&call).await?;
        let wrong = |why: String| BrokerError::Protocol { what: call.what(), why };
        let hours = days.into_iter().map(|day| {
            let date = parse_date(&day.date).map_err(|error| wrong(error.to_string()))?;
            let time = |text: &str| {
                NaiveTime::parse_from_str(text, "%H:%M")
                    .map(|time| new_york_time(date, time))
                    .map_err(|_| wrong(format!("'{text}' is not a time of day; expected HH:MM")))
            };
            Ok(SessionHours { date, open: time(&day.open)?, close: time(&day.close)? })
        });
        // The broker has been seen to answer with more days than were asked for.
        hours.filter(|hours| hours.as_ref().map_or(true, |hours| (from..=to).contains(&hours.date))).collect()
    }

    pub(super) async fn assets(&self) -> Result<Vec<Asset>, BrokerError> {
        let call = Call::get("/v2/assets?status=active&asset_class=us_equity");
        let assets: Vec<WireAsset> = self.http.ask(&call).await?;
        Ok(assets.into_iter().map(WireAsset::asset).collect())
    }

    pub(super) async fn asset(&self, symbol: &str) -> Result<Option<Asset>, BrokerError> {
        let call = Call::get(format!("/v2/assets/{}", encode(symbol)));
        Ok(self.http.ask_for::<WireAsset>(&call).await?.map(WireAsset::asset))
    }

    /// Pages go by symbol, then time; one may hold a part of one symbol only.
    pub(super) async fn bars(&self, query: &BarQuery) -> Result<Vec<BrokerBar>, BrokerError> {
        let mut found = Vec::new();
        for symbols in query.symbols.chunks(SYMBOLS_PER_CALL) {
            let question = format!(
                "/v2/stocks/bars?symbols={}&timeframe={}&start={}&end={}&limit=10000&adjustment=raw&feed={}&sort=asc",
                encode(&symbols.join(",")),
                match query.size {
                    BarSize::Minute => "1Min",
                    BarSize::Day => "1Day",
                },
                encode(&whole_seconds(query.from)),
                encode(&whole_seconds(query.to)),
                self.http.options.feed.name(),
            );
            let mut token: Option<String> = None;
            let mut pages = 0;
            loop {
                let page = token.as_ref().map(|token| format!("&page_token={}", encode(token))).unwrap_or_default();
                let call = Call::data(format!("{question}{page}"));
                let answer: WireBars = self.http.ask(&call).await?;
                for (symbol, bars) in answer.bars.into_iter().flatten() {
                    for bar in bars.into_iter().flatten() {
                        let bar = bar.bar(&symbol).map_err(|why| BrokerError::Protocol { what: call.what(), why })?;
                        found.push(bar);
                    }
                }
                pages += 1;
                match answer.next_page_token {
                    Some(next) if !next.is_empty() && token.as_ref() != Some(&next) && pages < MOST_PAGES => {
                        token = Some(next);
                    }
                    Some(next) if !next.is_empty() => return Err(endless(&call.what())),
                    _ => break,
                }
            }
        }
        found.retain(|bar| (query.from - query.from % SECOND..=query.to).contains(&bar.start));
        found.sort_by(|a, b| (&a.symbol, a.start).cmp(&(&b.symbol, b.start)));
        Ok(found)
    }

    pub(super) async fn latest_quotes(&self, symbols: &[String]) -> Result<Vec<Quote>, BrokerError> {
        let mut found = Vec::new();
        for symbols in symbols.chunks(SYMBOLS_PER_CALL) {
            let call = Call::data(format!(
                "/v2/stocks/quotes/latest?symbols={}&feed={}",
                encode(&symbols.join(",")),
                self.http.options.feed.name()
            ));
            let answer: WireQuotes = self.http.ask(&call).await?;
            for (symbol, quote) in answer.quotes.into_iter().flatten() {
                let Some(quote) = quote else { continue };
                let quote = quote.quote(&symbol).map_err(|why| BrokerError::Protocol { what: call.what(), why })?;
                found.push(quote);
            }
        }
        Ok(found)
    }
}
