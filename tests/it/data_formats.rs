//! The same bars in every form a file may have.

use polars::prelude::*;
use std::io::Write;
use std::path::{Path, PathBuf};
use tradebot::data::{DataError, Label, LoadOptions, Source, load};
use tradebot::market::{DAY, MINUTE, Market, format_time, parse_date};

/// Options for a file or folder.
pub fn options(path: &Path) -> LoadOptions {
    LoadOptions::new(Source::Path(path.to_path_buf()))
}

/// Writes a file into a folder.
pub fn file(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("a temporary file");
    path
}

/// A file of these texts, each packed with gzip.
fn packed(folder: &Path, name: &str, texts: &[&str]) -> PathBuf {
    let mut bytes = Vec::new();
    for text in texts {
        let mut packer = flate2::write::GzEncoder::new(&mut bytes, flate2::Compression::default());
        packer.write_all(text.as_bytes()).expect("packs");
        packer.finish().expect("packs");
    }
    let path = folder.join(name);
    std::fs::write(&path, bytes).expect("a file");
    path
}

/// Minute bars of symbol X from 9:30 New York on 2024-03-26, the times as `time` writes them.
fn minutes(header: &str, time: impl Fn(i64) -> String) -> String {
    let mut text = format!("{header}\n");
    for k in 0..5 {
        // 2024-03-26T13:30:00Z
        let t = 1_711_459_800 + 60 * k;
        let price = 100.0 + k as f64 / 4.0;
        text.push_str(&format!("{},X,{price},{},{},{price},{}\n", time(t), price + 0.5, price - 0.5, 1000 + k));
    }
    text
}

const HEADER: &str = "ts,symbol,open,high,low,close,volume";

fn wall(t: i64) -> chrono::DateTime<chrono::Utc> {
    chrono::DateTime::from_timestamp(t, 0).expect("a time")
}

fn parquet(path: &Path, columns: Vec<Column>, rows_per_group: usize) {
    let height = columns[0].len();
    let mut frame = DataFrame::new(height, columns).expect("a frame");
    let file = std::fs::File::create(path).expect("a temporary file");
    ParquetWriter::new(file).with_row_group_size(Some(rows_per_group)).finish(&mut frame).expect("written");
}

/// The bars of `minutes` as Parquet with these times.
fn minutes_parquet(path: &Path, time: Column) {
    let n = time.len();
    let price: Vec<f64> = (0..n).map(|k| 100.0 + k as f64 / 4.0).collect();
    let plus = |d: f64| price.iter().map(|p| p + d).collect::<Vec<f64>>();
    let columns = vec![
        time,
        Column::new("symbol".into(), vec!["X"; n]),
        Column::new("open".into(), price.clone()),
        Column::new("high".into(), plus(0.5)),
        Column::new("low".into(), plus(-0.5)),
        Column::new("close".into(), price.clone()),
        Column::new("volume".into(), (0..n as i64).map(|k| 1000 + k).collect::<Vec<i64>>()),
    ];
    parquet(path, columns, 2);
}

