//! Real vendor files: skipped where they are not at hand.

use super::data_formats::options;
use std::path::{Path, PathBuf};
use tradebot::data::{Adjust, LoadOptions, load};
use tradebot::market::{ActionKind, DAY, MINUTE, Market, format_date, parse_date};

/// A file of the vendor samples, which are not part of the project.
fn sample(path: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(path);
    if path.exists() {
        return path.canonicalize().ok();
    }
    println!("skipped: {} is not at hand", path.display());
    None
}

fn close_on(market: &Market, symbol: &str, date: &str) -> f64 {
    let id = market.symbol(symbol).expect("the symbol");
    let day = market.days.iter().position(|d| format_date(d.date) == date).expect("the day");
    market.series[id.index()].close[market.day_range(id, day).end - 1]
}

#[test]
fn a_lean_folder_gives_what_its_converted_form_gives() {
    let (Some(lean), Some(converted)) = (sample("lean_raw"), sample("lean_equity/minute_trade.parquet")) else {
        return;
    };
    let select = |path: &Path, symbol: &str, from: &str, to: &str| {
        let mut options = options(path);
        options.symbols = Some(vec![symbol.into()]);
        options.from = parse_date(from).ok();
        options.to = parse_date(to).ok();
        options.extended_hours = true;
        load(&options).expect("loads")
    };
    for (symbol, from, to) in [
        ("SPY", "2013-10-07", "2013-10-08"),
        ("AAPL", "2014-06-05", "2014-06-09"),
        ("SHY", "2008-03-07", "2008-03-10"),
        ("GOOG", "2015-12-24", "2015-12-24"),
    ] {
        let (a, b) = (select(&lean, symbol, from, to), select(&converted, symbol, from, to));
        assert_eq!(a.bar_length, MINUTE);
        let (mut a, mut b) = (a.series[0].clone(), b.series[0].clone());
        (a.quotes, b.quotes) = (None, None);
        assert_eq!(a, b, "{symbol}");
    }
    let (Some(quotes), mut with_quotes) = (sample("lean_equity/minute_quote.parquet"), options(&converted)) else {
        return;
    };
    with_quotes.symbols = Some(vec!["SPY".into()]);
    with_quotes.from = parse_date("2013-10-07").ok();
    with_quotes.to = parse_date("2013-10-08").ok();
    with_quotes.extended_hours = true;
    with_quotes.quotes = Some(quotes);
    let (a, b) = (select(&lean, "SPY", "2013-10-07", "2013-10-08"), load(&with_quotes).expect("loads"));
    // Compared as bits: an absent side is NaN.
    let bits = |m: &Market| {
        let q = m.series[0].quotes.clone().expect("quotes");
        let all = [q.bid_open, q.bid_high, q.bid_low, q.bid_close, q.ask_open, q.ask_high, q.ask_low, q.ask_close];
        all.concat().iter().map(|v| v.to_bits()).collect::<Vec<_>>()
    };
    assert!(bits(&a) == bits(&b), "quotes differ");
}

#[test]
fn lean_daily_and_hourly_bars_have_their_sessions() {
    let Some(lean) = sample("lean_raw") else { return };
    let at = |length: i64| {
        let mut options = options(&lean);
        options.bar = Some(length);
        options.symbols = Some(vec!["SPY".into()]);
        options.from = parse_date("2013-10-01").ok();
        options.to = parse_date("2013-12-31").ok();
        load(&options).expect("loads")
    };
    let (daily, hourly) = (at(DAY), at(60 * MINUTE));
    assert_eq!((daily.days.len(), hourly.days.len()), (64, 64));
    // Seven hourly bars a session, the first from 9:30 to 10:00; two half days have four.
    assert_eq!((daily.bar_count(), hourly.bar_count()), (64, 62 * 7 + 2 * 4));
    assert_eq!(close_on(&daily, "SPY", "2013-10-07"), 167.42);
}

#[test]
fn lean_factor_files_adjust_and_give_the_actions_behind_them() {
    let Some(lean) = sample("lean_raw") else { return };
    let on = |symbol: &str, from: &str, to: &str, adjust: Adjust| {
        let mut options = options(&lean);
        options.symbols = Some(vec![symbol.into()]);
        options.from = parse_date(from).ok();
        options.to = parse_date(to).ok();
        options.adjust = adjust;
        load(&options).expect("loads")
    };
    let spy = |adjust| on("SPY", "2013-10-07", "2013-10-07", adjust);
    let (raw, total) = (spy(Adjust::Raw), spy(Adjust::Total));
    for i in [0, 100, 389] {
        assert_eq!(total.series[0].close[i], raw.series[0].close[i] * 0.864_626_6);
        assert_eq!(total.series[0].volume[i], raw.series[0].volume[i]);
    }
    assert_eq!(spy(Adjust::Split).series, raw.series);
    // AAPL split 7 for 1 before the open of 2014-06-09.
    let aapl = |adjust| on("AAPL", "2014-06-05", "2014-06-09", adjust);
    let (raw, split, total) = (aapl(Adjust::Raw), aapl(Adjust::Split), aapl(Adjust::Total));
    let ratio = match raw.actions.as_slice() {
        [action] => match action.kind {
            ActionKind::Split { ratio } => ratio,
            kind => panic!("{kind:?}"),
        },
        other => panic!("{other:?}"),
    };
    assert!((ratio - 7.0).abs() < 1e-4, "{ratio}");
    assert!(
        (close_on(&raw, "AAPL", "2014-06-06") / close_on(&split, "AAPL", "2014-06-06") * 4.0 / ratio - 4.0).abs() > 0.0
    );
    assert!(split.actions.is_empty() && total.actions.is_empty());
    let jump = |m: &Market| close_on(m, "AAPL", "2014-06-09") / close_on(m, "AAPL", "2014-06-06");
    assert!(jump(&raw) < 0.2 && (0.9..1.1).contains(&jump(&split)) && (0.9..1.1).contains(&jump(&total)));
    // Its dividends: 2.65 dollars a share on 2012-08-09 and on 2012-11-07.
    let mut daily = options(&lean);
    daily.bar = Some(DAY);
    daily.symbols = Some(vec!["AAPL".into()]);
    daily.from = parse_date("2012-06-01").ok();
    daily.to = parse_date("2012-12-31").ok();
    let daily = load(&daily).expect("loads");
    let paid: Vec<(String, String)> = daily
        .actions
        .iter()
        .map(|a| match a.kind {
            ActionKind::Dividend { amount } => (format_date(a.date), format!("{amount:.2}")),
            kind => panic!("{kind:?}"),
        })
        .collect();
    assert_eq!(
        paid,
        [("2012-08-09".into(), "2.65".into()), ("2012-11-07".into(), "2.65".into())] as [(String, String); 2]
    );
}

