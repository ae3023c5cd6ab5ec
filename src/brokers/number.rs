//! From the core's floats to a broker's decimals, and back.

use std::str::FromStr;

use rust_decimal::{Decimal, RoundingStrategy};

/// Decimals of a quantity that any broker takes; what is beyond is cut off.
pub(super) const QTY_DECIMALS: u32 = 9;

/// The decimal that a float prints as: the shortest one that reads back as the same float, so that 10.13 is 10.13 and
/// not 10.1300000000000007815. `None` if it is not finite or too large.
pub fn to_decimal(value: f64) -> Option<Decimal> {
    let text = format!("{value}");
    // Beyond 28 decimals the value is cut: prices and quantities have none of them.
    Decimal::from_str(&text).ok().map(|decimal| decimal.normalize())
}

/// The float nearest to a decimal.
pub fn to_f64(value: Decimal) -> f64 {
    // The text of a decimal is always a number, and reading it rounds once.
    f64::from_str(&value.to_string()).unwrap_or(f64::NAN)
}

/// The smallest step between prices of orders: a cent from one dollar on, a hundredth of it below (Rule 612 of
/// Regulation NMS).
pub fn price_step(price: Decimal) -> Decimal {
    if price >= Decimal::ONE { Decimal::new(1, 2) } else { Decimal::new(1, 4) }
}

/// The price on the grid of [`price_step`] in the given direction.
pub fn round_to_step(price: Decimal, strategy: RoundingStrategy) -> Decimal {
    let decimals = if price >= Decimal::ONE { 2 } else { 4 };
    price.round_dp_with_strategy(decimals, strategy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn a_float_becomes_the_decimal_it_prints_as() {
        for (value, text) in [(10.13, "10.13"), (0.1 + 0.2, "0.30000000000000004"), (1e-7, "0.0000001"), (3.0, "3")] {
            assert_eq!(to_decimal(value), Some(decimal(text)));
        }
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e30] {
            assert_eq!(to_decimal(value), None, "{value}");
        }
    }

    #[test]
    fn prices_have_cents_from_one_dollar_on_and_hundredths_of_cents_below() {
        let nearest = RoundingStrategy::MidpointAwayFromZero;
        for (price, expected) in [("1.005", "1.01"), ("0.99995", "1"), ("0.12345", "0.1235"), ("187.126", "187.13")] {
            assert_eq!(round_to_step(decimal(price), nearest), decimal(expected), "{price}");
        }
        assert_eq!(round_to_step(decimal("1.019"), RoundingStrategy::ToZero), decimal("1.01"));
        assert_eq!(round_to_step(decimal("1.011"), RoundingStrategy::AwayFromZero), decimal("1.02"));
        assert_eq!(price_step(decimal("1")), decimal("0.01"));
        assert_eq!(price_step(decimal("0.9999")), decimal("0.0001"));
    }

    proptest! {
        #[test]
        fn a_price_survives_the_way_to_decimal_and_back(cents in 1_u64..1_000_000_000, scale in 0_u32..9) {
            let price = Decimal::new(cents as i64, scale);
            let float = to_f64(price);
            prop_assert_eq!(to_decimal(float), Some(price.normalize()));
        }
    }
}
