//! The rules of `open`, `mid` and `close`, on days worked out by hand.

use crate::small_market::{SmallMarket, fills, flat, plain_run, run_one, run_with, step, strategy, walk};
use tradebot::backtest::RunResult;
use tradebot::market::{Bar, MINUTE, Market, OptionQuote, OptionRight, SECOND, parse_date};
use tradebot::risk::Defense;
use tradebot::sim::FillRule;
use tradebot::trading::{CONTRACT_SIZE, OrderState};

/// Monday and Tuesday in winter: New York is UTC - 5 h, sessions from 14:30 to 21:00 UTC.
const DAYS: (&str, &str) = ("2024-01-08", "2024-01-09");

/// A range of 99 to 101 in the first twenty minutes and 100 after them, on every day; other prices from
/// `after(minute)` on the second day.
pub fn opening_range(after: impl Fn(usize) -> Option<Bar>) -> impl Fn(usize, usize) -> Option<Bar> {
    move |day, minute| {
        let bar = match minute {
            5 => Bar { open: 100.0, high: 101.0, low: 100.0, close: 100.0, volume: 10_000.0 },
            7 => Bar { open: 100.0, high: 100.0, low: 99.0, close: 100.0, volume: 10_000.0 },
            _ => flat(100.0),
        };
        if day == 1 { after(minute).or(Some(bar)) } else { Some(bar) }
    }
}

/// A jump to `price` in one minute, that stays.
pub fn jump(at: usize, price: f64) -> impl Fn(usize) -> Option<Bar> {
    move |minute| (minute >= at).then(|| if minute == at { step(100.0, price) } else { flat(price) })
}

pub fn market(bar: impl Fn(usize, usize) -> Option<Bar>) -> Market {
    SmallMarket::new(DAYS.0, DAYS.1).symbol("A", bar).healthy().build()
}

/// MAX_PRICE is 100 by default, which the prices here pass by.
const UP_TO_200: (&str, &str) = ("MAX_PRICE", "200");

#[test]
fn open_buys_the_first_close_above_the_range_and_leaves_at_the_end_of_the_window() {
    // The close of minute 24 is above 101 x 1.02 = 103.02: decided at 14:55, filled at the next open. The
    // window ends 20 + 10 + 30 minutes after 14:30. Trade 0 gets 0.4 x 0.02 x 100,000 = 800 dollars.
    let result = run_one(&market(opening_range(jump(24, 104.0))), "open", &[UP_TO_200]);
    assert_eq!(
        fills(&result),
        ["2024-01-09T14:55 buy A 7.6923 @ 104 (range breakout)", "2024-01-09T15:30 sell A 7.6923 @ 104 (window end)"]
    );
}

#[test]
fn open_sells_short_below_the_range() {
    // 99 x 0.98 = 97.02.
    let result =
        run_one(&market(opening_range(jump(24, 97.0))), "open", &[UP_TO_200, ("SHORT_TYPE_OPEN", "ShortSell")]);
    assert_eq!(
        fills(&result),
        ["2024-01-09T14:55 sell A 8.2474 @ 97 (range breakout)", "2024-01-09T15:30 buy A 8.2474 @ 97 (window end)"]
    );
}

#[test]
fn a_close_at_the_buffered_edge_is_no_breakout() {
    let edge = 101.0 * 1.02;
    assert!(fills(&run_one(&market(opening_range(jump(24, edge))), "open", &[UP_TO_200])).is_empty());
    let above = edge + 1e-9;
    assert_eq!(run_one(&market(opening_range(jump(24, above))), "open", &[UP_TO_200]).fills.len(), 2);
    // A high beyond the edge does not count.
    let spike = |minute| (minute == 24).then_some(Bar { high: 110.0, ..flat(100.0) });
    assert!(fills(&run_one(&market(opening_range(spike)), "open", &[UP_TO_200])).is_empty());
}

#[test]
fn only_bars_of_the_breakout_time_can_trigger() {
    let only = |at: usize, price: f64| {
        move |minute: usize| (minute == at).then_some(Bar { high: price.max(100.0), close: price, ..flat(100.0) })
    };
    let entries = |at: usize| run_one(&market(opening_range(only(at, 104.0))), "open", &[UP_TO_200]).fills.len();
    // Minute 19 ends at 14:50 and belongs to the range; minutes 20 to 29 end in the ten minutes after it.
    assert_eq!([entries(19), entries(20), entries(29), entries(30)], [0, 2, 2, 0]);
}

