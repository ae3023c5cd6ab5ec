//! The write rule and the opening of a data folder.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::atomic::Ordering;

use super::harness::{Fate, assert_sealed, open, open_doomed};
use crate::vault::{Disk, DiskError, DiskFinding, layout};

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_new_data_folder_is_for_its_owner_alone() {
    let dir = super::harness::folder();
    let root = dir.path().join("data");
    let (disk, findings) = Disk::open(&root).unwrap();
    assert_eq!(findings, []);
    assert_eq!(mode(&root), 0o700);
    for folder in layout::FOLDERS {
        assert!(root.join(folder).is_dir(), "{folder}");
    }
    disk.write("storage/secrets/a", b"a").unwrap();
    disk.append("storage/audit/audit.log", b"b").unwrap();
    disk.make_folder("output/X/bootstrapping").unwrap();
    assert_sealed(&root);
}

#[test]
fn what_is_open_to_others_is_closed_and_reported() {
    let dir = super::harness::folder();
    drop(open(dir.path()));
    let key = dir.path().join("storage/keys/env.key");
    fs::write(&key, "x").unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(dir.path().join("storage"), fs::Permissions::from_mode(0o755)).unwrap();
    let (_disk, findings) = Disk::open(dir.path()).unwrap();
    let repaired = |path: &str, found| DiskFinding::TooWide { path: path.to_string(), found };
    assert_eq!(findings, [repaired("storage", 0o755), repaired("storage/keys/env.key", 0o644)]);
    assert_sealed(dir.path());
}

#[test]
fn temporary_files_of_the_vault_are_removed_and_others_are_not() {
    let dir = super::harness::folder();
    drop(open(dir.path()));
    fs::write(dir.path().join("storage/secrets/.a.tmp"), "half").unwrap();
    fs::write(dir.path().join("backtest_results/.mine.tmp"), "mine").unwrap();
    let (disk, findings) = Disk::open(dir.path()).unwrap();
    let removed = DiskFinding::LeftOver { path: "storage/secrets/.a.tmp".to_string() };
    assert!(findings.contains(&removed), "{findings:?}");
    assert!(!dir.path().join("storage/secrets/.a.tmp").exists());
    assert!(dir.path().join("backtest_results/.mine.tmp").exists());
    assert_eq!(disk.list("storage/secrets").unwrap(), [""; 0]);
}

#[test]
fn symbolic_links_are_refused_at_start_and_never_followed() {
    let outside = super::harness::folder();
    fs::write(outside.path().join("file"), "outside").unwrap();
    let dir = super::harness::folder();
    let disk = open(dir.path());
    symlink(outside.path(), dir.path().join("output/folder")).unwrap();
    symlink(outside.path().join("file"), dir.path().join("output/link")).unwrap();
    let is_link = |result: Result<(), DiskError>| matches!(result, Err(DiskError::SymbolicLink { .. }));
    assert!(is_link(disk.read("output/link", 100).map(drop)));
    assert!(is_link(disk.read("output/folder/file", 100).map(drop)));
    assert!(is_link(disk.append("output/link", b"x")));
    assert!(is_link(disk.write("output/folder/new", b"x")));
    assert!(is_link(disk.make_folder("output/folder/new")));
    // A replaced link is a file; what it pointed to is untouched.
    disk.write("output/link", b"inside").unwrap();
    assert_eq!(fs::read(outside.path().join("file")).unwrap(), b"outside");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
    drop(disk);
    assert!(matches!(Disk::open(dir.path()), Err(DiskError::SymbolicLink { path }) if path == "output/folder"));
}

#[test]
fn paths_stay_inside_the_data_folder() {
    let dir = super::harness::folder();
    let disk = open(dir.path());
    for path in ["", "..", "../x", "/etc/passwd", "storage/../../x", "storage//x", "./x", "storage/\0"] {
        assert!(matches!(disk.write(path, b"x"), Err(DiskError::Path { .. })), "{path:?}");
        assert!(matches!(disk.read(path, 1), Err(DiskError::Path { .. })), "{path:?}");
    }
    assert!(matches!(disk.make_folder("../x"), Err(DiskError::Path { .. })));
}

