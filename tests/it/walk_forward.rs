//! `tbot walk-forward`: windows, stitching, and nothing of the future in a choice.

use super::program::{tbot_in, text};
use polars::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const GRID: [&str; 6] = [
    "--strategy=sma_cross",
    "--method=grid",
    "--space=fast=2..14:6",
    "--space=slow=10..50:20",
    "--where=fast < slow",
    "--param=weight=0.9",
];

fn walk(dir: &Path, out: &str, args: &[&str]) -> PathBuf {
    let mut all = vec!["walk-forward", "--quiet", "--out", out];
    all.extend(GRID);
    all.extend(args);
    let output = tbot_in(dir, &all);
    assert!(output.status.success(), "{}", text(&output.stderr));
    dir.join(text(&output.stdout).trim_end())
}

fn windows(dir: &Path) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(dir.join("windows.csv")).expect("windows.csv");
    reader.deserialize().map(|row| row.expect("a row")).collect()
}

fn summary(dir: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(dir.join("summary.json")).expect("summary.json")).expect("JSON")
}

/// The stitched equity and the window of each row.
fn equity(dir: &Path) -> (Vec<f64>, Vec<u32>) {
    let file = std::fs::File::open(dir.join("equity.parquet")).expect("equity.parquet");
    let frame = ParquetReader::new(file).finish().expect("a table");
    let equity = frame.column("equity").expect("equity").f64().expect("numbers").into_no_null_iter().collect();
    let window = frame.column("window").expect("window").u32().expect("numbers").into_no_null_iter().collect();
    (equity, window)
}

const DAILY: [&str; 3] = ["--data=wiki_daily", "--symbols=AAPL", "--to=2001-03-30"];

#[test]
fn windows_roll_or_are_anchored_and_the_equity_is_the_product_of_the_tests() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let rolling = walk(place.path(), "out", &[&DAILY[..], &["--train=80", "--test=30", "--step=30"]].concat());
    let rows = windows(&rolling);
    // 274 sessions: 80 + 6 x 30 = 260.
    assert_eq!(rows.len(), 6);
    assert_eq!(rows[0]["train_from"], "2000-03-01");
    assert!(rows.windows(2).all(|pair| pair[0]["test_to"] < pair[1]["test_from"]));
    let (curve, window) = equity(&rolling);
    assert_eq!(curve.len(), 180);
    assert_eq!((window[0], window[29], window[30], window[179]), (0, 0, 1, 5));
    let product: f64 =
        rows.iter().map(|row| 1.0 + row["test.total_return"].parse::<f64>().expect("a number")).product();
    let last = curve[179];
    assert!((last / 100_000.0 / product - 1.0).abs() < 1e-9, "{last} {product}");
    let summary = summary(&rolling);
    assert_eq!(summary["final_equity"], last);
    let outside = summary["metrics"]["cagr"].as_f64().expect("cagr");
    let inside: Vec<f64> = rows.iter().map(|row| row["train.cagr"].parse().expect("a number")).collect();
    let inside = inside.iter().sum::<f64>() / inside.len() as f64;
    match summary["efficiency"].as_f64() {
        Some(efficiency) => assert!((efficiency - outside / inside).abs() < 1e-9),
        None => assert!(inside <= 0.0),
    }

    let anchored =
        walk(place.path(), "out", &[&DAILY[..], &["--train=80", "--test=30", "--step=30", "--anchored"]].concat());
    assert!(windows(&anchored).iter().all(|row| row["train_from"] == "2000-03-01"));
    let embargo = walk(place.path(), "out", &[&DAILY[..], &["--train=80", "--test=30", "--embargo=10"]].concat());
    assert!(windows(&embargo)[0]["test_from"] > rows[0]["test_from"]);
    // Overlapping tests: a session is counted once.
    let overlapping = walk(place.path(), "out", &[&DAILY[..], &["--train=80", "--test=30", "--step=10"]].concat());
    assert_eq!(equity(&overlapping).0.len(), 190);
}

