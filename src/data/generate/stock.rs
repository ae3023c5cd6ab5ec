//! One symbol: its character, its news, its path.

use super::market::{MarketDay, MarketModel, NIGHT, POINTS, SECTORS};
use super::random::{Draws, Purpose};
use crate::market::{Bars, MINUTE, Nanos};
use std::sync::Arc;

/// How often news moves a stock, per session. Busier than real markets, so that a few weeks show every strategy
/// at work.
const NEWS_RATE: f64 = 0.14;

/// What a stock is, drawn once.
#[derive(Debug, Clone)]
pub(super) struct Profile {
    sector: usize,
    /// Price before the first session, dollars.
    pub price: f64,
    /// Return for one of the index.
    beta: f64,
    /// Return for one of its sector.
    loading: f64,
    /// Daily volatility of its own.
    volatility: f64,
    /// Mean shares a day.
    volume: f64,
    pub market_cap: f64,
    pub pe_ratio: Option<f64>,
    pub debt_equity: Option<f64>,
    pub exchange: &'static str,
}

impl Profile {
    /// Most stocks are volatile mid caps, which the default filters admit; every eighth fails one of them, so
    /// that the filters have something to do.
    pub(super) fn draw(seed: u64, symbol: u32) -> Profile {
        let mut d = Draws::new(seed, Purpose::Profile, symbol, 0);
        let mut profile = Profile {
            sector: symbol as usize % SECTORS,
            price: cents(d.between(9.0, 46.0)),
            beta: d.between(0.7, 1.5),
            loading: d.between(0.5, 1.2),
            volatility: d.between(0.016, 0.028),
            volume: libm::exp(d.between(libm::log(1.9e6), libm::log(9.0e6))),
            market_cap: (d.between(2.3, 9.4) * 100.0).round() * 1e7,
            pe_ratio: Some((d.between(8.0, 42.0) * 10.0).round() / 10.0),
            debt_equity: Some((d.between(0.1, 2.1) * 100.0).round() / 100.0),
            exchange: if d.uniform() < 0.55 { "NASDAQ" } else { "NYSE" },
        };
        if symbol % 8 == 7 {
            match symbol / 8 % 4 {
                0 => profile.market_cap *= 6.0,
                1 => profile.pe_ratio = None,
                2 => profile.debt_equity = Some(3.4),
                _ => profile.volume *= 0.15,
            }
        }
        profile
    }
}

/// News of one session.
#[derive(Debug, Clone, Copy)]
struct News {
    /// Minute in which it becomes known; `None`: over the night.
    minute: Option<usize>,
    /// Log return it is worth.
    impact: f64,
    /// Minutes in which half of the rest is taken in.
    half_life: f64,
}

impl News {
    fn draw(d: &mut Draws, minutes: usize) -> Option<News> {
        let happens = d.uniform() < NEWS_RATE;
        let when = d.uniform();
        let place = d.uniform();
        let size = (0.025 - 0.022 * libm::log(d.uniform())).min(0.14);
        let impact = if d.uniform() < 0.5 { -size } else { size };
        let half_life = d.between(2.5, 7.0);
        if !happens {
            return None;
        }
        let (from, to) = if when < 0.22 {
            // Before the open: a gap.
            return Some(News { minute: None, impact, half_life });
        } else if when < 0.62 {
            // While the opening is still being sorted out.
            (12.0, 26.0)
        } else if when < 0.81 {
            (26.0, minutes as f64 - 30.0)
        } else {
            // In the afternoon, when many announcements fall.
            (0.70 * minutes as f64, 0.86 * minutes as f64)
        };
        let minute = ((from + (to - from) * place) as usize).min(minutes - 1);
        Some(News { minute: Some(minute), impact, half_life })
    }
}

/// What happens to a share before the open of a session.
#[derive(Debug, Clone, Copy)]
pub(super) struct DayAction {
    /// New shares for one; 1 for no split.
    pub split: f64,
    /// Dollars a share after the split.
    pub dividend: f64,
}

impl DayAction {
    pub(super) const NONE: DayAction = DayAction { split: 1.0, dividend: 0.0 };
}

