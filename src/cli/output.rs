//! Writing to stdout.

use super::CliError;
use std::io::{ErrorKind, Write};

/// Writes `text` to stdout. A reader that has read enough and closed the pipe (`| head`) is no failure.
pub fn print(text: &str) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(CliError::failed(format!("stdout: {error}"))),
        _ => Ok(()),
    }
}
