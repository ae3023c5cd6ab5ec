//! What a refusal means. Decided on the status, then the code, then the words.

use super::http::Reply;
use super::wire::WireError;
use crate::brokers::api_log::Redactor;
use crate::brokers::{BrokerError, RejectClass, Rejection};

/// The beginning of a text, for messages.
pub(super) fn excerpt(body: &str) -> &str {
    let end = body.char_indices().nth(200).map_or(body.len(), |(at, _)| at);
    body[..end].trim()
}

/// The error of an answer that is neither a success nor to be repeated.
///
/// Not every body is JSON: a gateway before the broker answers with pages of its own, and these say nothing about an
/// order.
pub(super) fn of(what: &str, reply: &Reply, redactor: &Redactor) -> BrokerError {
    let body = redactor.text(&reply.body);
    let network = |why: String| BrokerError::Network { what: what.to_string(), why };
    let status = reply.status;
    if reply.is_rate_limited() {
        return BrokerError::RateLimited { retry_after: reply.wait.unwrap_or_default() };
    }
    if reply.is_outage() {
        return network(format!("the broker answers with status {status}"));
    }
    if (300..400).contains(&status) {
        return network(format!("the answer is a redirection (status {status}), which is not followed"));
    }
    let Ok(error) = serde_json::from_str::<WireError>(&body) else {
        return match status {
            401 => BrokerError::Auth { status, message: excerpt(&body).to_string() },
            _ => network(format!("status {status} from something that is not the broker: '{}'", excerpt(&body))),
        };
    };
    let message = error.message.unwrap_or_else(|| excerpt(&body).to_string());
    match (status, error.code) {
        (401, _) => BrokerError::Auth { status, message },
        // 40110000 is a wrong key; a missing or mangled header gives no code at all.
        (403, None | Some(40_110_000)) if class(None, &message) == RejectClass::Other => {
            BrokerError::Auth { status, message }
        }
        (404, _) => BrokerError::NotFound(what.to_string()),
        (_, code) => BrokerError::Rejected(Rejection { code, class: class(code, &message), message }),
    }
}

/// Whether a refusal of an order is the broker's own: then there is no such order.
pub(super) fn is_verdict(error: &BrokerError) -> bool {
    matches!(error, BrokerError::Rejected(_) | BrokerError::Auth { .. } | BrokerError::NotFound(_))
}

/// What the words of a rejection mean.
fn class(code: Option<i64>, message: &str) -> RejectClass {
    let message = message.to_ascii_lowercase();
    let has = |words: &str| message.contains(words);
    if has("client_order_id must be unique") {
        RejectClass::DuplicateClientId
    } else if has("wash trade") {
        RejectClass::WashTrade
    } else if has("buying power") {
        RejectClass::InsufficientBuyingPower
    } else if has("insufficient qty") || has("insufficient quantity") {
        RejectClass::InsufficientShares
    } else if has("sub-penny") || has("subpenny") || has("minimum pricing") {
        RejectClass::SubPenny
    } else if has("not allowed to short") || has("cannot be sold short") || has("short sell") || has("not shortable") {
        RejectClass::NotShortable
    } else if has("fractiona") {
        RejectClass::NotFractionable
    } else if has("not tradable") || has("not active") || has("halted") {
        RejectClass::NotTradable
    } else if has("market hours") || has("market is closed") || (has("order") && has("only accepted")) {
        RejectClass::OutsideHours
    } else if has("already in") && has("state") {
        RejectClass::AlreadyFinal
    } else {
        match code {
            Some(40_310_000) => RejectClass::Permission,
            Some(42_210_000 | 40_010_000..=40_010_999) => RejectClass::InvalidOrder,
            _ => RejectClass::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(status: u16, body: &str) -> BrokerError {
        let reply = Reply { status, body: body.to_string(), wait: None };
        of("POST /v2/orders", &reply, &Redactor::new([]))
    }

    fn class_of(status: u16, body: &str) -> RejectClass {
        match error(status, body) {
            BrokerError::Rejected(rejection) => rejection.class,
            other => panic!("{body}: {other:?}"),
        }
    }

    #[test]
    fn words_of_the_broker_have_their_meaning() {
        for (status, body, expected) in [
            (
                403,
                r#"{"buying_power":"0","code":40310000,"cost_basis":"1","message":"insufficient buying power"}"#,
                RejectClass::InsufficientBuyingPower,
            ),
            (
                403,
                r#"{"available":"0","code":40310000,"message":"insufficient qty available for order (requested: 23, available: 0)"}"#,
                RejectClass::InsufficientShares,
            ),
            (
                422,
                r#"{"code":42210000,"message":"potential wash trade detected. use complex orders"}"#,
                RejectClass::WashTrade,
            ),
            (
                403,
                r#"{"code":40310000,"message":"potential wash trade detected. use complex orders"}"#,
                RejectClass::WashTrade,
            ),
            (422, r#"{"code":40010001,"message":"client_order_id must be unique"}"#, RejectClass::DuplicateClientId),
            (422, r#"{"message":"client_order_id must be unique"}"#, RejectClass::DuplicateClientId),
            (403, r#"{"code":40310000,"message":"account is not allowed to short"}"#, RejectClass::NotShortable),
            (
                403,
                r#"{"code":40310000,"message":"fractional orders are not allowed to short"}"#,
                RejectClass::NotShortable,
            ),
            (
                422,
                r#"{"code":42210000,"message":"invalid limit_price 1.001. sub-penny increment does not fulfill minimum pricing criteria"}"#,
                RejectClass::SubPenny,
            ),
            (422, r#"{"code":42210000,"message":"asset XYZ is not tradable"}"#, RejectClass::NotTradable),
            (422, r#"{"code":42210000,"message":"order is already in \"filled\" state"}"#, RejectClass::AlreadyFinal),
            (422, r#"{"code":42210000,"message":"qty is required"}"#, RejectClass::InvalidOrder),
            (403, r#"{"code":40310000,"message":"something else"}"#, RejectClass::Permission),
            (418, r#"{"code":1,"message":"teapot"}"#, RejectClass::Other),
        ] {
            assert_eq!(class_of(status, body), expected, "{body}");
        }
    }

    #[test]
    fn wrong_credentials_are_told_from_a_network_that_answers_for_the_broker() {
        for (status, body) in [
            (401, "{}"),
            (401, "<html>"),
            (401, r#"{"code":40110000,"message":"request is not authorized"}"#),
            (403, r#"{"message": "forbidden."}"#),
            (403, r#"{"code":40110000,"message":"access key verification failed"}"#),
        ] {
            assert!(matches!(error(status, body), BrokerError::Auth { .. }), "{status} {body}");
        }
        for (status, body) in [(403, "<html>403 Forbidden nginx</html>"), (302, ""), (400, ""), (502, "<html>")] {
            let error = error(status, body);
            assert!(matches!(error, BrokerError::Network { .. }), "{status} {body}");
            assert!(!is_verdict(&error));
        }
        assert!(matches!(error(404, r#"{"code":40410000,"message":"order not found"}"#), BrokerError::NotFound(_)));
    }
}
