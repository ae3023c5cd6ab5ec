//! What goes into a run of the plain simulator and what comes out.

use std::fmt;
use tradebot::market::{Bar, Nanos, QuoteBar, format_time};
use tradebot::trading::{OrderKind, OrderState, Side, TimeInForce, Trail};

/// One bar of one symbol, with the instants between which its path runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CaseBar {
    pub start: Nanos,
    pub end: Nanos,
    pub prices: Bar,
    /// Present on every bar or on none.
    pub quotes: Option<QuoteBar>,
}

/// The bars of one symbol in order of time.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    pub name: String,
    pub bars: Vec<CaseBar>,
}

/// One trading day. Every day of a case holds at least one bar of some symbol.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Day {
    pub open: Nanos,
    pub close: Nanos,
}

/// A line of the `orders` file that submits an order.
#[derive(Debug, Clone, PartialEq)]
pub struct Submission {
    pub ts: Nanos,
    pub id: u32,
    /// Index into the series of the case.
    pub symbol: usize,
    pub side: Side,
    pub qty: f64,
    pub kind: OrderKind,
    pub tif: TimeInForce,
    /// Label of its one-cancels-other group.
    pub oco: Option<u32>,
    /// Id of the order whose fills bring it into the market.
    pub parent: Option<u32>,
}

/// What makes orders members of one one-cancels-other group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    Label(u32),
    ChildrenOf(u32),
}

impl Submission {
    /// The label, else the common parent.
    pub fn group(&self) -> Option<Group> {
        self.oco.map(Group::Label).or(self.parent.map(Group::ChildrenOf))
    }
}

/// A line of the `orders` file.
#[derive(Debug, Clone, PartialEq)]
pub enum Line {
    Submit(Submission),
    Cancel { ts: Nanos, target: u32 },
}

impl Line {
    /// The line acts at the first bar end at or after this instant.
    pub fn ts(&self) -> Nanos {
        match self {
            Line::Submit(s) => s.ts,
            Line::Cancel { ts, .. } => *ts,
        }
    }
}

/// The fill rules of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FillRule {
    Path,
    Pessimistic,
    Optimistic,
    NextOpen,
    Close,
    Quote,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Commission {
    None,
    /// Basis points of the notional.
    Bps(f64),
    /// Dollars a share, at least `min` dollars an order, at most `max_pct` percent of the notional.
    PerShare {
        rate: f64,
        min: f64,
        max_pct: f64,
    },
    /// Dollars an order.
    PerOrder(f64),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Slippage {
    None,
    /// Percent of the price: 0.05 is five basis points.
    FixedPct(f64),
    /// Half the spread plus `k` times the price times the root of the share of the volume.
    RuleBased {
        k: f64,
    },
}

/// Everything but the data and the orders.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    pub fill: FillRule,
    pub latency: Nanos,
    /// A limit must be passed, not only met.
    pub limit_penetrate: bool,
    /// Share of a bar's volume that all orders in its symbol together may take; 0 is no cap.
    pub participation: f64,
    pub fractional: bool,
    pub commission: Commission,
    pub slippage: Slippage,
    /// Enough that a margin account never runs short.
    pub cash: f64,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules {
            fill: FillRule::Path,
            latency: 0,
            limit_penetrate: false,
            participation: 0.0,
            fractional: false,
            commission: Commission::None,
            slippage: Slippage::None,
            cash: 10_000_000.0,
        }
    }
}

/// One run of the `orders` strategy.
#[derive(Clone, PartialEq)]
pub struct Case {
    pub days: Vec<Day>,
    pub series: Vec<Series>,
    pub lines: Vec<Line>,
    pub rules: Rules,
}

impl Case {
    /// Distinct bar ends of all symbols: the instants at which lines act.
    pub fn decision_times(&self) -> Vec<Nanos> {
        let mut times: Vec<Nanos> = self.series.iter().flat_map(|s| s.bars.iter().map(|b| b.end)).collect();
        times.sort_unstable();
        times.dedup();
        times
    }

