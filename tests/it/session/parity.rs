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

#[test]
fn splits_and_dividends_of_the_days_that_arrive_are_those_of_the_backtest() {
    use crate::small_market::{SmallMarket, walk};
    use tradebot::market::{ActionKind, Bar, CorporateAction};
    let days = 5;
    let mut market = SmallMarket::new("2024-03-06", "2024-03-12");
    let dates: Vec<chrono::NaiveDate> = market.sessions.iter().map(|s| s.date).collect();
    assert_eq!(dates.len(), days);
    for (k, name) in ["A", "B", "C"].into_iter().enumerate() {
        let bars = walk(k as u64 + 3, days);
        market = market.symbol(name, move |day, minute| {
            let bar = bars(day, minute)?;
            // A is split two for one before the fourth day, B one for four before the third.
            let ratio = match (name, day) {
                ("A", 3..) => 2.0,
                ("B", 2..) => 0.25,
                _ => 1.0,
            };
            let price = |p: f64| p / ratio;
            Some(Bar {
                open: price(bar.open),
                high: price(bar.high),
                low: price(bar.low),
                close: price(bar.close),
                volume: bar.volume * ratio,
            })
        });
    }
    let action = |day: usize, symbol: &str, kind: ActionKind, market: &SmallMarket| CorporateAction {
        date: dates[day],
        symbol: market.id(symbol),
        kind,
    };
    let actions = vec![
        action(3, "A", ActionKind::Split { ratio: 2.0 }, &market),
        action(2, "B", ActionKind::Split { ratio: 0.25 }, &market),
        action(4, "B", ActionKind::Dividend { amount: 1.5 }, &market),
        action(2, "C", ActionKind::Dividend { amount: 0.4 }, &market),
        action(3, "C", ActionKind::Dividend { amount: 0.4 }, &market),
    ];
    market.parts.actions = actions;
    let market = market.build();
    for name in ["sma_cross", "ema_cross", "rsi_reversion", "bollinger", "donchian", "vwap_reversion", "orders"] {
        for first in [1, 2, 3] {
            let mut spec = spec(name, &[]);
            match name {
                "orders" => spec.orders = Some(order_file(&market, first)),
                _ => spec = super::drive::spec(name, &variants(name)[0]),
            }
            let streams = check(&format!("{name} from day {first}"), &spec, &market, first);
            assert!(!streams.fills.is_empty(), "{name} from day {first}");
        }
    }
}

#[test]
fn real_minutes_give_the_same_streams() {
    use crate::program::sample;
    use tradebot::data::{LoadOptions, Source, load};
    for (file, strategies) in [
        ("ibkr_1m_2025_11/bars_1m.parquet", vec!["open", "mid", "close"]),
        ("spy_1m_2024_2025/bars_1m.parquet", vec!["vwap_reversion"]),
        ("alpaca_1m_2022_2024/bars_1m.parquet", vec!["donchian"]),
    ] {
        let Some(path) = sample(file) else { continue };
        let mut options = LoadOptions::new(Source::Path(path));
        let all = load(&options).unwrap();
        options.from = Some(all.days[all.days.len().saturating_sub(5)].date);
        drop(all);
        let market = load(&options).unwrap();
        let first = market.days.len() - 2;
        let params = |name: &str| {
            let own = match name {
                "open" => ("STRAT_OPEN_BUFFER", "0.0005"),
                "mid" => ("STRAT_MID_VWAP_THRESHOLD", "0.001"),
                "close" => ("mode", "fade"),
                _ => return Vec::new(),
            };
            vec![("without_fundamentals", "ignore"), ("MIN_VOLUME_THRESHOLD", "0"), ("MAX_PRICE", "100000"), own]
        };
        let mut spec = spec(strategies[0], &params(strategies[0]));
        for name in &strategies[1..] {
            spec.strategies.extend(super::drive::spec(name, &params(name)).strategies);
        }
        let streams = check(file, &spec, &market, first);
        assert!(!streams.orders.is_empty(), "{file}");
    }
}
