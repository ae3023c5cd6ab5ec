//! The normal slippage draws: the very bits of a few of them, and their distribution over a run.

use crate::small_market::{SmallMarket, flat, plain_run, run_with};
use tradebot::engine::StrategySetup;
use tradebot::market::MINUTE;
use tradebot::sim::Slippage;
use tradebot::sim::random::symbol_key;
use tradebot::strategies::{LineAction, OrderLine, OrdersFromFile};
use tradebot::trading::{OrderKind, Side, TimeInForce};

/// A version change of the generator, the uniform distribution or the normal quantile that moves a single bit
/// would change every result: it must be noticed here.
#[test]
fn draws_are_the_same_to_the_last_bit() {
    let model: Slippage = "normal:0.15:0.10".parse().unwrap();
    let draw = |seed, symbol, number| model.draw(symbol_key(seed, symbol), number).to_bits();
    let known: [(u64, &str, u32, u64); 6] = [
        (1, "SPY", 0, 0x3fbf_3980_94db_b878),
        (1, "SPY", 1, 0xbf92_9688_1329_a130),
        (1, "SPY", 1_000_000, 0x3fcc_e028_c81e_6314),
        (1, "AAPL", 0, 0x3fcb_7ae4_9d11_0ecc),
        (2, "SPY", 0, 0x3fc3_6ad5_2a25_bec9),
        (u64::MAX, "BRK.B", 7, 0x3fbf_2698_c5e5_cec7),
    ];
    let found: Vec<_> = known.iter().map(|(seed, symbol, number, _)| draw(*seed, symbol, *number)).collect();
    let expected: Vec<_> = known.iter().map(|k| k.3).collect();
    assert_eq!(found, expected, "{found:#018x?}");
}

/// 3000 market orders at a flat price of 100, one a minute: the cost of each is its draw. The mean of n draws
/// has the standard deviation 0.10 / sqrt(n), their standard deviation about 0.10 / sqrt(2 n); four of these are
/// exceeded once in 16000 times, and the draws are fixed by the seed.
#[test]
fn slippage_over_a_run_has_the_given_mean_and_deviation() {
    let small = SmallMarket::new("2024-03-11", "2024-03-20").symbol("A", |_, _| Some(flat(100.0)));
    let market = small.build();
    let n = 3_000;
    let lines = (0..n).map(|k| OrderLine {
        time: market.steps[k],
        action: LineAction::Submit {
            id: k.to_string(),
            symbol: "A".to_string(),
            side: if k % 2 == 0 { Side::Buy } else { Side::Sell },
            qty: 1.0,
            kind: OrderKind::Market,
            tif: TimeInForce::Gtc,
            oco: None,
            parent: None,
        },
    });
    let mut config = plain_run();
    config.rules.slippage = "normal:0.15:0.10".parse().unwrap();
    let strategy = Box::new(OrdersFromFile::new(lines.collect()));
    let result = run_with(&market, &config, vec![StrategySetup { strategy, bound_to_position_limit: false }]);
    assert_eq!(result.fills.len(), n);
    let percent: Vec<f64> = result.fills.iter().map(|f| f.side.sign() * (f.price - 100.0)).collect();
    let mean = percent.iter().sum::<f64>() / n as f64;
    let deviation = (percent.iter().map(|p| (p - mean) * (p - mean)).sum::<f64>() / (n - 1) as f64).sqrt();
    assert!((mean - 0.15).abs() < 4.0 * 0.10 / (n as f64).sqrt(), "mean {mean}");
    assert!((deviation - 0.10).abs() < 4.0 * 0.10 / (2.0 * n as f64).sqrt(), "deviation {deviation}");
    // Neither truncated nor clamped: some orders gain.
    assert!(percent.iter().any(|p| *p < 0.0));
    // The cost that the run reports is the sum of the draws.
    assert!((result.costs.slippage - percent.iter().sum::<f64>()).abs() < 1e-6);
    assert!(market.steps[1] - market.steps[0] == MINUTE);
}
