//! All metrics of a run by name.

use super::{MetricInfo, Unit};
use super::{benchmark, distribution, drawdown, metric_info, returns, significance, trades};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// Metrics by name, in the order of [`METRICS`](super::METRICS). Serialises as one map; undefined values
/// as `null`, counts as whole numbers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metrics {
    entries: Vec<(&'static MetricInfo, Option<f64>)>,
}

/// Input that metrics cannot be computed from.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum StatsError {
    /// The annual risk-free rate does not compound.
    #[error("risk-free rate {0} is not usable; expected an annual rate above -1, such as 0.045")]
    RiskFreeRate(f64),
    /// The benchmark has other days.
    #[error("the benchmark has {benchmark} returns for {returns} days; expected one for each day")]
    BenchmarkLength { returns: usize, benchmark: usize },
    /// A value that is not a finite number.
    #[error("{what} number {index} (from 1) is {value}; expected a finite number")]
    NotFinite { what: &'static str, index: usize, value: f64 },
}

impl Metrics {
    /// Whether a metric of this name was computed, defined or not.
    pub fn contains(&self, name: &str) -> bool {
        self.entries.iter().any(|(info, _)| info.name == name)
    }

    /// The value of a metric; `None` when it is undefined or was not computed.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.entries.iter().find(|(info, _)| info.name == name).and_then(|(_, value)| *value)
    }

    /// Metrics in the order of the table, undefined ones included.
    pub fn iter(&self) -> impl Iterator<Item = (&'static MetricInfo, Option<f64>)> + '_ {
        self.entries.iter().copied()
    }

    /// Adds a metric of the table. A result beyond the range of f64 is undefined.
    fn push(&mut self, name: &'static str, value: Option<f64>) {
        let info = metric_info(name);
        debug_assert!(info.is_some(), "{name} is not in the table of metrics");
        self.entries.extend(info.map(|info| (info, value.filter(|v| v.is_finite()))));
    }

    fn push_returns(&mut self, r: &[f64], rf: f64) {
        self.push("total_return", returns::total_return(r));
        self.push("cagr", returns::cagr(r));
        self.push("annual_volatility", returns::annual_volatility(r));
        self.push("sharpe", returns::sharpe(r, rf));
        self.push("downside_deviation", returns::downside_deviation(r, rf));
        self.push("sortino", returns::sortino(r, rf));
        self.push("max_drawdown", drawdown::max_drawdown(r));
        let duration = drawdown::max_drawdown_duration_periods(r);
        self.push("max_drawdown_duration_periods", duration.map(|days| days as f64));
        self.push("calmar", drawdown::calmar(r));
        self.push("ulcer_index", drawdown::ulcer_index(r));
        self.push("omega", returns::omega(r, rf));
        self.push("tail_ratio", distribution::tail_ratio(r));
        self.push("var_95_historical", distribution::var_95_historical(r));
        self.push("cvar_95_historical", distribution::cvar_95_historical(r));
        self.push("var_95_gaussian", distribution::var_95_gaussian(r));
        self.push("skewness", distribution::skewness(r));
        self.push("kurtosis_excess", distribution::kurtosis_excess(r));
        self.push("stability_r2", returns::stability_r2(r));
    }

    fn push_benchmark(&mut self, r: &[f64], b: &[f64], rf: f64) {
        self.push("beta", benchmark::beta(r, b));
        self.push("alpha_annual_arithmetic", benchmark::alpha_annual_arithmetic(r, b, rf));
        self.push("alpha_annual_compounded", benchmark::alpha_annual_compounded(r, b, rf));
        self.push("tracking_error_annual", benchmark::tracking_error_annual(r, b));
        self.push("information_ratio_annual", benchmark::information_ratio_annual(r, b));
    }

    fn push_trades(&mut self, pnl: &[f64]) {
        let s = trades::trade_statistics(pnl);
        self.push("trades", Some(s.trades as f64));
        self.push("wins", Some(s.wins as f64));
        self.push("losses", Some(s.losses as f64));
        self.push("breakeven", Some(s.breakeven as f64));
        self.push("net_profit", Some(s.net_profit));
        self.push("gross_profit", Some(s.gross_profit));
        self.push("gross_loss", Some(s.gross_loss));
        self.push("win_rate", s.win_rate);
        self.push("profit_factor", s.profit_factor);
        self.push("avg_win", s.avg_win);
        self.push("avg_loss", s.avg_loss);
        self.push("payoff_ratio", s.payoff_ratio);
        self.push("expectancy", s.expectancy);
        self.push("sqn", s.sqn);
        self.push("sqn_capped_100", s.sqn_capped_100);
        self.push("kelly_fraction", s.kelly_fraction);
        self.push("max_consecutive_wins", Some(s.max_consecutive_wins as f64));
        self.push("max_consecutive_losses", Some(s.max_consecutive_losses as f64));
        self.push("max_drawdown_currency", Some(s.max_drawdown_currency));
        self.push("recovery_factor", s.recovery_factor);
    }
}

