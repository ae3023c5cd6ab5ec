//! What is refused, with file, row and reason.

use super::data_formats::{file, options};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use tradebot::data::{DataError, LoadOptions, NAMED_SETS, Source, load, load_until};

const HEADER: &str = "ts,symbol,open,high,low,close,volume\n";

/// The refusal of a file of this text, without its folder.
fn refusal(text: &str, change: impl Fn(&mut LoadOptions)) -> String {
    let dir = tempfile::tempdir().expect("a folder");
    let mut options = options(&file(dir.path(), "bars.csv", text));
    change(&mut options);
    match load(&options) {
        Ok(market) => panic!("accepted: {} bars of\n{text}", market.bar_count()),
        Err(error) => error.to_string().replace(&format!("{}/", dir.path().display()), ""),
    }
}

/// The refusal of good rows with `bad` as the third.
fn with_row(bad: &str) -> String {
    let good = |minute: i64| format!("2024-03-26T13:{minute}:00Z,X,10,11,9,10,5\n");
    let rest: String = (33..40).map(good).collect();
    let text = format!("{HEADER}{}{}{bad}\n{rest}", good(30), good(31));
    refusal(&text, |_| {})
}

#[test]
fn faulty_rows_are_refused_with_line_and_reason() {
    let rows = [
        "2024-03-26T13:32:00Z,X,NaN,11,9,10,5",
        "2024-03-26T13:32:00Z,X,10,inf,9,10,5",
        "2024-03-26T13:32:00Z,X,10,11,0,10,5",
        "2024-03-26T13:32:00Z,X,10,11,-1,10,5",
        "2024-03-26T13:32:00Z,X,10,8,9,10,5",
        "2024-03-26T13:32:00Z,X,12,11,9,10,5",
        "2024-03-26T13:32:00Z,X,10,11,9,8.5,5",
        "2024-03-26T13:32:00Z,X,10,11,9,10,-5",
        "2024-03-26T13:32:00Z,X,10,11,9,10,NaN",
        "2024-03-26T13:32:00Z,X,10,11,9,,5",
        "2024-03-26T13:32:00Z,X,10,11,9,ten,5",
        "2024-03-26T13:32:00Z,,10,11,9,10,5",
        "2024-03-26T13:31:00Z,X,10,11,9,10,5",
        "2024-03-26T13:29:00Z,X,10,11,9,10,5",
        "2024-03-26T13:31:30Z,X,10,11,9,10,5",
        "2024-03-26 13:32:00,X,10,11,9,10,5",
        "26.03.2024 13:32,X,10,11,9,10,5",
        ",X,10,11,9,10,5",
        "2024-03-26T13:32:00Z,X,10,11,9,10",
    ];
    let refusals: Vec<String> = rows.iter().map(|row| with_row(row)).collect();
    insta::assert_snapshot!(refusals.join("\n"), @r"
    bars.csv, line 4: X 2024-03-26T13:32:00Z: open is NaN; expected a finite price
    bars.csv, line 4: X 2024-03-26T13:32:00Z: high is inf; expected a finite price
    bars.csv, line 4: X 2024-03-26T13:32:00Z: low is 0; prices must be positive
    bars.csv, line 4: X 2024-03-26T13:32:00Z: low is -1; prices must be positive
    bars.csv, line 4: X 2024-03-26T13:32:00Z: high 8 is below low 9
    bars.csv, line 4: X 2024-03-26T13:32:00Z: open 12 is outside low 9 to high 11
    bars.csv, line 4: X 2024-03-26T13:32:00Z: close 8.5 is outside low 9 to high 11
    bars.csv, line 4: X 2024-03-26T13:32:00Z: volume is -5; expected a number not below 0
    bars.csv, line 4: X 2024-03-26T13:32:00Z: volume is NaN; expected a number not below 0
    bars.csv, line 4: close is empty
    bars.csv, line 4: close 'ten' is not a number
    bars.csv, line 4: symbol is empty
    bars.csv, line 4: X 2024-03-26T13:31:00Z repeats the time of line 3
    bars.csv, line 4: X 2024-03-26T13:29:00Z comes after the later 2024-03-26T13:31:00Z of line 3: rows of a symbol must ascend in time
    bars.csv, line 4: mixed bar lengths: X 2024-03-26T13:31:30Z is 30s after the bar before it, where the bars are 1m long (--bar gives their length)
    bars.csv, line 4: '2024-03-26 13:32:00' is another kind of time than in the rows before: dates, times with and times without an offset do not mix
    bars.csv, line 4: '26.03.2024 13:32' is not a time; expected such as 2024-03-26T13:30:00Z, 2024-03-26 09:30:00-04:00, 2024-03-26 or an epoch number
    bars.csv, line 4: the time is empty
    bars.csv, line 4: 6 fields where the header has 7
    ");
}

#[test]
fn faulty_files_are_refused_with_what_would_be_right() {
    let bars = |days: &[&str], times: &[&str]| {
        let mut text = HEADER.to_string();
        for day in days {
            for time in times {
                text.push_str(&format!("{day}T{time}Z,X,10,11,9,10,5\n"));
            }
        }
        text
    };
    let days = ["2024-03-26", "2024-03-27"];
    // New York wall time labelled UTC, and New York time converted twice.
    let wall: Vec<String> = (0..390).map(|m| format!("{:02}:{:02}:00", (570 + m) / 60, (570 + m) % 60)).collect();
    let wall: Vec<&str> = wall.iter().map(String::as_str).collect();
    let twice: Vec<String> = (0..380).map(|m| format!("{:02}:{:02}:00", (1050 + m) / 60, (1050 + m) % 60)).collect();
    let twice: Vec<&str> = twice.iter().map(String::as_str).collect();
    let refusals = [
        refusal("", |_| {}),
        refusal(HEADER, |_| {}),
        refusal("a,b,c\n1,2,3\n", |_| {}),
        refusal("ts,symbol,close\n2024-03-26T13:30:00Z,X,10\n", |_| {}),
        refusal(&bars(&days, &wall), |_| {}),
        refusal(&bars(&days[..1], &twice), |_| {}),
        refusal(&bars(&days[..1], &["13:30:00"]), |_| {}),
        refusal(&bars(&["1985-03-26"], &["13:30:00", "13:31:00"]), |_| {}),
        refusal(&bars(&["2024-03-30"], &["13:30:00", "13:31:00"]), |_| {}),
        refusal(&bars(&days, &["13:30:00", "13:31:00"]), |o| o.symbols = Some(vec!["Y".into()])),
        refusal(&bars(&days, &["13:30:00", "13:31:00"]), |o| {
            o.from = tradebot::market::parse_date("2025-01-02").ok();
        }),
        refusal(
            "date,open,high,low,close,volume\n2024-03-26,10,11,9,10,5\n2024-03-26T20:00:00Z,10,11,9,10,5\n",
            |_| {},
        ),
    ];
    insta::assert_snapshot!(refusals.join("\n"), @r"
    bars.csv: the file is empty; expected a header line
    bars.csv holds no bars
    bars.csv: unknown column layout: no time column (ts) among [a, b, c]; expected ts, symbol, open, high, low, close, volume
    bars.csv: unknown column layout: no open, high, low, volume among [ts, symbol, close]; expected ts, symbol, open, high, low, close, volume
    bars.csv, line 2: the bars lie outside the exchange's sessions by a constant 4 or 5 hours: times such as 2024-03-26T09:30:00Z look like New York wall time labelled UTC; read them with --tz America/New_York
    bars.csv, line 2: the bars lie outside the exchange's sessions by a constant 4 or 5 hours: times such as 2024-03-26T17:30:00Z look as if converted from New York time to UTC twice; if the file holds New York wall time, read that with --tz America/New_York
    the bar length cannot be told from one bar a symbol: give it with --bar, such as --bar 1m
    bars.csv, line 2: 1985-03-26 is outside the exchange calendar, which covers 1990-01-01 to 2040-12-31
    bars.csv: all 2 bars lie outside the regular session; --extended-hours keeps them
    bars.csv holds no bars of symbol Y; did you mean X?
    bars.csv holds no bars from 2025-01-02 to its end
    bars.csv, line 3: '2024-03-26T20:00:00Z' is another kind of time than in the rows before: dates, times with and times without an offset do not mix
    ");
}

#[test]
fn a_folder_says_what_it_lacks_and_which_files_overlap() {
    let dir = tempfile::tempdir().expect("a folder");
    let clean = |error: tradebot::data::DataError| error.to_string().replace(&dir.path().display().to_string(), "DIR");
    let empty = load(&options(dir.path())).map(|_| ()).map_err(clean);
    let rows = format!("{HEADER}2024-03-26T13:30:00Z,X,10,11,9,10,5\n2024-03-26T13:31:00Z,X,10,11,9,10,5\n");
    file(dir.path(), "a.csv", &rows);
    file(dir.path(), "b.csv", &rows);
    let overlap = load(&options(dir.path())).map(|_| ()).map_err(clean);
    let unknown = load(&options(&file(dir.path(), "bars.txt", ""))).map(|_| ()).map_err(clean);
    let absent = load(&options(Path::new("/no/such/place"))).map(|_| ()).map_err(clean);
    std::fs::write(dir.path().join("bad.parquet"), b"PAR1 but not really").expect("a file");
    let parquet = load(&options(&dir.path().join("bad.parquet"))).map(|_| ()).map_err(clean);
    let all = [empty, overlap, unknown, absent, parquet].map(|r| r.expect_err("refused"));
    insta::assert_snapshot!(all.join("\n"), @r"
    DIR: the folder holds no bars: expected .parquet, .csv or .csv.gz files, or a Lean tree (equity/usa/minute/..)
    DIR/b.csv, line 2: X 2024-03-26T13:30:00Z overlaps DIR/a.csv, which reaches to 2024-03-26T13:31:00Z: the files of one symbol must follow each other
    DIR/bars.txt: unknown kind of file; expected .parquet, .csv or .csv.gz
    cannot read /no/such/place: No such file or directory (os error 2)
    DIR/bad.parquet: not a readable Parquet file: parquet: File out of specification: The file must end with PAR1
    ");
}

#[test]
fn faulty_context_files_are_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let rows = format!("{HEADER}2024-03-26T13:30:00Z,X,10,11,9,10,5\n2024-03-26T13:31:00Z,X,10,11,9,10,5\n");
    let bars = file(dir.path(), "bars.csv", &rows);
    let refuse = |change: &dyn Fn(&mut LoadOptions)| {
        let mut options = options(&bars);
        change(&mut options);
        let error = load(&options).expect_err("refused").to_string();
        error.replace(&dir.path().display().to_string(), "DIR")
    };
    let write = |name: &str, text: &str| Some(file(dir.path(), name, text));
    let all = [
        refuse(&|o| o.vix = write("v1.csv", "date,close\n2024-03-25,-1\n")),
        refuse(&|o| o.vix = write("v2.csv", "day,close\n2024-03-25,12\n")),
        refuse(&|o| o.vix = write("v3.csv", "date,close\n2024-03-25,12\n2024-03-25,13\n")),
        refuse(&|o| o.fundamentals = write("f.csv", "symbol,market_cap,pe_ratio,debt_equity\nX,big,1,1\n")),
        refuse(&|o| o.inverse = write("i.csv", "symbol,etf,leverage\nX,X,0\n")),
        refuse(&|o| o.corporate_actions = write("a.csv", "date,symbol,type,value\n2024-03-26,X,merger,1\n")),
        refuse(&|o| o.corporate_actions = write("b.csv", "date,symbol,type,value\n2024-03-26,X,split,0\n")),
        refuse(&|o| o.corporate_actions = write("c.csv", "20240325,1,1,10\n20240320,1,1,10\n")),
        refuse(&|o| {
            o.options = write(
                "o.csv",
                "ts,symbol,expiry,strike,type,bid,ask\n2024-03-26T13:31:00Z,X,2024-04-19,10,put,0.6,0.5\n",
            )
        }),
        refuse(&|o| o.vix = Some(dir.path().join("gone.csv"))),
    ];
    insta::assert_snapshot!(all.join("\n"), @r"
    DIR/v1.csv, line 2: close is -1; expected above 0
    DIR/v2.csv: no column 'ts' among [day, close]
    DIR/v3.csv, line 3: a second row for 2024-03-25
    DIR/f.csv, line 2: market_cap 'big' is not a finite number
    DIR/i.csv, line 2: leverage must be a number other than 0, such as 1 or 2
    DIR/a.csv, line 2: type 'merger' is neither split nor dividend
    DIR/b.csv, line 2: value is 0; expected above 0
    DIR/c.csv, line 2: rows must ascend by date
    DIR/o.csv, line 2: bid 0.6 must lie between 0 and ask 0.5
    cannot read DIR/gone.csv: No such file or directory (os error 2)
    ");
}

/// Nobody waits any more: the fault in the last line of a long file is not even found, and a folder that could be
/// loaded is not.
#[test]
fn loading_stops_when_nobody_waits() {
    let dir = tempfile::tempdir().expect("a folder");
    let rows: String = (0..10_000)
        .map(|k| format!("{},X,10,11,9,10,5\n", 1_711_459_800 + 60 * k))
        .chain(["faulty\n".to_string()])
        .collect();
    let options = options(&file(dir.path(), "bars.csv", &format!("{HEADER}{rows}")));
    let stop = AtomicBool::new(true);
    assert!(matches!(load_until(&options, &stop), Err(DataError::Interrupted)));
    assert!(matches!(load(&options), Err(DataError::Row { .. })));
    let set = LoadOptions::new(Source::Named(NAMED_SETS[0].name.to_string()));
    assert!(matches!(load_until(&set, &stop), Err(DataError::Interrupted)));
}
