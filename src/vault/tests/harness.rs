//! A provisioned data folder with planted secrets, and disks that stop or fail at a chosen step.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tempfile::TempDir;

use crate::market::{Nanos, SECOND};
use crate::vault::backups::{Cost, Protection};
use crate::vault::{
    AuditEvent, AuditSink, AuditUnavailable, Category, Database, DatabaseFile, Disk, DiskError, KeyLines, Keys,
    SecretFields, SecretFile, Step, TextFile, VaultError, Verdict, Watch, backups, rotation, secrets,
};

/// 2026-01-05T15:00:00Z.
pub(crate) const NOW: Nanos = 1_767_625_200 * SECOND;
/// What no file may contain in plain.
pub(crate) const PLANTED: &str = "PLANTED-SECRET";
/// The passphrase of portable backups.
pub(crate) const PASSPHRASE: &str = "correct horse battery";

/// What happens to a disk at its `at`-th step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Stop,
    Full,
    /// Full for one step: there is space again at the next.
    FullOnce,
    ReadOnly,
    Denied,
}

impl Fate {
    fn verdict(self) -> Verdict {
        match self {
            Fate::Stop => Verdict::Stop,
            Fate::Full | Fate::FullOnce => Verdict::Fail(io::Error::from(io::ErrorKind::StorageFull)),
            Fate::ReadOnly => Verdict::Fail(io::Error::from(io::ErrorKind::ReadOnlyFilesystem)),
            Fate::Denied => Verdict::Fail(io::Error::from(io::ErrorKind::PermissionDenied)),
        }
    }
}

/// Meets step `at` (from 0) with `fate`; a failing disk goes on failing, as a full one does.
struct Plan {
    at: usize,
    fate: Fate,
    taken: Arc<AtomicUsize>,
}

impl Watch for Plan {
    fn before(&mut self, _: Step<'_>) -> Verdict {
        let step = self.taken.fetch_add(1, Ordering::Relaxed);
        // Steps before the plan is armed are far below zero.
        let over = self.fate == Fate::FullOnce && step > self.at;
        if (step as isize) < 0 || step < self.at || over { Verdict::Go } else { self.fate.verdict() }
    }
}

/// Opens a folder. A process that another test is just starting may hold the lock for a moment.
pub(crate) fn open(root: &Path) -> Disk {
    open_with(|| Disk::open(root)).unwrap()
}

fn open_with(
    mut open: impl FnMut() -> Result<(Disk, Vec<crate::vault::DiskFinding>), DiskError>,
) -> Result<Disk, DiskError> {
    for _ in 0..200 {
        match open() {
            Err(DiskError::Locked { .. }) => std::thread::sleep(Duration::from_millis(10)),
            other => return other.map(|(disk, _)| disk),
        }
    }
    open().map(|(disk, _)| disk)
}

/// A disk that is opened undisturbed and meets `fate` at its `at`-th step from then on. The counter tells how many
/// steps were asked for.
pub(crate) fn open_doomed(root: &Path, at: usize, fate: Fate) -> (Disk, Arc<AtomicUsize>) {
    let taken = Arc::new(AtomicUsize::new(isize::MIN as usize));
    let disk = open_with(|| Disk::open_watched(root, Box::new(Plan { at, fate, taken: taken.clone() })));
    taken.store(0, Ordering::Relaxed);
    (disk.unwrap(), taken)
}

/// An audit log that is enough for the vault: entries in memory, and one token under the audit key on the disk.
pub(crate) struct TestAudit {
    disk: Disk,
    pub entries: Vec<String>,
    /// How many entries it takes before it refuses.
    pub room: usize,
}

pub(crate) const HEAD: &str = "storage/audit/head.enc";

impl TestAudit {
    pub fn new(disk: &Disk) -> TestAudit {
        TestAudit { disk: disk.clone(), entries: Vec::new(), room: usize::MAX }
    }
}

impl AuditSink for TestAudit {
    fn record(&mut self, event: AuditEvent<'_>) -> Result<(), AuditUnavailable> {
        if self.entries.len() >= self.room {
            return Err(AuditUnavailable { reason: "refused by the test".to_string() });
        }
        self.entries.push(format!("{} {} {}", event.action, event.target, event.status));
        Ok(())
    }

