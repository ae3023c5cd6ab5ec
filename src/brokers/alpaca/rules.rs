//! What an order must look like to be taken. What can be known beforehand is refused here, with the reason.
//!
//! Source: alpacahq/alpaca-docs, orders, fractional trading, margin and short selling.

use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use crate::brokers::{AccountInfo, Asset, BrokerError, OrderTicket, TicketKind, TicketTrail, price_step};
use crate::trading::{Side, TimeInForce};

/// A price as text: cents from one dollar on, four decimals below.
pub(super) fn price_text(price: Decimal) -> String {
    format!("{price:.decimals$}", decimals = price_step(price).scale() as usize)
}

/// The body of a new order.
pub(super) fn order_body(ticket: &OrderTicket) -> Result<Value, BrokerError> {
    let kind = ticket.kind();
    let tif = match kind {
        TicketKind::MarketOnOpen => TimeInForce::Opg,
        TicketKind::MarketOnClose => TimeInForce::Cls,
        _ => ticket.tif(),
    };
    if !ticket.qty().fract().is_zero() {
        if tif != TimeInForce::Day {
            return refuse("fractions of a share are traded in day orders only");
        }
        if matches!(kind, TicketKind::TrailingStop { .. }) {
            return refuse("fractions of a share are not traded by trailing stops");
        }
    }
    let mut body = Map::new();
    body.insert("symbol".into(), json!(ticket.symbol()));
    body.insert("qty".into(), json!(ticket.qty().normalize().to_string()));
    body.insert("side".into(), json!(ticket.side().name()));
    body.insert("time_in_force".into(), json!(tif.name()));
    body.insert("client_order_id".into(), json!(ticket.client_id().as_str()));
    let mut price = |name: &str, price: Decimal| body.insert(name.into(), json!(price_text(price)));
    let order_type = match kind {
        TicketKind::Market | TicketKind::MarketOnOpen | TicketKind::MarketOnClose => "market",
        TicketKind::Limit { limit } => {
            price("limit_price", limit);
            "limit"
        }
        TicketKind::Stop { stop } => {
            price("stop_price", stop);
            "stop"
        }
        TicketKind::StopLimit { stop, limit } => {
            price("stop_price", stop);
            price("limit_price", limit);
            "stop_limit"
        }
        TicketKind::TrailingStop { stop: Some(_), .. } => {
            return refuse("a trailing stop begins at the price at which it arrives; it cannot be given a first stop");
        }
        TicketKind::TrailingStop { trail, stop: None } => {
            match trail {
                TicketTrail::Amount(dollars) => price("trail_price", dollars),
                TicketTrail::Percent(percent) => body.insert("trail_percent".into(), json!(percent.to_string())),
            };
            "trailing_stop"
        }
    };
    body.insert("type".into(), json!(order_type));
    Ok(Value::Object(body))
}

fn refuse<T>(why: &str) -> Result<T, BrokerError> {
    Err(BrokerError::Unsupported(why.to_string()))
}

/// Equity below which an account may not sell short, dollars.
const SHORT_EQUITY: Decimal = Decimal::from_parts(2000, 0, 0, false, 0);

/// Why selling `qty` shares short would be refused; `None` if nothing speaks against it.
pub fn short_obstacle(account: &AccountInfo, asset: &Asset, qty: Decimal) -> Option<String> {
    if !account.shorting_enabled {
        Some("the account may not sell short".into())
    } else if account.equity < SHORT_EQUITY {
        Some(format!("selling short needs an equity of 2000 USD; the account has {}", account.equity))
    } else if !asset.shortable || !asset.easy_to_borrow {
        Some(format!("{} cannot be borrowed", asset.symbol))
    } else if !qty.fract().is_zero() {
        Some(format!("only whole shares can be sold short, not {qty}"))
    } else {
        None
    }
}

/// The shares that a replacement asks for. A replacement is a new order for its whole quantity, whatever the old one
/// has filled (alpacahq/Alpaca-API#165), so what is filled is taken off here.
pub(super) fn replacement_qty(
    wanted: Option<Decimal>,
    ordered: Option<Decimal>,
    filled: Decimal,
) -> Result<Option<Decimal>, BrokerError> {
    if filled.is_zero() {
        return Ok(wanted);
    }
    match wanted.or(ordered) {
        Some(whole) if whole > filled => Ok(Some((whole - filled).normalize())),
        Some(_) => refuse("the order has filled that many shares already; cancel it instead"),
        None => refuse("an order of an amount of dollars that has filled in part cannot be replaced"),
    }
}

/// The body of a replacement; `qty` as [`replacement_qty`] gives it.
pub(super) fn replacement_body(change: &crate::brokers::Replacement, qty: Option<Decimal>) -> Value {
    let mut body = Map::new();
    if let Some(qty) = qty {
        body.insert("qty".into(), json!(qty.to_string()));
    }
    for (name, price) in [("limit_price", change.limit()), ("stop_price", change.stop())] {
        if let Some(price) = price {
            body.insert(name.into(), json!(price_text(price)));
        }
    }
    body.insert("client_order_id".into(), json!(change.client_id().as_str()));
    Value::Object(body)
}

