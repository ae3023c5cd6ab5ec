//! `tbot backtest` from outside: what it needs, what it writes, what it refuses, and how settings bind it.

use super::program::{RunFolder, backtest, backtest_in, number, sample, tbot_in, text};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// A selection of the embedded set in which the default strategies trade, small enough for many runs.
const SMALL: [&str; 2] = ["--symbols=SIM01,SIM02,SIM03,SIM04,SIM05,SIM06", "--to=2024-11-15"];

fn small(extra: &[&str]) -> RunFolder {
    backtest(&[&SMALL[..], extra].concat())
}

fn trades_by_strategy(run: &RunFolder) -> BTreeMap<String, usize> {
    let mut count = BTreeMap::new();
    for row in run.rows("trades.csv") {
        *count.entry(row["strategy"].clone()).or_default() += 1;
    }
    count
}

/// Every number of a document; panics at a word that stands for one that is not finite.
fn assert_finite(value: &Value, at: &str) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, v)| assert_finite(v, &format!("{at}.{key}"))),
        Value::Array(list) => list.iter().for_each(|v| assert_finite(v, at)),
        Value::String(s) => {
            assert!(!["nan", "inf", "-inf", "infinity"].contains(&s.to_ascii_lowercase().as_str()), "{at}: {s}");
        }
        _ => {}
    }
}

#[test]
fn without_arguments_it_runs_anywhere_and_every_default_strategy_trades() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let out = tbot_in(dir.path(), &["backtest", "--json"]);
    assert!(out.status.success(), "{}", text(&out.stderr));
    let mut documents = serde_json::Deserializer::from_slice(&out.stdout).into_iter::<Value>();
    let summary = documents.next().expect("one document").expect("JSON");
    assert!(documents.next().is_none(), "more than one document on stdout");
    for key in [
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
        "elapsed",
    ] {
        assert!(summary.get(key).is_some(), "summary.json lacks {key}");
    }
    for (group, keys) in [
        ("costs", &["commission", "slippage", "borrow", "interest"][..]),
        ("ambiguity", &["trades", "pnl"]),
        ("elapsed", &["load_s", "run_s", "bars_per_s"]),
        (
            "metrics",
            &[
                "total_return",
                "cagr",
                "sharpe",
                "sortino",
                "max_drawdown",
                "trades",
                "wins",
                "losses",
                "breakeven",
                "net_profit",
                "gross_profit",
                "gross_loss",
                "win_rate",
                "profit_factor",
                "avg_win",
                "avg_loss",
                "payoff_ratio",
                "expectancy",
                "sqn",
                "sqn_capped_100",
                "kelly_fraction",
                "max_consecutive_wins",
                "max_consecutive_losses",
                "max_drawdown_currency",
                "recovery_factor",
            ],
        ),
    ] {
        for key in keys {
            assert!(summary[group].get(key).is_some(), "summary.json lacks {group}.{key}");
        }
    }
    assert_finite(&summary, "summary");

    let run = dir.path().join("backtest_results").join(summary["run_id"].as_str().expect("a name"));
    let names = ["run.json", "summary.json", "equity.parquet", "orders.csv", "fills.csv", "trades.csv", "report.html"];
    for name in names {
        assert!(run.join(name).is_file(), "no {name}");
    }
    for (name, header) in [
        (
            "trades.csv",
            "symbol,strategy,side,qty,entry_ts,entry_price,exit_ts,exit_price,pnl,commission,slippage,bars_held,mae,mfe,reason",
        ),
        ("fills.csv", "fill_id,order_id,ts,symbol,side,qty,price,commission,slippage"),
        ("orders.csv", "order_id,ts,symbol,strategy,side,type,tif,qty,limit,stop,trail,state,filled,reason"),
    ] {
        let content = std::fs::read_to_string(run.join(name)).expect("a file of the run");
        assert_eq!(content.lines().next(), Some(header), "{name}");
        for (k, line) in content.lines().enumerate() {
            let bad = |field: &str| ["nan", "inf", "-inf", "-0", "-0.0"].contains(&field.to_ascii_lowercase().as_str());
            assert!(!line.split(',').any(bad), "{name}, line {}: {line}", k + 1);
        }
    }
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    for row in csv::Reader::from_path(run.join("trades.csv")).expect("trades.csv").deserialize() {
        let row: BTreeMap<String, String> = row.expect("a row");
        *count.entry(row["strategy"].clone()).or_default() += 1;
    }
    assert!(["open", "mid", "close"].iter().all(|s| count.get(*s).is_some_and(|&n| n >= 10)), "{count:?}");
}

