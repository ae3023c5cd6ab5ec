//! Where an order starts to meet prices, and what it meets next.

use super::{Meeting, MeetingResult, Phase, Simulation, Start};
use crate::oracle::case::{CaseBar, FillRule, Reason, Submission};
use crate::oracle::path::{Path, Point, Wanted, low_is_nearer};
use tradebot::market::Nanos;
use tradebot::trading::{OrderKind, Side, TimeInForce, Trail};

impl<'a> Simulation<'a> {
    /// Puts an order into the market at `time`; a child at the point of its parent's fill, if that is on a path.
    pub(super) fn go_live(&mut self, number: usize, time: Nanos, at: Option<Point>) {
        let line = self.orders[number].line;
        let at_last_close = matches!(self.case.rules.fill, FillRule::Close | FillRule::Quote);
        let start = if is_for_open(line) {
            self.session_open(line.symbol, time)
        } else if is_for_close(line) {
            self.session_close(line.symbol, time, self.orders[number].decided)
        } else if line.kind == OrderKind::Market && self.case.rules.fill == FillRule::NextOpen {
            self.first_open(line.symbol, time)
        } else if line.kind == OrderKind::Market && at_last_close && line.parent.is_none() {
            self.last_close(line.symbol, time)
        } else {
            at.map_or_else(|| self.on_path(line.symbol, time), Start::Path)
        };
        self.orders[number].start = Some(start);
    }

    /// On the running bar, else at the open of the next.
    fn on_path(&self, symbol: usize, time: Nanos) -> Start {
        let bars = &self.case.series[symbol].bars;
        match bars.iter().position(|b| b.start <= time && time < b.end) {
            Some(bar) => {
                let x = Path::position(&bars[bar], time);
                Start::Path(Point { bar, x, time, price: None })
            }
            None => self.first_open(symbol, time),
        }
    }

    fn first_open(&self, symbol: usize, time: Nanos) -> Start {
        self.open_of(symbol, self.case.series[symbol].bars.iter().position(|b| b.start >= time))
    }

    pub(super) fn open_of(&self, symbol: usize, bar: Option<usize>) -> Start {
        match bar.filter(|&bar| bar < self.case.series[symbol].bars.len()) {
            Some(bar) => Start::Path(self.path(symbol, bar).opening()),
            None => Start::Never,
        }
    }

    fn last_close(&self, symbol: usize, time: Nanos) -> Start {
        match self.case.series[symbol].bars.iter().rposition(|b| b.end <= time) {
            Some(bar) => Start::Close { bar, time, phase: Phase::AtDecision },
            None => self.first_open(symbol, time),
        }
    }

    fn session_open(&self, symbol: usize, time: Nanos) -> Start {
        let days = self.case.days.iter().filter(|d| d.open >= time);
        self.open_of(symbol, days.flat_map(|d| self.case.bars_of_day(symbol, d)).next())
    }

    fn session_close(&self, symbol: usize, time: Nanos, decided: Nanos) -> Start {
        let days = self.case.days.iter().filter(|d| d.close >= time && d.close > decided);
        let last_bars = days.filter_map(|d| Some((d.close, self.case.bars_of_day(symbol, d).pop()?)));
        match last_bars.min() {
            Some((close, bar)) => Start::Close { bar, time: close, phase: Phase::SessionClose },
            None => Start::Never,
        }
    }

