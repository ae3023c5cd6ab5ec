//! What can be wrong or doubtful about settings.

use std::fmt;

/// Where a setting was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// File name or option.
    pub source: String,
    /// Line of the file, from 1; `None` outside files.
    pub line: Option<usize>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}", self.source),
            None => f.write_str(&self.source),
        }
    }
}

/// A setting that is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Not `KEY=VALUE`.
    #[error("{place}: found '{found}', expected {expected}")]
    Syntax { place: Place, found: String, expected: &'static str },
    /// No setting has this name.
    #[error("{place}: unknown setting {key}{hint}")]
    Unknown { place: Place, key: String, hint: String },
    /// The value is not of the type or outside the range.
    #[error("{place}: {key}: found '{found}', expected {expected}")]
    Value { place: Place, key: &'static str, found: String, expected: String },
    /// The value does not go with that of another setting.
    #[error("{place}: {key}: found {found}, expected {expected}")]
    Conflict { place: Place, key: &'static str, found: String, expected: String },
}

impl SettingsError {
    /// The setting that is refused; `None` if the text names none.
    pub fn key(&self) -> Option<&str> {
        match self {
            SettingsError::Syntax { .. } => None,
            SettingsError::Unknown { key, .. } => Some(key),
            SettingsError::Value { key, .. } | SettingsError::Conflict { key, .. } => Some(key),
        }
    }

    /// Where the refused setting was given.
    pub fn place(&self) -> &Place {
        match self {
            SettingsError::Syntax { place, .. }
            | SettingsError::Unknown { place, .. }
            | SettingsError::Value { place, .. }
            | SettingsError::Conflict { place, .. } => place,
        }
    }
}

/// A setting that is accepted but probably not meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {key}: {text}")]
pub struct Warning {
    /// Where it was given.
    pub place: Place,
    /// Name of the setting.
    pub key: &'static str,
    /// What is doubtful about it.
    pub text: String,
}