#[test]
fn a_second_owner_is_refused_and_a_reader_is_not() {
    let dir = super::harness::folder();
    let disk = open(dir.path());
    disk.write("output/a", b"a").unwrap();
    let refused = Disk::open(dir.path()).unwrap_err();
    assert!(refused.to_string().contains("in use by another core"), "{refused}");
    let reader = Disk::read_only(dir.path()).unwrap();
    assert_eq!(reader.read("output/a", 10).unwrap().unwrap().as_slice(), b"a");
    assert!(matches!(reader.write("output/a", b"b"), Err(DiskError::ReadOnly { .. })));
    assert!(matches!(reader.make_folder("output/b"), Err(DiskError::ReadOnly { .. })));
    let clone = disk.clone();
    drop(disk);
    assert!(matches!(Disk::open(dir.path()), Err(DiskError::Locked { .. })), "a clone still owns the folder");
    drop(clone);
    open(dir.path());
}

#[test]
fn large_files_and_things_that_are_no_files_are_not_read() {
    let dir = super::harness::folder();
    let disk = open(dir.path());
    disk.write("output/a", &[0; 101]).unwrap();
    assert!(matches!(disk.read("output/a", 100), Err(DiskError::TooLarge { bytes: 101, limit: 100, .. })));
    assert!(disk.read("output/a", 101).unwrap().is_some());
    assert!(matches!(disk.read("storage/keys", 100), Err(DiskError::NotAFile { .. })));
    assert_eq!(disk.read("output/none", 100).unwrap(), None);
    assert_eq!(disk.read("none/none", 100).unwrap(), None);
}

#[test]
fn a_stopped_write_leaves_the_old_content_or_the_new() {
    for fate in [Fate::Stop, Fate::Full, Fate::ReadOnly, Fate::Denied] {
        for at in 0.. {
            let dir = super::harness::folder();
            open(dir.path()).write("storage/secrets/a", b"old content").unwrap();
            let (disk, taken) = open_doomed(dir.path(), at, fate);
            let result = disk.write("storage/secrets/a", b"new content");
            let met = taken.load(Ordering::Relaxed) > at;
            drop(disk);
            let disk = open(dir.path());
            let content = disk.read("storage/secrets/a", 100).unwrap().unwrap();
            if !met {
                assert_eq!(at, 5, "create, write, synchronise, rename, synchronise the folder");
                result.unwrap();
                assert_eq!(content.as_slice(), b"new content");
                break;
            }
            let error = result.unwrap_err();
            assert_eq!(error.is_full(), fate == Fate::Full, "{error}");
            // Only the last step comes after the rename.
            let expected: &[u8] = if at == 4 { b"new content" } else { b"old content" };
            assert_eq!(content.as_slice(), expected, "{fate:?} at {at}");
            assert_sealed(dir.path());
        }
    }
}

#[test]
fn a_failed_write_cleans_up_after_itself_where_it_can() {
    for at in 0..4 {
        let dir = super::harness::folder();
        let (disk, _) = open_doomed(dir.path(), at, Fate::FullOnce);
        assert!(disk.write("storage/secrets/a", b"content").unwrap_err().is_full());
        assert_eq!(fs::read_dir(dir.path().join("storage/secrets")).unwrap().count(), 0, "failed at {at}");
        disk.write("storage/secrets/a", b"content").unwrap();
    }
}

#[test]
fn a_failed_append_leaves_no_part_where_it_can_and_a_stopped_one_may() {
    for (fate, left) in [(Fate::FullOnce, "one\n"), (Fate::Full, "one\ntw"), (Fate::Stop, "one\ntw")] {
        let dir = super::harness::folder();
        open(dir.path()).append("storage/audit/audit.log", b"one\n").unwrap();
        let (disk, _) = open_doomed(dir.path(), 0, fate);
        disk.append("storage/audit/audit.log", b"two\n").unwrap_err();
        drop(disk);
        let disk = open(dir.path());
        // A disk that refuses the cutting, too, leaves a part: the reader of a log must expect one.
        let content = disk.read("storage/audit/audit.log", 100).unwrap().unwrap();
        assert_eq!(content.as_slice(), left.as_bytes(), "{fate:?}");
        disk.truncate("storage/audit/audit.log", 4).unwrap();
        disk.append("storage/audit/audit.log", b"two\n").unwrap();
        assert_eq!(disk.read("storage/audit/audit.log", 100).unwrap().unwrap().as_slice(), b"one\ntwo\n");
    }
}

#[test]
fn a_folder_that_the_system_keeps_shut_gives_a_clear_error() {
    let dir = super::harness::folder();
    let disk = open(dir.path());
    let folder = dir.path().join("storage/secrets");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o500)).unwrap();
    let result = disk.write("storage/secrets/a", b"x");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    // The super-user may write everywhere.
    if let Err(error) = result {
        assert_eq!(error.to_string(), "cannot write storage/secrets/a: Permission denied (os error 13)");
    } else {
        assert!(rustix::process::geteuid().is_root());
    }
}
