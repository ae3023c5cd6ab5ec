//! Strategies, risk desk and portfolio, driven bar end by bar end.

use crate::market::{Market, Nanos, SymbolId};
use crate::risk::{Approved, Limits, RiskDesk, Venue};
use crate::trading::{
    ColumnCache, Command, Contracts, Order, OrderId, OrderRequest, OrderState, Orders, Portfolio, PositionSize,
    PutContract, Setup, Side, Signal, Signals, Strategy, View, Wake, Work,
};

/// A strategy with how the core treats it.
pub struct StrategySetup {
    pub strategy: Box<dyn Strategy>,
    /// Whether MAX_OPEN_POSITIONS binds it.
    pub bound_to_position_limit: bool,
}

struct Slot {
    strategy: Box<dyn Strategy>,
    signals: Signals,
    wake: Wake,
    /// Step of the current day at which `wake.at` is due; `usize::MAX`: not in this day.
    due: usize,
    /// Next change of each signal that the strategy has not been woken for.
    signal_cursor: Vec<usize>,
    /// Step of the current day of the earliest of these changes.
    signal_due: usize,
}

/// The trading core of one run or session. The market comes with every call, so that it may have grown since the
/// last one; it must be the same one otherwise.
pub struct Core {
    pub contracts: Contracts,
    pub portfolio: Portfolio,
    pub desk: RiskDesk,
    slots: Vec<Slot>,
    factors: Vec<Option<Vec<(usize, f64)>>>,
    commands: Vec<(u16, Command)>,
    new_puts: Vec<PutContract>,
    warnings: Vec<String>,
    session_start_equity: f64,
    /// Orders of the last liquidation.
    liquidations: Vec<OrderId>,
    /// The first session of the run is not that of the data: signals have a side from before.
    begins_late: bool,
}

const NOT_TODAY: usize = usize::MAX;

impl Core {
    /// A core with `cash` dollars. Strategies decide in the given order. `cache`: indicator columns that runs share.
    pub fn new(
        market: &Market,
        strategies: Vec<StrategySetup>,
        limits: Limits,
        cash: f64,
        cache: Option<&ColumnCache>,
    ) -> Core {
        Core::with_columns(market, strategies, limits, cash, Work::Whole(cache))
    }

    /// A core over a market that grows: indicators and signals go on with every [`Core::extend`].
    pub fn growing(market: &Market, strategies: Vec<StrategySetup>, limits: Limits, cash: f64) -> Core {
        Core::with_columns(market, strategies, limits, cash, Work::Growing)
    }

    fn with_columns(
        market: &Market,
        strategies: Vec<StrategySetup>,
        limits: Limits,
        cash: f64,
        work: Work<'_>,
    ) -> Core {
        let bound = strategies.iter().map(|s| s.bound_to_position_limit).collect();
        let mut slots = Vec::with_capacity(strategies.len());
        for mut setup in strategies {
            let mut window = Setup::new(market, work);
            let wake = setup.strategy.start(&mut window);
            let signals = window.into_signals();
            let signal_cursor = vec![0; signals.all().len()];
            slots.push(Slot {
                strategy: setup.strategy,
                signals,
                wake,
                due: NOT_TODAY,
                signal_cursor,
                signal_due: NOT_TODAY,
            });
        }
        Core {
            contracts: Contracts::new(market),
            portfolio: Portfolio::new(cash, market.symbols.len(), slots.len()),
            desk: RiskDesk::new(limits, bound),
            slots,
            factors: market.symbol_ids().map(|symbol| market.signal_factors(symbol)).collect(),
            commands: Vec::new(),
            new_puts: Vec::new(),
            warnings: Vec::new(),
            session_start_equity: cash,
            liquidations: Vec::new(),
            begins_late: false,
        }
    }

    /// The first day to come is not the first of the data: strategies that wait for a signal are woken once
    /// at its first bar end, for the side that holds there.
    pub fn begin_late(&mut self) {
        self.begins_late = true;
    }

    /// Names of the strategies in order of decision.
    pub fn strategy_names(&self) -> Vec<String> {
        self.slots.iter().map(|s| s.strategy.name().to_string()).collect()
    }

    /// The signal and the size, when there is one strategy alone and all it does is to hold a signal.
    pub(crate) fn holding(&self) -> Option<(&Signal, PositionSize)> {
        let [slot] = self.slots.as_slice() else { return None };
        let holding = slot.strategy.holding().filter(|_| !self.desk.is_bound(0))?;
        Some((slot.signals.signal(holding.signal), holding.size))
    }

    /// Names in files of orders that came from a file, by order id; empty when there are none.
    pub fn labels(&self) -> Vec<String> {
        let label = |k: usize| {
            let id = OrderId(k as u32);
            self.slots.iter().find_map(|slot| slot.strategy.label(id))
        };
        let orders = self.portfolio.orders.len();
        if (0..orders).all(|k| label(k).is_none()) {
            return Vec::new();
        }
        (0..orders).map(|k| label(k).map_or_else(|| k.to_string(), str::to_string)).collect()
    }

