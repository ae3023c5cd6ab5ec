//! The simulated venue: the orders it knows, when something can happen to them, and what happens.
//!
//! | file | subject |
//! | --- | --- |
//! | `venue` | orders come in, bars are tried under both orders of their extremes, outcomes are booked |
//! | `lone` | the commonest case, a single market order, without the machinery |
//! | `linked` | bars of several instruments whose orders share a group |
//! | `points` | fills outside bars: at the decision (`close`, `quote`) and at the session's close |
//! | `cash` | what a cash account allows |
//! | `schedule` | the next step at which something can happen |

mod cash;
mod linked;
mod lone;
mod points;
mod schedule;

use super::matching::{BarConditions, GroupFill, Lane, MatchRules};
use super::orders::{Happening, InFlight, LiveOrder, NO_ORDER, Outcome, QTY_EPSILON, Stage};
use super::path::{Path, nearer_is_low};
use super::random::symbol_key;
use super::{FillRule, SimRules};
use crate::market::{Bar, Market, Nanos, SymbolId};
use crate::risk::{Approved, BarVenue, Venue};
use crate::trading::{
    Execution, Instruments, Order, OrderChange, OrderId, OrderKind, OrderState, Portfolio, TimeInForce,
};

/// Nothing can happen to the orders of an instrument within the day.
const NO_STEP: usize = usize::MAX;

/// An order that expires with the next session, whichever that will be.
const NEXT_SESSION: Nanos = Nanos::MAX - 1;

/// Groups made of the children of one parent are told from labelled groups by this bit.
const PARENT_GROUP: u32 = 1 << 31;

/// The orders of one instrument.
#[derive(Debug, Clone, Default)]
struct Book {
    /// In order of id.
    live: Vec<LiveOrder>,
    /// In order of arrival.
    in_flight: Vec<InFlight>,
    /// The next step of the day at which something can happen.
    next: usize,
    /// Bar in which volume was taken last, and how much.
    volume_bar: usize,
    volume_used: f64,
    /// Key of the random draws of the driving symbol.
    draw_key: u64,
    /// Orders came or went since `next` was found.
    dirty: bool,
    /// One of its orders is or was in a group with orders of another instrument.
    linked: bool,
    /// What the bar that is being tried leaves behind.
    pending: Pending,
}

/// What a tried bar leaves behind when it is adopted.
#[derive(Debug, Clone, Default)]
struct Pending {
    live: Vec<LiveOrder>,
    bar: usize,
    /// Shares taken from the bar's volume.
    used: f64,
    /// Cancels and changes that have been applied.
    flights: usize,
    /// Orders that the other order of extremes would have filled differently, and by how many dollars.
    ambiguous: Vec<OrderId>,
    difference: f64,
}

/// The simulated venue of one run.
#[derive(Debug)]
pub struct SimVenue {
    rules: SimRules,
    match_rules: MatchRules,
    cash_account: bool,
    /// Do without the shortcut for a single market order: for the test that it changes nothing.
    pub(crate) general_path_only: bool,
    books: Vec<Book>,
    /// Instruments with orders or cancels, ascending.
    active: Vec<SymbolId>,
    has_links: bool,
    day: usize,
    /// When the orders of the day expire.
    today_end: Nanos,
    /// Last step whose bars the venue has seen; `None` before the first of the day.
    step: Option<usize>,
    /// Step at which the day's closing auction takes place; [`NO_STEP`]: after the day's last step.
    auction_step: usize,
    auction_held: bool,
    day_closed: bool,
    /// Market orders that fill at the instant of their decision.
    immediate: Vec<(SymbolId, OrderId)>,
    /// Sum of the absolute differences between the two orders of extremes, dollars.
    ambiguity_pnl: f64,
    /// Instruments whose bars are being processed.
    touched: Vec<SymbolId>,
    /// What happened, with the bar it happened in.
    outcomes: Vec<(SymbolId, u32, Outcome)>,
    trial: [Lane; 2],
    linked: linked::Trial,
    /// Working memory of the cash account.
    held: Vec<(SymbolId, f64)>,
    /// What happened outside bars.
    settled: Vec<Outcome>,
    reductions: Vec<String>,
}