#[test]
fn every_form_of_the_same_bars_has_the_same_hash() {
    let dir = tempfile::tempdir().expect("a folder");
    let iso = |t: i64| wall(t).format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let reference = load(&options(&file(dir.path(), "a.csv", &minutes(HEADER, iso)))).expect("loads");
    assert_eq!(reference.bar_count(), 5);
    assert_eq!(reference.bar_length, MINUTE);
    assert_eq!(format_time(reference.series[0].start[0]), "2024-03-26T13:30:00.000000000Z");
    let same = |name: &str, market: Result<Market, DataError>| {
        let market = market.unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(market.data_hash, reference.data_hash, "{name}");
        assert_eq!(market.series, reference.series, "{name}");
    };
    for (name, text) in [
        ("offset", minutes(HEADER, |t| wall(t - 4 * 3600).format("%Y-%m-%d %H:%M:%S-04:00").to_string())),
        ("seconds", minutes(HEADER, |t| t.to_string())),
        ("milliseconds", minutes(HEADER, |t| (t * 1000).to_string())),
        ("microseconds", minutes(HEADER, |t| (t * 1_000_000).to_string())),
        ("nanoseconds", minutes(HEADER, |t| (t * 1_000_000_000).to_string())),
        ("aliases", minutes("Timestamp,Ticker,Open,High,Low,Close,Volume", iso)),
    ] {
        same(name, load(&options(&file(dir.path(), "b.csv", &text))));
    }
    // Packed, also in two pieces as `cat a.gz b.gz` makes them; the symbol of a file without one is its name.
    let text = minutes(HEADER, iso);
    let (head, tail) = text.split_at(text.len() / 2);
    same("gzip", load(&options(&packed(dir.path(), "b.csv.gz", &[head, tail]))));
    let short = packed(dir.path(), "short.csv.gz", &[&text]);
    let bytes = std::fs::read(&short).expect("a file");
    std::fs::write(&short, &bytes[..bytes.len() - 12]).expect("a file");
    let error = load(&options(&short)).expect_err("cut off").to_string();
    assert!(error.contains("short.csv.gz: cannot be read"), "{error}");
    let nameless = packed(dir.path(), "XYZ.csv.gz", &["ts,open,high,low,close,volume\n2024-03-26,10,11,9,10,5\n"]);
    assert_eq!(load(&options(&nameless)).expect("loads").symbols, ["XYZ"]);
    // A naive clock needs a zone.
    let naive = minutes(HEADER, |t| wall(t - 4 * 3600).format("%Y-%m-%d %H:%M:%S").to_string());
    let naive = file(dir.path(), "naive.csv", &naive);
    let error = load(&options(&naive)).expect_err("no zone").to_string();
    assert!(error.contains("--tz America/New_York"), "{error}");
    let mut zoned = options(&naive);
    zoned.tz = Some(chrono_tz::America::New_York);
    same("naive", load(&zoned));
    // Labels at the end of the bar.
    let mut ends = options(&file(dir.path(), "ends.csv", &minutes(HEADER, |t| iso(t + 60))));
    ends.label = Label::End;
    same("end labels", load(&ends));
    // Parquet in every unit, and two rows a group.
    let path = dir.path().join("a.parquet");
    let seconds: Vec<i64> = (0..5).map(|k| 1_711_459_800 + 60 * k).collect();
    for (unit, scale) in
        [(TimeUnit::Milliseconds, 1_000), (TimeUnit::Microseconds, 1_000_000), (TimeUnit::Nanoseconds, 1_000_000_000)]
    {
        let values: Vec<i64> = seconds.iter().map(|t| t * scale).collect();
        let time =
            Column::new("ts".into(), values).cast(&DataType::Datetime(unit, Some(TimeZone::UTC))).expect("times");
        minutes_parquet(&path, time);
        same("parquet", load(&options(&path)));
        let values: Vec<i64> = seconds.iter().map(|t| (t - 4 * 3600) * scale).collect();
        let time = Column::new("ts".into(), values).cast(&DataType::Datetime(unit, None)).expect("times");
        minutes_parquet(&path, time);
        let mut zoned = options(&path);
        zoned.tz = Some(chrono_tz::America::New_York);
        same("naive parquet", load(&zoned));
    }
    minutes_parquet(&path, Column::new("ts".into(), seconds.clone()));
    same("epoch parquet", load(&options(&path)));
    let text: Vec<String> = seconds.iter().map(|&t| iso(t)).collect();
    minutes_parquet(&path, Column::new("time".into(), text));
    same("text parquet", load(&options(&path)));
}

