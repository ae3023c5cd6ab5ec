//! Who decides what is executed.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use tradebot::market::Nanos;

use super::desk::{FeedBar, Order};

/// What a filler may look at.
pub struct Market {
    pub now: Nanos,
    /// Bid and ask.
    pub quotes: BTreeMap<String, (Decimal, Decimal)>,
    /// Bars that have ended.
    pub bars: BTreeMap<String, Vec<FeedBar>>,
}

/// What becomes of an order. `order` is the broker's number.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    Fill { order: String, qty: Decimal, price: Decimal },
    Cancel { order: String },
    Expire { order: String },
    Reject { order: String },
}

/// A model of executions. `open` are the orders in the market.
pub trait Filler: Send {
    /// An order came into the market.
    fn submitted(&mut self, order: &Order, market: &Market) -> Vec<Outcome> {
        let _ = (order, market);
        Vec::new()
    }

    /// An order is about to be canceled; executions given here come before that.
    fn canceling(&mut self, order: &Order, market: &Market) -> Vec<Outcome> {
        let _ = (order, market);
        Vec::new()
    }

    /// An order took the place of another.
    fn replaced(&mut self, old: &Order, new: &Order, market: &Market) -> Vec<Outcome> {
        let _ = old;
        self.submitted(new, market)
    }

    /// A minute has ended; its bars are the last ones of `market`.
    fn minute(&mut self, bars: &[FeedBar], open: &[Order], market: &Market) -> Vec<Outcome> {
        let _ = (bars, open, market);
        Vec::new()
    }
}

/// Nothing happens by itself: the test decides.
pub struct Manual;

impl Filler for Manual {}

/// Market orders fill at the quote at once; limits and stops when a bar reaches their price, at that price.
pub struct AtMarket;

impl Filler for AtMarket {
    fn submitted(&mut self, order: &Order, market: &Market) -> Vec<Outcome> {
        let Some((bid, ask)) = market.quotes.get(&order.symbol) else { return Vec::new() };
        let price = if order.is_buy() { *ask } else { *bid };
        let is_marketable = match order.kind.as_str() {
            "market" => true,
            "limit" => order.limit.is_some_and(|limit| if order.is_buy() { limit >= price } else { limit <= price }),
            _ => false,
        };
        if is_marketable { vec![whole(order, price)] } else { Vec::new() }
    }

    fn minute(&mut self, bars: &[FeedBar], open: &[Order], _: &Market) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        for order in open {
            let Some(bar) = bars.iter().find(|bar| bar.symbol == order.symbol) else { continue };
            let price = match order.kind.as_str() {
                "market" => Some(bar.open),
                "limit" => {
                    order.limit.filter(|limit| if order.is_buy() { bar.low <= *limit } else { bar.high >= *limit })
                }
                "stop" => order.stop.filter(|stop| if order.is_buy() { bar.high >= *stop } else { bar.low <= *stop }),
                _ => None,
            };
            outcomes.extend(price.map(|price| whole(order, price)));
        }
        outcomes
    }
}

fn whole(order: &Order, price: Decimal) -> Outcome {
    Outcome::Fill { order: order.id.clone(), qty: order.qty - order.filled, price }
}
