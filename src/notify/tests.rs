//! Against servers of this machine: good, slow, failing, redirecting and hostile ones.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use http_body_util::BodyExt;
use secrecy::SecretString;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::*;
use crate::market::{MINUTE, Nanos, SECOND};
use crate::settings::Settings;
use crate::vault::SecretFields;

const SECRET: &str = "PLANTED-SECRET";

fn rule() -> Rule {
    Rule { pause: Duration::from_millis(5), limit: Duration::from_millis(500), distrust: 0, ..Rule::default() }
}

fn fields(values: &[(&str, &str)]) -> SecretFields {
    let mut fields = SecretFields::new();
    for (name, value) in values {
        fields.set(name, SecretString::from(*value));
    }
    fields
}

fn notice(level: Level, title: &str) -> Notice {
    Notice::new(level, Kind::State, title, "what it means <&>")
}

/// What a server was asked: path, authorization, body.
type Asked = Arc<Mutex<Vec<(String, String, String)>>>;

/// A server that answers with what `answer` gives for the number of the request.
async fn server(answer: fn(usize) -> StatusCode) -> (SocketAddr, Asked) {
    let asked = Asked::default();
    let (seen, count) = (Arc::clone(&asked), Arc::new(AtomicUsize::new(0)));
    let handler = move |request: Request| {
        let (seen, count) = (Arc::clone(&seen), Arc::clone(&count));
        async move {
            let path = request.uri().path().to_string();
            let bearer = request.headers().get("authorization").and_then(|value| value.to_str().ok()).unwrap_or("");
            let bearer = bearer.to_string();
            let body = request.into_body().collect().await.unwrap().to_bytes();
            seen.lock().unwrap().push((path, bearer, String::from_utf8(body.to_vec()).unwrap()));
            let status = answer(count.fetch_add(1, Ordering::SeqCst));
            (status, [("location", "http://127.0.0.1:9/elsewhere")], SECRET).into_response()
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(handler)).await });
    (address, asked)
}

