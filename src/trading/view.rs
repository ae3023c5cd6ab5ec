//! The read-only window of a strategy on the past and the account.

use super::{IndicatorId, Instruments, OrderId, OrderRecord, Portfolio, SignalId, Signals};
use crate::market::{Bar, Fundamental, Market, Nanos, OptionQuote, SymbolId};

/// Everything a strategy can know at the end of a bar. Nothing of a bar that has not ended can be reached.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    pub(crate) market: &'a Market,
    pub(crate) instruments: Instruments<'a>,
    pub(crate) portfolio: &'a Portfolio,
    pub(crate) signals: &'a Signals,
    /// By symbol: see [`Market::signal_factors`].
    pub(crate) factors: &'a [Option<Vec<(usize, f64)>>],
    pub(crate) strategy: u16,
    pub(crate) day: usize,
    pub(crate) step: usize,
    pub(crate) session_start_equity: f64,
}

impl<'a> View<'a> {
    /// The instant of the decision: the end of a bar.
    pub fn now(&self) -> Nanos {
        self.market.steps[self.step]
    }

    /// The session of the decision. Its open, close and early close are public in advance; where its bars
    /// end in the data is not, so that cannot be asked.
    pub fn session(&self) -> SessionView {
        let day = &self.market.days[self.day];
        SessionView { date: day.date, open: day.open, close: day.close, early_close: day.early_close }
    }

    /// Nominal length of a bar.
    pub fn bar_length(&self) -> Nanos {
        self.market.bar_length
    }

    /// The symbols of the run in order of name.
    pub fn symbols(&self) -> impl Iterator<Item = SymbolId> + use<> {
        self.market.symbol_ids()
    }

