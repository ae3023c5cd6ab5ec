//! `tbot verify`: runs a stored run again and compares bit for bit.

use super::backtest::execute_error;
use super::output::print;
use super::runs::store_error;
use super::sweep::sweep_error;
use super::{CliError, interrupt};
use crate::backtest::store::{self, resolve_run};
use crate::backtest::{RunSpec, execute};
use crate::data::load;
use crate::optimize::walk_forward::store::is_walk_forward;
use crate::optimize::{sweep, walk_forward};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Runs a stored run, sweep or walk-forward analysis again from its own run.json (sweep.json, walk_forward.json)
/// and compares every file: exit 0 when they are the same, 1 with the first difference.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of the run, or the beginning of its name
    run: String,
    /// Folder of the results
    #[arg(long, value_name = "DIR", default_value = "backtest_results")]
    out: PathBuf,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), CliError> {
    if let Some(dir) = sweep::store::find_sweep(&args.out, &args.run).map_err(sweep_error)? {
        return verify_sweep(&dir);
    }
    if let Some(dir) = sweep::store::find(&args.out, &args.run, is_walk_forward).map_err(sweep_error)? {
        return verify_walk_forward(&dir);
    }
    let dir = resolve_run(&args.out, &args.run).map_err(store_error)?;
    let path = dir.join(store::RUN_FILE);
    let stored = read_json(&path)?;
    let spec: RunSpec = serde_json::from_value(stored.clone())
        .map_err(|error| CliError::Input(format!("{}: {error}", path.display())))?;
    let version = stored.get("version").and_then(Value::as_str).unwrap_or("");
    if version != crate::backtest::VERSION {
        eprintln!("note: the run is of version {version}, this program is {}", crate::backtest::VERSION);
    }
    let command: Vec<String> =
        stored.get("command").and_then(|c| serde_json::from_value(c.clone()).ok()).unwrap_or_default();
    let name = dir.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let started = name.split('-').next().unwrap_or("").to_string();
    let execution = execute(&spec, &started, &command, interrupt::flag()?).map_err(execute_error)?;

    let old_hash = stored.get("data_hash").and_then(Value::as_str).unwrap_or("");
    let new_hash = &execution.summary.data_hash;
    if old_hash != new_hash {
        // Everything else follows from this: naming another difference first would mislead.
        print(&format!(
            "{}: different: data_hash: the data are not those of the stored run: {old_hash} then, {new_hash} now\n",
            dir.display()
        ))?;
        return Err(CliError::Different);
    }

    let scratch = tempfile::tempdir().map_err(|error| CliError::failed(format!("temporary folder: {error}")))?;
    let has_csv = dir.join(store::EQUITY_CSV_FILE).exists();
    let again = execution.write(scratch.path(), has_csv).map_err(store_error)?;
    match first_difference(&dir, &again, has_csv)? {
        None => print(&format!("{}: same, bit for bit\n", dir.display())),
        Some(difference) => {
            print(&format!("{}: different: {difference}\n", dir.display()))?;
            Err(CliError::Different)
        }
    }
}

/// Runs a sweep again in a temporary folder and compares trials, returns and summary.
fn verify_sweep(dir: &Path) -> Result<(), CliError> {
    let stored = sweep::store::read_sweep(dir).map_err(sweep_error)?;
    if stored.version != crate::backtest::VERSION {
        eprintln!("note: the sweep is of version {}, this program is {}", stored.version, crate::backtest::VERSION);
    }
    let whole = match stored.shard {
        None => dir.join(store::SUMMARY_FILE).is_file(),
        Some(_) => super::sweep::shard_is_complete(dir, &stored)?,
    };
    if !whole {
        return Err(super::sweep::unfinished(dir)?);
    }
    let different = |text: String| -> Result<(), CliError> {
        print(&format!("{}: different: {text}\n", dir.display()))?;
        Err(CliError::Different)
    };
    let market = load(&stored.spec.run.data).map_err(CliError::input)?;
    if market.data_hash != stored.data_hash {
        return different(format!(
            "data_hash: the data are not those of the stored sweep: {} then, {} now",
            stored.data_hash, market.data_hash
        ));
    }
    let scratch = tempfile::tempdir().map_err(|error| CliError::failed(format!("temporary folder: {error}")))?;
    let again = sweep::SweepFile {
        version: crate::backtest::VERSION.to_string(),
        fingerprint: stored.spec.fingerprint(&market.data_hash).map_err(sweep_error)?,
        ..stored
    };
    let new = sweep::store::create(scratch.path(), "sweep", &again).map_err(sweep_error)?;
    sweep::run(&new, &again, &market, interrupt::flag()?, |_| {}, &|_, _| {}).map_err(sweep_error)?;
    let read = |dir: &Path, name: &str| {
        let path = dir.join(name);
        std::fs::read(&path).map_err(|error| CliError::Input(format!("{}: {error}", path.display())))
    };
    let (a, b) = (read(dir, sweep::TRIALS_LOG)?, read(&new, sweep::TRIALS_LOG)?);
    if let Some(text) = line_difference(&String::from_utf8_lossy(&a), &String::from_utf8_lossy(&b)) {
        return different(format!("{}: {text}", sweep::TRIALS_LOG));
    }
    let mut names = vec![sweep::RETURNS_FILE];
    if again.shard.is_none() {
        sweep::finish(&new, sweep::SweepElapsed::default()).map_err(sweep_error)?;
        let (mut a, mut b) = (read_json(&dir.join(store::SUMMARY_FILE))?, read_json(&new.join(store::SUMMARY_FILE))?);
        for value in [&mut a, &mut b] {
            if let Some(map) = value.as_object_mut() {
                map.remove("elapsed");
            }
        }
        if let Some(text) = json_difference("", &a, &b) {
            return different(format!("{}: {text}", store::SUMMARY_FILE));
        }
        names.push(sweep::store::TRIALS_TABLE);
    }
    for name in names {
        if read(dir, name)? != read(&new, name)? {
            return different(format!("{name}: other bytes"));
        }
    }
    print(&format!("{}: same, bit for bit\n", dir.display()))
}

