//! How fast a live session orders: from the bar that arrives to the order that is handed to the connection, in the real
//! program, against a local Alpaca; first with nobody looking on, then with 64 event streams and 1,000 clients that ask
//! for the status every second.
//!
//! `cargo bench --bench trading_latency [-- SESSIONS]`. It prints a table; each row is over all inputs that orders, cancels
//! or questions followed from. Broker, clients, web and core share the machine, so give it one that is idle.

#[path = "../tests/it/live/client.rs"]
#[allow(dead_code, unused_imports)]
mod client;
#[path = "../tests/it/local_alpaca/mod.rs"]
#[allow(dead_code, unused_imports)]
mod local_alpaca;
#[path = "../tests/it/market_feed.rs"]
#[allow(dead_code)]
mod market_feed;

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use client::Client;
use local_alpaca::{AtMarket, KEY, LocalAlpaca, SECRET, Setup};
use market_feed::{bars, before_the_open, universe};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use tradebot::data::{LoadOptions, Source, load};
use tradebot::live::priority::give_way;
use tradebot::market::{Market, SECOND};

const PASSWORD: &str = "blue kettle sings";
/// Of event streams, and how many each user may have.
const STREAMS: (usize, usize) = (64, 8);
const POLLERS: usize = 1_000;
/// Real time between two minutes of the day.
const MINUTE: Duration = Duration::from_millis(100);

/// A running `tbot run`.
struct Program {
    run: Child,
    address: SocketAddr,
    folder: tempfile::TempDir,
}

