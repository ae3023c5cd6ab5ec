//! Data sets that are part of the program, so that it runs from any folder.

/// An embedded data set.
#[derive(Debug, Clone, Copy)]
pub struct NamedSet {
    /// What `--data` calls it.
    pub name: &'static str,
    /// One line for `tbot data list`.
    pub description: &'static str,
    /// Whether the prices are invented.
    pub generated: bool,
    /// File names and contents.
    pub files: &'static [(&'static str, &'static [u8])],
}

/// All embedded sets; the first is the default of a run.
pub const NAMED_SETS: &[NamedSet] = &[];

/// The embedded set of that name.
pub fn named(name: &str) -> Option<&'static NamedSet> {
    NAMED_SETS.iter().find(|set| set.name == name)
}
