//! What names look like.

/// A shape that a text must have, and how it is said to people.
pub(super) struct Shape {
    /// The end of a sentence that begins with "must be".
    pub(super) description: &'static str,
    /// Whether a text has it.
    pub(super) fits: fn(&str) -> bool,
}

/// The name of a book: `[a-z0-9][a-z0-9-]{0,62}`.
pub(super) const BOOK: Shape = Shape {
    description: "1 to 63 small letters, digits and dashes, not beginning with a dash",
    fits: |text| {
        name(
            text,
            63,
            |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit(),
            |byte| byte == b'-',
        )
    },
};

/// The id of an asset: `[A-Z][A-Z0-9_]{0,30}`.
pub(super) const ASSET: Shape = Shape {
    description: "1 to 31 capital letters, digits and _, beginning with a letter",
    fits: |text| capitals(text, 31),
};

/// The source of a lot: `[A-Z][A-Z0-9_]{0,62}`.
pub(super) const SOURCE: Shape = Shape {
    description: "1 to 63 capital letters, digits and _, beginning with a letter",
    fits: |text| capitals(text, 63),
};

/// The name of a variable: `[A-Z][A-Z0-9_]{0,63}`.
pub(super) const VARIABLE: Shape = Shape {
    description: "1 to 64 capital letters, digits and _, beginning with a letter",
    fits: |text| capitals(text, 64),
};

/// The id of an operation or a key of metadata: `[a-z][a-z0-9_]{0,62}`.
pub(super) const IDENTIFIER: Shape = Shape {
    description: "1 to 63 small letters, digits and _, beginning with a letter",
    fits: |text| {
        name(
            text,
            63,
            |byte| byte.is_ascii_lowercase(),
            |byte| byte.is_ascii_digit() || byte == b'_',
        )
    },
};

/// A time zone by its shape; whether it exists is for those who have the data.
pub(super) const TIME_ZONE: Shape = Shape {
    description: "UTC or a zone like Europe/Moscow",
    fits: |text| {
        text == "UTC" || (text.len() <= 64 && text.contains('/') && text.split('/').all(zone_part))
    },
};

fn capitals(text: &str, length_max: usize) -> bool {
    let rest = |byte: u8| byte.is_ascii_digit() || byte == b'_';
    name(text, length_max, |byte| byte.is_ascii_uppercase(), rest)
}

fn zone_part(text: &str) -> bool {
    let rest = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'_' | b'+' | b'-');
    name(text, 64, |byte| byte.is_ascii_alphabetic(), rest)
}

/// Whether a text is a `first` and then any of `first` and `rest`.
fn name(text: &str, length_max: usize, first: fn(u8) -> bool, rest: fn(u8) -> bool) -> bool {
    text.len() <= length_max
        && text.bytes().next().is_some_and(first)
        && text.bytes().all(|byte| first(byte) || rest(byte))
}

#[cfg(test)]
mod tests {
    use super::{ASSET, BOOK, IDENTIFIER, SOURCE, Shape, TIME_ZONE, VARIABLE};

    fn check(shape: &Shape, good: &[&str], bad: &[&str]) {
        for text in good {
            assert!((shape.fits)(text), "{text:?} is {}", shape.description);
        }
        for text in bad {
            assert!(!(shape.fits)(text), "{text:?} is not {}", shape.description);
        }
    }

    #[test]
    fn names_have_their_shapes() {
        check(
            &BOOK,
            &["media-lab", "0", &"a".repeat(63)],
            &["", "-a", "A", "a_b", "a.b", &"a".repeat(64)],
        );
        check(
            &ASSET,
            &["RUB", "FREE_OP", "X1", &"A".repeat(31)],
            &["", "rub", "1X", "_A", "A-B", &"A".repeat(32)],
        );
        check(
            &SOURCE,
            &["WELCOME", &"A".repeat(63)],
            &["", "welcome", &"A".repeat(64)],
        );
        check(
            &VARIABLE,
            &["PRICE_PER_OPERATION", &"A".repeat(64)],
            &["", "price", &"A".repeat(65)],
        );
        check(
            &IDENTIFIER,
            &["face_swap", "a1", &"a".repeat(63)],
            &["", "1a", "_a", "faceSwap", "a-b", &"a".repeat(64)],
        );
    }

    #[test]
    fn zones_have_their_shape() {
        let good = [
            "UTC",
            "Europe/Moscow",
            "America/Argentina/Buenos_Aires",
            "Etc/GMT+3",
        ];
        check(
            &TIME_ZONE,
            &good,
            &[
                "",
                "Moscow",
                "utc",
                "MSK",
                "+03:00",
                "Europe/",
                "/Moscow",
                "Europe/Moscow ",
                "Europe//Moscow",
            ],
        );
    }
}
