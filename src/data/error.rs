//! Why a data set is refused.

use std::fmt;
use std::path::PathBuf;

/// A place in a file: Parquet rows and CSV lines both count from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Path, or `archive.zip!entry`, or `set:file` for an embedded set.
    pub file: String,
    /// Row of a Parquet file or line of a text file.
    pub unit: RowUnit,
    pub number: u64,
}

/// What a row number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowUnit {
    /// Data rows of a Parquet file.
    Row,
    /// Lines of a text file, its header included.
    Line,
}

impl fmt::Display for RowUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RowUnit::Row => "row",
            RowUnit::Line => "line",
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} {}", self.file, self.unit, self.number)
    }
}

/// A data set that cannot be read, is faulty, or does not hold what was asked for.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// Neither a path nor the name of a data set.
    #[error("'{name}' is neither a file or folder nor a data set; the data sets are {known}{hint}")]
    UnknownSource { name: String, known: String, hint: String },
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: std::io::Error },
    /// The file is not what its name says, or nothing this program reads.
    #[error("{file}: {reason}")]
    File { file: String, reason: String },
    /// One row is wrong.
    #[error("{place}: {reason}")]
    Row { place: Place, reason: String },
    /// Whoever waited for the data does so no more.
    #[error("interrupted")]
    Interrupted,
    /// The files are in order, but the selection cannot be met.
    #[error("{0}")]
    Selection(String),
}

impl DataError {
    /// A fault of a whole file.
    pub(super) fn file(file: impl Into<String>, reason: impl Into<String>) -> DataError {
        DataError::File { file: file.into(), reason: reason.into() }
    }

    /// A fault of one row.
    pub(super) fn row(place: Place, reason: impl Into<String>) -> DataError {
        DataError::Row { place, reason: reason.into() }
    }

    /// A failed read.
    pub(super) fn read(path: impl Into<PathBuf>, source: std::io::Error) -> DataError {
        DataError::Io { action: "read", path: path.into(), source }
    }

    /// A failed write.
    pub(super) fn write(path: impl Into<PathBuf>, source: std::io::Error) -> DataError {
        DataError::Io { action: "write", path: path.into(), source }
    }
}

/// The entry of `known` nearest to `word` by edit distance, if near enough to be a slip of the pen.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = word.to_ascii_uppercase();
    let limit = (wanted.chars().count() / 2).max(1);
    known
        .into_iter()
        .map(|name| (edit_distance(&wanted, &name.to_ascii_uppercase()), name))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, name)| (*distance, name.len().abs_diff(word.len())))
        .map(|(_, name)| name)
}

/// Levenshtein distance.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_finds_its_name_and_a_foreign_word_does_not() {
        let known = ["AAPL", "MSFT", "SPY"];
        assert_eq!(nearest("APPL", known), Some("AAPL"));
        assert_eq!(nearest("spy", known), Some("SPY"));
        assert_eq!(nearest("SPI", known), Some("SPY"));
        assert_eq!(nearest("QQQ", known), None);
        assert_eq!(edit_distance("kitten", "sitting"), 3);
    }
}