impl Program {
    fn start() -> Program {
        let folder = tempfile::tempdir().unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut run = Command::new(env!("CARGO_BIN_EXE_tbot"))
            .args(["run", "--clock", "feed", "--bind", &address.to_string(), "--data-dir"])
            .arg(folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut ready = String::new();
        BufReader::new(run.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        assert!(ready.starts_with("READY"), "{ready}");
        Program { run, address, folder }
    }

    fn logged_in(&self, name: &str) -> Client {
        let mut client = Client::new(self.address);
        let reply = client.form("/login", &[("username", name), ("password", PASSWORD)]);
        assert_eq!(reply.status, 303, "{}", reply.text());
        client
    }

    fn set_up(&self, server: &LocalAlpaca, market: &Market) {
        let mut browser = Client::new(self.address);
        let configuration = [
            ("entity_code", "ACME"),
            ("jurisdiction_code", "US"),
            ("broker_code", "ALPACA"),
            ("bot_id", "BOT1"),
            ("broker_url", server.url()),
            ("broker_api_key", KEY),
            ("broker_secret_key", SECRET),
        ];
        assert_eq!(browser.form("/configuration", &configuration).status, 303);
        until(|| browser.get("/api/v1/phase").json()["phase"] == "registration");
        let user = [
            ("username", "alice"),
            ("email", "alice@example.com"),
            ("password", PASSWORD),
            ("password_confirm", PASSWORD),
        ];
        assert_eq!(browser.form("/register", &user).status, 303);
        let mut admin = self.logged_in("alice");
        for k in 0..STREAMS.0 / STREAMS.1 {
            let user = json!({ "username": format!("viewer{k}"), "email": format!("v{k}@example.com"), "role": "viewer",
                "password": PASSWORD, "current_password": PASSWORD });
            assert_eq!(admin.json("POST", "/api/v1/users", &user).status, 201);
        }
        let version = admin.get("/api/v1/settings").json()["version"].clone();
        let put = admin.json("PUT", "/api/v1/settings", &json!({ "version": version, "values": settings() }));
        assert_eq!(put.status, 200, "{}", put.text());
        let cache = self.folder.path().join("output/cache");
        std::fs::create_dir_all(&cache).unwrap();
        std::fs::write(cache.join("symbol_universe.json"), universe(market.days[0].date, &market.symbols).to_json())
            .unwrap();
    }

    /// Plays a day; the latency of its session.
    fn play(&self, server: &LocalAlpaca, market: &Market, day: usize) -> Value {
        server.advance_to(market.days[day].open - 30 * SECOND);
        let mut admin = self.logged_in("alice");
        let start = json!({ "mode": "live", "confirm": "LIVE", "current_password": PASSWORD });
        until(|| admin.get("/api/v1/status").json()["bot_state"] == "idle");
        let reply = admin.json("POST", "/api/v1/control/start", &start);
        assert_eq!(reply.status, 200, "{}", reply.text());
        let session = reply.json()["session"].as_str().unwrap().to_string();
        let folder = self.folder.path().join("output/ACME_US_ALPACA_BOT1/sessions").join(session);
        let summary = folder.join("session.json");
        for step in market.days[day].first_step..market.days[day].end_step {
            let next = Instant::now() + MINUTE;
            server.feed(bars(market, day, step));
            server.step();
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
            if summary.exists() {
                break;
            }
        }
        server.advance_to(market.days[day].close + 10 * SECOND);
        until(|| summary.exists());
        read(&summary)["latency"].clone()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.run.id().to_string()).status();
        let _ = self.run.wait();
    }
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn until(mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it does not happen");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn settings() -> Value {
    let weights: Vec<String> = (0..24).map(|_| "0.04".to_string()).collect();
    json!({
        "STRATEGY_SEQUENCE": ["open", "mid"], "TOTAL_ALLOCATION": 0.4, "MAX_RISK_PER_TRADE": 0.2, "MAX_TRADES": 24,
        "WEIGHTS": weights.join(","), "MAX_OPEN_POSITIONS": 100, "DAILY_LOSS_LIMIT": 1, "SHORT_TYPE_OPEN": "ShortSell",
        "SHORT_TYPE_MID": "ShortSell", "STRAT_OPEN_BUFFER": 0.0005, "STRAT_MID_VWAP_THRESHOLD": 0.001,
        "ENABLE_FUNNHUB_FUNDAMENTALS_FILTER": false, "MIN_VOLUME_THRESHOLD": 1000, "MIN_PRICE": 1, "MAX_PRICE": 100_000,
        "MIN_MARKET_CAP_OPEN": 1, "MAX_MARKET_CAP_OPEN": 9e12, "MIN_MARKET_CAP_MID": 1, "MAX_MARKET_CAP_MID": 9e12,
    })
}

/// The headers of a logged-in browser for another client.
fn cookies(client: &Client) -> String {
    let pairs: Vec<String> = client.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("; ")
}

/// Streams and clients that ask, until the runtime is dropped.
fn look_on(program: &Program) -> tokio::runtime::Runtime {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let base = format!("http://{}", program.address);
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    for k in 0..STREAMS.0 {
        let cookie = cookies(&program.logged_in(&format!("viewer{}", k / STREAMS.1)));
        let request = http.get(format!("{base}/api/v1/events")).header("cookie", cookie);
        runtime.spawn(async move {
            let mut response = request.send().await.unwrap();
            assert_eq!(response.status(), 200);
            while let Ok(Some(_)) = response.chunk().await {}
        });
    }
    let cookie = cookies(&program.logged_in("alice"));
    for k in 0..POLLERS {
        let (http, url, cookie) = (http.clone(), format!("{base}/api/v1/status"), cookie.clone());
        runtime.spawn(async move {
            tokio::time::sleep(Duration::from_millis(k as u64)).await;
            let mut tick = tokio::time::interval(Duration::from_secs(1));
            loop {
                tick.tick().await;
                if let Ok(response) = http.get(&url).header("cookie", &cookie).send().await {
                    let _ = response.bytes().await;
                }
            }
        });
    }
    runtime
}

fn main() {
    let sessions = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(6_usize);
    let market = load(&LoadOptions::new(Source::Named("generated_minutes".to_string()))).unwrap();
    let first = market.days.len() - 2 * sessions;
    let setup = Setup { filler: Box::new(AtMarket), cash: Decimal::from(1_000_000), ..Setup::default() };
    let program = Program::start();
    // The broker and the clients stand for other machines, and should take as little as possible of this one.
    give_way(10);
    let server = before_the_open(&market, first, setup);
    program.set_up(&server, &market);
    println!("| who looks on | session | inputs with requests | above 1 ms | median | longest |");
    println!("| --- | --- | --- | --- | --- | --- |");
    let play = |who: &str, days: std::ops::Range<usize>| {
        let (mut inputs, mut slow) = (0, 0);
        for day in days {
            let latency = program.play(&server, &market, day);
            let us = |name: &str| latency[name].as_f64().unwrap_or(f64::NAN);
            let (date, count) = (market.days[day].date, latency["count"].as_u64().unwrap_or(0));
            println!(
                "| {who} | {date} | {count} | {} | {:.0} us | {:.0} us |",
                latency["slow"],
                us("p50_us"),
                us("max_us")
            );
            inputs += count;
            slow += latency["slow"].as_u64().unwrap_or(0);
        }
        println!("| {who} | all | {inputs} | {slow} ({:.1} %) | | |", 100.0 * slow as f64 / inputs as f64);
    };
    play("nobody", first..first + sessions);
    let clients = look_on(&program);
    play("64 streams, 1,000 clients", first + sessions..first + 2 * sessions);
    clients.shutdown_background();
}
