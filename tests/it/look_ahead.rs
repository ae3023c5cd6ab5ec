//! No strategy looks ahead: whatever becomes of the bars and inputs from some instant on, every order decided
//! up to that instant stays the same.

use crate::small_market::{SmallMarket, plain_run, run_with, strategy, walk};
use tradebot::market::{Bar, Fundamental, MINUTE, Market, Nanos, OptionQuote, OptionRight, SECOND, SymbolId, Vix};
use tradebot::strategies::all;
use tradebot::trading::Order;

const SESSIONS: usize = 4;

/// What happens to the data from an instant on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Change {
    Nothing,
    /// Prices a tenth higher, three times the volume, and other inputs as extreme.
    Values,
    /// Half of the symbols have no bars any more.
    Absence,
}

/// A market of random walks that is changed from `cut` on: bars that start then or later, and rows of the
/// other inputs that are known later.
pub fn market(cut: Nanos, change: Change) -> Market {
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
pub fn variants(name: &str) -> Vec<Vec<(&'static str, &'static str)>> {
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

/// All orders of a run.
fn orders(market: &Market, name: &str, params: &[(&str, &str)]) -> Vec<Order> {
    let result = run_with(market, &plain_run(), vec![strategy(name, params, true)]);
    result.orders.iter().map(|record| record.order).collect()
}

/// A strategy under test.
struct Subject {
    name: &'static str,
    params: Vec<(&'static str, &'static str)>,
    /// Its orders over the unchanged market.
    expected: Vec<Order>,
    /// Orders found unchanged.
    kept: usize,
    /// Changes of the data that changed its later orders.
    moved: usize,
}

#[test]
fn what_is_decided_up_to_an_instant_does_not_depend_on_anything_after_it() {
    let whole = market(0, Change::Nothing);
    // The files of these say what they do, whatever the market.
    let from_files = ["orders", "signals"];
    let mut subjects = Vec::new();
    for spec in all().iter().filter(|spec| !from_files.contains(&spec.name)) {
        for params in variants(spec.name) {
            let expected = orders(&whole, spec.name, &params);
            subjects.push(Subject { name: spec.name, params, expected, kept: 0, moved: 0 });
        }
    }
    // Minutes of the sessions after the first, in and around the windows of 9:30, 10:30 and 14:30.
    let cuts = [(1, [20, 24, 76, 306]), (2, [0, 29, 80, 311]), (3, [21, 60, 305, 389])];
    for (day, minutes) in cuts {
        for minute in minutes {
            let cut = whole.days[day].open + minute * MINUTE;
            for change in [Change::Values, Change::Absence] {
                let changed = market(cut, change);
                for subject in &mut subjects {
                    let all = orders(&changed, subject.name, &subject.params);
                    let known =
                        |orders: &[Order]| orders.iter().filter(|o| o.decided <= cut).copied().collect::<Vec<_>>();
                    let found = known(&all);
                    assert_eq!(
                        found,
                        known(&subject.expected),
                        "{} {:?}, {change:?} from minute {minute} of day {day} on",
                        subject.name,
                        subject.params
                    );
                    subject.kept += found.len();
                    subject.moved += usize::from(all != subject.expected);
                }
            }
        }
    }
    for subject in &subjects {
        let Subject { name, params, .. } = subject;
        assert!(subject.kept > 0, "{name} {params:?} decides nothing, so this shows nothing");
        // Who buys once and holds has decided everything at the first bar.
        assert!(subject.moved > 0 || *name == "buy_and_hold", "{name} {params:?} does not look at the data at all");
    }
}
