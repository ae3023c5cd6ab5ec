//! A session on a broker that fills as the simulated venue does gives the order stream of the backtest, and so does
//! the replay of its journal.

use super::drive::{backtest, spec};
use crate::look_ahead::{Change, market, variants};
use crate::sim_exchange::SimExchange;
use tradebot::backtest::RunSpec;
use tradebot::market::{MILLI, Market, SECOND};
use tradebot::risk::Venue;
use tradebot::session::day::inputs_at;
use tradebot::session::live::{BrokerEvent, Execution, Report, Request, VenueRules};
use tradebot::session::replay::replay;
use tradebot::session::{Command, Input, Mode, Output, Plan, Recorder};
use tradebot::trading::{OrderId, OrderState};

/// The simulated venue behind a broker's door: it gives out client order ids.
struct SimBroker {
    exchange: SimExchange,
    /// Client id of each order in its books.
    client_ids: Vec<Option<String>>,
    events_told: usize,
    fills_told: usize,
}

impl SimBroker {
    fn new(spec: &RunSpec, market: &Market, first: usize) -> SimBroker {
        let exchange = SimExchange::new(spec, market, first);
        SimBroker { exchange, client_ids: Vec::new(), events_told: 0, fills_told: 0 }
    }

    fn request(&mut self, request: &Request) {
        match request {
            Request::Submit { client_id, order, .. } => {
                let id = order.get().id.0 as usize;
                // Orders of the core that never came here leave gaps in the numbers.
                while self.exchange.portfolio.orders.len() <= id {
                    let mut request = order.get().request;
                    request.parent = None;
                    let at = order.get().decided;
                    let entered = self.exchange.portfolio.enter(order.get().strategy, request, at, request.symbol);
                    if entered.id.0 as usize != id {
                        self.exchange.portfolio.change_state(entered.id, at, OrderState::Canceled, "gap");
                    }
                    self.client_ids.push(None);
                }
                self.client_ids[id] = Some(client_id.clone());
                self.exchange.portfolio.change_state(order.get().id, order.get().decided, OrderState::Submitting, "");
                self.exchange.venue.submit(*order);
            }
            Request::Cancel { client_id } => {
                let id = self.client_ids.iter().position(|known| known.as_ref() == Some(client_id)).unwrap();
                let order = self.exchange.portfolio.orders[id].order;
                let now = *self.exchange.market.steps.last().unwrap();
                self.exchange.venue.cancel(order.request.symbol, OrderId(id as u32), now);
            }
            Request::Resolve { .. } => {}
        }
    }

    /// What happened since the last call, as reports.
    fn reports(&mut self) -> Vec<BrokerEvent> {
        let mut events = Vec::new();
        for event in &self.exchange.portfolio.events[self.events_told..] {
            let Some(Some(client_id)) = self.client_ids.get(event.id.0 as usize) else { continue };
            let fills = matches!(event.state, OrderState::Filled | OrderState::PartiallyFilled);
            let execution = (fills && event.reason != "parent ended").then(|| {
                let fill = self.exchange.portfolio.fills[self.fills_told];
                assert_eq!(fill.order, event.id);
                self.fills_told += 1;
                Execution {
                    id: format!("x{}", self.fills_told),
                    time: fill.time,
                    qty: fill.qty,
                    price: fill.price,
                    commission: Some(fill.commission),
                    cumulative: Some(event.filled),
                }
            });
            if event.state == OrderState::Submitting {
                continue;
            }
            events.push(BrokerEvent::Report(Report {
                client_id: client_id.clone(),
                time: event.time,
                state: event.state,
                filled: event.filled,
                execution,
                reason: None,
            }));
        }
        self.events_told = self.exchange.portfolio.events.len();
        events
    }
}

/// The orders of a session on that broker, and what its journal replays to.
fn live_orders(spec: &RunSpec, market: &Market, first: usize) -> (Vec<String>, Vec<String>, usize) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let mut broker = SimBroker::new(spec, market, first);
    let before = market.parts_before(first);
    let venue = |plan: &Plan, _: &Market| plan.live_venue();
    let mode = Mode::Live(VenueRules::default());
    let (plan, history) = Plan::new("p-1", mode, spec.clone(), 1_000, &before).unwrap();
    let mut recorder = Recorder::begin(&path, plan, &history, venue).unwrap();
    let mut orders = Vec::new();
    let mut now = market.days[first].open - SECOND;
    let mut take = |broker: &mut SimBroker, input: Input, orders: &mut Vec<String>| {
        let mut queue = vec![input];
        while !queue.is_empty() {
            for input in std::mem::take(&mut queue) {
                for output in recorder.handle(&input).unwrap() {
                    match output {
                        Output::Order(line) => orders.push(line),
                        Output::Request(request) => broker.request(&request),
                        _ => {}
                    }
                }
            }
            broker.exchange.settle();
            let time = input_time(&broker.exchange.market);
            queue.extend(broker.reports().into_iter().map(|broker| Input::Broker { time, broker }));
        }
    };
    take(&mut broker, Input::Broker { time: now, broker: BrokerEvent::Up }, &mut orders);
    for day in first..market.days.len() {
        for step in market.days[day].first_step..market.days[day].end_step {
            broker.exchange.bars(market, day, step);
            now = market.steps[step];
            for event in broker.reports() {
                take(&mut broker, Input::Broker { time: now, broker: event }, &mut orders);
            }
            for input in inputs_at(market, day, step) {
                take(&mut broker, input, &mut orders);
            }
        }
    }
    let end = Input::Command { time: now + 5 * SECOND, command: Command::EndOfData };
    take(&mut broker, end, &mut orders);
    let fills = broker.exchange.portfolio.fills.len();
    let replayed = replay(&path).unwrap();
    assert_eq!(replayed.divergence, None);
    (orders, replayed.orders, fills)
}

fn input_time(market: &Market) -> i64 {
    market.steps.last().map_or(0, |step| step + MILLI)
}

#[test]
fn a_broker_that_fills_as_the_simulated_venue_gets_the_orders_of_the_backtest() {
    let market = market(0, Change::Nothing);
    let first = market.days.len() - 1;
    let plain = [("MIN_VOLUME_THRESHOLD", "0")];
    let window = |name: &'static str, short: &'static str| spec(name, &[plain[0], (short, "ShortSell")]);
    let mut three = window("open", "SHORT_TYPE_OPEN");
    three.strategies.extend(window("mid", "SHORT_TYPE_MID").strategies);
    three.strategies.extend(window("close", "SHORT_TYPE_CLOSE").strategies);
    let mut cases = vec![("open, mid, close", three)];
    for name in ["sma_cross", "bollinger", "donchian", "vwap_reversion"] {
        cases.push((name, spec(name, &variants(name)[0])));
    }
    for (what, mut spec) in cases {
        // Slippage that is drawn by the number of an order would differ, since children are sent later here.
        spec.slippage = "fixed_pct:0.02".to_string();
        let expected = backtest(&spec, &market, first);
        let (orders, replayed, fills) = live_orders(&spec, &market, first);
        for (k, (found, expected)) in orders.iter().zip(&expected.orders).enumerate() {
            assert_eq!(found, expected, "{what}: order {k}");
        }
        assert_eq!(orders, expected.orders, "{what}");
        assert_eq!(replayed, orders, "{what}");
        assert!(orders.len() > 5 && fills > 3, "{what}: {} orders, {fills} fills", orders.len());
    }
}
