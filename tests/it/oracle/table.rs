//! Cases worked out by hand, with the arithmetic beside them.
//!
//! One symbol, minute bars, one or two sessions. Bar `i` of a day runs from minute `i` to minute `i + 1`, its
//! legs last 20 seconds each; `t(1, 30.0)` is half past minute 1. Bar 0 is quiet, so that lines of minute 1 act
//! at its end and first meet bar 1. A path is written `20.00 > 19.90 > 20.60 > 20.20`.

use super::case::{
    Case, CaseBar, Commission, Day, FillRow, FillRule, FinalOrder, Line, Reason, Rules, Series, Slippage, Submission,
};
use super::compare::{fill_differences, order_differences};
use super::simulator;
use tradebot::market::{Bar, DAY, MILLI, MINUTE, Nanos, QuoteBar, SECOND};
use tradebot::trading::{OrderKind, OrderState, Side, TimeInForce, Trail};

/// 2024-03-26T13:30:00Z, an open of the exchange.
const OPEN: Nanos = 1_711_459_800 * SECOND;

/// A case with its expected fills and final orders.
pub struct HandCase {
    pub name: &'static str,
    pub case: Case,
    pub fills: Vec<FillRow>,
    pub orders: Vec<FinalOrder>,
}

/// All cases.
pub fn hand_cases() -> Vec<HandCase> {
    [market(), limits(), stops(), trailing(), both_in_one_bar(), volume(), at_once(), sessions(), groups(), brackets()]
        .into_iter()
        .chain([cancels(), rules_for_market_orders(), costs()])
        .flatten()
        .collect()
}

#[test]
fn the_plain_simulator_agrees_with_the_hand() {
    for hand in hand_cases() {
        let outcome = simulator::run(&hand.case);
        let mut differences = fill_differences(&hand.fills, &outcome.fills);
        differences.extend(order_differences(&hand.orders, &outcome.orders));
        assert!(differences.is_empty(), "{}: {differences:#?}{:?}", hand.name, hand.case);
    }
}

// ---- words to write cases in ----

/// An instant of the first day.
fn t(minute: i64, second: f64) -> Nanos {
    OPEN + minute * MINUTE + (second * SECOND as f64).floor() as Nanos
}

/// An instant of the second day.
fn t2(minute: i64, second: f64) -> Nanos {
    t(minute, second) + DAY
}

fn bar(open: f64, high: f64, low: f64, close: f64) -> Bar {
    Bar { open, high, low, close, volume: 10_000.0 }
}

fn thin(open: f64, high: f64, low: f64, close: f64, volume: f64) -> Bar {
    Bar { open, high, low, close, volume }
}

fn flat(price: f64) -> Bar {
    bar(price, price, price, price)
}

/// The bar that most cases meet: the low is nearer, so 20.00 > 19.90 > 20.60 > 20.20.
fn wide() -> Bar {
    bar(20.00, 20.60, 19.90, 20.20)
}

/// A session of the given bars, and a second one if it has any.
fn days(first: &[Bar], second: &[Bar], rules: Rules, lines: Vec<Line>) -> Case {
    let mut days = Vec::new();
    let mut bars = Vec::new();
    for (open, day) in [(OPEN, first), (OPEN + DAY, second)] {
        if day.is_empty() {
            continue;
        }
        days.push(Day { open, close: open + day.len() as i64 * MINUTE });
        for (i, prices) in day.iter().enumerate() {
            let start = open + i as i64 * MINUTE;
            bars.push(CaseBar { start, end: start + MINUTE, prices: *prices, quotes: None });
        }
    }
    Case { days, series: vec![Series { name: "AAA".to_string(), bars }], lines, rules }
}

fn day(bars: &[Bar], rules: Rules, lines: Vec<Line>) -> Case {
    days(bars, &[], rules, lines)
}

fn rule(fill: FillRule) -> Rules {
    Rules { fill, ..Rules::default() }
}

fn latency(latency: Nanos) -> Rules {
    Rules { latency, ..Rules::default() }
}

fn tenth_of_volume() -> Rules {
    Rules { participation: 0.1, ..Rules::default() }
}

fn order(id: u32, ts: Nanos, side: Side, qty: f64, kind: OrderKind) -> Submission {
    Submission { ts, id, symbol: 0, side, qty, kind, tif: TimeInForce::Day, oco: None, parent: None }
}

fn buy(id: u32, ts: Nanos, qty: f64, kind: OrderKind) -> Submission {
    order(id, ts, Side::Buy, qty, kind)
}

fn sell(id: u32, ts: Nanos, qty: f64, kind: OrderKind) -> Submission {
    order(id, ts, Side::Sell, qty, kind)
}

impl Submission {
    fn tif(self, tif: TimeInForce) -> Submission {
        Submission { tif, ..self }
    }

    fn oco(self, label: u32) -> Submission {
        Submission { oco: Some(label), ..self }
    }

    fn parent(self, id: u32) -> Submission {
        Submission { parent: Some(id), ..self }
    }

    fn line(self) -> Line {
        Line::Submit(self)
    }
}

fn cancel(target: u32, ts: Nanos) -> Line {
    Line::Cancel { ts, target }
}

const MARKET: OrderKind = OrderKind::Market;

fn limit(limit: f64) -> OrderKind {
    OrderKind::Limit { limit }
}

fn stop(stop: f64) -> OrderKind {
    OrderKind::Stop { stop }
}

fn trail(amount: f64) -> OrderKind {
    OrderKind::TrailingStop { trail: Trail::Amount(amount), stop: None }
}

/// A fill without commission.
fn fill(order: u32, time: Nanos, qty: f64, price: f64) -> FillRow {
    FillRow { order, time, qty, price, commission: 0.0 }
}

fn filled(id: u32, filled: f64) -> FinalOrder {
    FinalOrder { id, state: OrderState::Filled, filled, reason: Reason::Complete }
}

fn canceled(id: u32, filled: f64, reason: Reason) -> FinalOrder {
    FinalOrder { id, state: OrderState::Canceled, filled, reason }
}

fn expired(id: u32, filled: f64) -> FinalOrder {
    FinalOrder { id, state: OrderState::Expired, filled, reason: Reason::SessionClose }
}

fn rejected(id: u32) -> FinalOrder {
    FinalOrder { id, state: OrderState::Rejected, filled: 0.0, reason: Reason::Invalid }
}

