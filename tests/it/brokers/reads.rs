//! Questions: pages, times, signs.

use tradebot::brokers::alpaca::Alpaca;
use tradebot::brokers::{BarQuery, BarSize, Broker, BrokerEvent, OrderBook, SessionHours, Watchlist};
use tradebot::market::{MINUTE, parse_date, parse_time};
use tradebot::trading::OrderState;

use super::{Session, buy, decimal, options, run, sell, state};
use crate::local_alpaca::{AtMarket, FeedBar, LocalAlpaca, Setup};

#[test]
fn account_positions_and_assets_are_as_the_broker_has_them() {
    run(async {
        let session = Session::start(Setup { filler: Box::new(AtMarket), ..Setup::default() }).await;
        session.alpaca.submit_order(buy("c-1", "AAPL", 10.5)).await.unwrap();
        session.alpaca.submit_order(sell("c-2", "MSFT", 4.0)).await.unwrap();
        let positions = session.alpaca.get_positions().await.unwrap();
        let held: Vec<_> =
            positions.iter().map(|p| (p.symbol.as_str(), p.qty, p.qty_available, p.average_entry_price)).collect();
        assert_eq!(
            held,
            [
                ("AAPL", decimal("10.5"), decimal("10.5"), decimal("100.01")),
                ("MSFT", decimal("-4"), decimal("-4"), decimal("99.99")),
            ]
        );
        let account = session.alpaca.get_account_info().await.unwrap();
        // 100,000 - 10.5 x 100.01 + 4 x 99.99
        assert_eq!(account.cash, decimal("99349.855"));
        // Valued in the middle, 100.00: 99,349.855 + 1050 - 400
        assert_eq!(account.equity, decimal("99999.855"));
        assert!(account.is_tradable() && account.shorting_enabled);
        assert_eq!((account.pattern_day_trader, account.day_trades), (None, None));
        let assets = session.alpaca.get_assets().await.unwrap();
        assert_eq!(
            assets.iter().map(|asset| asset.symbol.as_str()).collect::<Vec<_>>(),
            ["AAPL", "MSFT", "SPY", "TSLA"]
        );
        assert!(session.alpaca.get_asset("TSLA".into()).await.unwrap().unwrap().easy_to_borrow);
        assert_eq!(session.alpaca.get_asset("NO/NE".into()).await.unwrap(), None);
        let quotes = session.alpaca.get_latest_quotes(vec!["AAPL".into(), "NONE".into()]).await.unwrap();
        assert_eq!(quotes.len(), 1);
        assert_eq!((quotes[0].bid, quotes[0].ask), (decimal("99.99"), decimal("100.01")));
    });
}

#[test]
fn hours_are_new_york_wall_times_and_follow_daylight_saving_and_half_days() {
    run(async {
        let server = LocalAlpaca::start(Setup::default());
        let alpaca = Alpaca::new(options(&server)).unwrap();
        let clock = alpaca.get_clock().await.unwrap();
        assert!(clock.is_open);
        assert_eq!(clock.time, parse_time("2024-03-26T14:00:00Z").unwrap());
        assert_eq!(clock.next_close, parse_time("2024-03-26T20:00:00Z").unwrap());
        assert_eq!(clock.next_open, parse_time("2024-03-27T13:30:00Z").unwrap());
        let days = |from: &str, to: &str| {
            let (from, to) = (parse_date(from).unwrap(), parse_date(to).unwrap());
            let alpaca = &alpaca;
            async move { alpaca.get_calendar(from, to).await.unwrap() }
        };
        let hours = |date: &str, open: &str, close: &str| SessionHours {
            date: parse_date(date).unwrap(),
            open: parse_time(&format!("{date}T{open}:00Z")).unwrap(),
            close: parse_time(&format!("{date}T{close}:00Z")).unwrap(),
        };
        assert_eq!(
            days("2024-03-08", "2024-03-11").await,
            [hours("2024-03-08", "14:30", "21:00"), hours("2024-03-11", "13:30", "20:00")]
        );
        assert_eq!(days("2024-07-03", "2024-07-04").await, [hours("2024-07-03", "13:30", "17:00")]);
    });
}

#[test]
fn more_orders_than_a_page_holds_are_all_found_once() {
    run(async {
        let session = Session::start(Setup::default()).await;
        let since = session.server.with(|desk| desk.now());
        session.server.with(|desk| {
            for n in 0..1203 {
                // Several orders share an instant.
                if n % 7 == 0 {
                    desk.advance(desk.now() + 1_000_000);
                }
                let body = serde_json::json!({"symbol": "AAPL", "qty": "0.01", "side": "buy", "type": "market",
                    "time_in_force": "day", "client_order_id": format!("o-{n:04}")});
                assert_eq!(desk.post_order(&body).0, 200);
            }
        });
        let orders = session.alpaca.get_orders_since(since).await.unwrap();
        let names: Vec<&str> = orders.iter().map(|order| order.client_id.as_str()).collect();
        assert_eq!(names.len(), 1203);
        assert!(names.is_sorted());
        assert_eq!(session.alpaca.get_open_orders().await.unwrap().len(), 1203);
        let after = session.server.with(|desk| desk.now()) + 1;
        assert_eq!(session.alpaca.get_orders_since(after).await.unwrap(), []);
    });
}