impl SimVenue {
    /// A venue for the instruments of a market.
    pub fn new(market: &Market, rules: SimRules, cash_account: bool) -> SimVenue {
        let match_rules = MatchRules {
            commission: rules.commission,
            slippage: rules.slippage,
            penetrate: rules.limit_penetrate,
            fractional: rules.fractional,
        };
        let books = market.symbols.iter().map(|name| Book::new(symbol_key(rules.seed, name))).collect();
        SimVenue {
            rules,
            match_rules,
            cash_account,
            general_path_only: false,
            books,
            active: Vec::new(),
            has_links: false,
            day: 0,
            today_end: Nanos::MIN,
            step: None,
            auction_step: NO_STEP,
            auction_held: false,
            day_closed: false,
            immediate: Vec::new(),
            ambiguity_pnl: 0.0,
            touched: Vec::new(),
            outcomes: Vec::new(),
            trial: Default::default(),
            linked: linked::Trial::default(),
            held: Vec::new(),
            settled: Vec::new(),
            reductions: Vec::new(),
        }
    }

    /// Instruments with orders, ascending.
    pub fn active(&self) -> &[SymbolId] {
        &self.active
    }

    /// Fills and state changes of the bars that end at `step`.
    fn run_bars(&mut self, step: usize, portfolio: &mut Portfolio, instruments: &Instruments<'_>) {
        if self.active.is_empty() {
            self.step = Some(step);
            return;
        }
        if !self.auction_held && instruments.market.steps[step] > instruments.market.days[self.day].close {
            self.hold_auction(portfolio, instruments);
        }
        self.step = Some(step);
        self.touched.clear();
        let linked = self.has_links && self.active.iter().any(|&s| self.book(s).linked && self.book(s).next == step);
        for k in 0..self.active.len() {
            let symbol = self.active[k];
            let book = self.book(symbol);
            if book.next == step || (linked && book.linked) {
                self.touched.push(symbol);
            }
        }
        if self.touched.is_empty() {
            return;
        }
        loop {
            self.outcomes.clear();
            for k in 0..self.touched.len() {
                let symbol = self.touched[k];
                if !(linked && self.book(symbol).linked) {
                    self.try_bar(symbol, step, instruments);
                }
            }
            if linked {
                self.try_linked(step, instruments);
            }
            if self.touched.len() > 1 {
                // Stable: events of one symbol keep their order.
                self.outcomes.sort_by_key(|(symbol, _, outcome)| (outcome.time, *symbol));
            }
            if !self.cash_account || !self.limit_by_cash(portfolio, instruments) {
                break;
            }
        }
        for (_, bar, outcome) in &self.outcomes {
            book_outcome(portfolio, instruments, outcome, *bar);
        }
        for k in 0..self.touched.len() {
            let symbol = self.touched[k];
            self.adopt(symbol, portfolio);
            self.schedule(symbol, instruments);
        }
        self.retire();
    }

    fn book(&self, symbol: SymbolId) -> &Book {
        &self.books[symbol.index()]
    }

    /// The bar of `symbol` that ends at `step`, with its index and span.
    fn bar_at(
        &self,
        symbol: SymbolId,
        step: usize,
        instruments: &Instruments<'_>,
    ) -> Option<(Bar, usize, Nanos, Nanos)> {
        let driver = instruments.driver(symbol);
        let i = instruments.market.bar_at(driver, self.day, step)?;
        let (start, end) = (instruments.market.series[driver.index()].start[i], instruments.market.steps[step]);
        Some((instruments.bar(symbol, i, start, end), i, start, end))
    }

    /// Tries the bar of `symbol` that ends at `step` under the rule's order of extremes and the other, and
    /// lists what happens. The book itself is not changed.
    fn try_bar(&mut self, symbol: SymbolId, step: usize, instruments: &Instruments<'_>) {
        let Some((bar, i, start, end)) = self.bar_at(symbol, step, instruments) else {
            self.between_bars(symbol, step, instruments);
            return;
        };
        if self.try_lone_market_order(symbol, &bar, i, start, end, instruments) {
            return;
        }
        let conditions = self.conditions(symbol, &bar, i, start, end, instruments);
        let book = &self.books[symbol.index()];
        let low_first = nearer_is_low(&bar);
        let mut equity = [0.0; 2];
        for (k, lane) in self.trial.iter_mut().enumerate() {
            let path = Path::new(&bar, start, end, low_first == (k == 0));
            lane.load(&book.live, &book.in_flight, BarConditions { path, ..conditions });
            lane.run();
            equity[k] = value_at_close(&lane.out, &lane.orders, bar.close);
        }
        let differs = fills_differ(&self.trial[0].out, &self.trial[1].out);
        let chosen = self.choose(differs, equity);
        let lane = &self.trial[chosen];
        self.outcomes.extend(lane.out.iter().map(|o| (symbol, i as u32, *o)));
        let pending = &mut self.books[symbol.index()].pending;
        pending.start(i, differs, equity);
        pending.take(lane);
        if differs {
            mark_different(&self.trial[0].out, &self.trial[1].out, &mut pending.ambiguous);
        }
    }

