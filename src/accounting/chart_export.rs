//! A chart of accounts as Markdown, CSV or JSON.

use super::cells::CsvText;
use super::chart::Chart;
use super::error::BooksError;
use serde::Serialize;

/// A form of export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChartFormat {
    /// A table for documents.
    Markdown,
    /// For spreadsheets.
    Csv,
    /// As the API gives it.
    Json,
}

/// A chart with its metadata: the JSON of the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChartDocument<'a> {
    /// Counts up: `1`, `2`, ...
    pub coa_version: &'a str,
    /// Entity code.
    pub entity: &'a str,
    /// Jurisdiction code.
    pub jurisdiction: &'a str,
    /// ISO 4217.
    pub currency_code: &'a str,
    /// When this version was made.
    pub last_updated_utc: &'a str,
    /// Accounts by code.
    pub accounts: &'a Chart,
}

/// The chart in a form.
pub(super) fn export(document: &ChartDocument<'_>, format: ChartFormat) -> Result<String, BooksError> {
    match format {
        ChartFormat::Markdown => Ok(markdown(document)),
        ChartFormat::Csv => Ok(csv(document.accounts)),
        ChartFormat::Json => {
            let json = serde_json::to_string_pretty(document).map_err(|e| BooksError::Damaged(e.to_string()))?;
            Ok(json + "\n")
        }
    }
}

fn markdown(document: &ChartDocument<'_>) -> String {
    let ChartDocument { coa_version, entity, jurisdiction, currency_code, last_updated_utc, accounts } = document;
    let mut text = format!(
        "# Chart of accounts\n\nEntity {entity}, jurisdiction {jurisdiction}, currency {currency_code}, version \
         {coa_version} of {last_updated_utc}.\n\n| code | name | type | active | description |\n\
         | --- | --- | --- | --- | --- |\n"
    );
    for (depth, account) in accounts.tree() {
        text += &format!(
            "| {} | {}{} | {} | {} | {} |\n",
            account.code,
            "&emsp;".repeat(depth),
            markdown_cell(&account.name),
            account.kind,
            if account.active { "yes" } else { "no" },
            markdown_cell(&account.description),
        );
    }
    text
}

/// Text that neither ends its cell nor is markup.
fn markdown_cell(text: &str) -> String {
    let mut cell = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => cell += "&lt;",
            '&' => cell += "&amp;",
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' => cell.extend(['\\', c]),
            _ => cell.push(c),
        }
    }
    cell
}

fn csv(chart: &Chart) -> String {
    let mut text = CsvText::new(&["code", "name", "type", "parent", "currency_code", "active", "description"]);
    for account in chart.accounts() {
        text.row(&[
            account.code.as_str(),
            &account.name,
            account.kind.word(),
            account.parent.as_deref().unwrap_or(""),
            &account.currency_code,
            if account.active { "true" } else { "false" },
            &account.description,
        ]);
    }
    text.finish()
}
