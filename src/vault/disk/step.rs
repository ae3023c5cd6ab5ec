//! The steps in which the disk changes.

use std::io;

/// What the next system call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepKind {
    /// Makes a folder.
    CreateFolder,
    /// Narrows the mode of a file or folder.
    SetMode,
    /// Creates an empty file: the temporary one of a write, a log, the lock.
    Create,
    /// Fills the temporary file.
    Write,
    /// Adds to the end of a log.
    Append,
    /// Cuts a log.
    Truncate,
    /// Synchronises a file.
    SyncFile,
    /// Puts a file under its name.
    Rename,
    /// Synchronises a folder.
    SyncFolder,
    /// Removes a file.
    Remove,
}

impl StepKind {
    /// The verb of an error message.
    pub(super) fn verb(self) -> &'static str {
        match self {
            StepKind::CreateFolder => "create the folder",
            StepKind::SetMode => "narrow the mode of",
            StepKind::Create | StepKind::Write => "write",
            StepKind::Append => "append to",
            StepKind::Truncate => "cut",
            StepKind::SyncFile => "synchronise",
            StepKind::Rename => "replace",
            StepKind::SyncFolder => "synchronise the folder of",
            StepKind::Remove => "remove",
        }
    }
}

/// One change of the disk that is about to happen.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a> {
    /// What is done.
    pub kind: StepKind,
    /// The file or folder it is done for, relative to the data folder.
    pub path: &'a str,
}

/// What a watch makes of a step.
#[derive(Debug)]
pub enum Verdict {
    /// It happens.
    Go,
    /// It fails with this error; a write leaves half of its bytes.
    Fail(io::Error),
    /// Neither it nor anything after it happens, as after `kill -9`; a write leaves half of its bytes.
    Stop,
}

/// Is asked before every change of the disk.
pub trait Watch: Send {
    /// Decides about one step.
    fn before(&mut self, step: Step<'_>) -> Verdict;
}
