//! The state machine of a session.

use super::gate::Gate;
use super::input::{BarInput, Command, Input};
use super::live::{BrokerEvent, Request};
use super::output::{LedgerFill, LogEntry, LogEvent, OrderLog, Output, StageChange};
use super::plan::{OpeningPosition, Plan, PlanError};
use super::schedule::{Schedule, Stage};
use super::steps::{Refusal, Step, Steps};
use crate::backtest::defense;
use crate::engine::{Core, OrderStream, Recorded, Trader};
use crate::market::{
    Calendar, GrowthError, MINUTE, Market, Nanos, Session as ExchangeSession, SymbolId, new_york_date,
};
use crate::risk::{BarVenue, Halt};
use crate::settings::{Key, Settings};
use crate::sim::SimVenue;
use crate::trading::{Instruments, OrderId, OrderRequest, OrderState, Portfolio, Side};

/// A bar that is this much longer in coming than it should be is not acted on.
const LONGEST_DELAY: Nanos = MINUTE;

/// A venue that a session can stand on.
pub trait SessionVenue: BarVenue {
    /// The broker's id of an execution, by its index among the fills; `None`: it has none.
    fn execution(&self, _fill: usize) -> Option<String> {
        None
    }

    /// The broker said something.
    fn broker(
        &mut self,
        _event: &BrokerEvent,
        _now: Nanos,
        _portfolio: &mut Portfolio,
        _instruments: &Instruments<'_>,
    ) {
    }

    /// Trading in an instrument is halted, or goes on.
    fn halt(&mut self, _symbol: SymbolId, _halted: bool) {}

    /// An input has been taken: finds out what has to be asked of the broker because of it.
    fn converge(&mut self, _now: Nanos, _portfolio: &mut Portfolio, _instruments: &Instruments<'_>) {}

    /// Takes shares that came of orders that had ended, and that nobody looks after.
    fn take_strays(&mut self) -> Vec<Stray> {
        Vec::new()
    }

    /// Whether nothing lies at the broker, even of orders that have ended for the core.
    fn is_clear(&self) -> bool {
        true
    }

    /// Orders at the broker of which something is not known: whether they exist, or what they filled.
    fn unresolved(&self) -> usize {
        0
    }

    /// Takes what is to be asked of the broker.
    fn take_requests(&mut self) -> Vec<Request> {
        Vec::new()
    }

    /// Why no position may be opened now, if so.
    fn blocks_entries(&self) -> Option<&'static str> {
        None
    }
}

impl SessionVenue for SimVenue {}

/// Shares that came of an order that had ended, so that neither its strategy nor an exit of it looks after them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stray {
    pub strategy: u16,
    pub symbol: SymbolId,
    /// How they came.
    pub side: Side,
    pub qty: f64,
}

/// A session that cannot be made, or cannot go on. Nothing that arrives leads there: what is not usable is counted and
/// left out, so that every journal can be replayed.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error("bars that do not follow the market: {0}")]
    Growth(#[from] GrowthError),
}

/// What was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counters {
    pub inputs: u64,
    pub bars: u64,
    pub steps: u64,
    /// Bars that came after their step was closed.
    pub late_bars: u64,
    /// Second bars of one symbol for one step.
    pub duplicate_bars: u64,
    /// Bars outside regular hours.
    pub bars_outside_session: u64,
    /// Bars whose prices no bar can have, or of a symbol that the session does not have.
    pub invalid_bars: u64,
    /// Orders refused by the risk desk or the venue.
    pub rejected_orders: u64,
}

/// The day that is under way.
#[derive(Debug)]
struct Day {
    index: usize,
    last_step: usize,
    ended: bool,
}

/// Where the session is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    Running,
    /// What is open is being closed.
    Closing(Halt),
    /// Nothing more will be done.
    Over,
}

/// A session: see the [room](super).
pub struct Session<V> {
    pub(super) plan: Plan,
    pub(super) market: Market,
    pub(super) trader: Trader<Recorded<Gate<V>>>,
    pub(super) strategies: Vec<String>,
    pub(super) schedule: Option<Schedule>,
    pub(super) stage: Stage,
    pub(super) counters: Counters,
    pub(super) now: Nanos,
    /// Dollars, with the positions that were taken over.
    pub(super) start_equity: f64,
    steps: Steps,
    /// Why market data are not to be acted on, if so.
    data_obstacle: Option<&'static str>,
    /// Sessions before it are history.
    first_live_day: usize,
    day: Option<Day>,
    life: Life,
    ended: bool,
    /// What of the portfolio has been told already.
    fills_told: usize,
    events_told: usize,
    warnings_told: usize,
    limit_told: bool,
    outputs: Vec<Output>,
}

