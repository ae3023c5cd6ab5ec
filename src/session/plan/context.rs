//! What is known beside the bars, as it is written to the journal.

use crate::market::{
    ActionKind, Bars, CorporateAction, DataQuality, Fundamental, Fundamentals, InverseMap, MarketParts, Nanos,
    OptionQuote, OptionRight, SymbolId, Vix, format_date, parse_date,
};
use serde::{Deserialize, Serialize};

/// Everything of a market but its bars. Dates are `YYYY-MM-DD`, symbols indices.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Context {
    name: String,
    /// Nanoseconds.
    bar_length: Nanos,
    symbols: Vec<String>,
    data_hash: String,
    actions: Vec<Action>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    vix: Option<VixRows>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fundamentals: Option<Vec<Company>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    inverse: Option<Inverse>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    options: Vec<Quote>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Action {
    date: String,
    symbol: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    split: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dividend: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct VixRows {
    daily: Vec<(String, f64)>,
    intraday: Vec<(Nanos, f64)>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Company {
    symbol: u32,
    date: Option<String>,
    market_cap: Option<f64>,
    pe_ratio: Option<f64>,
    debt_equity: Option<f64>,
    exchange: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Inverse {
    /// Signal symbol, ETF, leverage.
    by_symbol: Vec<(u32, u32, f64)>,
    default: Option<(u32, f64)>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Quote {
    time: Nanos,
    symbol: u32,
    expiry: String,
    strike: f64,
    call: bool,
    bid: f64,
    ask: f64,
}

impl Context {
    pub fn new(parts: &MarketParts) -> Context {
        let action = |a: &CorporateAction| {
            let (split, dividend) = match a.kind {
                ActionKind::Split { ratio } => (Some(ratio), None),
                ActionKind::Dividend { amount } => (None, Some(amount)),
            };
            Action { date: format_date(a.date), symbol: a.symbol.0, split, dividend }
        };
        let company = |symbol: SymbolId, row: &Fundamental| Company {
            symbol: symbol.0,
            date: row.date.map(format_date),
            market_cap: row.market_cap,
            pe_ratio: row.pe_ratio,
            debt_equity: row.debt_equity,
            exchange: row.exchange.clone(),
        };
        let quote = |q: &OptionQuote| Quote {
            time: q.time,
            symbol: q.symbol.0,
            expiry: format_date(q.expiry),
            strike: q.strike,
            call: q.right == OptionRight::Call,
            bid: q.bid,
            ask: q.ask,
        };
        let companies = |all: &Fundamentals| {
            all.iter().flat_map(|(symbol, rows)| rows.iter().map(|row| company(*symbol, row))).collect()
        };
        Context {
            name: parts.name.clone(),
            bar_length: parts.bar_length,
            symbols: parts.series.iter().map(|(name, _)| name.clone()).collect(),
            data_hash: parts.data_hash.clone(),
            actions: parts.actions.iter().map(action).collect(),
            vix: parts.vix.as_ref().map(|vix| VixRows {
                daily: vix.daily.iter().map(|(date, close)| (format_date(*date), *close)).collect(),
                intraday: vix.intraday.clone(),
            }),
            fundamentals: parts.fundamentals.as_ref().map(companies),
            inverse: parts.inverse.as_ref().map(|map| Inverse {
                by_symbol: map.by_symbol.iter().map(|(s, (etf, leverage))| (s.0, etf.0, *leverage)).collect(),
                default: map.default.map(|(etf, leverage)| (etf.0, leverage)),
            }),
            options: parts.options.iter().map(quote).collect(),
        }
    }

    pub fn symbols(&self) -> &[String] {
        &self.symbols
    }

    pub fn data_hash(&self) -> &str {
        &self.data_hash
    }

    /// The parts of a market with these series.
    ///
    /// # Errors
    /// What is not a date or a symbol, in words.
    pub fn parts(&self, series: Vec<(String, Bars)>) -> Result<MarketParts, String> {
        let date = |text: &str| parse_date(text).map_err(|error| error.to_string());
        let symbol = |index: u32| {
            if (index as usize) < self.symbols.len() {
                Ok(SymbolId(index))
            } else {
                Err(format!("symbol {index} of {}", self.symbols.len()))
            }
        };
        if !self.symbols.is_sorted_by(|a, b| a < b) || self.bar_length <= 0 {
            return Err("symbols must be sorted and bars have a length".to_string());
        }
        let mut actions = Vec::new();
        for action in &self.actions {
            let kind = match (action.split, action.dividend) {
                (Some(ratio), None) => ActionKind::Split { ratio },
                (None, Some(amount)) => ActionKind::Dividend { amount },
                _ => return Err("an action is a split or a dividend".to_string()),
            };
            actions.push(CorporateAction { date: date(&action.date)?, symbol: symbol(action.symbol)?, kind });
        }
        let vix = match &self.vix {
            None => None,
            Some(rows) => {
                let daily: Result<Vec<_>, String> =
                    rows.daily.iter().map(|(text, close)| Ok((date(text)?, *close))).collect();
                Some(Vix { daily: daily?, intraday: rows.intraday.clone() })
            }
        };
        let fundamentals = match &self.fundamentals {
            None => None,
            Some(rows) => {
                let mut all = Fundamentals::new();
                for row in rows {
                    all.entry(symbol(row.symbol)?).or_default().push(Fundamental {
                        date: row.date.as_deref().map(date).transpose()?,
                        market_cap: row.market_cap,
                        pe_ratio: row.pe_ratio,
                        debt_equity: row.debt_equity,
                        exchange: row.exchange.clone(),
                    });
                }
                Some(all)
            }
        };
        let inverse = match &self.inverse {
            None => None,
            Some(map) => {
                let mut inverse = InverseMap::default();
                for (signal, etf, leverage) in &map.by_symbol {
                    inverse.by_symbol.insert(symbol(*signal)?, (symbol(*etf)?, *leverage));
                }
                if let Some((etf, leverage)) = map.default {
                    inverse.default = Some((symbol(etf)?, leverage));
                }
                Some(inverse)
            }
        };
        let mut options = Vec::new();
        for quote in &self.options {
            options.push(OptionQuote {
                time: quote.time,
                symbol: symbol(quote.symbol)?,
                expiry: date(&quote.expiry)?,
                strike: quote.strike,
                right: if quote.call { OptionRight::Call } else { OptionRight::Put },
                bid: quote.bid,
                ask: quote.ask,
            });
        }
        Ok(MarketParts {
            name: self.name.clone(),
            bar_length: self.bar_length,
            series,
            extended_hours: false,
            actions,
            vix,
            fundamentals,
            inverse,
            options,
            quality: DataQuality::default(),
            data_hash: self.data_hash.clone(),
            notes: Vec::new(),
        })
    }
}
