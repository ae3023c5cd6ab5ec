//! Limits of the account, and the desk that approves orders under them.

use super::approval::Approved;
use crate::market::{Nanos, SymbolId};
use crate::trading::{
    AccountKind, AccountRules, Instruments, Order, OrderChange, OrderKind, OrderRequest, Portfolio, Side, TimeInForce,
};
use std::collections::BTreeMap;

/// Reduced limits while a disaster lasts (DEFENSE_MODE_*).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Defense {
    /// Trades a strategy may open in a session.
    pub max_trades: usize,
    /// Positions open at the same time.
    pub max_open_positions: usize,
    /// Share of session-start equity that a strategy may put into positions in a session.
    pub total_allocation: f64,
}

/// Limits that bind every strategy.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// DISABLE_ALL_TRADES: no order at all.
    pub disable_all_trades: bool,
    /// DAILY_LOSS_LIMIT: share of the previous session's closing equity; infinite: no limit.
    pub daily_loss_limit: f64,
    /// MAX_OPEN_POSITIONS: binds strategies registered as bound to it (open, mid and close).
    pub max_open_positions: usize,
    pub defense: Option<Defense>,
    pub account: AccountRules,
    /// Yearly rate and shares available to borrow, by symbol; symbols without a row borrow at the account's
    /// rate without limit.
    pub borrow: BTreeMap<SymbolId, (f64, f64)>,
}

impl Default for Limits {
    /// No limits beside those of the account.
    fn default() -> Limits {
        Limits {
            disable_all_trades: false,
            daily_loss_limit: f64::INFINITY,
            max_open_positions: usize::MAX,
            defense: None,
            account: AccountRules::default(),
            borrow: BTreeMap::new(),
        }
    }
}

/// Why no position may be opened for the rest of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Halt {
    /// DAILY_LOSS_LIMIT was reached.
    LossLimit,
    /// Somebody stopped the session.
    Stop,
    /// Somebody pulled the kill switch.
    Kill,
}

impl Halt {
    /// Reason of a refusal.
    pub fn refusal(self) -> &'static str {
        match self {
            Halt::LossLimit => "DAILY_LOSS_LIMIT",
            Halt::Stop => "stopped",
            Halt::Kill => "killed",
        }
    }

    /// Reason of the closing orders.
    pub fn reason(self) -> &'static str {
        match self {
            Halt::LossLimit => "daily loss limit",
            Halt::Stop => "stop",
            Halt::Kill => "kill",
        }
    }
}

/// Tells yes or no to every order.
#[derive(Debug, Clone)]
pub struct RiskDesk {
    limits: Limits,
    /// Strategies bound to MAX_OPEN_POSITIONS.
    bound: Vec<bool>,
    halted: Option<Halt>,
    loss_threshold: f64,
    session_start_equity: f64,
    /// Per strategy: entries and dollars opened in this session.
    opened: Vec<(usize, f64)>,
}

impl RiskDesk {
    /// A desk for strategies of which `bound` says whether MAX_OPEN_POSITIONS holds for them.
    pub fn new(limits: Limits, bound: Vec<bool>) -> RiskDesk {
        let opened = vec![(0, 0.0); bound.len()];
        RiskDesk { limits, bound, halted: None, loss_threshold: f64::NEG_INFINITY, session_start_equity: 0.0, opened }
    }

    /// The limits in force.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whether MAX_OPEN_POSITIONS holds for a strategy.
    pub fn is_bound(&self, strategy: u16) -> bool {
        self.bound[usize::from(strategy)]
    }

    /// A session begins: `previous_close` is the account's equity at the last session's close.
    pub fn start_session(&mut self, previous_close: f64, equity: f64) {
        self.halted = None;
        self.session_start_equity = equity;
        self.loss_threshold = loss_threshold(previous_close, self.limits.daily_loss_limit);
        self.opened.fill((0, 0.0));
    }

