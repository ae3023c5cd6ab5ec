//! Orders on their way to a broker: from what risk approved, in the numbers of a broker.

use std::fmt;

use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Serialize};

use super::number::{QTY_DECIMALS, round_to_step, to_decimal};
use crate::risk::Approved;
use crate::trading::{Order, OrderChange, OrderKind, Side, TimeInForce, Trail};

/// Decimals beyond those of a quantity that are kept when noise is rounded away.
const NOISE: u32 = 3;

/// What does not become an order of a broker.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TicketError {
    /// Not an id that every broker takes.
    #[error("'{0}' is not a client order id; expected 1 to 48 of A-Z a-z 0-9 - _ .")]
    ClientId(String),
    /// Nothing, less than nothing, or no number.
    #[error("quantity {0} is not a positive number of shares")]
    Quantity(String),
    /// Nothing, less than nothing, or no number.
    #[error("{which} {price} is not a positive price")]
    Price { which: &'static str, price: String },
    /// Nothing to do.
    #[error("the change changes nothing")]
    NoChange,
}

/// The id under which an order is known to us and to the broker. The caller makes it, from what identifies the
/// intended order, and writes it down before the order is sent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClientOrderId(String);

impl ClientOrderId {
    /// Longest id, in characters.
    pub const LONGEST: usize = 48;

    /// Checks an id.
    ///
    /// # Errors
    /// It is empty, too long, or has other characters than letters, digits, `-`, `_` and `.`.
    pub fn new(text: impl Into<String>) -> Result<ClientOrderId, TicketError> {
        let text = text.into();
        let is_fit = (1..=ClientOrderId::LONGEST).contains(&text.len())
            && text.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.'));
        if is_fit { Ok(ClientOrderId(text)) } else { Err(TicketError::ClientId(text)) }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClientOrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for ClientOrderId {
    type Error = TicketError;

    fn try_from(text: String) -> Result<ClientOrderId, TicketError> {
        ClientOrderId::new(text)
    }
}

impl From<ClientOrderId> for String {
    fn from(id: ClientOrderId) -> String {
        id.0
    }
}

/// Distance of a trailing stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TicketTrail {
    /// Dollars.
    Amount(Decimal),
    /// Percent of the best price.
    Percent(Decimal),
}

/// Order type with prices on the grid of the exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TicketKind {
    Market,
    Limit {
        limit: Decimal,
    },
    Stop {
        stop: Decimal,
    },
    StopLimit {
        stop: Decimal,
        limit: Decimal,
    },
    /// `stop` is where it starts, if that is fixed.
    TrailingStop {
        trail: TicketTrail,
        stop: Option<Decimal>,
    },
    MarketOnOpen,
    MarketOnClose,
}

/// An order that may be sent. There is none without an approval: the fields can be read and not set, and a ticket can
/// be written down and not read back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OrderTicket {
    client_id: ClientOrderId,
    symbol: String,
    side: Side,
    qty: Decimal,
    kind: TicketKind,
    tif: TimeInForce,
}

impl OrderTicket {
    /// The order that risk approved, in the numbers of a broker.
    ///
    /// Quantities are cut off after nine decimals. Prices come onto the grid of [`super::price_step`]: a limit to the
    /// side on which it is never worse than what was asked for, a stop to the nearest step. Noise of float arithmetic,
    /// beyond twelve decimals of a quantity and six of a price, is rounded away first.
    ///
    /// Links between orders are not carried over: whoever sends them sends a child when its parent has filled, and
    /// cancels one of a pair when the other has.
    ///
    /// # Errors
    /// A quantity or price that is not a positive number.
    pub fn new(approved: Approved<Order>, symbol: &str, client_id: ClientOrderId) -> Result<OrderTicket, TicketError> {
        let request = approved.into_inner().request;
        let side = request.side;
        let kind = match request.kind {
            OrderKind::Market => TicketKind::Market,
            OrderKind::Limit { limit } => TicketKind::Limit { limit: limit_price(limit, side)? },
            OrderKind::Stop { stop } => TicketKind::Stop { stop: stop_price(stop)? },
            OrderKind::StopLimit { stop, limit } => {
                TicketKind::StopLimit { stop: stop_price(stop)?, limit: limit_price(limit, side)? }
            }
            OrderKind::TrailingStop { trail, stop } => TicketKind::TrailingStop {
                trail: match trail {
                    Trail::Amount(dollars) => {
                        TicketTrail::Amount(priced("trailing amount", dollars, RoundingStrategy::MidpointAwayFromZero)?)
                    }
                    Trail::Percent(percent) => TicketTrail::Percent(number("trailing percentage", percent)?),
                },
                stop: stop.map(stop_price).transpose()?,
            },
            OrderKind::MarketOnOpen => TicketKind::MarketOnOpen,
            OrderKind::MarketOnClose => TicketKind::MarketOnClose,
        };
        let qty = quantity(request.qty)?;
        Ok(OrderTicket { client_id, symbol: symbol.to_string(), side, qty, kind, tif: request.tif })
    }

