//! Which put stands for a short position, and at what volatility it is priced.

use super::settings::WindowSettings;
use crate::market::{Calendar, Nanos, OptionQuote, OptionRight, SymbolId};
use crate::stats::{EuropeanOption, PERIODS_PER_YEAR, relative_deviation, standard_deviation};
use crate::trading::{Orders, PutContract, View};
use chrono::{Datelike, Days, NaiveDate, Weekday};

/// Days to expiry that are aimed at.
const DAYS_TO_EXPIRY: u64 = 30;

/// Returns from which the realised volatility is taken.
const RETURNS: usize = 20;

/// Symbols of the index that the VIX is about, and funds that hold it.
const INDEX: [&str; 6] = ["IVV", "SPX", "SPY", "VOO", "^GSPC", "^SPX"];

/// The oldest age, in sessions, of a VIX that prices an option.
const MAX_VIX_AGE: usize = 5;

/// The put to buy for a short signal in `symbol` at `price`; `None`, with a sentence for the summary, when
/// there is none that can be priced or that passes the filter.
pub(super) fn choose(
    settings: &WindowSettings,
    symbol: SymbolId,
    price: f64,
    view: &View<'_>,
    orders: &mut Orders<'_>,
) -> Option<PutContract> {
    let name = settings.name;
    let rate = settings.puts.rate;
    let theory = volatility(symbol, view);
    if !view.has_option_quotes() {
        let Some(volatility) = theory else {
            orders.warn(format!(
                "{name}: some puts were not bought because there were fewer than {RETURNS} daily returns to price \
                 them from"
            ));
            return None;
        };
        orders.warn(format!(
            "{name}: puts are priced by Black-Scholes-Merton from the realised volatility of {RETURNS} sessions (an \
             index: from the VIX); filter not applied: no option quotes"
        ));
        let expiry = expiry_instant(listed_expiry(view.session().date)?)?;
        return Some(PutContract { underlying: symbol, strike: nearest_strike(price), expiry, volatility, rate });
    }
    let Some(quote) = quoted(symbol, price, view) else {
        orders.warn(format!("{name}: some puts were not bought because the session had no quote of one by then"));
        return None;
    };
    let mid = (quote.bid + quote.ask) / 2.0;
    let expiry = expiry_instant(quote.expiry)?;
    let mut put = PutContract { underlying: symbol, strike: quote.strike, expiry, volatility: 0.0, rate };
    if let Some(max_deviation) = settings.puts.max_deviation {
        let fair = theory.map(|volatility| PutContract { volatility, ..put }.price(price, view.now()));
        let deviation = fair.and_then(|fair| relative_deviation(mid, fair));
        if deviation.is_none_or(|deviation| deviation > max_deviation) {
            orders.warn(format!(
                "{name}: some puts were not bought because their quote was more than {} % from its \
                 Black-Scholes-Merton value, or the value was not known",
                max_deviation * 100.0
            ));
            return None;
        }
    }
    // From here on the model gives the quoted price.
    let option = EuropeanOption::new(OptionRight::Put, price, put.strike, put.years(view.now()), rate, 0.0);
    match option.and_then(|option| option.implied_volatility(mid)) {
        Ok(volatility) => {
            put.volatility = volatility;
            Some(put)
        }
        Err(_) => {
            orders.warn(format!("{name}: some puts were not bought because no volatility explains their quote"));
            None
        }
    }
}

/// The newest quote in this session of the put whose expiry is nearest to 30 days away and whose strike is
/// then nearest to the price; of two as near, the earlier and the lower.
fn quoted(symbol: SymbolId, price: f64, view: &View<'_>) -> Option<OptionQuote> {
    let session = view.session();
    let known = view.option_quotes();
    let today = &known[known.partition_point(|quote| quote.time < session.open)..];
    let aim = session.date.checked_add_days(Days::new(DAYS_TO_EXPIRY))?;
    let distance = |quote: &OptionQuote| ((quote.expiry - aim).num_days().abs(), (quote.strike - price).abs());
    let mut best: Option<&OptionQuote> = None;
    for quote in today {
        let usable = quote.symbol == symbol
            && quote.right == OptionRight::Put
            && quote.expiry > session.date
            && quote.bid >= 0.0
            && quote.ask >= quote.bid
            && quote.ask > 0.0;
        if !usable {
            continue;
        }
        let nearer = best.is_none_or(|best| {
            let (a, b) = (distance(quote), distance(best));
            let same = (quote.expiry, quote.strike) == (best.expiry, best.strike);
            same || a.0 < b.0
                || (a.0 == b.0
                    && (a.1 < b.1 || (a.1 == b.1 && (quote.expiry, quote.strike) < (best.expiry, best.strike))))
        });
        if nearer {
            best = Some(quote);
        }
    }
    best.copied()
}

