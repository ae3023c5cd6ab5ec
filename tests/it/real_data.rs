//! Runs on real prices against figures that were found without this program: published results of another
//! engine, and plain loops written here. Skipped where the vendor samples are not at hand.

use super::program::{RunFolder, backtest_in, number, sample};
use chrono::{DateTime, NaiveDate, Utc};
use std::collections::BTreeMap;

/// SPY minutes and quotes of October 2013, prices with dividends reinvested by the published factor file
/// (0.8646266 in these days), the fee of Interactive Brokers as it was then; orders from `lines`.
fn quoted_spy(lines: &str) -> Option<RunFolder> {
    let trades = sample("lean_equity/minute_trade.parquet")?;
    let quotes = sample("lean_equity/minute_quote.parquet")?;
    let factors = sample("lean_raw/Data/equity/usa/factor_files/spy.csv")?;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let header = "ts,id,symbol,side,type,qty,limit,stop,trail,tif,oco,parent,cancel";
    std::fs::write(folder.path().join("orders.csv"), format!("{header}\n{lines}")).expect("written");
    Some(backtest_in(
        folder,
        &[
            "--data",
            &trades.to_string_lossy(),
            "--quotes",
            &quotes.to_string_lossy(),
            "--corporate-actions",
            &factors.to_string_lossy(),
            "--adjust=total",
            "--symbols=SPY",
            "--from=2013-10-07",
            "--to=2013-10-11",
            "--cash=100000",
            "--commission=per_share:0.005:min=1:max_pct=0.5",
            "--fill=quote",
            "--slippage=none",
            "--latency-ms=0",
            "--account=margin",
            "--strategy=orders",
            "--orders=orders.csv",
        ],
    ))
}

/// Last trade of SPY's first regular minute of 2013-10-07, which is also the bid then, and the factor.
const FIRST_CLOSE: f64 = 167.44;
const FACTOR: f64 = 0.8646266;

#[test]
fn a_stop_placed_on_the_wrong_side_fills_at_the_next_open_and_ends_at_the_published_equity() {
    // Sold at the bid's close of the first minute; the buy stop two dollars below is met at once.
    let bid_close = FIRST_CLOSE;
    let stop = bid_close * FACTOR - 2.0;
    let Some(run) = quoted_spy(&format!(
        "2013-10-07T13:31:00Z,entry,SPY,sell,market,100,,,,day,,,\n\
         2013-10-07T13:31:00Z,cover,SPY,buy,stop,100,,{stop},,gtc,,entry,\n"
    )) else {
        return;
    };
    let fills = run.rows("fills.csv");
    let seen: Vec<(&str, &str, f64)> =
        fills.iter().map(|f| (f["order_id"].as_str(), f["ts"].as_str(), number(f, "price"))).collect();
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert_eq!((seen[0].0, seen[0].1), ("entry", "2013-10-07T13:31:00.000000000Z"));
    assert_eq!((seen[1].0, seen[1].1), ("cover", "2013-10-07T13:31:00.000000000Z"));
    assert!((seen[0].2 - bid_close * FACTOR).abs() < 1e-9, "{}", seen[0].2);
    assert_eq!(run.final_equity(), "99995.41");
    assert_eq!(run.summary()["costs"]["commission"], 2.0);
}

#[test]
fn trailing_stops_against_quotes_end_at_the_published_equity() {
    let stop = FIRST_CLOSE * FACTOR + 2.0;
    let Some(run) = quoted_spy(&format!(
        "2013-10-07T13:31:00Z,entry,SPY,buy,trailing_stop,100,,{stop},2,gtc,,,\n\
         2013-10-07T13:31:00Z,exit,SPY,sell,trailing_stop,100,,,0.5,gtc,,entry,\n"
    )) else {
        return;
    };
    let fills = run.rows("fills.csv");
    let seen: Vec<(&str, &str, &str)> =
        fills.iter().map(|f| (f["order_id"].as_str(), f["side"].as_str(), f["ts"].as_str())).collect();
    // Bought in the first bar of the fourth session, sold in the bar of 11:08 New York time: stamped with their ends.
    assert_eq!(
        seen,
        [("entry", "buy", "2013-10-10T13:31:00.000000000Z"), ("exit", "sell", "2013-10-10T15:09:00.000000000Z")]
    );
    assert_eq!(run.final_equity(), "100023.22");
}

/// One minute bar of the regular session, prices in hundredths of a cent.
struct Minute {
    time: DateTime<Utc>,
    open: i64,
    close: i64,
}

const UNIT: f64 = 10_000.0;

