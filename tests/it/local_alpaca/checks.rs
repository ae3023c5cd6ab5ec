//! What the broker refuses, and in which words. Source: alpacahq/alpaca-docs and the answers quoted in issues.

use rust_decimal::Decimal;
use serde_json::{Value, json};
use tradebot::market::{DAY, MINUTE, Nanos, new_york_offset};

use super::desk::{Desk, Order};

/// A status and a body.
pub type Refusal = (u16, Value);

pub fn refuse(status: u16, code: u32, message: &str) -> Refusal {
    (status, json!({"code": code, "message": message}))
}

fn invalid(message: &str) -> Refusal {
    refuse(422, 42_210_000, message)
}

fn forbidden(message: &str) -> Refusal {
    refuse(403, 40_310_000, message)
}

/// Minutes of the New York day.
fn minute_of_day(time: Nanos) -> i64 {
    (time + new_york_offset(time)).rem_euclid(DAY) / MINUTE
}

/// The price that an order reserves a share at: its limit, or the ask and a little more.
pub fn reserve_price(desk: &Desk, symbol: &str, limit: Option<Decimal>, is_buy: bool) -> Decimal {
    let ask = desk.market.quotes.get(symbol).map_or(Decimal::ZERO, |quote| quote.1);
    let with_collar = ask * Decimal::new(103, 2);
    match limit {
        Some(limit) if is_buy => limit,
        Some(limit) => limit.max(with_collar),
        None => with_collar,
    }
}

fn text<'a>(body: &'a Value, name: &str) -> Option<&'a str> {
    body[name].as_str().filter(|text| !text.is_empty())
}

/// A decimal: numbers are accepted besides texts.
fn decimal(body: &Value, name: &str) -> Result<Option<Decimal>, Refusal> {
    let found = match &body[name] {
        Value::Null => return Ok(None),
        Value::String(text) => text.parse().ok(),
        number @ Value::Number(_) => number.to_string().parse().ok(),
        _ => None,
    };
    found.map(Some).ok_or_else(|| invalid(&format!("invalid {name}")))
}

fn check_price(name: &str, price: Option<Decimal>) -> Result<(), Refusal> {
    let Some(price) = price else { return Ok(()) };
    if price <= Decimal::ZERO {
        return Err(invalid(&format!("{name} must be > 0")));
    }
    let decimals = if price >= Decimal::ONE { 2 } else { 4 };
    if price.normalize().scale() > decimals {
        let message = format!("invalid {name} {price}. sub-penny increment does not fulfill minimum pricing criteria");
        return Err(invalid(&message));
    }
    Ok(())
}

/// Reads and checks a new order.
pub fn new_order(desk: &Desk, body: &Value) -> Result<Order, Refusal> {
    if !body.is_object() {
        return Err(refuse(400, 40_010_000, "request body format is invalid"));
    }
    if !body["qty"].is_null() && !body["notional"].is_null() {
        return Err(refuse(400, 40_010_000, "only one of qty or notional is accepted"));
    }
    let order = Order {
        id: String::new(),
        client_id: text(body, "client_order_id").unwrap_or_default().to_string(),
        symbol: text(body, "symbol").ok_or_else(|| invalid("symbol is required"))?.to_string(),
        side: text(body, "side").ok_or_else(|| invalid("side is required"))?.to_string(),
        kind: text(body, "type").ok_or_else(|| invalid("type is required"))?.to_string(),
        tif: text(body, "time_in_force").ok_or_else(|| invalid("time_in_force is required"))?.to_string(),
        qty: decimal(body, "qty")?.ok_or_else(|| invalid("qty or notional is required"))?,
        limit: decimal(body, "limit_price")?,
        stop: decimal(body, "stop_price")?,
        trail_price: decimal(body, "trail_price")?,
        trail_percent: decimal(body, "trail_percent")?,
        filled: Decimal::ZERO,
        value: Decimal::ZERO,
        status: String::new(),
        submitted: 0,
        updated: 0,
        replaced_by: None,
        replaces: None,
    };
    if order.client_id.len() > 48 {
        return Err(invalid("client_order_id must be no more than 48 characters"));
    }
    if desk.orders.iter().any(|known| !order.client_id.is_empty() && known.client_id == order.client_id) {
        return Err(refuse(422, 40_010_001, "client_order_id must be unique"));
    }
    check_form(desk, &order, body["extended_hours"].as_bool().unwrap_or(false))?;
    check_account(desk, &order, None)?;
    Ok(order)
}

