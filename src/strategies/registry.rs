//! Every built-in strategy with its parameters.

use super::averages::{self, average_cross};
use super::buy_and_hold::{self, buy_and_hold};
use super::channels::{self, donchian_breakout};
use super::order_lines::{OrderLine, OrdersFromFile};
use super::params::{ParamError, ParamSpec, Params};
use super::reversion::{self, bollinger, rsi_reversion, vwap_reversion};
use super::signal_lines::{SignalLine, SignalsFromFile};
use super::windows;
use crate::indicators::Average;
use crate::settings::Settings;
use crate::trading::Strategy;
use serde_json::{Value, json};

/// What a strategy may need beside its parameters.
#[derive(Debug, Clone, Default)]
pub struct BuildContext {
    /// FRACTIONAL: whether quantities may be fractions of a share.
    pub fractional: bool,
    /// Whether `open`, `mid` and `close` sell whole shares short even so: no broker lends fractions of one.
    pub whole_shorts: bool,
    /// Settings of the run: those of strategies and filters bind `open`, `mid` and `close`.
    pub settings: Settings,
    /// Lines of `--orders`.
    pub orders: Option<Vec<OrderLine>>,
    /// Lines of `--signals`.
    pub signals: Option<Vec<SignalLine>>,
}

/// A built-in strategy.
#[derive(Clone, Copy)]
pub struct StrategySpec {
    pub name: &'static str,
    /// One or two sentences: the rule.
    pub rule: &'static str,
    pub params: &'static [ParamSpec],
    /// Whether MAX_OPEN_POSITIONS and the other strategy keys of the settings bind it.
    pub bound_to_settings: bool,
    build: Build,
}

/// Makes a strategy from checked parameters.
type Build = fn(&Params, &BuildContext) -> Result<Box<dyn Strategy>, ParamError>;

impl std::fmt::Debug for StrategySpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StrategySpec").field("name", &self.name).finish_non_exhaustive()
    }
}

impl StrategySpec {
    /// Checks parameters given as (name, value).
    pub fn check(&self, given: &[(String, String)]) -> Result<Params, ParamError> {
        Params::check(self.name, self.params, given)
    }

    /// Whether it acts in a window of the session only: see [`day_window`](super::day_window).
    pub fn has_window(&self) -> bool {
        matches!(self.name, "open" | "mid" | "close")
    }

    /// The strategy with its parameters, for programs and forms.
    pub fn to_json(&self) -> Value {
        let param = |p: &ParamSpec| {
            json!({
                "name": p.name,
                "type": p.kind.name(),
                "range": p.kind.range(),
                "min": p.kind.bounds().map(|(min, _)| min),
                "max": p.kind.bounds().map(|(_, max)| max),
                "choices": p.kind.choices(),
                "default": if p.default.is_empty() { Value::Null } else { Value::from(p.default) },
                "meaning": p.meaning,
            })
        };
        let params: Vec<Value> = self.params.iter().map(param).collect();
        json!({ "name": self.name, "rule": self.rule, "params": params })
    }

    /// The strategy with checked parameters.
    pub fn build(&self, params: &Params, context: &BuildContext) -> Result<Box<dyn Strategy>, ParamError> {
        (self.build)(params, context)
    }
}