#[test]
fn the_open_window_is_nine_thirty_in_new_york_before_and_after_the_clocks_change() {
    let bars = |_: usize, minute: usize| {
        Some(match minute {
            24 => step(100.0, 104.0),
            m if m > 24 && m < 100 => flat(104.0),
            _ => flat(100.0),
        })
    };
    for (from, to, entries) in [
        ("2024-03-07", "2024-03-12", ["2024-03-08T14:55", "2024-03-11T13:55"]),
        ("2024-10-31", "2024-11-05", ["2024-11-01T13:55", "2024-11-04T14:55"]),
    ] {
        let market = SmallMarket::new(from, to).symbol("A", bars).healthy().build();
        let aware = fills(&run_one(&market, "open", &[UP_TO_200]));
        for entry in entries {
            assert!(aware.iter().any(|fill| fill.starts_with(entry)), "{entry} in {aware:?}");
        }
        // To the letter, 14:30 UTC is an hour after the open in summer time: 10:30, long after the jump.
        let literal = run_one(&market, "open", &[UP_TO_200, ("START_TIMES_DST_AWARE", "false")]);
        assert!(fills(&literal).iter().all(|fill| fill[11..16] == *"14:55" || fill[11..16] == *"15:30"));
    }
}

#[test]
fn a_window_past_an_early_close_makes_no_entry_and_one_across_it_leaves_at_the_close() {
    // The Friday after Thanksgiving closes at 13:00 in New York, 18:00 UTC.
    let bars = |_: usize, minute: usize| {
        Some(match minute {
            // Breaks out at 17:51 and at 19:36 UTC.
            201 | 306 => step(100.0, 101.0),
            _ => flat(100.0),
        })
    };
    let market = SmallMarket::new("2024-11-27", "2024-11-29").symbol("A", bars).healthy();
    let market = market.vix(&[("2024-11-26", 20.0), ("2024-11-27", 20.0)]).build();
    let half_day = |params: &[(&str, &str)]| {
        let all = fills(&run_one(&market, "close", params));
        all.into_iter().filter(|fill| fill.starts_with("2024-11-29")).collect::<Vec<_>>()
    };
    assert!(half_day(&[UP_TO_200]).is_empty());
    // 800 dollars at 101; 25 minutes later would be 18:17.
    assert_eq!(
        half_day(&[UP_TO_200, ("START_TIME_CLOSE", "17:45")]),
        ["2024-11-29T17:52 buy A 7.9208 @ 100 (late momentum)", "2024-11-29T18:00 sell A 7.9208 @ 100 (session close)"]
    );
}

#[test]
fn no_entry_is_decided_at_the_close() {
    // The window reaches to 21:01; the last bar breaks out at 21:00.
    let bars = |_: usize, minute: usize| Some(if minute == 389 { step(100.0, 101.0) } else { flat(100.0) });
    let market = SmallMarket::new("2024-01-08", "2024-01-10").symbol("A", bars).healthy().vix(&[("2024-01-05", 20.0)]);
    let result = run_one(&market.build(), "close", &[UP_TO_200, ("START_TIME_CLOSE", "20:51")]);
    assert!(result.orders.is_empty());
}

/// One minute at 100 with a volume of 1,000,000, then 105 minutes later a fall to 97; the session's VWAP stays
/// near 100.
fn fallen(at: usize, price: f64) -> impl Fn(usize, usize) -> Option<Bar> {
    move |_, minute| {
        Some(match minute {
            0 => Bar { volume: 1_000_000.0, ..flat(100.0) },
            m if m < at => Bar { volume: 0.0, ..flat(100.0) },
            m if m == at => Bar { volume: 0.0, ..step(100.0, price) },
            _ => Bar { volume: 0.0, ..flat(price) },
        })
    }
}