    /// Our id of the order.
    pub fn client_id(&self) -> &ClientOrderId {
        &self.client_id
    }

    /// What is bought or sold.
    pub fn symbol(&self) -> &str {
        &self.symbol
    }

    /// Buy or sell.
    pub fn side(&self) -> Side {
        self.side
    }

    /// Shares, positive.
    pub fn qty(&self) -> Decimal {
        self.qty
    }

    /// Type and prices.
    pub fn kind(&self) -> TicketKind {
        self.kind
    }

    /// How long it stays.
    pub fn tif(&self) -> TimeInForce {
        self.tif
    }
}

/// New values for an open order, approved like an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Replacement {
    client_id: ClientOrderId,
    qty: Option<Decimal>,
    limit: Option<Decimal>,
    stop: Option<Decimal>,
}

impl Replacement {
    /// The change that risk approved of an order on `side`. `client_id` is the id of the order that takes its place,
    /// where a replacement is a new order.
    ///
    /// # Errors
    /// A quantity or price that is not a positive number, or a change of nothing.
    pub fn new(
        approved: Approved<OrderChange>,
        side: Side,
        client_id: ClientOrderId,
    ) -> Result<Replacement, TicketError> {
        let OrderChange { qty, limit, stop } = approved.into_inner();
        if qty.is_none() && limit.is_none() && stop.is_none() {
            return Err(TicketError::NoChange);
        }
        Ok(Replacement {
            client_id,
            qty: qty.map(quantity).transpose()?,
            limit: limit.map(|price| limit_price(price, side)).transpose()?,
            stop: stop.map(stop_price).transpose()?,
        })
    }

    /// Our id of the replacement.
    pub fn client_id(&self) -> &ClientOrderId {
        &self.client_id
    }

    /// Shares of the whole order, with those that it has filled already.
    pub fn qty(&self) -> Option<Decimal> {
        self.qty
    }

    /// Limit price.
    pub fn limit(&self) -> Option<Decimal> {
        self.limit
    }

    /// Stop price.
    pub fn stop(&self) -> Option<Decimal> {
        self.stop
    }
}

fn quantity(qty: f64) -> Result<Decimal, TicketError> {
    to_decimal(qty)
        // A sum of executions is 6.101605773999998 where it is 6.101605774: cut off, a billionth of a share would remain.
        .map(|qty| qty.round_dp(QTY_DECIMALS + NOISE).trunc_with_scale(QTY_DECIMALS).normalize())
        .filter(|qty| *qty > Decimal::ZERO)
        .ok_or_else(|| TicketError::Quantity(qty.to_string()))
}

fn limit_price(price: f64, side: Side) -> Result<Decimal, TicketError> {
    let strategy = match side {
        Side::Buy => RoundingStrategy::ToZero,
        Side::Sell => RoundingStrategy::AwayFromZero,
    };
    priced("limit price", price, strategy)
}

fn stop_price(price: f64) -> Result<Decimal, TicketError> {
    priced("stop price", price, RoundingStrategy::MidpointAwayFromZero)
}

fn priced(which: &'static str, price: f64, strategy: RoundingStrategy) -> Result<Decimal, TicketError> {
    let exact = number(which, price)?;
    let price = round_to_step(exact, strategy).normalize();
    if price > Decimal::ZERO { Ok(price) } else { Err(TicketError::Price { which, price: exact.to_string() }) }
}