    /// The name of a symbol.
    pub fn symbol_name(&self, symbol: SymbolId) -> &'a str {
        &self.market.symbols[symbol.index()]
    }

    /// The id of a symbol of the run.
    pub fn symbol(&self, name: &str) -> Option<SymbolId> {
        self.market.symbol(name)
    }

    /// The bars of a symbol that have ended.
    #[inline]
    pub fn past(&self, symbol: SymbolId) -> Past<'a> {
        let ended = self.market.ended(symbol, self.day, self.step);
        let range = self.market.day_range(symbol, self.day);
        Past { market: self.market, symbol, day: self.day, session_start: range.start, ended }
    }

    /// Whether a bar of the symbol ends now.
    #[inline]
    pub fn has_bar(&self, symbol: SymbolId) -> bool {
        self.market.bar_at(symbol, self.day, self.step).is_some()
    }

    /// The only output, or the first, of an indicator; `None` during warm-up.
    pub fn indicator(&self, id: IndicatorId) -> Option<f64> {
        self.indicator_output(id, 0)
    }

    /// One output of an indicator with several; `None` during warm-up.
    pub fn indicator_output(&self, id: IndicatorId, output: usize) -> Option<f64> {
        self.signals.value(id, output, |symbol| self.market.ended(symbol, self.day, self.step))
    }

    /// The newest close in the prices that indicators see: continuous over splits and dividends.
    pub fn signal_close(&self, symbol: SymbolId) -> Option<f64> {
        let i = self.market.ended(symbol, self.day, self.step).checked_sub(1)?;
        Some(self.close_at(symbol, i))
    }

    /// The side that a signal says (+1 long, 0 flat, -1 short) and why. Before it said anything: 0 and no reason.
    pub fn signal(&self, id: SignalId) -> (i8, &'static str) {
        let signal = self.signals.signal(id);
        let ended = self.market.ended(signal.symbol, self.day, self.step);
        let known = signal.changes.partition_point(|change| (change.bar as usize) < ended);
        known.checked_sub(1).map_or((0, ""), |k| (signal.changes[k].side, signal.reason(signal.changes[k])))
    }

    /// Equity of the account at the last prices.
    pub fn equity(&self) -> f64 {
        self.portfolio.account.equity()
    }

    /// Cash of the account.
    pub fn cash(&self) -> f64 {
        self.portfolio.account.cash
    }

    /// Equity of the account at the start of the session.
    pub fn session_start_equity(&self) -> f64 {
        self.session_start_equity
    }

    /// Shares this strategy holds, negative when short.
    pub fn position(&self, symbol: SymbolId) -> f64 {
        self.portfolio.strategy_position(self.strategy, symbol)
    }

    /// Signed quantity of this strategy's open orders, bracket children left out.
    pub fn working(&self, symbol: SymbolId) -> f64 {
        self.portfolio.strategy_working(self.strategy, symbol)
    }

    /// One of this strategy's orders, also a refused one. `None` for an order of another strategy.
    pub fn order(&self, id: OrderId) -> Option<&'a OrderRecord> {
        self.portfolio.orders.get(id.0 as usize).filter(|r| r.order.strategy == self.strategy)
    }

    /// The price at which an instrument is valued now; NaN before its first bar.
    pub fn price(&self, symbol: SymbolId) -> f64 {
        self.instruments.last_close(symbol, self.day, self.step).unwrap_or(f64::NAN)
    }

    /// The volatility index as it is known now: the last intraday bar that has ended in this session, else
    /// the close of an earlier session that is at most `max_age` sessions old.
    pub fn vix(&self, max_age: usize) -> Option<f64> {
        let vix = self.market.vix.as_ref()?;
        let now = self.now();
        let open = self.market.days[self.day].open;
        let ended = vix.intraday.partition_point(|row| row.0 <= now);
        if ended > 0 && vix.intraday[ended - 1].0 > open {
            return Some(vix.intraday[ended - 1].1);
        }
        let date = self.market.days[self.day].date;
        let before = vix.daily.partition_point(|row| row.0 < date);
        let (last, close) = *vix.daily.get(before.checked_sub(1)?)?;
        let age = crate::market::Calendar.sessions(last, date).len().saturating_sub(1);
        if age <= max_age { Some(close) } else { None }
    }

    /// Whether the run has any volatility index at all.
    pub fn has_vix(&self) -> bool {
        self.market.vix.is_some()
    }

    /// The newest fundamentals of a symbol that are valid in this session (dated before it).
    pub fn fundamental(&self, symbol: SymbolId) -> Option<&'a Fundamental> {
        let rows = self.market.fundamentals.as_ref()?.get(&symbol)?;
        let date = self.market.days[self.day].date;
        rows.iter().rev().find(|row| row.date.is_none_or(|d| d < date))
    }

    /// Whether the run has fundamentals of any symbol.
    pub fn has_fundamentals(&self) -> bool {
        self.market.fundamentals.is_some()
    }

    /// The last closes of up to `count` earlier sessions in which the symbol traded, oldest first, in the
    /// prices that indicators see.
    pub fn daily_closes(&self, symbol: SymbolId, count: usize) -> Vec<f64> {
        let last_bars = (0..self.day).rev().map(|day| self.market.day_range(symbol, day));
        let mut closes: Vec<f64> = last_bars
            .filter(|bars| !bars.is_empty())
            .take(count)
            .map(|bars| self.close_at(symbol, bars.end - 1))
            .collect();
        closes.reverse();
        closes
    }

    /// The close of bar `i`, continuous over splits and dividends.
    fn close_at(&self, symbol: SymbolId, i: usize) -> f64 {
        let factor = self.factors[symbol.index()].as_ref().map_or(1.0, |factors| {
            let known = factors.partition_point(|f| f.0 <= i);
            if known == 0 { 1.0 } else { factors[known - 1].1 }
        });
        self.market.series[symbol.index()].close[i] * factor
    }

    /// The ETF that stands for being short a symbol, with its leverage.
    pub fn inverse_etf(&self, symbol: SymbolId) -> Option<(SymbolId, f64)> {
        let map = self.market.inverse.as_ref()?;
        map.by_symbol.get(&symbol).copied().or(map.default)
    }

    /// Whether a symbol is one of the ETFs of the inverse map.
    pub fn is_inverse_etf(&self, symbol: SymbolId) -> bool {
        self.market
            .inverse
            .as_ref()
            .is_some_and(|m| m.default.iter().chain(m.by_symbol.values()).any(|(etf, _)| *etf == symbol))
    }

    /// Option quotes up to now, oldest first; empty when the run has none.
    pub fn option_quotes(&self) -> &'a [OptionQuote] {
        let now = self.now();
        let known = self.market.options.partition_point(|q| q.time <= now);
        &self.market.options[..known]
    }

    /// Whether the run has option quotes at all.
    pub fn has_option_quotes(&self) -> bool {
        !self.market.options.is_empty()
    }
}

