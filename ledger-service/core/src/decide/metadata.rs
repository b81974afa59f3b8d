//! What metadata may say: keys of the catalog's list, and nothing personal.

use std::collections::BTreeMap;

use crate::{catalog::Catalog, rejection::Rejection};

/// Checks keys, then values.
pub(super) fn check(
    metadata: &BTreeMap<String, String>,
    catalog: &Catalog,
) -> Result<(), Rejection> {
    if let Some(key) = metadata
        .keys()
        .find(|key| !catalog.metadata_keys.contains(*key))
    {
        return Err(Rejection::MetadataKeyNotAllowed { key: key.clone() });
    }
    for (key, value) in metadata {
        if let Some(kind) = personal(value) {
            return Err(Rejection::MetadataPersonal {
                key: key.clone(),
                kind,
            });
        }
    }
    Ok(())
}

/// What kind of personal data a value looks like. Deliberately narrow: ids and
/// hashes must pass.
fn personal(value: &str) -> Option<&'static str> {
    value
        .split_whitespace()
        .find_map(|word| {
            if is_email(word) {
                Some("e-mail")
            } else if is_handle(word) {
                Some("@name")
            } else {
                None
            }
        })
        .or_else(|| is_phone(value).then_some("phone"))
}

fn is_email(word: &str) -> bool {
    word.split_once('@').is_some_and(|(local, host)| {
        !local.is_empty()
            && host
                .split_once('.')
                .is_some_and(|(name, zone)| !name.is_empty() && zone.len() > 1)
    })
}

/// A Telegram name: @ and at least five letters, digits or underscores.
fn is_handle(word: &str) -> bool {
    word.strip_prefix('@').is_some_and(|name| {
        let length = name
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
            .count();
        length > 4
    })
}

/// A plus sign and 10 to 15 digits, with the usual separators.
fn is_phone(value: &str) -> bool {
    value.split('+').skip(1).any(|after| {
        let digits = after
            .chars()
            .take_while(|c| c.is_ascii_digit() || matches!(c, ' ' | '-' | '(' | ')'))
            .filter(char::is_ascii_digit)
            .count();
        (10..=15).contains(&digits)
    })
}

#[cfg(test)]
mod tests {
    use super::personal;

    #[test]
    fn personal_data_is_recognised_and_ids_are_not() {
        let table = [
            ("ann@example.org", Some("e-mail")),
            ("write to ann@example.org", Some("e-mail")),
            ("@ann_t", Some("@name")),
            ("+7 (912) 345-67-89", Some("phone")),
            ("call +79123456789", Some("phone")),
            ("task-77", None),
            ("3017d1f0-000f-5000-8000-1a2b3c4d5e6f", None),
            ("79123456789", None),
            ("gpt-image-1", None),
            ("1024x1024", None),
            ("a@b", None),
            ("@me", None),
            ("1+1", None),
        ];
        for (value, expected) in table {
            assert_eq!(personal(value), expected, "{value}");
        }
    }
}
