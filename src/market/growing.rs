//! A market that grows at its end: today's bars as they come in.

use super::dataset::bar_end;
use super::{ActionKind, Bar, Market, MarketError, MarketParts, Nanos, QuoteBar, Session, SymbolId, TradingDay};
use std::sync::Arc;

/// A bar that has ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NewBar {
    pub symbol: SymbolId,
    /// Start of its span.
    pub start: Nanos,
    pub bar: Bar,
    /// Needed where the series has quotes.
    pub quote: Option<QuoteBar>,
}

/// Bars that a market cannot be extended by.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GrowthError {
    #[error("no bars to extend the market by")]
    NoBars,
    #[error("{symbol}: a bar that ends at {found} among bars that end at {expected}")]
    OtherEnd { symbol: String, found: String, expected: String },
    #[error("bars end at {found}, which is not after {last}, where the market ends")]
    NotAfter { found: String, last: String },
    #[error("{symbol}: a bar starts at {found}, outside the session {open} to {close}")]
    OutsideSession { symbol: String, found: String, open: String, close: String },
    #[error("{symbol}: two bars end at {at}")]
    Twice { symbol: String, at: String },
}

impl Market {
    /// A market that is to grow by [`Market::extend`]; it may have no bars yet.
    ///
    /// # Errors
    /// [`MarketError::Uncovered`].
    pub fn growing(parts: MarketParts, sessions: &[Session]) -> Result<Market, MarketError> {
        let mut market = Market::build(parts, sessions)?;
        for (series, offsets) in market.series.iter_mut().zip(&market.day_offsets) {
            if offsets.last().is_none_or(|&end| end as usize != series.len()) {
                return Err(MarketError::Uncovered);
            }
            // Series that share their times could not be extended one by one.
            series.start = Arc::new(series.start.to_vec());
        }
        Ok(market)
    }

    /// Appends one step: bars that ended at the same instant, of different symbols. The first of a session begins
    /// its day; a bar must lie in regular trading. Returns day and step. What it costs grows with the number of
    /// symbols, not with what is there already.
    ///
    /// # Errors
    /// When the bars do not follow what is there. The market is unchanged then.
    pub fn extend(&mut self, session: &Session, bars: &[NewBar]) -> Result<(usize, usize), GrowthError> {
        let end = self.check_extension(session, bars)?;
        let begins = self.days.last().is_none_or(|day| day.date < session.date);
        let step = self.steps.len();
        if begins {
            for (offsets, series) in self.day_offsets.iter_mut().zip(&self.series) {
                // The end of the last day is the start of this one, and its own end is added.
                offsets.push(series.len() as u32);
            }
            self.days.push(TradingDay {
                date: session.date,
                open: session.open,
                close: session.close,
                early_close: session.early_close,
                end: session.close,
                first_step: step,
                end_step: step,
                even_from: Some(end),
            });
        }
        self.steps.push(end);
        for new in bars {
            self.series[new.symbol.index()].push(new.start, new.bar, new.quote.as_ref());
            if let Some(offset) = self.day_offsets[new.symbol.index()].last_mut() {
                *offset += 1;
            }
        }
        let length = self.bar_length;
        let day = self.days.len() - 1;
        if let Some(today) = self.days.last_mut() {
            today.end_step = step + 1;
            let even = today.even_from.is_some_and(|first| first + (step - today.first_step) as Nanos * length == end);
            if !even {
                today.even_from = None;
            }
        }
        Ok((day, step))
    }

    /// Where the bars end, if the market can be extended by them.
    fn check_extension(&self, session: &Session, bars: &[NewBar]) -> Result<Nanos, GrowthError> {
        let name = |symbol: SymbolId| self.symbols[symbol.index()].clone();
        let text = super::format_time;
        let Some(first) = bars.first() else { return Err(GrowthError::NoBars) };
        let end = bar_end(first.start, self.bar_length, session.close);
        if let Some(&last) = self.steps.last().filter(|&&last| last >= end) {
            return Err(GrowthError::NotAfter { found: text(end), last: text(last) });
        }
        for (k, new) in bars.iter().enumerate() {
            if new.start < session.open || new.start >= session.close {
                let (open, close) = (text(session.open), text(session.close));
                return Err(GrowthError::OutsideSession {
                    symbol: name(new.symbol),
                    found: text(new.start),
                    open,
                    close,
                });
            }
            let found = bar_end(new.start, self.bar_length, session.close);
            if found != end {
                let (found, expected) = (text(found), text(end));
                return Err(GrowthError::OtherEnd { symbol: name(new.symbol), found, expected });
            }
            if bars[..k].iter().any(|other| other.symbol == new.symbol) {
                return Err(GrowthError::Twice { symbol: name(new.symbol), at: text(end) });
            }
        }
        Ok(end)
    }

    /// Extends [`Market::signal_factors`] by the actions that come into force with `day`, the last one, which has
    /// just begun.
    pub fn extend_signal_factors(&self, symbol: SymbolId, day: usize, factors: &mut Option<Vec<(usize, f64)>>) {
        let date = self.days[day].date;
        let before = day.checked_sub(1).map(|day| self.days[day].date);
        let first = self.day_range(symbol, day).start;
        let Some(last) = first.checked_sub(1) else { return };
        let series = &self.series[symbol.index()];
        let mut factor = factors.as_ref().and_then(|f| f.last()).map_or(1.0, |f| f.1);
        let mut changed = false;
        for action in self.actions.iter().filter(|a| a.symbol == symbol && a.date <= date) {
            if before.is_some_and(|before| action.date <= before) {
                continue;
            }
            factor *= match action.kind {
                ActionKind::Split { ratio } => ratio,
                ActionKind::Dividend { amount } if amount < series.close[last] => {
                    series.close[last] / (series.close[last] - amount)
                }
                ActionKind::Dividend { .. } => 1.0,
            };
            changed = true;
        }
        if changed {
            factors.get_or_insert_default().push((first, factor));
        }
    }
}

