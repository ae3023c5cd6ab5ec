//! All integration tests, in one binary: every further binary would link polars again.

mod account;
mod allocations;
mod ask_tell;
mod backtest_cli;
mod calendar;
mod cli_reference;
mod data_formats;
mod data_refusals;
mod data_sets;
mod data_vendors;
mod determinism;
mod indicators;
mod look_ahead;
mod option;
mod oracle;
mod program;
mod real_data;
mod report;
mod run_fixture;
mod runs;
mod settings;
mod slippage_draws;
mod small_market;
mod stats;
mod store;
mod windows;