fn hand(name: &'static str, case: Case, fills: Vec<FillRow>, orders: Vec<FinalOrder>) -> HandCase {
    HandCase { name, case, fills, orders }
}

// ---- the cases ----

fn market() -> Vec<HandCase> {
    let lines = || vec![buy(1, t(1, 0.0), 100.0, MARKET).line()];
    vec![
        hand(
            "market order without latency: at the next open",
            day(&[flat(20.00), flat(20.10)], rule(FillRule::Path), lines()),
            vec![fill(1, t(1, 0.0), 100.0, 20.10)],
            vec![filled(1, 100.0)],
        ),
        hand(
            // 30 s into the bar is the middle of the second leg: (19.90 + 20.60) / 2 = 20.25.
            "market order arriving in mid-bar",
            day(&[flat(20.00), wide()], latency(30 * SECOND), lines()),
            vec![fill(1, t(1, 30.0), 100.0, 20.25)],
            vec![filled(1, 100.0)],
        ),
        hand(
            // Arrives at minute 2.5; the bar of minute 2 is missing: waits for the open of minute 3.
            "market order arriving in a gap waits for the next bar",
            {
                let mut case = day(
                    &[flat(20.00), flat(20.00), flat(20.00), bar(20.40, 20.50, 20.30, 20.40)],
                    latency(90 * SECOND),
                    lines(),
                );
                case.series[0].bars.remove(2);
                case
            },
            vec![fill(1, t(3, 0.0), 100.0, 20.40)],
            vec![filled(1, 100.0)],
        ),
        hand(
            "arrival at the instant of a bar's start meets its open",
            day(&[flat(20.00), flat(20.10), flat(20.30)], latency(MINUTE), lines()),
            vec![fill(1, t(2, 0.0), 100.0, 20.30)],
            vec![filled(1, 100.0)],
        ),
        hand(
            // ts lies within bar 0: the first bar end at or after it is minute 1. A ts beyond the last end never
            // acts; an order decided at the last end meets nothing.
            "lines act at the first bar end at or after their time",
            day(
                &[flat(20.00), flat(20.10)],
                rule(FillRule::Path),
                vec![
                    buy(1, t(0, 12.5), 100.0, MARKET).line(),
                    buy(2, t(2, 0.0), 100.0, MARKET).line(),
                    buy(3, t(2, 0.5), 100.0, MARKET).line(),
                ],
            ),
            vec![fill(1, t(1, 0.0), 100.0, 20.10)],
            vec![filled(1, 100.0), canceled(2, 0.0, Reason::EndOfData)],
        ),
    ]
}

fn limits() -> Vec<HandCase> {
    // Bar 1 touches 19.90 and turns: 20.00 > 19.90 > 20.60 > 20.20.
    // Bar 2: the high is nearer: 20.10 > 20.20 > 19.80 > 19.90; passes 19.90 on its second leg after
    // (20.20 - 19.90) / (20.20 - 19.80) = 0.75 of it: 20 s + 15 s.
    let bars = [flat(20.00), wide(), bar(20.10, 20.20, 19.80, 19.90)];
    let lines = || vec![buy(1, t(1, 0.0), 100.0, limit(19.90)).line()];
    let penetrate = Rules { limit_penetrate: true, ..Rules::default() };
    vec![
        hand(
            "limit touched: filled at the touch, the low of the bar after one leg",
            day(&bars, rule(FillRule::Path), lines()),
            vec![fill(1, t(1, 20.0), 100.0, 19.90)],
            vec![filled(1, 100.0)],
        ),
        hand(
            "limit to be penetrated: the touch does not count",
            day(&bars, penetrate, lines()),
            vec![fill(1, t(2, 35.0), 100.0, 19.90)],
            vec![filled(1, 100.0)],
        ),
        hand(
            "limit gapped through: filled at the better open",
            day(&[flat(20.00), flat(19.60)], penetrate, lines()),
            vec![fill(1, t(1, 0.0), 100.0, 19.60)],
            vec![filled(1, 100.0)],
        ),
        hand(
            // 20.25 at 30 s: order 1 is marketable at once. The path was at 19.95 only before: order 2 expires.
            "limits arriving in mid-bar do not see the path before",
            day(
                &[flat(20.00), wide()],
                latency(30 * SECOND),
                vec![buy(1, t(1, 0.0), 100.0, limit(20.40)).line(), buy(2, t(1, 0.0), 100.0, limit(19.95)).line()],
            ),
            vec![fill(1, t(1, 30.0), 100.0, 20.25)],
            vec![filled(1, 100.0), expired(2, 0.0)],
        ),
        hand(
            // Buy at 19.95, half of the first leg: 10 s. Sell at 20.30 after 0.40 / 0.70 = 4/7 of the second:
            // 20 s + 80/7 s.
            "opposite orders in one bar both fill",
            day(
                &[flat(20.00), wide()],
                rule(FillRule::Path),
                vec![sell(1, t(1, 0.0), 100.0, limit(20.30)).line(), buy(2, t(1, 0.0), 100.0, limit(19.95)).line()],
            ),
            vec![fill(2, t(1, 10.0), 100.0, 19.95), fill(1, t(1, 20.0 + 80.0 / 7.0), 100.0, 20.30)],
            vec![filled(1, 100.0), filled(2, 100.0)],
        ),
    ]
}

fn stops() -> Vec<HandCase> {
    let stop_limit = |stop, limit| OrderKind::StopLimit { stop, limit };
    vec![
        hand(
            "gap through a stop: filled at the open, not at the stop",
            day(&[flat(20.00), flat(19.20)], rule(FillRule::Path), vec![sell(1, t(1, 0.0), 100.0, stop(19.50)).line()]),
            vec![fill(1, t(1, 0.0), 100.0, 19.20)],
            vec![filled(1, 100.0)],
        ),
        hand(
            // 20.30 after 0.40 / 0.70 = 4/7 of the second leg.
            "stop met on the path: filled at the stop",
            day(&[flat(20.00), wide()], rule(FillRule::Path), vec![buy(1, t(1, 0.0), 100.0, stop(20.30)).line()]),
            vec![fill(1, t(1, 20.0 + 80.0 / 7.0), 100.0, 20.30)],
            vec![filled(1, 100.0)],
        ),
        hand(
            "stop-limit: triggered at 20.30, which the limit allows",
            day(
                &[flat(20.00), wide()],
                rule(FillRule::Path),
                vec![buy(1, t(1, 0.0), 100.0, stop_limit(20.30, 20.35)).line()],
            ),
            vec![fill(1, t(1, 20.0 + 80.0 / 7.0), 100.0, 20.30)],
            vec![filled(1, 100.0)],
        ),
        hand(
            // 20.60 > 20.80 > 20.20 > 20.50: triggered at the open above the limit; the path comes down to 20.35
            // after (20.80 - 20.35) / 0.60 = 0.75 of the second leg.
            "stop-limit gapped over its limit waits for the limit",
            day(
                &[flat(20.00), bar(20.60, 20.80, 20.20, 20.50)],
                rule(FillRule::Path),
                vec![buy(1, t(1, 0.0), 100.0, stop_limit(20.30, 20.35)).line()],
            ),
            vec![fill(1, t(1, 35.0), 100.0, 20.35)],
            vec![filled(1, 100.0)],
        ),
    ]
}

