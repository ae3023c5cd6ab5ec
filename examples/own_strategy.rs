//! A strategy of one's own: buys what fell for three sessions in a row, and sells it a session later.
//!
//! `cargo run --release --example own_strategy`

use std::error::Error;
use std::sync::atomic::AtomicBool;
use tradebot::backtest::{RunConfig, run};
use tradebot::data::{LoadOptions, Source, load};
use tradebot::engine::StrategySetup;
use tradebot::market::MINUTE;
use tradebot::risk::{Limits, whole_shares};
use tradebot::sim::SimRules;
use tradebot::trading::{OrderRequest, Orders, Setup, Side, Strategy, View, Wake};

struct ThreeDown;

impl Strategy for ThreeDown {
    fn name(&self) -> &str {
        "three_down"
    }

    fn start(&mut self, _: &mut Setup<'_>) -> Wake {
        Wake::NEXT_BAR
    }

    /// Once a session, at the end of its first bar.
    fn decide(&mut self, view: &View<'_>, orders: &mut Orders<'_>) -> Wake {
        for symbol in view.symbols() {
            let held = view.position(symbol);
            let closes = view.daily_closes(symbol, 4);
            if held > 0.0 {
                orders.submit(OrderRequest::market(symbol, Side::Sell, held, "a session later"));
            } else if closes.len() == 4 && closes.is_sorted_by(|a, b| a > b) {
                let Some(price) = view.past(symbol).close() else { continue };
                let qty = whole_shares(0.05 * view.equity(), price, false);
                if qty > 0.0 {
                    orders.submit(OrderRequest::market(symbol, Side::Buy, qty, "three down"));
                }
            }
        }
        Wake::at(view.session().close + MINUTE)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let market = load(&LoadOptions::new(Source::Named("generated_minutes".to_string())))?;
    let rules = SimRules { commission: "alpaca".parse()?, slippage: "fixed_pct:0.02".parse()?, ..SimRules::default() };
    let config = RunConfig { cash: 100_000.0, rules, limits: Limits::default() };
    let strategy = StrategySetup { strategy: Box::new(ThreeDown), bound_to_position_limit: false };
    let result = run(&market, &config, vec![strategy], &AtomicBool::new(false))?;
    let pnl: f64 = result.trades.iter().map(|trade| trade.pnl).sum();
    println!("{} sessions, {} trades, {pnl:.2} dollars net", market.days.len(), result.trades.len());
    Ok(())
}
