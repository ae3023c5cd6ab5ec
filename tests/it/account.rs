//! The account in cases worked out by hand: a cash account's limits, corporate actions, what a night costs, the
//! loss limit, margin calls, and the ambiguity figures.
//!
//! Sessions are a few minutes long. Bar `m` of a day runs from minute `m` to minute `m + 1`; an order written at
//! `(day, m)` is decided at minute `m`, the end of bar `m - 1`, and meets bar `m`.

use crate::oracle::adapter::{engine_result, market as case_market};
use crate::oracle::generate::cases;
use crate::small_market::{SmallMarket, flat, plain_run, run_with, strategy};
use proptest::prelude::*;
use tradebot::backtest::{RunConfig, RunResult};
use tradebot::engine::StrategySetup;
use tradebot::market::{ActionKind, Bar, CorporateAction, MINUTE, Market, SECOND, format_time, parse_time};
use tradebot::sim::SimRules;
use tradebot::strategies::{OrdersFromFile, parse_order_lines};
use tradebot::trading::{
    AccountKind, AccountRules, OrderChange, OrderId, OrderKind, OrderRecord, OrderRequest, OrderState, Orders, Setup,
    Side, Strategy, View, Wake,
};

const DATES: [&str; 3] = ["2024-03-26", "2024-03-27", "2024-03-28"];

/// Bars of each symbol by day; every day is as long as its longest list of bars.
fn market(symbols: &[(&str, &[&[Bar]])]) -> SmallMarket {
    let days = symbols[0].1.len();
    let mut small = SmallMarket::new(DATES[0], DATES[days - 1]);
    for (day, session) in small.sessions.iter_mut().enumerate() {
        let minutes = symbols.iter().map(|(_, bars)| bars[day].len()).max().unwrap();
        session.close = session.open + minutes as i64 * MINUTE;
    }
    for (name, bars) in symbols {
        small = small.symbol(name, |day, minute| bars[day].get(minute).copied());
    }
    small
}

/// `ts` of a line decided at `minute` of `day`.
fn at(day: usize, minute: i64) -> String {
    format_time(parse_time(&format!("{}T13:30:00Z", DATES[day])).unwrap() + minute * MINUTE)
}

/// Runs lines `ts,id,symbol,side,type,qty,limit,stop,tif,oco`.
fn run_lines(market: &Market, config: &RunConfig, lines: &[String]) -> RunResult {
    run_table(market, config, "ts,id,symbol,side,type,qty,limit,stop,tif,oco", lines)
}

/// Runs lines under a header.
fn run_table(market: &Market, config: &RunConfig, header: &str, lines: &[String]) -> RunResult {
    let text = format!("{header}\n{}\n", lines.join("\n"));
    let lines = parse_order_lines(text.as_bytes(), "orders.csv").unwrap();
    let strategy = Box::new(OrdersFromFile::new(lines));
    run_with(market, config, vec![StrategySetup { strategy, bound_to_position_limit: false }])
}

/// Whole shares, no costs, no night costs, no limits.
fn account(kind: AccountKind, cash: f64) -> RunConfig {
    let mut config = RunConfig { cash, ..plain_run() };
    config.rules.fractional = false;
    config.limits.account = AccountRules { kind, fractional: false, ..AccountRules::default() };
    config
}

fn cash_account(cash: f64) -> RunConfig {
    account(AccountKind::Cash, cash)
}

fn margin_account(cash: f64) -> RunConfig {
    account(AccountKind::Margin, cash)
}

fn order<'a>(result: &'a RunResult, label: &str) -> &'a OrderRecord {
    &result.orders[result.labels.iter().position(|l| l == label).unwrap()]
}

/// The reason of an order's last state.
fn reason(result: &RunResult, label: &str) -> &'static str {
    let id = order(result, label).order.id;
    result.order_events.iter().rfind(|e| e.id == id).unwrap().reason
}

fn cash_at_end(result: &RunResult, market: &Market) -> f64 {
    *result.equity_curve(market).cash.last().unwrap()
}

fn assert_close(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-9, "expected {expected}, found {found}");
}

// ---- cash account ----

/// Decided at 10.00, filled at 10.50 with one dollar of commission: 95 x 10.50 + 1 = 998.50 can be paid with
/// 1000, 96 x 10.50 + 1 = 1009 cannot.
#[test]
fn a_purchase_too_large_at_the_fill_is_reduced_to_whole_shares() {
    let market = market(&[("A", &[&[flat(10.0), flat(10.5)]])]).build();
    let mut config = cash_account(1_000.0);
    config.rules.commission = "per_order:1".parse().unwrap();
    let result = run_lines(&market, &config, &[format!("{},1,A,buy,market,100,,,,", at(0, 1))]);
    assert_eq!(result.fills.len(), 1);
    assert_eq!((result.fills[0].qty, result.fills[0].price), (95.0, 10.5));
    assert_close(cash_at_end(&result, &market), 1.5);
    assert_eq!((order(&result, "1").state, order(&result, "1").filled), (OrderState::Canceled, 95.0));
    assert_eq!(reason(&result, "1"), "not enough cash");
    assert!(result.warnings.iter().any(|w| w.contains("buy of 100 A was reduced to 95")), "{:?}", result.warnings);
}

