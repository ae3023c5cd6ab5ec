//! Random cases: a few symbols, two short sessions of minute bars on cents, and order lines of every kind.
//!
//! Everything is drawn as small numbers around zero (offsets in cents from the last price, indices of earlier
//! orders), so that a failing case shrinks to few lines over flat bars.

use super::case::{Case, CaseBar, Commission, Day, FillRule, Line, Rules, Series, Slippage, Submission};
use proptest::collection::vec;
use proptest::prelude::*;
use tradebot::market::{Bar, DAY, MILLI, MINUTE, Nanos, QuoteBar, SECOND};
use tradebot::trading::{OrderKind, Side, TimeInForce, Trail};

/// 2024-03-26T13:30:00Z, an open of the exchange.
const OPEN: Nanos = 1_711_459_800 * SECOND;
/// Bars of the longest session.
const LONGEST: usize = 12;

/// A random case whose groups and brackets stay within one symbol.
pub fn cases() -> impl Strategy<Value = Case> {
    seeds().prop_map(|(rules, symbols, sessions, mut requests)| {
        for request in &mut requests {
            if let What::Group(members) = &mut request.what {
                let symbol = members[0].symbol;
                members.iter_mut().for_each(|member| member.symbol = symbol);
            }
        }
        build(rules, &symbols, &sessions, &requests)
    })
}

/// A random case in which members of a one-cancels-other group may be of different symbols.
pub fn cases_with_groups_across_symbols() -> impl Strategy<Value = Case> {
    seeds().prop_map(|(rules, symbols, sessions, requests)| build(rules, &symbols, &sessions, &requests))
}

fn seeds() -> impl Strategy<Value = (Rules, Vec<SymbolSeed>, [SessionSeed; 2], Vec<Request>)> {
    (rules(), vec(symbol(), 1..=3), sessions(), vec(request(), 1..=7))
}

// ---- what is drawn ----

/// A bar relative to the close before it, in cents.
#[derive(Debug, Clone)]
struct BarSeed {
    missing: bool,
    gap: i64,
    body: i64,
    above: i64,
    below: i64,
    volume: u32,
    half_spread: i64,
}

#[derive(Debug, Clone)]
struct SymbolSeed {
    /// Cents.
    price: i64,
    bars: Vec<BarSeed>,
}

#[derive(Debug, Clone)]
struct SessionSeed {
    minutes: usize,
    /// It closes in the middle of its last bar.
    half_bar: bool,
}

/// An order type with its prices in cents from the last price.
#[derive(Debug, Clone)]
enum KindSeed {
    Market,
    Limit(i64),
    Stop(i64),
    StopLimit(i64, i64),
    TrailAmount(i64),
    TrailTenths(i64),
    OnOpen,
    OnClose,
}

#[derive(Debug, Clone)]
struct OrderSeed {
    symbol: usize,
    buys: bool,
    tens: u32,
    odd_quarters: u32,
    kind: KindSeed,
    tif: TimeInForce,
}

#[derive(Debug, Clone)]
enum What {
    Single(OrderSeed),
    /// One-cancels-other of orders that are sent together.
    Group(Vec<OrderSeed>),
    /// An entry and its children, sent together.
    Bracket(OrderSeed, Vec<OrderSeed>),
    /// A child of an order sent earlier.
    LateChild(usize, OrderSeed),
    /// A cancel of an order sent earlier.
    Cancel(usize),
}

#[derive(Debug, Clone)]
struct Request {
    step: usize,
    /// Seconds by which the line's time lies before the bar end it acts at.
    early: i64,
    what: What,
}

