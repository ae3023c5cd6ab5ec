//! Which stage a session is in at an instant, from the windows of its strategies and the exchange calendar.

use super::plan::PlanError;
use crate::backtest::{RunSpec, SpecError};
use crate::market::{Nanos, Session as ExchangeSession};
use crate::strategies::{BuildContext, Window, day_window};

/// What strategies do at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Nothing has begun, or nothing is left to come.
    Waiting,
    /// Positions are managed, none is entered.
    Monitoring,
    /// A window watches before its entries.
    Analyzing,
    /// Positions may be entered.
    Trading,
}

/// The windows of a session.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    pub exchange: ExchangeSession,
    /// By strategy: its window; `None` for one that may enter at any time of the session.
    pub windows: Vec<Option<Window>>,
    /// By strategy: whether it takes part in this session.
    active: Vec<bool>,
}

impl Schedule {
    /// The windows of the strategies of `spec` in a session of the exchange.
    ///
    /// # Errors
    /// Strategies or parameters that are none.
    pub fn new(spec: &RunSpec, exchange: ExchangeSession) -> Result<Schedule, PlanError> {
        let context = BuildContext { settings: spec.settings.clone(), ..BuildContext::default() };
        let (mut windows, mut active) = (Vec::new(), Vec::new());
        for (strategy, params) in spec.params()? {
            let found = day_window(strategy.name, &params, &context, &exchange).map_err(SpecError::from)?;
            active.push(found.is_none_or(|day| day.enabled));
            windows.push(found.filter(|day| day.enabled).map(|day| day.window));
        }
        Ok(Schedule { exchange, windows, active })
    }

    /// What the strategies do at `now`, the busiest of them.
    pub fn stage(&self, now: Nanos) -> Stage {
        let (open, close) = (self.exchange.open, self.exchange.close);
        let stage_of = |(window, active): (&Option<Window>, &bool)| match window {
            _ if !active || now >= close => Stage::Waiting,
            None if now < open => Stage::Waiting,
            None => Stage::Trading,
            Some(w) if now < w.start => Stage::Waiting,
            Some(w) if now < w.analysis_end => Stage::Analyzing,
            Some(w) if now <= w.entry_end => Stage::Trading,
            Some(w) if now < w.end => Stage::Monitoring,
            Some(_) => Stage::Waiting,
        };
        self.windows.iter().zip(&self.active).map(stage_of).max().unwrap_or(Stage::Waiting)
    }

    /// When the entries of a strategy end.
    pub fn entry_end(&self, strategy: u16) -> Nanos {
        let window = self.windows.get(usize::from(strategy)).copied().flatten();
        window.map_or(self.exchange.close, |w| w.entry_end.min(self.exchange.close))
    }

    /// When the last strategy is done with this session.
    pub fn end(&self) -> Nanos {
        let close = self.exchange.close;
        let ends = self.windows.iter().zip(&self.active).filter(|(_, active)| **active);
        ends.map(|(window, _)| window.map_or(close, |w| w.end.min(close))).max().unwrap_or(self.exchange.open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{Calendar, MINUTE, parse_date};

    /// Three windows as by default, in minutes from the open: 0-20-30-60, 60-70-80-115 and 300-305-310-335.
    fn schedule() -> Schedule {
        let exchange = Calendar::nyse().session(parse_date("2024-03-12").unwrap()).unwrap();
        let window = |start: i64, analysis_end: i64, entry_end: i64, end: i64| {
            let at = |minute: i64| exchange.open + minute * MINUTE;
            Some(Window { start: at(start), analysis_end: at(analysis_end), entry_end: at(entry_end), end: at(end) })
        };
        let windows = vec![window(0, 20, 30, 60), window(60, 70, 80, 115), window(300, 305, 310, 335)];
        Schedule { exchange, windows, active: vec![true; 3] }
    }

    #[test]
    fn a_session_goes_through_the_stages_of_its_windows() {
        let schedule = schedule();
        let stage = |minute: i64| schedule.stage(schedule.exchange.open + minute * MINUTE);
        assert_eq!(stage(-1), Stage::Waiting);
        assert_eq!(
            (stage(0), stage(19), stage(20), stage(30)),
            (Stage::Analyzing, Stage::Analyzing, Stage::Trading, Stage::Trading)
        );
        assert_eq!((stage(31), stage(59)), (Stage::Monitoring, Stage::Monitoring));
        assert_eq!(stage(60), Stage::Analyzing, "a window begins where the one before it ends");
        assert_eq!((stage(115), stage(299), stage(300)), (Stage::Waiting, Stage::Waiting, Stage::Analyzing));
        assert_eq!(stage(335), Stage::Waiting);
        assert_eq!(schedule.end(), schedule.exchange.open + 335 * MINUTE);
    }

    #[test]
    fn windows_are_clipped_at_an_early_close() {
        let mut schedule = schedule();
        schedule.exchange.close = schedule.exchange.open + 210 * MINUTE;
        assert_eq!(schedule.stage(schedule.exchange.open + 300 * MINUTE), Stage::Waiting);
        assert_eq!(schedule.end(), schedule.exchange.close);
        assert_eq!(schedule.entry_end(2), schedule.exchange.close);
    }

    #[test]
    fn a_strategy_without_window_may_enter_all_session_long() {
        let mut schedule = schedule();
        (schedule.windows, schedule.active) = (vec![None], vec![true]);
        let stage = |minute: i64| schedule.stage(schedule.exchange.open + minute * MINUTE);
        assert_eq!(
            (stage(-1), stage(0), stage(389), stage(390)),
            (Stage::Waiting, Stage::Trading, Stage::Trading, Stage::Waiting)
        );
        schedule.active = vec![false];
        assert_eq!(schedule.stage(schedule.exchange.open), Stage::Waiting);
    }
}
