//! What the broker says against what the ledger says.
//!
//! | the broker's file | the ledger | then |
//! | --- | --- | --- |
//! | a row | the fill with its execution id, agreeing | matched |
//! | a row | the fill with its execution id, not agreeing | `differs` |
//! | a row without a known id | a fill of that day, symbol and side that agrees | matched |
//! | a row without a known id | a fill of that day, symbol and side that does not | `differs` |
//! | a row | nothing | `missing_in_ledger` |
//! | nothing | a fill of the days of the file | `missing_at_broker` |
//!
//! They agree if the quantities are equal, and value and (where the file has them) charges are equal to the cent: they
//! differ by at most half a cent.

use super::broker_csv::StatementRow;
use super::event::Fill;
use rust_decimal::Decimal;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How broker and ledger differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DiscrepancyKind {
    /// The broker tells of a fill that the ledger has not.
    MissingInLedger,
    /// The ledger has a fill that the broker does not tell of.
    MissingAtBroker,
    /// Both have it, with other numbers.
    Differs,
}

impl DiscrepancyKind {
    /// The word in files.
    pub fn word(self) -> &'static str {
        match self {
            DiscrepancyKind::MissingInLedger => "missing_in_ledger",
            DiscrepancyKind::MissingAtBroker => "missing_at_broker",
            DiscrepancyKind::Differs => "differs",
        }
    }

    pub(super) fn of(word: &str) -> Option<DiscrepancyKind> {
        use DiscrepancyKind::*;
        [MissingInLedger, MissingAtBroker, Differs].into_iter().find(|kind| kind.word() == word)
    }
}

/// A fill of the ledger.
pub(super) struct Booked {
    pub entry: i64,
    pub date: String,
    pub reference: String,
    pub fill: Fill,
}

/// A difference before it has a number.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Found {
    pub line: Option<i64>,
    pub entry: Option<i64>,
    pub kind: DiscrepancyKind,
    pub detail: String,
}

/// The execution id as brokers tell it: what follows the first colon of a reference such as `ALPACA:id`. Ids have
/// colons of their own.
pub(super) fn execution_id(reference: &str) -> &str {
    reference.split_once(':').map_or(reference, |(_, id)| id)
}

/// Pairs (line, entry) that agree, and everything else.
pub(super) fn compare(rows: &[StatementRow], booked: Vec<Booked>) -> (Vec<(i64, i64)>, Vec<Found>) {
    let dates: BTreeSet<&str> = rows.iter().map(|row| row.date.as_str()).collect();
    let (first, last) = (dates.first().copied().unwrap_or(""), dates.last().copied().unwrap_or(""));
    let mut by_id: HashMap<&str, usize> = HashMap::new();
    for (k, fill) in booked.iter().enumerate() {
        by_id.insert(fill.reference.as_str(), k);
        by_id.entry(execution_id(&fill.reference)).or_insert(k);
    }
    let mut taken = vec![false; booked.len()];
    let (mut matched, mut found, mut rest) = (Vec::new(), Vec::new(), Vec::new());
    let mut pair = |row: &StatementRow, k: usize, taken: &mut Vec<bool>, found: &mut Vec<Found>| {
        taken[k] = true;
        let (line, entry) = (row.line as i64, booked[k].entry);
        match difference(row, &booked[k]) {
            None => matched.push((line, entry)),
            Some(detail) => {
                found.push(Found { line: Some(line), entry: Some(entry), kind: DiscrepancyKind::Differs, detail })
            }
        }
    };
    for row in rows {
        match row.execution.as_deref().and_then(|id| by_id.get(id)) {
            Some(&k) if !taken[k] => pair(row, k, &mut taken, &mut found),
            _ => rest.push(row),
        }
    }
    // Of what has no known id, first those that agree, so that none of them is taken by a row that does not.
    let mut by_day: BTreeMap<(&str, &str, &str), Vec<usize>> = BTreeMap::new();
    for (k, fill) in booked.iter().enumerate() {
        let key = (fill.date.as_str(), fill.fill.instrument.name.as_str(), fill.fill.side.name());
        by_day.entry(key).or_default().push(k);
    }
    for must_agree in [true, false] {
        rest.retain(|row| {
            let key = (row.date.as_str(), row.symbol.as_str(), row.side.as_str());
            let mut candidates = by_day.get(&key).into_iter().flatten();
            let agrees = |fill: &Booked| fill.fill.quantity == row.quantity && difference(row, fill).is_none();
            let fits = |k: &&usize| !taken[**k] && (!must_agree || agrees(&booked[**k]));
            let Some(&k) = candidates.find(fits) else { return true };
            pair(row, k, &mut taken, &mut found);
            false
        });
    }
    for row in rest {
        let StatementRow { date, symbol, side, quantity, price, .. } = row;
        let detail = format!("the broker tells of {date} {side} {quantity} {symbol} at {price}");
        let kind = DiscrepancyKind::MissingInLedger;
        found.push(Found { line: Some(row.line as i64), entry: None, kind, detail });
    }
    for (fill, _) in booked.iter().zip(&taken).filter(|(_, taken)| !**taken) {
        if (first..=last).contains(&fill.date.as_str()) {
            let Fill { side, quantity, instrument, price, .. } = &fill.fill;
            let (date, side, symbol) = (&fill.date, side.name(), &instrument.name);
            let detail = format!("the ledger has {date} {side} {quantity} {symbol} at {price}");
            found.push(Found { line: None, entry: Some(fill.entry), kind: DiscrepancyKind::MissingAtBroker, detail });
        }
    }
    found.sort();
    (matched, found)
}

/// What differs, in words.
fn difference(row: &StatementRow, booked: &Booked) -> Option<String> {
    let half_a_cent = Decimal::new(5, 3);
    let fill = &booked.fill;
    let mut parts = Vec::new();
    let mut part = |what: &str, broker: &dyn std::fmt::Display, ledger: &dyn std::fmt::Display| {
        parts.push(format!("{what}: broker {broker}, ledger {ledger}"));
    };
    if row.date != booked.date {
        part("date", &row.date, &booked.date);
    }
    if row.symbol != fill.instrument.name {
        part("symbol", &row.symbol, &fill.instrument.name);
    }
    if row.side != fill.side.name() {
        part("side", &row.side, &fill.side.name());
    }
    if row.quantity != fill.quantity {
        part("quantity", &row.quantity, &fill.quantity);
    }
    let units = fill.quantity * fill.instrument.kind.multiplier();
    // Both prices are within the limits of money, so that their difference times the units can only be too large.
    let value = (row.price - fill.price).abs().checked_mul(units);
    if value.is_none_or(|value| value > half_a_cent) {
        part("price", &row.price, &fill.price);
    }
    if let Some(fees) = row.fees
        && (fees - fill.charges()).abs() > half_a_cent
    {
        part("fees", &fees, &fill.charges());
    }
    if parts.is_empty() { None } else { Some(parts.join("; ")) }
}
