//! The embedded sets and the commands on data.

use super::data_formats::{file, options};
use std::path::Path;
use std::process::{Command, Output};
use tradebot::data::generate::{GenerateOptions, generate};
use tradebot::data::{Adjust, LoadOptions, NAMED_SETS, Source, load};
use tradebot::market::{Market, SymbolId, format_date, parse_date};

fn named(name: &str) -> LoadOptions {
    LoadOptions::new(Source::Named(name.into()))
}

fn tbot(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tbot")).args(args).current_dir(folder).output().expect("tbot starts")
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_default_set_is_what_its_command_generates() {
    assert_eq!(NAMED_SETS[0].name, "generated_minutes");
    let market = load(&named("generated_minutes")).expect("loads");
    assert!(market.notes.iter().any(|n| n.contains("generated, not real prices")));
    // The command of its README.
    let from = parse_date("2024-11-01").expect("a date");
    let generated = generate(GenerateOptions { symbols: 24, sessions: 40, from, seed: 1 }).expect("generates");
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/generated_minutes/README.md");
    assert!(std::fs::read_to_string(readme).expect("the README").contains(&generated.command("DIR")));
    let series: Vec<_> = market.symbols.iter().cloned().zip(market.series.iter().cloned()).collect();
    assert!(series == generated.series, "bars differ from what the command gives");
    let dir = tempfile::tempdir().expect("a folder");
    generated.write(dir.path()).expect("writes");
    assert_eq!(load(&options(dir.path())).expect("loads").data_hash, market.data_hash);
}

#[test]
fn the_default_set_spans_a_half_day_a_split_and_dividends() {
    let market = load(&named("generated_minutes")).expect("loads");
    assert_eq!((market.symbols.len(), market.days.len()), (27, 40));
    let early: Vec<String> = market.days.iter().filter(|d| d.early_close).map(|d| format_date(d.date)).collect();
    assert_eq!(early, ["2024-11-29", "2024-12-24"]);
    let split = |a: &&tradebot::market::CorporateAction| matches!(a.kind, tradebot::market::ActionKind::Split { .. });
    assert_eq!(market.actions.iter().filter(split).count(), 1);
    assert!(market.actions.len() > 4);
    let above = market.vix.as_ref().expect("vix").daily.iter().filter(|v| v.1 >= 15.0).count();
    assert!(above >= 35, "{above} sessions with a volatility index of 15 or more");
}

/// How often the rules of the window strategies meet, under the default filters, on the default set.
#[test]
fn the_default_set_moves_enough_for_every_window() {
    let market = load(&named("generated_minutes")).expect("loads");
    let (mut open, mut mid, mut close) = (0, 0, 0);
    for id in market.symbol_ids().filter(|&id| passes(&market, id)) {
        let bars = &market.series[id.index()];
        for day in 1..market.days.len() {
            let yesterday: f64 = bars.volume[market.day_range(id, day - 1)].iter().sum();
            let range = market.day_range(id, day);
            let s = range.start;
            if yesterday < 1e6 {
                continue;
            }
            let admitted = |price: f64| (price / bars.open[s] - 1.0).abs() <= 0.1 && (5.0..=100.0).contains(&price);
            let high = bars.high[s..s + 20].iter().copied().fold(0.0, f64::max);
            let low = bars.low[s..s + 20].iter().copied().fold(f64::INFINITY, f64::min);
            let broken = |i: &usize| bars.close[*i] > high * 1.02 || bars.close[*i] < low * 0.98;
            open += usize::from((s + 20..s + 30).find(broken).is_some_and(|i| admitted(bars.close[i])));
            let (mut value, mut volume) = (0.0, 0.0);
            let mut away = false;
            for i in s..s + 85 {
                value += (bars.high[i] + bars.low[i] + bars.close[i]) / 3.0 * bars.volume[i];
                volume += bars.volume[i];
                away |= i >= s + 75 && (bars.close[i] / (value / volume) - 1.0).abs() >= 0.02;
            }
            mid += usize::from(away);
            if range.len() == 390 {
                close += usize::from((bars.close[s + 309] / bars.open[s + 305] - 1.0).abs() > 0.002);
            }
        }
    }
    assert!(open >= 20 && mid >= 40 && close >= 100, "open {open}, mid {mid}, close {close}");
}

fn passes(market: &Market, id: SymbolId) -> bool {
    let rows = market.fundamentals.as_ref().and_then(|f| f.get(&id));
    rows.and_then(|rows| rows.first()).is_some_and(|f| {
        f.market_cap.is_some_and(|cap| (2e9..=1e10).contains(&cap))
            && f.pe_ratio.is_some_and(|pe| pe <= 50.0)
            && f.debt_equity.is_some_and(|de| de <= 2.5)
    })
}

#[test]
fn total_adjustment_of_the_daily_set_gives_its_adjusted_close() {
    let raw = load(&named("wiki_daily")).expect("loads");
    let total = load(&LoadOptions { adjust: Adjust::Total, ..named("wiki_daily") }).expect("loads");
    let split = load(&LoadOptions { adjust: Adjust::Split, ..named("wiki_daily") }).expect("loads");
    assert_eq!((raw.symbols.join(" "), raw.bar_count()), ("AAPL FB MSFT".to_string(), 6736));
    assert_eq!((raw.actions.len(), split.actions.len(), total.actions.len()), (43, 40, 0));
    // Growth of the source's adjusted close from 2000-03-01 to 2013-03-01; its own factors go on to a later day.
    for (symbol, before, after) in
        [("AAPL", 4.186_662_803_811, 56.137_353_095_488), ("MSFT", 30.225_709_797_294, 24.684_342_419_163)]
    {
        let close = &total.series[total.symbol(symbol).expect("it").index()].close;
        let growth = close[close.len() - 1] / close[0];
        assert!((growth / (after / before) - 1.0).abs() < 1e-9, "{symbol} {growth}");
    }
    let first = |market: &Market, symbol: &str| market.series[market.symbol(symbol).expect("it").index()].close[0];
    assert!((first(&split, "AAPL") - first(&raw, "AAPL") / 4.0).abs() < 1e-9);
    assert!((first(&split, "MSFT") - first(&raw, "MSFT") / 2.0).abs() < 1e-9);
    // Splits do not change what a bar traded.
    let traded = |m: &Market| m.series[0].close[0] * m.series[0].volume[0];
    assert!((traded(&raw) / traded(&split) - 1.0).abs() < 1e-12);
}

#[test]
fn options_repeat_a_load_after_json() {
    let mut options = named("generated_minutes");
    options.symbols = Some(vec!["SIM03".into(), "SIMIDX".into()]);
    options.to = parse_date("2024-11-08").ok();
    let text = serde_json::to_string(&options).expect("serialises");
    let again: LoadOptions = serde_json::from_str(&text).expect("reads back");
    let (a, b) = (load(&options).expect("loads"), load(&again).expect("loads"));
    assert_eq!((a.data_hash, a.quality), (b.data_hash, b.quality));
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        pool.install(|| load(&named("generated_minutes")).expect("loads").data_hash)
    };
    assert_eq!(with(1), with(3));
}

