//! The frame of the three strategies: when they look, whom they may trade, how many trades they make.

use super::clock::Window;
use super::filters::total;
use super::rule::{Rule, Signal};
use super::settings::{Rank, WindowSettings};
use super::shorts;
use super::trade::{Exit, Trade};
use crate::market::{Calendar, Nanos, Session, SymbolId};
use crate::trading::{Columns, Orders, Setup, Side, Strategy, View, Wake};
use chrono::NaiveDate;

/// A rule within its window.
#[derive(Debug)]
pub(super) struct WindowStrategy<R: Rule> {
    settings: WindowSettings,
    rule: R,
    /// By symbol: whether it can be traded for itself; ETFs of the inverse map cannot.
    tradable: Vec<bool>,
    /// Session that the fields below belong to.
    date: Option<NaiveDate>,
    window: Window,
    /// Symbols that may still be entered in this session; `None` before the first look at it.
    candidates: Option<Vec<Candidate<R::Track>>>,
    /// Kept to avoid allocation.
    spare: Vec<Candidate<R::Track>>,
    signals: Vec<(usize, Signal, f64)>,
    /// Entries submitted in this session.
    entries: usize,
    trades: Vec<Trade>,
    next_group: u32,
}

#[derive(Debug, Clone, Copy)]
struct Candidate<T> {
    symbol: SymbolId,
    /// Bars before the session's open (extended hours).
    skip: usize,
    track: T,
    /// Whether the previous session's volume passes, once it was asked for.
    has_volume: Option<bool>,
    is_entered: bool,
}

impl<R: Rule> WindowStrategy<R> {
    /// A strategy that has not seen a bar.
    pub fn new(settings: WindowSettings, rule: R) -> WindowStrategy<R> {
        WindowStrategy {
            settings,
            rule,
            tradable: Vec::new(),
            date: None,
            window: Window { start: 0, analysis_end: 0, entry_end: 0, end: 0 },
            candidates: None,
            spare: Vec::new(),
            signals: Vec::new(),
            entries: 0,
            trades: Vec::new(),
            next_group: 0,
        }
    }

    fn first_decision(&mut self, view: &View<'_>, orders: &mut Orders<'_>) {
        let name = self.settings.name;
        self.tradable = view.symbols().map(|symbol| !view.is_inverse_etf(symbol)).collect();
        if !self.settings.enabled {
            orders.warn(format!("{name}: no entries, since STRAT_{}_ENABLED is false", name.to_ascii_uppercase()));
        }
        let schedule = &self.settings.schedule;
        if view.bar_length() > schedule.analysis || view.bar_length() > schedule.breakout {
            orders.warn(format!("{name}: the bars are longer than a part of the window, so there are no entries"));
        }
        if !view.has_fundamentals() {
            orders.warn(if self.settings.filters.ignore_absent_fundamentals {
                format!("{name}: filters not applied: no fundamentals (market capitalisation, P/E, D/E)")
            } else {
                format!(
                    "{name}: no entries, since no fundamentals are given and a missing value fails its filter \
                     (--fundamentals FILE, or --param {name}.without_fundamentals=ignore)"
                )
            });
        }
    }

    fn begin_session(&mut self, session: &Session, view: &View<'_>) {
        self.date = Some(session.date);
        self.window = self.settings.schedule.window(session);
        if let Some(mut candidates) = self.candidates.take() {
            candidates.clear();
            self.spare = candidates;
        }
        self.entries = 0;
        self.trades.retain_mut(|trade| trade.carry_over(view));
    }

    /// Whether an entry may still come in this session, now or later.
    fn expects_entries(&self, now: Nanos, session: &Session) -> bool {
        self.settings.enabled
            && self.settings.trades_on(session.date)
            && self.entries < self.settings.sizing.max_trades
            && now < self.window.entry_end.min(session.close)
    }

    /// The candidates of the session, listed at its first look.
    fn list_candidates(&mut self, view: &View<'_>, open: Nanos) -> Vec<Candidate<R::Track>> {
        let mut list = std::mem::take(&mut self.spare);
        let filters = &self.settings.filters;
        let unfiltered = filters.ignore_absent_fundamentals && !view.has_fundamentals();
        if !unfiltered && !view.has_fundamentals() {
            return list;
        }
        for symbol in view.symbols() {
            if !self.tradable[symbol.index()] || !(unfiltered || filters.passes_fundamentals(view.fundamental(symbol)))
            {
                continue;
            }
            let bars = view.past(symbol).session();
            let skip = match bars.start.first() {
                Some(first) if *first < open => bars.start.partition_point(|t| *t < open),
                _ => 0,
            };
            if let Some(track) = self.rule.begin(&bars.skip(skip), &self.window, view.bar_length()) {
                list.push(Candidate { symbol, skip, track, has_volume: None, is_entered: false });
            }
        }
        list
    }

