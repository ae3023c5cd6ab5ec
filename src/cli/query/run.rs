//! Questions about a run.

use crate::backtest::EquityCurve;
use crate::backtest::RunSpec;
use crate::backtest::report::series::{Columns, Line, Stretch, account, account_line, bars, sessions};
use crate::backtest::store::{
    EQUITY_FILE, TRADES_FILE, TradeRow, read_equity, read_run_json, read_summary, read_trades,
};
use crate::cli::CliError;
use crate::cli::output::print;
use crate::cli::runs::store_error;
use crate::cli::sweep::sweep_error;
use crate::data::load;
use crate::market::{DAY, Nanos, SECOND, new_york_date, parse_date, parse_time};
use crate::optimize::walk_forward::store as walk;
use serde_json::{Value, json};
use std::cmp::Ordering;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Most points of an answer in JSON.
const MOST_POINTS: usize = 10_000;

/// A column over time.
#[derive(Debug, clap::Args)]
pub struct SeriesArgs {
    dir: PathBuf,
    /// equity, drawdown, exposure, account (these together), sessions (closes) or bars
    #[arg(long)]
    name: String,
    /// RFC 3339, a date, or seconds since 1970
    #[arg(long, allow_hyphen_values = true)]
    from: Option<String>,
    /// RFC 3339, a date (its end), or seconds since 1970
    #[arg(long, allow_hyphen_values = true)]
    to: Option<String>,
    /// Columns of pixels
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    px: Option<u64>,
    /// Of bars
    #[arg(long)]
    symbol: Option<String>,
    /// Columns of little-endian f64
    #[arg(long)]
    binary: bool,
}

impl SeriesArgs {
    /// Prints the answer.
    pub fn answer(&self) -> Result<(), CliError> {
        let instant = |name: &str, text: &Option<String>, end: bool| {
            text.as_deref().map(|text| parse_instant(name, text, end)).transpose()
        };
        let stretch = Stretch {
            from: instant("from", &self.from, false)?,
            to: instant("to", &self.to, true)?,
            pixels: self.px.map(|px| usize::try_from(px).unwrap_or(usize::MAX)),
        };
        let columns = match self.name.as_str() {
            "bars" => self.bars(&stretch)?,
            name => {
                let (curve, start) = self.curve()?;
                match name {
                    "equity" => account_line(&curve, start, Line::Equity, &stretch),
                    "drawdown" => account_line(&curve, start, Line::Drawdown, &stretch),
                    "exposure" if !curve.exposure.is_empty() => account_line(&curve, start, Line::Exposure, &stretch),
                    "account" => account(&curve, start, &stretch),
                    "sessions" => sessions(&curve, start, &stretch),
                    other => return Err(CliError::Input(format!("there is no series '{other}' here"))),
                }
            }
        };
        if self.binary {
            let written = std::io::stdout().lock().write_all(&columns.to_bytes());
            return written.map_err(|error| CliError::failed(format!("stdout: {error}")));
        }
        if columns.len() > MOST_POINTS {
            return Err(CliError::Input(format!(
                "{} points; expected at most {MOST_POINTS}: give px, a shorter stretch, or Accept: \
                 application/octet-stream",
                columns.len()
            )));
        }
        print(&columns.to_json().to_string())
    }

    /// The account, and what it began with.
    fn curve(&self) -> Result<(EquityCurve, f64), CliError> {
        if walk::is_walk_forward(&self.dir) {
            let stitched = walk::read_equity(&self.dir.join(walk::EQUITY_FILE)).map_err(sweep_error)?;
            let summary = walk::read_summary(&self.dir).map_err(sweep_error)?;
            let start = summary["start_equity"].as_f64().or(stitched.equity.first().copied()).unwrap_or(0.0);
            return Ok((EquityCurve { time: stitched.time, equity: stitched.equity, ..EquityCurve::default() }, start));
        }
        let curve = read_equity(&self.dir.join(EQUITY_FILE)).map_err(store_error)?;
        Ok((curve, read_summary(&self.dir).map_err(store_error)?.start_equity))
    }

    /// The bars that the run was made of, read from its data again.
    fn bars(&self, stretch: &Stretch) -> Result<Columns, CliError> {
        let symbol = self.symbol.as_deref().ok_or_else(|| CliError::Input("bars need a symbol".to_string()))?;
        let mut options = spec_of(&self.dir)?.data;
        let known = &read_summary(&self.dir).map_err(store_error)?.symbols;
        if !known.iter().any(|name| name == symbol) {
            return Err(CliError::Input(format!("the run has no symbol '{symbol}'")));
        }
        options.symbols = Some(vec![symbol.to_string()]);
        // A number of bars is counted from the beginning, so that the beginning must be read.
        if options.bars.is_none() {
            let earliest = stretch.from.map(|t| new_york_date(t.saturating_sub(DAY)));
            let latest = stretch.to.map(|t| new_york_date(t.saturating_add(DAY)));
            options.from = options.from.max(earliest);
            options.to = match (options.to, latest) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
        }
        let market = load(&options).map_err(CliError::input)?;
        let series = market.series.first().ok_or_else(|| CliError::Input("there are no bars".to_string()))?;
        Ok(bars(series, stretch))
    }
}

