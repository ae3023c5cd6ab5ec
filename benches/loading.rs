//! How long it takes to load a data set, checks and hash included.
//!
//! Two million bars (ten stocks and three funds over 400 sessions): a folder with a Parquet file a symbol as
//! `tbot data import` writes it, the same in one file, a tenth of it as CSV, and one symbol out of the one file.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::path::Path;
use tradebot::data::generate::{GenerateOptions, generate};
use tradebot::data::write::{Format, write_set};
use tradebot::data::{LoadOptions, Source, load};
use tradebot::market::parse_date;

fn options(path: &Path) -> LoadOptions {
    LoadOptions::new(Source::Path(path.to_path_buf()))
}

fn loading(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a folder");
    let from = parse_date("2023-01-03").expect("a date");
    let generated = generate(GenerateOptions { symbols: 10, sessions: 400, from, seed: 1 }).expect("generates");
    let made = dir.path().join("made");
    std::fs::create_dir(&made).expect("a folder");
    generated.write(&made).expect("writes");
    let market = load(&options(&made)).expect("loads");
    let (folder, file, csv) = (dir.path().join("folder"), dir.path().join("bars.parquet"), dir.path().join("bars.csv"));
    write_set(&market, &folder, Format::Parquet, false).expect("writes");
    write_set(&market, &file, Format::Parquet, false).expect("writes");
    let tenth = LoadOptions { bars: Some(market.series[0].len() / 10), ..options(&made) };
    write_set(&load(&tenth).expect("loads"), &csv, Format::Csv, false).expect("writes");
    let mut group = criterion.benchmark_group("loading");
    group.sample_size(10);
    let symbol = Some(vec![market.symbols[3].clone()]);
    for (name, options) in [
        ("parquet_folder", options(&folder)),
        ("parquet_file", options(&file)),
        ("parquet_one_symbol", LoadOptions { symbols: symbol, ..options(&file) }),
        ("csv_file", options(&csv)),
    ] {
        group.throughput(Throughput::Elements(load(&options).expect("loads").bar_count()));
        group.bench_function(name, |bencher| bencher.iter(|| black_box(load(&options).expect("loads").bar_count())));
    }
    group.finish();
}

criterion_group!(benches, loading);
criterion_main!(benches);
