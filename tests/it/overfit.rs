//! The overfitting part of `tbot stats`, against other implementations.

use super::stats::{assert_close, date, json_of, refusal, tbot, text, write};
use polars::prelude::{Column, DataFrame, NamedFrom, ParquetReader, ParquetWriter, SerReader, Series};
use std::path::{Path, PathBuf};
use tradebot::stats::overfit::optimal_block_length;

const DAYS: usize = 250;
const TRIALS: usize = 8;

/// Eight trials that share half of the first one's luck, each a little better than the one before; drawn by a
/// generator that other programs can repeat.
fn trials() -> Vec<Vec<f64>> {
    let mut state = 7u64;
    let mut trials = vec![vec![]; TRIALS];
    for _ in 0..DAYS {
        let day: Vec<f64> = (0..TRIALS)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (((state >> 33) % 2001) as f64 - 1000.0) / 100_000.0
            })
            .collect();
        for (k, trial) in trials.iter_mut().enumerate() {
            trial.push(day[k] + 0.5 * day[0] + k as f64 * 2e-5 * 8.0);
        }
    }
    trials
}

fn matrix_csv(folder: &Path, name: &str, trials: &[Vec<f64>]) -> PathBuf {
    let names: String = (0..trials.len()).map(|k| format!(",t{k}")).collect();
    let cells = |t: usize| -> String { trials.iter().map(|trial| format!(",{}", trial[t])).collect() };
    let rows: String = (0..trials[0].len()).map(|t| format!("{}{}\n", date(t), cells(t))).collect();
    write(folder, name, &format!("day{names}\n{rows}"))
}

fn series_csv(folder: &Path, name: &str, returns: &[f64]) -> PathBuf {
    let rows: String = returns.iter().enumerate().map(|(t, r)| format!("{},{r}\n", date(t))).collect();
    write(folder, name, &format!("date,return\n{rows}"))
}

/// numpy 2.4 and scipy 1.17 following the formulas; the combinations of PBO put together row by row; block length
/// of arch 8.0.0.
const REFERENCE: [(&str, f64); 12] = [
    ("psr", 0.9977663968861501),
    ("deflated_sharpe", 0.8078131129743858),
    ("mean_correlation", 0.25173379246107175),
    ("effective_trials", 6.237863452772498),
    ("deflated_sharpe_neff", 0.8542218856561495),
    ("expected_max_sharpe", 2.0077945182700927),
    ("min_backtest_length_years", 0.2543655236820272),
    ("pbo", 0.1306138306138306),
    ("pbo_loss_probability", 0.06775446775446775),
    ("pbo_degradation_slope", -0.9858688278036346),
    ("bootstrap_block_length", 1.420918061888751),
    ("sharpe", 2.892879597584425),
];

/// P-values of arch 8.0.0 with 20,000 replications of its own draws: SPA of the differences divided by their
/// standard errors, reality check of the plain ones.
const ARCH: [(&str, f64); 4] =
    [("spa_lower", 0.00975), ("spa_p", 0.01155), ("spa_upper", 0.01155), ("reality_check_p", 0.0367)];

#[test]
fn the_figures_are_those_of_other_programs() {
    let folder = tempfile::tempdir().unwrap();
    let trials = trials();
    let matrix = matrix_csv(folder.path(), "m.csv", &trials);
    let file = series_csv(folder.path(), "r.csv", &trials[7]);
    let all = ["stats", text(&file), "--trials", text(&matrix), "--bootstrap", "4000"];
    let json = json_of(&[&all[..], &["--json"]].concat());
    for (name, expected) in REFERENCE {
        assert_close(name, json[name].as_f64().unwrap_or_else(|| panic!("{name} is {}", json[name])), expected);
    }
    for (name, expected) in ARCH {
        // Two shares of 4,000 and 20,000 independent draws: four standard errors apart at most.
        let tolerance = 4.0 * (expected * (1.0 - expected) * (1.0 / 4000.0 + 1.0 / 20_000.0)).sqrt();
        let found = json[name].as_f64().unwrap();
        assert!((found - expected).abs() < tolerance, "{name} is {found}, not about {expected}");
    }
    assert_eq!(json["trials"], 8);
    assert_eq!(json["verdict"]["grade"], "not_distinguishable");
    assert_eq!(json["verdict"]["reasons"].as_array().unwrap().len(), 4);
    assert!(json["cagr"].is_f64(), "the metrics are there too");

    let printed = String::from_utf8(tbot(&all).stdout).unwrap();
    for expected in [
        "Among 8 trials over 250 days; PBO over 16 blocks, 4000 bootstrap replications",
        "80.78 %  probability that the true Sharpe ratio is above that",
        "Verdict: Not distinguishable from luck\n- Of 8 worthless trials the luckiest would show",
    ] {
        assert!(printed.contains(expected), "{printed}");
    }
    assert_eq!(printed.matches("\npsr ").count(), 1, "{printed}");

    // More trials than columns: only what depends on their number changes.
    let more = json_of(&[&all[..], &["--attempted", "20", "--json"]].concat());
    assert_close("deflated_sharpe", more["deflated_sharpe"].as_f64().unwrap(), 0.6073769477126507);
    assert_close("deflated_sharpe_neff", more["deflated_sharpe_neff"].as_f64().unwrap(), 0.6697912988023673);
    assert_eq!((&more["pbo"], &more["spa_p"]), (&json["pbo"], &json["spa_p"]));
}