impl<V: SessionVenue> Session<V> {
    /// A session over `market`, which is that of the plan, with a venue made for it.
    ///
    /// # Errors
    /// A specification that cannot be run.
    pub fn new(plan: Plan, market: Market, venue: V) -> Result<Session<V>, SessionError> {
        let config = plan.config(&market)?;
        let setups = plan.spec.build_strategies().map_err(PlanError::from)?;
        let mut core = Core::growing(&market, setups, config.limits, config.cash);
        let strategies = core.strategy_names();
        adopt(&plan, &market, strategies.len(), &mut core.portfolio)?;
        let start_equity = core.portfolio.account.equity();
        let confirms = plan.spec.settings.flag(Key::TradeConfirmationRequired);
        let stream = OrderStream::new(&market, strategies.clone());
        let venue = Recorded::new(Gate::new(venue, confirms), stream);
        let last = market.steps.last().copied().unwrap_or(Nanos::MIN);
        Ok(Session {
            steps: Steps::new(market.symbols.len(), plan.grace(), last),
            first_live_day: market.days.len(),
            trader: Trader::new(core, venue),
            plan,
            market,
            strategies,
            schedule: None,
            stage: Stage::Waiting,
            counters: Counters::default(),
            now: Nanos::MIN,
            start_equity,
            data_obstacle: None,
            day: None,
            life: Life::Running,
            ended: false,
            fills_told: 0,
            events_told: 0,
            warnings_told: 0,
            limit_told: false,
            outputs: Vec::new(),
        })
    }

    /// Takes an input and gives back what follows from it, in order.
    ///
    /// # Errors
    /// [`SessionError`]: a mistake of the program.
    pub fn handle(&mut self, input: &Input) -> Result<Vec<Output>, SessionError> {
        self.counters.inputs += 1;
        self.now = self.now.max(input.time());
        let steps = self.counters.steps;
        match input {
            Input::Bar(bar) => self.bar(bar)?,
            Input::Vix { time, close } => self.vix(*time, *close),
            Input::Timer { .. } => self.timer()?,
            Input::MarketData { up, reason, .. } => self.market_data(*up, reason),
            Input::Halt { symbol, halted, .. } => self.halt(*symbol, *halted),
            Input::Broker { broker, .. } => {
                let Trader { core, venue, .. } = &mut self.trader;
                let instruments = core.contracts.on(&self.market);
                venue.venue.venue.broker(broker, self.now, &mut core.portfolio, &instruments);
                self.close_strays();
                if let Life::Closing(halt) = self.life {
                    self.close_rest(halt);
                }
            }
            Input::Command { command, .. } => self.command(*command)?,
        }
        if matches!(input, Input::Bar(_)) && self.counters.steps == steps {
            // It waits for the others of its end. All bars of a minute come together: looking at every order for each
            // of them would hold up the one that completes it.
            return Ok(std::mem::take(&mut self.outputs));
        }
        self.lapse();
        self.converge();
        self.watch_closing();
        self.watch_stage()?;
        self.tell();
        Ok(std::mem::take(&mut self.outputs))
    }

    /// The market so far.
    pub fn market(&self) -> &Market {
        &self.market
    }

    /// Orders, fills and account.
    pub fn portfolio(&self) -> &Portfolio {
        &self.trader.core.portfolio
    }

    /// The name of an instrument in files.
    pub fn instrument_name(&self, symbol: SymbolId) -> String {
        self.trader.core.contracts.on(&self.market).name(symbol)
    }

    /// The venue.
    pub fn venue(&self) -> &V {
        &self.trader.venue.venue.venue
    }

    /// The latest time that an input had.
    pub fn now(&self) -> Nanos {
        self.now
    }

    /// The date on which it has traded last, in New York.
    pub fn trading_date(&self) -> Option<chrono::NaiveDate> {
        self.day.as_ref().map(|day| self.market.days[day.index].date)
    }

    /// Names of the strategies by index.
    pub fn strategies(&self) -> &[String] {
        &self.strategies
    }

    /// What the session was made from.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Whether the session has done all it will do.
    pub fn is_over(&self) -> bool {
        self.life == Life::Over
    }