/// The public facts of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionView {
    /// New York date.
    pub date: chrono::NaiveDate,
    pub open: Nanos,
    pub close: Nanos,
    pub early_close: bool,
}

/// Bars of one symbol that have ended, oldest first.
#[derive(Debug, Clone, Copy)]
pub struct Past<'a> {
    market: &'a Market,
    symbol: SymbolId,
    day: usize,
    session_start: usize,
    ended: usize,
}

impl<'a> Past<'a> {
    /// Number of bars since the start of the data.
    pub fn len(&self) -> usize {
        self.ended
    }

    /// Whether no bar has ended yet.
    pub fn is_empty(&self) -> bool {
        self.ended == 0
    }

    /// The newest bar.
    pub fn last(&self) -> Option<Bar> {
        self.ended.checked_sub(1).map(|i| self.market.series[self.symbol.index()].bar(i))
    }

    /// The newest close.
    pub fn close(&self) -> Option<f64> {
        self.ended.checked_sub(1).map(|i| self.market.series[self.symbol.index()].close[i])
    }

    /// Closes since the start of the data.
    pub fn closes(&self) -> &'a [f64] {
        &self.market.series[self.symbol.index()].close[..self.ended]
    }

    /// The bars of this session that have ended.
    #[inline]
    pub fn session(&self) -> Columns<'a> {
        self.columns(self.session_start, self.ended.max(self.session_start))
    }

    /// The bars of the previous session with bars in the data.
    pub fn previous_session(&self) -> Option<Columns<'a>> {
        let range = self.market.day_range(self.symbol, self.day.checked_sub(1)?);
        if range.is_empty() { None } else { Some(self.columns(range.start, range.end)) }
    }

    fn columns(&self, from: usize, to: usize) -> Columns<'a> {
        let series = &self.market.series[self.symbol.index()];
        Columns {
            start: &series.start[from..to],
            open: &series.open[from..to],
            high: &series.high[from..to],
            low: &series.low[from..to],
            close: &series.close[from..to],
            volume: &series.volume[from..to],
        }
    }
}

/// Parallel columns of consecutive bars.
#[derive(Debug, Clone, Copy)]
pub struct Columns<'a> {
    /// Start of each bar.
    pub start: &'a [Nanos],
    pub open: &'a [f64],
    pub high: &'a [f64],
    pub low: &'a [f64],
    pub close: &'a [f64],
    pub volume: &'a [f64],
}

impl<'a> Columns<'a> {
    /// All but the first `count` bars.
    #[inline]
    pub fn skip(&self, count: usize) -> Columns<'a> {
        Columns {
            start: &self.start[count..],
            open: &self.open[count..],
            high: &self.high[count..],
            low: &self.low[count..],
            close: &self.close[count..],
            volume: &self.volume[count..],
        }
    }

    /// Number of bars.
    pub fn len(&self) -> usize {
        self.start.len()
    }

    /// Whether there is no bar.
    pub fn is_empty(&self) -> bool {
        self.start.is_empty()
    }
}