fn trailing() -> Vec<HandCase> {
    // Bar 1: 20.00 > 19.90 > 20.50 > 20.40: best 20.50.
    // Bar 2: 20.45 > 20.60 > 20.00 > 20.10: best 20.60 at 20 s, then down 0.60 in 20 s.
    let bars = [flat(20.00), bar(20.00, 20.50, 19.90, 20.40), bar(20.45, 20.60, 20.00, 20.10)];
    let percent = OrderKind::TrailingStop { trail: Trail::Percent(2.0), stop: None };
    let mut quoted = day(
        &bars,
        rule(FillRule::Quote),
        vec![sell(1, t(1, 0.0), 100.0, trail(0.30)).line(), buy(2, t(1, 0.0), 100.0, trail(0.30)).line()],
    );
    let quotes = [
        [20.00, 20.00, 20.00, 20.02, 20.02, 20.02],
        [20.45, 19.85, 20.38, 20.25, 19.95, 20.42],
        [20.55, 20.10, 20.12, 20.60, 20.05, 20.42],
    ];
    for (bar, [bid_high, bid_low, bid_close, ask_high, ask_low, ask_close]) in
        quoted.series[0].bars.iter_mut().zip(quotes)
    {
        let (bid_open, ask_open) = (bid_high, ask_high);
        bar.quotes = Some(QuoteBar { bid_open, bid_high, bid_low, bid_close, ask_open, ask_high, ask_low, ask_close });
    }
    vec![
        hand(
            // Stops: 19.70 (open), 20.20 (20.50), 20.30 (20.60); 20.30 is half of the way down: 30 s.
            "trailing stop by an amount follows the path over two bars",
            day(&bars, rule(FillRule::Path), vec![sell(1, t(1, 0.0), 100.0, trail(0.30)).line()]),
            vec![fill(1, t(2, 30.0), 100.0, 20.30)],
            vec![filled(1, 100.0)],
        ),
        hand(
            // 20.60 x 0.98 = 20.188, after 0.412 / 0.60 of the leg: 20 s + 13.7333.. s.
            "trailing stop by percent",
            day(&bars, rule(FillRule::Path), vec![sell(1, t(1, 0.0), 100.0, percent).line()]),
            vec![fill(1, t(2, 20.0 + 0.412 / 0.60 * 20.0), 100.0, 20.188)],
            vec![filled(1, 100.0)],
        ),
        hand(
            // Arrives at 20.25 (30 s), so the high of 20.60 stays below its stop 20.25 + 0.36 = 20.61. At the
            // close the stop is 20.20 + 0.36 = 20.56; the next open is above.
            "trailing buy stop from the price at arrival, gapped over",
            day(
                &[flat(20.00), wide(), flat(20.70)],
                latency(30 * SECOND),
                vec![buy(1, t(1, 0.0), 100.0, trail(0.36)).line()],
            ),
            vec![fill(1, t(2, 0.0), 100.0, 20.70)],
            vec![filled(1, 100.0)],
        ),
        hand(
            // Both start from the open of bar 1, 20.00.
            // Sell: stop 19.70, bid low 19.85 holds; best = bid high 20.45, stop 20.15; bar 2: bid low 20.10 hits,
            // worse of 20.15 and bid close 20.12.
            // Buy: stop 20.30, ask high 20.25 holds; best = ask low 19.95, stop 20.25; bar 2: ask high 20.60 hits,
            // worse of 20.25 and ask close 20.42.
            "trailing stops under the quote rule are tested once a bar",
            quoted,
            vec![fill(1, t(3, 0.0), 100.0, 20.12), fill(2, t(3, 0.0), 100.0, 20.42)],
            vec![filled(1, 100.0), filled(2, 100.0)],
        ),
    ]
}

fn both_in_one_bar() -> Vec<HandCase> {
    // The low is nearer (0.25 < 0.50): 20.00 > 19.75 > 20.50 > 20.10 under `path`.
    // Low first: stop 19.80 after 0.20 / 0.25 = 0.8 of the first leg, 16 s: equity -20.
    // High first: 20.00 > 20.50 > 19.75 > 20.10: target 20.30 after 0.30 / 0.50 = 0.6 of it, 12 s: equity +30.
    let lines = vec![
        buy(1, t(1, 0.0), 100.0, MARKET).line(),
        sell(2, t(1, 0.0), 100.0, stop(19.80)).oco(1).line(),
        sell(3, t(1, 0.0), 100.0, limit(20.30)).oco(1).line(),
    ];
    let case = |fill| day(&[flat(20.00), bar(20.00, 20.50, 19.75, 20.10)], rule(fill), lines.clone());
    let entry = fill(1, t(1, 0.0), 100.0, 20.00);
    let stopped = || {
        let orders = vec![filled(1, 100.0), filled(2, 100.0), canceled(3, 0.0, Reason::Group)];
        (vec![entry, fill(2, t(1, 16.0), 100.0, 19.80)], orders)
    };
    let (fills, orders) = stopped();
    let by_path = hand("stop and target in one bar under path", case(FillRule::Path), fills, orders);
    let (fills, orders) = stopped();
    let worse = hand("stop and target in one bar, pessimistic", case(FillRule::Pessimistic), fills, orders);
    let better = hand(
        "stop and target in one bar, optimistic",
        case(FillRule::Optimistic),
        vec![entry, fill(3, t(1, 12.0), 100.0, 20.30)],
        vec![filled(1, 100.0), canceled(2, 0.0, Reason::Group), filled(3, 100.0)],
    );
    // A short: low first takes the target 19.80 after 16 s; high first stops it at 20.40 after 0.40 / 0.50 = 0.8
    // of the first leg, also 16 s.
    let short = hand(
        "the worse path of a short is the other one",
        day(
            &[flat(20.00), bar(20.00, 20.50, 19.75, 20.10)],
            rule(FillRule::Pessimistic),
            vec![
                sell(1, t(1, 0.0), 100.0, MARKET).line(),
                buy(2, t(1, 0.0), 100.0, stop(20.40)).oco(1).line(),
                buy(3, t(1, 0.0), 100.0, limit(19.80)).oco(1).line(),
            ],
        ),
        vec![entry, fill(2, t(1, 16.0), 100.0, 20.40)],
        vec![filled(1, 100.0), filled(2, 100.0), canceled(3, 0.0, Reason::Group)],
    );
    // Both extremes are 0.30 away: 20.00 > 19.70 > 20.30 > 20.00; stop after 0.20 / 0.30 = 2/3 of the first leg.
    let tie = hand(
        "extremes at equal distance: the low first",
        day(&[flat(20.00), bar(20.00, 20.30, 19.70, 20.00)], rule(FillRule::Path), lines),
        vec![entry, fill(2, t(1, 40.0 / 3.0), 100.0, 19.80)],
        vec![filled(1, 100.0), filled(2, 100.0), canceled(3, 0.0, Reason::Group)],
    );
    vec![by_path, worse, better, short, tie]
}

