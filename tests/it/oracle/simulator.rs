//! The simulator: finds the next thing that happens from scratch, lets it happen, and looks again.

use super::case::{Case, CaseBar, FillRow, FillRule, FinalOrder, Line, Outcome, Reason, Submission};
use super::costs;
use super::path::{Path, Point, Wanted, low_is_nearer};
use tradebot::market::Nanos;
use tradebot::trading::{OrderKind, OrderState, Side, TimeInForce, Trail};

/// Quantities below this are rounding.
const NO_QUANTITY: f64 = 1e-9;
/// Equities closer than this are equal.
const EQUAL_EQUITY: f64 = 1e-6;

/// Runs a case to its end.
pub fn run(case: &Case) -> Outcome {
    let mut simulation = Simulation::new(case);
    let Some(end) = simulation.steps.last().copied() else {
        return simulation.outcome();
    };
    simulation.run_until(end, Phase::OpeningBar);
    for order in &mut simulation.orders {
        if !order.state.is_final() {
            order.state = OrderState::Canceled;
            order.reason = Reason::EndOfData;
        }
    }
    simulation.outcome()
}

/// What comes first of the things that happen at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// A cancel reaches the venue: it wins over every fill of its instant.
    Cancel,
    /// Fills on the path of a bar that started earlier, its close included.
    RunningBar,
    /// Fills at the close of the session.
    SessionClose,
    /// Day orders expire.
    Expiry,
    /// Lines of the file act.
    Decision,
    /// Market orders under `close` and `quote`.
    AtDecision,
    /// A bar that starts now chooses its order of extremes.
    Choice,
    /// Fills at the open of a bar that starts now.
    OpeningBar,
}

/// When something happens, in the order in which things happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    time: Nanos,
    phase: Phase,
    /// Orders: the instant since when it is in the market.
    since: Nanos,
    number: usize,
}

#[derive(Debug, Clone, Copy)]
enum Event {
    CancelArrives,
    Meets(Meeting),
    Expires,
    LinesAct,
    ChoosesPath { symbol: usize, bar: usize },
}

/// An order meets a price.
#[derive(Debug, Clone, Copy)]
struct Meeting {
    time: Nanos,
    phase: Phase,
    bar: usize,
    /// Where on the path; `None` for fills at a close that is over.
    point: Option<Point>,
    result: MeetingResult,
}

#[derive(Debug, Clone, Copy)]
enum MeetingResult {
    Fills {
        price: f64,
        slips: bool,
    },
    /// A stop-limit becomes a limit.
    Triggers,
    /// An order for now or never does not fill.
    Fails(Reason),
}

/// Where an order starts to meet prices.
#[derive(Debug, Clone, Copy)]
enum Start {
    Path(Point),
    /// At `time`, at the closing price of a bar that has ended.
    Close {
        bar: usize,
        time: Nanos,
        phase: Phase,
    },
    /// No bar of its symbol is left.
    Never,
}

#[derive(Debug, Clone)]
struct Order<'a> {
    line: &'a Submission,
    arrives: Nanos,
    expires: Option<Nanos>,
    /// `None` while it is held for its parent.
    start: Option<Start>,
    since: Nanos,
    /// A stop that has met its price.
    triggered: bool,
    filled: f64,
    /// Taken away by fills of its group.
    reduced: f64,
    notional: f64,
    charged: f64,
    state: OrderState,
    reason: Reason,
}

#[derive(Debug, Clone, Copy)]
struct PendingCancel {
    arrives: Nanos,
    target: u32,
}

#[derive(Clone)]
struct Simulation<'a> {
    case: &'a Case,
    steps: Vec<Nanos>,
    now: Nanos,
    next_step: usize,
    /// False in a trial of one bar: the other bars then keep the order of `path`.
    choosing: bool,
    /// By symbol and bar, where chosen: whether the low comes first.
    low_first: Vec<Vec<Option<bool>>>,
    /// By symbol and bar: shares taken from its volume.
    taken: Vec<Vec<f64>>,
    orders: Vec<Order<'a>>,
    cancels: Vec<PendingCancel>,
    fills: Vec<FillRow>,
    cash: f64,
    positions: Vec<f64>,
}

