//! Ctrl-C and SIGTERM: a flag that long work looks at.

use super::CliError;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

static STOP: AtomicBool = AtomicBool::new(false);
static INSTALLED: OnceLock<Result<(), String>> = OnceLock::new();

/// The flag that the first Ctrl-C sets; the second one ends the process at once.
pub fn flag() -> Result<&'static AtomicBool, CliError> {
    let installed = INSTALLED.get_or_init(|| {
        ctrlc::set_handler(|| {
            if STOP.swap(true, Ordering::Relaxed) {
                std::process::exit(130);
            }
        })
        .map_err(|error| error.to_string())
    });
    match installed {
        Ok(()) => Ok(&STOP),
        Err(error) => Err(CliError::failed(format!("cannot listen for Ctrl-C: {error}"))),
    }
}
