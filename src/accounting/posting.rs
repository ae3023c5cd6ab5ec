//! From an event to balanced lines: pure functions of the event and the open lots of its instrument.
//!
//! | event | debit | credit |
//! | --- | --- | --- |
//! | buy that opens | positions held | cash |
//! | sell that closes | cash | positions held (cost of the lots) |
//! | sell that opens | cash | positions sold short |
//! | buy that closes | positions sold short (proceeds of the lots) | cash |
//! | profit of what was closed | | realised gains |
//! | loss of what was closed | realised gains | |
//! | commission, fees | commissions, regulatory fees | cash |
//! | dividend received | cash | dividends |
//! | dividend on a short position | payments in lieu | cash |
//! | borrow fee, margin interest, other fee | that expense | cash |
//! | interest earned | cash | interest earned |
//! | deposit, withdrawal | cash, capital | capital, cash |
//! | opening cash, opening position | cash, position | opening balances |
//! | split | nothing | nothing |
//!
//! A fill that goes through zero closes all lots and opens one with the rest; its value and charges are divided by
//! quantity. Cash is one line, the net amount that the broker moves. Fees are expenses and no part of a lot's cost
//! here; lots carry them beside it for the reports of gains.

use super::account::SystemAccount;
use super::event::{Event, EventError, Fill, Happening, InstrumentKind};
use super::lines::{BalancedLines, Line, LinesError};
use super::lots::{self, Closing, Direction, Lot};
use super::money::{DUST, LARGEST, MoneyError, share};
use crate::market::Nanos;
use crate::trading::Side;
use rust_decimal::Decimal;

