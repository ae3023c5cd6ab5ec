//! Orders and their states, fills, positions, the account, and what is asked of a strategy.

mod fill;
mod order;
mod trade;

pub use fill::Fill;
pub use order::{
    Order, OrderChange, OrderEvent, OrderId, OrderKind, OrderRecord, OrderRequest, OrderState, OrderType, Side,
    TimeInForce, Trail,
};
pub use trade::Trade;
