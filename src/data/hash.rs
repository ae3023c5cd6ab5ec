//! The fingerprint of the values a run uses.
//!
//! Hashed are symbols, bar starts, columns and the inputs beside the bars, in one canonical layout: numbers as
//! little-endian 64-bit words, texts with their length before them. Bytes, order and format of the files do not
//! enter, so the same bars from CSV and Parquet have the same hash.

use crate::market::{ActionKind, Bars, MarketParts, Nanos, OptionRight};
use blake3::Hasher;
use rayon::prelude::*;
use std::collections::HashMap;
use std::sync::Arc;

/// Changes with the layout below.
const VERSION: &str = "tradebot-data-1";

/// Digest of bar starts.
pub(super) fn times(times: &[Nanos]) -> [u8; 32] {
    let mut hasher = Hasher::new();
    integers(&mut hasher, times);
    *hasher.finalize().as_bytes()
}

/// The hash of the values of a market, hexadecimal; the `data_hash` of the parts themselves does not enter.
pub fn data_hash(parts: &MarketParts) -> String {
    // Series with the same times share them: hash each distinct vector once. The map is only looked up by key.
    let mut distinct: HashMap<usize, [u8; 32]> = HashMap::new();
    for (_, bars) in &parts.series {
        distinct.entry(address(&bars.start)).or_insert_with(|| times(&bars.start));
    }
    let digests: Vec<blake3::Hash> =
        parts.series.par_iter().map(|(symbol, bars)| series(symbol, bars, &distinct[&address(&bars.start)])).collect();
    let mut hasher = Hasher::new();
    text(&mut hasher, VERSION);
    integers(&mut hasher, &[parts.bar_length, i64::from(parts.extended_hours), digests.len() as i64]);
    for digest in &digests {
        hasher.update(digest.as_bytes());
    }
    context(&mut hasher, parts);
    hasher.finalize().to_hex().to_string()
}

/// Tells shared vectors from others.
fn address(times: &Arc<Vec<Nanos>>) -> usize {
    Arc::as_ptr(times) as usize
}

fn series(symbol: &str, bars: &Bars, times: &[u8; 32]) -> blake3::Hash {
    let mut hasher = Hasher::new();
    text(&mut hasher, symbol);
    integers(&mut hasher, &[bars.len() as i64]);
    hasher.update(times);
    for column in [&bars.open, &bars.high, &bars.low, &bars.close, &bars.volume] {
        numbers(&mut hasher, column);
    }
    if let Some(q) = &bars.quotes {
        text(&mut hasher, "quotes");
        for column in
            [&q.bid_open, &q.bid_high, &q.bid_low, &q.bid_close, &q.ask_open, &q.ask_high, &q.ask_low, &q.ask_close]
        {
            numbers(&mut hasher, column);
        }
    }
    hasher.finalize()
}

/// Actions, volatility index, fundamentals, inverse ETFs, option quotes.
fn context(hasher: &mut Hasher, parts: &MarketParts) {
    text(hasher, "actions");
    for action in &parts.actions {
        let (kind, value) = match action.kind {
            ActionKind::Split { ratio } => (0, ratio),
            ActionKind::Dividend { amount } => (1, amount),
        };
        text(hasher, &action.date.to_string());
        integers(hasher, &[i64::from(action.symbol.0), kind]);
        numbers(hasher, &[value]);
    }
    if let Some(vix) = &parts.vix {
        text(hasher, "vix");
        for (date, close) in &vix.daily {
            text(hasher, &date.to_string());
            numbers(hasher, &[*close]);
        }
        for (time, close) in &vix.intraday {
            integers(hasher, &[*time]);
            numbers(hasher, &[*close]);
        }
    }
    if let Some(fundamentals) = &parts.fundamentals {
        text(hasher, "fundamentals");
        for (symbol, rows) in fundamentals {
            for row in rows {
                integers(hasher, &[i64::from(symbol.0)]);
                text(hasher, &row.date.map(|d| d.to_string()).unwrap_or_default());
                for value in [row.market_cap, row.pe_ratio, row.debt_equity] {
                    integers(hasher, &[i64::from(value.is_some())]);
                    numbers(hasher, &[value.unwrap_or(0.0)]);
                }
                text(hasher, row.exchange.as_deref().unwrap_or_default());
            }
        }
    }
    if let Some(inverse) = &parts.inverse {
        text(hasher, "inverse");
        let default = inverse.default.iter().map(|(etf, leverage)| (u32::MAX, etf.0, *leverage));
        let named = inverse.by_symbol.iter().map(|(symbol, (etf, leverage))| (symbol.0, etf.0, *leverage));
        for (symbol, etf, leverage) in named.chain(default) {
            integers(hasher, &[i64::from(symbol), i64::from(etf)]);
            numbers(hasher, &[leverage]);
        }
    }
    if !parts.options.is_empty() {
        text(hasher, "options");
        for quote in &parts.options {
            let right = i64::from(quote.right == OptionRight::Put);
            integers(hasher, &[quote.time, i64::from(quote.symbol.0), right]);
            text(hasher, &quote.expiry.to_string());
            numbers(hasher, &[quote.strike, quote.bid, quote.ask]);
        }
    }
}

fn text(hasher: &mut Hasher, text: &str) {
    hasher.update(&(text.len() as u64).to_le_bytes());
    hasher.update(text.as_bytes());
}

fn integers(hasher: &mut Hasher, values: &[i64]) {
    if cfg!(target_endian = "little") {
        hasher.update(bytemuck::cast_slice(values));
    } else {
        for value in values {
            hasher.update(&value.to_le_bytes());
        }
    }
}

fn numbers(hasher: &mut Hasher, values: &[f64]) {
    if cfg!(target_endian = "little") {
        hasher.update(bytemuck::cast_slice(values));
    } else {
        for value in values {
            hasher.update(&value.to_le_bytes());
        }
    }
}