#[test]
fn mid_buys_below_the_vwap_of_the_session_and_holds_for_its_time() {
    // Only minute 0 has volume: VWAP 100 exactly. Minute 77 ends at 15:48, in the ten minutes after 15:45.
    let result = run_one(&market(fallen(77, 97.0)), "mid", &[UP_TO_200]);
    assert_eq!(
        fills(&result),
        ["2024-01-09T15:48 buy A 8.2474 @ 97 (vwap deviation)", "2024-01-09T16:18 sell A 8.2474 @ 97 (holding time)"]
    );
}

#[test]
fn mid_enters_at_the_threshold_itself_and_only_in_its_time() {
    let entries = |at: usize, price: f64| run_one(&market(fallen(at, price)), "mid", &[UP_TO_200]).fills.len();
    assert_eq!(entries(77, 98.0), 2, "2 % exactly");
    assert_eq!(entries(77, 98.01), 0);
    // A fall before the window is still there in its first minute: 15:46.
    let early = fills(&run_one(&market(fallen(40, 97.0)), "mid", &[UP_TO_200]));
    assert!(early[0].starts_with("2024-01-09T15:46"), "{early:?}");
    // Minute 84 ends at 15:55, minute 85 after it.
    assert_eq!([entries(84, 97.0), entries(85, 97.0)], [2, 0]);
}

#[test]
fn the_vwap_is_weighted_by_volume() {
    // 100 x 1,000,000 and (96 + 90 + 90) / 3 = 92 x 1,000,000: VWAP 96. 94.1 is 1.98 % below, 94 is 2.08 %.
    let bars = |last: f64| {
        move |_: usize, minute: usize| {
            Some(match minute {
                0 => Bar { volume: 1_000_000.0, ..flat(100.0) },
                1 => Bar { open: 96.0, high: 96.0, low: 90.0, close: 90.0, volume: 1_000_000.0 },
                _ => Bar { volume: 0.0, ..flat(last) },
            })
        }
    };
    assert!(run_one(&market(bars(94.1)), "mid", &[UP_TO_200]).fills.is_empty());
    assert_eq!(run_one(&market(bars(94.0)), "mid", &[UP_TO_200]).fills.len(), 2);
}

#[test]
fn mid_target_and_stop_are_orders_beside_the_time_exit() {
    let rebound = |day: usize, minute: usize| {
        if minute == 90 { Some(Bar { volume: 0.0, ..step(97.0, 101.0) }) } else { fallen(77, 97.0)(day, minute) }
    };
    let params = [UP_TO_200, ("target", "vwap"), ("stop", "mirror")];
    let result = run_one(&market(rebound), "mid", &params);
    assert_eq!(fills(&result)[1], "2024-01-09T16:00 sell A 8.2474 @ 100 (target)");
    // As far below the entry as the VWAP is above it: 94.
    let relapse = |day: usize, minute: usize| {
        if minute == 90 { Some(Bar { volume: 0.0, ..step(97.0, 93.0) }) } else { fallen(77, 97.0)(day, minute) }
    };
    let result = run_one(&market(relapse), "mid", &params);
    assert_eq!(fills(&result)[1], "2024-01-09T16:00 sell A 8.2474 @ 94 (stop)");
    assert_eq!(result.fills.len(), 2, "the other exits are reduced to nothing");
    assert!(result.orders.iter().all(|order| order.state.is_final()));
}

/// Breaks out of the range of 14:30 to 14:35 in New York by `price` in minute 306, which ends at 19:37 UTC.
fn late_break(price: f64) -> impl Fn(usize, usize) -> Option<Bar> {
    move |day, minute| Some(if day > 0 && minute == 306 { step(100.0, price) } else { flat(100.0) })
}

fn close_market(vix: &[(&str, f64)], price: f64) -> Market {
    let market = SmallMarket::new(DAYS.0, DAYS.1).symbol("A", late_break(price)).healthy();
    if vix.is_empty() { market.build() } else { market.vix(vix).build() }
}

#[test]
fn close_goes_with_a_break_or_against_it() {
    let market = close_market(&[("2024-01-08", 15.0)], 100.5);
    let momentum = run_one(&market, "close", &[UP_TO_200]);
    assert_eq!(
        fills(&momentum),
        ["2024-01-09T19:37 buy A 7.9602 @ 100 (late momentum)", "2024-01-09T20:02 sell A 7.9602 @ 100 (holding time)"]
    );
    let fade = run_one(&market, "close", &[UP_TO_200, ("mode", "fade"), ("SHORT_TYPE_CLOSE", "ShortSell")]);
    assert_eq!(fills(&fade)[0], "2024-01-09T19:37 sell A 7.9602 @ 100 (late fade)");
    let against = run_one(&close_market(&[("2024-01-08", 15.0)], 99.5), "close", &[UP_TO_200, ("trend", "session")]);
    assert!(against.fills.is_empty(), "no inverse ETF is given for the short side");
}