#[test]
fn the_order_of_symbols_rows_and_files_does_not_matter() {
    let dir = tempfile::tempdir().expect("a folder");
    let row = |symbol: &str, minute: i64, price: f64| {
        format!("2024-03-26T13:{:02}:00Z,{symbol},{price},{price},{price},{price},100\n", 30 + minute)
    };
    let mut by_symbol = format!("{HEADER}\n");
    let mut by_time = format!("{HEADER}\n");
    for symbol in ["B", "A"] {
        (0..6).for_each(|m| by_symbol.push_str(&row(symbol, m, 10.0 + m as f64)));
    }
    for m in 0..6 {
        ["A", "B"].iter().for_each(|s| by_time.push_str(&row(s, m, 10.0 + m as f64)));
    }
    let a = load(&options(&file(dir.path(), "by_symbol.csv", &by_symbol))).expect("loads");
    let b = load(&options(&file(dir.path(), "by_time.csv", &by_time))).expect("loads");
    assert_eq!(a.symbols, ["A", "B"]);
    assert_eq!((&a.data_hash, &a.series), (&b.data_hash, &b.series));
    assert!(std::sync::Arc::ptr_eq(&a.series[0].start, &a.series[1].start), "equal times are held once");
    // One file a symbol, one of them in two parts named against their order, one as Parquet without symbols.
    let folder = dir.path().join("mixed");
    std::fs::create_dir(&folder).expect("a folder");
    let part = |from: i64, to: i64| {
        let rows: String = (from..to).map(|m| row("A", m, 10.0 + m as f64)).collect();
        format!("{HEADER}\n{rows}")
    };
    file(&folder, "z_first.csv", &part(0, 3));
    file(&folder, "a_second.csv", &part(3, 6));
    let price: Vec<f64> = (0..6).map(|m| 10.0 + f64::from(m)).collect();
    let time: Vec<i64> = (0..6).map(|m| 1_711_459_800 + 60 * m).collect();
    let columns = vec![
        Column::new("ts".into(), time),
        Column::new("open".into(), price.clone()),
        Column::new("high".into(), price.clone()),
        Column::new("low".into(), price.clone()),
        Column::new("close".into(), price),
        Column::new("volume".into(), vec![100.0; 6]),
    ];
    parquet(&folder.join("B.parquet"), columns, 100);
    let c = load(&options(&folder)).expect("loads");
    assert_eq!((&a.data_hash, &a.series), (&c.data_hash, &c.series));
    // A value that differs in the last bit is another data set.
    let changed = by_symbol.replace(",15,100", ",15,100.00000000000001");
    let d = load(&options(&file(dir.path(), "changed.csv", &changed))).expect("loads");
    assert_ne!(a.data_hash, d.data_hash);
}

#[test]
fn a_selection_reads_what_is_asked_for_and_counts_the_rest() {
    let dir = tempfile::tempdir().expect("a folder");
    let n = 40;
    // From Monday, 2024-03-18T13:30:00Z.
    let day = |k: i64| (1_710_768_600 + 86_400 * k) * 1_000;
    let mut time = Vec::new();
    let mut symbol = Vec::new();
    for name in ["AAA", "BBB", "CCC"] {
        for k in 0..n {
            time.push(day(k / 10) + 60_000 * (k % 10));
            symbol.push(name);
        }
    }
    let price = vec![5.0; time.len()];
    let columns = |symbol: Vec<&str>, time: Vec<i64>| {
        vec![
            Column::new("ts".into(), time)
                .cast(&DataType::Datetime(TimeUnit::Milliseconds, Some(TimeZone::UTC)))
                .expect("times"),
            Column::new("symbol".into(), symbol),
            Column::new("open".into(), price.clone()),
            Column::new("high".into(), price.clone()),
            Column::new("low".into(), price.clone()),
            Column::new("close".into(), price.clone()),
            Column::new("volume".into(), vec![7i64; price.len()]),
        ]
    };
    // Row groups of one symbol, and row groups that hold several.
    for rows in [10, 25, 1000] {
        let path = dir.path().join(format!("{rows}.parquet"));
        parquet(&path, columns(symbol.clone(), time.clone()), rows);
        let all = load(&options(&path)).expect("loads");
        assert_eq!((all.bar_count(), all.quality.not_selected), (120, 0));
        let mut some = options(&path);
        some.symbols = Some(vec!["CCC".into(), "AAA".into()]);
        some.from = parse_date("2024-03-19").ok();
        some.to = parse_date("2024-03-20").ok();
        let some = load(&some).expect("loads");
        assert_eq!(some.symbols, ["AAA", "CCC"]);
        assert_eq!((some.bar_count(), some.quality.not_selected), (40, 80), "{rows} rows a group");
        assert_eq!(some.days.iter().map(|d| d.date.to_string()).collect::<Vec<_>>(), ["2024-03-19", "2024-03-20"]);
        let mut first = options(&path);
        first.bars = Some(15);
        let first = load(&first).expect("loads");
        assert!(first.series.iter().all(|s| s.len() == 15));
        assert_eq!(first.quality.not_selected, 75);
    }
}

