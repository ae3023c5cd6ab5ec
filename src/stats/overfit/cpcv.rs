//! Combinatorial purged cross-validation.

use super::OverfitError;
use std::ops::Range;

/// Most splits that are listed.
const MAX_SPLITS: usize = 1_000_000;

/// One split of the rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Numbers of the groups that are tested, ascending.
    pub test_groups: Vec<usize>,
    /// Rows to test on, ascending.
    pub test: Vec<usize>,
    /// Rows to fit on, ascending: neither tested nor purged nor under embargo.
    pub train: Vec<usize>,
}

/// Every way of testing on `test_groups` of `groups` groups of rows (CPCV).
///
/// M. Lopez de Prado, *Advances in Financial Machine Learning* (2018), chapters 7 and 12.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CombinatorialSplits {
    /// Rows of each group: the first `rows mod groups` have one more than the others (`array_split` of numpy).
    pub groups: Vec<Range<usize>>,
    /// C(groups, test_groups) splits, in lexicographic order of the groups tested.
    pub splits: Vec<Split>,
    /// C(groups, test_groups) * test_groups / groups paths through all rows: for each group the split it is tested
    /// in. Path p takes the p-th split that tests the group.
    pub paths: Vec<Vec<usize>>,
}

impl CombinatorialSplits {
    /// Splits `rows` rows. Around each block of tested rows `purge` rows (the horizon of a label) are left out of
    /// the training rows on either side, and after them `embargo` more. Tested groups that touch are one block.
    ///
    /// # Errors
    /// Not `0 < test_groups < groups <= rows`, or more than 1,000,000 splits.
    pub fn new(
        rows: usize,
        groups: usize,
        test_groups: usize,
        purge: usize,
        embargo: usize,
    ) -> Result<CombinatorialSplits, OverfitError> {
        if test_groups == 0 || test_groups >= groups || groups > rows {
            return Err(OverfitError::Groups { rows, groups, test_groups });
        }
        let too_many = OverfitError::TooManySplits { groups, test_groups, limit: MAX_SPLITS };
        if combinations(groups, test_groups).is_none_or(|count| count > MAX_SPLITS) {
            return Err(too_many);
        }
        let ranges = array_split(rows, groups);
        let splits: Vec<Split> = chosen(groups, test_groups)
            .into_iter()
            .map(|test_groups| split(rows, &ranges, test_groups, purge, embargo))
            .collect();
        let tested_in = |group: usize| -> Vec<usize> {
            (0..splits.len()).filter(|&s| splits[s].test_groups.binary_search(&group).is_ok()).collect()
        };
        let by_group: Vec<Vec<usize>> = (0..groups).map(tested_in).collect();
        let paths = (0..by_group[0].len()).map(|p| by_group.iter().map(|splits| splits[p]).collect()).collect();
        Ok(CombinatorialSplits { groups: ranges, splits, paths })
    }
}

fn split(rows: usize, groups: &[Range<usize>], test_groups: Vec<usize>, purge: usize, embargo: usize) -> Split {
    let mut tested = vec![false; rows];
    for &group in &test_groups {
        tested[groups[group].clone()].fill(true);
    }
    let mut usable = vec![true; rows];
    for t in (0..rows).filter(|&t| tested[t]) {
        usable[t] = false;
        if t == 0 || !tested[t - 1] {
            usable[t.saturating_sub(purge)..t].fill(false);
        }
        if t + 1 < rows && !tested[t + 1] {
            let end = (t + 1).saturating_add(purge).saturating_add(embargo).min(rows);
            usable[t + 1..end].fill(false);
        }
    }
    let those = |marks: &[bool]| (0..rows).filter(|&t| marks[t]).collect();
    Split { test: those(&tested), train: those(&usable), test_groups }
}

fn array_split(rows: usize, groups: usize) -> Vec<Range<usize>> {
    let (size, longer) = (rows / groups, rows % groups);
    (0..groups).map(|g| g * size + g.min(longer)..(g + 1) * size + (g + 1).min(longer)).collect()
}

/// Number of ways to choose `k` of `n`; `None` when it does not fit.
fn combinations(n: usize, k: usize) -> Option<usize> {
    let k = k.min(n - k);
    (0..k).try_fold(1usize, |count, i| count.checked_mul(n - i).map(|product| product / (i + 1)))
}

/// Every choice of `k` of `n`, each ascending, in lexicographic order.
fn chosen(n: usize, k: usize) -> Vec<Vec<usize>> {
    let mut current: Vec<usize> = (0..k).collect();
    let mut all = vec![current.clone()];
    while let Some(i) = (0..k).rev().find(|&i| current[i] < n - k + i) {
        current[i] += 1;
        for j in i + 1..k {
            current[j] = current[j - 1] + 1;
        }
        all.push(current.clone());
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_groups_two_tested_are_the_book_s_example() {
        let all = CombinatorialSplits::new(60, 6, 2, 0, 0).unwrap();
        assert_eq!((all.splits.len(), all.paths.len()), (15, 5));
        assert_eq!(all.splits[0].test_groups, [0, 1]);
        assert_eq!(all.splits[14].test_groups, [4, 5]);
        // The first path of the book: split 1 for groups 1 and 2, then the next ones.
        assert_eq!(all.paths[0], [0, 0, 1, 2, 3, 4]);
        for (p, path) in all.paths.iter().enumerate() {
            for (group, &split) in path.iter().enumerate() {
                assert!(all.splits[split].test_groups.contains(&group), "path {p}");
            }
        }
        let mut uses = vec![0; 15];
        all.paths.iter().flatten().for_each(|&split| uses[split] += 1);
        assert_eq!(uses, [2; 15], "every test group of every split is on one path");
    }

    #[test]
    fn the_first_groups_take_the_rows_left_over() {
        let groups = CombinatorialSplits::new(11, 4, 1, 0, 0).unwrap().groups;
        assert_eq!(groups, [0..3, 3..6, 6..9, 9..11]);
    }

    #[test]
    fn purge_and_embargo_lie_around_each_block() {
        let all = CombinatorialSplits::new(20, 5, 2, 1, 2).unwrap();
        let split = |groups: [usize; 2]| all.splits.iter().find(|s| s.test_groups == groups).unwrap();
        // Test 4..8 and 12..16: purged 3, 8, 11, 16; embargo 9, 10 and 17, 18.
        assert_eq!(split([1, 3]).train, [0, 1, 2, 19]);
        // Groups that touch are one block 4..12: purged 3 and 12, embargo 13, 14.
        assert_eq!(split([1, 2]).train, [0, 1, 2, 15, 16, 17, 18, 19]);
        assert_eq!(split([1, 2]).test, (4..12).collect::<Vec<_>>());
        // Nothing lies before the first or after the last row.
        assert_eq!(split([0, 4]).train, [7, 8, 9, 10, 11, 12, 13, 14]);
    }

    #[test]
    fn unusable_groups_are_refused() {
        for (rows, groups, test) in [(10, 5, 0), (10, 5, 5), (4, 5, 2)] {
            let error = CombinatorialSplits::new(rows, groups, test, 0, 0).unwrap_err();
            assert_eq!(error, OverfitError::Groups { rows, groups, test_groups: test });
        }
        let error = CombinatorialSplits::new(1000, 100, 50, 0, 0).unwrap_err();
        assert!(matches!(error, OverfitError::TooManySplits { .. }));
        assert_eq!(combinations(16, 8), Some(12_870));
    }
}
