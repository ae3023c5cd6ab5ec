//! Brokers: the port [`Broker`] that a live session trades through, and the adapters behind it.
//!
//! **Requests are futures, events are one channel.** A request has one answer, and the type of its error says what is
//! known about the outcome; what happens by itself arrives through [`Events`], in the order in which the adapter
//! learned of it. A trading loop on a thread of its own blocks on [`Events::blocking_next`] and spawns its requests.
//! The port is a trait object, since the broker is a setting and fail-over exchanges one for the other at run time.
//!
//! **Money is decimal here.** [`OrderTicket::new`] is the one place where the numbers of the core, which are `f64`,
//! become decimals of a broker, and it takes an order that risk has approved: there is no other way to make one.
//! Prices and quantities that come in are read from their digits and never pass through a float; [`to_f64`] gives
//! the nearest float of a price to the core.
//!
//! **Asking twice is asking once.** Every order carries a [`ClientOrderId`] that the caller decides, and writes down,
//! before it asks. An outcome that is not known is [`BrokerError::Unknown`], never a rejection; the adapter goes on
//! asking the broker and reports what it finds as an event.
//!
//! **Each execution comes once.** Adapters pass every report through an [`OrderBook`], the state machine that all
//! brokers share, and hand on what is new in it. A caller that restarts gives its book to [`Broker::connect`].

mod account;
pub mod alpaca;
mod api_log;
mod capabilities;
mod error;
mod events;
mod market_data;
mod number;
mod report;
mod self_check;
mod state;
mod ticket;
mod universe;

use chrono::NaiveDate;
use futures_util::future::BoxFuture;

use crate::market::Nanos;

pub use account::{AccountInfo, Asset, BrokerClock, Position, SessionHours};
pub use api_log::{ApiLine, ApiLog, Body, Direction, NoApiLog};
pub use capabilities::{Capabilities, Idempotency, ReplaceSemantics, ShortCheck};
pub use error::{BrokerError, RejectClass, Rejection};
pub use events::{BrokerEvent, EventSender, Events, Stream, channel};
pub use market_data::{BarQuery, BarSize, BrokerBar, Quote, TradingStatus, Watchlist};
pub use number::{price_step, round_to_step, to_decimal, to_f64};
pub use report::{ExecutionReport, OrderReport, OrderUpdate, Overlay, Source, Status};
pub use self_check::{CheckItem, SelfCheck};
pub use state::{Applied, OrderBook, TrackedOrder};
pub use ticket::{ClientOrderId, OrderTicket, Replacement, TicketError, TicketKind, TicketTrail};
pub use universe::{
    Company, FileFundamentals, Finnhub, Fundamentals, SymbolUniverse, UniverseEntry, UniverseError, UniverseRules,
};

/// The answer to a request.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, BrokerError>>;

/// What became of a request to cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelOutcome {
    /// The broker took the request; whether the order is canceled comes as an event.
    Requested,
    /// The order had ended before; its end comes as an event, if it was not known.
    AlreadyFinal,
}

/// What is asked of a broker. Implementations need a running tokio runtime with I/O and time.
///
/// Every method but [`Broker::connect`] may be called at any time and from several tasks at once.
pub trait Broker: Send + Sync {
    /// What this broker can do.
    fn capabilities(&self) -> &'static Capabilities;

    /// Checks the credentials, starts the streams and gives the channel of everything that happens. `known` is
    /// what the caller knows of its orders: after a restart, the book rebuilt from the journal. After this, and after
    /// every interruption, the adapter compares with the broker's records and reports the differences;
    /// [`BrokerEvent::StreamUp`] says when that is done. An earlier channel ends; when this one is dropped, the
    /// streams do.
    ///
    /// # Errors
    /// The broker cannot be reached or refuses the credentials.
    fn connect(&self, known: OrderBook, watch: Watchlist) -> Answer<'_, Events>;

    /// Replaces what is watched: bars, quotes and halts of these symbols arrive as events.
    fn watch(&self, watch: Watchlist) -> Answer<'_, ()>;

    /// Sends an order and gives what the broker says of it, which comes as an event, too. Repeating the call with the
    /// same ticket cannot give a second order where [`Capabilities::idempotency`] says so.
    ///
    /// # Errors
    /// [`BrokerError::Rejected`], [`BrokerError::Auth`], [`BrokerError::RateLimited`], [`BrokerError::Network`] and
    /// [`BrokerError::Unsupported`]: there is no such order. Every other error is [`BrokerError::Unknown`]: there may
    /// be one.
    fn submit_order(&self, ticket: OrderTicket) -> Answer<'_, OrderReport>;

    /// Asks to cancel an order.
    ///
    /// # Errors
    /// [`BrokerError::NotFound`] if the broker does not know the order; nothing is known to be canceled after any
    /// error.
    fn cancel_order(&self, id: ClientOrderId) -> Answer<'_, CancelOutcome>;

    /// Asks to cancel every open order of the account, also those of others. Gives their number.
    fn cancel_all_orders(&self) -> Answer<'_, usize>;

    /// Asks to change an open order. With [`ReplaceSemantics::NewOrder`] the answer is the order that takes its
    /// place, under the id in `change`; the broker may still refuse, which comes as an event.
    fn replace_order(&self, id: ClientOrderId, change: Replacement) -> Answer<'_, OrderReport>;

    /// The order of this id; `None` if the broker does not know it.
    fn get_order_by_client_id(&self, id: ClientOrderId) -> Answer<'_, Option<OrderReport>>;

    /// All open orders.
    fn get_open_orders(&self) -> Answer<'_, Vec<OrderReport>>;

    /// All orders sent at or after `since`, oldest first.
    fn get_orders_since(&self, since: Nanos) -> Answer<'_, Vec<OrderReport>>;

    /// All executions at or after `since`, oldest first, with the broker's number of their order.
    fn get_executions_since(&self, since: Nanos) -> Answer<'_, Vec<(String, ExecutionReport)>>;

    /// All positions.
    fn get_positions(&self) -> Answer<'_, Vec<Position>>;

    /// Cash, equity, buying power and restrictions.
    fn get_account_info(&self) -> Answer<'_, AccountInfo>;

    /// The broker's time, and whether the exchange is open.
    fn get_clock(&self) -> Answer<'_, BrokerClock>;

    /// Sessions of the exchange from `from` to `to`, both included.
    fn get_calendar(&self, from: NaiveDate, to: NaiveDate) -> Answer<'_, Vec<SessionHours>>;

    /// All stocks that the broker knows to be active.
    fn get_assets(&self) -> Answer<'_, Vec<Asset>>;

    /// One stock; `None` if the broker does not know it.
    fn get_asset(&self, symbol: String) -> Answer<'_, Option<Asset>>;

    /// Bars of the past by symbol and time; symbols without bars are missing.
    fn get_bars(&self, query: BarQuery) -> Answer<'_, Vec<BrokerBar>>;

    /// The latest quotes; symbols without one are missing.
    fn get_latest_quotes(&self, symbols: Vec<String>) -> Answer<'_, Vec<Quote>>;

    /// Looks whether credentials, account, clocks, streams and data are fit for trading. Places nothing.
    fn self_check(&self) -> BoxFuture<'_, SelfCheck>;
}
