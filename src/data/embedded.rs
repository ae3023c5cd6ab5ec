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

/// Files of a folder below `datasets/`, by name.
macro_rules! files {
    ($set:literal: $($file:literal),+ $(,)?) => {
        &[$(($file, include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/datasets/", $set, "/", $file)))),+]
    };
}

/// All embedded sets; the first is the default of a run.
pub const NAMED_SETS: &[NamedSet] = &[
    NamedSet {
        name: "generated_minutes",
        description: "one-minute bars of 24 invented stocks, an index fund and two inverse funds, with fundamentals, volatility index, splits and dividends",
        generated: true,
        files: files!["generated_minutes": "SIM01.parquet", "SIM02.parquet", "SIM03.parquet", "SIM04.parquet", "SIM05.parquet", "SIM06.parquet", "SIM07.parquet", "SIM08.parquet", "SIM09.parquet", "SIM10.parquet", "SIM11.parquet", "SIM12.parquet", "SIM13.parquet", "SIM14.parquet", "SIM15.parquet", "SIM16.parquet", "SIM17.parquet", "SIM18.parquet", "SIM19.parquet", "SIM20.parquet", "SIM21.parquet", "SIM22.parquet", "SIM23.parquet", "SIM24.parquet", "SIMIDX.parquet", "SIMINV1.parquet", "SIMINV2.parquet", "actions.csv", "fundamentals.csv", "inverse.csv", "vix.csv"],
    },
    NamedSet {
        name: "wiki_daily",
        description: "daily bars of AAPL, MSFT and FB as traded, with splits and dividends (Quandl WIKI Prices, public domain)",
        generated: false,
        files: files!["wiki_daily": "AAPL.parquet", "FB.parquet", "MSFT.parquet", "actions.csv"],
    },
];

/// The embedded set of that name.
pub fn named(name: &str) -> Option<&'static NamedSet> {
    NAMED_SETS.iter().find(|set| set.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_data_file_of_the_folders_is_embedded() {
        for set in NAMED_SETS {
            let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets").join(set.name);
            let there: BTreeSet<String> = std::fs::read_dir(&folder)
                .expect("a folder of the project")
                .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
                .filter(|name| !name.starts_with('.') && name != "README.md")
                .collect();
            let embedded: BTreeSet<String> = set.files.iter().map(|f| f.0.to_string()).collect();
            assert_eq!(there, embedded, "{}", set.name);
        }
    }
}
