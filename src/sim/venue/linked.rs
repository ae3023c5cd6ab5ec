//! Bars of several instruments whose orders share a one-cancels-other group. They run side by side, so that a
//! fill in one reduces the others at its instant. Rare, so this file is written for clearness, not for speed.

use super::{SimVenue, fills_differ, mark_different, value_at_close};
use crate::market::{Bar, Nanos, SymbolId};
use crate::sim::matching::{BarConditions, Lane};
use crate::sim::orders::Outcome;
use crate::sim::path::{Path, nearer_is_low};
use crate::trading::Instruments;

/// A bar with its index and span.
type Span = (Bar, usize, Nanos, Nanos);

/// One instrument of a trial.
#[derive(Debug)]
struct Entry {
    symbol: SymbolId,
    /// `None`: no bar of it ends at this step.
    bar: Option<Span>,
    low_first: bool,
    lane: Lane,
}

/// The instruments of the last trial.
#[derive(Debug, Default)]
pub(super) struct Trial {
    entries: Vec<Entry>,
}

/// What one run of a trial came to.
struct Run {
    outs: Vec<Vec<Outcome>>,
    /// What its fills are worth at the closes.
    value: f64,
}

impl SimVenue {
    /// Tries the bars that end at `step` in all linked instruments together. As for a single instrument, each
    /// bar is tried under both orders of its extremes, one symbol after the other; symbols whose turn has not
    /// come are under the rule `path`.
    pub(super) fn try_linked(&mut self, step: usize, instruments: &Instruments<'_>) {
        let mut entries = std::mem::take(&mut self.linked.entries);
        entries.clear();
        for k in 0..self.touched.len() {
            let symbol = self.touched[k];
            if self.book(symbol).linked {
                let bar = self.bar_at(symbol, step, instruments);
                let low_first = bar.as_ref().is_some_and(|(bar, ..)| nearer_is_low(bar));
                entries.push(Entry { symbol, bar, low_first, lane: Lane::default() });
            }
        }
        let mut base = self.run_side_by_side(&mut entries, step, instruments);
        for k in 0..entries.len() {
            let bar = entries[k].bar.map_or(usize::MAX, |(_, i, ..)| i);
            let symbol = entries[k].symbol;
            self.books[symbol.index()].pending.start(bar, false, [0.0; 2]);
            if entries[k].bar.is_none() {
                continue;
            }
            entries[k].low_first = !entries[k].low_first;
            let other = self.run_side_by_side(&mut entries, step, instruments);
            let equity = [base.value, other.value];
            let differs = base.outs.iter().zip(&other.outs).any(|(a, b)| fills_differ(a, b));
            let pending = &mut self.books[symbol.index()].pending;
            pending.start(bar, differs, equity);
            if differs {
                for (a, b) in base.outs.iter().zip(&other.outs) {
                    mark_different(a, b, &mut pending.ambiguous);
                }
            }
            if self.choose(differs, equity) == 1 {
                base = other;
            } else {
                entries[k].low_first = !entries[k].low_first;
            }
        }
        // The lanes hold the last trial, which need not be the chosen one.
        self.run_side_by_side(&mut entries, step, instruments);
        for entry in &entries {
            let bar = entry.bar.map_or(0, |(_, i, ..)| i as u32);
            self.outcomes.extend(entry.lane.out.iter().map(|o| (entry.symbol, bar, *o)));
            self.books[entry.symbol.index()].pending.take(&entry.lane);
        }
        self.linked.entries = entries;
    }

    fn run_side_by_side(&self, entries: &mut [Entry], step: usize, instruments: &Instruments<'_>) -> Run {
        for entry in entries.iter_mut() {
            let book = self.book(entry.symbol);
            match &entry.bar {
                None => {
                    let until = self.idle_until(entry.symbol, step, instruments);
                    entry.lane.load_idle(&book.live, &book.in_flight, until);
                }
                Some((bar, i, start, end)) => {
                    let conditions = self.conditions(entry.symbol, bar, *i, *start, *end, instruments);
                    let path = Path::new(bar, *start, *end, entry.low_first);
                    entry.lane.load(&book.live, &book.in_flight, BarConditions { path, ..conditions });
                }
            }
        }
        loop {
            let turns = entries.iter().enumerate().filter_map(|(k, e)| Some((e.lane.peek()?, k)));
            let Some((_, next)) = turns.min() else { break };
            if let Some(fill) = entries[next].lane.advance() {
                for (k, entry) in entries.iter_mut().enumerate() {
                    if k != next {
                        entry.lane.reduce_group(&fill, None);
                    }
                }
            }
        }
        let mut value = 0.0;
        for entry in entries.iter_mut() {
            entry.lane.follow();
            if let Some((bar, ..)) = &entry.bar {
                value += value_at_close(&entry.lane.out, &entry.lane.orders, bar.close);
            }
        }
        Run { outs: entries.iter().map(|e| e.lane.out.clone()).collect(), value }
    }
}