/// One line a case: the arguments after `tbot backtest`, and what the message must name.
const REFUSED: &[(&str, &[&str])] = &[
    ("--strategy nope", &["--strategy", "nope", "sma_cross", "buy_and_hold"]),
    ("--strategy sma_cross --strategy sma_cross", &["--strategy sma_cross", "twice"]),
    ("--data /dev/null", &["/dev/null", "neither a file nor a folder"]),
    ("--strategy buy_and_hold --param nope=1", &["nope", "qty, weight"]),
    ("--strategy sma_cross --param fast=0", &["fast", "'0'", "a whole number from 1 to"]),
    ("--strategy sma_cross --param fast=x", &["fast", "'x'", "a whole number"]),
    ("--strategy sma_cross --param qty=-5", &["qty", "'-5'", "a number from"]),
    ("--strategy sma_cross --param weight=nan", &["weight", "'nan'"]),
    ("--strategy sma_cross --param direction=up", &["direction", "one of long, long_short"]),
    ("--strategy sma_cross --param fast=50 --param slow=20", &["fast=50", "less than slow=20"]),
    ("--strategy sma_cross --param fast", &["--param fast", "key=value"]),
    ("--strategy sma_cross --param open.fast=3", &["open.fast=3", "no strategy 'open'"]),
    ("--fill nextopen", &["--fill", "nextopen", "next_open"]),
    ("--fill quote", &["quote", "generated_minutes", "bid and ask"]),
    ("--commission per_share", &["--commission", "per_share:RATE"]),
    ("--commission bps:-1", &["--commission", "bps:-1", "not negative"]),
    ("--slippage normal:1", &["--slippage", "normal:MEAN_PCT:STDDEV_PCT"]),
    ("--cash -5", &["--cash", "-5", "positive"]),
    ("--cash 0", &["--cash", "positive"]),
    ("--cash nan", &["--cash", "positive"]),
    ("--participation 2", &["--participation", "2", "from 0 to 1"]),
    ("--participation -0.5", &["--participation", "-0.5", "from 0 to 1"]),
    ("--latency-ms -1", &["--latency-ms", "-1"]),
    ("--initial-margin 2", &["--initial-margin", "above 0 and at most 1"]),
    ("--maintenance-margin 0.9", &["--maintenance-margin", "initial margin"]),
    ("--margin-rate -1", &["--margin-rate", "not negative"]),
    ("--account cheque", &["--account", "cheque", "cash, margin"]),
    ("--jobs 0", &["--jobs"]),
    ("--bars 0", &["--bars"]),
    ("--data nope.parquet", &["nope.parquet", "generated_minutes"]),
    ("--symbols NOPE", &["NOPE"]),
    ("--symbols SIM1", &["SIM1", "did you mean SIM"]),
    ("--symbols SIM01 --from 2030-01-01", &["SIM01", "from 2030-01-01"]),
    ("--from 2030-01-01", &["no bars", "2030-01-01"]),
    ("--from 2024-11-12 --to 2024-11-11", &["--from 2024-11-12 is after --to 2024-11-11"]),
    ("--from 2024-13-01", &["--from", "YYYY-MM-DD"]),
    ("--config absent.env", &["absent.env"]),
    ("--config bad.env", &["bad.env:1", "NOPE", "bad.env:2", "KEY=VALUE", "bad.env:3", "MAX_TRADES", "'abc'"]),
    ("--set NOPE=1", &["--set", "NOPE"]),
    ("--set MAX_TRADE=1", &["--set", "MAX_TRADES"]),
    ("--set MAX_TRADES=abc", &["--set", "MAX_TRADES", "whole number"]),
    ("--set DAILY_LOSS_LIMIT=9", &["DAILY_LOSS_LIMIT", "'9'"]),
    ("--set MAX_TRADES", &["--set", "KEY=VALUE"]),
    ("--strategy orders", &["orders", "--orders FILE"]),
    ("--strategy signals", &["signals", "--signals FILE"]),
    ("--strategy orders --orders absent.csv", &["absent.csv"]),
    ("--strategy orders --orders bad.csv", &["bad.csv, line 3", "'bye'", "buy or sell"]),
    ("--strategy buy_and_hold --orders good.csv", &["--orders good.csv", "--strategy orders"]),
    ("--strategy signals --signals bad_signals.csv", &["bad_signals.csv, line 2", "target"]),
    ("--set STRATEGY_OVERRIDE=nope", &["STRATEGY_OVERRIDE", "open, mid, close"]),
    ("--borrow bad_borrow.csv", &["bad_borrow.csv, line 2", "rate"]),
    ("--nonsense", &["--nonsense"]),
];

