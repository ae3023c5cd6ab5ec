//! The table in words: for a terminal, as a file to start from, as a page of the manual, as data.

use super::table::TABLE;
use super::{Group, Spec};
use serde::ser::SerializeStruct;
use std::fmt::Write;

/// Width of the lines of running text.
const WIDTH: usize = 100;

/// The table as text for a terminal, by section.
pub fn describe() -> String {
    let mut out = String::new();
    for (group, rows) in sections() {
        let separator = if out.is_empty() { "" } else { "\n" };
        let _ = writeln!(out, "{separator}{}", group.title());
        for spec in rows {
            let _ = writeln!(out, "\n  {}={}", spec.name, spec.default);
            for text in [format!("{}{}", spec.meaning, aliases(spec)), accepts(spec)] {
                for line in wrapped(&text, WIDTH - 6) {
                    let _ = writeln!(out, "      {line}");
                }
            }
        }
    }
    out
}

/// A file in `.env_bot` syntax that sets everything to its default, with comments: the configuration of a
/// backtest that is given none.
pub fn sample_file() -> String {
    let mut out = String::from(
        "# Default configuration of a backtest: every setting with its default.\n\
         # Generated from the table of settings; the same schema as .env_bot. Times are UTC.\n\
         # Pass a changed copy with --config FILE, or change single settings with --set KEY=VALUE.\n",
    );
    for (group, rows) in sections() {
        let _ = write!(out, "\n# {0}\n# {1}\n# {0}\n", "-".repeat(41), group.title());
        for spec in rows {
            for text in [spec.meaning.to_string(), accepts(spec)] {
                for line in wrapped(&text, WIDTH - 2) {
                    let _ = writeln!(out, "# {line}");
                }
            }
            let _ = writeln!(out, "{}={}", spec.name, spec.default);
        }
    }
    out
}

/// The page of the manual in Markdown.
pub fn reference_page() -> String {
    let mut out = String::from(
        "# Settings\n\n\
         Every setting of `.env_bot`, generated from the table in `src/settings/table.rs`. `tbot settings` prints \
         the same; `tbot settings --check FILE` checks a file and reports every error with its line. `.env_bot.test` \
         holds all defaults as a file to start from.\n\n\
         ## Form of a file\n\n\
         - One `KEY=VALUE` a line. Blank lines and lines that begin with `#` are comments, and so is the rest of a \
         line from a `#` behind a blank.\n\
         - Blanks around keys and values do not count. A value may stand in single or double quotes; `#` and blanks \
         inside them belong to it.\n\
         - A setting that is not given has its default. Given twice, the last one wins, with a warning when they \
         differ. An unknown key is an error.\n\
         - `fraction` means a share of one (0.02 is 2 %), `percent` means hundredths (2 is 2 %). The names do not \
         tell which: `MAX_GAP_PCT_OPEN` is a fraction, `SLIPPAGE_MEAN_PCT` a percentage.\n\
         - All times of day are UTC. `START_TIME_*` mean the UTC time of a winter day and keep their New York time \
         in summer unless `START_TIMES_DST_AWARE=false`.\n",
    );
    for (group, rows) in sections() {
        let _ = write!(out, "\n## {}\n\n| setting | type | default | accepted | meaning |\n", group.title());
        out.push_str("| --- | --- | --- | --- | --- |\n");
        for spec in rows {
            let default = if spec.default.is_empty() { String::new() } else { format!("`{}`", spec.default) };
            let _ = writeln!(
                out,
                "| `{}` | {} | {default} | {} | {}{} |",
                spec.name,
                spec.kind.name(),
                spec.kind.expected(),
                spec.meaning,
                aliases(spec)
            );
        }
    }
    out
}

/// Name, type, unit, range, choices, default, group, meaning and aliases; `range` and `choices` are null where
/// the type has none.
impl serde::Serialize for Spec {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_struct("Spec", 9)?;
        row.serialize_field("name", self.name)?;
        row.serialize_field("type", self.kind.name())?;
        row.serialize_field("unit", self.kind.unit())?;
        row.serialize_field("range", &self.kind.range())?;
        row.serialize_field("choices", &self.kind.choices())?;
        row.serialize_field("default", self.default)?;
        row.serialize_field("group", self.group.title())?;
        row.serialize_field("meaning", self.meaning)?;
        row.serialize_field("aliases", self.aliases)?;
        row.end()
    }
}

/// The rows of the table by section.
fn sections() -> impl Iterator<Item = (Group, &'static [Spec])> {
    TABLE.chunk_by(|a, b| a.group == b.group).map(|rows| (rows[0].group, rows))
}

fn accepts(spec: &Spec) -> String {
    format!("Accepts {}.", spec.kind.expected())
}

fn aliases(spec: &Spec) -> String {
    if spec.aliases.is_empty() { String::new() } else { format!(" Also accepted as {}.", spec.aliases.join(", ")) }
}

/// Lines of at most `width` characters, broken at blanks.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_string()),
        }
    }
    lines
}