fn rules() -> impl Strategy<Value = Rules> {
    use FillRule::*;
    let fill = prop_oneof![3 => Just(Path), 1 => Just(Pessimistic), 1 => Just(Optimistic), 1 => Just(NextOpen),
        1 => Just(Close), 1 => Just(Quote)];
    // Whole bars and thirds of bars bring orders and cancels to the corners of the path; the odd ones fall between.
    let latency = prop_oneof![
        4 => Just(0),
        1 => Just(137 * MILLI),
        1 => Just(20 * SECOND),
        1 => Just(33_333 * MILLI),
        1 => Just(MINUTE),
        1 => Just(71_003 * MILLI)
    ];
    let participation = prop_oneof![2 => Just(0.0), 1 => Just(0.1), 1 => Just(0.25), 1 => Just(0.5)];
    let commission = prop_oneof![
        Just(Commission::None),
        Just(Commission::Bps(10.0)),
        Just(Commission::PerShare { rate: 0.01, min: 1.0, max_pct: 0.5 }),
        Just(Commission::PerOrder(1.0))
    ];
    let slippage = prop_oneof![2 => Just(Slippage::None), 1 => Just(Slippage::FixedPct(0.05)), 1 => Just(Slippage::RuleBased { k: 0.1 })];
    let flags = (prop::bool::weighted(0.2), prop::bool::weighted(0.2));
    (fill, latency, participation, commission, slippage, flags).prop_map(
        |(fill, latency, participation, commission, slippage, (limit_penetrate, fractional))| Rules {
            fill,
            latency,
            limit_penetrate,
            participation,
            fractional,
            commission,
            slippage,
            ..Rules::default()
        },
    )
}

fn bar() -> impl Strategy<Value = BarSeed> {
    let gap = prop_oneof![6 => Just(0), 3 => -6..=6i64, 1 => -80..=80i64];
    let shape = prop_oneof![1 => Just((0, 0, 0)), 6 => (-30..=30i64, 0..=20i64, 0..=20i64)];
    let volume = prop_oneof![1 => Just(0), 9 => 1..=200u32];
    (prop::bool::weighted(0.1), gap, shape, volume, 1..=4i64).prop_map(
        |(missing, gap, (body, above, below), volume, half_spread)| BarSeed {
            missing,
            gap,
            body,
            above,
            below,
            volume: 10 * volume,
            half_spread,
        },
    )
}

fn symbol() -> impl Strategy<Value = SymbolSeed> {
    (2_000..=6_000i64, vec(bar(), 2 * LONGEST)).prop_map(|(price, bars)| SymbolSeed { price, bars })
}

fn sessions() -> impl Strategy<Value = [SessionSeed; 2]> {
    let session = |minutes| {
        (minutes, prop::bool::weighted(0.2)).prop_map(|(minutes, half_bar)| SessionSeed { minutes, half_bar })
    };
    [session(2..=LONGEST), session(0..=LONGEST)]
}

fn tif() -> impl Strategy<Value = TimeInForce> {
    use TimeInForce::*;
    prop_oneof![4 => Just(Day), 4 => Just(Gtc), 1 => Just(Ioc), 1 => Just(Fok), 1 => Just(Opg), 1 => Just(Cls)]
}

fn kind() -> impl Strategy<Value = KindSeed> {
    prop_oneof![
        3 => Just(KindSeed::Market),
        4 => (-40..=40i64).prop_map(KindSeed::Limit),
        3 => (-40..=40i64).prop_map(KindSeed::Stop),
        2 => (-40..=40i64, -20..=20i64).prop_map(|(stop, limit)| KindSeed::StopLimit(stop, limit)),
        2 => (1..=50i64).prop_map(KindSeed::TrailAmount),
        1 => (1..=20i64).prop_map(KindSeed::TrailTenths),
        1 => Just(KindSeed::OnOpen),
        1 => Just(KindSeed::OnClose)
    ]
}

fn order() -> impl Strategy<Value = OrderSeed> {
    (0..3usize, any::<bool>(), 1..=30u32, 0..4u32, kind(), tif()).prop_map(
        |(symbol, buys, tens, odd_quarters, kind, tif)| OrderSeed { symbol, buys, tens, odd_quarters, kind, tif },
    )
}

