//! `orders`: submits orders from a file. It is how fill rules are tested from outside.

use crate::market::{Nanos, parse_time};
use crate::trading::{
    OrderId, OrderKind, OrderRequest, OrderType, Orders, Setup, Side, Strategy, TimeInForce, Trail, View, Wake,
};
use std::collections::BTreeMap;
use std::io::Read;

/// A line of a file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}, line {line}: {reason}")]
pub struct LineError {
    pub file: String,
    /// From 1, the header included.
    pub line: u64,
    pub reason: String,
}

/// One line: an order, or the cancel of one.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderLine {
    /// Acted on at the first bar end at or after this instant.
    pub time: Nanos,
    pub action: LineAction,
}

/// What a line asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum LineAction {
    Submit {
        id: String,
        symbol: String,
        side: Side,
        qty: f64,
        kind: OrderKind,
        tif: TimeInForce,
        oco: Option<String>,
        parent: Option<String>,
    },
    Cancel {
        id: String,
    },
}

/// Columns of the file.
const COLUMNS: [&str; 13] =
    ["ts", "id", "symbol", "side", "type", "qty", "limit", "stop", "trail", "trail_pct", "tif", "oco", "parent"];

/// Reads `ts,id,symbol,side,type,qty,limit,stop,trail,trail_pct,tif,oco,parent,cancel`; columns that are not
/// used may be absent. `file` names the source in errors. Lines may be in any order of time; lines that act at
/// the same bar end do so in order of the file.
pub fn parse_order_lines(reader: impl Read, file: &str) -> Result<Vec<OrderLine>, LineError> {
    let mut csv = csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(true).from_reader(reader);
    let error = |line: u64, reason: String| LineError { file: file.to_string(), line, reason };
    let header = csv.headers().map_err(|e| error(1, e.to_string()))?.clone();
    if let Some(name) = header.iter().find(|name| !COLUMNS.contains(name) && *name != "cancel") {
        return Err(error(1, format!("unknown column '{name}'; expected {} and cancel", COLUMNS.join(", "))));
    }
    if !header.iter().any(|name| name == "ts") {
        return Err(error(1, "no column 'ts'".to_string()));
    }
    let mut lines = Vec::new();
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    for record in csv.records() {
        let record = record.map_err(|e| error(e.position().map_or(0, |p| p.line()), e.to_string()))?;
        let at = record.position().map_or(0, |p| p.line());
        let field = |name: &str| {
            header.iter().position(|h| h == name).and_then(|i| record.get(i)).filter(|text| !text.is_empty())
        };
        let line = parse_line(&field, &known).map_err(|reason| error(at, reason))?;
        if let LineAction::Submit { id, symbol, .. } = &line.action {
            known.insert(id.clone(), symbol.clone());
        }
        lines.push(line);
    }
    Ok(lines)
}

fn parse_line<'a>(
    field: &impl Fn(&str) -> Option<&'a str>,
    known: &BTreeMap<String, String>,
) -> Result<OrderLine, String> {
    let required = |name: &str| field(name).ok_or_else(|| format!("no value in column '{name}'"));
    let time = parse_time(required("ts")?).map_err(|e| e.to_string())?;
    if let Some(id) = field("cancel") {
        if !known.contains_key(id) {
            return Err(format!("cancel of '{id}', which no earlier line submits"));
        }
        return Ok(OrderLine { time, action: LineAction::Cancel { id: id.to_string() } });
    }
    let price = |name: &str| -> Result<Option<f64>, String> {
        field(name)
            .map(|text| positive(text).ok_or_else(|| format!("{name} '{text}' is not a positive number")))
            .transpose()
    };
    let needed = |name: &str, value: Option<f64>, kind: OrderType| {
        value.ok_or_else(|| format!("a {} order needs a value in column '{name}'", kind.name()))
    };
    let id = required("id")?.to_string();
    if known.contains_key(&id) {
        return Err(format!("id '{id}' is used twice"));
    }
    let symbol = required("symbol")?.to_string();
    let side = match required("side")?.to_ascii_lowercase().as_str() {
        "buy" => Side::Buy,
        "sell" => Side::Sell,
        other => return Err(format!("side '{other}' is not buy or sell")),
    };
    let type_name = required("type")?;
    let kind = OrderType::ALL.into_iter().find(|t| t.name() == type_name).ok_or_else(|| {
        let names: Vec<&str> = OrderType::ALL.iter().map(|t| t.name()).collect();
        format!("type '{type_name}' is not one of {}", names.join(", "))
    })?;
    let (limit, stop) = (price("limit")?, price("stop")?);
    let kind = match kind {
        OrderType::Market => OrderKind::Market,
        OrderType::Limit => OrderKind::Limit { limit: needed("limit", limit, kind)? },
        OrderType::Stop => OrderKind::Stop { stop: needed("stop", stop, kind)? },
        OrderType::StopLimit => {
            OrderKind::StopLimit { stop: needed("stop", stop, kind)?, limit: needed("limit", limit, kind)? }
        }
        OrderType::TrailingStop => match (price("trail")?, price("trail_pct")?) {
            (Some(amount), None) => OrderKind::TrailingStop { trail: Trail::Amount(amount), stop },
            (None, Some(percent)) => OrderKind::TrailingStop { trail: Trail::Percent(percent), stop },
            _ => return Err("a trailing_stop order needs a value in 'trail' or in 'trail_pct'".to_string()),
        },
        OrderType::MarketOnOpen => OrderKind::MarketOnOpen,
        OrderType::MarketOnClose => OrderKind::MarketOnClose,
    };
    let default = match kind {
        OrderKind::MarketOnOpen => "opg",
        OrderKind::MarketOnClose => "cls",
        _ => "day",
    };
    let tif_name = field("tif").unwrap_or(default);
    let tif = TimeInForce::ALL.into_iter().find(|t| t.name() == tif_name).ok_or_else(|| {
        let names: Vec<&str> = TimeInForce::ALL.iter().map(|t| t.name()).collect();
        format!("tif '{tif_name}' is not one of {}", names.join(", "))
    })?;
    let qty_text = required("qty")?;
    let qty = positive(qty_text).ok_or_else(|| format!("qty '{qty_text}' is not a positive number"))?;
    let parent = field("parent").map(str::to_string);
    if let Some(parent) = &parent {
        match known.get(parent) {
            None => return Err(format!("parent '{parent}' is not the id of an earlier line")),
            Some(other) if *other != symbol => {
                return Err(format!("parent '{parent}' is in {other}, this line in {symbol}"));
            }
            Some(_) => {}
        }
    }
    let oco = field("oco").map(str::to_string);
    Ok(OrderLine { time, action: LineAction::Submit { id, symbol, side, qty, kind, tif, oco, parent } })
}

