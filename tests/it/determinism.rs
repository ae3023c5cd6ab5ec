//! Same inputs, same bits: whatever the threads, the order of symbols, the names and the format of the files.
//! And `tbot verify`, which proves it for a stored run.

use super::program::{RunFolder, backtest, backtest_in, tbot_in, text};
use serde_json::Value;
use std::path::Path;

/// A few symbols and sessions of the embedded set, in which every strategy trades.
const SMALL: [&str; 3] = ["--to=2024-11-08", "--seed=3", "--csv"];

fn small(extra: &[&str]) -> RunFolder {
    let mut args = SMALL.to_vec();
    args.extend(extra);
    backtest(&args)
}

/// The content of a run without what the clock decides.
fn content(run: &RunFolder) -> Vec<(&'static str, Vec<u8>)> {
    let mut out = Vec::new();
    for name in ["orders.csv", "fills.csv", "trades.csv", "equity.parquet", "equity.csv"] {
        out.push((name, std::fs::read(run.path.join(name)).expect("a file of the run")));
    }
    let mut summary = run.summary();
    let map = summary.as_object_mut().expect("an object");
    assert!(map.remove("elapsed").is_some() && map.remove("run_id").is_some());
    out.push(("summary.json", summary.to_string().into_bytes()));
    out
}

fn assert_same(a: &RunFolder, b: &RunFolder, what: &str) {
    for ((name, x), (_, y)) in content(a).into_iter().zip(content(b)) {
        assert!(x == y, "{what}: {name} differs");
    }
}

#[test]
fn threads_processes_and_the_order_of_symbols_change_no_byte() {
    let first = small(&["--symbols=SIM01,SIM02,SIM03,SIM04,SIM05,SIM06", "--jobs=1"]);
    assert!(first.rows("trades.csv").len() >= 3, "the run trades too little to show anything");
    assert!(number_of_strategies(&first) >= 2);
    for (what, extra) in [
        ("again", ["--symbols=SIM01,SIM02,SIM03,SIM04,SIM05,SIM06", "--jobs=1"]),
        ("2 threads", ["--symbols=SIM01,SIM02,SIM03,SIM04,SIM05,SIM06", "--jobs=2"]),
        ("7 threads, other order", ["--symbols=SIM06,SIM02,SIM05,SIM01,SIM04,SIM03", "--jobs=7"]),
    ] {
        assert_same(&first, &small(&extra), what);
    }
}

fn number_of_strategies(run: &RunFolder) -> usize {
    let mut names: Vec<String> = run.rows("trades.csv").into_iter().map(|row| row["strategy"].clone()).collect();
    names.sort();
    names.dedup();
    names.len()
}

/// Writes bars of four generated symbols as one file each; `name` names the file of a symbol.
fn write_bars(dir: &Path, format: &str, name: impl Fn(&str) -> String) {
    std::fs::create_dir(dir).expect("created");
    for symbol in ["SIM01", "SIM02", "SIM03", "SIM04"] {
        let file = dir.join(format!("{}.{format}", name(symbol)));
        let args = ["data", "convert", "generated_minutes", "--symbols", symbol, "--bars=780", "--out"];
        let out = tbot_in(dir, &[&args[..], &[&file.to_string_lossy()]].concat());
        assert!(out.status.success(), "{}", text(&out.stderr));
    }
}

#[test]
fn names_and_formats_of_the_files_change_no_byte() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    write_bars(&dir.path().join("parquet"), "parquet", str::to_string);
    // The other way round: what was read first is read last.
    write_bars(&dir.path().join("renamed"), "parquet", |s| format!("part_{}", 9 - s[4..].parse::<u32>().unwrap()));
    write_bars(&dir.path().join("csv"), "csv", str::to_string);
    let run = |name: &str| {
        let data = dir.path().join(name);
        let data = data.to_string_lossy();
        backtest(&["--data", &data, "--strategy=sma_cross", "--strategy=rsi_reversion", "--param=weight=0.2", "--csv"])
    };
    let first = run("parquet");
    assert!(first.rows("trades.csv").len() >= 10);
    assert_same(&first, &run("renamed"), "renamed files");
    assert_same(&first, &run("csv"), "CSV");
}

/// Runs `tbot verify` on a run.
fn verify(run: &Path) -> (i32, String) {
    let out = tbot_in(&std::env::temp_dir(), &["verify", &run.to_string_lossy()]);
    (out.status.code().unwrap_or(-1), text(&out.stdout) + &text(&out.stderr))
}

#[test]
fn verify_finds_a_changed_digit() {
    let run = backtest(&["--strategy=sma_cross", "--symbols=SIM01,SIM02", "--bars=400"]);
    let (code, words) = verify(&run.path);
    assert_eq!(code, 0, "{words}");
    assert!(words.contains("same"), "{words}");

    let fills = run.path.join("fills.csv");
    let whole = run.read("fills.csv");
    let price = run.rows("fills.csv")[1]["price"].clone();
    let other = if price.ends_with('1') { '2' } else { '1' };
    let changed = format!("{}{other}", &price[..price.len() - 1]);
    std::fs::write(&fills, whole.replacen(&price, &changed, 1)).expect("written");
    let (code, words) = verify(&run.path);
    assert_eq!(code, 1, "{words}");
    assert!(words.contains("fills.csv: line 3") && words.contains(&price) && words.contains(&changed), "{words}");
    std::fs::write(&fills, whole).expect("written");

    let whole = run.read("summary.json");
    let mut summary: Value = run.summary();
    summary["metrics"]["total_return"] = Value::from(0.125);
    std::fs::write(run.path.join("summary.json"), summary.to_string()).expect("written");
    let (code, words) = verify(&run.path);
    assert_eq!(code, 1, "{words}");
    assert!(words.contains("summary.json: metrics.total_return is 0.125"), "{words}");
    std::fs::write(run.path.join("summary.json"), whole).expect("written");
    assert_eq!(verify(&run.path).0, 0);
}

#[test]
fn verify_says_when_the_data_are_others() {
    let keep = tempfile::tempdir().expect("a temporary folder");
    let file = keep.path().join("bars.csv");
    let args = ["data", "convert", "generated_minutes", "--symbols=SIM01", "--bars=400", "--out", "bars.csv"];
    assert!(tbot_in(keep.path(), &args).status.success());
    // A path relative to where the run was started must be found from anywhere.
    let run = backtest_in(keep, &["--data=bars.csv", "--strategy=sma_cross"]);
    assert_eq!(verify(&run.path).0, 0);

    let bars = std::fs::read_to_string(&file).expect("the bars");
    let mut lines: Vec<String> = bars.lines().map(str::to_string).collect();
    let (head, volume) = lines[200].rsplit_once(',').expect("a volume");
    lines[200] = format!("{head},{}", volume.parse::<f64>().expect("a number") + 1.0);
    std::fs::write(&file, lines.join("\n") + "\n").expect("written");
    let (code, words) = verify(&run.path);
    assert_eq!(code, 1, "{words}");
    assert!(words.contains("data_hash") && words.contains("not those of the stored run"), "{words}");

    std::fs::remove_file(&file).expect("removed");
    let (code, words) = verify(&run.path);
    assert_eq!(code, 2, "{words}");
    assert!(words.contains("bars.csv"), "{words}");
}
