//! What a run assumes, in plain sentences for the report.

use super::spec::RunSpec;
use crate::data::Adjust;
use crate::market::Market;
use crate::settings::Key;

/// The assumptions of a run, one sentence each.
pub fn assumptions(spec: &RunSpec, market: &Market) -> Vec<String> {
    let mut out = Vec::new();
    out.push(match spec.fill.as_str() {
        "path" => {
            "Inside a bar prices move straight from the open to the nearer extreme, to the other extreme, to the \
                   close; orders meet that path (fill rule path)."
                .to_string()
        }
        "pessimistic" => {
            "Inside a bar the order of the extremes is the one that leaves less equity at its close (fill \
                          rule pessimistic)."
                .to_string()
        }
        "optimistic" => "Inside a bar the order of the extremes is the one that leaves more equity at its close (fill \
                         rule optimistic): the result is an upper bound."
            .to_string(),
        "next_open" => "Market orders fill at the open of the next bar; stops and limits meet the path of a bar (fill \
                        rule next_open)."
            .to_string(),
        "close" => "Market orders fill at the close of the bar on which they were decided, which cannot be reached in \
                    practice; stops and limits meet the path of later bars (fill rule close)."
            .to_string(),
        _ => {
            "Market orders fill at the ask (buy) or bid (sell) of the bar on which they were decided; stops and limits \
              meet the path of later bars (fill rule quote)."
                .to_string()
        }
    });
    let ignores = matches!(spec.fill.as_str(), "next_open" | "close" | "quote");
    out.push(format!(
        "An order, a cancel or a change reaches the market {} ms after the bar's end on which it was decided{}.",
        spec.latency_ms,
        if ignores { "; market orders ignore this by the fill rule" } else { "" }
    ));
    out.push(slippage(&spec.slippage));
    out.push(format!("Commission and fees: {}.", commission(&spec.commission)));
    out.push(if spec.participation > 0.0 {
        format!("All orders in a symbol together take at most {} % of a bar's volume.", spec.participation * 100.0)
    } else {
        "Orders fill in full whatever the volume of a bar (no participation cap).".to_string()
    });
    let limit = if spec.limit_penetrate { "passed" } else { "met" };
    out.push(format!("A limit order fills when its price is {limit}; limit fills do not slip."));
    let account = &spec.account;
    out.push(if account.kind == "cash" {
        "Cash account: no borrowing, no short sales, never negative cash.".to_string()
    } else {
        format!(
            "Margin account: {} % initial and {} % maintenance margin, {} % a year on negative cash, {} % a year to \
             borrow shares{}.",
            percent(account.initial_margin),
            percent(account.maintenance_margin),
            percent(account.margin_rate),
            percent(account.borrow_rate),
            if spec.borrow.is_some() {
                " where the borrow file says nothing else"
            } else {
                ", which are always available"
            }
        ) + " An order is refused if the account could not carry it together with everything pending."
    });
    out.push(match spec.data.adjust {
        Adjust::Raw => "Prices are as traded; splits and dividends happen in the account.".to_string(),
        Adjust::Split => "Prices are adjusted for splits; dividends are paid in cash.".to_string(),
        Adjust::Total => "Prices are adjusted for splits and dividends; nothing is paid in cash.".to_string(),
    });
    let settings = &spec.settings;
    if settings.flag(Key::DisableAllTrades) {
        out.push("DISABLE_ALL_TRADES is on: no order was sent.".to_string());
    }
    out.push(format!(
        "After a loss of {} % against the last session's closing equity, positions are closed and nothing is opened \
         until the next session.",
        percent(settings.fraction(Key::DailyLossLimit))
    ));
    if settings.flag(Key::DefenseModeActive) {
        out.push("Defense mode was on: fewer trades and less capital than usual.".to_string());
    }
    out.push(format!(
        "Metrics are of daily returns, 252 to the year, with a risk-free rate of {} % a year.",
        percent(settings.number(Key::RiskFreeRate))
    ));
    out.extend(market.notes.iter().cloned());
    out
}

fn percent(share: f64) -> f64 {
    (share * 1e6).round() / 1e4
}

fn slippage(model: &str) -> String {
    let mut parts = model.split(':');
    match (parts.next(), parts.next(), parts.next()) {
        (Some("fixed_pct"), Some(pct), _) => {
            format!("Market and stop fills are {pct} % worse than the price they met.")
        }
        (Some("rule_based"), k, _) => format!(
            "Market and stop fills pay half the spread (a spread of one basis point without quotes) and {} x price x sqrt(quantity \
             / bar volume).",
            k.unwrap_or("0.1")
        ),
        (Some("normal"), Some(mean), Some(stddev)) => format!(
            "Market and stop fills are worse than the price they met by a random percentage, drawn once an order: mean \
             {mean} %, standard deviation {stddev} %."
        ),
        _ => "Fills do not slip.".to_string(),
    }
}

fn commission(model: &str) -> String {
    match model {
        "none" => "none".to_string(),
        "alpaca" => "no commission, SEC and TAF fees on sales (alpaca)".to_string(),
        "tradier" => "no commission, SEC and TAF fees on sales (tradier)".to_string(),
        "ibkr_fixed" => {
            "0.005 a share, at least 1 and at most 1 % of an order, SEC and TAF fees (ibkr_fixed)".to_string()
        }
        "ibkr_tiered" => {
            "0.0035 a share, at least 0.35 and at most 1 % of an order, exchange, clearing and regulatory fees \
             (ibkr_tiered)"
                .to_string()
        }
        other => other.to_string(),
    }
}
