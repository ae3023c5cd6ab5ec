//! What the settings and parameters of one window strategy say, in the form in which it is used.

use super::super::params::{ParamError, Params};
use super::super::registry::BuildContext;
use super::clock::Schedule;
use super::filters::Filters;
use super::shorts::ShortType;
use crate::market::{MINUTE, Nanos};
use crate::risk::Sizing;
use crate::settings::{Key, Settings};
use chrono::{Datelike, NaiveDate};

/// The settings of one window by name.
#[derive(Debug)]
pub(super) struct WindowKeys {
    pub name: &'static str,
    pub enabled: Key,
    start: Key,
    analysis: Key,
    breakout: Key,
    monitoring: Key,
    short_type: Key,
    max_gap: Key,
    min_market_cap: Key,
    max_market_cap: Key,
}

pub(super) const OPEN: WindowKeys = WindowKeys {
    name: "open",
    enabled: Key::StratOpenEnabled,
    start: Key::StartTimeOpen,
    analysis: Key::OpenAnalysisTime,
    breakout: Key::OpenBreakoutTime,
    monitoring: Key::OpenMonitoringTime,
    short_type: Key::ShortTypeOpen,
    max_gap: Key::MaxGapPctOpen,
    min_market_cap: Key::MinMarketCapOpen,
    max_market_cap: Key::MaxMarketCapOpen,
};

pub(super) const MID: WindowKeys = WindowKeys {
    name: "mid",
    enabled: Key::StratMidEnabled,
    start: Key::StartTimeMid,
    analysis: Key::MidAnalysisTime,
    breakout: Key::MidBreakoutTime,
    monitoring: Key::MidMonitoringTime,
    short_type: Key::ShortTypeMid,
    max_gap: Key::MaxGapPctMid,
    min_market_cap: Key::MinMarketCapMid,
    max_market_cap: Key::MaxMarketCapMid,
};

pub(super) const CLOSE: WindowKeys = WindowKeys {
    name: "close",
    enabled: Key::StratCloseEnabled,
    start: Key::StartTimeClose,
    analysis: Key::CloseAnalysisTime,
    breakout: Key::CloseBreakoutTime,
    monitoring: Key::CloseMonitoringTime,
    short_type: Key::ShortTypeClose,
    max_gap: Key::MaxGapPctClose,
    min_market_cap: Key::MinMarketCapClose,
    max_market_cap: Key::MaxMarketCapClose,
};

/// The run's settings with those that were given as parameters in their place.
pub(super) fn effective(params: &Params, context: &BuildContext) -> Result<Settings, ParamError> {
    let given: Vec<String> = params
        .iter()
        .filter(|(name, _)| Key::from_name(name).is_some())
        .map(|(name, text)| format!("{name}={text}"))
        .collect();
    let mut settings = context.settings.clone();
    if let Err(errors) = settings.set_all(given.iter().map(String::as_str), "parameters") {
        let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
        return Err(params.conflict(texts.join("; ")));
    }
    Ok(settings)
}

/// Which of several signals of one instant comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rank {
    Symbol,
    Strength,
    RelativeVolume,
}

/// How puts are chosen, priced and filtered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct PutSettings {
    /// ENABLE_BSM_FILTER with MAX_BSM_DEVIATION: largest |mid / theory - 1|.
    pub max_deviation: Option<f64>,
    /// RISK_FREE_RATE.
    pub rate: f64,
}

/// Everything a window strategy needs beside its rule.
#[derive(Debug, Clone)]
pub(super) struct WindowSettings {
    pub name: &'static str,
    pub enabled: bool,
    pub schedule: Schedule,
    /// TRADING_DAYS, Monday first.
    trading_days: [bool; 7],
    pub filters: Filters,
    pub sizing: Sizing,
    pub fractional: bool,
    /// Whether only whole shares are sold short.
    pub whole_shorts: bool,
    pub short_type: ShortType,
    pub puts: PutSettings,
    pub rank: Rank,
}

impl WindowSettings {
    /// Reads checked settings and parameters.
    pub fn new(keys: &WindowKeys, settings: &Settings, params: &Params, context: &BuildContext) -> WindowSettings {
        let has_fundamentals_filter = settings.flag(Key::EnableFundamentalsFilter);
        WindowSettings {
            name: keys.name,
            enabled: settings.flag(keys.enabled),
            schedule: Schedule::new(keys, settings),
            trading_days: trading_days(settings),
            filters: Filters {
                price: (settings.number(Key::MinPrice), settings.number(Key::MaxPrice)),
                min_volume: settings.int(Key::MinVolumeThreshold) as f64,
                max_gap: settings.fraction(keys.max_gap),
                market_cap: (settings.number(keys.min_market_cap), settings.number(keys.max_market_cap)),
                max_pe_ratio: has_fundamentals_filter.then(|| settings.number(Key::MaxPeRatio)),
                max_debt_equity: has_fundamentals_filter.then(|| settings.number(Key::MaxDebtEquity)),
                ignore_absent_fundamentals: params.text("without_fundamentals") == "ignore",
            },
            sizing: sizing(settings),
            fractional: context.fractional,
            whole_shorts: context.whole_shorts,
            short_type: match settings.text(keys.short_type) {
                "ShortSell" => ShortType::ShortSell,
                "LongPut" => ShortType::LongPut,
                "InverseETF" => ShortType::InverseEtf,
                _ => ShortType::Disabled,
            },
            puts: PutSettings {
                max_deviation: settings.flag(Key::EnableBsmFilter).then(|| settings.fraction(Key::MaxBsmDeviation)),
                rate: settings.number(Key::RiskFreeRate),
            },
            rank: match params.text("rank") {
                "strength" => Rank::Strength,
                "relative_volume" => Rank::RelativeVolume,
                _ => Rank::Symbol,
            },
        }
    }

