//! Statistics of closed trades from their net profit or loss.

use super::NEGLIGIBLE_DEVIATION;
use super::summation::{mean, standard_deviation, sum};

/// Statistics of a list of trades. A win has P&L above 0, a loss below 0; a P&L of exactly 0 is a break-even
/// trade: it counts in `trades` only and ends both streaks. Amounts in the currency of the P&L.
#[derive(Debug, Clone, PartialEq)]
pub struct TradeStatistics {
    pub trades: u64,
    pub wins: u64,
    pub losses: u64,
    pub breakeven: u64,
    /// Sum of all P&L.
    pub net_profit: f64,
    /// Sum of the wins.
    pub gross_profit: f64,
    /// Sum of the losses, as a positive amount.
    pub gross_loss: f64,
    /// `wins / trades`.
    pub win_rate: Option<f64>,
    /// `gross_profit / gross_loss`; undefined without a loss.
    pub profit_factor: Option<f64>,
    /// Mean win.
    pub avg_win: Option<f64>,
    /// Mean loss, as a positive amount.
    pub avg_loss: Option<f64>,
    /// `avg_win / avg_loss`.
    pub payoff_ratio: Option<f64>,
    /// `net_profit / trades`.
    pub expectancy: Option<f64>,
    /// System quality number `sqrt(n) * mean / sd`, divisor n - 1 (V. K. Tharp, *Trade Your Way to Financial
    /// Freedom*, 1998); undefined below two trades or without dispersion.
    pub sqn: Option<f64>,
    /// The same with `sqrt(min(n, 100))`.
    pub sqn_capped_100: Option<f64>,
    /// `W - (1 - W) / payoff_ratio` with `W = win_rate` (J. L. Kelly, 1956, in the form for trading).
    pub kelly_fraction: Option<f64>,
    pub max_consecutive_wins: u64,
    pub max_consecutive_losses: u64,
    /// Deepest fall of the cumulative P&L from its highest value so far, 0 at the start; 0 or positive.
    pub max_drawdown_currency: f64,
    /// `net_profit / max_drawdown_currency`; undefined without a drawdown.
    pub recovery_factor: Option<f64>,
}

/// Statistics of the net P&L of closed trades, in order of exit. Of no trades, counts and amounts are 0 and
/// ratios undefined.
pub fn trade_statistics(pnl: &[f64]) -> TradeStatistics {
    let wins: Vec<f64> = pnl.iter().copied().filter(|&p| p > 0.0).collect();
    let losses: Vec<f64> = pnl.iter().filter(|&&p| p < 0.0).map(|p| -p).collect();
    let n = pnl.len() as f64;
    let net_profit = sum(pnl.iter().copied());
    let gross_profit = sum(wins.iter().copied());
    let gross_loss = sum(losses.iter().copied());
    let win_rate = ratio(wins.len() as f64, n);
    let (avg_win, avg_loss) = (mean(&wins), mean(&losses));
    let payoff_ratio = avg_win.zip(avg_loss).and_then(|(win, loss)| ratio(win, loss));
    let quality = standard_deviation(pnl)
        .filter(|&sd| sd >= NEGLIGIBLE_DEVIATION)
        .and_then(|sd| mean(pnl).map(|average| average / sd));
    let max_drawdown_currency = deepest_fall(pnl);
    TradeStatistics {
        trades: pnl.len() as u64,
        wins: wins.len() as u64,
        losses: losses.len() as u64,
        breakeven: (pnl.len() - wins.len() - losses.len()) as u64,
        net_profit,
        gross_profit,
        gross_loss,
        win_rate,
        profit_factor: ratio(gross_profit, gross_loss),
        avg_win,
        avg_loss,
        payoff_ratio,
        expectancy: ratio(net_profit, n),
        sqn: quality.map(|q| n.sqrt() * q),
        sqn_capped_100: quality.map(|q| n.min(100.0).sqrt() * q),
        kelly_fraction: win_rate.zip(payoff_ratio).and_then(|(w, payoff)| Some(w - ratio(1.0 - w, payoff)?)),
        max_consecutive_wins: longest_run(pnl, |p| p > 0.0),
        max_consecutive_losses: longest_run(pnl, |p| p < 0.0),
        max_drawdown_currency,
        recovery_factor: ratio(net_profit, max_drawdown_currency),
    }
}

/// Quotient with a positive divisor.
fn ratio(dividend: f64, divisor: f64) -> Option<f64> {
    if divisor > 0.0 { Some(dividend / divisor) } else { None }
}

fn longest_run(pnl: &[f64], belongs: impl Fn(f64) -> bool) -> u64 {
    let mut run = 0;
    let mut longest = 0;
    for &p in pnl {
        run = if belongs(p) { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

fn deepest_fall(pnl: &[f64]) -> f64 {
    let mut total = 0.0f64;
    let mut peak = 0.0f64;
    let mut deepest = 0.0f64;
    for p in pnl {
        total += p;
        peak = peak.max(total);
        deepest = deepest.max(peak - total);
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let s = trade_statistics(&[100.0, 50.0, 0.0, 30.0, -40.0, -20.0, 80.0]);
        assert_eq!((s.trades, s.wins, s.losses, s.breakeven), (7, 4, 2, 1));
        assert_eq!((s.net_profit, s.gross_profit, s.gross_loss), (200.0, 260.0, 60.0));
        assert_eq!(s.win_rate, Some(4.0 / 7.0));
        assert_eq!(s.profit_factor, Some(260.0 / 60.0));
        assert_eq!((s.avg_win, s.avg_loss, s.payoff_ratio), (Some(65.0), Some(30.0), Some(65.0 / 30.0)));
        assert_eq!(s.expectancy, Some(200.0 / 7.0));
        let kelly = 4.0 / 7.0 - (3.0 / 7.0) / (65.0 / 30.0);
        assert!((s.kelly_fraction.unwrap() - kelly).abs() < 1e-15);
        // The break-even trade ends the streak of two wins.
        assert_eq!((s.max_consecutive_wins, s.max_consecutive_losses), (2, 2));
        assert_eq!((s.max_drawdown_currency, s.recovery_factor), (60.0, Some(200.0 / 60.0)));
    }

    #[test]
    fn quality_number_by_hand() {
        // Mean 1, sd sqrt(2): sqrt(2) * 1 / sqrt(2).
        assert!((trade_statistics(&[0.0, 2.0]).sqn.unwrap() - 1.0).abs() < 1e-15);
        let many: Vec<f64> = (0..400).map(|i| if i % 2 == 0 { -1.0 } else { 3.0 }).collect();
        let s = trade_statistics(&many);
        assert!((s.sqn.unwrap() - 2.0 * s.sqn_capped_100.unwrap()).abs() < 1e-12);
    }

    #[test]
    fn the_start_is_a_peak_of_the_cumulative_result() {
        assert_eq!(trade_statistics(&[-5.0, 3.0]).max_drawdown_currency, 5.0);
    }

    #[test]
    fn no_trades_have_counts_but_no_ratios() {
        let s = trade_statistics(&[]);
        assert_eq!((s.trades, s.net_profit, s.max_drawdown_currency), (0, 0.0, 0.0));
        let ratios = [s.win_rate, s.profit_factor, s.avg_win, s.payoff_ratio, s.expectancy, s.sqn, s.kelly_fraction];
        assert_eq!(ratios, [None; 7]);
        assert_eq!(s.recovery_factor, None);
    }

    #[test]
    fn equal_trades_have_no_quality_number() {
        assert_eq!(trade_statistics(&[100.1; 7]).sqn, None);
        assert_eq!(trade_statistics(&[100.1]).sqn, None);
    }
}
