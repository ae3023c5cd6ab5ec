//! `tbot stats` and the metrics against other implementations.

use polars::prelude::{Column, DataFrame, DataType, NamedFrom, ParquetWriter, Series, TimeUnit};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tradebot::stats::performance;

/// Returns without a closed form in their metrics, exact in every program: 250 days.
fn returns() -> Vec<f64> {
    (0..250).map(|i| f64::from((i * 73) % 101 - 48) / 2500.0).collect()
}

fn benchmark() -> Vec<f64> {
    (0..250).zip(returns()).map(|(i, r)| f64::from((i * 37) % 97 - 45) / 3000.0 + 0.3 * r).collect()
}

fn trade_pnl() -> Vec<f64> {
    (0..60).map(|k| if k == 7 { 0.0 } else { f64::from((k * 29) % 61 - 25) * 1.5 }).collect()
}

/// Metrics of [`returns`] against [`benchmark`] at a risk-free rate of 4.5 % a year, by empyrical-reloaded
/// 0.7.1, quantstats 0.0.86 (win_rate, profit_factor) and scipy 1.17.1 (skew, kurtosis, norm); where no
/// library has the convention (duration, ulcer index, Gaussian VaR, tracking error, PSR), numpy on the
/// formula. Trades: numpy.
const REFERENCE: [(&str, f64); 41] = [
    ("total_return", 0.1777814157799038),
    ("cagr", 0.17932421202539395),
    ("annual_volatility", 0.18617746608823563),
    ("sharpe", 0.7424403878997295),
    ("downside_deviation", 0.12609908690136398),
    ("sortino", 1.0961670979335476),
    ("max_drawdown", -0.03196336833590829),
    ("max_drawdown_duration_periods", 36.0),
    ("calmar", 5.610303962362361),
    ("ulcer_index", 0.014507715775227246),
    ("omega", 1.1143013357230738),
    ("tail_ratio", 1.0918484500574046),
    ("var_95_historical", -0.01742),
    ("cvar_95_historical", -0.01849230769230769),
    ("var_95_gaussian", -0.018567771596057242),
    ("skewness", -0.0005920434666623049),
    ("kurtosis_excess", -1.203029497532803),
    ("stability_r2", 0.944481922506895),
    ("beta", 0.44382203649271884),
    ("alpha_annual_arithmetic", 0.025829874120490016),
    ("alpha_annual_compounded", 0.02616499784942361),
    ("tracking_error_annual", 0.19386535035264613),
    ("information_ratio_annual", -0.5932959128115288),
    ("win_rate_nonzero_periods", 0.5161290322580645),
    ("profit_factor_periods", 1.153428377460964),
    ("psr", 0.76969321398039),
    ("min_track_record_length", 1238.4655814363439),
    ("trades", 60.0),
    ("wins", 34.0),
    ("losses", 24.0),
    ("breakeven", 2.0),
    ("net_profit", 454.5),
    ("gross_profit", 934.5),
    ("gross_loss", 480.0),
    ("avg_win", 27.485294117647058),
    ("avg_loss", 20.0),
    ("payoff_ratio", 1.374264705882353),
    ("sqn", 2.1895660328327335),
    ("kelly_fraction", 0.251346531121812),
    ("max_drawdown_currency", 67.5),
    ("recovery_factor", 454.5 / 67.5),
];

pub(super) fn assert_close(name: &str, found: f64, expected: f64) {
    // Third moments of a nearly symmetric series cancel: an absolute error of rounding size is allowed.
    assert!((found - expected).abs() <= 1e-11 * expected.abs() + 1e-14, "{name}: {found} is not {expected}");
}

#[test]
fn metrics_agree_with_other_implementations() {
    let metrics = performance(&returns(), 0.045, Some(&benchmark()), Some(&trade_pnl())).unwrap();
    for (name, expected) in REFERENCE {
        assert_close(name, metrics.get(name).unwrap_or_else(|| panic!("{name} is undefined")), expected);
    }
}

