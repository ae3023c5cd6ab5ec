//! The state behind the protocol: clock, account, orders, positions, activities, bars. No I/O.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use rust_decimal::Decimal;
use serde_json::{Value, json};
use tradebot::market::{Calendar, MINUTE, Nanos, Session, format_time, new_york_date};

use super::Setup;
use super::checks::{Refusal, refuse};
use super::filler::{Filler, Market, Outcome};

/// A stock.
#[derive(Debug, Clone)]
pub struct AssetRow {
    pub symbol: String,
    pub exchange: String,
    pub tradable: bool,
    pub shortable: bool,
    pub easy_to_borrow: bool,
    pub fractionable: bool,
}

impl AssetRow {
    /// One that can be traded in every way.
    pub fn new(symbol: &str) -> AssetRow {
        AssetRow {
            symbol: symbol.into(),
            exchange: "NASDAQ".into(),
            tradable: true,
            shortable: true,
            easy_to_borrow: true,
            fractionable: true,
        }
    }
}

/// A bar of one minute.
#[derive(Debug, Clone, PartialEq)]
pub struct FeedBar {
    pub symbol: String,
    /// Start of the minute.
    pub start: Nanos,
    pub open: Decimal,
    pub high: Decimal,
    pub low: Decimal,
    pub close: Decimal,
    pub volume: u64,
}

impl FeedBar {
    /// The bar in the form of the data interface, whose numbers are JSON numbers.
    pub fn json(&self) -> Value {
        let number = |decimal: Decimal| -> Value { serde_json::from_str(&decimal.to_string()).unwrap() };
        json!({
            "t": short_time(self.start), "o": number(self.open), "h": number(self.high), "l": number(self.low),
            "c": number(self.close), "v": self.volume, "n": 10, "vw": number(self.close),
        })
    }
}

/// RFC 3339 to the second.
pub fn short_time(time: Nanos) -> String {
    format!("{}Z", &format_time(time)[..19])
}

/// An order.
#[derive(Debug, Clone)]
pub struct Order {
    pub id: String,
    pub client_id: String,
    pub symbol: String,
    pub side: String,
    pub kind: String,
    pub tif: String,
    pub qty: Decimal,
    pub limit: Option<Decimal>,
    pub stop: Option<Decimal>,
    pub trail_price: Option<Decimal>,
    pub trail_percent: Option<Decimal>,
    pub filled: Decimal,
    /// Dollars of all executions.
    pub value: Decimal,
    pub status: String,
    pub submitted: Nanos,
    pub updated: Nanos,
    pub replaced_by: Option<String>,
    pub replaces: Option<String>,
}

impl Order {
    pub fn is_buy(&self) -> bool {
        self.side == "buy"
    }

    pub fn is_final(&self) -> bool {
        matches!(self.status.as_str(), "filled" | "canceled" | "expired" | "rejected" | "replaced")
    }

    /// Shares still to be executed.
    pub fn left(&self) -> Decimal {
        if self.is_final() { Decimal::ZERO } else { self.qty - self.filled }
    }

    pub fn json(&self) -> Value {
        let text = |value: &Option<Decimal>| value.map(|value| value.to_string());
        let average = (!self.filled.is_zero()).then(|| (self.value / self.filled).round_dp(4).normalize().to_string());
        json!({
            "id": self.id, "client_order_id": self.client_id, "symbol": self.symbol, "asset_class": "us_equity",
            "side": self.side, "type": self.kind, "order_type": self.kind, "order_class": "", "time_in_force": self.tif,
            "qty": self.qty.to_string(), "notional": null, "filled_qty": self.filled.to_string(),
            "filled_avg_price": average, "limit_price": text(&self.limit), "stop_price": text(&self.stop),
            "trail_price": text(&self.trail_price), "trail_percent": text(&self.trail_percent), "status": self.status,
            "extended_hours": false, "legs": null, "replaced_by": self.replaced_by, "replaces": self.replaces,
            "created_at": format_time(self.submitted), "submitted_at": format_time(self.submitted),
            "updated_at": format_time(self.updated),
        })
    }
}

