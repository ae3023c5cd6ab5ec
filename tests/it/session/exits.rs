//! What a session on a broker does for the exits of a position, request by request.

use std::path::PathBuf;

use super::drive::spec;
use crate::look_ahead::{Change, market};
use tradebot::backtest::InputFile;
use tradebot::market::{MINUTE, Market, Nanos, SECOND, format_time};
use tradebot::session::day::inputs_at;
use tradebot::session::live::{BrokerEvent, Execution, LiveVenue, Report, Request, VenueRules};
use tradebot::session::replay::replay;
use tradebot::session::{Command, Input, Mode, Output, Plan, Recorder};
use tradebot::trading::{OrderKind, OrderState};

/// A session that buys 10 of D with a stop in its third minute, and again in its tenth.
struct Trial {
    market: Market,
    day: usize,
    next: usize,
    now: Nanos,
    path: PathBuf,
    recorder: Recorder<LiveVenue>,
    _folder: tempfile::TempDir,
}

impl Trial {
    fn begin(rules: VenueRules) -> Trial {
        let market = market(0, Change::Nothing);
        let day = market.days.len() - 1;
        let mut text = "ts,id,symbol,side,type,qty,stop,parent\n".to_string();
        for minute in [3, 10] {
            let at = format_time(market.days[day].open + minute * MINUTE);
            text += &format!("{at},e{minute},D,buy,market,10,,\n{at},s{minute},D,sell,stop,10,40,e{minute}\n");
        }
        let mut spec = spec("orders", &[]);
        spec.orders = Some(InputFile { name: "orders.csv".to_string(), text });
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let before = market.parts_before(day);
        let (plan, history) = Plan::new("x", Mode::Live(rules), spec, 1_000, &before).unwrap();
        let recorder = Recorder::begin(&path, plan, &history, |plan, _| plan.live_venue()).unwrap();
        let (next, now) = (market.days[day].first_step, market.days[day].open);
        let mut trial = Trial { market, day, next, now, path, recorder, _folder: folder };
        trial.hear(BrokerEvent::Up);
        trial
    }

    /// Takes an input and gives back what is asked of the broker.
    fn take(&mut self, input: &Input) -> Vec<String> {
        self.now = self.now.max(input.time());
        words(self.recorder.handle(input).unwrap())
    }

    fn hear(&mut self, broker: BrokerEvent) -> Vec<String> {
        let time = self.now;
        self.take(&Input::Broker { time, broker })
    }

    fn wait(&mut self, seconds: i64) -> Vec<String> {
        let time = self.now + seconds * SECOND;
        self.take(&Input::Timer { time })
    }

    fn minutes(&mut self, minutes: usize) -> Vec<String> {
        let mut asked = Vec::new();
        for step in self.next..self.next + minutes {
            for input in inputs_at(&self.market, self.day, step) {
                asked.extend(self.take(&input));
            }
        }
        self.next += minutes;
        asked
    }

    fn report(&mut self, client_id: &str, state: OrderState, filled: f64, execution: Option<f64>) -> Vec<String> {
        let (time, price) = (self.now, 50.0);
        let execution = execution.map(|qty| Execution {
            id: format!("{client_id}-{filled}"),
            time,
            qty,
            price,
            commission: None,
            cumulative: Some(filled),
        });
        let client_id = client_id.to_string();
        self.hear(BrokerEvent::Report(Report { client_id, time, state, filled, execution, reason: None }))
    }
}

fn words(outputs: Vec<Output>) -> Vec<String> {
    let word = |request: Request| match request {
        Request::Submit { client_id, order, exit, .. } => {
            let order = order.get().request;
            let kind = match order.kind {
                OrderKind::Market => "market",
                OrderKind::Stop { .. } => "stop",
                _ => "other",
            };
            format!("{} {client_id} {kind} {}{}", order.side.name(), order.qty, if exit { " exit" } else { "" })
        }
        Request::Cancel { client_id } => format!("cancel {client_id}"),
        Request::Resolve { client_id, again: None } => format!("ask {client_id}"),
        Request::Resolve { client_id, again: Some(_) } => format!("ask or send {client_id}"),
    };
    let requests = outputs.into_iter().filter_map(|output| match output {
        Output::Request(request) => Some(word(request)),
        _ => None,
    });
    requests.collect()
}

fn refused(client_id: &str) -> BrokerEvent {
    BrokerEvent::Refused { client_id: client_id.to_string(), reason: "no".to_string() }
}

/// The entry has filled, and its stop was asked for.
fn entered(rules: VenueRules) -> Trial {
    let mut trial = Trial::begin(rules);
    assert_eq!(trial.minutes(3), ["buy x-0 market 10"]);
    assert_eq!(trial.report("x-0", OrderState::Filled, 10.0, Some(10.0)), ["sell x-1 stop 10 exit"]);
    trial
}

#[test]
fn a_stop_that_the_broker_turns_down_goes_out_again_and_the_third_time_to_the_market() {
    let mut trial = entered(VenueRules::default());
    for (wire, again, pause) in [("x-1", "x-1-1", 1), ("x-1-1", "x-1-2", 2), ("x-1-2", "x-1-3", 4)] {
        assert!(trial.hear(refused(wire)).is_empty(), "at once it would be turned down again");
        assert!(trial.wait(pause - 1).is_empty());
        let kind = if again == "x-1-3" { "market" } else { "stop" };
        assert_eq!(trial.wait(1), [format!("sell {again} {kind} 10 exit")]);
    }
    // Its owner never hears of that.
    let portfolio = trial.recorder.session().portfolio();
    assert!(!portfolio.orders[1].state.is_final());
}