    pub(super) fn bar(&self, symbol: usize, bar: usize) -> &'a CaseBar {
        &self.case.series[symbol].bars[bar]
    }

    fn path(&self, symbol: usize, bar: usize) -> Path {
        let data = self.bar(symbol, bar);
        Path::new(bar, data, self.low_first[symbol][bar].unwrap_or_else(|| low_is_nearer(data)))
    }

    /// What the order meets next, as far as is known now.
    pub(super) fn next_meeting(&self, number: usize) -> Option<Meeting> {
        let order = &self.orders[number];
        let line = order.line;
        if self.open_quantity(number) == 0.0 {
            return None;
        }
        let from = match order.start? {
            Start::Never => return None,
            Start::Close { bar, time, phase } => {
                let result = self.at_close(line, bar);
                return Some(Meeting { time, phase, bar, point: None, result });
            }
            Start::Path(point) => point,
        };
        let here = self.path(line.symbol, from.bar).price_at(from);
        let fills = |p: Point, slips| (p, MeetingResult::Fills { price: p.price.unwrap_or(here), slips });
        let is_buy = line.side == Side::Buy;
        let (point, result) = match line.kind {
            OrderKind::Market | OrderKind::MarketOnOpen | OrderKind::MarketOnClose => fills(from, true),
            OrderKind::Stop { .. } | OrderKind::TrailingStop { .. } if order.triggered => fills(from, true),
            OrderKind::Limit { limit } if is_now_or_never(line) => {
                if self.limit(line.side, limit).met_by(here) {
                    fills(from, false)
                } else {
                    let reason = if is_for_auction(line) { Reason::Auction } else { Reason::NotAtOnce };
                    (from, MeetingResult::Fails(reason))
                }
            }
            OrderKind::Limit { limit } => fills(self.search(line, from, self.limit(line.side, limit))?, false),
            OrderKind::StopLimit { limit, .. } if order.triggered => {
                fills(self.search(line, from, self.limit(line.side, limit))?, false)
            }
            OrderKind::StopLimit { stop, .. } => {
                let wanted = Wanted { level: stop, above: is_buy, strictly: false };
                (self.search(line, from, wanted)?, MeetingResult::Triggers)
            }
            OrderKind::Stop { stop } => {
                fills(self.search(line, from, Wanted { level: stop, above: is_buy, strictly: false })?, true)
            }
            OrderKind::TrailingStop { trail, .. } if self.case.rules.fill == FillRule::Quote => {
                let (point, price) = self.trail_on_quotes(line, from, trail)?;
                (point, MeetingResult::Fills { price, slips: true })
            }
            OrderKind::TrailingStop { trail, .. } => fills(self.trail_on_path(line, from, trail)?, true),
        };
        let starts_now = point.time == self.bar(line.symbol, point.bar).start;
        let phase = if starts_now { Phase::OpeningBar } else { Phase::RunningBar };
        Some(Meeting { time: point.time, phase, bar: point.bar, point: Some(point), result })
    }

    fn limit(&self, side: Side, limit: f64) -> Wanted {
        Wanted { level: limit, above: side == Side::Sell, strictly: self.case.rules.limit_penetrate }
    }

    /// At a close that is over: of the last bar (`close`, session close), or of its quotes (`quote`).
    fn at_close(&self, line: &Submission, bar: usize) -> MeetingResult {
        let data = self.bar(line.symbol, bar);
        let by_quote = self.case.rules.fill == FillRule::Quote && !is_for_auction(line);
        let price = match (data.quotes, line.side) {
            (Some(quotes), Side::Buy) if by_quote => quotes.ask_close,
            (Some(quotes), Side::Sell) if by_quote => quotes.bid_close,
            _ => data.prices.close,
        };
        match line.kind {
            OrderKind::Limit { limit } if !self.limit(line.side, limit).met_by(price) => {
                MeetingResult::Fails(Reason::Auction)
            }
            kind => MeetingResult::Fills { price, slips: kind.limit().is_none() },
        }
    }

    /// The first wanted price from `from` on, over this bar and all later ones.
    fn search(&self, line: &Submission, from: Point, wanted: Wanted) -> Option<Point> {
        (from.bar..self.case.series[line.symbol].bars.len()).find_map(|bar| {
            let path = self.path(line.symbol, bar);
            path.first(if bar == from.bar { from } else { path.opening() }, wanted)
        })
    }

    fn trail_on_path(&self, line: &Submission, from: Point, trail: Trail) -> Option<Point> {
        let mut best = self.path(line.symbol, from.bar).price_at(from);
        (from.bar..self.case.series[line.symbol].bars.len()).find_map(|bar| {
            let path = self.path(line.symbol, bar);
            let from = if bar == from.bar { from } else { path.opening() };
            path.trail(from, &mut best, |best| stop_of(line.side, trail, best), line.side == Side::Buy)
        })
    }

    /// Once a bar, at its end, for every bar that lies wholly after `from`.
    fn trail_on_quotes(&self, line: &Submission, from: Point, trail: Trail) -> Option<(Point, f64)> {
        let mut best = self.path(line.symbol, from.bar).price_at(from);
        let first = if from.x == 0.0 { from.bar } else { from.bar + 1 };
        for bar in first..self.case.series[line.symbol].bars.len() {
            let data = self.bar(line.symbol, bar);
            let quotes = data.quotes?;
            let stop = stop_of(line.side, trail, best);
            let hit = match line.side {
                Side::Buy => (quotes.ask_high >= stop).then(|| stop.max(quotes.ask_close)),
                Side::Sell => (quotes.bid_low <= stop).then(|| stop.min(quotes.bid_close)),
            };
            if let Some(price) = hit {
                return Some((Point { bar, x: 3.0, time: data.end, price: None }, price));
            }
            best = match line.side {
                Side::Buy => best.min(quotes.ask_low),
                Side::Sell => best.max(quotes.bid_high),
            };
        }
        None
    }
}

/// The stop of a trailing stop whose best price so far is `best`.
fn stop_of(side: Side, trail: Trail, best: f64) -> f64 {
    match trail {
        Trail::Amount(amount) => best + side.sign() * amount,
        Trail::Percent(percent) => best * (1.0 + side.sign() * percent / 100.0),
    }
}

/// For the open of a session only.
fn is_for_open(line: &Submission) -> bool {
    line.kind == OrderKind::MarketOnOpen || line.tif == TimeInForce::Opg
}

/// For the close of a session only.
fn is_for_close(line: &Submission) -> bool {
    line.kind == OrderKind::MarketOnClose || line.tif == TimeInForce::Cls
}

pub(super) fn is_for_auction(line: &Submission) -> bool {
    is_for_open(line) || is_for_close(line)
}

/// Fills where it first meets a price or not at all.
fn is_now_or_never(line: &Submission) -> bool {
    is_for_auction(line) || matches!(line.tif, TimeInForce::Ioc | TimeInForce::Fok)
}