/// 999 / 10.50 = 95.142857142..., cut to millionths: 95.142857 x 10.50 + 1 = 999.9999985.
#[test]
fn with_fractions_the_purchase_is_reduced_to_millionths_of_a_share() {
    let market = market(&[("A", &[&[flat(10.0), flat(10.5)]])]).build();
    let mut config = cash_account(1_000.0);
    config.rules.commission = "per_order:1".parse().unwrap();
    config.rules.fractional = true;
    config.limits.account.fractional = true;
    let result = run_lines(&market, &config, &[format!("{},1,A,buy,market,100,,,,", at(0, 1))]);
    assert_close(result.fills[0].qty, 95.142857);
    let cash = cash_at_end(&result, &market);
    assert_close(cash, 0.0000015);
    assert!(cash >= 0.0);
}

/// Slippage by rule grows with the quantity: 10 + 0.0005 + 10 x 0.1 x sqrt(q / 10000) a share. 99 shares cost
/// 99 x (10.0005 + 0.0994987...) = 999.90; at the price of the 150 wanted it would be 98 only.
#[test]
fn the_reduced_purchase_pays_the_price_of_its_own_size() {
    let market = market(&[("A", &[&[flat(10.0), flat(10.0)]])]).build();
    let mut config = cash_account(1_000.0);
    config.rules.slippage = "rule_based:0.1".parse().unwrap();
    let result = run_lines(&market, &config, &[format!("{},1,A,buy,market,150,,,,", at(0, 1))]);
    assert_eq!(result.fills[0].qty, 99.0);
    assert_close(result.fills[0].price, 10.0005 + 0.0099f64.sqrt());
    assert!(cash_at_end(&result, &market) >= 0.0);
}

/// The same at the instant of the decision, and at the session's close.
#[test]
fn purchases_at_a_close_are_reduced_too() {
    let market = market(&[("A", &[&[flat(10.0), flat(10.5)]])]).build();
    let mut config = cash_account(1_000.0);
    config.rules.fill = "close".parse().unwrap();
    let result = run_lines(&market, &config, &[format!("{},1,A,buy,market,101,,,,", at(0, 1))]);
    assert_eq!((result.fills[0].qty, result.fills[0].price), (100.0, 10.0));
    let result = run_lines(&market, &config, &[format!("{},1,A,buy,market_on_close,100,,,,", at(0, 1))]);
    assert_eq!((result.fills[0].qty, result.fills[0].price), (95.0, 10.5));
    assert_close(cash_at_end(&result, &market), 1_000.0 - 95.0 * 10.5);
}

/// Each sale of 50 is within the 50 shares held when it is decided; after the first, nothing is left.
#[test]
fn sales_are_limited_to_the_shares_held() {
    let market = market(&[("A", &[&[flat(10.0), flat(10.0), flat(11.0)]])]).build();
    let lines = [
        format!("{},1,A,buy,market,50,,,,", at(0, 1)),
        format!("{},2,A,sell,market,30,,,,", at(0, 2)),
        format!("{},3,A,sell,market,50,,,,", at(0, 2)),
        format!("{},4,A,sell,market,60,,,,", at(0, 2)),
    ];
    let result = run_lines(&market, &cash_account(1_000.0), &lines);
    assert_eq!(order(&result, "2").filled, 30.0);
    assert_eq!((order(&result, "3").state, order(&result, "3").filled), (OrderState::Canceled, 20.0));
    assert_eq!(reason(&result, "3"), "not enough shares");
    assert_eq!(order(&result, "4").state, OrderState::Rejected);
    assert_close(cash_at_end(&result, &market), 1_000.0 - 500.0 + 550.0);
}

/// Both fill at the open of minute 1, in order of symbol although B was sent first: A takes 600 of 1000, and
/// 400 buy 40 of B.
#[test]
fn at_one_instant_symbols_take_the_cash_in_order_of_name() {
    let bars: &[&[Bar]] = &[&[flat(10.0), flat(10.0)]];
    let market = market(&[("A", bars), ("B", bars)]).build();
    let lines = [format!("{},1,B,buy,market,60,,,,", at(0, 1)), format!("{},2,A,buy,market,60,,,,", at(0, 1))];
    let result = run_lines(&market, &cash_account(1_000.0), &lines);
    assert_eq!((order(&result, "2").filled, order(&result, "1").filled), (60.0, 40.0));
    assert_eq!(cash_at_end(&result, &market), 0.0);
}

