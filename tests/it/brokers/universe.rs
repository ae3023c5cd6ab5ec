//! The symbol universe: every rule leaves out what it should, and nothing is asked for in vain.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use secrecy::SecretString;
use tradebot::brokers::alpaca::Alpaca;
use tradebot::brokers::{
    BrokerError, FileFundamentals, Finnhub, Fundamentals, SymbolUniverse, UniverseError, UniverseRules,
};
use tradebot::market::{MINUTE, parse_time};
use tradebot::settings::Settings;

use super::{decimal, options, run};
use crate::local_alpaca::{AssetRow, FeedBar, LocalAlpaca, Setup};

/// Symbol, exchange, close and volume of the last session, market capitalization in millions.
const STOCKS: [(&str, &str, &str, u64, &str); 11] = [
    ("BIG", "NYSE", "50", 2_000_000, "10000.000001"),
    ("BLOCKED", "NYSE", "50", 2_000_000, "5000"),
    ("CHEAP", "NYSE", "4.9999", 2_000_000, "5000"),
    ("DEAR", "NASDAQ", "100.01", 2_000_000, "5000"),
    ("EDGE", "NASDAQ", "100", 1_000_000, "10000"),
    ("GOOD", "NYSE", "5", 1_500_000, "2000"),
    ("HALF", "ARCA", "50", 2_000_000, "5000"),
    ("NOCAP", "NYSE", "50", 2_000_000, ""),
    ("SMALL", "NYSE", "50", 2_000_000, "1999.999999"),
    ("STILL", "NYSE", "50", 0, "5000"),
    ("THIN", "NYSE", "50", 999_999, "5000"),
];

/// A broker with these stocks, in the evening of their session.
pub fn broker() -> LocalAlpaca {
    let mut symbols: Vec<AssetRow> = STOCKS
        .iter()
        .map(|(symbol, exchange, ..)| AssetRow { exchange: exchange.to_string(), ..AssetRow::new(symbol) })
        .collect();
    symbols.push(AssetRow { tradable: false, ..AssetRow::new("GONE") });
    let now = parse_time("2024-03-26T13:30:00Z").unwrap();
    let server = LocalAlpaca::start(Setup { symbols, now, ..Setup::default() });
    for (symbol, _, close, volume, _) in STOCKS {
        // Two minutes of the session, and one of the day before, which must not count.
        let bars = [(-24 * 60, "1", 9_000_000), (0, "77", volume / 2), (1, close, volume - volume / 2)];
        server.feed(bars.into_iter().filter(|(_, _, volume)| *volume > 0 && symbol != "STILL").map(
            |(minute, price, volume)| {
                let price = decimal(price);
                FeedBar {
                    symbol: symbol.into(),
                    start: now + minute * MINUTE,
                    open: price,
                    high: price,
                    low: price,
                    close: price,
                    volume,
                }
            },
        ));
    }
    server.advance_to(parse_time("2024-03-27T01:00:00Z").unwrap());
    server
}

fn rules() -> UniverseRules {
    let (settings, _) = Settings::parse("", "test").unwrap();
    UniverseRules::new(&settings, "BLOCKED # by hand")
}

fn table() -> FileFundamentals {
    let rows: Vec<String> = STOCKS
        .iter()
        .map(|(symbol, _, _, _, millions)| match *millions {
            "" => format!("{symbol},"),
            millions => format!("{symbol},{}", decimal(millions) * decimal("1000000")),
        })
        .collect();
    FileFundamentals::from_csv(&format!("symbol,market_cap\n{}\n", rows.join("\n"))).unwrap()
}

async fn build(server: &LocalAlpaca, fundamentals: &dyn Fundamentals) -> Result<SymbolUniverse, UniverseError> {
    let alpaca = Alpaca::new(options(server)).unwrap();
    SymbolUniverse::build(&alpaca, fundamentals, rules(), server.now()()).await
}

#[test]
fn the_universe_holds_what_meets_every_rule_with_the_bounds_included() {
    run(async {
        let server = broker();
        let universe = build(&server, &table()).await.unwrap();
        let symbols: Vec<&str> = universe.symbols.iter().map(|entry| entry.symbol.as_str()).collect();
        assert_eq!(symbols, ["EDGE", "GOOD"]);
        assert!(universe.contains("GOOD") && !universe.contains("BIG"));
        assert_eq!(universe.session.to_string(), "2024-03-26");
        let good = &universe.symbols[1];
        assert_eq!((good.last_close, good.volume), (decimal("5"), decimal("1500000")));
        let excluded: Vec<(&str, usize)> =
            universe.excluded.iter().map(|(why, count)| (why.as_str(), *count)).collect();
        assert_eq!(
            excluded,
            [
                ("blocklist", 1),
                ("exchange", 1),
                ("market capitalization", 2),
                ("market capitalization not known", 1),
                ("no bar in the last session", 1),
                ("not tradable", 1),
                ("price", 2),
                ("volume", 1),
            ]
        );
        assert_eq!(SymbolUniverse::from_json(&universe.to_json()).unwrap(), universe);
        for wrong in ["", "{}", &universe.to_json().replacen("\"v\": 1", "\"v\": 2", 1)] {
            assert!(matches!(SymbolUniverse::from_json(wrong), Err(UniverseError::Content(_))), "{wrong}");
        }
    });
}

