//! Generated minute bars: a documented model of a small stock market, labelled as what it is.
//!
//! The whole model is in `docs/generated-data.md`. In short: an index with stochastic volatility moves sectors and
//! stocks; stocks have volatility of their own, news that arrives over the night or during the session and is
//! taken in over minutes, splits and dividends; volatility and volume are U-shaped over the session with peaks at
//! both auctions; the volatility index is the expectation of the index's own variance; two inverse funds move
//! minus once and minus twice the index each day. Half days and holidays are those of the exchange's calendar.
//!
//! Everything follows from (seed, sessions): random numbers are counter-based, functions are those of `libm`, so
//! the same command gives the same values on any machine, and a symbol's path does not depend on how many other
//! symbols there are.

mod files;
mod market;
mod random;
mod stock;

use super::DataError;
use crate::market::{ActionKind, Bars, Calendar, Session};
use chrono::NaiveDate;
use market::MarketModel;
use rayon::prelude::*;
use std::sync::Arc;
use stock::{DayAction, Fund, Profile, cents};

/// The fund that follows the index.
pub const INDEX_FUND: &str = "SIMIDX";
/// The fund that moves minus once the index each day.
pub const INVERSE_FUND: &str = "SIMINV1";
/// The fund that moves minus twice the index each day.
pub const DOUBLE_INVERSE_FUND: &str = "SIMINV2";

/// Sessions of a quarter: how often dividends are paid.
const QUARTER: usize = 63;

/// What to generate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GenerateOptions {
    /// Number of stocks, beside the three funds: 1 to 9999.
    pub symbols: usize,
    /// Number of sessions: 1 to 5000.
    pub sessions: usize,
    /// First session, or the next one after this date.
    pub from: NaiveDate,
    pub seed: u64,
}

/// One row of generated fundamentals.
#[derive(Debug, Clone, PartialEq)]
pub struct GeneratedFundamental {
    pub symbol: String,
    /// Dollars.
    pub market_cap: f64,
    pub pe_ratio: Option<f64>,
    pub debt_equity: Option<f64>,
    pub exchange: &'static str,
}

/// A generated market.
#[derive(Debug)]
pub struct Generated {
    pub options: GenerateOptions,
    pub sessions: Vec<Session>,
    /// Sorted by symbol.
    pub series: Vec<(String, Bars)>,
    /// (ex-date, symbol, action), by date.
    pub actions: Vec<(NaiveDate, String, ActionKind)>,
    /// Closes of the volatility index; the first is of the session before the bars begin.
    pub vix: Vec<(NaiveDate, f64)>,
    pub fundamentals: Vec<GeneratedFundamental>,
}