/// The path of both is 10.00 > 9.90 > 10.30 > 10.00. B meets 9.95 after 10 s, A meets 9.92 after 16 s: B takes
/// 60 x 9.95 = 597, and 403 buy 40 of A at 9.92.
#[test]
fn an_earlier_fill_of_a_later_symbol_takes_the_cash_first() {
    let wide = Bar { open: 10.0, high: 10.3, low: 9.9, close: 10.0, volume: 10_000.0 };
    let bars: &[&[Bar]] = &[&[flat(10.0), wide]];
    let market = market(&[("A", bars), ("B", bars)]).build();
    let lines = [format!("{},1,A,buy,limit,60,9.92,,,", at(0, 1)), format!("{},2,B,buy,limit,60,9.95,,,", at(0, 1))];
    let result = run_lines(&market, &cash_account(1_000.0), &lines);
    assert_eq!((order(&result, "1").filled, order(&result, "2").filled), (40.0, 60.0));
    assert_close(cash_at_end(&result, &market), 1_000.0 - 597.0 - 40.0 * 9.92);
}

/// A sale at the same open pays for a purchase if its symbol comes first.
#[test]
fn proceeds_of_an_earlier_sale_can_be_spent_in_the_same_bar() {
    let bars: &[&[Bar]] = &[&[flat(10.0), flat(10.0), flat(10.0)]];
    let market = market(&[("A", bars), ("B", bars)]).build();
    let lines = [
        format!("{},1,A,buy,market,100,,,,", at(0, 1)),
        format!("{},2,A,sell,market,70,,,,", at(0, 2)),
        format!("{},3,B,buy,market,80,,,,", at(0, 2)),
    ];
    let result = run_lines(&market, &cash_account(1_000.0), &lines);
    assert_eq!((order(&result, "2").filled, order(&result, "3").filled), (70.0, 70.0));
    assert_eq!(cash_at_end(&result, &market), 0.0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_cash_account_never_borrows_money_or_shares(case in cases(), cash in 100.0..20_000.0) {
        let result = engine_result(&case, AccountKind::Cash, cash);
        let market = case_market(&case);
        let curve = result.equity_curve(&market);
        prop_assert!(curve.cash.iter().all(|cash| *cash >= 0.0), "{:?}", curve.cash);
        let mut held = vec![0.0; case.series.len()];
        for fill in &result.fills {
            held[fill.symbol.index()] += fill.side.sign() * fill.qty;
            prop_assert!(held[fill.symbol.index()] > -1e-9, "{fill:?}");
        }
    }
}

// ---- corporate actions ----

/// Short 100 at 20, and 0.50 a share goes to whom they were borrowed from: 10000 + 2000 - 50. The short of 40
/// opened on the ex-date pays nothing.
#[test]
fn a_short_position_pays_the_dividend() {
    let day: &[Bar] = &[flat(20.0), flat(20.0)];
    let mut small = market(&[("A", &[day, day])]);
    let a = small.id("A");
    let date = small.sessions[1].date;
    small.parts.actions = vec![CorporateAction { date, symbol: a, kind: ActionKind::Dividend { amount: 0.5 } }];
    let market = small.build();
    let lines = [format!("{},1,A,sell,market,100,,,,", at(0, 1)), format!("{},2,A,sell,market,40,,,,", at(1, 1))];
    let result = run_lines(&market, &margin_account(10_000.0), &lines);
    assert_close(cash_at_end(&result, &market), 10_000.0 + 2_000.0 - 50.0 + 800.0);
    assert_close(*result.equity.last().unwrap(), 9_950.0);
}

/// 10 shares at 140 become 70 at 20; the order that rests in old shares is cancelled; 65.5 / 7 of the old
/// position would not be whole shares, but all of it is sold as it is.
#[test]
fn a_split_multiplies_positions_and_cancels_orders() {
    let mut small = market(&[("A", &[&[flat(140.0), flat(140.0)], &[flat(20.0), flat(20.0), flat(21.0)]])]);
    let a = small.id("A");
    let date = small.sessions[1].date;
    small.parts.actions = vec![CorporateAction { date, symbol: a, kind: ActionKind::Split { ratio: 7.0 } }];
    let market = small.build();
    let lines = [
        format!("{},1,A,buy,market,10,,,,", at(0, 1)),
        format!("{},2,A,sell,limit,10,150,,gtc,", at(0, 1)),
        format!("{},3,A,sell,market,70,,,,", at(1, 2)),
    ];
    let result = run_lines(&market, &margin_account(10_000.0), &lines);
    assert_eq!((order(&result, "2").state, reason(&result, "2")), (OrderState::Canceled, "split"));
    // Day 2 before the sale: 8600 + 70 x 20.
    assert_close(result.equity[2], 10_000.0);
    assert_close(cash_at_end(&result, &market), 10_000.0 - 1_400.0 + 70.0 * 21.0);
    assert_eq!(result.trades.len(), 1);
    assert_close(result.trades[0].pnl, 70.0);
    // 140 before the split was 20 in the shares sold: nothing lost or gained but the last dollar a share.
    assert_close(result.trades[0].mae, 0.0);
    assert_close(result.trades[0].mfe, 70.0);
}

/// A 7-for-1 split; on its day `B` trades from the open, `A` only from minute 3 on. What is decided for `A` before
/// that meets the last close in new shares: 140 is 20, quotes of 139.3 and 140.7 are 19.9 and 20.1. 10 % of the
/// 1000 shares of the last bar are 700 new ones. The position is worth its 20 until `A` trades at 21.
#[test]
fn before_its_first_bar_after_a_split_a_symbol_is_worth_its_last_close_in_new_shares() {
    let thin = Bar { volume: 1_000.0, ..flat(140.0) };
    let day: &[Bar] = &[flat(50.0), flat(50.0), flat(50.0), flat(50.0), flat(50.0), flat(50.0)];
    let (before, after) = ([thin, thin], [flat(21.0), flat(21.0), flat(21.0)]);
    let mut small = market(&[("B", &[day, day])])
        .symbol("A", |day, minute| match day {
            0 => before.get(minute).copied(),
            _ => minute.checked_sub(3).and_then(|m| after.get(m).copied()),
        })
        .quoted("A", 0.7);
    let a = small.id("A");
    let date = small.sessions[1].date;
    small.parts.actions = vec![CorporateAction { date, symbol: a, kind: ActionKind::Split { ratio: 7.0 } }];
    let market = small.build();
    let mut config = margin_account(100_000.0);
    config.rules.participation = 0.1;
    let lines = [format!("{},1,A,buy,market,690,,,,", at(1, 2)), format!("{},2,A,sell,market,50,,,,", at(1, 2))];
    for (rule, buy, sell) in [("close", 20.0, 20.0), ("quote", 20.1, 19.9)] {
        config.rules.fill = rule.parse().unwrap();
        let result = run_lines(&market, &config, &lines);
        let fills: Vec<(f64, f64)> = result.fills.iter().map(|f| (f.side.sign() * f.qty, f.price)).collect();
        // 700 shares can be had of the bar, 10 are left for the second order and 40 wait for the next bar, at 21.
        assert_eq!(fills.len(), 3, "{rule}: {fills:?}");
        for ((qty, price), (expected, at)) in fills.into_iter().zip([(690.0, buy), (-10.0, sell), (-40.0, 21.0)]) {
            assert_close(qty, expected);
            assert_close(price, at);
        }
        let step = |minute: usize| result.equity[6 + minute - 1];
        assert_close(step(2), 100_000.0 - 690.0 * buy + 10.0 * sell + 680.0 * 20.0);
        assert_close(step(3), step(2));
        assert_close(step(4), 100_000.0 - 690.0 * buy + 10.0 * sell + 40.0 * 21.0 + 640.0 * 21.0);
        let exposure = result.equity_curve(&market).exposure[6 + 1];
        assert_close(exposure, 680.0 * 20.0 / step(2));
    }
    // So does the initial margin: 10000 at 20 are twice the equity.
    let close = RunConfig {
        rules: SimRules { fill: "close".parse().unwrap(), ..SimRules::default() },
        ..margin_account(100_000.0)
    };
    let lines = [format!("{},1,A,buy,market,10000,,,,", at(1, 2)), format!("{},2,A,buy,market,1,,,,", at(1, 2))];
    let result = run_lines(&market, &close, &lines);
    assert_eq!(states(&result), [OrderState::Filled, OrderState::Rejected]);
}

/// 15 shares become 22.5 in a 3-for-2 split. Without fractions, 22 or 0.5 more cannot be traded for themselves,
/// but the 22.5 can be closed.
#[test]
fn a_fraction_left_by_a_split_can_be_closed() {
    let mut small = market(&[("A", &[&[flat(30.0), flat(30.0)], &[flat(20.0), flat(20.0), flat(20.0)]])]);
    let a = small.id("A");
    let date = small.sessions[1].date;
    small.parts.actions = vec![CorporateAction { date, symbol: a, kind: ActionKind::Split { ratio: 1.5 } }];
    let market = small.build();
    let lines = [
        format!("{},1,A,buy,market,15,,,,", at(0, 1)),
        format!("{},2,A,buy,market,0.25,,,,", at(1, 1)),
        format!("{},3,A,sell,market,22.5,,,,", at(1, 1)),
    ];
    let result = run_lines(&market, &margin_account(10_000.0), &lines);
    assert_eq!((order(&result, "2").state, order(&result, "3").state), (OrderState::Rejected, OrderState::Filled));
    assert_close(cash_at_end(&result, &market), 10_000.0);
}

// ---- nights ----

/// 100 short, closing at 20.00 and 24.00, at 0.36 a year: 2000 x 0.36 / 360 = 2.00 and 2400 x 0.36 / 360 = 2.40.
#[test]
fn borrowed_shares_cost_a_360th_of_the_yearly_rate_a_night() {
    let market = market(&[("A", &[&[flat(20.0), flat(20.0)], &[flat(22.0), flat(24.0)]])]).build();
    let mut config = margin_account(10_000.0);
    config.limits.account.borrow_rate = 0.36;
    let result = run_lines(&market, &config, &[format!("{},1,A,sell,market,100,,,,", at(0, 1))]);
    assert_close(result.costs.borrow, 4.40);
    assert_close(cash_at_end(&result, &market), 12_000.0 - 4.40);
    // The first night is in the equity of the first close.
    assert_close(result.equity[1], 10_000.0 - 2.0);
}

/// 150 at 100 with 10000: 5000 borrowed at 0.072 a year: 5000 x 0.072 / 360 = 1.00, then 5001 x 0.072 / 360.
#[test]
fn borrowed_cash_costs_a_360th_of_the_yearly_rate_a_night() {
    let day: &[Bar] = &[flat(100.0), flat(100.0)];
    let market = market(&[("A", &[day, day])]).build();
    let mut config = margin_account(10_000.0);
    config.limits.account.margin_rate = 0.072;
    let result = run_lines(&market, &config, &[format!("{},1,A,buy,market,150,,,,", at(0, 1))]);
    assert_close(result.costs.interest, 1.0 + 5_001.0 * 0.072 / 360.0);
    assert_close(cash_at_end(&result, &market), -5_000.0 - result.costs.interest);
}

// ---- initial margin ----

/// The states of orders decided at one instant, in order of their lines.
fn states(result: &RunResult) -> Vec<OrderState> {
    result.orders.iter().map(|o| o.state).collect()
}

/// Eight purchases of one instant, each for the whole equity of 10000: at 50 % the account carries two. They are
/// refused when they are sent, not when they fill, and it is the order of sending that counts.
#[test]
fn orders_decided_at_one_instant_share_the_initial_margin() {
    let bars: &[&[Bar]] = &[&[flat(100.0), flat(100.0), flat(100.0)]];
    let names = ["A", "B", "C", "D", "E", "F", "G", "H"];
    let market = market(&names.map(|name| (name, bars))).build();
    let mut config = margin_account(10_000.0);
    let weights = [("weight", "1")];
    let result = run_with(&market, &config, vec![strategy("buy_and_hold", &weights, false)]);
    let mut expected = vec![OrderState::Filled; 2];
    expected.resize(8, OrderState::Rejected);
    assert_eq!(states(&result), expected);
    assert!(
        result.order_events.iter().filter(|e| e.state == OrderState::Rejected).all(|e| e.reason == "initial margin")
    );
    assert_close(cash_at_end(&result, &market), -10_000.0);
    // Named backwards: H and G.
    let lines: Vec<String> =
        names.iter().rev().map(|name| format!("{},{name},{name},buy,market,100,,,,", at(0, 1))).collect();
    let result = run_lines(&market, &config, &lines);
    assert_eq!(states(&result), expected);
    assert_eq!((order(&result, "H").filled, order(&result, "G").filled), (100.0, 100.0));
    // Two strategies have one account: the first takes it all.
    config.limits.account.initial_margin = 1.0;
    let two = vec![strategy("buy_and_hold", &weights, false), strategy("buy_and_hold", &weights, false)];
    let result = run_with(&market, &config, two);
    assert_eq!(states(&result).iter().filter(|state| **state == OrderState::Filled).count(), 1);
}

/// 100 at 100 with 10000, all of the equity pledged: a sale of 200 leaves 100 short, which the account can carry,
/// one of 201 does not, nor does a second sale of 200 while the first is on its way.
#[test]
fn an_order_that_turns_a_position_counts_what_it_leaves() {
    let market = market(&[("A", &[&[flat(100.0), flat(100.0), flat(100.0), flat(100.0)]])]).build();
    let mut config = margin_account(10_000.0);
    config.limits.account.initial_margin = 1.0;
    let lines = [
        format!("{},1,A,buy,market,100,,,,", at(0, 1)),
        format!("{},2,A,sell,market,201,,,,", at(0, 2)),
        format!("{},3,A,sell,market,200,,,,", at(0, 2)),
        format!("{},4,A,sell,market,200,,,,", at(0, 2)),
        format!("{},5,A,buy,market,200,,,,", at(0, 3)),
    ];
    let result = run_lines(&market, &config, &lines);
    use OrderState::{Filled, Rejected};
    assert_eq!(states(&result), [Filled, Rejected, Filled, Rejected, Filled]);
    assert_eq!((reason(&result, "2"), reason(&result, "4")), ("initial margin", "initial margin"));
}

/// 150 at 100 with 10000 and half pledged; a bar of 1000 shares gives 50 of them. 50 held and 100 pending are 150:
/// of A 51 more are too many and 50 more are not, and then nothing is left for B. What the first order no longer
/// wants once it is cancelled is free again.
#[test]
fn the_unfilled_part_of_an_order_counts() {
    let thin = Bar { volume: 1_000.0, ..flat(100.0) };
    let bars: &[&[Bar]] = &[&[flat(100.0), thin, thin, thin, thin, thin]];
    let market = market(&[("A", bars), ("B", bars)]).build();
    let mut config = margin_account(10_000.0);
    config.rules.participation = 0.05;
    let line = |minute, id: &str, symbol: &str, qty: &str, limit: &str, cancel: &str| {
        let side = if cancel.is_empty() { "buy,limit" } else { "," };
        format!("{},{id},{symbol},{side},{qty},{limit},{cancel}", at(0, minute))
    };
    let lines = [
        line(1, "1", "A", "150", "100", ""),
        line(2, "2", "A", "51", "100", ""),
        line(2, "3", "A", "50", "90", ""),
        line(2, "4", "B", "1", "90", ""),
        line(2, "", "", "", "", "1"),
        line(3, "5", "B", "100", "90", ""),
        line(3, "6", "B", "1", "90", ""),
    ];
    let result = run_table(&market, &config, "ts,id,symbol,side,type,qty,limit,cancel", &lines);
    assert_eq!((order(&result, "1").state, order(&result, "1").filled), (OrderState::Canceled, 50.0));
    let refused: Vec<bool> = ["2", "3", "4", "5", "6"].map(|id| reason(&result, id) == "initial margin").to_vec();
    assert_eq!(refused, [true, false, true, false, true]);
}

/// A stop above and a stop below the price: one of them fills, and 200 at 100 on either side is what 10000 carry
/// at 50 %. Two entries on one side count twice, in a group or not. A bracket's children close what it opens.
#[test]
fn a_pair_around_the_price_counts_once_and_children_not_at_all() {
    let market = market(&[("A", &[&[flat(100.0), flat(100.0), flat(100.0)]])]).build();
    let config = margin_account(10_000.0);
    let lines = [
        format!("{},1,A,buy,stop,200,,105,,pair", at(0, 1)),
        format!("{},2,A,sell,stop,200,,95,,pair", at(0, 1)),
        format!("{},3,A,sell,stop,1,,94,,pair", at(0, 1)),
    ];
    let result = run_lines(&market, &config, &lines);
    let refused: Vec<bool> = ["1", "2", "3"].map(|id| order(&result, id).state == OrderState::Rejected).to_vec();
    assert_eq!(refused, [false, false, true]);
    let lines = [
        format!("{},1,A,buy,market,200,,,,", at(0, 1)),
        format!("{},2,A,sell,limit,200,120,,gtc,1", at(0, 1)),
        format!("{},3,A,sell,stop,200,,80,gtc,1", at(0, 1)),
    ];
    let result = run_table(&market, &config, "ts,id,symbol,side,type,qty,limit,stop,tif,parent", &lines);
    assert!(states(&result).iter().all(|state| *state != OrderState::Rejected), "{:?}", states(&result));
    assert_eq!(result.orders[0].filled, 200.0);
}

// ---- limits ----

/// 100 shares can be borrowed. Two sales of 60 of one instant would borrow 120; a stop and a target that close
/// 40 bought shares borrow nothing, and only one of them fills.
#[test]
fn open_orders_count_against_the_shares_to_borrow() {
    let market = market(&[("A", &[&[flat(20.0), flat(20.0), flat(20.0), flat(20.0)]])]).build();
    let mut config = margin_account(10_000.0);
    config.limits.borrow.insert(market.symbol("A").unwrap(), (0.0, 100.0));
    let lines = [
        format!("{},1,A,sell,market,60,,,,", at(0, 1)),
        format!("{},2,A,sell,market,60,,,,", at(0, 1)),
        format!("{},3,A,sell,market,40,,,,", at(0, 1)),
    ];
    let result = run_lines(&market, &config, &lines);
    let states: Vec<OrderState> = result.orders.iter().map(|o| o.state).collect();
    assert_eq!(states, [OrderState::Filled, OrderState::Rejected, OrderState::Filled]);
    assert_eq!(reason(&result, "2"), "not enough shares to borrow");
    let lines = [
        format!("{},1,A,buy,market,40,,,,", at(0, 1)),
        format!("{},2,A,sell,limit,40,25,,,exit", at(0, 2)),
        format!("{},3,A,sell,stop,40,,15,,exit", at(0, 2)),
        format!("{},4,A,sell,market,100,,,,", at(0, 2)),
    ];
    let result = run_lines(&market, &config, &lines);
    assert_eq!(order(&result, "4").state, OrderState::Filled);
    assert_eq!(order(&result, "4").filled, 100.0);
}

/// 5 % of 10000. The low of 90 in minute 2 does not count, the close of 96 does not reach it, that of 95 does:
/// the position goes at the next open, 94, the resting order with it, and a new one is refused.
/// The next session starts from 9400, and may trade down to 8930.
#[test]
fn the_loss_limit_is_tested_at_bar_ends_against_the_previous_close() {
    let dip = Bar { open: 98.0, high: 99.0, low: 90.0, close: 96.0, volume: 10_000.0 };
    let first: &[Bar] = &[flat(100.0), flat(100.0), dip, flat(95.0), flat(94.0), flat(94.0)];
    let second: &[Bar] = &[flat(94.0), flat(94.0), flat(90.0), flat(89.3), flat(80.0)];
    let market = market(&[("A", &[first, second])]).build();
    let mut config = margin_account(10_000.0);
    config.limits.daily_loss_limit = 0.05;
    let lines = [
        format!("{},1,A,buy,market,100,,,,", at(0, 1)),
        format!("{},2,A,sell,limit,100,120,,gtc,", at(0, 1)),
        format!("{},3,A,buy,market,10,,,,", at(0, 5)),
        format!("{},4,A,buy,market,100,,,,", at(1, 1)),
    ];
    let result = run_lines(&market, &config, &lines);
    let fills: Vec<(f64, f64)> = result.fills.iter().map(|f| (f.side.sign() * f.qty, f.price)).collect();
    // Day 2: 100 at 94; 90 leaves 9400 - 400 = 9000, 89.3 leaves 8930: closed at the next open, 80.
    assert_eq!(fills, [(100.0, 100.0), (-100.0, 94.0), (100.0, 94.0), (-100.0, 80.0)]);
    assert_eq!(format_time(result.fills[1].time), at(0, 4));
    assert_eq!(format_time(result.fills[3].time), at(1, 4));
    assert_eq!(order(&result, "2").state, OrderState::Canceled);
    assert_eq!((order(&result, "3").state, reason(&result, "3")), (OrderState::Rejected, "DAILY_LOSS_LIMIT"));
    assert_eq!(order(&result, "4").state, OrderState::Filled);
    assert_close(cash_at_end(&result, &market), 9_400.0 - 1_400.0);
}

/// 200 at 100 with 10000 needs half of 20000 in equity. At 67 the equity of 3400 covers a quarter of 13400
/// (3350); at 66 the equity of 3200 does not cover a quarter of 13200 (3300): closed at the next open.
#[test]
fn a_margin_call_closes_the_position_at_the_next_open() {
    let bars: &[Bar] = &[flat(100.0), flat(100.0), flat(67.0), flat(66.0), flat(65.0), flat(80.0)];
    let market = market(&[("A", &[bars])]).build();
    let lines = [format!("{},1,A,buy,market,201,,,,", at(0, 1)), format!("{},2,A,buy,market,200,,,,", at(0, 1))];
    let result = run_lines(&market, &margin_account(10_000.0), &lines);
    assert_eq!((order(&result, "1").state, reason(&result, "1")), (OrderState::Rejected, "initial margin"));
    let fills: Vec<(f64, f64)> = result.fills.iter().map(|f| (f.side.sign() * f.qty, f.price)).collect();
    assert_eq!(fills, [(200.0, 100.0), (-200.0, 65.0)]);
    assert_eq!(format_time(result.fills[1].time), at(0, 4));
    assert_close(cash_at_end(&result, &market), 10_000.0 - 200.0 * 35.0);
    assert!(result.warnings.iter().any(|w| w.contains("margin call")), "{:?}", result.warnings);
}

// ---- ambiguity ----

/// Bought 100 at 100 (10 s late, flat bars) with a stop at 94.9. The close of 95 is the loss limit of 5 % of
/// 10,000. In the next bar the path falls from 95 to 94.2 within its first 20 s and meets the stop after 2.5 s,
/// before the order that closes the position arrives, after 10 s: that order gives its shares up and turns
/// nothing.
#[test]
fn a_liquidation_never_turns_a_position() {
    let falling = Bar { open: 100.0, high: 100.0, low: 95.0, close: 95.0, volume: 10_000.0 };
    let on = Bar { open: 95.0, high: 95.9, low: 94.2, close: 94.5, volume: 10_000.0 };
    let market = market(&[("A", &[&[flat(100.0), flat(100.0), falling, on, flat(94.0)]])]).build();
    let mut config = with_latency(10);
    config.limits.daily_loss_limit = 0.05;
    let lines = [format!("{},1,A,buy,market,100,,,,", at(0, 1)), format!("{},2,A,sell,stop,100,,94.9,gtc,", at(0, 1))];
    let result = run_lines(&market, &config, &lines);
    let fills: Vec<(f64, f64)> = result.fills.iter().map(|f| (f.side.sign() * f.qty, f.price)).collect();
    assert_eq!(fills, [(100.0, 100.0), (-100.0, 94.9)]);
    assert_eq!(result.orders.len(), 3);
    assert_eq!(result.orders[2].state, OrderState::Canceled);
    assert_eq!(result.orders[2].order.request.reason, "daily loss limit");
}

fn with_latency(seconds: i64) -> RunConfig {
    let rules = SimRules { latency: seconds * SECOND, ..SimRules::default() };
    RunConfig { rules, ..margin_account(10_000.0) }
}

/// Bought at 20.00; stop 19.80 and target 20.30 in one bar that goes 20.00 > 19.75 > 20.50 > 20.10 or
/// 20.00 > 20.50 > 19.75 > 20.10: a loss of 20 or a gain of 30. One trade, 50 dollars; the run goes on with the
/// loss.
#[test]
fn stop_and_target_in_one_bar_count_once() {
    let both = Bar { open: 20.0, high: 20.5, low: 19.75, close: 20.1, volume: 10_000.0 };
    let market = market(&[("A", &[&[flat(20.0), flat(20.0), both, flat(20.1)]])]).build();
    let lines = [
        format!("{},1,A,buy,market,100,,,,", at(0, 1)),
        format!("{},2,A,sell,stop,100,,19.8,,exit", at(0, 2)),
        format!("{},3,A,sell,limit,100,20.3,,,exit", at(0, 2)),
    ];
    let result = run_lines(&market, &margin_account(10_000.0), &lines);
    assert_eq!(result.ambiguity.trades, 1);
    assert_close(result.ambiguity.pnl, 50.0);
    assert_close(*result.equity.last().unwrap(), 9_980.0);
}

/// Arriving 10 s into the bar, in the middle of its first leg: 19.875 with the low first, 20.25 with the high
/// first: 100 x 0.375 = 37.50, whatever becomes of the position. Its trade counts once it is closed.
#[test]
fn a_market_order_in_mid_bar_is_ambiguous() {
    let wide = Bar { open: 20.0, high: 20.5, low: 19.75, close: 20.1, volume: 10_000.0 };
    let market = market(&[("A", &[&[flat(20.0), wide, flat(20.1), flat(20.1)]])]).build();
    let open = format!("{},1,A,buy,market,100,,,,", at(0, 1));
    let close = format!("{},2,A,sell,market,100,,,,", at(0, 2));
    let result = run_lines(&market, &with_latency(10), std::slice::from_ref(&open));
    assert_close(result.fills[0].price, 19.875);
    assert_eq!(result.ambiguity.trades, 0);
    assert_close(result.ambiguity.pnl, 37.5);
    let result = run_lines(&market, &with_latency(10), &[open, close]);
    assert_eq!(result.ambiguity.trades, 1);
    assert_close(result.ambiguity.pnl, 37.5);
}

/// At 30 s both paths are half-way between the extremes, and at an open they have not parted yet.
#[test]
fn equal_fills_are_not_ambiguous() {
    let wide = Bar { open: 20.0, high: 20.5, low: 19.75, close: 20.1, volume: 10_000.0 };
    let market = market(&[("A", &[&[flat(20.0), wide, wide, wide]])]).build();
    let lines = [format!("{},1,A,buy,market,100,,,,", at(0, 1)), format!("{},2,A,sell,market,100,,,,", at(0, 2))];
    for seconds in [0, 30, 60] {
        let result = run_lines(&market, &with_latency(seconds), &lines);
        assert_eq!((result.fills.len(), result.ambiguity.trades, result.ambiguity.pnl), (2, 0, 0.0), "{seconds}");
    }
}

/// Rests a purchase of 10 below the market and asks for changes of it, one a bar.
struct Changes(Vec<OrderChange>);

impl Strategy for Changes {
    fn name(&self) -> &str {
        "changes"
    }

    fn start(&mut self, _: &mut Setup<'_>) -> Wake {
        Wake::NEXT_BAR
    }

    fn decide(&mut self, view: &View<'_>, orders: &mut Orders<'_>) -> Wake {
        if view.order(OrderId(0)).is_none() {
            let symbol = view.symbol("A").expect("the symbol");
            let kind = OrderKind::Limit { limit: 90.0 };
            orders.submit(OrderRequest { kind, ..OrderRequest::market(symbol, Side::Buy, 10.0, "rest") });
        } else if let Some(change) = self.0.pop() {
            orders.replace(OrderId(0), change);
        }
        Wake::NEXT_BAR
    }
}

/// What the orders of a strategy may buy passes the desk when they are sent; a change is no way around it.
#[test]
fn a_change_cannot_enlarge_an_order() {
    let change = |qty: Option<f64>, limit| OrderChange { qty, limit, stop: None };
    let cases = [
        (change(Some(100.0), None), "change refused: it would enlarge the order", 10.0),
        (change(Some(f64::NAN), None), "change refused: quantity must not be negative", 10.0),
        (change(None, Some(-1.0)), "change refused: prices must be positive", 10.0),
        (change(Some(4.0), Some(95.0)), "changed", 4.0),
    ];
    for (change, reason, qty) in cases {
        let market = SmallMarket::new("2024-03-11", "2024-03-11").symbol("A", |_, _| Some(flat(100.0))).build();
        let strategy = Box::new(Changes(vec![change]));
        let setup = StrategySetup { strategy, bound_to_position_limit: false };
        let result = run_with(&market, &plain_run(), vec![setup]);
        assert!(result.order_events.iter().any(|e| e.reason == reason), "{reason}: {:?}", result.order_events);
        assert_eq!(result.orders[0].order.request.qty, qty, "{reason}");
    }
}
