//! The price panel: an overview of every traded symbol and every bar of the days on which it traded.

use super::decimate::buckets;
use super::sessions::Dates;
use crate::backtest::store::TradeRow;
use crate::market::{Nanos, SECOND, format_date};
use chrono::NaiveDate;
use serde::Serialize;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

/// Bars of one symbol, for the price panel of a report: the market's own columns, which are not copied. All
/// columns have the same length.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PriceSeries<'a> {
    pub symbol: String,
    /// Start of each bar, ascending.
    pub times: Cow<'a, [Nanos]>,
    pub open: Cow<'a, [f64]>,
    pub high: Cow<'a, [f64]>,
    pub low: Cow<'a, [f64]>,
    pub close: Cow<'a, [f64]>,
}

/// Symbols in the panel at most: those with the most trades.
const MOST_SYMBOLS: usize = 120;
/// Candles of all overviews together.
const OVERVIEW_CANDLES: usize = 24_000;
/// Candles of one overview.
const OVERVIEW_OF_ONE: Range<usize> = 200..2_400;
/// Candles of all days together.
const DAY_CANDLES: usize = 70_000;
/// Bars in one candle of a day, in order of preference.
const DAY_FACTORS: [usize; 8] = [1, 2, 3, 5, 10, 15, 30, 60];
/// Prices are sent as whole multiples of 1/10000 dollar.
const PRICE_SCALE: f64 = 10_000.0;

/// What the price panel draws.
#[derive(Debug, Default, Serialize)]
pub struct PricePanel {
    pub scale: f64,
    /// Bars in one candle of a day.
    pub bars_per_candle: usize,
    pub symbols: Vec<SymbolPrices>,
    /// Traded symbols that are left out.
    #[serde(skip)]
    pub left_out: usize,
}

/// One symbol of the panel.
#[derive(Debug, Serialize)]
pub struct SymbolPrices {
    pub symbol: String,
    pub trades: usize,
    pub overview: Candles,
    /// Days with an entry or exit; none when the overview already shows every bar.
    pub days: Vec<DayPrices>,
}

/// The bars of one day.
#[derive(Debug, Serialize)]
pub struct DayPrices {
    pub date: String,
    pub candles: Candles,
}

/// Candles as small differences, so that JSON stays short: seconds since the candle before; open and close
/// since the close before; high above and low below the body.
#[derive(Debug, Default, PartialEq, Serialize)]
pub struct Candles {
    pub t: Vec<i64>,
    pub o: Vec<i64>,
    pub h: Vec<i64>,
    pub l: Vec<i64>,
    pub c: Vec<i64>,
}

