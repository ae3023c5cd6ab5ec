//! What a sceptical reader would object to, found in the numbers of the run.

use super::format::{count, money, percent, plural, ratio};
use crate::backtest::store::{Summary, TradeRow};

/// Sessions in a year.
pub const SESSIONS_A_YEAR: f64 = 252.0;
/// Fewer trades than this say little.
const FEW_TRADES: u64 = 30;
/// Share of the net profit from which the unknown order of extremes is worth a sentence.
const AMBIGUITY_SHARE: f64 = 0.10;
/// Share of the gross profit from which costs decide the result.
const COST_SHARE: f64 = 0.25;
/// Share of the net profit that a handful of trades may make.
const HANDFUL_SHARE: f64 = 0.5;
/// A handful of trades.
const HANDFUL: usize = 5;

/// Standard error of the annualised Sharpe ratio: Mertens (2002), with the moments of the run where they
/// are defined (a normal distribution otherwise), over `n` daily returns.
pub fn sharpe_standard_error(summary: &Summary) -> Option<f64> {
    let n = summary.sessions as f64;
    if summary.sessions < 2 {
        return None;
    }
    let sr = summary.metric("sharpe")? / SESSIONS_A_YEAR.sqrt();
    let skew = summary.metric("skewness").unwrap_or(0.0);
    let kurtosis = summary.metric("kurtosis_excess").unwrap_or(0.0) + 3.0;
    let variance = (1.0 - skew * sr + (kurtosis - 1.0) / 4.0 * sr * sr) / (n - 1.0);
    (variance >= 0.0).then(|| variance.sqrt() * SESSIONS_A_YEAR.sqrt())
}

/// All costs of a run, dollars.
pub fn total_costs(summary: &Summary) -> f64 {
    let c = &summary.costs;
    c.commission + c.slippage + c.borrow + c.interest
}

/// Costs as a share of the gross profit of trades; `None` without a winning trade.
pub fn cost_share(summary: &Summary) -> Option<f64> {
    summary.metric("gross_profit").filter(|&gross| gross > 0.0).map(|gross| total_costs(summary) / gross)
}

/// Sentences, the gravest first.
pub fn cautions(summary: &Summary, trades: &[TradeRow]) -> Vec<String> {
    let mut out = Vec::new();
    if summary.trades == 0 {
        out.push("The run made no trade, so nothing about the strategies can be concluded.".to_string());
        return out;
    }
    if summary.trades < FEW_TRADES {
        out.push(format!(
            "Only {}: averages over fewer than {FEW_TRADES} trades say little.",
            plural(summary.trades, "trade")
        ));
    }
    if let (Some(sharpe), Some(error)) = (summary.metric("sharpe"), sharpe_standard_error(summary))
        && sharpe.abs() < 2.0 * error
    {
        out.push(format!(
            "The Sharpe ratio of {} is within two standard errors ({} each) of zero: {} are too few to tell it from chance.",
            ratio(sharpe, 2),
            ratio(error, 2),
            plural(summary.sessions, "session"),
        ));
    }
    if (summary.sessions as f64) < SESSIONS_A_YEAR {
        out.push(format!(
            "{} are less than a year: annual figures are extrapolated.",
            plural(summary.sessions, "session")
        ));
    }
    let net: f64 = trades.iter().map(|t| t.pnl).sum();
    if net > 0.0 && trades.len() > 2 * HANDFUL {
        let mut results: Vec<f64> = trades.iter().map(|t| t.pnl).collect();
        results.sort_by(|a, b| b.total_cmp(a));
        let handful: f64 = results[..HANDFUL].iter().sum();
        if handful > HANDFUL_SHARE * net {
            out.push(format!(
                "The best {HANDFUL} of {} trades made {}, which is {} of the net profit of {}.",
                count(trades.len() as u64),
                money(handful),
                percent(handful / net),
                money(net),
            ));
        }
    }
    if let Some(share) = cost_share(summary).filter(|&share| share > COST_SHARE) {
        out.push(format!(
            "Costs took {} of the gross profit: the result depends on the cost model being right.",
            percent(share)
        ));
    }
    if net.abs() > 0.0 && summary.ambiguity.pnl > AMBIGUITY_SHARE * net.abs() {
        out.push(format!(
            "The unknown order of prices inside bars is worth {}, which is {} of the net result: compare a run with --fill pessimistic.",
            money(summary.ambiguity.pnl),
            percent(summary.ambiguity.pnl / net.abs()),
        ));
    }
    out
}
