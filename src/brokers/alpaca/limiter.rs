//! No more calls a minute than the broker allows.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// What a call is for: orders and cancels may use the whole allowance, everything else leaves them a part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Urgency {
    Order,
    Other,
}

/// A bucket of calls that fills evenly within a minute, corrected by what the broker says is left.
#[derive(Debug)]
pub(super) struct Limiter(Mutex<Bucket>);

#[derive(Debug)]
struct Bucket {
    per_minute: f64,
    calls: f64,
    at: Instant,
    blocked_until: Instant,
}

impl Limiter {
    /// Allows `per_minute` calls, at least one.
    pub(super) fn new(per_minute: u32) -> Limiter {
        let now = Instant::now();
        let per_minute = f64::from(per_minute.max(1));
        Limiter(Mutex::new(Bucket { per_minute, calls: per_minute, at: now, blocked_until: now }))
    }

    /// Waits until a call may be made, and counts it.
    ///
    /// # Errors
    /// It would take longer than `longest`; the rest of the wait. Nothing is counted.
    pub(super) async fn admit(&self, urgency: Urgency, longest: Duration) -> Result<(), Duration> {
        let began = Instant::now();
        while let Some(wait) = self.try_admit(urgency, Instant::now()) {
            if began.elapsed() + wait > longest {
                return Err(wait);
            }
            tokio::time::sleep(wait).await;
        }
        Ok(())
    }

    /// Counts a call at `now`, or says how long to wait before asking again.
    fn try_admit(&self, urgency: Urgency, now: Instant) -> Option<Duration> {
        let mut bucket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now < bucket.blocked_until {
            return Some(bucket.blocked_until - now);
        }
        let per_minute = bucket.per_minute;
        let gained = now.saturating_duration_since(bucket.at).as_secs_f64() * per_minute / 60.0;
        bucket.calls = (bucket.calls + gained).min(per_minute);
        bucket.at = now;
        let needed = match urgency {
            Urgency::Order => 1.0,
            Urgency::Other => 1.0 + (per_minute * 0.15).floor(),
        };
        if bucket.calls >= needed {
            bucket.calls -= 1.0;
            return None;
        }
        // A nanosecond more, so that rounding does not wake it too early.
        Some(Duration::from_secs_f64((needed - bucket.calls) * 60.0 / per_minute) + Duration::from_nanos(1))
    }

    /// The broker says how many calls a minute it allows, and how many of them are left: plans differ, and others may
    /// use the same key.
    pub(super) fn learn(&self, per_minute: Option<u64>, left: u64) {
        let mut bucket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let whole = |calls: u64| f64::from(u32::try_from(calls).unwrap_or(u32::MAX));
        if let Some(per_minute) = per_minute.filter(|calls| *calls > 0).map(whole) {
            // What a larger plan allows beyond the one assumed has not been used.
            bucket.calls += (per_minute - bucket.per_minute).max(0.0);
            bucket.per_minute = per_minute;
        }
        bucket.calls = bucket.calls.min(whole(left));
    }

    /// The broker refuses calls for `wait`.
    pub(super) fn block(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let mut bucket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        bucket.blocked_until = bucket.blocked_until.max(until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many calls are let through at once.
    fn burst(limiter: &Limiter, urgency: Urgency, now: Instant) -> u32 {
        (0..1000).take_while(|_| limiter.try_admit(urgency, now).is_none()).count() as u32
    }

    #[test]
    fn a_plan_that_allows_more_than_assumed_allows_it_at_once() {
        let limiter = Limiter::new(200);
        limiter.learn(Some(1_000), 999);
        // 150 are kept for orders.
        assert_eq!(burst(&limiter, Urgency::Other, Instant::now()), 849);
    }

    #[test]
    fn a_minute_gives_its_calls_and_a_part_is_kept_for_orders() {
        let limiter = Limiter::new(200);
        let now = Instant::now();
        assert_eq!(burst(&limiter, Urgency::Other, now), 170);
        assert_eq!(burst(&limiter, Urgency::Order, now), 30);
        // 60 s / 200 = 0.3 s a call.
        assert_eq!(burst(&limiter, Urgency::Order, now + Duration::from_secs(3)), 10);
        let wait = limiter.try_admit(Urgency::Order, now + Duration::from_secs(3)).unwrap();
        assert!(wait > Duration::from_millis(290) && wait <= Duration::from_millis(301), "{wait:?}");
        assert_eq!(burst(&limiter, Urgency::Order, now + Duration::from_secs(3600)), 200);
    }

    #[test]
    fn what_the_broker_says_is_left_binds_and_a_refusal_blocks() {
        let limiter = Limiter::new(200);
        let now = Instant::now();
        limiter.learn(None, 3);
        assert_eq!(burst(&limiter, Urgency::Order, now), 3);
        limiter.learn(Some(200), 150);
        assert_eq!(burst(&limiter, Urgency::Order, now), 0, "more than counted is not believed");
        limiter.block(Duration::from_secs(20));
        let wait = limiter.try_admit(Urgency::Order, now + Duration::from_secs(10)).unwrap();
        assert!(wait >= Duration::from_secs(10) && wait <= Duration::from_secs(11));
        assert!(limiter.try_admit(Urgency::Order, now + Duration::from_secs(21)).is_none());
    }

    #[test]
    fn the_brokers_own_limit_counts() {
        let limiter = Limiter::new(200);
        let now = Instant::now();
        limiter.learn(Some(1000), 5000);
        assert_eq!(burst(&limiter, Urgency::Order, now + Duration::from_secs(60)), 1000);
        limiter.learn(Some(60), 10);
        assert_eq!(burst(&limiter, Urgency::Order, now + Duration::from_secs(61)), 1, "one a second");
    }
}
