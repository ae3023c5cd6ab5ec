use std::sync::{Arc, Barrier, Mutex};

use super::super::super::audit::{Audit, Entry};
use super::super::super::lockout::{Lockout, LockoutRule};
use super::super::super::tests::harness::folder;
use super::super::super::{Actor, Disk, Keys, Step, StepKind, Verdict, Watch};
use super::*;
use crate::market::{MINUTE, SECOND};

const T0: Nanos = 1_700_000_000 * SECOND;

struct House {
    folder: tempfile::TempDir,
    disk: Disk,
    keys: Keys,
    audit: Audit,
    users: Users,
}

impl House {
    fn new() -> House {
        let folder = folder();
        let (disk, _) = Disk::open(folder.path()).unwrap();
        House::on(folder, disk)
    }

    fn on(folder: tempfile::TempDir, disk: Disk) -> House {
        let (mut keys, _) = Keys::open(&disk).unwrap();
        for category in [Category::Env, Category::Audit, Category::Login] {
            keys.provision(category, T0).unwrap();
        }
        let audit = Audit::open(disk.clone(), keys.get(Category::Audit).unwrap(), false);
        let users = Users::create_database(Storage { disk: &disk, keys: &keys }, T0).unwrap();
        House { folder, disk, keys, audit, users }
    }

    fn record(&mut self, action: Action) -> Recorded {
        self.audit.record(Entry::new(T0, &Actor::core(), action, "user", "begun")).unwrap()
    }

    fn first(&mut self, name: &str) -> Result<i64, UserError> {
        let proof = self.record(Action::UserCreate);
        self.users.create_first(Storage { disk: &self.disk, keys: &self.keys }, &new(name), proof, T0)
    }

    fn create(&mut self, name: &str, role: Role) -> Result<i64, UserError> {
        let proof = self.record(Action::UserCreate);
        self.users.create(Storage { disk: &self.disk, keys: &self.keys }, &new(name), role, proof, T0)
    }

    fn update(&mut self, id: i64, change: &UserChange) -> Result<User, UserError> {
        let proof = self.record(Action::UserUpdate);
        self.users.update(Storage { disk: &self.disk, keys: &self.keys }, id, change, proof, T0)
    }

    fn delete(&mut self, id: i64) -> Result<(), UserError> {
        let proof = self.record(Action::UserDelete);
        self.users.delete(Storage { disk: &self.disk, keys: &self.keys }, id, proof, T0)
    }

    fn reopened(&self) -> Users {
        Users::open(Storage { disk: &self.disk, keys: &self.keys }).unwrap().unwrap()
    }
}

fn hash(cost: u32) -> PasswordHash {
    PasswordHash::new(&bcrypt::hash("blue kettle sings", cost).unwrap()).unwrap()
}

fn new(name: &str) -> NewUser {
    NewUser { username: Username::new(name).unwrap(), email: Email::new("a@example.com").unwrap(), hash: hash(4) }
}

fn names(users: &Users) -> Vec<(String, Role)> {
    users.list().unwrap().into_iter().map(|user| (user.username, user.role)).collect()
}

#[test]
fn the_first_user_is_an_admin_and_the_only_first() {
    let mut house = House::new();
    assert_eq!(house.first("Alice").unwrap(), 1);
    assert!(matches!(house.first("mallory"), Err(UserError::NotTheFirst)));
    assert_eq!(names(&house.users), [("Alice".to_string(), Role::Admin)]);
    assert_eq!(names(&house.reopened()), names(&house.users));
}

#[test]
fn of_two_who_want_to_be_first_one_is() {
    let house = Arc::new(Mutex::new(House::new()));
    let start = Arc::new(Barrier::new(8));
    let threads: Vec<_> = (0..8)
        .map(|k| {
            let (house, start) = (Arc::clone(&house), Arc::clone(&start));
            std::thread::spawn(move || {
                start.wait();
                house.lock().unwrap().first(&format!("user{k}")).is_ok()
            })
        })
        .collect();
    let won = threads.into_iter().map(|thread| thread.join().unwrap()).filter(|won| *won).count();
    assert_eq!(won, 1);
    assert_eq!(house.lock().unwrap().reopened().count().unwrap(), 1);
}

#[test]
fn names_that_differ_in_case_only_are_the_same() {
    let mut house = House::new();
    house.first("Alice").unwrap();
    let bob = house.create("bob", Role::Viewer).unwrap();
    assert!(matches!(house.create("ALICE", Role::Viewer), Err(UserError::NameTaken)));
    let rename = |name: &str| UserChange { username: Some(Username::new(name).unwrap()), ..UserChange::default() };
    assert!(matches!(house.update(bob, &rename("aLiCe")), Err(UserError::NameTaken)));
    assert_eq!(house.update(bob, &rename("BOB")).unwrap().username, "BOB");
    assert_eq!(house.users.credentials("bOb").unwrap().unwrap().user.id, bob);
    assert_eq!(house.users.credentials("nobody").unwrap(), None);
    assert_eq!(house.users.credentials("' OR 1=1 --").unwrap(), None);
}

#[test]
fn the_last_admin_stays() {
    let mut house = House::new();
    let alice = house.first("alice").unwrap();
    let bob = house.create("bob", Role::Viewer).unwrap();
    let demote = UserChange { role: Some(Role::Viewer), ..UserChange::default() };
    let disable = UserChange { disabled: Some(true), ..UserChange::default() };
    assert!(matches!(house.update(alice, &demote), Err(UserError::LastAdmin)));
    assert!(matches!(house.update(alice, &disable), Err(UserError::LastAdmin)));
    assert!(matches!(house.delete(alice), Err(UserError::LastAdmin)));
    house.update(bob, &UserChange { role: Some(Role::Admin), ..UserChange::default() }).unwrap();
    house.update(bob, &disable).unwrap();
    assert!(matches!(house.delete(alice), Err(UserError::LastAdmin)), "a disabled admin does not count");
    house.update(bob, &UserChange { disabled: Some(false), ..UserChange::default() }).unwrap();
    house.delete(alice).unwrap();
    assert_eq!(names(&house.reopened()), [("bob".to_string(), Role::Admin)]);
}

