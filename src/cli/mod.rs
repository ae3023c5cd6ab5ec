//! The command line. One file a command; the only room that prints, exits or reads the environment.
//!
//! Data goes to stdout, words to stderr. Exit codes: 0 done; 1 the run failed; 2 wrong use or bad input;
//! 130 interrupted.

mod calendar;
pub mod data;
mod error;
pub mod indicators;
mod option;
mod output;
mod report;
mod runs;
mod settings;
mod series_file;
mod stats;

pub use error::CliError;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Simulation-first toolkit for intraday US-equity strategies.
#[derive(Debug, Parser)]
#[command(name = "tbot", version, disable_help_subcommand = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// Every command.
#[derive(Debug, Subcommand)]
enum Command {
    Calendar(calendar::Args),
    Settings(settings::Args),
    Data(data::Args),
    /// Makes the page of a run anew and prints its path
    Report(report::ReportArgs),
    /// The result store: list, show, compare, prune
    Runs(runs::RunsArgs),
    Option(option::Args),
    Stats(stats::Args),
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let code = error.exit_code();
            // clap prints help and version to stdout, errors to stderr; a closed pipe is not our failure.
            let _ = error.print();
            return ExitCode::from(u8::try_from(code).unwrap_or(2));
        }
    };
    match run(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if let Some(text) = error.message() {
                eprintln!("tbot: {text}");
            }
            error.exit_code()
        }
    }
}

fn run(command: Command) -> Result<(), CliError> {
    match command {
        Command::Calendar(args) => calendar::run(&args),
        Command::Settings(args) => settings::run(&args),
        Command::Data(args) => data::run(&args),
        Command::Report(args) => report::run(&args, |_| Ok(Vec::new())),
        Command::Runs(args) => runs::run(&args),
        Command::Option(args) => option::run(&args),
        Command::Stats(args) => stats::run(&args),
    }
}