/// Every metric of daily returns; those against a benchmark when its returns of the same days are given;
/// those of trades when the net P&L of the closed trades (in order of exit) is given.
///
/// `risk_free_rate` is annual: 0.045 is 4.5 % a year.
///
/// # Errors
/// A risk-free rate of -1 or less, a benchmark of another length, or a value that is not finite.
pub fn performance(
    daily_returns: &[f64],
    risk_free_rate: f64,
    benchmark: Option<&[f64]>,
    trade_pnl: Option<&[f64]>,
) -> Result<Metrics, StatsError> {
    let rf = returns::daily_risk_free(risk_free_rate).ok_or(StatsError::RiskFreeRate(risk_free_rate))?;
    check_finite("return", daily_returns)?;
    check_finite("benchmark return", benchmark.unwrap_or_default())?;
    check_finite("trade P&L", trade_pnl.unwrap_or_default())?;
    if let Some(b) = benchmark
        && b.len() != daily_returns.len()
    {
        return Err(StatsError::BenchmarkLength { returns: daily_returns.len(), benchmark: b.len() });
    }
    let mut metrics = Metrics::default();
    metrics.push_returns(daily_returns, rf);
    if let Some(b) = benchmark {
        metrics.push_benchmark(daily_returns, b, rf);
    }
    metrics.push("win_rate_nonzero_periods", returns::win_rate_nonzero_periods(daily_returns));
    metrics.push("profit_factor_periods", returns::profit_factor_periods(daily_returns));
    metrics.push("psr", significance::probabilistic_sharpe_ratio(daily_returns, rf, 0.0));
    let length = significance::min_track_record_length(daily_returns, rf, 0.0, 0.95);
    metrics.push("min_track_record_length", length);
    if let Some(pnl) = trade_pnl {
        metrics.push_trades(pnl);
    }
    Ok(metrics)
}

fn check_finite(what: &'static str, values: &[f64]) -> Result<(), StatsError> {
    match values.iter().position(|v| !v.is_finite()) {
        Some(i) => Err(StatsError::NotFinite { what, index: i + 1, value: values[i] }),
        None => Ok(()),
    }
}

