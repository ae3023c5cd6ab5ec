//! `tbot runs` and `tbot report`, from outside.

use crate::run_fixture::fixture;
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Output};
use tradebot::backtest::store::write_run;

fn tbot(out: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tbot")).args(args).arg("--out").arg(out).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn json_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", text(&output.stdout)))
}

const OLD: &str = "20240501T210000Z-3f9a1c0b7d24";
const NEW: &str = "20240502T210000Z-77aa1c0b7d24";

/// Two runs that differ in seed, one setting and one metric.
fn two_runs() -> tempfile::TempDir {
    let out = tempfile::tempdir().unwrap();
    let mut f = fixture();
    write_run(out.path(), OLD, &f.run, &f.summary, &f.result, &f.curve, &[], false).unwrap();
    f.summary.run_id = NEW.to_string();
    f.summary.fingerprint = "77aa".to_string();
    f.summary.seed = 2;
    f.summary.metrics["sharpe"] = json!(0.5);
    f.run["seed"] = json!(2);
    f.run["costs"]["slippage"] = json!("fixed_pct:0.05");
    write_run(out.path(), NEW, &f.run, &f.summary, &f.result, &f.curve, &[], false).unwrap();
    out
}

#[test]
fn list_is_newest_first() {
    let out = two_runs();
    let output = tbot(out.path(), &["runs"]);
    assert!(output.status.success());
    let lines: Vec<String> = text(&output.stdout).lines().map(str::to_string).collect();
    assert!(lines[0].starts_with("run_id"));
    assert!(lines[1].starts_with(NEW) && lines[2].starts_with(OLD), "{lines:#?}");
    assert!(lines[1].contains("open,mid,close") && lines[1].contains("2024-02-05..2024-04-29"), "{}", lines[1]);
    let listed = json_of(&tbot(out.path(), &["runs", "list", "--json"]));
    assert_eq!(listed[0]["run_id"], NEW);
    assert_eq!(listed[0]["sharpe"], 0.5);
    assert_eq!(listed[1]["trades"], 120);
}

#[test]
fn no_results_are_no_failure() {
    let out = tempfile::tempdir().unwrap();
    let missing = out.path().join("missing");
    let output = tbot(&missing, &["runs", "list"]);
    assert!(output.status.success() && output.stdout.is_empty());
    assert!(text(&output.stderr).contains("no runs in"));
    assert_eq!(json_of(&tbot(&missing, &["runs", "list", "--json"])), json!([]));
}

#[test]
fn show_takes_a_beginning_and_gives_the_summary() {
    let out = two_runs();
    let output = tbot(out.path(), &["runs", "show", "20240501"]);
    assert!(text(&output.stdout).contains("total_return"));
    assert_eq!(json_of(&tbot(out.path(), &["runs", "show", OLD, "--json"]))["run_id"], OLD);
}

#[test]
fn a_wrong_name_is_wrong_use_and_names_the_candidates() {
    let out = two_runs();
    let output = tbot(out.path(), &["runs", "show", "2024"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains(OLD) && text(&output.stderr).contains(NEW));
    assert_eq!(tbot(out.path(), &["report", "nothing"]).status.code(), Some(2));
}

#[test]
fn compare_says_what_differs() {
    let out = two_runs();
    let output = text(&tbot(out.path(), &["runs", "compare", "20240501", "20240502"]).stdout);
    assert!(output.contains("different fingerprints, different results"), "{output}");
    assert!(output.contains("costs.slippage") && output.contains("fixed_pct:0.05"), "{output}");
    let compared = json_of(&tbot(out.path(), &["runs", "compare", OLD, NEW, "--json"]));
    let keys: Vec<&str> = compared["settings"].as_array().unwrap().iter().map(|s| s["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["costs.slippage", "seed"]);
    let sharpe = compared["metrics"].as_array().unwrap().iter().find(|m| m["name"] == "sharpe").unwrap().clone();
    assert_eq!(sharpe["b"], 0.5);
    let same = json_of(&tbot(out.path(), &["runs", "compare", OLD, OLD, "--json"]));
    assert_eq!((&same["same_fingerprint"], &same["same_results"]), (&json!(true), &json!(true)));
}

#[test]
fn prune_only_says_so_until_told_yes() {
    let out = two_runs();
    let output = tbot(out.path(), &["runs", "prune", "--keep", "1"]);
    assert_eq!(text(&output.stdout).trim(), OLD);
    assert!(out.path().join(OLD).exists());
    assert!(tbot(out.path(), &["runs", "prune", "--keep", "1", "--yes"]).status.success());
    assert!(!out.path().join(OLD).exists() && out.path().join(NEW).exists());
}

#[test]
fn report_is_rewritten_and_its_path_printed() {
    let out = two_runs();
    let page = out.path().join(OLD).join("report.html");
    std::fs::remove_file(&page).unwrap();
    let output = tbot(out.path(), &["report", "20240501"]);
    assert_eq!(text(&output.stdout).trim(), page.to_str().unwrap());
    assert!(page.is_file());
}
