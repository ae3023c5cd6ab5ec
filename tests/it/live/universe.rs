//! The core chooses its symbols in the night: on a clock of the test, with a broker and a screener of this machine.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tradebot::brokers::SymbolUniverse;
use tradebot::market::{Nanos, parse_time};
use tradebot::runtime::brokerage::universe::{BLOCKLIST, FUNDAMENTALS, stored};
use tradebot::runtime::stored_settings::StoredSettings;
use tradebot::runtime::{ClockSource, Core, run_in_background};
use tradebot::settings::Settings;
use tradebot::vault::{SecretFields, SecretFile, secrets};

use super::Live;
use crate::brokers::universe::{Screener, broker};
use crate::local_alpaca::{Fault, KEY, LocalAlpaca, SECRET};

fn time(text: &str) -> Nanos {
    parse_time(text).unwrap()
}

/// A core of this process on the folder of one that was set up before.
fn core(folder: &Path, server: &LocalAlpaca, screener: &[(&str, &str)], clock: &Arc<AtomicI64>) -> Arc<Core> {
    let read = Arc::clone(clock);
    let core =
        Core::open(folder, "v1.0.0", Arc::new(move || read.load(Ordering::SeqCst)), ClockSource::System).unwrap();
    core.with(|house| {
        let credentials = [("BROKER_URL", server.url()), ("BROKER_API_KEY", KEY), ("BROKER_SECRET_KEY", SECRET)];
        for (file, values) in [(SecretFile::Broker, &credentials[..]), (SecretFile::ScreenerApi, screener)] {
            let mut fields = SecretFields::default();
            values.iter().for_each(|(name, value)| fields.set(name, (*value).into()));
            secrets::write_fields(&house.disk, &house.keys, file, &fields, 0).unwrap();
        }
        let mut settings = Settings::default();
        settings.set("BROKER_NAME=ALPACA").unwrap();
        StoredSettings { version: 9, settings }.write(&house.disk, &house.keys, 0).unwrap();
        house.forget_settings();
    });
    core
}

/// Lets a core do what it does by itself until something holds.
fn attended(core: &Arc<Core>, what: &str, holds: impl Fn() -> bool) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        run_in_background(Arc::clone(core), async {
            let waiting = async {
                while !holds() {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(120), waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
        })
        .await;
    });
}

fn symbols(core: &Core) -> Option<Vec<String>> {
    let universe = core.with(|house| stored(&house.disk).unwrap())?;
    Some(universe.symbols.into_iter().map(|entry| entry.symbol).collect())
}

fn log(folder: &TempDir, name: &str) -> String {
    std::fs::read_to_string(folder.path().join("logs").join(name)).unwrap_or_default()
}

#[test]
fn the_symbols_are_chosen_after_the_close_and_a_night_that_fails_keeps_those_before() {
    let folder = Live::registered().stop();
    let server = broker();
    // An hour of the session is left.
    let clock = Arc::new(AtomicI64::new(time("2024-03-26T19:00:00Z")));
    let screener = Screener::default();
    let serving = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let url = serving.block_on(screener.serve());
    let configured =
        [("SCREENER_NAME", "Finnhub"), ("SCREENER_API_KEY", "screenerkey"), ("SCREENER_URL", url.as_str())];
    let core = core(folder.path(), &server, &configured, &clock);
    core.with(|house| {
        house.disk.make_folder("context").unwrap();
        house.disk.write(BLOCKLIST, b"BLOCKED # by hand\n").unwrap();
    });
    attended(&core, "the broker was asked for its time", || server.count("GET /v2/clock") > 0);
    clock.store(time("2024-03-27T01:00:00Z"), Ordering::SeqCst);
    assert_eq!((symbols(&core), server.count("GET /v2/assets")), (None, 0), "nothing while the exchange is open");

    attended(&core, "a universe", || symbols(&core).is_some());
    assert_eq!(symbols(&core).unwrap(), ["EDGE", "GOOD"]);
    assert_eq!(*screener.asked.lock().unwrap(), ["BIG", "EDGE", "GOOD", "NOCAP", "SMALL"]);
    let row = core.with(|house| house.check_universe().unwrap());
    assert_eq!((&row["ok"], &row["detail"]), (&true.into(), &"2 symbols of the session 2024-03-26".into()));

    // The next night the broker is out of order.
    let file = folder.path().join(SymbolUniverse::PATH);
    let before = std::fs::read(&file).unwrap();
    server.faults("GET /v2/assets", Fault::page(500), 100);
    clock.store(time("2024-03-28T01:00:00Z"), Ordering::SeqCst);
    let failed = "the universe was not built: GET /v2/assets?status=active&asset_class=us_equity: the broker answers with status 500";
    attended(&core, "a failure that is logged and told", || {
        log(&folder, "error_tracebacks.log").contains(failed)
            && log(&folder, "notifications.log").contains("The symbol universe was not built")
    });
    assert_eq!(std::fs::read(&file).unwrap(), before);
    let row = core.with(|house| house.check_universe().unwrap());
    assert_eq!(row["ok"], false, "{row}");
    assert!(row["detail"].as_str().unwrap().starts_with("2 symbols of the session 2024-03-26; the last try failed: "));
    assert!(!log(&folder, "error_tracebacks.log").contains("screenerkey"));
}

#[test]
fn without_a_screener_a_table_tells_the_capitalizations() {
    let folder = Live::registered().stop();
    let server = broker();
    let clock = Arc::new(AtomicI64::new(time("2024-03-27T01:00:00Z")));
    let core = core(folder.path(), &server, &[], &clock);
    attended(&core, "the broker was asked for its time", || server.count("GET /v2/clock") > 0);
    let row = core.with(|house| house.check_universe().unwrap());
    assert_eq!((&row["ok"], row["detail"].as_str().unwrap().contains("no screener")), (&true.into(), true), "{row}");
    core.with(|house| {
        house.disk.make_folder("context").unwrap();
        house.disk.write(FUNDAMENTALS, b"symbol,market_cap\nGOOD,2000000000\nTHIN,3e9\n").unwrap();
    });
    attended(&core, "a universe", || symbols(&core).is_some());
    assert_eq!(symbols(&core).unwrap(), ["GOOD"]);
}
