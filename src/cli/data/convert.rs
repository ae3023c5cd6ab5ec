//! `tbot data convert` and `tbot data import`: bars from one form to another.

use super::LoadArgs;
use crate::cli::{CliError, output};
use crate::data::write::{Format, write_set};
use crate::data::{LoadOptions, load};
use clap::ValueEnum;
use std::path::{Path, PathBuf};

/// Converts bars between Parquet and CSV, one file or a file a symbol
#[derive(Debug, clap::Args)]
pub struct ConvertArgs {
    /// File, folder, Lean folder or named set
    #[arg(value_name = "DATA")]
    data: String,
    /// A .parquet or .csv file, or a folder that gets one file a symbol
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
    /// Format of the files in a folder
    #[arg(long, value_name = "FORMAT", default_value = "parquet")]
    format: FormatArg,
    #[command(flatten)]
    load: LoadArgs,
    /// Replace what is there
    #[arg(long)]
    force: bool,
}

/// Imports vendor files as a folder of Parquet files, checked, in the layout that loads fastest
#[derive(Debug, clap::Args)]
pub struct ImportArgs {
    /// Vendor file, folder of files, or Lean folder
    #[arg(value_name = "DATA")]
    data: String,
    /// Folder to write: one Parquet file a symbol, and actions.csv where splits and dividends are known
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    load: LoadArgs,
    /// Replace what is there
    #[arg(long)]
    force: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FormatArg {
    Parquet,
    Csv,
}

/// Runs `convert`.
pub fn convert(args: &ConvertArgs) -> Result<(), CliError> {
    let suffix = args.out.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
    let format = match (suffix.as_deref(), args.format) {
        (Some("parquet"), _) => Format::Parquet,
        (Some("csv"), _) => Format::Csv,
        (_, FormatArg::Parquet) => Format::Parquet,
        (_, FormatArg::Csv) => Format::Csv,
    };
    write(args.load.to_options(Some(&args.data))?, &args.out, format, args.force)
}

/// Runs `import`.
pub fn import(args: &ImportArgs) -> Result<(), CliError> {
    if args.out.extension().is_some_and(|e| e.eq_ignore_ascii_case("parquet") || e.eq_ignore_ascii_case("csv")) {
        return Err(CliError::Input(format!(
            "--out {}: import writes a folder; tbot data convert writes one file",
            args.out.display()
        )));
    }
    write(args.load.to_options(Some(&args.data))?, &args.out, Format::Parquet, args.force)
}

fn write(options: LoadOptions, out: &Path, format: Format, force: bool) -> Result<(), CliError> {
    // What a file holds is kept; what a run sees of it is decided when it is loaded.
    let market = load(&LoadOptions { extended_hours: true, ..options }).map_err(CliError::input)?;
    for note in &market.notes {
        eprintln!("tbot: {note}");
    }
    write_set(&market, out, format, force).map_err(CliError::input)?;
    eprintln!("tbot: {} symbols, {} bars", market.symbols.len(), market.bar_count());
    output::print(&format!("{}\n", out.display()))
}
