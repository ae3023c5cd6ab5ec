//! `tbot strategies`: the strategies with their parameters.

use super::CliError;
use super::output::{aligned, print};
use crate::strategies::{StrategySpec, all, find};
use serde_json::Value;
use std::fmt::Write;

/// Lists the strategies, or one with its parameters.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only this strategy
    name: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), CliError> {
    let chosen: Vec<&StrategySpec> = match &args.name {
        None => all().iter().collect(),
        Some(name) => vec![find(name).ok_or_else(|| {
            let known: Vec<&str> = all().iter().map(|s| s.name).collect();
            CliError::Input(format!("unknown strategy '{name}'; there are {}", known.join(", ")))
        })?],
    };
    if args.json {
        let list: Vec<Value> = chosen.iter().map(|spec| spec.to_json()).collect();
        let document =
            if args.name.is_some() { list.into_iter().next().unwrap_or(Value::Null) } else { Value::Array(list) };
        let text = serde_json::to_string_pretty(&document).map_err(CliError::failed)?;
        return print(&format!("{text}\n"));
    }
    let mut out = String::new();
    for (k, spec) in chosen.iter().enumerate() {
        if k > 0 {
            out.push('\n');
        }
        out += &describe(spec);
    }
    print(&out)
}

fn describe(spec: &StrategySpec) -> String {
    let mut out = format!("{}\n", spec.name);
    for line in wrap(spec.rule, 96) {
        let _ = writeln!(out, "  {line}");
    }
    let mut rows = Vec::new();
    for p in spec.params {
        let default = if p.default.is_empty() { "not set" } else { p.default };
        let kind = format!("{} {}", p.kind.name(), p.kind.range());
        rows.push(vec![format!("    {}", p.name), default.to_string(), kind, p.meaning.to_string()]);
    }
    out + &aligned(&rows, 4)
}

/// Breaks a text into lines of at most `width` characters, between words.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.len() - 1;
        if !lines[last].is_empty() && lines[last].len() + 1 + word.len() > width {
            lines.push(word.to_string());
        } else {
            if !lines[last].is_empty() {
                lines[last].push(' ');
            }
            lines[last].push_str(word);
        }
    }
    lines
}
