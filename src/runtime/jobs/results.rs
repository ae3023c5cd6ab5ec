//! The result folders and data sets that lie in the data folder. Names are taken from listings and compared with what
//! was asked for; no path is made from a request.

use std::io;
use std::path::Path;

use super::is_id;
use crate::backtest::store::{
    EQUITY_CSV_FILE, EQUITY_FILE, FILLS_FILE, ORDERS_FILE, REPORT_FILE, RUN_FILE, SUMMARY_FILE, TRADES_FILE,
};
use crate::data::NAMED_SETS;
use crate::vault::layout::{DATASETS, RESULTS};

/// Folders between the results and a result, at most.
const MOST_LEVELS: usize = 3;

/// The kind of a result folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoredKind {
    /// A backtest.
    Run,
    /// A sweep, finished or not.
    Sweep,
    /// A walk-forward analysis.
    WalkForward,
}

impl StoredKind {
    /// The file that makes a folder one of this kind.
    const fn mark(self) -> &'static str {
        match self {
            StoredKind::Run => RUN_FILE,
            StoredKind::Sweep => "sweep.json",
            StoredKind::WalkForward => "walk_forward.json",
        }
    }

    /// The files that such a folder may have, and that can be had.
    pub const fn files(self) -> &'static [&'static str] {
        match self {
            StoredKind::Run => &[
                RUN_FILE,
                SUMMARY_FILE,
                EQUITY_FILE,
                EQUITY_CSV_FILE,
                ORDERS_FILE,
                FILLS_FILE,
                TRADES_FILE,
                REPORT_FILE,
            ],
            StoredKind::Sweep => {
                &["sweep.json", SUMMARY_FILE, "trials.parquet", "trials.jsonl", "returns.f64", REPORT_FILE]
            }
            StoredKind::WalkForward => &["walk_forward.json", SUMMARY_FILE, "windows.csv", EQUITY_FILE, REPORT_FILE],
        }
    }

    /// Whether it is found among the sweeps.
    pub const fn is_search(self) -> bool {
        !matches!(self, StoredKind::Run)
    }
}

/// A result folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The name of the folder.
    pub name: String,
    /// Relative to the data folder.
    pub path: String,
    /// What it is.
    pub kind: StoredKind,
}

impl Stored {
    /// Names and lengths of its files.
    pub fn files(&self, root: &Path) -> Vec<(&'static str, u64)> {
        let length = |name: &&'static str| {
            let data = std::fs::symlink_metadata(root.join(&self.path).join(name)).ok()?;
            data.is_file().then_some((*name, data.len()))
        };
        self.kind.files().iter().filter_map(length).collect()
    }

    /// Whether it has its result.
    pub fn is_finished(&self, root: &Path) -> bool {
        root.join(&self.path).join(SUMMARY_FILE).is_file()
    }
}

/// The kind of result that lies in a folder.
fn kind_of(folder: &Path) -> Option<StoredKind> {
    let kinds = [StoredKind::Run, StoredKind::Sweep, StoredKind::WalkForward];
    kinds.into_iter().find(|kind| folder.join(kind.mark()).is_file())
}

/// The result folders of a data folder, newest first: those in the folder for results, and in folders in it.
///
/// # Errors
/// A folder cannot be read.
pub fn list(root: &Path) -> io::Result<Vec<Stored>> {
    let mut found = Vec::new();
    let mut folders = vec![(RESULTS.to_string(), 0)];
    while let Some((folder, level)) = folders.pop() {
        for name in names(&root.join(&folder))? {
            let path = format!("{folder}/{name}");
            match kind_of(&root.join(&path)) {
                Some(kind) if is_id(&name) => found.push(Stored { name, path, kind }),
                None if level < MOST_LEVELS && is_folder(&root.join(&path)) => folders.push((path, level + 1)),
                _ => {}
            }
        }
    }
    found.sort_by(|a, b| b.name.cmp(&a.name));
    Ok(found)
}

fn is_folder(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|data| data.is_dir())
}

/// The folder for searches from the browser, relative to the data folder: OPTIMIZER_OUTPUT_DIR, where their results can
/// be found again by [`list`].
///
/// # Errors
/// What is wrong with it, for people.
pub fn output_folder(root: &Path, setting: &str) -> Result<String, String> {
    let parts: Vec<&str> = setting.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    let below = parts.strip_prefix(&[RESULTS]);
    let fits = below.is_some_and(|below| below.len() <= MOST_LEVELS && below.iter().all(|part| !part.starts_with('.')));
    if setting.starts_with('/') || !fits {
        return Err(format!(
            "it is {setting}; searches from the browser go to {RESULTS}/ or to a folder in it, at most {MOST_LEVELS} deep"
        ));
    }
    let mut folder = String::from(RESULTS);
    for part in parts.into_iter().skip(1) {
        folder = format!("{folder}/{part}");
        let path = root.join(&folder);
        if kind_of(&path).is_some() || (path.exists() && !is_folder(&path)) {
            return Err(format!("it is {setting}, and {folder} is a result or no folder"));
        }
    }
    Ok(folder)
}

