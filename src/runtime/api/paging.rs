//! Lists that are given in pages.

use serde::Serialize;

/// Most bytes of the items of a page: an answer has at most a mebibyte.
const MOST_BYTES: usize = 700 * 1024;

/// Shortens a page to what fits into an answer, at least one item; the next page begins after them.
pub fn fit<T: Serialize>(items: &mut Vec<T>) {
    let mut bytes = 0;
    let fitting = items.iter().take_while(|item| {
        bytes += serde_json::to_string(item).map_or(0, |text| text.len());
        bytes <= MOST_BYTES
    });
    let fitting = fitting.count().max(1);
    items.truncate(fitting);
}

/// The items from `offset` on, at most `limit`, as many as fit.
pub fn page<T: Serialize>(items: Vec<T>, offset: u64, limit: u64) -> Vec<T> {
    let skip = usize::try_from(offset).unwrap_or(usize::MAX);
    let take = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut page: Vec<T> = items.into_iter().skip(skip).take(take).collect();
    fit(&mut page);
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_fits_into_an_answer_and_is_never_empty_while_there_is_more() {
        assert_eq!(page(vec![1, 2, 3], 1, 1), [2]);
        assert_eq!(page(vec![1, 2, 3], 3, 9), [0; 0]);
        let long = "x".repeat(300 * 1024);
        assert_eq!(page(vec![long.clone(); 5], 0, 5).len(), 2);
        assert_eq!(page(vec![long.repeat(4); 5], 0, 5).len(), 1);
    }
}
