//! `tbot calendar`: exchange sessions as CSV.

use super::{CliError, output};
use crate::market::{Calendar, Nanos, TimeError, format_date, parse_date};
use chrono::{DateTime, NaiveDate, Utc};
use std::fmt::Write;

/// Prints exchange sessions as CSV: date,open_utc,close_utc,early_close.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// First date (YYYY-MM-DD).
    #[arg(long, value_name = "DATE", value_parser = date)]
    from: NaiveDate,
    /// Last date, included.
    #[arg(long, value_name = "DATE", value_parser = date)]
    to: NaiveDate,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), CliError> {
    let calendar = Calendar::nyse();
    for (option, date) in [("--from", args.from), ("--to", args.to)] {
        if !calendar.is_covered(date) {
            return Err(CliError::Input(format!(
                "{option} {date} is outside the calendar, which covers {} to {}",
                Calendar::FIRST,
                Calendar::LAST
            )));
        }
    }
    if args.from > args.to {
        return Err(CliError::Input(format!("--from {} is after --to {}", args.from, args.to)));
    }
    let mut csv = String::from("date,open_utc,close_utc,early_close\n");
    for session in calendar.sessions(args.from, args.to) {
        let _ = writeln!(
            csv,
            "{},{},{},{}",
            format_date(session.date),
            to_second(session.open),
            to_second(session.close),
            session.early_close
        );
    }
    output::print(&csv)
}

fn date(text: &str) -> Result<NaiveDate, TimeError> {
    parse_date(text)
}

/// RFC 3339 without decimals: sessions begin and end on whole minutes.
fn to_second(t: Nanos) -> String {
    DateTime::<Utc>::from_timestamp_nanos(t).format("%Y-%m-%dT%H:%M:%SZ").to_string()
}
