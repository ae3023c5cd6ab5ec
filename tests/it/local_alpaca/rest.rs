//! The trading and data interfaces: routes, paging, headers.

use std::time::{Duration, Instant};

use axum::http::{HeaderMap, Method};
use chrono::Datelike;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use tradebot::market::{
    Calendar, DAY, MINUTE, Nanos, Session, format_time, new_york_date, new_york_offset, parse_date, parse_time,
};

use super::Setup;
use super::checks::{self, Refusal, refuse};
use super::desk::{Desk, FeedBar, Order};

/// Who may come in, and how often.
pub struct Gate {
    pub key: String,
    pub secret: String,
    per_minute: u32,
    used: u32,
    window: Instant,
}

impl Gate {
    pub fn new(setup: &Setup) -> Gate {
        Gate {
            key: setup.key.clone(),
            secret: setup.secret.clone(),
            per_minute: setup.calls_per_minute,
            used: 0,
            window: Instant::now(),
        }
    }

    /// Counts a request. The headers that tell the state of the window, and whether it is one too many.
    pub fn count(&mut self, now: Nanos) -> (Vec<(&'static str, String)>, bool) {
        if self.window.elapsed() > Duration::from_secs(60) {
            (self.window, self.used) = (Instant::now(), 0);
        }
        let is_over = self.used >= self.per_minute;
        self.used += u32::from(!is_over);
        let headers = vec![
            ("x-ratelimit-limit", self.per_minute.to_string()),
            ("x-ratelimit-remaining", (self.per_minute - self.used).to_string()),
            ("x-ratelimit-reset", (now / 1_000_000_000 + 60).to_string()),
        ];
        (headers, is_over)
    }

    /// Looks at the credentials of a request.
    pub fn admit(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        match (header("apca-api-key-id"), header("apca-api-secret-key")) {
            (Some(key), Some(secret)) if key == self.key && secret == self.secret => Ok(()),
            (Some(_), Some(_)) => Err(refuse(401, 40_110_000, "request is not authorized")),
            _ => Err((403, json!({"message": "forbidden."}))),
        }
    }
}

/// The query, decoded.
struct Query(Vec<(String, String)>);

impl Query {
    fn new(text: &str) -> Query {
        let url = reqwest::Url::parse(&format!("http://x/?{text}")).unwrap();
        Query(url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn number(&self, name: &str, default: usize, most: usize) -> usize {
        self.get(name).and_then(|text| text.parse().ok()).unwrap_or(default).clamp(1, most)
    }

    fn time(&self, name: &str) -> Result<Option<Nanos>, Refusal> {
        let Some(text) = self.get(name) else { return Ok(None) };
        parse_time(text).map(Some).map_err(|_| refuse(422, 42_210_000, &format!("invalid {name}")))
    }

    fn symbols(&self) -> Vec<&str> {
        self.get("symbols").unwrap_or_default().split(',').filter(|symbol| !symbol.is_empty()).collect()
    }
}

/// Carries out a request and gives status and body.
pub fn route(desk: &mut Desk, method: &Method, path: &str, query: &str, body: &str) -> (u16, Value) {
    let query = Query::new(query);
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let result = match (method.as_str(), parts.as_slice()) {
        ("GET", ["v2", "account"]) => Ok((200, account(desk))),
        ("GET", ["v2", "clock"]) => Ok((200, clock(desk))),
        ("GET", ["v2", "calendar"]) => calendar(&query).map(|days| (200, days)),
        ("GET", ["v2", "assets"]) => Ok((200, desk.assets.keys().map(|symbol| asset(desk, symbol)).collect())),
        ("GET", ["v2", "assets", symbol]) if desk.assets.contains_key(*symbol) => Ok((200, asset(desk, symbol))),
        ("POST", ["v2", "orders"]) => {
            let (status, answer) = desk.post_order(&serde_json::from_str(body).unwrap_or_default());
            if status == 200 { Ok((status, answer)) } else { Err((status, answer)) }
        }
        ("GET", ["v2", "orders"]) => orders(desk, &query).map(|orders| (200, orders)),
        ("GET", ["v2", "orders:by_client_order_id"]) => {
            let wanted = query.get("client_order_id").unwrap_or_default();
            desk.order_by_client_id(wanted).map(|order| (200, order.json())).ok_or_else(no_order)
        }
        ("GET", ["v2", "orders", id]) => find(desk, id).map(|order| (200, order.json())),
        ("PATCH", ["v2", "orders", id]) => {
            let body = serde_json::from_str(body).unwrap_or_default();
            checks::replacement(desk, id, &body).map(|new| (200, desk.replace(id, new)))
        }
        ("DELETE", ["v2", "orders", id]) => desk.cancel(id).map(|()| (204, Value::Null)),
        ("DELETE", ["v2", "orders"]) => Ok((207, cancel_all(desk))),
        ("GET", ["v2", "positions"]) => Ok((200, desk.positions.keys().map(|symbol| position(desk, symbol)).collect())),
        ("GET", ["v2", "positions", symbol]) if desk.positions.contains_key(*symbol) => {
            Ok((200, position(desk, symbol)))
        }
        ("GET", ["v2", "account", "activities"]) => Ok((200, activities(desk, &query))),
        ("GET", ["v2", "stocks", "bars"]) => bars(desk, &query).map(|bars| (200, bars)),
        ("GET", ["v2", "stocks", "quotes", "latest"]) => {
            let quotes: serde_json::Map<String, Value> = query
                .symbols()
                .into_iter()
                .filter_map(|symbol| Some((symbol.to_string(), desk.quote_json(symbol)?)))
                .collect();
            Ok((200, json!({"quotes": quotes})))
        }
        _ => Err(refuse(404, 40_410_000, "endpoint not found.")),
    };
    result.unwrap_or_else(|refusal| {
        desk.refused += usize::from(refusal.0 != 404);
        refusal
    })
}

fn no_order() -> Refusal {
    refuse(404, 40_410_000, "order not found")
}

fn find<'a>(desk: &'a Desk, id: &str) -> Result<&'a Order, Refusal> {
    desk.orders.iter().find(|order| order.id == id).ok_or_else(no_order)
}

fn account(desk: &Desk) -> Value {
    json!({
        "id": "e6fe16f3-64a4-4921-8928-cadf02f92f98", "account_number": "PA3PLANTED7", "status": "ACTIVE",
        "currency": "USD", "cash": desk.cash.to_string(), "equity": desk.equity().to_string(),
        "last_equity": desk.equity().to_string(), "buying_power": desk.buying_power().round_dp(2).to_string(),
        "multiplier": desk.multiplier.to_string(), "trading_blocked": desk.trading_blocked, "account_blocked": false,
        "trade_suspended_by_user": false, "shorting_enabled": desk.shorting_enabled,
    })
}

/// A time with the offset of New York, as the clock has it.
fn new_york(time: Nanos) -> String {
    let offset = new_york_offset(time);
    let local = format_time(time + offset);
    format!("{}-{:02}:00", &local[..local.len() - 1], -offset / 3_600_000_000_000)
}

fn clock(desk: &Desk) -> Value {
    let today = new_york_date(desk.now());
    let calendar = Calendar::nyse();
    let next = |time: fn(&Session) -> Nanos| {
        let of_today = calendar.session(today).filter(|session| time(session) > desk.now());
        time(&of_today.or_else(|| calendar.next_session_after(today)).unwrap())
    };
    json!({
        "timestamp": new_york(desk.now()), "is_open": desk.is_open(), "next_open": new_york(next(|session| session.open)),
        "next_close": new_york(next(|session| session.close)),
    })
}

fn calendar(query: &Query) -> Result<Value, Refusal> {
    let date = |name: &str| {
        parse_date(query.get(name).unwrap_or_default()).map_err(|_| refuse(422, 42_210_000, "invalid date"))
    };
    let local = |time: Nanos| new_york(time)[11..16].to_string();
    let days = Calendar::nyse().sessions(date("start")?, date("end")?).into_iter().map(|session| {
        let date = session.date;
        let date = format!("{:04}-{:02}-{:02}", date.year(), date.month(), date.day());
        json!({
            "date": date, "open": local(session.open), "close": local(session.close), "session_open": "0400",
            "session_close": "2000",
        })
    });
    Ok(days.collect())
}

fn asset(desk: &Desk, symbol: &str) -> Value {
    let asset = &desk.assets[symbol];
    json!({
        "id": format!("asset-{symbol}"), "class": "us_equity", "exchange": asset.exchange, "symbol": symbol,
        "name": format!("{symbol} Inc."), "status": "active", "tradable": asset.tradable, "marginable": true,
        "shortable": asset.shortable, "easy_to_borrow": asset.easy_to_borrow, "fractionable": asset.fractionable,
    })
}

fn position(desk: &Desk, symbol: &str) -> Value {
    let (qty, average) = desk.positions[symbol];
    let held: Decimal = desk
        .orders
        .iter()
        .filter(|order| order.symbol == symbol && order.is_buy() == (qty < Decimal::ZERO))
        .map(Order::left)
        .sum();
    let free = (qty.abs() - held) * if qty < Decimal::ZERO { -Decimal::ONE } else { Decimal::ONE };
    json!({
        "symbol": symbol, "qty": qty.to_string(), "qty_available": free.to_string(),
        "side": if qty < Decimal::ZERO { "short" } else { "long" },
        "avg_entry_price": average.round_dp(6).normalize().to_string(), "current_price": desk.price(symbol).to_string(),
    })
}

fn orders(desk: &Desk, query: &Query) -> Result<Value, Refusal> {
    let status = query.get("status").unwrap_or("open");
    let (after, until) = (query.time("after")?, query.time("until")?);
    let mut found: Vec<&Order> = desk
        .orders
        .iter()
        .filter(|order| match status {
            "open" => !order.is_final(),
            "closed" => order.is_final(),
            _ => true,
        })
        .filter(|order| after.is_none_or(|time| order.submitted > time))
        .filter(|order| until.is_none_or(|time| order.submitted < time))
        .filter(|order| query.get("symbols").is_none() || query.symbols().contains(&order.symbol.as_str()))
        .filter(|order| query.get("side").is_none_or(|side| order.side == side))
        .collect();
    if query.get("direction") != Some("asc") {
        found.reverse();
    }
    found.truncate(query.number("limit", 50, 500));
    Ok(found.into_iter().map(Order::json).collect())
}

fn cancel_all(desk: &mut Desk) -> Value {
    let open: Vec<String> =
        desk.orders.iter().filter(|order| !order.is_final()).map(|order| order.id.clone()).collect();
    open.into_iter()
        .map(|id| {
            let status = match desk.cancel(&id) {
                Ok(()) => 200,
                Err((status, _)) => status,
            };
            json!({"id": id, "status": status})
        })
        .collect()
}

fn activities(desk: &Desk, query: &Query) -> Value {
    let newest_first: Vec<&Value> = desk.activities.iter().rev().collect();
    let begin = query.get("page_token").map_or(0, |token| {
        newest_first.iter().position(|activity| activity["id"] == token).map_or(newest_first.len(), |at| at + 1)
    });
    newest_first.into_iter().skip(begin).take(query.number("page_size", 100, 100)).cloned().collect()
}

/// Bars of one symbol by day; each starts at midnight in New York.
fn days(minutes: &[FeedBar]) -> Vec<FeedBar> {
    let mut days: Vec<FeedBar> = Vec::new();
    for bar in minutes {
        let local = bar.start + new_york_offset(bar.start);
        let start = bar.start - local.rem_euclid(DAY);
        match days.last_mut().filter(|day| day.start == start) {
            Some(day) => {
                day.high = day.high.max(bar.high);
                day.low = day.low.min(bar.low);
                day.close = bar.close;
                day.volume += bar.volume;
            }
            None => days.push(FeedBar { start, ..bar.clone() }),
        }
    }
    days
}

/// Pages by symbol, then time; the limit counts bars over all symbols.
fn bars(desk: &Desk, query: &Query) -> Result<Value, Refusal> {
    let is_daily = match query.get("timeframe") {
        Some("1Min") => false,
        Some("1Day") => true,
        _ => return Err(refuse(422, 42_210_000, "invalid timeframe")),
    };
    let (from, to) = (query.time("start")?.unwrap_or(0), query.time("end")?.unwrap_or(Nanos::MAX));
    let mut symbols = query.symbols();
    symbols.sort_unstable();
    let all: Vec<FeedBar> = symbols
        .into_iter()
        .flat_map(|symbol| {
            let minutes = desk.market.bars.get(symbol).into_iter().flatten();
            let minutes: Vec<FeedBar> = minutes.filter(|bar| bar.start + MINUTE <= desk.now()).cloned().collect();
            if is_daily { days(&minutes) } else { minutes }
        })
        .filter(|bar| (from..=to).contains(&bar.start))
        .collect();
    let begin: usize = query.get("page_token").and_then(|token| token.parse().ok()).unwrap_or(0);
    let limit = query.number("limit", 1000, 10_000);
    let mut page: serde_json::Map<String, Value> = serde_json::Map::new();
    for bar in all.iter().skip(begin).take(limit) {
        let of_symbol = page.entry(bar.symbol.clone()).or_insert_with(|| json!([]));
        of_symbol.as_array_mut().unwrap().push(bar.json());
    }
    let next = (begin + limit < all.len()).then(|| (begin + limit).to_string());
    Ok(json!({"bars": page, "next_page_token": next}))
}