#[test]
fn wrong_input_is_refused_with_what_would_be_right() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).expect("written");
    write("bad.env", "NOPE=1\nCASH\nMAX_TRADES=abc\n");
    let order = "ts,id,symbol,side,type,qty\n2024-11-04T15:00:00Z,a,SIM01,buy,market,10\n";
    write("good.csv", order);
    write("bad.csv", &format!("{order}2024-11-04T15:00:00Z,b,SIM01,bye,market,10\n"));
    write("bad_signals.csv", "ts,symbol,target\n2024-11-04T15:00:00Z,SIM01,many\n");
    write("bad_borrow.csv", "symbol,rate,available\nSIM01,cheap,100\n");
    for (arguments, words) in REFUSED {
        let mut args = vec!["backtest", "--out", "results"];
        // Fewer bars for the cases that come as far as loading; the later of two would be a mistake of its own.
        if !arguments.contains("--symbols") && !arguments.contains("--bars") {
            args.extend(["--symbols", "SIM01"]);
        }
        args.extend(arguments.split(' '));
        let out = tbot_in(dir.path(), &args);
        let message = text(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{arguments}: {message}");
        assert!(out.stdout.is_empty(), "{arguments}: {}", text(&out.stdout));
        for word in *words {
            assert!(message.contains(word), "{arguments}: no '{word}' in: {message}");
        }
        assert!(!message.contains("panicked"), "{arguments}: {message}");
    }
    assert!(!dir.path().join("results").exists(), "a refused run left something");
}

#[test]
fn faulty_vendor_files_are_refused_with_file_row_and_reason() {
    let Some(folder) = sample("dirty_samples") else { return };
    let dir = tempfile::tempdir().expect("a temporary folder");
    for name in ["SPY_nolabel.parquet", "BF.B_nolabel.parquet", ""] {
        let data = folder.join(name);
        let out = tbot_in(dir.path(), &["backtest", "--data", &data.to_string_lossy(), "--strategy", "buy_and_hold"]);
        let message = text(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{name}: {message}");
        assert!(message.contains("nolabel.parquet, row 1: volume is null"), "{name}: {message}");
    }
    assert_eq!(std::fs::read_dir(dir.path()).expect("a folder").count(), 0);
}

#[test]
fn a_result_folder_that_cannot_be_made_is_a_failed_run() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(dir.path().join("file"), "in the way").expect("written");
    let args = ["backtest", "--strategy=buy_and_hold", "--symbols=SIM01", "--bars=10", "--out", "file/results"];
    let out = tbot_in(dir.path(), &args);
    assert_eq!(out.status.code(), Some(1));
    assert!(text(&out.stderr).contains("cannot write file/results"), "{}", text(&out.stderr));
}