impl Serialize for Metrics {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.entries.len()))?;
        for (info, value) in self.iter() {
            // Counts come from u64 and drawdown days from a number of rows: exact in f64.
            let whole = info.unit == Unit::Count || info.name == "max_drawdown_duration_periods";
            match value {
                Some(value) if whole => map.serialize_entry(info.name, &(value as u64))?,
                value => map.serialize_entry(info.name, &value)?,
            }
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::super::METRICS;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_stand_in_the_order_of_the_table() {
        let all = performance(&[0.01, -0.02], 0.0, Some(&[0.0, 0.01]), Some(&[1.0])).unwrap();
        let names: Vec<&str> = all.iter().map(|(info, _)| info.name).collect();
        let table: Vec<&str> = METRICS.iter().map(|info| info.name).collect();
        assert_eq!(names, table);
        let alone = performance(&[0.01, -0.02], 0.0, None, None).unwrap();
        assert!(!alone.contains("beta") && !alone.contains("trades") && alone.contains("psr"));
    }

    #[test]
    fn json_has_null_for_undefined_and_whole_counts() {
        let metrics = performance(&[0.5], 0.0, None, Some(&[])).unwrap();
        let json = serde_json::to_string(&metrics).unwrap();
        assert!(json.starts_with(r#"{"total_return":0.5,"#), "{json}");
        assert!(json.contains(r#""sharpe":null,"#) && json.contains(r#""trades":0,"#), "{json}");
        assert!(json.contains(r#""max_drawdown_duration_periods":0,"#), "{json}");
    }

    #[test]
    fn no_returns_are_undefined_throughout() {
        let metrics = performance(&[], 0.0, Some(&[]), None).unwrap();
        assert!(metrics.iter().all(|(_, value)| value.is_none()));
    }

    #[test]
    fn unusable_input_is_named() {
        let error = |result: Result<Metrics, StatsError>| result.unwrap_err().to_string();
        assert!(error(performance(&[0.1], -1.0, None, None)).contains("risk-free rate -1"));
        assert!(error(performance(&[0.1], 0.0, Some(&[]), None)).contains("0 returns for 1 days"));
        assert!(error(performance(&[0.1, f64::NAN], 0.0, None, None)).contains("return number 2"));
        assert!(error(performance(&[0.1], 0.0, None, Some(&[f64::INFINITY]))).contains("trade P&L number 1"));
    }

    #[test]
    fn overflow_is_undefined() {
        let metrics = performance(&[1e200, 1e200], 0.0, None, None).unwrap();
        assert_eq!(metrics.get("total_return"), None);
        assert!(metrics.contains("total_return"));
    }

    /// Metrics whose value doubles when every return doubles, and those that do not change (rf = 0).
    const LINEAR: [&str; 5] =
        ["annual_volatility", "downside_deviation", "var_95_historical", "cvar_95_historical", "var_95_gaussian"];
    const INVARIANT: [&str; 8] =
        ["sharpe", "sortino", "omega", "tail_ratio", "skewness", "kurtosis_excess", "win_rate_nonzero_periods", "psr"];

    proptest! {
        #[test]
        fn scaling_returns_scales_or_keeps_metrics(r in prop::collection::vec(-0.2..0.2f64, 2..60)) {
            let doubled: Vec<f64> = r.iter().map(|r| 2.0 * r).collect();
            let (one, two) = (performance(&r, 0.0, None, None).unwrap(), performance(&doubled, 0.0, None, None).unwrap());
            // Doubling is exact in binary, so these hold to the last bit, powers of the scale aside.
            for name in LINEAR {
                prop_assert_eq!(one.get(name).map(|v| 2.0 * v), two.get(name), "{}", name);
            }
            for name in INVARIANT {
                let (a, b) = (one.get(name), two.get(name));
                prop_assert_eq!(a.is_some(), b.is_some(), "{}", name);
                if let (Some(a), Some(b)) = (a, b) {
                    prop_assert!((a - b).abs() <= 1e-12 * a.abs().max(1.0), "{}: {} {}", name, a, b);
                }
            }
        }

        #[test]
        fn metrics_stay_in_their_ranges(r in prop::collection::vec(-0.999..1.5f64, 0..80), rf in -0.5..0.5f64) {
            let m = performance(&r, rf, None, Some(&r)).unwrap();
            let within = |name: &str, low: f64, high: f64| m.get(name).is_none_or(|v| (low..=high).contains(&v));
            prop_assert!(within("max_drawdown", -1.0, 0.0));
            prop_assert!(within("ulcer_index", 0.0, 1.0));
            prop_assert!(within("cagr", -1.0, f64::MAX));
            prop_assert!(within("stability_r2", 0.0, 1.0));
            prop_assert!(within("psr", 0.0, 1.0));
            prop_assert!(within("win_rate", 0.0, 1.0));
            prop_assert!(within("max_drawdown_duration_periods", 0.0, r.len() as f64));
            prop_assert!(within("kurtosis_excess", -2.0 - 1e-9, f64::MAX));
            let (var, cvar) = (m.get("var_95_historical"), m.get("cvar_95_historical"));
            prop_assert!(var.zip(cvar).is_none_or(|(var, cvar)| cvar <= var + 1e-15));
            prop_assert_eq!(m.get("max_drawdown").is_none(), r.is_empty());
        }

        #[test]
        fn trailing_flat_days_only_dilute(r in prop::collection::vec(-0.2..0.2f64, 2..40)) {
            let longer: Vec<f64> = r.iter().copied().chain([0.0; 5]).collect();
            let (a, b) = (performance(&r, 0.0, None, None).unwrap(), performance(&longer, 0.0, None, None).unwrap());
            for name in ["total_return", "max_drawdown", "omega", "profit_factor_periods", "win_rate_nonzero_periods"] {
                prop_assert_eq!(a.get(name), b.get(name), "{}", name);
            }
        }
    }
}
