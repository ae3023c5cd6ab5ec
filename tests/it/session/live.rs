//! A session on a broker that misbehaves, and that is killed at every step: in the end its books are the broker's,
//! and no order was sent twice.

use super::drive::spec;
use super::parity::order_file;
use super::scripted_broker::{ScriptedBroker, Trouble};
use crate::look_ahead::{Change, market};
use crate::windows;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use tradebot::backtest::RunSpec;
use tradebot::market::{MILLI, Market, Nanos, SECOND};
use tradebot::session::day::inputs_at;
use tradebot::session::live::{BrokerEvent, LiveVenue, Report, Request, VenueRules};
use tradebot::session::replay::replay;
use tradebot::session::{Command, Input, Mode, Output, Plan, Recorder};
use tradebot::trading::OrderState;

/// A session, its broker, and the line between them.
struct Trial {
    path: PathBuf,
    recorder: Option<Recorder<LiveVenue>>,
    broker: ScriptedBroker,
    now: Nanos,
    /// Things that were done so far: an input taken, a request carried out.
    deeds: u64,
    /// Deeds after which the process is killed.
    kill_at: BTreeSet<u64>,
    kills: u64,
    orders: Vec<String>,
}

impl Trial {
    fn begin(
        spec: &RunSpec,
        market: &Market,
        first: usize,
        rules: VenueRules,
        broker: ScriptedBroker,
        folder: &Path,
    ) -> Trial {
        let path = folder.join("journal");
        let venue = |plan: &Plan, _: &Market| plan.live_venue();
        let before = market.parts_before(first);
        let (plan, history) = Plan::new("live-7", Mode::Live(rules), spec.clone(), 1_000, &before).unwrap();
        let recorder = Recorder::begin(&path, plan, &history, venue).unwrap();
        let now = market.days[first].open - SECOND;
        let recorder = Some(recorder);
        Trial { path, recorder, broker, now, deeds: 0, kill_at: BTreeSet::new(), kills: 0, orders: Vec::new() }
    }

    /// Whether the process dies here.
    fn dies(&mut self) -> bool {
        self.deeds += 1;
        self.kill_at.remove(&self.deeds)
    }

    fn take(&mut self, input: Input) {
        self.now = self.now.max(input.time());
        let outputs = self.recorder.as_mut().unwrap().handle(&input).unwrap();
        if self.dies() {
            self.restart();
            return;
        }
        self.carry_out(outputs);
    }

