//! No float and no arithmetic that overflows unseen: the lints are forbidden,
//! which no inner `allow` can undo, and no float type is named.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests stop on what they did not expect"
)]

mod driver;

const FORBIDDEN: [&str; 6] = [
    "clippy::float_arithmetic",
    "clippy::arithmetic_side_effects",
    "clippy::cast_possible_truncation",
    "clippy::cast_sign_loss",
    "clippy::cast_precision_loss",
    "clippy::cast_possible_wrap",
];

#[test]
fn the_lints_are_forbidden() {
    let text = include_str!("../src/lib.rs");
    let attribute = text
        .split("#![forbid(")
        .nth(1)
        .and_then(|rest| rest.split(")]").next());
    let lints: Vec<&str> = attribute
        .expect("the attribute")
        .split(',')
        .map(str::trim)
        .filter(|it| !it.is_empty())
        .collect();
    assert_eq!(lints, FORBIDDEN);
}

#[test]
fn no_float_is_named() {
    let files = driver::sources::sources();
    assert!(files.len() > 30, "the sources were found");
    for (path, text) in files {
        for word in text.split(|c: char| !c.is_alphanumeric() && c != '_') {
            assert!(!names_a_float(word), "{}: `{word}`", path.display());
        }
    }
}

/// `f64`, or a number such as `1f64`.
fn names_a_float(word: &str) -> bool {
    let before = word
        .strip_suffix("f32")
        .or_else(|| word.strip_suffix("f64"));
    before.is_some_and(|digits| digits.chars().all(|c| c.is_ascii_digit() || c == '_'))
}

#[test]
fn floats_would_be_found() {
    for word in ["f32", "f64", "1f64", "2_f32"] {
        assert!(names_a_float(word), "{word}");
    }
    for word in ["f16x", "buf64", "leaf32", "i64", "float"] {
        assert!(!names_a_float(word), "{word}");
    }
}
