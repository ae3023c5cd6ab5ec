//! Market capitalizations from a table.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::{Fundamentals, UniverseError};
use crate::brokers::Answer;

/// Market capitalizations by symbol.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FileFundamentals(BTreeMap<String, Decimal>);

impl FileFundamentals {
    /// Reads CSV with the columns `symbol` and `market_cap` (dollars) among others; an empty value is not known.
    ///
    /// # Errors
    /// A column is missing, or a row has no number where one belongs.
    pub fn from_csv(text: &str) -> Result<FileFundamentals, UniverseError> {
        let fault = |row: usize, why: String| UniverseError::Content(format!("fundamentals, row {row}: {why}"));
        let mut reader = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(text.as_bytes());
        let headers = reader.headers().map_err(|error| fault(1, error.to_string()))?.clone();
        let column = |name: &str| {
            let at = headers.iter().position(|header| header.eq_ignore_ascii_case(name));
            at.ok_or_else(|| fault(1, format!("there is no column {name}")))
        };
        let (symbol, market_cap) = (column("symbol")?, column("market_cap")?);
        let mut caps = BTreeMap::new();
        for (row, record) in reader.records().enumerate() {
            let record = record.map_err(|error| fault(row + 2, error.to_string()))?;
            let field = |at: usize| record.get(at).unwrap_or_default();
            if field(market_cap).is_empty() {
                continue;
            }
            let cap = field(market_cap)
                .parse::<Decimal>()
                .or_else(|_| Decimal::from_scientific(field(market_cap)))
                .map_err(|_| fault(row + 2, format!("'{}' is not a number of dollars", field(market_cap))))?;
            caps.insert(field(symbol).to_ascii_uppercase(), cap);
        }
        Ok(FileFundamentals(caps))
    }
}

impl Fundamentals for FileFundamentals {
    fn market_cap<'a>(&'a self, symbol: &'a str) -> Answer<'a, Option<Decimal>> {
        Box::pin(async move { Ok(self.0.get(symbol).copied()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_by_the_names_of_its_columns() {
        let table =
            FileFundamentals::from_csv("exchange, Symbol,market_cap\nN,aapl,2.5e12\nN,BRK.B,\nN,F,4000000000.5\n")
                .unwrap();
        assert_eq!(table.0["AAPL"], Decimal::from(2_500_000_000_000_u64));
        assert_eq!(table.0["F"], Decimal::new(40_000_000_005, 1));
        assert_eq!(table.0.len(), 2);
        let wrong = |text: &str| FileFundamentals::from_csv(text).unwrap_err().to_string();
        assert!(wrong("symbol,cap\nA,1\n").contains("no column market_cap"));
        assert!(wrong("symbol,market_cap\nA,1\nB,much\n").contains("row 3: 'much'"));
    }
}