#[test]
fn close_makes_no_entry_without_a_recent_vix_at_its_threshold() {
    let entries = |vix: &[(&str, f64)]| {
        let result = run_one(&close_market(vix, 100.5), "close", &[UP_TO_200]);
        (result.fills.len(), result.warnings.join(" "))
    };
    assert_eq!(entries(&[("2024-01-08", 15.0)]).0, 2);
    // With a value on Friday, both sessions have one.
    assert_eq!(entries(&[("2024-01-05", 14.0), ("2024-01-08", 14.99)]), (0, String::new()));
    // The close of the session itself is not known in it.
    assert_eq!(entries(&[("2024-01-08", 14.0), ("2024-01-09", 30.0)]).0, 0);
    // 2 January is five sessions before 9 January, 29 December six.
    assert_eq!(entries(&[("2024-01-02", 20.0)]).0, 2);
    let (stale, warning) = entries(&[("2023-12-29", 20.0)]);
    assert!(stale == 0 && warning.contains("VIX"), "{warning}");
    let (missing, warning) = entries(&[]);
    assert!(missing == 0 && warning.contains("--vix"), "{warning}");
}

/// Six symbols that break out in minutes 21 to 24: E first, then B and D in one minute, then the others.
fn six() -> Market {
    let break_at = |at: usize| opening_range(jump(at, 104.0));
    SmallMarket::new(DAYS.0, DAYS.1)
        .symbol("A", break_at(24))
        .symbol("B", break_at(22))
        .symbol("C", break_at(24))
        .symbol("D", opening_range(jump(22, 106.0)))
        .symbol("E", break_at(21))
        .symbol("F", break_at(23))
        .healthy()
        .build()
}

fn bought(result: &RunResult) -> Vec<String> {
    fills(result).iter().filter(|fill| fill.contains(" buy ")).map(|fill| fill[11..].to_string()).collect()
}

#[test]
fn weights_go_by_order_of_trigger_then_name_and_end_with_max_trades() {
    // 800 dollars for the first trade, 400 for the next three.
    assert_eq!(
        bought(&run_one(&six(), "open", &[UP_TO_200])),
        [
            "14:52 buy E 7.6923 @ 104 (range breakout)",
            "14:53 buy B 3.8462 @ 104 (range breakout)",
            "14:53 buy D 3.7736 @ 106 (range breakout)",
            "14:54 buy F 3.8462 @ 104 (range breakout)"
        ]
    );
    let two = run_one(&six(), "open", &[UP_TO_200, ("MAX_TRADES", "2"), ("WEIGHTS", "0.5,0.1")]);
    assert_eq!(
        bought(&two),
        ["14:52 buy E 9.6154 @ 104 (range breakout)", "14:53 buy B 1.9231 @ 104 (range breakout)"]
    );
    let capped = run_one(&six(), "open", &[UP_TO_200, ("MAX_RISK_PER_TRADE", "0.005")]);
    assert_eq!(bought(&capped)[0], "14:52 buy E 4.8077 @ 104 (range breakout)");
}

#[test]
fn signals_of_one_instant_can_be_ranked_by_strength_or_volume() {
    let params = [UP_TO_200, ("MAX_TRADES", "2"), ("rank", "strength")];
    assert!(bought(&run_one(&six(), "open", &params))[1].contains(" D "), "106 is further out than 104");
    let busy = |day: usize, minute: usize| {
        opening_range(jump(24, 104.0))(day, minute).map(|b| Bar { volume: b.volume * (1 + day) as f64, ..b })
    };
    let market =
        SmallMarket::new(DAYS.0, DAYS.1).symbol("A", opening_range(jump(24, 104.0))).symbol("B", busy).healthy();
    let params = [UP_TO_200, ("MAX_TRADES", "1"), ("rank", "relative_volume")];
    assert!(bought(&run_one(&market.build(), "open", &params))[0].contains(" B "));
}