#[test]
fn an_id_is_never_used_again() {
    let mut house = House::new();
    house.first("alice").unwrap();
    let bob = house.create("bob", Role::Viewer).unwrap();
    house.delete(bob).unwrap();
    house.users = house.reopened();
    assert_eq!(house.create("carol", Role::Viewer).unwrap(), bob + 1);
    assert!(matches!(house.delete(bob), Err(UserError::Unknown(_))));
    assert!(matches!(house.update(-1, &UserChange::default()), Err(UserError::Unknown(-1))));
}

#[test]
fn the_proof_must_be_of_this_deed() {
    let mut house = House::new();
    let proof = house.record(Action::LoginOk);
    let storage = Storage { disk: &house.disk, keys: &house.keys };
    let refused = house.users.create_first(storage, &new("alice"), proof, T0);
    assert!(matches!(refused, Err(UserError::NotRecorded(Action::UserCreate))));
    assert_eq!(house.users.count().unwrap(), 0);
}

#[test]
fn a_disabled_or_deleted_user_is_nobody() {
    let mut house = House::new();
    let alice = house.first("alice").unwrap();
    let bob = house.create("bob", Role::Viewer).unwrap();
    assert_eq!(house.users.active(alice).unwrap().role, Role::Admin);
    assert_eq!(house.users.active(bob).unwrap().username, "bob");
    house.update(bob, &UserChange { disabled: Some(true), ..UserChange::default() }).unwrap();
    assert_eq!(house.users.active(bob), None);
    house.delete(bob).unwrap();
    assert_eq!(house.users.active(bob), None);
    assert_eq!(house.users.active(i64::MAX), None);
}

#[test]
fn a_stronger_hash_does_not_undo_a_new_password() {
    let mut house = House::new();
    let alice = house.first("alice").unwrap();
    let checked = house.users.credentials("alice").unwrap().unwrap();
    let changed = UserChange { hash: Some(hash(5)), ..UserChange::default() };
    house.update(alice, &changed).unwrap();
    let storage = Storage { disk: &house.disk, keys: &house.keys };
    house.users.rehash(storage, &checked, &hash(6), T0).unwrap();
    assert_eq!(house.reopened().credentials("alice").unwrap().unwrap().hash.cost(), 5);
    let checked = house.users.credentials("alice").unwrap().unwrap();
    house.users.rehash(storage, &checked, &hash(6), T0).unwrap();
    assert_eq!(house.reopened().credentials("alice").unwrap().unwrap().hash.cost(), 6);
}

#[test]
fn failed_logins_survive_a_restart() {
    let mut house = House::new();
    let rule = LockoutRule::new(2, 15).unwrap();
    let mut lockout = Lockout::new(rule, house.users.failures().unwrap());
    let storage = Storage { disk: &house.disk, keys: &house.keys };
    for typed in ["nobody", "nobody", "a password, typed into the wrong field"] {
        let attempt = lockout.begin(typed, T0).unwrap();
        house.users.store_failures(storage, &attempt.changes, T0).unwrap();
    }
    let attempt = lockout.begin("alice", T0).unwrap();
    house.users.store_failures(storage, &attempt.changes, T0).unwrap();
    house.users.store_failures(storage, &lockout.succeeded(attempt), T0).unwrap();
    let mut after = Lockout::new(rule, house.reopened().failures().unwrap());
    assert_eq!(after.len(), 2);
    assert!(after.begin("NOBODY", T0 + MINUTE).is_err());
    assert!(after.begin("alice", T0 + MINUTE).is_ok());
}

#[test]
fn nothing_of_a_user_is_plain_on_the_disk() {
    let mut house = House::new();
    house.first("alice.in.the.clear").unwrap();
    let content = std::fs::read(house.folder.path().join(DatabaseFile::Users.path())).unwrap();
    let text = String::from_utf8(content).unwrap();
    assert!(!text.contains("alice") && !text.contains("$2b$") && !text.contains("SQLite"));
    assert!(!format!("{:?}", house.users.credentials("alice.in.the.clear").unwrap()).contains("$2b$"));
}

/// Fails the write of the users' image once it is armed.
struct Full(Arc<Mutex<bool>>);

impl Watch for Full {
    fn before(&mut self, step: Step<'_>) -> Verdict {
        let armed = *self.0.lock().unwrap();
        if armed && step.path == DatabaseFile::Users.path() && step.kind == StepKind::Write {
            return Verdict::Fail(std::io::Error::from(std::io::ErrorKind::StorageFull));
        }
        Verdict::Go
    }
}

#[test]
fn a_full_disk_leaves_users_as_they_were() {
    let folder = folder();
    let armed = Arc::new(Mutex::new(false));
    let (disk, _) = Disk::open_watched(folder.path(), Box::new(Full(Arc::clone(&armed)))).unwrap();
    let mut house = House::on(folder, disk);
    house.first("alice").unwrap();
    *armed.lock().unwrap() = true;
    assert!(matches!(house.create("bob", Role::Admin), Err(UserError::Vault(_))));
    assert_eq!(names(&house.users), [("alice".to_string(), Role::Admin)]);
    *armed.lock().unwrap() = false;
    house.create("bob", Role::Admin).unwrap();
    assert_eq!(names(&house.reopened()).len(), 2);
}
