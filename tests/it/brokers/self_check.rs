//! The self-check tells what is wrong, and places nothing.

use secrecy::SecretString;
use tradebot::brokers::alpaca::{Alpaca, AlpacaOptions};
use tradebot::brokers::{Broker, BrokerError, OrderBook, SelfCheck, Watchlist};
use tradebot::market::SECOND;

use super::{Session, options, run};
use crate::local_alpaca::{Fault, LocalAlpaca, Setup};

async fn check(server: &LocalAlpaca, options: AlpacaOptions) -> SelfCheck {
    let check = Alpaca::new(options).unwrap().self_check().await;
    assert!(server.arrivals().iter().all(|arrival| arrival.what.starts_with("GET ")), "it only asks");
    check
}

fn failed(check: &SelfCheck) -> Vec<(&str, &str)> {
    check.items.iter().filter(|item| !item.passed).map(|item| (item.name, item.found.as_str())).collect()
}

#[test]
fn a_broker_in_order_passes_connected_or_not() {
    run(async {
        let server = LocalAlpaca::start(Setup::default());
        let names = ["credentials", "account", "clock", "order stream", "market data stream", "quote"];
        let found = check(&server, options(&server)).await;
        assert!(found.passed(), "{found:#?}");
        assert_eq!(found.items.iter().map(|item| item.name).collect::<Vec<_>>(), names);
        let options = options(&server);
        let session = Session::with(server, options, OrderBook::new(), Watchlist::default()).await;
        let found = session.alpaca.self_check().await;
        assert!(found.passed(), "{found:#?}");
        assert_eq!(session.server.connections(), (2, 2), "a stream that is up is not connected to again");
    });
}

#[test]
fn wrong_credentials_are_told_from_a_broker_that_cannot_be_reached() {
    run(async {
        let server = LocalAlpaca::start(Setup::default());
        let wrong = AlpacaOptions { secret_key: SecretString::from("wrong"), ..options(&server) };
        let found = check(&server, wrong.clone()).await;
        let failures = failed(&found);
        assert_eq!(failures[0].0, "credentials");
        assert!(failures[0].1.contains("refuses the credentials (status 401)"), "{failures:?}");
        assert!(
            failures.iter().any(|(name, found)| *name == "order stream" && found.contains("refuses the credentials"))
        );
        let connected = Alpaca::new(wrong).unwrap().connect(OrderBook::new(), Watchlist::default()).await;
        assert!(matches!(connected, Err(BrokerError::Auth { status: 401, .. })));

        server.faults("GET /v2/account", Fault::page(403), 10);
        let found = check(&server, options(&server)).await;
        assert!(failed(&found)[0].1.contains("cannot be reached"), "a page of a gateway is no verdict: {found:?}");

        let gone = options(&server);
        drop(server);
        let found = Alpaca::new(gone).unwrap().self_check().await;
        assert!(found.items.iter().all(|item| !item.passed));
        assert!(failed(&found)[0].1.contains("cannot be reached"), "{found:?}");
    });
}

#[test]
fn a_server_that_does_not_speak_tls_fails_every_check_of_an_https_address() {
    run(async {
        let server = LocalAlpaca::start(Setup::default());
        let https = AlpacaOptions { url: server.url().replace("http://", "https://"), ..options(&server) };
        let found = Alpaca::new(https).unwrap().self_check().await;
        assert!(found.items.iter().all(|item| !item.passed), "{found:#?}");
        assert!(failed(&found)[0].1.contains("cannot be reached"), "{found:?}");
        assert!(server.arrivals().is_empty() && server.connections() == (0, 0), "nothing was sent in the clear");
    });
}

#[test]
fn a_blocked_account_a_wrong_clock_and_a_missing_quote_are_found() {
    run(async {
        let server = LocalAlpaca::start(Setup::default());
        server.with(|desk| {
            desk.trading_blocked = true;
            desk.market.quotes.remove("SPY");
        });
        for drift in [-2 * SECOND, 2 * SECOND] {
            let now = server.now();
            let ahead = AlpacaOptions { now: std::sync::Arc::new(move || now() + drift), ..options(&server) };
            let found = check(&server, ahead).await;
            let failures = failed(&found);
            let names: Vec<&str> = failures.iter().map(|(name, _)| *name).collect();
            assert_eq!(names, ["account", "clock", "quote"], "{found:#?}");
            assert_eq!(failures[0].1, "trading is blocked");
            assert!(failures[1].1.starts_with("2.0 s from the broker's"), "{failures:?}");
        }
        let now = server.now();
        let a_little = AlpacaOptions { now: std::sync::Arc::new(move || now() + SECOND), ..options(&server) };
        let found = check(&server, a_little).await;
        assert!(found.items[2].passed, "{found:?}");
    });
}
