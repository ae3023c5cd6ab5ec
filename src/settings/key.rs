//! What the table says about one setting.

use super::table::TABLE;
use super::{Kind, Value};

pub use super::table::Key;

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// The setting.
    pub key: Key,
    /// Its name in a file.
    pub name: &'static str,
    /// Other accepted names.
    pub aliases: &'static [&'static str],
    /// The section it belongs to.
    pub group: Group,
    /// Type, unit and range.
    pub kind: Kind,
    /// The value when a file does not set it, as written in a file.
    pub default: &'static str,
    /// What it does, in one or two plain sentences.
    pub meaning: &'static str,
}

/// A section of the table, named by [`Group::title`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    General,
    Execution,
    Filters,
    Routing,
    Rebalancing,
    Failover,
    Time,
    Open,
    Mid,
    Close,
    Notifications,
    Reporting,
    Defense,
    Access,
    Backups,
    Optimizer,
    Costs,
    OptionFilter,
}

impl Group {
    /// The heading of the section.
    pub fn title(self) -> &'static str {
        match self {
            Group::General => "General and debugging",
            Group::Execution => "Trade execution and risk",
            Group::Filters => "Price, volume and fundamentals filters",
            Group::Routing => "Strategy order and broker",
            Group::Rebalancing => "Rebalancing",
            Group::Failover => "Failover broker",
            Group::Time => "Time and polling",
            Group::Open => "OPEN strategy (opening range breakout)",
            Group::Mid => "MID strategy (VWAP reversion)",
            Group::Close => "CLOSE strategy (end-of-day momentum)",
            Group::Notifications => "Notifications",
            Group::Reporting => "Ledger export",
            Group::Defense => "Defense mode",
            Group::Access => "Web access",
            Group::Backups => "Backups",
            Group::Optimizer => "Strategy optimizer",
            Group::Costs => "Simulated slippage and latency",
            Group::OptionFilter => "Black-Scholes filter",
        }
    }
}

impl Key {
    /// Every setting, in the order of the table.
    pub fn all() -> impl DoubleEndedIterator<Item = Key> + ExactSizeIterator {
        TABLE.iter().map(|spec| spec.key)
    }

    /// Its row of the table.
    pub const fn spec(self) -> &'static Spec {
        &TABLE[self.index()]
    }

    /// Its name in a file.
    pub fn name(self) -> &'static str {
        self.spec().name
    }

    /// The setting of this name or alias.
    pub fn from_name(name: &str) -> Option<Key> {
        TABLE.iter().find(|spec| spec.name == name || spec.aliases.contains(&name)).map(|spec| spec.key)
    }

    /// Its row number.
    pub(super) const fn index(self) -> usize {
        self as usize
    }

    /// The value when a file does not set it.
    pub fn default_value(self) -> Value {
        let spec = self.spec();
        spec.kind.parse(spec.default).expect("a test checks every default of the table")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn rows_are_in_the_order_of_the_keys() {
        for (row, spec) in TABLE.iter().enumerate() {
            assert_eq!(spec.key.index(), row, "{}", spec.name);
            assert_eq!(Key::from_name(spec.name), Some(spec.key));
        }
    }

    #[test]
    fn sections_are_contiguous() {
        assert!(TABLE.windows(2).all(|rows| rows[0].group <= rows[1].group));
    }

    #[test]
    fn names_and_aliases_are_distinct_upper_case_words() {
        let names: Vec<&str> =
            TABLE.iter().flat_map(|s| [s.name].into_iter().chain(s.aliases.iter().copied())).collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
        for name in names {
            assert!(name.chars().all(|c| c.is_ascii_uppercase() || c == '_'), "{name}");
        }
    }

    #[test]
    fn every_default_is_valid_and_every_meaning_is_a_sentence() {
        for spec in TABLE {
            if let Err(expected) = spec.kind.parse(spec.default) {
                panic!("{}: default '{}', expected {expected}", spec.name, spec.default);
            }
            assert!(spec.meaning.ends_with('.') && spec.meaning.len() > 20, "{}: {}", spec.name, spec.meaning);
        }
    }

    #[test]
    fn the_corrected_spelling_is_an_alias() {
        assert_eq!(
            Key::from_name("ENABLE_FINNHUB_FUNDAMENTALS_FILTER"),
            Key::from_name("ENABLE_FUNNHUB_FUNDAMENTALS_FILTER")
        );
    }
}
