//! How a command ends when it does not succeed.

use std::fmt::Display;
use std::process::ExitCode;

/// The end of a command that did not succeed.
#[derive(Debug)]
pub enum CliError {
    /// Wrong use or bad input: names the file, line or key and says what would be right. Exit code 2.
    Input(String),
    /// The run failed. Exit code 1.
    Failed(String),
    /// A comparison or a check that found something wrong, already printed. Exit code 1.
    Different,
    /// Ctrl-C. Exit code 130.
    Interrupted,
}

impl CliError {
    /// Bad input, from any error.
    pub fn input(error: impl Display) -> CliError {
        CliError::Input(error.to_string())
    }

    /// A failed run, from any error.
    pub fn failed(error: impl Display) -> CliError {
        CliError::Failed(error.to_string())
    }

    /// What to tell the user on stderr.
    pub fn message(&self) -> Option<&str> {
        match self {
            CliError::Input(text) | CliError::Failed(text) => Some(text),
            CliError::Different => None,
            CliError::Interrupted => Some("interrupted"),
        }
    }

    /// The exit code of the process.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            CliError::Input(_) => 2,
            CliError::Failed(_) | CliError::Different => 1,
            CliError::Interrupted => 130,
        })
    }
}
