//! All integration tests, in one binary: every further binary would link polars again.

mod report;
mod run_fixture;
mod runs;
mod store;
