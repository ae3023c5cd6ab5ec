//! `tbot report RUN`: makes the page of a run, a sweep or a walk-forward analysis anew and prints its path.

use super::CliError;
use super::output::print;
use super::runs::store_error;
use super::sweep::sweep_error;
use crate::backtest::prices_of_trades;
use crate::backtest::store::{RUN_FILE, TRADES_FILE, read_trades, resolve_run, write_report};
use crate::data::{LoadOptions, load};
use crate::market::Market;
use crate::optimize::report::{write_report as write_sweep_report, write_walk_forward_report};
use crate::optimize::sweep;
use crate::optimize::walk_forward::store::is_walk_forward;
use clap::Args;
use std::path::{Path, PathBuf};

/// Options of `tbot report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Folder of the run, sweep or walk-forward analysis, or the beginning of its name
    run: String,
    /// Folder of the results
    #[arg(long, value_name = "DIR", default_value = "backtest_results")]
    out: PathBuf,
}

/// Writes `report.html` from the files of the run. The price panel needs the data of the run: when they are
/// gone or have changed, the page is made without it.
pub fn run(args: &ReportArgs) -> Result<(), CliError> {
    if let Some(dir) = sweep::store::find_sweep(&args.out, &args.run).map_err(sweep_error)? {
        let path = write_sweep_report(&dir).map_err(sweep_error)?;
        return print(&format!("{}\n", path.display()));
    }
    if let Some(dir) = sweep::store::find(&args.out, &args.run, is_walk_forward).map_err(sweep_error)? {
        let path = write_walk_forward_report(&dir).map_err(sweep_error)?;
        return print(&format!("{}\n", path.display()));
    }
    let dir = resolve_run(&args.out, &args.run).map_err(store_error)?;
    let market = match market(&dir) {
        Ok(market) => Some(market),
        Err(reason) => {
            eprintln!("warning: no price panel: {reason}");
            None
        }
    };
    let prices = match &market {
        Some(market) => {
            let trades = read_trades(&dir.join(TRADES_FILE)).map_err(store_error)?;
            let names: Vec<String> = trades.into_iter().map(|trade| trade.symbol).collect();
            prices_of_trades(market, &names)
        }
        None => Vec::new(),
    };
    let path = write_report(&dir, &prices).map_err(store_error)?;
    print(&format!("{}\n", path.display()))
}

/// The data of the run, loaded anew as `run.json` says.
fn market(dir: &Path) -> Result<Market, String> {
    let path = dir.join(RUN_FILE);
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let run: serde_json::Value = serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    let options: LoadOptions =
        serde_json::from_value(run["data"].clone()).map_err(|error| format!("{}: data: {error}", path.display()))?;
    let market = load(&options).map_err(|error| error.to_string())?;
    if run["data_hash"].as_str() != Some(market.data_hash.as_str()) {
        return Err("the data have changed since the run".to_string());
    }
    Ok(market)
}