impl Market {
    /// What there is before `day`, as something to grow from: the bars of earlier days, everything that is known by
    /// date and cut by whoever looks at it, and of the volatility index within a session what ended before that day
    /// opens.
    pub fn parts_before(&self, day: usize) -> MarketParts {
        let open = self.days.get(day).map_or(Nanos::MAX, |d| d.open);
        let series = self.symbol_ids().map(|symbol| {
            let (name, bars) = (&self.symbols[symbol.index()], &self.series[symbol.index()]);
            let end = if day < self.days.len() { self.day_range(symbol, day).start } else { bars.len() };
            (name.clone(), bars.prefix(end))
        });
        let mut vix = self.vix.clone();
        if let Some(vix) = &mut vix {
            vix.intraday.retain(|row| row.0 <= open);
        }
        MarketParts {
            name: self.name.clone(),
            bar_length: self.bar_length,
            series: series.collect(),
            extended_hours: false,
            actions: self.actions.clone(),
            vix,
            fundamentals: self.fundamentals.clone(),
            inverse: self.inverse.clone(),
            options: self.options.clone(),
            quality: self.quality.clone(),
            data_hash: self.data_hash.clone(),
            notes: self.notes.clone(),
        }
    }

    /// The bars that end at `step` of `day`, in order of symbol.
    pub fn bars_at(&self, day: usize, step: usize) -> Vec<NewBar> {
        let bar = |symbol: SymbolId| {
            let i = self.bar_at(symbol, day, step)?;
            let series = &self.series[symbol.index()];
            let quote = series.quotes.as_ref().map(|quotes| quotes.bar(i));
            Some(NewBar { symbol, start: series.start[i], bar: series.bar(i), quote })
        };
        self.symbol_ids().filter_map(bar).collect()
    }

    /// The session of a day.
    pub fn session_of(&self, day: usize) -> Session {
        let day = &self.days[day];
        Session { date: day.date, open: day.open, close: day.close, early_close: day.early_close }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Bars, Calendar, MINUTE, parse_date};
    use super::*;

    /// Two symbols over three sessions; the second has every other minute, and none on the second day.
    fn whole() -> (Market, Vec<Session>) {
        let sessions = Calendar::nyse().sessions(parse_date("2024-03-11").unwrap(), parse_date("2024-03-13").unwrap());
        let mut series = Vec::new();
        for name in ["A", "B"] {
            let mut bars = Bars::default();
            for (day, session) in sessions.iter().enumerate() {
                for minute in 0..30 {
                    if name == "B" && (minute % 2 == 1 || day == 1) {
                        continue;
                    }
                    let price = 10.0 + (minute + day as i64) as f64 / 100.0;
                    let bar = Bar { open: price, high: price, low: price, close: price, volume: 1.0 };
                    bars.push(session.open + minute * MINUTE, bar, None);
                }
            }
            series.push((name.to_string(), bars));
        }
        let parts = MarketParts { bar_length: MINUTE, series, ..MarketParts::default() };
        (Market::new(parts, &sessions).unwrap(), sessions)
    }

    #[test]
    fn a_market_that_has_grown_is_the_whole_one() {
        let (whole, sessions) = whole();
        for first in 0..3 {
            let mut grown = Market::growing(whole.parts_before(first), &sessions[..first]).unwrap();
            for day in first..3 {
                for step in whole.days[day].first_step..whole.days[day].end_step {
                    let place = grown.extend(&whole.session_of(day), &whole.bars_at(day, step)).unwrap();
                    assert_eq!(place, (day, step));
                    for symbol in whole.symbol_ids() {
                        // What has ended at a step never changes afterwards.
                        assert_eq!(grown.ended(symbol, day, step), whole.ended(symbol, day, step));
                        assert_eq!(grown.bar_at(symbol, day, step), whole.bar_at(symbol, day, step));
                    }
                }
            }
            assert_eq!((&grown.days, &grown.steps), (&whole.days, &whole.steps));
            assert_eq!(grown.day_offsets, whole.day_offsets);
            assert_eq!(grown.series, whole.series);
        }
    }

    #[test]
    fn bars_that_do_not_follow_are_refused_and_change_nothing() {
        let (whole, sessions) = whole();
        let mut grown = Market::growing(whole.parts_before(1), &sessions[..1]).unwrap();
        let session = sessions[1];
        let bar = |symbol: u32, minute: i64| NewBar {
            symbol: SymbolId(symbol),
            start: session.open + minute * MINUTE,
            ..whole.bars_at(0, 0)[0]
        };
        grown.extend(&session, &[bar(0, 3)]).unwrap();
        let before = grown.clone();
        let mut refuse = |bars: &[NewBar]| grown.extend(&session, bars).unwrap_err();
        assert_eq!(refuse(&[]), GrowthError::NoBars);
        assert!(matches!(refuse(&[bar(0, 3)]), GrowthError::NotAfter { .. }));
        assert!(matches!(refuse(&[bar(0, 4), bar(1, 5)]), GrowthError::OtherEnd { .. }));
        assert!(matches!(refuse(&[bar(0, 4), bar(0, 4)]), GrowthError::Twice { .. }));
        assert!(matches!(refuse(&[bar(0, 390)]), GrowthError::OutsideSession { .. }));
        assert_eq!((grown.steps, grown.days, grown.series), (before.steps, before.days, before.series));
    }
}
