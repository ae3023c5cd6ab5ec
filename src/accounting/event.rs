//! What happens to the account of the bot.

use super::chart::is_text;
use super::money::{self, AMOUNT_DECIMALS, DUST, MoneyError, UNIT_DECIMALS};
use crate::market::{Nanos, parse_date};
use crate::trading::{self, CONTRACT_SIZE, Side};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// Most characters of a reference.
const MOST_REFERENCE: usize = 128;
/// Most characters of a memo.
pub(super) const MOST_MEMO: usize = 512;
/// Most characters of an instrument.
const MOST_INSTRUMENT: usize = 64;
/// Most flags of an entry.
pub(super) const MOST_FLAGS: usize = 16;
/// Most characters of a flag.
pub(super) const MOST_FLAG: usize = 32;

/// Shares or options.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InstrumentKind {
    /// Shares of a company or fund.
    Share,
    /// Option contracts on 100 shares.
    Option,
}

impl InstrumentKind {
    /// The word in files.
    pub fn word(self) -> &'static str {
        match self {
            InstrumentKind::Share => "share",
            InstrumentKind::Option => "option",
        }
    }

    /// Dollars a unit for a price of one dollar.
    pub fn multiplier(self) -> Decimal {
        match self {
            InstrumentKind::Share => Decimal::ONE,
            InstrumentKind::Option => Decimal::ONE_HUNDRED,
        }
    }
}

/// What is traded.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Instrument {
    /// Symbol, or `AAPL 2024-01-19 P 150`.
    pub name: String,
    /// Shares or options.
    pub kind: InstrumentKind,
}

impl Instrument {
    /// Shares of a symbol.
    pub fn share(name: &str) -> Instrument {
        Instrument { name: name.to_string(), kind: InstrumentKind::Share }
    }

    /// What a broker calls by this symbol: an option, if it is one of the Options Clearing Corporation
    /// (`AAPL240119P00150000`, with or without blanks) or of this program (`AAPL 2024-01-19 P 150`), else shares.
    pub fn of_symbol(symbol: &str) -> Instrument {
        let words: Vec<&str> = symbol.split_whitespace().collect();
        let is_ours = matches!(words[..], [_, date, "P" | "C", _] if parse_date(date).is_ok());
        let joined = words.concat();
        let tail = joined.len().checked_sub(15).and_then(|at| joined.get(at..)).map(str::as_bytes);
        let is_occ = tail.is_some_and(|tail| {
            let (date, rest) = tail.split_at(6);
            let digits = date.iter().chain(&rest[1..]).all(u8::is_ascii_digit);
            digits && matches!(rest[0], b'P' | b'C') && joined.len() > 15
        });
        if is_ours || is_occ { Instrument::option(symbol) } else { Instrument::share(symbol) }
    }

    /// Contracts of an option.
    pub fn option(name: &str) -> Instrument {
        Instrument { name: name.to_string(), kind: InstrumentKind::Option }
    }
}

/// An execution in decimals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fill {
    /// What was traded.
    pub instrument: Instrument,
    /// Buy or sell.
    #[serde(with = "side_word")]
    pub side: Side,
    /// Shares, or contracts; positive.
    #[serde(with = "rust_decimal::serde::str")]
    pub quantity: Decimal,
    /// Dollars a share, for options too; not negative.
    #[serde(with = "rust_decimal::serde::str")]
    pub price: Decimal,
    /// Dollars charged by the broker; negative if it paid.
    #[serde(with = "rust_decimal::serde::str")]
    pub commission: Decimal,
    /// Dollars of SEC and FINRA fees.
    #[serde(with = "rust_decimal::serde::str")]
    pub regulatory_fees: Decimal,
}

impl Fill {
    /// A fill of the trading core. Of its commission, `regulatory_fees` dollars are fees. The core counts puts in
    /// shares; the books count contracts.
    ///
    /// # Errors
    /// A number cannot be booked.
    pub fn from_core(fill: &trading::Fill, instrument: Instrument, regulatory_fees: f64) -> Result<Fill, MoneyError> {
        let quantity = match instrument.kind {
            InstrumentKind::Share => money::decimal(fill.qty)?,
            InstrumentKind::Option => money::decimal(fill.qty / CONTRACT_SIZE)?,
        };
        let total = money::round(money::decimal(fill.commission)?);
        let regulatory_fees = money::round(money::decimal(regulatory_fees)?);
        Ok(Fill {
            instrument,
            side: fill.side,
            quantity,
            price: money::decimal(fill.price)?,
            commission: total - regulatory_fees,
            regulatory_fees,
        })
    }

