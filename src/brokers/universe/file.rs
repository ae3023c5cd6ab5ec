//! What is known of companies, from a table.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::{Company, Fundamentals, UniverseError};
use crate::brokers::Answer;

/// Companies by symbol.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FileFundamentals(BTreeMap<String, Company>);

impl FileFundamentals {
    /// Reads CSV with the columns `symbol`, `market_cap` (dollars) and, if they are there, `pe_ratio` and `debt_equity`
    /// among others; an empty value is not known.
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
        let (pe_ratio, debt_equity) = (column("pe_ratio").ok(), column("debt_equity").ok());
        let mut companies = BTreeMap::new();
        for (row, record) in reader.records().enumerate() {
            let record = record.map_err(|error| fault(row + 2, error.to_string()))?;
            let field = |at: usize| record.get(at).unwrap_or_default();
            let number = |at: Option<usize>| {
                let text = at.map(field).filter(|text| !text.is_empty());
                let read = |text: &str| text.parse::<Decimal>().or_else(|_| Decimal::from_scientific(text));
                let wrong = |text: &str| fault(row + 2, format!("'{text}' is not a number"));
                text.map(|text| read(text).map_err(|_| wrong(text))).transpose()
            };
            let company = Company {
                market_cap: number(Some(market_cap))?,
                pe_ratio: number(pe_ratio)?,
                debt_equity: number(debt_equity)?,
            };
            companies.insert(field(symbol).to_ascii_uppercase(), company);
        }
        Ok(FileFundamentals(companies))
    }
}

impl Fundamentals for FileFundamentals {
    fn company<'a>(&'a self, symbol: &'a str) -> Answer<'a, Company> {
        Box::pin(async move { Ok(self.0.get(symbol).copied().unwrap_or_default()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_by_the_names_of_its_columns() {
        let table = FileFundamentals::from_csv(
            "exchange, Symbol,market_cap,pe_ratio\nN,aapl,2.5e12,31.5\nN,BRK.B,,\nN,F,4000000000.5,\n",
        )
        .unwrap();
        let cap = |symbol: &str| table.0[symbol].market_cap;
        assert_eq!(cap("AAPL"), Some(Decimal::from(2_500_000_000_000_u64)));
        assert_eq!(table.0["AAPL"].pe_ratio, Some(Decimal::new(315, 1)));
        assert_eq!((cap("F"), table.0["F"].pe_ratio), (Some(Decimal::new(40_000_000_005, 1)), None));
        assert_eq!(table.0["BRK.B"], Company::default());
        let wrong = |text: &str| FileFundamentals::from_csv(text).unwrap_err().to_string();
        assert!(wrong("symbol,cap\nA,1\n").contains("no column market_cap"));
        assert!(wrong("symbol,market_cap\nA,1\nB,much\n").contains("row 3: 'much'"));
    }
}