    /// What whoever hosts the session has to ask of it because its windows are over or a limit has closed everything, if
    /// so. `market_goes_on`: what is open can still be closed.
    pub fn follow_up(&self, market_goes_on: bool) -> Option<Command> {
        if self.life != Life::Running || !(self.ended || self.limit_told) {
            return None;
        }
        match self.is_open() {
            false => Some(Command::EndOfData),
            true => market_goes_on.then_some(Command::Stop),
        }
    }

    /// Where it stands, in the words of its changes: for whoever may have missed the last of them.
    pub fn standing(&self) -> Option<StageChange> {
        let open = self.is_open();
        match self.trader.core.desk.halted() {
            Some(Halt::Kill) => Some(StageChange::Killed { open }),
            Some(Halt::Stop) => Some(StageChange::Stopped { open }),
            Some(Halt::LossLimit) => Some(StageChange::LimitReached { open }),
            None => match self.stage {
                Stage::Waiting => None,
                Stage::Analyzing => Some(StageChange::AnalysisBegan),
                Stage::Trading => Some(StageChange::EntriesBegan),
                Stage::Monitoring => Some(StageChange::MonitoringBegan),
            },
        }
    }

    /// Why no position may be opened now, if so: the broker's side, or the market data.
    pub fn entries_blocked(&self) -> Option<&'static str> {
        self.data_obstacle.or(self.venue().blocks_entries())
    }

    /// Whether a position or an order is open.
    pub fn is_open(&self) -> bool {
        let portfolio = &self.trader.core.portfolio;
        let order_open = |id: usize| !portfolio.orders[id].state.is_final();
        let at_broker = !self.trader.venue.venue.venue.is_clear();
        at_broker || !portfolio.account.open_positions().is_empty() || (0..portfolio.orders.len()).rev().any(order_open)
    }

    fn bar(&mut self, input: &BarInput) -> Result<(), SessionError> {
        self.counters.bars += 1;
        if !input.is_valid() || input.symbol as usize >= self.market.symbols.len() {
            self.counters.invalid_bars += 1;
            return Ok(());
        }
        let exchange = self.exchange_session(new_york_date(input.start));
        let Some(exchange) = exchange.filter(|s| (s.open..s.close).contains(&input.start)) else {
            self.counters.bars_outside_session += 1;
            return Ok(());
        };
        let end = (input.start + self.market.bar_length).min(exchange.close);
        let mut done = Vec::new();
        match self.steps.bar(end, input.bar(), |step| done.push(step)) {
            Ok(()) => {}
            Err(Refusal::Late) => self.counters.late_bars += 1,
            Err(Refusal::Duplicate) => self.counters.duplicate_bars += 1,
        }
        done.into_iter().try_for_each(|step| self.step(&step))
    }

    fn timer(&mut self) -> Result<(), SessionError> {
        let mut done = Vec::new();
        self.steps.timer(self.now, |step| done.push(step));
        done.into_iter().try_for_each(|step| self.step(&step))?;
        let close = self.schedule.as_ref().map(|s| s.exchange.close);
        if close.is_some_and(|close| self.now >= close + self.plan.grace()) {
            self.end_day(false);
        }
        if let Life::Closing(halt @ (Halt::Stop | Halt::Kill)) = self.life {
            self.close_rest(halt);
        }
        let date = new_york_date(self.now);
        // Whoever begins in the evening waits for the next morning.
        if self.schedule.as_ref().is_none_or(|s| s.exchange.date < date)
            && let Some(exchange) = self.exchange_session(date).filter(|exchange| self.now < exchange.close)
        {
            self.schedule = Some(Schedule::new(&self.plan.spec, exchange)?);
            self.ended = false;
        }
        Ok(())
    }

    /// The session of the exchange on a date, from the schedule where it is that one.
    fn exchange_session(&self, date: chrono::NaiveDate) -> Option<ExchangeSession> {
        match &self.schedule {
            Some(schedule) if schedule.exchange.date == date => Some(schedule.exchange),
            _ => Calendar::nyse().session(date),
        }
    }

    /// Everything that happens at one bar end.
    fn step(&mut self, step: &Step) -> Result<(), SessionError> {
        let Some(first) = step.bars.first() else { return Ok(()) };
        let date = new_york_date(first.start);
        let Some(exchange) = self.exchange_session(date) else { return Ok(()) };
        let begins = self.market.days.last().is_none_or(|day| day.date < date);
        if begins {
            self.end_day(false);
            if self.schedule.as_ref().is_none_or(|s| s.exchange.date != date) {
                self.schedule = Some(Schedule::new(&self.plan.spec, exchange)?);
                self.ended = false;
            }
        }
        let (day, at) = self.market.extend(&exchange, &step.bars)?;
        self.counters.steps += 1;
        // Bars of a gap in the stream, or from before the start: what they say is history.
        let is_late = self.now > step.end + self.market.bar_length.min(LONGEST_DELAY) + self.plan.grace();
        self.block(is_late.then_some("the bar is too old to act on"));
        let (market, trader) = (&self.market, &mut self.trader);
        trader.core.extend(market, day, at);
        if begins {
            if day == self.first_live_day && day > 0 {
                trader.begin_late(market, day);
            }
            trader.begin_day(market, day);
            if let Life::Closing(halt) = self.life {
                trader.core.desk.halt(halt);
            }
        } else {
            trader.venue.extend_day(&trader.core.contracts.on(market));
        }
        trader.step(market, day, at);
        self.day = Some(Day { index: day, last_step: at, ended: false });
        Ok(())
    }

    /// The day is over: what belongs to its close, once.
    fn end_day(&mut self, data_end: bool) {
        if let Some(day) = self.day.as_mut().filter(|day| !day.ended) {
            day.ended = true;
            let (market, trader) = (&self.market, &mut self.trader);
            trader.venue.venue.lapse(market.days[day.index].close, &mut trader.core.portfolio, |_| true);
            trader.end_day(market, day.index, day.last_step, data_end);
        }
    }

    fn market_data(&mut self, up: bool, reason: &str) {
        self.data_obstacle = (!up).then_some("market data do not arrive");
        if !up {
            self.note(&format!("market data do not arrive: {reason}"));
        }
    }

    fn halt(&mut self, symbol: u32, halted: bool) {
        let Some(name) = self.market.symbols.get(symbol as usize).cloned() else { return };
        let gate = &mut self.trader.venue.venue;
        gate.halt(SymbolId(symbol), halted);
        gate.venue.halt(SymbolId(symbol), halted);
        if halted {
            self.note(&format!("{name}: trading is halted"));
        }
    }

    fn vix(&mut self, time: Nanos, close: f64) {
        let vix = self.market.vix.get_or_insert_default();
        if close.is_finite() && vix.intraday.last().is_none_or(|row| row.0 <= time) {
            vix.intraday.push((time, close));
        }
    }

    fn command(&mut self, command: Command) -> Result<(), SessionError> {
        let now = self.now;
        match command {
            Command::Start => {}
            Command::Stop | Command::Kill => {
                let halt = if command == Command::Kill { Halt::Kill } else { Halt::Stop };
                let worse = matches!((self.life, halt), (Life::Closing(Halt::Stop | Halt::LossLimit), Halt::Kill));
                if self.life == Life::Running || worse {
                    self.close_all(halt);
                }
            }
            Command::Confirm { order } => {
                let Trader { core, venue, .. } = &mut self.trader;
                if venue.venue.confirm(OrderId(order), now, &core.desk, &mut core.portfolio) {
                    self.settle();
                }
            }
            Command::Decline { order } => {
                let Trader { core, venue, .. } = &mut self.trader;
                venue.venue.drop_order(OrderId(order), now, "declined", &mut core.portfolio);
            }
            Command::Controls { disable_all_trades, defense_mode } => {
                let settings = controls(&self.plan.spec.settings, defense_mode);
                self.trader.core.desk.set_controls(disable_all_trades, defense(&settings));
            }
            Command::EndOfData => {
                let mut done = Vec::new();
                self.steps.flush(|step| done.push(step));
                done.into_iter().try_for_each(|step| self.step(&step))?;
                self.end_day(true);
                if !self.market.steps.is_empty() {
                    let last = self.market.steps.len() - 1;
                    self.trader.end_data(&self.market, last);
                }
                self.life = Life::Over;
            }
        }
        Ok(())
    }

    fn close_all(&mut self, halt: Halt) {
        let killed = halt == Halt::Kill;
        self.trader.close_all(&self.market, self.now, halt);
        self.settle();
        let open = self.is_open();
        self.life = if open { Life::Closing(halt) } else { Life::Over };
        self.stage_output(if killed { StageChange::Killed { open } } else { StageChange::Stopped { open } });
    }

    /// An order that was on its way when everything was to be closed has filled since.
    fn close_rest(&mut self, halt: Halt) {
        let Trader { core, venue, .. } = &mut self.trader;
        if core.liquidate_rest(&self.market, self.now, halt.reason(), venue) {
            self.settle();
        }
    }

    /// Closes what nobody looks after.
    fn close_strays(&mut self) {
        let Trader { core, venue, .. } = &mut self.trader;
        let strays = venue.venue.venue.take_strays();
        if strays.is_empty() {
            return;
        }
        for Stray { strategy, symbol, side, qty } in strays {
            let request = OrderRequest::market(symbol, side.opposite(), qty, "filled after its end");
            core.close_part(&self.market, self.now, strategy, request, venue);
        }
        self.settle();
    }

    /// What happens at once to orders that were sent between two bar ends.
    fn settle(&mut self) {
        if let Some(day) = &self.day {
            self.trader.settle(&self.market, day.index, day.last_step);
        }
    }

    /// Orders whose confirmation did not come within their entry window.
    fn lapse(&mut self) {
        if let Some(schedule) = &self.schedule {
            let (now, trader) = (self.now, &mut self.trader);
            trader.venue.venue.lapse(now, &mut trader.core.portfolio, |strategy| now > schedule.entry_end(strategy));
        }
    }

    /// Lets nothing be opened for `reason`, or because of the broker or the market data; or lets it.
    fn block(&mut self, reason: Option<&'static str>) {
        let gate = &mut self.trader.venue.venue;
        gate.block(reason.or(self.data_obstacle).or(gate.venue.blocks_entries()));
    }

    /// What has to be asked of the broker after this input, and whether it lets anything be opened.
    fn converge(&mut self) {
        let Trader { core, venue, .. } = &mut self.trader;
        let instruments = core.contracts.on(&self.market);
        venue.venue.venue.converge(self.now, &mut core.portfolio, &instruments);
        let notes = venue.take_notes();
        self.block(None);
        for text in notes {
            self.note(&text);
        }
    }

    /// Something that somebody may have to look at.
    fn note(&mut self, text: &str) {
        let event = LogEvent::Note { note: text.to_string() };
        self.outputs.push(Output::Log(LogEntry { time: self.now, strategy: None, event }));
    }

    /// Tells when a limit was reached, and when everything that was to be closed is.
    fn watch_closing(&mut self) {
        let limit = self.trader.core.desk.halted() == Some(Halt::LossLimit);
        if limit && !self.limit_told {
            let open = self.is_open();
            self.stage_output(StageChange::LimitReached { open });
            if open && self.life == Life::Running {
                self.life = Life::Closing(Halt::LossLimit);
            }
        }
        self.limit_told = limit;
        if let Life::Closing(halt) = self.life
            && !self.is_open()
        {
            self.stage_output(StageChange::Closed);
            // The next session begins anew after a limit, but not after a hand.
            self.life = if halt == Halt::LossLimit { Life::Running } else { Life::Over };
        }
    }

    fn watch_stage(&mut self) -> Result<(), SessionError> {
        let Some(schedule) = &self.schedule else { return Ok(()) };
        let (stage, over) = (schedule.stage(self.now), self.now >= schedule.end());
        if self.life == Life::Running && stage != self.stage {
            match stage {
                Stage::Analyzing => self.stage_output(StageChange::AnalysisBegan),
                Stage::Trading => self.stage_output(StageChange::EntriesBegan),
                Stage::Monitoring => self.stage_output(StageChange::MonitoringBegan),
                Stage::Waiting => {}
            }
        }
        self.stage = stage;
        // Flat, or with nothing left that could close what is open in this session.
        let day_ended = self.day.as_ref().is_none_or(|day| day.ended);
        if self.life == Life::Running && over && !self.ended && (!self.is_open() || day_ended) {
            self.ended = true;
            let open = self.is_open();
            self.stage_output(StageChange::Ended { open });
        }
        Ok(())
    }

    /// The executions from the `first` on, for the ledger.
    pub fn fills_from(&self, first: usize) -> Vec<LedgerFill> {
        let Session { trader, strategies, plan, market, .. } = self;
        let portfolio = &trader.core.portfolio;
        let instruments = trader.core.contracts.on(market);
        let fill_of = |(k, fill): (usize, &crate::trading::Fill)| {
            let order = &portfolio.order(fill.order).order;
            let own = || format!("{}-f{k}", plan.session);
            LedgerFill {
                execution: trader.venue.venue.venue.execution(k).unwrap_or_else(own),
                time: fill.time,
                order: fill.order.0,
                strategy: strategies[usize::from(order.strategy)].clone(),
                instrument: instruments.name(fill.symbol),
                side: fill.side.name().to_string(),
                qty: fill.qty,
                price: fill.price,
                commission: fill.commission,
            }
        };
        portfolio.fills.iter().enumerate().skip(first).map(fill_of).collect()
    }

    /// Whether an order waits for confirmation.
    pub fn is_waiting(&self, order: u32) -> bool {
        self.trader.venue.venue.waiting().any(|waiting| waiting.id.0 == order)
    }

    fn stage_output(&mut self, change: StageChange) {
        self.outputs.push(Output::Stage(change));
    }

    /// Turns what is new in stream and portfolio into outputs: orders first, since they are urgent.
    fn tell(&mut self) {
        let Session { trader, outputs, .. } = self;
        let lines = trader.venue.stream.take().into_iter().map(Output::Order);
        let requests = trader.venue.venue.venue.take_requests().into_iter().map(Output::Request);
        outputs.splice(0..0, lines.chain(requests));
        let from = std::mem::replace(&mut self.fills_told, trader.core.portfolio.fills.len());
        let fills = self.fills_from(from);
        let Session { trader, outputs, strategies, market, counters, .. } = self;
        outputs.extend(fills.into_iter().map(Output::Fill));
        let portfolio = &trader.core.portfolio;
        let instruments = trader.core.contracts.on(market);
        for event in &portfolio.events[self.events_told..] {
            let order = &portfolio.order(event.id).order;
            let strategy = &strategies[usize::from(order.strategy)];
            let is_rejected = event.state == OrderState::Rejected;
            counters.rejected_orders += u64::from(is_rejected);
            let log = OrderLog {
                order: event.id.0,
                instrument: instruments.name(order.request.symbol),
                side: order.request.side.name(),
                order_type: order.request.kind.order_type().name(),
                qty: order.request.qty,
                state: event.state.name(),
                filled: event.filled,
                reason: event.reason,
                is_unresolved: is_rejected || event.state == OrderState::Unknown,
            };
            let strategy = Some(strategy.clone());
            outputs.push(Output::Log(LogEntry { time: event.time, strategy, event: LogEvent::Order(log) }));
        }
        self.events_told = portfolio.events.len();
        for text in &trader.core.warnings()[self.warnings_told..] {
            let known = text.split(':').next().filter(|name| strategies.iter().any(|s| s == name));
            let strategy = Some(known.unwrap_or(&strategies[0]).to_string());
            let event = LogEvent::Warning { warning: text.clone() };
            outputs.push(Output::Log(LogEntry { time: self.now, strategy, event }));
        }
        self.warnings_told = trader.core.warnings().len();
    }
}