fn volume() -> Vec<HandCase> {
    let per_share = Commission::PerShare { rate: 0.02, min: 1.2, max_pct: 0.5 };
    let paid = |order, time, qty, price, commission| FillRow { order, time, qty, price, commission };
    vec![
        hand(
            // Caps 50, 30.5 -> 30, 100. Commission so far: max(0.02 x 50, 1.20) = 1.20; 0.02 x 80 = 1.60;
            // 0.02 x 100 = 2.00; the rows are the differences. The maximum, 0.5 % of 1000 = 5, does not bind.
            "market order filled over three bars at their opens",
            day(
                &[
                    flat(20.00),
                    thin(20.00, 20.10, 19.90, 20.00, 500.0),
                    thin(20.20, 20.20, 20.20, 20.20, 305.0),
                    thin(20.30, 20.30, 20.30, 20.30, 1000.0),
                ],
                Rules { commission: per_share, ..tenth_of_volume() },
                vec![buy(1, t(1, 0.0), 100.0, MARKET).line()],
            ),
            vec![
                paid(1, t(1, 0.0), 50.0, 20.00, 1.20),
                paid(1, t(2, 0.0), 30.0, 20.20, 0.40),
                paid(1, t(3, 0.0), 20.0, 20.30, 0.40),
            ],
            vec![filled(1, 100.0)],
        ),
        hand(
            // Bar 1: 20.10 > 20.20 > 19.90 > 20.05, limit after 0.20 / 0.30 = 2/3 of the second leg: 20 + 40/3 s.
            // Bar 2 opens below the limit. Bar 3: 20.20 > 20.30 > 20.00 > 20.10 touches it at 40 s.
            "limit order filled over three bars on their paths",
            day(
                &[
                    flat(20.10),
                    thin(20.10, 20.20, 19.90, 20.05, 300.0),
                    thin(19.95, 20.00, 19.95, 20.00, 300.0),
                    bar(20.20, 20.30, 20.00, 20.10),
                ],
                tenth_of_volume(),
                vec![buy(1, t(1, 0.0), 100.0, limit(20.00)).line()],
            ),
            vec![
                fill(1, t(1, 20.0 + 40.0 / 3.0), 30.0, 20.00),
                fill(1, t(2, 0.0), 30.0, 19.95),
                fill(1, t(3, 40.0), 40.0, 20.00),
            ],
            vec![filled(1, 100.0)],
        ),
        hand(
            // Cap 50: 40 for the first, 10 for the second; order 3, a stop met at 20.10 (half of the second leg of
            // 20.00 > 20.00 > 20.20 > 20.00) when nothing is left, goes on as a market order at the next open.
            "the cap of a bar is shared in order of path time and number",
            day(
                &[flat(20.00), thin(20.00, 20.20, 20.00, 20.00, 500.0), flat(20.40)],
                tenth_of_volume(),
                vec![
                    buy(1, t(1, 0.0), 40.0, MARKET).line(),
                    sell(2, t(1, 0.0), 40.0, MARKET).line(),
                    buy(3, t(1, 0.0), 25.0, stop(20.10)).line(),
                ],
            ),
            vec![
                fill(1, t(1, 0.0), 40.0, 20.00),
                fill(2, t(1, 0.0), 10.0, 20.00),
                fill(2, t(2, 0.0), 30.0, 20.40),
                fill(3, t(2, 0.0), 25.0, 20.40),
            ],
            vec![filled(1, 40.0), filled(2, 40.0), filled(3, 25.0)],
        ),
        hand(
            // 0.1 x 55 = 5.5 shares are not floored when fractions trade.
            "fractional quantities take the whole cap",
            day(
                &[flat(20.00), thin(20.00, 20.00, 20.00, 20.00, 55.0), flat(20.10)],
                Rules { fractional: true, ..tenth_of_volume() },
                vec![buy(1, t(1, 0.0), 7.25, MARKET).line()],
            ),
            vec![fill(1, t(1, 0.0), 5.5, 20.00), fill(1, t(2, 0.0), 1.75, 20.10)],
            vec![filled(1, 7.25)],
        ),
    ]
}

