//! `tbot data check`: what a data set holds and how clean it is.

use super::LoadArgs;
use crate::cli::{CliError, output};
use crate::data::{format_bar_length, load};
use crate::market::{Market, SymbolId, format_date, format_time};
use serde_json::{Value, json};
use std::fmt::Write;

/// Loads a data set, refuses faults with file, row and reason, and reports what is suspicious.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// File, folder, Lean folder or named set; the default set when absent
    #[arg(value_name = "DATA")]
    data: Option<String>,
    /// The same as the argument
    #[arg(long = "data", value_name = "PATH|NAME", conflicts_with = "data")]
    data_option: Option<String>,
    #[command(flatten)]
    load: LoadArgs,
    /// One JSON document instead of text
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), CliError> {
    let data = args.data.as_deref().or(args.data_option.as_deref());
    let options = args.load.to_options(data)?;
    let market = load(&options).map_err(CliError::input)?;
    if args.json {
        return output::print(&format!("{:#}\n", report(&market)));
    }
    for note in &market.notes {
        eprintln!("tbot: {note}");
    }
    output::print(&text(&market))
}

/// First and last bar of a symbol, and how many.
fn span(market: &Market, symbol: SymbolId) -> (usize, String, String) {
    let start = &market.series[symbol.index()].start;
    let time = |t: Option<&i64>| t.map(|t| format_time(*t)).unwrap_or_default();
    (start.len(), time(start.first()), time(start.last()))
}

fn report(market: &Market) -> Value {
    let symbols: Vec<Value> = market
        .symbol_ids()
        .map(|id| {
            let (bars, first, last) = span(market, id);
            json!({ "symbol": market.symbols[id.index()], "bars": bars, "first": first, "last": last })
        })
        .collect();
    json!({
        "name": market.name,
        "data_hash": market.data_hash,
        "bar": format_bar_length(market.bar_length),
        "from": market.days.first().map(|d| format_date(d.date)),
        "to": market.days.last().map(|d| format_date(d.date)),
        "sessions": market.days.len(),
        "bars": market.bar_count(),
        "symbols": symbols,
        "quotes": market.series.iter().any(|s| s.quotes.is_some()),
        "corporate_actions": market.actions.len(),
        "vix": market.vix.as_ref().map(|v| v.daily.len() + v.intraday.len()),
        "fundamentals": market.fundamentals.as_ref().map(|f| f.len()),
        "option_quotes": market.options.len(),
        "data_quality": market.quality,
        "notes": market.notes,
    })
}

fn text(market: &Market) -> String {
    let mut out = String::new();
    let date = |day: Option<&crate::market::TradingDay>| day.map(|d| format_date(d.date)).unwrap_or_default();
    let mut line = |name: &str, value: String| {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{name:<20}{value}");
    };
    line("data", market.name.clone());
    line("data hash", market.data_hash.clone());
    line("bar length", format_bar_length(market.bar_length));
    line("sessions", format!("{} ({} to {})", market.days.len(), date(market.days.first()), date(market.days.last())));
    line("symbols", market.symbols.len().to_string());
    line("bars", market.bar_count().to_string());
    line("corporate actions", market.actions.len().to_string());
    let q = &market.quality;
    for (name, count) in [
        ("missing bars", q.missing_bars),
        ("gaps", q.gaps),
        ("missing sessions", q.missing_sessions),
        ("zero volume", q.zero_volume),
        ("jumps over 25 %", q.jumps),
        ("outside session", q.outside_session),
        ("not selected", q.not_selected),
    ] {
        line(name, count.to_string());
    }
    let _ = writeln!(out, "\n{:<10} {:>9}  {:<30}  {:<30}", "symbol", "bars", "first", "last");
    for id in market.symbol_ids() {
        let (bars, first, last) = span(market, id);
        let _ = writeln!(out, "{:<10} {bars:>9}  {first:<30}  {last:<30}", market.symbols[id.index()]);
    }
    out
}
