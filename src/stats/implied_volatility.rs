//! Implied volatility: the volatility at which the Black-Scholes-Merton price is a given price.

use super::black_scholes::{EuropeanOption, OptionError, log_missing_value, log_time_value};

/// Steps after which the search ends whatever it has; bisection alone needs fewer from the first bracket.
const MAX_STEPS: usize = 200;

impl EuropeanOption {
    /// The annual volatility at which [`EuropeanOption::price`] is `price`.
    ///
    /// The search runs on the logarithm of the time value, or of what is missing to the upper bound where
    /// that is the smaller part: Newton steps kept inside a shrinking bracket. It therefore also works where
    /// the price is 1e-300 or differs from a bound in the last digits only.
    ///
    /// # Errors
    /// A price that is not finite or not strictly between the discounted intrinsic value and the upper
    /// bound, or an option without time left: never 0 or an end of a bracket.
    pub fn implied_volatility(&self, price: f64) -> Result<f64, OptionError> {
        if !price.is_finite() {
            return Err(OptionError::NotFinite { name: "price", value: price });
        }
        if self.years <= 0.0 {
            return Err(OptionError::Expired { years: self.years });
        }
        let (lower, upper) = (self.discounted_intrinsic(), self.upper_bound());
        let (value, missing) = (price - lower, upper - price);
        if value <= 0.0 || missing <= 0.0 {
            return Err(OptionError::PriceOutsideBounds { price, lower, upper });
        }
        let x = self.moneyness.abs();
        let scale = self.discounted_spot.min(self.discounted_strike);
        let deviation = if value <= missing {
            let target = libm::log(value) - libm::log(scale);
            solve(first_guess(x, value / scale), |s| {
                let (log_share, slope) = log_time_value(x, s);
                (log_share - target, slope)
            })
        } else {
            let target = libm::log(missing) - libm::log(scale);
            solve(first_guess(x, value / scale), |s| {
                let (log_share, slope) = log_missing_value(x, s);
                (target - log_share, -slope)
            })
        };
        Ok(deviation / self.years.sqrt())
    }
}

/// The point of steepest price, `sqrt(2 x)`, or the at-the-money approximation `share * sqrt(2 pi)`.
fn first_guess(x: f64, share: f64) -> f64 {
    (2.0 * x).sqrt().max(2.5 * share).max(f64::MIN_POSITIVE)
}

/// The root of a rising function of `s > 0`, given as (value, slope), near `guess > 0`.
fn solve(guess: f64, function: impl Fn(f64) -> (f64, f64)) -> f64 {
    let (mut low, mut high) = (guess, guess);
    while function(low).0 > 0.0 && low > f64::MIN_POSITIVE {
        (high, low) = (low, 0.5 * low);
    }
    while function(high).0 < 0.0 && high < 1e6 {
        (low, high) = (high, 2.0 * high);
    }
    let mut s = 0.5 * (low + high);
    for _ in 0..MAX_STEPS {
        let (error, slope) = function(s);
        if error < 0.0 {
            low = s;
        } else {
            high = s;
        }
        let newton = s - error / slope;
        let next = if newton > low && newton < high { newton } else { 0.5 * (low + high) };
        if (next - s).abs() <= f64::EPSILON * s {
            return next;
        }
        s = next;
    }
    s
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::OptionRight::{Call, Put};
    use proptest::prelude::*;

    #[test]
    fn prices_at_or_beyond_the_bounds_have_none() {
        let option = EuropeanOption::new(Call, 100.0, 80.0, 1.0, 0.0, 0.0).unwrap();
        for price in [-1.0, 0.0, 19.0, 20.0, 100.0, 101.0] {
            let error = option.implied_volatility(price).unwrap_err();
            assert_eq!(error, OptionError::PriceOutsideBounds { price, lower: 20.0, upper: 100.0 });
        }
        assert!(matches!(option.implied_volatility(f64::NAN), Err(OptionError::NotFinite { name: "price", .. })));
        let expired = EuropeanOption::new(Call, 100.0, 80.0, 0.0, 0.0, 0.0).unwrap();
        assert_eq!(expired.implied_volatility(25.0), Err(OptionError::Expired { years: 0.0 }));
    }

    #[test]
    fn textbook_example() {
        // Hull, Options, Futures, and Other Derivatives: a call at 1.875 with S 21, K 20, r 0.1, T 0.25 has
        // an implied volatility of 23.5 % a year.
        let option = EuropeanOption::new(Call, 21.0, 20.0, 0.25, 0.1, 0.0).unwrap();
        assert!((option.implied_volatility(1.875).unwrap() - 0.235).abs() < 5e-4);
    }

    #[test]
    fn next_to_the_bounds_a_volatility_is_still_found() {
        let option = EuropeanOption::new(Call, 100.0, 100.0, 1.0, 0.0, 0.0).unwrap();
        for price in [1e-300, 1e-30, 1e-10, 50.0, 99.999, 100.0 - 1e-10, 100.0 - 1.5e-14] {
            let sigma = option.implied_volatility(price).unwrap();
            let found = option.price(sigma).unwrap();
            assert!((found - price).abs() <= 1e-12 * price, "{price}: {sigma} gives {found}");
        }
        let far = EuropeanOption::new(Put, 5000.0, 0.01, 0.01, 0.05, 0.0).unwrap();
        for price in [1e-300, 1e-100, 1e-6, 0.009] {
            let found = far.price(far.implied_volatility(price).unwrap()).unwrap();
            assert!((found / price - 1.0).abs() <= 1e-11, "{price} is not {found}");
        }
    }

    proptest! {
        /// Out of the money every volatility comes back, however small the price. A price next to its upper
        /// bound hardly depends on the volatility any more: there its own rounding is all that can be asked for.
        #[test]
        fn volatility_round_trip(
            s in 1.0..1000.0f64, distance in -3.0..3.0f64, log_t in -8.0..3.0f64, r in -0.05..0.2f64,
            log_sigma in -4.6..1.6f64,
        ) {
            let (t, sigma) = (libm::exp(log_t), libm::exp(log_sigma));
            let k = s * libm::exp((r - 0.02) * t + distance * sigma * t.sqrt() * 3.0);
            let right = if distance > 0.0 { Call } else { Put };
            let option = EuropeanOption::new(right, s, k, t, r, 0.02).unwrap();
            let price = option.price(sigma).unwrap();
            prop_assume!(price < option.upper_bound());
            let found = option.implied_volatility(price).unwrap();
            let vega = option.greeks(sigma).unwrap().vega.unwrap();
            let rounding = 8.0 * f64::EPSILON * price / (vega * sigma);
            prop_assert!((found / sigma - 1.0).abs() < 1e-11 + rounding, "{} came back as {}", sigma, found);
        }

        /// Any price inside the bounds is met again by the price of its volatility.
        #[test]
        fn price_round_trip(
            s in 1.0..1000.0f64, k in 1.0..1000.0f64, t in 0.001..5.0f64, share in 0.0..1.0f64, call in any::<bool>(),
        ) {
            let option = EuropeanOption::new(if call { Call } else { Put }, s, k, t, 0.03, 0.01).unwrap();
            let (lower, upper) = (option.discounted_intrinsic(), option.upper_bound());
            let price = lower + (upper - lower) * share;
            prop_assume!(price > lower && price < upper);
            let found = option.price(option.implied_volatility(price).unwrap()).unwrap();
            prop_assert!((found - price).abs() <= 1e-13 * upper, "{} came back as {}", price, found);
        }
    }
}
