use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// The words of the contract, spelled out once more: they are read by other programs.
const WORDS: [&str; 13] = [
    "initialize",
    "provisioning",
    "bootstrapping",
    "idle",
    "analyzing",
    "trading",
    "monitoring",
    "updating",
    "shutdown",
    "graceful_closing_positions",
    "emergency_closing_positions",
    "shutdown_triggered",
    "error",
];

fn reachable(from: BotState, events: &[Event]) -> BTreeSet<BotState> {
    let mut seen = BTreeSet::from([from]);
    let mut open = vec![from];
    while let Some(state) = open.pop() {
        for &event in events {
            if let Ok(next) = state.next(event)
                && seen.insert(next)
            {
                open.push(next);
            }
        }
    }
    seen
}

#[test]
fn the_words_are_those_of_the_contract() {
    assert_eq!(BotState::ALL.map(BotState::word), WORDS);
    for word in WORDS {
        assert_eq!(word.parse::<BotState>().unwrap().word(), word);
    }
    for word in ["", "Idle", "idle\n", " idle", "running", "graceful_closing"] {
        assert!(word.parse::<BotState>().is_err(), "{word:?}");
    }
}

#[test]
fn no_pair_of_state_and_event_has_two_rows() {
    let mut seen = BTreeSet::new();
    for rule in TRANSITIONS {
        for &from in rule.from {
            assert!(seen.insert((from, rule.event)), "{from} on {:?} twice", rule.event);
        }
    }
    for event in Event::ALL {
        assert!(TRANSITIONS.iter().any(|rule| rule.event == event), "{event:?} is never legal");
    }
}

#[test]
fn every_state_is_reached_from_the_first() {
    assert_eq!(reachable(Initialize, &Event::ALL).len(), 13);
}

#[test]
fn every_state_has_a_way_to_idle() {
    for state in BotState::ALL {
        assert!(reachable(state, &Event::ALL).contains(&Idle), "{state} is a dead end");
    }
}

#[test]
fn every_state_answers_a_start_of_the_core() {
    for state in BotState::ALL {
        let expected = if matches!(state, Shutdown | Updating) { Idle } else { state };
        assert_eq!(state.next(Event::CoreStarted), Ok(expected));
    }
}

#[test]
fn the_kill_switch_works_wherever_something_can_be_open() {
    for state in BotState::ALL {
        let killed = state.next(Event::Kill(Open));
        if state.before_first_idle() {
            assert!(killed.is_err(), "{state} has no broker yet");
        } else {
            assert_eq!(killed, Ok(EmergencyClosingPositions), "{state}");
            assert!(state.next(Event::Kill(Flat)).is_ok(), "{state}");
        }
    }
}

/// `error` keeps positions only if it had them: they were found there, and the kill switch is the way out.
#[test]
fn no_event_abandons_open_positions() {
    for state in BotState::ALL {
        for event in Event::ALL {
            let open = matches!(
                event,
                Event::SessionEnded(Open)
                    | Event::Stop(Open)
                    | Event::LimitReached(Open)
                    | Event::Kill(Open)
                    | Event::Fault(Open)
            );
            if let (true, Ok(next)) = (open, state.next(event)) {
                assert!(next.is_closing() || (state == Error && next == Error), "{state} on {event:?} -> {next}");
            }
        }
    }
}

#[test]
fn closing_ends_only_flat() {
    for state in BotState::ALL.into_iter().filter(|state| state.is_closing()) {
        for event in Event::ALL {
            let flat = matches!(
                event,
                Event::Closed | Event::Stop(Flat) | Event::Kill(Flat) | Event::Fault(Flat) | Event::LimitReached(Flat)
            );
            if let Ok(next) = state.next(event) {
                assert!(next.is_closing() || flat, "{state} on {event:?} -> {next}");
            }
        }
    }
}

#[test]
fn a_session_starts_in_idle_and_nowhere_else() {
    for state in BotState::ALL {
        assert_eq!(state.next(Event::Start).is_ok(), state == Idle, "{state}");
        assert_eq!(state.next(Event::EntriesBegan).is_ok(), state.in_session(), "{state}");
        assert_eq!(state.next(Event::Configured).is_ok(), state == Initialize, "{state}");
    }
}

#[test]
fn nothing_leaves_the_first_run_but_forwards_or_back_to_its_beginning() {
    for event in Event::ALL {
        if let Ok(next) = Provisioning.next(event) {
            assert!(matches!(next, Provisioning | Bootstrapping | Initialize | Error), "{event:?} -> {next}");
        }
    }
    assert!(Idle.next(Event::Reset).is_err());
    assert!(Idle.next(Event::RolledBack).is_err());
}

proptest! {
    /// Along any walk a refused event changes nothing, and entries are allowed only between a start and an end.
    #[test]
    fn walks_keep_to_the_table(walk in prop::collection::vec(0..Event::ALL.len(), 0..200)) {
        let mut state = Initialize;
        let mut session = false;
        for event in walk.into_iter().map(|k| Event::ALL[k]) {
            match state.next(event) {
                Ok(next) => {
                    let listed = TRANSITIONS.iter().any(|rule| {
                        rule.event == event
                            && rule.from.contains(&state)
                            && rule.to.unwrap_or(state) == next
                    });
                    prop_assert!(listed);
                    session = match event {
                        Event::Start => true,
                        _ => session && next.in_session(),
                    };
                    state = next;
                }
                Err(refused) => prop_assert_eq!(refused, IllegalTransition { from: state, event }),
            }
            prop_assert!(!state.may_enter_positions() || session);
        }
    }
}
