//! Inputs beside the bars: volatility index, fundamentals, inverse ETFs, option quotes.

use super::{Nanos, SymbolId};
use chrono::NaiveDate;
use std::collections::BTreeMap;

/// Volatility index closes. Daily rows carry the session date; intraday rows the end of their bar.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Vix {
    /// (session date, close), ascending.
    pub daily: Vec<(NaiveDate, f64)>,
    /// (end of bar, close), ascending; empty when the file is daily.
    pub intraday: Vec<(Nanos, f64)>,
}

/// One row of fundamentals; a missing value fails its filter.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fundamental {
    /// Valid from the session after this date; `None`: always.
    pub date: Option<NaiveDate>,
    /// Dollars.
    pub market_cap: Option<f64>,
    pub pe_ratio: Option<f64>,
    pub debt_equity: Option<f64>,
    pub exchange: Option<String>,
}

/// Rows by symbol, ascending by date within a symbol.
pub type Fundamentals = BTreeMap<SymbolId, Vec<Fundamental>>;

/// Which ETF stands for being short a symbol.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct InverseMap {
    /// Signal symbol -> (ETF, leverage), leverage positive (2.0 moves minus twice the index).
    pub by_symbol: BTreeMap<SymbolId, (SymbolId, f64)>,
    /// The row with symbol `*`.
    pub default: Option<(SymbolId, f64)>,
}

/// Call or put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionRight {
    Call,
    Put,
}

/// One line of the option quote file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OptionQuote {
    pub time: Nanos,
    pub symbol: SymbolId,
    pub expiry: NaiveDate,
    pub strike: f64,
    pub right: OptionRight,
    pub bid: f64,
    pub ask: f64,
}
