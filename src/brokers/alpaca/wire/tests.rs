//! Messages as the broker sends them.

use super::*;
use crate::brokers::{Overlay, Status};
use crate::trading::OrderState;

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

#[test]
fn numbers_are_read_from_their_digits_as_texts_or_numbers() {
    #[derive(Deserialize)]
    struct Number {
        #[serde(default, deserialize_with = "optional_decimal")]
        n: Option<Decimal>,
    }
    for (json, expected) in [
        (r#"{"n":"0.1"}"#, Some("0.1")),
        (r#"{"n":0.1}"#, Some("0.1")),
        (r#"{"n":172.34999999999999}"#, Some("172.34999999999999")),
        (r#"{"n":1e-7}"#, Some("0.0000001")),
        (r#"{"n":"123456789.123456789"}"#, Some("123456789.123456789")),
        (r#"{"n":null}"#, None),
        (r#"{"n":""}"#, None),
        ("{}", None),
    ] {
        assert_eq!(serde_json::from_str::<Number>(json).unwrap().n, expected.map(decimal), "{json}");
    }
    assert_eq!(LARGEST, decimal("1000000000000000"));
    for json in [
        r#"{"n":"1000000000000000"}"#,
        r#"{"n":-79228162514264337593543950335}"#,
        r#"{"n":"x"}"#,
        r#"{"n":true}"#,
        r#"{"n":[1]}"#,
        r#"{"n":"NaN"}"#,
    ] {
        assert!(serde_json::from_str::<Number>(json).is_err(), "{json}");
    }
}

#[test]
fn an_update_carries_its_own_execution_and_the_orders_total() {
    let update: WireUpdate = serde_json::from_str(
        r#"{"event":"partial_fill","execution_id":"e-1","price":"179.08","qty":"60","position_qty":"160",
            "timestamp":"2018-02-28T15:35:28.837-05:00","order":{"id":"b-1","client_order_id":"c-1","symbol":"AAPL","side":"buy",
            "qty":"100","filled_qty":"90","filled_avg_price":"179.0","status":"partially_filled"}}"#,
    )
    .unwrap();
    let report = update.report();
    assert_eq!((report.filled, report.qty), (decimal("90"), Some(decimal("100"))));
    assert_eq!(report.status, Status::State(OrderState::PartiallyFilled));
    let execution = report.execution.unwrap();
    assert_eq!((execution.qty, execution.price), (decimal("60"), decimal("179.08")));
    assert_eq!(execution.cumulative, Some(decimal("90")));
    assert_eq!(execution.time, parse_time("2018-02-28T20:35:28.837Z").unwrap());
}

#[test]
fn an_order_needs_no_more_than_its_number() {
    let order: WireOrder = serde_json::from_str(r#"{"id":"b-1","status":"pending_cancel","news":{"a":[1]}}"#).unwrap();
    let report = order.report();
    assert_eq!(report.status, Status::Overlay(Overlay::PendingCancel));
    assert_eq!((report.qty, report.filled, report.time), (None, Decimal::ZERO, 0));
}

#[test]
fn an_activity_has_the_number_of_its_execution_behind_the_time() {
    let activity: WireActivity = serde_json::from_str(
        r#"{"id":"20210127144930176::ddc0a142","activity_type":"FILL","transaction_time":"2021-01-27T19:49:30.176Z",
            "type":"partial_fill","price":"31.6","qty":"100","side":"buy","symbol":"QQQJ","leaves_qty":"131",
            "order_id":"ee8058e5","cum_qty":"869"}"#,
    )
    .unwrap();
    let execution = activity.execution();
    assert_eq!((execution.id.as_str(), execution.cumulative), ("ddc0a142", Some(decimal("869"))));
}

#[test]
fn a_blocked_account_says_why() {
    let account: WireAccount = serde_json::from_str(
        r#"{"status":"ACTIVE","cash":"1","equity":"1","buying_power":"2","trading_blocked":true,"account_blocked":false}"#,
    )
    .unwrap();
    assert_eq!(account.info().restrictions, ["trading is blocked"]);
}

#[test]
fn a_code_that_is_not_trading_is_a_halt() {
    for (code, trading) in [("T", true), ("H", false), ("P", false), ("3", true), ("2", false), ("?", false)] {
        let json = format!(r#"{{"T":"s","S":"AAPL","sc":"{code}","sm":"x","rm":""}}"#);
        let status: WireTradingStatus = serde_json::from_str(&json).unwrap();
        assert_eq!(status.trading_status().trading, trading, "{code}");
    }
}
