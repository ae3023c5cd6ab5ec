//! All integration tests, in one binary: every further binary would link polars again.

mod calendar;
mod data_formats;
mod data_refusals;
mod data_sets;
mod data_vendors;
mod indicators;
mod look_ahead;
mod option;
mod oracle;
mod report;
mod run_fixture;
mod runs;
mod settings;
mod small_market;
mod stats;
mod store;
mod windows;
