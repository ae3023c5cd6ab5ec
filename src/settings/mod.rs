//! The one table of every setting of `.env_bot`, and everything derived from it.
//!
//! The table names each setting with its type, unit, range, default and meaning. The parser, the checks, the
//! canonical text that enters fingerprints, the sample file, the reference page, the command `tbot settings`
//! and the web form all read that table and nothing else: a new setting is a new row.
//!
//! Reading happens in two stages. [`Settings::parse`] splits a file into raw words with their lines, then turns
//! each word into a checked [`Value`] and tests the rules between settings. It reports every error at once,
//! each with its place. Whoever holds a [`Settings`] holds values that passed all checks.
//!
//! A share is written as a fraction (0.02) or as a percentage (2) depending on the setting; the name does not
//! tell. The types [`Fraction`] and [`Percent`] do.

mod check;
mod document;
mod error;
mod key;
mod kind;
mod parse;
mod store;
mod table;
mod value;

pub use document::{describe, reference_page, sample_file};
pub use error::{Place, SettingsError, Warning};
pub use key::{Group, Key, Spec};
pub use kind::{Kind, Range};
pub use store::Settings;
pub use value::{Fraction, Percent, Value};