    /// Lists what cancels and changes do that arrive while no bar of the instrument is running.
    fn between_bars(&mut self, symbol: SymbolId, step: usize, instruments: &Instruments<'_>) {
        let until = self.idle_until(symbol, step, instruments);
        let book = &mut self.books[symbol.index()];
        let lane = &mut self.trial[0];
        lane.load_idle(&book.live, &book.in_flight, until);
        lane.run();
        self.outcomes.extend(lane.out.iter().map(|o| (symbol, 0, *o)));
        book.pending.start(usize::MAX, false, [0.0; 2]);
        book.pending.take(lane);
    }

    /// Which order of extremes the fill rule takes: 0, the one of the rule `path`, or 1, the other.
    fn choose(&self, differs: bool, equity: [f64; 2]) -> usize {
        usize::from(differs && self.rules.fill.takes_other(equity[1] - equity[0]))
    }

    /// What bar `i` of an instrument offers; its path is that of the low first.
    fn conditions(
        &self,
        symbol: SymbolId,
        bar: &Bar,
        i: usize,
        start: Nanos,
        end: Nanos,
        instruments: &Instruments<'_>,
    ) -> BarConditions {
        let day = &instruments.market.days[self.day];
        let book = self.book(symbol);
        let used = if book.volume_bar == i { book.volume_used } else { 0.0 };
        let capacity = if self.rules.participation > 0.0 {
            (self.rules.participation * bar.volume - used).max(0.0)
        } else {
            f64::INFINITY
        };
        // Puts have neither quotes nor an official open, and an instant outside the bars opens no session.
        let series = instruments.market.series.get(symbol.index());
        let opens_session = series.filter(|_| start < end).and_then(|series| {
            let first = instruments.market.day_range(symbol, self.day).start;
            let opens = start >= day.open && (i == first || series.start[i - 1] < day.open);
            opens.then_some(day.open)
        });
        let quotes = series.and_then(|series| series.quotes.as_ref());
        let quote = quotes.filter(|_| self.rules.fill == FillRule::Quote).map(|quotes| quotes.bar(i));
        BarConditions {
            path: Path::new(bar, start, end, true),
            volume: bar.volume,
            capacity,
            spread: quotes.and_then(|quotes| quotes.spread(i)),
            opens_session,
            date: day.date,
            quote,
            rules: self.match_rules,
        }
    }

    /// Makes the tried state of a book its real one.
    fn adopt(&mut self, symbol: SymbolId, portfolio: &mut Portfolio) {
        let book = &mut self.books[symbol.index()];
        let pending = &mut book.pending;
        std::mem::swap(&mut book.live, &mut pending.live);
        book.live.retain(|o| o.stage != Stage::Done);
        for order in &mut book.live {
            order.cash_cap = f64::INFINITY;
        }
        book.in_flight.drain(..pending.flights);
        self.ambiguity_pnl += pending.difference;
        for id in pending.ambiguous.drain(..) {
            portfolio.mark_ambiguous(id);
        }
        let (bar, used) = (pending.bar, pending.used);
        if used > 0.0 {
            book.take_volume(bar, used);
        }
    }

    /// Drops instruments without orders from the active list.
    fn retire(&mut self) {
        let books = &mut self.books;
        let mut has_links = false;
        self.active.retain(|s| {
            let book = &mut books[s.index()];
            let keep = !(book.live.is_empty() && book.in_flight.is_empty());
            book.linked &= keep;
            has_links |= book.linked;
            keep
        });
        self.has_links = has_links;
    }