/// An instant: RFC 3339, a date, or seconds since 1970.
fn parse_instant(name: &str, text: &str, end_of_day: bool) -> Result<Nanos, CliError> {
    let wrong = || CliError::Input(format!("{name} {text}: expected RFC 3339, a date, or seconds since 1970"));
    if let Ok(date) = parse_date(text) {
        let midnight = date.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_nanos_opt().ok_or_else(wrong)?;
        return Ok(if end_of_day { midnight + DAY - 1 } else { midnight });
    }
    if let Ok(seconds) = text.parse::<f64>() {
        let nanos = seconds * SECOND as f64;
        return if nanos.abs() < 9e18 { Ok(nanos.round() as Nanos) } else { Err(wrong()) };
    }
    parse_time(text).map_err(|_| wrong())
}

fn spec_of(dir: &Path) -> Result<RunSpec, CliError> {
    let run = read_run_json(dir).map_err(store_error)?;
    serde_json::from_value(run).map_err(|error| CliError::Input(format!("run.json: {error}")))
}

/// What the run was made of, without paths of this machine and without the texts of input files.
pub fn described(dir: &Path) -> Result<Value, CliError> {
    let mut run = read_run_json(dir).map_err(store_error)?;
    let spec = spec_of(dir)?;
    if let Some(run) = run.as_object_mut() {
        run.shift_remove("command");
        for input in ["borrow", "orders", "signals"] {
            if let Some(Value::Object(file)) = run.get_mut(input) {
                file.shift_remove("text");
                let name = file.get("name").and_then(Value::as_str).map(|name| Path::new(name).file_name());
                let name = name.flatten().map(|name| name.to_string_lossy().into_owned());
                file.insert("name".to_string(), json!(name));
            }
        }
        if let Some(Value::Object(data)) = run.get_mut("data") {
            data.insert("source".to_string(), json!(spec.data.source.title()));
            for file in ["corporate_actions", "fundamentals", "vix", "inverse", "options", "quotes"] {
                data.shift_remove(file);
            }
        }
    }
    Ok(run)
}

/// Closed trades of a run.
#[derive(Debug, clap::Args)]
pub struct TradesArgs {
    dir: PathBuf,
    /// A column of trades.csv; with a leading '-' the other way round
    #[arg(long, default_value = "exit_ts", allow_hyphen_values = true)]
    sort: String,
    #[arg(long)]
    symbol: Option<String>,
    #[arg(long)]
    strategy: Option<String>,
    #[arg(long, default_value_t = 0)]
    offset: usize,
    #[arg(long, default_value_t = 100)]
    limit: usize,
}

impl TradesArgs {
    /// The answer.
    pub fn answer(&self) -> Result<Value, CliError> {
        let mut trades = read_trades(&self.dir.join(TRADES_FILE)).map_err(store_error)?;
        let total = trades.len();
        let is = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
        trades.retain(|trade| is(&self.symbol, &trade.symbol) && is(&self.strategy, &trade.strategy));
        let (column, down) = match self.sort.strip_prefix('-') {
            Some(column) => (column, true),
            None => (self.sort.as_str(), false),
        };
        let order = by_column(column)
            .ok_or_else(|| CliError::Input(format!("sort {column}: expected a column of trades.csv")))?;
        trades.sort_by(|a, b| if down { order(b, a) } else { order(a, b) });
        let matching = trades.len();
        let page: Vec<TradeRow> = trades.into_iter().skip(self.offset).take(self.limit).collect();
        Ok(json!({ "total": total, "matching": matching, "offset": self.offset, "trades": page }))
    }
}

type Order = fn(&TradeRow, &TradeRow) -> Ordering;

fn by_column(name: &str) -> Option<Order> {
    Some(match name {
        "symbol" => |a, b| a.symbol.cmp(&b.symbol),
        "strategy" => |a, b| a.strategy.cmp(&b.strategy),
        "side" => |a, b| a.side.cmp(&b.side),
        "reason" => |a, b| a.reason.cmp(&b.reason),
        "entry_ts" => |a, b| a.entry_ts.cmp(&b.entry_ts),
        "exit_ts" => |a, b| a.exit_ts.cmp(&b.exit_ts),
        "bars_held" => |a, b| a.bars_held.cmp(&b.bars_held),
        "qty" => |a, b| a.qty.total_cmp(&b.qty),
        "entry_price" => |a, b| a.entry_price.total_cmp(&b.entry_price),
        "exit_price" => |a, b| a.exit_price.total_cmp(&b.exit_price),
        "pnl" => |a, b| a.pnl.total_cmp(&b.pnl),
        "commission" => |a, b| a.commission.total_cmp(&b.commission),
        "slippage" => |a, b| a.slippage.total_cmp(&b.slippage),
        "mae" => |a, b| a.mae.total_cmp(&b.mae),
        "mfe" => |a, b| a.mfe.total_cmp(&b.mfe),
        _ => return None,
    })
}
