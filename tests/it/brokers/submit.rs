//! Orders: exactly one, whatever happens to the answers.

use std::time::Duration;

use tradebot::brokers::alpaca::{Alpaca, AlpacaOptions};
use tradebot::brokers::{Broker, BrokerError, BrokerEvent, CancelOutcome, OrderBook, RejectClass, Status, Watchlist};
use tradebot::trading::{OrderKind, OrderState, Side, TimeInForce, Trail};

use super::{
    Session, buy, decimal, executions, id, limit, options, orders, replacement, run, sell, sizes, state, ticket_of,
};
use crate::local_alpaca::{AssetRow, Fault, LocalAlpaca, Setup, StreamFault};

fn answer(status: u16, body: &'static str, done: bool) -> Fault {
    Fault::Answer { status, headers: vec![], body, done }
}

/// Sends an order of 10 shares with faults and fills it in two parts: there is one order, and each execution comes once.
fn one_order_in_spite_of(faults: Vec<Fault>) -> (LocalAlpaca, Vec<BrokerEvent>) {
    run(async {
        let mut session = Session::start(Setup::default()).await;
        for fault in faults {
            session.server.fault("POST /v2/orders", fault);
        }
        let report = session.alpaca.submit_order(buy("c-1", "AAPL", 10.0)).await.unwrap();
        assert_eq!(report.client_id, "c-1");
        session.server.fill("c-1", "4", "100.01");
        session.server.fill("c-1", "6", "100.02");
        let seen = session.until_ended("c-1", 2).await;
        let booked = sizes(&executions(&seen, "c-1"));
        assert_eq!(booked, [(decimal("4"), decimal("100.01")), (decimal("6"), decimal("100.02"))]);
        assert_eq!(session.server.with(|desk| desk.orders.len()), 1);
        (session.server, seen)
    })
}

#[test]
fn an_order_whose_answer_is_lost_is_asked_for_and_not_sent_again() {
    let (server, _) = one_order_in_spite_of(vec![Fault::LoseAnswer]);
    assert_eq!(server.count("POST /v2/orders"), 1);
    assert_eq!(server.count("GET /v2/orders:by_client_order_id"), 1);
}

#[test]
fn an_order_that_never_arrived_is_sent_again_under_the_same_id() {
    let (server, _) = one_order_in_spite_of(vec![Fault::LoseRequest]);
    assert_eq!(server.count("POST /v2/orders"), 2);
    let bodies: Vec<String> = server
        .arrivals()
        .into_iter()
        .filter(|arrival| arrival.what == "POST /v2/orders")
        .map(|arrival| arrival.body)
        .collect();
    assert_eq!(bodies[0], bodies[1]);
    assert!(server.count("GET /v2/orders:by_client_order_id") > 1, "a no is believed only when it is repeated");
}

#[test]
fn outages_gateway_pages_and_garbage_are_no_rejections() {
    for (fault, sent) in [
        (answer(500, "{}", false), 2),
        (answer(500, "{}", true), 1),
        (answer(504, "<html>gateway</html>", true), 1),
        (answer(502, "<html>gateway</html>", false), 2),
        (Fault::page(403), 2),
        (answer(403, "<html>forbidden</html>", true), 1),
        (answer(200, "{\"id\": \"cut o", true), 1),
        (answer(200, "", true), 1),
        (answer(204, "", true), 1),
        (answer(200, "[]", false), 2),
        (answer(307, "", true), 1),
    ] {
        let words = format!("{fault:?}");
        let (server, _) = one_order_in_spite_of(vec![fault]);
        assert_eq!(server.count("POST /v2/orders"), sent, "{words}");
    }
}

#[test]
fn several_faults_in_a_row_give_one_order() {
    one_order_in_spite_of(vec![Fault::LoseRequest, Fault::too_many(vec![]), Fault::LoseAnswer]);
    one_order_in_spite_of(vec![answer(500, "{}", false), Fault::page(403), Fault::LoseRequest]);
}

