//! Executions drawn from a seed: whole, in parts, late, while a cancel is on its way; and rejections.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rust_decimal::Decimal;
use tradebot::stats::philox4x32;

use crate::local_alpaca::{FeedBar, Filler, Market, Order, Outcome};

/// Draws by seed and by what is drawn for, so that they do not depend on turns.
#[derive(Clone, Copy)]
pub struct Draws(pub u32);

impl Draws {
    /// Four numbers.
    pub fn of(self, key: &str, n: u32) -> [u32; 4] {
        let hash = key.bytes().fold(0x811C_9DC5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        philox4x32([hash, n, 0, 0], [self.0, 9])
    }

    /// A number below `bound`.
    pub fn below(self, key: &str, bound: u32) -> u32 {
        self.of(key, 0)[0] % bound
    }
}

pub struct Wild {
    pub draws: Draws,
    /// Everything fills at once and whole.
    pub calm: Arc<AtomicBool>,
    /// Orders that were turned down or ended by the broker itself.
    pub refusals: Arc<AtomicU64>,
}

impl Wild {
    fn is_calm(&self) -> bool {
        self.calm.load(Ordering::SeqCst)
    }

    /// What is left, or a part of it.
    fn some(&self, order: &Order, price: Decimal, n: u32) -> Outcome {
        let left = order.qty - order.filled;
        let [whole, size, ..] = self.draws.of(&order.client_id, n);
        let qty = if whole % 5 < 2 || self.is_calm() { left } else { part(left, size) };
        Outcome::Fill { order: order.id.clone(), qty, price }
    }
}

/// A part of a quantity: whole shares of whole ones, anything of fractions.
pub fn part(left: Decimal, draw: u32) -> Decimal {
    if left.fract().is_zero() {
        let shares: u32 = left.to_string().parse::<f64>().unwrap() as u32;
        return Decimal::from(1 + draw % shares.max(1));
    }
    let share = Decimal::new(i64::from(1 + draw % 999), 3);
    (left * share).round_dp_with_strategy(9, rust_decimal::RoundingStrategy::AwayFromZero).min(left)
}

fn is_auction(order: &Order) -> bool {
    matches!(order.tif.as_str(), "cls" | "opg")
}

impl Filler for Wild {
    fn submitted(&mut self, order: &Order, market: &Market) -> Vec<Outcome> {
        let (bid, ask) = market.quotes[&order.symbol];
        let price = if order.is_buy() { ask } else { bid };
        let [what, ..] = self.draws.of(&order.client_id, 1);
        if what % 40 == 39 && !self.is_calm() {
            self.refusals.fetch_add(1, Ordering::SeqCst);
            return vec![Outcome::Reject { order: order.id.clone() }];
        }
        let is_marketable = match order.kind.as_str() {
            "market" => !is_auction(order),
            "limit" => order.limit.is_some_and(|limit| if order.is_buy() { limit >= price } else { limit <= price }),
            _ => false,
        };
        if !is_marketable || (what % 10 > 7 && !self.is_calm()) {
            return Vec::new();
        }
        vec![self.some(order, price, 2)]
    }

    fn canceling(&mut self, order: &Order, market: &Market) -> Vec<Outcome> {
        let [what, ..] = self.draws.of(&order.client_id, 3);
        let (bid, ask) = market.quotes[&order.symbol];
        let price = if order.is_buy() { ask } else { bid };
        if what % 6 == 0 && !self.is_calm() { vec![self.some(order, price, 4)] } else { Vec::new() }
    }

    fn minute(&mut self, bars: &[FeedBar], open: &[Order], market: &Market) -> Vec<Outcome> {
        let minute = (market.now / tradebot::market::MINUTE) as u32;
        let mut outcomes = Vec::new();
        for order in open {
            let Some(bar) = bars.iter().find(|bar| bar.symbol == order.symbol) else { continue };
            let [what, ..] = self.draws.of(&order.client_id, minute);
            if what % 150 == 149 && !self.is_calm() {
                self.refusals.fetch_add(1, Ordering::SeqCst);
                outcomes.push(Outcome::Cancel { order: order.id.clone() });
                continue;
            }
            let has_begun = order.filled > Decimal::ZERO;
            let price = match order.kind.as_str() {
                "market" if is_auction(order) => None,
                "market" => Some(bar.open),
                "limit" => {
                    order.limit.filter(|limit| if order.is_buy() { bar.low <= *limit } else { bar.high >= *limit })
                }
                "stop" if has_begun => Some(bar.open),
                "stop" => order.stop.filter(|stop| if order.is_buy() { bar.high >= *stop } else { bar.low <= *stop }),
                "trailing_stop" if has_begun || what % 8 == 0 => Some(bar.low),
                _ => None,
            };
            if let Some(price) = price.filter(|_| what % 5 != 4 || self.is_calm()) {
                outcomes.push(self.some(order, price, minute));
            }
        }
        outcomes
    }
}