    fn carry_out(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Request(request) => {
                    self.request(&request);
                    if self.dies() {
                        self.restart();
                        return;
                    }
                }
                Output::Order(line) => self.orders.push(line),
                _ => {}
            }
        }
    }

    fn request(&mut self, request: &Request) {
        self.broker.request(request, self.now);
    }

    /// The process is killed and started again; what was on its way to it is lost.
    fn restart(&mut self) {
        self.kills += 1;
        self.recorder = None;
        self.broker.disconnect();
        let (recorder, outputs) = Recorder::<LiveVenue>::resume(&self.path).unwrap();
        self.recorder = Some(recorder);
        self.carry_out(outputs);
        self.reconnect();
    }

    fn reconnect(&mut self) {
        let events = self.broker.connect(self.now);
        self.hear(events);
    }

    fn hear(&mut self, events: Vec<BrokerEvent>) {
        let kills = self.kills;
        for broker in events {
            self.now += MILLI;
            self.take(Input::Broker { time: self.now, broker });
            if self.kills != kills {
                return;
            }
        }
    }

    fn listen(&mut self) {
        let events = self.broker.deliver();
        self.hear(events);
    }

    /// Trades the first minutes of a day; `wild` may break the connection now and then.
    fn day(&mut self, market: &Market, day: usize, minutes: usize, wild: bool) {
        self.reconnect();
        let days = &market.days[day];
        for step in days.first_step..days.first_step + minutes {
            for bar in market.bars_at(day, step) {
                self.broker.prices.insert(market.symbols[bar.symbol.index()].clone(), bar.bar.close);
            }
            self.broker.fill(market.steps[step] - SECOND, market.steps[step] >= days.close);
            self.listen();
            for input in inputs_at(market, day, step) {
                self.take(input);
            }
            self.listen();
            if wild && self.broker.random.chance(0.03) {
                self.broker.disconnect();
                self.take(Input::Broker { time: self.now, broker: BrokerEvent::Down { reason: "test".to_string() } });
                self.reconnect();
            }
        }
    }

    /// Stops, lets the broker become honest, and waits until everything is closed.
    fn settle(&mut self) {
        self.broker.trouble = Trouble::NONE;
        self.take(Input::Command { time: self.now + SECOND, command: Command::Stop });
        for _ in 0..60 {
            self.now += SECOND;
            self.broker.fill(self.now, true);
            self.listen();
            self.reconnect();
            self.take(Input::Timer { time: self.now });
        }
    }

    /// Our books are the broker's.
    fn compare(&self, market: &Market, what: &str) {
        let session = self.recorder.as_ref().unwrap().session();
        let portfolio = session.portfolio();
        for (client_id, times) in &self.broker.sent {
            assert_eq!(*times, 1, "{what}: {client_id} was sent {times} times");
        }
        for symbol in market.symbol_ids() {
            let name = &market.symbols[symbol.index()];
            let (ours, theirs) = (portfolio.account.position(symbol), self.broker.position(name));
            assert!(ours.abs() < 1e-9, "{what}: {ours} {name} are left");
            assert!((ours - theirs).abs() < 1e-6, "{what}: position in {name}: {ours}, at the broker {theirs}");
        }
        let mut by_order: BTreeMap<u32, f64> = BTreeMap::new();
        for (client_id, order) in &self.broker.orders {
            assert!(!order.is_open(), "{what}: {client_id} is open at the broker");
            let number = client_id.strip_prefix("live-7-").unwrap().split('-').next().unwrap();
            *by_order.entry(number.parse().unwrap()).or_default() += order.filled();
        }
        for record in &portfolio.orders {
            let theirs = by_order.get(&record.order.id.0).copied().unwrap_or(0.0);
            assert!((record.filled - theirs).abs() < 1e-6, "{what}: order {:?}: {theirs} at the broker", record);
            assert!(record.state.is_final(), "{what}: {record:?} is open");
        }
        for wire in session.venue().wires() {
            let theirs = self.broker.orders.get(wire.client_id).map_or(0.0, |order| order.filled());
            assert!((wire.filled - theirs).abs() < 1e-6, "{what}: {wire:?}, at the broker {theirs}");
        }
        assert_eq!(session.status().unresolved_orders, 0, "{what}");
        let executions: usize = self.broker.orders.values().map(|o| o.executions.len()).sum();
        assert_eq!(portfolio.fills.len(), executions, "{what}: executions");
        let theirs: f64 = (self.broker.orders.values())
            .flat_map(|o| o.executions.iter().map(move |e| -o.side.sign() * e.qty * e.price))
            .sum();
        let ours = portfolio.account.cash - 100_000.0;
        assert!((ours - theirs).abs() < 1e-4, "{what}: cash {ours}, at the broker {theirs}");
    }
}

/// The day of orders of all kinds.
fn orders_day() -> (RunSpec, Market, usize) {
    let market = market(0, Change::Nothing);
    let first = market.days.len() - 1;
    let mut spec = spec("orders", &[]);
    spec.orders = Some(order_file(&market, first));
    (spec, market, first)
}

#[test]
fn whatever_a_broker_does_the_books_are_its_books_and_no_order_is_sent_twice() {
    let (spec, market, first) = orders_day();
    let (mut kills, mut executions, mut wires) = (0, 0, 0);
    for seed in 0..8 {
        let holds = seed % 2 == 1;
        let rules = VenueRules { exits_hold_shares: holds, ..VenueRules::default() };
        let folder = tempfile::tempdir().unwrap();
        let broker = ScriptedBroker::new(seed, Trouble::MUCH, holds);
        let mut trial = Trial::begin(&spec, &market, first, rules, broker, folder.path());
        // Killed after deeds that the seed tells.
        let mut at = 0;
        while at < 3_000 {
            at += 1 + trial.broker.random.below(700) as u64;
            trial.kill_at.insert(at);
        }
        trial.day(&market, first, 390, true);
        trial.settle();
        let what = format!("seed {seed}");
        trial.compare(&market, &what);
        kills += trial.kills;
        executions += trial.recorder.as_ref().unwrap().session().portfolio().fills.len();
        wires += trial.broker.sent.len();
        trial.recorder = None;
        assert_eq!(replay(&trial.path).unwrap().divergence, None, "{what}");
    }
    assert!(kills > 8 && executions > 500 && wires > 500, "{kills} kills, {executions} executions, {wires} wires");
}