#[test]
fn an_adjustment_without_actions_is_said() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let run = ["backtest", "--strategy=buy_and_hold", "--data=wiki_daily", "--symbols=FB", "--bars=20"];
    let words = |adjust: &str| text(&tbot_in(dir.path(), &[&run[..], &["--adjust", adjust]].concat()).stderr);
    assert!(words("total").contains("no splits or dividends are given of FB"), "{}", words("total"));
    assert!(!words("raw").contains("splits"), "{}", words("raw"));
}

/// Waits until a process has a handler for SIGINT: a signal before that would end it by default.
#[cfg(target_os = "linux")]
fn wait_for_handler(pid: u32) {
    for _ in 0..6_000 {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).map(str::trim).unwrap_or("0");
        if u64::from_str_radix(caught, 16).is_ok_and(|mask| mask & 0b10 != 0) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("the program does not listen for Ctrl-C");
}

#[cfg(target_os = "linux")]
#[test]
fn an_interrupted_backtest_leaves_nothing() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let child = std::process::Command::new(env!("CARGO_BIN_EXE_tbot"))
        .current_dir(dir.path())
        .arg("backtest")
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the program starts");
    wait_for_handler(child.id());
    let killed = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(killed.expect("kill").success());
    let out = child.wait_with_output().expect("the program ends");
    assert_eq!(out.status.code(), Some(130), "{}", text(&out.stderr));
    assert!(text(&out.stderr).contains("interrupted"), "{}", text(&out.stderr));
    assert!(out.stdout.is_empty(), "{}", text(&out.stdout));
    let left = std::fs::read_dir(dir.path().join("backtest_results")).map_or(0, Iterator::count);
    assert_eq!(left, 0, "an interrupted run left a folder");
}

#[test]
fn switches_of_the_settings_bind_the_run() {
    let plain = small(&[]);
    let all = trades_by_strategy(&plain);
    assert!(all.len() >= 2, "{all:?}");

    let off = small(&["--set=DISABLE_ALL_TRADES=true"]);
    assert_eq!((off.rows("fills.csv").len(), off.summary()["final_equity"].as_f64()), (0, Some(100_000.0)));
    let rejected = off.rows("orders.csv");
    assert!(rejected.iter().any(|row| row["state"] == "Rejected" && row["reason"] == "DISABLE_ALL_TRADES"));

    let defense = small(&["--set=DEFENSE_MODE_ACTIVE=true"]);
    assert!(defense.rows("trades.csv").len() < plain.rows("trades.csv").len());
    let largest = |run: &RunFolder| {
        run.rows("fills.csv").iter().map(|f| number(f, "qty") * number(f, "price")).fold(0.0, f64::max)
    };
    // DEFENSE_MODE_TOTAL_ALLOCATION is 1 % of equity for a strategy and session.
    assert!(largest(&defense) <= 1_010.0, "{}", largest(&defense));

    let mid = small(&["--set=STRATEGY_OVERRIDE=mid"]);
    assert_eq!(mid.summary()["strategies"], serde_json::json!(["mid"]));
    assert!(trades_by_strategy(&mid).keys().all(|name| name == "mid"));

    let file = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(file.path().join("own.env_bot"), "# only one\nSTRATEGY_OVERRIDE=close\n").expect("written");
    let args = [&SMALL[..], &["--config=own.env_bot", "--set=STRATEGY_OVERRIDE=mid"]].concat();
    let both = backtest_in(file, &args);
    assert_eq!(both.summary()["strategies"], serde_json::json!(["mid"]), "--set goes before --config");
}

