//! `tbot replay`: the journal of a session through the trading core again.

use super::CliError;
use super::output::print;
use crate::session::replay::replay;
use std::path::PathBuf;

/// Runs the inputs in the journal of a session through the trading core again and compares the orders byte for byte:
/// exit 0 when they are the same, 1 with the first difference, 2 when the journal is not sound.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Journal of the session
    journal: PathBuf,
    /// Print the order stream, one order a line
    #[arg(long)]
    orders: bool,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), CliError> {
    let replay = replay(&args.journal).map_err(CliError::input)?;
    if args.orders {
        print(&replay.orders.iter().map(|line| format!("{line}\n")).collect::<String>())?;
    }
    if replay.torn > 0 {
        eprintln!("note: the last record is torn; {} bytes were left out", replay.torn);
    }
    let name = args.journal.display();
    if let Some(divergence) = replay.divergence {
        let text = |line: Option<String>| line.unwrap_or_else(|| "no order".to_string());
        print(&format!(
            "{name}: different at record {}\n  expected: {}\n  found:    {}\n",
            divergence.record,
            text(divergence.expected),
            text(divergence.found)
        ))?;
        return Err(CliError::Different);
    }
    if !replay.unwritten.is_empty() {
        eprintln!("note: {} orders of the last input are not in the journal yet", replay.unwritten.len());
    }
    let (orders, inputs) = (replay.orders.len(), replay.inputs);
    // With the stream on stdout the verdict is a word, not data.
    let verdict = format!("{name}: same: {orders} orders from {inputs} inputs\n");
    if args.orders {
        eprint!("{verdict}");
        return Ok(());
    }
    print(&verdict)
}
