//! The one table of metrics: name, unit, meaning. Results, tables and validation follow it.

/// What a metric's number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A share of 1: 0.05 is 5 %.
    Fraction,
    /// A number without unit.
    Ratio,
    /// A whole number.
    Count,
    /// Trading days.
    Days,
    /// The currency of the account.
    Currency,
}

/// One metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetricInfo {
    /// The key in every file, report and API.
    pub name: &'static str,
    pub unit: Unit,
    /// Formula or meaning in one line; `A` is 252, `r` the daily return, `rf` the daily risk-free rate.
    pub about: &'static str,
}

pub(super) const fn metric(name: &'static str, unit: Unit, about: &'static str) -> MetricInfo {
    MetricInfo { name, unit, about }
}

/// Every metric, in the order of every table.
pub const METRICS: &[MetricInfo] = &[
    metric("total_return", Unit::Fraction, "prod(1+r) - 1"),
    metric("cagr", Unit::Fraction, "prod(1+r)^(A/n) - 1"),
    metric("annual_volatility", Unit::Fraction, "sd(r) * sqrt(A)"),
    metric("sharpe", Unit::Ratio, "mean(r-rf) / sd(r) * sqrt(A)"),
    metric("downside_deviation", Unit::Fraction, "sqrt(sum(min(r-rf, 0)^2) / n) * sqrt(A)"),
    metric("sortino", Unit::Ratio, "mean(r-rf) * A / downside_deviation"),
    metric("max_drawdown", Unit::Fraction, "deepest fall from a peak of equity, the start being a peak"),
    metric("max_drawdown_duration_periods", Unit::Days, "longest time from a peak until equity is back"),
    metric("calmar", Unit::Ratio, "cagr / abs(max_drawdown)"),
    metric("ulcer_index", Unit::Fraction, "sqrt(mean(drawdown^2))"),
    metric("omega", Unit::Ratio, "sum(max(r-rf, 0)) / sum(max(rf-r, 0))"),
    metric("tail_ratio", Unit::Ratio, "abs(95 % quantile) / abs(5 % quantile)"),
    metric("var_95_historical", Unit::Fraction, "5 % quantile of the daily returns"),
    metric("cvar_95_historical", Unit::Fraction, "mean of the worst 5 % of the daily returns"),
    metric("var_95_gaussian", Unit::Fraction, "mean + sd * Phi^-1(0.05)"),
    metric("skewness", Unit::Ratio, "m3 / m2^1.5, population moments"),
    metric("kurtosis_excess", Unit::Ratio, "m4 / m2^2 - 3, population moments"),
    metric("stability_r2", Unit::Ratio, "R^2 of log equity on time"),
    metric("beta", Unit::Ratio, "cov(r, b) / var(b) against the benchmark b"),
    metric("alpha_annual_arithmetic", Unit::Fraction, "(mean(r-rf) - beta * mean(b-rf)) * A"),
    metric("alpha_annual_compounded", Unit::Fraction, "(1 + daily alpha)^A - 1"),
    metric("tracking_error_annual", Unit::Fraction, "sd(r-b) * sqrt(A)"),
    metric("information_ratio_annual", Unit::Ratio, "mean(r-b) / sd(r-b) * sqrt(A)"),
    metric("win_rate_nonzero_periods", Unit::Fraction, "days with a gain / days with a change"),
    metric("profit_factor_periods", Unit::Ratio, "sum of gains / abs(sum of losses), by day"),
    metric("psr", Unit::Fraction, "probability that the true Sharpe ratio is above 0"),
    metric("min_track_record_length", Unit::Days, "days needed for a psr of 0.95"),
    metric("trades", Unit::Count, "closed trades"),
    metric("wins", Unit::Count, "trades with P&L above 0"),
    metric("losses", Unit::Count, "trades with P&L below 0"),
    metric("breakeven", Unit::Count, "trades with P&L of exactly 0"),
    metric("net_profit", Unit::Currency, "sum of all P&L"),
    metric("gross_profit", Unit::Currency, "sum of the wins"),
    metric("gross_loss", Unit::Currency, "sum of the losses, positive"),
    metric("win_rate", Unit::Fraction, "wins / trades"),
    metric("profit_factor", Unit::Ratio, "gross_profit / gross_loss"),
    metric("avg_win", Unit::Currency, "mean win"),
    metric("avg_loss", Unit::Currency, "mean loss, positive"),
    metric("payoff_ratio", Unit::Ratio, "avg_win / avg_loss"),
    metric("expectancy", Unit::Currency, "net_profit / trades"),
    metric("sqn", Unit::Ratio, "sqrt(n) * mean / sd of the P&L"),
    metric("sqn_capped_100", Unit::Ratio, "the same with sqrt(min(n, 100))"),
    metric("kelly_fraction", Unit::Fraction, "W - (1-W) / payoff_ratio, W the win_rate"),
    metric("max_consecutive_wins", Unit::Count, "longest streak of wins"),
    metric("max_consecutive_losses", Unit::Count, "longest streak of losses"),
    metric("max_drawdown_currency", Unit::Currency, "deepest fall of the cumulative P&L of closed trades"),
    metric("recovery_factor", Unit::Ratio, "net_profit / max_drawdown_currency"),
];

/// The table's row for `name`.
pub fn metric_info(name: &str) -> Option<&'static MetricInfo> {
    METRICS.iter().find(|metric| metric.name == name)
}
