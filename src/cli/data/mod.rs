//! `tbot data`: data sets.

mod args;
mod check;
mod convert;
mod generate;
mod list;

pub use args::LoadArgs;

use super::CliError;
use clap::Subcommand;

/// Data sets: list, import, generate, check, convert.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::Args),
    Import(convert::ImportArgs),
    Generate(generate::Args),
    Check(check::Args),
    Convert(convert::ConvertArgs),
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), CliError> {
    match &args.command {
        Command::List(args) => list::run(args),
        Command::Import(args) => convert::import(args),
        Command::Generate(args) => generate::run(args),
        Command::Check(args) => check::run(args),
        Command::Convert(args) => convert::convert(args),
    }
}
