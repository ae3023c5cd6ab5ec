//! When something can happen next: bars that no order can meet are never looked at.

use super::{NO_STEP, SimVenue};
use crate::market::{Nanos, SymbolId};
use crate::sim::orders::{QTY_EPSILON, Stage};
use crate::trading::{Instruments, OrderKind, Side};

impl SimVenue {
    /// Finds the next step of the day at which something can happen to the orders of an instrument.
    pub(super) fn schedule(&mut self, symbol: SymbolId, instruments: &Instruments<'_>) {
        let driver = instruments.driver(symbol);
        let market = instruments.market;
        let day = &market.days[self.day];
        let range = market.day_range(driver, self.day);
        let from = match self.step {
            Some(step) => market.ended(driver, self.day, step),
            None => range.start,
        };
        let book = self.book(symbol);
        let mut next = range.end;
        let (mut low_trigger, mut high_trigger) = (f64::NEG_INFINITY, f64::INFINITY);
        let is_put = instruments.put(symbol).is_some();
        let starts = &market.series[driver.index()].start[..range.end];
        let end_of = |i: usize| {
            let end = starts[i] + market.bar_length;
            if starts[i] < day.close { end.min(day.close) } else { end }
        };
        // Nearly always the next bar, so it is looked at first.
        let first_end_from = |t: Nanos| {
            if from >= range.end || end_of(from) >= t {
                return from;
            }
            (from + 1..range.end).find(|&i| end_of(i) >= t).unwrap_or(range.end)
        };
        for order in &book.live {
            match (order.stage, order.kind) {
                (Stage::Held | Stage::Done, _) => {}
                // An order that arrives at the end of a bar is not in it.
                (Stage::Traveling, _) => next = next.min(first_end_from(order.arrival + 1)),
                _ if order.remaining() <= QTY_EPSILON => {}
                (Stage::Market, _) | (_, OrderKind::TrailingStop { .. }) => next = next.min(from),
                _ if order.is_for_open() => next = next.min(from),
                _ if order.is_for_close() => {}
                _ if is_put => next = next.min(from),
                (Stage::Limit, OrderKind::StopLimit { limit, .. }) | (_, OrderKind::Limit { limit }) => {
                    match order.side {
                        Side::Buy => low_trigger = low_trigger.max(limit),
                        Side::Sell => high_trigger = high_trigger.min(limit),
                    }
                }
                (_, OrderKind::Stop { stop } | OrderKind::StopLimit { stop, .. }) => match order.side {
                    Side::Buy => high_trigger = high_trigger.min(stop),
                    Side::Sell => low_trigger = low_trigger.max(stop),
                },
                _ => {}
            }
        }
        let mut between_bars = NO_STEP;
        if let Some(flight) = book.in_flight.first() {
            // A cancel that arrives at the end of a bar still wins over a fill there.
            let bar = first_end_from(flight.arrival);
            next = next.min(bar);
            if bar >= range.end || starts[bar] >= flight.arrival {
                let after = self.step.map_or(day.first_step, |step| step + 1);
                let ahead = market.steps[after..day.end_step].partition_point(|&t| t < flight.arrival);
                between_bars = if after + ahead < day.end_step { after + ahead } else { NO_STEP };
            }
        }
        if low_trigger > f64::NEG_INFINITY || high_trigger < f64::INFINITY {
            let series = &market.series[driver.index()];
            let (low, high) = (&series.low[from..next], &series.high[from..next]);
            let met = low.iter().zip(high).position(|(&l, &h)| l <= low_trigger || h >= high_trigger);
            next = met.map_or(next, |k| from + k);
        }
        let step = if next >= range.end || next < from { NO_STEP } else { market.step_of_bar(driver, self.day, next) };
        self.books[symbol.index()].next = step.min(between_bars);
    }

    /// The instant up to which no bar of the instrument that is still unknown at `step` has begun: now, or the
    /// start of the bar that is running.
    pub(super) fn idle_until(&self, symbol: SymbolId, step: usize, instruments: &Instruments<'_>) -> Nanos {
        let driver = instruments.driver(symbol);
        let (now, next) = (instruments.market.steps[step], instruments.market.ended(driver, self.day, step));
        let start = instruments.market.series[driver.index()].start.get(next);
        start.map_or(now, |&start| start.min(now))
    }
}
