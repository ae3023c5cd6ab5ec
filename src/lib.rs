//! TradeBot: a simulation-first toolkit for intraday US-equity strategies.
//!
//! This is the library behind the program `tbot`. A backtest is four steps:
//!
//! 1. [`data::load`] turns files into a [`market::Market`]: checked bars in columns, with a hash of their values.
//! 2. A [`trading::Strategy`] decides at bar ends. It sees a [`trading::View`] of the past and its account and
//!    nothing else, and says when it wants to be woken next ([`trading::Wake`]).
//! 3. [`backtest::run`] drives it over the market: orders pass the [`risk::RiskDesk`], the [`sim::SimVenue`] fills
//!    them along the path of each bar.
//! 4. [`stats::performance`] judges the result; [`backtest::store`] writes it as a folder.
//!
//! `examples/own_strategy.rs` is all four in little more than 50 lines. Times are UTC nanoseconds, prices dollars a share.
//!
//! The library never prints, exits or reads the environment; only [`cli`] does. The same inputs give the same
//! bits. Rooms, from the ground up (a room uses only rooms on lower floors):
//!
//! | floor | room | subject |
//! | --- | --- | --- |
//! | 0 | [`market`] | time, exchange calendar, symbols, bars, corporate actions |
//! | 0 | [`settings`] | the one table of every setting |
//! | 1 | [`stats`] | performance metrics, option pricing |
//! | 1 | [`indicators`] | streaming and columnar indicators |
//! | 2 | [`trading`] | orders, fills, positions, the account, the port [`Strategy`](trading::Strategy) |
//! | 2 | [`data`] | files to market |
//! | 3 | [`risk`] | sizing, limits, approval; the port [`Venue`](risk::Venue) |
//! | 4 | [`strategies`] | the built-in strategies |
//! | 4 | [`sim`] | the simulated venue |
//! | 4 | [`engine`] | the trading core |
//! | 5 | [`backtest`] | one run from data to result |
//! | 5 | [`brokers`] | the port [`Broker`](brokers::Broker), the order-state machine of all brokers, Alpaca |
//! | 5 | [`vault`] | the data folder of the core: keys, secrets, encrypted databases, backups; users, sessions, audit |
//! | 6 | [`accounting`] | chart of accounts and double-entry ledger, lots, reports, reconciliation |
//! | 6 | [`notify`] | notices by e-mail, Slack, SMS and PagerDuty |
//! | 6 | [`optimize`] | spaces, methods of search, sweeps over backtests |
//! | 6 | [`session`] | live trading without I/O: sessions, journal, replay, TEST_MODE |
//! | 7 | [`live`] | the trading thread: a session with its journal, its feed and its broker |
//! | 8 | [`runtime`] | the core process: states of the bot, first run, users, control, jobs, trading sessions |
//! | 9 | [`web`] | the web process: HTTP, pages, the API; asks the core over its socket |
//! | 10 | [`cli`] | one file a command; the only room that prints |
#![forbid(unsafe_code)]

pub mod accounting;
pub mod backtest;
pub mod brokers;
pub mod cli;
pub mod data;
pub mod engine;
pub mod indicators;
pub mod live;
pub mod market;
pub mod notify;
pub mod optimize;
pub mod risk;
pub mod runtime;
pub mod session;
pub mod settings;
pub mod sim;
pub mod stats;
pub mod strategies;
pub mod trading;
pub mod vault;
pub mod web;