    /// Adds a sentence for the summary, once.
    pub fn warn(&mut self, text: String) {
        if !self.warnings.contains(&text) {
            self.warnings.push(text);
        }
    }

    /// The sentences for the summary so far.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Takes the sentences for the summary.
    pub fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    /// A trading day begins, after corporate actions. `previous_close` is the equity at the last close.
    pub fn start_day(&mut self, market: &Market, day: usize, previous_close: f64) {
        let equity = self.portfolio.account.equity();
        self.session_start_equity = equity;
        self.desk.start_session(previous_close, equity);
        let first = market.days[day].first_step;
        for slot in &mut self.slots {
            slot.schedule(market, day, first);
            if self.begins_late && slot.wake.on_signal {
                slot.due = first;
            }
        }
        self.begins_late = false;
    }

    /// The market has grown by `step` of `day`: indicators and signals take in its bars, and strategies that wait
    /// for it are due.
    pub fn extend(&mut self, market: &Market, day: usize, step: usize) {
        if step == market.days[day].first_step {
            for (symbol, factors) in market.symbol_ids().zip(&mut self.factors) {
                market.extend_signal_factors(symbol, day, factors);
            }
        }
        for slot in &mut self.slots {
            slot.signals.extend(market, &self.factors, day, step);
            slot.schedule(market, day, step);
        }
    }

    /// The first step from `from` on at which a strategy wants to decide; the day's end if there is none.
    #[inline]
    pub fn next_wake(&self, market: &Market, day: usize, from: usize) -> usize {
        let mut next = market.days[day].end_step;
        for (k, slot) in self.slots.iter().enumerate() {
            if slot.wake.on_update && self.portfolio.is_updated(k as u16) {
                return from;
            }
            next = next.min(slot.due).min(slot.signal_due);
        }
        next.max(from)
    }

    /// Lets every strategy decide that wants to at `step`, and gives its orders to the venue.
    pub fn decide(&mut self, market: &Market, day: usize, step: usize, venue: &mut impl Venue) {
        for k in 0..self.slots.len() {
            let strategy = k as u16;
            let slot = &mut self.slots[k];
            let updated = slot.wake.on_update && self.portfolio.is_updated(strategy);
            if slot.due > step && slot.signal_due > step && !updated {
                continue;
            }
            self.portfolio.take_updated(strategy);
            let view = View {
                market,
                instruments: self.contracts.on(market),
                portfolio: &self.portfolio,
                signals: &slot.signals,
                factors: &self.factors,
                strategy,
                day,
                step,
                session_start_equity: self.session_start_equity,
            };
            let mut orders = Orders::new(
                &mut self.commands,
                &mut self.new_puts,
                &mut self.warnings,
                strategy,
                self.portfolio.orders.len() as u32,
                (market.symbols.len() + self.contracts.puts.len()) as u32,
            );
            slot.wake = slot.strategy.decide(&view, &mut orders);
            slot.schedule(market, day, step + 1);
            if !self.new_puts.is_empty() {
                self.contracts.puts.append(&mut self.new_puts);
                let instruments = self.contracts.on(market);
                self.portfolio.grow(instruments.len());
                venue.grow(&instruments);
            }
            self.send_commands(market, day, step, venue);
        }
    }

    fn send_commands(&mut self, market: &Market, day: usize, step: usize, venue: &mut impl Venue) {
        let now = market.steps[step];
        let mut commands = std::mem::take(&mut self.commands);
        for (strategy, command) in commands.drain(..) {
            match command {
                Command::Submit(mut request) => {
                    // Groups of different strategies never meet.
                    request.oco = request.oco.map(|group| u32::from(strategy) << 24 | (group & 0x00ff_ffff));
                    let driver = self.contracts.on(market).driver(request.symbol);
                    let mut order = self.portfolio.enter(strategy, request, now, driver);
                    match self.ended_parent(&order) {
                        None => {}
                        Some(filled) if filled > 0.0 => order.request.qty = order.request.qty.min(filled),
                        Some(_) => {
                            self.portfolio.change_state(order.id, now, OrderState::Canceled, "parent ended");
                            continue;
                        }
                    }
                    let instruments = self.contracts.on(market);
                    let price = |symbol| instruments.last_close(symbol, day, step).unwrap_or(f64::NAN);
                    let verdict = self.desk.approve(order, &self.portfolio, &instruments, price);
                    self.send(&order, verdict, venue);
                }
                Command::Cancel(id) => {
                    if let Some(symbol) = self.open_order(strategy, id) {
                        venue.cancel(symbol, id, now);
                    }
                }
                Command::Replace(id, change) => {
                    if let Some(symbol) = self.open_order(strategy, id) {
                        let record = self.portfolio.order(id);
                        match self.desk.approve_change(&record.order, change) {
                            Ok(change) => venue.replace(symbol, id, change, now),
                            Err(reason) => self.portfolio.change_state(id, now, record.state, reason),
                        }
                    }
                }
            }
        }
        self.commands = commands;
    }

