//! `tbot settings`: the table of every setting, or a check of a file.

use super::{CliError, output};
use crate::settings::{Key, Settings, Spec, describe};
use std::path::{Path, PathBuf};

/// Lists every .env_bot key with type, unit, range, default and meaning, or checks a file.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Check this file: warnings and "ok", or every error, on stderr.
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    check: Option<PathBuf>,
    /// Print the table as one JSON array.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), CliError> {
    if let Some(path) = &args.check {
        let settings = load(path)?;
        let changed = settings.non_default().len();
        eprintln!("{}: ok ({changed} of {} settings differ from their default)", path.display(), Key::all().len());
        return Ok(());
    }
    if args.json {
        let rows: Vec<&Spec> = Key::all().map(Key::spec).collect();
        let json = serde_json::to_string_pretty(&rows).map_err(CliError::failed)?;
        return output::print(&format!("{json}\n"));
    }
    output::print(&describe())
}

/// Reads and checks a file of settings. Warnings go to stderr; the error lists everything wrong with the file.
pub(super) fn load(path: &Path) -> Result<Settings, CliError> {
    let source = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| CliError::Input(format!("{source}: {error}")))?;
    match Settings::parse(&text, &source) {
        Ok((settings, warnings)) => {
            for warning in warnings {
                eprintln!("warning: {warning}");
            }
            Ok(settings)
        }
        Err(errors) => {
            let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
            let count = if lines.len() == 1 { "1 error".to_string() } else { format!("{} errors", lines.len()) };
            Err(CliError::Input(format!("{count} in {source}\n{}", lines.join("\n"))))
        }
    }
}
