//! Files to market and back: Parquet, CSV, Lean folders, generated sets; checks; the data hash; named sets.
//!
//! [`load`] does the whole way:
//!
//! 1. **Read.** Columns are found by name (`layout`), only the needed ones are decoded, and row groups that
//!    their statistics exclude are not touched. Times are instants, wall clocks (which need a zone) or dates.
//! 2. **Join.** Rows become one series a symbol, whatever files they were in.
//! 3. **Check.** Rows ascend in time; prices are finite and positive, high and low bound open and close, volume
//!    is not negative; steps within a session are multiples of the bar length (the most frequent step). The
//!    first fault is refused with file, row and reason. What is suspicious but legal is counted in
//!    [`DataQuality`](crate::market::DataQuality).
//! 4. **Sessions.** Bars outside the regular session are dropped and counted unless extended hours are wanted.
//!    Daily bars begin at their session's open.
//! 5. **Adjust, attach, hash.** Splits and dividends (`adjust`), volatility index, fundamentals, inverse ETFs,
//!    option quotes; the hash of the values used (`hash`).

mod adjust;
mod beside;
mod chunk;
mod clock;
mod context;
mod csv_file;
mod embedded;
mod error;
pub mod generate;
mod hash;
mod layout;
mod lean;
mod load;
mod options;
mod parquet_file;
mod pick;
mod quotes;
mod series;
mod source;
mod table;
mod time_base;
mod values;
pub mod write;

pub use beside::Beside;
pub use embedded::{NAMED_SETS, NamedSet, named};
pub use error::{DataError, Place, RowUnit};
pub use hash::data_hash;
pub use load::{load, load_until};
pub use options::{Adjust, Label, LoadOptions, Source, format_bar_length, parse_bar_length};
