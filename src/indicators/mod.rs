//! Technical indicators in two forms that agree to the last bit.
//!
//! - **Columnar**: [`Indicator::columns`] turns whole bar columns into output columns.
//! - **Streaming**: [`Indicator::stream`] gives a [`Stream`] that takes one bar at a time.
//!
//! The value at bar `i` uses bars `..= i` only. Before an indicator has enough bars (its warm-up) its value
//! is NaN; nothing is filled in. Inputs are expected to be finite, as the loader guarantees.
//!
//! [`Indicator`] is the description, read from text such as `sma:20` or `bollinger:20:2`. The single
//! indicators ([`Sma`], [`Ema`], [`Rsi`], ...) can be used on their own where the description is not needed.
//! [`crossover_sides`] is the one fused pass: the sides of a moving-average cross without any stored column;
//! [`sides_of_columns`] gives the same sides where the columns are there already.

mod averages;
mod crossover;
mod oscillators;
mod session;
mod spec;
mod stream;
mod volatility;
mod window;

pub use averages::{Ema, Sma, ema_column, sma_column};
pub use crossover::{Average, crossover_sides, sides_of_columns};
pub use oscillators::{Macd, Rsi};
pub use session::{OpeningRange, Vwap};
pub use spec::{Indicator, IndicatorError, Input, MAX_PERIOD};
pub use stream::Stream;
pub use volatility::{Atr, Bollinger, Donchian, StandardDeviation};
