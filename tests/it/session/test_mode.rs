//! TEST_MODE: a day on a fast clock, in a folder of its own.

use super::drive::{backtest, spec};
use crate::look_ahead::{Change, market, variants};
use crate::windows;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use tradebot::market::{Market, Nanos};
use tradebot::session::day::{FILLS_FILE, JOURNAL_FILE, ORDERS_FILE, STATUS_FILE, TestDay};
use tradebot::session::replay::replay;
use tradebot::session::{Command, StageChange};

fn lines(path: &std::path::Path) -> Vec<String> {
    fs::read_to_string(path).unwrap_or_default().lines().map(str::to_string).collect()
}

/// The backtest of one day, which begins flat, with the days before it as history.
fn one_day_backtest(spec: &tradebot::backtest::RunSpec, market: &Market, day: usize) -> Vec<String> {
    use std::sync::atomic::AtomicBool;
    let config = spec.config(market).unwrap();
    let strategies = spec.build_strategies().unwrap();
    let stop = AtomicBool::new(false);
    let (_, stream) = tradebot::backtest::run_recorded(market, &config, strategies, day..day + 1, &stop).unwrap();
    stream.lines().to_vec()
}

#[test]
fn open_mid_and_close_run_over_a_day_with_the_orders_of_its_backtest() {
    let market = market(0, Change::Nothing);
    let mut all = spec("open", &variants("open")[0]);
    for name in ["mid", "close"] {
        all.strategies.extend(spec(name, &variants(name)[0]).strategies);
    }
    for day in 1..market.days.len() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("test");
        let mut test = TestDay::begin(&folder, "test-1", all.clone(), &market, day).unwrap();
        let (mut done, mut stages, mut clock): (Vec<usize>, Vec<StageChange>, Vec<Nanos>) = Default::default();
        let status = test.run(|progress| {
            done.push(progress.done);
            stages.extend(&progress.stages);
            clock.push(progress.time);
        });
        let status = status.unwrap();
        let orders = lines(&folder.join(ORDERS_FILE));
        assert!(!orders.is_empty());
        assert_eq!(orders, one_day_backtest(&all, &market, day), "day {day}");
        assert!(clock.is_sorted() && done.is_sorted() && done.last() == Some(&390));
        assert!(stages.contains(&StageChange::EntriesBegan));
        assert_eq!(stages.last(), Some(&StageChange::Ended { open: false }));
        assert_eq!(lines(&folder.join(FILLS_FILE)).len(), status.trades.len() * 2);
        let entries = fs::read_dir(&folder).unwrap();
        for entry in entries {
            let entry = entry.unwrap();
            assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.path());
        }
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        assert!(lines(&folder.join(STATUS_FILE)).iter().any(|line| line.contains("\"win_rate\"")));
        let replay = replay(&folder.join(JOURNAL_FILE)).unwrap();
        assert_eq!((replay.divergence, replay.orders), (None, orders));
    }
}

#[test]
fn the_last_day_is_that_of_the_backtest_from_it_on() {
    let market = market(0, Change::Nothing);
    let spec = spec("mid", &variants("mid")[0]);
    let day = market.days.len() - 1;
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("test");
    TestDay::begin(&folder, "t", spec.clone(), &market, day).unwrap().run(|_| {}).unwrap();
    assert_eq!(lines(&folder.join(ORDERS_FILE)), backtest(&spec, &market, day).orders);
}

#[test]
fn a_test_can_be_stopped_and_never_writes_into_a_folder_that_is_there() {
    let market = windows::market(windows::opening_range(windows::jump(24, 104.0)));
    let mut spec = spec("open", &[("MAX_PRICE", "200"), ("MIN_VOLUME_THRESHOLD", "0")]);
    spec.latency_ms = 0;
    let folder = tempfile::tempdir().unwrap();
    assert!(TestDay::begin(folder.path(), "t", spec.clone(), &market, 1).is_err());
    assert!(TestDay::begin(&folder.path().join("x"), "t", spec.clone(), &market, 9).is_err());
    let mut test = TestDay::begin(&folder.path().join("t"), "t", spec, &market, 1).unwrap();
    for _ in 0..35 {
        test.advance().unwrap();
    }
    assert_eq!(test.status().positions.len(), 1);
    let stopped = test.command(Command::Stop).unwrap();
    assert_eq!(stopped.stages, [StageChange::Stopped { open: true }]);
    let after = test.advance().unwrap();
    assert_eq!(after.stages, [StageChange::Closed]);
    assert!(test.run(|_| {}).unwrap().positions.is_empty());
}
