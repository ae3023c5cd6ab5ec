//! `tbot data generate`: a market of invented symbols.

use crate::cli::{CliError, output};
use crate::data::generate::{GenerateOptions, generate};
use crate::data::write::write_folder;
use chrono::NaiveDate;
use std::path::PathBuf;

/// Generates minute bars of invented symbols with volatility index, fundamentals, inverse funds and corporate actions
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Number of stocks; an index fund and two inverse funds come on top
    #[arg(long, value_name = "N", default_value_t = 24)]
    symbols: usize,
    /// Number of sessions
    #[arg(long, value_name = "N", default_value_t = 40)]
    sessions: usize,
    /// First session (YYYY-MM-DD)
    #[arg(long, value_name = "DATE", value_parser = super::args::date, default_value = "2024-11-01")]
    from: NaiveDate,
    /// Seed: the same seed gives the same values on any machine
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folder to write
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Replace the folder if it is there
    #[arg(long)]
    force: bool,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), CliError> {
    let options = GenerateOptions { symbols: args.symbols, sessions: args.sessions, from: args.from, seed: args.seed };
    let generated = generate(options).map_err(CliError::input)?;
    write_folder(&args.out, args.force, |folder| generated.write(folder)).map_err(CliError::input)?;
    let bars: usize = generated.series.iter().map(|(_, bars)| bars.len()).sum();
    eprintln!("tbot: generated {} symbols, {bars} bars; generated, not real prices", generated.series.len());
    output::print(&format!("{}\n", args.out.display()))
}
