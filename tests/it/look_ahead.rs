//! No strategy looks ahead: whatever becomes of the bars and inputs from some instant on, every order decided
//! up to that instant stays the same.

use crate::small_market::{SmallMarket, plain_run, run_with, strategy, walk};
use tradebot::market::{Bar, Fundamental, MINUTE, Market, Nanos, OptionQuote, OptionRight, SECOND, SymbolId, Vix};
use tradebot::strategies::all;
use tradebot::trading::Order;

const SESSIONS: usize = 4;

/// What happens to the data from an instant on.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Change {
    Nothing,
    /// Prices a tenth higher, three times the volume, and other inputs as extreme.
    Values,
    /// Half of the symbols have no bars any more.
    Absence,
}

/// A market of random walks that is changed from `cut` on: bars that start then or later, and rows of the
/// other inputs that are known later.
fn market(cut: Nanos, change: Change) -> Market {
    let mut market = SmallMarket::new("2024-03-07", "2024-03-12");
    assert_eq!(market.sessions.len(), SESSIONS);
    let sessions = market.sessions.clone();
    for (k, name) in ["A", "B", "C", "D", "SH"].into_iter().enumerate() {
        let bars = walk(k as u64 + 11, SESSIONS);
        let sessions = sessions.clone();
        market = market.symbol(name, move |day, minute| {
            // D has a bar in every minute, so that bars and decisions advance together.
            let whole = Bar { open: 50.0, high: 50.5, low: 49.5, close: 50.1, volume: 5_000.0 };
            let bar = if name == "D" { bars(day, minute).or(Some(whole)) } else { bars(day, minute) }?;
            if sessions[day].open + minute as Nanos * MINUTE < cut {
                return Some(bar);
            }
            match change {
                Change::Nothing => Some(bar),
                Change::Values => Some(Bar {
                    open: bar.open * 1.1,
                    high: bar.high * 1.1,
                    low: bar.low * 1.1,
                    close: bar.close * 1.1,
                    volume: bar.volume * 3.0,
                }),
                Change::Absence if k % 2 == 1 => None,
                Change::Absence => Some(bar),
            }
        });
    }
    let mut market = market.healthy().inverse("SH", 1.0);
    let is_known = |known_from: Nanos| change == Change::Nothing || known_from <= cut;
    let mut vix = Vix::default();
    for session in &sessions {
        // Known after the session; and every 30 minutes within it.
        vix.daily.push((session.date, if is_known(session.close) { 20.0 } else { 5.0 }));
        for k in 1..=13 {
            let end = session.open + k * 30 * MINUTE;
            vix.intraday.push((end, if is_known(end) { 20.0 } else { 5.0 }));
        }
    }
    market.parts.vix = Some(vix);
    if let Some(fundamentals) = &mut market.parts.fundamentals {
        for rows in fundamentals.values_mut() {
            for session in &sessions[1..] {
                let dated = Fundamental { date: Some(session.date), ..rows[0].clone() };
                let market_cap = if is_known(session.close) { Some(5e9) } else { None };
                rows.push(Fundamental { market_cap, ..dated });
            }
        }
    }
    for session in &sessions {
        for k in 0..39 {
            let time = session.open + k * 10 * MINUTE + SECOND;
            let bid = if is_known(time) { 2.0 } else { 9.0 };
            let expiry = session.date + chrono::Days::new(30);
            market.parts.options.push(OptionQuote {
                time,
                symbol: SymbolId((k % 4) as u32),
                expiry,
                strike: 50.0,
                right: OptionRight::Put,
                bid,
                ask: bid + 0.1,
            });
        }
    }
    market.build()
}

/// The parameters under which each strategy trades often on these walks.
fn variants(name: &str) -> Vec<Vec<(&'static str, &'static str)>> {
    let window = |extra: &[(&'static str, &'static str)]| {
        let mut params = vec![("MIN_VOLUME_THRESHOLD", "0"), ("rank", "relative_volume")];
        params.extend_from_slice(extra);
        params
    };
    match name {
        "open" => vec![
            window(&[("SHORT_TYPE_OPEN", "InverseETF"), ("stop", "midpoint"), ("STRAT_OPEN_BUFFER", "0.001")]),
            window(&[
                ("SHORT_TYPE_OPEN", "LongPut"),
                ("ENABLE_BSM_FILTER", "false"),
                ("STRAT_OPEN_BUFFER", "0.001"),
                ("TOTAL_ALLOCATION", "0.5"),
                ("MAX_RISK_PER_TRADE", "0.5"),
            ]),
        ],
        "mid" => vec![window(&[("SHORT_TYPE_MID", "ShortSell"), ("stop", "mirror"), ("target", "vwap")])],
        "close" => vec![
            window(&[("SHORT_TYPE_CLOSE", "ShortSell")]),
            window(&[("SHORT_TYPE_CLOSE", "InverseETF"), ("mode", "fade"), ("stop", "range")]),
        ],
        "buy_and_hold" => vec![vec![("weight", "0.1")]],
        _ => vec![vec![("weight", "0.1"), ("direction", "long_short")]],
    }
}

/// The orders decided up to an instant.
fn decided_by(market: &Market, name: &str, params: &[(&str, &str)], cut: Nanos) -> (Vec<Order>, usize) {
    let result = run_with(market, &plain_run(), vec![strategy(name, params, true)]);
    let all = result.orders.len();
    (result.orders.iter().map(|record| record.order).filter(|order| order.decided <= cut).collect(), all)
}

#[test]
fn what_is_decided_up_to_an_instant_does_not_depend_on_anything_after_it() {
    let sessions = SmallMarket::new("2024-03-07", "2024-03-12").sessions;
    // Minutes of the session, in and around the windows of 9:30, 10:30 and 14:30.
    let minutes = [0, 1, 19, 20, 21, 24, 29, 30, 59, 60, 61, 75, 76, 80, 86, 120, 300, 305, 306, 307, 311, 335, 389, 390];
    // The files of these say what they do, whatever the market.
    let from_files = ["orders", "signals"];
    for spec in all().iter().filter(|spec| !from_files.contains(&spec.name)) {
        for params in variants(spec.name) {
            let whole = market(0, Change::Nothing);
            let (mut early, mut differing) = (0, 0);
            for (day, session) in sessions.iter().enumerate().skip(1) {
                // Every session with some of the minutes, so that all minutes have their turn.
                for minute in minutes.iter().skip(day - 1).step_by(SESSIONS - 1) {
                    let cut = session.open + minute * MINUTE;
                    let (expected, all) = decided_by(&whole, spec.name, &params, cut);
                    for change in [Change::Values, Change::Absence] {
                        let changed = market(cut, change);
                        let (found, all_found) = decided_by(&changed, spec.name, &params, cut);
                        assert_eq!(found, expected, "{} {params:?}, {change:?} from {day}:{minute} on", spec.name);
                        early += found.len();
                        differing += usize::from(all_found != all);
                    }
                }
            }
            assert!(early > 0, "{} {params:?} decides nothing, so this shows nothing", spec.name);
            assert!(differing > 0 || spec.name == "buy_and_hold", "{} {params:?} sees no change at all", spec.name);
        }
    }
}