/// A mail server; `refuse`: the command that it refuses, with which words. Gives what it was told.
async fn mail_server(refuse: &'static str, words: &'static str) -> (SocketAddr, Arc<Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let told = Arc::new(Mutex::new(String::new()));
    let heard = Arc::clone(&told);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let heard = Arc::clone(&heard);
            tokio::spawn(async move {
                let (from, mut to) = stream.into_split();
                let mut lines = BufReader::new(from).lines();
                to.write_all(b"220 fake\r\n").await.unwrap();
                let mut in_data = false;
                while let Ok(Some(line)) = lines.next_line().await {
                    heard.lock().unwrap().push_str(&format!("{line}\n"));
                    let answer = match line.as_str() {
                        "." if in_data => {
                            in_data = false;
                            "250 taken\r\n"
                        }
                        _ if in_data => continue,
                        line if !refuse.is_empty() && line.starts_with(refuse) => words,
                        line if line.starts_with("EHLO") => "250-fake\r\n250 AUTH PLAIN LOGIN\r\n",
                        "DATA" => {
                            in_data = true;
                            "354 go on\r\n"
                        }
                        line if line.starts_with("AUTH") => "235 welcome\r\n",
                        "QUIT" => "221 bye\r\n",
                        _ => "250 fine\r\n",
                    };
                    if to.write_all(answer.as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (address, told)
}

fn smtp(address: SocketAddr) -> SecretFields {
    let port = address.port().to_string();
    fields(&[
        ("SMTP_HOST", "127.0.0.1"),
        ("SMTP_PORT", &port),
        ("SMTP_USERNAME", "bot"),
        ("SMTP_PASSWORD", SECRET),
        ("SMTP_FROM", "bot@example.com"),
        ("SMTP_TO", "ann@example.com, bob@example.com"),
    ])
}

/// A notifier with channels, and settings.
fn notifier(rule: Rule, smtp: &SecretFields, alerts: &SecretFields, settings: &[&str]) -> Notifier {
    let mut all = Settings::default();
    all.set_all(settings.iter().copied(), "test").unwrap();
    let notifier = Notifier::new(rule);
    notifier.set_policy(Policy::of(&all, Channels::of(smtp, alerts), "ACME_US_SIM_BOT1"));
    notifier
}

/// Runs until everything that waits was dealt with, and gives the log, without a time.
async fn drained(notifier: &Notifier) -> Vec<String> {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let written = Arc::clone(&lines);
    let journal: Journal = Arc::new(move |attempt: &Attempt| {
        let channel = attempt.channel.map_or("none", Channel::word);
        let Attempt { notice, outcome, detail, .. } = attempt;
        let line = format!("{} {channel} {outcome} {detail}", notice.title);
        assert!(!line.contains(SECRET), "{line}");
        written.lock().unwrap().push(line.trim_end().to_string());
    });
    let patient = Notifier::clone(notifier);
    // Nothing is waited for: what is in the queue is dealt with in the last moment, which is long here.
    patient.run(Arc::new(|| 0), journal, async {}).await;
    let lines = lines.lock().unwrap();
    lines.clone()
}

fn patient() -> Rule {
    Rule { last: Duration::from_secs(60), ..rule() }
}

fn ok(_: usize) -> StatusCode {
    StatusCode::OK
}

#[tokio::test]
async fn a_routine_notice_goes_by_mail_to_everybody_and_a_critical_one_to_pagerduty() {
    let (mail, told) = mail_server("", "").await;
    let (web, asked) = server(|_| StatusCode::ACCEPTED).await;
    let alerts = fields(&[("PAGERDUTY_KEY", SECRET)]);
    let notifier = Notifier::new(patient());
    let channels = Channels::of(&smtp(mail), &alerts).with_pagerduty_at(&format!("http://{web}/v2/enqueue")).unwrap();
    notifier.set_policy(Policy::of(&Settings::default(), channels, "ACME_US_SIM_BOT1"));
    let injected = "started\r\nBcc: eve@example.com";
    assert_eq!(notifier.tell(notice(Level::Routine, injected), 0), Told::Queued);
    assert_eq!(notifier.tell(notice(Level::Critical, "halted"), 0), Told::Queued);
    let mut lines = drained(&notifier).await;
    lines.sort();
    assert_eq!(lines, ["halted pagerduty delivered", "started  Bcc: eve@example.com email delivered"]);
    let told = told.lock().unwrap().clone();
    for part in
        ["RCPT TO:<ann@example.com>", "RCPT TO:<bob@example.com>", "Subject: [ACME_US_SIM_BOT1] routine: started"]
    {
        assert!(told.contains(part), "{part}\n{told}");
    }
    assert!(!told.contains("\nBcc:"), "a title is no header: {told}");
    let (path, _, body) = asked.lock().unwrap()[0].clone();
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((path.as_str(), &body["routing_key"]), ("/v2/enqueue", &serde_json::json!(SECRET)));
    assert_eq!((&body["event_action"], &body["payload"]["severity"]), (&"trigger".into(), &"critical".into()));
    assert_eq!(body["dedup_key"], "ACME_US_SIM_BOT1:state:halted");
}

#[tokio::test]
async fn slack_and_sms_get_what_they_document() {
    let (web, asked) = server(ok).await;
    let alerts = fields(&[
        ("SLACK_WEBHOOK_URL", &format!("http://{web}/services/{SECRET}")),
        ("SMS_URL", &format!("http://{web}/sms")),
        ("SMS_TOKEN", SECRET),
        ("SMS_FROM", "+100"),
        ("SMS_TO", "+200"),
    ]);
    let settings = ["CRITICAL_ALERT_CHANNEL=sms", "ROUTINE_ALERT_CHANNEL=slack"];
    let notifier = notifier(patient(), &SecretFields::new(), &alerts, &settings);
    let _ = notifier.tell(notice(Level::Critical, "halted"), 0);
    drained(&notifier).await;
    let _ = notifier.tell(notice(Level::Routine, "started"), 0);
    drained(&notifier).await;
    let asked = asked.lock().unwrap().clone();
    let (path, bearer, body) = &asked[0];
    assert_eq!((path.as_str(), bearer.as_str()), ("/sms", format!("Bearer {SECRET}").as_str()));
    assert_eq!(body, r#"{"from":"+100","to":"+200","text":"ACME_US_SIM_BOT1 critical: halted"}"#);
    let (path, _, body) = &asked[1];
    assert_eq!(path, &format!("/services/{SECRET}"));
    assert_eq!(body, r#"{"text":"[ACME_US_SIM_BOT1] routine: started\nwhat it means &lt;&amp;&gt;"}"#);
}

#[tokio::test]
async fn what_fails_for_a_while_is_tried_again_and_what_is_refused_is_not() {
    let (web, asked) = server(|n| if n < 2 { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }).await;
    let alerts = fields(&[("SLACK_WEBHOOK_URL", &format!("http://{web}/{SECRET}"))]);
    let slack = notifier(patient(), &SecretFields::new(), &alerts, &["ROUTINE_ALERT_CHANNEL=slack"]);
    let _ = slack.tell(notice(Level::Routine, "a"), 0);
    let retry = "a slack retry the server answered 503";
    assert_eq!(drained(&slack).await, [retry, retry, "a slack delivered"]);
    assert_eq!(asked.lock().unwrap().len(), 3);

    let (web, asked) = server(|_| StatusCode::TEMPORARY_REDIRECT).await;
    let alerts = fields(&[("SLACK_WEBHOOK_URL", &format!("http://{web}/{SECRET}"))]);
    let slack = notifier(patient(), &SecretFields::new(), &alerts, &["ROUTINE_ALERT_CHANNEL=slack"]);
    let _ = slack.tell(notice(Level::Routine, "b"), 0);
    let refused = "b slack failed the server answered 307, and redirects are not followed";
    assert_eq!(drained(&slack).await, [refused, "b none undelivered no channel could deliver it"]);
    assert_eq!(asked.lock().unwrap().len(), 1);
    let states = slack.self_check();
    let state = states.iter().find(|state| state.channel == Channel::Slack).unwrap();
    assert!(!state.ok && state.detail.contains("307") && !state.detail.contains(SECRET), "{state:?}");
}

#[tokio::test]
async fn a_critical_notice_goes_on_to_the_next_channel_until_one_delivers_it() {
    // PagerDuty refuses, SMS talks nonsense, Slack waits forever; the mail server takes it.
    let (refusing, _) = server(|_| StatusCode::BAD_REQUEST).await;
    let hostile = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hostile_address = hostile.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = hostile.accept().await {
            let _ = stream.write_all(b"220 PLANTED-SECRET\r\n\r\n").await;
        }
    });
    let slow = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (mail, told) = mail_server("", "").await;
    let alerts = fields(&[
        ("PAGERDUTY_KEY", SECRET),
        ("SLACK_WEBHOOK_URL", &format!("http://{}/{SECRET}", slow.local_addr().unwrap())),
        ("SMS_URL", &format!("http://{hostile_address}/")),
        ("SMS_TOKEN", SECRET),
        ("SMS_TO", "+200"),
    ]);
    let channels = Channels::of(&smtp(mail), &alerts).with_pagerduty_at(&format!("http://{refusing}/")).unwrap();
    let notifier = Notifier::new(Rule { attempts: 2, ..patient() });
    notifier.set_policy(Policy::of(&Settings::default(), channels, "ACME"));
    let _ = notifier.tell(notice(Level::Critical, "halted"), 0);
    assert_eq!(
        drained(&notifier).await,
        [
            "halted pagerduty failed the server answered 400",
            "halted sms retry the server answered nothing that is HTTP",
            "halted sms failed the server answered nothing that is HTTP",
            "halted slack retry the server took too long",
            "halted slack failed the server took too long",
            "halted email delivered",
        ]
    );
    assert!(told.lock().unwrap().contains("Subject: [ACME] critical: halted"));
}

#[tokio::test]
async fn a_mail_server_that_refuses_or_hangs_up_is_told_of_without_its_words() {
    let (refusing, _) = mail_server("AUTH", "535 PLANTED-SECRET is wrong\r\n").await;
    let notifier_of = |address| notifier(Rule { attempts: 1, ..patient() }, &smtp(address), &SecretFields::new(), &[]);
    let refused = notifier_of(refusing).test(Channel::Email).await.unwrap_err();
    assert!(refused.to_string().contains("535") && !refused.to_string().contains(SECRET), "{refused}");
    let (busy, _) = mail_server("MAIL", "451 later\r\n").await;
    assert!(
        matches!(notifier_of(busy).test(Channel::Email).await, Err(DeliveryError::Failed(why)) if why.contains("451"))
    );
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    assert!(matches!(notifier_of(closed).test(Channel::Email).await, Err(DeliveryError::Failed(_))));
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let waiting = notifier_of(silent.local_addr().unwrap()).test(Channel::Email).await;
    assert_eq!(waiting, Err(DeliveryError::Failed("the mail server took too long".to_string())));
    assert!(matches!(
        notifier_of(silent.local_addr().unwrap()).test(Channel::Sms).await,
        Err(DeliveryError::NotConfigured(_))
    ));
}

#[test]
fn addresses_are_https_or_of_this_machine() {
    let fault = |url: &str| {
        Channels::of(&SecretFields::new(), &fields(&[("SLACK_WEBHOOK_URL", url)]))
            .fault(Channel::Slack)
            .map(str::to_string)
    };
    for good in ["https://hooks.slack.com/services/x", "http://127.0.0.1:9/x", "http://localhost/x", "http://[::1]:9/"]
    {
        assert_eq!(fault(good), None, "{good}");
    }
    for bad in [
        "http://hooks.slack.com/x",
        "http://10.0.0.1/",
        "https://user@hooks.slack.com/",
        "ftp://127.0.0.1/",
        "nonsense",
        "http://127.0.0.1.evil.example/",
    ] {
        let why = fault(bad).unwrap_or_else(|| panic!("{bad}"));
        assert!(why.contains("https://") && !why.contains("evil"), "{why}");
    }
    assert_eq!(fault("").as_deref(), Some("not configured"));
}

#[test]
fn the_same_is_sent_once_in_a_while_and_not_too_much_at_all() {
    let notifier = Notifier::new(Rule { burst: 3, waiting: 100, ..rule() });
    let tell = |title: &str, now: Nanos| notifier.tell(notice(Level::Routine, title), now);
    assert_eq!(
        (tell("a", 0), tell("a", SECOND), tell("a", 14 * MINUTE)),
        (Told::Queued, Told::Repeated, Told::Repeated)
    );
    assert_eq!(tell("a", 15 * MINUTE), Told::Queued);
    let now = 16 * MINUTE;
    assert_eq!(
        [tell("b", now), tell("c", now), tell("d", now), tell("e", now)],
        [Told::Queued, Told::Queued, Told::Queued, Told::HeldBack]
    );
    // Critical notices have a measure of their own.
    assert_eq!(notifier.tell(notice(Level::Critical, "b"), now), Told::Repeated, "the key is the same");
    assert_eq!(notifier.tell(notice(Level::Critical, "x"), now), Told::Queued);
    assert_eq!(tell("f", now + 20 * SECOND), Told::Queued);
}

#[test]
fn the_settings_decide_which_kinds_are_wanted() {
    let notifier = notifier(rule(), &SecretFields::new(), &SecretFields::new(), &["NOTIFY_ON_FILL=false"]);
    let fill = Notice::new(Level::Routine, Kind::Fill, "bought 10 AAPL", "");
    let exit = Notice::new(Level::Routine, Kind::Exit, "sold 10 AAPL", "");
    assert_eq!((notifier.tell(fill, 0), notifier.tell(exit, 0)), (Told::Unwanted, Told::Queued));
    let states = notifier.self_check();
    assert!(states.iter().all(|state| state.ok && state.detail.starts_with("not configured")), "{states:?}");
    assert_eq!(states[0].detail, "not configured; for critical notices");
}

#[tokio::test]
async fn a_notice_without_a_channel_is_in_the_log_and_a_queue_has_an_end() {
    let notifier = Notifier::new(Rule { waiting: 2, ..patient() });
    let tell = |k: usize| notifier.tell(notice(Level::Critical, &format!("n{k}")), 0);
    assert_eq!([tell(1), tell(2), tell(3)], [Told::Queued, Told::Queued, Told::HeldBack]);
    let why = "none undelivered no channel is configured for it";
    assert_eq!(drained(&notifier).await, [format!("n1 {why}"), format!("n2 {why}")]);
    let _ = tell(4);
    assert_eq!(drained(&notifier).await.len(), 1);
}

#[tokio::test]
async fn it_runs_beside_everything_else_until_it_is_stopped() {
    let (web, asked) = server(ok).await;
    let alerts = fields(&[("SLACK_WEBHOOK_URL", &format!("http://{web}/"))]);
    let notifier = notifier(rule(), &SecretFields::new(), &alerts, &["ROUTINE_ALERT_CHANNEL=slack"]);
    let (stop, stopped) = oneshot::channel::<()>();
    let running = {
        let notifier = notifier.clone();
        let stop = async {
            let _ = stopped.await;
        };
        tokio::spawn(async move { notifier.run(Arc::new(|| 0), Arc::new(|_: &Attempt| {}), stop).await })
    };
    let _ = notifier.tell(notice(Level::Routine, "a"), 0);
    while asked.lock().unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let _ = stop.send(());
    running.await.unwrap();
}
