//! `tbot self-check` and `tbot build-check`: whether a data folder is well, without changing it.

use std::fmt::Write;
use std::path::PathBuf;

use super::{CliError, live, output};
use crate::vault::checks::{self, Check};
use crate::vault::{Disk, VaultError};

/// What both commands take.
#[derive(Debug, clap::Args)]
struct Checked {
    /// Data folder of the live system
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
    /// Print the checks as one JSON array
    #[arg(long)]
    json: bool,
}

/// Checks that the keys of a data folder fit its manifest, that its files can be decrypted, and that nobody else can
/// read them. Changes nothing; may run beside the core. Exit code 0: all is well; 1: something is not.
#[derive(Debug, clap::Args)]
pub struct SelfCheckArgs {
    #[command(flatten)]
    checked: Checked,
}

/// Checks what must hold before a session: self-check, a finished provisioning, settings of this version, no plain text
/// and no variable that belongs to one broker. Changes nothing. Exit code 0: all is well; 1: something is not.
#[derive(Debug, clap::Args)]
pub struct BuildCheckArgs {
    #[command(flatten)]
    checked: Checked,
}

/// Runs `tbot self-check`.
pub fn self_check(args: &SelfCheckArgs) -> Result<(), CliError> {
    run(&args.checked, checks::self_check)
}

/// Runs `tbot build-check`.
pub fn build_check(args: &BuildCheckArgs) -> Result<(), CliError> {
    run(&args.checked, |disk| checks::build_check(disk, &live::version()))
}

fn run(args: &Checked, check: impl Fn(&Disk) -> Result<Vec<Check>, VaultError>) -> Result<(), CliError> {
    live::begin()?;
    let disk = Disk::read_only(&args.data_dir)
        .map_err(|error| CliError::Input(format!("--data-dir {}: {error}", args.data_dir.display())))?;
    let checks = check(&disk).map_err(CliError::failed)?;
    let text = if args.json {
        format!("{}\n", serde_json::to_string_pretty(&checks).map_err(CliError::failed)?)
    } else {
        lines(&checks)
    };
    output::print(&text)?;
    if checks.iter().all(|check| check.ok) { Ok(()) } else { Err(CliError::Different) }
}

/// One line a check.
fn lines(checks: &[Check]) -> String {
    let mut text = String::new();
    for check in checks {
        let word = if check.ok { "ok" } else { "FAILED" };
        let detail = if check.detail.is_empty() { String::new() } else { format!("  {}", check.detail) };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{word:<7}{}{detail}", check.module);
    }
    text
}