/// Something to be said on a stream.
#[derive(Debug, Clone)]
pub enum Push {
    /// The `data` of a trade update.
    Order(Value),
    /// An item of market data, with its channel and symbol.
    Data { channel: &'static str, symbol: String, item: Value },
}

/// The broker.
pub struct Desk {
    clock: Arc<AtomicI64>,
    pub market: Market,
    pub cash: Decimal,
    pub multiplier: Decimal,
    pub shorting_enabled: bool,
    pub trading_blocked: bool,
    pub assets: BTreeMap<String, AssetRow>,
    /// In order of submission.
    pub orders: Vec<Order>,
    /// Signed shares and average entry price.
    pub positions: BTreeMap<String, (Decimal, Decimal)>,
    /// Executions, oldest first, in the form of the activities.
    pub activities: Vec<Value>,
    /// Requests that were refused.
    pub refused: usize,
    /// Bars to come, by the end of their minute.
    to_come: BTreeMap<Nanos, Vec<FeedBar>>,
    filler: Option<Box<dyn Filler>>,
    numbers: u64,
    pushes: Vec<Push>,
}

impl Desk {
    pub fn new(setup: Setup, clock: Arc<AtomicI64>) -> Desk {
        let market = Market { now: setup.now, quotes: BTreeMap::new(), bars: BTreeMap::new() };
        let mut desk = Desk {
            clock,
            market,
            cash: setup.cash,
            multiplier: setup.multiplier,
            shorting_enabled: setup.multiplier > Decimal::ONE,
            trading_blocked: false,
            assets: setup.symbols.into_iter().map(|asset| (asset.symbol.clone(), asset)).collect(),
            orders: Vec::new(),
            positions: BTreeMap::new(),
            activities: Vec::new(),
            refused: 0,
            to_come: BTreeMap::new(),
            filler: Some(setup.filler),
            numbers: 0,
            pushes: Vec::new(),
        };
        let symbols: Vec<String> = desk.assets.keys().cloned().collect();
        for symbol in symbols {
            desk.quote(&symbol, "99.99", "100.01");
        }
        desk
    }

    pub fn now(&self) -> Nanos {
        self.market.now
    }

    pub fn take_pushes(&mut self) -> Vec<Push> {
        std::mem::take(&mut self.pushes)
    }

    /// A number that looks like the broker's and is the same in every run.
    pub fn number(&mut self) -> String {
        self.numbers += 1;
        format!("{:08x}-aaaa-4bbb-8ccc-{:012x}", self.numbers.wrapping_mul(2_654_435_761) as u32, self.numbers)
    }

    /// The session of the clock's day.
    pub fn session(&self) -> Option<Session> {
        Calendar::nyse().session(new_york_date(self.now()))
    }

    pub fn is_open(&self) -> bool {
        self.session().is_some_and(|session| (session.open..session.close).contains(&self.now()))
    }

    pub fn order_by_client_id(&self, client_id: &str) -> Option<&Order> {
        self.orders.iter().find(|order| order.client_id == client_id)
    }

    pub fn position(&self, symbol: &str) -> Decimal {
        self.positions.get(symbol).map_or(Decimal::ZERO, |position| position.0)
    }

    /// The price that positions are valued at.
    pub fn price(&self, symbol: &str) -> Decimal {
        self.market.quotes.get(symbol).map_or(Decimal::ZERO, |(bid, ask)| (bid + ask) / Decimal::TWO)
    }

    pub fn equity(&self) -> Decimal {
        self.cash + self.positions.iter().map(|(symbol, (qty, _))| qty * self.price(symbol)).sum::<Decimal>()
    }

    /// What may still be bought for: positions and open orders that add to them take from it.
    pub fn buying_power(&self) -> Decimal {
        let held: Decimal = self.positions.iter().map(|(symbol, (qty, _))| (qty * self.price(symbol)).abs()).sum();
        let reserved: Decimal = self
            .orders
            .iter()
            .filter(|order| order.is_buy() || self.position(&order.symbol) <= Decimal::ZERO)
            .map(|order| order.left() * super::checks::reserve_price(self, &order.symbol, order.limit, order.is_buy()))
            .sum();
        self.equity() * self.multiplier - held - reserved
    }

    /// A quote; it goes out.
    pub fn quote(&mut self, symbol: &str, bid: &str, ask: &str) {
        let (bid, ask): (Decimal, Decimal) = (bid.parse().unwrap(), ask.parse().unwrap());
        self.market.quotes.insert(symbol.to_string(), (bid, ask));
        let mut item = self.quote_json(symbol).unwrap();
        item["T"] = json!("q");
        item["S"] = json!(symbol);
        self.pushes.push(Push::Data { channel: "quotes", symbol: symbol.to_string(), item });
    }

    pub fn quote_json(&self, symbol: &str) -> Option<Value> {
        let (bid, ask) = self.market.quotes.get(symbol)?;
        let number = |decimal: &Decimal| -> Value { serde_json::from_str(&decimal.to_string()).unwrap() };
        Some(json!({
            "t": format_time(self.now()), "bx": "V", "bp": number(bid), "bs": 1, "ax": "V", "ap": number(ask), "as": 2,
            "c": ["R"], "z": "C",
        }))
    }

    /// A halt (`H`) or its end (`T`).
    pub fn trading_status(&mut self, symbol: &str, code: &str) {
        let item = json!({"T": "s", "S": symbol, "sc": code, "sm": "Trading Halt", "rc": "T12", "rm": "Trading Halt; Information requested", "t": format_time(self.now()), "z": "C"});
        self.pushes.push(Push::Data { channel: "statuses", symbol: symbol.to_string(), item });
    }

