//! All integration tests, in one binary: every further binary would link polars again.

mod calendar;
mod indicators;
mod option;
mod stats;
