//! The books from outside.

mod chart;
mod entries;
mod events;
pub(crate) mod exports;
pub(crate) mod harness;
mod random;
mod statements;
mod storage;
