//! Which rows of a row group are of one symbol.

use super::chunk::RowNumbers;
use std::ops::Range;

/// Rows of a group that belong together.
#[derive(Debug, Clone)]
pub(super) enum Pick {
    Range(Range<usize>),
    List(Vec<u32>),
}

impl Pick {
    pub(super) fn len(&self) -> usize {
        match self {
            Pick::Range(range) => range.len(),
            Pick::List(rows) => rows.len(),
        }
    }

    /// Adds the rows of a later range.
    pub(super) fn extend(&mut self, more: Range<usize>) {
        match self {
            Pick::Range(range) if range.start >= range.end => *range = more,
            Pick::Range(range) if range.end == more.start => range.end = more.end,
            Pick::Range(range) => {
                let mut rows: Vec<u32> = range.clone().map(|r| r as u32).collect();
                rows.extend(more.map(|r| r as u32));
                *self = Pick::List(rows);
            }
            Pick::List(rows) => rows.extend(more.map(|r| r as u32)),
        }
    }

    pub(super) fn part(self, part: Range<usize>) -> Pick {
        match self {
            Pick::Range(range) => Pick::Range(range.start + part.start..range.start + part.end),
            Pick::List(rows) if part.len() == rows.len() => Pick::List(rows),
            Pick::List(rows) => Pick::List(rows[part].to_vec()),
        }
    }

    pub(super) fn take<T: Copy>(&self, values: &[T]) -> Vec<T> {
        match self {
            Pick::Range(range) => values[range.clone()].to_vec(),
            Pick::List(rows) => rows.iter().map(|&r| values[r as usize]).collect(),
        }
    }

    /// Numbers in the file, from 1.
    pub(super) fn numbers(&self, first_row: usize) -> RowNumbers {
        match self {
            Pick::Range(range) => RowNumbers::From((first_row + range.start) as u64 + 1),
            Pick::List(rows) => {
                RowNumbers::List(rows.iter().map(|&r| (first_row as u32).saturating_add(r + 1)).collect())
            }
        }
    }
}
