//! What all mutations have in common.

use std::time::Duration;

use ledger_core::event::{Annotations, Reason};

use super::*;

fn annotated(annotations: v1::Annotations) -> v1::ChargeRequest {
    v1::ChargeRequest {
        annotations: Some(annotations),
        ..charge_message()
    }
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let message = v1::ChargeRequest {
        account: "books/b/accounts/a b".to_owned(),
        request_id: "task-77".to_owned(),
        expire_time: Some(prost_types::Timestamp {
            seconds: i64::MAX,
            nanos: 0,
        }),
        quantity: -1,
        explicit_price: amount("rub", -1),
        max_price: amount("", 0),
        ..Default::default()
    };
    let mut request = tonic::Request::new(());
    request
        .metadata_mut()
        .insert("x-ledger-origin", "Bot!".parse().unwrap());
    let result = mutation(message, Caller::of(&request), NOW, charge);
    let fields: Vec<String> = violations(result)
        .into_iter()
        .filter_map(|violation| violation.split(':').next().map(str::to_owned))
        .collect();
    let expected = [
        "x-ledger-origin",
        "expire_time",
        "account",
        "request_id",
        "explicit_price.asset",
        "explicit_price.amount",
        "quantity",
        "max_price.asset",
    ];
    assert_eq!(fields, expected);
}

#[test]
fn request_ids_are_uuids_in_36_characters() {
    let rule = "must be a UUID (RFC 9562) in its 36 characters, neither the nil nor the max one";
    let table = [
        ("", "is required"),
        ("task-77", rule),
        ("01a1f75f4aa086d0b6b061c3b6e7ee97", rule),
        ("{01a1f75f-4aa0-86d0-b6b0-61c3b6e7ee97}", rule),
        ("01a1f75f-4aa0-86d0-b6b0-61c3b6e7ee9", rule),
        ("01a1f75f-4aa0-86d0-b6b0-61c3b6e7ee9g", rule),
        ("00000000-0000-0000-0000-000000000000", rule),
        ("ffffffff-ffff-ffff-ffff-ffffffffffff", rule),
    ];
    for (id, rule) in table {
        let message = v1::ChargeRequest {
            request_id: id.to_owned(),
            ..charge_message()
        };
        wrong(message, charge, &[("request_id", rule)]);
    }
    let message = v1::ChargeRequest {
        request_id: ID.to_uppercase(),
        ..charge_message()
    };
    let request = read(message, charge).unwrap();
    assert_eq!(request.request_id.unwrap().to_string(), ID);
}

#[test]
fn the_books_own_accounts_take_no_requests() {
    let account = "books/b/accounts/@house".to_owned();
    let message = v1::ChargeRequest {
        account,
        ..charge_message()
    };
    let rule = "accounts whose ids begin with @ are the book's own";
    wrong(message, charge, &[("account", rule)]);
}

#[test]
fn times_are_cut_to_microseconds_and_bounded() {
    let time = |seconds, nanos| v1::ChargeRequest {
        expire_time: Some(prost_types::Timestamp { seconds, nanos }),
        ..charge_message()
    };
    let request = read(time(-1, 999_999_999), charge).unwrap();
    assert_eq!(request.expires_at, Some(Timestamp(-1)));
    for (seconds, nanos) in [
        (253_402_300_800, 0),
        (-62_135_596_801, 0),
        (0, -1),
        (0, 1_000_000_000),
    ] {
        wrong(time(seconds, nanos), charge, &[("expire_time", TIME_RULE)]);
    }
    for seconds in [253_402_300_799, -62_135_596_800] {
        assert!(read(time(seconds, 0), charge).is_ok());
    }
}

#[test]
fn annotations_are_kept_and_empty_ones_are_none() {
    let empty = annotated(v1::Annotations {
        reason: Some(v1::Reason::default()),
        ..Default::default()
    });
    assert_eq!(
        read(empty, charge).unwrap().annotations,
        Annotations::default()
    );
    let full = annotated(v1::Annotations {
        external_id: "задача-77".to_owned(),
        metadata: [("model".to_owned(), String::new())].into(),
        occur_time: Some(prost_types::Timestamp {
            seconds: 1_700_000_060,
            nanos: 0,
        }),
        person: "anna".to_owned(),
        reason: Some(v1::Reason {
            code: "WRONG".to_owned(),
            text: String::new(),
        }),
    });
    let expected = Annotations {
        external_id: Some("задача-77".into()),
        metadata: [("model".to_owned(), String::new())].into(),
        occurred_at: Some(NOW.plus_us(60_000_000)),
        person: Some("anna".into()),
        reason: Some(Reason {
            code: "WRONG".into(),
            text: None,
        }),
    };
    assert_eq!(read(full, charge).unwrap().annotations, expected);
}

