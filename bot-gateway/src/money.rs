//! Amounts as text and as integer minor units. Never a float.

/// The currencies that YooKassa settles in. All of them have two decimals, so
/// minor units are hundredths.
pub const CURRENCIES: [&str; 12] = [
    "RUB", "EUR", "USD", "KZT", "BYN", "UAH", "UZS", "TRY", "INR", "MDL", "AZN", "AMD",
];

/// Digits before the point: 10¹³ units are more than any payment.
const WHOLE_DIGITS_MAX: usize = 13;

/// Whether an asset counts hundredths of a currency; the others count whole
/// units.
#[must_use]
pub fn is_currency(asset: &str) -> bool {
    CURRENCIES.contains(&asset)
}

/// Reads an amount as YooKassa writes it (`499.00`) into minor units.
///
/// Strict on purpose: what is not plainly an amount (signs, exponents, commas,
/// spaces, a third decimal) is `None`, and somebody looks at it.
#[must_use]
pub fn parse_minor(text: &str) -> Option<i64> {
    let (whole, cents) = text.split_once('.').unwrap_or((text, "00"));
    let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > WHOLE_DIGITS_MAX || cents.len() != 2 {
        return None;
    }
    if !is_number(whole) || !is_number(cents) || (whole.len() > 1 && whole.starts_with('0')) {
        return None;
    }
    let whole: i64 = whole.parse().ok()?;
    let cents: i64 = cents.parse().ok()?;
    whole.checked_mul(100)?.checked_add(cents)
}

#[cfg(test)]
mod tests {
    use super::parse_minor;

    #[test]
    fn reads_amounts_and_nothing_else() {
        let cases = [
            ("499.00", Some(49_900)),
            ("0.10", Some(10)),
            ("0.00", Some(0)),
            ("499", Some(49_900)),
            ("1000000.01", Some(100_000_001)),
            ("9999999999999.99", Some(999_999_999_999_999)),
            ("99999999999999.00", None),
            ("1e3", None),
            ("-5", None),
            ("+5.00", None),
            ("3,5", None),
            ("499.001", None),
            ("499.5", None),
            ("499.", None),
            (".50", None),
            ("", None),
            (" 499.00", None),
            ("499.00 ", None),
            ("1 000.00", None),
            ("1.000.00", None),
            ("007.00", None),
            ("٤٩٩.00", None),
            ("0x10", None),
            ("NaN", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_minor(text), expected, "{text:?}");
        }
    }
}
