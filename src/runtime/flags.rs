//! Control flags: small files that say what was asked for, so that it is not forgotten in a crash.
//!
//! A flag is raised before the work and lowered when it is done. One that is there at a start names work that was not
//! finished. Flags hold no secret.

use serde::{Deserialize, Serialize};

use crate::vault::{Disk, DiskError};

/// Most bytes of a flag.
const MOST_BYTES: usize = 4 * 1024;

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Flag {
    /// To provision.
    Provision,
    /// To start a session.
    Start,
    /// To stop it.
    Stop,
    /// To close everything at once.
    Kill,
    /// To run a test.
    TestMode,
}

impl Flag {
    /// Every flag.
    pub const ALL: [Flag; 5] = [Flag::Provision, Flag::Start, Flag::Stop, Flag::Kill, Flag::TestMode];

    /// The file, relative to the data folder.
    pub const fn path(self) -> &'static str {
        match self {
            Flag::Provision => "control/provision.flag",
            Flag::Start => "control/control_start.flag",
            Flag::Stop => "control/control_stop.flag",
            Flag::Kill => "control/control_kill.flag",
            Flag::TestMode => "control/test_mode.flag",
        }
    }

    /// Whether an unreadable flag is acted on all the same: what takes risk away must not be lost to a damaged file.
    pub const fn reduces_risk(self) -> bool {
        matches!(self, Flag::Stop | Flag::Kill)
    }
}

/// What a flag says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Which request.
    pub id: String,
    /// When it came, RFC 3339.
    pub utc: String,
    /// From whom.
    pub user: String,
    /// SHA-256 (hex) of what it is about: of the staged configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// What was found where a flag may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// No flag.
    Nothing,
    /// A flag.
    Request(Request),
    /// A file that is no flag.
    Unreadable,
}

/// Writes a flag.
///
/// # Errors
/// The disk refused.
pub fn raise(disk: &Disk, flag: Flag, request: &Request) -> Result<(), DiskError> {
    let json = serde_json::json!(request).to_string();
    disk.write(flag.path(), json.as_bytes())
}

/// Removes a flag, if it is there.
///
/// # Errors
/// The disk refused.
pub fn lower(disk: &Disk, flag: Flag) -> Result<(), DiskError> {
    disk.remove(flag.path())
}

/// Reads a flag.
///
/// # Errors
/// The disk refused.
pub fn read(disk: &Disk, flag: Flag) -> Result<Found, DiskError> {
    match disk.read(flag.path(), MOST_BYTES) {
        Ok(None) => Ok(Found::Nothing),
        Ok(Some(content)) => Ok(serde_json::from_slice(&content).map_or(Found::Unreadable, Found::Request)),
        Err(DiskError::TooLarge { .. } | DiskError::NotAFile { .. } | DiskError::SymbolicLink { .. }) => {
            Ok(Found::Unreadable)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request {
        Request { id: "7".into(), utc: "2026-01-02T03:04:05Z".into(), user: "alice".into(), sha256: None }
    }

    #[test]
    fn a_flag_is_raised_read_and_lowered() {
        let folder = tempfile::tempdir().unwrap();
        let (disk, _) = Disk::open(folder.path()).unwrap();
        for flag in Flag::ALL {
            assert_eq!(read(&disk, flag).unwrap(), Found::Nothing);
            raise(&disk, flag, &request()).unwrap();
            assert_eq!(read(&disk, flag).unwrap(), Found::Request(request()));
            lower(&disk, flag).unwrap();
            lower(&disk, flag).unwrap();
            assert_eq!(read(&disk, flag).unwrap(), Found::Nothing);
        }
    }

    #[test]
    fn the_text_is_that_of_the_contract() {
        let folder = tempfile::tempdir().unwrap();
        let (disk, _) = Disk::open(folder.path()).unwrap();
        let staged = Request { sha256: Some("ab".into()), ..request() };
        raise(&disk, Flag::Provision, &staged).unwrap();
        let text = std::fs::read_to_string(folder.path().join("control/provision.flag")).unwrap();
        assert_eq!(text, r#"{"id":"7","utc":"2026-01-02T03:04:05Z","user":"alice","sha256":"ab"}"#);
    }

    #[test]
    fn what_is_no_flag_is_said_to_be_none() {
        let folder = tempfile::tempdir().unwrap();
        let (disk, _) = Disk::open(folder.path()).unwrap();
        let huge = "x".repeat(1_000_000);
        for text in ["", "{}", "kill", "\0", r#"{"id":"1","utc":"x","user":"y","password":"z"}"#, &huge] {
            std::fs::write(folder.path().join(Flag::Kill.path()), text).unwrap();
            assert_eq!(read(&disk, Flag::Kill).unwrap(), Found::Unreadable);
        }
        assert!(Flag::Kill.reduces_risk() && !Flag::Start.reduces_risk());
    }
}