/// One entry with a stop, a target and an exit at the close, that leaves at the end of its window.
fn one_trade() -> (RunSpec, Market) {
    let mut spec = spec("open", &[("stop", "range"), ("target_r", "3")]);
    for setting in ["MAX_PRICE=200", "MIN_VOLUME_THRESHOLD=0"] {
        spec.settings.set(setting).unwrap();
    }
    (spec, windows::market(windows::opening_range(windows::jump(24, 104.0))))
}

/// A day of one trade, killed after the deeds in `kill_at`.
fn traded(rules: VenueRules, kill_at: &[u64], folder: &Path) -> Trial {
    let (spec, market) = one_trade();
    let broker = ScriptedBroker::new(1, Trouble::NONE, rules.exits_hold_shares);
    let mut trial = Trial::begin(&spec, &market, 1, rules, broker, folder);
    trial.kill_at.extend(kill_at);
    trial.day(&market, 1, 70, false);
    trial.settle();
    trial.compare(&market, &format!("killed after {kill_at:?}"));
    assert_eq!(trial.kills, kill_at.len() as u64);
    trial
}

#[test]
fn the_exits_of_a_trade_go_to_the_broker_when_the_entry_has_filled_and_leave_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let trial = traded(VenueRules::default(), &[], folder.path());
    let found: Vec<String> = (trial.broker.orders.iter())
        .map(|(id, o)| format!("{id} {} {} {}", o.kind.order_type().name(), o.state.name(), o.side.name()))
        .collect();
    assert_eq!(
        found,
        [
            "live-7-0 market Filled buy",
            "live-7-1 stop Canceled sell",
            "live-7-2 limit Canceled sell",
            "live-7-3 market_on_close Canceled sell",
            "live-7-4 market Filled sell",
        ]
    );
    assert!(trial.recorder.unwrap().session().status().trades[0].reason.starts_with("window end"));
}

#[test]
fn where_exits_hold_shares_one_waits_for_the_other_and_none_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let rules = VenueRules { exits_hold_shares: true, ..VenueRules::default() };
    let trial = traded(rules, &[], folder.path());
    assert_eq!((trial.broker.short_of_shares, trial.broker.crossing), (0, 0));
    let ids: Vec<&String> = trial.broker.orders.keys().collect();
    assert_eq!(ids, ["live-7-0", "live-7-1", "live-7-4"], "the stop protects; the exit comes when it is back");
    assert_eq!(trial.broker.orders["live-7-4"].filled(), trial.broker.orders["live-7-0"].filled());
}

#[test]
fn a_fraction_for_the_close_goes_to_the_market_shortly_before_it_where_the_broker_takes_none() {
    let folder = tempfile::tempdir().unwrap();
    // The window ends after the close, so that only the order for the close is left.
    let (mut spec, market) = one_trade();
    spec.strategies = super::drive::spec("open", &[]).strategies;
    spec.settings.set("OPEN_MONITORING_TIME=390").unwrap();
    let rules = VenueRules {
        exits_hold_shares: true,
        fractions_at_close: false,
        close_lead_ms: 90_000,
        ..VenueRules::default()
    };
    let broker = ScriptedBroker::new(1, Trouble::NONE, true);
    let mut trial = Trial::begin(&spec, &market, 1, rules, broker, folder.path());
    trial.day(&market, 1, 390, false);
    let order = &trial.broker.orders["live-7-1"];
    assert!(order.qty.fract() != 0.0 && order.kind == tradebot::trading::OrderKind::Market);
    let close = market.days[1].close;
    let sold = order.executions[0].time;
    assert!(sold > close - 90 * SECOND && sold <= close, "{}", (close - sold) / SECOND);
}