#[test]
fn parameters_reach_the_strategy_that_is_named() {
    let run = backtest(&[
        "--strategy=sma_cross",
        "--strategy=ema_cross",
        "--param=sma_cross.fast=5",
        "--param=ema_cross.fast=7",
        "--param=qty=10",
        "--symbols=SIM01",
        "--bars=400",
    ]);
    let params = &run.summary()["params"];
    assert_eq!((&params["sma_cross"]["fast"], &params["ema_cross"]["fast"]), (&5.into(), &7.into()));
    assert_eq!((&params["sma_cross"]["qty"], &params["ema_cross"]["qty"]), (&10.into(), &10.into()));
    assert_eq!(trades_by_strategy(&run).len(), 2);
}

/// A session of the embedded set.
const SESSION: &str = "2024-11-04";

#[test]
fn signals_bring_the_position_to_their_target() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let lines = format!(
        "ts,symbol,target\n{SESSION}T15:00:00Z,SIM01,100\n{SESSION}T15:10:00Z,SIM01,-50\n\
         {SESSION}T15:20:00Z,SIM01,-50\n{SESSION}T15:30:30Z,SIM01,0\n"
    );
    std::fs::write(dir.path().join("targets.csv"), lines).expect("written");
    let run = backtest_in(
        dir,
        &[
            "--strategy=signals",
            "--signals=targets.csv",
            "--symbols=SIM01",
            "--to=2024-11-04",
            "--fill=close",
            "--slippage=none",
            "--commission=none",
        ],
    );
    let fills: Vec<(String, String, f64)> = run
        .rows("fills.csv")
        .iter()
        .map(|f| (f["ts"][11..19].to_string(), f["side"].clone(), number(f, "qty")))
        .collect();
    let fill = |time: &str, side: &str, qty: f64| (time.to_string(), side.to_string(), qty);
    // The third line asks for what is there; the last one is acted on at the first bar end after its time.
    assert_eq!(fills, [fill("15:00:00", "buy", 100.0), fill("15:10:00", "sell", 150.0), fill("15:31:00", "buy", 50.0)]);
}

#[test]
fn a_cash_account_never_owes() {
    let run = backtest(&[
        "--strategy=sma_cross",
        "--strategy=rsi_reversion",
        "--symbols=SIM01,SIM02,SIM03",
        "--to=2024-11-06",
        "--account=cash",
        "--set=DAILY_LOSS_LIMIT=1",
        "--csv",
    ]);
    let rows = run.rows("equity.csv");
    let lowest = rows.iter().map(|row| number(row, "cash")).fold(f64::INFINITY, f64::min);
    assert!(lowest >= 0.0, "{lowest}");
    assert!(lowest < 1_000.0, "the account was never fully used: {lowest}");
    assert!(run.rows("orders.csv").iter().any(|row| row["state"] == "Filled"));
}

#[test]
fn quiet_prints_the_folder_and_the_summary_names_the_run() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let run = ["backtest", "--strategy=buy_and_hold", "--symbols=SIM01", "--bars=10", "--out=results"];
    let quiet = tbot_in(dir.path(), &[&run[..], &["--quiet"]].concat());
    let folder = text(&quiet.stdout);
    assert_eq!(folder.lines().count(), 1);
    assert!(dir.path().join(folder.trim_end()).join("summary.json").is_file(), "{folder}");
    // A second run of the same second and specification does not overwrite the first.
    let json = tbot_in(dir.path(), &[&run[..], &["--json"]].concat());
    let summary: Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!(count_runs(&dir.path().join("results")), 2);
    let first = Path::new(folder.trim_end()).file_name().expect("a name").to_string_lossy().into_owned();
    assert_eq!(summary["run_id"].as_str().map(|id| &id[16..28]), Some(&first[16..28]), "same fingerprint");
}

fn count_runs(results: &Path) -> usize {
    let entries = std::fs::read_dir(results).expect("results");
    entries.filter(|entry| entry.as_ref().is_ok_and(|e| e.path().join("run.json").is_file())).count()
}
