//! A generated market as a folder.

use super::{DOUBLE_INVERSE_FUND, Generated, INVERSE_FUND};
use crate::data::DataError;
use crate::data::write::{GENERATED_MARK, Packing, parquet_bytes, write_file};
use crate::market::ActionKind;
use rayon::prelude::*;
use std::fmt::Write;
use std::path::Path;

impl Generated {
    /// Writes the set into an existing folder: a Parquet file a symbol, `actions.csv`, `vix.csv`,
    /// `fundamentals.csv`, `inverse.csv` and `README.md`.
    ///
    /// # Errors
    /// The operating system refuses.
    pub fn write(&self, folder: &Path) -> Result<(), DataError> {
        self.series.par_iter().try_for_each(|(symbol, bars)| {
            write_file(
                &folder.join(format!("{symbol}.parquet")),
                &parquet_bytes(&[(symbol, bars)], false, Packing::Small)?,
            )
        })?;
        write_file(&folder.join("actions.csv"), self.actions_csv().as_bytes())?;
        write_file(&folder.join("vix.csv"), self.vix_csv().as_bytes())?;
        write_file(&folder.join("fundamentals.csv"), self.fundamentals_csv().as_bytes())?;
        write_file(&folder.join("inverse.csv"), self.inverse_csv().as_bytes())?;
        write_file(&folder.join("README.md"), self.readme().as_bytes())?;
        write_file(&folder.join(GENERATED_MARK), b"")
    }

    fn actions_csv(&self) -> String {
        let mut out = String::from("date,symbol,type,value\n");
        for (date, symbol, kind) in &self.actions {
            let (kind, value) = match kind {
                ActionKind::Split { ratio } => ("split", ratio),
                ActionKind::Dividend { amount } => ("dividend", amount),
            };
            // Writing to a string cannot fail, here and below.
            let _ = writeln!(out, "{date},{symbol},{kind},{value}");
        }
        out
    }

    fn vix_csv(&self) -> String {
        let mut out = String::from("date,close\n");
        for (date, close) in &self.vix {
            let _ = writeln!(out, "{date},{close}");
        }
        out
    }

    fn fundamentals_csv(&self) -> String {
        let mut out = String::from("symbol,market_cap,pe_ratio,debt_equity,exchange\n");
        let text = |value: Option<f64>| value.map(|v| v.to_string()).unwrap_or_default();
        for row in &self.fundamentals {
            let (pe_ratio, debt_equity) = (text(row.pe_ratio), text(row.debt_equity));
            let _ = writeln!(out, "{},{},{pe_ratio},{debt_equity},{}", row.symbol, row.market_cap, row.exchange);
        }
        out
    }

    /// The plain inverse fund stands for all stocks but every fifth, for which the double one does.
    fn inverse_csv(&self) -> String {
        let mut out = format!("symbol,etf,leverage\n*,{INVERSE_FUND},1\n");
        for row in self.fundamentals.iter().skip(4).step_by(5) {
            let _ = writeln!(out, "{},{DOUBLE_INVERSE_FUND},2", row.symbol);
        }
        out
    }

    /// The exact command that makes this set again.
    pub fn command(&self, out: &str) -> String {
        let o = &self.options;
        format!(
            "tbot data generate --symbols {} --sessions {} --from {} --seed {} --out {out}",
            o.symbols, o.sessions, o.from, o.seed
        )
    }

    fn readme(&self) -> String {
        let bars: usize = self.series.iter().map(|(_, b)| b.len()).sum();
        let date = |session: Option<&crate::market::Session>| session.map(|s| s.date.to_string()).unwrap_or_default();
        let early: Vec<String> = self.sessions.iter().filter(|s| s.early_close).map(|s| s.date.to_string()).collect();
        let early = if early.is_empty() { "none".to_string() } else { early.join(", ") };
        format!(
            "# Generated minute bars\n\n\
             **Generated, not real prices.** Nothing here says anything about any market; the symbols are invented.\n\n\
             {stocks} stocks (SIM..), an index fund (SIMIDX) and two inverse funds (SIMINV1: minus once, SIMINV2: minus\n\
             twice the index each day); one-minute bars of {sessions} sessions, {first} to {last}; {bars} bars; seed {seed}.\n\
             Early closes: {early}. The model is described in `docs/generated-data.md` of the project.\n\n\
             Made by\n\n    {command}\n\n\
             | file | content |\n| --- | --- |\n\
             | `SYMBOL.parquet` | ts (UTC, start of the bar), symbol, open, high, low, close, volume |\n\
             | `actions.csv` | splits (new shares for one) and cash dividends (dollars a share), by ex-date |\n\
             | `vix.csv` | closes of the volatility index |\n\
             | `fundamentals.csv` | market capitalisation (dollars), P/E, debt to equity, exchange |\n\
             | `inverse.csv` | the fund that stands for being short a symbol; `*` for all others |\n",
            stocks = self.options.symbols,
            sessions = self.sessions.len(),
            first = date(self.sessions.first()),
            last = date(self.sessions.last()),
            seed = self.options.seed,
            command = self.command("DIR"),
        )
    }
}
