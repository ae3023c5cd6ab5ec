//! Reports of a year, for tax and documentation.

use std::sync::Arc;

use chrono::Datelike;
use serde::Serialize;
use serde_json::json;

use super::ledger::file_name;
use crate::accounting::{Books, BooksError};
use crate::market::new_york_date;
use crate::runtime::core::Core;
use crate::runtime::gate::Caller;
use crate::runtime::input::Input;
use crate::runtime::reply::Refusal;
use crate::runtime::transfer::Sending;

/// A report as CSV.
type Csv = fn(&Books, u16) -> Result<String, BooksError>;

/// `GET /api/v1/reports/tax`: what was closed in a year.
pub async fn tax(core: &Arc<Core>, caller: &Arc<Caller>, input: &Input) -> Result<Sending, Refusal> {
    report(core, caller, input, "tax", Books::export_gains, |books, year| books.realised_gains(year)).await
}

/// `GET /api/v1/reports/activity`: what was booked in a year.
pub async fn activity(core: &Arc<Core>, caller: &Arc<Caller>, input: &Input) -> Result<Sending, Refusal> {
    report(core, caller, input, "activity", Books::export_activity, |books, year| books.activity(year)).await
}

/// A year has more rows than an answer may have, so a report is a file in either format.
async fn report<T: Serialize + 'static>(
    core: &Arc<Core>,
    caller: &Arc<Caller>,
    input: &Input,
    name: &'static str,
    csv: Csv,
    rows: fn(&Books, u16) -> Result<Vec<T>, BooksError>,
) -> Result<Sending, Refusal> {
    let now = caller.now;
    let this_year = u64::try_from(new_york_date(now).year()).unwrap_or(1970);
    let year = input.number("year", this_year, 1900, 9999)?;
    // Within the bounds above.
    let year = u16::try_from(year).unwrap_or(u16::MAX);
    let format = input.query("format").unwrap_or_else(|| "json".to_string());
    core.work(move |house| {
        let books = house.books()?;
        let (text, content_type) = match format.as_str() {
            "csv" => (csv(books, year)?, "text/csv; charset=utf-8"),
            "json" => {
                let currency = &books.identity().currency_code;
                let rows = rows(books, year)?;
                let report = json!({ "report": name, "year": year, "currency_code": currency, "rows": rows });
                (format!("{report}\n"), "application/json")
            }
            _ => return Err(Refusal::invalid_field("format", "Expected csv or json.")),
        };
        let file = file_name(house, &format!("{name}_{year}"), &format, now);
        Ok(Sending::bytes(text.into_bytes(), &file, content_type))
    })
    .await?
}