#[test]
fn more_executions_than_a_page_holds_are_all_found_oldest_first() {
    run(async {
        let session = Session::start(Setup::default()).await;
        session.alpaca.submit_order(buy("c-1", "AAPL", 260.0)).await.unwrap();
        let mut middle = 0;
        for n in 1..=260 {
            session.server.with(|desk| desk.advance(desk.now() + 1_000_000));
            if n == 131 {
                middle = session.server.with(|desk| desk.now());
            }
            session.server.fill("c-1", "1", "100");
        }
        let all = session.alpaca.get_executions_since(0).await.unwrap();
        let reached: Vec<_> = all.iter().map(|(_, execution)| execution.cumulative.unwrap()).collect();
        let expected: Vec<_> = (1..=260).map(|n| decimal(&n.to_string())).collect();
        assert_eq!(reached, expected);
        assert_eq!(session.server.count("GET /v2/account/activities"), 3);
        let half = session.alpaca.get_executions_since(middle).await.unwrap();
        assert_eq!(half.len(), 130);
        assert_eq!(session.server.count("GET /v2/account/activities"), 5, "it stops at the first page that is older");
    });
}

#[test]
fn more_bars_than_a_page_holds_are_all_found_with_the_digits_they_were_sent_with() {
    run(async {
        let server = LocalAlpaca::start(Setup::default());
        let start = parse_time("2024-03-25T13:30:00Z").unwrap();
        server.with(|desk| {
            for (symbol, count) in [("AAPL", 6000), ("MSFT", 6000), ("SPY", 1)] {
                let bars = (0..count).map(|n| {
                    let price = decimal("170.1") + decimal(&format!("0.00{n}"));
                    FeedBar {
                        symbol: symbol.into(),
                        start: start + n * MINUTE,
                        open: price,
                        high: price,
                        low: price,
                        close: price,
                        volume: 100,
                    }
                });
                desk.market.bars.insert(symbol.into(), bars.collect());
            }
        });
        server.advance_to(start + 7000 * MINUTE);
        let alpaca = Alpaca::new(options(&server)).unwrap();
        let symbols: Vec<String> = ["MSFT", "NONE", "AAPL", "SPY"].map(String::from).to_vec();
        let query = BarQuery { symbols, size: BarSize::Minute, from: start, to: start + 6000 * MINUTE };
        let bars = alpaca.get_bars(query.clone()).await.unwrap();
        assert_eq!(bars.len(), 12_001);
        assert!(bars.windows(2).all(|two| (&two[0].symbol, two[0].start) < (&two[1].symbol, two[1].start)));
        assert_eq!(bars[5999].close, decimal("170.1") + decimal("0.005999"));
        assert_eq!(server.count("GET /v2/stocks/bars"), 2);
        let two = BarQuery {
            size: BarSize::Minute,
            from: start + MINUTE,
            to: start + 2 * MINUTE,
            symbols: vec!["AAPL".into()],
        };
        assert_eq!(alpaca.get_bars(two).await.unwrap().len(), 2, "both ends are included");
        assert_eq!(alpaca.get_bars(BarQuery { symbols: vec![], ..query }).await.unwrap(), []);
    });
}

#[test]
fn a_day_plays_minute_by_minute_and_orders_fill_as_its_filler_decides() {
    run(async {
        let now = parse_time("2024-03-26T13:30:00Z").unwrap();
        let server = LocalAlpaca::start(Setup { now, filler: Box::new(AtMarket), ..Setup::default() });
        let watch = Watchlist { bars: vec!["AAPL".into()], quotes: vec![] };
        let options = options(&server);
        let mut session = Session::with(server, options, OrderBook::new(), watch).await;
        session.server.feed((0..390).map(|minute| {
            let price = decimal("100") - decimal("0.05") * decimal(&minute.to_string());
            FeedBar {
                symbol: "AAPL".into(),
                start: now + minute * MINUTE,
                open: price,
                high: price + decimal("0.03"),
                low: price - decimal("0.03"),
                close: price,
                volume: 1000,
            }
        }));
        let resting = super::limit("c-1", "AAPL", tradebot::trading::Side::Buy, 5.0, 95.0);
        session.alpaca.submit_order(resting).await.unwrap();
        session.alpaca.submit_order(super::limit("c-2", "AAPL", tradebot::trading::Side::Buy, 5.0, 1.0)).await.unwrap();
        while session.server.step() {}
        let is_bar = |event: &&BrokerEvent| matches!(event, BrokerEvent::Bar(_));
        let is_over = |seen: &[BrokerEvent]| {
            seen.iter().filter(is_bar).count() == 390 && state(seen, "c-2").is_some_and(OrderState::is_final)
        };
        let seen = session.until("the end of the day", is_over).await;
        let executions = super::executions(&seen, "c-1");
        assert_eq!(super::sizes(&executions), [(decimal("5"), decimal("95"))]);
        // 100 - 0.05 x 100 = 95.00 in the 101st minute; its low reaches 94.97, and the bar before only 95.02.
        assert_eq!(executions[0].time, now + 101 * MINUTE);
        assert_eq!(state(&seen, "c-2"), Some(OrderState::Expired));
        assert!(!session.alpaca.get_clock().await.unwrap().is_open);
    });
}