    /// A bar that was said already gets other values.
    pub fn update_bar(&mut self, bar: FeedBar) {
        self.push_bar("u", "updatedBars", &bar);
        if let Some(old) =
            self.market.bars.entry(bar.symbol.clone()).or_default().iter_mut().find(|old| old.start == bar.start)
        {
            *old = bar;
        }
    }

    fn push_bar(&mut self, kind: &str, channel: &'static str, bar: &FeedBar) {
        let mut item = bar.json();
        item["T"] = json!(kind);
        item["S"] = json!(bar.symbol);
        self.pushes.push(Push::Data { channel, symbol: bar.symbol.clone(), item });
    }

    pub fn feed(&mut self, bars: impl IntoIterator<Item = FeedBar>) {
        for bar in bars {
            self.to_come.entry(bar.start + MINUTE).or_default().push(bar);
        }
    }

    /// The end of the next minute that has bars.
    pub fn next_minute(&self) -> Option<Nanos> {
        self.to_come.keys().next().copied()
    }

    fn set_clock(&mut self, time: Nanos) {
        self.market.now = self.market.now.max(time);
        self.clock.store(self.market.now, Ordering::SeqCst);
    }

    /// Moves the clock to `time`, but at most by one minute end or session end; `false` when it is there.
    pub fn advance(&mut self, time: Nanos) -> bool {
        let close = self.session().map(|session| session.close).filter(|close| *close > self.now());
        let minute = self.next_minute();
        let Some(next) = [close, minute].into_iter().flatten().min().filter(|next| *next <= time) else {
            self.set_clock(time);
            return false;
        };
        let was_open = self.is_open();
        self.set_clock(next);
        if !was_open && self.is_open() {
            self.open_market();
        }
        let bars = self.to_come.remove(&next).unwrap_or_default();
        for bar in &bars {
            self.market.bars.entry(bar.symbol.clone()).or_default().push(bar.clone());
            self.push_bar("b", "bars", bar);
            let cent = Decimal::new(1, 2);
            self.quote(&bar.symbol, &(bar.close - cent).to_string(), &(bar.close + cent).to_string());
        }
        if !bars.is_empty() {
            let open: Vec<Order> = self.orders.iter().filter(|order| !order.is_final()).cloned().collect();
            self.ask_filler(|filler, market| filler.minute(&bars, &open, market));
        }
        if close == Some(next) {
            self.close_market();
        }
        true
    }

    /// Orders that waited come into the market.
    fn open_market(&mut self) {
        let waiting: Vec<String> =
            self.orders.iter().filter(|order| order.status == "accepted").map(|order| order.id.clone()).collect();
        for id in waiting {
            self.come_into_market(&id);
        }
    }

    /// Day orders end.
    fn close_market(&mut self) {
        let ended: Vec<String> = self
            .orders
            .iter()
            .filter(|order| !order.is_final() && order.tif != "gtc" && order.submitted < self.market.now)
            .map(|order| order.id.clone())
            .collect();
        for order in ended {
            self.outcome(Outcome::Expire { order });
        }
    }

    fn ask_filler(&mut self, ask: impl FnOnce(&mut dyn Filler, &Market) -> Vec<Outcome>) {
        let Some(mut filler) = self.filler.take() else { return };
        let outcomes = ask(filler.as_mut(), &self.market);
        self.filler = Some(filler);
        for outcome in outcomes {
            self.outcome(outcome);
        }
    }

    /// A new order, as if it had been posted.
    pub fn post_order(&mut self, body: &Value) -> (u16, Value) {
        match super::checks::new_order(self, body) {
            Ok(order) => (200, self.enter(order)),
            Err(refusal) => refusal,
        }
    }

    /// Gives an order any status, without a word to anyone.
    pub fn set_status(&mut self, client_id: &str, status: &str) {
        let id = self.order_by_client_id(client_id).expect("an order of this id").id.clone();
        self.find_mut(&id).status = status.into();
    }

    /// Enters an order that passed all checks. `body` as [`super::checks`] read it.
    pub fn enter(&mut self, mut order: Order) -> Value {
        order.id = self.number();
        if order.client_id.is_empty() {
            order.client_id = self.number();
        }
        (order.submitted, order.updated) = (self.now(), self.now());
        order.status = "accepted".into();
        let id = order.id.clone();
        self.orders.push(order);
        let waits = !self.is_open();
        let answer = self.find(&id).json();
        if waits {
            self.push_event(&id, "accepted", None);
        } else {
            self.push_event(&id, "pending_new", None);
            self.come_into_market(&id);
        }
        answer
    }

    fn come_into_market(&mut self, id: &str) {
        self.find_mut(id).status = "new".into();
        self.push_event(id, "new", None);
        let order = self.find(id).clone();
        self.ask_filler(|filler, market| filler.submitted(&order, market));
    }