/// Annual volatility without any option quote: the VIX for its index, else what was realised.
fn volatility(symbol: SymbolId, view: &View<'_>) -> Option<f64> {
    if INDEX.contains(&view.symbol_name(symbol))
        && let Some(vix) = view.vix(MAX_VIX_AGE)
    {
        return Some(vix / 100.0);
    }
    realised(&view.daily_closes(symbol, RETURNS + 1))
}

/// Annual standard deviation of the log returns of daily closes (Hull, "Options, Futures, and Other
/// Derivatives", estimating volatility from historical data).
fn realised(closes: &[f64]) -> Option<f64> {
    if closes.len() < RETURNS + 1 {
        return None;
    }
    let returns: Vec<f64> = closes.windows(2).map(|pair| libm::log(pair[1] / pair[0])).collect();
    let volatility = standard_deviation(&returns)? * PERIODS_PER_YEAR.sqrt();
    if volatility > 0.0 { Some(volatility) } else { None }
}

/// The strike nearest to a price on the standard grid of listed equity options: 2.50 dollars apart below 25,
/// 5 up to 200, 10 above.
fn nearest_strike(price: f64) -> f64 {
    let step = if price < 25.0 {
        2.5
    } else if price < 200.0 {
        5.0
    } else {
        10.0
    };
    ((price / step).round() * step).max(step)
}

/// The first Friday at least 30 days after a date.
fn listed_expiry(date: NaiveDate) -> Option<NaiveDate> {
    let aim = date.checked_add_days(Days::new(DAYS_TO_EXPIRY))?;
    let ahead = (Weekday::Fri.num_days_from_monday() + 7 - aim.weekday().num_days_from_monday()) % 7;
    aim.checked_add_days(Days::new(u64::from(ahead)))
}

/// The close of an expiry date, or of the session before when the exchange is closed on it.
fn expiry_instant(date: NaiveDate) -> Option<Nanos> {
    (0..7).find_map(|back| Calendar::nyse().session(date.checked_sub_days(Days::new(back))?)).map(|s| s.close)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{format_date, format_time, parse_date};

    #[test]
    fn strikes_lie_on_the_listed_grid() {
        for (price, strike) in [
            (1.0, 2.5),
            (11.3, 12.5),
            (24.9, 25.0),
            (26.0, 25.0),
            (27.5, 30.0),
            (98.0, 100.0),
            (212.0, 210.0),
            (216.0, 220.0),
        ] {
            assert_eq!(nearest_strike(price), strike, "{price}");
        }
    }

    #[test]
    fn expiry_is_a_friday_or_the_session_before_a_closed_one() {
        let expiry = |text: &str| format_date(listed_expiry(parse_date(text).unwrap()).unwrap());
        assert_eq!(expiry("2024-03-20"), "2024-04-19", "the thirtieth day is a Friday");
        assert_eq!(expiry("2024-03-21"), "2024-04-26");
        // Good Friday of 2024.
        let instant = expiry_instant(parse_date("2024-03-29").unwrap()).unwrap();
        assert_eq!(&format_time(instant)[..16], "2024-03-28T20:00");
    }

    #[test]
    fn realised_volatility_is_the_annual_deviation_of_log_returns() {
        // Up and down by 1 % in turn: ten returns of ln 1.01, ten of -ln 1.01, with mean 0 and a sample
        // variance of 20/19 of the square.
        let closes: Vec<f64> = (0..=20).map(|k| if k % 2 == 0 { 100.0 } else { 101.0 }).collect();
        let expected = libm::log(1.01) * (20.0_f64 / 19.0).sqrt() * 252.0_f64.sqrt();
        assert!((realised(&closes).unwrap() - expected).abs() < 1e-12);
        assert_eq!(realised(&closes[1..]), None, "one return short");
        assert_eq!(realised(&[50.0; 21]), None, "without any move an option has no price to go by");
    }
}