impl PricePanel {
    /// Picks what to draw of `prices` for `trades`; `None` when no traded symbol has prices.
    pub fn new(prices: &[PriceSeries<'_>], trades: &[TradeRow]) -> Option<PricePanel> {
        let mut by_symbol: BTreeMap<&str, Vec<&TradeRow>> = BTreeMap::new();
        for trade in trades {
            by_symbol.entry(&trade.symbol).or_default().push(trade);
        }
        let traded = by_symbol.len();
        let mut chosen: Vec<(&PriceSeries<'_>, Vec<&TradeRow>)> = prices
            .iter()
            .filter(|series| !series.times.is_empty())
            .filter_map(|series| by_symbol.remove(series.symbol.as_str()).map(|trades| (series, trades)))
            .collect();
        chosen.sort_by(|a, b| b.1.len().cmp(&a.1.len()).then_with(|| a.0.symbol.cmp(&b.0.symbol)));
        chosen.truncate(MOST_SYMBOLS);
        if chosen.is_empty() {
            return None;
        }

        let overview = (OVERVIEW_CANDLES / chosen.len()).clamp(OVERVIEW_OF_ONE.start, OVERVIEW_OF_ONE.end);
        let days: Vec<Vec<(NaiveDate, Range<usize>)>> = chosen
            .iter()
            .map(
                |(series, trades)| {
                    if series.times.len() <= overview { Vec::new() } else { traded_days(series, trades) }
                },
            )
            .collect();
        let candles = |factor: usize| -> usize { days.iter().flatten().map(|(_, r)| r.len().div_ceil(factor)).sum() };
        let factor = DAY_FACTORS.into_iter().find(|&factor| candles(factor) <= DAY_CANDLES);
        let left_out = traded - chosen.len();
        let symbols = chosen
            .into_iter()
            .zip(days)
            .map(|((series, trades), days)| SymbolPrices {
                symbol: series.symbol.clone(),
                trades: trades.len(),
                overview: candles_of(series, buckets(series.times.len(), overview)),
                days: match factor {
                    Some(factor) => days
                        .into_iter()
                        .map(|(date, range)| DayPrices {
                            date: format_date(date),
                            candles: candles_of(series, chunks(range, factor)),
                        })
                        .collect(),
                    None => Vec::new(),
                },
            })
            .collect();
        Some(PricePanel { scale: PRICE_SCALE, bars_per_candle: factor.unwrap_or(0), symbols, left_out })
    }
}

/// The bars of every New York date with an entry or exit.
fn traded_days(series: &PriceSeries<'_>, trades: &[&TradeRow]) -> Vec<(NaiveDate, Range<usize>)> {
    let mut dates = Dates::new();
    let mut days: Vec<(NaiveDate, Range<usize>)> = Vec::new();
    for (i, &t) in series.times.iter().enumerate() {
        let date = dates.at(t);
        match days.last_mut() {
            Some((last, range)) if *last == date => range.end = i + 1,
            _ => days.push((date, i..i + 1)),
        }
    }
    let mut traded = vec![false; days.len()];
    for trade in trades {
        for t in [trade.entry_ts.0, trade.exit_ts.0] {
            if let Ok(day) = days.binary_search_by_key(&crate::market::new_york_date(t), |d| d.0) {
                traded[day] = true;
            }
        }
    }
    days.into_iter().zip(traded).filter(|(_, traded)| *traded).map(|(day, _)| day).collect()
}

fn chunks(range: Range<usize>, size: usize) -> impl Iterator<Item = Range<usize>> {
    range.clone().step_by(size).map(move |from| from..(from + size).min(range.end))
}

/// One candle a range of bars: first open, highest high, lowest low, last close.
fn candles_of(series: &PriceSeries<'_>, ranges: impl Iterator<Item = Range<usize>>) -> Candles {
    let whole = |price: f64| (price * PRICE_SCALE).round() as i64;
    let mut out = Candles::default();
    let (mut last_time, mut last_close) = (0, 0);
    for range in ranges {
        let time = series.times[range.start].div_euclid(SECOND);
        let open = whole(series.open[range.start]);
        let close = whole(series.close[range.end - 1]);
        let high = series.high[range.clone()].iter().copied().fold(f64::MIN, f64::max);
        let low = series.low[range].iter().copied().fold(f64::MAX, f64::min);
        out.t.push(time - last_time);
        out.o.push(open - last_close);
        out.c.push(close - last_close);
        out.h.push(whole(high) - open.max(close));
        out.l.push(open.min(close) - whole(low));
        (last_time, last_close) = (time, close);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backtest::store::FileTime;
    use crate::market::{DAY, MINUTE, parse_time};

    fn series(symbol: &str, days: i64, bars: i64) -> PriceSeries<'static> {
        let start = parse_time("2024-07-01T13:30:00Z").unwrap();
        let times: Vec<Nanos> = (0..days).flat_map(|d| (0..bars).map(move |b| start + d * DAY + b * MINUTE)).collect();
        let wave: Vec<f64> = (0..times.len()).map(|i| 100.0 + (i % 97) as f64 / 10.0).collect();
        PriceSeries {
            symbol: symbol.to_string(),
            open: wave.clone().into(),
            high: wave.iter().map(|p| p + 0.5).collect(),
            low: wave.iter().map(|p| p - 0.25).collect(),
            close: wave.iter().map(|p| p + 0.1).collect(),
            times: times.into(),
        }
    }

    fn trade(symbol: &str, entry: Nanos, exit: Nanos) -> TradeRow {
        TradeRow {
            symbol: symbol.to_string(),
            strategy: "open".to_string(),
            side: "buy".to_string(),
            qty: 1.0,
            entry_ts: FileTime(entry),
            entry_price: 100.0,
            exit_ts: FileTime(exit),
            exit_price: 101.0,
            pnl: 1.0,
            commission: 0.0,
            slippage: 0.0,
            bars_held: 5,
            mae: 0.0,
            mfe: 1.0,
            reason: "stop".to_string(),
        }
    }

    #[test]
    fn only_traded_symbols_and_traded_days_are_sent() {
        let prices = [series("AAA", 20, 390), series("BBB", 20, 390)];
        let entry = prices[0].times[390 * 3 + 10];
        let panel = PricePanel::new(&prices, &[trade("AAA", entry, entry + DAY)]).unwrap();
        assert_eq!(panel.symbols.len(), 1);
        assert_eq!(panel.bars_per_candle, 1);
        let days: Vec<&str> = panel.symbols[0].days.iter().map(|d| d.date.as_str()).collect();
        assert_eq!(days, ["2024-07-04", "2024-07-05"]);
        assert_eq!(panel.symbols[0].days[0].candles.t.len(), 390);
    }

    #[test]
    fn short_series_are_whole_and_need_no_days() {
        let prices = [series("AAA", 300, 1)];
        let panel = PricePanel::new(&prices, &[trade("AAA", prices[0].times[3], prices[0].times[9])]).unwrap();
        assert_eq!(panel.symbols[0].overview.t.len(), 300);
        assert!(panel.symbols[0].days.is_empty());
    }

    #[test]
    fn the_overview_keeps_the_extremes() {
        let mut one = series("AAA", 60, 390);
        one.high.to_mut()[12_345] = 500.0;
        one.low.to_mut()[6_789] = 1.0;
        let panel = PricePanel::new(&[one.clone()], &[trade("AAA", one.times[0], one.times[9])]).unwrap();
        let c = &panel.symbols[0].overview;
        assert!(c.t.len() <= OVERVIEW_OF_ONE.end);
        let (mut close, mut highest, mut lowest) = (0, i64::MIN, i64::MAX);
        for i in 0..c.t.len() {
            let open = close + c.o[i];
            close += c.c[i];
            highest = highest.max(open.max(close) + c.h[i]);
            lowest = lowest.min(open.min(close) - c.l[i]);
        }
        assert_eq!((highest, lowest), (5_000_000, 10_000));
    }

    #[test]
    fn a_year_of_many_symbols_stays_within_its_budget() {
        let prices: Vec<PriceSeries> = (0..40).map(|k| series(&format!("S{k:02}"), 60, 390)).collect();
        let trades: Vec<TradeRow> = prices
            .iter()
            .flat_map(|p| (0..60).map(|d| trade(&p.symbol, p.times[d * 390 + 5], p.times[d * 390 + 50])))
            .collect();
        let panel = PricePanel::new(&prices, &trades).unwrap();
        let days: usize = panel.symbols.iter().flat_map(|s| &s.days).map(|d| d.candles.t.len()).sum();
        assert!(days > 0 && days <= DAY_CANDLES, "{days}");
        assert!(panel.bars_per_candle > 1);
    }

    #[test]
    fn no_prices_no_panel() {
        assert!(PricePanel::new(&[], &[trade("AAA", 0, 1)]).is_none());
        assert!(PricePanel::new(&[series("BBB", 1, 5)], &[trade("AAA", 0, 1)]).is_none());
    }
}
