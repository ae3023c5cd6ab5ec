//! What is refused, with file, row and reason.

use super::data_formats::{file, options};
use std::path::Path;
use tradebot::data::{LoadOptions, load};

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
    let text = format!(
        "{HEADER}2024-03-26T13:30:00Z,X,10,11,9,10,5\n2024-03-26T13:31:00Z,X,10,11,9,10,5\n{bad}\n2024-03-26T13:33:00Z,X,10,11,9,10,5\n"
    );
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
    insta::assert_snapshot!(refusals.join("\n"), @"");
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
    insta::assert_snapshot!(refusals.join("\n"), @"");
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
    insta::assert_snapshot!(all.join("\n"), @"");
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
    insta::assert_snapshot!(all.join("\n"), @"");
}
