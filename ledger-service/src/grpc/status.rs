//! What goes wrong, as a status: the one file that turns rejections, errors of
//! engine and store, and violations of shape into [`Status`]. Every status
//! carries `google.rpc.ErrorInfo` with a stable reason, and in its metadata
//! every word of the message that changes from call to call. Causes inside the
//! service go to the log, never to the caller.

mod metadata;
#[cfg(test)]
mod tests;

use std::{collections::HashMap, error::Error, time::Duration};

use ledger_core::{Rejection, rejection::Kind};
use prost::Message as _;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt as _};

use super::names;
use crate::{
    engine::{EngineError, ItemError},
    projections::ReadError,
    store::StoreError,
};

/// The domain of every reason.
pub(super) const DOMAIN: &str = "ledger";

/// The reason of every violation of shape.
pub(super) const INVALID_REQUEST: &str = "INVALID_REQUEST";

/// How long to wait when too much is asked for at once.
const RETRY_BUSY: Duration = Duration::from_millis(100);
/// How long to wait for something that has to come back or catch up.
const RETRY_OUTAGE: Duration = Duration::from_secs(1);

/// Clients take 8 KiB of trailers; details are sent in base64, and the message
/// beside them.
const VIOLATIONS_BYTES_MAX: usize = 4 * 1024;
/// The longest value of metadata, for the same reason.
const VALUE_BYTES_MAX: usize = 1024;