impl<'a> Simulation<'a> {
    fn new(case: &'a Case) -> Simulation<'a> {
        Simulation {
            case,
            steps: case.decision_times(),
            now: Nanos::MIN,
            next_step: 0,
            choosing: matches!(case.rules.fill, FillRule::Pessimistic | FillRule::Optimistic),
            low_first: case.series.iter().map(|s| vec![None; s.bars.len()]).collect(),
            taken: case.series.iter().map(|s| vec![0.0; s.bars.len()]).collect(),
            orders: Vec::new(),
            cancels: Vec::new(),
            fills: Vec::new(),
            cash: case.rules.cash,
            positions: vec![0.0; case.series.len()],
        }
    }

    // ---- time ----

    /// Lets everything happen up to and including `phase` of the instant `end`.
    fn run_until(&mut self, end: Nanos, phase: Phase) {
        while let Some((key, event)) = self.next_event() {
            if (key.time, key.phase) > (end, phase) {
                return;
            }
            assert!(key.time >= self.now, "time runs backwards: {key:?} {event:?} at {}", self.now);
            self.now = key.time;
            match event {
                Event::CancelArrives => {
                    let cancel = self.cancels.remove(key.number);
                    self.cancel(cancel.target);
                }
                Event::Meets(meeting) => self.meet(key.number, meeting),
                Event::Expires => self.end(key.number, OrderState::Expired, Reason::SessionClose),
                Event::LinesAct => self.act(key.time),
                Event::ChoosesPath { symbol, bar } => self.choose_path(symbol, bar),
            }
        }
    }

    fn next_event(&self) -> Option<(Key, Event)> {
        let mut events = Vec::new();
        for (number, cancel) in self.cancels.iter().enumerate() {
            let key = Key { time: cancel.arrives, phase: Phase::Cancel, since: 0, number };
            events.push((key, Event::CancelArrives));
        }
        if let Some(&time) = self.steps.get(self.next_step) {
            events.push((Key { time, phase: Phase::Decision, since: 0, number: 0 }, Event::LinesAct));
        }
        if self.choosing {
            for (symbol, series) in self.case.series.iter().enumerate() {
                if let Some(bar) = self.low_first[symbol].iter().position(|choice| choice.is_none()) {
                    let key = Key { time: series.bars[bar].start, phase: Phase::Choice, since: 0, number: symbol };
                    events.push((key, Event::ChoosesPath { symbol, bar }));
                }
            }
        }
        for (number, order) in self.orders.iter().enumerate().filter(|(_, o)| !o.state.is_final()) {
            if let Some(time) = order.expires {
                events.push((Key { time, phase: Phase::Expiry, since: 0, number }, Event::Expires));
            }
            if let Some(meeting) = self.next_meeting(number) {
                let key = Key { time: meeting.time, phase: meeting.phase, since: order.since, number };
                events.push((key, Event::Meets(meeting)));
            }
        }
        events.into_iter().min_by_key(|(key, _)| *key)
    }

    // ---- lines of the file ----

    /// The lines whose first bar end at or after their time is `now` act, in order of the file.
    fn act(&mut self, now: Nanos) {
        let earlier = self.next_step.checked_sub(1).map_or(Nanos::MIN, |i| self.steps[i]);
        self.next_step += 1;
        let case = self.case;
        for line in case.lines.iter().filter(|l| earlier < l.ts() && l.ts() <= now) {
            match line {
                Line::Submit(line) => self.submit(line, now),
                Line::Cancel { target, .. } => {
                    self.cancels.push(PendingCancel { arrives: now + case.rules.latency, target: *target });
                }
            }
        }
    }

    fn submit(&mut self, line: &'a Submission, now: Nanos) {
        let rules = &self.case.rules;
        let ignores_latency = line.kind == OrderKind::Market
            && !is_for_auction(line)
            && matches!(rules.fill, FillRule::NextOpen | FillRule::Close | FillRule::Quote);
        let arrives = if ignores_latency { now } else { now + rules.latency };
        let is_day_order = line.tif == TimeInForce::Day && !is_for_auction(line);
        let expires = self.case.days.iter().map(|d| d.close).find(|&close| is_day_order && close > now);
        let number = self.orders.len();
        self.orders.push(Order {
            line,
            arrives,
            expires,
            start: None,
            since: arrives,
            triggered: false,
            filled: 0.0,
            reduced: 0.0,
            notional: 0.0,
            charged: 0.0,
            state: OrderState::Working,
            reason: Reason::Complete,
        });
        if !self.is_valid(line) {
            self.end(number, OrderState::Rejected, Reason::Invalid);
            return;
        }
        match self.parent(number) {
            Some(p) if self.orders[p].filled == 0.0 => {
                if self.orders[p].state.is_final() {
                    self.end(number, OrderState::Canceled, Reason::Parent);
                }
            }
            _ => self.go_live(number, arrives, None),
        }
    }

    fn is_valid(&self, line: &Submission) -> bool {
        let at_once = matches!(line.tif, TimeInForce::Ioc | TimeInForce::Fok);
        let one_auction = matches!(line.tif, TimeInForce::Opg | TimeInForce::Cls);
        let tif_fits = match line.kind {
            OrderKind::Market | OrderKind::Limit { .. } => true,
            OrderKind::MarketOnOpen => !at_once && line.tif != TimeInForce::Cls,
            OrderKind::MarketOnClose => !at_once && line.tif != TimeInForce::Opg,
            _ => !at_once && !one_auction,
        };
        let qty_fits = line.qty > 0.0 && (self.case.rules.fractional || line.qty.fract() == 0.0);
        let parent_known = line.parent.is_none_or(|p| self.orders.iter().any(|o| o.line.id == p));
        tif_fits && qty_fits && parent_known
    }

    fn cancel(&mut self, target: u32) {
        let Some(number) = self.orders.iter().position(|o| o.line.id == target) else {
            return;
        };
        if self.orders[number].state.is_final() {
            return;
        }
        self.end(number, OrderState::Canceled, Reason::Request);
        for child in self.children(number) {
            if self.orders[child].filled == 0.0 {
                self.end(child, OrderState::Canceled, Reason::Parent);
            }
        }
    }

    // ---- families of orders ----

    fn parent(&self, number: usize) -> Option<usize> {
        let id = self.orders[number].line.parent?;
        self.orders.iter().position(|o| o.line.id == id)
    }

    fn children(&self, number: usize) -> Vec<usize> {
        (0..self.orders.len()).filter(|&n| self.parent(n) == Some(number)).collect()
    }

    /// The other members of the order's one-cancels-other group.
    fn siblings(&self, number: usize) -> Vec<usize> {
        let group = |n: usize| self.orders[n].line.group();
        let Some(own) = group(number) else {
            return Vec::new();
        };
        (0..self.orders.len()).filter(|&n| n != number && group(n) == Some(own)).collect()
    }

    /// What the order may fill in the end, before what its group took: a child of an ended parent no more than
    /// the parent got.
    fn total(&self, number: usize) -> f64 {
        let qty = self.orders[number].line.qty;
        match self.parent(number) {
            Some(p) if self.orders[p].state.is_final() => qty.min(self.orders[p].filled),
            _ => qty,
        }
    }

    /// What the order may fill now.
    fn open_quantity(&self, number: usize) -> f64 {
        let order = &self.orders[number];
        let available = match self.parent(number) {
            Some(p) => order.line.qty.min(self.orders[p].filled),
            None => order.line.qty,
        };
        let open = available - order.reduced - order.filled;
        if open < NO_QUANTITY { 0.0 } else { open }
    }

    fn is_used_up(&self, number: usize) -> bool {
        self.total(number) - self.orders[number].reduced - self.orders[number].filled < NO_QUANTITY
    }

    /// Ends an order that is not at its end yet, and what hangs on it.
    fn end(&mut self, number: usize, state: OrderState, reason: Reason) {
        let order = &mut self.orders[number];
        if order.state.is_final() {
            return;
        }
        order.state = state;
        order.reason = reason;
        let nothing_filled = order.filled == 0.0;
        for child in self.children(number) {
            if nothing_filled {
                self.end(child, OrderState::Canceled, Reason::Parent);
            } else if self.is_used_up(child) {
                self.end_used_up(child);
            }
        }
    }

    fn end_used_up(&mut self, number: usize) {
        if self.orders[number].reduced == 0.0 {
            self.end(number, OrderState::Filled, Reason::Complete);
        } else {
            self.end(number, OrderState::Canceled, Reason::Group);
        }
    }

    // ---- where an order meets prices ----

    /// Puts an order into the market at `time`; a child at the point of its parent's fill, if that is on a path.
    fn go_live(&mut self, number: usize, time: Nanos, at: Option<Point>) {
        let line = self.orders[number].line;
        let at_last_close = matches!(self.case.rules.fill, FillRule::Close | FillRule::Quote);
        let start = if is_for_open(line) {
            self.session_open(line.symbol, time)
        } else if is_for_close(line) {
            self.session_close(line.symbol, time)
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

    fn open_of(&self, symbol: usize, bar: Option<usize>) -> Start {
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

    fn session_close(&self, symbol: usize, time: Nanos) -> Start {
        let days = self.case.days.iter().filter(|d| d.close >= time);
        let last_bars = days.filter_map(|d| Some((d.close, self.case.bars_of_day(symbol, d).pop()?)));
        match last_bars.min() {
            Some((close, bar)) => Start::Close { bar, time: close, phase: Phase::SessionClose },
            None => Start::Never,
        }
    }

    fn bar(&self, symbol: usize, bar: usize) -> &'a CaseBar {
        &self.case.series[symbol].bars[bar]
    }

    fn path(&self, symbol: usize, bar: usize) -> Path {
        let data = self.bar(symbol, bar);
        Path::new(bar, data, self.low_first[symbol][bar].unwrap_or_else(|| low_is_nearer(data)))
    }

    /// What the order meets next, as far as is known now.
    fn next_meeting(&self, number: usize) -> Option<Meeting> {
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

    // ---- what happens then ----

    fn meet(&mut self, number: usize, meeting: Meeting) {
        match meeting.result {
            MeetingResult::Fails(reason) => self.end(number, OrderState::Canceled, reason),
            MeetingResult::Triggers => {
                self.orders[number].triggered = true;
                self.orders[number].start = meeting.point.map(Start::Path);
            }
            MeetingResult::Fills { price, slips } => self.fill(number, meeting, price, slips),
        }
    }

    fn fill(&mut self, number: usize, meeting: Meeting, price: f64, slips: bool) {
        let line = self.orders[number].line;
        let open = self.open_quantity(number);
        let qty = open.min(self.volume_left(line.symbol, meeting.bar));
        if line.tif == TimeInForce::Fok && open - qty >= NO_QUANTITY {
            self.end(number, OrderState::Canceled, Reason::NotAtOnce);
            return;
        }
        self.orders[number].triggered = true;
        if qty >= NO_QUANTITY {
            self.book(number, meeting, price, slips, qty);
        }
        if self.orders[number].state.is_final() {
            return;
        }
        if matches!(line.tif, TimeInForce::Ioc | TimeInForce::Fok) {
            self.end(number, OrderState::Canceled, Reason::NotAtOnce);
        } else if is_for_auction(line) {
            self.end(number, OrderState::Canceled, Reason::Auction);
        } else if open - qty >= NO_QUANTITY {
            self.orders[number].start = Some(self.open_of(line.symbol, Some(meeting.bar + 1)));
        }
    }

    /// What orders may still take of a bar's volume.
    fn volume_left(&self, symbol: usize, bar: usize) -> f64 {
        let rules = &self.case.rules;
        if rules.participation == 0.0 {
            return f64::INFINITY;
        }
        let cap = rules.participation * self.bar(symbol, bar).prices.volume;
        let cap = if rules.fractional { cap } else { cap.floor() };
        (cap - self.taken[symbol][bar]).max(0.0)
    }

    /// Enters a fill everywhere: account, group, children.
    fn book(&mut self, number: usize, meeting: Meeting, price: f64, slips: bool, qty: f64) {
        let rules = &self.case.rules;
        let line = self.orders[number].line;
        let price = if slips {
            costs::slipped(rules.slippage, line.side, price, qty, self.bar(line.symbol, meeting.bar))
        } else {
            price
        };
        let asleep: Vec<usize> =
            self.children(number).into_iter().filter(|&child| self.open_quantity(child) == 0.0).collect();

        let order = &mut self.orders[number];
        order.filled += qty;
        order.notional += qty * price;
        let fee = costs::commission(rules.commission, order.filled, order.notional) - order.charged;
        order.charged += fee;
        self.cash -= line.side.sign() * qty * price + fee;
        self.positions[line.symbol] += line.side.sign() * qty;
        self.taken[line.symbol][meeting.bar] += qty;
        self.fills.push(FillRow { order: line.id, time: meeting.time, qty, price, commission: fee });
        if self.is_used_up(number) {
            self.end(number, OrderState::Filled, Reason::Complete);
        }

        for sibling in self.siblings(number) {
            self.orders[sibling].reduced += qty;
            if self.is_used_up(sibling) {
                self.end(sibling, OrderState::Canceled, Reason::Group);
            }
        }
        for child in asleep {
            if !self.orders[child].state.is_final() {
                self.wake(child, line.symbol, meeting);
            }
        }
    }

    /// Brings a child into the market at a fill of its parent, or at its own arrival if that is later.
    fn wake(&mut self, child: usize, parent_symbol: usize, meeting: Meeting) {
        let order = &mut self.orders[child];
        let same_symbol = order.line.symbol == parent_symbol;
        let late = order.arrives > meeting.time;
        let time = meeting.time.max(order.arrives);
        if order.start.is_none() {
            order.since = time;
        }
        let at = meeting.point.filter(|_| same_symbol && !late);
        self.go_live(child, time, at);
    }

    // ---- the worse or the better path ----

    fn choose_path(&mut self, symbol: usize, bar: usize) {
        let low_first = self.equity_under(symbol, bar, true);
        let high_first = self.equity_under(symbol, bar, false);
        let choice = if (low_first - high_first).abs() <= EQUAL_EQUITY {
            low_is_nearer(self.bar(symbol, bar))
        } else if self.case.rules.fill == FillRule::Pessimistic {
            low_first < high_first
        } else {
            low_first > high_first
        };
        self.low_first[symbol][bar] = Some(choice);
    }

    /// Equity at the close of a bar that is about to start, under one order of its extremes.
    fn equity_under(&self, symbol: usize, bar: usize, low_first: bool) -> f64 {
        let end = self.bar(symbol, bar).end;
        let mut trial = self.clone();
        trial.choosing = false;
        trial.low_first[symbol][bar] = Some(low_first);
        trial.run_until(end, Phase::RunningBar);
        trial.equity(end)
    }

    // ---- the result ----

    /// Cash and positions at the closes of the last bars that have ended by `time`.
    fn equity(&self, time: Nanos) -> f64 {
        let mut equity = self.cash;
        for (series, position) in self.case.series.iter().zip(&self.positions) {
            if let Some(bar) = series.bars.iter().rfind(|b| b.end <= time) {
                equity += position * bar.prices.close;
            }
        }
        equity
    }

    fn outcome(&self) -> Outcome {
        let orders = self.orders.iter().map(|o| FinalOrder {
            id: o.line.id,
            state: o.state,
            filled: o.filled,
            reason: o.reason,
        });
        Outcome {
            fills: self.fills.clone(),
            orders: orders.collect(),
            cash: self.cash,
            positions: self.positions.clone(),
            equity: self.equity(self.steps.last().copied().unwrap_or(Nanos::MAX)),
        }
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

fn is_for_auction(line: &Submission) -> bool {
    is_for_open(line) || is_for_close(line)
}

/// Fills where it first meets a price or not at all.
fn is_now_or_never(line: &Submission) -> bool {
    is_for_auction(line) || matches!(line.tif, TimeInForce::Ioc | TimeInForce::Fok)
}
