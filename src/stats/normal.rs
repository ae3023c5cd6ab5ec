//! The standard normal distribution.

use std::f64::consts::{PI, SQRT_2};

/// 1 / sqrt(2 pi).
const DENSITY_AT_0: f64 = 0.398_942_280_401_432_7;

/// Density `exp(-x^2 / 2) / sqrt(2 pi)`.
pub fn density(x: f64) -> f64 {
    if x.abs() > 39.0 {
        return 0.0;
    }
    // The square is split exactly, so that its rounding is not blown up by the exponential.
    let head = head(x);
    DENSITY_AT_0 * (libm::exp(-0.5 * head * head) * libm::exp(-0.5 * (x - head) * (x + head)))
}

/// Distribution function `Phi(x) = erfc(-x / sqrt 2) / 2`.
///
/// The lower tail keeps its relative accuracy down to the smallest positive number (about x = -38): there
/// `erfc` is taken in its scaled form, because rounding `x / sqrt 2` alone would cost `x^2` units.
pub fn cumulative(x: f64) -> f64 {
    if x < -1.0 {
        return if x < -40.0 { 0.0 } else { density(x) * cumulative_over_density(x) };
    }
    0.5 * libm::erfc(-x / SQRT_2)
}

/// `Phi(x) / density(x)`, the lower tail without its exponential decay; finite for every `x` below 38.
pub(crate) fn cumulative_over_density(x: f64) -> f64 {
    (PI / 2.0).sqrt() * scaled_erfc(-x / SQRT_2)
}

/// `exp(x^2) erfc(x)`.
fn scaled_erfc(x: f64) -> f64 {
    if x < 0.0 {
        return 2.0 * exp_of_square(x) - scaled_erfc(-x);
    }
    if x < 25.0 {
        return exp_of_square(x) * libm::erfc(x);
    }
    // Asymptotic series (Abramowitz & Stegun 7.1.23); from 25 on the first term left out is below 1e-16.
    let z = 0.5 / (x * x);
    let series = 1.0 - z * (1.0 - 3.0 * z * (1.0 - 5.0 * z * (1.0 - 7.0 * z * (1.0 - 9.0 * z * (1.0 - 11.0 * z)))));
    series / (x * PI.sqrt())
}

/// `exp(x^2)`, with the square split exactly.
fn exp_of_square(x: f64) -> f64 {
    let head = head(x);
    libm::exp(head * head) * libm::exp((x - head) * (x + head))
}

/// The leading 26 bits of `x`: their square is exact.
fn head(x: f64) -> f64 {
    f64::from_bits(x.to_bits() & 0xffff_ffff_f800_0000)
}

/// Inverse of [`cumulative`]: negative infinity at 0, infinity at 1, NaN outside [0, 1].
///
/// Algorithm AS 241, routine PPND16: M. J. Wichura, *The Percentage Points of the Normal Distribution*,
/// Applied Statistics 37 (1988), 477-484; then one step of Halley's method against [`cumulative`].
pub fn quantile(p: f64) -> f64 {
    if !(p > 0.0 && p < 1.0) {
        return match p {
            0.0 => f64::NEG_INFINITY,
            1.0 => f64::INFINITY,
            _ => f64::NAN,
        };
    }
    if p > 0.5 {
        // 1 - p is exact here, and the lower tail is where `cumulative` is accurate.
        return -quantile(1.0 - p);
    }
    let x = wichura(p);
    let density = density(x);
    if density < f64::MIN_POSITIVE {
        return x;
    }
    let step = (cumulative(x) - p) / density;
    x - step / (1.0 + 0.5 * x * step)
}

/// As [`quantile`], without its last step: accurate to about one part in 10^16, which is more than a random draw
/// needs, and several times faster.
pub fn quantile_of_draw(p: f64) -> f64 {
    if p > 0.5 { -wichura(1.0 - p) } else { wichura(p) }
}

/// PPND16 for `p` in (0, 0.5].
fn wichura(p: f64) -> f64 {
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        let r = 0.180625 - q * q;
        return q * ratio(r, &CENTRE);
    }
    let r = (-libm::log(p)).sqrt();
    -if r <= 5.0 { ratio(r - 1.6, &MIDDLE) } else { ratio(r - 5.0, &TAIL) }
}

/// Quotient of two polynomials, coefficients from the highest power down.
fn ratio(r: f64, [numerator, denominator]: &[[f64; 8]; 2]) -> f64 {
    let polynomial = |coefficients: &[f64; 8]| coefficients.iter().fold(0.0, |value, c| value * r + c);
    polynomial(numerator) / polynomial(denominator)
}

#[allow(clippy::excessive_precision)]
const CENTRE: [[f64; 8]; 2] = [
    [
        2509.0809287301226727,
        33430.575583588128105,
        67265.770927008700853,
        45921.953931549871457,
        13731.693765509461125,
        1971.5909503065514427,
        133.14166789178437745,
        3.387132872796366608,
    ],
    [
        5226.495278852545925,
        28729.085735721942674,
        39307.89580009271061,
        21213.794301586595867,
        5394.1960214247511077,
        687.1870074920579083,
        42.313330701600911252,
        1.0,
    ],
];

