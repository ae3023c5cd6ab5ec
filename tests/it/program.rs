//! The program as a user has it: started as a process, judged by what it prints and writes.

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Starts the program in a folder.
pub fn tbot_in(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tbot")).current_dir(dir).args(args).output().expect("the program starts")
}

/// Bytes as text.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// A file or folder of the vendor samples, which are not part of the project; `None`, with a note, where they
/// are not at hand.
pub fn sample(path: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(path);
    if let Ok(found) = path.canonicalize() {
        return Some(found);
    }
    println!("skipped: {} is not at hand", path.display());
    None
}

/// The result folder of one backtest.
pub struct RunFolder {
    pub path: PathBuf,
    _keep: tempfile::TempDir,
}

/// Runs `tbot backtest`, which must succeed.
pub fn backtest(args: &[&str]) -> RunFolder {
    let keep = tempfile::tempdir().expect("a temporary folder");
    backtest_in(keep, args)
}

/// As [`backtest`], started in a folder that may hold files already.
pub fn backtest_in(keep: tempfile::TempDir, args: &[&str]) -> RunFolder {
    let mut all = vec!["backtest", "--out", "results", "--quiet"];
    all.extend(args);
    let output = tbot_in(keep.path(), &all);
    assert!(output.status.success(), "tbot {}: {}", all.join(" "), text(&output.stderr));
    let path = keep.path().join(text(&output.stdout).trim_end());
    assert!(path.join("run.json").is_file(), "{}", path.display());
    RunFolder { path, _keep: keep }
}

impl RunFolder {
    /// A JSON file of the run.
    pub fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.read(name)).expect("JSON")
    }

    /// `summary.json`.
    pub fn summary(&self) -> Value {
        self.json("summary.json")
    }

    /// A text file of the run.
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// The rows of a CSV file by column name.
    pub fn rows(&self, name: &str) -> Vec<BTreeMap<String, String>> {
        let text = self.read(name);
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        reader.deserialize().map(|row| row.expect("a row")).collect()
    }

    /// Final equity to the cent.
    pub fn final_equity(&self) -> String {
        format!("{:.2}", self.summary()["final_equity"].as_f64().expect("final_equity"))
    }
}

/// A number of a row.
pub fn number(row: &BTreeMap<String, String>, column: &str) -> f64 {
    row[column].parse().unwrap_or_else(|e| panic!("{column} '{}': {e}", row[column]))
}