#[test]
fn a_symbol_is_entered_once_a_session() {
    // Stopped out at the middle of the range, then breaks out again within the breakout time.
    let bars = |minute: usize| match minute {
        20 | 24 => Some(step(100.0, 104.0)),
        21 => Some(step(104.0, 99.5)),
        _ => None,
    };
    let result = run_one(&market(opening_range(bars)), "open", &[UP_TO_200, ("stop", "midpoint")]);
    assert_eq!(
        fills(&result),
        ["2024-01-09T14:51 buy A 7.6923 @ 104 (range breakout)", "2024-01-09T14:51 sell A 7.6923 @ 100 (stop)"]
    );
}

#[test]
fn the_stop_of_a_breakout_is_the_other_side_of_the_range_and_the_target_a_multiple_of_it() {
    let fall = |minute: usize| if minute == 40 { Some(step(104.0, 98.0)) } else { jump(24, 104.0)(minute) };
    let params = [UP_TO_200, ("stop", "range"), ("target_r", "2")];
    let result = run_one(&market(opening_range(fall)), "open", &params);
    assert_eq!(&fills(&result)[1][11..], "15:10 sell A 7.6923 @ 99 (stop)");
    // The risk is 104 - 99 = 5.
    let rise = |minute: usize| if minute == 40 { Some(step(104.0, 120.0)) } else { jump(24, 104.0)(minute) };
    let result = run_one(&market(opening_range(rise)), "open", &params);
    assert_eq!(&fills(&result)[1][11..], "15:10 sell A 7.6923 @ 114 (target)");
}

#[test]
fn an_inverse_etf_is_bought_for_its_exposure_or_not_at_all() {
    let market = |etf: fn(usize) -> bool| {
        SmallMarket::new(DAYS.0, DAYS.1)
            .symbol("A", opening_range(jump(24, 97.0)))
            .symbol("SDS", move |_, minute| etf(minute).then_some(flat(40.0)))
            .healthy()
            .inverse("SDS", 2.0)
            .build()
    };
    // 800 dollars of exposure are 400 dollars of an ETF that moves twice the index.
    let result = run_one(&market(|_| true), "open", &[UP_TO_200]);
    assert_eq!(
        fills(&result),
        [
            "2024-01-09T14:55 buy SDS 10.0000 @ 40 (range breakout)",
            "2024-01-09T15:30 sell SDS 10.0000 @ 40 (window end)"
        ]
    );
    // Without a bar that ends with the signal there is no entry; the signal stays for the bars after it.
    let result = run_one(&market(|minute| minute != 24), "open", &[UP_TO_200]);
    assert!(fills(&result)[0].starts_with("2024-01-09T14:56"));
    assert!(result.warnings.iter().any(|text| text.contains("SDS had no bar")), "{:?}", result.warnings);
    let result = run_one(&market(|minute| minute < 20), "open", &[UP_TO_200]);
    assert!(result.orders.is_empty());
    let result = run_one(&market(|_| true), "open", &[UP_TO_200, ("SHORT_TYPE_OPEN", "disabled")]);
    assert!(result.orders.is_empty());
}

#[test]
fn the_stop_of_an_inverse_etf_is_watched_on_the_signal_symbol() {
    let back = |minute: usize| if minute >= 40 { Some(flat(101.5)) } else { jump(24, 97.0)(minute) };
    let market = SmallMarket::new(DAYS.0, DAYS.1)
        .symbol("A", opening_range(back))
        .symbol("SH", |_, _| Some(flat(40.0)))
        .healthy()
        .inverse("SH", 1.0)
        .build();
    let result = run_one(&market, "open", &[UP_TO_200, ("stop", "range")]);
    assert_eq!(&fills(&result)[1][11..], "15:11 sell SH 20.0000 @ 40 (stop)");
    assert_eq!(result.fills.len(), 2);
}

