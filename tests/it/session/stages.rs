//! What a session does beside trading: its stages, stop and kill, controls, confirmation, status.

use super::drive::{inputs, recorder, spec};
use crate::small_market::flat;
use crate::windows::{jump, market, opening_range};
use tradebot::backtest::RunSpec;
use tradebot::market::{MINUTE, Market, MarketParts, Nanos, SECOND, format_time};
use tradebot::session::{
    BarInput, Command, Input, Mode, OpeningPosition, Output, Plan, Recorder, Session, StatusSnapshot,
};
use tradebot::sim::SimVenue;

/// The specification of `open` on the market of a breakout in minute 24 at 104.
fn breakout(settings: &[&str]) -> (RunSpec, Market) {
    let mut spec = spec("open", &[]);
    spec.settings.set("MAX_PRICE=200").unwrap();
    spec.settings.set("MIN_VOLUME_THRESHOLD=0").unwrap();
    for setting in settings {
        spec.settings.set(setting).unwrap();
    }
    (spec, market(opening_range(jump(24, 104.0))))
}

/// What a session gave out, with the minute of the session's second day at which it did, and its last status.
struct Course {
    outputs: Vec<(Nanos, Output)>,
    status: StatusSnapshot,
    over: bool,
}

/// Runs the second day of a market with commands at `(second of the session, command)`.
fn course(spec: &RunSpec, market: &Market, commands: &[(i64, Command)]) -> Course {
    let folder = tempfile::tempdir().unwrap();
    let mut recorder = recorder(spec, market, 1, &folder.path().join("journal"));
    let open = market.days[1].open;
    let mut all = inputs(market, 1);
    for &(second, command) in commands {
        all.push(Input::Command { time: open + second * SECOND, command });
    }
    all.sort_by_key(Input::time);
    let mut outputs = Vec::new();
    for input in &all {
        for output in recorder.handle(input).unwrap() {
            outputs.push((input.time() - open, output));
        }
    }
    let replay = tradebot::session::replay::replay(&folder.path().join("journal")).unwrap();
    assert_eq!(replay.divergence, None, "a session with commands replays, too");
    Course { outputs, status: recorder.session().status(), over: recorder.session().is_over() }
}

impl Course {
    /// The stages as `minute name`.
    fn stages(&self) -> Vec<String> {
        let stage = |(time, output): &(Nanos, Output)| match output {
            Output::Stage(change) => Some(format!("{} {change:?}", time / MINUTE)),
            _ => None,
        };
        self.outputs.iter().filter_map(stage).collect()
    }

    /// The orders from `second` on, without their times.
    fn orders_from(&self, second: i64) -> Vec<String> {
        let order = |(time, output): &(Nanos, Output)| match output {
            Output::Order(line) if *time >= second * SECOND => Some(line[31..].to_string()),
            _ => None,
        };
        self.outputs.iter().filter_map(order).collect()
    }

    fn log(&self, file: &str) -> Vec<String> {
        let mut lines = Vec::new();
        for (_, output) in &self.outputs {
            match output {
                Output::Log(log) if log.files().iter().any(|name| name == file) => lines.push(log.line()),
                _ => {}
            }
        }
        lines
    }
}

#[test]
fn a_day_goes_through_the_stages_of_its_three_windows() {
    let mut spec = spec("open", &[]);
    for name in ["mid", "close"] {
        spec.strategies.extend(super::drive::spec(name, &[]).strategies);
    }
    let market = market(|_, _| Some(flat(50.0)));
    let course = course(&spec, &market, &[]);
    // The clock of this test ticks with the bars, a minute apart: 9:30, 9:50, 10:00, 10:30 ... 15:05 in New York.
    assert_eq!(
        course.stages(),
        [
            "1 AnalysisBegan",
            "20 EntriesBegan",
            "30 MonitoringBegan",
            "60 AnalysisBegan",
            "75 EntriesBegan",
            "85 MonitoringBegan",
            "300 AnalysisBegan",
            "305 EntriesBegan",
            "310 MonitoringBegan",
            "335 Ended { open: false }",
        ]
    );
    let windows: Vec<String> = course
        .status
        .windows
        .iter()
        .map(|w| format!("{} {} {}", w.strategy, &w.start[11..16], &w.end[11..16]))
        .collect();
    assert_eq!(windows, ["open 14:30 15:30", "mid 15:30 16:25", "close 19:30 20:05"]);
}

