//! Users: names, passwords, and the database that holds them.
//!
//! A password is hashed with bcrypt and never truncated. The hash of an unknown user is computed like any other
//! ([`Hasher::verify`]), so that neither words nor time tell who exists. Hashing is slow on purpose and runs off the
//! event loop, two at a time.

mod account;
mod hasher;
mod name;
mod password;
mod store;

pub use super::Storage;
pub use account::{Account, Accounts, Role};
pub use hasher::{BCRYPT_COST, HashError, Hasher, PasswordHash, RUNNING, Verified, WAITING};
pub use name::{Email, NameError, Username};
pub use password::{NewPassword, PasswordError};
pub use store::{Credentials, MOST_USERS, NewUser, User, UserChange, UserError, Users};
