//! The books: a chart of accounts and a double-entry ledger, each an encrypted database of the data folder.
//!
//! What happens to the account of the bot arrives as an [`Event`] and becomes an entry whose debits equal its credits:
//!
//! ```text
//! Event ──> posting::post (pure: event + open lots -> lines, lots, closings) ──> Books::post (one transaction)
//! a form ──> EntryDraft ──────────────── checked against the chart ───────────> Books::create_entry, update_entry
//! ```
//!
//! - **Lines balance.** [`BalancedLines`] is the only form in which lines are stored, and its one constructor
//!   checks them.
//! - **Once.** An event has a reference, such as the execution id of the broker; booked again it changes nothing and
//!   says so.
//! - **First in, first out.** Positions are lots in the ledger's own database. The position accounts (1210, 1220, 2110,
//!   2120) equal the lots at all times, because only events move them.
//! - **Money is decimal** ([`money`]): amounts have at most 8 decimals, and are rounded to cents only in exports for
//!   people and tax.
//! - **Book dates are days in New York**, which are the trade dates of the exchanges.
//!
//! Automatic entries are not edited: a correction is a further entry. What a user enters can be edited, and every
//! earlier version is kept.

mod account;
mod books;
mod broker_csv;
mod cells;
mod chart;
mod chart_export;
mod error;
mod event;
mod export;
mod lines;
mod lots;
mod matching;
pub mod money;
mod ofx;
mod posting;

pub use account::{Account, AccountType, SystemAccount};
pub use books::{
    AccountBalance, Activity, Books, ChartVersion, Deed, Discrepancy, EarlierVersion, Entry, EntryDraft, EntryPage,
    EntryQuery, Holding, Identity, LedgerFormat, Outcome, Posted, RealisedGain, Reconciliation, Resolution, Term,
    TrialBalance, UploadReceipt,
};
pub use broker_csv::{MOST_UPLOAD_BYTES, MOST_UPLOAD_ROWS, RowError, Statement, StatementRow};
pub use cells::safe_cell;
pub use chart::{ChangedAccount, Chart, ChartDiff, FieldChange};
pub use chart_export::{ChartDocument, ChartFormat};
pub use error::{BooksError, Fault};
pub use event::{Event, EventError, Fill, Happening, Instrument, InstrumentKind};
pub use lines::{BalancedLines, Line, LinesError};
pub use lots::{Closing, Direction, Lot};
pub use matching::DiscrepancyKind;
pub use money::MoneyError;
pub use ofx::OfxAccount;
pub use posting::{Posting, PostingError, post};

#[cfg(test)]
pub(crate) mod tests;