    fn check_rekey(&mut self) -> Result<(), AuditUnavailable> {
        Ok(())
    }

    fn rekey(&mut self, keys: &KeyLines, now: Nanos) -> Result<(), AuditUnavailable> {
        let failed = |e: DiskError| AuditUnavailable { reason: e.to_string() };
        let token = self.disk.read(HEAD, 4096).map_err(failed)?.unwrap();
        let plain = keys.open(&token).map_or_else(|| b"new head".to_vec(), |plain| plain.to_vec());
        self.disk.write(HEAD, keys.seal(&plain, now).as_bytes()).map_err(failed)
    }
}

/// The secret that a file of fields holds.
pub(crate) fn planted(file: SecretFile) -> String {
    format!("{PLANTED} {file:?} \u{1f512}\"\\\n")
}

/// Makes keys, secrets, texts, databases, and one backup of each kind.
pub(crate) fn provision(disk: &Disk) -> Result<Keys, VaultError> {
    let (mut keys, _) = Keys::open(disk)?;
    make_keys(&mut keys)?;
    for file in SecretFile::ALL.into_iter().filter(|file| *file != SecretFile::Staged) {
        secrets::write_fields(disk, &keys, file, &fields(&planted(file)), NOW)?;
    }
    for file in TextFile::ALL {
        secrets::write_text(disk, &keys, file, &format!("# {PLANTED} {file:?}\n"), NOW)?;
    }
    for file in DatabaseFile::ALL {
        let schema = format!("CREATE TABLE t(v TEXT); INSERT INTO t VALUES ('{PLANTED} {file:?}');");
        Database::create(disk, &keys, file, &schema, NOW)?;
    }
    disk.write(HEAD, keys.get(Category::Audit)?.seal(b"head", NOW).as_bytes())?;
    backups::create(disk, &keys, Protection::BackupKey, NOW)?;
    backups::create(disk, &keys, Protection::Passphrase(&passphrase(), Cost::new(10).unwrap()), NOW)?;
    Ok(keys)
}

/// The first part of a provisioning.
pub(crate) fn make_keys(keys: &mut Keys) -> Result<(), VaultError> {
    keys.provision(Category::Audit, NOW)?;
    keys.provision(Category::Env, NOW)?;
    for category in Category::ALL {
        keys.provision(category, NOW)?;
    }
    keys.finish_provisioning(NOW)
}

pub(crate) fn passphrase() -> SecretString {
    SecretString::from(PASSPHRASE)
}

pub(crate) fn fields(value: &str) -> SecretFields {
    let mut fields = SecretFields::new();
    fields.set("VALUE", SecretString::from(value));
    fields
}

/// An empty folder, in memory where the system has such a place: the tests synchronise ten thousand times, which
/// takes two minutes on a disk and proves nothing about it.
pub(crate) fn folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// A copy of a provisioned folder. It is made once: provisioning synchronises two hundred times.
pub(crate) fn provisioned() -> TempDir {
    static TEMPLATE: LazyLock<TempDir> = LazyLock::new(|| {
        let dir = folder();
        provision(&open(dir.path())).unwrap();
        dir
    });
    let dir = folder();
    copy(TEMPLATE.path(), dir.path());
    dir
}

pub(crate) fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::DirBuilder::new().mode(0o700).create(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).unwrap();
        }
    }
}

/// Every file and folder below a folder.
pub(crate) fn tree(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            }
            found.push(entry.path());
        }
    }
    found
}

/// Files are 0600, folders 0700, no temporary file is left, and nothing is plain.
pub(crate) fn assert_sealed(root: &Path) {
    for path in tree(root) {
        let metadata = fs::symlink_metadata(&path).unwrap();
        let expected = if metadata.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(metadata.permissions().mode() & 0o7777, expected, "{}", path.display());
        assert!(!path.to_string_lossy().ends_with(".tmp"), "{}", path.display());
    }
    assert_nothing_plain(root);
}

