//! Two real processes on one folder, and real kills. The other process is this test program again, running one
//! ignored test.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::harness::{NOW, TestAudit, assert_whole, folder, open, provisioned};
use crate::vault::{Actor, Category, Disk, DiskError, Keys, rotation::rotate};

const FOLDER: &str = "VAULT_TEST_FOLDER";

/// Starts this test program as the owner of a folder, and waits until it is.
fn start_owner(root: &std::path::Path) -> Child {
    let test = "vault::tests::processes::owner";
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env(FOLDER, root)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.map(Result::unwrap).any(|line| line.contains("owner is ready")));
    child
}

#[test]
#[ignore = "the other process of the tests here"]
fn owner() {
    let Some(root) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let disk = open(&root);
    println!("owner is ready");
    let (mut keys, _) = Keys::open(&disk).unwrap();
    let mut audit = TestAudit::new(&disk);
    // Until it is killed; on an empty folder it only holds the lock.
    for category in Category::ALL.into_iter().cycle() {
        if keys.is_complete() {
            rotate(&disk, &mut keys, &mut audit, category, &Actor::core(), NOW).unwrap();
        } else {
            std::thread::sleep(Duration::from_secs(60));
        }
    }
}

#[test]
fn a_second_process_is_refused_until_the_first_has_ended() {
    let dir = folder();
    let mut child = start_owner(dir.path());
    assert!(matches!(Disk::open(dir.path()), Err(DiskError::Locked { .. })));
    child.kill().unwrap();
    child.wait().unwrap();
    open(dir.path());
}

#[test]
fn a_process_killed_while_it_rotates_leaves_a_whole_folder() {
    let dir = provisioned();
    for round in 0..8 {
        let mut child = start_owner(dir.path());
        std::thread::sleep(Duration::from_millis(3 + 17 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_whole(dir.path());
    }
}