/// The bars of a stock over all sessions. `action` gives what happens before the open of a session, knowing the
/// close before it.
pub(super) fn bars(
    seed: u64,
    symbol: u32,
    profile: &Profile,
    market: &MarketModel,
    start: &Arc<Vec<Nanos>>,
    mut action: impl FnMut(usize, f64) -> DayAction,
) -> Bars {
    let mut out = BarWriter::new(start);
    let mut price = profile.price;
    // Own volatility relative to its mean, in logs.
    let mut excess = 0.0;
    let mut shares = profile.volume;
    for (d, day) in market.days.iter().enumerate() {
        let mut draws = Draws::new(seed, Purpose::Day, symbol, d as u32);
        excess = 0.85 * excess + 0.22 * draws.normal();
        let own = profile.volatility * libm::exp(excess) * (0.6 + 0.4 * day.turbulence);
        let news = News::draw(&mut draws, day.minutes);
        let busy = libm::exp(0.18 * draws.normal() + 0.5 * excess) * if news.is_some() { 1.9 } else { 1.0 };
        let happens = action(d, price);
        shares *= happens.split;
        let gap = match news {
            Some(News { minute: None, impact, .. }) => impact,
            _ => 0.0,
        };
        let sector = &day.sectors[profile.sector];
        let night = profile.beta * day.night + profile.loading * sector.0 + own * NIGHT.sqrt() * draws.normal() + gap;
        price = price / happens.split * libm::exp(night) - happens.dividend;
        let mut volume = Draws::new(seed, Purpose::Volume, symbol, d as u32);
        // A shorter session trades less, though more a minute.
        let total = shares * busy * libm::pow(day.minutes as f64 / 390.0, 0.8);
        let mut path = Draws::new(seed, Purpose::Path, symbol, d as u32);
        let shape = &market.shapes[day.shape];
        let own = own * (1.0 - NIGHT).sqrt();
        let mut pending = 0.0;
        for minute in 0..day.minutes {
            let mut rush = 1.0;
            let mut absorbed = 0.0;
            if let Some(news) = news {
                if news.minute == Some(minute) {
                    pending = news.impact;
                }
                rush += 60.0 * f64::abs(pending);
                absorbed = pending * (1.0 - libm::exp2(-1.0 / news.half_life));
                pending -= absorbed;
            }
            let mut points = [0.0; POINTS];
            // The first trade of a minute lies within the spread around the last one.
            let first = price * (1.0 + 0.0002 * path.normal());
            for (k, point) in points.iter_mut().enumerate() {
                let i = minute * POINTS + k;
                let own = own * shape.volatility[minute] * path.normal();
                let step = profile.beta * day.path[i] + profile.loading * sector.1[i] + own;
                price *= libm::exp(step + absorbed / POINTS as f64);
                *point = price;
            }
            let noise = libm::exp(0.35 * volume.normal() - 0.06);
            out.push(first, &points, total * shape.volume[minute] * noise * rush);
        }
    }
    out.bars
}

/// A fund on the index.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fund {
    /// Price before the first session, dollars.
    pub price: f64,
    /// Times the index's return of the day.
    pub leverage: f64,
    /// Mean shares a day.
    pub volume: f64,
    /// Fee a year, as a fraction.
    pub fee: f64,
}

/// The bars of a fund that moves `leverage` times the index from each close on.
pub(super) fn fund_bars(
    seed: u64,
    symbol: u32,
    fund: Fund,
    market: &MarketModel,
    start: &Arc<Vec<Nanos>>,
    mut action: impl FnMut(usize, f64) -> DayAction,
) -> Bars {
    let mut out = BarWriter::new(start);
    let mut price = fund.price;
    for (d, day) in market.days.iter().enumerate() {
        let mut draws = Draws::new(seed, Purpose::Path, symbol, d as u32);
        let mut volume = Draws::new(seed, Purpose::Volume, symbol, d as u32);
        let happens = action(d, price);
        let base = price * (1.0 - fund.fee / 252.0);
        let shape = &market.shapes[day.shape];
        let short = libm::pow(day.minutes as f64 / 390.0, 0.8);
        let total = fund.volume * libm::exp(0.2 * volume.normal()) * day.turbulence * short;
        let mut index = day.night;
        let level = |index: f64| base * (1.0 + fund.leverage * (libm::exp(index) - 1.0)) - happens.dividend;
        price = level(index);
        for minute in 0..day.minutes {
            let mut points = [0.0; POINTS];
            let first = price * (1.0 + 0.0001 * draws.normal());
            for (k, point) in points.iter_mut().enumerate() {
                index += day.path[minute * POINTS + k];
                price = level(index);
                *point = price;
            }
            let noise = libm::exp(0.35 * volume.normal() - 0.06);
            out.push(first, &points, total * shape.volume[minute] * noise);
        }
    }
    out.bars
}

/// Collects bars: prices in cents, volumes in lots of 100 shares, from 20,000 shares on of 1,000.
struct BarWriter {
    bars: Bars,
}

impl BarWriter {
    fn new(start: &Arc<Vec<Nanos>>) -> BarWriter {
        let column = || Vec::with_capacity(start.len());
        let (open, high, low, close, volume) = (column(), column(), column(), column(), column());
        BarWriter { bars: Bars { start: start.clone(), open, high, low, close, volume, quotes: None } }
    }

    fn push(&mut self, first: f64, points: &[f64], volume: f64) {
        let open = cents(first);
        let (mut high, mut low, mut close) = (open, open, open);
        for point in points {
            close = cents(*point);
            high = high.max(close);
            low = low.min(close);
        }
        self.bars.open.push(open);
        self.bars.high.push(high);
        self.bars.low.push(low);
        self.bars.close.push(close);
        let lot = if volume < 20_000.0 { 100.0 } else { 1_000.0 };
        self.bars.volume.push((volume / lot).round().max(1.0) * lot);
    }
}

/// To the cent, at least one.
pub(super) fn cents(price: f64) -> f64 {
    (price * 100.0).round().max(1.0) / 100.0
}

/// Starts of the minute bars of all sessions.
pub(super) fn starts(days: &[MarketDay]) -> Vec<Nanos> {
    days.iter().flat_map(|day| (0..day.minutes as i64).map(|m| day.session.open + m * MINUTE)).collect()
}
