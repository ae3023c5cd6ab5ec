//! The core as the web asks it: requests in, replies out, with a data folder of its own.

mod configuring;
mod crashes;
mod erring;
pub(crate) mod harness;
mod logging_in;
mod managing_users;
mod registering;
