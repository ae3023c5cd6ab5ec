//! What a run is made of, in a form that is written to `run.json` and read back to repeat it.

use super::RunConfig;
use crate::data::LoadOptions;
use crate::engine::StrategySetup;
use crate::market::{CALENDAR_VERSION, MILLI, Market, SymbolId};
use crate::risk::{Defense, Limits};
use crate::settings::{Key, Settings};
use crate::sim::{Commission, FillRule, SimRules, Slippage};
use crate::strategies::{self, BuildContext, ParamError, Params, StrategySpec};
use crate::trading::{AccountKind, AccountRules};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of the program, part of every fingerprint.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A strategy of a run with its parameters as given; defaults are filled in when it is built.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StrategyChoice {
    pub name: String,
    #[serde(default)]
    pub params: BTreeMap<String, String>,
}

/// Cash or margin, and what borrowing costs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AccountSpec {
    /// `cash` or `margin`.
    pub kind: String,
    pub initial_margin: f64,
    pub maintenance_margin: f64,
    /// A year of 360 days.
    pub margin_rate: f64,
    /// A year of 360 days.
    pub borrow_rate: f64,
}

impl Default for AccountSpec {
    /// A margin account after Regulation T, at 6 % for cash and 0.3 % for shares.
    fn default() -> AccountSpec {
        AccountSpec {
            kind: "margin".to_string(),
            initial_margin: 0.5,
            maintenance_margin: 0.25,
            margin_rate: 0.06,
            borrow_rate: 0.003,
        }
    }
}

/// The text of an input file, kept with the run so that it can be repeated without the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InputFile {
    pub name: String,
    pub text: String,
}

/// Everything that decides the result of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunSpec {
    pub data: LoadOptions,
    /// In order of decision.
    pub strategies: Vec<StrategyChoice>,
    pub settings: Settings,
    pub cash: f64,
    pub seed: u64,
    pub fill: String,
    pub commission: String,
    pub slippage: String,
    pub latency_ms: u32,
    /// 0: no cap.
    pub participation: f64,
    pub limit_penetrate: bool,
    /// Only whole shares are sold short, as at a broker.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub whole_shorts: bool,
    pub account: AccountSpec,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub borrow: Option<InputFile>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orders: Option<InputFile>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signals: Option<InputFile>,
}