#[test]
fn an_exit_that_was_refused_and_lies_there_all_the_same_is_called_back() {
    let mut trial = entered(VenueRules::default());
    trial.hear(refused("x-1"));
    assert_eq!(trial.wait(1), ["sell x-1-1 stop 10 exit"]);
    assert_eq!(trial.report("x-1", OrderState::Working, 0.0, None), ["cancel x-1"]);
}

#[test]
fn a_stop_that_the_broker_ends_by_itself_goes_out_again_for_what_is_left() {
    let mut trial = entered(VenueRules::default());
    trial.report("x-1", OrderState::PartiallyFilled, 3.0, Some(3.0));
    assert!(trial.report("x-1", OrderState::Canceled, 3.0, None).is_empty());
    assert_eq!(trial.wait(1), ["sell x-1-1 stop 7 exit"]);
}

#[test]
fn where_both_sides_are_refused_the_rest_of_an_entry_makes_way_for_its_stop_after_a_moment() {
    let rules = VenueRules { both_sides: false, patience_ms: 5_000, ..VenueRules::default() };
    let mut trial = Trial::begin(rules);
    trial.minutes(3);
    assert!(trial.report("x-0", OrderState::PartiallyFilled, 4.0, Some(4.0)).is_empty());
    assert!(trial.wait(4).is_empty());
    assert_eq!(trial.wait(1), ["cancel x-0"]);
    assert_eq!(trial.report("x-0", OrderState::Canceled, 4.0, None), ["sell x-1 stop 4 exit"]);
}

#[test]
fn what_the_broker_says_is_filled_gets_its_stop_before_the_execution_is_known() {
    let mut trial = Trial::begin(VenueRules::default());
    trial.minutes(3);
    assert_eq!(trial.report("x-0", OrderState::Filled, 10.0, None), ["ask x-0", "sell x-1 stop 10 exit"]);
    assert!(trial.recorder.session().portfolio().fills.is_empty());
    assert!(trial.report("x-0", OrderState::Filled, 10.0, Some(10.0)).is_empty());
}

#[test]
fn an_entry_that_was_lost_and_fills_all_the_same_is_closed() {
    let mut trial = Trial::begin(VenueRules::default());
    trial.minutes(3);
    assert_eq!(trial.hear(BrokerEvent::OutcomeUnknown { client_id: "x-0".to_string() }), ["ask x-0"]);
    assert!(trial.hear(BrokerEvent::Lost { client_id: "x-0".to_string() }).is_empty());
    assert_eq!(trial.recorder.session().portfolio().orders[0].state, OrderState::Rejected);
    assert_eq!(trial.report("x-0", OrderState::Working, 0.0, None), ["cancel x-0"]);
    assert_eq!(trial.report("x-0", OrderState::Filled, 10.0, Some(10.0)), ["sell x-2 market 10 exit"]);
}

#[test]
fn an_exit_that_seems_lost_is_sent_again_under_its_id_and_never_as_a_second_order() {
    let mut trial = entered(VenueRules::default());
    let lost = |event: fn(String) -> BrokerEvent| event("x-1".to_string());
    let unknown = lost(|client_id| BrokerEvent::OutcomeUnknown { client_id });
    assert_eq!(trial.hear(unknown), ["ask or send x-1"]);
    assert_eq!(trial.hear(lost(|client_id| BrokerEvent::Lost { client_id })), ["ask or send x-1"]);
    assert!(trial.wait(60).is_empty());
}

#[test]
fn while_the_broker_takes_no_requests_nothing_is_opened() {
    for recovers in [false, true] {
        let mut trial = entered(VenueRules::default());
        trial.report("x-1", OrderState::Working, 0.0, None);
        trial.hear(BrokerEvent::Refusing { reason: "status 502".to_string() });
        assert_eq!(trial.recorder.session().entries_blocked(), Some("the broker takes no requests"));
        if recovers {
            trial.hear(BrokerEvent::Taking);
        }
        let asked = trial.minutes(7);
        assert_eq!(asked.contains(&"buy x-2 market 10".to_string()), recovers, "{asked:?}");
    }
}

#[test]
fn a_restart_is_an_input_so_that_what_it_forbids_is_forbidden_in_the_replay() {
    let mut trial = entered(VenueRules::default());
    drop(std::mem::replace(&mut trial.recorder, Trial::begin(VenueRules::default()).recorder));
    let (recorder, outputs) = Recorder::<LiveVenue>::resume(&trial.path).unwrap();
    assert_eq!(words(outputs), ["ask or send x-1"]);
    trial.recorder = recorder;
    // Bars arrive before the order stream is up again.
    assert!(trial.minutes(7).iter().all(|request| !request.starts_with("buy")));
    trial.hear(BrokerEvent::Up);
    drop(trial.recorder);
    assert_eq!(replay(&trial.path).unwrap().divergence, None);
}

#[test]
fn in_a_halt_nothing_is_entered_and_no_exit_goes_to_the_market_until_it_is_over() {
    let mut trial = entered(VenueRules::default());
    let symbol = trial.market.symbol("D").unwrap().0;
    let time = trial.now;
    assert!(trial.take(&Input::Halt { time, symbol, halted: true }).is_empty(), "the stop stays where it is");
    assert!(trial.minutes(8).is_empty(), "the second entry is refused");
    let portfolio = trial.recorder.session().portfolio();
    assert_eq!(portfolio.orders[2].state, OrderState::Rejected);
    let time = trial.now;
    assert_eq!(trial.take(&Input::Command { time, command: Command::Stop }), ["cancel x-1"]);
    assert!(trial.report("x-1", OrderState::Canceled, 0.0, None).is_empty());
    let time = trial.now;
    assert_eq!(trial.take(&Input::Halt { time, symbol, halted: false }), ["sell x-4 market 10 exit"]);
    assert_eq!(replay(&trial.path).unwrap().divergence, None);
}