    /// Price times quantity, dollars.
    ///
    /// # Errors
    /// It is too large.
    pub fn notional(&self) -> Result<Decimal, MoneyError> {
        money::amount(self.quantity * self.instrument.kind.multiplier(), self.price)
    }

    /// Commission and fees, dollars.
    pub fn charges(&self) -> Decimal {
        self.commission + self.regulatory_fees
    }

    /// What it does to cash, dollars.
    ///
    /// # Errors
    /// It is too large.
    pub fn cash(&self) -> Result<Decimal, MoneyError> {
        let notional = self.notional()?;
        Ok(match self.side {
            Side::Buy => -notional - self.charges(),
            Side::Sell => notional - self.charges(),
        })
    }
}

/// What happened. Amounts are dollars.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Happening {
    /// An execution.
    Fill(Fill),
    /// A cash dividend: positive if it was received on a long position, negative if it was paid on a short one.
    Dividend {
        instrument: Instrument,
        #[serde(with = "rust_decimal::serde::str")]
        amount: Decimal,
    },
    /// `new` shares for `old` ones.
    Split {
        instrument: Instrument,
        #[serde(with = "rust_decimal::serde::str")]
        new: Decimal,
        #[serde(with = "rust_decimal::serde::str")]
        old: Decimal,
    },
    /// A fee for borrowed shares.
    BorrowFee {
        #[serde(with = "rust_decimal::serde::str")]
        amount: Decimal,
    },
    /// Interest on negative cash.
    MarginInterest {
        #[serde(with = "rust_decimal::serde::str")]
        amount: Decimal,
    },
    /// Interest on cash.
    InterestEarned {
        #[serde(with = "rust_decimal::serde::str")]
        amount: Decimal,
    },
    /// Another fee.
    OtherFee {
        #[serde(with = "rust_decimal::serde::str")]
        amount: Decimal,
    },
    /// The owner paid in.
    Deposit {
        #[serde(with = "rust_decimal::serde::str")]
        amount: Decimal,
    },
    /// The owner took out.
    Withdrawal {
        #[serde(with = "rust_decimal::serde::str")]
        amount: Decimal,
    },
    /// Cash when the books begin; may be negative.
    OpeningCash {
        #[serde(with = "rust_decimal::serde::str")]
        amount: Decimal,
    },
    /// A position when the books begin: what was bought (sold short) for `amount`.
    OpeningPosition {
        instrument: Instrument,
        #[serde(with = "side_word")]
        side: Side,
        #[serde(with = "rust_decimal::serde::str")]
        quantity: Decimal,
        #[serde(with = "rust_decimal::serde::str")]
        amount: Decimal,
    },
}

impl Happening {
    /// The word in files: the source of an entry.
    pub fn word(&self) -> &'static str {
        match self {
            Happening::Fill(_) => "fill",
            Happening::Dividend { .. } => "dividend",
            Happening::Split { .. } => "split",
            Happening::BorrowFee { .. } => "borrow_fee",
            Happening::MarginInterest { .. } => "margin_interest",
            Happening::InterestEarned { .. } => "interest_earned",
            Happening::OtherFee { .. } => "other_fee",
            Happening::Deposit { .. } => "deposit",
            Happening::Withdrawal { .. } => "withdrawal",
            Happening::OpeningCash { .. } => "opening_cash",
            Happening::OpeningPosition { .. } => "opening_position",
        }
    }

    /// The instrument, if it is about one.
    pub fn instrument(&self) -> Option<&Instrument> {
        match self {
            Happening::Fill(fill) => Some(&fill.instrument),
            Happening::Dividend { instrument, .. }
            | Happening::Split { instrument, .. }
            | Happening::OpeningPosition { instrument, .. } => Some(instrument),
            _ => None,
        }
    }

    /// One line for people.
    pub fn describe(&self) -> String {
        match self {
            Happening::Fill(fill) => {
                let Fill { side, quantity, instrument, price, .. } = fill;
                format!("{} {quantity} {} at {price}", side.name(), instrument.name)
            }
            Happening::Dividend { instrument, amount } if *amount > Decimal::ZERO => {
                format!("dividend of {} received", instrument.name)
            }
            Happening::Dividend { instrument, .. } => {
                format!("dividend of {} paid on a short position", instrument.name)
            }
            Happening::Split { instrument, new, old } => format!("split of {}: {new} for {old}", instrument.name),
            Happening::OpeningPosition { instrument, side, quantity, .. } => {
                format!("opening position, {} {quantity} {}", side.name(), instrument.name)
            }
            other => other.word().replace('_', " "),
        }
    }
}