#[test]
fn adjusted_columns_of_a_vendor_follow_from_raw_prices_and_actions() {
    use polars::prelude::*;
    let Some(path) = sample("daily_raw_adj_2024_2026/bars_1d.parquet") else { return };
    let frame = ParquetReader::new(std::fs::File::open(&path).expect("the file")).finish().expect("a frame");
    let numbers = |name: &str| -> Vec<f64> {
        let column = frame.column(name).expect(name).cast(&DataType::Float64).expect(name);
        column.f64().expect(name).iter().map(|v| v.expect(name)).collect()
    };
    let symbols: Vec<String> = {
        let column = frame.column("symbol").expect("symbol");
        column.str().expect("text").iter().map(|v| v.expect("text").to_string()).collect()
    };
    let (adjusted, adjusted_volume) = (numbers("adj_close"), numbers("adj_volume"));
    let (dividends, splits) = (numbers("div_cash"), numbers("split_factor"));
    let plain = load(&options(&path)).expect("loads");
    let mut actions = String::from("date,symbol,type,value\n");
    let mut row = 0;
    for (k, symbol) in plain.symbols.iter().enumerate() {
        for &start in plain.series[k].start.iter() {
            assert_eq!(&symbols[row], symbol);
            let date = format_date(tradebot::market::new_york_date(start));
            if splits[row] != 1.0 {
                actions.push_str(&format!("{date},{symbol},split,{}\n", splits[row]));
            }
            if dividends[row] > 0.0 {
                actions.push_str(&format!("{date},{symbol},dividend,{}\n", dividends[row]));
            }
            row += 1;
        }
    }
    let dir = tempfile::tempdir().expect("a folder");
    let file = super::data_formats::file(dir.path(), "actions.csv", &actions);
    let total = LoadOptions { adjust: Adjust::Total, corporate_actions: Some(file), ..options(&path) };
    let total = load(&total).expect("loads");
    let mut row = 0;
    let mut worst: f64 = 0.0;
    for series in &total.series {
        for i in 0..series.len() {
            worst = worst.max((series.close[i] / adjusted[row] - 1.0).abs());
            if adjusted_volume[row] > 1000.0 {
                assert!((series.volume[i] / adjusted_volume[row] - 1.0).abs() < 2e-3, "volume of row {row}");
            }
            row += 1;
        }
    }
    assert!(worst < 1e-6, "worst relative difference {worst}");
    assert!(total.actions.is_empty());
}

#[test]
fn faulty_vendor_files_are_refused() {
    let Some(path) = sample("dirty_samples/ACGL_nolabel.parquet") else { return };
    let error = load(&options(&path)).expect_err("refused").to_string();
    assert!(error.contains("ACGL_nolabel.parquet, row 1: volume is null"), "{error}");
    // With volumes in place its clock is refused: New York wall time that claims to be UTC.
    use polars::prelude::*;
    let mut frame = ParquetReader::new(std::fs::File::open(&path).expect("the file")).finish().expect("a frame");
    let volume = Column::new("volume".into(), vec![100i64; frame.height()]);
    frame.with_column(volume).expect("a column");
    let dir = tempfile::tempdir().expect("a folder");
    let repaired = dir.path().join("ACGL.parquet");
    ParquetWriter::new(std::fs::File::create(&repaired).expect("a file")).finish(&mut frame).expect("written");
    let error = load(&options(&repaired)).expect_err("refused").to_string();
    assert!(error.contains("--tz America/New_York"), "{error}");
    let mut zoned = options(&repaired);
    zoned.tz = Some(chrono_tz::America::New_York);
    let market = load(&zoned).expect("loads in its zone");
    // About 15 % of the minutes and the sessions of 2026-01-27 and 28 are missing.
    assert_eq!(market.quality.missing_sessions, 2);
    assert!(market.quality.missing_bars > 300, "{:?}", market.quality);
}

#[test]
fn complete_and_thin_files_are_counted_rightly() {
    for (path, bars, missing, outside) in [
        ("spy_1m_2024_2025/bars_1m.parquet", 75_120, 0, 587),
        ("spy_1m_ext_2024_06/bars_1m.parquet", 7_728, 72, 7_379),
        ("ibkr_1m_2025_11/bars_1m.parquet", 64_080, 0, 0),
        ("polygon_1m_thin_2023_2024/bars_1m.parquet", 61_662, 179_418, 2_426),
    ] {
        let Some(file) = sample(path) else { return };
        let market = load(&options(&file)).expect(path);
        let quality = &market.quality;
        assert_eq!(
            (market.bar_count(), quality.missing_bars, quality.outside_session),
            (bars, missing, outside),
            "{path}"
        );
    }
}
