//! Messages of the program itself (`tracing`) as lines of the logs, and panics with the request that they ended.

use std::fmt::{self, Write as _};
use std::panic::PanicHookInfo;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use super::{Level, LogBook, LogName, Record};
use crate::runtime::Clock;

/// Where panics are reported to.
const PANIC: &str = "panic";

/// Takes a record for a log.
type Write = dyn Fn(LogName, &Record) + Send + Sync;

/// Writes messages as lines of a log. The id of the request is that of the span `request` in which a message was given.
pub struct Messages {
    write: Box<Write>,
    clock: Clock,
}

impl Messages {
    /// Into `core.log` of a book, errors into `error_tracebacks.log`.
    pub fn new(book: Arc<LogBook>, clock: Clock) -> Messages {
        Messages { write: Box::new(move |log, record| book.write(log, record)), clock }
    }

    /// To whoever has no book: each line as JSON, with its end.
    pub fn as_lines(write: impl Fn(&str) + Send + Sync + 'static, clock: Clock) -> Messages {
        Messages { write: Box::new(move |_, record| write(&record.line(false))), clock }
    }
}

/// The request of a span.
struct RequestId(String);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Messages {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let (Some(Value::String(id)), Some(span)) = (fields.more.remove("id"), context.span(id)) {
            span.extensions_mut().insert(RequestId(id));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let level = match *event.metadata().level() {
            tracing::Level::ERROR => Level::Error,
            tracing::Level::WARN => Level::Warn,
            tracing::Level::INFO => Level::Info,
            _ => Level::Debug,
        };
        // Libraries tell a lot below a warning that concerns nobody here.
        let target = event.metadata().target();
        if level < Level::Warn && !target.starts_with("tradebot") {
            return;
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut record = Record::new((self.clock)(), level, target, fields.message);
        record.detail = fields.more;
        let spans = context.event_scope(event).into_iter().flatten();
        if let Some(id) = spans.filter_map(|span| span.extensions().get::<RequestId>().map(|id| id.0.clone())).next() {
            record.detail.insert("request_id".to_string(), json!(id));
        }
        let log = if level == Level::Error { LogName::ErrorTracebacks } else { LogName::Core };
        (self.write)(log, &record);
    }
}

/// The fields of a message.
#[derive(Default)]
struct Fields {
    message: String,
    more: Map<String, Value>,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            let _ = write!(self.message, "{value:?}");
        } else {
            self.more.insert(field.name().to_string(), json!(format!("{value:?}")));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message.push_str(value);
        } else {
            self.more.insert(field.name().to_string(), json!(value));
        }
    }
}

/// Reports a panic with its place and the calls that led to it.
pub fn panic_hook(info: &PanicHookInfo<'_>) {
    let payload = info.payload();
    let text = payload.downcast_ref::<&str>().copied().or(payload.downcast_ref::<String>().map(String::as_str));
    let what = text.unwrap_or("no message");
    let place = info.location().map_or(String::new(), ToString::to_string);
    let calls = std::backtrace::Backtrace::force_capture().to_string();
    tracing::error!(target: PANIC, place, calls, "{what}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::layer::SubscriberExt;

    #[test]
    fn an_error_names_its_request_and_a_library_is_heard_from_a_warning_on() {
        let folder = tempfile::tempdir().unwrap();
        let book = Arc::new(LogBook::new(folder.path()));
        let subscriber = tracing_subscriber::registry().with(Messages::new(Arc::clone(&book), Arc::new(|| 0)));
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::info_span!("request", id = "00ff");
            span.in_scope(|| tracing::error!(target: "panic", place = "x.rs:1", "broke with password=hunter2"));
            tracing::info!(target: "tradebot::x", "hello");
            tracing::info!(target: "hyper", "noise");
        });
        let read = |name: &str| std::fs::read_to_string(folder.path().join("logs").join(name)).unwrap();
        let errors = read("error_tracebacks.log");
        assert!(errors.contains("\"request_id\":\"00ff\"") && errors.contains("x.rs:1"), "{errors}");
        assert!(!errors.contains("hunter2"));
        assert_eq!(read("core.log").lines().count(), 1);
    }

    #[test]
    fn without_a_book_a_message_is_a_line_of_json_without_secrets() {
        let lines = Arc::new(std::sync::Mutex::new(String::new()));
        let heard = Arc::clone(&lines);
        let messages = Messages::as_lines(move |line| heard.lock().unwrap().push_str(line), Arc::new(|| 0));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(messages), || {
            let span = tracing::info_span!("request", id = "00ff");
            span.in_scope(|| tracing::error!(target: "panic", place = "x.rs:1", "broke with password=hunter2"));
        });
        let lines = lines.lock().unwrap();
        let line: Value = serde_json::from_str(lines.strip_suffix('\n').unwrap()).unwrap();
        assert_eq!(line["message"], "broke with password=[REDACTED]");
        assert_eq!(line["detail"], json!({ "place": "x.rs:1", "request_id": "00ff" }));
    }
}
