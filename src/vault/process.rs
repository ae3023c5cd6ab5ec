//! What a process does first, before it touches a secret.

use std::io;

use rustix::process::{Resource, Rlimit};

/// Makes this process create files and folders for its owner only (umask 077).
pub fn restrict_new_files() {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
}

/// Keeps the memory of this process out of core dumps and, on Linux, away from debuggers of the same user.
///
/// # Errors
/// The system refused.
pub fn forbid_memory_dumps() -> io::Result<()> {
    rustix::process::setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    Ok(())
}

/// Lets this process open as many files and connections as the system allows it: some systems begin with 1,024.
pub fn raise_open_files() {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    // What is refused shows itself when it is needed.
    let _ = rustix::process::setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}