fn at_once() -> Vec<HandCase> {
    let (ioc, fok) = (TimeInForce::Ioc, TimeInForce::Fok);
    vec![
        hand(
            // Bar 1: cap 50. Order 1 is marketable at 20.00 and gets 50 of 80. Order 2 finds nothing left, order 3
            // is not marketable. Bar 2: cap 70. Order 4 gets its 60; order 5 would get 10 of 20.
            "ioc takes what there is, fok all or nothing",
            day(
                &[flat(20.00), thin(20.00, 20.00, 20.00, 20.00, 500.0), thin(20.10, 20.10, 20.10, 20.10, 700.0)],
                tenth_of_volume(),
                vec![
                    buy(1, t(1, 0.0), 80.0, limit(20.05)).tif(ioc).line(),
                    buy(2, t(1, 0.0), 60.0, MARKET).tif(fok).line(),
                    buy(3, t(1, 0.0), 60.0, limit(19.90)).tif(ioc).line(),
                    buy(4, t(2, 0.0), 60.0, MARKET).tif(fok).line(),
                    sell(5, t(2, 0.0), 20.0, limit(20.00)).tif(fok).line(),
                ],
            ),
            vec![fill(1, t(1, 0.0), 50.0, 20.00), fill(4, t(2, 0.0), 60.0, 20.10)],
            vec![
                canceled(1, 50.0, Reason::NotAtOnce),
                canceled(2, 0.0, Reason::NotAtOnce),
                canceled(3, 0.0, Reason::NotAtOnce),
                filled(4, 60.0),
                canceled(5, 0.0, Reason::NotAtOnce),
            ],
        ),
        hand(
            // The ioc order fails at 20.25 (30 s) although the bar was at 19.95 before.
            "ioc is judged at its arrival; on a stop it is no valid order, and its child goes with it",
            day(
                &[flat(20.00), wide()],
                latency(30 * SECOND),
                vec![
                    buy(1, t(1, 0.0), 100.0, limit(19.95)).tif(ioc).line(),
                    buy(2, t(1, 0.0), 100.0, stop(20.30)).tif(ioc).line(),
                    sell(3, t(1, 0.0), 100.0, stop(19.00)).parent(2).line(),
                ],
            ),
            vec![],
            vec![canceled(1, 0.0, Reason::NotAtOnce), rejected(2), canceled(3, 0.0, Reason::Parent)],
        ),
    ]
}

fn sessions() -> Vec<HandCase> {
    let (opg, cls, gtc) = (TimeInForce::Opg, TimeInForce::Cls, TimeInForce::Gtc);
    let first = [flat(20.00), flat(20.10), bar(20.10, 20.20, 20.10, 20.20)];
    let second = [flat(20.70), flat(20.80)];
    let half_day = {
        // The session closes at minute 3.5: bar 3 lasts 30 s, its legs 10 s. 20.00 > 19.80 > 20.30 > 20.10.
        let mut case = days(
            &[flat(20.00), flat(20.00), flat(20.00), bar(20.00, 20.30, 19.80, 20.10)],
            &[flat(18.90)],
            Rules::default(),
            vec![
                buy(1, t(2, 0.0), 100.0, limit(19.80)).line(),
                buy(2, t(2, 0.0), 100.0, limit(19.00)).line(),
                buy(3, t(2, 0.0), 100.0, limit(19.00)).tif(gtc).line(),
                sell(4, t(2, 0.0), 100.0, OrderKind::MarketOnClose).line(),
            ],
        );
        case.days[0].close = t(3, 30.0);
        case.series[0].bars[3].end = t(3, 30.0);
        case
    };
    vec![
        hand(
            "half day: day orders expire and on-close orders fill at the early close",
            half_day,
            vec![
                fill(1, t(3, 10.0), 100.0, 19.80),
                fill(4, t(3, 30.0), 100.0, 20.10),
                fill(3, t2(0, 0.0), 100.0, 18.90),
            ],
            vec![filled(1, 100.0), expired(2, 0.0), filled(3, 100.0), filled(4, 100.0)],
        ),
        hand(
            // Day 1 closes at 20.20, day 2 opens at 20.70. Order 5 is decided, and arrives, at the close.
            "on-open and on-close orders, with and without limit",
            days(
                &first,
                &second,
                Rules::default(),
                vec![
                    buy(1, t(1, 0.0), 100.0, OrderKind::MarketOnOpen).line(),
                    sell(2, t(1, 0.0), 100.0, OrderKind::MarketOnClose).line(),
                    buy(3, t(1, 0.0), 100.0, limit(20.50)).tif(opg).line(),
                    sell(4, t(1, 0.0), 100.0, limit(20.00)).tif(cls).line(),
                    buy(5, t(3, 0.0), 100.0, MARKET).tif(cls).line(),
                ],
            ),
            vec![
                fill(2, t(3, 0.0), 100.0, 20.20),
                fill(4, t(3, 0.0), 100.0, 20.20),
                fill(5, t(3, 0.0), 100.0, 20.20),
                fill(1, t2(0, 0.0), 100.0, 20.70),
            ],
            vec![
                filled(1, 100.0),
                filled(2, 100.0),
                canceled(3, 0.0, Reason::Auction),
                filled(4, 100.0),
                filled(5, 100.0),
            ],
        ),
        hand(
            // Order 1 arrives 1 ms too late for the close of day 1 and takes that of day 2. Order 2 is a day order of
            // day 2, since it is decided at the close of day 1, and waits for the open.
            "orders decided at the close and arriving after it",
            days(
                &first,
                &second,
                latency(MILLI),
                vec![
                    buy(1, t(3, 0.0), 100.0, OrderKind::MarketOnClose).line(),
                    buy(2, t(3, 0.0), 100.0, MARKET).line(),
                ],
            ),
            vec![fill(2, t2(0, 0.0), 100.0, 20.70), fill(1, t2(2, 0.0), 100.0, 20.80)],
            vec![filled(1, 100.0), filled(2, 100.0)],
        ),
        hand(
            "a day order that would arrive after the close expires at the close",
            days(&first, &second, latency(90 * SECOND), vec![buy(1, t(2, 0.0), 100.0, MARKET).line()]),
            vec![],
            vec![expired(1, 0.0)],
        ),
        hand(
            "a gtc order rests over the night; an ioc order waits for the next bar",
            days(
                &first,
                &second,
                Rules::default(),
                vec![
                    buy(1, t(1, 0.0), 100.0, stop(20.50)).tif(gtc).line(),
                    buy(2, t(3, 0.0), 100.0, MARKET).tif(TimeInForce::Ioc).line(),
                    sell(3, t(3, 0.0), 100.0, limit(21.00)).tif(gtc).line(),
                ],
            ),
            vec![fill(1, t2(0, 0.0), 100.0, 20.70), fill(2, t2(0, 0.0), 100.0, 20.70)],
            vec![filled(1, 100.0), filled(2, 100.0), canceled(3, 0.0, Reason::EndOfData)],
        ),
    ]
}

