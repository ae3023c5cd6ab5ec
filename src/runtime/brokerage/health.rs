//! How the broker is, as far as its answers tell: whatever is said to it and whatever it answers is heard here.
//!
//! | word | the last call |
//! | --- | --- |
//! | `not connected` | there was none with this adapter |
//! | `connected` | was answered, be it with a no |
//! | `refused` | was answered with 401: the credentials are wrong |
//! | `unreachable` | got no answer, or one that says the broker is out of order (408, 5xx) |
//!
//! Errors are calls without an answer, answers of 401, 408, 429 and 5xx, and streams that broke off or did not come
//! about. Streams alone do not change the word.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::brokers::{ApiLine, Direction};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Reach {
    #[default]
    NotAsked,
    Connected,
    Refused,
    Unreachable,
}

impl Reach {
    const fn word(self) -> &'static str {
        match self {
            Reach::NotAsked => "not connected",
            Reach::Connected => "connected",
            Reach::Refused => "refused",
            Reach::Unreachable => "unreachable",
        }
    }
}

#[derive(Debug, Default)]
struct Heard {
    reach: Reach,
    /// When it became what it is, in UTC.
    since: Option<String>,
    /// Of the last call that was answered.
    latency_ms: Option<u64>,
    last_error: Option<String>,
    calls: u64,
    retries: u64,
    errors: u64,
    /// When the last line was heard.
    at: Option<Instant>,
}

/// What was heard of the broker since the start of the core.
#[derive(Debug, Default)]
pub struct Health(Mutex<Heard>);

impl Health {
    fn lock(&self) -> MutexGuard<'_, Heard> {
        // Every change is complete in itself.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hears a line of the log.
    pub fn hear(&self, line: &ApiLine) {
        let mut heard = self.lock();
        heard.at = Some(Instant::now());
        let failed = |why: String| Some(format!("{}: {why}", line.what));
        let (reach, error) = match (line.direction, line.status) {
            (Direction::Request, _) => {
                heard.calls += 1;
                heard.retries += u64::from(line.attempt > 0);
                return;
            }
            (Direction::Reply, Some(status)) => {
                heard.latency_ms = line.took_ms;
                let reach = match status {
                    401 => Reach::Refused,
                    408 | 500.. => Reach::Unreachable,
                    _ => Reach::Connected,
                };
                let failing = reach != Reach::Connected || status == 429;
                (Some(reach), failing.then(|| format!("{}: status {status}", line.what)))
            }
            // Only calls are timed; the rest are streams.
            (Direction::Failure, _) => {
                (line.took_ms.map(|_| Reach::Unreachable), failed(line.body.text().into_owned()))
            }
            _ => return,
        };
        if let Some(error) = error {
            heard.errors += 1;
            heard.last_error = Some(error);
        }
        if let Some(reach) = reach.filter(|reach| *reach != heard.reach) {
            heard.reach = reach;
            heard.since = Some(line.time.clone());
        }
    }

    /// Another adapter takes over, of which nothing was heard yet. The counts go on.
    pub fn begin_anew(&self) {
        let mut heard = self.lock();
        let Heard { calls, retries, errors, .. } = *heard;
        *heard = Heard { calls, retries, errors, ..Heard::default() };
    }

    /// Its word.
    pub fn word(&self) -> &'static str {
        self.lock().reach.word()
    }

    /// Whether nothing was heard for `time`; for ten times as long if the broker refuses the credentials.
    pub fn is_silent_for(&self, time: Duration) -> bool {
        let heard = self.lock();
        let time = if heard.reach == Reach::Refused { time * 10 } else { time };
        heard.at.is_none_or(|at| at.elapsed() >= time)
    }

    /// Calls that were repeated since the start.
    pub fn retries(&self) -> u64 {
        self.lock().retries
    }

    /// Everything but the word, by name.
    pub fn json(&self) -> Value {
        let Heard { since, latency_ms, last_error, calls, retries, errors, .. } = &*self.lock();
        json!({
            "since_utc": since, "latency_ms": latency_ms, "calls": calls, "retries": retries, "errors": errors,
            "last_error": last_error,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(direction: Direction, attempt: u32, status: Option<u16>, took_ms: Option<u64>, second: u32) -> ApiLine {
        ApiLine {
            time: format!("2026-01-05T15:00:{second:02}.000000000Z"),
            broker: "ALPACA",
            direction,
            call: 1,
            attempt,
            what: if took_ms.is_some() { "GET /v2/clock" } else { "/stream" }.to_string(),
            status,
            took_ms,
            body: "the line is dead".to_string().into(),
        }
    }

    fn reply(status: u16, took_ms: u64, second: u32) -> ApiLine {
        line(Direction::Reply, 0, Some(status), Some(took_ms), second)
    }

    #[test]
    fn the_word_follows_the_last_call_and_remembers_since_when() {
        let health = Health::default();
        assert_eq!((health.word(), health.json()["since_utc"].clone()), ("not connected", Value::Null));
        // An order that is refused (403, 422), or is not there (404), was answered all the same.
        for (second, (status, word, since)) in [
            (200, "connected", 0),
            (403, "connected", 0),
            (422, "connected", 0),
            (404, "connected", 0),
            (429, "connected", 0),
            (401, "refused", 5),
            (503, "unreachable", 6),
            (408, "unreachable", 6),
            (200, "connected", 8),
        ]
        .into_iter()
        .enumerate()
        {
            health.hear(&reply(status, 12, second as u32));
            let expected = format!("2026-01-05T15:00:{since:02}.000000000Z");
            assert_eq!((health.word(), &health.json()["since_utc"]), (word, &json!(expected)), "{status}");
        }
        assert_eq!(health.json()["errors"], 4, "429, 401, 503, 408");
        health.hear(&line(Direction::Failure, 0, None, Some(30_000), 9));
        assert_eq!(
            (health.word(), health.json()["last_error"].clone()),
            ("unreachable", json!("GET /v2/clock: the line is dead"))
        );
    }

    #[test]
    fn repeated_calls_are_counted_and_a_stream_that_breaks_is_an_error_of_a_broker_that_is_there() {
        let health = Health::default();
        for attempt in 0..3 {
            health.hear(&line(Direction::Request, attempt, None, None, 0));
        }
        health.hear(&reply(200, 7, 1));
        health.hear(&line(Direction::Failure, 0, None, None, 2));
        assert_eq!(health.word(), "connected");
        let told = health.json();
        assert_eq!(
            (&told["calls"], &told["retries"], &told["errors"], &told["latency_ms"]),
            (&json!(3), &json!(2), &json!(1), &json!(7))
        );
        assert_eq!(told["last_error"], "/stream: the line is dead");
        health.begin_anew();
        assert_eq!((health.word(), health.retries()), ("not connected", 2));
        assert_eq!(health.json()["last_error"], Value::Null, "that was another adapter's");
    }
}
