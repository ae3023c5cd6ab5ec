//! `tbot runs prune`: makes room in a result folder.

use super::{print_json, store_error};
use crate::backtest::store::{list_runs, remove_abandoned, remove_folder};
use crate::cli::CliError;
use crate::cli::output::print;
use crate::cli::sweep::sweep_error;
use crate::optimize::sweep::store::{TUNING_FOLDER, in_use, is_sweep, list};
use crate::optimize::walk_forward::store::is_walk_forward;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Folders of one kind, newest first: name and path.
type Folders = Vec<(String, PathBuf)>;

/// Removes all but the newest `keep` of each kind, or says what would go. Sweeps take hours to make, and their
/// trials count against later ones, so they go only when they are named.
pub(super) fn prune(out: &Path, as_json: bool, keep: usize, sweeps: bool, yes: bool) -> Result<(), CliError> {
    let runs: Folders = list_runs(out).map_err(store_error)?.into_iter().map(|run| (run.name, run.path)).collect();
    let searches = list(out, is_sweep).map_err(sweep_error)?;
    let walks = list(out, is_walk_forward).map_err(sweep_error)?;
    let others = searches.len() + walks.len();
    let mut kinds = vec![("runs", runs)];
    if sweeps {
        kinds.extend([("sweeps", searches), ("walk-forward analyses", walks)]);
    }
    let mut gone: Vec<Vec<String>> = Vec::new();
    for (_, folders) in &kinds {
        let mut names = Vec::new();
        for (name, path) in folders.get(keep..).unwrap_or_default() {
            if in_use(path).map_err(sweep_error)? {
                eprintln!("{name} is in use by another process and stays");
                continue;
            }
            if yes {
                remove_folder(path).map_err(store_error)?;
            }
            names.push(name.clone());
        }
        gone.push(names);
    }
    let mut abandoned = 0;
    if yes {
        for folder in [out.to_path_buf(), out.join(TUNING_FOLDER)] {
            abandoned += remove_abandoned(&folder).map_err(store_error)?;
        }
    }
    if as_json {
        let of = |kind: usize| gone.get(kind).cloned().unwrap_or_default();
        return print_json(&json!({
            "removed": yes, "runs": of(0), "sweeps": of(1), "walk_forward": of(2), "abandoned": abandoned,
        }));
    }
    for ((kind, folders), names) in kinds.iter().zip(&gone) {
        let (count, all) = (names.len(), folders.len());
        if names.is_empty() {
            eprintln!("nothing to remove: {} has {all} {kind}", out.display());
        } else if yes {
            eprintln!("removed {count} of {all} {kind}:");
        } else {
            eprintln!("would remove {count} of {all} {kind} (add --yes to do so):");
        }
    }
    if !sweeps && others > 0 {
        eprintln!("{others} sweeps and walk-forward analyses stay; --sweeps removes them too");
    }
    if abandoned > 0 {
        eprintln!("removed {abandoned} unfinished folders of runs that were killed");
    }
    print(&gone.concat().iter().map(|name| format!("{name}\n")).collect::<String>())
}
