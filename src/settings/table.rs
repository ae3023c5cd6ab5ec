//! The table itself: one row a setting.
//!
//! Rows read: `Key "NAME" = "default": kind; "meaning"`. Names, types and defaults are those of the
//! specification of `.env_bot`; ranges that it leaves open are set so that a value outside is surely a mistake.

use super::{Group, Kind, Range, Spec};

const UNIT_RANGE: Range = Range::new(0.0, 1.0);
const POSITIVE_SHARE: Kind = Kind::Fraction(Range::above(0.0, 1.0));
const SHARE: Kind = Kind::Fraction(UNIT_RANGE);
const STRATEGIES: &[&str] = &["open", "mid", "close"];
const SHORTING: Kind = choice(&["InverseETF", "ShortSell", "LongPut", "disabled"]);
const MINUTES: Kind = int(1, 390, "minutes");
const MARKET_CAP: Kind = Kind::Number { range: Range::new(0.0, 1e15), unit: "USD" };
const PRICE: Kind = Kind::Number { range: Range::new(0.0, 1e7), unit: "USD" };
const RATIO: Kind = Kind::Number { range: Range::new(0.0, 1e6), unit: "" };
const COST_PERCENT: Kind = Kind::Percent { range: Range::new(0.0, 100.0), suspect_below_one: false };

const fn int(min: i64, max: i64, unit: &'static str) -> Kind {
    Kind::Integer { min, max, unit }
}

const fn choice(choices: &'static [&'static str]) -> Kind {
    Kind::Choice { choices, optional: false }
}

