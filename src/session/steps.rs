//! Bars arrive one by one; the core decides when everything that ended at an instant is there.
//!
//! A step is complete when every symbol has its bar, when a bar arrives that ends later, or when the grace period
//! after its end is over. What arrives for a step that is closed is too late: it was decided without it.

use crate::market::{Nanos, NewBar};

/// Bars that ended at the same instant.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    pub end: Nanos,
    /// In order of symbol.
    pub bars: Vec<NewBar>,
}

/// Why a bar was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Its step is closed.
    Late,
    /// The symbol has its bar of this step.
    Duplicate,
}

/// The step that is open.
#[derive(Debug)]
pub struct Steps {
    symbols: usize,
    grace: Nanos,
    open: Option<Step>,
    /// End of the last step that was closed.
    closed: Nanos,
}

impl Steps {
    /// Steps of `symbols` symbols after `last`, the end of the history.
    pub fn new(symbols: usize, grace: Nanos, last: Nanos) -> Steps {
        Steps { symbols, grace, open: None, closed: last }
    }

    /// Takes a bar that ends at `end`; `done` gets each step that is complete by that.
    pub fn bar(&mut self, end: Nanos, bar: NewBar, mut done: impl FnMut(Step)) -> Result<(), Refusal> {
        if end <= self.closed || self.open.as_ref().is_some_and(|open| end < open.end) {
            return Err(Refusal::Late);
        }
        if self.open.as_ref().is_some_and(|open| end > open.end) {
            self.close(&mut done);
        }
        let open = self.open.get_or_insert_with(|| Step { end, bars: Vec::new() });
        match open.bars.binary_search_by_key(&bar.symbol, |b| b.symbol) {
            Ok(_) => return Err(Refusal::Duplicate),
            Err(at) => open.bars.insert(at, bar),
        }
        if open.bars.len() == self.symbols {
            self.close(&mut done);
        }
        Ok(())
    }

    /// The clock shows `now`.
    pub fn timer(&mut self, now: Nanos, mut done: impl FnMut(Step)) {
        if self.open.as_ref().is_some_and(|open| now >= open.end + self.grace) {
            self.close(&mut done);
        }
    }

    /// Nothing more comes for the open step.
    pub fn flush(&mut self, mut done: impl FnMut(Step)) {
        self.close(&mut done);
    }

    fn close(&mut self, done: &mut impl FnMut(Step)) {
        if let Some(step) = self.open.take() {
            self.closed = step.end;
            done(step);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{Bar, SymbolId};

    fn bar(symbol: u32) -> NewBar {
        let bar = Bar { open: 1.0, high: 1.0, low: 1.0, close: 1.0, volume: 1.0 };
        NewBar { symbol: SymbolId(symbol), start: 0, bar, quote: None }
    }

    /// Ends and symbols of the steps that are done after each call.
    fn closed(done: &mut Vec<Step>) -> Vec<(Nanos, Vec<u32>)> {
        done.drain(..).map(|step| (step.end, step.bars.iter().map(|b| b.symbol.0).collect())).collect()
    }

    #[test]
    fn a_step_is_complete_when_every_symbol_has_its_bar() {
        let (mut steps, mut done) = (Steps::new(2, 10, 0), Vec::new());
        steps.bar(60, bar(1), |s| done.push(s)).unwrap();
        assert!(closed(&mut done).is_empty());
        steps.bar(60, bar(0), |s| done.push(s)).unwrap();
        assert_eq!(closed(&mut done), [(60, vec![0, 1])], "in order of symbol");
    }

    #[test]
    fn a_later_bar_or_the_clock_closes_a_step_without_the_missing_symbols() {
        let (mut steps, mut done) = (Steps::new(3, 10, 0), Vec::new());
        steps.bar(60, bar(1), |s| done.push(s)).unwrap();
        steps.bar(120, bar(2), |s| done.push(s)).unwrap();
        assert_eq!(closed(&mut done), [(60, vec![1])]);
        steps.timer(129, |s| done.push(s));
        assert!(closed(&mut done).is_empty());
        steps.timer(130, |s| done.push(s));
        assert_eq!(closed(&mut done), [(120, vec![2])]);
    }

    #[test]
    fn what_comes_for_a_closed_step_is_late_and_a_second_bar_a_duplicate() {
        let (mut steps, mut done) = (Steps::new(2, 10, 30), Vec::new());
        assert_eq!(steps.bar(30, bar(0), |s| done.push(s)), Err(Refusal::Late), "the history ends there");
        steps.bar(60, bar(0), |s| done.push(s)).unwrap();
        assert_eq!(steps.bar(60, bar(0), |s| done.push(s)), Err(Refusal::Duplicate));
        steps.timer(70, |s| done.push(s));
        assert_eq!(steps.bar(60, bar(1), |s| done.push(s)), Err(Refusal::Late));
    }
}
