//! The options that describe a run, shared by every command that runs strategies.

use super::data::LoadArgs;
use super::{CliError, settings};
use crate::backtest::{AccountSpec, InputFile, RunSpec, StrategyChoice};
use crate::settings::{Key, Settings};
use crate::sim::{Commission, FillRule, Slippage};
use crate::strategies;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What to run. An option goes before `--set`, `--set` before `--config`, and that before the built-in
/// default.
#[derive(Debug, Clone, clap::Args)]
pub struct RunOptions {
    /// A Parquet or CSV file, a folder of them, a Lean data folder, or the name of a data set (tbot data list)
    #[arg(long, value_name = "PATH|NAME", help_heading = "Data")]
    pub data: Option<String>,
    #[command(flatten)]
    pub load: LoadArgs,

    /// Strategy (repeatable: several share one account); default: STRATEGY_SEQUENCE of the settings
    #[arg(long, value_name = "NAME", help_heading = "Strategy")]
    pub strategy: Vec<String>,
    /// Parameter of a strategy: key=value, or NAME.key=value for one of several (repeatable)
    #[arg(long, value_name = "KEY=VALUE", help_heading = "Strategy")]
    pub param: Vec<String>,
    /// Orders for the strategy 'orders': ts,id,symbol,side,type,qty,limit,stop,trail,trail_pct,tif,oco,parent,cancel
    #[arg(long, value_name = "FILE", help_heading = "Strategy")]
    pub orders: Option<PathBuf>,
    /// Targets for the strategy 'signals': ts,symbol,target
    #[arg(long, value_name = "FILE", help_heading = "Strategy")]
    pub signals: Option<PathBuf>,
    /// Settings in .env_bot syntax (tbot settings)
    #[arg(long, value_name = "FILE", help_heading = "Strategy")]
    pub config: Option<PathBuf>,
    /// One setting (repeatable)
    #[arg(long = "set", value_name = "KEY=VALUE", help_heading = "Strategy")]
    pub set: Vec<String>,
    /// Seed of the random draws
    #[arg(long, value_name = "N", default_value_t = 1, allow_negative_numbers = true, help_heading = "Strategy")]
    pub seed: u64,

    /// How orders meet bars: path, pessimistic, optimistic, next_open, close or quote
    #[arg(long, value_name = "RULE", default_value = "path", help_heading = "Venue and account")]
    pub fill: FillRule,
    /// none, bps:N, per_share:RATE[:min=N][:max_pct=N], per_order:N, alpaca, ibkr_fixed, ibkr_tiered or tradier;
    /// default: that of BROKER_NAME
    #[arg(long, value_name = "MODEL", help_heading = "Venue and account")]
    pub commission: Option<Commission>,
    /// none, fixed_pct:PCT, rule_based[:K] or normal:MEAN_PCT:STDDEV_PCT; default: SLIPPAGE_* of the settings
    #[arg(long, value_name = "MODEL", help_heading = "Venue and account")]
    pub slippage: Option<Slippage>,
    /// Milliseconds from decision to market; default: SIMULATED_LATENCY_MS
    #[arg(long, value_name = "N", allow_negative_numbers = true, help_heading = "Venue and account")]
    pub latency_ms: Option<u32>,
    /// Share of a bar's volume that all orders in a symbol may take together; 0: no cap
    #[arg(
        long,
        value_name = "F",
        default_value_t = 0.0,
        allow_negative_numbers = true,
        help_heading = "Venue and account"
    )]
    pub participation: f64,
    /// A limit must be passed, not only met
    #[arg(long, help_heading = "Venue and account")]
    pub limit_penetrate: bool,
    /// Sell only whole shares short in open, mid and close, as sessions at a broker do: none lends fractions of one
    #[arg(long, help_heading = "Venue and account")]
    pub whole_shorts: bool,
    /// Dollars at the start
    #[arg(
        long,
        value_name = "DOLLARS",
        default_value_t = 100_000.0,
        allow_negative_numbers = true,
        help_heading = "Venue and account"
    )]
    pub cash: f64,
    /// Cash or margin account
    #[arg(long, value_name = "KIND", default_value = "margin", value_parser = ["cash", "margin"],
        help_heading = "Venue and account")]
    pub account: String,
    /// Share of exposure that equity must cover when a position is opened
    #[arg(
        long,
        value_name = "F",
        default_value_t = 0.5,
        allow_negative_numbers = true,
        help_heading = "Venue and account"
    )]
    pub initial_margin: f64,
    /// Share of exposure that equity must cover at any time
    #[arg(
        long,
        value_name = "F",
        default_value_t = 0.25,
        allow_negative_numbers = true,
        help_heading = "Venue and account"
    )]
    pub maintenance_margin: f64,
    /// Interest on negative cash a year
    #[arg(
        long,
        value_name = "F",
        default_value_t = 0.06,
        allow_negative_numbers = true,
        help_heading = "Venue and account"
    )]
    pub margin_rate: f64,
    /// Fee on borrowed shares a year
    #[arg(
        long,
        value_name = "F",
        default_value_t = 0.003,
        allow_negative_numbers = true,
        help_heading = "Venue and account"
    )]
    pub borrow_rate: f64,
    /// Rates and shares to borrow by symbol: symbol,rate,available
    #[arg(long, value_name = "FILE", help_heading = "Venue and account")]
    pub borrow: Option<PathBuf>,
}