    fn find(&self, id: &str) -> &Order {
        self.orders.iter().find(|order| order.id == id).expect("an order of this number")
    }

    fn find_mut(&mut self, id: &str) -> &mut Order {
        let now = self.market.now;
        let order = self.orders.iter_mut().find(|order| order.id == id).expect("an order of this number");
        order.updated = now;
        order
    }

    /// Something becomes of an order.
    pub fn outcome(&mut self, outcome: Outcome) {
        let (id, status) = match outcome {
            Outcome::Fill { order, qty, price } => return self.execute(&order, qty, price),
            Outcome::Cancel { order } => (order, "canceled"),
            Outcome::Expire { order } => (order, "expired"),
            Outcome::Reject { order } => (order, "rejected"),
        };
        if !self.find(&id).is_final() {
            self.find_mut(&id).status = status.into();
            self.push_event(&id, status, None);
        }
    }

    /// Says the present state of an order under any word.
    pub fn push_event(&mut self, id: &str, event: &str, execution: Option<Value>) {
        let mut data = json!({
            "event": event, "timestamp": format_time(self.now()), "order": self.find(id).json(), "event_id": self.numbers,
        });
        if let Some(Value::Object(fields)) = execution {
            for (name, value) in fields {
                data[name] = value;
            }
        }
        self.pushes.push(Push::Order(data));
    }

    fn execute(&mut self, id: &str, qty: Decimal, price: Decimal) {
        let order = self.find_mut(id);
        // Executions after the end of an order happen, and leave the status as it is.
        order.filled += qty;
        order.value += qty * price;
        let is_whole = order.filled >= order.qty;
        if !order.is_final() || order.status == "filled" {
            order.status = if is_whole { "filled" } else { "partially_filled" }.into();
        }
        let order = order.clone();
        assert!(order.filled <= order.qty, "more than ordered was executed of {order:?}");
        let signed = if order.is_buy() { qty } else { -qty };
        self.cash -= signed * price;
        let position = self.positions.entry(order.symbol.clone()).or_default();
        if position.0.is_zero() || position.0.is_sign_negative() == signed.is_sign_negative() {
            position.1 = (position.0 * position.1 + signed * price) / (position.0 + signed);
        }
        position.0 += signed;
        let after = position.0;
        if after.is_zero() {
            self.positions.remove(&order.symbol);
        }
        let event = if is_whole { "fill" } else { "partial_fill" };
        let (execution, activity) = (self.number(), self.number());
        let stamp: String = format_time(self.now()).chars().filter(char::is_ascii_digit).take(17).collect();
        // The number of an activity is not that of the execution: nobody promises that it is.
        self.activities.push(json!({
            "id": format!("{stamp}::{activity}"), "activity_type": "FILL", "type": event, "symbol": order.symbol,
            "side": order.side, "price": price.to_string(), "qty": qty.to_string(), "cum_qty": order.filled.to_string(),
            "leaves_qty": (order.qty - order.filled).to_string(), "order_id": order.id,
            "transaction_time": format_time(self.now()), "order_status": order.status,
        }));
        let fields = json!({
            "execution_id": execution, "price": price.to_string(), "qty": qty.to_string(),
            "position_qty": after.to_string(),
        });
        self.push_event(id, event, Some(fields));
    }

    pub fn cancel(&mut self, id: &str) -> Result<(), Refusal> {
        let order = self.orders.iter().find(|order| order.id == id).cloned();
        let order = order.ok_or_else(|| refuse(404, 40_410_000, "order not found"))?;
        if order.is_final() {
            let message = format!("order is already in \"{}\" state", order.status);
            return Err(refuse(422, 42_210_000, &message));
        }
        self.ask_filler(|filler, market| filler.canceling(&order, market));
        if !self.find(id).is_final() {
            self.find_mut(id).status = "pending_cancel".into();
            self.push_event(id, "pending_cancel", None);
            self.outcome(Outcome::Cancel { order: id.to_string() });
        }
        Ok(())
    }

    /// A new order takes the place of an old one; all checks passed.
    pub fn replace(&mut self, old: &str, mut new: Order) -> Value {
        new.id = self.number();
        new.replaces = Some(old.to_string());
        (new.submitted, new.updated) = (self.now(), self.now());
        new.status = "new".into();
        let id = new.id.clone();
        let before = self.find(old).clone();
        self.orders.push(new.clone());
        let replaced = self.find_mut(old);
        replaced.status = "replaced".into();
        replaced.replaced_by = Some(id.clone());
        self.push_event(old, "replaced", None);
        self.push_event(&id, "new", None);
        let answer = self.find(&id).json();
        self.ask_filler(|filler, market| filler.replaced(&before, &new, market));
        answer
    }
}
