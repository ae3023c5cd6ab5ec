//! The life of an order: volume caps, time in force, sessions, cancels, the rules for market orders.

use super::HandCase;
use super::words::{
    MARKET, bar, buy, cancel, canceled, day, days, expired, fill, filled, flat, hand, latency, limit, rejected, sell,
    stop, t, t2, tenth_of_volume, thin, wide,
};
use crate::oracle::case::{Commission, FillRow, FillRule, Reason, Rules};
use tradebot::market::{DAY, MILLI, MINUTE, QuoteBar, SECOND};
use tradebot::trading::{OrderKind, TimeInForce};

pub fn cases() -> Vec<HandCase> {
    [volume(), at_once(), sessions(), cancels(), rules_for_market_orders()].into_iter().flatten().collect()
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
            // 20.00 > 20.00 > 20.20 > 20.00) when nothing is left, goes on as a market order at the next open, though that is below its stop.
            "the cap of a bar is shared in order of path time and number",
            day(
                &[flat(20.00), thin(20.00, 20.20, 20.00, 20.00, 500.0), flat(20.05)],
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
                fill(2, t(2, 0.0), 30.0, 20.05),
                fill(3, t(2, 0.0), 25.0, 20.05),
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
            // Day 1 closes at 20.20, day 2 opens at 20.70. Order 5 is decided at the close of day 1, knowing it,
            // and goes to that of day 2.
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
                fill(1, t2(0, 0.0), 100.0, 20.70),
                fill(5, t2(2, 0.0), 100.0, 20.80),
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
            // Decided at minute 1, on its way until the next day's open: it takes that open.
            "an on-open order arriving at the instant of the open",
            days(
                &first,
                &second,
                latency(DAY - MINUTE),
                vec![buy(1, t(1, 0.0), 100.0, OrderKind::MarketOnOpen).line()],
            ),
            vec![fill(1, t2(0, 0.0), 100.0, 20.70)],
            vec![filled(1, 100.0)],
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
