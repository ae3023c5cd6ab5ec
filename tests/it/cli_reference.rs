//! The reference of the command line is what the program itself says: docs/cli.md.

use clap::{Command, CommandFactory};
use std::fmt::Write;
use std::path::Path;
use tradebot::cli::Cli;

/// The help of a command and of all below it.
fn describe(command: &mut Command, path: &str, out: &mut String) {
    let depth = path.split(' ').count();
    let help = command.clone().bin_name(path).render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    let _ = write!(out, "\n{} {path}\n\n```text\n{}\n```\n", "#".repeat(depth + 1), lines.join("\n").trim_end());
    for inner in command.get_subcommands_mut().filter(|inner| !inner.is_hide_set()) {
        let path = format!("{path} {}", inner.get_name());
        describe(inner, &path, out);
    }
}

#[test]
fn the_reference_of_the_command_line_is_what_the_program_says() {
    let mut text = "# Command line\n\nThe help of every command, as the program prints it with `--help`. Data goes to stdout, words to\n\
        stderr. Exit codes: 0 done; 1 the run failed; 2 wrong use or bad input; 130 interrupted.\n"
        .to_string();
    describe(&mut Cli::command(), "tbot", &mut text);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/cli.md");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &text).expect("written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = committed.lines().zip(text.lines()).position(|(a, b)| a != b).map_or(0, |n| n + 1);
    assert!(
        committed == text,
        "docs/cli.md is not what the program says (line {differs}): run the test with UPDATE_GOLDEN=1"
    );
}