#[allow(clippy::excessive_precision)]
const MIDDLE: [[f64; 8]; 2] = [
    [
        7.7454501427834140764e-4,
        0.0227238449892691845833,
        0.24178072517745061177,
        1.27045825245236838258,
        3.64784832476320460504,
        5.7694972214606914055,
        4.6303378461565452959,
        1.42343711074968357734,
    ],
    [
        1.05075007164441684324e-9,
        5.475938084995344946e-4,
        0.0151986665636164571966,
        0.14810397642748007459,
        0.68976733498510000455,
        1.6763848301838038494,
        2.05319162663775882187,
        1.0,
    ],
];

#[allow(clippy::excessive_precision)]
const TAIL: [[f64; 8]; 2] = [
    [
        2.01033439929228813265e-7,
        2.71155556874348757815e-5,
        0.0012426609473880784386,
        0.026532189526576123093,
        0.29656057182850489123,
        1.7848265399172913358,
        5.4637849111641143699,
        6.6579046435011037772,
    ],
    [
        2.04426310338993978564e-15,
        1.4215117583164458887e-7,
        1.8463183175100546818e-5,
        7.868691311456132591e-4,
        0.0148753612908506148525,
        0.13692988092273580531,
        0.59983220655588793769,
        1.0,
    ],
];

#[cfg(test)]
#[allow(clippy::excessive_precision)] // Reference values keep the digits they were published with.
mod tests {
    use super::*;

    fn assert_close(found: f64, expected: f64, relative: f64) {
        assert!((found - expected).abs() <= relative * expected.abs(), "{found:e} is not {expected:e}");
    }

    // Reference values of these tests: mpmath 1.4 with 60 digits, rounded to 18.

    #[test]
    fn distribution_function_keeps_relative_accuracy_in_both_tails() {
        for (x, expected) in [
            (-37.5, 4.60535300958195484e-308),
            (-30.0, 4.90671392714818706e-198),
            (-20.0, 2.7536241186062337e-89),
            (-10.0, 7.61985302416052607e-24),
            (-5.0, 2.86651571879193912e-7),
            (-2.5, 0.00620966532577613517),
            (-1.0, 0.158655253931457051),
            (-0.5, 0.308537538725986896),
            (0.0, 0.5),
            (0.25, 0.598706325682923724),
            (1.0, 0.841344746068542949),
            (3.0, 0.998650101968369905),
            (8.0, 0.999999999999999378),
        ] {
            assert_close(cumulative(x), expected, 2e-15);
        }
        assert!(cumulative(-38.0) > 0.0);
        assert_eq!((cumulative(f64::NEG_INFINITY), cumulative(f64::INFINITY)), (0.0, 1.0));
        assert_eq!((density(f64::NEG_INFINITY), density(f64::INFINITY)), (0.0, 0.0));
        assert!(cumulative(f64::NAN).is_nan() && density(f64::NAN).is_nan());
    }

    #[test]
    fn tail_ratio_is_free_of_the_exponential() {
        for (x, expected) in [
            (-1e8, 9.999999999999999e-9),
            (-1000.0, 0.000999999000002999985),
            (-40.0, 0.0249844042057205711),
            (-35.0, 0.0285481618435092689),
            (-30.0, 0.0332964190724972134),
            (-10.0, 0.0990285964717319214),
            (-3.0, 0.304590298710103296),
            (-0.1, 1.15926239961873632),
            (0.25, 1.54837262154765818),
        ] {
            assert_close(cumulative_over_density(x), expected, 2e-15);
        }
        // Above 0 the rounding of x / sqrt 2 costs x^2 units.
        assert_close(cumulative_over_density(5.0), 672621.636722879252, 25.0 * 1e-15);
    }

    #[test]
    fn quantiles_are_exact_into_the_tails() {
        for (p, expected) in [
            (1e-308, -37.5406749215459424),
            (1e-300, -37.0470962993611992),
            (1e-100, -21.2734535609653243),
            (1e-20, -9.26234008979840758),
            (1e-10, -6.3613409024040562),
            (1e-5, -4.26489079392282461),
            (0.001, -3.09023230616781354),
            (0.05, -1.64485362695147269),
            (0.074, -1.44663206715897851),
            (0.076, -1.43250272082581162),
            (0.25, -0.674489750196081743),
            (0.4999999, -2.50662827470310651e-7),
            (0.6, 0.253347103135799741),
            (0.975, 1.95996398454005386),
        ] {
            assert_close(quantile(p), expected, 4e-16);
        }
        assert_eq!([0.0, 0.5, 1.0].map(quantile), [f64::NEG_INFINITY, 0.0, f64::INFINITY]);
        assert!([-0.1, 1.1, f64::NAN].map(quantile).iter().all(|x| x.is_nan()));
    }

    #[test]
    fn quantile_inverts_the_distribution_function() {
        for i in 1..1000 {
            let p = f64::from(i) / 1000.0;
            assert_close(cumulative(quantile(p)), p, 4e-15);
        }
        for power in 1..300 {
            let p = libm::exp10(-f64::from(power));
            // A quantile is rounded to about 1e-16 |x|, which moves p by 1e-16 x^2 of itself.
            assert_close(cumulative(quantile(p)), p, 2e-13);
        }
    }
}