/// Takes over the positions that an earlier session has left.
fn adopt(plan: &Plan, market: &Market, strategies: usize, portfolio: &mut Portfolio) -> Result<(), PlanError> {
    for position in &plan.opening {
        let refuse = |reason| PlanError::Opening { symbol: position.symbol.clone(), reason };
        let symbol = market.symbol(&position.symbol).ok_or_else(|| refuse("not a symbol of the session"))?;
        let bars = &market.series[symbol.index()];
        if usize::from(position.strategy) >= strategies {
            return Err(refuse("there is no such strategy"));
        }
        let is_sound = position.qty.is_finite() && position.qty != 0.0 && position.price > 0.0;
        if !is_sound || !position.price.is_finite() {
            return Err(refuse("expected a number of shares and a positive price"));
        }
        let Some(bar) = bars.len().checked_sub(1) else { return Err(refuse("its history has no bar")) };
        let OpeningPosition { strategy, qty, price, time, .. } = *position;
        portfolio.adopt(strategy, symbol, qty, price, time, bar as u32);
        portfolio.account.set_mark(symbol, bars.close[bar]);
    }
    Ok(())
}

/// The settings with defense mode on or off.
fn controls(settings: &Settings, defense_mode: bool) -> Settings {
    let mut settings = settings.clone();
    let text = format!("DEFENSE_MODE_ACTIVE={defense_mode}");
    // Values of a flag are always taken; its warnings were given when the settings were made.
    let _ = settings.set(&text);
    settings
}