/// No file holds a planted secret or a SQLite image.
pub(crate) fn assert_nothing_plain(root: &Path) {
    for path in tree(root).into_iter().filter(|path| path.is_file()) {
        let content = fs::read(&path).unwrap();
        let content = String::from_utf8_lossy(&content);
        for word in [PLANTED, "SQLite format", "INSERT INTO", "\"category\"", PASSPHRASE] {
            let found = content.contains(word);
            assert!(!found, "{} contains '{word}'", path.display());
        }
    }
}

/// Opens a folder as after a restart and demands that it is whole: every key fits the manifest, every file can be
/// decrypted, every planted secret is there, and every key file has one line.
pub(crate) fn assert_whole(root: &Path) {
    let disk = open(root);
    let (mut keys, findings) = Keys::open(&disk).unwrap();
    assert_eq!(findings, []);
    let mut audit = TestAudit::new(&disk);
    rotation::resume(&disk, &mut keys, &mut audit, &crate::vault::Actor::core(), NOW).unwrap();
    backups::resume(&disk, &keys, NOW).unwrap();
    assert_readable(&disk, &keys);
    let (again, findings) = Keys::open(&disk).unwrap();
    assert_eq!(findings, []);
    assert_eq!(again.rotating(), None);
    for info in again.list() {
        let lines = again.get(info.category).unwrap();
        assert_eq!(lines.all().len(), 1, "{}", info.category);
        assert_eq!(lines.first().fingerprint(), info.fingerprint);
    }
    assert_eq!(again.list().len(), 14);
    assert_sealed(root);
}

/// Every planted secret can be read with these keys.
pub(crate) fn assert_readable(disk: &Disk, keys: &Keys) {
    for file in SecretFile::ALL.into_iter().filter(|file| *file != SecretFile::Staged) {
        let fields = secrets::read_fields(disk, keys, file).unwrap().unwrap();
        assert_eq!(fields.get("VALUE").unwrap().expose_secret(), planted(file));
    }
    for file in TextFile::ALL {
        let text = secrets::read_text(disk, keys, file).unwrap().unwrap();
        assert_eq!(text.expose_secret(), format!("# {PLANTED} {file:?}\n"));
    }
    for file in DatabaseFile::ALL {
        let database = Database::open(disk, keys, file).unwrap().unwrap();
        let value: String = database.read(|c| c.query_row("SELECT v FROM t", [], |row| row.get(0))).unwrap();
        assert_eq!(value, format!("{PLANTED} {file:?}"));
    }
    let head = disk.read(HEAD, 4096).unwrap().unwrap();
    assert_eq!(keys.get(Category::Audit).unwrap().open(&head).unwrap().as_slice(), b"head");
    for backup in backups::list(disk).unwrap() {
        let content = backups::read(disk, &backup.name).unwrap();
        if backup.kind == backups::BackupKind::Full {
            assert!(keys.get(Category::Backup).unwrap().open(&content).is_some(), "{}", backup.name);
        }
    }
}

/// Runs `act` on a fresh copy of a provisioned folder for every step at which it can meet `fate`, and `check` on what
/// is left. Returns how many steps `act` has.
pub(crate) fn walk_steps(
    fate: Fate,
    act: impl Fn(&Disk) -> Result<(), VaultError>,
    check: impl Fn(&Path, &VaultError),
) -> usize {
    walk_steps_after(|_| {}, fate, act, check)
}

/// [`walk_steps`] on folders that `prepare` has changed, undisturbed.
pub(crate) fn walk_steps_after(
    prepare: impl Fn(&Disk),
    fate: Fate,
    act: impl Fn(&Disk) -> Result<(), VaultError>,
    check: impl Fn(&Path, &VaultError),
) -> usize {
    for at in 0.. {
        let dir = provisioned();
        prepare(&open(dir.path()));
        let (disk, taken) = open_doomed(dir.path(), at, fate);
        let result = act(&disk);
        let reached = taken.load(Ordering::Relaxed) > at;
        drop(disk);
        match result {
            Err(error) => {
                assert!(reached, "failed without meeting its fate: {error}");
                check(dir.path(), &error);
            }
            Ok(()) => {
                assert!(!reached, "step {at} met {fate:?} and nobody noticed");
                return at;
            }
        }
    }
    unreachable!("every action ends")
}
