//! `control/bot_state.txt`, kept in step with the state in memory.

use crate::market::Nanos;
use crate::vault::audit::{Action, Audit, AuditError, Entry};
use crate::vault::{Actor, Disk, DiskError};

use super::state::{BotState, Event, IllegalTransition, UnknownState};

/// Most bytes of the file; the longest word has 27.
const MOST_BYTES: usize = 64;

/// A change of state that did not happen, or a state that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The table does not have it.
    #[error(transparent)]
    Illegal(#[from] IllegalTransition),
    /// It could not be audited, and does not take risk away.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// It could not be written, and does not take risk away.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The file holds something else.
    #[error("control/bot_state.txt: {0}")]
    Unknown(#[from] UnknownState),
}

/// A change of state that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Before.
    pub from: BotState,
    /// After.
    pub to: BotState,
    /// Whether the file says so already. If not, it is written with the next change or [`StateFile::catch_up`].
    pub written: bool,
}

/// The bot's state, in memory and in its file.
pub struct StateFile {
    disk: Disk,
    state: BotState,
    /// What the file says, as far as known.
    on_disk: Option<BotState>,
}

impl StateFile {
    /// The file, relative to the data folder.
    pub const PATH: &'static str = "control/bot_state.txt";

    /// Reads the state. A missing file is `initialize`, and is made.
    ///
    /// # Errors
    /// The file holds none of the 13 words, or cannot be read or made.
    pub fn open(disk: Disk) -> Result<StateFile, StateError> {
        let state = match disk.read(StateFile::PATH, MOST_BYTES) {
            Ok(Some(content)) => {
                let text = String::from_utf8_lossy(&content);
                text.strip_suffix('\n').unwrap_or(&text).parse()?
            }
            Ok(None) => {
                disk.write(StateFile::PATH, b"initialize\n")?;
                BotState::Initialize
            }
            Err(DiskError::TooLarge { bytes, .. }) => {
                return Err(UnknownState { found: format!("{bytes} bytes") }.into());
            }
            Err(error) => return Err(error.into()),
        };
        Ok(StateFile { disk, state, on_disk: Some(state) })
    }

    /// Takes the place of a file that cannot be read: the state is `error`, in memory at least.
    pub fn unreadable(disk: Disk) -> StateFile {
        let mut file = StateFile { disk, state: BotState::Error, on_disk: None };
        // What cannot be written now is written with the next change.
        let _ = file.catch_up();
        file
    }

    /// The state.
    pub fn state(&self) -> BotState {
        self.state
    }

    /// Carries out an event: checks it against the table, audits it, writes the file, and then changes the state.
    ///
    /// What takes risk away ([`Event::reduces_risk`]) happens even if it can be neither audited nor written: the
    /// entry waits, and the file is written later. After a crash the older word then leads to a reconciliation with
    /// the broker, not to new positions.
    ///
    /// # Errors
    /// The event is illegal in this state, or could not be audited or written; the state is then unchanged.
    pub fn apply(&mut self, event: Event, actor: &Actor, audit: &mut Audit, now: Nanos) -> Result<Change, StateError> {
        let from = self.state;
        let to = from.next(event)?;
        if to == from && self.on_disk == Some(to) {
            return Ok(Change { from, to, written: true });
        }
        let entry = Entry::new(now, actor, Action::StateChange, to.word(), "begun")
            .detail(serde_json::json!({ "from": from.word(), "to": to.word(), "event": format!("{event:?}") }));
        if event.reduces_risk() {
            self.state = to;
            let written = self.catch_up().is_ok();
            audit.note(entry);
            return Ok(Change { from, to, written });
        }
        let _recorded = audit.record(entry)?;
        if let Err(error) = self.write(to) {
            // Nobody knows what the file says now: it is written again with the next change.
            self.on_disk = None;
            let entry = Entry::new(now, actor, Action::StateChange, to.word(), "failed");
            audit.note(entry.detail(serde_json::json!({ "from": from.word(), "to": to.word() })));
            let _ = self.catch_up();
            return Err(error.into());
        }
        self.state = to;
        Ok(Change { from, to, written: true })
    }

    /// Writes the state to the file if the file may say something else.
    ///
    /// # Errors
    /// The disk refused.
    pub fn catch_up(&mut self) -> Result<(), DiskError> {
        if self.on_disk == Some(self.state) {
            return Ok(());
        }
        self.on_disk = None;
        self.write(self.state)
    }

