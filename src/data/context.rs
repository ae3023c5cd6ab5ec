//! Inputs beside the bars: volatility index, fundamentals, inverse ETFs, option quotes.

use super::DataError;
use super::chunk::Blob;
use super::clock::{Clock, date_of, is_midnight};
use super::table::Table;
use crate::market::{
    Calendar, Fundamental, Fundamentals, InverseMap, MINUTE, Nanos, OptionQuote, OptionRight, SymbolId, Vix,
    new_york_date,
};
use std::collections::BTreeMap;

/// Ids of symbols by name.
#[derive(Debug)]
pub(super) struct Symbols<'a>(pub &'a [String]);

impl Symbols<'_> {
    pub(super) fn id(&self, name: &str) -> Option<SymbolId> {
        self.0.binary_search_by(|s| s.as_str().cmp(name)).ok().map(|i| SymbolId(i as u32))
    }
}

/// Reads closes of a volatility index: `date` or `ts`, and `close` (or `vix`).
///
/// Rows of whole days carry a session's date. Other rows are the starts of bars whose length is the most
/// frequent step; they count from the end of their bar.
pub(super) fn read_vix(blob: &Blob, zone: Option<chrono_tz::Tz>) -> Result<Vix, DataError> {
    let table = Table::read(blob)?;
    let time = table.column(&["ts", "date", "timestamp", "datetime", "time"])?;
    let close = table.column(&["close", "vix", "vix_close", "value"])?;
    let mut daily: BTreeMap<chrono::NaiveDate, f64> = BTreeMap::new();
    let mut intraday: Vec<(Nanos, f64)> = Vec::new();
    for row in table.rows() {
        let (t, clock) = row.stamp(time, zone)?;
        let value = row.positive(close)?;
        let at_close = || Calendar.session(new_york_date(t)).is_some_and(|s| t == s.close);
        if clock == Clock::Date || is_midnight(t) {
            if daily.insert(date_of(t), value).is_some() {
                return Err(row.fault(format!("a second row for {}", date_of(t))));
            }
        } else if at_close() && intraday.is_empty() {
            // A day's row stamped with the end of the session.
            daily.insert(new_york_date(t), value);
        } else {
            if intraday.last().is_some_and(|last| last.0 >= t) {
                return Err(row.fault("rows must ascend in time"));
            }
            intraday.push((t, value));
        }
    }
    let mut steps: BTreeMap<Nanos, u64> = BTreeMap::new();
    for pair in intraday.windows(2) {
        *steps.entry(pair[1].0 - pair[0].0).or_default() += 1;
    }
    let length = steps.into_iter().max_by_key(|&(step, n)| (n, -step)).map_or(MINUTE, |(step, _)| step);
    for (t, _) in &mut intraday {
        *t += length;
    }
    Ok(Vix { daily: daily.into_iter().collect(), intraday })
}

/// Reads `symbol, market_cap, pe_ratio, debt_equity, exchange` and an optional `date`.
pub(super) fn read_fundamentals(blob: &Blob, symbols: &Symbols<'_>) -> Result<Fundamentals, DataError> {
    let table = Table::read(blob)?;
    let symbol = table.column(&["symbol", "ticker"])?;
    let date = table.optional(&["date", "ts"]);
    let market_cap = table.column(&["market_cap"])?;
    let pe_ratio = table.column(&["pe_ratio"])?;
    let debt_equity = table.column(&["debt_equity"])?;
    let exchange = table.optional(&["exchange"]);
    let mut out = Fundamentals::new();
    for row in table.rows() {
        let name = row.need(symbol)?;
        let fundamental = Fundamental {
            date: match date {
                Some(column) if row.text(column).is_some() => Some(row.date(column)?),
                _ => None,
            },
            market_cap: row.number(market_cap)?,
            pe_ratio: row.number(pe_ratio)?,
            debt_equity: row.number(debt_equity)?,
            exchange: exchange.and_then(|c| row.text(c)).map(String::from),
        };
        let Some(id) = symbols.id(name) else { continue };
        let rows: &mut Vec<Fundamental> = out.entry(id).or_default();
        if rows.iter().any(|r| r.date == fundamental.date) {
            return Err(row.fault(format!("a second row for {name} with the same date")));
        }
        rows.push(fundamental);
    }
    for rows in out.values_mut() {
        rows.sort_by_key(|r| r.date);
    }
    Ok(out)
}

