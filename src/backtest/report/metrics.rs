//! Names, units and meanings of the metrics of `summary.json`.

use super::format::{UNDEFINED, count, money, percent, ratio};

/// How a metric is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A fraction, shown in percent.
    Percent,
    /// A plain number.
    Ratio,
    /// Dollars.
    Money,
    /// A whole number.
    Count,
}

/// What is known about a metric.
#[derive(Debug, Clone, Copy)]
pub struct Meaning {
    pub label: &'static str,
    pub unit: Unit,
    pub text: &'static str,
}

impl Unit {
    /// The number as people read it.
    pub fn text(self, value: Option<f64>) -> String {
        match (self, value) {
            (_, None) => UNDEFINED.to_string(),
            (Unit::Percent, value) => percent(value),
            (Unit::Ratio, value) => ratio(value, 4),
            (Unit::Money, value) => money(value),
            (Unit::Count, Some(v)) if v >= 0.0 && v == v.trunc() => count(v as u64),
            (Unit::Count, value) => ratio(value, 2),
        }
    }
}

/// The meaning of a metric, if its name is known.
pub fn meaning(name: &str) -> Option<Meaning> {
    MEANINGS.iter().find(|m| m.0 == name).map(|&(_, label, unit, text)| Meaning { label, unit, text })
}

use Unit::{Count, Money, Percent, Ratio};

