//! Streams: what they swallow, the records give back; what they say twice, comes once.

use std::time::Duration;

use tradebot::brokers::{Broker, BrokerBar, BrokerEvent, OrderBook, Overlay, Status, Stream, Watchlist};
use tradebot::market::{MINUTE, Nanos, parse_time};
use tradebot::trading::{OrderState, Side};

use super::{Session, both_up, buy, decimal, eventually, executions, id, limit, options, orders, run, sizes, state};
use crate::local_alpaca::{FeedBar, LocalAlpaca, Setup, StreamFault};

fn down(seen: &[BrokerEvent], stream: Stream) -> Option<&str> {
    seen.iter().find_map(|event| match event {
        BrokerEvent::StreamDown { stream: down, why } if *down == stream => Some(why.as_str()),
        _ => None,
    })
}

fn is_up(stream: Stream) -> impl Fn(&[BrokerEvent]) -> bool {
    move |seen| seen.contains(&BrokerEvent::StreamUp { stream })
}

#[test]
fn what_happened_during_an_interruption_is_caught_up_before_the_stream_counts_as_up() {
    run(async {
        let mut session = Session::start(Setup::default()).await;
        for name in ["c-1", "c-2", "c-3"] {
            session.alpaca.submit_order(limit(name, "AAPL", Side::Buy, 10.0, 90.0)).await.unwrap();
        }
        session.server.fill("c-1", "2", "90");
        session.until("the first fill", |seen| !executions(seen, "c-1").is_empty()).await;
        session.server.refuse_streams(true);
        session.server.cut_streams();
        session.until("the stream is down", |seen| down(seen, Stream::Orders).is_some()).await;
        session.server.fill("c-1", "3", "89.99");
        session.server.fill("c-1", "5", "89.98");
        session.server.fill("c-2", "1", "89.97");
        let other = session.server.with(|desk| {
            let order = desk.order_by_client_id("c-3").unwrap().id.clone();
            desk.cancel(&order).unwrap();
            order
        });
        assert!(!other.is_empty());
        session.server.refuse_streams(false);
        let seen = session.until("the stream is up", is_up(Stream::Orders)).await;
        let booked = sizes(&executions(&seen, "c-1"));
        assert_eq!(booked, [(decimal("3"), decimal("89.99")), (decimal("5"), decimal("89.98"))]);
        assert_eq!(sizes(&executions(&seen, "c-2")), [(decimal("1"), decimal("89.97"))]);
        assert_eq!(state(&seen, "c-1"), Some(OrderState::Filled));
        assert_eq!(state(&seen, "c-3"), Some(OrderState::Canceled));
        let positions = seen.iter().find_map(|event| match event {
            BrokerEvent::Positions(positions) => Some(positions),
            _ => None,
        });
        assert_eq!(positions.unwrap()[0].qty, decimal("11"));
        // The fill that had come by the stream comes no second time from the records, under another number.
        session.server.cut_streams();
        let seen = session.until("the stream is up again", is_up(Stream::Orders)).await;
        assert!(executions(&seen, "c-1").is_empty() && executions(&seen, "c-2").is_empty());
    });
}

#[test]
fn messages_that_are_dropped_doubled_or_out_of_order_change_nothing_in_the_end() {
    for fault in [StreamFault::Drop, StreamFault::Duplicate, StreamFault::Reorder, StreamFault::Cut] {
        for message in 0..4 {
            run(async {
                let mut session = Session::start(Setup::default()).await;
                session.alpaca.submit_order(buy("c-1", "AAPL", 10.0)).await.unwrap();
                let parts = [("3", "100"), ("3", "101"), ("4", "102")];
                for (n, (qty, price)) in parts.into_iter().enumerate() {
                    if n == message {
                        session.server.stream_fault(fault);
                    }
                    session.server.fill("c-1", qty, price);
                }
                let seen = session.until_ended("c-1", 3).await;
                let booked = sizes(&executions(&seen, "c-1"));
                assert_eq!(booked, parts.map(|(qty, price)| (decimal(qty), decimal(price))), "{fault:?} of {message}");
            });
        }
    }
}

