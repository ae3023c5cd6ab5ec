//! The simulator: finds the next thing that happens from scratch, lets it happen, and looks again.

mod family;
mod meeting;

use self::meeting::is_for_auction;
use super::case::{Case, FillRow, FillRule, FinalOrder, Line, Outcome, Reason, Submission};
use super::costs;
use super::path::{Point, low_is_nearer};
use tradebot::market::Nanos;
use tradebot::trading::{OrderKind, OrderState, TimeInForce};

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
    decided: Nanos,
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
            decided: now,
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
        let cap = if rules.fractional { cap } else { (cap + NO_QUANTITY).floor() };
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
