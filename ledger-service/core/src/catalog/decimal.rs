//! Amounts as an environment writes them: decimals in whole units.

/// Why a text is not an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Error {
    /// Not digits with at most one point between them.
    #[error("must be plain digits, with a point before a fraction")]
    Malformed,
    /// A fraction of a minor unit.
    #[error("has more digits after the point than the asset ({0})")]
    TooFine(u8),
    /// More minor units than fit in 64 bits.
    #[error("is too large")]
    TooLarge,
}

/// Reads a decimal in whole units; gives minor units, 0 or more. `9.90` with
/// exponent 2 is 990. No sign, no spaces, no comma, no power of ten.
pub(super) fn parse(text: &str, exponent: u8) -> Result<i64, Error> {
    let (whole, fraction) = match text.split_once('.') {
        Some((_, "")) => return Err(Error::Malformed),
        Some(parts) => parts,
        None => (text, ""),
    };
    if whole.is_empty()
        || !whole
            .bytes()
            .chain(fraction.bytes())
            .all(|byte| byte.is_ascii_digit())
    {
        return Err(Error::Malformed);
    }
    let width = usize::from(exponent);
    if fraction.len() > width {
        return Err(Error::TooFine(exponent));
    }
    format!("{whole}{fraction:0<width$}")
        .parse()
        .map_err(|_| Error::TooLarge)
}

#[cfg(test)]
mod tests {
    use super::{Error, parse};

    #[test]
    fn decimals_are_whole_units() {
        for (text, exponent, minor) in [
            ("10", 2, 1000),
            ("9.90", 2, 990),
            ("9.9", 2, 990),
            ("0.01", 2, 1),
            ("0", 2, 0),
            ("007", 0, 7),
            ("1.000000001", 9, 1_000_000_001),
            ("92233720368547758.07", 2, i64::MAX),
        ] {
            assert_eq!(parse(text, exponent), Ok(minor), "{text} at {exponent}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "", " ", "10 ", "-1", "+1", "1e3", "9,90", ".5", "5.", ".", "1.2.3", "0x10", "1_000",
            "ten", "٣",
        ] {
            assert_eq!(parse(text, 2), Err(Error::Malformed), "{text:?}");
        }
        assert_eq!(parse("9.999", 2), Err(Error::TooFine(2)));
        assert_eq!(parse("4.0", 0), Err(Error::TooFine(0)));
        assert_eq!(parse("92233720368547758.08", 2), Err(Error::TooLarge));
    }
}
