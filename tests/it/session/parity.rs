//! A session over bars that arrive decides and fills as the backtest over the whole data does, to the last byte.

use super::drive::{Streams, backtest, session, spec};
use crate::look_ahead::{Change, market, variants};
use tradebot::backtest::{InputFile, RunSpec};
use tradebot::market::Market;
use tradebot::strategies::all;

/// Compares line by line, so that the first difference is what is shown.
fn assert_same(what: &str, found: &Streams, expected: &Streams) {
    for (found, expected, kind) in [(&found.orders, &expected.orders, "order"), (&found.fills, &expected.fills, "fill")]
    {
        for (k, (f, e)) in found.iter().zip(expected).enumerate() {
            assert_eq!(f, e, "{what}: {kind} {k}");
        }
        assert_eq!(found.len(), expected.len(), "{what}: number of {kind}s");
    }
}

fn check(what: &str, spec: &RunSpec, market: &Market, first: usize) -> Streams {
    let expected = backtest(spec, market, first);
    assert_same(what, &session(spec, market, first), &expected);
    expected
}

/// Orders of every type, brackets, groups and cancels over days of the market.
pub fn order_file(market: &Market, first: usize) -> InputFile {
    let mut text = "ts,id,symbol,side,type,qty,limit,stop,trail,trail_pct,tif,oco,parent,cancel\n".to_string();
    for day in first..market.days.len() {
        for k in 0..12 {
            let symbol = &market.symbols[k % 3];
            let minute = 5 + k as i64 * 30;
            let at = |minutes: i64| {
                tradebot::market::format_time(market.days[day].open + minutes * tradebot::market::MINUTE)
            };
            let (t, id) = (at(minute), format!("{day}-{k}"));
            let side = if k % 2 == 0 { "buy" } else { "sell" };
            let other = if k % 2 == 0 { "sell" } else { "buy" };
            let (below, above) = if k % 2 == 0 { (45.0, 55.0) } else { (55.0, 45.0) };
            text += &format!("{t},{id},{symbol},{side},market,10,,,,,day,,,\n");
            text += &format!("{t},{id}s,{symbol},{other},stop,10,,{below},,,day,g{id},{id},\n");
            text += &format!("{t},{id}l,{symbol},{other},limit,10,{above},,,,day,g{id},{id},\n");
            text += &format!("{t},{id}t,{symbol},{side},trailing_stop,3,,,,1.5,day,,,\n");
            text += &format!("{t},{id}c,{symbol},{side},market_on_close,2,,,,,cls,,,\n");
            text += &format!("{t},{id}g,{symbol},{side},limit,4,50,,,,gtc,,,\n");
            text += &format!("{},,,,,,,,,,,,,{id}g\n", at(minute + 45));
            text += &format!("{t},{id}i,{symbol},{side},limit,4,51,,,,ioc,,,\n");
        }
    }
    InputFile { name: "orders.csv".to_string(), text }
}

fn signal_file(market: &Market, first: usize) -> InputFile {
    let mut text = "ts,symbol,target\n".to_string();
    for day in first..market.days.len() {
        for k in 0..20 {
            let t = market.days[day].open + (3 + k * 19) * tradebot::market::MINUTE;
            let target = (k % 5 - 2) * 10;
            text += &format!("{},{},{target}\n", tradebot::market::format_time(t), market.symbols[k as usize % 4]);
        }
    }
    InputFile { name: "signals.csv".to_string(), text }
}

#[test]
fn every_strategy_decides_and_fills_over_arriving_bars_as_in_the_backtest() {
    let market = market(0, Change::Nothing);
    for strategy in all() {
        for params in variants(strategy.name) {
            for first in [0, 1, 3] {
                let params = if matches!(strategy.name, "orders" | "signals") { Vec::new() } else { params.clone() };
                let mut spec = spec(strategy.name, &params);
                match strategy.name {
                    "orders" => spec.orders = Some(order_file(&market, first)),
                    "signals" => spec.signals = Some(signal_file(&market, first)),
                    _ => {}
                }
                let what = format!("{} {params:?} from day {first}", strategy.name);
                let streams = check(&what, &spec, &market, first);
                assert!(!streams.orders.is_empty(), "{what} orders nothing, so this shows nothing");
                assert!(!streams.fills.is_empty(), "{what} fills nothing");
            }
        }
    }
}

#[test]
fn every_rule_of_the_simulated_venue_fills_alike() {
    let market = market(0, Change::Nothing);
    for fill in ["path", "pessimistic", "optimistic", "next_open", "close"] {
        for (account, participation, latency_ms) in [("margin", 0.0, 0), ("cash", 0.001, 1_500)] {
            let mut spec = spec("orders", &[]);
            spec.orders = Some(order_file(&market, 1));
            (spec.fill, spec.participation, spec.latency_ms) = (fill.to_string(), participation, latency_ms);
            spec.account.kind = account.to_string();
            let streams = check(&format!("{fill}, {account}"), &spec, &market, 1);
            assert!(streams.fills.len() > 50, "{fill}, {account}");
        }
    }
}

#[test]
fn several_strategies_share_an_account_alike() {
    let market = market(0, Change::Nothing);
    let mut spec = spec("open", &variants("open")[0]);
    for name in ["mid", "close", "ema_cross", "vwap_reversion"] {
        let one = super::drive::spec(name, &variants(name)[0]);
        spec.strategies.extend(one.strategies);
    }
    check("five strategies", &spec, &market, 1);
}

#[test]
fn the_daily_loss_limit_strikes_alike() {
    let market = market(0, Change::Nothing);
    let mut spec = spec("sma_cross", &[("weight", "0.9"), ("fast", "2"), ("slow", "5")]);
    spec.settings.set("DAILY_LOSS_LIMIT=0.01").unwrap();
    let streams = check("loss limit", &spec, &market, 1);
    assert!(streams.orders.iter().any(|line| line.contains("reason=daily_loss_limit")), "the limit is never reached");
}

#[test]
fn the_embedded_data_give_the_same_streams() {
    use tradebot::data::{LoadOptions, Source, load};
    let mut options = LoadOptions::new(Source::Named("generated_minutes".to_string()));
    let all = load(&options).unwrap();
    let from = all.days[all.days.len() - 8].date;
    options.from = Some(from);
    let market = load(&options).unwrap();
    drop(all);
    for names in [vec!["open", "mid", "close"], vec!["bollinger"], vec!["donchian"]] {
        let mut spec = spec(names[0], &[]);
        for name in &names[1..] {
            spec.strategies.extend(super::drive::spec(name, &[]).strategies);
        }
        let streams = check(&format!("{names:?}"), &spec, &market, 5);
        assert!(!streams.orders.is_empty(), "{names:?} order nothing");
    }
}
