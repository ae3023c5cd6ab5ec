//! All integration tests, in one binary: every further binary would link polars again.

mod calendar;
mod indicators;
mod option;
mod oracle;
mod report;
mod run_fixture;
mod runs;
mod settings;
mod stats;
mod store;
