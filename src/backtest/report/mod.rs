//! `report.html`: one self-contained page about a run, in the order a sceptical reader asks.
//!
//! The page opens from a file, asks the network for nothing and runs only the scripts of this project.
//! Everything that can be said without a script is in the HTML; the charts (`web/static/js/charts.js`) draw from
//! one block of JSON, which is decimated here so that a run of a million steps gives a page of a few
//! megabytes at most. The page depends on the run alone: the same run gives the same bytes.

mod cautions;
mod decimate;
pub(crate) mod embed;
mod format;
pub(crate) mod histogram;
mod metrics;
mod overview;
mod payload;
mod prices;
mod sections;
pub mod series;
mod sessions;
mod trades;

pub use prices::PriceSeries;

use super::EquityCurve;
use super::store::{StoreError, Summary, TradeRow};
use askama::Template;
use sections::Page;
use serde_json::Value;

/// What a report is made of.
#[derive(Debug, Clone, Copy)]
pub struct ReportSource<'a> {
    /// `run.json`; its key `assumptions` is a list of sentences, `command` the command line.
    pub run: &'a Value,
    pub summary: &'a Summary,
    pub equity: &'a EquityCurve,
    /// In order of exit.
    pub trades: &'a [TradeRow],
}

/// The page as HTML. `prices` are the series of the symbols with trades; without them the page says that
/// prices are not part of it.
pub fn render(source: &ReportSource, prices: &[PriceSeries<'_>]) -> Result<String, StoreError> {
    Ok(Page::new(source, prices)?.render()?)
}
