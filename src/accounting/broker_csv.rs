//! Executions in a CSV file of a broker.

use super::chart::is_text;
use super::money::{self, AMOUNT_DECIMALS, UNIT_DECIMALS};
use crate::market::{format_date, new_york_date, parse_date, parse_time};
use crate::trading::Side;
use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// Most bytes of a file.
pub const MOST_UPLOAD_BYTES: usize = 5 * 1024 * 1024;
/// Most rows of a file.
pub const MOST_UPLOAD_ROWS: usize = 50_000;
/// Most errors that are told.
const MOST_ERRORS: usize = 100;

/// Columns by the names that brokers give them, in lower case with `_` for everything between words.
const COLUMNS: [(&str, bool, &[&str]); 7] = [
    ("date", true, &["date", "trade_date", "tradedate", "date_time", "datetime", "time", "utc", "transaction_time"]),
    ("symbol", true, &["symbol", "ticker", "instrument"]),
    ("side", true, &["side", "action", "buy_sell", "b_s", "type"]),
    ("qty", true, &["qty", "quantity", "shares", "filled_qty"]),
    ("price", true, &["price", "t_price", "tradeprice", "trade_price", "fill_price"]),
    ("fees", false, &["fees", "fee", "commission", "comm_fee", "ibcommission", "charges"]),
    (
        "execution_id",
        false,
        &["execution_id", "exec_id", "execid", "ibexecid", "trade_id", "tradeid", "id", "reference"],
    ),
];

/// One execution as the broker tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatementRow {
    /// Line of the file, from 1; the header is line 1.
    pub line: u64,
    /// Trade date, `YYYY-MM-DD` in New York.
    pub date: String,
    /// What was traded.
    pub symbol: String,
    /// `buy` or `sell`.
    pub side: String,
    /// Units, positive.
    #[serde(with = "rust_decimal::serde::str")]
    pub quantity: Decimal,
    /// Dollars a share.
    #[serde(with = "rust_decimal::serde::str")]
    pub price: Decimal,
    /// Commission and fees, dollars, if the file has them.
    #[serde(with = "rust_decimal::serde::str_option")]
    pub fees: Option<Decimal>,
    /// Execution id, if the file has it.
    pub execution: Option<String>,
}

/// A line that is no execution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RowError {
    /// Line of the file.
    pub line: u64,
    /// What is wrong.
    pub why: String,
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Executions, in order of the file.
    pub rows: Vec<StatementRow>,
    /// The first lines that are none.
    pub errors: Vec<RowError>,
}

impl Statement {
    /// Reads a CSV file with a header line. Needed are columns for date, symbol, side, quantity and price; fees and
    /// execution id are used if they are there. Signs of quantities and fees are ignored, as are `$` and commas
    /// between digits.
    ///
    /// # Errors
    /// The file is too large, no UTF-8, or lacks a column.
    pub fn parse(bytes: &[u8]) -> Result<Statement, String> {
        if bytes.len() > MOST_UPLOAD_BYTES {
            return Err(format!("it has {} bytes; at most {MOST_UPLOAD_BYTES} are read", bytes.len()));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_string())?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut reader = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(text.as_bytes());
        let header = reader.headers().map_err(|error| error.to_string())?;
        let columns = Columns::find(header)?;
        let mut statement = Statement { rows: Vec::new(), errors: Vec::new() };
        let mut lines = Lines { text, at: 0, line: 1 };
        for record in reader.records() {
            let record = record.map_err(|error| error.to_string())?;
            let line = lines.line_of(record.position().map_or(0, csv::Position::byte));
            if record.iter().all(str::is_empty) {
                continue;
            }
            match columns.row(&record, line) {
                Ok(row) => statement.rows.push(row),
                Err(why) if statement.errors.len() < MOST_ERRORS => statement.errors.push(RowError { line, why }),
                Err(_) => {}
            }
            if statement.rows.len() > MOST_UPLOAD_ROWS {
                return Err(format!("it has more than {MOST_UPLOAD_ROWS} rows"));
            }
        }
        Ok(statement)
    }
}

