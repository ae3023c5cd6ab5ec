//! Corporate actions: reading them, and prices that are continuous over them.
//!
//! Adjusted prices grow as the total return does: over an ex-date the return is (P + D) / P_before - 1, P being the
//! close of the ex-date (Center for Research in Security Prices, Data Descriptions Guide, "Total return"). So every
//! price before the ex-date of a dividend D is multiplied by P / (P + D); every price before a split of one share
//! into r is divided by r, and its volume multiplied. Factors multiply. Tiingo and Quandl adjust the same way; Yahoo
//! and Lean use 1 - D / P_before, which differs by less than the square of the dividend yield. A Lean factor file is
//! taken as it is.

use super::DataError;
use super::chunk::Blob;
use super::options::Adjust;
use super::table::Table;
use crate::market::{ActionKind, Bars, Calendar, new_york_date, parse_date};
use chrono::NaiveDate;
use std::collections::BTreeMap;

/// One action of one symbol.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Action {
    pub date: NaiveDate,
    pub kind: ActionKind,
}

/// Factors of one symbol as Lean gives them; a row holds up to and including its date.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct FactorRow {
    pub date: NaiveDate,
    /// Of dividends.
    pub price_factor: f64,
    /// Of splits.
    pub split_factor: f64,
    /// Close on the date, 0 where unknown.
    pub reference_price: f64,
}

/// What is known of splits and dividends, by symbol.
#[derive(Debug, Default)]
pub(super) struct ActionBook {
    pub actions: BTreeMap<String, Vec<Action>>,
    pub factors: BTreeMap<String, Vec<FactorRow>>,
}

impl ActionBook {
    /// Reads a file of actions (`date, symbol, type, value`) or a Lean factor file (no header, four numbers).
    pub(super) fn read(blob: &Blob) -> Result<ActionBook, DataError> {
        let mut book = ActionBook::default();
        if blob.suffix() == "csv" && is_factor_file(blob)? {
            book.factors.insert(blob.stem().to_uppercase(), read_factors(blob)?);
            return Ok(book);
        }
        let table = Table::read(blob)?;
        let date = table.column(&["date", "ex_date", "ts"])?;
        let symbol = table.column(&["symbol", "ticker"])?;
        let kind = table.column(&["type", "kind", "action"])?;
        let value = table.column(&["value", "amount", "ratio"])?;
        for row in table.rows() {
            let value = row.positive(value)?;
            let kind = match row.need(kind)?.to_ascii_lowercase().as_str() {
                "split" => ActionKind::Split { ratio: value },
                "dividend" => ActionKind::Dividend { amount: value },
                other => return Err(row.fault(format!("type '{other}' is neither split nor dividend"))),
            };
            let action = Action { date: row.date(date)?, kind };
            let all = book.actions.entry(row.need(symbol)?.to_string()).or_default();
            if all.contains(&action) {
                return Err(row.fault("the same action as in a row before"));
            }
            all.push(action);
        }
        for all in book.actions.values_mut() {
            all.sort_by_key(|a| (a.date, matches!(a.kind, ActionKind::Dividend { .. })));
        }
        Ok(book)
    }

    /// The symbols of which nothing is known.
    pub(super) fn unknown<'a>(&self, symbols: &'a [String]) -> Vec<&'a str> {
        let known = |name: &str| self.factors.contains_key(name) || self.actions.contains_key(name);
        symbols.iter().map(String::as_str).filter(|name| !known(name)).collect()
    }

    /// Adjusts the prices of a symbol in place and gives the actions that are left to happen in the account.
    pub(super) fn apply(&self, symbol: &str, bars: &mut Bars, adjust: Adjust) -> Vec<Action> {
        if let Some(rows) = self.factors.get(symbol) {
            let actions = actions_of(rows);
            match adjust {
                Adjust::Raw => {}
                Adjust::Split => {
                    scale(bars, |date| factor_at(rows, date).split_factor, |date| factor_at(rows, date).split_factor)
                }
                Adjust::Total => scale(
                    bars,
                    |date| {
                        let row = factor_at(rows, date);
                        row.price_factor * row.split_factor
                    },
                    |date| factor_at(rows, date).split_factor,
                ),
            }
            let split_factor = |date: NaiveDate| factor_at(rows, date).split_factor;
            return remaining(&actions, adjust, split_factor);
        }
        let Some(actions) = self.actions.get(symbol) else { return Vec::new() };
        let steps = steps(actions, bars);
        let factor = |date: NaiveDate, total: bool| {
            // The factor of a date is the product over all later actions.
            let later = steps.partition_point(|s| s.date <= date);
            steps.get(later).map_or(1.0, |s| if total { s.total } else { s.split })
        };
        match adjust {
            Adjust::Raw => {}
            Adjust::Split => scale(bars, |d| factor(d, false), |d| factor(d, false)),
            Adjust::Total => scale(bars, |d| factor(d, true), |d| factor(d, false)),
        }
        remaining(actions, adjust, |date| factor(date, false))
    }
}

/// Cumulative factors of the prices before a date.
#[derive(Debug, Clone, Copy)]
struct Step {
    date: NaiveDate,
    split: f64,
    total: f64,
}

/// Factors by ex-date, ascending. Actions after the last bar are left out: prices are in shares of the last day.
fn steps(actions: &[Action], bars: &Bars) -> Vec<Step> {
    let Some(last) = bars.start.last().map(|&t| new_york_date(t)) else { return Vec::new() };
    let mut out: Vec<Step> = Vec::new();
    let (mut split, mut total) = (1.0, 1.0);
    for action in actions.iter().rev().filter(|a| a.date <= last) {
        match action.kind {
            ActionKind::Split { ratio } => {
                split /= ratio;
                total /= ratio;
            }
            ActionKind::Dividend { amount } => {
                // The first day with bars from the ex-date on, and its last price.
                let first = bars.start.partition_point(|&t| new_york_date(t) < action.date);
                let day = new_york_date(bars.start[first]);
                let end = first + bars.start[first..].partition_point(|&t| new_york_date(t) <= day);
                let close = bars.close[end - 1];
                total *= close / (close + amount);
            }
        }
        match out.last_mut() {
            Some(step) if step.date == action.date => (step.split, step.total) = (split, total),
            _ => out.push(Step { date: action.date, split, total }),
        }
    }
    out.reverse();
    out
}

