//! What all symbols share: the shape of a session, the index, the sectors, the volatility index.

use super::random::{Draws, Purpose};
use crate::market::{MINUTE, Session};

/// Price points within a minute.
pub(super) const POINTS: usize = 4;
/// Number of sectors.
pub(super) const SECTORS: usize = 6;
/// Sessions a year, for annualised volatility.
const YEAR: f64 = 252.0;
/// Share of a day's variance that falls on the night before it.
pub(super) const NIGHT: f64 = 0.22;

/// Volatility of the index a year at the mean of its log variance.
const MEAN_VOLATILITY: f64 = 0.175;
/// Memory of the log variance from day to day.
const PERSISTENCE: f64 = 0.94;
/// Standard deviation of its daily innovation.
const VOLATILITY_OF_VARIANCE: f64 = 0.22;
/// Correlation of returns with the innovation of the variance (the leverage effect).
const LEVERAGE: f64 = -0.6;
/// What the volatility index is above the expected volatility: the variance risk premium.
const PREMIUM: f64 = 1.10;

/// U-shapes of one session, by minute.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    /// Standard deviation of a price point's return as a share of the session's; squares sum to 1 over all points.
    pub volatility: Vec<f64>,
    /// Share of the session's volume, both auctions included; sums to 1.
    pub volume: Vec<f64>,
}

impl Shape {
    /// Shape of a session of so many minutes.
    pub(super) fn new(minutes: usize) -> Shape {
        let u = |t: usize, open: f64, open_decay: f64, close: f64, close_decay: f64| {
            let (t, left) = (t as f64, (minutes - 1 - t) as f64);
            1.0 + open * libm::exp(-t / open_decay) + close * libm::exp(-left / close_decay)
        };
        let volatility: Vec<f64> = (0..minutes).map(|t| u(t, 1.9, 22.0, 0.5, 18.0)).collect();
        let squares: f64 = volatility.iter().map(|v| v * v).sum::<f64>() * POINTS as f64;
        let norm = squares.sqrt();
        let volume: Vec<f64> = (0..minutes).map(|t| u(t, 2.6, 20.0, 1.8, 14.0)).collect();
        let total: f64 = volume.iter().sum();
        // Of the day's volume 2.5 % trade in the opening auction and 9 % in the closing auction.
        let mut volume: Vec<f64> = volume.iter().map(|v| v / total * 0.885).collect();
        volume[0] += 0.025;
        volume[minutes - 1] += 0.09;
        Shape { volatility: volatility.iter().map(|v| v / norm).collect(), volume }
    }
}

/// One session of the whole market.
#[derive(Debug)]
pub(super) struct MarketDay {
    pub session: Session,
    pub minutes: usize,
    /// Index into the shapes.
    pub shape: usize,
    /// Log return of the index over the night.
    pub night: f64,
    /// Log returns of the index, point by point.
    pub path: Vec<f64>,
    /// Log returns of each sector beside the index, over the night and point by point.
    pub sectors: Vec<(f64, Vec<f64>)>,
    /// Daily volatility of the index relative to its mean.
    pub turbulence: f64,
    /// Close of the volatility index.
    pub vix: f64,
}

/// The market of all sessions.
#[derive(Debug)]
pub(super) struct MarketModel {
    pub days: Vec<MarketDay>,
    pub shapes: Vec<Shape>,
}

impl MarketModel {
    pub(super) fn new(seed: u64, sessions: &[Session]) -> MarketModel {
        let mut shapes: Vec<(usize, Shape)> = Vec::new();
        let mean = 2.0 * libm::log(MEAN_VOLATILITY / YEAR.sqrt());
        // A market that is a little nervous at the start.
        let mut log_variance = mean + 0.2;
        let mut days = Vec::with_capacity(sessions.len());
        for (d, session) in sessions.iter().enumerate() {
            let minutes = ((session.close - session.open) / MINUTE) as usize;
            let shape = match shapes.iter().position(|s| s.0 == minutes) {
                Some(at) => at,
                None => {
                    shapes.push((minutes, Shape::new(minutes)));
                    shapes.len() - 1
                }
            };
            let day = d as u32;
            let daily = libm::exp(0.5 * log_variance);
            let mut draws = Draws::new(seed, Purpose::Index, 0, day);
            let night = daily * NIGHT.sqrt() * draws.normal();
            let path = walk(&mut draws, daily * (1.0 - NIGHT).sqrt(), &shapes[shape].1);
            let whole = (night + path.iter().sum::<f64>()) / daily;
            let sectors = (0..SECTORS)
                .map(|s| {
                    let mut draws = Draws::new(seed, Purpose::Sector, s as u32, day);
                    let daily = 0.55 * daily;
                    let night = daily * NIGHT.sqrt() * draws.normal();
                    (night, walk(&mut draws, daily * (1.0 - NIGHT).sqrt(), &shapes[shape].1))
                })
                .collect();
            let own = Draws::new(seed, Purpose::VolatilityIndex, 0, day).normal();
            let innovation = LEVERAGE * whole + (1.0 - LEVERAGE * LEVERAGE).sqrt() * own;
            log_variance = mean + PERSISTENCE * (log_variance - mean) + VOLATILITY_OF_VARIANCE * innovation;
            days.push(MarketDay {
                session: *session,
                minutes,
                shape,
                night,
                path,
                sectors,
                turbulence: daily / (MEAN_VOLATILITY / YEAR.sqrt()),
                vix: volatility_index(mean, log_variance),
            });
        }
        MarketModel { days, shapes: shapes.into_iter().map(|s| s.1).collect() }
    }
}

/// Returns point by point of a session with this volatility.
fn walk(draws: &mut Draws, volatility: f64, shape: &Shape) -> Vec<f64> {
    let mut out = Vec::with_capacity(shape.volatility.len() * POINTS);
    for v in &shape.volatility {
        for _ in 0..POINTS {
            out.push(volatility * v * draws.normal());
        }
    }
    out
}

/// Expected volatility of the index over the next 21 sessions, annualised, in percent, with its premium: the mean
/// of the variance's expectation under its own first-order autoregression.
fn volatility_index(mean: f64, log_variance: f64) -> f64 {
    let mut expected = 0.0;
    let mut weight = 1.0;
    let mut spread = 0.0;
    for _ in 0..21 {
        expected += libm::exp(mean + weight * (log_variance - mean) + 0.5 * spread);
        spread = PERSISTENCE * PERSISTENCE * spread + VOLATILITY_OF_VARIANCE * VOLATILITY_OF_VARIANCE;
        weight *= PERSISTENCE;
    }
    let annual = (expected / 21.0 * YEAR).sqrt() * 100.0 * PREMIUM;
    (annual * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volume_and_variance_are_shared_out_and_stand_highest_at_both_ends() {
        for minutes in [390, 210] {
            let shape = Shape::new(minutes);
            let volume: f64 = shape.volume.iter().sum();
            let variance: f64 = shape.volatility.iter().map(|v| v * v * POINTS as f64).sum();
            assert!((volume - 1.0).abs() < 1e-12 && (variance - 1.0).abs() < 1e-12);
            let noon = minutes / 2;
            assert!(shape.volume[1] > 2.0 * shape.volume[noon] && shape.volume[minutes - 2] > 2.0 * shape.volume[noon]);
            assert!(shape.volatility[1] > 2.0 * shape.volatility[noon]);
            assert!(shape.volatility[minutes - 2] > 1.2 * shape.volatility[noon]);
        }
    }
}
