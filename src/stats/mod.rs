//! Performance metrics, their significance, and option pricing. No I/O.
//!
//! Input is a series of simple returns per trading day, oldest first, net of costs and marked to market at
//! the close; a day without a position is a 0 return and stays in the series. Years have
//! [`PERIODS_PER_YEAR`] days. One convention holds for every report, file and API; each function states its
//! formula and where the convention comes from (empyrical, quantstats, scipy or a paper).
//!
//! What is undefined (a division by zero, too few data) is `None` and written as `null`: never 0, infinity
//! or NaN. Sums are compensated, variances take two passes, transcendental functions are those of `libm`, so
//! results do not depend on the platform.
//!
//! - [`performance`] computes everything into [`Metrics`], an ordered list by name; [`METRICS`] is the one
//!   table of names, units and meanings.
//! - [`overfit`]: whether the best of many trials is more than luck.
//! - [`normal`]: the normal distribution, exact into the deep tails.
//! - [`EuropeanOption`]: Black-Scholes-Merton price, greeks and implied volatility.

mod autocorrelation;
mod benchmark;
pub mod black_scholes;
mod catalog;
mod distribution;
mod drawdown;
mod implied_volatility;
mod metrics;
pub mod normal;
pub mod overfit;
mod philox;
mod returns;
mod significance;
mod summation;
mod trades;

pub use autocorrelation::{autocorrelations, sharpe_adjusted_for_autocorrelation};
pub use benchmark::{
    alpha_annual_arithmetic, alpha_annual_compounded, beta, information_ratio_annual, tracking_error_annual,
};
pub use black_scholes::{EuropeanOption, Greeks, OptionError, relative_deviation};
pub use catalog::{METRICS, MetricInfo, Unit, metric_info};
pub use distribution::{
    cvar_95_historical, kurtosis_excess, quantile_sorted, skewness, tail_ratio, var_95_gaussian, var_95_historical,
};
pub use drawdown::{calmar, drawdowns, max_drawdown, max_drawdown_duration_periods, ulcer_index};
pub use metrics::{Metrics, StatsError, performance};
pub use philox::philox4x32;
pub use returns::{
    annual_volatility, cagr, daily_risk_free, downside_deviation, omega, profit_factor_periods, returns_from_equity,
    sharpe, sharpe_per_period, sortino, stability_r2, total_return, win_rate_nonzero_periods,
};
pub use significance::{SharpeEstimate, min_track_record_length, probabilistic_sharpe_ratio};
pub use summation::{mean, standard_deviation, sum};
pub use trades::{TradeStatistics, trade_statistics};

/// Trading days in a year.
pub const PERIODS_PER_YEAR: f64 = 252.0;

/// A standard deviation below this is rounding, not dispersion: ratios over it are undefined.
pub const NEGLIGIBLE_DEVIATION: f64 = 1e-15;