fn groups() -> Vec<HandCase> {
    vec![
        hand(
            // Bar 2, cap 40: 20.10 > 20.00 > 20.40 > 20.20: target 20.30 after 0.75 of the second leg: 40 shares.
            // The stop is left with 60. Bar 3: 20.00 > 20.10 > 19.60 > 19.65: stop 19.70 after 0.4 / 0.5 = 0.8 of
            // the second leg: 36 s.
            "part of one member reduces the other",
            day(
                &[flat(20.00), flat(20.00), thin(20.10, 20.40, 20.00, 20.20, 400.0), bar(20.00, 20.10, 19.60, 19.65)],
                tenth_of_volume(),
                vec![
                    buy(1, t(1, 0.0), 100.0, MARKET).line(),
                    sell(2, t(2, 0.0), 100.0, limit(20.30)).oco(7).line(),
                    sell(3, t(2, 0.0), 100.0, stop(19.70)).oco(7).line(),
                ],
            ),
            vec![fill(1, t(1, 0.0), 100.0, 20.00), fill(2, t(2, 35.0), 40.0, 20.30), fill(3, t(3, 36.0), 60.0, 19.70)],
            vec![filled(1, 100.0), canceled(2, 40.0, Reason::Group), filled(3, 60.0)],
        ),
        hand(
            // Both symbols go 20.00 > 19.90 > 20.60 > 20.20: the one at 20.30 is met before the one at 20.50.
            "a group over two symbols",
            {
                let lines = vec![
                    Submission { symbol: 1, ..buy(1, t(1, 0.0), 100.0, stop(20.50)).oco(7) }.line(),
                    sell(2, t(1, 0.0), 100.0, limit(20.30)).oco(7).line(),
                ];
                let mut case = day(&[flat(20.00), wide()], Rules::default(), lines);
                let bars = case.series[0].bars.clone();
                case.series.push(Series { name: "BBB".to_string(), bars });
                case
            },
            vec![fill(2, t(1, 20.0 + 80.0 / 7.0), 100.0, 20.30)],
            vec![canceled(1, 0.0, Reason::Group), filled(2, 100.0)],
        ),
        hand(
            "two members met at one open: the lower number fills",
            day(
                &[flat(20.00), flat(20.50)],
                Rules::default(),
                vec![
                    buy(1, t(1, 0.0), 100.0, stop(20.30)).oco(7).line(),
                    buy(2, t(1, 0.0), 100.0, stop(20.20)).oco(7).line(),
                ],
            ),
            vec![fill(1, t(1, 0.0), 100.0, 20.50)],
            vec![filled(1, 100.0), canceled(2, 0.0, Reason::Group)],
        ),
        hand(
            // Order 1 (70) leaves 30 of order 2.
            "cancelling one member leaves the other; a larger member keeps the difference",
            day(
                &[flat(20.00), flat(20.00), flat(20.50)],
                Rules::default(),
                vec![
                    buy(1, t(1, 0.0), 70.0, MARKET).oco(7).line(),
                    buy(2, t(1, 0.0), 100.0, stop(20.20)).oco(7).line(),
                    buy(3, t(1, 0.0), 100.0, limit(19.00)).oco(7).line(),
                    cancel(3, t(2, 0.0)),
                ],
            ),
            vec![fill(1, t(1, 0.0), 70.0, 20.00), fill(2, t(2, 0.0), 30.0, 20.50)],
            vec![filled(1, 70.0), filled(2, 30.0), canceled(3, 0.0, Reason::Request)],
        ),
    ]
}