/// A run specification that cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
    #[error("unknown strategy '{found}'; there are {known}")]
    UnknownStrategy { found: String, known: String },
    #[error("no strategy: every one of STRATEGY_SEQUENCE is switched off by STRAT_*_ENABLED")]
    NoStrategy,
    #[error(transparent)]
    Param(#[from] ParamError),
    #[error(transparent)]
    Model(#[from] crate::sim::CostModelError),
    #[error(transparent)]
    Line(#[from] crate::strategies::LineError),
    #[error("{file}, line {line}: {reason}")]
    Borrow { file: String, line: u64, reason: String },
    #[error("BROKER_NAME {0} has no commission model; give --commission")]
    NoCommission(String),
    #[error("account '{0}' is not cash or margin")]
    Account(String),
    #[error("fill rule quote needs quotes, which {0} does not have (columns bid and ask, or bid_open..ask_close)")]
    NoQuotes(String),
    #[error("{name} {value} is not {expected}")]
    Value { name: &'static str, value: f64, expected: &'static str },
}

impl RunSpec {
    /// The specification of a strategy by name.
    fn strategy(name: &str) -> Result<&'static StrategySpec, SpecError> {
        strategies::find(name).ok_or_else(|| {
            let known: Vec<&str> = strategies::all().iter().map(|s| s.name).collect();
            SpecError::UnknownStrategy { found: name.to_string(), known: known.join(", ") }
        })
    }

    /// The strategies that the settings ask for: STRATEGY_OVERRIDE alone, or STRATEGY_SEQUENCE in order, less
    /// those that are switched off.
    pub fn strategies_of(settings: &Settings) -> Result<Vec<StrategyChoice>, SpecError> {
        let only = settings.text(Key::StrategyOverride);
        let sequence = if only.is_empty() { settings.list(Key::StrategySequence).to_vec() } else { vec![only] };
        let enabled = |name: &str| match name {
            "open" => settings.flag(Key::StratOpenEnabled),
            "mid" => settings.flag(Key::StratMidEnabled),
            "close" => settings.flag(Key::StratCloseEnabled),
            _ => true,
        };
        let chosen: Vec<StrategyChoice> = sequence
            .into_iter()
            .filter(|name| enabled(name))
            .map(|name| StrategyChoice { name: name.to_string(), params: BTreeMap::new() })
            .collect();
        if chosen.is_empty() { Err(SpecError::NoStrategy) } else { Ok(chosen) }
    }

    /// The run that settings ask for where nobody says more: their strategies and costs, a margin account, seed 1.
    ///
    /// # Errors
    /// No strategy, or a broker without commission model.
    pub fn of_settings(settings: Settings, data: LoadOptions, cash: f64) -> Result<RunSpec, SpecError> {
        Ok(RunSpec {
            data,
            strategies: RunSpec::strategies_of(&settings)?,
            cash,
            seed: 1,
            fill: FillRule::Path.to_string(),
            commission: RunSpec::commission_of(&settings)?.to_string(),
            slippage: RunSpec::slippage_of(&settings).to_string(),
            latency_ms: settings.int(Key::SimulatedLatencyMs) as u32,
            participation: 0.0,
            limit_penetrate: false,
            whole_shorts: false,
            account: AccountSpec::default(),
            borrow: None,
            orders: None,
            signals: None,
            settings,
        })
    }

    /// The commission model of BROKER_NAME.
    ///
    /// # Errors
    /// It has none.
    pub fn commission_of(settings: &Settings) -> Result<Commission, SpecError> {
        let broker = settings.text(Key::BrokerName);
        Commission::of_broker(broker).ok_or_else(|| SpecError::NoCommission(broker.to_string()))
    }

    /// The slippage model that the settings ask for.
    pub fn slippage_of(settings: &Settings) -> Slippage {
        if !settings.flag(Key::EnableSlippageModel) {
            return Slippage::None;
        }
        match settings.text(Key::SlippageSimulationType) {
            "rule_based" => Slippage::RuleBased(0.1),
            "randomized" => Slippage::Normal {
                mean_pct: settings.percent(Key::SlippageMeanPct).get(),
                stddev_pct: settings.percent(Key::SlippageStddevPct).get(),
            },
            _ => Slippage::None,
        }
    }

    /// Checked parameters of every strategy, defaults included.
    pub fn params(&self) -> Result<Vec<(&'static StrategySpec, Params)>, SpecError> {
        self.strategies
            .iter()
            .map(|choice| {
                let spec = RunSpec::strategy(&choice.name)?;
                let given: Vec<(String, String)> = choice.params.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
                Ok((spec, spec.check(&given)?))
            })
            .collect()
    }

    /// Parameters as they go into `summary.json`: by strategy, then name; numbers where they are numbers.
    pub fn params_json(&self) -> Result<serde_json::Value, SpecError> {
        let mut all = serde_json::Map::new();
        for (spec, params) in self.params()? {
            let mut own = serde_json::Map::new();
            for (name, text) in params.iter() {
                let value = serde_json::from_str::<serde_json::Number>(text)
                    .map_or_else(|_| serde_json::Value::from(text), serde_json::Value::Number);
                own.insert(name.to_string(), value);
            }
            all.insert(spec.name.to_string(), serde_json::Value::Object(own));
        }
        Ok(serde_json::Value::Object(all))
    }

    /// The strategies, ready to run.
    pub fn build_strategies(&self) -> Result<Vec<StrategySetup>, SpecError> {
        let orders = match &self.orders {
            Some(file) => Some(strategies::parse_order_lines(file.text.as_bytes(), &file.name)?),
            None => None,
        };
        let signals = match &self.signals {
            Some(file) => Some(strategies::parse_signal_lines(file.text.as_bytes(), &file.name)?),
            None => None,
        };
        let context = BuildContext {
            fractional: self.settings.flag(Key::Fractional),
            whole_shorts: self.whole_shorts,
            settings: self.settings.clone(),
            orders,
            signals,
        };
        let mut setups = Vec::new();
        for (spec, params) in self.params()? {
            let strategy = spec.build(&params, &context)?;
            setups.push(StrategySetup { strategy, bound_to_position_limit: spec.bound_to_settings });
        }
        Ok(setups)
    }

    /// Checks what can be checked without data and without the strategies' parameters: amounts, account, cost models.
    pub fn check_venue(&self) -> Result<(), SpecError> {
        check("--cash", self.cash, self.cash > 0.0, "a positive amount")?;
        check("--participation", self.participation, (0.0..=1.0).contains(&self.participation), "from 0 to 1")?;
        self.account_rules(false)?;
        self.rules(false).map(drop)
    }

    /// Checks what can be checked without data.
    pub fn check(&self) -> Result<(), SpecError> {
        self.check_venue()?;
        self.build_strategies().map(drop)
    }

    fn rules(&self, fractional: bool) -> Result<SimRules, SpecError> {
        Ok(SimRules {
            fill: self.fill.parse::<FillRule>()?,
            latency: i64::from(self.latency_ms) * MILLI,
            commission: self.commission.parse::<Commission>()?,
            slippage: self.slippage.parse::<Slippage>()?,
            participation: self.participation,
            limit_penetrate: self.limit_penetrate,
            fractional,
            seed: self.seed,
        })
    }

    /// The rules and limits of the run for a market.
    pub fn config(&self, market: &Market) -> Result<RunConfig, SpecError> {
        let fractional = self.settings.flag(Key::Fractional);
        self.check_venue()?;
        let account = self.account_rules(fractional)?;
        let rules = self.rules(fractional)?;
        if rules.fill == FillRule::Quote && market.series.iter().any(|s| s.quotes.is_none()) {
            return Err(SpecError::NoQuotes(market.name.clone()));
        }
        Ok(RunConfig {
            cash: self.cash,
            rules,
            limits: Limits {
                disable_all_trades: self.settings.flag(Key::DisableAllTrades),
                daily_loss_limit: self.settings.fraction(Key::DailyLossLimit),
                max_open_positions: self.settings.int(Key::MaxOpenPositions) as usize,
                defense: defense(&self.settings),
                account,
                borrow: self.borrow_table(market)?,
            },
        })
    }

    fn account_rules(&self, fractional: bool) -> Result<AccountRules, SpecError> {
        let account = &self.account;
        let share = |value: f64| value > 0.0 && value <= 1.0;
        check("--initial-margin", account.initial_margin, share(account.initial_margin), "above 0 and at most 1")?;
        check(
            "--maintenance-margin",
            account.maintenance_margin,
            (0.0..=account.initial_margin).contains(&account.maintenance_margin),
            "from 0 to the initial margin",
        )?;
        for (name, rate) in [("--margin-rate", account.margin_rate), ("--borrow-rate", account.borrow_rate)] {
            check(name, rate, rate >= 0.0, "a yearly rate that is not negative")?;
        }
        Ok(AccountRules {
            kind: match account.kind.as_str() {
                "cash" => AccountKind::Cash,
                "margin" => AccountKind::Margin,
                other => return Err(SpecError::Account(other.to_string())),
            },
            initial_margin: account.initial_margin,
            maintenance_margin: account.maintenance_margin,
            margin_rate: account.margin_rate,
            borrow_rate: account.borrow_rate,
            fractional,
        })
    }

    /// `symbol,rate,available` of `--borrow`; symbols that the run does not have are left out.
    fn borrow_table(&self, market: &Market) -> Result<BTreeMap<SymbolId, (f64, f64)>, SpecError> {
        let mut table = BTreeMap::new();
        let Some(file) = &self.borrow else { return Ok(table) };
        let mut csv = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(file.text.as_bytes());
        let error = |line: u64, reason: String| SpecError::Borrow { file: file.name.clone(), line, reason };
        let header = csv.headers().map_err(|e| error(1, e.to_string()))?.clone();
        let column = |name: &str| {
            let found = header.iter().position(|h| h == name);
            found.ok_or_else(|| error(1, format!("no column '{name}'; expected symbol, rate, available")))
        };
        let (symbol, rate, available) = (column("symbol")?, column("rate")?, column("available")?);
        for record in csv.records() {
            let record = record.map_err(|e| error(e.position().map_or(0, |p| p.line()), e.to_string()))?;
            let line = record.position().map_or(0, |p| p.line());
            let number = |i: usize, name: &str| {
                let text = record.get(i).unwrap_or("");
                let value = text.parse::<f64>().ok().filter(|v| v.is_finite() && *v >= 0.0);
                value.ok_or_else(|| error(line, format!("{name} '{text}' is not a number of 0 or more")))
            };
            let row = (number(rate, "rate")?, number(available, "available")?);
            if let Some(id) = market.symbol(record.get(symbol).unwrap_or("")) {
                table.insert(id, row);
            }
        }
        Ok(table)
    }

    /// Hash of everything the result depends on: program version, calendar, strategies with all parameters,
    /// settings, costs, account, input files, seed and the data's hash.
    pub fn fingerprint(&self, data_hash: &str) -> Result<String, SpecError> {
        let mut hasher = blake3::Hasher::new();
        let mut add = |name: &str, value: &str| {
            hasher.update(name.as_bytes());
            hasher.update(&(value.len() as u64).to_le_bytes());
            hasher.update(value.as_bytes());
        };
        add("version", VERSION);
        add("calendar", CALENDAR_VERSION);
        add("data", data_hash);
        for (spec, params) in self.params()? {
            add("strategy", spec.name);
            for (name, value) in params.iter() {
                add(name, value);
            }
        }
        add("settings", &self.settings.to_text());
        add("cash", &self.cash.to_string());
        add("seed", &self.seed.to_string());
        add("fill", &self.fill.parse::<FillRule>()?.to_string());
        add("commission", &self.commission.parse::<Commission>()?.to_string());
        add("slippage", &self.slippage.parse::<Slippage>()?.to_string());
        add("latency_ms", &self.latency_ms.to_string());
        add("participation", &self.participation.to_string());
        add("limit_penetrate", &self.limit_penetrate.to_string());
        if self.whole_shorts {
            add("whole_shorts", "true");
        }
        let account = &self.account;
        add("account", &account.kind);
        for rate in [account.initial_margin, account.maintenance_margin, account.margin_rate, account.borrow_rate] {
            add("rate", &rate.to_string());
        }
        for (name, file) in [("borrow", &self.borrow), ("orders", &self.orders), ("signals", &self.signals)] {
            add(name, file.as_ref().map_or("", |f| f.text.as_str()));
        }
        Ok(hasher.finalize().to_hex().to_string())
    }
}

/// The limits of defense mode, if it is on: DEFENSE_MODE_TRADE_LIMIT_PCT of MAX_TRADES and MAX_OPEN_POSITIONS,
/// rounded down.
pub fn defense(settings: &Settings) -> Option<Defense> {
    if !settings.flag(Key::DefenseModeActive) {
        return None;
    }
    let share = settings.percent(Key::DefenseModeTradeLimitPct).fraction().get();
    let reduced = |limit: i64| (limit as f64 * share + 1e-9).floor() as usize;
    Some(Defense {
        max_trades: reduced(settings.int(Key::MaxTrades)),
        max_open_positions: reduced(settings.int(Key::MaxOpenPositions)),
        total_allocation: settings.fraction(Key::DefenseModeTotalAllocation),
    })
}

fn check(name: &'static str, value: f64, ok: bool, expected: &'static str) -> Result<(), SpecError> {
    if ok && value.is_finite() { Ok(()) } else { Err(SpecError::Value { name, value, expected }) }
}
