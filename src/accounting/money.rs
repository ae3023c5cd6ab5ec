//! Where numbers of research become money of the books.
//!
//! | number | decimals | rounded |
//! | --- | --- | --- |
//! | price, quantity | at most 12 | once, where an `f64` becomes a decimal ([`decimal`]) |
//! | amount | at most 8 | once, where price times quantity becomes dollars ([`amount`]), or a share of one ([`share`]) |
//! | cents | 2 | in reports for people and tax only ([`cents`]), never in the ledger |
//!
//! Always half to even. Brokers know nine decimals of a share at most; three more keep the error of sums of rounded
//! quantities far below [`DUST`].

use rust_decimal::Decimal;
use std::str::FromStr;

/// Decimals of prices and quantities.
pub const UNIT_DECIMALS: u32 = 12;
/// Decimals of amounts in the ledger.
pub const AMOUNT_DECIMALS: u32 = 8;
/// The largest amount, quantity or price. A decimal has 28 digits: with 8 decimals the sum of 10^8 such amounts is
/// exact, and no database of the vault holds that many.
pub const LARGEST: Decimal = Decimal::from_parts(0xd4a5_1000, 0xe8, 0, false, 0);
/// Below this, a quantity is what rounding left of zero: [`crate::trading::QTY_EPSILON`], 10^-9.
pub const DUST: Decimal = Decimal::from_parts(1, 0, 0, false, 9);

/// A number that cannot be money.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not finite, or too large.
    #[error("{0} cannot be booked; expected a number between -{LARGEST} and {LARGEST}")]
    Range(String),
    /// Not a decimal number.
    #[error("'{0}' is not a decimal number such as 1234.56")]
    Text(String),
    /// More decimals than are kept.
    #[error("{found} has more than {most} decimals")]
    Decimals { found: String, most: u32 },
}

/// The change-over from research to books, for prices, quantities and ratios alike: the shortest decimal that reads
/// back as the same `f64`, rounded half to even to 12 decimals.
///
/// # Errors
/// The number is not finite or beyond [`LARGEST`].
pub fn decimal(value: f64) -> Result<Decimal, MoneyError> {
    let range = || MoneyError::Range(value.to_string());
    if !value.is_finite() || value.abs() > 1e12 {
        return Err(range());
    }
    // A tie at the thirteenth decimal goes to the even neighbour, zero. Shorter numbers fit into 28 decimals.
    if value.abs() <= 5e-13 {
        return Ok(Decimal::ZERO);
    }
    let shortest = Decimal::from_str(&value.to_string()).map_err(|_| range())?;
    Ok(shortest.round_dp(UNIT_DECIMALS).normalize())
}

/// An amount of dollars in the ledger: half to even to 8 decimals.
pub fn round(value: Decimal) -> Decimal {
    value.round_dp(AMOUNT_DECIMALS).normalize()
}

/// What `quantity` units cost at `price`: their product, rounded as an amount.
///
/// # Errors
/// It is beyond [`LARGEST`].
pub fn amount(quantity: Decimal, price: Decimal) -> Result<Decimal, MoneyError> {
    let range = || MoneyError::Range(format!("{quantity} x {price}"));
    let product = quantity.checked_mul(price).ok_or_else(range)?;
    if product.abs() > LARGEST { Err(range()) } else { Ok(round(product)) }
}

/// The share of `total` that falls on `part` of `whole`, rounded as an amount. Dividing what is left each time, shares
/// add up to the total exactly.
pub fn share(total: Decimal, part: Decimal, whole: Decimal) -> Decimal {
    if part == whole || whole.is_zero() { total } else { round(total * part / whole) }
}

/// Dollars and cents, half to even.
pub fn cents(value: Decimal) -> Decimal {
    let mut rounded = value.round_dp(2);
    rounded.rescale(2);
    // No "-0.00".
    if rounded.is_zero() { rounded.abs() } else { rounded }
}

