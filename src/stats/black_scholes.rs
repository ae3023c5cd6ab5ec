//! Price and greeks of a European option after Black, Scholes and Merton.

use super::normal;
use crate::market::OptionRight;

/// A European option and its market: everything but the volatility. Made by [`EuropeanOption::new`], so its
/// numbers are usable.
///
/// F. Black & M. Scholes, *The Pricing of Options and Corporate Liabilities* (1973); R. C. Merton, *Theory of
/// Rational Option Pricing* (1973) for the dividend yield.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EuropeanOption {
    pub(super) right: OptionRight,
    pub(super) spot: f64,
    pub(super) strike: f64,
    pub(super) years: f64,
    pub(super) rate: f64,
    pub(super) dividend_yield: f64,
    /// Spot less the dividends until expiry, `S e^{-qT}`.
    pub(super) discounted_spot: f64,
    /// `K e^{-rT}`.
    pub(super) discounted_strike: f64,
    /// `ln(forward / strike)`.
    pub(super) moneyness: f64,
}

/// Input that has no option value.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum OptionError {
    #[error("{name} is {value}; expected a positive number")]
    NotPositive { name: &'static str, value: f64 },
    #[error("{name} is {value}; expected 0 or more")]
    Negative { name: &'static str, value: f64 },
    #[error("{name} is {value}; expected a finite number")]
    NotFinite { name: &'static str, value: f64 },
    #[error("discounting with r {rate} and q {dividend_yield} over T {years} leaves the range of numbers")]
    OutOfRange { rate: f64, dividend_yield: f64, years: f64 },
    #[error("T is {years}; implied volatility needs time to expiry above 0")]
    Expired { years: f64 },
    #[error("price {price} has no implied volatility; expected a price above {lower} and below {upper}")]
    PriceOutsideBounds { price: f64, lower: f64, upper: f64 },
}

/// Sensitivities of the price. Undefined (`None`) at the kink alone: at expiry or without volatility, with
/// the forward exactly at the strike.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Greeks {
    /// dPrice/dSpot.
    pub delta: Option<f64>,
    /// d2Price/dSpot2.
    pub gamma: Option<f64>,
    /// dPrice/dsigma, per 1.00 of volatility.
    pub vega: Option<f64>,
    /// dPrice/dt per year: what a year of passing time adds.
    pub theta: Option<f64>,
    /// dPrice/dr, per 1.00 of rate.
    pub rho: Option<f64>,
}

impl EuropeanOption {
    /// `spot` and `strike` in dollars, `years` to expiry, continuous annual `rate` and `dividend_yield`.
    ///
    /// # Errors
    /// A spot or strike of 0 or less, negative years, anything not finite, or discount factors outside the
    /// range of f64.
    pub fn new(
        right: OptionRight,
        spot: f64,
        strike: f64,
        years: f64,
        rate: f64,
        dividend_yield: f64,
    ) -> Result<EuropeanOption, OptionError> {
        let named = [("S", spot), ("K", strike), ("T", years), ("r", rate), ("q", dividend_yield)];
        for (name, value) in named {
            if !value.is_finite() {
                return Err(OptionError::NotFinite { name, value });
            }
        }
        for (name, value) in [("S", spot), ("K", strike)] {
            if value <= 0.0 {
                return Err(OptionError::NotPositive { name, value });
            }
        }
        if years < 0.0 {
            return Err(OptionError::Negative { name: "T", value: years });
        }
        let discounted_spot = spot * libm::exp(-dividend_yield * years);
        let discounted_strike = strike * libm::exp(-rate * years);
        let usable = |x: f64| x.is_normal();
        if !usable(discounted_spot) || !usable(discounted_strike) {
            return Err(OptionError::OutOfRange { rate, dividend_yield, years });
        }
        let moneyness = log_ratio(spot, strike) + (rate - dividend_yield) * years;
        Ok(EuropeanOption {
            right,
            spot,
            strike,
            years,
            rate,
            dividend_yield,
            discounted_spot,
            discounted_strike,
            moneyness,
        })
    }

    /// +1 for a call, -1 for a put.
    fn sign(&self) -> f64 {
        match self.right {
            OptionRight::Call => 1.0,
            OptionRight::Put => -1.0,
        }
    }

    /// The price without any volatility left, `max(0, w (S e^{-qT} - K e^{-rT}))`: the lower bound.
    pub fn discounted_intrinsic(&self) -> f64 {
        if self.sign() * self.moneyness > 0.0 { (self.discounted_spot - self.discounted_strike).abs() } else { 0.0 }
    }

    /// The price of boundless volatility: `S e^{-qT}` for a call, `K e^{-rT}` for a put.
    pub fn upper_bound(&self) -> f64 {
        match self.right {
            OptionRight::Call => self.discounted_spot,
            OptionRight::Put => self.discounted_strike,
        }
    }

    /// Price at annual volatility `sigma`, `w (S e^{-qT} Phi(w d1) - K e^{-rT} Phi(w d2))`; the discounted
    /// intrinsic value for T = 0 or sigma = 0.
    ///
    /// Computed as intrinsic value plus the value of the out-of-the-money option on the same strike, which
    /// is free of cancellation: far out of the money the price keeps its relative accuracy.
    ///
    /// # Errors
    /// A negative or not finite `sigma`.
    pub fn price(&self, sigma: f64) -> Result<f64, OptionError> {
        let deviation = self.deviation(sigma)?;
        let intrinsic = self.discounted_intrinsic();
        if deviation == 0.0 {
            return Ok(intrinsic);
        }
        let scale = self.discounted_spot.min(self.discounted_strike);
        Ok(intrinsic + scale * time_value(self.moneyness.abs(), deviation))
    }

    /// Greeks at annual volatility `sigma`; for T = 0 or sigma = 0 their limits.
    ///
    /// # Errors
    /// A negative or not finite `sigma`.
    pub fn greeks(&self, sigma: f64) -> Result<Greeks, OptionError> {
        let deviation = self.deviation(sigma)?;
        let w = self.sign();
        if deviation == 0.0 && self.moneyness == 0.0 {
            return Ok(Greeks { delta: None, gamma: None, vega: None, theta: None, rho: None });
        }
        let (d1, d2) = if deviation == 0.0 {
            (self.moneyness * f64::INFINITY, self.moneyness * f64::INFINITY)
        } else {
            let centre = self.moneyness / deviation;
            (centre + 0.5 * deviation, centre - 0.5 * deviation)
        };
        let density = normal::density(d1);
        let root_years = self.years.sqrt();
        // S e^{-qT} times the density; both terms with a density vanish with it, whatever they are divided by.
        let weight = self.discounted_spot * density;
        let spot_part = self.discounted_spot * normal::cumulative(w * d1);
        let strike_part = self.discounted_strike * normal::cumulative(w * d2);
        let decay = if density == 0.0 { 0.0 } else { weight * sigma / (2.0 * root_years) };
        let gamma = if density == 0.0 { 0.0 } else { weight / (self.spot * self.spot * deviation) };
        let theta = -decay - w * self.rate * strike_part + w * self.dividend_yield * spot_part;
        let finite = |x: f64| if x.is_finite() { Some(x) } else { None };
        Ok(Greeks {
            delta: finite(w * spot_part / self.spot),
            gamma: finite(gamma),
            vega: finite(weight * root_years),
            theta: finite(theta),
            rho: finite(w * self.years * strike_part),
        })
    }

    /// `sigma sqrt(T)`, checked.
    fn deviation(&self, sigma: f64) -> Result<f64, OptionError> {
        if !sigma.is_finite() {
            return Err(OptionError::NotFinite { name: "sigma", value: sigma });
        }
        if sigma < 0.0 {
            return Err(OptionError::Negative { name: "sigma", value: sigma });
        }
        Ok(sigma * self.years.sqrt())
    }
}

/// Price of a put without dividends: [`EuropeanOption::price`] for callers whose input is checked already.
/// NaN where [`EuropeanOption::new`] or the price answers with an error.
pub fn put_price(spot: f64, strike: f64, years: f64, rate: f64, sigma: f64) -> f64 {
    EuropeanOption::new(OptionRight::Put, spot, strike, years, rate, 0.0)
        .and_then(|option| option.price(sigma))
        .unwrap_or(f64::NAN)
}

/// How far a market price lies from its theoretical value, `abs(mid / theory - 1)`; `None` when the theory
/// is not positive.
pub fn relative_deviation(market_mid: f64, theory: f64) -> Option<f64> {
    if theory > 0.0 && market_mid.is_finite() { Some((market_mid / theory - 1.0).abs()) } else { None }
}

/// `ln(a / b)`, exact to the last digits for `a` near `b`, where the quotient would lose them.
fn log_ratio(a: f64, b: f64) -> f64 {
    let ratio = a / b;
    if (0.5..2.0).contains(&ratio) { libm::log1p((a - b) / b) } else { libm::log(a) - libm::log(b) }
}

/// Value of an out-of-the-money option as a share of its upper bound, for `x = abs(ln(forward / strike))`
/// and `s = sigma sqrt(T) > 0`. Its derivative by `s` is phi(h + t).
///
/// With h = -x/s, t = s/2 and Phi(z) = phi(z) Y(z) the share is
/// Phi(h + t) - e^x Phi(h - t) = Phi(h + t) - phi(h + t) Y(h - t) = phi(h + t) (Y(h + t) - Y(h - t)).
/// P. Jaeckel, *Let's Be Rational* (2015), normalises and splits in a similar way.
fn time_value(x: f64, s: f64) -> f64 {
    let (h, t) = (-x / s, 0.5 * s);
    let density = normal::density(h + t);
    if is_bulk(h, t) {
        return normal::cumulative(h + t) - density * normal::cumulative_over_density(h - t);
    }
    density * tail_ratio_difference(h, t)
}

/// Where the terms of the share are of different size and the plain difference keeps its digits.
fn is_bulk(h: f64, t: f64) -> bool {
    h + t > 0.0 && t >= SMALL_HALF_DEVIATION
}

/// Below this `t` a difference over `2 t` is integrated rather than subtracted.
const SMALL_HALF_DEVIATION: f64 = 0.25;

/// The logarithm of [`time_value`], which does not underflow, and its derivative by `s`.
pub(super) fn log_time_value(x: f64, s: f64) -> (f64, f64) {
    let (h, t) = (-x / s, 0.5 * s);
    if is_bulk(h, t) {
        let share = time_value(x, s);
        return (libm::log(share), normal::density(h + t) / share);
    }
    let difference = tail_ratio_difference(h, t);
    (-0.5 * (h + t) * (h + t) - HALF_LN_TWO_PI + libm::log(difference), 1.0 / difference)
}

/// What is missing of [`time_value`] to the whole upper bound: its logarithm and derivative by `s`.
/// 1 - share = Phi(-(h + t)) + phi(h + t) Y(h - t).
pub(super) fn log_missing_value(x: f64, s: f64) -> (f64, f64) {
    let (h, t) = (-x / s, 0.5 * s);
    let (above, below) = (h + t, h - t);
    if above < -30.0 {
        // Next to nothing is there, so next to everything is missing.
        let (log_share, slope) = log_time_value(x, s);
        let share = libm::exp(log_share);
        return (libm::log1p(-share), -share * slope);
    }
    let total = normal::cumulative_over_density(-above) + normal::cumulative_over_density(below);
    (-0.5 * above * above - HALF_LN_TWO_PI + libm::log(total), -1.0 / total)
}

/// ln(2 pi) / 2.
const HALF_LN_TWO_PI: f64 = 0.918_938_533_204_672_7;

/// `Y(h + t) - Y(h - t)`. For small `t`, where that cancels, as the integral of `Y' = 1 + z Y(z)`, which is
/// positive: Gauss-Legendre quadrature with eight points, exact to rounding for `t` below 1/4.
fn tail_ratio_difference(h: f64, t: f64) -> f64 {
    if t >= SMALL_HALF_DEVIATION {
        return normal::cumulative_over_density(h + t) - normal::cumulative_over_density(h - t);
    }
    let mut total = 0.0;
    for (node, weight) in GAUSS_LEGENDRE_8 {
        total += weight * (tail_ratio_slope(h - t * node) + tail_ratio_slope(h + t * node));
    }
    total * t
}

/// `Y'(z) = 1 + z Y(z)`; far down, where that cancels, its asymptotic series.
fn tail_ratio_slope(z: f64) -> f64 {
    if z > -30.0 {
        return 1.0 + z * normal::cumulative_over_density(z);
    }
    let u = 1.0 / (z * z);
    let series = [15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0].iter().fold(1.0, |tail, odd| 1.0 - odd * u * tail);
    u * series
}

/// Positive nodes and weights on [-1, 1] (Abramowitz & Stegun, table 25.4).
const GAUSS_LEGENDRE_8: [(f64, f64); 4] = [
    (0.183_434_642_495_649_8, 0.362_683_783_378_362),
    (0.525_532_409_916_329, 0.313_706_645_877_887_27),
    (0.796_666_477_413_626_7, 0.222_381_034_453_374_48),
    (0.960_289_856_497_536_3, 0.101_228_536_290_376_26),
];

#[cfg(test)]
#[allow(clippy::excessive_precision)] // Reference values keep the digits they were computed with.
mod tests {
    use super::*;
    use OptionRight::{Call, Put};
    use proptest::prelude::*;

    fn assert_close(found: f64, expected: f64, relative: f64) {
        assert!((found - expected).abs() <= relative * expected.abs(), "{found:e} is not {expected:e}");
    }

    #[test]
    fn prices_and_greeks_agree_with_the_formula_in_80_digits() {
        // S, K, T, r, q, sigma; price, delta, gamma, vega, theta, rho by mpmath 1.4 with 80 digits from the
        // formula as written in the documentation. The first is the example of Hull's textbook.
        let cases: [(OptionRight, [f64; 6], [f64; 6]); 12] = [
            (
                Call,
                [42.0, 40.0, 0.5, 0.1, 0.0, 0.2],
                [
                    4.7594223928715334,
                    0.77913129094266894,
                    0.049962670405911853,
                    8.8134150596028514,
                    -4.5590921945926267,
                    13.982045913360281,
                ],
            ),
            (
                Put,
                [42.0, 40.0, 0.5, 0.1, 0.0, 0.2],
                [
                    0.80859937290009365,
                    -0.22086870905733106,
                    0.049962670405911853,
                    8.8134150596028514,
                    -0.7541744965897705,
                    -5.0425425766539992,
                ],
            ),
            (
                Call,
                [100.0, 110.0, 0.25, 0.03, 0.015, 0.35],
                [
                    3.4742204423454326,
                    0.33028593261751675,
                    0.02065480896975623,
                    18.0729578485367,
                    -13.042272779631601,
                    7.3885932048515606,
                ],
            ),
            (
                Put,
                [100.0, 110.0, 0.25, 0.03, 0.015, 0.35],
                [
                    13.026604225533553,
                    -0.66597108985165432,
                    0.02065480896975623,
                    18.0729578485367,
                    -11.261315732432201,
                    -19.905928302674746,
                ],
            ),
            (
                Call,
                [100.0, 400.0, 0.1, 0.02, 0.0, 0.3],
                [
                    2.0376824085413311e-48,
                    3.1733961406291471e-48,
                    4.887935572322414e-48,
                    1.4663806716967242e-45,
                    -2.2058770461781736e-45,
                    3.1530193165437339e-47,
                ],
            ),
            (
                Put,
                [100.0, 20.0, 0.1, 0.02, 0.01, 0.3],
                [
                    1.5433065245692471e-65,
                    -2.7728098813969989e-65,
                    4.9925152553908412e-65,
                    1.4977545766172524e-62,
                    -2.24382818891399e-62,
                    -2.7882429466426915e-64,
                ],
            ),
            (
                Call,
                [100.0, 100.0, 1e-06, 0.0, 0.0, 0.2],
                [
                    0.0079788455947305778,
                    0.50003989422797365,
                    19.947113920336063,
                    0.039894227840672127,
                    -3989.4227840672131,
                    4.9996010577202632e-5,
                ],
            ),
            (
                Call,
                [100.0, 100.0001, 1e-10, 0.0, 0.0, 0.1],
                [
                    8.3315591567781768e-6,
                    0.15865549589418932,
                    2419.7096648175463,
                    0.00024197096648175465,
                    -120985.48324087733,
                    1.5865541257859776e-9,
                ],
            ),
            (
                Put,
                [5000.0, 1.0, 30.0, 0.05, 0.0, 0.6],
                [
                    0.011067095211087763,
                    -1.3573562937393413e-6,
                    4.0381497555975692e-10,
                    0.18171673900189061,
                    -0.00092447355602968249,
                    -0.53561630039353408,
                ],
            ),
            (
                Call,
                [100.0, 3000.0, 10.0, 0.05, 0.0, 2.5],
                [
                    99.96899539476446,
                    0.99983202275778073,
                    8.1430660543422458e-7,
                    0.20357665135855614,
                    -0.026157425470500146,
                    0.14206881013612564,
                ],
            ),
            (
                Put,
                [100.0, 101.0, 0.003968253968253968, 0.05, 0.0, 0.15],
                [
                    1.054361344467297,
                    -0.84786543826190795,
                    0.24908305714855471,
                    1.4826372449318731,
                    -23.729798670679497,
                    -0.34063851258197654,
                ],
            ),
            (
                Call,
                [100.0, 300.0, 2.0, 0.0, 0.0, 0.0945],
                [
                    2.7686904195705578e-16,
                    1.7652565768042244e-16,
                    1.092741293389325e-16,
                    2.0652810445058242e-13,
                    -4.8792264676450098e-15,
                    3.4751393452170376e-14,
                ],
            ),
        ];
        for (right, [s, k, t, r, q, sigma], expected) in cases {
            let option = EuropeanOption::new(right, s, k, t, r, q).unwrap();
            let greeks = option.greeks(sigma).unwrap();
            assert_close(option.price(sigma).unwrap(), expected[0], 2e-13);
            let found = [greeks.delta, greeks.gamma, greeks.vega, greeks.theta, greeks.rho];
            for (found, expected) in found.iter().zip(&expected[1..]) {
                assert_close(found.unwrap(), *expected, 5e-12);
            }
            assert_close(option.price(option.implied_volatility(expected[0]).unwrap()).unwrap(), expected[0], 1e-12);
        }
    }

    #[test]
    fn without_time_or_volatility_the_discounted_intrinsic_value_is_left() {
        let expired = EuropeanOption::new(Call, 42.0, 40.0, 0.0, 0.1, 0.0).unwrap();
        assert_eq!(expired.price(0.2), Ok(2.0));
        let greeks = expired.greeks(0.2).unwrap();
        assert_eq!((greeks.delta, greeks.gamma, greeks.vega, greeks.rho), (Some(1.0), Some(0.0), Some(0.0), Some(0.0)));
        assert_eq!(EuropeanOption::new(Put, 42.0, 40.0, 0.0, 0.1, 0.0).unwrap().price(0.2), Ok(0.0));
        let certain = EuropeanOption::new(Call, 42.0, 40.0, 0.5, 0.1, 0.0).unwrap();
        assert_close(certain.price(0.0).unwrap(), 42.0 - 40.0 * libm::exp(-0.05), 1e-14);
        assert_close(certain.greeks(0.0).unwrap().rho.unwrap(), 20.0 * libm::exp(-0.05), 1e-14);
        let kink = EuropeanOption::new(Put, 40.0, 40.0, 0.0, 0.1, 0.0).unwrap();
        assert_eq!(kink.price(0.2), Ok(0.0));
        assert_eq!(kink.greeks(0.2).unwrap().delta, None);
    }

    #[test]
    fn unusable_input_is_an_error() {
        let new = |s, k, t| EuropeanOption::new(Call, s, k, t, 0.0, 0.0).map(|_| ());
        assert_eq!(new(0.0, 1.0, 1.0), Err(OptionError::NotPositive { name: "S", value: 0.0 }));
        assert_eq!(new(1.0, -1.0, 1.0), Err(OptionError::NotPositive { name: "K", value: -1.0 }));
        assert_eq!(new(1.0, 1.0, -0.1), Err(OptionError::Negative { name: "T", value: -0.1 }));
        assert!(matches!(new(f64::NAN, 1.0, 1.0), Err(OptionError::NotFinite { name: "S", .. })));
        assert!(matches!(EuropeanOption::new(Call, 1.0, 1.0, 1.0, -1e6, 0.0), Err(OptionError::OutOfRange { .. })));
        let option = EuropeanOption::new(Call, 1.0, 1.0, 1.0, 0.0, 0.0).unwrap();
        assert_eq!(option.price(-0.1), Err(OptionError::Negative { name: "sigma", value: -0.1 }));
        assert!(matches!(option.greeks(f64::NAN), Err(OptionError::NotFinite { name: "sigma", .. })));
    }

    #[test]
    fn extreme_volatility_reaches_the_upper_bound() {
        for right in [Call, Put] {
            let option = EuropeanOption::new(right, 100.0, 90.0, 2.0, 0.03, 0.01).unwrap();
            for sigma in [50.0, 1e4, 1e150, 1e300] {
                assert_close(option.price(sigma).unwrap(), option.upper_bound(), 1e-15);
            }
            for sigma in [1e-300, 1e-20, 1e-9] {
                assert_eq!(option.price(sigma).unwrap(), option.discounted_intrinsic());
            }
        }
    }

    #[test]
    fn deviation_of_a_market_price() {
        assert_close(relative_deviation(1.1, 1.0).unwrap(), 0.1, 1e-14);
        assert_eq!(relative_deviation(1.1, 0.0), None);
    }

    proptest! {
        #[test]
        fn put_call_parity(
            s in 1.0..1000.0f64, k in 1.0..1000.0f64, t in 0.0..5.0f64,
            r in -0.05..0.2f64, q in -0.05..0.2f64, sigma in 0.0..3.0f64,
        ) {
            let call = EuropeanOption::new(Call, s, k, t, r, q).unwrap();
            let put = EuropeanOption::new(Put, s, k, t, r, q).unwrap();
            let forward = s * libm::exp(-q * t) - k * libm::exp(-r * t);
            let difference = call.price(sigma).unwrap() - put.price(sigma).unwrap();
            prop_assert!((difference - forward).abs() <= 1e-14 * (s + k) * 4.0);
            if let (Some(c), Some(p)) = (call.greeks(sigma).unwrap().delta, put.greeks(sigma).unwrap().delta) {
                prop_assert!((c - p - libm::exp(-q * t)).abs() <= 1e-14);
            }
        }

        #[test]
        fn prices_rise_with_volatility_within_their_bounds(
            s in 1.0..1000.0f64, k in 1.0..1000.0f64, t in 0.001..5.0f64, sigma in 0.0..3.0f64, call in any::<bool>(),
        ) {
            let option = EuropeanOption::new(if call { Call } else { Put }, s, k, t, 0.03, 0.01).unwrap();
            let (low, high) = (option.price(sigma).unwrap(), option.price(sigma + 0.01).unwrap());
            prop_assert!(low <= high * (1.0 + 1e-14));
            prop_assert!(option.discounted_intrinsic() <= low && high <= option.upper_bound() * (1.0 + 1e-14));
        }

        #[test]
        fn greeks_are_the_slopes_of_the_price(
            s in 50.0..150.0f64, k in 50.0..150.0f64, t in 0.1..3.0f64, r in -0.02..0.1f64, q in 0.0..0.08f64,
            sigma in 0.1..0.8f64, call in any::<bool>(),
        ) {
            let right = if call { Call } else { Put };
            let price = |s, t, r, sigma| EuropeanOption::new(right, s, k, t, r, q).unwrap().price(sigma).unwrap();
            let greeks = EuropeanOption::new(right, s, k, t, r, q).unwrap().greeks(sigma).unwrap();
            let step = 1e-5;
            let slope = |f: &dyn Fn(f64) -> f64| (f(step) - f(-step)) / (2.0 * step);
            let near = |a: Option<f64>, b: f64| (a.unwrap() - b).abs() < 1e-5 * b.abs().max(1.0);
            prop_assert!(near(greeks.delta, slope(&|h| price(s + h, t, r, sigma))));
            prop_assert!(near(greeks.vega, slope(&|h| price(s, t, r, sigma + h))));
            prop_assert!(near(greeks.rho, slope(&|h| price(s, t, r + h, sigma))));
            prop_assert!(near(greeks.theta, -slope(&|h| price(s, t + h, r, sigma))));
            let delta = |s| EuropeanOption::new(right, s, k, t, r, q).unwrap().greeks(sigma).unwrap().delta.unwrap();
            prop_assert!(near(greeks.gamma, slope(&|h| delta(s + h))));
        }
    }
}