#[test]
fn commands_convert_there_and_back() {
    let dir = tempfile::tempdir().expect("a folder");
    let hash = |data: &str| {
        let report = stdout(&tbot(dir.path(), &["data", "check", data, "--json"]));
        serde_json::from_str::<serde_json::Value>(&report).expect("one JSON document")["data_hash"].clone()
    };
    let select = ["--symbols", "SIM01,SIM07", "--to", "2024-11-05"];
    let convert = |data: &str, out: &str, more: &[&str]| {
        tbot(dir.path(), &[&["data", "convert", data, "--out", out], more].concat())
    };
    assert_eq!(stdout(&convert("generated_minutes", "a.csv", &select)), "a.csv\n");
    stdout(&convert("a.csv", "b.parquet", &[]));
    stdout(&convert("b.parquet", "c", &["--format", "csv"]));
    stdout(&tbot(dir.path(), &["data", "import", "c", "--out", "d"]));
    let hashes: Vec<_> = ["a.csv", "b.parquet", "c", "d"].map(hash).to_vec();
    assert!(hashes.iter().all(|h| h == &hashes[0]), "{hashes:?}");
    // What is there is not written over, and nothing is left half written.
    let refused = convert("a.csv", "b.parquet", &[]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--force"));
    stdout(&convert("a.csv", "d", &["--force"]));
    let mut left: Vec<String> = std::fs::read_dir(dir.path())
        .expect("the folder")
        .map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    left.sort();
    assert_eq!(left, ["a.csv", "b.parquet", "c", "d"]);
}

#[test]
fn list_and_generate_and_check_speak_plainly() {
    let dir = tempfile::tempdir().expect("a folder");
    let list: serde_json::Value =
        serde_json::from_str(&stdout(&tbot(dir.path(), &["data", "list", "--json"]))).expect("one JSON document");
    assert_eq!(list[0]["name"], "generated_minutes");
    assert_eq!((&list[0]["generated"], &list[1]["generated"]), (&true.into(), &false.into()));
    let generate =
        ["data", "generate", "--symbols", "2", "--sessions", "3", "--from", "2024-07-02", "--seed", "4", "--out", "g"];
    stdout(&tbot(dir.path(), &generate));
    let check = tbot(dir.path(), &["data", "check", "g"]);
    assert!(String::from_utf8_lossy(&check.stderr).contains("generated, not real prices"));
    assert!(stdout(&check).contains("sessions            3 (2024-07-02 to 2024-07-05)"), "{}", stdout(&check));
    file(dir.path(), "bad.csv", "ts,symbol,open,high,low,close,volume\n2024-03-26T13:30:00Z,X,10,9,11,10,5\n");
    let bad = tbot(dir.path(), &["data", "check", "bad.csv"]);
    assert_eq!((bad.status.code(), bad.stdout.len()), (Some(2), 0));
    assert!(String::from_utf8_lossy(&bad.stderr).contains("line 2"));
    let unknown = tbot(dir.path(), &["data", "check", "generated_minute"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("did you mean generated_minutes?"));
}
