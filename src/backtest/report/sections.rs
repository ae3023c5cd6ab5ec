//! What the template `web/report.html` shows.

use super::ReportSource;
use super::cautions::{cautions, total_costs};
use super::embed::{SHARED_SCRIPTS, STYLE, to_script};
use super::format::{count, money, percent, plural, signed_percent, tone};
use super::metrics::{Unit, meaning};
use super::overview::{Tile, tiles};
use super::payload::Payload;
use super::prices::{PricePanel, PriceSeries};
use super::sessions::{Year, session_closes, years};
use super::trades::{GroupTable, TradeView, extremes, group_tables};
use crate::backtest::store::{StoreError, Summary};
use askama::Template;
use serde_json::Value;

/// `run.json` is shown whole up to this many characters.
const MOST_RUN_JSON: usize = 200_000;

/// The page.
#[derive(Template)]
#[template(path = "report.html")]
pub struct Page {
    style: &'static str,
    charts: &'static str,
    script: &'static str,
    data: String,
    title: String,
    subtitle: String,
    run_id: String,
    tiles: Vec<Tile>,
    warnings: Vec<String>,
    cautions: Vec<String>,
    years: Vec<YearRow>,
    has_returns: bool,
    has_trades: bool,
    has_prices: bool,
    has_strategy_chart: bool,
    price_notes: Vec<String>,
    groups: Vec<GroupTable>,
    best: Vec<TradeView>,
    worst: Vec<TradeView>,
    metrics: Vec<MetricRow>,
    costs: Vec<CostRow>,
    ambiguity: Vec<String>,
    assumptions: Vec<String>,
    quality: Vec<QualityRow>,
    params: Vec<(String, String)>,
    facts: Vec<(&'static str, String)>,
    run_json: String,
}

/// One year of the monthly table.
pub struct YearRow {
    year: i32,
    months: Vec<HeatCell>,
    total: HeatCell,
}

/// One month: its return and how strongly it is coloured.
pub struct HeatCell {
    text: String,
    class: String,
}

/// One metric.
pub struct MetricRow {
    name: String,
    label: String,
    value: String,
    tone: &'static str,
    meaning: &'static str,
}

/// One kind of cost.
pub struct CostRow {
    label: &'static str,
    dollars: String,
    share: String,
    meaning: &'static str,
}

/// One count of the data check.
pub struct QualityRow {
    label: String,
    count: String,
    meaning: &'static str,
}

impl Page {
    /// Works out everything the page says.
    pub fn new(source: &ReportSource, prices: &[PriceSeries<'_>]) -> Result<Page, StoreError> {
        let s = source.summary;
        let closes = session_closes(&source.equity.time, &source.equity.equity, s.start_equity);
        let panel = PricePanel::new(prices, source.trades);
        let payload = Payload::new(source, &closes, panel);
        let (best, worst) = extremes(source.trades);
        let json_failed = |source| StoreError::Json { path: "report.html".into(), source };
        Ok(Page {
            style: STYLE,
            charts: SHARED_SCRIPTS,
            script: include_str!("../../../web/report.js"),
            data: to_script(&payload).map_err(json_failed)?,
            title: s.strategies.join(", "),
            subtitle: format!(
                "{} · {} to {} · {} · {}",
                symbols(&s.symbols),
                s.from,
                s.to,
                plural(s.sessions, "session"),
                plural(s.bars, "bar"),
            ),
            run_id: s.run_id.clone(),
            tiles: tiles(s),
            warnings: s.warnings.clone(),
            cautions: cautions(s, source.trades),
            years: years(&closes, s.start_equity).into_iter().map(year_row).collect(),
            has_returns: !closes.is_empty(),
            has_trades: !source.trades.is_empty(),
            has_prices: payload.prices().is_some(),
            has_strategy_chart: payload.has_strategy_chart(),
            price_notes: price_notes(&payload, !source.trades.is_empty()),
            groups: group_tables(source.trades),
            best,
            worst,
            metrics: s.metrics.iter().map(|(name, value)| metric_row(name, value.as_f64())).collect(),
            costs: cost_rows(s),
            ambiguity: ambiguity(s),
            assumptions: sentences(source.run, "assumptions"),
            quality: quality_rows(s),
            params: flat(&s.params),
            facts: facts(source),
            run_json: run_json(source.run).map_err(json_failed)?,
        })
    }
}

/// Up to six symbols by name, else their number.
fn symbols(names: &[String]) -> String {
    match names.len() {
        0 => "no symbol".to_string(),
        1..=6 => names.join(", "),
        n => format!("{} and {} more symbols", names[..4].join(", "), count(n as u64 - 4)),
    }
}

fn year_row(year: Year) -> YearRow {
    YearRow { year: year.year, months: year.months.into_iter().map(heat_cell).collect(), total: heat_cell(year.total) }
}

/// Colour in five steps either side of zero: 0.5, 1, 2, 4 percent and beyond.
fn heat_cell(value: Option<f64>) -> HeatCell {
    let Some(v) = value else { return HeatCell { text: String::new(), class: "none".to_string() } };
    let step = [0.005, 0.01, 0.02, 0.04].iter().filter(|&&edge| v.abs() >= edge).count() + 1;
    let class = match tone(v) {
        "" => "flat".to_string(),
        tone => format!("{tone}-{step}"),
    };
    HeatCell { text: signed_percent(v).trim_end_matches(" %").to_string(), class }
}

fn metric_row(name: &str, value: Option<f64>) -> MetricRow {
    let (label, unit, text) = match meaning(name) {
        Some(m) => (m.label.to_string(), m.unit, m.text),
        None => (name.replace('_', " "), Unit::Ratio, ""),
    };
    let tone =
        if matches!(name, "total_return" | "cagr" | "sharpe" | "net_profit" | "expectancy") { tone(value) } else { "" };
    MetricRow { name: name.to_string(), label, value: unit.text(value), tone, meaning: text }
}

fn cost_rows(s: &Summary) -> Vec<CostRow> {
    let gross = s.metric("gross_profit").filter(|&g| g > 0.0);
    let row = |label, dollars: f64, meaning| CostRow {
        label,
        dollars: money(dollars),
        share: percent(gross.map(|g| dollars / g)),
        meaning,
    };
    let c = &s.costs;
    vec![
        row("Commission", c.commission, "Fees of the broker, the exchange and the regulator."),
        row("Slippage", c.slippage, "Difference between the price met and the price paid, by the slippage model."),
        row("Borrow", c.borrow, "Fees for borrowed shares held overnight."),
        row("Interest", c.interest, "Interest on a negative cash balance held overnight."),
        row("All costs", total_costs(s), "Sum of the above."),
    ]
}

/// What the ambiguity of bars means for this run, in plain words.
fn ambiguity(s: &Summary) -> Vec<String> {
    let mut out = vec![
        "A bar gives open, high, low and close, but not whether the high or the low came first. When orders on both \
         sides are live, the answer decides which of them fills."
            .to_string(),
    ];
    if s.trades == 0 {
        return out;
    }
    if s.ambiguity.trades == 0 {
        out.push("In this run no trade depends on it: both orders of the extremes give the same fills.".to_string());
        return out;
    }
    out.push(format!(
        "In this run {} of {} ({}) would have filled differently under the other order. Taken bar by bar, equity at the \
         close of those bars would differ by ${} in sum.",
        count(s.ambiguity.trades),
        plural(s.trades, "trade"),
        percent(s.ambiguity.trades as f64 / s.trades as f64),
        money(s.ambiguity.pnl),
    ));
    if let Some(net) = s.metric("net_profit").filter(|&net| net != 0.0) {
        out.push(format!(
            "That is {} of the net result of trades. Runs with --fill pessimistic and --fill optimistic give the two ends.",
            percent(s.ambiguity.pnl / net.abs())
        ));
    }
    out
}

fn quality_rows(s: &Summary) -> Vec<QualityRow> {
    let text = |name: &str| match name {
        "missing_bars" => "Bars absent from sessions in which the symbol has others.",
        "gaps" => "Runs of missing bars.",
        "missing_sessions" => "Sessions of a symbol without any bar.",
        "zero_volume" => "Bars without volume.",
        "jumps" => "Closes more than 25 % away from the bar before.",
        "outside_session" => "Bars outside regular trading hours; dropped unless extended hours are on.",
        "not_selected" => "Rows of the files left out by the choice of symbols, dates or bars.",
        _ => "",
    };
    let shown = |value: &Value| value.as_u64().map_or_else(|| plain(value), count);
    s.data_quality
        .iter()
        .map(|(name, value)| QualityRow { label: name.replace('_', " "), count: shown(value), meaning: text(name) })
        .collect()
}

fn price_notes(payload: &Payload, has_trades: bool) -> Vec<String> {
    let mut notes = Vec::new();
    match payload.prices() {
        None if has_trades => {
            notes.push("Prices are not part of this page: it was made without the market data of the run.".to_string());
        }
        None => {}
        Some(panel) => {
            if panel.bars_per_candle > 1 {
                notes
                    .push(format!("To keep the page small, one candle of a day holds {} bars.", panel.bars_per_candle));
            }
            if panel.bars_per_candle == 0 {
                notes.push("To keep the page small, single days are left out.".to_string());
            }
            if panel.left_out > 0 {
                notes.push(format!("{} without prices here.", plural(panel.left_out as u64, "traded symbol")));
            }
        }
    }
    if payload.unmarked > 0 && payload.prices().is_some() {
        notes.push(format!(
            "The trades with the largest results are marked; {} are in trades.csv only.",
            plural(payload.unmarked as u64, "smaller trade")
        ));
    }
    notes
}

fn facts(source: &ReportSource) -> Vec<(&'static str, String)> {
    let s = source.summary;
    let mut facts = vec![
        ("Run", s.run_id.clone()),
        ("Fingerprint", s.fingerprint.clone()),
        ("Data hash", s.data_hash.clone()),
        ("Seed", s.seed.to_string()),
        ("Program", format!("tbot {}", s.version)),
    ];
    if let Some(command) = source.run.get("command").map(command_text).filter(|c| !c.is_empty()) {
        facts.push(("Command", command));
    }
    facts.push(("Check", format!("tbot verify {}", s.run_id)));
    facts
}

/// A command line given as one text or as its words.
fn command_text(value: &Value) -> String {
    match value {
        Value::Array(words) => words.iter().map(plain).collect::<Vec<_>>().join(" "),
        other => plain(other),
    }
}

/// The sentences under `key`.
fn sentences(run: &Value, key: &str) -> Vec<String> {
    run.get(key).and_then(Value::as_array).map(|list| list.iter().map(plain).collect()).unwrap_or_default()
}

/// A JSON value without quotes around text.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Nested objects as dotted names with their values.
fn flat(value: &Value) -> Vec<(String, String)> {
    fn walk(name: &str, value: &Value, out: &mut Vec<(String, String)>) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                    walk(&name, value, out);
                }
            }
            Value::Null => out.push((name.to_string(), "none".to_string())),
            Value::Array(list) => {
                out.push((name.to_string(), list.iter().map(plain).collect::<Vec<_>>().join(", ")));
            }
            other => out.push((name.to_string(), plain(other))),
        }
    }
    let mut out = Vec::new();
    walk("", value, &mut out);
    out
}

/// `run.json`, indented; a note when it is too long for a page.
fn run_json(run: &Value) -> Result<String, serde_json::Error> {
    let text = serde_json::to_string_pretty(run)?;
    Ok(if text.len() <= MOST_RUN_JSON { text } else { "Too long for this page: see run.json.".to_string() })
}
