//! Numbers as people read them. What is undefined reads `n/a`.

/// What is shown for an undefined number.
pub const UNDEFINED: &str = "n/a";

/// Groups the digits before the decimal point by thousands.
fn grouped(value: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = text.split_once('.').map_or((text.as_str(), None), |(w, f)| (w, Some(f)));
    let mut out = String::with_capacity(text.len() + whole.len() / 3 + 2);
    // A value that rounds to zero has no sign.
    if value < 0.0 && text.bytes().any(|b| b.is_ascii_digit() && b != b'0') {
        out.push('-');
    }
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

fn defined(value: Option<f64>, text: impl FnOnce(f64) -> String) -> String {
    match value {
        Some(v) if v.is_finite() => text(v),
        _ => UNDEFINED.to_string(),
    }
}

/// Adds a plus sign to a positive number, so that the direction never hangs on colour alone.
fn signed(text: String) -> String {
    if text.starts_with('-') || !text.bytes().any(|b| b.is_ascii_digit() && b != b'0') {
        text
    } else {
        format!("+{text}")
    }
}

/// Dollars and cents: `-1,234.50`.
pub fn money(value: impl Into<Option<f64>>) -> String {
    defined(value.into(), |v| grouped(v, 2))
}

/// Dollars and cents with the sign: `+1,234.50`.
pub fn signed_money(value: impl Into<Option<f64>>) -> String {
    defined(value.into(), |v| signed(grouped(v, 2)))
}

/// A price: four decimals below ten dollars, else two.
pub fn price(value: f64) -> String {
    defined(Some(value), |v| grouped(v, if v.abs() < 10.0 { 4 } else { 2 }))
}

/// A fraction as a percentage: 0.1234 is `12.34 %`.
pub fn percent(value: impl Into<Option<f64>>) -> String {
    defined(value.into(), |v| format!("{} %", grouped(v * 100.0, 2)))
}

/// A fraction as a percentage with its sign.
pub fn signed_percent(value: impl Into<Option<f64>>) -> String {
    defined(value.into(), |v| format!("{} %", signed(grouped(v * 100.0, 2))))
}

/// A ratio with `decimals` digits.
pub fn ratio(value: impl Into<Option<f64>>, decimals: usize) -> String {
    defined(value.into(), |v| grouped(v, decimals))
}

/// A count: `12,345`.
pub fn count(value: u64) -> String {
    // Exact up to 2^53.
    grouped(value as f64, 0)
}

/// A quantity of shares: whole where it is whole.
pub fn shares(value: f64) -> String {
    defined(Some(value), |v| if v == v.trunc() { grouped(v, 0) } else { grouped(v, 4) })
}

/// `1 trade`, `2 trades`.
pub fn plural(number: u64, one: &str) -> String {
    format!("{} {one}{}", count(number), if number == 1 { "" } else { "s" })
}

/// The CSS class of a gain or a loss.
pub fn tone(value: impl Into<Option<f64>>) -> &'static str {
    match value.into() {
        Some(v) if v > 0.0 => "up",
        Some(v) if v < 0.0 => "down",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped_and_signs_kept() {
        assert_eq!(money(1234567.891), "1,234,567.89");
        assert_eq!(money(-999.999), "-1,000.00");
        assert_eq!(signed_money(12.0), "+12.00");
        assert_eq!(count(100_000), "100,000");
        assert_eq!(shares(120.0), "120");
        assert_eq!(shares(0.25), "0.2500");
        assert_eq!(price(9.87654), "9.8765");
    }

    #[test]
    fn what_rounds_to_zero_has_no_sign() {
        assert_eq!(money(-0.001), "0.00");
        assert_eq!(signed_money(0.001), "0.00");
        assert_eq!(signed_percent(0.0), "0.00 %");
    }

    #[test]
    fn undefined_numbers_read_not_available() {
        assert_eq!(money(None), "n/a");
        assert_eq!(percent(f64::NAN), "n/a");
        assert_eq!(ratio(f64::INFINITY, 2), "n/a");
    }
}