/// The result folder of that name.
pub fn find(root: &Path, name: &str) -> Option<Stored> {
    list(root).ok()?.into_iter().find(|stored| stored.name == name)
}

/// What `--data` takes for each data set by its name: those that are part of the program, and those in the folder for
/// data sets.
///
/// # Errors
/// The folder cannot be read.
pub fn datasets(root: &Path) -> io::Result<Vec<(String, String)>> {
    let mut found: Vec<(String, String)> =
        NAMED_SETS.iter().map(|set| (set.name.to_string(), set.name.to_string())).collect();
    for name in names(&root.join(DATASETS))? {
        let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        let is_set = std::fs::symlink_metadata(root.join(DATASETS).join(&name)).is_ok_and(|data| {
            let table = [".parquet", ".csv", ".csv.gz"].iter().any(|suffix| name.ends_with(suffix));
            data.is_dir() || (data.is_file() && table)
        });
        if plain && is_set && name.len() <= 128 && found.iter().all(|(other, _)| *other != name) {
            found.push((name.clone(), format!("{DATASETS}/{name}")));
        }
    }
    Ok(found)
}

/// The names in a folder that are not hidden, sorted; none if it does not exist.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry?.file_name().into_string().ok().filter(|name| !name.starts_with('.')));
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn folders_are_known_by_their_marks_and_nothing_else_is_listed() {
        let root = tempfile::tempdir().unwrap();
        let file = |path: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "{}").unwrap();
        };
        file("backtest_results/20260101T000000Z-aa/run.json");
        file("backtest_results/20260101T000000Z-aa/summary.json");
        file("backtest_results/20260101T000000Z-aa/notes.txt");
        file("backtest_results/strategy_tuning/20260102T000000Z-bb/sweep.json");
        file("backtest_results/strategy_tuning/20260103T000000Z-cc-2/walk_forward.json");
        file("backtest_results/.partial-x/run.json");
        file("backtest_results/a.b/run.json");
        file("backtest_results/other/file.txt");
        file("backtest_results/mine/2026/spring/20251231T000000Z-dd/sweep.json");
        file("backtest_results/mine/2026/spring/deep/20251230T000000Z-ee/sweep.json");
        file("backtest_results/20260101T000000Z-aa/inner/20250101T000000Z-ff/run.json");
        let found = list(root.path()).unwrap();
        let names: Vec<&str> = found.iter().map(|stored| stored.name.as_str()).collect();
        assert_eq!(
            names,
            ["20260103T000000Z-cc-2", "20260102T000000Z-bb", "20260101T000000Z-aa", "20251231T000000Z-dd"]
        );
        let files: Vec<&str> = found[2].files(root.path()).into_iter().map(|(name, _)| name).collect();
        assert_eq!(files, ["run.json", "summary.json"]);
        assert!(!found[1].is_finished(root.path()) && found[2].is_finished(root.path()));
        assert_eq!(found[3].path, "backtest_results/mine/2026/spring/20251231T000000Z-dd");
        for name in ["..", "../secrets", ".partial-x", "a.b", "other", ""] {
            assert_eq!(find(root.path(), name), None, "{name}");
        }
    }

    #[test]
    fn searches_go_where_they_are_found_again_and_nowhere_else() {
        let root = tempfile::tempdir().unwrap();
        let result = "backtest_results/20260101T000000Z-aa";
        fs::create_dir_all(root.path().join(result)).unwrap();
        fs::write(root.path().join(result).join("run.json"), "{}").unwrap();
        let folder = |setting: &str| output_folder(root.path(), setting);
        assert_eq!(folder("backtest_results/strategy_tuning/").unwrap(), "backtest_results/strategy_tuning");
        assert_eq!(folder("./backtest_results//a/b/c").unwrap(), "backtest_results/a/b/c");
        assert_eq!(folder("backtest_results").unwrap(), "backtest_results");
        for wrong in ["tuning", "storage/keys", "/tmp", "", "backtest_results/a/b/c/d", "backtest_results/.x", result] {
            assert!(folder(wrong).unwrap_err().contains(wrong), "{wrong}");
        }
    }

    #[test]
    fn data_sets_are_the_named_ones_and_those_of_the_folder() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("datasets/mine")).unwrap();
        for name in ["one.parquet", "two.csv", "three.txt", ".hidden.csv", "sp ace.csv"] {
            fs::write(root.path().join("datasets").join(name), "").unwrap();
        }
        std::os::unix::fs::symlink("/etc", root.path().join("datasets/etc")).unwrap();
        let found = datasets(root.path()).unwrap();
        let own: Vec<(&str, &str)> =
            found[NAMED_SETS.len()..].iter().map(|(name, data)| (name.as_str(), data.as_str())).collect();
        let expected =
            [("mine", "datasets/mine"), ("one.parquet", "datasets/one.parquet"), ("two.csv", "datasets/two.csv")];
        assert_eq!(own, expected);
        assert_eq!(found[0], ("generated_minutes".to_string(), "generated_minutes".to_string()));
    }
}