/// 24 sessions that move up and down by 1 % in turn, and a fall on the last one.
fn put_market() -> SmallMarket {
    let level = |day: usize| if day.is_multiple_of(2) { 100.0 } else { 101.0 };
    let bars = move |day: usize, minute: usize| {
        Some(if day == 22 && minute >= 24 {
            if minute == 24 { step(100.0, 96.0) } else { flat(96.0) }
        } else {
            flat(level(day))
        })
    };
    SmallMarket::new("2024-01-02", "2024-02-02").symbol("A", bars).healthy()
}

const PUTS: [(&str, &str); 5] = [
    UP_TO_200,
    ("SHORT_TYPE_OPEN", "LongPut"),
    ("TOTAL_ALLOCATION", "0.1"),
    ("MAX_RISK_PER_TRADE", "0.1"),
    ("STRAT_OPEN_BUFFER", "0.03"),
];

#[test]
fn a_put_is_bought_at_the_money_in_whole_contracts_at_the_realised_volatility() {
    let market = put_market().build();
    let result = run_one(&market, "open", &PUTS);
    let put = result.puts[0];
    assert_eq!(result.instruments[put.underlying.index()], "A");
    assert_eq!(put.strike, 95.0, "nearest to 96 on a grid of 5 dollars");
    // 2 February 2024 + 30 days is Sunday 3 March; the Friday after is 8 March.
    assert_eq!(result.instruments.last().unwrap(), "A 2024-03-08 P 95");
    // 20 returns of +-ln 1.01: sample variance 20/19 of the square.
    let expected = libm::log(1.01) * (20.0_f64 / 19.0 * 252.0).sqrt();
    assert!((put.volatility - expected).abs() < 1e-12);
    let decided = market.days[22].open + 25 * MINUTE;
    let price = put.price(96.0, decided);
    let buy = result.fills[0];
    assert_eq!(buy.time, decided);
    assert!((buy.price - price).abs() < 1e-9);
    assert_eq!(buy.qty, (4_000.0 / (price * CONTRACT_SIZE)).floor() * CONTRACT_SIZE);
    assert!(result.warnings.iter().any(|text| text.contains("filter not applied: no option quotes")));
    assert_eq!(result.fills[1].qty, buy.qty);
}

#[test]
fn without_twenty_returns_no_put_is_priced() {
    let result = run_one(&market(opening_range(jump(24, 95.0))), "open", &PUTS);
    assert!(result.orders.is_empty());
    assert!(result.warnings.iter().any(|text| text.contains("fewer than 20 daily returns")), "{:?}", result.warnings);
}

#[test]
fn a_quoted_put_must_be_near_its_theoretical_value() {
    let build = |mid: f64, before: i64| {
        let mut market = put_market();
        let open = market.sessions[22].open;
        let quote = |strike: f64, time| OptionQuote {
            time,
            symbol: market.id("A"),
            expiry: parse_date("2024-03-01").unwrap(),
            strike,
            right: OptionRight::Put,
            bid: mid - 0.05,
            ask: mid + 0.05,
        };
        let rows = vec![quote(90.0, open + MINUTE), quote(97.0, open + 25 * MINUTE - before)];
        market.parts.options = rows;
        market.build()
    };
    // Black-Scholes for S 96, K 97, 28 days and 6 hours less 25 minutes, r 4.5 %, volatility 16.2 %.
    let fair = {
        let put = run_one(&put_market().build(), "open", &PUTS).puts[0];
        let expiry = tradebot::market::Calendar::nyse().session(parse_date("2024-03-01").unwrap()).unwrap().close;
        let decided = put_market().sessions[22].open + 25 * MINUTE;
        tradebot::trading::PutContract { strike: 97.0, expiry, ..put }.price(96.0, decided)
    };
    let near = run_one(&build(fair * 1.1, 0), "open", &PUTS);
    assert_eq!(near.puts[0].strike, 97.0, "the strike nearest to 96 that is quoted");
    assert!((near.fills[0].price - fair * 1.1).abs() < 1e-9, "the model gives the quoted price");
    let far = run_one(&build(fair * 1.2, 0), "open", &PUTS);
    assert!(far.orders.is_empty() && far.warnings.iter().any(|text| text.contains("Black-Scholes")));
    let unfiltered: Vec<(&str, &str)> = PUTS.into_iter().chain([("ENABLE_BSM_FILTER", "false")]).collect();
    assert_eq!(run_one(&build(fair * 1.2, 0), "open", &unfiltered).fills.len(), 2);
    // A quote of the moment after the decision is not known at 14:55, but in the next minutes.
    let late = run_one(&build(fair * 1.1, -SECOND), "open", &unfiltered);
    assert_ne!(late.puts[0].strike, 97.0);
}

