//! All integration tests, in one binary: every further binary would link polars again.

mod calendar;
mod oracle;
mod report;
mod run_fixture;
mod runs;
mod settings;
mod store;
mod indicators;
mod option;
mod stats;
