//! A chart of accounts as Markdown, CSV or JSON.

use super::books::Identity;
use super::cells::CsvText;
use super::chart::Chart;
use serde_json::json;

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

/// The chart with its metadata.
pub(super) fn export(chart: &Chart, identity: &Identity, version: &str, updated: &str, format: ChartFormat) -> String {
    match format {
        ChartFormat::Markdown => markdown(chart, identity, version, updated),
        ChartFormat::Csv => csv(chart),
        ChartFormat::Json => {
            let value = json!({
                "coa_version": version,
                "entity": identity.entity,
                "jurisdiction": identity.jurisdiction,
                "currency_code": identity.currency_code,
                "last_updated_utc": updated,
                "accounts": chart,
            });
            format!("{value:#}\n")
        }
    }
}

fn markdown(chart: &Chart, identity: &Identity, version: &str, updated: &str) -> String {
    let mut text = format!(
        "# Chart of accounts\n\nEntity {}, jurisdiction {}, currency {}, version {version} of {updated}.\n\n\
         | code | name | type | active | description |\n| --- | --- | --- | --- | --- |\n",
        markdown_cell(&identity.entity),
        markdown_cell(&identity.jurisdiction),
        identity.currency_code,
    );
    for (depth, account) in chart.tree() {
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
