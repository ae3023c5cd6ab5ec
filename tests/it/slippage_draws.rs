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
        (1, "SPY", 1, 0xbf92_9688_1329_a128),
        (1, "SPY", 1_000_000, 0x3fcc_e028_c81e_6313),
        (1, "AAPL", 0, 0x3fcb_7ae4_9d11_0ecc),
        (2, "SPY", 0, 0x3fc3_6ad5_2a25_bec9),
        (u64::MAX, "BRK.B", 7, 0x3fbf_2698_c5e5_cec7),
    ];
    let found: Vec<_> = known.iter().map(|(seed, symbol, number, _)| draw(*seed, symbol, *number)).collect();
    let expected: Vec<_> = known.iter().map(|k| k.3).collect();
    assert_eq!(found, expected, "{found:#018x?}");
}

/// The same draws, worked out without a line of this program: a Python script that knows the publications alone
/// made the key with BLAKE3 (O'Connor, Aumasson, Neves and Wilcox-O'Hearn 2020) from `tradebot draw key 1`, the
/// seed in eight bytes and the symbol; two words with Philox4x32-10 (Salmon et al. 2011) from the counter
/// (number, 0, 1, 0), the lower word first; from their upper 52 bits `k` the uniform `(k + 1/2) / 2^52`; and the draw
/// `0.15 + 0.10 sqrt(2) erfinv(2 u - 1)` with mpmath 1.3 at 60 digits, rounded to 25.
#[test]
#[allow(clippy::excessive_precision)]
fn draws_agree_with_an_independent_computation() {
    let model: Slippage = "normal:0.15:0.10".parse().unwrap();
    let known: [(u64, &str, u32, u64, f64); 6] = [
        (1, "SPY", 0, 0x326c_2b58_2569_869d, 0.121971165029863718941929),
        (1, "SPY", 1, 0x326c_2b58_2569_869d, -0.01815235726317715747613414),
        (1, "SPY", 1_000_000, 0x326c_2b58_2569_869d, 0.2255907990591131568350616),
        (1, "AAPL", 0, 0x1278_7dd9_3b63_aa04, 0.2146878973891176400975067),
        (2, "SPY", 0, 0xa64e_d34e_c6b7_971a, 0.1516977744863566180473626),
        (u64::MAX, "BRK.B", 7, 0x3766_c6dc_cf18_f009, 0.1216826899670265687451528),
    ];
    for (seed, symbol, number, key, expected) in known {
        assert_eq!(symbol_key(seed, symbol), key, "{seed} {symbol}");
        let found = model.draw(key, number);
        // Two roundings, of a product below 0.5 and of a sum below 0.25, and the last bit of the quantile.
        assert!((found - expected).abs() < 1e-16, "{seed} {symbol} {number}: {found:e} is not {expected:e}");
    }
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
