//! `docs/api.md` says the reasons and codes that there are.

use std::collections::{BTreeMap, BTreeSet};

use super::{rejections::every_rejection, *};

const PAGE: &str = include_str!("../../../../../docs/api.md");
const SOURCE: &str = include_str!("../../status.rs");

/// The rows of the page's tables of errors: each reason with its code.
fn on_the_page() -> BTreeMap<String, String> {
    let errors = PAGE.split("\n## ").find(|part| part.starts_with("Errors"));
    let mut rows = BTreeMap::new();
    for line in errors.unwrap().lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, reasons, code, _, _] = cells.as_slice() else {
            continue;
        };
        for reason in reasons.split('`').skip(1).step_by(2) {
            let before = rows.insert(reason.to_owned(), (*code).to_owned());
            assert_eq!(before, None, "{reason} has two rows");
        }
    }
    rows
}

/// One status of each kind that is made here.
fn statuses() -> Vec<Status> {
    let of_code = |code| of_transport(&Status::new(code, "m"));
    let mut statuses = vec![
        store(&StoreError::Damaged("d".to_owned())),
        incomplete("i"),
        out_of_time(),
        invalid_field("f", "d"),
        event_not_found("e"),
        catalog_not_found("b", 7),
        too_many_subscribers(1),
        overloaded(),
        of_code(Code::Internal),
        of_code(Code::OutOfRange),
        of_code(Code::NotFound),
        of_code(Code::DeadlineExceeded),
        of_code(Code::from_i32(12)),
    ];
    statuses.extend(engine_errors().iter().map(|error| engine(error, "b")));
    let rejections = every_rejection();
    let refused = rejections.iter().map(|(it, _)| rejected(it, "b", "a"));
    statuses.extend(refused);
    statuses
}

/// `FailedPrecondition` as `FAILED_PRECONDITION`.
fn name_of(code: Code) -> String {
    let mut name = String::new();
    for letter in format!("{code:?}").chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

#[test]
fn the_page_names_every_reason_with_its_code() {
    let mut made = BTreeMap::new();
    for status in statuses() {
        let reason = status.get_details_error_info().unwrap().reason;
        let code = name_of(status.code());
        let before = made.insert(reason.clone(), code.clone());
        assert!(before.is_none_or(|before| before == code), "{reason}");
    }
    assert_eq!(on_the_page(), made);
}

/// So that a status that is added there is not forgotten above.
#[test]
fn every_reason_of_the_source_is_among_them() {
    let is_reason = |text: &&str| {
        let is_letter = |byte: u8| byte.is_ascii_uppercase() || byte == b'_';
        text.len() > 3 && text.bytes().all(is_letter)
    };
    let quoted = SOURCE.split('"').skip(1).step_by(2);
    let reasons: BTreeSet<&str> = quoted.filter(is_reason).collect();
    assert!(reasons.len() >= 20, "{reasons:?}");
    let page = on_the_page();
    for reason in reasons {
        assert!(page.contains_key(reason), "{reason}");
    }
}