/// Counts lines: the reader places a record at the line end or empty lines before it.
struct Lines<'a> {
    text: &'a str,
    at: usize,
    line: u64,
}

impl Lines<'_> {
    /// The line, from 1, of the record that the reader places at a byte; records are asked for in order.
    fn line_of(&mut self, byte: u64) -> u64 {
        let bytes = self.text.as_bytes();
        let mut start = usize::try_from(byte).map_or(bytes.len(), |byte| byte.min(bytes.len()));
        while bytes.get(start).is_some_and(|b| matches!(b, b'\r' | b'\n')) {
            start += 1;
        }
        let passed = bytes.get(self.at..start).unwrap_or_default();
        self.line += passed.iter().filter(|b| **b == b'\n').count() as u64;
        self.at = self.at.max(start);
        self.line
    }
}

/// Where the columns of [`COLUMNS`] are.
struct Columns([Option<usize>; COLUMNS.len()]);

impl Columns {
    fn find(header: &csv::StringRecord) -> Result<Columns, String> {
        let names: Vec<String> = header.iter().map(plain_name).collect();
        let mut columns = Columns([None; COLUMNS.len()]);
        for (at, (name, is_needed, aliases)) in columns.0.iter_mut().zip(COLUMNS) {
            *at = aliases.iter().find_map(|alias| names.iter().position(|found| found == alias));
            if is_needed && at.is_none() {
                let shown: String = names.join(", ").chars().take(200).collect();
                return Err(format!("there is no column for {name} ({}); found {shown}", aliases.join(", ")));
            }
        }
        Ok(columns)
    }

    fn row(&self, record: &csv::StringRecord, line: u64) -> Result<StatementRow, String> {
        let cell = |k: usize| self.0[k].and_then(|at| record.get(at)).unwrap_or("");
        let symbol = cell(1);
        if symbol.is_empty() || !is_text(symbol, 64) {
            return Err("symbol: expected 1 to 64 characters".to_string());
        }
        let execution = cell(6);
        if !is_text(execution, 128) {
            return Err("execution id: expected at most 128 characters".to_string());
        }
        let quantity = number("quantity", cell(3), UNIT_DECIMALS)?.abs();
        if quantity.is_zero() {
            return Err("quantity: expected more than 0".to_string());
        }
        let price = number("price", cell(4), UNIT_DECIMALS)?;
        if price < Decimal::ZERO {
            return Err(format!("price: {price} is negative"));
        }
        let fees = if cell(5).is_empty() { None } else { Some(number("fees", cell(5), AMOUNT_DECIMALS)?.abs()) };
        Ok(StatementRow {
            line,
            date: format_date(date(cell(0))?),
            symbol: symbol.to_string(),
            side: side(cell(2))?.name().to_string(),
            quantity,
            price,
            fees,
            execution: (!execution.is_empty()).then(|| execution.to_string()),
        })
    }
}

/// `T. Price` becomes `t_price`.
fn plain_name(name: &str) -> String {
    let words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join("_")
}

fn number(what: &str, cell: &str, decimals: u32) -> Result<Decimal, String> {
    let plain: String = cell.chars().filter(|c| !matches!(c, '$' | ',' | ' ')).collect();
    money::parse(&plain, decimals).map_err(|error| format!("{what}: {error}"))
}

fn date(cell: &str) -> Result<NaiveDate, String> {
    if let Ok(date) = parse_date(cell) {
        return Ok(date);
    }
    if let Ok(date) = NaiveDate::parse_from_str(cell, "%m/%d/%Y") {
        return Ok(date);
    }
    // A time without offset is New York's: its date is what counts.
    if let Some(Ok(date)) = cell.split([' ', ',', ';', 'T']).next().map(parse_date)
        && parse_time(cell).is_err()
    {
        return Ok(date);
    }
    let shown: String = cell.chars().take(40).collect();
    let time =
        parse_time(cell).map_err(|_| format!("date: '{shown}' is not YYYY-MM-DD, MM/DD/YYYY or an RFC 3339 time"))?;
    Ok(new_york_date(time))
}