#[test]
fn filters_see_the_previous_volume_the_price_the_gap_and_the_fundamentals() {
    let count = |params: &[(&str, &str)]| run_one(&market(opening_range(jump(24, 104.0))), "open", params).fills.len();
    assert_eq!(count(&[]), 0, "104 is above MAX_PRICE");
    assert_eq!(count(&[("MAX_PRICE", "104")]), 2);
    assert_eq!(count(&[UP_TO_200, ("MIN_PRICE", "104.01")]), 0);
    // 390 bars of 10,000 shares.
    assert_eq!(count(&[UP_TO_200, ("MIN_VOLUME_THRESHOLD", "3900000")]), 2);
    assert_eq!(count(&[UP_TO_200, ("MIN_VOLUME_THRESHOLD", "3900001")]), 0);
    assert_eq!(count(&[UP_TO_200, ("MAX_GAP_PCT_OPEN", "0.039")]), 0);
    assert_eq!(count(&[UP_TO_200, ("MAX_GAP_PCT_OPEN", "0.041")]), 2);
    assert_eq!(count(&[UP_TO_200, ("MIN_MARKET_CAP_OPEN", "5000000001")]), 0);
    assert_eq!(count(&[UP_TO_200, ("MAX_PE_RATIO", "19")]), 0);
    assert_eq!(count(&[UP_TO_200, ("MAX_PE_RATIO", "19"), ("ENABLE_FUNNHUB_FUNDAMENTALS_FILTER", "false")]), 2);
    assert_eq!(count(&[UP_TO_200, ("TRADING_DAYS", "mon,wed")]), 0, "the second day is a Tuesday");
    assert_eq!(count(&[UP_TO_200, ("STRAT_OPEN_ENABLED", "false")]), 0);
}

#[test]
fn a_run_without_fundamentals_says_what_it_does() {
    let market = SmallMarket::new(DAYS.0, DAYS.1).symbol("A", opening_range(jump(24, 104.0))).build();
    let closed = run_one(&market, "open", &[UP_TO_200]);
    assert!(closed.orders.is_empty());
    assert!(closed.warnings.iter().any(|text| text.contains("--fundamentals FILE")), "{:?}", closed.warnings);
    let open = run_one(&market, "open", &[UP_TO_200, ("without_fundamentals", "ignore")]);
    assert_eq!(open.fills.len(), 2);
    assert!(open.warnings.iter().any(|text| text.contains("filters not applied")), "{:?}", open.warnings);
}

#[test]
fn the_first_session_has_no_previous_volume_and_so_no_entry() {
    let bars = |_: usize, minute: usize| opening_range(jump(24, 104.0))(1, minute);
    let first = fills(&run_one(&market(bars), "open", &[UP_TO_200]));
    assert!(first.len() == 2 && first[0].starts_with("2024-01-09"), "{first:?}");
}

#[test]
fn an_entry_refused_by_a_limit_is_not_tried_again() {
    let mut config = plain_run();
    config.limits.max_open_positions = 2;
    let result = run_with(&six(), &config, vec![strategy("open", &[UP_TO_200], true)]);
    let refused = result.orders.iter().filter(|o| o.state == OrderState::Rejected && o.order.request.parent.is_none());
    assert_eq!((bought(&result).len(), refused.count()), (2, 2));
    config.limits.max_open_positions = 5;
    config.limits.defense = Some(Defense { max_trades: 1, max_open_positions: 3, total_allocation: 0.01 });
    let result = run_with(&six(), &config, vec![strategy("open", &[UP_TO_200], true)]);
    assert_eq!(bought(&result).len(), 1);
}