type Metadata = Vec<(&'static str, String)>;

/// Why a request was refused, told to the one who asked. `account` is the bare
/// id of the account that the request names.
pub(super) fn rejected(rejection: &Rejection, book: &str, account: &str) -> Status {
    refusal(rejection, book, names::account_name(book, account))
}

/// Why one request of a call was not carried out.
pub(super) fn item(error: &ItemError, book: &str, account: &str) -> Status {
    match error {
        ItemError::Rejected(rejection) => rejected(rejection, book, account),
        ItemError::Failed(error) => engine(error, book),
    }
}

/// A refusal, of which `subject` is the resource that does not allow it.
fn refusal(rejection: &Rejection, book: &str, subject: String) -> Status {
    let code = match rejection.kind() {
        Kind::InvalidArgument => Code::InvalidArgument,
        Kind::NotFound => Code::NotFound,
        Kind::AlreadyExists => Code::AlreadyExists,
        Kind::FailedPrecondition => Code::FailedPrecondition,
        Kind::RateLimited => Code::ResourceExhausted,
    };
    let message = rejection.to_string();
    let mut details = info(rejection.reason(), metadata::of(rejection, book));
    if code == Code::FailedPrecondition {
        details.add_precondition_failure_violation(rejection.reason(), subject, message.clone());
    }
    if let Rejection::RateLimited {
        next_free_at: Some(free_at),
        now,
        ..
    } = rejection
    {
        let wait_us = u64::try_from(free_at.us_since(*now)).unwrap_or(0);
        details.set_retry_info(Some(Duration::from_micros(wait_us)));
    }
    Status::with_error_details(code, message, details)
}

/// The same as a message, for an item of a batch call.
pub(super) fn into_message(status: &Status) -> tonic_types::Status {
    // The details of a status are this very message, encoded.
    tonic_types::Status::decode(status.details()).unwrap_or_else(|_| tonic_types::Status {
        code: status.code().into(),
        message: status.message().to_owned(),
        details: Vec::new(),
    })
}

/// Why a call got no answer. The engine has logged the cause.
pub(super) fn engine(error: &EngineError, book: &str) -> Status {
    let (code, reason, retry, metadata) = match error {
        EngineError::Rejected(rejection) => {
            return refusal(rejection, book, names::book_name(book));
        }
        EngineError::UnknownBook(book) => (
            Code::NotFound,
            "BOOK_NOT_FOUND",
            None,
            vec![("book", book.clone())],
        ),
        EngineError::QueueFull => (
            Code::ResourceExhausted,
            "QUEUE_FULL",
            Some(RETRY_BUSY),
            Vec::new(),
        ),
        EngineError::TooManyBooks => (
            Code::ResourceExhausted,
            "TOO_MANY_BOOKS",
            Some(RETRY_OUTAGE),
            Vec::new(),
        ),
        EngineError::DeadlineExceeded => (
            Code::DeadlineExceeded,
            "DEADLINE_EXCEEDED",
            None,
            Vec::new(),
        ),
        EngineError::Unavailable => (
            Code::Unavailable,
            "DATABASE_UNAVAILABLE",
            Some(RETRY_OUTAGE),
            Vec::new(),
        ),
        EngineError::ClockSkew { difference_ms } => {
            let metadata = vec![("difference_ms", difference_ms.to_string())];
            (
                Code::Unavailable,
                "CLOCK_SKEW",
                Some(RETRY_OUTAGE),
                metadata,
            )
        }
        EngineError::NotCaughtUp { position, wanted } => {
            let metadata = vec![
                ("position", position.to_string()),
                ("wanted_position", wanted.to_string()),
            ];
            (
                Code::Unavailable,
                "NOT_CAUGHT_UP",
                Some(RETRY_BUSY),
                metadata,
            )
        }
        EngineError::LogForked => (Code::DataLoss, "LOG_FORKED", None, Vec::new()),
        EngineError::Refused => (Code::Internal, "DATA_REFUSED", None, Vec::new()),
        EngineError::Stopped => (Code::Internal, "BOOK_STOPPED", None, Vec::new()),
        EngineError::ShuttingDown => (
            Code::Unavailable,
            "SHUTTING_DOWN",
            Some(RETRY_OUTAGE),
            Vec::new(),
        ),
    };
    plain(code, reason, error.to_string(), retry, metadata)
}

/// The time was up while the request was in work. What came of it is not known.
pub(super) fn out_of_time() -> Status {
    let message = "the deadline passed: the request may have been applied all the same";
    plain(
        Code::DeadlineExceeded,
        "DEADLINE_EXCEEDED",
        message,
        None,
        Vec::new(),
    )
}

/// What the store could not do. The cause is logged here, and only here.
pub(super) fn store(error: &StoreError) -> Status {
    match error {
        StoreError::Busy(_)
        | StoreError::Lost(_)
        | StoreError::TimedOut { .. }
        | StoreError::CannotWrite(_) => {
            tracing::warn!(error = error as &dyn Error, "a read of the database failed");
            engine(&EngineError::Unavailable, "")
        }
        StoreError::Refused(_) => {
            tracing::error!(error = error as &dyn Error, "the database refused a read");
            engine(&EngineError::Refused, "")
        }
        StoreError::Damaged(what) => damaged(what),
    }
}

/// Why something that was read beside the engine could not be.
pub(super) fn read(error: &ReadError, book: &str) -> Status {
    match error {
        ReadError::Engine(error) => engine(error, book),
        ReadError::Store(error) => store(error),
        ReadError::Damaged(what) => damaged(what),
    }
}

/// What is stored cannot be right. It is logged here, and only here.
pub(super) fn damaged(what: &str) -> Status {
    tracing::error!(what, "what is stored is damaged");
    plain(
        Code::DataLoss,
        "DATA_DAMAGED",
        "what is stored is damaged",
        None,
        Vec::new(),
    )
}

/// An answer that has not got what it must have: a bug of ours.
pub(super) fn incomplete(what: &'static str) -> Status {
    tracing::error!(what, "an answer lacks something");
    plain(
        Code::Internal,
        "INTERNAL",
        "the service met an error of its own",
        None,
        Vec::new(),
    )
}

/// Requests that are wrong in shape: every violation, as far as a client can
/// take them.
pub(super) fn invalid(mut violations: Vec<FieldViolation>) -> Status {
    let found = violations.len();
    let mut bytes = 0;
    let fitting = violations.iter().take_while(|violation| {
        // A field stands in the violation, the metadata and the message.
        bytes += 3 * violation.field.len() + violation.description.len() + 16;
        bytes <= VIOLATIONS_BYTES_MAX
    });
    let shown = fitting.count().max(1);
    violations.truncate(shown);
    let fields: Vec<&str> = violations
        .iter()
        .map(|violation| violation.field.as_str())
        .collect();
    let fields = fields.join(", ");
    let mut message = format!("the request is wrong in: {fields}");
    let mut metadata = vec![("fields", fields)];
    if shown < found {
        message.push_str(&format!(", and {} more", found - shown));
        metadata.push(("more", (found - shown).to_string()));
    }
    let mut details = info(INVALID_REQUEST, metadata);
    details.set_bad_request(violations);
    Status::with_error_details(Code::InvalidArgument, message, details)
}

/// One violation of shape.
pub(super) fn invalid_field(field: &str, description: &str) -> Status {
    invalid(vec![FieldViolation::new(field, description)])
}

/// There is no such event.
pub(super) fn event_not_found(name: &str) -> Status {
    let metadata = vec![("event", name.to_owned())];
    plain(
        Code::NotFound,
        "EVENT_NOT_FOUND",
        "there is no such event",
        None,
        metadata,
    )
}

/// There is no such version of the catalog.
pub(super) fn catalog_not_found(book: &str, version: i64) -> Status {
    let metadata = vec![
        ("book", names::book_name(book)),
        ("catalog_version", version.to_string()),
    ];
    plain(
        Code::NotFound,
        "CATALOG_VERSION_NOT_FOUND",
        "the book never had a catalog of this version",
        None,
        metadata,
    )
}

/// No place for another subscriber.
pub(super) fn too_many_subscribers(maximum: usize) -> Status {
    let metadata = vec![("maximum", maximum.to_string())];
    let message = format!("there are {maximum} subscribers already");
    plain(
        Code::ResourceExhausted,
        "TOO_MANY_SUBSCRIBERS",
        message,
        Some(RETRY_OUTAGE),
        metadata,
    )
}

/// More requests are in work than the service takes on.
pub(super) fn overloaded() -> Status {
    let message = "too many requests are in work";
    plain(
        Code::ResourceExhausted,
        "OVERLOADED",
        message,
        Some(RETRY_BUSY),
        Vec::new(),
    )
}

/// A status of the transport's own, without details, with the reason that its
/// code tells.
pub(super) fn of_transport(status: &Status) -> Status {
    let (code, reason) = match status.code() {
        // A message that is not the one of the method: the transport calls
        // that its own error.
        Code::Internal | Code::InvalidArgument => (Code::InvalidArgument, "MALFORMED_MESSAGE"),
        Code::OutOfRange => (Code::InvalidArgument, "MESSAGE_TOO_LARGE"),
        Code::NotFound => (Code::NotFound, "NOT_FOUND"),
        Code::DeadlineExceeded | Code::Cancelled => (Code::DeadlineExceeded, "DEADLINE_EXCEEDED"),
        // What is left is a method or an encoding that the service lacks.
        code => (code, "NOT_SUPPORTED"),
    };
    let message = match (status.message(), reason) {
        ("", "NOT_SUPPORTED") => "the service has no such method",
        (message, _) => message,
    };
    plain(
        code,
        reason,
        message,
        None,
        vec![("message", message.to_owned())],
    )
}

fn plain(
    code: Code,
    reason: &'static str,
    message: impl Into<String>,
    retry: Option<Duration>,
    metadata: Metadata,
) -> Status {
    let mut details = info(reason, metadata);
    if retry.is_some() {
        details.set_retry_info(retry);
    }
    Status::with_error_details(code, message, details)
}

fn info(reason: &'static str, metadata: Metadata) -> ErrorDetails {
    let metadata: HashMap<String, String> = metadata
        .into_iter()
        .map(|(key, value)| (key.to_owned(), bounded(value)))
        .collect();
    ErrorDetails::with_error_info(reason, DOMAIN, metadata)
}

fn bounded(mut value: String) -> String {
    if value.len() > VALUE_BYTES_MAX {
        value.truncate(value.floor_char_boundary(VALUE_BYTES_MAX));
    }
    value
}