pub(super) fn tbot(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tbot")).args(args).output().unwrap()
}

pub(super) fn json_of(args: &[&str]) -> Value {
    let output = tbot(args);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The error of a command that must end with exit code 2 and an empty stdout.
pub(super) fn refusal(args: &[&str]) -> String {
    let output = tbot(args);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr).unwrap()
}

pub(super) fn date(i: usize) -> String {
    (chrono::NaiveDate::from_ymd_opt(2024, 1, 1).unwrap() + chrono::Days::new(i as u64)).to_string()
}

pub(super) fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn returns_csv(folder: &Path, name: &str, values: &[f64]) -> PathBuf {
    let rows: String = values.iter().enumerate().map(|(i, r)| format!("{},{r}\n", date(i))).collect();
    write(folder, name, &format!("date,return\n{rows}"))
}

pub(super) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn the_command_prints_every_metric_under_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = returns_csv(folder.path(), "r.csv", &returns());
    let benchmark = returns_csv(folder.path(), "b.csv", &benchmark());
    let pnl: String = trade_pnl().iter().map(|p| format!("SPY,{p}\n")).collect();
    let trades = write(folder.path(), "t.csv", &format!("symbol,pnl\n{pnl}"));
    let all = ["stats", text(&file), "--benchmark", text(&benchmark), "--trades", text(&trades), "--rf", "0.045"];
    let json = json_of(&[&all[..], &["--json"]].concat());
    for (name, expected) in REFERENCE {
        assert_close(name, json[name].as_f64().unwrap_or_else(|| panic!("{name} is {}", json[name])), expected);
    }
    assert!(json["trades"].is_u64());

    let table = String::from_utf8(tbot(&all).stdout).unwrap();
    assert!(table.contains("250 daily returns, 2024-01-01 to 2024-09-06, risk-free rate 4.50 % a year"), "{table}");
    assert!(table.contains("0.7424") && table.contains("17.78 %") && table.contains("mean(r-rf) / sd(r)"), "{table}");
}

#[test]
fn csv_parquet_returns_and_equity_give_the_same() {
    let folder = tempfile::tempdir().unwrap();
    // Powers of two, so that equity and return hold the very same numbers.
    let returns = [0.5, -0.25, 0.0, 1.0, -0.5];
    let mut equity = vec![1024.0];
    for r in returns {
        equity.push(equity.last().unwrap() * (1.0 + r));
    }
    let from_returns = json_of(&["stats", text(&returns_csv(folder.path(), "r.csv", &returns)), "--json"]);
    let rows: String = equity.iter().enumerate().map(|(i, e)| format!("{}T00:00:00Z,{e}\n", date(i))).collect();
    let csv = write(folder.path(), "e.csv", &format!("\u{feff}Date, Equity\n{rows}"));
    assert_eq!(json_of(&["stats", text(&csv), "--json"]), from_returns);

    let days: Vec<i32> = (0..equity.len() as i32).map(|i| 19_723 + i).collect();
    let day = Column::from(Series::new("date".into(), days)).cast(&DataType::Date).unwrap();
    let zoned = DataType::Datetime(TimeUnit::Microseconds, None);
    for (name, column) in [("d.parquet", day.clone()), ("t.parquet", day.cast(&zoned).unwrap())] {
        let equity = Column::from(Series::new("equity".into(), equity.clone()));
        let mut frame = DataFrame::new_infer_height(vec![column, equity]).unwrap();
        let path = folder.path().join(name);
        ParquetWriter::new(std::fs::File::create(&path).unwrap()).finish(&mut frame).unwrap();
        assert_eq!(json_of(&["stats", text(&path), "--json"]), from_returns, "{name}");
    }
    assert_eq!(from_returns["total_return"], 0.125);
    assert_eq!(from_returns["max_drawdown"], -0.5);
}

