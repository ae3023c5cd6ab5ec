//! Splits and cash dividends.

use super::SymbolId;
use chrono::NaiveDate;

/// What happens to one share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ActionKind {
    /// One share becomes `ratio` shares before the open of the date (7.0 for a 7-for-1 split, 0.1 for a
    /// 1-for-10 reverse split).
    Split { ratio: f64 },
    /// Dollars per share, paid on the ex-date to who held at the previous close; the short side pays.
    Dividend { amount: f64 },
}

/// A corporate action, in force from the open of `date`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CorporateAction {
    pub date: NaiveDate,
    pub symbol: SymbolId,
    pub kind: ActionKind,
}
