//! The simulated venue as an exchange of its own: with its own market, which grows bar end by bar end, and its own books.

use tradebot::backtest::RunSpec;
use tradebot::market::Market;
use tradebot::risk::BarVenue;
use tradebot::sim::SimVenue;
use tradebot::trading::{Contracts, Portfolio};

/// See the module.
pub struct SimExchange {
    pub market: Market,
    contracts: Contracts,
    pub venue: SimVenue,
    pub portfolio: Portfolio,
}

impl SimExchange {
    /// Before the day `first`, with the days before it as history.
    pub fn new(spec: &RunSpec, market: &Market, first: usize) -> SimExchange {
        let sessions: Vec<_> = (0..first).map(|day| market.session_of(day)).collect();
        let grown = Market::growing(market.parts_before(first), &sessions).unwrap();
        let config = spec.config(&grown).unwrap();
        SimExchange {
            contracts: Contracts::new(&grown),
            venue: SimVenue::new(&grown, config.rules, false),
            portfolio: Portfolio::new(config.cash, grown.symbols.len(), spec.strategies.len()),
            market: grown,
        }
    }

    /// The bars that end at a step fill orders before anybody else hears of them.
    pub fn bars(&mut self, source: &Market, day: usize, step: usize) {
        let begins = step == source.days[day].first_step;
        let (day, step) = self.market.extend(&source.session_of(day), &source.bars_at(day, step)).unwrap();
        let instruments = self.contracts.on(&self.market);
        if begins {
            self.venue.start_day(day, &instruments);
        } else {
            self.venue.extend_day(&instruments);
        }
        self.venue.process(step, &mut self.portfolio, &instruments);
    }

    /// What happens at once to orders that came between two bar ends.
    pub fn settle(&mut self) {
        if let Some(step) = self.market.steps.len().checked_sub(1) {
            self.venue.settle(step, &mut self.portfolio, &self.contracts.on(&self.market));
        }
    }
}
