//! `tbot data list`: the data sets that are part of the program.

use crate::cli::{CliError, output};
use crate::data::{LoadOptions, NAMED_SETS, Source, format_bar_length, load};
use crate::market::format_date;
use serde_json::{Value, json};
use std::fmt::Write;

/// Lists the named data sets.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// One JSON document instead of text
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), CliError> {
    let mut sets: Vec<Value> = Vec::new();
    let mut text = String::new();
    for set in NAMED_SETS {
        let market = load(&LoadOptions::new(Source::Named(set.name.to_string()))).map_err(CliError::failed)?;
        let date = |day: Option<&crate::market::TradingDay>| day.map(|d| format_date(d.date)).unwrap_or_default();
        let (from, to) = (date(market.days.first()), date(market.days.last()));
        let bar = format_bar_length(market.bar_length);
        let kind = if set.generated { "generated, not real prices" } else { "real prices" };
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{}\n    {}\n    {kind}; {bar} bars, {from} to {to}: {} sessions, {} bars\n    symbols: {}",
            set.name,
            set.description,
            market.days.len(),
            market.bar_count(),
            market.symbols.join(", ")
        );
        sets.push(json!({
            "name": set.name,
            "description": set.description,
            "generated": set.generated,
            "symbols": market.symbols,
            "bar": bar,
            "from": from,
            "to": to,
            "sessions": market.days.len(),
            "bars": market.bar_count(),
            "data_hash": market.data_hash,
        }));
    }
    output::print(&if args.json { format!("{:#}\n", Value::Array(sets)) } else { text })
}
