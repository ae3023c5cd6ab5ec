//! The log as a whole: what it keeps, what it notices, and what is left after a stop at every single step.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::super::key::{Key, KeyLines};
use super::super::tests::harness::folder;
use super::super::{Actor, AuditEvent, AuditSink, Category, Disk, Keys, Step, StepKind, Verdict, Watch, rotation};
use super::*;
use crate::market::{Nanos, SECOND};

const T0: Nanos = 1_700_000_000 * SECOND;

fn key() -> KeyLines {
    KeyLines::one(Key::generate().unwrap())
}

fn entry(n: u64) -> Entry {
    let actor = Actor { user: format!("user{n}"), ip: "192.0.2.1".into() };
    Entry::new(T0 + n as Nanos * SECOND, &actor, Action::ConfigUpdate, &format!("target{n}"), "ok")
}

fn open(folder: &Path, keys: &KeyLines) -> Audit {
    Audit::open(Disk::open(folder).unwrap().0, keys, false)
}

/// Writes entry `n`; its number in the log.
fn write(audit: &mut Audit, n: u64) -> u64 {
    audit.record(entry(n)).unwrap().seq()
}

/// A log of `n` entries.
fn with_entries(n: u64, keys: &KeyLines) -> tempfile::TempDir {
    let folder = folder();
    let mut audit = open(folder.path(), keys);
    for k in 1..=n {
        assert_eq!(audit.record(entry(k)).unwrap().seq(), k);
    }
    folder
}

fn log_path(folder: &Path) -> PathBuf {
    folder.join(LOG)
}

fn verification(audit: &mut Audit) -> Verification {
    audit.verifier(T0).unwrap().verify().unwrap()
}

fn users(audit: &mut Audit) -> Vec<String> {
    let mut entries = audit.page(0, 1000, T0).unwrap().entries;
    entries.reverse();
    entries.into_iter().map(|entry| entry.user).collect()
}

fn actions(audit: &mut Audit) -> Vec<String> {
    let mut entries = audit.page(0, 1000, T0).unwrap().entries;
    entries.reverse();
    entries.into_iter().map(|entry| entry.action).collect()
}

fn set_aside(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder.join("storage/audit")).unwrap();
    let mut names: Vec<String> = names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name.starts_with("audit-"));
    names.sort();
    names
}

/// Lets `left` steps happen and then stops the disk, or fails one step.
struct At {
    left: Arc<Mutex<Option<u64>>>,
    stop: bool,
}

impl Watch for At {
    fn before(&mut self, _: Step<'_>) -> Verdict {
        let mut left = self.left.lock().unwrap();
        match *left {
            None => Verdict::Go,
            Some(0) => {
                *left = None;
                if self.stop { Verdict::Stop } else { Verdict::Fail(std::io::ErrorKind::StorageFull.into()) }
            }
            Some(n) => {
                *left = Some(n - 1);
                Verdict::Go
            }
        }
    }
}

/// A disk that works until it is armed.
fn armed(folder: &Path, stop: bool) -> (Disk, Arc<Mutex<Option<u64>>>) {
    let left = Arc::new(Mutex::new(None));
    let (disk, _) = Disk::open_watched(folder, Box::new(At { left: Arc::clone(&left), stop })).unwrap();
    (disk, left)
}

#[test]
fn a_log_is_whole_and_is_read_again() {
    let keys = key();
    let folder = with_entries(5, &keys);
    let mut audit = open(folder.path(), &keys);
    audit.settle(T0).unwrap();
    assert_eq!(audit.record(entry(6)).unwrap().seq(), 6);
    let verified = verification(&mut audit);
    assert_eq!(verified, Verification { ok: true, entries: 6, first_bad_seq: None, reason: None });
    assert_eq!(users(&mut audit), ["user1", "user2", "user3", "user4", "user5", "user6"]);
}