#[test]
fn undefined_is_null_and_na() {
    let folder = tempfile::tempdir().unwrap();
    let file = returns_csv(folder.path(), "r.csv", &[0.01, 0.02]);
    let json = json_of(&["stats", text(&file), "--json"]);
    assert!(json["sortino"].is_null() && json["calmar"].is_null() && json.get("beta").is_none());
    assert!(String::from_utf8(tbot(&["stats", text(&file)]).stdout).unwrap().contains("n/a"));
}

#[test]
fn bad_input_is_refused_with_file_row_and_reason() {
    let folder = tempfile::tempdir().unwrap();
    let refuse = |name: &str, content: &str, expected: &str| {
        let error = refusal(&["stats", text(&write(folder.path(), name, content))]);
        assert!(error.contains(name) && error.contains(expected), "{error}");
    };
    refuse("a.csv", "date,return\n2024-01-02,0.1\n2024-01-03,x\n", "line 3: return is 'x'; expected a finite number");
    refuse("b.csv", "date,return\n2024-01-02,NaN\n", "line 2: return is 'NaN'");
    refuse("c.csv", "date,return\n2024-01-02,\n", "line 2: return is ''");
    refuse("d.csv", "date,return\n01/02/2024,0.1\n", "line 2: date is '01/02/2024'; expected a date as YYYY-MM-DD");
    refuse("e.csv", "date,return\n2024-01-03,0.1\n2024-01-02,0.1\n", "line 3: date 2024-01-02 after 2024-01-03");
    refuse("f.csv", "date,return\n2024-01-03,0.1\n2024-01-03,0.1\n", "expected one row a day");
    refuse("g.csv", "day,return\n2024-01-03,0.1\n", "no column 'date'; it has: day, return");
    refuse("h.csv", "date,ret\n2024-01-03,0.1\n", "no column 'return' or 'equity'");
    refuse("i.csv", "date,return\n", "no returns; expected at least one day");
    refuse("j.csv", "date,equity\n2024-01-03,100\n", "no returns");
    refuse("k.csv", "date,equity\n2024-01-03,0\n2024-01-04,100\n", "line 2: the starting capital is 0");
    refuse("l.csv", "date,return\n2024-01-03,0.1,7\n", "line: 2");
    refuse("m.csv", "date,return,return\n2024-01-03,0.1,7\n", "two columns are called 'return'");
    refuse("n.csv", "PAR1 and nothing else", "not a readable Parquet file");
    assert!(refusal(&["stats", text(&folder.path().join("absent.csv"))]).contains("absent.csv"));

    let file = returns_csv(folder.path(), "r.csv", &[0.01, 0.02, 0.03]);
    assert!(refusal(&["stats", text(&file), "--rf", "-1"]).contains("risk-free rate -1"));
    let short = returns_csv(folder.path(), "short.csv", &[0.01, 0.02]);
    let error = refusal(&["stats", text(&file), "--benchmark", text(&short)]);
    assert!(error.contains("short.csv: no return on 2024-01-03"), "{error}");
    let error = refusal(&["stats", text(&file), "--trades", text(&file)]);
    assert!(error.contains("no column 'pnl'; it has: date, return"), "{error}");
}

#[test]
fn a_longer_benchmark_is_cut_to_the_days_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "r.csv", "date,return\n2024-01-03,0.01\n2024-01-05,-0.02\n2024-01-06,0.03\n");
    let long =
        "date,return\n2024-01-01,9\n2024-01-03,0.02\n2024-01-04,7\n2024-01-05,-0.04\n2024-01-06,0.06\n2024-01-07,9\n";
    let long = write(folder.path(), "long.csv", long);
    let output = tbot(&["stats", text(&file), "--benchmark", text(&long), "--json"]);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_close("beta", json["beta"].as_f64().unwrap(), 0.5);
    assert!(String::from_utf8(output.stderr).unwrap().contains("1 days within the span"));
}
