//! The general way through a run: the trading core, the simulated venue, and a clock that jumps to the next event.

use super::config::{Interrupted, RunConfig};
use super::marking::mark_chunk;
use super::result::{Ambiguity, DailyEquity, RunResult};
use crate::engine::{Core, Trader};
use crate::market::Market;
use crate::risk::BarVenue;
use std::ops::Range;

pub(super) struct Run<'m, V> {
    market: &'m Market,
    trader: Trader<V>,
    equity: Vec<f64>,
    /// Working memory of marking.
    gross: Vec<f64>,
    changes: Vec<(usize, f64)>,
    daily: Vec<DailyEquity>,
    /// Cash at the last entry of `changes`.
    recorded_cash: f64,
}

impl<'m, V: BarVenue> Run<'m, V> {
    /// A run of a core and a venue that have not begun.
    pub(super) fn new(market: &'m Market, core: Core, venue: V, config: &RunConfig) -> Run<'m, V> {
        Run {
            market,
            trader: Trader::new(core, venue),
            equity: Vec::new(),
            gross: Vec::new(),
            changes: Vec::new(),
            daily: Vec::with_capacity(market.days.len()),
            recorded_cash: config.cash,
        }
    }

    /// The general way through the sessions of the run.
    pub(super) fn sessions(
        &mut self,
        sessions: Range<usize>,
        mut go_on: impl FnMut(&[DailyEquity]) -> bool,
    ) -> Result<(), Interrupted> {
        self.equity = vec![0.0; self.market.steps.len()];
        if sessions.start > 0 && sessions.start < self.market.days.len() {
            self.trader.begin_late(self.market, sessions.start);
        }
        for day in sessions {
            if !go_on(&self.daily) {
                return Err(Interrupted);
            }
            self.day(day);
        }
        Ok(())
    }

    fn day(&mut self, day: usize) {
        let (first, end) = (self.market.days[day].first_step, self.market.days[day].end_step);
        self.trader.begin_day(self.market, day);
        let mut from = first;
        self.record_cash(first);
        while from < end {
            let wake = self.trader.core.next_wake(self.market, day, from).min(end - 1);
            let mut at = self.trader.venue.next_step().map_or(wake, |step| step.min(wake));
            if at > from
                && let Some(breach) = mark_chunk(
                    self.market,
                    &self.trader.core.contracts.on(self.market),
                    &self.trader.core.portfolio.account,
                    &self.trader.core.desk,
                    day,
                    from,
                    &mut self.equity[from..at],
                    &mut self.gross,
                )
            {
                at = breach;
            }
            self.trader.step(self.market, day, at);
            if at + 1 == end {
                let data_end = day + 1 == self.market.days.len();
                self.trader.end_day(self.market, day, at, data_end);
            }
            self.equity[at] = self.trader.core.portfolio.account.equity();
            self.record_cash(at);
            from = at + 1;
        }
        self.daily.push(DailyEquity { date: self.market.days[day].date, equity: self.equity[end - 1] });
    }

    fn record_cash(&mut self, step: usize) {
        let cash = self.trader.core.portfolio.account.cash;
        if cash != self.recorded_cash {
            self.recorded_cash = cash;
            self.changes.push((step, cash));
        }
    }

    /// The result, with the venue.
    pub(super) fn finish(mut self, start_equity: f64, sessions: Range<usize>) -> (RunResult, V) {
        let days = &self.market.days[sessions];
        let steps = days.first().map_or(0, |d| d.first_step)..days.last().map_or(0, |d| d.end_step);
        if !steps.is_empty() {
            self.trader.end_data(self.market, steps.end - 1);
        }
        self.equity.truncate(steps.end);
        self.equity.drain(..steps.start);
        let Trader { mut core, venue, .. } = self.trader;
        let strategies = core.strategy_names();
        let labels = core.labels();
        let warnings = core.take_warnings();
        let instruments = core.contracts.on(self.market);
        let instruments =
            (0..instruments.len() as u32).map(|id| instruments.name(crate::market::SymbolId(id))).collect();
        let puts = core.contracts.puts.clone();
        let ambiguity_pnl = venue.ambiguity_pnl();
        let (orders, mut order_events, mut fills, trades, costs) = core.portfolio.into_parts();
        // What happens in a gap of one symbol is known only at its next bar. Stable: one order's events keep
        // their order.
        if !order_events.is_sorted_by_key(|e| e.time) {
            order_events.sort_by_key(|e| e.time);
        }
        if !fills.is_sorted_by_key(|f| f.time) {
            fills.sort_by_key(|f| f.time);
        }
        let ambiguous = |id: crate::trading::OrderId| orders[id.0 as usize].ambiguous;
        let ambiguity = Ambiguity {
            trades: trades.iter().filter(|t| ambiguous(t.opening) || ambiguous(t.closing)).count() as u64,
            pnl: ambiguity_pnl,
        };
        let result = RunResult {
            instruments,
            puts,
            strategies,
            labels,
            orders,
            order_events,
            fills,
            trades,
            equity: self.equity,
            cash_changes: self.changes,
            daily: self.daily,
            start_equity,
            costs,
            ambiguity,
            warnings,
        };
        (result, venue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backtest::run_sessions;
    use crate::engine::StrategySetup;
    use crate::market::{Bars, DAY, MINUTE, MarketParts, Nanos, Quotes, SECOND, Session, new_york_date};
    use crate::risk::Limits;
    use crate::sim::{SimRules, SimVenue};
    use crate::strategies::{LineAction, OrderLine, OrdersFromFile};
    use crate::trading::{AccountKind, AccountRules, OrderKind, Side, TimeInForce};
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use std::sync::Arc;

    const OPEN: Nanos = 1_711_459_800 * SECOND;
    const BARS: i64 = 12;

    /// Two sessions of one symbol; a bar is (gap, body, above, below) in cents.
    fn market(seeds: &[(i64, i64, i64, i64)]) -> Market {
        let mut bars = Bars { quotes: Some(Quotes::default()), ..Bars::default() };
        let mut start = Vec::new();
        let mut price = 2_000;
        for (k, &(gap, body, above, below)) in seeds.iter().enumerate() {
            let (day, minute) = (k as i64 / BARS, k as i64 % BARS);
            let (open, close) = (price + gap, price + gap + body);
            start.push(OPEN + day * DAY + minute * MINUTE);
            bars.open.push(open as f64 / 100.0);
            bars.high.push((open.max(close) + above) as f64 / 100.0);
            bars.low.push((open.min(close) - below) as f64 / 100.0);
            bars.close.push(close as f64 / 100.0);
            bars.volume.push(1_000.0);
            price = close;
        }
        let shifted = |column: &[f64], by: f64| column.iter().map(|p| p + by).collect::<Vec<f64>>();
        bars.quotes = Some(Quotes {
            bid_open: shifted(&bars.open, -0.02),
            bid_high: shifted(&bars.high, -0.02),
            bid_low: shifted(&bars.low, -0.02),
            bid_close: shifted(&bars.close, -0.02),
            ask_open: shifted(&bars.open, 0.02),
            ask_high: shifted(&bars.high, 0.02),
            ask_low: shifted(&bars.low, 0.02),
            ask_close: shifted(&bars.close, 0.02),
        });
        bars.start = Arc::new(start);
        let sessions: Vec<Session> = (0..2)
            .map(|day| OPEN + day * DAY)
            .map(|open| Session { date: new_york_date(open), open, close: open + BARS * MINUTE, early_close: false })
            .collect();
        let parts = MarketParts { bar_length: MINUTE, series: vec![("AAA".into(), bars)], ..MarketParts::default() };
        Market::new(parts, &sessions).expect("bars")
    }

    fn config(rules: [&str; 3], latency: Nanos) -> RunConfig {
        RunConfig {
            cash: 100_000.0,
            rules: SimRules {
                fill: rules[0].parse().expect("a rule"),
                latency,
                commission: rules[1].parse().expect("a model"),
                slippage: rules[2].parse().expect("a model"),
                participation: 0.0,
                limit_penetrate: false,
                fractional: false,
                seed: 7,
            },
            limits: Limits {
                disable_all_trades: false,
                daily_loss_limit: f64::INFINITY,
                max_open_positions: 5,
                defense: None,
                account: AccountRules {
                    kind: AccountKind::Margin,
                    initial_margin: 0.5,
                    maintenance_margin: 0.25,
                    margin_rate: 0.06,
                    borrow_rate: 0.003,
                    fractional: false,
                },
                borrow: BTreeMap::new(),
            },
        }
    }

    fn result(market: &Market, config: &RunConfig, lines: &[OrderLine], general_path_only: bool) -> String {
        let strategy = Box::new(OrdersFromFile::new(lines.to_vec()));
        let setup = StrategySetup { strategy, bound_to_position_limit: false };
        let core = Core::new(market, vec![setup], config.limits.clone(), config.cash, None);
        let mut venue = SimVenue::new(market, config.rules.clone(), config.limits.account.kind == AccountKind::Cash);
        venue.general_path_only = general_path_only;
        let mut run = Run::new(market, core, venue, config);
        run.sessions(0..market.days.len(), |_| true).expect("not interrupted");
        // Every number in full: two results print alike only if they are alike to the last bit.
        format!("{:?}", run.finish(config.cash, 0..market.days.len()).0)
    }

    /// A market order: step it is decided at, side, quantity, time in force, and whether it has a target and a
    /// stop that make it an order among others.
    type Request = (i64, bool, u32, usize, bool);

    fn lines(requests: &[Request]) -> Vec<OrderLine> {
        let mut lines = Vec::new();
        for (k, &(step, buys, qty, tif, bracket)) in requests.iter().enumerate() {
            let time = OPEN + step / BARS * DAY + (step % BARS + 1) * MINUTE;
            let side = if buys { Side::Buy } else { Side::Sell };
            let mut add = |id: String, side, kind, parent| {
                let tif = [TimeInForce::Day, TimeInForce::Gtc, TimeInForce::Ioc][tif];
                let tif = if kind == OrderKind::Market { tif } else { TimeInForce::Gtc };
                let (symbol, qty) = ("AAA".to_string(), f64::from(qty));
                let action = LineAction::Submit { id, symbol, side, qty, kind, tif, oco: None, parent };
                lines.push(OrderLine { time, action });
            };
            add(k.to_string(), side, OrderKind::Market, None);
            if bracket {
                let (low, high) = (OrderKind::Limit { limit: 19.95 }, OrderKind::Stop { stop: 20.1 });
                let (low, high) =
                    if buys { (OrderKind::Stop { stop: 19.9 }, OrderKind::Limit { limit: 20.1 }) } else { (low, high) };
                add(format!("{k} low"), side.opposite(), low, Some(k.to_string()));
                add(format!("{k} high"), side.opposite(), high, Some(k.to_string()));
            }
        }
        lines
    }

    #[test]
    fn a_run_over_the_first_session_is_the_beginning_of_the_whole_one() {
        let market = market(&[(0, 10, 5, 5); 2 * BARS as usize]);
        let config = config(["path", "bps:10", "none"], 0);
        let setup = || {
            let lines = lines(&[(1, true, 10, 1, false), (BARS + 3, false, 4, 1, false)]);
            vec![StrategySetup { strategy: Box::new(OrdersFromFile::new(lines)), bound_to_position_limit: false }]
        };
        let whole = run_sessions(&market, &config, setup(), 0..2, |_| true).expect("not stopped");
        let first = run_sessions(&market, &config, setup(), 0..1, |_| true).expect("not stopped");
        assert_eq!(first.equity, whole.equity[..BARS as usize]);
        assert_eq!(first.daily, whole.daily[..1]);
        assert_eq!((first.fills.len(), whole.fills.len()), (1, 2));
        let mut asked = Vec::new();
        let stopped = run_sessions(&market, &config, setup(), 0..2, |daily| {
            asked.push(daily.to_vec());
            daily.is_empty()
        });
        assert_eq!(stopped.map(|_| ()), Err(Interrupted));
        assert_eq!(asked, [vec![], whole.daily[..1].to_vec()]);
    }

    #[test]
    fn a_run_over_the_second_session_begins_flat_and_knows_the_bars_before() {
        // Rising prices: the fast average is above the slow one from the first bar that has both, in the first
        // session, and never crosses again.
        let market = market(&[(0, 10, 0, 0); 2 * BARS as usize]);
        let setup = || {
            let spec = crate::strategies::find("sma_cross").expect("a strategy");
            let given = [("fast", "2"), ("slow", "5"), ("qty", "7")].map(|(k, v)| (k.to_string(), v.to_string()));
            let params = spec.check(&given).expect("parameters");
            let strategy = spec.build(&params, &crate::strategies::BuildContext::default()).expect("built");
            vec![StrategySetup { strategy, bound_to_position_limit: false }]
        };
        let config = config(["path", "none", "none"], 0);
        let second = run_sessions(&market, &config, setup(), 1..2, |_| true).expect("not stopped");
        assert_eq!(second.equity.len(), BARS as usize);
        assert_eq!(second.equity[0], 100_000.0);
        let fill = second.fills[0];
        assert_eq!(
            (second.fills.len(), fill.qty, fill.time),
            (1, 7.0, OPEN + DAY + MINUTE),
            "at its second bar's open"
        );
        let gain = 7.0 * (market.series[0].close[2 * BARS as usize - 1] - fill.price);
        assert!((second.daily[0].equity - 100_000.0 - gain).abs() < 1e-6);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_shortcut_for_a_lone_market_order_changes_nothing(
            seeds in prop::collection::vec((-9..=9i64, -30..=30i64, 0..=20i64, 0..=20i64), 2 * BARS as usize),
            requests in prop::collection::vec((0..2 * BARS, any::<bool>(), 1..=50u32, 0..3usize, prop::bool::weighted(0.1)), 1..=6),
            fill in prop::sample::select(vec!["path", "pessimistic", "optimistic", "next_open", "close", "quote"]),
            commission in prop::sample::select(vec!["none", "per_share:0.005:min=1:max_pct=0.5", "alpaca", "ibkr_tiered"]),
            slippage in prop::sample::select(vec!["none", "fixed_pct:0.05", "rule_based:0.1", "normal:0.15:0.10"]),
            latency in prop::sample::select(vec![0, 1, 500_000_000, 20 * SECOND, 33_333_333_333, MINUTE, 71 * SECOND]),
        ) {
            let market = market(&seeds);
            let config = config([fill, commission, slippage], latency);
            let lines = lines(&requests);
            prop_assert_eq!(result(&market, &config, &lines, false), result(&market, &config, &lines, true));
        }
    }
}
