//! Following a log while it is written.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;

use super::LogName;
use crate::vault::{Disk, DiskError};

/// Most bytes that are read at once.
const MOST_READ: u64 = 256 * 1024;
/// Longest line; of a longer one the rest becomes the next.
const MOST_LINE: usize = 64 * 1024;

/// Gives the lines that are added to a log, also when it is set aside and begun anew.
pub struct Tail {
    disk: Disk,
    path: String,
    /// The open file, with the bytes of it that were read.
    file: Option<(File, u64)>,
    /// A line that has not ended yet.
    rest: Vec<u8>,
}

impl Tail {
    /// Follows a log from byte `from` on; `None`: from its end.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn new(disk: Disk, log: LogName, from: Option<u64>) -> Result<Tail, DiskError> {
        let path = log.path();
        let mut tail = Tail { disk, path, file: None, rest: Vec::new() };
        if let Some(file) = tail.disk.open_to_read(&tail.path)? {
            let length = file
                .metadata()
                .map_err(|source| DiskError::Io { action: "read", path: tail.path.clone(), source })?
                .len();
            tail.file = Some((file, from.unwrap_or(length).min(length)));
        }
        Ok(tail)
    }

    /// The lines since the last call; none if there is nothing new.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn read(&mut self) -> Result<Vec<String>, DiskError> {
        let mut lines = Vec::new();
        self.read_on(&mut lines)?;
        if !lines.is_empty() {
            return Ok(lines);
        }
        // Nothing more in this file: has another taken its place?
        let newest = self.disk.open_to_read(&self.path)?;
        if let Some(newest) = newest {
            let same = self.file.as_ref().is_some_and(|(file, read)| is_same(file, &newest, *read));
            if !same {
                // What was written between the last read and the change of files is still to be had.
                self.read_on(&mut lines)?;
                self.end_line(&mut lines);
                self.file = Some((newest, 0));
                self.read_on(&mut lines)?;
            }
        }
        Ok(lines)
    }

    fn read_on(&mut self, lines: &mut Vec<String>) -> Result<(), DiskError> {
        let Some((file, read)) = &mut self.file else { return Ok(()) };
        let mut bytes = Vec::new();
        let mut next = || -> io::Result<usize> {
            file.seek(SeekFrom::Start(*read))?;
            file.take(MOST_READ).read_to_end(&mut bytes)
        };
        let count = next().map_err(|source| DiskError::Io { action: "read", path: self.path.clone(), source })?;
        *read += count as u64;
        for byte in bytes {
            if byte == b'\n' || self.rest.len() >= MOST_LINE {
                lines.push(text(&self.rest));
                self.rest.clear();
            }
            if byte != b'\n' {
                self.rest.push(byte);
            }
        }
        Ok(())
    }

    fn end_line(&mut self, lines: &mut Vec<String>) {
        if !self.rest.is_empty() {
            lines.push(text(&self.rest));
            self.rest.clear();
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end_matches('\r').to_string()
}

/// Whether two handles are of one file that was not cut below what was `read` of it.
fn is_same(old: &File, new: &File, read: u64) -> bool {
    match (old.metadata(), new.metadata()) {
        (Ok(old), Ok(new)) => (old.dev(), old.ino()) == (new.dev(), new.ino()) && new.len() >= read,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Write;
    use std::path::Path;

    fn add(path: &Path, text: &str) {
        fs::OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
    }

    #[test]
    fn lines_come_when_they_have_ended() {
        let folder = tempfile::tempdir().unwrap();
        let (disk, _) = Disk::open(folder.path()).unwrap();
        let path = folder.path().join("logs/open.log");
        add(&path, "before\n");
        let mut tail = Tail::new(disk, LogName::Open, None).unwrap();
        assert!(tail.read().unwrap().is_empty());
        add(&path, "one\ntw");
        assert_eq!(tail.read().unwrap(), ["one"]);
        assert!(tail.read().unwrap().is_empty());
        add(&path, "o\n");
        assert_eq!(tail.read().unwrap(), ["two"]);
    }

    #[test]
    fn a_log_that_is_set_aside_is_followed_into_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let (disk, _) = Disk::open(folder.path()).unwrap();
        let path = folder.path().join("logs/open.log");
        let mut tail = Tail::new(disk, LogName::Open, Some(0)).unwrap();
        add(&path, "a\n");
        assert_eq!(tail.read().unwrap(), ["a"]);
        add(&path, "b\n");
        fs::rename(&path, folder.path().join("logs/open.log.1")).unwrap();
        add(&path, "c\n");
        let mut lines = tail.read().unwrap();
        lines.extend(tail.read().unwrap());
        assert_eq!(lines, ["b", "c"]);
        // Cut in place: begun anew.
        fs::write(&path, "d\n").unwrap();
        fs::write(&path, "").unwrap();
        let mut lines = tail.read().unwrap();
        add(&path, "e\n");
        lines.extend(tail.read().unwrap());
        assert_eq!(lines.last().unwrap(), "e");
    }

    #[test]
    fn a_line_without_end_is_cut_into_pieces() {
        let folder = tempfile::tempdir().unwrap();
        let (disk, _) = Disk::open(folder.path()).unwrap();
        let path = folder.path().join("logs/mid.log");
        add(&path, &"x".repeat(MOST_LINE * 2 + 10));
        let mut tail = Tail::new(disk, LogName::Mid, Some(0)).unwrap();
        let mut lines = tail.read().unwrap();
        lines.extend(tail.read().unwrap());
        assert_eq!(lines.iter().map(String::len).collect::<Vec<_>>(), [MOST_LINE, MOST_LINE]);
    }
}
