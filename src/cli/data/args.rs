//! The options that say what data to load, shared by every command that loads some.

use crate::cli::CliError;
use crate::data::{Adjust, DataError, Label, LoadOptions, NAMED_SETS, Source, parse_bar_length};
use crate::market::{Nanos, TimeError, parse_date};
use chrono::NaiveDate;
use clap::ValueEnum;
use std::path::PathBuf;

/// What to load and how to read it.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Data")]
pub struct LoadArgs {
    /// Only these symbols
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub symbols: Option<Vec<String>>,
    /// First session date (YYYY-MM-DD)
    #[arg(long, value_name = "DATE", value_parser = date)]
    pub from: Option<NaiveDate>,
    /// Last session date, included
    #[arg(long, value_name = "DATE", value_parser = date)]
    pub to: Option<NaiveDate>,
    /// Only the first N bars of each symbol
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(1..))]
    pub bars: Option<u64>,
    /// Clock of times without an offset, such as America/New_York
    #[arg(long, value_name = "ZONE", value_parser = zone)]
    pub tz: Option<chrono_tz::Tz>,
    /// Which end of its bar a time names
    #[arg(long, value_name = "END", default_value = "start")]
    pub label: LabelArg,
    /// Bar length such as 1m; found from the data when absent. Chooses the resolution of a Lean folder
    #[arg(long, value_name = "LENGTH", value_parser = bar)]
    pub bar: Option<Nanos>,
    /// What is done to prices over splits and dividends
    #[arg(long, value_name = "HOW", default_value = "raw")]
    pub adjust: AdjustArg,
    /// Keep bars outside the regular session
    #[arg(long)]
    pub extended_hours: bool,
    /// Splits and dividends: date,symbol,type,value, or a Lean factor file
    #[arg(long, value_name = "FILE")]
    pub corporate_actions: Option<PathBuf>,
    /// symbol,market_cap,pe_ratio,debt_equity,exchange
    #[arg(long, value_name = "FILE")]
    pub fundamentals: Option<PathBuf>,
    /// Closes of the volatility index: date or ts, close
    #[arg(long, value_name = "FILE")]
    pub vix: Option<PathBuf>,
    /// Inverse ETFs: symbol,etf,leverage (* for all others)
    #[arg(long, value_name = "FILE")]
    pub inverse: Option<PathBuf>,
    /// Option quotes: ts,symbol,expiry,strike,type,bid,ask
    #[arg(long, value_name = "FILE")]
    pub options: Option<PathBuf>,
    /// Quote bars joined to the trade bars: ts,symbol,bid_open..ask_close
    #[arg(long, value_name = "PATH")]
    pub quotes: Option<PathBuf>,
}

/// `--label`.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub enum LabelArg {
    #[default]
    Start,
    End,
}

/// `--adjust`.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub enum AdjustArg {
    /// Prices as traded; splits and dividends happen in the account
    #[default]
    Raw,
    /// Prices in shares of the last day; dividends are paid
    Split,
    /// Prices with dividends reinvested; nothing happens in the account
    Total,
}

impl LoadArgs {
    /// The options for a data set given by path or name; `None`: the default set.
    ///
    /// # Errors
    /// Unknown data, a file that is not there, or dates in the wrong order.
    pub fn to_options(&self, data: Option<&str>) -> Result<LoadOptions, CliError> {
        let source = match data {
            Some(text) => Source::find(text).map_err(CliError::input)?,
            None => Source::Named(NAMED_SETS[0].name.to_string()),
        };
        if let (Some(from), Some(to)) = (self.from, self.to)
            && from > to
        {
            return Err(CliError::Input(format!("--from {from} is after --to {to}")));
        }
        let file = |option: &str, path: &Option<PathBuf>| match path {
            None => Ok(None),
            Some(path) => match path.canonicalize() {
                Ok(path) => Ok(Some(path)),
                Err(error) => Err(CliError::Input(format!("{option} {}: {error}", path.display()))),
            },
        };
        let symbols = self.symbols.as_ref().map(|all| {
            let mut all: Vec<String> = all.iter().map(|s| s.trim().to_string()).filter(|s| !s.is_empty()).collect();
            all.sort();
            all.dedup();
            all
        });
        if symbols.as_ref().is_some_and(Vec::is_empty) {
            return Err(CliError::Input("--symbols names no symbol".to_string()));
        }
        Ok(LoadOptions {
            symbols,
            from: self.from,
            to: self.to,
            bars: self.bars.map(|n| usize::try_from(n).unwrap_or(usize::MAX)),
            tz: self.tz,
            label: match self.label {
                LabelArg::Start => Label::Start,
                LabelArg::End => Label::End,
            },
            bar: self.bar,
            adjust: match self.adjust {
                AdjustArg::Raw => Adjust::Raw,
                AdjustArg::Split => Adjust::Split,
                AdjustArg::Total => Adjust::Total,
            },
            extended_hours: self.extended_hours,
            corporate_actions: file("--corporate-actions", &self.corporate_actions)?,
            fundamentals: file("--fundamentals", &self.fundamentals)?,
            vix: file("--vix", &self.vix)?,
            inverse: file("--inverse", &self.inverse)?,
            options: file("--options", &self.options)?,
            quotes: file("--quotes", &self.quotes)?,
            ..LoadOptions::new(source)
        })
    }
}

pub(super) fn date(text: &str) -> Result<NaiveDate, TimeError> {
    parse_date(text)
}

fn bar(text: &str) -> Result<Nanos, DataError> {
    parse_bar_length(text)
}

fn zone(text: &str) -> Result<chrono_tz::Tz, String> {
    text.parse().map_err(|_| format!("'{text}' is not a time zone; expected such as America/New_York or UTC"))
}
