//! The ledger and its reports as CSV and JSON.

use super::books::{Activity, ChartVersion, Entry, Identity, RealisedGain, Term};
use super::cells::CsvText;
use super::chart::Chart;
use super::error::BooksError;
use super::event::Instrument;
use rust_decimal::Decimal;
use serde_json::json;

/// One row a line; an entry without lines has one row all the same.
pub(super) fn ledger_csv(entries: &[Entry], chart: &Chart) -> String {
    let mut text = CsvText::new(&[
        "entry",
        "date",
        "utc",
        "memo",
        "source",
        "reference",
        "version",
        "flags",
        "created_by",
        "account",
        "account_name",
        "debit",
        "credit",
    ]);
    for entry in entries {
        let (id, version, flags) = (entry.id.to_string(), entry.version.to_string(), entry.flags.join(" "));
        let reference = entry.reference.as_deref().unwrap_or("");
        let head =
            [&id, &entry.date, &entry.utc, &entry.memo, &entry.source, reference, &version, &flags, &entry.created_by];
        let mut row = |tail: [&str; 4]| text.row(&head.into_iter().chain(tail).collect::<Vec<&str>>());
        for line in &entry.lines {
            let name = chart.get(&line.account).map_or("", |account| account.name.as_str());
            row([&line.account, name, &line.debit.to_string(), &line.credit.to_string()]);
        }
        if entry.lines.is_empty() {
            row(["", "", "0", "0"]);
        }
    }
    text.finish()
}

/// Metadata and entries.
pub(super) fn ledger_json(
    entries: &[Entry],
    identity: &Identity,
    version: &ChartVersion,
) -> Result<String, BooksError> {
    let entries = serde_json::to_value(entries).map_err(|error| BooksError::Damaged(error.to_string()))?;
    let value = json!({
        "entity": identity.entity,
        "jurisdiction": identity.jurisdiction,
        "currency_code": identity.currency_code,
        "coa_version": version.coa_version,
        "entries": entries,
    });
    Ok(format!("{value:#}\n"))
}

/// Lines of form 8949.
pub(super) fn gains(gains: &[RealisedGain]) -> String {
    let mut text = CsvText::new(&[
        "instrument",
        "kind",
        "direction",
        "quantity",
        "opened",
        "closed",
        "proceeds",
        "basis",
        "gain",
        "term",
        "entry",
    ]);
    for gain in gains {
        text.row(&[
            gain.instrument.name.as_str(),
            gain.instrument.kind.word(),
            gain.direction.word(),
            &gain.quantity.to_string(),
            &gain.opened,
            &gain.closed,
            &gain.proceeds.to_string(),
            &gain.basis.to_string(),
            &gain.gain.to_string(),
            if gain.term == Term::Long { "long" } else { "short" },
            &gain.entry.to_string(),
        ]);
    }
    text.finish()
}

/// One row an entry.
pub(super) fn activity(rows: &[Activity]) -> String {
    let mut text = CsvText::new(&[
        "date",
        "utc",
        "source",
        "instrument",
        "kind",
        "side",
        "quantity",
        "price",
        "commission",
        "regulatory_fees",
        "cash",
        "reference",
        "memo",
        "entry",
    ]);
    let number = |value: Option<Decimal>| value.map_or_else(String::new, |value| value.to_string());
    for row in rows {
        let Activity { date, utc, source, memo, .. } = row;
        let instrument: Option<&Instrument> = row.instrument.as_ref();
        text.row(&[
            date.as_str(),
            utc,
            source,
            instrument.map_or("", |instrument| &instrument.name),
            instrument.map_or("", |instrument| instrument.kind.word()),
            row.side.unwrap_or(""),
            &number(row.quantity),
            &number(row.price),
            &number(row.commission),
            &number(row.regulatory_fees),
            &row.cash.to_string(),
            row.reference.as_deref().unwrap_or(""),
            memo,
            &row.entry.to_string(),
        ]);
    }
    text.finish()
}
