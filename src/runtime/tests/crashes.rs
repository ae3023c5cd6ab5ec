//! The first run, stopped or failing at every step at which the disk changes.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::Ordering;

use super::harness::{CONFIGURATION, VERSION, run};
use crate::runtime::input::Form;
use crate::runtime::protocol::Secret;
use crate::runtime::{BotState, ClockSource, House, Phase, provisioning};
use crate::vault::tests::harness::{Fate, NOW, assert_sealed, folder, open, open_doomed, tree};
use crate::vault::{Actor, Disk, checks};

fn form() -> Form {
    let fields = CONFIGURATION.map(|(name, value)| (name.to_string(), Secret::new(value)));
    Form { fields: fields.into(), errors: BTreeMap::new() }
}

fn start(disk: Disk) -> House {
    House::open_on(disk, &[], VERSION, ClockSource::System, NOW).unwrap()
}

/// Configures and provisions on a folder whose disk meets `fate` at step `at`. Returns whether it was met.
fn first_run(root: &Path, at: usize, fate: Fate) -> bool {
    let (disk, taken) = open_doomed(root, at, fate);
    if let Ok(mut house) = House::open_on(disk, &[], VERSION, ClockSource::System, NOW)
        && provisioning::accept(&mut house, &form(), &Actor::core(), NOW).is_ok()
    {
        run(&mut house);
    }
    taken.load(Ordering::Relaxed) > at
}

/// Only what a roll-back may leave: nothing that is secret, no flag, no key but that of the audit log.
fn assert_back_at_the_beginning(root: &Path) {
    let files = tree(root).into_iter().filter(|path| path.is_file());
    let files = files.map(|path| path.strip_prefix(root).unwrap().to_string_lossy().into_owned());
    let allowed = [
        "control/bot_state.txt",
        "control/core.lock",
        "control/setup_token",
        "storage/keys/audit.key",
        "storage/audit/audit.log",
        "storage/audit/head.enc",
    ];
    let others: Vec<_> =
        files.filter(|file| !allowed.contains(&file.as_str()) && !file.starts_with("output/")).collect();
    assert_eq!(others, [""; 0]);
}

/// The start after a stop: ready, or back at the beginning from where it can be done again.
fn check_next_start(root: &Path, at: usize) {
    let mut house = start(open(root));
    assert_eq!(house.faults, [""; 0], "step {at}");
    run(&mut house);
    if house.bot_state() == BotState::Initialize {
        assert_eq!(house.phase(), Phase::Configuration, "step {at}");
        assert_back_at_the_beginning(root);
        provisioning::accept(&mut house, &form(), &Actor::core(), NOW).unwrap();
        run(&mut house);
    }
    assert_eq!((house.bot_state(), house.phase()), (BotState::Idle, Phase::Registration), "step {at}");
    for check in checks::build_check(&house.disk, VERSION).unwrap() {
        assert!(check.ok, "step {at}: {check:?}");
    }
    assert_eq!(house.identity(), "ACME_US_SIM_BOT1");
    let verified = house.audit.verifier(NOW).unwrap().verify().unwrap();
    assert!(verified.ok, "step {at}: {verified:?}");
    drop(house);
    assert_sealed(root);
}

/// How many steps an undisturbed first run takes.
fn count_steps() -> usize {
    let folder = folder();
    let (disk, taken) = open_doomed(folder.path(), usize::MAX >> 1, Fate::Stop);
    let mut house = start(disk);
    provisioning::accept(&mut house, &form(), &Actor::core(), NOW).unwrap();
    run(&mut house);
    assert_eq!(house.bot_state(), BotState::Idle);
    taken.load(Ordering::Relaxed)
}

/// Every step of the beginning and of the end; of the middle, where one key or file is made like the other, every
/// `stride`-th.
fn walked(stride: usize) -> impl Iterator<Item = usize> {
    let steps = count_steps();
    assert!(steps > 400, "{steps}");
    (0..steps).filter(move |at| *at < 110 || at + 90 > steps || at % stride == 0)
}

#[test]
fn a_first_run_stopped_at_any_step_goes_on_or_begins_anew() {
    for at in walked(7) {
        let folder = folder();
        assert!(first_run(folder.path(), at, Fate::Stop), "step {at}");
        check_next_start(folder.path(), at);
    }
}

#[test]
fn a_first_run_on_a_disk_that_is_full_for_a_moment_goes_on_or_begins_anew_without_a_restart() {
    for at in walked(7).step_by(3) {
        let folder = folder();
        let (disk, taken) = open_doomed(folder.path(), at, Fate::FullOnce);
        let mut house = match House::open_on(disk, &[], VERSION, ClockSource::System, NOW) {
            Ok(house) => house,
            Err(_) => start(open(folder.path())),
        };
        if provisioning::accept(&mut house, &form(), &Actor::core(), NOW).is_err() {
            assert_eq!(house.bot_state(), BotState::Initialize, "step {at}");
        }
        for _ in 0..3 {
            run(&mut house);
        }
        if house.bot_state() == BotState::Initialize {
            provisioning::accept(&mut house, &form(), &Actor::core(), NOW).unwrap();
            run(&mut house);
        }
        assert_eq!(house.bot_state(), BotState::Idle, "step {at}: {:?}", house.provisioning.status());
        assert!(taken.load(Ordering::Relaxed) > at, "step {at}");
        drop(house);
        assert_sealed(folder.path());
    }
}

/// Stopped in the run and stopped again in the start that cleans up after it.
#[test]
fn a_start_that_is_stopped_as_well_loses_nothing() {
    for (k, at) in (5..400).step_by(23).enumerate() {
        for again in [k % 7, 7 + k % 11, 20 + k % 13] {
            let folder = folder();
            if !first_run(folder.path(), at, Fate::Stop) {
                break;
            }
            let (disk, _) = open_doomed(folder.path(), again, Fate::Stop);
            if let Ok(mut house) = House::open_on(disk, &[], VERSION, ClockSource::System, NOW) {
                run(&mut house);
            }
            check_next_start(folder.path(), at);
        }
    }
}