#[test]
fn threads_change_nothing() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let args = ["--train=80", "--test=30", "--method=random", "--trials=12", "--batch=5"];
    let run = |jobs| {
        let mut all: Vec<&str> = DAILY.iter().chain(&args).copied().collect();
        all.push(jobs);
        // The last --method counts: there is one in GRID too.
        let mut command = vec!["walk-forward", "--quiet", "--out=out"];
        command.extend(GRID.iter().filter(|option| !option.starts_with("--method")));
        command.extend(all);
        let output = tbot_in(place.path(), &command);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let dir = place.path().join(text(&output.stdout).trim_end());
        ["windows.csv", "equity.parquet"].map(|name| std::fs::read(dir.join(name)).expect("a file"))
    };
    assert!(run("--jobs=1") == run("--jobs=7"));
}

#[test]
fn what_comes_later_changes_no_choice() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let args = ["data", "convert", "wiki_daily", "--symbols=AAPL", "--to=2001-03-30", "--out", "bars.csv"];
    assert!(tbot_in(place.path(), &args).status.success());
    let file = place.path().join("bars.csv");
    let options = ["--data=bars.csv", "--train=80", "--test=30", "--step=30"];
    let before = windows(&walk(place.path(), "out", &options));

    // From the second window's test on, prices run the other way.
    let bars = std::fs::read_to_string(&file).expect("the bars");
    let mut lines: Vec<String> = bars.lines().map(str::to_string).collect();
    let change = before[1]["test_from"].clone();
    for line in lines.iter_mut().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        if cells[0] >= change.as_str() {
            let cells: Vec<String> = cells
                .iter()
                .map(|cell| {
                    cell.parse::<f64>()
                        .map_or(cell.to_string(), |x| if x < 1e4 { (x * 3.0).to_string() } else { x.to_string() })
                })
                .collect();
            *line = cells.join(",");
        }
    }
    std::fs::write(&file, lines.join("\n") + "\n").expect("written");
    let after = windows(&walk(place.path(), "out", &options));
    assert_eq!(before[0], after[0], "the first window lies before the change");
    let chosen = |row: &BTreeMap<String, String>| {
        row.iter().filter(|(name, _)| !name.starts_with("test.")).map(|(_, v)| v.clone()).collect::<Vec<_>>()
    };
    assert_eq!(chosen(&before[1]), chosen(&after[1]), "the second is chosen before it");
    assert_ne!(before[1], after[1], "and tested after it");
}

#[test]
fn an_analysis_is_listed_and_verified() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let dir = walk(place.path(), "out", &[&DAILY[..], &["--train=120", "--test=60", "--step=60"]].concat());
    let output = tbot_in(place.path(), &["runs", "--json", "--out=out"]);
    let list: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((list[0]["kind"].as_str(), list[0]["windows"].as_u64()), (Some("walk_forward"), Some(2)));
    let name = dir.to_string_lossy().into_owned();
    let verify = tbot_in(place.path(), &["verify", &name]);
    assert!(verify.status.success(), "{}{}", text(&verify.stdout), text(&verify.stderr));
    let rows = std::fs::read_to_string(dir.join("windows.csv")).expect("windows.csv");
    std::fs::write(dir.join("windows.csv"), rows.replacen("0,", "0,1", 1)).expect("written");
    let verify = tbot_in(place.path(), &["verify", &name]);
    assert_eq!(verify.status.code(), Some(1));
    assert!(text(&verify.stdout).contains("windows.csv"), "{}", text(&verify.stdout));
}

#[test]
fn too_few_sessions_are_refused() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let mut all = vec!["walk-forward", "--out=out", "--train=300", "--test=30"];
    all.extend(GRID);
    all.extend(DAILY);
    let output = tbot_in(place.path(), &all);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("274 sessions are too few"), "{}", text(&output.stderr));
    assert!(!place.path().join("out").exists());
}
