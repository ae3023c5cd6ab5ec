//! Where an order fills and how far it slips: computed as needed, or once for many runs over the same bars.

use crate::backtest::RunConfig;
use crate::market::{Bar, Market, Nanos, SymbolId};
use crate::sim::random::symbol_key;
use crate::sim::{FillRule, Path, SimRules, nearer_is_low};
use crate::trading::{Side, SignalChange, highest, lowest};
use std::ops::Range;

/// Most draws that are made in advance.
const MOST_DRAWS: usize = 1 << 17;

/// Prices on the path and random draws of the only symbol of a market, under the rules of a run.
#[derive(Debug)]
pub(in crate::backtest) struct FillPrices {
    rules: SimRules,
    draw_key: u64,
    /// Lowest and highest close of each day; empty: not known in advance.
    day_closes: Vec<(f64, f64)>,
    /// By bar: prices of an order that was decided at the end of the bar before, under both orders of extremes.
    /// Empty: computed as needed.
    raw: Vec<[f64; 2]>,
    /// By number of the order.
    draws: Vec<f64>,
}

impl FillPrices {
    /// For one run, with draws for `orders` orders.
    pub fn new(market: &Market, config: &RunConfig, orders: usize) -> FillPrices {
        let mut prices = FillPrices {
            rules: config.rules.clone(),
            draw_key: symbol_key(config.rules.seed, &market.symbols[0]),
            day_closes: Vec::new(),
            raw: Vec::new(),
            draws: Vec::new(),
        };
        // Together, since the processor then works on several at a time.
        prices.draws = (0..orders.min(MOST_DRAWS) as u32).map(|number| prices.draw(number)).collect();
        prices
    }

    /// For many runs: also the prices of all bars are computed now.
    pub fn shared(market: &Market, config: &RunConfig) -> FillPrices {
        let mut prices = FillPrices::new(market, config, market.steps.len());
        let close = &market.series[0].close;
        let days = (0..market.days.len()).map(|day| lowest_and_highest(&close[market.day_range(SymbolId(0), day)]));
        prices.day_closes = days.collect();
        if !prices.rules.fill.is_immediate() {
            let mut raw = Vec::with_capacity(market.steps.len());
            for day in 0..market.days.len() {
                raw.extend(market.day_range(SymbolId(0), day).map(|bar| match bar.checked_sub(1) {
                    Some(before) => {
                        let arrival = market.steps[before] + prices.latency();
                        on_path(market, day, bar, &market.series[0].bar(bar), arrival)
                    }
                    // No order can have been decided before the first bar.
                    None => [f64::NAN; 2],
                }));
            }
            prices.raw = raw;
        }
        prices
    }

    fn latency(&self) -> Nanos {
        if self.rules.fill.ignores_latency() { 0 } else { self.rules.latency }
    }

    /// Prices before slippage of the orders that changes of a signal lead to, in their order: as
    /// [`FillPrices::raw`] gives one by one. Empty where a table of all bars is there, or no path is walked.
    pub fn of_changes(&self, market: &Market, changes: &[SignalChange]) -> Vec<[f64; 2]> {
        if !self.raw.is_empty() || self.rules.fill.is_immediate() {
            return Vec::new();
        }
        // First the bars alone, in a loop so short that the processor fetches many of them at a time.
        let series = &market.series[0];
        let bars: Vec<[f64; 4]> = (changes.iter().map(|change| change.bar as usize + 1))
            .map(|bar| match series.open.get(bar) {
                Some(&open) => [open, series.high[bar], series.low[bar], series.close[bar]],
                None => [f64::NAN; 4],
            })
            .collect();
        let mut day = 0;
        let mut price_of = |(change, &[open, high, low, close]): (&SignalChange, &[f64; 4])| {
            let (before, bar) = (change.bar as usize, change.bar as usize + 1);
            while market.days.get(day).is_some_and(|d| before >= d.end_step) {
                day += 1;
            }
            let next = day + usize::from(bar == market.days[day].end_step);
            if next == market.days.len() {
                return [f64::NAN; 2];
            }
            let bar_prices = Bar { open, high, low, close, volume: f64::NAN };
            on_path(market, next, bar, &bar_prices, market.time_of(day, before) + self.latency())
        };
        changes.iter().zip(&bars).map(&mut price_of).collect()
    }

    /// Lowest and highest of some closes of a day, or of all of them where that is known.
    pub fn closes(&self, market: &Market, day: usize, bars: Range<usize>) -> (f64, f64) {
        let known = self.day_closes.get(day).copied();
        known.unwrap_or_else(|| lowest_and_highest(&market.series[0].close[bars]))
    }

    /// Slippage of an order, percent.
    pub fn draw(&self, number: u32) -> f64 {
        match self.draws.get(number as usize) {
            Some(&draw) => draw,
            None => self.rules.slippage.draw(self.draw_key, number),
        }
    }

    /// Prices before slippage, in bar `bar` of `day`, of an order that was decided at the end of the bar before
    /// (under `close` and `quote`: of this bar): under the order of extremes of the rule `path`, and the other.
    pub fn raw(&self, market: &Market, day: usize, bar: usize, arrival: Nanos, side: Side) -> [f64; 2] {
        if let Some(raw) = self.raw.get(bar) {
            return *raw;
        }
        let series = &market.series[0];
        match (self.rules.fill, &series.quotes, side) {
            (FillRule::Quote, Some(quotes), Side::Buy) => [quotes.ask_close[bar]; 2],
            (FillRule::Quote, Some(quotes), Side::Sell) => [quotes.bid_close[bar]; 2],
            (FillRule::Close | FillRule::Quote, ..) => [series.close[bar]; 2],
            _ => on_path(market, day, bar, &series.bar(bar), arrival),
        }
    }
}

/// Prices of a bar at an instant, under both orders of extremes.
fn on_path(market: &Market, day: usize, bar: usize, prices: &Bar, time: Nanos) -> [f64; 2] {
    let (start, end) = (start_of(market, day, bar), market.time_of(day, bar));
    let low_first = nearer_is_low(prices);
    let path = Path::new(prices, start, end, low_first);
    let position = path.position(time);
    [path.price(position), Path::new(prices, start, end, !low_first).price(position)]
}

fn lowest_and_highest(values: &[f64]) -> (f64, f64) {
    (lowest(values, f64::INFINITY), highest(values, f64::NEG_INFINITY))
}

/// Start of a bar of the only symbol.
#[inline]
pub(super) fn start_of(market: &Market, day: usize, bar: usize) -> Nanos {
    // Bars that follow each other without gap begin where the one before ends.
    let d = &market.days[day];
    if d.even_from.is_some() && bar > d.first_step { market.time_of(day, bar - 1) } else { market.series[0].start[bar] }
}