/// Runs the model.
///
/// # Errors
/// Numbers out of range, or sessions beyond the calendar.
pub fn generate(options: GenerateOptions) -> Result<Generated, DataError> {
    if !(1..=9999).contains(&options.symbols) || !(1..=5000).contains(&options.sessions) {
        return Err(DataError::Selection(format!(
            "{} symbols x {} sessions: expected 1 to 9999 symbols and 1 to 5000 sessions",
            options.symbols, options.sessions
        )));
    }
    let sessions = sessions_from(options.from, options.sessions)?;
    // One session before the first gives the volatility index a close to start from.
    let mut all: Vec<Session> = previous_session(sessions[0].date).into_iter().collect();
    all.extend(&sessions);
    let mut market = MarketModel::new(options.seed, &all);
    let vix = market.days.iter().map(|day| (day.session.date, day.vix)).collect();
    market.days.drain(..all.len() - sessions.len());
    let start = Arc::new(stock::starts(&market.days));
    let width = options.symbols.to_string().len().max(2);
    let name = |k: usize| format!("SIM{:0width$}", k + 1);
    let profiles: Vec<Profile> = (0..options.symbols).map(|k| Profile::draw(options.seed, k as u32)).collect();
    let splitting = splitting_stock(&profiles);
    let mut made: Vec<Made> = (0..options.symbols)
        .into_par_iter()
        .map(|k| {
            let mut happened = Vec::new();
            let bars = stock::bars(options.seed, k as u32, &profiles[k], &market, &start, |day, close| {
                note(&mut happened, day, stock_action(k, k == splitting, day, sessions.len(), close))
            });
            (name(k), bars, happened)
        })
        .collect();
    let funds = [
        (INDEX_FUND, Fund { price: 104.50, leverage: 1.0, volume: 2.1e7, fee: 0.0 }),
        (INVERSE_FUND, Fund { price: 28.20, leverage: -1.0, volume: 6.0e6, fee: 0.0089 }),
        (DOUBLE_INVERSE_FUND, Fund { price: 18.75, leverage: -2.0, volume: 1.1e7, fee: 0.0095 }),
    ];
    for (k, (symbol, fund)) in funds.into_iter().enumerate() {
        let mut happened = Vec::new();
        let bars = stock::fund_bars(options.seed, u32::MAX - k as u32, fund, &market, &start, |day, close| {
            // The index fund hands on what its stocks pay, once a quarter.
            let pays = symbol == INDEX_FUND && day % QUARTER == 33;
            let dividend = if pays { cents(close * 0.0032) } else { 0.0 };
            note(&mut happened, day, DayAction { dividend, ..DayAction::NONE })
        });
        made.push((symbol.to_string(), bars, happened));
    }
    let mut actions: Vec<(NaiveDate, String, ActionKind)> = Vec::new();
    let mut series = Vec::with_capacity(made.len());
    for (symbol, bars, happened) in made {
        actions.extend(happened.iter().map(|(day, kind)| (sessions[*day].date, symbol.clone(), *kind)));
        series.push((symbol, bars));
    }
    actions.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    let fundamentals = profiles
        .into_iter()
        .enumerate()
        .map(|(k, p)| GeneratedFundamental {
            symbol: name(k),
            market_cap: p.market_cap,
            pe_ratio: p.pe_ratio,
            debt_equity: p.debt_equity,
            exchange: p.exchange,
        })
        .collect();
    Ok(Generated { options, sessions, series, actions, vix, fundamentals })
}

/// Symbol, bars, actions by session.
type Made = (String, Bars, Vec<(usize, ActionKind)>);

/// The dearest stock splits.
fn splitting_stock(profiles: &[Profile]) -> usize {
    let price = |k: usize| (profiles[k].price * 100.0) as u64;
    (0..profiles.len()).max_by_key(|&k| (price(k), std::cmp::Reverse(k))).unwrap_or(0)
}

/// Every third stock pays a dividend once a quarter; one stock splits three for one in the middle of the data.
fn stock_action(stock: usize, splits: bool, day: usize, sessions: usize, close: f64) -> DayAction {
    if splits && day > 0 && day == sessions / 2 {
        return DayAction { split: 3.0, ..DayAction::NONE };
    }
    let pays = stock % 3 == 1 && day > 0 && day % QUARTER == (7 + 4 * stock) % QUARTER;
    DayAction { dividend: if pays { cents(close * 0.006) } else { 0.0 }, ..DayAction::NONE }
}

/// Writes an action down.
fn note(happened: &mut Vec<(usize, ActionKind)>, day: usize, action: DayAction) -> DayAction {
    if action.split != 1.0 {
        happened.push((day, ActionKind::Split { ratio: action.split }));
    }
    if action.dividend > 0.0 {
        happened.push((day, ActionKind::Dividend { amount: action.dividend }));
    }
    action
}

fn previous_session(date: NaiveDate) -> Option<Session> {
    let before = date.checked_sub_days(chrono::Days::new(14))?;
    Calendar.sessions(before, date.pred_opt()?).pop()
}

