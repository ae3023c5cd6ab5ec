//! The calendar against the reference list of NYSE sessions 2013 to 2024.

use std::path::Path;
use std::process::Command;
use tradebot::market::{Calendar, parse_date, parse_time};

#[test]
fn every_session_equals_the_reference_list() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/calendar_xnys/sessions.csv");
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("skipped: {} is absent", path.display());
        return;
    };
    let sessions = Calendar::nyse().sessions(parse_date("2013-01-01").unwrap(), parse_date("2024-12-31").unwrap());
    let rows: Vec<&str> = text.lines().skip(1).collect();
    assert!(rows.len() > 3000);
    assert_eq!(sessions.len(), rows.len());
    for (session, row) in sessions.iter().zip(rows) {
        let fields: Vec<&str> = row.split(',').collect();
        assert_eq!(session.date, parse_date(fields[0]).unwrap());
        assert_eq!(session.open, parse_time(fields[1]).unwrap(), "open of {row}");
        assert_eq!(session.close, parse_time(fields[2]).unwrap(), "close of {row}");
        assert_eq!(session.early_close, fields[4] == "True", "early close of {row}");
    }
}

#[test]
fn the_command_prints_csv() {
    let output = tbot(&["calendar", "--from", "2024-07-03", "--to", "2024-07-05"]);
    assert!(output.status.success());
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "date,open_utc,close_utc,early_close\n\
         2024-07-03,2024-07-03T13:30:00Z,2024-07-03T17:00:00Z,true\n\
         2024-07-05,2024-07-05T13:30:00Z,2024-07-05T20:00:00Z,false\n"
    );
}

#[test]
fn dates_the_calendar_does_not_know_are_refused_with_the_span_it_knows() {
    let output = tbot(&["calendar", "--from", "1989-12-29", "--to", "1990-01-05"]);
    assert_eq!(output.status.code(), Some(2));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("--from 1989-12-29") && message.contains("1990-01-01 to 2040-12-31"), "{message}");
    assert!(output.stdout.is_empty());

    let output = tbot(&["calendar", "--from", "2024-13-01", "--to", "2024-12-31"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("expected YYYY-MM-DD"));

    let output = tbot(&["calendar", "--from", "2024-12-31", "--to", "2024-01-01"]);
    assert_eq!(output.status.code(), Some(2));
}

fn tbot(args: &[&str]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_tbot")).args(args).output().unwrap()
}
