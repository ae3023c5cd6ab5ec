//! Steps in decimal, so that they do not drift.

/// A float as a person writes it: `mantissa / 10^places`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Decimal {
    mantissa: i64,
    places: u32,
}

impl Decimal {
    /// Integers up to here are exact floats.
    const EXACT: f64 = 9_007_199_254_740_992.0;

    /// The shortest decimal that reads as `x`; `None` when it needs more than 15 places or digits.
    fn of(x: f64) -> Option<Decimal> {
        let mut scale = 1.0;
        for places in 0..=15 {
            let mantissa = (x * scale).round();
            if mantissa.abs() > Self::EXACT {
                return None;
            }
            // Both sides are exact, so the quotient is the float nearest to the decimal.
            if mantissa / scale == x {
                return Some(Decimal { mantissa: mantissa as i64, places });
            }
            scale *= 10.0;
        }
        None
    }

    /// Mantissas of both at the same number of places.
    fn together(a: f64, b: f64) -> Option<(i128, i128, u32)> {
        let (a, b) = (Decimal::of(a)?, Decimal::of(b)?);
        let places = a.places.max(b.places);
        let scaled = |x: Decimal| i128::from(x.mantissa) * 10_i128.pow(places - x.places);
        Some((scaled(a), scaled(b), places))
    }

    /// `low + level * step` in decimal; in binary when the bounds are no short decimals.
    pub(super) fn at(low: f64, step: f64, level: u64) -> f64 {
        if let Some((start, stride, places)) = Decimal::together(low, step) {
            let mantissa = (start + i128::from(level) * stride) as f64;
            if mantissa.abs() <= Self::EXACT {
                return mantissa / POWERS_OF_TEN[places as usize];
            }
        }
        low + level as f64 * step
    }

    /// Number of values from `low` to `high`, both inclusive.
    pub(super) fn levels(low: f64, high: f64, step: f64) -> u64 {
        let exact = Decimal::together(low, step).zip(Decimal::together(high, step));
        if let Some(((start, stride, places), (end, _, end_places))) = exact {
            let common = places.max(end_places);
            let scale = |x: i128, from: u32| x.checked_mul(10_i128.pow(common - from));
            if let (Some(start), Some(end), Some(stride)) =
                (scale(start, places), scale(end, end_places), scale(stride, places))
            {
                return u64::try_from((end - start) / stride).unwrap_or(0) + 1;
            }
        }
        // The bound itself counts although the division may fall short of it by rounding.
        ((high - low) / step + 1e-9) as u64 + 1
    }
}

/// Powers of ten that are exact floats.
const POWERS_OF_TEN: [f64; 16] = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_decimal_is_found() {
        let decimal = |x| Decimal::of(x).map(|d| (d.mantissa, d.places));
        assert_eq!([decimal(0.3), decimal(-1.25), decimal(50.0)], [Some((3, 1)), Some((-125, 2)), Some((50, 0))]);
        assert_eq!([decimal(1e-4), decimal(1e-15)], [Some((1, 4)), Some((1, 15))]);
        assert_eq!([decimal(0.1 + 0.2), decimal(1.0 / 3.0), decimal(1e300)], [None; 3]);
    }

    #[test]
    fn steps_are_those_of_decimal_arithmetic() {
        assert_eq!(Decimal::at(0.1, 0.1, 2), 0.3);
        assert_eq!(Decimal::at(-1.1, 0.7, 3), 1.0);
        assert_eq!(Decimal::levels(0.0, 1.0, 0.1), 11);
        assert_eq!(Decimal::levels(0.0, 0.99, 0.1), 10);
    }
}