/// Actions that still happen: all under raw, dividends in adjusted shares under split, none under total.
fn remaining(actions: &[Action], adjust: Adjust, split_factor: impl Fn(NaiveDate) -> f64) -> Vec<Action> {
    let left = |action: &Action| match (adjust, action.kind) {
        (Adjust::Raw, _) => Some(*action),
        (Adjust::Split, ActionKind::Dividend { amount }) => {
            Some(Action { kind: ActionKind::Dividend { amount: amount * split_factor(action.date) }, ..*action })
        }
        _ => None,
    };
    actions.iter().filter_map(left).collect()
}

/// Multiplies prices and divides volumes by factors of the date.
fn scale(bars: &mut Bars, price: impl Fn(NaiveDate) -> f64, volume: impl Fn(NaiveDate) -> f64) {
    let mut i = 0;
    while i < bars.len() {
        let date = new_york_date(bars.start[i]);
        let end = i + bars.start[i..].partition_point(|&t| new_york_date(t) <= date);
        let (p, v) = (price(date), volume(date));
        if p != 1.0 {
            for column in [&mut bars.open, &mut bars.high, &mut bars.low, &mut bars.close] {
                column[i..end].iter_mut().for_each(|x| *x *= p);
            }
            if let Some(q) = &mut bars.quotes {
                let bid = [&mut q.bid_open, &mut q.bid_high, &mut q.bid_low, &mut q.bid_close];
                let ask = [&mut q.ask_open, &mut q.ask_high, &mut q.ask_low, &mut q.ask_close];
                for column in bid.into_iter().chain(ask) {
                    column[i..end].iter_mut().for_each(|x| *x *= p);
                }
            }
        }
        if v != 1.0 {
            bars.volume[i..end].iter_mut().for_each(|x| *x /= v);
        }
        i = end;
    }
}

fn factor_at(rows: &[FactorRow], date: NaiveDate) -> FactorRow {
    let at = rows.partition_point(|r| r.date < date);
    let after = FactorRow { date, price_factor: 1.0, split_factor: 1.0, reference_price: 0.0 };
    rows.get(at).copied().unwrap_or(after)
}

/// Splits and dividends behind the factors: what changes after a row's date happens at the next session.
fn actions_of(rows: &[FactorRow]) -> Vec<Action> {
    let mut out = Vec::new();
    for pair in rows.windows(2) {
        let (row, next) = (pair[0], pair[1]);
        let Some(date) = Calendar.next_session_after(row.date).map(|s| s.date) else { continue };
        let ratio = next.split_factor / row.split_factor;
        if (ratio - 1.0).abs() > 1e-9 {
            out.push(Action { date, kind: ActionKind::Split { ratio } });
        }
        let kept = row.price_factor / next.price_factor;
        if (1.0 - kept).abs() > 1e-9 && row.reference_price > 0.0 {
            // The reference price is before the split of the same day.
            let amount = row.reference_price * (1.0 - kept) / ratio;
            if amount > 0.0 {
                out.push(Action { date, kind: ActionKind::Dividend { amount } });
            }
        }
    }
    out
}

/// Whether the first line is that of a Lean factor file rather than a header.
fn is_factor_file(blob: &Blob) -> Result<bool, DataError> {
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(super::csv_file::open(blob)?);
    let mut record = csv::ByteRecord::new();
    match reader.read_byte_record(&mut record) {
        Ok(true) => Ok(record.len() >= 3 && record[0].len() == 8 && record[0].iter().all(u8::is_ascii_digit)),
        _ => Ok(false),
    }
}

/// Reads `YYYYMMDD,price factor,split factor,reference price`.
pub(super) fn read_factors(blob: &Blob) -> Result<Vec<FactorRow>, DataError> {
    use super::error::{Place, RowUnit};
    let file = blob.name();
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(super::csv_file::open(blob)?);
    let mut rows: Vec<FactorRow> = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|e| super::csv_file::csv_error(&file, &e))?;
        let line = record.position().map_or(0, csv::Position::line);
        let fault =
            |reason: String| DataError::row(Place { file: file.clone(), unit: RowUnit::Line, number: line }, reason);
        let field = |i: usize| record.get(i).unwrap_or_default().trim();
        let text = field(0);
        let date = text
            .get(..8)
            .filter(|t| t.is_ascii())
            .and_then(|t| parse_date(&format!("{}-{}-{}", &t[..4], &t[4..6], &t[6..])).ok());
        let date = date.ok_or_else(|| fault(format!("'{text}' is not a date; expected YYYYMMDD")))?;
        let factor = |i: usize, name: &str| match field(i).parse::<f64>() {
            Ok(value) if value.is_finite() && value > 0.0 => Ok(value),
            _ => Err(fault(format!("{name} '{}' is not a number above 0", field(i)))),
        };
        let row = FactorRow {
            date,
            price_factor: factor(1, "price factor")?,
            split_factor: factor(2, "split factor")?,
            reference_price: field(3).parse().unwrap_or(0.0),
        };
        if rows.last().is_some_and(|last| last.date >= date) {
            return Err(fault("rows must ascend by date".to_string()));
        }
        rows.push(row);
    }
    Ok(rows)
}
