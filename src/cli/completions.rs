//! `tbot completions`: shell completions.

use super::{Cli, CliError};
use clap::CommandFactory;
use clap_complete::Shell;

/// Prints completions for a shell.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// bash, zsh, fish, elvish or powershell
    shell: Shell,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), CliError> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "tbot", &mut text);
    super::output::print(&String::from_utf8_lossy(&text))
}
