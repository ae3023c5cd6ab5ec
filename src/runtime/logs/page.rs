//! Reading a part of a log.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read};

use serde::Serialize;

use super::LogName;
use crate::vault::{Disk, DiskError};

/// Most bytes that the lines of a page have as JSON: an answer of the core has at most a mebibyte.
const MOST_PAGE: usize = 700 * 1024;
/// Longest part of a line that is shown.
const MOST_LINE: usize = 64 * 1024;

/// Lines of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogPage {
    /// Which log.
    pub name: &'static str,
    /// Number of the first line shown, from 0.
    pub offset: u64,
    /// The lines; fewer than asked for at the end, or where they are very long.
    pub lines: Vec<String>,
    /// How many lines the log has.
    pub total: u64,
    /// How many bytes it has: where to follow it from.
    pub bytes: u64,
}

/// Up to `limit` lines from line `offset` on, or the last ones if there is no offset.
///
/// # Errors
/// The log cannot be read.
pub fn page(disk: &Disk, log: LogName, offset: Option<u64>, limit: usize) -> Result<LogPage, DiskError> {
    let path = log.path();
    let mut page = LogPage { name: log.name(), offset: 0, lines: Vec::new(), total: 0, bytes: 0 };
    let Some(file) = disk.open_to_read(&path)? else { return Ok(page) };
    let failed = |source: io::Error| DiskError::Io { action: "read", path: path.clone(), source };
    // What is written meanwhile is not part of this answer.
    page.bytes = file.metadata().map_err(failed)?.len();
    let mut reader = BufReader::with_capacity(64 * 1024, file.take(page.bytes));
    let mut lines: VecDeque<String> = VecDeque::new();
    let mut held = 0;
    let mut full = false;
    while let Some(line) = next_line(&mut reader).map_err(failed)? {
        let number = page.total;
        page.total += 1;
        if offset.is_some_and(|offset| number < offset || full) {
            continue;
        }
        let size = json_size(&line);
        if offset.is_some() {
            full = lines.len() >= limit || held + size > MOST_PAGE;
            if !full {
                held += size;
                lines.push_back(line);
            }
            continue;
        }
        held += size;
        lines.push_back(line);
        while lines.len() > limit || (held > MOST_PAGE && lines.len() > 1) {
            held -= lines.pop_front().map_or(0, |line| json_size(&line));
        }
    }
    page.offset = offset.unwrap_or(page.total - lines.len() as u64);
    page.lines = lines.into();
    Ok(page)
}

/// The next line without its end, of a very long one the beginning; `None` at the end of the file.
fn next_line(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    let mut any = false;
    loop {
        let part = reader.fill_buf()?;
        if part.is_empty() {
            break;
        }
        any = true;
        let end = part.iter().position(|byte| *byte == b'\n');
        let taken = end.unwrap_or(part.len());
        line.extend_from_slice(&part[..taken.min(MOST_LINE - line.len())]);
        let used = end.map_or(taken, |end| end + 1);
        reader.consume(used);
        if end.is_some() {
            break;
        }
    }
    Ok(any.then(|| String::from_utf8_lossy(&line).into_owned()))
}

/// Most bytes of a text in JSON: a control character takes six.
fn json_size(text: &str) -> usize {
    text.bytes()
        .map(|byte| if byte < b' ' || byte == b'"' || byte == b'\\' || byte == 0x7f { 6 } else { 1 })
        .sum::<usize>()
        + 3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk_with(text: &str) -> (tempfile::TempDir, Disk) {
        let folder = tempfile::tempdir().unwrap();
        let (disk, _) = Disk::open(folder.path()).unwrap();
        std::fs::write(folder.path().join("logs/open.log"), text).unwrap();
        (folder, disk)
    }

    #[test]
    fn pages_go_through_the_log_and_the_last_is_the_default() {
        let (_folder, disk) = disk_with("a\nb\nc\nd\ne");
        let at = |offset, limit| {
            let page = page(&disk, LogName::Open, offset, limit).unwrap();
            (page.offset, page.lines.join(""), page.total)
        };
        assert_eq!(at(Some(0), 2), (0, "ab".into(), 5));
        assert_eq!(at(Some(4), 2), (4, "e".into(), 5));
        assert_eq!(at(Some(9), 2), (9, String::new(), 5));
        assert_eq!(at(None, 2), (3, "de".into(), 5));
        assert_eq!(at(None, 100), (0, "abcde".into(), 5));
        assert_eq!(page(&disk, LogName::Mid, None, 5).unwrap().total, 0);
    }

    #[test]
    fn long_and_broken_lines_fit_into_an_answer() {
        let line = "\u{1}".repeat(100_000);
        let (_folder, disk) = disk_with(&format!("{line}\n{line}\n{line}\nend\n"));
        for offset in [None, Some(0)] {
            let page = page(&disk, LogName::Open, offset, 1000).unwrap();
            assert_eq!(page.total, 4);
            assert!(!page.lines.is_empty());
            assert!(serde_json::to_string(&page).unwrap().len() < 1024 * 1024);
        }
        let (_folder, disk) = disk_with("");
        std::fs::write(disk.path().join("logs/open.log"), [0xff, b'\n', 0xfe]).unwrap();
        assert_eq!(page(&disk, LogName::Open, None, 9).unwrap().lines, ["\u{fffd}", "\u{fffd}"]);
    }
}
