use base64::engine::general_purpose::URL_SAFE;
use proptest::prelude::*;

use super::super::key::Key;
use super::super::users::Role;
use super::*;

const T0: Nanos = 1_700_000_000 * SECOND;
const HOUR: Nanos = 60 * MINUTE;

struct People(BTreeMap<i64, Role>);

impl Accounts for People {
    fn active(&self, user_id: i64) -> Option<Account> {
        self.0.get(&user_id).map(|role| Account { username: format!("user{user_id}"), role: *role })
    }
}

struct House {
    sessions: Sessions,
    people: People,
    keys: KeyLines,
}

fn house() -> House {
    House {
        sessions: Sessions::new(SessionRule::default()),
        people: People(BTreeMap::from([(1, Role::Admin), (2, Role::Viewer)])),
        keys: KeyLines::one(Key::generate().unwrap()),
    }
}

impl House {
    fn log_in(&mut self, user: i64, now: Nanos) -> Token {
        self.sessions.log_in(user, None, "192.0.2.1", "Browser/1.0", &self.keys, now).unwrap()
    }

    fn ask(&mut self, token: &str, now: Nanos) -> Result<Authenticated, SessionError> {
        self.sessions.authenticate(token, Activity::Request, &self.people, &self.keys, now)
    }

    fn poll(&mut self, token: &str, now: Nanos) -> Result<Authenticated, SessionError> {
        self.sessions.authenticate(token, Activity::Polling, &self.people, &self.keys, now)
    }
}

#[test]
fn a_token_holds_a_random_id_and_its_version_only() {
    let mut house = house();
    let token = house.log_in(1, T0);
    let plain = house.keys.open(token.as_str().as_bytes()).unwrap();
    let content: serde_json::Value = serde_json::from_slice(&plain).unwrap();
    assert_eq!(content.as_object().unwrap().keys().collect::<Vec<_>>(), ["sid", "v"]);
    assert_eq!(content["v"], 1);
    assert_eq!(content["sid"].as_str().unwrap().len(), 43);
    assert!(token.as_str().len() < MOST_TOKEN);
    assert_ne!(house.log_in(1, T0), token);
}

#[test]
fn a_session_ends_when_nothing_is_done() {
    let mut house = house();
    let token = house.log_in(1, T0);
    let asked = house.ask(token.as_str(), T0 + 599 * SECOND).unwrap();
    assert_eq!(asked.idle_expires, T0 + 3599 * SECOND);
    let token = house.ask(token.as_str(), T0 + 3598 * SECOND).unwrap().replacement.unwrap();
    assert!(house.ask(token.as_str(), T0 + (3598 + 3000) * SECOND).is_err());
    assert!(house.sessions.is_empty());
}

#[test]
fn polling_keeps_nobody_logged_in() {
    let mut house = house();
    let mut token = house.log_in(1, T0);
    for s in (0..3000).step_by(10) {
        if let Some(newer) = house.poll(token.as_str(), T0 + s * SECOND).unwrap().replacement {
            token = newer;
        }
    }
    assert!(house.poll(token.as_str(), T0 + 3000 * SECOND).is_err());
}

#[test]
fn a_session_ends_however_busy_it_is() {
    let mut house = house();
    let mut token = house.log_in(1, T0);
    for m in 0..120 {
        let asked = house.ask(token.as_str(), T0 + m * MINUTE).unwrap();
        assert_eq!(asked.absolute_expires, T0 + 2 * HOUR);
        assert!(asked.idle_expires <= asked.absolute_expires);
        token = asked.replacement.unwrap_or(token);
    }
    assert!(house.ask(token.as_str(), T0 + 2 * HOUR).is_err());
}