    /// Books what was listed in `settled`, and takes its fills from groups in other instruments.
    fn settle(&mut self, symbol: SymbolId, bar: u32, portfolio: &mut Portfolio, instruments: &Instruments<'_>) {
        for outcome in &self.settled {
            book_outcome(portfolio, instruments, outcome, bar);
        }
        self.settled.clear();
        self.books[symbol.index()].live.retain(|o| o.stage != Stage::Done);
    }

    /// Cancels every order of an instrument at once, without latency.
    fn cancel_all(
        &mut self,
        symbol: SymbolId,
        time: Nanos,
        reason: &'static str,
        portfolio: &mut Portfolio,
        instruments: &Instruments<'_>,
    ) {
        let book = &mut self.books[symbol.index()];
        for order in book.live.drain(..) {
            self.settled.push(Outcome { time, id: order.id, what: Happening::Canceled(reason) });
        }
        book.in_flight.clear();
        self.settle(symbol, 0, portfolio, instruments);
        self.retire();
    }

    /// Tells the venue that everything decided at a step has been submitted: finds out when something can
    /// happen next to the orders of the instruments concerned.
    fn reschedule(&mut self, instruments: &Instruments<'_>) {
        for k in 0..self.active.len() {
            let symbol = self.active[k];
            if self.books[symbol.index()].dirty {
                self.books[symbol.index()].dirty = false;
                self.schedule(symbol, instruments);
            }
        }
    }

    /// A change, or a cancel (`None`), on its way after an order.
    fn send_after(&mut self, symbol: SymbolId, id: OrderId, change: Option<OrderChange>, decided: Nanos) {
        let arrival = decided + self.rules.latency;
        self.books[symbol.index()].in_flight.push(InFlight { arrival, id, change });
        self.activate(symbol);
    }

    fn activate(&mut self, symbol: SymbolId) {
        if let Err(at) = self.active.binary_search(&symbol) {
            self.active.insert(at, symbol);
        }
        self.books[symbol.index()].dirty = true;
    }

    /// Notes that a labelled group has orders in several instruments.
    fn link(&mut self, symbol: SymbolId, group: u32) {
        for k in 0..self.active.len() {
            let other = self.active[k];
            if other != symbol && self.book(other).live.iter().any(|o| o.oco == group) {
                self.books[other.index()].linked = true;
                self.books[symbol.index()].linked = true;
                self.has_links = true;
            }
        }
    }

    fn expiry(&self, order: &Order) -> Nanos {
        if order.request.tif != TimeInForce::Day
            || matches!(order.request.kind, OrderKind::MarketOnClose | OrderKind::MarketOnOpen)
        {
            return Nanos::MAX;
        }
        if order.decided < self.today_end { self.today_end } else { NEXT_SESSION }
    }
}

impl Book {
    fn new(draw_key: u64) -> Book {
        Book { next: NO_STEP, volume_bar: usize::MAX, draw_key, ..Book::default() }
    }

    fn take_volume(&mut self, bar: usize, qty: f64) {
        if self.volume_bar != bar {
            self.volume_bar = bar;
            self.volume_used = 0.0;
        }
        self.volume_used += qty;
    }
}

impl Pending {
    /// Forgets the last trial.
    fn start(&mut self, bar: usize, differs: bool, equity: [f64; 2]) {
        self.live.clear();
        self.bar = bar;
        self.used = 0.0;
        self.flights = 0;
        self.ambiguous.clear();
        self.difference = if differs { (equity[1] - equity[0]).abs() } else { 0.0 };
    }

    fn take(&mut self, lane: &Lane) {
        self.live.extend_from_slice(&lane.orders);
        self.used = lane.used;
        self.flights = lane.flights_applied();
    }
}

impl Venue for SimVenue {
    fn grow(&mut self, instruments: &Instruments<'_>) {
        // The draws of a put are those of its underlying.
        for id in self.books.len()..instruments.len() {
            let draw_key = self.books[instruments.driver(SymbolId(id as u32)).index()].draw_key;
            self.books.push(Book::new(draw_key));
        }
    }

