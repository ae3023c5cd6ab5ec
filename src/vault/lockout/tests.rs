use proptest::prelude::*;

use super::*;

const T0: Nanos = 1_700_000_000 * SECOND;

fn lockout(limit: u32, minutes: u32) -> Lockout {
    Lockout::new(LockoutRule::new(limit, minutes).unwrap(), [])
}

fn fail(lockout: &mut Lockout, name: &str, now: Nanos) -> Result<(), Locked> {
    lockout.begin(name, now).map(|_| ())
}

#[test]
fn failures_up_to_the_limit_are_answered_and_later_ones_locked() {
    let mut lockout = lockout(3, 15);
    for k in 0..3 {
        assert_eq!(fail(&mut lockout, "alice", T0 + k * SECOND), Ok(()));
    }
    let last = T0 + 2 * SECOND;
    assert_eq!(fail(&mut lockout, "alice", last), Err(Locked { retry_after_s: 900 }));
    assert_eq!(fail(&mut lockout, "alice", last + 15 * MINUTE - 1), Err(Locked { retry_after_s: 1 }));
    assert_eq!(fail(&mut lockout, "alice", last + 15 * MINUTE), Ok(()));
}

#[test]
fn trying_while_locked_does_not_prolong_the_lock() {
    let mut lockout = lockout(1, 1);
    assert!(fail(&mut lockout, "alice", T0).is_ok());
    for s in 1..60 {
        assert!(fail(&mut lockout, "alice", T0 + s * SECOND).is_err());
    }
    assert!(fail(&mut lockout, "alice", T0 + MINUTE).is_ok());
}

#[test]
fn names_that_do_not_exist_lock_too_and_case_does_not_matter() {
    let mut lockout = lockout(2, 15);
    assert!(fail(&mut lockout, "No.Such-User", T0).is_ok());
    assert!(fail(&mut lockout, "no.such-user", T0).is_ok());
    assert!(fail(&mut lockout, "NO.SUCH-USER", T0).is_err());
    assert!(fail(&mut lockout, "other", T0).is_ok());
}

#[test]
fn a_success_starts_anew() {
    let mut lockout = lockout(2, 15);
    assert!(fail(&mut lockout, "alice", T0).is_ok());
    let attempt = lockout.begin("alice", T0).unwrap();
    assert_eq!(lockout.succeeded(attempt), [LockoutChange::Forget(AttemptedName::new("alice"))]);
    assert!(lockout.is_empty());
}

#[test]
fn an_attempt_that_was_not_looked_at_does_not_count() {
    let mut lockout = lockout(1, 15);
    for _ in 0..5 {
        let attempt = lockout.begin("alice", T0).unwrap();
        assert_eq!(lockout.withdrawn(attempt), [LockoutChange::Forget(AttemptedName::new("alice"))]);
    }
    let attempt = lockout.begin("alice", T0).unwrap();
    assert_eq!(attempt.changes.len(), 1);
    assert!(lockout.begin("alice", T0).is_err());
}

#[test]
fn parallel_attempts_do_not_pass_the_limit() {
    let mut lockout = lockout(10, 15);
    let admitted: Vec<_> = (0..20).filter_map(|_| lockout.begin("alice", T0).ok()).collect();
    assert_eq!(admitted.len(), 10);
}

#[test]
fn counts_survive_a_restart() {
    let mut before = lockout(2, 15);
    let mut stored = BTreeMap::new();
    for _ in 0..2 {
        for change in before.begin("alice", T0).unwrap().changes {
            match change {
                LockoutChange::Set(name, failures) => stored.insert(name, failures),
                LockoutChange::Forget(name) => stored.remove(&name),
            };
        }
    }
    let mut after = Lockout::new(LockoutRule::new(2, 15).unwrap(), stored);
    assert!(after.begin("alice", T0 + MINUTE).is_err());
}

#[test]
fn a_clock_set_back_does_not_lock_for_longer_than_a_lock() {
    let mut lockout = lockout(1, 15);
    assert!(fail(&mut lockout, "alice", T0).is_ok());
    assert_eq!(fail(&mut lockout, "alice", T0 - 1000 * MINUTE), Err(Locked { retry_after_s: 900 }));
    assert_eq!(fail(&mut lockout, "alice", i64::MIN), Err(Locked { retry_after_s: 900 }));
    assert!(fail(&mut lockout, "alice", i64::MAX).is_ok());
}

