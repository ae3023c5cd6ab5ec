//! `report.html` of a sweep: self-contained, escaped, bounded, the same for the same folder.

use crate::program::{tbot_in, text};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use tradebot::optimize::report::{MOST_TRIALS, render};

/// A small sweep with failed trials, under `out`; its folder.
fn sweep(out: &Path, extra: &[&str]) -> PathBuf {
    let common =
        ["sweep", "--data", "generated_minutes", "--symbols", "SIM01", "--bars", "1200", "--strategy", "sma_cross"];
    let search =
        ["--space", "fast=5..25:5", "--space", "slow=20..60:10", "--bootstrap", "50", "--quiet", "--out", "out"];
    let output = tbot_in(out, &[&common[..], &search, extra].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    out.join(text(&output.stdout).trim())
}

#[test]
fn a_sweep_leaves_its_page() {
    let out = tempfile::tempdir().unwrap();
    let dir = sweep(out.path(), &[]);
    let page = fs::read_to_string(dir.join("report.html")).unwrap();
    assert!(!page.contains("http://www.w3.org") || page.matches("http://").count() == 1, "the name space of SVG alone");
    assert!(!page.contains("https://") && !page.contains(" src=") && !page.contains(" style="));
    assert_eq!(page.matches("<h1>").count(), 1);
    for id in ["verdict", "heat", "slices", "parallel", "importance", "history", "curves", "trials", "reproduce"] {
        assert!(page.contains(&format!("id=\"{id}\"")), "{id}");
    }
    assert!(page.contains("1 failed") || page.contains("failed, 0 pruned"), "failed trials are counted");
    assert_eq!(render(&dir).unwrap(), page, "the same folder gives the same bytes");
    // Made anew on request.
    fs::remove_file(dir.join("report.html")).unwrap();
    let output = tbot_in(out.path(), &["report", &dir.to_string_lossy()]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(fs::read_to_string(text(&output.stdout).trim()).unwrap(), page);
}

#[test]
fn several_objectives_have_a_front() {
    let out = tempfile::tempdir().unwrap();
    let dir = sweep(out.path(), &["--objective", "sharpe", "--objective", "max_drawdown"]);
    let page = fs::read_to_string(dir.join("report.html")).unwrap();
    assert!(page.contains("id=\"chart-front\""));
}

/// The block of data of a page.
fn data(page: &str) -> Value {
    let (_, after) = page.split_once(r#"<script type="application/json" id="report-data">"#).unwrap();
    serde_json::from_str(after.split_once("</script>").unwrap().0).unwrap()
}

/// The page ranks as the summary does.
#[test]
fn what_misses_a_constraint_is_never_the_best_of_the_page() {
    let out = tempfile::tempdir().unwrap();
    let free = sweep(out.path(), &[]);
    let read =
        |dir: &Path| -> Value { serde_json::from_str(&fs::read_to_string(dir.join("summary.json")).unwrap()).unwrap() };
    // The best one without a constraint does not meet it.
    let trades = read(&free)["best"]["metrics"]["trades"].as_f64().unwrap();
    let bound = format!("trades >= {}", trades + 1.0);
    let dir = sweep(out.path(), &["--constraint", &bound]);
    let summary = read(&dir);
    assert_eq!(summary["feasible"], true);
    let data = data(&render(&dir).unwrap());
    let best = data["best_so_far"].as_array().unwrap().last().unwrap();
    assert_eq!(best[0], summary["best"]["id"]);
    assert_eq!(best[1], summary["best"]["values"][0]);
    let first = data["trials"].as_array().unwrap().iter().find(|t| t[0] == read(&free)["best"]["id"]).unwrap();
    assert_eq!(first[1], "infeasible");
}

/// The picture of halves is that of the PBO of the summary.
#[test]
fn the_picture_behind_pbo_has_its_figure() {
    let out = tempfile::tempdir().unwrap();
    // Halves need more sessions than the other tests look at.
    let args = ["sweep", "--data=wiki_daily", "--symbols=AAPL", "--to=2001-12-31", "--strategy=sma_cross"];
    let search = ["--space=fast=5..20:5", "--space=slow=30..60:10", "--bootstrap=50", "--quiet", "--out=out"];
    let output = tbot_in(out.path(), &[&args[..], &search].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let dir = out.path().join(text(&output.stdout).trim());
    let summary: Value = serde_json::from_str(&fs::read_to_string(dir.join("summary.json")).unwrap()).unwrap();
    let data = data(&render(&dir).unwrap());
    assert!(summary["overfit"]["pbo"].is_number());
    assert_eq!(data["halves"]["pbo"], summary["overfit"]["pbo"]);
    assert_eq!(data["halves"]["combinations"], 12_870);
    assert!(data["halves"]["points"].as_array().unwrap().len() <= 1_500);
    let counts = data["halves"]["logits"]["counts"].as_array().unwrap();
    assert_eq!(counts.iter().map(|n| n.as_u64().unwrap()).sum::<u64>(), 12_870, "every way is counted");
}

/// Names and words of a space come from users.
#[test]
fn words_of_a_space_stay_words() {
    let out = tempfile::tempdir().unwrap();
    let dir = sweep(out.path(), &[]);
    let hostile = "</script><script>alert(1)</script>";
    for name in ["sweep.json", "trials.jsonl", "summary.json"] {
        let text = fs::read_to_string(dir.join(name)).unwrap();
        fs::write(dir.join(name), text.replace("\"fast\"", &format!("\"{hostile}\""))).unwrap();
    }
    let page = render(&dir).unwrap();
    assert!(!page.contains("<script>alert"), "no word becomes markup");
    assert_eq!(page.matches("</script>").count(), 3, "the data and two scripts");
    assert_eq!(data(&page)["parameters"][0]["name"], hostile, "the name itself is kept");
}

/// What a file says is text on the page, whatever it says.
#[test]
fn foreign_words_stay_words() {
    let out = tempfile::tempdir().unwrap();
    let dir = sweep(out.path(), &[]);
    let path = dir.join("summary.json");
    let hostile = "</script><script>alert(1)</script><b onclick=x>";
    let mut summary: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    summary["warnings"] = json!([hostile]);
    summary["strategies"] = json!([hostile]);
    fs::write(&path, summary.to_string()).unwrap();
    let page = render(&dir).unwrap();
    assert!(!page.contains(hostile) && page.contains("&#60;/script&#62;"));
}

/// A page of many trials holds some of them, the best among them, and says so.
#[test]
fn a_large_sweep_gives_a_bounded_page() {
    let out = tempfile::tempdir().unwrap();
    let dir = sweep(out.path(), &[]);
    let log = fs::read_to_string(dir.join("trials.jsonl")).unwrap();
    let lines: Vec<&str> = log.lines().collect();
    let mut many = String::new();
    for id in 0..2 * MOST_TRIALS {
        let line = lines[id % lines.len()];
        let (_, rest) = line.split_once(',').unwrap();
        many.push_str(&format!("{{\"id\":{id},{rest}\n"));
    }
    fs::write(dir.join("trials.jsonl"), many).unwrap();
    let page = render(&dir).unwrap();
    assert!(page.len() < 1_500_000, "{} bytes", page.len());
    assert!(page.contains(&format!("Of {} trials this page holds", 2 * MOST_TRIALS)));
}

#[test]
fn a_walk_forward_leaves_its_page() {
    let out = tempfile::tempdir().unwrap();
    let common = ["walk-forward", "--data", "generated_minutes", "--symbols", "SIM01", "--strategy", "sma_cross"];
    let search = ["--bars", "2340", "--space", "fast=5..15:5", "--space", "slow=20..40:10"];
    let windows = ["--train", "3", "--test", "1", "--step", "1", "--quiet", "--out", "out"];
    let output = tbot_in(out.path(), &[&common[..], &search, &windows].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let dir = out.path().join(text(&output.stdout).trim());
    let page = fs::read_to_string(dir.join("report.html")).unwrap();
    assert!(page.contains("Windows with gain") && page.contains("of 3</div>"), "three windows");
    assert_eq!(data(&page)["growth"].as_array().unwrap().len(), 3, "in and out of sample of each");
    assert!(!page.contains("https://") && !page.contains(" src=") && !page.contains(" style="));
    fs::remove_file(dir.join("report.html")).unwrap();
    let output = tbot_in(out.path(), &["report", &dir.to_string_lossy()]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(fs::read_to_string(text(&output.stdout).trim()).unwrap(), page);
}