#[test]
fn daily_bars_are_dates_however_they_are_written() {
    let dir = tempfile::tempdir().expect("a folder");
    let text = |time: &dyn Fn(&str) -> String| {
        let mut text = String::from("date,open,high,low,close,volume\n");
        for day in ["2024-07-02", "2024-07-03", "2024-07-05", "2024-07-08"] {
            text.push_str(&format!("{},10,11,9,10.5,1000\n", time(day)));
        }
        text
    };
    let dates = load(&options(&file(dir.path(), "X.csv", &text(&|d| d.to_string())))).expect("loads");
    assert_eq!((dates.symbols.as_slice(), dates.bar_length), (&["X".to_string()][..], DAY));
    // 2024-07-03 closes at 13:00.
    assert_eq!(dates.days[1].close - dates.days[1].open, 210 * MINUTE);
    assert_eq!(dates.end_of(dates.symbol("X").expect("X"), 1, 1), dates.days[1].close);
    for time in [
        &(|d: &str| format!("{d}T00:00:00Z")) as &dyn Fn(&str) -> String,
        &|d| format!("{d} 00:00:00"),
        &|d| format!("{d} 00:00:00-04:00"),
        &|d| format!("{d}T13:30:00Z"),
    ] {
        let other = load(&options(&file(dir.path(), "X.csv", &text(time)))).expect("loads");
        assert_eq!(other.data_hash, dates.data_hash, "{}", time("2024-07-02"));
    }
    let mut named = options(&file(dir.path(), "X.csv", &text(&|d| d.to_string())));
    named.symbols = Some(vec!["SPY".into()]);
    assert_eq!(load(&named).expect("a file without symbols takes the one asked for").symbols, ["SPY"]);
}

#[test]
fn end_labels_clip_the_last_bar_of_a_session() {
    let dir = tempfile::tempdir().expect("a folder");
    // Hours from the open: 10:30, 11:30 .. 15:30, 16:00 New York on 2024-03-26 (UTC - 4 h).
    let mut text = format!("{HEADER}\n");
    for end in ["14:30", "15:30", "16:30", "17:30", "18:30", "19:30", "20:00"] {
        text.push_str(&format!("2024-03-26T{end}:00Z,X,10,11,9,10,5\n"));
    }
    let mut hours = options(&file(dir.path(), "hours.csv", &text));
    hours.label = Label::End;
    let market = load(&hours).expect("loads");
    let starts: Vec<String> = market.series[0].start.iter().map(|t| format_time(*t)[11..16].to_string()).collect();
    assert_eq!(starts, ["13:30", "14:30", "15:30", "16:30", "17:30", "18:30", "19:30"]);
    assert_eq!(market.quality.missing_bars, 0);
    let ends: Vec<String> = market.steps.iter().map(|t| format_time(*t)[11..16].to_string()).collect();
    assert_eq!(ends.last().map(String::as_str), Some("20:00"));
}

#[test]
fn bars_outside_the_session_are_counted_and_kept_only_on_request() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut text = format!("{HEADER}\n");
    // 9:28 to 9:31 New York on a session, and the same on Good Friday.
    for day in ["2024-03-28", "2024-03-29", "2024-04-01"] {
        for minute in 28..32 {
            text.push_str(&format!("{day}T13:{minute}:00Z,X,10,11,9,10,5\n"));
        }
    }
    let path = file(dir.path(), "extended.csv", &text);
    let regular = load(&options(&path)).expect("loads");
    assert_eq!((regular.bar_count(), regular.quality.outside_session, regular.days.len()), (4, 8, 2));
    // 388 minutes are missing after the two bars of each session.
    assert_eq!((regular.quality.missing_bars, regular.quality.gaps), (776, 2));
    let mut extended = options(&path);
    extended.extended_hours = true;
    let extended = load(&extended).expect("loads");
    assert_eq!((extended.bar_count(), extended.quality.outside_session, extended.days.len()), (12, 8, 3));
    assert_ne!(regular.data_hash, extended.data_hash);
}

