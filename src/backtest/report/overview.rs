//! The tiles at the top of the page.

use super::cautions::{cost_share, sharpe_standard_error, total_costs};
use super::format::{count, money, percent, plural, ratio, signed_money, signed_percent, tone};
use crate::backtest::store::Summary;

/// One figure with what it is measured against.
#[derive(Debug)]
pub struct Tile {
    pub label: &'static str,
    pub value: String,
    pub detail: String,
    pub tone: &'static str,
}

/// The verdict in ten figures.
pub fn tiles(s: &Summary) -> Vec<Tile> {
    let metric = |name: &str| s.metric(name);
    let total_return = metric("total_return");
    let drawdown = metric("max_drawdown");
    let tile = |label, value, detail, tone| Tile { label, value, detail, tone };
    vec![
        tile("Final equity", format!("${}", money(s.final_equity)), format!("from ${}", money(s.start_equity)), ""),
        tile(
            "Total return",
            signed_percent(total_return),
            format!("{} after all costs", signed_money(s.final_equity - s.start_equity)),
            tone(total_return),
        ),
        tile(
            "CAGR",
            signed_percent(metric("cagr")),
            format!("over {}", plural(s.sessions, "session")),
            tone(metric("cagr")),
        ),
        tile(
            "Sharpe ratio",
            ratio(metric("sharpe"), 2),
            match sharpe_standard_error(s) {
                Some(error) => format!("± {} (one standard error)", ratio(error, 2)),
                None => "too few sessions".to_string(),
            },
            tone(metric("sharpe")),
        ),
        tile(
            "Max drawdown",
            percent(drawdown),
            match metric("max_drawdown_duration_periods") {
                Some(duration) if duration >= 0.0 => {
                    format!("longest {}, at daily closes", plural(duration as u64, "session"))
                }
                _ => "at daily closes".to_string(),
            },
            tone(drawdown),
        ),
        tile("Trades", count(s.trades), format!("{}, {}", plural(s.orders, "order"), plural(s.fills, "fill")), ""),
        tile("Win rate", percent(metric("win_rate")), format!("payoff ratio {}", ratio(metric("payoff_ratio"), 2)), ""),
        tile(
            "Profit factor",
            ratio(metric("profit_factor"), 2),
            format!("{} per trade", signed_money(metric("expectancy"))),
            tone(metric("profit_factor").map(|p| p - 1.0)),
        ),
        tile("Costs / gross profit", percent(cost_share(s)), format!("${} in costs", money(total_costs(s))), ""),
        tile(
            "Ambiguity",
            format!("${}", money(s.ambiguity.pnl)),
            format!("{} of {} depend on the order inside a bar", count(s.ambiguity.trades), plural(s.trades, "trade")),
            if s.ambiguity.trades > 0 { "warn" } else { "" },
        ),
    ]
}
