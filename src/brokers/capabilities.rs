//! What brokers can and cannot do.

use crate::trading::{OrderType, TimeInForce};

/// How a broker learns whether a stock can be borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShortCheck {
    /// Flags of the asset.
    AssetFlags,
    /// A list of stocks that are easy to borrow.
    EasyToBorrowList,
    /// A locate when the order arrives.
    Locate,
}

/// What keeps an order from being placed twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Idempotency {
    /// The broker refuses a second order with the same client order id, for ever.
    UniqueClientId,
    /// Orders have a number of ours; a second one with it is refused or changes the first.
    OrderNumber,
    /// Orders bear a mark of ours that can be looked up, and the broker takes any number of them.
    TagOnly,
}

/// What a changed order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplaceSemantics {
    /// A new order with an id of its own; the old one ends as replaced.
    NewOrder,
    /// The same order.
    SameOrder,
    /// The same order, and its quantity cannot be changed.
    SameOrderWithoutQuantity,
}

/// What a broker can do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Capabilities {
    /// `BROKER_NAME`.
    pub name: &'static str,
    /// Types of orders that it takes.
    pub order_types: &'static [OrderType],
    /// How long orders can stay.
    pub times_in_force: &'static [TimeInForce],
    /// Fractions of a share, in market, limit, stop and stop-limit day orders.
    pub fractional: bool,
    /// Selling short (SHORT_TYPE_* = ShortSell).
    pub short_selling: bool,
    /// Buying puts (SHORT_TYPE_* = LongPut).
    pub options: bool,
    pub short_check: ShortCheck,
    /// Order updates arrive by themselves; otherwise they are polled.
    pub order_stream: bool,
    /// Bars and quotes arrive by themselves.
    pub market_data_stream: bool,
    pub idempotency: Idempotency,
    pub replace: ReplaceSemantics,
    /// Shares that an open order may sell are not available to another: before a position can be closed at the
    /// market, its stop has to be canceled, and the cancel be confirmed.
    pub exit_orders_hold_shares: bool,
    /// Orders on both sides of a stock may be open at the same time; otherwise the second is refused (wash trades).
    pub both_sides: bool,
    /// From so long before the close on no orders for the close are taken, milliseconds; 0: they always are.
    pub on_close_cutoff_ms: u32,
    /// Longest client order id, in characters.
    pub longest_client_id: usize,
}

impl Capabilities {
    /// Whether a value of `SHORT_TYPE_*` can be traded: inverse funds are bought like any stock.
    pub fn supports_short_type(&self, short_type: &str) -> bool {
        match short_type {
            "ShortSell" => self.short_selling,
            "LongPut" => self.options,
            _ => true,
        }
    }
}