fn check_form(desk: &Desk, order: &Order, extended: bool) -> Result<(), Refusal> {
    let Some(asset) = desk.assets.get(&order.symbol) else {
        return Err(invalid(&format!("asset \"{}\" not found", order.symbol)));
    };
    if !asset.tradable {
        return Err(invalid(&format!("asset {} is not tradable", order.symbol)));
    }
    if !matches!(order.side.as_str(), "buy" | "sell") {
        return Err(invalid("invalid side"));
    }
    if order.qty <= Decimal::ZERO {
        return Err(invalid("qty must be > 0"));
    }
    let (needs_limit, needs_stop) = match order.kind.as_str() {
        "market" | "trailing_stop" => (false, false),
        "limit" => (true, false),
        "stop" => (false, true),
        "stop_limit" => (true, true),
        _ => return Err(invalid("invalid order type")),
    };
    if order.limit.is_some() != needs_limit {
        return Err(invalid(&format!(
            "{} orders {} a limit price",
            order.kind,
            if needs_limit { "require" } else { "must not have" }
        )));
    }
    if order.stop.is_some() != needs_stop {
        return Err(invalid(&format!(
            "{} orders {} a stop price",
            order.kind,
            if needs_stop { "require" } else { "must not have" }
        )));
    }
    if (order.kind == "trailing_stop") != (order.trail_price.is_some() ^ order.trail_percent.is_some()) {
        return Err(invalid("trailing_stop orders require one of trail_price or trail_percent"));
    }
    check_price("limit_price", order.limit)?;
    check_price("stop_price", order.stop)?;
    if !order.qty.fract().is_zero() {
        if order.qty.normalize().scale() > 9 {
            return Err(invalid("qty can have no more than 9 decimals"));
        }
        if order.tif != "day" {
            return Err(invalid("fractional orders must be DAY orders"));
        }
        if order.kind == "trailing_stop" || !asset.fractionable {
            return Err(forbidden(&format!("asset {} is not fractionable", order.symbol)));
        }
    }
    if extended && !(order.kind == "limit" && order.tif == "day") {
        return Err(invalid("extended hours order must be DAY limit orders"));
    }
    let minute = minute_of_day(desk.now());
    let (nine_28, fifteen_50, nineteen) = (9 * 60 + 28, 15 * 60 + 50, 19 * 60);
    match order.tif.as_str() {
        "day" | "gtc" | "ioc" | "fok" => Ok(()),
        "opg" if (nine_28..nineteen).contains(&minute) => {
            Err(invalid("opg orders are only accepted after 7:00pm and before 9:28am ET"))
        }
        "cls" if (fifteen_50..nineteen).contains(&minute) => {
            Err(invalid("cls orders are only accepted after 7:00pm and before 3:50pm ET"))
        }
        "opg" | "cls" => Ok(()),
        _ => Err(invalid("invalid time_in_force")),
    }
}

