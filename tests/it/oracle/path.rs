//! The path of a price through one bar, leg by leg.

use super::case::CaseBar;
use tradebot::market::Nanos;

/// A place on the paths of a symbol: bar, position in the bar (0 at its open, 1 and 2 at the extremes, 3 at
/// its close), and the instant of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    pub bar: usize,
    pub x: f64,
    pub time: Nanos,
    /// The price, where it is known exactly because an order's own price was met here; elsewhere it is read off
    /// the path.
    pub price: Option<f64>,
}

/// Which prices a search looks for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wanted {
    pub level: f64,
    /// True: prices at or above the level; false: at or below.
    pub above: bool,
    /// Only prices beyond the level.
    pub strictly: bool,
}

impl Wanted {
    /// Whether a price is one of those looked for.
    pub fn met_by(&self, price: f64) -> bool {
        match (self.above, self.strictly) {
            (true, false) => price >= self.level,
            (true, true) => price > self.level,
            (false, false) => price <= self.level,
            (false, true) => price < self.level,
        }
    }
}

/// Four prices joined by three straight legs of equal time.
#[derive(Debug, Clone, Copy)]
pub struct Path {
    bar: usize,
    start: Nanos,
    end: Nanos,
    prices: [f64; 4],
}

impl Path {
    pub fn new(bar: usize, data: &CaseBar, low_first: bool) -> Path {
        let p = data.prices;
        let (first, second) = if low_first { (p.low, p.high) } else { (p.high, p.low) };
        Path { bar, start: data.start, end: data.end, prices: [p.open, first, second, p.close] }
    }

    /// The instant of a position.
    fn time(&self, x: f64) -> Nanos {
        self.start + (x / 3.0 * (self.end - self.start) as f64).floor() as Nanos
    }

    /// The position of an instant within the bar.
    pub fn position(data: &CaseBar, time: Nanos) -> f64 {
        3.0 * (time - data.start) as f64 / (data.end - data.start) as f64
    }

    /// The point at the open.
    pub fn opening(&self) -> Point {
        Point { bar: self.bar, x: 0.0, time: self.start, price: Some(self.prices[0]) }
    }

    pub fn price(&self, x: f64) -> f64 {
        if x >= 3.0 {
            return self.prices[3];
        }
        let leg = x.floor() as usize;
        let (a, b) = (self.prices[leg], self.prices[leg + 1]);
        a + (x - leg as f64) * (b - a)
    }

    /// The price at a point of this bar.
    pub fn price_at(&self, point: Point) -> f64 {
        point.price.unwrap_or_else(|| self.price(point.x))
    }

    /// The point where `leg` crosses `level`, not before `from`.
    fn crossing(&self, leg: usize, level: f64, from: Point) -> Point {
        let (a, b) = (self.prices[leg], self.prices[leg + 1]);
        let x = (leg as f64 + (level - a) / (b - a)).max(from.x);
        Point { bar: self.bar, x, time: self.time(x).max(from.time), price: Some(level) }
    }

    /// The legs that `from` leaves to go.
    fn legs(from: Point) -> std::ops::Range<usize> {
        (from.x.floor() as usize).min(3)..3
    }

    /// The first point from `from` on at which the price is wanted: `from` itself with the price it has there,
    /// else where a leg meets the level.
    pub fn first(&self, from: Point, wanted: Wanted) -> Option<Point> {
        let here = self.price_at(from);
        if wanted.met_by(here) {
            return Some(Point { price: Some(here), ..from });
        }
        let leg = Self::legs(from).find(|&leg| wanted.met_by(self.prices[leg + 1]))?;
        Some(self.crossing(leg, wanted.level, from))
    }

    /// Follows a trailing stop from `from` to the close. `best` is the best price so far and is moved along;
    /// `stop` gives the stop for a best price; `above` says that the stop lies above the price (a buy).
    pub fn trail(&self, from: Point, best: &mut f64, stop: impl Fn(f64) -> f64, above: bool) -> Option<Point> {
        let here = self.price_at(from);
        let hit = |best: f64, price: f64| Wanted { level: stop(best), above, strictly: false }.met_by(price);
        let better = |best: f64, price: f64| if above { best.min(price) } else { best.max(price) };
        if hit(*best, here) {
            return Some(Point { price: Some(here), ..from });
        }
        *best = better(*best, here);
        for leg in Self::legs(from) {
            let end = self.prices[leg + 1];
            if hit(*best, end) {
                return Some(self.crossing(leg, stop(*best), from));
            }
            *best = better(*best, end);
        }
        None
    }
}

/// Whether the path goes to the low first: to the extreme nearer to the open, and on a tie to the low.
pub fn low_is_nearer(data: &CaseBar) -> bool {
    let p = data.prices;
    (p.open - p.low) <= (p.high - p.open) + 1e-9 * p.open
}