#[test]
fn a_stream_that_says_nothing_while_it_is_connected_is_noticed_by_the_poll() {
    run(async {
        let mut session = Session::start(Setup::default()).await;
        session.alpaca.submit_order(buy("c-1", "AAPL", 10.0)).await.unwrap();
        for _ in 0..4 {
            session.server.stream_fault(StreamFault::Drop);
        }
        session.server.fill("c-1", "10", "100");
        let seen = session.until_ended("c-1", 1).await;
        assert_eq!(down(&seen, Stream::Orders), None);
        assert_eq!(executions(&seen, "c-1").len(), 1);
    });
}

/// A session that takes so many milliseconds of silence for the end.
async fn with_silence(silence: u64) -> Session {
    let server = LocalAlpaca::start(Setup::default());
    let mut options = options(&server);
    options.timing.silence = Duration::from_millis(silence);
    Session::with(server, options, OrderBook::new(), Watchlist::default()).await
}

#[test]
fn a_connection_without_even_a_pong_counts_as_down() {
    run(async {
        let mut session = with_silence(300).await;
        session.server.mute_streams(true);
        let seen = session.until("silence", |seen| down(seen, Stream::Orders).is_some()).await;
        assert!(down(&seen, Stream::Orders).unwrap().contains("silent"), "{seen:?}");
        session.server.mute_streams(false);
        session.until("it is back", is_up(Stream::Orders)).await;
    });
}

#[test]
fn a_quiet_stream_that_answers_pings_stays_up() {
    run(async {
        let mut session = with_silence(1000).await;
        tokio::time::sleep(Duration::from_millis(1200)).await;
        assert_eq!(session.events.try_next(), None);
        assert_eq!(session.server.connections(), (1, 1));
    });
}

#[test]
fn text_frames_are_understood_as_binary_ones_are() {
    run(async {
        let mut session = Session::start(Setup { binary_frames: false, ..Setup::default() }).await;
        session.alpaca.submit_order(buy("c-1", "AAPL", 1.0)).await.unwrap();
        session.server.fill("c-1", "1", "100");
        session.until_ended("c-1", 1).await;
    });
}