    fn write(&mut self, state: BotState) -> Result<(), DiskError> {
        self.disk.write(StateFile::PATH, format!("{state}\n").as_bytes())?;
        self.on_disk = Some(state);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::market::SECOND;
    use crate::runtime::Exposure;
    use crate::vault::tests::harness::folder;
    use crate::vault::{Category, Keys, Step, Verdict, Watch};

    const T0: Nanos = 1_700_000_000 * SECOND;

    /// Fails or stops the step that is `n` steps away.
    struct At(Arc<Mutex<Option<u64>>>, bool);

    impl Watch for At {
        fn before(&mut self, _: Step<'_>) -> Verdict {
            let mut left = self.0.lock().unwrap();
            match *left {
                Some(0) => {
                    *left = None;
                    if self.1 { Verdict::Stop } else { Verdict::Fail(std::io::ErrorKind::StorageFull.into()) }
                }
                Some(n) => {
                    *left = Some(n - 1);
                    Verdict::Go
                }
                None => Verdict::Go,
            }
        }
    }

    struct House {
        folder: tempfile::TempDir,
        left: Arc<Mutex<Option<u64>>>,
        audit: Audit,
        state: StateFile,
    }

    /// A data folder whose bot is in `state`.
    fn house(state: BotState, stop: bool) -> House {
        let folder = folder();
        let left = Arc::new(Mutex::new(None));
        let (disk, _) = Disk::open_watched(folder.path(), Box::new(At(Arc::clone(&left), stop))).unwrap();
        let (mut keys, _) = Keys::open(&disk).unwrap();
        keys.provision(Category::Audit, T0).unwrap();
        let mut audit = Audit::open(disk.clone(), keys.get(Category::Audit).unwrap(), false);
        audit.settle(T0).unwrap();
        disk.write(StateFile::PATH, format!("{state}\n").as_bytes()).unwrap();
        let state = StateFile::open(disk).unwrap();
        House { folder, left, audit, state }
    }

    const TO_TRADING: [Event; 6] = [
        Event::Configured,
        Event::Provisioned,
        Event::Launched,
        Event::Start,
        Event::AnalysisBegan,
        Event::EntriesBegan,
    ];

    fn word(folder: &std::path::Path) -> String {
        std::fs::read_to_string(folder.join(StateFile::PATH)).unwrap()
    }

    #[test]
    fn the_file_says_what_the_state_is() {
        let mut house = house(BotState::Initialize, false);
        assert_eq!(word(house.folder.path()), "initialize\n");
        for event in TO_TRADING {
            let change = house.state.apply(event, &Actor::core(), &mut house.audit, T0).unwrap();
            assert!(change.written);
            assert_eq!(word(house.folder.path()), format!("{}\n", house.state.state()));
        }
        let newest = house.audit.page(0, 1, T0).unwrap().entries.remove(0);
        assert_eq!((newest.action.as_str(), newest.target.as_str()), ("state.change", "trading"));
        assert_eq!(newest.detail["from"], "analyzing");
    }

    #[test]
    fn an_illegal_event_changes_nothing() {
        let mut house = house(BotState::Idle, false);
        let refused = house.state.apply(Event::Configured, &Actor::core(), &mut house.audit, T0);
        assert!(matches!(refused, Err(StateError::Illegal(_))));
        assert_eq!((house.state.state(), word(house.folder.path()).as_str()), (BotState::Idle, "idle\n"));
    }

    #[test]
    fn only_the_thirteen_words_are_read() {
        let folder = folder();
        let (disk, _) = Disk::open(folder.path()).unwrap();
        for text in ["", "Idle\n", "idle\n\n", "idle \n", "trading\0", &"x".repeat(10_000), "rm -rf"] {
            std::fs::write(folder.path().join(StateFile::PATH), text).unwrap();
            assert!(matches!(StateFile::open(disk.clone()), Err(StateError::Unknown(_))), "{text:.20}");
        }
        for text in ["idle\n", "idle"] {
            std::fs::write(folder.path().join(StateFile::PATH), text).unwrap();
            assert_eq!(StateFile::open(disk.clone()).unwrap().state(), BotState::Idle);
        }
        std::fs::write(folder.path().join(StateFile::PATH), "nonsense").unwrap();
        assert_eq!(StateFile::unreadable(disk).state(), BotState::Error);
        assert_eq!(word(folder.path()), "error\n");
    }

    /// A failed write at any step: what adds risk is refused, what takes it away happens.
    #[test]
    fn a_full_disk_refuses_a_start_and_not_a_kill() {
        for n in 0.. {
            let mut house = house(BotState::Idle, false);
            *house.left.lock().unwrap() = Some(n);
            let started = house.state.apply(Event::Start, &Actor::core(), &mut house.audit, T0);
            let walked = house.left.lock().unwrap().is_none();
            *house.left.lock().unwrap() = None;
            assert_eq!(started.is_err(), walked, "step {n}");
            if !walked {
                break;
            }
            assert_eq!(house.state.state(), BotState::Idle, "step {n}");
            assert_eq!(word(house.folder.path()), "idle\n", "step {n}");
        }
        for n in 0..14 {
            let mut house = house(BotState::Trading, false);
            *house.left.lock().unwrap() = Some(n);
            let kill = Event::Kill(Exposure::Open);
            let killed = house.state.apply(kill, &Actor::core(), &mut house.audit, T0).unwrap();
            assert_eq!(killed.to, BotState::EmergencyClosingPositions, "step {n}");
            *house.left.lock().unwrap() = None;
            house.state.catch_up().unwrap();
            assert_eq!(word(house.folder.path()), "emergency_closing_positions\n", "step {n}");
        }
    }

    #[test]
    fn a_stop_at_any_step_leaves_the_old_word_or_the_new_one() {
        for event in [Event::MonitoringBegan, Event::EntriesBegan, Event::Kill(Exposure::Open)] {
            for n in 0.. {
                let mut house = house(BotState::Analyzing, true);
                *house.left.lock().unwrap() = Some(n);
                let _ = house.state.apply(event, &Actor::core(), &mut house.audit, T0);
                let walked = house.left.lock().unwrap().is_none();
                let House { folder, state, audit, .. } = house;
                let next = BotState::Analyzing.next(event).unwrap();
                drop((state, audit));
                let (disk, _) = Disk::open(folder.path()).unwrap();
                let found = StateFile::open(disk).unwrap().state();
                assert!(found == BotState::Analyzing || found == next, "step {n}: {found}");
                if !walked {
                    assert_eq!(found, next);
                    break;
                }
            }
        }
    }
}