/// Reads `symbol, etf, leverage`; `*` stands for every symbol without a row of its own. Leverage may be written
/// with or without its minus sign.
///
/// The second result names ETFs that have no bars.
pub(super) fn read_inverse(blob: &Blob, symbols: &Symbols<'_>) -> Result<(InverseMap, Vec<String>), DataError> {
    let table = Table::read(blob)?;
    let symbol = table.column(&["symbol"])?;
    let etf = table.column(&["etf", "inverse"])?;
    let leverage = table.column(&["leverage"])?;
    let mut out = InverseMap::default();
    let mut without_bars: Vec<String> = Vec::new();
    for row in table.rows() {
        let (name, etf_name) = (row.need(symbol)?, row.need(etf)?);
        let factor = row.number(leverage)?.map(f64::abs).filter(|f| *f > 0.0);
        let factor = factor.ok_or_else(|| row.fault("leverage must be a number other than 0, such as 1 or 2"))?;
        let Some(etf_id) = symbols.id(etf_name) else {
            if !without_bars.iter().any(|n| n == etf_name) {
                without_bars.push(etf_name.to_string());
            }
            continue;
        };
        let repeated = if name == "*" {
            out.default.replace((etf_id, factor)).is_some()
        } else if let Some(id) = symbols.id(name) {
            out.by_symbol.insert(id, (etf_id, factor)).is_some()
        } else {
            false
        };
        if repeated {
            return Err(row.fault(format!("a second row for {name}")));
        }
    }
    Ok((out, without_bars))
}

/// Reads `ts, symbol, expiry, strike, type, bid, ask`, ascending in time.
pub(super) fn read_options(
    blob: &Blob,
    symbols: &Symbols<'_>,
    zone: Option<chrono_tz::Tz>,
) -> Result<Vec<OptionQuote>, DataError> {
    let table = Table::read(blob)?;
    let time = table.column(&["ts", "timestamp", "datetime", "time", "date"])?;
    let symbol = table.column(&["symbol", "underlying"])?;
    let expiry = table.column(&["expiry", "expiration"])?;
    let strike = table.column(&["strike"])?;
    let right = table.column(&["type", "right"])?;
    let bid = table.column(&["bid"])?;
    let ask = table.column(&["ask"])?;
    let mut out = Vec::new();
    for row in table.rows() {
        let (t, _) = row.stamp(time, zone)?;
        let name = row.need(symbol)?;
        let right = match row.need(right)?.to_ascii_lowercase().as_str() {
            "call" | "c" => OptionRight::Call,
            "put" | "p" => OptionRight::Put,
            other => return Err(row.fault(format!("type '{other}' is neither call nor put"))),
        };
        let (bid, ask) = (row.number(bid)?.unwrap_or(0.0), row.positive(ask)?);
        if bid < 0.0 || bid > ask {
            return Err(row.fault(format!("bid {bid} must lie between 0 and ask {ask}")));
        }
        let quote = OptionQuote {
            time: t,
            symbol: SymbolId(0),
            expiry: row.date(expiry)?,
            strike: row.positive(strike)?,
            right,
            bid,
            ask,
        };
        if let Some(id) = symbols.id(name) {
            out.push(OptionQuote { symbol: id, ..quote });
        }
    }
    out.sort_by(|a: &OptionQuote, b| {
        let key = |q: &OptionQuote| (q.time, q.symbol, q.expiry, q.right == OptionRight::Put);
        key(a).cmp(&key(b)).then(a.strike.total_cmp(&b.strike))
    });
    Ok(out)
}