#[test]
fn a_trade_is_logged_and_its_result_shown() {
    let (spec, market) = breakout(&[]);
    let course = course(&spec, &market, &[]);
    let status = &course.status;
    assert_eq!((status.trades.len(), status.win_rate), (1, Some(0.0)), "flat at 104, less the costs");
    assert_eq!(status.pnl, status.trades[0].pnl);
    assert!((status.equity - (100_000.0 + status.pnl)).abs() < 1e-6);
    let window = &status.windows[0];
    assert_eq!((window.signals, window.entries, window.exits), (1, 1, 1), "the exit at the market is no entry");
    assert!(course.log("open.log").iter().any(|line| line.contains(r#""state":"Filled""#)));
    let fills: Vec<&Output> = course.outputs.iter().map(|o| &o.1).filter(|o| matches!(o, Output::Fill(_))).collect();
    let [Output::Fill(entry), Output::Fill(exit)] = fills[..] else { panic!("{fills:?}") };
    assert_eq!((entry.execution.as_str(), exit.execution.as_str()), ("s-1-f0", "s-1-f1"));
    assert_eq!((entry.side.as_str(), exit.side.as_str(), entry.qty), ("buy", "sell", exit.qty));
}

#[test]
fn stop_closes_what_is_open_and_enters_nothing_more() {
    let (spec, market) = breakout(&[]);
    // Half past minute 30: the position of minute 25 is held.
    let course = course(&spec, &market, &[(30 * 60 + 30, Command::Stop)]);
    let orders = course.orders_from(30 * 60 + 30);
    assert!(orders[0].starts_with("cancel"), "{orders:?}");
    let last = orders.last().unwrap();
    assert!(last.contains("side=sell") && last.ends_with("reason=stop"), "{orders:?}");
    assert_eq!(course.stages()[3..], ["30 Stopped { open: true }", "31 Closed"]);
    assert!(course.status.positions.is_empty() && course.over);
    // It is sold in the bar in which it was asked for, not before.
    let exit = course.status.trades[0].exit_time.clone();
    let asked = format_time(market.days[1].open + 30 * MINUTE + 30 * SECOND);
    assert!(exit > asked && exit < format_time(market.days[1].open + 31 * MINUTE), "{exit}");
}

#[test]
fn stop_before_the_entry_keeps_the_session_flat() {
    let (spec, market) = breakout(&[]);
    let course = course(&spec, &market, &[(10 * 60, Command::Stop)]);
    assert!(course.orders_from(0).is_empty());
    assert_eq!(course.stages(), ["1 AnalysisBegan", "10 Stopped { open: false }"]);
}

#[test]
fn kill_closes_even_when_all_trades_are_disabled() {
    let (spec, market) = breakout(&[]);
    let disable = Command::Controls { disable_all_trades: true, defense_mode: false };
    let course = course(&spec, &market, &[(30 * 60, disable), (30 * 60 + 30, Command::Kill)]);
    assert!(course.orders_from(30 * 60 + 30).iter().any(|line| line.ends_with("reason=kill")));
    assert_eq!(course.stages()[3..], ["30 Killed { open: true }", "31 Closed"]);
    assert!(course.status.positions.is_empty());
}

#[test]
fn disable_all_trades_holds_from_the_next_event_on() {
    let (spec, market) = breakout(&[]);
    let disable = Command::Controls { disable_all_trades: true, defense_mode: false };
    // The breakout is decided at the end of minute 24; the bar arrives a millisecond later.
    let course = course(&spec, &market, &[(25 * 60, disable)]);
    assert!(course.orders_from(0).is_empty());
    assert!(course.log("unresolved_orders.log")[0].contains(r#""reason":"DISABLE_ALL_TRADES""#));
    assert!(course.status.trades_disabled && course.status.counters.rejected_orders > 0);
}

#[test]
fn defense_mode_holds_from_the_next_event_on() {
    // 800 dollars are more than a ten-thousandth of the equity.
    let (spec, market) = breakout(&["DEFENSE_MODE_TOTAL_ALLOCATION=0.0001"]);
    let defend = Command::Controls { disable_all_trades: false, defense_mode: true };
    let defended = course(&spec, &market, &[(25 * 60, defend)]);
    assert!(defended.orders_from(0).iter().all(|line| !line.contains("side=buy")));
    assert!(defended.status.defense_mode);
    let recovered = Command::Controls { disable_all_trades: false, defense_mode: false };
    let course = course(&spec, &market, &[(5 * 60, defend), (24 * 60, recovered)]);
    assert!(course.orders_from(0).iter().any(|line| line.contains("side=buy")));
}

#[test]
fn an_entry_waits_for_its_confirmation_with_all_that_belongs_to_it() {
    let (spec, market) = breakout(&["TRADE_CONFIRMATION_REQUIRED=true"]);
    let confirm = Command::Confirm { order: 0 };
    let course = course(&spec, &market, &[(27 * 60 + 20, confirm)]);
    let trade = &course.status.trades[0];
    let confirmed = format_time(market.days[1].open + 27 * MINUTE + 20 * SECOND);
    assert!(trade.entry_time > confirmed && trade.entry_time < format_time(market.days[1].open + 28 * MINUTE));
    assert_eq!(trade.reason, "window end", "exits do not wait");
    assert!(course.status.waiting_orders.is_empty());
}

#[test]
fn an_entry_that_nobody_confirms_lapses_at_the_end_of_its_entry_window() {
    let (spec, market) = breakout(&["TRADE_CONFIRMATION_REQUIRED=true"]);
    let late = Command::Confirm { order: 0 };
    let lapsed = course(&spec, &market, &[(30 * 60 + 1, late), (40 * 60, late)]);
    assert!(lapsed.status.trades.is_empty() && lapsed.status.positions.is_empty());
    let log = lapsed.log("open.log");
    assert!(log.iter().any(|line| line.contains("waits for confirmation")));
    assert!(log.iter().any(|line| line.contains("not confirmed in time")));
    let declined = course(&spec, &market, &[(26 * 60, Command::Decline { order: 0 })]);
    assert!(declined.status.trades.is_empty());
    assert!(declined.log("open.log").iter().any(|line| line.contains("declined")));
}

#[test]
fn a_confirmation_does_not_pass_a_switch_that_was_thrown_in_between() {
    let (spec, market) = breakout(&["TRADE_CONFIRMATION_REQUIRED=true"]);
    let disable = Command::Controls { disable_all_trades: true, defense_mode: false };
    let course = course(&spec, &market, &[(26 * 60, disable), (27 * 60, Command::Confirm { order: 0 })]);
    assert!(course.status.trades.is_empty());
    assert!(course.log("unresolved_orders.log").iter().any(|line| line.contains("DISABLE_ALL_TRADES")));
}

#[test]
fn the_daily_loss_limit_is_told_with_the_closing_and_its_end() {
    let (mut spec, _) = breakout(&["DAILY_LOSS_LIMIT=0.002"]);
    spec.settings.set_all(["TOTAL_ALLOCATION=1", "WEIGHTS=1,0,0,0", "MAX_RISK_PER_TRADE=1"], "test").unwrap();
    let falls = |minute: usize| match minute {
        24 => Some(crate::small_market::step(100.0, 104.0)),
        25..40 => Some(flat(104.0)),
        40.. => Some(flat(90.0)),
        _ => None,
    };
    let market = market(opening_range(falls));
    let course = course(&spec, &market, &[]);
    assert_eq!(course.stages()[3..5], ["41 LimitReached { open: true }", "42 Closed"]);
    assert_eq!(course.status.halted, Some("DAILY_LOSS_LIMIT"));
    assert!(course.status.positions.is_empty());
}

#[test]
fn bars_that_are_late_twice_outside_the_session_or_impossible_are_counted_and_left_out() {
    let market = market(|_, _| Some(flat(50.0)));
    let before = market.parts_before(1);
    let (plan, history) = Plan::new("s", Mode::Paper, spec("mid", &[]), 1_000, &before).unwrap();
    let grown = plan.market(&history).unwrap();
    let venue: SimVenue = plan.sim_venue(&grown).unwrap();
    let mut session = Session::new(plan, grown, venue).unwrap();
    let first = market.days[1].first_step;
    let bar = BarInput::new(0, &market.bars_at(1, first + 3)[0]);
    let mut feed = |bar: BarInput| session.handle(&Input::Bar(bar)).unwrap();
    feed(bar);
    feed(bar);
    feed(BarInput::new(0, &market.bars_at(1, first)[0]));
    feed(BarInput { start: market.days[1].close, ..bar });
    feed(BarInput { start: market.days[1].open - MINUTE, ..bar });
    feed(BarInput { start: bar.start + MINUTE, high: 1.0, ..bar });
    feed(BarInput { start: bar.start + MINUTE, close: f64::NAN, ..bar });
    feed(BarInput { symbol: 1, ..bar });
    let counters = session.status().counters;
    assert_eq!((counters.bars, counters.steps), (8, 1));
    // With one symbol a step is complete with its bar, so that the second one is late.
    assert_eq!((counters.late_bars, counters.duplicate_bars), (2, 0));
    assert_eq!((counters.bars_outside_session, counters.invalid_bars), (2, 3));
}

#[test]
fn a_session_may_begin_without_any_history() {
    let market = market(|_, _| Some(flat(50.0)));
    let empty = MarketParts { series: vec![("A".to_string(), Default::default())], ..market.parts_before(0) };
    let (plan, history) = Plan::new("s", Mode::Paper, spec("buy_and_hold", &[]), 1_000, &empty).unwrap();
    let grown = plan.market(&history).unwrap();
    assert!(grown.days.is_empty());
    let venue = plan.sim_venue(&grown).unwrap();
    let mut session = Session::new(plan, grown, venue).unwrap();
    for input in inputs(&market, 0) {
        session.handle(&input).unwrap();
    }
    assert_eq!(session.portfolio().fills.len(), 1);
    assert!(matches!(session.status().stage, "waiting"));
}

#[test]
fn what_an_earlier_session_left_is_taken_over_and_closed_by_a_stop() {
    let market = market(|_, _| Some(flat(50.0)));
    let mut spec = spec("open", &[]);
    (spec.cash, spec.commission, spec.slippage) = (90_000.0, "none".to_string(), "none".to_string());
    let (mut plan, history) = Plan::new("s", Mode::Paper, spec, 1_000, &market.parts_before(1)).unwrap();
    plan.opening = vec![OpeningPosition {
        symbol: "A".to_string(),
        strategy: 0,
        qty: 200.0,
        price: 45.0,
        time: market.days[0].open,
    }];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let venue = |plan: &Plan, market: &Market| plan.sim_venue(market);
    let mut recorder = Recorder::begin(&path, plan.clone(), &history, venue).unwrap();
    assert_eq!(recorder.session().status().equity, 100_000.0, "90,000 and 200 shares at the last close of 50");
    assert!(recorder.session().is_open());
    let stop = Input::Command { time: market.days[1].open + SECOND, command: Command::Stop };
    let mut all = inputs(&market, 1)[..10].to_vec();
    all.insert(3, stop);
    for input in &all {
        recorder.handle(input).unwrap();
    }
    let status = recorder.session().status();
    assert!(status.positions.is_empty());
    // 200 shares, bought at 45 and sold at 50.
    assert_eq!((status.trades.len(), status.pnl, status.cash), (1, 1_000.0, 100_000.0));
    assert_eq!(tradebot::session::replay::replay(&path).unwrap().divergence, None);

    let refused = |change: fn(&mut OpeningPosition)| {
        let mut plan = plan.clone();
        change(&mut plan.opening[0]);
        let market = plan.market(&history).unwrap();
        let venue = plan.sim_venue(&market).unwrap();
        Session::new(plan, market, venue).map(|_| ()).unwrap_err().to_string()
    };
    assert!(refused(|p| p.symbol = "B".to_string()).contains("opening position in B: not a symbol"));
    assert!(refused(|p| p.strategy = 1).contains("there is no such strategy"));
    assert!(refused(|p| p.qty = f64::NAN).contains("a number of shares"));
}