#[test]
fn nonsense_on_a_stream_is_reported_and_the_stream_goes_on() {
    run(async {
        let mut session = Session::start(Setup::default()).await;
        for (to_orders, text) in [
            (true, "nonsense"),
            (true, r#"{"stream":"trade_updates","data":{"event":"fill"}}"#),
            (true, r#"{"stream":"trade_updates"}"#),
            (true, r#"{"stream":"weather","data":{"sun":1}}"#),
            (false, "nonsense"),
            (false, r#"[{"T":"b","S":"AAPL","t":"yesterday","o":1,"h":1,"l":1,"c":1,"v":1}]"#),
            (false, r#"[{"T":"q","S":"AAPL","bp":true}]"#),
            (false, r#"[{"T":"x"},{"T":"error","code":405,"msg":"symbol limit exceeded"}]"#),
        ] {
            session.server.say(to_orders, text);
        }
        let warnings = |seen: &[BrokerEvent]| {
            seen.iter().filter(|event| matches!(event, BrokerEvent::StreamWarning { .. })).count()
        };
        session.until("six warnings", |seen| warnings(seen) == 6).await;
        session.alpaca.submit_order(buy("c-1", "AAPL", 1.0)).await.unwrap();
        session.server.fill("c-1", "1", "100");
        let seen = session.until_ended("c-1", 1).await;
        assert_eq!(down(&seen, Stream::Orders), None);
    });
}

#[test]
fn every_status_word_comes_through_and_unknown_ones_change_nothing() {
    use OrderState::*;
    let plain = |state| Some((state, None));
    let overlay = |overlay| Some((Accepted, Some(overlay)));
    let words = [
        ("accepted", plain(Accepted)),
        ("pending_new", plain(Accepted)),
        ("accepted_for_bidding", plain(Accepted)),
        ("held", plain(Accepted)),
        ("pending_review", plain(Accepted)),
        ("new", plain(Working)),
        ("stopped", plain(Working)),
        ("suspended", plain(Working)),
        ("calculated", plain(Working)),
        ("partially_filled", plain(PartiallyFilled)),
        ("filled", plain(Filled)),
        ("canceled", plain(Canceled)),
        ("expired", plain(Expired)),
        ("rejected", plain(Rejected)),
        ("replaced", plain(Replaced)),
        ("pending_cancel", overlay(Overlay::PendingCancel)),
        ("pending_replace", overlay(Overlay::PendingReplace)),
        ("done_for_day", overlay(Overlay::DoneForDay)),
        ("sublimated", None),
    ];
    run(async {
        let mut session = Session::start(Setup::default()).await;
        for (n, (word, expected)) in words.into_iter().enumerate() {
            // An order of somebody else, as the records and the stream have it.
            let name = format!("w-{n}");
            session.server.with(|desk| {
                let body = serde_json::json!({"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market",
                    "time_in_force": "day", "client_order_id": name});
                let (status, order) = desk.post_order(&body);
                assert_eq!(status, 200, "{order}");
                desk.take_pushes();
                desk.set_status(&name, word);
                desk.push_event(order["id"].as_str().unwrap(), word, None);
            });
            let seen = session.until(word, |seen| orders(seen).any(|order| order.client_id == name)).await;
            let mut book = OrderBook::new();
            book.apply(orders(&seen).last().unwrap());
            let streamed = book.get(&name).unwrap().clone();
            let record = session.alpaca.get_order_by_client_id(id(&name)).await.unwrap().unwrap();
            let mut book = OrderBook::new();
            book.apply(&record);
            let recorded = book.get(&name).unwrap();
            for order in [&streamed, recorded] {
                assert_eq!((order.state, order.overlay), expected.unwrap_or((Accepted, None)), "{word}");
            }
            if expected.is_none() {
                assert_eq!(record.status, Status::Unknown(word.into()));
            }
            session.server.with(|desk| desk.set_status(&name, "canceled"));
        }
    });
}

#[test]
fn a_restart_with_the_book_of_before_reports_only_what_is_new() {
    run(async {
        let mut session = Session::start(Setup::default()).await;
        let mut book = OrderBook::new();
        session.alpaca.submit_order(limit("c-1", "AAPL", Side::Buy, 10.0, 90.0)).await.unwrap();
        session.server.fill("c-1", "4", "90");
        let seen = session.until("the fill", |seen| !executions(seen, "c-1").is_empty()).await;
        orders(&seen).for_each(|report| drop(book.apply(report)));
        // Killed while a second order is on its way, of which the answer was never read.
        book.submitting(&buy("c-2", "MSFT", 1.0), session.server.now()());
        let Session { server, alpaca, events } = session;
        alpaca.submit_order(buy("c-2", "MSFT", 1.0)).await.unwrap();
        drop((alpaca, events));
        server.fill("c-1", "6", "89.99");
        server.fill("c-2", "1", "100");
        let adapter_options = options(&server);
        let alpaca = tradebot::brokers::alpaca::Alpaca::new(adapter_options).unwrap();
        let events = alpaca.connect(book, Watchlist::default()).await.unwrap();
        let mut session = Session { server, alpaca, events };
        let seen = session.until("both streams are up", both_up).await;
        assert_eq!(sizes(&executions(&seen, "c-1")), [(decimal("6"), decimal("89.99"))]);
        assert_eq!(sizes(&executions(&seen, "c-2")), [(decimal("1"), decimal("100"))]);
        assert_eq!(session.server.with(|desk| desk.orders.len()), 2);
    });
}

/// A bar of the minute that starts at `start`.
fn bar(symbol: &str, start: Nanos, close: &str) -> FeedBar {
    let price = decimal(close);
    FeedBar { symbol: symbol.into(), start, open: price, high: price, low: price, close: price, volume: 100 }
}

fn bars(seen: &[BrokerEvent]) -> Vec<&BrokerBar> {
    seen.iter()
        .filter_map(|event| match event {
            BrokerEvent::Bar(bar) => Some(bar),
            _ => None,
        })
        .collect()
}

async fn watching(symbols: &[&str]) -> Session {
    let server = LocalAlpaca::start(Setup::default());
    let symbols: Vec<String> = symbols.iter().map(|symbol| symbol.to_string()).collect();
    let watch = Watchlist { bars: symbols.clone(), quotes: symbols };
    let options = options(&server);
    Session::with(server, options, OrderBook::new(), watch).await
}

#[test]
fn bars_quotes_halts_and_corrections_arrive_for_the_symbols_that_are_watched() {
    run(async {
        let mut session = watching(&["AAPL"]).await;
        let start = parse_time("2024-03-26T14:00:00Z").unwrap();
        session.server.feed([bar("AAPL", start, "171.35"), bar("MSFT", start, "420.1")]);
        assert!(session.server.step() && !session.server.step());
        session.server.with(|desk| {
            desk.update_bar(bar("AAPL", start, "171.36"));
            desk.trading_status("AAPL", "H");
            desk.trading_status("MSFT", "H");
            desk.trading_status("AAPL", "T");
        });
        let is_end = |event: &BrokerEvent| matches!(event, BrokerEvent::TradingStatus(status) if status.trading);
        let seen = session.until("the halt ends", |seen| seen.iter().any(is_end)).await;
        let arrived = bars(&seen);
        assert_eq!(arrived.len(), 1);
        assert_eq!((arrived[0].start, arrived[0].close), (start, decimal("171.35")));
        let has = |expected: &str, is_it: &dyn Fn(&BrokerEvent) -> bool| {
            assert!(seen.iter().any(is_it), "{expected}: {seen:#?}");
        };
        has("corrected bar", &|event| matches!(event, BrokerEvent::UpdatedBar(bar) if bar.close == decimal("171.36")));
        has(
            "halt",
            &|event| matches!(event, BrokerEvent::TradingStatus(status) if !status.trading && status.code == "H"),
        );
        has("quote", &|event| matches!(event, BrokerEvent::Quote(quote) if quote.bid == decimal("171.34")));
        for event in &seen {
            assert!(!format!("{event:?}").contains("MSFT"), "{event:?}");
        }
    });
}

#[test]
fn bars_that_an_interruption_swallowed_come_in_order_and_once() {
    run(async {
        let mut session = watching(&["AAPL", "MSFT"]).await;
        let start = parse_time("2024-03-26T14:00:00Z").unwrap();
        for minute in 0..8 {
            let time = start + minute * MINUTE;
            session.server.feed([bar("AAPL", time, &format!("17{minute}")), bar("MSFT", time, &format!("42{minute}"))]);
        }
        session.server.step();
        session.server.step();
        let mut seen = session.until("two minutes", |seen| bars(seen).len() == 4).await;
        session.server.refuse_streams(true);
        session.server.cut_streams();
        seen.extend(session.until("it is down", |seen| down(seen, Stream::MarketData).is_some()).await);
        for _ in 0..3 {
            session.server.step();
        }
        session.server.refuse_streams(false);
        seen.extend(session.until("it is up", is_up(Stream::MarketData)).await);
        while session.server.step() {}
        let rest = 16 - bars(&seen).len();
        seen.extend(session.until("the rest", |seen| bars(seen).len() == rest).await);
        for (symbol, first) in [("AAPL", 170), ("MSFT", 420)] {
            let closes: Vec<_> =
                bars(&seen).into_iter().filter(|bar| bar.symbol == symbol).map(|bar| bar.close).collect();
            let expected: Vec<_> = (first..first + 8).map(|close| decimal(&close.to_string())).collect();
            assert_eq!(closes, expected, "{symbol}");
        }
        let times: Vec<Nanos> = bars(&seen).iter().map(|bar| bar.start).collect();
        assert!(times.is_sorted(), "{times:?}");
    });
}

#[test]
fn too_many_quotes_are_told_and_bars_arrive_all_the_same() {
    run(async {
        let server = LocalAlpaca::start(Setup::default());
        let quotes = (0..31).map(|n| format!("S{n}")).collect();
        let watch = Watchlist { bars: vec!["AAPL".into()], quotes };
        let options = options(&server);
        let alpaca = tradebot::brokers::alpaca::Alpaca::new(options).unwrap();
        let events = alpaca.connect(OrderBook::new(), watch).await.unwrap();
        let mut session = Session { server, alpaca, events };
        let seen = session.until("both are up", both_up).await;
        let is_told =
            |event: &BrokerEvent| matches!(event, BrokerEvent::StreamWarning { why, .. } if why.contains("405"));
        assert!(seen.iter().any(is_told), "{seen:?}");
        session.server.feed([bar("AAPL", parse_time("2024-03-26T14:00:00Z").unwrap(), "171")]);
        session.server.step();
        session.until("the bar", |seen| bars(seen).len() == 1).await;
    });
}

#[test]
fn the_list_of_what_is_watched_can_be_changed() {
    run(async {
        let mut session = watching(&["AAPL", "MSFT"]).await;
        let new = Watchlist { bars: vec!["MSFT".into(), "TSLA".into()], quotes: vec![] };
        session.alpaca.watch(new).await.unwrap();
        eventually(&session.server, "it is known", |server| server.watched("bars") == ["MSFT", "TSLA"]).await;
        let start = parse_time("2024-03-26T14:00:00Z").unwrap();
        session.server.feed(["AAPL", "MSFT", "TSLA"].map(|symbol| bar(symbol, start, "50")));
        session.server.step();
        let seen = session.until("two bars", |seen| bars(seen).len() == 2).await;
        let symbols: Vec<&str> = bars(&seen).iter().map(|bar| bar.symbol.as_str()).collect();
        assert_eq!(symbols, ["MSFT", "TSLA"]);
    });
}

#[test]
fn streams_end_when_nobody_listens_any_more_and_begin_again_for_the_next() {
    run(async {
        let server = LocalAlpaca::start(Setup::default());
        let options = options(&server);
        let watch = Watchlist { bars: vec!["AAPL".into()], quotes: vec![] };
        let session = Session::with(server, options, OrderBook::new(), watch.clone()).await;
        eventually(&session.server, "it is watched", |server| server.watched("bars") == ["AAPL"]).await;
        let Session { server, alpaca, events } = session;
        drop(events);
        eventually(&server, "nothing is watched", |server| server.watched("bars").is_empty()).await;
        assert!(alpaca.get_account_info().await.is_ok(), "questions are answered all the same");
        let events = alpaca.connect(OrderBook::new(), watch).await.unwrap();
        let mut session = Session { server, alpaca, events };
        session.until("both streams are up", both_up).await;
        eventually(&session.server, "it is watched again", |server| server.watched("bars") == ["AAPL"]).await;
    });
}

#[test]
fn a_connection_limit_is_told_and_waited_out() {
    run(async {
        let server = LocalAlpaca::start(Setup::default());
        server.refuse_data_streams(2);
        let options = options(&server);
        let alpaca = tradebot::brokers::alpaca::Alpaca::new(options).unwrap();
        let events = alpaca.connect(OrderBook::new(), Watchlist::default()).await.unwrap();
        let mut session = Session { server, alpaca, events };
        let seen = session.until("both are up", both_up).await;
        let why = down(&seen, Stream::MarketData).unwrap();
        assert!(why.contains("406") && why.contains("another connection"), "{why}");
        let downs = seen.iter().filter(|event| matches!(event, BrokerEvent::StreamDown { .. })).count();
        assert_eq!(downs, 1, "the same reason is told once");
        assert_eq!(session.server.connections(), (1, 3));
    });
}
