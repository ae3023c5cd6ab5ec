//! Prices: market orders, limits, stops, trailing stops, both extremes in one bar, costs.

use super::HandCase;
use super::words::{
    MARKET, bar, buy, canceled, day, expired, fill, filled, flat, hand, latency, limit, rule, sell, stop, t, trail,
    wide,
};
use crate::oracle::case::{Commission, FillRow, FillRule, Reason, Rules, Slippage};
use tradebot::market::{MINUTE, QuoteBar, SECOND};
use tradebot::trading::{OrderKind, Trail};

pub fn cases() -> Vec<HandCase> {
    [market(), limits(), stops(), trailing(), both_in_one_bar(), costs()].into_iter().flatten().collect()
}

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
            // Bar 1 touches 20.60 at its high. Bar 2: 20.50 > 20.40 > 20.80 > 20.70 passes it after 0.20 / 0.40 = 0.5
            // of its second leg.
            "limit to be penetrated, selling",
            day(
                &[flat(20.00), wide(), bar(20.50, 20.80, 20.40, 20.70)],
                penetrate,
                vec![sell(1, t(1, 0.0), 100.0, limit(20.60)).line()],
            ),
            vec![fill(1, t(2, 30.0), 100.0, 20.60)],
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