impl RunOptions {
    /// The specification of the run.
    ///
    /// # Errors
    /// Anything that cannot be used, with the option, file, line or key.
    pub fn to_spec(&self) -> Result<RunSpec, CliError> {
        let settings = self.settings()?;
        let strategies = self.strategies(&settings)?;
        for (option, file, name) in [("--orders", &self.orders, "orders"), ("--signals", &self.signals, "signals")] {
            if let Some(file) = file
                && !strategies.iter().any(|choice| choice.name == name)
            {
                return Err(CliError::Input(format!(
                    "{option} {}: no strategy of the run reads it; expected --strategy {name} beside it",
                    file.display()
                )));
            }
        }
        Ok(RunSpec {
            data: self.load.to_options(self.data.as_deref())?,
            strategies,
            cash: self.cash,
            seed: self.seed,
            fill: self.fill.to_string(),
            commission: self.commission(&settings)?.to_string(),
            slippage: self.slippage.unwrap_or_else(|| RunSpec::slippage_of(&settings)).to_string(),
            latency_ms: match self.latency_ms {
                Some(latency) => latency,
                None => u32::try_from(settings.int(Key::SimulatedLatencyMs)).map_err(CliError::input)?,
            },
            participation: self.participation,
            limit_penetrate: self.limit_penetrate,
            whole_shorts: self.whole_shorts,
            account: AccountSpec {
                kind: self.account.clone(),
                initial_margin: self.initial_margin,
                maintenance_margin: self.maintenance_margin,
                margin_rate: self.margin_rate,
                borrow_rate: self.borrow_rate,
            },
            borrow: input(self.borrow.as_deref())?,
            orders: input(self.orders.as_deref())?,
            signals: input(self.signals.as_deref())?,
            settings,
        })
    }

    /// `--config` and `--set` over the default configuration of a backtest.
    fn settings(&self) -> Result<Settings, CliError> {
        let mut settings = match &self.config {
            Some(path) => settings::load(path)?,
            None => Settings::default(),
        };
        let warnings = settings.set_all(self.set.iter().map(String::as_str), "--set").map_err(|errors| {
            let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
            CliError::Input(lines.join("\n"))
        })?;
        for warning in warnings {
            eprintln!("warning: {warning}");
        }
        Ok(settings)
    }

    fn commission(&self, settings: &Settings) -> Result<Commission, CliError> {
        if let Some(commission) = self.commission {
            return Ok(commission);
        }
        RunSpec::commission_of(settings).map_err(CliError::input)
    }

    /// The strategies with the parameters that are addressed to them.
    fn strategies(&self, settings: &Settings) -> Result<Vec<StrategyChoice>, CliError> {
        let mut chosen: Vec<StrategyChoice> = if self.strategy.is_empty() {
            RunSpec::strategies_of(settings).map_err(CliError::input)?
        } else {
            let choice = |name: &String| StrategyChoice { name: name.clone(), params: BTreeMap::new() };
            self.strategy.iter().map(choice).collect()
        };
        for choice in &chosen {
            if strategies::find(&choice.name).is_none() {
                let known: Vec<&str> = strategies::all().iter().map(|s| s.name).collect();
                return Err(CliError::Input(format!(
                    "--strategy {}: unknown; there are {}",
                    choice.name,
                    known.join(", ")
                )));
            }
        }
        for (k, choice) in chosen.iter().enumerate() {
            // Parameters and results are told apart by the name.
            if chosen[..k].iter().any(|other| other.name == choice.name) {
                return Err(CliError::Input(format!(
                    "--strategy {0}: given twice; a run holds each once",
                    choice.name
                )));
            }
        }
        for text in &self.param {
            let Some((key, value)) = text.split_once('=') else {
                return Err(CliError::Input(format!("--param {text}: expected key=value or NAME.key=value")));
            };
            let (key, value) = (key.trim(), value.trim());
            match key.split_once('.') {
                Some((name, key)) => {
                    let Some(choice) = chosen.iter_mut().find(|c| c.name == name) else {
                        return Err(CliError::Input(format!("--param {text}: the run has no strategy '{name}'")));
                    };
                    choice.params.insert(key.to_string(), value.to_string());
                }
                None => {
                    let knows = |c: &StrategyChoice| {
                        strategies::find(&c.name).is_some_and(|s| s.params.iter().any(|p| p.name == key))
                    };
                    let only_one = chosen.len() == 1;
                    let mut found = false;
                    for choice in chosen.iter_mut().filter(|c| only_one || knows(c)) {
                        choice.params.insert(key.to_string(), value.to_string());
                        found = true;
                    }
                    if !found {
                        return Err(CliError::Input(format!("--param {text}: no strategy of the run has '{key}'")));
                    }
                }
            }
        }
        Ok(chosen)
    }
}

/// The text of an input file.
fn input(path: Option<&Path>) -> Result<Option<InputFile>, CliError> {
    let Some(path) = path else { return Ok(None) };
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| CliError::Input(format!("{name}: {error}")))?;
    Ok(Some(InputFile { name, text }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Source;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        options: RunOptions,
    }

    #[test]
    fn without_options_a_run_is_that_of_its_settings() {
        let line = <Line as clap::Parser>::parse_from(["tbot", "--data", "generated_minutes"]);
        let data = crate::data::LoadOptions::new(Source::Named("generated_minutes".to_string()));
        let of_settings = RunSpec::of_settings(Settings::default(), data, 100_000.0).unwrap();
        assert_eq!(line.options.to_spec().unwrap(), of_settings);
    }
}
