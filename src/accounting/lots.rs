//! Lots, first in, first out.

use super::event::Instrument;
use super::money::{LARGEST, UNIT_DECIMALS, share};
use crate::market::Nanos;
use rust_decimal::Decimal;

/// Long or short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Held.
    Long,
    /// Sold short.
    Short,
}

impl Direction {
    /// The word in files.
    pub fn word(self) -> &'static str {
        match self {
            Direction::Long => "long",
            Direction::Short => "short",
        }
    }
}

/// Part of a position that was opened by one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lot {
    /// Number in the ledger, 0 before it is there. Lots are closed in this order.
    pub id: i64,
    /// What.
    pub instrument: Instrument,
    /// Long or short.
    pub direction: Direction,
    /// When it was opened.
    pub opened: Nanos,
    /// Units, not negative.
    pub quantity: Decimal,
    /// Dollars paid for it, or received if it is short; without fees.
    pub amount: Decimal,
    /// Dollars of commission and fees when it was opened.
    pub fees: Decimal,
}

/// What was closed of one lot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing {
    /// What.
    pub instrument: Instrument,
    /// What the position was.
    pub direction: Direction,
    /// Units.
    pub quantity: Decimal,
    /// When the lot was opened.
    pub opened: Nanos,
    /// When this was closed.
    pub closed: Nanos,
    /// Dollars it was sold for.
    pub proceeds: Decimal,
    /// Dollars it was bought for.
    pub cost: Decimal,
    /// Dollars of fees when it was opened.
    pub opening_fees: Decimal,
    /// Dollars of fees when it was closed.
    pub closing_fees: Decimal,
}

impl Closing {
    /// Proceeds less cost, dollars, before fees.
    pub fn gain(&self) -> Decimal {
        self.proceeds - self.cost
    }
}

/// Units of all lots.
pub(super) fn quantity(lots: &[Lot]) -> Decimal {
    lots.iter().map(|lot| lot.quantity).sum()
}

/// Takes `quantity` units off the front of `lots`, for `value` dollars and `fees` dollars of fees in all. `quantity` is
/// at most what the lots hold. Values are divided by quantity; the last piece gets the rest, so that nothing is lost.
pub(super) fn close(
    lots: &mut Vec<Lot>,
    mut quantity: Decimal,
    mut value: Decimal,
    mut fees: Decimal,
    time: Nanos,
) -> Vec<Closing> {
    let mut closings = Vec::new();
    let mut emptied = 0;
    for lot in lots.iter_mut() {
        // A lot without units, left by a reverse split, goes with what is closed before it.
        if quantity.is_zero() && !lot.quantity.is_zero() {
            break;
        }
        let units = lot.quantity.min(quantity);
        let piece =
            |total: Decimal, whole: Decimal| if units.is_zero() { Decimal::ZERO } else { share(total, units, whole) };
        let (piece_value, closing_fees) = (piece(value, quantity), piece(fees, quantity));
        let (amount, opening_fees) = (share(lot.amount, units, lot.quantity), share(lot.fees, units, lot.quantity));
        let (proceeds, cost) = match lot.direction {
            Direction::Long => (piece_value, amount),
            Direction::Short => (amount, piece_value),
        };
        closings.push(Closing {
            instrument: lot.instrument.clone(),
            direction: lot.direction,
            quantity: units,
            opened: lot.opened,
            closed: time,
            proceeds,
            cost,
            opening_fees,
            closing_fees,
        });
        quantity -= units;
        value -= piece_value;
        fees -= closing_fees;
        lot.quantity = (lot.quantity - units).normalize();
        lot.amount = (lot.amount - amount).normalize();
        lot.fees = (lot.fees - opening_fees).normalize();
        if !lot.quantity.is_zero() {
            break;
        }
        emptied += 1;
    }
    lots.drain(..emptied);
    closings
}

/// A split of `new` units for `old`; `None` if a position would be too large. The position is rounded once, as a whole,
/// and each lot to its place in it: the lots add up to the position. A lot may be left without units; it keeps its
/// cost until it is closed.
pub(super) fn split(lots: &mut [Lot], new: Decimal, old: Decimal) -> Option<()> {
    let (mut before, mut placed) = (Decimal::ZERO, Decimal::ZERO);
    for lot in lots {
        before += lot.quantity;
        let place = before.checked_mul(new)?.checked_div(old)?;
        let place = place.round_dp(UNIT_DECIMALS).normalize();
        if place > LARGEST {
            return None;
        }
        lot.quantity = (place - placed).normalize();
        placed = place;
    }
    Some(())
}
