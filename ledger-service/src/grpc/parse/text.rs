//! The shapes of ids and texts.

/// Whether a text is 1 to `max` characters, the first one of `first`, the rest
/// of `first` or `rest`. All of them ASCII.
fn is_word(text: &str, max: usize, first: fn(u8) -> bool, rest: fn(u8) -> bool) -> bool {
    let mut bytes = text.bytes();
    text.len() <= max
        && bytes.next().is_some_and(first)
        && bytes.all(|byte| first(byte) || rest(byte))
}

fn is_upper(byte: u8) -> bool {
    byte.is_ascii_uppercase()
}

fn is_lower(byte: u8) -> bool {
    byte.is_ascii_lowercase()
}

fn is_digit_or_underscore(byte: u8) -> bool {
    byte.is_ascii_digit() || byte == b'_'
}

pub(super) const ASSET_RULE: &str =
    "must be 1 to 31 characters of A-Z, 0-9 and _, the first one a letter";

pub(super) fn is_asset(text: &str) -> bool {
    is_word(text, 31, is_upper, is_digit_or_underscore)
}

pub(super) const OPERATION_RULE: &str =
    "must be 1 to 63 characters of a-z, 0-9 and _, the first one a letter";

pub(super) fn is_operation(text: &str) -> bool {
    is_word(text, 63, is_lower, is_digit_or_underscore)
}

pub(super) const CODE_RULE: &str =
    "must be 1 to 63 characters of A-Z, 0-9 and _, the first one a letter";

pub(super) fn is_code(text: &str) -> bool {
    is_word(text, 63, is_upper, is_digit_or_underscore)
}

pub(super) const CURRENCY_RULE: &str = "must be 3 letters of A-Z";

pub(super) fn is_currency(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(is_upper)
}

pub(super) const KIND_RULE: &str =
    "must be 1 to 32 characters of a-z, 0-9 and _, the first one a letter";

pub(super) fn is_kind(text: &str) -> bool {
    is_word(text, 32, is_lower, is_digit_or_underscore)
}

pub(super) const ORIGIN_RULE: &str = "must be 1 to 63 characters of a-z, 0-9, _ and -";

pub(super) fn is_origin(text: &str) -> bool {
    let is_allowed = |byte: u8| is_lower(byte) || is_digit_or_underscore(byte) || byte == b'-';
    (1..=63).contains(&text.len()) && text.bytes().all(is_allowed)
}

pub(super) const ID_RULE: &str = "must be 1 to 128 printable characters";

/// An id that another system made up.
pub(super) fn is_id(text: &str) -> bool {
    !text.is_empty() && has_chars(text, 128) && !text.chars().any(char::is_control)
}

pub(super) const NAME_RULE: &str = "must be at most 128 characters, without U+0000";

/// An id of the caller's own, or the name of a person; empty if there is none.
pub(super) fn is_name(text: &str) -> bool {
    has_chars(text, 128) && !has_nul(text)
}

/// Whether a text has at most `max` characters.
pub(super) fn has_chars(text: &str, max: usize) -> bool {
    // A text has as many bytes as characters, or more.
    text.len() <= max || text.chars().count() <= max
}

/// Databases do not take U+0000.
pub(super) fn has_nul(text: &str) -> bool {
    text.as_bytes().contains(&0)
}