/// What account, position and other orders allow. `replaced` does not count: the order takes its place.
fn check_account(desk: &Desk, order: &Order, replaced: Option<&str>) -> Result<(), Refusal> {
    if desk.trading_blocked {
        return Err(forbidden("account is not authorized to trade"));
    }
    let others: Vec<&Order> = desk
        .orders
        .iter()
        .filter(|other| other.symbol == order.symbol && !other.is_final() && Some(other.id.as_str()) != replaced)
        .collect();
    let might_meet = |other: &&&Order| {
        let crosses = match (order.kind.as_str(), other.kind.as_str(), order.limit, other.limit) {
            ("limit", "limit", Some(mine), Some(theirs)) if order.is_buy() => mine >= theirs,
            ("limit", "limit", Some(mine), Some(theirs)) => mine <= theirs,
            _ => true,
        };
        other.is_buy() != order.is_buy() && crosses
    };
    let position = desk.position(&order.symbol);
    let is_closing = if order.is_buy() { position < Decimal::ZERO } else { position > Decimal::ZERO };
    if is_closing {
        let held: Decimal =
            others.iter().filter(|other| other.is_buy() == order.is_buy()).map(|other| other.left()).sum();
        let available = position.abs() - held;
        if order.qty > available {
            let mut refusal = forbidden(&format!(
                "insufficient qty available for order (requested: {}, available: {available})",
                order.qty
            ));
            refusal.1["available"] = json!(available.to_string());
            refusal.1["existing_qty"] = json!(position.abs().to_string());
            refusal.1["held_for_orders"] = json!(held.to_string());
            refusal.1["symbol"] = json!(order.symbol);
            return Err(refusal);
        }
    }
    if others.iter().any(|other| might_meet(&other)) {
        return Err(forbidden("potential wash trade detected. use complex orders"));
    }
    if is_closing {
        return Ok(());
    }
    if !order.is_buy() {
        let asset = &desk.assets[&order.symbol];
        if !order.qty.fract().is_zero() {
            return Err(forbidden("fractional orders are not allowed to short"));
        }
        if !desk.shorting_enabled || desk.equity() < Decimal::from(2000) {
            return Err(forbidden("account is not allowed to short"));
        }
        if !asset.shortable || !asset.easy_to_borrow {
            return Err(forbidden(&format!("asset \"{}\" cannot be sold short", order.symbol)));
        }
    }
    let cost = order.qty * reserve_price(desk, &order.symbol, order.limit, order.is_buy());
    let freed = replaced.map_or(Decimal::ZERO, |id| {
        let old = desk.orders.iter().find(|old| old.id == id).expect("the order to be replaced");
        old.left() * reserve_price(desk, &old.symbol, old.limit, old.is_buy())
    });
    let power = desk.buying_power() + freed;
    if cost > power {
        let mut refusal = forbidden("insufficient buying power");
        refusal.1["buying_power"] = json!(power.round_dp(2).to_string());
        refusal.1["cost_basis"] = json!(cost.round_dp(2).to_string());
        return Err(refusal);
    }
    Ok(())
}

/// Reads and checks a replacement of the order numbered `old`.
pub fn replacement(desk: &Desk, old: &str, body: &Value) -> Result<Order, Refusal> {
    let old = desk.orders.iter().find(|order| order.id == old);
    let old = old.ok_or_else(|| refuse(404, 40_410_000, "order not found"))?;
    if old.is_final() {
        return Err(invalid(&format!("order is already in \"{}\" state", old.status)));
    }
    let mut new = Order {
        client_id: text(body, "client_order_id").unwrap_or_default().to_string(),
        // A replacement is for its whole quantity, whatever the old order has filled.
        qty: decimal(body, "qty")?.unwrap_or(old.qty),
        limit: decimal(body, "limit_price")?.or(old.limit),
        stop: decimal(body, "stop_price")?.or(old.stop),
        filled: Decimal::ZERO,
        value: Decimal::ZERO,
        ..old.clone()
    };
    if let Some(tif) = text(body, "time_in_force") {
        new.tif = tif.to_string();
    }
    if (new.qty, new.limit, new.stop) == (old.qty, old.limit, old.stop) && new.tif == old.tif {
        return Err(forbidden("order parameters are not changed"));
    }
    if desk.orders.iter().any(|known| !new.client_id.is_empty() && known.client_id == new.client_id) {
        return Err(refuse(422, 40_010_001, "client_order_id must be unique"));
    }
    check_form(desk, &new, false)?;
    check_account(desk, &new, Some(&old.id))?;
    Ok(new)
}