fn side(cell: &str) -> Result<Side, String> {
    match plain_name(cell).as_str() {
        "buy" | "b" | "bot" | "bought" | "buy_to_cover" | "buy_to_open" | "buy_to_close" => Ok(Side::Buy),
        "sell" | "s" | "sld" | "sold" | "sell_short" | "sell_to_open" | "sell_to_close" => Ok(Side::Sell),
        _ => Err(format!("side: '{}' is neither buy nor sell", cell.chars().take(40).collect::<String>())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_brokers_are_read_under_their_own_column_names() {
        let file = "\u{feff}Trade Date,Symbol,Buy/Sell,Quantity,T. Price,Comm/Fee,Exec ID\r\n\
            2026-03-02,AAPL,BOT,100,\"1,001.50\",-1.00,e1\r\n\
            03/02/2026, MSFT ,sell short,-5,$20.25,,\r\n\
            2026-03-03T01:30:00Z,SPY,SLD,0.5,500,0.02,e3\r\n\
            \"2026-03-03, 15:59:59\",SPY,b,1,500,0,e4\r\n";
        let statement = Statement::parse(file.as_bytes()).unwrap();
        assert_eq!(statement.errors, []);
        let told: Vec<String> = statement
            .rows
            .iter()
            .map(|row| {
                let fees = row.fees.map(|fees| fees.to_string());
                let StatementRow { line, date, symbol, side, quantity, price, execution, .. } = row;
                format!("{line} {date} {symbol} {side} {quantity} {price} {fees:?} {execution:?}")
            })
            .collect();
        assert_eq!(
            told,
            [
                "2 2026-03-02 AAPL buy 100 1001.5 Some(\"1\") Some(\"e1\")",
                "3 2026-03-02 MSFT sell 5 20.25 None None",
                // Half past one in the morning in Greenwich is the evening before in New York.
                "4 2026-03-02 SPY sell 0.5 500 Some(\"0.02\") Some(\"e3\")",
                "5 2026-03-03 SPY buy 1 500 Some(\"0\") Some(\"e4\")",
            ]
        );
    }

    #[test]
    fn lines_that_are_no_executions_are_told_with_their_number() {
        let file = "date,symbol,side,qty,price\n\n2026-03-02,AAPL,hold,1,1\n2026-03-02,AAPL,buy,x,1\n2026-13-02,AAPL,buy,1,1\n\
            2026-03-02,,buy,1,1\n2026-03-02,AAPL,buy,0,1\n2026-03-02,AAPL,buy,1,-1\n2026-03-02,AAPL\n2026-03-02,AAPL,buy,1,NaN\n";
        let statement = Statement::parse(file.as_bytes()).unwrap();
        assert_eq!(statement.rows, []);
        assert_eq!(statement.errors.iter().map(|e| e.line).collect::<Vec<_>>(), [3, 4, 5, 6, 7, 8, 9, 10]);
    }

    #[test]
    fn what_is_no_such_file_is_refused_as_a_whole() {
        assert!(Statement::parse(b"").unwrap_err().contains("no column for date"));
        assert!(Statement::parse(b"date,symbol,side,qty\n").unwrap_err().contains("no column for price"));
        assert!(Statement::parse(&[0xff, 0xfe, 0x00]).unwrap_err().contains("UTF-8"));
        let rows = |count| "date,symbol,side,qty,price\n".to_string() + &"2026-03-02,A,buy,1,1\n".repeat(count);
        assert_eq!(Statement::parse(rows(MOST_UPLOAD_ROWS).as_bytes()).unwrap().rows.len(), MOST_UPLOAD_ROWS);
        assert!(Statement::parse(rows(MOST_UPLOAD_ROWS + 1).as_bytes()).unwrap_err().contains("50000 rows"));
        assert!(Statement::parse(&vec![b'a'; MOST_UPLOAD_BYTES + 1]).unwrap_err().contains("bytes"));
    }
}