/// The regular sessions of SPY, from the file as the program itself writes it to CSV, cut by the hours of the
/// exchange known to anyone: 9:30 to 16:00 in New York, 13:00 on the three early closes of these months.
fn regular_minutes(path: &str) -> Vec<Minute> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out =
        super::program::tbot_in(folder.path(), &["data", "convert", path, "--out", "spy.csv", "--extended-hours"]);
    assert!(out.status.success(), "{}", super::program::text(&out.stderr));
    let mut reader = csv::Reader::from_path(folder.path().join("spy.csv")).expect("CSV");
    let mut minutes = Vec::new();
    for row in reader.deserialize() {
        let row: BTreeMap<String, String> = row.expect("a row");
        let time: DateTime<Utc> = row["ts"].parse().expect("a time");
        let local = time.with_timezone(&chrono_tz::America::New_York);
        let minute = chrono::Timelike::num_seconds_from_midnight(&local) / 60;
        let early = ["2024-07-03", "2024-11-29", "2024-12-24"].contains(&local.date_naive().to_string().as_str());
        let end = if early { 13 * 60 } else { 16 * 60 };
        if (9 * 60 + 30..end).contains(&minute) {
            let units = |name: &str| (number(&row, name) * UNIT).round() as i64;
            minutes.push(Minute { time, open: units("open"), close: units("close") });
        }
    }
    minutes
}

/// A fill that the rule asks for.
#[derive(Debug, PartialEq)]
struct Expected {
    time: String,
    buy: bool,
    qty: i64,
    /// Hundredths of a cent.
    price: i64,
}

/// The rule of the crossover in plain loops: sums over whole windows in integers, so that no rounding can make
/// a tie. `size` says how many shares at a decision with so much equity (dollars) and this close (units).
fn crossover(bars: &[Minute], fast: usize, slow: usize, short: bool, size: impl Fn(f64, i64) -> i64) -> Vec<Expected> {
    let mut fills = Vec::new();
    let (mut position, mut cash, mut side) = (0_i64, 1_000_000_000_i64, 0_i64);
    for t in slow - 1..bars.len() {
        let sum = |n: usize| bars[t + 1 - n..=t].iter().map(|b| i128::from(b.close)).sum::<i128>();
        // fast / slow means over a common denominator: above only if by more than 1e-9 of the slow one.
        let gap = sum(fast) * slow as i128 - sum(slow) * fast as i128;
        let margin = sum(slow) * fast as i128;
        let wanted = if gap * 1_000_000_000 > margin {
            1
        } else if short {
            -1
        } else {
            0
        };
        if wanted == side {
            continue;
        }
        side = wanted;
        let equity = (cash + position * bars[t].close) as f64 / UNIT;
        let target = wanted * if wanted == 0 { 0 } else { size(equity, bars[t].close) };
        let Some(next) = bars.get(t + 1) else { break };
        let qty = target - position;
        if qty != 0 {
            let time = next.time.format("%Y-%m-%dT%H:%M:%S.000000000Z").to_string();
            fills.push(Expected { time, buy: qty > 0, qty: qty.abs(), price: next.open });
            cash -= qty * next.open;
            position = target;
        }
    }
    fills
}

fn spy_crossover(path: &str, extra: &[&str]) -> RunFolder {
    let mut args = vec![
        "--data",
        path,
        "--from=2024-03-26",
        "--to=2024-12-31",
        "--strategy=sma_cross",
        "--param=fast=20",
        "--param=slow=50",
        "--fill=next_open",
        "--slippage=none",
        "--commission=none",
        "--latency-ms=0",
        "--borrow-rate=0",
        "--margin-rate=0",
        "--set=DAILY_LOSS_LIMIT=1",
    ];
    args.extend(extra);
    backtest_in(tempfile::tempdir().expect("a temporary folder"), &args)
}

fn fills_of(run: &RunFolder) -> Vec<Expected> {
    run.rows("fills.csv")
        .iter()
        .map(|f| Expected {
            time: f["ts"].clone(),
            buy: f["side"] == "buy",
            qty: number(f, "qty").round() as i64,
            price: (number(f, "price") * UNIT).round() as i64,
        })
        .collect()
}

fn assert_same(found: &[Expected], expected: &[Expected]) {
    for (k, (a, b)) in found.iter().zip(expected).enumerate() {
        assert_eq!(a, b, "fill {k}");
    }
    assert_eq!(found.len(), expected.len());
}