    /// Indices of the bars of a symbol on a day.
    pub fn bars_of_day(&self, symbol: usize, day: &Day) -> Vec<usize> {
        let bars = &self.series[symbol].bars;
        (0..bars.len()).filter(|&i| day.open <= bars[i].start && bars[i].start < day.close).collect()
    }
}

/// One execution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FillRow {
    pub order: u32,
    pub time: Nanos,
    pub qty: f64,
    /// Slippage included.
    pub price: f64,
    pub commission: f64,
}

/// Why an order came to its final state, as a class: wording is the engine's own affair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It is filled.
    Complete,
    /// A cancel line.
    Request,
    /// The fills of its one-cancels-other group used up its quantity.
    Group,
    /// Its parent ended without a fill, or was cancelled by a line.
    Parent,
    /// ioc or fok, and (the rest of) it could not be filled at once.
    NotAtOnce,
    /// For the open or the close only, and (the rest of) it could not be filled there.
    Auction,
    /// A day order at the close of its session.
    SessionClose,
    /// Still open after the last bar.
    EndOfData,
    /// Never a valid order.
    Invalid,
}

/// An order after the run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FinalOrder {
    pub id: u32,
    pub state: OrderState,
    pub filled: f64,
    pub reason: Reason,
}

/// What a run leaves behind.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// In order of time.
    pub fills: Vec<FillRow>,
    /// In order of submission; lines that never acted are absent.
    pub orders: Vec<FinalOrder>,
    pub cash: f64,
    /// Signed shares by symbol.
    pub positions: Vec<f64>,
    /// Cash and positions, each at the close of its symbol's last bar.
    pub equity: f64,
}

/// Readable in a failure message: the bars as a table and the lines as an `orders` file.
impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{:?}", self.rules)?;
        for day in &self.days {
            writeln!(f, "session {} .. {}", clock(day.open), clock(day.close))?;
        }
        for series in &self.series {
            for bar in &series.bars {
                let p = bar.prices;
                write!(f, "{} {} .. {}  ", series.name, clock(bar.start), clock(bar.end))?;
                write!(f, "O {} H {} L {} C {} V {}", p.open, p.high, p.low, p.close, p.volume)?;
                if let Some(q) = bar.quotes {
                    write!(f, "  bid H {} L {} C {}", q.bid_high, q.bid_low, q.bid_close)?;
                    write!(f, "  ask H {} L {} C {}", q.ask_high, q.ask_low, q.ask_close)?;
                }
                writeln!(f)?;
            }
        }
        writeln!(f, "ts,id,symbol,side,type,qty,limit,stop,trail,trail_pct,tif,oco,parent,cancel")?;
        for line in &self.lines {
            match line {
                Line::Cancel { ts, target } => writeln!(f, "{},,,,,,,,,,,,,{target}", format_time(*ts))?,
                Line::Submit(s) => {
                    let (trail, percent) = match s.kind {
                        OrderKind::TrailingStop { trail: Trail::Amount(a), .. } => (Some(a), None),
                        OrderKind::TrailingStop { trail: Trail::Percent(p), .. } => (None, Some(p)),
                        _ => (None, None),
                    };
                    write!(f, "{},{},{},", format_time(s.ts), s.id, self.series[s.symbol].name)?;
                    write!(f, "{},{},{},", s.side.name(), s.kind.order_type().name(), s.qty)?;
                    write!(f, "{},{},", optional(s.kind.limit()), optional(s.kind.stop()))?;
                    write!(f, "{},{},{},", optional(trail), optional(percent), s.tif.name())?;
                    writeln!(f, "{},{},", optional(s.oco), optional(s.parent))?;
                }
            }
        }
        Ok(())
    }
}

fn optional(value: Option<impl fmt::Display>) -> String {
    value.map(|v| v.to_string()).unwrap_or_default()
}

/// Month, day and time of day: `03-26T13:30:00`.
fn clock(t: Nanos) -> String {
    format_time(t)[5..19].to_string()
}