fn request() -> impl Strategy<Value = Request> {
    let what = prop_oneof![
        4 => order().prop_map(What::Single),
        2 => vec(order(), 2..=3).prop_map(What::Group),
        4 => (order(), vec(order(), 1..=3)).prop_map(|(entry, children)| What::Bracket(entry, children)),
        1 => (0..20usize, order()).prop_map(|(of, child)| What::LateChild(of, child)),
        3 => (0..20usize).prop_map(What::Cancel)
    ];
    // Seven lines spread over up to 24 steps would rarely meet: most act early.
    let step = prop_oneof![3 => 0..8usize, 1 => 0..=2 * LONGEST];
    let early = prop_oneof![3 => Just(0), 1 => Just(17)];
    (step, early, what).prop_map(|(step, early, what)| Request { step, early, what })
}

// ---- how a case is made of it ----

fn build(rules: Rules, symbols: &[SymbolSeed], sessions: &[SessionSeed; 2], requests: &[Request]) -> Case {
    let mut days: Vec<Day> = sessions
        .iter()
        .enumerate()
        .filter(|(_, session)| session.minutes > 0)
        .map(|(i, session)| {
            let open = OPEN + i as Nanos * DAY;
            let cut = if session.half_bar { MINUTE / 2 } else { 0 };
            Day { open, close: open + session.minutes as Nanos * MINUTE - cut }
        })
        .collect();
    let quoted = rules.fill == FillRule::Quote;
    let series: Vec<Series> = symbols
        .iter()
        .enumerate()
        .map(|(i, seed)| Series { name: ["AAA", "BBB", "CCC"][i].to_string(), bars: bars(seed, &days, i == 0, quoted) })
        .collect();
    // A run has no day without bars.
    days.retain(|d| series.iter().any(|s| s.bars.iter().any(|b| d.open <= b.start && b.start < d.close)));
    let mut case = Case { days, series, lines: Vec::new(), rules };
    let steps = case.decision_times();
    let mut requests: Vec<&Request> = requests.iter().collect();
    requests.sort_by_key(|r| r.step);
    for (label, request) in requests.into_iter().enumerate() {
        // A step past the last is a line that never acts.
        let step = steps.get(request.step).copied().unwrap_or(steps[steps.len() - 1] + MINUTE);
        add_lines(&mut case, step - request.early * SECOND, step, label as u32, &request.what);
    }
    case
}

fn bars(seed: &SymbolSeed, days: &[Day], keep_first: bool, quoted: bool) -> Vec<CaseBar> {
    let mut price = seed.price;
    let mut bars = Vec::new();
    let mut seeds = seed.bars.iter();
    for day in days {
        let mut start = day.open;
        while start < day.close {
            let Some(bar) = seeds.next() else {
                break;
            };
            let open = (price + bar.gap).max(500);
            let close = (open + bar.body).max(500);
            let high = open.max(close) + bar.above;
            let low = open.min(close) - bar.below;
            price = close;
            let end = (start + MINUTE).min(day.close);
            if !bar.missing || (keep_first && bars.is_empty()) {
                let prices = Bar {
                    open: dollars(open),
                    high: dollars(high),
                    low: dollars(low),
                    close: dollars(close),
                    volume: f64::from(bar.volume),
                };
                let quotes = quoted.then(|| QuoteBar {
                    bid_open: dollars(open - bar.half_spread),
                    bid_high: dollars(high - bar.half_spread),
                    bid_low: dollars(low - bar.half_spread),
                    bid_close: dollars(close - bar.half_spread),
                    ask_open: dollars(open + bar.half_spread),
                    ask_high: dollars(high + bar.half_spread),
                    ask_low: dollars(low + bar.half_spread),
                    ask_close: dollars(close + bar.half_spread),
                });
                bars.push(CaseBar { start, end, prices, quotes });
            }
            start += MINUTE;
        }
    }
    bars
}

fn dollars(cents: i64) -> f64 {
    cents as f64 / 100.0
}