fn sessions_from(from: NaiveDate, count: usize) -> Result<Vec<Session>, DataError> {
    let mut out: Vec<Session> = Calendar.session(from).into_iter().collect();
    let mut day = from;
    while out.len() < count {
        let Some(session) = Calendar.next_session_after(day) else {
            return Err(DataError::Selection(format!(
                "{count} sessions from {from} reach beyond the exchange calendar, which covers {} to {}",
                Calendar::FIRST,
                Calendar::LAST
            )));
        };
        day = session.date;
        out.push(session);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{MINUTE, parse_date};

    fn small(symbols: usize, sessions: usize, seed: u64) -> Generated {
        let from = parse_date("2024-11-25").expect("a date");
        generate(GenerateOptions { symbols, sessions, from, seed }).expect("generates")
    }

    #[test]
    fn the_same_seed_gives_the_same_bars_and_further_symbols_change_nothing() {
        let (a, b, more) = (small(3, 4, 9), small(3, 4, 9), small(8, 4, 9));
        assert_eq!(a.series, b.series);
        let of = |set: &Generated, name: &str| set.series.iter().find(|s| s.0 == name).map(|s| s.1.clone());
        for name in ["SIM01", "SIM03", INDEX_FUND, INVERSE_FUND] {
            // Which stock splits depends on all stocks; four sessions in, prices before it do not.
            let (a, more) = (of(&a, name).expect(name), of(&more, name).expect(name));
            assert_eq!(a.close[..390], more.close[..390], "{name}");
        }
        assert_ne!(small(3, 4, 10).series, a.series);
    }

    #[test]
    fn sessions_follow_the_calendar_with_its_half_day() {
        let set = small(2, 5, 1);
        let dates: Vec<String> = set.sessions.iter().map(|s| s.date.to_string()).collect();
        assert_eq!(dates, ["2024-11-25", "2024-11-26", "2024-11-27", "2024-11-29", "2024-12-02"]);
        assert_eq!(set.series[0].1.len(), 4 * 390 + 210);
        assert_eq!(set.vix.len(), 6);
    }

    #[test]
    fn bars_are_sound_and_in_cents() {
        let set = small(4, 6, 3);
        for (symbol, b) in &set.series {
            for i in 0..b.len() {
                let bar = b.bar(i);
                assert!(bar.low <= bar.open.min(bar.close) && bar.high >= bar.open.max(bar.close), "{symbol} {i}");
                assert!(bar.low > 0.0 && bar.volume >= 100.0 && bar.volume % 100.0 == 0.0);
                assert_eq!((bar.close * 100.0).round() / 100.0, bar.close);
            }
            assert!(b.start.windows(2).all(|w| w[1] - w[0] >= MINUTE));
        }
    }

    #[test]
    fn inverse_funds_move_against_the_index_day_by_day() {
        let set = small(1, 30, 5);
        let of = |name: &str| set.series.iter().find(|s| s.0 == name).map(|s| s.1.clone()).expect("a fund");
        let (index, once, twice) = (of(INDEX_FUND), of(INVERSE_FUND), of(DOUBLE_INVERSE_FUND));
        let ends: Vec<usize> =
            (1..index.len()).filter(|&i| index.start[i] - index.start[i - 1] > MINUTE).map(|i| i - 1).collect();
        let paid: Vec<_> = set.actions.iter().filter(|a| a.1 == INDEX_FUND).collect();
        assert!(paid.is_empty(), "no dividend within 30 sessions");
        for day in ends.windows(2) {
            let move_of = |b: &Bars| b.close[day[1]] / b.close[day[0]] - 1.0;
            let base = move_of(&index);
            // Prices are in cents: half a cent of 18 dollars is 3 basis points.
            assert!((move_of(&once) + base).abs() < 0.0012, "{} {base}", move_of(&once));
            assert!((move_of(&twice) + 2.0 * base).abs() < 0.0016, "{} {base}", move_of(&twice));
        }
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        let from = parse_date("2040-12-28").expect("a date");
        for (symbols, sessions) in [(0, 5), (10_000, 5), (5, 0), (5, 20)] {
            assert!(generate(GenerateOptions { symbols, sessions, from, seed: 1 }).is_err());
        }
    }
}