#[test]
fn without_a_file_the_best_trial_is_judged_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let trials = trials();
    let matrix = matrix_csv(folder.path(), "m.csv", &trials);
    let file = series_csv(folder.path(), "r.csv", &trials[7]);
    let few = ["--trials", text(&matrix), "--bootstrap", "50", "--blocks", "4", "--json"];
    let alone = tbot(&[&["stats"], &few[..]].concat());
    let given = tbot(&[&["stats", text(&file)], &few[..]].concat());
    assert_eq!(alone.stdout, given.stdout);
    assert!(String::from_utf8(alone.stderr).unwrap().contains("'t7' is judged, the trial with the highest Sharpe"));
    assert!(given.stderr.is_empty());
    let other: Vec<f64> = trials[7].iter().map(|r| r + 0.001).collect();
    let other = series_csv(folder.path(), "o.csv", &other);
    let other = tbot(&[&["stats", text(&other)], &few[..]].concat());
    assert!(String::from_utf8(other.stderr).unwrap().contains("o.csv: not one of the trials of"));
}

#[test]
fn csv_and_parquet_and_every_number_of_threads_give_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let trials: Vec<Vec<f64>> = trials().into_iter().map(|trial| trial[..60].to_vec()).collect();
    let matrix = matrix_csv(folder.path(), "m.csv", &trials);
    let mut columns = vec![Column::from(Series::new("".into(), (0..60).map(date).collect::<Vec<_>>()))];
    columns.extend(trials.iter().enumerate().map(|(k, t)| Column::from(Series::new(format!("t{k}").into(), t))));
    let parquet = folder.path().join("m.parquet");
    let mut frame = DataFrame::new_infer_height(columns).unwrap();
    ParquetWriter::new(std::fs::File::create(&parquet).unwrap()).finish(&mut frame).unwrap();
    let run = |path: &Path, threads: &str| {
        let arguments = ["stats", "--trials", text(path), "--bootstrap", "99", "--blocks", "6", "--json"];
        let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_tbot"));
        let output = program.args(arguments).env("RAYON_NUM_THREADS", threads).output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    let expected = run(&matrix, "1");
    assert!(expected.contains("\"pbo\": 0"), "{expected}");
    for threads in ["2", "7"] {
        assert_eq!(run(&matrix, threads), expected);
    }
    assert_eq!(run(&parquet, "2"), expected);
}

#[test]
fn one_trial_was_not_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let matrix = matrix_csv(folder.path(), "m.csv", &trials()[7..]);
    let json = json_of(&["stats", "--trials", text(&matrix), "--bootstrap", "50", "--json"]);
    assert_eq!(json["deflated_sharpe"], json["psr"]);
    assert_eq!((json["trials"].as_u64(), json["expected_max_sharpe"].as_f64()), (Some(1), Some(0.0)));
    assert!(json["pbo"].is_null() && json["deflated_sharpe_neff"].is_null() && json["mean_correlation"].is_null());
    assert!(json["verdict"]["reasons"][0].as_str().unwrap().starts_with("There was one trial, so nothing was chosen"));
}

#[test]
fn a_benchmark_is_what_must_be_beaten() {
    let folder = tempfile::tempdir().unwrap();
    let trials = trials();
    let matrix = matrix_csv(folder.path(), "m.csv", &trials);
    let p_value = |level: f64| {
        let benchmark = series_csv(folder.path(), "b.csv", &vec![level; DAYS]);
        let all = ["stats", "--trials", text(&matrix), "--benchmark", text(&benchmark), "--bootstrap", "100"];
        json_of(&[&all[..], &["--blocks", "2", "--json"]].concat())["spa_p"].as_f64().unwrap()
    };
    assert_eq!(p_value(-0.01), 0.0);
    assert_eq!(p_value(0.01), 1.0);
}

