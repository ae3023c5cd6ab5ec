//! `tbot indicators`: indicator columns of market data as CSV.

use super::CliError;
use super::data::LoadArgs;
use super::output::print;
use crate::data::load;
use crate::indicators::{Indicator, Input};
use crate::market::{Market, SymbolId, format_time};
use std::io::{self, Write};

/// Computes indicators of market data: one CSV column an output, empty during warm-up.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// sma:20 ema:20 rsi:14 atr:14 bollinger:20:2 macd:12:26:9 macd_plain:12:26:9 vwap opening_range:20 donchian:20
    /// stddev:20
    #[arg(required = true, value_name = "INDICATOR")]
    indicators: Vec<Indicator>,
    /// A Parquet or CSV file, a folder of them, a Lean data folder, or the name of a data set
    #[arg(long, value_name = "PATH|NAME")]
    data: Option<String>,
    #[command(flatten)]
    load: LoadArgs,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), CliError> {
    let options = args.load.to_options(args.data.as_deref())?;
    let market = load(&options).map_err(CliError::input)?;
    for note in &market.notes {
        eprintln!("note: {note}");
    }
    let mut out = Vec::new();
    write_indicators(&market, &args.indicators, &mut out).map_err(CliError::failed)?;
    print(&String::from_utf8_lossy(&out))
}

/// Writes `ts,symbol` and one column an output of `specs`, symbol after symbol in order of name: a row a
/// bar, `ts` its start in UTC, empty cells during warm-up. Numbers read back to the same bits.
pub fn write_indicators(market: &Market, specs: &[Indicator], out: &mut impl Write) -> io::Result<()> {
    write!(out, "ts,symbol")?;
    for name in specs.iter().flat_map(Indicator::output_names) {
        write!(out, ",{name}")?;
    }
    writeln!(out)?;
    for symbol in market.symbol_ids() {
        write_symbol(market, symbol, specs, out)?;
    }
    Ok(())
}

fn write_symbol(market: &Market, symbol: SymbolId, specs: &[Indicator], out: &mut impl Write) -> io::Result<()> {
    let bars = &market.series[symbol.index()];
    let name = &market.symbols[symbol.index()];
    let session_starts: Vec<u32> =
        (0..market.days.len()).map(|day| market.day_range(symbol, day).start as u32).collect();
    let input = Input {
        high: &bars.high,
        low: &bars.low,
        close: &bars.close,
        volume: &bars.volume,
        session_starts: &session_starts,
    };
    let columns: Vec<Vec<f64>> = specs.iter().flat_map(|spec| spec.columns(&input)).collect();
    for (i, start) in bars.start.iter().enumerate() {
        write!(out, "{},{name}", format_time(*start))?;
        for column in &columns {
            if column[i].is_nan() {
                write!(out, ",")?;
            } else {
                // Debug is the shortest text that reads back to the same number, with an exponent where long.
                write!(out, ",{:?}", column[i])?;
            }
        }
        writeln!(out)?;
    }
    Ok(())
}
