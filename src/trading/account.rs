//! Cash, positions and their value.

use crate::market::SymbolId;

/// Cash or margin account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountKind {
    /// No borrowing, no short positions, never negative cash.
    Cash,
    Margin,
}

/// What the broker demands and charges.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AccountRules {
    pub kind: AccountKind,
    /// Share of gross exposure that must be covered by equity when a position is opened (0.5: twice equity).
    pub initial_margin: f64,
    /// Share of gross exposure that must stay covered; below it positions are closed.
    pub maintenance_margin: f64,
    /// Interest on negative cash, per year of 360 days.
    pub margin_rate: f64,
    /// Fee on the value of short positions, per year of 360 days.
    pub borrow_rate: f64,
    /// Whether quantities may be fractions of a share.
    pub fractional: bool,
}

impl Default for AccountRules {
    /// A margin account as Regulation T and FINRA demand at least (50 % to open, 25 % to keep), without
    /// interest and fees, with fractions of a share.
    fn default() -> AccountRules {
        AccountRules {
            kind: AccountKind::Margin,
            initial_margin: 0.5,
            maintenance_margin: 0.25,
            margin_rate: 0.0,
            borrow_rate: 0.0,
            fractional: true,
        }
    }
}

/// Below this, a quantity of shares is what rounding left of zero.
pub const QTY_EPSILON: f64 = 1e-9;

/// Cash and positions, marked at the last price seen. Instruments are indexed by [`SymbolId`].
#[derive(Debug, Clone, PartialEq)]
pub struct Account {
    pub cash: f64,
    qty: Vec<f64>,
    mark: Vec<f64>,
    /// Instruments with a position, ascending: the order of every sum over positions.
    open: Vec<SymbolId>,
}

impl Account {
    /// An account with `cash` dollars and no position, for `instruments` instruments.
    pub fn new(cash: f64, instruments: usize) -> Account {
        Account { cash, qty: vec![0.0; instruments], mark: vec![0.0; instruments], open: Vec::new() }
    }

    /// Makes room for instruments created during a run.
    pub fn grow(&mut self, instruments: usize) {
        self.qty.resize(instruments, 0.0);
        self.mark.resize(instruments, 0.0);
    }

    /// Shares held of an instrument, negative when short.
    #[inline]
    pub fn position(&self, symbol: SymbolId) -> f64 {
        self.qty[symbol.index()]
    }

    /// The price at which a position is valued.
    #[inline]
    pub fn mark(&self, symbol: SymbolId) -> f64 {
        self.mark[symbol.index()]
    }

    /// Values an instrument at `price`.
    #[inline]
    pub fn set_mark(&mut self, symbol: SymbolId, price: f64) {
        self.mark[symbol.index()] = price;
    }

    /// Instruments with a position, ascending.
    #[inline]
    pub fn open_positions(&self) -> &[SymbolId] {
        &self.open
    }

    /// Adds `delta` shares (negative: removes). What rounding leaves of zero becomes zero.
    pub fn add(&mut self, symbol: SymbolId, delta: f64) {
        let slot = &mut self.qty[symbol.index()];
        let before = *slot;
        *slot += delta;
        if slot.abs() < QTY_EPSILON {
            *slot = 0.0;
        }
        let after = *slot;
        if before == 0.0 && after != 0.0 {
            let at = self.open.partition_point(|&s| s < symbol);
            self.open.insert(at, symbol);
        } else if before != 0.0 && after == 0.0 {
            self.open.retain(|&s| s != symbol);
        }
    }

    /// A split: `ratio` shares for one, at a price divided by `ratio`.
    pub fn split(&mut self, symbol: SymbolId, ratio: f64) {
        self.qty[symbol.index()] *= ratio;
        self.mark[symbol.index()] /= ratio;
    }

    /// Cash plus positions at their marks, summed in order of instrument.
    #[inline]
    pub fn equity(&self) -> f64 {
        let mut sum = self.cash;
        for &s in &self.open {
            sum += self.qty[s.index()] * self.mark[s.index()];
        }
        sum
    }

    /// Sum of absolute position values.
    pub fn gross(&self) -> f64 {
        self.open.iter().fold(0.0, |sum, &s| sum + (self.qty[s.index()] * self.mark[s.index()]).abs())
    }
}