#[test]
fn the_daily_loss_limit_closes_the_trades_and_the_strategy_does_not_trade_against_it() {
    // Everything in one trade that loses 10 % while it is open.
    let fall = |minute: usize| if minute >= 40 { Some(flat(94.0)) } else { jump(24, 104.0)(minute) };
    let mut config = plain_run();
    config.limits.daily_loss_limit = 0.05;
    let params =
        [UP_TO_200, ("TOTAL_ALLOCATION", "1"), ("WEIGHTS", "1"), ("MAX_TRADES", "1"), ("MAX_RISK_PER_TRADE", "1")];
    let result = run_with(&market(opening_range(fall)), &config, vec![strategy("open", &params, false)]);
    assert_eq!(
        fills(&result),
        [
            "2024-01-09T14:55 buy A 961.0000 @ 104 (range breakout)",
            "2024-01-09T15:11 sell A 961.0000 @ 94 (daily loss limit)"
        ]
    );
}

#[test]
fn nothing_is_held_over_night_and_no_exit_turns_a_position() {
    let market = SmallMarket::new("2024-01-08", "2024-01-12")
        .symbol("A", walk(1, 5))
        .symbol("B", walk(2, 5))
        .symbol("C", walk(3, 5))
        .symbol("D", walk(4, 5))
        .symbol("SH", walk(5, 5))
        .healthy()
        .inverse("SH", 1.0)
        .vix(&[("2024-01-05", 20.0)])
        .build();
    let shared = [("MIN_VOLUME_THRESHOLD", "0"), ("MAX_GAP_PCT_", "1"), ("MAX_TRADES", "4")];
    let mut trades = 0;
    for rule in ["path", "pessimistic", "optimistic", "next_open", "close"] {
        for short_type in ["InverseETF", "ShortSell"] {
            for latency in [0, 500_000_000, 90 * SECOND] {
                for (participation, protect) in [(0.0, true), (0.0, false), (0.0005, true)] {
                    let mut config = plain_run();
                    config.rules.fill = rule.parse::<FillRule>().unwrap();
                    config.rules.latency = latency;
                    config.rules.participation = participation;
                    let mut strategies = Vec::new();
                    for (name, key) in [("open", "OPEN"), ("mid", "MID"), ("close", "CLOSE")] {
                        let mut params: Vec<(String, String)> =
                            shared.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
                        params[1].0 = format!("MAX_GAP_PCT_{key}");
                        params.push((format!("SHORT_TYPE_{key}"), short_type.to_string()));
                        if !protect && name == "close" {
                            // Some exits are due a minute before the close, some at it.
                            params.push(("START_TIME_CLOSE".into(), "20:25".into()));
                        }
                        if protect {
                            params.push(("stop".into(), if name == "mid" { "mirror" } else { "midpoint" }.into()));
                        }
                        let params: Vec<(&str, &str)> = params.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
                        strategies.push(strategy(name, &params, true));
                    }
                    let result = run_with(&market, &config, strategies);
                    trades += result.trades.len();
                    let case = format!("{rule} {short_type} {latency} {participation} {protect}");
                    check_positions(&market, &result, participation == 0.0, &case);
                }
            }
        }
    }
    assert!(trades > 1_000, "{trades}");
}

/// Positions of each strategy never change sides, and are nothing at every session's end.
fn check_positions(market: &Market, result: &RunResult, ends_flat: bool, case: &str) {
    let mut held = vec![vec![0.0_f64; result.instruments.len()]; result.strategies.len()];
    let mut day = 0;
    for fill in &result.fills {
        while fill.time > market.days[day].close {
            day += 1;
            let flat = held.iter().flatten().all(|qty| qty.abs() < 1e-9);
            assert!(flat || !ends_flat, "{case}: something is held over the night before {}", market.days[day].date);
        }
        let request = result.orders[fill.order.0 as usize].order;
        let slot = &mut held[usize::from(request.strategy)][fill.symbol.index()];
        let before = *slot;
        *slot += fill.side.sign() * fill.qty;
        let turned = before.abs() > 1e-9 && slot.abs() > 1e-9 && before.signum() != slot.signum();
        assert!(!turned, "{case}: {:?} turns {before} into {slot}", fill);
        let is_exit =
            ["window end", "holding time", "stop", "target", "session close"].contains(&request.request.reason);
        let opens = before.abs() < 1e-9 && slot.abs() > 1e-9;
        assert!(!(is_exit && opens), "{case}: {:?} opens a position: {slot}", fill);
    }
    assert!(held.iter().flatten().all(|qty| qty.abs() < 1e-9), "{case}: something is held at the end");
}