/// Whether an order that the broker has under our id is the one that we meant.
pub(super) fn is_ours(
    ticket_symbol: &str,
    side: Side,
    qty: Option<Decimal>,
    found: &crate::brokers::OrderReport,
) -> bool {
    found.symbol == ticket_symbol && found.side == side && (qty.is_none() || found.qty.is_none() || found.qty == qty)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::brokers::ClientOrderId;
    use crate::market::SymbolId;
    use crate::risk::{Limits, RiskDesk};
    use crate::trading::{Order, OrderId, OrderKind, OrderRequest, Trail};

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn body(qty: f64, kind: OrderKind, tif: TimeInForce) -> Result<String, BrokerError> {
        let request = OrderRequest { kind, tif, ..OrderRequest::market(SymbolId(0), Side::Sell, qty, "test") };
        let order = Order { id: OrderId(0), strategy: 0, request, decided: 0, symbol_number: 0, liquidates: false };
        let approved = RiskDesk::new(Limits::default(), vec![false]).approve_liquidation(order).unwrap();
        let ticket = OrderTicket::new(approved, "AAPL", ClientOrderId::new("t-1").unwrap()).unwrap();
        order_body(&ticket).map(|body| body.to_string())
    }

    #[test]
    fn bodies_hold_numbers_as_texts_with_the_decimals_of_the_exchange() {
        let cases = [
            (OrderKind::Market, r#""type":"market""#),
            (OrderKind::Limit { limit: 10.5 }, r#""limit_price":"10.50","type":"limit""#),
            (OrderKind::Stop { stop: 0.5 }, r#""stop_price":"0.5000","type":"stop""#),
            (
                OrderKind::StopLimit { stop: 1.0, limit: 0.9999 },
                r#""stop_price":"1.00","limit_price":"0.9999","type":"stop_limit""#,
            ),
            (
                OrderKind::TrailingStop { trail: Trail::Percent(2.5), stop: None },
                r#""trail_percent":"2.5","type":"trailing_stop""#,
            ),
            (
                OrderKind::TrailingStop { trail: Trail::Amount(1.5), stop: None },
                r#""trail_price":"1.50","type":"trailing_stop""#,
            ),
        ];
        for (kind, expected) in cases {
            let start = r#"{"symbol":"AAPL","qty":"3","side":"sell","time_in_force":"day","client_order_id":"t-1","#;
            assert_eq!(body(3.0, kind, TimeInForce::Day).unwrap(), format!("{start}{expected}}}"));
        }
        let on_open = body(3.0, OrderKind::MarketOnOpen, TimeInForce::Day).unwrap();
        assert!(on_open.contains(r#""time_in_force":"opg""#) && on_open.contains(r#""type":"market""#));
        assert!(body(3.0, OrderKind::MarketOnClose, TimeInForce::Day).unwrap().contains(r#""time_in_force":"cls""#));
    }

    #[test]
    fn fractions_are_traded_in_day_orders_of_four_types() {
        assert!(body(0.5, OrderKind::Market, TimeInForce::Day).is_ok());
        assert!(body(0.5, OrderKind::StopLimit { stop: 10.0, limit: 9.0 }, TimeInForce::Day).is_ok());
        assert!(body(0.5, OrderKind::Market, TimeInForce::Gtc).is_err());
        assert!(body(0.5, OrderKind::MarketOnClose, TimeInForce::Day).is_err());
        let trailing = OrderKind::TrailingStop { trail: Trail::Amount(1.0), stop: None };
        assert!(body(0.5, trailing, TimeInForce::Day).is_err());
        assert!(body(1.0, trailing, TimeInForce::Gtc).is_ok());
    }

    #[test]
    fn a_replacement_asks_for_what_is_not_filled_yet() {
        let qty = |wanted: Option<&str>, ordered: Option<&str>, filled: &str| {
            replacement_qty(wanted.map(decimal), ordered.map(decimal), decimal(filled))
        };
        assert_eq!(qty(None, Some("10"), "0").unwrap(), None);
        assert_eq!(qty(Some("8"), Some("10"), "0").unwrap(), Some(decimal("8")));
        assert_eq!(qty(None, Some("10"), "3").unwrap(), Some(decimal("7")));
        assert_eq!(qty(Some("8"), Some("10"), "3").unwrap(), Some(decimal("5")));
        assert!(qty(Some("3"), Some("10"), "3").is_err());
        assert!(qty(None, None, "3").is_err());
    }

    #[test]
    fn short_sales_need_a_margin_account_a_borrow_and_whole_shares() {
        let account = AccountInfo {
            status: "ACTIVE".into(),
            cash: decimal("5000"),
            equity: decimal("5000"),
            last_equity: None,
            buying_power: decimal("10000"),
            multiplier: None,
            restrictions: vec![],
            shorting_enabled: true,
            pattern_day_trader: None,
            day_trades: None,
        };
        let asset = Asset {
            symbol: "AAPL".into(),
            name: String::new(),
            exchange: "NASDAQ".into(),
            tradable: true,
            marginable: true,
            shortable: true,
            easy_to_borrow: true,
            fractionable: true,
        };
        assert_eq!(short_obstacle(&account, &asset, decimal("3")), None);
        assert!(short_obstacle(&account, &asset, decimal("3.5")).is_some());
        assert!(short_obstacle(&account, &Asset { easy_to_borrow: false, ..asset.clone() }, decimal("3")).is_some());
        let poor = AccountInfo { equity: decimal("1999.99"), ..account.clone() };
        assert!(short_obstacle(&poor, &asset, decimal("3")).is_some());
        let cash = AccountInfo { shorting_enabled: false, ..account };
        assert!(short_obstacle(&cash, &asset, decimal("3")).is_some());
    }
}