    /// Gives an order to the venue, or ends it with the reason why it was refused.
    fn send(&mut self, order: &Order, verdict: Result<Approved<Order>, &'static str>, venue: &mut impl Venue) {
        match verdict {
            Ok(approved) => {
                let reason = order.request.reason;
                self.portfolio.change_state(order.id, order.decided, OrderState::Submitting, reason);
                venue.submit(approved);
            }
            Err(reason) => self.portfolio.change_state(order.id, order.decided, OrderState::Rejected, reason),
        }
    }

    /// What the parent of an order filled, if it has one that has ended: the most that is left for a child.
    fn ended_parent(&self, order: &Order) -> Option<f64> {
        let parent = self.portfolio.orders.get(order.request.parent?.0 as usize)?;
        let own = parent.order.id != order.id && parent.order.request.symbol == order.request.symbol;
        (own && parent.state.is_final()).then_some(parent.filled)
    }

    /// The instrument of an order that the strategy owns and that has not ended.
    fn open_order(&self, strategy: u16, id: OrderId) -> Option<SymbolId> {
        let record = self.portfolio.orders.get(id.0 as usize)?;
        let own = record.order.strategy == strategy && !record.state.is_final();
        own.then_some(record.order.request.symbol)
    }

    /// Whether an order of [`Core::liquidate`] is still open.
    pub fn is_liquidating(&self) -> bool {
        self.liquidations.iter().any(|id| !self.portfolio.order(*id).state.is_final())
    }

    /// Closes what no open order of [`Core::liquidate`] is closing: of orders that were on their way at that time, some
    /// fill all the same.
    pub fn liquidate_rest(&mut self, market: &Market, now: Nanos, reason: &'static str, venue: &mut impl Venue) {
        self.liquidations.retain(|id| !self.portfolio.order(*id).state.is_final());
        let closing: Vec<(u16, SymbolId)> = self
            .liquidations
            .iter()
            .map(|id| &self.portfolio.order(*id).order)
            .map(|order| (order.strategy, order.request.symbol))
            .collect();
        self.close_positions(market, now, reason, venue, |strategy, symbol| !closing.contains(&(strategy, symbol)));
    }

    /// Cancels everything and closes every position at the market, as decided at `now`.
    pub fn liquidate(&mut self, market: &Market, now: Nanos, reason: &'static str, venue: &mut impl Venue) {
        self.liquidations.clear();
        for i in 0..self.portfolio.orders.len() {
            let record = &self.portfolio.orders[i];
            if !record.state.is_final() {
                venue.cancel(record.order.request.symbol, record.order.id, now);
            }
        }
        self.close_positions(market, now, reason, venue, |_, _| true);
    }

    /// Sends an order at the market for each position of a strategy that is `meant`.
    fn close_positions(
        &mut self,
        market: &Market,
        now: Nanos,
        reason: &'static str,
        venue: &mut impl Venue,
        meant: impl Fn(u16, SymbolId) -> bool,
    ) {
        for symbol in self.portfolio.account.open_positions().to_vec() {
            for strategy in 0..self.slots.len() as u16 {
                let qty = self.portfolio.strategy_position(strategy, symbol);
                if qty == 0.0 || !meant(strategy, symbol) {
                    continue;
                }
                let side = if qty > 0.0 { Side::Sell } else { Side::Buy };
                let request = OrderRequest::market(symbol, side, qty.abs(), reason);
                let driver = self.contracts.on(market).driver(symbol);
                let order = Order { liquidates: true, ..self.portfolio.enter(strategy, request, now, driver) };
                self.liquidations.push(order.id);
                let verdict = self.desk.approve_liquidation(order);
                self.send(&order, verdict, venue);
            }
        }
    }
}

impl Slot {
    /// Finds the steps of the day, from `from` on, at which the strategy is due.
    fn schedule(&mut self, market: &Market, day: usize, from: usize) {
        let d = &market.days[day];
        self.due = if self.wake.at == i64::MAX || from >= d.end_step {
            NOT_TODAY
        } else if market.steps[from] >= self.wake.at {
            from
        } else {
            let ahead = market.steps[from..d.end_step].partition_point(|&t| t < self.wake.at);
            if from + ahead < d.end_step { from + ahead } else { NOT_TODAY }
        };
        self.signal_due = NOT_TODAY;
        if !self.wake.on_signal || from >= d.end_step {
            return;
        }
        for (signal, cursor) in self.signals.all().iter().zip(&mut self.signal_cursor) {
            let range = market.day_range(signal.symbol, day);
            let ended = if from == d.first_step { range.start } else { market.ended(signal.symbol, day, from - 1) };
            while signal.changes.get(*cursor).is_some_and(|change| (change.bar as usize) < ended) {
                *cursor += 1;
            }
            let Some(change) = signal.changes.get(*cursor) else { continue };
            if (change.bar as usize) >= range.end {
                continue;
            }
            let step = market.step_of_bar(signal.symbol, day, change.bar as usize);
            self.signal_due = self.signal_due.min(step);
        }
    }
}