    fn submit(&mut self, approved: Approved<Order>) {
        let order = approved.into_inner();
        let request = order.request;
        let kind = match (request.kind, request.tif) {
            (OrderKind::Market, TimeInForce::Opg) => OrderKind::MarketOnOpen,
            (OrderKind::Market, TimeInForce::Cls) => OrderKind::MarketOnClose,
            (kind, _) => kind,
        };
        let is_market = kind == OrderKind::Market;
        let book = self.book(request.symbol);
        let slip_pct = match kind.limit() {
            None => self.rules.slippage.draw(book.draw_key, order.symbol_number),
            Some(_) => 0.0,
        };
        // A parent that the book no longer knows has ended, and the child was approved for what it filled.
        let parent_filled = request.parent.and_then(|p| book.live.iter().find(|o| o.id == p)).map(|p| p.filled);
        let held = parent_filled.is_some_and(|filled| filled <= QTY_EPSILON);
        let no_latency = is_market && self.rules.fill.ignores_latency();
        let arrival = order.decided + if no_latency { 0 } else { self.rules.latency };
        let live = LiveOrder {
            id: order.id,
            side: request.side,
            kind,
            tif: request.tif,
            stage: if held { Stage::Held } else { Stage::Traveling },
            arrival,
            entered: arrival,
            waits_for_open: is_market && self.rules.fill == FillRule::NextOpen,
            expires: self.expiry(&order),
            total: request.qty,
            active: parent_filled.map_or(request.qty, |filled| filled.min(request.qty)),
            filled: 0.0,
            oco: request.oco.or(request.parent.map(|p| PARENT_GROUP | p.0)).unwrap_or(NO_ORDER),
            strategy: order.strategy,
            liquidates: order.liquidates,
            reduced: false,
            parent: request.parent.map_or(NO_ORDER, |p| p.0),
            waking: false,
            best: f64::NAN,
            initial_stop: match kind {
                OrderKind::TrailingStop { stop: Some(stop), .. } => stop,
                _ => f64::NAN,
            },
            slip_pct,
            notional: 0.0,
            fee: 0.0,
            cash_cap: f64::INFINITY,
        };
        if let Some(group) = request.oco {
            self.link(request.symbol, group);
        }
        self.books[request.symbol.index()].live.push(live);
        if is_market && request.parent.is_none() && self.rules.fill.is_immediate() {
            self.immediate.push((request.symbol, order.id));
        }
        self.activate(request.symbol);
    }

    fn cancel(&mut self, symbol: SymbolId, id: OrderId, decided: Nanos) {
        self.send_after(symbol, id, None, decided);
    }

    fn replace(&mut self, symbol: SymbolId, id: OrderId, change: Approved<OrderChange>, decided: Nanos) {
        self.send_after(symbol, id, Some(change.into_inner()), decided);
    }
}

impl BarVenue for SimVenue {
    fn start_day(&mut self, day: usize, instruments: &Instruments<'_>) {
        self.day = day;
        self.step = None;
        self.auction_held = false;
        self.day_closed = false;
        let d = &instruments.market.days[day];
        // Nearly always the day's last step: a search would touch memory all over the day.
        let steps = &instruments.market.steps[d.first_step..d.end_step];
        let after = match steps {
            [.., before, last] if *before < d.close && *last >= d.close => steps.len() - 1,
            _ => steps.partition_point(|&t| t < d.close),
        };
        self.auction_step = if after < steps.len() { d.first_step + after } else { NO_STEP };
        self.today_end = d.end;
        for k in 0..self.active.len() {
            let symbol = self.active[k];
            for order in &mut self.books[symbol.index()].live {
                if order.expires == NEXT_SESSION {
                    order.expires = d.end;
                }
            }
            self.schedule(symbol, instruments);
        }
    }

    fn extend_day(&mut self, instruments: &Instruments<'_>) {
        for k in 0..self.active.len() {
            self.schedule(self.active[k], instruments);
        }
    }

    #[inline]
    fn next_step(&self) -> Option<usize> {
        let next = self.active.iter().map(|s| self.books[s.index()].next).min()?;
        let auction = if self.auction_held { NO_STEP } else { self.auction_step };
        let next = next.min(auction);
        if next == NO_STEP { None } else { Some(next) }
    }

    fn process(&mut self, step: usize, portfolio: &mut Portfolio, instruments: &Instruments<'_>) {
        self.run_bars(step, portfolio, instruments);
        self.end_of_step(step, portfolio, instruments);
    }