    fn look_for_entries(&mut self, session: &Session, view: &View<'_>, orders: &mut Orders<'_>) {
        if !self.rule.is_allowed(view, orders) {
            return;
        }
        let mut candidates = match self.candidates.take() {
            Some(candidates) => candidates,
            None => self.list_candidates(view, session.open),
        };
        self.signals.clear();
        for (k, candidate) in candidates.iter_mut().enumerate() {
            if candidate.is_entered || !view.has_bar(candidate.symbol) {
                continue;
            }
            let bars = view.past(candidate.symbol).session().skip(candidate.skip);
            let Some(signal) = self.rule.signal(&mut candidate.track, &bars) else { continue };
            if self.passes(candidate, &bars, view) {
                let rank = self.rank(candidate.symbol, &signal, &bars, view);
                self.signals.push((k, signal, rank));
            }
        }
        // Stable: signals of the same rank stay in order of name.
        self.signals.sort_by(|a, b| b.2.total_cmp(&a.2));
        for n in 0..self.signals.len() {
            let (k, signal, _) = self.signals[n];
            if self.enter(candidates[k].symbol, &signal, session, view, orders) {
                candidates[k].is_entered = true;
            }
        }
        self.candidates = Some(candidates);
    }

    /// The filters that depend on the decision.
    fn passes(&self, candidate: &mut Candidate<R::Track>, bars: &Columns<'_>, view: &View<'_>) -> bool {
        let filters = &self.settings.filters;
        let (Some(&open), Some(&close)) = (bars.open.first(), bars.close.last()) else { return false };
        filters.passes_price(close, open)
            && *candidate
                .has_volume
                .get_or_insert_with(|| filters.passes_volume(view.past(candidate.symbol).previous_session()))
    }

    fn rank(&self, symbol: SymbolId, signal: &Signal, bars: &Columns<'_>, view: &View<'_>) -> f64 {
        match self.settings.rank {
            Rank::Symbol => 0.0,
            Rank::Strength => signal.strength,
            Rank::RelativeVolume => {
                let previous = view.past(symbol).previous_session().map_or(0.0, |bars| total(bars.volume));
                if previous > 0.0 { total(bars.volume) / previous } else { 0.0 }
            }
        }
    }

    /// Submits the entry of a signal, if a trade is left and the signal can be traded.
    fn enter(
        &mut self,
        symbol: SymbolId,
        signal: &Signal,
        session: &Session,
        view: &View<'_>,
        orders: &mut Orders<'_>,
    ) -> bool {
        let Some(dollars) = self.settings.sizing.dollars(self.entries, view.session_start_equity()) else {
            return false;
        };
        let Some(price) = view.past(symbol).close() else { return false };
        let Some(entry) = shorts::entry(&self.settings, symbol, signal.side, price, dollars, view, orders) else {
            return false;
        };
        let exit = if R::EXITS_WITH_WINDOW {
            Exit { at: self.window.end, reason: "window end" }
        } else {
            Exit { at: view.now() + self.settings.schedule.monitoring, reason: "holding time" }
        };
        self.trades.push(Trade::open(symbol, signal, &entry, exit, self.next_group, orders));
        self.next_group += 1;
        self.entries += 1;
        debug_assert!(signal.side == Side::Buy || entry.side == signal.side || !entry.is_direct);
        debug_assert!(view.now() < session.close);
        true
    }

    fn next_wake(&self, session: &Session, now: Nanos) -> Wake {
        let mut at = self.trades.iter().map(|trade| trade.wake(session.close)).min().unwrap_or(Nanos::MAX);
        if self.expects_entries(now, session) {
            // The first decision is the first bar end after the analysis.
            at = at.min(if now <= self.window.analysis_end { self.window.analysis_end + 1 } else { Nanos::MIN });
        } else {
            at = at.min(self.next_session(session.date));
        }
        let wake = Wake::at(at);
        if self.trades.is_empty() { wake } else { wake.or_update() }
    }

    /// The first instant of interest in a later session; never when the strategy makes no entries.
    fn next_session(&self, date: NaiveDate) -> Nanos {
        if !self.settings.enabled {
            return Nanos::MAX;
        }
        // Every weekday comes within two weeks, whatever the holidays.
        let mut last = date;
        for _ in 0..10 {
            let Some(session) = Calendar::nyse().next_session_after(last) else { return Nanos::MAX };
            if self.settings.trades_on(session.date) {
                return self.settings.schedule.window(&session).analysis_end + 1;
            }
            last = session.date;
        }
        Nanos::MAX
    }
}

impl<R: Rule> Strategy for WindowStrategy<R> {
    fn name(&self) -> &str {
        self.settings.name
    }

    fn start(&mut self, _: &mut Setup<'_>) -> Wake {
        Wake::NEXT_BAR
    }

    fn decide(&mut self, view: &View<'_>, orders: &mut Orders<'_>) -> Wake {
        let facts = view.session();
        let session =
            Session { date: facts.date, open: facts.open, close: facts.close, early_close: facts.early_close };
        if self.date.is_none() {
            self.first_decision(view, orders);
        }
        if self.date != Some(session.date) {
            self.begin_session(&session, view);
        }
        self.trades.retain_mut(|trade| !trade.manage(view, orders));
        let now = view.now();
        let may_enter = self.settings.enabled
            && self.settings.trades_on(session.date)
            && self.entries < self.settings.sizing.max_trades;
        if may_enter && self.window.takes_entries(now, session.close) {
            self.look_for_entries(&session, view, orders);
        }
        self.next_wake(&session, now)
    }
}