#[test]
fn a_refusal_for_too_many_calls_is_waited_out_and_reported() {
    // Retry-After wins over the end of the window, which would be minutes away.
    let headers = vec![("retry-after", "0".to_string()), ("x-ratelimit-reset", "99999999999".to_string())];
    let (server, seen) = one_order_in_spite_of(vec![Fault::too_many(headers)]);
    assert_eq!(server.count("POST /v2/orders"), 2);
    assert_eq!(server.count("GET /v2/orders:by_client_order_id"), 0, "it is certain that nothing was done");
    assert!(seen.contains(&BrokerEvent::RateLimited { wait_ms: 0 }));
    // The end of the window, which lies in the past.
    one_order_in_spite_of(vec![Fault::too_many(vec![("x-ratelimit-reset", "1".to_string())])]);
}

#[test]
fn an_order_does_not_wait_for_a_window_that_opens_too_late() {
    run(async {
        let session = Session::start(Setup::default()).await;
        let headers = vec![("retry-after", "60".to_string())];
        session.server.fault("POST /v2/orders", Fault::too_many(headers));
        for name in ["c-1", "c-2"] {
            let refused = session.alpaca.submit_order(buy(name, "AAPL", 1.0)).await.unwrap_err();
            let BrokerError::RateLimited { retry_after } = refused else { panic!("{refused:?}") };
            assert!(retry_after > Duration::from_secs(50) && retry_after <= Duration::from_secs(60));
        }
        assert_eq!(session.server.count("POST /v2/orders"), 1);
    });
}

#[test]
fn too_many_refusals_end_in_an_error_that_says_so() {
    run(async {
        let mut session = Session::start(Setup::default()).await;
        session.server.faults("POST /v2/orders", Fault::too_many(vec![]), 4);
        let refused = session.alpaca.submit_order(buy("c-1", "AAPL", 1.0)).await.unwrap_err();
        assert!(matches!(refused, BrokerError::RateLimited { .. }), "{refused:?}");
        assert!(refused.is_definite());
        assert_eq!(session.server.count("POST /v2/orders"), 4, "one try and three repetitions");
        // There is no such order, and so it may be sent again.
        session.alpaca.submit_order(buy("c-1", "AAPL", 1.0)).await.unwrap();
        session.server.fill("c-1", "1", "100");
        let seen = session.until_ended("c-1", 1).await;
        assert_eq!(state(&seen, "c-1"), Some(OrderState::Filled));
    });
}

#[test]
fn an_answer_that_comes_after_the_time_limit_counts_as_lost() {
    run(async {
        let server = LocalAlpaca::start(Setup::default());
        let options = AlpacaOptions { timeout: Duration::from_secs(1), ..options(&server) };
        let session = Session::with(server, options, OrderBook::new(), Watchlist::default()).await;
        session.server.fault("POST /v2/orders", Fault::Slow(Duration::from_secs(5)));
        let report = session.alpaca.submit_order(buy("c-1", "AAPL", 1.0)).await.unwrap();
        assert_eq!(report.status, Status::State(OrderState::Working));
        assert_eq!(session.server.count("POST /v2/orders"), 1);
    });
}

#[test]
fn a_request_that_is_carried_out_after_its_repetition_gives_no_second_order() {
    run(async {
        let session = Session::start(Setup::default()).await;
        session.server.fault("POST /v2/orders", Fault::AfterNext);
        session.alpaca.submit_order(buy("c-1", "AAPL", 1.0)).await.unwrap();
        assert_eq!(session.server.count("POST /v2/orders"), 2);
        assert_eq!(session.server.with(|desk| (desk.orders.len(), desk.refused)), (1, 1));
    });
}