/// Name, label, unit, one line of meaning. `A` is 252 sessions a year, `rf` the risk-free rate per session.
const MEANINGS: &[(&str, &str, Unit, &str)] = &[
    ("total_return", "Total return", Percent, "Final over starting equity, less one."),
    ("cagr", "CAGR", Percent, "Compound return per 252 sessions; extrapolates when the run is shorter than a year."),
    ("annual_volatility", "Annual volatility", Percent, "Standard deviation of daily returns times the root of 252."),
    (
        "sharpe",
        "Sharpe ratio",
        Ratio,
        "Mean daily return above the risk-free rate over its standard deviation, annualised.",
    ),
    (
        "downside_deviation",
        "Downside deviation",
        Percent,
        "Root mean square of daily shortfalls below the risk-free rate, all days counted, annualised.",
    ),
    ("sortino", "Sortino ratio", Ratio, "Annual return above the risk-free rate over the downside deviation."),
    (
        "max_drawdown",
        "Maximum drawdown",
        Percent,
        "Deepest fall of daily equity below its highest value so far; the starting capital counts as a peak.",
    ),
    (
        "max_drawdown_duration_periods",
        "Longest drawdown",
        Count,
        "Most sessions from a peak until equity was back, or until the end.",
    ),
    ("calmar", "Calmar ratio", Ratio, "CAGR over the size of the maximum drawdown."),
    ("ulcer_index", "Ulcer index", Percent, "Root mean square of the daily drawdowns."),
    ("omega", "Omega ratio", Ratio, "Sum of daily gains over sum of daily losses, both against the risk-free rate."),
    ("tail_ratio", "Tail ratio", Ratio, "95th percentile of daily returns over the size of the 5th."),
    ("var_95_historical", "Value at risk 95 %, historical", Percent, "The 5th percentile of daily returns."),
    ("cvar_95_historical", "Expected shortfall 95 %", Percent, "Mean of the worst 5 % of daily returns."),
    ("var_95_gaussian", "Value at risk 95 %, Gaussian", Percent, "The 5th percentile if daily returns were normal."),
    (
        "skewness",
        "Skewness",
        Ratio,
        "Third standardised moment of daily returns; negative means longer losses than gains.",
    ),
    (
        "kurtosis_excess",
        "Excess kurtosis",
        Ratio,
        "Fourth standardised moment less 3; positive means fatter tails than normal.",
    ),
    ("stability_r2", "Stability", Ratio, "R squared of a straight line through the logarithm of equity."),
    ("beta", "Beta", Ratio, "Covariance with the benchmark over the variance of the benchmark."),
    ("alpha_annual_arithmetic", "Alpha, arithmetic", Percent, "Daily return not explained by beta, times 252."),
    (
        "alpha_annual_compounded",
        "Alpha, compounded",
        Percent,
        "Daily return not explained by beta, compounded over 252 sessions.",
    ),
    (
        "tracking_error_annual",
        "Tracking error",
        Percent,
        "Annualised standard deviation of the difference to the benchmark.",
    ),
    (
        "information_ratio_annual",
        "Information ratio",
        Ratio,
        "Mean difference to the benchmark over its standard deviation, annualised.",
    ),
    ("win_rate_nonzero_periods", "Winning sessions", Percent, "Sessions with a gain among sessions with any change."),
    ("profit_factor_periods", "Profit factor of sessions", Ratio, "Sum of daily gains over sum of daily losses."),
    ("trades", "Trades", Count, "Round trips: one per pair of opening and closing order, first in first out."),
    ("wins", "Winning trades", Count, "Trades with a profit after commission."),
    ("losses", "Losing trades", Count, "Trades with a loss after commission."),
    ("breakeven", "Break-even trades", Count, "Trades with a result of exactly zero."),
    ("net_profit", "Net profit of trades", Money, "Sum of the results of all closed trades, dollars."),
    ("gross_profit", "Gross profit", Money, "Sum of the winning trades, dollars."),
    ("gross_loss", "Gross loss", Money, "Sum of the losing trades, dollars."),
    ("win_rate", "Win rate", Percent, "Winning trades over all trades."),
    ("profit_factor", "Profit factor", Ratio, "Gross profit over gross loss."),
    ("avg_win", "Average win", Money, "Mean of the winning trades, dollars."),
    ("avg_loss", "Average loss", Money, "Mean of the losing trades, dollars."),
    ("payoff_ratio", "Payoff ratio", Ratio, "Average win over average loss."),
    ("expectancy", "Expectancy", Money, "Mean result of a trade, dollars."),
    (
        "sqn",
        "System quality number",
        Ratio,
        "Root of the number of trades times mean over standard deviation of their results (Van Tharp).",
    ),
    ("sqn_capped_100", "SQN, capped", Ratio, "The same with at most 100 trades counted."),
    (
        "kelly_fraction",
        "Kelly fraction",
        Percent,
        "Win rate less (1 - win rate) over payoff ratio: a ceiling, not a recommendation.",
    ),
    ("max_consecutive_wins", "Longest winning streak", Count, "Most winning trades in a row."),
    ("max_consecutive_losses", "Longest losing streak", Count, "Most losing trades in a row."),
    (
        "max_drawdown_currency",
        "Drawdown of closed trades",
        Money,
        "Deepest fall of the running sum of closed trades, dollars.",
    ),
    ("recovery_factor", "Recovery factor", Ratio, "Net profit over the drawdown of closed trades."),
    (
        "psr",
        "Probabilistic Sharpe ratio",
        Percent,
        "Probability that the true Sharpe ratio is above zero (Bailey and Lopez de Prado 2012).",
    ),
    ("deflated_sharpe", "Deflated Sharpe ratio", Percent, "The same against the best of all trials by chance (2014)."),
    (
        "min_track_record_length",
        "Minimum track record",
        Count,
        "Sessions needed to be 95 % sure of a Sharpe ratio above zero.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_explained() {
        for (i, m) in MEANINGS.iter().enumerate() {
            assert!(MEANINGS[i + 1..].iter().all(|other| other.0 != m.0), "{} twice", m.0);
            assert!(m.3.ends_with('.'), "{}", m.0);
        }
    }

    #[test]
    fn units_decide_the_form() {
        assert_eq!(meaning("max_drawdown").unwrap().unit.text(Some(-0.1234)), "-12.34 %");
        assert_eq!(meaning("trades").unwrap().unit.text(Some(1234.0)), "1,234");
        assert_eq!(meaning("sharpe").unwrap().unit.text(None), "n/a");
        assert!(meaning("no_such_metric").is_none());
    }
}