#[test]
fn killed_after_every_single_step_of_a_trade_the_books_are_the_brokers() {
    for holds in [false, true] {
        let rules = VenueRules { exits_hold_shares: holds, ..VenueRules::default() };
        // The trade is between the 20th and the 65th minute; two inputs a minute and everything that follows.
        let mut at = 45;
        // Where exits wait for each other every third step must do.
        while at < 190 {
            let folder = tempfile::tempdir().unwrap();
            let trial = traded(rules, &[at, at + 3], folder.path());
            let filled = trial.broker.orders.values().filter(|o| o.filled() > 0.0).count();
            assert!(filled == 2 || filled == 0, "killed after {at}: {filled} orders filled");
            assert_eq!(trial.broker.crossing, 0, "killed after {at}");
            at += if holds { 3 } else { 1 };
        }
    }
}

#[test]
fn while_order_updates_do_not_arrive_nothing_is_opened() {
    let (spec, market) = one_trade();
    let folder = tempfile::tempdir().unwrap();
    let broker = ScriptedBroker::new(1, Trouble::NONE, false);
    let mut trial = Trial::begin(&spec, &market, 1, VenueRules::default(), broker, folder.path());
    trial.reconnect();
    trial.take(Input::Broker { time: trial.now, broker: BrokerEvent::Down { reason: "test".to_string() } });
    for step in market.days[1].first_step..market.days[1].first_step + 60 {
        for input in inputs_at(&market, 1, step) {
            trial.take(input);
        }
    }
    assert!(trial.broker.sent.is_empty());
    assert_eq!(
        trial.recorder.as_ref().unwrap().session().status().entries_blocked,
        Some("order updates do not arrive")
    );
    let status = trial.recorder.unwrap().session().status();
    assert!(status.counters.rejected_orders > 0);
}

#[test]
fn a_position_that_the_broker_has_otherwise_stops_entries_until_both_agree() {
    let (spec, market) = one_trade();
    for agrees in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let broker = ScriptedBroker::new(1, Trouble::NONE, false);
        let mut trial = Trial::begin(&spec, &market, 1, VenueRules::default(), broker, folder.path());
        trial.reconnect();
        let positions = |qty: f64| BrokerEvent::Positions { positions: vec![("A".to_string(), qty)] };
        trial.take(Input::Broker { time: trial.now, broker: positions(7.0) });
        if agrees {
            trial.take(Input::Broker { time: trial.now, broker: positions(0.0) });
        }
        for step in market.days[1].first_step..market.days[1].first_step + 30 {
            for input in inputs_at(&market, 1, step) {
                trial.take(input);
            }
        }
        assert_eq!(trial.broker.sent.is_empty(), !agrees);
    }
}

#[test]
fn executions_that_a_broker_keeps_to_itself_are_not_asked_for_for_ever() {
    let (spec, market) = one_trade();
    let folder = tempfile::tempdir().unwrap();
    let broker = ScriptedBroker::new(1, Trouble::NONE, false);
    let mut trial = Trial::begin(&spec, &market, 1, VenueRules::default(), broker, folder.path());
    trial.reconnect();
    for step in market.days[1].first_step..market.days[1].first_step + 26 {
        for input in inputs_at(&market, 1, step) {
            trial.take(input);
        }
    }
    assert!(trial.broker.sent.contains_key("live-7-0"));
    let mut recorder = trial.recorder.take().unwrap();
    let mut questions = |event: BrokerEvent| {
        let outputs = recorder.handle(&Input::Broker { time: trial.now, broker: event }).unwrap();
        let asks =
            |o: &&Output| matches!(o, Output::Request(Request::Resolve { client_id, .. }) if client_id == "live-7-0");
        outputs.iter().filter(asks).count()
    };
    let report = Report {
        client_id: "live-7-0".to_string(),
        time: trial.now,
        state: OrderState::Canceled,
        filled: 1.0,
        execution: None,
        reason: None,
    };
    let asked: usize = (0..50).map(|_| questions(BrokerEvent::Report(report.clone()))).sum();
    assert_eq!(asked, 10);
    assert_eq!(questions(BrokerEvent::Up), 1, "a new connection is a new chance");
    // And its three exits, which went out for what is reported as filled, and of which no word has come.
    assert_eq!(recorder.session().status().unresolved_orders, 4);
    assert!(!recorder.session().portfolio().orders[0].state.is_final(), "what is missing keeps the order open");
}