    /// The equity at or below which the day's loss limit is reached; minus infinity when it was reached
    /// already.
    #[inline]
    pub fn loss_threshold(&self) -> f64 {
        if self.halted.is_some() { f64::NEG_INFINITY } else { self.loss_threshold }
    }

    /// No new positions until the next session.
    pub fn halt(&mut self, halt: Halt) {
        self.halted = Some(halt);
    }

    /// Why the account may not open positions in this session any more, if so.
    #[inline]
    pub fn halted(&self) -> Option<Halt> {
        self.halted
    }

    /// DISABLE_ALL_TRADES and defense mode from now on.
    pub fn set_controls(&mut self, disable_all_trades: bool, defense: Option<Defense>) {
        self.limits.disable_all_trades = disable_all_trades;
        self.limits.defense = defense;
    }

    /// Approves an order that closes a position because a limit was reached, or says why not. What somebody
    /// stopped by hand is closed whatever the limits say.
    pub fn approve_liquidation(&self, order: Order) -> Result<Approved<Order>, &'static str> {
        let by_hand = matches!(self.halted, Some(Halt::Stop | Halt::Kill));
        if self.limits.disable_all_trades && !by_hand { Err("DISABLE_ALL_TRADES") } else { Ok(Approved::new(order)) }
    }

    /// Approves at `time` an order that was approved before and has waited since, or says why not.
    pub fn release(&self, order: Approved<Order>, time: Nanos) -> Result<Approved<Order>, &'static str> {
        if self.limits.disable_all_trades {
            return Err("DISABLE_ALL_TRADES");
        }
        match self.halted {
            Some(halt) => Err(halt.refusal()),
            None => Ok(Approved::new(Order { decided: time, ..order.into_inner() })),
        }
    }

    /// Yes, or the reason why not, for an order that `portfolio` has entered. `price` gives the last known close
    /// of an instrument in dollars, NaN where there is none yet.
    ///
    /// # Initial margin
    ///
    /// In a margin account an order that opens or enlarges a position is refused if the account could not carry
    /// it together with everything else that may still fill: the sum over instruments of
    ///
    /// ```text
    /// price x max(|position + open buys|, |position - open sells|)
    /// ```
    ///
    /// with this order among the open ones, times the initial margin, must not exceed equity (one part in 10^9
    /// is left to rounding). Orders decided at one instant so share the account in the order in which they are
    /// sent, and an order that turns a position counts what it leaves, not what it closes.
    /// [`Portfolio::exposure`] tells which orders and prices count. An order in an instrument without a price is
    /// not tested.
    pub fn approve(
        &mut self,
        order: Order,
        portfolio: &Portfolio,
        instruments: &Instruments<'_>,
        price: impl Fn(SymbolId) -> f64,
    ) -> Result<Approved<Order>, &'static str> {
        let request = &order.request;
        check_form(request)?;
        if !self.limits.account.fractional && request.qty.fract() != 0.0 {
            let own = portfolio.strategy_position(order.strategy, request.symbol);
            let held = [portfolio.account.position(request.symbol), own];
            if !held.iter().any(|&position| leaves_whole_shares(position, request.side, request.qty)) {
                return Err("fractions of a share are not allowed");
            }
        }
        if let Some(parent) = request.parent {
            let Some(record) = portfolio.orders.get(parent.0 as usize) else { return Err("unknown parent order") };
            if record.order.request.symbol != request.symbol {
                return Err("parent order is in another symbol");
            }
            if record.state.is_final() && record.filled == 0.0 {
                return Err("parent order has ended");
            }
        }
        if self.limits.disable_all_trades {
            return Err("DISABLE_ALL_TRADES");
        }
        let opening = opening_qty(&order, portfolio);
        if opening == 0.0 || request.parent.is_some() {
            return Ok(Approved::new(order));
        }
        if let Some(halt) = self.halted {
            return Err(halt.refusal());
        }
        self.check_positions(&order, portfolio)?;
        self.check_account(&order, portfolio, instruments, &price)?;
        self.check_defense(&order, opening * price(order.request.symbol), portfolio)?;
        Ok(Approved::new(order))
    }

    /// Approves a change of an open order, or says why not. A change may not enlarge an order: every share that is
    /// bought or sold passes [`RiskDesk::approve`] as part of an order.
    pub fn approve_change(&self, order: &Order, change: OrderChange) -> Result<Approved<OrderChange>, &'static str> {
        if change.qty.is_some_and(|qty| !(qty.is_finite() && qty >= 0.0)) {
            return Err("change refused: quantity must not be negative");
        }
        if change.qty.is_some_and(|qty| qty > order.request.qty) {
            return Err("change refused: it would enlarge the order");
        }
        if [change.limit, change.stop].iter().flatten().any(|&price| !is_price(price)) {
            return Err("change refused: prices must be positive");
        }
        Ok(Approved::new(change))
    }

    fn check_positions(&self, order: &Order, portfolio: &Portfolio) -> Result<(), &'static str> {
        let strategy = usize::from(order.strategy);
        if self.bound[strategy] && self.taken(order.request.symbol, portfolio) >= self.limits.max_open_positions {
            return Err("MAX_OPEN_POSITIONS");
        }
        Ok(())
    }

    /// Positions and opening orders in other instruments than `symbol`.
    fn taken(&self, symbol: SymbolId, portfolio: &Portfolio) -> usize {
        let mut open: Vec<SymbolId> = portfolio.account.open_positions().to_vec();
        for strategy in 0..self.bound.len() {
            portfolio.for_each_working(strategy as u16, |s| open.push(s));
        }
        open.retain(|s| *s != symbol);
        open.sort_unstable();
        open.dedup();
        open.len()
    }

    fn check_account(
        &self,
        order: &Order,
        portfolio: &Portfolio,
        instruments: &Instruments<'_>,
        price: impl Fn(SymbolId) -> f64,
    ) -> Result<(), &'static str> {
        let rules = &self.limits.account;
        let request = &order.request;
        let opens_short = request.side == Side::Sell && instruments.put(request.symbol).is_none();
        if opens_short {
            if rules.kind == AccountKind::Cash {
                return Err("cash account cannot sell short");
            }
            if let Some((_, available)) = self.limits.borrow.get(&request.symbol) {
                let held = portfolio.account.position(request.symbol);
                if pending_sales(order, portfolio) + request.qty - held > *available {
                    return Err("not enough shares to borrow");
                }
            }
        }
        if rules.kind == AccountKind::Margin && price(request.symbol).is_finite() {
            let equity = portfolio.account.equity();
            if !covers_initial_margin(rules, portfolio.exposure(price), equity) {
                return Err("initial margin");
            }
        }
        Ok(())
    }

    fn check_defense(&mut self, order: &Order, dollars: f64, portfolio: &Portfolio) -> Result<(), &'static str> {
        let Some(defense) = self.limits.defense else { return Ok(()) };
        if self.taken(order.request.symbol, portfolio) >= defense.max_open_positions {
            return Err("defense mode: open positions");
        }
        let limit = defense.total_allocation * self.session_start_equity;
        let opened = &mut self.opened[usize::from(order.strategy)];
        if opened.0 >= defense.max_trades {
            return Err("defense mode: trades");
        }
        if opened.1 + dollars > limit * (1.0 + 1e-9) {
            return Err("defense mode: allocation");
        }
        *opened = (opened.0 + 1, opened.1 + dollars);
        Ok(())
    }

    /// Yearly borrow rate of a symbol.
    pub fn borrow_rate(&self, symbol: SymbolId) -> f64 {
        self.limits.borrow.get(&symbol).map_or(self.limits.account.borrow_rate, |row| row.0)
    }

    /// Whether the account's equity no longer covers the maintenance margin.
    pub fn is_margin_call(&self, portfolio: &Portfolio) -> bool {
        let rules = &self.limits.account;
        let account = &portfolio.account;
        // Long positions without borrowed cash are always covered.
        rules.kind == AccountKind::Margin
            && (account.cash < 0.0 || account.open_positions().iter().any(|&s| account.position(s) < 0.0))
            && account.equity() < rules.maintenance_margin * portfolio.account.gross()
    }
}