#[test]
fn a_token_is_replaced_every_ten_minutes_and_overlaps_by_thirty_seconds() {
    let mut house = house();
    let old = house.log_in(1, T0);
    assert_eq!(house.ask(old.as_str(), T0 + REISSUE_AFTER - 1).unwrap().replacement, None);
    let at = T0 + REISSUE_AFTER;
    let new = house.ask(old.as_str(), at).unwrap().replacement.unwrap();
    assert_eq!(house.ask(new.as_str(), at).unwrap().replacement, None);
    // The answer with the new token was lost: the old one brings it again, and does not make a third.
    let again = house.ask(old.as_str(), at + OVERLAP - 1).unwrap().replacement.unwrap();
    assert_eq!(open(again.as_str(), &house.keys), open(new.as_str(), &house.keys));
    assert!(house.ask(old.as_str(), at + OVERLAP).is_err());
    assert!(house.ask(new.as_str(), at + OVERLAP).is_ok());
    assert_eq!(house.sessions.len(), 1);
}

#[test]
fn only_two_ids_of_a_session_are_remembered() {
    let mut house = house();
    let mut token = house.log_in(1, T0);
    for k in 1..=11 {
        token = house.ask(token.as_str(), T0 + k * REISSUE_AFTER).unwrap().replacement.unwrap();
        assert!(house.sessions.ids.len() <= 2);
    }
    house.sessions.sweep(T0 + 11 * REISSUE_AFTER + OVERLAP);
    assert_eq!(house.sessions.ids.len(), 1);
}

#[test]
fn a_login_drops_the_session_that_was_presented() {
    let mut house = house();
    let planted = house.log_in(2, T0);
    let fresh = house.sessions.log_in(1, Some(planted.as_str()), "", "", &house.keys, T0).unwrap();
    assert!(house.ask(planted.as_str(), T0).is_err());
    assert_eq!(house.ask(fresh.as_str(), T0).unwrap().user_id, 1);
}

#[test]
fn a_role_that_is_taken_away_is_gone_with_the_next_request() {
    let mut house = house();
    let token = house.log_in(1, T0);
    assert_eq!(house.ask(token.as_str(), T0).unwrap().account.role, Role::Admin);
    house.people.0.insert(1, Role::Viewer);
    assert_eq!(house.ask(token.as_str(), T0).unwrap().account.role, Role::Viewer);
    house.people.0.remove(&1);
    assert!(house.ask(token.as_str(), T0).is_err());
    house.people.0.insert(1, Role::Admin);
    assert!(house.ask(token.as_str(), T0).is_err(), "a deleted user's session does not come back");
}

#[test]
fn sessions_are_ended_by_logout_by_number_and_by_user() {
    let mut house = house();
    let tokens: Vec<Token> = (0..4).map(|k| house.log_in(1, T0 + k)).collect();
    let other = house.log_in(2, T0);
    assert_eq!(house.sessions.log_out(tokens[0].as_str(), &house.keys, T0), Some(1));
    assert_eq!(house.sessions.log_out(tokens[0].as_str(), &house.keys, T0), None);
    let second = house.ask(tokens[1].as_str(), T0).unwrap().session;
    assert!(!house.sessions.revoke(2, second), "not hers");
    assert!(house.sessions.revoke(1, second));
    let third = house.ask(tokens[2].as_str(), T0).unwrap().session;
    assert_eq!(house.sessions.revoke_user(1, Some(third)), 1);
    assert!(house.ask(tokens[2].as_str(), T0).is_ok());
    assert!(house.ask(tokens[3].as_str(), T0).is_err());
    assert!(house.ask(other.as_str(), T0).is_ok());
    assert_eq!(house.sessions.of_user(1, T0).len(), 1);
    assert_eq!(house.sessions.revoke_all(), 2);
    assert!(house.ask(other.as_str(), T0).is_err());
}

#[test]
fn a_renewed_session_has_no_old_token() {
    let mut house = house();
    let old = house.log_in(1, T0);
    let asked = house.ask(old.as_str(), T0).unwrap();
    let csrf = house.sessions.csrf(asked.session).unwrap();
    let new = house.sessions.renew(asked.session, &house.keys, T0).unwrap();
    assert!(house.ask(old.as_str(), T0).is_err());
    let asked = house.ask(new.as_str(), T0).unwrap();
    assert_eq!(house.sessions.csrf(asked.session), Some(csrf));
}

