//! The result folder: complete, exact, and there as a whole or not at all.

use crate::run_fixture::{Fixture, fixture};
use std::fs;
use std::path::{Path, PathBuf};
use tradebot::backtest::store::{
    StoreError, StoredRun, drawdowns, list_runs, read_fills, read_orders, remove_abandoned, remove_run, resolve_run,
    write_report, write_run,
};

fn write(out: &Path, f: &Fixture, run_id: &str) -> PathBuf {
    write_run(out, run_id, &f.run, &f.summary, &f.result, &f.curve, &f.prices[..1], true).unwrap()
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn what_is_written_reads_back_to_the_last_bit() {
    let out = tempfile::tempdir().unwrap();
    let f = fixture();
    let dir = write(out.path(), &f, "a");
    let stored = StoredRun::read(&dir).unwrap();
    assert_eq!(stored.summary, f.summary);
    assert_eq!(stored.run, f.run);
    assert_eq!(stored.equity, f.curve);
    assert_eq!(stored.trades.len(), f.result.trades.len());
    for (row, trade) in stored.trades.iter().zip(&f.result.trades) {
        assert_eq!((row.pnl, row.entry_price, row.mae), (trade.pnl, trade.entry_price, trade.mae));
        assert_eq!((row.entry_ts.0, row.exit_ts.0), (trade.entry_time, trade.exit_time));
        assert_eq!(row.symbol, f.result.instruments[trade.symbol.index()]);
    }
    assert_eq!(read_fills(&dir.join("fills.csv")).unwrap().len(), f.result.fills.len());
    let orders = read_orders(&dir.join("orders.csv")).unwrap();
    assert_eq!(orders.len(), f.result.order_events.len());
    assert_eq!((orders[2].state.as_str(), orders[2].filled), ("Filled", f.result.fills[0].qty));
}

#[test]
fn the_folder_holds_the_files_of_the_contract() {
    let out = tempfile::tempdir().unwrap();
    let dir = write(out.path(), &fixture(), "a");
    assert_eq!(
        names(&dir),
        [
            "equity.csv",
            "equity.parquet",
            "fills.csv",
            "orders.csv",
            "report.html",
            "run.json",
            "summary.json",
            "trades.csv"
        ]
    );
    let first_line = |name: &str| fs::read_to_string(dir.join(name)).unwrap().lines().next().unwrap().to_string();
    assert_eq!(
        first_line("trades.csv"),
        "symbol,strategy,side,qty,entry_ts,entry_price,exit_ts,exit_price,pnl,commission,slippage,bars_held,mae,mfe,reason"
    );
    assert_eq!(first_line("fills.csv"), "fill_id,order_id,ts,symbol,side,qty,price,commission,slippage");
    assert_eq!(
        first_line("orders.csv"),
        "order_id,ts,symbol,strategy,side,type,tif,qty,limit,stop,trail,state,filled,reason"
    );
    assert_eq!(first_line("equity.csv"), "ts,equity,cash,exposure,drawdown");
    let order = fs::read_to_string(dir.join("orders.csv")).unwrap().lines().nth(1).unwrap().to_string();
    assert!(order.contains(",market,day,") && order.contains(",,,,Created,"), "absent prices are empty: {order}");
    assert!(order.contains(":00.000000000Z,"), "nine decimals and Z: {order}");
}

#[test]
fn summary_keys_are_those_of_the_contract() {
    let keys: Vec<String> = match serde_json::to_value(fixture().summary).unwrap() {
        serde_json::Value::Object(map) => map.keys().cloned().collect(),
        _ => Vec::new(),
    };
    assert_eq!(
        keys,
        [
            "run_id",
            "fingerprint",
            "data_hash",
            "seed",
            "version",
            "strategies",
            "params",
            "symbols",
            "from",
            "to",
            "bars",
            "sessions",
            "start_equity",
            "final_equity",
            "fills",
            "orders",
            "trades",
            "metrics",
            "costs",
            "ambiguity",
            "data_quality",
            "warnings",
            "elapsed"
        ]
    );
}

#[test]
fn headers_stand_without_a_row() {
    let out = tempfile::tempdir().unwrap();
    let mut f = fixture();
    f.result.trades.clear();
    f.result.fills.clear();
    f.result.orders.clear();
    f.result.order_events.clear();
    let dir = write(out.path(), &f, "a");
    assert!(fs::read_to_string(dir.join("trades.csv")).unwrap().starts_with("symbol,strategy,"));
    assert!(StoredRun::read(&dir).unwrap().trades.is_empty());
}

#[test]
fn equal_runs_are_equal_bytes() {
    let out = tempfile::tempdir().unwrap();
    let f = fixture();
    let (a, b) = (write(out.path(), &f, "a"), write(out.path(), &f, "b"));
    for name in names(&a) {
        assert!(fs::read(a.join(&name)).unwrap() == fs::read(b.join(&name)).unwrap(), "{name}");
    }
}

#[test]
fn a_taken_name_gets_a_number() {
    let out = tempfile::tempdir().unwrap();
    let f = fixture();
    let paths: Vec<PathBuf> = (0..3).map(|_| write(out.path(), &f, "20240501T210000Z-3f9a1c0b7d24")).collect();
    let last = |p: &PathBuf| p.file_name().unwrap().to_string_lossy().into_owned();
    assert_eq!(last(&paths[1]), "20240501T210000Z-3f9a1c0b7d24-2");
    assert_eq!(last(&paths[2]), "20240501T210000Z-3f9a1c0b7d24-3");
}

#[test]
fn a_failed_write_leaves_nothing() {
    let out = tempfile::tempdir().unwrap();
    let mut f = fixture();
    // Found out only while trades are written: by then the folder exists.
    f.result.strategies.truncate(1);
    let error = write_run(out.path(), "a", &f.run, &f.summary, &f.result, &f.curve, &[], false).unwrap_err();
    assert!(matches!(error, StoreError::Inconsistent(_)), "{error}");
    assert!(names(out.path()).is_empty(), "{:?}", names(out.path()));
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let out = tempfile::tempdir().unwrap();
    let file = out.path().join("file");
    fs::write(&file, "x").unwrap();
    let f = fixture();
    let error = write_run(&file.join("results"), "a", &f.run, &f.summary, &f.result, &f.curve, &[], false).unwrap_err();
    assert!(error.to_string().contains("file/results"), "{error}");
    assert_eq!(names(out.path()), ["file"]);
}

#[test]
fn run_ids_stay_inside_the_folder() {
    let out = tempfile::tempdir().unwrap();
    let f = fixture();
    for id in ["", "../x", "a/b", ".hidden"] {
        let error = write_run(out.path(), id, &f.run, &f.summary, &f.result, &f.curve, &[], false).unwrap_err();
        assert!(matches!(error, StoreError::RunId(_)), "{id}: {error}");
    }
}

#[test]
fn the_report_is_made_again_from_the_files() {
    let out = tempfile::tempdir().unwrap();
    let f = fixture();
    let dir = write(out.path(), &f, "a");
    let first = fs::read(dir.join("report.html")).unwrap();
    fs::remove_file(dir.join("report.html")).unwrap();
    let path = write_report(&dir, &f.prices[..1]).unwrap();
    assert!(fs::read(&path).unwrap() == first, "the same bytes as at the end of the run");
    write_report(&dir, &[]).unwrap();
    assert!(fs::read_to_string(&path).unwrap().contains("Prices are not part of this page"));
    assert_eq!(names(&dir).len(), 8, "nothing else is left in the folder");
}

#[test]
fn runs_are_listed_newest_first_and_found_by_their_beginning() {
    let out = tempfile::tempdir().unwrap();
    let f = fixture();
    for id in ["20240502T090000Z-aaaaaaaaaaaa", "20240501T210000Z-bbbbbbbbbbbb", "20240503T090000Z-aaaaaaaaaaaa"] {
        write(out.path(), &f, id);
    }
    fs::create_dir(out.path().join("not-a-run")).unwrap();
    fs::write(out.path().join("README.md"), "").unwrap();
    let listed: Vec<String> = list_runs(out.path()).unwrap().into_iter().map(|r| r.name).collect();
    assert_eq!(
        listed,
        ["20240503T090000Z-aaaaaaaaaaaa", "20240502T090000Z-aaaaaaaaaaaa", "20240501T210000Z-bbbbbbbbbbbb"]
    );
    assert_eq!(resolve_run(out.path(), "20240501").unwrap(), out.path().join("20240501T210000Z-bbbbbbbbbbbb"));
    let path = out.path().join("20240502T090000Z-aaaaaaaaaaaa");
    assert_eq!(resolve_run(Path::new("elsewhere"), path.to_str().unwrap()).unwrap(), path);
    let error = resolve_run(out.path(), "2024").unwrap_err().to_string();
    assert!(error.contains("20240503T090000Z-aaaaaaaaaaaa") && error.contains("3 runs"), "{error}");
    let error = resolve_run(out.path(), "1999").unwrap_err().to_string();
    assert!(error.contains("no run '1999'") && error.contains("20240501T210000Z-bbbbbbbbbbbb"), "{error}");
    let error = resolve_run(out.path(), out.path().join("not-a-run").to_str().unwrap()).unwrap_err();
    assert!(matches!(error, StoreError::NotARun { .. }), "{error}");
}

#[test]
fn abandoned_folders_are_hidden_and_cleared() {
    let out = tempfile::tempdir().unwrap();
    let partial = out.path().join(".partial-20240501T210000Z-bbbbbbbbbbbb-x1");
    fs::create_dir(&partial).unwrap();
    fs::write(partial.join("run.json"), "{}").unwrap();
    fs::write(partial.join("summary.json"), "{}").unwrap();
    assert!(list_runs(out.path()).unwrap().is_empty());
    // A living run holds the lock of its folder.
    let alive = fs::File::open(&partial).unwrap();
    alive.lock().unwrap();
    assert_eq!(remove_abandoned(out.path()).unwrap(), 0);
    drop(alive);
    assert_eq!(remove_abandoned(out.path()).unwrap(), 1);
    assert!(names(out.path()).is_empty());
}

#[test]
fn only_runs_are_removed() {
    let out = tempfile::tempdir().unwrap();
    let dir = write(out.path(), &fixture(), "a");
    let other = out.path().join("other");
    fs::create_dir(&other).unwrap();
    remove_run(&dir).unwrap();
    assert!(remove_run(&other).is_err());
    assert_eq!(names(out.path()), ["other"]);
}

#[test]
fn broken_files_are_named() {
    let out = tempfile::tempdir().unwrap();
    let dir = write(out.path(), &fixture(), "a");
    fs::write(dir.join("trades.csv"), "symbol,pnl\nAAPL,1\n").unwrap();
    let error = StoredRun::read(&dir).unwrap_err().to_string();
    assert!(error.contains("trades.csv line 1") && error.contains("symbol,pnl"), "{error}");
    fs::write(dir.join("equity.parquet"), "no parquet").unwrap();
    assert!(StoredRun::read(&dir).unwrap_err().to_string().contains("equity.parquet"));
    fs::write(dir.join("summary.json"), "{").unwrap();
    assert!(StoredRun::read(&dir).unwrap_err().to_string().contains("summary.json"));
    assert!(list_runs(out.path()).unwrap()[0].summary.is_err(), "a broken run is listed with its fault");
}

#[test]
fn the_starting_capital_is_a_peak() {
    assert_eq!(drawdowns(&[90.0, 120.0, 60.0], 100.0), [90.0 / 100.0 - 1.0, 0.0, -0.5]);
}