#[test]
fn what_cannot_be_a_name_is_kept_as_a_hash() {
    for typed in ["correct horse battery staple", "a\r\nb", "\0", "", &"x".repeat(100_000), "ünïcode"] {
        let name = AttemptedName::new(typed);
        assert_eq!(name.as_str().len(), 65, "{typed:.20}");
        assert!(name.as_str().starts_with('#'));
    }
    assert_eq!(AttemptedName::new("Alice").as_str(), "alice");
}

#[test]
fn the_oldest_unlocked_name_makes_room() {
    let mut lockout = lockout(2, 15);
    for _ in 0..2 {
        assert!(fail(&mut lockout, "locked", T0 - SECOND).is_ok());
    }
    for k in 0..MOST_NAMES - 1 {
        assert!(fail(&mut lockout, &format!("name{k}"), T0 + k as i64).is_ok());
    }
    assert_eq!(lockout.len(), MOST_NAMES);
    let attempt = lockout.begin("newcomer", T0 + SECOND).unwrap();
    assert_eq!(attempt.changes[0], LockoutChange::Forget(AttemptedName::new("name0")));
    assert_eq!(lockout.len(), MOST_NAMES);
    assert!(fail(&mut lockout, "locked", T0 + SECOND).is_err(), "the lock must not be washed out");
}

#[test]
fn rules_outside_the_settings_are_refused() {
    for (limit, minutes) in [(0, 15), (101, 15), (10, 0), (10, 1441), (u32::MAX, u32::MAX)] {
        assert!(LockoutRule::new(limit, minutes).is_err());
    }
    assert_eq!(LockoutRule::new(10, 15), Ok(LockoutRule::default()));
}

#[test]
fn an_address_has_its_burst_and_then_two_a_second() {
    let mut throttle = Throttle::default();
    let address: IpAddr = "192.0.2.1".parse().unwrap();
    for _ in 0..BURST {
        assert_eq!(throttle.take(address, T0), Ok(()));
    }
    assert_eq!(throttle.take(address, T0), Err(Locked { retry_after_s: 1 }));
    assert_eq!(throttle.take(address, T0 + SECOND / 2), Ok(()));
    assert!(throttle.take(address, T0 + SECOND / 2).is_err());
    assert!(throttle.take("192.0.2.2".parse().unwrap(), T0).is_ok(), "another address has its own");
    let passed = (0..1000).filter(|k| throttle.take(address, T0 + SECOND + k * SECOND / 100).is_ok()).count();
    assert_eq!(passed, 20, "ten seconds give twenty tokens");
}

#[test]
fn addresses_of_one_network_share_a_bucket() {
    let mut throttle = Throttle::default();
    for k in 0..BURST {
        assert!(throttle.take(format!("2001:db8::{k:x}").parse().unwrap(), T0).is_ok());
    }
    assert!(throttle.take("2001:db8::ffff:1".parse().unwrap(), T0).is_err());
    assert!(throttle.take("2001:db8:0:1::1".parse().unwrap(), T0).is_ok());
    assert_eq!(network("::ffff:192.0.2.1".parse().unwrap()), "192.0.2.1".parse::<IpAddr>().unwrap());
}

#[test]
fn few_addresses_are_remembered() {
    let mut throttle = Throttle::default();
    let busy: IpAddr = "192.0.2.1".parse().unwrap();
    for _ in 0..BURST {
        assert!(throttle.take(busy, T0).is_ok());
    }
    for k in 0..(MOST_ADDRESSES as u32 + 50) {
        assert!(throttle.take(IpAddr::V4((0x0a00_0000 + k).into()), T0).is_ok());
    }
    assert!(throttle.buckets.len() <= MOST_ADDRESSES);
    assert!(throttle.take(busy, T0).is_err(), "an empty bucket must not be washed out");
}

proptest! {
    /// However attempts are spread, a name is let in at most `limit` times within any lock's length of failures.
    #[test]
    fn no_pattern_of_guesses_beats_the_limit(gaps in prop::collection::vec(0i64..40 * MINUTE, 1..200)) {
        let mut lockout = lockout(5, 15);
        let mut now = T0;
        let mut run = 0;
        let mut last: Option<Nanos> = None;
        for gap in gaps {
            now += gap;
            if fail(&mut lockout, "alice", now).is_ok() {
                run = if last.is_some_and(|last| now - last < 15 * MINUTE) { run + 1 } else { 1 };
                prop_assert!(run <= 5);
                last = Some(now);
            }
        }
    }
}
