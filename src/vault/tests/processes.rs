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
#[ignore = "changes its whole process; run by the test below"]
fn careful() {
    use rustix::process::{Resource, getrlimit};
    use std::os::unix::fs::PermissionsExt;
    crate::vault::process::restrict_new_files();
    crate::vault::process::forbid_memory_dumps().unwrap();
    let dir = folder();
    let (file, inside) = (dir.path().join("file"), dir.path().join("folder"));
    std::fs::write(&file, "x").unwrap();
    std::fs::create_dir(&inside).unwrap();
    let mode = |path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode(&file), mode(&inside)), (0o600, 0o700));
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, dumpable_behavior};
        assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
    }
    assert_eq!(getrlimit(Resource::Core).maximum, Some(0));
    println!("careful is done");
}

#[test]
fn a_process_can_shut_out_others() {
    let test = "vault::tests::processes::careful";
    let arguments = ["--exact", test, "--ignored", "--nocapture"];
    let output = Command::new(std::env::current_exe().unwrap()).args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && text.contains("careful is done"), "{text}");
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