/// Why an event cannot be booked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PostingError {
    /// A field is wrong.
    #[error(transparent)]
    Event(#[from] EventError),
    /// A number is too large.
    #[error(transparent)]
    Money(#[from] MoneyError),
    /// The lines are no entry.
    #[error(transparent)]
    Lines(#[from] LinesError),
    /// A position cannot begin on the other side of one that is there.
    #[error("{0} has a position on the other side already")]
    OtherSide(String),
    /// A position beyond what the books hold.
    #[error("the position in {0} would be larger than {LARGEST} units")]
    Large(String),
    /// A reverse split by which a whole position would vanish.
    #[error("nothing would be left of the position in {0}")]
    Vanishes(String),
}

/// What an event does to the books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posting {
    /// The lines.
    pub lines: BalancedLines,
    /// The lots of the instrument afterwards, first in first; those with id 0 are new.
    pub lots: Vec<Lot>,
    /// What was closed.
    pub closings: Vec<Closing>,
}

/// Books an event on top of the open lots of its instrument, first in first.
///
/// # Errors
/// The event cannot be booked.
pub fn post(event: &Event, open: &[Lot]) -> Result<Posting, PostingError> {
    use SystemAccount::*;
    event.check()?;
    let plain = |debit: SystemAccount, credit: SystemAccount, amount: Decimal| {
        Ok(Posting { lines: signed([(debit, amount), (credit, -amount)])?, lots: open.to_vec(), closings: Vec::new() })
    };
    match &event.what {
        Happening::Fill(fill) => post_fill(fill, event.time, open),
        Happening::Dividend { amount, .. } if *amount > Decimal::ZERO => plain(Cash, Dividends, *amount),
        Happening::Dividend { amount, .. } => plain(PaymentsInLieu, Cash, -*amount),
        Happening::BorrowFee { amount } => plain(BorrowFees, Cash, *amount),
        Happening::MarginInterest { amount } => plain(SystemAccount::MarginInterest, Cash, *amount),
        Happening::InterestEarned { amount } => plain(Cash, SystemAccount::InterestEarned, *amount),
        Happening::OtherFee { amount } => plain(OtherFees, Cash, *amount),
        Happening::Deposit { amount } => plain(Cash, Capital, *amount),
        Happening::Withdrawal { amount } => plain(Capital, Cash, *amount),
        Happening::OpeningCash { amount } => plain(Cash, OpeningBalances, *amount),
        Happening::OpeningPosition { instrument, side, quantity, amount } => {
            let direction = opened_by(*side);
            if open.iter().any(|lot| lot.direction != direction) {
                return Err(PostingError::OtherSide(instrument.name.clone()));
            }
            let value = match direction {
                Direction::Long => *amount,
                Direction::Short => -*amount,
            };
            let lines = signed([(inventory(instrument.kind, direction), value), (OpeningBalances, -value)])?;
            let mut lots = open.to_vec();
            if lots::quantity(&lots) + quantity > LARGEST {
                return Err(PostingError::Large(instrument.name.clone()));
            }
            lots.push(Lot {
                id: 0,
                instrument: instrument.clone(),
                direction,
                opened: event.time,
                quantity: *quantity,
                amount: *amount,
                fees: Decimal::ZERO,
            });
            Ok(Posting { lines, lots, closings: Vec::new() })
        }
        Happening::Split { instrument, new, old } => {
            let mut lots = open.to_vec();
            lots::split(&mut lots, *new, *old).ok_or_else(|| PostingError::Large(instrument.name.clone()))?;
            if !lots.is_empty() && lots::quantity(&lots) < DUST {
                return Err(PostingError::Vanishes(instrument.name.clone()));
            }
            Ok(Posting { lines: BalancedLines::default(), lots, closings: Vec::new() })
        }
    }
}

/// The account of a position.
pub(super) fn inventory(kind: InstrumentKind, direction: Direction) -> SystemAccount {
    match (kind, direction) {
        (InstrumentKind::Share, Direction::Long) => SystemAccount::SharesLong,
        (InstrumentKind::Share, Direction::Short) => SystemAccount::SharesShort,
        (InstrumentKind::Option, Direction::Long) => SystemAccount::OptionsLong,
        (InstrumentKind::Option, Direction::Short) => SystemAccount::OptionsShort,
    }
}

fn opened_by(side: Side) -> Direction {
    match side {
        Side::Buy => Direction::Long,
        Side::Sell => Direction::Short,
    }
}

fn post_fill(fill: &Fill, time: Nanos, open: &[Lot]) -> Result<Posting, PostingError> {
    let value = fill.notional()?;
    let charges = fill.charges();
    let opening = opened_by(fill.side);
    let closes = open.first().is_some_and(|lot| lot.direction != opening);
    let held = if closes { lots::quantity(open) } else { Decimal::ZERO };
    // What differs by dust from the position closes it: the difference is what rounding left.
    let closes_exactly = closes && (fill.quantity - held).abs() < DUST;
    let closed = if closes_exactly { held } else { fill.quantity.min(held) };
    let opened = if closes_exactly { Decimal::ZERO } else { fill.quantity - closed };
    let (closed_value, closed_charges) = if opened.is_zero() {
        (value, charges)
    } else {
        (share(value, closed, fill.quantity), share(charges, closed, fill.quantity))
    };

    let mut after = open.to_vec();
    let closings =
        if closed.is_zero() { Vec::new() } else { lots::close(&mut after, closed, closed_value, closed_charges, time) };
    if !opened.is_zero() {
        after.push(Lot {
            id: 0,
            instrument: fill.instrument.clone(),
            direction: opening,
            opened: time,
            quantity: opened,
            amount: value - closed_value,
            fees: charges - closed_charges,
        });
    }

    if lots::quantity(&after) > LARGEST {
        return Err(PostingError::Large(fill.instrument.name.clone()));
    }

    let kind = fill.instrument.kind;
    let gain: Decimal = closings.iter().map(Closing::gain).sum();
    // A buy adds to the account of long positions or takes from that of short ones: both are debits.
    let (opened_line, closed_line) = match fill.side {
        Side::Buy => {
            let covered: Decimal = closings.iter().map(|c| c.proceeds).sum();
            ((value - closed_value), covered)
        }
        Side::Sell => {
            let sold: Decimal = closings.iter().map(|c| c.cost).sum();
            (-(value - closed_value), -sold)
        }
    };
    let lines = signed([
        (SystemAccount::Cash, fill.cash()?),
        (inventory(kind, opening), opened_line),
        (inventory(kind, other(opening)), closed_line),
        (SystemAccount::RealisedGains, -gain),
        (SystemAccount::Commissions, fill.commission),
        (SystemAccount::RegulatoryFees, fill.regulatory_fees),
    ])?;
    Ok(Posting { lines, lots: after, closings })
}

fn other(direction: Direction) -> Direction {
    match direction {
        Direction::Long => Direction::Short,
        Direction::Short => Direction::Long,
    }
}

/// Lines of signed amounts, debits positive; zeros are left out.
fn signed<const N: usize>(amounts: [(SystemAccount, Decimal); N]) -> Result<BalancedLines, LinesError> {
    let lines = amounts.into_iter().filter(|(_, amount)| !amount.is_zero());
    BalancedLines::new(lines.map(|(account, amount)| Line::signed(account.code(), amount)).collect())
}

/// How many units are held of what, signed: short positions are negative.
pub(super) fn position(lots: &[Lot]) -> Decimal {
    let units = lots::quantity(lots);
    match lots.first().map(|lot| lot.direction) {
        Some(Direction::Short) => -units,
        _ => units,
    }
}