fn brackets() -> Vec<HandCase> {
    let gtc = TimeInForce::Gtc;
    let bracket = |entry: f64, target: f64, protection: f64| {
        vec![
            buy(1, t(1, 0.0), 100.0, limit(entry)).tif(gtc).line(),
            sell(2, t(1, 0.0), 100.0, limit(target)).tif(gtc).parent(1).line(),
            sell(3, t(1, 0.0), 100.0, stop(protection)).tif(gtc).parent(1).line(),
        ]
    };
    let with = |mut lines: Vec<Line>, line: Line| {
        lines.push(line);
        lines
    };
    vec![
        hand(
            // 20.00 > 19.80 > 20.50 > 20.30: entry 19.95 after a quarter of the first leg (5 s), stop 19.85 after
            // three quarters (15 s).
            "entry and stop of a bracket in one bar",
            day(&[flat(20.00), bar(20.00, 20.50, 19.80, 20.30)], Rules::default(), bracket(19.95, 20.40, 19.85)),
            vec![fill(1, t(1, 5.0), 100.0, 19.95), fill(3, t(1, 15.0), 100.0, 19.85)],
            vec![filled(1, 100.0), canceled(2, 0.0, Reason::Group), filled(3, 100.0)],
        ),
        hand(
            // Bar 1, cap 60: 20.10 > 20.15 > 19.95 > 20.05: entry 20.00 after 0.75 of the second leg, 60 shares.
            // Bar 2: 20.10 > 20.05 > 20.50 > 20.45: target 20.40 after 0.35 / 0.45 = 7/9 of it, 60 shares; the
            // stop has nothing to protect. Bar 3: 20.20 > 20.25 > 19.90 > 19.95: entry after 0.25 / 0.35 = 5/7 of
            // the second leg, the other 40. Bar 4 gaps through the stop.
            "bracket filled in two parts",
            day(
                &[
                    flat(20.10),
                    thin(20.10, 20.15, 19.95, 20.05, 600.0),
                    bar(20.10, 20.50, 20.05, 20.45),
                    bar(20.20, 20.25, 19.90, 19.95),
                    flat(19.50),
                ],
                tenth_of_volume(),
                bracket(20.00, 20.40, 19.60),
            ),
            vec![
                fill(1, t(1, 35.0), 60.0, 20.00),
                fill(2, t(2, 20.0 + 140.0 / 9.0), 60.0, 20.40),
                fill(1, t(3, 20.0 + 100.0 / 7.0), 40.0, 20.00),
                fill(3, t(4, 0.0), 40.0, 19.50),
            ],
            vec![filled(1, 100.0), canceled(2, 60.0, Reason::Group), filled(3, 40.0)],
        ),
        hand(
            // 60 of 100 are filled when the day ends: the children are for 60 and the target fills them at the
            // next day's open, above its limit.
            "a part-filled entry that expires leaves its children for that part",
            days(&[flat(20.10), thin(19.95, 19.95, 19.95, 19.95, 600.0)], &[flat(20.45)], tenth_of_volume(), {
                let mut lines = bracket(20.00, 20.40, 19.60);
                lines[0] = buy(1, t(1, 0.0), 100.0, limit(20.00)).line();
                lines
            }),
            vec![fill(1, t(1, 0.0), 60.0, 19.95), fill(2, t2(0, 0.0), 60.0, 20.45)],
            vec![expired(1, 60.0), filled(2, 60.0), canceled(3, 0.0, Reason::Group)],
        ),
        hand(
            // 20.00 > 19.80 > 20.50 > 20.25: the trail starts from 19.95, so that its stop 19.75 survives the low of
            // 19.80 (from the open it would have been 19.80). Best 20.50, stop 20.30 after 0.20 / 0.25 = 0.8 of
            // the last leg: 56 s.
            "a trailing child starts from the price at its parent's fill",
            day(
                &[flat(20.00), bar(20.00, 20.50, 19.80, 20.25)],
                Rules::default(),
                vec![
                    buy(1, t(1, 0.0), 100.0, limit(19.95)).line(),
                    sell(2, t(1, 0.0), 100.0, trail(0.20)).parent(1).line(),
                ],
            ),
            vec![fill(1, t(1, 5.0), 100.0, 19.95), fill(2, t(1, 56.0), 100.0, 20.30)],
            vec![filled(1, 100.0), filled(2, 100.0)],
        ),
        hand(
            "cancelling the entry cancels its children",
            day(
                &[flat(20.00), flat(20.00), flat(19.00)],
                Rules::default(),
                with(bracket(19.95, 20.40, 19.85), cancel(1, t(2, 0.0))),
            ),
            vec![],
            vec![canceled(1, 0.0, Reason::Request), canceled(2, 0.0, Reason::Parent), canceled(3, 0.0, Reason::Parent)],
        ),
        hand(
            "cancelling a child leaves its sibling",
            day(
                &[flat(20.00), flat(19.90), flat(20.00), flat(19.00)],
                Rules::default(),
                with(bracket(19.95, 20.40, 19.85), cancel(2, t(2, 0.0))),
            ),
            vec![fill(1, t(1, 0.0), 100.0, 19.90), fill(3, t(3, 0.0), 100.0, 19.00)],
            vec![filled(1, 100.0), canceled(2, 0.0, Reason::Request), filled(3, 100.0)],
        ),
        hand(
            // Bar 1, cap 60, opens at 19.95. The cancel arrives before bar 2, which is at the target.
            "cancelling a part-filled entry cancels its unfilled children too",
            day(
                &[flat(20.10), thin(19.95, 19.95, 19.95, 19.95, 600.0), flat(20.45)],
                tenth_of_volume(),
                with(bracket(20.00, 20.40, 19.60), cancel(1, t(2, 0.0))),
            ),
            vec![fill(1, t(1, 0.0), 60.0, 19.95)],
            vec![
                canceled(1, 60.0, Reason::Request),
                canceled(2, 0.0, Reason::Parent),
                canceled(3, 0.0, Reason::Parent),
            ],
        ),
        hand(
            // Entry after a quarter of the first leg of 20.00 > 19.80 > 20.50 > 20.30: the market child fills there,
            // the on-close child of the other side takes the rest of the day.
            "market and on-close children",
            day(
                &[flat(20.00), bar(20.00, 20.50, 19.80, 20.30)],
                Rules::default(),
                vec![
                    buy(1, t(1, 0.0), 100.0, limit(19.95)).line(),
                    buy(2, t(1, 0.0), 50.0, MARKET).parent(1).oco(1).line(),
                    sell(3, t(1, 0.0), 100.0, OrderKind::MarketOnClose).parent(1).oco(2).line(),
                ],
            ),
            vec![fill(1, t(1, 5.0), 100.0, 19.95), fill(2, t(1, 5.0), 50.0, 19.95), fill(3, t(2, 0.0), 100.0, 20.30)],
            vec![filled(1, 100.0), filled(2, 50.0), filled(3, 100.0)],
        ),
        hand(
            // The order of minute 2 names a parent that is filled: in the market from its own arrival.
            "a child sent after its parent's fill",
            day(
                &[flat(20.00), flat(20.00), flat(20.30)],
                Rules::default(),
                vec![buy(1, t(1, 0.0), 100.0, MARKET).line(), sell(2, t(2, 0.0), 100.0, limit(20.20)).parent(1).line()],
            ),
            vec![fill(1, t(1, 0.0), 100.0, 20.00), fill(2, t(2, 0.0), 100.0, 20.30)],
            vec![filled(1, 100.0), filled(2, 100.0)],
        ),
        hand(
            "an entry that expires unfilled cancels its children",
            days(&[flat(20.00), flat(20.00)], &[flat(19.00)], Rules::default(), {
                let mut lines = bracket(19.95, 20.40, 19.85);
                lines[0] = buy(1, t(1, 0.0), 100.0, limit(19.95)).line();
                lines
            }),
            vec![],
            vec![expired(1, 0.0), canceled(2, 0.0, Reason::Parent), canceled(3, 0.0, Reason::Parent)],
        ),
    ]
}

fn cancels() -> Vec<HandCase> {
    // The order of minute 1 and the cancel of minute 2 both take `late`. Bar 2 touches 19.90 at its low, exactly
    // 20 s after its start.
    let race = |late| {
        day(
            &[flat(20.10), flat(20.10), wide()],
            latency(late),
            vec![buy(1, t(1, 0.0), 100.0, limit(19.90)).line(), cancel(1, t(2, 0.0))],
        )
    };
    vec![
        hand(
            "a cancel arriving at the instant of the fill wins",
            race(20 * SECOND),
            vec![],
            vec![canceled(1, 0.0, Reason::Request)],
        ),
        hand(
            "a cancel arriving a nanosecond later is too late",
            race(20 * SECOND + 1),
            vec![fill(1, t(2, 20.0), 100.0, 19.90)],
            vec![filled(1, 100.0)],
        ),
        hand(
            // Order 2 is triggered at the high (20.60) and meets its limit exactly at the close of bar 1, where its
            // cancel is decided: too late. Order 1 is cancelled before the gap to 19.00 would have filled it.
            "a cancel without latency comes after the close and before the next open",
            day(
                &[flat(20.00), wide(), flat(19.00)],
                Rules::default(),
                vec![
                    sell(1, t(1, 0.0), 100.0, stop(19.00)).line(),
                    buy(2, t(1, 0.0), 100.0, OrderKind::StopLimit { stop: 20.60, limit: 20.20 }).line(),
                    cancel(1, t(2, 0.0)),
                    cancel(2, t(2, 0.0)),
                ],
            ),
            vec![fill(2, t(2, 0.0), 100.0, 20.20)],
            vec![canceled(1, 0.0, Reason::Request), filled(2, 100.0)],
        ),
        hand(
            "an order and its cancel of one instant arrive together: nothing fills",
            day(
                &[flat(20.00), wide()],
                latency(30 * SECOND),
                vec![buy(1, t(1, 0.0), 100.0, MARKET).line(), cancel(1, t(1, 0.0))],
            ),
            vec![],
            vec![canceled(1, 0.0, Reason::Request)],
        ),
    ]
}