#[test]
fn who_gets_another_role_gets_a_new_token_with_the_next_request() {
    let mut house = house();
    let (token, other) = (house.log_in(2, T0), house.log_in(1, T0));
    house.sessions.renew_user(2);
    let newer = house.ask(token.as_str(), T0 + SECOND).unwrap().replacement.expect("a new token");
    assert_ne!(newer, token);
    assert_eq!(house.ask(newer.as_str(), T0 + SECOND).unwrap().replacement, None);
    assert_eq!(house.ask(token.as_str(), T0 + SECOND + OVERLAP).unwrap_err(), SessionError::NotLoggedIn);
    assert_eq!(house.ask(other.as_str(), T0 + SECOND).unwrap().replacement, None, "nobody else does");
}

#[test]
fn the_csrf_token_belongs_to_its_session() {
    let mut house = house();
    let [a, b] = [1, 2].map(|user| house.log_in(user, T0));
    let [a, b] = [a, b].map(|token| house.ask(token.as_str(), T0).unwrap().session);
    let csrf = house.sessions.csrf(a).unwrap();
    assert!(house.sessions.csrf_matches(a, &csrf));
    assert!(!house.sessions.csrf_matches(b, &csrf));
    for wrong in ["", &csrf[1..], &format!("{csrf}x"), "\0"] {
        assert!(!house.sessions.csrf_matches(a, wrong));
    }
    house.sessions.revoke_all();
    assert!(!house.sessions.csrf_matches(a, &csrf));
    assert!(!house.sessions.csrf_matches(a, ""));
}

#[test]
fn a_user_has_few_sessions_and_the_stalest_makes_room() {
    let mut house = house();
    let tokens: Vec<Token> = (0..MOST_OF_A_USER as i64).map(|k| house.log_in(1, T0 + k)).collect();
    assert!(house.ask(tokens[0].as_str(), T0 + SECOND).is_ok());
    house.log_in(1, T0 + 2 * SECOND);
    assert_eq!(house.sessions.len(), MOST_OF_A_USER);
    assert!(house.ask(tokens[0].as_str(), T0 + 2 * SECOND).is_ok());
    assert!(house.ask(tokens[1].as_str(), T0 + 2 * SECOND).is_err());
    for user in 0..(MOST as i64 + 10) {
        house.log_in(user, T0 + 3 * SECOND);
    }
    assert_eq!(house.sessions.len(), MOST);
}

