//! Orders and their states, fills, positions, the account, and what is asked of a strategy.

mod account;
mod fill;
mod instruments;
mod order;
mod portfolio;
mod signals;
mod strategy;
mod trade;
mod view;

pub use account::{Account, AccountKind, AccountRules, QTY_EPSILON};
pub use fill::Fill;
pub use instruments::{CONTRACT_SIZE, Contracts, Instruments, PutContract};
pub use order::{
    Order, OrderChange, OrderEvent, OrderId, OrderKind, OrderRecord, OrderRequest, OrderState, OrderType, Side,
    TimeInForce, Trail,
};
pub use portfolio::{Costs, Execution, Portfolio};
pub(crate) use portfolio::{extremes, highest, lowest};
pub use signals::{ColumnCache, IndicatorId, Setup, SignalBar, SignalId, Signals, Work};
pub(crate) use signals::{Signal, SignalChange};
pub use strategy::{Command, Holding, Orders, PositionSize, Strategy, Wake};
pub(crate) use trade::{Leg, Lots};
pub use trade::{Trade, TradeBook};
pub use view::{Columns, Past, SessionView, View};