#[test]
fn quotes_come_from_columns_or_from_files_of_their_own() {
    let dir = tempfile::tempdir().expect("a folder");
    let together = "ts,symbol,open,high,low,close,volume,bid,ask\n\
                    2024-03-26T13:30:00Z,X,10,10,10,10,5,9.9,10.1\n\
                    2024-03-26T13:31:00Z,X,10,10,10,10,5,,10.2\n\
                    2024-03-26T13:32:00Z,X,10,10,10,10,5,9.8,10.3\n";
    let a = load(&options(&file(dir.path(), "together.csv", together))).expect("loads");
    let quotes = a.series[0].quotes.clone().expect("quotes");
    assert_eq!(quotes.ask_close, [10.1, 10.2, 10.3]);
    assert!(quotes.bid_close[1].is_nan() && quotes.bid_open.iter().all(|v| v.is_nan()));
    let bars = "ts,symbol,open,high,low,close,volume\n\
                2024-03-26T13:30:00Z,X,10,10,10,10,5\n\
                2024-03-26T13:31:00Z,X,10,10,10,10,5\n\
                2024-03-26T13:32:00Z,X,10,10,10,10,5\n";
    let alone = "ts,symbol,bid_close,ask_close\n\
                 2024-03-26T13:29:00Z,X,9,11\n\
                 2024-03-26T13:30:00Z,X,9.9,10.1\n\
                 2024-03-26T13:31:00Z,X,,10.2\n\
                 2024-03-26T13:32:00Z,X,9.8,10.3\n";
    let folder = dir.path().join("two");
    std::fs::create_dir(&folder).expect("a folder");
    let bars_file = file(&folder, "bars.csv", bars);
    let quotes_file = file(&folder, "quotes.csv", alone);
    let b = load(&options(&folder)).expect("loads");
    assert_eq!(a.data_hash, b.data_hash);
    assert!(b.notes.iter().any(|n| n.contains("1 quote bars have no trade bar")), "{:?}", b.notes);
    let mut with_option = options(&bars_file);
    with_option.quotes = Some(quotes_file);
    assert_eq!(load(&with_option).expect("loads").data_hash, a.data_hash);
    assert_ne!(load(&options(&bars_file)).expect("loads").data_hash, a.data_hash);
}

#[test]
fn context_files_are_read_and_enter_the_hash() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut text = format!("{HEADER}\n");
    for symbol in ["INV", "X"] {
        for minute in 30..33 {
            text.push_str(&format!("2024-03-26T13:{minute}:00Z,{symbol},10,11,9,10,5\n"));
        }
    }
    let bars = file(dir.path(), "bars.csv", &text);
    let plain = load(&options(&bars)).expect("loads");
    let mut all = options(&bars);
    all.vix = Some(file(dir.path(), "v.csv", "date,close\n2024-03-25,13.5\n2024-03-26,14\n"));
    all.fundamentals = Some(file(
        dir.path(),
        "f.csv",
        "symbol,market_cap,pe_ratio,debt_equity,exchange\nX,3e9,,1.5,NYSE\nOTHER,1,1,1,NYSE\n",
    ));
    all.inverse = Some(file(dir.path(), "i.csv", "symbol,etf,leverage\n*,INV,-1\nX,GONE,2\n"));
    all.options = Some(file(
        dir.path(),
        "o.csv",
        "ts,symbol,expiry,strike,type,bid,ask\n2024-03-26T13:31:00Z,X,2024-04-19,10,put,0.4,0.5\n",
    ));
    let market = load(&all).expect("loads");
    assert_eq!(market.vix.as_ref().expect("vix").daily.len(), 2);
    let x = market.symbol("X").expect("X");
    let fundamental = &market.fundamentals.as_ref().expect("fundamentals")[&x][0];
    assert_eq!((fundamental.market_cap, fundamental.pe_ratio), (Some(3e9), None));
    let inverse = market.inverse.as_ref().expect("inverse");
    assert_eq!(inverse.default, Some((market.symbol("INV").expect("INV"), 1.0)));
    assert!(market.notes.iter().any(|n| n.contains("GONE")));
    assert_eq!(market.options.len(), 1);
    let mut hashes = vec![plain.data_hash.clone(), market.data_hash.clone()];
    for drop in 0..4 {
        let mut fewer = all.clone();
        match drop {
            0 => fewer.vix = None,
            1 => fewer.fundamentals = None,
            2 => fewer.inverse = None,
            _ => fewer.options = None,
        }
        hashes.push(load(&fewer).expect("loads").data_hash);
    }
    hashes.sort();
    hashes.dedup();
    assert_eq!(hashes.len(), 6);
}
