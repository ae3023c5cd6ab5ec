//! Random draws keyed by what they are for, not by when they are drawn.
//!
//! A draw is a pure function of (seed, symbol name, order number of that symbol, purpose): it depends on no
//! state, so threads, the order of runs and other symbols cannot change it. The generator is Philox4x32-10
//! (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"); uniforms come from `rand_distr`'s
//! `Open01`, normals from the inverse of the normal distribution (AS 241). The ziggurat of `rand_distr` is not used:
//! its tail calls the platform's `ln`, whose last bit differs between machines.

use crate::stats::philox4x32;
use rand::TryRng;
use rand_distr::{Distribution, Open01};
use std::convert::Infallible;

/// What a draw is for: each purpose has its own stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Purpose {
    /// Slippage of an order.
    Slippage = 1,
}

/// A short stream of random numbers for one event.
#[derive(Debug, Clone)]
pub struct EventRng {
    key: [u32; 2],
    event: u64,
    purpose: Purpose,
    block: u32,
    words: [u32; 4],
    used: usize,
}

impl EventRng {
    /// The stream of `event` under `key`.
    pub fn new(key: u64, event: u64, purpose: Purpose) -> EventRng {
        EventRng { key: [key as u32, (key >> 32) as u32], event, purpose, block: 0, words: [0; 4], used: 4 }
    }

    fn word(&mut self) -> u32 {
        if self.used == 4 {
            let counter = [self.event as u32, (self.event >> 32) as u32, self.purpose as u32, self.block];
            self.words = philox4x32(counter, self.key);
            self.block += 1;
            self.used = 0;
        }
        self.used += 1;
        self.words[self.used - 1]
    }
}

impl TryRng for EventRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.word())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let low = u64::from(self.word());
        Ok(low | u64::from(self.word()) << 32)
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Infallible> {
        for chunk in dst.chunks_mut(4) {
            chunk.copy_from_slice(&self.word().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

/// The key of a symbol's draws: depends on the seed and the symbol's name only.
pub fn symbol_key(seed: u64, symbol: &str) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"tradebot draw key 1");
    hasher.update(&seed.to_le_bytes());
    hasher.update(symbol.as_bytes());
    let mut bytes = [0; 8];
    hasher.finalize_xof().fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

/// A standard normal draw for one event.
pub fn standard_normal(key: u64, event: u64, purpose: Purpose) -> f64 {
    let uniform: f64 = Open01.sample(&mut EventRng::new(key, event, purpose));
    crate::stats::normal::quantile_of_draw(uniform)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_depends_on_its_key_and_event_only() {
        let key = symbol_key(1, "SPY");
        assert_eq!(standard_normal(key, 7, Purpose::Slippage), standard_normal(key, 7, Purpose::Slippage));
        assert_ne!(standard_normal(key, 7, Purpose::Slippage), standard_normal(key, 8, Purpose::Slippage));
        assert_ne!(symbol_key(1, "SPY"), symbol_key(1, "QQQ"));
        assert_ne!(symbol_key(1, "SPY"), symbol_key(2, "SPY"));
    }

    #[test]
    fn draws_have_the_moments_of_a_standard_normal() {
        let n = 100_000;
        let draws: Vec<f64> = (0..n).map(|i| standard_normal(42, i, Purpose::Slippage)).collect();
        let mean = draws.iter().sum::<f64>() / n as f64;
        let variance = draws.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n as f64;
        assert!(mean.abs() < 4.0 / (n as f64).sqrt(), "mean {mean}");
        assert!((variance - 1.0).abs() < 0.02, "variance {variance}");
    }
}
