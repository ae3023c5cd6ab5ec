//! The command line. One file a command; the only room that prints, exits or reads the environment.
//!
//! Data goes to stdout, words to stderr. Exit codes: 0 done; 1 the run failed; 2 wrong use or bad input;
//! 130 interrupted.

mod backtest;
mod calendar;
mod check;
mod completions;
mod core;
mod data;
mod error;
pub mod indicators;
mod interrupt;
mod job;
mod live;
mod optimizer;
mod option;
mod output;
mod query;
mod replay;
mod report;
mod run;
mod run_options;
mod runs;
mod search_options;
mod series_file;
mod settings;
mod stats;
mod strategies;
mod sweep;
mod trials_file;
mod verify;
mod walk_forward;
mod web;

pub use error::CliError;

use clap::parser::ValueSource;
use clap::{CommandFactory, Parser, Subcommand};
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
    Backtest(Box<backtest::Args>),
    Sweep(Box<sweep::Args>),
    WalkForward(Box<walk_forward::Args>),
    Verify(verify::Args),
    Replay(replay::Args),
    /// Makes the page of a run anew and prints its path
    Report(report::ReportArgs),
    /// The result store: list, show, compare, prune
    Runs(runs::RunsArgs),
    Data(data::Args),
    Strategies(strategies::Args),
    Settings(settings::Args),
    Stats(stats::Args),
    Indicators(indicators::Args),
    Option(option::Args),
    Optimizer(optimizer::Args),
    Calendar(calendar::Args),
    #[command(hide = true)]
    Query(query::Args),
    Core(core::Args),
    Web(web::Args),
    Run(run::Args),
    SelfCheck(check::SelfCheckArgs),
    BuildCheck(check::BuildCheckArgs),
    Completions(completions::Args),
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
        Command::Backtest(args) => backtest::run(&args),
        Command::Sweep(args) => sweep::run(&args),
        Command::WalkForward(args) => walk_forward::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Runs(args) => runs::run(&args),
        Command::Data(args) => data::run(&args),
        Command::Strategies(args) => strategies::run(&args),
        Command::Settings(args) => settings::run(&args),
        Command::Stats(args) => stats::run(&args),
        Command::Indicators(args) => indicators::run(&args),
        Command::Option(args) => option::run(&args),
        Command::Optimizer(args) => optimizer::run(&args),
        Command::Calendar(args) => calendar::run(&args),
        Command::Query(args) => query::run(&args),
        Command::Core(args) => core::run(&args),
        Command::Web(args) => web::run(&args),
        Command::Run(args) => run::run(&args),
        Command::SelfCheck(args) => check::self_check(&args),
        Command::BuildCheck(args) => check::build_check(&args),
        Command::Completions(args) => completions::run(&args),
    }
}

/// Options of `command` that stand on the command line of this process, less some, by their long names.
fn given_options(command: &str, except: &[&str]) -> Vec<String> {
    let program = Cli::command();
    let Some(specification) = program.find_subcommand(command).cloned() else { return Vec::new() };
    let Ok(matches) = program.try_get_matches() else { return Vec::new() };
    let Some(matches) = matches.subcommand_matches(command) else { return Vec::new() };
    let given = specification.get_arguments().filter(|option| {
        let id = option.get_id().as_str();
        !except.contains(&id) && matches.value_source(id) == Some(ValueSource::CommandLine)
    });
    given.map(|option| option.get_long().unwrap_or(option.get_id().as_str()).to_string()).collect()
}

/// The time part of the name of a result folder.
fn now_in_names() -> String {
    chrono::Utc::now().format("%Y%m%dT%H%M%SZ").to_string()
}

/// What the user typed.
fn command_line() -> Vec<String> {
    std::iter::once("tbot".to_string()).chain(std::env::args().skip(1)).collect()
}

/// Sets the number of threads of the process, once; `None`: one per core.
fn set_threads(jobs: Option<u64>) -> Result<(), CliError> {
    let Some(jobs) = jobs else { return Ok(()) };
    let threads = usize::try_from(jobs).map_err(CliError::input)?;
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().map_err(CliError::failed)
}
