//! From `--data` to the files to read.

use super::DataError;
use super::chunk::Blob;
use super::lean::LeanFolder;
use super::named;
use super::options::{LoadOptions, Source};
use std::path::{Path, PathBuf};

/// What is to be read.
#[derive(Debug, Default)]
pub(super) struct Inputs {
    /// Bar files, sorted by name.
    pub bars: Vec<Blob>,
    pub lean: Option<LeanFolder>,
    pub actions: Option<Blob>,
    pub fundamentals: Option<Blob>,
    pub vix: Option<Blob>,
    pub inverse: Option<Blob>,
    pub options: Option<Blob>,
    pub quotes: Vec<Blob>,
    pub notes: Vec<String>,
}

impl Inputs {
    /// Lists the files of the source; files named by an option go before those found beside the bars.
    pub(super) fn find(options: &LoadOptions) -> Result<Inputs, DataError> {
        let mut inputs = match &options.source {
            Source::Named(name) => embedded(name)?,
            Source::Path(path) => on_disk(path)?,
        };
        let given = |path: &Option<PathBuf>, found: Option<Blob>| path.clone().map(Blob::Path).or(found);
        inputs.actions = given(&options.corporate_actions, inputs.actions.take());
        inputs.fundamentals = given(&options.fundamentals, inputs.fundamentals.take());
        inputs.vix = given(&options.vix, inputs.vix.take());
        inputs.inverse = given(&options.inverse, inputs.inverse.take());
        inputs.options = given(&options.options, inputs.options.take());
        if let Some(path) = &options.quotes {
            let found = on_disk(path)?;
            if found.lean.is_some() {
                return Err(DataError::file(
                    path.display().to_string(),
                    "a Lean folder brings its own quotes; expected a file or a folder of quote bars",
                ));
            }
            inputs.quotes = found.bars;
        }
        Ok(inputs)
    }

    /// Sorts a file into its place by its name.
    fn add(&mut self, blob: Blob) {
        let place = match blob.stem().to_ascii_lowercase().as_str() {
            "actions" | "corporate_actions" => &mut self.actions,
            "fundamentals" => &mut self.fundamentals,
            "vix" => &mut self.vix,
            "inverse" => &mut self.inverse,
            "options" => &mut self.options,
            _ => return self.bars.push(blob),
        };
        *place = Some(blob);
    }
}

fn embedded(name: &str) -> Result<Inputs, DataError> {
    let set = named(name).ok_or_else(|| DataError::UnknownSource {
        name: name.to_string(),
        known: super::NAMED_SETS.iter().map(|s| s.name).collect::<Vec<_>>().join(", "),
        hint: String::new(),
    })?;
    let mut inputs = Inputs::default();
    for (file, bytes) in set.files {
        inputs.add(Blob::Embedded { set: set.name, file, bytes });
    }
    if set.generated {
        inputs.notes.push(format!("{}: generated, not real prices", set.name));
    }
    Ok(inputs)
}

/// Whether a file is of a kind that holds bars, by its name. Parquet is packed inside and never as a whole.
fn is_bars(blob: &Blob) -> bool {
    match blob.suffix().as_str() {
        "parquet" => !blob.is_gzipped(),
        "csv" => true,
        _ => false,
    }
}

fn on_disk(path: &Path) -> Result<Inputs, DataError> {
    let kind = std::fs::metadata(path).map_err(|e| DataError::read(path, e))?;
    let mut inputs = Inputs::default();
    if kind.is_file() {
        let blob = Blob::Path(path.to_path_buf());
        if !is_bars(&blob) {
            return Err(DataError::file(blob.name(), "unknown kind of file; expected .parquet, .csv or .csv.gz"));
        }
        inputs.bars.push(blob);
        return Ok(inputs);
    }
    if !kind.is_dir() {
        return Err(DataError::file(path.display().to_string(), "neither a file nor a folder"));
    }
    if let Some(lean) = LeanFolder::find(path) {
        inputs.lean = Some(lean);
        return Ok(inputs);
    }
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(path).map_err(|e| DataError::read(path, e))? {
        paths.push(entry.map_err(|e| DataError::read(path, e))?.path());
    }
    paths.sort();
    let mut ignored = Vec::new();
    for path in paths {
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let lower = name.to_ascii_lowercase();
        if lower.starts_with('.') || lower.starts_with("readme") {
            continue;
        }
        let is_file = path.is_file();
        let blob = Blob::Path(path);
        if is_file && is_bars(&blob) {
            inputs.add(blob);
        } else {
            ignored.push(name);
        }
    }
    if inputs.bars.is_empty() {
        return Err(DataError::file(
            path.display().to_string(),
            "the folder holds no bars: expected .parquet, .csv or .csv.gz files, or a Lean tree (equity/usa/minute/..)",
        ));
    }
    if !ignored.is_empty() {
        inputs.notes.push(format!("{}: not read: {}", path.display(), ignored.join(", ")));
    }
    if path.join(super::write::GENERATED_MARK).is_file() {
        inputs.notes.push(format!("{}: generated, not real prices", path.display()));
    }
    Ok(inputs)
}