fn positive(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|v| v.is_finite() && *v > 0.0)
}

/// The strategy `orders`.
#[derive(Debug)]
pub struct OrdersFromFile {
    lines: Vec<OrderLine>,
    /// Lines by time, then by place in the file.
    by_time: Vec<usize>,
    next: usize,
    ids: BTreeMap<String, OrderId>,
    labels: BTreeMap<OrderId, String>,
    groups: BTreeMap<String, u32>,
}

/// Stands for a parent that has not been submitted, which is refused.
const UNKNOWN_PARENT: OrderId = OrderId(u32::MAX);

impl OrdersFromFile {
    /// Submits `lines`, each at the first bar end at or after its time; those of one bar end in the given order.
    pub fn new(lines: Vec<OrderLine>) -> OrdersFromFile {
        let mut by_time: Vec<usize> = (0..lines.len()).collect();
        by_time.sort_by_key(|&k| lines[k].time);
        OrdersFromFile {
            lines,
            by_time,
            next: 0,
            ids: BTreeMap::new(),
            labels: BTreeMap::new(),
            groups: BTreeMap::new(),
        }
    }

    fn wake(&self) -> Wake {
        self.by_time.get(self.next).map_or(Wake::NEVER, |&k| Wake::at(self.lines[k].time))
    }

    /// The group of a label, which may hold orders of several symbols.
    fn group(&mut self, label: String) -> u32 {
        let next = self.groups.len() as u32;
        *self.groups.entry(label).or_insert(next)
    }
}

impl Strategy for OrdersFromFile {
    fn name(&self) -> &str {
        "orders"
    }

    fn start(&mut self, _: &mut Setup<'_>) -> Wake {
        self.wake()
    }

    fn decide(&mut self, view: &View<'_>, orders: &mut Orders<'_>) -> Wake {
        let due = self.by_time[self.next..].partition_point(|&k| self.lines[k].time <= view.now());
        let mut now: Vec<usize> = self.by_time[self.next..self.next + due].to_vec();
        now.sort_unstable();
        self.next += due;
        for k in now {
            match self.lines[k].action.clone() {
                LineAction::Cancel { id } => {
                    if let Some(order) = self.ids.get(&id) {
                        orders.cancel(*order);
                    }
                }
                LineAction::Submit { id, symbol, side, qty, kind, tif, oco, parent } => {
                    let Some(symbol_id) = view.symbol(&symbol) else {
                        orders.warn(format!("order '{id}': the run has no symbol {symbol}"));
                        continue;
                    };
                    let request = OrderRequest {
                        symbol: symbol_id,
                        side,
                        qty,
                        kind,
                        tif,
                        oco: oco.map(|label| self.group(label)),
                        // A child that acts before its parent is refused, never sent without it.
                        parent: parent.map(|p| self.ids.get(&p).copied().unwrap_or(UNKNOWN_PARENT)),
                        reason: "order file",
                    };
                    let order = orders.submit(request);
                    self.ids.insert(id.clone(), order);
                    self.labels.insert(order, id);
                }
            }
        }
        self.wake()
    }

    fn label(&self, id: OrderId) -> Option<&str> {
        self.labels.get(&id).map(String::as_str)
    }
}