/// Reads a decimal number without exponent and with at most `most` decimals.
///
/// # Errors
/// It is none, has more decimals, or is beyond [`LARGEST`].
pub fn parse(text: &str, most: u32) -> Result<Decimal, MoneyError> {
    let text = text.trim();
    let plain = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+'));
    if !plain || !text.bytes().any(|b| b.is_ascii_digit()) || text.len() > 64 {
        return Err(MoneyError::Text(text.chars().take(64).collect()));
    }
    let value = Decimal::from_str_exact(text).map_err(|_| MoneyError::Text(text.to_string()))?;
    check(value, most)
}

/// A number that has at most `most` decimals and is within [`LARGEST`], without trailing zeros.
///
/// # Errors
/// It has or is not.
pub fn check(value: Decimal, most: u32) -> Result<Decimal, MoneyError> {
    let value = value.normalize();
    if value.scale() > most {
        return Err(MoneyError::Decimals { found: value.to_string(), most });
    }
    if value.abs() > LARGEST { Err(MoneyError::Range(value.to_string())) } else { Ok(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn d(text: &str) -> Decimal {
        Decimal::from_str_exact(text).unwrap()
    }

    #[test]
    fn the_limits_are_what_their_names_say() {
        assert_eq!(LARGEST, d("1000000000000"));
        assert_eq!(DUST, d("0.000000001"));
        assert_eq!(decimal(crate::trading::QTY_EPSILON).unwrap(), DUST);
    }

    #[test]
    fn a_number_of_research_becomes_its_shortest_decimal() {
        for (value, expected) in [
            (101.23, "101.23"),
            (0.1 + 0.2, "0.3"),               // 0.30000000000000004, which is 0.3 to twelve decimals
            (100.0 / 3.0, "33.333333333333"), // 33.333333333333336
            (-0.0, "0"),
            (1e12, "1000000000000"),
            (5e-13, "0"),                // half of the last place: to the even neighbour
            (1.5e-12, "0.000000000002"), // likewise, upwards
            (2.5e-12, "0.000000000002"),
            (f64::MIN_POSITIVE, "0"),
            (1.234_567_890_123_456_7e-5, "0.000012345679"),
        ] {
            assert_eq!(decimal(value).unwrap().to_string(), expected, "{value}");
        }
        for value in [f64::NAN, f64::INFINITY, 1.1e12, -1e300] {
            assert!(matches!(decimal(value), Err(MoneyError::Range(_))), "{value}");
        }
    }

    #[test]
    fn amounts_are_rounded_once_half_to_even() {
        // 0.000000005 and 0.000000015: ties at the eighth decimal.
        assert_eq!(amount(d("0.5"), d("0.00000001")).unwrap(), d("0"));
        assert_eq!(amount(d("1.5"), d("0.00000001")).unwrap(), d("0.00000002"));
        // A third of a share at 33.33: 11.10999999988890, worked out by hand.
        assert_eq!(amount(d("0.333333333"), d("33.33")).unwrap(), d("11.10999999"));
        assert!(amount(d("1000001"), d("1000000")).is_err());
    }

    #[test]
    fn shares_of_what_is_left_add_up() {
        let (mut left, mut units) = (d("100"), d("3"));
        let mut shares = Vec::new();
        for _ in 0..3 {
            let part = share(left, d("1"), units);
            shares.push(part.to_string());
            left -= part;
            units -= d("1");
        }
        assert_eq!(shares, ["33.33333333", "33.33333334", "33.33333333"]);
        assert!(left.is_zero());
    }

    #[test]
    fn cents_are_for_people() {
        for (value, expected) in [("1.005", "1.00"), ("1.015", "1.02"), ("-0.001", "0.00"), ("7", "7.00")] {
            assert_eq!(cents(d(value)).to_string(), expected);
        }
    }

    #[test]
    fn what_is_not_plainly_a_decimal_is_refused() {
        assert_eq!(parse(" 12.50 ", 8).unwrap().to_string(), "12.5");
        for text in ["", "-", "1e3", "1,000", "NaN", "0x10", "1_000", "١", "1.2.3", "--1"] {
            assert!(matches!(parse(text, 8), Err(MoneyError::Text(_))), "{text}");
        }
        assert!(matches!(parse("0.123456789", 8), Err(MoneyError::Decimals { .. })));
        assert!(matches!(parse("1000000000001", 8), Err(MoneyError::Range(_))));
    }
}