fn rules_for_market_orders() -> Vec<HandCase> {
    let bars = [flat(20.00), bar(20.30, 20.60, 20.20, 20.40), flat(20.50)];
    let case = |fill, lines| day(&bars, Rules { fill, ..latency(90 * SECOND) }, lines);
    let mut quoted = case(
        FillRule::Quote,
        vec![
            buy(1, t(1, 0.0), 100.0, MARKET).line(),
            sell(2, t(2, 0.0), 100.0, MARKET).line(),
            sell(3, t(1, 0.0), 100.0, limit(20.10)).line(),
        ],
    );
    for bar in &mut quoted.series[0].bars {
        let (bid, ask) = (bar.prices.close - 0.02, bar.prices.close + 0.03);
        bar.quotes = Some(QuoteBar {
            bid_open: bid,
            bid_high: bid,
            bid_low: bid,
            bid_close: bid,
            ask_open: ask,
            ask_high: ask,
            ask_low: ask,
            ask_close: ask,
        });
    }
    vec![
        hand(
            // The market order ignores the latency; the limit arrives in mid-bar at minute 2.5.
            "next_open: market orders at the next open whatever the latency, limits after it",
            case(
                FillRule::NextOpen,
                vec![buy(1, t(1, 0.0), 100.0, MARKET).line(), sell(2, t(1, 0.0), 100.0, limit(20.10)).line()],
            ),
            vec![fill(1, t(1, 0.0), 100.0, 20.30), fill(2, t(2, 30.0), 100.0, 20.50)],
            vec![filled(1, 100.0), filled(2, 100.0)],
        ),
        hand(
            "close: market orders at the close just seen, also at the last one",
            case(
                FillRule::Close,
                vec![
                    buy(1, t(1, 0.0), 100.0, MARKET).line(),
                    sell(2, t(2, 0.0), 100.0, MARKET).line(),
                    sell(3, t(3, 0.0), 100.0, MARKET).line(),
                ],
            ),
            vec![fill(1, t(1, 0.0), 100.0, 20.00), fill(2, t(2, 0.0), 100.0, 20.40), fill(3, t(3, 0.0), 100.0, 20.50)],
            vec![filled(1, 100.0), filled(2, 100.0), filled(3, 100.0)],
        ),
        hand(
            // Ask 20.00 + 0.03, bid 20.40 - 0.02; the limit meets the trade price at minute 2.5.
            "quote: market orders at the closing ask or bid",
            quoted,
            vec![fill(1, t(1, 0.0), 100.0, 20.03), fill(2, t(2, 0.0), 100.0, 20.38), fill(3, t(2, 30.0), 100.0, 20.50)],
            vec![filled(1, 100.0), filled(2, 100.0), filled(3, 100.0)],
        ),
        hand(
            // Cap of bar 1: 30. The rest of order 1 goes on at the open of bar 2.
            "close under a volume cap: the rest at the next open",
            day(
                &[flat(20.00), thin(20.00, 20.00, 20.00, 20.00, 300.0), flat(20.20)],
                Rules { fill: FillRule::Close, ..tenth_of_volume() },
                vec![buy(1, t(2, 0.0), 100.0, MARKET).line()],
            ),
            vec![fill(1, t(2, 0.0), 30.0, 20.00), fill(1, t(2, 0.0), 70.0, 20.20)],
            vec![filled(1, 100.0)],
        ),
    ]
}

fn costs() -> Vec<HandCase> {
    let lines = || {
        vec![
            buy(1, t(1, 0.0), 100.0, MARKET).line(),
            sell(2, t(1, 0.0), 100.0, limit(20.00)).line(),
            sell(3, t(1, 0.0), 100.0, stop(20.00)).line(),
        ]
    };
    let case = |commission, slippage| {
        day(&[flat(20.00), flat(20.00)], Rules { commission, slippage, ..Rules::default() }, lines())
    };
    let fills = |prices: [f64; 3], fees: [f64; 3]| {
        (0..3).map(|i| FillRow { commission: fees[i], ..fill(i as u32 + 1, t(1, 0.0), 100.0, prices[i]) }).collect()
    };
    let orders = || vec![filled(1, 100.0), filled(2, 100.0), filled(3, 100.0)];
    vec![
        hand(
            // 20 x (1 + 0.0005) = 20.01 bought, 19.99 sold by the stop; the limit does not slip.
            // 10 basis points of 2001, 2000, 1999.
            "fixed slippage and basis points",
            case(Commission::Bps(10.0), Slippage::FixedPct(0.05)),
            fills([20.01, 20.00, 19.99], [2.001, 2.000, 1.999]),
            orders(),
        ),
        hand(
            // Half of one basis point of 20 is 0.001; impact 20 x 0.1 x sqrt(100 / 10000) = 0.2.
            "slippage by rule and a fee per order",
            case(Commission::PerOrder(1.5), Slippage::RuleBased { k: 0.1 }),
            fills([20.201, 20.00, 19.799], [1.5; 3]),
            orders(),
        ),
        hand(
            // 0.005 x 100 = 0.50, at least 30, at most 1 % of 2000 = 20.
            "the maximum commission binds after the minimum",
            case(Commission::PerShare { rate: 0.005, min: 30.0, max_pct: 1.0 }, Slippage::None),
            fills([20.00; 3], [20.0; 3]),
            orders(),
        ),
    ]
}
