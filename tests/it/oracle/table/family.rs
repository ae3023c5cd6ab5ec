//! Orders that hang together: one-cancels-other groups and brackets.

use super::HandCase;
use super::words::{
    MARKET, bar, buy, cancel, canceled, day, days, expired, fill, filled, flat, hand, limit, sell, stop, t, t2,
    tenth_of_volume, thin, trail, wide,
};
use crate::oracle::case::{Line, Reason, Rules, Series, Submission};
use tradebot::trading::{OrderKind, TimeInForce};

pub fn cases() -> Vec<HandCase> {
    [groups(), brackets()].into_iter().flatten().collect()
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
            // 20.00 > 19.90 > 20.60 > 20.20: the entry is triggered at the high and meets its limit exactly at the
            // close; so does its child, at that price, before the next bar gaps away.
            "a child acts at the instant of its parent's fill, at the very close of a bar",
            day(
                &[flat(20.00), wide(), flat(19.00)],
                Rules::default(),
                vec![
                    buy(1, t(1, 0.0), 100.0, OrderKind::StopLimit { stop: 20.60, limit: 20.20 }).line(),
                    sell(2, t(1, 0.0), 100.0, limit(20.20)).parent(1).line(),
                ],
            ),
            vec![fill(1, t(2, 0.0), 100.0, 20.20), fill(2, t(2, 0.0), 100.0, 20.20)],
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
