//! What the rest of the program needs to know of a user.

use serde::{Deserialize, Serialize};

/// What a user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Reads and changes.
    Admin,
}

impl Role {
    /// The word.
    pub const fn word(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Admin => "admin",
        }
    }
}

/// A user as he is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Name.
    pub username: String,
    /// Role.
    pub role: Role,
}

/// Where users are looked up, for every request anew.
pub trait Accounts {
    /// The user, unless deleted or disabled.
    fn active(&self, user_id: i64) -> Option<Account>;
}
