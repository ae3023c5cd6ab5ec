//! The books from outside.

mod chart;
mod entries;
mod events;
mod exports;
mod harness;
mod random;
mod statements;
mod storage;
