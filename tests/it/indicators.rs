//! Indicators against other implementations, and as CSV.

use std::sync::Arc;
use tradebot::cli::indicators::write_indicators;
use tradebot::indicators::{Indicator, Input};
use tradebot::market::{Bars, Calendar, MINUTE, Market, MarketParts, parse_date};

/// Values at bars 40 and 79 of the series in [`values_agree_with_other_implementations`], by TA-Lib
/// 0.8.1; sample deviation, `macd_plain` and VWAP by numpy on the formula.
const REFERENCE: [(&str, &[[f64; 2]]); 10] = [
    ("sma:20", &[[106.60625, 106.44375]]),
    ("ema:20", &[[106.65215829898239, 106.57975098195752]]),
    ("rsi:14", &[[51.61130066304077, 53.632915022865866]]),
    ("atr:14", &[[6.8737127578808925, 6.760956744359661]]),
    ("stddev:20", &[[3.556085233441404, 3.775636328819288], [3.648466467680562, 3.873721138714856]]),
    (
        "bollinger:20:2",
        &[[113.7184204668828, 113.99502265763857], [106.60625, 106.44375], [99.4940795331172, 98.89247734236142]],
    ),
    ("donchian:20", &[[113.125, 113.25], [106.375, 106.0625], [99.625, 98.875]]),
    (
        "macd:12:26:9",
        &[
            [0.25887585909894995, 0.37487940923226404],
            [0.2435412718083962, -0.052995979948688],
            [0.015334587290553758, 0.427875389180952],
        ],
    ),
    (
        "macd_plain:12:26:9",
        &[
            [0.2409589194984676, 0.37485287614345],
            [0.19635001037775415, -0.05309019340613674],
            [0.04460890912071344, 0.4279430695495867],
        ],
    ),
    ("vwap", &[[104.82291666666669, 106.19628514056224]]),
];

#[test]
fn values_agree_with_other_implementations() {
    let series = |f: &dyn Fn(i32) -> f64| (0..80).map(f).collect::<Vec<f64>>();
    let close = series(&|i| 100.0 + f64::from((i * 37) % 101) / 8.0);
    let high = series(&|i| close[i as usize] + f64::from((i * 11) % 7) / 4.0 + 0.25);
    let low = series(&|i| close[i as usize] - f64::from((i * 13) % 5) / 4.0 - 0.5);
    let volume = series(&|i| f64::from((i * 7) % 9) * 100.0);
    let input = Input { high: &high, low: &low, close: &close, volume: &volume, session_starts: &[0, 39] };
    for (spec, outputs) in REFERENCE {
        let columns = spec.parse::<Indicator>().unwrap().columns(&input);
        assert_eq!(columns.len(), outputs.len(), "{spec}");
        for (column, expected) in columns.iter().zip(outputs) {
            for (found, expected) in [column[40], column[79]].iter().zip(expected) {
                assert!((found - expected).abs() <= 1e-11 * expected.abs().max(1.0), "{spec}: {found} {expected}");
            }
        }
    }
}

/// Two days of three bars of two symbols; B has no bars on the first day.
fn market() -> Market {
    let (from, to) = (parse_date("2024-03-26").unwrap(), parse_date("2024-03-27").unwrap());
    let sessions = Calendar::nyse().sessions(from, to);
    let bars = |days: &[usize], close: &[f64]| {
        let start = days.iter().flat_map(|&d| (0..3).map(move |i| (d, i)));
        Bars {
            start: Arc::new(start.map(|(d, i)| sessions[d].open + i * MINUTE).collect()),
            open: close.to_vec(),
            high: close.iter().map(|c| c + 0.5).collect(),
            low: close.iter().map(|c| c - 0.5).collect(),
            close: close.to_vec(),
            volume: vec![100.0; close.len()],
            quotes: None,
        }
    };
    let series = vec![
        ("A".to_string(), bars(&[0, 1], &[10.0, 11.0, 12.0, 20.0, 22.0, 24.0])),
        ("B".to_string(), bars(&[1], &[1.0, 2.0, 4.0])),
    ];
    Market::new(MarketParts { bar_length: MINUTE, series, ..MarketParts::default() }, &sessions).unwrap()
}

#[test]
fn csv_has_a_row_a_bar_and_empty_cells_during_warm_up() {
    let specs: Vec<Indicator> = ["sma:2", "vwap", "opening_range:2"].iter().map(|s| s.parse().unwrap()).collect();
    let mut out = Vec::new();
    write_indicators(&market(), &specs, &mut out).unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "ts,symbol,sma_2,vwap,opening_range_2_high,opening_range_2_low\n\
         2024-03-26T13:30:00.000000000Z,A,,10.0,,\n\
         2024-03-26T13:31:00.000000000Z,A,10.5,10.5,11.5,9.5\n\
         2024-03-26T13:32:00.000000000Z,A,11.5,11.0,11.5,9.5\n\
         2024-03-27T13:30:00.000000000Z,A,16.0,20.0,,\n\
         2024-03-27T13:31:00.000000000Z,A,21.0,21.0,22.5,19.5\n\
         2024-03-27T13:32:00.000000000Z,A,23.0,22.0,22.5,19.5\n\
         2024-03-27T13:30:00.000000000Z,B,,1.0,,\n\
         2024-03-27T13:31:00.000000000Z,B,1.5,1.5,2.5,0.5\n\
         2024-03-27T13:32:00.000000000Z,B,3.0,2.3333333333333335,2.5,0.5\n"
    );
}
