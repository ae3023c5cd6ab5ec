//! `signals`: target positions from a file, so that any outside model can be tested.

use super::order_lines::LineError;
use super::target::move_to;
use crate::market::{Nanos, parse_time};
use crate::trading::{Orders, Setup, Strategy, View, Wake};
use std::io::Read;

/// One line: from the first bar end at or after `time`, hold `target` signed shares.
#[derive(Debug, Clone, PartialEq)]
pub struct SignalLine {
    pub time: Nanos,
    pub symbol: String,
    pub target: f64,
}

/// Reads `ts,symbol,target`. `file` names the source in errors.
pub fn parse_signal_lines(reader: impl Read, file: &str) -> Result<Vec<SignalLine>, LineError> {
    let mut csv = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(reader);
    let error = |line: u64, reason: String| LineError { file: file.to_string(), line, reason };
    let header = csv.headers().map_err(|e| error(1, e.to_string()))?.clone();
    let column = |name: &str| {
        header
            .iter()
            .position(|h| h == name)
            .ok_or_else(|| error(1, format!("no column '{name}'; expected ts, symbol, target")))
    };
    let (ts, symbol, target) = (column("ts")?, column("symbol")?, column("target")?);
    let mut lines = Vec::new();
    for record in csv.records() {
        let record = record.map_err(|e| error(e.position().map_or(0, |p| p.line()), e.to_string()))?;
        let at = record.position().map_or(0, |p| p.line());
        let text = |i: usize| record.get(i).unwrap_or("");
        let time = parse_time(text(ts)).map_err(|e| error(at, e.to_string()))?;
        let shares = text(target)
            .parse::<f64>()
            .ok()
            .filter(|v| v.is_finite())
            .ok_or_else(|| error(at, format!("target '{}' is not a number of shares", text(target))))?;
        lines.push(SignalLine { time, symbol: text(symbol).to_string(), target: shares });
    }
    lines.sort_by_key(|line| line.time);
    Ok(lines)
}

/// The strategy `signals`.
#[derive(Debug)]
pub struct SignalsFromFile {
    lines: Vec<SignalLine>,
    next: usize,
}

impl SignalsFromFile {
    /// Follows `lines`, which are in order of time.
    pub fn new(lines: Vec<SignalLine>) -> SignalsFromFile {
        SignalsFromFile { lines, next: 0 }
    }

    fn wake(&self) -> Wake {
        self.lines.get(self.next).map_or(Wake::NEVER, |line| Wake::at(line.time))
    }
}

impl Strategy for SignalsFromFile {
    fn name(&self) -> &str {
        "signals"
    }

    fn start(&mut self, _: &mut Setup<'_>) -> Wake {
        self.wake()
    }

    fn decide(&mut self, view: &View<'_>, orders: &mut Orders<'_>) -> Wake {
        // Of several lines that are due for one symbol, the last one holds.
        let first = self.next;
        while self.lines.get(self.next).is_some_and(|line| line.time <= view.now()) {
            self.next += 1;
        }
        for k in first..self.next {
            let line = &self.lines[k];
            if self.lines[k + 1..self.next].iter().any(|later| later.symbol == line.symbol) {
                continue;
            }
            match view.symbol(&line.symbol) {
                Some(symbol) => move_to(line.target, symbol, view, orders, "signal"),
                None => orders.warn(format!("signals: the run has no symbol {}", line.symbol)),
            }
        }
        self.wake()
    }
}
