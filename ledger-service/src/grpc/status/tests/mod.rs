//! Every error that callers can meet, as they meet it.

mod page;
mod payments;
mod rejections;

use tonic_types::FieldViolation;

use super::*;

/// Code, reason and metadata in one line.
fn told(status: &Status) -> String {
    let details = status.get_error_details();
    let info = details.error_info().unwrap();
    assert_eq!(info.domain, "ledger");
    let mut metadata: Vec<String> = info
        .metadata
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    metadata.sort();
    format!("{:?} {} {}", status.code(), info.reason, metadata.join(" "))
        .trim_end()
        .to_owned()
}

/// One error of each kind.
fn engine_errors() -> Vec<EngineError> {
    vec![
        EngineError::UnknownBook("c".to_owned()),
        EngineError::QueueFull,
        EngineError::TooManyBooks,
        EngineError::DeadlineExceeded,
        EngineError::Unavailable,
        EngineError::ClockSkew {
            difference_ms: 3_000,
        },
        EngineError::NotCaughtUp {
            position: 5,
            wanted: 7,
        },
        EngineError::LogForked,
        EngineError::Rejected(Box::new(Rejection::HoldNotFound)),
        EngineError::Refused,
        EngineError::Stopped,
        EngineError::ShuttingDown,
    ]
}

#[test]
fn every_engine_error_is_told_and_says_when_to_come_back() {
    let funds = Rejection::HoldNotFound;
    let table = [
        (
            EngineError::UnknownBook("c".to_owned()),
            "NotFound BOOK_NOT_FOUND book=c",
            false,
        ),
        (EngineError::QueueFull, "ResourceExhausted QUEUE_FULL", true),
        (
            EngineError::TooManyBooks,
            "ResourceExhausted TOO_MANY_BOOKS",
            true,
        ),
        (
            EngineError::DeadlineExceeded,
            "DeadlineExceeded DEADLINE_EXCEEDED",
            false,
        ),
        (
            EngineError::Unavailable,
            "Unavailable DATABASE_UNAVAILABLE",
            true,
        ),
        (
            EngineError::ClockSkew {
                difference_ms: 3_000,
            },
            "Unavailable CLOCK_SKEW difference_ms=3000",
            true,
        ),
        (
            EngineError::NotCaughtUp {
                position: 5,
                wanted: 7,
            },
            "Unavailable NOT_CAUGHT_UP position=5 wanted_position=7",
            true,
        ),
        (EngineError::LogForked, "DataLoss LOG_FORKED", false),
        (
            EngineError::Rejected(Box::new(funds)),
            "NotFound HOLD_NOT_FOUND",
            false,
        ),
        (EngineError::Refused, "Internal DATA_REFUSED", false),
        (EngineError::Stopped, "Internal BOOK_STOPPED", false),
        (EngineError::ShuttingDown, "Unavailable SHUTTING_DOWN", true),
    ];
    assert_eq!(table.len(), engine_errors().len());
    for (error, expected, has_retry) in table {
        let status = engine(&error, "b");
        assert_eq!(told(&status), expected);
        assert_eq!(
            status.get_details_retry_info().is_some(),
            has_retry,
            "{expected}"
        );
    }
}

#[test]
fn causes_stay_inside() {
    let secret = "postgres://user:password@host";
    let cause = || sqlx_error(secret);
    let table = [
        (StoreError::Refused(cause()), "Internal DATA_REFUSED"),
        (
            StoreError::Busy(cause()),
            "Unavailable DATABASE_UNAVAILABLE",
        ),
        (
            StoreError::Lost(cause()),
            "Unavailable DATABASE_UNAVAILABLE",
        ),
        (
            StoreError::TimedOut { limit_ms: 10 },
            "Unavailable DATABASE_UNAVAILABLE",
        ),
        (
            StoreError::CannotWrite(cause()),
            "Unavailable DATABASE_UNAVAILABLE",
        ),
        (
            StoreError::Damaged(secret.to_owned()),
            "DataLoss DATA_DAMAGED",
        ),
    ];
    for (error, expected) in table {
        let status = store(&error);
        assert_eq!(told(&status), expected);
        assert!(!format!("{status:?}").contains("password"), "{status:?}");
    }
}

/// The store's causes are of a crate that is not used here by name.
fn sqlx_error<E: From<std::io::Error>>(text: &str) -> E {
    std::io::Error::other(text.to_owned()).into()
}

#[test]
fn violations_are_all_told_as_long_as_they_fit() {
    let violation = |index: usize| FieldViolation::new(format!("requests[{index}].amount"), "no");
    let few = invalid((0..3).map(violation).collect());
    let expected = "InvalidArgument INVALID_REQUEST \
                    fields=requests[0].amount, requests[1].amount, requests[2].amount";
    assert_eq!(told(&few), expected);
    assert_eq!(
        few.get_details_bad_request()
            .unwrap()
            .field_violations
            .len(),
        3
    );
    let many = invalid((0..1_000).map(violation).collect());
    let shown = many
        .get_details_bad_request()
        .unwrap()
        .field_violations
        .len();
    assert!((50..200).contains(&shown), "{shown}");
    let more = many.get_details_error_info().unwrap().metadata["more"].clone();
    assert_eq!(more, (1_000 - shown).to_string());
    let trailers = many.details().len() * 4 / 3 + many.message().len() * 2;
    assert!(trailers < 16 * 1024, "{trailers} bytes of trailers");
}

#[test]
fn long_values_are_cut_between_characters() {
    let problems = "ё".repeat(2_000);
    let status = rejected(&Rejection::InvalidCatalog { problems }, "b", "a");
    let info = status.get_details_error_info().unwrap();
    assert_eq!(info.metadata["problems"].len(), 1_024);
}