#[test]
fn an_unknown_outcome_is_told_as_unknown_and_found_out_later() {
    run(async {
        let mut session = Session::start(Setup::default()).await;
        session.server.fault("POST /v2/orders", Fault::LoseAnswer);
        session.server.faults("GET /v2/orders:by_client_order_id", answer(500, "{}", false), 4);
        let open = session.alpaca.submit_order(buy("c-1", "AAPL", 1.0)).await.unwrap_err();
        assert!(matches!(&open, BrokerError::Unknown { client_id, .. } if client_id == "c-1"), "{open:?}");
        assert!(!open.is_definite());
        let seen = session.until("the order turns up", |seen| orders(seen).any(|order| order.client_id == "c-1")).await;
        assert!(!seen.iter().any(|event| matches!(event, BrokerEvent::OrderLost { .. })));
        assert_eq!(session.server.count("POST /v2/orders"), 1);
    });
}

#[test]
fn an_order_that_the_broker_keeps_denying_is_reported_as_lost_once() {
    run(async {
        let mut session = Session::start(Setup::default()).await;
        session.server.faults("POST /v2/orders", Fault::LoseRequest, 4);
        let open = session.alpaca.submit_order(buy("c-1", "AAPL", 1.0)).await.unwrap_err();
        assert!(matches!(open, BrokerError::Unknown { .. }), "{open:?}");
        let is_lost =
            |event: &BrokerEvent| matches!(event, BrokerEvent::OrderLost { client_id, .. } if client_id == "c-1");
        session.until("the order is lost", |seen| seen.iter().any(is_lost)).await;
        let asked = session.server.count("GET /v2/orders:by_client_order_id");
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(session.server.count("GET /v2/orders:by_client_order_id"), asked, "it is not asked for any more");
        assert!(session.events.try_next().is_none());
        // Should it turn up after all, it is an order like any other, down to what the stream swallows.
        let body = serde_json::json!({"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market",
            "time_in_force": "day", "client_order_id": "c-1"});
        assert_eq!(session.server.with(|desk| desk.post_order(&body)).0, 200);
        session.until("it turns up", |seen| state(seen, "c-1") == Some(OrderState::Working)).await;
        session.server.stream_fault(StreamFault::Drop);
        session.server.fill("c-1", "1", "100");
        session.until_ended("c-1", 1).await;
    });
}

#[test]
fn sending_the_same_order_twice_gives_the_same_order() {
    run(async {
        let session = Session::start(Setup::default()).await;
        let first = session.alpaca.submit_order(buy("c-1", "AAPL", 5.0)).await.unwrap();
        let second = session.alpaca.submit_order(buy("c-1", "AAPL", 5.0)).await.unwrap();
        assert_eq!(first.broker_id, second.broker_id);
        assert_eq!(session.server.with(|desk| desk.orders.len()), 1);
        let other = session.alpaca.submit_order(buy("c-1", "MSFT", 5.0)).await.unwrap_err();
        assert!(other.to_string().contains("another order under this id"), "{other}");
    });
}

