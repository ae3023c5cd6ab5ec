//! What is known beside the bars that a broker tells: files of a folder.

use std::path::Path;

use super::DataError;
use super::chunk::Blob;
use super::context::{Symbols, read_fundamentals, read_inverse, read_vix};
use super::table::Table;
use crate::market::{Fundamentals, InverseMap, Vix};

/// What is known beside the bars. What there is no file of is not known.
#[derive(Debug, Default, PartialEq)]
pub struct Beside {
    /// `vix.csv`: `date,close`.
    pub vix: Option<Vix>,
    /// `fundamentals.csv`: `symbol,market_cap,pe_ratio,debt_equity,exchange`.
    pub fundamentals: Option<Fundamentals>,
    /// `inverse.csv`: `symbol,etf,leverage`; `*` for all others.
    pub inverse: Option<InverseMap>,
}

impl Beside {
    /// Reads the files of a folder, as those of a backtest are, for these symbols in order of name.
    ///
    /// # Errors
    /// A file that is not of its form.
    pub fn read(folder: &Path, symbols: &[String]) -> Result<Beside, DataError> {
        let known = Symbols(symbols);
        let blob = |name: &str| file(folder, name);
        Ok(Beside {
            vix: blob("vix.csv").map(|blob| read_vix(&blob, None)).transpose()?,
            fundamentals: blob("fundamentals.csv").map(|blob| read_fundamentals(&blob, &known)).transpose()?,
            inverse: blob("inverse.csv").map(|blob| read_inverse(&blob, &known)).transpose()?.map(|(map, _)| map),
        })
    }

    /// The funds that `inverse.csv` names: their bars are needed, too.
    ///
    /// # Errors
    /// As [`Beside::read`].
    pub fn inverse_funds(folder: &Path) -> Result<Vec<String>, DataError> {
        let Some(blob) = file(folder, "inverse.csv") else { return Ok(Vec::new()) };
        let table = Table::read(&blob)?;
        let etf = table.column(&["etf", "inverse"])?;
        let mut funds: Vec<String> = Vec::new();
        for row in table.rows() {
            funds.push(row.need(etf)?.to_string());
        }
        funds.sort();
        funds.dedup();
        Ok(funds)
    }
}

fn file(folder: &Path, name: &str) -> Option<Blob> {
    Some(folder.join(name)).filter(|path| path.exists()).map(Blob::Path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::SymbolId;

    #[test]
    fn what_has_no_file_is_not_known_and_funds_are_symbols_too() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Beside::read(folder.path(), &[]).unwrap(), Beside::default());
        assert!(Beside::inverse_funds(folder.path()).unwrap().is_empty());
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("vix.csv", "date,close\n2024-03-25,13.5\n");
        write(
            "fundamentals.csv",
            "symbol,market_cap,pe_ratio,debt_equity,exchange\nABC,5e9,20,1.5,NYSE\nXYZ,1,1,1,NYSE\n",
        );
        write("inverse.csv", "symbol,etf,leverage\nABC,SH,1\n*,PSQ,1\nDEF,SH,1\n");
        assert_eq!(Beside::inverse_funds(folder.path()).unwrap(), ["PSQ", "SH"]);
        let symbols = ["ABC", "PSQ", "SH"].map(String::from);
        let beside = Beside::read(folder.path(), &symbols).unwrap();
        assert_eq!(beside.vix.unwrap().daily[0].1, 13.5);
        let fundamentals = beside.fundamentals.unwrap();
        assert_eq!((fundamentals.len(), fundamentals[&SymbolId(0)][0].pe_ratio), (1, Some(20.0)));
        assert_eq!(beside.inverse.unwrap().by_symbol[&SymbolId(0)], (SymbolId(2), 1.0));
        write("vix.csv", "date,close\n2024-03-25,low\n");
        let error = Beside::read(folder.path(), &symbols).unwrap_err().to_string();
        assert!(error.contains("vix.csv") && error.contains("low"), "{error}");
    }
}