/// Something that happened, once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// What makes it one event, unique over all events: of a fill `BROKER:execution id`, by which a broker's file is
    /// compared.
    pub reference: String,
    /// When.
    pub time: Nanos,
    /// For people; empty: a description is made.
    pub memo: String,
    /// Words that mark the entry, such as the FAILOVER_LOG_TAG.
    pub flags: Vec<String>,
    /// What.
    pub what: Happening,
}

impl Event {
    /// An event without memo and flags.
    pub fn new(reference: impl Into<String>, time: Nanos, what: Happening) -> Event {
        Event { reference: reference.into(), time, memo: String::new(), flags: Vec::new(), what }
    }

    /// Whether it can be booked at all.
    ///
    /// # Errors
    /// What is wrong first.
    pub fn check(&self) -> Result<(), EventError> {
        let wrong = |field, why: String| Err(EventError { field, why });
        if self.reference.trim().is_empty() || !is_text(&self.reference, MOST_REFERENCE) {
            return wrong("reference", format!("must be 1 to {MOST_REFERENCE} characters without control characters"));
        }
        if !is_text(&self.memo, MOST_MEMO) {
            return wrong("memo", format!("must be at most {MOST_MEMO} characters without control characters"));
        }
        check_flags(&self.flags).map_err(|why| EventError { field: "flags", why })?;
        if let Some(instrument) = self.what.instrument()
            && (instrument.name.trim().is_empty() || !is_text(&instrument.name, MOST_INSTRUMENT))
        {
            return wrong(
                "instrument",
                format!("must be 1 to {MOST_INSTRUMENT} characters without control characters"),
            );
        }
        match &self.what {
            Happening::Fill(fill) => {
                at_least("quantity", fill.quantity, UNIT_DECIMALS, DUST)?;
                at_least("price", fill.price, UNIT_DECIMALS, Decimal::ZERO)?;
                number("commission", fill.commission, AMOUNT_DECIMALS)?;
                number("regulatory_fees", fill.regulatory_fees, AMOUNT_DECIMALS)
            }
            Happening::Dividend { amount, .. } | Happening::OpeningCash { amount } => {
                number("amount", *amount, AMOUNT_DECIMALS)?;
                if amount.is_zero() { wrong("amount", "must not be 0".to_string()) } else { Ok(()) }
            }
            Happening::Split { new, old, .. } => {
                at_least("new", *new, UNIT_DECIMALS, DUST)?;
                at_least("old", *old, UNIT_DECIMALS, DUST)
            }
            Happening::OpeningPosition { quantity, amount, .. } => {
                at_least("quantity", *quantity, UNIT_DECIMALS, DUST)?;
                at_least("amount", *amount, AMOUNT_DECIMALS, Decimal::ZERO)
            }
            Happening::BorrowFee { amount }
            | Happening::MarginInterest { amount }
            | Happening::InterestEarned { amount }
            | Happening::OtherFee { amount }
            | Happening::Deposit { amount }
            | Happening::Withdrawal { amount } => {
                at_least("amount", *amount, AMOUNT_DECIMALS, Decimal::new(1, AMOUNT_DECIMALS))
            }
        }
    }
}

/// A field of an event that cannot be booked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} {why}")]
pub struct EventError {
    /// Which.
    pub field: &'static str,
    /// What would be right.
    pub why: String,
}

/// Flags are few short words of `A-Z a-z 0-9 _ - .`, so that a list of them can be told apart.
pub(super) fn check_flags(flags: &[String]) -> Result<(), String> {
    let word = |flag: &String| {
        (1..=MOST_FLAG).contains(&flag.len())
            && flag.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
    };
    if flags.len() <= MOST_FLAGS && flags.iter().all(word) {
        return Ok(());
    }
    Err(format!("must be at most {MOST_FLAGS} words of 1 to {MOST_FLAG} letters, digits or _ - ."))
}

fn number(field: &'static str, value: Decimal, decimals: u32) -> Result<(), EventError> {
    money::check(value, decimals).map(drop).map_err(|error| EventError { field, why: format!("of {error}") })
}

fn at_least(field: &'static str, value: Decimal, decimals: u32, least: Decimal) -> Result<(), EventError> {
    number(field, value, decimals)?;
    if value >= least { Ok(()) } else { Err(EventError { field, why: format!("of {value} must be at least {least}") }) }
}

/// A side as the word that other files use.
mod side_word {
    use crate::trading::Side;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(side: &Side, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(side.name())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Side, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "buy" => Ok(Side::Buy),
            "sell" => Ok(Side::Sell),
            other => Err(D::Error::custom(format!("'{other}' is neither buy nor sell"))),
        }
    }
}
