//! A run of 60 sessions, 390 steps each, with 120 trades of three strategies in eight symbols: made by
//! arithmetic alone, so that it is the same everywhere.

use chrono::NaiveDate;
use serde_json::{Map, Value, json};
use tradebot::backtest::report::PriceSeries;
use tradebot::backtest::store::{Elapsed, Summary};
use tradebot::backtest::{Ambiguity, Costs, DailyEquity, EquityCurve, RunResult};
use tradebot::market::{MINUTE, Nanos, SymbolId, new_york_offset, parse_time};
use tradebot::trading::{Fill, Order, OrderEvent, OrderId, OrderRecord, OrderRequest, OrderState, Side, Trade};

pub const SESSIONS: usize = 60;
pub const BARS: usize = 390;
pub const TRADES: usize = 120;
const START_EQUITY: f64 = 100_000.0;
const SYMBOLS: [(&str, f64); 8] = [
    ("AAPL", 184.0),
    ("AMD", 172.0),
    ("F", 12.2),
    ("MSFT", 404.0),
    ("NVDA", 72.6),
    ("PLTR", 23.4),
    ("SPY", 497.0),
    ("TSLA", 196.0),
];
const STRATEGIES: [&str; 3] = ["open", "mid", "close"];
/// First and last minute of entries, and the longest holding, of each strategy.
const WINDOWS: [(usize, usize, usize); 3] = [(6, 60, 50), (120, 240, 60), (330, 365, 24)];

/// A run with everything that is written about it.
pub struct Fixture {
    pub run: Value,
    pub summary: Summary,
    pub result: RunResult,
    pub curve: EquityCurve,
    pub prices: Vec<PriceSeries<'static>>,
}

/// SplitMix64: enough for a picture.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Roughly normal: the sum of twelve.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.next()).sum::<f64>() - 6.0
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() * n as f64) as usize
    }
}

/// Opens of the sessions, over the change to daylight saving time and Good Friday of 2024.
fn opens() -> Vec<Nanos> {
    let closed = [NaiveDate::from_ymd_opt(2024, 3, 29).unwrap()];
    let mut date = NaiveDate::from_ymd_opt(2024, 2, 5).unwrap();
    let mut out = Vec::new();
    while out.len() < SESSIONS {
        let weekday = chrono::Datelike::weekday(&date).num_days_from_monday();
        if weekday < 5 && !closed.contains(&date) {
            let noon = parse_time(&format!("{date}T17:00:00Z")).unwrap();
            let midnight = parse_time(&date.to_string()).unwrap() - new_york_offset(noon);
            out.push(midnight + 9 * HOUR + 30 * MINUTE);
        }
        date = date.succ_opt().unwrap();
    }
    out
}

const HOUR: Nanos = 60 * MINUTE;

fn cents(price: f64) -> f64 {
    (price * 100.0).round() / 100.0
}

fn prices(opens: &[Nanos]) -> Vec<PriceSeries<'static>> {
    SYMBOLS
        .iter()
        .zip(1u64..)
        .map(|(&(symbol, start), seed)| {
            let mut random = Random(seed * 7919);
            let mut series = PriceSeries { symbol: symbol.to_string(), ..PriceSeries::default() };
            let mut price = start;
            for &open in opens {
                price *= 1.0 + random.normal() * 0.006;
                let drift = random.normal() * 0.00004;
                for bar in 0..BARS {
                    // Busier at both ends of the session, as markets are.
                    let from_middle = (bar as f64 - 195.0) / 195.0;
                    let size = 0.0005 * (0.6 + 1.1 * from_middle * from_middle);
                    let o = cents(price);
                    price *= 1.0 + drift + random.normal() * size;
                    let c = cents(price);
                    series.times.to_mut().push(open + bar as Nanos * MINUTE);
                    series.open.to_mut().push(o);
                    series.close.to_mut().push(c);
                    series.high.to_mut().push(cents(o.max(c) * (1.0 + random.next() * size)));
                    series.low.to_mut().push(cents(o.min(c) * (1.0 - random.next() * size)));
                }
            }
            series
        })
        .collect()
}