#[test]
fn forged_and_damaged_tokens_are_refused_without_a_panic() {
    let mut house = house();
    let good = house.log_in(1, T0);
    let good = good.as_str().to_string();
    let mut raw = URL_SAFE.decode(&good).unwrap();
    raw[1..9].fill(0xff);
    let future = URL_SAFE.encode(&raw);
    let foreign = KeyLines::one(Key::generate().unwrap());
    let inside = [r#"{"sid":"","v":1}"#, r#"{"sid":"AAAA","v":1}"#, "{}", "", "[]", "null", "\u{fffd}"];
    let mut hostile: Vec<String> = inside.iter().map(|plain| house.keys.seal(plain.as_bytes(), T0)).collect();
    let id = Random::new().unwrap();
    let sid = id.text();
    for plain in [
        format!(r#"{{"sid":"{sid}","v":1}}"#),
        format!(r#"{{"sid":"{sid}","v":2}}"#),
        format!(r#"{{"sid":"{sid}","v":1,"role":"admin"}}"#),
        format!(r#"{{"sid":"{sid}"}}"#),
    ] {
        hostile.push(house.keys.seal(plain.as_bytes(), T0));
    }
    hostile.push(seal(&id, &foreign, T0).as_str().to_string());
    hostile.extend([future, String::new(), "\0".into(), "ü".repeat(100), "A".repeat(10_000_000), "gAAAAA==".into()]);
    hostile.extend((0..good.len()).map(|end| good[..end].to_string()));
    hostile.extend([format!("\"{good}\""), format!("{good}{good}"), format!(" {good}"), format!("{good}\r\n")]);
    for token in hostile {
        assert_eq!(house.ask(&token, T0), Err(SessionError::NotLoggedIn), "{token:.60}");
    }
    assert!(house.ask(&good, T0).is_ok());
}

#[test]
fn any_flipped_bit_is_noticed() {
    let mut house = house();
    let good = house.log_in(1, T0);
    let raw = URL_SAFE.decode(good.as_str()).unwrap();
    for bit in 0..raw.len() * 8 {
        let mut changed = raw.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(house.ask(&URL_SAFE.encode(&changed), T0).is_err(), "bit {bit}");
    }
}

#[test]
fn a_rotated_session_key_ends_what_the_old_one_issued() {
    let mut house = house();
    let token = house.log_in(1, T0);
    let old = house.keys.clone();
    house.keys = KeyLines::rotating(Key::generate().unwrap(), old.first().clone());
    assert!(house.ask(token.as_str(), T0).is_ok(), "while both keys are there");
    house.keys = KeyLines::one(house.keys.first().clone());
    assert!(house.ask(token.as_str(), T0).is_err());
}

#[test]
fn rules_outside_the_settings_are_refused() {
    assert_eq!(SessionRule::new(3000, 120), Ok(SessionRule::default()));
    assert!(SessionRule::new(4, 120).is_err());
    assert!(SessionRule::new(86_401, 10_080).is_err());
    assert!(SessionRule::new(3000, 0).is_err());
    assert!(SessionRule::new(3000, 10_081).is_err());
    assert_eq!(SessionRule::new(61, 1), Err(SessionRuleError::IdleBeyondAbsolute { idle_s: 61, absolute_min: 1 }));
    assert!(SessionRule::new(60, 1).is_ok());
}

#[test]
fn nothing_secret_is_in_a_debug_form() {
    let mut house = house();
    let token = house.log_in(1, T0);
    let asked = house.ask(token.as_str(), T0).unwrap();
    let csrf = house.sessions.csrf(asked.session).unwrap();
    let id = open(token.as_str(), &house.keys).unwrap();
    let text = format!("{:?} {token:?} {asked:?} {id:?}", house.sessions);
    for secret in [token.as_str(), csrf.as_str(), &id.text(), &format!("{:?}", id.0)] {
        assert!(!text.contains(secret));
    }
}

#[test]
fn what_a_browser_calls_itself_is_cut() {
    let mut house = house();
    house.sessions.log_in(1, None, &"9".repeat(5000), &"x".repeat(50_000), &house.keys, T0).unwrap();
    let info = &house.sessions.of_user(1, T0)[0];
    assert_eq!((info.ip.len(), info.agent.len()), (64, MOST_AGENT));
}

proptest! {
    /// Whatever is done in whatever order: an id points to a row that has it, and an ended session stays ended.
    #[test]
    fn rows_and_ids_stay_together(steps in prop::collection::vec((0u8..6, 0usize..8, 0i64..20 * MINUTE), 1..60)) {
        let mut house = house();
        let mut tokens: Vec<String> = Vec::new();
        let mut ended: Vec<String> = Vec::new();
        let mut now = T0;
        for (what, which, gap) in steps {
            now += gap;
            let token = tokens.get(which % tokens.len().max(1)).cloned().unwrap_or_default();
            match what {
                0 => tokens.push(house.log_in(1 + (which % 2) as i64, now).as_str().to_string()),
                1 | 2 => {
                    if let Ok(Authenticated { replacement: Some(newer), .. }) = house.ask(&token, now) {
                        tokens.push(newer.as_str().to_string());
                    }
                }
                3 => {
                    if house.sessions.log_out(&token, &house.keys, now).is_some() {
                        ended.push(token);
                    }
                }
                4 => house.sessions.sweep(now),
                _ => {
                    let _ = house.poll(&token, now);
                }
            }
            for token in &ended {
                prop_assert!(house.ask(token, now).is_err());
            }
            for (id, session) in &house.sessions.ids {
                let row = &house.sessions.rows[session];
                prop_assert!(row.current.0 == *id || row.previous.as_ref().is_some_and(|(old, _)| old == id));
            }
            prop_assert!(house.sessions.rows.values().all(|row| house.sessions.ids.contains_key(&row.current.0)));
        }
    }
}