#[test]
fn a_line_is_a_mac_a_blank_and_json() {
    let keys = key();
    let folder = with_entries(2, &keys);
    let text = fs::read_to_string(log_path(folder.path())).unwrap();
    assert!(text.ends_with('\n'));
    let chain = chain::ChainKey::derive(keys.first());
    let mut previous = chain::Mac::ZERO;
    for line in text.lines() {
        let (mac, json) = line.split_once(' ').unwrap();
        previous = chain.mac(&previous, json.as_bytes());
        assert_eq!(mac, previous.hex());
    }
    let head = keys.open(&fs::read(folder.path().join(HEAD)).unwrap()).unwrap();
    let head: serde_json::Value = serde_json::from_slice(&head).unwrap();
    assert_eq!(head, serde_json::json!({ "seq": 2, "mac": previous.hex() }));
}

#[test]
fn every_change_of_the_log_is_noticed() {
    let keys = key();
    let folder = with_entries(6, &keys);
    let whole = fs::read_to_string(log_path(folder.path())).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let join = |lines: &[&str]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    let mut swapped = lines.clone();
    swapped.swap(2, 3);
    let mut deleted = lines.clone();
    deleted.remove(3);
    let mut doubled = lines.clone();
    doubled.insert(3, lines[2]);
    let forged = format!("{whole}{} {{\"seq\":7}}\n", "0".repeat(64));
    let no_newline = whole.strip_suffix('\n').unwrap().to_string();
    let cases = [
        ("edited", whole.replace("user3", "user9"), 3),
        ("edited at the end", whole.replace("user6", "user9"), 6),
        ("swapped", join(&swapped), 3),
        ("deleted", join(&deleted), 4),
        ("deleted at the beginning", join(&lines[1..]), 1),
        ("doubled", join(&doubled), 4),
        ("cut by one", join(&lines[..5]), 6),
        ("cut by all", String::new(), 1),
        ("cut by its newline", no_newline, 6),
        ("forged", forged, 7),
        ("a blank line", whole.replacen('\n', "\n\n", 1), 2),
        ("other line ends", whole.replace('\n', "\r\n"), 1),
        ("not text", "\u{0}\u{ffff}".repeat(100) + "\n", 1),
        ("a very long line", "x".repeat(1_000_000), 1),
    ];
    for (what, content, first_bad_seq) in cases {
        // While it runs.
        fs::write(log_path(folder.path()), &whole).unwrap();
        let before = fs::read(folder.path().join(HEAD)).unwrap();
        let mut audit = open(folder.path(), &keys);
        let verifier = audit.verifier(T0).unwrap();
        fs::write(log_path(folder.path()), &content).unwrap();
        let running = verifier.verify().unwrap();
        if first_bad_seq <= 6 {
            assert_eq!((running.ok, running.first_bad_seq), (false, Some(first_bad_seq)), "{what}, running");
        }
        drop((verifier, audit));
        // At the next start.
        let mut audit = open(folder.path(), &keys);
        audit.settle(T0).unwrap();
        let verified = verification(&mut audit);
        assert_eq!((verified.ok, verified.first_bad_seq), (false, Some(first_bad_seq)), "{what}");
        let aside = set_aside(folder.path());
        assert_eq!(aside.len(), 1, "{what}");
        assert_eq!(fs::read_to_string(folder.path().join("storage/audit").join(&aside[0])).unwrap(), content);
        let first = audit.page(0, 1, T0).unwrap().entries.remove(0);
        assert_eq!((first.seq, first.action.as_str(), first.target.as_str()), (1, "audit.broken", aside[0].as_str()));
        // From then on, whatever is written.
        write(&mut audit, 2);
        drop(audit);
        assert_eq!(verification(&mut open(folder.path(), &keys)).first_bad_seq, Some(first_bad_seq), "{what}, later");
        fs::remove_file(folder.path().join("storage/audit").join(&aside[0])).unwrap();
        fs::write(folder.path().join(HEAD), before).unwrap();
    }
}

#[test]
fn any_changed_byte_is_noticed() {
    let keys = key();
    let folder = with_entries(3, &keys);
    let verifier = open(folder.path(), &keys).verifier(T0).unwrap();
    let whole = fs::read(log_path(folder.path())).unwrap();
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        fs::write(log_path(folder.path()), &changed).unwrap();
        assert!(!verifier.verify().unwrap().ok, "byte {at}");
    }
    for end in 0..whole.len() {
        fs::write(log_path(folder.path()), &whole[..end]).unwrap();
        assert!(!verifier.verify().unwrap().ok, "cut to {end} bytes");
    }
}