#[test]
fn refusals_say_why_in_common_terms() {
    run(async {
        let mut symbols: Vec<AssetRow> = ["AAPL", "HARD", "WHOLE"].map(AssetRow::new).to_vec();
        symbols[1].easy_to_borrow = false;
        symbols[2].fractionable = false;
        let mut session = Session::start(Setup { symbols, ..Setup::default() }).await;
        let cases = [
            (buy("r-1", "AAPL", 100_000.0), RejectClass::InsufficientBuyingPower),
            (sell("r-2", "HARD", 1.0), RejectClass::NotShortable),
            (sell("r-3", "AAPL", 0.5), RejectClass::NotShortable),
            (buy("r-4", "WHOLE", 0.5), RejectClass::NotFractionable),
            (buy("r-5", "NONE", 1.0), RejectClass::InvalidOrder),
            (
                ticket_of("r-6", "AAPL", Side::Buy, 1.0, OrderKind::MarketOnOpen, TimeInForce::Day),
                RejectClass::OutsideHours,
            ),
        ];
        for (ticket, class) in cases {
            let name = ticket.client_id().to_string();
            match session.alpaca.submit_order(ticket).await {
                Err(BrokerError::Rejected(rejection)) => assert_eq!(rejection.class, class, "{name}: {rejection}"),
                other => panic!("{name}: {other:?}"),
            }
        }
        // A stop holds the shares of a position, and an order on the other side would trade with it.
        session.alpaca.submit_order(buy("p-1", "AAPL", 10.0)).await.unwrap();
        session.server.fill("p-1", "10", "100");
        session.until_ended("p-1", 1).await;
        let stop = ticket_of("p-2", "AAPL", Side::Sell, 10.0, OrderKind::Stop { stop: 95.0 }, TimeInForce::Gtc);
        session.alpaca.submit_order(stop).await.unwrap();
        for (ticket, class) in [
            (sell("p-3", "AAPL", 10.0), RejectClass::InsufficientShares),
            (buy("p-4", "AAPL", 1.0), RejectClass::WashTrade),
        ] {
            match session.alpaca.submit_order(ticket).await {
                Err(BrokerError::Rejected(rejection)) => assert_eq!(rejection.class, class, "{rejection}"),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(session.server.with(|desk| desk.orders.len()), 2);
    });
}

#[test]
fn what_cannot_be_taken_is_not_sent() {
    run(async {
        let session = Session::start(Setup::default()).await;
        let fraction = ticket_of("c-1", "AAPL", Side::Buy, 0.5, OrderKind::Market, TimeInForce::Gtc);
        let trailing = OrderKind::TrailingStop { trail: Trail::Amount(1.0), stop: Some(90.0) };
        for ticket in [fraction, ticket_of("c-2", "AAPL", Side::Sell, 1.0, trailing, TimeInForce::Day)] {
            let refused = session.alpaca.submit_order(ticket).await.unwrap_err();
            assert!(matches!(refused, BrokerError::Unsupported(_)), "{refused:?}");
        }
        assert_eq!(session.server.count("POST /v2/orders"), 0);
    });
}

#[test]
fn a_cancel_is_a_request_and_its_end_an_event() {
    run(async {
        let mut session = Session::start(Setup::default()).await;
        session.alpaca.submit_order(limit("c-1", "AAPL", Side::Buy, 10.0, 90.0)).await.unwrap();
        session.server.fill("c-1", "3", "90");
        assert_eq!(session.alpaca.cancel_order(id("c-1")).await, Ok(CancelOutcome::Requested));
        let seen = session.until_ended("c-1", 1).await;
        assert_eq!(state(&seen, "c-1"), Some(OrderState::Canceled));
        assert_eq!(session.alpaca.cancel_order(id("c-1")).await, Ok(CancelOutcome::AlreadyFinal));
        let unknown = session.alpaca.cancel_order(id("c-9")).await.unwrap_err();
        assert!(matches!(unknown, BrokerError::NotFound(_)), "{unknown:?}");
    });
}

#[test]
fn a_cancel_whose_answer_is_lost_is_repeated() {
    run(async {
        let mut session = Session::start(Setup::default()).await;
        session.alpaca.submit_order(limit("c-1", "AAPL", Side::Buy, 10.0, 90.0)).await.unwrap();
        session.server.fault("DELETE /v2/orders", Fault::LoseAnswer);
        assert_eq!(session.alpaca.cancel_order(id("c-1")).await, Ok(CancelOutcome::AlreadyFinal));
        session.until_ended("c-1", 0).await;
        assert_eq!(session.server.count("GET /v2/orders:by_client_order_id"), 1);
    });
}

#[test]
fn all_open_orders_can_be_canceled_at_once() {
    run(async {
        let mut session = Session::start(Setup::default()).await;
        for (name, symbol) in [("c-1", "AAPL"), ("c-2", "MSFT")] {
            session.alpaca.submit_order(limit(name, symbol, Side::Buy, 10.0, 90.0)).await.unwrap();
        }
        assert_eq!(session.alpaca.cancel_all_orders().await, Ok(2));
        session
            .until("both end", |seen| {
                orders(seen).filter(|report| report.status == Status::State(OrderState::Canceled)).count() == 2
            })
            .await;
        assert_eq!(session.alpaca.cancel_all_orders().await, Ok(0));
    });
}

#[test]
fn a_replacement_is_a_new_order_for_what_is_not_filled() {
    run(async {
        let mut session = Session::start(Setup::default()).await;
        session.alpaca.submit_order(limit("c-1", "AAPL", Side::Buy, 10.0, 90.0)).await.unwrap();
        session.server.fill("c-1", "3", "90");
        session.until("the fill", |seen| !executions(seen, "c-1").is_empty()).await;
        session.server.fault("PATCH", Fault::LoseAnswer);
        let new = session.alpaca.replace_order(id("c-1"), replacement("c-2", None, Some(91.0))).await.unwrap();
        assert_eq!((new.client_id.as_str(), new.qty), ("c-2", Some(decimal("7"))));
        let seen = session.until_ended("c-1", 0).await;
        let old = orders(&seen).rfind(|report| report.client_id == "c-1").unwrap();
        assert_eq!(old.status, Status::State(OrderState::Replaced));
        assert_eq!(old.replaced_by.as_ref(), Some(&new.broker_id));
        session.server.fill("c-2", "7", "91");
        let seen = session.until_ended("c-2", 1).await;
        assert_eq!(sizes(&executions(&seen, "c-2")), [(decimal("7"), decimal("91"))]);
        assert_eq!(session.server.count("PATCH /v2/orders"), 0, "the path has the broker's number");
        assert_eq!(session.server.with(|desk| (desk.orders.len(), desk.position("AAPL"))), (2, decimal("10")));
        let late = session.alpaca.replace_order(id("c-2"), replacement("c-3", None, Some(92.0))).await.unwrap_err();
        assert!(matches!(late, BrokerError::Unsupported(_)), "{late:?}");
    });
}

#[test]
fn a_server_that_is_not_there_is_a_network_error_and_there_is_no_order() {
    run(async {
        let server = LocalAlpaca::start(Setup::default());
        let alpaca = Alpaca::new(options(&server)).unwrap();
        drop(server);
        let error = alpaca.submit_order(buy("c-1", "AAPL", 1.0)).await.unwrap_err();
        assert!(matches!(error, BrokerError::Network { .. }), "{error:?}");
        assert!(error.is_definite());
    });
}

#[test]
fn numbers_that_no_broker_has_are_not_understood_and_overflow_nothing() {
    const HUGE: &str = r#"{"id":"x","client_order_id":"c-1","symbol":"AAPL","side":"buy","qty":"1","status":"filled",
        "filled_qty":"79228162514264337593543950335"}"#;
    run(async {
        let mut session = Session::start(Setup::default()).await;
        session.server.fault("POST /v2/orders", answer(200, HUGE, true));
        session.alpaca.submit_order(buy("c-1", "AAPL", 1.0)).await.unwrap();
        session.server.say(true, &format!(r#"{{"stream":"trade_updates","data":{{"event":"fill","order":{HUGE}}}}}"#));
        session.server.fill("c-1", "1", "100");
        session.until_ended("c-1", 1).await;
    });
}

#[test]
fn redirections_are_not_followed() {
    run(async {
        let elsewhere = LocalAlpaca::start(Setup::default());
        let server = LocalAlpaca::start(Setup::default());
        let location = vec![("location", format!("{}/v2/account", elsewhere.url()))];
        server.fault("GET /v2/account", Fault::Answer { status: 302, headers: location, body: "", done: false });
        let alpaca = Alpaca::new(options(&server)).unwrap();
        let error = alpaca.get_account_info().await.unwrap_err();
        assert!(error.to_string().contains("redirection"), "{error}");
        assert!(elsewhere.arrivals().is_empty(), "the credentials went elsewhere");
    });
}