/// Whether an order would open or enlarge a position; an exit that belongs to a parent never does.
pub fn opens_position(order: &Order, portfolio: &Portfolio) -> bool {
    !order.liquidates && order.request.parent.is_none() && opening_qty(order, portfolio) > 0.0
}

/// Shares by which an order would enlarge the account's position and its own strategy's. An order that only
/// takes back what its strategy holds opens nothing, also when another strategy holds the other side.
fn opening_qty(order: &Order, portfolio: &Portfolio) -> f64 {
    let request = &order.request;
    let against = |position: f64| (-request.side.sign() * position).max(0.0);
    let account = against(portfolio.account.position(request.symbol));
    let own = against(portfolio.strategy_position(order.strategy, request.symbol));
    (request.qty - account.max(own)).max(0.0)
}

/// Shares that open orders may still sell before or beside this one. Children close what their parents open,
/// and of a one-cancels-other group only one member fills.
fn pending_sales(order: &Order, portfolio: &Portfolio) -> f64 {
    let mut groups: BTreeMap<u32, f64> = BTreeMap::new();
    let mut pending = 0.0;
    for record in &portfolio.orders {
        let (other, left) = (&record.order.request, record.order.request.qty - record.filled);
        let counts = other.symbol == order.request.symbol && other.side == Side::Sell && other.parent.is_none();
        if !counts || record.order.id == order.id || record.state.is_final() {
            continue;
        }
        match other.oco {
            None => pending += left,
            Some(group) if Some(group) == order.request.oco => {}
            Some(group) => {
                let most = groups.entry(group).or_insert(0.0);
                *most = most.max(left);
            }
        }
    }
    pending + groups.values().sum::<f64>()
}

