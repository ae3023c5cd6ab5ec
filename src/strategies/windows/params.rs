//! The parameters of `open`, `mid` and `close`: the settings that concern them, and what these leave open.

use super::super::params::{ParamKind, ParamSpec};
use crate::settings::Key;

const RANK: ParamSpec = ParamSpec {
    name: "rank",
    kind: ParamKind::Choice(&["symbol", "strength", "relative_volume"]),
    default: "symbol",
    meaning: "Order of signals of the same instant: by name, by how far the close is beyond its trigger, or by the \
              session's volume so far against the whole previous session.",
};

const WITHOUT_FUNDAMENTALS: ParamSpec = ParamSpec {
    name: "without_fundamentals",
    kind: ParamKind::Choice(&["reject", "ignore"]),
    default: "reject",
    meaning: "In a run without any fundamentals: whether every candidate fails their filters, or the filters are not \
              applied.",
};

const RANGE_STOP: ParamSpec = ParamSpec {
    name: "stop",
    kind: ParamKind::Choice(&["none", "range", "midpoint"]),
    default: "none",
    meaning: "Protective stop: the opposite side or the middle of the range (for a fade as far beyond the entry).",
};

const TARGET_R: ParamSpec = ParamSpec {
    name: "target_r",
    kind: ParamKind::Float { min: 0.01, max: 1000.0 },
    default: "",
    meaning: "Profit target in multiples of the distance of the stop; needs a stop.",
};

/// A list of parameters: the keys of one window, the keys of all three, `rank` and `without_fundamentals`, and
/// the own parameters of the strategy.
macro_rules! params {
    ([$($key:ident),*], [$($own:expr),*]) => {
        &[
            $(ParamSpec::setting(Key::$key),)*
            ParamSpec::setting(Key::StartTimesDstAware),
            ParamSpec::setting(Key::TradingDays),
            ParamSpec::setting(Key::TotalAllocation),
            ParamSpec::setting(Key::MaxTrades),
            ParamSpec::setting(Key::Weights),
            ParamSpec::setting(Key::MaxRiskPerTrade),
            ParamSpec::setting(Key::MinPrice),
            ParamSpec::setting(Key::MaxPrice),
            ParamSpec::setting(Key::MinVolumeThreshold),
            ParamSpec::setting(Key::EnableFundamentalsFilter),
            ParamSpec::setting(Key::MaxPeRatio),
            ParamSpec::setting(Key::MaxDebtEquity),
            ParamSpec::setting(Key::EnableBsmFilter),
            ParamSpec::setting(Key::MaxBsmDeviation),
            RANK,
            WITHOUT_FUNDAMENTALS,
            $($own,)*
        ]
    };
}

pub(in super::super) const OPEN_PARAMS: &[ParamSpec] = params!(
    [
        StratOpenEnabled,
        StartTimeOpen,
        OpenAnalysisTime,
        OpenBreakoutTime,
        OpenMonitoringTime,
        StratOpenBuffer,
        ShortTypeOpen,
        MaxGapPctOpen,
        MinMarketCapOpen,
        MaxMarketCapOpen
    ],
    [RANGE_STOP, TARGET_R]
);

pub(in super::super) const MID_PARAMS: &[ParamSpec] = params!(
    [
        StratMidEnabled,
        StartTimeMid,
        MidAnalysisTime,
        MidBreakoutTime,
        MidMonitoringTime,
        StratMidVwapThreshold,
        ShortTypeMid,
        MaxGapPctMid,
        MinMarketCapMid,
        MaxMarketCapMid
    ],
    [
        ParamSpec {
            name: "stop",
            kind: ParamKind::Choice(&["none", "mirror"]),
            default: "none",
            meaning: "Protective stop: as far beyond the entry as the VWAP is on the other side.",
        },
        ParamSpec {
            name: "target",
            kind: ParamKind::Choice(&["none", "vwap"]),
            default: "none",
            meaning: "Profit target: the VWAP at the entry.",
        }
    ]
);

pub(in super::super) const CLOSE_PARAMS: &[ParamSpec] = params!(
    [
        StratCloseEnabled,
        StartTimeClose,
        CloseAnalysisTime,
        CloseBreakoutTime,
        CloseMonitoringTime,
        StratCloseVixThreshold,
        ShortTypeClose,
        MaxGapPctClose,
        MinMarketCapClose,
        MaxMarketCapClose
    ],
    [
        ParamSpec {
            name: "mode",
            kind: ParamKind::Choice(&["momentum", "fade"]),
            default: "momentum",
            meaning: "Whether to enter with the break of the range or against it.",
        },
        ParamSpec {
            name: "buffer",
            kind: ParamKind::Float { min: 0.0, max: 1.0 },
            default: "0",
            meaning: "How far beyond the range a bar must close, as a fraction of its high or low.",
        },
        ParamSpec {
            name: "trend",
            kind: ParamKind::Choice(&["none", "session"]),
            default: "none",
            meaning: "session: enter only on the side on which the symbol stands against its session open.",
        },
        RANGE_STOP,
        TARGET_R
    ]
);
