//! TradeBot: a simulation-first toolkit for intraday US-equity strategies.
//!
//! The library never prints, exits or reads the environment; only [`cli`] does.
//! Rooms, from the ground up (a room uses only rooms above it in this list):
//!
//! | floor | room | subject |
//! | --- | --- | --- |
//! | 0 | [`market`] | time, exchange calendar, symbols, bars, corporate actions |
//! | 0 | [`settings`] | the one table of every setting |
//! | 1 | [`trading`] | orders, fills, positions, the port `Strategy` |
//! | 1 | [`indicators`] | streaming and columnar indicators |
//! | 1 | [`stats`] | performance metrics, option pricing |
//! | 2 | [`strategies`] | the built-in strategies |
//! | 2 | [`risk`] | sizing, limits, approval; the port `Venue` |
//! | 2 | [`data`] | files to market and back |
//! | 3 | [`sim`] | the simulated venue |
//! | 3 | [`engine`] | the trading core |
//! | 4 | [`backtest`] | one run from data to result |
//! | 8 | [`cli`] | one file a command; the only room that prints |
#![forbid(unsafe_code)]

pub mod backtest;
pub mod cli;
pub mod data;
pub mod engine;
pub mod indicators;
pub mod market;
pub mod risk;
pub mod settings;
pub mod sim;
pub mod stats;
pub mod strategies;
pub mod trading;