/// Whether an order of `qty` leaves a position of a whole number of shares: after a split it may hold a fraction
/// of a share even where fractions cannot be bought, and must be closed with it.
pub fn leaves_whole_shares(position: f64, side: Side, qty: f64) -> bool {
    let left = position + side.sign() * qty;
    (left - left.round()).abs() < 1e-9
}

/// The equity at or below which the loss limit of a session is reached, from the equity at the last session's
/// close and DAILY_LOSS_LIMIT.
pub fn loss_threshold(previous_close: f64, daily_loss_limit: f64) -> f64 {
    previous_close * (1.0 - daily_loss_limit)
}

/// Whether `equity` covers the initial margin of an exposure, one part in 10^9 left to rounding.
pub fn covers_initial_margin(rules: &AccountRules, exposure: f64, equity: f64) -> bool {
    exposure * rules.initial_margin <= equity * (1.0 + 1e-9)
}

/// What `dollars` cost for a night at a yearly rate; a year has 360 days.
pub fn night_costs(dollars: f64, yearly_rate: f64) -> f64 {
    dollars * yearly_rate / 360.0
}

fn is_price(price: f64) -> bool {
    price.is_finite() && price > 0.0
}

/// What no venue would take.
fn check_form(request: &OrderRequest) -> Result<(), &'static str> {
    if !(request.qty.is_finite() && request.qty > 0.0) {
        return Err("quantity must be positive");
    }
    if !request.kind.limit().is_none_or(is_price) || !request.kind.stop().is_none_or(is_price) {
        return Err("prices must be positive");
    }
    let limit_or_market = matches!(request.kind, OrderKind::Market | OrderKind::Limit { .. });
    match request.tif {
        TimeInForce::Ioc | TimeInForce::Fok if !limit_or_market => Err("ioc and fok are for market and limit orders"),
        TimeInForce::Opg if !limit_or_market && request.kind != OrderKind::MarketOnOpen => {
            Err("opg is for market and limit orders")
        }
        TimeInForce::Cls if !limit_or_market && request.kind != OrderKind::MarketOnClose => {
            Err("cls is for market and limit orders")
        }
        _ => Ok(()),
    }
}