const ALL: &[StrategySpec] = &[
    StrategySpec {
        name: "open",
        rule: "Tracks the high and low of the first OPEN_ANALYSIS_TIME minutes of its window. Within the next \
               OPEN_BREAKOUT_TIME minutes: long when a bar closes above the high x (1 + STRAT_OPEN_BUFFER), short \
               below the low x (1 - STRAT_OPEN_BUFFER). Out at the end of the window.",
        params: windows::OPEN_PARAMS,
        bound_to_settings: true,
        build: windows::open,
    },
    StrategySpec {
        name: "mid",
        rule: "After MID_ANALYSIS_TIME minutes of its window, within MID_BREAKOUT_TIME: when a bar closes away from \
               the session's VWAP by STRAT_MID_VWAP_THRESHOLD or more, long below it and short above it. Out \
               MID_MONITORING_TIME minutes after the entry.",
        params: windows::MID_PARAMS,
        bound_to_settings: true,
        build: windows::mid,
    },
    StrategySpec {
        name: "close",
        rule: "While the VIX is at STRAT_CLOSE_VIX_THRESHOLD or more: tracks the high and low of the first \
               CLOSE_ANALYSIS_TIME minutes of its window and, within CLOSE_BREAKOUT_TIME, enters with (momentum) or \
               against (fade) the first close beyond them. Out CLOSE_MONITORING_TIME minutes after the entry.",
        params: windows::CLOSE_PARAMS,
        bound_to_settings: true,
        build: windows::close,
    },
    StrategySpec {
        name: "sma_cross",
        rule: "At the end of a bar: long while the fast simple moving average is above the slow one (by more than \
               1e-9 of it), else flat or short. Nothing before the slow average is complete; an order only when the \
               wanted side changes.",
        params: averages::PARAMS,
        bound_to_settings: false,
        build: |p, c| Ok(Box::new(average_cross("sma_cross", p, c.fractional, Average::Sma)?)),
    },
    StrategySpec {
        name: "ema_cross",
        rule: "As sma_cross, with exponential moving averages (alpha = 2 / (bars + 1), seeded with the simple mean).",
        params: averages::PARAMS,
        bound_to_settings: false,
        build: |p, c| Ok(Box::new(average_cross("ema_cross", p, c.fractional, Average::Ema)?)),
    },
    StrategySpec {
        name: "rsi_reversion",
        rule: "Long when Wilder's RSI is below oversold, short when it is above overbought (long_short), out when it \
               is back at exit.",
        params: reversion::RSI_PARAMS,
        bound_to_settings: false,
        build: |p, c| Ok(Box::new(rsi_reversion(p, c.fractional)?)),
    },
    StrategySpec {
        name: "bollinger",
        rule: "Long when the close is below the lower Bollinger band, short when it is above the upper one \
               (long_short), out when it is back at the moving average.",
        params: reversion::BOLLINGER_PARAMS,
        bound_to_settings: false,
        build: |p, c| Ok(Box::new(bollinger(p, c.fractional))),
    },
    StrategySpec {
        name: "donchian",
        rule: "Long when the close is above the highest high of the bars before, short when it is below their lowest \
               low (long_short), out beyond the opposite extreme of a shorter channel.",
        params: channels::PARAMS,
        bound_to_settings: false,
        build: |p, c| Ok(Box::new(donchian_breakout(p, c.fractional))),
    },
    StrategySpec {
        name: "vwap_reversion",
        rule: "Long when the close is below the session's VWAP by the threshold, short when it is above it by as much \
               (long_short), out at the VWAP and at the session's end.",
        params: reversion::VWAP_PARAMS,
        bound_to_settings: false,
        build: |p, c| Ok(Box::new(vwap_reversion(p, c.fractional))),
    },
    StrategySpec {
        name: "buy_and_hold",
        rule: "Buys every symbol after its first bar and keeps it.",
        params: buy_and_hold::PARAMS,
        bound_to_settings: false,
        build: |p, c| Ok(Box::new(buy_and_hold(p, c.fractional))),
    },
    StrategySpec {
        name: "signals",
        rule: "Holds the signed number of shares that a file gives (--signals FILE: ts,symbol,target), from the first \
               bar end at or after ts.",
        params: &[],
        bound_to_settings: false,
        build: |p, c| {
            let lines = c.signals.clone().ok_or_else(|| p.conflict("needs a file: --signals FILE"))?;
            Ok(Box::new(SignalsFromFile::new(lines)))
        },
    },
    StrategySpec {
        name: "orders",
        rule: "Submits the orders of a file (--orders FILE: ts,id,symbol,side,type,qty,limit,stop,trail,trail_pct,tif,\
               oco,parent,cancel), each at the first bar end at or after its ts.",
        params: &[],
        bound_to_settings: false,
        build: |p, c| {
            let lines = c.orders.clone().ok_or_else(|| p.conflict("needs a file: --orders FILE"))?;
            Ok(Box::new(OrdersFromFile::new(lines)))
        },
    },
];

/// Every built-in strategy.
pub fn all() -> &'static [StrategySpec] {
    ALL
}

/// A strategy by name.
pub fn find(name: &str) -> Option<&'static StrategySpec> {
    ALL.iter().find(|spec| spec.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_strategy_is_built_from_its_defaults_unless_it_needs_a_file() {
        for spec in all() {
            let params = spec.check(&[]).unwrap();
            let built = spec.build(&params, &BuildContext::default());
            match spec.name {
                "signals" | "orders" => assert!(built.is_err()),
                name => assert_eq!(built.unwrap().name(), name),
            }
        }
    }

    #[test]
    fn settings_given_as_parameters_are_checked_like_settings() {
        let open = find("open").unwrap();
        let given = |name: &str, value: &str| open.check(&[(name.to_string(), value.to_string())]);
        assert!(given("STRAT_OPEN_BUFFER", "0.01").is_ok());
        assert!(given("STRAT_OPEN_BUFFER", "2").is_err());
        assert!(given("STRAT_MID_VWAP_THRESHOLD", "0.01").is_err(), "a key of another strategy");
        // A rule between two settings is found when the strategy is built.
        let params = given("MIN_PRICE", "200").unwrap();
        let error = open.build(&params, &BuildContext::default()).err().unwrap().to_string();
        assert!(error.contains("MIN_PRICE") && error.contains("MAX_PRICE"), "{error}");
    }
}