    /// Whether TRADING_DAYS has the weekday of a session. Sessions begin and end on one date in UTC.
    pub fn trades_on(&self, date: NaiveDate) -> bool {
        self.trading_days[date.weekday().num_days_from_monday() as usize]
    }
}

impl Schedule {
    /// What the settings of a window say.
    pub fn new(keys: &WindowKeys, settings: &Settings) -> Schedule {
        let minutes = |key: Key| -> Nanos { settings.int(key) * MINUTE };
        Schedule {
            start: settings.time(keys.start),
            dst_aware: settings.flag(Key::StartTimesDstAware),
            analysis: minutes(keys.analysis),
            breakout: minutes(keys.breakout),
            monitoring: minutes(keys.monitoring),
        }
    }
}

/// TRADING_DAYS, Monday first.
pub(super) fn trading_days(settings: &Settings) -> [bool; 7] {
    let days = settings.list(Key::TradingDays);
    ["mon", "tue", "wed", "thu", "fri", "sat", "sun"].map(|day| days.contains(&day))
}

/// Sizes of trades. In defense mode the allocation and the number of trades shrink beforehand: at the risk
/// desk alone, the first trades would take all that is left.
fn sizing(settings: &Settings) -> Sizing {
    let mut sizing = Sizing {
        total_allocation: settings.fraction(Key::TotalAllocation),
        weights: settings.fractions(Key::Weights).to_vec(),
        max_risk_per_trade: settings.fraction(Key::MaxRiskPerTrade),
        max_trades: settings.int(Key::MaxTrades) as usize,
    };
    if settings.flag(Key::DefenseModeActive) {
        let share = settings.percent(Key::DefenseModeTradeLimitPct).fraction().get();
        sizing.max_trades = floored_share(sizing.max_trades, share);
        sizing.total_allocation = sizing.total_allocation.min(settings.fraction(Key::DefenseModeTotalAllocation));
    }
    sizing
}

/// A share of a count, rounded down: 66 % of 4 is 2.
fn floored_share(count: usize, share: f64) -> usize {
    // 0.66 x 50 is 33 and not the 32.99.. that rounding may make of it.
    (count as f64 * share + 1e-9).floor() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defense_mode_rounds_trades_down_and_caps_the_allocation() {
        let mut settings = Settings::default();
        assert_eq!(sizing(&settings).max_trades, 4);
        settings.set("DEFENSE_MODE_ACTIVE=true").unwrap();
        let reduced = sizing(&settings);
        assert_eq!((reduced.max_trades, reduced.total_allocation), (2, 0.01));
        assert_eq!(reduced.dollars(0, 100_000.0), Some(400.0));
        assert_eq!(reduced.dollars(1, 100_000.0), Some(200.0));
        assert_eq!(reduced.dollars(2, 100_000.0), None);
        assert_eq!(floored_share(5, 0.66), 3);
        assert_eq!(floored_share(50, 0.66), 33);
    }

    #[test]
    fn a_parameter_stands_in_for_the_setting_of_the_run() {
        let spec = super::super::super::registry::find("open").unwrap();
        let params = spec.check(&[("STRAT_OPEN_BUFFER".to_string(), "0.01".to_string())]).unwrap();
        let mut context = BuildContext::default();
        context.settings.set_all(["STRAT_OPEN_BUFFER=0.03", "MAX_TRADES=2"], "test").unwrap();
        let settings = effective(&params, &context).unwrap();
        assert_eq!(settings.fraction(Key::StratOpenBuffer), 0.01);
        assert_eq!(settings.int(Key::MaxTrades), 2);
    }

    #[test]
    fn trading_days_are_weekdays_of_the_session() {
        let mut context = BuildContext::default();
        context.settings.set("TRADING_DAYS=tue,fri").unwrap();
        let params = super::super::super::registry::find("mid").unwrap().check(&[]).unwrap();
        let settings = WindowSettings::new(&MID, &context.settings, &params, &context);
        let trades = |date: &str| settings.trades_on(crate::market::parse_date(date).unwrap());
        assert!(!trades("2024-03-25") && trades("2024-03-26") && trades("2024-03-29"));
    }
}