fn add_lines(case: &mut Case, ts: Nanos, step: Nanos, label: u32, what: &What) {
    match what {
        What::Single(order) => {
            add_order(case, ts, step, order, None, None);
        }
        What::Group(members) => {
            for member in members {
                add_order(case, ts, step, member, Some(label), None);
            }
        }
        What::Bracket(entry, children) => {
            let parent = add_order(case, ts, step, entry, None, None);
            for child in children {
                add_order(case, ts, step, child, None, Some(parent));
            }
        }
        What::LateChild(of, child) => {
            let earlier = submissions(case);
            if !earlier.is_empty() {
                let parent = earlier[of % earlier.len()].id;
                add_order(case, ts, step, child, None, Some(parent));
            }
        }
        What::Cancel(of) => {
            let earlier = submissions(case);
            if !earlier.is_empty() {
                let target = earlier[of % earlier.len()].id;
                case.lines.push(Line::Cancel { ts, target });
            }
        }
    }
}

fn submissions(case: &Case) -> Vec<&Submission> {
    case.lines
        .iter()
        .filter_map(|line| match line {
            Line::Submit(submission) => Some(submission),
            Line::Cancel { .. } => None,
        })
        .collect()
}

/// Adds one order and returns its id. A child takes its parent's symbol and the other side, and no more than its
/// quantity.
fn add_order(case: &mut Case, ts: Nanos, step: Nanos, seed: &OrderSeed, oco: Option<u32>, parent: Option<u32>) -> u32 {
    let earlier = submissions(case);
    let id = earlier.len() as u32 + 1;
    let parent_line = earlier.into_iter().find(|s| Some(s.id) == parent).cloned();
    let quarters = if case.rules.fractional { f64::from(seed.odd_quarters) / 4.0 } else { 0.0 };
    let mut symbol = seed.symbol % case.series.len();
    let mut side = if seed.buys { Side::Buy } else { Side::Sell };
    let mut qty = f64::from(10 * seed.tens) + quarters;
    if let Some(parent) = &parent_line {
        symbol = parent.symbol;
        side = parent.side.opposite();
        qty = qty.min(parent.qty);
    }
    // Prices lie around the last close of the symbol, or its first open.
    let bars = &case.series[symbol].bars;
    let last = match bars.iter().rfind(|b| b.end <= step) {
        Some(bar) => bar.prices.close,
        None => bars.first().map_or(20.0, |b| b.prices.open),
    };
    let price = |offset: i64| dollars((last * 100.0).round() as i64 + offset);
    let kind = match seed.kind {
        // A market child fills with its parent; the rules for market orders then have no decision to refer to.
        KindSeed::Market if parent.is_some() && !has_path_rule(case) => OrderKind::MarketOnClose,
        KindSeed::Market => OrderKind::Market,
        KindSeed::Limit(offset) => OrderKind::Limit { limit: price(offset) },
        KindSeed::Stop(offset) => OrderKind::Stop { stop: price(offset) },
        KindSeed::StopLimit(stop, limit) => OrderKind::StopLimit { stop: price(stop), limit: price(stop + limit) },
        KindSeed::TrailAmount(cents) => OrderKind::TrailingStop { trail: Trail::Amount(dollars(cents)), stop: None },
        KindSeed::TrailTenths(tenths) => {
            OrderKind::TrailingStop { trail: Trail::Percent(tenths as f64 / 10.0), stop: None }
        }
        KindSeed::OnOpen => OrderKind::MarketOnOpen,
        KindSeed::OnClose => OrderKind::MarketOnClose,
    };
    let tif = match kind {
        OrderKind::Market | OrderKind::Limit { .. } if parent.is_none() => seed.tif,
        _ if seed.tif == TimeInForce::Gtc => TimeInForce::Gtc,
        _ => TimeInForce::Day,
    };
    case.lines.push(Line::Submit(Submission { ts, id, symbol, side, qty, kind, tif, oco, parent }));
    id
}

fn has_path_rule(case: &Case) -> bool {
    matches!(case.rules.fill, FillRule::Path | FillRule::Pessimistic | FillRule::Optimistic)
}
