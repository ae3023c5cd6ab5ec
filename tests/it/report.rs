//! `report.html`: self-contained, escaped, complete.

use crate::run_fixture::{Fixture, TRADES, fixture};
use serde_json::Value;
use std::path::Path;
use tradebot::backtest::report::{ReportSource, render};
use tradebot::backtest::store::{FileTime, TradeRow, read_trades, write_run};
use tradebot::backtest::{EquityCurve, RunResult};

/// The rows of `trades.csv`, by way of the file.
fn trade_rows(f: &Fixture) -> Vec<TradeRow> {
    let out = tempfile::tempdir().unwrap();
    let dir = write_run(out.path(), "run", &f.run, &f.summary, &f.result, &f.curve, &[], false).unwrap();
    read_trades(&dir.join("trades.csv")).unwrap()
}

fn page(f: &Fixture, trades: &[TradeRow]) -> String {
    render(&ReportSource { run: &f.run, summary: &f.summary, equity: &f.curve, trades }, &f.prices).unwrap()
}

/// The block of data of a page.
fn payload(page: &str) -> Value {
    let (_, after) = page.split_once(r#"<script type="application/json" id="report-data">"#).unwrap();
    let (json, _) = after.split_once("</script>").unwrap();
    serde_json::from_str(json).unwrap()
}

/// Leaves a whole run where the browser check (tests/browser) finds it.
#[test]
fn a_run_for_the_browser_check() {
    let f = fixture();
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report-fixture");
    if out.exists() {
        std::fs::remove_dir_all(&out).unwrap();
    }
    let dir = write_run(&out, &f.summary.run_id, &f.run, &f.summary, &f.result, &f.curve, &f.prices, true).unwrap();
    let size = std::fs::metadata(dir.join("report.html")).unwrap().len();
    assert!(size < 3_000_000, "{size} bytes");
}

#[test]
fn the_page_asks_nobody_for_anything() {
    let f = fixture();
    let page = page(&f, &trade_rows(&f));
    assert!(!page.contains("http://") && !page.contains("https://"), "no address of another host");
    assert!(!page.contains(" src="), "nothing is loaded");
    assert!(!page.contains(" style="), "no inline style");
    assert!(!page.contains("onclick="), "no inline handler");
    assert!(page.contains("default-src 'none'"), "the page forbids itself the network");
}

#[test]
fn the_page_has_one_heading_and_every_section() {
    let f = fixture();
    let page = page(&f, &trade_rows(&f));
    assert_eq!(page.matches("<h1>").count(), 1);
    for id in [
        "verdict",
        "equity",
        "prices",
        "returns",
        "trades",
        "metrics",
        "costs",
        "ambiguity",
        "assumptions",
        "data",
        "reproduce",
    ] {
        assert!(page.contains(&format!("id=\"{id}\"")), "section {id}");
        assert!(page.contains(&format!("href=\"#{id}\"")), "link to {id}");
    }
    for text in f.run["assumptions"].as_array().unwrap() {
        assert!(page.contains(text.as_str().unwrap()), "{text}");
    }
    for fact in [&f.summary.fingerprint, &f.summary.data_hash, &f.summary.run_id] {
        assert!(page.contains(fact.as_str()));
    }
    assert!(page.contains("tbot backtest --data generated_minutes --fill path --seed 1"));
}

#[test]
fn undefined_metrics_read_not_available() {
    let f = fixture();
    let page = page(&f, &trade_rows(&f));
    let row = page.lines().find(|line| line.contains(">Beta<")).unwrap();
    assert!(row.contains(">n/a<"), "{row}");
    assert!(!page.contains("NaN<") && !page.contains(">inf<") && !page.contains(">null<"));
}

#[test]
fn names_cannot_break_out_of_the_page() {
    let mut f = fixture();
    let hostile = r#"</script><script>alert("1")</script><!-- & '"#;
    f.result.instruments[0] = hostile.to_string();
    f.result.strategies[0] = hostile.to_string();
    f.summary.symbols[0] = hostile.to_string();
    f.summary.strategies[0] = hostile.to_string();
    f.summary.warnings.push(hostile.to_string());
    f.run["assumptions"] = serde_json::json!([hostile]);
    f.prices[0].symbol = hostile.to_string();
    let trades = trade_rows(&f);
    assert!(trades.iter().any(|t| t.symbol == hostile));
    let page = page(&f, &trades);
    assert!(!page.contains("<script>alert"));
    assert!(!page.contains("<!-- &"));
    assert_eq!(page.matches("</script>").count(), 3, "the data and two scripts, nothing else");
    let data = payload(&page);
    let symbols = data["prices"]["symbols"].as_array().unwrap();
    assert!(symbols.iter().any(|s| s["symbol"] == hostile), "the name itself is kept");
}

#[test]
fn every_trade_is_marked_and_every_session_listed() {
    let f = fixture();
    let data = payload(&page(&f, &trade_rows(&f)));
    assert_eq!(data["trades"]["pnl"].as_array().unwrap().len(), TRADES);
    assert_eq!(data["sessions"]["date"].as_array().unwrap().len(), 60);
    assert_eq!(data["zone"].as_array().unwrap().len(), 2, "daylight saving begins within the run");
    assert_eq!(data["strategies"]["names"].as_array().unwrap().len(), 3);
    let last: Vec<f64> = data["strategies"]["values"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_array().unwrap().last().unwrap().as_f64().unwrap())
        .collect();
    let net: f64 = f.result.trades.iter().map(|t| t.pnl).sum();
    assert!((last.iter().sum::<f64>() - net).abs() < 0.05, "the lines end at the net result");
}

#[test]
fn a_million_steps_stay_a_small_page() {
    let mut f = fixture();
    let steps = 1_000_000;
    let start = f.curve.time[0];
    // A minute a step, around the clock: as many dates as such a run can have.
    f.curve = EquityCurve {
        time: (0..steps).map(|i| start + i * 60_000_000_000).collect(),
        equity: (0..steps).map(|i| 100_000.0 + ((i * 7919) % 10_007) as f64).collect(),
        cash: vec![0.0; steps as usize],
        exposure: vec![0.5; steps as usize],
    };
    f.curve.equity[654_321] = 1.0;
    let trade = trade_rows(&f)[0].clone();
    let trades: Vec<TradeRow> = (0..50_000)
        .map(|k| TradeRow { exit_ts: FileTime(start + k * 1_000_000_000), pnl: k as f64, ..trade.clone() })
        .collect();
    let page = page(&f, &trades);
    assert!(page.len() < 3_000_000, "{} bytes", page.len());
    let data = payload(&page);
    let equity = data["equity"]["equity"].as_array().unwrap();
    assert!(equity.len() <= 4_000);
    assert!(equity.iter().any(|v| v.as_f64() == Some(1.0)), "the one low point survives");
    assert!(page.contains("44,000 smaller trades"));
}

#[test]
fn a_run_without_trades_or_steps_has_a_page_too() {
    let mut f = fixture();
    f.result = RunResult { start_equity: 100_000.0, ..RunResult::default() };
    f.summary.trades = 0;
    f.summary.metrics.clear();
    f.summary.ambiguity = Default::default();
    let page = page(&f, &[]);
    assert!(page.contains("The run closed no trade."));
    assert!(page.contains("The run made no trade"));
    assert!(page.contains(r#"<div class="value ">n/a</div>"#));
    assert_eq!(payload(&page)["trade_results"], Value::Null);
}

#[test]
fn the_same_run_gives_the_same_bytes() {
    let f = fixture();
    let trades = trade_rows(&f);
    assert_eq!(page(&f, &trades), page(&f, &trades));
}