macro_rules! table {
    ($($group:ident { $($key:ident $name:literal $(or $alias:literal)* = $default:literal: $kind:expr; $meaning:literal)* })*) => {
        /// Every setting.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Key {
            $($(#[doc = concat!("`", $name, "`: ", $meaning)] $key,)*)*
        }

        /// Every row, in the order of [`Key`].
        pub(super) const TABLE: &[Spec] = &[
            $($(Spec {
                key: Key::$key,
                name: $name,
                aliases: &[$($alias),*],
                group: Group::$group,
                kind: $kind,
                default: $default,
                meaning: $meaning,
            },)*)*
        ];
    };
}

table! {
    General {
        VersionTag "VERSION_TAG" = "v1.0.0": Kind::Version;
            "Version of the program this configuration is written for; it must equal the one in VERSION.md."
        BuildMode "BUILD_MODE" = "release": choice(&["debug", "release"]);
            "Whether the program runs with the extra checks and messages of debugging or as released."
        DisableAllTrades "DISABLE_ALL_TRADES" = "false": Kind::Flag;
            "Master kill switch: while true, every order of every strategy is blocked, in backtests too."
        DebugLogLevel "DEBUG_LOG_LEVEL" = "verbose": choice(&["quiet", "info", "verbose"]);
            "How much is written to the logs."
        EnableLogging "ENABLE_LOGGING" = "true": Kind::Flag;
            "Whether log files are written."
        LogFormat "LOG_FORMAT" = "json": choice(&["json", "csv"]);
            "Form of a log line: json (structured) or csv (flat)."
    }
    Execution {
        TradeConfirmationRequired "TRADE_CONFIRMATION_REQUIRED" = "false": Kind::Flag;
            "Whether a live order waits until someone confirms it by hand."
        ApiRetryLimit "API_RETRY_LIMIT" = "3": int(0, 20, "retries");
            "How often a failed call of the broker is repeated."
        ApiTimeout "API_TIMEOUT" = "30": int(1, 300, "seconds");
            "How long a call of the broker may take before it counts as failed."
        Fractional "FRACTIONAL" = "true": Kind::Flag;
            "Whether fractions of a share may be traded, where the broker supports it; otherwise quantities are rounded down to whole shares."
        TotalAllocation "TOTAL_ALLOCATION" = "0.02": POSITIVE_SHARE;
            "Share of the account's equity that one strategy may invest in one session."
        MaxTrades "MAX_TRADES" = "4": int(1, 100, "trades");
            "Most trades one strategy may open in one window."
        Weights "WEIGHTS" = "0.4,0.2,0.2,0.2": Kind::Fractions;
            "Share of TOTAL_ALLOCATION for the first, second, ... trade of a window; at least MAX_TRADES entries, of which the used ones add up to at most 1."
        DailyLossLimit "DAILY_LOSS_LIMIT" = "0.05": POSITIVE_SHARE;
            "Loss of a day, as a share of the equity at the previous close, that ends all trading for the day."
        MaxRiskPerTrade "MAX_RISK_PER_TRADE" = "0.025": POSITIVE_SHARE;
            "Most that one trade may invest, as a share of the account's equity; the smaller of this and the trade's weight applies."
        MaxOpenPositions "MAX_OPEN_POSITIONS" = "5": int(1, 1000, "positions");
            "Most positions held at the same time over all strategies."
    }
    Filters {
        MinPrice "MIN_PRICE" = "5": PRICE;
            "Lowest price of a share that may be traded."
        MaxPrice "MAX_PRICE" = "100": PRICE;
            "Highest price of a share that may be traded; above MIN_PRICE."
        MinVolumeThreshold "MIN_VOLUME_THRESHOLD" = "1000000": int(0, 1_000_000_000_000, "shares");
            "Lowest volume of the previous session for a symbol to be traded."
        EnableFundamentalsFilter "ENABLE_FUNNHUB_FUNDAMENTALS_FILTER" or "ENABLE_FINNHUB_FUNDAMENTALS_FILTER" = "true": Kind::Flag;
            "Whether symbols must pass MAX_PE_RATIO and MAX_DEBT_EQUITY."
        MaxPeRatio "MAX_PE_RATIO" = "50": RATIO;
            "Highest price-earnings ratio of a symbol to be traded."
        MaxDebtEquity "MAX_DEBT_EQUITY" = "2.5": RATIO;
            "Highest ratio of debt to equity of a symbol to be traded."
    }
    Routing {
        BrokerName "BROKER_NAME" = "ALPACA": choice(&["ALPACA", "IBKR", "TRADIER", "SIM"]);
            "Broker that executes the orders; it also decides the commissions a backtest charges unless told otherwise."
        SimData "SIM_DATA" = "": Kind::DataSet;
            "Data set whose newest session the broker SIM plays: a built-in one such as generated_minutes, or one in the folder datasets of the data folder; empty for none."
        SimSpeed "SIM_SPEED" = "60": int(1, 1_000_000, "times real time");
            "How fast the broker SIM plays a session: 1 is real time, 60 a minute in a second."
        SimCash "SIM_CASH" = "100000": Kind::Number { range: Range::above(0.0, 1e12), unit: "USD" };
            "Cash with which a session on the simulated venue begins."
        StrategySequence "STRATEGY_SEQUENCE" = "open,mid,close": Kind::Choices(STRATEGIES);
            "Strategies to run, in this order when they act at the same instant."
        StrategyOverride "STRATEGY_OVERRIDE" = "": Kind::Choice { choices: STRATEGIES, optional: true };
            "Runs only this strategy in place of STRATEGY_SEQUENCE; empty for none."
    }
    Rebalancing {
        RebalanceEnabled "REBALANCE_ENABLED" = "true": Kind::Flag;
            "Whether the share that is invested is compared with its target while a session runs. The comparison trades nothing."
        RebalanceThreshold "REBALANCE_THRESHOLD" = "0.1": POSITIVE_SHARE;
            "Deviation from the target, as a fraction of it, beyond which the status says that a rebalance is due."
        RebalanceCheckInterval "REBALANCE_CHECK_INTERVAL" = "3600": int(1, 604_800, "seconds");
            "Time between two comparisons, on the clock of the session."
        EnableRebalanceNotifier "ENABLE_REBALANCE_NOTIFIER" = "true": Kind::Flag;
            "Whether a deviation of REBALANCE_TRIGGER_PCT sends a notice on ROUTINE_ALERT_CHANNEL."
        RebalanceTriggerPct "REBALANCE_TRIGGER_PCT" = "10": Kind::Percent { range: Range::above(0.0, 100.0), suspect_below_one: true };
            "Deviation from the target in percent, up or down, that sends a notice."
    }
    Failover {
        FailoverEnabled "FAILOVER_ENABLED" = "true": Kind::Flag;
            "Whether orders go to the second broker when the first cannot be reached; needs a second set of credentials."
        FailoverLogTag "FAILOVER_LOG_TAG" = "FAILOVER_ACTIVE": Kind::Tag;
            "Mark on rerouted trades in logs and ledgers."
    }
    Time {
        TradingDays "TRADING_DAYS" = "mon,tue,wed,thu,fri": Kind::Choices(&["mon", "tue", "wed", "thu", "fri", "sat", "sun"]);
            "Days of the week on which strategies may trade, where the exchange is open."
        SleepTime "SLEEP_TIME" = "1s": Kind::Duration { min_ms: 10, max_ms: 3_600_000 };
            "Time between two rounds of the live system's monitoring."
        StartTimesDstAware "START_TIMES_DST_AWARE" = "true": Kind::Flag;
            "Whether START_TIME_* keep their New York time all year (14:30 is 9:30 in New York, summer and winter); false takes them as UTC to the letter, an hour later in New York in summer."
    }
    Open {
        MaxGapPctOpen "MAX_GAP_PCT_OPEN" = "0.1": SHARE;
            "Largest move from the session's open to the current price for a symbol to be traded; a fraction in spite of its name."
        MinMarketCapOpen "MIN_MARKET_CAP_OPEN" = "2000000000": MARKET_CAP;
            "Smallest market capitalization of a symbol to be traded."
        MaxMarketCapOpen "MAX_MARKET_CAP_OPEN" = "10000000000": MARKET_CAP;
            "Largest market capitalization of a symbol to be traded; above MIN_MARKET_CAP_OPEN."
        StratOpenEnabled "STRAT_OPEN_ENABLED" = "true": Kind::Flag;
            "Whether the OPEN strategy runs."
        StartTimeOpen "START_TIME_OPEN" = "14:30": Kind::Time;
            "Start of the window, in UTC as on a winter day (14:30 is 9:30 in New York); see START_TIMES_DST_AWARE."
        OpenAnalysisTime "OPEN_ANALYSIS_TIME" = "20": MINUTES;
            "Minutes from the start during which the high and low of the opening range are taken."
        OpenBreakoutTime "OPEN_BREAKOUT_TIME" = "10": MINUTES;
            "Minutes after the opening range during which a breakout opens a trade."
        OpenMonitoringTime "OPEN_MONITORING_TIME" = "30": MINUTES;
            "Minutes after the breakout time during which positions are managed; then they are closed."
        StratOpenBuffer "STRAT_OPEN_BUFFER" = "0.02": SHARE;
            "How far beyond the range's high or low a bar must close to count as a breakout, as a fraction of that price."
        ShortTypeOpen "SHORT_TYPE_OPEN" = "InverseETF": SHORTING;
            "How a falling price is traded: by buying an inverse ETF, selling short, buying a put, or not at all."
    }
    Mid {
        MaxGapPctMid "MAX_GAP_PCT_MID" = "0.1": SHARE;
            "Largest move from the session's open to the current price for a symbol to be traded; a fraction in spite of its name."
        MinMarketCapMid "MIN_MARKET_CAP_MID" = "2000000000": MARKET_CAP;
            "Smallest market capitalization of a symbol to be traded."
        MaxMarketCapMid "MAX_MARKET_CAP_MID" = "10000000000": MARKET_CAP;
            "Largest market capitalization of a symbol to be traded; above MIN_MARKET_CAP_MID."
        StratMidEnabled "STRAT_MID_ENABLED" = "true": Kind::Flag;
            "Whether the MID strategy runs."
        StartTimeMid "START_TIME_MID" = "15:30": Kind::Time;
            "Start of the window, in UTC as on a winter day (15:30 is 10:30 in New York); see START_TIMES_DST_AWARE."
        MidAnalysisTime "MID_ANALYSIS_TIME" = "15": MINUTES;
            "Minutes from the start before signals are evaluated."
        MidBreakoutTime "MID_BREAKOUT_TIME" = "10": MINUTES;
            "Minutes after the analysis time during which a signal opens a trade."
        MidMonitoringTime "MID_MONITORING_TIME" = "30": MINUTES;
            "Longest time a position is held after its entry."
        StratMidVwapThreshold "STRAT_MID_VWAP_THRESHOLD" = "0.02": SHARE;
            "Distance of the price from the session's VWAP that opens a trade, as a fraction of the VWAP."
        ShortTypeMid "SHORT_TYPE_MID" = "InverseETF": SHORTING;
            "How a falling price is traded: by buying an inverse ETF, selling short, buying a put, or not at all."
    }
    Close {
        MaxGapPctClose "MAX_GAP_PCT_CLOSE" = "0.1": SHARE;
            "Largest move from the session's open to the current price for a symbol to be traded; a fraction in spite of its name."
        MinMarketCapClose "MIN_MARKET_CAP_CLOSE" = "2000000000": MARKET_CAP;
            "Smallest market capitalization of a symbol to be traded."
        MaxMarketCapClose "MAX_MARKET_CAP_CLOSE" = "10000000000": MARKET_CAP;
            "Largest market capitalization of a symbol to be traded; above MIN_MARKET_CAP_CLOSE."
        StratCloseEnabled "STRAT_CLOSE_ENABLED" = "true": Kind::Flag;
            "Whether the CLOSE strategy runs."
        StartTimeClose "START_TIME_CLOSE" = "19:30": Kind::Time;
            "Start of the window, in UTC as on a winter day (19:30 is 14:30 in New York); see START_TIMES_DST_AWARE."
        CloseAnalysisTime "CLOSE_ANALYSIS_TIME" = "5": MINUTES;
            "Minutes from the start during which the signal is detected."
        CloseBreakoutTime "CLOSE_BREAKOUT_TIME" = "5": MINUTES;
            "Minutes after the analysis time during which a signal opens a trade."
        CloseMonitoringTime "CLOSE_MONITORING_TIME" = "25": MINUTES;
            "Longest time a position is held after its entry."
        StratCloseVixThreshold "STRAT_CLOSE_VIX_THRESHOLD" = "15": Kind::Number { range: Range::new(0.0, 200.0), unit: "index points" };
            "Lowest value of the VIX at which trades are opened; without a VIX value there are none."
        ShortTypeClose "SHORT_TYPE_CLOSE" = "InverseETF": SHORTING;
            "How a falling price is traded: by buying an inverse ETF, selling short, buying a put, or not at all."
    }
    Notifications {
        NotifyOnFill "NOTIFY_ON_FILL" = "true": Kind::Flag;
            "Whether a message is sent when a trade is entered."
        NotifyOnExit "NOTIFY_ON_EXIT" = "true": Kind::Flag;
            "Whether a message is sent when a trade is closed."
        NotifyOnFailure "NOTIFY_ON_FAILURE" = "true": Kind::Flag;
            "Whether a message is sent when something fails."
        CriticalAlertChannel "CRITICAL_ALERT_CHANNEL" = "pagerduty": choice(&["email", "slack", "sms", "pagerduty"]);
            "Where messages go that need someone at once."
        RoutineAlertChannel "ROUTINE_ALERT_CHANNEL" = "email": choice(&["email", "slack"]);
            "Where all other messages go."
    }
    Reporting {
        LedgerExportMode "LEDGER_EXPORT_MODE" = "auto": choice(&["auto", "off"]);
            "Whether the ledger is exported after each trade (auto) or never (off)."
    }
    Defense {
        DefenseModeActive "DEFENSE_MODE_ACTIVE" = "false": Kind::Flag;
            "Whether defense mode is on, which cuts the number of trades and the allocation; the live system sets it in a disaster and resets it on recovery."
        DefenseModeTradeLimitPct "DEFENSE_MODE_TRADE_LIMIT_PCT" = "66": Kind::Percent { range: Range::new(0.0, 100.0), suspect_below_one: true };
            "Percentage of MAX_TRADES and MAX_OPEN_POSITIONS allowed in defense mode, rounded down."
        DefenseModeTotalAllocation "DEFENSE_MODE_TOTAL_ALLOCATION" = "0.01": SHARE;
            "Share of the account's equity that one strategy may invest in one session in defense mode."
    }
    Access {
        RbacEnabled "RBAC_ENABLED" = "true": Kind::Flag;
            "Whether several users with roles may use the web pages; false allows a single administrator."
        DefaultUserRole "DEFAULT_USER_ROLE" = "viewer": choice(&["viewer", "admin"]);
            "Role of a new user; the first user is always an administrator."
    }
    Backups {
        BackupIntervalHours "BACKUP_INTERVAL_HOURS" = "24": int(1, 8_760, "hours");
            "Time between two backups that the program makes by itself."
        BackupKeep "BACKUP_KEEP" = "14": int(1, 1_000, "backups");
            "How many full backups are kept; older ones are removed. Portable ones stay."
    }
    Optimizer {
        EnableStrategyOptimizer "ENABLE_STRATEGY_OPTIMIZER" = "true": Kind::Flag;
            "Whether the optimizer may be started from the web pages."
        OptimizerBacktestLookbackDays "OPTIMIZER_BACKTEST_LOOKBACK_DAYS" = "30": int(1, 36_500, "days");
            "Days of history that a search started from the web pages uses."
        OptimizerAlgorithm "OPTIMIZER_ALGORITHM" = "grid_search": choice(&["grid_search", "bayesian", "genetic"]);
            "How a search picks the parameters it tries."
        OptimizerOutputDir "OPTIMIZER_OUTPUT_DIR" = "backtest_results/strategy_tuning/": Kind::Path;
            "Folder for the results of a search."
    }
    Costs {
        EnableSlippageModel "ENABLE_SLIPPAGE_MODEL" = "true": Kind::Flag;
            "Whether simulated fills slip."
        SlippageSimulationType "SLIPPAGE_SIMULATION_TYPE" = "randomized": choice(&["none", "rule_based", "randomized"]);
            "How simulated fills slip: not at all, by half the spread and the order's share of the volume, or at random."
        SlippageMeanPct "SLIPPAGE_MEAN_PCT" = "0.15": COST_PERCENT;
            "Average of random slippage in percent of the price (0.15 is 15 basis points)."
        SlippageStddevPct "SLIPPAGE_STDDEV_PCT" = "0.1": COST_PERCENT;
            "Standard deviation of random slippage in percent of the price."
        SimulatedLatencyMs "SIMULATED_LATENCY_MS" = "500": int(0, 3_600_000, "milliseconds");
            "Time a simulated order takes to reach the venue."
    }
    OptionFilter {
        EnableBsmFilter "ENABLE_BSM_FILTER" = "true": Kind::Flag;
            "Whether puts are bought only near their Black-Scholes price; matters only with SHORT_TYPE_* = LongPut."
        MaxBsmDeviation "MAX_BSM_DEVIATION" = "0.15": SHARE;
            "Largest distance of an option's price from its Black-Scholes price, as a fraction of the latter."
        RiskFreeRate "RISK_FREE_RATE" = "0.045": Kind::Number { range: Range::new(-0.1, 1.0), unit: "fraction per year" };
            "Risk-free interest rate per year (0.045 is 4.5 %) where no current one is supplied."
        RiskFreeRateSource "RISK_FREE_RATE_SOURCE" = "dynamic": choice(&["static", "dynamic"]);
            "Whether the live system uses RISK_FREE_RATE or the current rate of the account's jurisdiction; backtests always use RISK_FREE_RATE."
    }
}
