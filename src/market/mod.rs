//! Time, the exchange calendar, symbols, bars and corporate actions.
//!
//! Everything in this room is plain data without I/O. Times are UTC nanoseconds since
//! 1970-01-01 ([`Nanos`]); prices are dollars per share as `f64`.

mod actions;
mod bars;
mod calendar;
mod context;
mod dataset;
mod growing;
mod time;
mod window;

pub use actions::{ActionKind, CorporateAction};
pub use bars::{Bar, Bars, QuoteBar, Quotes};
pub use calendar::{CALENDAR_VERSION, Calendar, Session};
pub use context::{Fundamental, Fundamentals, InverseMap, OptionQuote, OptionRight, Vix};
pub use dataset::{DataQuality, Market, MarketError, MarketParts, TradingDay};
pub use growing::{GrowthError, NewBar};
pub(crate) use time::new_york_time;
pub use time::{
    DAY, MILLI, MINUTE, Nanos, SECOND, TimeError, format_date, format_time, new_york_date, new_york_offset, parse_date,
    parse_time,
};
pub use window::start_of_window;

/// Index of a symbol in a [`Market`]: symbols are sorted by name, so ids order as names do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SymbolId(pub u32);

impl SymbolId {
    /// The id as an index into per-symbol vectors.
    #[inline]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}