#[test]
fn it_is_not_built_while_stocks_are_traded_nor_if_nothing_is_left() {
    run(async {
        let server = LocalAlpaca::start(Setup::default());
        assert!(matches!(build(&server, &table()).await, Err(UniverseError::TradingHours(_))));
        assert!(server.arrivals().is_empty(), "nothing was asked for");
        let server = broker();
        let empty = build(&server, &FileFundamentals::default()).await.unwrap_err();
        assert!(empty.to_string().contains("5 for market capitalization not known"), "{empty}");
    });
}

/// What the screener was asked for, and answers that come before the right ones.
#[derive(Clone, Default)]
pub struct Screener {
    pub asked: Arc<Mutex<Vec<String>>>,
    pub first: Arc<Mutex<Vec<StatusCode>>>,
}

impl Screener {
    /// Answers whoever has the key `screenerkey`, until the event loop ends; where.
    pub async fn serve(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/api/v1/", listener.local_addr().unwrap());
        let router = Router::new().route("/api/v1/stock/metric", get(metric)).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        url
    }
}

async fn metric(
    State(screener): State<Screener>,
    headers: HeaderMap,
    Query(query): Query<Vec<(String, String)>>,
) -> (StatusCode, [(&'static str, &'static str); 1], String) {
    let symbol = query.iter().find(|(name, _)| name == "symbol").unwrap().1.clone();
    let retry = [("retry-after", "0")];
    if headers.get("x-finnhub-token").is_none_or(|key| key != "screenerkey") {
        return (StatusCode::UNAUTHORIZED, retry, r#"{"error":"Invalid API key"}"#.into());
    }
    screener.asked.lock().unwrap().push(symbol.clone());
    if let Some(status) = screener.first.lock().unwrap().pop() {
        return (status, retry, "<html>".into());
    }
    let millions = STOCKS.iter().find(|stock| stock.0 == symbol).map_or("", |stock| stock.4);
    let body = match millions {
        "" => r#"{"metric":{},"metricType":"all","symbol":""}"#.to_string(),
        millions => format!(r#"{{"metric":{{"52WeekHigh":1.5,"marketCapitalization":{millions},"peTTM":null}}}}"#),
    };
    (StatusCode::OK, retry, body)
}

#[test]
fn a_screener_is_asked_for_nothing_but_what_meets_every_other_rule() {
    run(async {
        let screener = Screener::default();
        *screener.first.lock().unwrap() = vec![StatusCode::TOO_MANY_REQUESTS, StatusCode::BAD_GATEWAY];
        let url = screener.serve().await;
        let finnhub = |key: &str| {
            let mut finnhub = Finnhub::new(&url, &SecretString::from(key)).unwrap();
            finnhub.pause = Duration::ZERO;
            finnhub
        };
        let server = broker();
        let universe = build(&server, &finnhub("screenerkey")).await.unwrap();
        assert_eq!(universe.symbols, build(&server, &table()).await.unwrap().symbols);
        let asked = screener.asked.lock().unwrap().clone();
        assert_eq!(asked, ["BIG", "BIG", "BIG", "EDGE", "GOOD", "NOCAP", "SMALL"]);
        match build(&server, &finnhub("wrong")).await {
            Err(UniverseError::Broker(BrokerError::Auth { status: 401, .. })) => {}
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn a_screener_is_reached_by_https_or_on_this_machine() {
    let key = SecretString::from("k");
    for url in ["https://finnhub.io/api/v1", "http://127.0.0.1:1", "http://localhost:1/x", "http://[::1]:1"] {
        assert!(Finnhub::new(url, &key).is_ok(), "{url}");
    }
    for url in ["http://finnhub.io/api/v1", "ftp://127.0.0.1", "https://u:p@finnhub.io", "https://x/?token=1", "x", ""]
    {
        let refused = Finnhub::new(url, &key).err().unwrap().to_string();
        assert!(!refused.contains("u:p"), "{refused}");
    }
}
