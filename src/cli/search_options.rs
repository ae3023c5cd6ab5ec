//! The options that describe a search, shared by `sweep` and `walk-forward`.

use super::CliError;
use crate::backtest::RunSpec;
use crate::optimize::sweep::SweepSpec;
use crate::optimize::{Count, Space};
use crate::settings::Key;
use serde_json::{Value as Json, json};
use std::path::PathBuf;

/// Trials of a method that could go on for ever.
const DEFAULT_TRIALS: u64 = 100;
/// Trials of a round of methods that learn from earlier rounds.
const LEARNING_BATCH: u64 = 16;
/// Trials of a round of methods that do not, when trials are pruned by comparison with earlier rounds.
const PRUNING_BATCH: u64 = 64;
/// Trials of a round of methods that do not.
const LISTED_BATCH: u64 = 1024;
/// A grid with more points than this asks for `--yes`.
pub(super) const LARGE_GRID: u64 = 1_000_000;

/// What to look for and how.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Search")]
pub struct SearchOptions {
    /// grid, random, bayesian or genetic; default: OPTIMIZER_ALGORITHM
    #[arg(long, value_name = "NAME", value_parser = ["grid", "random", "bayesian", "genetic"])]
    pub method: Option<String>,
    /// A parameter and its values: KEY=5..50:5, KEY=0.001..0.05, KEY=log:1e-4..1e-1, KEY=int:5..200 or KEY=a|b|c;
    /// NAME.KEY for one of several strategies (repeatable)
    #[arg(long, value_name = "KEY=SPEC")]
    pub space: Vec<String>,
    /// The same as a TOML file, with conditions (docs/spaces.md)
    #[arg(long, value_name = "FILE", conflicts_with = "space")]
    pub space_file: Option<PathBuf>,
    /// Rules out combinations for which this is false, such as "fast < slow" (repeatable)
    #[arg(long = "where", value_name = "RULE")]
    pub rules: Vec<String>,
    /// Metric to maximise, or to minimise with a leading '-'; several: the Pareto front is reported (repeatable)
    #[arg(long, value_name = "METRIC", default_value = "sharpe", allow_hyphen_values = true)]
    pub objective: Vec<String>,
    /// What a metric must keep, such as "trades >= 30" (repeatable)
    #[arg(long, value_name = "METRIC>=N")]
    pub constraint: Vec<String>,
    /// Trials in all; default: every point of a grid, 100 of other methods
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(1..))]
    pub trials: Option<u64>,
    /// Trials that are proposed together; default: 16, or 1024 of a grid and of random search (64 with --prune)
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(1..1_000_000))]
    pub batch: Option<u64>,
    /// Give up trials that are clearly worse than the best so far on 25, 50 or 75 % of the sessions
    #[arg(long)]
    pub prune: bool,
    /// Resampled histories behind the SPA p-value
    #[arg(long, value_name = "N", default_value_t = 2_000, allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub bootstrap: u64,
}

impl SearchOptions {
    /// The sweep of a run.
    ///
    /// # Errors
    /// Anything that cannot be used, naming the option or the key.
    pub fn to_spec(&self, run: RunSpec) -> Result<SweepSpec, CliError> {
        if !run.settings.flag(Key::EnableStrategyOptimizer) {
            return Err(CliError::Input(
                "ENABLE_STRATEGY_OPTIMIZER is false: it forbids searches for parameters; expected true".to_string(),
            ));
        }
        let method = match &self.method {
            Some(method) => method.clone(),
            None => match run.settings.text(Key::OptimizerAlgorithm) {
                "grid_search" => "grid".to_string(),
                other => other.to_string(),
            },
        };
        let space = self.space(&run)?;
        let trials = self.trial_count(&method, &space)?;
        let listed = matches!(method.as_str(), "grid" | "random");
        let batch = match (listed, self.prune) {
            (false, _) => LEARNING_BATCH,
            (true, true) => PRUNING_BATCH,
            (true, false) => LISTED_BATCH,
        };
        let described = space.describe();
        let list = |key: &str| described[key].as_array().cloned().unwrap_or_default();
        Ok(SweepSpec {
            method,
            space: list("parameters"),
            rules: list("where").iter().filter_map(Json::as_str).map(str::to_string).collect(),
            objectives: self.objective.iter().flat_map(|text| text.split(',')).map(|t| t.trim().to_string()).collect(),
            constraints: self.constraint.iter().map(|text| text.trim().to_string()).collect(),
            trials,
            batch: self.batch.unwrap_or(batch),
            prune: self.prune,
            bootstrap: self.bootstrap,
            run,
        })
    }

    fn space(&self, run: &RunSpec) -> Result<Space, CliError> {
        let space = match &self.space_file {
            Some(path) => {
                let named = |error: &dyn std::fmt::Display| CliError::Input(format!("{}: {error}", path.display()));
                let text = std::fs::read_to_string(path).map_err(|error| named(&error))?;
                Space::from_toml(&text).map_err(|error| named(&error))?
            }
            None if self.space.is_empty() => {
                let names: Vec<&str> = run.strategies.iter().map(|choice| choice.name.as_str()).collect();
                return Err(CliError::Input(format!(
                    "no --space and no --space-file; expected what to search, such as --space fast=5..50:5 (tbot \
                     strategies {} lists the parameters)",
                    names.first().unwrap_or(&"")
                )));
            }
            None => Space::from_flags(&self.space).map_err(|error| CliError::Input(format!("--space: {error}")))?,
        };
        space.with_rules(&self.rules).map_err(|error| CliError::Input(format!("--where: {error}")))
    }

    /// What a check of a search that passed says: how many trials there will be, of how many combinations.
    pub fn checked(spec: &SweepSpec, space: &Space) -> Json {
        let combinations = match space.count() {
            Count::Exact(points) => json!({ "count": small(points), "exact": true }),
            Count::AtMost(points) => json!({ "count": small(points), "exact": false }),
            Count::Continuous => Json::Null,
        };
        json!({ "method": spec.method, "trials": spec.trials, "combinations": combinations })
    }

    /// Trials in all: no more than there are combinations.
    fn trial_count(&self, method: &str, space: &Space) -> Result<u64, CliError> {
        let points = match space.count() {
            Count::Exact(0) => {
                return Err(CliError::Input("--where rules out every combination of the space".to_string()));
            }
            Count::Exact(points) | Count::AtMost(points) => Some(small(points)),
            Count::Continuous => None,
        };
        Ok(match (method, self.trials, points) {
            ("grid", trials, Some(points)) => trials.unwrap_or(points).min(points),
            // The method itself says what is wrong with it.
            ("grid", trials, None) => trials.unwrap_or(DEFAULT_TRIALS),
            ("random", trials, Some(points)) => trials.unwrap_or(DEFAULT_TRIALS).min(points),
            (_, trials, _) => trials.unwrap_or(DEFAULT_TRIALS),
        })
    }
}

/// A number of combinations; beyond what fits, the largest that does.
fn small(points: u128) -> u64 {
    u64::try_from(points).unwrap_or(u64::MAX)
}