/// A positive number without the noise of float arithmetic.
fn number(which: &'static str, value: f64) -> Result<Decimal, TicketError> {
    to_decimal(value)
        .map(|value| value.round_dp_with_strategy(6, RoundingStrategy::MidpointAwayFromZero).normalize())
        .filter(|value| *value > Decimal::ZERO)
        .ok_or_else(|| TicketError::Price { which, price: value.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::SymbolId;
    use crate::risk::{Limits, RiskDesk};
    use crate::trading::{OrderId, OrderRequest};

    fn ticket(side: Side, qty: f64, kind: OrderKind) -> Result<OrderTicket, TicketError> {
        let request = OrderRequest { kind, ..OrderRequest::market(SymbolId(0), side, qty, "test") };
        let order = Order { id: OrderId(0), strategy: 0, request, decided: 0, symbol_number: 0, liquidates: false };
        let approved = RiskDesk::new(Limits::default(), vec![false]).approve_liquidation(order).unwrap();
        OrderTicket::new(approved, "AAPL", ClientOrderId::new("t-1").unwrap())
    }

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn a_limit_is_never_worse_than_asked_for() {
        for (side, asked, expected) in [
            (Side::Buy, 10.129, "10.12"),
            (Side::Sell, 10.121, "10.13"),
            (Side::Buy, 10.13, "10.13"),
            (Side::Sell, 10.13, "10.13"),
            (Side::Buy, 0.12349, "0.1234"),
            (Side::Sell, 0.99991, "1"),
        ] {
            let kind = ticket(side, 1.0, OrderKind::Limit { limit: asked }).unwrap().kind();
            assert_eq!(kind, TicketKind::Limit { limit: decimal(expected) }, "{side:?} {asked}");
        }
    }

    #[test]
    fn noise_of_float_arithmetic_does_not_move_a_limit_by_a_step() {
        let noisy = 1.1 + 2.2; // 3.3000000000000003
        assert_ne!(noisy, 3.3);
        for side in [Side::Buy, Side::Sell] {
            let kind = ticket(side, 1.0, OrderKind::Limit { limit: noisy }).unwrap().kind();
            assert_eq!(kind, TicketKind::Limit { limit: decimal("3.3") });
        }
    }

    #[test]
    fn stops_come_onto_the_nearest_step_and_quantities_are_cut_off() {
        let stop = ticket(Side::Sell, 0.123_456_789_9, OrderKind::Stop { stop: 99.996 }).unwrap();
        assert_eq!(stop.kind(), TicketKind::Stop { stop: decimal("100") });
        assert_eq!(stop.qty(), decimal("0.123456789"));
        // 14.597143 - 8.495537226, and a sum of shares.
        for (noisy, expected) in [(6.101_605_773_999_998, "6.101605774"), (13.999_999_999_999_998, "14")] {
            assert_eq!(ticket(Side::Sell, noisy, OrderKind::Market).unwrap().qty(), decimal(expected));
        }
    }

    #[test]
    fn what_is_not_a_positive_number_is_refused() {
        assert!(matches!(ticket(Side::Buy, 0.0, OrderKind::Market), Err(TicketError::Quantity(_))));
        assert!(matches!(ticket(Side::Buy, 1e-10, OrderKind::Market), Err(TicketError::Quantity(_))));
        assert!(matches!(ticket(Side::Buy, f64::NAN, OrderKind::Market), Err(TicketError::Quantity(_))));
        for price in [0.0, -1.0, f64::NAN, f64::INFINITY, 0.00001] {
            let refused = ticket(Side::Buy, 1.0, OrderKind::Limit { limit: price });
            assert!(matches!(refused, Err(TicketError::Price { which: "limit price", .. })), "{price}");
        }
    }

    #[test]
    fn ids_have_at_most_48_plain_characters() {
        assert!(ClientOrderId::new("a".repeat(48)).is_ok());
        for text in [String::new(), "a".repeat(49), "a b".into(), "a/b".into(), "ä".into(), "a\n".into()] {
            assert_eq!(ClientOrderId::new(text.clone()), Err(TicketError::ClientId(text)));
        }
    }
}