#[test]
fn bad_matrices_are_refused_with_row_and_column() {
    let folder = tempfile::tempdir().unwrap();
    let refuse = |name: &str, content: &str, expected: &str| {
        let error = refusal(&["stats", "--trials", text(&write(folder.path(), name, content))]);
        assert!(error.contains(name) && error.contains(expected), "{error}");
    };
    let empty = "line 3: column 'b' is ''; expected a finite number";
    refuse("a.csv", "date,a,b\n2024-01-02,0.1,0.2\n2024-01-03,0.1,\n", empty);
    refuse("b.csv", "date,a\n2024-01-02,nan\n", "line 2: column 'a' is 'nan'");
    refuse("c.csv", "date,a\n2024-01-02,0.1\n2024-01-02,0.1\n", "line 3: date 2024-01-02 after 2024-01-02");
    refuse("d.csv", "a,b\n0.1,0.2\n", "line 2: date is '0.1'; expected a date as YYYY-MM-DD");
    refuse("e.csv", "date\n2024-01-02\n", "no trial; expected dates in the first column and one column a trial");
    refuse("f.csv", "date,a\n", "no rows; expected at least one day");
    refuse("g.csv", "date,a,b\n2024-01-02,0.1\n", "line: 2");
    refuse("h.csv", "date,a\n2024-01-02,0\n2024-01-03,0\n", "no returns vary");

    let dates = Series::new("date".into(), ["2024-01-02", "2024-01-03"]);
    let gaps = Series::new("x".into(), [Some(0.1), None]);
    let path = folder.path().join("gap.parquet");
    let mut frame = DataFrame::new_infer_height(vec![Column::from(dates), Column::from(gaps)]).unwrap();
    ParquetWriter::new(std::fs::File::create(&path).unwrap()).finish(&mut frame).unwrap();
    let error = refusal(&["stats", "--trials", text(&path)]);
    assert!(error.contains("gap.parquet: row 2: column 'x' is nothing; expected a finite number"), "{error}");

    let matrix = matrix_csv(folder.path(), "m.csv", &trials());
    let short = series_csv(folder.path(), "short.csv", &trials()[0][..249]);
    let error = refusal(&["stats", text(&short), "--trials", text(&matrix)]);
    assert!(error.contains("short.csv: day number 250 (from 1) is nothing, that of"), "{error}");
    for (option, value, expected) in [
        ("--blocks", "7", "7 blocks; expected an even number from 2 to 20"),
        ("--bootstrap", "0", "0 bootstrap replications"),
        ("--block", "0.5", "expected auto or a number of days, at least 1"),
        ("--attempted", "7", "7 trials attempted, but returns of 8 are given"),
        ("--rf", "-1", "risk-free rate -1"),
    ] {
        let error = refusal(&["stats", "--trials", text(&matrix), option, value]);
        assert!(error.contains(expected), "{error}");
    }
    assert!(refusal(&["stats", text(&short), "--blocks", "8"]).contains("--trials"));
    assert!(refusal(&["stats"]).contains("<FILE>"));
}

/// `arch.bootstrap.optimal_block_length` 8.0.0 of the daily returns of the S&P 500 from 1999 to 2018, and of their
/// absolute values, whose memory is long.
#[test]
fn block_lengths_of_the_index_are_those_of_arch() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/registry_arch/sp500.parquet");
    let Ok(file) = std::fs::File::open(&path) else {
        eprintln!("skipped: {} is not there", path.display());
        return;
    };
    let frame = ParquetReader::new(file).finish().unwrap();
    let close: Vec<f64> = frame.column("adj_close").unwrap().f64().unwrap().iter().map(Option::unwrap).collect();
    let returns: Vec<f64> = close.windows(2).map(|pair| pair[1] / pair[0] - 1.0).collect();
    let sizes: Vec<f64> = returns.iter().map(|r| r.abs()).collect();
    assert_eq!(returns.len(), 5030);
    assert_close("returns", optimal_block_length(&returns).unwrap(), 9.085238759522044);
    assert_close("sizes", optimal_block_length(&sizes).unwrap(), 146.45830388614334);
}
