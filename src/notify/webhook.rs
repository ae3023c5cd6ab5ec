//! Slack, PagerDuty and SMS gateways: one POST of JSON each.

use std::time::Duration;

use reqwest::{Client, RequestBuilder, StatusCode, redirect};
use secrecy::ExposeSecret;
use serde_json::json;

use super::channels::{PagerDuty, SecretUrl, Sms};
use super::{DeliveryError, Level, Notice};

/// Longest summary that PagerDuty takes.
const MOST_SUMMARY: usize = 1_024;

/// A client that goes where it was told to and nowhere else.
pub(super) fn client() -> Result<Client, DeliveryError> {
    let builder = Client::builder().redirect(redirect::Policy::none()).no_proxy().user_agent("tradebot");
    builder.build().map_err(|_| DeliveryError::Failed("no certificates were found".to_string()))
}

/// [Incoming webhooks](https://api.slack.com/messaging/webhooks).
pub(super) async fn slack(
    client: &Client,
    url: &SecretUrl,
    notice: &Notice,
    source: &str,
    limit: Duration,
) -> Result<(), DeliveryError> {
    // The three characters that Slack takes for markup of its own.
    let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let (title, text) = (escaped(&notice.title), escaped(&notice.text));
    let body = json!({ "text": format!("[{source}] {}: {title}\n{text}", notice.level.word()) });
    post(client.post(url.expose().clone()).json(&body), limit).await
}

/// [Events API v2](https://developer.pagerduty.com/docs/events-api-v2/trigger-events/).
pub(super) async fn pagerduty(
    client: &Client,
    pagerduty: &PagerDuty,
    notice: &Notice,
    source: &str,
    limit: Duration,
) -> Result<(), DeliveryError> {
    let severity = if notice.level == Level::Critical { "critical" } else { "info" };
    let summary: String = format!("{source}: {}", notice.title).chars().take(MOST_SUMMARY).collect();
    let body = json!({
        "routing_key": pagerduty.key.expose_secret(),
        "event_action": "trigger",
        "dedup_key": format!("{source}:{}", notice.key).chars().take(255).collect::<String>(),
        "payload": {
            "summary": summary, "source": source, "severity": severity, "class": notice.kind.word(),
            "custom_details": { "text": notice.text },
        },
    });
    post(client.post(pagerduty.url.expose().clone()).json(&body), limit).await
}

/// A gateway that takes `{"from","to","text"}` with a bearer token.
pub(super) async fn sms(
    client: &Client,
    sms: &Sms,
    notice: &Notice,
    source: &str,
    limit: Duration,
) -> Result<(), DeliveryError> {
    let text = format!("{source} {}: {}", notice.level.word(), notice.title);
    let body = json!({ "from": sms.from, "to": sms.to, "text": text });
    let mut request = client.post(sms.url.expose().clone()).json(&body);
    if !sms.token.expose_secret().is_empty() {
        request = request.bearer_auth(sms.token.expose_secret());
    }
    post(request, limit).await
}

/// Sends it; of the answer only the status is read.
async fn post(request: RequestBuilder, limit: Duration) -> Result<(), DeliveryError> {
    let failed = |what: &str| DeliveryError::Failed(what.to_string());
    let status = match request.timeout(limit).send().await {
        Ok(response) => response.status(),
        Err(error) if error.is_timeout() => return Err(failed("the server took too long")),
        Err(error) if error.is_connect() => return Err(failed("no connection to the server")),
        Err(_) => return Err(failed("the server answered nothing that is HTTP")),
    };
    let words = format!("the server answered {}", status.as_u16());
    match status {
        status if status.is_success() => Ok(()),
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {
            Err(DeliveryError::Failed(words))
        }
        status if status.is_redirection() => {
            Err(DeliveryError::Refused(format!("{words}, and redirects are not followed")))
        }
        status if status.is_client_error() => Err(DeliveryError::Refused(words)),
        _ => Err(DeliveryError::Failed(words)),
    }
}
