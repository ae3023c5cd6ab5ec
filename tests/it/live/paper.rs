//! Our own paper: the market data of a broker and the simulated venue, in the real program, which is killed in between.

use std::path::Path;

use serde_json::json;
use tradebot::data::{LoadOptions, Source, load};
use tradebot::market::SECOND;
use tradebot::session::Input;
use tradebot::session::journal::{Record, read};

use super::four_ways::{as_a_broker_tells, backtest, order_of, replay_orders, settings};
use super::traded::{FEED, put_settings, set_up};
use super::{ADMIN, Live, until};
use crate::local_alpaca::Setup;
use crate::market_feed::{bars, before_the_open, universe};

/// How often the session has had market data.
fn ups(journal: &Path) -> usize {
    let up = |record: &&Record| matches!(record, Record::In(Input::MarketData { up: true, .. }));
    read(journal).unwrap().records.iter().filter(up).count()
}

#[test]
fn a_day_on_paper_has_the_orders_of_its_backtest_and_sends_not_one_to_the_broker() {
    let mut options = LoadOptions::new(Source::Named("generated_minutes".to_string()));
    options.symbols = Some(["SIM01", "SIM02", "SIM03", "SIM04", "SIM05", "SIM06"].map(String::from).to_vec());
    let market = as_a_broker_tells(load(&options).unwrap());
    let day = market.days.len() - 1;
    let server = before_the_open(&market, day, Setup::default());
    let mut live = Live::start_on(tempfile::tempdir().unwrap(), &FEED);
    set_up(&live, server.url(), &universe(market.days[day].date, &market.symbols));
    let mut admin = live.logged_in(ADMIN);
    let mut values = settings();
    // The window of an hour is enough.
    values["STRATEGY_SEQUENCE"] = json!(["open"]);
    put_settings(&mut admin, values);
    let reply = admin.json("POST", "/api/v1/control/start", &json!({ "mode": "paper" }));
    assert_eq!(reply.status, 200, "{}", reply.text());
    let session = format!("output/ACME_US_ALPACA_BOT1/sessions/{}", reply.json()["session"].as_str().unwrap());
    let of = |live: &Live, file: &str| live.data().join(&session).join(file);
    let mut seen = 0;
    for (k, step) in (market.days[day].first_step..market.days[day].end_step).enumerate() {
        if [1, 24, 41].contains(&k) {
            live.kill("core");
            let (_, folder) = live.ended();
            let before = ups(&folder.path().join(&session).join("journal"));
            live = Live::start_on(folder, &FEED);
            // What passes before the stream is up again is fetched, and too old to act on: so nothing does.
            until("the stream", || (ups(&of(&live, "journal")) > before).then_some(()));
        }
        server.feed(bars(&market, day, step));
        assert!(server.step());
        seen += market.bars_at(day, step).len();
        let (journal, summary) = (of(&live, "journal"), of(&live, "session.json"));
        until("the bars", || {
            let records = read(&journal).map(|contents| contents.records).unwrap_or_default();
            let is_bar = |record: &&Record| matches!(record, Record::In(Input::Bar(_)));
            (summary.exists() || records.iter().filter(is_bar).count() >= seen).then_some(())
        });
        if summary.exists() {
            break;
        }
        if k > 61 {
            // The window is over; the clock tells the rest.
            server.advance_to(market.steps[step] + 30 * SECOND);
        }
    }
    let summary = of(&live, "session.json");
    until("the end of the session", || summary.exists().then_some(()));
    let path = of(&live, "journal");
    let contents = read(&path).unwrap();
    let spec = contents.beginning(&path).unwrap().0.spec;
    let orders: Vec<String> = contents.records.iter().filter_map(order_of).collect();
    assert!(orders.len() > 4, "{orders:?}");
    assert_eq!(orders, backtest(&spec, &market, day));
    assert_eq!(orders, replay_orders(&path));
    let ledger = live.logged_in(ADMIN).get("/api/v1/ledger?limit=1000").json();
    let fills: Vec<_> = ledger["entries"].as_array().unwrap().iter().filter(|e| e["source"] == "fill").collect();
    assert!(!fills.is_empty());
    assert!(fills.iter().all(|entry| entry["flags"].as_array().unwrap().contains(&json!("paper"))), "{ledger}");
    assert!(server.with(|desk| desk.orders.is_empty()));
    let changes: Vec<_> = server.arrivals().into_iter().filter(|arrival| !arrival.what.starts_with("GET ")).collect();
    assert!(changes.is_empty(), "{changes:?}");
    until("idle", || (live.client().get("/api/v1/phase").json()["bot_state"] == "idle").then_some(()));
}
