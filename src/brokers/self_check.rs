//! The result of a self-check.

use serde::Serialize;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckItem {
    /// `credentials`, `account`, `clock`, `order stream`, `market data stream`, `quote`.
    pub name: &'static str,
    pub passed: bool,
    /// What was found and, if it did not pass, what to do.
    pub found: String,
}

/// Everything that was looked at, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SelfCheck {
    pub items: Vec<CheckItem>,
}

impl SelfCheck {
    /// Whether all of it passed.
    pub fn passed(&self) -> bool {
        self.items.iter().all(|item| item.passed)
    }
}