#[test]
fn annotations_have_bounds() {
    let name = "must be at most 128 characters, without U+0000";
    let long = "ё".repeat(129);
    let metadata = |key: &str, value: &str| v1::Annotations {
        metadata: [(key.to_owned(), value.to_owned())].into(),
        ..Default::default()
    };
    let reason = |code: &str, text: &str| v1::Annotations {
        reason: Some(v1::Reason {
            code: code.to_owned(),
            text: text.to_owned(),
        }),
        ..Default::default()
    };
    let keys = "keys must be 1 to 64 characters, without U+0000";
    let values = "values must be at most 512 bytes, without U+0000";
    let many = (0..17)
        .map(|key| (key.to_string(), String::new()))
        .collect();
    let table = [
        (
            v1::Annotations {
                external_id: long.clone(),
                ..Default::default()
            },
            ("annotations.external_id", name),
        ),
        (
            v1::Annotations {
                external_id: "a\0".to_owned(),
                ..Default::default()
            },
            ("annotations.external_id", name),
        ),
        (
            v1::Annotations {
                person: long,
                ..Default::default()
            },
            ("annotations.person", name),
        ),
        (metadata("", "v"), ("annotations.metadata", keys)),
        (
            metadata(&"k".repeat(65), "v"),
            ("annotations.metadata", keys),
        ),
        (metadata("k\0", "v"), ("annotations.metadata", keys)),
        (
            metadata("k", &"v".repeat(513)),
            ("annotations.metadata", values),
        ),
        (metadata("k", "\0"), ("annotations.metadata", values)),
        (
            v1::Annotations {
                metadata: many,
                ..Default::default()
            },
            ("annotations.metadata", "must have at most 16 entries"),
        ),
        (
            v1::Annotations {
                occur_time: Some(prost_types::Timestamp {
                    seconds: 1_700_000_060,
                    nanos: 1_000,
                }),
                ..Default::default()
            },
            ("annotations.occur_time", "must not be in the future"),
        ),
        (
            reason("wrong", ""),
            ("annotations.reason.code", text::CODE_RULE),
        ),
        (
            reason("", "text"),
            ("annotations.reason.code", text::CODE_RULE),
        ),
        (
            reason("WRONG", &"t".repeat(513)),
            (
                "annotations.reason.text",
                "must be at most 512 bytes, without U+0000",
            ),
        ),
    ];
    for (annotations, expected) in table {
        wrong(annotated(annotations), charge, &[expected]);
    }
}

#[test]
fn the_origin_is_a_header_with_a_default() {
    assert_eq!(read(charge_message(), charge).unwrap().origin, "unknown");
    for (origin, is_right) in [
        ("nano-banana_2", true),
        ("", false),
        ("Bot", false),
        (&"b".repeat(64), false),
    ] {
        let mut request = tonic::Request::new(());
        request
            .metadata_mut()
            .insert("x-ledger-origin", origin.parse().unwrap());
        let result = mutation(charge_message(), Caller::of(&request), NOW, charge);
        assert_eq!(result.is_ok(), is_right, "{origin}");
    }
}

#[test]
fn a_deadline_is_an_extension_or_the_default() {
    let mut request = tonic::Request::new(());
    let default = Caller::deadline_of(&request).elapsed();
    assert_eq!(default, Duration::ZERO);
    let deadline = std::time::Instant::now() + Duration::from_secs(7);
    request
        .extensions_mut()
        .insert(crate::grpc::layers::Deadline(deadline));
    assert_eq!(Caller::deadline_of(&request), deadline);
}

#[test]
fn items_of_a_batch_are_told_by_their_place() {
    let message = v1::BatchChargeRequest {
        book: "books/b".to_owned(),
        requests: vec![
            charge_message(),
            v1::ChargeRequest {
                account: "books/c/accounts/a".to_owned(),
                validate_only: true,
                expire_time: Some(prost_types::Timestamp::default()),
                ..charge_message()
            },
            v1::ChargeRequest {
                quantity: 1_000_001,
                ..charge_message()
            },
        ],
        request_id: ID.to_owned(),
        ..Default::default()
    };
    let expected = [
        "request_id: must be empty unless `atomic` is set",
        "requests[1].validate_only: must be set on the call only",
        "requests[1].expire_time: must be set on the call only",
        "requests[1].account: must be an account of the call's book",
        "requests[2].quantity: must be 1 to 1000000",
    ];
    assert_eq!(
        violations(batch(Batch::from(message), caller(), NOW, charge)),
        expected
    );
}

#[test]
fn batches_are_bounded_and_atomic_ones_have_an_id() {
    let message = |count: usize, atomic, request_id: &str| v1::BatchChargeRequest {
        book: "books/b".to_owned(),
        requests: vec![charge_message(); count],
        atomic,
        request_id: request_id.to_owned(),
        expire_time: Some(prost_types::Timestamp {
            seconds: 7,
            nanos: 0,
        }),
        validate_only: true,
    };
    let parse = |message| batch(Batch::from(message), caller(), NOW, charge);
    for count in [0, 1_001] {
        let told = violations(parse(message(count, false, "")));
        assert_eq!(told, ["requests: must be 1 to 1000 items"]);
    }
    assert_eq!(
        violations(parse(message(1, true, ""))),
        ["request_id: is required"]
    );
    let parsed = parse(message(1_000, true, ID)).unwrap();
    assert_eq!(parsed.accounts.len(), 1_000);
    assert_eq!(parsed.call.options.atomic.unwrap().to_string(), ID);
    assert!(parsed.call.options.validate_only);
    assert!(
        parsed
            .call
            .requests
            .iter()
            .all(|item| item.expires_at == Some(Timestamp(7_000_000)))
    );
}