#[test]
fn a_lost_or_foreign_head_is_a_broken_log() {
    for damage in ["remove", "foreign", "garbage", "older"] {
        let keys = key();
        let folder = with_entries(2, &keys);
        let head = folder.path().join(HEAD);
        let older = fs::read(&head).unwrap();
        let mut audit = open(folder.path(), &keys);
        write(&mut audit, 3);
        write(&mut audit, 4);
        drop(audit);
        match damage {
            "remove" => fs::remove_file(&head).unwrap(),
            "foreign" => fs::write(&head, key().seal(br#"{"seq":4,"mac":"00"}"#, T0)).unwrap(),
            "garbage" => fs::write(&head, "x".repeat(100_000)).unwrap(),
            _ => fs::write(&head, older).unwrap(),
        }
        let mut audit = open(folder.path(), &keys);
        audit.settle(T0).unwrap();
        assert!(!verification(&mut audit).ok, "{damage}");
        assert_eq!(actions(&mut audit), ["audit.broken"], "{damage}");
        assert_eq!(set_aside(folder.path()).len(), 1, "{damage}");
    }
}

#[test]
fn a_log_that_must_be_there_and_is_not_is_broken() {
    let keys = key();
    let folder = folder();
    let mut audit = Audit::open(Disk::open(folder.path()).unwrap().0, &keys, true);
    audit.settle(T0).unwrap();
    assert_eq!(verification(&mut audit).first_bad_seq, Some(1));
    assert!(set_aside(folder.path()).is_empty());
}

#[test]
fn a_half_written_line_is_cut_and_audited() {
    for rest in ["x", "0123 {\"seq\"", &"y".repeat(5000)] {
        let keys = key();
        let folder = with_entries(3, &keys);
        let whole = fs::read_to_string(log_path(folder.path())).unwrap();
        fs::write(log_path(folder.path()), format!("{whole}{rest}")).unwrap();
        let mut audit = open(folder.path(), &keys);
        audit.settle(T0).unwrap();
        assert!(verification(&mut audit).ok);
        let newest = audit.page(0, 1, T0).unwrap().entries.remove(0);
        assert_eq!((newest.seq, newest.action.as_str()), (4, "audit.repair"));
        assert_eq!(newest.detail["bytes_cut"], rest.len());
        assert!(fs::read_to_string(log_path(folder.path())).unwrap().starts_with(&whole));
    }
}

#[test]
fn one_entry_beyond_the_head_is_accepted_and_two_are_not() {
    let keys = key();
    let folder = with_entries(2, &keys);
    let mut audit = open(folder.path(), &keys);
    let mut heads = vec![fs::read(folder.path().join(HEAD)).unwrap()];
    for k in 3..=4 {
        write(&mut audit, k);
        heads.push(fs::read(folder.path().join(HEAD)).unwrap());
    }
    drop(audit);
    fs::write(folder.path().join(HEAD), &heads[1]).unwrap();
    let mut audit = open(folder.path(), &keys);
    audit.settle(T0).unwrap();
    assert!(verification(&mut audit).ok);
    assert_eq!(users(&mut audit).len(), 4);
    drop(audit);
    fs::write(folder.path().join(HEAD), &heads[0]).unwrap();
    let mut audit = open(folder.path(), &keys);
    audit.settle(T0).unwrap();
    assert_eq!(verification(&mut audit).first_bad_seq, Some(4));
}

#[test]
fn somebody_else_writing_to_the_log_is_noticed_with_the_next_entry() {
    let keys = key();
    let folder = with_entries(2, &keys);
    let mut audit = open(folder.path(), &keys);
    audit.settle(T0).unwrap();
    let whole = fs::read_to_string(log_path(folder.path())).unwrap();
    fs::write(log_path(folder.path()), whole.lines().next().unwrap().to_string() + "\n").unwrap();
    let proof = audit.record(entry(3)).unwrap();
    assert_eq!(proof.seq(), 2, "after the entry that says so");
    assert_eq!(actions(&mut audit), ["audit.broken", "config.update"]);
    assert_eq!(verification(&mut audit).first_bad_seq, Some(2));
}

#[test]
fn an_older_log_with_its_head_is_noticed_while_the_core_runs() {
    for removed in [false, true] {
        let keys = key();
        let folder = with_entries(2, &keys);
        let older = [LOG, HEAD].map(|path| fs::read(folder.path().join(path)).unwrap());
        let mut audit = open(folder.path(), &keys);
        write(&mut audit, 3);
        for (path, content) in [LOG, HEAD].into_iter().zip(older) {
            if removed {
                fs::remove_file(folder.path().join(path)).unwrap();
            } else {
                fs::write(folder.path().join(path), content).unwrap();
            }
        }
        write(&mut audit, 4);
        assert_eq!(actions(&mut audit), ["audit.broken", "config.update"]);
        assert_eq!(verification(&mut audit).first_bad_seq, Some(if removed { 1 } else { 3 }));
    }
}

/// Every step of three appends, one after the other, is the last that happens.
#[test]
fn a_stop_at_any_step_loses_nothing_that_was_acknowledged() {
    let mut stops = 0;
    for n in 0.. {
        let keys = key();
        let folder = folder();
        let (disk, left) = armed(folder.path(), true);
        *left.lock().unwrap() = Some(n);
        let mut audit = Audit::open(disk, &keys, false);
        let mut acknowledged = Vec::new();
        for k in 1..=3 {
            if audit.record(entry(k)).is_ok() {
                acknowledged.push(format!("user{k}"));
            }
        }
        drop(audit);
        let mut audit = open(folder.path(), &keys);
        audit.settle(T0).unwrap();
        let verified = verification(&mut audit);
        assert!(verified.ok, "step {n}: {verified:?}");
        let mut found = users(&mut audit);
        found.retain(|user| user != "core");
        assert!(found.starts_with(&acknowledged), "step {n}: {acknowledged:?} but {found:?}");
        assert!(found.len() <= acknowledged.len() + 1, "step {n}: {acknowledged:?} but {found:?}");
        write(&mut audit, 9);
        assert!(verification(&mut audit).ok, "step {n}");
        assert!(set_aside(folder.path()).is_empty());
        if left.lock().unwrap().is_some() {
            break;
        }
        stops += 1;
    }
    assert!(stops >= 3 * 7, "{stops} steps were walked");
}

/// A step fails once, as on a full disk: the entry is refused, and the log goes on.
#[test]
fn a_failure_at_any_step_refuses_the_entry_and_breaks_nothing() {
    for n in 0.. {
        let keys = key();
        let folder = folder();
        let (disk, left) = armed(folder.path(), false);
        let mut audit = Audit::open(disk, &keys, false);
        write(&mut audit, 1);
        *left.lock().unwrap() = Some(n);
        let results: Vec<bool> = (2..=3).map(|k| audit.record(entry(k)).is_ok()).collect();
        let walked = left.lock().unwrap().is_none();
        *left.lock().unwrap() = None;
        if walked {
            assert_eq!(results.iter().filter(|ok| !**ok).count(), 1, "step {n}");
        }
        write(&mut audit, 4);
        let verified = verification(&mut audit);
        assert!(verified.ok, "step {n}: {verified:?}");
        drop(audit);
        let mut audit = open(folder.path(), &keys);
        assert!(verification(&mut audit).ok, "step {n}, after a start");
        let found = users(&mut audit);
        for (k, ok) in (2..=3).zip(results) {
            assert!(!ok || found.contains(&format!("user{k}")), "step {n}");
        }
        assert_eq!(found.last().unwrap(), "user4");
        if !walked {
            break;
        }
    }
}

#[test]
fn a_disk_that_stays_full_refuses_what_is_privileged_and_keeps_what_is_not() {
    struct Full(Arc<Mutex<bool>>);
    impl Watch for Full {
        fn before(&mut self, step: Step<'_>) -> Verdict {
            let writes = matches!(step.kind, StepKind::Append | StepKind::Write | StepKind::Create);
            if writes && *self.0.lock().unwrap() {
                return Verdict::Fail(std::io::ErrorKind::StorageFull.into());
            }
            Verdict::Go
        }
    }
    let keys = key();
    let folder = folder();
    let full = Arc::new(Mutex::new(false));
    let (disk, _) = Disk::open_watched(folder.path(), Box::new(Full(Arc::clone(&full)))).unwrap();
    let mut audit = Audit::open(disk, &keys, false);
    write(&mut audit, 1);
    *full.lock().unwrap() = true;
    assert!(matches!(audit.record(entry(2)), Err(AuditError::Disk(_))));
    for k in 0..20 {
        audit.note(Entry::new(T0, &Actor::core(), Action::ControlKill, &k.to_string(), "done"));
    }
    assert_eq!(audit.waiting(), 20);
    let event = AuditEvent {
        utc: T0,
        actor: &Actor::core(),
        action: "key.rotate",
        target: "broker",
        status: "begun",
        detail: "",
    };
    assert!(AuditSink::record(&mut audit, event).is_err());
    *full.lock().unwrap() = false;
    write(&mut audit, 3);
    assert_eq!(audit.waiting(), 0);
    let actions = actions(&mut audit);
    assert_eq!(actions.len(), 22);
    assert!(actions[1..21].iter().all(|action| action == "control.kill"));
    assert!(verification(&mut audit).ok);
}

#[test]
fn a_folder_that_may_only_be_read_refuses_but_shows_the_log() {
    let keys = key();
    let folder = with_entries(3, &keys);
    let mut audit = Audit::open(Disk::read_only(folder.path()).unwrap(), &keys, true);
    assert!(audit.record(entry(4)).is_err());
    assert!(verification(&mut audit).ok);
    assert_eq!(users(&mut audit).len(), 3);
}

/// Setting a broken log aside is stopped at every step and goes on at the next start.
#[test]
fn a_broken_log_is_set_aside_once_however_often_that_is_stopped() {
    for n in 0.. {
        let keys = key();
        let folder = with_entries(4, &keys);
        let tampered = fs::read_to_string(log_path(folder.path())).unwrap().replace("user2", "userX");
        fs::write(log_path(folder.path()), &tampered).unwrap();
        let (disk, left) = armed(folder.path(), true);
        *left.lock().unwrap() = Some(n);
        let mut audit = Audit::open(disk, &keys, true);
        let stopped = audit.settle(T0).is_err();
        assert_eq!(stopped, left.lock().unwrap().is_none());
        drop(audit);
        let mut audit = open(folder.path(), &keys);
        audit.settle(T0 + SECOND).unwrap();
        let verified = verification(&mut audit);
        assert_eq!((verified.ok, verified.first_bad_seq), (false, Some(2)), "step {n}");
        assert_eq!(actions(&mut audit), ["audit.broken"], "step {n}");
        let aside = set_aside(folder.path());
        assert_eq!(aside.len(), 1, "step {n}: {aside:?}");
        assert_eq!(fs::read_to_string(folder.path().join("storage/audit").join(&aside[0])).unwrap(), tampered);
        if !stopped {
            assert!(n > 10, "{n} steps were walked");
            break;
        }
    }
}

#[test]
fn a_repair_is_audited_once_however_often_it_is_stopped() {
    for n in 0.. {
        let keys = key();
        let folder = with_entries(2, &keys);
        let whole = fs::read_to_string(log_path(folder.path())).unwrap();
        fs::write(log_path(folder.path()), format!("{whole}half a line")).unwrap();
        let (disk, left) = armed(folder.path(), true);
        *left.lock().unwrap() = Some(n);
        let mut audit = Audit::open(disk, &keys, true);
        let stopped = audit.settle(T0).is_err();
        drop(audit);
        let mut audit = open(folder.path(), &keys);
        audit.settle(T0).unwrap();
        assert!(verification(&mut audit).ok, "step {n}");
        assert_eq!(actions(&mut audit), ["config.update", "config.update", "audit.repair"], "step {n}");
        assert_eq!(audit.page(0, 1, T0).unwrap().entries[0].detail["bytes_cut"], 11, "step {n}");
        if !stopped {
            assert!(n > 10, "{n} steps were walked");
            break;
        }
    }
}

/// A new key is stopped at every step, and ended at the next start, as the rotation does.
#[test]
fn a_new_key_rewrites_the_log_whole_however_often_it_is_stopped() {
    for n in 0.. {
        let old = key();
        let both = KeyLines::rotating(Key::generate().unwrap(), old.first().clone());
        let new = KeyLines::one(both.first().clone());
        let folder = with_entries(4, &old);
        let before = users(&mut open(folder.path(), &old));
        let (disk, left) = armed(folder.path(), true);
        let mut audit = Audit::open(disk, &old, true);
        audit.check_rekey().unwrap();
        *left.lock().unwrap() = Some(n);
        let stopped = audit.rekey(&both, T0).is_err();
        drop(audit);
        let mut audit = open(folder.path(), &both);
        assert!(verification(&mut audit).ok, "step {n}, under both keys");
        audit.rekey(&both, T0).unwrap();
        drop(audit);
        let mut audit = open(folder.path(), &new);
        assert_eq!(users(&mut audit), before, "step {n}");
        write(&mut audit, 5);
        assert_eq!(verification(&mut audit).entries, 5, "step {n}");
        assert!(verification(&mut audit).ok, "step {n}");
        drop(audit);
        assert!(!verification(&mut open(folder.path(), &old)).ok, "the old key must be worthless");
        if !stopped {
            assert!(n >= 10, "{n} steps were walked");
            break;
        }
    }
}

#[test]
fn a_broken_log_keeps_its_key() {
    let old = key();
    let folder = with_entries(3, &old);
    let mut audit = open(folder.path(), &old);
    audit.settle(T0).unwrap();
    audit.check_rekey().unwrap();
    let tampered = fs::read_to_string(log_path(folder.path())).unwrap().replace("user2", "user7");
    fs::write(log_path(folder.path()), tampered).unwrap();
    assert!(audit.check_rekey().is_err(), "changed while running");
    drop(audit);
    assert!(open(folder.path(), &old).check_rekey().is_err(), "and from then on");
}

#[test]
fn a_lost_key_sets_its_log_aside() {
    let folder = with_entries(3, &key());
    let new = key();
    let mut audit = Audit::before_keys(Disk::open(folder.path()).unwrap().0);
    audit.rekey(&new, T0).unwrap();
    audit.rekey(&new, T0).unwrap();
    assert_eq!(actions(&mut audit), ["audit.broken"]);
    assert_eq!(set_aside(folder.path()).len(), 1);
}

#[test]
fn entries_wait_for_the_key() {
    let folder = folder();
    let keys = key();
    let mut audit = Audit::before_keys(Disk::open(folder.path()).unwrap().0);
    assert!(matches!(audit.record(entry(1)), Err(AuditError::NoKey)));
    assert_eq!(audit.most_waiting, 1000);
    audit.most_waiting = 5;
    for k in 1..=8 {
        audit.note(entry(k));
    }
    assert_eq!(audit.waiting(), 5);
    assert!(!log_path(folder.path()).exists());
    audit.begin(&keys, T0).unwrap();
    assert_eq!(audit.waiting(), 0);
    assert_eq!(users(&mut audit), ["user1", "user2", "user3", "user4", "user5", "core"]);
    let newest = audit.page(0, 1, T0).unwrap().entries.remove(0);
    assert_eq!((newest.action.as_str(), &newest.detail["entries"]), ("audit.lost", &3.into()));
    assert!(verification(&mut audit).ok);
}

#[test]
fn pages_are_found_without_reading_the_whole_log() {
    let keys = key();
    let folder = folder();
    let (disk, _) = Disk::open(folder.path()).unwrap();
    // Written in one go: three hundred entries would be a thousand synchronisations.
    let chain = chain::ChainKey::derive(keys.first());
    let (mut mac, mut content) = (chain::Mac::ZERO, Vec::new());
    for k in 1..=298 {
        let (next, line) = super::entry::line(&chain, &mac, &entry(k).json(k));
        content.extend(line);
        mac = next;
    }
    disk.write(LOG, &content).unwrap();
    head::Head { seq: 298, mac, pending: None }.store(&disk, &keys, T0).unwrap();
    let mut audit = Audit::open(disk, &keys, true);
    write(&mut audit, 299);
    write(&mut audit, 300);
    for reopened in [false, true] {
        if reopened {
            drop(audit);
            audit = open(folder.path(), &keys);
        }
        for (offset, limit, newest, count) in
            [(0, 10, 300, 10), (43, 3, 257, 3), (44, 2, 256, 2), (290, 100, 10, 10), (299, 1, 1, 1)]
        {
            let page = audit.page(offset, limit, T0).unwrap();
            assert_eq!((page.total, page.entries[0].seq, page.entries.len()), (300, newest, count));
            assert!(page.entries.windows(2).all(|pair| pair[0].seq == pair[1].seq + 1));
        }
        for (offset, limit) in [(300, 10), (u64::MAX, u64::MAX), (0, 0)] {
            assert!(audit.page(offset, limit, T0).unwrap().entries.is_empty());
        }
        assert_eq!(audit.page(0, u64::MAX, T0).unwrap().entries.len(), 300);
    }
}

#[test]
fn a_verification_is_not_disturbed_by_new_entries() {
    let keys = key();
    let folder = with_entries(3, &keys);
    let mut audit = open(folder.path(), &keys);
    let verifier = audit.verifier(T0).unwrap();
    write(&mut audit, 4);
    assert_eq!(verifier.verify().unwrap().entries, 3);
    assert!(verifier.verify().unwrap().ok);
}

#[test]
fn a_proof_is_of_one_action() {
    let keys = key();
    let folder = folder();
    let proof = open(folder.path(), &keys).record(entry(1)).unwrap();
    assert!(proof.is(Action::ConfigUpdate) && !proof.is(Action::KeyRotate));
    assert_eq!(proof.seq(), 1);
}

/// The whole rotation of the audit key, with its own entries in the log that is being rewritten.
#[test]
fn rotating_the_audit_key_is_ended_after_a_stop_at_any_step() {
    let actor = Actor { user: "alice".into(), ip: "192.0.2.1".into() };
    for n in 0.. {
        let folder = folder();
        let (disk, left) = armed(folder.path(), true);
        let (mut keys, _) = Keys::open(&disk).unwrap();
        keys.provision(Category::Env, T0).unwrap();
        keys.provision(Category::Audit, T0).unwrap();
        let old = keys.get(Category::Audit).unwrap().clone();
        let mut audit = Audit::open(disk.clone(), &old, false);
        write(&mut audit, 1);
        *left.lock().unwrap() = Some(n);
        let stopped = rotation::rotate(&disk, &mut keys, &mut audit, Category::Audit, &actor, T0).is_err();
        drop((audit, keys, disk));
        // The next start.
        let (disk, _) = Disk::open(folder.path()).unwrap();
        let (mut keys, findings) = Keys::open(&disk).unwrap();
        assert!(findings.is_empty(), "step {n}: {findings:?}");
        let mut audit = Audit::open(disk.clone(), keys.get(Category::Audit).unwrap(), true);
        audit.settle(T0).unwrap();
        rotation::resume(&disk, &mut keys, &mut audit, &actor, T0).unwrap();
        assert!(verification(&mut audit).ok, "step {n}");
        assert_eq!(keys.get(Category::Audit).unwrap().all().len(), 1, "step {n}");
        write(&mut audit, 2);
        drop(audit);
        let mut audit = Audit::open(disk.clone(), keys.get(Category::Audit).unwrap(), true);
        let verified = verification(&mut audit);
        assert!(verified.ok, "step {n}: {verified:?}");
        let found = users(&mut audit);
        assert_eq!((found.first().unwrap().as_str(), found.last().unwrap().as_str()), ("user1", "user2"));
        if !stopped {
            assert!(n > 40, "{n} steps were walked");
            assert_ne!(keys.get(Category::Audit).unwrap().first().fingerprint(), old.first().fingerprint());
            break;
        }
    }
}
