//! `tbot report RUN`: makes the page of a run anew and prints its path.

use super::CliError;
use super::output::print;
use super::runs::store_error;
use crate::backtest::report::PriceSeries;
use crate::backtest::store::{resolve_run, write_report};
use clap::Args;
use std::path::{Path, PathBuf};

/// Options of `tbot report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Folder of the run, or the beginning of its name
    run: String,
    /// Folder of the results
    #[arg(long, value_name = "DIR", default_value = "backtest_results")]
    out: PathBuf,
}

/// Writes `report.html` from the files of the run. `prices` loads the series of the symbols with trades
/// from the run's data, given the run's folder; without them the page says that prices are missing.
pub fn run(
    args: &ReportArgs,
    prices: impl FnOnce(&Path) -> Result<Vec<PriceSeries>, CliError>,
) -> Result<(), CliError> {
    let dir = resolve_run(&args.out, &args.run).map_err(store_error)?;
    let prices = prices(&dir)?;
    let path = write_report(&dir, &prices).map_err(store_error)?;
    print(&format!("{}\n", path.display()))
}
