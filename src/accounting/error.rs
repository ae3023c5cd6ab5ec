//! What can go wrong in the books.

use super::lines::LinesError;
use super::money::MoneyError;
use super::posting::PostingError;
use crate::vault::VaultError;
use crate::vault::audit::Action;
use rust_decimal::Decimal;
use std::fmt;

/// A field that is wrong, and why.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Fault {
    /// Which field, such as `memo` or `lines[2].account`.
    pub field: String,
    /// What would be right.
    pub why: String,
}

impl Fault {
    /// A fault of a field.
    pub fn new(field: impl Into<String>, why: impl Into<String>) -> Fault {
        Fault { field: field.into(), why: why.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.why)
    }
}

/// Something that was not done; nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum BooksError {
    /// The database refused.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The proof is of another deed.
    #[error("the audit entry is not about {}", .0.word())]
    NotRecorded(Action),
    /// Somebody else was faster.
    #[error("{what} has version {current} by now; the change was made to version {found}")]
    Stale { what: &'static str, found: String, current: String },
    /// Fields that are wrong.
    #[error("{}", .0.iter().map(Fault::to_string).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<Fault>),
    /// A change that changes nothing.
    #[error("nothing would change")]
    NoChange,
    /// Debits are not credits.
    #[error("debits of {debits} are not credits of {credits}")]
    Unbalanced { debits: Decimal, credits: Decimal },
    /// There is no such entry.
    #[error("there is no ledger entry {0}")]
    UnknownEntry(i64),
    /// There is no such upload.
    #[error("there is no upload {0}")]
    UnknownUpload(i64),
    /// An upload that a later one replaced.
    #[error("a file was uploaded after upload {0}; compare that one")]
    Superseded(i64),
    /// There is no such discrepancy.
    #[error("there is no discrepancy {0}")]
    UnknownDiscrepancy(i64),
    /// A discrepancy is resolved once.
    #[error("discrepancy {0} is resolved already")]
    AlreadyResolved(i64),
    /// An automatic entry keeps its date and lines.
    #[error("entry {0} was booked from an event and keeps its date and lines; correct it by a further entry")]
    Automatic(i64),
    /// An event cannot be booked.
    #[error("event '{reference}' cannot be booked: {why}")]
    Event { reference: String, why: PostingError },
    /// Arithmetic beyond what the books hold.
    #[error(transparent)]
    Money(#[from] MoneyError),
    /// The database holds what this program did not write.
    #[error("the books are damaged: {0}")]
    Damaged(String),
    /// A file of a broker that cannot be read.
    #[error("the file cannot be read: {0}")]
    Statement(String),
}

impl From<LinesError> for BooksError {
    fn from(error: LinesError) -> BooksError {
        match error {
            LinesError::Unbalanced { debits, credits } => BooksError::Unbalanced { debits, credits },
            LinesError::Line { number, why } => BooksError::Invalid(vec![Fault::new(format!("lines[{number}]"), why)]),
            LinesError::Count(found) => {
                BooksError::Invalid(vec![Fault::new("lines", LinesError::Count(found).to_string())])
            }
        }
    }
}