/// The run.
pub fn fixture() -> Fixture {
    let opens = opens();
    let prices = prices(&opens);
    let mut result = RunResult {
        instruments: SYMBOLS.iter().map(|s| s.0.to_string()).collect(),
        strategies: STRATEGIES.iter().map(|s| s.to_string()).collect(),
        start_equity: START_EQUITY,
        ..RunResult::default()
    };
    let mut random = Random(20240205);
    for k in 0..TRADES {
        trade(&mut result, &mut random, &prices, k);
    }
    result.warnings = vec![
        "2 buy orders were reduced to what the account could pay.".to_string(),
        "VIX is missing for 1 session: no close entries on 2024-03-18.".to_string(),
    ];
    let curve = account(&mut result, &prices, &opens);
    result.ambiguity = Ambiguity { trades: 7, pnl: 143.27 };
    let summary = summary(&result, &opens);
    Fixture { run: run_json(&summary), summary, result, curve, prices }
}

fn trade(result: &mut RunResult, random: &mut Random, prices: &[PriceSeries<'_>], k: usize) {
    let strategy = k % 3;
    let (first, last, hold) = WINDOWS[strategy];
    let session = k * SESSIONS / TRADES;
    let symbol = random.below(SYMBOLS.len());
    let entry = session * BARS + first + random.below(last - first);
    let exit = entry + 3 + random.below(hold - 3);
    let series = &prices[symbol];
    let rises = series.open[exit] > series.open[entry];
    let right = random.next() < 0.63;
    let side = if rises == right { Side::Buy } else { Side::Sell };
    let qty = (40_000.0 / series.open[entry]).floor();
    let slip = 0.0001;
    let entry_price = series.open[entry] * (1.0 + side.sign() * slip);
    let exit_price = series.open[exit] * (1.0 - side.sign() * slip);
    let fee = (qty * 0.005).max(1.0);
    let reasons = ["target", "stop", "window end"];
    let won = (exit_price - entry_price) * side.sign() > 0.0;
    let reason = if random.next() < 0.35 { reasons[2] } else { reasons[usize::from(!won)] };
    let opening = order(result, symbol, strategy, side, qty, "breakout", (series.times[entry], entry_price, fee));
    let closing = order(result, symbol, strategy, side.opposite(), qty, reason, (series.times[exit], exit_price, fee));
    let worst = (entry..exit).map(|i| if side == Side::Buy { series.low[i] } else { series.high[i] });
    let best = (entry..exit).map(|i| if side == Side::Buy { series.high[i] } else { series.low[i] });
    let open_result = |price: f64| (price - entry_price) * side.sign() * qty;
    result.trades.push(Trade {
        symbol: SymbolId(symbol as u32),
        strategy: strategy as u16,
        side,
        qty,
        entry_time: series.times[entry],
        entry_price,
        exit_time: series.times[exit],
        exit_price,
        pnl: open_result(exit_price) - 2.0 * fee,
        commission: 2.0 * fee,
        slippage: qty * slip * (series.open[entry] + series.open[exit]),
        bars_held: (exit - entry) as u32,
        mae: worst.map(open_result).fold(0.0, f64::min),
        mfe: best.map(open_result).fold(0.0, f64::max),
        opening,
        closing,
        reason,
    });
}

/// One market order, filled at once.
fn order(
    result: &mut RunResult,
    symbol: usize,
    strategy: usize,
    side: Side,
    qty: f64,
    reason: &'static str,
    (time, price, commission): (Nanos, f64, f64),
) -> OrderId {
    let id = OrderId(result.orders.len() as u32);
    let request = OrderRequest::market(SymbolId(symbol as u32), side, qty, reason);
    result.orders.push(OrderRecord {
        order: Order { id, strategy: strategy as u16, request, decided: time, symbol_number: 0, liquidates: false },
        state: OrderState::Filled,
        filled: qty,
        ambiguous: false,
    });
    for (state, filled) in [(OrderState::Created, 0.0), (OrderState::Working, 0.0), (OrderState::Filled, qty)] {
        result.order_events.push(OrderEvent { id, time, state, filled, reason });
    }
    result.fills.push(Fill {
        order: id,
        time,
        symbol: SymbolId(symbol as u32),
        side,
        qty,
        price,
        commission,
        slippage: qty * price * 0.0001,
    });
    id
}

/// Marks the account at every step.
fn account(result: &mut RunResult, prices: &[PriceSeries<'_>], opens: &[Nanos]) -> EquityCurve {
    let mut fills = result.fills.clone();
    fills.sort_by_key(|f| f.time);
    let mut next = fills.iter().peekable();
    let (mut cash, mut held) = (START_EQUITY, [0.0; SYMBOLS.len()]);
    let mut curve = EquityCurve::default();
    for (session, &open) in opens.iter().enumerate() {
        for bar in 0..BARS {
            let end = open + (bar as Nanos + 1) * MINUTE;
            while let Some(fill) = next.next_if(|f| f.time < end) {
                cash -= fill.side.sign() * fill.qty * fill.price + fill.commission;
                held[fill.symbol.index()] += fill.side.sign() * fill.qty;
            }
            let value = |k: usize| held[k] * prices[k].close[session * BARS + bar];
            let equity = cash + (0..held.len()).map(value).sum::<f64>();
            curve.time.push(end);
            curve.equity.push(equity);
            curve.cash.push(cash);
            curve.exposure.push((0..held.len()).map(|k| value(k).abs()).sum::<f64>() / equity);
        }
        let date = tradebot::market::new_york_date(open);
        result.daily.push(DailyEquity { date, equity: curve.equity[curve.equity.len() - 1] });
    }
    result.equity = curve.equity.clone();
    result.costs = Costs {
        commission: result.fills.iter().map(|f| f.commission).sum(),
        slippage: result.fills.iter().map(|f| f.slippage).sum(),
        borrow: 12.84,
        interest: 0.0,
    };
    curve
}

fn summary(result: &RunResult, opens: &[Nanos]) -> Summary {
    let final_equity = result.equity[result.equity.len() - 1];
    let date = |t: Nanos| tradebot::market::format_date(tradebot::market::new_york_date(t));
    Summary {
        run_id: "20240501T210000Z-3f9a1c0b7d24".to_string(),
        fingerprint: "3f9a1c0b7d24e58f6071a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f7".to_string(),
        data_hash: "b1946ac92492d2347c6235b4d2611184f3d0b7c5a6e98d10c4f2b3a495867768".to_string(),
        seed: 1,
        version: "0.1.0".to_string(),
        strategies: result.strategies.clone(),
        params: json!({"open": {"OPEN_RANGE_MINUTES": 5, "BREAKOUT_BUFFER": 0.0005}, "mid": {"VWAP_BANDS": [1.5, 2.0]}, "close": {"VIX_MAX": null}}),
        symbols: result.instruments.clone(),
        from: date(opens[0]),
        to: date(opens[opens.len() - 1]),
        bars: (SESSIONS * BARS * SYMBOLS.len()) as u64,
        sessions: SESSIONS as u64,
        start_equity: START_EQUITY,
        final_equity,
        fills: result.fills.len() as u64,
        orders: result.orders.len() as u64,
        trades: result.trades.len() as u64,
        metrics: metrics(result),
        costs: result.costs,
        ambiguity: result.ambiguity,
        data_quality: match json!({"missing_bars": 12, "gaps": 4, "missing_sessions": 0, "zero_volume": 31, "jumps": 0, "outside_session": 0, "not_selected": 18720})
        {
            Value::Object(map) => map,
            _ => Map::new(),
        },
        warnings: result.warnings.clone(),
        elapsed: Elapsed { load_s: 0.21, run_s: 0.034, bars_per_s: 5_505_882.4 },
    }
}

/// Enough of the metrics to fill the page.
fn metrics(result: &RunResult) -> Map<String, Value> {
    let mut before = START_EQUITY;
    let returns: Vec<f64> = result
        .daily
        .iter()
        .map(|d| {
            let r = d.equity / before - 1.0;
            before = d.equity;
            r
        })
        .collect();
    let n = returns.len() as f64;
    let total = before / START_EQUITY - 1.0;
    let mean = returns.iter().sum::<f64>() / n;
    let moment = |p: i32| returns.iter().map(|r| (r - mean).powi(p)).sum::<f64>() / n;
    let sd = (moment(2) * n / (n - 1.0)).sqrt();
    let (mut peak, mut deepest) = (START_EQUITY, 0.0f64);
    for d in &result.daily {
        peak = peak.max(d.equity);
        deepest = deepest.min(d.equity / peak - 1.0);
    }
    let wins: Vec<f64> = result.trades.iter().map(|t| t.pnl).filter(|p| *p > 0.0).collect();
    let losses: Vec<f64> = result.trades.iter().map(|t| -t.pnl).filter(|p| *p > 0.0).collect();
    let (gains, lost) = (wins.iter().sum::<f64>(), losses.iter().sum::<f64>());
    let trades = result.trades.len() as f64;
    let values = json!({
        "total_return": total,
        "cagr": (1.0 + total).powf(252.0 / n) - 1.0,
        "annual_volatility": sd * 252f64.sqrt(),
        "sharpe": mean / sd * 252f64.sqrt(),
        "max_drawdown": deepest,
        "max_drawdown_duration_periods": 14,
        "skewness": moment(3) / moment(2).powf(1.5),
        "kurtosis_excess": moment(4) / moment(2).powi(2) - 3.0,
        "beta": null,
        "alpha_annual_arithmetic": null,
        "trades": trades,
        "wins": wins.len(),
        "losses": losses.len(),
        "breakeven": 0,
        "net_profit": gains - lost,
        "gross_profit": gains,
        "gross_loss": lost,
        "win_rate": wins.len() as f64 / trades,
        "profit_factor": gains / lost,
        "avg_win": gains / wins.len() as f64,
        "avg_loss": lost / losses.len() as f64,
        "payoff_ratio": gains / wins.len() as f64 / (lost / losses.len() as f64),
        "expectancy": (gains - lost) / trades,
        "max_consecutive_losses": 5
    });
    match values {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn run_json(summary: &Summary) -> Value {
    json!({
        "run_id": summary.run_id,
        "fingerprint": summary.fingerprint,
        "data_hash": summary.data_hash,
        "version": summary.version,
        "seed": summary.seed,
        "command": ["tbot", "backtest", "--data", "generated_minutes", "--fill", "path", "--seed", "1"],
        "data": {"path": "generated_minutes", "bar": "1m", "adjust": "raw"},
        "costs": {"commission": "per_share:0.005:min=1", "slippage": "fixed_pct:0.01"},
        "settings": {"TOTAL_ALLOCATION": 0.5, "MAX_RISK_PER_TRADE": 0.2, "DAILY_LOSS_LIMIT": 0.03},
        "assumptions": [
            "Market orders fill at the open of the next bar (fill rule path, zero latency).",
            "Inside a bar prices move from the open to the nearer extreme, to the other extreme, to the close.",
            "Every market fill is 0.01 % worse than the price it met; limit fills do not slip.",
            "Commission is $0.005 a share, at least $1 an order.",
            "Margin account: 50 % initial, 25 % maintenance, 6 % a year on a negative balance.",
            "Shares to sell short are always available at 0.3 % a year.",
            "Prices are as traded; splits and dividends are applied to positions.",
            "Trading stops for the day after a loss of 3 % against the close before."
        ]
    })
}