/// Runs a walk-forward analysis again and compares windows, equity and summary.
fn verify_walk_forward(dir: &Path) -> Result<(), CliError> {
    let (spec, data_hash) = walk_forward::store::read(dir).map_err(sweep_error)?;
    let different = |text: String| -> Result<(), CliError> {
        print(&format!("{}: different: {text}\n", dir.display()))?;
        Err(CliError::Different)
    };
    let market = load(&spec.search.run.data).map_err(CliError::input)?;
    if market.data_hash != data_hash {
        return different(format!(
            "data_hash: the data are not those of the stored run: {data_hash} then, {} now",
            market.data_hash
        ));
    }
    let result = walk_forward::run(&spec, &market, interrupt::flag()?, &|_, _, _| {}).map_err(sweep_error)?;
    let scratch = tempfile::tempdir().map_err(|error| CliError::failed(format!("temporary folder: {error}")))?;
    let elapsed = sweep::SweepElapsed::default();
    let new =
        walk_forward::write(scratch.path(), "again", &spec, &market, &result, &[], elapsed).map_err(sweep_error)?;
    let (mut a, mut b) = (
        walk_forward::store::read_summary(dir).map_err(sweep_error)?,
        walk_forward::store::read_summary(&new).map_err(sweep_error)?,
    );
    for value in [&mut a, &mut b] {
        if let Some(map) = value.as_object_mut() {
            map.remove("elapsed");
        }
    }
    if let Some(text) = json_difference("", &a, &b) {
        return different(format!("{}: {text}", store::SUMMARY_FILE));
    }
    for name in [walk_forward::store::WINDOWS_FILE, walk_forward::store::EQUITY_FILE] {
        let read = |dir: &Path| {
            let path = dir.join(name);
            std::fs::read(&path).map_err(|error| CliError::Input(format!("{}: {error}", path.display())))
        };
        if read(dir)? != read(&new)? {
            return different(format!("{name}: other bytes"));
        }
    }
    print(&format!("{}: same, bit for bit\n", dir.display()))
}

fn read_json(path: &Path) -> Result<Value, CliError> {
    let text =
        std::fs::read_to_string(path).map_err(|error| CliError::Input(format!("{}: {error}", path.display())))?;
    serde_json::from_str(&text).map_err(|error| CliError::Input(format!("{}: {error}", path.display())))
}

/// The first difference between two result folders, what depends on the clock left out: the time part of
/// `run_id`, and `elapsed`. The page is made of the other files and is not compared.
fn first_difference(old: &Path, new: &Path, has_csv: bool) -> Result<Option<String>, CliError> {
    for name in [store::RUN_FILE, store::SUMMARY_FILE] {
        let (mut a, mut b) = (read_json(&old.join(name))?, read_json(&new.join(name))?);
        for value in [&mut a, &mut b] {
            if let Some(map) = value.as_object_mut() {
                map.remove("elapsed");
                map.remove("run_id");
            }
        }
        if let Some(text) = json_difference("", &a, &b) {
            return Ok(Some(format!("{name}: {text}")));
        }
    }
    for name in [store::ORDERS_FILE, store::FILLS_FILE, store::TRADES_FILE] {
        let read = |dir: &Path| {
            let path = dir.join(name);
            std::fs::read_to_string(&path).map_err(|error| CliError::Input(format!("{}: {error}", path.display())))
        };
        let (a, b) = (read(old)?, read(new)?);
        if let Some(text) = line_difference(&a, &b) {
            return Ok(Some(format!("{name}: {text}")));
        }
    }
    let mut binary = vec![store::EQUITY_FILE];
    if has_csv {
        binary.push(store::EQUITY_CSV_FILE);
    }
    for name in binary {
        let read = |dir: &Path| {
            let path = dir.join(name);
            std::fs::read(&path).map_err(|error| CliError::Input(format!("{}: {error}", path.display())))
        };
        if read(old)? != read(new)? {
            return Ok(Some(format!("{name}: other bytes")));
        }
    }
    Ok(None)
}

fn json_difference(path: &str, a: &Value, b: &Value) -> Option<String> {
    match (a, b) {
        (Value::Object(x), Value::Object(y)) => {
            for (key, value) in x {
                let inner = format!("{path}.{key}");
                match y.get(key) {
                    None => return Some(format!("{inner} is {value} in the stored run and absent now")),
                    Some(other) => {
                        if let Some(text) = json_difference(&inner, value, other) {
                            return Some(text);
                        }
                    }
                }
            }
            let extra = y.keys().find(|key| !x.contains_key(*key))?;
            Some(format!("{path}.{extra} is absent in the stored run and {} now", y[extra]))
        }
        _ if a == b => None,
        _ => Some(format!("{} is {a} in the stored run and {b} now", path.trim_start_matches('.'))),
    }
}

fn line_difference(a: &str, b: &str) -> Option<String> {
    let (mut x, mut y) = (a.lines(), b.lines());
    let mut line = 0;
    loop {
        line += 1;
        match (x.next(), y.next()) {
            (None, None) => return None,
            (p, q) if p == q => {}
            (p, q) => {
                let text = |side: Option<&str>| side.map_or("nothing".to_string(), |t| format!("'{t}'"));
                return Some(format!("line {line} is {} in the stored run and {} now", text(p), text(q)));
            }
        }
    }
}