#[test]
fn the_crossover_makes_trade_for_trade_what_plain_loops_make() {
    let Some(path) = sample("spy_1m_2024_2025/bars_1m.parquet") else { return };
    let path = path.to_string_lossy().into_owned();
    let bars = regular_minutes(&path);
    let date = |text: &str| text.parse::<NaiveDate>().expect("a date");
    assert_eq!(bars.len(), 194 * 390 - 3 * 180);
    assert_eq!(bars[0].time.date_naive(), date("2024-03-26"));

    let long = spy_crossover(&path, &["--param=qty=100"]);
    let expected = crossover(&bars, 20, 50, false, |_, _| 100);
    assert_same(&fills_of(&long), &expected);
    assert!(expected.len() > 1_000, "{}", expected.len());
    // Round trips: each pair of fills is a row of trades.csv with its profit.
    let trades = long.rows("trades.csv");
    assert_eq!(trades.len(), expected.len() / 2);
    for (trade, pair) in trades.iter().zip(expected.chunks_exact(2)) {
        assert_eq!((&trade["entry_ts"], &trade["exit_ts"]), (&pair[0].time, &pair[1].time));
        let profit = (pair[1].price - pair[0].price) * 100;
        assert_eq!((number(trade, "pnl") * UNIT).round() as i64, profit, "{}", trade["entry_ts"]);
    }

    let both = spy_crossover(&path, &["--param=qty=100", "--param=direction=long_short"]);
    assert_same(&fills_of(&both), &crossover(&bars, 20, 50, true, |_, _| 100));
}

#[test]
fn a_weight_is_floored_to_whole_shares_of_the_equity_at_the_decision() {
    let Some(path) = sample("spy_1m_2024_2025/bars_1m.parquet") else { return };
    let path = path.to_string_lossy().into_owned();
    let bars = regular_minutes(&path);
    let run = spy_crossover(&path, &["--param=weight=1.0", "--set=FRACTIONAL=false"]);
    let whole = |equity: f64, close: i64| (equity * UNIT / close as f64).floor() as i64;
    assert_same(&fills_of(&run), &crossover(&bars, 20, 50, false, whole));
}

fn equity_rows(run: &RunFolder) -> Vec<(String, f64, f64)> {
    let rows = run.rows("equity.csv");
    rows.iter().map(|r| (r["ts"][..10].to_string(), number(r, "equity"), number(r, "cash"))).collect()
}

/// Shares of AAPL held over 2005-02-28, when two became of one.
#[test]
fn equity_is_continuous_over_a_split() {
    let run = backtest_in(
        tempfile::tempdir().expect("a temporary folder"),
        &[
            "--data=wiki_daily",
            "--symbols=AAPL",
            "--from=2005-02-01",
            "--to=2005-03-31",
            "--strategy=buy_and_hold",
            "--param=qty=100",
            "--commission=none",
            "--slippage=none",
            "--set=DAILY_LOSS_LIMIT=1",
            "--csv",
        ],
    );
    let fills = run.rows("fills.csv");
    assert_eq!(fills.len(), 1);
    assert_eq!(number(&fills[0], "price"), 77.9, "bought at the open of the second session");
    let equity = equity_rows(&run);
    let on = |date: &str| equity.iter().find(|r| r.0 == date).unwrap_or_else(|| panic!("{date}")).1;
    // 88.99 before and 44.86 after, times 100 and 200 shares.
    assert_eq!((on("2005-02-25") * 100.0).round(), 10_110_900.0);
    assert_eq!((on("2005-02-28") * 100.0).round(), 10_118_200.0);
}

/// MSFT, ex dividend on 2003-02-19 with 0.08 a share, two for one the day before.
#[test]
fn dividends_are_paid_on_the_shares_after_the_split_of_the_day_before() {
    let run = |adjust: &str| {
        backtest_in(
            tempfile::tempdir().expect("a temporary folder"),
            &[
                "--data=wiki_daily",
                "--symbols=MSFT",
                "--from=2003-02-10",
                "--to=2003-02-28",
                "--strategy=buy_and_hold",
                "--param=qty=100",
                "--commission=none",
                "--slippage=none",
                "--set=DAILY_LOSS_LIMIT=1",
                "--csv",
                adjust,
            ],
        )
    };
    let cash_on = |run: &RunFolder, date: &str| {
        let rows = equity_rows(run);
        rows.iter().find(|r| r.0 == date).unwrap_or_else(|| panic!("{date}")).2
    };
    let raw = run("--adjust=raw");
    let paid = cash_on(&raw, "2003-02-19") - cash_on(&raw, "2003-02-18");
    assert!((paid - 200.0 * 0.08).abs() < 1e-9, "{paid}");
    let total = run("--adjust=total");
    assert_eq!(cash_on(&total, "2003-02-19"), cash_on(&total, "2003-02-14"), "paid by the price, not in cash");
}