    fn settle(&mut self, step: usize, portfolio: &mut Portfolio, instruments: &Instruments<'_>) -> bool {
        let any = !self.immediate.is_empty();
        if any {
            self.fill_immediate(step, portfolio, instruments);
        }
        self.reschedule(instruments);
        any
    }

    fn end_of_day(&mut self, portfolio: &mut Portfolio, instruments: &Instruments<'_>) {
        self.close_day(portfolio, instruments);
    }

    // A split of `ratio` shares for one: every order of the instrument is cancelled at once, without latency,
    // and what was taken from the volume of the last bar counts in new shares.
    fn split(
        &mut self,
        symbol: SymbolId,
        ratio: f64,
        time: Nanos,
        portfolio: &mut Portfolio,
        instruments: &Instruments<'_>,
    ) {
        self.cancel_all(symbol, time, "split", portfolio, instruments);
        self.books[symbol.index()].volume_used *= ratio;
    }

    // The data ends: cancels that arrive at that instant still count, everything else is cancelled.
    fn end_of_data(&mut self, time: Nanos, portfolio: &mut Portfolio, instruments: &Instruments<'_>) {
        for symbol in self.active.clone() {
            self.apply_arrived(symbol, time, None);
            self.settle(symbol, 0, portfolio, instruments);
            self.cancel_all(symbol, time, "end_of_data", portfolio, instruments);
        }
    }

    // Each for its bar alone.
    fn ambiguity_pnl(&self) -> f64 {
        self.ambiguity_pnl
    }

    fn keeps_account(&self) -> bool {
        true
    }

    fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.reductions)
    }
}

/// What the fills of a bar are worth at its close, dollars.
fn value_at_close(out: &[Outcome], orders: &[LiveOrder], close: f64) -> f64 {
    let mut value = 0.0;
    for outcome in out {
        if let Happening::Fill { qty, price, commission, .. } = outcome.what
            && let Some(order) = orders.iter().find(|o| o.id == outcome.id)
        {
            value += order.side.sign() * qty * (close - price) - commission;
        }
    }
    value
}

fn fill_of(outcome: &Outcome) -> Option<(OrderId, f64, f64)> {
    match outcome.what {
        Happening::Fill { qty, raw, .. } => Some((outcome.id, qty, raw)),
        _ => None,
    }
}

/// Whether two lists hold different fills; their instants do not matter.
fn fills_differ(a: &[Outcome], b: &[Outcome]) -> bool {
    let missing = |x: &[Outcome], y: &[Outcome]| {
        x.iter().filter_map(fill_of).any(|fill| !y.iter().filter_map(fill_of).any(|other| other == fill))
    };
    missing(a, b) || missing(b, a)
}

/// The orders whose fills differ between two lists.
fn mark_different(a: &[Outcome], b: &[Outcome], marked: &mut Vec<OrderId>) {
    for (x, y) in [(a, b), (b, a)] {
        for fill in x.iter().filter_map(fill_of) {
            if !y.iter().filter_map(fill_of).any(|other| other == fill) && !marked.contains(&fill.0) {
                marked.push(fill.0);
            }
        }
    }
}

/// Takes one happening into the portfolio.
fn book_outcome(portfolio: &mut Portfolio, instruments: &Instruments<'_>, outcome: &Outcome, bar: u32) {
    let Outcome { id, time, what } = *outcome;
    match what {
        Happening::Working => portfolio.change_state(id, time, OrderState::Working, ""),
        Happening::Completed => portfolio.change_state(id, time, OrderState::Filled, "parent ended"),
        Happening::Canceled(reason) => portfolio.change_state(id, time, OrderState::Canceled, reason),
        Happening::Expired => portfolio.change_state(id, time, OrderState::Expired, "end of session"),
        Happening::Changed(qty) => {
            if let Some(qty) = qty {
                portfolio.change_qty(id, qty);
            }
            let state = portfolio.order(id).state;
            portfolio.change_state(id, time, state, "changed");
        }
        Happening::Fill { qty, raw, price, commission, complete } => {
            let side = portfolio.order(id).order.request.side;
            let slippage = side.sign() * (price - raw) * qty;
            let execution = Execution { order: id, time, qty, price, commission, slippage, bar };
            portfolio.execute(execution, complete, instruments);
        }
    }
}
