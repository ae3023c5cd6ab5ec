//! The bars before a session as records of its journal. Columns are the bytes of their numbers in little-endian
//! order, in base 64: exact, NaN included, and a third of the size of decimals.

use crate::market::{Bars, Nanos, Quotes};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Most bars in one record.
const CHUNK: usize = 8_192;

/// Consecutive bars of one symbol.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryChunk {
    symbol: u32,
    start: String,
    /// Open, high, low, close, volume.
    bars: [String; 5],
    /// Bid open, high, low, close, then ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    quotes: Option<[String; 8]>,
}

/// The series as records, symbol by symbol.
pub(super) fn chunks(series: &[(String, Bars)]) -> Vec<HistoryChunk> {
    let mut out = Vec::new();
    for (k, (_, bars)) in series.iter().enumerate() {
        for from in (0..bars.len()).step_by(CHUNK) {
            let range = from..(from + CHUNK).min(bars.len());
            let text = |column: &[f64]| encode(column[range.clone()].iter().map(|v| v.to_bits().to_le_bytes()));
            out.push(HistoryChunk {
                symbol: k as u32,
                start: encode(bars.start[range.clone()].iter().map(|v| v.to_le_bytes())),
                bars: [&bars.open, &bars.high, &bars.low, &bars.close, &bars.volume].map(|column| text(column)),
                quotes: bars.quotes.as_ref().map(|quotes| columns(quotes).map(|column| text(column))),
            });
        }
    }
    out
}

/// The series of `symbols` from their records.
///
/// # Errors
/// Records that do not fit together, in words.
pub(super) fn series(symbols: &[String], chunks: &[HistoryChunk]) -> Result<Vec<(String, Bars)>, String> {
    let mut all: Vec<(String, Bars)> = symbols.iter().map(|name| (name.clone(), Bars::default())).collect();
    for chunk in chunks {
        let Some((name, bars)) = all.get_mut(chunk.symbol as usize) else {
            return Err(format!("symbol {} of {}", chunk.symbol, symbols.len()));
        };
        let start: Vec<Nanos> = decode(&chunk.start, Nanos::from_le_bytes)?;
        let count = start.len();
        let ascending = start.is_sorted_by(|a, b| a < b) && bars.start.last() < start.first();
        if count == 0 || !ascending {
            return Err(format!("{name}: times are not ascending"));
        }
        let column = |text: &str| -> Result<Vec<f64>, String> {
            let values = decode(text, |bytes| f64::from_bits(u64::from_le_bytes(bytes)))?;
            if values.len() == count { Ok(values) } else { Err(format!("{name}: columns differ in length")) }
        };
        let [open, high, low, close, volume] = &chunk.bars;
        Arc::make_mut(&mut bars.start).extend(start);
        for (to, text) in [
            (&mut bars.open, open),
            (&mut bars.high, high),
            (&mut bars.low, low),
            (&mut bars.close, close),
            (&mut bars.volume, volume),
        ] {
            to.extend(column(text)?);
        }
        if bars.len() > count && bars.quotes.is_some() != chunk.quotes.is_some() {
            return Err(format!("{name}: only a part has quotes"));
        }
        if let Some(texts) = &chunk.quotes {
            let quotes = bars.quotes.get_or_insert_default();
            let to = [
                &mut quotes.bid_open,
                &mut quotes.bid_high,
                &mut quotes.bid_low,
                &mut quotes.bid_close,
                &mut quotes.ask_open,
                &mut quotes.ask_high,
                &mut quotes.ask_low,
                &mut quotes.ask_close,
            ];
            for (to, text) in to.into_iter().zip(texts) {
                to.extend(column(text)?);
            }
        }
    }
    Ok(all)
}

fn columns(quotes: &Quotes) -> [&Vec<f64>; 8] {
    [
        &quotes.bid_open,
        &quotes.bid_high,
        &quotes.bid_low,
        &quotes.bid_close,
        &quotes.ask_open,
        &quotes.ask_high,
        &quotes.ask_low,
        &quotes.ask_close,
    ]
}

fn encode(words: impl Iterator<Item = [u8; 8]>) -> String {
    STANDARD.encode(words.flatten().collect::<Vec<u8>>())
}

fn decode<T>(text: &str, word: impl Fn([u8; 8]) -> T) -> Result<Vec<T>, String> {
    let bytes = STANDARD.decode(text).map_err(|error| format!("not base 64: {error}"))?;
    let (words, rest) = bytes.as_chunks::<8>();
    if rest.is_empty() { Ok(words.iter().map(|w| word(*w)).collect()) } else { Err("not whole numbers".to_string()) }
}
